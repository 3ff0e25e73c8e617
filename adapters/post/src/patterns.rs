//! What references look like in e-mails: regular expressions as in `scan`, of which the group `value`, or all, is the reference.

use model::letter::{Hint, HintKind};
use regex::{Regex, RegexBuilder};

/// Hints of one text, and bytes of a text that are looked at.
const MOST_HINTS: usize = 20;
const MOST_BYTES: usize = 1_000_000;
/// Characters of a value.
const VALUE_CHARS: usize = 200;
/// Bytes of an expression once it is compiled.
const COMPILED: usize = 1 << 20;

/// An expression that is none, or too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern at place {0} is no regular expression, or too large")]
pub struct NoPattern(pub usize);

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    /// Aktenzeichen and other references of cases.
    records: Vec<Regex>,
    /// Kassenzeichen.
    cash: Vec<Regex>,
}

impl Patterns {
    /// Patterns of references of cases, and of Kassenzeichen.
    ///
    /// # Errors
    /// [`NoPattern`] with the place in its list, from 1.
    pub fn new(records: &[String], cash: &[String]) -> Result<Self, NoPattern> {
        let all = |patterns: &[String]| {
            let each = patterns.iter().enumerate();
            let one = |(at, pattern): (usize, &String)| {
                RegexBuilder::new(pattern).size_limit(COMPILED).build().map_err(|_| NoPattern(at + 1))
            };
            each.map(one).collect::<Result<Vec<_>, _>>()
        };
        Ok(Patterns { records: all(records)?, cash: all(cash)? })
    }

    /// Hints of a text that stands at `place`, at most twenty, each once.
    pub fn hints(&self, text: &str, place: &str, confidence: u8) -> Vec<Hint> {
        let text = cut(text);
        let mut hints: Vec<Hint> = vec![];
        for (kind, patterns) in
            [(HintKind::RecordReference, &self.records), (HintKind::CashReference, &self.cash)]
        {
            for groups in patterns.iter().flat_map(|pattern| pattern.captures_iter(text).take(MOST_HINTS)) {
                let Some(found) = groups.name("value").or_else(|| groups.get(0)) else { continue };
                let words = found.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
                let value: String = words.chars().filter(|it| !it.is_control()).take(VALUE_CHARS).collect();
                let is_known = hints.iter().any(|it| it.kind == kind && it.value == value);
                if !value.is_empty() && !is_known && hints.len() < MOST_HINTS {
                    hints.push(Hint { kind, value, confidence, place: place.to_owned() });
                }
            }
        }
        hints
    }
}

/// The beginning of a text.
fn cut(text: &str) -> &str {
    let end = (0..=MOST_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_once_with_its_white_space_made_normal() {
        let patterns =
            Patterns::new(&[r"VG-\d{4}-\d{4}".into(), r"AZ:\s*(?<value>\d+\s+\d+)".into()], &[]).unwrap();
        let hints = patterns.hints("VG-2026-0001, VG-2026-0001 und AZ: 47\n  11", "subject", 90);
        let values: Vec<_> = hints.iter().map(|it| it.value.as_str()).collect();
        assert_eq!(values, ["VG-2026-0001", "47 11"]);
        assert_eq!(Patterns::new(&["a".into(), "(".into()], &[]).unwrap_err(), NoPattern(2));
    }
}
