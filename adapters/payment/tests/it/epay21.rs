//! epay21 against the independent provider, and against answers that are none.

use std::sync::Arc;
use std::time::Duration;

use adapter_payment::epay21::{Settings, provider};
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use model::payment::provider::{Found, Provider, TruthState};
use model::{FailureKind, SystemClock};

use crate::mock::Mock;
use crate::support::{REQUEST, client, order, serve};

fn epay21(url: &str, confirms_by: Option<&str>) -> Arc<dyn Provider> {
    let settings = Settings {
        id: "epay21".into(),
        url: format!("{url}/epay21/service/v11/ePay21Service.asmx"),
        mandant: "06534014".into(),
        mandant_name: "Musterstadt".into(),
        app: "amtsbote".into(),
        user: "gateway".into(),
        password: "geheim".to_owned().into(),
        minutes: 15,
        confirms_by: confirms_by.map(str::to_owned),
        within: Duration::from_secs(20),
    };
    provider(settings, client(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_payment_goes_its_way_at_the_independent_provider() {
    let Some(mock) = Mock::start().await else { return };
    let (provider, order) = (epay21(&mock.url, Some("confirm")), order());
    assert!(provider.check().await.ok);
    assert_eq!(provider.find(&order).await, Ok(Found::Nothing));
    let started = provider.start(&order).await.unwrap();
    assert!(started.payment_url.as_ref().unwrap().ends_with(&started.reference), "{started:?}");
    let Ok(Found::Started(found)) = provider.find(&order).await else { panic!("it is known") };
    assert_eq!((found.reference.as_str(), found.payment_url), (started.reference.as_str(), None));
    for (status, wanted) in [
        ("init", TruthState::Open),
        ("started", TruthState::Pending),
        ("canceled", TruthState::Cancelled),
        ("failed", TruthState::Failed),
        ("payed", TruthState::Paid),
        ("confirmed", TruthState::Paid),
    ] {
        mock.set("epay21", REQUEST, &format!("status={status}")).await;
        let truth = provider.status(&order, &started.reference).await.unwrap();
        assert_eq!(truth.state, wanted, "{status}");
        assert_eq!(
            (truth.reference, truth.request_id),
            (Some(found.reference.clone()), Some(REQUEST.into()))
        );
        assert_eq!(truth.amount_cents, None, "the interface does not tell it");
    }
    for (status, code) in [("_garbage", "payment.provider-garbage"), ("_500", "payment.provider-busy")] {
        mock.set("epay21", REQUEST, &format!("status={status}")).await;
        let failure = provider.status(&order, &started.reference).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Transient, code));
    }
    provider.void(&order, &started.reference).await.unwrap();
    let log = mock.log().await.to_string();
    assert!(log.contains("<Action>cancel</Action>") && log.contains("<Action>confirm</Action>"));
    assert_eq!(log.matches("<Action>confirm</Action>").count(), 1, "only what waits for it is confirmed");
}

/// A service that answers each call with this.
async fn answering(status: u16, body: String) -> Arc<dyn Provider> {
    let answer = move |headers: HeaderMap| async move {
        let action = headers["soapaction"].to_str().unwrap();
        assert!(action.starts_with("\"http://epay21.ekom21.de/service/v11/"), "{action}");
        assert_eq!(headers["authorization"], "Basic Z2F0ZXdheTpnZWhlaW0=");
        (axum::http::StatusCode::from_u16(status).unwrap(), body)
    };
    let path = "/epay21/service/v11/ePay21Service.asmx";
    epay21(&serve(Router::new().route(path, post(answer))).await, None)
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn status_answer(result: &str, payment: &str) -> String {
    envelope(&format!(
        "<GetPaymentStatusResponse xmlns=\"http://epay21.ekom21.de/service/v11\"><GetPaymentStatusResult>\
         <Operation><Result>{result}</Result></Operation>{payment}\
         </GetPaymentStatusResult></GetPaymentStatusResponse>"
    ))
}

#[tokio::test]
async fn an_answer_of_the_real_service_is_understood() {
    let payment = format!(
        "<Payment><Type>Giropay</Type><PayID>0bf327cd-0dc3-4a0e-882e-0bf6b17a6741</PayID>\
         <CallerPayID>{REQUEST}</CallerPayID><Status>payed</Status>\
         <TimestampStart>2021-02-18T14:42:08.55</TimestampStart>\
         <TimestampFinish>0001-01-01T00:00:00</TimestampFinish></Payment>"
    );
    let provider = answering(200, status_answer("<OK>true</OK>", &payment)).await;
    let truth = provider.status(&order(), "0bf327cd-0dc3-4a0e-882e-0bf6b17a6741").await.unwrap();
    assert_eq!((truth.state, truth.method.as_deref()), (TruthState::Paid, Some("Giropay")));
    assert_eq!(truth.paid_at, None, "a local time without a zone is no moment");
}

#[tokio::test]
async fn what_is_no_answer_is_never_a_truth() {
    let paid = |id: &str| {
        format!("<Payment><PayID>a</PayID><CallerPayID>{id}</CallerPayID><Status>payed</Status></Payment>")
    };
    let good = status_answer("<OK>true</OK>", &paid(REQUEST));
    assert!(answering(200, good.clone()).await.status(&order(), "a").await.is_ok());
    let fault = |code: &str| {
        let fault = "<faultcode>s:CODE</faultcode><faultstring>geheim</faultstring>".replace("CODE", code);
        envelope(&format!("<s:Fault>{fault}</s:Fault>"))
    };
    let bomb = format!("<!DOCTYPE a [<!ENTITY b \"x\">]>{good}");
    let deep = envelope(&format!("{}{}", "<a>".repeat(500), "</a>".repeat(500)));
    let huge = good.replace("payed", &"x".repeat(300_000));
    let many = envelope(&"<a/>".repeat(10_000));
    let (transient, rejected) = (FailureKind::Transient, FailureKind::Rejected);
    for (name, status, body, kind) in [
        ("DTD", 200, bomb, transient),
        ("deep", 200, deep, transient),
        ("huge", 200, huge, transient),
        ("many", 200, many, transient),
        ("cut off", 200, good[..good.len() - 9].to_owned(), transient),
        ("two payments", 200, status_answer("<OK>true</OK>", &paid(REQUEST).repeat(2)), transient),
        ("no payment", 200, status_answer("<OK>true</OK>", ""), transient),
        ("unknown status", 200, good.replace("payed", "PAYED"), transient),
        ("other service", 200, good.replace("/v11\"", "/v12\""), transient),
        ("other operation", 200, good.replace("GetPaymentStatusResponse", "InitPaymentResponse"), transient),
        ("an answer with 500", 500, good.clone(), transient),
        ("unknown payment", 200, status_answer("<OK>false</OK><ErrorCode>P107</ErrorCode>", ""), rejected),
        ("refused", 200, status_answer("<OK>false</OK><ErrorCode>X101</ErrorCode>", ""), rejected),
        ("their fault", 500, fault("Server"), transient),
        ("our fault", 500, fault("Client.Sender"), rejected),
        ("maintenance", 503, "<html/>".into(), transient),
        ("credentials", 401, String::new(), FailureKind::Unauthorised),
    ] {
        let failure = answering(status, body).await.status(&order(), "a").await.unwrap_err();
        assert_eq!(failure.kind, kind, "{name}: {failure:?}");
        assert!(
            failure.code.starts_with("payment.provider-") && !failure.detail.contains("geheim"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_start_whose_answer_tells_nothing_may_have_happened() {
    for (status, body) in
        [(200, "<html>Wartung</html>".to_owned()), (500, String::new()), (502, String::new())]
    {
        let failure = answering(status, body).await.start(&order()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Uncertain, "{status}");
    }
    let page = |url: &str| {
        envelope(&format!(
            "<InitPaymentResponse xmlns=\"http://epay21.ekom21.de/service/v11\"><InitPaymentResult><Operation>\
             <Result><PayID>p</PayID><OK>true</OK></Result></Operation><PayPageInfo><PayPageUrl>{url}</PayPageUrl>\
             </PayPageInfo></InitPaymentResult></InitPaymentResponse>"
        ))
    };
    let started = answering(200, page("https://pay.example/p?PayID=p&amp;x=1")).await.start(&order()).await;
    assert_eq!(started.unwrap().payment_url.as_deref(), Some("https://pay.example/p?PayID=p&x=1"));
    let failure = answering(200, page("javascript:alert(1)")).await.start(&order()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Uncertain);
    let refused = page("https://pay.example/").replace("<OK>true", "<ErrorCode>X101</ErrorCode><OK>false");
    let failure = answering(200, refused).await.start(&order()).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.detail.as_str()),
        (FailureKind::Rejected, "epay21 refused the call: X101")
    );
}
