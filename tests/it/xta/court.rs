//! A county's authority and a court, by way of a server of XTA in front of the court's mailbox: a submission goes there in the court's
//! form, its acknowledgement comes back, and a request for one is answered. The court speaks by Python's zeep.

use conformance::gateway::{COUNTY, COUNTY_KEY, TOWN_KEY};
use xoev::container::{Container, ContainerWriter, Limits};

use super::*;

/// The court, for the server and for the county.
const COURT: &str = "ags:09999901";
/// Own ids of messages.
const SUBMITTED: &str = "5558aeab-4b75-44db-80e5-7219da4751a2";
const SERVED: &str = "6a0d8e2c-7c1f-4bb0-9f3e-0d5f6b8f0a11";

/// The server with both message boxes, and the county.
struct Bench {
    server: Gateway,
    county: Gateway,
    base: String,
    client: Client,
    token: String,
}

fn edit(gateway: &Gateway, edits: &[(String, String)], more: &str) {
    let file = gateway.folder().join("amtsbote.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    for (from, to) in edits {
        assert!(config.contains(from), "{from}");
        config = config.replacen(from, to, 1);
    }
    std::fs::write(&file, config).unwrap();
    gateway.configure(more).unwrap();
}

fn key(name: &str) -> String {
    format!("key = \"{name}\"")
}

/// A house whose authorities, county and court, both fetch by XTA. The county's account may leave out what the schema demands, as the
/// servers of the field allow.
async fn server(port: u16) -> Gateway {
    let mut gateway =
        Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), &Engine::Sqlite).await.unwrap();
    make_keys(gateway.folder());
    let account = |id: &str, party: &str, lenient: bool| {
        format!(
            "[[xta.account]]\nid = \"{id}\"\ntenant = \"{COUNTY}\"\ncertificates = [\"file:pki/client.pem\"]\n\
             parties = [\"{party}\"]\nlenient = {lenient}\n"
        )
    };
    let more = format!(
        "[tls]\nidentity = {{ key = \"file:pki/server.p12\", password = \"file:pki/pin\" }}\n\
         [xta]\nserver = \"multimessenger\"\ntrust = [\"file:pki/ca.pem\"]\n{}{}",
        account("kreis", COUNTY_KEY, true),
        account("gericht", COURT, true)
    );
    let both = format!(
        "{}\n  xta_box = true\n  name = \"Kreis\"\n  unit = \"63\"\n  [[tenant.authority]]\n  {}\n  xta_box = true",
        key(COUNTY_KEY),
        key(COURT)
    );
    let edits = [
        ("[listen]".to_owned(), format!("[listen]\nmachines = \"127.0.0.1:{port}\"")),
        (key(COUNTY_KEY), both),
    ];
    edit(&gateway, &edits, &more);
    gateway.start().await.unwrap();
    gateway
}

/// The county's gateway, which reaches the court by that server.
async fn county(port: u16, pki: &Path) -> Gateway {
    let mut gateway =
        Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), &Engine::Sqlite).await.unwrap();
    let own = gateway.folder().join("pki");
    std::fs::create_dir(&own).unwrap();
    for file in ["ca.pem", "client.p12", "pin"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::copy(pki.join(file), own.join(file)).unwrap();
        std::fs::set_permissions(own.join(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let port_of = |name: &str| format!("\"https://127.0.0.1:{port}/xta/v3/{name}\"");
    let server = format!(
        "management = {}, send = {}, message_box = {}, trust = \"file:pki/ca.pem\"",
        port_of("management"),
        port_of("send"),
        port_of("msgbox")
    );
    let authority = format!(
        "{}\n  xta = {{ identity = {{ key = \"file:pki/client.p12\", password = \"file:pki/pin\" }}, scheme = \"XTA_ID\" }}\n  \
         xta_mailbox = [{{ every_seconds = 1, server = {{ {server} }} }}]",
        key(COUNTY_KEY)
    );
    let more = format!(
        "[[partner]]\nauthority = \"{COURT}\"\nname = \"Amtsgericht\"\nreads = [[\"xjustiz\", \"3.5.1\"]]\n\
         most_bytes = 200_000_000\n[partner.xta]\nprofile = \"court\"\nserver = {{ {server} }}\n"
    );
    edit(&gateway, &[(key(COUNTY_KEY), authority)], &more);
    gateway.start().await.unwrap();
    gateway
}

/// A message of XJustiz with this header, fields of its document, and rest.
fn message(root: &str, ids: &str, rest: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<{root} xmlns="http://www.xjustiz.de"><nachrichtenkopf xjustizVersion="3.5.1">
<aktenzeichen.absender>OWi 1</aktenzeichen.absender><aktenzeichen.empfaenger>12 OWi 7/26</aktenzeichen.empfaenger>
<erstellungszeitpunkt>2026-11-29T09:00:00</erstellungszeitpunkt>{ids}</nachrichtenkopf>{rest}</{root}>"#
    )
}

fn submission(id: &str, file: &str, more: &str) -> String {
    let file = format!("<datei><dateiname>{file}</dateiname></datei>");
    let rest = format!("<schriftgutobjekte><dokument>{file}{more}</dokument></schriftgutobjekte>");
    let ids = format!("<eigeneNachrichtenID>{id}</eigeneNachrichtenID>");
    message("nachricht.gds.uebermittlungSchriftgutobjekte.0005005", &ids, &rest)
}

/// An acknowledgement of a message.
fn eeb(of: &str) -> String {
    let own = "<eigeneNachrichtenID>55d426ec-ff16-48ac-837e-a2f8ba79a061</eigeneNachrichtenID>";
    let ids = format!("{own}<fremdeNachrichtenID>{of}</fremdeNachrichtenID>");
    let rest = "<fachdaten><empfangsbestaetigung>2026-11-28</empfangsbestaetigung></fachdaten>";
    message("nachricht.eeb.zuruecklaufend.2200007", &ids, rest)
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    for (name, content) in files {
        writer.entry(name, |sink| sink.write_all(content.as_bytes())).unwrap();
    }
    writer.finish().unwrap()
}

/// Names of the files in a container.
fn names(bytes: Vec<u8>) -> Vec<String> {
    let mut source = std::io::Cursor::new(bytes);
    let opened = Container::open(&mut source, &Limits::default(), &mut model::Report::default());
    opened.unwrap().unwrap().entries().iter().map(|entry| entry.name().to_owned()).collect()
}

impl Bench {
    async fn open() -> Self {
        let port = port();
        let server = server(port).await;
        let county = county(port, &server.folder().join("pki")).await;
        let rights = Rights {
            tenant: COUNTY,
            roles: &["system", "operator"],
            unit: "*",
            service: "*",
            authority: Some(COUNTY_KEY),
        };
        let token = county.token("OWi-Verfahren", rights).await.unwrap();
        let base = format!("https://127.0.0.1:{port}/xta/v3");
        Bench { server, county, base, client: Client::new(), token }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.county.internal());
        let answer = self.client.get(url).bearer_auth(&self.token).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Hands a message in for the court; gives it as it is once it is in this state.
    async fn hand_in(&self, bytes: Vec<u8>, state: &str) -> Value {
        let url = format!("{}/api/v1/messages?to={COURT}", self.county.internal());
        let posted = self.client.post(url).bearer_auth(&self.token).body(bytes);
        let answer = posted.header("Content-Type", "application/octet-stream").send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 202, "{text}");
        let taken: Value = serde_json::from_str(&text).unwrap();
        let path = format!("/messages/{}", taken["id"].as_str().unwrap());
        self.wait(&path, |message| message["state"] == state).await
    }

    async fn wait(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        for _ in 0..150 {
            seen = self.get(path).await;
            if is_it(&seen) {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("{path} stayed {seen}");
    }

    /// The message of this type that came.
    async fn arrived(&self, kind: &str) -> Value {
        let path = format!("/messages?direction=in&type={kind}");
        let ended = |list: &Value| list["items"][0]["state"] == "processed";
        self.wait(&path, ended).await["items"][0].clone()
    }

    /// What the court finds, or does.
    async fn court(&self, command: &str, rest: &[&str]) -> Value {
        let mut python = Command::new(python());
        python.arg("-B").arg(root().join("tests/it/xta/bridge.py")).arg(shared("senders/xta"));
        python.args([command, &self.base]).args(rest).env("XTA_PKI", self.server.folder().join("pki"));
        let told = spawn_blocking(move || said(&mut python)).await.unwrap();
        serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"))
    }

    /// The court sends these files, the first as the text.
    async fn send(&self, files: &[(&str, &str)]) {
        let folder = self.server.folder().join("hinaus");
        std::fs::create_dir_all(&folder).unwrap();
        let mut all = vec![COURT.to_owned(), COUNTY_KEY.to_owned()];
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
            all.push(folder.join(name).display().to_string());
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.court("send", &all).await;
    }
}

fn rules(message: &Value) -> Vec<&str> {
    let findings = message["report"]["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// What metadata say under these names.
fn told<'a>(read: &'a Value, names: &[&str]) -> Vec<(&'a str, &'a str)> {
    let all = read["meta"].as_array().unwrap().iter();
    let pairs = all.map(|it| (it[0].as_str().unwrap(), it[1].as_str().unwrap()));
    pairs.filter(|(name, _)| names.iter().any(|wanted| name.starts_with(wanted))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_goes_to_a_court_and_acknowledgements_go_both_ways() {
    let bench = Bench::open().await;
    refused_before_anything_is_sent(&bench).await;
    let submitted = submitted(&bench).await;
    acknowledged(&bench, &submitted).await;
    asked_for_an_acknowledgement(&bench).await;
    records_submitted(&bench).await;
    let check = bench.county.run(&["evidence", "check", "--tenant", COUNTY, "--json"]).await.unwrap();
    assert_eq!(check["ok"], true, "{check}");
    bench.county.remove().await.unwrap();
    bench.server.remove().await.unwrap();
}

async fn refused_before_anything_is_sent(bench: &Bench) {
    let wrong = submission(SUBMITTED, "99 - Einspruch.pdf", "");
    let wrong = zip(&[("xjustiz_nachricht.xml", &wrong), ("Anlagen.docx", "x")]);
    let returned = bench.hand_in(wrong, "returned").await;
    let expected = ["xjustiz.file-format", "xjustiz.file-not-listed", "xjustiz.file-missing"];
    let found = rules(&returned);
    assert!(expected.iter().all(|rule| found.contains(rule)), "{returned}");
    let url = format!("{}/api/v1/messages?to={TOWN_KEY}x", bench.county.internal());
    let nobody = bench.client.post(url).bearer_auth(&bench.token).body(submission(SERVED, "a.pdf", ""));
    let nobody = nobody.header("Content-Type", "application/xml").send().await.unwrap();
    assert!(nobody.status().is_client_error(), "{}", nobody.status());
}

/// A submission after the court has read it.
async fn submitted(bench: &Bench) -> Value {
    let xml = submission(SUBMITTED, "Einspruch_Müller.pdf", "");
    let all =
        [("xjustiz_nachricht.xml", &*xml), ("Einspruch_Müller.pdf", "%PDF-1.7"), ("nachricht.txt", "Anbei.")];
    let sent = bench.hand_in(zip(&all), "delivered").await;
    assert_eq!((&sent["identity"]["processId"], &sent["door"]), (&json!(SUBMITTED), &json!("xta")));
    let read = bench.court("read", &[COURT]).await;
    let files = json!([
        [null, hex("Anbei.")],
        ["xjustiz_nachricht.xml", hex(&xml)],
        ["Einspruch_Müller.pdf", hex("%PDF-1.7")]
    ]);
    assert_eq!(read["contents"], files);
    let types = "urn:de:bos_bremen:gov:gateway:messageTypes";
    let expected = [
        ("Identifier", COUNTY_KEY),
        ("Identifier@name", "Kreis Soest, Bauaufsicht"),
        ("Identifier@type", "XTA_ID"),
        ("Identifier", COURT),
        ("Subject", "Az. 12 OWi 7/26"),
        ("MessageType@listURI", types),
        ("MessageType@listVersionID", "1.0"),
        ("MessageType@payloadSchema", "http://xoev.de/transport/xta/211"),
        ("code", "XTA"),
    ];
    let names = ["Identifier", "Subject", "Service", "MessageType", "code", "Undefined"];
    assert_eq!(told(&read, &names), expected);
    sent
}

/// The acknowledgement of what was submitted is told there.
async fn acknowledged(bench: &Bench, submitted: &Value) {
    bench.send(&[("text.txt", "Das EB"), ("xjustiz_nachricht.xml", &eeb(SUBMITTED))]).await;
    let arrived = bench.arrived("2200007").await;
    assert_eq!(arrived["related"], submitted["id"], "{arrived}");
    assert_eq!(arrived["identity"]["acknowledgement"], json!({ "day": "2026-11-28" }));
    let path = format!("/messages/{}", submitted["id"].as_str().unwrap());
    assert_eq!(bench.get(&path).await["state"], "confirmed");
    let events = bench.get(&format!("{path}/timeline")).await;
    let told = json!({ "message": arrived["id"], "day": "2026-11-28", "refused": null });
    let is_told = |event: &Value| event["event"]["detail"]["acknowledgement"] == told;
    assert!(events["items"].as_array().unwrap().iter().any(is_told), "{events}");
}

/// A request is to be seen, and is answered by an acknowledgement that the county's system makes.
async fn asked_for_an_acknowledgement(bench: &Bench) {
    let asks = "<ruecksendungEEB.erforderlich>true</ruecksendungEEB.erforderlich>";
    let xml = submission(SERVED, "Urteil 1.pdf", asks);
    bench.send(&[("t.txt", "Guten Tag"), ("xjustiz_nachricht.xml", &xml), ("Urteil 1.pdf", "%PDF")]).await;
    let served = bench.arrived("0005005").await;
    assert_eq!((&served["identity"]["wantsReceipt"], &served["partner"]), (&json!(true), &json!(COURT)));
    assert!(rules(&served).contains(&"xjustiz.eeb-requested"), "{served}");
    let url =
        format!("{}/api/v1/messages/{}/content", bench.county.internal(), served["id"].as_str().unwrap());
    let content =
        bench.client.get(url).bearer_auth(&bench.token).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(names(content.to_vec()), ["Urteil 1.pdf", "nachricht.txt", "xjustiz_nachricht.xml"]);
    let answer = bench.hand_in(eeb(SERVED).into_bytes(), "delivered").await;
    assert_eq!(answer["related"], served["id"], "{answer}");
    let read = bench.court("read", &[COURT]).await;
    assert_eq!(told(&read, &["Subject"]), [("Subject", "EB zu: 12 OWi 7/26")]);
}

/// A case file with a document is submitted: the gateway writes the message, in the version that the court reads.
async fn records_submitted(bench: &Bench) {
    let rights = Rights {
        tenant: COUNTY,
        roles: &["clerk", "system"],
        unit: "*",
        service: "*",
        authority: Some(COUNTY_KEY),
    };
    let token = bench.county.token("Fachverfahren", rights).await.unwrap();
    let call = async |method: reqwest::Method, path: &str, kind: &str, body: String| {
        let url = format!("{}/api/v1{path}", bench.county.internal());
        let asked = bench.client.request(method, url).bearer_auth(&token).header("Idempotency-Key", path);
        let answer = asked.header("Content-Type", kind).body(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let post = async |path: &str, body: Value| {
        call(reqwest::Method::POST, path, "application/json", body.to_string()).await
    };
    let court = json!([{ "kind": "court", "value": "12 OWi 7/26" }]);
    let file = json!({ "unit": "63", "title": "Bußgeld", "references": court, "recordReference": "63/815",
        "retention": { "years": 5 } });
    let file = post("/case-files", file).await["id"].as_str().unwrap().to_owned();
    let document = post(&format!("/case-files/{file}/documents"), json!({ "title": "Bescheid" })).await;
    let content = format!("/documents/{}/content?fileName=Bescheid.pdf", document["id"].as_str().unwrap());
    call(reqwest::Method::PUT, &content, "application/pdf", "%PDF-1.7 Bescheid".into()).await;
    let wanted = json!({ "kind": "submission", "to": COURT, "objects": [file], "wantsReceipt": false });
    let exchange = post("/exchanges", wanted).await;
    let path = format!("/messages/{}", exchange["messages"][0]["id"].as_str().unwrap());
    let sent = bench
        .wait(&path, |message| !["preparing", "ready"].contains(&message["state"].as_str().unwrap()))
        .await;
    assert_eq!(sent["state"], "delivered", "{sent}");
    let identity = &sent["identity"];
    assert_eq!((&identity["standard"], &identity["version"]), (&json!("xjustiz"), &json!("3.5.1")));
    assert_eq!((&identity["type"], &identity["processId"]), (&json!("0005005"), &exchange["processId"]));
    assert!(rules(&sent).contains(&"xjustiz.not-carried"), "{sent}");
    let read = bench.court("read", &[COURT]).await;
    assert_eq!(told(&read, &["Subject"]), [("Subject", "Az. 12 OWi 7/26")]);
    let contents = read["contents"].as_array().unwrap();
    let names: Vec<&str> = contents.iter().filter_map(|content| content[0].as_str()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0] == "xjustiz_nachricht.xml" && names[1].starts_with("Bescheid_"), "{names:?}");
    assert!(contents.iter().any(|content| content[1] == hex("%PDF-1.7 Bescheid")));
}
