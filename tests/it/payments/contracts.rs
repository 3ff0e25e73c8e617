//! The providers and accounts of the gateway under test: for each interface one that Python plays, where it does, and one that the simulator
//! plays.

use conformance::simulate::payment::{CLIENT_SECRET, GIRO_PASSWORD, HOOK_SECRET, PM_SALT};

/// Where providers are told to call; what really listens has another port.
pub(super) const PUBLIC: &str = "https://zahlung.example";

/// Secrets by the names of their files: of the Python provider, of the senders, and of the simulator.
pub(super) const SECRETS: [(&str, &str); 12] = [
    ("giro", "secure"),
    ("pm", "test-salt"),
    ("xb", "xbezahldienste-secret"),
    ("epay21", "epay21-secret"),
    ("hook", HOOK_SECRET),
    ("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("stripe", "whsec_test_secret"),
    ("computop", "mySecret"),
    ("blowfish", "0123456789abcdef"),
    ("sim-giro", GIRO_PASSWORD),
    ("sim-xb", CLIENT_SECRET),
    ("sim-pm", PM_SALT),
];

/// Sections for the configuration. Those that are called ill are the same ones again, for whoever makes them ill.
pub(super) fn configuration(mock: &str, simulator: &str) -> String {
    let hook = |scheme| webhook(simulator, scheme);
    let providers = [
        ("giro", girocheckout(mock, "giro", "single")),
        ("giro-page", girocheckout(mock, "giro", "choice")),
        ("sim-giro", girocheckout(simulator, "sim-giro", "single")),
        ("pm", pmpayment(mock, "pm")),
        ("sim-pm", pmpayment(simulator, "sim-pm")),
        ("xb", xbezahldienste(mock, "xb")),
        ("xb-ill", xbezahldienste(mock, "xb")),
        ("sim-xb", xbezahldienste(simulator, "sim-xb")),
        ("epaybl", epaybl(mock)),
        ("epaybl-ill", epaybl(mock)),
        ("sim-epaybl", epaybl(simulator)),
        ("epay21", epay21(mock)),
        ("epay21-ill", epay21(mock)),
        ("sim-epay21", epay21(simulator)),
        ("standard", hook("standard = [\"file:standard.secret\", \"file:hook.secret\"]")),
        ("stripe", hook("stripe = [\"file:stripe.secret\"]")),
        (
            "computop",
            hook(
                "computop = { merchant = \"yourMerchantId\", hmac_passwords = [\"file:computop.secret\"], \
                 blowfish_password = \"file:blowfish.secret\" }",
            ),
        ),
    ];
    let mut all = format!("\n[payments]\npublic_url = \"{PUBLIC}\"\nreturn_hosts = [\"portal.example\"]\n");
    for (id, table) in providers {
        // ePayBL makes the Kassenzeichen itself.
        let registers = match id.contains("epaybl") {
            true => "registers = \"provider\"",
            false => "registers = \"gateway\"\nnumbering = { prefix = \"42\", digits = 10 }",
        };
        all += &format!(
            "\n[[payment_provider]]\nid = \"{id}\"\n{table}\n\
             \n[[payment_account]]\nid = \"{id}\"\ntenant = \"musterkreis\"\nprovider = \"{id}\"\n{registers}\n"
        );
    }
    all
}

fn girocheckout(url: &str, secret: &str, page: &str) -> String {
    format!(
        "girocheckout = {{ url = \"{url}/girocheckout/api/v2\", merchant = \"1234567\", project = \"1234\", \
         password = \"file:{secret}.secret\", page = \"{page}\" }}"
    )
}

fn pmpayment(url: &str, secret: &str) -> String {
    format!(
        "pmpayment = {{ url = \"{url}\", ags = \"03355000\", procedure = \"gateway\", salt = \"file:{secret}.secret\" }}"
    )
}

fn xbezahldienste(url: &str, secret: &str) -> String {
    format!(
        "[payment_provider.xbezahldienste]\nurl = \"{url}/xb\"\noriginator = \"bauantrag\"\nend_point = \"05974000\"\n\
         client = {{ token_url = \"{url}/oauth2/token\", id = \"kreis\", secret = \"file:{secret}.secret\" }}"
    )
}

fn epaybl(url: &str) -> String {
    format!(
        "[payment_provider.epaybl]\nservice_url = \"{url}/soap/servlet/rpcrouter\"\npage_url = \"{url}/paypage/login.do\"\n\
         mandant = \"100\"\nbewirtschafter = \"4711\"\ndunning = \"0\"\nbudget_item = \"0630.1110\"\ncost_object = \"630\""
    )
}

fn epay21(url: &str) -> String {
    format!(
        "[payment_provider.epay21]\nurl = \"{url}/epay21/service.asmx\"\nmandant = \"06431000\"\n\
         mandant_name = \"Musterkreis\"\napp = \"amtsbote\"\nuser = \"kreis\"\npassword = \"file:epay21.secret\""
    )
}

fn webhook(url: &str, scheme: &str) -> String {
    format!(
        "[payment_provider.webhook]\nurl = \"{url}\"\nsecret = \"file:hook.secret\"\nrefunds = true\nvoids = true\n{scheme}"
    )
}
