//! A form with one file (RFC 7578): what is said beside the file comes before it, the form's token first, so that of a form that is not
//! ours no byte of the file is read. The file is streamed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use multer::{Constraints, Multipart, SizeLimit};

use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};

/// What a form has beside the bytes of its file, in bytes.
const FIELD_BYTES: u64 = 64 * 1024;
/// Fields before the file.
const FIELDS: usize = 20;
/// Bytes of a form that may be held before something is given out.
const HELD_BYTES: usize = 256 * 1024;
/// Longest name of a file that is looked at, in bytes.
const NAME_BYTES: usize = 255;

/// The fields of a form and its file, whose bytes are still to come.
pub(crate) struct FileForm {
    /// What is said beside the file.
    pub(crate) fields: Form,
    /// Its name; absent if none was chosen.
    pub(crate) name: Option<String>,
    /// Its bytes.
    pub(crate) bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl FileForm {
    /// Reads what is left of the form, and throws it away: browsers show nothing of an answer that comes before they have sent all.
    pub(crate) async fn drain(&mut self) {
        while let Some(Ok(_)) = self.bytes.next().await {}
    }
}

impl FromRequest<Console> for FileForm {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let look = Look::from(request.extensions());
        let stale = || page::stale(&look);
        let own = console.settings.origin.as_deref().unwrap_or_default();
        if !pages::is_from_here(request.headers(), own) {
            return Err(stale());
        }
        let (boundary, announced) = {
            let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
            let announced = header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
            (header(CONTENT_TYPE).and_then(|kind| multer::parse_boundary(kind).ok()), announced)
        };
        let boundary = boundary.ok_or_else(stale)?;
        let visit = look.visit.as_ref().ok_or_else(stale)?;
        let place = console.broker.body_place(&visit.caller, announced);
        let place = place.map_err(|error| page::failed(&look, &error))?;
        let most = console.broker.most_bytes().saturating_add(FIELD_BYTES);
        let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
        let held = Arc::new(AtomicUsize::new(0));
        let body =
            pages::bounded(request.into_body().into_data_stream().boxed(), Arc::clone(&held), HELD_BYTES);
        let mut form = Multipart::with_constraints(body, boundary, limits);
        let mut fields = vec![];
        let mut seen = 0;
        while let Ok(Some(mut field)) = form.next_field().await {
            held.store(0, Ordering::Relaxed);
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                let fields = Form::of(fields);
                if !fields.is_plain() || !fields.is_of(&look) {
                    break;
                }
                let name = field.file_name().filter(|name| !name.is_empty()).map(short);
                let bytes = field.inspect(move |_| {
                    let _counts_until_the_stream_goes = &place;
                    held.store(0, Ordering::Relaxed);
                });
                let broken = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
                return Ok(FileForm { fields, name, bytes: bytes.map_err(broken).boxed() });
            }
            let mut value = vec![];
            while let Ok(Some(piece)) = field.chunk().await {
                seen += piece.len() as u64;
                if seen > FIELD_BYTES {
                    return Err(stale());
                }
                value.extend_from_slice(&piece);
            }
            fields.push((name, String::from_utf8_lossy(&value).into_owned()));
            // The first field says whose form it is.
            if fields.len() > FIELDS || (fields.len() == 1 && !Form::of(fields.clone()).is_of(&look)) {
                break;
            }
        }
        Err(stale())
    }
}

/// The last step of a file's name, as browsers may send whole paths, cut to a length that every store takes.
fn short(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    clean.get(..clean.floor_char_boundary(NAME_BYTES)).unwrap_or_default().to_owned()
}
