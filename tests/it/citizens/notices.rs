//! What happens to a case reaches its citizen through the whole gateway: by the app that the citizen chose, else by e-mail, not in the quiet time, and
//! with what is known of each step. The push service and the browser are `http_ece` (PyPI), the mail server is `aiosmtpd`; neither is ours.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use conformance::client::{Client as Clerk, items, text};
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, free_port};
use model::payment::day::german_clock;
use model::sending::Clock;
use model::{Clock as _, SystemClock, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Texts of the templates: number and state, nothing of the case.
const TEMPLATES: [(&str, &str); 4] = [
    ("received.de", "Antrag {number}\n\nIhr Antrag ist da: {state}.\n"),
    ("received.en", "Application {number}\n\nWe have your application: {state}.\n"),
    ("completed.de", "Vorgang {number}\n\nStand: {state}.\n"),
    ("completed.en", "Case {number}\n\nAs of now: {state}.\n"),
];

fn config(public: u16, smtp: &str) -> String {
    let adapter = |id: &str, kind: &str| {
        format!(
            "\n[[adapter]]\nid = \"{id}\"\ntenant = \"{COUNTY}\"\nauthority = \"{COUNTY_KEY}\"\nunit = \"63\"\n\
             kind = \"{kind}\"\n"
        )
    };
    format!(
        r#"
[egress]
allow = ["127.0.0.1"]

[dispatch]
call_within_hours = 8

[citizen]
url = "http://127.0.0.1:{public}"
office = "Kreis Musterkreis"
imprint = "https://www.kreis.example/impressum"
privacy = "https://www.kreis.example/datenschutz"
feedback_email = "barrierefrei@kreis.example"
arbitration = "Ombudsstelle"
arbitration_url = "https://ombudsstelle.example"
statement_made = "2026-11-30"
ways = ["push", "mail"]

[[citizen.service]]
id = "baugenehmigung"
name = "Baugenehmigung"
{push}key = "file:vapid.pem"
sender = "mailto:it@kreis.example"
within_seconds = 10
{mail}server = {{ host = "127.0.0.1", port = {smtp}, security = "none" }}
from = "amt@kreis.example"
domain = "kreis.example"
subject = "Ihr Vorgang"
text = "Anbei ein Schreiben."
{notify}templates = "notices"
ways = ["push", "mail"]
[[adapter.notices]]
event = "record.created"
record = "case"
template = "received"
[[adapter.notices]]
event = "record.changed"
record = "case"
status = "closed"
template = "completed"
"#,
        push = adapter("push", "web-push"),
        mail = adapter("mail-out", "smtp"),
        notify = adapter("notify", "notify"),
    )
}

/// A program of PyPI that tells something in lines, until it is dropped.
struct Counterpart {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Counterpart {
    /// `None` if there is no Python with what it needs.
    fn start(script: &str, arguments: &[PathBuf]) -> Option<Self> {
        let Some(python) = std::env::var_os("AMTSBOTE_TEST_ZEEP") else {
            eprintln!("SKIPPED: AMTSBOTE_TEST_ZEEP names no Python with http_ece and aiosmtpd");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Counterpart { _child: child, lines })
    }

    async fn says(&mut self) -> String {
        let said = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await;
        said.expect("says nothing").unwrap().expect("has ended")
    }

    /// Says nothing more for now.
    async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.lines.next_line()).await.is_err()
    }
}

async fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' ')).stderr(Stdio::null());
    assert!(command.status().await.unwrap().success(), "openssl {arguments}");
}

struct Bed {
    gateway: Gateway,
    outside: TempDir,
    public: String,
    clerk: Clerk,
    /// A push service, and the browser that has subscribed there.
    browser: Counterpart,
    subscription: Value,
    _smtp: Counterpart,
}

/// An application, and how its citizen enters.
struct Application {
    case: String,
    access: Value,
}

impl Bed {
    async fn start(engine: &Engine) -> Option<Bed> {
        let outside = TempDir::new().unwrap();
        let path = |name: &str| outside.path().join(name);
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let own = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 2";
        openssl(outside.path(), &format!("req -x509 {ec} {own} -keyout tls.key -out tls.pem")).await;
        openssl(outside.path(), "ecparam -name prime256v1 -genkey -noout -out vapid.pem").await;
        std::fs::create_dir(path("mails")).unwrap();
        let arguments = [path("tls.pem"), path("tls.key"), outside.path().to_owned()];
        let mut browser = Counterpart::start("adapters/mobile/tests/it/browser.py", &arguments)?;
        let arguments = [path("mails"), PathBuf::from("plain")];
        let mut smtp = Counterpart::start("adapters/post/tests/it/smtp_server.py", &arguments)?;
        let subscription = serde_json::from_str(&browser.says().await).unwrap();
        let public = free_port();
        let mut gateway = Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap();
        let listen = format!("[listen]\npublic = \"127.0.0.1:{public}\"");
        gateway.reconfigure(&[("[listen]", &listen)]).unwrap();
        gateway.configure(&config(public, &smtp.says().await)).unwrap();
        let vapid = std::fs::read_to_string(path("vapid.pem")).unwrap();
        gateway.write_secret("vapid.pem", &vapid).unwrap();
        std::fs::create_dir(gateway.folder().join("notices")).unwrap();
        for (name, text) in TEMPLATES {
            std::fs::write(gateway.folder().join(format!("notices/{name}.txt")), text).unwrap();
        }
        // Its system trusts the push service's certificate.
        gateway.wrapped(&["env", &format!("SSL_CERT_FILE={}", path("tls.pem").display())]);
        gateway.start().await.unwrap();
        let clerk = clerk(&gateway).await;
        let public = format!("http://127.0.0.1:{public}");
        Some(Bed { gateway, outside, public, clerk, browser, subscription, _smtp: smtp })
    }

    async fn applies(&self, key: &str, address: &str) -> Application {
        let body = json!({
            "publicService": "baugenehmigung",
            "title": "Carport (erfunden)",
            "applicant": {
                "language": "en",
                "contacts": [{ "channel": "email", "value": address }],
            },
        });
        let answer = self.clerk.post("/applications", key, &body).await.unwrap();
        let made = answer.expect("POST /applications", &[201]).unwrap();
        let access = json!({ "number": made["number"], "secret": made["secret"] });
        Application { case: text(&made, "case").to_owned(), access }
    }

    /// An app's call.
    async fn app(&self, path: &str, it: &Application, name: &str, value: &Value) {
        let mut body = it.access.clone();
        body[name] = value.clone();
        let call = Client::new().post(format!("{}/citizen/api/{path}", self.public)).json(&body);
        let answer = call.send().await.unwrap();
        let (status, said) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 204, "{path}: {said}");
    }

    async fn act(&self, it: &Application, verb: &str, key: &str) {
        let answer = self.clerk.post(&format!("/cases/{}/{verb}", it.case), key, &json!({})).await.unwrap();
        answer.expect(verb, &[200]).unwrap();
    }

    /// The dispatches of a case once there are so many and none is open but those that are to wait; the oldest first.
    async fn dispatches(&self, it: &Application, count: usize) -> Vec<Value> {
        let fits = |page: &Value| {
            let all = items(page, "items");
            let is_done = |it: &Value| text(it, "status") != "open" || it.get("notBefore").is_some();
            all.len() == count && all.iter().all(is_done)
        };
        let page = self.clerk.wait_until(&format!("/dispatches?case={}", it.case), fits).await.unwrap();
        let mut all = items(&page, "items").to_vec();
        all.sort_by_key(|it| (Timestamp::parse(text(it, "createdAt")), it.get("insteadOf").is_some()));
        all
    }

    /// Whom the e-mail with this number went to, and its heads with its text.
    fn mail(&self, number: usize) -> (String, String) {
        let read = |ending| std::fs::read_to_string(self.mails().join(format!("{number}.{ending}"))).unwrap();
        let mail = read("eml").replace("\r\n", "\n");
        let (heads, rest) = mail.split_once("Content-Transfer-Encoding: base64\n\n").unwrap();
        let (text, _) = rest.split_once("\n--").unwrap();
        let text = String::from_utf8(BASE64_STANDARD.decode(text.replace('\n', "")).unwrap()).unwrap();
        (read("to"), format!("{heads}\n{text}"))
    }

    fn mails(&self) -> PathBuf {
        self.outside.path().join("mails")
    }

    /// What the browser has read of a notice, and what the push service has answered.
    async fn pushed(&mut self) -> (Value, u64) {
        let said: Value = serde_json::from_str(&self.browser.says().await).unwrap();
        assert_eq!(said["problems"], json!([]), "{said}");
        (serde_json::from_str(text(&said, "text")).unwrap(), said["status"].as_u64().unwrap())
    }
}

async fn clerk(gateway: &Gateway) -> Clerk {
    let rights = Rights {
        tenant: COUNTY,
        roles: &["clerk", "system"],
        unit: "*",
        service: "*",
        authority: Some(COUNTY_KEY),
    };
    gateway.client(&gateway.token("Sachbearbeitung", rights).await.unwrap()).unwrap()
}

fn ways(all: &[Value]) -> Vec<(&str, &str)> {
    all.iter().map(|it| (text(it, "way"), text(it, "status"))).collect()
}

async fn what_happens_reaches_the_citizen(engine: &Engine) {
    let Some(mut bed) = Bed::start(engine).await else { return };
    // No app yet: pushing fails, and the notice goes by e-mail, in the party's language.
    let first = bed.applies("1", "erika@post.example").await;
    let all = bed.dispatches(&first, 2).await;
    assert_eq!(ways(&all), [("push", "failed"), ("mail", "posted")]);
    assert_eq!(all[1]["insteadOf"], all[0]["id"]);
    let (to, mail) = bed.mail(1);
    assert_eq!(to, "erika@post.example");
    assert!(mail.contains("We have your application") && !mail.contains("Carport"), "{mail}");

    // With an app, the way that was chosen is taken, and no other.
    bed.app("push", &first, "subscription", &bed.subscription).await;
    bed.app("way", &first, "prefers", &json!("push")).await;
    bed.act(&first, "close", "close").await;
    let (said, answered) = bed.pushed().await;
    assert_eq!((said, answered), (json!({ "case": first.case, "status": "closed" }), 201));
    let all = bed.dispatches(&first, 3).await;
    assert_eq!(ways(&all)[2], ("push", "posted"));
    assert!(!bed.mails().join("2.eml").exists());

    // Who told each step stands in the events, and what people know has its proof.
    let path = format!("/dispatches/{}", text(&all[2], "id"));
    let timeline = bed.clerk.list(&format!("{path}/timeline")).await.unwrap();
    let events = timeline.iter().map(|it| it.get("event").unwrap_or(it));
    let told: Vec<(&str, &str)> =
        events.map(|it| (text(it, "kind"), text(&it["actor"], "id"))).filter(|it| it.1 == "push").collect();
    assert_eq!(told, [("record.changed", "push"), ("channel.delivered", "push")], "{timeline:?}");
    let retrieved = json!({ "kind": "retrieved", "at": all[2]["updatedAt"], "proof": "retrievalRecord" });
    let answer = bed.clerk.post(&format!("{path}/steps"), "step", &retrieved).await.unwrap();
    let proven = answer.expect("a step", &[200]).unwrap();
    assert_eq!(proven["proofs"][0]["kind"], "retrievalRecord");

    // The subscription has ended: the next notice is tried there, and goes by e-mail.
    std::fs::write(bed.outside.path().join("status"), "410").unwrap();
    bed.act(&first, "reopen", "reopen").await;
    bed.act(&first, "close", "close again").await;
    assert_eq!(bed.pushed().await.1, 410);
    let all = bed.dispatches(&first, 5).await;
    assert_eq!(ways(&all)[3..], [("push", "failed"), ("mail", "posted")]);
    assert!(bed.mail(2).1.contains("As of now: completed."));

    // In the quiet time nothing is pushed; what goes by e-mail goes.
    bed.gateway.kill().await.unwrap();
    let now = german_clock(SystemClock.now()).time();
    let hour = Duration::from_secs(3_600);
    let [from, until] = [now - hour, now + hour * 2].map(|at| String::from(Clock(at)));
    let quiet = format!(
        "call_within_hours = 8\n[dispatch.quiet]\npush = {{ from = \"{from}\", until = \"{until}\" }}"
    );
    bed.gateway.reconfigure(&[("call_within_hours = 8", &quiet)]).unwrap();
    bed.gateway.start().await.unwrap();
    bed.clerk = clerk(&bed.gateway).await;
    bed.act(&first, "reopen", "reopen again").await;
    bed.app("push", &first, "subscription", &bed.subscription).await;
    bed.act(&first, "close", "close at night").await;
    let all = bed.dispatches(&first, 6).await;
    assert_eq!(ways(&all)[5], ("push", "open"));
    assert!(text(&all[5], "notBefore") > text(&all[5], "createdAt"));
    let second = bed.applies("2", "max@post.example").await;
    bed.clerk
        .wait_until(&format!("/dispatches?case={}", second.case), |it| !items(it, "items").is_empty())
        .await
        .unwrap();
    let way = json!({ "case": second.case, "kind": "notification", "documents": [], "way": "mail",
        "notice": { "subject": "Wach", "text": "Jetzt." }, "to": { "email": "max@post.example" } });
    let answer = bed.clerk.post("/dispatches", "loud", &way).await.unwrap();
    answer.expect("POST /dispatches", &[201]).unwrap();
    bed.dispatches(&second, 2).await;
    assert_eq!(bed.mail(3).0, "max@post.example");
    assert!(bed.browser.is_silent().await, "nobody is woken");
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_reaches_the_citizen_on_sqlite() {
    what_happens_reaches_the_citizen(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_reaches_the_citizen_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => what_happens_reaches_the_citizen(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}
