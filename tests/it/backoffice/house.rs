//! A gateway with adapters, and what a clerk does there.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use crate::installation::{Installation, Running, on_free_ports};

/// Longer than anything of these tests takes: what a gateway that died had taken from an engine comes back after a minute.
const LONG: Duration = Duration::from_secs(150);

/// A gateway with adapters.
pub(super) struct House {
    pub(super) installation: Installation,
    running: Option<Running>,
    token: String,
    client: Client,
}

impl House {
    /// One whose configuration ends with these adapters, and that has these secrets.
    pub(super) fn with(installation: Installation, adapters: &str, secrets: &[(&str, &str)]) -> Self {
        for (name, secret) in secrets {
            let file = installation.folder().join(name);
            std::fs::write(&file, secret).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        installation.configure(|example| {
            on_free_ports(example).replace("allow = []", "allow = [\"127.0.0.1\"]") + adapters
        });
        let name = ["token", "create", "--name", "Fachverfahren", "--tenant", "musterkreis", "--json"];
        let rights = [
            "--role",
            "system",
            "--role",
            "auditor",
            "--role",
            "records-manager",
            "--role",
            "operator",
            "--unit",
            "*",
            "--service",
            "*",
            "--authority",
            "bab:00000001",
        ];
        let token = installation.json(&[&name[..], &rights].concat())["secret"].as_str().unwrap().to_owned();
        let running = Some(installation.start());
        House { installation, running, token, client: Client::new() }
    }

    /// Ends the gateway as a power cut would, and starts it again.
    pub(super) fn kill(&mut self) {
        self.running.take().unwrap().stop("-KILL");
        self.running = Some(self.installation.start());
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.running.as_ref().unwrap().internal)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(self.url(path)).bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status();
        let body = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Makes a record; gives its id.
    pub(super) async fn make(&self, path: &str, body: Value) -> String {
        let answer = self.client.post(self.url(path)).bearer_auth(&self.token).json(&body);
        let answer = answer.send().await.unwrap();
        let status = answer.status();
        let made: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// Does something that needs no body.
    pub(super) async fn act(&self, path: &str) {
        let answer = self.client.post(self.url(path)).bearer_auth(&self.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// Asks for the destruction of what an exchange has disposed of; the answer, with the status of HTTP.
    pub(super) async fn destroy(&self, exchange: &str) -> (u16, Value) {
        let url = self.url(&format!("/exchanges/{exchange}/destruction"));
        let answer = self.client.post(url).bearer_auth(&self.token).json(&json!({})).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Puts a file into a document.
    pub(super) async fn put(&self, document: &str, name: &str, bytes: &[u8]) {
        let url = self.url(&format!("/documents/{document}/content?fileName={name}"));
        let answer = self.client.put(url).bearer_auth(&self.token).body(bytes.to_vec());
        let answer = answer.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The bytes of a document.
    pub(super) async fn bytes(&self, document: &str) -> Vec<u8> {
        let url = self.url(&format!("/documents/{document}/content"));
        let answer = self.client.get(url).bearer_auth(&self.token).send().await.unwrap();
        assert!(answer.status().is_success());
        answer.bytes().await.unwrap().to_vec()
    }

    /// Events of a kind about a record, once there are any.
    pub(super) async fn events(&self, kind: &str, record: &str) -> Vec<Value> {
        until(kind, async || {
            let all = self.get("/events?limit=200").await["items"].as_array().unwrap().clone();
            let is_it = |event: &Value| event["kind"] == kind && event["subject"]["id"] == record;
            let found = all.into_iter().map(|item| item["event"].clone()).filter(is_it);
            Some(found.collect::<Vec<_>>()).filter(|found| !found.is_empty())
        })
        .await
    }

    /// A folder or file within that of the installation.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.installation.folder().join(path)
    }
}

/// Looks until something is there.
pub(super) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A case of unit 63 in it, and a document in that.
pub(super) async fn case_with_document(house: &House) -> (String, String) {
    let case = house
        .make("/cases", json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Bauantrag" }))
        .await;
    let document =
        house.make(&format!("/cases/{case}/documents"), json!({ "unit": "63", "title": "Plan" })).await;
    (case, document)
}
