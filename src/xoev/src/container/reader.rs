//! The bytes of one entry, held to what its container declares.

use std::io::{self, BufReader, Read, Take};

use flate2::bufread::DeflateDecoder;
use model::standard::Source;
use rawzip::Crc32;

use super::Entry;

/// Reads an entry. The end is reported only after size and checksum were found right.
pub struct EntryReader<'a> {
    bytes: Bytes<'a>,
    left: u64,
    crc: Crc32,
    expected_crc: u32,
    verified: bool,
}

enum Bytes<'a> {
    Stored(Take<&'a mut dyn Source>),
    Deflated(DeflateDecoder<BufReader<Take<&'a mut dyn Source>>>),
}

impl<'a> EntryReader<'a> {
    /// Over a source that stands at the entry's data.
    pub(super) fn new(source: &'a mut dyn Source, entry: &Entry) -> Self {
        let raw = source.take(entry.compressed);
        let bytes = match entry.deflated {
            true => Bytes::Deflated(DeflateDecoder::new(BufReader::with_capacity(64 * 1024, raw))),
            false => Bytes::Stored(raw),
        };
        EntryReader { bytes, left: entry.size, crc: Crc32::new(), expected_crc: entry.crc, verified: false }
    }

    fn verify(&mut self) -> io::Result<()> {
        if self.verified {
            return Ok(());
        }
        let mut beyond = [0];
        if self.bytes.read(&mut beyond)? > 0 {
            return Err(wrong("longer than declared"));
        }
        if self.crc.checksum() != self.expected_crc {
            return Err(wrong("wrong checksum"));
        }
        self.verified = true;
        Ok(())
    }
}

impl Read for EntryReader<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            self.verify()?;
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(target.len());
        let count = self.bytes.read(&mut target[..room])?;
        if count == 0 {
            return Err(wrong("shorter than declared"));
        }
        self.crc.update(&target[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::Stored(bytes) => bytes.read(target),
            // The decoder says InvalidInput of bad data.
            Bytes::Deflated(bytes) => bytes.read(target).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => wrong("damaged"),
                _ => error,
            }),
        }
    }
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
