//! The contents of a message that goes out, staged in a file without a name: one content, the message as it is, or those of a
//! package of ours.

use std::io::{self, Read, Seek, SeekFrom};

use seal::xmlenc::{Plaintext, Staging};
use serde_json::Value;
use xta::model::Content;
use xta::server::backend::Contents;
use xta::{Fault, Result};

use crate::xta::package;

/// Bytes that are kept in memory; what is more lies in a file.
const MEMORY: usize = 256 * 1024;

/// Contents.
pub(super) struct Goods {
    bytes: Plaintext,
    listed: Vec<(Content, u64)>,
    starts: Vec<u64>,
}

impl Goods {
    /// Stages the bytes of a message; `detail` says what they are. At most `most` bytes.
    ///
    /// # Errors
    /// [`seal::Error::EncryptionTooLarge`] if there are more; if they cannot be read or kept, or are no package although they should.
    pub(super) fn stage(mut content: impl Read, detail: &Value, most: u64) -> Result<Self> {
        let mut staging = Staging::new(MEMORY, most);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let count = content.read(&mut piece)?;
            let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
            staging.take(read)?;
        }
        let bytes = staging.finish();
        if detail["container"] == true {
            let placed = package::places(Seekable { bytes: &bytes, at: 0 })?;
            let (places, listed): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
            return Ok(Goods { bytes, listed, starts: places });
        }
        let file_name = detail["fileName"].as_str().map(str::to_owned);
        let length = bytes.length();
        let media_type = media_type(file_name.as_deref()).to_owned();
        let only = Content { media_type, file_name, size: Some(length), ..Content::default() };
        Ok(Goods { bytes, listed: vec![(only, length)], starts: vec![0] })
    }

    /// Bytes of all contents together.
    pub(super) fn bytes(&self) -> u64 {
        self.listed.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Contents for Goods {
    fn list(&self) -> &[(Content, u64)] {
        &self.listed
    }

    fn open(&self, index: usize) -> Result<Box<dyn Read + '_>> {
        let place = self.starts.get(index).zip(self.listed.get(index));
        let (start, (_, length)) = place.ok_or(Fault::INTERNAL)?;
        Ok(Box::new(self.bytes.open_range(*start..start.saturating_add(*length))))
    }
}

/// By the ending of the name.
fn media_type(file_name: Option<&str>) -> &'static str {
    let ending = file_name.and_then(|name| name.rsplit_once('.')).unwrap_or_default().1;
    match ending.to_ascii_lowercase().as_str() {
        "xml" => "application/xml",
        "zip" => "application/zip",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

/// Staged bytes that are read from any place on.
struct Seekable<'a> {
    bytes: &'a Plaintext,
    at: u64,
}

impl Read for Seekable<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = self.at.saturating_add(into.len() as u64);
        let count = self.bytes.open_range(self.at..end).read(into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Seekable<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.bytes.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
