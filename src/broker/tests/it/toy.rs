//! A message standard for tests: one JSON object per message.
//!
//! `{"toy": "0401", "process": uuid, "receipt": bool, "objects": [[uuid, title, [uuid of what it lies in], text if it is a document]],
//! "results": [[uuid, bool or null, archive reference]], "whole": bool, "appraisals": [[uuid, "archive"]], "route": route, "plan": plan,
//! "id": uuid, "test": bool, "sequence": {"number": 1, "total": 2}, "answers": uuid, "day": date, "refused": reason, "meets": 2}`. Objects below
//! others come before them. What `meets` others of its process waits until so many are being read.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use model::case::{Case, Description, Document, DocumentDates, File, Priority, RecordStatus, Version};
use model::exchange::{Appraisal, ExchangeKind, ImportResult, ImportResults};
use model::process::{Part, meaning_of, message_type};
use model::standard::{
    Acknowledgement, Endpoint, Identity, Intake, Meaning, Object, Outgoing, OutgoingContent, Records, Source,
    Standard, Written, placeholder,
};
use model::{Failure, Finding, Id, PayloadRef, Record, RecordKind, Report};
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
        message_id: message["id"].as_str().and_then(|id| id.parse().ok()),
        sequence: serde_json::from_value(message["sequence"].clone()).ok(),
        process_id: message["process"].as_str().and_then(|id| id.parse().ok()),
        answers: message["answers"].as_str().and_then(|id| id.parse().ok()),
        acknowledgement: message["day"].as_str().map(|day| Acknowledgement {
            day: Some(day.to_owned()),
            refused: message["refused"].as_str().map(str::to_owned),
        }),
        sender: message["from"]
            .as_str()
            .map(|from| Endpoint { authority: from.parse().ok(), ..Endpoint::default() }),
        recipient: message["to"]
            .as_str()
            .map(|to| Endpoint { authority: to.parse().ok(), ..Endpoint::default() }),
        wants_receipt: message["receipt"] == json!(true),
        test: message["test"] == json!(true),
        ..Identity::default()
    })
}

/// How many messages of a process have been read that meet others.
static MET: (Mutex<BTreeMap<Id, u64>>, Condvar) = (Mutex::new(BTreeMap::new()), Condvar::new());

fn meet(process: Id, count: u64) {
    let (met, changed) = &MET;
    let mut met = met.lock().unwrap();
    *met.entry(process).or_default() += 1;
    changed.notify_all();
    let waits = |met: &mut BTreeMap<Id, u64>| met[&process] < count;
    // Who never comes must not hold the test for ever.
    drop(changed.wait_timeout_while(met, Duration::from_secs(30), waits).unwrap());
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
        if let Some(count) = message["meets"].as_u64() {
            meet(uuid(&message["process"]), count);
        }
        for object in message["objects"].as_array().into_iter().flatten() {
            let title = object[1].as_str().unwrap_or_default().to_owned();
            let text = object[3].as_str();
            let content = intake.file(&title, &mut text.unwrap_or(&title).as_bytes())?;
            let description = Description { title, ..Description::default() };
            let record = match text {
                Some(_) => with_file(description, content),
                None => Record::Case(Case {
                    meta: placeholder(),
                    description,
                    case_file: None,
                    parent: None,
                    status: RecordStatus::Open,
                    priority: Priority::Normal,
                    locations: vec![],
                }),
            };
            let above = object[2].as_array().into_iter().flatten();
            let ancestors = above.map(|id| (RecordKind::Case, uuid(id))).collect();
            intake.object(Object {
                object_id: uuid(&object[0]),
                ancestors,
                record: as_document(record, &message),
            })?;
        }
        let results = || {
            message["results"].as_array().into_iter().flatten().map(|result| {
                // What an object does not say is said of everything.
                let successful = result[1].as_bool().unwrap_or(message["whole"] == json!(true));
                let archive_reference = result[2].as_str().map(str::to_owned);
                (uuid(&result[0]), ImportResult { successful, archive_reference, ..ImportResult::default() })
            })
        };
        let whole = message["whole"]
            .as_bool()
            .map(|successful| ImportResult { successful, ..ImportResult::default() });
        let appraisals = || message["appraisals"].as_array().into_iter().flatten().map(appraisal).collect();
        let plan = || serde_json::from_value(message["plan"].clone()).unwrap_or_default();
        Ok(match message["toy"].as_str() {
            Some("0401") => Meaning::Records(ExchangeKind::Handover),
            Some("0503") => Meaning::Records(ExchangeKind::Disposition),
            Some("0501") => Meaning::Offer,
            Some("0201") => {
                Meaning::Circulation(serde_json::from_value(message["route"].clone()).unwrap_or_default())
            }
            Some("0301") => Meaning::FilePlan(plan()),
            Some("0511") => Meaning::FilePlanToAppraise(plan()),
            Some("0502" | "0513") => Meaning::Appraisals(appraisals()),
            Some("0402" | "0506" | "0514") => {
                Meaning::ImportResults(ImportResults { whole, objects: results().collect() })
            }
            Some("0403" | "0102" | "0202" | "0302" | "0504" | "0505" | "0507" | "0512" | "0515") => {
                Meaning::Receipt
            }
            _ => Meaning::CarryOn,
        })
    }

    fn write(
        &self,
        message: &Outgoing,
        records: &mut dyn Records,
        out: &mut dyn Write,
    ) -> Result<Written, Failure> {
        let part = |part| {
            let answered = message.answers.as_deref().and_then(meaning_of);
            let kind = answered.map_or(ExchangeKind::Handover, |(kind, ..)| kind);
            message_type(kind, part).unwrap_or_default()
        };
        let mut json = json!({ "process": message.process_id, "receipt": message.wants_receipt });
        let mut objects = vec![];
        let named = match &message.content {
            OutgoingContent::Records(kind) => {
                write_objects(records, &mut objects)?;
                if *kind == ExchangeKind::Disposition { "0503" } else { "0401" }
            }
            OutgoingContent::Offer => {
                write_objects(records, &mut objects)?;
                "0501"
            }
            OutgoingContent::Circulation(route) => {
                write_objects(records, &mut objects)?;
                json["route"] = json!(route);
                "0201"
            }
            OutgoingContent::FilePlan(plan) => {
                json["plan"] = json!(plan);
                "0301"
            }
            OutgoingContent::FilePlanToAppraise(plan) => {
                json["plan"] = json!(plan);
                "0511"
            }
            OutgoingContent::Appraisals(all) => {
                json["appraisals"] = all.iter().map(|(id, it)| json!([id, it.disposition])).collect();
                part(Part::Appraisal)
            }
            OutgoingContent::ImportResults(results) => {
                let results = results.objects.iter();
                json["results"] =
                    results.map(|(id, r)| json!([id, r.successful, r.archive_reference])).collect();
                part(Part::Outcome)
            }
            OutgoingContent::Receipt => {
                let answered = message.answers.as_deref().and_then(meaning_of);
                part(answered.and_then(|(_, part, _)| part.receipt()).unwrap_or(Part::OpeningReceipt))
            }
        };
        json["toy"] = json!(named);
        json["from"] = json!(message.sender.authority);
        json["objects"] = json!(objects);
        out.write_all(json.to_string().as_bytes()).map_err(|_| Failure::transient("toy.io", "unwritable"))?;
        let identity = identity(&json).ok_or_else(|| Failure::permanent("toy.internal", "not written"))?;
        Ok(Written { identity, file_name: format!("{}.json", message.process_id), report: Report::default() })
    }
}

/// Along a route go documents.
/// A document with one file.
fn with_file(description: Description, content: PayloadRef) -> Record {
    let file = File { name: "a.txt".into(), content: Some(content), ..File::default() };
    Record::Document(Document {
        meta: placeholder(),
        description,
        parent: None,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![Version { number: "1".into(), files: vec![file] }],
        status: RecordStatus::Open,
    })
}

fn as_document(record: Record, message: &Value) -> Record {
    let Record::Case(case) = record else { return record };
    if message["toy"] != "0201" {
        return Record::Case(case);
    }
    Record::Document(Document {
        meta: case.meta,
        description: case.description,
        parent: None,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    })
}

fn appraisal(value: &Value) -> (Id, Appraisal) {
    let disposition = serde_json::from_value(value[1].clone()).unwrap_or_default();
    (uuid(&value[0]), Appraisal { disposition, other: None })
}

fn write_objects(records: &mut dyn Records, objects: &mut Vec<Value>) -> Result<(), Failure> {
    for id in records.roots() {
        write_object(records, id, &mut vec![], objects)?;
    }
    Ok(())
}

fn write_object(
    records: &mut dyn Records,
    id: Id,
    above: &mut Vec<Id>,
    objects: &mut Vec<Value>,
) -> Result<(), Failure> {
    let record = records.record(id)?;
    let description = record.description();
    let came_with = description.and_then(|d| d.reference("xdomea")).and_then(|id| id.parse().ok());
    let uuid: Id = came_with.unwrap_or(id);
    above.push(uuid);
    for (_, child) in records.children(id)? {
        write_object(records, child, above, objects)?;
    }
    above.pop();
    objects.push(json!([uuid, description.map(|d| d.title.clone()), above]));
    Ok(())
}
