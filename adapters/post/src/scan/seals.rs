//! Seals of the Transfervermerk (TR-03138 A.IS.1, A.AM.IN.H.1, A.AM.IN.SH.2): internal by a keyed digest, advanced by an XML
//! signature, qualified by a provider of trust services behind the same trait.

use std::fmt;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use model::case::SealLevel;
use model::{Failure, FailureKind};
use seal::algorithm::{DigestMethod, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::mac::{MacDigest, hmac};
use seal::xmldsig::{NewReference, Signing, Survey, Target, Transform};
use xml::{Form, Limits};
use zeroize::Zeroizing;

/// Exclusive canonicalisation without comments.
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Where the signature goes.
const END: &str = "</Transfervermerk>";
/// Shortest key of an internal seal, in bytes.
const KEY: usize = 32;

/// Seals notes. One of qualified seals is a provider outside, asked by whoever implements this.
#[async_trait]
pub trait SealProvider: Send + Sync + fmt::Debug {
    /// What its seals are worth.
    fn level(&self) -> SealLevel;

    /// Seals a Transfervermerk, UTF-8 XML of some kilobytes. The same note may be sealed again after a crash.
    ///
    /// # Errors
    /// If it cannot be sealed now; nothing is taken in without the seal that the settings ask for.
    async fn seal(&self, note: &[u8]) -> Result<Sealed, Failure>;
}

/// A note with its seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The note; with the seal in it, if it is one of XML.
    pub note: Vec<u8>,
    /// A seal that stands beside it.
    pub beside: Option<Beside>,
}

/// A seal that stands beside the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Name of the file.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Bytes.
    pub bytes: Vec<u8>,
}

/// Internal: HMAC with SHA-256 (RFC 2104) over the note's bytes. It proves nothing to anybody outside, but nobody without the key can
/// change the note; when it was is proved by the gateway's own evidence.
pub struct Internal {
    id: String,
    key: Zeroizing<Vec<u8>>,
}

impl Internal {
    /// A key of at least 32 bytes, and what it is called.
    ///
    /// # Errors
    /// `post.scan-no-seal` if the key is shorter.
    pub fn new(id: impl Into<String>, key: Zeroizing<Vec<u8>>) -> Result<Self, Failure> {
        if key.len() < KEY {
            return Err(no_seal("the key is shorter than 32 bytes"));
        }
        Ok(Internal { id: id.into(), key })
    }
}

impl fmt::Debug for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Internal({})", self.id)
    }
}

#[async_trait]
impl SealProvider for Internal {
    fn level(&self) -> SealLevel {
        SealLevel::Internal
    }

    async fn seal(&self, note: &[u8]) -> Result<Sealed, Failure> {
        let code = hmac(MacDigest::Sha256, &self.key, note).map_err(|error| no_seal(error.code()))?;
        let seal = serde_json::json!({
            "datei": "transfervermerk.xml",
            "verfahren": "HMAC-SHA256",
            "schluessel": self.id,
            "wert": hex::encode(code),
        });
        let (name, media_type) = ("transfervermerk.siegel.json".into(), "application/json".into());
        let beside = Beside { name, media_type, bytes: format!("{seal:#}\n").into_bytes() };
        Ok(Sealed { note: note.to_vec(), beside: Some(beside) })
    }
}

/// Advanced: an enveloped XML signature by the house's own key.
#[derive(Debug)]
pub struct Advanced(Identity);

impl Advanced {
    /// The key and its certificate.
    pub fn new(identity: Identity) -> Self {
        Advanced(identity)
    }

    fn sign(&self, note: &[u8]) -> seal::Result<Vec<u8>> {
        let limits = Limits { total_bytes: 16 << 20, ..Limits::default() };
        let survey = Survey::read(note, limits)?;
        let reference = NewReference {
            target: Target::Document,
            transforms: vec![Transform::Enveloped, Transform::from_uri(EXCLUSIVE)],
            digest: DigestMethod::Sha256,
            library_form: false,
        };
        let certificate = STANDARD.encode(self.0.certificate().der());
        let key_info =
            format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>");
        let sign = |scheme| {
            let signing = Signing {
                key: self.0.key(),
                method: SignatureMethod { scheme, digest: DigestMethod::Sha256 },
                canonicalization: Form::from_uri(EXCLUSIVE).unwrap_or_default(),
                references: std::slice::from_ref(&reference),
                key_info: &key_info,
                scope: &[],
                id: None,
            };
            signing.sign(&survey, note)
        };
        // A key of the one kind is forbidden with the other.
        let signature = sign(Scheme::RsaPkcs1).or_else(|_| sign(Scheme::Ecdsa))?;
        let note = String::from_utf8_lossy(note);
        let (head, tail) = note.rsplit_once(END).unwrap_or((&note, ""));
        Ok(format!("{head}{signature}{END}{tail}").into_bytes())
    }
}

#[async_trait]
impl SealProvider for Advanced {
    fn level(&self) -> SealLevel {
        SealLevel::Advanced
    }

    async fn seal(&self, note: &[u8]) -> Result<Sealed, Failure> {
        let note = self.sign(note).map_err(|error| no_seal(error.code()))?;
        Ok(Sealed { note, beside: None })
    }
}

/// Without the seal that the settings ask for nothing is taken in.
pub(super) fn no_seal(why: &str) -> Failure {
    Failure::new(FailureKind::Permanent, "post.scan-no-seal", why)
}
