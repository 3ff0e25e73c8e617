//! Distinguished names as text: RFC 2253, in the form of Java's `X500Principal.getName(RFC2253)`, which OSCI messages
//! carry. Last name first; the attribute types of RFC 2253 by keyword, all others by number with their DER in hex.

use openssl::x509::X509NameRef;

use crate::{
    Result,
    der::{Element, OID, Reader, SEQUENCE, SET},
};

/// Contents of the OIDs with a keyword (RFC 2253 section 2.3).
const KEYWORDS: [(&[u8], &str); 9] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
];

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const BMP_STRING: u8 = 0x1e;

pub(super) fn rfc2253(name: &X509NameRef) -> Result<String> {
    let der = name.to_der()?;
    let mut sets = Reader::new(&der, "name").enter(SEQUENCE)?;
    let mut parts = Vec::new();
    while let Some(set) = sets.any()? {
        let attributes = Reader::new(set.whole, "name").enter(SET)?;
        parts.push(relative_name(attributes)?);
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// The attributes of one level of the name.
fn relative_name(mut attributes: Reader<'_>) -> Result<String> {
    let mut parts = Vec::new();
    while let Some(attribute) = attributes.any()? {
        let mut fields = Reader::new(attribute.whole, "name").enter(SEQUENCE)?;
        let kind = fields.expect(OID)?.content;
        let value = fields.any()?.ok_or_else(|| fields.malformed())?;
        fields.end()?;
        parts.push(attribute_text(kind, value));
    }
    Ok(parts.join("+"))
}

fn attribute_text(kind: &[u8], value: Element<'_>) -> String {
    let keyword = KEYWORDS.iter().find(|(oid, _)| *oid == kind).map(|(_, keyword)| *keyword);
    match (keyword, string(value)) {
        (Some(keyword), Some(text)) => format!("{keyword}={}", escape(&text)),
        (Some(keyword), None) => format!("{keyword}=#{}", hex::encode(value.whole)),
        (None, _) => format!("{}=#{}", dotted(kind), hex::encode(value.whole)),
    }
}

fn string(value: Element<'_>) -> Option<String> {
    match value.tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => String::from_utf8(value.content.to_vec()).ok(),
        T61_STRING => Some(value.content.iter().map(|byte| char::from(*byte)).collect()),
        BMP_STRING => {
            let units = value
                .content
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            String::from_utf16(&units.collect::<Vec<_>>()).ok()
        }
        _ => None,
    }
}

/// RFC 2253 section 2.4: special characters behind a backslash, space at either end too. Control characters, which
/// no XML could carry, as the hex of their byte.
fn escape(text: &str) -> String {
    let last = text.trim_end_matches(' ').len();
    let first = text.len() - text.trim_start_matches(' ').len();
    let mut escaped = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        match character {
            ' ' if index < first || index >= last => escaped.push_str("\\ "),
            ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\' => escaped.extend(['\\', character]),
            '\u{0}'..='\u{1f}' | '\u{7f}' => escaped.push_str(&format!("\\{:02x}", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// An object identifier as numbers with dots (X.690 section 8.19).
fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in oid {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let head = numbers.first().copied().unwrap_or_default();
    let root = (head / 40).min(2);
    let mut text = format!("{root}.{}", head - root * 40);
    numbers.iter().skip(1).for_each(|number| text.push_str(&format!(".{number}")));
    text
}
