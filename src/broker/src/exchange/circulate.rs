//! Circulation (Geschäftsgang): documents go along a route from station to station, and may come back. Each station does its step
//! and sends them on with the whole route; the process id stays the same, so receipts find the initiator.

use model::circulation::{Outcome, Route, Step, StepStatus};
use model::command::Change;
use model::directory::Asked;
use model::exchange::{Exchange, ExchangeKind, ExchangeMessage, ExchangeStatus, Side};
use model::process::{Part, message_type};
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Authority, Caller, Id, Message, Record, RecordKind, Scope, ids};
use store::Work;

use super::exchange;
use crate::{Broker, Error, Once, reach};

/// The documents of a circulation of ours came with another route, or from an authority that is none of its stations.
const ROUTE_DIFFERS: &str = "exchange.route-differs";

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
    /// Locks the main documents that a new exchange sends along a route, if they come back.
    pub(super) async fn lock_circulating(
        &self,
        scope: &Scope,
        work: &mut Work,
        caller: &Caller,
        new: &Exchange,
    ) -> Result<(), Error> {
        if !new.comes_back() {
            return Ok(());
        }
        for object in new.main_documents() {
            let record = self.owned_any(scope, object.id).await?;
            self.apply(work, &record, Change::Circulate(new.meta.id), &caller.actor, None)?;
        }
        Ok(())
    }

    /// The documents that an exchange has locked may be changed again. What a hand-over has locked meanwhile stays so.
    pub(crate) async fn release_circulating(
        &self,
        work: &mut Work,
        sent: &Exchange,
        actor: &Actor,
        message: Option<Id>,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&sent.meta.tenant);
        for object in sent.objects.iter().filter(|object| object.kind == RecordKind::Document) {
            let Some(record) = self.store().record(&scope, RecordKind::Document, object.id).await? else {
                continue;
            };
            let circulates = record.description().and_then(|description| description.circulates);
            if circulates == Some(sent.meta.id) {
                self.apply(work, &record, Change::Release(sent.meta.id), actor, message)?;
            }
        }
        Ok(())
    }

    /// The exchanges of ours that end because their documents have come back with `received`: all that are under way, once the last
    /// step is reached. Or the rule by which what came contradicts them.
    pub(super) async fn ended_by(
        &self,
        received: &Exchange,
        message: &Message,
    ) -> Result<Result<Vec<Exchange>, &'static str>, Error> {
        let Some(route) = received.route.as_deref() else { return Ok(Ok(vec![])) };
        let mut sent = self.exchanges_of(message, received.process_id, Side::Sender).await?;
        sent.retain(|sent| sent.is_under_way() && sent.comes_back());
        let fits = |sent: &Exchange| {
            let from = &received.partner;
            let passes = sent.partner == *from || route.passes(from);
            passes && sent.route.as_ref().is_some_and(|ours| ours.is_same_way(route))
        };
        if !sent.iter().all(fits) {
            return Ok(Err(ROUTE_DIFFERS));
        }
        Ok(Ok(if route.is_at_its_end() { sent } else { vec![] }))
    }

    /// An exchange whose documents are back has come to its end, and its own may be changed again. It names the message that brought
    /// them.
    pub(super) async fn came_back(
        &self,
        work: &mut Work,
        sent: Exchange,
        route: Option<Box<Route>>,
        message: &Message,
    ) -> Result<(), Error> {
        let opening = message_type(sent.kind, Part::Opening).ok_or(Error::Internal)?;
        let brought = ExchangeMessage::new(message.id, opening, message.received_at);
        let brought = Change::ExchangeMessage(brought, ExchangeStatus::Confirmed);
        let changes = route.map(Change::Route).into_iter().chain([brought]).collect();
        self.end_way(work, sent, changes, &Actor::gateway(), Some(message.id)).await?;
        Ok(())
    }

    /// The exchanges of ours that ended because of a message which is taken back are under way again, and their documents locked as far as
    /// nobody has closed or locked them meanwhile.
    pub(super) async fn reopen_circulations(
        &self,
        work: &mut Work,
        received: &Exchange,
        message: &Message,
    ) -> Result<(), Error> {
        if received.kind != ExchangeKind::Circulation {
            return Ok(());
        }
        let (scope, actor) = (Scope::tenant(&message.tenant), Actor::gateway());
        let sent = self.exchanges_of(message, received.process_id, Side::Sender).await?;
        let is_ended = |sent: &Exchange| sent.status == ExchangeStatus::Confirmed;
        for sent in sent.into_iter().filter(|sent| is_ended(sent) && sent.has_message(message.id)) {
            for object in sent.main_documents() {
                let Some(record) = self.store().record(&scope, object.kind, object.id).await? else {
                    continue;
                };
                match self.apply(work, &record, Change::Circulate(sent.meta.id), &actor, Some(message.id)) {
                    Ok(_) | Err(Error::Model(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            self.set_status(work, sent, ExchangeStatus::Received, message).await?;
        }
        Ok(())
    }

    /// Rows of the end of a circulation at its sender.
    async fn end_way(
        &self,
        work: &mut Work,
        sent: Exchange,
        changes: Vec<Change>,
        actor: &Actor,
        message: Option<Id>,
    ) -> Result<Exchange, Error> {
        self.release_circulating(work, &sent, actor, message).await?;
        let mut record = Record::Exchange(sent.clone());
        for change in changes {
            record = self.apply(work, &record, change, actor, message)?;
        }
        let after = exchange(record)?;
        self.end_reminders(work, &sent, &after).await?;
        Ok(after)
    }

    /// Ends a circulation whose documents will not come back: they may be changed again.
    ///
    /// # Errors
    /// `WrongState` if it is not under way.
    pub async fn end_circulation(
        &self,
        caller: &Caller,
        id: Id,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Exchange)?;
        self.once(caller, once, move || async move {
            let before = exchange(self.owned(scope, RecordKind::Exchange, id).await?)?;
            if !before.is_under_way() {
                return Err(model::Error::WrongState { state: "not-under-way" }.into());
            }
            let mut work = Work::new();
            let message = before.messages.first().map(|message| message.id);
            let ended = vec![Change::ExchangeStatus(ExchangeStatus::Confirmed)];
            let after = self.end_way(&mut work, before, ended, &caller.actor, message).await?;
            self.commit_answer(caller, once, work, id, after).await
        })
        .await
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
    /// `WrongState` if they have gone on; `Invalid` if they are not at that step, or another authority is said to have done it.
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
            if route.current() != Some(done.step) {
                return Err(model::Error::Invalid { field: "step" }.into());
            }
            let ours = Some(&before.meta.authority);
            let by = done.outcome.by.authority.as_ref();
            if by.is_some_and(|by| Some(by) != ours) {
                return Err(model::Error::Invalid { field: "outcome.by" }.into());
            }
            let step = route.steps.get_mut(done.step).ok_or(model::Error::Invalid { field: "step" })?;
            step.status = if done.skipped { StepStatus::Skipped } else { StepStatus::Done };
            let mut outcome = done.outcome.clone();
            // Whoever sends the documents back in the place of another is known by that.
            if !done.skipped {
                outcome.by.authority.get_or_insert_with(|| before.meta.authority.clone());
            }
            step.outcome = Some(outcome);
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
    /// `WrongState` if they have gone on, or the step here is not done; `Invalid` if the next station names no authority and none is given,
    /// or names another than `to`; `UnknownAuthority` or `NoCommonStandard` if that cannot be reached or cannot read them.
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
            if route.current().is_some() {
                return Err(model::Error::WrongState { state: "step-not-done" }.into());
            }
            let mut work = Work::new();
            let message = before.messages.first().map(|message| message.id);
            if let Some(next) = begin_next(&mut route) {
                let to = to.as_ref().or(next.order.to.authority.as_ref());
                let to = to.ok_or(model::Error::Invalid { field: "to" })?;
                check_named(&next, to)?;
                let written = self.version_along(&before, to).await?;
                self.send_along(&mut work, caller, &before, (to.clone(), written), route.clone())?;
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

    /// Standard and version in which documents go on to `to`: as they came, if that can be read there.
    async fn version_along(&self, received: &Exchange, to: &Authority) -> Result<(String, String), Error> {
        let asked = Asked {
            tenant: &received.meta.tenant,
            to,
            from: Some(&received.meta.authority),
            service: received.meta.public_service.as_deref(),
            bytes: None,
            now: self.now(),
        };
        let way = reach::best(self.own_ways(&asked).await?).ok_or(Error::UnknownAuthority)?;
        let came = (received.standard.clone(), received.standard_version.clone());
        let reads = &way.reach.reads;
        self.common_version(received.kind, Some(&came), reads)
            .or_else(|_| self.common_version(received.kind, None, reads))
    }

    fn send_along(
        &self,
        work: &mut Work,
        caller: &Caller,
        received: &Exchange,
        (to, (standard, standard_version)): (Authority, (String, String)),
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
            standard,
            standard_version,
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
        next.messages.push(ExchangeMessage::new(message.id, opening, now));
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
    let next = route.steps.iter_mut().find(|step| step.status == StepStatus::Planned)?;
    next.status = StepStatus::Current;
    Some(next.clone())
}

/// A new route has stations to come, nothing was done at any, and it does not name another authority for the first than `to`.
pub(super) fn check_new(route: &Route, to: &Authority) -> Result<(), Error> {
    let begun = |step: &Step| matches!(step.status, StepStatus::Current | StepStatus::Done);
    let first = route.steps.iter().find(|step| step.status == StepStatus::Planned);
    let Some(first) = first.filter(|_| !route.steps.iter().any(begun)) else {
        return Err(model::Error::Invalid { field: "route" }.into());
    };
    check_named(first, to)
}

/// A step does not name another authority than `to`.
fn check_named(step: &Step, to: &Authority) -> Result<(), Error> {
    match &step.order.to.authority {
        Some(named) if named != to => Err(model::Error::Invalid { field: "to" }.into()),
        _ => Ok(()),
    }
}
