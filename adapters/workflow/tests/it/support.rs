//! Settings, deliveries, and an engine with the sample process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapter_workflow::{
    Action, Cancelled, Kind, Message, Process, Settings, Topic, Variable, Wait, Workflow,
};
use conformance::simulate::camunda::Simulator;
use model::adapter::{About, Delivery, Link};
use model::outbound::ChosenBy;
use model::{EventKind, Record, RecordKind, SystemClock, ids};
use net::{Client, Egress, Method, Request};
use serde_json::{Value, json};

/// A process with an external task for people, one for the gateway, and a message that is waited for.
pub(crate) const MODEL: &str = r#"<definitions xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:test">
  <message id="m" name="ZahlungEingegangen"/>
  <error id="e" name="Abgelehnt" errorCode="ABGELEHNT"/>
  <process id="antrag" name="Antrag" isExecutable="true" camunda:historyTimeToLive="P180D">
    <startEvent id="start"/>
    <sequenceFlow id="f1" sourceRef="start" targetRef="pruefen"/>
    <serviceTask id="pruefen" name="Prüfen" camunda:type="external" camunda:topic="pruefung"/>
    <boundaryEvent id="abgelehnt" attachedToRef="pruefen"><errorEventDefinition id="d" errorRef="e" camunda:errorCodeVariable="fehler"/></boundaryEvent>
    <sequenceFlow id="f1e" sourceRef="abgelehnt" targetRef="ende2"/>
    <endEvent id="ende2"/>
    <sequenceFlow id="f2" sourceRef="pruefen" targetRef="zahlung"/>
    <intermediateCatchEvent id="zahlung"><messageEventDefinition id="md" messageRef="m"/></intermediateCatchEvent>
    <sequenceFlow id="f3" sourceRef="zahlung" targetRef="schliessen"/>
    <serviceTask id="schliessen" name="Schließen" camunda:type="external" camunda:topic="schliessen"/>
    <sequenceFlow id="f4" sourceRef="schliessen" targetRef="ende"/>
    <endEvent id="ende"/>
  </process>
</definitions>"#;

pub(crate) fn settings(url: &str) -> Settings {
    let variable = |name: &str, value: &str| Variable { name: name.into(), value: value.parse().unwrap() };
    Settings {
        id: "engine".into(),
        url: url.into(),
        login: None,
        engine_tenant: None,
        worker: None,
        processes: vec![Process {
            service: Some("baugenehmigung".into()),
            key: "antrag".into(),
            variables: vec![variable("titel", "case.title"), variable("quelle", "=amtsbote")],
        }],
        messages: vec![Message {
            event: EventKind::PaymentPaid,
            record: RecordKind::Payment,
            service: None,
            status: None,
            name: "ZahlungEingegangen".into(),
            keep: true,
            variables: vec![variable("betrag", "record.amountCents")],
        }],
        topics: vec![
            Topic {
                name: "pruefung".into(),
                kind: Kind::Task {
                    title: "=Antrag prüfen".parse().unwrap(),
                    unit: None,
                    due: Some(Wait::For(Duration::from_secs(3_600))),
                    result: "ergebnis".into(),
                    cancelled: Cancelled::Error("ABGELEHNT".into()),
                },
            },
            Topic { name: "schliessen".into(), kind: Kind::Service { action: Action::Close, refused: None } },
        ],
        within: Duration::from_millis(700),
        wait: Duration::ZERO,
        pause: Duration::from_secs(1),
        history: true,
    }
}

pub(crate) fn client() -> Client {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    Client::new(egress, net::Settings::default(), Arc::new(SystemClock))
}

pub(crate) fn workflow(url: &str) -> Workflow {
    Workflow::new(settings(url), client(), Arc::new(SystemClock))
}

pub(crate) async fn engine() -> Simulator {
    let engine = Simulator::start().await.unwrap();
    engine.deploy(MODEL);
    engine
}

/// A call by somebody else.
pub(crate) async fn post(url: &str, path: &str, body: &Value) -> Value {
    let request = Request {
        method: Method::POST,
        url: format!("{url}{path}"),
        chosen_by: ChosenBy::Administrator,
        headers: vec![("content-type".into(), "application/json".into())],
        body: Some(body.to_string().into_bytes().into()),
        within: Duration::from_secs(5),
        most_answer: 1 << 16,
    };
    serde_json::from_slice(&client().send(request).await.unwrap().body).unwrap_or_default()
}

/// External tasks that another worker has locked for a second.
pub(crate) async fn fetch(url: &str, topic: &str, most: usize) -> Value {
    let topics = json!([{ "topicName": topic, "lockDuration": 1_000 }]);
    let body = json!({ "workerId": "other", "maxTasks": most, "topics": topics });
    post(url, "/external-task/fetchAndLock", &body).await
}

/// What is told of a record that lies in these.
pub(crate) fn told(event: EventKind, record: &Record, above: Vec<Record>, links: Vec<Link>) -> Delivery {
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: json!(event).as_str().unwrap().to_owned(),
        record: Some((record.kind(), record.meta().id)),
        detail: json!({ "eventNumber": 1 }),
        about: Some(Box::new(About { record: record.clone(), above, links, files: vec![] })),
    }
}

/// A recording of a real engine: request line, header fields and body; status and body.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
}

pub(crate) fn recordings() -> Vec<Recorded> {
    let Some(folder) = conformance::shared("samples/workflow/camunda-rest") else { return vec![] };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| recorded(path)).collect()
}

fn recorded(path: &Path) -> Recorded {
    let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let (request, answer) = text.split_once("==== RESPONSE ====\n").unwrap();
    let (head, body) = request.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, path_and_query) = (first.next().unwrap(), first.next().unwrap());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let (status, answer) = answer.split_once("\n\n").unwrap_or((answer, ""));
    Recorded {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        method: method.to_owned(),
        path: path_and_query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: body.trim_end().to_owned(),
        status: status.split(' ').nth(1).unwrap().parse().unwrap(),
        answer: answer.trim_end().to_owned(),
    }
}
