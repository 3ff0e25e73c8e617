//! ZIP containers of messages (APPNOTE 6.3.10), as xdomea 3.0.0 p. 11 and 4.0.0 p. 10 pack them: flat,
//! one message and its files.
//!
//! Everything that a container declares is checked before a byte of it is inflated. What two ZIP
//! programs could understand differently is refused: bytes before, between or behind the entries,
//! local headers and data descriptors that contradict the central directory, ends that lead to different
//! directories, names that occur twice.

mod descriptor;
mod ending;
mod inspect;
mod names;
mod reader;
mod writer;

use std::io::{self, SeekFrom};

use model::Report;
use model::standard::Source;

pub use names::folded;
pub(crate) use names::shown;
pub use reader::EntryReader;
pub use writer::ContainerWriter;

/// What a container may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: usize,
    /// All names together, in bytes: with the default an entry takes at most 256 bytes of memory on
    /// average.
    pub name_bytes: usize,
    /// All entries together, in bytes when inflated.
    pub total_bytes: u64,
    /// How many times larger an entry or the whole may get by inflating.
    pub ratio: u64,
    /// Entries up to this size, in bytes when inflated, may have any ratio.
    pub ratio_free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            entries: 20_000,
            name_bytes: 4_000_000,
            total_bytes: 4 << 30,
            ratio: 200,
            ratio_free_bytes: 1 << 20,
        }
    }
}

/// The checked directory of a container.
#[derive(Debug)]
pub struct Container {
    /// Sorted by name.
    entries: Vec<Entry>,
}

/// A file in a container.
#[derive(Debug)]
pub struct Entry {
    name: Box<str>,
    data_start: u64,
    compressed: u64,
    size: u64,
    crc: u32,
    deflated: bool,
}

impl Entry {
    /// Name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Size in bytes when inflated, as declared; reading holds the entry to it.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Container {
    /// Checks a container without inflating anything; whatever is wrong goes into `report`. `None` if
    /// it cannot be used.
    ///
    /// # Errors
    /// Only if `source` cannot be read.
    pub fn open(source: &mut dyn Source, limits: &Limits, report: &mut Report) -> io::Result<Option<Self>> {
        let entries = inspect::inspect(source, limits, report)?;
        Ok(entries.map(|entries| Container { entries }))
    }

    /// The entries, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Index of the entry with exactly this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name().cmp(name)).ok()
    }

    /// The bytes of an entry: never more than declared, and an error of kind `InvalidData` if they are
    /// fewer or their checksum is wrong.
    ///
    /// # Errors
    /// If `source` cannot be read.
    pub fn read<'a>(&self, source: &'a mut dyn Source, index: usize) -> io::Result<EntryReader<'a>> {
        let entry = &self.entries[index];
        source.seek(SeekFrom::Start(entry.data_start))?;
        Ok(EntryReader::new(source, entry))
    }
}

/// Whether a file of this name may stand in a container and be unpacked anywhere.
pub fn is_harmless(name: &str) -> bool {
    names::fault(name).is_none()
}

/// Whether the bytes begin like a ZIP file. Leaves `source` at its beginning.
///
/// # Errors
/// If `source` cannot be read.
pub fn is_container(source: &mut dyn Source) -> io::Result<bool> {
    let mut head = [0; 4];
    source.seek(SeekFrom::Start(0))?;
    let mut filled = 0;
    while filled < head.len() {
        match source.read(&mut head[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    source.seek(SeekFrom::Start(0))?;
    Ok(matches!(&head[..filled], b"PK\x03\x04" | b"PK\x05\x06"))
}
