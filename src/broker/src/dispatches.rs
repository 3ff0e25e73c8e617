//! What follows from dispatches (Versand), in the transaction in which they change.
//!
//! * A way that came to nothing: a notification without documents goes on by the next of its ways, as another dispatch that names it; of whatever
//!   has to arrive as it was sent (documents, disclosure, formal service) a clerk decides, by a task.
//! * The ways `call` and `letter`: a task to call the citizen or to write a letter, whose end is the dispatch's.
//! * When one may leave: not before its time.

use std::time::Duration;

use model::activity::{Dispatch, DispatchStatus, DispatchStep, Task, TaskStatus};
use model::command::{Change, Command};
use model::deemed::Deemed;
use model::record::Meta;
use model::sending::Sending;
use model::{Actor, Id, Record, RecordKind, Scope, Timestamp, decide, ids};
use store::{RecordFilter, Work};

use crate::{Broker, Error, notes};

/// A way that people carry themselves.
struct ByHand {
    /// The way, and the kind of the task that it becomes.
    way: &'static str,
    title: &'static str,
    /// What the dispatch is once the task is done.
    done: DispatchStatus,
}

const BY_HAND: [ByHand; 2] = [
    ByHand {
        way: "call", title: "Bürgerin oder Bürger zum Vorgang anrufen", done: DispatchStatus::Provided
    },
    ByHand {
        way: "letter",
        title: "Bürgerin oder Bürger zum Vorgang einen Brief schreiben",
        done: DispatchStatus::Posted,
    },
];

/// Open dispatches of a case that are looked at together for that of a task.
const LOOKED_AT: u32 = 200;

/// Ways that carry documents alone: there is nothing that would make a letter of a notice.
const PAPER: [&str; 2] = ["print", "hybrid"];

/// Kinds and title of the task of whoever has to find another way.
const CAME_BACK: &str = "dispatch.came-back";
const NO_WAY_LEFT: &str = "dispatch.no-way-left";
const TITLE: &str = "Versand klären: Sendung nicht angekommen";

impl Broker {
    /// The same with what the house has decided about dispatches. Before it is cloned.
    pub fn with_sending(self, sending: Sending) -> Self {
        Broker { sending: std::sync::Arc::new(sending), ..self }
    }

    /// When a dispatch counts as disclosed or served, as the rules of the house propose it: no fact, and kept nowhere.
    pub fn deemed(&self, dispatch: &Dispatch) -> Option<Deemed> {
        self.sending.deemed(dispatch)
    }

    /// Adds what follows from a record that came into being or changed, in the same transaction.
    pub(crate) async fn what_follows(
        &self,
        work: &mut Work,
        before: Option<&Record>,
        after: &Record,
        actor: &Actor,
    ) -> Result<(), Error> {
        match (before, after) {
            (_, Record::Dispatch(after)) => return self.follow_dispatch(work, before, after).await,
            (None, Record::Interaction(contact)) => return self.follow_contact(work, contact).await,
            (Some(Record::Task(before)), Record::Task(after)) => {
                self.follow_hand(work, before, after, actor).await?
            }
            _ => {}
        }
        self.keep_due(work, before, after, actor).await
    }

    /// Whoever ends a task to call or to write says what became of the dispatch that it was: done, the citizen was told, or will be; cancelled, it
    /// comes to nothing.
    async fn follow_hand(
        &self,
        work: &mut Work,
        before: &Task,
        after: &Task,
        actor: &Actor,
    ) -> Result<(), Error> {
        let Some(hand) = by_hand(Some(&after.kind)) else { return Ok(()) };
        if !before.status.is_open() || after.status.is_open() {
            return Ok(());
        }
        let Some(carried) = self.dispatch_of(after).await? else { return Ok(()) };
        let kind = if after.status == TaskStatus::Done { hand.done } else { DispatchStatus::Failed };
        let change = Change::DispatchStep(DispatchStep { kind, at: self.now() }, None);
        match self.apply(work, &carried, change, actor, None)? {
            Record::Dispatch(after) => self.follow_dispatch(work, Some(&carried), &after).await,
            _ => Ok(()),
        }
    }

    /// The open dispatch that became this task: the task's id follows from its.
    async fn dispatch_of(&self, task: &Task) -> Result<Option<Record>, Error> {
        let open = Some(DispatchStatus::Open.name().to_owned());
        let filter =
            RecordFilter { parent: task.case_id, status: open, ..RecordFilter::of(RecordKind::Dispatch) };
        let scope = Scope::tenant(&task.meta.tenant);
        let is_it = |record: &Record| ids::derived_id(record.meta().id, &task.kind) == task.meta.id;
        let mut last = None;
        loop {
            let found = self.store().newest(&scope, &filter, last, LOOKED_AT).await?;
            last = found.last().map(|record| record.meta().id);
            match found.into_iter().find(is_it) {
                None if last.is_some() => {}
                found => return Ok(found),
            }
        }
    }

    async fn follow_dispatch(
        &self,
        work: &mut Work,
        before: Option<&Record>,
        after: &Dispatch,
    ) -> Result<(), Error> {
        if before.is_none() {
            self.ask_people(work, after).await?;
        }
        // By its steps, not by where it stands: what came back may be told with an earlier time than what was known, and more than once.
        let before = match before {
            Some(Record::Dispatch(it)) => times_it_came_to_nothing(it),
            _ => 0,
        };
        // A notice goes on once; of what is more a clerk is asked each time: it may have been posted again since.
        if times_it_came_to_nothing(after) <= before || (after.is_mere_notice() && before > 0) {
            return Ok(());
        }
        self.go_on_by(work, after).await
    }

    /// By another way, or by a clerk.
    async fn go_on_by(&self, work: &mut Work, it: &Dispatch) -> Result<(), Error> {
        if !it.is_mere_notice() {
            return self.ask_clerk(work, it, CAME_BACK).await;
        }
        let Some(next) = self.next_way(it) else { return self.ask_clerk(work, it, NO_WAY_LEFT).await };
        self.bring(work, Record::Dispatch(next.clone()))?;
        self.ask_people(work, &next).await
    }

    /// The dispatch that goes instead of one that came to nothing. Its id follows from that one: there is never a second.
    fn next_way(&self, it: &Dispatch) -> Option<Dispatch> {
        let now = self.now();
        it.otherwise.iter().enumerate().find_map(|(at, way)| {
            let next = Dispatch {
                meta: begun(&it.meta, ids::derived_id(it.meta.id, "otherwise"), now),
                way: Some(way.clone()),
                otherwise: it.otherwise.get(at + 1..).unwrap_or_default().to_vec(),
                instead_of: Some(it.meta.id),
                not_before: self.sending.quiet_until(way, now),
                reference: None,
                status: DispatchStatus::Open,
                steps: vec![],
                proofs: vec![],
                provided: vec![],
                ..it.clone()
            };
            let reaches = it.to.as_ref().is_none_or(|to| to.is_reached_by(way));
            (reaches && self.check_way(&next).is_ok()).then_some(next)
        })
    }

    /// What shall be carried is carried by somebody, or it would be open for ever.
    pub(crate) fn check_way(&self, dispatch: &Dispatch) -> Result<(), Error> {
        let is_carried = match dispatch.way.as_deref() {
            None => true,
            way if by_hand(way).is_some() => dispatch.is_mere_notice(),
            Some(way) if PAPER.contains(&way) && dispatch.is_mere_notice() && dispatch.notice.is_some() => {
                return Err(Error::NoLetter);
            }
            Some(_) => self.is_carried(dispatch),
        };
        if is_carried { Ok(()) } else { Err(Error::UnknownWay) }
    }

    /// Until when a dispatch has to wait that an adapter of its way is to be told of; `None` if it may leave now.
    pub(crate) fn waits_until(&self, it: &Dispatch) -> Option<Timestamp> {
        let now = self.now();
        let quiet = it.way.as_deref().filter(|_| it.is_mere_notice());
        let quiet = quiet.and_then(|way| self.sending.quiet_until(way, now));
        it.not_before.into_iter().chain(quiet).max().filter(|until| *until > now)
    }

    /// The way of a notification failed for good: it goes on by another, instead of waiting for a human. `false` if it has none, or if
    /// nobody knows whether it arrived.
    pub(crate) async fn gives_way(&self, work: &mut Work, record: Id, tenant: &str) -> Result<bool, Error> {
        let scope = Scope::tenant(tenant);
        let found = self.store().record(&scope, RecordKind::Dispatch, record).await?;
        let Some(before @ Record::Dispatch(it)) = found.as_ref() else { return Ok(false) };
        if !it.is_mere_notice() || it.otherwise.is_empty() || it.status != DispatchStatus::Open {
            return Ok(false);
        }
        let step = DispatchStep { kind: DispatchStatus::Failed, at: self.now() };
        let change = Change::DispatchStep(step, None);
        let after = self.apply(work, before, change, &Actor::gateway(), None)?;
        self.what_follows(work, Some(before), &after, &Actor::gateway()).await?;
        Ok(true)
    }

    /// The task that a dispatch becomes whose way people carry themselves.
    async fn ask_people(&self, work: &mut Work, it: &Dispatch) -> Result<(), Error> {
        let Some(hand) = by_hand(it.way.as_deref()) else { return Ok(()) };
        let from = it.not_before.unwrap_or_default().max(self.now());
        let id = ids::derived_id(it.meta.id, hand.way);
        let within = Duration::from_secs(u64::from(self.sending.call_within_hours) * 3_600);
        let due = self.house().hours().plus(from, within);
        let task = Task { due, ..a_task(it, id, self.now(), (hand.way, hand.title)) };
        self.ask_by_task(work, task).await
    }

    async fn ask_clerk(&self, work: &mut Work, it: &Dispatch, kind: &str) -> Result<(), Error> {
        let id = ids::derived_id(it.meta.id, &format!("{kind}:{}", it.meta.version));
        self.ask_by_task(work, a_task(it, id, self.now(), (kind, TITLE))).await
    }

    async fn ask_by_task(&self, work: &mut Work, task: Task) -> Result<(), Error> {
        let task = self.bring(work, Record::Task(task))?;
        self.keep_due(work, None, &task, &Actor::gateway()).await
    }

    /// A record that comes into being because of another.
    pub(crate) fn bring(&self, work: &mut Work, record: Record) -> Result<Record, Error> {
        let (kind, id, now) = (record.kind(), record.meta().id, self.now());
        let command = Command { kind, id, expected: None, change: Change::Create(Box::new(record)) };
        let decided = decide(None, &command, self.parts.rules, now)?;
        work.put_record(&decided.record, None);
        work.insert_event(&notes::of_record(&decided, &Actor::gateway(), now, None));
        Ok(decided.record)
    }
}

/// Whether people carry a way themselves.
pub(crate) fn is_by_hand(way: &str) -> bool {
    by_hand(Some(way)).is_some()
}

fn by_hand(way: Option<&str>) -> Option<&'static ByHand> {
    BY_HAND.iter().find(|hand| Some(hand.way) == way)
}

fn times_it_came_to_nothing(it: &Dispatch) -> usize {
    let is_end = |kind| matches!(kind, DispatchStatus::Failed | DispatchStatus::Returned);
    it.steps.iter().filter(|step| is_end(step.kind)).count()
}

/// Ownership of something new beside a dispatch.
fn begun(meta: &Meta, id: Id, now: Timestamp) -> Meta {
    Meta { id, version: 0, created_at: now, updated_at: now, ..meta.clone() }
}

fn a_task(it: &Dispatch, id: Id, now: Timestamp, (kind, title): (&str, &str)) -> Task {
    Task { case_id: Some(it.case_id), ..Task::new(begun(&it.meta, id, now), kind, title) }
}
