//! File formats: the code list Dateiformat 1.0, endings, media types, and how a file of each begins.

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

/// Whether a file that begins with `head` cannot be of the format. Formats without a sign of their own
/// are never contradicted.
pub(crate) fn contradicts(code: &str, head: &[u8]) -> bool {
    let begins = |signs: &[&[u8]]| signs.iter().any(|sign| head.starts_with(sign));
    let is = match media_type(code).unwrap_or_default() {
        // Acrobat accepts the sign anywhere in the first kilobyte, and so does the field.
        "application/pdf" => head.windows(5).any(|window| window == b"%PDF-"),
        "image/tiff" => begins(&[b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]),
        "image/png" => begins(&[b"\x89PNG\r\n\x1a\n"]),
        "image/jpeg" => begins(&[b"\xff\xd8\xff"]),
        "application/xml" => {
            let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
            let is_utf16 = begins(&[b"\xff\xfe", b"\xfe\xff"]);
            is_utf16 || text.trim_ascii_start().starts_with(b"<")
        }
        office if office.contains("openxmlformats") || office.contains("opendocument") => {
            begins(&[b"PK\x03\x04"])
        }
        _ => true,
    };
    !is
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
        assert!(!contradicts("044", b"junk %PDF-1.7"));
        assert!(contradicts("018", b"PK\x03\x04"));
        assert!(contradicts("024", b"\x89PNG\r\n\x1a\n"));
        assert!(!contradicts("035", b"PK\x03\x04"));
        assert!(!contradicts("030", b"\xef\xbb\xbf  <a/>"));
        assert!(!contradicts("045", b"anything"));
    }
}
