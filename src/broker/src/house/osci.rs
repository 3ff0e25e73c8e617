//! What the configuration says of OSCI-Transport at authorities and partners. The broker itself reads none of it: keys and
//! certificates are loaded from the references by `config` and used by `transport`.

use serde::{Deserialize, Serialize};

/// A private key with its certificate.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// Reference to a PKCS#12 or PEM.
    pub key: String,
    /// Reference to its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A way to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// RSASSA-PKCS1-v1_5, which everybody verifies.
    #[default]
    RsaSha256,
    /// RSASSA-PSS.
    RsaPssSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaSha512,
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
    /// RSASSA-PSS with SHA3-512.
    #[serde(rename = "rsa-pss-sha3-512")]
    RsaPssSha3,
    /// ECDSA.
    EcdsaSha256,
}

/// The own key pairs of an authority.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OsciKeys {
    /// Key pairs for which content is encrypted: the present one first, then those before it.
    pub cipher: Vec<KeyPair>,
    /// The key pair that signs content and orders.
    pub signer: KeyPair,
    /// How it signs.
    #[serde(default)]
    pub signature: Signature,
}

/// A mailbox of an authority at an intermediary, which messages are fetched from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OsciMailbox {
    /// Address of the intermediary.
    pub intermediary: String,
    /// Reference to the file of its cipher certificate.
    pub intermediary_certificate: String,
    /// Reference to the file of the certificate that must sign its answers; absent: any may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_by: Option<String>,
    /// Seconds between two looks.
    #[serde(default = "every_seconds")]
    pub every_seconds: u32,
}

/// How a partner is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OsciReach {
    /// Address of the intermediary.
    pub intermediary: String,
    /// Reference to the file of its cipher certificate.
    pub intermediary_certificate: String,
    /// Reference to the file of the certificate that must sign its answers; absent: any may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_by: Option<String>,
    /// Reference to the file of the partner's cipher certificate: addressee and reader.
    pub recipient_certificate: String,
    /// References to files of the certificates that the partner signs content with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// How messages are delivered.
    #[serde(default)]
    pub mode: OsciMode,
    /// Address of the passive recipient, if the mode needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
}

/// How messages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OsciMode {
    /// Into a mailbox.
    #[default]
    Store,
    /// To a passive recipient.
    Forward,
    /// To a passive recipient whose answer is a message.
    Mediate,
}

fn every_seconds() -> u32 {
    60
}
