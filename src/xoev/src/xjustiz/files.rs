//! Rules for the files of a message to a court: § 5 ERVV with its announcements (number and volume), the Leitfaden of the justice
//! (names, formats), and the documentation of `dateiname` in XJustiz. Strict, since they are for what is sent; nobody applies them to
//! what comes.

use std::collections::BTreeSet;

use model::{Finding, Id, Report, Timestamp};

use super::{FILE_NAME, Said, versions};
use crate::container::{Limits, folded, shown};

/// Endings of documents.
pub const FORMATS: [&str; 3] = ["pdf", "tif", "tiff"];
/// Endings of detached signatures, behind that of the file that they sign.
pub(super) const SIGNATURES: [&str; 2] = ["p7s", "pkcs7"];
/// Control files of a message that is handed on: the only further XML files. Each has a UUID behind it.
const CONTROL_FILES: [&str; 3] = ["xjustiz_nachricht_", "pruefvermerk_", "vhn_"];
/// Names that the proof of origin has.
const RESERVED: [&str; 2] = ["vhn.xml", "vhn.xml.p7s"];
/// Most characters of a name, with its ending.
const NAME_CHARS: usize = 90;
/// Most files and bytes, and the moment from which they hold.
const VOLUMES: [(&str, (usize, u64)); 2] =
    [("2022-04-01T00:00:00+02:00", (200, 100_000_000)), ("2023-01-01T00:00:00+01:00", (1_000, 200_000_000))];
/// Before all of them.
const FIRST_VOLUME: (usize, u64) = (100, 60_000_000);

/// What a court takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Most files, the message itself included.
    pub files: usize,
    /// Most bytes of all files together.
    pub bytes: u64,
    /// Endings of documents, in lower case.
    pub formats: Vec<String>,
    /// Versions of XJustiz by their first two numbers.
    pub versions: Vec<String>,
    /// What a container may hold in which a message is handed in.
    pub container: Limits,
}

impl Rules {
    /// What everybody takes at a moment.
    pub fn at(now: Timestamp) -> Rules {
        let (files, bytes) = volume(now);
        let owned = |words: &mut dyn Iterator<Item = &'static str>| words.map(str::to_owned).collect();
        Rules {
            files,
            bytes,
            formats: owned(&mut FORMATS.into_iter()),
            versions: owned(&mut versions::in_use(now)),
            container: Limits::default(),
        }
    }
}

/// Most files and most bytes of a message at a moment.
pub fn volume(now: Timestamp) -> (usize, u64) {
    let has_begun = |day: &str| Timestamp::parse(day).is_some_and(|day| day <= now);
    let known = VOLUMES.iter().rfind(|(day, _)| has_begun(day));
    known.map_or(FIRST_VOLUME, |(_, volume)| *volume)
}

/// Judges a message with its files, each with its size in bytes; the message is one of them, by the name of
/// [`FILE_NAME`]. Every finding goes into `report`.
pub(super) fn judge_files(said: &Said, files: &[(String, u64)], rules: &Rules, report: &mut Report) {
    if !rules.versions.iter().any(|known| versions::is_of(&said.version, known)) {
        let versions = rules.versions.join(", ");
        let finding = Finding::error("xjustiz.version").with("version", shown(&said.version));
        report.add(finding.with("versions", versions));
    }
    if said.is_internal {
        report.add(Finding::error("xjustiz.internal-data"));
    }
    judge_volume(files, rules, report);
    let mut seen = BTreeSet::new();
    for (name, _) in files {
        if !seen.insert(folded(name)) {
            report.add(Finding::error("xjustiz.file-name-twice").in_file(shown(name)));
        }
        if name == FILE_NAME {
            continue;
        }
        if let Some(rule) = fault(name, &rules.formats) {
            report.add(Finding::error(rule).in_file(shown(name)));
        }
        if !said.files.contains(name) {
            report.add(Finding::error("xjustiz.file-not-listed").in_file(shown(name)));
        }
    }
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in said.files.iter().filter(|name| !names.contains(name.as_str())) {
        report.add(Finding::error("xjustiz.file-missing").in_file(shown(name)));
    }
}

fn judge_volume(files: &[(String, u64)], rules: &Rules, report: &mut Report) {
    if files.len() > rules.files {
        let finding = Finding::error("xjustiz.too-many-files").with("files", files.len().to_string());
        report.add(finding.with("most", rules.files.to_string()));
    }
    let bytes = files.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
    if bytes > rules.bytes {
        let finding = Finding::error("xjustiz.too-large").with("bytes", bytes.to_string());
        report.add(finding.with("most", rules.bytes.to_string()));
    }
}

/// The rule that a name breaks, if it does.
fn fault(name: &str, formats: &[String]) -> Option<&'static str> {
    if name.chars().count() > NAME_CHARS {
        return Some("xjustiz.file-name-length");
    }
    if !name.chars().all(is_allowed) {
        return Some("xjustiz.file-name-characters");
    }
    let lower = name.to_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower == FILE_NAME {
        return Some("xjustiz.file-name-reserved");
    }
    let parts: Vec<&str> = lower.split('.').collect();
    let is_format = |ending: &str| formats.iter().any(|format| format == ending);
    match parts[..] {
        _ if parts.len() > 1 && parts.iter().any(|part| part.is_empty()) => Some("xjustiz.file-name-dots"),
        [stem, "xml"] | [stem, "xml", "p7s"] => match is_control_file(stem) || is_format("xml") {
            true => None,
            false if stem.starts_with("xjustiz_nachricht") => Some("xjustiz.file-name-reserved"),
            false => Some("xjustiz.file-format"),
        },
        [_, ending] if is_format(ending) || SIGNATURES.contains(&ending) => None,
        [_, ending, signature] if SIGNATURES.contains(&signature) => match is_format(ending) {
            true => None,
            false => Some("xjustiz.file-format"),
        },
        [_] | [_, _] => Some("xjustiz.file-format"),
        _ => Some("xjustiz.file-name-dots"),
    }
}

/// German letters, digits, `_`, `-` and the dot.
pub(super) fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | 'Ä' | 'ä' | 'Ö' | 'ö' | 'Ü' | 'ü' | 'ß')
}

fn is_control_file(stem: &str) -> bool {
    let ids = CONTROL_FILES.iter().filter_map(|prefix| stem.strip_prefix(prefix));
    ids.into_iter().any(|id| id.len() == 36 && id.parse::<Id>().is_ok())
}

/// Whether every court takes a file of this name.
#[cfg(test)]
pub(super) fn is_name_taken(name: &str) -> bool {
    fault(name, &FORMATS.map(str::to_owned)).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "5558aeab-4b75-44db-80e5-7219da4751a2";

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-29T09:00:00Z").unwrap()
    }

    fn fault_of(name: &str) -> &'static str {
        fault(name, &Rules::at(now()).formats).unwrap_or("-")
    }

    /// The rules that a message breaks which names `listed` and comes with `files`.
    fn rules(listed: &[&str], files: &[(&str, u64)], rules: &Rules) -> Vec<String> {
        let files: Vec<(String, u64)> =
            files.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        let listed = listed.iter().map(|name| (*name).to_owned()).collect();
        let said = Said { version: "3.6.2".into(), files: listed, ..Said::default() };
        let mut report = Report::default();
        judge_files(&said, &files, rules, &mut report);
        report.findings.into_iter().map(|it| format!("{} {}", it.rule, it.file.unwrap_or_default())).collect()
    }

    #[test]
    fn names_are_judged_as_the_guide_says() {
        for name in
            ["Klage.pdf", "Widerspruch-2026_ÄÖÜäöüß.PDF", "Plan.tiff", "Klage.pdf.pkcs7", "Klage.pdf.p7s"]
        {
            assert_eq!(fault_of(name), "-", "{name}");
        }
        for (name, rule) in [
            ("99 - Klage.pdf", "xjustiz.file-name-characters"),
            ("Klage\u{308}.pdf", "xjustiz.file-name-characters"),
            ("a/b.pdf", "xjustiz.file-name-characters"),
            ("Klage (1).pdf", "xjustiz.file-name-characters"),
            ("Klage.v2.pdf", "xjustiz.file-name-dots"),
            ("Klage..pdf", "xjustiz.file-name-dots"),
            (".pdf", "xjustiz.file-name-dots"),
            ("a.b.pdf.p7s", "xjustiz.file-name-dots"),
            ("Klage", "xjustiz.file-format"),
            ("Anlagen.zip", "xjustiz.file-format"),
            ("Klage.docx.p7s", "xjustiz.file-format"),
            ("Daten.xml", "xjustiz.file-format"),
            ("VHN.xml", "xjustiz.file-name-reserved"),
            ("vhn.xml.p7s", "xjustiz.file-name-reserved"),
            ("XJustiz_Nachricht.xml", "xjustiz.file-name-reserved"),
            ("xjustiz_nachricht_2.xml", "xjustiz.file-name-reserved"),
        ] {
            assert_eq!(fault_of(name), rule, "{name}");
        }
    }

    #[test]
    fn a_message_that_is_handed_on_has_control_files_with_a_uuid() {
        for name in ["xjustiz_nachricht_", "pruefvermerk_", "vhn_"] {
            assert_eq!(fault_of(&format!("{name}{UUID}.xml")), "-");
            assert_ne!(fault_of(&format!("{name}1.xml")), "-");
        }
        assert_eq!(fault_of(&format!("vhn_{UUID}.xml.p7s")), "-");
        assert_eq!(fault_of(&format!("pruefvermerk_{UUID}.pdf")), "-");
    }

    #[test]
    fn a_name_has_at_most_ninety_characters_however_many_bytes_that_are() {
        assert_eq!(fault_of(&format!("{}.pdf", "ä".repeat(86))), "-");
        assert_eq!(fault_of(&format!("{}.pdf", "ä".repeat(87))), "xjustiz.file-name-length");
    }

    #[test]
    fn what_is_listed_is_there_and_what_is_there_is_listed() {
        let all = Rules::at(now());
        assert_eq!(rules(&["a.pdf"], &[(FILE_NAME, 1), ("a.pdf", 1)], &all), Vec::<String>::new());
        assert_eq!(rules(&["a.pdf"], &[(FILE_NAME, 1)], &all), ["xjustiz.file-missing a.pdf"]);
        assert_eq!(rules(&[], &[(FILE_NAME, 1), ("a.pdf", 1)], &all), ["xjustiz.file-not-listed a.pdf"]);
        let twice = rules(&["a.pdf", "A.PDF"], &[(FILE_NAME, 1), ("a.pdf", 1), ("A.PDF", 1)], &all);
        assert_eq!(twice, ["xjustiz.file-name-twice A.PDF"]);
    }

    #[test]
    fn number_and_volume_are_those_of_the_day() {
        for (moment, expected) in [
            ("2022-03-31T21:59:59Z", (100, 60_000_000)),
            ("2022-03-31T22:00:00Z", (200, 100_000_000)),
            ("2026-11-29T00:00:00Z", (1_000, 200_000_000)),
        ] {
            assert_eq!(volume(Timestamp::parse(moment).unwrap()), expected, "{moment}");
        }
        let few = Rules { files: 1, bytes: 2, ..Rules::at(now()) };
        assert_eq!(rules(&["a.pdf"], &[(FILE_NAME, 1), ("a.pdf", 1)], &few), ["xjustiz.too-many-files "]);
        assert_eq!(rules(&[], &[(FILE_NAME, 3)], &few), ["xjustiz.too-large "]);
        assert_eq!(rules(&[], &[(FILE_NAME, 2)], &few), Vec::<String>::new());
    }

    #[test]
    fn only_versions_in_use_are_sent() {
        let mut report = Report::default();
        let said = Said { version: "2.4.0".into(), is_internal: true, ..Said::default() };
        judge_files(&said, &[], &Rules::at(now()), &mut report);
        let rules: Vec<_> = report.findings.iter().map(|it| it.rule.as_str()).collect();
        assert_eq!(rules, ["xjustiz.version", "xjustiz.internal-data"]);
        assert_eq!(report.findings[0].with["versions"], "3.5, 3.6, 3.7");
    }

    proptest! {
        /// The guide's rule for names in other words: what it refuses is refused here, and what it allows and has an ending is not.
        #[test]
        fn names_that_the_guide_allows_are_taken_and_no_others(name in "[a-zA-Z0-9_äß .()/\\-]{1,95}(\\.pdf)?") {
            let allowed = |c: char| "äöüÄÖÜß_-.".contains(c) || c.is_ascii_alphanumeric();
            let dots = name.matches('.').count();
            let by_guide = name.chars().all(allowed) && name.chars().count() <= 90 && dots <= 2;
            let taken = fault_of(&name) == "-";
            prop_assert!(by_guide || !taken, "{name}");
            let is_plain = dots == 1 && name.ends_with(".pdf") && name.len() > 4;
            prop_assert!(taken || !(by_guide && is_plain), "{name}");
        }
    }
}
