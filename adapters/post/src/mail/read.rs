//! What stands in an e-mail (RFC 5322, MIME): text and attachments, within limits. The parser reads anything; what is too deep or has too
//! many parts is not read at all, and stays as the original.

use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use model::letter::Hint;
use model::{Id, Timestamp};
use serde_json::{Value, json};

use super::Settings;
use super::nature::{Nature, nature};
use super::secure::{Judge, Opened, open};

/// Parts of one e-mail.
const MOST_PARTS: usize = 500;
/// Parts that hold others: each of them costs the parser a look at all that follows.
const MOST_NESTED: usize = 50;
/// Attachments that become documents.
const MOST_ATTACHMENTS: usize = 200;
/// Characters of the text, of a subject or title, and of a media type.
const TEXT_CHARS: usize = 2_000_000;
const LINE_CHARS: usize = 200;
const MEDIA_TYPE_CHARS: usize = 100;
/// How sure a reference is that stands in the subject, and in the text.
const IN_SUBJECT: u8 = 90;
const IN_TEXT: u8 = 70;

/// An e-mail that was read.
pub(super) struct Reading {
    /// What it is.
    pub(super) nature: Nature,
    /// The dispatch that it answers.
    pub(super) answered: Option<Id>,
    /// Subject.
    pub(super) subject: Option<String>,
    /// Address and name of the sender.
    pub(super) from: Option<String>,
    /// The text, without what only makes it look better.
    pub(super) text: String,
    /// Attachments.
    pub(super) attachments: Vec<Attachment>,
    /// The e-mail as it was before it was encrypted.
    pub(super) decrypted: Option<Vec<u8>>,
    /// Whether the sender's signature is good.
    pub(super) is_sealed: bool,
    /// What was recognised.
    pub(super) hints: Vec<Hint>,
    /// What proves how it came.
    pub(super) proof: Value,
    /// Why somebody has to look at it.
    pub(super) concerns: Vec<&'static str>,
}

/// An attachment.
pub(super) struct Attachment {
    /// Its name, or what it is.
    pub(super) title: String,
    /// Ending of its name: letters and digits.
    pub(super) ending: String,
    /// Media type.
    pub(super) media_type: Option<String>,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Reads an e-mail that came in at `date`. Work for a processor.
pub(super) fn read(raw: &[u8], settings: &Settings, date: Timestamp) -> Reading {
    let Some(message) = parsed(raw, false) else { return unreadable(raw) };
    let (nature, answered) = nature(&message, &settings.domain);
    let from = message.from().and_then(|it| it.first());
    let address = from.and_then(|it| it.address()).map(str::to_ascii_lowercase);
    let judge = Judge {
        keys: &settings.keys,
        trust: settings.trust.as_ref(),
        at: date.micros().div_euclid(1_000_000),
        from: address.as_deref(),
    };
    let opened = open(raw, &judge);
    let mut reading = Reading {
        nature,
        answered,
        subject: message.subject().map(line).filter(|it| !it.is_empty()),
        from: address.as_deref().map(|it| named(from.and_then(|from| from.name()), it)),
        text: String::new(),
        attachments: vec![],
        decrypted: None,
        is_sealed: opened.is_sealed,
        hints: vec![],
        proof: json!({ "layers": opened.layers, "sha256": seal::sha256(&[raw]).to_string() }),
        concerns: opened.concerns.clone(),
    };
    if reading.nature == Nature::Automatic {
        reading.concerns.push("post.mail-automatic");
    }
    if let Some(subject) = &reading.subject {
        reading.hints = settings.patterns.hints(subject, "subject", IN_SUBJECT);
    }
    content(raw, message, opened, &mut reading);
    let known: Vec<_> = reading.hints.iter().map(|it| (it.kind, it.value.clone())).collect();
    let more = settings.patterns.hints(&reading.text, "text", IN_TEXT);
    reading.hints.extend(more.into_iter().filter(|it| !known.contains(&(it.kind, it.value.clone()))));
    reading
}

/// Text and attachments, of the innermost entity alone.
fn content(raw: &[u8], message: Message<'_>, opened: Opened, reading: &mut Reading) {
    if opened.is_closed {
        return;
    }
    match &opened.entity {
        None => fill(raw, &message, reading),
        Some(entity) => match parsed(entity, true) {
            Some(inner) => fill(entity, &inner, reading),
            None => reading.concerns.push("post.mail-unreadable"),
        },
    }
    if opened.was_encrypted {
        reading.decrypted = opened.entity;
    }
}

fn fill(raw: &[u8], message: &Message<'_>, reading: &mut Reading) {
    let texts = (0..message.text_body_count()).filter_map(|at| message.body_text(at));
    for text in texts {
        let left = TEXT_CHARS.saturating_sub(reading.text.len());
        reading
            .text
            .extend(text.chars().take(left).filter(|it| *it == '\n' || *it == '\t' || !it.is_control()));
        reading.text.push('\n');
    }
    if message.attachment_count() > MOST_ATTACHMENTS {
        reading.concerns.push("post.mail-unreadable");
        return;
    }
    reading.attachments = message.attachments().map(|part| attachment(raw, part)).collect();
}

/// The e-mail, unless it is too deep or has too many parts. `is_inner`: an entity without the header of an e-mail.
fn parsed(raw: &[u8], is_inner: bool) -> Option<Message<'_>> {
    let nested = count(raw, b"multipart/") + count(raw, b"message/");
    if nested > MOST_NESTED {
        return None;
    }
    let message = MessageParser::default().parse(raw)?;
    let has_head = is_inner || !message.headers().is_empty();
    (has_head && parts(&message) <= MOST_PARTS).then_some(message)
}

fn parts(message: &Message<'_>) -> usize {
    let inner = message.parts.iter().filter_map(|part| match &part.body {
        PartType::Message(inner) => Some(parts(inner)),
        _ => None,
    });
    message.parts.len() + inner.sum::<usize>()
}

/// How often the word stands in the bytes, in whatever case.
fn count(bytes: &[u8], word: &[u8]) -> usize {
    let first = word.first().copied().unwrap_or_default();
    let begins = bytes.iter().enumerate().filter(|(_, byte)| byte.to_ascii_lowercase() == first);
    begins
        .filter(|(at, _)| bytes.get(*at..at + word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word)))
        .count()
}

fn attachment(raw: &[u8], part: &MessagePart<'_>) -> Attachment {
    let media_type = part.content_type().map(|kind| {
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")).to_ascii_lowercase()
    });
    let is_token = |text: &String| {
        let is = |byte: u8| byte.is_ascii_alphanumeric() || b"/+.-_".contains(&byte);
        text.len() <= MEDIA_TYPE_CHARS && text.bytes().all(is)
    };
    let name = part.attachment_name().map(line).filter(|it| !it.is_empty());
    let (bytes, ending) = match &part.body {
        // The parser gives an e-mail within another as that other's bytes.
        PartType::Message(_) if part.encoding == Encoding::None => {
            let range = part.raw_body_offset() as usize..part.raw_end_offset() as usize;
            (raw.get(range).unwrap_or_default().to_vec(), "eml".to_owned())
        }
        PartType::Message(inner) => (inner.raw_message().to_vec(), "eml".to_owned()),
        _ => (part.contents().to_vec(), ending(name.as_deref(), media_type.as_deref())),
    };
    let subject = part.message().and_then(|inner| inner.subject()).map(line).filter(|it| !it.is_empty());
    let title = name.or(subject).unwrap_or_else(|| "Anlage".to_owned());
    Attachment { title, ending, media_type: media_type.filter(is_token), bytes }
}

/// An ending of up to ten letters and digits: of the name, or the one that is usual for the type.
fn ending(name: Option<&str>, media_type: Option<&str>) -> String {
    let own = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let is_plain =
        |it: &String| (1..=10).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric());
    own.filter(is_plain).unwrap_or_else(|| {
        match media_type.unwrap_or_default() {
            "application/pdf" => "pdf",
            "text/plain" => "txt",
            "text/html" => "html",
            "image/jpeg" => "jpg",
            "image/png" => "png",
            "image/tiff" => "tif",
            _ => "bin",
        }
        .to_owned()
    })
}

/// One line without control characters, cut.
fn line(text: &str) -> String {
    let words: Vec<String> =
        text.split_whitespace().map(|word| word.chars().filter(|it| !it.is_control()).collect()).collect();
    words.join(" ").chars().take(LINE_CHARS).collect()
}

fn named(name: Option<&str>, address: &str) -> String {
    let address = line(address);
    match name.map(line).filter(|it| !it.is_empty()) {
        Some(name) => format!("{name} <{address}>"),
        None => address,
    }
}

/// What cannot be read: the original alone is kept, with what its header says.
fn unreadable(raw: &[u8]) -> Reading {
    // The header alone is read: it holds nothing that could be deep.
    let head = MessageParser::default().parse_headers(raw);
    let head = head.as_ref();
    Reading {
        subject: head.and_then(|it| it.subject()).map(line).filter(|it| !it.is_empty()),
        from: head.and_then(|it| it.from()?.first()?.address().map(line)),
        ..original(raw)
    }
}

/// The original alone: nothing of it is looked at.
pub(super) fn original(raw: &[u8]) -> Reading {
    Reading {
        nature: Nature::Letter,
        answered: None,
        subject: None,
        from: None,
        text: String::new(),
        attachments: vec![],
        decrypted: None,
        is_sealed: false,
        hints: vec![],
        proof: json!({ "sha256": seal::sha256(&[raw]).to_string() }),
        concerns: vec!["post.mail-unreadable"],
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use net::line::{Security, Server};
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    fn settings() -> Settings {
        let server = Server { host: "localhost".into(), port: 1, security: Security::Plain, trust: None };
        let mut settings = Settings::new("mail", server, "u", Zeroizing::new("p".into()));
        settings.patterns = crate::patterns::Patterns::new(&[r"VG-\d{4}-\d{4}".into()], &[]).unwrap();
        settings
    }

    fn reading(raw: &[u8]) -> Reading {
        read(raw, &settings(), Timestamp::default())
    }

    #[test]
    fn text_attachments_and_references_are_found() {
        let raw = b"From: =?utf-8?q?J=C3=B6rg?= <J@b.example>\r\nSubject: zu VG-2026-0001\r\n\
            Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n\
            <p>Gr\xfc\xdfe, VG-2026-0002</p>\r\n--b\r\nContent-Type: application/pdf; name=\"../Plan?.PDF\"\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
            Subject: innen\r\n\r\nx\r\n--b--\r\n";
        let it = reading(raw);
        assert_eq!(it.from.as_deref(), Some("Jörg <j@b.example>"));
        assert_eq!(it.text.trim(), "Grüße, VG-2026-0002");
        let hints: Vec<_> = it.hints.iter().map(|it| (it.value.as_str(), it.confidence)).collect();
        assert_eq!(hints, [("VG-2026-0001", 90), ("VG-2026-0002", 70)]);
        let found: Vec<_> = it
            .attachments
            .iter()
            .map(|it| (it.title.as_str(), it.ending.as_str(), it.bytes.as_slice()))
            .collect();
        assert_eq!(found[0], ("../Plan?.PDF", "pdf", &b"%PDF"[..]));
        assert_eq!((found[1].0, found[1].1), ("innen", "eml"));
        assert!(found[1].2.starts_with(b"Subject: innen\r\n\r\nx"));
        assert_eq!(it.concerns, [""; 0]);
    }

    #[test]
    fn what_is_too_deep_or_has_too_many_parts_stays_as_the_original() {
        let mut deep = b"Subject: tief\r\n".to_vec();
        for at in 0..100 {
            deep.extend(format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n").bytes());
        }
        let mut wide = b"Subject: breit\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
        for _ in 0..10_000 {
            wide.extend(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n");
        }
        for (raw, subject) in [(deep, "tief"), (wide, "breit")] {
            let it = reading(&raw);
            assert_eq!(it.subject.as_deref(), Some(subject));
            assert_eq!((it.concerns.as_slice(), it.attachments.len()), (&["post.mail-unreadable"][..], 0));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            reading(&raw);
        }

        #[test]
        fn anything_like_an_e_mail_is_read(
            lines in proptest::collection::vec("(Content-Type: (multipart/(mixed|signed; protocol=\"application/pkcs7-signature\"); boundary=b|message/rfc822|application/pkcs7-mime)|--b(--)?|Subject: a|MIIB|)", 0..14),
        ) {
            reading(lines.join("\r\n").as_bytes());
        }
    }
}
