//! Calls to document management systems over HTTP: bounded in time and size, and what it means that one fails. Nothing of an answer gets
//! into a failure but its status. Whatever is made there is looked for before it is made, so an outcome that nobody knows is passing
//! trouble: it is looked for again.
//!
//! | what happened | failure |
//! |---|---|
//! | no connection, no whole answer | transient `dms.unreachable` |
//! | 408, 423, 425, 429, any 5xx | transient `dms.unavailable`, with the pause of `Retry-After` |
//! | 401, 403, 407 | unauthorised `dms.unauthorised` |
//! | 413, or an answer larger than what is taken | rejected `dms.too-large` |
//! | other status | permanent `dms.refused` |
//! | an answer that is not what was agreed, such as a page of HTML with 200 | transient `dms.not-understood` |

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::BytesMut;
use model::adapter::Content;
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind, Timestamp};
use net::{Answer, Client, Method, Opened, Request, Upload};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::failure;

/// Most bytes of an answer that are read, unless a call says otherwise.
const MOST_ANSWER: usize = 1 << 20;

/// Bytes of a piece of an upload.
const PIECE: usize = 64 * 1024;

/// How the gateway says who it is.
#[derive(Clone)]
pub enum Login {
    /// Not at all.
    Nobody,
    /// HTTP Basic (RFC 7617). The name has no colon.
    Basic {
        /// Name of the account.
        user: String,
        /// Its password.
        password: Zeroizing<String>,
    },
    /// `Authorization: Bearer`, with a key that the operator was given.
    Bearer(Zeroizing<String>),
}

impl Login {
    /// The header field, if there is one.
    fn field(&self) -> Option<(String, String)> {
        let value = match self {
            Login::Nobody => return None,
            Login::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
                format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()))
            }
            Login::Bearer(key) => format!("Bearer {}", key.as_str()),
        };
        Some(("authorization".to_owned(), value))
    }
}

/// The way to a system. Its address is the administrator's choice.
#[derive(Clone)]
pub(crate) struct Rest {
    client: Client,
    clock: Arc<dyn Clock>,
    login: Login,
    /// Longest time of a call without content.
    within: Duration,
    /// Longest time of a call with content, whichever way it goes.
    transfer: Duration,
}

impl Rest {
    pub(crate) fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        login: Login,
        within: Duration,
        transfer: Duration,
    ) -> Self {
        Rest { client, clock, login, within, transfer }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends a request whose body, if there is any, is short.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        self.send_for(method, url, headers, body, MOST_ANSWER).await
    }

    /// The same with an answer of at most so many bytes.
    pub(crate) async fn send_for(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
        most_answer: usize,
    ) -> Result<Answer, Failure> {
        let body = body.map(|text| text.into_bytes().into());
        let request = self.request(method, url, headers, body, self.within, most_answer)?;
        self.client.send(request).await.map_err(unsent)
    }

    /// Sends content, of which only a piece stands in memory.
    pub(crate) async fn upload(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Upload,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, url, headers, Some(body), self.transfer, MOST_ANSWER)?;
        self.client.send(request).await.map_err(unsent)
    }

    /// Content as a stream, whatever the status.
    pub(crate) async fn open(&self, url: &str, headers: &[(&str, &str)]) -> Result<Opened, Failure> {
        let request = self.request("GET", url, headers, None, self.transfer, usize::MAX)?;
        self.client.open(request).await.map_err(unsent)
    }

    fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Upload>,
        within: Duration,
        most_answer: usize,
    ) -> Result<Request, Failure> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| net::Error::Header)?;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).chain(self.login.field()).collect();
        let url = url.to_owned();
        Ok(Request { method, url, chosen_by: ChosenBy::Administrator, headers, body, within, most_answer })
    }

    /// What an answer other than the wanted one means.
    pub(crate) fn refusal(&self, answer: &Answer) -> Failure {
        refusal(answer, self.clock.now())
    }

    /// The same of one whose body is still to be read.
    pub(crate) fn refusal_of(&self, opened: &Opened) -> Failure {
        let answer = Answer { status: opened.status, headers: opened.headers.clone(), body: vec![] };
        self.refusal(&answer)
    }
}

/// A content as the body of a request, a piece at a time; `size` is the number of its bytes. `head` and `tail` come before and behind it.
pub(crate) fn body(head: Vec<u8>, content: Content, size: u64, tail: Vec<u8>) -> Upload {
    let (pieces, mut waiting) = mpsc::channel(2);
    let whole = size + (head.len() + tail.len()) as u64;
    // Ends when the client drops the body.
    tokio::spawn(async move {
        let parts: [Content; 3] =
            [Box::new(std::io::Cursor::new(head)), content, Box::new(std::io::Cursor::new(tail))];
        for part in parts {
            if !pass_on(part, &pieces).await {
                return;
            }
        }
    });
    Upload::new(futures::stream::poll_fn(move |context| waiting.poll_recv(context)), Some(whole))
}

/// Whether all of it was taken.
async fn pass_on(mut content: Content, pieces: &mpsc::Sender<std::io::Result<bytes::Bytes>>) -> bool {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let sent = match content.read_buf(&mut piece).await {
            Ok(0) => return true,
            Ok(_) => pieces.send(Ok(piece.freeze())).await,
            Err(error) => {
                _ = pieces.send(Err(error)).await;
                return false;
            }
        };
        if sent.is_err() {
            return false;
        }
    }
}

/// What it means that no answer came.
pub(crate) fn unsent(error: net::Error) -> Failure {
    match (error, error.kind()) {
        (net::Error::AnswerTooLarge, _) => too_large("the answer is larger than what is taken"),
        (_, FailureKind::Transient | FailureKind::Uncertain) => {
            Failure::transient("dms.unreachable", error.to_string())
        }
        _ => error.into(),
    }
}

/// What it means that an answer has a status which is not the wanted one.
fn refusal(answer: &Answer, now: Timestamp) -> Failure {
    let told = format!("the document management system answered with {}", answer.status);
    match answer.status {
        401 | 403 | 407 => Failure::new(FailureKind::Unauthorised, "dms.unauthorised", told),
        408 | 423 | 425 | 429 | 500.. => {
            Failure::transient("dms.unavailable", told).after(answer.retry_after(now))
        }
        413 => too_large(told),
        200..=299 => garbage(),
        _ => refused(told),
    }
}

/// It will fail again the same way.
pub(crate) fn refused(detail: impl Into<String>) -> Failure {
    Failure::permanent("dms.refused", detail)
}

/// More than one of both sides takes.
pub(crate) fn too_large(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Rejected, "dms.too-large", detail)
}

/// An answer that is not what was agreed: it tells nothing.
pub(crate) fn garbage() -> Failure {
    failure::not_understood("the answer of the document management system is not what was agreed")
}

/// The JSON of an answer.
pub(crate) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| garbage())
}

/// The value of a header field, if it is text.
pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use FailureKind::{Permanent, Rejected, Transient, Unauthorised};

    use super::*;

    #[test]
    fn each_answer_has_one_kind_of_failure_and_nothing_of_it_is_told_but_its_status() {
        for (status, expected) in [
            (500, Transient),
            (503, Transient),
            (423, Transient),
            (507, Transient),
            (401, Unauthorised),
            (403, Unauthorised),
            (413, Rejected),
            (404, Permanent),
            (302, Permanent),
            (200, Transient),
        ] {
            let answer = Answer { status, headers: Default::default(), body: b"geheim".to_vec() };
            let failure = refusal(&answer, Timestamp::default());
            assert!(!failure.detail.contains("geheim"));
            assert_eq!(failure.kind, expected, "{status}");
        }
        assert_eq!(unsent(net::Error::NoAnswer).code, "dms.unreachable");
        assert_eq!(unsent(net::Error::Unreachable).code, "dms.unreachable");
        assert_eq!(unsent(net::Error::AnswerTooLarge).kind, Rejected);
        assert_eq!(unsent(net::Error::Forbidden).kind, Permanent);
    }

    #[test]
    fn who_the_gateway_is_stands_in_one_header_field() {
        let basic = Login::Basic { user: "gw".into(), password: Zeroizing::new("geheim".into()) };
        assert_eq!(basic.field().unwrap().1, "Basic Z3c6Z2VoZWlt");
        assert_eq!(Login::Bearer(Zeroizing::new("k".into())).field().unwrap().1, "Bearer k");
        assert_eq!(Login::Nobody.field(), None);
    }
}
