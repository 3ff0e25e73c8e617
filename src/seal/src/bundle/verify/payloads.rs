//! Checks the payloads: their digest lists in themselves, and their content chunk by chunk.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read, Seek},
};

use uuid::Uuid;

use super::{Verification, read_full};
use crate::{
    Digest, Sha256Writer,
    bundle::{
        Absence, BundleFile, FileRecord, PayloadInfo, Place,
        format::{CHUNKS_CLOSE, CHUNKS_OPEN},
        lines::{LineFault, Lines, parse},
    },
    merkle::{RootBuilder, leaf_hash},
    payload::{CHUNK, chunk_count, chunk_digest},
};

/// The payloads by id; `None` if a file with digests is there but cannot be read.
pub(super) type Payloads = BTreeMap<Uuid, Option<Payload>>;

/// A payload whose file with digests could be read.
pub(super) struct Payload {
    pub(super) info: PayloadInfo,
    /// Whether an event names it.
    pub(super) is_named: bool,
    /// Whether the chunk root belongs to the chunk digests.
    root_fits: bool,
}

/// Reads every `payloads/<uuid>.json`.
pub(super) fn read_infos<R: Read + Seek>(run: &mut Verification<'_, R>) -> Payloads {
    let mut payloads = Payloads::new();
    for (file, _) in run.archive.files() {
        let BundleFile::PayloadInfo(id) = file else { continue };
        // A file that the manifest does not list was named already.
        if run.manifest.files.contains_key(&file) {
            payloads.insert(id, read_info(run, id));
            run.check_digest(file);
        }
    }
    run.report.counts.payloads = payloads.len() as u64;
    payloads
}

fn read_info<R: Read + Seek>(run: &mut Verification<'_, R>, id: Uuid) -> Option<Payload> {
    let file = BundleFile::PayloadInfo(id);
    let mut list = DigestList::new(run.read(file)?);
    match list.read_all(id) {
        Ok((info, root)) => Some(Payload { info, is_named: false, root_fits: root == info.chunk_root }),
        Err(fault) => {
            let place = Place::line(file, list.lines.number());
            let code = if fault == LineFault::Unreadable { fault.code() } else { "evidence.payload-invalid" };
            run.report.find(code, place, "the line is not the one that belongs here");
            None
        }
    }
}

/// Checks content against digests, and that an event vouches for each payload.
pub(super) fn check<R: Read + Seek>(run: &mut Verification<'_, R>, payloads: &Payloads) {
    // Where an event or its proof is damaged, nobody can say which payloads it named.
    let events_are_whole = [BundleFile::Events, BundleFile::Proofs]
        .into_iter()
        .all(|file| run.read(file).is_some() && !run.report.blames(file));
    for (id, payload) in payloads {
        let (info_file, content_file) = (BundleFile::PayloadInfo(*id), BundleFile::PayloadContent(*id));
        let has_content = run.read(content_file).is_some();
        run.report.counts.contents += u64::from(has_content);
        let Some(payload) = payload else {
            run.check_digest(content_file);
            continue;
        };
        if events_are_whole && !payload.is_named {
            let what = "no event names this payload";
            run.report.find("evidence.payload-unreferenced", Place::file(info_file), what);
        }
        if has_content {
            check_content(run, payload);
        }
        if !payload.root_fits && !run.report.blames(info_file) {
            let what = "the chunk root does not belong to the chunk digests";
            run.report.find("evidence.payload-invalid", Place::line(info_file, 1), what);
        }
    }
}

fn check_content<R: Read + Seek>(run: &mut Verification<'_, R>, payload: &Payload) {
    let id = payload.info.id;
    let (info_file, content_file) = (BundleFile::PayloadInfo(id), BundleFile::PayloadContent(id));
    let (Some(info), Some(mut content)) = (run.read(info_file), run.read(content_file)) else {
        return;
    };
    let mut list = DigestList::new(info);
    // The head was read and judged before; here it is only passed over.
    if list.head(id).is_err() {
        return;
    }
    let Ok((found, first_wrong)) = compare_chunks(run, &mut content, &mut list) else {
        run.report.find(
            "evidence.unreadable",
            Place::file(content_file),
            "the file cannot be read to its end",
        );
        return;
    };
    run.note_digest(content_file, found);
    let Some(chunk) = first_wrong else {
        if (found.size, found.sha256) != (payload.info.size, payload.info.sha256) {
            let what = "size or digest do not belong to the content, though each chunk's does";
            run.report.find("evidence.payload-invalid", Place::line(info_file, 1), what);
        }
        return;
    };
    if run.changed.contains(&content_file) || !run.changed.contains(&info_file) {
        // The exporter's own signed bytes end early, and he says so.
        let lost =
            !run.changed.contains(&content_file) && run.manifest.absent.get(&id) == Some(&Absence::Lost);
        let (code, what) = match lost {
            true => {
                ("evidence.content-lost", "the gateway could not read this chunk any more, nor what follows")
            }
            false => ("evidence.chunk-changed", "this chunk is not the one that was taken in"),
        };
        let offset = chunk.saturating_mul(CHUNK as u64);
        let place = Place { chunk: Some(chunk), offset: Some(offset), ..Place::file(content_file) };
        run.report.find(code, place, what);
    } else {
        let what = "this digest is not the one of the payload's chunk";
        run.report.find("evidence.payload-invalid", Place::line(info_file, chunk + 2), what);
    }
}

/// Reads content beside its chunk digests; returns its size and digest, and the index of the first chunk that differs.
fn compare_chunks<R: Read + Seek>(
    run: &mut Verification<'_, R>,
    content: &mut impl BufRead,
    list: &mut DigestList<impl BufRead>,
) -> io::Result<(FileRecord, Option<u64>)> {
    let mut hash = Sha256Writer::new();
    let mut first_wrong: Option<u64> = None;
    let mut buffer = vec![0; CHUNK];
    for index in 0.. {
        let length = read_full(content, &mut buffer)?;
        hash.update(&buffer[..length]);
        run.tick();
        let fits = match list.next() {
            Some(Ok(digest)) => digest == chunk_digest(&buffer[..length]),
            Some(Err(_)) => false,
            None => length == 0,
        };
        if !fits {
            first_wrong.get_or_insert(index);
        }
        if length < CHUNK {
            // Digests may be left over: then the content was cut behind this chunk.
            if list.next().is_some() {
                first_wrong.get_or_insert(index + 1);
            }
            break;
        }
    }
    Ok((FileRecord { size: hash.size(), sha256: hash.finish() }, first_wrong))
}

/// A payload's JSON file, line by line.
struct DigestList<B> {
    lines: Lines<B>,
    /// Chunk digests still to come, as the size demands.
    left: u64,
}

impl<B: BufRead> DigestList<B> {
    fn new(reader: B) -> Self {
        Self { lines: Lines::new(reader), left: 0 }
    }

    /// Reads the whole file; returns what it says and the Merkle root over its chunk digests.
    fn read_all(&mut self, id: Uuid) -> Result<(PayloadInfo, Digest), LineFault> {
        let info = self.head(id)?;
        let mut root = RootBuilder::new();
        while let Some(digest) = self.next() {
            root.push(leaf_hash(&digest?.0));
        }
        if self.line()? != CHUNKS_CLOSE.as_bytes() || self.lines.next().is_some() {
            return Err(LineFault::Malformed);
        }
        Ok((info, root.root()))
    }

    fn head(&mut self, id: Uuid) -> Result<PayloadInfo, LineFault> {
        let line = self.line()?;
        let members = line.strip_suffix(CHUNKS_OPEN.as_bytes()).ok_or(LineFault::Malformed)?;
        let info: PayloadInfo = parse(&[members, b"}"].concat())?;
        if info.id != id {
            return Err(LineFault::Malformed);
        }
        self.left = chunk_count(info.size);
        Ok(info)
    }

    /// The next chunk's digest; `None` behind the last one.
    fn next(&mut self) -> Option<Result<Digest, LineFault>> {
        self.left = self.left.checked_sub(1)?;
        let end: &[u8] = if self.left == 0 { b"\"" } else { b"\"," };
        let digest = self.line().and_then(|line| {
            let text = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(end));
            let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(LineFault::Malformed)?;
            let digest: Digest = text.parse().map_err(|_| LineFault::Malformed)?;
            // Hex has two spellings, a digest list only one.
            if digest.to_string() == text { Ok(digest) } else { Err(LineFault::Malformed) }
        });
        if digest.is_err() {
            self.left = 0;
        }
        Some(digest)
    }

    fn line(&mut self) -> Result<&[u8], LineFault> {
        self.lines.next().unwrap_or(Err(LineFault::Malformed))
    }
}
