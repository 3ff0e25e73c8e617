//! Payloads: bytes of any size, sealed under a data key of their own.
//!
//! The format is [`seal::payload`]. Up to [`INLINE`] bytes lie sealed in the payload's row. Larger ones lie in immutable
//! segment files of 8 MiB of plaintext each, under the folder of payloads:
//!
//! ```text
//! <last 2 hex digits of the id>/<id>.<n>       segment n, from 0
//! <last 2 hex digits of the id>/<id>.digests   SHA-256 of each 64 KiB chunk, 32 bytes each; stays after erasure
//! ```
//! Files and folder are synced before [`PayloadWriter::finish`] returns; the row follows with
//! [`Work::insert_payload`](crate::Work::insert_payload). Files without a row are removed by [`Store::sweep`].
//! A payload of one chunk has no digest file: its only chunk digest is that of the payload.

pub(crate) mod files;
mod reader;
mod sweep;
pub(crate) mod upload;
mod writer;

use std::sync::Arc;

use model::{Id, PayloadRef};
use seal::keys::KeyWrap;
use seal::payload::chunk_count;
use seal::{Digest, merkle};
use tokio::task::spawn_blocking;

use crate::sql::{Row, Select};
use crate::{Error, Store, Work};

pub use reader::{Payload, PayloadReader};
pub use sweep::SweepReport;
pub use writer::{PayloadWriter, PayloadWriterBlocking};

use reader::Place;

/// Largest payload in bytes that is kept in its row. Rows go through the WAL and are written twice, files once; but a file costs two
/// syncs of its own, and a row shares that of its group.
pub const INLINE: usize = 64 * 1024;

/// A payload whose bytes are durable, or lie here sealed; its row is still to be written.
#[derive(Debug)]
pub struct StoredPayload {
    pub(crate) reference: PayloadRef,
    pub(crate) wrapped_key: Vec<u8>,
    /// A small payload, which lies in no file.
    pub(crate) inline: Option<Inline>,
    /// First chunks of the runs in which it was sealed, see [`seal::payload`]; most payloads have run 0 alone.
    pub(crate) runs: Vec<u64>,
    /// The upload that it comes from and the version of its row: whoever writes the payload's row closes the upload.
    pub(crate) upload: Option<(Id, u64)>,
}

/// A small payload: as it is kept, and as it came, for whoever looks at it before its row is written.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) tenant: String,
    pub(crate) sealed: Arc<[u8]>,
    pub(crate) plain: Arc<Vec<u8>>,
}

impl StoredPayload {
    /// Names the payload and what proves it.
    pub fn reference(&self) -> &PayloadRef {
        &self.reference
    }

    /// Whether reading it touches no file, so that no thread that may block is needed.
    pub fn is_inline(&self) -> bool {
        self.inline.is_some()
    }
}

impl Store {
    /// Begins a payload of `tenant`. Dropped without `finish`, it leaves nothing behind.
    pub fn payload_writer(&self, tenant: &str) -> PayloadWriter {
        PayloadWriter::new(self.payload_writer_blocking(tenant))
    }

    /// The same for threads that may block.
    pub fn payload_writer_blocking(&self, tenant: &str) -> PayloadWriterBlocking {
        PayloadWriterBlocking::new(self.0.files.clone(), self.0.keys.clone(), tenant)
    }

    /// Opens a payload for reading.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Erased`].
    pub async fn open_payload(&self, tenant: &str, id: Id) -> Result<Payload, Error> {
        let row = self.payload_row(tenant, id).await?;
        let reference = reference(&row)?;
        let wrapped = row.opt_bytes(4)?.ok_or(Error::Erased)?;
        let key = self.0.keys.open(tenant, id, &wrapped)?;
        let place = match row.opt_bytes(5)? {
            Some(sealed) => Place::Row(key, sealed),
            None => Place::Files(key, runs(&row, 6)?, self.0.files.clone()),
        };
        Ok(Payload::new(reference, place))
    }

    /// Opens a finished payload whose row is not written yet.
    ///
    /// # Errors
    /// If the tenant is not the one it was written for.
    pub fn open_stored(&self, tenant: &str, stored: &StoredPayload) -> Result<Payload, Error> {
        let place = match &stored.inline {
            // As the key of a sealed one would not open for another tenant.
            Some(inline) if inline.tenant != tenant => return Err(seal::Error::KeyWrap.into()),
            Some(inline) => Place::Memory(Arc::clone(&inline.plain)),
            None => {
                let key = self.0.keys.open(tenant, stored.reference.id, &stored.wrapped_key)?;
                Place::Files(key, stored.runs.clone(), self.0.files.clone())
            }
        };
        Ok(Payload::new(stored.reference.clone(), place))
    }

    /// Removes a finished payload whose row will never be written. What cannot be removed now is swept later.
    pub async fn discard(&self, stored: StoredPayload) {
        if stored.is_inline() {
            return;
        }
        let files = self.0.files.clone();
        let id = stored.reference.id;
        let removed = spawn_blocking(move || files.remove_all(id)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(payload = %id, "a discarded payload is left to the sweep");
        }
    }

    /// Removes the files of payloads whose rows are gone. What cannot be removed now is swept later.
    pub async fn remove_forgotten(&self, ids: Vec<Id>) {
        let files = self.0.files.clone();
        let removed = spawn_blocking(move || ids.into_iter().try_for_each(|id| files.remove_all(id))).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!("files of forgotten payloads are left to the sweep");
        }
    }

    /// The SHA-256 digests of the payload's 64 KiB chunks, in order, as they were recorded when it was written. They
    /// outlive its erasure.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Corrupt`] if they do not add up to the recorded Merkle root.
    pub async fn chunk_digests(&self, tenant: &str, id: Id) -> Result<Vec<[u8; 32]>, Error> {
        // Without its bytes, which may lie in the row.
        let select = Select::new("SELECT id, size, sha256, chunk_root FROM payload WHERE id = ").bind(id);
        let row = self.db().read_one(select.and("tenant =", tenant)).await?;
        let reference = reference(&row.ok_or(Error::NotFound { what: "payload" })?)?;
        let files = self.0.files.clone();
        let corrupt = Error::Corrupt { what: "digests" };
        let digests = if chunk_count(reference.size) == 1 {
            let Ok(Digest(digest)) = reference.sha256.parse() else { return Err(corrupt) };
            vec![digest]
        } else {
            spawn_blocking(move || files.read_digests(id)).await.map_err(stopped)??
        };
        let mut root = merkle::RootBuilder::new();
        digests.iter().for_each(|digest| root.push(merkle::leaf_hash(digest)));
        if root.count() != chunk_count(reference.size) || root.root().to_string() != reference.chunk_root {
            return Err(corrupt);
        }
        Ok(digests)
    }

    /// Erases a payload, see [`Work::erase_payload`], and removes its segments.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn erase_payload(&self, tenant: &str, id: Id) -> Result<(), Error> {
        let mut work = Work::new();
        work.erase_payload(tenant, id);
        match self.commit(work).await {
            Err(Error::Conflict { .. }) => return Err(Error::NotFound { what: "payload" }),
            outcome => outcome?,
        };
        self.remove_erased(id).await
    }

    /// Removes the segments of a payload whose key was destroyed. What is left of them if this fails is unreadable.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub async fn remove_erased(&self, id: Id) -> Result<(), Error> {
        let files = self.0.files.clone();
        spawn_blocking(move || files.remove_segments(id)).await.map_err(stopped)??;
        Ok(())
    }

    /// Whether a payload of any tenant is there and was not erased.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn has_key(&self, id: Id) -> Result<bool, Error> {
        let select = Select::new("SELECT id FROM payload WHERE wrapped_key IS NOT NULL AND id = ").bind(id);
        Ok(self.db().read_one(select).await?.is_some())
    }

    async fn payload_row(&self, tenant: &str, id: Id) -> Result<Row, Error> {
        let select = Select::new(
            "SELECT id, size, sha256, chunk_root, wrapped_key, sealed, runs FROM payload WHERE id = ",
        )
        .bind(id)
        .and("tenant =", tenant);
        self.db().read_one(select).await?.ok_or(Error::NotFound { what: "payload" })
    }
}

/// The runs in a column that is absent for most payloads.
fn runs(row: &Row, column: usize) -> Result<Vec<u64>, Error> {
    let Some(text) = row.opt_text(column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|_| Error::Corrupt { what: "row" })
}

fn reference(row: &Row) -> Result<PayloadRef, Error> {
    Ok(PayloadRef { id: row.id(0)?, size: row.number(1)?, sha256: row.text(2)?, chunk_root: row.text(3)? })
}

/// A blocking task panicked or the runtime is shutting down.
pub(crate) fn stopped(_: tokio::task::JoinError) -> Error {
    Error::Closed
}
