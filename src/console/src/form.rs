//! Forms of ours that are sent: from this site, of this session, limited.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use broker::Once;
use futures::StreamExt;
use maud::{Markup, html};
use model::{Id, ids};
use seal::mac::is_same;

use crate::Console;
use crate::page::{self, Look};

/// Largest form without files, in bytes.
const FORM_BYTES: usize = 64 * 1024;

/// The fields of a form. As an argument of a handler it takes nothing that comes from elsewhere, or from another session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A field without blanks around it; empty if it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// A field as it was written, such as a password.
    pub(crate) fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A field that says something.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.field(name)).filter(|value| !value.is_empty())
    }

    /// All values of a field that may stand there several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

impl Form {
    /// That of fields which were read otherwise.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Self {
        Form(fields)
    }

    /// Whether all of it is text that documents and databases can carry. People write no other.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.iter().all(|(name, value)| pages::is_plain(name) && pages::is_plain(value))
    }

    /// What makes its act happen once: the key that was put into it by [`once_field`], with what it says.
    pub(crate) fn once(&self, said: &[&str]) -> Option<Once> {
        let key: Id = self.field("once").parse().ok()?;
        let digest = seal::sha256(&[said.join("\n").as_bytes()]).to_string();
        Some(Once::new(format!("form:{key}"), digest))
    }

    /// Whether it carries what every form of this visit does.
    pub(crate) fn is_of(&self, look: &Look) -> bool {
        let Some(visit) = &look.visit else { return true };
        is_same(self.field("form").as_bytes(), visit.form.as_bytes())
    }
}

/// What makes an act of a form happen once, however often its button is pressed.
pub(crate) fn once_field() -> Markup {
    html! { input type="hidden" name="once" value=(ids::new_id()); }
}

impl FromRequest<Console> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let look = Look::from(request.extensions());
        let own = console.settings.origin.as_deref().unwrap_or_default();
        if !pages::is_from_here(request.headers(), own) {
            return Err(page::stale(&look));
        }
        let kind = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(page::stale(&look));
        }
        let Some(bytes) = collect(request.into_body(), FORM_BYTES).await else {
            return Err(page::stale(&look));
        };
        let form = Form(form_urlencoded::parse(&bytes).into_owned().collect());
        if form.is_plain() && form.is_of(&look) { Ok(form) } else { Err(page::stale(&look)) }
    }
}

/// A body of up to `most` bytes; `None` if it is longer or breaks off.
async fn collect(body: Body, most: usize) -> Option<Vec<u8>> {
    let mut pieces = body.into_data_stream();
    let mut all = vec![];
    while let Some(piece) = pieces.next().await {
        let piece = piece.ok()?;
        if all.len() + piece.len() > most {
            return None;
        }
        all.extend_from_slice(&piece);
    }
    Some(all)
}
