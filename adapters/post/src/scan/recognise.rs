//! What in codes and words says where a letter belongs. A code has check digits, words read by OCR do not: they only ever propose.

use std::collections::BTreeMap;

use model::Failure;
use model::letter::{Hint, HintKind};
use regex::Regex;

use super::index::Facts;
use super::separate::Codes;
use super::settings::{Fact, Recognise};
use super::trouble::settings;

/// How sure each source is, in per cent. `model::letter::SURE` is 90.
const BY_SHEET: u8 = 98;
const BY_INDEX: u8 = 97;
const BY_CODE_IN_FRONT: u8 = 92;
const BY_CODE_BEHIND: u8 = 75;
const BY_WORDS_WITH_LABEL: u8 = 85;
const BY_WORDS: u8 = 70;
const BY_NAME: u8 = 60;
/// What was read with gaps that are not in the pattern, and what stands behind the first page, is less sure by so much.
const GAPS: u8 = 10;
const BEHIND: u8 = 20;
/// Most hints of a letter.
const HINTS: usize = 50;
/// Characters of a value.
const VALUE: usize = 200;
/// Bytes before a value in which its label may stand.
const LABEL: usize = 40;

/// The patterns of the settings.
pub(super) struct Patterns {
    references: Vec<Regex>,
    cash: Vec<Regex>,
    units: Vec<(Regex, String)>,
    recipients: Vec<Regex>,
    stamps: Vec<Regex>,
    label: Regex,
    subject: Regex,
    gaps: Regex,
}

/// What the words of a document say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub hints: Vec<Hint>,
    pub stamp: Option<String>,
    pub subject: Option<String>,
}

impl Patterns {
    /// # Errors
    /// `post.scan-settings` if a pattern is no regular expression.
    pub(super) fn new(recognise: &Recognise) -> Result<Self, Failure> {
        let one = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|_| settings(format!("the pattern {pattern} is no regular expression")))
        };
        let all = |patterns: &[String]| patterns.iter().map(|it| one(it)).collect::<Result<Vec<_>, _>>();
        let units = recognise.units.iter().map(|(pattern, unit)| Ok((one(pattern)?, unit.clone())));
        Ok(Patterns {
            references: all(&recognise.references)?,
            cash: all(&recognise.cash)?,
            units: units.collect::<Result<_, Failure>>()?,
            recipients: all(&recognise.recipients)?,
            stamps: all(&recognise.stamps)?,
            label: one(
                r"(?i)(?:aktenzeichen|kassenzeichen|gesch(?:ä|ae)ftszeichen|\baz\.?|\b(?:unser|ihr|mein)e?s? zeichen|vorgang(?:snummer)?)\W*$",
            )?,
            subject: one(r"(?m)^\s*(?:Betreff|Betr\.?|Betrifft)\s*:\s*(\S.*?)\s*$")?,
            gaps: one(r"\s*([-/.])\s*")?,
        })
    }

    /// What the words of a document say, page by page.
    pub(super) fn in_words(&self, pages: &[String]) -> Words {
        let mut words = Words::default();
        for (index, page) in pages.iter().enumerate() {
            let place = format!("page {}", index + 1);
            let behind = if index == 0 { 0 } else { BEHIND };
            let tight = self.gaps.replace_all(page, "$1");
            for (kind, patterns) in
                [(HintKind::RecordReference, &self.references), (HintKind::CashReference, &self.cash)]
            {
                for (text, less) in [(page.as_str(), behind), (&*tight, behind + GAPS)] {
                    for (value, at) in patterns.iter().flat_map(|pattern| found(pattern, text)) {
                        let confidence =
                            if self.is_labelled(text, at) { BY_WORDS_WITH_LABEL } else { BY_WORDS };
                        words.hints.extend(hint(kind, &value, confidence - less, &place));
                    }
                }
            }
        }
        let Some(first) = pages.first() else { return words };
        for (pattern, unit) in &self.units {
            if pattern.is_match(first) {
                words.hints.extend(hint(HintKind::Unit, unit, BY_NAME, "page 1"));
            }
        }
        for (value, _) in self.recipients.iter().flat_map(|pattern| found(pattern, first)) {
            words.hints.extend(hint(HintKind::Recipient, &value, BY_NAME, "page 1"));
        }
        let stamp = self.stamps.iter().find_map(|pattern| pattern.captures(first)?.name("date"));
        words.stamp = stamp.map(|it| it.as_str().to_owned());
        let subject = self.subject.captures(first).and_then(|groups| groups.get(1));
        words.subject = subject.and_then(|it| normal(it.as_str()));
        words
    }

    fn is_labelled(&self, text: &str, at: usize) -> bool {
        let mut from = at.saturating_sub(LABEL);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        self.label.is_match(&text[from..at])
    }

    /// What the codes on a document's pages say; `first` is its first page.
    pub(super) fn in_codes(&self, codes: &Codes, first: u32) -> Vec<Hint> {
        let mut hints = vec![];
        for (page, code) in codes.iter().flat_map(|(page, codes)| codes.iter().map(move |code| (page, code)))
        {
            let confidence = if *page == first { BY_CODE_IN_FRONT } else { BY_CODE_BEHIND };
            let place = format!("code on page {}", page + 1 - first);
            for (kind, patterns) in
                [(HintKind::RecordReference, &self.references), (HintKind::CashReference, &self.cash)]
            {
                for (value, _) in patterns.iter().flat_map(|pattern| found(pattern, code)) {
                    hints.extend(hint(kind, &value, confidence, &place));
                }
            }
        }
        hints
    }
}

/// The hints of what a sheet or an index file says.
pub(super) fn in_facts(sheet: &Facts, index: &Facts) -> Vec<Hint> {
    let kinds = [
        (Fact::Reference, HintKind::RecordReference),
        (Fact::Cash, HintKind::CashReference),
        (Fact::Unit, HintKind::Unit),
        (Fact::Recipient, HintKind::Recipient),
    ];
    let of = |(fact, kind)| match (sheet.get(&fact), index.get(&fact)) {
        // The sheet is nearer to the letter than what stands beside the whole stack.
        (Some(value), _) => hint(kind, value, BY_SHEET, "separator"),
        (None, Some(value)) => hint(kind, value, BY_INDEX, "index"),
        (None, None) => None,
    };
    kinds.into_iter().filter_map(of).collect()
}

/// Each value once, as sure as its surest place; the surest first.
pub(super) fn merged(hints: Vec<Hint>) -> Vec<Hint> {
    let mut best: BTreeMap<(HintKind, String), Hint> = BTreeMap::new();
    for hint in hints {
        let place = best.entry((hint.kind, hint.value.clone())).or_insert_with(|| hint.clone());
        if place.confidence < hint.confidence {
            *place = hint;
        }
    }
    let mut hints: Vec<Hint> = best.into_values().collect();
    hints.sort_by_key(|hint| std::cmp::Reverse(hint.confidence));
    hints.truncate(HINTS);
    hints
}

/// Values of a pattern, and where they begin.
fn found<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = (String, usize)> + 'a {
    let groups = pattern.captures_iter(text).take(HINTS);
    groups.filter_map(|groups| {
        let value = groups.name("value").or_else(|| groups.get(0))?;
        Some((normal(value.as_str())?, value.start()))
    })
}

fn normal(text: &str) -> Option<String> {
    let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!value.is_empty()).then(|| value.chars().filter(|char| !char.is_control()).take(VALUE).collect())
}

fn hint(kind: HintKind, value: &str, confidence: u8, place: &str) -> Option<Hint> {
    Some(Hint { kind, value: normal(value)?, confidence, place: place.to_owned() })
}

#[cfg(test)]
mod tests {
    use model::letter::SURE;

    use super::*;

    fn patterns() -> Patterns {
        let all = |text: &str| vec![text.to_owned()];
        Patterns::new(&Recognise {
            references: all(r"\b\d{2}-20\d{2}-\d{4}\b"),
            cash: all(r"Kassenzeichen:?\s*(?P<value>\d{10})"),
            units: vec![("(?i)bauordnung".into(), "63".into())],
            recipients: all(r"z\. ?Hd\. (?P<value>.+)"),
            stamps: all(r"(?i)eingegangen\s+(?:am\s+)?(?P<date>\d{1,2}\.\s?\d{1,2}\.\s?\d{4})"),
        })
        .unwrap()
    }

    #[test]
    fn words_propose_and_never_decide() {
        let first = "Landratsamt\nBauordnung\nz. Hd. Frau Grün\n\nEINGEGANGEN  05.11.2026\nIhr Zeichen: 63-2026-0017\n\
                     Betreff:  Bauantrag   Garage \nzu 63 - 2026 - 0018 und Kassenzeichen 1234567890";
        let words = patterns().in_words(&[first.to_owned(), "63-2026-0019".to_owned()]);
        let hints = merged(words.hints);
        let said = |value: &str| hints.iter().find(|hint| hint.value == value).map(|hint| hint.confidence);
        assert_eq!(said("63-2026-0017"), Some(BY_WORDS_WITH_LABEL));
        assert_eq!(said("63-2026-0018"), Some(BY_WORDS - GAPS), "with gaps that OCR has made");
        assert_eq!(said("63-2026-0019"), Some(BY_WORDS - BEHIND), "on another page");
        assert_eq!(said("1234567890"), Some(BY_WORDS_WITH_LABEL));
        assert_eq!((said("63"), said("Frau Grün")), (Some(BY_NAME), Some(BY_NAME)));
        assert!(hints.iter().all(|hint| hint.confidence < SURE));
        assert_eq!(words.stamp.as_deref(), Some("05.11.2026"));
        assert_eq!(words.subject.as_deref(), Some("Bauantrag Garage"));
    }

    #[test]
    fn a_code_in_front_a_sheet_and_an_index_are_sure() {
        let codes =
            Codes::from([(3, vec!["AZ 63-2026-0017".to_owned()]), (4, vec!["63-2026-0018".to_owned()])]);
        let hints = patterns().in_codes(&codes, 3);
        let sure: Vec<_> = hints.iter().map(|it| (it.value.as_str(), it.confidence >= SURE)).collect();
        assert_eq!(sure, [("63-2026-0017", true), ("63-2026-0018", false)]);
        assert_eq!(hints[1].place, "code on page 2");
        let sheet = Facts::from([(Fact::Unit, "63".to_owned())]);
        let index = Facts::from([(Fact::Unit, "50".to_owned()), (Fact::Cash, "1".to_owned())]);
        let hints = in_facts(&sheet, &index);
        let said: Vec<_> = hints.iter().map(|it| (it.value.as_str(), it.place.as_str())).collect();
        assert_eq!(said, [("1", "index"), ("63", "separator")]);
    }

    #[test]
    fn a_page_full_of_numbers_makes_no_more_than_so_many_hints() {
        let page: String = (0..5_000).map(|it| format!("63-2026-{it:04} ")).collect();
        assert_eq!(merged(patterns().in_words(&[page]).hints).len(), HINTS);
    }
}
