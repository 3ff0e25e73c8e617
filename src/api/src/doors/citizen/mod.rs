//! The citizens' pages (`/citizen/…`): how a case stands, documents, payments, what is missing. No account, no script, nothing from
//! elsewhere; German and English, by keyboard, from 320 pixels on (BITV 2.0, EN 301 549, WCAG 2.1 AA).
//!
//! * this file: the routes, and what a request must be before a page sees it;
//! * `html`: what all pages have in common, and the words of both languages;
//! * `case`: number and secret are entered, and what a session may do;
//! * `seen`: what is seen of a case;
//! * `links`: what whoever has a link brings or pays;
//! * `about`: accessibility, and what is said when something is wrong;
//! * `app`: the same for apps, as JSON.
//!
//! Number and secret are never in an address. A session is a signed cookie of half an hour, which each look at the case renews; each form of
//! it carries a token that no other site knows, and no form is taken that a browser says comes from elsewhere. So that also those browsers
//! say so that only know `Origin`, the pages tell their address to their own site (`Referrer-Policy: same-origin`): with `no-referrer` these
//! would name none (Fetch, "append a request Origin header").

mod about;
mod app;
mod case;
mod html;
mod links;
mod seen;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use broker::{CitizenSession, Error};
use pages::{Words, cookie, is_from_here};
use seal::mac::is_same;

use super::{Doors, body_of, refusal};

/// Largest form without files, in bytes.
const FORM_BYTES: usize = 8 * 1024;

/// Name of the cookie: browsers take it over TLS alone, from this host, for all of its paths.
const COOKIE_NAME: &str = "__Host-amtsbote";

/// The pages as a router.
pub(super) fn router(doors: &Doors) -> Router<Doors> {
    Router::new()
        .route("/citizen", get(case::start))
        .route("/citizen/", get(case::start))
        .route("/citizen/login", get(case::start).post(case::enter))
        .route("/citizen/logout", post(case::leave))
        .route("/citizen/case", get(case::show))
        .route("/citizen/case/documents/{dispatch}/{document}/{sha256}", post(case::fetch))
        .route("/citizen/case/claims/{claim}", post(case::pay))
        .route("/citizen/case/way", post(case::prefer))
        .route("/citizen/case/apps/end", post(case::end_apps))
        .route("/citizen/documents/{token}", get(links::missing).post(links::bring))
        .route("/citizen/pay/{token}", get(links::owed).post(links::pay))
        .route("/citizen/back", get(about::back))
        .route("/citizen/accessibility", get(about::accessibility))
        .route("/citizen/api/status", post(app::status))
        .route("/citizen/api/way", post(app::prefer))
        .route("/citizen/api/push", post(app::subscribe))
        .route("/citizen/api/push/end", post(app::unsubscribe))
        .route_layer(from_fn_with_state(doors.clone(), if_there_are))
}

/// Without a configuration there are no pages.
async fn if_there_are(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    match doors.broker.citizens() {
        Ok(_) => next.run(request).await,
        Err(_) => refusal(StatusCode::NOT_FOUND),
    }
}

/// What is known of a request before its body is read.
struct Asked {
    words: Words,
    headers: HeaderMap,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Asked { words: Words::wanted(request.uri(), request.headers()), headers: request.headers().clone() }
    }

    /// The session of the cookie.
    async fn session(&self, doors: &Doors) -> Result<CitizenSession, Error> {
        let token = cookie(&self.headers, COOKIE_NAME).ok_or(Error::CitizenRefused)?;
        doors.broker.citizen_session(token).await
    }
}

/// The fields of a form, from this site.
struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a request.
    ///
    /// # Errors
    /// What is answered instead: a form from elsewhere, too large, or none.
    async fn read(doors: &Doors, request: Request) -> Result<Form, StatusCode> {
        let headers = request.headers();
        if !is_from_here(headers, own_origin(doors)) {
            return Err(StatusCode::FORBIDDEN);
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let bytes = body_of(request, FORM_BYTES).await?;
        Ok(Form(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether it is a form of this session.
    fn is_of(&self, session: &CitizenSession) -> bool {
        is_same(self.field("form").as_bytes(), session.form.as_bytes())
    }
}

/// The origin of the pages as the configuration knows it: a proxy in front may have changed the host.
fn own_origin(doors: &Doors) -> &str {
    doors.broker.citizens().map_or("", |citizens| citizens.url.as_str())
}
