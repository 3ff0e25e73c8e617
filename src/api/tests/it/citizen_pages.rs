//! The citizens' pages in a real browser: without JavaScript, by keyboard alone, at 320 pixels, judged by axe. `pages.mjs` does it; here a
//! gateway is set up with everything that there is to see. Without the browser's tools (`AMTSBOTE_TEST_NODE`: a folder with
//! `playwright-core` and `axe-core`) nothing is tested, and that is said.

use std::process::Stdio;
use std::time::Duration;

use api::ServerLimits;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::citizen_bed::Applied;

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_work_in_a_browser() {
    let Some(tools) = std::env::var_os("AMTSBOTE_TEST_NODE") else {
        eprintln!("AMTSBOTE_TEST_NODE names no folder: the pages are not looked at in a browser");
        return;
    };
    let mut applied = Applied::new().await;
    applied.provide("Eingangsbestätigung zum Bauantrag").await;
    let notice = json!({ "subject": "Neues zu Ihrem Vorgang", "text": "Wir haben Ihren Antrag geprüft.\nBitte sehen Sie nach." });
    let new = json!({ "case": applied.case, "kind": "notification", "documents": [], "way": "portal", "notice": notice });
    let notice = applied.post("/dispatches", new).await["id"].as_str().unwrap().to_owned();
    let path = format!("/dispatches/{notice}");
    applied.gateway.until(&applied.token, &path, |it| it["status"] == "provided").await;
    let owed =
        json!({ "amountCents": 123_450, "purpose": "Gebühr für die Baugenehmigung", "due": "2027-01-15" });
    let claim = applied.post(&format!("/cases/{}/claims", applied.case), owed).await;
    let asked = json!({ "what": "Standsicherheitsnachweis mit Übersichtsplan", "dueDays": 14 });
    let request = applied.post(&format!("/cases/{}/document-requests", applied.case), asked).await;
    let path = format!("/claims/{}/payment-link", claim["id"].as_str().unwrap());
    let pay = applied.gateway.call(&applied.token, crate::gateway::Call::get(&path)).await.is(200).json();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let doors = applied.gateway.doors.clone();
    let server = tokio::spawn(api::serve(listener, doors, ServerLimits::default(), std::future::pending()));
    let here = |link: &serde_json::Value| link.as_str().unwrap().replace("https://buerger.example", &base);
    let facts = json!({
        "base": base,
        "number": applied.number,
        "secret": applied.secret,
        "upload": here(&request["link"]),
        "pay": here(&pay["link"]),
        "shots": std::env::var("AMTSBOTE_TEST_SHOTS").ok(),
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages.mjs");
    let run = Command::new("node")
        .arg(script)
        .arg(tools)
        .arg(facts.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let outcome =
        tokio::time::timeout(Duration::from_secs(120), run).await.expect("the browser hangs").unwrap();
    server.abort();
    let (out, err) = (String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    assert!(outcome.status.success(), "{out}\n{err}");
    applied.end().await;
}
