//! Circulation (Geschäftsgang): documents go along a route from station to station, and may come back. Each station does its step
//! and sends them on with the whole route; the process id stays the same, so receipts find the initiator.

use model::circulation::{Outcome, Route, Step, StepStatus};
use model::command::Change;
use model::exchange::{Exchange, ExchangeKind, ExchangeMessage, ExchangeStatus, Side};
use model::process::{Part, message_type};
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Authority, Caller, Id, Message, Record, RecordKind, Scope, ids};
use store::Work;

use super::exchange;
use crate::{Broker, Error, Once};

/// What was done at a step of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// Which step, from 0.
    pub step: usize,
    /// Whether it was passed over.
    pub skipped: bool,
    /// What was done, or who passed it over.
    pub outcome: Outcome,
}

impl Broker {
    /// Locks the documents that a new exchange sends along a route, if they come back.
    pub(super) async fn lock_circulating(
        &self,
        scope: &Scope,
        work: &mut Work,
        caller: &Caller,
        new: &Exchange,
    ) -> Result<(), Error> {
        for record in self.circulating(scope, new).await? {
            self.apply(work, &record, Change::Lock, &caller.actor, None)?;
        }
        Ok(())
    }

    /// The main documents of a circulation that comes back.
    async fn circulating(&self, scope: &Scope, exchange: &Exchange) -> Result<Vec<Record>, Error> {
        let mut found = vec![];
        let Some(route) = exchange.route.as_ref().filter(|_| exchange.comes_back()) else { return Ok(found) };
        for object in &exchange.objects {
            if object.kind == RecordKind::Document && !route.attachments.contains(&object.object_id) {
                found.push(self.owned_any(scope, object.id).await?);
            }
        }
        Ok(found)
    }

    /// Documents that come back to their initiator: its exchange has come to its end, and its own may be changed again.
    pub(super) async fn came_back(
        &self,
        work: &mut Work,
        received: &Exchange,
        message: &Message,
    ) -> Result<(), Error> {
        if received.kind != ExchangeKind::Circulation {
            return Ok(());
        }
        let sent = self.exchange_of(message, Some(received.process_id), Side::Sender).await?;
        let Some(Record::Exchange(sent)) = sent else { return Ok(()) };
        let actor = Actor::gateway();
        let scope = Scope::tenant(&sent.meta.tenant);
        for record in self.circulating(&scope, &sent).await? {
            if record.status() == "locked" {
                self.apply(work, &record, Change::Release, &actor, Some(message.id))?;
            }
        }
        let before = sent.clone();
        let mut record = Record::Exchange(sent);
        let route = received.route.clone().map(Change::Route);
        for change in route.into_iter().chain([Change::ExchangeStatus(ExchangeStatus::Confirmed)]) {
            record = self.apply(work, &record, change, &actor, Some(message.id))?;
        }
        self.end_reminders(work, &before, &exchange(record)?).await
    }

    /// Receipts of documents that came along a route: to the station before, to the initiator, or both.
    pub(super) fn receipt_along(
        &self,
        work: &mut Work,
        received: Exchange,
        message: &Message,
    ) -> Result<(), Error> {
        let Some(route) = received.route.clone() else { return Ok(()) };
        let initiator = Broker::initiator(&received).filter(|it| *it != received.meta.authority);
        let mut to: Vec<Authority> = vec![];
        if route.receipt_to_predecessor {
            to.push(received.partner.clone());
        }
        to.extend(initiator.filter(|it| route.receipt_to_initiator && !to.contains(it)));
        let mut current = received;
        for partner in to {
            let as_if = Exchange { partner, ..current.clone() };
            let status = current.status;
            let noted = self.prepare_part(work, &as_if, Part::OpeningReceipt, status, Some(message.id))?;
            current = Exchange { partner: current.partner, ..noted };
        }
        Ok(())
    }

    /// Records what was done at a step of a route whose documents are here.
    ///
    /// # Errors
    /// `WrongState` if they have gone on; `Invalid` if there is no such step or it is done.
    pub async fn do_step(
        &self,
        caller: &Caller,
        id: Id,
        done: StepDone,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Exchange)?;
        let done = &done;
        self.once(caller, once, move || async move {
            let (current, before, mut route) = self.circulation_here(scope, id).await?;
            let step = route.steps.get_mut(done.step).ok_or(model::Error::Invalid { field: "step" })?;
            if matches!(step.status, StepStatus::Done | StepStatus::Skipped) {
                return Err(model::Error::Invalid { field: "step" }.into());
            }
            step.status = if done.skipped { StepStatus::Skipped } else { StepStatus::Done };
            step.outcome = Some(done.outcome.clone());
            let mut work = Work::new();
            let message = before.messages.first().map(|message| message.id);
            let change = Change::Route(Box::new(route));
            let after = self.apply(&mut work, &current, change, &caller.actor, message)?;
            self.commit_answer(caller, once, work, id, exchange(after)?).await
        })
        .await
    }

    /// Sends the documents of a route on to its next station; with none left the circulation ends here.
    ///
    /// # Errors
    /// `WrongState` if they have gone on; `Invalid` if the next station names no authority and none is given.
    pub async fn pass_on(
        &self,
        caller: &Caller,
        id: Id,
        to: Option<Authority>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Exchange)?;
        let to = &to;
        self.once(caller, once, move || async move {
            let (current, before, mut route) = self.circulation_here(scope, id).await?;
            let mut work = Work::new();
            let message = before.messages.first().map(|message| message.id);
            if let Some(next) = begin_next(&mut route) {
                let to = to.clone().or_else(|| next.order.to.authority.clone());
                let to = to.ok_or(model::Error::Invalid { field: "to" })?;
                self.send_along(&mut work, caller, &before, to, route.clone())?;
            }
            let changes = [Change::Route(Box::new(route)), Change::ExchangeStatus(ExchangeStatus::Confirmed)];
            let mut record = current;
            for change in changes {
                record = self.apply(&mut work, &record, change, &caller.actor, message)?;
            }
            let after = exchange(record)?;
            self.end_reminders(&mut work, &before, &after).await?;
            self.commit_answer(caller, once, work, id, after).await
        })
        .await
    }

    fn send_along(
        &self,
        work: &mut Work,
        caller: &Caller,
        received: &Exchange,
        to: Authority,
        route: Route,
    ) -> Result<(), Error> {
        let (id, now) = (ids::new_id(), self.now());
        let mut next = Exchange {
            meta: Meta {
                id,
                root: id,
                version: 0,
                created_at: now,
                updated_at: now,
                ..received.meta.clone()
            },
            side: Side::Sender,
            partner: to,
            status: ExchangeStatus::Sending,
            wants_receipt: route.receipt_to_predecessor,
            waits: None,
            route: Some(Box::new(route)),
            messages: vec![],
            extensions: model::case::Extensions::default(),
            ..received.clone()
        };
        let opening = message_type(next.kind, Part::Opening).ok_or(Error::Internal)?;
        let message = self.outgoing(&next, opening, next.wants_receipt, None);
        next.messages.push(ExchangeMessage { id: message.id, message_type: opening.to_owned(), at: now });
        self.create(work, Record::Exchange(next), &caller.actor, message.id)?;
        self.send(work, &message, &caller.actor);
        Ok(())
    }

    async fn circulation_here(&self, scope: &Scope, id: Id) -> Result<(Record, Exchange, Route), Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        let here = before.side == Side::Receiver && before.status == ExchangeStatus::Received;
        let Some(route) = before.route.clone().filter(|_| here) else {
            return Err(model::Error::WrongState { state: "not-here" }.into());
        };
        Ok((current, before, *route))
    }
}

/// The next station that is still to come: the documents are there from now on.
pub(super) fn begin_next(route: &mut Route) -> Option<Step> {
    for step in route.steps.iter_mut().filter(|step| step.status == StepStatus::Current) {
        step.status = StepStatus::Done;
    }
    let next = route.steps.iter_mut().find(|step| step.status == StepStatus::Planned)?;
    next.status = StepStatus::Current;
    Some(next.clone())
}
