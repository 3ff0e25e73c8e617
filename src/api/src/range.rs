//! Bytes as an answer (RFC 9110, 14): whole or one range of them, with `ETag` and `Repr-Digest`.
//!
//! A request for several ranges gets the whole content, which the RFC allows: nobody who fetches a file
//! needs `multipart/byteranges`, and many small ranges are a known way to make a server work hard.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::Payload;

use crate::problem::Problem;

/// What a request asks of some content.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// First byte, and the one behind the last.
    Bytes(u64, u64),
    /// Begins behind the end.
    Outside,
}

/// The content, of so many bytes with this SHA-256 (hex), or the part of it that the request asks for.
pub(crate) fn answer(
    headers: &HeaderMap,
    payload: &Payload,
    (size, sha256): (u64, &str),
    media_type: &str,
    file_name: &str,
) -> Response {
    let etag = format!("\"{sha256}\"");
    if headers.get(IF_NONE_MATCH).is_some_and(|tags| matches(tags, &etag)) {
        return with_headers(StatusCode::NOT_MODIFIED.into_response(), [(ETAG, etag)]);
    }
    let (status, from, to) = match part(headers, size, &etag) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Bytes(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Outside => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "api.range").into_response();
            return with_headers(problem, [(CONTENT_RANGE, format!("bytes */{size}"))]);
        }
    };
    let body = Body::from_stream(payload.stream(from..to));
    let response = (status, body).into_response();
    let mut response = with_headers(
        response,
        [
            (CONTENT_TYPE, media_type.to_owned()),
            (CONTENT_LENGTH, (to - from).to_string()),
            (CONTENT_DISPOSITION, attachment(file_name)),
            (ACCEPT_RANGES, "bytes".to_owned()),
            (ETAG, etag),
            (HeaderName::from_static("repr-digest"), repr_digest(sha256)),
        ],
    );
    if status == StatusCode::PARTIAL_CONTENT {
        response = with_headers(response, [(CONTENT_RANGE, format!("bytes {from}-{}/{size}", to - 1))]);
    }
    response
}

/// `Content-Disposition` that never shows content in a browser (RFC 6266), with the name in UTF-8 (RFC 8187).
pub(crate) fn attachment(file_name: &str) -> String {
    let encoded: String = file_name
        .bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    format!("attachment; filename*=UTF-8''{encoded}")
}

/// Adds header fields; a value that is none (a media type with odd characters) is left out.
pub(crate) fn with_headers<const N: usize>(
    mut response: Response,
    headers: [(HeaderName, String); N],
) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn repr_digest(sha256: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(hex::decode(sha256).unwrap_or_default()))
}

fn matches(tags: &HeaderValue, etag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default();
    tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == etag)
}

fn part(headers: &HeaderMap, size: u64, etag: &str) -> Part {
    let Some(range) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Part::Whole };
    // Another state of the content than the one the client has a part of.
    if headers.get(IF_RANGE).is_some_and(|tag| tag != etag) {
        return Part::Whole;
    }
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    match (number(from), number(to)) {
        (Some(Some(from)), Some(to)) if to.is_none_or(|to| from <= to) => {
            let end = to.map_or(size, |to| size.min(to.saturating_add(1)));
            if from < size { Part::Bytes(from, end) } else { Part::Outside }
        }
        (Some(None), Some(Some(0))) => Part::Outside,
        (Some(None), Some(Some(last))) if size > 0 => Part::Bytes(size.saturating_sub(last), size),
        (Some(None), Some(Some(_))) => Part::Outside,
        _ => Part::Whole,
    }
}

/// `None` if it is no number, `Some(None)` if there is nothing.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        text if text.bytes().all(|b| b.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        use Part::*;
        for (range, expected) in [
            ("bytes=0-0", Bytes(0, 1)),
            ("bytes=2-5", Bytes(2, 6)),
            ("bytes=2-", Bytes(2, 10)),
            ("bytes=2-99999999999999999999999", Bytes(2, 10)),
            ("bytes=-3", Bytes(7, 10)),
            ("bytes=-30", Bytes(0, 10)),
            ("bytes=-0", Outside),
            ("bytes=10-", Outside),
            ("bytes=10-11", Outside),
            ("bytes=5-2", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=a-b", Whole),
            ("bytes=-", Whole),
            ("lines=1-2", Whole),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, range.parse().unwrap())]);
            assert_eq!(part(&headers, 10, "\"x\""), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_state_gets_the_whole_content() {
        let headers = |tag: &str| {
            HeaderMap::from_iter([(RANGE, "bytes=0-1".parse().unwrap()), (IF_RANGE, tag.parse().unwrap())])
        };
        assert_eq!(part(&headers("\"x\""), 10, "\"x\""), Part::Bytes(0, 2));
        assert_eq!(part(&headers("\"y\""), 10, "\"x\""), Part::Whole);
    }

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        assert_eq!(
            attachment("Plan \"Ä\"\r\nX: y.pdf"),
            "attachment; filename*=UTF-8''Plan%20%22%C3%84%22%0D%0AX%3A%20y.pdf"
        );
    }
}
