//! The day in Germany at a moment: what is paid at 00:30 there on 1 January belongs to the new year, although UTC has the old one.

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Weekday};

use crate::Timestamp;

/// The day of `at`, `YYYY-MM-DD`, by German legal time (Central European Time, from the last Sunday of March to that of October, 01:00 UTC each, summer
/// time: Directive 2000/84/EC).
pub fn german_day(at: Timestamp) -> String {
    german_clock(at).date().to_string()
}

/// What clocks in Germany show at `at`, to the second.
pub fn german_clock(at: Timestamp) -> PrimitiveDateTime {
    let moment = OffsetDateTime::from_unix_timestamp(at.micros().div_euclid(1_000_000));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let shown = moment.checked_add(ahead(moment)).unwrap_or(moment);
    PrimitiveDateTime::new(shown.date(), shown.time())
}

/// The moment that clocks in Germany show as `local`. Of the hour that comes twice it is the first, and of the one that never comes
/// it is what winter time would say.
pub fn german_moment(local: PrimitiveDateTime) -> Timestamp {
    let shown = local.assume_utc();
    let tries = [2, 1].map(Duration::hours).map(|ahead| (ahead, shown.checked_sub(ahead).unwrap_or(shown)));
    let fits = tries.iter().find(|(shift, moment)| ahead(*moment) == *shift);
    let (_, moment) = fits.unwrap_or(&tries[1]);
    Timestamp::from_micros(moment.unix_timestamp() * 1_000_000)
}

/// A moment as forms have it, by German clocks: `YYYY-MM-DD` (its beginning) or `YYYY-MM-DDTHH:MM`. `None` if it is neither.
pub fn german_time(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.split_once('T').unwrap_or((text, "00:00"));
    let shown = Timestamp::parse(&format!("{day}T{clock}:00Z"))?;
    let shown = OffsetDateTime::from_unix_timestamp(shown.micros().div_euclid(1_000_000)).ok()?;
    Some(german_moment(PrimitiveDateTime::new(shown.date(), shown.time())))
}

/// How far clocks in Germany are ahead of UTC.
fn ahead(moment: OffsetDateTime) -> Duration {
    let year = moment.year();
    let begins = last_sunday(year, Month::March).with_hms(1, 0, 0);
    let ends = last_sunday(year, Month::October).with_hms(1, 0, 0);
    let is_summer = match (begins, ends) {
        (Ok(begins), Ok(ends)) => (begins.assume_utc()..ends.assume_utc()).contains(&moment),
        _ => false,
    };
    Duration::hours(if is_summer { 2 } else { 1 })
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

    #[test]
    fn a_clock_in_germany_shows_a_moment() {
        for (local, moment) in [
            ("2026-01-15 12:00:00", "2026-01-15T11:00:00Z"),
            ("2026-07-15 12:00:00", "2026-07-15T10:00:00Z"),
            ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
            ("2026-10-25 03:30:00", "2026-10-25T02:30:00Z"),
        ] {
            let form = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
            let local = PrimitiveDateTime::parse(local, form).unwrap();
            assert_eq!(german_moment(local).to_string(), moment);
        }
    }
}
