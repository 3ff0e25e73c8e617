//! A form of ours with a file (multipart/form-data, RFC 7578): the fields first, the file last and as a stream, so that memory does not grow
//! with it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures::{Stream, StreamExt};
use multer::{Constraints, Multipart, SizeLimit};
use seal::mac::is_same;

use crate::Console;
use crate::page::{self, Look};

/// Longest field that is no file, in bytes.
const FIELD_BYTES: u64 = 4 * 1024;
/// Fields before the file.
const FIELDS: usize = 20;
/// Longest name of a file, in bytes.
const NAME_BYTES: usize = 255;

/// A form whose last field is a file.
pub(crate) struct Upload {
    fields: Vec<(String, String)>,
    /// Name of the file, to be shown and to be checked, never a path.
    pub(crate) name: Option<String>,
    file: multer::Field<'static>,
}

impl Upload {
    /// A field that says something.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name)?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    /// The bytes of the file as they come.
    pub(crate) fn bytes(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin {
        self.file.map(|piece| piece.map_err(std::io::Error::other))
    }
}

impl FromRequest<Console> for Upload {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let look = Look::from(request.extensions());
        let own = console.settings.origin.as_deref().unwrap_or_default();
        if !pages::is_from_here(request.headers(), own) {
            return Err(page::stale(&look));
        }
        let kind = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind).map_err(|_| page::stale(&look))?;
        // The broker counts the bytes of the file; what comes before it is little.
        let limits = SizeLimit::new().whole_stream(console.broker.most_bytes().saturating_add(1 << 20));
        let limits = Constraints::new().size_limit(limits);
        let body = request.into_body().into_data_stream();
        let upload = read(Multipart::with_constraints(body, boundary, limits)).await;
        let upload = upload.ok_or_else(|| page::stale(&look))?;
        let token = upload.given("form").unwrap_or_default();
        match &look.visit {
            Some(visit) if !is_same(token.as_bytes(), visit.form.as_bytes()) => Err(page::stale(&look)),
            _ => Ok(upload),
        }
    }
}

async fn read(mut form: Multipart<'static>) -> Option<Upload> {
    let mut fields = vec![];
    while let Some(mut field) = form.next_field().await.ok()? {
        if field.file_name().is_some() {
            let name = field.file_name().filter(|it| (1..=NAME_BYTES).contains(&it.len())).map(str::to_owned);
            return Some(Upload { fields, name, file: field });
        }
        let name = field.name().unwrap_or_default().to_owned();
        let mut value = vec![];
        while let Some(piece) = field.chunk().await.ok()? {
            value.extend_from_slice(&piece);
            if value.len() as u64 > FIELD_BYTES {
                return None;
            }
        }
        fields.push((name, String::from_utf8(value).ok()?));
        if fields.len() > FIELDS {
            return None;
        }
    }
    None
}
