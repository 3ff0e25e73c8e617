//! Notifications that are signed, damaged, aged and repeated by independent senders in Python: each scenario says itself what a receiver has to
//! answer. Whether the same comes twice is looked at by whoever keeps notifications, not here.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use model::payment::provider::{Notice, Provider, Refusal, Verdict};
use model::{Clock, SystemClock};
use serde_json::Value;

use crate::support::{REQUEST, order, serve};
use crate::webhook::{Scheme, notified_by};

/// Answers as the gateway's door does.
async fn receiver(provider: Arc<dyn Provider>) -> String {
    let handler = move |method: axum::http::Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let field = |name: &axum::http::HeaderName| headers[name].to_str().unwrap().to_owned();
        let notice = Notice {
            method: method.to_string(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers.keys().map(|name| (name.to_string(), field(name))).collect(),
            body: body.to_vec(),
        };
        let notified = provider.notified(&order(), Some("r-1"), &notice, SystemClock.now());
        let status = match notified.verdict {
            Verdict::Hint => 200,
            Verdict::Differs(.., status) => status,
            Verdict::Refused(Refusal::TooEarly) => 503,
            Verdict::Refused(_) => 400,
        };
        StatusCode::from_u16(status).unwrap()
    };
    serve(Router::new().fallback(handler)).await
}

/// All scenarios of a sender: each must be answered as it says.
async fn all(script: &str, scheme: Scheme, arguments: &[&str], wanted: usize) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/senders/payment").join(script);
    if !script.exists() {
        return eprintln!("SKIPPED: ../shared is absent");
    }
    let url = receiver(notified_by(scheme)).await;
    let mut python = Command::new("python3");
    python.arg(&script).args([&url, "--scenario", "all", "--json", "--ref", "r-1", "--tx", REQUEST]);
    let Ok(said) = python.args(arguments).output() else { return eprintln!("SKIPPED: python3 is absent") };
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut scenarios = 0;
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let is_refused = scenario["expect"].as_str().unwrap().starts_with("400");
        for result in scenario["results"].as_array().unwrap() {
            assert_eq!(result["status"], if is_refused { 400 } else { 200 }, "{scenario}");
        }
        scenarios += 1;
    }
    assert!(scenarios >= wanted, "{scenarios}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_webhooks_of_an_independent_sender_are_judged_as_it_expects() {
    all("stdwebhooks_send.py", Scheme::Standard, &[], 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_independent_sender_in_stripes_scheme_are_judged_as_it_expects() {
    all("stripe_send.py", Scheme::Stripe, &[], 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_an_independent_sender_in_computops_scheme_are_judged_as_it_expects() {
    all("computop_send.py", Scheme::Computop, &["--plain"], 9).await;
}
