//! Who calls: a bearer token (RFC 6750) on every request, in the `Authorization` field and nowhere else.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Caller;

use crate::Api;
use crate::problem::Problem;

/// Id of the caller's token, left on the answer for the log.
#[derive(Debug, Clone)]
pub(crate) struct CallerId(pub(crate) String);

/// Lets a request through to its handler, with its [`Caller`].
pub(crate) async fn require(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let caller = match recognise(&api, bearer(request.headers())).await {
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
async fn recognise(api: &Api, token: Option<String>) -> Result<Caller, Problem> {
    let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "api.unauthorized");
    let token = token.ok_or_else(unauthorized)?;
    api.broker.authenticate(&token).await?.ok_or_else(unauthorized)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim().to_owned())
}
