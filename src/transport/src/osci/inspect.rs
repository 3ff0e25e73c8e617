//! What an OSCI message is: which order or answer, for whom it is encrypted, who signed it, whose certificates it names,
//! what its feedback says. Never its content, nor its subject.

use std::io::{Read, Seek, SeekFrom};

use ::osci::message::{Answer, Body, Certificates, Message, Named};
use ::osci::package::Package;
use ::osci::transport::{Limits, open, receivers};
use ::osci::{Error, Result};
use seal::algorithm::Policy;
use seal::identity::Identity;
use seal::x509::Certificate;
use serde_json::{Value, json};

/// Describes a message: as it came if none of the keys opens it, else as it is within its encryption.
///
/// # Errors
/// If it cannot be read, is no message, or is encrypted for one of the keys and cannot be decrypted.
pub fn inspect(mut message: impl Read + Seek, keys: &[Identity]) -> Result<Value> {
    let limits = Limits::default();
    // Whoever looks wants to see what others wrote, however weak.
    let policy = Policy::default().with_legacy();
    let receivers = receivers(&mut message, &limits)?;
    let is_ours = receivers.iter().any(|it| keys.iter().any(|own| own.certificate() == it));
    let encrypted_for = receivers.iter().map(certificate).collect::<Result<Vec<_>>>()?;
    if !receivers.is_empty() && !is_ours {
        return Ok(json!({ "kind": "MessageEncrypted", "encryptedFor": encrypted_for }));
    }
    message.seek(SeekFrom::Start(0))?;
    let opened = open(message, keys, &policy, &limits)?;
    let mut package = Package::open(opened.package, &limits)?;
    let unverified = package.read()?;
    let is_signed = unverified.is_signed();
    let said = unverified.unbelieved().clone();
    let signature = match unverified.verify(&policy) {
        _ if !is_signed => Value::Null,
        Ok((_, signer)) => json!({ "valid": true, "by": certificate(&signer)? }),
        Err(Error::Refused(code)) => json!({ "valid": false, "code": code.to_string() }),
        Err(error) => return Err(error),
    };
    let attachments = package.attachments.iter();
    Ok(json!({
        "kind": said.kind.name(),
        "encryptedFor": encrypted_for,
        "cipher": opened.protection.map(|it| it.cipher.uri()),
        "signature": signature,
        "conversation": said.control.conversation,
        "sequence": said.control.sequence,
        "messageIds": message_ids(&said.body),
        "codes": answer(&said.body).map(|it| it.feedback.iter().map(|entry| &entry.code).collect::<Vec<_>>()),
        "certificates": named(&said)?,
        "content": said.content.map(|it| json!({ "containers": it.containers, "encrypted": it.encrypted })),
        "attachments": attachments.map(|it| json!({ "id": it.id, "bytes": it.length })).collect::<Vec<_>>(),
        "customHeaders": said.custom.iter().map(|it| json!([it.namespace, it.local])).collect::<Vec<_>>(),
    }))
}

/// A description in lines for people.
pub fn in_words(shown: &Value) -> String {
    let mut lines = Vec::new();
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => lines.push(format!("{name}: {text}")),
            Value::Array(items) => {
                lines.extend(items.iter().map(|item| format!("{name}: {}", in_one_line(item))));
            }
            other => lines.push(format!("{name}: {}", in_one_line(other))),
        }
    }
    lines.join("\n")
}

fn in_one_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let words = members.iter().map(|(name, value)| format!("{name} {}", in_one_line(value)));
            words.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn certificate(it: &Certificate) -> Result<Value> {
    Ok(json!({ "subject": it.subject()?, "serial": it.serial()?, "sha256": it.fingerprint() }))
}

fn answer(body: &Body) -> Option<&Answer> {
    if let Body::Answer(answer) = body { Some(answer) } else { None }
}

fn message_ids(body: &Body) -> Vec<&str> {
    let id = match body {
        Body::Store { message_id, .. }
        | Body::Forward { message_id, .. }
        | Body::Mediate { message_id, .. }
        | Body::PartialStore { message_id, .. } => message_id,
        Body::Answer(answer) => &answer.message_id,
        _ => &None,
    };
    let cards = answer(body).into_iter().flat_map(|it| &it.cards).map(|card| card.message_id.as_str());
    id.as_deref().into_iter().chain(cards).collect()
}

/// Certificates by what they are for.
fn named(message: &Message) -> Result<Vec<Value>> {
    let Certificates {
        cipher_originator,
        cipher_other_authors,
        cipher_addressee,
        cipher_other_readers,
        signature_originator,
        signature_other_authors,
        signature_addressee,
        block: _,
    } = &message.certificates;
    let all: [(&str, &[Named]); 9] = [
        ("CipherCertificateOriginator", cipher_originator.as_slice()),
        ("CipherCertificateOtherAuthor", cipher_other_authors),
        ("CipherCertificateAddressee", cipher_addressee.as_slice()),
        ("CipherCertificateOtherReader", cipher_other_readers),
        ("SignatureCertificateOriginator", signature_originator.as_slice()),
        ("SignatureCertificateOtherAuthor", signature_other_authors),
        ("SignatureCertificateAddressee", signature_addressee.as_slice()),
        ("CipherCertificateIntermediary", message.intermediary.cipher.as_slice()),
        ("SignatureCertificateIntermediary", message.intermediary.signature.as_slice()),
    ];
    let mut shown = Vec::new();
    for (part, certificates) in all {
        for one in certificates {
            let mut it = certificate(&one.certificate)?;
            it["part"] = json!(part);
            shown.push(it);
        }
    }
    Ok(shown)
}
