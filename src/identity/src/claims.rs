//! What a token says (RFC 7519), and the rules that hold for access tokens and id tokens alike.

use model::Timestamp;
use serde_json::{Map, Value};

use crate::Error;

/// Seconds by which clocks may differ.
const SKEW: i64 = 60;

/// The claims of a token whose signature was right.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(payload).map(Claims).map_err(|_| Error::Malformed)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// Texts of a claim that is one, a list of them, or several with blanks between.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(text)) => text.split(' ').filter(|text| !text.is_empty()).collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        }
    }

    /// A member of a claim that is an object.
    pub(crate) fn within(&self, claim: &str, name: &str) -> Option<&str> {
        self.0.get(claim)?.get(name)?.as_str()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Claims of another source about the same subject, where this one says nothing.
    pub(crate) fn add(&mut self, other: Claims) {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Whoever made it, whom for, and when.
    pub(crate) fn check(&self, issuer: &str, audience: &str, now: Timestamp) -> Result<(), Error> {
        if self.text("iss") != Some(issuer) {
            return Err(Error::Issuer);
        }
        let is_ours = match self.0.get("aud") {
            Some(Value::String(only)) => only == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            _ => false,
        };
        if !is_ours {
            return Err(Error::Audience);
        }
        let now = now.micros().div_euclid(1_000_000);
        let end = self.seconds("exp")?.ok_or(Error::Time)?;
        let starts = [self.seconds("nbf")?, self.seconds("iat")?];
        let is_early = starts.into_iter().flatten().any(|start| start > now.saturating_add(SKEW));
        if end <= now.saturating_sub(SKEW) || is_early { Err(Error::Time) } else { Ok(()) }
    }

    /// A time in seconds; some issuers send fractions.
    fn seconds(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let fraction = || value.as_f64().filter(|it| it.abs() < 1e15).map(|it| it as i64);
        value.as_i64().or_else(fraction).map(Some).ok_or(Error::Time)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(claims: Value) -> Result<(), Error> {
        let now = Timestamp::from_micros(1_000_000_000_000);
        Claims::read(claims.to_string().as_bytes())?.check("https://i", "us", now)
    }

    #[test]
    fn a_token_must_be_of_the_issuer_for_us_and_of_now() {
        let good = json!({ "iss": "https://i", "aud": "us", "exp": 1_000_100, "nbf": 999_000 });
        assert_eq!(checked(good.clone()), Ok(()));
        for (name, value, error) in [
            ("iss", json!("https://i/"), Error::Issuer),
            ("iss", json!(null), Error::Issuer),
            ("aud", json!("them"), Error::Audience),
            ("aud", json!([]), Error::Audience),
            ("aud", json!({ "us": 1 }), Error::Audience),
            ("exp", json!(999_940), Error::Time),
            ("exp", json!("1000100"), Error::Time),
            ("exp", json!(null), Error::Time),
            ("nbf", json!(1_000_061), Error::Time),
            ("iat", json!(1_000_061), Error::Time),
        ] {
            let mut wrong = good.clone();
            wrong[name] = value;
            assert_eq!(checked(wrong), Err(error), "{name}");
        }
        let mut several = good;
        several["aud"] = json!(["them", "us"]);
        several["exp"] = json!(999_941);
        assert_eq!(checked(several), Ok(()));
    }
}
