//! JOSE as far as FIT-Connect and Web Push need it: keys (RFC 7517), compact signatures (RFC 7515) and compact encryption (RFC 7516)
//! with the algorithms of RFC 7518. Encryption and decryption are streamed; memory does not grow with the content.
//!
//! | module | holds |
//! |---|---|
//! | `jwk` | [`PublicKey`], [`PrivateKey`], [`KeySet`]: RSA of at least 4096 bits, EC P-256; what a key may be used for |
//! | `jws` | [`Jws`], [`sign`]: PS512, RS512 and ES256, each only where it is expected |
//! | `bearer` | [`Bearer`]: tokens of identity providers, under the keys of their sets |
//! | `decrypt` | [`Decryptor`]: RSA-OAEP-256 with A256GCM, optional `zip: DEF`; nothing can be read before the tag was right |
//! | `encrypt` | [`Encryptor`]: the same without `zip`; gives authentication tag and SHA-512 |

mod base64url;
mod bearer;
mod decrypt;
mod encrypt;
mod jwk;
mod jws;

use serde::Deserialize;

use crate::{Error, Result};

pub use bearer::{Bearer, IssuerKeys, LONGEST_TOKEN, Signing};
pub use decrypt::{Decryptor, Opened, decrypt};
pub use encrypt::{Encryptor, Sealed, compact_bytes, encrypt};
pub use jwk::{Algorithm, KeySet, PrivateKey, PublicKey};
pub use jws::{Jws, Protected, sign};

/// The longest protected header in characters; one with a certificate chain has about 8,000.
const MAX_HEADER: usize = 16 * 1024;

/// Bytes as base64url without padding.
pub fn base64url_of(bytes: &[u8]) -> String {
    base64url::encode(bytes)
}

/// Members of a protected header that we read. Whatever else stands there says nothing to us, except `crit`.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    enc: Option<String>,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    zip: Option<String>,
    crit: Option<serde_json::Value>,
}

impl Header {
    /// Reads the first segment.
    fn read(segment: &[u8]) -> Result<Self> {
        let json = base64url::decode(segment)?;
        let header: Header = serde_json::from_slice(&json).map_err(|_| Error::JoseMalformed("header"))?;
        // RFC 7515 section 4.1.11: who does not understand what is critical refuses it.
        if header.crit.is_some() {
            return Err(Error::JoseMalformed("crit"));
        }
        Ok(header)
    }
}
