//! Uploads that survive interruptions (draft-ietf-httpbis-resumable-upload): begun for a target, gone on with by their
//! owner alone, and in the end exactly what the target's own door would have taken in one piece.
//!
//! One request at a time works on an upload. A new one ends the one before, whose line has usually broken without the
//! gateway noticing yet; that one gets [`Error::UploadSuperseded`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use model::rights::Action;
use model::{Caller, Id, Message, Record, RecordKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{NewUpload, Upload, UploadQuota, UploadWriter};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::content::Upload as File;
use crate::{Broker, Error, Incoming};

/// Longest time that a request waits for the one before to end.
const TURN: Duration = Duration::from_secs(20);

/// How much of uploads may be under way, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Uploads and bytes at once.
    pub quota: UploadQuota,
    /// How long an upload may take from its beginning.
    pub lifetime: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        let quota = UploadQuota { per_owner: 64, per_tenant: 256, tenant_bytes: 64 << 30 };
        UploadLimits { quota, lifetime: Duration::from_secs(24 * 3_600) }
    }
}

/// What becomes of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UploadTarget {
    /// A file of a document.
    Content {
        /// The document.
        document: Id,
        /// What is known of the file.
        file: File,
    },
    /// A raw message.
    Message(Incoming),
}

impl UploadTarget {
    fn action(&self) -> Action {
        match self {
            UploadTarget::Content { .. } => Action::WriteCases,
            UploadTarget::Message(_) => Action::SendMessages,
        }
    }
}

/// A part that is to be added.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Where the client believes it begins, in bytes.
    pub offset: u64,
    /// Bytes of the whole, if the client says it here.
    pub length: Option<u64>,
    /// Whether the upload ends with it.
    pub complete: bool,
    /// SHA-256 of the whole, hex, if the client says it here.
    pub digest: Option<String>,
}

/// What the target made of a complete upload. Kept and given again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UploadAnswer {
    /// The document, and whether the file is new in it.
    Content {
        /// The record's JSON form.
        record: Value,
        /// The file was not there before.
        added: bool,
    },
    /// The message as it was accepted.
    Message(Value),
}

/// What came of a part.
#[derive(Debug)]
pub enum Appended {
    /// The upload goes on.
    Kept(Upload),
    /// The upload is complete.
    Complete(UploadAnswer),
    /// The upload was complete, and its target has refused it: it is gone.
    Refused(Error),
}

/// Who is at which upload in this process.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Id, Arc<Turn>>>);

struct Turn {
    /// Held while a request works on the upload.
    working: Arc<tokio::sync::Mutex<()>>,
    /// Counts the requests that came; whoever sees it rise gives way.
    came: watch::Sender<u64>,
}

/// The right to work on an upload until somebody else wants to.
struct MyTurn {
    turns: Arc<Turns>,
    id: Id,
    turn: Arc<Turn>,
    others: watch::Receiver<u64>,
    _working: OwnedMutexGuard<()>,
}

impl Turns {
    async fn take(self: &Arc<Self>, id: Id) -> Result<MyTurn, Error> {
        let turn = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Turn { working: Arc::default(), came: watch::Sender::new(0) };
            Arc::clone(all.entry(id).or_insert_with(|| Arc::new(new())))
        };
        turn.came.send_modify(|came| *came += 1);
        let others = turn.came.subscribe();
        let working = tokio::time::timeout(TURN, Arc::clone(&turn.working).lock_owned()).await;
        let working = working.map_err(|_| Error::UploadSuperseded)?;
        Ok(MyTurn { turns: Arc::clone(self), id, turn, others, _working: working })
    }
}

impl Drop for MyTurn {
    fn drop(&mut self) {
        let mut all = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own and ours: nobody waits.
        if Arc::strong_count(&self.turn) <= 2 {
            all.remove(&self.id);
        }
    }
}

impl Broker {
    /// Begins an upload. `length` is that of the whole in bytes, if known.
    ///
    /// # Errors
    /// As the target's own door refuses before it reads a byte; `UploadQuota`.
    pub async fn begin_upload(
        &self,
        caller: &Caller,
        target: UploadTarget,
        length: Option<u64>,
    ) -> Result<Upload, Error> {
        self.check_target(caller, &target).await?;
        let limit = self.parts.limits.most_bytes;
        if length.is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { limit });
        }
        let limits = self.upload_limits;
        let new = NewUpload {
            tenant: caller.scope.tenant.clone(),
            owner: caller.actor.id.clone(),
            target: json!(target),
            length,
            lifetime: limits.lifetime,
        };
        match self.store().create_upload(new, limits.quota).await.map_err(Error::from) {
            Err(error) if error.is_conflict("upload") => Err(Error::UploadQuota),
            outcome => outcome,
        }
    }

    /// How an upload stands. A request that still works on it ends first, so that what is told stays true.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's own.
    pub async fn upload(&self, caller: &Caller, id: Id) -> Result<Upload, Error> {
        self.find_upload(caller, id).await?;
        let _turn = self.turns.take(id).await?;
        self.find_upload(caller, id).await
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's own.
    pub async fn cancel_upload(&self, caller: &Caller, id: Id) -> Result<(), Error> {
        self.find_upload(caller, id).await?;
        let _turn = self.turns.take(id).await?;
        let upload = self.find_upload(caller, id).await?;
        Ok(self.store().drop_upload(&upload).await?)
    }

    /// Adds a part. Goes on even if the caller stops waiting: what came in before a line broke is kept.
    ///
    /// # Errors
    /// `UploadOffset` with the right one; `UploadLength` if more or less comes than was announced, after which the
    /// upload is gone; `Interrupted` after what came was kept.
    pub async fn append_upload(
        &self,
        caller: &Caller,
        id: Id,
        part: Part,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin + 'static,
    ) -> Result<Appended, Error> {
        self.find_upload(caller, id).await?;
        let (broker, caller) = (self.clone(), caller.clone());
        let work = tokio::spawn(async move {
            let mut turn = broker.turns.take(id).await?;
            broker.append(&caller, id, part, body, &mut turn.others).await
        });
        work.await.map_err(|_| Error::Internal)?
    }

    async fn append(
        &self,
        caller: &Caller,
        id: Id,
        part: Part,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
        others: &mut watch::Receiver<u64>,
    ) -> Result<Appended, Error> {
        let upload = self.find_upload(caller, id).await?;
        let target: UploadTarget =
            serde_json::from_value(upload.target.clone()).map_err(|_| Error::Internal)?;
        if upload.complete {
            return self.answered_upload(caller, &upload, &target, &part).await;
        }
        if part.offset != upload.size {
            return Err(Error::UploadOffset { offset: upload.size });
        }
        // What was allowed when it began may not be any more.
        self.check_target(caller, &target).await?;
        let length = part.length.or(upload.length);
        if part.length.zip(upload.length).is_some_and(|(now, before)| now != before) {
            return Err(Error::UploadLength);
        }
        let most = self.most_of(&upload, length).await?;
        if length.is_some_and(|length| length > most) {
            return Err(Error::TooLarge { limit: most });
        }
        let mut writer = match self.store().continue_upload(upload.clone(), part.length).await {
            Err(store::Error::Corrupt { .. }) => {
                self.store().drop_upload(&upload).await?;
                return Err(Error::UploadLost);
            }
            outcome => outcome.map_err(superseded)?,
        };
        match receive(&mut writer, body, length, most, others).await {
            Ok(()) if part.complete => self.complete(caller, writer, target, part, length).await,
            Ok(()) => Ok(Appended::Kept(writer.suspend().await.map_err(superseded)?)),
            Err(Error::UploadLength) => {
                self.store().drop_upload(&upload).await?;
                Err(Error::UploadLength)
            }
            // The disk did not take it, or the row is another's: what it says is kept.
            Err(error @ Error::Store(_)) => Err(superseded_error(error)),
            Err(error) => {
                writer.suspend().await.map_err(superseded)?;
                Err(error)
            }
        }
    }

    /// The end of an upload: its target takes it as if it had come in one piece.
    async fn complete(
        &self,
        caller: &Caller,
        writer: UploadWriter,
        target: UploadTarget,
        part: Part,
        length: Option<u64>,
    ) -> Result<Appended, Error> {
        if length.is_some_and(|length| length != writer.offset()) {
            let upload = writer.suspend().await.map_err(superseded)?;
            self.store().drop_upload(&upload).await?;
            return Err(Error::UploadLength);
        }
        let (upload, stored) = writer.finish().await.map_err(superseded)?;
        let stored = match self.screened(caller, stored).await {
            Ok(stored) => stored,
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                self.store().drop_upload(&upload).await?;
                return Ok(Appended::Refused(error));
            }
        };
        let taken = match with_key(target, upload.id, part.digest) {
            UploadTarget::Content { document, file } => {
                let version = self.record(caller, RecordKind::Document, document).await?.meta().version;
                self.add_stored(caller, document, file, stored).await.map(|record| {
                    let added = record.meta().version > version;
                    UploadAnswer::Content { record: record.to_json(), added }
                })
            }
            UploadTarget::Message(incoming) => self
                .accept_stored(caller, incoming, stored)
                .await
                .map(|message: Message| UploadAnswer::Message(json!(message))),
        };
        match taken {
            Ok(answer) => {
                self.store().answer_upload(upload.id, &json!(answer)).await?;
                Ok(Appended::Complete(answer))
            }
            Err(error) if error.is_passing() => Err(superseded_error(error)),
            Err(error) => {
                self.store().drop_upload(&upload).await?;
                Ok(Appended::Refused(error))
            }
        }
    }

    /// The first answer once more, to a request that adds nothing.
    async fn answered_upload(
        &self,
        caller: &Caller,
        upload: &Upload,
        target: &UploadTarget,
        part: &Part,
    ) -> Result<Appended, Error> {
        if !part.complete || part.offset != upload.size {
            return Err(Error::UploadOffset { offset: upload.size });
        }
        if let Some(answer) = &upload.answer {
            return serde_json::from_value(answer.clone())
                .map(Appended::Complete)
                .map_err(|_| Error::Internal);
        }
        // The gateway ended between the commit and this note of it; the answer is kept with the key.
        let key = key_of(target).unwrap_or_else(|| own_key(upload.id));
        let kept = self.answer_to_key(caller, &key).await?.ok_or(Error::UploadLost)?;
        let answer = match target {
            UploadTarget::Content { .. } => UploadAnswer::Content { record: kept, added: true },
            UploadTarget::Message(_) => UploadAnswer::Message(kept),
        };
        self.store().answer_upload(upload.id, &json!(answer)).await?;
        Ok(Appended::Complete(answer))
    }

    async fn check_target(&self, caller: &Caller, target: &UploadTarget) -> Result<(), Error> {
        let scope = caller.may(target.action())?;
        match target {
            UploadTarget::Content { document, .. } => {
                let _: Record = self.owned(scope, RecordKind::Document, *document).await?;
            }
            UploadTarget::Message(_) => {
                caller.authority.as_ref().ok_or(Error::NoAuthority)?;
                self.may_bring_message(&scope.tenant)?;
            }
        }
        Ok(())
    }

    async fn find_upload(&self, caller: &Caller, id: Id) -> Result<Upload, Error> {
        let found = self.store().upload(&caller.scope.tenant, &caller.actor.id, id).await?;
        found.ok_or_else(|| model::Error::NotFound { kind: "upload" }.into())
    }

    /// The largest size that an upload may have, in bytes: what was announced counts from the beginning.
    async fn most_of(&self, upload: &Upload, length: Option<u64>) -> Result<u64, Error> {
        let most = self.parts.limits.most_bytes;
        if upload.length.is_some() && upload.length == length {
            return Ok(most);
        }
        let others = self.store().upload_bytes(&upload.tenant, upload.id).await?;
        Ok(most.min(self.upload_limits.quota.tenant_bytes.saturating_sub(others)))
    }
}

/// Writes what comes, until it ends, breaks off, or somebody else wants the upload.
async fn receive(
    writer: &mut UploadWriter,
    mut body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    length: Option<u64>,
    most: u64,
    others: &mut watch::Receiver<u64>,
) -> Result<(), Error> {
    loop {
        let next = tokio::select! {
            biased;
            _ = others.changed() => return Err(Error::UploadSuperseded),
            next = body.next() => next,
        };
        let Some(bytes) = next else { return Ok(()) };
        let bytes = bytes.map_err(|_| Error::Interrupted)?;
        let offset = writer.offset() + bytes.len() as u64;
        if length.is_some_and(|length| offset > length) {
            return Err(Error::UploadLength);
        }
        if offset > most {
            return Err(Error::TooLarge { limit: most });
        }
        writer.write(&bytes).await?;
    }
}

/// Completion is a request that is carried out once: by the client's key, or by one that no client can send.
fn with_key(mut target: UploadTarget, id: Id, digest: Option<String>) -> UploadTarget {
    let (key, announced) = match &mut target {
        UploadTarget::Content { file, .. } => (&mut file.key, &mut file.digest),
        UploadTarget::Message(incoming) => (&mut incoming.key, &mut incoming.digest),
    };
    key.get_or_insert_with(|| own_key(id));
    *announced = digest.or(announced.take());
    target
}

fn key_of(target: &UploadTarget) -> Option<String> {
    match target {
        UploadTarget::Content { file, .. } => file.key.clone(),
        UploadTarget::Message(incoming) => incoming.key.clone(),
    }
}

/// Keys of clients have no space.
fn own_key(id: Id) -> String {
    format!("upload {id}")
}

fn superseded(error: store::Error) -> Error {
    superseded_error(error.into())
}

/// The row was not as it was left: another request, or another node, has the upload.
fn superseded_error(error: Error) -> Error {
    if error.is_conflict("upload") { Error::UploadSuperseded } else { error }
}
