//! Our own schemas, as data in the binary: a fresh installation validates without any pack.

use std::sync::Arc;

/// Messages of xdomea 3.0.0 and 3.1.0, which are equal in them; `3.x` stands for the version.
const XDOMEA_3: &str = include_str!("../own/xdomea/3.x.xsd");
/// The XÖV code type, which packs import from outside of them.
const XOEV_CODE: &str = include_str!("../own/xoev/xoev-code.xsd");
const CATALOG: &str = include_str!("../own/catalog.txt");

/// File name and content of every own schema.
pub(crate) fn files() -> Vec<(String, Arc<[u8]>)> {
    let xdomea = |version: &str| {
        let namespace = format!("urn:xoev-de:xdomea:schema:{version}");
        let text = XDOMEA_3.replace("urn:xoev-de:xdomea:schema:3.x", &namespace);
        (format!("xdomea/{version}.xsd"), Arc::from(text.into_bytes()))
    };
    let code = ("xoev-code.xsd".to_owned(), Arc::from(XOEV_CODE.as_bytes()));
    vec![xdomea("3.0.0"), xdomea("3.1.0"), code]
}

/// The file name that stands for a public location, where it is not the location's own.
pub(crate) fn catalogued(location: &str) -> Option<&'static str> {
    let entries = CATALOG.lines().filter(|line| !line.starts_with('#'));
    entries
        .filter_map(|line| line.split_once(' '))
        .find(|(public, _)| *public == location)
        .map(|(_, file)| file)
}
