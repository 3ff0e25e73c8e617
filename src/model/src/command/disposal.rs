//! What disposition (Aussonderung) does to records: appraisal, archive reference, bars to destruction, destruction.

use serde_json::Value;

use crate::activity::{Call, Interaction};
use crate::case::{Description, DocumentDates, Extensions, Hold, RecordStatus, Reference};
use crate::command::Change;
use crate::party::Party;
use crate::{Error, EventKind, Record, Timestamp};

/// What a decision says once its case is destroyed.
const DESTROYED: &str = "destroyed";

/// What the rules of disposition do to a record, in whatever state it is; `None` if the change is another.
pub(super) fn changed(
    record: &Record,
    change: &Change,
    now: Timestamp,
) -> Option<Result<(Record, EventKind), Error>> {
    let mut record = record.clone();
    let (description, status) = parts(&mut record)?;
    let event = match change {
        Change::Appraise(disposition) => {
            description.retention.get_or_insert_default().disposition = Some(*disposition);
            EventKind::RecordAppraised
        }
        Change::ArchiveReference(reference) => {
            description.references.retain(|known| known.kind != ARCHIVE);
            description.references.push(Reference { kind: ARCHIVE.to_owned(), value: reference.clone() });
            EventKind::ReferenceAssigned
        }
        Change::Dispose(exchange) => {
            description.in_disposition = *exchange;
            EventKind::RecordChanged
        }
        Change::Hold(reason) if !(1..=500).contains(&reason.chars().count()) => {
            return Some(Err(Error::Invalid { field: "reason" }));
        }
        Change::Hold(reason) => {
            description.hold = Some(Hold { reason: reason.clone(), since: now });
            EventKind::RecordHeld
        }
        Change::LiftHold if description.hold.take().is_none() => {
            return Some(Err(Error::WrongState { state: "not-held" }));
        }
        Change::LiftHold => EventKind::HoldLifted,
        Change::Circulate(_) if *status == RecordStatus::Locked => return Some(Err(Error::Locked)),
        Change::Circulate(_) if *status != RecordStatus::Open => {
            return Some(Err(Error::WrongState { state: status.name() }));
        }
        Change::Circulate(exchange) => {
            *status = RecordStatus::Locked;
            description.circulates = Some(*exchange);
            EventKind::RecordLocked
        }
        // What was handed over meanwhile stays locked once it is back.
        Change::Lock if description.circulates.take().is_some() => {
            *status = RecordStatus::Locked;
            EventKind::RecordLocked
        }
        Change::Release(exchange) if description.circulates != Some(*exchange) => {
            return Some(Err(Error::WrongState { state: status.name() }));
        }
        Change::Release(_) => {
            *status = RecordStatus::Open;
            description.circulates = None;
            EventKind::RecordReleased
        }
        Change::ErasePersons(_) if description.hold.is_some() => return Some(Err(Error::Held)),
        Change::ErasePersons(_) if description.in_disposition.or(description.circulates).is_some() => {
            return Some(Err(Error::WrongState { state: "offered" }));
        }
        Change::ErasePersons(gone) => {
            for party in description.parties.iter_mut().filter(|party| gone.contains(party)) {
                *party = Party::erased(party.role.take());
            }
            // What a standard says of them beyond the model.
            if tells_of(&description.extensions, gone) {
                description.extensions = Extensions::default();
            }
            EventKind::PersonErased
        }
        Change::Destroy if description.hold.is_some() => return Some(Err(Error::Held)),
        Change::Destroy => {
            *status = RecordStatus::Destroyed;
            return Some(Ok((destroyed(record), EventKind::RecordDestroyed)));
        }
        _ => return None,
    };
    Some(Ok((record, event)))
}

/// Whether what a standard says beyond the model names one of these.
fn tells_of(extensions: &Extensions, parties: &[Party]) -> bool {
    let Ok(said) = serde_json::to_string(extensions) else { return true };
    let names = parties.iter().flat_map(|party| {
        let person = party.person.as_ref().and_then(|person| person.family_name.as_deref());
        let organisation = party.organisation.as_ref().and_then(|it| it.name.as_deref());
        person
            .into_iter()
            .chain(organisation)
            .chain(party.contacts.iter().map(|contact| contact.value.as_str()))
    });
    names.filter(|name| !name.is_empty()).any(|name| said.contains(name))
}

/// The record once it was worked on: what was offered is not what it is now.
pub(super) fn taken_out(mut record: Record) -> Record {
    if let Some((description, _)) = parts(&mut record) {
        description.in_disposition = None;
    }
    record
}

/// Kind of the reference by which an archive calls a record.
pub const ARCHIVE: &str = "archive";

fn parts(record: &mut Record) -> Option<(&mut Description, &mut RecordStatus)> {
    match record {
        Record::CaseFile(file) => Some((&mut file.description, &mut file.status)),
        Record::Case(case) => Some((&mut case.description, &mut case.status)),
        Record::Document(document) => Some((&mut document.description, &mut document.status)),
        _ => None,
    }
}

/// What stays of a record that belongs to a case, and lies in no tree, when the case is destroyed: what it was, when, and where it stood. Of
/// money all that commercial law wants to be kept, but not who owed it. `None` for whatever is destroyed as a tree, and for exchanges.
pub fn emptied(record: &Record) -> Option<Record> {
    let mut record = record.clone();
    match &mut record {
        Record::Interaction(it) => {
            (it.subject, it.from) = (None, None);
            (it.hints, it.proposals, it.documents) = (vec![], vec![], vec![]);
            it.proof = Value::Null;
            if let Some(call) = &mut it.call {
                **call = Call { number: None, extension: None, reference: None, ..(**call).clone() };
            }
        }
        Record::Dispatch(it) => {
            (it.notice, it.to, it.reference) = (None, None, None);
            // To nobody nothing goes by another way.
            it.otherwise = vec![];
        }
        Record::Decision(it) => (it.outcome, it.document) = (DESTROYED.to_owned(), None),
        Record::Task(it) => it.result = None,
        Record::Claim(it) => it.payer = None,
        Record::Payment(it) => (it.payment_url, it.return_to) = (None, None),
        Record::CaseFile(_) | Record::Case(_) | Record::Document(_) | Record::Exchange(_) => return None,
    }
    Some(record)
}

/// What stays of a record that lies in no tree and names somebody by itself (who called or wrote, to whom something was sent) once the
/// person is erased; a contact keeps its documents.
pub(super) fn without_person(record: &Record) -> Option<Record> {
    match (record, emptied(record)?) {
        (Record::Interaction(before), Record::Interaction(left)) => {
            Some(Record::Interaction(Interaction { documents: before.documents.clone(), ..left }))
        }
        (Record::Dispatch(_), left) => Some(left),
        _ => None,
    }
}

/// What stays of a record: its place, what became of it, and by which names messages and the archive know it.
fn destroyed(mut record: Record) -> Record {
    if let Record::Document(document) = &mut record {
        document.versions.clear();
        document.kind = None;
        document.dates = DocumentDates::default();
    }
    if let Record::Case(case) = &mut record {
        case.locations.clear();
    }
    if let Some((description, _)) = parts(&mut record) {
        let before = std::mem::take(description);
        description.retention = before.retention;
        description.position = before.position;
        let stays = |reference: &Reference| matches!(reference.kind.as_str(), ARCHIVE | "xdomea");
        description.references = before.references.into_iter().filter(stays).collect();
    }
    record
}
