//! Making and renewing records (RFC 4998, sections 4.2 and 5.2). Who stamps is the caller's matter: first the digest to be stamped is made,
//! then the record with the token.

use super::{
    ArchiveTimeStamp, Chain, Fault, Record,
    tree::{Tree, tree},
};
use crate::Result;
use crate::hash::{Algorithm, digest};

/// What is to be stamped for records, and the records without their stamp.
#[derive(Debug, Clone)]
pub struct Begun {
    algorithm: Algorithm,
    tree: Tree,
    records: Vec<Renewing>,
}

#[derive(Debug, Clone)]
enum Renewing {
    New,
    Stamp(Record),
    Chain(Record),
}

impl Begun {
    /// The digest to be stamped, and its algorithm.
    pub fn to_stamp(&self) -> (Algorithm, &[u8]) {
        (self.algorithm, &self.tree.root)
    }

    /// The records, in the order in which they were given, with the token of [`to_stamp`](Begun::to_stamp).
    pub fn finish(self, token: &[u8]) -> Vec<Record> {
        let algorithm = self.algorithm;
        let stamped = |(record, tree): (Renewing, Vec<Vec<Vec<u8>>>)| {
            let stamp = ArchiveTimeStamp { algorithm: Some(algorithm), tree, token: token.to_vec() };
            with_stamp(record, algorithm, stamp)
        };
        self.records.into_iter().zip(self.tree.reduced).map(stamped).collect()
    }
}

fn with_stamp(record: Renewing, algorithm: Algorithm, stamp: ArchiveTimeStamp) -> Record {
    let mut record = match record {
        Renewing::New => Record { algorithms: vec![], chains: vec![] },
        Renewing::Stamp(mut record) => {
            if let Some(last) = record.chains.pop() {
                record.chains.push(last.extended(stamp));
            }
            return record;
        }
        Renewing::Chain(record) => record,
    };
    if !record.algorithms.contains(&Some(algorithm)) {
        record.algorithms.push(Some(algorithm));
    }
    record.chains.push(Chain::new(vec![stamp]));
    record
}

/// Begins records over groups of data, each the digests of one record's data.
///
/// # Errors
/// If there is no group, or an empty one.
pub fn begin(algorithm: Algorithm, groups: &[Vec<Vec<u8>>]) -> Result<Begun> {
    let records = vec![Renewing::New; groups.len()];
    Ok(Begun { algorithm, tree: tree(algorithm, groups)?, records })
}

/// Begins to cover the last stamp of each record by a further one, before its key or authority grows old. All records must be of one
/// algorithm, and it must still count.
///
/// # Errors
/// [`Fault::AlgorithmDiffers`] if they are not; [`Fault::Malformed`] if there is none.
pub fn renew_stamps(records: Vec<Record>) -> std::result::Result<Begun, Fault> {
    let algorithm =
        records.first().and_then(|record| record.chains.last()?.algorithm()).ok_or(Fault::Malformed)?;
    let mut groups = Vec::with_capacity(records.len());
    for record in &records {
        let last = record.chains.last().ok_or(Fault::Malformed)?;
        if last.algorithm() != Some(algorithm) {
            return Err(Fault::AlgorithmDiffers);
        }
        let stamp = last.stamps.last().ok_or(Fault::Malformed)?;
        groups.push(vec![digest(algorithm, &[&stamp.token])?]);
    }
    let tree = tree(algorithm, &groups)?;
    Ok(Begun { algorithm, tree, records: records.into_iter().map(Renewing::Stamp).collect() })
}

/// Begins to cover the data of each record anew, by another algorithm and together with everything before, before the old one grows weak.
/// With each record come the digests of its data by the new algorithm: the data must be there once more.
///
/// # Errors
/// [`Fault::Malformed`] if there is none.
pub fn renew_trees(
    algorithm: Algorithm,
    records: Vec<(Record, Vec<Vec<u8>>)>,
) -> std::result::Result<Begun, Fault> {
    let mut groups = Vec::with_capacity(records.len());
    for (record, data) in &records {
        let history = digest(algorithm, &[&record.sequence(record.chains.len())])?;
        let with = |data: &Vec<u8>| digest(algorithm, &[data, &history]);
        groups.push(data.iter().map(with).collect::<Result<Vec<_>>>()?);
    }
    let tree = tree(algorithm, &groups)?;
    Ok(Begun {
        algorithm,
        tree,
        records: records.into_iter().map(|(record, _)| Renewing::Chain(record)).collect(),
    })
}
