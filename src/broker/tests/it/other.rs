//! Another standard for tests: its messages have ids of their own, it rejects, and it knows facts.

use std::io::Write;
use std::sync::Arc;

use model::case::{Case, Description, Priority, RecordStatus};
use model::standard::{
    Acknowledgement, Endpoint, Identity, Intake, Meaning, Object, Outgoing, Records, Rejecting, Source,
    Standard, Written, placeholder,
};
use model::{Failure, Finding, Id, Record, Report};
use serde_json::{Value, json};

/// A standard whose messages have ids of their own: `{"other": type, "id": uuid, "to": key, "wrong": rule, "rejects": uuid}`. It rejects
/// what is broken, by a message that is broken itself if the rejected one `spoils` it; what it calls an invoice becomes a case.
pub struct Other;

fn parse(source: &mut dyn Source) -> Value {
    let mut bytes = vec![];
    source.rewind().and_then(|()| source.read_to_end(&mut bytes)).unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn identity(message: &Value) -> Option<Identity> {
    let message_type = message["other"].as_str()?.to_owned();
    let id = |member: &str| message[member].as_str().and_then(|id| id.parse().ok());
    Some(Identity {
        standard: "other".into(),
        version: "1".into(),
        name: message_type.clone(),
        message_type,
        message_id: id("id"),
        process_id: id("id"),
        answers: id("rejects"),
        recipient: message["to"]
            .as_str()
            .map(|to| Endpoint { authority: to.parse().ok(), ..Endpoint::default() }),
        acknowledgement: id("rejects")
            .map(|_| Acknowledgement { day: None, refused: message["code"].as_str().map(str::to_owned) }),
        ..Identity::default()
    })
}

impl Standard for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn writes(&self) -> &'static [&'static str] {
        &[]
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        Ok(identity(&parse(source)))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let message = parse(source);
        if let Some(rule) = message["wrong"].as_str() {
            report.add(Finding::error(rule));
        }
        Ok(identity(&message))
    }

    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure> {
        let message = parse(source);
        if message["other"] != "invoice" {
            return Ok(Meaning::CarryOn);
        }
        let record = Record::Case(Case {
            meta: placeholder(),
            description: Description { title: "Rechnung 7".into(), ..Description::default() },
            case_file: None,
            parent: None,
            status: RecordStatus::Open,
            priority: Priority::Normal,
            locations: vec![],
        });
        intake.object(Object { object_id: Id::from_u128(7), ancestors: vec![], record })?;
        Ok(Meaning::Facts)
    }

    fn write(&self, _: &Outgoing, _: &mut dyn Records, _: &mut dyn Write) -> Result<Written, Failure> {
        Err(Failure::permanent("other.not-written", "nothing is written"))
    }

    fn rejection(
        &self,
        rejecting: &Rejecting,
        report: &Report,
        source: &mut dyn Source,
        out: &mut dyn Write,
    ) -> Result<Option<Written>, Failure> {
        let message = parse(source);
        if message["other"] == "rueckweisung" {
            return Ok(None);
        }
        let code = report.findings.first().map_or("none", |finding| finding.rule.as_str());
        let json = json!({
            "other": "rueckweisung", "id": rejecting.message_id, "rejects": message["id"], "code": code,
            "wrong": message["spoils"],
            "town": rejecting.by.addresses.first().and_then(|address| address.town.clone()),
        });
        out.write_all(json.to_string().as_bytes()).unwrap();
        let identity = identity(&json).unwrap();
        Ok(Some(Written { identity, file_name: "rueckweisung.json".into(), report: Report::default() }))
    }
}

/// The standards of these tests.
pub fn standards() -> Vec<Arc<dyn Standard>> {
    vec![Arc::new(crate::toy::Toy), Arc::new(Other)]
}
