//! The bytes under the reader: checked UTF-8 in pieces of 64 KiB, line ends normalised.
//!
//! Everything that can be decided without knowing the structure is decided here, a whole piece at
//! a time: encoding (XML 1.0 section 4.3.3), legal characters (2.2), line ends (2.11), total size.
//! A fault is reported when reading reaches it, so that its line is right and all before it counts.

use crate::Error;
use std::cell::Cell;
use std::io::{self, BufRead, Read};

const PIECE: usize = 64 * 1024;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A place in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Byte offset, from 0.
    pub offset: u64,
}

/// Why no more bytes come.
#[derive(Debug)]
enum Fault {
    Io(io::Error),
    Encoding,
    Character,
    Total,
    Token,
}

#[derive(Clone, Copy)]
enum Mark {
    InBuffer(usize),
    Past(Position),
}

pub(crate) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    /// `start..end` is checked and not yet consumed; `end..filled` is not yet checked.
    start: usize,
    end: usize,
    filled: usize,
    /// Offset in the input and line of `buffer[0]`.
    base: Position,
    /// Indices before which a byte of the input was dropped (the CR of a CR LF).
    dropped: Vec<usize>,
    after_cr: bool,
    total: u64,
    total_limit: u64,
    token_left: usize,
    fault: Option<Fault>,
    at_end: bool,
    mark: Mark,
    /// An index and its line: counting goes on from here.
    counted: Cell<(usize, u64)>,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R, total_limit: u64) -> Self {
        let base = Position { line: 1, offset: 0 };
        Source {
            input,
            buffer: vec![0; PIECE],
            start: 0,
            end: 0,
            filled: 0,
            base,
            dropped: Vec::new(),
            after_cr: false,
            total: 0,
            total_limit,
            token_left: 0,
            fault: None,
            at_end: false,
            mark: Mark::Past(base),
            counted: Cell::new((0, 1)),
        }
    }

    /// What is ready, at least one byte; empty only at the end of the document.
    pub(crate) fn ready(&mut self) -> Result<&[u8], Error> {
        self.at_least(1)
    }

    /// What is ready, at least `count` bytes unless the document ends before.
    pub(crate) fn at_least(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.end - self.start < count && !self.at_end {
            if self.fault.is_some() {
                if self.end > self.start {
                    break;
                }
                return Err(self.take_fault());
            }
            self.refill();
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Skips the byte order mark, which may stand at the very beginning only.
    pub(crate) fn skip_bom(&mut self) -> Result<(), Error> {
        if self.at_least(BOM.len())?.starts_with(BOM) {
            self.start += BOM.len();
        }
        Ok(())
    }

    /// Checked bytes from the current place, without reading on.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.start += count;
    }

    /// The next token may have this many bytes.
    pub(crate) fn allow_token(&mut self, bytes: usize) {
        self.token_left = bytes;
    }

    /// Remembers the current place as the place of the event.
    pub(crate) fn set_mark(&mut self) {
        self.mark = Mark::InBuffer(self.start);
    }

    pub(crate) fn position(&self) -> Position {
        match self.mark {
            Mark::InBuffer(index) => self.position_at(index),
            Mark::Past(position) => position,
        }
    }

    /// The line where reading stands now.
    pub(crate) fn line(&self) -> u64 {
        self.line_at(self.start)
    }

    /// The error behind a failed [`BufRead::fill_buf`], if it is one of ours.
    pub(crate) fn take_fault(&mut self) -> Error {
        let line = self.line_at(self.end);
        match self.fault.take() {
            Some(Fault::Io(error)) => Error::Io(error),
            Some(Fault::Encoding) => Error::Encoding { line },
            Some(Fault::Character) => Error::Character { line },
            Some(Fault::Total) => Error::Limit { line, limit: "size of the document" },
            Some(Fault::Token) => Error::Limit { line, limit: "size of a tag or comment" },
            None => Error::Io(io::Error::other("the source failed before")),
        }
    }

    fn refill(&mut self) {
        self.move_to_front();
        let count = match self.input.read(&mut self.buffer[self.filled..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => {
                self.fault = Some(Fault::Io(error));
                return;
            }
        };
        self.total += count as u64;
        if self.total > self.total_limit {
            self.fault = Some(Fault::Total);
            return;
        }
        if count == 0 {
            self.at_end = self.end == self.filled;
            self.fault = (!self.at_end).then_some(Fault::Encoding);
            return;
        }
        self.normalise_line_ends(count);
        self.check();
    }

    fn move_to_front(&mut self) {
        let base = self.position_at(self.start);
        if let Mark::InBuffer(index) = self.mark {
            self.mark = Mark::Past(self.position_at(index));
        }
        self.dropped.retain(|index| *index > self.start);
        self.dropped.iter_mut().for_each(|index| *index -= self.start);
        self.base = base;
        self.counted.set((0, base.line));
        self.buffer.copy_within(self.start..self.filled, 0);
        self.end -= self.start;
        self.filled -= self.start;
        self.start = 0;
    }

    /// Makes one LF of CR LF and of a lone CR in the `count` bytes just read.
    fn normalise_line_ends(&mut self, count: usize) {
        let (from, to) = (self.filled, self.filled + count);
        if !self.after_cr && memchr::memchr(b'\r', &self.buffer[from..to]).is_none() {
            self.filled = to;
            return;
        }
        let mut write = from;
        for read in from..to {
            let byte = self.buffer[read];
            let second_half = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            if second_half {
                self.dropped.push(write);
                continue;
            }
            self.buffer[write] = if byte == b'\r' { b'\n' } else { byte };
            write += 1;
        }
        self.filled = write;
    }

    /// Moves `end` behind everything that is good and says what is not.
    fn check(&mut self) {
        let raw = &self.buffer[self.end..self.filled];
        let mut good = raw.len();
        if let Err(error) = std::str::from_utf8(raw) {
            good = error.valid_up_to();
            self.fault = error.error_len().map(|_| Fault::Encoding);
        }
        if let Some(index) = first_illegal(&raw[..good]) {
            good = index;
            self.fault = Some(Fault::Character);
        }
        self.end += good;
    }

    fn position_at(&self, index: usize) -> Position {
        let dropped = self.dropped.partition_point(|d| *d <= index);
        let offset = self.base.offset + (index + dropped) as u64;
        Position { line: self.line_at(index), offset }
    }

    fn line_at(&self, index: usize) -> u64 {
        let (from, line) = match self.counted.get() {
            (from, line) if from <= index => (from, line),
            _ => (0, self.base.line),
        };
        let newlines = memchr::memchr_iter(b'\n', &self.buffer[from..index]).count();
        let line = line + newlines as u64;
        self.counted.set((index, line));
        line
    }
}

/// Index of the first character of valid UTF-8 that XML does not allow.
fn first_illegal(text: &[u8]) -> Option<usize> {
    let is_control = |byte: u8| byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r';
    // Without a branch per byte, so that it is done many bytes at a time.
    let any_control = text.iter().fold(false, |any, byte| any | is_control(*byte));
    let control = match any_control {
        true => text.iter().position(|byte| is_control(*byte)),
        false => None,
    };
    let is_noncharacter = |index: &usize| matches!(text.get(index + 1..index + 3), Some([0xBF, 0xBE | 0xBF]));
    let noncharacter = memchr::memchr_iter(0xEF, text).find(is_noncharacter);
    control.into_iter().chain(noncharacter).min()
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

/// The face towards quick-xml, which collects one whole token: so it gets no more than one token
/// may have.
impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.token_left == 0 {
            self.fault = Some(Fault::Token);
            return Err(io::Error::other("token too long"));
        }
        while self.start == self.end && !self.at_end {
            if self.fault.is_some() {
                return Err(io::Error::other("bad input"));
            }
            self.refill();
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.token_left = self.token_left.saturating_sub(count);
    }
}
