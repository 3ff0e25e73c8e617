//! Builds ZIP files with any fault a test asks for.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// An entry with what its two headers say.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) central: Header,
    pub(crate) local: Header,
    /// The bytes between local header and what comes next.
    pub(crate) data: Vec<u8>,
    /// Where the central directory says the entry is, if not where it is.
    pub(crate) offset: Option<u64>,
    pub(crate) attributes: u32,
    /// Written behind the data.
    pub(crate) descriptor: Vec<u8>,
}

/// What one of the headers of an entry says.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) compressed: u64,
    pub(crate) size: u64,
    /// Sizes and offset stand in a ZIP64 field.
    pub(crate) zip64: bool,
    /// Further extra fields.
    pub(crate) extra: Vec<u8>,
}

impl Entry {
    pub(crate) fn stored(name: impl Into<Vec<u8>>, content: &[u8]) -> Entry {
        Entry::new(name.into(), 0, content, content.to_vec())
    }

    pub(crate) fn deflated(name: impl Into<Vec<u8>>, content: &[u8]) -> Entry {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        Entry::new(name.into(), 8, content, encoder.finish().unwrap())
    }

    fn new(name: Vec<u8>, method: u16, content: &[u8], data: Vec<u8>) -> Entry {
        let header = Header {
            name,
            flags: 0,
            method,
            crc: rawzip::crc32(content),
            compressed: data.len() as u64,
            size: content.len() as u64,
            zip64: false,
            extra: Vec::new(),
        };
        let (central, local) = (header.clone(), header);
        Entry { central, local, data, offset: None, attributes: 0, descriptor: Vec::new() }
    }

    /// Changes both headers alike.
    pub(crate) fn both(mut self, change: impl Fn(&mut Header)) -> Entry {
        change(&mut self.central);
        change(&mut self.local);
        self
    }

    pub(crate) fn central(mut self, change: impl Fn(&mut Header)) -> Entry {
        change(&mut self.central);
        self
    }

    pub(crate) fn local(mut self, change: impl Fn(&mut Header)) -> Entry {
        change(&mut self.local);
        self
    }
}

/// A ZIP file of these entries.
pub(crate) fn build(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut offsets = Vec::new();
    for entry in entries {
        offsets.push(file.len() as u64);
        file.extend(local_header(&entry.local));
        file.extend(&entry.data);
        file.extend(&entry.descriptor);
    }
    let start = file.len();
    for (entry, offset) in entries.iter().zip(offsets) {
        file.extend(central_header(entry, entry.offset.unwrap_or(offset)));
    }
    let size = file.len() - start;
    file.extend(end(entries.len() as u16, size as u32, start as u32));
    file
}

/// The end of the central directory.
pub(crate) fn end(count: u16, size: u32, offset: u32) -> Vec<u8> {
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend(size.to_le_bytes());
    end.extend(offset.to_le_bytes());
    end.extend([0, 0]);
    end
}

/// Turns the end of a ZIP file into that of a ZIP64 file.
pub(crate) fn with_zip64_end(mut file: Vec<u8>, count: u64) -> Vec<u8> {
    let tail = file.split_off(file.len() - 22);
    let number = |at: usize| u64::from(u32::from_le_bytes(tail[at..at + 4].try_into().unwrap()));
    let (size, offset, place) = (number(12), number(16), file.len() as u64);
    file.extend(b"PK\x06\x06");
    file.extend(44_u64.to_le_bytes());
    file.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [count, count, size, offset] {
        file.extend(number.to_le_bytes());
    }
    file.extend(b"PK\x06\x07\0\0\0\0");
    file.extend(place.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend(end(u16::MAX, u32::MAX, u32::MAX));
    file
}

fn local_header(header: &Header) -> Vec<u8> {
    let mut extra = if header.zip64 { zip64_field(&[header.size, header.compressed]) } else { Vec::new() };
    extra.extend(&header.extra);
    let mut bytes = b"PK\x03\x04\x14\0".to_vec();
    common(&mut bytes, header, &extra);
    bytes.extend(&header.name);
    bytes.extend(extra);
    bytes
}

fn central_header(entry: &Entry, offset: u64) -> Vec<u8> {
    let header = &entry.central;
    let mut extra = match header.zip64 {
        true => zip64_field(&[header.size, header.compressed, offset]),
        false => Vec::new(),
    };
    extra.extend(&header.extra);
    let mut bytes = b"PK\x01\x02\x14\x03\x14\0".to_vec();
    common(&mut bytes, header, &extra);
    bytes.extend([0; 6]);
    bytes.extend(entry.attributes.to_le_bytes());
    bytes.extend(if header.zip64 { u32::MAX } else { offset as u32 }.to_le_bytes());
    bytes.extend(&header.name);
    bytes.extend(extra);
    bytes
}

fn common(bytes: &mut Vec<u8>, header: &Header, extra: &[u8]) {
    let size = |size: u64| if header.zip64 { u32::MAX } else { size as u32 };
    bytes.extend(header.flags.to_le_bytes());
    bytes.extend(header.method.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(header.crc.to_le_bytes());
    bytes.extend(size(header.compressed).to_le_bytes());
    bytes.extend(size(header.size).to_le_bytes());
    bytes.extend((header.name.len() as u16).to_le_bytes());
    bytes.extend((extra.len() as u16).to_le_bytes());
}

fn zip64_field(numbers: &[u64]) -> Vec<u8> {
    let mut field = vec![1, 0];
    field.extend((numbers.len() as u16 * 8).to_le_bytes());
    for number in numbers {
        field.extend(number.to_le_bytes());
    }
    field
}
