//! How things are said on a page: one of two texts, days, times and amounts.

use http::{HeaderMap, Uri};
use model::Timestamp;
use model::payment::day::{german_clock, german_day};

use crate::Language;

/// The language of a page, and how things are said in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(pub Language);

impl Words {
    /// That of the address, else the one that the browser prefers.
    pub fn wanted(uri: &Uri, headers: &HeaderMap) -> Words {
        let query = uri.query().unwrap_or_default();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang");
        Words(match named.as_ref().map(|(_, value)| value.as_ref()) {
            Some("de") => Language::German,
            Some("en") => Language::English,
            _ => Language::wanted(headers),
        })
    }

    /// The one of two texts.
    pub fn of<'a>(self, german: &'a str, english: &'a str) -> &'a str {
        self.0.of(german, english)
    }

    /// The one of two texts that may lack its English form.
    pub fn named<'a>(self, german: &'a str, english: Option<&'a str>) -> &'a str {
        if self.0 == Language::English { english.unwrap_or(german) } else { german }
    }

    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        self.0.tag()
    }

    /// Those of the other language.
    pub fn other(self) -> Words {
        Words(if self.0 == Language::German { Language::English } else { Language::German })
    }

    /// An address of this site that stays in the language.
    pub fn to(self, path: &str) -> String {
        format!("{path}?lang={}", self.tag())
    }

    /// An amount in cents, as people write it.
    pub fn amount(self, cents: i64) -> String {
        self.0.amount(cents)
    }

    /// A day, `YYYY-MM-DD`, as people write it.
    pub fn day(self, day: &str) -> String {
        const GERMAN: [&str; 12] = [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ];
        const ENGLISH: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let mut parts = day.splitn(3, '-').map(|part| part.parse::<usize>().ok());
        let (Some(Some(year)), Some(Some(month)), Some(Some(day_of))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return day.to_owned();
        };
        let names = if self.0 == Language::German { GERMAN } else { ENGLISH };
        let Some(name) = month.checked_sub(1).and_then(|at| names.get(at)) else { return day.to_owned() };
        match self.0 {
            Language::German => format!("{day_of}. {name} {year}"),
            Language::English => format!("{day_of} {name} {year}"),
        }
    }

    /// What clocks in Germany show at a moment.
    pub fn clock(self, at: Timestamp) -> String {
        let shown = german_clock(at);
        let clock = format!("{:02}:{:02}", shown.hour(), shown.minute());
        match self.0 {
            Language::German => clock + " Uhr",
            Language::English => clock,
        }
    }

    /// The day of a moment in Germany.
    pub fn date(self, at: Timestamp) -> String {
        self.day(&german_day(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_as_people_write_them() {
        let (german, english) = (Words(Language::German), Words(Language::English));
        assert_eq!(german.day("2026-03-09"), "9. März 2026");
        assert_eq!(english.day("2026-03-09"), "9 March 2026");
        for odd in ["", "2026", "2026-13-01", "bald"] {
            assert_eq!(german.day(odd), odd);
        }
    }
}
