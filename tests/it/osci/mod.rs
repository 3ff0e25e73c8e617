//! The intermediary of OSCI-Transport in a whole gateway: a client without any code of ours sends, fetches and verifies.
//! Needs ../shared and a Python with lxml and cryptography (Debian: python3-lxml, python3-cryptography).

mod attacks;
mod breaking;
mod chunks;
mod mediate;
mod nodes;
pub(crate) mod party;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use conformance::gateway::free_port as port;
use conformance::gateway::{Engine, Gateway, Rights};
use serde_json::{Value, json};

use crate::installation::{amtsbote, json as printed};

/// Debian's Python; another one may be named.
const PYTHON: &str = "/usr/bin/python3";

/// A gateway with an intermediary: Bob's certificate is the county's building authority, Carol's the town's.
struct Bed {
    gateway: Gateway,
    url: String,
    /// A passive recipient that may be called, where nobody listens.
    recipient: String,
    client: Mutex<Python>,
}

fn shared(path: &str) -> PathBuf {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    assert!(found.exists(), "{} must stand beside the project", found.display());
    found.canonicalize().unwrap()
}

/// Where the keys of the corpus are.
pub(crate) fn keys() -> PathBuf {
    shared("samples/osci/TEST-ONLY")
}

/// A file for the gateway's eyes only.
fn secret(folder: &Path, name: &str, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A client that speaks with one intermediary. It is one process for all its commands, since it takes long to begin.
struct Python {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn at(url: &str) -> Mutex<Self> {
        let python = std::env::var("AMTSBOTE_TEST_PYTHON").unwrap_or_else(|_| PYTHON.to_owned());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/osci/client.py");
        let mut command = Command::new(python);
        command.arg("-B").arg(script).arg(url).arg(keys()).env("VERIFIER", shared("senders/osci"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Mutex::new(Python { process, commands, answers: BufReader::new(answers) })
    }

    fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("the client gave up: {command}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Bed {
    async fn on(engine: &Engine) -> Self {
        Bed::with(engine, "").await
    }

    /// The same with more lines for `[osci]`.
    async fn with(engine: &Engine, more: &str) -> Self {
        let mut gateway = Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap();
        let (folder, port) = (gateway.folder().to_owned(), port());
        for name in ["intermed_cipher.p12", "intermed_signature.p12"] {
            secret(&folder, name, &std::fs::read(keys().join(name)).unwrap());
        }
        secret(&folder, "pin", b"123456");
        let file = folder.join("amtsbote.toml");
        let config = std::fs::read_to_string(&file).unwrap();
        let owner = |key: &str, who: &str| {
            let certificate = keys().join(format!("{who}_cipher.cer"));
            format!("key = \"{key}\"\n  osci_certificates = [\"file:{}\"]", certificate.display())
        };
        let config = config
            .replacen("[listen]", &format!("[listen]\nosci_plain = \"127.0.0.1:{port}\""), 1)
            .replacen("key = \"bab:05974000\"", &owner("bab:05974000", "bob"), 1)
            .replacen("key = \"bab:05974028\"", &owner("bab:05974028", "carol"), 1);
        std::fs::write(&file, config).unwrap();
        let recipient = format!("http://127.0.0.1:{}/osci", self::port());
        let (trust, crl) = (keys().join("ca.cer"), keys().join("ca.crl"));
        let osci = format!(
            "[osci]\nauthority = \"bab:05974000\"\n\
             cipher = [{{ key = \"file:intermed_cipher.p12\", password = \"file:pin\" }}]\n\
             signer = {{ key = \"file:intermed_signature.p12\", password = \"file:pin\" }}\n\
             trust = [\"file:{}\"]\ncrl = [\"file:{}\"]\npassive_recipients = [\"{recipient}\"]\n{more}",
            trust.display(),
            crl.display()
        );
        gateway.configure(&osci).unwrap();
        gateway.start().await.unwrap();
        let url = format!("http://127.0.0.1:{port}/osci");
        Bed { gateway, client: Python::at(&url), url, recipient }
    }

    /// What the intermediary answers to a client's command, verified by the client.
    fn client(&self, dialog: &str, arguments: &[&str]) -> Value {
        let state = self.gateway.folder().join(dialog).display().to_string();
        let words: Vec<&str> = std::iter::once(state.as_str()).chain(arguments.iter().copied()).collect();
        let told = self.client.lock().unwrap().tell(&json!(words));
        assert_eq!(told["type"], "text/xml; charset=utf-8");
        assert_eq!(told["sound"], true, "{arguments:?}: {told}");
        told
    }

    fn issue(&self, who: &str) -> String {
        let told = self.client("-", &["issue", who]);
        assert_eq!((&told["codes"], &told["signed"]), (&json!(["0800"]), &json!(true)), "{told}");
        told["id"].as_str().unwrap().to_owned()
    }

    async fn restart(&mut self) {
        self.gateway.kill().await.unwrap();
        self.gateway.start().await.unwrap();
    }

    /// The status of a request that says how long its body will be, and sends none of it.
    fn announces(&self, bytes: u64) -> u16 {
        use std::io::Read;
        let address = self.url.trim_start_matches("http://").trim_end_matches("/osci");
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!("POST /osci HTTP/1.1\r\nHost: {address}\r\nContent-Length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status[9..]).parse().unwrap()
    }

    /// The messages that the county's systems see.
    async fn get(&self, secret: &str, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.gateway.internal());
        let answer = reqwest::Client::new().get(url).bearer_auth(secret).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }
}

fn codes(told: &Value) -> Vec<&str> {
    told["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

async fn a_delivery_goes_its_way(engine: &Engine) {
    let mut bed = Bed::on(engine).await;
    let rights = Rights {
        tenant: "kreis-soest",
        roles: &["system"],
        unit: "*",
        service: "*",
        authority: Some("bab:05974000"),
    };
    let secret = bed.gateway.token("Bauaufsicht", rights).await.unwrap();
    let id = bed.issue("alice");
    let stored = bed.client("-", &["store", "alice", "bob", &id, "300000"]);
    assert_eq!(codes(&stored), ["0800"], "{stored}");
    let card = &stored["cards"][0];
    assert_eq!((&card["id"], &card["subject"]), (&json!(id), &json!("Bauakte & Plan")));
    assert!(card["creation"].is_string() && card["forwarding"].is_null(), "{card}");
    assert_eq!(card["inspections"], 3);
    // Used once, and never issued.
    for id in [id.as_str(), "amtsbote.invented"] {
        let refused = bed.client("-", &["store", "alice", "bob", id, "10"]);
        assert_eq!(codes(&refused), ["9801"], "{refused}");
    }

    // A recipient that is away, and an address that nobody allowed: the id is still good.
    let another = bed.issue("alice");
    for address in [bed.recipient.as_str(), "http://127.0.0.1:1/osci", bed.recipient.as_str()] {
        let away = bed.client("-", &["forward", "alice", "dave", &another, address]);
        assert_eq!(codes(&away), ["9809"], "{away}");
    }

    bed.restart().await;
    assert_eq!(codes(&bed.client("carol", &["open", "carol"])), ["0801"]);
    assert_eq!(codes(&bed.client("carol", &["fetch", &id])), ["9803"], "somebody else's mailbox");
    assert_eq!(codes(&bed.client("carol", &["cards", &id])), ["9804"]);
    assert_eq!(codes(&bed.client("bob", &["open", "bob"])), ["0801"]);
    let waiting = bed.client("bob", &["cards"]);
    assert_eq!(codes(&waiting), ["0801"]);
    assert_eq!(waiting["cards"][0], *card, "what the sender was told is what is remembered");
    // Within a dialog that is kept in the store.
    bed.restart().await;
    let fetched = bed.client("bob", &["fetch"]);
    assert_eq!(codes(&fetched), ["0801"], "{fetched}");
    assert_eq!(fetched["attachments"], json!([stored["sent"]]));
    assert!(fetched["cards"][0]["forwarding"].is_string() && fetched["cards"][0]["reception"].is_null());
    assert_eq!(codes(&bed.client("bob", &["fetch"])), ["9803"], "nothing more waits");
    assert_eq!(codes(&bed.client("bob", &["exit"])), ["0800"]);
    assert_eq!(codes(&bed.client("bob", &["cards"])), ["9400"], "the dialog is over");

    bed.client("alice", &["open", "alice"]);
    let card = &bed.client("alice", &["cards", &id])["cards"][0];
    assert_eq!(card["forwarding"], fetched["cards"][0]["forwarding"]);
    assert!(card["reception"].is_string(), "{card}");

    let messages = bed.get(&secret, "messages").await;
    let all = messages["items"].as_array().unwrap();
    let states: Vec<&str> = all.iter().map(|message| message["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["confirmed", "returned", "returned"], "{messages}");
    let message = &all[0];
    assert_eq!((&message["door"], &message["state"]), (&json!("osci"), &json!("confirmed")));
    let timeline = bed.get(&secret, &format!("messages/{}/timeline", message["id"].as_str().unwrap())).await;
    let kinds: Vec<&str> = timeline["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["message.accepted", "message.delivered", "message.confirmed"], "{timeline}");
    let report = bed.gateway.run(&["evidence", "check", "--tenant", "kreis-soest", "--json"]).await.unwrap();
    assert_eq!(report["ok"], true, "{report}");
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_stored_fetched_and_proven_on_sqlite() {
    a_delivery_goes_its_way(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_stored_fetched_and_proven_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_delivery_goes_its_way(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_in_the_answer_and_changes_nothing() {
    let bed = Bed::on(&Engine::Sqlite).await;
    let id = bed.issue("alice");
    let tampered = bed.client("-", &["store", "alice", "bob", &id, "10", "bad"]);
    assert_eq!(codes(&tampered), ["9601"], "{tampered}");
    let nobody = bed.client("-", &["store", "alice", "dave", &id, "10"]);
    assert_eq!(codes(&nobody), ["9811"], "Dave has no mailbox here");
    assert_eq!(
        codes(&bed.client("-", &["store", "alice", "bob", &id, "10"])),
        ["0800"],
        "the id is still good"
    );
    assert_eq!(
        codes(&bed.client("eve", &["open", "bob", "clear"])),
        ["9300"],
        "anybody could say that it is Bob"
    );

    let client = reqwest::Client::new();
    let garbage = client.post(&bed.url).body("no message").send().await.unwrap();
    assert_eq!(garbage.status(), 200);
    assert!(garbage.text().await.unwrap().contains(">9100<"));
    let get = client.get(&bed.url).send().await.unwrap();
    assert_eq!(get.status(), 405);
    let elsewhere = client.post(format!("{}s", bed.url)).body("x").send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(bed.announces(1 << 40), 413);
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_intermediary_there_is_no_door() {
    let mut gateway =
        Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), &Engine::Sqlite).await.unwrap();
    let port = port();
    let file = gateway.folder().join("amtsbote.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        config.replacen("[listen]", &format!("[listen]\nosci_plain = \"127.0.0.1:{port}\""), 1),
    )
    .unwrap();
    gateway.start().await.unwrap();
    for address in [format!("http://127.0.0.1:{port}"), gateway.internal()] {
        let answer = reqwest::Client::new().post(format!("{address}/osci")).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{address}");
    }
    gateway.remove().await.unwrap();
}

#[test]
fn a_message_is_described_without_its_content_or_subject() {
    let message = |name: &str| shared("samples/osci/messages").join(name).display().to_string();
    let store = message("roundtrip/02q-StoreDelivery.osci");
    let shown = printed(&amtsbote(&["osci", "inspect", &store, "--json"]));
    assert_eq!(shown["kind"], "MessageEncrypted");
    let receiver = shown["encryptedFor"][0]["subject"].as_str().unwrap();
    assert!(receiver.contains("CN=GRP: intermed_cipher"), "{receiver}");

    let folder = tempfile::tempdir().unwrap();
    secret(folder.path(), "key.p12", &std::fs::read(keys().join("intermed_cipher.p12")).unwrap());
    secret(folder.path(), "pin", b"123456");
    let reference = |name: &str| format!("file:{}", folder.path().join(name).display());
    let (key, pin) = (reference("key.p12"), reference("pin"));
    let opened = amtsbote(&["osci", "inspect", &store, "--key", &key, "--password", &pin, "--json"]);
    let shown = printed(&opened);
    assert_eq!((&shown["kind"], &shown["signature"]["valid"]), (&json!("StoreDelivery"), &json!(true)));
    assert!(!String::from_utf8_lossy(&opened.stdout).contains("Betreff"), "{shown}");
    assert_eq!(shown["messageIds"].as_array().unwrap().len(), 1);

    let answer = message("unencrypted/02r-ResponseToStoreDelivery.osci");
    let plain = printed(&amtsbote(&["osci", "inspect", &answer, "--json"]));
    assert_eq!(plain["codes"], json!(["0800"]));
    let tampered = message("tampered-body-9601/02q-Invalid.osci");
    let tampered =
        printed(&amtsbote(&["osci", "inspect", &tampered, "--key", &key, "--password", &pin, "--json"]));
    assert_eq!(tampered["signature"], json!({ "valid": false, "code": "9601" }));
    let unreadable = amtsbote(&["osci", "inspect", &message("raw-garbage-9100/01q-Invalid.osci"), "--json"]);
    assert_ne!(unreadable.status.code(), Some(0));
}
