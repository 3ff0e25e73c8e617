//! The sender's calls: announce, upload, submit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use futures::StreamExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::books::{Books, State, Stored, Submission, new_submission};
use super::{Call, Fault, Known, locked, log, new_id, problem, told};

/// Characters of the tag at the end of a compact JWE.
const TAG: usize = 22;
/// Least characters of a JWE under an RSA key of 4096 bits.
const LEAST: u64 = 776;

pub(super) fn announce(books: &mut Books, call: &Call, body: &[u8]) -> Response {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = |value: &Value| value.as_str().and_then(|it| Uuid::try_parse(it).ok());
    if !call.may_send {
        return problem(403, "forbidden");
    }
    let Some(destination) = id(&asked["destinationId"]).and_then(|id| books.destinations.get(&id)) else {
        return problem(404, "destination-not-found");
    };
    if destination.status != "active" {
        return problem(422, "destination-state-invalid");
    }
    let service = &asked["publicService"];
    let offers = |(known, _): &(String, Vec<String>)| service["identifier"] == known.as_str();
    if !destination.services.iter().any(offers) || !service["name"].is_string() {
        return problem(422, "unsupported-service");
    }
    let mut announced = vec![];
    for attachment in asked["announcedAttachments"].as_array().into_iter().flatten() {
        match id(attachment).filter(|it| !announced.contains(it)) {
            Some(id) => announced.push(id),
            None => return problem(422, "invalid-attachments"),
        }
    }
    let callback = asked["callback"]["url"].as_str().zip(asked["callback"]["secret"].as_str());
    let submission = Submission {
        id: new_id(),
        case: id(&asked["caseId"]).unwrap_or_else(new_id),
        destination: destination.id,
        sender: call.client.clone(),
        service: service.clone(),
        announced,
        state: State::Incomplete,
        metadata: String::new(),
        data: String::new(),
        attachments: BTreeMap::new(),
        callback: callback.map(|(url, secret)| (url.to_owned(), secret.to_owned())),
    };
    let answer = names(&submission);
    if log::note(books, &submission, "create-submission", json!({})).is_err() {
        return problem(500, "internal");
    }
    books.submissions.push(submission);
    told(201, &answer)
}

/// The same attachment again takes the place of the one before.
pub(super) async fn attachment(known: &Known, call: &Call, place: (Uuid, Uuid), body: Body) -> Response {
    let (id, attachment) = place;
    {
        let books = locked(known);
        let Some(submission) = books.submission(id).filter(|it| it.sender == call.client) else {
            return problem(404, "submission-not-found");
        };
        if submission.state != State::Incomplete {
            return problem(409, "submission-state-invalid");
        }
        if !submission.announced.contains(&attachment) {
            return problem(404, "attachment-not-announced");
        }
    }
    let Ok(stored) = store(body).await else { return problem(400, "broken-body") };
    if stored.bytes < LEAST {
        return problem(422, "invalid-jwe");
    }
    if let Some(submission) = locked(known).submission_mut(id) {
        submission.attachments.insert(attachment, stored);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Into a file without a name, as it comes.
async fn store(body: Body) -> std::io::Result<Stored> {
    let mut file = tempfile::tempfile()?;
    let (mut bytes, mut last) = (0, vec![]);
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(std::io::Error::other)?;
        // Pieces are small, and the file lies in the page cache.
        file.write_all(&piece)?;
        bytes += piece.len() as u64;
        last.extend_from_slice(piece.get(piece.len().saturating_sub(TAG)..).unwrap_or_default());
        let surplus = last.len().saturating_sub(TAG);
        last.drain(..surplus);
    }
    Ok(Stored { file: Arc::new(file), bytes, tag: String::from_utf8_lossy(&last).into_owned() })
}

pub(super) fn submit(books: &mut Books, call: &Call, id: &str, body: &[u8]) -> Response {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = Uuid::try_parse(id).ok();
    let fault = books.fault;
    let Some(submission) = id.and_then(|id| books.submission_mut(id)).filter(|it| it.sender == call.client) else {
        return problem(404, "submission-not-found");
    };
    let (Some(metadata), Some(data)) = (asked["encryptedMetadata"].as_str(), asked["encryptedData"].as_str()) else {
        return problem(422, "missing-data");
    };
    if [metadata, data].into_iter().any(|it| !has_content_type(it)) {
        return problem(422, "invalid-jwe-header");
    }
    if submission.state != State::Incomplete {
        return problem(409, "submission-state-invalid");
    }
    if submission.announced.iter().any(|it| !submission.attachments.contains_key(it)) {
        return problem(422, "missing-attachments");
    }
    metadata.clone_into(&mut submission.metadata);
    data.clone_into(&mut submission.data);
    submission.state = State::Submitted;
    let mut payload = json!({ "authenticationTags": tags(submission) });
    if fault == Fault::WrongTag {
        payload["authenticationTags"]["data"] = Value::from("AAAAAAAAAAAAAAAAAAAAAA");
    }
    match fault {
        Fault::TamperedData => submission.data = tampered(data),
        Fault::TamperedAttachment => {
            submission.attachments.values_mut().for_each(|it| _ = tamper(it));
        }
        _ => {}
    }
    let submission = submission.clone();
    let noted = match fault {
        Fault::NoSet => Ok(()),
        Fault::ForgedSet => log::forge(books, &submission, payload),
        _ => log::note(books, &submission, "submit-submission", payload),
    };
    if noted.is_err() {
        return problem(500, "internal");
    }
    let callback = books.destinations.get(&submission.destination).and_then(|it| it.callback.clone());
    books.call(callback, new_submission(&submission));
    if fault == Fault::Lost {
        return problem(500, "internal");
    }
    told(200, &names(&submission))
}

fn names(it: &Submission) -> Value {
    json!({ "submissionId": it.id, "caseId": it.case, "destinationId": it.destination })
}

/// `cty` of metadata and data must be one of two.
fn has_content_type(compact: &str) -> bool {
    let header = compact.split('.').next().and_then(|it| BASE64.decode(it).ok());
    let header: Value = header.and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default();
    let is_jwe = compact.len() as u64 >= LEAST && compact.split('.').count() == 5;
    is_jwe && matches!(header["cty"].as_str(), Some("application/json" | "application/xml"))
}

/// The last segment of each part.
pub(super) fn tags(it: &Submission) -> Value {
    let tag = |compact: &str| compact.rsplit('.').next().unwrap_or_default().to_owned();
    let attachments: BTreeMap<Uuid, &str> = it.attachments.iter().map(|(id, it)| (*id, it.tag.as_str())).collect();
    json!({ "metadata": tag(&it.metadata), "data": tag(&it.data), "attachments": attachments })
}

/// One character of the ciphertext is another; the tag stays.
fn tampered(compact: &str) -> String {
    let mut parts: Vec<String> = compact.split('.').map(str::to_owned).collect();
    if let Some(sealed) = parts.get_mut(3) {
        let first = if sealed.starts_with('A') { "B" } else { "A" };
        sealed.replace_range(..1, first);
    }
    parts.join(".")
}

/// The same in a file: a character before the tag, far enough from the end of the ciphertext.
fn tamper(stored: &mut Stored) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let file: &File = &stored.file;
    let at = stored.bytes.saturating_sub(TAG as u64 + 9);
    let mut one = [0; 1];
    file.read_exact_at(&mut one, at)?;
    file.write_all_at(if one == *b"A" { b"B" } else { b"A" }, at)
}
