//! Letters that XJustiz 3.x takes: DIN 91379, data types A (names of people), B (other names) and C (text), as
//! `din-norm-91379-datatypes.xsd` (2022-08) spells them out. What people type beyond it (dashes, quotation marks) gets the nearest
//! letter; what is left becomes a question mark.

use unicode_normalization::UnicodeNormalization;

use crate::din91379::marked;

/// A data type of DIN 91379 that has fewer letters than text (C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// Names of people (A).
    Name,
    /// Other names (B).
    Place,
}

/// Letters of type C that are one character, as first and last.
const RANGES: [(char, char); 45] = [
    ('\u{9}', '\u{a}'),
    ('\u{d}', '\u{d}'),
    ('\u{20}', '\u{7e}'),
    ('\u{a0}', '\u{ac}'),
    ('\u{ae}', '\u{17e}'),
    ('\u{187}', '\u{188}'),
    ('\u{18f}', '\u{18f}'),
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
    ('\u{2b9}', '\u{2ba}'),
    ('\u{2be}', '\u{2bf}'),
    ('\u{2c8}', '\u{2c8}'),
    ('\u{2cc}', '\u{2cc}'),
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
    ('\u{2019}', '\u{2019}'),
    ('\u{2021}', '\u{2021}'),
    ('\u{20ac}', '\u{20ac}'),
];

/// What of ASCII and its neighbours is in names of people beside letters.
const IN_NAMES: &str = " ',-.`~\u{a8}\u{b4}\u{b7}";
/// Letters that are not in other names though they are in text.
const NOT_IN_PLACES: &str = "\t\n\r\u{a0}\u{a4}\u{a6}\u{b8}\u{bc}\u{bd}\u{be}";

/// What people type, and the nearest letters.
const NEAREST: [(&str, &str); 4] = [
    ("\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}", "-"),
    ("\u{201c}\u{201d}\u{201e}\u{201f}\u{2033}", "\""),
    ("\u{2018}\u{201a}\u{201b}\u{2032}", "'"),
    ("\u{2026}", "..."),
];

/// Whether all of a text is of a type, once it is composed (NFC) as it will be written.
pub(super) fn fits(text: &str, letters: Letters) -> bool {
    let composed: String = text.nfc().collect();
    let mut rest = composed.as_str();
    while let Some(c) = rest.chars().next() {
        let Some(length) = letter(rest) else { return false };
        if !is_of(c, letters) {
            return false;
        }
        rest = &rest[length..];
    }
    true
}

/// A text as type C, and whether it had to be changed.
pub(super) fn fitted(text: &str) -> (String, bool) {
    let composed: String = text.nfc().collect();
    let (mut fitted, mut is_changed) = (String::with_capacity(composed.len()), false);
    let mut rest = composed.as_str();
    while let Some(c) = rest.chars().next() {
        let length = letter(rest);
        match length {
            Some(length) => fitted.push_str(&rest[..length]),
            None => {
                is_changed = true;
                let nearest = NEAREST.iter().find(|(typed, _)| typed.contains(c));
                fitted.push_str(nearest.map_or("?", |(_, nearest)| nearest));
            }
        }
        rest = &rest[length.unwrap_or(c.len_utf8())..];
    }
    (fitted, is_changed)
}

/// Length in bytes of the letter of type C at the beginning.
fn letter(text: &str) -> Option<usize> {
    let c = text.chars().next()?;
    let is_single = || RANGES.iter().any(|(first, last)| (*first..=*last).contains(&c));
    marked(text).or_else(|| is_single().then_some(c.len_utf8()))
}

/// Whether a letter of text is one of a type.
fn is_of(c: char, letters: Letters) -> bool {
    match letters {
        Letters::Place => !NOT_IN_PLACES.contains(c),
        Letters::Name if c < '\u{c0}' => c.is_ascii_alphabetic() || IN_NAMES.contains(c),
        Letters::Name => !matches!(c, '\u{d7}' | '\u{f7}' | '\u{20ac}'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_names_are_fewer_than_those_of_text() {
        for (text, name, place, is_text) in [
            ("Müller-Łukasz d'Été", true, true, true),
            ("Haus 7", false, true, true),
            ("a\nb", false, false, true),
            ("C\u{326}", true, true, true),
            ("Mu\u{308}ller", true, true, true),
            ("100 €", false, true, true),
            ("Q\u{326}", false, false, false),
            ("Петр", false, false, false),
        ] {
            let found = [Letters::Name, Letters::Place].map(|letters| fits(text, letters));
            assert_eq!(found, [name, place], "{text}");
            assert_eq!(!fitted(text).1, is_text, "{text}");
        }
    }

    #[test]
    fn what_is_no_letter_gets_the_nearest_one() {
        assert_eq!(fitted("Müller"), ("Müller".into(), false));
        assert_eq!(fitted("Mu\u{308}ller"), ("Müller".into(), false), "composed");
        assert_eq!(
            fitted("\u{201e}Neubau\u{201c} \u{2013} Plan\u{2026}"),
            ("\"Neubau\" - Plan...".into(), true)
        );
        assert_eq!(fitted("漢"), ("?".into(), true));
        assert_eq!(fitted("J\u{30c}x"), ("J\u{30c}x".nfc().collect(), false));
    }

    proptest::proptest! {
        #[test]
        fn what_was_fitted_fits(text in "\\PC{0,40}") {
            let fitting = fitted(&text).0;
            proptest::prop_assert_eq!(fitted(&fitting), (fitting, false));
        }
    }
}
