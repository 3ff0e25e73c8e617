//! Identifiers: UUIDs for everything the gateway names itself, `prefix:key` for authorities.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Identifier of a record, message, event or payload. The gateway's own are UUIDv7, so they sort by
/// time of creation, which the store's time partitions rely on.
pub type Id = uuid::Uuid;

/// A new time-ordered identifier.
pub fn new_id() -> Id {
    Id::now_v7()
}

/// A time-ordered identifier as if made at `at`.
pub fn id_at(at: crate::Timestamp) -> Id {
    let mut bytes = *Id::now_v7().as_bytes();
    let millis = (at.micros().max(0) / 1_000).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    Id::from_bytes(bytes)
}

/// The smallest time-ordered identifier of the millisecond of `at`: what was made before has a smaller one.
pub fn first_at(at: crate::Timestamp) -> Id {
    let mut bytes = [0; 16];
    let millis = (at.micros().max(0) / 1_000).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    Id::from_bytes(bytes)
}

/// A time-ordered identifier that is the same whenever the same `parent` names the same `part`.
///
/// Work that is repeated after a crash (a container translated twice) meets its own rows again
/// instead of doubling them. The time part is taken from `parent`, so the result sorts beside it.
pub fn derived_id(parent: Id, part: &str) -> Id {
    // FNV-1a, 128 bit: no secrecy is asked of it, only that parts of one message stay apart.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parent.as_bytes().iter().chain(part.as_bytes()) {
        hash ^= u128::from(*byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let mut bytes = hash.to_be_bytes();
    bytes[..6].copy_from_slice(&parent.as_bytes()[..6]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Id::from_bytes(bytes)
}

/// Key of an authority (Behördenkennung): directory prefix and key, such as `bab:05974000` for a
/// building authority.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Authority(String);

impl Authority {
    /// Stands where no authority is known yet.
    pub fn nobody() -> Self {
        Authority("none:none".to_owned())
    }

    /// The part before the colon: which directory or kind of office.
    pub fn prefix(&self) -> &str {
        self.0.split_once(':').map_or("", |(prefix, _)| prefix)
    }

    /// The part behind the colon: the office's key within its prefix.
    pub fn key(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, key)| key)
    }

    /// The whole `prefix:key`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Authority {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::Invalid { field: "authority" };
        let (prefix, key) = text.split_once(':').ok_or_else(refuse)?;
        if !is_name(prefix) || !is_name(key) || key.contains(':') {
            return Err(refuse());
        }
        Ok(Authority(text.to_owned()))
    }
}

impl TryFrom<String> for Authority {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Authority> for String {
    fn from(authority: Authority) -> String {
        authority.0
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` may name a tenant, unit, service or partner: 1 to 80 of `A-Z a-z 0-9 . : -`.
///
/// Nothing else is allowed because such names become parts of file names, lanes and SQL patterns.
pub fn is_name(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-'))
        && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_a_prefix_and_a_key() {
        let authority: Authority = "bab:05974000".parse().unwrap();
        assert_eq!((authority.prefix(), authority.key()), ("bab", "05974000"));
        for wrong in ["", "bab", "bab:", ":1", "a:b:c", "a b:1", "a:%", "../x:1"] {
            assert!(wrong.parse::<Authority>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_derived_id_is_stable_distinct_and_sorts_beside_its_parent() {
        let parent = new_id();
        let one = derived_id(parent, "a");
        assert_eq!(one, derived_id(parent, "a"));
        assert_ne!(one, derived_id(parent, "b"));
        assert_eq!(one.as_bytes()[..6], parent.as_bytes()[..6]);
        assert_eq!(one.get_version_num(), 7);
    }
}
