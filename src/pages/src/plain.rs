//! Texts from outside: what may stand in them.

/// Whether a text holds only what XML 1.0 and both databases can carry.
pub fn is_plain(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => !c.is_ascii_control() || c == '\u{7F}',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_no_document_holds_are_not_plain() {
        for text in ["", "Straße\r\n\tNr. 5", "\u{7F}\u{85}"] {
            assert!(is_plain(text), "{text:?}");
        }
        for text in ["a\0", "\u{1B}[31m", "\u{FFFE}"] {
            assert!(!is_plain(text), "{text:?}");
        }
    }
}
