//! Calls to a repository: bounded in time and size, and what it means that one fails. CMIS 1.1, sections 2.2.1.4 (exceptions), 3.2.3.1 and
//! 5.2.10 (their HTTP codes): the exception decides, 409 alone has five meanings. Nothing of an answer gets into a failure.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::outbound::ChosenBy;
use model::{Clock, Failure};
use net::{Answer, Client, Method, Opened, Request, Upload};
use zeroize::Zeroizing;

use crate::failure;
use crate::rest::unsent;

/// Most bytes of an answer that stands in memory: a page of a hundred objects, or the definition of a type.
const MOST_ANSWER: usize = 8 * 1024 * 1024;

/// Most bytes of content: 64 GB.
const MOST_CONTENT: usize = 64 << 30;

/// What a repository said instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exception {
    /// 409 without a word: one of several.
    Conflict,
    Constraint,
    ContentAlreadyExists,
    FilterNotValid,
    InvalidArgument,
    NameConstraintViolation,
    NotSupported,
    ObjectNotFound,
    PermissionDenied,
    Storage,
    StreamNotSupported,
    UpdateConflict,
    Versioning,
    Runtime,
    TooManyRequests,
    ServiceUnavailable,
}

impl Exception {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "constraint" => Exception::Constraint,
            "contentAlreadyExists" => Exception::ContentAlreadyExists,
            "filterNotValid" => Exception::FilterNotValid,
            "invalidArgument" => Exception::InvalidArgument,
            "nameConstraintViolation" => Exception::NameConstraintViolation,
            "notSupported" => Exception::NotSupported,
            "objectNotFound" => Exception::ObjectNotFound,
            "permissionDenied" => Exception::PermissionDenied,
            "storage" => Exception::Storage,
            "streamNotSupported" => Exception::StreamNotSupported,
            "updateConflict" => Exception::UpdateConflict,
            "versioning" => Exception::Versioning,
            "runtime" => Exception::Runtime,
            "tooManyRequests" => Exception::TooManyRequests,
            "serviceUnavailable" => Exception::ServiceUnavailable,
            _ => return None,
        })
    }

    /// What a status alone means where nothing names the exception (AtomPub, section 3.2.3.1).
    pub(super) fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            400 => Exception::InvalidArgument,
            403 => Exception::PermissionDenied,
            404 | 410 => Exception::ObjectNotFound,
            405 => Exception::NotSupported,
            409 => Exception::Conflict,
            _ => return None,
        })
    }

    /// Whether it may be otherwise a little later.
    pub(super) fn is_passing(self) -> bool {
        matches!(
            self,
            Exception::Storage
                | Exception::Runtime
                | Exception::TooManyRequests
                | Exception::ServiceUnavailable
        )
    }

    fn failure(self) -> Failure {
        match self {
            Exception::Conflict => failure::conflict(),
            Exception::Constraint => failure::refused("constraint: a rule of the type is not kept"),
            Exception::ContentAlreadyExists => failure::refused("the document has content already"),
            Exception::FilterNotValid => failure::refused("filterNotValid"),
            Exception::InvalidArgument => failure::refused("invalidArgument: a property is unknown or wrong"),
            Exception::NameConstraintViolation => failure::name_taken(),
            Exception::NotSupported => failure::refused("the repository does not support this"),
            Exception::ObjectNotFound => failure::gone(),
            Exception::PermissionDenied => failure::unauthorised(),
            Exception::StreamNotSupported => failure::refused("the type has no content"),
            Exception::UpdateConflict => failure::conflict(),
            Exception::Versioning => failure::refused("versioning: not the version that may be changed"),
            Exception::Storage
            | Exception::Runtime
            | Exception::TooManyRequests
            | Exception::ServiceUnavailable => failure::unavailable(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The repository said so.
    Said(Exception, Option<Duration>),
    /// Anything else.
    Failed(Failure),
}

impl Trouble {
    /// Whether the repository said just this.
    pub(super) fn is(&self, wanted: Exception) -> bool {
        matches!(self, Trouble::Said(said, _) if *said == wanted)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failed(failure)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Said(exception, after) => exception.failure().after(after),
            Trouble::Failed(failure) => failure,
        }
    }
}

/// Absent where the repository says that it is not there.
pub(super) fn found<T>(outcome: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(trouble) if trouble.is(Exception::ObjectNotFound) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// How a binding tells exceptions.
pub(super) type Named = fn(&Answer) -> Option<Exception>;

/// The way to a repository. Credentials go to the host that the administrator named, and to no other.
pub(super) struct Http {
    client: Client,
    clock: Arc<dyn Clock>,
    origin: String,
    authorization: Zeroizing<String>,
    within: Duration,
    transfer_within: Duration,
    named: Named,
}

impl Http {
    pub(super) fn new(
        settings: &super::Settings,
        client: Client,
        clock: Arc<dyn Clock>,
        named: Named,
    ) -> Self {
        let pair = Zeroizing::new(format!("{}:{}", settings.user, *settings.password));
        Http {
            client,
            clock,
            origin: origin(&settings.url).to_owned(),
            authorization: Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()))),
            within: settings.within,
            transfer_within: settings.transfer_within,
            named,
        }
    }

    /// Asks.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, Trouble> {
        let request = self.request(Method::GET, url, self.within)?;
        self.judged(self.client.send(request).await.map_err(unsent)?)
    }

    /// Has something done.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Upload>,
        carries_bytes: bool,
    ) -> Result<Answer, Trouble> {
        let within = if carries_bytes { self.transfer_within } else { self.within };
        let mut request = self.request(method, url, within)?;
        request.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        request.body = body;
        self.judged(self.client.send(request).await.map_err(unsent)?)
    }

    /// Content from a byte on.
    pub(super) async fn open(&self, url: &str, from: u64) -> Result<Opened, Trouble> {
        let mut request = self.request(Method::GET, url, self.transfer_within)?;
        request.most_answer = MOST_CONTENT;
        if from > 0 {
            request.headers.push(("range".to_owned(), format!("bytes={from}-")));
        }
        let mut opened = self.client.open(request).await.map_err(unsent)?;
        let wanted = if from > 0 { 206 } else { 200 };
        if opened.status == wanted {
            return Ok(opened);
        }
        // What says why is small.
        let mut body = vec![0; 64 * 1024];
        let read = tokio::io::AsyncReadExt::read(&mut opened.body, &mut body).await.unwrap_or(0);
        body.truncate(read);
        let answer = Answer { status: opened.status, headers: opened.headers, body };
        self.judged(answer)?;
        Err(failure::not_understood("it does not give the part of the content that was asked for").into())
    }

    fn request(&self, method: Method, url: &str, within: Duration) -> Result<Request, Failure> {
        if !origin(url).eq_ignore_ascii_case(&self.origin) {
            return Err(failure::setup(
                "the repository names addresses at another host than the one configured",
            ));
        }
        let authorization = ("authorization".to_owned(), self.authorization.as_str().to_owned());
        Ok(Request {
            method,
            url: url.to_owned(),
            chosen_by: ChosenBy::Administrator,
            headers: vec![authorization],
            body: None,
            within,
            most_answer: MOST_ANSWER,
        })
    }

    fn judged(&self, answer: Answer) -> Result<Answer, Trouble> {
        let after = answer.retry_after(self.clock.now());
        // Some say so with 200, too.
        if let Some(exception) = (self.named)(&answer) {
            return Err(Trouble::Said(exception, after));
        }
        Err(Trouble::Failed(match answer.status {
            200..=299 => return Ok(answer),
            401 | 403 => failure::unauthorised(),
            408 | 425 | 429 | 500..=599 => failure::unavailable().after(after),
            413 => failure::refused("the content is too large for it"),
            400..=499 => failure::refused("it does not know what was asked of it"),
            _ => failure::not_understood("it leads elsewhere"),
        }))
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

/// An address with further parameters.
pub(super) fn with(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut full = url.to_owned();
    for (name, value) in parameters {
        full.push(if full.contains('?') { '&' } else { '?' });
        full.push_str(name);
        full.push('=');
        full.push_str(&encoded(value));
    }
    full
}

/// A text within an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_at_the_host_that_was_configured() {
        assert_eq!(origin("https://dms.example:8443/cmis/browser?x=/"), "https://dms.example:8443");
        assert_eq!(origin("https://dms.example"), "https://dms.example");
        assert_eq!(origin("https://dms.example@evil.example/"), "https://dms.example@evil.example");
    }

    #[test]
    fn parameters_are_encoded_and_added_to_those_that_are_there() {
        assert_eq!(with("http://h/r?a=1", &[("q", "x y/ß&")]), "http://h/r?a=1&q=x%20y%2F%C3%9F%26");
    }
}
