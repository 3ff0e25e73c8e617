//! How contacts, and what lies on a desk with them, change.

use serde_json::json;

use crate::activity::{Call, Interaction, InteractionStatus};
use crate::case::{Document, RecordStatus};
use crate::ids::is_name;
use crate::phone::e164;
use crate::record::Record;
use crate::{Error, EventKind, Id};

use super::Change;
use super::dispatch::is_line;

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

/// How a contact is handed on to a unit that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The unit.
    pub unit: String,
    /// Public service (Leistung) that it is about; absent: as before.
    pub public_service: Option<String>,
    /// What it is about, in words; absent: as before.
    pub concern: Option<String>,
    /// By which way the answer is wanted: `mail`, `call`, `letter` or the house's own word.
    pub answer_by: Option<String>,
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
        Change::Forward(forward) => {
            forwarded(it, forward);
            Ok(EventKind::RecordChanged)
        }
        _ => Err(Error::WrongState { state: it.status.name() }),
    }
}

fn forwarded(it: &mut Interaction, forward: &Forward) {
    let from = it.meta.unit.clone();
    it.meta.unit.clone_from(&forward.unit);
    if forward.public_service.is_some() {
        it.meta.public_service.clone_from(&forward.public_service);
    }
    if forward.concern.is_some() {
        it.subject.clone_from(&forward.concern);
    }
    if it.proof.is_null() {
        it.proof = json!({});
    }
    if let Some(proof) = it.proof.as_object_mut() {
        proof.insert("forwarded".to_owned(), json!({ "from": from, "answerBy": forward.answer_by }));
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
    if it.call.as_ref().is_some_and(|call| !is_call(call)) {
        return invalid("call");
    }
    let is_long = |text: &str| text.chars().count() > HINT_CHARS;
    let too_long = it.hints.iter().any(|hint| is_long(&hint.value) || is_long(&hint.place));
    if too_long || it.hints.len() > HINTS || it.proposals.len() > HINTS || it.concerns.len() > HINTS {
        return invalid("hints");
    }
    Ok(())
}

fn is_call(call: &Call) -> bool {
    let is_number = |number: &String| e164(number, "", None).as_ref() == Some(number);
    let is_short = |text: &Option<String>| text.as_ref().is_none_or(|text| is_line(text, LINE_CHARS));
    call.number.as_ref().is_none_or(is_number) && is_short(&call.extension) && is_short(&call.reference)
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
    fn what_is_forwarded_says_from_where_and_how_the_answer_is_wanted() {
        let forward = Forward {
            unit: "32".into(),
            public_service: Some("wohngeld".into()),
            concern: Some("Stand des Antrags".into()),
            answer_by: Some("mail".into()),
        };
        let (after, _) = run(&letter(), Change::Forward(Box::new(forward.clone()))).unwrap();
        assert_eq!(
            (after.meta().unit.as_str(), after.meta().public_service.as_deref()),
            ("32", Some("wohngeld"))
        );
        let Record::Interaction(it) = &after else { panic!("a contact") };
        assert_eq!(it.subject.as_deref(), Some("Stand des Antrags"));
        assert_eq!(it.proof["forwarded"], json!({ "from": "63", "answerBy": "mail" }));
        let (filed, _) = run(&after, Change::FileInteraction(Place::of(&a_case("Neubau")))).unwrap();
        assert!(run(&filed, Change::Forward(Box::new(forward))).is_err());
    }

    #[test]
    fn numbers_of_calls_are_kept_in_one_form() {
        let Record::Interaction(mut it) = letter() else { panic!("a contact") };
        for (number, holds) in [
            (None, true),
            (Some("+492921300"), true),
            (Some("02921300"), false),
            (Some("+49 2921 300"), false),
        ] {
            it.call = Some(Box::new(Call {
                direction: crate::activity::CallDirection::Incoming,
                number: number.map(str::to_owned),
                extension: None,
                state: crate::activity::CallState::Missed,
                wait_seconds: None,
                duration_seconds: None,
                reference: None,
                task: None,
            }));
            assert_eq!(validate_interaction(&it).is_ok(), holds, "{number:?}");
        }
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
