//! When the authority had a letter: what the index says, else the sheet, else the stamp that was read, else the file. Deadlines
//! count from it, so what cannot be right is not believed.

use std::time::Duration;

use model::Timestamp;
use model::payment::day::german_moment;
use regex::Regex;
use time::{Date, Month, PrimitiveDateTime, Time};

/// A clock may be ahead of ours by so much.
const AHEAD: Duration = Duration::from_secs(300);
/// A stamp that was read by OCR is not believed if the letter was scanned so much later.
const STAMP_AGE: Duration = Duration::from_secs(14 * 24 * 3_600);

/// When, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// When.
    pub at: Timestamp,
    /// `index`, `sheet`, `stamp` or `file`.
    pub by: &'static str,
    /// Whether something else was said that cannot be right.
    pub is_doubtful: bool,
}

/// What was said by whom, in words.
pub(super) struct Said<'a> {
    pub index: Option<&'a str>,
    pub sheet: Option<&'a str>,
    pub stamp: Option<&'a str>,
}

/// The first that can be right.
pub(super) fn received(said: &Said<'_>, scanned: Timestamp, now: Timestamp) -> Received {
    let latest = now.plus(AHEAD);
    let mut is_doubtful = false;
    for (by, text) in [("index", said.index), ("sheet", said.sheet), ("stamp", said.stamp)] {
        let Some(text) = text else { continue };
        let is_fresh = |at: Timestamp| by != "stamp" || at.plus(STAMP_AGE) >= scanned;
        // A day alone is noon of it; on the day of the scan not later than that.
        let at = read(text).map(|(at, is_day)| if is_day { at.min(start_of(at).max(scanned)) } else { at });
        match at.filter(|at| *at <= latest && is_fresh(*at)) {
            Some(at) => return Received { at, by, is_doubtful },
            None => is_doubtful = true,
        }
    }
    Received { at: scanned.min(now), by: "file", is_doubtful }
}

/// Twelve hours before noon.
fn start_of(noon: Timestamp) -> Timestamp {
    Timestamp::from_micros(noon.micros() - 12 * 3_600 * 1_000_000)
}

/// A moment as scan software writes it, and whether it is a day alone.
pub(super) fn read(text: &str) -> Option<(Timestamp, bool)> {
    static FORM: std::sync::OnceLock<Option<Regex>> = std::sync::OnceLock::new();
    if let Some(at) = Timestamp::parse(text.trim()) {
        return Some((at, false));
    }
    let form = FORM.get_or_init(|| {
        let day = r"(?:(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})|(?P<y2>\d{4})-(?P<m2>\d{2})-(?P<d2>\d{2}))";
        let time = r"(?:(?:\s*,?\s*|T)(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}))?(?:\s*Uhr)?)?";
        Regex::new(&format!(r"^\s*{day}{time}\s*$")).ok()
    });
    let groups = form.as_ref()?.captures(text)?;
    let number = |names: [&str; 2]| {
        let group = names.iter().find_map(|name| groups.name(name));
        group.and_then(|it| it.as_str().parse::<u16>().ok())
    };
    let (year, month, day) = (number(["y", "y2"])?, number(["m", "m2"])?, number(["d", "d2"])?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let part = |name| number([name, name]).and_then(|it| u8::try_from(it).ok());
    let (time, is_day) = match part("h") {
        Some(hour) => (Time::from_hms(hour, part("min")?, part("s").unwrap_or(0)).ok()?, false),
        None => (Time::from_hms(12, 0, 0).ok()?, true),
    };
    Some((german_moment(PrimitiveDateTime::new(date, time)), is_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn moments_are_read_as_they_are_written() {
        for (text, moment) in [
            ("2026-11-05T08:15:00+01:00", "2026-11-05T07:15:00Z"),
            ("05.11.2026 08:15", "2026-11-05T07:15:00Z"),
            ("5. 11. 2026, 08:15:30 Uhr", "2026-11-05T07:15:30Z"),
            ("05.07.2026", "2026-07-05T10:00:00Z"),
            ("2026-11-05", "2026-11-05T11:00:00Z"),
            ("2026-11-05T23:59", "2026-11-05T22:59:00Z"),
        ] {
            assert_eq!(read(text).map(|it| it.0), Some(at(moment)), "{text}");
        }
        for text in ["", "31.02.2026", "05.11.26", "2026", "05.11.2026 25:00", "heute"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_that_can_be_right_counts() {
        let (scanned, now) = (at("2026-11-05T09:00:00Z"), at("2026-11-05T10:00:00Z"));
        let received = |index, sheet, stamp| {
            let it = received(&Said { index, sheet, stamp }, scanned, now);
            (it.by, it.at.to_string(), it.is_doubtful)
        };
        let day = "2026-11-03T11:00:00Z".to_owned();
        assert_eq!(received(Some("03.11.2026"), Some("04.11.2026"), None), ("index", day.clone(), false));
        assert_eq!(received(Some("03.11.2062"), None, Some("03.11.2026")), ("stamp", day, true));
        assert_eq!(received(None, None, Some("03.11.2025")), ("file", scanned.to_string(), true), "misread");
        assert_eq!(received(None, None, None), ("file", scanned.to_string(), false));
        let today = received(None, Some("05.11.2026"), None);
        assert_eq!(today, ("sheet", scanned.to_string(), false), "noon had not come yet");
    }
}
