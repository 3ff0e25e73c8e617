//! Our own schemas judge as the official ones do, and our feed into libxml2's validator as libxml2's
//! own parser: every sample, every type of message, and thousands of damaged ones, all versions.
use crate::corpus::{Document, generated, samples};
use crate::mutation::{Dice, Element, mutate, normalise, parse, write};
use crate::xmllint::{Judgement, judge};
use crate::{check, official, shared};
use schemas::{Origin, Report, Schemas};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Damaged documents, unless the variable says otherwise.
const ROUNDS: usize = 1_600;
const ROUNDS_VARIABLE: &str = "AMTSBOTE_ROUNDS";
/// Documents that xmllint gets at a time.
const BATCH: usize = 400;

/// Our own schemas and the official ones.
struct Judges {
    own: Arc<Schemas>,
    official: Arc<Schemas>,
}

impl Judges {
    fn new() -> Option<Judges> {
        let judges = Judges { own: Arc::new(Schemas::new()), official: official()? };
        let root = ("urn:xoev-de:xdomea:schema:3.1.0", "Abgabe.Abgabe.0401");
        assert_eq!(judges.own.knows(root.0, root.1), Some(Origin::Own));
        assert_eq!(judges.official.knows(root.0, root.1), Some(Origin::Pack));
        Some(judges)
    }

    /// What our validator finds with the official schemas. Our own, if we have one, gives the same verdict.
    fn check(&self, origin: &Document, bytes: &[u8]) -> (Report, bool) {
        let theirs = check(&self.official, bytes);
        if !origin.is_covered() {
            return (theirs, false);
        }
        let ours = check(&self.own, bytes);
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(ours.is_valid(), theirs.is_valid(), "{}: {ours:?} {theirs:?} {text}", origin.name);
        let is_same = ours == theirs;
        (theirs, is_same)
    }
}

/// The same verdict, and the same lines.
fn compare(origin: &Document, bytes: &[u8], ours: &Report, theirs: &Judgement) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(ours.is_valid(), theirs.is_valid, "{}: {ours:?} {theirs:?} {text}", origin.name);
    // An element in a value: we name the line of the one, libxml2 that of the other. What is not
    // well-formed ends our reading.
    let has = |rule: &str| ours.findings.iter().any(|finding| finding.rule == rule);
    if has("xsd.1828") || has("xml.namespace") {
        return;
    }
    let lines = ours.findings.iter().map(|finding| finding.line).collect();
    assert_eq!(theirs.lines, lines, "{}: {ours:?} {text}", origin.name);
}

#[test]
fn every_sample_and_every_type_of_message_is_valid_for_all_judges() {
    let Some(judges) = Judges::new() else { return };
    let mut documents = samples();
    assert!(documents.len() >= 36, "only {} samples found", documents.len());
    documents.extend(generated(&[None, Some(1)]));
    let written: Vec<_> =
        documents.iter().map(|origin| (origin, write(&normalise(parse(&origin.bytes))))).collect();
    let mut covered = 0;
    for batch in written.chunks(BATCH) {
        for ((origin, bytes), theirs) in batch.iter().zip(judge(batch)) {
            let (report, is_same) = judges.check(origin, bytes);
            compare(origin, bytes, &report, &theirs);
            let has_code = !origin.name.contains(" 0203 ") || origin.name.starts_with('4');
            assert_eq!(report.is_valid(), has_code, "{}: {report:?}", origin.name);
            assert!(is_same || !origin.is_covered(), "{}", origin.name);
            covered += usize::from(origin.is_covered());
        }
    }
    eprintln!("{} documents, {covered} of them by our own schemas too", documents.len());
    assert!(covered > 230, "{covered}");
}

/// The numbers of the documents of each version: all versions get the same part.
fn by_version(origins: &[Document]) -> Vec<Vec<usize>> {
    let mut versions: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (number, origin) in origins.iter().enumerate() {
        versions.entry(origin.schema.parent().unwrap()).or_default().push(number);
    }
    assert_eq!(versions.len(), 6, "{versions:?}");
    versions.into_values().collect()
}

#[test]
fn damaged_documents_get_one_verdict_from_all_judges() {
    let Some(judges) = Judges::new() else { return };
    let mut origins = samples();
    origins.extend(generated(&[Some(4), Some(5), Some(6)]).into_iter().filter(|d| d.bytes.len() < 20_000));
    let trees: Vec<Element> = origins.iter().map(|origin| parse(&origin.bytes)).collect();
    let versions = by_version(&origins);
    let asked = std::env::var(ROUNDS_VARIABLE).ok().map(|rounds| rounds.parse().unwrap());
    let rounds: usize = asked.unwrap_or(ROUNDS);
    let mut dice = Dice::new(3);
    let (mut invalid, mut same, mut by_own) = (0, 0, 0);
    for from in (0..rounds).step_by(BATCH) {
        let damaged: Vec<_> = (from..rounds.min(from + BATCH))
            .map(|round| {
                let number = *dice.pick(&versions[round % versions.len()]);
                (&origins[number], write(&normalise(mutate(&trees[number], &mut dice))))
            })
            .collect();
        for ((origin, bytes), theirs) in damaged.iter().zip(judge(&damaged)) {
            let (report, is_same) = judges.check(origin, bytes);
            compare(origin, bytes, &report, &theirs);
            invalid += usize::from(!report.is_valid());
            same += usize::from(is_same);
            by_own += usize::from(origin.is_covered());
        }
    }
    eprintln!(
        "{rounds} damaged documents of {} versions made from {}, {invalid} invalid; {by_own} judged by our own schemas too, \
         {same} of them with the very same findings",
        versions.len(),
        origins.len()
    );
    // The damage must be neither all harmless nor all fatal.
    assert!(invalid > rounds / 2 && invalid < rounds);
}

#[test]
fn what_is_compared_with_is_at_hand() {
    assert!(shared("packs/xdomea").is_some(), "../shared is absent");
}
