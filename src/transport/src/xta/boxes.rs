//! What an account may have done: message ids, what is offered, reports, taking back. Message ids are tickets of the relay
//! in lower case, since they are compared without regard to case; a party's message box is a mailbox of the relay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use broker::house::XtaReader;
use broker::{Broker, Relay, RelayDelivery, RelayStage, Relayed, message_box};
use model::{Actor, Authority, Caller, Event, Message, MessageState, Role, Scope, Timestamp, ids};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;
use xta::model::{Availability, Key, MetaData, Party, Record, Report, Severity, Status};
use xta::{Error, Fault, Result};

use super::account::Account;
use super::asking::Readers;
use super::kept::KeptMeta;
use super::{letter, timeline};

/// Why a message came to nothing that its author has taken back.
pub(super) const TAKEN_BACK: &str = "message.taken-back";
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How message boxes are kept.
#[derive(Debug, Clone)]
pub struct BoxSettings {
    /// Name of this server (`XTAServerIdentity`), also within message ids.
    pub server: String,
    /// Whether contents that a standard of the house recognises are checked before they are taken.
    pub check: bool,
    /// How long a message id may be used.
    pub message_ids: Duration,
    /// Authorities whose readers fetch by XTA, each with its tenant. For the others, messages are arrivals.
    pub fetching: BTreeSet<(String, Authority)>,
    /// Authorities whose readers answer at once, each with its tenant.
    pub readers: BTreeMap<(String, Authority), XtaReader>,
}

/// The message boxes of the house.
pub struct Boxes {
    pub(super) broker: Broker,
    pub(super) relay: Relay,
    pub(super) settings: BoxSettings,
    /// Servers of readers.
    pub(super) readers: Option<Arc<dyn Readers>>,
}

impl Boxes {
    /// Message boxes in this broker.
    pub fn new(broker: &Broker, settings: BoxSettings) -> Self {
        Boxes { broker: broker.clone(), relay: broker.relay(), settings, readers: None }
    }

    /// The same, whose readers have servers.
    pub fn with_readers(self, readers: Arc<dyn Readers>) -> Self {
        Boxes { readers: Some(readers), ..self }
    }

    /// The present moment by the gateway's clock.
    pub fn now(&self) -> Timestamp {
        self.broker.now()
    }

    /// Whether somebody else may be waited for: a scanner, or the server of a reader.
    pub(super) fn may_wait(&self) -> bool {
        self.broker.has_scanner() || self.readers.is_some()
    }

    /// Leaves an audit event of a refusal. If that fails, the refusal stands all the same.
    pub(super) async fn note_refusal(&self, caller: &Caller, error: &Error) {
        let number = match error {
            Error::Fault(fault) => Some(fault.code),
            _ => None,
        };
        if let Err(error) = self.broker.note_refusal(caller, error.code(), number).await {
            tracing::warn!(code = error.code(), "a refusal could not be noted");
        }
    }

    /// Issues a message id to the account.
    ///
    /// # Errors
    /// 9030.
    pub async fn create_message_id(&self, account: &Account) -> Result<String> {
        let id = format!("urn:de:xta:messageid:{}:{}", self.settings.server, ids::new_id());
        let (member, ticket) = (member(account), ticket(&id));
        let issued = self.relay.issue_for(&member, &ticket, self.settings.message_ids);
        issued.await.map_err(|error| failed(&error))?;
        Ok(id)
    }

    /// Whether a reader offers a service to the account, an empty one stands for any: an authority of the house by its list, another as
    /// the directory says.
    ///
    /// # Errors
    /// 9021, 9031.
    pub async fn lookup(&self, account: &Account, reader: &Party, service: &str) -> Result<Availability> {
        if service.contains(|c: char| c.is_whitespace() || "<>\"{}|\\^`".contains(c)) {
            return Err(Fault::NO_URI.into());
        }
        let Ok(key) = reader.id.trim().parse::<Authority>() else { return Ok(Availability::default()) };
        if let Some(own) = self.broker.house().authority(&account.tenant, &key) {
            let is_any = service.is_empty();
            let is_listed = is_any || own.xta_services.iter().any(|offered| offered == service);
            // What is agreed with an account is offered to it.
            let is_known = is_any || !own.xta_services.is_empty() || !account.services.is_empty();
            let is_available =
                (is_any || is_booked(account, service)) && (is_listed || own.xta_services.is_empty());
            return Ok(Availability { is_available: is_known.then_some(is_available), parameters: vec![] });
        }
        let entry = self.broker.entry(&account.tenant, &key).await.map_err(|error| {
            tracing::warn!(code = error.code(), "the directory could not be asked");
            Error::from(Fault::DIRECTORY)
        })?;
        let Some((_, entry)) = entry else { return Ok(Availability::default()) };
        let certificate = entry.encryption_certificate(service);
        let parameters = certificate.into_iter().map(|certificate| (encryption_certificate(), certificate));
        Ok(Availability { is_available: entry.offers(service), parameters: parameters.collect() })
    }

    /// The authority of the house that a party is.
    pub(super) fn reader(&self, account: &Account, party: &Party) -> Option<Authority> {
        let key = party.id.trim().parse().ok()?;
        self.broker.house().authority(&account.tenant, &key).map(|entry| entry.key.clone())
    }

    /// Where a message stands that the account wrote or may read.
    ///
    /// # Errors
    /// 9070.
    pub async fn report(&self, account: &Account, message_id: &str) -> Result<Report> {
        let (member, ticket) = (member(account), ticket(message_id));
        let relayed = self.relay.of_ticket(&member, &member.actor.id, &ticket).await;
        let (meta, status, records) = match relayed.map_err(|error| failed(&error))? {
            Some(relayed) => told(&relayed, self.now())?,
            None => {
                let sent = self.broker.promised(&account.tenant, &member.actor.id, &ticket).await;
                let (body, message) = sent.map_err(|error| failed(&error))?.ok_or(Fault::UNKNOWN_ID)?;
                timeline::told(meta(&body)?, &message, &self.events(&member, &message).await?)?
            }
        };
        let time = written(self.now()).ok_or(Fault::INTERNAL)?;
        Ok(Report { meta, time, server: self.settings.server.clone(), status, records })
    }

    /// What happened to a message so far.
    async fn events(&self, member: &Caller, message: &Message) -> Result<Vec<Event>> {
        self.broker.message_steps(member, message.id).await.map_err(|error| failed(&error))
    }

    /// Takes a message of the account back that is not to be delivered yet. Doing it again changes nothing.
    ///
    /// # Errors
    /// 9022, 9100, 9101.
    pub async fn cancel(&self, account: &Account, message_id: &str) -> Result<()> {
        let (member, ticket) = (member(account), ticket(message_id));
        let relayed = self.relay.sent(&member, &ticket).await.map_err(|error| failed(&error))?;
        let arrived = self.broker.promised(&account.tenant, &member.actor.id, &ticket).await;
        let arrived = arrived.map_err(|error| failed(&error))?;
        let body = match (&relayed, &arrived) {
            (Some(delivery), _) => &noted(delivery)?,
            (None, Some((body, _))) => body,
            (None, None) => return Err(Fault::PARAMETERS.into()),
        };
        let not_before = meta(body)?.delivery.not_before.ok_or(Fault::NOT_BEFORE_IS_UNSET)?;
        if moment(&not_before.to_string()).is_none_or(|moment| moment <= self.now()) {
            return Err(Fault::NOT_BEFORE_HAS_PASSED.into());
        }
        let recalled = match relayed {
            Some(it) if it.stage == RelayStage::Returned => Ok(()),
            Some(_) => self.relay.recall(&member, &ticket, TAKEN_BACK).await,
            None if arrived.is_some_and(|(_, it)| it.state == MessageState::Returned) => Ok(()),
            None => self.broker.recall_arrival(&member, &member.actor.id, &ticket, TAKEN_BACK).await,
        };
        match recalled {
            Err(broker::Error::Model(model::Error::WrongState { .. })) => {
                Err(Fault::NOT_BEFORE_HAS_PASSED.into())
            }
            outcome => outcome.map_err(|error| failed(&error)),
        }
    }
}

/// The parameter of a service that is the certificate to encrypt with. The official list of such parameters is not public, so it
/// is one of a list of our own.
fn encryption_certificate() -> Key {
    Key {
        code: "encryption-certificate".to_owned(),
        list: "urn:amtsbote:codeliste:service.parameter.type".to_owned(),
        version: "1".to_owned(),
        name: None,
    }
}

/// The party of an account in the relay: originator of what it sends, and its own mailbox.
pub(super) fn member(account: &Account) -> Caller {
    Caller {
        actor: Actor { kind: "partner".to_owned(), id: mailbox(&account.party) },
        roles: vec![Role::System],
        scope: Scope::tenant(&account.tenant),
        authority: None,
    }
}

/// Key of a party's message box. No mailbox of another transport has such a name.
pub(super) fn mailbox(party: &Authority) -> String {
    message_box(party.as_str())
}

/// A message id as the relay knows it.
pub(super) fn ticket(message_id: &str) -> String {
    message_id.trim().to_lowercase()
}

/// Whether an account may use a service.
pub(super) fn is_booked(account: &Account, service: &str) -> bool {
    account.services.is_empty() || account.services.iter().any(|booked| booked == service)
}

/// Reads or writes files on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(act).await.map_err(|_| Fault::INTERNAL)?
}

/// A failure as XTA tells it. What nobody but us can mend gets into the log by its code.
pub(super) fn failed(error: &broker::Error) -> Error {
    let fault = match error {
        broker::Error::MailboxFull => Fault::DELIVERY,
        broker::Error::TooLarge { .. } => Fault::TOO_LARGE,
        broker::Error::Harmful => Fault::VIRUS,
        broker::Error::IdReused => Fault::USED_ID,
        broker::Error::UnknownAuthority => Fault::PARAMETERS,
        broker::Error::Model(model::Error::NotFound { .. }) => Fault::UNKNOWN_ID,
        _ => Fault::INTERNAL,
    };
    tracing::warn!(code = error.code(), fault = fault.code, "a request was not carried out");
    fault.into()
}

/// What is remembered of a message.
#[derive(Serialize)]
pub(super) struct Noted {
    /// As its author wrote them.
    pub(super) meta: KeptMeta,
    /// Of all contents together.
    pub(super) bytes: u64,
    /// Its sender waits for the answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) synchronous: bool,
}

/// Metadata as the author wrote them, or else made of what is known, with the size of what was taken in.
pub(super) fn meta(body: &Value) -> Result<MetaData> {
    let kept = body.get("meta").cloned().and_then(|meta| serde_json::from_value::<KeptMeta>(meta).ok());
    let mut meta = match kept {
        Some(kept) => MetaData::from(kept),
        None => letter::meta(body.get("letter").ok_or(Fault::INTERNAL)?).ok_or(Fault::INTERNAL)?,
    };
    let bytes = body.get("bytes").and_then(Value::as_u64).filter(|bytes| *bytes > 0);
    meta.size = bytes.or(meta.size);
    Ok(meta)
}

/// What a delivery remembers of its message.
pub(super) fn noted(delivery: &RelayDelivery) -> Result<Value> {
    Ok(delivery.body.read().ok_or(Fault::INTERNAL)?)
}

/// Metadata of a delivery, with the moments of its way.
pub(super) fn meta_of(delivery: &RelayDelivery, now: Timestamp) -> Result<MetaData> {
    let mut meta = meta(&noted(delivery)?)?;
    meta.delivery.initial_send = written(delivery.created_at);
    meta.delivery.delivery = written(delivery.enters_at).filter(|_| delivery.enters_at <= now);
    meta.delivery.initial_fetch = delivery.forwarded_at.and_then(written);
    meta.delivery.reception = delivery.received_at.and_then(written);
    Ok(meta)
}

/// What is told of a delivery in a message box.
fn told(relayed: &Relayed, now: Timestamp) -> Result<(MetaData, Status, Vec<Record>)> {
    let delivery = &relayed.delivery;
    let status = match delivery.stage {
        RelayStage::Waiting | RelayStage::HandedOut => Status::Open,
        RelayStage::Received => Status::Green,
        RelayStage::Returned => Status::Red,
    };
    let mut records = vec![info(delivery.created_at, "submission", "taken in")?];
    if let Some(moment) = delivery.forwarded_at {
        records.push(info(moment, "fetch", "fetched by its reader")?);
    }
    if let Some(moment) = delivery.received_at {
        records.push(info(moment, "reception", "received by its reader")?);
    }
    if delivery.stage == RelayStage::Returned {
        records.push(returned(&relayed.message)?);
    }
    Ok((meta_of(delivery, now)?, status, records))
}

pub(super) fn info(moment: Timestamp, code: &str, reason: &str) -> Result<Record> {
    let time = written(moment).ok_or(Fault::INTERNAL)?;
    Ok(Record { severity: Severity::Info, time, code: code.to_owned(), reason: reason.to_owned() })
}

/// Why a message came to nothing: by the rule that was found last.
pub(super) fn returned(message: &Message) -> Result<Record> {
    let rule = message.report.iter().flat_map(|report| &report.findings).next_back();
    let reason = rule.map_or("returned", |finding| finding.rule.as_str());
    let record = info(message.updated_at, "return", reason)?;
    Ok(Record { severity: Severity::Error, ..record })
}

/// A moment as it is written.
pub(super) fn written<T: std::str::FromStr>(moment: Timestamp) -> Option<T> {
    moment.to_string().parse().ok()
}

/// The moment of an `xs:dateTime`; without a zone it is UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let is_midnight = text.contains("T24:");
    let text = text.replacen("T24:", "T00:", 1);
    let found = Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}Z")))?;
    Some(if is_midnight { found.plus(DAY) } else { found })
}

/// The end of an `xs:date`; without a zone it is UTC.
pub(super) fn end_of_day(text: &str) -> Option<Timestamp> {
    let (day, zone) = text.split_at_checked(10)?;
    moment(&format!("{day}T24:00:00{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_xml_schema_has_them() {
        let at = |text: &str| moment(text).map(|moment| moment.to_string());
        assert_eq!(at("2026-11-29T01:00:00+01:00").as_deref(), Some("2026-11-29T00:00:00Z"));
        assert_eq!(at("2026-11-29T01:00:00.5").as_deref(), Some("2026-11-29T01:00:00.5Z"));
        assert_eq!(at("2026-12-31T24:00:00Z").as_deref(), Some("2027-01-01T00:00:00Z"));
        assert_eq!(at("gestern"), None);
        let end = |text: &str| end_of_day(text).map(|moment| moment.to_string());
        assert_eq!(end("2026-11-29").as_deref(), Some("2026-11-30T00:00:00Z"));
        assert_eq!(end("2026-11-29+01:00").as_deref(), Some("2026-11-29T23:00:00Z"));
        assert_eq!(end("2026"), None);
    }
}
