//! Our feed into libxml2's validator judges as libxml2's own parser does, and names the same lines.
use crate::mutation::{Dice, mutate, parse, write};
use crate::{check, official, shared, xdomea_samples};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn xmllint_agrees_on_verdict_and_lines() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("SKIPPED: xmllint is not installed");
        return;
    }
    let (Some(official), Some(packs)) = (official(), shared("packs/xdomea/3.0.0")) else { return };
    let is_3_0 = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("xdomea:schema:3.0.0");
    let samples: Vec<_> = xdomea_samples().into_iter().filter(|(_, bytes)| is_3_0(bytes)).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(7);
    let mut compared = 0;
    for round in 0..120 {
        let document = write(&mutate(&parse(&samples[round % samples.len()].1), &mut dice));
        let report = check(&official, &document);
        // There we know better than libxml2.
        if report.findings.iter().any(|finding| finding.rule == "xdomea.fixed-boolean") {
            continue;
        }
        let file = folder.path().join("document.xml");
        std::fs::write(&file, &document).unwrap();
        let output = Command::new("xmllint")
            .args(["--nonet", "--noout", "--schema"])
            .arg(packs.join("xdomea.xsd"))
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), report.is_valid(), "round {round}: {text} {report:?}");
        let lines: BTreeSet<u64> = text.lines().filter_map(line_of).collect();
        let ours: BTreeSet<u64> = report.findings.iter().map(|finding| finding.line).collect();
        assert_eq!(ours, lines, "round {round}: {text} {report:?}");
        compared += 1;
    }
    assert!(compared >= 100);
}

/// `…/document.xml:12: element ID: Schemas validity error : …`
fn line_of(message: &str) -> Option<u64> {
    message.split_once("document.xml:")?.1.split_once(": element")?.0.parse().ok()
}
