//! When the authority had a letter: what the index says, else the sheet, else the stamp that was read, else the file. Deadlines
//! count from it, so what cannot be right is not believed.

use std::time::Duration;

use model::Timestamp;
use model::payment::day::german_moment;
use regex::Regex;
use time::{Date, Month, PrimitiveDateTime, Time};

const DAY: u64 = 24 * 3_600;
/// A clock may be ahead of ours by so much.
const AHEAD: Duration = Duration::from_secs(300);
/// What OCR has read, and what stands on a sheet that anybody can have made, is not believed if the letter was scanned so much later.
const UNSURE_AGE: Duration = Duration::from_secs(14 * DAY);
/// Nothing is believed that is older: a year that was typed wrongly, a clock that was never set.
const AGE: Duration = Duration::from_secs(180 * DAY);

/// When it was scanned, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanned {
    /// When.
    pub at: Timestamp,
    /// `file`, or `gateway` if neither index nor file say what can be right.
    pub by: &'static str,
    /// Whether something was said that cannot be right.
    pub is_doubtful: bool,
}

/// When, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// When.
    pub at: Timestamp,
    /// `index`, `sheet`, `stamp`, `file` or `gateway`.
    pub by: &'static str,
    /// Whether something else was said that cannot be right.
    pub is_doubtful: bool,
}

/// What was said by whom, in words.
pub(super) struct Said<'a> {
    pub index: Option<&'a str>,
    pub sheet: Option<&'a str>,
    pub stamp: Option<&'a str>,
    /// Whether the sheet carries the word of the house.
    pub is_sheet_ours: bool,
}

/// What the index says, else when the file was written; but neither in the future nor half a year ago, which `now` stands in for.
pub(super) fn scanned(index: Option<&str>, written: Timestamp, now: Timestamp) -> Scanned {
    let can_be = |at: &Timestamp| *at <= now.plus(AHEAD) && at.plus(AGE) >= now;
    let said = index.map(|text| moment(text, written).filter(can_be));
    match (said, Some(written).filter(can_be)) {
        (Some(Some(at)), _) => Scanned { at: at.min(now), by: "file", is_doubtful: false },
        (said, Some(at)) => Scanned { at: at.min(now), by: "file", is_doubtful: said.is_some() },
        (_, None) => Scanned { at: now, by: "gateway", is_doubtful: true },
    }
}

/// The first that can be right: not after the scan, and not long before it.
pub(super) fn received(said: &Said<'_>, scanned: Scanned, now: Timestamp) -> Received {
    let latest = scanned.at.min(now).plus(AHEAD);
    let mut is_doubtful = scanned.is_doubtful;
    let of_sheet = if said.is_sheet_ours { AGE } else { UNSURE_AGE };
    let all =
        [("index", said.index, AGE), ("sheet", said.sheet, of_sheet), ("stamp", said.stamp, UNSURE_AGE)];
    for (by, text, age) in all {
        let Some(text) = text else { continue };
        let at = moment(text, scanned.at);
        match at.filter(|at| *at <= latest && at.plus(age) >= scanned.at) {
            Some(at) => return Received { at, by, is_doubtful },
            None => is_doubtful = true,
        }
    }
    Received { at: scanned.at.min(now), by: scanned.by, is_doubtful }
}

/// What is said in words. A day alone is noon of it; on the day of `scan` not later than that.
fn moment(text: &str, scan: Timestamp) -> Option<Timestamp> {
    read(text).map(|(at, is_day)| if is_day { at.min(start_of(at).max(scan)) } else { at })
}

/// Twelve hours before noon.
fn start_of(noon: Timestamp) -> Timestamp {
    Timestamp::from_micros(noon.micros() - 12 * 3_600 * 1_000_000)
}

/// A moment as scan software writes it, and whether it is a day alone.
fn read(text: &str) -> Option<(Timestamp, bool)> {
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
        let (scan, now) = (at("2026-11-05T09:00:00Z"), at("2026-11-05T10:00:00Z"));
        let scanned = Scanned { at: scan, by: "file", is_doubtful: false };
        let received = |index, sheet, stamp| {
            let it = received(&Said { index, sheet, stamp, is_sheet_ours: false }, scanned, now);
            (it.by, it.at.to_string(), it.is_doubtful)
        };
        let day = "2026-11-03T11:00:00Z".to_owned();
        assert_eq!(received(Some("03.11.2026"), Some("04.11.2026"), None), ("index", day.clone(), false));
        assert_eq!(received(Some("03.11.2062"), None, Some("03.11.2026")), ("stamp", day.clone(), true));
        assert_eq!(received(None, None, Some("03.11.2025")), ("file", scan.to_string(), true), "misread");
        assert_eq!(received(None, None, None), ("file", scan.to_string(), false));
        let today = received(None, Some("05.11.2026"), None);
        assert_eq!(today, ("sheet", scan.to_string(), false), "noon had not come yet");
        let later = received(Some("05.11.2026 10:30"), None, None);
        assert_eq!(later, ("file", scan.to_string(), true), "after the scan, though not in the future");
        assert_eq!(
            received(Some("03.11.2025"), None, Some("03.11.2026")),
            ("stamp", day, true),
            "another year"
        );
    }

    #[test]
    fn a_sheet_that_anybody_can_have_made_is_believed_no_more_than_a_stamp() {
        let scan = at("2026-11-05T09:00:00Z");
        let scanned = Scanned { at: scan, by: "file", is_doubtful: false };
        let by = |sheet, is_sheet_ours| {
            let said = Said { index: None, sheet: Some(sheet), stamp: None, is_sheet_ours };
            let it = received(&said, scanned, scan);
            (it.by, it.is_doubtful)
        };
        assert_eq!((by("01.10.2026", true), by("01.10.2026", false)), (("sheet", false), ("file", true)));
        assert_eq!((by("01.11.2026", false), by("01.11.2025", true)), (("sheet", false), ("file", true)));
    }

    #[test]
    fn a_scan_is_neither_of_the_future_nor_of_long_ago() {
        let (written, now) = (at("2026-11-05T09:00:00Z"), at("2026-11-05T10:00:00Z"));
        let by = |index, written| {
            let it = scanned(index, written, now);
            (it.at.to_string(), it.by, it.is_doubtful)
        };
        let said = |moment: &str, by, is_doubtful| (moment.to_owned(), by, is_doubtful);
        let file = "2026-11-05T09:00:00Z";
        assert_eq!(by(None, written), said(file, "file", false));
        assert_eq!(by(Some("05.11.2026 08:15"), written), said("2026-11-05T07:15:00Z", "file", false));
        assert_eq!(by(Some("05.11.2026"), written), said(file, "file", false), "noon had not come yet");
        for wrong in ["05.11.2062", "05.11.2025", "06.11.2026", "gestern"] {
            assert_eq!(by(Some(wrong), written), said(file, "file", true), "{wrong}");
        }
        for clock in ["1980-01-01T00:00:00Z", "2026-11-05T10:06:00Z"] {
            assert_eq!(by(None, at(clock)), said("2026-11-05T10:00:00Z", "gateway", true), "{clock}");
        }
    }
}
