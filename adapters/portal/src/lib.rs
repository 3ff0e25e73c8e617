//! The way `portal`: what is dispatched by it, documents and notices, lies on the citizens' pages of the gateway itself (`broker::citizen`),
//! from the moment that this adapter says so; which files these are is fixed then. It calls nobody; whoever fetches a document makes the
//! next step.

use std::sync::Arc;

use async_trait::async_trait;
use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Interest, Receipt, Sources};
use model::citizen::NUMBER;
use model::command::{Change, Command};
use model::{Clock, EventKind, Failure, FailureKind, Id, Record, RecordKind};

/// The way of dispatches that it carries.
pub const WAY: &str = "portal";

/// An adapter that lays documents onto the citizens' pages.
pub fn adapter(id: &str, clock: Arc<dyn Clock>) -> Arc<dyn Adapter> {
    let mut descriptor = Descriptor::new(id, WAY, vec![Capability::Deliver, Capability::Reconcile]);
    descriptor.follows = vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Dispatch }];
    descriptor.way = Some(WAY.to_owned());
    Arc::new(Portal { descriptor, clock })
}

struct Portal {
    descriptor: Descriptor,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Adapter for Portal {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        let Some(dispatch) = dispatch_of(delivery).filter(|it| it.status == DispatchStatus::Open) else {
            return Ok(Receipt::nothing());
        };
        if !is_open_to_citizen(delivery) {
            let detail = "nobody was given access to the case";
            return Err(Failure::new(FailureKind::Rejected, "citizen.no-access", detail));
        }
        if !is_something(delivery, dispatch) {
            let detail = "there is neither a notice nor bytes of each document";
            return Err(Failure::new(FailureKind::Rejected, "citizen.no-document", detail));
        }
        let step = DispatchStep { kind: DispatchStatus::Provided, at: self.clock.now() };
        let change = Change::DispatchStep(step, None);
        let command = Command { kind: RecordKind::Dispatch, id: dispatch.meta.id, expected: None, change };
        Ok(Receipt { commands: vec![command], ..Receipt::default() })
    }

    /// Whatever it does is in the receipt, so what was not noted did not happen.
    async fn reconcile(&self, _: &Delivery) -> Result<Option<Receipt>, Failure> {
        Ok(None)
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: "documents lie on the citizens' pages".to_owned() }
    }
}

/// The dispatch that a delivery is about, if it goes on this way.
fn dispatch_of(delivery: &Delivery) -> Option<&Dispatch> {
    match &delivery.about.as_deref()?.record {
        Record::Dispatch(dispatch) => Some(dispatch).filter(|it| it.way.as_deref() == Some(WAY)),
        _ => None,
    }
}

/// Whether something would lie there: each document that is dispatched has bytes, or there is a notice alone. The bytes are not read.
fn is_something(delivery: &Delivery, dispatch: &Dispatch) -> bool {
    let has_bytes = |document: &Id| {
        let files = delivery.about.as_deref().map(|about| about.files.as_slice()).unwrap_or_default();
        files.iter().any(|file| file.document == *document)
    };
    let is_empty = dispatch.documents.is_empty() && dispatch.notice.is_none();
    !is_empty && dispatch.documents.iter().all(has_bytes)
}

/// Whether the case of a dispatch has a number that somebody may enter with.
fn is_open_to_citizen(delivery: &Delivery) -> bool {
    let Some((about, dispatch)) = delivery.about.as_deref().zip(dispatch_of(delivery)) else { return false };
    let case = about.above.iter().find(|record| record.meta().id == dispatch.case_id);
    let description = case.and_then(Record::description);
    description.is_some_and(|description| description.reference(NUMBER).is_some())
}

#[cfg(test)]
mod tests {
    use model::adapter::{About, AboutFile};
    use model::case::{File, Reference};
    use model::testkit::{a_case, a_meta};
    use model::{SystemClock, ids};

    use super::*;

    /// As the gateway reads it from the store, whatever else a dispatch has.
    fn delivery(way: &str, is_numbered: bool) -> Delivery {
        let document = ids::new_id();
        delivery_of((way, is_numbered), &[document], &[document], false)
    }

    /// The documents that it names, those of them that have bytes, and whether it has a notice.
    fn delivery_of(
        (way, is_numbered): (&str, bool),
        documents: &[Id],
        with_bytes: &[Id],
        has_notice: bool,
    ) -> Delivery {
        let Record::Case(mut case) = a_case("Neubau") else { unreachable!() };
        if is_numbered {
            case.description.references.push(Reference { kind: NUMBER.into(), value: "12345678903".into() });
        }
        let mut json = serde_json_of(&case.meta.id.to_string(), way, documents);
        if has_notice {
            json["kind"] = "notification".into();
            json["notice"] = serde_json::json!({ "subject": "Neues", "text": "Es gibt Neues." });
        }
        let meta = Record::Case(model::case::Case { meta: a_meta(), ..case.clone() }).to_json();
        for name in ["id", "tenant", "authority", "unit", "root", "version", "createdAt", "updatedAt"] {
            json[name] = meta[name].clone();
        }
        let dispatch = Record::from_json(RecordKind::Dispatch, json).unwrap();
        let file = |document: &Id| {
            let file = File { name: "a.pdf".into(), ..File::default() };
            AboutFile { document: *document, version: "1".into(), file }
        };
        let files = with_bytes.iter().map(file).collect();
        let about = About { record: dispatch, above: vec![Record::Case(case)], links: vec![], files };
        Delivery {
            id: ids::new_id(),
            tenant: "kreis".into(),
            kind: "record.created".into(),
            record: Some((RecordKind::Dispatch, about.record.meta().id)),
            detail: Default::default(),
            about: Some(Box::new(about)),
        }
    }

    fn serde_json_of(case: &str, way: &str, documents: &[Id]) -> serde_json::Value {
        serde_json::json!({ "caseId": case, "kind": "disclosure", "way": way, "documents": documents })
    }

    #[tokio::test]
    async fn what_is_dispatched_by_it_is_provided() {
        let portal = adapter("portal", Arc::new(SystemClock));
        let receipt = portal.deliver(&delivery(WAY, true), &[]).await.unwrap();
        let [Command { change: Change::DispatchStep(step, None), .. }] = receipt.commands.as_slice() else {
            panic!("{receipt:?}")
        };
        assert_eq!(step.kind, DispatchStatus::Provided);
        assert!(portal.deliver(&delivery("print", true), &[]).await.unwrap().nothing);
    }

    #[tokio::test]
    async fn a_notice_without_documents_lies_there_too() {
        let portal = adapter("portal", Arc::new(SystemClock));
        let receipt = portal.deliver(&delivery_of((WAY, true), &[], &[], true), &[]).await.unwrap();
        assert_eq!(receipt.commands.len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_could_see_is_not_provided() {
        let portal = adapter("portal", Arc::new(SystemClock));
        let (a, b) = (ids::new_id(), ids::new_id());
        for (documents, with_bytes, has_notice) in
            [(&[][..], &[][..], false), (&[a], &[], false), (&[a, b], &[a], false), (&[a], &[], true)]
        {
            let delivery = delivery_of((WAY, true), documents, with_bytes, has_notice);
            let failure = portal.deliver(&delivery, &[]).await.unwrap_err();
            assert_eq!((failure.kind, &*failure.code), (FailureKind::Rejected, "citizen.no-document"));
        }
    }

    #[tokio::test]
    async fn without_access_nobody_could_fetch_it() {
        let portal = adapter("portal", Arc::new(SystemClock));
        let failure = portal.deliver(&delivery(WAY, false), &[]).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Rejected, "citizen.no-access"));
    }
}
