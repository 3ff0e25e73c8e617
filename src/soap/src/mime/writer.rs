//! The package writer: multipart/related with CRLF throughout, in the form of OSCI-Transport 1.2 (the
//! MIME headers stand inside) or for HTTP (SOAP with Attachments, MTOM), streaming.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::{OSCI_MESSAGE, is_content_id};
use crate::{Error, Result};

/// The boundary of a package we write.
///
/// Content is not searched for it: it is made of 192 random bits, so whoever wrote the content could
/// not know it, and no content holds it by chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary of these random bytes, which must come fresh from a cryptographic generator.
    pub fn from_random(random: [u8; 24]) -> Self {
        // The alphabet without `/` and `+`, which would need quotes.
        Boundary(format!("MIME_boundary_{}", URL_SAFE.encode(random)))
    }
}

/// What the headers of a new part say.
#[derive(Debug, Clone, Copy)]
pub struct NewPart<'a> {
    content_type: &'a str,
    transfer_encoding: &'static str,
    content_id: &'a str,
    length: Option<u64>,
}

impl<'a> NewPart<'a> {
    /// The XML part of an OSCI message; always the first.
    pub fn osci_message() -> Self {
        Self::new("text/xml; charset=UTF-8", "8bit", OSCI_MESSAGE)
    }

    /// The root part of a package for HTTP, such as `application/xop+xml; charset=UTF-8; type="text/xml"`.
    pub fn root(content_type: &'a str, content_id: &'a str) -> Self {
        Self::new(content_type, "binary", content_id)
    }

    /// An attachment of any bytes, by its Content-ID without angle brackets.
    pub fn attachment(content_id: &'a str) -> Self {
        Self::new("application/octet-stream", "binary", content_id)
    }

    /// Writes a Content-Length, in bytes. Content of another length is then refused.
    pub fn with_length(self, bytes: u64) -> Self {
        NewPart { length: Some(bytes), ..self }
    }

    fn new(content_type: &'a str, transfer_encoding: &'static str, content_id: &'a str) -> Self {
        NewPart { content_type, transfer_encoding, content_id, length: None }
    }

    fn header_block(&self) -> Result<String> {
        if !is_content_id(self.content_id) {
            return Err(Error::Write { rule: "a Content-ID with characters that are not allowed" });
        }
        check_value(self.content_type)?;
        let mut block = format!(
            "Content-Type: {}\r\nContent-Transfer-Encoding: {}\r\nContent-ID: <{}>\r\n",
            self.content_type, self.transfer_encoding, self.content_id
        );
        if let Some(length) = self.length {
            block.push_str(&format!("Content-Length: {length}\r\n"));
        }
        block.push_str("\r\n");
        Ok(block)
    }
}

/// What the Content-Type of a package for HTTP says beside the boundary (RFC 2387; XOP section 4.1).
#[derive(Debug, Clone, Copy)]
pub struct Related<'a> {
    /// Media type of the root part, such as `application/xop+xml` or `text/xml`.
    pub root_type: &'a str,
    /// Content-ID of the root part, without angle brackets.
    pub root_id: &'a str,
    /// MTOM: content type of the envelope in the root part, such as `application/soap+xml`.
    pub start_info: Option<&'a str>,
}

impl Related<'_> {
    /// The value of the Content-Type header.
    pub fn content_type(&self, boundary: &Boundary) -> Result<String> {
        if !is_content_id(self.root_id) {
            return Err(Error::Write { rule: "a Content-ID with characters that are not allowed" });
        }
        let mut value = format!("multipart/related; boundary=\"{}\"", boundary.0);
        let start = format!("<{}>", self.root_id);
        let parameters = [
            ("type", Some(self.root_type)),
            ("start", Some(start.as_str())),
            ("start-info", self.start_info),
        ];
        for (name, parameter) in parameters {
            let Some(parameter) = parameter else { continue };
            check_value(parameter)?;
            let escaped = parameter.replace('\\', "\\\\").replace('"', "\\\"");
            value.push_str(&format!("; {name}=\"{escaped}\""));
        }
        Ok(value)
    }
}

/// Writes a package: begin a part, write its content into the writer, begin the next, finish. Give it
/// a buffered sink if the content comes in small pieces.
pub struct Writer<W: Write> {
    sink: W,
    boundary: Boundary,
    /// The first delimiter needs no line break before it.
    has_parts: bool,
    /// Bytes that the Content-Length of the current part still promises.
    promised: Option<u64>,
}

impl<W: Write> Writer<W> {
    /// A package with its MIME headers inside, as OSCI-Transport sends it.
    pub fn osci(mut sink: W, boundary: Boundary) -> Result<Self> {
        let headers = format!(
            "MIME-Version: 1.0\r\nContent-Type: Multipart/Related; boundary={}; type=text/xml\r\n\r\n",
            boundary.0
        );
        sink.write_all(headers.as_bytes())?;
        Ok(Self::http(sink, boundary))
    }

    /// A package whose Content-Type ([`Related::content_type`]) the caller gives to HTTP.
    pub fn http(sink: W, boundary: Boundary) -> Self {
        Writer { sink, boundary, has_parts: false, promised: None }
    }

    /// Begins a part; its content is then written into `self`.
    pub fn begin(&mut self, part: &NewPart<'_>) -> Result<()> {
        let headers = part.header_block()?;
        self.end_part()?;
        let line_break = if self.has_parts { "\r\n" } else { "" };
        write!(self.sink, "{line_break}--{}\r\n{headers}", self.boundary.0)?;
        self.has_parts = true;
        self.promised = part.length;
        Ok(())
    }

    /// Ends the package, flushes, and gives the sink back.
    pub fn finish(mut self) -> Result<W> {
        if !self.has_parts {
            return Err(Error::Write { rule: "a package without parts" });
        }
        self.end_part()?;
        // The line break at the end is not optional for OSCI.
        write!(self.sink, "\r\n--{}--\r\n", self.boundary.0)?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn end_part(&self) -> Result<()> {
        match self.promised {
            Some(1..) => Err(Error::Write { rule: "content shorter than its Content-Length" }),
            _ => Ok(()),
        }
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        if !self.has_parts {
            return Err(Error::Write { rule: "content before the first part" }.into());
        }
        let Some(promised) = self.promised else { return self.sink.write(content) };
        if promised < content.len() as u64 {
            return Err(Error::Write { rule: "content longer than its Content-Length" }.into());
        }
        let written = self.sink.write(content)?;
        self.promised = Some(promised.saturating_sub(written as u64));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// What may stand in a header as it is.
fn check_value(value: &str) -> Result<()> {
    match value.is_empty() || value.chars().any(char::is_control) {
        true => Err(Error::Write { rule: "a header with a control character" }),
        false => Ok(()),
    }
}
