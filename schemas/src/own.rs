//! Our own schemas, as data in the binary: a fresh installation validates every xdomea message
//! that we write without any pack.

use std::sync::Arc;

/// Messages of xdomea by version, and what stands for the version in the text.
const XDOMEA: [(&str, &str, &str); 5] = [
    ("2.3.0", include_str!("../own/xdomea/2.x.xsd"), "2.x"),
    ("2.4.0", include_str!("../own/xdomea/2.x.xsd"), "2.x"),
    ("3.0.0", include_str!("../own/xdomea/3.x.xsd"), "3.x"),
    ("3.1.0", include_str!("../own/xdomea/3.x.xsd"), "3.x"),
    ("4.0.0", include_str!("../own/xdomea/4.0.xsd"), "4.0.0"),
];
/// The XÖV code type, which packs import from outside of them.
const XOEV_CODE: &str = include_str!("../own/xoev/xoev-code.xsd");
const CATALOG: &str = include_str!("../own/catalog.txt");

/// Our own schema of a version of xdomea, such as `3.1.0`: one file without imports, all of whose
/// types are in the version's namespace. `None` if we have none of that version (2.2.0).
pub fn own_text(version: &str) -> Option<String> {
    let (_, text, stands_for) = XDOMEA.iter().find(|(known, _, _)| *known == version)?;
    Some(text_of(text, stands_for, version))
}

/// The text of one version: its namespace, and of what only some versions have, what it has.
fn text_of(text: &str, stands_for: &str, version: &str) -> String {
    let namespace = |version: &str| format!("urn:xoev-de:xdomea:schema:{version}");
    let mut is_ours = true;
    let mut own = String::with_capacity(text.len());
    for line in text.lines() {
        match line.trim().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            Some("all") => is_ours = true,
            Some(comment) if comment.starts_with("only ") => is_ours = comment.ends_with(version),
            _ if is_ours => own.extend([line, "\n"]),
            _ => {}
        }
    }
    own.replace(&namespace(stands_for), &namespace(version))
}

/// File name and content of every own schema.
pub(crate) fn files() -> Vec<(String, Arc<[u8]>)> {
    let xdomea = XDOMEA.iter().map(|(version, text, stands_for)| {
        let text = text_of(text, stands_for, version);
        (format!("xdomea/{version}.xsd"), Arc::from(text.into_bytes()))
    });
    let code = ("xoev-code.xsd".to_owned(), Arc::from(XOEV_CODE.as_bytes()));
    xdomea.chain([code]).collect()
}

/// The file name that stands for a public location, where it is not the location's own.
pub(crate) fn catalogued(location: &str) -> Option<&'static str> {
    let entries = CATALOG.lines().filter(|line| !line.starts_with('#'));
    entries
        .filter_map(|line| line.split_once(' '))
        .find(|(public, _)| *public == location)
        .map(|(_, file)| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_its_own_parts_and_no_other() {
        let parts = |version| own_text(version).unwrap();
        assert!(parts("2.3.0").contains("DIN EN ISO 3166-1") && !parts("2.3.0").contains("country-codes"));
        assert!(parts("2.4.0").contains("country-codes") && !parts("2.4.0").contains("DIN EN ISO 3166-1"));
        assert!(!parts("3.0.0").contains("AktenplanBewertungType"));
        assert!(!parts("3.1.0").contains(":AktenplanBewertungskatalogType"));
        for (version, _, _) in XDOMEA {
            assert_eq!(parts(version).matches(&format!("schema:{version}\"")).count(), 2, "{version}");
            assert!(!parts(version).contains("<!-- only") && parts(version).ends_with("</xs:schema>\n"));
        }
        assert_eq!(own_text("2.2.0"), None);
    }
}
