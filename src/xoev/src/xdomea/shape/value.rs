//! What text a simple type holds (XML Schema 1.0 part 2, chapter 3, and the patterns of xdomea), as far
//! as versions differ in it. Types that are the same in every version hold what was checked before.

use super::characters::Characters;

/// What text is held.
#[derive(Debug)]
pub(crate) enum Value {
    /// Text that needs no look.
    Any,
    /// `xs:date`.
    Date,
    /// `xs:gYear`.
    Year,
    /// A whole number between two others; `None` is without bounds.
    Number(Option<(i64, i64)>),
    /// One of some words.
    Words(Vec<String>),
    /// A UUID; up to 3.1 a bar counts as a digit.
    Uuid {
        /// Whether it does.
        with_bar: bool,
    },
    /// A UUID and a name; in 2.x an underscore and a dot must follow.
    FileName {
        /// Whether they must.
        in_full: bool,
    },
    /// Text of some characters.
    Characters(Characters),
}

impl Value {
    /// What a type with this base, these enumerated values and this pattern holds.
    pub(super) fn of(base: &str, words: &[&str], pattern: Option<&str>) -> Value {
        if !words.is_empty() {
            return Value::Words(words.iter().map(|word| (*word).to_owned()).collect());
        }
        if let Some(pattern) = pattern {
            return match pattern.rsplit_once("{12}") {
                Some((head, "")) => Value::Uuid { with_bar: head.contains('|') },
                Some((_, rest)) => Value::FileName { in_full: rest.starts_with("_.") },
                None => Characters::of(pattern).map_or(Value::Any, Value::Characters),
            };
        }
        match base {
            "xs:date" => Value::Date,
            "xs:gYear" => Value::Year,
            "xs:integer" => Value::Number(None),
            "xs:int" => Value::Number(Some((i32::MIN.into(), i32::MAX.into()))),
            "xs:unsignedShort" => Value::Number(Some((0, u16::MAX.into()))),
            "xs:unsignedInt" => Value::Number(Some((0, u32::MAX.into()))),
            _ => Value::Any,
        }
    }

    /// The text as it can be written, if it can: characters that cannot be held are replaced.
    pub(crate) fn hold(&self, text: &str) -> Option<String> {
        let holds = match self {
            Value::Any => true,
            Value::Date => is_date(text.trim()),
            Value::Year => split_zone(text.trim()).is_some_and(|(year, _)| is_year(year)),
            Value::Number(bounds) => is_number(text.trim(), *bounds),
            Value::Words(words) => words.iter().any(|word| word == text.trim()),
            Value::Uuid { with_bar } => is_uuid(text, *with_bar),
            Value::FileName { in_full } => is_file_name(text, *in_full),
            Value::Characters(characters) => return Some(characters.hold(text)),
        };
        holds.then(|| text.to_owned())
    }
}

/// Splits a date or year from its time zone, if it has a usable one or none.
pub(crate) fn split_zone(text: &str) -> Option<(&str, &str)> {
    if let Some(value) = text.strip_suffix('Z') {
        return Some((value, "Z"));
    }
    let at = text.len().checked_sub(6).filter(|at| text.is_char_boundary(*at));
    if let Some((value, zone)) = at.map(|at| text.split_at(at))
        && let Some((hours, minutes)) = zone.split_once(':')
        && let Some(hours) = hours.strip_prefix(['+', '-'])
        && [hours, minutes].iter().all(|part| part.len() == 2 && is_digits(part))
    {
        return Some((value, zone));
    }
    Some((text, ""))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_year(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() >= 4 && is_digits(digits) && digits.bytes().any(|byte| byte != b'0')
}

fn is_date(text: &str) -> bool {
    let Some((date, _)) = split_zone(text) else { return false };
    let mut parts = date.rsplitn(3, '-');
    let mut two = |most: u8| {
        let part = parts.next().filter(|part| part.len() == 2 && is_digits(part));
        part.and_then(|part| part.parse().ok()).is_some_and(|number: u8| (1..=most).contains(&number))
    };
    two(31) && two(12) && parts.next().is_some_and(is_year)
}

fn is_number(text: &str, bounds: Option<(i64, i64)>) -> bool {
    let Some((least, most)) = bounds else {
        return is_digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    };
    text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number))
}

fn is_uuid(text: &str, with_bar: bool) -> bool {
    let is_digit = |c: char| c.is_ascii_hexdigit() || (with_bar && c == '|');
    text.split('-').count() == 5
        && text
            .split('-')
            .zip([8, 4, 4, 4, 12])
            .all(|(part, length)| part.len() == length && part.chars().all(is_digit))
}

fn is_file_name(text: &str, in_full: bool) -> bool {
    let Some((uuid, rest)) = text.split_at_checked(36) else { return false };
    let is_full = || rest.strip_prefix('_').is_some_and(|rest| rest.contains('.'));
    is_uuid(uuid, true) && !rest.contains(['\n', '\r']) && (!in_full || is_full())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_held_as_their_types_allow() {
        let holds = |value: &Value, text: &str| value.hold(text).is_some();
        for (text, is_held) in [
            ("2030-12-31", true),
            ("2030-12-31+01:00", true),
            ("2030Z", false),
            ("2030-13-01", false),
            ("", false),
        ] {
            assert_eq!(holds(&Value::Date, text), is_held, "{text}");
        }
        for (text, is_held) in [
            ("2030", true),
            ("2030-05:00", true),
            ("12030Z", true),
            ("0000", false),
            ("203", false),
            ("2030-01-01", false),
        ] {
            assert_eq!(holds(&Value::Year, text), is_held, "{text}");
        }
        let short = Value::of("xs:unsignedShort", &[], None);
        assert!(
            holds(&short, "010") && !holds(&short, "65536") && !holds(&short, "-1") && !holds(&short, "1.2")
        );
        let id = "7bf9473a-b4a7-11ec-a407-005056871b7c";
        let (open, full) = (Value::FileName { in_full: false }, Value::FileName { in_full: true });
        for (rest, in_open, in_full) in [
            ("", true, false),
            (".pdf", true, false),
            ("_a.pdf", true, true),
            ("_a", true, false),
            ("_a\n.b", false, false),
        ] {
            let name = format!("{id}{rest}");
            assert_eq!((holds(&open, &name), holds(&full, &name)), (in_open, in_full), "{rest}");
        }
        let barred = id.replace('7', "|");
        assert!(
            holds(&Value::Uuid { with_bar: true }, &barred)
                && !holds(&Value::Uuid { with_bar: false }, &barred)
        );
    }
}
