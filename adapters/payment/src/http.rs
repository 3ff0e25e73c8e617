//! Calls to providers: bounded in time and size, and what it means that one fails. Nothing of an answer gets into a failure but its
//! status.
//!
//! | what happened | a question | a start, refund or void |
//! |---|---|---|
//! | no connection | transient | transient: nothing was sent |
//! | no whole answer | transient | uncertain |
//! | 408, 425, 429, 503 | transient, with the pause of `Retry-After` | the same: it was not done |
//! | other 5xx | transient | uncertain: something went wrong in the middle of it |
//! | 401, 403 | unauthorised | unauthorised |
//! | other status | rejected | rejected |
//! | an answer that is not what was agreed | transient | uncertain |

use std::sync::Arc;
use std::time::Duration;

use model::adapter::Health;
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind, Timestamp};
use net::{Answer, Client, Method, Request};
use serde::de::DeserializeOwned;

/// Most bytes of an answer that are read: the largest repeats a request of 99 lines.
const MOST_ANSWER: usize = 256 * 1024;

/// Content type of forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Content type of JSON.
pub(crate) const JSON: &str = "application/json";

/// What a call does at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It changes nothing there.
    Asking,
    /// It starts, gives back or cancels something.
    Acting,
}

/// The way to a provider. Its address is the administrator's choice.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    clock: Arc<dyn Clock>,
    within: Duration,
}

impl Http {
    /// Calls through `client`, each within the time given, from the connection to the end of the answer.
    pub(crate) fn new(client: Client, clock: Arc<dyn Clock>, within: Duration) -> Self {
        Http { client, clock, within }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks by GET.
    pub(crate) async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.send(Call::Asking, Method::GET, url, headers, None).await
    }

    /// Sends `body` by POST; `content_type` tells what it is.
    pub(crate) async fn post(
        &self,
        call: Call,
        url: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, Failure> {
        let all: Vec<_> = [("content-type", content_type)].iter().chain(headers).copied().collect();
        self.send(call, Method::POST, url, &all, Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        call: Call,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = Request {
            method,
            url: url.to_owned(),
            chosen_by: ChosenBy::Administrator,
            headers: headers.iter().map(owned).collect(),
            body: body.map(|text| text.into_bytes().into()),
            within: self.within,
            most_answer: MOST_ANSWER,
        };
        self.client.send(request).await.map_err(|error| unsent(error, call))
    }

    /// What an answer other than the wanted one means.
    pub(crate) fn refusal(&self, answer: &Answer, call: Call) -> Failure {
        refusal(answer, call, self.now())
    }
}

/// What it means that no answer came.
pub(crate) fn unsent(error: net::Error, call: Call) -> Failure {
    match (error.kind(), call) {
        (FailureKind::Transient, _) | (FailureKind::Uncertain, Call::Asking) => {
            Failure::transient("payment.provider-unreachable", error.to_string())
        }
        (FailureKind::Uncertain, Call::Acting) => unclear("no whole answer came"),
        _ => error.into(),
    }
}

/// What it means that an answer has a status which is not the wanted one.
pub(crate) fn refusal(answer: &Answer, call: Call, now: Timestamp) -> Failure {
    let told = format!("the provider answered with {}", answer.status);
    match (answer.status, call) {
        (401 | 403, _) => unauthorised(told),
        (408 | 425 | 429 | 503, _) | (500.., Call::Asking) => {
            Failure::transient("payment.provider-busy", told).after(answer.retry_after(now))
        }
        (500.., Call::Acting) => unclear(told),
        _ => refused(told),
    }
}

/// Our credentials, or the names under which the provider knows us, are wrong.
pub(crate) fn unauthorised(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unauthorised, "payment.provider-unauthorised", detail)
}

/// The provider will not do it.
pub(crate) fn refused(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Rejected, "payment.provider-refused", detail)
}

/// The provider's own trouble, which it tells by other means than a status.
pub(crate) fn troubled(detail: impl Into<String>, call: Call) -> Failure {
    match call {
        Call::Asking => Failure::transient("payment.provider-busy", detail),
        Call::Acting => unclear(detail),
    }
}

/// Nobody knows whether it was done.
pub(crate) fn unclear(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Uncertain, "payment.provider-unclear", detail)
}

/// An answer that is not what was agreed: it tells nothing.
pub(crate) fn garbage(call: Call) -> Failure {
    let kind = match call {
        Call::Asking => FailureKind::Transient,
        Call::Acting => FailureKind::Uncertain,
    };
    Failure::new(kind, "payment.provider-garbage", "the provider's answer is not what was agreed")
}

/// The JSON of an answer.
pub(crate) fn json<T: DeserializeOwned>(answer: &Answer, call: Call) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| garbage(call))
}

/// What an operator is told who tries to reach the provider.
pub(crate) fn health(result: Result<String, Failure>) -> Health {
    match result {
        Ok(detail) => Health { ok: true, detail },
        Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Answer {
        Answer { status, headers: Default::default(), body: b"geheim".to_vec() }
    }

    #[test]
    fn a_start_that_was_not_answered_is_never_taken_for_one_that_was_not_done() {
        use FailureKind::{Rejected, Transient, Unauthorised, Uncertain};
        let kinds = |status| {
            [Call::Asking, Call::Acting].map(|call| refusal(&answer(status), call, Timestamp::default()).kind)
        };
        assert_eq!(kinds(500), [Transient, Uncertain]);
        assert_eq!(kinds(504), [Transient, Uncertain]);
        for status in [408, 425, 429, 503] {
            assert_eq!(kinds(status), [Transient, Transient], "{status}");
        }
        assert_eq!(kinds(401), [Unauthorised, Unauthorised]);
        assert_eq!(kinds(403), [Unauthorised, Unauthorised]);
        for status in [302, 400, 404, 409] {
            assert_eq!(kinds(status), [Rejected, Rejected], "{status}");
        }
        let lost = |error| [Call::Asking, Call::Acting].map(|call| unsent(error, call).kind);
        assert_eq!(lost(net::Error::NoAnswer), [Transient, Uncertain]);
        assert_eq!(lost(net::Error::AnswerTooLarge), [Transient, Uncertain]);
        assert_eq!(lost(net::Error::Unreachable), [Transient, Transient]);
        assert_eq!(lost(net::Error::Forbidden), [FailureKind::Permanent; 2]);
        assert_eq!([garbage(Call::Asking).kind, garbage(Call::Acting).kind], [Transient, Uncertain]);
    }

    #[test]
    fn nothing_of_an_answer_is_told_but_its_status() {
        let failure = refusal(&answer(418), Call::Asking, Timestamp::default());
        assert_eq!(failure.detail, "the provider answered with 418");
    }
}
