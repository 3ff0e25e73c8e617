//! File formats: the code list Dateiformat 1.0, endings and media types.

use super::signatures::{contradicts_ending, contradicts_type};

/// Code for formats that the list does not have.
pub(crate) const OTHER: &str = "100";

/// Code, ending and media type. The first line with a media type is the one it is written as.
const FORMATS: [(&str, &str, &str); 45] = [
    ("001", "bmp", "image/bmp"),
    ("002", "csv", "text/csv"),
    ("003", "doc", "application/msword"),
    ("004", "doc", "application/msword"),
    ("005", "doc", "application/msword"),
    ("006", "eml", "message/rfc822"),
    ("008", "html", "text/html"),
    ("007", "htm", "text/html"),
    ("011", "jpg", "image/jpeg"),
    ("009", "jpe", "image/jpeg"),
    ("010", "jpeg", "image/jpeg"),
    ("012", "msg", "application/vnd.ms-outlook"),
    ("013", "odp", "application/vnd.oasis.opendocument.presentation"),
    ("014", "ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("015", "odt", "application/vnd.oasis.opendocument.text"),
    ("016", "otp", "application/vnd.oasis.opendocument.presentation-template"),
    ("017", "ots", "application/vnd.oasis.opendocument.spreadsheet-template"),
    ("018", "pdf", "application/pdf"),
    ("019", "png", "image/png"),
    ("020", "ppt", "application/vnd.ms-powerpoint"),
    ("021", "ps", "application/postscript"),
    ("022", "rtf", "application/rtf"),
    ("024", "tiff", "image/tiff"),
    ("023", "tif", "image/tiff"),
    ("025", "wps", "application/vnd.ms-works"),
    ("028", "xls", "application/vnd.ms-excel"),
    ("026", "xlc", "application/vnd.ms-excel"),
    ("027", "xlm", "application/vnd.ms-excel"),
    ("029", "xlw", "application/vnd.ms-excel"),
    ("030", "xml", "application/xml"),
    ("031", "xsd", "application/xml"),
    ("032", "dot", "application/msword"),
    ("033", "pot", "application/vnd.ms-powerpoint"),
    ("034", "xlt", "application/vnd.ms-excel"),
    ("035", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("036", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("037", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("038", "dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
    ("039", "xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template"),
    ("040", "potx", "application/vnd.openxmlformats-officedocument.presentationml.template"),
    ("041", "dtd", "application/xml-dtd"),
    ("042", "mpp", "application/vnd.ms-project"),
    ("043", "ott", "application/vnd.oasis.opendocument.text-template"),
    ("044", "pdf", "application/pdf"),
    ("045", "txt", "text/plain"),
];

/// Media type of a code; `None` for other formats.
pub(crate) fn media_type(code: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(known, _, _)| *known == code).map(|(_, _, media_type)| *media_type)
}

/// Code of a media type, whose parameters do not count.
pub(crate) fn code_of(media_type: &str) -> &'static str {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    let known = FORMATS.iter().find(|(_, _, known)| known.eq_ignore_ascii_case(bare));
    known.map_or(OTHER, |(code, _, _)| code)
}

/// Usual ending of a media type.
pub(crate) fn ending_of(media_type: &str) -> Option<&'static str> {
    let code = code_of(media_type);
    FORMATS.iter().find(|(known, _, _)| *known == code).map(|(_, ending, _)| *ending)
}

/// Media type by the ending of a file name.
pub(crate) fn media_type_by_name(name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1;
    FORMATS
        .iter()
        .find(|(_, known, _)| known.eq_ignore_ascii_case(ending))
        .map(|(_, _, media_type)| *media_type)
}

/// Bytes at the beginning of a file that [`contradicts`] looks at.
pub(crate) const HEAD_BYTES: usize = 1_024;

/// Whether a file of this name that begins with `head` cannot be of the format. Of formats that the list does
/// not have, the name's ending is the claim.
pub(crate) fn contradicts(code: &str, name: &str, head: &[u8]) -> bool {
    match media_type(code) {
        Some(media_type) => contradicts_type(media_type, head),
        None => contradicts_ending(name, head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_but_other_has_a_media_type_and_comes_back_as_one_of_its_kind() {
        for number in 1..=45 {
            let code = format!("{number:03}");
            let media = media_type(&code).unwrap_or_else(|| panic!("{code}"));
            assert_eq!(media_type(code_of(media)), Some(media), "{code}");
        }
        assert_eq!(code_of("application/pdf"), "018");
        assert_eq!(code_of("TEXT/plain; charset=utf-8"), "045");
        assert_eq!(code_of("video/mp4"), OTHER);
    }

    #[test]
    fn a_claim_is_compared_with_the_first_bytes() {
        let compound: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
        let zip: &[u8] = b"PK\x03\x04";
        let odt = [zip, &[0; 26], b"mimetypeapplication/vnd.oasis.opendocument.text"].concat();
        let other = [zip, &[0; 26], b"mimetypeapplication/epub+zip"].concat();
        let fitting: [(&str, &str, &[u8]); 27] = [
            ("044", "a", b"junk %PDF-1.7"),
            ("018", "a", b"%PDF-1.4"),
            ("024", "a", b"II*\0"),
            ("019", "a", b"\x89PNG\r\n\x1a\n"),
            ("011", "a", b"\xff\xd8\xff\xe0"),
            ("001", "a", b"BM"),
            ("022", "a", b"{\\rtf1"),
            ("021", "a", b"%!PS-Adobe-3.0"),
            ("012", "a", compound),
            ("003", "a", compound),
            ("028", "a", compound),
            ("020", "a", compound),
            ("035", "a", zip),
            ("036", "a", zip),
            ("015", "a", zip),
            ("015", "a", &odt),
            ("030", "a", b"\xef\xbb\xbf  <a/>"),
            ("030", "a", b"\xff\xfe<\0"),
            ("008", "a", b"<!doctype html>"),
            ("045", "a", b"anything"),
            ("045", "a", b"\xff\xfea\0"),
            ("100", "film.mp4", b"\0\0\0\x20ftypisom"),
            ("100", "a.ZIP", zip),
            ("100", "a.unknown", b"anything"),
            ("100", "a", b"anything"),
            ("025", "a.wps", b"anything"),
            ("999", "a.png", b"anything"),
        ];
        for (code, name, head) in fitting {
            assert!(!contradicts(code, name, head), "{code} {name} {head:?}");
        }
        let contradicted: [(&str, &str, &[u8]); 18] = [
            ("018", "a", zip),
            ("024", "a", b"\x89PNG\r\n\x1a\n"),
            ("019", "a", b"GIF89a"),
            ("009", "a", b"BM"),
            ("001", "a", b"MB"),
            ("022", "a", compound),
            ("021", "a", b"%PDF-1.7"),
            ("012", "a", b"From: a@example.org"),
            ("003", "a", b"PK\x03\x04"),
            ("028", "a", b"PK\x03\x04"),
            ("035", "a", compound),
            ("035", "a", &odt),
            ("015", "a", &other),
            ("030", "a", b"{}"),
            ("008", "a", b"%PDF-1.7"),
            ("045", "a", b"PK\x03\x04\0\0"),
            ("100", "film.mp4", b"RIFF"),
            ("100", "a.zip", b"%PDF-1.7"),
        ];
        for (code, name, head) in contradicted {
            assert!(contradicts(code, name, head), "{code} {name} {head:?}");
        }
    }
}
