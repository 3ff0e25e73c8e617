//! A run of deletion: begun by the clock or by a person, done by a job in slices, ended by an event in the chain.

use model::rights::Action;
use model::{Actor, Caller, Event, EventKind, Id, Scope, ids};
use seal::canonical;
use seal::merkle::{RootBuilder, leaf_hash};
use serde_json::{Value, json};
use store::{Job, NewJob, Page, RetentionKept, RetentionRun, Work};

use super::look::Cursor;
use super::{HELD, Keeping, RetentionDue, contacts};
use crate::{Broker, Error, exchange, notes};

/// Kind and lane of the job.
pub(crate) const JOB: &str = "retention";

/// Most lines of one run's list; what is left is for the next one.
const MOST_LINES: u64 = 50_000;

/// Most of what stays that one run names.
const MOST_KEPT: u64 = 10_000;

/// Conflicts of a deletion that a bar has kept from being committed.
const BARRED: [&str; 3] = ["message copy", "notice copy", "held"];

impl Broker {
    /// Begins a run for the caller's tenant; a job does it. If one is under way, that is it.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may erase in the whole tenant.
    pub async fn start_retention(&self, caller: &Caller) -> Result<RetentionRun, Error> {
        let scope = caller.may(Action::Erase)?;
        if !scope.is_whole() {
            return Err(model::Error::Forbidden.into());
        }
        self.begin_retention(&scope.tenant, &caller.actor).await
    }

    /// Begins the runs that are due, on one node.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn retention_due(&self) -> Result<(), Error> {
        if !self.keeping().deletes() {
            return Ok(());
        }
        for tenant in self.house().tenants() {
            if self.store().claim_retention(&tenant.id, self.now(), self.keeping().every).await? {
                self.begin_retention(&tenant.id, &Actor::gateway()).await?;
            }
        }
        Ok(())
    }

    async fn begin_retention(&self, tenant: &str, by: &Actor) -> Result<RetentionRun, Error> {
        let last = self.store().retention_runs(tenant, 1).await?.pop();
        if let Some(running) = last.filter(|run| run.ended_at.is_none()) {
            return Ok(running);
        }
        let run = RetentionRun {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            started_at: self.now(),
            ended_at: None,
            deleted: 0,
            root: None,
            event: None,
            body: json!({ "by": by, "days": self.keeping() }),
        };
        let mut work = Work::new();
        work.begin_retention(&run);
        let detail = json!({ "run": run.id, "days": self.keeping() });
        work.insert_event(&self.audit(tenant, EventKind::RetentionBegun, by, detail));
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            lane: JOB.to_owned(),
            kind: JOB.to_owned(),
            subject: run.id,
            detail: json!({ "at": Cursor::default() }),
            next_at: self.now(),
            fifo_key: Some(JOB.to_owned()),
        });
        self.store().commit(work).await?;
        Ok(run)
    }

    /// One slice of a run. Doing it again after an interruption finds what is left.
    pub(crate) async fn retention_next(&self, job: &Job) -> Result<(), Error> {
        let run = self.store().retention_run(&job.tenant, job.subject).await?;
        let Some(run) = run.filter(|run| run.ended_at.is_none()) else {
            return self.finish(job, Work::new()).await;
        };
        let at: Cursor = serde_json::from_value(job.detail["at"].clone()).map_err(|_| Error::Internal)?;
        let slice = self.look(&Scope::tenant(&job.tenant), &at).await?;
        let mut number = self.store().retention_last(run.id).await?;
        let mut kept = slice.kept;
        if slice.due.iter().any(|due| due.kind == contacts::KIND) {
            self.seal_now(&job.tenant).await?;
        }
        for due in slice.due.iter().take(usize::try_from(MOST_LINES.saturating_sub(number)).unwrap_or(0)) {
            match self.delete(job, &run, number + 1, due).await {
                Ok(()) => number += 1,
                // Somebody works on it again.
                Err(Error::Model(model::Error::NotSettled)) => {}
                // A bar that came in between.
                Err(error) if BARRED.iter().any(|what| error.is_conflict(what)) => kept.push(RetentionKept {
                    kind: due.kind.to_owned(),
                    subject: due.subject,
                    reason: HELD.to_owned(),
                    since: due.since,
                }),
                Err(error) => return Err(error),
            }
        }
        let named = self.store().retention_reasons(&job.tenant).await?.values().sum::<u64>();
        let mut work = Work::new();
        for it in kept.iter().take(usize::try_from(MOST_KEPT.saturating_sub(named)).unwrap_or(0)) {
            work.list_kept(&job.tenant, it);
        }
        match slice.next.filter(|_| number < MOST_LINES) {
            Some(next) => {
                work.put_back_job(job.id, job.epoch, self.now(), &json!({ "at": next }));
                Ok(self.store().commit(work).await?)
            }
            None => {
                work.hold_job(job.id, job.epoch);
                self.store().commit(work).await?;
                self.end_retention(job, run, number).await
            }
        }
    }

    /// Deletes one thing and lists it, in one transaction.
    async fn delete(
        &self,
        job: &Job,
        run: &RetentionRun,
        number: u64,
        due: &RetentionDue,
    ) -> Result<(), Error> {
        let tenant = &job.tenant;
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        match due.kind {
            "notice" => {
                work.forget_notice_copy(tenant, due.subject);
            }
            "record" => self.have_destroyed(&mut work, tenant, due),
            contacts::KIND => self.empty_contact(&mut work, tenant, due.subject).await?,
            kind => {
                work.forget_message_copy(tenant, due.subject);
                if kind == "relay" {
                    work.forget_relay_subject(tenant, due.subject);
                }
            }
        }
        for payload in &due.payloads {
            work.erase_payload(tenant, payload.id);
        }
        self.note_erased(&mut work, run, due).await?;
        let line = canonical::to_vec(&line(number, due))?;
        work.list_deleted(run.id, number, &String::from_utf8_lossy(&line));
        self.store().commit(work).await?;
        for payload in &due.payloads {
            self.store().remove_erased(payload.id).await?;
        }
        Ok(())
    }

    /// The way that records go, as if somebody had asked for it: it looks at everything once more.
    fn have_destroyed(&self, work: &mut Work, tenant: &str, due: &RetentionDue) {
        let Some((of, object)) = due.disposed else { return };
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            lane: exchange::DESTROY.to_owned(),
            kind: exchange::DESTROY.to_owned(),
            subject: of,
            detail: json!({ "objects": [object], "by": Actor::gateway() }),
            next_at: self.now(),
            fifo_key: Some(format!("destroy:{of}")),
        });
    }

    /// Whoever looks at the message later reads in its account that its bytes are gone, and since when.
    async fn note_erased(
        &self,
        work: &mut Work,
        run: &RetentionRun,
        due: &RetentionDue,
    ) -> Result<(), Error> {
        let payloads: Vec<Id> = due.payloads.iter().map(|payload| payload.id).collect();
        if payloads.is_empty() {
            return Ok(());
        }
        let detail = json!({ "run": run.id, "payloads": payloads });
        let event = match due.kind {
            "message" | "relay" => {
                let message = self.store().message(&Scope::tenant(&run.tenant), due.subject).await?;
                let message = message.ok_or(model::Error::NotFound { kind: "message" })?;
                let event =
                    notes::of_message(EventKind::PayloadErased, &message, &Actor::gateway(), self.now());
                Event { payloads: vec![], detail: Some(detail), ..event }
            }
            _ => self.audit(&run.tenant, EventKind::PayloadErased, &Actor::gateway(), detail),
        };
        work.insert_event(&event);
        Ok(())
    }

    async fn end_retention(&self, job: &Job, mut run: RetentionRun, lines: u64) -> Result<(), Error> {
        let mut root = RootBuilder::new();
        let mut after = 0;
        loop {
            let items = self.store().retention_items(run.id, after, Page::MOST).await?;
            let Some((last, _)) = items.last() else { break };
            after = *last;
            items.iter().for_each(|(_, line)| root.push(leaf_hash(line.as_bytes())));
        }
        let kept = self.store().retention_reasons(&job.tenant).await?;
        let root = root.root().to_string();
        let detail = json!({ "run": run.id, "deleted": lines, "root": root, "kept": kept });
        let event = self.audit(&job.tenant, EventKind::RetentionEnded, &Actor::gateway(), detail);
        if let Value::Object(body) = &mut run.body {
            body.insert("kept".to_owned(), json!(kept));
            body.insert("cut".to_owned(), json!(lines >= MOST_LINES));
        }
        let run = RetentionRun {
            ended_at: Some(self.now()),
            deleted: lines,
            root: Some(root),
            event: Some(event.id),
            ..run
        };
        let mut work = Work::new();
        work.end_retention(&run);
        work.insert_event(&event);
        tracing::info!(run = %run.id, deleted = lines, "a run of deletion has ended");
        self.finish(job, work).await
    }
}

/// A line of the list: what was deleted, without anything that it said.
fn line(number: u64, due: &RetentionDue) -> Value {
    let payloads: Vec<Value> = due
        .payloads
        .iter()
        .map(|payload| json!({ "id": payload.id, "sha256": payload.sha256, "size": payload.size }))
        .collect();
    let mut line = json!({
        "number": number, "kind": due.kind, "subject": due.subject, "since": due.since, "payloads": payloads,
    });
    // Its end is told by events of its own, or why it stays after all.
    if due.disposed.is_some() {
        line["asked"] = Value::Bool(true);
    }
    line
}

/// A missing section keeps everything, and says so.
pub(crate) fn say(keeping: &Keeping) {
    if !keeping.deletes() {
        tracing::warn!("no [retention] is configured: transport copies are kept without end");
    }
}
