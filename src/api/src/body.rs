//! Request bodies: JSON is read whole, strictly and up to a limit; files and messages are streamed and
//! never held. Both end when the client stalls.

use std::any::TypeId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, OnceLock, RwLock};

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use broker::Once;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use model::Caller;
use net::pace::TooSlow;
use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::Problem;
use crate::{Api, json, params};

/// Largest JSON body, in bytes.
const JSON_BYTES: usize = 256 * 1024;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + 'static> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        require_type(request.headers(), &["application/json"])?;
        read(&collect(request).await?).map(Json)
    }
}

/// A JSON merge patch (RFC 7396) on a record.
pub(crate) struct Patch(pub(crate) Value);

impl FromRequest<Api> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        require_type(request.headers(), &["application/merge-patch+json", "application/json"])?;
        let value = json::parse(&collect(request).await?).map_err(Problem::invalid_body)?;
        if value.is_object() { Ok(Patch(value)) } else { Err(Problem::invalid_body(String::new())) }
    }
}

/// A POST with a JSON body, which an `Idempotency-Key` may make repeatable.
pub(crate) struct Posted<T> {
    pub(crate) body: T,
    pub(crate) once: Option<Once>,
}

impl<T: DeserializeOwned + JsonSchema + 'static> FromRequest<Api> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        require_type(request.headers(), &["application/json"])?;
        let (bytes, once) = posted(request).await?;
        Ok(Posted { body: read(&bytes)?, once })
    }
}

/// A POST that says everything by its path.
pub(crate) struct Plain(pub(crate) Option<Once>);

impl FromRequest<Api> for Plain {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        let (bytes, once) = posted(request).await?;
        let nothing = bytes.is_empty() || json::parse(&bytes).is_ok_and(|body| body == serde_json::json!({}));
        if nothing { Ok(Plain(once)) } else { Err(Problem::invalid_body(String::new())) }
    }
}

/// A POST whose JSON body may be left out.
pub(crate) struct MayPost<T> {
    pub(crate) body: T,
    pub(crate) once: Option<Once>,
}

impl<T: DeserializeOwned + JsonSchema + Default + 'static> FromRequest<Api> for MayPost<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        let typed = require_type(request.headers(), &["application/json"]);
        let (bytes, once) = posted(request).await?;
        if bytes.is_empty() {
            return Ok(MayPost { body: T::default(), once });
        }
        typed?;
        Ok(MayPost { body: read(&bytes)?, once })
    }
}

/// A body that is streamed, of one of the media types that messages have.
pub(crate) struct Raw {
    /// The pieces as they come.
    pub(crate) stream: BoxStream<'static, std::io::Result<Bytes>>,
    fault: Arc<OnceLock<&'static str>>,
}

impl FromRequest<Api> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let headers = request.headers();
        let empty = request.body().size_hint().exact() == Some(0);
        let is_meant = [CONTENT_LENGTH, TRANSFER_ENCODING, HeaderName::from_static("upload-complete")];
        if empty && !is_meant.iter().any(|name| headers.contains_key(name)) {
            return Err(Problem::bad("api.length-missing"));
        }
        let announced = announced(headers)?;
        if announced.is_some_and(|length| length > api.broker.most_bytes()) {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "broker.too-large"));
        }
        let caller = request.extensions().get::<Caller>().ok_or_else(Problem::not_found)?;
        let place = api.broker.body_place(caller, announced)?;
        let Raw { stream, fault } = watched(request.into_body(), announced);
        let stream = stream.inspect(move |_| {
            let _counts_until_the_stream_goes = &place;
        });
        Ok(Raw { stream: stream.boxed(), fault })
    }
}

impl Raw {
    /// The broker's error, or the reason why the body it read broke off.
    pub(crate) fn explain(fault: &OnceLock<&'static str>, error: broker::Error) -> Problem {
        match (fault.get().copied(), error) {
            (Some(code @ "api.body-timeout"), broker::Error::Interrupted) => {
                Problem::new(StatusCode::REQUEST_TIMEOUT, code)
            }
            (Some(code), broker::Error::Interrupted) => Problem::bad(code),
            (_, error) => error.into(),
        }
    }

    /// The stream, and where the reason is found if it breaks off.
    pub(crate) fn split(self) -> (BoxStream<'static, std::io::Result<Bytes>>, Arc<OnceLock<&'static str>>) {
        (self.stream, self.fault)
    }
}

/// Refuses a media type that the route does not take.
pub(crate) fn require_type(headers: &HeaderMap, allowed: &[&str]) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if allowed.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed)) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "api.media-type"))
}

/// Body and idempotency key of a POST. The key belongs to method, path, query and the exact body.
async fn posted(request: Request) -> Result<(Vec<u8>, Option<Once>), Problem> {
    let key = params::idempotency_key(request.headers())?;
    let line = format!("{} {}\n", request.method(), request.uri());
    let bytes = collect(request).await?;
    let once = key.map(|key| Once::new(key, seal::sha256(&[line.as_bytes(), &bytes]).to_string()));
    Ok((bytes, once))
}

/// Reads a body of up to [`JSON_BYTES`].
async fn collect(request: Request) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "api.body-too-large");
    let announced = announced(request.headers())?;
    if announced.is_some_and(|length| length > JSON_BYTES as u64) {
        return Err(too_large());
    }
    let (mut stream, fault) = watched(request.into_body(), announced).split();
    let mut all = vec![];
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Raw::explain(&fault, broker::Error::Interrupted))?;
        if all.len() + piece.len() > JSON_BYTES {
            return Err(too_large());
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

fn announced(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Problem::invalid_header("Content-Length"))
}

/// A body that breaks off when the client is too slow, as the server says, or when it is not as long as announced.
fn watched(body: Body, announced: Option<u64>) -> Raw {
    let fault = Arc::new(OnceLock::new());
    let noted = Arc::clone(&fault);
    let state = (body.into_data_stream(), 0_u64);
    let stream = try_unfold(state, move |(mut pieces, seen)| {
        let noted = Arc::clone(&noted);
        let broken = move |code| {
            let _ = noted.set(code);
            std::io::Error::from(std::io::ErrorKind::UnexpectedEof)
        };
        async move {
            let code = |error: axum::Error| match TooSlow::is_cause(&error) {
                true => "api.body-timeout",
                false => "api.body-length",
            };
            let piece = match pieces.next().await {
                Some(piece) => piece.map_err(|error| broken(code(error)))?,
                None if announced.is_some_and(|length| length != seen) => {
                    return Err(broken("api.body-length"));
                }
                None => return Ok(None),
            };
            let seen = seen + piece.len() as u64;
            if announced.is_some_and(|length| seen > length) {
                return Err(broken("api.body-length"));
            }
            Ok(Some((piece, (pieces, seen))))
        }
    });
    Raw { stream: stream.boxed(), fault }
}

/// Reads a body into its type. Members that the type does not know are refused by its JSON Schema, which
/// is the one that clients read: serde cannot refuse them in types that others are flattened into.
fn read<T: DeserializeOwned + JsonSchema + 'static>(bytes: &[u8]) -> Result<T, Problem> {
    let value = json::parse(bytes).map_err(Problem::invalid_body)?;
    let Value::Object(members) = &value else { return Err(Problem::invalid_body(String::new())) };
    let known = members_of::<T>();
    if let Some(unknown) = members.keys().find(|name| !known.contains(*name)) {
        return Err(Problem::invalid_body(json::pointer([unknown.as_str()].into_iter())));
    }
    json::typed(value).map_err(Problem::invalid_body)
}

/// Names of the members that a type has by its JSON Schema.
pub(crate) fn members_of<T: JsonSchema + 'static>() -> Arc<BTreeSet<String>> {
    static KNOWN: LazyLock<RwLock<HashMap<TypeId, Arc<BTreeSet<String>>>>> = LazyLock::new(RwLock::default);
    let id = TypeId::of::<T>();
    if let Some(known) = KNOWN.read().ok().and_then(|all| all.get(&id).cloned()) {
        return known;
    }
    let schema = schema_for!(T);
    let names = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|all| all.keys());
    let names: Arc<BTreeSet<String>> = Arc::new(names.cloned().collect());
    if let Ok(mut all) = KNOWN.write() {
        all.insert(id, Arc::clone(&names));
    }
    names
}
