//! People's jobs in a real browser, judged by axe: `browser/frame.mjs` and its `jobs`. Here a gateway is set up with what they are about. Without
//! the browser's tools (`AMTSBOTE_TEST_NODE`: a folder with `playwright-core` and `axe-core`) nothing is tested, and that is said. With
//! `AMTSBOTE_TEST_JOBS` only those named are done (separated by blanks), with `AMTSBOTE_TEST_SHOTS` every page that is judged leaves pictures there.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::bed::Bed;

/// A machine may be busy with other tests: what is slow is not wrong, only what never ends.
const LONGEST: Duration = Duration::from_secs(900);

/// What each job is about, by the name of its file. Made before the workers start: what is parked stays parked.
async fn facts(bed: &Bed) -> Value {
    json!({
        "operate-stuck": crate::operate::facts_of_stuck(bed).await,
        "operate-evidence": crate::operate::facts_of_evidence(bed).await,
        "desk-mend": crate::desk::facts_of_mending(bed).await,
        "desk-payment": crate::desk::facts_of_paying(bed).await,
        "desk-disposition": crate::keeping::facts_of_disposing(bed).await,
        "desk-post": crate::desk::facts_of_post(bed).await,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn people_do_their_jobs() {
    let Some(tools) = std::env::var_os("AMTSBOTE_TEST_NODE") else {
        eprintln!("AMTSBOTE_TEST_NODE names no folder: nobody does a job in a browser");
        return;
    };
    let bed = Bed::start().await;
    let mut facts = facts(&bed).await;
    let workers = bed.gateway.work().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    facts["base"] = json!(format!("http://localhost:{}", listener.local_addr().unwrap().port()));
    facts["shots"] = json!(std::env::var("AMTSBOTE_TEST_SHOTS").ok());
    let server =
        api::serve(listener, bed.pages.clone(), api::ServerLimits::default(), std::future::pending());
    let server = tokio::spawn(server);
    let wanted = std::env::var("AMTSBOTE_TEST_JOBS").unwrap_or_default();
    let run = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/frame.mjs"))
        .arg(tools)
        .arg(facts.to_string())
        .args(wanted.split_whitespace())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let outcome = tokio::time::timeout(LONGEST, run).await;
    let outcome = outcome.expect("the browser hangs").unwrap();
    server.abort();
    workers.stop().await;
    let (out, err) = (String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    assert!(outcome.status.success(), "{out}\n{err}");
}
