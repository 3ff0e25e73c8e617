//! Reads the records of a `.jsonl` file: limited lines, canonical JSON, one at a time.

use std::{io::BufRead, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

use super::MAX_LINE;
use crate::canonical;

/// What is wrong with a line as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    /// The medium failed or the file is shorter than it says; no line follows.
    Unreadable,
    /// Longer than [`MAX_LINE`], or without line feed at the end of the file; no line follows.
    Unbounded,
    /// Not the canonical JSON of its record.
    Malformed,
}

impl LineFault {
    pub(super) fn code(self) -> &'static str {
        match self {
            LineFault::Unreadable => "evidence.unreadable",
            LineFault::Unbounded | LineFault::Malformed => "evidence.line-invalid",
        }
    }
}

/// The lines of a file, without their line feeds.
pub(super) struct Lines<B> {
    reader: B,
    buffer: Vec<u8>,
    number: u64,
    ended: bool,
}

impl<B: BufRead> Lines<B> {
    pub(super) fn new(reader: B) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, ended: false }
    }

    /// The number of the line read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end, and after a fault that leaves no way on.
    pub(super) fn next(&mut self) -> Option<Result<&[u8], LineFault>> {
        if self.ended {
            return None;
        }
        self.buffer.clear();
        self.number += 1;
        let mut limited = std::io::Read::take(&mut self.reader, MAX_LINE as u64);
        match limited.read_until(b'\n', &mut self.buffer) {
            Ok(0) => {
                self.ended = true;
                self.number -= 1;
                None
            }
            Ok(_) if self.buffer.pop_if(|byte| *byte == b'\n').is_some() => Some(Ok(&self.buffer)),
            Ok(_) => self.end_with(LineFault::Unbounded),
            Err(_) => self.end_with(LineFault::Unreadable),
        }
    }

    fn end_with(&mut self, fault: LineFault) -> Option<Result<&[u8], LineFault>> {
        self.ended = true;
        Some(Err(fault))
    }
}

/// A record and the number of its line.
pub(super) struct Line<T> {
    pub(super) number: u64,
    pub(super) record: Result<T, LineFault>,
}

/// The records of a `.jsonl` file.
pub(super) struct Records<B, T> {
    lines: Lines<B>,
    record: PhantomData<T>,
}

impl<B: BufRead, T: Serialize + DeserializeOwned> Records<B, T> {
    pub(super) fn new(reader: B) -> Self {
        Self { lines: Lines::new(reader), record: PhantomData }
    }

    pub(super) fn next(&mut self) -> Option<Line<T>> {
        let record = self.lines.next()?.and_then(parse);
        Some(Line { number: self.lines.number(), record })
    }
}

/// Reads a record; refuses every spelling but the canonical one, so that no byte of a line is without meaning.
pub(super) fn parse<T: Serialize + DeserializeOwned>(line: &[u8]) -> Result<T, LineFault> {
    let record: T = serde_json::from_slice(line).map_err(|_| LineFault::Malformed)?;
    let canonical = canonical::serialize(&record).map_err(|_| LineFault::Malformed)?;
    if canonical == line { Ok(record) } else { Err(LineFault::Malformed) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Value, LineFault>> {
        let mut records = Records::<_, Value>::new(bytes);
        std::iter::from_fn(|| records.next()).map(|line| line.record).collect()
    }

    #[test]
    fn only_canonical_lines_are_records() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"1\n{\"a\":2}\n"), [Ok(1.into()), Ok(serde_json::json!({ "a": 2 }))]);
        for line in
            ["", " 1", "1 ", "1.0", "01", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":1}", "\"\\u0061\"", "\"\\/\""]
        {
            assert_eq!(
                read(format!("{line}\n3\n").as_bytes()),
                [Err(LineFault::Malformed), Ok(3.into())],
                "{line}"
            );
        }
    }

    #[test]
    fn a_line_needs_its_end_within_the_limit() {
        assert_eq!(read(b"1\n2"), [Ok(1.into()), Err(LineFault::Unbounded)]);
        let mut long = vec![b'7'; MAX_LINE];
        long.push(b'\n');
        assert_eq!(read(&long), [Err(LineFault::Unbounded)]);
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000], vec![b'\n']].concat();
        assert_eq!(read(&deep), [Err(LineFault::Malformed)]);
    }
}
