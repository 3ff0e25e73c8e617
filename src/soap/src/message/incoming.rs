//! A message that came over HTTP: what its media types say, its envelope, and the parts behind it.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use xml::{Event, Reader};

use super::header::{Header, is_white};
use super::{SOAP_11_XML, SOAP_XML, XOP_XML};
use crate::addressing::Problem;
use crate::mime::{self, MediaType, Multipart, Part};
use crate::{Error, Result};

/// Read ahead of the XML reader, which has a buffer of its own, in bytes.
const AHEAD: usize = 4 * 1024;

/// How large a message may be. More is refused with [`Error::Limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the header.
    pub header_bytes: usize,
    /// Bytes of the root part of a package, which is held in memory.
    pub root_bytes: u64,
    /// Bytes of a bare envelope.
    pub envelope_bytes: u64,
    /// Bytes of a package, framing included.
    pub package_bytes: u64,
    /// Parts of a package beside the root.
    pub parts: usize,
}

impl Default for Limits {
    /// 256 KiB, 4 MiB, 6 GiB, which hold 4 GiB as base64, 4 GiB, and 10,000 parts.
    fn default() -> Self {
        Limits {
            header_bytes: 256 * 1024,
            root_bytes: 4 << 20,
            envelope_bytes: 6 << 30,
            package_bytes: 4 << 30,
            parts: 10_000,
        }
    }
}

/// A message that is being read: [`header`](Incoming::header), the body, [`end`](Incoming::end), the parts.
pub struct Incoming<R: Read> {
    reader: Reader<Input<R>>,
    package: Option<Multipart<R>>,
    action: Option<String>,
    header_bytes: usize,
}

/// Where an envelope is read from.
pub struct Input<R>(Source<R>);

enum Source<R> {
    Bare(BufReader<R>),
    Root(Cursor<Vec<u8>>),
}

/// What came over HTTP: a bare envelope (`application/soap+xml`), or a package (`multipart/related` with the type
/// `application/xop+xml`) whose first part is one. `content_type` is the value of HTTP's header.
///
/// # Errors
/// [`Error::VersionMismatch`] for SOAP 1.1; what is wrong with media types and root part.
pub fn open<R: Read>(content_type: &str, body: R, limits: Limits) -> Result<Incoming<R>> {
    let media_type = MediaType::parse(content_type)?;
    match media_type.essence() {
        SOAP_XML => {
            check_charset(&media_type)?;
            let action = action(&media_type).map(str::to_owned);
            let input = Input(Source::Bare(BufReader::with_capacity(AHEAD, body)));
            Ok(Incoming::new(input, limits.envelope_bytes, None, action, limits))
        }
        "multipart/related" => open_package(content_type, &media_type, body, limits),
        SOAP_11_XML => Err(Error::VersionMismatch),
        _ => Err(NOT_SOAP),
    }
}

const NOT_SOAP: Error = Error::Message { rule: "the media type is none of SOAP 1.2" };

fn open_package<R: Read>(
    content_type: &str,
    media_type: &MediaType,
    body: R,
    limits: Limits,
) -> Result<Incoming<R>> {
    if !media_type.parameter("type").is_some_and(|root| root.eq_ignore_ascii_case(XOP_XML)) {
        return Err(NOT_SOAP);
    }
    let mut actions = Actions(action(media_type).map(str::to_owned));
    actions.take(media_type.parameter("start-info"))?;
    let mime_limits = mime::Limits { parts: limits.parts + 1, total_bytes: limits.package_bytes };
    let mut package = Multipart::with_content_type(body, content_type, mime_limits)?;
    let start = package.root_id()?;
    let part = package.next_part()?.ok_or(Error::Truncated)?;
    if start.is_some() && start.as_deref() != part.content_id() {
        return Err(Error::Message { rule: "the first part of the package is not its root" });
    }
    let root_type = part.media_type().filter(|root| root.essence() == XOP_XML).ok_or(NOT_SOAP)?;
    check_charset(root_type)?;
    actions.take(root_type.parameter("type"))?;
    let mut root = Vec::new();
    part.take(limits.root_bytes.saturating_add(1)).read_to_end(&mut root)?;
    if root.len() as u64 > limits.root_bytes {
        return Err(Error::Limit { limit: "size of the root part" });
    }
    let input = Input(Source::Root(Cursor::new(root)));
    Ok(Incoming::new(input, limits.root_bytes, Some(package), actions.0, limits))
}

fn check_charset(media_type: &MediaType) -> Result<()> {
    match media_type.parameter("charset") {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") => {
            Err(Error::Message { rule: "the character set of the envelope is not UTF-8" })
        }
        _ => Ok(()),
    }
}

fn action(media_type: &MediaType) -> Option<&str> {
    media_type.parameter("action").filter(|action| !action.is_empty())
}

/// The action of a package, which may be said in three places.
struct Actions(Option<String>);

impl Actions {
    /// Takes what a media type within a parameter says. Some write no media type there; then it says nothing.
    fn take(&mut self, inner: Option<&str>) -> Result<()> {
        let Some(inner) = inner.and_then(|inner| MediaType::parse(inner).ok()) else { return Ok(()) };
        if inner.essence() == SOAP_11_XML {
            return Err(Error::VersionMismatch);
        }
        match (action(&inner), &self.0) {
            (Some(found), Some(known)) if found != known => Err(MISMATCH),
            (Some(found), _) => {
                self.0 = Some(found.to_owned());
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}

const MISMATCH: Error = Error::Addressing { problem: Problem::ActionMismatch, header: "Action" };

impl<R: Read> Incoming<R> {
    fn new(
        input: Input<R>,
        most_bytes: u64,
        package: Option<Multipart<R>>,
        action: Option<String>,
        limits: Limits,
    ) -> Self {
        let xml_limits = xml::Limits { total_bytes: most_bytes, ..xml::Limits::default() };
        let reader = Reader::new(input, xml_limits);
        Incoming { reader, package, action, header_bytes: limits.header_bytes }
    }

    /// The action that the media types name.
    pub fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// Whether it is a package.
    pub fn is_package(&self) -> bool {
        self.package.is_some()
    }

    /// Reads the header; call it once. Afterwards the reader stands behind the start of the body.
    ///
    /// # Errors
    /// [`Error::VersionMismatch`] for SOAP 1.1, [`Error::Addressing`] for a header of WS-Addressing that stands twice.
    pub fn header(&mut self) -> Result<Header> {
        self.header_with(|_| Ok(false))
    }

    /// The same; blocks that are no addressing are shown to `take`, which may read them where they stand. It is given the reader behind
    /// the start of a block and says whether it has taken it; what it leaves of it is skipped.
    ///
    /// # Errors
    /// Those of [`header`](Incoming::header); what `take` says.
    pub fn header_with(
        &mut self,
        mut take: impl FnMut(&mut Reader<Input<R>>) -> Result<bool>,
    ) -> Result<Header> {
        let header = Header::read(&mut self.reader, self.header_bytes, &mut take);
        header.map_err(|error| match error {
            Error::Xml(xml::Error::Limit { .. }) => Error::Limit { limit: "size of the header" },
            error => error,
        })
    }

    /// Which operation is meant: the action of the media types, else that of WS-Addressing.
    ///
    /// # Errors
    /// [`Error::Addressing`] if both are there and differ, or none is there.
    pub fn operation<'a>(&'a self, header: &'a Header) -> Result<&'a str> {
        match (self.action(), header.addressing.action.as_deref()) {
            (Some(outside), Some(inside)) if outside != inside => Err(MISMATCH),
            (Some(action), _) | (None, Some(action)) => Ok(action),
            (None, None) => Err(Error::Addressing { problem: Problem::Required, header: "Action" }),
        }
    }

    /// The reader of the envelope. Behind the header comes white space, then the start of the body's child or, if the
    /// body is empty, its end.
    pub fn body(&mut self) -> &mut Reader<Input<R>> {
        &mut self.reader
    }

    /// Goes to the start of the body's child, which [`xml::Reader::current`] is then. `false`: the body is empty, and has ended.
    pub fn child(&mut self) -> Result<bool> {
        loop {
            match self.reader.next()? {
                Event::Start(_) => return Ok(true),
                Event::End | Event::Eof => return Ok(false),
                Event::Text(text) if is_white(text) => {}
                Event::Text(_) => return Err(Error::Message { rule: "text in the body" }),
            }
        }
    }

    /// Reads the envelope to its end, behind the body's child or the body. A second child, a second body and anything
    /// else but white space are refused.
    pub fn end(&mut self) -> Result<()> {
        const WITHIN_BODY: usize = 2;
        if self.reader.depth() > WITHIN_BODY {
            return Err(Error::Message { rule: "the body was not read to its end" });
        }
        loop {
            match self.reader.next()? {
                Event::End => {}
                Event::Eof => return Ok(()),
                Event::Text(text) if is_white(text) => {}
                _ => {
                    return Err(Error::Message {
                        rule: "something stands behind the body or its only child",
                    });
                }
            }
        }
    }

    /// The next part behind the root; `None` if there is none any more, or the message is no package. What was not
    /// read of the last one is skipped.
    pub fn next_part(&mut self) -> Result<Option<Part<'_, R>>> {
        match &mut self.package {
            Some(package) => package.next_part(),
            None => Ok(None),
        }
    }

    /// [`end`](Incoming::end) of a message that has no parts: one is refused.
    pub fn finish(&mut self) -> Result<()> {
        self.end()?;
        match self.next_part()? {
            Some(_) => Err(Error::Message { rule: "a part that nothing names" }),
            None => Ok(()),
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Bare(input) => input.read(target),
            Source::Root(root) => root.read(target),
        }
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.0 {
            Source::Bare(input) => input.fill_buf(),
            Source::Root(root) => root.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match &mut self.0 {
            Source::Bare(input) => input.consume(bytes),
            Source::Root(root) => root.consume(bytes),
        }
    }
}
