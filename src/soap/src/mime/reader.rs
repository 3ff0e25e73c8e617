//! The package reader: parts one after the other, each a stream (RFC 2046 section 5.1).

use std::collections::HashSet;
use std::io::Read;

use super::delimiter::{Delimiter, Delimiters, LineEnd, Look};
use super::header::{Headers, skip_empty_lines};
use super::media_type::MediaType;
use super::part::{Head, Part, content_id};
use super::source::Source;
use crate::{Error, Result};

/// Most bytes before the first boundary, and behind the last one.
const AROUND_BYTES: usize = 64 * 1024;

/// How large a package may be. More is refused with [`Error::Limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Parts of the package.
    pub parts: usize,
    /// Bytes of the package as it comes in, framing included.
    pub total_bytes: u64,
}

impl Default for Limits {
    /// 10,000 attachments beside the message itself, and 4 GiB.
    fn default() -> Self {
        Limits { parts: 10_001, total_bytes: 4 << 30 }
    }
}

/// What the next bytes of the input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What stands before the first boundary.
    Preamble,
    /// The headers of the next part.
    Headers,
    /// The content of a part.
    Content,
    /// What stands behind the last boundary.
    Epilogue,
    /// Nothing: the input has ended well.
    End,
    /// An error was reported, and is the last word.
    Failed,
}

/// A streaming reader of multipart/related. Memory: one buffer of 64 KiB, for a base64 part 28 KiB
/// more, and 16 bytes for each Content-ID.
pub struct Multipart<R: Read> {
    source: Source<R>,
    media_type: MediaType,
    delimiters: Delimiters,
    line_end: Option<LineEnd>,
    place: Place,
    /// A line break stands right before the next byte.
    at_line_start: bool,
    /// Bytes of the buffer that are certainly content.
    content: usize,
    /// The delimiter that follows them, if it is known.
    next: Option<Delimiter>,
    parts: usize,
    limits: Limits,
    ids: HashSet<[u8; 16]>,
    /// Bytes behind the last boundary, as far as they were skipped.
    epilogue: usize,
}

impl<R: Read> Multipart<R> {
    /// A package that begins with its own MIME headers, as OSCI-Transport has it.
    pub fn with_inner_headers(input: R, limits: Limits) -> Result<Self> {
        let mut source = Source::new(input, limits.total_bytes);
        let mut line_end = None;
        skip_empty_lines(&mut source, AROUND_BYTES)?;
        let headers = Headers::read(&mut source, &mut line_end)?;
        let content_type = headers.get("Content-Type").ok_or(Error::NotMultipart)?;
        Self::begin(source, content_type, line_end, limits)
    }

    /// A package whose Content-Type comes from outside, as with HTTP.
    pub fn with_content_type(input: R, content_type: &str, limits: Limits) -> Result<Self> {
        Self::begin(Source::new(input, limits.total_bytes), content_type, None, limits)
    }

    fn begin(
        source: Source<R>,
        content_type: &str,
        line_end: Option<LineEnd>,
        limits: Limits,
    ) -> Result<Self> {
        let media_type = MediaType::parse(content_type)?;
        if media_type.essence() != "multipart/related" {
            return Err(Error::NotMultipart);
        }
        let boundary = media_type.parameter("boundary").ok_or(Error::Boundary)?;
        let delimiters = Delimiters::new(boundary)?;
        Ok(Multipart {
            source,
            media_type,
            delimiters,
            line_end,
            place: Place::Preamble,
            at_line_start: true,
            content: 0,
            next: None,
            parts: 0,
            limits,
            ids: HashSet::new(),
            epilogue: 0,
        })
    }

    /// The media type of the package: parameters `type`, `start`, `start-info`.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Content-ID of the root part as `start` names it, without angle brackets. `None`: it is the first part.
    pub fn root_id(&self) -> Result<Option<String>> {
        self.media_type.parameter("start").map(content_id).transpose()
    }

    /// The next part; what was not read of the last one is skipped. `None` comes only when the input
    /// has ended and every byte of it was read, so a decrypting source has checked its tag by then.
    pub fn next_part(&mut self) -> Result<Option<Part<'_, R>>> {
        match self.advance() {
            Ok(Some(head)) => Ok(Some(Part::new(head, self))),
            Ok(None) => Ok(None),
            Err(error) => {
                self.fail();
                Err(error)
            }
        }
    }

    /// Bytes behind the last boundary and its line end; known when [`Multipart::next_part`] has returned `None`.
    pub fn epilogue(&self) -> usize {
        self.epilogue
    }

    /// Lets every further call fail.
    pub(super) fn fail(&mut self) {
        self.place = Place::Failed;
    }

    fn advance(&mut self) -> Result<Option<Head>> {
        if self.place == Place::Preamble {
            self.skip_content(AROUND_BYTES as u64, "size of what stands before the first boundary")?;
            if self.place == Place::Epilogue {
                return Err(Error::Syntax { rule: "a package without parts" });
            }
        }
        if self.place == Place::Content {
            self.skip_content(u64::MAX, "size of a part")?;
        }
        match self.place {
            Place::Headers => self.read_head().map(Some),
            Place::Epilogue => self.skip_epilogue().map(|()| None),
            Place::End => Ok(None),
            Place::Preamble | Place::Content | Place::Failed => Err(GONE_ON),
        }
    }

    fn read_head(&mut self) -> Result<Head> {
        if self.parts >= self.limits.parts {
            return Err(Error::Limit { limit: "number of parts" });
        }
        self.parts += 1;
        let head = Head::new(Headers::read(&mut self.source, &mut self.line_end)?)?;
        if let Some(id) = &head.content_id
            && !self.ids.insert(fingerprint(id))
        {
            return Err(Error::DuplicateId);
        }
        self.place = Place::Content;
        self.at_line_start = true;
        Ok(head)
    }

    fn skip_content(&mut self, most_bytes: u64, limit: &'static str) -> Result<()> {
        let mut skipped = 0;
        loop {
            let bytes = self.content()?.len();
            if bytes == 0 {
                return Ok(());
            }
            skipped += bytes as u64;
            if skipped > most_bytes {
                return Err(Error::Limit { limit });
            }
            self.consume(bytes);
        }
    }

    fn skip_epilogue(&mut self) -> Result<()> {
        while !self.source.has_ended() {
            let bytes = self.source.buffered().len();
            self.source.consume(bytes);
            self.epilogue += bytes;
            if self.epilogue > AROUND_BYTES {
                return Err(Error::Limit { limit: "size of what stands behind the last boundary" });
            }
            self.source.read_more()?;
        }
        self.place = Place::End;
        Ok(())
    }

    /// Transfer-encoded content of the current part that is in the buffer; empty at the part's end.
    pub(super) fn content(&mut self) -> Result<&[u8]> {
        if let Err(error) = self.find_content() {
            self.fail();
            return Err(error);
        }
        Ok(&self.source.buffered()[..self.content])
    }

    /// Bytes of the input that were consumed.
    pub(super) fn consumed(&self) -> u64 {
        self.source.consumed()
    }

    /// Takes content off the front.
    pub(super) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.content);
        self.source.consume(bytes);
        self.content -= bytes;
    }

    fn find_content(&mut self) -> Result<()> {
        if self.place == Place::Failed {
            return Err(GONE_ON);
        }
        while self.content == 0 && matches!(self.place, Place::Preamble | Place::Content) {
            if let Some(delimiter) = self.next.take() {
                self.pass(delimiter);
                continue;
            }
            let window = self.source.buffered();
            let has_ended = self.source.has_ended();
            match self.delimiters.look(window, self.at_line_start, has_ended, self.line_end)? {
                Look::Found { content, delimiter } => {
                    self.content = content;
                    self.next = Some(delimiter);
                    self.at_line_start = false;
                }
                Look::Content(content) => {
                    self.content = content;
                    self.at_line_start = false;
                }
                Look::Undecided if has_ended => return Err(Error::Truncated),
                Look::Undecided => self.source.read_more()?,
            }
        }
        Ok(())
    }

    /// Goes past a delimiter.
    fn pass(&mut self, delimiter: Delimiter) {
        self.source.consume(delimiter.length);
        self.line_end = self.line_end.or(delimiter.line_end);
        self.place = if delimiter.is_last { Place::Epilogue } else { Place::Headers };
    }
}

const GONE_ON: Error = Error::Syntax { rule: "reading went on after an error" };

/// Stands for a Content-ID in memory: a sender cannot choose two that collide.
fn fingerprint(id: &str) -> [u8; 16] {
    let digest = seal::sha256(&[id.as_bytes()]);
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest.0[..16]);
    fingerprint
}
