//! How records change: a command is decided against the current record and yields the new record,
//! the kind of event and the exact difference. Pure, so that every rule can be tested without a store.

mod activity;
mod citizen;
mod dispatch;
mod disposal;
mod exchange;
mod payment;
mod task;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activity::{DispatchStep, Provided, StepProof};
use crate::case::{Confidentiality, Description, Disposition, File, RecordStatus, Reference, Version};
use crate::circulation::Route;
use crate::exchange::{
    Appraisal, AppraisedObject, DestructionAsked, ExchangeMessage, ExchangeObject, ExchangeStatus,
    ImportResult,
};
use crate::file_plan::FilePlan;
use crate::party::Party;
use crate::process::Deadlines;
use crate::record::Record;
use crate::{Authority, Error, EventKind, Id, RecordKind, Timestamp, patch};

pub use activity::{Forward, Place};
pub use disposal::{ARCHIVE, emptied};
pub use payment::PaymentChange;

/// Largest JSON form of a record, in bytes. What is larger belongs into documents.
pub const RECORD_BYTES: usize = 256 * 1024;

/// Longest Aktenzeichen, in characters. What is looked up must fit into a row of an index.
pub const RECORD_REFERENCE_CHARS: usize = 200;

/// References of one record, and the longest kind and value of one, in characters.
const REFERENCES: usize = 200;
const REFERENCE_KIND_CHARS: usize = 80;
const REFERENCE_VALUE_CHARS: usize = 200;

/// A change that somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Kind of record.
    pub kind: RecordKind,
    /// The record.
    pub id: Id,
    /// The version the caller has seen (If-Match); `None` accepts any.
    pub expected: Option<u64>,
    /// What is to happen.
    pub change: Change,
}

/// What is to happen to a record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// It comes into being; its `meta` is complete but for version and times.
    Create(Box<Record>),
    /// A JSON merge patch on the fields that callers may change.
    Amend(Value),
    /// The record-keeping system assigns the Aktenzeichen.
    AssignReference(String),
    /// A document receives a file; the version is created if it is new.
    AddContent {
        /// Number of the document's version.
        version: String,
        /// The file with its content.
        file: Box<File>,
    },
    /// Work is done (zu den Akten).
    Close,
    /// Work goes on.
    Reopen,
    /// The record-keeping system has imported what was received.
    ConfirmReceived,
    /// Read-only after a confirmed hand-over. The broker has checked the confirmation.
    Lock,
    /// A contact is handed on to a unit that answers it (Weiterleitung).
    Forward(Box<Forward>),
    /// Somebody takes the task.
    AssignTask(String),
    /// The task is done, with its result.
    CompleteTask(Option<String>),
    /// The task is not needed any more.
    CancelTask,
    /// The task was not done in time.
    Overdue,
    /// A unit is asked to see to a task that was not done in time.
    Escalate {
        /// The unit.
        to: String,
        /// The task that it is asked by.
        asked: Id,
    },
    /// A message of the exchange went or came, and the exchange stands there now.
    ExchangeMessage(ExchangeMessage, ExchangeStatus),
    /// The partner has handed the message to this authority, which the exchange is with from now on.
    ExchangePartner(Authority),
    /// The exchange stands there now, without a new message.
    ExchangeStatus(ExchangeStatus),
    /// The receiver's record-keeping system reports, by the objects' UUIDs.
    ImportResults(Vec<(Id, ImportResult)>),
    /// The archive has appraised: what it decided of objects, by their UUIDs; and all records below them with another appraisal
    /// from now on.
    Appraisals(Vec<(Id, Appraisal)>, Vec<AppraisedObject>),
    /// These are the exchange's objects from now on.
    ExchangeObjects(Vec<ExchangeObject>),
    /// The route of a circulation stands there now.
    Route(Box<Route>),
    /// The file plan of the exchange, as it was appraised.
    FilePlan(Box<FilePlan>),
    /// What the exchange waits for is overdue; it is waited for until then.
    Remind(Timestamp),
    /// Somebody asks that what the exchange disposed of be destroyed.
    AskDestruction(DestructionAsked),
    /// Somebody else has agreed: the request is done with.
    AgreeDestruction,
    /// The destruction of objects, by their UUIDs, begins.
    BeginDestruction(Vec<Id>),
    /// Objects, by their UUIDs, were not destroyed, for the reason of this code.
    RefuseDestruction(Vec<Id>, String),
    /// Objects, by their UUIDs, are destroyed with everything in them.
    ObjectsDestroyed(Vec<Id>),
    /// The archive's appraisal is applied to the record.
    Appraise(Disposition),
    /// What the archive calls the record (Archivkennung).
    ArchiveReference(String),
    /// The exchange that disposes of the record from now on; none once it was taken out.
    Dispose(Option<Id>),
    /// Bars the record, and what lies in it, from destruction, with the reason.
    Hold(String),
    /// What is known of these parties is replaced by a mark; what they were in the record stays. Not under a bar, and not while it is
    /// offered or goes along a route. Of a contact or a dispatch stays what [`emptied`] leaves.
    ErasePersons(Vec<Party>),
    /// Lifts that bar.
    LiftHold,
    /// Read-only while it goes along the route of this exchange.
    Circulate(Id),
    /// May be changed again after the circulation by this exchange, unless it was locked for another reason meanwhile.
    Release(Id),
    /// The claim gets its Kassenzeichen.
    AssignCashReference(String),
    /// The claim is not owed any more.
    CancelClaim,
    /// So many cents more were paid towards the claim; less than nothing for what was given back.
    PaidTowards(i64),
    /// Something became of a payment.
    Payment(Box<PaymentChange>),
    /// A contact that lies on a desk belongs into a case.
    FileInteraction(Place),
    /// A contact that lies on a desk needs no case.
    DismissInteraction,
    /// The telephone call stands there now.
    Call(Box<crate::activity::Call>),
    /// A document that lies in none comes into a case.
    PlaceDocument(Place),
    /// A contact or document that lies in no case goes to the desk of this unit.
    HandOn(String),
    /// Something is known of the way of what was sent, and perhaps what whoever carries it calls it. The same step again is
    /// [`Error::Exists`].
    DispatchStep(DispatchStep, Option<String>),
    /// From this step on it lies on the citizens' pages, with exactly these files. The broker makes it of the step of whoever lays it there.
    Provide(DispatchStep, Vec<Provided>),
    /// The case gets the number by which its citizen knows it; it has one for ever.
    CitizenNumber(String),
    /// Somebody says what became of what was sent, and what proves it.
    ProvenStep(StepProof),
    /// Nothing is left of the record but what proves it; of what belongs to a case, what [`emptied`] leaves. The broker has checked that it may go.
    Destroy,
}

/// What the rules need to know beyond the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether "VS - Nur für den Dienstgebrauch" may be carried.
    pub allow_restricted: bool,
    /// How long the steps of exchanges may take.
    pub deadlines: Deadlines,
    /// Whether a second one has to agree before records are destroyed.
    pub four_eyes: bool,
}

/// Outcome of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The record as it is now.
    pub record: Record,
    /// What happened.
    pub event: EventKind,
    /// The difference to the record before, as a JSON merge patch.
    pub changes: Value,
}

/// Decides `command` against the `current` record.
///
/// # Errors
/// Every refusal of [`Error`] except `Forbidden`; rights are looked at before.
pub fn decide(
    current: Option<&Record>,
    command: &Command,
    rules: Rules,
    now: Timestamp,
) -> Result<Decided, Error> {
    let (mut record, event) = match (&command.change, current) {
        (Change::Create(_), Some(_)) => return Err(Error::Exists),
        (Change::Create(record), None) => ((**record).clone(), EventKind::RecordCreated),
        (_, None) => return Err(Error::NotFound { kind: command.kind.name() }),
        (change, Some(current)) => {
            if command.expected.is_some_and(|version| version != current.meta().version) {
                return Err(Error::VersionConflict);
            }
            changed(current, change, now)?
        }
    };
    if let Record::Exchange(exchange) = &mut record {
        exchange.with_deadline(&rules.deadlines, now);
    }
    let meta = record.meta_mut();
    meta.version = current.map_or(1, |record| record.meta().version + 1);
    // Years of keeping may count from the last change: a person who is erased and a bar are no work on the record.
    if !matches!(command.change, Change::ErasePersons(_) | Change::Hold(_) | Change::LiftHold) {
        meta.updated_at = now;
    }
    if current.is_none() {
        meta.created_at = now;
    }
    let json = record.to_json();
    validate(&record, &json, rules)?;
    let before = current.map_or(Value::Object(serde_json::Map::new()), Record::to_json);
    let changes = patch::diff(&before, &json);
    Ok(Decided { record, event, changes })
}

fn changed(current: &Record, change: &Change, now: Timestamp) -> Result<(Record, EventKind), Error> {
    let left = match change {
        Change::Destroy => emptied(current).map(|left| (left, EventKind::RecordDestroyed)),
        Change::ErasePersons(_) => {
            disposal::without_person(current).map(|left| (left, EventKind::PersonErased))
        }
        _ => None,
    };
    if let Some(left) = left {
        return Ok(left);
    }
    let mut record = current.clone();
    let event = match (&mut record, change) {
        (Record::Exchange(exchange), change) => exchange::changed(exchange, change, now)?,
        (Record::Claim(claim), change) => payment::changed_claim(claim, change)?,
        (Record::Payment(payment), Change::Payment(change)) => payment::changed(payment, change, now)?,
        (Record::Task(task), change) => return task::changed(current, task, change, now),
        (Record::Interaction(interaction), change) => activity::changed_interaction(interaction, change)?,
        (Record::Dispatch(dispatch), change) => dispatch::changed(dispatch, change, now)?,
        (Record::Document(document), Change::PlaceDocument(_) | Change::HandOn(_)) => {
            activity::placed(document, change)?
        }
        (_, change) => return changed_file(current, change, now),
    };
    Ok((record, event))
}

/// Changes of case files, cases and documents.
fn changed_file(current: &Record, change: &Change, now: Timestamp) -> Result<(Record, EventKind), Error> {
    if current.status() == RecordStatus::Destroyed.name() {
        return Err(Error::WrongState { state: RecordStatus::Destroyed.name() });
    }
    if let Some(changed) = disposal::changed(current, change, now) {
        return changed;
    }
    let (record, event) = worked_on(current, current.clone(), change)?;
    Ok((disposal::taken_out(record), event))
}

fn worked_on(current: &Record, mut record: Record, change: &Change) -> Result<(Record, EventKind), Error> {
    let status = match &mut record {
        Record::CaseFile(file) => Some(&mut file.status),
        Record::Case(case) => Some(&mut case.status),
        Record::Document(document) => Some(&mut document.status),
        _ => None,
    };
    let before = status.as_deref().copied();
    if before == Some(RecordStatus::Locked) {
        return Err(Error::Locked);
    }
    let wrong = || Error::WrongState { state: before.map_or("", RecordStatus::name) };
    let (next, event) = match (change, before) {
        (Change::Amend(patch), _) => return amended(current, patch),
        (Change::AssignReference(reference), _) => return with_reference(record, reference),
        (Change::AddContent { version, file }, _) => return with_content(record, version, file),
        (Change::CitizenNumber(number), _) => return citizen::numbered(record, number),
        // A document is closed with what it lies in.
        (Change::Close | Change::Reopen, _) if current.kind() == RecordKind::Document => return Err(wrong()),
        (Change::Close, Some(RecordStatus::Open)) => (RecordStatus::Closed, EventKind::RecordChanged),
        (Change::Reopen, Some(RecordStatus::Closed)) => (RecordStatus::Open, EventKind::RecordChanged),
        (Change::ConfirmReceived, Some(RecordStatus::Received)) => {
            (RecordStatus::Open, EventKind::RecordChanged)
        }
        (Change::Lock, Some(RecordStatus::Open | RecordStatus::Closed)) => {
            (RecordStatus::Locked, EventKind::RecordLocked)
        }
        _ => return Err(wrong()),
    };
    if let Some(status) = status {
        *status = next;
    }
    Ok((record, event))
}

/// Fields that a caller may change by a merge patch.
const AMENDABLE: &[&str] = &[
    "title",
    "references",
    "lead",
    "keeper",
    "filePlanUnit",
    "note",
    "confidentiality",
    "medium",
    "period",
    "retention",
    "parties",
    "relations",
    "position",
    "priority",
    "locations",
    "kind",
    "dates",
    "due",
];

fn amended(current: &Record, patch: &Value) -> Result<(Record, EventKind), Error> {
    let fields = patch.as_object().ok_or(Error::Invalid { field: "body" })?;
    if fields.keys().any(|name| !AMENDABLE.contains(&name.as_str())) {
        return Err(Error::Invalid { field: "body" });
    }
    let mut json = current.to_json();
    patch::apply(&mut json, patch);
    let mut record = Record::from_json(current.kind(), json)?;
    citizen::keep_number(current, &mut record)?;
    Ok((record, EventKind::RecordChanged))
}

fn with_reference(mut record: Record, reference: &str) -> Result<(Record, EventKind), Error> {
    let description = match &mut record {
        Record::CaseFile(file) => &mut file.description,
        Record::Case(case) => &mut case.description,
        Record::Document(document) => &mut document.description,
        _ => return Err(Error::Invalid { field: "recordReference" }),
    };
    if reference.trim().is_empty() {
        return Err(Error::Invalid { field: "recordReference" });
    }
    description.record_reference = Some(reference.to_owned());
    Ok((record, EventKind::ReferenceAssigned))
}

fn with_content(mut record: Record, number: &str, file: &File) -> Result<(Record, EventKind), Error> {
    let Record::Document(document) = &mut record else {
        return Err(Error::Invalid { field: "content" });
    };
    match document.versions.iter_mut().find(|version| version.number == number) {
        Some(version) if version.files.iter().any(|known| known.name == file.name) => {
            // Bytes are never replaced: a changed file is a new version.
            return Err(Error::Exists);
        }
        Some(version) => version.files.push(file.clone()),
        None => document.versions.push(Version { number: number.to_owned(), files: vec![file.clone()] }),
    }
    Ok((record, EventKind::ContentAdded))
}

fn validate(record: &Record, json: &Value, rules: Rules) -> Result<(), Error> {
    // An exchange names each of its objects, and there may be thousands.
    if !matches!(record, Record::Exchange(_)) && json.to_string().len() > RECORD_BYTES {
        return Err(Error::Invalid { field: "body" });
    }
    match record {
        Record::Claim(claim) => payment::validate_claim(claim)?,
        Record::Interaction(interaction) => activity::validate_interaction(interaction)?,
        Record::Dispatch(dispatch) => dispatch::validate(dispatch)?,
        _ => {}
    }
    let title = match record {
        Record::Task(task) => Some(&task.title),
        _ => record.description().map(|description| &description.title),
    };
    if title.is_some_and(|title| title.chars().count() > 2_000) {
        return Err(Error::Invalid { field: "title" });
    }
    record.description().map_or(Ok(()), validate_references)?;
    match record.description().and_then(|description| description.confidentiality) {
        Some(level) if level >= Confidentiality::Confidential => Err(Error::Classified),
        Some(Confidentiality::Restricted) if !rules.allow_restricted => Err(Error::Classified),
        _ => Ok(()),
    }
}

fn validate_references(description: &Description) -> Result<(), Error> {
    let is_long = |text: &str, most: usize| text.chars().count() > most;
    if description.record_reference.as_ref().is_some_and(|text| is_long(text, RECORD_REFERENCE_CHARS)) {
        return Err(Error::Invalid { field: "recordReference" });
    }
    let mut references = description.references.iter();
    let is_too_long = |reference: &Reference| {
        is_long(&reference.kind, REFERENCE_KIND_CHARS) || is_long(&reference.value, REFERENCE_VALUE_CHARS)
    };
    if references.len() > REFERENCES || references.any(is_too_long) {
        return Err(Error::Invalid { field: "references" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testkit::a_case;

    const RULES: fn() -> Rules = Rules::default;
    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn run(current: Option<&Record>, change: Change) -> Result<Decided, Error> {
        let id = current.map_or_else(crate::ids::new_id, |record| record.meta().id);
        decide(current, &Command { kind: RecordKind::Case, id, expected: None, change }, RULES(), NOW)
    }

    fn case() -> Record {
        run(None, Change::Create(Box::new(a_case("Neubau")))).unwrap().record
    }

    #[test]
    fn an_old_version_is_a_conflict() {
        let record = case();
        let command = Command {
            kind: RecordKind::Case,
            id: record.meta().id,
            expected: Some(9),
            change: Change::Close,
        };
        assert_eq!(decide(Some(&record), &command, RULES(), NOW), Err(Error::VersionConflict));
    }

    #[test]
    fn a_locked_record_takes_no_change() {
        let locked = run(Some(&case()), Change::Lock).unwrap().record;
        for change in
            [Change::Amend(json!({"title": "x"})), Change::Reopen, Change::AssignReference("1".into())]
        {
            assert_eq!(run(Some(&locked), change), Err(Error::Locked));
        }
    }

    #[test]
    fn a_document_that_was_handed_over_alone_is_locked_and_takes_no_file_any_more() {
        let document = Record::Document(crate::case::Document {
            meta: crate::testkit::a_meta(),
            description: Description { title: "Lageplan".into(), ..Description::default() },
            parent: None,
            kind: None,
            dates: crate::case::DocumentDates::default(),
            versions: vec![],
            status: RecordStatus::Open,
        });
        let document = run(None, Change::Create(Box::new(document))).unwrap().record;
        let locked = run(Some(&document), Change::Lock).unwrap();
        assert_eq!((locked.record.status(), locked.event), ("locked", EventKind::RecordLocked));
        let file = Box::new(File { name: "a.pdf".into(), ..File::default() });
        for change in [
            Change::AddContent { version: "1".into(), file },
            Change::Amend(json!({ "title": "x" })),
            Change::AssignReference("1".into()),
        ] {
            assert_eq!(run(Some(&locked.record), change), Err(Error::Locked));
        }
        assert_eq!(run(Some(&document), Change::Close), Err(Error::WrongState { state: "open" }));
    }

    #[test]
    fn persons_who_are_erased_and_bars_do_not_begin_the_years_of_keeping_anew() {
        let record = case();
        let at = |current: &Record, change: Change| {
            let id = current.meta().id;
            let command = Command { kind: RecordKind::Case, id, expected: None, change };
            decide(Some(current), &command, RULES(), Timestamp::from_micros(9_000_000)).unwrap().record
        };
        let held = at(&record, Change::Hold("Klage".into()));
        let lifted = at(&held, Change::LiftHold);
        let erased = at(&lifted, Change::ErasePersons(vec![]));
        assert_eq!((erased.meta().version, erased.meta().updated_at), (4, NOW));
        assert_eq!(at(&erased, Change::Close).meta().updated_at, Timestamp::from_micros(9_000_000));
    }

    #[test]
    fn identity_ownership_and_status_are_not_amendable() {
        for field in ["id", "tenant", "unit", "version", "status", "createdAt", "extensions", "root"] {
            let change = Change::Amend(json!({ field: "x" }));
            assert_eq!(run(Some(&case()), change), Err(Error::Invalid { field: "body" }), "{field}");
        }
    }

    #[test]
    fn what_is_looked_up_fits_into_an_index() {
        let amended = |kind: usize, value: usize, count: usize| {
            let one = json!({ "kind": "ü".repeat(kind), "value": "ü".repeat(value) });
            run(Some(&case()), Change::Amend(json!({ "references": vec![one; count] }))).map(drop)
        };
        assert_eq!(amended(80, 200, 200), Ok(()));
        for (kind, value, count) in [(81, 1, 1), (1, 201, 1), (1, 1, 201)] {
            assert_eq!(amended(kind, value, count), Err(Error::Invalid { field: "references" }));
        }
        let created = |length: usize| {
            let mut record = a_case("Neubau");
            let Record::Case(case) = &mut record else { panic!("a case") };
            case.description.record_reference = Some("ü".repeat(length));
            run(None, Change::Create(Box::new(record))).map(drop)
        };
        assert_eq!(created(200), Ok(()));
        let too_long = Err(Error::Invalid { field: "recordReference" });
        assert_eq!(created(201), too_long);
        assert_eq!(run(Some(&case()), Change::AssignReference("1".repeat(201))).map(drop), too_long);
    }

    #[test]
    fn classified_content_is_refused() {
        for level in ["restricted", "confidential", "secret", "topSecret"] {
            let change = Change::Amend(json!({ "confidentiality": level }));
            assert_eq!(run(Some(&case()), change), Err(Error::Classified), "{level}");
        }
    }

    #[test]
    fn a_confirmed_import_cannot_be_taken_back() {
        let object = crate::ids::new_id();
        let yes = ImportResult { successful: true, ..Default::default() };
        let no = ImportResult { successful: false, ..yes.clone() };
        let mut exchange = crate::testkit::an_exchange(object);
        exchange::record_results(&mut exchange, &[(object, no.clone())]).unwrap();
        assert_eq!(exchange.status, ExchangeStatus::Refused);
        exchange::record_results(&mut exchange, &[(object, yes)]).unwrap();
        assert_eq!(exchange.status, ExchangeStatus::Confirmed);
        assert!(exchange::record_results(&mut exchange, &[(object, no)]).is_err());
    }

    fn changes() -> impl Strategy<Value = Change> {
        prop_oneof![
            "[a-z]{1,8}".prop_map(|title| Change::Amend(json!({ "title": title }))),
            "[0-9]{1,4}".prop_map(Change::AssignReference),
            Just(Change::Close),
            Just(Change::Reopen),
            Just(Change::ConfirmReceived),
            any::<u16>().prop_map(|years| Change::Amend(json!({ "retention": { "years": years } }))),
            Just(Change::Amend(json!({ "retention": null }))),
        ]
    }

    proptest! {
        #[test]
        fn replaying_the_events_gives_the_record(all in prop::collection::vec(changes(), 0..20)) {
            let created = run(None, Change::Create(Box::new(a_case("Neubau")))).unwrap();
            let mut replayed = json!({});
            patch::apply(&mut replayed, &created.changes);
            let mut record = created.record;
            for change in all {
                let Ok(decided) = run(Some(&record), change) else { continue };
                patch::apply(&mut replayed, &decided.changes);
                prop_assert_eq!(decided.record.meta().version, record.meta().version + 1);
                record = decided.record;
            }
            prop_assert_eq!(replayed, record.to_json());
        }
    }
}
