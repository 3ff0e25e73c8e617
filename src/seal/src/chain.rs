//! The evidence chain of one tenant.
//!
//! Each committed event gets a gapless number and a salted digest; batches of them become Merkle trees; the batches'
//! heads are chained and signed. The chain holds digests only: when an event's content and salt are erased, what
//! remains still verifies, and the digest tells nothing about what was erased.
//!
//! ```text
//! digest = SHA-256("amtsbote-event-v1" ‖ salt (16) ‖ canonical JSON of the event)
//! leaf   = number (u64 BE) ‖ event id (16) ‖ digest (32)
//! root   = Merkle root over the batch's leaves
//! head   = SHA-256("amtsbote-head-v1" ‖ tenant ‖ no ‖ first ‖ last (u64 BE each) ‖ root ‖ previous head
//!                  ‖ sealed at (i64 BE, microseconds since 1970))
//! ```
//! The tenant is the only part of variable length, so the concatenation is unambiguous. The head before the first
//! batch is 32 zero bytes.

use std::fmt;

use openssl::rand::rand_bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Digest, Error, Result, canonical,
    evidence_key::{EvidenceKey, EvidenceKeys, EvidencePublicKey, Signature},
    merkle::{Tree, leaf_hash},
    sha256,
};

/// 16 random bytes that keep an event's digest from being guessed; stored and erased with the event's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl Salt {
    /// A new random salt.
    pub fn random() -> Result<Self> {
        let mut salt = [0; 16];
        rand_bytes(&mut salt)?;
        Ok(Self(salt))
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        let mut salt = [0; 16];
        hex::decode_to_slice(&*text, &mut salt).map_err(|_| de::Error::custom("expected 32 hex digits"))?;
        Ok(Self(salt))
    }
}

/// The salted digest of an event.
///
/// # Errors
/// [`Error::NotInteger`] if the event holds a number that canonical JSON refuses.
pub fn event_digest(salt: &Salt, event: &Value) -> Result<Digest> {
    Ok(event_digest_of_canonical(salt, &canonical::to_vec(event)?))
}

/// The salted digest of an event that is at hand as canonical JSON already.
pub fn event_digest_of_canonical(salt: &Salt, event: &[u8]) -> Digest {
    sha256(&[b"amtsbote-event-v1", &salt.0, event])
}

/// One event's place in its tenant's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps, per tenant.
    pub number: u64,
    /// The event's id.
    pub event_id: Uuid,
    /// See [`event_digest`].
    pub digest: Digest,
}

impl Entry {
    /// The hash of this entry's Merkle leaf.
    pub fn leaf(&self) -> Digest {
        let mut data = [0; 56];
        data[..8].copy_from_slice(&self.number.to_be_bytes());
        data[8..24].copy_from_slice(self.event_id.as_bytes());
        data[24..].copy_from_slice(&self.digest.0);
        leaf_hash(&data)
    }
}

/// The Merkle tree over a batch's entries, for its root and the inclusion proofs.
pub fn tree(entries: &[Entry]) -> Tree {
    Tree::new(entries.iter().map(Entry::leaf).collect())
}

/// A sealed run of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The tenant's id.
    pub tenant: String,
    /// From 1, without gaps, per tenant.
    pub no: u64,
    /// Number of the first entry.
    pub first: u64,
    /// Number of the last entry.
    pub last: u64,
    /// Merkle root over the entries.
    pub root: Digest,
    /// Head of the batch before; [`Digest::ZERO`] for the first.
    pub previous_head: Digest,
    /// See the module's text.
    pub head: Digest,
    /// Microseconds since 1970-01-01 UTC.
    pub sealed_at_micros: i64,
}

impl Batch {
    /// Seals the entries that follow `previous` (`None`: the tenant's first batch).
    ///
    /// # Errors
    /// [`Error::ChainGap`] if there are none, or their numbers do not continue the chain one by one.
    pub fn seal(
        tenant: &str,
        previous: Option<&Batch>,
        entries: &[Entry],
        sealed_at_micros: i64,
    ) -> Result<Self> {
        let (no, first, previous_head) = match previous {
            Some(previous) if previous.tenant != tenant => return Err(Error::ChainGap),
            Some(previous) => (previous.no + 1, previous.last + 1, previous.head),
            None => (1, 1, Digest::ZERO),
        };
        let gapless = entries.iter().zip(first..).all(|(entry, number)| entry.number == number);
        let (Some(last), true) = (entries.last(), gapless) else {
            return Err(Error::ChainGap);
        };
        let mut batch = Self {
            tenant: tenant.to_owned(),
            no,
            first,
            last: last.number,
            root: tree(entries).root(),
            previous_head,
            head: Digest::ZERO,
            sealed_at_micros,
        };
        batch.head = batch.computed_head();
        Ok(batch)
    }

    /// The head that belongs to the other fields.
    pub fn computed_head(&self) -> Digest {
        sha256(&[
            b"amtsbote-head-v1",
            self.tenant.as_bytes(),
            &self.no.to_be_bytes(),
            &self.first.to_be_bytes(),
            &self.last.to_be_bytes(),
            &self.root.0,
            &self.previous_head.0,
            &self.sealed_at_micros.to_be_bytes(),
        ])
    }

    /// The number of entries; 0 if `last` is before `first`.
    pub fn size(&self) -> u64 {
        (self.last.checked_sub(self.first)).map_or(0, |distance| distance.saturating_add(1))
    }

    /// Signs the head.
    pub fn sign(self, key: &EvidenceKey) -> Result<SignedBatch> {
        let signature = key.sign(&self.head.0)?;
        Ok(SignedBatch { batch: self, signature })
    }
}

/// A batch and the gateway's signature over its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// Over the 32 bytes of the head.
    pub signature: Signature,
}

/// What is wrong with a batch: code, and a short English phrase.
pub type Fault = (&'static str, &'static str);

impl Batch {
    /// What is wrong with a batch beside the one before it (`None`: it is the first): code and message. Whether it names
    /// that one's head is only judged if that one can be `relied` on.
    pub fn break_after(&self, previous: Option<&Batch>, relied: bool) -> Option<Fault> {
        let (first, head) =
            previous.map_or((1, Digest::ZERO), |batch| (batch.last.saturating_add(1), batch.head));
        if self.first != first {
            return Some(("evidence.batch-gap", "event numbers are missing or doubled between two batches"));
        }
        if self.previous_head != head && (relied || previous.is_none()) {
            return Some(("evidence.batch-changed", "the batch continues another one than stands before it"));
        }
        None
    }
}

impl SignedBatch {
    /// The one of `keys` that signed a batch of the tenant, if it must have the number `expected`.
    ///
    /// # Errors
    /// What is wrong with the batch in itself.
    pub fn signer<'k>(
        &self,
        tenant: &str,
        keys: &'k EvidenceKeys,
        expected: u64,
    ) -> std::result::Result<&'k EvidencePublicKey, Fault> {
        let batch = &self.batch;
        if batch.no != expected {
            return Err(("evidence.batch-gap", "the batch does not follow the one before"));
        }
        if batch.computed_head() != batch.head || batch.tenant != tenant || batch.size() == 0 {
            return Err(("evidence.batch-changed", "the head does not belong to the batch"));
        }
        let signer = keys.signer(&batch.head.0, &self.signature);
        signer.ok_or(("evidence.batch-signature", "the signature does not belong to the head"))
    }

    /// Whether the head belongs to the fields and the signature to the head.
    pub fn is_signed_by(&self, keys: &EvidenceKeys) -> bool {
        self.batch.computed_head() == self.batch.head && keys.verifies(&self.batch.head.0, &self.signature)
    }
}

/// The batches of a chain that one key has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedBy {
    /// See [`EvidencePublicKey::fingerprint`].
    pub key: Digest,
    /// How many.
    pub batches: u64,
    /// Number of the first.
    pub first: u64,
    /// Number of the last.
    pub last: u64,
}

impl SignedBy {
    /// Counts batch `no` to its key; batches ascend.
    pub fn count(signers: &mut Vec<SignedBy>, key: &EvidencePublicKey, no: u64) {
        let key = key.fingerprint();
        match signers.iter_mut().find(|known| known.key == key) {
            Some(known) => (known.batches, known.last) = (known.batches + 1, no),
            None => signers.push(SignedBy { key, batches: 1, first: no, last: no }),
        }
    }
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignedBy { key, batches, first, last } = self;
        write!(f, "{batches} batches (numbers {first} to {last}) are signed with the key {key}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(numbers: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
        numbers
            .map(|number| Entry {
                number,
                event_id: Uuid::from_u128(u128::from(number) << 64),
                digest: event_digest(&Salt([1; 16]), &json!({ "n": number })).unwrap(),
            })
            .collect()
    }

    #[test]
    fn batches_continue_each_other() {
        let first = Batch::seal("kreis", None, &entries(1..=5), 1).unwrap();
        let second = Batch::seal("kreis", Some(&first), &entries(6..=6), 2).unwrap();
        assert_eq!((second.no, second.first, second.last, second.size()), (2, 6, 6, 1));
        assert_eq!((first.previous_head, second.previous_head), (Digest::ZERO, first.head));
    }

    #[test]
    fn gaps_are_not_sealed() {
        let first = Batch::seal("kreis", None, &entries(1..=5), 1).unwrap();
        let holed = [entries(6..=7), entries(9..=9)].concat();
        for (tenant, previous, entries) in [
            ("kreis", Some(&first), entries(7..=8)),
            ("kreis", Some(&first), holed),
            ("kreis", Some(&first), Vec::new()),
            ("kreis", None, entries(2..=3)),
            ("stadt", Some(&first), entries(6..=6)),
        ] {
            let error = Batch::seal(tenant, previous, &entries, 1).unwrap_err();
            assert_eq!(error.code(), "evidence.chain-gap");
        }
    }

    #[test]
    fn every_field_of_a_batch_is_signed() {
        let key = EvidenceKey::random().unwrap();
        let public = key.keys().unwrap();
        let signed = Batch::seal("kreis", None, &entries(1..=5), 1).unwrap().sign(&key).unwrap();
        assert!(signed.is_signed_by(&public));
        let changes: [fn(&mut Batch); 8] = [
            |batch| batch.tenant.push('x'),
            |batch| batch.no += 1,
            |batch| batch.first += 1,
            |batch| batch.last += 1,
            |batch| batch.root.0[0] ^= 1,
            |batch| batch.previous_head.0[0] ^= 1,
            |batch| batch.head.0[0] ^= 1,
            |batch| batch.sealed_at_micros += 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = signed.clone();
            change(&mut changed.batch);
            assert!(!changed.is_signed_by(&public), "field {number}");
            changed.batch.head = changed.batch.computed_head();
            assert!(number == 6 || !changed.is_signed_by(&public), "field {number}, head computed anew");
        }
    }

    #[test]
    fn a_batch_keeps_its_form_as_json() {
        let signed = Batch::seal("kreis", None, &entries(1..=5), 1)
            .unwrap()
            .sign(&EvidenceKey::random().unwrap())
            .unwrap();
        let line = canonical::serialize(&signed).unwrap();
        assert_eq!(serde_json::from_slice::<SignedBatch>(&line).unwrap(), signed);
    }
}
