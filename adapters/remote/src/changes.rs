//! A session: the program is asked what is new, page by page; each change is carried out by the host under its own key; the program is told what
//! became of each; then the cursor is kept. Whatever ends in between, the next session begins with the same page and goes on behind what is
//! kept as done of it; the key of the change that was under way makes doing it again harmless. What can never be done is told and passed
//! over, so one wrong change does not stand in the way of others.

use std::sync::Arc;
use std::time::Duration;

use model::adapter::Host;
use model::{Failure, FailureKind, Id, RecordKind};
use net::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Remote;
use crate::act::Act;
use crate::answer::{garbage, refusal};
use crate::carry::Carrier;
use crate::progress::Progress;

/// Key of the durable state.
const CURSOR: &str = "cursor";

/// A session is over after this time.
const SESSION: i64 = 90 * 1_000_000;

/// Most changes of a page, and longest cursor in bytes.
const MOST_CHANGES: usize = 100;
const CURSOR_BYTES: usize = 500;

/// Seconds until the next session, if the program does not say; and the longest that it may.
const PAUSE: u64 = 30;
const LONGEST_PAUSE: u64 = 3_600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    changes: Vec<Value>,
    cursor: String,
    #[serde(default)]
    more: bool,
    #[serde(default)]
    pause_seconds: Option<u64>,
}

/// A change by its key, as far as it can be read.
struct Change {
    key: String,
    act: Option<Act>,
}

/// What became of a change: the record that it made or changed, or a code.
pub(crate) type Outcome = Result<Option<(RecordKind, Id)>, String>;

impl Remote {
    pub(crate) async fn session(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let end = host.now().micros() + SESSION;
        let mut cursor = host.state(CURSOR).await?.and_then(|kept| kept.as_str().map(str::to_owned));
        loop {
            let page = self.page(cursor.as_deref()).await?;
            let changes = page.changes.iter().map(read).collect::<Option<Vec<_>>>().ok_or_else(garbage)?;
            let keys = changes.iter().map(|change| change.key.as_str());
            let mut progress = Progress::of(&*host, cursor.as_deref(), keys.collect()).await?;
            let is_done = self.carry_all(&*host, &changes, &mut progress, end).await?;
            if !progress.done().is_empty() {
                self.tell_outcomes(progress.done()).await?;
            }
            let is_new = cursor.as_ref() != Some(&page.cursor);
            if is_done && is_new {
                host.set_state(CURSOR, json!(page.cursor)).await?;
                cursor = Some(page.cursor);
            }
            if is_done {
                progress.forget(&*host).await?;
            }
            if !is_done || (page.more && host.now().micros() >= end) {
                return Ok(Duration::from_secs(1));
            }
            if !page.more || !is_new {
                let pause = page.pause_seconds.unwrap_or(PAUSE).clamp(1, LONGEST_PAUSE);
                return Ok(Duration::from_secs(pause));
            }
        }
    }

    async fn page(&self, after: Option<&str>) -> Result<Page, Failure> {
        let path = match after {
            Some(cursor) => format!("/changes?after={}", encoded(cursor)),
            None => "/changes".to_owned(),
        };
        let mut request = self.request(Method::GET, &path, "changes", b"")?;
        request.most_answer = 1 << 20;
        let answer = self.client.send(request).await?;
        if answer.status != 200 {
            return Err(refusal(&answer, self.clock.now()));
        }
        let page: Page = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
        let fits = page.changes.len() <= MOST_CHANGES && page.cursor.len() <= CURSOR_BYTES;
        if fits { Ok(page) } else { Err(garbage()) }
    }

    /// Carries out what is not done yet of a page, and keeps how far it is; whether that is all.
    async fn carry_all(
        &self,
        host: &dyn Host,
        changes: &[Change],
        progress: &mut Progress,
        end: i64,
    ) -> Result<bool, Failure> {
        for change in changes {
            if progress.has(&change.key) {
                continue;
            }
            if host.now().micros() >= end {
                progress.keep(host).await?;
                return Ok(false);
            }
            let outcome = self.carry_out(host, change, progress).await?;
            progress.note(shown(&change.key, &outcome));
        }
        // The page is asked for again if the program cannot be told.
        progress.keep(host).await.map(|()| true)
    }

    /// What became of a change; a failure ends the session, and this change is done again.
    async fn carry_out(
        &self,
        host: &dyn Host,
        change: &Change,
        progress: &mut Progress,
    ) -> Result<Outcome, Failure> {
        let Some(act) = &change.act else { return Ok(Err("adapter.bad-change".to_owned())) };
        match self.carry_one(host, &change.key, act, progress).await {
            Ok(record) => Ok(Ok(record)),
            Err(failure) => match failure.kind {
                FailureKind::Permanent | FailureKind::Rejected => Ok(Err(failure.code.to_string())),
                _ => Err(failure),
            },
        }
    }

    async fn carry_one(
        &self,
        host: &dyn Host,
        key: &str,
        act: &Act,
        progress: &mut Progress,
    ) -> Result<Option<(RecordKind, Id)>, Failure> {
        let record = match (progress.begun(key), act.place()) {
            (Some(known), _) => Some(known),
            (None, Some(place)) => place.find(host).await?,
            (None, None) => None,
        };
        progress.begin(host, key, record).await?;
        Carrier { remote: self, host, key, record }.carry(act).await
    }

    async fn tell_outcomes(&self, outcomes: &[Value]) -> Result<(), Failure> {
        let body = json!({ "outcomes": outcomes }).to_string().into_bytes();
        // The same outcomes again are the same call.
        let id = seal::sha256(&[&body]).to_string();
        let mut request = self.request(Method::POST, "/outcomes", &format!("outcomes-{id}"), &body)?;
        request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        request.body = Some(body.into());
        let answer = self.client.send(request).await?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(refusal(&answer, self.clock.now())) }
    }
}

/// A change that has a key; one that cannot be read beside it is told so.
fn read(change: &Value) -> Option<Change> {
    let key = change["key"].as_str()?;
    model::ids::is_name(&key.replace('_', "-"))
        .then(|| Change { key: key.to_owned(), act: serde_json::from_value(change.clone()).ok() })
}

fn shown(key: &str, outcome: &Outcome) -> Value {
    match outcome {
        Ok(Some((kind, id))) => json!({ "key": key, "record": { "kind": kind, "id": id } }),
        Ok(None) => json!({ "key": key }),
        Err(code) => json!({ "key": key, "code": code }),
    }
}

/// A cursor as part of a query.
fn encoded(cursor: &str) -> String {
    let mut encoded = String::new();
    for byte in cursor.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_without_a_proper_key_is_none_and_one_of_an_unknown_kind_is_told_so() {
        assert!(read(&json!({ "do": "note" })).is_none());
        assert!(read(&json!({ "key": "../x", "do": "note" })).is_none());
        let unknown = read(&json!({ "key": "a_1", "do": "explode" })).unwrap();
        assert!(unknown.act.is_none());
        let id = model::ids::new_id();
        let known = json!({ "key": "a", "do": "completeTask", "record": { "kind": "task", "id": id } });
        assert!(read(&known).unwrap().act.is_some());
    }

    #[test]
    fn a_cursor_cannot_leave_its_place_in_the_query() {
        assert_eq!(encoded("a&b=#ä/"), "a%26b%3D%23%C3%A4%2F");
    }
}
