//! Who calls: whom a request's session stands for.

use async_trait::async_trait;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Redirect, Response};
use broker::{Broker, Error};
use model::Caller;

use crate::page::Look;
use crate::{BASE, Console};

/// Name of the cookie: browsers take it over TLS alone (and from this machine), from this host, for all of its paths.
pub(crate) const COOKIE: &str = "__Host-amtsbote-console";

/// Requests with this field renew a page by themselves: they keep nobody signed in.
const POLLING: &str = "amtsbote-polling";

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// With which rights.
    pub caller: Caller,
    /// Name for people.
    pub name: String,
    /// What every form of this session carries, and no other site knows.
    pub form: String,
}

/// Says whom a request's session stands for.
#[async_trait]
pub trait Recognise: Send + Sync {
    /// The visitor; `None` if nobody has signed in.
    ///
    /// # Errors
    /// If the store cannot be asked.
    async fn visit(&self, headers: &HeaderMap) -> Result<Option<Visit>, Error>;
}

/// Those of the store: people who have signed in.
pub struct Sessions(pub Broker);

#[async_trait]
impl Recognise for Sessions {
    async fn visit(&self, headers: &HeaderMap) -> Result<Option<Visit>, Error> {
        let Some(token) = pages::cookie(headers, COOKIE) else { return Ok(None) };
        let signed_in = match headers.contains_key(POLLING) {
            true => self.0.glance(token).await?,
            false => self.0.visit(token).await?,
        };
        Ok(signed_in.map(|it| Visit { caller: it.caller, name: it.user.name, form: it.form }))
    }
}

/// The visitor of a request with these header fields.
pub(crate) async fn of(console: &Console, headers: &HeaderMap) -> Result<Option<Visit>, Error> {
    console.visitors.visit(headers).await
}

/// Where whoever has to sign in first is sent; a page that was asked for comes after it.
pub(crate) fn to_sign_in(look: &Look, request: &Request) -> Response {
    // A part of a page that renews itself is no place to come back to: the whole page goes to signing in.
    let is_part = request.headers().contains_key("hx-request");
    let is_page = request.method() == Method::GET && !is_part;
    let wanted = is_page.then(|| request.uri().path_and_query()).flatten();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("lang", look.words.tag());
    if let Some(wanted) = wanted {
        query.append_pair("to", wanted.as_str());
    }
    let address = format!("{BASE}/sign-in?{}", query.finish());
    if is_part {
        return [("hx-redirect", address)].into_response();
    }
    Redirect::to(&address).into_response()
}
