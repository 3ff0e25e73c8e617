//! Texts and amounts as providers and banks want them: the SEPA characters (EPC217-08), euros with decimals, addresses.

use unicode_normalization::UnicodeNormalization;

/// Most characters of the text of a transfer that every provider takes.
pub(crate) const PURPOSE: usize = 27;

/// Longest address that is called or shown, in bytes.
const URL: usize = 2_082;

/// Amounts have fewer digits than this, in front of the point and behind it.
const DIGITS: usize = 15;

/// Euros with two decimals: 2500 is `25.00`.
pub(crate) fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// Cents of an amount in euros, `25`, `25.0`, `25.00` or, as some JSON writers do, `2.5E1`. `None` if it is no number, has
/// parts of a cent, or is beyond 13 digits of euros.
pub(crate) fn cents(euros: &str) -> Option<i64> {
    let (sign, digits) = euros.strip_prefix('-').map_or((1, euros), |rest| (-1, rest));
    let (number, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, part) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let is_number =
        |text: &str| (1..=DIGITS).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole) || !part.is_none_or(is_number) {
        return None;
    }
    let exponent: i32 = exponent.parse().ok().filter(|it| (-20..=20).contains(it))?;
    let part = part.unwrap_or_default();
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    // Place of the last digit, counted from the cent.
    let place = exponent - i32::try_from(part.len()).ok()? + 2;
    let power = 10_i128.checked_pow(place.unsigned_abs())?;
    let cents = match place {
        0.. => digits.checked_mul(power)?,
        _ if digits % power == 0 => digits / power,
        _ => return None,
    };
    i64::try_from(sign * cents).ok().filter(|cents| cents.unsigned_abs() < 1_000_000_000_000_000)
}

/// Cents that are written as an integer: digits alone, no zeros in front. Another spelling of the same number is none: what is
/// signed is a text.
pub(crate) fn whole_cents(text: &str) -> Option<i64> {
    let is_plain = text == "0" || !text.starts_with('0');
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain && is_number)
}

/// A text in the SEPA characters, at most `most` of them: letters lose their marks, the rest becomes a blank.
pub(crate) fn sepa(text: &str, most: usize) -> String {
    written(text, most, |char| char.is_ascii_alphanumeric() || "/-?:().,'+".contains(char))
}

/// A text in those characters that `is_allowed` allows, and single blanks. Letters lose their marks where they have to.
pub(crate) fn written(text: &str, most: usize, is_allowed: impl Fn(char) -> bool) -> String {
    let mut written = String::new();
    for char in text.nfc() {
        if is_allowed(char) {
            written.push(char);
            continue;
        }
        let plain = plain(char);
        written.extend(plain.chars().filter(|char| is_allowed(*char)));
        // One blank for a whole run of what cannot be written.
        let is_lost = !plain.chars().any(&is_allowed);
        if is_lost && !written.is_empty() && !written.ends_with(' ') {
            written.push(' ');
        }
    }
    written.chars().take(most).collect::<String>().trim().to_owned()
}

/// A letter without its marks.
fn plain(char: char) -> String {
    let known = match char {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'ẞ' => "SS",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "Th",
        'ı' => "i",
        '–' | '—' => "-",
        '‘' | '’' => "'",
        '&' => "+",
        _ => {
            return char
                .nfd()
                .filter(|char| !unicode_normalization::char::is_combining_mark(*char))
                .collect();
        }
    };
    known.to_owned()
}

/// The first `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Whether a text may be a provider's name for something: at most `most` visible ASCII characters, and more than dots, so that it
/// stands for itself in an address.
pub(crate) fn is_reference(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text may be a Kassenzeichen, as claims have it: 2 to 36 letters, digits, hyphens, full stops, slashes.
pub(crate) fn is_cash_reference(text: &str) -> bool {
    (2..=36).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte))
}

/// A name as one step of an address.
pub(crate) fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(byte.into()),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

/// Whether a payer's browser may be sent there: `https`, or what the provider is reached by itself (`base`).
pub(crate) fn is_page(url: &str, base: &str) -> bool {
    let scheme = if base.starts_with("http://") { "http://" } else { "https://" };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix(scheme));
    let has_host =
        rest.is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '['));
    has_host
        && url.len() <= URL
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_exact_or_none() {
        let good = [
            ("25", 2_500),
            ("25.0", 2_500),
            ("25.00", 2_500),
            ("2.5E1", 2_500),
            ("0.01", 1),
            ("-1.50", -150),
        ];
        for (text, wanted) in good.into_iter().chain([("1e+2", 10_000), ("1.2000", 120), ("2500E-2", 2_500)])
        {
            assert_eq!(cents(text), Some(wanted), "{text}");
        }
        let bad =
            ["", "-", ".5", "5.", "1.005", "1e-3", "0x10", "1,00", " 1", "1e99", "NaN", "+1", "1e", "--1"];
        for text in bad.into_iter().chain(["9999999999999999", "1e15"]) {
            assert_eq!(cents(text), None, "{text}");
        }
        for text in ["2500", "0", "1"] {
            assert!(whole_cents(text).is_some(), "{text}");
        }
        for text in ["", "02500", "00", "+1", "-1", " 1", "1.0", "1e2", "9999999999999"] {
            assert_eq!(whole_cents(text), None, "{text}");
        }
    }

    #[test]
    fn a_purpose_has_sepa_characters_and_one_blank_at_a_time() {
        assert_eq!(sepa("Gebühr für Straßenfest – Łódź", 40), "Gebuehr fuer Strassenfest - Lodz");
        assert_eq!(sepa("Gebu\u{308}hr", 40), "Gebuehr", "marks of their own are the same letter");
        assert_eq!(sepa("  a\n\t€€b§ ", 27), "a b");
        assert_eq!(sepa("Fischereischein 2026-000123 Verlängerung", PURPOSE), "Fischereischein 2026-000123");
        assert_eq!(sepa("中文", 27), "");
        assert_eq!(
            written("a.b_c-ä", 27, |char| char.is_ascii_alphanumeric() || "-_".contains(char)),
            "a b_c-ae"
        );
    }

    #[test]
    fn a_name_stays_one_step_of_an_address() {
        assert_eq!(segment("gw.1700000000.0001"), "gw.1700000000.0001");
        assert_eq!(segment("../evil?x#y%41 ä"), "..%2Fevil%3Fx%23y%2541%20%C3%A4");
        for name in ["", ".", "..", "a b", "ä", "a\n"] {
            assert!(!is_reference(name, 44), "{name:?}");
        }
        assert!(is_reference("a/b", 3) && !is_reference("abcd", 3));
        assert!(is_cash_reference("4200000000061") && is_cash_reference("12.34-5/6"));
        assert!(
            !is_cash_reference("1") && !is_cash_reference("42 00") && !is_cash_reference(&"4".repeat(37))
        );
    }

    #[test]
    fn a_payer_is_sent_to_pages_only() {
        let (https, http) = ("https://pay.example/api", "http://127.0.0.1:9700");
        assert!(
            is_page("https://pay.example/p?a=1&b=%20", https) && is_page("http://127.0.0.1:9700/p", http)
        );
        for bad in
            ["http://pay.example/p", "javascript:alert(1)", "https://", "https:///p", "https://a/\"x", "//a"]
        {
            assert!(!is_page(bad, https), "{bad}");
        }
        assert!(!is_page(&format!("https://a/{}", "x".repeat(URL)), https));
    }

    proptest! {
        #[test]
        fn an_amount_is_read_as_it_was_written(amount in -99_999_999_999_i64..99_999_999_999) {
            prop_assert_eq!(cents(&euros(amount)), Some(amount));
        }

        #[test]
        fn any_text_is_an_amount_or_none(text in "[-+0-9.eE]{0,24}") {
            let _ = cents(&text);
        }

        #[test]
        fn any_text_can_be_a_purpose(text in "\\PC{0,60}") {
            let purpose = sepa(&text, PURPOSE);
            prop_assert!(purpose.len() <= PURPOSE && purpose.is_ascii() && !purpose.contains("  "));
            prop_assert_eq!(sepa(&purpose, PURPOSE), purpose);
        }
    }
}
