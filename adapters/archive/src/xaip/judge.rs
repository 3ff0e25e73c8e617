//! Judges a package by what is inside: files that it refers to, checksums, evidence records. What nothing proves is not verified, also if
//! nothing is wrong: a package without any evidence is no success.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Seek, SeekFrom};

use seal::ers::{self, Outcome, Record, Verdict};
use seal::hash::Algorithm;
use seal::timestamp::Authorities;

use super::Error;
use super::digests::{Files, Object, digests};
use super::outline::{Budget, Evidence, Outline, outline_within};

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// What was found of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What it says of itself.
    pub outline: Outline,
    /// Objects whose file is missing or another one.
    pub wrong_files: Vec<String>,
    /// Objects whose checksum is wrong.
    pub wrong_checksums: Vec<String>,
    /// Pointers that lead to no object.
    pub dangling: Vec<String>,
    /// Each evidence record, in the order of the package, then those that came beside it.
    pub evidence: Vec<Judged>,
    /// What was found of each object, by its id: its SHA-256 in any case.
    pub objects: BTreeMap<String, Object>,
}

/// An evidence record, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The credential that it is; empty if it came beside the package.
    pub credential: String,
    /// The version that it covers.
    pub version: String,
    /// Whether it names another package or version than there is.
    pub elsewhere: bool,
    /// What its verification came to, or why it could not be read.
    pub verdict: Result<Verdict, ers::Fault>,
}

impl Judged {
    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        match &self.verdict {
            Ok(verdict) if !self.elsewhere => verdict.outcome(),
            _ => Outcome::Invalid,
        }
    }
}

impl Judgement {
    /// Whether files, checksums and pointers are right.
    pub fn is_whole(&self) -> bool {
        self.wrong_files.is_empty() && self.wrong_checksums.is_empty() && self.dangling.is_empty()
    }

    /// The least of what the evidence of a version comes to; `None` if there is none: then nothing is verified.
    pub fn of_version(&self, version: &str) -> Option<Outcome> {
        let all = self.evidence.iter().filter(|judged| judged.version == version).map(Judged::outcome);
        all.min_by_key(|outcome| match outcome {
            Outcome::Invalid => 0,
            Outcome::Indeterminate => 1,
            Outcome::Valid => 2,
        })
    }
}

/// How a package is judged.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Whose time stamps count.
    pub authorities: Option<&'a Authorities>,
    /// The present, in microseconds since 1970.
    pub now_micros: i64,
    /// Files beside the package.
    pub files: Files<'a>,
}

/// Judges a package, with evidence records that came beside it. Reads it twice.
///
/// # Errors
/// If it cannot be read, or is no XAIP.
pub fn judge(
    package: &mut (impl Read + Seek),
    beside: Vec<Evidence>,
    rules: Rules<'_>,
) -> Result<Judgement, Error> {
    package.seek(SeekFrom::Start(0))?;
    let mut budget = Budget::default();
    beside.iter().try_for_each(|evidence| budget.take_evidence(evidence.bytes()))?;
    let outline = outline_within(BufReader::with_capacity(BUFFER, &mut *package), &mut budget)?;
    let all: Vec<&Evidence> = outline.records.iter().chain(&beside).collect();
    let read = |evidence: &Evidence| match &evidence.der {
        Some(der) => Record::read(der),
        None => Err(ers::Fault::Malformed),
    };
    let mut algorithms = BTreeSet::from([Algorithm::Sha256, Algorithm::Sha512]);
    for evidence in &all {
        algorithms.extend(read(evidence).iter().flat_map(Record::algorithms_of_chains));
    }
    package.seek(SeekFrom::Start(0))?;
    let objects =
        digests(BufReader::with_capacity(BUFFER, &mut *package), &outline.form, &algorithms, rules.files)?;
    // One record at a time is taken apart, each once more than would be needed: they are large.
    let evidence = all.iter().map(|evidence| {
        let version = version_of(&outline, evidence);
        let is_there = outline.versions.iter().any(|known| known.id == version);
        // A package that was not submitted yet has no name.
        let names_other =
            evidence.aoid.as_ref().zip(outline.aoid.as_ref()).is_some_and(|(said, name)| said != name);
        let elsewhere = names_other || !is_there;
        let verdict = read(evidence).map(|record| {
            let of = |algorithm| of_version(&outline, &objects, &version, algorithm);
            let policy =
                ers::Policy { authorities: rules.authorities, now_micros: rules.now_micros, part: false };
            ers::verify(&record, &of, policy)
        });
        Judged { credential: evidence.credential.clone(), version, elsewhere, verdict }
    });
    let evidence = evidence.collect();
    let named = |is_it: fn(&Object) -> bool| -> Vec<String> {
        objects.iter().filter(|(_, object)| is_it(object)).map(|(id, _)| id.clone()).collect()
    };
    let pointers: BTreeSet<&String> =
        outline.versions.iter().flat_map(|version| &version.protected).collect();
    let dangling = pointers.into_iter().filter(|id| !objects.contains_key(*id)).cloned().collect();
    let (wrong_files, wrong_checksums) =
        (named(|object| object.file == Some(false)), named(|object| object.checksum == Some(false)));
    Ok(Judgement { wrong_files, wrong_checksums, dangling, evidence, outline, objects })
}

/// The version that a record covers: what it says, else the first.
fn version_of(outline: &Outline, evidence: &Evidence) -> String {
    let first = outline.versions.first().map(|version| version.id.clone());
    evidence.version.clone().or(first).unwrap_or_default()
}

/// The digests of what a version protects; nothing if one of them is not known.
fn of_version(
    outline: &Outline,
    objects: &BTreeMap<String, Object>,
    version: &str,
    algorithm: Algorithm,
) -> Vec<Vec<u8>> {
    let version = outline.versions.iter().find(|known| known.id == version);
    let protected = version.map(|version| &version.protected[..]).unwrap_or_default();
    let digest = |id: &String| objects.get(id)?.digests.get(&algorithm).cloned();
    protected.iter().map(digest).collect::<Option<_>>().unwrap_or_default()
}
