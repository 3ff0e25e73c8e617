//! Evidence bundles: everything that proves a case, verifiable without the gateway.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::IntoResponse;
use model::{Action, Caller};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::Api;
use crate::answer::Answer;
use crate::params::{Params, PathId};
use crate::problem::Problem;
use crate::range::{attachment, with_headers};

/// What goes into the bundle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EvidenceQuery {
    /// Whether the bytes of documents and messages are put in too.
    #[serde(default)]
    content: bool,
}

/// `GET /evidence/{id}`, by the topmost record's id. The bundle is written to a file without a name, so
/// nothing of it is left whatever happens, and memory does not grow with it.
pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Params(query): Params<EvidenceQuery>,
) -> Answer {
    caller.may(Action::ReadEvidence)?;
    let no_file = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "api.temporary-file");
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(|_| no_file())?;
    let file = file.map_err(|_| no_file())?;
    let file = api.broker.export_evidence(&caller, id, file, query.content).await?;
    let mut file = tokio::fs::File::from_std(file);
    tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(|_| no_file())?;
    let size = file.metadata().await.map_err(|_| no_file())?.len();
    let response = Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024)).into_response();
    Ok(with_headers(
        response,
        [
            (CONTENT_TYPE, "application/zip".to_owned()),
            (CONTENT_LENGTH, size.to_string()),
            (CONTENT_DISPOSITION, attachment(&format!("evidence-{id}.zip"))),
        ],
    ))
}
