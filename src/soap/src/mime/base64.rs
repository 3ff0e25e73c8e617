//! Base64 (RFC 2045 section 6.8) decoded while streaming. Line ends and spaces are skipped; any other character
//! outside the alphabet, missing padding and anything behind the padding are refused, so that one
//! content has one form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// Characters decoded at once.
const ENCODED: usize = 16 * 1024;
const DECODED: usize = ENCODED / 4 * 3;

pub(crate) struct Base64Decoder {
    /// Characters without white space.
    encoded: Box<[u8]>,
    held: usize,
    decoded: Box<[u8]>,
    from: usize,
    to: usize,
    /// The padding has come: nothing may follow.
    is_complete: bool,
}

impl Base64Decoder {
    pub(crate) fn new() -> Self {
        Base64Decoder {
            encoded: vec![0; ENCODED].into_boxed_slice(),
            held: 0,
            decoded: vec![0; DECODED].into_boxed_slice(),
            from: 0,
            to: 0,
            is_complete: false,
        }
    }

    /// Decoded bytes not yet consumed.
    pub(crate) fn decoded(&self) -> &[u8] {
        &self.decoded[self.from..self.to]
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.from = self.to.min(self.from.saturating_add(bytes));
    }

    /// Takes encoded bytes while nothing decoded is waiting; returns how many.
    pub(crate) fn take(&mut self, encoded: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while self.held < ENCODED && taken < encoded.len() {
            let rest = &encoded[taken..];
            let room = rest.len().min(ENCODED - self.held);
            let run = memchr::memchr3(b'\r', b'\n', b' ', &rest[..room]).unwrap_or(room);
            self.encoded[self.held..self.held + run].copy_from_slice(&rest[..run]);
            self.held += run;
            // With the white space that ended the run.
            taken += if run < room { run + 1 } else { run };
        }
        self.decode()?;
        Ok(taken)
    }

    /// Nothing comes any more: refuses what is incomplete.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.held == 0 { Ok(()) } else { Err(Error::Base64) }
    }

    /// Decodes the whole groups of four.
    fn decode(&mut self) -> Result<()> {
        let whole = self.held / 4 * 4;
        if self.held > 0 && self.is_complete {
            return Err(Error::Base64);
        }
        let groups = &self.encoded[..whole];
        self.is_complete |= groups.ends_with(b"=");
        self.to = STANDARD.decode_slice(groups, &mut self.decoded).map_err(|_| Error::Base64)?;
        self.from = 0;
        self.encoded.copy_within(whole..self.held, 0);
        self.held -= whole;
        Ok(())
    }
}
