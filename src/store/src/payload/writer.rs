//! Writing a payload in one pass: hashed, sealed, in segments, synced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;

use model::{Id, PayloadRef, ids};
use seal::Digest;
use seal::keys::{DataKey, KeyRing, KeyWrap};
use seal::payload::{CHUNK, Digester, SEALED_CHUNK, SEGMENT_CHUNKS, Sealer, seal_inline};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::files::{Files, Part, sync_file, sync_folder};
use super::{INLINE, Inline, StoredPayload, stopped};
use crate::Error;

/// Bytes that the asynchronous writer gathers before it hands them to a thread that may block.
const HAND_OVER: usize = 2 * CHUNK;

/// Writes a payload; for threads that may block. Holds two chunks in memory.
pub struct PayloadWriterBlocking {
    tenant: String,
    keys: Arc<KeyRing>,
    files: Files,
    id: Id,
    digester: Digester,
    /// The chunk that is being filled. A full one is sealed when more follows: only then it is known not to be the last.
    chunk: Vec<u8>,
    segments: Option<Segments>,
}

/// The part of a writer that exists once the payload is too large for its row.
struct Segments {
    key: DataKey,
    sealer: Sealer,
    next_chunk: u64,
    sealed: Vec<u8>,
    file: Option<File>,
    digests: Option<File>,
    /// Parts whose files exist, to be removed unless the payload is finished.
    created: Vec<Part>,
}

impl PayloadWriterBlocking {
    pub(crate) fn new(files: Files, keys: Arc<KeyRing>, tenant: &str) -> Self {
        PayloadWriterBlocking {
            tenant: tenant.to_owned(),
            keys,
            files,
            id: ids::new_id(),
            digester: Digester::new(),
            chunk: Vec::new(),
            segments: None,
        }
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.digester.size()
    }

    /// Ends the payload and makes its files durable.
    ///
    /// # Errors
    /// If a file cannot be written or sealing fails; nothing is left behind then.
    pub fn finish(mut self) -> Result<StoredPayload, Error> {
        if self.segments.is_none() && self.chunk.len() <= INLINE {
            return self.finish_inline();
        }
        self.seal_chunk(true)?;
        let (digest, rest) = std::mem::take(&mut self.digester).finish();
        let segments = self.segments.as_mut().ok_or(Error::Closed)?;
        if let Some(file) = segments.file.take() {
            sync_file(&file);
        }
        if let Some(mut file) = segments.digests.take() {
            write_digests(&mut file, &rest)?;
            sync_file(&file);
        }
        sync_folder(&self.files.folder_of(self.id));
        let wrapped_key = self.keys.wrap(&self.tenant, self.id, &segments.key)?;
        segments.created.clear();
        Ok(StoredPayload { reference: reference(self.id, &digest), wrapped_key, inline: None })
    }

    fn finish_inline(&mut self) -> Result<StoredPayload, Error> {
        let key = DataKey::random()?;
        let sealed = seal_inline(&key, self.id, &self.chunk)?;
        let wrapped_key = self.keys.wrap(&self.tenant, self.id, &key)?;
        let (digest, _) = std::mem::take(&mut self.digester).finish();
        let plain = std::mem::take(&mut self.chunk).into();
        let inline = Some(Inline { sealed, plain });
        Ok(StoredPayload { reference: reference(self.id, &digest), wrapped_key, inline })
    }

    fn write_some(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.digester.update(bytes);
        while !bytes.is_empty() {
            if self.chunk.len() == CHUNK {
                self.seal_chunk(false)?;
            }
            let (head, rest) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(head);
            bytes = rest;
        }
        Ok(())
    }

    /// Seals the gathered chunk into its segment.
    fn seal_chunk(&mut self, last: bool) -> Result<(), Error> {
        let segments = match &mut self.segments {
            Some(segments) => segments,
            none => none.insert(Segments::new(self.id)?),
        };
        let index = segments.next_chunk;
        if index.is_multiple_of(SEGMENT_CHUNKS) {
            let part = Part::Segment(index / SEGMENT_CHUNKS);
            let file = self.files.create(self.id, part)?;
            segments.created.push(part);
            if let Some(full) = segments.file.replace(file) {
                sync_file(&full);
            }
        }
        if index == 1 {
            segments.digests = Some(self.files.create(self.id, Part::Digests)?);
            segments.created.push(Part::Digests);
        }
        segments.sealed.clear();
        segments.sealer.seal_chunk(index, last, &self.chunk, &mut segments.sealed)?;
        if let Some(file) = &mut segments.file {
            file.write_all(&segments.sealed)?;
        }
        if let Some(file) = &mut segments.digests {
            write_digests(file, &self.digester.take_chunks())?;
        }
        segments.next_chunk += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl Segments {
    fn new(id: Id) -> Result<Self, Error> {
        let key = DataKey::random()?;
        Ok(Segments {
            sealer: Sealer::new(&key, id)?,
            key,
            next_chunk: 0,
            sealed: Vec::with_capacity(SEALED_CHUNK),
            file: None,
            digests: None,
            created: Vec::new(),
        })
    }
}

impl Write for PayloadWriterBlocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some(bytes).map_err(io_error)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PayloadWriterBlocking {
    /// Removes the files of a payload that was not finished. A file that stays all the same is swept later.
    fn drop(&mut self) {
        for part in self.segments.iter().flat_map(|segments| &segments.created) {
            let _ = fs::remove_file(self.files.path(self.id, *part));
        }
    }
}

fn write_digests(file: &mut File, digests: &[Digest]) -> io::Result<()> {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
    file.write_all(&bytes)
}

fn reference(id: Id, digest: &seal::payload::PayloadDigest) -> PayloadRef {
    PayloadRef {
        id,
        size: digest.size,
        sha256: digest.sha256.to_string(),
        chunk_root: digest.chunk_root.to_string(),
    }
}

pub(crate) fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Writes a payload from asynchronous code; files are written on threads that may block.
pub struct PayloadWriter {
    /// Absent while a thread has it, and for good after a write that failed or was cut short.
    writer: Option<PayloadWriterBlocking>,
    gathered: Vec<u8>,
    size: u64,
}

impl PayloadWriter {
    pub(crate) fn new(writer: PayloadWriterBlocking) -> Self {
        PayloadWriter { writer: Some(writer), gathered: Vec::new(), size: 0 }
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// If a file cannot be written; the payload is lost then. A call that is cut short loses it, too.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(HAND_OVER - self.gathered.len()));
            self.gathered.extend_from_slice(head);
            bytes = rest;
            if self.gathered.len() == HAND_OVER {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        let mut writer = self.writer.take().ok_or(Error::Closed)?;
        let mut gathered = std::mem::take(&mut self.gathered);
        let written = spawn_blocking(move || {
            writer.write_some(&gathered)?;
            gathered.clear();
            Ok::<_, Error>((writer, gathered))
        });
        let (writer, gathered) = written.await.map_err(stopped)??;
        self.writer = Some(writer);
        self.gathered = gathered;
        Ok(())
    }

    /// Ends the payload and makes its files durable. Now its row may be written.
    ///
    /// # Errors
    /// If a file cannot be written or sealing fails; nothing is left behind then.
    pub async fn finish(mut self) -> Result<StoredPayload, Error> {
        let mut writer = self.writer.take().ok_or(Error::Closed)?;
        let gathered = std::mem::take(&mut self.gathered);
        if self.size <= INLINE as u64 {
            // No file is touched.
            writer.write_some(&gathered)?;
            return writer.finish();
        }
        let finished = spawn_blocking(move || {
            writer.write_some(&gathered)?;
            writer.finish()
        });
        finished.await.map_err(stopped)?
    }

    /// Gives the payload up; returns when its files are removed.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn abort(mut self) -> Result<(), Error> {
        let writer = self.writer.take();
        spawn_blocking(move || drop(writer)).await.map_err(stopped)
    }
}

impl Drop for PayloadWriter {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take().filter(|writer| writer.segments.is_some()) else { return };
        // Removing many files takes a while: not on a thread of the runtime, if there is one.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(writer));
        }
    }
}
