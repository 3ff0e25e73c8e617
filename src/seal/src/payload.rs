//! The sealed payload format, and hashing while writing. Pure CPU: files and segments are the store's.
//!
//! A payload is a sequence of plaintext chunks of [`CHUNK`] bytes; only the last one may be shorter, and the empty
//! payload is one empty last chunk. Each chunk is sealed on its own with AES-256-GCM under the payload's data key:
//!
//! * nonce = run (u32 BE) ‖ chunk index (u64 BE), unique because a data key belongs to one payload; run 0 unless the
//!   upload of the payload was interrupted (below);
//! * AAD = payload id (16 bytes) ‖ chunk index (u64 BE) ‖ last flag (1 byte), so that truncation, reordering and
//!   splicing between payloads are found;
//! * sealed chunk = ciphertext ‖ tag (16 bytes).
//!
//! [`SEGMENT_CHUNKS`] chunks make an immutable segment (8 MiB of plaintext).
//!
//! **A nonce must never meet two plaintexts.** [`Sealer`] refuses to go back; over an interruption this is the caller's
//! duty: an upload that may have sealed more chunks than were kept continues as its next *run* with
//! [`Sealer::resuming`] (the index goes on). The payload's `runs` name the first chunk of run 1, 2, …; they ascend,
//! and a chunk was sealed in the last run that begins at or before it. No run is ever used for two continuations.

use openssl::sha::{Sha256, sha256};
use uuid::Uuid;

use crate::{
    Digest, Error, Result,
    gcm::{Decryptor, Encryptor, NONCE},
    keys::DataKey,
    merkle::{RootBuilder, leaf_hash},
};

/// Plaintext bytes per chunk.
pub const CHUNK: usize = 65_536;
/// Bytes that sealing adds to each chunk.
pub const TAG: usize = crate::gcm::TAG;
/// Bytes of a full sealed chunk.
pub const SEALED_CHUNK: usize = CHUNK + TAG;
/// Chunks per segment.
pub const SEGMENT_CHUNKS: u64 = 128;
/// Plaintext bytes per full segment (8 MiB).
pub const SEGMENT: u64 = SEGMENT_CHUNKS * CHUNK as u64;

/// The number of chunks of a payload of `size` plaintext bytes; at least 1.
pub fn chunk_count(size: u64) -> u64 {
    size.div_ceil(CHUNK as u64).max(1)
}

/// The index of the chunk that holds the plaintext byte at `offset`.
pub fn chunk_at(offset: u64) -> u64 {
    offset / CHUNK as u64
}

/// The sealed size in bytes of a payload of `size` plaintext bytes, all segments together.
pub fn sealed_size(size: u64) -> u64 {
    size + chunk_count(size) * TAG as u64
}

/// The plaintext size that belongs to `sealed` bytes; `None` if no payload seals to that length.
pub fn plain_size(sealed: u64) -> Option<u64> {
    let chunks = sealed.div_ceil(SEALED_CHUNK as u64);
    let size = sealed.checked_sub(chunks * TAG as u64)?;
    (sealed_size(size) == sealed).then_some(size)
}

/// Where a chunk begins if all sealed chunks lie in one row, in bytes.
pub fn sealed_offset(chunk: u64) -> u64 {
    chunk * SEALED_CHUNK as u64
}

/// Where a chunk lies among segments: the segment's number from 0, and the byte offset inside it.
pub fn segment_offset(chunk: u64) -> (u64, u64) {
    (chunk / SEGMENT_CHUNKS, sealed_offset(chunk % SEGMENT_CHUNKS))
}

/// Seals the chunks of one payload in ascending order.
pub struct Sealer {
    cipher: Encryptor,
    payload: Uuid,
    run: u32,
    next: u64,
}

impl Sealer {
    /// A sealer for all chunks of `payload`; `data_key` must be fresh.
    pub fn new(data_key: &DataKey, payload: Uuid) -> Result<Self> {
        Self::resuming(data_key, payload, 0, 0)
    }

    /// A sealer for the chunks from `first` on, for an upload that goes on; no other continuation may have had `run`
    /// (see the module's text), except one that sealed nothing from `first` on.
    pub fn resuming(data_key: &DataKey, payload: Uuid, first: u64, run: u32) -> Result<Self> {
        Ok(Self { cipher: Encryptor::new(data_key.bytes())?, payload, run, next: first })
    }

    /// Seals one chunk and appends it to `out` (`plain.len()` + [`TAG`] bytes).
    ///
    /// # Errors
    /// [`Error::ChunkOrder`] if the index was used before, [`Error::ChunkLength`] if the length breaks the format.
    pub fn seal_chunk(&mut self, index: u64, last: bool, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if index < self.next {
            return Err(Error::ChunkOrder { index, expected: self.next });
        }
        check_length(index, last, plain.len())?;
        self.next = index + 1;
        self.cipher.seal(&nonce(self.run, index), &aad(self.payload, index, last), plain, out)
    }
}

/// Opens chunks of one payload in any order.
pub struct Opener {
    cipher: Decryptor,
    payload: Uuid,
    runs: Vec<u64>,
}

impl Opener {
    /// An opener for chunks of `payload` that were sealed under `data_key`.
    pub fn new(data_key: &DataKey, payload: Uuid) -> Result<Self> {
        Self::with_runs(data_key, payload, &[])
    }

    /// The same for a payload whose upload was interrupted: `runs` are the first chunks of run 1, 2, …
    pub fn with_runs(data_key: &DataKey, payload: Uuid, runs: &[u64]) -> Result<Self> {
        Ok(Self { cipher: Decryptor::new(data_key.bytes())?, payload, runs: runs.to_vec() })
    }

    /// Opens one sealed chunk and appends its plaintext to `out`; on failure `out` is unchanged.
    ///
    /// # Errors
    /// [`Error::NotAuthentic`] unless these are the bytes sealed for this payload, index and last flag.
    pub fn open_chunk(&mut self, index: u64, last: bool, sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let length = sealed.len().checked_sub(TAG).ok_or(Error::NotAuthentic)?;
        check_length(index, last, length).map_err(|_| Error::NotAuthentic)?;
        let run = self.runs.iter().take_while(|first| **first <= index).count();
        let nonce = nonce(u32::try_from(run).map_err(|_| Error::NotAuthentic)?, index);
        self.cipher.open(&nonce, &aad(self.payload, index, last), sealed, out)
    }
}

/// Seals a small body that is kept inline in a row: the same format, all chunks in one row of bytes.
pub fn seal_inline(data_key: &DataKey, payload: Uuid, plain: &[u8]) -> Result<Vec<u8>> {
    let mut sealer = Sealer::new(data_key, payload)?;
    let mut out = Vec::with_capacity(plain.len() + chunk_count(plain.len() as u64) as usize * TAG);
    let last = chunk_count(plain.len() as u64) - 1;
    for index in 0..=last {
        let start = index as usize * CHUNK;
        let end = plain.len().min(start + CHUNK);
        sealer.seal_chunk(index, index == last, &plain[start..end], &mut out)?;
    }
    Ok(out)
}

/// Opens what [`seal_inline`] sealed.
pub fn open_inline(data_key: &DataKey, payload: Uuid, sealed: &[u8]) -> Result<Vec<u8>> {
    let size = plain_size(sealed.len() as u64).ok_or(Error::NotAuthentic)?;
    let mut opener = Opener::new(data_key, payload)?;
    let mut out = Vec::with_capacity(size as usize);
    let last = chunk_count(size) - 1;
    for (index, chunk) in sealed.chunks(SEALED_CHUNK).enumerate() {
        opener.open_chunk(index as u64, index as u64 == last, chunk, &mut out)?;
    }
    Ok(out)
}

fn check_length(index: u64, last: bool, length: usize) -> Result<()> {
    let fits = match (last, length) {
        (_, CHUNK) => true,
        (false, _) => false,
        (true, 0) => index == 0,
        (true, length) => length < CHUNK,
    };
    if fits { Ok(()) } else { Err(Error::ChunkLength { index }) }
}

fn nonce(run: u32, index: u64) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[..4].copy_from_slice(&run.to_be_bytes());
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    nonce
}

fn aad(payload: Uuid, index: u64, last: bool) -> [u8; 25] {
    let mut aad = [0; 25];
    aad[..16].copy_from_slice(payload.as_bytes());
    aad[16..24].copy_from_slice(&index.to_be_bytes());
    aad[24] = u8::from(last);
    aad
}

/// What a payload is named by in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadDigest {
    /// Plaintext bytes.
    pub size: u64,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Merkle root (see [`crate::merkle`]) whose leaves are the SHA-256 digests of the chunks.
    pub chunk_root: Digest,
}

/// Hashes a payload in one pass while it is written: in total, per chunk, and the Merkle root over the chunks.
///
/// Chunk digests gather until [`Digester::take_chunks`] fetches them; a caller that fetches once per segment keeps
/// memory flat (4 KiB).
pub struct Digester {
    total: Sha256,
    size: u64,
    /// Of the chunk that is being filled; absent in the first one, where it is the total.
    chunk: Option<Sha256>,
    chunk_fill: usize,
    root: RootBuilder,
    chunks: Vec<Digest>,
}

impl Digester {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self {
            total: Sha256::new(),
            size: 0,
            chunk: None,
            chunk_fill: 0,
            root: RootBuilder::new(),
            chunks: Vec::new(),
        }
    }

    /// Adds plaintext; pieces of any length.
    pub fn update(&mut self, mut plain: &[u8]) {
        self.size += plain.len() as u64;
        while !plain.is_empty() {
            // A full chunk closes only when more follows: the last one may be full, too.
            if self.chunk_fill == CHUNK {
                self.close_chunk();
            }
            let (head, rest) = plain.split_at(plain.len().min(CHUNK - self.chunk_fill));
            self.total.update(head);
            if let Some(chunk) = &mut self.chunk {
                chunk.update(head);
            }
            self.chunk_fill += head.len();
            plain = rest;
        }
    }

    /// Takes the digests of the chunks completed since the last call, in order.
    pub fn take_chunks(&mut self) -> Vec<Digest> {
        std::mem::take(&mut self.chunks)
    }

    /// Plaintext bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Closes the last chunk. Returns the digests and the chunk digests not yet taken.
    pub fn finish(mut self) -> (PayloadDigest, Vec<Digest>) {
        self.close_chunk();
        let digest = PayloadDigest {
            size: self.size,
            sha256: Digest(self.total.finish()),
            chunk_root: self.root.root(),
        };
        (digest, self.chunks)
    }

    fn close_chunk(&mut self) {
        let done = self.chunk.replace(Sha256::new()).unwrap_or_else(|| self.total.clone());
        let digest = Digest(done.finish());
        self.chunk_fill = 0;
        self.root.push(leaf_hash(&digest.0));
        self.chunks.push(digest);
    }
}

impl Default for Digester {
    fn default() -> Self {
        Self::new()
    }
}

/// The digest of one chunk as [`Digester`] computes it.
pub fn chunk_digest(plain: &[u8]) -> Digest {
    Digest(sha256(plain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn sealed(key: &DataKey, plain: &[u8]) -> Vec<u8> {
        seal_inline(key, payload(1), plain).unwrap()
    }

    #[test]
    fn every_edge_size_opens_to_what_was_sealed() {
        let key = DataKey::random().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7] {
            let plain: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let sealed = sealed(&key, &plain);
            assert_eq!(sealed.len() as u64, sealed_size(size as u64));
            assert_eq!(plain_size(sealed.len() as u64), Some(size as u64));
            assert_eq!(open_inline(&key, payload(1), &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn lengths_that_no_payload_has_are_refused() {
        for sealed in [0, 1, 15, SEALED_CHUNK as u64 + 1, SEALED_CHUNK as u64 + 16] {
            assert_eq!(plain_size(sealed), None, "{sealed}");
        }
    }

    #[test]
    fn offsets_count_whole_sealed_chunks() {
        assert_eq!(sealed_offset(3), 3 * 65_552);
        assert_eq!(segment_offset(0), (0, 0));
        assert_eq!(segment_offset(127), (0, 127 * 65_552));
        assert_eq!(segment_offset(129), (1, 65_552));
        assert_eq!(chunk_at(65_535), 0);
        assert_eq!(chunk_at(65_536), 1);
        assert_eq!(SEGMENT, 8 * 1024 * 1024);
    }

    #[test]
    fn truncation_reordering_and_splicing_are_found() {
        let key = DataKey::random().unwrap();
        let plain = vec![7; 3 * CHUNK];
        let whole = sealed(&key, &plain);
        let opens = |bytes: &[u8], id| open_inline(&key, id, bytes).is_ok();
        assert!(opens(&whole, payload(1)));
        assert!(!opens(&whole, payload(2)), "another payload's id");
        assert!(!opens(&whole[..2 * SEALED_CHUNK], payload(1)), "cut at a chunk");
        let mut swapped = whole.clone();
        swapped.rotate_left(SEALED_CHUNK);
        assert!(!opens(&swapped, payload(1)), "rotated chunks");
        assert!(open_inline(&DataKey::random().unwrap(), payload(1), &whole).is_err());
    }

    #[test]
    fn a_failed_chunk_leaves_no_plaintext_behind() {
        let key = DataKey::random().unwrap();
        let mut bytes = sealed(&key, b"content");
        bytes[0] ^= 1;
        let mut out = b"before".to_vec();
        let error = Opener::new(&key, payload(1)).unwrap().open_chunk(0, true, &bytes, &mut out).unwrap_err();
        assert_eq!((error.code(), out.as_slice()), ("seal.not-authentic", &b"before"[..]));
    }

    #[test]
    fn one_opener_goes_on_after_a_failure() {
        let key = DataKey::random().unwrap();
        let good = sealed(&key, b"content");
        let mut bad = good.clone();
        bad[3] ^= 1;
        let mut opener = Opener::new(&key, payload(1)).unwrap();
        let mut out = Vec::new();
        assert!(opener.open_chunk(0, true, &bad, &mut out).is_err());
        opener.open_chunk(0, true, &good, &mut out).unwrap();
        assert_eq!(out, b"content");
    }

    #[test]
    fn a_sealer_never_uses_a_nonce_twice() {
        let key = DataKey::random().unwrap();
        let mut sealer = Sealer::resuming(&key, payload(1), 5, 0).unwrap();
        let (chunk, mut out) = (vec![0; CHUNK], Vec::new());
        assert_eq!(sealer.seal_chunk(4, false, &chunk, &mut out).unwrap_err().code(), "seal.chunk-order");
        sealer.seal_chunk(5, false, &chunk, &mut out).unwrap();
        assert_eq!(sealer.seal_chunk(5, false, &chunk, &mut out).unwrap_err().code(), "seal.chunk-order");
        assert_eq!(out.len(), SEALED_CHUNK);
    }

    #[test]
    fn a_chunk_opens_in_the_last_run_that_begins_before_it() {
        let key = DataKey::random().unwrap();
        let chunk = vec![7; CHUNK];
        // Chunks 0 and 1 in run 0; from 2 on twice interrupted before anything was kept; from 4 on once more.
        let runs = [2, 2, 4];
        let mut opener = Opener::with_runs(&key, payload(1), &runs).unwrap();
        for (index, run) in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 3), (5, 3)] {
            for other in 0..=3 {
                let (mut sealed, mut opened) = (Vec::new(), Vec::new());
                let mut sealer = Sealer::resuming(&key, payload(1), index, other).unwrap();
                sealer.seal_chunk(index, false, &chunk, &mut sealed).unwrap();
                let outcome = opener.open_chunk(index, false, &sealed, &mut opened);
                assert_eq!(outcome.is_ok(), other == run, "chunk {index} sealed in run {other}");
            }
        }
    }

    #[test]
    fn only_the_last_chunk_may_be_short() {
        let key = DataKey::random().unwrap();
        let mut sealer = Sealer::new(&key, payload(1)).unwrap();
        let mut out = Vec::new();
        assert_eq!(sealer.seal_chunk(0, false, b"x", &mut out).unwrap_err().code(), "seal.chunk-length");
        assert_eq!(sealer.seal_chunk(1, true, b"", &mut out).unwrap_err().code(), "seal.chunk-length");
        let long = vec![0; CHUNK + 1];
        assert_eq!(sealer.seal_chunk(0, true, &long, &mut out).unwrap_err().code(), "seal.chunk-length");
        sealer.seal_chunk(0, true, b"", &mut out).unwrap();
    }

    #[test]
    fn the_empty_payload_has_one_chunk() {
        let (digest, chunks) = Digester::new().finish();
        assert_eq!(digest.size, 0);
        assert_eq!(digest.sha256, chunk_digest(b""));
        assert_eq!(chunks, [chunk_digest(b"")]);
        assert_eq!(digest.chunk_root, leaf_hash(&chunks[0].0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_flipped_bit_is_found(size in 0usize..2 * CHUNK + 50, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let key = DataKey::random().unwrap();
            let mut bytes = sealed(&key, &vec![0x5a; size]);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(open_inline(&key, payload(1), &bytes).is_err());
        }

        #[test]
        fn the_digests_do_not_depend_on_how_the_bytes_arrive(
            size in 0usize..4 * CHUNK, piece in 1usize..3 * CHUNK,
        ) {
            let plain: Vec<u8> = (0..size).map(|i| (i / 7 % 256) as u8).collect();
            let mut digester = Digester::new();
            let mut chunks = Vec::new();
            for part in plain.chunks(piece) {
                digester.update(part);
                chunks.extend(digester.take_chunks());
            }
            let (digest, rest) = digester.finish();
            chunks.extend(rest);
            let expected: Vec<Digest> = match size {
                0 => vec![chunk_digest(b"")],
                _ => plain.chunks(CHUNK).map(chunk_digest).collect(),
            };
            prop_assert_eq!(chunks.len() as u64, chunk_count(size as u64));
            prop_assert_eq!(chunks, expected);
            prop_assert_eq!(digest.sha256, chunk_digest(&plain));
        }
    }
}
