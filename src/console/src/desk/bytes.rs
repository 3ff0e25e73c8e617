//! Which bytes a browser may show, by their first ones alone: nothing that runs. What a file is called, or says it is, is not looked at.

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// In a frame of its own.
    Pdf,
    /// As a picture of this media type.
    Picture(&'static str),
    /// Its text, written out: also of XML and HTML.
    Text,
    /// Not at all: it can be fetched.
    Nothing,
}

impl Shown {
    /// By the first bytes of a file.
    pub(super) fn of(start: &[u8]) -> Shown {
        const PICTURES: [(&[u8], &str); 4] = [
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\xff\xd8\xff", "image/jpeg"),
            (b"GIF87a", "image/gif"),
            (b"GIF89a", "image/gif"),
        ];
        if start.starts_with(b"%PDF-") {
            return Shown::Pdf;
        }
        if let Some((_, kind)) = PICTURES.into_iter().find(|(magic, _)| start.starts_with(magic)) {
            return Shown::Picture(kind);
        }
        if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
            return Shown::Picture("image/webp");
        }
        match text(start) {
            Some(text) if !text.is_empty() => Shown::Text,
            _ => Shown::Nothing,
        }
    }

    /// The media type that it is given to a browser as, if at all.
    pub(super) fn media_type(self) -> Option<&'static str> {
        match self {
            Shown::Pdf => Some("application/pdf"),
            Shown::Picture(kind) => Some(kind),
            Shown::Text | Shown::Nothing => None,
        }
    }
}

/// The text that some first bytes are, up to a character that they may break off in.
fn text(start: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    (!text.chars().any(odd)).then(|| text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_run_is_shown_as_it_is() {
        for (start, shown) in [
            (&b"%PDF-1.7\n%\xe2\xe3"[..], Shown::Pdf),
            (b"\x89PNG\r\n\x1a\n\0\0", Shown::Picture("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Shown::Picture("image/jpeg")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Shown::Picture("image/webp")),
            (b"RIFF\x10\0\0\0WAVE", Shown::Nothing),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", Shown::Text),
            (b"<!doctype html><script>alert(1)</script>", Shown::Text),
            ("\u{feff}<?xml version='1.0'?><x>ä</x>".as_bytes(), Shown::Text),
            (b"\xc3", Shown::Nothing),
            (b"Gru\xc3", Shown::Text),
            (b"Gr\xfc\xdfe", Shown::Nothing),
            (b"PK\x03\x04", Shown::Nothing),
            (b"", Shown::Nothing),
        ] {
            assert_eq!(Shown::of(start), shown, "{start:?}");
        }
    }
}
