//! The interface over HTTPS: a token for a signed assertion (OpenID Connect, `client_credentials`), which requests carry as
//! `EmbeddedBearer`, and answers as JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::outbound::ChosenBy;
use model::{Clock, Failure, Timestamp, ids};
use net::{Answer, Client, Egress, Method, Request};
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Settings;

/// Longest time of a request.
const WITHIN: Duration = Duration::from_secs(30);
/// Longest answer, in bytes.
const MOST_ANSWER: usize = 4 << 20;
/// How long an assertion is good, in seconds.
const ASSERTION_SECONDS: i64 = 300;
/// Longest time that a token is used.
const LONGEST_TOKEN: u64 = 24 * 3_600;
/// What a problem is called that something is not there.
const NOT_FOUND: &str = "problems/type/ENTITY_NOT_FOUND";
/// What the assertion is (RFC 7523).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks the directory.
pub(super) struct Caller {
    client: Client,
    url: String,
    token_url: Option<String>,
    identity: Identity,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<(String, Timestamp)>>,
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// The directory is not reached, or answers nobody.
    Away(Failure),
    /// This request was not answered as it should be.
    Answer(Failure),
}

/// `Problem`, as far as it is needed.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
}

/// A token as it is given. The example of the interface's description writes its members in another way than its schema.
#[derive(Deserialize)]
struct Given {
    #[serde(alias = "accessToken")]
    access_token: String,
    #[serde(alias = "expiresIn", default)]
    expires_in: u64,
}

impl Caller {
    pub(super) fn new(settings: Settings) -> Result<Self, net::Error> {
        let Settings { url, token_url, identity, trust, clock, .. } = settings;
        let hosts: Vec<&str> =
            [Some(&url), token_url.as_ref()].into_iter().flatten().map(|it| crate::host(it)).collect();
        let client = Client::new(Egress::new(&hosts)?, net::Settings::default(), Arc::clone(&clock))
            .showing(&identity, trust.as_deref())?;
        Ok(Caller { client, url, token_url, identity, clock, token: Mutex::default() })
    }

    /// What a function of the directory answers; nothing if it says itself that it knows nothing: 204, or 404 with the problem that says
    /// so. A 404 alone is also what a proxy says.
    ///
    /// # Errors
    /// `dvdv.*`
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        function: &str,
        request: &Value,
    ) -> Result<Option<T>, Trouble> {
        let token = self.token().await.map_err(Trouble::Away)?;
        let mut answer = self.get(function, request, token.as_deref()).await?;
        // The token may have been taken back before its time.
        if answer.status == 401 && token.is_some() {
            self.forget(token.as_deref());
            let token = self.token().await.map_err(Trouble::Away)?;
            answer = self.get(function, request, token.as_deref()).await?;
        }
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map(Some).map_err(|_| bad(function)),
            204 => Ok(None),
            404 => match serde_json::from_slice::<Problem>(&answer.body) {
                Ok(problem) if problem.kind == NOT_FOUND => Ok(None),
                _ => Err(bad(function)),
            },
            status @ (429 | 502 | 503 | 504) => Err(Trouble::Away(refused(status))),
            status => Err(Trouble::Answer(refused(status))),
        }
    }

    async fn get(&self, function: &str, request: &Value, token: Option<&str>) -> Result<Answer, Trouble> {
        let query: String = form(&request.to_string());
        let headers = token.map(|token| ("Authorization".to_owned(), format!("EmbeddedBearer {token}")));
        let headers = headers.into_iter().chain([("Accept".to_owned(), "application/json".to_owned())]);
        let url = format!("{}/v2/{function}?request_json={query}", self.url);
        let answer = self.send(Method::GET, url, headers.collect(), None).await;
        answer.map_err(|error| match error {
            net::Error::AnswerTooLarge => bad(function),
            error => Trouble::Away(away(error)),
        })
    }

    /// What is kept; never held while somebody waits.
    fn kept(&self) -> MutexGuard<'_, Option<(String, Timestamp)>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a token that is not taken any more, unless there is another one by now.
    fn forget(&self, refused: Option<&str>) {
        let mut kept = self.kept();
        if kept.as_ref().is_some_and(|(token, _)| Some(token.as_str()) == refused) {
            *kept = None;
        }
    }

    /// A token that is still good; nothing if none is needed.
    async fn token(&self) -> Result<Option<String>, Failure> {
        let Some(url) = &self.token_url else { return Ok(None) };
        let now = self.clock.now();
        if let Some((token, _)) = self.kept().as_ref().filter(|(_, until)| now < *until) {
            return Ok(Some(token.clone()));
        }
        let assertion = self.assertion(now, url)?;
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.as_str()),
        ];
        let body = fields.map(|(name, value)| format!("{name}={}", form(value))).join("&");
        let media = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let answer = self.send(Method::POST, url.clone(), vec![media], Some(body.into_bytes())).await;
        let answer = answer.map_err(away)?;
        if answer.status != 200 {
            return Err(refused(answer.status));
        }
        let given: Given = serde_json::from_slice(&answer.body)
            .map_err(|_| Failure::transient("dvdv.bad-answer", "token"))?;
        if given.access_token.is_empty() || !given.access_token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::transient("dvdv.bad-answer", "token"));
        }
        // A tenth of its time early, so that none runs out on the way.
        let lasts = Duration::from_secs(given.expires_in.min(LONGEST_TOKEN)).mul_f64(0.9);
        *self.kept() = Some((given.access_token.clone(), now.plus(lasts)));
        Ok(Some(given.access_token))
    }

    /// A JWT, signed RS256, whose subject is the fingerprint (SHA-1, as everywhere in the directory) of the client certificate.
    fn assertion(&self, now: Timestamp, audience: &str) -> Result<String, Failure> {
        let seconds = now.micros().div_euclid(1_000_000);
        let fingerprint = self.identity.certificate().sha1();
        let fingerprint = fingerprint.map_err(|error| Failure::permanent("dvdv.refused", error.code()))?;
        let subject = format!("fp:{fingerprint}");
        let head = json!({ "alg": "RS256", "typ": "JWT" });
        let claims = json!({
            "iss": subject,
            "sub": subject,
            "aud": audience,
            "jti": ids::new_id(),
            "iat": seconds,
            "exp": seconds + ASSERTION_SECONDS,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let method = SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };
        let signature = self.identity.sign(&Policy::default(), method, signed.as_bytes());
        let signature = signature.map_err(|error| Failure::permanent("dvdv.refused", error.code()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, net::Error> {
        let request = Request {
            method,
            url,
            chosen_by: ChosenBy::Administrator,
            headers,
            body: body.map(Into::into),
            within: WITHIN,
            most_answer: MOST_ANSWER,
        };
        self.client.send(request).await
    }
}

/// A function was answered by something else than what it answers.
fn bad(function: &str) -> Trouble {
    Trouble::Answer(Failure::transient("dvdv.bad-answer", function.to_owned()))
}

/// There is no answer.
fn away(error: net::Error) -> Failure {
    Failure::transient("dvdv.unavailable", error.code())
}

/// A status that is no answer. Nobody but an operator can mend what is wrong with our certificate; it is asked again all the same,
/// since the directory may have been told of it meanwhile.
fn refused(status: u16) -> Failure {
    match status {
        400 | 401 | 403 => Failure::transient("dvdv.refused", format!("status {status}")),
        _ => Failure::transient("dvdv.unavailable", format!("status {status}")),
    }
}

/// A value as it stands in a query or a form.
fn form(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().fold(String::new(), |mut text, byte| {
        match plain(byte) {
            true => text.push(byte.into()),
            false => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
