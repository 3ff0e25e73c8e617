//! The server of XTA in a whole gateway, over mutual TLS, with clients that have no code of ours: Python's zeep, and what
//! the reference implementation of JAX-WS has sent. Needs ../shared and a Python with zeep, which `./dev test` makes.

mod bad;
mod bridge;
mod claims;
mod court;
mod directory;
mod party;
mod replay;
mod two;

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::gateway::free_port as port;
use conformance::gateway::{Engine, Gateway, Rights};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

/// Where the Python with zeep is, unless another one is named.
const PYTHON: &str = "target/zeep/bin/python3";
/// The author, a partner of the house.
const AUTHOR: &str = "ags:12345678";
/// The reader, an authority of the house.
const READER: &str = "ags:87654321";
const SERVER: &str = "amtsbote-pruefstand";

/// A gateway with a server of XTA; one certificate is the author's, the reader's, and that of a locked account. Another account may
/// use one service and send little; two more have certificates that do not count any more.
struct Bed {
    gateway: Gateway,
    /// Where the ports of version 3 are.
    base: String,
    /// Where those of version 5 are.
    core: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shared(path: &str) -> PathBuf {
    let found = root().join("../shared").join(path);
    assert!(found.exists(), "{} must stand beside the project", found.display());
    found.canonicalize().unwrap()
}

/// The Python that has the libraries that judge us.
pub(crate) fn python() -> PathBuf {
    let named = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root().join(PYTHON));
    assert!(python.exists(), "{} is missing; ./dev test makes it", python.display());
    python
}

/// What a program says, which must end well.
fn said(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {out}\n{err}");
    out.into_owned()
}

/// A certification authority with a server and a client, and a stranger that nobody trusts.
fn make_keys(folder: &Path) {
    said(Command::new("sh").arg(shared("senders/xta/make-test-pki.sh")).arg(folder.join("pki")));
    let stranger = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout x.key -out x.pem";
    said(Command::new("openssl").args(stranger.split(' ')).current_dir(folder.join("pki")));
    more_certificates(&folder.join("pki"));
    std::fs::write(folder.join("pki/pin"), "changeit").unwrap();
    for secret in ["pki/pin", "pki/server.p12"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join(secret), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Certificates of the same authority: that of another client, one that has ended, one that was revoked, and the list that says so.
fn more_certificates(pki: &Path) {
    let settings = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n\
                    default_md = sha256\ndefault_crl_days = 2\npolicy = p\n[p]\ncommonName = supplied\n";
    for (file, text) in [("ca.cnf", settings), ("index", ""), ("serial", "1000\n")] {
        std::fs::write(pki.join(file), text).unwrap();
    }
    let openssl = |line: &str| {
        said(Command::new("openssl").args(line.split(' ')).current_dir(pki));
    };
    let ca = "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key";
    for (name, when) in [
        ("other", "-days 2"),
        ("revoked", "-days 2"),
        ("expired", "-startdate 20240101000000Z -enddate 20240201000000Z"),
    ] {
        openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        openssl(&format!("{ca} {when} -in {name}.csr -out {name}.pem"));
    }
    openssl(&format!("{ca} -revoke revoked.pem"));
    openssl(&format!("{ca} -gencrl -out ca.crl"));
}

impl Bed {
    async fn on(engine: &Engine) -> Self {
        let mut gateway = Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap();
        let (folder, port) = (gateway.folder().to_owned(), port());
        make_keys(&folder);
        let file = folder.join("amtsbote.toml");
        let config = std::fs::read_to_string(&file).unwrap();
        let config = config
            .replacen("[listen]", &format!("[listen]\nmachines = \"127.0.0.1:{port}\""), 1)
            .replacen("key = \"bab:05974000\"", &format!("key = \"{READER}\"\n  xta_box = true"), 1);
        std::fs::write(&file, config).unwrap();
        let account = |id: &str, who: &str, parties: &str, more: &str| {
            let owner = format!("tenant = \"kreis-soest\"\ncertificates = [\"file:pki/{who}.pem\"]");
            format!("[[xta.account]]\nid = \"{id}\"\n{owner}\nparties = [{parties}]\n{more}\n")
        };
        let accounts = [
            account("land", "client", &format!("\"{AUTHOR}\", \"{READER}\""), "delivers = true"),
            account("zu", "client", "\"gesperrt\"", "locked = true"),
            account("nachbar", "other", "\"ags:11111111\"", "services = [\"urn:dienst\"]"),
            account("alt", "expired", &format!("\"{AUTHOR}\""), ""),
            account("verloren", "revoked", &format!("\"{AUTHOR}\""), ""),
        ];
        let tls = "[tls]\nidentity = { key = \"file:pki/server.p12\", password = \"file:pki/pin\" }";
        let lists = "trust = [\"file:pki/ca.pem\"]\ncrl = [\"file:pki/ca.crl\"]\ncontainer_mb = 4";
        let xta = format!("{tls}\n[xta]\nserver = \"{SERVER}\"\n{lists}\n{}", accounts.concat());
        gateway.configure(&xta).unwrap();
        gateway.start().await.unwrap();
        Bed {
            gateway,
            base: format!("https://127.0.0.1:{port}/xta/v3"),
            core: format!("https://127.0.0.1:{port}/xta/v5"),
        }
    }

    async fn restart(&mut self) {
        self.gateway.kill().await.unwrap();
        self.gateway.start().await.unwrap();
    }

    fn pki(&self) -> PathBuf {
        self.gateway.folder().join("pki")
    }

    /// What zeep's author and reader say of a whole flow.
    async fn flow(&self, script: &Path, options: &[&str]) -> String {
        let mut command = Command::new(python());
        command.arg("-B").arg(script).args(["--base", &self.base, "--author", AUTHOR, "--reader", READER]);
        command.args(options).arg("flow").env("XTA_PKI", self.pki());
        spawn_blocking(move || said(&mut command)).await.unwrap()
    }

    /// A client that shows one of the certificates, or none.
    fn client(&self, name: Option<&str>) -> Client {
        let read = |file: &str| std::fs::read(self.pki().join(file)).unwrap();
        let client = Client::builder().tls_certs_only([Certificate::from_pem(&read("ca.pem")).unwrap()]);
        let client = match name {
            Some(name) => client.identity(
                Identity::from_pkcs8_pem(&read(&format!("{name}.pem")), &read(&format!("{name}.key")))
                    .unwrap(),
            ),
            None => client,
        };
        client.build().unwrap()
    }

    async fn messages(&self) -> Value {
        let rights = Rights {
            tenant: "kreis-soest",
            roles: &["system"],
            unit: "*",
            service: "*",
            authority: Some(READER),
        };
        let secret = self.gateway.token("Bauaufsicht", rights).await.unwrap();
        let url = format!("{}/api/v1/messages", self.gateway.internal());
        let answer = Client::new().get(url).bearer_auth(secret).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }
}

/// A flow as it must be told: each line begins with one of these, in their order.
fn assert_went_well(told: &str, how: &str) {
    let created = format!("createMessageId urn:de:xta:messageid:{SERVER}:");
    let sent = format!("sendMessage OK {how}");
    let expected = [
        "checkAccountActive OK",
        "lookupService ",
        &created,
        &sent,
        "duplicate -> ParameterIsNotValidException 9024",
        "getStatusList 1 ItemsPending 0 ",
        "getMessage same True True rid ",
        "close OK",
        "after close 0 NoMessageAvailable http://www.osci.eu/ws/2008/05/transport/MsgBox/reasons/NoMatch ",
        "report status 1",
        "refetch -> InvalidMessageIDException 9070",
        "blocked -> PermissionDeniedException 9011",
        "cancel -> CancelDeniedException 9101",
    ];
    let lines = told.lines().filter(|line| !line.starts_with(' ') && !line.starts_with('}'));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{expected}: {told}");
    }
}

async fn an_author_and_a_reader_go_the_whole_way(engine: &Engine) {
    let bed = Bed::on(engine).await;
    let script = shared("senders/xta/xta_zeep.py");
    assert_went_well(&bed.flow(&script, &[]).await, "inline");
    assert_went_well(&bed.flow(&script, &["--mtom", "--att", "3000000"]).await, "MTOM");
    let messages = bed.messages().await;
    let states: Vec<_> =
        messages["items"].as_array().unwrap().iter().map(|it| (&it["door"], &it["state"])).collect();
    assert_eq!(states, [(&json!("xta"), &json!("confirmed")); 2], "{messages}");
    let report = bed.gateway.run(&["evidence", "check", "--tenant", "kreis-soest", "--json"]).await.unwrap();
    assert_eq!(report["ok"], true, "{report}");
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_s_author_and_reader_go_the_whole_way_on_sqlite() {
    an_author_and_a_reader_go_the_whole_way(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_s_author_and_reader_go_the_whole_way_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => an_author_and_a_reader_go_the_whole_way(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_made_of_our_own_description_goes_the_same_way() {
    let bed = Bed::on(&Engine::Sqlite).await;
    // Beside the schemas of the standard, in the place of its description; the script looks for it where it stands.
    let beside = bed.gateway.folder().join("beside");
    let (senders, packs) = (beside.join("senders/xta"), beside.join("packs/xta/v3-ws211"));
    std::fs::create_dir_all(&senders).unwrap();
    std::fs::create_dir_all(&packs).unwrap();
    for file in std::fs::read_dir(shared("packs/xta/v3-ws211")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), packs.join(file.file_name())).unwrap();
    }
    let script = senders.join("xta_zeep.py");
    std::fs::copy(shared("senders/xta/xta_zeep.py"), &script).unwrap();
    let url = format!("{}/management?wsdl", bed.base);
    let ours = bed.client(None).get(&url).send().await.unwrap();
    assert_eq!(ours.status(), 200);
    let ours = ours.text().await.unwrap();
    assert!(ours.contains(&format!("location=\"{}/msgbox\"", bed.base)), "{ours}");
    std::fs::write(packs.join("XTA.wsdl"), ours).unwrap();
    assert_went_well(&bed.flow(&script, &[]).await, "inline");
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_version_5_made_of_our_own_description_goes_the_whole_way() {
    let bed = Bed::on(&Engine::Sqlite).await;
    // The description names the schemas of the standard as they stand beside its own.
    let beside = bed.gateway.folder().join("beside");
    for folder in ["xsd", "externe_Schemata", "wsdl"] {
        std::fs::create_dir_all(beside.join(folder)).unwrap();
        let from = shared("packs/xta/v5.1.1-reconstructed").join(folder);
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), beside.join(folder).join(file.file_name())).unwrap();
        }
    }
    let ours = bed.client(None).get(format!("{}/base?wsdl", bed.core)).send().await.unwrap();
    let ours = ours.text().await.unwrap();
    assert!(ours.contains(&format!("location=\"{}/reader\"", bed.core)), "{ours}");
    let wsdl = beside.join("wsdl/ours.wsdl");
    std::fs::write(&wsdl, ours).unwrap();
    let mut command = Command::new(python());
    command.args(["-B", "tests/it/xta/core_zeep.py"]).arg(wsdl).args([&bed.core, AUTHOR, READER]);
    command.current_dir(root()).env("XTA_PKI", bed.pki());
    let told = spawn_blocking(move || said(&mut command)).await.unwrap();
    let created = format!("createMessageID urn:de:xta:messageid:{SERVER}:");
    let expected = [
        "checkAccountActive OK",
        &created,
        "lookupService True",
        "sendMessage OK",
        "duplicate -> ParameterIsNotValidException 9024",
        "getStatusList [True]",
        "getMessage True True",
        "close OK",
        "report status 1 Wert & mehr",
        "refetch -> InvalidMessageIDException 9070",
        "blocked -> PermissionDeniedException 9011",
        "synchronous -> SyncAsyncException 9080",
        "deliverMessage OK",
    ];
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for (line, expected) in told.lines().zip(expected) {
        assert!(line.starts_with(expected), "{expected}: {told}");
    }
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_good_certificate_hears_so_in_the_words_of_the_standard() {
    let bed = Bed::on(&Engine::Sqlite).await;
    let url = format!("{}/management", bed.base);
    let request = replay::recorded(replay::V3, "01_request.http");
    for (who, code) in [(None, ">9010<"), (Some("x"), ">9010<"), (Some("server"), ">9012<")] {
        let (status, _, body) = replay::post(&bed.client(who), &url, &request).await;
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, 500, "{who:?}");
        assert!(body.contains("PermissionDeniedException") && body.contains(code), "{who:?}: {body}");
    }
    let (status, ..) = replay::post(&bed.client(Some("client")), &url, &request).await;
    assert_eq!(status, 200);
    // Only at the listener for machines, and nothing but requests.
    let inside = format!("{}/xta/v3/management", bed.gateway.internal());
    assert_eq!(replay::post(&Client::new(), &inside, &request).await.0, 404);
    assert_eq!(bed.client(None).get(&url).send().await.unwrap().status(), 405);
    bed.gateway.remove().await.unwrap();
}
