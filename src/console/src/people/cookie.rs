//! The cookie of a session: over TLS alone, for this host alone, out of reach of scripts, and not sent with forms of other sites.

use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use broker::SignIn;

use crate::visit::COOKIE;

/// The answer, after which the browser has the session.
pub(crate) fn with_session(mut response: Response, session: &SignIn) -> Response {
    let cookie = format!("{COOKIE}={}; Secure; HttpOnly; SameSite=Lax; Path=/", session.token);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The answer, after which the browser has none.
pub(crate) fn without_session(mut response: Response) -> Response {
    let cookie = format!("{COOKIE}=; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
