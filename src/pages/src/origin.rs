//! What a browser says of a request: its cookies (RFC 6265), and where it comes from (Fetch Metadata, RFC 6454); and what it is told of styles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{COOKIE, HOST, ORIGIN};

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let mut all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.find_map(|line| {
        let mut pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    })
}

/// Whether a browser says that a form comes from this site. Those that say nothing send no cookie of ours either from elsewhere.
pub fn is_from_here(headers: &HeaderMap, own: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return true };
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let is_host = text(HOST.as_str()).is_some_and(|known| known.eq_ignore_ascii_case(host));
    is_host || (!host.is_empty() && origin.eq_ignore_ascii_case(own))
}

/// The source by which a Content Security Policy knows a style that stands in its page: the digest of its text.
pub fn style_source(style: &str) -> String {
    let digest = hex::decode(seal::sha256(&[style.as_bytes()]).to_string()).unwrap_or_default();
    format!("'sha256-{}'", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        HeaderMap::from_iter(fields.iter().map(field))
    }

    #[test]
    fn a_form_from_elsewhere_is_told_from_one_of_ours() {
        for (fields, here) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "https://amt.example"), ("host", "amt.example")], true),
            (&[("origin", "https://boese.example"), ("host", "amt.example")], false),
            (&[("origin", "null"), ("host", "amt.example")], false),
            (&[("origin", "https://amt.example")], false),
            (&[("origin", "https://buerger.example"), ("host", "10.0.0.7:8444")], true),
            (&[("origin", "http://buerger.example"), ("host", "10.0.0.7:8444")], false),
            (&[("origin", "https://buerger.example:8443"), ("host", "10.0.0.7:8444")], false),
            (&[], true),
        ] {
            assert_eq!(is_from_here(&headers(fields), "https://buerger.example"), here, "{fields:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let all = headers(&[("cookie", "a=b; __Host-amtsbote=x.y; c=d")]);
        assert_eq!(cookie(&all, "__Host-amtsbote"), Some("x.y"));
        assert_eq!(cookie(&headers(&[("cookie", "x__Host-amtsbote=x")]), "__Host-amtsbote"), None);
    }
}
