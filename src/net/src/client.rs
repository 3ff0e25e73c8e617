//! The client: one request, one answer, within a time and a size that are known before. HTTP/1.1 (RFC 9112); `Retry-After`
//! as in RFC 9110, section 10.2.3.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use http_body::Body as _;
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::{Clock, Failure, Timestamp};
use openssl::x509::X509;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use seal::identity::Identity;
use seal::x509::Certificate;
use tokio::time::Instant;

use crate::Error;
use crate::body::{Sent, Watched};
use crate::egress::{Egress, Reach};
use crate::opened::{Limited, Opened};
use crate::pace::{Pace, Paced};
use crate::resolver::{NoneMayBeReached, Resolver};

/// Sent with every request.
const USER_AGENT: &str = concat!("Amtsbote/", env!("CARGO_PKG_VERSION"));

/// Most header fields of an answer.
const MOST_HEADERS: usize = 100;

/// Connections that are kept for the next request, for each host, and for how long.
const KEPT: (usize, Duration) = (4, Duration::from_secs(20));

/// Pauses that no request has to name.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Longest time for name, connection and TLS.
    pub connect: Duration,
    /// Longest silence of the other side until its answer begins: while it should be taking, too.
    pub silence: Duration,
    /// How slowly the body of an answer may come.
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        let pace = Pace { patience: Duration::from_secs(30), ..Pace::default() };
        Settings { connect: Duration::from_secs(10), silence: Duration::from_secs(30), pace }
    }
}

/// A request.
pub struct Request {
    /// Method.
    pub method: Method,
    /// `https://…`, or `http://…` where the egress rules allow it.
    pub url: String,
    /// Who chose the address.
    pub chosen_by: ChosenBy,
    /// Header fields, without `Host` and those that describe how the body is sent.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Upload>,
    /// Longest time for all of it: name, connection, sending, answer.
    pub within: Duration,
    /// Most bytes of the answer's body that are read.
    pub most_answer: usize,
}

/// A body as a stream: it never stands in memory as a whole.
pub struct Upload {
    pieces: crate::body::Pieces,
    length: Option<u64>,
}

impl Upload {
    /// A body of `length` bytes, or of a length that nobody knows before.
    pub fn new(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
        length: Option<u64>,
    ) -> Self {
        Upload { pieces: Box::pin(pieces), length }
    }
}

impl From<Vec<u8>> for Upload {
    fn from(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Upload::new(futures::stream::iter([Ok(Bytes::from(bytes))]), Some(length))
    }
}

/// What was answered, whatever the status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status. Redirects are never followed.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// `Retry-After` as the time from `now` on; a moment that has passed is no time at all.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let now = Duration::from_micros(u64::try_from(now.micros()).unwrap_or(0));
        Some(at.saturating_sub(now))
    }

    fn content_type(&self) -> Option<String> {
        Some(self.headers.get(CONTENT_TYPE)?.to_str().ok()?.to_owned())
    }
}

/// The client. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    egress: Arc<Egress>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    shown: Option<Shown>,
    made: Arc<Made>,
}

/// Who a client is, and whom it trusts, in TLS.
#[derive(Clone)]
struct Shown {
    identity: reqwest::Identity,
    trust: Option<Vec<reqwest::Certificate>>,
}

/// Made when they are needed first: reading the system's certificates takes longer than all else that starts with the
/// gateway. Connections are never shared between those that may reach different networks.
#[derive(Default)]
struct Made {
    anywhere: OnceLock<reqwest::Client>,
    listed: OnceLock<reqwest::Client>,
    public: OnceLock<reqwest::Client>,
}

impl Client {
    /// A client that obeys `egress`.
    pub fn new(egress: Egress, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Client { egress: Arc::new(egress), settings, clock, shown: None, made: Arc::default() }
    }

    /// The same that shows the certificate of `identity` with its chain. The certificates of servers must go back to those of
    /// `trust`; absent, to those of the system.
    ///
    /// # Errors
    /// [`Error::Identity`] if the key pair or a certificate cannot be used for TLS.
    pub fn showing(self, identity: &Identity, trust: Option<&[Certificate]>) -> Result<Self, Error> {
        let shown = Shown::of(identity, trust).ok_or(Error::Identity)?;
        Ok(Client { shown: Some(shown), made: Arc::default(), ..self })
    }

    /// Sends a request, once, and reads its answer.
    ///
    /// # Errors
    /// Any but [`Error::Rule`]; [`Error::kind`] says whether something may have been sent.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let mut body = Vec::new();
        let (status, headers) = self.send_into(request, &mut body).await?;
        Ok(Answer { status, headers, body })
    }

    /// The same for answers that do not stand in memory: the body goes into `sink` piece by piece, whatever the status. The
    /// sink must not block for long. Returns status and header fields.
    ///
    /// # Errors
    /// As [`send`](Client::send); [`Error::NoAnswer`] if the sink fails.
    pub async fn send_into(
        &self,
        request: Request,
        sink: &mut (dyn Write + Send),
    ) -> Result<(u16, HeaderMap), Error> {
        let most_answer = request.most_answer;
        let (response, until) = self.answered(request).await?;
        let answer = read(response, most_answer, self.settings.pace, sink);
        tokio::time::timeout_at(until, answer).await.unwrap_or(Err(Error::NoAnswer))
    }

    /// The same for answers that are read later on: their body is a stream, within the same time and size.
    ///
    /// # Errors
    /// As [`send`](Client::send), as far as the head of the answer.
    pub async fn open(&self, request: Request) -> Result<Opened, Error> {
        let most_answer = request.most_answer;
        let (response, until) = self.answered(request).await?;
        if response.content_length().is_some_and(|length| length > most_answer as u64) {
            return Err(Error::AnswerTooLarge);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = Limited::new(reqwest::Body::from(response), self.settings.pace, most_answer, until);
        Ok(Opened { status, headers, body: Box::new(body) })
    }

    /// The head of the answer, and until when the rest of it has to be there.
    async fn answered(&self, request: Request) -> Result<(Response, Instant), Error> {
        let has_body = request.body.is_some();
        let sent = Arc::new(Sent::nothing(has_body));
        let within = request.within;
        let request = self.prepare(request, &sent)?;
        let until = Instant::now() + within;
        tokio::select! {
            response = request.send() => Ok((response.map_err(|error| reason(&error, &sent))?, until)),
            () = sent.silence(self.settings.silence) => Err(late(has_body, &sent)),
            () = tokio::time::sleep_until(until) => Err(late(has_body, &sent)),
        }
    }

    fn prepare(&self, request: Request, sent: &Arc<Sent>) -> Result<reqwest::RequestBuilder, Error> {
        let url = Url::parse(&request.url).map_err(|_| Error::Url)?;
        let client = self.made(self.egress.judge(&url, request.chosen_by)?)?;
        let builder = client.request(request.method, url).headers(headers(&request.headers)?);
        Ok(match request.body {
            Some(Upload { pieces, length }) => {
                builder.body(reqwest::Body::wrap(Watched { pieces, length, sent: Arc::clone(sent) }))
            }
            None => builder,
        })
    }

    /// The client for those who may reach so far.
    fn made(&self, reach: Reach) -> Result<&reqwest::Client, Error> {
        let place = match reach {
            Reach::Anywhere => &self.made.anywhere,
            Reach::Listed => &self.made.listed,
            Reach::Public => &self.made.public,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let client = http_client(
            Resolver { egress: Arc::clone(&self.egress), reach },
            self.settings,
            self.shown.as_ref(),
        )?;
        Ok(place.get_or_init(|| client))
    }
}

#[async_trait]
impl Outbound for Client {
    fn permits(&self, url: &str, chosen_by: ChosenBy) -> Result<(), Failure> {
        let url = Url::parse(url).map_err(|_| Error::Url)?;
        self.egress.judge(&url, chosen_by)?;
        Ok(())
    }

    async fn post(&self, post: &Post) -> Result<Reply, Failure> {
        let request = Request {
            method: Method::POST,
            url: post.url.clone(),
            chosen_by: post.chosen_by,
            headers: post.headers.clone(),
            body: Some(post.body.clone().into()),
            within: post.within,
            most_answer: post.most_answer,
        };
        let answer = self.send(request).await?;
        Ok(Reply {
            status: answer.status,
            content_type: answer.content_type(),
            retry_after: answer.retry_after(self.clock.now()),
            body: answer.body,
        })
    }
}

impl Shown {
    fn of(identity: &Identity, trust: Option<&[Certificate]>) -> Option<Self> {
        let pem = |certificate: &Certificate| X509::from_der(certificate.der()).ok()?.to_pem().ok();
        let mut chain = pem(identity.certificate())?;
        for issuer in identity.chain() {
            chain.extend(pem(issuer)?);
        }
        let key = identity.key().private_key_to_pem_pkcs8().ok()?;
        let own = |it: &Certificate| reqwest::Certificate::from_der(it.der()).ok();
        let trust = match trust {
            Some(all) => Some(all.iter().map(own).collect::<Option<_>>()?),
            None => None,
        };
        Some(Shown { identity: reqwest::Identity::from_pkcs8_pem(&chain, &key).ok()?, trust })
    }
}

fn http_client(
    resolver: Resolver,
    settings: Settings,
    shown: Option<&Shown>,
) -> Result<reqwest::Client, Error> {
    let (kept, kept_for) = KEPT;
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .http1_max_headers(MOST_HEADERS)
        .pool_max_idle_per_host(kept)
        .pool_idle_timeout(kept_for)
        .connect_timeout(settings.connect);
    let builder = match shown.cloned() {
        Some(Shown { identity, trust: Some(trust) }) => builder.identity(identity).tls_certs_only(trust),
        Some(Shown { identity, trust: None }) => builder.identity(identity),
        None => builder,
    };
    // Ends a connection whose other side takes nothing any more.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(settings.silence);
    builder.build().map_err(|_| Error::Setup)
}

fn headers(fields: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::try_from(name).map_err(|_| Error::Header)?;
        let is_ours = name == HOST || name == CONTENT_LENGTH || name == reqwest::header::TRANSFER_ENCODING;
        let value = HeaderValue::try_from(value).map_err(|_| Error::Header)?;
        if is_ours {
            return Err(Error::Header);
        }
        headers.append(name, value);
    }
    Ok(headers)
}

async fn read(
    response: Response,
    most: usize,
    pace: Pace,
    sink: &mut (dyn Write + Send),
) -> Result<(u16, HeaderMap), Error> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Error::AnswerTooLarge);
    }
    let mut taken = 0;
    let mut body = Paced::new(reqwest::Body::from(response), pace);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(piece) = frame.map_err(|_| Error::NoAnswer)?.into_data() else { continue };
        taken += piece.len();
        if taken > most {
            return Err(Error::AnswerTooLarge);
        }
        sink.write_all(&piece).map_err(|_| Error::NoAnswer)?;
    }
    Ok((status, headers))
}

/// What it means that the time is over. Without a body nobody can tell whether the head has left.
fn late(has_body: bool, sent: &Sent) -> Error {
    if has_body && !sent.begun() { Error::Unreachable } else { Error::NoAnswer }
}

/// Why no answer came. Only the kinds of errors are looked at: their texts quote what others sent.
fn reason(error: &reqwest::Error, sent: &Sent) -> Error {
    if !error.is_connect() {
        return if sent.failed() { Error::Body } else { Error::NoAnswer };
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NoneMayBeReached>() {
            return Error::Forbidden;
        }
        if cause.is::<native_tls::Error>() {
            return Error::Tls;
        }
        source = cause.source();
    }
    Error::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(value: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        Answer { status: 503, headers, body: vec![] }.retry_after(now).map(|time| time.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120"), Some(120));
        assert_eq!(retry_after(" 0 "), Some(0));
        assert_eq!(retry_after("Sun, 01 Mar 2026 12:02:00 GMT"), Some(120));
        assert_eq!(retry_after("Sunday, 01-Mar-26 12:02:00 GMT"), Some(120));
        assert_eq!(retry_after("Sun, 01 Mar 2026 11:00:00 GMT"), Some(0));
        assert_eq!(retry_after("99999999999999999999999999"), Some(u64::MAX));
        for wrong in ["", "-1", "1.5", "soon", "+5", "Sun, 32 Mar 2026 12:02:00 GMT"] {
            assert_eq!(retry_after(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn header_fields_that_cannot_be_sent_or_are_not_the_caller_s_are_refused() {
        let one =
            |name: &str, value: &str| headers(&[(name.to_owned(), value.to_owned())]).map(|all| all.len());
        assert_eq!(one("x-a", "b"), Ok(1));
        for (name, value) in
            [("x a", "b"), ("x-a", "b\r\nx: y"), ("Host", "a"), ("content-length", "1"), ("", "")]
        {
            assert_eq!(one(name, value), Err(Error::Header), "{name}");
        }
    }
}
