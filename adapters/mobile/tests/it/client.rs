//! The client, towards servers as they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_mobile::OpenClient;
use adapter_mobile::settings::ClientSettings;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use model::adapter::{About, Adapter, Delivery, Link};
use model::case::{Location, RecordStatus};
use model::testkit::a_case;
use model::{FailureKind, Record, ids};
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
    host: Arc<Memory>,
}

impl Bed {
    async fn new(json: bool) -> Bed {
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
            services: vec![("baugenehmigung".into(), "POT".into())],
            closes: true,
            within: Duration::from_secs(5),
            pause: Duration::from_secs(600),
        };
        let client = OpenClient::new(settings, client(&["127.0.0.0/8"]), Stopped::new());
        Bed { foreign, client, host: Arc::default() }
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
    let receipt = bed.client.deliver(&delivery(case(), vec![]), &[]).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("638344"));
    let asked = bed.asked();
    assert_eq!(
        asked,
        [
            "POST /v2/requests.json lat=51.5&long=8.1&service_code=POT&api_key=geheim&jurisdiction_id=land.example&\
          description=tief+%26+breit"
        ]
    );
    let record = case();
    let link = Link { record: record.meta().id, ..receipt.links[0].clone() };
    assert!(bed.client.deliver(&delivery(record, vec![link]), &[]).await.unwrap().nothing);
    let mut other = case();
    other.meta_mut().public_service = Some("gewerbe".into());
    assert!(bed.client.deliver(&delivery(other, vec![]), &[]).await.unwrap().nothing);
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
        let failure = bed.client.deliver(&delivery(case(), vec![]), &[]).await.unwrap_err();
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
