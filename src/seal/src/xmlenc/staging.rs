//! Where decrypted bytes wait: in memory up to a bound, then in a file that has no name and vanishes with its handle.
//! [`Staging`] only takes; what it took can be read when a [`super::Decryptor`] has made a [`Plaintext`] of it.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use tempfile::{SpooledData, SpooledTempFile};

use crate::{Error, Result};

/// Bytes that a reader reads from the file at a time.
const PIECE: usize = 64 * 1024;
/// The same from memory, where a piece only saves calls.
const MEMORY_PIECE: usize = 4 * 1024;

/// Takes decrypted bytes.
pub struct Staging {
    file: SpooledTempFile,
    left: u64,
    length: u64,
}

impl Staging {
    /// Keeps up to `memory` bytes in memory and takes no more than `limit` bytes. The file lies in the system's folder
    /// for temporary files.
    pub fn new(memory: usize, limit: u64) -> Self {
        Staging { file: SpooledTempFile::new(memory), left: limit, length: 0 }
    }

    /// Like [`Staging::new`], with the file in `folder`.
    pub fn new_in(folder: &Path, memory: usize, limit: u64) -> Self {
        Staging { file: SpooledTempFile::new_in(memory, folder), left: limit, length: 0 }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Error::EncryptionTooLarge`] beyond the limit, [`Error::EncryptionStaging`] if the file fails.
    pub fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let count = bytes.len() as u64;
        self.left = self.left.checked_sub(count).ok_or(Error::EncryptionTooLarge)?;
        self.length += count;
        self.file.write_all(bytes).map_err(Error::EncryptionStaging)
    }

    /// What was taken, to be read. A [`super::Decryptor`] does so only if the tag is right.
    pub fn finish(self) -> Plaintext {
        let kept = match self.file.into_inner() {
            SpooledData::InMemory(cursor) => Kept::Memory(cursor.into_inner()),
            SpooledData::OnDisk(file) => Kept::File(file),
        };
        Plaintext { kept: Arc::new(kept), start: 0, length: self.length }
    }
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Error::EncryptionStaging(error)) => Err(error),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypted bytes whose tag (GCM) or padding (CBC) was right.
pub struct Plaintext {
    kept: Arc<Kept>,
    /// Where they begin in what is kept.
    start: u64,
    length: u64,
}

enum Kept {
    Memory(Vec<u8>),
    File(File),
}

impl Plaintext {
    /// Number of bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the bytes are in a file.
    pub fn is_in_file(&self) -> bool {
        matches!(*self.kept, Kept::File(_))
    }

    /// The bytes of a range by themselves, cut to what there is. They are not copied.
    pub fn part(&self, range: Range<u64>) -> Plaintext {
        let (from, to) = self.cut(range);
        Plaintext { kept: Arc::clone(&self.kept), start: self.start + from, length: to - from }
    }

    fn cut(&self, range: Range<u64>) -> (u64, u64) {
        let end = range.end.min(self.length);
        (range.start.min(end), end)
    }

    /// Reads from the beginning; any number of readers may read at the same time.
    pub fn open(&self) -> BufReader<PlaintextReader<'_>> {
        self.open_range(0..self.length)
    }

    /// Reads the bytes of a range, cut to what there is.
    pub fn open_range(&self, range: Range<u64>) -> BufReader<PlaintextReader<'_>> {
        let (from, to) = self.cut(range);
        let most = if self.is_in_file() { PIECE } else { MEMORY_PIECE };
        let piece = usize::try_from(to - from).map_or(most, |length| length.clamp(1, most));
        let (offset, end) = (self.start + from, self.start + to);
        BufReader::with_capacity(piece, PlaintextReader { kept: &self.kept, start: offset, offset, end })
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.length)
    }
}

/// Reads a [`Plaintext`].
pub struct PlaintextReader<'a> {
    kept: &'a Kept,
    start: u64,
    offset: u64,
    end: u64,
}

impl Read for PlaintextReader<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let wanted = target.len().min(left);
        let target = &mut target[..wanted];
        let count = match self.kept {
            Kept::File(file) => file.read_at(target, self.offset)?,
            Kept::Memory(bytes) => {
                let from = usize::try_from(self.offset).unwrap_or(usize::MAX);
                bytes.get(from..).unwrap_or_default().read(target)?
            }
        };
        self.offset += count as u64;
        Ok(count)
    }
}

impl Seek for PlaintextReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(place) => self.start.checked_add(place),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
        };
        let target = target.filter(|&target| target >= self.start);
        // Behind the end there is nothing to read.
        self.offset = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.min(self.end);
        Ok(self.offset - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: impl Read) -> String {
        let mut text = String::new();
        bytes.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_part_of_a_part_is_cut_to_what_there_is_in_memory_and_in_a_file() {
        for memory in [0, 100] {
            let mut staging = Staging::new(memory, 100);
            staging.take(b"0123456789").unwrap();
            let whole = staging.finish();
            assert_eq!(whole.is_in_file(), memory == 0);
            let part = whole.part(2..8);
            drop(whole);
            assert_eq!((part.length(), read(part.open())), (6, "234567".to_owned()));
            assert_eq!(read(part.open_range(1..3)), "34");
            assert_eq!(read(part.open_range(4..99)), "67");
            assert_eq!(read(part.part(3..99).open()), "567");
            assert_eq!(read(part.part(99..100).open()), "");
        }
    }
}
