//! `amtsbote check` says of every sample what the index of the samples says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::installation::Installation;

/// Official packs whose messages are among the samples.
const PACKS: [&str; 4] = ["xoev-common", "xdomea", "xbeteiligung", "xrechnung"];

/// What the index says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Valid,
    /// Nothing can validate it here, whatever its own schema would say; it may be of no standard at all.
    NotValidated,
    /// It is no message, but belongs to one.
    Attachment,
}

fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(shared)
}

/// Every file of the index with its verdict.
fn index(samples: &Path) -> Vec<(PathBuf, Verdict)> {
    let text = std::fs::read_to_string(samples.join("SAMPLES.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    let files = cells.filter(|cells| samples.join(cells[0]).is_file());
    files.map(|cells| (samples.join(cells[0]), verdict(cells[2]))).collect()
}

fn verdict(result: &str) -> Verdict {
    match result {
        "valid" | "container; XML valid" => Verdict::Valid,
        "primary document" => Verdict::Attachment,
        _ if result.contains("not in packs") || result == "no XSD in packs" => Verdict::NotValidated,
        other => panic!("a result that the test does not know: {other}"),
    }
}

/// What the command says of every file, by file.
fn judged(installation: &Installation, files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let output = installation.run(&[&["check", "--json"], &names[..]].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    let objects = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.map(|object| (PathBuf::from(object["file"].as_str().unwrap()), object)).collect()
}

fn says(object: &Value, expected: Verdict) -> bool {
    let findings = object["findings"].as_array().unwrap();
    let has = |rule: &str| findings.iter().any(|finding| finding["rule"] == rule);
    let is_identified = ["standard", "version", "type"].iter().all(|member| object[member].is_string());
    let is_explained = findings.iter().all(|finding| finding["en"].is_string() && finding["de"].is_string());
    is_explained
        && match expected {
            Verdict::Valid => object["valid"] == true && is_identified,
            Verdict::NotValidated if has("message.unknown") => object["valid"] == false && !is_identified,
            Verdict::NotValidated => object["valid"].is_null() && is_identified && has("schema.absent"),
            Verdict::Attachment => object["valid"] == false && has("message.unknown"),
        }
}

fn shortly(object: &Value) -> String {
    let findings = object["findings"].as_array().unwrap().iter();
    let rules: BTreeSet<String> = findings.map(|f| format!("{} {}", f["severity"], f["rule"])).collect();
    format!("{} {} {}: {}, {rules:?}", object["standard"], object["version"], object["type"], object["valid"])
}

#[test]
fn every_sample_gets_the_verdict_of_the_index() {
    let Some(shared) = shared() else { return };
    let installation = Installation::new();
    for pack in PACKS {
        let path = shared.join("packs").join(pack);
        installation.json(&["schema", "add", path.to_str().unwrap(), "--json"]);
    }
    let index = index(&shared.join("samples/xoev"));
    assert!(index.len() > 150, "{} files", index.len());
    let files: Vec<PathBuf> = index.iter().map(|(file, _)| file.clone()).collect();
    let judged = judged(&installation, &files);
    let wrong: Vec<String> = index
        .iter()
        .filter(|(file, expected)| !says(&judged[file], *expected))
        .map(|(file, expected)| {
            format!("{}: expected {expected:?}: {}", file.display(), shortly(&judged[file]))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), index.len(), wrong.join("\n"));
}

#[test]
fn every_sample_of_xdomea_gets_its_verdict_without_packs() {
    let Some(shared) = shared() else { return };
    let samples = shared.join("samples/xoev");
    let index: Vec<_> =
        index(&samples).into_iter().filter(|(file, _)| file.starts_with(samples.join("xdomea"))).collect();
    let files: Vec<PathBuf> = index.iter().map(|(file, _)| file.clone()).collect();
    let judged = judged(&Installation::new(), &files);
    for (file, expected) in &index {
        assert!(says(&judged[file], *expected), "{}: {}", file.display(), shortly(&judged[file]));
    }
}
