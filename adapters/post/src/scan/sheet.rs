//! Separator sheets. Ours carry `AB1`, then `;key=value` as often as wanted: `ref` (Aktenzeichen), `cash` (Kassenzeichen), `unit`, `to`, `received`,
//! `subject`, `from`, `kind`; and `;doc` if the sheet opens another document of the same letter. In values `%`, `;` and whatever is not ASCII is
//! percent-encoded, as UTF-8. Sheets of other makers are told by regular expressions of the settings.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use regex::Regex;
use serde::Serialize;

use super::index::Facts;
use super::settings::{Fact, Opens, SheetForm};

/// What our own sheets begin with.
const MARK: &str = "AB1";
/// Bytes of a code that is looked at.
pub(super) const CODE_BYTES: usize = 1_000;
/// Characters of a value.
const VALUE: usize = 200;

const KEYS: [(&str, &str, Fact); 8] = [
    ("ref", "reference", Fact::Reference),
    ("cash", "cash", Fact::Cash),
    ("unit", "unit", Fact::Unit),
    ("to", "recipient", Fact::Recipient),
    ("received", "received", Fact::Received),
    ("subject", "subject", Fact::Subject),
    ("from", "from", Fact::From),
    ("kind", "kind", Fact::Kind),
];

/// A separator sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What it opens.
    pub opens: Opens,
    /// What it says of what it opens.
    pub facts: Facts,
}

/// The forms of sheets.
pub(super) struct Forms(Vec<(Regex, Opens)>);

impl Forms {
    /// # Errors
    /// If a pattern is no regular expression.
    pub(super) fn new(forms: &[SheetForm]) -> Result<Self, regex::Error> {
        let form = |it: &SheetForm| Ok((Regex::new(&format!("^(?:{})$", it.pattern))?, it.opens));
        Ok(Forms(forms.iter().map(form).collect::<Result<_, _>>()?))
    }

    /// The sheet with this code, if it is on one.
    pub(super) fn sheet(&self, code: &str) -> Option<Sheet> {
        if code.len() > CODE_BYTES {
            return None;
        }
        own(code).or_else(|| self.0.iter().find_map(|(pattern, opens)| of_others(pattern, *opens, code)))
    }
}

fn own(code: &str) -> Option<Sheet> {
    let mut words = code.trim().split(';');
    if words.next() != Some(MARK) {
        return None;
    }
    let mut sheet = Sheet { opens: Opens::Letter, facts: Facts::new() };
    for word in words {
        match word.split_once('=') {
            None if word == "doc" => sheet.opens = Opens::Document,
            // Whatever a later version says beside it.
            None => {}
            Some((key, value)) => {
                let known = KEYS.iter().find(|(known, _, _)| *known == key);
                let value = value_of(&decoded(value)).zip(known);
                sheet.facts.extend(value.map(|(value, (_, _, fact))| (*fact, value)));
            }
        }
    }
    Some(sheet)
}

fn of_others(pattern: &Regex, opens: Opens, code: &str) -> Option<Sheet> {
    let groups = pattern.captures(code.trim())?;
    let fact = |(_, name, fact): &(&str, &str, Fact)| Some((*fact, value_of(groups.name(name)?.as_str())?));
    Some(Sheet { opens, facts: KEYS.iter().filter_map(fact).collect() })
}

fn value_of(text: &str) -> Option<String> {
    let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_text = !value.is_empty() && value.chars().count() <= VALUE && !value.chars().any(char::is_control);
    is_text.then_some(value)
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        match digits.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The code of a sheet of ours.
pub fn code(sheet: &Sheet) -> String {
    let mut code = MARK.to_owned();
    if sheet.opens == Opens::Document {
        code.push_str(";doc");
    }
    for (key, _, fact) in KEYS {
        let Some(value) = sheet.facts.get(&fact) else { continue };
        code.push_str(&format!(";{key}="));
        for byte in value.bytes() {
            match byte {
                // Decoders guess the character set of anything else, and zbar takes a short UTF-8 for Chinese.
                b' '..=b'~' if byte != b'%' && byte != b';' => code.push(char::from(byte)),
                byte => code.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    code
}

/// A sheet to be printed: A4, the code in its middle, in words below it what it says. Printed on both sides of the paper it
/// separates whichever way it lies.
///
/// # Errors
/// If the code is longer than a QR code can be.
pub fn svg(sheet: &Sheet) -> Result<String, qrcode::types::QrError> {
    #[derive(Serialize)]
    struct Line<'a>(&'a str, &'a str);
    let code = code(sheet);
    let picture = QrCode::with_error_correction_level(code.as_bytes(), EcLevel::Q)?;
    let picture = picture.render::<svg::Color<'_>>().min_dimensions(300, 300).build();
    // An SVG within an SVG has no declaration.
    let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, rest)| rest).to_owned();
    let mut words = String::new();
    let title = match sheet.opens {
        Opens::Letter => "Trennblatt",
        Opens::Document => "Trennblatt: Anlage",
    };
    let lines = KEYS.iter().filter_map(|(key, _, fact)| Some(Line(key, sheet.facts.get(fact)?)));
    for (line, Line(key, value)) in std::iter::once(Line("", title)).chain(lines).enumerate() {
        let mut escaped = String::new();
        xml::escape_text(&format!("{key} {value}"), &mut escaped);
        let y = 560 + 28 * line;
        words.push_str(&format!(
            "<text x='60' y='{y}' font-family='sans-serif' font-size='18'>{escaped}</text>"
        ));
    }
    Ok(format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='210mm' height='297mm' viewBox='0 0 595 842'>\
         <rect width='595' height='842' fill='#fff'/><g transform='translate(147 180)'>{picture}</g>{words}</svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(facts: &[(Fact, &str)], opens: Opens) -> Sheet {
        Sheet { opens, facts: facts.iter().map(|(fact, value)| (*fact, (*value).to_owned())).collect() }
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let forms = Forms::new(&[]).unwrap();
        let all: Vec<_> = KEYS.iter().map(|(_, name, fact)| (*fact, *name)).collect();
        let odd = [(Fact::Reference, "a;b=c%3B ä"), (Fact::Unit, "63")];
        for sheet in [sheet(&all, Opens::Letter), sheet(&odd, Opens::Document), sheet(&[], Opens::Letter)] {
            assert_eq!(forms.sheet(&code(&sheet)), Some(sheet.clone()));
            assert!(svg(&sheet).unwrap().starts_with("<svg"));
        }
    }

    #[test]
    fn only_sheets_are_sheets() {
        let trenn = SheetForm { pattern: "TRENN;AZ=(?P<reference>[^;]+)(;.*)?".into(), opens: Opens::Letter };
        let forms = Forms::new(&[trenn]).unwrap();
        let reference = [(Fact::Reference, "12.3-4711/2026")];
        assert_eq!(forms.sheet("TRENN;AZ=12.3-4711/2026;X=1"), Some(sheet(&reference, Opens::Letter)));
        assert_eq!(
            forms.sheet("AB1;future;ref=12.3-4711/2026;new=1"),
            Some(sheet(&reference, Opens::Letter))
        );
        for other in ["AB12", "ab1", "xTRENN;AZ=1", "63-2026-0017", "https://example.org/AB1;ref=1", ""] {
            assert_eq!(forms.sheet(other), None, "{other}");
        }
        assert_eq!(forms.sheet(&format!("AB1;ref={}", "9".repeat(2_000))), None);
        assert_eq!(forms.sheet("AB1;ref=%0"), Some(sheet(&[(Fact::Reference, "%0")], Opens::Letter)));
    }
}
