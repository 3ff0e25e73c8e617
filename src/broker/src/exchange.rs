//! Exchanges with other authorities: starting one, and what all parts of a process have in common.
//!
//! ```text
//! objects   what a new exchange is about
//! take      records, offers, documents along a route and file plans come in
//! reply     receipts, appraisals and outcomes come in
//! followed  the same, said by the adapter that a message was delivered through
//! import    the record-keeping system reports on the import; what was confirmed is locked
//! disposal  what is offered stays as it was offered
//! appraise  appraisals: applied to records, given by an archive of ours, followed by the transfer
//! destroy   what was disposed of is to be destroyed: what speaks against it
//! destroying the job that does it
//! fate      how records stand on their way to destruction, for whoever looks
//! circulate documents go on along their route
//! remind    deadlines
//! ```

mod appraise;
mod beside;
mod circulate;
mod destroy;
mod destroying;
mod disposal;
mod fate;
mod followed;
mod import;
mod objects;
mod remind;
mod reply;
mod take;

pub(crate) use beside::check_settled;
pub use circulate::StepDone;
pub use destroy::Destruction;
pub(crate) use destroy::JOB as DESTROY;
pub(crate) use disposal::IN_DISPOSITION;
pub use fate::{Fate, HeldAt};
pub(crate) use followed::Told;
pub(crate) use remind::JOB as REMIND;
pub(crate) use reply::Said;
pub(crate) use take::Came;

use model::case::Extensions;
use model::circulation::Route;
use model::command::Change;
use model::directory::Asked;
use model::exchange::{Exchange, ExchangeKind, ExchangeMessage, ExchangeStatus, Side};
use model::file_plan::FilePlan;
use model::message::{Direction, Door, Message};
use model::process::{Part, message_type};
use model::record::Meta;
use model::rights::Action;
use model::standard::{Endpoint, Identity};
use model::{Actor, Authority, Caller, EventKind, Id, MessageState, Record, RecordKind, ids};
use serde_json::json;
use store::{NewJob, Work};

use crate::intake::process_key;
use crate::{Broker, Error, Once, notes, reach};

/// An exchange that a caller wants to start.
#[derive(Debug, Clone)]
pub struct NewExchange {
    /// What it is for.
    pub kind: ExchangeKind,
    /// The other authority.
    pub to: Authority,
    /// Case files, cases or documents to send, in order; none with a file plan.
    pub objects: Vec<Id>,
    /// Standard and version; the newest that both sides know if absent.
    pub version: Option<(String, String)>,
    /// Whether the receiver shall send a receipt.
    pub wants_receipt: bool,
    /// How it begins.
    pub opening: Opening,
}

/// How an exchange begins.
#[derive(Debug, Clone, Default)]
pub enum Opening {
    /// With its objects; in a disposition with the offer.
    #[default]
    Usual,
    /// With the transfer to the archive, whose appraisal is standing.
    Transfer,
    /// With the first station of a route.
    Route(Box<Route>),
    /// With a file plan.
    FilePlan(Box<FilePlan>),
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
        if let Opening::Route(route) = &wanted.opening {
            circulate::check_new(route, &wanted.to)?;
        }
        let (objects, first) = self.objects_of(caller, scope, &wanted).await?;
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
        let (standard, version) =
            self.common_version(wanted.kind, wanted.version.as_ref(), &way.reach.reads)?;
        let mut record = self.new_exchange(wanted, first, (standard, version));
        record.objects = objects;
        let opening =
            if record.status == ExchangeStatus::Transferring { Part::Transfer } else { Part::Opening };
        let message_type = message_type(record.kind, opening).ok_or(Error::Internal)?;
        let message = self.outgoing(&record, message_type, record.wants_receipt, None);
        let (id, now) = (record.meta.id, self.now());
        record.messages.push(ExchangeMessage::new(message.id, message_type, now));

        let mut work = Work::new();
        self.lock_circulating(scope, &mut work, caller, &record).await?;
        self.put_into(&mut work, &record, &caller.actor).await?;
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

    fn new_exchange(
        &self,
        wanted: NewExchange,
        first: Meta,
        (standard, version): (String, String),
    ) -> Exchange {
        let (id, now) = (ids::new_id(), self.now());
        let is_transfer = matches!(wanted.opening, Opening::Transfer);
        let (route, file_plan) = match wanted.opening {
            Opening::Route(mut route) => {
                circulate::begin_next(&mut route);
                (Some(route), None)
            }
            Opening::FilePlan(plan) => (None, Some(plan)),
            Opening::Usual | Opening::Transfer => (None, None),
        };
        Exchange {
            meta: Meta { id, root: id, version: 0, created_at: now, updated_at: now, ..first },
            kind: wanted.kind,
            side: Side::Sender,
            partner: wanted.to,
            process_id: ids::new_id(),
            standard,
            standard_version: version,
            status: if is_transfer { ExchangeStatus::Transferring } else { ExchangeStatus::Sending },
            wants_receipt: wanted.wants_receipt,
            waits: None,
            objects: vec![],
            exceptions: vec![],
            destruction_asked: None,
            route,
            file_plan,
            messages: vec![],
            extensions: Extensions::default(),
        }
    }

    /// The next message of ours within `exchange`, noted on it, which stands at `status` then. Returns the exchange as it is then.
    pub(crate) fn prepare_part(
        &self,
        work: &mut Work,
        current: &Exchange,
        part: Part,
        status: ExchangeStatus,
        answers: Option<Id>,
    ) -> Result<Exchange, Error> {
        let message_type = message_type(current.kind, part).ok_or(Error::Internal)?;
        let wants_receipt = current.wants_receipt && part.receipt().is_some();
        let message = self.outgoing(current, message_type, wants_receipt, answers);
        let noted = ExchangeMessage::new(message.id, message_type, self.now());
        let change = Change::ExchangeMessage(noted, status);
        let actor = Actor::gateway();
        let after = self.apply(work, &Record::Exchange(current.clone()), change, &actor, Some(message.id))?;
        self.send(work, &message, &actor);
        exchange(after)
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
                wants_archive_references: Some(message_type)
                    == model::process::message_type(ExchangeKind::Disposition, Part::Transfer),
                container: true,
                ..Identity::default()
            }),
            dedup_key: process_key(
                &exchange.standard,
                exchange.process_id,
                message_type,
                Some(&exchange.meta.authority),
            ),
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

    fn common_version(
        &self,
        kind: ExchangeKind,
        wanted: Option<&(String, String)>,
        reads: &[(String, String)],
    ) -> Result<(String, String), Error> {
        let writes = |standard: &str, version: &str| {
            let known = self.parts.standards.iter().find(|known| known.name() == standard);
            known.is_some_and(|known| known.writes().contains(&version) && known.carries(version, kind))
        };
        let fits = |(standard, version): &&(String, String)| {
            wanted.is_none_or(|(s, v)| s == standard && v == version) && writes(standard, version)
        };
        reads.iter().find(fits).cloned().ok_or(Error::NoCommonStandard)
    }
}

/// UUID of a record in messages: the one it came with, else its own.
pub(crate) fn object_id(record: &Record) -> Id {
    let came_with = record.description().and_then(|description| description.reference("xdomea"));
    came_with.and_then(|uuid| uuid.parse().ok()).unwrap_or(record.meta().id)
}

pub(crate) fn exchange(record: Record) -> Result<Exchange, Error> {
    match record {
        Record::Exchange(exchange) => Ok(exchange),
        _ => Err(Error::Internal),
    }
}
