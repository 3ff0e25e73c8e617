//! Records: what callers see and how their commands take effect.

use model::activity::{Dispatch, TaskStatus};
use model::case::{Description, RecordStatus};
use model::citizen::NUMBER;
use model::command::{Change, Command};
use model::rights::Action;
use model::{Actor, Caller, Id, PayloadRef, Record, RecordKind, Scope, decide};
use store::{Listed, Page, RecordFilter, SealedEvent, StoredPayload, Work};

use crate::exchange::IN_DISPOSITION;
use crate::tasks::asked_by;
use crate::{Broker, Error, Once, notes};

/// How often a command is decided anew because its record changed in between.
const ATTEMPTS: usize = 5;

/// Deepest nesting of records.
const MOST_LEVELS: usize = 60;

impl Broker {
    /// One record.
    ///
    /// # Errors
    /// `NotFound` also if it is outside the caller's scope.
    pub async fn record(&self, caller: &Caller, kind: RecordKind, id: Id) -> Result<Record, Error> {
        let scope = caller.may(read_action(kind))?;
        self.visible(scope, kind, id).await
    }

    /// Records of a kind within the caller's scope.
    ///
    /// # Errors
    /// If the caller may not read such records.
    pub async fn records(
        &self,
        caller: &Caller,
        filter: &RecordFilter,
        page: &Page,
    ) -> Result<Listed<Record>, Error> {
        let scope = caller.may(read_action(filter.kind))?;
        let Some(parent) = filter.parent else {
            return Ok(self.store().records(scope, filter, page).await?);
        };
        self.visible_any(scope, parent).await?;
        let owns = self.store().record_any(scope, parent).await?.is_some();
        let is_file = matches!(filter.kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document);
        // Who was given a case to read may read what lies in it, but not what others do about it.
        let whole = Scope::tenant(&scope.tenant);
        let scope = if !owns && is_file { &whole } else { scope };
        Ok(self.store().records(scope, filter, page).await?)
    }

    /// Carries a command out. The same `once` again gets the first answer.
    ///
    /// # Errors
    /// Refusals of the model, missing rights, a unit that does not exist.
    pub async fn submit(
        &self,
        caller: &Caller,
        command: Command,
        once: Option<&Once>,
    ) -> Result<Record, Error> {
        self.submit_with(caller, command, once, &[]).await
    }

    /// The same, committed together with the rows of payloads that the record names from then on.
    pub(crate) async fn submit_with(
        &self,
        caller: &Caller,
        command: Command,
        once: Option<&Once>,
        payloads: &[StoredPayload],
    ) -> Result<Record, Error> {
        let scope = caller.may(write_action(&command))?;
        if !is_by_itself(&command) {
            return Err(model::Error::Forbidden.into());
        }
        self.check_place(scope, &command).await?;
        if let Some(answer) = self.answered(caller, once).await? {
            return Ok(Record::from_json(command.kind, answer)?);
        }
        for _ in 0..ATTEMPTS {
            let outcome = self.attempt(caller, scope, &command, once, payloads).await;
            // The same request may have been carried out just now: then its answer is this one's.
            if outcome.is_err()
                && let Some(answer) = self.answered(caller, once).await?
            {
                return Ok(Record::from_json(command.kind, answer)?);
            }
            match outcome {
                Err(error) if error.is_conflict("root") => {}
                Err(error) if error.is_conflict("record") && is_create(&command) => {
                    // Or what it is to lie in has changed.
                    let whole = Scope::tenant(&scope.tenant);
                    if self.store().record_any(&whole, command.id).await?.is_some() {
                        return Err(model::Error::Exists.into());
                    }
                }
                Err(error) if error.is_conflict("record") && command.expected.is_none() => {}
                Err(error) if error.is_conflict("record") => {
                    return Err(model::Error::VersionConflict.into());
                }
                outcome => return outcome,
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    async fn attempt(
        &self,
        caller: &Caller,
        scope: &Scope,
        command: &Command,
        once: Option<&Once>,
        payloads: &[StoredPayload],
    ) -> Result<Record, Error> {
        let now = self.now();
        let current = match &command.change {
            Change::Create(_) => None,
            _ => Some(self.owned(scope, command.kind, command.id).await?),
        };
        let mut work = Work::new();
        let place = current.as_ref().or(match &command.change {
            Change::Create(record) => Some(&**record),
            _ => None,
        });
        if let Some(place) = place {
            let above = self.above(place).await?;
            match (place.kind(), &current) {
                (RecordKind::Task, Some(_)) => {}
                (RecordKind::Task, None) => refuse_destroyed(&above)?,
                _ => self.check_above(&mut work, current.as_ref(), &above, caller, &command.change).await?,
            }
        }
        for payload in payloads {
            work.insert_payload(&scope.tenant, payload);
        }
        let command = self.as_provided(current.as_ref(), command).await?;
        let decided = decide(current.as_ref(), &command, self.parts.rules, now)?;
        self.check_decided(caller, current.as_ref(), &command.change).await?;
        work.put_record(&decided.record, None);
        let mut event = notes::of_record(&decided, &caller.actor, now, None);
        event.payloads = named_by(&command.change);
        work.insert_event(&event);
        self.what_follows(&mut work, current.as_ref(), &decided.record, &caller.actor).await?;
        if let Some(once) = once {
            once.claim(&mut work, caller, decided.record.meta().id, &decided.record.to_json());
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok(decided.record),
            Some(answer) => Ok(Record::from_json(command.kind, answer)?),
        }
    }

    /// What lies in something that is destroyed, locked or offered to the archive takes no change; it may be barred from destruction.
    pub(crate) async fn check_above(
        &self,
        work: &mut Work,
        current: Option<&Record>,
        above: &[Record],
        caller: &Caller,
        change: &Change,
    ) -> Result<(), Error> {
        let bars = matches!(change, Change::Hold(_) | Change::LiftHold);
        refuse_destroyed(above)?;
        if bars {
            // It must not be destroyed between this look and the commit.
            for above in above.iter().map(Record::meta) {
                work.require_version(&above.tenant, above.id, above.version);
            }
            return Ok(());
        }
        if above.iter().any(|above| above.status() == RecordStatus::Locked.name()) {
            return Err(model::Error::Locked.into());
        }
        match self.leave_disposition(work, current, above, &caller.actor).await {
            // What was opened just when it was offered would else stand in the way for ever, and so would a call or what was sent.
            Err(Error::Model(model::Error::WrongState { state: IN_DISPOSITION }))
                if ends_something(change) =>
            {
                for above in above.iter().map(Record::meta) {
                    work.require_version(&above.tenant, above.id, above.version);
                }
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Adds to `work` what a command of the gateway's own leads to.
    pub(crate) fn apply(
        &self,
        work: &mut Work,
        current: &Record,
        change: Change,
        actor: &Actor,
        message: Option<Id>,
    ) -> Result<Record, Error> {
        let command = Command { kind: current.kind(), id: current.meta().id, expected: None, change };
        let now = self.now();
        let decided = decide(Some(current), &command, self.parts.rules, now)?;
        work.put_record(&decided.record, None);
        match (&decided.record, message) {
            (Record::Exchange(_), Some(message)) => {
                for event in notes::of_exchange(&decided, &command.change, actor, now, message) {
                    work.insert_event(&event);
                }
            }
            _ => {
                work.insert_event(&notes::of_record(&decided, actor, now, message));
            }
        }
        if let (Record::Exchange(before), Record::Exchange(after)) = (current, &decided.record) {
            self.keep_deadline(work, before.waits.as_ref(), after);
        }
        Ok(decided.record)
    }

    /// A created record lies in a unit of the house, within the caller's scope, under a parent that the
    /// caller may change. A task may be given to any unit of the tenant: that is how units work together.
    pub(crate) async fn check_place(&self, scope: &Scope, command: &Command) -> Result<(), Error> {
        if let Change::HandOn(unit) = &command.change
            && !self.house().has_unit(&scope.tenant, unit)
        {
            return Err(Error::UnknownUnit);
        }
        if let Change::ProvenStep(proof) = &command.change {
            return self.check_proof(scope, command.id, proof.document).await;
        }
        let Change::Create(record) = &command.change else { return Ok(()) };
        refuse_number(record.description())?;
        let meta = record.meta();
        if meta.tenant != scope.tenant || !self.house().has_unit(&scope.tenant, &meta.unit) {
            return Err(Error::UnknownUnit);
        }
        if self.house().authority(&scope.tenant, &meta.authority).is_none() {
            return Err(Error::UnknownAuthority);
        }
        if record.kind() != RecordKind::Task
            && !scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref())
        {
            return Err(model::Error::Forbidden.into());
        }
        if let Some(parent) = record.parent() {
            self.owned_any(scope, parent).await?;
        }
        match &**record {
            Record::Dispatch(dispatch) => {
                self.check_way(dispatch)?;
                self.check_documents(scope, dispatch).await
            }
            _ => Ok(()),
        }
    }

    /// What proves a step lies in the tree of the case, too.
    async fn check_proof(&self, scope: &Scope, dispatch: Id, document: Option<Id>) -> Result<(), Error> {
        let Some(document) = document else { return Ok(()) };
        let root = self.owned(scope, RecordKind::Dispatch, dispatch).await?.meta().root;
        match self.owned(scope, RecordKind::Document, document).await?.meta().root == root {
            true => Ok(()),
            false => Err(model::Error::Invalid { field: "document" }.into()),
        }
    }

    /// What is sent lies in the tree of its case, and whoever sends it may read it.
    async fn check_documents(&self, scope: &Scope, dispatch: &Dispatch) -> Result<(), Error> {
        let root = self.owned_any(scope, dispatch.case_id).await?.meta().root;
        for id in &dispatch.documents {
            let document = self.owned(scope, RecordKind::Document, *id).await?;
            if document.meta().root != root || dispatch.meta.root != root {
                return Err(model::Error::Invalid { field: "documents" }.into());
            }
        }
        Ok(())
    }

    /// The records that a record lies in, innermost first.
    pub(crate) async fn above(&self, record: &Record) -> Result<Vec<Record>, Error> {
        let whole = Scope::tenant(&record.meta().tenant);
        let mut above = vec![];
        let mut next = record.parent();
        while let Some(id) = next {
            let Some(parent) = self.store().record_any(&whole, id).await? else { break };
            next = parent.parent();
            above.push(parent);
            if above.len() >= MOST_LEVELS {
                return Err(model::Error::Invalid { field: "parent" }.into());
            }
        }
        Ok(above)
    }

    /// A record that the scope itself covers.
    pub(crate) async fn owned(&self, scope: &Scope, kind: RecordKind, id: Id) -> Result<Record, Error> {
        let found = self.store().record(scope, kind, id).await?;
        found.ok_or_else(|| model::Error::NotFound { kind: kind.name() }.into())
    }

    pub(crate) async fn owned_any(&self, scope: &Scope, id: Id) -> Result<Record, Error> {
        let found = self.store().record_any(scope, id).await?;
        found.ok_or_else(|| model::Error::NotFound { kind: "record" }.into())
    }

    /// A record that the scope covers, or that it was given to read by an open task, or a task that one
    /// of its units asked another for.
    async fn visible(&self, scope: &Scope, kind: RecordKind, id: Id) -> Result<Record, Error> {
        if let Some(record) = self.store().record(scope, kind, id).await? {
            return Ok(record);
        }
        let not_found = || Error::from(model::Error::NotFound { kind: kind.name() });
        let whole = Scope::tenant(&scope.tenant);
        let record = self.store().record(&whole, kind, id).await?.ok_or_else(not_found)?;
        let may = match &record {
            Record::Task(task) => {
                let asks = task.requested_by.as_deref().is_some_and(|unit| scope.units.covers(Some(unit)));
                (asks && scope.services.covers(task.meta.public_service.as_deref()))
                    || self.is_open(scope, asked_by(task)).await?
            }
            Record::CaseFile(_) | Record::Case(_) | Record::Document(_) | Record::Interaction(_) => {
                self.is_asked(scope, record.meta().root).await? || self.is_asked(scope, id).await?
            }
            Record::Claim(_) | Record::Payment(_) => {
                self.keeps(scope, &record).await? || self.is_asked(scope, id).await?
            }
            _ => false,
        };
        if may { Ok(record) } else { Err(not_found()) }
    }

    async fn visible_any(&self, scope: &Scope, id: Id) -> Result<Record, Error> {
        let not_found = || Error::from(model::Error::NotFound { kind: "record" });
        let whole = Scope::tenant(&scope.tenant);
        let record = self.store().record_any(&whole, id).await?.ok_or_else(not_found)?;
        self.visible(scope, record.kind(), id).await.map_err(|_| not_found())
    }

    /// Whether it is an open task of the scope's.
    async fn is_open(&self, scope: &Scope, task: Option<Id>) -> Result<bool, Error> {
        let Some(task) = task else { return Ok(false) };
        let found = self.store().record(scope, RecordKind::Task, task).await?;
        Ok(found.is_some_and(|it| matches!(it, Record::Task(task) if task.status.is_open())))
    }

    /// Whether a unit of the scope has an open task about the record.
    async fn is_asked(&self, scope: &Scope, about: Id) -> Result<bool, Error> {
        for status in [TaskStatus::Open, TaskStatus::Assigned] {
            let status = Some(status.name().to_owned());
            let filter = RecordFilter { parent: Some(about), status, ..RecordFilter::of(RecordKind::Task) };
            let tasks = self.store().records(scope, &filter, &Page { after: None, limit: 1 }).await?;
            if !tasks.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `root` is the id of a record the caller may see; used before anything below it is shown.
    ///
    /// # Errors
    /// `NotFound` if not.
    pub async fn require_visible(&self, caller: &Caller, id: Id) -> Result<Record, Error> {
        let scope = caller.may(Action::ReadCases)?;
        self.visible_any(scope, id).await
    }

    /// Sealed events after a number, ascending. No later commit is ever skipped.
    ///
    /// # Errors
    /// If the caller may not read events.
    pub async fn events(&self, caller: &Caller, after: u64, limit: u32) -> Result<Vec<SealedEvent>, Error> {
        let scope = caller.may(Action::ReadEvents)?;
        Ok(self.store().events(scope, after, limit).await?)
    }
}

/// Nothing comes into being beside or in what is destroyed.
fn refuse_destroyed(above: &[Record]) -> Result<(), model::Error> {
    let state = RecordStatus::Destroyed.name();
    match above.iter().any(|above| above.status() == state) {
        true => Err(model::Error::WrongState { state }),
        false => Ok(()),
    }
}

/// Whether a change tells how something ended that was begun before, which is no work on what it belongs to.
fn ends_something(change: &Change) -> bool {
    matches!(change, Change::Close | Change::Call(_) | Change::DispatchStep(..) | Change::ProvenStep(_))
}

fn read_action(kind: RecordKind) -> Action {
    match kind {
        RecordKind::Task => Action::WorkTasks,
        _ => Action::ReadCases,
    }
}

/// Whether a command changes its record and nothing else. Money, and what lies on a desk, change by calls of their own alone, with all that
/// follows from it.
fn is_by_itself(command: &Command) -> bool {
    let is_one = match command.change {
        // A task is passed on alone; a letter with everything that it brought.
        Change::HandOn(_) => command.kind == RecordKind::Task,
        Change::Create(_) | Change::Amend(_) | Change::AssignReference(_) | Change::AddContent { .. } => true,
        Change::Close | Change::Reopen | Change::ConfirmReceived | Change::Lock => true,
        Change::AssignTask(_) | Change::CompleteTask(_) | Change::CancelTask => true,
        Change::Hold(_) | Change::LiftHold | Change::Call(_) => true,
        Change::DispatchStep(..) | Change::ProvenStep(_) | Change::CitizenNumber(_) => true,
        _ => false,
    };
    is_one && !matches!(command.kind, RecordKind::Claim | RecordKind::Payment)
}

/// The number by which a citizen knows a case is the gateway's to give: nothing comes into being with one.
pub(crate) fn refuse_number(description: Option<&Description>) -> Result<(), Error> {
    match description.is_some_and(|it| it.reference(NUMBER).is_some()) {
        true => Err(model::Error::Invalid { field: "references" }.into()),
        false => Ok(()),
    }
}

/// The bytes that a change names for the first time.
pub(crate) fn named_by(change: &Change) -> Vec<PayloadRef> {
    match change {
        Change::AddContent { file, .. } => file.content.clone().into_iter().collect(),
        Change::Create(record) => contents_of(record),
        _ => vec![],
    }
}

/// The bytes that a record names, in its order.
pub(crate) fn contents_of(record: &Record) -> Vec<PayloadRef> {
    let Record::Document(document) = record else { return vec![] };
    let files = document.versions.iter().flat_map(|version| &version.files);
    files.filter_map(|file| file.content.clone()).collect()
}

pub(crate) fn write_action(command: &Command) -> Action {
    match (command.kind, &command.change) {
        (RecordKind::Task, _) => Action::WorkTasks,
        (RecordKind::Exchange, _) | (_, Change::Lock) => Action::Exchange,
        (_, Change::ConfirmReceived) => Action::ConfirmImport,
        (_, Change::Hold(_) | Change::LiftHold) => Action::HoldRecords,
        _ => Action::WriteCases,
    }
}

fn is_create(command: &Command) -> bool {
    matches!(command.change, Change::Create(_))
}
