//! One part of a package: what its headers say, and its content as a reader.

use std::io::{self, BufRead, Read};

use super::base64::Base64Decoder;
use super::header::Headers;
use super::is_content_id;
use super::media_type::MediaType;
use super::reader::Multipart;
use crate::{Error, Result};

/// How the content of a part is encoded for transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEncoding {
    /// As it is: `7bit`, `8bit` (also written `8-bit`), `binary`, or nothing said.
    Identity,
    /// Base64; the old media type `text/base64` means the same.
    Base64,
}

/// What the headers of a part say.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) headers: Headers,
    pub(crate) content_id: Option<String>,
    pub(crate) media_type: Option<MediaType>,
    pub(crate) encoding: TransferEncoding,
}

/// A part. It reads as its decoded content: exactly the bytes that a signature's digest is about.
/// Content-Length is not looked at, since the field's is often wrong. What is not read of a part is
/// skipped by [`Multipart::next_part`].
pub struct Part<'a, R: Read> {
    head: Head,
    package: &'a mut Multipart<R>,
    decoder: Option<Base64Decoder>,
}

impl Head {
    /// Checks the headers of a part.
    pub(crate) fn new(headers: Headers) -> Result<Self> {
        let media_type = headers.get("Content-Type").map(MediaType::parse).transpose()?;
        let essence = media_type.as_ref().map_or("", MediaType::essence);
        if essence.starts_with("multipart/") {
            return Err(Error::Nested);
        }
        let encoding = match essence {
            "text/base64" => TransferEncoding::Base64,
            _ => transfer_encoding(headers.get("Content-Transfer-Encoding"))?,
        };
        let content_id = headers.get("Content-ID").map(content_id).transpose()?;
        Ok(Head { headers, content_id, media_type, encoding })
    }
}

fn transfer_encoding(name: Option<&str>) -> Result<TransferEncoding> {
    const IDENTITY: [&str; 4] = ["7bit", "8bit", "8-bit", "binary"];
    let Some(name) = name else { return Ok(TransferEncoding::Identity) };
    if IDENTITY.iter().any(|identity| name.eq_ignore_ascii_case(identity)) {
        return Ok(TransferEncoding::Identity);
    }
    match name.eq_ignore_ascii_case("base64") {
        true => Ok(TransferEncoding::Base64),
        false => Err(Error::Encoding),
    }
}

/// A Content-ID without its angle brackets, which may be missing.
pub(crate) fn content_id(value: &str) -> Result<String> {
    let id = value.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(value);
    match is_content_id(id) {
        true => Ok(id.to_owned()),
        false => Err(Error::Syntax { rule: "a Content-ID with characters that are not allowed" }),
    }
}

impl<'a, R: Read> Part<'a, R> {
    pub(crate) fn new(head: Head, package: &'a mut Multipart<R>) -> Self {
        let decoder = (head.encoding == TransferEncoding::Base64).then(Base64Decoder::new);
        Part { head, package, decoder }
    }

    /// All headers.
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// The Content-ID without angle brackets; no two parts of a package have the same.
    pub fn content_id(&self) -> Option<&str> {
        self.head.content_id.as_deref()
    }

    /// The media type, if one is given.
    pub fn media_type(&self) -> Option<&MediaType> {
        self.head.media_type.as_ref()
    }

    /// The transfer encoding, which is undone for whoever reads.
    pub fn transfer_encoding(&self) -> TransferEncoding {
        self.head.encoding
    }

    /// Place in the package, in bytes, of what is read next. Without a transfer encoding the content stands there as it is.
    pub fn offset(&self) -> u64 {
        self.package.consumed()
    }

    /// Skips white space, such as the empty lines that some senders put before an XML declaration.
    pub fn skip_white_space(&mut self) -> Result<()> {
        loop {
            let waiting = self.fill_buf()?;
            let white = waiting.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
            if white == 0 {
                return Ok(());
            }
            self.consume(white);
        }
    }

    /// Makes decoded bytes ready. Nothing is ready only at the end.
    fn decode(&mut self) -> Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        while decoder.decoded().is_empty() {
            let encoded = self.package.content()?;
            if encoded.is_empty() {
                return decoder.finish();
            }
            let taken = decoder.take(encoded)?;
            self.package.consume(taken);
        }
        Ok(())
    }
}

impl<R: Read> BufRead for Part<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Err(error) = self.decode() {
            self.package.fail();
            return Err(error.into());
        }
        match &self.decoder {
            Some(decoder) => Ok(decoder.decoded()),
            None => Ok(self.package.content()?),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match &mut self.decoder {
            Some(decoder) => decoder.consume(bytes),
            None => self.package.consume(bytes),
        }
    }
}

impl<R: Read> Read for Part<'_, R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        let waiting = self.fill_buf()?;
        let bytes = waiting.len().min(target.len());
        target[..bytes].copy_from_slice(&waiting[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}
