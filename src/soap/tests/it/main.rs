//! Behaviour of the package reader and writer and of SOAP faults, seen from outside.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod faults;
mod hostile;
mod messages;
mod outgoing;
mod python;
mod reading;
mod recordings;
mod requests;
mod round_trip;
mod speed;
mod streaming;
mod writing;

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use soap::mime::{Limits, Multipart};
use soap::{Error, Result};

/// A part as a test sees it: Content-ID and decoded content.
pub(crate) type Seen = (Option<String>, Vec<u8>);

/// A file or folder beside the project; its absence fails the test.
pub(crate) fn shared(path: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    assert!(place.exists(), "the test material {} is missing", place.display());
    place
}

/// All files below a folder that end with one of these, sorted.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Everything that a package holds.
pub(crate) fn parts<R: Read>(package: Result<Multipart<R>>) -> Result<Vec<Seen>> {
    let mut package = package?;
    let mut seen = Vec::new();
    while let Some(mut part) = package.next_part()? {
        let id = part.content_id().map(str::to_owned);
        let mut content = Vec::new();
        part.read_to_end(&mut content).map_err(Error::from)?;
        seen.push((id, content));
    }
    Ok(seen)
}

/// The parts of a package with its headers inside.
pub(crate) fn osci_parts(input: impl Read) -> Result<Vec<Seen>> {
    parts(Multipart::with_inner_headers(input, Limits::default()))
}

/// The parts of a package with boundary `b`.
pub(crate) fn http_parts(input: impl Read) -> Result<Vec<Seen>> {
    parts(Multipart::with_content_type(input, "multipart/related; boundary=b", Limits::default()))
}

pub(crate) fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

/// The expected form of parts.
pub(crate) fn seen(parts: &[(&str, &str)]) -> Vec<Seen> {
    parts.iter().map(|(id, content)| (Some((*id).to_owned()), content.as_bytes().to_vec())).collect()
}

/// An input that comes in pieces whose sizes repeat.
pub(crate) struct Pieces<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) sizes: Vec<usize>,
    pub(crate) next: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(input: &'a [u8], sizes: &[usize]) -> Self {
        Pieces { rest: input, sizes: sizes.to_vec(), next: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let waiting = self.fill_buf()?;
        let bytes = waiting.len().min(target.len());
        target[..bytes].copy_from_slice(&waiting[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let size = self.sizes[self.next % self.sizes.len()];
        Ok(&self.rest[..size.min(self.rest.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
        self.next += 1;
    }
}
