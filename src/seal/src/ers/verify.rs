//! Verification (RFC 4998, sections 4.3 and 5.3), with what BSI's verification tool judges beyond.

use super::{ArchiveTimeStamp, Chain, Record, tree};
use crate::hash::{Algorithm, digest};
use crate::timestamp::{Authorities, Timestamp, check_token, counts_at, inspect};

/// How far the clock of an authority may be ahead of ours, in microseconds: five minutes.
const MOST_AHEAD: i64 = 5 * 60 * 1_000_000;

/// What is wrong with a record. Each has a stable code with a page of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It is not the DER that RFC 4998 prescribes, or exceeds every measure.
    Malformed,
    /// Another version than 1.
    Version,
    /// Its data were encrypted before they were stamped, which is not understood here.
    Encrypted,
    /// An algorithm that is not known.
    UnknownAlgorithm,
    /// An algorithm is used that the record does not declare, or another one within a chain, or by a stamp.
    AlgorithmDiffers,
    /// Data are not what was stamped: altered, missing, or more than there were.
    DataDiffer,
    /// A hash tree does not lead to what its stamp covers.
    TreeDiffers,
    /// A stamp, or a chain, does not cover what came before it.
    RenewalDiffers,
    /// A stamp is not later than the one before.
    NotAscending,
    /// A stamp is no CMS SignedData of version 3 (5 with answers of OCSP), is malformed, or has no certificate.
    StampMalformed,
    /// The signature of a stamp is wrong.
    StampSignature,
    /// A stamp is of nobody that is trusted.
    Untrusted,
    /// Nobody said who is trusted, so that anybody could have made the stamps.
    NotJudged,
    /// A stamp brings no revocation data along (TR-ESOR-ERS).
    NoRevocation,
    /// An algorithm did not count as evidence any more when it was renewed, or now.
    Outdated,
    /// A certificate of a stamp had ended before the stamp was renewed, or has ended now.
    NotRenewed,
    /// A stamp is of a time that has not come yet.
    Ahead,
}

impl Fault {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(self) -> &'static str {
        match self {
            Fault::Malformed => "evidence-record.malformed",
            Fault::Version => "evidence-record.version",
            Fault::Encrypted => "evidence-record.encrypted",
            Fault::UnknownAlgorithm => "evidence-record.unknown-algorithm",
            Fault::AlgorithmDiffers => "evidence-record.algorithm-differs",
            Fault::DataDiffer => "evidence-record.data-differ",
            Fault::TreeDiffers => "evidence-record.tree-differs",
            Fault::RenewalDiffers => "evidence-record.renewal-differs",
            Fault::NotAscending => "evidence-record.not-ascending",
            Fault::StampMalformed => "evidence-record.stamp-malformed",
            Fault::StampSignature => "evidence-record.stamp-signature",
            Fault::Untrusted => "evidence-record.untrusted",
            Fault::NotJudged => "evidence-record.not-judged",
            Fault::NoRevocation => "evidence-record.no-revocation",
            Fault::Outdated => "evidence-record.outdated",
            Fault::NotRenewed => "evidence-record.not-renewed",
            Fault::Ahead => "evidence-record.ahead",
        }
    }

    /// Whether it leaves open what is true, instead of proving that something is wrong.
    pub fn is_open(self) -> bool {
        use Fault::{NoRevocation, NotJudged, NotRenewed, Outdated, Untrusted};
        matches!(self, Untrusted | NotJudged | NoRevocation | Outdated | NotRenewed)
    }
}

/// What a verification has come to (as `urn:oasis:names:tc:dss:1.0:detail` tells them apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The data existed at that time, and are what they were.
    Valid,
    /// Nothing is wrong, but not everything is proved.
    Indeterminate,
    /// Something is wrong.
    Invalid,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong or open, each once.
    pub faults: Vec<Fault>,
    /// What the first stamp says: the data existed by then.
    pub first: Option<Timestamp>,
    /// What the last one says.
    pub last: Option<Timestamp>,
    /// How many stamps there are.
    pub stamps: usize,
}

impl Verdict {
    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        match self.faults.iter().all(|fault| fault.is_open()) {
            true if self.faults.is_empty() => Outcome::Valid,
            true => Outcome::Indeterminate,
            false => Outcome::Invalid,
        }
    }

    fn note(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// How a record is judged.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// Who may have stamped; absent: [`Fault::NotJudged`].
    pub authorities: Option<&'a Authorities>,
    /// The present, in microseconds since 1970.
    pub now_micros: i64,
    /// Whether the data are a part of what the record covers only. Otherwise its first list must name them and nothing else.
    pub part: bool,
}

/// Judges a record over data. `digests` tells the digest of each of them by an algorithm of the record
/// ([`Record::algorithms_of_chains`]); an empty answer means that nobody knows them.
pub fn verify(record: &Record, digests: &dyn Fn(Algorithm) -> Vec<Vec<u8>>, policy: Policy<'_>) -> Verdict {
    let stamps = record.chains.iter().map(|chain| chain.stamps.len()).sum();
    let mut verdict = Verdict { faults: Vec::new(), first: None, last: None, stamps };
    for (place, chain) in record.chains.iter().enumerate() {
        if let Err(fault) = verify_chain(record, place, chain, digests, policy, &mut verdict) {
            verdict.note(fault);
        }
    }
    verify_times(record, policy, &mut verdict);
    if policy.authorities.is_none() {
        verdict.note(Fault::NotJudged);
    }
    // The last algorithm must still count today.
    let last = record.chains.last().and_then(Chain::algorithm);
    if last.is_some_and(|algorithm| !algorithm.is_suitable_at(policy.now_micros)) {
        verdict.note(Fault::Outdated);
    }
    verdict
}

/// Section 5.3: whatever was renewed still counted then, by its algorithm and its certificates, and the last stamp counts now.
fn verify_times(record: &Record, policy: Policy<'_>, verdict: &mut Verdict) {
    let at = |stamp: &ArchiveTimeStamp| inspect(&stamp.token).ok().map(|facts| facts.stamp.at_micros);
    for chains in record.chains.windows(2) {
        let [before, after] = chains else { continue };
        let renewed = after.stamps.first().and_then(at);
        if let (Some(algorithm), Some(renewed)) = (before.algorithm(), renewed)
            && !algorithm.is_suitable_at(renewed)
        {
            verdict.note(Fault::Outdated);
        }
    }
    let mut stamps = record.chains.iter().flat_map(|chain| &chain.stamps).peekable();
    while let Some(stamp) = stamps.next() {
        // What cannot be read was told.
        let Some(made) = at(stamp) else { continue };
        if made > policy.now_micros.saturating_add(MOST_AHEAD) {
            verdict.note(Fault::Ahead);
        }
        let until = stamps.peek().and_then(|next| at(next)).unwrap_or(policy.now_micros).max(made);
        let counts = |at_micros| counts_at(&stamp.token, policy.authorities, at_micros);
        // Who was not trusted from the beginning was told, too.
        if counts(made) && !counts(until) {
            verdict.note(Fault::NotRenewed);
        }
    }
}

fn verify_chain(
    record: &Record,
    place: usize,
    chain: &Chain,
    digests: &dyn Fn(Algorithm) -> Vec<Vec<u8>>,
    policy: Policy<'_>,
    verdict: &mut Verdict,
) -> Result<(), Fault> {
    let algorithm = chain.algorithm().ok_or(Fault::UnknownAlgorithm)?;
    if !record.algorithms.contains(&Some(algorithm)) {
        verdict.note(Fault::AlgorithmDiffers);
    }
    let mut before: Option<&[u8]> = None;
    for stamp in &chain.stamps {
        let facts = inspect(&stamp.token).map_err(|_| Fault::StampMalformed)?;
        if stamp.algorithm.unwrap_or(facts.algorithm) != algorithm || facts.algorithm != algorithm {
            verdict.note(Fault::AlgorithmDiffers);
        }
        if facts.certificates == 0 || !(facts.version == 3 || facts.version == 5 && facts.has_revocation) {
            verdict.note(Fault::StampMalformed);
        }
        if !facts.has_revocation {
            verdict.note(Fault::NoRevocation);
        }
        let first = stamp.tree.first();
        let covers = match before {
            Some(before) => renewed(first, &digest(algorithm, &[before])?),
            None => covers(first, record, place, algorithm, digests(algorithm), policy.part),
        };
        let imprint = imprint(stamp, algorithm, covers?, verdict)?;
        judge_stamp(&stamp.token, (algorithm, &imprint), policy, verdict);
        note_time(facts.stamp, algorithm, verdict);
        before = Some(&stamp.token);
    }
    Ok(())
}

/// The digest that the stamp must cover: the root of its tree, or the one thing that it covers without a tree.
fn imprint(
    stamp: &ArchiveTimeStamp,
    algorithm: Algorithm,
    alone: Vec<u8>,
    verdict: &mut Verdict,
) -> Result<Vec<u8>, Fault> {
    if stamp.tree.is_empty() {
        return Ok(alone);
    }
    let root = tree::root(algorithm, &stamp.tree)?;
    let stamps = |digest: &[u8]| {
        !matches!(
            check_token(&stamp.token, (algorithm, digest), None),
            Err(crate::Error::TimestampDiffers(_))
        )
    };
    if stamps(&root) {
        return Ok(root);
    }
    // Some hash the only digest of a tree again (section 4.3 can be read so).
    if let [list] = &stamp.tree[..]
        && let [only] = &list[..]
    {
        let again = digest(algorithm, &[only])?;
        if stamps(&again) {
            return Ok(again);
        }
    }
    verdict.note(Fault::TreeDiffers);
    Ok(root)
}

/// Whether the first stamp of a chain covers the data. Answers the digest that it covers without a tree.
fn covers(
    list: Option<&Vec<Vec<u8>>>,
    record: &Record,
    place: usize,
    algorithm: Algorithm,
    data: Vec<Vec<u8>>,
    part: bool,
) -> Result<Vec<u8>, Fault> {
    if data.is_empty() {
        return Err(Fault::DataDiffer);
    }
    if place == 0 {
        return named(list, data, part).ok_or(Fault::DataDiffer);
    }
    // Section 5.2: each digest together with that of everything before.
    let history = digest(algorithm, &[&record.sequence(place)])?;
    let with = |data: &Vec<u8>| digest(algorithm, &[data, &history]);
    let renewed: Vec<Vec<u8>> = data.iter().map(with).collect::<crate::Result<_>>()?;
    if let Some(alone) = named(list, renewed, part) {
        return Ok(alone);
    }
    // As RFC 6283 does it, and some do here, too.
    let sorted = |data: &Vec<u8>| match data < &history {
        true => digest(algorithm, &[data, &history]),
        false => digest(algorithm, &[&history, data]),
    };
    let renewed: Vec<Vec<u8>> = data.iter().map(sorted).collect::<crate::Result<_>>()?;
    named(list, renewed, part).ok_or(Fault::RenewalDiffers)
}

/// Whether the list names these digests, and nothing else unless they are a part.
fn named(list: Option<&Vec<Vec<u8>>>, mut data: Vec<Vec<u8>>, part: bool) -> Option<Vec<u8>> {
    data.sort_unstable();
    data.dedup();
    let alone = data.first().cloned()?;
    let Some(list) = list else { return (data.len() == 1).then_some(alone) };
    // Both may be long.
    let mut listed: Vec<&Vec<u8>> = list.iter().collect();
    listed.sort_unstable();
    let all_there = data.iter().all(|digest| listed.binary_search(&digest).is_ok());
    let none_else = part || list.iter().all(|digest| data.binary_search(digest).is_ok());
    (all_there && none_else).then_some(alone)
}

/// Whether a further stamp of a chain covers the one before.
fn renewed(list: Option<&Vec<Vec<u8>>>, before: &[u8]) -> Result<Vec<u8>, Fault> {
    match list {
        Some(list) if !list.iter().any(|digest| digest == before) => Err(Fault::RenewalDiffers),
        _ => Ok(before.to_vec()),
    }
}

fn judge_stamp(token: &[u8], digest: (Algorithm, &[u8]), policy: Policy<'_>, verdict: &mut Verdict) {
    let fault = match check_token(token, digest, policy.authorities) {
        Ok(_) => return,
        // A tree that leads elsewhere is told as that.
        Err(crate::Error::TimestampDiffers(_)) if verdict.faults.contains(&Fault::TreeDiffers) => return,
        Err(crate::Error::TimestampDiffers(_)) => Fault::DataDiffer,
        Err(crate::Error::TimestampUntrusted) => Fault::Untrusted,
        Err(crate::Error::TimestampMalformed(_)) => Fault::StampMalformed,
        Err(_) => Fault::StampSignature,
    };
    verdict.note(fault);
}

/// Stamps are in order, and whatever was renewed still counted then.
fn note_time(stamp: Timestamp, algorithm: Algorithm, verdict: &mut Verdict) {
    match verdict.last {
        Some(last) if stamp.at_micros <= last.at_micros => verdict.note(Fault::NotAscending),
        None => verdict.first = Some(stamp),
        Some(_) => {}
    }
    if !algorithm.is_suitable_at(stamp.at_micros) {
        verdict.note(Fault::Outdated);
    }
    verdict.last = Some(stamp);
}
