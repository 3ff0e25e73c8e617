//! Programs that know nothing of ours judge both directions: the library of Standard Webhooks verifies what the gateway signs and signs what it
//! takes; PHP's SOAP client finds our simulator and the independent provider alike.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::xta::python;

use super::till::{CENTS, Mock, Till, senders, simulator};

/// A provider by the gateway's own contract: every call is verified by the library. A line on its input is the address of a door and a word:
/// it notifies there, signed by the library, and after `paid` that is what it says when it is asked. It prints its port, and the status of
/// each answer.
const PROVIDER: &str = r#"
import datetime, http.server, json, sys, threading, urllib.error, urllib.request
from standardwebhooks.webhooks import Webhook
verifier, signer = Webhook(sys.argv[1]), Webhook(sys.argv[2])
orders = {}
class Provider(http.server.BaseHTTPRequestHandler):
    def go(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        try:
            # The library reads every body as JSON, and there is none in a question.
            if body: verifier.verify(body, {k.lower(): v for k, v in self.headers.items()})
            else: self.signed_without_body()
        except Exception as error:
            return self.answer(401, {"code": type(error).__name__})
        payment = self.path.split("/")[2]
        if self.command == "PUT":
            orders[payment] = dict(json.loads(body), status="open")
            return self.answer(201, {"reference": "R-" + payment, "paymentUrl": "https://pay.example/" + payment})
        if payment not in orders: return self.answer(404, {"code": "payment.unknown"})
        order = orders[payment]
        self.answer(200, {"reference": "R-" + payment, "requestId": payment, "status": order["status"], "amountCents": order["amountCents"], "currency": "EUR"})
    do_PUT = do_GET = go
    def signed_without_body(self):
        sent = self.headers
        at = datetime.datetime.fromtimestamp(int(sent["webhook-timestamp"]), datetime.timezone.utc)
        assert verifier.sign(sent["webhook-id"], at, "") in sent["webhook-signature"].split(" ")
    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    door, paid = line.split()
    (payment, order), = orders.items()
    if paid == "paid": order["status"] = "paid"
    data = {"reference": "R-" + payment, "case": payment, "amount": order["amountCents"], "currency": "EUR"}
    body = json.dumps({"type": "payment.paid", "timestamp": "2026-11-01T12:00:00Z", "data": data})
    now = datetime.datetime.now(datetime.timezone.utc)
    headers = {"content-type": "application/json", "webhook-id": "msg_" + paid, "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = signer.sign(headers["webhook-id"], now, body)
    request = urllib.request.Request(order["notifyUrl"].replace("https://zahlung.example", door), body.encode(), headers)
    try: print(urllib.request.urlopen(request).status, flush=True)
    except urllib.error.HTTPError as error: print(error.code, flush=True)
"#;

struct Judge {
    process: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
}

impl Judge {
    fn start(ours: &str, its_own: &str) -> (Self, String) {
        let mut command = Command::new(python());
        command.args(["-c", PROVIDER, ours, its_own]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (asks, says) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut judge = Judge { process, asks, says: BufReader::new(says) };
        let url = format!("http://127.0.0.1:{}", judge.line());
        (judge, url)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.says.read_line(&mut line).unwrap() > 0, "the library's program has ended");
        line.trim().to_owned()
    }

    /// Has a notification sent; gives the status of its answer.
    fn notify(&mut self, door: &str, paid: &str) -> String {
        writeln!(self.asks, "{door} {paid}").unwrap();
        self.line()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_of_standard_webhooks_verifies_our_calls_and_we_verify_its_own() {
    let hook = conformance::simulate::payment::HOOK_SECRET;
    let (mut judge, url) = Judge::start(hook, hook);
    let till = Till::open("http://127.0.0.1:1", &url).await;
    let begun = till.begin("standard", &json!({})).await;
    assert_eq!(begun.reference, format!("R-{}", begun.request_id));
    assert_eq!(judge.notify(&till.public, "forged"), "200");
    assert_eq!(judge.notify(&till.public, "paid"), "200");
    till.comes_to(&begun, "paid", None).await;
    assert_eq!(till.stands(&begun).await, ("paid".to_owned(), None, 1));

    // Of whoever signs by another secret, nothing is taken; and what we sign by another secret is not taken there.
    let other = "whsec_aWNoIGJpbiBlaW4gYW5kZXJlciBTY2hsdWVzc2Vs";
    let (mut stranger, url) = Judge::start(hook, other);
    let till = Till::open("http://127.0.0.1:1", &url).await;
    let begun = till.begin("standard", &json!({})).await;
    assert_eq!(stranger.notify(&till.public, "paid"), "400");
    assert_eq!(till.stands(&begun).await, ("started".to_owned(), None, 0));
    let (_deaf, url) = Judge::start(other, other);
    let till = Till::open("http://127.0.0.1:1", &url).await;
    let claim = json!({ "account": "standard", "amountCents": CENTS, "purpose": "Gebuehr" });
    let (_, claim) = till.post(&format!("/cases/{}/claims", till.case), &claim).await;
    let path = format!("/claims/{}/payments", claim["id"].as_str().unwrap());
    let (_, payment) = till.post(&path, &json!({})).await;
    assert_ne!(payment["status"], "started", "the library takes anything: {payment}");
}

/// What PHP's client prints of a service, without the values.
fn php_reads(script: &Path, service: &str) -> Vec<String> {
    let output = Command::new("php").arg(script).arg(service).output();
    let output = output.expect("php is missing; ./dev test installs it");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed} {}", String::from_utf8_lossy(&output.stderr));
    let shape = |line: &str| match line.split_once("=>") {
        Some((name, value)) if value.contains("Object") => format!("{name}=> Object"),
        Some((name, _)) => name.to_owned(),
        None => line.chars().filter(|char| !char.is_ascii_digit()).collect(),
    };
    printed.lines().map(shape).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn phps_soap_client_finds_our_simulator_as_it_finds_the_other_provider() {
    let Some(folder) = senders() else { return };
    let (mock, simulator) = (Mock::start(&folder).await, simulator().await);
    let script = folder.join("epaybl_soap_client.php");
    let reads = |url: String| {
        let script = script.clone();
        tokio::task::spawn_blocking(move || php_reads(&script, &format!("{url}/soap/servlet/rpcrouter")))
    };
    let theirs = reads(mock.url.clone()).await.unwrap();
    let ours = reads(simulator.url.clone()).await.unwrap();
    assert!(theirs.iter().any(|line| line.contains("[paypageStatus]")), "{theirs:#?}");
    assert_eq!(ours, theirs);
    let held: Vec<Value> = simulator.all().iter().map(|held| json!(held)).collect();
    assert_eq!(held.len(), 1);
    assert_eq!((&held[0]["amountCents"], &held[0]["interface"]), (&json!(2_500), &json!("epaybl")));
}
