//! The input with one bounded buffer: every byte of a package passes through here and is counted.

use std::io::{self, Read};

use crate::{Error, Result};

/// Most bytes of the buffer. A header block and the longest delimiter fit in several times.
pub(crate) const BUFFER: usize = 64 * 1024;
/// Its bytes at the beginning: of short messages, which are many, no more room is taken than they need.
const FIRST_BUFFER: usize = 16 * 1024;

pub(crate) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// Bytes that were read, and bytes that the message may still have.
    read: u64,
    allowance: u64,
    ended: bool,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R, most_bytes: u64) -> Self {
        let buffer = vec![0; FIRST_BUFFER];
        Source { input, buffer, from: 0, to: 0, read: 0, allowance: most_bytes, ended: false }
    }

    /// What was read and not yet consumed.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }

    /// Whether everything is in the buffer.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes of the input that were consumed.
    pub(crate) fn consumed(&self) -> u64 {
        self.read - (self.to - self.from) as u64
    }

    /// Takes bytes off the front; never more than are there.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.from = self.to.min(self.from.saturating_add(bytes));
    }

    /// Reads more into the buffer. At the end of the input nothing changes but [`Source::has_ended`].
    pub(crate) fn read_more(&mut self) -> Result<()> {
        if self.from == self.to || self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        if self.to == self.buffer.len() {
            if self.to == BUFFER {
                return Err(Error::Limit { limit: "length of a line" });
            }
            self.buffer.resize(BUFFER, 0);
        }
        let read = self.read_once()?;
        self.ended = read == 0;
        self.to += read;
        self.read += read as u64;
        match self.allowance.checked_sub(read as u64) {
            Some(left) => self.allowance = left,
            None => return Err(Error::Limit { limit: "size of the message" }),
        }
        Ok(())
    }

    fn read_once(&mut self) -> Result<usize> {
        let free = &mut self.buffer[self.to..];
        loop {
            match self.input.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A source that claims more than it was given room for is broken.
                Ok(read) if read > free.len() => return Err(Error::Io(io::ErrorKind::InvalidData.into())),
                other => return Ok(other?),
            }
        }
    }
}
