//! People: OpenID Connect Core 1.0 by the authorization code flow (section 3.1) with PKCE by S256 (RFC 7636), `state`, `nonce` and the
//! issuer in the answer (RFC 9207); metadata by OpenID Connect Discovery 1.0; sign-out by RP-Initiated Logout 1.0.
//!
//! What a sign-in was begun with lies with the browser that began it, in a cookie of this site alone, so that an answer is of use to no
//! other browser. What the provider sends in an error is never repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use form_urlencoded::Serializer;
use model::Clock;
use net::Client;
use seal::jose::{self, Bearer, IssuerKeys, Signing};
use seal::mac::is_same;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::claims::Claims;
use crate::keys::{Keys, Pauses, Source};
use crate::{Error, door};

/// How long metadata are kept.
const FRESH: Duration = Duration::from_secs(3600);
/// Least time between two attempts to ask for them.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a sign-in may take, in seconds.
const SIGN_IN_SECONDS: i64 = 600;
/// Longest part of an answer in the address.
const MOST_PART: usize = 4096;

/// A provider of identities.
pub struct ProviderSettings {
    /// Its issuer identifier, as it stands in its metadata and tokens.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// Our secret there; absent: a public client.
    pub client_secret: Option<String>,
    /// Scopes that are asked for; `openid` is always among them.
    pub scopes: Vec<String>,
    /// Where it sends browsers back to.
    pub redirect: String,
    /// Where it sends them after they have signed out.
    pub after_sign_out: String,
    /// Algorithms that it signs id tokens by.
    pub algorithms: Vec<Signing>,
    /// The claim that lists groups.
    pub groups_claim: String,
}

/// What a provider says of itself (Discovery, section 3).
#[derive(Clone, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    #[serde(default)]
    authorization_endpoint: String,
    #[serde(default)]
    token_endpoint: String,
    pub(crate) jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether people can sign in by it.
    fn is_whole(&self) -> bool {
        !self.authorization_endpoint.is_empty() && !self.token_endpoint.is_empty()
    }
}

/// What the provider said of itself, and when it was asked.
struct Held {
    said: Result<Metadata, Error>,
    asked: Option<Instant>,
    failed: bool,
}

impl Default for Held {
    fn default() -> Self {
        Held { said: Err(Error::Unreachable), asked: None, failed: false }
    }
}

/// What a sign-in was begun with; it lies with the browser that began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    state: String,
    nonce: String,
    verifier: String,
    /// Seconds since 1970.
    until: i64,
}

impl Pending {
    /// As it lies in a cookie.
    pub fn to_cookie(&self) -> String {
        format!("{}.{}.{}.{}", self.state, self.nonce, self.verifier, self.until)
    }

    /// As it came back in one.
    pub fn from_cookie(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut secret = || parts.next().filter(|part| part.len() == 43).map(str::to_owned);
        let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
        let until = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Pending { state, nonce, verifier, until })
    }
}

/// A sign-in that is begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where the browser is sent.
    pub url: String,
    /// What it has to bring back.
    pub pending: Pending,
}

/// What a browser brings back from the provider.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Back {
    /// The code.
    pub code: Option<String>,
    /// What the sign-in was begun with.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The provider.
    pub issuer: String,
    /// Its name for this person, which never changes.
    pub subject: String,
    /// E-mail address, if the provider says that it belongs to this person.
    pub email: Option<String>,
    /// Login name at the provider.
    pub login: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// A provider, asked when it is needed.
pub struct Provider {
    settings: ProviderSettings,
    client: Client,
    clock: Arc<dyn Clock>,
    keys: Keys,
    metadata: Mutex<Held>,
}

impl Provider {
    /// A provider that is asked by this client.
    pub fn new(settings: ProviderSettings, client: Client, clock: Arc<dyn Clock>, pauses: Pauses) -> Self {
        let keys = Keys::new(client.clone(), Source::Issuer(settings.issuer.clone()), pauses);
        Provider { settings, client, clock, keys, metadata: Mutex::default() }
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// `Unreachable` if the provider cannot be asked for its metadata.
    pub async fn start(&self) -> Result<Started, Error> {
        let metadata = self.metadata().await?;
        let secret = || seal::random_secret().map_err(|_| Error::Unreachable);
        let until = self.seconds() + SIGN_IN_SECONDS;
        let pending = Pending { state: secret()?, nonce: secret()?, verifier: secret()?, until };
        let mut scopes = vec!["openid"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &challenge(&pending.verifier))
            .append_pair("code_challenge_method", "S256")
            .finish();
        Ok(Started { url: with_query(&metadata.authorization_endpoint, &query), pending })
    }

    /// Ends a sign-in with what the browser brought back, and what it was begun with.
    ///
    /// # Errors
    /// `State` if the answer belongs to another sign-in, `Issuer` if it comes from somebody else, `Refused` if the provider signed nobody
    /// in; whatever is wrong with the id token.
    pub async fn back(&self, pending: &Pending, back: &Back) -> Result<Known, Error> {
        let state = back.state.as_deref().unwrap_or_default();
        if !is_same(state.as_bytes(), pending.state.as_bytes()) || pending.until <= self.seconds() {
            return Err(Error::State);
        }
        let metadata = self.metadata().await?;
        // RFC 9207 section 2.4: a provider that says to name itself has to, and nobody else may be named.
        let is_named = match &back.iss {
            Some(issuer) => *issuer == metadata.issuer,
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if !is_named {
            return Err(Error::Issuer);
        }
        let code = back.code.as_deref().filter(|code| !code.is_empty() && code.len() <= MOST_PART);
        let code = code.filter(|_| back.error.is_none()).ok_or(Error::Refused)?;
        let answer = self.redeem(&metadata, code, &pending.verifier).await?;
        let id_token = answer.get("id_token").and_then(Value::as_str).ok_or(Error::Unreachable)?;
        let mut claims = self.id_token(id_token, &pending.nonce).await?;
        if let (Some(url), Some(token)) =
            (&metadata.userinfo_endpoint, answer.get("access_token").and_then(Value::as_str))
        {
            self.add_userinfo(url, token, &mut claims).await?;
        }
        self.known(&claims)
    }

    /// Where a browser is sent to sign out there, too; `None` if the provider does not offer that or cannot be asked.
    pub async fn sign_out_url(&self) -> Option<String> {
        let metadata = self.metadata().await.ok()?;
        let url = metadata.end_session_endpoint?;
        let query = Serializer::new(String::new())
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.settings.after_sign_out)
            .finish();
        Some(with_query(&url, &query))
    }

    /// Tokens for a code (section 3.1.3).
    async fn redeem(&self, metadata: &Metadata, code: &str, verifier: &str) -> Result<Value, Error> {
        let (authorization, form) = self.token_request(metadata, code, verifier);
        door::post(&self.client, &metadata.token_endpoint, authorization, form).await
    }

    /// How the client names itself, and the form. Apart from the call, which no form that is being written may wait for.
    fn token_request(&self, metadata: &Metadata, code: &str, verifier: &str) -> (Option<String>, String) {
        let settings = &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &settings.redirect)
            .append_pair("code_verifier", verifier);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let offers = |name: &str| methods.iter().any(|method| method == name);
        let posts = offers("client_secret_post") && !offers("client_secret_basic");
        let authorization = match &settings.client_secret {
            Some(secret) if !posts => Some(basic(&settings.client_id, secret)),
            Some(secret) => {
                form.append_pair("client_id", &settings.client_id).append_pair("client_secret", secret);
                None
            }
            None => {
                form.append_pair("client_id", &settings.client_id);
                None
            }
        };
        (authorization, form.finish())
    }

    /// The claims of an id token (section 3.1.3.7).
    async fn id_token(&self, token: &str, nonce: &str) -> Result<Claims, Error> {
        let token = Bearer::read(token, &self.settings.algorithms)?;
        if token.typ().is_some_and(|typ| typ != "jwt") {
            return Err(Error::Kind);
        }
        let keys: Arc<IssuerKeys> = self.keys.with(token.kid()).await?;
        let claims = Claims::read(&token.verify(&keys)?)?;
        claims.check(&self.settings.issuer, &self.settings.client_id, self.clock.now())?;
        let is_for_others = claims.text("azp").is_some_and(|party| party != self.settings.client_id);
        if is_for_others || (claims.texts("aud").len() > 1 && !claims.has("azp")) {
            return Err(Error::Audience);
        }
        let said = claims.text("nonce").unwrap_or_default();
        if is_same(said.as_bytes(), nonce.as_bytes()) { Ok(claims) } else { Err(Error::State) }
    }

    /// What the provider tells beside the id token (section 5.3), if it is about the same person.
    async fn add_userinfo(&self, url: &str, token: &str, claims: &mut Claims) -> Result<(), Error> {
        let more = Claims::read(&door::get(&self.client, url, Some(token)).await?)?;
        if more.text("sub") != claims.text("sub") {
            return Err(Error::State);
        }
        claims.add(more);
        Ok(())
    }

    fn known(&self, claims: &Claims) -> Result<Known, Error> {
        // Section 2: at most 255 characters.
        let subject = claims.text("sub").filter(|subject| subject.len() <= 255).ok_or(Error::Malformed)?;
        let text = |name: &str| claims.text(name).filter(|text| text.len() <= 300).map(str::to_owned);
        let email = text("email").filter(|_| claims.flag("email_verified") == Some(true));
        let groups = claims.texts(&self.settings.groups_claim).into_iter().map(str::to_owned).collect();
        let (login, name) = (text("preferred_username"), text("name"));
        let (issuer, subject) = (self.settings.issuer.clone(), subject.to_owned());
        Ok(Known { issuer, subject, email, login, name, groups })
    }

    /// What the provider says of itself. What it said before is better than nobody being able to sign in; and while it says nothing, it is not
    /// called for everybody who comes.
    async fn metadata(&self) -> Result<Metadata, Error> {
        let mut held = self.metadata.lock().await;
        let is_due = held.asked.is_none_or(|at| at.elapsed() >= if held.failed { AGAIN } else { FRESH });
        if is_due {
            let found = discover(&self.client, &self.settings.issuer).await;
            let found =
                found.and_then(
                    |metadata| if metadata.is_whole() { Ok(metadata) } else { Err(Error::Unreachable) },
                );
            (held.asked, held.failed) = (Some(Instant::now()), found.is_err());
            held.said = match found {
                Ok(metadata) => Ok(metadata),
                Err(error) => held.said.clone().map_err(|_| error),
            };
        }
        held.said.clone()
    }

    fn seconds(&self) -> i64 {
        self.clock.now().micros().div_euclid(1_000_000)
    }
}

/// What an issuer says of itself (Discovery, section 4): it must say that it is the one that was asked.
pub(crate) async fn discover(client: &Client, issuer: &str) -> Result<Metadata, Error> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let metadata: Metadata =
        serde_json::from_slice(&door::get(client, &url, None).await?).map_err(|_| Error::Unreachable)?;
    if metadata.issuer == issuer { Ok(metadata) } else { Err(Error::Issuer) }
}

/// `code_challenge` (RFC 7636 section 4.2).
fn challenge(verifier: &str) -> String {
    jose::base64url_of(&seal::sha256(&[verifier.as_bytes()]).0)
}

/// RFC 6749 section 2.3.1: both are encoded as in a form before.
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

fn with_query(url: &str, query: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}{query}")
}
