//! Dispatches that are to be delivered.

use std::sync::Arc;

use model::activity::{Addressee, Dispatch, DispatchKind, DispatchOptions, DispatchStatus};
use model::adapter::{About, AboutFile, Adapter, Delivery, Source};
use model::case::File;
use model::command::{Change, Command};
use model::{Clock, Record, RecordKind, Timestamp, ids};
use net::{Client, Egress};

/// A clock that stands still.
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::parse("2026-03-02T12:00:00Z").unwrap()
    }
}

pub(crate) fn noon() -> Arc<dyn Clock> {
    Arc::new(Noon)
}

pub(crate) fn client() -> Client {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    Client::new(egress, net::Settings::default(), noon())
}

pub(crate) fn addressee() -> Addressee {
    Addressee {
        lines: vec!["Frau".into(), "Anna & Bert <Müller>".into(), "Am Weg 1".into()],
        zip: Some("59494".into()),
        city: Some("Soest".into()),
        country: None,
        email: Some("anna@b.example".into()),
        ..Addressee::default()
    }
}

/// A dispatch of a way with so many documents.
pub(crate) fn parcel(way: &str, to: Addressee, documents: usize) -> Delivery {
    let mut case = model::testkit::a_case("Neubau");
    if let Record::Case(case) = &mut case {
        case.description.record_reference = Some("63.01/2026".into());
    }
    let dispatch = Dispatch {
        documents: vec![ids::new_id(); documents],
        way: Some(way.into()),
        to: Some(to),
        options: DispatchOptions { colour: true, ..DispatchOptions::default() },
        ..Dispatch::new(model::testkit::a_meta(), case.meta().id, DispatchKind::Disclosure)
    };
    let files = (0..documents).map(|at| AboutFile {
        document: dispatch.documents[at],
        version: "1".into(),
        file: File {
            name: format!("bescheid{at}.pdf"),
            media_type: Some("application/pdf".into()),
            ..File::default()
        },
    });
    let files = files.collect();
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "record.created".into(),
        record: Some((RecordKind::Dispatch, dispatch.meta.id)),
        detail: serde_json::Value::Null,
        about: Some(Box::new(About {
            record: Record::Dispatch(dispatch),
            above: vec![case],
            links: vec![],
            files,
        })),
    }
}

pub(crate) fn dispatch_of(delivery: &Delivery) -> &Dispatch {
    match &delivery.about.as_ref().unwrap().record {
        Record::Dispatch(dispatch) => dispatch,
        _ => panic!("no dispatch"),
    }
}

/// With other options or another address.
pub(crate) fn changed(mut delivery: Delivery, change: impl FnOnce(&mut Dispatch)) -> Delivery {
    if let Some(Record::Dispatch(dispatch)) = delivery.about.as_mut().map(|about| &mut about.record) {
        change(dispatch);
    }
    delivery
}

pub(crate) fn sources(files: &[&[u8]]) -> Vec<Box<dyn Source>> {
    files.iter().map(|bytes| Box::new(bytes.to_vec()) as _).collect()
}

/// A PDF with one page.
pub(crate) fn pdf() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    ];
    let (mut pdf, mut table) = ("%PDF-1.4\n".to_owned(), "0000000000 65535 f \n".to_owned());
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let start = pdf.len();
    pdf.push_str(&format!(
        "xref\n0 4\n{table}trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    pdf.into_bytes()
}

/// The kind of the only step that a receipt tells.
pub(crate) fn step(commands: &[Command]) -> (DispatchStatus, Timestamp) {
    match commands {
        [Command { change: Change::DispatchStep(step, Some(_)), .. }] => (step.kind, step.at),
        other => panic!("{other:?}"),
    }
}

/// The failure of a delivery.
pub(crate) async fn refused(
    adapter: &Arc<dyn Adapter>,
    delivery: &Delivery,
    files: &[&[u8]],
) -> (model::FailureKind, String) {
    let failure = adapter.deliver(delivery, &sources(files)).await.unwrap_err();
    (failure.kind, failure.code.into_owned())
}
