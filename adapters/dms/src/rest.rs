//! Calls to document management systems over HTTP: bounded in time and size, and what it means that one fails. Nothing of an answer gets
//! into a failure but its status.
//!
//! | what happened | a question | something that changes the other side |
//! |---|---|---|
//! | no connection | transient | transient: nothing was sent |
//! | no whole answer | transient | uncertain |
//! | 408, 423, 425, 429, 503, 507 | transient, with the pause of `Retry-After` | the same: it was not done |
//! | other 5xx | transient | uncertain: something went wrong in the middle of it |
//! | 401, 403, 407 | unauthorised | unauthorised |
//! | 413 | rejected: it will never take that much | the same |
//! | other status | permanent | permanent |
//! | an answer that is not what was agreed, such as a page of HTML with 200 | transient | uncertain |

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::BytesMut;
use model::adapter::Content;
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind, Timestamp};
use net::{Answer, Client, Method, Request, Upload};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Most bytes of an answer that are read, unless a call says otherwise.
pub(crate) const MOST_ANSWER: usize = 1 << 20;

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

/// What a call does at the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It changes nothing there.
    Asking,
    /// It creates or changes something.
    Acting,
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

    /// The same for whoever was told another key.
    pub(crate) fn showing(&self, login: Login) -> Self {
        Rest { login, ..self.clone() }
    }

    /// Sends a request whose body, if there is any, is short.
    pub(crate) async fn send(
        &self,
        call: Call,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let body = body.map(|text| text.into_bytes().into());
        let request = self.request(method, url, headers, body, self.within, MOST_ANSWER)?;
        self.client.send(request).await.map_err(|error| unsent(error, call))
    }

    /// The same with a larger answer.
    pub(crate) async fn ask_for_much(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
        most_answer: usize,
    ) -> Result<Answer, Failure> {
        let body = body.map(|text| text.into_bytes().into());
        let request = self.request(method, url, headers, body, self.within, most_answer)?;
        self.client.send(request).await.map_err(|error| unsent(error, Call::Asking))
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
        self.client.send(request).await.map_err(|error| unsent(error, Call::Acting))
    }

    /// Fetches content of at most `most` bytes into `sink`, whatever the status; answers with status and header fields.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        most: u64,
        sink: &mut (dyn Write + Send),
    ) -> Result<Answer, Failure> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let request = self.request("GET", url, headers, None, self.transfer, most)?;
        let (status, headers) =
            self.client.send_into(request, sink).await.map_err(|error| unsent(error, Call::Asking))?;
        Ok(Answer { status, headers, body: vec![] })
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
        let chosen_by = ChosenBy::Administrator;
        Ok(Request { method, url, chosen_by, headers, body, within, most_answer })
    }

    /// What an answer other than the wanted one means.
    pub(crate) fn refusal(&self, answer: &Answer, call: Call) -> Failure {
        refusal(answer, call, self.clock.now())
    }
}

/// A content as the body of a request, a piece at a time; `size` is the number of its bytes, if it is known. `head` and `tail` come before
/// and behind it.
pub(crate) fn body(head: Vec<u8>, content: Content, size: Option<u64>, tail: Vec<u8>) -> Upload {
    let (pieces, mut waiting) = mpsc::channel(2);
    let whole = size.map(|size| size + (head.len() + tail.len()) as u64);
    // Ends when the client drops the body.
    tokio::spawn(async move {
        let parts: [Content; 3] =
            [Box::new(std::io::Cursor::new(head)), content, Box::new(std::io::Cursor::new(tail))];
        for part in parts {
            if !read(part, &pieces).await {
                return;
            }
        }
    });
    Upload::new(futures::stream::poll_fn(move |context| waiting.poll_recv(context)), whole)
}

/// Whether all of it was taken.
async fn read(mut content: Content, pieces: &mpsc::Sender<std::io::Result<bytes::Bytes>>) -> bool {
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
fn unsent(error: net::Error, call: Call) -> Failure {
    match (error, call) {
        // Our own bytes could not be read: the other side saw a part of them at most, under a name that nobody looks at.
        (net::Error::Body, _) => Failure::transient("dms.unreachable", error.to_string()),
        (net::Error::AnswerTooLarge, Call::Asking) => too_large("the answer is larger than what is taken"),
        (error, call) => match (error.kind(), call) {
            (FailureKind::Transient, _) | (FailureKind::Uncertain, Call::Asking) => {
                Failure::transient("dms.unreachable", error.to_string())
            }
            (FailureKind::Uncertain, Call::Acting) => unclear(error.to_string()),
            _ => error.into(),
        },
    }
}

/// What it means that an answer has a status which is not the wanted one.
fn refusal(answer: &Answer, call: Call, now: Timestamp) -> Failure {
    let told = format!("the document management system answered with {}", answer.status);
    match (answer.status, call) {
        (401 | 403 | 407, _) => Failure::new(FailureKind::Unauthorised, "dms.unauthorised", told),
        (408 | 423 | 425 | 429 | 503 | 507, _) | (500.., Call::Asking) => {
            Failure::transient("dms.busy", told).after(answer.retry_after(now))
        }
        (500.., Call::Acting) => unclear(told),
        (413, _) => too_large(told),
        (200..=299, _) => garbage(call),
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

/// Nobody knows whether it was done.
pub(crate) fn unclear(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Uncertain, "dms.unclear", detail)
}

/// Both sides changed the same thing.
pub(crate) fn conflict(detail: impl Into<String>) -> Failure {
    Failure::permanent("dms.conflict", detail)
}

/// An answer that is not what was agreed: it tells nothing.
pub(crate) fn garbage(call: Call) -> Failure {
    let kind = match call {
        Call::Asking => FailureKind::Transient,
        Call::Acting => FailureKind::Uncertain,
    };
    Failure::new(kind, "dms.garbage", "the answer of the document management system is not what was agreed")
}

/// The JSON of an answer.
pub(crate) fn json<T: DeserializeOwned>(answer: &Answer, call: Call) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| garbage(call))
}

/// The value of a header field, if it is there once as text.
pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use FailureKind::{Permanent, Rejected, Transient, Unauthorised, Uncertain};

    use super::*;

    fn kinds(status: u16) -> [FailureKind; 2] {
        let answer = Answer { status, headers: Default::default(), body: b"geheim".to_vec() };
        [Call::Asking, Call::Acting].map(|call| {
            let failure = refusal(&answer, call, Timestamp::default());
            assert!(!failure.detail.contains("geheim"));
            failure.kind
        })
    }

    #[test]
    fn an_act_that_was_not_answered_well_is_never_taken_for_one_that_was_not_done() {
        for (status, expected) in [
            (500, [Transient, Uncertain]),
            (504, [Transient, Uncertain]),
            (503, [Transient, Transient]),
            (423, [Transient, Transient]),
            (507, [Transient, Transient]),
            (401, [Unauthorised, Unauthorised]),
            (403, [Unauthorised, Unauthorised]),
            (413, [Rejected, Rejected]),
            (404, [Permanent, Permanent]),
            (302, [Permanent, Permanent]),
            (200, [Transient, Uncertain]),
        ] {
            assert_eq!(kinds(status), expected, "{status}");
        }
        let lost = |error| [Call::Asking, Call::Acting].map(|call| unsent(error, call).kind);
        assert_eq!(lost(net::Error::NoAnswer), [Transient, Uncertain]);
        assert_eq!(lost(net::Error::Unreachable), [Transient, Transient]);
        assert_eq!(lost(net::Error::Forbidden), [Permanent, Permanent]);
        assert_eq!([garbage(Call::Asking).kind, garbage(Call::Acting).kind], [Transient, Uncertain]);
    }

    #[test]
    fn who_the_gateway_is_stands_in_one_header_field() {
        let basic = Login::Basic { user: "gw".into(), password: Zeroizing::new("geheim".into()) };
        assert_eq!(basic.field().unwrap().1, "Basic Z3c6Z2VoZWlt");
        assert_eq!(Login::Bearer(Zeroizing::new("k".into())).field().unwrap().1, "Bearer k");
        assert_eq!(Login::Nobody.field(), None);
    }
}
