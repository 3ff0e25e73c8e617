//! Access tokens by client credentials (RFC 6749 section 4.4), with id and secret in the body (`client_secret_post`): the service refuses
//! HTTP Basic. A token is used until shortly before its end.

use std::time::Duration;

use model::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// A token is not used any more so long before its end.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is used whose answer does not say it.
const UNTOLD: u64 = 300;

/// Who the gateway is at the delivery service.
pub(super) struct Credentials {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: Zeroizing<String>,
}

/// A token that is used as long as it can be.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<(Zeroizing<String>, Timestamp)>>);

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Credentials {
    /// The body that asks for a token.
    pub(super) fn form(&self) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("client_id", &self.id);
        form.append_pair("client_secret", &self.secret);
        form.finish().into_bytes()
    }
}

impl Kept {
    /// The token, if it can still be used.
    pub(super) async fn current(&self, now: Timestamp) -> Option<Zeroizing<String>> {
        let kept = self.0.lock().await;
        kept.as_ref().filter(|(_, until)| now < *until).map(|(token, _)| token.clone())
    }

    /// Keeps the token of an answer; `None` if it is no answer.
    pub(super) async fn keep(&self, answer: &[u8], now: Timestamp) -> Option<Zeroizing<String>> {
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        let token = Zeroizing::new(answer.access_token);
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let seconds = Duration::from_secs(answer.expires_in.unwrap_or(UNTOLD).min(86_400));
        let until = now.plus(seconds.saturating_sub(MARGIN));
        *self.0.lock().await = is_token.then(|| (token.clone(), until));
        is_token.then_some(token)
    }

    /// The service does not take it any more.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
