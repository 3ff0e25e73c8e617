//! The bytes under the reader: checked UTF-8 in pieces, line ends normalised.
//!
//! Everything that can be decided without knowing the structure is decided here, a whole piece at
//! a time: encoding (XML 1.0 section 4.3.3), legal characters (2.2), line ends (2.11), total size.
//! A fault is reported when reading reaches it, so that its line is right and all before it counts.

use crate::Error;
use std::cell::Cell;
use std::io::{self, BufRead, Read};

/// Bytes that are read at once: of short documents, which are many, no more room is taken than they need.
const FIRST_PIECE: usize = 4 * 1024;
/// The same, of long ones.
pub(crate) const PIECE: usize = 64 * 1024;
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
    /// As read; the first `tail` bytes are the beginning of a character whose rest is to come.
    raw: Vec<u8>,
    tail: usize,
    /// Checked; from `start` on not yet consumed.
    text: String,
    start: usize,
    /// Offset in the input and line of the first byte of `text`.
    base: Position,
    /// Indices in `text` before which a byte of the input was dropped (the CR of a CR LF).
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
            raw: vec![0; FIRST_PIECE],
            tail: 0,
            text: String::with_capacity(FIRST_PIECE),
            start: 0,
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
        while self.text.len() - self.start < count && !self.at_end {
            if self.fault.is_some() {
                if self.text.len() > self.start {
                    break;
                }
                return Err(self.take_fault());
            }
            self.refill();
        }
        Ok(self.buffered())
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
        &self.text.as_bytes()[self.start..]
    }

    /// The first `length` of the buffered bytes, which must end where a character ends.
    #[inline]
    pub(crate) fn buffered_text(&self, length: usize) -> &str {
        self.text.get(self.start..self.start + length).unwrap_or_default()
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

    /// Byte offset where reading stands now.
    pub(crate) fn consumed(&self) -> u64 {
        self.position_at(self.start).offset
    }

    /// Bytes of the input so far.
    pub(crate) fn taken(&self) -> u64 {
        self.total
    }

    /// How many bytes the document may have.
    pub(crate) fn set_total_limit(&mut self, bytes: u64) {
        self.total_limit = bytes;
    }

    /// The line where reading stands now.
    pub(crate) fn line(&self) -> u64 {
        self.line_at(self.start)
    }

    /// The error behind a failed [`BufRead::fill_buf`], if it is one of ours.
    pub(crate) fn take_fault(&mut self) -> Error {
        let line = self.line_at(self.text.len());
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
        self.drop_consumed();
        let count = match self.input.read(&mut self.raw[self.tail..]) {
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
            self.at_end = self.tail == 0;
            self.fault = (!self.at_end).then_some(Fault::Encoding);
            return;
        }
        let is_full = self.tail + count == self.raw.len();
        let filled = self.normalise_line_ends(count);
        self.check(filled);
        // Step by step: large buffers cost more than they save until a document is long.
        if is_full && self.raw.len() < PIECE {
            self.raw.resize((self.raw.len() * 4).min(PIECE), 0);
        }
    }

    fn drop_consumed(&mut self) {
        let base = self.position_at(self.start);
        if let Mark::InBuffer(index) = self.mark {
            self.mark = Mark::Past(self.position_at(index));
        }
        self.dropped.retain(|index| *index > self.start);
        self.dropped.iter_mut().for_each(|index| *index -= self.start);
        self.base = base;
        self.counted.set((0, base.line));
        self.text.drain(..self.start);
        self.start = 0;
    }

    /// Makes one LF of CR LF and of a lone CR in the `count` bytes just read. Returns how many
    /// bytes `raw` holds then.
    fn normalise_line_ends(&mut self, count: usize) -> usize {
        let (from, to) = (self.tail, self.tail + count);
        let (mut read, mut write) = (from, from);
        while read < to {
            if std::mem::take(&mut self.after_cr) && self.raw[read] == b'\n' {
                self.dropped.push(self.text.len() + write);
                read += 1;
            }
            let end = memchr::memchr(b'\r', &self.raw[read..to]).map_or(to, |length| read + length);
            if read > write {
                self.raw.copy_within(read..end, write);
            }
            write += end - read;
            read = end;
            if end < to {
                self.raw[write] = b'\n';
                (read, write) = (end + 1, write + 1);
                self.after_cr = true;
            }
        }
        write
    }

    /// Moves everything that is good from `raw` to `text` and says what is not.
    fn check(&mut self, filled: usize) {
        let good = match std::str::from_utf8(&self.raw[..filled]) {
            Ok(text) => text,
            Err(error) => {
                self.fault = error.error_len().map(|_| Fault::Encoding);
                std::str::from_utf8(&self.raw[..error.valid_up_to()]).unwrap_or_default()
            }
        };
        let taken = good.len();
        match first_illegal(good.as_bytes()) {
            None => self.text.push_str(good),
            Some(index) => {
                self.text.push_str(&good[..index]);
                self.fault = Some(Fault::Character);
            }
        }
        self.raw.copy_within(taken..filled, 0);
        self.tail = filled - taken;
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
        let newlines = memchr::memchr_iter(b'\n', &self.text.as_bytes()[from..index]).count();
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
        while self.start == self.text.len() && !self.at_end {
            if self.fault.is_some() {
                return Err(io::Error::other("bad input"));
            }
            self.refill();
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.token_left = self.token_left.saturating_sub(count);
    }
}
