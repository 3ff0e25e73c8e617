//! The language of a page: German, unless English is preferred (RFC 9110, 12.5.4).

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// Language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// German.
    German,
    /// English.
    English,
}

impl Language {
    /// English for whoever prefers it to German, German for everybody else (RFC 9110, 12.5.4).
    pub fn wanted(headers: &HeaderMap) -> Language {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let weight = |language: &str| {
            let ranges = text.split(',').filter_map(|range| {
                let (tag, weight) = range.split_once(";q=").unwrap_or((range, "1"));
                let primary = tag.trim().split('-').next().unwrap_or_default();
                primary.eq_ignore_ascii_case(language).then(|| weight.trim().parse().unwrap_or(0.0))
            });
            ranges.fold(0.0_f32, f32::max)
        };
        if weight("en") > weight("de") { Language::English } else { Language::German }
    }

    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Language::German => "de",
            Language::English => "en",
        }
    }

    /// The one of two texts.
    pub fn of<'a>(self, german: &'a str, english: &'a str) -> &'a str {
        match self {
            Language::German => german,
            Language::English => english,
        }
    }

    /// An amount in cents, as people write it.
    pub fn amount(self, cents: i64) -> String {
        let (euros, cents) = (cents / 100, cents % 100);
        let digits = euros.to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(if self == Language::German { '.' } else { ',' });
            }
            grouped.push(digit);
        }
        match self {
            Language::German => format!("{grouped},{cents:02}\u{a0}€"),
            Language::English => format!("€{grouped}.{cents:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(text: &'static str) -> Language {
        Language::wanted(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(text))]))
    }

    #[test]
    fn german_is_spoken_unless_english_is_preferred() {
        assert_eq!(Language::wanted(&HeaderMap::new()), Language::German);
        for german in
            ["de", "de-AT, en;q=0.9", "fr, de;q=0.2, en;q=0.1", "tr", "*", "en;q=0", "en;q=x", "english"]
        {
            assert_eq!(wanted(german), Language::German, "{german}");
        }
        for english in ["en", "en-GB,en;q=0.9", "fr, en;q=0.5", "de;q=0.5, EN", "pl,en-US;q=0.7,de;q=0.3"] {
            assert_eq!(wanted(english), Language::English, "{english}");
        }
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        for (cents, german, english) in [
            (1, "0,01\u{a0}€", "€0.01"),
            (12_345, "123,45\u{a0}€", "€123.45"),
            (123_456, "1.234,56\u{a0}€", "€1,234.56"),
            (99_999_999, "999.999,99\u{a0}€", "€999,999.99"),
        ] {
            assert_eq!(Language::German.amount(cents), german);
            assert_eq!(Language::English.amount(cents), english);
        }
    }
}
