//! Paths, query strings and header fields, read strictly: what is not known, comes twice or is not text is
//! refused instead of being passed over.

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Id;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut names = vec![];
        for (name, value) in pairs {
            // The parser puts U+FFFD for bytes that are not UTF-8.
            let is_text = pages::is_plain(&value) && !value.contains(char::REPLACEMENT_CHARACTER);
            if !is_text || names.contains(&name) {
                return Err(Problem::invalid_query(&name));
            }
            names.push(name);
        }
        let query = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(query).map(Params).map_err(|error| {
            let path = error.path().to_string();
            Problem::invalid_query(if path == "." { "" } else { &path })
        })
    }
}

/// The `{id}` of a path. What is no identifier names nothing.
pub(crate) struct PathId(pub(crate) Id);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathName(text) = PathName::from_request_parts(parts, state).await?;
        id(&text).map(PathId).ok_or_else(Problem::not_found)
    }
}

/// The only parameter of a path, as text.
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| PathName(text)).map_err(|_| Problem::not_found())
    }
}

/// The two identifiers of a path, `{id}` first.
pub(crate) struct PathIds(pub(crate) Id, pub(crate) Id);

impl<S: Send + Sync> FromRequestParts<S> for PathIds {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (first, second) = pair(parts, state).await?;
        match (id(&first), id(&second)) {
            (Some(first), Some(second)) => Ok(PathIds(first, second)),
            _ => Err(Problem::not_found()),
        }
    }
}

/// A name and an identifier of a path.
pub(crate) struct PathNameId(pub(crate) String, pub(crate) Id);

impl<S: Send + Sync> FromRequestParts<S> for PathNameId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (name, text) = pair(parts, state).await?;
        id(&text).map(|id| PathNameId(name, id)).ok_or_else(Problem::not_found)
    }
}

/// A name and a number of a path. What is no number names nothing.
pub(crate) struct PathNameNumber(pub(crate) String, pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for PathNameNumber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (name, text) = pair(parts, state).await?;
        let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(|number| PathNameNumber(name, number)).ok_or_else(Problem::not_found)
    }
}

async fn pair<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<(String, String), Problem> {
    let path = Path::<(String, String)>::from_request_parts(parts, state).await;
    path.map(|Path(pair)| pair).map_err(|_| Problem::not_found())
}

fn id(text: &str) -> Option<Id> {
    Id::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The version in `If-Match`, if there is one (RFC 9110, 13.1.1).
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = single(&parts.headers, &IF_MATCH)? else { return Ok(IfMatch(None)) };
        if value == "*" {
            return Ok(IfMatch(None));
        }
        let tag = value.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let tag = tag.filter(|tag| !tag.contains('"')).ok_or_else(|| Problem::invalid_header("If-Match"))?;
        // A tag that is no version matches none.
        Ok(IfMatch(Some(tag.parse().unwrap_or(u64::MAX))))
    }
}

/// `If-Match` of a request that must have one (RFC 6585, 3).
pub(crate) struct MustMatch(pub(crate) Option<u64>);

impl<S: Sync> FromRequestParts<S> for MustMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(IF_MATCH) {
            return Err(Problem::new(axum::http::StatusCode::PRECONDITION_REQUIRED, "api.if-match-missing"));
        }
        IfMatch::from_request_parts(parts, state).await.map(|IfMatch(version)| MustMatch(version))
    }
}

/// `Idempotency-Key`: 1 to 255 visible ASCII characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    static NAME: HeaderName = HeaderName::from_static("idempotency-key");
    let Some(key) = single(headers, &NAME)? else { return Ok(None) };
    let is_key = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if is_key { Ok(Some(key.to_owned())) } else { Err(Problem::invalid_header("Idempotency-Key")) }
}

/// SHA-256 in `Repr-Digest` (RFC 9530, 3), as lower-case hex. Other algorithms are passed over.
pub(crate) fn repr_digest(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    static NAME: HeaderName = HeaderName::from_static("repr-digest");
    let Some(value) = single(headers, &NAME)? else { return Ok(None) };
    let wrong = || Problem::invalid_header("Repr-Digest");
    let Some(item) = value.split(',').map(str::trim).find_map(|item| item.strip_prefix("sha-256=")) else {
        return Ok(None);
    };
    let bytes = item.strip_prefix(':').and_then(|item| item.strip_suffix(':')).ok_or_else(wrong)?;
    let bytes = STANDARD.decode(bytes).map_err(|_| wrong())?;
    if bytes.len() == 32 { Ok(Some(hex::encode(bytes))) } else { Err(wrong()) }
}

/// A header field that may come once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let wrong = || Problem::bad("api.invalid-header");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong());
    }
    value.to_str().map(Some).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        limit: Option<u32>,
    }

    async fn query(text: &str) -> Result<Option<u32>, Problem> {
        let request = Request::get(format!("/x?{text}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Params::<Query>::from_request_parts(&mut parts, &()).await.map(|Params(query)| query.limit)
    }

    #[tokio::test]
    async fn query_parameters_are_read_strictly() {
        assert_eq!(query("limit=5").await, Ok(Some(5)));
        assert_eq!(query("").await, Ok(None));
        for (wrong, name) in [
            ("limit=5&limit=6", "limit"),
            ("limit=-1", "limit"),
            ("limit=%00", "limit"),
            ("limit=%ff", "limit"),
        ] {
            assert_eq!(query(wrong).await, Err(Problem::invalid_query(name)), "{wrong}");
        }
        assert!(query("other=1").await.is_err());
    }

    #[test]
    fn a_digest_is_read_as_rfc_9530_writes_it() {
        let digest = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("repr-digest", text.parse().unwrap());
            repr_digest(&headers)
        };

        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"), Ok(Some(empty.into())));
        assert_eq!(digest("md5=:AA==:"), Ok(None));
        for wrong in ["sha-256=abc", "sha-256=:abc:", "sha-256=::"] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
