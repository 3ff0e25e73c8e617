//! Messages and states for the federal mailbox (Zentrales Bürgerpostfach, ZBP) and its status monitor: JSON that the author signs as the
//! exact text (RSA PKCS#1 v1.5 with SHA-512; the field is named `sha512sum` all the same), with a short-lived token (JWT, RS512) and the
//! certificate. They go as submissions to the destination of the bridge. Names are from a published client and configurable.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use model::{Failure, Timestamp};
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::outgoing::Service;

/// How long a token is good for, in seconds.
const TOKEN: i64 = 30 * 60;
/// Characters of a line of PEM.
const LINE: usize = 64;

/// The way to the federal mailboxes.
pub struct Bridge {
    /// Destination of the bridge.
    pub destination: Uuid,
    /// Whose certificate signs.
    pub identity: Identity,
    /// The office as citizens read it.
    pub sender: String,
    /// How far whoever reads must have proved who they are: 1 to 4.
    pub level: u8,
    /// What messages and states are submitted as.
    pub message: Service,
    /// What states are submitted as.
    pub status: Service,
    /// Schema of both.
    pub schema: String,
}

/// A message.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) stork_qaa_level: u8,
    #[serde(rename = "mailboxUuid")]
    pub(crate) mailbox: Uuid,
    pub(crate) sender: &'a str,
    pub(crate) title: &'a str,
    pub(crate) content: &'a str,
    pub(crate) service: &'a str,
    #[serde(rename = "applicationId", skip_serializing_if = "Option::is_none")]
    pub(crate) application: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<&'a str>,
    pub(crate) attachments: Vec<Attached>,
}

/// An attachment as a message names it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attached {
    pub(crate) filename: String,
    pub(crate) sha512sum: String,
    pub(crate) content_length: u64,
}

/// Where an application stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State<'a> {
    pub(crate) application_id: Uuid,
    pub(crate) status: &'a str,
    pub(crate) public_service_name: German<'a>,
    pub(crate) sender_name: &'a str,
    pub(crate) created_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<&'a str>,
}

/// A text in German.
#[derive(Serialize)]
pub(crate) struct German<'a> {
    pub(crate) de: &'a str,
}

impl Bridge {
    /// The data of a submission: `content` signed, with token and certificate.
    pub(crate) fn envelope(&self, content: &impl Serialize, now: Timestamp) -> Result<Vec<u8>, Failure> {
        let unusable = |_| Failure::permanent("fit.zbp-key", "the author's key cannot sign for the mailbox");
        let content = serde_json::to_string(content).unwrap_or_default();
        let envelope = json!({
            "content": content,
            "sha512sum": BASE64_STANDARD.encode(self.sign(content.as_bytes()).map_err(unusable)?),
            "authorToken": self.token(now).map_err(unusable)?,
            "authorCertificate": pem(self.identity.certificate().der()),
        });
        Ok(envelope.to_string().into_bytes())
    }

    fn token(&self, now: Timestamp) -> seal::Result<String> {
        let issued = now.micros() / 1_000_000;
        let signer = common_name(&self.identity.certificate().subject()?);
        let claims = json!({ "iat": issued, "exp": issued + TOKEN, "signer": signer, "roles": ["THIRD_PARTY"] });
        let header = json!({ "alg": "RS512", "typ": "JWT" }).to_string();
        let text = |it: String| BASE64_URL_SAFE_NO_PAD.encode(it);
        let signed = format!("{}.{}", text(header), text(claims.to_string()));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }

    fn sign(&self, bytes: &[u8]) -> seal::Result<Vec<u8>> {
        let method = SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha512 };
        self.identity.sign(&Policy::default(), method, bytes)
    }
}

/// `CN` of a name as RFC 2253 writes it, or all of it.
fn common_name(subject: &str) -> String {
    let mut parts = subject.split("CN=").skip(1);
    let Some(rest) = parts.next() else { return subject.to_owned() };
    let (mut name, mut is_escaped) = (String::new(), false);
    for character in rest.chars() {
        match (character, is_escaped) {
            ('\\', false) => is_escaped = true,
            (',' | '+', false) => break,
            (character, _) => {
                name.push(character);
                is_escaped = false;
            }
        }
    }
    name
}

/// RFC 7468.
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// Cut to the characters that a field holds.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// A time as the status monitor writes it.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = Timestamp::from_micros(at.micros() / 1_000_000 * 1_000_000).to_string();
    format!("{}.000Z", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vector() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/samples/fit-connect/zbp-message.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_written_letter_by_letter_as_the_published_client_writes_it() {
        let attached = Attached {
            filename: "bescheid.pdf".into(),
            sha512sum: "ad306f139e0d55daa9472027cd08d8e27a749bcb8d213c1d28df488ad00dae68\
                        4c91e1194c76c59476b050b75e05c631ffcfc23015ee605b5e6b0206e1919f91"
                .into(),
            content_length: 17,
        };
        let message = Message {
            stork_qaa_level: 1,
            mailbox: "e0e02494-eca2-4a6b-9320-fc527747878c".parse().unwrap(),
            sender: "Landkreis Test",
            title: "Ihr Bescheid",
            content: "Bitte öffnen Sie die Anlage.",
            service: "Bauantrag",
            application: Some("9ef6c096-131c-4e0e-895a-3503b80775ec".parse().unwrap()),
            reference: None,
            attachments: vec![attached],
        };
        assert_eq!(serde_json::to_string(&message).unwrap(), vector()["data"]["content"].as_str().unwrap());
    }

    #[test]
    fn the_certificate_is_written_as_the_published_client_writes_it() {
        let text = vector()["data"]["authorCertificate"].as_str().unwrap().to_owned();
        let certificate = seal::x509::Certificate::all_from_pem(text.as_bytes()).unwrap().remove(0);
        assert_eq!(pem(certificate.der()).trim_end(), text.trim_end());
        assert_eq!(common_name(&certificate.subject().unwrap()), "Landkreis Test ZBP");
        assert_eq!(common_name(r"O=Kreis,CN=Kreis\, Amt 63,C=DE"), "Kreis, Amt 63");
    }

    #[test]
    fn a_time_is_told_in_whole_seconds_with_three_digits_behind() {
        let at = Timestamp::parse("2026-03-01T12:00:07.654321Z").unwrap();
        assert_eq!(moment(at), "2026-03-01T12:00:07.000Z");
    }

    #[test]
    fn what_is_too_long_for_a_field_is_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
