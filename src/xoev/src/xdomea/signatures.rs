//! How files of each format begin.

/// What the first bytes of a file have to be.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// It begins with one of these.
    Begins(&'static [&'static [u8]]),
    /// These bytes stand at an offset.
    At(usize, &'static [u8]),
    /// Acrobat takes the sign anywhere in the first kilobyte, and so does the field.
    Pdf,
    /// Markup: `<` behind a byte order mark and white space, or any UTF-16.
    Markup,
    /// Text: no NUL, unless a byte order mark says that it is UTF-16 or UTF-32.
    Text,
    /// A ZIP, and if it says so at its beginning, of OpenDocument.
    OpenDocument,
    /// A ZIP that does not say at its beginning to be of OpenDocument.
    OpenXml,
}

/// Compound files, as Office wrote them until 2003.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
const ZIP: &[&[u8]] = &[b"PK\x03\x04", b"PK\x05\x06"];

/// By media type.
const BY_MEDIA_TYPE: [(&str, Sign); 18] = [
    ("application/pdf", Sign::Pdf),
    ("image/tiff", Sign::Begins(&[b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])),
    ("image/png", Sign::Begins(&[b"\x89PNG\r\n\x1a\n"])),
    ("image/jpeg", Sign::Begins(&[b"\xff\xd8\xff"])),
    ("image/bmp", Sign::Begins(&[b"BM"])),
    ("application/rtf", Sign::Begins(&[b"{\\rtf"])),
    ("application/postscript", Sign::Begins(&[b"%!PS", b"\x04%!PS", b"\xc5\xd0\xd3\xc6"])),
    // Word before 97 had signs of its own.
    ("application/msword", Sign::Begins(&[COMPOUND, b"\xdb\xa5", b"\x31\xbe"])),
    // Excel before 5.0 wrote its records without a compound file.
    (
        "application/vnd.ms-excel",
        Sign::Begins(&[COMPOUND, b"\x09\x00", b"\x09\x02", b"\x09\x04", b"\x09\x08"]),
    ),
    ("application/vnd.ms-powerpoint", Sign::Begins(&[COMPOUND])),
    ("application/vnd.ms-outlook", Sign::Begins(&[COMPOUND])),
    ("application/vnd.ms-project", Sign::Begins(&[COMPOUND, b"MPX"])),
    ("application/xml", Sign::Markup),
    ("text/html", Sign::Markup),
    ("text/plain", Sign::Text),
    ("text/csv", Sign::Text),
    ("message/rfc822", Sign::Text),
    ("application/xml-dtd", Sign::Text),
];

/// By the ending of the name, for formats that the list does not have.
const BY_ENDING: [(&str, Sign); 14] = [
    ("zip", Sign::Begins(ZIP)),
    ("gz", Sign::Begins(&[b"\x1f\x8b"])),
    ("7z", Sign::Begins(&[b"7z\xbc\xaf\x27\x1c"])),
    ("gif", Sign::Begins(&[b"GIF87a", b"GIF89a"])),
    ("webp", Sign::At(8, b"WEBP")),
    ("mp4", Sign::At(4, b"ftyp")),
    ("m4a", Sign::At(4, b"ftyp")),
    ("heic", Sign::At(4, b"ftyp")),
    ("avi", Sign::At(8, b"AVI ")),
    ("wav", Sign::At(8, b"WAVE")),
    ("mkv", Sign::Begins(&[b"\x1a\x45\xdf\xa3"])),
    ("p7m", Sign::Begins(&[b"\x30", b"-----BEGIN", b"MII"])),
    ("p7s", Sign::Begins(&[b"\x30", b"-----BEGIN", b"MII"])),
    ("svg", Sign::Markup),
];

/// Whether a file that begins with `head` cannot be of the media type. Types without a sign of their own are
/// never contradicted.
pub(super) fn contradicts_type(media_type: &str, head: &[u8]) -> bool {
    let known = BY_MEDIA_TYPE.iter().find(|(known, _)| *known == media_type).map(|(_, sign)| *sign);
    let sign = match media_type {
        office if office.contains("opendocument") => Some(Sign::OpenDocument),
        office if office.contains("openxmlformats") => Some(Sign::OpenXml),
        _ => known,
    };
    sign.is_some_and(|sign| !sign.fits(head))
}

/// The same of the ending of a name.
pub(super) fn contradicts_ending(name: &str, head: &[u8]) -> bool {
    let Some((_, ending)) = name.rsplit_once('.') else { return false };
    let known = BY_ENDING.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    known.is_some_and(|(_, sign)| !sign.fits(head))
}

impl Sign {
    fn fits(self, head: &[u8]) -> bool {
        match self {
            Sign::Begins(signs) => begins(head, signs),
            Sign::At(offset, sign) => head.get(offset..).is_some_and(|rest| rest.starts_with(sign)),
            Sign::Pdf => head.windows(5).any(|window| window == b"%PDF-"),
            Sign::Markup => {
                let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
                is_wide(head) || text.trim_ascii_start().starts_with(b"<")
            }
            Sign::Text => is_wide(head) || !head.contains(&0),
            Sign::OpenDocument => begins(head, ZIP) && is_open_document(head) != Some(false),
            Sign::OpenXml => begins(head, ZIP) && is_open_document(head) != Some(true),
        }
    }
}

fn begins(head: &[u8], signs: &[&[u8]]) -> bool {
    signs.iter().any(|sign| head.starts_with(sign))
}

/// Whether a byte order mark says UTF-16 or UTF-32.
fn is_wide(head: &[u8]) -> bool {
    begins(head, &[b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"])
}

/// What a ZIP says whose first entry is `mimetype` (OpenDocument 1.2 part 3, 3.3); `None` if that is another.
fn is_open_document(head: &[u8]) -> Option<bool> {
    let name = head.get(30..)?.strip_prefix(b"mimetype")?;
    Some(name.starts_with(b"application/vnd.oasis.opendocument."))
}
