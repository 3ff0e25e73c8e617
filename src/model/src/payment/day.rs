//! The day in Germany at a moment: what is paid at 00:30 there on 1 January belongs to the new year, although UTC has the old one.

use time::{Date, Duration, Month, OffsetDateTime, Weekday};

use crate::Timestamp;

/// The day of `at`, `YYYY-MM-DD`, by German legal time (Central European Time, from the last Sunday of March to that of October, 01:00 UTC each, summer
/// time: Directive 2000/84/EC).
pub fn german_day(at: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(at.micros().div_euclid(1_000_000));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let year = moment.year();
    let begins = last_sunday(year, Month::March).with_hms(1, 0, 0);
    let ends = last_sunday(year, Month::October).with_hms(1, 0, 0);
    let is_summer = match (begins, ends) {
        (Ok(begins), Ok(ends)) => (begins.assume_utc()..ends.assume_utc()).contains(&moment),
        _ => false,
    };
    let offset = Duration::hours(if is_summer { 2 } else { 1 });
    moment.checked_add(offset).unwrap_or(moment).date().to_string()
}

/// March and October have 31 days.
fn last_sunday(year: i32, month: Month) -> Date {
    let last = Date::from_calendar_date(year, month, 31).unwrap_or(Date::MIN);
    let after_sunday = match last.weekday() {
        Weekday::Sunday => 0,
        weekday => i64::from(weekday.number_from_monday()),
    };
    last.saturating_sub(Duration::days(after_sunday))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_germany() {
        for (moment, day) in [
            ("2026-12-31T22:59:59Z", "2026-12-31"),
            ("2026-12-31T23:00:00Z", "2027-01-01"),
            ("2026-03-28T22:59:59Z", "2026-03-28"),
            ("2026-03-28T23:30:00Z", "2026-03-29"),
            ("2026-03-29T22:30:00Z", "2026-03-30"),
            ("2026-10-24T22:00:00Z", "2026-10-25"),
            ("2026-10-25T22:30:00Z", "2026-10-25"),
        ] {
            assert_eq!(german_day(Timestamp::parse(moment).unwrap()), day, "{moment}");
        }
    }
}
