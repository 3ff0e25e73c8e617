//! Web Push, towards push services as they are and as they should not be.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_mobile::WebPush;
use adapter_mobile::settings::PushSettings;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::activity::DispatchStatus;
use model::adapter::{About, Adapter, Delivery, Link, Receipt};
use model::command::Change;
use model::testkit::{a_case, a_meta};
use model::{FailureKind, Record, RecordKind, ids};
use serde_json::json;

use crate::support::{Stopped, client};

const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

type Asked = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Answers with the status that the path ends with.
async fn answer(State(asked): State<Asked>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let status = path.rsplit('/').next().and_then(|status| status.parse().ok()).unwrap_or(201);
    asked.lock().unwrap().push((path, request.headers().clone()));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "7"), ("location", "/201")]).into_response()
}

async fn service() -> (String, Asked) {
    let asked = Asked::default();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), asked)
}

pub(crate) fn push(allow: &[&str]) -> WebPush {
    let settings = PushSettings {
        id: "push".into(),
        key: key().into(),
        contact: "mailto:it@kreis.example".into(),
        keeps: Duration::from_secs(3_600),
        within: Duration::from_secs(5),
    };
    WebPush::new(settings, client(allow), Stopped::new()).unwrap()
}

/// A key made for tests.
fn key() -> String {
    let out = std::process::Command::new("openssl")
        .args(["ecparam", "-name", "prime256v1", "-genkey", "-noout"])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

pub(crate) fn link(endpoint: &str, p256dh: &str, auth: &str) -> Link {
    Link {
        kind: RecordKind::Case,
        record: ids::new_id(),
        part: endpoint.len().to_string(),
        reference: endpoint.to_owned(),
        state: json!({ "p256dh": p256dh, "auth": auth }),
    }
}

/// A notice to these subscriptions.
pub(crate) fn delivery(mut links: Vec<Link>) -> Delivery {
    let case = a_case("Bauantrag von Erika Mustermann");
    let id = case.meta().id;
    links.iter_mut().for_each(|link| link.record = id);
    let mut dispatch = serde_json::to_value(a_meta()).unwrap();
    let said = json!({
        "caseId": id,
        "kind": "notification",
        "notice": { "subject": "Ihr Antrag", "text": "Liebe Erika" },
        "otherwise": ["print"],
        "way": "push",
        "status": "open",
    });
    dispatch.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let record = Record::from_json(RecordKind::Dispatch, dispatch).unwrap();
    let about = About { record, above: vec![case], links, files: vec![] };
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "record.created".into(),
        record: None,
        detail: json!({}),
        about: Some(Box::new(about)),
    }
}

fn step(receipt: &Receipt) -> DispatchStatus {
    match &receipt.commands[0].change {
        Change::DispatchStep(step, _) => step.kind,
        _ => panic!("no step"),
    }
}

#[tokio::test]
async fn every_browser_of_a_case_is_told_and_those_that_left_are_forgotten() {
    let (base, asked) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let links = ["/a/201", "/b/410", "/cc/404", "/ddd/413", "/eeee/307"];
    let links = links.map(|path| link(&format!("{base}{path}"), P256DH, AUTH)).to_vec();
    let delivery = delivery(links);
    let receipt = push.deliver(&delivery, &[]).await.unwrap();
    assert_eq!(step(&receipt), DispatchStatus::Posted);
    let ended: Vec<&str> = receipt.links.iter().map(|it| it.reference.rsplit('/').next().unwrap()).collect();
    assert_eq!(ended, ["410", "404"]);
    assert!(receipt.links.iter().all(|link| link.state.get("auth").is_none()));
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(asked.len(), 5, "a redirect is not followed");
    let headers = &asked[0].1;
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!((header("ttl"), header("content-encoding")), ("3600", "aes128gcm"));
    assert_eq!(header("topic").len(), 32);
    assert!(header("authorization").starts_with("vapid t=ey"));
    // Told again, it takes the place of the first.
    let again = push.deliver(&delivery, &[]).await.unwrap();
    assert_eq!(again, receipt);
}

#[tokio::test]
async fn a_push_service_that_wants_to_be_left_alone_is() {
    let (base, _) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let links = |paths: &[&str]| paths.iter().map(|it| link(&format!("{base}{it}"), P256DH, AUTH)).collect();
    let failure = push.deliver(&delivery(links(&["/a/429", "/bb/410"])), &[]).await.unwrap_err();
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::Transient, Some(Duration::from_secs(7))));
    let taken = push.deliver(&delivery(links(&["/a/429", "/bb/201"])), &[]).await.unwrap();
    assert_eq!(step(&taken), DispatchStatus::Posted);
}

#[tokio::test]
async fn if_no_browser_is_left_the_dispatch_has_failed() {
    let (base, _) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let mut ended = link(&format!("{base}/201"), P256DH, AUTH);
    ended.state = json!({ "ended": "2026-11-30T08:00:00Z" });
    for links in [vec![], vec![ended], vec![link(&format!("{base}/410"), P256DH, AUTH)]] {
        let receipt = push.deliver(&delivery(links), &[]).await.unwrap();
        assert_eq!(step(&receipt), DispatchStatus::Failed);
    }
    let broken = push.deliver(&delivery(vec![link(&base, "AAAA", AUTH)]), &[]).await.unwrap();
    assert_eq!((step(&broken), broken.links.len()), (DispatchStatus::Failed, 1));
}

#[tokio::test]
async fn nobody_leads_us_into_the_house() {
    let (base, asked) = service().await;
    let push = push(&[]);
    let port = base.rsplit(':').next().unwrap();
    for endpoint in [
        base.clone(),
        format!("https://127.0.0.1:{port}/201"),
        format!("https://localhost:{port}/201"),
        format!("https://[::1]:{port}/201"),
        format!("https://0x7f.1:{port}/201"),
        format!("https://2130706433:{port}/201"),
        "https://169.254.169.254/latest".into(),
        "https://10.0.0.1/".into(),
        "https://user@127.0.0.1/".into(),
        "file:///etc/passwd".into(),
        "gopher://127.0.0.1/".into(),
    ] {
        let receipt = push.deliver(&delivery(vec![link(&endpoint, P256DH, AUTH)]), &[]).await.unwrap();
        assert_eq!(step(&receipt), DispatchStatus::Failed, "{endpoint}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_another_way_s_is_left_to_it() {
    let push = push(&[]);
    let mut other = delivery(vec![]);
    if let Some(Record::Dispatch(dispatch)) = other.about.as_deref_mut().map(|about| &mut about.record) {
        dispatch.way = Some("print".into());
    }
    assert!(push.deliver(&other, &[]).await.unwrap().nothing);
}

#[tokio::test]
async fn documents_are_not_pushed() {
    let mut with_document = delivery(vec![]);
    if let Some(Record::Dispatch(dispatch)) =
        with_document.about.as_deref_mut().map(|about| &mut about.record)
    {
        dispatch.documents = vec![ids::new_id()];
    }
    let failure = push(&[]).deliver(&with_document, &[]).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Permanent, "web-push.documents"));
}
