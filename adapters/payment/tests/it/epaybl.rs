//! ePayBL against the independent provider, and against a service that loses answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_payment::epaybl::{DataModel, Settings, provider};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use model::payment::provider::{Found, Order, Provider, TruthState};
use model::{FailureKind, SystemClock};

use crate::mock::Mock;
use crate::support::{REQUEST, client, order, serve};

fn epaybl(url: &str, numbers_calls: bool) -> Arc<dyn Provider> {
    let settings = Settings {
        id: "epaybl".into(),
        service_url: format!("{url}/soap/servlet/rpcrouter"),
        page_url: "https://epay.example/paypage/login.do".into(),
        mandant: "1610000000".into(),
        bewirtschafter: "42".into(),
        data_model: DataModel::Two,
        dunning: "01".into(),
        budget_item: Some("6963756938".into()),
        cost_object: Some("5736059964".into()),
        booking_text: None,
        numbers_calls,
        window: Duration::from_secs(1_800),
        within: Duration::from_secs(20),
    };
    provider(settings, client(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_payment_goes_its_way_at_the_independent_provider() {
    let Some(mock) = Mock::start().await else { return };
    let (provider, order) = (epaybl(&mock.url, false), order());
    assert!(provider.check().await.ok);
    let started = provider.start(&order).await.unwrap();
    let reference = started.reference.clone();
    assert_eq!(started.cash_reference.as_ref(), Some(&reference));
    let url = started.payment_url.unwrap();
    let back = "https%3A%2F%2Fgw.example%2Fpayments%2Fp%2Freturn%2Fabc";
    assert_eq!(
        url,
        format!(
            "https://epay.example/paypage/login.do?mandant=1610000000&EShopKundenNr={REQUEST}\
             &kassenzeichen={reference}&backlinkSuccess={back}&backlinkAbort={back}"
        )
    );
    let log = mock.log().await.to_string();
    let calls = ["isAlive", "anlegenKunde", "anlegenKassenzeichen", "loeschenKunde"];
    let places = calls.map(|call| log.find(&format!("<ns1:{call}>")).unwrap());
    assert!(places.is_sorted(), "{places:?}");

    let truth = provider.status(&order, &reference).await.unwrap();
    assert_eq!((truth.state, truth.amount_cents), (TruthState::Open, None));
    mock.set("epaybl", &reference, "status=INAKTIV").await;
    let truth = provider.status(&order, &reference).await.unwrap();
    assert_eq!((truth.state, truth.amount_cents), (TruthState::Paid, Some(2_500)));
    assert_eq!((truth.currency.as_deref(), truth.reference), (Some("EUR"), Some(reference.clone())));
    mock.set("epaybl", &reference, "amount=100").await;
    assert_eq!(provider.status(&order, &reference).await.unwrap().amount_cents, Some(100));
    for (status, code) in [("_garbage", "payment.provider-garbage"), ("_500", "payment.provider-busy")] {
        mock.set("epaybl", &reference, &format!("status={status}")).await;
        let failure = provider.status(&order, &reference).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Transient, code));
    }
    let unknown = provider.status(&order, "4200000009999").await.unwrap_err();
    assert_eq!(unknown.kind, FailureKind::Rejected);
    assert_eq!(provider.find(&order).await, Ok(Found::CannotAsk), "nobody numbered the call");
}

const OK: &str = "<ergebnis><istOk>true</istOk><text><code>+0000</code></text></ergebnis>";
const UNKNOWN: &str = "<ergebnis><istOk>false</istOk><text><code>-0699</code></text></ergebnis>";

fn stored(kassenzeichen: &str) -> String {
    format!("{OK}<buchungsListe><kassenzeichen>{kassenzeichen}</kassenzeichen></buchungsListe>")
}

type Calls = Arc<Mutex<Vec<String>>>;

/// A service that answers each operation with what `answers` says: status and content of what is returned; otherwise it succeeds.
async fn answering(answers: &'static [(&'static str, u16, &'static str)]) -> (Arc<dyn Provider>, Calls) {
    let calls = Calls::default();
    let heard = calls.clone();
    let answer = move |body: String| async move {
        let operation = body.split("<ns1:").nth(1).unwrap().split(['>', '/']).next().unwrap().to_owned();
        let said = answers.iter().find(|(name, ..)| *name == operation);
        let (status, inner) = said.map_or((200, OK), |(_, status, inner)| (*status, *inner));
        heard.lock().unwrap().push(operation.clone());
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><n:{operation}Response \
             xmlns:n=\"http://www.bff.bund.de/ePayment\"><ret>{inner}</ret></n:{operation}Response></s:Body></s:Envelope>"
        );
        (StatusCode::from_u16(status).unwrap(), envelope)
    };
    let url = serve(Router::new().route("/soap/servlet/rpcrouter", post(answer))).await;
    (epaybl(&url, true), calls)
}

#[tokio::test]
async fn before_the_kassenzeichen_nothing_has_happened() {
    for (operation, status) in [("isAlive", 500), ("anlegenKunde", 502), ("anlegenKunde", 503)] {
        let answers = vec![(operation, status, "")].leak();
        let (provider, calls) = answering(answers).await;
        let failure = provider.start(&order()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{operation}");
        let calls = calls.lock().unwrap();
        assert!(!calls.contains(&"anlegenKassenzeichen".to_owned()), "{calls:?}");
        assert_eq!(calls.contains(&"loeschenKunde".to_owned()), operation == "anlegenKunde");
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_by_the_number_of_the_call() {
    let (provider, calls) = answering(&[("anlegenKassenzeichen", 500, ""), ("loeschenKunde", 500, "")]).await;
    assert_eq!(provider.start(&order()).await.unwrap_err().kind, FailureKind::Uncertain);
    assert_eq!(calls.lock().unwrap().last().unwrap(), "loeschenKunde", "whatever became of it");

    let there = Box::leak(stored("4200000000061").into_boxed_str());
    let (provider, _) = answering(vec![("lesenTransaktion", 200, &*there)].leak()).await;
    let Ok(Found::Started(started)) = provider.find(&order()).await else { panic!("it is there") };
    assert_eq!(started.reference, "4200000000061");
    assert!(started.payment_url.is_some_and(|url| url.contains("kassenzeichen=4200000000061")));

    let (provider, _) = answering(&[("lesenTransaktion", 200, UNKNOWN)]).await;
    assert_eq!(provider.find(&order()).await, Ok(Found::Nothing));
    for (status, inner) in [
        (500, ""),
        (200, ""),
        (200, OK),
        (200, "<ergebnis><istOk>false</istOk><code>-9999</code></ergebnis>"),
    ] {
        let (provider, _) = answering(vec![("lesenTransaktion", status, inner)].leak()).await;
        let failure = provider.find(&order()).await.unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::Transient,
            "{status} {inner}: trouble is not the same as nothing"
        );
    }
    let again = "<ergebnis><istOk>false</istOk><text><code>-0531</code></text></ergebnis>";
    let (provider, _) = answering(vec![("anlegenKassenzeichen", 200, again)].leak()).await;
    assert_eq!(provider.start(&order()).await.unwrap_err().kind, FailureKind::Uncertain);
}

#[tokio::test]
async fn another_kassenzeichen_than_the_one_given_is_not_taken() {
    let there = Box::leak(stored("4200000000062").into_boxed_str());
    let (provider, _) = answering(vec![("anlegenKassenzeichen", 200, &*there)].leak()).await;
    let given = |reference: &str| Order { cash_reference: Some(reference.into()), ..order() };
    let failure = provider.start(&given("4200000000061")).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Uncertain, "payment.provider-garbage"));
    assert_eq!(provider.start(&given("4200000000062")).await.unwrap().reference, "4200000000062");
}

#[tokio::test]
async fn a_refusal_names_its_code_and_who_has_to_act() {
    for (code, kind) in [("-0611", FailureKind::Rejected), ("-0021", FailureKind::Unauthorised)] {
        let inner = format!(
            "<ergebnis><istOk>false</istOk><text><code>{code}</code><langText>geheim</langText></text></ergebnis>"
        );
        let inner: &'static str = Box::leak(inner.into_boxed_str());
        let (provider, _) = answering(vec![("anlegenKassenzeichen", 200, inner)].leak()).await;
        let failure = provider.start(&order()).await.unwrap_err();
        assert_eq!(failure.kind, kind);
        assert!(failure.detail.contains(code) && !failure.detail.contains("geheim"), "{failure:?}");
    }
}
