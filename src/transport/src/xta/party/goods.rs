//! The contents of a message that goes out, staged in a file without a name: one content, the message as it is, or those of a
//! package of ours.

use std::io::{BufReader, Read};

use seal::xmlenc::{Plaintext, PlaintextReader, Staging};
use serde_json::Value;
use xta::model::Content;
use xta::server::backend::Contents;
use xta::{Fault, Result};

use crate::xta::package;

/// Bytes that are kept in memory; what is more lies in a file.
pub(super) const MEMORY: usize = 256 * 1024;

/// Contents.
pub(super) struct Goods {
    bytes: Plaintext,
    listed: Vec<(Content, u64)>,
    starts: Vec<u64>,
    /// What the message is about, if its profile tells it.
    subject: Option<String>,
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
            let contents = package::contents(bytes.open())?;
            let starts = contents.iter().map(|(_, start)| *start).collect();
            let listed = contents.iter().map(|(content, _)| (content.content(), content.length)).collect();
            return Ok(Goods { bytes, listed, starts, subject: None });
        }
        let file_name = detail["fileName"].as_str().map(str::to_owned);
        let length = bytes.length();
        let media_type = package::media_type(file_name.as_deref()).to_owned();
        let only = Content { media_type, file_name, size: Some(length), ..Content::default() };
        Ok(Goods::of(bytes, vec![(only, length)], None))
    }

    /// Contents that lie one behind the other.
    pub(super) fn of(bytes: Plaintext, listed: Vec<(Content, u64)>, subject: Option<String>) -> Self {
        let mut next = 0_u64;
        let start = |(_, length): &(Content, u64)| {
            let start = next;
            next = next.saturating_add(*length);
            start
        };
        let starts = listed.iter().map(start).collect();
        Goods { bytes, listed, starts, subject }
    }

    /// All that was staged.
    pub(super) fn all(&self) -> BufReader<PlaintextReader<'_>> {
        self.bytes.open()
    }

    /// What the message is about, if its profile tells it.
    pub(super) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
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
