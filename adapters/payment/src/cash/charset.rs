//! Bytes of a text in the character set of the cash system.

use unicode_normalization::UnicodeNormalization;

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// UTF-8 without a mark.
    #[default]
    Utf8,
    /// UTF-8 with a byte order mark, as spreadsheets want it.
    Utf8Mark,
    /// Windows-1252, which has all of ISO 8859-1. A letter that it lacks loses its marks (č is c); what has no such letter is `?`.
    Latin1,
}

/// 0x80 to 0x9f of Windows-1252; five of them are not assigned.
const FROM_80: [Option<char>; 32] = [
    Some('€'),
    None,
    Some('‚'),
    Some('ƒ'),
    Some('„'),
    Some('…'),
    Some('†'),
    Some('‡'),
    Some('ˆ'),
    Some('‰'),
    Some('Š'),
    Some('‹'),
    Some('Œ'),
    None,
    Some('Ž'),
    None,
    None,
    Some('‘'),
    Some('’'),
    Some('“'),
    Some('”'),
    Some('•'),
    Some('–'),
    Some('—'),
    Some('˜'),
    Some('™'),
    Some('š'),
    Some('›'),
    Some('œ'),
    None,
    Some('ž'),
    Some('Ÿ'),
];

/// Letters that are no letter with a mark.
const PLAIN: [(char, u8); 8] = [
    ('ł', b'l'),
    ('Ł', b'L'),
    ('đ', b'd'),
    ('Đ', b'D'),
    ('ħ', b'h'),
    ('Ħ', b'H'),
    ('ı', b'i'),
    ('\u{2011}', b'-'),
];

impl Charset {
    /// What stands before everything else.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Charset::Utf8Mark => b"\xEF\xBB\xBF",
            Charset::Utf8 | Charset::Latin1 => b"",
        }
    }

    /// The bytes of a text.
    pub(super) fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Charset::Utf8 | Charset::Utf8Mark => text.as_bytes().to_vec(),
            // Composed, so that a letter with a mark is one character.
            Charset::Latin1 => text.nfc().filter(|char| !is_mark(*char)).map(byte).collect(),
        }
    }

    /// How it is named in a media type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Charset::Utf8 | Charset::Utf8Mark => "utf-8",
            Charset::Latin1 => "windows-1252",
        }
    }
}

fn is_mark(char: char) -> bool {
    unicode_normalization::char::is_combining_mark(char)
}

fn byte(char: char) -> u8 {
    let direct = match char {
        '\0'..='\x7f' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(char)).ok(),
        _ => (0x80..).zip(FROM_80).find(|(_, known)| *known == Some(char)).map(|(byte, _)| byte),
    };
    let plain = || PLAIN.iter().find(|(known, _)| *known == char).map(|(_, plain)| *plain);
    let base =
        || std::iter::once(char).nfd().next().filter(char::is_ascii).and_then(|base| u8::try_from(base).ok());
    direct.or_else(plain).or_else(base).unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_set_lacks_lose_their_marks() {
        let latin = |text| Charset::Latin1.bytes(text);
        assert_eq!(latin("Gebühr 5 €"), b"Geb\xfchr 5 \x80");
        assert_eq!(latin("Gebu\u{308}hr"), b"Geb\xfchr", "decomposed");
        assert_eq!(latin("Čłŷ m\u{302}中"), b"Cly m?");
    }
}
