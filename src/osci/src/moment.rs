//! Moments: seconds since 1970-01-01 UTC here, `xs:dateTime` on the wire.

use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, Month, OffsetDateTime, Time};
use xml::value::{DateTime, Zone};

use crate::{Error, Result};

/// As the field writes it: `2026-11-23T03:23:49Z`.
pub(crate) fn date_time(seconds: i64) -> Result<DateTime> {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = moment.and_then(|moment| moment.format(&Rfc3339).ok());
    Ok(text.ok_or(Error::Malformed("a moment that has no written form"))?.parse()?)
}

/// Seconds of a moment; fractions are cut off, and one without a zone counts as UTC.
pub(crate) fn seconds(moment: &DateTime) -> Result<i64> {
    let month = Month::try_from(moment.month).ok();
    let date = month.and_then(|month| Date::from_calendar_date(moment.year.into(), month, moment.day).ok());
    let date = date.ok_or(Error::Malformed("a moment that does not exist"))?;
    let of_day = Duration::hours(moment.hour.into())
        + Duration::minutes(moment.minute.into())
        + Duration::seconds(moment.second.into());
    let east = Duration::minutes(moment.zone.map_or(0, Zone::minutes_east).into());
    let midnight = date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
    Ok(midnight + (of_day - east).whole_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_field_writes_them_and_read_back() {
        assert_eq!(date_time(1_795_404_229).unwrap().to_string(), "2026-11-23T03:23:49Z");
        for at in [0, 951_782_399, 951_782_400, 4_107_542_399, -1, 1_709_164_800] {
            assert_eq!(seconds(&date_time(at).unwrap()).unwrap(), at);
        }
    }

    #[test]
    fn zones_count_and_midnight_has_two_names() {
        let at = |text: &str| seconds(&text.parse().unwrap()).unwrap();
        assert_eq!(at("2020-01-01T00:00:00+01:00"), at("2019-12-31T23:00:00Z"));
        assert_eq!(at("2019-12-31T24:00:00Z"), at("2020-01-01T00:00:00Z"));
    }
}
