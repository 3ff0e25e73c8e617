//! Telephone numbers: as people and telephone systems write them, to the one form that is kept and looked up (E.164).

/// A number by E.164 (`+` and 7 to 15 digits). What begins with one `0` is of `country` (such as `49`), what begins with neither is of
/// `area` (such as `2921`, without `0`) too; without an area such a number is none. `None` for what is no number: withheld, an extension, a name.
pub fn e164(text: &str, country: &str, area: Option<&str>) -> Option<String> {
    // "+49 (0) 2921": the zero in brackets is not dialled from abroad.
    let text = text.trim().replace("(0)", "");
    let text = text.strip_prefix("tel:").unwrap_or(&text);
    let is_mark = |c: char| matches!(c, ' ' | '-' | '/' | '(' | ')' | '.' | '\u{a0}' | '\u{2013}');
    if text.chars().any(|c| !(c.is_ascii_digit() || is_mark(c) || c == '+'))
        || text.rfind('+').is_some_and(|at| at > 0)
    {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let whole = if text.starts_with('+') {
        digits
    } else if let Some(abroad) = digits.strip_prefix("00") {
        abroad.to_owned()
    } else if let Some(national) = digits.strip_prefix('0') {
        format!("{country}{national}")
    } else {
        format!("{country}{}{digits}", area.filter(|_| digits.len() >= 3)?)
    };
    let is_number = (7..=15).contains(&whole.len()) && !whole.starts_with('0');
    is_number.then(|| format!("+{whole}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_a_number_is_written_it_is_the_same() {
        for text in [
            "+492921300",
            "+49 2921 300",
            "+49 (0)2921 / 300",
            "0049 2921 300",
            "02921-300",
            "(02921) 300",
            "tel:+49-2921-300",
            "300",
        ] {
            assert_eq!(e164(text, "49", Some("2921")).as_deref(), Some("+492921300"), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "",
            "anonymous",
            "+",
            "12",
            "sip:a@b",
            "02921+300",
            "++49292130",
            "+0123456789",
            "0",
            "+1234567890123456",
        ] {
            assert_eq!(e164(text, "49", None), None, "{text}");
        }
        assert_eq!(e164("300", "49", None), None);
    }
}
