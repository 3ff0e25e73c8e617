//! HAL, as d.velop writes it: objects with links, some of them templates (RFC 6570, of which `{a}` and `{?a,b}` are used).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

/// Longest link that is followed, in bytes.
const HREF_BYTES: usize = 4 * 1024;

/// Links by their name.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Links(BTreeMap<String, Link>);

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Link {
    One { href: String },
    // Some have several; nothing of ours follows these.
    Other(serde::de::IgnoredAny),
}

impl Links {
    pub(super) fn href(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Link::One { href } => Some(href),
            Link::Other(_) => None,
        }
    }
}

/// An object, or a repository.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dto {
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) source_categories: Vec<String>,
    #[serde(default)]
    source_properties: Vec<Property>,
    #[serde(default, rename = "_links")]
    pub(super) links: Links,
}

#[derive(Debug, Deserialize)]
struct Property {
    key: String,
    value: Option<String>,
}

impl Dto {
    /// The values of its properties.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let value = |it: &Property| Some((it.key.clone(), it.value.clone()?));
        self.source_properties.iter().filter_map(value).collect()
    }
}

/// A page of what was found.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) items: Vec<Dto>,
}

/// The address of the system.
#[derive(Debug, Clone)]
pub(super) struct Base(String);

impl Base {
    pub(super) fn new(url: &str) -> Option<Self> {
        let url = url.trim_end_matches('/');
        let (scheme, host) = url.split_once("://")?;
        let is_plain = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
        (is_plain && matches!(scheme, "http" | "https")).then(|| Base(url.to_owned()))
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Whether a link stays at the system: whoever follows others shows them the key.
    pub(super) fn is_ours(&self, href: &str) -> bool {
        let rest = href.strip_prefix(&self.0).unwrap_or(href);
        let is_path = rest.starts_with('/') && !rest.starts_with("//") && !rest.contains('\\');
        is_path && href.len() <= HREF_BYTES && href.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The address of a link, its template filled in. `None` if it leads elsewhere or is no template that is understood.
    pub(super) fn expanded(&self, href: &str, values: &[(&str, &str)]) -> Option<String> {
        let filled = filled(href, values)?;
        let path = filled.strip_prefix(&self.0).unwrap_or(&filled);
        self.is_ours(path).then(|| self.url(path))
    }
}

/// Fills in a template. What has no value is left out of a query, and is an error in a path.
fn filled(template: &str, values: &[(&str, &str)]) -> Option<String> {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| encoded(value));
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (expression, behind) = behind.split_once('}')?;
        text.push_str(before);
        rest = behind;
        let Some(names) = expression.strip_prefix(['?', '&']) else {
            text.push_str(&value(expression)?);
            continue;
        };
        for name in names.split(',') {
            let Some(value) = value(name) else { continue };
            let mark = if text.contains('?') { '&' } else { '?' };
            // Writing into a string never fails.
            _ = write!(text, "{mark}{name}={value}");
        }
    }
    text.push_str(rest);
    Some(text)
}

/// The last part of the path of a link, which names an object.
pub(super) fn last_part(href: &str) -> Option<String> {
    let path = href.split(['?', '#']).next()?;
    let part = path.trim_end_matches('/').rsplit('/').next()?;
    let is_id = (1..=200).contains(&part.len())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    is_id.then(|| part.to_owned())
}

/// Everything but the unreserved characters of RFC 3986 in percent.
pub(super) fn encoded(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(byte.into()),
            byte => _ = write!(all, "%{byte:02X}"),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_in_and_lead_nowhere_else() {
        let base = Base::new("https://kreis.d-velop.example/").unwrap();
        let template = "/dms/r/{repo}/o2m/{dmsobjectid}{?sourceid,page}";
        let values = [("repo", "a b"), ("dmsobjectid", "D1"), ("sourceid", "/dms/r/a/source")];
        let url = "https://kreis.d-velop.example/dms/r/a%20b/o2m/D1?sourceid=%2Fdms%2Fr%2Fa%2Fsource";
        assert_eq!(base.expanded(template, &values).as_deref(), Some(url));
        assert_eq!(base.expanded("/x{?a}", &[]).as_deref(), Some("https://kreis.d-velop.example/x"));
        assert_eq!(
            base.expanded("https://kreis.d-velop.example/x", &[]).as_deref(),
            Some("https://kreis.d-velop.example/x")
        );
        for wrong in [
            "https://elsewhere/x",
            "//elsewhere/x",
            "x",
            "/{a}",
            "/{a",
            "https://kreis.d-velop.example.evil/x",
            "/a b",
        ] {
            assert_eq!(base.expanded(wrong, &[]), None, "{wrong}");
        }
        assert_eq!(last_part("/dms/r/x/o2m/D000001?sourceid=y").as_deref(), Some("D000001"));
        assert_eq!(last_part("/dms/r/x/o2m/%2e%2e"), None);
        for wrong in ["https://a/b", "ftp://a", "https://u@a", ""] {
            assert!(Base::new(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_known_of_an_answer_is_passed_over() {
        let dto: Dto = serde_json::from_value(serde_json::json!({
            "id": "D1", "sourceCategories": ["C"], "extra": 1,
            "sourceProperties": [{ "key": "a", "value": "1", "values": null }, { "key": "b" }],
            "_links": { "self": { "href": "/x" }, "many": [{ "href": "/y" }] },
        }))
        .unwrap();
        assert_eq!(dto.values(), BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        assert_eq!((dto.links.href("self"), dto.links.href("many")), (Some("/x"), None));
    }
}
