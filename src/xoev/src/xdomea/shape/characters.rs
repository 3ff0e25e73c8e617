//! Texts of some characters only: String.Latin of 2.x, datatypeC of DIN 91379 in 4.0. Both are patterns
//! `(a|b|…)*` whose parts are characters and classes of them, some followed by combining ones.

use unicode_normalization::UnicodeNormalization;

/// Stands for a character that cannot be held.
const SUBSTITUTE: char = '?';

/// What a text may consist of.
#[derive(Debug)]
pub(crate) struct Characters(Vec<Vec<Atom>>);

/// A character of one of some ranges.
#[derive(Debug)]
struct Atom {
    ranges: Vec<(char, char)>,
    is_optional: bool,
}

impl Characters {
    /// Reads a pattern; `None` if it is of another form.
    pub(super) fn of(pattern: &str) -> Option<Characters> {
        let inner = pattern.strip_prefix('(')?.strip_suffix(")*")?;
        let mut parts = vec![Vec::new()];
        let mut rest = inner.chars();
        while let Some(character) = rest.next() {
            match character {
                '|' => parts.push(Vec::new()),
                '?' => parts.last_mut()?.last_mut().map(|atom: &mut Atom| atom.is_optional = true)?,
                '[' => {
                    let class: Vec<char> = rest.by_ref().take_while(|c| *c != ']').collect();
                    parts.last_mut()?.push(Atom { ranges: ranges(&class), is_optional: false });
                }
                '\\' | '(' | ')' | '*' | '+' | '.' => return None,
                one => parts.last_mut()?.push(Atom { ranges: vec![(one, one)], is_optional: false }),
            }
        }
        Some(Characters(parts))
    }

    /// The text, with what cannot be held composed or, failing that, replaced.
    pub(super) fn hold(&self, text: &str) -> String {
        if self.replaced(text) == text {
            return text.to_owned();
        }
        let composed: String = text.nfc().collect();
        self.replaced(&composed)
    }

    fn replaced(&self, text: &str) -> String {
        let mut held = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = self.0.iter().filter_map(|part| length(part, rest)).max();
            match length {
                Some(length) => held.push_str(&rest[..length]),
                None => held.push(SUBSTITUTE),
            }
            rest = &rest[length.unwrap_or(first.len_utf8())..];
        }
        held
    }
}

/// Bytes at the start of `text` that a part of the pattern matches.
fn length(part: &[Atom], text: &str) -> Option<usize> {
    let mut rest = text;
    for atom in part {
        let next = rest.chars().next();
        match next.filter(|c| atom.ranges.iter().any(|(first, last)| first <= c && c <= last)) {
            Some(character) => rest = &rest[character.len_utf8()..],
            None if atom.is_optional => {}
            None => return None,
        }
    }
    Some(text.len() - rest.len()).filter(|length| *length > 0)
}

fn ranges(class: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(first) = class.get(at) {
        match (class.get(at + 1), class.get(at + 2)) {
            (Some('-'), Some(last)) => {
                ranges.push((*first, *last));
                at += 3;
            }
            _ => {
                ranges.push((*first, *first));
                at += 1;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_held_is_composed_or_replaced() {
        let characters = Characters::of("([ -CE-~\u{c4}]|D\u{302}?)*").unwrap();
        assert_eq!(characters.hold("D D\u{302} \u{c4}."), "D D\u{302} \u{c4}.");
        assert_eq!(characters.hold("A\u{308} \u{1F4C4}x"), "\u{c4} ?x");
        assert_eq!(characters.hold(""), "");
        assert!(Characters::of("[a-z]+").is_none() && Characters::of("(a\\d)*").is_none());
    }
}
