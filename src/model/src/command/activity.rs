//! How contacts, and what lies on a desk with them, change.

use crate::activity::{Interaction, InteractionStatus};
use crate::case::{Document, RecordStatus};
use crate::ids::is_name;
use crate::record::Record;
use crate::{Error, EventKind, Id};

use super::Change;

/// Longest subject and sender of a contact, in characters.
const LINE_CHARS: usize = 500;
/// Documents that one contact may bring.
const DOCUMENTS: usize = 500;
/// Things recognised in one contact, cases proposed for it, and codes of what has to be looked at.
const HINTS: usize = 100;
/// Longest value and place of a hint, in characters.
const HINT_CHARS: usize = 200;

/// A case or case file that something comes to lie in, with what is taken on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The case or case file.
    pub id: Id,
    /// Topmost record of its tree.
    pub root: Id,
    /// Its unit.
    pub unit: String,
    /// Its public service.
    pub public_service: Option<String>,
}

impl Place {
    /// Of a case or case file.
    pub fn of(record: &Record) -> Place {
        let meta = record.meta();
        Place {
            id: meta.id,
            root: meta.root,
            unit: meta.unit.clone(),
            public_service: meta.public_service.clone(),
        }
    }
}

pub(super) fn changed_interaction(it: &mut Interaction, change: &Change) -> Result<EventKind, Error> {
    if let Change::Call(call) = change {
        // What is over stays as it ended, whatever is told late.
        let before = it.call.as_ref().ok_or(Error::WrongState { state: it.status.name() })?;
        if before.state.is_over() {
            return Err(Error::WrongState { state: "over" });
        }
        it.call = Some(call.clone());
        return Ok(EventKind::RecordChanged);
    }
    if it.status != InteractionStatus::Open {
        return Err(Error::WrongState { state: it.status.name() });
    }
    match change {
        Change::FileInteraction(place) => {
            it.status = InteractionStatus::Filed;
            it.case_id = Some(place.id);
            it.meta.root = place.root;
            it.meta.unit.clone_from(&place.unit);
            it.meta.public_service.clone_from(&place.public_service);
            Ok(EventKind::RecordPlaced)
        }
        Change::DismissInteraction => {
            it.status = InteractionStatus::Dismissed;
            Ok(EventKind::RecordChanged)
        }
        Change::HandOn(unit) => {
            it.meta.unit.clone_from(unit);
            Ok(EventKind::RecordChanged)
        }
        _ => Err(Error::WrongState { state: it.status.name() }),
    }
}

/// A document that lies in none is placed into a case, or goes to another desk.
pub(super) fn placed(document: &mut Document, change: &Change) -> Result<EventKind, Error> {
    if document.status != RecordStatus::Open || document.parent.is_some() {
        return Err(Error::WrongState { state: document.status.name() });
    }
    match change {
        Change::PlaceDocument(Place { id, root, unit, public_service }) => {
            document.parent = Some(*id);
            document.meta.root = *root;
            document.meta.unit.clone_from(unit);
            document.meta.public_service.clone_from(public_service);
            Ok(EventKind::RecordPlaced)
        }
        Change::HandOn(unit) => {
            document.meta.unit.clone_from(unit);
            Ok(EventKind::RecordChanged)
        }
        _ => Err(Error::WrongState { state: document.status.name() }),
    }
}

pub(super) fn validate_interaction(it: &Interaction) -> Result<(), Error> {
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|it| it.chars().count() > LINE_CHARS);
    let invalid = |field| Err(Error::Invalid { field });
    if it.kind.is_empty() || !is_name(&it.kind) {
        return invalid("kind");
    }
    if too_long(&it.subject) {
        return invalid("subject");
    }
    if too_long(&it.from) {
        return invalid("from");
    }
    if it.documents.len() > DOCUMENTS {
        return invalid("documents");
    }
    let is_long = |text: &str| text.chars().count() > HINT_CHARS;
    let too_long = it.hints.iter().any(|hint| is_long(&hint.value) || is_long(&hint.place));
    if too_long || it.hints.len() > HINTS || it.proposals.len() > HINTS || it.concerns.len() > HINTS {
        return invalid("hints");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Timestamp;
    use crate::case::{Description, DocumentDates};
    use crate::command::{Command, Rules, decide};
    use crate::testkit::{a_case, a_meta};

    fn run(current: &Record, change: Change) -> Result<(Record, EventKind), Error> {
        let command = Command { kind: current.kind(), id: current.meta().id, expected: None, change };
        let decided = decide(Some(current), &command, Rules::default(), Timestamp::from_micros(7))?;
        Ok((decided.record, decided.event))
    }

    fn letter() -> Record {
        Record::Interaction(Interaction {
            meta: a_meta(),
            case_id: None,
            kind: "scan".into(),
            at: Timestamp::from_micros(1),
            subject: None,
            from: None,
            documents: vec![],
            hints: vec![],
            proposals: vec![],
            concerns: vec![],
            call: None,
            proof: Value::Null,
            status: InteractionStatus::Open,
        })
    }

    fn document() -> Record {
        Record::Document(Document {
            meta: a_meta(),
            description: Description { title: "Brief".into(), ..Description::default() },
            parent: None,
            kind: None,
            dates: DocumentDates::default(),
            versions: vec![],
            status: RecordStatus::Open,
        })
    }

    #[test]
    fn what_lies_on_a_desk_is_filed_once() {
        let place = Place::of(&a_case("Neubau"));
        let (handed_on, _) = run(&letter(), Change::HandOn("32".into())).unwrap();
        assert_eq!(handed_on.meta().unit, "32");
        let (filed, event) = run(&handed_on, Change::FileInteraction(place.clone())).unwrap();
        assert_eq!((filed.parent(), filed.meta().root), (Some(place.id), place.root));
        assert_eq!((filed.status(), event), ("filed", EventKind::RecordPlaced));
        for change in [Change::FileInteraction(place), Change::DismissInteraction, Change::HandOn("1".into())]
        {
            assert_eq!(run(&filed, change), Err(Error::WrongState { state: "filed" }));
        }
        let (dismissed, _) = run(&letter(), Change::DismissInteraction).unwrap();
        assert_eq!(dismissed.status(), "dismissed");
    }

    #[test]
    fn a_document_is_placed_only_if_it_lies_in_none() {
        let place = Place::of(&a_case("Neubau"));
        let (placed, event) = run(&document(), Change::PlaceDocument(place.clone())).unwrap();
        assert_eq!((placed.parent(), placed.meta().root), (Some(place.id), place.root));
        assert_eq!(event, EventKind::RecordPlaced);
        for change in [Change::PlaceDocument(place.clone()), Change::HandOn("32".into())] {
            assert_eq!(run(&placed, change), Err(Error::WrongState { state: "open" }));
        }
        let refused = run(&a_case("Neubau"), Change::PlaceDocument(place));
        assert!(refused.is_err(), "a case is not moved: {refused:?}");
    }
}
