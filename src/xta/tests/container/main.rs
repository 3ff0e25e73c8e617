//! The container of a message, read and written as a stream, seen from outside. Needs ../shared and a Python with lxml
//! (Debian: python3-lxml).
#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod encrypted;
mod hostile;
mod python;
mod reading;
mod streaming;
mod writing;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use soap::message::{Limits, Outgoing, Package, open};
use xta::container;
use xta::model::{Content, ContentRole, Version};
use xta::server::backend::{Contents, Taking};
use xta::{Error, Result};

pub(crate) const BARE: &str = "application/soap+xml; charset=utf-8";
pub(crate) const PACKAGE: &str =
    "multipart/related; boundary=b_end_b; type=\"application/xop+xml\"; start=\"<root>\"";

/// Debian's Python.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// A content as a test sees it.
pub(crate) type Seen = (Content, Vec<u8>);

/// A file or folder beside the project; its absence fails the test.
pub(crate) fn shared(path: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    assert!(place.exists(), "the test material {} is missing", place.display());
    place
}

/// Keeps what it is given, by index.
#[derive(Default)]
pub(crate) struct Kept(Vec<(usize, Content, Vec<u8>)>);

impl Taking for Kept {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        assert!(self.0.iter().all(|(other, ..)| *other != index), "a content comes once");
        self.0.push((index, content.clone(), Vec::new()));
        Ok(&mut self.0.last_mut().unwrap().2)
    }
}

/// Reads a message whole: its contents in the order of the container.
pub(crate) fn read(content_type: &str, body: impl Read) -> Result<Vec<Seen>> {
    let mut incoming = open(content_type, body, Limits::default())?;
    incoming.header()?;
    let mut kept = Kept::default();
    container::read(&mut incoming, &mut kept, &container::Limits::default(), Version::V3)?;
    kept.0.sort_by_key(|(index, ..)| *index);
    assert!(kept.0.iter().enumerate().all(|(place, (index, ..))| place == *index));
    Ok(kept.0.into_iter().map(|(_, content, bytes)| (content, bytes)).collect())
}

/// `ok`, the code of a fault, or that of what is below.
pub(crate) fn code<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Error::Fault(fault)) => fault.code.to_string(),
        Err(Error::Soap(error)) => error.code().to_owned(),
        Err(Error::Xml(error)) => error.code().to_owned(),
        Err(Error::Io(_)) => "io".to_owned(),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn envelope(container: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
        xmlns:i=\"http://www.w3.org/2004/08/xop/include\"><s:Body>\n\
        <x:GenericContentContainer xmlns:x=\"http://xoev.de/transport/xta/211\">\n{container}\n\
        </x:GenericContentContainer></s:Body></s:Envelope>"
    )
}

/// An envelope with these contents of a container.
pub(crate) fn contents(contents: &str) -> String {
    envelope(&format!("<x:ContentContainer>{contents}</x:ContentContainer>"))
}

/// A package of an envelope and parts: headers, content.
pub(crate) fn package(root: &str, parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let root_head = "Content-Type: application/xop+xml; type=\"application/soap+xml\"\r\nContent-ID: <root>";
    let mut package = format!("--b_end_b\r\n{root_head}\r\n\r\n{root}").into_bytes();
    for (head, content) in parts {
        package.extend_from_slice(format!("\r\n--b_end_b\r\n{head}\r\n\r\n").as_bytes());
        package.extend_from_slice(content);
    }
    package.extend_from_slice(b"\r\n--b_end_b--\r\n");
    package
}

/// A part with this Content-ID.
pub(crate) fn part(id: &str, content: &[u8]) -> (String, Vec<u8>) {
    (format!("Content-ID: <{id}>"), content.to_vec())
}

/// Contents that lie in memory.
pub(crate) struct Stored(Vec<(Content, u64)>, Vec<Vec<u8>>);

impl Stored {
    pub(crate) fn new(contents: &[Seen]) -> Self {
        let list = contents.iter().map(|(content, bytes)| (content.clone(), bytes.len() as u64)).collect();
        Stored(list, contents.iter().map(|(_, bytes)| bytes.clone()).collect())
    }
}

impl Contents for Stored {
    fn list(&self) -> &[(Content, u64)] {
        &self.0
    }

    fn open(&self, index: usize) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.1[index].as_slice()))
    }
}

/// Writes a message: Content-Type and body.
pub(crate) fn write(contents: &dyn Contents, as_package: bool) -> Result<(String, Vec<u8>)> {
    if !as_package {
        let mut outgoing = Outgoing::new(Vec::new(), &[])?;
        container::write(outgoing.body(), contents, false, Version::V3)?;
        return Ok((BARE.to_owned(), outgoing.finish()?));
    }
    let package = Package::new([5; 24], None)?;
    let mut parts = package.begin(Vec::new())?;
    let mut outgoing = Outgoing::new(&mut parts, &[])?;
    container::write(outgoing.body(), contents, true, Version::V3)?;
    outgoing.finish()?;
    container::write_parts(&mut parts, contents, Version::V3)?;
    Ok((package.content_type()?, parts.finish()?))
}

/// A message and attachments with these bytes.
pub(crate) fn plain(all: &[&[u8]]) -> Vec<Seen> {
    let role = |index| if index == 0 { ContentRole::Message } else { ContentRole::Attachment };
    let content =
        |index| Content { role: role(index), media_type: "text/plain".to_owned(), ..Content::default() };
    all.iter().enumerate().map(|(index, bytes)| (content(index), bytes.to_vec())).collect()
}

/// An input that comes in pieces whose sizes repeat.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(rest: &'a [u8], sizes: &[usize]) -> Self {
        Pieces { rest, sizes: Vec::from(sizes).into_iter().cycle() }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let bytes = self.sizes.next().unwrap().min(self.rest.len()).min(target.len());
        target[..bytes].copy_from_slice(&self.rest[..bytes]);
        self.rest = &self.rest[bytes..];
        Ok(bytes)
    }
}
