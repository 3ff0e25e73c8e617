//! Evidence records (RFC 4998): that data existed at a time, for longer than any one algorithm, key or authority lasts.
//!
//! A record holds *chains* of archive time stamps. A stamp covers the root of a hash tree, of which each record keeps the part that
//! leads from its own data to the root. A chain is one algorithm: when a key grows old, a further stamp covers the last one; when the
//! algorithm does, a new chain covers the data anew together with everything before it.
//!
//! | RFC 4998 | here |
//! |---|---|
//! | 3.1 EvidenceRecord, 4.1 ArchiveTimeStamp, 5.1 the sequence | [`Record`], read and written byte by byte |
//! | 4.2, reduced hash trees | [`tree`] |
//! | 4.3, 5.3 verification | [`verify`], with reasons |
//! | 5.2 renewal | [`renew`] |
//!
//! What BSI's TR-ESOR demands beyond (certificates and revocation data in each stamp, algorithms of its catalogue) is judged, too, and
//! told apart: see [`Fault`].

mod read;
pub mod renew;
#[cfg(test)]
mod tests;
pub mod tree;
mod verify;
mod write;

use crate::hash::Algorithm;

pub use verify::{Fault, Outcome, Policy, Verdict, verify};

/// The longest record that is looked at, in bytes.
pub const MAX_RECORD: usize = 16 << 20;

/// An evidence record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The algorithms that it declares; `None` for each that is unknown here.
    pub algorithms: Vec<Option<Algorithm>>,
    /// Its chains, oldest first; none is empty.
    pub chains: Vec<Chain>,
}

/// Archive time stamps of one algorithm, each but the first over the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The stamps, oldest first.
    pub stamps: Vec<ArchiveTimeStamp>,
    /// The DER of the whole chain, over which a later chain hashes.
    der: Vec<u8>,
}

/// A stamp, with the part of a hash tree that leads to what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveTimeStamp {
    /// Algorithm of the tree, if it is said and known.
    pub algorithm: Option<Algorithm>,
    /// The reduced hash tree: lists of digests; empty if the stamp covers its data without one.
    pub tree: Vec<Vec<Vec<u8>>>,
    /// The time stamp: a CMS ContentInfo (RFC 3161).
    pub token: Vec<u8>,
}

impl Record {
    /// Every known algorithm that data have to be hashed with to verify the record, once.
    pub fn algorithms_of_chains(&self) -> Vec<Algorithm> {
        let mut found: Vec<_> = self.chains.iter().filter_map(Chain::algorithm).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Chain {
    /// Algorithm of the chain: that of its first tree, or of the digest that its first stamp covers.
    pub fn algorithm(&self) -> Option<Algorithm> {
        let first = self.stamps.first()?;
        first.algorithm.or_else(|| crate::timestamp::inspect(&first.token).ok().map(|facts| facts.algorithm))
    }

    /// A chain of ours.
    fn new(stamps: Vec<ArchiveTimeStamp>) -> Self {
        let der = write::chain(&stamps);
        Chain { stamps, der }
    }

    /// A chain of anybody with one more stamp: what stood before stays byte by byte.
    fn extended(&self, stamp: ArchiveTimeStamp) -> Self {
        let der = write::extended(&self.der, &stamp);
        let stamps = self.stamps.iter().cloned().chain([stamp]).collect();
        Chain { stamps, der }
    }
}
