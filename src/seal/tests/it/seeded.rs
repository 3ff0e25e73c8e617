//! Seeded manipulations of a bundle: each must be found, and named by what was done and where.
//!
//! `AMTSBOTE_SEEDS` says how many (300 if it is not set); a failure prints its seed, and `AMTSBOTE_SEED` repeats one.

use std::collections::BTreeMap;

use fastrand::Rng;
use seal::{
    bundle::{BundleFile, Place, Report},
    payload::CHUNK,
    sha256,
};

use crate::fixture::{BUNDLE, Entries, LARGE, SMALL, THE_CASE, bytes_of, entries, lines_of, verdict, zip};

const LINE_FILES: [BundleFile; 3] = [BundleFile::Events, BundleFile::Proofs, BundleFile::Batches];

/// A manipulated bundle, and where the verifier must point to.
struct Manipulated {
    bundle: Vec<u8>,
    /// Codes of which one must be found.
    codes: &'static [&'static str],
    /// What that finding must at least say of the place.
    place: Place,
}

impl Manipulated {
    fn new(bundle: Vec<u8>, codes: &'static [&'static str], place: Place) -> Self {
        Self { bundle, codes, place }
    }

    fn is_named_by(&self, report: &Report) -> bool {
        let fits = |wanted: Option<u64>, found: Option<u64>| wanted.is_none() || wanted == found;
        !report.ok
            && report.findings.iter().any(|finding| {
                let found = finding.place;
                self.codes.contains(&finding.code)
                    && (self.place.file.is_none() || self.place.file == found.file)
                    && fits(self.place.line, found.line)
                    && fits(self.place.event, found.event)
                    && fits(self.place.batch, found.batch)
                    && fits(self.place.chunk, found.chunk)
            })
    }
}

fn file(file: BundleFile) -> Place {
    Place { file: Some(file), ..Place::default() }
}

fn line(of: BundleFile, index: usize) -> Place {
    Place { line: Some(index as u64 + 1), ..file(of) }
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) -> usize {
    let at = rng.usize(..bytes.len());
    bytes[at] ^= rng.u8(1..);
    at
}

/// Changes one byte of a record.
fn record(rng: &mut Rng) -> Manipulated {
    let (of, mut files) = (pick(rng, &LINE_FILES), entries());
    let bytes = bytes_of(&mut files, of);
    let at = flip(rng, bytes);
    // A line feed that is changed, or one that comes in, is seen in the line where it stands.
    let index = line_of(of, at);
    let codes = &[
        "evidence.line-invalid",
        "evidence.event-changed",
        "evidence.proof-wrong",
        "evidence.batch-changed",
        "evidence.batch-signature",
        "evidence.batch-gap",
        "evidence.order",
        "evidence.event-missing",
        "evidence.proof-missing",
    ];
    Manipulated::new(zip(&files), codes, line(of, index))
}

/// The index of the line in which the byte stands.
fn line_of(of: BundleFile, at: usize) -> usize {
    bytes_of(&mut entries(), of)[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// Changes a hex digit into another one in a named member of a record.
fn member(rng: &mut Rng) -> Manipulated {
    let (of, name, codes): (_, _, &[&str]) = pick(
        rng,
        &[
            (BundleFile::Events, "\"salt\":\"", &["evidence.event-changed"][..]),
            (BundleFile::Events, "\"digest\":\"", &["evidence.event-changed"]),
            (BundleFile::Events, "\"eventId\":\"", &["evidence.event-changed"]),
            (BundleFile::Proofs, "\"path\":[\"", &["evidence.proof-wrong"]),
            (BundleFile::Batches, "\"signature\":\"", &["evidence.batch-signature"]),
            (BundleFile::Batches, "\"root\":\"", &["evidence.batch-changed"]),
            (BundleFile::Batches, "\"previousHead\":\"", &["evidence.batch-changed"]),
        ],
    );
    let mut files = entries();
    let bytes = bytes_of(&mut files, of);
    let mut lines = lines_of(bytes);
    let places: Vec<(usize, usize)> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| {
            let at = line.windows(name.len()).position(|window| window == name.as_bytes())?;
            Some((index, at + name.len()))
        })
        .collect();
    let (index, at) = pick(rng, &places);
    let digit = &mut lines[index][at + rng.usize(..8)];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    *bytes = lines.concat();
    // Whoever holds the gateway's key may sign the manifest anew: the chain still tells. (Of a proof and an event that do
    // not fit, it then tells that they do not, but not which of them was changed.)
    if of != BundleFile::Proofs && rng.bool() {
        sign_anew(&mut files, of);
    }
    Manipulated::new(zip(&files), codes, line(of, index))
}

/// Lists the file's present bytes in the manifest and signs that.
fn sign_anew(files: &mut Entries, of: BundleFile) {
    let digest = sha256(&[bytes_of(files, of)]);
    let size = bytes_of(files, of).len();
    let manifest = bytes_of(files, BundleFile::Manifest);
    let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    value["files"][of.to_string()] = serde_json::json!({ "sha256": digest, "size": size });
    *manifest = value.to_string().into_bytes();
    let signature = THE_CASE.key.sign(manifest).unwrap();
    *bytes_of(files, BundleFile::Signature) = signature.0;
}

fn chunk(rng: &mut Rng) -> Manipulated {
    let (of, mut files) = (BundleFile::PayloadContent(LARGE), entries());
    let content = bytes_of(&mut files, of);
    let at = match rng.u8(..3) {
        0 => {
            let length = rng.usize(..content.len());
            content.truncate(length);
            length
        }
        1 => {
            let (a, b) = (rng.usize(..15), rng.usize(..15));
            let (a, b) = (a.min(b), if a == b { a + 1 } else { a.max(b) });
            if b == 15 {
                content.swap(a * CHUNK, b * CHUNK)
            } else {
                swap_chunks(content, a, b)
            }
            a * CHUNK
        }
        _ => flip(rng, content),
    };
    let place = Place { chunk: Some((at / CHUNK) as u64), ..file(of) };
    Manipulated::new(zip(&files), &["evidence.chunk-changed"], place)
}

fn swap_chunks(content: &mut [u8], a: usize, b: usize) {
    let (before, behind) = content.split_at_mut(b * CHUNK);
    before[a * CHUNK..(a + 1) * CHUNK].swap_with_slice(&mut behind[..CHUNK]);
}

fn digest_list(rng: &mut Rng) -> Manipulated {
    let (of, mut files) = (BundleFile::PayloadInfo(pick(rng, &[LARGE, SMALL])), entries());
    flip(rng, bytes_of(&mut files, of));
    let codes = &["evidence.payload-invalid", "evidence.payload-differs", "evidence.file-changed"];
    Manipulated::new(zip(&files), codes, file(of))
}

fn stamp(rng: &mut Rng) -> Manipulated {
    let no = pick(rng, &[1, 3]);
    let (of, mut files) = (pick(rng, &[BundleFile::Stamp(no), BundleFile::StampedHead(no)]), entries());
    let codes = &["evidence.stamp-wrong", "evidence.file-changed"];
    if rng.u8(..4) == 0 {
        let other = bytes_of(&mut files, BundleFile::Stamp(4 - no)).clone();
        *bytes_of(&mut files, BundleFile::Stamp(no)) = other;
        sign_anew(&mut files, BundleFile::Stamp(no));
        return Manipulated::new(zip(&files), &["evidence.stamp-wrong"], file(BundleFile::Stamp(no)));
    }
    flip(rng, bytes_of(&mut files, of));
    Manipulated::new(zip(&files), codes, file(of))
}

fn manifest(rng: &mut Rng) -> Manipulated {
    let (of, mut files) = (pick(rng, &[BundleFile::Manifest, BundleFile::Signature]), entries());
    flip(rng, bytes_of(&mut files, of));
    Manipulated::new(
        zip(&files),
        &["evidence.manifest-invalid", "evidence.manifest-signature"],
        Place::default(),
    )
}

/// Cuts, removes, swaps, doubles lines.
fn lines(rng: &mut Rng) -> Manipulated {
    let (of, mut files) = (pick(rng, &LINE_FILES), entries());
    let bytes = bytes_of(&mut files, of);
    let mut lines = lines_of(bytes);
    let index = rng.usize(..lines.len());
    let (codes, place): (&[&str], _) = match rng.u8(..4) {
        0 => {
            lines.truncate(index);
            (&["evidence.tail-cut"], line(of, index))
        }
        1 => {
            lines.remove(index);
            let missing = &[
                "evidence.event-missing",
                "evidence.proof-missing",
                "evidence.batch-gap",
                "evidence.tail-cut",
            ];
            (missing, line(of, index))
        }
        2 => {
            let other = (index + 1 + rng.usize(..lines.len() - 1)) % lines.len();
            lines.swap(index, other);
            let codes =
                &["evidence.event-missing", "evidence.proof-missing", "evidence.batch-gap", "evidence.order"];
            (codes, line(of, index.min(other)))
        }
        _ => {
            lines.insert(index + 1, lines[index].clone());
            (&["evidence.order", "evidence.batch-gap"], line(of, index + 1))
        }
    };
    *bytes = lines.concat();
    Manipulated::new(zip(&files), codes, place)
}

/// Removes, renames or adds a file.
fn whole_file(rng: &mut Rng) -> Manipulated {
    let mut files = entries();
    let index = rng.usize(..files.len());
    let of = BundleFile::parse(&files[index].0).unwrap();
    match rng.u8(..3) {
        0 => drop(files.remove(index)),
        1 => files[index].0 = "payloads/../x".to_owned(),
        _ => {
            let extra = BundleFile::Stamp(2);
            files.push((extra.to_string(), b"x".to_vec()));
            return Manipulated::new(zip(&files), &["evidence.file-extra"], file(extra));
        }
    }
    Manipulated::new(zip(&files), &["evidence.file-missing"], file(of))
}

/// Takes the batches of a bundle that was exported when the chain was shorter.
fn replayed(rng: &mut Rng) -> Manipulated {
    let mut files = entries();
    let keep = rng.usize(..3);
    let older = THE_CASE.batches[..keep].iter().flat_map(|batch| {
        let mut line = seal::canonical::serialize(batch).unwrap();
        line.push(b'\n');
        line
    });
    *bytes_of(&mut files, BundleFile::Batches) = older.collect();
    Manipulated::new(zip(&files), &["evidence.tail-cut"], line(BundleFile::Batches, keep))
}

/// Cuts the ZIP, appends to it, or has an entry come twice.
fn archive(rng: &mut Rng) -> Manipulated {
    let mut bundle = BUNDLE.clone();
    let codes = &["evidence.not-a-bundle", "evidence.unreadable"];
    match rng.u8(..3) {
        0 => bundle.truncate(rng.usize(..bundle.len())),
        1 => bundle.extend((0..=rng.usize(..100)).map(|_| 1)),
        _ => {
            let mut files = entries();
            files.push(("events.jsonX".to_owned(), b"x".to_vec()));
            bundle = zip(&files);
            let name = b"events.jsonX";
            for at in 0..bundle.len() - name.len() {
                if bundle[at..].starts_with(name) {
                    bundle[at + name.len() - 1] = b'l';
                }
            }
        }
    }
    Manipulated::new(bundle, codes, Place::default())
}

type Kind = (&'static str, fn(&mut Rng) -> Manipulated);

const KINDS: [Kind; 10] = [
    ("a byte of a record", record),
    ("a member of a record, some signed anew", member),
    ("a chunk", chunk),
    ("a digest list", digest_list),
    ("a stamp", stamp),
    ("the manifest", manifest),
    ("lines", lines),
    ("a whole file", whole_file),
    ("batches of an older bundle", replayed),
    ("the ZIP", archive),
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_seeded_manipulation_is_found_and_named() {
    assert!(verdict(&BUNDLE).ok);
    let seeds = match number("AMTSBOTE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("AMTSBOTE_SEEDS").unwrap_or(300),
    };
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        let (name, manipulate) = KINDS[seed as usize % KINDS.len()];
        let manipulated = manipulate(&mut Rng::with_seed(seed));
        let report = verdict(&manipulated.bundle);
        assert!(
            manipulated.is_named_by(&report),
            "seed {seed}, {name}: expected one of {:?} at {}, found {:?}",
            manipulated.codes,
            manipulated.place,
            report.findings
        );
        *done.entry(name).or_default() += 1;
    }
    done.iter().for_each(|(name, count)| println!("{count:6} x {name}: found and named"));
}
