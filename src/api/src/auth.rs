//! Who calls: a bearer token (RFC 6750) on every request, in the `Authorization` field and nowhere else. It is one of the gateway's own, or
//! an access token of an issuer that the house trusts, which may be bound to the certificate of the connection (RFC 8705).

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{Extensions, HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::Caller;
use net::tls::Peer;

use crate::Api;
use crate::problem::Problem;

/// Id of the caller's token, left on the answer for the log.
#[derive(Debug, Clone)]
pub(crate) struct CallerId(pub(crate) String);

/// Longest certificate that a proxy hands on, in characters.
const LONGEST_CERTIFICATE: usize = 16 * 1024;

/// Says whom the access token of another issuer stands for.
#[async_trait]
pub trait Recognise: Send + Sync {
    /// The caller, if the token is good and was shown by whom it was given to: over a connection with this certificate (DER), if it is bound.
    async fn recognise(&self, token: &str, certificate: Option<&[u8]>) -> Option<Caller>;
}

/// Proxies that end TLS in front of the gateway and say which certificate was shown to them (RFC 9440).
#[derive(Debug, Clone)]
pub struct Proxies {
    /// Where they call from. What anybody else says in the field is passed over.
    pub addresses: Vec<IpAddr>,
    /// The field; `client-cert` by RFC 9440.
    pub field: HeaderName,
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies { addresses: vec![], field: HeaderName::from_static("client-cert") }
    }
}

impl Proxies {
    /// The certificate (DER) that was shown by whoever calls: to the gateway itself, or to a proxy.
    fn certificate(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<Vec<u8>> {
        let peer = extensions.get::<Peer>();
        if let Some(own) = peer.and_then(|peer| peer.certificate.as_deref()) {
            return Some(own.to_vec());
        }
        let address = peer.map(|peer| peer.address).or_else(|| extensions.get::<SocketAddr>().copied())?;
        if !self.addresses.contains(&address.ip().to_canonical()) {
            return None;
        }
        let mut values = headers.get_all(&self.field).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let text = value.to_str().ok()?.trim();
        let text = text.strip_prefix(':')?.strip_suffix(':')?;
        if text.len() > LONGEST_CERTIFICATE {
            return None;
        }
        BASE64_STANDARD.decode(text).ok()
    }
}

/// Lets a request through to its handler, with its [`Caller`].
pub(crate) async fn require(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let token = bearer(request.headers());
    let caller = match recognise(&api, token, request.extensions(), request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let id = CallerId(caller.actor.id.clone());
    // Counts until the answer begins.
    let place = api.broker.request_place(&caller);
    request.extensions_mut().insert(caller);
    let mut response = match &place {
        Ok(_) => next.run(request).await,
        Err(_) => Problem::from(broker::Error::TooManyRequests).into_response(),
    };
    response.extensions_mut().insert(id);
    response
}

/// A token that is unknown, malformed, revoked or ended gets the same answer. The broker compares digests
/// by an index, so the time taken says nothing about how much of a guess was right.
async fn recognise(
    api: &Api,
    token: Option<String>,
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "api.unauthorized");
    let token = token.ok_or_else(unauthorized)?;
    // Three segments of base64url: none of the gateway's own tokens has a dot.
    if let Some(issuers) = api.issuers.as_ref().filter(|_| token.contains('.')) {
        let certificate = api.settings.proxies.certificate(extensions, headers);
        return issuers.recognise(&token, certificate.as_deref()).await.ok_or_else(unauthorized);
    }
    api.broker.authenticate(&token).await?.ok_or_else(unauthorized)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_listed_proxy_says_which_certificate_was_shown() {
        let proxies = Proxies { addresses: vec![IpAddr::from([127, 0, 0, 1])], ..Proxies::default() };
        let from = |address: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(address.parse::<SocketAddr>().unwrap());
            extensions
        };
        let says = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append("client-cert", HeaderValue::from_static(value));
            });
            headers
        };
        let proxy = from("127.0.0.1:4711");
        assert_eq!(proxies.certificate(&proxy, &says(&[":AQID:"])), Some(vec![1, 2, 3]));
        assert_eq!(proxies.certificate(&from("10.0.0.7:4711"), &says(&[":AQID:"])), None);
        assert_eq!(Proxies::default().certificate(&proxy, &says(&[":AQID:"])), None);
        for wrong in [&["AQID"][..], &[":AQ?D:"], &[":AQID:", ":AQID:"], &[]] {
            assert_eq!(proxies.certificate(&proxy, &says(wrong)), None, "{wrong:?}");
        }
        // Whoever comes by TLS shows its own.
        let peer =
            Peer { address: "127.0.0.1:1".parse().unwrap(), certificate: Some([9].into()), is_known: false };
        let mut own = Extensions::new();
        own.insert(peer);
        assert_eq!(proxies.certificate(&own, &says(&[":AQID:"])), Some(vec![9]));
    }
}
