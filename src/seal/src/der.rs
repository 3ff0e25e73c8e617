//! A reader and writer for the part of DER (X.690, section 10) that time stamps and certificates need.
//!
//! Strict: definite and shortest lengths, one-byte tags, no bytes behind the last element. It never recurses, copies
//! nothing, and whatever it gives out lies within its input, so hostile bytes cost their own length at most.

use crate::{Error, Result};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The context tag `[number]`, constructed.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// An element: its tag, its content, and both with the length between them.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The elements of a constructed one, in order.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// What is read, for the error.
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The next element, whatever it is; `None` at the end.
    pub(crate) fn any(&mut self) -> Result<Option<Element<'a>>> {
        let [tag, length, ..] = *self.rest else {
            return if self.rest.is_empty() { Ok(None) } else { Err(self.malformed()) };
        };
        let more = usize::from(if length < 0x80 { 0 } else { length & 0x7f });
        // 0x80 is the indefinite length; four bytes are more than any limit of ours.
        if tag & 0x1f == 0x1f || length == 0x80 || more > 4 {
            return Err(self.malformed());
        }
        let digits = self.rest.get(2..2 + more).ok_or_else(|| self.malformed())?;
        let size = match more {
            0 => usize::from(length),
            _ => digits.iter().fold(0, |size, digit| size << 8 | usize::from(*digit)),
        };
        let shortest = more == 0 || (size >= 0x80 && digits[0] != 0);
        let end = size.checked_add(2 + more).filter(|end| shortest && *end <= self.rest.len());
        let end = end.ok_or_else(|| self.malformed())?;
        let (whole, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Some(Element { tag, content: &whole[2 + more..], whole }))
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>> {
        self.any()?.filter(|element| element.tag == tag).ok_or_else(|| self.malformed())
    }

    /// The next element if it has this tag.
    pub(crate) fn maybe(&mut self, tag: u8) -> Result<Option<Element<'a>>> {
        if self.rest.first() == Some(&tag) { self.any() } else { Ok(None) }
    }

    /// The elements of the next one, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Reader<'a>> {
        Ok(Reader { rest: self.expect(tag)?.content, what: self.what })
    }

    /// The content of the next element, a number that is not negative, without leading zeros.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8]> {
        let content = self.expect(INTEGER)?.content;
        self.magnitude(content)
    }

    /// The digits of a number that is not negative; the shortest form has no needless zero before them.
    pub(crate) fn magnitude(&self, content: &'a [u8]) -> Result<&'a [u8]> {
        match content {
            [] => Err(self.malformed()),
            [0] => Ok(content),
            [0, digits @ ..] if digits[0] >= 0x80 => Ok(digits),
            [first, ..] if (1..0x80).contains(first) => Ok(content),
            _ => Err(self.malformed()),
        }
    }

    /// A number that is not negative and small.
    pub(crate) fn small(&mut self) -> Result<u32> {
        let digits = self.unsigned()?;
        if digits.len() > 4 {
            return Err(self.malformed());
        }
        Ok(digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }

    /// The end: nothing may follow.
    pub(crate) fn end(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(crate) fn malformed(&self) -> Error {
        Error::TimestampMalformed(self.what)
    }
}

/// An element of this tag around what is given.
pub(crate) fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let size: usize = content.iter().map(|part| part.len()).sum();
    let digits = size.to_be_bytes();
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    let mut out = vec![tag];
    if size >= 0x80 {
        out.push(0x80 | digits.len() as u8);
        out.extend(digits);
    } else {
        out.push(size as u8);
    }
    content.iter().for_each(|part| out.extend(*part));
    out
}

/// An INTEGER with these digits, which stand for a number that is not negative.
pub(crate) fn integer(digits: &[u8]) -> Vec<u8> {
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    match digits.first() {
        Some(first) if *first < 0x80 => element(INTEGER, &[digits]),
        _ => element(INTEGER, &[&[0], digits]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_der_is_refused() {
        for (bytes, why) in [
            (&[0x30][..], "no length"),
            (&[0x30, 0x01], "shorter than it says"),
            (&[0x30, 0x80, 0, 0], "indefinite length"),
            (&[0x30, 0x81, 0x05, 1, 2, 3, 4, 5], "a length that is not the shortest"),
            (&[0x30, 0x82, 0x00, 0x80], "a length with a leading zero"),
            (&[0x30, 0x85, 1, 0, 0, 0, 0], "a length of five bytes"),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], "more than there is"),
            (&[0x3f, 0x81, 0x01, 0x00], "a long tag"),
        ] {
            assert!(Reader::new(bytes, "test").any().is_err(), "{why}");
        }
        for number in [&[2, 0][..], &[2, 2, 0, 1], &[2, 1, 0x80], &[2, 1, 0xff], &[2, 2, 0, 0]] {
            assert!(Reader::new(number, "test").unsigned().is_err(), "{number:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(content in prop::collection::vec(any::<u8>(), 0..700), tag in 1u8..0x1f) {
            let bytes = element(tag, &[&content]);
            let mut reader = Reader::new(&bytes, "test");
            let read = reader.any().unwrap().unwrap();
            prop_assert_eq!((read.tag, read.content, read.whole), (tag, &content[..], &bytes[..]));
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn numbers_are_read_as_they_were_written(number: u32) {
            let bytes = integer(&number.to_be_bytes());
            prop_assert_eq!(Reader::new(&bytes, "test").small().unwrap(), number);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut reader = Reader::new(&bytes, "test");
            while let Ok(Some(element)) = reader.any() {
                prop_assert!(element.whole.len() <= bytes.len());
            }
        }
    }
}
