//! The client, towards servers as they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_mobile::OpenClient;
use adapter_mobile::settings::{ClientSettings, Publish};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use model::adapter::{About, Adapter, Delivery, Link, Receipt};
use model::case::{Location, RecordStatus, Reference};
use model::testkit::a_case;
use model::{Failure, FailureKind, Id, Record, ids};
use serde_json::json;

use crate::support::{Memory, Stopped, client};

/// What a foreign server was asked, and what it answers next.
#[derive(Default)]
struct Foreign {
    asked: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<(u16, &'static str)>>,
}

async fn answer(State(foreign): State<Arc<Foreign>>, request: Request) -> (StatusCode, &'static str) {
    let (parts, body) = request.into_parts();
    let body = futures::StreamExt::collect::<Vec<_>>(body.into_data_stream()).await;
    let body: Vec<u8> = body.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
    let body = String::from_utf8(body).unwrap();
    foreign.asked.lock().unwrap().push(format!("{} {} {body}", parts.method, parts.uri));
    let (status, text) = foreign.answers.lock().unwrap().pop_front().unwrap_or((404, ""));
    (StatusCode::from_u16(status).unwrap(), text)
}

struct Bed {
    foreign: Arc<Foreign>,
    client: OpenClient,
    clock: Arc<Stopped>,
    host: Arc<Memory>,
}

impl Bed {
    async fn new(json: bool) -> Bed {
        Bed::saying(Publish::AtOnce, json).await
    }

    async fn saying(text: Publish, json: bool) -> Bed {
        let foreign = Arc::new(Foreign::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&foreign));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = ClientSettings {
            id: "land".into(),
            url: format!("http://{address}/v2"),
            jurisdiction: Some("land.example".into()),
            key: Some("geheim".to_owned().into()),
            email: None,
            json,
            text,
            services: vec![("baugenehmigung".into(), "POT".into())],
            closes: true,
            within: Duration::from_secs(5),
            pause: Duration::from_secs(600),
        };
        let clock = Stopped::new();
        let client = OpenClient::new(settings, client(&["127.0.0.0/8"]), clock.clone());
        Bed { foreign, client, clock, host: Arc::default() }
    }

    async fn told(&self, delivery: &Delivery) -> Result<Receipt, Failure> {
        self.client.deliver_noting(delivery, &[], self.host.clone()).await
    }

    fn link(&self, case: Id) -> Link {
        let kept = self.host.0.lock().unwrap();
        kept.links.iter().find(|link| link.record == case).unwrap().clone()
    }

    fn answers(&self, status: u16, text: &'static str) {
        self.foreign.answers.lock().unwrap().push_back((status, text));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.foreign.asked.lock().unwrap())
    }

    /// A case here, with its report there.
    fn reported(&self, reference: &str) -> model::Id {
        let case = case();
        let id = case.meta().id;
        let link = Link {
            kind: model::RecordKind::Case,
            record: id,
            part: String::new(),
            reference: reference.into(),
            state: json!({ "status": "open" }),
        };
        let mut kept = self.host.0.lock().unwrap();
        kept.records.push(case);
        kept.links.push(link);
        id
    }
}

fn case() -> Record {
    let mut record = a_case("Schlagloch");
    if let Record::Case(case) = &mut record {
        case.description.note = Some("tief & breit".into());
        case.locations = vec![Location {
            latitude_micro: Some(51_500_000),
            longitude_micro: Some(8_100_000),
            description: Some("bei Mustermann".into()),
            ..Location::default()
        }];
        case.description.parties = vec![model::party::Party {
            contacts: vec![model::party::Contact {
                channel: "email".into(),
                value: "erika@mail.example".into(),
                addition: None,
            }],
            ..Default::default()
        }];
    }
    record
}

fn delivery(record: Record, links: Vec<Link>) -> Delivery {
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "record.created".into(),
        record: None,
        detail: json!({}),
        about: Some(Box::new(About { record, above: vec![], links, files: vec![] })),
    }
}

#[tokio::test]
async fn a_case_is_reported_once_and_names_nobody() {
    let bed = Bed::new(true).await;
    bed.answers(200, r#"[{"service_request_id":638344}]"#);
    let receipt = bed.told(&delivery(case(), vec![])).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("638344"));
    let asked = bed.asked();
    assert_eq!(
        asked,
        [
            "POST /v2/requests.json lat=51.5&long=8.1&service_code=POT&api_key=geheim&jurisdiction_id=land.example&\
          address_string=bei+Mustermann&description=tief+%26+breit"
        ]
    );
    let record = case();
    let link = Link { record: record.meta().id, ..receipt.links[0].clone() };
    assert!(bed.told(&delivery(record, vec![link])).await.unwrap().nothing);
    let mut other = case();
    other.meta_mut().public_service = Some("gewerbe".into());
    assert!(bed.told(&delivery(other, vec![])).await.unwrap().nothing);
    assert!(bed.asked().is_empty());
}

#[tokio::test]
async fn what_went_wrong_is_told_by_its_kind() {
    use FailureKind::{Permanent, Transient, Unauthorised, Uncertain};
    let bed = Bed::new(false).await;
    let unauthorised = "<error_messages><error><code>401</code></error></error_messages>";
    for (status, text, kind) in [
        (403, "", Unauthorised),
        (500, unauthorised, Unauthorised),
        (500, "oops", Uncertain),
        (503, "", Transient),
        (429, "", Transient),
        (400, "<errors><error><code>400</code></error></errors>", Permanent),
        (301, "", Permanent),
        (200, "<service_requests/>", Uncertain),
        (200, "thanks", Uncertain),
    ] {
        bed.answers(status, text);
        let failure = bed.told(&delivery(case(), vec![])).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{status} {text}");
        assert!(!failure.detail.contains("geheim"));
    }
}

#[tokio::test]
async fn what_becomes_of_a_report_is_told_on_its_case() {
    let bed = Bed::new(true).await;
    let open = bed.reported("7");
    let closed = bed.reported("token:abc-1");
    bed.answers(200, r#"[{"service_request_id":"8","token":"abc-1"}]"#);
    bed.answers(
        200,
        r#"[{"servicerequest_id":7,"status":"OPEN"},
            {"servicerequest_id":8,"status":"closed","updated_datetime":"2026-11-30T09:00:00+01:00","x":[]}]"#,
    );
    let pause = bed.client.run(bed.host.clone()).await.unwrap();
    assert_eq!(pause, Duration::from_secs(600));
    let asked = bed.asked();
    assert!(asked[0].starts_with("GET /v2/tokens/abc-1.json?jurisdiction_id=land.example"), "{asked:?}");
    assert!(asked[1].contains("service_request_id="), "{asked:?}");
    {
        let kept = bed.host.0.lock().unwrap();
        let status = |id| kept.records.iter().find(|it| it.meta().id == id).unwrap().status();
        assert_eq!((status(open), status(closed)), ("open", RecordStatus::Closed.name()));
        let (key, note) = kept.notes.first_key_value().unwrap();
        assert!(key.starts_with(&closed.to_string()));
        assert_eq!(note["report"], "8");
    }
    // Nothing new: nothing is told again.
    bed.answers(200, r#"[{"service_request_id":"7","status":"open"}]"#);
    bed.client.run(bed.host.clone()).await.unwrap();
    assert_eq!(bed.host.0.lock().unwrap().notes.len(), 1);
    bed.answers(500, r#"[{"code":401}]"#);
    let failure = bed.client.run(bed.host.clone()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorised);
}

#[tokio::test]
async fn what_citizens_wrote_leaves_the_house_as_the_house_says() {
    let published = |value: &str| {
        let mut record = case();
        let Record::Case(case) = &mut record else { panic!("a case") };
        case.description.references.push(Reference { kind: "published".into(), value: value.into() });
        record
    };
    for (text, record, expected) in [
        (Publish::Never, case(), Some("description=Schlagloch")),
        (Publish::Never, published("yes"), Some("description=Schlagloch")),
        (Publish::AfterCheck, case(), None),
        (Publish::AfterCheck, published("no"), None),
        (Publish::AfterCheck, published("yes"), Some("description=tief+%26+breit")),
        (Publish::AtOnce, case(), Some("description=tief+%26+breit")),
        (Publish::AtOnce, published("no"), None),
    ] {
        let bed = Bed::saying(text, true).await;
        bed.answers(200, r#"[{"service_request_id":1}]"#);
        let receipt = bed.told(&delivery(record, vec![])).await.unwrap();
        let asked = bed.asked();
        assert_eq!((asked.len(), receipt.nothing), (usize::from(expected.is_some()), expected.is_none()));
        let said = asked.first().map(String::as_str).unwrap_or_default();
        assert!(said.contains(expected.unwrap_or_default()), "{text:?} {said}");
        assert_eq!(said.contains("Mustermann"), said.contains("tief"), "{text:?} {said}");
    }
}

#[tokio::test]
async fn a_case_is_not_reported_again_by_another_change_though_nobody_knows_what_became_of_it() {
    let bed = Bed::new(true).await;
    let record = case();
    let id = record.meta().id;
    let first = delivery(record.clone(), vec![]);
    bed.answers(500, "oops");
    assert_eq!(bed.told(&first).await.unwrap_err().kind, FailureKind::Uncertain);
    let begun = vec![bed.link(id)];
    bed.asked();
    assert!(bed.told(&delivery(record.clone(), begun.clone())).await.unwrap().nothing);
    bed.host.0.lock().unwrap().records.push(record.clone());
    bed.client.run(bed.host.clone()).await.unwrap();
    assert!(bed.asked().is_empty(), "there is nothing to ask for");
    // A human has it sent again.
    bed.answers(200, r#"[{"service_request_id":9}]"#);
    let again = Delivery { about: delivery(record, begun).about, ..first };
    assert_eq!(bed.told(&again).await.unwrap().reference.as_deref(), Some("9"));
}

#[tokio::test]
async fn a_report_that_is_not_known_any_more_keeps_no_other_from_being_heard_of() {
    let bed = Bed::new(true).await;
    let ids = ["5", "6", "token:x"].map(|reference| bed.reported(reference));
    // Sessions begin with the newest.
    let services = "[]";
    for (status, text) in [
        (404, ""),
        (200, services),
        (404, "[{\"code\":404}]"),
        (404, ""),
        (200, services),
        (200, r#"[{"service_request_id":"5","status":"closed"}]"#),
    ] {
        bed.answers(status, text);
    }
    bed.client.run(bed.host.clone()).await.unwrap();
    let notes: Vec<String> = bed.host.0.lock().unwrap().notes.keys().cloned().collect();
    let [known, gone, token] = ids;
    let mut expected = [format!("{known}:closed:1"), format!("{gone}:gone"), format!("{token}:gone")];
    expected.sort();
    assert_eq!(notes, expected);
    bed.asked();
    bed.client.run(bed.host.clone()).await.unwrap();
    assert!(bed.asked().is_empty(), "what is gone is left alone for a day, and what is closed here for ever");
    bed.clock.later(25 * 3_600);
    bed.answers(200, r#"[{"service_request_id":"8"}]"#);
    bed.answers(
        200,
        r#"[{"service_request_id":"6","status":"open"},{"service_request_id":"8","status":"open"}]"#,
    );
    bed.client.run(bed.host.clone()).await.unwrap();
    assert_eq!(bed.asked().len(), 2, "once it is known again, it is as before");
}

#[tokio::test]
async fn a_server_that_knows_nothing_at_all_is_not_believed() {
    let bed = Bed::new(true).await;
    bed.reported("7");
    let failure = bed.client.run(bed.host.clone()).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "open311.refused"));
    assert!(bed.host.0.lock().unwrap().notes.is_empty());
}

#[tokio::test]
async fn what_is_opened_and_closed_again_is_told_again() {
    let bed = Bed::new(true).await;
    let id = bed.reported("7");
    for (status, expected) in [("closed", 1), ("open", 2), ("closed", 3)] {
        let answer = format!("[{{\"service_request_id\":\"7\",\"status\":\"{status}\"}}]");
        bed.answers(200, answer.leak());
        bed.client.run(bed.host.clone()).await.unwrap();
        assert_eq!(bed.host.0.lock().unwrap().notes.len(), expected);
        assert!(bed.asked()[0].contains("status=open%2Cclosed"));
        // A clerk opens it again.
        if let Some(Record::Case(case)) = bed.host.0.lock().unwrap().records.first_mut() {
            case.status = RecordStatus::Open;
        }
    }
    assert_eq!(bed.host.0.lock().unwrap().submitted.len(), 2);
    assert_eq!(bed.link(id).state["changes"], 3);
}
