//! Values of XML Schema 1.0 part 2 that messages carry. Each keeps its lexical form: what is read
//! is written again, character for character, except white space around it.

use crate::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// `xs:date`, years 0001 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Date {
    /// Year.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
    /// Time zone, if given.
    pub zone: Option<Zone>,
}

/// `xs:dateTime`, years 0001 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Year.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
    /// Hour; 24 only at 24:00:00.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Digits behind the decimal point as written, possibly none.
    pub fraction: String,
    /// Time zone, if given.
    pub zone: Option<Zone>,
}

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// `Z`.
    Utc,
    /// `+hh:mm` or `-hh:mm`, up to 14:00.
    Offset {
        /// West of Greenwich.
        negative: bool,
        /// Hours.
        hours: u8,
        /// Minutes.
        minutes: u8,
    },
}

/// `xs:boolean`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Boolean {
    /// The value.
    pub value: bool,
    /// Written as `1` or `0`.
    pub digit: bool,
}

/// A UUID as xdomea up to 3.1 allows it (`stringUUIDType`): either case, and by a slip of the
/// pattern `|` counts as a digit. Compared without regard to case.
#[derive(Debug, Clone)]
pub struct Uuid(String);

impl Zone {
    /// Minutes east of Greenwich.
    pub fn minutes_east(self) -> i32 {
        match self {
            Zone::Utc => 0,
            Zone::Offset { negative, hours, minutes } => {
                let minutes = i32::from(hours) * 60 + i32::from(minutes);
                if negative { -minutes } else { minutes }
            }
        }
    }
}

impl Uuid {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Uuid {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Uuid {}

impl Hash for Uuid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl FromStr for Uuid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);
        let is_digit = |c: char| c.is_ascii_hexdigit() || c == '|';
        let is_part = |(part, length): (&str, usize)| part.len() == length && part.chars().all(is_digit);
        let has_five_parts = text.split('-').count() == 5;
        if !has_five_parts || !text.split('-').zip([8, 4, 4, 4, 12]).all(is_part) {
            return Err(Error::Value { expected: "UUID" });
        }
        Ok(Uuid(text.to_owned()))
    }
}

impl FromStr for Boolean {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (value, digit) = match trim(text) {
            "true" => (true, false),
            "false" => (false, false),
            "1" => (true, true),
            "0" => (false, true),
            _ => return Err(Error::Value { expected: "xs:boolean" }),
        };
        Ok(Boolean { value, digit })
    }
}

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_date(trim(text)).ok_or(Error::Value { expected: "xs:date" })
    }
}

impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_date_time(trim(text)).ok_or(Error::Value { expected: "xs:dateTime" })
    }
}

fn parse_date(text: &str) -> Option<Date> {
    let (year, month, day) = parse_day(text.get(..10)?)?;
    let zone = parse_zone(text.get(10..)?)?;
    Some(Date { year, month, day, zone })
}

fn parse_date_time(text: &str) -> Option<DateTime> {
    let (year, month, day) = parse_day(text.get(..10)?)?;
    let time = text.get(10..)?.strip_prefix('T')?;
    let (hour, minute, second) = parse_time(time.get(..8)?)?;
    let rest = time.get(8..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
    };
    let has_empty_fraction = rest.starts_with('.') && fraction.is_empty();
    let is_past_midnight = hour == 24 && (minute > 0 || second > 0 || fraction.contains(|c| c != '0'));
    if has_empty_fraction || is_past_midnight {
        return None;
    }
    let (fraction, zone) = (fraction.to_owned(), parse_zone(zone)?);
    Some(DateTime { year, month, day, hour, minute, second, fraction, zone })
}

/// `YYYY-MM-DD`.
fn parse_day(text: &str) -> Option<(u16, u8, u8)> {
    let (year, rest) = text.split_at_checked(4)?;
    let [b'-', _, _, b'-', _, _] = rest.as_bytes() else { return None };
    let (year, month, day) = (number(year, 9999)?, number(rest.get(1..3)?, 12)?, number(rest.get(4..)?, 31)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (year > 0 && month > 0 && day > 0 && day <= days).then_some((year, month as u8, day as u8))
}

/// `hh:mm:ss`.
fn parse_time(text: &str) -> Option<(u8, u8, u8)> {
    let [_, _, b':', _, _, b':', _, _] = text.as_bytes() else { return None };
    let (hour, minute) = (number(text.get(..2)?, 24)?, number(text.get(3..5)?, 59)?);
    let second = number(text.get(6..)?, 59)?;
    Some((hour as u8, minute as u8, second as u8))
}

/// Nothing, `Z`, or an offset; the outer `None` is an error.
fn parse_zone(text: &str) -> Option<Option<Zone>> {
    if text.is_empty() {
        return Some(None);
    }
    if text == "Z" {
        return Some(Some(Zone::Utc));
    }
    let [sign @ (b'+' | b'-'), _, _, b':', _, _] = text.as_bytes() else { return None };
    let (hours, minutes) = (number(text.get(1..3)?, 14)? as u8, number(text.get(4..)?, 59)? as u8);
    let in_range = hours < 14 || minutes == 0;
    in_range.then_some(Some(Zone::Offset { negative: *sign == b'-', hours, minutes }))
}

fn number(text: &str, max: u16) -> Option<u16> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_digits.then(|| text.parse().ok())??;
    (number <= max).then_some(number)
}

/// White space of XML, which these types collapse.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Boolean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.value, self.digit) {
            (true, false) => "true",
            (false, false) => "false",
            (true, true) => "1",
            (false, true) => "0",
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Utc => f.write_str("Z"),
            Zone::Offset { negative, hours, minutes } => {
                write!(f, "{}{hours:02}:{minutes:02}", if *negative { '-' } else { '+' })
            }
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)?;
        self.zone.iter().try_for_each(|zone| zone.fmt(f))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}T", self.year, self.month, self.day)?;
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if !self.fraction.is_empty() {
            write!(f, ".{}", self.fraction)?;
        }
        self.zone.iter().try_for_each(|zone| zone.fmt(f))
    }
}
