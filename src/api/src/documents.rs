//! Documents and their content: uploaded and fetched as streams.

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use broker::{Upload, UploadTarget};
use model::case::{Description, Document, DocumentDates, RecordStatus};
use model::command::Change;
use model::{Caller, Id, Record, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Patch, Plain, Posted, Raw, members_of};
use crate::case_files::{NewHold, NewLock, hold_record, lock_record, without_extensions};
use crate::params::{self, IfMatch, MustMatch, Params, PathId};
use crate::problem::Problem;
use crate::records::{self, PageQuery};
use crate::{range, uploads};

/// Longest name of a file, in bytes: what common file systems take.
const NAME_BYTES: usize = 255;

/// A document that shall come into being; its content follows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = without_extensions)]
pub(crate) struct NewDocument {
    /// Unit that owns it; that of the record it lies in if absent.
    #[serde(default)]
    unit: Option<String>,
    /// Public service it belongs to; that of the record it lies in if absent.
    #[serde(default)]
    public_service: Option<String>,
    /// Kind of document (Dokumenttyp).
    #[serde(default)]
    kind: Option<String>,
    /// When it came in, was sent, was written.
    #[serde(default)]
    dates: DocumentDates,
    #[serde(flatten)]
    description: Description,
}

/// Which file is uploaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UploadQuery {
    /// Name of the file, unique within its version.
    file_name: String,
    /// Version of the document; `1` if absent.
    version: Option<String>,
}

/// Which file is fetched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContentQuery {
    /// Name of the file; the last of the version if absent.
    file_name: Option<String>,
    /// Version of the document; the newest if absent.
    version: Option<String>,
}

/// `POST /case-files/{id}/documents`.
pub(crate) async fn create_in_case_file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewDocument>,
) -> Answer {
    create(&api, &caller, (RecordKind::CaseFile, id), posted).await
}

/// `POST /cases/{id}/documents`.
pub(crate) async fn create_in_case(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewDocument>,
) -> Answer {
    create(&api, &caller, (RecordKind::Case, id), posted).await
}

/// `POST /documents/{id}/documents`: an enclosure (Anlage).
pub(crate) async fn create_in_document(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewDocument>,
) -> Answer {
    create(&api, &caller, (RecordKind::Document, id), posted).await
}

async fn create(
    api: &Api,
    caller: &Caller,
    (kind, id): (RecordKind, Id),
    posted: Posted<NewDocument>,
) -> Answer {
    let new = posted.body;
    let parent = api.broker.record(caller, kind, id).await?;
    let record = Record::Document(Document {
        meta: records::new_meta(caller, None, new.unit, new.public_service, Some(&parent))?,
        description: new.description,
        parent: Some(id),
        kind: new.kind,
        dates: new.dates,
        versions: vec![],
        status: RecordStatus::Open,
    });
    records::create(api, caller, record, posted.once).await
}

/// `POST /documents/{id}/lock`.
pub(crate) async fn lock(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewLock>,
) -> Answer {
    lock_record(&api, &caller, RecordKind::Document, id, posted).await
}

/// `GET /documents/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Document, id).await
}

/// `PATCH /documents/{id}`.
pub(crate) async fn amend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    MustMatch(expected): MustMatch,
    Patch(patch): Patch,
) -> Answer {
    let known = members_of::<Document>();
    records::amend(&api, &caller, (RecordKind::Document, id), expected, &known, patch).await
}

/// `GET /documents/{id}/documents`.
pub(crate) async fn enclosures(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::documents_of(&api, &caller, &uri, (RecordKind::Document, id), query).await
}

/// `GET /documents/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Document, id), query).await
}

/// `PUT /documents/{id}/content`: 201 if the file is new, 200 if it was there already. With `Upload-Complete: ?0` an upload
/// begins, which goes on elsewhere.
pub(crate) async fn upload(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Params(query): Params<UploadQuery>,
    IfMatch(expected): IfMatch,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    // Looked at before a byte of the body is.
    caller.may(model::Action::WriteCases)?;
    let before = api.broker.record(&caller, RecordKind::Document, id).await?;
    if !is_file_name(&query.file_name) {
        return Err(Problem::invalid_query("fileName"));
    }
    let version = query.version.unwrap_or_else(|| "1".to_owned());
    if !(1..=50).contains(&version.chars().count()) {
        return Err(Problem::invalid_query("version"));
    }
    let upload = Upload {
        file_name: query.file_name,
        version,
        media_type: media_type(&headers)?,
        digest: params::repr_digest(&headers)?,
        expected,
        key: None,
    };
    if uploads::is_part(&headers)? {
        let upload = Upload { key: params::idempotency_key(&headers)?, ..upload };
        let target = UploadTarget::Content { document: id, file: upload };
        return uploads::begin(&api, &caller, &headers, target, raw).await;
    }
    let (body, fault) = raw.split();
    let added = api.broker.add_content(&caller, id, upload, body).await;
    let record = added.map_err(|error| Raw::explain(&fault, error).if_expected(expected))?;
    let mut response = answer::record(&record);
    if record.meta().version > before.meta().version {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// `GET /documents/{id}/content`.
pub(crate) async fn content(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Params(query): Params<ContentQuery>,
    headers: HeaderMap,
) -> Answer {
    let (version, name) = (query.version.as_deref(), query.file_name.as_deref());
    let (file, payload) = api.broker.content(&caller, id, version, name).await?;
    let reference = file.content.as_ref().ok_or_else(Problem::not_found)?;
    let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
    Ok(range::answer(&headers, &payload, (reference.size, &reference.sha256), media_type, &file.name))
}

/// A name that is one step of a path everywhere, and stays one in a container.
fn is_file_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.chars().any(|c| matches!(c, '/' | '\\') || c.is_control())
}

/// The media type of the body (RFC 9110, 8.3), without parameters other than given.
fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(text) = params::single(headers, &CONTENT_TYPE)? else { return Ok(None) };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match essence.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) && text.len() <= 200 => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "api.media-type")),
    }
}

/// `POST /documents/{id}/hold`.
pub(crate) async fn hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewHold>,
) -> Answer {
    hold_record(&api, &caller, (RecordKind::Document, id), posted).await
}

/// `POST /documents/{id}/lift-hold`.
pub(crate) async fn lift_hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::Document, id), None, once, Change::LiftHold).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_one_step_of_a_path() {
        for name in ["Lageplan.pdf", "Änderung 1.tif", "...", "a"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "../a", "a\\b", "a\nb", "a\u{7f}", &"x".repeat(256)] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
