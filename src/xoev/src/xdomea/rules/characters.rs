//! The characters that authorities must be able to process: DIN 91379:2022-08, data type E (everything normative and extended).

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::din91379::{is_mark, marked};

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A character or combination of characters that the standard does not have.
    Unknown,
    /// A letter is not composed (Unicode's NFC).
    NotComposed,
}

/// Ranges of single characters above U+017E.
const RANGES: [(char, char); 71] = [
    ('\u{187}', '\u{188}'),
    ('\u{18f}', '\u{18f}'),
    ('\u{192}', '\u{192}'),
    ('\u{197}', '\u{197}'),
    ('\u{1a0}', '\u{1a1}'),
    ('\u{1af}', '\u{1b0}'),
    ('\u{1b7}', '\u{1b7}'),
    ('\u{1cd}', '\u{1dc}'),
    ('\u{1de}', '\u{1df}'),
    ('\u{1e2}', '\u{1f0}'),
    ('\u{1f4}', '\u{1f5}'),
    ('\u{1f8}', '\u{1ff}'),
    ('\u{212}', '\u{213}'),
    ('\u{218}', '\u{21b}'),
    ('\u{21e}', '\u{21f}'),
    ('\u{227}', '\u{233}'),
    ('\u{259}', '\u{259}'),
    ('\u{268}', '\u{268}'),
    ('\u{292}', '\u{292}'),
    ('\u{2b0}', '\u{2b0}'),
    ('\u{2b3}', '\u{2b3}'),
    ('\u{2b9}', '\u{2ba}'),
    ('\u{2be}', '\u{2bf}'),
    ('\u{2c6}', '\u{2c6}'),
    ('\u{2c8}', '\u{2c8}'),
    ('\u{2cc}', '\u{2cc}'),
    ('\u{2dc}', '\u{2dc}'),
    ('\u{2e2}', '\u{2e2}'),
    ('\u{386}', '\u{386}'),
    ('\u{388}', '\u{38a}'),
    ('\u{38c}', '\u{38c}'),
    ('\u{38e}', '\u{3a1}'),
    ('\u{3a3}', '\u{3ce}'),
    ('\u{40d}', '\u{40d}'),
    ('\u{410}', '\u{42a}'),
    ('\u{42c}', '\u{42c}'),
    ('\u{42e}', '\u{44a}'),
    ('\u{44c}', '\u{44c}'),
    ('\u{44e}', '\u{44f}'),
    ('\u{45d}', '\u{45d}'),
    ('\u{1d48}', '\u{1d48}'),
    ('\u{1d57}', '\u{1d57}'),
    ('\u{1e02}', '\u{1e03}'),
    ('\u{1e06}', '\u{1e07}'),
    ('\u{1e0a}', '\u{1e11}'),
    ('\u{1e17}', '\u{1e17}'),
    ('\u{1e1c}', '\u{1e2b}'),
    ('\u{1e2f}', '\u{1e37}'),
    ('\u{1e3a}', '\u{1e3b}'),
    ('\u{1e40}', '\u{1e49}'),
    ('\u{1e52}', '\u{1e5b}'),
    ('\u{1e5e}', '\u{1e63}'),
    ('\u{1e6a}', '\u{1e6f}'),
    ('\u{1e80}', '\u{1e87}'),
    ('\u{1e8c}', '\u{1e97}'),
    ('\u{1e9e}', '\u{1e9e}'),
    ('\u{1ea0}', '\u{1ef9}'),
    ('\u{2018}', '\u{201a}'),
    ('\u{201c}', '\u{201e}'),
    ('\u{2020}', '\u{2021}'),
    ('\u{2026}', '\u{2026}'),
    ('\u{2030}', '\u{2030}'),
    ('\u{2032}', '\u{2033}'),
    ('\u{2039}', '\u{203a}'),
    ('\u{2070}', '\u{2070}'),
    ('\u{2074}', '\u{2079}'),
    ('\u{207f}', '\u{2089}'),
    ('\u{20ac}', '\u{20ac}'),
    ('\u{2122}', '\u{2122}'),
    ('\u{221e}', '\u{221e}'),
    ('\u{2264}', '\u{2265}'),
];

/// What is wrong with a text, if anything. A mark at its very beginning is not judged: the letter may stand in
/// the piece before.
pub(super) fn fault(text: &str) -> Option<Fault> {
    if text.chars().all(is_plain) {
        return None;
    }
    let is_composed = match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.chars().eq(text.nfc()),
    };
    if !is_composed {
        return Some(Fault::NotComposed);
    }
    let mut rest = text.trim_start_matches(is_mark);
    while let Some(first) = rest.chars().next() {
        let length = marked(rest).unwrap_or(first.len_utf8());
        let is_known = length > first.len_utf8() || is_single(first);
        if !is_known {
            return Some(Fault::Unknown);
        }
        rest = &rest[length..];
    }
    None
}

/// Nearly every character of a German text; none of them can change by composition.
fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='~' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{17e}')
}

fn is_single(c: char) -> bool {
    let place = RANGES.partition_point(|(_, last)| *last < c);
    is_plain(c) || RANGES.get(place).is_some_and(|(first, _)| *first <= c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_authorities_are_known_and_others_are_not() {
        for text in
            ["Müßiggang", "Łódź", "„Prüfung“ § 5 €", "Ελλάδα", "Чехов", "K\u{35f}H", "L\u{325}\u{304}a", ""]
        {
            assert_eq!(fault(text), None, "{text}");
        }
        for text in ["a – b", "日本", "😀", "Q\u{301}x", "\u{ad}", "\u{200b}"] {
            assert_eq!(fault(text), Some(Fault::Unknown), "{text}");
        }
        for text in ["u\u{308}", "A\u{301}"] {
            assert_eq!(fault(text), Some(Fault::NotComposed), "{text}");
        }
        assert_eq!(fault("\u{315}a"), None, "its letter may stand before");
    }

    /// Alternatives of the pattern in the official data type: texts that it takes.
    fn alternatives(pattern: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let depth = |upto: &str| upto.matches('(').count() - upto.matches(')').count();
            let end = rest.match_indices('|').map(|(at, _)| at).find(|at| depth(&rest[..*at]) == 0);
            let (alternative, behind) = end.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
            rest = behind;
            if let Some(range) = alternative.strip_prefix('[') {
                let ends: Vec<char> = range.trim_end_matches(']').chars().filter(|c| *c != '-').collect();
                found.extend((ends[0]..=ends[1]).map(String::from));
            } else if let Some((base, marks)) = alternative.split_once('(') {
                found.extend(marks.trim_end_matches(')').split('|').map(|marks| format!("{base}{marks}")));
            } else {
                found.push(alternative.to_owned());
            }
        }
        found
    }

    #[test]
    fn exactly_what_the_official_data_type_has_is_known() {
        let packs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/packs");
        if !packs.is_dir() {
            println!("SKIPPED: ../shared is absent");
            return;
        }
        let schema = std::fs::read_to_string(packs.join("xoev-common/din-norm-91379-datatypes.xsd")).unwrap();
        let of_type = schema.split_once("name=\"datatypeE\"").unwrap().1;
        let written = of_type.split_once("<xs:pattern value=\"(").unwrap().1.split_once(")*\"").unwrap().0;
        let mut pattern = String::new();
        for part in written.split("&#x") {
            match part.split_once(';') {
                None => pattern.push_str(part),
                Some((number, behind)) => {
                    pattern.push(char::from_u32(u32::from_str_radix(number, 16).unwrap()).unwrap());
                    pattern.push_str(behind);
                }
            }
        }
        let known = alternatives(&pattern);
        assert!(known.len() > 900, "{}", known.len());
        for text in &known {
            assert_eq!(fault(text), None, "{text:?}");
        }
        let singles: std::collections::HashSet<&str> = known.iter().map(String::as_str).collect();
        for c in ('\u{80}'..=char::MAX).filter(|c| !is_mark(*c)) {
            let text = c.to_string();
            assert_eq!(fault(&text).is_none(), singles.contains(text.as_str()), "{text:?}");
        }
        for c in ('A'..='\u{2000}').filter(|c| !is_mark(*c)) {
            let marked = format!("{c}\u{301}");
            assert!(fault(&marked).is_some() || singles.contains(marked.as_str()), "{marked:?}");
        }
    }
}
