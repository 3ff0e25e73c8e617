//! A small REST client: total time-outs, typed refusals, and repetition only where it is asked for.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::StreamExt;
use openssl::sha::Sha256;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::Error;
use crate::simulate::files::Content;

/// Longest that one request may take, uploads included.
const TOTAL: Duration = Duration::from_secs(180);
/// How long a connection may be idle and still be used again: much shorter than the patience of any gateway here, which ends
/// it then, perhaps just when a request goes out.
const REUSED_WITHIN: Duration = Duration::from_millis(500);

/// Longest silence of the server.
const SILENCE: Duration = Duration::from_secs(60);

/// How long [`Client::insist`] goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the gateway's REST interface is reached; `None` while it is down.
pub type Address = watch::Receiver<Option<String>>;

/// A caller with one token.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    token: String,
}

/// An answer with a JSON body, or without one (`Null`).
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is one of `wanted`.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with the problem's code if not.
    pub fn expect(self, what: &str, wanted: &[u16]) -> Result<Value, Error> {
        if wanted.contains(&self.status) {
            return Ok(self.body);
        }
        let code = self.code().to_owned();
        Err(Error::Unexpected { what: what.to_owned(), status: self.status, code })
    }

    /// The problem's stable code; empty if the answer is none.
    pub fn code(&self) -> &str {
        text(&self.body, "code")
    }
}

/// What came down of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// HTTP status.
    pub status: u16,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
}

impl Client {
    /// A caller of the gateway at `address`.
    ///
    /// # Errors
    /// If the TLS library cannot be set up.
    pub fn new(address: Address, token: &str) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE)
            .timeout(TOTAL)
            .pool_idle_timeout(REUSED_WITHIN)
            .no_proxy()
            .build()?;
        Ok(Client { http, address, token: token.to_owned() })
    }

    /// GET with a JSON answer. `path` begins behind `/api/v1`. The gateway ends connections that were idle for a while, perhaps
    /// in this moment, so a second one may be tried.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        match answer(self.request(Method::GET, path).await?).await {
            Err(Error::Unreachable(_)) => answer(self.request(Method::GET, path).await?).await,
            outcome => outcome,
        }
    }

    /// GET that must be answered with 200.
    ///
    /// # Errors
    /// If no answer came, or another one.
    pub async fn read(&self, path: &str) -> Result<Value, Error> {
        self.get(path).await?.expect(&format!("GET {path}"), &[200])
    }

    /// POST of a JSON body. The same `key` again is the same request.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer, Error> {
        let request = self.request(Method::POST, path).await?.header("Idempotency-Key", key).json(body);
        answer(request).await
    }

    /// PATCH, PUT or DELETE, with the version that the caller has seen.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn change(
        &self,
        method: Method,
        path: &str,
        version: Option<u64>,
        body: &Value,
    ) -> Result<Answer, Error> {
        let mut request = self.request(method, path).await?;
        if let Some(version) = version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        answer(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Streams `content` to a path that takes raw bodies, announcing its length and digest.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn upload(
        &self,
        method: Method,
        path: &str,
        key: &str,
        content: &Content,
    ) -> Result<Answer, Error> {
        let stream = content.stream();
        self.upload_stream(method, path, key, content, Body::wrap_stream(stream)).await
    }

    /// The same with a body that the caller controls, such as one that stops half-way.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn upload_stream(
        &self,
        method: Method,
        path: &str,
        key: &str,
        content: &Content,
        body: Body,
    ) -> Result<Answer, Error> {
        let request = self
            .request(method, path)
            .await?
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, content.media_type)
            .header(CONTENT_LENGTH, content.size)
            .header("Repr-Digest", repr_digest(&content.sha256))
            .body(body);
        answer(request).await
    }

    /// Uploads bytes in parts of up to `part` bytes (draft-ietf-httpbis-resumable-upload), going on after every
    /// interruption from where the gateway says. The same `key` again is the same request.
    ///
    /// # Errors
    /// If there is no answer for a minute, or the upload is gone.
    pub async fn upload_in_parts(
        &self,
        method: Method,
        path: &str,
        key: &str,
        (media_type, bytes): (&'static str, &Bytes),
        part: usize,
    ) -> Result<Answer, Error> {
        let begin = async || {
            let request = self.request(method.clone(), path).await?.header("Idempotency-Key", key);
            let request = request.header(CONTENT_TYPE, media_type).header("Upload-Complete", "?0");
            answer(request.header("Upload-Length", bytes.len())).await
        };
        let begun = self.insist(begin).await?;
        let location = begun.headers.get("location").and_then(|value| value.to_str().ok());
        let Some(upload) = location.and_then(|path| path.strip_prefix("/api/v1")).map(str::to_owned) else {
            return Ok(begun);
        };
        loop {
            let ask = async || answer(self.request(Method::HEAD, &upload).await?).await;
            let head = self.insist(ask).await?;
            let offset =
                head.headers.get("upload-offset").and_then(|value| value.to_str().ok()?.parse().ok());
            let Some(offset) = offset.filter(|offset| *offset <= bytes.len()) else { return Ok(head) };
            let end = bytes.len().min(offset + part);
            let request = self
                .request(Method::PATCH, &upload)
                .await?
                .header(CONTENT_TYPE, "application/partial-upload")
                .header("Upload-Complete", if end == bytes.len() { "?1" } else { "?0" })
                .header("Upload-Offset", offset)
                .body(bytes.slice(offset..end));
            match answer(request).await {
                Ok(kept) if kept.status == 204 || kept.status == 503 => {}
                // Where it stands now is asked anew.
                Ok(lost) if matches!(lost.code(), "broker.upload-offset" | "broker.upload-superseded") => {}
                Err(Error::Unreachable(_)) => {}
                outcome => return outcome,
            }
        }
    }

    /// Fetches bytes, hashing while they arrive; they are written to `sink`.
    ///
    /// # Errors
    /// If the answer did not come whole, or `sink` could not be written.
    pub async fn download(
        &self,
        path: &str,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Downloaded, Error> {
        let response = self.request(Method::GET, path).await?.send().await?;
        let status = response.status().as_u16();
        let mut digest = Sha256::new();
        let mut size = 0;
        let mut chunks = response.bytes_stream();
        while let Some(bytes) = chunks.next().await {
            let bytes = bytes?;
            size += bytes.len() as u64;
            digest.update(&bytes);
            sink.write_all(&bytes).await?;
        }
        sink.flush().await?;
        Ok(Downloaded { status, size, sha256: hex::encode(digest.finish()) })
    }

    /// All items of a paged list.
    ///
    /// # Errors
    /// If a page did not come.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Error> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = vec![];
        let mut after = String::new();
        loop {
            let mut page = self.read(&format!("{path}{separator}limit=200{after}")).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            let Some(next) = page.get("next").and_then(Value::as_str) else { return Ok(items) };
            after = format!("&after={next}");
        }
    }

    /// Sealed events behind number `after`, with their numbers; all that there are.
    ///
    /// # Errors
    /// If a page did not come.
    pub async fn events(&self, after: u64) -> Result<Vec<(u64, Value)>, Error> {
        let mut all = vec![];
        let mut last = after;
        loop {
            let page = self.read(&format!("/events?after={last}&limit=200")).await?;
            let number = |item: &Value| item["number"].as_u64().unwrap_or_default();
            all.extend(items(&page, "items").iter().map(|item| (number(item), item["event"].clone())));
            match all.last() {
                Some((number, _)) if *number > last => last = *number,
                _ => return Ok(all),
            }
        }
    }

    /// Waits until the feed tells of an event of `kind` about the record `subject`, and with it of all
    /// that was committed before.
    ///
    /// # Errors
    /// [`Error::Late`] if it does not within a minute.
    pub async fn wait_for_event(&self, kind: &str, subject: &str) -> Result<(), Error> {
        let begin = Instant::now();
        let mut last = 0;
        while begin.elapsed() < PATIENCE {
            for (number, event) in self.events(last).await? {
                last = number;
                if text(&event, "kind") == kind && text(&event["subject"], "id") == subject {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(Error::Late(format!("{kind} in the feed")))
    }

    /// Looks at `path` until its body fits; returns that body.
    ///
    /// # Errors
    /// [`Error::Late`] if it does not within a minute.
    pub async fn wait_until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        let begin = Instant::now();
        loop {
            let body = self.read(path).await?;
            if fits(&body) {
                return Ok(body);
            }
            if begin.elapsed() > PATIENCE {
                return Err(Error::Late(format!("GET {path}")));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Asks until there is an answer, as a client does who cannot know whether a request arrived
    /// whose connection broke. The request must carry the same idempotency key each time.
    ///
    /// # Errors
    /// If there is none for a minute.
    pub async fn insist(&self, ask: impl AsyncFn() -> Result<Answer, Error>) -> Result<Answer, Error> {
        let begin = Instant::now();
        loop {
            let outcome = ask().await;
            let unclear = match &outcome {
                Ok(answer) => answer.status == 503,
                Err(error) => matches!(error, Error::Unreachable(_)),
            };
            if !unclear || begin.elapsed() > PATIENCE {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Error> {
        let mut address = self.address.clone();
        let up = tokio::time::timeout(PATIENCE, address.wait_for(Option::is_some)).await;
        let base = match up {
            Ok(Ok(base)) => base.clone().unwrap_or_default(),
            _ => return Err(Error::Late("the gateway's address".to_owned())),
        };
        Ok(self.http.request(method, format!("{base}/api/v1{path}")).bearer_auth(&self.token))
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = response.bytes().await?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Answer { status, headers, body })
}

/// RFC 9530 form of a digest given in hex.
fn repr_digest(sha256: &str) -> String {
    format!("sha-256=:{}:", BASE64.encode(hex::decode(sha256).unwrap_or_default()))
}

/// A text member; empty if it is absent or no text.
pub fn text<'a>(json: &'a Value, member: &str) -> &'a str {
    json.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// An array member; empty if it is absent or no array.
pub fn items<'a>(json: &'a Value, member: &str) -> &'a [Value] {
    json.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
