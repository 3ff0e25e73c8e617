//! Problems (RFC 9457): the one place where an error becomes a status and a sentence.
//!
//! The code is stable and explained under `docs/errors`; its sentences come from there. Nothing that a
//! client sent is repeated but names of members and parameters, and nothing of an internal error is told
//! but its code.

use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{FailureKind, catalog};
use schemars::JsonSchema;
use serde::Serialize;

use crate::BASE;

/// Seconds after which a client may try again when the gateway is busy.
const RETRY_SECONDS: u32 = 2;

/// The same when the disk is full.
const RETRY_FULL_SECONDS: u32 = 60;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    pointer: Option<String>,
    parameter: Option<String>,
    /// Header fields that the answer has beside those of its status.
    headers: Vec<(HeaderName, String)>,
}

/// A problem as it is sent (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemDocument {
    /// Names the kind of problem, as a URI.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Reason phrase of the status.
    pub(crate) title: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// Stable code, explained in the documentation.
    pub(crate) code: String,
    /// What went wrong and what to do, in English.
    pub(crate) detail: String,
    /// The same in German.
    pub(crate) detail_de: String,
    /// Member of the body that is wrong (JSON Pointer, RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// Query parameter or header field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>) -> Self {
        Problem { status, code: code.into(), pointer: None, parameter: None, headers: vec![] }
    }

    /// 400.
    pub(crate) fn bad(code: &'static str) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code)
    }

    /// A body that is not what the route takes, at `pointer`.
    pub(crate) fn invalid_body(pointer: String) -> Self {
        Problem { pointer: Some(pointer), ..Problem::bad("api.invalid-body") }
    }

    /// A query parameter that the route does not take, or not with this value.
    /// A name that no document can hold is not repeated.
    pub(crate) fn invalid_query(parameter: &str) -> Self {
        let parameter = Some(parameter).filter(|name| pages::is_plain(name));
        Problem { parameter: parameter.map(str::to_owned), ..Problem::bad("api.invalid-query") }
    }

    /// A header field with a value outside its rules.
    pub(crate) fn invalid_header(name: &'static str) -> Self {
        Problem { parameter: Some(name.to_owned()), ..Problem::bad("api.invalid-header") }
    }

    /// 404 for something that is not there or not visible: the two are never told apart.
    pub(crate) fn not_found() -> Self {
        Problem::new(StatusCode::NOT_FOUND, "model.not-found")
    }

    /// What is unknown in a body is nothing that is there in a path.
    pub(crate) fn of_account(error: broker::Error) -> Self {
        match error {
            broker::Error::NoAccount => Problem::new(StatusCode::NOT_FOUND, "payment.no-account"),
            error => error.into(),
        }
    }

    /// The problem of a change that was made under a precondition: what is a conflict otherwise is a failed
    /// precondition then (RFC 9110, 15.5.13).
    pub(crate) fn if_expected(self, expected: Option<u64>) -> Self {
        if expected.is_some() && self.code == "model.version-conflict" {
            return Problem { status: StatusCode::PRECONDITION_FAILED, ..self };
        }
        self
    }

    /// The same with one more header field.
    pub(crate) fn with_header(mut self, name: &HeaderName, value: String) -> Self {
        self.headers.push((name.clone(), value));
        self
    }

    fn document(&self) -> ProblemDocument {
        let title = self.status.canonical_reason().unwrap_or("Problem").to_owned();
        let sentence = catalog::sentence(&self.code);
        ProblemDocument {
            kind: format!("urn:amtsbote:problem:{}", self.code),
            status: self.status.as_u16(),
            code: self.code.clone().into_owned(),
            detail: sentence.map_or_else(|| title.clone(), |sentence| sentence.en.clone()),
            detail_de: sentence.map_or_else(|| title.clone(), |sentence| sentence.de.clone()),
            title,
            pointer: self.pointer.clone(),
            parameter: self.parameter.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(code = %self.code, "a request failed");
        }
        // A struct of strings and one number always has a JSON form.
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            }
            // Room does not come by itself: somebody has to make it.
            StatusCode::INSUFFICIENT_STORAGE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_FULL_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<model::Error> for Problem {
    fn from(error: model::Error) -> Self {
        use model::Error;
        let status = match &error {
            Error::Invalid { field } => {
                let pointer = Some(format!("/{field}"));
                return Problem { pointer, ..Problem::bad(error.code()) };
            }
            Error::Forbidden => StatusCode::FORBIDDEN,
            Error::NotFound { .. } => StatusCode::NOT_FOUND,
            Error::Classified => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Exists
            | Error::VersionConflict
            | Error::WrongState { .. }
            | Error::Locked
            | Error::Held
            | Error::NotDisposed
            | Error::NotSettled
            | Error::SecondPerson
            | Error::NotConfirmed
            | Error::Undecided => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.code())
    }
}

impl From<broker::Error> for Problem {
    fn from(error: broker::Error) -> Self {
        use broker::Error;
        let code = error.code().to_owned();
        let status = match error {
            Error::Model(error) => return error.into(),
            Error::PaymentUnderWay { payment } => {
                let path = format!("{BASE}/payments/{payment}");
                return Problem::new(StatusCode::CONFLICT, code).with_header(&LOCATION, path);
            }
            Error::ReturnHost => {
                return Problem {
                    pointer: Some("/returnTo".to_owned()),
                    ..Problem::bad("payment.return-host")
                };
            }
            Error::PaymentsNotConfigured => StatusCode::NOT_FOUND,
            Error::NoAccount | Error::NoProvider => StatusCode::UNPROCESSABLE_ENTITY,
            Error::PaymentNotOffered
            | Error::ReferenceTaken
            | Error::NumbersUsedUp
            | Error::NoBankAccount
            | Error::NoCashReference => StatusCode::CONFLICT,
            Error::KeyReused
            | Error::UnknownUnit
            | Error::UnknownWay
            | Error::NoLetter
            | Error::UnknownAuthority
            | Error::NoCommonStandard
            | Error::Harmful
            | Error::OtherMessage
            | Error::ForwardLoop => StatusCode::UNPROCESSABLE_ENTITY,
            Error::ApprovalNeeded | Error::ApprovalOver => StatusCode::CONFLICT,
            Error::NotReleased => StatusCode::FORBIDDEN,
            Error::AnswerNotKept { .. }
            | Error::IdReused
            | Error::NotLeased
            | Error::ContentUnavailable
            | Error::TooManySubscriptions
            | Error::UploadOffset { .. }
            | Error::UploadSuperseded => StatusCode::CONFLICT,
            Error::CitizensNotConfigured => StatusCode::NOT_FOUND,
            Error::CitizenRefused => StatusCode::FORBIDDEN,
            Error::FileType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::CitizenLater => StatusCode::TOO_MANY_REQUESTS,
            Error::UploadLost | Error::LinkOver => StatusCode::GONE,
            Error::UploadQuota | Error::TooManyRequests | Error::TooManyBodies | Error::TooManyWaiting => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Error::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Interrupted | Error::DigestMismatch | Error::UploadLength => StatusCode::BAD_REQUEST,
            Error::NoAuthority => StatusCode::FORBIDDEN,
            Error::TimeStampOverdue => StatusCode::SERVICE_UNAVAILABLE,
            Error::Failure(failure) if failure.kind == FailureKind::Transient => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => by_code(&code),
        };
        Problem::new(status, code)
    }
}

/// Errors of rooms behind the broker, which are known here by their code alone.
fn by_code(code: &str) -> StatusCode {
    match code {
        "store.not-found" => StatusCode::NOT_FOUND,
        "store.disk-full" => StatusCode::INSUFFICIENT_STORAGE,
        "store.erased" => StatusCode::GONE,
        "store.conflict" => StatusCode::CONFLICT,
        "store.busy" | "store.unavailable" | "store.uncertain" | "store.closed" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "virus.too-large" => StatusCode::PAYLOAD_TOO_LARGE,
        "net.url" | "net.plain-http" | "net.forbidden" => StatusCode::UNPROCESSABLE_ENTITY,
        "store.nul" => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_error_tells_its_code_and_nothing_else() {
        let problem = Problem::from(broker::Error::Internal).document();
        assert_eq!((problem.status, problem.code.as_str()), (500, "broker.internal"));
        assert!(!problem.detail.contains("task"), "{}", problem.detail);
    }

    #[test]
    fn whoever_meets_a_busy_gateway_is_told_when_to_come_back() {
        for code in ["store.busy", "store.unavailable", "store.uncertain"] {
            let response = Problem::new(by_code(code), code).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{code}");
            assert!(response.headers().contains_key(RETRY_AFTER));
        }
    }

    #[test]
    fn a_lost_race_is_a_conflict_and_a_failed_precondition_only_if_one_was_given() {
        let problem = || Problem::from(model::Error::VersionConflict);
        assert_eq!(problem().if_expected(None).status, StatusCode::CONFLICT);
        assert_eq!(problem().if_expected(Some(1)).status, StatusCode::PRECONDITION_FAILED);
    }
}
