//! Separator sheets. Ours carry `AB1`, then `;key=value` as often as wanted: `ref` (Aktenzeichen), `cash` (Kassenzeichen), `unit`, `to`, `received`,
//! `subject`, `from`, `kind`; `;doc` if the sheet opens another document of the same letter; and `;word=` with the word of the house, if it has one. In
//! values `%`, `;` and whatever is not ASCII is percent-encoded, as UTF-8. Sheets of other makers are told by regular expressions of the settings.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use regex::Regex;
use serde::Serialize;

use super::index::Facts;
use super::settings::{Fact, Opens, SheetForm, Word};

/// What our own sheets begin with.
const MARK: &str = "AB1";
/// What the word of the house stands behind.
const WORD: &str = "word";
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
pub(super) struct Forms {
    word: Option<Word>,
    others: Vec<(Regex, Opens)>,
}

impl Forms {
    /// # Errors
    /// If a pattern is no regular expression.
    pub(super) fn new(forms: &[SheetForm], word: Option<Word>) -> Result<Self, regex::Error> {
        let form = |it: &SheetForm| Ok((Regex::new(&format!("^(?:{})$", it.pattern))?, it.opens));
        Ok(Forms { word, others: forms.iter().map(form).collect::<Result<_, _>>()? })
    }

    /// The sheet with this code, if it is on one.
    pub(super) fn sheet(&self, code: &str) -> Option<Sheet> {
        if code.len() > CODE_BYTES {
            return None;
        }
        let own = own(code).filter(|_| self.word.is_none() || self.is_proved(code));
        own.or_else(|| self.others.iter().find_map(|(pattern, opens)| of_others(pattern, *opens, code)))
    }

    /// Whether the code is of a sheet of ours that carries the word of the house.
    pub(super) fn is_proved(&self, code: &str) -> bool {
        let said = code.trim().split(';').find_map(|word| word.strip_prefix(WORD)?.strip_prefix('='));
        let word = self.word.as_ref().map(Word::as_str);
        own(code).is_some() && word.is_some_and(|word| said == Some(word))
    }

    /// Whether the code says that it is of a sheet of ours, and is not.
    pub(super) fn is_foreign(&self, code: &str) -> bool {
        self.word.is_some() && own(code).is_some() && !self.is_proved(code)
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

/// The code of a sheet of ours, with the word of the house if it has one.
pub fn code(sheet: &Sheet, word: Option<&Word>) -> String {
    let mut code = MARK.to_owned();
    if let Some(word) = word {
        code.push_str(&format!(";{WORD}={}", word.as_str()));
    }
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

/// A sheet to be printed: A4, the code in its middle, in words below it what it says, but not the word of the house. Printed on both sides of the paper it
/// separates whichever way it lies.
///
/// # Errors
/// If the code is longer than a QR code can be.
pub fn svg(sheet: &Sheet, word: Option<&Word>) -> Result<String, qrcode::types::QrError> {
    #[derive(Serialize)]
    struct Line<'a>(&'a str, &'a str);
    let code = code(sheet, word);
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
        let forms = Forms::new(&[], None).unwrap();
        let all: Vec<_> = KEYS.iter().map(|(_, name, fact)| (*fact, *name)).collect();
        let odd = [(Fact::Reference, "a;b=c%3B ä"), (Fact::Unit, "63")];
        for sheet in [sheet(&all, Opens::Letter), sheet(&odd, Opens::Document), sheet(&[], Opens::Letter)] {
            assert_eq!(forms.sheet(&code(&sheet, None)), Some(sheet.clone()));
            assert!(svg(&sheet, None).unwrap().starts_with("<svg"));
        }
    }

    #[test]
    fn who_does_not_know_the_word_of_the_house_makes_no_sheet() {
        let word = |text: &str| Word::new(text.to_owned().into());
        for wrong in ["", "kurz", "mit leerzeichen", "mit;semikolon", &"a".repeat(65)] {
            assert_eq!(
                word(wrong).err().map(|it| it.code.to_string()).as_deref(),
                Some("post.scan-settings")
            );
        }
        let word = word("Musterhaus-7").unwrap();
        let trenn = SheetForm { pattern: "TRENN".into(), opens: Opens::Letter };
        let forms = Forms::new(&[trenn], Some(word.clone())).unwrap();
        let sheet = sheet(&[(Fact::Reference, "63-1")], Opens::Document);
        let ours = code(&sheet, Some(&word));
        assert_eq!((forms.sheet(&ours), forms.is_proved(&ours)), (Some(sheet.clone()), true));
        assert!(!svg(&sheet, Some(&word)).unwrap().contains("Musterhaus"));
        for foreign in [
            "AB1",
            "AB1;ref=63-1",
            "AB1;word=musterhaus-7;ref=63-1",
            "AB1;word=;ref=1",
            "AB1;xword=Musterhaus-7",
        ] {
            assert_eq!(forms.sheet(foreign), None, "{foreign}");
            assert!(forms.is_foreign(foreign) && !forms.is_proved(foreign), "{foreign}");
        }
        assert!(forms.sheet("TRENN").is_some() && !forms.is_proved("TRENN") && !forms.is_foreign("TRENN"));
        assert!(!forms.is_foreign("63-2026-0017"));
    }

    #[test]
    fn only_sheets_are_sheets() {
        let trenn = SheetForm { pattern: "TRENN;AZ=(?P<reference>[^;]+)(;.*)?".into(), opens: Opens::Letter };
        let forms = Forms::new(&[trenn], None).unwrap();
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
