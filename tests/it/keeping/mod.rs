//! Keeping the gateway: backup and restore, another configuration while it runs, another master key, stopping in good order.

mod backup;
mod reload;

use std::path::Path;
use std::process::Output;

use conformance::client::{Client, text};
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use conformance::simulate::files::noise;
use serde_json::{Value, json};

/// Runs a test on both engines, as far as there is a server of PostgreSQL.
async fn on_both<F: Future<Output = ()>>(test: impl Fn(Engine) -> F) {
    test(Engine::Sqlite).await;
    match Engine::named("postgres") {
        Ok(engine) => test(engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

async fn prepared(engine: &Engine) -> Gateway {
    Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap()
}

async fn started(engine: &Engine) -> Gateway {
    let mut gateway = prepared(engine).await;
    gateway.start().await.unwrap();
    gateway
}

/// Runs a command line, whatever its outcome.
async fn run(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let Output { status, stdout, stderr } = gateway.command(arguments).output().await.unwrap();
    let shown = serde_json::from_slice(&stdout).unwrap_or_default();
    (status.code(), shown, String::from_utf8_lossy(&stderr).into_owned())
}

/// A token with which cases and documents are made.
async fn token(gateway: &Gateway) -> String {
    let rights =
        Rights { tenant: COUNTY, roles: &["system"], unit: "*", service: "*", authority: Some(COUNTY_KEY) };
    gateway.token("Portal", rights).await.unwrap()
}

/// A case; returns its id.
async fn case(client: &Client, key: &str) -> String {
    let case = json!({ "unit": "63", "title": format!("Bauantrag {key}") });
    text(&client.post("/cases", key, &case).await.unwrap().expect("case", &[201]).unwrap(), "id").to_owned()
}

/// Documents of a case with content of these sizes, as they can be read: path and bytes.
async fn documents(gateway: &Gateway, token: &str, sizes: &[usize]) -> Vec<(String, Vec<u8>)> {
    let client = gateway.client(token).unwrap();
    let case = case(&client, "documents").await;
    let mut documents = vec![];
    for (at, size) in sizes.iter().enumerate() {
        let path = format!("/cases/{case}/documents");
        let document =
            client.post(&path, &format!("document-{at}"), &json!({ "title": "Plan" })).await.unwrap();
        let content = format!("/api/v1/documents/{}/content", text(&document.body, "id"));
        let bytes = noise(at as u64 + 1, *size as u64).to_vec();
        let put = reqwest::Client::new()
            .put(format!("{}{content}?fileName=plan.bin", gateway.internal()))
            .bearer_auth(token)
            .header("content-type", "application/octet-stream")
            .body(bytes.clone());
        assert!(put.send().await.unwrap().status().is_success());
        documents.push((content, bytes));
    }
    documents
}

async fn are_read(gateway: &Gateway, token: &str, documents: &[(String, Vec<u8>)]) {
    for (content, bytes) in documents {
        let url = format!("{}{content}", gateway.internal());
        let read = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(read.status(), 200);
        assert!(read.bytes().await.unwrap() == *bytes, "{content} is what was sent");
    }
}

fn signal(gateway: &Gateway, signal: &str) {
    let pid = gateway.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
}
