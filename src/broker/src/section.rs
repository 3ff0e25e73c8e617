//! Some bytes of a payload as a source of their own, such as one file of a container that keeps files as they are.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use store::{Payload, PayloadReader};

/// Bytes of a payload from one place on, up to a length. Holds one chunk.
pub struct Section {
    whole: PayloadReader,
    start: u64,
    length: u64,
    at: u64,
}

impl Section {
    /// `length` bytes of a payload from `start` on; for threads that may block.
    pub fn of(payload: &Payload, start: u64, length: u64) -> Self {
        Section { whole: payload.blocking(), start, length, at: 0 }
    }
}

impl Read for Section {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let Some(into) = into.get_mut(..most).filter(|into| !into.is_empty()) else { return Ok(0) };
        self.whole.seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
        let count = self.whole.read(into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
