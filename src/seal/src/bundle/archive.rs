//! Reads the ZIP of a bundle (PKWARE APPNOTE 6.3), hostile or not: only the form that bundles have.
//!
//! The `zip` crate searches backwards for any end record that parses and trusts its count of entries for an allocation;
//! it also lets a second entry of the same name replace the first. Here there is one end record, at the very end; the
//! number of entries is limited before the first is read; a name comes once and is one of [`BundleFile`]'s; entries are
//! stored, unencrypted, and lie before the directory. Reading an entry then is reading a window of the file.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, btree_map},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

use super::{BundleFile, MAX_ENTRIES};

/// A window is read in pieces of at most this size.
const BUFFER: usize = 64 * 1024;
const MAX_NAME: usize = 64;

const END: &[u8; 4] = b"PK\x05\x06";
const END_SIZE: u64 = 22;
const END64: &[u8; 4] = b"PK\x06\x06";
const END64_SIZE: u64 = 56;
const LOCATOR64: &[u8; 4] = b"PK\x06\x07";
const LOCATOR64_SIZE: u64 = 20;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const LOCAL: &[u8; 4] = b"PK\x03\x04";

/// The parts of an archive that bundles have.
pub(super) struct Archive<R> {
    source: RefCell<R>,
    entries: BTreeMap<BundleFile, Span>,
    bytes_read: Cell<u64>,
    /// Indexes of directory entries whose names no bundle has.
    pub(super) strangers: Vec<u64>,
}

/// Where an entry's content lies, in bytes of the file.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    size: u64,
}

/// Why a file is not a bundle's ZIP.
#[derive(Debug)]
pub(super) enum Fault {
    /// The medium failed, or the file is shorter than it says.
    Unreadable,
    /// Something that bundles do not have; the text names it.
    Form(&'static str),
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Unreadable
    }
}

/// What the end records say about the central directory.
struct Directory {
    entries: u64,
    start: u64,
    end: u64,
}

/// A directory entry, or the header before an entry's content.
struct Header {
    file: Option<BundleFile>,
    size: u64,
    offset: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the central directory.
    pub(super) fn open(mut source: R) -> Result<Self, Fault> {
        let directory = read_end(&mut source)?;
        if directory.entries > MAX_ENTRIES {
            return Err(Fault::Form("it has too many entries"));
        }
        source.seek(SeekFrom::Start(directory.start))?;
        let mut headers = Vec::new();
        let mut strangers = Vec::new();
        let mut reader = BufReader::new((&mut source).take(directory.end - directory.start));
        for index in 0..directory.entries {
            let header = read_central(&mut reader)?;
            match header.file {
                Some(file) => headers.push((file, header)),
                None => strangers.push(index),
            }
        }
        if !reader.fill_buf()?.is_empty() {
            return Err(Fault::Form("bytes follow the last directory entry"));
        }
        drop(reader);
        let mut entries = BTreeMap::new();
        let mut total = 0u64;
        for (file, header) in headers {
            let span = locate(&mut source, file, &header, directory.start)?;
            total = total.saturating_add(span.size);
            match entries.entry(file) {
                btree_map::Entry::Vacant(slot) => slot.insert(span),
                btree_map::Entry::Occupied(_) => return Err(Fault::Form("an entry comes twice")),
            };
        }
        Ok(Self { source: RefCell::new(source), entries, bytes_read: Cell::new(0), strangers })
    }

    /// The files that are there, with their sizes in bytes.
    pub(super) fn files(&self) -> impl Iterator<Item = (BundleFile, u64)> + '_ {
        self.entries.iter().map(|(file, span)| (*file, span.size))
    }

    /// The size of a file in bytes; `None` if it is not there.
    pub(super) fn size(&self, file: BundleFile) -> Option<u64> {
        self.entries.get(&file).map(|span| span.size)
    }

    /// A file's content. Several may be read in turns.
    pub(super) fn read(&self, file: BundleFile) -> Option<EntryReader<'_, R>> {
        let span = *self.entries.get(&file)?;
        let window = Window { archive: self, position: span.start, left: span.size };
        Some(BufReader::with_capacity(BUFFER.min(span.size as usize), window))
    }

    /// Bytes of content read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }
}

/// The content of one entry, buffered.
pub(super) type EntryReader<'a, R> = BufReader<Window<'a, R>>;

/// A part of the file.
pub(super) struct Window<'a, R> {
    archive: &'a Archive<R>,
    position: u64,
    left: u64,
}

impl<R: Read + Seek> Read for Window<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self.left.min(buffer.len() as u64) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let mut source = self.archive.source.borrow_mut();
        source.seek(SeekFrom::Start(self.position))?;
        let got = source.read(&mut buffer[..wanted])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += got as u64;
        self.left -= got as u64;
        self.archive.bytes_read.set(self.archive.bytes_read.get() + got as u64);
        Ok(got)
    }
}

fn read_end(source: &mut (impl Read + Seek)) -> Result<Directory, Fault> {
    let length = source.seek(SeekFrom::End(0))?;
    let position = length.checked_sub(END_SIZE).ok_or(Fault::Form("it is too short"))?;
    let record: [u8; END_SIZE as usize] = read_at(source, position)?;
    if !record.starts_with(END) || u16_at(&record, 20) != 0 {
        return Err(Fault::Form("it does not end with the end record of a ZIP file"));
    }
    let (entries, size, start) = (u16_at(&record, 10), u32_at(&record, 12), u32_at(&record, 16));
    let directory = if entries == u16::MAX || size == u32::MAX || start == u32::MAX {
        read_end64(source, position)?
    } else {
        let (start, size) = (u64::from(start), u64::from(size));
        Directory { entries: u64::from(entries), start, end: start + size }
    };
    if directory.end > position || directory.start > directory.end {
        return Err(Fault::Form("its directory lies outside the file"));
    }
    Ok(directory)
}

fn read_end64(source: &mut (impl Read + Seek), end: u64) -> Result<Directory, Fault> {
    const BAD: Fault = Fault::Form("its ZIP64 end record is not where it must be");
    let position = end.checked_sub(LOCATOR64_SIZE).ok_or(BAD)?;
    let locator: [u8; LOCATOR64_SIZE as usize] = read_at(source, position)?;
    let record_at = u64_at(&locator, 8);
    if !locator.starts_with(LOCATOR64) || record_at > position.saturating_sub(END64_SIZE) {
        return Err(BAD);
    }
    let record: [u8; END64_SIZE as usize] = read_at(source, record_at)?;
    if !record.starts_with(END64) {
        return Err(BAD);
    }
    let (entries, size, start) = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
    Ok(Directory { entries, start, end: start.checked_add(size).ok_or(BAD)? })
}

fn read_central(reader: &mut impl Read) -> Result<Header, Fault> {
    let mut fixed = [0; 46];
    reader.read_exact(&mut fixed)?;
    if !fixed.starts_with(CENTRAL) {
        return Err(Fault::Form("a directory entry is malformed"));
    }
    let (flags, method) = (u16_at(&fixed, 8), u16_at(&fixed, 10));
    // Bit 0: encrypted; bit 13: masked directory. Method 0: stored.
    if flags & 0x2001 != 0 || method != 0 {
        return Err(Fault::Form("an entry is encrypted or compressed"));
    }
    let name = read_bytes(reader, u16_at(&fixed, 28))?;
    let extra = read_bytes(reader, u16_at(&fixed, 30))?;
    read_bytes(reader, u16_at(&fixed, 32))?;
    let mut wide = zip64_values(&extra);
    let mut value = |at: usize| match u32_at(&fixed, at) {
        u32::MAX => wide.next().ok_or(Fault::Form("a ZIP64 size is missing")),
        narrow => Ok(u64::from(narrow)),
    };
    // The order of APPNOTE 4.5.3: uncompressed size, compressed size, offset.
    let (size, stored, offset) = (value(24)?, value(20)?, value(42)?);
    if size != stored {
        return Err(Fault::Form("a stored entry has two sizes"));
    }
    Ok(Header { file: file_name(&name), size, offset })
}

/// Finds an entry's content behind its local header, which must bear the same name.
fn locate(
    source: &mut (impl Read + Seek),
    file: BundleFile,
    header: &Header,
    directory: u64,
) -> Result<Span, Fault> {
    const BAD: Fault = Fault::Form("an entry is not where the directory says");
    let fixed: [u8; 30] = read_at(source, header.offset)?;
    if !fixed.starts_with(LOCAL) {
        return Err(BAD);
    }
    let (name_length, extra_length) = (u16_at(&fixed, 26), u16_at(&fixed, 28));
    let name = read_bytes(source, name_length)?;
    if file_name(&name) != Some(file) {
        return Err(BAD);
    }
    let start = header.offset + 30 + u64::from(name_length) + u64::from(extra_length);
    match start.checked_add(header.size) {
        Some(end) if end <= directory => Ok(Span { start, size: header.size }),
        _ => Err(BAD),
    }
}

fn file_name(name: &[u8]) -> Option<BundleFile> {
    if name.len() > MAX_NAME {
        return None;
    }
    BundleFile::parse(std::str::from_utf8(name).ok()?)
}

/// The 64-bit values of the ZIP64 extra field (id 1), in order; none if there is no such field.
fn zip64_values(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut values: &[u8] = &[];
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let Some((field, rest)) = rest.split_at_checked(u16_at(head, 2).into()) else {
            break;
        };
        if u16_at(head, 0) == 1 {
            values = field;
            break;
        }
        extra = rest;
    }
    values.chunks_exact(8).map(|value| u64_at(value, 0))
}

fn read_at<const N: usize>(source: &mut (impl Read + Seek), position: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(position))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Names, extra fields and comments are at most 64 KiB by their nature.
fn read_bytes(reader: &mut impl Read, length: u16) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn central(size: u32, offset: u32, extra: &[u8]) -> Vec<u8> {
        let name = b"events.jsonl";
        let mut bytes = vec![0; 46];
        bytes[..4].copy_from_slice(CENTRAL);
        bytes[20..24].copy_from_slice(&size.to_le_bytes());
        bytes[24..28].copy_from_slice(&size.to_le_bytes());
        bytes[28] = name.len() as u8;
        bytes[30] = extra.len() as u8;
        bytes[42..46].copy_from_slice(&offset.to_le_bytes());
        [&bytes, &name[..], extra].concat()
    }

    #[test]
    fn sizes_beyond_32_bits_come_from_the_zip64_field() {
        let (size, offset) = (5_000_000_000_u64, 6_000_000_000_u64);
        let mut extra = vec![9, 9, 1, 0, 7, 1, 0, 24, 0];
        [size, size, offset].iter().for_each(|value| extra.extend(value.to_le_bytes()));
        let header = read_central(&mut &central(u32::MAX, u32::MAX, &extra)[..]).unwrap();
        assert_eq!((header.file, header.size, header.offset), (Some(BundleFile::Events), size, offset));
        let narrow = read_central(&mut &central(7, 8, &[])[..]).unwrap();
        assert_eq!((narrow.size, narrow.offset), (7, 8));
        assert!(read_central(&mut &central(u32::MAX, 8, &extra[..extra.len() - 16])[..]).is_err());
        assert!(read_central(&mut &central(u32::MAX, 8, &[1, 0, 24])[..]).is_err());
    }
}
