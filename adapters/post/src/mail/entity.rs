//! The parts of an e-mail (RFC 2045, RFC 2046): header, body, and what a multipart holds, found without recursion and within limits.
//!
//! Of the library only what reads a header is used, and it is given the header of one entity alone: whatever it makes of the rest of an
//! e-mail, such as e-mails within e-mails to any depth, it never sees. E-mails within others are never looked into; they are attachments.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, Message, MessageParser, MimeHeaders};

/// Entities of one e-mail, and how deep multiparts may stand in each other: each level is looked through once more.
const MOST_PARTS: usize = 500;
const MOST_DEPTH: usize = 20;
/// Bytes of the header of an e-mail, and of a part.
const MOST_HEAD: usize = 128 * 1024;
const MOST_PART_HEAD: usize = 16 * 1024;

/// A header with what follows it.
pub(super) struct Entity<'a> {
    /// The header; `None` if there is none.
    pub(super) head: Option<Message<'a>>,
    /// All that follows, as it came.
    pub(super) body: &'a [u8],
}

impl<'a> Entity<'a> {
    /// An e-mail, or what was signed or encrypted of one; `None` if its header is too long.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Entity<'a>> {
        Entity::within(bytes, MOST_HEAD)
    }

    fn within(bytes: &'a [u8], most_head: usize) -> Option<Entity<'a>> {
        let (head, body) = bytes.split_at(head_end(bytes, most_head)?);
        Some(Entity { head: MessageParser::default().parse_headers(head), body })
    }

    /// `Content-Type`.
    pub(super) fn kind(&self) -> Option<&ContentType<'_>> {
        self.head.as_ref()?.content_type()
    }

    /// Type and subtype in lower case; what says nothing is text.
    pub(super) fn media_type(&self) -> (String, String) {
        let Some(kind) = self.kind() else { return ("text".to_owned(), "plain".to_owned()) };
        let subtype = kind.subtype().unwrap_or_default();
        (kind.ctype().to_ascii_lowercase(), subtype.to_ascii_lowercase())
    }

    /// Name of the file that it is, if it says one.
    pub(super) fn name(&self) -> Option<&str> {
        self.head.as_ref()?.attachment_name()
    }

    /// The body without its transfer encoding; as it came if that is wrong.
    pub(super) fn content(&self) -> Cow<'a, [u8]> {
        let encoding = self.head.as_ref().and_then(|head| head.content_transfer_encoding());
        let decoded = match encoding.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "base64" => base64_decode(self.body),
            "quoted-printable" => quoted_printable_decode(self.body),
            _ => None,
        };
        decoded.map_or(Cow::Borrowed(self.body), Cow::Owned)
    }

    /// The body as text, by its character set.
    pub(super) fn text(&self) -> String {
        let bytes = self.content();
        let charset = self.kind().and_then(|kind| kind.attribute("charset"));
        match charset.and_then(|name| charset_decoder(name.as_bytes())) {
            Some(decode) => decode(&bytes),
            None => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn is_encoded(&self) -> bool {
        let encoding = self.head.as_ref().and_then(|head| head.content_transfer_encoding());
        let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
        matches!(encoding.as_str(), "base64" | "quoted-printable")
    }

    /// What a multipart holds; `None` if it is none, or holds nothing.
    fn pieces(&self) -> Option<Pieces<'a>> {
        let kind = self.kind()?;
        if !kind.ctype().eq_ignore_ascii_case("multipart") {
            return None;
        }
        let marks = match marks(self.body, kind.attribute("boundary")?, MOST_PARTS) {
            Some(marks) if marks.is_empty() => return None,
            Some(marks) => marks,
            None => return Some(Pieces::TooMany),
        };
        let mut pieces = vec![];
        for (at, mark) in marks.iter().enumerate() {
            if mark.is_end {
                break;
            }
            let end = marks.get(at + 1).map_or(self.body.len(), |next| next.before);
            pieces.push(self.body.get(mark.after..end).unwrap_or_default());
        }
        Some(Pieces::These(pieces))
    }
}

enum Pieces<'a> {
    These(Vec<&'a [u8]>),
    TooMany,
}

/// A part that holds no others.
pub(super) struct Leaf<'a> {
    /// Header and body.
    pub(super) entity: Entity<'a>,
    /// Whether it is an e-mail.
    pub(super) is_message: bool,
    /// The outermost multipart/alternative that it is a form of, by number.
    pub(super) alternative: Option<usize>,
    /// Whether it is the first of what holds it, or nothing does.
    is_first: bool,
    /// Whether a multipart/related holds it.
    in_related: bool,
}

/// What a part is for whoever reads the e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text.
    Plain,
    /// Text with layout.
    Html,
    /// Something of its own.
    Attachment,
}

impl Leaf<'_> {
    /// What it is for.
    pub(super) fn form(&self) -> Form {
        let disposition = self.entity.head.as_ref().and_then(|head| head.content_disposition());
        let stands_alone = self.entity.name().is_some() || self.in_related;
        if self.is_message
            || disposition.is_some_and(|it| it.is_attachment())
            || (stands_alone && !self.is_first)
        {
            return Form::Attachment;
        }
        match self.entity.media_type() {
            (kind, subtype) if kind == "text" && subtype == "plain" => Form::Plain,
            (kind, subtype) if kind == "text" && subtype == "html" => Form::Html,
            _ => Form::Attachment,
        }
    }

    /// Whether it is an e-mail in a form that RFC 2046, section 5.2.1, forbids.
    pub(super) fn is_wrapped(&self) -> bool {
        self.is_message && self.entity.is_encoded()
    }
}

/// Where the walk goes on.
struct Place<'a> {
    bytes: &'a [u8],
    depth: usize,
    alternative: Option<usize>,
    is_first: bool,
    in_related: bool,
    in_digest: bool,
}

/// All parts that hold no others, in their order; `None` if it is too deep, has too many parts, or one with too long a header.
pub(super) fn leaves(bytes: &[u8]) -> Option<Vec<Leaf<'_>>> {
    let top =
        Place { bytes, depth: 0, alternative: None, is_first: true, in_related: false, in_digest: false };
    let (mut waiting, mut leaves, mut seen) = (vec![top], vec![], 0);
    while let Some(place) = waiting.pop() {
        seen += 1;
        if seen > MOST_PARTS || place.depth > MOST_DEPTH {
            return None;
        }
        let most_head = if place.depth == 0 { MOST_HEAD } else { MOST_PART_HEAD };
        let entity = Entity::within(place.bytes, most_head)?;
        let (kind, subtype) = entity.media_type();
        let pieces = match entity.pieces() {
            Some(Pieces::TooMany) => return None,
            Some(Pieces::These(pieces)) => pieces,
            None => {
                let is_message = match kind.as_str() {
                    "message" => matches!(subtype.as_str(), "rfc822" | "global"),
                    _ => place.in_digest && entity.kind().is_none(),
                };
                let Place { alternative, is_first, in_related, .. } = place;
                leaves.push(Leaf { entity, is_message, alternative, is_first, in_related });
                continue;
            }
        };
        let alternative = place.alternative.or((subtype == "alternative").then_some(seen));
        // What is put last is taken first.
        waiting.extend(pieces.into_iter().enumerate().rev().map(|(at, bytes)| Place {
            bytes,
            depth: place.depth + 1,
            alternative,
            is_first: at == 0,
            in_related: subtype == "related",
            in_digest: subtype == "digest",
        }));
    }
    Some(leaves)
}

/// Where a header ends, with the empty line after it; `None` if it is longer than that.
fn head_end(bytes: &[u8], most: usize) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = rest.iter().take(most).position(|byte| *byte == b'\n').map(|it| it + 1);
        let length = length.or((rest.len() <= most).then_some(rest.len()))?;
        let is_empty = rest[..length].trim_ascii().is_empty();
        at += length;
        if at > most {
            return None;
        }
        if is_empty {
            return Some(at);
        }
    }
    Some(at)
}

/// A line that is a boundary (RFC 2046, section 5.1.1): the line break before it belongs to it.
pub(super) struct Mark {
    /// Where the line break before it begins.
    pub(super) before: usize,
    /// Where the next line begins.
    pub(super) after: usize,
    /// Whether it is the last.
    pub(super) is_end: bool,
}

/// The boundaries; `None` if there are more than that.
pub(super) fn marks(bytes: &[u8], boundary: &str, most: usize) -> Option<Vec<Mark>> {
    let delimiter = format!("--{boundary}").into_bytes();
    let (mut marks, mut at) = (vec![], 0);
    while at < bytes.len() && !boundary.is_empty() {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |it| at + it + 1);
        let rest = bytes[at..end].strip_prefix(delimiter.as_slice()).map(<[u8]>::trim_ascii);
        if let Some(rest @ (b"" | b"--")) = rest {
            if marks.len() == most {
                return None;
            }
            let before = bytes[..at].strip_suffix(b"\n").unwrap_or(&bytes[..at]);
            let before = before.strip_suffix(b"\r").unwrap_or(before).len();
            marks.push(Mark { before, after: end, is_end: rest == b"--" });
        }
        at = end;
    }
    Some(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(raw: &str) -> Vec<(Form, String)> {
        let leaves = leaves(raw.as_bytes()).unwrap();
        leaves.iter().map(|it| (it.form(), it.entity.text().trim().to_owned())).collect()
    }

    #[test]
    fn parts_are_found_in_their_order_whatever_stands_around_them() {
        let raw = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b  \r\n\
            Content-Type: Multipart/Alternative; boundary=i\r\n\r\n--i\r\n\r\nText\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>Text\r\n--i--\r\n\
            --a b\r\nContent-Type: text/plain; name=x.txt\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n=C3=BC=\r\nx\r\n\
            --a b\r\n--a b\r\nContent-Type: image/png\r\nContent-Disposition: inline\r\n\r\nPNG\r\n--a b--\r\n--a b\r\n\r\nepilogue";
        let text = |it: &str| it.to_owned();
        let wanted = [
            (Form::Plain, text("Text")),
            (Form::Html, text("<p>Text")),
            (Form::Attachment, text("üx")),
            (Form::Plain, text("")),
            (Form::Attachment, text("PNG")),
        ];
        assert_eq!(shape(raw), wanted);
        assert_eq!(shape("\r\nohne Kopf"), [(Form::Plain, text("ohne Kopf"))]);
        assert_eq!(shape("Content-Type: multipart/mixed; boundary=b\r\n\r\nnichts")[0].0, Form::Attachment);
    }

    #[test]
    fn e_mails_within_are_not_looked_into() {
        let inner =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n";
        for kind in ["message/rfc822", "Message / RFC822", "message/global"] {
            let raw = format!("Content-Type: {kind}\r\n\r\n{inner}");
            let leaves = leaves(raw.as_bytes()).unwrap();
            assert_eq!(
                (leaves.len(), leaves[0].is_message, leaves[0].is_wrapped()),
                (1, true, false),
                "{kind}"
            );
        }
        let digest =
            format!("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n{inner}\r\n--d--\r\n");
        assert!(leaves(digest.as_bytes()).unwrap()[0].is_message);
    }

    #[test]
    fn headers_and_depth_have_limits() {
        let long = format!("A: {}\r\n\r\nx", "x".repeat(MOST_HEAD));
        assert!(leaves(long.as_bytes()).is_none() && leaves(&long.as_bytes()[..MOST_HEAD]).is_some());
        let mut deep = String::new();
        for at in 0..=MOST_DEPTH {
            deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n"));
        }
        assert!(leaves(deep.as_bytes()).is_none());
    }
}
