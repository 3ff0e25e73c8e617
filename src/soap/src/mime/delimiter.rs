//! Finding delimiter lines (RFC 2046 section 5.1.1) in a window of the input.
//!
//! A delimiter is a line break, `--`, the boundary, `--` if it is the last one, white space, and a
//! line break. A line that merely begins like that is content: `--abcd` does not end a part whose
//! boundary is `abc`.

use memchr::memmem::Finder;

use crate::{Error, Result};

/// Longest boundary, in bytes. RFC 2046 says 70; the field has longer ones.
const BOUNDARY_BYTES: usize = 200;
/// Most white space behind a boundary, in bytes.
const PADDING_BYTES: usize = 256;

/// How the lines of a package end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    CrLf,
    Lf,
}

/// A delimiter line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delimiter {
    /// Length from the line break before it to the one behind it, in bytes.
    pub(crate) length: usize,
    pub(crate) is_last: bool,
    /// `None` if the input ends right behind it.
    pub(crate) line_end: Option<LineEnd>,
}

/// What a window of the input begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Content, and a delimiter behind it.
    Found { content: usize, delimiter: Delimiter },
    /// That many bytes are certainly content.
    Content(usize),
    /// Undecided; more input is needed.
    Undecided,
}

/// What stands behind the boundary.
enum Tail {
    Delimiter(Delimiter),
    Content,
    Undecided,
}

pub(crate) struct Delimiters {
    finder: Finder<'static>,
}

impl Delimiters {
    /// For a boundary, which is checked.
    pub(crate) fn new(boundary: &str) -> Result<Self> {
        let is_allowed = |byte: u8| (b' '..=b'~').contains(&byte);
        let is_good = (1..=BOUNDARY_BYTES).contains(&boundary.len())
            && boundary.bytes().all(is_allowed)
            && !boundary.ends_with(' ');
        if !is_good {
            return Err(Error::Boundary);
        }
        let needle = format!("\n--{boundary}");
        Ok(Delimiters { finder: Finder::new(needle.as_bytes()).into_owned() })
    }

    /// Looks at a window. `at_line_start` says that a line break stands right before it, `has_ended` that
    /// nothing comes behind it, `line_end` how lines end, if that is known.
    pub(crate) fn look(
        &self,
        window: &[u8],
        at_line_start: bool,
        has_ended: bool,
        line_end: Option<LineEnd>,
    ) -> Result<Look> {
        if at_line_start && let Some(look) = self.look_at_start(window, has_ended, line_end)? {
            return Ok(look);
        }
        let needle = self.finder.needle().len();
        for at in self.finder.find_iter(window) {
            let has_cr = window[..at].ends_with(b"\r");
            let content = at - usize::from(has_cr);
            match tail(&window[at + needle..], has_ended)? {
                Tail::Content => {}
                Tail::Undecided if content > 0 => return Ok(Look::Content(content)),
                Tail::Undecided => return Ok(Look::Undecided),
                Tail::Delimiter(mut delimiter) => {
                    let before = if has_cr { LineEnd::CrLf } else { LineEnd::Lf };
                    check_line_ends([Some(before), delimiter.line_end, line_end])?;
                    delimiter.length += at + needle - content;
                    return Ok(Look::Found { content, delimiter });
                }
            }
        }
        // The last bytes may be the beginning of a delimiter, with the CR before it.
        match window.len().saturating_sub(needle) {
            0 => Ok(Look::Undecided),
            content => Ok(Look::Content(content)),
        }
    }

    /// A delimiter right at the start of the window, whose line break is already consumed.
    fn look_at_start(
        &self,
        window: &[u8],
        has_ended: bool,
        line_end: Option<LineEnd>,
    ) -> Result<Option<Look>> {
        let dashed = &self.finder.needle()[1..];
        if let Some(rest) = window.strip_prefix(dashed) {
            return match tail(rest, has_ended)? {
                Tail::Content => Ok(None),
                Tail::Undecided => Ok(Some(Look::Undecided)),
                Tail::Delimiter(mut delimiter) => {
                    check_line_ends([delimiter.line_end, line_end, None])?;
                    delimiter.length += dashed.len();
                    Ok(Some(Look::Found { content: 0, delimiter }))
                }
            };
        }
        Ok(dashed.starts_with(window).then_some(Look::Undecided))
    }
}

/// Judges what follows a boundary. The length of a delimiter counts from there.
fn tail(rest: &[u8], has_ended: bool) -> Result<Tail> {
    let is_last = rest.starts_with(b"--");
    let dashes = if is_last { 2 } else { 0 };
    if rest == b"-" && !has_ended {
        return Ok(Tail::Undecided);
    }
    let padding = rest[dashes..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if padding > PADDING_BYTES {
        return Err(Error::Syntax { rule: "too much white space behind a boundary" });
    }
    let delimiter = |line_end, length| {
        Ok(Tail::Delimiter(Delimiter { length: dashes + padding + length, is_last, line_end }))
    };
    match &rest[dashes + padding..] {
        [b'\r', b'\n', ..] => delimiter(Some(LineEnd::CrLf), 2),
        [b'\n', ..] => delimiter(Some(LineEnd::Lf), 1),
        [] | [b'\r'] if !has_ended => Ok(Tail::Undecided),
        behind @ ([] | [b'\r']) if is_last => delimiter(None, behind.len()),
        _ => Ok(Tail::Content),
    }
}

/// All that are known must be alike.
fn check_line_ends(line_ends: [Option<LineEnd>; 3]) -> Result<()> {
    let mut known = line_ends.into_iter().flatten();
    let first = known.next();
    match known.all(|other| Some(other) == first) {
        true => Ok(()),
        false => Err(Error::LineEnds),
    }
}
