//! What a channel (DMS, workflow, post, archive, mobile, online, telephone, payment) does for the
//! broker, and what the broker offers it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncRead;

use crate::case::File;
use crate::command::Command;
use crate::exchange::{Appraisal, ImportResult};
use crate::letter::{Letter, TakenIn};
use crate::record::Record;
use crate::{Authority, EventKind, Failure, FailureKind, Id, PayloadRef, RecordKind, Timestamp};

/// What an adapter is and can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Identifier as configured, such as `dms-main`.
    pub id: String,
    /// Channel it serves.
    pub channel: String,
    /// What it offers. Whatever is not listed is never called.
    pub capabilities: Vec<Capability>,
    /// What it is told of as a [`Delivery`], of the records that it is configured to serve.
    #[serde(default)]
    pub follows: Vec<Interest>,
    /// Whether what concerns one tree of records is told in the order in which it happened, each once that before is done. Else a
    /// delivery that has to wait for something keeps nobody behind it waiting.
    #[serde(default = "yes")]
    pub in_order: bool,
    /// Whether it wants the bytes of documents. Else it is told of a record once, however many files that has.
    #[serde(default = "yes")]
    pub takes_bytes: bool,
    /// Whether it keeps the records (DMS): then what it has taken counts as imported, and senders are told so.
    #[serde(default)]
    pub keeps_records: bool,
    /// The way of dispatches that it carries, such as `print`: of dispatches of other ways it is not told. Absent: it is told of all
    /// that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// The door of its own at the public listener, such as `open311/v2`; calls there are the adapter's callbacks. Absent: it has
    /// `adapters/{id}` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// Whether what [`Adapter::follow`] says counts as the recipient's own answer (an archive that writes no messages): it is asked until
    /// the exchange has that answer, however long that takes.
    #[serde(default)]
    pub answers: bool,
    /// Whether [`Adapter::reconcile`] knows of calls by what was noted at this gateway alone (a ticket of the other side's): that it knows of
    /// none says nothing then in a store that was restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_by_notes: bool,
}

impl Descriptor {
    /// A descriptor of an adapter that follows nothing.
    pub fn new(id: impl Into<String>, channel: &str, capabilities: Vec<Capability>) -> Self {
        Descriptor {
            id: id.into(),
            channel: channel.to_owned(),
            capabilities,
            follows: vec![],
            in_order: true,
            takes_bytes: true,
            keeps_records: false,
            way: None,
            door: None,
            answers: false,
            asks_by_notes: false,
        }
    }

    /// Whether what it is told of records of this kind is told in order within one tree. Of dispatches of a way each stands for itself: one
    /// that has to wait for its time keeps nothing behind it waiting.
    pub fn keeps_order(&self, record: RecordKind) -> bool {
        self.in_order && (self.way.is_none() || record != RecordKind::Dispatch)
    }

    /// Whether a dispatch that waits keeps what happened to its tree later waiting.
    pub fn waits_for_dispatches(&self) -> bool {
        self.keeps_order(RecordKind::Dispatch)
    }

    /// Whether it is told when a record of this kind comes into being.
    pub fn is_told_of_new(&self, record: RecordKind) -> bool {
        self.follows.contains(&Interest { event: EventKind::RecordCreated, record })
    }

    /// Whether a dispatch of this way is its business.
    pub fn carries(&self, way: Option<&str>) -> bool {
        self.way.is_none() || self.way.as_deref() == way
    }
}

fn yes() -> bool {
    true
}

/// One thing an adapter may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// [`Adapter::deliver`].
    Deliver,
    /// [`Adapter::reconcile`].
    Reconcile,
    /// [`Adapter::follow`].
    Follow,
    /// [`Adapter::callback`].
    Callback,
    /// [`Adapter::run`].
    Run,
}

/// Something that happens to records of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interest {
    /// What happens.
    pub event: EventKind,
    /// To which records.
    pub record: RecordKind,
}

/// Something to be delivered. The id makes it idempotent: the same id is the same delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Identifier of the delivery.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// `message`, or the kind of the event that it is told of, such as `record.created`.
    pub kind: String,
    /// The record it is about.
    pub record: Option<(RecordKind, Id)>,
    /// Further facts. Of an event: its number (`eventNumber`), when it was (`at`), and the state that it brought the record into (`status`;
    /// absent if it left the state as it was).
    pub detail: Value,
    /// The record as it is now, and what it lies in. Programs outside are told a short form of it.
    #[serde(skip)]
    pub about: Option<Box<About>>,
}

/// What a delivery of a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The record as it is now.
    pub record: Record,
    /// What it lies in, outermost first.
    pub above: Vec<Record>,
    /// What the adapter has linked of these records.
    pub links: Vec<Link>,
    /// The files whose bytes are delivered, in the order of the delivery's sources. Of a dispatch one of each of its documents; a
    /// document that has no bytes (any more) is missing.
    pub files: Vec<AboutFile>,
}

/// A file that is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutFile {
    /// The document that it is of.
    pub document: Id,
    /// Number of the document's version.
    pub version: String,
    /// The file; its content is there.
    pub file: File,
}

/// What a record is called at the other side. One per adapter, record and part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record: Id,
    /// Which part of it, such as the name of a file; empty for the whole.
    #[serde(default)]
    pub part: String,
    /// The other side's identifier, at most 500 bytes.
    pub reference: String,
    /// What the adapter wants to remember of it, such as a change token; at most 16 KiB. No secrets.
    #[serde(default)]
    pub state: Value,
}

/// Content of a delivery as a stream.
pub type Content = Box<dyn AsyncRead + Send + Unpin>;

/// Where the bytes of a file are read from; as often as the adapter needs them.
#[async_trait]
pub trait Source: Send + Sync {
    /// The bytes from their beginning.
    async fn open(&self) -> Result<Content, Failure>;
}

/// Bytes in memory, for small things and tests.
#[async_trait]
impl Source for Vec<u8> {
    async fn open(&self) -> Result<Content, Failure> {
        Ok(Box::new(std::io::Cursor::new(self.clone())))
    }
}

/// What is delivered: nothing, a message, or the files of [`About::files`].
pub type Sources<'a> = &'a [Box<dyn Source>];

/// Proof of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What the other side calls it.
    pub reference: Option<String>,
    /// Data for the caller, such as a payment URL.
    pub data: Value,
    /// Whether the recipient itself has it, so that nothing more is to be waited for. Otherwise it is on its way.
    #[serde(default)]
    pub confirmed: bool,
    /// A rule, with a page of its own, that says what a human has to see to although the delivery has arrived.
    #[serde(skip)]
    pub clarify: Option<&'static str>,
    /// What the other side calls the records, kept in the transaction that notes the delivery.
    #[serde(default)]
    pub links: Vec<Link>,
    /// What follows for records, such as the Aktenzeichen that the other side has assigned; in the same transaction.
    #[serde(skip)]
    pub commands: Vec<Command>,
    /// The other side was told nothing, because this is not its business: nothing is noted anywhere, and the rest of the receipt is not
    /// looked at. Never of a message.
    #[serde(skip)]
    pub nothing: bool,
}

impl Receipt {
    /// The delivery is none of the other side's business, and it was told nothing.
    pub fn nothing() -> Self {
        Receipt { nothing: true, ..Receipt::default() }
    }
}

/// Where a delivery stands that has arrived at the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// It is on its way to its recipient.
    Open,
    /// Its recipient has it.
    Received,
    /// Its recipient has it, and says of the objects, by their UUIDs in the message, what became of their import or archiving, of all at
    /// once: of a disposition, what it says nothing of was not taken. It counts as the standard's own answer would (0402, 0506).
    Imported {
        /// What became of the objects.
        results: Vec<(Id, ImportResult)>,
        /// What proves it: identifiers, digests and times of the other side, no content. It stands in the event; null if there is nothing.
        proof: Value,
    },
    /// Its recipient, an archive, has it, and decided of the objects, by their UUIDs in the message (0502).
    Appraised(Vec<(Id, Appraisal)>),
    /// It will not reach its recipient, by the rule that says why: it goes back. The rule has a page of its own.
    CameToNothing(&'static str),
    /// It is there, and something about it only a human can see to, by the rule that says what. It waits for them, and may be sent again
    /// once that is mended. The rule has a page of its own.
    Clarify(&'static str),
}

/// A call from outside to the adapter's own door.
pub struct CallbackRequest {
    /// HTTP method.
    pub method: String,
    /// Path below the adapter's own, and the query behind a `?` if there is one.
    pub path: String,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body as a stream.
    pub body: Content,
}

/// What is answered to a call from outside. Whatever the adapter has submitted before it answers is durable.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Type of the body; absent: text.
    pub content_type: Option<String>,
    /// Body as a stream.
    pub body: Content,
    /// The call says that something is there to be looked for: the adapter's next session begins now.
    pub look: bool,
}

impl Reply {
    /// A short answer in words.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        let body: String = body.into();
        Reply { status, content_type: None, body: Box::new(std::io::Cursor::new(body)), look: false }
    }

    /// An answer of this type.
    pub fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let body = Box::new(std::io::Cursor::new(body));
        Reply { status, content_type: Some(content_type.to_owned()), body, look: false }
    }
}

/// Which records an adapter wants to see of those that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Kind of record.
    pub kind: RecordKind,
    /// Of these public services; empty: of all.
    pub services: Vec<String>,
    /// In the tree of this record.
    pub root: Option<Id>,
    /// That stand there.
    pub status: Option<String>,
    /// That have this name, as kind and value ([`Record::names`]).
    pub name: Option<(String, String)>,
    /// That came into being at this time or later.
    pub since: Option<Timestamp>,
    /// That came into being before this time.
    pub before: Option<Timestamp>,
    /// The last of the page before.
    pub after: Option<Id>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

impl Wanted {
    /// The newest 50 of a kind.
    pub fn of(kind: RecordKind) -> Self {
        Wanted {
            kind,
            services: vec![],
            root: None,
            status: None,
            name: None,
            since: None,
            before: None,
            after: None,
            limit: 50,
        }
    }
}

/// Whether the other side can be reached, for `adapter check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether all is well.
    pub ok: bool,
    /// What was found, for the operator.
    pub detail: String,
}

/// A message of a standard that an adapter brings whole, such as a container from a folder.
pub struct Handed {
    /// The partner that it comes from, whom the adapter has to be the way to; absent: a system of the house, for somebody else.
    pub from: Option<Authority>,
    /// Whom it is for; absent: the authority that the adapter serves. Needed if it comes from the house.
    pub to: Option<Authority>,
    /// Name of its file, at most 200 bytes.
    pub file_name: Option<String>,
    /// Its bytes, kept before by [`Host::keep`] in the same session.
    pub content: PayloadRef,
}

/// What the broker offers an adapter. It sees the records of the units and services that the adapter is configured to serve.
#[async_trait]
pub trait Host: Send + Sync {
    /// One record, if it is there.
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure>;

    /// Records, at most ten, that have this name: their Aktenzeichen (`recordReference`) or one of their references.
    async fn find(&self, name: &str, value: &str) -> Result<Vec<Record>, Failure>;

    /// Records, the newest first.
    async fn records(&self, wanted: &Wanted) -> Result<Vec<Record>, Failure> {
        let _ = wanted;
        Err(not_offered())
    }

    /// Submits a command; the same `key` twice has one effect and one answer.
    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure>;

    /// Keeps bytes for a command or letter that is submitted in the same session. Durable once this returns; what nothing names is
    /// removed after a day.
    async fn keep(&self, content: Content) -> Result<PayloadRef, Failure>;

    /// Bytes that a record names.
    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure>;

    /// Takes in a piece of post with everything that it leads to; the same `key` of a letter twice is one letter.
    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure>;

    /// Takes in a message as any door does: checked, processed, answered, proved. The same `key` twice is one message, whose id it
    /// gives.
    async fn message(&self, key: &str, message: Handed) -> Result<Id, Failure>;

    /// What the adapter has linked of a record.
    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure>;

    /// The record that the other side calls so.
    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure>;

    /// Keeps a link, instead of any that was there.
    async fn link(&self, link: Link) -> Result<(), Failure>;

    /// Tells on the time line of a record what happened at the other side; the same `key` twice is told once. `detail` holds
    /// identifiers and states, no content.
    async fn note(&self, key: &str, kind: RecordKind, record: Id, detail: Value) -> Result<(), Failure>;

    /// Durable state of the adapter under `key`.
    async fn state(&self, key: &str) -> Result<Option<Value>, Failure>;

    /// Keeps durable state under `key`; null removes it.
    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure>;

    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A channel. Everything but the descriptor and the check has the answer "not offered" by default.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// What the adapter is and can do.
    fn descriptor(&self) -> &Descriptor;

    /// Delivers, idempotent by the delivery's id.
    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let _ = (delivery, sources);
        Err(not_offered())
    }

    /// The same for an adapter that has to remember what the other side gives out before it says the last word: what it links is durable
    /// once [`Host::link`] returns, and stands in [`About::links`] when it is asked again. This is what is called for records.
    async fn deliver_noting(
        &self,
        delivery: &Delivery,
        sources: Sources<'_>,
        host: Arc<dyn Host>,
    ) -> Result<Receipt, Failure> {
        let _ = host;
        self.deliver(delivery, sources).await
    }

    /// Finds out what became of a delivery whose outcome is unknown; `None` if it never arrived. Fails permanently where nobody can be
    /// asked: then a human decides.
    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let _ = delivery;
        Err(not_offered())
    }

    /// Asks where a delivery stands that has arrived at the other side. Its detail has as `receipt` what [`deliver`](Adapter::deliver)
    /// or [`reconcile`](Adapter::reconcile) answered: `reference` and `data`. The sources are those of the delivery, for whoever compares
    /// what the other side has with what it was given.
    async fn follow(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Followed, Failure> {
        let _ = (delivery, sources);
        Err(not_offered())
    }

    /// Answers a call from outside. Who calls is for the adapter to find out. It has half a minute from when something of the body came last,
    /// and reads the body as it can bear it: whoever calls may be slow.
    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        let _ = (request, host);
        Err(not_offered())
    }

    /// One session of work of its own: looks for what is new at the other side (a folder, a mailbox, tasks of an engine) and submits it.
    /// It ends by itself within two minutes or so, whatever is left; the answer is the pause until the next. Of all nodes, one runs
    /// it at a time. A session may end anywhere, by a crash: the next does again what the keys of commands make harmless.
    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let _ = host;
        Err(not_offered())
    }

    /// Tries to reach the other side.
    async fn check(&self) -> Health;
}

fn not_offered() -> Failure {
    Failure::new(FailureKind::Permanent, "adapter.not-offered", "the adapter does not offer this")
}
