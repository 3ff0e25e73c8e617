//! Reading a payload: whole chunks are opened, and nothing is given out whose tag was not verified.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use model::PayloadRef;
use seal::keys::DataKey;
use seal::payload::{CHUNK, Opener, SEALED_CHUNK, TAG, chunk_at, chunk_count, sealed_offset, segment_offset};
use tokio::task::spawn_blocking;

use super::files::{Files, Part};
use super::stopped;
use super::writer::io_error;
use crate::Error;

/// A payload that can be read, at any place and by several readers at once.
pub struct Payload {
    reference: PayloadRef,
    place: Arc<Place>,
}

/// Where the bytes lie, and what opens them.
pub(crate) enum Place {
    /// Sealed in the payload's row.
    Row(DataKey, Vec<u8>),
    /// Sealed in files, in runs that begin with these chunks, see [`seal::payload`].
    Files(DataKey, Vec<u64>, Files),
    /// Not sealed: a small payload whose row is not written yet.
    Memory(Arc<Vec<u8>>),
}

impl Payload {
    pub(crate) fn new(reference: PayloadRef, place: Place) -> Self {
        Payload { reference, place: Arc::new(place) }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.reference.size
    }

    /// Names the payload and what proves it.
    pub fn reference(&self) -> PayloadRef {
        self.reference.clone()
    }

    /// Up to `len` bytes from `offset` on; less only at the end. The whole answer is held in memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the stored bytes are not those that were written.
    pub async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let end = offset.saturating_add(len as u64).min(self.size());
        let mut reader = self.blocking();
        let read = spawn_blocking(move || {
            reader.at = offset;
            let mut bytes = vec![0; usize::try_from(end.saturating_sub(offset)).unwrap_or(0)];
            let mut filled = 0;
            while filled < bytes.len() {
                filled += reader.read_some(&mut bytes[filled..])?;
            }
            Ok(Bytes::from(bytes))
        });
        read.await.map_err(stopped)?
    }

    /// The bytes of a range, cut at the payload's end, a chunk at a time.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let mut reader = self.blocking();
        reader.at = range.start;
        let end = range.end.min(self.size());
        futures::stream::try_unfold(reader, move |mut reader| async move {
            if reader.at >= end {
                return Ok(None);
            }
            let step = spawn_blocking(move || {
                let piece = reader.piece(end)?;
                Ok::<_, Error>((piece, reader))
            });
            step.await.map_err(stopped).flatten().map(Some).map_err(io_error)
        })
    }

    /// A reader for threads that may block. Holds one chunk.
    pub fn blocking(&self) -> PayloadReader {
        PayloadReader {
            id_size: (self.reference.id, self.reference.size),
            place: Arc::clone(&self.place),
            at: 0,
            cached: None,
            plain: Vec::new(),
            file: None,
        }
    }
}

/// Reads a payload from any place on; for threads that may block.
pub struct PayloadReader {
    id_size: (model::Id, u64),
    place: Arc<Place>,
    /// Position in plaintext bytes.
    at: u64,
    /// Index of the chunk in `plain`.
    cached: Option<u64>,
    plain: Vec<u8>,
    /// The segment that was read last.
    file: Option<(u64, File)>,
}

impl PayloadReader {
    /// Copies bytes from the present position on; 0 only at the end or into an empty buffer.
    fn read_some(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        if self.at >= self.id_size.1 || into.is_empty() {
            return Ok(0);
        }
        let rest = self.rest_of_chunk()?;
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }

    /// The bytes from the present position to the end of its chunk or to `end`, whichever comes first.
    fn piece(&mut self, end: u64) -> Result<Bytes, Error> {
        let most = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        let rest = self.rest_of_chunk()?;
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(most)]);
        self.at += piece.len() as u64;
        Ok(piece)
    }

    fn rest_of_chunk(&mut self) -> Result<&[u8], Error> {
        let index = chunk_at(self.at);
        if self.cached != Some(index) {
            self.open_chunk(index)?;
        }
        Ok(&self.plain[(self.at % CHUNK as u64) as usize..])
    }

    fn open_chunk(&mut self, index: u64) -> Result<(), Error> {
        let (id, size) = self.id_size;
        self.cached = None;
        self.plain.clear();
        let last = index + 1 == chunk_count(size);
        let length = if last { (size - index * CHUNK as u64) as usize + TAG } else { SEALED_CHUNK };
        let place = Arc::clone(&self.place);
        let (mut opener, sealed) = match &*place {
            Place::Memory(plain) => {
                self.plain.extend_from_slice(plain);
                self.cached = Some(index);
                return Ok(());
            }
            Place::Row(key, row) => {
                let start = sealed_offset(index) as usize;
                let chunk = row.get(start..start + length).ok_or(Error::Corrupt { what: "payload" })?;
                (Opener::new(key, id)?, chunk.to_vec())
            }
            Place::Files(key, runs, files) => {
                (Opener::with_runs(key, id, runs)?, self.chunk_of_file(files, index, length)?)
            }
        };
        let opened = opener.open_chunk(index, last, &sealed, &mut self.plain);
        opened.map_err(|error| match error {
            seal::Error::NotAuthentic => Error::Corrupt { what: "payload" },
            error => error.into(),
        })?;
        self.cached = Some(index);
        Ok(())
    }

    fn chunk_of_file(&mut self, files: &Files, index: u64, length: usize) -> Result<Vec<u8>, Error> {
        let missing = |error: io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::UnexpectedEof => Error::Corrupt { what: "payload" },
            _ => Error::Io(error),
        };
        let (segment, offset) = segment_offset(index);
        let file = match self.file.take() {
            Some((number, file)) if number == segment => file,
            _ => File::open(files.path(self.id_size.0, Part::Segment(segment))).map_err(missing)?,
        };
        let mut sealed = vec![0; length];
        let read = file.read_exact_at(&mut sealed, offset).map_err(missing);
        self.file = Some((segment, file));
        read.map(|()| sealed)
    }
}

impl Read for PayloadReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_some(into).map_err(io_error)
    }
}

impl Seek for PayloadReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.id_size.1.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
