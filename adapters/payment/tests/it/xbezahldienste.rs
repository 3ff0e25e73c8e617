//! XBezahldienste: against the independent provider, and against a service that has a mind of its own about tokens and repetitions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_payment::xbezahldienste::{Auth, BookingKeys, Settings, provider};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use model::payment::claim::Payer;
use model::payment::provider::{Found, Order};
use model::payment::{Provider, TruthState};
use model::{FailureKind, SystemClock};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::mock::Mock;
use crate::support::{REQUEST, client, order, serve};

fn settings(url: &str, secret: &str) -> Settings {
    let auth = Auth::ClientCredentials {
        token_url: format!("{url}/oauth2/token"),
        client_id: "gateway".into(),
        client_secret: Zeroizing::new(secret.into()),
        scope: Some("post".into()),
    };
    Settings {
        id: "xb".into(),
        base: url.to_owned(),
        originator: "anglerschein".into(),
        end_point: "03355000".into(),
        auth,
        booking_keys: BookingKeys { budget_item: Some("haushaltsstelle".into()), ..BookingKeys::default() },
        window: Duration::from_secs(1_800),
        within: Duration::from_millis(700),
    }
}

fn called(settings: Settings) -> Arc<dyn Provider> {
    provider(settings, client(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_payment_goes_through_all_states_of_an_independent_provider() {
    let Some(mock) = Mock::start().await else { return };
    let service = called(settings(&mock.url, "geheim"));
    let mut order = Order { payer: Some(Payer { name: "Muster".into(), ..Payer::default() }), ..order() };
    (order.amount_cents, order.lines[0].amount_cents, order.lines[0].tax_cents) = (3_075, 3_075, 491);
    let started = service.start(&order).await.unwrap();
    assert!(started.payment_url.as_ref().unwrap().starts_with(&mock.url));
    let states = [
        ("INITIAL", TruthState::Open),
        ("FAILED", TruthState::Failed),
        ("CANCELED", TruthState::Cancelled),
        ("PAYED", TruthState::Paid),
    ];
    for (name, state) in states {
        mock.set("xb", &started.reference, &format!("status={name}")).await;
        let truth = service.status(&order, &started.reference).await.unwrap();
        assert_eq!((truth.state, truth.amount_cents), (state, Some(3_075)), "{name}");
        assert_eq!((truth.request_id.as_deref(), truth.currency.as_deref()), (Some(REQUEST), Some("EUR")));
        assert_eq!(truth.paid_at.is_some(), state == TruthState::Paid);
    }
    let truth = service.status(&order, &started.reference).await.unwrap();
    assert_eq!(truth.method.as_deref(), Some("WERO"));
    assert_eq!(truth.cash_reference.as_deref(), Some("4200000000061"));
    mock.set("xb", &started.reference, "amount=1").await;
    let truth = service.status(&order, &started.reference).await.unwrap();
    assert_eq!(truth.amount_cents, Some(1), "the broker compares");
    for trouble in ["_500", "_slow", "_garbage"] {
        mock.set("xb", &started.reference, &format!("status={trouble}")).await;
        let failure = service.status(&order, &started.reference).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{trouble}");
    }
    assert_eq!(service.status(&order, "unknown").await.unwrap_err().kind, FailureKind::Rejected);
    assert!(service.check().await.ok);
    let tokens =
        mock.log().await.as_array().unwrap().iter().filter(|it| it["path"] == "/oauth2/token").count();
    assert_eq!(tokens, 1, "a token is used until it ends");
}

#[tokio::test]
async fn a_repeated_start_of_a_transaction_that_cannot_be_found_is_over() {
    let Some(mock) = Mock::start().await else { return };
    let service = called(settings(&mock.url, "geheim"));
    let order = order();
    service.start(&order).await.unwrap();
    let failure = service.start(&order).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Rejected, "payment.provider-exists"));
    assert_eq!(service.find(&order).await.unwrap(), Found::CannotAsk);
}

#[tokio::test]
async fn wrong_credentials_and_unknown_names_are_an_operator_s_matter() {
    let Some(mock) = Mock::start().await else { return };
    let order = order();
    let kind = |settings: Settings| {
        let (service, order) = (called(settings), &order);
        async move { service.start(order).await.unwrap_err().kind }
    };
    assert_eq!(kind(settings(&mock.url, "wrong")).await, FailureKind::Unauthorised);
    let unknown = Settings { originator: "unknown".into(), ..settings(&mock.url, "geheim") };
    assert_eq!(kind(unknown).await, FailureKind::Unauthorised);
    let nobody = Settings { auth: Auth::Certificate, ..settings(&mock.url, "geheim") };
    assert!(!called(nobody).check().await.ok);
    let (user, password) = ("gateway".to_owned(), Zeroizing::new("geheim".to_owned()));
    let basic = Settings { auth: Auth::Basic { user, password }, ..settings(&mock.url, "") };
    called(basic).start(&order).await.unwrap();
}

/// A service whose tokens end when it likes, and that names transactions by the requestId.
#[derive(Clone, Default)]
struct Moody {
    tokens: Arc<AtomicUsize>,
    known: Arc<Mutex<Option<Value>>>,
    /// Whether the answer to a start is lost.
    loses: bool,
}

impl Moody {
    async fn serve(self) -> String {
        let transactions = "/paymenttransaction/{originator}/{end_point}";
        let router = Router::new()
            .route("/oauth2/token", post(token))
            .route(transactions, post(create))
            .route(&format!("{transactions}/{{id}}"), get(query))
            .with_state(self);
        serve(router).await
    }

    /// Every token is good for one call.
    fn takes(&self, headers: &HeaderMap) -> bool {
        let wanted = format!("Bearer t{}", self.tokens.load(Ordering::SeqCst));
        let is_right = headers.get("authorization").is_some_and(|value| value == wanted.as_str());
        if is_right {
            self.tokens.fetch_add(100, Ordering::SeqCst);
        }
        is_right
    }
}

async fn token(State(moody): State<Moody>) -> Json<Value> {
    let number = moody.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    Json(json!({ "access_token": format!("t{number}"), "expires_in": 3_600 }))
}

fn transaction(id: &str, request: &Value) -> Value {
    let page = "http://127.0.0.1/page";
    let information = json!({ "transactionId": id, "status": "INITIAL", "transactionRedirectUrl": page });
    json!({ "paymentInformation": information, "paymentRequest": request })
}

async fn create(State(moody): State<Moody>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    if !moody.takes(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if moody.known.lock().unwrap().is_some() {
        return (StatusCode::CONFLICT, Json(json!({ "functionalCode": "PAYMENT_EXISTS" }))).into_response();
    }
    *moody.known.lock().unwrap() = Some(request.clone());
    match moody.loses {
        true => StatusCode::GATEWAY_TIMEOUT.into_response(),
        false => (StatusCode::CREATED, Json(transaction(REQUEST, &request))).into_response(),
    }
}

async fn query(
    State(moody): State<Moody>,
    headers: HeaderMap,
    Path((_, _, id)): Path<(String, String, String)>,
) -> Response {
    if !moody.takes(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match moody.known.lock().unwrap().as_ref() {
        Some(request) if request["requestId"] == id.as_str() => {
            Json(transaction(&id, request)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_fetched_anew_once() {
    let moody = Moody::default();
    let service = called(settings(&moody.clone().serve().await, "geheim"));
    let order = order();
    let started = service.start(&order).await.unwrap();
    for _ in 0..3 {
        service.status(&order, &started.reference).await.unwrap();
    }
    let fetched = moody.tokens.load(Ordering::SeqCst) % 100;
    assert_eq!(fetched, 4, "each of the four calls has needed a token of its own");
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_not_begun_twice() {
    let service = called(settings(&Moody { loses: true, ..Moody::default() }.serve().await, "geheim"));
    let order = order();
    assert_eq!(service.find(&order).await.unwrap(), Found::CannotAsk, "nothing was begun yet");
    assert_eq!(service.start(&order).await.unwrap_err().kind, FailureKind::Uncertain);
    let Found::Started(started) = service.find(&order).await.unwrap() else { panic!("it is there") };
    assert_eq!(started.payment_url.as_deref(), Some("http://127.0.0.1/page"));
    assert_eq!(service.start(&order).await.unwrap(), started, "a repetition finds the same");
}

#[tokio::test]
async fn a_token_service_that_is_down_says_nothing_of_the_payment() {
    let down = Router::new().fallback(|| async { StatusCode::INTERNAL_SERVER_ERROR });
    let failure = called(settings(&serve(down).await, "geheim")).start(&order()).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Transient, "payment.provider-busy"));
}
