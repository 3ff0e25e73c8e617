//! Calls to the delivery service (Submission API v2): bounded in time and size, and what it means that one fails. Nothing of an answer
//! gets into a failure but its status and the name of its problem (RFC 9457).
//!
//! | what happened | failure |
//! |---|---|
//! | no connection, no whole answer | transient `fit.unreachable` |
//! | 408, 425, 429, any 5xx | transient `fit.unavailable`, with the pause of `Retry-After` or `RateLimit-Reset` |
//! | 401 with a token that was just fetched, 403, a refused client | unauthorised `fit.unauthorised` |
//! | an answer larger than what is taken | permanent `fit.too-large` |
//! | other status | permanent `fit.refused` |
//! | an answer that is not what was agreed | transient `fit.not-understood` |

use std::sync::Arc;
use std::time::Duration;

use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind, Timestamp};
use net::{Answer, Client, Method, Opened, Request, Upload};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::oauth::{Credentials, Kept};

/// Most bytes of a short answer.
const SHORT: usize = 1 << 20;
/// Where types of problems begin.
const PROBLEMS: &str = "https://schema.fitko.de/fit-connect/submission-api/problems/";

/// Addresses of the delivery service and its neighbours, without a slash at the end.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Where tokens are.
    pub token: String,
    /// The Submission API, without `/v2`.
    pub submission: String,
}

/// The way to the delivery service. Its addresses are the administrator's choice.
pub struct Access {
    client: Client,
    clock: Arc<dyn Clock>,
    hosts: Hosts,
    credentials: Credentials,
    token: Kept,
    /// Longest time of a call without content.
    within: Duration,
    /// Longest time of a call with content.
    transfer: Duration,
}

/// A call.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query behind the address of the Submission API, such as `/v2/submissions`.
    pub(crate) path: &'a str,
    /// Type and bytes of a body.
    pub(crate) body: Option<(&'a str, Upload)>,
    /// Most bytes of the answer.
    pub(crate) most_answer: usize,
    /// Whether it carries content, so that it may take long.
    pub(crate) is_transfer: bool,
}

impl<'a> Call<'a> {
    /// Asks for something short.
    pub(crate) fn get(path: &'a str) -> Self {
        Call { method: Method::GET, path, body: None, most_answer: SHORT, is_transfer: false }
    }

    /// Hands something over.
    pub(crate) fn with(method: Method, path: &'a str, media_type: &'a str, body: impl Into<Upload>) -> Self {
        let body = Some((media_type, body.into()));
        Call { method, path, body, most_answer: SHORT, is_transfer: false }
    }

    /// The same with content, which may take long.
    pub(crate) fn transfer(self) -> Self {
        Call { is_transfer: true, ..self }
    }
}

impl Access {
    /// Calls by `client` as whoever has the credentials.
    pub fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        hosts: Hosts,
        credentials: (String, Zeroizing<String>),
        (within, transfer): (Duration, Duration),
    ) -> Self {
        let (id, secret) = credentials;
        let credentials = Credentials { id, secret };
        Access { client, clock, hosts, credentials, token: Kept::default(), within, transfer }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Addresses.
    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// A call whose answer is short; whatever is not 2xx is a failure.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let (request, was_fetched) = self.request(call).await?;
        let answer = self.client.send(request).await.map_err(|error| unsent(&error))?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(self.refusal(&answer, was_fetched).await),
        }
    }

    /// The JSON of the answer to a call.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Failure> {
        let answer = self.send(call).await?;
        serde_json::from_slice(&answer.body).map_err(|_| not_understood())
    }

    /// The JSON of the answer to a call about one thing; none if that is not there (any more). That it may not be read says nothing of
    /// others.
    pub(crate) async fn found<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Option<T>, Failure> {
        let (request, was_fetched) = self.request(call).await?;
        let answer = self.client.send(request).await.map_err(|error| unsent(&error))?;
        match answer.status {
            200..=299 => serde_json::from_slice(&answer.body).map(Some).map_err(|_| not_understood()),
            404 | 410 => Ok(None),
            403 => Err(Failure::permanent("fit.refused", "the delivery service answered with 403")),
            _ => Err(self.refusal(&answer, was_fetched).await),
        }
    }

    /// Content as a stream.
    pub(crate) async fn open(&self, path: &str) -> Result<Opened, Failure> {
        let call = Call { most_answer: usize::MAX, is_transfer: true, ..Call::get(path) };
        let (request, was_fetched) = self.request(call).await?;
        let opened = self.client.open(request).await.map_err(|error| unsent(&error))?;
        if (200..300).contains(&opened.status) {
            return Ok(opened);
        }
        let answer = Answer { status: opened.status, headers: opened.headers, body: vec![] };
        Err(self.refusal(&answer, was_fetched).await)
    }

    /// What anybody may read, such as keys: asked without a token.
    pub(crate) async fn public(&self, url: &str) -> Result<Answer, Failure> {
        let request = self.plain(Method::GET, url.to_owned(), vec![], None);
        let answer = self.client.send(request).await.map_err(|error| unsent(&error))?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refused(&answer, self.now())),
        }
    }

    /// The request with its token, and whether that was fetched for it.
    async fn request(&self, call: Call<'_>) -> Result<(Request, bool), Failure> {
        let kept = self.token.current(self.now()).await;
        let was_fetched = kept.is_none();
        let token = match kept {
            Some(token) => token,
            None => self.fetch_token().await?,
        };
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", token.as_str())),
            ("accept".to_owned(), "application/json, application/jose, application/problem+json".to_owned()),
        ];
        let body = call.body.map(|(media_type, body)| {
            headers.push(("content-type".to_owned(), media_type.to_owned()));
            body
        });
        let url = format!("{}{}", self.hosts.submission, call.path);
        let mut request = self.plain(call.method, url, headers, body);
        request.most_answer = call.most_answer;
        if call.is_transfer {
            request.within = self.transfer;
        }
        Ok((request, was_fetched))
    }

    fn plain(
        &self,
        method: Method,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<Upload>,
    ) -> Request {
        let (chosen_by, within) = (ChosenBy::Administrator, self.within);
        Request { method, url, chosen_by, headers, body, within, most_answer: SHORT }
    }

    async fn fetch_token(&self) -> Result<Zeroizing<String>, Failure> {
        let form = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let body = Some(self.credentials.form().into());
        let request = self.plain(Method::POST, self.hosts.token.clone(), vec![form], body);
        let answer = self.client.send(request).await.map_err(|error| unsent(&error))?;
        match answer.status {
            200 => self.token.keep(&answer.body, self.now()).await.ok_or_else(not_understood),
            // RFC 6749 section 5.2: 400 may be a client without a destination (invalid_scope), too.
            400 | 401 => Err(unauthorised("no access token was given")),
            _ => Err(refused(&answer, self.now())),
        }
    }

    async fn refusal(&self, answer: &Answer, was_fetched: bool) -> Failure {
        if answer.status != 401 {
            return refused(answer, self.now());
        }
        self.token.forget().await;
        match was_fetched {
            true => unauthorised("the access token is not taken"),
            false => Failure::transient("fit.unavailable", "the access token is not taken any more"),
        }
    }
}

/// What it means that no answer came.
fn unsent(error: &net::Error) -> Failure {
    match (error, error.kind()) {
        (net::Error::AnswerTooLarge, _) => too_large(),
        (_, FailureKind::Transient | FailureKind::Uncertain) => {
            Failure::transient("fit.unreachable", error.to_string())
        }
        _ => (*error).into(),
    }
}

/// What it means that an answer has a status which is not the wanted one.
fn refused(answer: &Answer, now: Timestamp) -> Failure {
    let mut told = format!("the delivery service answered with {}", answer.status);
    if let Some(problem) = problem(answer) {
        told = format!("{told} ({problem})");
    }
    match answer.status {
        401 | 403 => unauthorised(told),
        408 | 425 | 429 | 500.. => Failure::transient("fit.unavailable", told).after(pause(answer, now)),
        200..=299 => not_understood(),
        _ => Failure::permanent("fit.refused", told),
    }
}

/// The name of the problem that an answer tells of (RFC 9457), if it is one of the delivery service's.
pub(crate) fn problem(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let name = value["type"].as_str()?.strip_prefix(PROBLEMS)?;
    let is_name =
        (1..=60).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    is_name.then(|| name.to_owned())
}

fn pause(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let reset = || {
        let seconds = answer.headers.get("ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    };
    answer.retry_after(now).or_else(|| reset().filter(|_| answer.status == 429))
}

pub(crate) fn unauthorised(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unauthorised, "fit.unauthorised", detail)
}

/// An answer that is not what was agreed: it tells nothing.
pub(crate) fn not_understood() -> Failure {
    Failure::transient("fit.not-understood", "the answer of the delivery service is not what was agreed")
}

/// More than what is taken.
pub(crate) fn too_large() -> Failure {
    Failure::permanent("fit.too-large", "the answer of the delivery service is larger than what is taken")
}

/// A call that broke off while its content was read.
pub(crate) fn broken() -> Failure {
    Failure::transient("fit.unreachable", "the content broke off")
}

#[cfg(test)]
mod tests {
    use FailureKind::{Permanent, Transient, Unauthorised};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Default::default(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn each_answer_has_one_kind_of_failure_and_nothing_of_it_is_told_but_status_and_problem() {
        for (status, expected) in
            [(500, Transient), (429, Transient), (403, Unauthorised), (404, Permanent), (422, Permanent)]
        {
            let body = format!(r#"{{"type":"{PROBLEMS}submission-not-found","detail":"geheim"}}"#);
            let failure = refused(&answer(status, &body), Timestamp::default());
            assert_eq!(failure.kind, expected, "{status}");
            assert!(!failure.detail.contains("geheim"));
            assert!(failure.detail.contains("submission-not-found"));
        }
        for foreign in ["{}", "geheim", r#"{"type":"https://example.org/geheim"}"#, r#"{"type":7}"#] {
            assert_eq!(problem(&answer(404, foreign)), None);
        }
    }

    #[test]
    fn a_limit_of_calls_says_how_long_to_wait() {
        let mut limited = answer(429, "");
        limited.headers.insert("ratelimit-reset", "17".parse().unwrap());
        let failure = refused(&limited, Timestamp::default());
        assert_eq!(failure.retry_after, Some(Duration::from_secs(17)));
    }
}
