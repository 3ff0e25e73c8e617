//! The contents of a message as they are kept: a ZIP whose entries are stored as they are, in the order in which they
//! came, and at its end the list of them, `xta.json`. Anybody can take it apart with common tools.

use std::io::{self, Read, Seek, Write};

use broker::{Payload, PayloadWriterBlocking, Section, StoredPayload};
use xta::model::Content;
use xta::server::backend::Contents;
use xta::{Error, Fault, Result};
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

use super::kept::KeptContent;

/// The entry that lists the others.
const LIST: &str = "xta.json";
/// Most contents of a message.
const MOST_CONTENTS: usize = 10_000;
/// Most bytes of the list: what a message may say of its contents.
const MOST_LIST: u64 = 8 << 20;
/// Containers of so many bytes are sealed at once: they lie in rows, as larger ones up to 64 KiB do.
const SMALL: u64 = 16 * 1024;
/// Bytes that a ZIP has for an entry beside what is in it, at most.
const ABOUT_EACH: u64 = 1_024;
/// Longest file name within the container, in characters.
const NAME_CHARS: usize = 100;

/// Writes a container. Dropped before its end, it leaves nothing behind.
pub(crate) struct Packer {
    zip: ZipWriter<StreamWriter<PayloadWriterBlocking>>,
    contents: Vec<KeptContent>,
    /// Bytes that all contents may still have.
    left: u64,
    said: u64,
}

impl Packer {
    /// A container for at most `most` bytes of content.
    pub(crate) fn new(writer: PayloadWriterBlocking, most: u64) -> Self {
        Packer { zip: ZipWriter::new_stream(writer), contents: Vec::new(), left: most, said: 0 }
    }

    /// Begins a content; the one before is complete.
    pub(crate) fn begin(&mut self, index: usize, content: &Content) -> Result<()> {
        if self.contents.len() == MOST_CONTENTS || self.contents.iter().any(|it| it.index == index) {
            return Err(Fault::TOO_LARGE.into());
        }
        let entry = entry_name(index, content.file_name.as_deref());
        self.zip.start_file(entry.as_str(), stored()).map_err(io::Error::from)?;
        let kept = KeptContent::new(index, content, entry);
        self.said += serde_json::to_string(&kept).map_err(io::Error::from)?.len() as u64;
        if self.said > MOST_LIST / 2 {
            return Err(Fault::TOO_LARGE.into());
        }
        self.contents.push(kept);
        Ok(())
    }

    /// Whether it is written to memory alone, so that ending it does not take long.
    pub(crate) fn is_small(&self) -> bool {
        let about_each = |content: &KeptContent| content.length + ABOUT_EACH;
        self.said + self.contents.iter().map(about_each).sum::<u64>() <= SMALL
    }

    /// Ends the container. Returns it with the bytes of all contents together.
    pub(crate) fn finish(mut self) -> Result<(StoredPayload, u64)> {
        self.contents.sort_by_key(|it| it.index);
        let bytes = self.contents.iter().map(|it| it.length).sum();
        self.zip.start_file(LIST, stored()).map_err(io::Error::from)?;
        serde_json::to_writer(&mut self.zip, &self.contents).map_err(io::Error::from)?;
        let writer = self.zip.finish().map_err(io::Error::from)?.into_inner();
        Ok((writer.finish().map_err(|error| super::boxes::failed(&error.into()))?, bytes))
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(content) = self.contents.last_mut() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let length = bytes.len() as u64;
        self.left = self.left.checked_sub(length).ok_or(Error::Fault(Fault::TOO_LARGE))?;
        self.zip.write_all(bytes)?;
        content.length += length;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The contents of a container of ours, each with the place where its bytes begin.
pub(crate) fn contents(source: impl Read + Seek) -> Result<Vec<(KeptContent, u64)>> {
    let mut zip = ZipArchive::new(source).map_err(io::Error::from)?;
    let mut list = Vec::new();
    zip.by_name(LIST).map_err(io::Error::from)?.take(MOST_LIST).read_to_end(&mut list)?;
    let kept: Vec<KeptContent> = serde_json::from_slice(&list).map_err(io::Error::from)?;
    let placed = kept.into_iter().map(|content| {
        let start = zip.by_name(&content.entry).map_err(io::Error::from)?.data_start();
        Ok((content, start))
    });
    placed.collect()
}

/// A container that is read again.
pub(crate) struct Unpacked {
    payload: Payload,
    places: Vec<Place>,
    listed: Vec<(Content, u64)>,
}

/// Where a content lies in the container.
struct Place {
    start: u64,
    length: u64,
}

impl Unpacked {
    /// Opens a container of ours.
    pub(crate) fn open(payload: Payload) -> Result<Self> {
        let (mut places, mut listed) = (Vec::new(), Vec::new());
        for (content, start) in contents(payload.blocking())? {
            places.push(Place { start, length: content.length });
            listed.push((content.content(), content.length));
        }
        Ok(Unpacked { payload, places, listed })
    }

    /// The bytes of one of the contents.
    pub(crate) fn section(&self, index: usize) -> Result<Section> {
        let place = self.places.get(index).ok_or(Fault::INTERNAL)?;
        Ok(Section::of(&self.payload, place.start, place.length))
    }
}

impl Contents for Unpacked {
    fn list(&self) -> &[(Content, u64)] {
        &self.listed
    }

    fn open(&self, index: usize) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.section(index)?))
    }
}

/// A payload that is the only content itself.
pub(crate) struct Single {
    payload: Payload,
    listed: [(Content, u64); 1],
}

impl Single {
    /// The content that a payload is, by the name of its file.
    pub(crate) fn new(payload: Payload, file_name: Option<&str>) -> Self {
        let size = payload.size();
        let content = Content {
            media_type: media_type(file_name).to_owned(),
            file_name: file_name.map(str::to_owned),
            size: Some(size).filter(|&size| size > 0),
            ..Content::default()
        };
        Single { payload, listed: [(content, size)] }
    }
}

impl Contents for Single {
    fn list(&self) -> &[(Content, u64)] {
        &self.listed
    }

    fn open(&self, _index: usize) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.payload.blocking()))
    }
}

/// The media type of a file that says none, by the ending of its name.
pub(crate) fn media_type(file_name: Option<&str>) -> &'static str {
    let ending =
        file_name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("xml") => "application/xml",
        Some("zip") => "application/zip",
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain",
        _ => "application/octet-stream",
    }
}

/// Entries are not compressed, so that a content can be read from any place on.
fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true)
}

/// A name that no program takes for a path, begun by the content's place so that no two are the same.
fn entry_name(index: usize, file_name: Option<&str>) -> String {
    let last = file_name.unwrap_or("content").rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    let name: String = last.chars().map(harmless).take(NAME_CHARS).collect();
    format!("{index:05}-{}", name.trim_matches([' ', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_no_path_and_no_two_are_the_same() {
        for (name, entry) in [
            (None, "00007-content"),
            (Some("../../etc/passwd"), "00007-passwd"),
            (Some("C:\\a\\b:c.pdf"), "00007-b_c.pdf"),
            (Some("Gebäude 1.pdf"), "00007-Gebäude 1.pdf"),
            (Some(".."), "00007-"),
            (Some("a\u{0}\u{202e}b"), "00007-a__b"),
        ] {
            assert_eq!(entry_name(7, name), entry);
        }
        assert!(entry_name(7, Some(&"x".repeat(5_000))).len() < 120);
    }
}
