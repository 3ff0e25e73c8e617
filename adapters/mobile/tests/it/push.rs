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
use model::{Clock as _, Failure, FailureKind, Record, RecordKind, ids};
use serde_json::json;

use crate::support::{Memory, Stopped, client};

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

fn settings() -> PushSettings {
    PushSettings {
        id: "push".into(),
        key: key().into(),
        contact: "mailto:it@kreis.example".into(),
        keeps: Duration::from_secs(3_600),
        within: Duration::from_secs(5),
    }
}

pub(crate) fn push(allow: &[&str]) -> WebPush {
    WebPush::new(settings(), client(allow), Stopped::new()).unwrap()
}

/// A broker that keeps the subscriptions of a notice.
pub(crate) fn remembering(delivery: &Delivery) -> Arc<Memory> {
    let host = Arc::new(Memory::default());
    host.0.lock().unwrap().links = delivery.about.as_deref().unwrap().links.clone();
    host
}

fn remembered(host: &Memory) -> Vec<Link> {
    host.0.lock().unwrap().links.clone()
}

pub(crate) async fn told(
    push: &WebPush,
    delivery: &Delivery,
    host: &Arc<Memory>,
) -> Result<Receipt, Failure> {
    push.deliver_noting(delivery, &[], host.clone()).await
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
    let host = remembering(&delivery);
    let receipt = told(&push, &delivery, &host).await.unwrap();
    assert_eq!(step(&receipt), DispatchStatus::Posted);
    let kept = remembered(&host);
    let ended = kept.iter().filter(|link| link.state.get("ended").is_some());
    let paths: Vec<&str> = ended.clone().map(|it| it.reference.rsplit('/').next().unwrap()).collect();
    assert_eq!(paths, ["410", "404"]);
    assert!(ended.clone().all(|link| link.state.get("auth").is_none()));
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(asked.len(), 5, "a redirect is not followed");
    let headers = &asked[0].1;
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!((header("ttl"), header("content-encoding")), ("3600", "aes128gcm"));
    assert_eq!(header("topic").len(), 32);
    assert!(header("authorization").starts_with("vapid t=ey"));
    // Told again as if nothing were known of it, it takes the place of the first.
    let again = told(&push, &delivery, &remembering(&delivery)).await.unwrap();
    assert_eq!(again, receipt);
}

#[tokio::test]
async fn a_push_service_that_wants_to_be_left_alone_is() {
    let (base, _) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let links_to =
        |paths: &[&str]| paths.iter().map(|it| link(&format!("{base}{it}"), P256DH, AUTH)).collect();
    let waiting = delivery(links_to(&["/a/429", "/bb/410"]));
    let host = remembering(&waiting);
    let failure = told(&push, &waiting, &host).await.unwrap_err();
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::Transient, Some(Duration::from_secs(7))));
    let ended: Vec<bool> = remembered(&host).iter().map(|link| link.state.get("ended").is_some()).collect();
    assert_eq!(ended, [false, true], "what has ended is not called again");
}

#[tokio::test]
async fn a_browser_that_cannot_be_reached_is_tried_for_a_while_though_another_has_the_notice() {
    let (base, asked) = service().await;
    let (clock, allow) = (Stopped::new(), client(&["127.0.0.0/8"]));
    let push = WebPush::new(settings(), allow, clock.clone()).unwrap();
    let subscriptions = ["/a/201", "/bb/503"].map(|it| link(&format!("{base}{it}"), P256DH, AUTH)).to_vec();
    let mut delivery = delivery(subscriptions);
    if let Some(Record::Dispatch(it)) = delivery.about.as_deref_mut().map(|about| &mut about.record) {
        it.not_before = Some(clock.now());
    }
    let host = remembering(&delivery);
    for minutes in [0, 5, 5] {
        clock.later(minutes * 60);
        let failure = told(&push, &delivery, &host).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient);
        delivery.about.as_deref_mut().unwrap().links = remembered(&host);
    }
    let calls = |path: &str| asked.lock().unwrap().iter().filter(|(it, _)| it == path).count();
    assert_eq!((calls("/a/201"), calls("/bb/503")), (1, 3), "whoever has it is left alone");
    clock.later(5 * 60);
    assert_eq!(step(&told(&push, &delivery, &host).await.unwrap()), DispatchStatus::Posted);
    // The next notice goes to both.
    delivery.id = ids::new_id();
    told(&push, &delivery, &host).await.unwrap();
    assert_eq!((calls("/a/201"), calls("/bb/503")), (2, 5));
}

#[tokio::test]
async fn two_notices_of_a_case_under_way_at_once_come_once_each() {
    let (base, asked) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let subscriptions = ["/a/201", "/bb/503"].map(|it| link(&format!("{base}{it}"), P256DH, AUTH)).to_vec();
    let mut first = delivery(subscriptions);
    if let Some(Record::Dispatch(it)) = first.about.as_deref_mut().map(|about| &mut about.record) {
        it.not_before = Some(Stopped::new().now());
    }
    let mut second = Delivery { id: ids::new_id(), ..first.clone() };
    let host = remembering(&first);
    let calls = |path: &str| asked.lock().unwrap().iter().filter(|(it, _)| it == path).count();
    // Both begin before anything is kept.
    for delivery in [&first, &second, &first, &second] {
        told(&push, delivery, &host).await.unwrap_err();
    }
    assert_eq!(calls("/a/201"), 4, "what was looked at had not been told");
    for delivery in [&mut first, &mut second] {
        delivery.about.as_deref_mut().unwrap().links = remembered(&host);
        told(&push, delivery, &host).await.unwrap_err();
    }
    assert_eq!(calls("/a/201"), 4, "whoever has both is left alone");
    // Of many the newest are remembered.
    for _ in 0..30 {
        second.id = ids::new_id();
        told(&push, &second, &host).await.unwrap_err();
    }
    assert_eq!(remembered(&host)[0].state["told"].as_array().map(Vec::len), Some(16));
}

#[tokio::test]
async fn a_subscription_that_was_renewed_meanwhile_stays() {
    let (base, _) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let delivery = delivery(vec![link(&format!("{base}/410"), P256DH, AUTH)]);
    let host = remembering(&delivery);
    let renewed = json!({ "p256dh": P256DH, "auth": "AAAAAAAAAAAAAAAAAAAAAA" });
    host.0.lock().unwrap().links[0].state = renewed.clone();
    assert_eq!(step(&told(&push, &delivery, &host).await.unwrap()), DispatchStatus::Failed);
    assert_eq!(remembered(&host)[0].state, renewed);
}

#[tokio::test]
async fn if_no_browser_is_left_the_dispatch_has_failed() {
    let (base, _) = service().await;
    let push = push(&["127.0.0.0/8"]);
    let mut ended = link(&format!("{base}/201"), P256DH, AUTH);
    ended.state = json!({ "ended": "2026-11-30T08:00:00Z" });
    for links in [vec![], vec![ended], vec![link(&format!("{base}/410"), P256DH, AUTH)]] {
        let delivery = delivery(links);
        let receipt = told(&push, &delivery, &remembering(&delivery)).await.unwrap();
        assert_eq!(step(&receipt), DispatchStatus::Failed);
    }
    let broken = delivery(vec![link(&base, "AAAA", AUTH)]);
    let host = remembering(&broken);
    assert_eq!(step(&told(&push, &broken, &host).await.unwrap()), DispatchStatus::Failed);
    assert!(remembered(&host)[0].state.get("ended").is_some());
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
        let delivery = delivery(vec![link(&endpoint, P256DH, AUTH)]);
        let receipt = told(&push, &delivery, &remembering(&delivery)).await.unwrap();
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
    assert!(told(&push, &other, &Arc::default()).await.unwrap().nothing);
}

#[tokio::test]
async fn documents_are_not_pushed() {
    let mut with_document = delivery(vec![]);
    if let Some(Record::Dispatch(dispatch)) =
        with_document.about.as_deref_mut().map(|about| &mut about.record)
    {
        dispatch.documents = vec![ids::new_id()];
    }
    let failure = told(&push(&[]), &with_document, &Arc::default()).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Permanent, "web-push.documents"));
}
