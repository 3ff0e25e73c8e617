//! Records, deliveries of them, and a client that reaches this machine.

use std::sync::Arc;
use std::time::Duration;

use adapter_dms::dms::{Dms, Settings};
use adapter_dms::mapping::{Field, Mapping};
use adapter_dms::port::{Port, ValueKind};
use model::adapter::{About, AboutFile, Adapter, Delivery, Receipt, Source};
use model::case::{
    Case, CaseFile, Description, Document, DocumentDates, File, FilePlanUnit, Priority, RecordStatus, Version,
};
use model::testkit::a_meta;
use model::{Failure, PayloadRef, Record, SystemClock, ids};
use net::{Client, Egress};
use serde_json::json;

use crate::host::Memory;

pub(crate) fn client(silence: Duration) -> Client {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    let pace = net::pace::Pace { patience: silence, ..net::pace::Pace::default() };
    Client::new(egress, net::Settings { silence, pace, ..net::Settings::default() }, Arc::new(SystemClock))
}

pub(crate) fn field(field: &str, property: &str, kind: ValueKind, comes_back: bool) -> Field {
    Field { field: field.into(), property: property.into(), kind, comes_back }
}

pub(crate) fn mapping() -> Mapping {
    Mapping {
        folders: vec![field("title", "amt:titel", ValueKind::Text, true)],
        documents: vec![
            field("title", "amt:titel", ValueKind::Text, true),
            field("dates.received", "amt:eingang", ValueKind::Date, false),
            field("note", "amt:bemerkung", ValueKind::Text, false),
        ],
        reference: Some("amt:aktenzeichen".into()),
    }
}

pub(crate) fn dms(port: impl Port + 'static) -> Arc<Dms> {
    let settings = Settings { id: "dms-main".into(), mapping: mapping(), poll: Duration::from_secs(60) };
    Arc::new(Dms::new(settings, Arc::new(port)))
}

/// A case file with a case and a document in it.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) case_file: CaseFile,
    pub(crate) case: Case,
    pub(crate) document: Document,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let unit =
            FilePlanUnit { code: Some("63.1".into()), title: Some("Bauanträge".into()), short_title: None };
        let case_file = CaseFile {
            meta: a_meta(),
            description: Description {
                title: "Neubau / Hauptstraße 7".into(),
                file_plan_unit: Some(unit),
                ..Description::default()
            },
            parent: None,
            status: RecordStatus::Open,
        };
        let root = case_file.meta.id;
        let below = || model::record::Meta { id: ids::new_id(), root, ..a_meta() };
        let case = Case {
            meta: below(),
            description: Description { title: "Bauantrag 'Müller'".into(), ..Description::default() },
            case_file: Some(root),
            parent: None,
            status: RecordStatus::Open,
            priority: Priority::Normal,
            locations: vec![],
        };
        let document = Document {
            meta: below(),
            description: Description { title: "Lageplan".into(), ..Description::default() },
            parent: Some(case.meta.id),
            kind: None,
            dates: DocumentDates { received: Some("2026-11-29".into()), ..DocumentDates::default() },
            versions: vec![],
            status: RecordStatus::Open,
        };
        Tree { case_file, case, document }
    }

    /// The document gets a version of one file.
    pub(crate) fn add(&mut self, number: &str, name: &str, bytes: &[u8]) {
        let content = PayloadRef {
            id: ids::new_id(),
            size: bytes.len() as u64,
            sha256: hex::encode(seal::sha256(&[bytes]).0),
            chunk_root: String::new(),
        };
        let file = File {
            name: name.into(),
            media_type: Some("application/pdf".into()),
            content: Some(content),
            ..File::default()
        };
        self.document.versions.push(Version { number: number.into(), files: vec![file] });
    }

    fn delivery(&self, record: Record, above: Vec<Record>, files: Vec<AboutFile>, host: &Memory) -> Delivery {
        let known = above.iter().chain([&record]).flat_map(|it| host.links_of(it.meta().id)).collect();
        host.with(|books| {
            for record in above.iter().chain([&record]) {
                books.records.insert(record.meta().id, record.clone());
            }
        });
        Delivery {
            id: ids::new_id(),
            tenant: "soest".into(),
            kind: "record.created".into(),
            record: Some((record.kind(), record.meta().id)),
            detail: json!({}),
            about: Some(Box::new(About { record, above, links: known, files })),
        }
    }

    pub(crate) fn of_case(&self, host: &Memory) -> Delivery {
        let above = vec![Record::CaseFile(self.case_file.clone())];
        self.delivery(Record::Case(self.case.clone()), above, vec![], host)
    }

    /// Of the document: with the file of its newest version, or its properties alone.
    pub(crate) fn of_document(&self, host: &Memory, with_file: bool) -> Delivery {
        self.of(host, self.document.versions.last().filter(|_| with_file))
    }

    /// Of the document, with the file of one of its versions, counted from the oldest.
    pub(crate) fn of_version(&self, host: &Memory, at: usize) -> Delivery {
        self.of(host, Some(&self.document.versions[at]))
    }

    fn of(&self, host: &Memory, version: Option<&Version>) -> Delivery {
        let above = vec![Record::CaseFile(self.case_file.clone()), Record::Case(self.case.clone())];
        let file = version.map(|version| AboutFile {
            document: self.document.meta.id,
            version: version.number.clone(),
            file: version.files[0].clone(),
        });
        self.delivery(Record::Document(self.document.clone()), above, file.into_iter().collect(), host)
    }
}

/// Delivers, and keeps what came of it as the broker does.
pub(crate) async fn told(
    dms: &Dms,
    host: &Memory,
    delivery: &Delivery,
    bytes: &[u8],
) -> Result<Receipt, Failure> {
    let sources: Vec<Box<dyn Source>> = vec![Box::new(bytes.to_vec())];
    let receipt = dms.deliver(delivery, &sources).await?;
    host.receive(&receipt);
    Ok(receipt)
}
