//! Exchanges with other authorities: starting one, reporting on the import, locking what was confirmed.

use model::case::{Extensions, RecordStatus};
use model::command::{Change, Command};
use model::directory::Asked;
use model::exchange::{
    Exchange, ExchangeKind, ExchangeMessage, ExchangeObject, ExchangeStatus, ImportResult, Side,
};
use model::message::{Direction, Door, Message};
use model::record::Meta;
use model::rights::Action;
use model::standard::{Endpoint, Identity};
use model::{Actor, Authority, Caller, EventKind, Id, MessageState, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{NewJob, Work};

use crate::{Broker, Error, Once, notes, reach};

/// An exchange that a caller wants to start.
#[derive(Debug, Clone)]
pub struct NewExchange {
    /// What it is for.
    pub kind: ExchangeKind,
    /// The other authority.
    pub to: Authority,
    /// Case files, cases or documents to send, in order.
    pub objects: Vec<Id>,
    /// Standard and version; the newest that both sides know if absent.
    pub version: Option<(String, String)>,
    /// Whether the receiver shall send a receipt.
    pub wants_receipt: bool,
}

impl Broker {
    /// Starts an exchange. The message is written and sent by jobs.
    ///
    /// # Errors
    /// If an object is not visible or locked, or the authority is unknown or reads no common version.
    pub async fn start_exchange(
        &self,
        caller: &Caller,
        wanted: NewExchange,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Exchange)?;
        if let Some(answer) = self.answered(caller, once).await? {
            return exchange(Record::from_json(RecordKind::Exchange, answer)?);
        }
        let (objects, first) = self.objects_to_send(scope, &wanted).await?;
        let asked = Asked {
            tenant: &scope.tenant,
            to: &wanted.to,
            from: Some(&first.authority),
            service: first.public_service.as_deref(),
            bytes: None,
            now: self.now(),
        };
        // What keeps it from being used may be mended before the message is ready.
        let way = reach::best(self.own_ways(&asked).await?).ok_or(Error::UnknownAuthority)?;
        let (standard, version) = self.common_version(&wanted, &way.reach.reads)?;
        let now = self.now();
        let id = ids::new_id();
        let meta = Meta { id, root: id, version: 0, created_at: now, updated_at: now, ..first };
        let mut record = Exchange {
            meta,
            kind: wanted.kind,
            side: Side::Sender,
            partner: wanted.to,
            process_id: ids::new_id(),
            standard,
            standard_version: version,
            status: ExchangeStatus::Sending,
            objects,
            messages: vec![],
            extensions: Extensions::default(),
        };
        let message_type = records_type(record.kind);
        let message = self.outgoing(&record, message_type, wanted.wants_receipt, None);
        record.messages.push(ExchangeMessage { id: message.id, message_type: message_type.into(), at: now });

        let mut work = Work::new();
        let decided = self.create(&mut work, Record::Exchange(record), &caller.actor, message.id)?;
        self.send(&mut work, &message, &caller.actor);
        if let Some(once) = once {
            once.claim(&mut work, caller, id, &decided.record.to_json());
        }
        match self.commit_once(caller, once, work).await? {
            None => exchange(decided.record),
            Some(answer) => exchange(Record::from_json(RecordKind::Exchange, answer)?),
        }
    }

    /// Records what the record-keeping system says of imported objects, by their UUIDs in the message.
    /// Once every object has its result, the sender is told.
    ///
    /// # Errors
    /// If the exchange is not one that was received for hand-over, or an object is not part of it.
    pub async fn confirm_import(
        &self,
        caller: &Caller,
        id: Id,
        results: Vec<(Id, ImportResult)>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::ConfirmImport)?;
        let results = &results;
        self.once(caller, once, move || self.try_confirm(caller, scope, id, results, once)).await
    }

    async fn try_confirm(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        results: &[(Id, ImportResult)],
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        let returned = before.status == ExchangeStatus::Returned;
        if before.side != Side::Receiver || before.kind != ExchangeKind::Handover || returned {
            return Err(model::Error::WrongState { state: "not-received" }.into());
        }
        let received = before.messages.first().map_or(id, |message| message.id);
        let mut work = Work::new();
        let change = Change::ImportResults(results.to_vec());
        let after = self.apply(&mut work, &current, change, &caller.actor, Some(received))?;
        let after = exchange(after)?;
        if after.objects == before.objects {
            return self.commit_answer(caller, once, Work::new(), id, before).await;
        }
        self.open_confirmed(scope, &mut work, caller, &before, &after).await?;
        let complete = after.objects.iter().all(|object| object.result.is_some());
        let replied = before.messages.iter().any(|message| message.message_type == "0402");
        let after = match complete && !replied {
            true => self.prepare_reply(&mut work, &after, "0402", received)?,
            false => after,
        };
        self.commit_answer(caller, once, work, id, after).await
    }

    /// What was imported is worked on here from now on.
    async fn open_confirmed(
        &self,
        scope: &Scope,
        work: &mut Work,
        caller: &Caller,
        before: &Exchange,
        after: &Exchange,
    ) -> Result<(), Error> {
        let newly = after
            .objects
            .iter()
            .filter(|object| after.is_confirmed(object.id) && !before.is_confirmed(object.id));
        for object in newly {
            let record = self.owned_any(scope, object.id).await?;
            if record.status() == RecordStatus::Received.name() {
                self.apply(work, &record, Change::ConfirmReceived, &caller.actor, None)?;
            }
        }
        Ok(())
    }

    /// Locks a record that was handed over, once the receiver has confirmed its import.
    ///
    /// # Errors
    /// `NotConfirmed` before that.
    pub async fn lock(
        &self,
        caller: &Caller,
        kind: RecordKind,
        id: Id,
        exchange_id: Id,
        once: Option<&Once>,
    ) -> Result<Record, Error> {
        let scope = caller.may(Action::Exchange)?;
        self.owned(scope, kind, id).await?;
        let record = exchange(self.owned(scope, RecordKind::Exchange, exchange_id).await?)?;
        let handed_over = record.side == Side::Sender && record.kind == ExchangeKind::Handover;
        if !handed_over || !record.is_confirmed(id) {
            return Err(model::Error::NotConfirmed.into());
        }
        let command = Command { kind, id, expected: None, change: Change::Lock };
        match self.submit(caller, command, once).await {
            Err(Error::Model(model::Error::Locked)) => {}
            outcome => return outcome,
        }
        // Locked before: there is nothing to do but to keep the answer.
        let record = self.owned(scope, kind, id).await?;
        let mut work = Work::new();
        if let Some(once) = once {
            once.claim(&mut work, caller, id, &record.to_json());
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok(record),
            Some(first) => Ok(Record::from_json(kind, first)?),
        }
    }

    /// A reply within `exchange`, noted on it. Returns the exchange as it is then.
    fn prepare_reply(
        &self,
        work: &mut Work,
        current: &Exchange,
        message_type: &str,
        answers: Id,
    ) -> Result<Exchange, Error> {
        let message = self.outgoing(current, message_type, false, Some(answers));
        let noted = ExchangeMessage { id: message.id, message_type: message_type.into(), at: self.now() };
        let change = Change::ExchangeMessage(noted, current.status);
        let actor = Actor::gateway();
        let after = self.apply(work, &Record::Exchange(current.clone()), change, &actor, Some(message.id))?;
        self.send(work, &message, &actor);
        exchange(after)
    }

    /// The receipt of a message with records (0403, 0102): sent after its durable take-in.
    pub(crate) fn prepare_receipt(
        &self,
        work: &mut Work,
        received: &Exchange,
        identity: &Identity,
        message: &Message,
    ) -> Result<(), Error> {
        let receipt = if identity.message_type == "0401" { "0403" } else { "0102" };
        let mut current = received.clone();
        current.meta.version = 1;
        self.prepare_reply(work, &current, receipt, message.id)?;
        Ok(())
    }

    /// An outgoing message of an exchange, not built yet.
    fn outgoing(
        &self,
        exchange: &Exchange,
        message_type: &str,
        wants_receipt: bool,
        answers: Option<Id>,
    ) -> Message {
        let now = self.now();
        let ours = self.house().authority(&exchange.meta.tenant, &exchange.meta.authority);
        let sender = Endpoint {
            authority: Some(exchange.meta.authority.clone()),
            name: ours.map(|entry| entry.name.clone()),
            unit: None,
        };
        let recipient = Endpoint { authority: Some(exchange.partner.clone()), name: None, unit: None };
        Message {
            id: ids::new_id(),
            tenant: exchange.meta.tenant.clone(),
            authority: exchange.meta.authority.clone(),
            unit: exchange.meta.unit.clone(),
            public_service: exchange.meta.public_service.clone(),
            direction: Direction::Out,
            door: Door::Local,
            partner: exchange.partner.to_string(),
            identity: Some(Identity {
                standard: exchange.standard.clone(),
                version: exchange.standard_version.clone(),
                message_type: message_type.to_owned(),
                name: String::new(),
                process_id: Some(exchange.process_id),
                sender: Some(sender),
                recipient: Some(recipient),
                wants_receipt,
                container: true,
                ..Identity::default()
            }),
            dedup_key: format!("{}:{}:{message_type}", exchange.standard, exchange.process_id),
            payload: None,
            file_name: None,
            test: false,
            state: MessageState::Preparing,
            received_at: now,
            updated_at: now,
            report: None,
            related: answers,
            exchange: Some(exchange.meta.id),
            forwarding: None,
        }
    }

    /// Row, event and job of a message to be built.
    fn send(&self, work: &mut Work, message: &Message, actor: &Actor) {
        work.insert_message(message);
        work.insert_event(&notes::of_message(EventKind::MessagePrepared, message, actor, self.now()));
        work.enqueue(&NewJob {
            id: message.id,
            tenant: message.tenant.clone(),
            lane: format!("prepare:{}", message.partner),
            kind: "prepare".to_owned(),
            subject: message.id,
            detail: json!(null),
            next_at: self.now(),
            fifo_key: None,
        });
    }

    /// The objects of a new exchange, and the ownership it takes from the first of them.
    async fn objects_to_send(
        &self,
        scope: &Scope,
        wanted: &NewExchange,
    ) -> Result<(Vec<ExchangeObject>, Meta), Error> {
        let mut objects = vec![];
        let mut first: Option<Meta> = None;
        for id in &wanted.objects {
            let record = self.owned_any(scope, *id).await?;
            let kind = record.kind();
            if !matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document) {
                return Err(model::Error::Invalid { field: "objects" }.into());
            }
            let above = self.above(&record).await?;
            if above.iter().chain([&record]).any(|record| matches!(record.status(), "locked" | "received")) {
                return Err(model::Error::WrongState { state: "locked or received" }.into());
            }
            let meta = record.meta();
            if first.as_ref().is_some_and(|first| first.authority != meta.authority) {
                return Err(model::Error::Invalid { field: "objects" }.into());
            }
            let object_id = object_id(&record);
            if objects.iter().any(|known: &ExchangeObject| known.object_id == object_id) {
                return Err(model::Error::Invalid { field: "objects" }.into());
            }
            objects.push(ExchangeObject { kind, id: *id, root: meta.root, object_id, result: None });
            first.get_or_insert_with(|| meta.clone());
        }
        let first = first.ok_or(model::Error::Invalid { field: "objects" })?;
        Ok((objects, first))
    }

    fn common_version(
        &self,
        wanted: &NewExchange,
        reads: &[(String, String)],
    ) -> Result<(String, String), Error> {
        let writes = |standard: &str, version: &str| {
            let known = self.parts.standards.iter().find(|known| known.name() == standard);
            known.is_some_and(|known| known.writes().contains(&version))
        };
        let fits = |(standard, version): &&(String, String)| {
            wanted.version.as_ref().is_none_or(|(s, v)| s == standard && v == version)
                && writes(standard, version)
        };
        reads.iter().find(fits).cloned().ok_or(Error::NoCommonStandard)
    }
}

/// UUID of a record in messages: the one it came with, else its own.
pub(crate) fn object_id(record: &Record) -> Id {
    let came_with = record.description().and_then(|description| description.reference("xdomea"));
    came_with.and_then(|uuid| uuid.parse().ok()).unwrap_or(record.meta().id)
}

/// The message type that carries the records of an exchange.
pub(crate) fn records_type(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::Handover => "0401",
        ExchangeKind::Submission => "0101",
        ExchangeKind::Circulation => "0201",
        ExchangeKind::Disposition => "0503",
        ExchangeKind::FilePlan => "0301",
        ExchangeKind::Catalogue => "0511",
    }
}

pub(crate) fn exchange(record: Record) -> Result<Exchange, Error> {
    match record {
        Record::Exchange(exchange) => Ok(exchange),
        _ => Err(Error::Internal),
    }
}
