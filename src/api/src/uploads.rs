//! Uploads that go on after an interruption: draft-ietf-httpbis-resumable-upload (interop version 8).
//!
//! An upload begins at its target (`PUT /documents/{id}/content`, `POST /messages`) with `Upload-Complete: ?0`, with or
//! without a first part; the answer is 201 with the `Location` of the upload. There it goes on by HEAD (how far), PATCH
//! (`application/partial-upload`) and DELETE. The answer to the part with `Upload-Complete: ?1` is the one that the target
//! gives to a body in one piece. `Upload-Complete: ?1` at the target itself is a body in one piece, as the draft allows:
//! the HTTP library of this server sends no interim answers (104), so a client has to begin carefully (section "Careful
//! Upload Creation").

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::{Appended, Part, UploadAnswer, UploadState, UploadTarget};
use model::{Caller, Id, Record, RecordKind, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Raw, require_type};
use crate::params::{self, PathId};
use crate::problem::Problem;

static COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
static OFFSET: HeaderName = HeaderName::from_static("upload-offset");
static LENGTH: HeaderName = HeaderName::from_static("upload-length");
static LIMIT: HeaderName = HeaderName::from_static("upload-limit");

/// Media type of a part.
pub(crate) const PART: &str = "application/partial-upload";

/// How an upload stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Upload")]
pub(crate) struct ShownUpload {
    /// Identifier.
    id: Id,
    /// Bytes that are kept: the next part begins behind them.
    offset: u64,
    /// Bytes of the whole, if that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    /// Whether it is complete.
    complete: bool,
    /// When it ends, complete or not.
    expires_at: Timestamp,
}

/// Whether a request at a target brings only a part.
pub(crate) fn is_part(headers: &HeaderMap) -> Result<bool, Problem> {
    Ok(complete(headers)? == Some(false))
}

/// Begins an upload and adds its first part.
pub(crate) async fn begin(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    target: UploadTarget,
    raw: Raw,
) -> Answer {
    let length = number(headers, &LENGTH)?;
    let begun = api.broker.begin_upload(caller, target, length).await;
    let begun = begun.map_err(|error| Problem::from(error).with_header(&LIMIT, limits(api, None)))?;
    let (body, fault) = raw.split();
    let part = Part { length, ..Part::default() };
    let upload = match api.broker.append_upload(caller, begun.id, part, body).await {
        Ok(Appended::Kept(upload)) => upload,
        Ok(Appended::Complete(_) | Appended::Refused(_)) => {
            return Err(Problem::from(broker::Error::Internal));
        }
        Err(error) => {
            // Nobody has been told where it is.
            let _ = api.broker.cancel_upload(caller, begun.id).await;
            return Err(Raw::explain(&fault, error));
        }
    };
    let response = answer::json(&shown(&upload));
    let response = answer::created(response, StatusCode::CREATED, &format!("/uploads/{}", upload.id));
    Ok(described(api, response, &upload))
}

/// `GET` and `HEAD /uploads/{id}`: how far it has come.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let upload = api.broker.upload(&caller, id).await?;
    Ok(described(&api, answer::json(&shown(&upload)), &upload))
}

/// `PATCH /uploads/{id}`: adds a part.
pub(crate) async fn append(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    // Whether there is such an upload is nobody else's business, whatever else is wrong.
    let part = part(&headers);
    if part.is_err() {
        api.broker.upload(&caller, id).await?;
    }
    let part = part?;
    let (body, fault) = raw.split();
    match api.broker.append_upload(&caller, id, part, body).await {
        Ok(Appended::Kept(upload)) => Ok(described(&api, StatusCode::NO_CONTENT.into_response(), &upload)),
        Ok(Appended::Complete(target)) => Ok(completed(answer_of(target)?)),
        // Told from what the upload itself says.
        Ok(Appended::Refused(error)) => Err(Problem::from(error).with_header(&COMPLETE, "?1".to_owned())),
        Err(broker::Error::UploadOffset { offset }) => {
            let problem = Problem::from(broker::Error::UploadOffset { offset });
            Err(problem.with_header(&OFFSET, offset.to_string()))
        }
        Err(error @ broker::Error::TooLarge { .. }) => {
            Err(Problem::from(error).with_header(&LIMIT, limits(&api, None)))
        }
        Err(error) => Err(Raw::explain(&fault, error)),
    }
}

/// `DELETE /uploads/{id}`: gives it up.
pub(crate) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    api.broker.cancel_upload(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn part(headers: &HeaderMap) -> Result<Part, Problem> {
    require_type(headers, &[PART])?;
    let complete = complete(headers)?.ok_or_else(|| Problem::invalid_header("Upload-Complete"))?;
    let offset = number(headers, &OFFSET)?.ok_or_else(|| Problem::invalid_header("Upload-Offset"))?;
    let mut length = number(headers, &LENGTH)?;
    // The last part says the length, too.
    if let Some(rest) = params::single(headers, &CONTENT_LENGTH)?.filter(|_| complete) {
        let whole = rest.parse::<u64>().ok().and_then(|rest| rest.checked_add(offset));
        if length.is_some_and(|length| whole != Some(length)) {
            return Err(broker::Error::UploadLength.into());
        }
        length = whole;
    }
    Ok(Part { offset, length, complete, digest: params::repr_digest(headers)? })
}

/// What the target would have answered to a body in one piece.
fn answer_of(target: UploadAnswer) -> Answer {
    match target {
        UploadAnswer::Content { record, added } => {
            let record = Record::from_json(RecordKind::Document, record)?;
            let mut response = answer::record(&record);
            if added {
                *response.status_mut() = StatusCode::CREATED;
            }
            Ok(response)
        }
        UploadAnswer::Message(message) => {
            let path = format!("/messages/{}", message.get("id").and_then(Value::as_str).unwrap_or_default());
            Ok(answer::created(answer::json(&message), StatusCode::ACCEPTED, &path))
        }
    }
}

fn completed(mut response: Response) -> Response {
    response.headers_mut().insert(&COMPLETE, HeaderValue::from_static("?1"));
    response
}

fn shown(upload: &UploadState) -> ShownUpload {
    let UploadState { id, size, length, complete, expires_at, .. } = upload;
    ShownUpload { id: *id, offset: *size, length: *length, complete: *complete, expires_at: *expires_at }
}

/// Adds what every answer about an upload says in its header.
fn described(api: &Api, mut response: Response, upload: &UploadState) -> Response {
    let complete = if upload.complete { "?1" } else { "?0" };
    let mut fields = vec![
        (&COMPLETE, complete.to_owned()),
        (&OFFSET, upload.size.to_string()),
        (&LIMIT, limits(api, Some(upload))),
    ];
    fields.extend(upload.length.map(|length| (&LENGTH, length.to_string())));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn limits(api: &Api, upload: Option<&UploadState>) -> String {
    let most = format!("max-size={}", api.broker.most_bytes());
    let Some(upload) = upload else { return most };
    let left = (upload.expires_at.micros() - api.broker.now().micros()).max(0) / 1_000_000;
    format!("{most}, max-age={left}")
}

/// A boolean item (RFC 9651, 3.3.6). As the draft wants it, another value is as if the field were absent.
fn complete(headers: &HeaderMap) -> Result<Option<bool>, Problem> {
    let value = params::single(headers, &COMPLETE)?.map(bare_item);
    Ok(match value {
        Some("?1") => Some(true),
        Some("?0") => Some(false),
        _ => None,
    })
}

/// A non-negative integer item (RFC 9651, 3.3.1); another value is as if the field were absent.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let value = params::single(headers, name)?.map(bare_item);
    let is_integer = |text: &&str| (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    Ok(value.filter(is_integer).and_then(|text| text.parse().ok()))
}

/// An item without its parameters.
fn bare_item(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn fields_are_read_as_the_draft_wants_it() {
        for (value, expected) in
            [("?1", Some(true)), ("?0", Some(false)), (" ?0;a=1", Some(false)), ("true", None), ("1", None)]
        {
            assert_eq!(complete(&headers("upload-complete", value)).unwrap(), expected, "{value}");
        }
        for (value, expected) in [
            ("0", Some(0)),
            ("25;x", Some(25)),
            ("-1", None),
            ("1.0", None),
            ("9999999999999999", None),
            ("", None),
        ] {
            assert_eq!(number(&headers("upload-offset", value), &OFFSET).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let part_of = |length: &'static str, rest: &'static str| {
            let mut all = headers("content-type", PART);
            for (name, value) in [
                ("upload-complete", "?1"),
                ("upload-offset", "10"),
                ("upload-length", length),
                ("content-length", rest),
            ] {
                all.insert(name, HeaderValue::from_static(value));
            }
            part(&all).map(|part| part.length)
        };
        assert_eq!(part_of("15", "5"), Ok(Some(15)));
        assert!(part_of("16", "5").is_err());
    }
}
