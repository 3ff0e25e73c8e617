//! Which UUIDs a message has used, and for what: each object has its own (xdomea 3.0.0 p. 16; 4.0.0 p. 18).

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// UUIDs of each role that are remembered, 8 bytes each.
pub(super) const MOST: usize = 500_000;

/// What a UUID stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Record,
    File,
    /// A workflow, or what else has an Identifikation.
    Part,
    /// An object that a reply names.
    Result,
}

/// What was known of a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    New,
    /// It has had the same role before.
    Again,
    /// It is that of something else.
    Otherwise,
    /// There were too many of this role to remember it.
    TooMany,
}

/// Keyed fingerprints, which nobody outside can make collide; two of a million UUIDs have the same with a
/// probability below one to ten million. Whole UUIDs would take more than twice the memory.
#[derive(Default)]
pub(super) struct Uuids {
    key: RandomState,
    seen: HashSet<u64, BuildHasherDefault<AsItIs>>,
    counts: [usize; 4],
    /// UUIDs of the message itself and its process.
    pub(super) head: Vec<u128>,
}

impl Uuids {
    /// Notes a UUID in a role.
    pub(super) fn note(&mut self, uuid: u128, role: Role) -> Known {
        let print = self.key.hash_one(uuid) & !3;
        let is_seen =
            |role: Role| self.counts[role as usize] > 0 && self.seen.contains(&(print | role as u64));
        if is_seen(role) {
            return Known::Again;
        }
        // A reply names what others have.
        let others = [Role::Record, Role::File, Role::Part].into_iter();
        let is_others =
            role != Role::Result && others.into_iter().any(|other| other != role && is_seen(other));
        let known = if is_others || self.head.contains(&uuid) { Known::Otherwise } else { Known::New };
        let count = &mut self.counts[role as usize];
        if *count >= MOST {
            return Known::TooMany;
        }
        *count += 1;
        self.seen.insert(print | role as u64);
        known
    }
}

/// A fingerprint is as good as its hash.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        // The role stands in the lowest bits, by which the set chooses a place.
        self.0.rotate_right(2)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A UUID in its usual form, whatever its case.
pub(super) fn uuid(text: &str) -> Option<u128> {
    let uuid = (text.len() == 36).then(|| text.parse::<model::Id>().ok())??;
    Some(uuid.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_known_by_its_role() {
        let mut uuids = Uuids { head: vec![9], ..Uuids::default() };
        assert_eq!(uuids.note(1, Role::Record), Known::New);
        assert_eq!(uuids.note(1, Role::Record), Known::Again);
        assert_eq!(uuids.note(1, Role::File), Known::Otherwise);
        assert_eq!(uuids.note(2, Role::File), Known::New);
        assert_eq!(uuids.note(2, Role::Record), Known::Otherwise);
        assert_eq!(uuids.note(1, Role::Result), Known::New);
        assert_eq!(uuids.note(1, Role::Result), Known::Again);
        assert_eq!(uuids.note(9, Role::Record), Known::Otherwise);
    }

    #[test]
    fn no_more_than_the_most_are_remembered() {
        let mut uuids = Uuids::default();
        for number in 0..MOST as u128 {
            assert_eq!(uuids.note(number, Role::Record), Known::New);
        }
        assert_eq!(uuids.note(u128::MAX, Role::Record), Known::TooMany);
        assert_eq!(uuids.note(5, Role::Record), Known::Again);
        assert_eq!(uuids.note(u128::MAX, Role::File), Known::New);
    }
}
