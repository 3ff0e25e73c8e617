//! Uploads: payloads that come in several requests, with interruptions between them.
//!
//! What is kept of an upload is what its row says: whole chunks, sealed into segment files and synced, and behind them a
//! tail of up to one chunk in the row itself. The row follows the files: after every segment while bytes come in, and at
//! the end of each request. After a crash the upload goes on at the whole chunks of the last row.
//!
//! A nonce must never meet two plaintexts (see [`seal::payload`]), so whoever finds that more chunks may have been sealed
//! than the row says (`writing`) goes on in a new run. The digest of what is kept is remembered in memory between the
//! requests; after a restart the kept chunks are read once more.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::sync::Mutex;
use std::time::Duration;

use model::{Id, PayloadRef, Timestamp, ids};
use seal::keys::{DataKey, KeyWrap};
use seal::payload::{CHUNK, Digester, SEGMENT, open_inline, seal_inline};
use serde_json::Value as Json;
use tokio::task::spawn_blocking;

use super::reader::{Payload, Place};
use super::writer::{Kept, PayloadWriter, PayloadWriterBlocking};
use super::{StoredPayload, runs, stopped};
use crate::sql::{Expect, Row, Select, Step, Value};
use crate::unit::Unit;
use crate::{Error, Store};

/// Digests of uploads that are remembered between requests; beyond, kept chunks are read again.
const REMEMBERED: usize = 1_024;

/// Most interruptions that an upload survives whose outcome was not clear.
const MOST_RUNS: usize = 1_000;

/// An upload as its row says.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Identifier; also that of the payload in the end.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Who began it: nobody else may go on.
    pub owner: String,
    /// What becomes of it, in the words of whoever began it.
    pub target: Json,
    /// Bytes that are kept durably.
    pub size: u64,
    /// Bytes in the end, if that was said.
    pub length: Option<u64>,
    /// Whether it is complete: a payload now.
    pub complete: bool,
    /// The answer to its completion, if it was kept.
    pub answer: Option<Json>,
    /// When it began.
    pub created_at: Timestamp,
    /// When what is kept of it goes.
    pub expires_at: Timestamp,
    version: u64,
}

/// An upload that shall begin.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Tenant.
    pub tenant: String,
    /// Who begins it.
    pub owner: String,
    /// What becomes of it.
    pub target: Json,
    /// Bytes in the end, if known.
    pub length: Option<u64>,
    /// How long it may take.
    pub lifetime: Duration,
}

/// How much may be under way at once. Bytes are those announced, or those kept where nothing was announced.
#[derive(Debug, Clone, Copy)]
pub struct UploadQuota {
    /// Uploads of one owner.
    pub per_owner: u64,
    /// Uploads of a tenant.
    pub per_tenant: u64,
    /// Bytes of a tenant.
    pub tenant_bytes: u64,
}

/// Digests of what is kept of uploads, each with the row's version that it belongs to.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<HashMap<Id, (u64, Digester)>>);

impl Remembered {
    fn put(&self, id: Id, version: u64, digester: Digester) {
        let Ok(mut all) = self.0.lock() else { return };
        if all.len() < REMEMBERED {
            all.insert(id, (version, digester));
        }
    }

    fn forget(&self, id: Id) {
        self.take(id, 0);
    }

    fn take(&self, id: Id, version: u64) -> Option<Digester> {
        let (of, digester) = self.0.lock().ok()?.remove(&id)?;
        (of == version).then_some(digester)
    }
}

impl Store {
    /// Begins an upload.
    ///
    /// # Errors
    /// `Conflict` of `upload` if that would be more than the quota allows.
    pub async fn create_upload(&self, new: NewUpload, quota: UploadQuota) -> Result<Upload, Error> {
        let id = ids::new_id();
        let now = self.0.clock.now();
        let expires_at = now.plus(new.lifetime);
        let wrapped = self.0.keys.wrap(&new.tenant, id, &DataKey::random()?)?;
        let insert = Step::new(
            "INSERT INTO upload (id, tenant, owner, target, size, length, wrapped_key, runs, writing, version, \
             created_at, expires_at) SELECT $1, $2, $3, $4, 0, $5, $6, '[]', 0, 1, $7, $8 \
             WHERE (SELECT count(*) FROM upload WHERE tenant = $2 AND owner = $3 AND wrapped_key IS NOT NULL) < $9 \
             AND (SELECT count(*) FROM upload WHERE tenant = $2 AND wrapped_key IS NOT NULL) < $10 \
             AND (SELECT COALESCE(SUM(COALESCE(length, size)), 0) FROM upload \
             WHERE tenant = $2 AND wrapped_key IS NOT NULL) + $11 <= $12",
            vec![
                id.into(),
                new.tenant.as_str().into(),
                new.owner.as_str().into(),
                new.target.to_string().into(),
                length_value(new.length),
                Some(wrapped.as_slice()).into(),
                now.into(),
                expires_at.into(),
                quota.per_owner.into(),
                quota.per_tenant.into(),
                new.length.unwrap_or(0).into(),
                quota.tenant_bytes.into(),
            ],
            "upload",
            Expect::Rows(1),
        );
        self.db().commit(Unit::Steps(vec![insert])).await?;
        Ok(Upload {
            id,
            tenant: new.tenant,
            owner: new.owner,
            target: new.target,
            size: 0,
            length: new.length,
            complete: false,
            answer: None,
            created_at: now,
            expires_at,
            version: 1,
        })
    }

    /// An upload of `owner`; absent if there is none, or its time is over.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn upload(&self, tenant: &str, owner: &str, id: Id) -> Result<Option<Upload>, Error> {
        let select = Select::new(UPLOAD).sql("id = ").bind(id).and("tenant =", tenant).and("owner =", owner);
        let select = select.and("expires_at >", self.0.clock.now());
        self.db().read_one(select).await?.map(|row| upload(&row)).transpose()
    }

    /// Bytes that a tenant's uploads under way come to, `except` left out.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn upload_bytes(&self, tenant: &str, except: Id) -> Result<u64, Error> {
        let select = Select::new("SELECT COALESCE(length, size) FROM upload WHERE wrapped_key IS NOT NULL");
        let rows = self.db().read(select.and("tenant =", tenant).and("id <>", except)).await?;
        rows.iter().map(|row| row.number(0)).sum()
    }

    /// Goes on with an upload. From now on nobody else does, and it is not complete. `length` is noted if it was said.
    /// One process at a time may do this: the files know no other fence.
    ///
    /// # Errors
    /// `Conflict` of `upload` if its row is not that of `upload` any more; `Corrupt` if its files are not what the row
    /// says, after which it is of no use.
    pub async fn continue_upload(&self, upload: Upload, length: Option<u64>) -> Result<UploadWriter, Error> {
        let known = self.0.uploads.take(upload.id, upload.version);
        let Claimed { wrapped_key, runs, tail, upload } = self.claim_upload(upload, length).await?;
        let key = self.0.keys.open(&upload.tenant, upload.id, &wrapped_key)?;
        let kept = self.kept_chunks(&upload, &wrapped_key, &runs)?;
        let (files, keys, tenant) = (self.0.files.clone(), self.0.keys.clone(), upload.tenant.clone());
        let (id, size) = (upload.id, upload.size);
        let resumed = spawn_blocking(move || {
            let next_chunk = (size - tail.len() as u64) / CHUNK as u64;
            let from = Kept { id, key, runs, next_chunk, chunk: tail, digester: known };
            PayloadWriterBlocking::resume(files, keys, &tenant, from, kept.blocking())
        });
        let writer = resumed.await.map_err(stopped)?.map_err(damaged)?;
        Ok(UploadWriter {
            store: self.clone(),
            upload,
            writer: PayloadWriter::new(writer),
            saved: size / SEGMENT,
        })
    }

    /// The kept whole chunks. They are read as those of a payload that goes on behind them.
    fn kept_chunks(&self, upload: &Upload, wrapped_key: &[u8], runs: &[u64]) -> Result<Payload, Error> {
        let key = self.0.keys.open(&upload.tenant, upload.id, wrapped_key)?;
        let size = upload.size + 1;
        let reference = PayloadRef { id: upload.id, size, sha256: String::new(), chunk_root: String::new() };
        Ok(Payload::new(reference, Place::Files(key, runs.to_vec(), self.0.files.clone())))
    }

    async fn claim_upload(&self, mut upload: Upload, length: Option<u64>) -> Result<Claimed, Error> {
        let select = Select::new("SELECT wrapped_key, runs, writing, tail, tail_key FROM upload WHERE id = ");
        let lost = || Error::Conflict { what: "upload" };
        let row = self.db().read_one(select.bind(upload.id).and("version =", upload.version)).await?;
        let row = row.ok_or_else(lost)?;
        let wrapped_key = row.opt_bytes(0)?.ok_or_else(lost)?;
        let mut runs = runs(&row, 1)?;
        let tail = match row.opt_bytes(3)?.zip(row.opt_bytes(4)?) {
            Some((sealed, key)) => {
                let key = self.0.keys.open(&upload.tenant, upload.id, &key)?;
                open_inline(&key, upload.id, &sealed).map_err(|_| Error::Corrupt { what: "upload" })?
            }
            None if upload.size == 0 => Vec::new(),
            // The last kept chunk may become the last of all, so it is sealed again. Until then the row has it: nobody
            // could tell in which run it lies in its file.
            None => {
                let (kept, size) = (self.kept_chunks(&upload, &wrapped_key, &runs)?, upload.size);
                spawn_blocking(move || last_chunk(&kept, size)).await.map_err(stopped)?.map_err(damaged)?
            }
        };
        if row.int(2)? != 0 {
            runs.push((upload.size - tail.len() as u64) / CHUNK as u64);
            if runs.len() > MOST_RUNS {
                return Err(Error::Corrupt { what: "upload" });
            }
        }
        let length = length.or(upload.length);
        let sealed = self.sealed_tail(&upload, &tail)?;
        let claim = Step::new(
            "UPDATE upload SET writing = 1, runs = $3, length = $4, tail = $5, tail_key = $6, version = version + 1 \
             WHERE id = $1 AND version = $2",
            vec![
                upload.id.into(),
                upload.version.into(),
                serde_json::to_string(&runs)?.into(),
                length_value(length),
                sealed.as_ref().map(|tail| tail.sealed.as_slice()).into(),
                sealed.as_ref().map(|tail| tail.wrapped_key.as_slice()).into(),
            ],
            "upload",
            Expect::Rows(1),
        );
        self.db().commit(Unit::Steps(vec![claim])).await?;
        upload.version += 1;
        upload.length = length;
        Ok(Claimed { wrapped_key, runs, tail, upload })
    }

    /// A tail as it lies in the row, and its wrapped key; nothing if it is empty.
    fn sealed_tail(&self, upload: &Upload, tail: &[u8]) -> Result<Option<SealedTail>, Error> {
        if tail.is_empty() {
            return Ok(None);
        }
        let key = DataKey::random()?;
        let sealed = seal_inline(&key, upload.id, tail)?;
        Ok(Some(SealedTail { sealed, wrapped_key: self.0.keys.wrap(&upload.tenant, upload.id, &key)? }))
    }

    /// Gives an upload up and removes what is kept of it.
    ///
    /// # Errors
    /// If the database fails. What cannot be removed now is swept later.
    pub async fn drop_upload(&self, upload: &Upload) -> Result<(), Error> {
        let delete = Step::new(
            "DELETE FROM upload WHERE id = $1 AND tenant = $2 AND wrapped_key IS NOT NULL",
            vec![upload.id.into(), upload.tenant.as_str().into()],
            "upload",
            Expect::Rows(1),
        );
        match self.db().commit(Unit::Steps(vec![delete])).await {
            // It is complete: its files are a payload's.
            Err(Error::Conflict { .. }) => return Ok(()),
            outcome => outcome?,
        };
        let (files, id) = (self.0.files.clone(), upload.id);
        self.0.uploads.forget(id);
        if !matches!(spawn_blocking(move || files.remove_all(id)).await, Ok(Ok(()))) {
            tracing::warn!(upload = %id, "files of an upload are left to the sweep");
        }
        Ok(())
    }

    /// Keeps the answer to a completion for whoever asks again.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn answer_upload(&self, upload: Id, answer: &Json) -> Result<(), Error> {
        let update = Step::new(
            "UPDATE upload SET answer = $2, wrapped_key = NULL, tail = NULL, tail_key = NULL, version = version + 1 \
             WHERE id = $1",
            vec![upload.into(), answer.to_string().into()],
            "upload",
            Expect::Any,
        );
        self.db().commit(Unit::Steps(vec![update])).await.map(drop)
    }

    /// Removes uploads whose time is over, with what is kept of those that never became complete; returns how many.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sweep_uploads(&self) -> Result<u64, Error> {
        let now = self.0.clock.now();
        let done = Step::new(
            "DELETE FROM upload WHERE expires_at <= $1 AND wrapped_key IS NULL",
            vec![now.into()],
            "upload",
            Expect::Any,
        );
        self.db().commit(Unit::Steps(vec![done])).await?;
        let mut swept = 0;
        let over = Select::new(UPLOAD).sql("expires_at <= ").bind(now);
        for row in self.db().read(over).await? {
            self.drop_upload(&upload(&row)?).await?;
            swept += 1;
        }
        Ok(swept)
    }
}

/// The tail as it lies in the row.
struct SealedTail {
    sealed: Vec<u8>,
    wrapped_key: Vec<u8>,
}

/// An upload that is being written, and what it goes on from.
struct Claimed {
    wrapped_key: Vec<u8>,
    runs: Vec<u64>,
    /// Empty only if nothing was kept.
    tail: Vec<u8>,
    upload: Upload,
}

/// Adds bytes to an upload. Dropped, it leaves what the row says.
pub struct UploadWriter {
    store: Store,
    upload: Upload,
    writer: PayloadWriter,
    /// Whole segments that the row knows of.
    saved: u64,
}

impl UploadWriter {
    /// Bytes so far, kept or not.
    pub fn offset(&self) -> u64 {
        self.writer.size()
    }

    /// Adds bytes; after every segment they are durably kept.
    ///
    /// # Errors
    /// As [`PayloadWriter::write`]; `Conflict` of `upload` if somebody else has it now.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.write(bytes).await?;
        if self.writer.size() / SEGMENT > self.saved {
            let chunks = self.writer.hand_over_and(PayloadWriterBlocking::sync).await?;
            self.saved = self.writer.size() / SEGMENT;
            note(&self.store, &mut self.upload, chunks * CHUNK as u64, &[], true).await?;
        }
        Ok(())
    }

    /// Keeps everything that was written, durably.
    ///
    /// # Errors
    /// As [`UploadWriter::write`].
    pub async fn suspend(mut self) -> Result<Upload, Error> {
        self.writer.hand_over_and(PayloadWriterBlocking::sync).await?;
        let size = self.writer.size();
        let (tail, digester) = self.writer.into_blocking()?.into_rest();
        note(&self.store, &mut self.upload, size, &tail, false).await?;
        self.store.0.uploads.put(self.upload.id, self.upload.version, digester);
        Ok(self.upload)
    }

    /// Keeps everything and makes a payload of it. Whoever writes the payload's row closes the upload; until then it can
    /// be gone on with, or completed again.
    ///
    /// # Errors
    /// As [`UploadWriter::write`].
    pub async fn finish(mut self) -> Result<(Upload, StoredPayload), Error> {
        let tail = self.writer.hand_over_and(|writer| {
            writer.sync()?;
            Ok(writer.rest())
        });
        let tail = tail.await?;
        let size = self.writer.size();
        // The last chunk is about to be sealed: whoever goes on needs another run.
        note(&self.store, &mut self.upload, size, &tail, true).await?;
        let mut stored = self.writer.finish().await?;
        stored.upload = Some((self.upload.id, self.upload.version));
        Ok((self.upload, stored))
    }
}

/// Writes into the row what is kept. Its files are durable already.
async fn note(
    store: &Store,
    upload: &mut Upload,
    size: u64,
    tail: &[u8],
    writing: bool,
) -> Result<(), Error> {
    let tail = store.sealed_tail(upload, tail)?;
    let update = Step::new(
        "UPDATE upload SET size = $3, tail = $4, tail_key = $5, writing = $6, version = version + 1 \
         WHERE id = $1 AND version = $2",
        vec![
            upload.id.into(),
            upload.version.into(),
            size.into(),
            tail.as_ref().map(|tail| tail.sealed.as_slice()).into(),
            tail.as_ref().map(|tail| tail.wrapped_key.as_slice()).into(),
            writing.into(),
        ],
        "upload",
        Expect::Rows(1),
    );
    store.db().commit(Unit::Steps(vec![update])).await?;
    upload.size = size;
    upload.version += 1;
    Ok(())
}

/// What the row says is kept cannot be read.
fn damaged(error: Error) -> Error {
    match error {
        Error::Io(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::Other) => {
            Error::Corrupt { what: "upload" }
        }
        error => error,
    }
}

fn last_chunk(payload: &Payload, size: u64) -> Result<Vec<u8>, Error> {
    let mut chunk = vec![0; CHUNK];
    let mut reader = payload.blocking();
    reader.seek(SeekFrom::Start(size - CHUNK as u64))?;
    reader.read_exact(&mut chunk)?;
    Ok(chunk)
}

const UPLOAD: &str = "SELECT id, tenant, owner, target, size, length, wrapped_key, answer, created_at, expires_at, version \
     FROM upload WHERE ";

fn upload(row: &Row) -> Result<Upload, Error> {
    let answer = row.opt_text(7)?.map(|text| serde_json::from_str(&text));
    Ok(Upload {
        id: row.id(0)?,
        tenant: row.text(1)?,
        owner: row.text(2)?,
        target: row.json(3)?,
        size: row.number(4)?,
        length: row.opt_int(5)?.and_then(|length| u64::try_from(length).ok()),
        complete: row.opt_bytes(6)?.is_none(),
        answer: answer.transpose().map_err(|_| Error::Corrupt { what: "row" })?,
        created_at: row.time(8)?,
        expires_at: row.time(9)?,
        version: row.number(10)?,
    })
}

fn length_value(length: Option<u64>) -> Value {
    Value::Int(length.and_then(|length| i64::try_from(length).ok()))
}
