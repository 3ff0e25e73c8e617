//! What a channel (DMS, workflow, post, archive, mobile, online, telephone, payment) does for the
//! broker, and what the broker offers it.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncRead;

use crate::command::Command;
use crate::record::Record;
use crate::{Failure, FailureKind, Id, RecordKind, Timestamp};

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
    /// JSON Schema of its configuration.
    pub config_schema: Value,
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
    /// [`Adapter::poll`].
    Poll,
    /// [`Adapter::callback`].
    Callback,
    /// [`Adapter::run`].
    Run,
}

/// Something to be delivered. The id makes it idempotent: the same id is the same delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Identifier of the delivery.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// What it is about: the adapter's own words, such as `document.created`.
    pub kind: String,
    /// The record it is about.
    pub record: Option<(RecordKind, Id)>,
    /// Further facts.
    pub detail: Value,
}

/// Content of a delivery as a stream.
pub type Content = Box<dyn AsyncRead + Send + Unpin>;

/// Proof of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Where a delivery stands that has arrived at the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// It is on its way to its recipient.
    Open,
    /// Its recipient has it.
    Received,
    /// It will not reach its recipient, by the rule that says why. The rule has a page of its own.
    CameToNothing(&'static str),
}

/// What a poll found: commands, and the cursor for the next poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Commands, each with a key that makes it idempotent.
    pub commands: Vec<(String, Command)>,
    /// Where to go on; kept by the host together with the commands' effects.
    pub cursor: String,
}

/// A call from outside to the adapter's own door.
pub struct CallbackRequest {
    /// HTTP method.
    pub method: String,
    /// Path below the adapter's own.
    pub path: String,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body as a stream.
    pub body: Content,
}

/// What a callback leads to. The reply is sent after the commands are committed.
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackOutcome {
    /// Commands, each with a key that makes it idempotent.
    pub commands: Vec<(String, Command)>,
    /// HTTP status of the reply.
    pub status: u16,
    /// Body of the reply.
    pub body: String,
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

/// What the broker offers an adapter.
#[async_trait]
pub trait Host: Send + Sync {
    /// One record, if it is there.
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure>;

    /// Submits a command; the same `key` twice has one effect.
    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure>;

    /// Durable state of the adapter under `key`.
    async fn state(&self, key: &str) -> Result<Option<Value>, Failure>;

    /// Keeps durable state under `key`.
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
    async fn deliver(&self, delivery: &Delivery, content: Option<Content>) -> Result<Receipt, Failure> {
        let _ = (delivery, content);
        Err(not_offered())
    }

    /// Finds out what became of a delivery whose outcome is unknown; `None` if it never arrived.
    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let _ = delivery;
        Err(not_offered())
    }

    /// Asks where a delivery stands that has arrived at the other side.
    async fn follow(&self, delivery: &Delivery) -> Result<Followed, Failure> {
        let _ = delivery;
        Err(not_offered())
    }

    /// Fetches what is new since `cursor`.
    async fn poll(&self, cursor: Option<&str>) -> Result<Batch, Failure> {
        let _ = cursor;
        Err(not_offered())
    }

    /// Handles a call from outside.
    async fn callback(&self, request: CallbackRequest) -> Result<CallbackOutcome, Failure> {
        let _ = request;
        Err(not_offered())
    }

    /// Runs a long session until `host` goes away; called again after a pause when it ends.
    async fn run(&self, host: std::sync::Arc<dyn Host>) -> Result<Duration, Failure> {
        let _ = host;
        Err(not_offered())
    }

    /// Tries to reach the other side.
    async fn check(&self) -> Health;
}

fn not_offered() -> Failure {
    Failure::new(FailureKind::Permanent, "adapter.not-offered", "the adapter does not offer this")
}
