//! Base64 (RFC 2045 section 6.8) decoded while streaming. Line ends and spaces are skipped; any other character
//! outside the alphabet, missing padding and anything behind the padding are refused, so that one
//! content has one form.

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// Characters decoded at once.
const ENCODED: usize = 16 * 1024;
const DECODED: usize = ENCODED / 4 * 3;

/// Decodes what comes in pieces, such as the text of an element.
pub struct Base64Decoder {
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
    /// A decoder that has seen nothing; it holds 28 KiB.
    #[allow(clippy::new_without_default)] // Nobody needs one by default.
    pub fn new() -> Self {
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

    /// Decodes a piece into `sink`. Tabs are white space, too, in an element.
    ///
    /// # Errors
    /// [`Error::Base64`], or what the sink says.
    pub fn decode_into(&mut self, piece: &[u8], sink: &mut dyn Write) -> Result<()> {
        for mut run in piece.split(|byte| *byte == b'\t') {
            while !run.is_empty() {
                let taken = self.take(run)?;
                run = run.get(taken..).unwrap_or_default();
                sink.write_all(self.decoded())?;
                self.consume(DECODED);
            }
        }
        Ok(())
    }

    /// Nothing comes any more: refuses what is incomplete.
    pub fn finish(&self) -> Result<()> {
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

/// Encodes all of `input` and gives the letters to `each`, piece by piece, without line breaks. Returns the bytes that were read.
pub fn encode<E: From<io::Error>>(
    mut input: impl Read,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<u64, E> {
    let mut piece = vec![0; DECODED];
    let mut letters = String::with_capacity(ENCODED);
    let mut read = 0;
    loop {
        let bytes = fill(&mut input, &mut piece)?;
        if bytes == 0 {
            return Ok(read);
        }
        read += bytes as u64;
        letters.clear();
        STANDARD.encode_string(piece.get(..bytes).unwrap_or_default(), &mut letters);
        each(&letters)?;
    }
}

/// Reads until `piece` is full or the input ends, so that only the last piece needs padding.
fn fill(input: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads the content of a base64 part from the bytes that stand in the package, where [`Part::offset`] had shown them.
///
/// [`Part::offset`]: super::Part::offset
pub struct Decoded<R> {
    encoded: R,
    decoder: Base64Decoder,
}

impl<R: BufRead> Decoded<R> {
    /// Reads `encoded` to its end.
    pub fn new(encoded: R) -> Self {
        Decoded { encoded, decoder: Base64Decoder::new() }
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while self.decoder.decoded().is_empty() {
            let encoded = self.encoded.fill_buf()?;
            if encoded.is_empty() {
                self.decoder.finish()?;
                return Ok(0);
            }
            let taken = self.decoder.take(encoded)?;
            self.encoded.consume(taken);
        }
        let waiting = self.decoder.decoded();
        let bytes = waiting.len().min(target.len());
        target[..bytes].copy_from_slice(&waiting[..bytes]);
        self.decoder.consume(bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_stands_in_lines_is_read_whole_whatever_the_pieces(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            (width, piece) in (1_usize..80, 1_usize..50),
        ) {
            let encoded = STANDARD.encode(&bytes).into_bytes();
            let lines = encoded.chunks(width).collect::<Vec<_>>().join(&b"\r\n"[..]);
            let mut read = Vec::new();
            Decoded::new(BufReader::with_capacity(piece, &lines[..])).read_to_end(&mut read).unwrap();
            prop_assert_eq!(read, bytes);
        }

        #[test]
        fn what_is_cut_off_is_refused(bytes in proptest::collection::vec(any::<u8>(), 1..200), cut in 1_usize..4) {
            let encoded = STANDARD.encode(&bytes);
            let cut = &encoded.as_bytes()[..encoded.len() - cut];
            prop_assert!(Decoded::new(cut).read_to_end(&mut Vec::new()).is_err());
        }
    }
}
