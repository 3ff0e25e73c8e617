//! Writing a payload in one pass: hashed, sealed, in segments, synced.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::sync::Arc;

use model::{Id, PayloadRef, ids};
use seal::Digest;
use seal::keys::{DataKey, KeyRing, KeyWrap};
use seal::payload::{CHUNK, Digester, SEALED_CHUNK, SEGMENT_CHUNKS, Sealer, seal_inline, segment_offset};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::files::{Files, Part, sync_file, sync_folder};
use super::reader::PayloadReader;
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
    /// The files stay when the writer is dropped: they belong to an upload, which has a row of its own.
    keeps_files: bool,
}

/// What an upload goes on from. Together, the whole chunks before `next_chunk` and `chunk` are what was kept.
pub(crate) struct Kept {
    pub(crate) id: Id,
    pub(crate) key: DataKey,
    /// First chunks of the runs that followed interruptions, see [`seal::payload`].
    pub(crate) runs: Vec<u64>,
    pub(crate) next_chunk: u64,
    /// Bytes that are not sealed into a segment yet; empty only if nothing was kept.
    pub(crate) chunk: Vec<u8>,
    /// The digest of what was kept, if it is still known from the last request.
    pub(crate) digester: Option<Digester>,
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
    /// Parts whose names are durable already.
    named: usize,
    runs: Vec<u64>,
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
            keeps_files: false,
        }
    }

    /// Goes on with an upload: what lies behind the kept chunks is cut off. Reads the kept chunks if their digest is not
    /// known. `read` reads them.
    pub(crate) fn resume(
        files: Files,
        keys: Arc<KeyRing>,
        tenant: &str,
        kept: Kept,
        mut read: PayloadReader,
    ) -> Result<Self, Error> {
        let Kept { id, key, runs, next_chunk, chunk, digester } = kept;
        let known = digester.is_some();
        let mut digester = digester.unwrap_or_default();
        let mut digests = match next_chunk {
            0 | 1 => None,
            _ => Some(files.open_at(id, Part::Digests, if known { next_chunk * 32 } else { 0 })?),
        };
        if !known {
            let mut plain = vec![0; CHUNK];
            for _ in 0..next_chunk {
                read.read_exact(&mut plain)?;
                digester.update(&plain);
                if let Some(file) = &mut digests {
                    write_digests(file, &digester.take_chunks())?;
                }
            }
            digester.update(&chunk);
            if let Some(file) = &mut digests {
                write_digests(file, &digester.take_chunks())?;
            }
        }
        let (segment, offset) = segment_offset(next_chunk);
        let file = match offset {
            0 => None,
            offset => Some(files.open_at(id, Part::Segment(segment), offset)?),
        };
        files.remove_segments_from(id, segment + u64::from(file.is_some()))?;
        if digests.is_none() {
            files.remove(id, Part::Digests)?;
        }
        let run = u32::try_from(runs.len()).map_err(|_| Error::Corrupt { what: "upload" })?;
        let segments = Segments {
            sealer: Sealer::resuming(&key, id, next_chunk, run)?,
            next_chunk,
            file,
            digests,
            runs,
            ..Segments::new(id, key)?
        };
        let tenant = tenant.to_owned();
        let segments = Some(segments);
        Ok(PayloadWriterBlocking { tenant, keys, files, id, digester, chunk, segments, keeps_files: true })
    }

    /// Makes what is sealed durable, files and their names; returns the number of whole chunks.
    pub(crate) fn sync(&mut self) -> Result<u64, Error> {
        let Some(segments) = &mut self.segments else { return Ok(0) };
        if let Some(file) = &segments.file {
            sync_file(file);
        }
        if segments.created.len() > segments.named {
            sync_folder(&self.files.folder_of(self.id));
            segments.named = segments.created.len();
        }
        Ok(segments.next_chunk)
    }

    /// The bytes behind the whole chunks.
    pub(crate) fn rest(&self) -> Vec<u8> {
        self.chunk.clone()
    }

    /// The bytes behind the whole chunks, and the digest of everything so far. Ends the writer.
    pub(crate) fn into_rest(mut self) -> (Vec<u8>, Digester) {
        (std::mem::take(&mut self.chunk), std::mem::take(&mut self.digester))
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
        let runs = std::mem::take(&mut segments.runs);
        let reference = reference(self.id, &digest);
        Ok(StoredPayload { reference, wrapped_key, inline: None, runs, upload: None })
    }

    fn finish_inline(&mut self) -> Result<StoredPayload, Error> {
        let key = DataKey::random()?;
        let sealed = seal_inline(&key, self.id, &self.chunk)?.into();
        let wrapped_key = self.keys.wrap(&self.tenant, self.id, &key)?;
        let (digest, _) = std::mem::take(&mut self.digester).finish();
        let plain = Arc::new(std::mem::take(&mut self.chunk));
        let tenant = std::mem::take(&mut self.tenant);
        let inline = Some(Inline { tenant, sealed, plain });
        let reference = reference(self.id, &digest);
        Ok(StoredPayload { reference, wrapped_key, inline, runs: Vec::new(), upload: None })
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
            none => none.insert(Segments::new(self.id, DataKey::random()?)?),
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
    fn new(id: Id, key: DataKey) -> Result<Self, Error> {
        Ok(Segments {
            sealer: Sealer::new(&key, id)?,
            key,
            next_chunk: 0,
            sealed: Vec::with_capacity(SEALED_CHUNK),
            file: None,
            digests: None,
            created: Vec::new(),
            named: 0,
            runs: Vec::new(),
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
        if self.keeps_files {
            return;
        }
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
        let size = writer.size();
        PayloadWriter { writer: Some(writer), gathered: Vec::new(), size }
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
        self.hand_over_and(|_| Ok(())).await
    }

    /// Hands over what was gathered and does something more with the writer, on a thread that may block.
    pub(crate) async fn hand_over_and<T: Send + 'static>(
        &mut self,
        then: impl FnOnce(&mut PayloadWriterBlocking) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut writer = self.writer.take().ok_or(Error::Closed)?;
        let mut gathered = std::mem::take(&mut self.gathered);
        let written = spawn_blocking(move || {
            writer.write_some(&gathered)?;
            gathered.clear();
            let outcome = then(&mut writer)?;
            Ok::<_, Error>((writer, gathered, outcome))
        });
        let (writer, gathered, outcome) = written.await.map_err(stopped)??;
        self.writer = Some(writer);
        self.gathered = gathered;
        Ok(outcome)
    }

    /// The writer itself; nothing may be gathered any more.
    pub(crate) fn into_blocking(mut self) -> Result<PayloadWriterBlocking, Error> {
        self.writer.take().ok_or(Error::Closed)
    }

    /// Ends the payload and makes its files durable. Now its row may be written.
    ///
    /// # Errors
    /// If a file cannot be written or sealing fails; nothing is left behind then.
    pub async fn finish(mut self) -> Result<StoredPayload, Error> {
        let mut writer = self.writer.take().ok_or(Error::Closed)?;
        let gathered = std::mem::take(&mut self.gathered);
        if self.size <= INLINE as u64 && writer.segments.is_none() {
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
