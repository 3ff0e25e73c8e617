//! XML-binary Optimized Packaging (XOP, 25 January 2005, section 2.1) with the `cid:` scheme (RFC 2392): an element
//! that stands for the base64 of a part.

use std::io::Write;

use xml::{Start, Writer};

use crate::mime::is_content_id;
use crate::{Error, Result};

/// Namespace of `Include`.
pub const XOP: &str = "http://www.w3.org/2004/08/xop/include";

/// Whether this element stands for a part.
pub fn is_include(start: &Start<'_>) -> bool {
    start.is(XOP, "Include")
}

/// Content-ID of the part that an `Include` stands for, without angle brackets; escapes of the address are resolved.
pub fn content_id(include: &Start<'_>) -> Result<String> {
    let href = include.attribute("href").ok_or(HREF)?;
    let (scheme, id) = href.split_once(':').ok_or(HREF)?;
    if !scheme.eq_ignore_ascii_case("cid") {
        return Err(HREF);
    }
    let id = unescape(id).ok_or(HREF)?;
    match is_content_id(&id) {
        true => Ok(id),
        false => Err(HREF),
    }
}

const HREF: Error = Error::Message { rule: "an Include does not name a part of the package" };

/// Resolves `%` and two hexadecimal digits (RFC 3986 section 2.1).
fn unescape(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Writes an `Include` of a part whose Content-ID consists of letters, digits, `-`, `.`, `_` and `@`, which need no escape.
pub fn write<W: Write>(writer: &mut Writer<W>, content_id: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
    if content_id.is_empty() || !content_id.bytes().all(is_plain) {
        return Err(Error::Write { rule: "a Content-ID that would need escapes" });
    }
    writer.start("xop:Include", &[("xmlns:xop", XOP), ("href", &format!("cid:{content_id}"))])?;
    Ok(writer.end()?)
}
