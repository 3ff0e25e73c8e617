//! The end of a container (APPNOTE 4.3.14 to 4.3.16): programs find the directory by its offset, by its size or by the
//! ZIP64 record, and must find the same.

use std::io;

use rawzip::ReaderAt;

/// Bytes of the end record without its comment, of the ZIP64 locator before it and of the ZIP64 record before that.
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const ZIP64_BYTES: usize = 56;
/// Longest comment.
const COMMENT_BYTES: usize = 65_535;

const END: &[u8] = b"PK\x05\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const ZIP64: &[u8] = b"PK\x06\x06";

const BROKEN: Option<&str> = Some("container.broken");
const SEVERAL: Option<&str> = Some("container.several-disks");

/// What is wrong with the end record at an offset, as a rule id. `directory` is the offset of the directory.
pub(super) fn fault(at: &impl ReaderAt, end: u64, directory: u64) -> io::Result<Option<&'static str>> {
    let tail = read(at, end, END_BYTES + COMMENT_BYTES)?;
    let Some((record, comment)) = tail.split_at_checked(END_BYTES) else { return Ok(BROKEN) };
    if comment.windows(END.len()).any(|window| window == END) {
        return Ok(Some("container.extra-data"));
    }
    let zip64 = zip64_record(at, end)?;
    let is_zip64 = zip64.is_some();
    let is_other = |disk: u64| disk != 0 && !(is_zip64 && disk == 0xffff);
    if is_other(number(record, 4, 2)) || is_other(number(record, 6, 2)) {
        return Ok(SEVERAL);
    }
    Ok(match zip64 {
        Some((start, zip64)) => zip64_fault(record, &zip64, start, directory),
        None if number(record, 8, 2) != number(record, 10, 2) => SEVERAL,
        None if number(record, 12, 4) != end.saturating_sub(directory) => BROKEN,
        None => None,
    })
}

/// The same of a ZIP64 record at `start`; what the end record says, too, must be the same.
fn zip64_fault(record: &[u8], zip64: &[u8], start: u64, directory: u64) -> Option<&'static str> {
    let is_whole = zip64.len() == ZIP64_BYTES
        && number(zip64, 40, 8) == start.saturating_sub(directory)
        && number(zip64, 48, 8) == directory;
    let same = |(at, length): (usize, usize), in_zip64: usize| {
        let value = number(record, at, length);
        value == u64::MAX >> (64 - 8 * length) || value == number(zip64, in_zip64, 8)
    };
    if !is_whole || !same((10, 2), 32) || !same((12, 4), 40) || !same((16, 4), 48) {
        return BROKEN;
    }
    let is_of_several = number(zip64, 16, 4) != 0
        || number(zip64, 20, 4) != 0
        || number(zip64, 24, 8) != number(zip64, 32, 8);
    if is_of_several { SEVERAL } else { None }
}

/// The ZIP64 record and its offset, if there is a locator before the end record; empty if it is not where it must be.
fn zip64_record(at: &impl ReaderAt, end: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let Some(place) = end.checked_sub(LOCATOR_BYTES as u64) else { return Ok(None) };
    let locator = read(at, place, LOCATOR_BYTES)?;
    if !locator.starts_with(LOCATOR) {
        return Ok(None);
    }
    let start = number(&locator, 8, 8);
    let record = match start.checked_add(ZIP64_BYTES as u64) == Some(place) {
        true => read(at, start, ZIP64_BYTES)?,
        false => Vec::new(),
    };
    Ok(Some((start, if record.starts_with(ZIP64) { record } else { Vec::new() })))
}

/// As many bytes as there are at an offset.
pub(super) fn read(at: &impl ReaderAt, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match at.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// A number of so many bytes at an offset, the lowest first; 0 if it is not there.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
