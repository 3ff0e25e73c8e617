//! What comes in and begins or continues a process: records, offers, documents along a route, file plans. It is revealed, put into
//! the mailbox and receipted, all in one transaction.

use std::collections::BTreeMap;

use model::case::Disposition;
use model::circulation::Route;
use model::command::Change;
use model::exchange::{
    Appraisal, Exchange, ExchangeKind, ExchangeMessage, ExchangeObject, ExchangeStatus, Side,
};
use model::file_plan::FilePlan;
use model::process::{Next, OUT_OF_TURN, Part};
use model::record::Meta;
use model::standard::Identity;
use model::{Actor, Authority, EventKind, Id, Message, MessageState, Record, ids};
use store::{Job, Work};

use super::exchange;
use crate::process::{partner, with_finding};
use crate::translate::Translator;
use crate::{Broker, Error, notes};

/// The transfer holds other objects than those that were appraised for the archive.
const DIFFERS: &str = "exchange.transfer-differs";

/// A further message brings an object that has come already.
const OBJECT_TWICE: &str = "exchange.contradiction";

/// What came in.
pub(crate) enum Came {
    /// Records; in a disposition the transfer.
    Records(ExchangeKind),
    /// Records are offered.
    Offer,
    /// Documents along a route.
    Along(Box<Route>),
    /// A file plan, for information.
    Plan(Box<FilePlan>),
    /// A file plan that is to be appraised.
    PlanToAppraise(Box<FilePlan>),
}

impl Came {
    fn kind(&self) -> ExchangeKind {
        match self {
            Came::Records(kind) => *kind,
            Came::Offer => ExchangeKind::Disposition,
            Came::Along(_) => ExchangeKind::Circulation,
            Came::Plan(_) => ExchangeKind::FilePlan,
            Came::PlanToAppraise(_) => ExchangeKind::Catalogue,
        }
    }

    fn is_transfer(&self) -> bool {
        matches!(self, Came::Records(ExchangeKind::Disposition))
    }
}

impl Broker {
    /// Takes in what begins an exchange, or continues one that it belongs to.
    pub(crate) async fn take(
        &self,
        job: &Job,
        mut message: Message,
        identity: Identity,
        came: Came,
        mut translator: Translator,
    ) -> Result<(), Error> {
        if matches!(came, Came::Offer) || came.is_transfer() {
            let known = self.exchange_of(&message, identity.process_id, Side::Receiver).await?;
            // What came back may be begun again; but only what was offered again may be transferred.
            let begins_again = |known: &Exchange| {
                known.status == ExchangeStatus::Returned && (!came.is_transfer() || known.is_two_step())
            };
            if let Some(known) = known.filter(|known| !begins_again(known)) {
                return self.take_more(job, message, identity, known, &came, translator).await;
            }
        }
        let id = self.new_exchange_id(&message, &identity, &came).await?;
        let exchange = self.received_exchange(id, &message, &identity, came, &translator);
        let ended = match self.ended_by(&exchange, &message).await? {
            Ok(ended) => ended,
            Err(rule) => return self.park_by(job, message, rule).await,
        };
        message.exchange = Some(exchange.meta.id);
        let mut work = self.revealed(&mut message, &mut translator).await?;
        self.create(&mut work, Record::Exchange(exchange.clone()), &Actor::gateway(), message.id)?;
        for sent in ended {
            self.came_back(&mut work, sent, exchange.route.clone(), &message).await?;
        }
        let mut current = exchange;
        current.meta.version = 1;
        self.receipt(&mut work, current, &identity, &message)?;
        self.finish(job, work).await
    }

    /// A further part of an offer, or the transfer of what was appraised.
    async fn take_more(
        &self,
        job: &Job,
        mut message: Message,
        identity: Identity,
        known: Exchange,
        came: &Came,
        mut translator: Translator,
    ) -> Result<(), Error> {
        let part = if came.is_transfer() { Part::Transfer } else { Part::Opening };
        let several = identity.sequence.filter(|sequence| sequence.total > 1);
        let objects = match several {
            _ if known.kind != came.kind() => Err(OUT_OF_TURN),
            None if came.is_transfer() => transferred(&known, &translator.roots, true),
            None => Err(OUT_OF_TURN),
            // A number comes again only after its message was taken back.
            Some(several) if adds(&known) && known.has_number(part, several.number) => Err(OUT_OF_TURN),
            Some(_) if came.is_transfer() && !known.is_two_step() => {
                transferred(&known, &translator.roots, false)
            }
            Some(_) => added(&known, &translator.roots, part),
        };
        let from = partner(&message, &identity);
        let (objects, status) = match objects {
            Ok(_) if known.partner != from => {
                return self.park_by(job, message, "exchange.wrong-partner").await;
            }
            Ok(found) => found,
            Err(rule) => return self.park_by(job, message, rule).await,
        };
        message.exchange = Some(known.meta.id);
        let mut work = self.revealed(&mut message, &mut translator).await?;
        let noted = noted(&message, &identity);
        let before = known.clone();
        let mut record = Record::Exchange(known);
        for change in [Change::ExchangeObjects(objects), Change::ExchangeMessage(noted, status)] {
            record = self.apply(&mut work, &record, change, &Actor::gateway(), Some(message.id))?;
        }
        let after = exchange(record)?;
        self.end_reminders(&mut work, &before, &after).await?;
        self.receipt(&mut work, after, &identity, &message)?;
        self.finish(job, work).await
    }

    /// Waits for a human because of `rule`.
    pub(crate) async fn park_by(&self, job: &Job, mut message: Message, rule: &str) -> Result<(), Error> {
        message.report = Some(with_finding(message.report.take(), rule));
        self.park(job, message).await
    }

    /// Rows of what every message with records leads to.
    async fn revealed(&self, message: &mut Message, translator: &mut Translator) -> Result<Work, Error> {
        let (now, actor) = (self.now(), Actor::gateway());
        message.state = MessageState::Processed;
        message.updated_at = now;
        let mut work = translator.take_rest();
        work.update_message(message, MessageState::Accepted);
        work.reveal(&message.tenant, message.id);
        for decided in &translator.decided {
            work.insert_event(&notes::of_record(decided, &actor, now, Some(message.id)));
        }
        self.put_into_mailbox(&mut work, message).await?;
        work.insert_event(&notes::of_message(EventKind::MessageProcessed, message, &actor, now));
        Ok(work)
    }

    /// The receipt of what was taken in, after its durable take-in, to everybody who asks for one.
    fn receipt(
        &self,
        work: &mut Work,
        current: Exchange,
        identity: &Identity,
        message: &Message,
    ) -> Result<(), Error> {
        let receipted = message.forwarding.as_ref().is_some_and(|forwarding| forwarding.receipted);
        if receipted {
            return Ok(());
        }
        if current.kind == ExchangeKind::Circulation {
            return self.receipt_along(work, current, message);
        }
        if !identity.wants_receipt {
            return Ok(());
        }
        let transfer = current.status == ExchangeStatus::TransferReceived;
        let part = if transfer { Part::TransferReceipt } else { Part::OpeningReceipt };
        let status = current.status;
        self.prepare_part(work, &current, part, status, Some(message.id))?;
        Ok(())
    }

    /// The id of an exchange that `message` begins. Parts of an offer or transfer may be taken in at once, each as if it were the first: they
    /// begin one and the same exchange, so that only one can, and the others then find it.
    async fn new_exchange_id(
        &self,
        message: &Message,
        identity: &Identity,
        came: &Came,
    ) -> Result<Id, Error> {
        let by_message = ids::derived_id(message.id, "exchange");
        let Some(process) = identity.process_id.filter(|_| came.kind() == ExchangeKind::Disposition) else {
            return Ok(by_message);
        };
        let from = partner(message, identity);
        let known = self.exchanges_of(message, process, Side::Receiver).await?;
        // What came back is begun again as another one. One that has not come back was begun by another part meanwhile: this is that one.
        let came_back = |known: &&Exchange| {
            known.partner == from && known.kind == came.kind() && known.status == ExchangeStatus::Returned
        };
        let before = known.iter().filter(came_back).count();
        let (tenant, authority) = (&message.tenant, &message.authority);
        Ok(ids::derived_id(process, &format!("exchange {tenant} {authority} {from} {before}")))
    }

    fn received_exchange(
        &self,
        id: Id,
        message: &Message,
        identity: &Identity,
        came: Came,
        translator: &Translator,
    ) -> Exchange {
        let now = self.now();
        let (kind, is_transfer) = (came.kind(), came.is_transfer());
        let mut objects = translator.roots.clone();
        if is_transfer {
            let archive = || Some(Appraisal::of(Disposition::Archive));
            objects.iter_mut().for_each(|object| object.appraisal = archive());
        }
        let (route, file_plan) = match came {
            Came::Along(route) => (Some(route), None),
            Came::Plan(plan) | Came::PlanToAppraise(plan) => (None, Some(plan)),
            _ => (None, None),
        };
        let beside = translator.beside.iter().map(|said| (identity.standard.clone(), said.clone()));
        Exchange {
            meta: Meta {
                id,
                tenant: message.tenant.clone(),
                authority: message.authority.clone(),
                unit: message.unit.clone(),
                public_service: message.public_service.clone(),
                root: id,
                version: 0,
                created_at: now,
                updated_at: now,
            },
            kind,
            side: Side::Receiver,
            partner: partner(message, identity),
            process_id: identity.process_id.unwrap_or(message.id),
            standard: identity.standard.clone(),
            standard_version: identity.version.clone(),
            status: if is_transfer { ExchangeStatus::TransferReceived } else { ExchangeStatus::Received },
            wants_receipt: identity.wants_receipt,
            waits: None,
            objects,
            exceptions: vec![],
            destruction_asked: None,
            route,
            file_plan,
            messages: vec![noted(message, identity)],
            extensions: beside.collect(),
        }
    }

    /// The exchange of a message that is taken back stands where it stood before.
    pub(crate) async fn take_back_exchange(
        &self,
        work: &mut Work,
        mut exchange: Exchange,
        message: &Message,
    ) -> Result<(), Error> {
        self.reopen_circulations(work, &exchange, message).await?;
        let transfer = exchange.is_transfer(message.id);
        if !transfer || exchange.is_two_step() {
            return self.set_status(work, exchange, ExchangeStatus::Returned, message).await;
        }
        let objects = exchange.objects.iter().cloned().map(|object| match object.offered {
            Some(before) => ExchangeObject { id: before, root: before, offered: None, ..object },
            None => object,
        });
        let change = Change::ExchangeObjects(objects.collect());
        exchange = super::exchange(self.apply(
            work,
            &Record::Exchange(exchange),
            change,
            &Actor::gateway(),
            Some(message.id),
        )?)?;
        self.set_status(work, exchange, ExchangeStatus::Appraised, message).await
    }

    /// An authority that a route names.
    pub(super) fn initiator(exchange: &Exchange) -> Option<Authority> {
        exchange.route.as_ref()?.steps.first()?.order.by.authority.clone()
    }
}

fn noted(message: &Message, identity: &Identity) -> ExchangeMessage {
    let several = identity.sequence.filter(|sequence| sequence.total > 1);
    let one = ExchangeMessage::new(message.id, &identity.message_type, message.received_at);
    ExchangeMessage { sequence: several, ..one }
}

type Found = Result<(Vec<ExchangeObject>, ExchangeStatus), &'static str>;

/// Whether further messages bring further objects: of an offer, or of a transfer whose appraisal is standing.
fn adds(known: &Exchange) -> bool {
    known.is_two_step() || known.status == ExchangeStatus::Received
}

/// The objects of an exchange with those of a further message of what opened it.
fn added(known: &Exchange, roots: &[ExchangeObject], part: Part) -> Found {
    let (opened, appraisal) = match part {
        Part::Transfer => (ExchangeStatus::TransferReceived, Some(Appraisal::of(Disposition::Archive))),
        _ => (ExchangeStatus::Received, None),
    };
    if known.status != opened {
        return Err(OUT_OF_TURN);
    }
    let is_known = |root: &ExchangeObject| known.objects.iter().any(|it| it.object_id == root.object_id);
    if roots.iter().any(is_known) {
        return Err(OBJECT_TWICE);
    }
    let new = roots.iter().map(|root| ExchangeObject { appraisal: appraisal.clone(), ..root.clone() });
    Ok((known.objects.iter().cloned().chain(new).collect(), known.status))
}

/// The objects of an exchange after the transfer: exactly those that were appraised for the archive have come, or, if the
/// message is one of several, some of them.
fn transferred(known: &Exchange, roots: &[ExchangeObject], whole: bool) -> Found {
    let again = !whole && known.status == ExchangeStatus::TransferReceived;
    let status = match known.next(Part::Transfer) {
        Ok(Next::To(status)) => status,
        _ if again => known.status,
        Ok(_) => return Err(OUT_OF_TURN),
        Err(rule) => return Err(rule),
    };
    let mut came: BTreeMap<Id, &ExchangeObject> = roots.iter().map(|root| (root.object_id, root)).collect();
    let mut objects = known.objects.clone();
    let exceptions = known.exceptions.iter().filter(|it| {
        let known = objects.iter().any(|object| object.object_id == it.object_id);
        !known && it.appraisal.disposition == Some(Disposition::Archive)
    });
    let exceptions: Vec<ExchangeObject> = exceptions
        .map(|it| ExchangeObject {
            appraisal: Some(it.appraisal.clone()),
            ..ExchangeObject::new(it.kind, it.id, it.root, it.object_id)
        })
        .collect();
    objects.extend(exceptions);
    for object in objects.iter_mut().filter(|object| object.is_appraised(Disposition::Archive)) {
        match came.remove(&object.object_id) {
            Some(_) if object.offered.is_some() => return Err(OBJECT_TWICE),
            Some(new) => {
                object.offered = Some(object.id);
                (object.id, object.root) = (new.id, new.root);
            }
            None if whole => return Err(DIFFERS),
            None => {}
        }
    }
    if came.is_empty() { Ok((objects, status)) } else { Err(DIFFERS) }
}
