//! Base64 (RFC 4648 section 4) streamed: with white space anywhere when reading, lines of 76 characters when writing.

use std::io::{self, Write};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::runs::runs;
use crate::{Error, Result};

/// Bytes that make a line of 76 characters.
const LINE: usize = 57;
/// Characters of such a line, with its end.
const CHARACTERS: usize = 77;
/// Bytes that are encoded at a time.
const CHUNK: usize = LINE * 256;

/// Decodes text that comes in pieces.
#[derive(Default)]
pub(super) struct Decoder {
    /// Characters that are not decoded yet; empties with every piece but for three characters.
    pending: Vec<u8>,
    bytes: Vec<u8>,
    /// Padding was read: nothing may follow.
    ended: bool,
}

impl Decoder {
    /// The bytes of the next piece.
    pub(super) fn decode(&mut self, piece: &str) -> Result<&[u8]> {
        runs(piece).for_each(|run| self.pending.extend_from_slice(run));
        let whole = self.pending.len() / 4 * 4;
        if self.ended && !self.pending.is_empty() {
            return Err(malformed());
        }
        self.bytes.clear();
        if whole > 0 {
            let quads = &self.pending[..whole];
            self.ended = quads.ends_with(b"=");
            BASE64_STANDARD.decode_vec(quads, &mut self.bytes).map_err(|_| malformed())?;
            self.pending.drain(..whole);
        }
        Ok(&self.bytes)
    }

    /// The end of the text.
    pub(super) fn finish(self) -> Result<()> {
        if self.pending.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

/// Decodes a short text at once.
pub(super) fn decode(text: &str) -> Result<Vec<u8>> {
    let mut decoder = Decoder::default();
    let bytes = decoder.decode(text)?.to_vec();
    decoder.finish()?;
    Ok(bytes)
}

/// Encodes with a line feed after every 76 characters but the last ones.
pub(super) fn encode_lines(bytes: &[u8]) -> String {
    String::from_utf8(lines(bytes)).unwrap_or_default()
}

fn lines(bytes: &[u8]) -> Vec<u8> {
    // Line feeds are what is left of this between the lines.
    let mut text = vec![b'\n'; bytes.len().div_ceil(LINE) * CHARACTERS];
    let mut last = 0;
    for (line, place) in bytes.chunks(LINE).zip(text.chunks_mut(CHARACTERS)) {
        // A place has room for a whole line.
        last = BASE64_STANDARD.encode_slice(line, place).unwrap_or_default();
    }
    text.truncate((text.len() + last).saturating_sub(CHARACTERS));
    text
}

fn malformed() -> Error {
    Error::EncryptionMalformed("base64")
}

/// Writes what it is given as base64 in lines.
pub(super) struct Encoder<W: Write> {
    sink: W,
    pending: Vec<u8>,
    begun: bool,
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(sink: W) -> Self {
        Encoder { sink, pending: Vec::with_capacity(CHUNK), begun: false }
    }

    /// Writes the rest and gives the sink back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_pending()?;
        Ok(self.sink)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if std::mem::replace(&mut self.begun, true) {
            self.sink.write_all(b"\n")?;
        }
        self.sink.write_all(&lines(&self.pending))?;
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() == CHUNK {
            self.write_pending()?;
        }
        let taken = bytes.len().min(CHUNK - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: a line is written when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_base64_is_refused() {
        for wrong in ["A", "AA", "AAA", "AA=A", "AA==AA==", "====", "AAAA=", "A-_A", "AB==", "\u{a0}AAA"] {
            assert_eq!(decode(wrong).unwrap_err().code(), "encryption.malformed", "{wrong}");
        }
        assert_eq!(decode(" A\nA\t= = \r\n").unwrap(), [0]);
        assert!(decode(" \n").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_encoded_in_pieces_is_decoded_from_other_pieces(
            bytes in prop::collection::vec(any::<u8>(), 0..40_000),
            cuts in prop::collection::vec(1_usize..20_000, 1..8),
        ) {
            let mut encoder = Encoder::new(Vec::new());
            bytes.chunks(cuts[0]).try_for_each(|piece| encoder.write_all(piece)).unwrap();
            let text = String::from_utf8(encoder.finish().unwrap()).unwrap();
            prop_assert!(text.lines().all(|line| line.len() <= 76));
            prop_assert_eq!(&text, &encode_lines(&bytes));
            let (mut decoder, mut decoded, mut rest) = (Decoder::default(), Vec::<u8>::new(), &text[..]);
            for cut in cuts.iter().cycle().take_while(|_| !text.is_empty()) {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                decoded.extend(decoder.decode(piece).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            decoder.finish().unwrap();
            prop_assert_eq!(decoded, bytes);
        }
    }
}
