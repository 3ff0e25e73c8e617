//! Two gateways hand a case file over by OSCI-Transport: the county's sends by the town's intermediary, the town's fetches
//! from it or is called by it, and receipt and import result come back the same way.

use std::path::Path;

use conformance::client::Client;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::records::RecordKeeping;
use serde_json::{Value, json};

use super::breaking::{Break, breaking};
use super::{Bed, Python, codes, keys, port, secret};

/// What an authority of the one gateway is called in the other's configuration: nothing that anybody uses.
const ABSENT: &str = "bab:09999901";

/// How the county reaches the town.
pub(crate) struct Way {
    pub(super) mode: &'static str,
    /// Whose keys the county has.
    pub(super) sender: &'static str,
    /// Whose certificate the county encrypts for.
    pub(super) recipient: &'static str,
    /// Where the line to the town's intermediary breaks.
    pub(super) breaks: Option<Break>,
    /// The passive recipient, if it is not the town's gateway.
    pub(super) receiver: Option<String>,
}

pub(crate) const STORE: Way =
    Way { mode: "store", sender: "alice", recipient: "bob", breaks: None, receiver: None };

/// The two gateways: Alice's keys are the county's, Bob's the town's, and the intermediary runs in the town's gateway.
pub(crate) struct Houses {
    pub(crate) county: Gateway,
    pub(crate) town: Gateway,
    pub(super) url: String,
}

/// The configuration of an authority with keys, and a mailbox that is looked into every second.
pub(crate) fn authority(key: &str, who: &str, url: &str) -> String {
    let certificates = keys();
    let folder = certificates.display();
    format!(
        "key = \"{key}\"\n  \
         osci = {{ cipher = [{{ key = \"file:{who}_cipher.p12\", password = \"file:pin\" }}], \
         signer = {{ key = \"file:{who}_signature.p12\", password = \"file:pin\" }} }}\n  \
         osci_mailbox = [{{ intermediary = \"{url}\", intermediary_certificate = \"file:{folder}/intermed_cipher.cer\", \
         answers_by = \"file:{folder}/intermed_signature.cer\", every_seconds = 1 }}]"
    )
}

/// The configuration of a partner that is reached by the intermediary at `url`.
fn partner(key: &str, (cipher, signature): (&str, &str), url: &str, more: &str) -> String {
    let certificates = keys();
    let folder = certificates.display();
    format!(
        "[[partner]]\nauthority = \"{key}\"\nname = \"Bauaufsicht\"\nreads = [[\"xdomea\", \"3.1.0\"]]\n\
         most_bytes = 100_000_000\n[partner.osci]\nintermediary = \"{url}\"\n\
         intermediary_certificate = \"file:{folder}/intermed_cipher.cer\"\n\
         answers_by = \"file:{folder}/intermed_signature.cer\"\n\
         recipient_certificate = \"file:{folder}/{cipher}_cipher.cer\"\n\
         signed_by = [\"file:{folder}/{signature}_signature.cer\"]\n{more}"
    )
}

pub(crate) async fn prepare(engine: &Engine, who: &[&str], edits: &[(&str, &str)], more: &str) -> Gateway {
    let gateway = Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap();
    for name in who {
        for kind in ["cipher", "signature"] {
            let file = format!("{name}_{kind}.p12");
            secret(gateway.folder(), &file, &std::fs::read(keys().join(&file)).unwrap());
        }
    }
    secret(gateway.folder(), "pin", b"123456");
    let file = gateway.folder().join("amtsbote.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    for (from, to) in edits {
        assert!(config.contains(from), "{from}");
        config = config.replacen(from, to, 1);
    }
    std::fs::write(&file, config).unwrap();
    gateway.configure(more).unwrap();
    gateway
}

impl Houses {
    pub(super) async fn open(engine: &Engine, way: Way) -> Self {
        let mut houses = Houses::prepare(engine, way).await;
        houses.start().await;
        houses
    }

    pub(crate) async fn start(&mut self) {
        self.town.start().await.unwrap();
        self.county.start().await.unwrap();
    }

    /// The same before they are started.
    pub(crate) async fn prepare(engine: &Engine, way: Way) -> Self {
        let port = port();
        let url = format!("http://127.0.0.1:{port}/osci");
        let receiver = way.receiver.clone().unwrap_or_else(|| format!("{url}/recipient"));
        let town = town(engine, port, way.sender, &receiver).await;
        let line = match way.breaks {
            Some(at) => breaking(url.clone(), at).await,
            None => url.clone(),
        };
        let receiver = match way.mode {
            "store" => String::new(),
            _ => format!("receiver = \"{receiver}\"\n"),
        };
        let mode = format!("mode = \"{}\"\n{receiver}", way.mode);
        let folder = keys().display().to_string();
        let more = format!(
            "{}[osci_trust]\ntrust = [\"file:{folder}/ca.cer\"]\ncrl = [\"file:{folder}/ca.crl\"]\n",
            partner(TOWN_KEY, (way.recipient, "bob"), &line, &mode)
        );
        let own = authority(COUNTY_KEY, way.sender, &url);
        let edits = [
            (&*format!("key = \"{COUNTY_KEY}\""), &*own),
            (&*format!("key = \"{TOWN_KEY}\""), &*format!("key = \"{ABSENT}\"")),
        ];
        let county = prepare(engine, &[way.sender], &edits, &more).await;
        Houses { county, town, url }
    }

    pub(crate) async fn close(self) {
        self.county.remove().await.unwrap();
        self.town.remove().await.unwrap();
    }

    /// A client that acts for one of the two authorities.
    pub(crate) async fn client(gateway: &Gateway, tenant: &str, authority: &str) -> Client {
        let roles = ["system", "record-keeping", "operator"];
        let rights = Rights { tenant, roles: &roles, unit: "*", service: "*", authority: Some(authority) };
        gateway.client(&gateway.token("test", rights).await.unwrap()).unwrap()
    }
}

/// The town's gateway, with the intermediary and a mailbox for whoever has a certificate. `sender` names the county's keys.
async fn town(engine: &Engine, port: u16, sender: &str, receiver: &str) -> Gateway {
    let url = &format!("http://127.0.0.1:{port}/osci");
    let certificates = keys();
    let folder = certificates.display();
    let own = authority(TOWN_KEY, "bob", url);
    let edits = [
        ("[listen]", &*format!("[listen]\nosci_plain = \"127.0.0.1:{port}\"")),
        (&*format!("key = \"{COUNTY_KEY}\""), &*format!("key = \"{ABSENT}\"")),
        // What is encrypted for Carol comes into the same mailbox, and nobody here has the key.
        (
            &*format!("key = \"{TOWN_KEY}\""),
            &*format!("{own}\n  osci_certificates = [\"file:{folder}/carol_cipher.cer\"]"),
        ),
    ];
    let more = format!(
        "[osci]\nauthority = \"{TOWN_KEY}\"\n\
         cipher = [{{ key = \"file:intermed_cipher.p12\", password = \"file:pin\" }}]\n\
         signer = {{ key = \"file:intermed_signature.p12\", password = \"file:pin\" }}\n\
         trust = [\"file:{folder}/ca.cer\"]\ncrl = [\"file:{folder}/ca.crl\"]\nopen_mailboxes = true\n\
         passive_recipients = [\"{receiver}\"]\n\
         [osci_recipient]\nauthorities = [\"{TOWN_KEY}\"]\n\
         intermediaries = [\"file:{folder}/intermed_signature.cer\"]\n{}",
        partner(COUNTY_KEY, (sender, sender), url, "")
    );
    prepare(engine, &["bob", "intermed"], &edits, &more).await
}

/// Opens a case file and hands it over; returns the id of the exchange.
pub(super) async fn hand_over(county: &Client, to: &str) -> String {
    let file = json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Anbau (erfunden)" });
    let file = county.post("/case-files", "file", &file).await.unwrap().expect("file", &[201]).unwrap();
    let wanted = json!({ "kind": "handover", "to": to, "objects": [file["id"]], "wantsReceipt": true });
    let exchange = county.post("/exchanges", "exchange", &wanted).await.unwrap();
    exchange.expect("exchange", &[202]).unwrap()["id"].as_str().unwrap().to_owned()
}

pub(super) async fn status(client: &Client, exchange: &str, wanted: &str) -> Value {
    client.wait_until(&format!("/exchanges/{exchange}"), |it| it["status"] == wanted).await.unwrap()
}

/// The messages of a client as direction, type, door, partner and state.
pub(super) async fn messages(client: &Client) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |it: &Value| {
        let words = ["direction", "door", "partner", "state"].map(|name| word(&it[name]));
        format!("{} {}", word(&it["identity"]["type"]), words.join(" "))
    };
    let all = client.list("/messages").await.unwrap();
    let mut lines: Vec<String> = all.iter().map(line).filter(|line| !line.starts_with("- ")).collect();
    lines.sort();
    lines
}

/// The parked message that a client sees first, with the rule that keeps it.
pub(crate) async fn parked(client: &Client) -> (Value, String) {
    let waits = |it: &Value| it["items"].as_array().is_some_and(|items| !items.is_empty());
    let found = client.wait_until("/clarifications", waits).await.unwrap();
    let first = found["items"][0].clone();
    let rule = first["rule"].as_str().unwrap_or_default().to_owned();
    (first, rule)
}

async fn a_case_file_is_handed_over(engine: &Engine, way: Way) {
    let houses = Houses::open(engine, way).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    let exchange = hand_over(&county, TOWN_KEY).await;
    status(&county, &exchange, "received").await;

    let records = RecordKeeping::new(&town, "4-63");
    let leased = records.lease().await.unwrap();
    assert_eq!(leased.len(), 1);
    let imported = records.import(&leased[0]).await.unwrap();
    assert_eq!(imported.objects[0].title, "Anbau (erfunden)");
    records.confirm(&leased[0]).await.unwrap();
    status(&county, &exchange, "confirmed").await;

    let sent = |state| format!("0401 out osci {TOWN_KEY} {state}");
    let there = [format!("0402 in osci {TOWN_KEY} confirmed"), format!("0403 in osci {TOWN_KEY} confirmed")];
    let all = messages(&county).await;
    assert_eq!(all[1..], there, "{all:?}");
    assert!(all[0] == sent("delivered") || all[0] == sent("confirmed"), "{all:?}");
    let all = messages(&town).await;
    assert_eq!(all.iter().filter(|line| line.starts_with("0401 in osci")).count(), 1, "{all:?}");
    assert!(all.contains(&format!("0401 in osci {COUNTY_KEY} confirmed")), "{all:?}");
    for (gateway, tenant) in [(&houses.county, COUNTY), (&houses.town, TOWN)] {
        let report = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await.unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_by_mailboxes_on_sqlite() {
    a_case_file_is_handed_over(&Engine::Sqlite, STORE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_by_mailboxes_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_case_file_is_handed_over(&engine, STORE).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_to_a_passive_recipient() {
    a_case_file_is_handed_over(&Engine::Sqlite, Way { mode: "forward", ..STORE }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_as_a_request() {
    a_case_file_is_handed_over(&Engine::Sqlite, Way { mode: "mediate", ..STORE }).await;
}

/// Whatever breaks of the four orders that a message takes, it arrives once.
async fn it_arrives_once(at: Break) {
    let houses = Houses::open(&Engine::Sqlite, Way { breaks: Some(at), ..STORE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    let exchange = hand_over(&county, TOWN_KEY).await;
    status(&county, &exchange, "received").await;

    let all = messages(&town).await;
    assert_eq!(all.iter().filter(|line| line.starts_with("0401 in")).count(), 1, "{all:?}");
    // Deliveries that lay in the mailbox of the town: the relay's messages say no type.
    let relayed = town.list("/messages").await.unwrap();
    let relayed = relayed.iter().filter(|it| it["identity"].is_null() && it["partner"] != TOWN_KEY);
    assert_eq!(relayed.count(), 1);
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_is_asked_for_and_not_sent_again() {
    it_arrives_once(Break::Answer(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_lost_on_its_way_is_sent_again() {
    it_arrives_once(Break::Request(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_id_whose_answer_was_lost_is_another_one_and_nothing_else() {
    it_arrives_once(Break::Answer(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_for_another_key_waits_for_a_human_and_keeps_nothing_from_coming() {
    let houses = Houses::open(&Engine::Sqlite, Way { recipient: "carol", ..STORE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (first, rule) = parked(&town).await;
    assert_eq!(rule, "osci-party.not-opened", "{first}");
    assert_eq!(first["message"]["state"], "parked");

    // Random bytes that nobody has signed: looked into, and kept.
    let client = Python::at(&houses.url);
    let bed = Bed { gateway: houses.town, url: houses.url.clone(), recipient: String::new(), client };
    let id = bed.issue("alice");
    assert_eq!(codes(&bed.client("-", &["store", "alice", "bob", &id, "5000"])), ["0800"]);
    let two = |it: &Value| it["items"].as_array().is_some_and(|items| items.len() == 2);
    let found = town.wait_until("/clarifications", two).await.unwrap();
    let rules: Vec<&str> =
        found["items"].as_array().unwrap().iter().filter_map(|it| it["rule"].as_str()).collect();
    assert!(rules.contains(&"osci-party.unknown-sender"), "{rules:?}");
    // Both count as received: the sender sees it on the process card.
    let received = async {
        loop {
            bed.client("alice", &["open", "alice"]);
            let told = bed.client("alice", &["cards", &id]);
            if told["cards"][0]["reception"].is_string() {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), received).await.unwrap();
    Houses { town: bed.gateway, ..houses }.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_encrypted_for_a_partner_whose_certificate_is_revoked() {
    let houses = Houses::open(&Engine::Sqlite, Way { recipient: "revoked", ..STORE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (first, rule) = parked(&county).await;
    assert_eq!(rule, "osci-party.certificate-revoked", "{first}");
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    assert_eq!(town.list("/messages").await.unwrap(), Vec::<Value>::new(), "nothing has left");
    let check = ["partner", "check", TOWN_KEY, "--tenant", COUNTY, "--json"];
    let found = houses.county.command(&check).output().await.unwrap();
    assert_eq!(found.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&found.stdout).unwrap();
    let all = told["osci"]["certificates"].as_array().unwrap();
    let recipient = all.iter().find(|it| it["key"] == "recipient_certificate").unwrap();
    assert_eq!(
        (&recipient["valid"], &recipient["code"]),
        (&json!(false), &json!("osci-party.certificate-revoked"))
    );
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_would_sign_by_an_outdated_certificate_does_not_leave() {
    let houses = Houses::open(&Engine::Sqlite, Way { sender: "expired", ..STORE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (first, rule) = parked(&county).await;
    assert_eq!(rule, "directory.certificate-ended", "{first}");
    assert_eq!(town.list("/messages").await.unwrap(), Vec::<Value>::new(), "nothing has left");
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_send_is_decrypted_and_verified_by_a_reader_that_is_not_ours() {
    let houses = Houses::open(&Engine::Sqlite, Way { recipient: "dave", ..STORE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let sent = |it: &Value| it["items"][0]["state"] == "delivered";
    county.wait_until("/messages", sent).await.unwrap();
    let client = Python::at(&houses.url);
    let bed = Bed { gateway: houses.town, url: houses.url.clone(), recipient: String::new(), client };
    assert_eq!(codes(&bed.client("dave", &["open", "dave"])), ["0801"]);
    let fetched = bed.client("dave", &["fetch"]);
    assert_eq!(codes(&fetched), ["0801"], "{fetched}");
    assert_eq!(fetched["cards"][0]["subject"], "xdomea 0401");
    let findings: Vec<&str> =
        fetched["findings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let has = |start: &str| findings.iter().any(|found| found.starts_with(start));
    assert!(has("container aes256-gcm iv=12 readable by dave_cipher"), "{findings:?}");
    assert!(has("author-in-encrypted ok by alice_signature"), "{findings:?}");
    assert!(
        findings.iter().any(|it| it.starts_with("attachment ") && it.ends_with("0401.zip aes256-gcm")),
        "{findings:?}"
    );
    Houses { town: bed.gateway, ..houses }.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_tries_the_way_out_and_looks_into_the_mailbox() {
    let houses = Houses::open(&Engine::Sqlite, STORE).await;
    let county = &houses.county;
    let check = ["partner", "check", TOWN_KEY, "--tenant", COUNTY, "--json"];
    let found = county.run(&check).await.unwrap();
    assert_eq!(
        (&found["transport"], &found["osci"]["dialog"]["ok"]),
        (&json!("osci"), &json!(true)),
        "{found}"
    );
    let keys = |it: &Value| it["key"].as_str().unwrap().to_owned();
    let named: Vec<String> = found["osci"]["certificates"].as_array().unwrap().iter().map(keys).collect();
    let wanted =
        ["cipher", "signer", "intermediary_certificate", "recipient_certificate", "answers_by", "signed_by"];
    assert_eq!(named, wanted);
    assert!(
        found["osci"]["certificates"].as_array().unwrap().iter().all(|it| it["valid"] == true),
        "{found}"
    );

    let probe = county.folder().join("probe.txt");
    std::fs::write(&probe, "a probe").unwrap();
    let probe = probe.display().to_string();
    let send =
        ["osci", "send", &probe, "--from", COUNTY_KEY, "--to", TOWN_KEY, "--subject", "Probe", "--json"];
    let sent = county.run(&send).await.unwrap();
    let again = [&send[..], &["--id", sent["id"].as_str().unwrap()]].concat();
    let repeated = county.run(&again).await.unwrap();
    assert!(sent["messageId"].is_string());
    assert_eq!(repeated["messageId"], sent["messageId"], "the same parcel arrives once");
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    parked(&town).await;
    // One that the intermediary keeps for its recipient, and one that the recipient has got.
    let all = town.list("/messages").await.unwrap();
    let mut states: Vec<&str> = all.iter().map(|it| it["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["confirmed", "parked"], "{all:?}");

    let fetch = ["osci", "fetch", "--authority", TOWN_KEY, "--json"];
    let fetched = houses.town.run(&fetch).await.unwrap();
    assert_eq!(
        (&fetched["items"][0]["authority"], &fetched["items"][0]["taken"]),
        (&json!(TOWN_KEY), &json!(0))
    );
    let nobody = county.command(&["osci", "fetch", "--authority", "bab:1"]).output().await.unwrap();
    assert_eq!(nobody.status.code(), Some(2));

    // Nobody there: the check says so, and ends with 1.
    let Houses { county, town, .. } = houses;
    town.remove().await.unwrap();
    let away = county.command(&check).output().await.unwrap();
    assert_eq!(away.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&away.stdout).unwrap();
    assert_eq!(told["osci"]["dialog"]["code"], "osci-party.unreachable", "{told}");
    county.remove().await.unwrap();
}
