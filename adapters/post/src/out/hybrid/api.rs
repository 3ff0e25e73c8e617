//! The calls of the API: each within a time, answers up to a size; nothing of an answer gets into a failure but its status.
//!
//! | what happened | a question | a letter that is handed over |
//! |---|---|---|
//! | no connection | transient | transient: nothing was sent |
//! | no whole answer | transient | uncertain |
//! | 408, 425, 429, 503 | transient, with the pause of `Retry-After` | the same |
//! | other 5xx | transient | uncertain |
//! | 401, 403 after a new login | unauthorised | unauthorised |
//! | other status | permanent: the API is not as we know it | rejected |
//! | an answer that is not what was agreed | transient | uncertain |

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind, Timestamp};
use net::{Answer, Client, Method, Request, Upload};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::super::{rejected, settings, uncertain};

/// Most bytes of an answer: the letters of a busy day.
const MOST_ANSWER: usize = 8 << 20;
/// Bytes of a file that are encoded at once: a multiple of three.
const PIECE: usize = 48 * 1024;
/// Letters that are asked for at once.
pub(super) const AT_ONCE: usize = 200;

/// The API, with the token of the last login.
pub(super) struct Api {
    client: Client,
    clock: Arc<dyn Clock>,
    base: String,
    login: Zeroizing<String>,
    within: Duration,
    token: Mutex<Option<Zeroizing<String>>>,
}

/// What is told of a letter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Told {
    #[serde(rename = "letterID")]
    pub(super) letter_id: i64,
    #[serde(rename = "statusID")]
    pub(super) status_id: i64,
    pub(super) created_date: Option<String>,
    pub(super) processed_date: Option<String>,
    pub(super) print_feedback_date: Option<String>,
    pub(super) custom1: Option<String>,
    pub(super) custom2: Option<String>,
    pub(super) registered_letter_status: Option<String>,
    pub(super) registered_letter_status_date: Option<String>,
    #[serde(rename = "registeredLetterID")]
    pub(super) registered_letter_id: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(rename = "letterID")]
    letter_id: i64,
}

/// What a call does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Asking,
    Sending,
}

impl Api {
    pub(super) fn new(settings: &settings::Hybrid, client: Client, clock: Arc<dyn Clock>) -> Self {
        let login = json!({
            "vendorID": settings.vendor,
            "ekp": settings.ekp,
            "secret": settings.secret.as_str(),
            "password": settings.password.as_str(),
        });
        Api {
            client,
            clock,
            base: settings.base.clone(),
            login: Zeroizing::new(login.to_string()),
            within: settings.within,
            token: Mutex::default(),
        }
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new token.
    pub(super) async fn log_in(&self) -> Result<Zeroizing<String>, Failure> {
        let body = self.login.as_bytes().to_vec();
        let answer =
            self.send_once(Call::Asking, Method::POST, "/api/Login", None, Some(body.into())).await?;
        match answer.status {
            200 => {
                let token = Zeroizing::new(read::<Token>(&answer, Call::Asking)?.token);
                let is_token =
                    (1..=16_384).contains(&token.len()) && token.bytes().all(|it| it.is_ascii_graphic());
                is_token.then_some(token).ok_or_else(|| garbage(Call::Asking))
            }
            // Wrong passwords are answered with these, too.
            400 | 404 => Err(unauthorised("the carrier refuses the login")),
            _ => Err(self.refusal(&answer, Call::Asking)),
        }
    }

    /// Letters that carry this `custom1`.
    pub(super) async fn named(&self, custom1: &str) -> Result<Vec<Told>, Failure> {
        self.ask(Method::GET, &format!("/api/Letter/Custom1?custom1={custom1}"), None).await
    }

    /// Letters of these days, `YYYY-MM-DD` both; whether those of the last are among them is not known.
    pub(super) async fn of_days(&self, from: &str, till: &str) -> Result<Vec<Told>, Failure> {
        self.ask(
            Method::GET,
            &format!("/api/Letter/Date?fromDate={from}&tillDate={till}&onlyIssues=false"),
            None,
        )
        .await
    }

    /// Where these letters stand, at most [`AT_ONCE`].
    pub(super) async fn states(&self, ids: &[i64]) -> Result<Vec<Told>, Failure> {
        self.ask(Method::POST, "/api/Letter/StatusQuery?onlyIssues=false", Some(json!(ids))).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Vec<Told>, Failure> {
        let body = || body.as_ref().map(|it| it.to_string().into_bytes().into());
        let (answer, token) = self.tried(Call::Asking, method.clone(), path, body()).await?;
        let answer = match answer.status {
            401 => self.again(Call::Asking, method, path, body(), &token).await?,
            _ => answer,
        };
        match answer.status {
            200 => read(&answer, Call::Asking),
            _ => Err(self.refusal(&answer, Call::Asking)),
        }
    }

    /// Hands a letter over: its fields, and the bytes of the file as base64, read as they are sent. Its id at the carrier.
    pub(super) async fn send(&self, fields: Map<String, Value>, file: &Path) -> Result<i64, Failure> {
        let path = "/api/Letter";
        let (answer, token) =
            self.tried(Call::Sending, Method::POST, path, Some(upload(&fields, file).await?)).await?;
        let answer = match answer.status {
            401 => {
                let body = Some(upload(&fields, file).await?);
                self.again(Call::Sending, Method::POST, path, body, &token).await?
            }
            _ => answer,
        };
        match answer.status {
            200 | 201 => match read::<Vec<Taken>>(&answer, Call::Sending)?.as_slice() {
                [taken] => Ok(taken.letter_id),
                _ => Err(garbage(Call::Sending)),
            },
            _ => Err(self.refusal(&answer, Call::Sending)),
        }
    }

    /// Calls with the token that is at hand, or a new one.
    async fn tried(
        &self,
        call: Call,
        method: Method,
        path: &str,
        body: Option<Upload>,
    ) -> Result<(Answer, Zeroizing<String>), Failure> {
        let token = {
            let mut kept = self.token.lock().await;
            match kept.as_ref() {
                Some(token) => token.clone(),
                None => kept.insert(self.log_in().await?).clone(),
            }
        };
        let answer = self.send_once(call, method, path, Some(&token), body).await?;
        Ok((answer, token))
    }

    /// Calls once more after the token was refused: it has ended.
    async fn again(
        &self,
        call: Call,
        method: Method,
        path: &str,
        body: Option<Upload>,
        refused: &str,
    ) -> Result<Answer, Failure> {
        {
            let mut kept = self.token.lock().await;
            if kept.as_ref().is_some_and(|token| token.as_str() == refused) {
                *kept = None;
            }
        }
        Ok(self.tried(call, method, path, body).await?.0)
    }

    async fn send_once(
        &self,
        call: Call,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Upload>,
    ) -> Result<Answer, Failure> {
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        let request = Request {
            method,
            url: format!("{}{path}", self.base),
            chosen_by: ChosenBy::Administrator,
            headers,
            body,
            within: self.within,
            most_answer: MOST_ANSWER,
        };
        self.client.send(request).await.map_err(|error| match (error.kind(), call) {
            (FailureKind::Uncertain, Call::Sending) => {
                uncertain("post.carrier-unclear", "no whole answer came")
            }
            (FailureKind::Uncertain | FailureKind::Transient, _) => {
                Failure::transient("post.carrier-unreachable", error.to_string())
            }
            _ => error.into(),
        })
    }

    fn refusal(&self, answer: &Answer, call: Call) -> Failure {
        let told = format!("the carrier answered with {}", answer.status);
        match (answer.status, call) {
            (401 | 403, _) => unauthorised(told),
            (408 | 425 | 429 | 503, _) | (500.., Call::Asking) => {
                Failure::transient("post.carrier-busy", told).after(answer.retry_after(self.now()))
            }
            (500.., Call::Sending) => uncertain("post.carrier-unclear", told),
            (_, Call::Sending) => rejected("post.carrier-refused", told),
            (_, Call::Asking) => Failure::permanent("post.carrier-refused", told),
        }
    }
}

fn unauthorised(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unauthorised, "post.carrier-login", detail)
}

fn garbage(call: Call) -> Failure {
    let kind = match call {
        Call::Asking => FailureKind::Transient,
        Call::Sending => FailureKind::Uncertain,
    };
    Failure::new(kind, "post.carrier-garbage", "the carrier's answer is not what was agreed")
}

fn read<T: DeserializeOwned>(answer: &Answer, call: Call) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| garbage(call))
}

/// An array of one letter, whose `data` is written as it is read.
async fn upload(fields: &Map<String, Value>, file: &Path) -> Result<Upload, Failure> {
    let unread = |_| Failure::transient("post.folder", "a file cannot be read");
    let file = File::open(file).await.map_err(unread)?;
    let size = file.metadata().await.map_err(unread)?.len();
    let fields = Value::Object(fields.clone()).to_string();
    // The fields are never empty: the object ends with a brace, and the data come before it.
    let front = format!("[{},\"data\":\"", fields.strip_suffix('}').unwrap_or_default()).into_bytes();
    let back = b"\"}]".to_vec();
    let length = front.len() as u64 + size.div_ceil(3) * 4 + back.len() as u64;
    let whole = stream::iter([Ok(Bytes::from(front))])
        .chain(encoded(file, size))
        .chain(stream::iter([Ok(Bytes::from(back))]));
    Ok(Upload::new(whole, Some(length)))
}

fn encoded(file: File, size: u64) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync {
    stream::try_unfold((file, size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; length];
        file.read_exact(&mut piece).await?;
        Ok(Some((Bytes::from(STANDARD.encode(piece)), (file, left - length as u64))))
    })
}
