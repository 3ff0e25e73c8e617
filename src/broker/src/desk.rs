//! What clerks ask for beyond single records: what waits on their desks, cases by any of their names, and what happened to a case, the
//! latest first. Everything within the caller's scope.

use std::collections::BTreeMap;

use model::activity::{Pile, Task};
use model::payment::Booking;
use model::rights::Action;
use model::{Caller, Event, Id, Message, Record, RecordKind, Scope, phone};
use store::{DeskFilter, Listed, Page, RecordFilter, TimelineOf};

use crate::undecided::{Subjects, Undecided};
use crate::{Broker, Error};

/// Country of a telephone number that names none.
const HOME: &str = "49";
/// Bookings of one claim that are shown.
const BOOKINGS: u32 = 200;

/// What waits on a desk.
#[derive(Debug, Clone)]
pub struct Desk {
    /// How many open tasks lie on each pile; piles without any are absent.
    pub counts: BTreeMap<Pile, u64>,
    /// Open tasks: what is overdue first, then by the time they are due, then the oldest.
    pub waiting: Vec<Waiting>,
}

/// An open task as it lies on a desk.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The task.
    pub task: Task,
    /// What it is about.
    pub about: About,
    /// What has to be decided for it to end, if it ends by that.
    pub undecided: Option<Undecided>,
}

/// What a task is about, as far as the caller may see it.
#[derive(Debug, Clone)]
pub enum About {
    /// Nothing, or what the caller may not see.
    Nothing,
    /// A message.
    Message(Box<Message>),
    /// A case, a letter.
    Record(Box<Record>),
}

impl Broker {
    /// What waits for a human on the desks of the caller's units: everything that does is a task. Of the tasks, of one pile or of all, come
    /// `limit` behind the first `skipped`.
    ///
    /// # Errors
    /// If the caller may not work on tasks.
    pub async fn desk(
        &self,
        caller: &Caller,
        filter: &DeskFilter,
        pile: Option<Pile>,
        (skipped, limit): (u32, u32),
    ) -> Result<Desk, Error> {
        let scope = caller.may(Action::WorkTasks)?;
        let counts = self.store().desk_counts(scope, filter).await?;
        let tasks = self.store().desk_tasks(scope, filter, pile, (skipped, limit)).await?;
        let subjects = self.subjects(&scope.tenant, &tasks).await?;
        let mut waiting = vec![];
        for task in tasks {
            let about = self.about_task(caller, &subjects, &task).await?;
            waiting.push(Waiting { about, undecided: subjects.undecided(&task), task });
        }
        Ok(Desk { counts, waiting })
    }

    async fn about_task(&self, caller: &Caller, subjects: &Subjects, task: &Task) -> Result<About, Error> {
        let covers = |action, meta: (&str, &str, Option<&str>)| {
            caller.may(action).is_ok_and(|scope| scope.covers(meta.0, meta.1, meta.2))
        };
        if let Some(id) = task.message_id {
            let known = subjects.parked.get(&id).map(|found| &found.message).filter(|it| {
                covers(Action::ReadMessages, (&it.tenant, &it.unit, it.public_service.as_deref()))
            });
            let found = match known {
                Some(known) => Some(known.clone()),
                None => if_seen(self.message(caller, id).await)?,
            };
            return Ok(found.map_or(About::Nothing, |message| About::Message(Box::new(message))));
        }
        let Some(id) = task.case_id else { return Ok(About::Nothing) };
        let known = subjects.records.get(&id).filter(|it| {
            let meta = it.meta();
            covers(Action::ReadCases, (&meta.tenant, &meta.unit, meta.public_service.as_deref()))
        });
        // What lies elsewhere is seen by whoever was asked about it.
        let found = match known {
            Some(known) => Some(known.clone()),
            None => if_seen(self.require_visible(caller, id).await)?,
        };
        Ok(found.map_or(About::Nothing, |record| About::Record(Box::new(record))))
    }

    /// At most `limit` records of a kind within the caller's scope, the newest first, behind the last one of the page before.
    ///
    /// # Errors
    /// If the caller may not read such records.
    pub async fn newest_records(
        &self,
        caller: &Caller,
        filter: &RecordFilter,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let scope = match filter.kind {
            RecordKind::Task => caller.may(Action::WorkTasks)?,
            _ => caller.may(Action::ReadCases)?,
        };
        Ok(self.store().newest(scope, filter, after, limit).await?)
    }

    /// Cases and case files within the caller's scope that have this name: id, Aktenzeichen, any other reference, Kassenzeichen of one
    /// of their claims, telephone number of a party. At most `limit` of each, the newest first.
    ///
    /// # Errors
    /// If the caller may not read cases.
    pub async fn find_cases(&self, caller: &Caller, text: &str, limit: u32) -> Result<Vec<Record>, Error> {
        let scope = caller.may(Action::ReadCases)?;
        let mut found: Vec<Record> = vec![];
        if let Ok(id) = text.parse::<Id>() {
            found.extend(self.store().record_any(scope, id).await?);
        }
        for kind in [RecordKind::Case, RecordKind::CaseFile, RecordKind::Claim] {
            let text = || Some(text.to_owned());
            let by_reference = RecordFilter { record_reference: text(), ..RecordFilter::of(kind) };
            let by_name = RecordFilter { named: text(), ..RecordFilter::of(kind) };
            found.extend(self.store().newest(scope, &by_reference, None, limit).await?);
            found.extend(self.store().newest(scope, &by_name, None, limit).await?);
        }
        if let Some(number) = phone::e164(text, HOME, None) {
            found.extend(self.store().newest_named(scope, ("phone", &number), limit).await?);
        }
        self.only_cases(scope, found).await
    }

    /// Payments within the caller's scope that have this Kassenzeichen, or whose claim does: at most `limit`, the newest first.
    ///
    /// # Errors
    /// If the caller may not read cases.
    pub async fn find_payments(&self, caller: &Caller, text: &str, limit: u32) -> Result<Vec<Record>, Error> {
        let scope = caller.may(Action::ReadCases)?;
        let named = |kind| RecordFilter { named: Some(text.to_owned()), ..RecordFilter::of(kind) };
        let mut found = self.store().newest(scope, &named(RecordKind::Payment), None, limit).await?;
        for claim in self.store().newest(scope, &named(RecordKind::Claim), None, limit).await? {
            let parent = Some(claim.meta().id);
            let of_claim = RecordFilter { parent, ..RecordFilter::of(RecordKind::Payment) };
            found.extend(self.store().newest(scope, &of_claim, None, limit).await?);
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.meta().id));
        found.dedup_by_key(|record| record.meta().id);
        found.truncate(limit as usize);
        Ok(found)
    }

    /// The cases that these are, or belong to; each once.
    async fn only_cases(&self, scope: &Scope, found: Vec<Record>) -> Result<Vec<Record>, Error> {
        let mut cases: Vec<Record> = vec![];
        for record in found {
            let case = match &record {
                Record::Case(_) | Record::CaseFile(_) => Some(record),
                Record::Claim(claim) => self.store().record_any(scope, claim.case_id).await?,
                _ => None,
            };
            let is_new = |case: &Record| cases.iter().all(|known| known.meta().id != case.meta().id);
            cases.extend(case.filter(is_new));
        }
        Ok(cases)
    }

    /// What happened to everything in the tree of a record, by whatever channel, before event `before`: the latest first. Whoever was
    /// only asked about it sees what their own unit did.
    ///
    /// # Errors
    /// As [`require_visible`](Broker::require_visible).
    pub async fn tree_events(
        &self,
        caller: &Caller,
        id: Id,
        before: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        let record = self.require_visible(caller, id).await?;
        let of = TimelineOf::Root(record.meta().root);
        Ok(self.store().newest_events(&caller.scope, of, before, limit).await?)
    }

    /// The messages by which something in the tree of a record came or went, in the order in which they were known here, behind one; those
    /// that the caller may not see are left out.
    ///
    /// # Errors
    /// `NotFound` unless the caller sees the record; `Forbidden` unless messages may be read.
    pub async fn tree_messages(
        &self,
        caller: &Caller,
        id: Id,
        page: &Page,
    ) -> Result<Listed<Message>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let root = self.require_visible(caller, id).await?.meta().root;
        let limit = page.limit.min(Page::MOST - 1);
        let mut ids = self.store().messages_of_tree(scope, root, page.after, limit + 1).await?;
        let is_all = ids.len() <= limit as usize;
        ids.truncate(limit as usize);
        let next = ids.last().copied().filter(|_| !is_all);
        let mut items = vec![];
        for id in ids {
            items.extend(self.store().message(scope, id).await?);
        }
        Ok(Listed { items, next })
    }

    /// What the cash system is told of a claim and its payments, each with the number of the file that it stands in.
    ///
    /// # Errors
    /// `NotFound` unless the caller sees the claim.
    pub async fn claim_bookings(
        &self,
        caller: &Caller,
        claim: Id,
    ) -> Result<Vec<(Booking, Option<u64>)>, Error> {
        let record = self.record(caller, RecordKind::Claim, claim).await?;
        Ok(self.store().bookings_of_claim(&record.meta().tenant, claim, BOOKINGS).await?)
    }
}

/// What was found, unless the caller may not see it.
fn if_seen<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => Ok(None),
        Err(error) => Err(error),
    }
}
