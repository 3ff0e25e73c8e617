//! Base64 in element content (XML Signature 1.1 section 6.6.2; RFC 4648 section 4), decoded as it comes.

use crate::runs::runs;
use crate::{Error, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::Write;

/// Characters that are decoded at a time.
const PIECE: usize = 4096;

/// Decodes text, white space in it left out, into a sink.
pub struct Base64Writer<W: Write> {
    sink: W,
    pending: Vec<u8>,
    /// Padding was seen: nothing may follow.
    ended: bool,
}

impl<W: Write> Base64Writer<W> {
    /// Into `sink`.
    pub fn new(sink: W) -> Self {
        Base64Writer { sink, pending: Vec::with_capacity(PIECE), ended: false }
    }

    /// Takes the next piece of text. What is no base64 is [`Error::SignatureMalformed`].
    pub fn push(&mut self, text: &str) -> Result<()> {
        for mut run in runs(text) {
            while !run.is_empty() {
                let (taken, rest) = run.split_at(run.len().min(PIECE - self.pending.len()));
                self.pending.extend_from_slice(taken);
                run = rest;
                if self.pending.len() == PIECE {
                    self.decode()?;
                }
            }
        }
        Ok(())
    }

    /// Checks that the text is complete and returns the sink.
    pub fn finish(mut self) -> Result<W> {
        self.decode()?;
        Ok(self.sink)
    }

    fn decode(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut decoded = [0; PIECE / 4 * 3];
        let length = STANDARD.decode_slice(&self.pending, &mut decoded).map_err(|_| malformed())?;
        if std::mem::replace(&mut self.ended, self.pending.ends_with(b"=")) {
            return Err(malformed());
        }
        self.pending.clear();
        let decoded = decoded.get(..length).unwrap_or_default();
        self.sink.write_all(decoded).map_err(|error| Error::Xml(error.into()))
    }
}

/// The bytes behind a short text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut writer = Base64Writer::new(Vec::new());
    writer.push(text).ok()?;
    writer.finish().ok()
}

fn malformed() -> Error {
    Error::SignatureMalformed("a base64 text")
}
