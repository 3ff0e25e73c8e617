//! What lies on a desk: a clerk says which case it belongs into, hands it on to another unit, or says that it needs no case.

use std::time::Duration;

use model::activity::{Interaction, Task};
use model::case::{Case, Description, Priority, RecordStatus};
use model::command::{Change, Forward, Place};
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, Event, Id, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{Page, RecordFilter, Work};

use super::letter::{filing_task, letter_task, lies_in_received};
use crate::records::contents_of;
use crate::{Broker, Error, Once, notes};

/// Kind and title of the task of whoever has to answer what was forwarded.
const FORWARDED: &str = "forwarded";
const FORWARDED_TITLE: &str = "Weitergeleitetes Anliegen beantworten";
/// Kind of the task of calling back.
pub(super) const CALL_BACK: &str = "call-back";
/// Tasks that somebody outside was promised something by.
const ANSWERS: [&str; 2] = [FORWARDED, CALL_BACK];

/// Tasks about one letter that are looked at.
const TASKS: u32 = 200;
/// How often it is decided anew because the case changed in between.
const ATTEMPTS: usize = 5;

/// What becomes of a contact that lies on a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filing {
    /// It belongs into this case or case file, with its documents.
    Into(Id),
    /// It opens a case of its unit, with this title and public service.
    New(String, Option<String>),
    /// This unit has to say what becomes of it.
    To(String),
    /// This unit has to answer it (Weiterleitung) within so much service since it took place.
    On(Box<Forward>, Duration),
    /// It needs no case.
    Dismissed,
}

impl Broker {
    /// Says what becomes of a contact that lies on a desk.
    ///
    /// # Errors
    /// `NotFound` if the contact or the case is outside of the caller's scope, `WrongState` if the contact lies on no desk any more or
    /// the case is not open, `UnknownUnit`, `VersionConflict` against `expected`.
    pub async fn file_interaction(
        &self,
        caller: &Caller,
        (id, expected): (Id, Option<u64>),
        filing: &Filing,
        once: Option<&Once>,
    ) -> Result<Interaction, Error> {
        let scope = caller.may(Action::WriteCases)?;
        let act = move || async move {
            for _ in 1..ATTEMPTS {
                match self.try_filing(caller, scope, (id, expected), (filing, once)).await {
                    Err(error) if error.is_conflict("root") => {}
                    outcome => return outcome,
                }
            }
            Err(model::Error::VersionConflict.into())
        };
        self.once(caller, once, act).await
    }

    async fn try_filing(
        &self,
        caller: &Caller,
        scope: &Scope,
        (id, expected): (Id, Option<u64>),
        (filing, once): (&Filing, Option<&Once>),
    ) -> Result<Interaction, Error> {
        let current = self.owned(scope, RecordKind::Interaction, id).await?;
        if expected.is_some_and(|expected| expected != current.meta().version) {
            return Err(model::Error::VersionConflict.into());
        }
        let Record::Interaction(before) = &current else { return Err(Error::Internal) };
        let mut work = Work::new();
        let (change, below) = match filing {
            Filing::Into(case) => {
                let place = self.open_place(&mut work, caller, scope, *case).await?;
                (Change::FileInteraction(place.clone()), Some(Change::PlaceDocument(place)))
            }
            Filing::New(title, service) => {
                let place = self.new_place(&mut work, caller, before, (title, service.as_ref()))?;
                (Change::FileInteraction(place.clone()), Some(Change::PlaceDocument(place)))
            }
            Filing::To(unit) if !self.house().has_unit(&scope.tenant, unit) => {
                return Err(Error::UnknownUnit);
            }
            Filing::On(forward, _) if !self.house().has_unit(&scope.tenant, &forward.unit) => {
                return Err(Error::UnknownUnit);
            }
            Filing::On(forward, _) => {
                (Change::Forward(forward.clone()), Some(Change::HandOn(forward.unit.clone())))
            }
            Filing::To(unit) => (Change::HandOn(unit.clone()), Some(Change::HandOn(unit.clone()))),
            Filing::Dismissed => (Change::DismissInteraction, None),
        };
        let proof = json!({ "way": before.kind, "receivedAt": before.at, "proof": before.proof });
        let after = self.moved(&mut work, &current, change, (&caller.actor, Some(proof)))?;
        for document in &before.documents {
            let found =
                self.store().record(&Scope::tenant(&scope.tenant), RecordKind::Document, *document).await?;
            // What somebody has destroyed meanwhile, or placed, stays as it is.
            let lies_here = |it: &Record| it.parent().is_none() && it.status() == RecordStatus::Open.name();
            if let (Some(found), Some(change)) = (found.filter(lies_here), &below) {
                self.moved(&mut work, &found, change.clone(), (&caller.actor, None))?;
            }
        }
        let Record::Interaction(after) = after else { return Err(Error::Internal) };
        self.end_filing_tasks(&mut work, caller, &after, filing).await?;
        self.commit_answer(caller, once, work, id, after).await
    }

    /// A case that comes into being together with the filing.
    fn new_place(
        &self,
        work: &mut Work,
        caller: &Caller,
        of: &Interaction,
        (title, service): (&str, Option<&String>),
    ) -> Result<Place, Error> {
        let service = service.cloned().or_else(|| of.meta.public_service.clone());
        if !caller.scope.covers(&of.meta.tenant, &of.meta.unit, service.as_deref()) {
            return Err(model::Error::Forbidden.into());
        }
        let (id, now) = (ids::new_id(), self.now());
        let meta = Meta {
            id,
            root: id,
            version: 0,
            public_service: service,
            created_at: now,
            updated_at: now,
            ..of.meta.clone()
        };
        let case = Record::Case(Case {
            meta,
            description: Description { title: title.to_owned(), ..Description::default() },
            case_file: None,
            parent: None,
            status: RecordStatus::Open,
            priority: Priority::default(),
            locations: vec![],
        });
        let place = Place::of(&case);
        self.begin_record(work, case, &caller.actor, None)?;
        Ok(place)
    }

    /// An open case or case file that the caller may change; `work` requires that it stays so.
    async fn open_place(
        &self,
        work: &mut Work,
        caller: &Caller,
        scope: &Scope,
        case: Id,
    ) -> Result<Place, Error> {
        let case = self.owned_any(scope, case).await?;
        if !matches!(case.kind(), RecordKind::Case | RecordKind::CaseFile) {
            return Err(model::Error::NotFound { kind: "case" }.into());
        }
        if case.status() != RecordStatus::Open.name() {
            return Err(match case.status() == RecordStatus::Locked.name() {
                true => model::Error::Locked.into(),
                false => model::Error::WrongState { state: case.status() }.into(),
            });
        }
        let place = Place::of(&case);
        let mut around = self.above(&case).await?;
        if lies_in_received(&around) {
            return Err(model::Error::WrongState { state: RecordStatus::Received.name() }.into());
        }
        around.insert(0, case);
        let change = Change::FileInteraction(place.clone());
        self.check_above(work, None, &around, caller, &change).await?;
        Ok(place)
    }

    /// A record goes elsewhere. The event carries its bytes, so that the evidence of where it goes has them.
    fn moved(
        &self,
        work: &mut Work,
        current: &Record,
        change: Change,
        (actor, detail): (&Actor, Option<serde_json::Value>),
    ) -> Result<Record, Error> {
        let (kind, id) = (current.kind(), current.meta().id);
        let command = model::command::Command { kind, id, expected: None, change };
        let now = self.now();
        let decided = model::decide(Some(current), &command, self.parts.rules, now)?;
        work.put_record(&decided.record, None);
        let event = notes::of_record(&decided, actor, now, None);
        work.insert_event(&Event { payloads: contents_of(&decided.record), detail, ..event });
        Ok(decided.record)
    }

    /// Whoever had to say what becomes of it need not any more; another unit has to.
    async fn end_filing_tasks(
        &self,
        work: &mut Work,
        caller: &Caller,
        after: &Interaction,
        filing: &Filing,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&caller.scope.tenant);
        let filter = RecordFilter { parent: Some(after.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let goes_on = matches!(filing, Filing::To(_) | Filing::On(..));
        let mut promised = None;
        for task in self.store().records(&scope, &filter, &Page::first(TASKS)).await?.items {
            let Record::Task(open) = &task else { continue };
            // Whoever was asked because of another one is not any more when that ends.
            if !open.status.is_open() || open.task_id.is_some() {
                continue;
            }
            let is_promised = ANSWERS.contains(&open.kind.as_str());
            // To know where it belongs, or that it needs no case, is not to have answered.
            if is_promised && matches!(filing, Filing::Into(_) | Filing::New(..) | Filing::Dismissed) {
                continue;
            }
            let change = if goes_on { Change::CancelTask } else { Change::CompleteTask(None) };
            self.end_task(work, &task, change, &caller.actor, None).await?;
            // What was promised is promised by the next unit, at the same time.
            if is_promised {
                promised = promised.into_iter().chain(open.due).min();
            }
            if is_promised && matches!(filing, Filing::To(_)) {
                let next = Task { title: open.title.clone(), due: open.due, ..filing_task(&after.meta) };
                self.begin_task(work, Task { kind: open.kind.clone(), ..next }, caller).await?;
            }
        }
        match filing {
            Filing::To(_) => self.begin_task(work, filing_task(&after.meta), caller).await,
            Filing::On(_, within) => {
                let due = self.house().hours().plus(after.at, *within).into_iter().chain(promised).min();
                let task = letter_task(&after.meta, after.meta.id, (FORWARDED_TITLE, FORWARDED));
                self.begin_task(work, Task { due, ..task }, caller).await
            }
            Filing::Into(_) | Filing::New(..) | Filing::Dismissed => Ok(()),
        }
    }

    async fn begin_task(&self, work: &mut Work, task: Task, caller: &Caller) -> Result<(), Error> {
        let task = Record::Task(task);
        self.begin_record(work, task.clone(), &caller.actor, None)?;
        self.keep_due(work, None, &task, &caller.actor).await
    }
}
