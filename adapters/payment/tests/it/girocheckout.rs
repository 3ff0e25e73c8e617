//! GiroCheckout: against the independent provider, and against answers that are not signed.

use std::sync::Arc;
use std::time::Duration;

use adapter_payment::girocheckout::{Page, Settings, provider};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use model::payment::provider::{Order, RefundOrder};
use model::payment::{Provider, TruthState};
use model::{FailureKind, SystemClock, ids};
use zeroize::Zeroizing;

use crate::mock::Mock;
use crate::support::{REQUEST, client, order, serve};

fn settings(base: String, page: Page) -> Settings {
    Settings {
        id: "gc".into(),
        base,
        merchant: "1234567".into(),
        project: "1234".into(),
        password: Zeroizing::new("secure".into()),
        page,
        window: Duration::from_secs(1_800),
        within: Duration::from_secs(2),
    }
}

fn called(url: &str) -> Arc<dyn Provider> {
    let base = format!("{url}/girocheckout/api/v2");
    provider(settings(base, Page::Single), client(), Arc::new(SystemClock))
}

fn refund(amount_cents: i64) -> RefundOrder {
    RefundOrder { id: ids::new_id(), amount_cents, purpose: "Erstattung".into() }
}

#[tokio::test]
async fn a_payment_goes_through_all_states_of_an_independent_provider() {
    let Some(mock) = Mock::start().await else { return };
    let (giro, order) = (called(&mock.url), order());
    let started = giro.start(&order).await.unwrap();
    assert!(started.payment_url.as_ref().unwrap().starts_with(&mock.url));
    assert_eq!(giro.status(&order, &started.reference).await.unwrap().state, TruthState::Open);
    let states = [
        ("4500", TruthState::Pending),
        ("4501", TruthState::Expired),
        ("4502", TruthState::Cancelled),
        ("4900", TruthState::Failed),
        ("4000", TruthState::Paid),
    ];
    for (code, state) in states {
        mock.set("gc", &started.reference, &format!("status={code}")).await;
        let truth = giro.status(&order, &started.reference).await.unwrap();
        assert_eq!((truth.state, truth.amount_cents), (state, Some(2_500)), "{code}");
        assert_eq!(
            (truth.reference.as_ref(), truth.request_id.as_deref()),
            (Some(&started.reference), Some(REQUEST))
        );
    }
    assert!(giro.refund(&order, &started.reference, &refund(500)).await.unwrap().is_some());
    assert_eq!(giro.void(&order, &started.reference).await.unwrap_err().kind, FailureKind::Rejected);
    mock.set("gc", &started.reference, "amount=1").await;
    assert_eq!(
        giro.status(&order, &started.reference).await.unwrap().amount_cents,
        Some(1),
        "the broker compares"
    );
    assert_eq!(giro.status(&order, "unknown").await.unwrap_err().kind, FailureKind::Rejected);
    assert!(giro.check().await.ok);
}

#[tokio::test]
async fn an_open_payment_is_cancelled_and_the_payment_page_starts_too() {
    let Some(mock) = Mock::start().await else { return };
    let base = format!("{}/girocheckout/api/v2", mock.url);
    let page = provider(settings(base, Page::Choice { test: true }), client(), Arc::new(SystemClock));
    let order = Order { cash_reference: Some("4200000000061".into()), ..order() };
    let started = page.start(&order).await.unwrap();
    page.void(&order, &started.reference).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_an_operator_s_matter() {
    let Some(mock) = Mock::start().await else { return };
    let base = format!("{}/girocheckout/api/v2", mock.url);
    let wrong = Settings { password: Zeroizing::new("wrong".into()), ..settings(base, Page::Single) };
    let giro = provider(wrong, client(), Arc::new(SystemClock));
    // The answer says so under the right password, which we do not have: it is no answer of the provider.
    assert_eq!(giro.start(&order()).await.unwrap_err().code, "payment.provider-garbage");
    assert!(!giro.check().await.ok);
}

#[tokio::test]
async fn nothing_is_taken_from_an_answer_that_is_not_signed() {
    let body = r#"{"rc":0,"reference":"r","redirect":"http://127.0.0.1/p","amount":2500,"currency":"EUR","resultPayment":4000}"#;
    let answer = move || async move { ([("hash", "00")], body) };
    let giro = called(&serve(Router::new().fallback(post(answer))).await);
    let order = order();
    assert_eq!(giro.status(&order, "r").await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!(giro.start(&order).await.unwrap_err().kind, FailureKind::Uncertain);
    assert_eq!(giro.refund(&order, "r", &refund(1)).await.unwrap_err().kind, FailureKind::Uncertain);
}

#[tokio::test]
async fn a_refund_that_breaks_in_the_middle_is_uncertain() {
    let failing = || async { (StatusCode::INTERNAL_SERVER_ERROR, "oops") };
    let giro = called(&serve(Router::new().fallback(post(failing))).await);
    let order = order();
    assert_eq!(giro.refund(&order, "r", &refund(1)).await.unwrap_err().code, "payment.provider-unclear");
    assert_eq!(giro.status(&order, "r").await.unwrap_err().code, "payment.provider-busy");
    let silent = called("http://127.0.0.1:9");
    assert_eq!(silent.refund(&order, "r", &refund(1)).await.unwrap_err().kind, FailureKind::Transient);
}
