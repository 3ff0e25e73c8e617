//! Header blocks (RFC 5322 section 2.2, RFC 2045 section 3): bounded, unfolded, and without the
//! liberties by which two readers could see different headers.

use std::io::Read;

use super::delimiter::LineEnd;
use super::source::Source;
use crate::{Error, Result};

/// Most bytes of one header block.
const BLOCK_BYTES: usize = 16 * 1024;
/// Most headers of one block.
const HEADERS: usize = 64;

/// Headers that decide what is read: they must not stand twice.
const CRITICAL: [&str; 4] = ["content-type", "content-transfer-encoding", "content-id", "mime-version"];

/// The headers of a package or part, in their order, folded lines joined.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first header with this name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers: names as the sender wrote them, values without white space around them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads a block with its empty line. The first line decides how lines end, if it is not known yet.
    pub(crate) fn read<R: Read>(source: &mut Source<R>, line_end: &mut Option<LineEnd>) -> Result<Self> {
        let mut headers = Headers::default();
        let mut left = BLOCK_BYTES;
        loop {
            let line = read_line(source, line_end, &mut left)?;
            if line.is_empty() {
                return Ok(headers);
            }
            headers.take_line(&line)?;
        }
    }

    fn take_line(&mut self, line: &str) -> Result<()> {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Error::Syntax { rule: "a control character in a header" });
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) =
                self.0.last_mut().ok_or(Error::Syntax { rule: "a header block begins with white space" })?;
            let more = trim(line);
            if !value.is_empty() && !more.is_empty() {
                value.push(' ');
            }
            value.push_str(more);
            return Ok(());
        }
        let (name, value) =
            line.split_once(':').ok_or(Error::Syntax { rule: "a header line without a colon" })?;
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(Error::Syntax { rule: "a header name with a character that is not allowed" });
        }
        if self.0.len() == HEADERS {
            return Err(Error::Limit { limit: "number of headers" });
        }
        let is_critical = CRITICAL.iter().any(|critical| name.eq_ignore_ascii_case(critical));
        if is_critical && self.get(name).is_some() {
            return Err(Error::Syntax { rule: "a header stands twice" });
        }
        self.0.push((name.to_owned(), trim(value).to_owned()));
        Ok(())
    }
}

/// Skips empty lines, at most `most_bytes` of them.
pub(crate) fn skip_empty_lines<R: Read>(source: &mut Source<R>, most_bytes: usize) -> Result<()> {
    let mut skipped = 0;
    loop {
        match source.buffered() {
            [b'\r' | b'\n', ..] if skipped == most_bytes => {
                return Err(Error::Limit { limit: "empty lines before the package" });
            }
            [b'\r' | b'\n', ..] => {
                source.consume(1);
                skipped += 1;
            }
            [_, ..] => return Ok(()),
            [] if source.has_ended() => return Err(Error::Truncated),
            [] => source.read_more()?,
        }
    }
}

/// The next line without its end. Takes its length off what is `left` for the block.
fn read_line<R: Read>(
    source: &mut Source<R>,
    line_end: &mut Option<LineEnd>,
    left: &mut usize,
) -> Result<String> {
    let mut searched = 0;
    let length = loop {
        let window = source.buffered();
        if let Some(at) = memchr::memchr(b'\n', &window[searched..]) {
            break searched + at;
        }
        searched = window.len();
        if searched > *left {
            return Err(Error::Limit { limit: "size of a header block" });
        }
        if source.has_ended() {
            return Err(Error::Truncated);
        }
        source.read_more()?;
    };
    *left = left.checked_sub(length + 1).ok_or(Error::Limit { limit: "size of a header block" })?;
    let bytes = &source.buffered()[..length];
    let (bytes, this_end) = match bytes.strip_suffix(b"\r") {
        Some(bytes) => (bytes, LineEnd::CrLf),
        None => (bytes, LineEnd::Lf),
    };
    if *line_end.get_or_insert(this_end) != this_end {
        return Err(Error::LineEnds);
    }
    let line =
        std::str::from_utf8(bytes).map_err(|_| Error::Syntax { rule: "a header that is not UTF-8" })?;
    let line = line.to_owned();
    source.consume(length + 1);
    Ok(line)
}

/// RFC 5322 section 3.6.8.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b':'
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
