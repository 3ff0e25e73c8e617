//! Checks the central directory and the local headers of a container (APPNOTE 4.3).

use std::cell::RefCell;
use std::io::{self, SeekFrom};

use model::standard::Source;
use model::{Finding, Report};
use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{CompressionMethod, ErrorKind, ReaderAt, ZipArchive, ZipFileHeaderRecord, ZipLocator};

use super::names::{decode, fault, folded, shown};
use super::{Entry, Limits, descriptor, ending};

/// The end of the directory with a comment of the largest size, and its ZIP64 parts.
const SEARCHED_BYTES: u64 = 70_000;
/// An entry's name, extra fields and comment have at most 64 KiB each.
const RECORD_BYTES: usize = 256 * 1024;
/// Room for the fixed parts of every record.
const LEAST_BYTES: usize = 4 * 1024;

/// Reads at any place of a source.
struct At<'a>(RefCell<&'a mut dyn Source>);

impl ReaderAt for At<'_> {
    fn read_at(&self, target: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut source = self.0.borrow_mut();
        source.seek(SeekFrom::Start(offset))?;
        source.read(target)
    }
}

type Archive<'a> = ZipArchive<At<'a>>;

/// What the central directory names, and where it lies.
#[derive(Default)]
struct Directory {
    entries: Vec<Entry>,
    extents: Vec<Extent>,
}

/// Where an entry lies: from its local header to the end of its data.
#[derive(Default)]
struct Extent {
    start: u64,
    end: u64,
    /// If it has a data descriptor, which lengths that can have by what stands behind the data.
    descriptor: Option<descriptor::Lengths>,
}

/// Findings with a memory of whether any of them forbids to use the container.
struct Findings<'a> {
    report: &'a mut Report,
    refused: bool,
}

impl Findings<'_> {
    fn refuse(&mut self, rule: &str, name: Option<&str>) {
        let finding = Finding::error(rule);
        self.report.add(match name {
            Some(name) => finding.in_file(shown(name)),
            None => finding,
        });
        self.refused = true;
    }
}

/// The entries sorted by name; `None` if the container is refused.
pub(super) fn inspect(
    source: &mut dyn Source,
    limits: &Limits,
    report: &mut Report,
) -> io::Result<Option<Vec<Entry>>> {
    let mut findings = Findings { report, refused: false };
    let length = source.seek(SeekFrom::End(0))?;
    let mut buffer = vec![0; record_bytes(length)];
    let reader = At(RefCell::new(source));
    let located =
        ZipLocator::new().max_search_space(SEARCHED_BYTES).locate_in_reader(reader, &mut buffer, length);
    let archive = match located {
        Ok(archive) => archive,
        Err((_, error)) => return broken(error, &mut findings),
    };
    if archive.end_offset() > length {
        findings.refuse("container.broken", None);
        return Ok(None);
    }
    if archive.end_offset() < length {
        findings.refuse("container.extra-data", None);
    }
    if let Some(rule) = ending::fault(archive.get_ref(), archive.eocd_offset(), archive.directory_offset())? {
        findings.refuse(rule, None);
        return Ok(None);
    }
    let Directory { mut entries, mut extents } =
        match read_directory(&archive, limits, length, &mut buffer, &mut findings) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => return broken(error, &mut findings),
        };
    check_extents(&mut extents, archive.directory_offset(), &mut findings);
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    check_duplicates(&entries, &mut findings);
    Ok((!findings.refused).then_some(entries))
}

/// Bytes for a record of a container of that length: most containers are far smaller than a record may be.
fn record_bytes(length: u64) -> usize {
    RECORD_BYTES.min(usize::try_from(length).unwrap_or(RECORD_BYTES).max(LEAST_BYTES))
}

/// Tells a container that is broken from a source that cannot be read.
fn broken<T>(error: rawzip::Error, findings: &mut Findings<'_>) -> io::Result<Option<T>> {
    match error.into_kind() {
        ErrorKind::IO(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => {
            findings.refuse("container.broken", None);
            Ok(None)
        }
    }
}

/// Reads the central directory; `None` if it is too large to be kept.
fn read_directory(
    archive: &Archive<'_>,
    limits: &Limits,
    length: u64,
    buffer: &mut [u8],
    findings: &mut Findings<'_>,
) -> Result<Option<Directory>, rawzip::Error> {
    let mut directory = Directory::default();
    let (mut name_bytes, mut size, mut compressed) = (0_usize, 0_u64, 0_u64);
    let mut local = vec![0; (2 * usize::from(u16::MAX)).min(record_bytes(length))];
    let mut records = archive.entries(buffer);
    while let Some(record) = records.next_entry()? {
        if directory.entries.len() >= limits.entries {
            findings.refuse("container.too-many-files", None);
            return Ok(None);
        }
        let (entry, extent) = read_record(archive, &record, &mut local, findings)?;
        name_bytes += entry.name.len();
        size = size.saturating_add(entry.size);
        compressed = compressed.saturating_add(entry.compressed);
        if name_bytes > limits.name_bytes {
            findings.refuse("container.too-many-files", None);
            return Ok(None);
        }
        if exceeds_ratio(entry.size, entry.compressed, limits) {
            findings.refuse("container.ratio", Some(&entry.name));
        }
        directory.entries.push(entry);
        directory.extents.push(extent);
    }
    if directory.entries.len() as u64 != archive.entries_hint() {
        findings.refuse("container.broken", None);
    }
    if size > limits.total_bytes {
        findings.refuse("container.too-large", None);
    }
    if exceeds_ratio(size, compressed, limits) {
        findings.refuse("container.ratio", None);
    }
    Ok(Some(directory))
}

fn exceeds_ratio(size: u64, compressed: u64, limits: &Limits) -> bool {
    size > limits.ratio_free_bytes && size / limits.ratio > compressed
}

/// One entry by its record in the central directory and its local header, which must agree.
fn read_record(
    archive: &Archive<'_>,
    record: &ZipFileHeaderRecord<'_>,
    buffer: &mut [u8],
    findings: &mut Findings<'_>,
) -> Result<(Entry, Extent), rawzip::Error> {
    let path = record.file_path();
    let raw = path.as_bytes();
    let name = entry_name(raw, record.flags().is_utf8(), findings);
    let (size, compressed) = (record.uncompressed_size_hint(), record.compressed_size_hint());
    let method = record.compression_method();
    let is_known = method == CompressionMethod::STORE || method == CompressionMethod::DEFLATE;
    let flags = record.flags();
    if flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked() {
        findings.refuse("container.encrypted", Some(&name));
    } else if !is_known {
        findings.refuse("container.method", Some(&name));
    } else if method == CompressionMethod::STORE && size != compressed {
        findings.refuse("container.header-mismatch", Some(&name));
    }
    if is_special(record) {
        findings.refuse("container.special-file", Some(&name));
    }

    let place = archive.get_entry(record.wayfinder())?;
    let (data_start, end) = place.compressed_data_range();
    let local = place.local_header(buffer)?;
    let same_numbers = local.crc32() == record.crc32()
        && local.compressed_size_hint() == compressed
        && local.uncompressed_size_hint() == size;
    // With a data descriptor the local header may leave the numbers open.
    let left_open = flags.has_data_descriptor()
        && [0, u64::from(record.crc32())].contains(&u64::from(local.crc32()))
        && [0, compressed].contains(&local.compressed_size_hint())
        && [0, size].contains(&local.uncompressed_size_hint());
    let agrees = local.file_path().as_bytes() == raw
        && local.compression_method() == method
        && local.flags().bits() == flags.bits()
        && (same_numbers || left_open)
        && !has_other_name(record.extra_fields())
        && !has_other_name(local.extra_fields());
    if !agrees {
        findings.refuse("container.header-mismatch", Some(&name));
    }

    let start = record.local_header_offset();
    let deflated = method == CompressionMethod::DEFLATE;
    let entry = Entry { name: name.into(), data_start, compressed, size, crc: record.crc32(), deflated };
    let descriptor = match flags.has_data_descriptor() {
        true => {
            Some(descriptor::lengths(&ending::read(archive.get_ref(), end, descriptor::MOST_BYTES)?, &entry))
        }
        false => None,
    };
    Ok((entry, Extent { start, end, descriptor }))
}

/// Whether extra fields hold a name that some programs take instead of the header's (APPNOTE 4.6.9).
fn has_other_name(mut fields: ExtraFields<'_>) -> bool {
    fields.any(|(id, _)| id == ExtraFieldId::INFO_ZIP_UNICODE_PATH)
}

/// The decoded name, with a finding if it is not one that may be used.
fn entry_name(raw: &[u8], is_utf8: bool, findings: &mut Findings<'_>) -> String {
    let Some(decoded) = decode(raw, is_utf8) else {
        let name = String::from_utf8_lossy(raw).into_owned();
        findings.refuse("container.name-encoding", Some(&name));
        return name;
    };
    if let Some(rule) = fault(&decoded.name) {
        findings.refuse(rule, Some(&decoded.name));
    }
    if decoded.flag_is_missing {
        findings.report.add(Finding::warning("container.name-encoding").in_file(shown(&decoded.name)));
    }
    decoded.name
}

/// Whether the attributes say that the entry is not a plain file.
fn is_special(record: &ZipFileHeaderRecord<'_>) -> bool {
    const FILE_TYPE: u32 = 0o170_000;
    const PLAIN: u32 = 0o100_000;
    const MSDOS_FOLDER: u32 = 0x10;
    let attributes = record.external_attributes();
    let unix_type = (attributes >> 16) & FILE_TYPE;
    (unix_type != 0 && unix_type != PLAIN) || attributes & MSDOS_FOLDER != 0
}

/// Entries must follow each other without gaps, from the first byte to the central directory: what
/// lies between them or in two of them at once, another program might take for something else.
fn check_extents(extents: &mut [Extent], directory: u64, findings: &mut Findings<'_>) {
    extents.sort_unstable_by_key(|extent| extent.start);
    let (first, last) = (Extent::default(), Extent { start: directory, ..Extent::default() });
    let (mut overlaps, mut gaps, mut lies) = (false, false, false);
    let mut before = &first;
    for extent in extents.iter().chain([&last]) {
        match (extent.start.checked_sub(before.end), before.descriptor) {
            (None, _) => overlaps = true,
            (Some(gap), Some(lengths)) if lengths.has(gap) => {}
            (Some(gap), Some(_)) if descriptor::Lengths::ALL.has(gap) => lies = true,
            (Some(gap), descriptor) => gaps |= gap != 0 || descriptor.is_some(),
        }
        before = extent;
    }
    for (is_so, rule) in
        [(overlaps, "container.overlap"), (gaps, "container.extra-data"), (lies, "container.header-mismatch")]
    {
        if is_so {
            findings.refuse(rule, None);
        }
    }
}

/// Names must differ by more than case and composition, else a file could take another's place.
fn check_duplicates(entries: &[Entry], findings: &mut Findings<'_>) {
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    for entry in entries {
        if !seen.insert(folded(&entry.name)) {
            findings.refuse("container.duplicate-name", Some(&entry.name));
        }
    }
}
