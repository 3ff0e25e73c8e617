//! A bundle of a case with 50 events among a tenant's 120, in three batches, two of them stamped, and two payloads.

use std::{
    io::{Cursor, Read, Write},
    sync::LazyLock,
};

use crate::tsa::Tsa;
use seal::{
    Digest,
    bundle::{
        BundleFile, BundleWriter, Content, EventRecord, PayloadInfo, ProofRecord, Report, SignedBatch, Trust,
        verify_with,
    },
    chain::{Batch, Entry, Salt, event_digest, tree},
    evidence_key::{EvidenceKey, EvidencePublicKey},
    payload::Digester,
    timestamp::Authorities,
};
use serde_json::{Value, json};
use uuid::Uuid;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

pub(crate) const TENANT: &str = "kreis";
pub(crate) const CASE: Uuid = Uuid::from_u128(0xca5e);
/// 16 chunks, the last one short; its content is in the bundle.
pub(crate) const LARGE: Uuid = Uuid::from_u128(0xa);
/// 2 chunks; its content is not in the bundle.
pub(crate) const SMALL: Uuid = Uuid::from_u128(0xb);
pub(crate) const LARGE_SIZE: usize = 1_000_000;

/// A payload's description and the digests of its chunks.
pub(crate) struct Described {
    pub(crate) info: PayloadInfo,
    pub(crate) chunks: Vec<Digest>,
}

/// Everything that a store would hold about the case.
pub(crate) struct Case {
    pub(crate) key: EvidenceKey,
    pub(crate) events: Vec<EventRecord>,
    pub(crate) proofs: Vec<ProofRecord>,
    pub(crate) batches: Vec<SignedBatch>,
    /// Over the heads of batches 1 and 3.
    pub(crate) stamps: Vec<(u64, Vec<u8>)>,
    pub(crate) authorities: Authorities,
    pub(crate) large: Described,
    pub(crate) small: Described,
}

pub(crate) fn large_content() -> Vec<u8> {
    (0..LARGE_SIZE as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(crate) fn describe(id: Uuid, content: &[u8]) -> Described {
    let mut digester = Digester::new();
    digester.update(content);
    let (digest, chunks) = digester.finish();
    Described { info: PayloadInfo::new(id, &digest), chunks }
}

impl Case {
    pub(crate) fn new() -> Self {
        let (large, small) = (describe(LARGE, &large_content()), describe(SMALL, &[7; 70_000]));
        let tenant_events: Vec<_> = (1..=120).map(|number| (number, event(number, &large, &small))).collect();
        let entries: Vec<Entry> = tenant_events
            .iter()
            .map(|(number, event)| Entry {
                number: *number,
                event_id: event_id(*number),
                digest: event_digest(&salt(*number), event).unwrap(),
            })
            .collect();
        let key = EvidenceKey::random().unwrap();
        let tsa = Tsa::good();
        let mut case = Self {
            key,
            events: Vec::new(),
            proofs: Vec::new(),
            batches: Vec::new(),
            stamps: Vec::new(),
            authorities: tsa.authorities(),
            large,
            small,
        };
        for entries in [&entries[..37], &entries[37..38], &entries[38..]] {
            case.seal(entries);
        }
        for no in [1, 3] {
            let head = case.batches[no as usize - 1].batch.head;
            case.stamps.push((no, tsa.stamp(&head.0)));
        }
        for (entry, (number, event)) in entries.iter().zip(tenant_events) {
            if is_ours(number) {
                // Events 20 and 40 were erased.
                let content = match number % 20 {
                    0 => Content::Erased { digest: entry.digest },
                    _ => Content::Full { salt: salt(number), event },
                };
                case.events.push(EventRecord { number, event_id: entry.event_id, content });
            }
        }
        case
    }

    fn seal(&mut self, entries: &[Entry]) {
        let previous = self.batches.last().map(|signed| &signed.batch);
        let batch = Batch::seal(TENANT, previous, entries, 1_750_000_000_000_000).unwrap();
        let tree = tree(entries);
        for (index, entry) in (0..).zip(entries) {
            if is_ours(entry.number) {
                let path = tree.proof(index).unwrap();
                self.proofs.push(ProofRecord { number: entry.number, batch: batch.no, index, path });
            }
        }
        self.batches.push(batch.sign(&self.key).unwrap());
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer =
            BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 1_760_000_000_000_000).unwrap();
        self.events.iter().for_each(|event| writer.event(event).unwrap());
        self.proofs.iter().for_each(|proof| writer.proof(proof).unwrap());
        self.batches.iter().for_each(|batch| writer.batch(batch).unwrap());
        for (no, response) in &self.stamps {
            writer.stamp(*no, &self.batches[*no as usize - 1].batch.head, response).unwrap();
        }
        writer.payload(&self.large.info, self.large.chunks.iter().copied()).unwrap();
        let mut content = writer.content(LARGE).unwrap();
        content.write_all(&large_content()).unwrap();
        content.close().unwrap();
        writer.payload(&self.small.info, self.small.chunks.iter().copied()).unwrap();
        writer.finish(&self.key).unwrap().into_inner()
    }

    pub(crate) fn public(&self) -> EvidencePublicKey {
        self.key.public().unwrap()
    }
}

fn is_ours(number: u64) -> bool {
    number.is_multiple_of(2) && number <= 100
}

fn event_id(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) << 64 | 0xe)
}

fn salt(number: u64) -> Salt {
    let mut salt = [0x5a; 16];
    salt[8..].copy_from_slice(&number.to_be_bytes());
    Salt(salt)
}

fn event(number: u64, large: &Described, small: &Described) -> Value {
    let mut event = json!({ "type": "documentAdded", "at": 1_750_000_000_000_000_u64 + number, "title": "Straße „Nord“ \u{1f3e0}" });
    match number {
        4 => event["payload"] = json!(large.info),
        50 => event["payloads"] = json!([large.info, small.info]),
        _ => {}
    }
    event
}

pub(crate) static THE_CASE: LazyLock<Case> = LazyLock::new(Case::new);
pub(crate) static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| THE_CASE.write());

/// A file's name in the bundle and its bytes.
pub(crate) type Entries = Vec<(String, Vec<u8>)>;

pub(crate) fn unzip(bundle: &[u8]) -> Entries {
    let mut zip = ZipArchive::new(Cursor::new(bundle)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().to_owned(), bytes)
        })
        .collect()
}

pub(crate) fn zip(entries: &Entries) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The bundle's files, to be tampered with.
pub(crate) fn entries() -> Entries {
    static ENTRIES: LazyLock<Entries> = LazyLock::new(|| unzip(&BUNDLE));
    ENTRIES.clone()
}

pub(crate) fn bytes_of(entries: &mut Entries, file: BundleFile) -> &mut Vec<u8> {
    &mut entries.iter_mut().find(|(name, _)| *name == file.to_string()).unwrap().1
}

pub(crate) fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Verifies against the true key and the true authority.
pub(crate) fn verdict(bundle: &[u8]) -> Report {
    let (key, authorities) = (THE_CASE.public(), &THE_CASE.authorities);
    let trust = Trust { key: Some(&key), authorities: Some(authorities), require_stamps: false };
    verify_with(Cursor::new(bundle), trust, |_| {})
}

pub(crate) fn verdict_on(entries: &Entries) -> Report {
    verdict(&zip(entries))
}

/// The codes found, for messages and sets.
pub(crate) fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}
