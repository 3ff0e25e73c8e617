//! Where one goes after signing in: only to pages of the console. And where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use net::tls::Peer;

use crate::page::Look;
use crate::{BASE, Console};

/// Field of an origin that a proxy in front of the gateway sets.
const FORWARDED: &str = "x-forwarded-for";

/// The page that was wanted, if it is one of the console and not one of signing in.
pub(super) fn own(wanted: Option<&str>) -> Option<&str> {
    let wanted = wanted?;
    let rest = wanted.strip_prefix(BASE)?;
    let is_below = rest.starts_with(['/', '?']);
    let is_plain = wanted.len() <= 2_000 && wanted.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
    let signs_in = ["/sign-in", "/sign-out", "/set-up", "/welcome"].iter().any(|it| rest.starts_with(it));
    (is_below && is_plain && !signs_in).then_some(wanted)
}

/// The query field of an address that was wanted.
pub(super) fn of_query(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let wanted = pairs.find(|(name, _)| name == "to").map(|(_, value)| value.into_owned());
    own(wanted.as_deref()).map(str::to_owned)
}

/// A page below the console that keeps in mind what is wanted after it.
pub(super) fn with(path: &str, wanted: Option<&str>) -> String {
    match wanted {
        None => path.to_owned(),
        Some(wanted) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", wanted).finish();
            format!("{path}?{query}")
        }
    }
}

/// Sent to what was wanted, or to the first page.
pub(super) fn onward(look: &Look, wanted: Option<&str>) -> Response {
    match own(wanted) {
        Some(wanted) => Redirect::to(wanted).into_response(),
        None => look.onward("/"),
    }
}

/// The address that a request comes from, of IPv6 the network; nothing if it is that of a proxy which does not say for whom it calls.
pub(super) struct Origin(pub(super) Option<String>);

impl FromRequestParts<Console> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.address);
        let caller = peer.or_else(|| parts.extensions.get::<SocketAddr>().copied());
        Ok(Origin(origin(caller.map(|it| it.ip()), &parts.headers, &console.settings.proxies)))
    }
}

/// Whoever calls from this machine or from the address of a known proxy says who called there; of others that is passed over, or
/// anybody could count as anybody else.
fn origin(caller: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpAddr]) -> Option<String> {
    let caller = caller.map(|it| it.to_canonical());
    let is_proxy = caller.is_none_or(|it| it.is_loopback() || proxies.contains(&it));
    let address = if is_proxy { forwarded(headers) } else { caller }?;
    Some(match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    })
}

/// What the nearest proxy says.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse::<IpAddr>().ok().map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_gone_to() {
        for good in ["/console/", "/console/messages?state=parked&lang=de", "/console?lang=en", "/console//x"]
        {
            assert_eq!(own(Some(good)), Some(good));
        }
        for bad in [
            "",
            "/",
            "//boese.example/",
            "https://boese.example/console/",
            "/consolex",
            "/console",
            "/console/..\\x",
            "/console/\r\nset-cookie: a=b",
            "/console/ä",
            "/console/sign-in?to=/console/",
            "/console/sign-out",
        ] {
            assert_eq!(own(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn an_origin_is_what_the_nearest_proxy_says_and_of_others_their_own_address() {
        let of = |caller: &str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED, value.parse().unwrap());
            origin(caller.parse().ok(), &headers, &["10.1.1.1".parse().unwrap()])
        };
        assert_eq!(of("127.0.0.1", "1.2.3.4, 10.0.0.7").as_deref(), Some("10.0.0.7"));
        assert_eq!(of("::ffff:10.1.1.1", "2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2"));
        assert_eq!(of("10.6.6.6", "1.2.3.4").as_deref(), Some("10.6.6.6"), "anybody may say anything");
        assert_eq!(of("127.0.0.1", "somebody"), None);
        assert_eq!(origin(None, &HeaderMap::new(), &[]), None);
    }
}
