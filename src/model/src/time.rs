//! Points in time with microseconds, always UTC inside, RFC 3339 with `Z` outside; and the clock.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "String", extend("format" = "date-time"))]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00Z: RFC 3339 has years of four digits.
const FIRST: i64 = -62_167_219_200_000_000;
/// 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time; any zone is converted to UTC. `None` also if the year is then outside
    /// 0000 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let micros = i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
        (FIRST..=LAST).contains(&micros).then_some(Timestamp(micros))
    }

    /// This moment plus `duration`, ending at the largest moment there is.
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the years that can be written, the nearest moment that can.
        let micros = self.0.clamp(FIRST, LAST);
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        f.write_str(&time.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 time"))
    }
}

/// Where the time comes from; tests set it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
        Timestamp(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_in_utc_to_the_microsecond() {
        let time = Timestamp::parse("2026-11-24T16:00:00.000001+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-24T15:00:00.000001Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        assert_eq!(Timestamp::parse("2026-11-24T16:00:00"), None, "a zone is required");
    }

    #[test]
    fn years_have_four_digits_in_utc() {
        for outside in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(Timestamp::parse(outside), None, "{outside}");
        }
        for edge in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"] {
            assert_eq!(Timestamp::parse(edge).unwrap().to_string(), edge);
        }
    }

    #[test]
    fn every_moment_can_be_written() {
        let written = [i64::MIN, i64::MAX].map(|micros| Timestamp::from_micros(micros).to_string());
        assert_eq!(written, ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]);
    }
}
