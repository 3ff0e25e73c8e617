//! Reads an EvidenceRecord (RFC 4998, appendix A, ASN.1 of 1988) from DER.

use super::{ArchiveTimeStamp, Chain, Fault, MAX_RECORD, Record};
use crate::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, context};
use crate::hash::Algorithm;
use crate::timestamp::MAX_TOKEN;

/// More than any record of a century has.
const MOST_STAMPS: usize = 1_000;
/// Levels of a tree over more data than there are.
const MOST_LISTS: usize = 64;
/// Digests of all trees of a record; a group of data is one list.
const MOST_DIGESTS: usize = 200_000;

impl Record {
    /// Reads a record. Nothing of it is verified.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::Version`]; [`Fault::Encrypted`] if its data were encrypted before they were stamped, which is not
    /// understood here.
    pub fn read(bytes: &[u8]) -> Result<Record, Fault> {
        if bytes.len() > MAX_RECORD {
            return Err(Fault::Malformed);
        }
        let mut outer = Reader::new(bytes, "evidence record");
        let mut fields = outer.enter(SEQUENCE)?;
        outer.end()?;
        if fields.expect(INTEGER)?.content != [1] {
            return Err(Fault::Version);
        }
        let algorithms = algorithms(fields.enter(SEQUENCE)?)?;
        if fields.maybe(context(0))?.is_some() | fields.maybe(context(1))?.is_some() {
            return Err(Fault::Encrypted);
        }
        let mut sequence = fields.enter(SEQUENCE)?;
        fields.end()?;
        let mut limits = (MOST_STAMPS, MOST_DIGESTS);
        let mut chains = Vec::new();
        while let Some(chain) = sequence.maybe(SEQUENCE)? {
            chains.push(read_chain(chain.content, chain.whole, &mut limits)?);
        }
        sequence.end()?;
        if chains.is_empty() { Err(Fault::Malformed) } else { Ok(Record { algorithms, chains }) }
    }
}

fn algorithms(mut fields: Reader<'_>) -> Result<Vec<Option<Algorithm>>, Fault> {
    let mut found = Vec::new();
    while let Some(algorithm) = fields.maybe(SEQUENCE)? {
        if found.len() == 100 {
            return Err(Fault::Malformed);
        }
        found.push(identifier(algorithm.content)?);
    }
    fields.end()?;
    Ok(found)
}

/// An AlgorithmIdentifier; parameters are absent or NULL for every digest.
fn identifier(content: &[u8]) -> Result<Option<Algorithm>, Fault> {
    let mut fields = Reader::new(content, "algorithm");
    Ok(Algorithm::from_oid(fields.expect(OID)?.content))
}

fn read_chain(content: &[u8], whole: &[u8], limits: &mut (usize, usize)) -> Result<Chain, Fault> {
    let mut fields = Reader::new(content, "chain");
    let mut stamps = Vec::new();
    while let Some(stamp) = fields.maybe(SEQUENCE)? {
        limits.0 = limits.0.checked_sub(1).ok_or(Fault::Malformed)?;
        stamps.push(read_stamp(Reader::new(stamp.content, "archive time stamp"), &mut limits.1)?);
    }
    fields.end()?;
    if stamps.is_empty() { Err(Fault::Malformed) } else { Ok(Chain { stamps, der: whole.to_vec() }) }
}

fn read_stamp(mut fields: Reader<'_>, left: &mut usize) -> Result<ArchiveTimeStamp, Fault> {
    let algorithm = match fields.maybe(context(0))? {
        Some(algorithm) => Some(identifier(algorithm.content)?.ok_or(Fault::UnknownAlgorithm)?),
        None => None,
    };
    // Attributes say nothing that is verified.
    fields.maybe(context(1))?;
    let mut tree = Vec::new();
    if let Some(lists) = fields.maybe(context(2))? {
        let mut lists = Reader::new(lists.content, "hash tree");
        while let Some(list) = lists.maybe(SEQUENCE)? {
            if tree.len() == MOST_LISTS {
                return Err(Fault::Malformed);
            }
            tree.push(digests(Reader::new(list.content, "hash tree"), left)?);
        }
        lists.end()?;
    }
    let token = fields.expect(SEQUENCE)?.whole;
    fields.end()?;
    if token.len() > MAX_TOKEN {
        Err(Fault::Malformed)
    } else {
        Ok(ArchiveTimeStamp { algorithm, tree, token: token.to_vec() })
    }
}

fn digests(mut list: Reader<'_>, left: &mut usize) -> Result<Vec<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    while let Some(digest) = list.maybe(OCTET_STRING)? {
        *left = left.checked_sub(1).ok_or(Fault::Malformed)?;
        found.push(digest.content.to_vec());
    }
    list.end()?;
    if found.is_empty() { Err(Fault::Malformed) } else { Ok(found) }
}

impl From<crate::Error> for Fault {
    fn from(_: crate::Error) -> Self {
        Fault::Malformed
    }
}
