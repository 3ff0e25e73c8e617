//! Calls of the engine: bounded in time and size, and what it means that one fails. Nothing of an answer gets into a failure but its
//! status.
//!
//! | what happened | a question | a start, message or completion |
//! |---|---|---|
//! | no connection | transient | transient: nothing was sent |
//! | no whole answer | transient | uncertain: asked a minute later, since the engine may be still at it |
//! | 408, 425, 429, 503 | transient, with the pause of `Retry-After` | the same: it was not done |
//! | 500 with a code that says another was quicker (1, 10000) | transient | transient: it was taken back |
//! | 500 of the engine's database, other 5xx without an answer of the engine | transient | uncertain |
//! | other 500 of the engine | permanent | permanent: it was taken back |
//! | 401, 403 | unauthorised | unauthorised |
//! | other status | permanent | permanent |
//! | an answer that is not the interface's | transient | uncertain |

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind};
use net::{Answer, Client, Method, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::settings::Login;

/// Most bytes of an answer that are read: a page of a history, or tasks with their variables.
const MOST_ANSWER: usize = 2 * 1024 * 1024;

/// How long is waited until it is asked what became of a call without an answer: until then the engine may still be at it, and
/// what it has not committed nobody can see.
const SETTLES: Duration = Duration::from_secs(60);

/// Code of a failure that says that nobody answers.
pub(crate) const UNREACHABLE: &str = "workflow.unreachable";

/// Optimistic locking, deadlock: the engine took back what it did.
const QUICKER: [i64; 2] = [1, 10_000];

/// What a call does in the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It changes nothing there, or doing it again does no harm.
    Asking,
    /// It starts, tells or ends something.
    Acting,
}

/// What the engine says of an error. Other members are of no use, and one of them is spelled with a Cyrillic letter.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Trouble {
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) code: Option<i64>,
}

impl Trouble {
    /// Reads the error of an answer; `None` if it is not the engine that answered.
    pub(crate) fn of(answer: &Answer) -> Option<Trouble> {
        let trouble: Trouble = serde_json::from_slice(&answer.body).ok()?;
        (!trouble.kind.is_empty()).then_some(trouble)
    }
}

/// The way to an engine. Its address is the administrator's choice.
pub(crate) struct Http {
    client: Client,
    clock: Arc<dyn Clock>,
    base: String,
    authorization: Option<String>,
    within: Duration,
}

impl Http {
    pub(crate) fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        base: String,
        login: Option<&Login>,
        within: Duration,
    ) -> Self {
        let basic = |login: &Login| {
            let pair = zeroize::Zeroizing::new(format!("{}:{}", login.user, login.password.as_str()));
            format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()))
        };
        Http { client, clock, base, authorization: login.map(basic), within }
    }

    /// Asks by GET; `query` is still to be encoded.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.send(Call::Asking, Method::GET, &format!("{path}?{query}"), None, self.within).await
    }

    /// Sends JSON by POST.
    pub(crate) async fn post(&self, call: Call, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(call, Method::POST, path, Some(body), self.within).await
    }

    /// The same where the engine may keep the answer for a time of its own.
    pub(crate) async fn post_and_wait(
        &self,
        path: &str,
        body: &Value,
        wait: Duration,
    ) -> Result<Answer, Failure> {
        self.send(Call::Asking, Method::POST, path, Some(body), self.within + wait).await
    }

    async fn send(
        &self,
        call: Call,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(self.authorization.iter().map(|it| ("authorization".to_owned(), it.clone())));
        let request = Request {
            method,
            url: format!("{}{path}", self.base),
            chosen_by: ChosenBy::Administrator,
            headers,
            body: body.map(|body| body.to_string().into_bytes().into()),
            within,
            most_answer: MOST_ANSWER,
        };
        self.client.send(request).await.map_err(|error| unsent(error, call))
    }

    /// What an answer other than the wanted one means.
    pub(crate) fn refusal(&self, answer: &Answer, call: Call) -> Failure {
        let told = format!("the engine answered with {}", answer.status);
        match (answer.status, Trouble::of(answer)) {
            (401 | 403, _) => Failure::new(FailureKind::Unauthorised, "workflow.unauthorised", told),
            (408 | 425 | 429 | 503, _) => busy(told).after(answer.retry_after(self.clock.now())),
            (500, Some(trouble)) if trouble.code.is_some_and(|code| QUICKER.contains(&code)) => busy(told),
            (500, Some(trouble)) if !trouble.kind.contains("Persistence") => {
                Failure::permanent("workflow.failed", told)
            }
            (500.., _) => troubled(told, call),
            _ => Failure::permanent("workflow.refused", told),
        }
    }
}

/// What it means that no answer came.
fn unsent(error: net::Error, call: Call) -> Failure {
    match (error.kind(), call) {
        (FailureKind::Transient, _) | (FailureKind::Uncertain, Call::Asking) => {
            Failure::transient(UNREACHABLE, error.to_string())
        }
        (FailureKind::Uncertain, Call::Acting) => unclear("no whole answer came"),
        _ => error.into(),
    }
}

fn busy(detail: String) -> Failure {
    Failure::transient("workflow.busy", detail)
}

fn troubled(detail: String, call: Call) -> Failure {
    match call {
        Call::Asking => busy(detail),
        Call::Acting => unclear(detail),
    }
}

/// Nobody knows whether it was done.
fn unclear(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Uncertain, "workflow.unclear", detail).after(Some(SETTLES))
}

/// An answer that is not the interface's: it tells nothing.
pub(crate) fn garbage(call: Call) -> Failure {
    let detail = "the answer is not what the engine's interface says";
    match call {
        Call::Asking => Failure::transient("workflow.garbage", detail),
        Call::Acting => Failure::new(FailureKind::Uncertain, "workflow.garbage", detail).after(Some(SETTLES)),
    }
}

/// The JSON of an answer.
pub(crate) fn json<T: DeserializeOwned>(answer: &Answer, call: Call) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| garbage(call))
}

/// An identifier of the engine's as a part of a path. What could not be one is not asked for.
pub(crate) fn segment(id: &str) -> Result<String, Failure> {
    let is_id = (1..=LONGEST_NAME).contains(&id.len()) && !id.chars().any(char::is_control);
    if !is_id || id == "." || id == ".." {
        return Err(garbage(Call::Asking));
    }
    // The encoding of forms writes a space as "+", which paths do not know.
    let encoded: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    Ok(encoded.replace('+', "%20"))
}

/// Longest identifier that is taken from the engine, in bytes: what its columns hold.
pub(crate) const LONGEST_ID: usize = 64;

/// Longest name of a process or a step, in bytes: likewise.
pub(crate) const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use model::SystemClock;

    use super::*;

    fn http() -> Http {
        let clock = Arc::new(SystemClock);
        let client =
            Client::new(net::Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), clock.clone());
        Http::new(client, clock, "http://localhost".into(), None, Duration::from_secs(1))
    }

    fn kinds(status: u16, body: &str) -> [FailureKind; 2] {
        let answer = Answer { status, headers: Default::default(), body: body.into() };
        [Call::Asking, Call::Acting].map(|call| http().refusal(&answer, call).kind)
    }

    #[test]
    fn what_was_not_answered_is_never_taken_for_not_done() {
        use FailureKind::{Permanent, Transient, Unauthorised, Uncertain};
        assert_eq!(kinds(500, "<html>"), [Transient, Uncertain]);
        assert_eq!(kinds(502, ""), [Transient, Uncertain]);
        assert_eq!(kinds(504, ""), [Transient, Uncertain]);
        let database = r#"{"type":"ProcessEnginePersistenceException","message":"x","code":0}"#;
        assert_eq!(kinds(500, database), [Transient, Uncertain]);
        let locking = r#"{"type":"OptimisticLockingException","message":"x","code":1}"#;
        assert_eq!(kinds(500, locking), [Transient, Transient]);
        let claimed = r#"{"type":"TaskAlreadyClaimedException","message":"x","code":0}"#;
        assert_eq!(kinds(500, claimed), [Permanent, Permanent]);
        assert_eq!(kinds(503, ""), [Transient, Transient]);
        assert_eq!(kinds(401, ""), [Unauthorised, Unauthorised]);
        assert_eq!(kinds(302, ""), [Permanent, Permanent]);
        let lost = |error| [Call::Asking, Call::Acting].map(|call| unsent(error, call).kind);
        assert_eq!(lost(net::Error::NoAnswer), [Transient, Uncertain]);
        assert_eq!(lost(net::Error::Unreachable), [Transient, Transient]);
        assert_eq!([garbage(Call::Asking).kind, garbage(Call::Acting).kind], [Transient, Uncertain]);
    }

    #[test]
    fn nothing_of_an_answer_is_told_but_its_status() {
        let body = br#"{"type":"RestException","message":"geheim","code":0}"#.to_vec();
        let answer = Answer { status: 400, headers: Default::default(), body };
        assert_eq!(http().refusal(&answer, Call::Acting).detail, "the engine answered with 400");
    }

    #[test]
    fn an_identifier_stays_one_part_of_a_path() {
        assert_eq!(segment("../task/1?x").unwrap(), "..%2Ftask%2F1%3Fx");
        assert_eq!(segment("ablage 1:25").unwrap(), "ablage%201%3A25");
        for bad in ["", ".", "..", "a\nb"] {
            assert!(segment(bad).is_err(), "{bad:?}");
        }
    }
}
