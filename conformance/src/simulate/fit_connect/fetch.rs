//! The subscriber's calls: what waits, and its content.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use uuid::Uuid;

use super::books::{Books, State, Submission};
use super::{Call, Fault, problem, told};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

pub(super) fn list(books: &Books, call: &Call) -> Response {
    if call.may_send {
        return problem(403, "forbidden");
    }
    let destination = call.asked("destinationId").and_then(|it| Uuid::try_parse(&it).ok());
    let waits = |it: &&Submission| {
        let again = it.state == State::Accepted && books.fault == Fault::Again;
        (it.state == State::Submitted || again) && destination.is_none_or(|wanted| wanted == it.destination)
    };
    let all: Vec<&Submission> = books.submissions.iter().filter(waits).collect();
    let (offset, limit) = call.page();
    let told_of = |it: &&Submission| {
        json!({ "destinationId": it.destination, "submissionId": it.id, "caseId": it.case })
    };
    let page: Vec<Value> = all.iter().skip(offset).take(limit).map(told_of).collect();
    told(200, &json!({ "offset": offset, "count": page.len(), "totalCount": all.len(), "submissions": page }))
}

/// What a subscriber may see: nothing that is not there any more, unless it waits again.
fn visible<'a>(books: &'a Books, call: &Call, id: Uuid) -> Result<&'a Submission, Response> {
    if call.may_send {
        return Err(problem(403, "forbidden"));
    }
    let found = books.submission(id).filter(|it| match it.state {
        State::Submitted => true,
        State::Accepted => books.fault == Fault::Again,
        State::Incomplete | State::Rejected => false,
    });
    found.ok_or_else(|| problem(404, "submission-not-found"))
}

pub(super) fn submission(books: &Books, call: &Call, id: &str) -> Response {
    let Ok(id) = Uuid::try_parse(id) else { return problem(404, "submission-not-found") };
    match visible(books, call, id) {
        Ok(it) => told(200, &json!({
            "submissionId": it.id,
            "caseId": it.case,
            "destinationId": it.destination,
            "attachments": it.announced,
            "publicService": it.service,
            "encryptedMetadata": it.metadata,
            "encryptedData": it.data,
        })),
        Err(refused) => refused,
    }
}

pub(super) fn attachment(books: &Books, call: &Call, (id, attachment): (Uuid, Uuid)) -> Response {
    let found = match visible(books, call, id) {
        Ok(it) => it.attachments.get(&attachment).cloned(),
        Err(refused) => return refused,
    };
    let Some(stored) = found else { return problem(404, "attachment-not-found") };
    let (file, length) = (Arc::clone(&stored.file), stored.bytes.to_string());
    let pieces = stream::try_unfold(0_u64, move |offset| {
        let file = Arc::clone(&file);
        async move {
            let mut piece = vec![0; PIECE];
            // The file lies in the page cache.
            let count = file.read_at(&mut piece, offset)?;
            piece.truncate(count);
            let next = offset + count as u64;
            Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(piece), next)))
        }
    });
    let headers = [("content-type", "application/jose".to_owned()), ("content-length", length)];
    (headers, Body::from_stream(pieces)).into_response()
}
