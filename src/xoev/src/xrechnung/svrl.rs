//! What a Schematron processor says (SVRL, ISO/IEC 19757-3, annex D): only what failed is kept.

use std::io::{BufReader, Read};

use model::{Finding, Report, Severity};
use xml::{Event, Limits, Reader, Start};

use crate::container::shown;

const SVRL: &str = "http://purl.oclc.org/dsdl/svrl";
/// Longest words of a finding, in bytes; what is longer is cut.
const TEXT_BYTES: usize = 600;

/// A failed assertion or successful report that is open.
struct Open {
    finding: Finding,
    depth: usize,
    words: String,
}

impl Open {
    fn new(start: &Start<'_>, depth: usize) -> Self {
        let severity = severity(start.attribute("flag").or(start.attribute("role")));
        let id = shown(start.attribute("id").unwrap_or_default());
        let mut finding = Finding::new("xrechnung.rule", severity).with("name", id);
        finding.path = start.attribute("location").map(str::to_owned);
        Open { finding, depth, words: String::new() }
    }

    fn say(&mut self, piece: &str) {
        let end = piece.floor_char_boundary(TEXT_BYTES.saturating_sub(self.words.len()));
        self.words.push_str(piece.get(..end).unwrap_or_default());
    }

    /// It is a finding even if the rule has no words.
    fn finish(self) -> Finding {
        let says: Vec<&str> = self.words.split_whitespace().collect();
        self.finding.with("says", says.join(" "))
    }
}

/// Adds failed assertions and successful reports to `report`.
///
/// # Errors
/// If it cannot be read or is no SVRL.
pub(super) fn read_svrl(svrl: impl Read, report: &mut Report) -> Result<(), xml::Error> {
    let mut reader = Reader::new(BufReader::new(svrl), Limits::default());
    let mut open: Option<Open> = None;
    let (mut depth, mut is_svrl) = (0, false);
    loop {
        match reader.next()? {
            Event::Start(start) => {
                depth += 1;
                is_svrl |= depth == 1 && start.is(SVRL, "schematron-output");
                match &mut open {
                    Some(open) => open.say(" "),
                    None if is_assertion(&start) => open = Some(Open::new(&start, depth)),
                    None => {}
                }
            }
            Event::Text(piece) => open.iter_mut().for_each(|open| open.say(piece)),
            Event::End => {
                if let Some(open) = open.take_if(|open| open.depth == depth) {
                    report.add(open.finish());
                }
                depth = depth.saturating_sub(1);
            }
            Event::Eof if is_svrl => return Ok(()),
            Event::Eof => return Err(xml::Error::Truncated { line: 1 }),
        }
    }
}

fn is_assertion(start: &Start<'_>) -> bool {
    start.is(SVRL, "failed-assert") || start.is(SVRL, "successful-report")
}

/// `fatal` stands for what must not be, as does no word at all.
fn severity(flag: Option<&str>) -> Severity {
    match flag {
        Some("warning") => Severity::Warning,
        Some("information" | "info") => Severity::Info,
        _ => Severity::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(inner: &str) -> Vec<(Severity, String)> {
        let svrl = format!("<s:schematron-output xmlns:s=\"{SVRL}\">{inner}</s:schematron-output>");
        let mut report = Report::default();
        read_svrl(svrl.as_bytes(), &mut report).unwrap();
        report.findings.into_iter().map(|it| (it.severity, it.with["says"].clone())).collect()
    }

    #[test]
    fn no_failed_rule_is_lost_whatever_its_words_are() {
        let long = "ä".repeat(5_000);
        // A report keeps 300 bytes.
        let cut = format!("{}…", "ä".repeat(148));
        for (words, says) in [
            ("", ""),
            ("<s:text/>", ""),
            (&*format!("<s:text>{long}</s:text>"), &*cut),
            ("<s:text>a <i>b</i> c</s:text><s:text>d</s:text>", "a b c d"),
        ] {
            let failed = format!("<s:failed-assert id='BR-DE-18' flag='fatal'>{words}</s:failed-assert>");
            assert_eq!(found(&failed), [(Severity::Error, says.to_owned())], "{words}");
        }
    }

    #[test]
    fn what_is_no_svrl_is_no_answer() {
        let wrapped = format!("<a><s:schematron-output xmlns:s=\"{SVRL}\"/></a>");
        for svrl in ["", "<a/>", &wrapped, "<schematron-output/>"] {
            assert!(read_svrl(svrl.as_bytes(), &mut Report::default()).is_err(), "{svrl}");
        }
    }
}
