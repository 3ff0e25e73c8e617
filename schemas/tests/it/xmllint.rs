//! The judge beside us: xmllint with the official schemas, many documents at a time.
use crate::corpus::Document;
use crate::shared;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What xmllint says of a document: whether it is valid, and the lines of what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) is_valid: bool,
    pub(crate) lines: BTreeSet<u64>,
}

/// Judges each of the documents by the official schema of the one it was made from.
pub(crate) fn judge(documents: &[(&Document, Vec<u8>)]) -> Vec<Judgement> {
    let folder = tempfile::tempdir().unwrap();
    let mut groups: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
    for (number, (origin, bytes)) in documents.iter().enumerate() {
        let file = folder.path().join(format!("{number}.xml"));
        std::fs::write(&file, bytes).unwrap();
        groups.entry(&origin.schema).or_default().push(file);
    }
    let mut judgements = vec![None; documents.len()];
    for (schema, files) in groups {
        read(&run(schema, &files), &mut judgements);
    }
    judgements.into_iter().map(|judgement| judgement.expect("xmllint said nothing")).collect()
}

/// What xmllint writes about the files.
fn run(schema: &Path, files: &[PathBuf]) -> String {
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .args(files)
        .env("XML_CATALOG_FILES", shared("packs").unwrap().join("catalog.xml"))
        .output()
        .expect("xmllint has to be installed (libxml2-utils)");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A prefix that is not declared is for it no matter of validity, but it says so, and so do we.
///
/// `…/12.xml:7: element ID: Schemas validity error : …` and, at last, `…/12.xml validates` or
/// `…/12.xml fails to validate`.
fn read(said: &str, judgements: &mut [Option<Judgement>]) {
    let mut lines: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    let mut unclear = BTreeSet::new();
    for line in said.lines() {
        let Some((file, rest)) = line.split_once(".xml") else { continue };
        let Ok(number) = file.rsplit('/').next().unwrap().parse::<usize>() else { continue };
        if let Some((at, _)) = rest.strip_prefix(':').and_then(|rest| rest.split_once(": element ")) {
            lines.entry(number).or_default().insert(at.parse().unwrap());
        }
        if rest.contains(": namespace error : Namespace prefix ") {
            unclear.insert(number);
        }
        if rest == " validates" || rest == " fails to validate" {
            let lines = lines.remove(&number).unwrap_or_default();
            let is_valid = rest == " validates" && !unclear.contains(&number);
            judgements[number] = Some(Judgement { is_valid, lines });
        }
    }
}
