//! Index files beside scans: XML, CSV or JSON. There is no standard; which column, element, attribute or member says what stands in the
//! settings. CSV as it is met: `;`, Windows-1252, byte order marks, CRLF.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use xml::{Event, Limits, Reader};

use super::settings::Fact;

/// What is known of a letter.
pub type Facts = BTreeMap<Fact, String>;

/// Characters of a value.
const VALUE: usize = 500;
/// Elements within elements, members within members.
const DEPTH: usize = 20;

/// What an index file says. The words of the error are for whoever looks at the file.
pub(super) fn read(name: &Path, bytes: &[u8], columns: &[(String, Fact)]) -> Result<Facts, String> {
    let text = decode(bytes)?;
    let ending = name.extension().map(|it| it.to_string_lossy().to_lowercase());
    let pairs = match ending.as_deref() {
        Some("xml") => of_xml(&text)?,
        Some("csv") => of_csv(&text)?,
        _ => of_json(&text)?,
    };
    let mut facts = Facts::new();
    for (name, value) in pairs {
        let found = columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name.trim()));
        let Some((column, fact)) = found else { continue };
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() {
            continue;
        }
        if value.chars().count() > VALUE || value.chars().any(char::is_control) {
            return Err(format!("the value of {column} is too long or no text"));
        }
        let before = facts.insert(*fact, value.clone());
        if before.is_some_and(|before| before != value) {
            return Err(format!("there are two values of {column}"));
        }
    }
    Ok(facts)
}

/// UTF-8 or UTF-16 by its mark, UTF-8 if it can be that, else Windows-1252.
fn decode(bytes: &[u8]) -> Result<String, String> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| "the file is no UTF-16".to_owned())
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => {
            String::from_utf8(rest.to_vec()).map_err(|_| "the file is no UTF-8".to_owned())
        }
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        bytes => Ok(text_of(bytes)),
    }
}

/// UTF-8 if it can be that, else Windows-1252, which any bytes are.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
    }
}

/// The document behind the XML declaration (XML 1.0 section 2.8): what that says of the encoding was true of the bytes, which are text by now.
fn undeclared(text: &str) -> &str {
    let declared = text.strip_prefix("<?xml").filter(|rest| rest.starts_with([' ', '\t', '\r', '\n']));
    declared.and_then(|rest| rest.split_once("?>")).map_or(text, |(_, document)| document)
}

/// Windows-1252 differs from ISO 8859-1 in these.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

/// One line of names and one of values.
fn of_csv(text: &str) -> Result<Vec<(String, String)>, String> {
    let head = text.lines().next().unwrap_or_default();
    let delimiter = [b';', b'\t', b','].into_iter().max_by_key(|delimiter| {
        // The first of those that are as frequent.
        let count = head.bytes().filter(|byte| byte == delimiter).count();
        (count, *delimiter == b';')
    });
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(delimiter.unwrap_or(b';')).has_headers(false).flexible(true);
    let mut reader = reader.from_reader(text.as_bytes());
    let mut rows = vec![];
    for row in reader.records() {
        let row = row.map_err(|_| "the file is no CSV".to_owned())?;
        if row.iter().any(|cell| !cell.trim().is_empty()) {
            rows.push(row);
        }
        if rows.len() > 2 {
            return Err("there is more than one line of values".to_owned());
        }
    }
    let [names, values] = rows.as_slice() else {
        return Err("a line of names and a line of values are expected".to_owned());
    };
    Ok(names.iter().zip(values).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Elements with text, attributes, and elements that are named by an attribute `name` or `key`.
fn of_xml(text: &str) -> Result<Vec<(String, String)>, String> {
    let broken = |error: xml::Error| format!("the file is no XML that can be read: {}", error.code());
    let limits = Limits { depth: DEPTH, total_bytes: 64 << 20, ..Limits::default() };
    let mut reader = Reader::new(undeclared(text).as_bytes(), limits);
    let (mut pairs, mut open) = (vec![], vec![]);
    loop {
        match reader.next().map_err(broken)? {
            Event::Start(start) => {
                let named = ["name", "key", "Name", "Key"].iter().find_map(|it| start.attribute(it));
                let name = named.unwrap_or(start.local()).to_owned();
                for attribute in start.attributes() {
                    let is_value = named.is_some() && attribute.local.eq_ignore_ascii_case("value");
                    let of = if is_value { name.clone() } else { attribute.local.to_owned() };
                    pairs.push((of, attribute.value.to_owned()));
                }
                open.push((name, String::new()));
            }
            Event::Text(piece) => {
                if let Some((_, text)) = open.last_mut() {
                    text.push_str(piece);
                }
            }
            Event::End => pairs.extend(open.pop()),
            Event::Eof => return Ok(pairs),
        }
    }
}

/// Members with a string or a number, at any depth.
fn of_json(text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "the file is no JSON".to_owned())?;
    let mut pairs = vec![];
    collect("", &value, DEPTH, &mut pairs);
    Ok(pairs)
}

fn collect(name: &str, value: &Value, depth: usize, pairs: &mut Vec<(String, String)>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::String(text) => pairs.push((name.to_owned(), text.clone())),
        Value::Number(number) => pairs.push((name.to_owned(), number.to_string())),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| collect(name, value, depth - 1, pairs));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(name, value, depth - 1, pairs)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<(String, Fact)> {
        let columns =
            [("Aktenzeichen", Fact::Reference), ("Eingang", Fact::Received), ("Empfänger", Fact::Recipient)];
        columns.map(|(name, fact)| (name.to_owned(), fact)).to_vec()
    }

    fn said(name: &str, bytes: &[u8]) -> Result<Vec<(Fact, String)>, String> {
        read(Path::new(name), bytes, &columns()).map(|facts| facts.into_iter().collect())
    }

    #[test]
    fn the_same_facts_are_read_of_every_form() {
        let wanted = vec![
            (Fact::Reference, "63-2026-0017".to_owned()),
            (Fact::Recipient, "Frau Grünwald – Bauamt".to_owned()),
        ];
        let csv = "Aktenzeichen;Empfänger;Leer\r\n63-2026-0017;\"Frau Grünwald – Bauamt\";\r\n";
        let old: Vec<u8> = csv.chars().map(|it| if it == '–' { 0x96 } else { it as u8 }).collect();
        let utf16: Vec<u8> =
            "\u{feff}".encode_utf16().chain(csv.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let marked = [&b"\xEF\xBB\xBF"[..], csv.replace(';', "\t").as_bytes()].concat();
        let xml = "<Index Aktenzeichen='63-2026-0017'><Feld name='Empfänger' value='Frau Grünwald – Bauamt'/></Index>";
        let deep = "<i><b><aktenzeichen>63-2026-0017</aktenzeichen></b><Empfänger> Frau\n Grünwald – Bauamt</Empfänger></i>";
        let json =
            r#"{"index":{"aktenzeichen":"63-2026-0017","Empfänger":"Frau Grünwald – Bauamt","x":[1,true]}}"#;
        let files: [(&str, &[u8]); 7] = [
            ("a.csv", csv.as_bytes()),
            ("a.csv", &old),
            ("a.csv", &utf16),
            ("a.CSV", &marked),
            ("a.xml", xml.as_bytes()),
            ("a.xml", deep.as_bytes()),
            ("a.json", json.as_bytes()),
        ];
        for (name, bytes) in files {
            assert_eq!(said(name, bytes).as_ref(), Ok(&wanted), "{name}");
        }
    }

    #[test]
    fn xml_may_be_in_another_encoding_and_say_so() {
        let wanted = vec![(Fact::Recipient, "Frau Grünwald".to_owned())];
        let xml = |encoding: &str| {
            format!(
                "<?xml version='1.0' encoding=\"{encoding}\"?>\r\n<i><Empfänger>Frau Grünwald</Empfänger></i>"
            )
        };
        let latin: Vec<u8> = xml("windows-1252").chars().map(|it| it as u8).collect();
        let marked = format!("\u{feff}{}", xml("UTF-16"));
        let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [xml("UTF-8").as_bytes(), &latin, &utf16, xml("ISO-8859-1").as_bytes()] {
            assert_eq!(said("a.xml", bytes).as_ref(), Ok(&wanted));
        }
        assert!(said("a.xml", b"<?xml version='1.0'<i/>").is_err());
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        let long = format!("{{\"Aktenzeichen\":\"{}\"}}", "9".repeat(501));
        let nested = format!("{}{}", "<a>".repeat(30), "</a>".repeat(30));
        let files = [
            ("a.csv", "Aktenzeichen\n1\n2\n"),
            ("a.csv", ""),
            ("a.csv", "Aktenzeichen;aktenzeichen\n1;2\n"),
            ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
            ("a.xml", "<a>"),
            ("a.xml", nested.as_str()),
            ("a.json", "{"),
            ("a.json", long.as_str()),
            ("a.json", "{\"Aktenzeichen\":\"a\\u0007b\"}"),
        ];
        for (name, text) in files {
            assert!(said(name, text.as_bytes()).is_err(), "{name}: {text}");
        }
    }
}
