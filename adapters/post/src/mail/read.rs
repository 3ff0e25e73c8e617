//! What stands in an e-mail (RFC 5322, MIME): text and attachments, within limits. What is too deep or has too many parts is not read at all,
//! and stays as the original.

use std::collections::BTreeSet;

use mail_parser::decoders::html::html_to_text;
use model::letter::Hint;
use model::{Id, Timestamp};
use serde_json::{Value, json};

use super::Settings;
use super::entity::{Entity, Form, Leaf, leaves};
use super::nature::{Nature, judged};
use super::secure::{Judge, Opened, open};

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
    let parts = leaves(raw).zip(Entity::of(raw).and_then(|it| it.head));
    let Some((parts, head)) = parts else { return unreadable(raw) };
    let found = judged(&head, &parts, &settings.domain);
    let from = head.from().and_then(|it| it.first());
    let address = from.and_then(|it| it.address()).map(str::to_ascii_lowercase);
    let judge = Judge {
        keys: &settings.keys,
        trust: settings.trust.as_ref(),
        at: date.micros().div_euclid(1_000_000),
        from: address.as_deref(),
    };
    let opened = open(raw, &judge);
    let mut reading = Reading {
        nature: found.nature,
        answered: found.answered,
        subject: head.subject().map(line).filter(|it| !it.is_empty()),
        from: address.as_deref().map(|it| named(from.and_then(|from| from.name()), it)),
        text: String::new(),
        attachments: vec![],
        decrypted: None,
        is_sealed: opened.is_sealed,
        hints: vec![],
        proof: json!({ "layers": opened.layers, "sha256": seal::sha256(&[raw]).to_string() }),
        concerns: opened.concerns.clone(),
    };
    if found.is_ours {
        reading.concerns.push("post.mail-ours");
    }
    if reading.nature == Nature::Automatic {
        reading.concerns.push("post.mail-automatic");
    }
    if let Some(subject) = &reading.subject {
        reading.hints = settings.patterns.hints(subject, "subject", IN_SUBJECT);
    }
    content(parts, opened, &mut reading);
    let known: Vec<_> = reading.hints.iter().map(|it| (it.kind, it.value.clone())).collect();
    let more = settings.patterns.hints(&reading.text, "text", IN_TEXT);
    reading.hints.extend(more.into_iter().filter(|it| !known.contains(&(it.kind, it.value.clone()))));
    reading
}

/// Text and attachments, of the innermost entity alone.
fn content(parts: Vec<Leaf<'_>>, opened: Opened, reading: &mut Reading) {
    if opened.is_closed {
        return;
    }
    match &opened.entity {
        None => fill(&parts, reading),
        Some(entity) => match leaves(entity) {
            Some(parts) => fill(&parts, reading),
            None => reading.concerns.push("post.mail-unreadable"),
        },
    }
    if opened.is_unproven {
        // What a program would show or carry out is given out as text; the opened e-mail itself would be.
        reading.attachments.iter_mut().for_each(disarm);
    } else if opened.was_encrypted {
        reading.decrypted = opened.entity;
    }
}

fn fill(parts: &[Leaf<'_>], reading: &mut Reading) {
    let plain: Vec<Option<String>> =
        parts.iter().map(|part| (part.form() == Form::Plain).then(|| part.entity.text())).collect();
    let told: BTreeSet<usize> = parts
        .iter()
        .zip(&plain)
        .filter(|(_, text)| text.as_ref().is_some_and(|it| !it.trim().is_empty()))
        .filter_map(|(part, _)| part.alternative)
        .collect();
    for (part, plain) in parts.iter().zip(&plain) {
        match (part.form(), plain) {
            (_, Some(text)) => add_text(text, &mut reading.text),
            // The same stands in plain text.
            (Form::Html, _) if part.alternative.is_some_and(|it| told.contains(&it)) => {}
            (Form::Html, _) => add_text(&html_to_text(&part.entity.text()), &mut reading.text),
            (Form::Plain | Form::Attachment, _) => reading.attachments.push(attachment(part)),
        }
    }
    if reading.attachments.len() > MOST_ATTACHMENTS {
        reading.attachments.clear();
        reading.concerns.push("post.mail-unreadable");
    } else if parts.iter().any(Leaf::is_wrapped) {
        reading.concerns.push("post.mail-unreadable");
    }
}

fn add_text(text: &str, all: &mut String) {
    let left = TEXT_CHARS.saturating_sub(all.len());
    all.extend(text.chars().take(left).filter(|it| *it == '\n' || *it == '\t' || !it.is_control()));
    all.push('\n');
}

fn attachment(part: &Leaf<'_>) -> Attachment {
    let media_type = part.entity.kind().map(|kind| {
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")).to_ascii_lowercase()
    });
    let is_token = |text: &String| {
        let is = |byte: u8| byte.is_ascii_alphanumeric() || b"/+.-_".contains(&byte);
        text.len() <= MEDIA_TYPE_CHARS && text.bytes().all(is)
    };
    let name = part.entity.name().map(line).filter(|it| !it.is_empty());
    let bytes = part.entity.content();
    if part.is_message {
        let head = Entity::of(&bytes).and_then(|inner| inner.head);
        let subject = head.and_then(|head| head.subject().map(line)).filter(|it| !it.is_empty());
        let title = name.or(subject).unwrap_or_else(|| "Anlage".to_owned());
        let media_type = Some("message/rfc822".to_owned());
        return Attachment { title, ending: "eml".to_owned(), media_type, bytes: bytes.into_owned() };
    }
    let ending = ending(name.as_deref(), media_type.as_deref());
    let title = name.unwrap_or_else(|| "Anlage".to_owned());
    Attachment { title, ending, media_type: media_type.filter(is_token), bytes: bytes.into_owned() }
}

/// Makes a text of what a program would show as a page, or as an e-mail with one.
fn disarm(attachment: &mut Attachment) {
    let kind = attachment.media_type.as_deref().unwrap_or_default();
    let is_page = kind.contains("html") || ["html", "htm", "xhtml", "shtml"].contains(&&*attachment.ending);
    let is_like_one = ["svg", "mht", "mhtml", "eml", "xml", "xsl"].contains(&&*attachment.ending)
        || ["message/", "multipart/"].iter().any(|it| kind.starts_with(it))
        || ["/xml", "+xml", "x-mimearchive"].iter().any(|it| kind.ends_with(it));
    // Of what says nothing, a program that shows it decides by its beginning.
    let bytes = attachment.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&attachment.bytes);
    let looks_like_one = bytes.trim_ascii_start().starts_with(b"<");
    if !is_page && !is_like_one && !looks_like_one {
        return;
    }
    if is_page {
        attachment.bytes = html_to_text(&String::from_utf8_lossy(&attachment.bytes)).into_bytes();
    }
    attachment.ending = "txt".to_owned();
    attachment.media_type = Some("text/plain".to_owned());
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

/// What cannot be read: the original alone is kept, with what its header says if that is not too long.
fn unreadable(raw: &[u8]) -> Reading {
    let head = Entity::of(raw).and_then(|it| it.head);
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

    /// A header that says twenty thousand times that an e-mail stands within: more than any stack bears.
    fn nested(kind: &str) -> Vec<u8> {
        format!("Subject: innen\r\nContent-Type: {kind}\r\n\r\n").repeat(20_000).into_bytes()
    }

    #[test]
    fn e_mails_within_e_mails_to_any_depth_are_an_attachment() {
        for kind in ["message/rfc822", "message /rfc822", "message/ global", "(x) Message/RFC822;a=b"] {
            let it = reading(&nested(kind));
            assert_eq!((it.attachments.len(), it.concerns.len()), (1, 0), "{kind}");
            assert_eq!(
                (it.attachments[0].title.as_str(), &*it.attachments[0].ending),
                ("innen", "eml"),
                "{kind}"
            );
        }
    }

    #[test]
    fn an_encoded_e_mail_within_is_opened_by_nobody_and_looked_at_by_somebody() {
        let inner =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, nested("message/rfc822"));
        let raw = format!(
            "Subject: a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{inner}\r\n"
        );
        let it = reading(raw.as_bytes());
        assert_eq!(it.concerns, ["post.mail-unreadable"]);
        assert_eq!(it.attachments[0].bytes, nested("message/rfc822"));
    }

    #[test]
    fn what_a_signature_covers_has_the_same_limits() {
        // Signed beside, and encoded: its body used to be parsed before anything had counted.
        let raw = b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s\r\n\r\n--s\r\n\r\nx\r\n--s\r\n"
            .iter()
            .copied()
            .chain(nested("message /rfc822"))
            .chain(b"\r\n--s--\r\n".iter().copied());
        let it = reading(&raw.collect::<Vec<_>>());
        assert_eq!(it.concerns, ["post.mail-signature"]);
    }

    #[test]
    fn what_nobody_vouches_for_is_text() {
        let armed = |ending: &str, kind: &str, bytes: &[u8]| Attachment {
            title: "x".into(),
            ending: ending.into(),
            media_type: Some(kind.into()),
            bytes: bytes.to_vec(),
        };
        for (mut it, text) in [
            (armed("html", "text/html", b"<p>a<img src=http://x/"), "a"),
            (armed("htm", "application/octet-stream", b"<p>a</p>"), "a"),
            (armed("svg", "image/svg+xml", b"<svg/>"), "<svg/>"),
            (armed("eml", "message/rfc822", b"A: b"), "A: b"),
            (armed("bin", "application/octet-stream", b" <html>"), " <html>"),
        ] {
            disarm(&mut it);
            assert_eq!((it.ending.as_str(), it.media_type.as_deref()), ("txt", Some("text/plain")));
            assert_eq!(String::from_utf8(it.bytes).unwrap().trim_end(), text);
        }
        let mut pdf = armed("pdf", "application/pdf", b"%PDF");
        disarm(&mut pdf);
        assert_eq!(pdf.ending, "pdf");
    }

    #[test]
    fn html_is_read_where_it_has_no_plain_twin() {
        let twins = |plain: &str| {
            format!(
                "Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n{plain}\r\n--b\r\n\
                 Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>bunt</p>\r\n--c\r\n\
                 Content-Type: application/pdf\r\n\r\n%PDF\r\n--c--\r\n--b--\r\n"
            )
        };
        for (plain, text) in [("schlicht", "schlicht"), (" ", "bunt")] {
            let it = reading(twins(plain).as_bytes());
            assert_eq!((it.text.trim(), it.attachments.len()), (text, 1));
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
