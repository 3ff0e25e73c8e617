//! What a house has decided about dispatches (`[dispatch]` of the configuration): when a way is quiet, when citizens are called, and by which rules it
//! proposes when something counts as disclosed ([`deemed`](crate::deemed)).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, Duration, PrimitiveDateTime, Time, Weekday};

use crate::Timestamp;
use crate::deemed::DeemedRule;
use crate::holidays::is_holiday;
use crate::payment::day::{german_clock, german_moment};

/// Days that are looked at for the end of a quiet time.
const DAYS: i64 = 31;
/// Hours of service within which citizens are called if the house says nothing, and the most that it may say.
const CALL_WITHIN: u32 = 8;
const MOST_HOURS: u32 = 500;

/// What a house has decided about dispatches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sending {
    /// Within how many hours of service a citizen who wants to be called is called.
    pub call_within_hours: u32,
    /// When notifications by a way do not leave, by the way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub quiet: BTreeMap<String, Quiet>,
    /// Rules of what is deemed, the first that fits counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deemed: Vec<DeemedRule>,
}

impl Default for Sending {
    fn default() -> Self {
        Sending { call_within_hours: CALL_WITHIN, quiet: BTreeMap::new(), deemed: vec![] }
    }
}

/// A quiet time (Ruhezeit), by German clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// When it begins.
    pub from: Clock,
    /// When it ends; before `from`: on the next day.
    pub until: Clock,
    /// Whether Sundays and holidays are quiet as a whole.
    #[serde(default)]
    pub sundays: bool,
}

/// A time of the day, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock(pub Time);

impl TryFrom<String> for Clock {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let form = format_description!("[hour]:[minute]");
        Time::parse(&text, form).map(Clock).map_err(|_| "expected a time such as 08:30")
    }
}

impl From<Clock> for String {
    fn from(Clock(time): Clock) -> Self {
        format!("{:02}:{:02}", time.hour(), time.minute())
    }
}

/// A day, `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub Date);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let form = format_description!("[year]-[month]-[day]");
        Date::parse(&text, form).map(Day).map_err(|_| "expected a day such as 2026-12-24")
    }
}

impl From<Day> for String {
    fn from(Day(date): Day) -> Self {
        date.to_string()
    }
}

impl Sending {
    /// Until when a notification by this way has to wait at `at`; `None` if it may leave.
    pub fn quiet_until(&self, way: &str, at: Timestamp) -> Option<Timestamp> {
        let quiet = self.quiet.get(way)?;
        let now = german_clock(at);
        let end = quiet.end(now)?;
        Some(german_moment(end))
    }

    /// What is wrong with it: key and rule.
    pub fn lack(&self) -> Option<(String, &'static str)> {
        if !(1..=MOST_HOURS).contains(&self.call_within_hours) {
            return Some(("call_within_hours".to_owned(), "expected 1 to 500"));
        }
        let is_always = |quiet: &Quiet| quiet.from == quiet.until;
        if let Some((way, _)) = self.quiet.iter().find(|(_, quiet)| is_always(quiet)) {
            return Some((format!("quiet.{way}"), "begins when it ends: nothing would ever leave"));
        }
        let lacks = self.deemed.iter().enumerate();
        lacks.into_iter().find_map(|(at, rule)| Some((format!("deemed[{at}]"), rule.lack()?)))
    }
}

impl Quiet {
    /// When the quiet time ends that `now` lies in; `None` if it lies in none.
    fn end(&self, now: PrimitiveDateTime) -> Option<PrimitiveDateTime> {
        let mut at = now;
        let last = now.saturating_add(Duration::days(DAYS));
        while let Some(next) = self.step(at) {
            if next > last {
                break;
            }
            at = next;
        }
        (at != now).then_some(at)
    }

    /// The end of the night or of the day that is quiet at `at`.
    fn step(&self, at: PrimitiveDateTime) -> Option<PrimitiveDateTime> {
        let (day, time) = (at.date(), at.time());
        let tomorrow = day.saturating_add(Duration::DAY);
        let (from, until) = (self.from.0, self.until.0);
        let ends = match from < until {
            true => (from..until).contains(&time).then_some(day),
            false if time >= from => Some(tomorrow),
            false => (time < until).then_some(day),
        };
        if let Some(day) = ends {
            return Some(PrimitiveDateTime::new(day, until));
        }
        let is_day_of_rest = day.weekday() == Weekday::Sunday || is_holiday(day);
        (self.sundays && is_day_of_rest).then(|| PrimitiveDateTime::new(tomorrow, Time::MIDNIGHT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn house(from: &str, until: &str, sundays: bool) -> Sending {
        let clock = |text: &str| Clock::try_from(text.to_owned()).unwrap();
        let quiet = Quiet { from: clock(from), until: clock(until), sundays };
        Sending { quiet: BTreeMap::from([("push".to_owned(), quiet)]), ..Sending::default() }
    }

    #[test]
    fn a_way_is_quiet_over_night_by_german_clocks() {
        let night = house("20:00", "08:00", false);
        for (now, until) in [
            ("2026-11-30T18:59:59Z", None),
            ("2026-11-30T19:00:00Z", Some("2026-12-01T07:00:00Z")),
            ("2026-11-30T23:30:00Z", Some("2026-12-01T07:00:00Z")),
            ("2026-12-01T06:59:59Z", Some("2026-12-01T07:00:00Z")),
            ("2026-12-01T07:00:00Z", None),
            ("2026-07-01T18:00:00Z", Some("2026-07-02T06:00:00Z")),
            // The night in which clocks are put forward.
            ("2026-03-28T20:00:00Z", Some("2026-03-29T06:00:00Z")),
        ] {
            assert_eq!(night.quiet_until("push", at(now)), until.map(at), "{now}");
        }
        assert_eq!(night.quiet_until("mail", at("2026-11-30T23:30:00Z")), None);
        let noon = house("12:00", "14:00", false);
        assert_eq!(noon.quiet_until("push", at("2026-11-30T12:00:00Z")), Some(at("2026-11-30T13:00:00Z")));
    }

    #[test]
    fn days_of_rest_are_quiet_if_the_house_wants_it() {
        let house = house("20:00", "08:00", true);
        // From the evening of 24 December 2026 over two holidays and a Sunday.
        assert_eq!(house.quiet_until("push", at("2026-12-24T20:00:00Z")), Some(at("2026-12-28T07:00:00Z")));
        assert_eq!(house.quiet_until("push", at("2026-12-27T11:00:00Z")), Some(at("2026-12-28T07:00:00Z")));
    }

    #[test]
    fn what_would_never_leave_is_refused() {
        let lack = house("08:00", "08:00", false).lack();
        assert_eq!(lack.map(|(key, _)| key).as_deref(), Some("quiet.push"));
        let never = Sending { call_within_hours: 0, ..Sending::default() };
        assert_eq!(never.lack().map(|(key, _)| key).as_deref(), Some("call_within_hours"));
        assert!(Clock::try_from("24:00".to_owned()).is_err());
        assert!(Day::try_from("2026-02-30".to_owned()).is_err());
    }
}
