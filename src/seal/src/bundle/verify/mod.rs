//! The offline verifier of a bundle. It trusts nothing in it, extracts nothing, and holds one record at a time.
//!
//! In order: the ZIP's form; the manifest's signature; the files that it lists; the payloads' digest lists; the digests
//! of the other files; events, proofs and batches in one parallel walk; the payloads' content chunk by chunk. Digests
//! say WHICH file changed; the walks say WHERE. Whatever changed without a walk noticing is named as a whole file.

mod batches;
mod events;
mod payloads;
mod stamps;

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read, Seek},
};

use super::{
    Absence, BundleFile, FileRecord, MAX_MANIFEST, MAX_SIGNATURE, Manifest, Place, Report,
    archive::{Archive, EntryReader, Fault},
    format::{FORMAT, VERSION},
    report::MAX_FINDINGS,
};
use crate::{
    Sha256Writer,
    evidence_key::{EvidenceKeys, EvidencePublicKey, Signature},
    timestamp::Authorities,
};

/// How far the verification is, in bytes to be read (some files are read twice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes to be read.
    pub total: u64,
}

/// Bytes between two calls of the progress callback.
const PROGRESS_STEP: u64 = 1024 * 1024;

/// What the auditor knows from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'a> {
    /// The key known to be the gateway's; without it the report says only that the bundle is consistent with the key
    /// inside (see [`Report::key_trusted`]).
    pub key: Option<&'a EvidencePublicKey>,
    /// The time stamp authorities; without them the report says only that the stamps are consistent in themselves (see
    /// [`Report::stamps_trusted`]).
    pub authorities: Option<&'a Authorities>,
    /// Whether an event that no time stamp covers is a finding.
    pub require_stamps: bool,
}

/// Verifies a bundle against `key`, without authorities of time stamps; see [`verify_with`].
pub fn verify(
    bundle: impl Read + Seek,
    key: Option<&EvidencePublicKey>,
    progress: impl FnMut(Progress),
) -> Report {
    verify_with(bundle, Trust { key, ..Trust::default() }, progress)
}

/// Verifies a bundle against what the auditor trusts.
pub fn verify_with(bundle: impl Read + Seek, trust: Trust<'_>, mut progress: impl FnMut(Progress)) -> Report {
    let mut report = Report::default();
    match Archive::open(bundle) {
        Ok(archive) => {
            if let Some((manifest, keys)) = read_manifest(&archive, trust.key, &mut report) {
                let mut run = Verification::new(&archive, &manifest, &keys, &mut report, &mut progress);
                run.trust = trust;
                run.run();
            }
        }
        Err(Fault::Unreadable) => {
            report.find("evidence.unreadable", Place::default(), "the file cannot be read to its end");
        }
        Err(Fault::Form(what)) => report.find("evidence.not-a-bundle", Place::default(), what),
    }
    report.close()
}

/// One run over a bundle whose manifest could be read.
struct Verification<'a, R> {
    archive: &'a Archive<R>,
    manifest: &'a Manifest,
    /// Those that the manifest names.
    keys: &'a EvidenceKeys,
    trust: Trust<'a>,
    report: &'a mut Report,
    /// Files whose bytes are not the ones that the manifest lists.
    changed: BTreeSet<BundleFile>,
    progress: &'a mut dyn FnMut(Progress),
    reported: Progress,
}

impl<'a, R: Read + Seek> Verification<'a, R> {
    fn new(
        archive: &'a Archive<R>,
        manifest: &'a Manifest,
        keys: &'a EvidenceKeys,
        report: &'a mut Report,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let reads = |file| match file {
            BundleFile::Manifest | BundleFile::Signature | BundleFile::PayloadContent(_) => 1,
            BundleFile::StampedHead(_) | BundleFile::Stamp(_) => 1,
            BundleFile::Events | BundleFile::Proofs | BundleFile::Batches => 2,
            BundleFile::PayloadInfo(id) => {
                1 + u64::from(archive.size(BundleFile::PayloadContent(id)).is_some())
            }
        };
        let total =
            archive.files().map(|(file, size)| size.saturating_mul(reads(file))).fold(0, u64::saturating_add);
        let reported = Progress { done: 0, total };
        Self {
            archive,
            manifest,
            keys,
            trust: Trust::default(),
            report,
            changed: BTreeSet::new(),
            progress,
            reported,
        }
    }

    fn run(mut self) {
        self.check_presence();
        let mut payloads = payloads::read_infos(&mut self);
        for file in [BundleFile::Events, BundleFile::Proofs, BundleFile::Batches] {
            self.check_digest(file);
        }
        events::walk(&mut self, &mut payloads);
        self.note_erased_payloads();
        payloads::check(&mut self, &payloads);
        self.check_counts();
        self.name_remaining_changes();
        (self.progress)(Progress { done: self.reported.total, ..self.reported });
    }

    /// The content of a file that is both there and listed.
    fn read(&self, file: BundleFile) -> Option<EntryReader<'a, R>> {
        self.manifest.files.get(&file)?;
        self.archive.read(file)
    }

    fn check_presence(&mut self) {
        for index in &self.archive.strangers {
            let what = format!("entry {index} of the ZIP is no file of a bundle");
            self.report.find("evidence.file-extra", Place::default(), what);
        }
        let signed = |file| matches!(file, BundleFile::Manifest | BundleFile::Signature);
        for (file, _) in self.archive.files() {
            if !signed(file) && !self.manifest.files.contains_key(&file) {
                self.report.find(
                    "evidence.file-extra",
                    Place::file(file),
                    "the manifest does not list this file",
                );
            }
        }
        for file in self.manifest.files.keys() {
            if self.archive.size(*file).is_none() {
                self.report.find("evidence.file-missing", Place::file(*file), "the manifest lists this file");
            }
        }
    }

    fn check_digest(&mut self, file: BundleFile) {
        let Some(mut content) = self.read(file) else { return };
        let mut hash = Sha256Writer::new();
        let copied = io::copy(&mut content, &mut hash);
        self.tick();
        if copied.is_err() {
            self.report.find("evidence.unreadable", Place::file(file), "the file cannot be read to its end");
        }
        self.note_digest(file, FileRecord { size: hash.size(), sha256: hash.finish() });
    }

    /// Remembers a file whose bytes are not the listed ones.
    fn note_digest(&mut self, file: BundleFile, found: FileRecord) {
        if self.manifest.files.get(&file) != Some(&found) {
            self.changed.insert(file);
        }
    }

    /// Whether only the proofs were changed, or only the events: then a mismatch between the two is that file's fault.
    fn only_changed(&self, file: BundleFile) -> bool {
        let changed = |file| self.changed.contains(&file);
        changed(file) && changed(BundleFile::Events) != changed(BundleFile::Proofs)
    }

    fn check_counts(&mut self) {
        let (signed, found) = (self.manifest.counts, self.report.counts);
        for (file, what, signed, found) in [
            (BundleFile::Events, "events", signed.events, found.events),
            (BundleFile::Proofs, "proofs", signed.events, self.report.proofs),
            (BundleFile::Batches, "batches", signed.batches, found.batches),
        ] {
            if self.read(file).is_none() || signed == found {
                continue;
            }
            let place = Place::line(file, found.min(signed) + 1);
            let (code, verb) = match found < signed {
                true => ("evidence.tail-cut", "ends early"),
                false => ("evidence.count-differs", "goes on"),
            };
            self.report.find(code, place, format!("the file {verb}: {signed} {what} signed, {found} found"));
        }
        self.check_counts_of_files();
    }

    fn note_erased_payloads(&mut self) {
        let erased = self.manifest.absent.iter().filter(|(_, why)| **why == Absence::Erased);
        self.report.erased_payloads = erased.map(|(id, _)| *id).take(MAX_FINDINGS).collect();
    }

    /// Missing and added files were named one by one; here the manifest contradicts itself.
    fn check_counts_of_files(&mut self) {
        let (mut payloads, mut contents, mut stamps) = (0, 0, 0);
        for file in self.manifest.files.keys() {
            match file {
                BundleFile::Stamp(_) => stamps += 1,
                BundleFile::PayloadInfo(_) => payloads += 1,
                BundleFile::PayloadContent(_) => contents += 1,
                _ => {}
            }
        }
        let signed = self.manifest.counts;
        let erased_fits =
            signed.erased == self.report.counts.erased || self.report.blames(BundleFile::Events);
        let fits = (payloads, contents, stamps) == (signed.payloads, signed.contents, signed.stamps);
        if !fits || !erased_fits {
            let place = Place::file(BundleFile::Manifest);
            self.report.find("evidence.count-differs", place, "the counts do not fit the files");
        }
    }

    fn name_remaining_changes(&mut self) {
        for file in std::mem::take(&mut self.changed) {
            if !self.report.blames(file) {
                let what = "the file's bytes are not the ones that were signed";
                self.report.find("evidence.file-changed", Place::file(file), what);
            }
        }
    }

    fn tick(&mut self) {
        let done = self.archive.bytes_read().min(self.reported.total);
        if done >= self.reported.done + PROGRESS_STEP {
            self.reported.done = done;
            (self.progress)(self.reported);
        }
    }
}

/// Reads the manifest and checks its signature; `None` if there is nothing to go on with.
fn read_manifest<R: Read + Seek>(
    archive: &Archive<R>,
    trusted: Option<&EvidencePublicKey>,
    report: &mut Report,
) -> Option<(Manifest, EvidenceKeys)> {
    let invalid = "evidence.manifest-invalid";
    let bytes = read_small(archive, BundleFile::Manifest, MAX_MANIFEST, invalid, report)?;
    let parsed = serde_json::from_slice::<Manifest>(&bytes).ok().filter(is_complete);
    let keyed = parsed.and_then(|manifest| {
        let keys = EvidenceKeys::from_pems(&manifest.public_key, &manifest.older_keys).ok()?;
        Some((manifest, keys))
    });
    let Some((manifest, keys)) = keyed else {
        let what = "this is no manifest of version 1";
        report.find(invalid, Place::file(BundleFile::Manifest), what);
        return None;
    };
    let key = keys.current();
    let signature = read_small(archive, BundleFile::Signature, MAX_SIGNATURE, invalid, report)?;
    if !key.verifies(&bytes, &Signature(signature)) {
        let what = "the signature does not belong to the manifest";
        report.find("evidence.manifest-signature", Place::file(BundleFile::Signature), what);
    }
    if let Some(trusted) = trusted {
        report.key_trusted = trusted.fingerprint() == key.fingerprint();
        if !report.key_trusted {
            let what = "the bundle was signed with another key than the trusted one";
            report.find("evidence.key-untrusted", Place::file(BundleFile::Manifest), what);
        }
    }
    report.key_fingerprint = Some(key.fingerprint());
    report.tenant = Some(manifest.tenant.clone());
    report.case_id = Some(manifest.case_id);
    report.created_at_micros = Some(manifest.created_at_micros);
    Some((manifest, keys))
}

fn is_complete(manifest: &Manifest) -> bool {
    let lists = |file: BundleFile| manifest.files.contains_key(&file);
    let described = |file: &BundleFile| match file {
        BundleFile::PayloadContent(id) => lists(BundleFile::PayloadInfo(*id)),
        BundleFile::Stamp(no) => lists(BundleFile::StampedHead(*no)),
        BundleFile::StampedHead(no) => lists(BundleFile::Stamp(*no)),
        BundleFile::Manifest | BundleFile::Signature => false,
        _ => true,
    };
    manifest.format == FORMAT
        && manifest.version == VERSION
        && [BundleFile::Events, BundleFile::Proofs, BundleFile::Batches].into_iter().all(lists)
        && manifest.files.keys().all(described)
}

fn read_small<R: Read + Seek>(
    archive: &Archive<R>,
    file: BundleFile,
    limit: u64,
    too_long: &'static str,
    report: &mut Report,
) -> Option<Vec<u8>> {
    let Some(content) = archive.read(file) else {
        report.find("evidence.file-missing", Place::file(file), "a bundle without this file proves nothing");
        return None;
    };
    if archive.size(file) > Some(limit) {
        report.find(too_long, Place::file(file), "the file is too long");
        return None;
    }
    let mut bytes = Vec::new();
    if content.take(limit).read_to_end(&mut bytes).is_err() {
        report.find("evidence.unreadable", Place::file(file), "the file cannot be read to its end");
        return None;
    }
    Some(bytes)
}

/// Fills `buffer` as far as the content reaches; returns the filled length.
fn read_full(content: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..])? {
            0 => break,
            got => filled += got,
        }
    }
    Ok(filled)
}
