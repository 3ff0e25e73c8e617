//! Step 1, taking in: stream into the payload store, find the message's own id, and commit message,
//! dedup key and event in one transaction before anything is acknowledged. And the dry run, which
//! does the same checks and commits nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use model::message::{Direction, Door, Message};
use model::rights::Action;
use model::standard::{Identity, Source, Standard};
use model::{Authority, Caller, EventKind, Failure, Finding, Id, MessageState, Report, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{NewJob, Payload, StoredPayload, Work};

use crate::{Broker, Error, Once, blocking, notes};

/// What is known of a message before its bytes are read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Incoming {
    /// Name of the file or container.
    pub file_name: Option<String>,
    /// Key that makes the request idempotent.
    pub key: Option<String>,
    /// SHA-256 that the sender announces, hex.
    pub digest: Option<String>,
    /// A test message: never touches productive cases.
    pub test: bool,
    /// Whom it is for, if the caller's authority sends it; absent: it is for the caller's authority.
    pub to: Option<Authority>,
}

/// Outcome of a check without effect.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the content says it is.
    pub identity: Option<Identity>,
    /// Everything found.
    pub report: Report,
}

/// Checks a message or container: by the first standard that recognises it.
///
/// # Errors
/// Only if the bytes cannot be read; what is wrong with them is in the report.
pub fn check(
    standards: &[Arc<dyn Standard>],
    source: &mut dyn Source,
    file_name: Option<&str>,
) -> Result<Checked, Failure> {
    let mut report = Report::default();
    for standard in standards {
        if let Some(identity) = standard.check(source, file_name, &mut report)? {
            return Ok(Checked { identity: Some(identity), report });
        }
        if !report.is_acceptable() {
            // The standard recognised the bytes as its own but could not make out what they say.
            return Ok(Checked { identity: None, report });
        }
    }
    report.add(Finding::error("message.unknown"));
    Ok(Checked { identity: None, report })
}

impl Broker {
    /// Takes a raw message in for the caller's authority, or from it for somebody else. Returns once it is durable; checking and
    /// translating or sending follow. The same message again gets the first answer.
    ///
    /// # Errors
    /// Refusals leave nothing behind but an audit event.
    pub async fn accept(
        &self,
        caller: &Caller,
        incoming: Incoming,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Message, Error> {
        caller.may(Action::SendMessages)?;
        caller.authority.as_ref().ok_or(Error::NoAuthority)?;
        self.may_bring_message(&caller.scope.tenant)?;
        let stored = self.stage(caller, body).await?;
        self.accept_stored(caller, incoming, stored).await
    }

    /// The same for bytes that are stored already.
    pub(crate) async fn accept_stored(
        &self,
        caller: &Caller,
        incoming: Incoming,
        stored: StoredPayload,
    ) -> Result<Message, Error> {
        caller.may(Action::SendMessages)?;
        let authority = caller.authority.clone().ok_or(Error::NoAuthority)?;
        let payload = stored.reference().clone();
        if incoming.digest.as_ref().is_some_and(|announced| !announced.eq_ignore_ascii_case(&payload.sha256))
        {
            self.store().discard(stored).await;
            return Err(Error::DigestMismatch);
        }
        let test = if incoming.test { ":test" } else { "" };
        let to = incoming.to.as_ref().map(|to| format!(":{to}")).unwrap_or_default();
        let digest = format!("{}{test}{to}", payload.sha256);
        let once = incoming.key.clone().map(|key| Once::new(key, digest));
        if let Some(answer) = self.answered(caller, once.as_ref()).await? {
            self.store().discard(stored).await;
            return read_message(answer);
        }
        let identity = self.identify(&caller.scope.tenant, &stored, incoming.file_name.clone()).await?;
        let tenant = &caller.scope.tenant;
        let from = (Door::Rest, caller.actor.id.as_str());
        let message = match &incoming.to {
            Some(to) => self.handed_in(&caller.scope, (&authority, to), identity, &stored).await?,
            None => self.incoming(tenant, &authority, from, identity, &stored)?,
        };
        let message = Message { file_name: incoming.file_name, test: incoming.test, ..message };
        self.commit_incoming(caller, message, stored, once).await
    }

    /// Checks a message or container without any effect. The report is that of the real path.
    ///
    /// # Errors
    /// Only if the bytes cannot be read; what is wrong with them is in the report.
    pub async fn check(
        &self,
        caller: &Caller,
        file_name: Option<String>,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Checked, Error> {
        caller.may(Action::SendMessages)?;
        self.looked_into(caller, file_name, body).await
    }

    /// The same for an operator, who brings the file and is told what is wrong with it; nothing of it is kept.
    ///
    /// # Errors
    /// As [`check`](Broker::check).
    pub async fn try_out(
        &self,
        caller: &Caller,
        file_name: Option<String>,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Checked, Error> {
        caller.may(Action::Operate)?;
        self.looked_into(caller, file_name, body).await
    }

    async fn looked_into(
        &self,
        caller: &Caller,
        file_name: Option<String>,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Checked, Error> {
        let tenant = &caller.scope.tenant;
        let stored = self.stage(caller, body).await?;
        let checked = self.check_content(self.store().open_stored(tenant, &stored)?, file_name).await;
        self.store().discard(stored).await;
        checked
    }

    /// Streams a body into the payload store, and looks for harmful content in it. Nothing refers to it yet: if it is not
    /// committed, it is swept.
    pub(crate) async fn stage(
        &self,
        caller: &Caller,
        mut body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<StoredPayload, Error> {
        let limit = self.parts.limits.most_bytes;
        let mut writer = self.store().payload_writer(&caller.scope.tenant);
        let mut size = 0_u64;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| Error::Interrupted)?;
            size += bytes.len() as u64;
            if size > limit {
                return Err(Error::TooLarge { limit });
            }
            writer.write(&bytes).await?;
        }
        self.screened(caller, writer.finish().await?).await
    }

    pub(crate) async fn identify(
        &self,
        tenant: &str,
        stored: &StoredPayload,
        file_name: Option<String>,
    ) -> Result<Option<Identity>, Error> {
        let content = self.store().open_stored(tenant, stored)?;
        if stored.is_inline() {
            return identify(&self.parts.standards, &mut content.blocking(), file_name.as_deref());
        }
        let standards = self.parts.standards.clone();
        blocking(move || identify(&standards, &mut content.blocking(), file_name.as_deref())).await
    }

    pub(crate) async fn check_content(
        &self,
        content: Payload,
        file_name: Option<String>,
    ) -> Result<Checked, Error> {
        let standards = self.parts.standards.clone();
        blocking(move || Ok(check(&standards, &mut content.blocking(), file_name.as_deref())?)).await
    }

    /// A message that comes in now from `partner` to `authority`, wherever its route leads.
    ///
    /// # Errors
    /// If this tenant has no such authority.
    pub(crate) fn incoming(
        &self,
        tenant: &str,
        authority: &Authority,
        (door, partner): (Door, &str),
        identity: Option<Identity>,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let (standard, message_type) =
            identity.as_ref().map_or(("", ""), |i| (i.standard.as_str(), i.message_type.as_str()));
        let (unit, public_service) = self
            .house()
            .route(tenant, authority, standard, message_type, partner)
            .ok_or(Error::UnknownAuthority)?;
        let now = self.now();
        Ok(Message {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            authority: authority.clone(),
            unit,
            public_service,
            direction: Direction::In,
            door,
            partner: partner.to_owned(),
            dedup_key: dedup_key(identity.as_ref(), partner, &stored.reference().sha256),
            identity,
            payload: Some(stored.reference().clone()),
            file_name: None,
            test: false,
            state: MessageState::Accepted,
            received_at: now,
            updated_at: now,
            report: None,
            related: None,
            exchange: None,
            forwarding: None,
        })
    }

    async fn commit_incoming(
        &self,
        caller: &Caller,
        message: Message,
        stored: StoredPayload,
        once: Option<Once>,
    ) -> Result<Message, Error> {
        let mut supersedes = None;
        // A second round comes only from a message that was known by its own id.
        for _ in 0..4 {
            let mut work = self.transaction_one(&message, &stored, supersedes);
            work.insert_event(&notes::of_message(
                EventKind::MessageAccepted,
                &message,
                &caller.actor,
                self.now(),
            ));
            if let Some(once) = &once {
                once.claim(&mut work, caller, message.id, &json!(message));
            }
            match self.store().commit(work).await.map_err(Error::from) {
                Ok(()) => return Ok(message),
                Err(error) if error.is_conflict("dedup") => {}
                Err(error) => return Err(error),
            }
            if let Some(answer) = self.answered(caller, once.as_ref()).await? {
                self.store().discard(stored).await;
                return read_message(answer);
            }
            match self.known(&message).await? {
                Known::Failed(first) => supersedes = Some(first),
                Known::Same(first) => {
                    self.store().discard(stored).await;
                    let brought = first.partner == caller.actor.id;
                    let service = first.public_service.as_deref();
                    let seen = brought || caller.scope.covers(&first.tenant, &first.unit, service);
                    return if seen { Ok(*first) } else { Err(Error::IdReused) };
                }
                Known::Other => {
                    self.store().discard(stored).await;
                    return Err(Error::IdReused);
                }
                Known::Nothing => supersedes = None,
            }
        }
        Err(Error::IdReused)
    }

    /// Message, dedup key and the job that processes it, in one transaction. `supersedes` is an earlier
    /// message of the same id that failed.
    pub(crate) fn transaction_one(
        &self,
        message: &Message,
        stored: &StoredPayload,
        supersedes: Option<Id>,
    ) -> Work {
        let mut work = Work::new();
        self.take_in_rows(&mut work, message, stored, supersedes);
        enqueue_processing(&mut work, message, message.received_at);
        work
    }

    /// Rows of a message that is taken in: its dedup key, payload and itself.
    pub(crate) fn take_in_rows(
        &self,
        work: &mut Work,
        message: &Message,
        stored: &StoredPayload,
        supersedes: Option<Id>,
    ) {
        let (tenant, space) = (&message.tenant, dedup_space(message));
        let digest = &stored.reference().sha256;
        match supersedes {
            None => work.claim_dedup(tenant, &space, &message.dedup_key, message.id, digest, None),
            Some(first) => {
                work.replace_dedup(tenant, &space, &message.dedup_key, first, message.id, digest, None)
            }
        };
        work.insert_payload(tenant, stored);
        work.insert_message(message);
    }

    /// What is known of a message with the same id as `message`.
    pub(crate) async fn known(&self, message: &Message) -> Result<Known, Error> {
        let space = dedup_space(message);
        let Some(dedup) = self.store().dedup(&message.tenant, &space, &message.dedup_key).await? else {
            return Ok(Known::Nothing);
        };
        let scope = model::Scope::tenant(&message.tenant);
        let Some(first) = self.store().message(&scope, dedup.subject).await? else {
            return Ok(Known::Failed(dedup.subject));
        };
        if first.state == MessageState::Returned {
            return Ok(Known::Failed(first.id));
        }
        let same = message.payload.as_ref().is_some_and(|payload| payload.sha256 == dedup.digest);
        Ok(if same { Known::Same(Box::new(first)) } else { Known::Other })
    }
}

/// The job that processes a message, or prepares one that goes out, from `next_at` on.
pub(crate) fn enqueue_processing(work: &mut Work, message: &Message, next_at: Timestamp) {
    let (lane, kind) = match message.direction {
        Direction::In => ("in", "process"),
        Direction::Out => ("prepare", "prepare"),
    };
    work.enqueue(&NewJob {
        id: message.id,
        tenant: message.tenant.clone(),
        lane: format!("{lane}:{}", message.partner),
        kind: kind.to_owned(),
        subject: message.id,
        detail: json!(null),
        next_at,
        fifo_key: None,
    });
}

/// What the first standard that recognises the bytes says of them.
pub(crate) fn identify(
    standards: &[Arc<dyn Standard>],
    source: &mut dyn Source,
    file_name: Option<&str>,
) -> Result<Option<Identity>, Error> {
    for standard in standards {
        if let Some(identity) = standard.identify(source, file_name)? {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// What is known of a message's id.
pub(crate) enum Known {
    /// Nothing (any more).
    Nothing,
    /// The same message was taken in.
    Same(Box<Message>),
    /// Other bytes were taken in under this id.
    Other,
    /// A message of this id came to nothing: its repetition is a message of its own.
    Failed(Id),
}

/// Dedup keys are unique within an authority's incoming messages, and within those that it hands in for others. A test takes no
/// productive id.
pub(crate) fn dedup_space(message: &Message) -> String {
    let kind = match (message.direction, message.test) {
        (Direction::In, false) => "in",
        (Direction::In, true) => "in-test",
        (Direction::Out, false) => "out",
        (Direction::Out, true) => "out-test",
    };
    format!("{kind}:{}", message.authority)
}

/// The message's own id where its standard gives it one, together with who brought it, since anyone may write any id; else process and
/// type, as xdomea up to 3.x prescribes; the digest of the bytes if the content names no process.
pub(crate) fn dedup_key(identity: Option<&Identity>, partner: &str, sha256: &str) -> String {
    let by_content = || format!("sha256:{sha256}");
    let Some(identity) = identity else { return by_content() };
    if let Some(id) = identity.message_id {
        return format!("{}:{id}:{partner}", identity.standard);
    }
    let Some(process) = identity.process_id else { return by_content() };
    let sender = identity.sender.as_ref().and_then(|sender| sender.authority.as_ref());
    process_key(&identity.standard, process, &identity.message_type, sender)
}

/// Along a route several stations send messages of one type in one process; anywhere else there is one.
pub(crate) fn process_key(
    standard: &str,
    process: model::Id,
    message_type: &str,
    sender: Option<&model::Authority>,
) -> String {
    let along = model::process::meaning_of(message_type)
        .is_some_and(|(kind, ..)| kind == model::exchange::ExchangeKind::Circulation);
    match sender.filter(|_| along) {
        Some(sender) => format!("{standard}:{process}:{message_type}:{sender}"),
        None => format!("{standard}:{process}:{message_type}"),
    }
}

fn read_message(answer: serde_json::Value) -> Result<Message, Error> {
    serde_json::from_value(answer).map_err(|_| Error::KeyReused)
}

/// The standard that messages of that name are of.
pub(crate) fn standard<'a>(
    standards: &'a [std::sync::Arc<dyn Standard>],
    name: &str,
) -> Option<&'a std::sync::Arc<dyn Standard>> {
    standards.iter().find(|standard| standard.is_of(name))
}
