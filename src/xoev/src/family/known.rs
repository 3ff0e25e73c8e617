//! Which standard a namespace belongs to (XÖV-Rahmenwerk, facts 2.7), which version it says, and which type a root element is.

use crate::head::Root;
use crate::{xdomea, xjustiz, xrechnung};

/// Standards by what their namespaces begin with; the rest says the version, unless a version stands here.
const BEGINNINGS: &[(&str, &str, Option<&str>)] = &[
    ("xbau", "http://www.xleitstelle.de/xbau/", None),
    ("xbeteiligung", "https://www.xleitstelle.de/xbeteiligung/", None),
    ("xplanung", "http://www.xplanung.de/xplangml/", None),
    ("xwasser", "https://gitlab.opencode.de/akdb/xoev/xwasser/-/raw/main/V", None),
    ("xbildung", "http://xbildung.de/def/", None),
    ("xbildung", "http://xschule.digital/def/", None),
    ("xbildung", "http://xhochschule.de/def/", None),
    ("xbildung", "http://xberufsbildung.de/def/", None),
    ("xdatenfelder", "urn:xoev-de:fim:standard:xdatenfelder_", None),
    ("xzufi", "http://xoev.de/schemata/xzufi/", None),
    ("xgewerbeanzeige", "http://www.xgewerbeanzeige.de/spezifikation/", None),
    ("xgewerbeanzeige", super::datml::NAMESPACE, Some("1.3")),
];

/// What the namespaces of XInneres and of the standards built on it begin with: `http://www.osci.de/xmeld2511a`.
const XINNERES: &str = "http://www.osci.de/";

/// The standard and version that a namespace says.
pub(crate) fn by_namespace(namespace: &str) -> Option<(String, String)> {
    let known = BEGINNINGS.iter().find_map(|(name, beginning, version)| {
        let rest = namespace.strip_prefix(beginning)?;
        Some(((*name).to_owned(), version.map_or_else(|| version_of(rest), str::to_owned)))
    });
    known.or_else(|| by_xinneres(namespace))
}

/// The name is what the first part begins with: letters, the first an `x`.
fn by_xinneres(namespace: &str) -> Option<(String, String)> {
    let rest = namespace.strip_prefix(XINNERES)?;
    let length = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    let (name, rest) = rest.split_at(length);
    let is_name = name.starts_with('x') && length > 2 && name.len() <= 40;
    is_name.then(|| (name.to_owned(), version_of(rest.trim_start_matches('/'))))
}

/// Standards that a header alone never names: others read and check them, and know them by their namespaces.
const OWNED: [&str; 3] = [xdomea::NAME, xjustiz::NAME, xrechnung::NAME];

/// A standard that only its header names: lower case, of letters and digits, up to the first other sign (`XInneres-Rueckweisung`).
/// `xoev` if it does not begin like the names of the family, or is that of a standard which others own.
pub(crate) fn by_attribute(standard: &str) -> String {
    let name: String = standard.chars().take_while(char::is_ascii_alphanumeric).take(40).collect();
    let name = name.to_ascii_lowercase();
    let is_free = name.starts_with('x') && !OWNED.contains(&name.as_str());
    if is_free { name } else { super::NAME.to_owned() }
}

/// `2/6`, `1_0_0`, `xschule/1.1/xsd`, `kernmodul/1/3/0`: what of it are numbers.
fn version_of(rest: &str) -> String {
    let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = rest.split(['/', '_']).filter(is_number).collect();
    if parts.is_empty() { rest.to_owned() } else { parts.join(".") }
}

/// The number at the end of a root's name, else the name.
pub(crate) fn type_of(root: &str) -> &str {
    let last = root.rsplit('.').next().unwrap_or(root);
    let is_number = last.len() >= 4 && last.bytes().all(|b| b.is_ascii_digit());
    if is_number { last } else { root }
}

/// Whether a message says that another was rejected (0010 of XInneres, 1100 of XBau, and what others call so). Never rejected itself.
pub(crate) fn is_rejection(root: &Root) -> bool {
    let name = root.local.to_ascii_lowercase();
    name.split('.').any(|part| part.starts_with("rueckweisung"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_types_are_read_from_names() {
        for (rest, version) in [
            ("2/6", "2.6"),
            ("kernmodul/1/3/0", "1.3.0"),
            ("1_0_0", "1.0.0"),
            ("xschule/1.1/xsd", "1.1"),
            ("3.0.0", "3.0.0"),
            ("unknown", "unknown"),
            ("2511a", "2511a"),
            ("", ""),
        ] {
            assert_eq!(version_of(rest), version);
        }
        assert_eq!(type_of("kommunal.Initiieren.0401"), "0401");
        assert_eq!(type_of("nachricht.gds.uebermittlungSchriftgutobjekte.0005005"), "0005005");
        assert_eq!(type_of("Invoice"), "Invoice");
    }

    #[test]
    fn every_namespace_below_that_of_xinneres_names_a_standard() {
        for (namespace, is) in [
            ("http://www.osci.de/xmeld2511a", Some(("xmeld", "2511a"))),
            ("http://www.osci.de/xinneres/rueckweisung/4", Some(("xinneres", "4"))),
            ("http://www.osci.de/xauslaender/1_17_0", Some(("xauslaender", "1.17.0"))),
            ("http://www.osci.de/2002/04/osci", None),
            ("http://www.osci.de/wsdl", None),
            ("http://www.osci.de/x", None),
        ] {
            let found = by_namespace(namespace);
            let found = found.as_ref().map(|(name, version)| (name.as_str(), version.as_str()));
            assert_eq!(found, is, "{namespace}");
        }
    }

    #[test]
    fn a_standard_that_only_a_header_names_has_a_plain_name() {
        assert_eq!(by_attribute("XInneres-Rueckweisung"), "xinneres");
        assert_eq!(by_attribute("XUnternehmen"), "xunternehmen");
        assert_eq!(by_attribute("../x"), "xoev");
        assert_eq!(by_attribute(&"X".repeat(500)).len(), 40);
        for taken in ["XDOMEA", "xdomea 4.0", "XJustiz", "XRechnung", "ticket", "sha256"] {
            assert_eq!(by_attribute(taken), "xoev", "{taken}");
        }
    }
}
