//! Trying many parked messages again after an outage: an operation, done by a job in slices. Each message is one
//! transaction with the operation's counters, so a job that was interrupted goes on behind the last one, and none is
//! tried twice. The tries are spread over time so that what just came back is not run over.

use std::time::Duration;

use model::rights::{Action, Within};
use model::{Actor, Caller, EventKind, Id, Message, Scope, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{ClarificationFilter, Job, NewJob, Operation, OperationState, Page, Work};

use crate::repairs::check_note;
use crate::screen::is_harmful;
use crate::{Broker, Error, Once, notes};

/// Kind of the job.
pub(crate) const JOB: &str = "redrive";

/// Messages of one job.
const SLICE: u32 = 100;

/// Pause between two tries, on average.
const PAUSE: Duration = Duration::from_millis(10);

/// Most time over which the tries of an operation are spread.
const LONGEST: Duration = Duration::from_secs(600);

/// Which parked messages shall be tried again.
#[derive(Debug, Clone, Default)]
pub struct Redrive {
    /// To or from this partner.
    pub partner: Option<String>,
    /// Kept by this rule.
    pub rule: Option<String>,
    /// Waiting since this time or later.
    pub since: Option<Timestamp>,
    /// Most messages.
    pub limit: Option<u64>,
    /// What the operator notes.
    pub note: Option<String>,
}

/// An operation as it is kept and shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveState {
    /// Identifier.
    pub id: Id,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Messages that it was about when it began.
    pub matched: u64,
    /// Messages that were sent again so far.
    pub resent: u64,
    /// Messages whose turn came and that were not tried: others had moved them in between, or they are harmful. What others settle before
    /// its turn comes is counted nowhere.
    pub passed: u64,
    /// When it began.
    pub since: Timestamp,
}

/// What stands in the operation's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    actor: Actor,
    units: Within,
    services: Within,
    partner: Option<String>,
    rule: Option<String>,
    from: Option<Timestamp>,
    /// What is parked later, is parked again: it is left to the next operation.
    until: Timestamp,
    matched: u64,
    note: Option<String>,
}

impl Kept {
    fn filter(&self) -> ClarificationFilter {
        ClarificationFilter {
            partner: self.partner.clone(),
            rule: self.rule.clone(),
            from: self.from,
            until: Some(self.until),
            ..ClarificationFilter::default()
        }
    }

    fn scope(&self, tenant: &str) -> Scope {
        Scope { tenant: tenant.to_owned(), units: self.units.clone(), services: self.services.clone() }
    }

    /// When a message is tried: anywhere within the time that all of them together are given.
    fn at(&self, message: Id, now: Timestamp) -> Timestamp {
        let whole = (PAUSE * u32::try_from(self.matched).unwrap_or(u32::MAX)).min(LONGEST);
        let [.., high, low] = *ids::derived_id(message, JOB).as_bytes();
        let share = u32::from(u16::from_be_bytes([high, low]));
        now.plus(whole * share / u32::from(u16::MAX))
    }
}

impl Broker {
    /// How many messages would be tried again.
    ///
    /// # Errors
    /// If the caller may not repair messages.
    pub async fn count_redrive(&self, caller: &Caller, wanted: &Redrive) -> Result<u64, Error> {
        let scope = caller.may(Action::RepairMessages)?;
        let kept = kept(caller, scope, wanted, self.now());
        let counts = self.store().clarification_counts(scope, &kept.filter()).await?;
        let all = counts.iter().map(|count| count.count).sum::<u64>();
        Ok(all.min(wanted.limit.unwrap_or(u64::MAX)))
    }

    /// Starts to try parked messages again.
    ///
    /// # Errors
    /// If the caller may not repair messages, or the note is too long.
    pub async fn start_redrive(
        &self,
        caller: &Caller,
        wanted: &Redrive,
        once: Option<&Once>,
    ) -> Result<RedriveState, Error> {
        let scope = caller.may(Action::RepairMessages)?;
        check_note(wanted.note.as_deref())?;
        self.once(caller, once, move || async move {
            let now = self.now();
            let matched = self.count_redrive(caller, wanted).await?;
            let kept = Kept { matched, ..kept(caller, scope, wanted, now) };
            let operation = Operation {
                id: ids::new_id(),
                tenant: scope.tenant.clone(),
                state: OperationState::Running,
                done: 0,
                passed: 0,
                behind: None,
                body: json!(kept),
            };
            let mut work = Work::new();
            work.insert_operation(&operation);
            let facts = json!({ "operation": operation.id, "kind": JOB, "matched": matched });
            let event = self.audit(&scope.tenant, EventKind::OperationStarted, &caller.actor, facts);
            work.insert_event(&notes::with_note(event, wanted.note.as_deref()));
            work.enqueue(&slice(&operation, now));
            self.commit_answer(caller, once, work, operation.id, shown(&operation, &kept)).await
        })
        .await
    }

    /// How far an operation is.
    ///
    /// # Errors
    /// `NotFound` unless the caller has started it, or sees everything that it may touch.
    pub async fn operation(&self, caller: &Caller, id: Id) -> Result<RedriveState, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let not_found = || Error::from(model::Error::NotFound { kind: "operation" });
        let operation = self.store().operation(&scope.tenant, id).await?.ok_or_else(not_found)?;
        let kept = read(&operation)?;
        let sees = scope.units.includes(&kept.units) && scope.services.includes(&kept.services);
        if kept.actor != caller.actor && !sees {
            return Err(not_found());
        }
        Ok(shown(&operation, &kept))
    }

    /// One slice of an operation, and the job of the next.
    pub(crate) async fn redrive(&self, job: &Job) -> Result<(), Error> {
        let Some(operation) = self.store().operation(&job.tenant, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        if operation.state != OperationState::Running {
            return self.finish(job, Work::new()).await;
        }
        let kept = read(&operation)?;
        let left = kept.matched.saturating_sub(operation.done + operation.passed);
        let limit = SLICE.min(u32::try_from(left).unwrap_or(SLICE));
        let page = Page { after: operation.behind, limit };
        let listed = self.store().clarifications(&kept.scope(&job.tenant), &kept.filter(), &page).await?;
        let (more, count) = (listed.next.is_some(), listed.items.len() as u64);
        for found in listed.items {
            self.try_one(job, &operation, &kept, found.message).await?;
        }
        let mut work = Work::new();
        if more && count < left {
            work.enqueue(&slice(&operation, self.now()));
        } else {
            work.end_operation(&job.tenant, operation.id, OperationState::Done);
        }
        self.finish(job, work).await
    }

    /// Resends one message and counts it, in one transaction; if somebody else has moved it, or it is harmful, only counts it.
    async fn try_one(
        &self,
        job: &Job,
        operation: &Operation,
        kept: &Kept,
        message: Message,
    ) -> Result<(), Error> {
        let id = message.id;
        if is_harmful(message.report.as_ref()) {
            let mut work = Work::new();
            work.hold_job(job.id, job.epoch);
            work.advance_operation(&job.tenant, operation.id, id, false);
            return Ok(self.store().commit(work).await?);
        }
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        work.advance_operation(&job.tenant, operation.id, id, true);
        let at = kept.at(id, self.now());
        let noted = |event| {
            let event = notes::with_fact(event, "operation", json!(operation.id));
            notes::with_note(event, kept.note.as_deref())
        };
        self.again(&mut work, message, &kept.actor, at, noted).await?;
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("message") || error.is_conflict("record") => {}
            outcome => return outcome,
        }
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        work.advance_operation(&job.tenant, operation.id, id, false);
        Ok(self.store().commit(work).await?)
    }
}

fn kept(caller: &Caller, scope: &Scope, wanted: &Redrive, now: Timestamp) -> Kept {
    Kept {
        actor: caller.actor.clone(),
        units: scope.units.clone(),
        services: scope.services.clone(),
        partner: wanted.partner.clone(),
        rule: wanted.rule.clone(),
        from: wanted.since,
        until: now,
        matched: 0,
        note: wanted.note.clone(),
    }
}

fn read(operation: &Operation) -> Result<Kept, Error> {
    serde_json::from_value(operation.body.clone()).map_err(|_| Error::Internal)
}

fn shown(operation: &Operation, kept: &Kept) -> RedriveState {
    RedriveState {
        id: operation.id,
        state: operation.state.name().to_owned(),
        matched: kept.matched,
        resent: operation.done,
        passed: operation.passed,
        since: kept.until,
    }
}

fn slice(operation: &Operation, now: Timestamp) -> NewJob {
    NewJob {
        id: ids::new_id(),
        tenant: operation.tenant.clone(),
        lane: JOB.to_owned(),
        kind: JOB.to_owned(),
        subject: operation.id,
        detail: json!(null),
        next_at: now,
        fifo_key: None,
    }
}
