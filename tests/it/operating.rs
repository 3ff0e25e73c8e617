//! An operator at work on the store of a running gateway: repairing messages, exporting evidence.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::installation::{Installation, Running};

const TENANT: [&str; 3] = ["--tenant", "musterkreis", "--json"];

/// A receipt for a message that nobody has sent: only a human can say what to do with it.
const STRAY_RECEIPT: &str =
    "derived-3.0.0/11110000-0000-4000-8000-000000000401_Abgabe.EmpfangBestaetigen.0403.xml";

struct Desk {
    installation: Installation,
    running: Running,
    client: Client,
    secret: String,
}

impl Desk {
    fn open() -> Self {
        let installation = Installation::new();
        let running = installation.start();
        let rights = ["--role", "system", "--unit", "*", "--service", "*", "--authority", "bab:00000001"];
        let create = ["token", "create", "--name", "Portal"];
        let created = installation.json(&[&create[..], &rights, &TENANT].concat());
        let secret = created["secret"].as_str().unwrap().to_owned();
        Desk { installation, running, client: Client::new(), secret }
    }

    fn run(&self, arguments: &[&str]) -> Value {
        self.installation.json(&[arguments, &TENANT].concat())
    }

    async fn post(&self, path: &str, body: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Value {
        let url = format!("{}/api/v1/{path}", self.running.internal);
        let request = self.client.post(url).bearer_auth(&self.secret).header("Idempotency-Key", path);
        let answer = body(request).send().await.unwrap();
        let status = answer.status();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    /// Looks at a message until it stands where it shall.
    fn wait_for(&self, id: &str, state: &str) -> Value {
        loop {
            let shown = self.run(&["message", "show", id]);
            if shown["message"]["state"] == state {
                return shown;
            }
            assert_ne!(shown["message"]["state"], "returned", "{shown}");
        }
    }
}

#[tokio::test]
async fn a_parked_message_is_seen_tried_again_and_returned() {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/xoev/xdomea").join(STRAY_RECEIPT);
    let Ok(receipt) = std::fs::read(sample) else { return eprintln!("SKIPPED: ../shared is absent") };
    let desk = Desk::open();
    let xml = |request: RequestBuilder| request.header("Content-Type", "application/xml").body(receipt);
    let message = desk.post("messages", xml).await;
    let id = message["id"].as_str().unwrap();

    desk.wait_for(id, "parked");
    let parked = desk.run(&["message", "list", "--state", "parked"]);
    assert_eq!(parked["items"][0]["id"], *id);
    assert_eq!(desk.run(&["message", "list", "--state", "confirmed"])["items"], json!([]));

    assert_eq!(desk.run(&["message", "resend", id])["state"], "accepted");
    let shown = desk.wait_for(id, "parked");
    // The tasks that clarifications put on the unit's desk stand there too.
    let is_of_message = |event: &&Value| event["kind"].as_str().unwrap().starts_with("message.");
    let events: Vec<_> = shown["timeline"].as_array().unwrap().iter().filter(is_of_message).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message.accepted", "message.parked", "message.resent", "message.parked"]);
    assert_eq!(events[2]["actor"], json!({ "kind": "system", "id": "cli" }));

    assert_eq!(desk.run(&["message", "return", id])["state"], "returned");
    let again = [&["message", "resend", id][..], &TENANT].concat();
    assert_eq!(desk.installation.run(&again).status.code(), Some(1), "what was returned stays returned");
}

#[tokio::test]
async fn exported_evidence_verifies_and_a_flipped_byte_does_not() {
    let desk = Desk::open();
    let file = json!({ "unit": "63", "title": "Akte" });
    let file = desk.post("case-files", |request| request.json(&file)).await;
    let id = file["id"].as_str().unwrap();
    let at = |name: &str| desk.installation.folder().join(name);
    let (bundle, key) = (at("evidence.zip"), at("key.pem"));
    let exported = desk.run(&["evidence", "export", id, "--output", "evidence.zip"]);
    let metadata = std::fs::metadata(&bundle).unwrap();
    assert_eq!(exported["bytes"], metadata.len());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    std::fs::write(&key, desk.installation.run(&["evidence", "key"]).stdout).unwrap();

    let verify = |more: &[&str]| {
        desk.installation.run(&[&["evidence", "verify", "evidence.zip", "--json"], more].concat())
    };
    let trusted = verify(&["--key", "key.pem"]);
    let report: Value = serde_json::from_slice(&trusted.stdout).unwrap();
    assert_eq!(trusted.status.code(), Some(0), "{report}");
    assert_eq!(report["keyTrusted"], true);

    let foreign = Installation::new().run(&["evidence", "key"]).stdout;
    std::fs::write(&key, foreign).unwrap();
    assert_eq!(verify(&["--key", "key.pem"]).status.code(), Some(1), "signed with another key");

    let mut bytes = std::fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    assert_eq!(verify(&[]).status.code(), Some(1));

    let again = [&["evidence", "export", id, "--output", "evidence.zip"][..], &TENANT].concat();
    assert_eq!(desk.installation.run(&again).status.code(), Some(2), "nothing is overwritten");
}
