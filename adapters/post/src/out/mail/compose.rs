//! The bytes of an e-mail: header, text, attachments; signed, then encrypted. Everything is ASCII with lines of bearable length, so that no
//! server on the way has a reason to change what was signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::message::header::{self, ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use model::activity::Notice;
use model::adapter::{AboutFile, Sources};
use model::{Failure, Timestamp};
use seal::cms;
use seal::x509::Certificate;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::AsyncReadExt;

use super::super::{rejected, settings};
use crate::our_ids::loop_mark;

/// Characters of a file's name.
const NAME_CHARS: usize = 100;

/// Who writes to whom, and when.
pub(super) struct Letter<'a> {
    pub(super) to: &'a Address,
    pub(super) from: &'a Address,
    /// Message-ID with its angle brackets.
    pub(super) id: &'a str,
    /// Aktenzeichen.
    pub(super) reference: Option<&'a str>,
    /// What a notification says by itself, instead of what all e-mails say.
    pub(super) notice: Option<&'a Notice>,
    pub(super) at: Timestamp,
}

impl Letter<'_> {
    fn subject(&self, settings: &settings::Mail) -> String {
        match self.notice {
            Some(notice) => notice.subject.clone(),
            None => filled(&settings.subject, self.reference),
        }
    }

    fn text(&self, settings: &settings::Mail) -> String {
        match self.notice {
            Some(Notice { text, link: Some(link), .. }) if !text.contains(link.as_str()) => {
                format!("{text}\n\n{link}\n")
            }
            Some(notice) => notice.text.clone(),
            None => filled(&settings.text, self.reference),
        }
    }
}

/// A file that goes along.
pub(super) struct Attachment {
    name: String,
    media_type: ContentType,
    bytes: Vec<u8>,
}

/// Reads the files, at most so many bytes together.
pub(super) async fn attachments(
    files: &[AboutFile],
    sources: Sources<'_>,
    most: u64,
) -> Result<Vec<Attachment>, Failure> {
    let (mut attachments, mut left) = (vec![], most);
    for (file, source) in files.iter().zip(sources) {
        let mut bytes = vec![];
        let content = source.open().await?;
        content.take(left + 1).read_to_end(&mut bytes).await.map_err(|_| {
            Failure::transient(
                "post.document-unread",
                "a document cannot be read out of the store at present",
            )
        })?;
        let length = bytes.len() as u64;
        if length > left {
            return Err(rejected("post.too-large", "the documents have more bytes than this way carries"));
        }
        left -= length;
        let media_type = file.file.media_type.as_deref().and_then(|it| ContentType::parse(it).ok());
        let media_type = match media_type {
            Some(media_type) => media_type,
            None => ContentType::parse("application/octet-stream").map_err(|_| unwritten())?,
        };
        attachments.push(Attachment { name: name(&file.file.name), media_type, bytes });
    }
    Ok(attachments)
}

/// A name without anything that a path or a header could take amiss.
fn name(text: &str) -> String {
    let is_plain = |it: &char| it.is_alphanumeric() || matches!(it, '.' | '-' | '_' | ' ');
    text.chars().filter(is_plain).take(NAME_CHARS).collect()
}

/// The e-mail.
pub(super) fn compose(
    settings: &settings::Mail,
    letter: &Letter<'_>,
    attachments: Vec<Attachment>,
) -> Result<Vec<u8>, Failure> {
    let recipient = recipient(&settings.recipients, letter.to, letter.at)?;
    if recipient.is_none() && settings.only_encrypted {
        return Err(rejected("post.not-encrypted", "there is no valid certificate for the address"));
    }
    let mut entity = body(settings, letter, attachments)?;
    if let Some(signer) = &settings.signer {
        let signature = cms::sign(signer, &entity).map_err(unmade)?;
        entity = beside(&entity, &signature);
    }
    if let Some(certificate) = recipient {
        let object = cms::encrypt(std::slice::from_ref(certificate), &entity).map_err(unmade)?;
        entity = around(&object);
    }
    let mut whole = head(settings, letter)?;
    whole.extend(entity);
    Ok(whole)
}

/// The header without what describes the content.
fn head(settings: &settings::Mail, letter: &Letter<'_>) -> Result<Vec<u8>, Failure> {
    let seconds = u64::try_from(letter.at.micros() / 1_000_000).unwrap_or(0);
    let message = Message::builder()
        .from(Mailbox::new(settings.name.clone(), letter.from.clone()))
        .to(Mailbox::new(None, letter.to.clone()))
        .subject(letter.subject(settings))
        .date(UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(letter.id.to_owned()))
        .body(String::new())
        .map_err(|_| unwritten())?;
    let mut head = String::new();
    let mut is_kept = true;
    for line in message.headers().to_string().split_inclusive("\r\n") {
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            is_kept = !name.starts_with("content-") && name != "mime-version";
        }
        if is_kept {
            head.push_str(line);
        }
    }
    head.push_str(&format!("X-Loop: {}\r\nMIME-Version: 1.0\r\n", loop_mark(&settings.domain)));
    Ok(head.into_bytes())
}

fn filled(text: &str, reference: Option<&str>) -> String {
    let text = text.replace("{reference}", reference.unwrap_or_default());
    text.trim().to_owned()
}

/// Text and attachments.
fn body(
    settings: &settings::Mail,
    letter: &Letter<'_>,
    attachments: Vec<Attachment>,
) -> Result<Vec<u8>, Failure> {
    let encoded = |bytes: Vec<u8>| {
        lettre::message::Body::new_with_encoding(bytes, ContentTransferEncoding::Base64)
            .map_err(|_| unwritten())
    };
    let text = letter.text(settings);
    let text =
        SinglePart::builder().header(header::ContentType::TEXT_PLAIN).body(encoded(text.into_bytes())?);
    let mut parts = MultiPart::mixed().singlepart(text);
    for Attachment { name, media_type, bytes } in attachments {
        let part = SinglePart::builder()
            .header(media_type)
            .header(ContentDisposition::attachment(&name))
            .body(encoded(bytes)?);
        parts = parts.singlepart(part);
    }
    Ok(parts.formatted())
}

/// multipart/signed (RFC 1847): the entity stays as it is, byte by byte.
fn beside(entity: &[u8], signature: &[u8]) -> Vec<u8> {
    // Base64 never begins a line with it.
    let boundary = format!("--=_{}", hex::encode(&seal::sha256(&[entity]).0[..12]));
    let boundary = boundary.trim_start_matches("--");
    let mut whole = format!(
        "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n\
         \tmicalg=sha-256; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
    )
    .into_bytes();
    whole.extend(entity);
    whole.extend(
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
             Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n"
        )
        .bytes(),
    );
    whole.extend(lines(signature));
    whole.extend(format!("\r\n--{boundary}--\r\n").bytes());
    whole
}

/// application/pkcs7-mime of what is encrypted.
fn around(object: &[u8]) -> Vec<u8> {
    let mut whole =
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\r\n\
        Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"
            .to_vec();
    whole.extend(lines(object));
    whole.extend(b"\r\n");
    whole
}

/// Base64 in lines of 76 characters.
fn lines(bytes: &[u8]) -> Vec<u8> {
    let lines: Vec<String> = bytes.chunks(57).map(|line| STANDARD.encode(line)).collect();
    lines.join("\r\n").into_bytes()
}

/// The certificate by which this address receives what is encrypted; `None` if there is none for it. Whoever has one expects nothing in
/// plain text, so one that cannot be used any more is no reason to send so.
fn recipient<'a>(
    known: &'a [Certificate],
    to: &Address,
    at: Timestamp,
) -> Result<Option<&'a Certificate>, Failure> {
    let to = to.to_string().to_ascii_lowercase();
    let now = at.micros().div_euclid(1_000_000);
    let mut is_named = false;
    for certificate in known.iter().filter(|it| cms::addresses(it).contains(&to)) {
        if certificate.is_valid_at(now) && certificate.key_usage().may_encrypt() {
            return Ok(Some(certificate));
        }
        is_named = true;
    }
    match is_named {
        true => Err(rejected("post.not-encrypted", "the certificates for the address cannot be used today")),
        false => Ok(None),
    }
}

fn unmade(error: seal::Error) -> Failure {
    Failure::permanent("post.mail-not-made", error.to_string())
}

fn unwritten() -> Failure {
    Failure::permanent("post.mail-not-made", "the e-mail cannot be written")
}
