//! Data descriptors (APPNOTE 4.3.9): checksum and sizes behind an entry, for those who read a container as a stream. They
//! have a signature or not, and sizes of 32 or 64 bits, which nothing says for certain.

use super::Entry;

/// Longest descriptor, in bytes.
pub(super) const MOST_BYTES: usize = 24;
const SIGNATURE: &[u8] = b"PK\x07\x08";

/// Lengths that a descriptor may have, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths(u32);

impl Lengths {
    /// All that the format foresees.
    pub(super) const ALL: Lengths = Lengths(1 << 12 | 1 << 16 | 1 << 20 | 1 << 24);

    /// Whether this is one of them.
    pub(super) fn has(self, length: u64) -> bool {
        length < 32 && self.0 & (1 << length) != 0
    }
}

/// Lengths with which `bytes`, which stand behind the data of an entry, say of it what the directory says.
pub(super) fn lengths(bytes: &[u8], entry: &Entry) -> Lengths {
    let behind = bytes.strip_prefix(SIGNATURE).map(|rest| (rest, 4));
    let mut found = 0;
    for (rest, signature) in [Some((bytes, 0)), behind].into_iter().flatten() {
        for (width, length) in [(4, 12), (8, 20)] {
            if says(rest, width, entry) {
                found |= 1 << (signature + length);
            }
        }
    }
    Lengths(found)
}

/// Whether bytes are checksum and sizes of an entry, these with so many bytes each.
fn says(bytes: &[u8], width: usize, entry: &Entry) -> bool {
    let mut expected = entry.crc.to_le_bytes().to_vec();
    for size in [entry.compressed, entry.size] {
        let size = size.to_le_bytes();
        if size[width..].iter().any(|byte| *byte != 0) {
            return false;
        }
        expected.extend(&size[..width]);
    }
    bytes.starts_with(&expected)
}
