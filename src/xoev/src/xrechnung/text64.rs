//! The bytes of an element's base64 text, decoded while they are read.

use std::io::{self, BufRead, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xml::{Event, Reader};

/// Reads on behind the start of an element that has only text.
pub(crate) struct Text64<'a, R: BufRead> {
    reader: &'a mut Reader<R>,
    /// Characters that do not make up four yet.
    left: Vec<u8>,
    /// Bytes that were not asked for yet.
    bytes: Vec<u8>,
    given: usize,
    has_ended: bool,
    /// Whether the padding was met, behind which nothing follows.
    is_padded: bool,
}

impl<'a, R: BufRead> Text64<'a, R> {
    pub(crate) fn new(reader: &'a mut Reader<R>) -> Self {
        Text64 { reader, left: vec![], bytes: vec![], given: 0, has_ended: false, is_padded: false }
    }

    /// Reads to the end of the element, whatever was left.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        while !self.has_ended {
            self.fill()?;
        }
        Ok(())
    }

    /// Decodes the next piece of text.
    fn fill(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.given = 0;
        match self.reader.next().map_err(|error| match error {
            xml::Error::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        })? {
            Event::Text(piece) => {
                self.left.extend(piece.bytes().filter(|byte| !byte.is_ascii_whitespace()));
                let whole = self.left.len() - self.left.len() % 4;
                self.decode(whole)
            }
            Event::End => {
                self.has_ended = true;
                self.decode(self.left.len())
            }
            _ => Err(invalid()),
        }
    }

    fn decode(&mut self, length: usize) -> io::Result<()> {
        let whole = self.left.get(..length).unwrap_or_default();
        if self.is_padded && !whole.is_empty() {
            return Err(invalid());
        }
        self.is_padded |= whole.ends_with(b"=");
        BASE64.decode_vec(whole, &mut self.bytes).map_err(|_| invalid())?;
        self.left.drain(..length.min(self.left.len()));
        Ok(())
    }
}

impl<R: BufRead> Read for Text64<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.bytes.len() && !self.has_ended {
            self.fill()?;
        }
        let rest = self.bytes.get(self.given..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        self.given += count;
        Ok(count)
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an attachment is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> io::Result<Vec<u8>> {
        let xml = format!("<a>{text}</a>");
        let limits = xml::Limits { text_bytes: 7, ..xml::Limits::default() };
        let mut reader = Reader::new(xml.as_bytes(), limits);
        reader.next().unwrap();
        let mut bytes = Vec::new();
        Text64::new(&mut reader).read_to_end(&mut bytes)?;
        assert!(matches!(reader.next(), Ok(Event::Eof)));
        Ok(bytes)
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_whatever_white_space_lies_between(
            bytes: Vec<u8>,
            width in 1_usize..80,
        ) {
            let text: Vec<char> = BASE64.encode(&bytes).chars().collect();
            let lines: Vec<String> = text.chunks(width).map(|line| line.iter().collect()).collect();
            prop_assert_eq!(decode(&lines.join("\r\n ")).unwrap(), bytes);
        }

        #[test]
        fn nothing_makes_it_panic(text in "[A-Za-z0-9+/= \n]{0,60}") {
            let _ = decode(&text);
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["abc", "ab=c", "a<b/>", "äöüß", "QQ==QQ=="] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
