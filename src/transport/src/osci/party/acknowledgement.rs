//! What the passive recipient answers a request with (ResponseToProcessDelivery: OSCI-Transport 1.2, section 4.2.4): that it
//! has the message, and under which id. The standard does not say what such an answer holds, and without any it would count
//! as none (9806); what a message standard has to answer comes later, as a message of its own.

use std::io::Read;

use ::osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use ::osci::message::{Certificates, Message as Said, Named};
use ::osci::recipient::SIGNER_ID;
use model::{Id, Message, Timestamp};
use seal::xmlenc::Plaintext;
use serde::{Deserialize, Serialize};

use super::Party;
use super::line::Lines;

/// Tells an acknowledgement from everything else that is JSON.
const KIND: &str = "amtsbote.acknowledgement";
/// `Id` of the certificate for which it is encrypted.
const READER_ID: &str = "addressee_cipher";
/// Most bytes of one.
const MOST: u64 = 1_024;
/// Most bytes of a package that may be nothing but one.
pub(super) const MOST_PACKAGE: u64 = 128 * 1_024;

/// That a message was durably taken in.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Acknowledgement {
    kind: String,
    /// What the recipient calls the message.
    message: Id,
    received_at: Timestamp,
}

/// The answer's content with its certificates: signed by the authority, and encrypted for the originator of the request if
/// that says who it is.
///
/// # Errors
/// If signing or encrypting fails.
pub(super) fn content(
    lines: &Lines,
    party: &Party,
    request: &Said,
    message: &Message,
) -> ::osci::Result<(NewContent, Certificates)> {
    let originator = request.certificates.cipher_originator.as_ref();
    let reader = originator.map(|it| Named { id: READER_ID.to_owned(), certificate: it.certificate.clone() });
    let text = write(message);
    let mut bytes = text.as_bytes();
    let mut maker = Maker::new(&lines.policy, &lines.limits);
    maker.add(NewContainer {
        parts: vec![NewPart::Inline(&mut bytes)],
        authors: vec![Author { signer: &party.signer, method: party.method, certificate: SIGNER_ID }],
        readers: reader.iter().collect(),
    })?;
    let content = maker.finish()?;
    Ok((content, Certificates { cipher_addressee: reader, ..Certificates::default() }))
}

fn write(message: &Message) -> String {
    let said =
        Acknowledgement { kind: KIND.to_owned(), message: message.id, received_at: message.received_at };
    serde_json::json!(said).to_string()
}

/// The acknowledgement that some content is; nothing if it is none.
pub(super) fn read(content: &Plaintext) -> Option<Acknowledgement> {
    let mut bytes = Vec::new();
    content.open().take(MOST + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MOST {
        return None;
    }
    serde_json::from_slice(&bytes).ok().filter(|said: &Acknowledgement| said.kind == KIND)
}

#[cfg(test)]
mod tests {
    use seal::xmlenc::Staging;

    use super::*;

    fn content(text: &str) -> Plaintext {
        let mut staging = Staging::new(1 << 16, 1 << 20);
        staging.take(text.as_bytes()).unwrap();
        staging.finish()
    }

    #[test]
    fn only_what_says_so_is_an_acknowledgement() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        let text =
            format!("{{\"kind\":\"{KIND}\",\"message\":\"{id}\",\"receivedAt\":\"2026-11-29T01:00:00Z\"}}");
        assert_eq!(read(&content(&text)).unwrap().message.to_string(), id);
        let long = format!("{text}{}", " ".repeat(1_100));
        let other = text.replace(KIND, "another.kind");
        let more = text.replacen('{', "{\"x\":1,", 1);
        for none in ["", "{}", "die Antwort", &long, &other, &more, &text[..50]] {
            assert_eq!(read(&content(none)), None, "{none}");
        }
    }
}
