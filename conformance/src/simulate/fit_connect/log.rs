//! Event logs: Security Event Tokens (RFC 8417) that the delivery service writes, and those that it takes: verified by the key of the
//! destination, of the right state, with a payload that fits.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::books::{Books, Entry, State, Submission};
use super::jose::{Key, is_signed_by, public, unverified};
use super::submit::tags;
use super::{Call, Fault, new_id, problem, told};
use crate::Error;

const EVENTS: &str = "https://schema.fitko.de/fit-connect/events/";
const SCHEMA: &str = "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json";
const TYP: &str = "secevent+jwt";

pub(super) fn read(books: &Books, call: &Call, subject: &str) -> Response {
    let is_it = |entry: &&Entry| entry.subject == subject || format!("case:{}", entry.case) == subject;
    let mut all: Vec<&Entry> = books.log.iter().filter(is_it).collect();
    if books.lags {
        all.clear();
    }
    let (offset, limit) = call.page();
    let page: Vec<&str> = all.iter().skip(offset).take(limit).map(|it| it.token.as_str()).collect();
    told(200, &json!({ "offset": offset, "count": page.len(), "totalCount": all.len(), "eventLog": page }))
}

/// Tokens of a submission that hold an event, in their order.
pub(super) fn tokens(books: &Books, id: Uuid) -> Vec<String> {
    let subject = format!("submission:{id}");
    books.log.iter().filter(|entry| entry.subject == subject).map(|entry| entry.token.clone()).collect()
}

/// Name and payload of events, in their order.
pub(super) fn history(books: &Books, is_it: impl Fn(&Entry) -> bool) -> Vec<(String, Value)> {
    let read = |entry: &Entry| {
        let (_, claims) = unverified(&entry.token)?;
        let (name, payload) = claims["events"].as_object()?.iter().next()?;
        Some((name.strip_prefix(EVENTS)?.to_owned(), payload.clone()))
    };
    books.log.iter().filter(|entry| is_it(entry)).filter_map(read).collect()
}

/// The delivery service writes an event.
pub(super) fn note(books: &mut Books, it: &Submission, event: &str, payload: Value) -> Result<(), Error> {
    let key = books.service_key.clone();
    signed(books, it, event, payload, &key)
}

/// The same under a key that nobody knows: it has the id of the right one.
pub(super) fn forge(books: &mut Books, it: &Submission, payload: Value) -> Result<(), Error> {
    let key = Key { kid: books.service_key.kid.clone(), ..books.portal_key.clone() };
    signed(books, it, "submit-submission", payload, &key)
}

fn signed(books: &mut Books, it: &Submission, event: &str, payload: Value, key: &Key) -> Result<(), Error> {
    let subject = format!("submission:{}", it.id);
    let name = format!("{EVENTS}{event}");
    let claims = json!({
        "$schema": SCHEMA,
        "jti": new_id(),
        "iss": books.issuer,
        "iat": OffsetDateTime::now_utc().unix_timestamp() + books.ahead,
        "sub": subject,
        "txn": format!("case:{}", it.case),
        "events": { name: payload },
    });
    let token = key.sign(TYP, claims.to_string().as_bytes())?;
    books.log.push(Entry { subject, case: it.case, token });
    Ok(())
}

/// A token stands in the log that nobody has looked at.
pub(super) fn put(books: &mut Books, id: Uuid, token: String) {
    let Some(case) = books.submission(id).map(|it| it.case) else { return };
    books.log.push(Entry { subject: format!("submission:{id}"), case, token });
}

/// The delivery service rejects what nobody has fetched.
pub(super) fn reject(books: &mut Books, id: Uuid) -> Result<(), Error> {
    let Some(it) = books.submission_mut(id) else { return Ok(()) };
    it.state = State::Rejected;
    let it = it.clone();
    let problem = json!({
        "type": "https://schema.fitko.de/fit-connect/events/problems/technical-error",
        "title": "Nicht abgeholt",
        "detail": "Die Einreichung wurde nicht innerhalb von 14 Tagen abgeholt.",
        "instance": "other",
    });
    note(books, &it, "reject-submission", json!({ "problems": [problem] }))
}

/// Takes an event of a subscriber.
pub(super) fn write(books: &mut Books, call: &Call, case: &str, body: &[u8]) -> Response {
    let token = String::from_utf8_lossy(body).into_owned();
    if call.may_send {
        return problem(403, "forbidden");
    }
    let Some((event, id)) = checked(books, &token, case) else { return problem(422, "invalid-set") };
    let fault = books.fault;
    let Some(it) = books.submission_mut(id) else { return problem(404, "submission-not-found") };
    let next = if event == "accept-submission" { State::Accepted } else { State::Rejected };
    if it.state != State::Submitted {
        return problem(409, "submission-state-invalid");
    }
    it.state = next;
    if next == State::Rejected {
        it.attachments.clear();
    }
    let (callback, case) = (it.callback.clone(), it.case);
    books.log.push(Entry { subject: format!("submission:{id}"), case, token });
    let told_of =
        json!({ "type": "https://schema.fitko.de/fit-connect/submission-api/callbacks/new-events" });
    books.call(callback, told_of);
    if fault == Fault::Lost { problem(500, "internal") } else { StatusCode::NO_CONTENT.into_response() }
}

/// Name and submission of an event that its destination may write, and has signed.
fn checked(books: &Books, token: &str, case: &str) -> Option<(String, Uuid)> {
    let (header, claims) = unverified(token)?;
    if header["typ"] != TYP || header["alg"] != "PS512" || claims["$schema"] != SCHEMA {
        return None;
    }
    let author = Uuid::try_parse(claims["iss"].as_str()?).ok()?;
    let destination = books.destinations.get(&author)?;
    let key = destination.keys.iter().find(|key| key["kid"] == header["kid"] && key["alg"] == "PS512")?;
    if !is_signed_by(token, &*public(key)?) || claims["txn"] != format!("case:{case}") {
        return None;
    }
    let id = Uuid::try_parse(claims["sub"].as_str()?.strip_prefix("submission:")?).ok()?;
    let it = books.submission(id).filter(|it| it.destination == author)?;
    let mut events = claims["events"].as_object()?.iter();
    let (name, payload) = events.next().filter(|_| events.len() == 0)?;
    let event = name.strip_prefix(EVENTS)?;
    let problems = payload["problems"].as_array().map_or(0, Vec::len);
    let is_right = match event {
        "accept-submission" => payload["authenticationTags"] == tags(it),
        "reject-submission" => problems > 0,
        _ => false,
    };
    is_right.then(|| (event.to_owned(), id))
}
