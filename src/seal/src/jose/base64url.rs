//! base64url without padding (RFC 7515 appendix C), whole and in pieces. Bits behind the last byte must be zero, so that one value has
//! one text.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{Error, Result};

/// Characters that are decoded at a time; a multiple of four.
const PIECE: usize = 64 * 1024;

/// Encodes a short value.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a short value.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::JoseMalformed("base64url"))
}

/// Decodes text that comes in pieces.
#[derive(Default)]
pub(super) struct Decoder {
    /// Up to three characters that are not decoded yet, and the piece behind them.
    pending: Vec<u8>,
    bytes: Vec<u8>,
}

impl Decoder {
    /// Decodes the next characters; `take` gets the bytes, piece by piece.
    pub(super) fn decode(&mut self, text: &[u8], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        for piece in text.chunks(PIECE) {
            self.pending.extend_from_slice(piece);
            let whole = self.pending.len() / 4 * 4;
            self.take_pending(whole, &mut take)?;
        }
        Ok(())
    }

    /// The bytes of the last characters.
    pub(super) fn finish(mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let rest = self.pending.len();
        self.take_pending(rest, &mut take)
    }

    fn take_pending(&mut self, count: usize, take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(characters) = self.pending.get(..count).filter(|characters| !characters.is_empty()) else {
            return Ok(());
        };
        self.bytes.clear();
        let decoded = BASE64_URL_SAFE_NO_PAD.decode_vec(characters, &mut self.bytes);
        decoded.map_err(|_| Error::JoseMalformed("base64url"))?;
        self.pending.drain(..count);
        take(&self.bytes)
    }
}

/// Encodes bytes that come in pieces.
#[derive(Default)]
pub(super) struct Encoder {
    /// Up to two bytes that make no whole group yet, and the piece behind them.
    pending: Vec<u8>,
    text: String,
}

impl Encoder {
    /// The characters of the next bytes.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> &str {
        self.pending.extend_from_slice(bytes);
        self.encode_pending(self.pending.len() / 3 * 3)
    }

    /// The characters of the last bytes.
    pub(super) fn finish(&mut self) -> &str {
        self.encode_pending(self.pending.len())
    }

    fn encode_pending(&mut self, count: usize) -> &str {
        self.text.clear();
        BASE64_URL_SAFE_NO_PAD.encode_string(self.pending.get(..count).unwrap_or_default(), &mut self.text);
        self.pending.drain(..count);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_value_has_one_text() {
        for wrong in ["A", "AB", "AA==", "A+_A", "AAB", "AA\n", " AA"] {
            assert_eq!(decode(wrong.as_bytes()).unwrap_err().code(), "jose.malformed", "{wrong}");
        }
        assert_eq!(decode(b"AA").unwrap(), [0]);
        assert_eq!(decode(b"").unwrap(), [0; 0]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_in_pieces_is_decoded_from_other_pieces(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
            cut in 1_usize..400,
            other_cut in 1_usize..400,
        ) {
            let mut encoder = Encoder::default();
            let mut text = String::new();
            bytes.chunks(cut).for_each(|piece| text.push_str(encoder.encode(piece)));
            text.push_str(encoder.finish());
            prop_assert_eq!(&text, &encode(&bytes));
            let (mut decoder, mut decoded) = (Decoder::default(), Vec::new());
            let mut take = |piece: &[u8]| { decoded.extend_from_slice(piece); Ok(()) };
            for piece in text.as_bytes().chunks(other_cut) {
                decoder.decode(piece, &mut take).unwrap();
            }
            decoder.finish(&mut take).unwrap();
            prop_assert_eq!(decoded, bytes);
        }
    }
}
