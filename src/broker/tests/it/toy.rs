//! A message standard for tests: one JSON object per message.
//!
//! `{"toy": "0401", "process": uuid, "receipt": bool, "objects": [[uuid, title]], "results": [[uuid, bool]],
//! "answers": uuid, "day": date, "refused": reason}`

use std::io::Write;

use model::case::{Case, Description, Priority, RecordStatus};
use model::exchange::{ExchangeKind, ImportResult, ImportResults};
use model::standard::{
    Acknowledgement, Endpoint, Identity, Intake, Meaning, Object, Outgoing, OutgoingContent, Records, Source,
    Standard, Written, placeholder,
};
use model::{Failure, Finding, Id, Record, Report};
use serde_json::{Value, json};

pub struct Toy;

impl Toy {
    fn parse(source: &mut dyn Source) -> Result<Value, Failure> {
        let io = |_| Failure::transient("toy.io", "unreadable");
        source.rewind().map_err(io)?;
        let mut bytes = vec![];
        source.read_to_end(&mut bytes).map_err(io)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

fn identity(message: &Value) -> Option<Identity> {
    let message_type = message["toy"].as_str()?.to_owned();
    Some(Identity {
        standard: "toy".into(),
        version: "1".into(),
        name: message_type.clone(),
        message_type,
        process_id: message["process"].as_str().and_then(|id| id.parse().ok()),
        answers: message["answers"].as_str().and_then(|id| id.parse().ok()),
        acknowledgement: message["day"].as_str().map(|day| Acknowledgement {
            day: Some(day.to_owned()),
            refused: message["refused"].as_str().map(str::to_owned),
        }),
        recipient: message["to"]
            .as_str()
            .map(|to| Endpoint { authority: to.parse().ok(), ..Endpoint::default() }),
        wants_receipt: message["receipt"] == json!(true),
        ..Identity::default()
    })
}

fn uuid(value: &Value) -> Id {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Standard for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn writes(&self) -> &'static [&'static str] {
        &["1"]
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        Ok(identity(&Self::parse(source)?))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let message = Self::parse(source)?;
        if message["broken"] == json!(true) {
            report.add(Finding::error("toy.broken").at(1, "/toy"));
        }
        Ok(identity(&message))
    }

    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure> {
        let message = Self::parse(source)?;
        for object in message["objects"].as_array().into_iter().flatten() {
            let title = object[1].as_str().unwrap_or_default().to_owned();
            intake.file(&title, &mut title.as_bytes())?;
            let record = Record::Case(Case {
                meta: placeholder(),
                description: Description { title, ..Description::default() },
                case_file: None,
                parent: None,
                status: RecordStatus::Open,
                priority: Priority::Normal,
                locations: vec![],
            });
            intake.object(Object { object_id: uuid(&object[0]), ancestors: vec![], record })?;
        }
        let results = || {
            message["results"].as_array().into_iter().flatten().map(|result| {
                let successful = result[1] == json!(true);
                (uuid(&result[0]), ImportResult { successful, ..ImportResult::default() })
            })
        };
        Ok(match message["toy"].as_str() {
            Some("0401") => Meaning::Records(ExchangeKind::Handover),
            Some("0402") => {
                Meaning::ImportResults(ImportResults { whole: None, objects: results().collect() })
            }
            Some("0403") => Meaning::Receipt,
            _ => Meaning::CarryOn,
        })
    }

    fn write(
        &self,
        message: &Outgoing,
        records: &mut dyn Records,
        out: &mut dyn Write,
    ) -> Result<Written, Failure> {
        let (message_type, objects, results) = match &message.content {
            OutgoingContent::Records(_) => {
                let mut objects = vec![];
                for id in records.roots() {
                    let record = records.record(id)?;
                    objects.push(json!([id, record.description().map(|d| d.title.clone())]));
                }
                ("0401", objects, vec![])
            }
            OutgoingContent::Receipt => ("0403", vec![], vec![]),
            OutgoingContent::ImportResults(results) => {
                let results = results.objects.iter().map(|(id, result)| json!([id, result.successful]));
                ("0402", vec![], results.collect())
            }
            _ => return Err(Failure::permanent("toy.not-written", "no such message")),
        };
        let json = json!({
            "toy": message_type, "process": message.process_id, "receipt": message.wants_receipt,
            "objects": objects, "results": results,
        });
        out.write_all(json.to_string().as_bytes()).map_err(|_| Failure::transient("toy.io", "unwritable"))?;
        let identity = identity(&json).ok_or_else(|| Failure::permanent("toy.internal", "not written"))?;
        Ok(Written { identity, file_name: format!("{}.json", message.process_id), report: Report::default() })
    }
}
