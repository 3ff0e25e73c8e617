//! Signing in at a service of XBezahldienste: OAuth 2 client credentials (RFC 6749 section 4.4), Basic (RFC 7617), or nothing beside the
//! certificate of the connection.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::{Failure, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::form;
use crate::http::{Call, FORM, Http, JSON, garbage, json, unauthorised};

/// A token is given up so long before it ends, and is kept for no longer than this, and so long if its service does not say.
const EARLY: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3_600);
const UNTOLD: Duration = Duration::from_secs(60);

/// Longest token, in bytes.
const TOKEN: usize = 8 * 1024;

/// How one signs in at a service.
pub enum Auth {
    /// OAuth 2 client credentials.
    ClientCredentials {
        /// Address of the token service.
        token_url: String,
        /// Our name there.
        client_id: String,
        /// Our secret there.
        client_secret: Zeroizing<String>,
        /// Scope that is asked for, if the service has scopes.
        scope: Option<String>,
    },
    /// HTTP Basic.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: Zeroizing<String>,
    },
    /// The certificate that the client shows.
    Certificate,
}

/// Who we are for one service, with the token that it gave last.
pub(super) struct Login {
    auth: Auth,
    token: Mutex<Option<Token>>,
}

struct Token {
    header: Zeroizing<String>,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Login {
    pub(super) fn new(auth: Auth) -> Self {
        Login { auth, token: Mutex::new(None) }
    }

    /// The value of `Authorization`, if there is one. Whatever goes wrong with the token, nothing was done at the service.
    pub(super) async fn header(&self, http: &Http) -> Result<Option<Zeroizing<String>>, Failure> {
        match &self.auth {
            Auth::Certificate => Ok(None),
            Auth::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
                Ok(Some(Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))))
            }
            Auth::ClientCredentials { token_url, client_id, client_secret, scope } => {
                if let Some(known) = self.kept(http.now()) {
                    return Ok(Some(known));
                }
                let mut fields = vec![
                    ("grant_type", "client_credentials"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.as_str()),
                ];
                fields.extend(scope.as_ref().map(|scope| ("scope", scope.as_str())));
                let token = fetched(http, token_url, form::write(&fields)).await?;
                let header = token.header.clone();
                *self.token() = Some(token);
                Ok(Some(header))
            }
        }
    }

    /// The service does not take the token: whether it is worth to come with another one.
    pub(super) fn forget(&self) -> bool {
        self.token().take().is_some()
    }

    fn kept(&self, now: Timestamp) -> Option<Zeroizing<String>> {
        self.token().as_ref().filter(|token| now < token.until).map(|token| token.header.clone())
    }

    fn token(&self) -> MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetched(http: &Http, url: &str, form: String) -> Result<Token, Failure> {
    let answer = http.post(Call::Asking, url, FORM, &[("accept", JSON)], form).await?;
    match answer.status {
        200 => {}
        // RFC 6749 section 5.2: a wrong client is answered with one of both.
        400 | 401 => return Err(unauthorised("the token service refuses us")),
        _ => return Err(http.refusal(&answer, Call::Asking)),
    }
    let granted: Granted = json(&answer, Call::Asking)?;
    let is_token = !granted.access_token.is_empty()
        && granted.access_token.len() <= TOKEN
        && granted.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(garbage(Call::Asking));
    }
    let told = granted.expires_in.map_or(UNTOLD, Duration::from_secs);
    let until = http.now().plus(told.min(LONGEST).saturating_sub(EARLY));
    Ok(Token { header: Zeroizing::new(format!("Bearer {}", granted.access_token)), until })
}
