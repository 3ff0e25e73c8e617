//! Signed and encrypted e-mails (S/MIME, RFC 8551): layer by layer, and only what a layer has given out is looked at further.
//!
//! `multipart/signed` (RFC 1847) is cut here by its boundary, so that what is verified are exactly the bytes between; anything else is
//! read of what the verification gives back.
//!
//! EnvelopedData is encrypted in a way that whoever carries it can change without a key, such as into HTML that sends what was encrypted
//! elsewhere once it is shown (RFC 8551, section 6, "EFAIL"). What no signature within, and none of the sender around it, vouches for is
//! given out without anything that a program would carry out.

use seal::cms::{self, Kind};
use seal::identity::Identity;
use seal::x509::{Standing, Trust};
use serde_json::{Value, json};

use super::entity::{Entity, marks};

/// Layers that are taken off one e-mail.
const MOST_LAYERS: usize = 4;

/// What signed and encrypted e-mails are judged by.
pub(super) struct Judge<'a> {
    /// Keys that open what is encrypted.
    pub(super) keys: &'a [Identity],
    /// Whose signatures are trusted.
    pub(super) trust: Option<&'a Trust>,
    /// When the e-mail came in, in seconds since 1970-01-01 UTC.
    pub(super) at: i64,
    /// Address of the sender, in lower case, if it is one.
    pub(super) from: Option<&'a str>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Opened {
    /// The innermost entity; `None` if there are no layers.
    pub(super) entity: Option<Vec<u8>>,
    /// Whether one of the layers was encrypted.
    pub(super) was_encrypted: bool,
    /// Whether the sender has signed, by a certificate that is trusted.
    pub(super) is_sealed: bool,
    /// Whether it was encrypted so that it may have been changed on its way, and nobody has signed it.
    pub(super) is_unproven: bool,
    /// The layers, outermost first: for the time line.
    pub(super) layers: Vec<Value>,
    /// Why somebody has to look at it.
    pub(super) concerns: Vec<&'static str>,
    /// Nothing within may be used: a signature is wrong, or it cannot be decrypted.
    pub(super) is_closed: bool,
}

/// A layer.
enum Layer<'a> {
    /// Signed beside: what was signed, and the signature.
    Beside(&'a [u8], Vec<u8>),
    /// CMS around the content.
    Around(Vec<u8>, Kind),
}

/// Takes all layers off an e-mail.
pub(super) fn open(raw: &[u8], judge: &Judge<'_>) -> Opened {
    let mut opened = layers(raw, judge);
    if opened.is_unproven && !opened.is_closed {
        opened.concerns.push("post.mail-unproven");
    }
    opened
}

fn layers(raw: &[u8], judge: &Judge<'_>) -> Opened {
    let mut opened = Opened::default();
    for _ in 0..MOST_LAYERS {
        let current = opened.entity.take();
        let entity = current.as_deref().unwrap_or(raw);
        let inner = match layer(entity) {
            Ok(None) => {
                opened.entity = current;
                return opened;
            }
            Ok(Some(Layer::Beside(content, signature))) => {
                verified(&signature, Some(content), judge, &mut opened)
            }
            Ok(Some(Layer::Around(object, Kind::Signed))) => verified(&object, None, judge, &mut opened),
            Ok(Some(Layer::Around(object, kind))) => decrypted(&object, kind, judge, &mut opened),
            Err(Broken) => broken(&mut opened),
        };
        opened.is_closed = inner.is_none();
        if inner.is_none() {
            return opened;
        }
        opened.entity = inner;
    }
    // Nobody writes that many: what is left inside is an attachment.
    opened
}

fn verified(object: &[u8], beside: Option<&[u8]>, judge: &Judge<'_>, opened: &mut Opened) -> Option<Vec<u8>> {
    let Ok(signed) = cms::verify(object, beside) else { return broken(opened) };
    let standing = standing(&signed, judge);
    let is_senders = judge.from.is_some_and(|from| signed.addresses().iter().any(|it| it == from));
    opened.layers.push(json!({
        "layer": "signed",
        "standing": standing,
        "ofSender": is_senders,
        "certificate": signed.signer.fingerprint(),
    }));
    // A signature of somebody else lends the e-mail a trust that it has not earned.
    if !is_senders || standing == "revoked" {
        opened.concerns.push("post.mail-signer");
    }
    opened.is_sealed |= is_senders && standing == "good";
    // Nobody signs what he cannot read, so a signature within was made before it was encrypted.
    opened.is_unproven = false;
    Some(match beside {
        Some(content) => content.to_vec(),
        None => signed.content,
    })
}

/// Nothing of it is used.
fn broken(opened: &mut Opened) -> Option<Vec<u8>> {
    opened.layers.push(json!({ "layer": "signed", "standing": "broken" }));
    opened.concerns.push("post.mail-signature");
    None
}

fn standing(signed: &cms::Signed, judge: &Judge<'_>) -> &'static str {
    if signed.is_weak {
        return "weak";
    }
    let Some(trust) = judge.trust else { return "unknown" };
    let Ok(found) = trust.inspect_with(&signed.signer, &signed.others, judge.at) else { return "unknown" };
    match found.standing() {
        Standing::Good if !signed.signer.key_usage().may_sign() => "other-purpose",
        Standing::Good => "good",
        Standing::OutsideValidity => "outdated",
        Standing::Revoked => "revoked",
        Standing::WrongIssuer | Standing::Incomplete => "unknown",
    }
}

fn decrypted(object: &[u8], kind: Kind, judge: &Judge<'_>, opened: &mut Opened) -> Option<Vec<u8>> {
    let name = if kind == Kind::AuthEnveloped { "encrypted-authenticated" } else { "encrypted" };
    let plain = cms::decrypt(object, judge.keys).ok();
    opened
        .layers
        .push(json!({ "layer": name, "standing": if plain.is_some() { "opened" } else { "closed" } }));
    match plain {
        Some(plain) => {
            opened.was_encrypted = true;
            opened.is_unproven = kind == Kind::Enveloped && !opened.is_sealed;
            Some(plain)
        }
        None => {
            opened.concerns.push("post.mail-not-decrypted");
            None
        }
    }
}

/// It says that it is signed, and is not made as such an e-mail is.
struct Broken;

/// The outermost layer of an entity.
fn layer(bytes: &[u8]) -> Result<Option<Layer<'_>>, Broken> {
    let Some(entity) = Entity::of(bytes) else { return Ok(None) };
    let Some(kind) = entity.kind() else { return Ok(None) };
    let is_smime = |value: &str, what: &str| {
        value.eq_ignore_ascii_case(&format!("application/{what}"))
            || value.eq_ignore_ascii_case(&format!("application/x-{what}"))
    };
    let (ctype, subtype) = entity.media_type();
    match ctype.as_str() {
        "multipart" if subtype == "signed" => {
            if !kind.attribute("protocol").is_some_and(|it| is_smime(it, "pkcs7-signature")) {
                return Ok(None);
            }
            let boundary = kind.attribute("boundary").ok_or(Broken)?;
            let (content, signature) = halves(entity.body, boundary).ok_or(Broken)?;
            let signature = Entity::of(signature).ok_or(Broken)?.content().into_owned();
            Ok(Some(Layer::Beside(content, signature)))
        }
        "application" => {
            let is_named = entity.name().is_some_and(|name| name.to_ascii_lowercase().ends_with(".p7m"));
            if !matches!(subtype.as_str(), "pkcs7-mime" | "x-pkcs7-mime") && !is_named {
                return Ok(None);
            }
            let object = entity.content();
            Ok(cms::kind(&object).map(|kind| Layer::Around(object.into_owned(), kind)))
        }
        _ => Ok(None),
    }
}

/// The two parts of a multipart/signed.
fn halves<'a>(body: &'a [u8], boundary: &str) -> Option<(&'a [u8], &'a [u8])> {
    match marks(body, boundary, 3)?.as_slice() {
        [first, second, third] => {
            Some((body.get(first.after..second.before)?, body.get(second.after..third.before)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_exactly_what_stands_between_the_boundaries() {
        let entity = b"Content-Type: x\r\n\r\npreamble\r\n--b\r\nA: 1\r\n\r\ntext\r\n\r\n--b  \r\nB: 2\r\n\r\nsig\r\n--b--\r\nend";
        let (content, signature) = halves(entity, "b").unwrap();
        assert_eq!(content, b"A: 1\r\n\r\ntext\r\n");
        assert_eq!(signature, b"B: 2\r\n\r\nsig");
        for wrong in [
            "--b\r\n1\r\n--b--\r\n",
            "--b\r\n1\r\n--b\r\n2\r\n--b\r\n3\r\n--b--",
            "--bb\r\n1\r\n--bb\r\n2\r\n--bb--",
            "",
        ] {
            assert_eq!(halves(wrong.as_bytes(), "b"), None, "{wrong}");
        }
    }
}
