//! The description of the interface (OpenAPI), held against the gateway by a program of others: Schemathesis makes requests that fit the
//! description and requests that do not, and says whether any answer is a failure of ours, is not described, or does not look as it is described.
//! `AMTSBOTE_TEST_ZEEP` names the Python that has it; without it nothing is tested, and that is said. With `AMTSBOTE_EXAMPLES` (so many requests
//! of each kind to each operation, and one for every edge of every schema) it takes minutes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::gateway::{ALL_ROLES, Gateway};
use crate::isolation::Things;

/// Requests to each operation if not told otherwise.
const EXAMPLES: &str = "3";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_is_described() {
    let Some(python) = std::env::var_os("AMTSBOTE_TEST_ZEEP") else {
        eprintln!("AMTSBOTE_TEST_ZEEP names no Python: the description is not held against the gateway");
        return;
    };
    let python = Path::new(&python);
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "*", "*", ALL_ROLES).await;
    let things = Things::make(&gateway, &token, &there).await;
    let workers = gateway.work().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}{}", listener.local_addr().unwrap(), api::BASE);
    let router = gateway.router.clone();
    let server =
        tokio::spawn(api::serve(listener, router, api::ServerLimits::default(), std::future::pending()));

    // The description as it is served, but for the address.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("openapi.json"), api::document(&api::Settings::default()).to_string())
        .unwrap();
    for name in ["schemathesis.toml", "hooks.py"] {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis").join(name);
        std::fs::copy(own, folder.path().join(name)).unwrap();
    }
    let ids: Map<_, _> = things.ids.iter().map(|(kind, id)| ((*kind).to_owned(), json!(id))).collect();
    let examples = std::env::var("AMTSBOTE_EXAMPLES").ok();
    let phases = if examples.is_some() { "coverage,fuzzing" } else { "fuzzing" };
    let run = Command::new(python.with_file_name("schemathesis"))
        .args(["run", "--no-color", "--no-shrink", "--phases", phases, "--max-examples"])
        .arg(examples.as_deref().unwrap_or(EXAMPLES))
        .arg("openapi.json")
        .env("AMTSBOTE_BASE", &base)
        .env("AMTSBOTE_TOKEN", &token)
        .env("AMTSBOTE_THERE", json!(ids).to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let most = if examples.is_some() { 3_600 } else { 300 };
    let outcome = tokio::time::timeout(Duration::from_secs(most), run).await;
    let outcome = outcome.expect("Schemathesis hangs").expect("there is no Schemathesis beside this Python");
    server.abort();
    workers.stop().await;
    let (out, err) = (String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    assert!(outcome.status.success(), "{out}\n{err}");
}
