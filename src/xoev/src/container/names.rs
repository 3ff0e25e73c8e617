//! Names of files in a container: how they are encoded (APPNOTE 6.3.10, appendix D) and which are
//! harmless on every file system.

use unicode_normalization::UnicodeNormalization;

/// The upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Longest name, in bytes: what common file systems take.
const NAME_BYTES: usize = 255;

/// Device names that Windows reserves, whatever the extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A decoded name.
pub(super) struct Decoded {
    pub(super) name: String,
    /// It is UTF-8, but the flag that says so is missing.
    pub(super) flag_is_missing: bool,
}

/// Decodes a raw name; `None` if it is declared as UTF-8 but is not.
pub(super) fn decode(raw: &[u8], is_utf8: bool) -> Option<Decoded> {
    match std::str::from_utf8(raw) {
        Ok(name) => Some(Decoded { name: name.to_owned(), flag_is_missing: !is_utf8 && !name.is_ascii() }),
        Err(_) if is_utf8 => None,
        Err(_) => {
            Some(Decoded { name: raw.iter().map(|byte| cp437(*byte)).collect(), flag_is_missing: false })
        }
    }
}

fn cp437(byte: u8) -> char {
    match byte {
        0..0x80 => char::from(byte),
        _ => CP437.chars().nth(usize::from(byte - 0x80)).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// What is wrong with a name, as a rule id; `None` if it may be used as it is.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    let is_drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    let goes_up = name.split(['/', '\\']).any(|part| part == "..");
    if name.starts_with(['/', '\\']) || name.contains('\\') || is_drive || goes_up {
        return Some("container.path");
    }
    if name.contains('/') {
        return Some("container.folder");
    }
    let is_odd =
        |c: char| c.is_control() || is_direction(c) || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let is_bad = name.is_empty()
        || name.len() > NAME_BYTES
        || name.chars().any(is_odd)
        || name.ends_with(['.', ' '])
        || is_device(name);
    is_bad.then_some("container.name")
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_numbered = |prefix| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    DEVICES.contains(&stem.as_str()) || is_numbered("com") || is_numbered("lpt")
}

/// What names have in common that a file system may take for the same: they differ by case or by the
/// composition of letters only (Unicode's NFC).
pub fn folded(name: &str) -> String {
    // Nearly every name; it has no other composition.
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.to_lowercase().nfc().collect()
}

/// A name from outside as a finding may show it: no control characters, at most 120 characters.
pub(crate) fn shown(name: &str) -> String {
    let harmless = |c: char| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c };
    name.chars().take(120).map(harmless).collect()
}

/// Characters that turn the reading direction or are not seen.
fn is_invisible(c: char) -> bool {
    is_direction(c) || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}')
}

/// Characters that turn the reading direction (UAX 9), so that `fdp.exe` reads as `exe.pdf`, and the
/// byte order mark.
fn is_direction(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_the_flag_are_code_page_437_unless_they_are_utf8() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(decode(b"Pr\x81fung.pdf", false).unwrap().name, "Prüfung.pdf");
        assert!(decode(b"Pr\x81fung.pdf", true).is_none());
        let utf8 = decode("Prüfung.pdf".as_bytes(), false).unwrap();
        assert_eq!((utf8.name.as_str(), utf8.flag_is_missing), ("Prüfung.pdf", true));
    }

    #[test]
    fn names_that_lead_elsewhere_are_found() {
        for name in ["/etc/passwd", "..", "../x", "a/../b", "a\\b", "C:x", "\\\\host\\x"] {
            assert_eq!(fault(name), Some("container.path"), "{name}");
        }
        for name in ["folder/", "folder/x.pdf"] {
            assert_eq!(fault(name), Some("container.folder"), "{name}");
        }
        let long = "x".repeat(256);
        for name in ["", "a\0b", "a\nb", "NUL", "com1.pdf", "Lpt9", "x.", "x ", "ab:c", &long] {
            assert_eq!(fault(name), Some("container.name"), "{name:?}");
        }
        for control in ['\u{61c}', '\u{200e}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{feff}'] {
            assert_eq!(fault(&format!("Plan{control}fdp.exe")), Some("container.name"), "{control:?}");
        }
        for name in ["a.pdf", "7bf9473a-b4a7-11ec-a407-005056871b7c_Prüfung (2).pdf", "console.txt", "com10"]
        {
            assert_eq!(fault(name), None, "{name}");
        }
    }
}
