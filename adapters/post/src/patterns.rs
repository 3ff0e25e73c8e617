//! What references look like: simple patterns that an administrator writes, and hints out of a text by them.
//!
//! | in a pattern | stands for |
//! |---|---|
//! | `#` | one digit |
//! | `@` | one letter |
//! | `*` | one to twenty letters or digits, as many as there are |
//! | a blank | any white space, or none |
//! | anything else | itself, whether upper or lower case |
//!
//! A match neither follows a letter or digit nor is followed by one. The time is linear in the text: a pattern is tried at each place once
//! and never goes back.

use std::str::FromStr;

use model::letter::{Hint, HintKind};

/// Longest pattern, in characters.
const LONGEST: usize = 80;
/// Hints of one text, and characters of a text that are looked at.
const MOST_HINTS: usize = 20;
const MOST_CHARS: usize = 1_000_000;
/// Letters or digits that `*` stands for.
const MOST_ANY: usize = 20;

/// A pattern, such as `63.##.####/##`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

/// A pattern that is empty, too long, or made of place holders alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern has up to 80 characters, and at least three of them are digits or letters")]
pub struct NoPattern;

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        let chars: Vec<char> = text.trim().chars().collect();
        let weight = chars.iter().filter(|it| it.is_alphanumeric() || matches!(it, '#' | '@')).count();
        if weight < 3 || chars.len() > LONGEST { Err(NoPattern) } else { Ok(Pattern(chars)) }
    }
}

impl Pattern {
    /// The end of a match that begins at the front of `text`.
    fn matched(&self, text: &[char]) -> Option<usize> {
        let mut at = 0;
        for wanted in &self.0 {
            let found = text.get(at).copied();
            at += match wanted {
                '#' => usize::from(found.filter(char::is_ascii_digit).is_some()),
                '@' => usize::from(found.filter(|it| it.is_alphabetic()).is_some()),
                '*' => text[at..].iter().take(MOST_ANY).take_while(|it| it.is_alphanumeric()).count(),
                blank if blank.is_whitespace() => {
                    at += text[at..].iter().take(MOST_ANY).take_while(|it| it.is_whitespace()).count();
                    continue;
                }
                literal => usize::from(found.is_some_and(|it| same(it, *literal))),
            }
            .checked_sub(1)? + 1;
        }
        text.get(at).is_none_or(|next| !next.is_alphanumeric()).then_some(at)
    }

    /// All matches, each once, white space normalised.
    fn find(&self, text: &[char]) -> Vec<String> {
        let (mut found, mut at): (Vec<String>, usize) = (vec![], 0);
        while at < text.len() && found.len() < MOST_HINTS {
            let is_inside = at > 0 && text[at - 1].is_alphanumeric();
            match self.matched(&text[at..]).filter(|length| !is_inside && *length > 0) {
                Some(length) => {
                    let value: String = text[at..at + length].iter().collect();
                    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    if !found.contains(&value) {
                        found.push(value);
                    }
                    at += length;
                }
                None => at += 1,
            }
        }
        found
    }
}

fn same(found: char, wanted: char) -> bool {
    found == wanted || found.to_lowercase().eq(wanted.to_lowercase())
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    /// Aktenzeichen and other references of cases.
    pub records: Vec<Pattern>,
    /// Kassenzeichen.
    pub cash: Vec<Pattern>,
}

impl Patterns {
    /// Hints of a text that stands at `place`, at most twenty.
    pub fn hints(&self, text: &str, place: &str, confidence: u8) -> Vec<Hint> {
        let text: Vec<char> = text.chars().take(MOST_CHARS).collect();
        let mut hints: Vec<Hint> = vec![];
        for (kind, patterns) in
            [(HintKind::RecordReference, &self.records), (HintKind::CashReference, &self.cash)]
        {
            for value in patterns.iter().flat_map(|pattern| pattern.find(&text)) {
                if hints.len() < MOST_HINTS && !hints.iter().any(|it| it.kind == kind && it.value == value) {
                    hints.push(Hint { kind, value, confidence, place: place.to_owned() });
                }
            }
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pattern: &str, text: &str) -> Vec<String> {
        let patterns = Patterns { records: vec![pattern.parse().unwrap()], cash: vec![] };
        patterns.hints(text, "subject", 95).into_iter().map(|it| it.value).collect()
    }

    #[test]
    fn a_reference_is_found_wherever_it_stands_alone() {
        assert_eq!(values("63.##.####/##", "Ihr Zeichen: 63.01.0815/26, danke"), ["63.01.0815/26"]);
        assert_eq!(values("VG-####-####", "vg-2026-0001 und VG-2026-0002"), ["vg-2026-0001", "VG-2026-0002"]);
        assert_eq!(values("AZ *", "az\n  4711B."), ["az 4711B"]);
        for without in ["163.01.0815/26", "63.01.0815/267", "63.0A.0815/26", "63.01.0815", ""] {
            assert_eq!(values("63.##.####/##", without), [""; 0], "{without}");
        }
    }

    #[test]
    fn what_would_match_anything_is_no_pattern() {
        for wrong in ["", "##", "* * *", "--", &"#".repeat(81)] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched(pattern in "[#@* a-c.-]{0,12}", text in "\\PC{0,60}") {
            if let Ok(pattern) = pattern.parse::<Pattern>() {
                Patterns { records: vec![pattern.clone()], cash: vec![pattern] }.hints(&text, "text", 1);
            }
        }
    }
}
