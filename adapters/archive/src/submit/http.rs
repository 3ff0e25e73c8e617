//! Calls: bounded in time and size, and what it means that one fails. Nothing of an answer gets into a failure but its status.
//!
//! | what happened | a question | a submission or deletion |
//! |---|---|---|
//! | no connection | transient | transient: nothing was sent |
//! | no whole answer | transient | uncertain |
//! | 408, 425, 429, 503 | transient, with the pause of `Retry-After` | the same: it was not done |
//! | 401, 403 | unauthorised | unauthorised |
//! | other 5xx | transient | uncertain |
//! | other status | rejected | rejected |
//! | an answer that is not what was agreed | transient | uncertain |

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::outbound::ChosenBy;
use model::{Clock, Failure, FailureKind};
use net::{Answer, Client, Method, Request, Upload};
use zeroize::Zeroizing;

use crate::Login;
use crate::codes::{refused, unauthorised, unclear, unreachable};

/// Most bytes of a short answer.
pub(crate) const MOST_ANSWER: usize = 32 << 20;

/// Most bytes of an answer that is read into memory.
const MOST_STATUS: usize = 1 << 20;

/// A way over HTTP. Its addresses are the administrator's choice.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) login: Option<Login>,
    pub(crate) within: Duration,
}

/// A call.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Upload>,
    /// Whether it changes something there.
    pub(crate) acting: bool,
    pub(crate) most_answer: usize,
}

impl Http {
    /// Sends it; the body of the answer goes into `sink` whatever the status is, which is returned.
    pub(crate) async fn send(
        &self,
        call: Call<'_>,
        sink: &mut (dyn Write + Send),
    ) -> Result<Answer, Failure> {
        let mut headers = call.headers;
        if let Some(login) = &self.login {
            let pair = Zeroizing::new(format!("{}:{}", login.user, login.password.as_str()));
            headers.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair.as_bytes()))));
        }
        let request = Request {
            method: call.method,
            url: call.url.to_owned(),
            chosen_by: ChosenBy::Administrator,
            headers,
            body: call.body,
            within: self.within,
            most_answer: call.most_answer,
        };
        let sent = self.client.send_into(request, sink).await;
        let (status, headers) = sent.map_err(|error| unsent(error, call.acting))?;
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// Asks by GET for a short answer with the status 200.
    pub(crate) async fn get(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let call = Call {
            method: Method::GET,
            url,
            headers: vec![],
            body: None,
            acting: false,
            most_answer: MOST_STATUS,
        };
        let mut body = Vec::new();
        let answer = self.send(call, &mut body).await?;
        if answer.status == 200 { Ok(body) } else { Err(self.refusal(&answer, false)) }
    }

    /// What an answer with another status than the wanted one means.
    pub(crate) fn refusal(&self, answer: &Answer, acting: bool) -> Failure {
        let told = format!("the archive answered with {}", answer.status);
        match answer.status {
            401 | 403 => unauthorised(told),
            408 | 425 | 429 | 503 => unreachable(told).after(answer.retry_after(self.clock.now())),
            500.. if acting => unclear(told),
            500.. => unreachable(told),
            _ => refused(told),
        }
    }
}

/// What it means that no answer came.
fn unsent(error: net::Error, acting: bool) -> Failure {
    match error.kind() {
        FailureKind::Uncertain if acting => unclear("no whole answer came"),
        FailureKind::Transient | FailureKind::Uncertain => unreachable(error.to_string()),
        _ => error.into(),
    }
}
