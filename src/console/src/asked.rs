//! What an address asks for: filters and places of lists, ids and names of paths. What cannot be read filters nothing, or is not there.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Response;
use model::payment::day::german_time;
use model::{Id, Timestamp};

use crate::page::{self, Look};

/// Longest value, in bytes: more than any name of a file.
const LONGEST: usize = 2_000;

/// What is said of one page of a list alone: where it begins, and what was done just now.
const BOUND: [&str; 4] = ["after", "from", "before", "done"];

/// The query of an address, without the language.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(Vec<(String, String)>);

impl Asked {
    /// A value that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        let says = |value: &&str| (1..=LONGEST).contains(&value.len()) && pages::is_plain(value);
        Some(found.1.trim()).filter(says)
    }

    /// The same, to be shown in a field.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A value that has a form, such as an id.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// A value of the model by its name in JSON.
    pub(crate) fn named<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(serde_json::Value::from(self.get(name)?)).ok()
    }

    /// A day or a moment, as browsers send it (`2026-11-30`, `2026-11-30T14:05`) or as links of ours have it (RFC 3339).
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.get(name)?;
        Timestamp::parse(text).or_else(|| german_time(text))
    }

    /// The end of a span: of a day its end, of a moment itself.
    pub(crate) fn end(&self, name: &str) -> Option<Timestamp> {
        let at = self.time(name)?;
        let is_day = self.text(name).len() == "2026-11-30".len();
        Some(if is_day { at.plus(Duration::from_secs(24 * 3_600)) } else { at })
    }

    /// The record behind which the page begins.
    pub(crate) fn after(&self) -> Option<Id> {
        self.parsed("after")
    }

    /// Whether anything is asked for besides the place in a list.
    pub(crate) fn is_empty(&self) -> bool {
        !self.0.iter().any(|(name, value)| !BOUND.contains(&name.as_str()) && !value.trim().is_empty())
    }

    /// The one value of this name, and nothing else.
    pub(crate) fn only(&self, name: &str) -> Asked {
        Asked(self.0.iter().filter(|(known, _)| known == name).cloned().collect())
    }

    /// A path that asks for the same with one value changed; without a value it is left out. The place in the list goes with the list that it
    /// was one of, and what was done is told once.
    pub(crate) fn with(&self, path: &str, name: &str, value: Option<&str>) -> String {
        let stays = |known: &str| known != name && !BOUND.contains(&known);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (known, kept) in self.0.iter().filter(|(known, kept)| stays(known) && !kept.trim().is_empty()) {
            query.append_pair(known, kept);
        }
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Ok(Asked(pairs.filter(|(name, _)| name != "lang").take(40).collect()))
    }
}

/// The id in the path of a page. What is none is not there.
pub(crate) struct PathId(pub(crate) Id);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text);
        let id = text.ok().and_then(|text| text.parse().ok());
        id.map(PathId).ok_or_else(|| page::missing(&Look::from(&parts.extensions)))
    }
}

/// The name in the path of a page, such as a partner's.
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text);
        let name = text.ok().filter(|text| model::ids::is_name(text));
        name.map(PathName).ok_or_else(|| page::missing(&Look::from(&parts.extensions)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_list_begins_at_its_start_and_tells_nothing_again() {
        let places = [("after", "x"), ("from", "50"), ("before", "y"), ("done", "drop")];
        let pairs = [[("state", "parked"), ("partner", "bab:1")].as_slice(), &places].concat();
        let asked =
            Asked(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        assert_eq!(asked.with("/m", "rule", Some("a&b")), "/m?state=parked&partner=bab%3A1&rule=a%26b");
        assert_eq!(asked.with("/m", "after", Some("y")), "/m?state=parked&partner=bab%3A1&after=y");
        assert_eq!(asked.only("partner").with("/m", "rule", Some("r")), "/m?partner=bab%3A1&rule=r");
        assert_eq!(asked.only("order").with("/m", "after", None), "/m");
    }
}
