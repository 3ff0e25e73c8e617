//! Rows in SQLite or PostgreSQL, payloads in sealed segments, the queue, mailboxes and the evidence chain.
//!
//! * Everything written goes through [`Store::commit`]: a [`Work`] is rows and preconditions as data, written whole or not
//!   at all, and answered after the sync.
//! * Everything read about cases, messages, events and mailboxes is confined by a [`Scope`](model::Scope), in SQL.
//! * Payloads are written before the row that names them, see [`payload`].
//! * A failed commit or sync stops the process: see `error.rs`.
//!
//! | module | holds |
//! |---|---|
//! | `sql`, `unit`, `db`, `sqlite`, `postgres` | one SQL text for two engines, and how each commits |
//! | `migrate`, `partition` | the schema, its way forwards, and partitions of months |
//! | [`Work`] | what can be written |
//! | `records`, `messages`, `clarifications`, `events`, `hooks`, `inbox` | what can be read of the house's business |
//! | `conversations`, `relay`, `pieces` | what a relay remembers: dialogs, issued ids, deliveries that wait for pick-up or come in pieces |
//! | `queue`, `lanes`, `sealer`, `stamps`, `stats` | what workers claim |
//! | `desk`, `admin` | what waits for people, and what administrators keep |
//! | `payments`, `bookings`, `statement_lines` | doors of payments, what the cash system is told, what the bank tells |
//! | `figures`, `retention` | how figures went and which alerts hold; what is deleted, and the account of it |
//! | `channels` | what adapters are told of records, and what they call them |
//! | `people` | users of the house, their sessions, and failed attempts to sign in |
//! | `approvals` | what one person asks for and another agrees to |
//! | `breaker` | when a lane that fails is left alone |
//! | `acts` | who did what: the events that are acts |
//! | [`backup`], `keys` | all rows out and in again; what is wrapped is wrapped anew |
//! | `audit` | whether what is kept is still what was sealed |
//! | [`payload`] | bytes |

mod acts;
mod admin;
mod approvals;
mod audit;
pub mod backup;
mod bookings;
mod boxes;
mod breaker;
mod channels;
mod clarifications;
mod conversations;
mod db;
mod desk;
mod error;
mod events;
mod figures;
mod hooks;
mod inbox;
mod keys;
mod lanes;
mod messages;
mod migrate;
mod partition;
pub mod payload;
mod payments;
mod people;
mod pieces;
mod postgres;
mod pressure;
mod queue;
mod records;
mod relay;
mod retention;
mod sealer;
mod sql;
mod sqlite;
mod stamps;
mod statement_lines;
mod stats;
mod together;
mod unit;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Clock, Id};

use crate::db::Db;
use crate::payload::files::Files;
use crate::queue::Bells;
use crate::sql::Select;
use crate::unit::Unit;

pub use acts::ActFilter;
pub use admin::{Partner, TokenRow};
pub use approvals::{Approval, ApprovalFilter};
pub use audit::{ChainFinding, ChainReport};
pub use bookings::{BookingFileRow, BookingFilter, BookingMade, BookingPlace};
pub use boxes::BoxFilter;
pub use breaker::{Breaker, BreakerState, LaneFailure};
pub use channels::{ChannelDelivery, ChannelFilter, ChannelLeft};
pub use clarifications::{ClarificationFilter, Operation, OperationState};
pub use conversations::{Conversation, Ticket};
pub use desk::DeskFilter;
pub use error::Error;
pub use events::{SealedEvent, TimelineOf};
pub use figures::{AlertRow, Counted, FigureRow};
pub use hooks::{Delivery, Subscription, Terms};
pub use inbox::{InboxEntry, InboxFilter, InboxState, Lease, LeaseKey};
pub use keys::{KeyUse, Rewrapped};
pub use lanes::Lane;
pub use messages::{Dedup, MessageFilter, Sought};
pub use payload::upload::{NewUpload, Upload, UploadQuota, UploadWriter};
pub use payload::{Payload, PayloadReader, PayloadWriter, PayloadWriterBlocking, StoredPayload, SweepReport};
pub use payments::{CASH_REFERENCES, PaymentDoor, PaymentNotice};
pub use people::{Person, PersonSession, PersonTerms, SessionStage, SignInTry, UserState};
pub use pieces::{RelayPiece, RelayWhole, WholeKey, WholeQuota};
pub use queue::{Class, Job, LANE_CAP, NewJob};
pub use records::RecordFilter;
pub use relay::{CardFilter, CardRule, Cards, Pick, RelayDelivery, RelayQuota, RelayStage};
pub use retention::{MessageCopy, RetentionKept, RetentionRun};
pub use seal::bundle::EventRecord;
pub use seal::chain::{Entry, SignedBatch};
pub use seal::evidence_key::EvidenceKey;
pub use stamps::{StampRow, StampState};
pub use statement_lines::{KnownLine, LineFilter, LineState, StatementLine};
pub use stats::Stats;
pub use work::Work;

/// Where the store keeps what it keeps.
pub struct Config {
    /// `sqlite:<path>` or `postgres://…`.
    pub database: String,
    /// Folder of the payload segments; created if missing, for the owner only.
    pub payloads: PathBuf,
    /// Master keys that wrap the payloads' data keys.
    pub keys: Arc<seal::keys::KeyRing>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// The store. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    db: Db,
    files: Files,
    keys: Arc<seal::keys::KeyRing>,
    clock: Arc<dyn Clock>,
    /// Digests of uploads that may go on.
    uploads: payload::upload::Remembered,
    /// Rung when a job may have become due.
    bells: Arc<Bells>,
    /// How often the database was asked.
    asked: AtomicU64,
}

impl Store {
    /// Opens the store: brings the schema forwards and makes the folders of payloads.
    ///
    /// # Errors
    /// [`Error::NewerSchema`], [`Error::UnsafeSetting`], [`Error::Config`], or whatever keeps it from being opened.
    pub async fn open(config: Config) -> Result<Store, Error> {
        let Config { database, payloads, keys, clock } = config;
        let files = Files::open(payloads).await?;
        let bells = Arc::new(Bells::default());
        let db = Db::open(&database, Arc::clone(&clock), Arc::clone(&bells)).await?;
        let (uploads, asked) = Default::default();
        Ok(Store(Arc::new(Inner { db, files, keys, clock, uploads, bells, asked })))
    }

    /// Commits what waits and closes the database, for all clones. Calls after it fail with [`Error::Closed`].
    pub async fn close(self) {
        self.0.db.close().await;
    }

    /// Writes a unit of work: all of it or nothing. Returns after the sync. It is written even if the caller stops
    /// waiting.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a precondition does not hold; [`Error::Uncertain`] if nobody knows whether it was written.
    pub async fn commit(&self, work: Work) -> Result<(), Error> {
        let wakes = work.wakes().clone();
        let steps = work.into_steps()?;
        if steps.is_empty() {
            return Ok(());
        }
        self.db().commit(Unit::Steps(steps)).await?;
        for class in wakes.iter().copied() {
            self.0.bells.of(class).notify_one();
        }
        if let (false, Db::Postgres(engine)) = (wakes.is_empty(), &self.0.db) {
            engine.notify().await;
        }
        Ok(())
    }

    fn db(&self) -> &Db {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        &self.0.db
    }

    /// How often the database was asked since the store was opened: what must not be told apart has to ask as often.
    pub fn times_asked(&self) -> u64 {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn bells(&self) -> &Bells {
        &self.0.bells
    }
}

/// A page of a list that is ordered by id.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Begin behind this id; absent: at the start.
    pub after: Option<Id>,
    /// Most items; at most [`Page::MOST`] are given.
    pub limit: u32,
}

impl Page {
    /// Most items of a page.
    pub const MOST: u32 = 1_000;

    /// The first `limit` items.
    pub fn first(limit: u32) -> Self {
        Page { after: None, limit }
    }

    fn size(&self) -> usize {
        self.limit.min(Self::MOST) as usize
    }

    /// Confines a select to the page; one more row is fetched, which tells whether there is a next page.
    fn apply(&self, select: Select, behind: &'static str, order_and_limit: &'static str) -> Select {
        select.and_if(behind, self.after).sql(order_and_limit).bind(self.size() as u64 + 1)
    }

    /// The page made of the rows that the select gave, each with the id that it is ordered by.
    fn listed<T>(&self, rows: impl Iterator<Item = Result<(Id, T), Error>>) -> Result<Listed<T>, Error> {
        let mut rows = rows.collect::<Result<Vec<_>, Error>>()?;
        let more = rows.len() > self.size();
        rows.truncate(self.size());
        let next = if more { rows.last().map(|(id, _)| *id) } else { None };
        Ok(Listed { items: rows.into_iter().map(|(_, item)| item).collect(), next })
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// [`Page::after`] of the next page; absent at the end.
    pub next: Option<Id>,
}
