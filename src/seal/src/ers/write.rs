//! Writes an EvidenceRecord (RFC 4998, appendix A) as DER.

use super::{ArchiveTimeStamp, Record};
use crate::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, context, element};
use crate::hash::Algorithm;

impl Record {
    /// The DER of the record. Chains stand as they were read or made.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithms: Vec<u8> =
            self.algorithms.iter().flatten().flat_map(|it| element(SEQUENCE, &[&identifier(*it)])).collect();
        let version = element(INTEGER, &[&[1]]);
        element(SEQUENCE, &[&version, &element(SEQUENCE, &[&algorithms]), &self.sequence(self.chains.len())])
    }

    /// The DER of the ArchiveTimeStampSequence of the first `count` chains.
    pub(super) fn sequence(&self, count: usize) -> Vec<u8> {
        let chains: Vec<&[u8]> = self.chains.iter().take(count).map(|chain| &chain.der[..]).collect();
        element(SEQUENCE, &chains)
    }
}

/// The DER of an ArchiveTimeStampChain.
pub(super) fn chain(stamps: &[ArchiveTimeStamp]) -> Vec<u8> {
    let stamps: Vec<u8> = stamps.iter().flat_map(stamp).collect();
    element(SEQUENCE, &[&stamps])
}

/// The DER of a chain with one more stamp behind the others.
pub(super) fn extended(chain: &[u8], more: &ArchiveTimeStamp) -> Vec<u8> {
    let mut reader = Reader::new(chain, "chain");
    // Chains are read or written here, so there is always one.
    let before = reader.maybe(SEQUENCE).ok().flatten().map_or(&[][..], |chain| chain.content);
    element(SEQUENCE, &[before, &stamp(more)])
}

fn stamp(stamp: &ArchiveTimeStamp) -> Vec<u8> {
    let algorithm = stamp.algorithm.map(|it| element(context(0), &[&identifier(it)])).unwrap_or_default();
    let list = |list: &Vec<Vec<u8>>| -> Vec<u8> {
        let digests: Vec<u8> = list.iter().flat_map(|digest| element(OCTET_STRING, &[digest])).collect();
        element(SEQUENCE, &[&digests])
    };
    let lists: Vec<u8> = stamp.tree.iter().flat_map(list).collect();
    let tree = if lists.is_empty() { Vec::new() } else { element(context(2), &[&lists]) };
    element(SEQUENCE, &[&algorithm, &tree, &stamp.token])
}

/// The content of an AlgorithmIdentifier, without parameters (RFC 5754, section 2).
fn identifier(algorithm: Algorithm) -> Vec<u8> {
    element(OID, &[algorithm.oid()])
}
