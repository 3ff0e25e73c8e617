//! Hours of service (Servicezeiten): when somebody is there, when next, and when so many hours of service have passed. By German legal
//! time; an hour of service is one that clocks show, so that a day from 8 to 18 has ten of them whatever else the clocks do in that night.

use std::collections::BTreeSet;
use std::time::Duration;

use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time, Weekday};

use crate::holidays::is_holiday;
use crate::payment::day::{german_clock, german_moment};
use crate::{Error, Timestamp};

/// Days that are looked at: whoever is closed for longer than that has no hours.
const DAYS: usize = 800;
/// Most times of service, and most days that are closed.
const SPANS: usize = 50;
const CLOSED: usize = 1_000;

const WEEK: [(&str, Weekday); 7] = [
    ("mo", Weekday::Monday),
    ("tu", Weekday::Tuesday),
    ("we", Weekday::Wednesday),
    ("th", Weekday::Thursday),
    ("fr", Weekday::Friday),
    ("sa", Weekday::Saturday),
    ("su", Weekday::Sunday),
];

/// Hours of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    spans: Vec<Span>,
    /// Days without service; `None`: the holidays by calculation.
    closed: Option<BTreeSet<Date>>,
}

/// A time of service on a day of the week, in seconds since midnight; what begins at `until` is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    /// 0 is Monday.
    day: u8,
    from: u32,
    until: u32,
}

impl Default for Hours {
    /// Those that 115 promises: Monday to Friday from 8 to 18, but not on holidays ([`is_holiday`]).
    fn default() -> Self {
        let span = |day| Span { day, from: 8 * 3_600, until: 18 * 3_600 };
        Hours { spans: (0..5).map(span).collect(), closed: None }
    }
}

impl Hours {
    /// Reads hours such as `mo-fr 08:00-18:00` or `sa 09:00-12:30`, and days without any such as `2026-12-25`: these alone, and the
    /// holidays by calculation ([`is_holiday`]) if none are given.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `hours` or `holidays` if something is none, ends before it begins, or lies in another one.
    pub fn read<T: AsRef<str>>(hours: &[T], holidays: Option<&[T]>) -> Result<Self, Error> {
        let wrong = || Error::Invalid { field: "hours" };
        let mut spans = vec![];
        for text in hours {
            spans.extend(spans_of(text.as_ref()).ok_or_else(wrong)?);
        }
        spans.sort_unstable();
        let meets = |pair: &[Span]| matches!(pair, [a, b] if a.day == b.day && b.from < a.until);
        if spans.is_empty() || spans.len() > SPANS || spans.windows(2).any(meets) {
            return Err(wrong());
        }
        let Some(holidays) = holidays else { return Ok(Hours { spans, closed: None }) };
        let day = format_description!("[year]-[month]-[day]");
        let closed = holidays.iter().map(|text| Date::parse(text.as_ref(), day));
        let closed = closed.collect::<Result<BTreeSet<_>, _>>();
        match closed {
            Ok(closed) if closed.len() <= CLOSED => Ok(Hours { spans, closed: Some(closed) }),
            _ => Err(Error::Invalid { field: "holidays" }),
        }
    }

    /// Whether somebody is there.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let local = german_clock(at);
        let second = seconds(local.time());
        self.of_day(local.date()).any(|span| (span.from..span.until).contains(&second))
    }

    /// When somebody is there next: `at` itself if somebody is. `None` if nobody is for two years.
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return Some(at);
        }
        self.from(at).next().map(|(date, from, _)| moment(date, from))
    }

    /// When so much service has passed since `at`; on its last second, not at the next opening. `None` if two years have less.
    pub fn plus(&self, at: Timestamp, service: Duration) -> Option<Timestamp> {
        let mut left = u32::try_from(service.as_secs()).ok()?;
        for (date, from, until) in self.from(at) {
            if left <= until - from {
                return Some(moment(date, from + left));
            }
            left -= until - from;
        }
        None
    }

    /// What is left of the times of service from `at` on: day, begin and end in seconds since midnight.
    fn from(&self, at: Timestamp) -> impl Iterator<Item = (Date, u32, u32)> {
        let local = german_clock(at);
        let (today, now) = (local.date(), seconds(local.time()));
        let dates = std::iter::successors(Some(today), |date| date.next_day()).take(DAYS);
        let all = dates.flat_map(|date| self.of_day(date).map(move |span| (date, span)));
        all.filter_map(move |(date, span)| {
            let from = if date == today { span.from.max(now) } else { span.from };
            (from < span.until).then_some((date, from, span.until))
        })
    }

    fn of_day(&self, date: Date) -> impl Iterator<Item = Span> {
        let day = date.weekday().number_days_from_monday();
        let is_closed = self.closed.as_ref().map_or_else(|| is_holiday(date), |days| days.contains(&date));
        self.spans.iter().copied().filter(move |span| span.day == day && !is_closed)
    }
}

fn spans_of(text: &str) -> Option<Vec<Span>> {
    let (days, times) = text.trim().split_once(' ')?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (from, until) = times.trim().split_once('-')?;
    let (first, last) = (weekday(first)?, weekday(last)?);
    let (from, until) = (clock(from)?, clock(until)?);
    let span = |day| Span { day, from, until };
    (first <= last && from < until).then(|| (first..=last).map(span).collect())
}

fn weekday(text: &str) -> Option<u8> {
    let found = WEEK.iter().find(|(name, _)| text.eq_ignore_ascii_case(name))?;
    Some(found.1.number_days_from_monday())
}

/// `08:00` to `24:00`, in seconds since midnight.
fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let is_two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_two(hours) || !is_two(minutes) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours * 3_600 + minutes * 60;
    (minutes < 60 && seconds <= 24 * 3_600).then_some(seconds)
}

fn seconds(time: Time) -> u32 {
    u32::from(time.hour()) * 3_600 + u32::from(time.minute()) * 60 + u32::from(time.second())
}

fn moment(date: Date, second: u32) -> Timestamp {
    let midnight = PrimitiveDateTime::new(date, Time::MIDNIGHT);
    german_moment(midnight.saturating_add(time::Duration::seconds(second.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn hours() -> Hours {
        let spans = ["mo-we 08:00-12:00", "mo-we 13:00-16:00", "fr 08:00-12:30"];
        Hours::read(&spans, Some(&["2026-12-25"])).unwrap()
    }

    #[test]
    fn somebody_is_there_in_hours_of_service() {
        for (moment, open) in [
            ("2026-11-30T06:59:59Z", false),
            ("2026-11-30T07:00:00Z", true),
            ("2026-11-30T10:59:59Z", true),
            ("2026-11-30T11:00:00Z", false),
            ("2026-11-30T12:00:00Z", true),
            ("2026-11-30T15:00:00Z", false),
            ("2026-12-03T09:00:00Z", false),
            ("2026-12-25T09:00:00Z", false),
            // In summer the same clock is another moment.
            ("2026-06-01T06:00:00Z", true),
        ] {
            assert_eq!(hours().is_open(at(moment)), open, "{moment}");
        }
    }

    #[test]
    fn the_next_opening_is_behind_nights_weekends_and_holidays() {
        for (moment, next) in [
            ("2026-11-30T09:00:01.5Z", "2026-11-30T09:00:01.5Z"),
            ("2026-11-30T11:30:00Z", "2026-11-30T12:00:00Z"),
            ("2026-12-02T20:00:00Z", "2026-12-04T07:00:00Z"),
            ("2026-12-24T10:00:00Z", "2026-12-28T07:00:00Z"),
            // The clocks change in that night.
            ("2026-03-27T12:00:00Z", "2026-03-30T06:00:00Z"),
        ] {
            assert_eq!(hours().next_open(at(moment)), Some(at(next)), "{moment}");
        }
    }

    #[test]
    fn holidays_are_known_unless_the_house_lists_its_own() {
        let none: [&str; 0] = [];
        let all = ["mo-su 00:00-24:00"];
        let computed = Hours::read(&all, None).unwrap();
        let listed = Hours::read(&all, Some(&["2026-11-02"])).unwrap();
        // Christmas Day, All Saints' Day, and a day of the house's own.
        for (moment, by_calculation, by_list) in [
            ("2026-12-25T09:00:00Z", false, true),
            ("2026-11-01T09:00:00Z", false, true),
            ("2026-11-02T09:00:00Z", true, false),
        ] {
            assert_eq!(computed.is_open(at(moment)), by_calculation, "{moment}");
            assert_eq!(listed.is_open(at(moment)), by_list, "{moment}");
        }
        assert!(Hours::read(&all, Some(&none)).unwrap().is_open(at("2026-12-25T09:00:00Z")), "always");
        // Eight hours after the Thursday before Easter at four are on the Tuesday after it.
        let due = Hours::default().plus(at("2026-04-02T14:00:00Z"), Duration::from_secs(8 * 3_600));
        assert_eq!(due, Some(at("2026-04-07T12:00:00Z")));
    }

    #[test]
    fn hours_of_service_pass_only_in_them() {
        let promise = Hours::default();
        for (moment, hours, then) in [
            ("2026-11-30T09:00:00Z", 0, "2026-11-30T09:00:00Z"),
            ("2026-11-30T09:00:00Z", 7, "2026-11-30T16:00:00Z"),
            // What is over when the day is ends with it, not at the next opening.
            ("2026-11-30T09:00:00Z", 8, "2026-11-30T17:00:00Z"),
            ("2026-11-30T09:00:00Z", 24, "2026-12-02T13:00:00Z"),
            ("2026-12-03T16:30:00Z", 24, "2026-12-08T10:30:00Z"),
            ("2026-12-04T22:00:00Z", 1, "2026-12-07T08:00:00Z"),
            // The clocks change in that night.
            ("2026-10-23T15:00:00Z", 2, "2026-10-26T08:00:00Z"),
        ] {
            let passed = promise.plus(at(moment), Duration::from_secs(hours * 3_600));
            assert_eq!(passed, Some(at(then)), "{moment} {hours}");
        }
    }

    #[test]
    fn what_are_no_hours_is_refused() {
        let none: [&str; 0] = [];
        for text in
            ["", "mo", "mo 8-12", "mo 12:00-08:00", "fr-mo 08:00-12:00", "mo 08:00-24:01", "xx 08:00-09:00"]
        {
            assert!(Hours::read(&[text], Some(&none)).is_err(), "{text:?}");
        }
        assert!(Hours::read(&none, Some(&none)).is_err());
        assert!(Hours::read(&["mo 08:00-12:00", "mo-fr 11:00-13:00"], Some(&none)).is_err());
        assert!(Hours::read(&["mo 08:00-24:00"], Some(&["25.12.2026"])).is_err());
        assert!(Hours::read(&["mo 08:00-24:00"], Some(&["2026-12-25"])).is_ok());
    }
}
