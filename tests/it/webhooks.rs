//! A webhook over real HTTP: a receiver that is not ours takes it, and Python verifies its signature by the secret that the
//! gateway showed.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};

use crate::installation::{Installation, said};
use crate::xta::python;

/// Prints its port, then what is posted to it, a line each.
const RECEIVER: &str = r#"
import http.server, json, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps({"headers": headers, "body": body}), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Verifies with nothing but the standard library, and with the specification's own library.
const VERIFIER: &str = r#"
import base64, hashlib, hmac, json, sys, time
secret, sent = sys.argv[1], json.loads(sys.argv[2])
headers = sent["headers"]
assert secret.startswith("whsec_"), "prefix"
key = base64.b64decode(secret[6:], validate=True)
assert 24 <= len(key) <= 64, "length"
signed = "%s.%s.%s" % (headers["webhook-id"], headers["webhook-timestamp"], sent["body"])
wanted = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
given = [part.split(",")[1] for part in headers["webhook-signature"].split(" ") if part.startswith("v1,")]
assert any(hmac.compare_digest(wanted, one) for one in given), "signature"
assert abs(time.time() - int(headers["webhook-timestamp"])) < 300, "time"
from standardwebhooks.webhooks import Webhook
Webhook(secret).verify(sent["body"], headers)
"#;

struct Receiver {
    child: Child,
    lines: BufReader<ChildStdout>,
    url: String,
}

impl Receiver {
    fn start() -> Self {
        let mut child =
            Command::new("python3").args(["-c", RECEIVER]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut receiver = Receiver { child, lines, url: String::new() };
        receiver.url = format!("http://127.0.0.1:{}", receiver.line().trim());
        receiver
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the receiver has ended");
        line
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn verifies(secret: &str, sent: &str) -> bool {
    Command::new(python()).args(["-c", VERIFIER, secret, sent]).status().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_outside_verifies_what_it_gets() {
    let mut receiver = Receiver::start();
    let installation = Installation::new();
    let address = receiver.url.strip_prefix("http://").unwrap().to_owned();
    installation.configure(|example| {
        let allow = format!("allow = [\"{address}\"]");
        example.replace(":8080\"", ":0\"").replace(":8081\"", ":0\"").replace("allow = []", &allow)
    });
    let running = installation.start();
    let rights = ["--role", "system", "--unit", "63", "--service", "*", "--authority", "bab:00000001"];
    let name = ["token", "create", "--name", "DMS", "--tenant", "musterkreis", "--json"];
    let created = installation.json(&[&name[..], &rights].concat());
    let token = created["secret"].as_str().unwrap().to_owned();
    let client = Client::new();
    let post = async |path: &str, body: Value| {
        let url = format!("{}/api/v1{path}", running.internal);
        let answer = client.post(url).bearer_auth(&token).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };

    let (status, refused) = post("/subscriptions", json!({ "url": "http://127.0.0.1:9/" })).await;
    assert_eq!((status, &refused["code"]), (422, &json!("net.plain-http")));
    let (status, made) = post("/subscriptions", json!({ "url": receiver.url })).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let (status, case) = post("/cases", json!({ "unit": "63", "title": "Vertraulich" })).await;
    assert_eq!(status, 201, "{case}");

    let sent = receiver.line();
    assert!(verifies(secret, &sent));
    assert!(!verifies(secret, &sent.replace("record.created", "record.changed")), "it verifies anything");
    assert!(!sent.contains("Vertraulich"));
    let body: Value = serde_json::from_str(&sent).unwrap();
    let body: Value = serde_json::from_str(body["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["type"], &body["data"]["subject"]["id"]), (&json!("record.created"), &case["id"]));

    let rotate = format!("/subscriptions/{}/rotate-secret", made["id"].as_str().unwrap());
    let (status, rotated) = post(&rotate, json!({ "overlapSeconds": 3_600 })).await;
    assert_eq!(status, 200, "{rotated}");
    post(&format!("/subscriptions/{}/test", made["id"].as_str().unwrap()), json!({})).await;
    let sent = receiver.line();
    assert!(sent.contains("subscription.test"), "{sent}");
    assert!(verifies(secret, &sent) && verifies(rotated["secret"].as_str().unwrap(), &sent));
    assert_eq!(running.stop("-TERM").0, Some(0));
}

#[test]
fn an_egress_rule_that_is_none_is_refused() {
    let installation = Installation::new();
    installation.configure(|example| example.replace("allow = []", "allow = [\"*.example\"]"));
    for command in [&["config", "check"][..], &["serve"]] {
        let output = installation.run(command);
        assert_eq!(output.status.code(), Some(3));
        assert!(said(&output).contains("[net.rule]"), "{}", said(&output));
    }
    assert!(!installation.folder().join("data/amtsbote.db").exists());
}

#[test]
fn a_webhook_of_an_alert_that_could_never_be_called_is_refused_by_the_check() {
    let installation = Installation::new();
    let rule = "[[alert]]\nid = \"disk\"\nseries = \"disk.free\"\nbelow = 1\nwebhook = \"http://pager.example/in\"\n\
        webhook_secret = \"file:pager\"\n";
    installation.configure(|example| format!("{example}\n{rule}"));
    let output = installation.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("alert[0].webhook: plain HTTP"), "{}", said(&output));
}
