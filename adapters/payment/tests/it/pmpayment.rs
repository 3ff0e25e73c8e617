//! pmPayment: against the independent provider.

use std::sync::Arc;
use std::time::Duration;

use adapter_payment::pmpayment::{Settings, provider};
use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use model::payment::provider::Order;
use model::payment::{Provider, TruthState};
use model::{FailureKind, SystemClock};
use zeroize::Zeroizing;

use crate::mock::Mock;
use crate::support::{REQUEST, client, order, serve};

fn called(url: &str, salt: &str) -> Arc<dyn Provider> {
    let settings = Settings {
        id: "pm".into(),
        base: url.to_owned(),
        ags: "03355000".into(),
        procedure: "gateway".into(),
        salt: Zeroizing::new(salt.into()),
        sends_record: true,
        window: Duration::from_secs(1_800),
        within: Duration::from_millis(700),
    };
    provider(settings, client(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_payment_goes_through_all_states_of_an_independent_provider() {
    let Some(mock) = Mock::start().await else { return };
    let pm = called(&mock.url, "test-salt");
    let order = Order { cash_reference: Some("4200000000061".into()), ..order() };
    let started = pm.start(&order).await.unwrap();
    assert!(started.reference.starts_with("gateway.") && started.reference.ends_with(REQUEST));
    assert!(started.payment_url.unwrap().starts_with(&mock.url));
    for (code, state) in [("-1", TruthState::Open), ("0", TruthState::Failed), ("1", TruthState::Paid)] {
        mock.set("pm", &started.reference, &format!("status={code}")).await;
        let truth = pm.status(&order, &started.reference).await.unwrap();
        assert_eq!((truth.state, truth.amount_cents), (state, Some(2_500)), "{code}");
        assert_eq!(truth.reference.as_ref(), Some(&started.reference));
    }
    mock.set("pm", &started.reference, "amount=1").await;
    assert_eq!(
        pm.status(&order, &started.reference).await.unwrap().amount_cents,
        Some(1),
        "the broker compares"
    );
    for trouble in ["_500", "_slow", "_garbage"] {
        mock.set("pm", &started.reference, &format!("status={trouble}")).await;
        let failure = pm.status(&order, &started.reference).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{trouble}");
    }
    assert_eq!(pm.status(&order, "unknown").await.unwrap_err().kind, FailureKind::Rejected);
    assert!(pm.check().await.ok);
}

#[tokio::test]
async fn a_start_with_a_wrong_salt_is_refused() {
    let Some(mock) = Mock::start().await else { return };
    let failure = called(&mock.url, "wrong").start(&order()).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Rejected, "payment.provider-refused"));
}

#[tokio::test]
async fn a_name_never_leaves_its_place_in_the_address() {
    let seen = |uri: Uri| async move { format!(r#"{{"status":1,"txid":"{}"}}"#, uri.path()) };
    let pm = called(&serve(Router::new().fallback(get(seen))).await, "test-salt");
    let truth = pm.status(&order(), "../../evil?x=1").await.unwrap();
    assert_eq!(truth.reference.as_deref(), Some("/payment/status/03355000/..%2F..%2Fevil%3Fx%3D1"));
    for name in ["..", ".", "", "a b"] {
        assert_eq!(pm.status(&order(), name).await.unwrap_err().kind, FailureKind::Rejected, "{name:?}");
    }
}
