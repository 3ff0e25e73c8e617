//! Where the records of a message wait between reading it and writing it again: in a temporary file, with an index of some
//! 70 bytes a record and 100 a file in memory. The bytes of documents stay in the container that they come from.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use model::standard::{Intake, Object, Records};
use model::{Failure, Id, PayloadRef, Record, RecordKind, ids};
use seal::payload::Digester;
use serde_json::Value;
use xoev::container::Container;

/// Bytes hashed at once.
const BUFFER: usize = 64 * 1024;

/// A piece of the temporary file.
#[derive(Clone, Copy)]
struct Piece {
    offset: u64,
    bytes: u64,
}

/// Where the bytes of a file are.
#[derive(Clone, Copy)]
enum Place {
    /// The entry of the container with this index.
    Entry(usize),
    /// In the temporary file.
    Spooled(Piece),
}

/// A record of the message.
struct Entry {
    id: Id,
    /// The record it lies in. Anybody may call one by the nil UUID.
    parent: Option<Id>,
    kind: RecordKind,
    position: Option<u32>,
    piece: Piece,
}

/// Takes a message in.
pub(super) struct Spool {
    file: BufWriter<File>,
    end: u64,
    entries: Vec<Entry>,
    places: HashMap<Id, Place>,
    container: Option<Container>,
    /// What the message says beside its records.
    beside: Value,
}

impl Spool {
    /// An empty one in a temporary file; `container` is that of the message, if it has one.
    pub(super) fn new(file: File, container: Option<Container>) -> Self {
        Spool {
            file: BufWriter::with_capacity(BUFFER, file),
            end: 0,
            entries: Vec::new(),
            places: HashMap::new(),
            container,
            beside: Value::Null,
        }
    }

    /// What the message says beside its records.
    pub(super) fn beside(&self) -> &Value {
        &self.beside
    }

    /// The records, to be written again; `source` is the message that they were read of.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub(super) fn into_records(self, source: File) -> io::Result<Spooled> {
        let Spool { file, mut entries, places, container, beside, .. } = self;
        let roots = entries.iter().filter(|entry| entry.parent.is_none()).map(|entry| entry.id).collect();
        // The order is a stable one: siblings without a position stay as they came.
        entries.sort_by_key(|entry| (entry.parent, entry.kind, entry.position));
        let by_id = entries.iter().enumerate().map(|(index, entry)| (entry.id, index)).collect();
        let file = file.into_inner()?;
        Ok(Spooled { file, source, roots, entries, by_id, places, container, beside })
    }

    /// Keeps bytes; returns where they are.
    fn keep(&mut self, bytes: &[u8]) -> io::Result<Piece> {
        self.file.write_all(bytes)?;
        let piece = Piece { offset: self.end, bytes: bytes.len() as u64 };
        self.end += piece.bytes;
        Ok(piece)
    }

    /// The entry of the container whose content comes now: each comes once, before what is no entry may have the same name.
    fn entry(&self, id: Id, name: &str) -> Option<usize> {
        let index = self.container.as_ref()?.find(name)?;
        (!self.places.contains_key(&id)).then_some(index)
    }
}

impl Intake for Spool {
    fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<PayloadRef, Failure> {
        // The same message makes the same names of files.
        let first = ids::derived_id(Id::nil(), name);
        let entry = self.entry(first, name);
        let id = if entry.is_some() { first } else { ids::derived_id(first, "beside") };
        let (mut digester, mut buffer, offset) = (Digester::new(), vec![0; BUFFER], self.end);
        loop {
            let count = content.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            digester.update(&buffer[..count]);
            digester.take_chunks();
            if entry.is_none() {
                self.keep(&buffer[..count]).map_err(failed)?;
            }
        }
        let place = match entry {
            Some(index) => Place::Entry(index),
            None => Place::Spooled(Piece { offset, bytes: self.end - offset }),
        };
        self.places.insert(id, place);
        let (digest, _) = digester.finish();
        let (sha256, chunk_root) = (digest.sha256.to_string(), digest.chunk_root.to_string());
        Ok(PayloadRef { id, size: digest.size, sha256, chunk_root })
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        let Object { object_id, ancestors, mut record } = object;
        record.meta_mut().id = object_id;
        let (kind, position) = (record.kind(), record.description().and_then(|it| it.position));
        let piece = self.keep(record.to_json().to_string().as_bytes()).map_err(failed)?;
        let parent = ancestors.last().map(|(_, parent)| *parent);
        self.entries.push(Entry { id: object_id, parent, kind, position, piece });
        Ok(())
    }

    fn message(&mut self, extension: Value) -> Result<(), Failure> {
        self.beside = extension;
        Ok(())
    }
}

/// A message that was taken in.
pub(super) struct Spooled {
    file: File,
    source: File,
    roots: Vec<Id>,
    /// Sorted by parent, kind and position.
    entries: Vec<Entry>,
    by_id: HashMap<Id, usize>,
    places: HashMap<Id, Place>,
    container: Option<Container>,
    beside: Value,
}

impl Spooled {
    fn piece(&mut self, piece: Piece) -> io::Result<io::Take<&mut File>> {
        self.file.seek(SeekFrom::Start(piece.offset))?;
        Ok((&mut self.file).take(piece.bytes))
    }
}

impl Records for Spooled {
    fn roots(&mut self) -> Vec<Id> {
        self.roots.clone()
    }

    fn record(&mut self, id: Id) -> Result<Record, Failure> {
        let entry = self.by_id.get(&id).and_then(|index| self.entries.get(*index)).ok_or_else(missing)?;
        let (kind, piece) = (entry.kind, entry.piece);
        let mut json = Vec::new();
        self.piece(piece).and_then(|mut piece| piece.read_to_end(&mut json)).map_err(failed)?;
        let value = serde_json::from_slice(&json).map_err(|_| missing())?;
        Record::from_json(kind, value).map_err(|_| missing())
    }

    fn children(&mut self, id: Id) -> Result<Vec<(RecordKind, Id)>, Failure> {
        let first = self.entries.partition_point(|entry| entry.parent < Some(id));
        let children = self.entries.iter().skip(first).take_while(|entry| entry.parent == Some(id));
        Ok(children.map(|entry| (entry.kind, entry.id)).collect())
    }

    fn open(&mut self, payload: &PayloadRef) -> Result<Box<dyn Read + '_>, Failure> {
        let place = self.places.get(&payload.id).copied().ok_or_else(missing)?;
        match (place, &self.container) {
            (Place::Spooled(piece), _) => Ok(Box::new(self.piece(piece).map_err(failed)?)),
            (Place::Entry(index), Some(container)) => {
                Ok(Box::new(container.read(&mut self.source, index).map_err(failed)?))
            }
            (Place::Entry(_), None) => Err(missing()),
        }
    }

    fn message(&mut self) -> Result<Option<Value>, Failure> {
        Ok(Some(self.beside.clone()))
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::permanent("cli.system", error.to_string())
}

/// What was kept is not there any more: somebody changed the files meanwhile.
fn missing() -> Failure {
    Failure::permanent("cli.system", "what was read cannot be read again")
}
