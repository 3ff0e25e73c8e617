//! Compact JSON Web Signatures (RFC 7515 section 7.1) with PS512, RS512 and ES256 (RFC 7518 section 3). Which algorithm and which type
//! are expected is said by whoever verifies, never by the token.

use serde_json::{Map, Value};

use super::{Algorithm, Header, MAX_HEADER, PrivateKey, PublicKey, base64url};
use crate::{Error, Result, algorithm::Policy, raw_signature, x509};

/// The longest token in characters.
const MAX_TOKEN: usize = 1024 * 1024;

/// A signature that was read and is not verified yet.
pub struct Jws {
    algorithm: Algorithm,
    kid: Option<String>,
    /// `header.payload`.
    signed: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What stands in the protected header besides the algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub struct Protected<'a> {
    /// `typ`, such as `secevent+jwt`.
    pub typ: Option<&'a str>,
    /// `kid`.
    pub kid: Option<&'a str>,
}

impl Jws {
    /// Reads a token of exactly this algorithm and type.
    ///
    /// # Errors
    /// [`Error::JoseMalformed`], [`Error::AlgorithmForbidden`] for another `alg`.
    pub fn read(token: &str, algorithm: Algorithm, typ: &str) -> Result<Self> {
        if token.len() > MAX_TOKEN {
            return Err(Error::JoseMalformed("length"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::JoseMalformed("segments"))?;
        let (header, payload) = signed.split_once('.').ok_or(Error::JoseMalformed("segments"))?;
        if header.len() > MAX_HEADER {
            return Err(Error::JoseMalformed("header"));
        }
        let header = Header::read(header.as_bytes())?;
        if header.alg != algorithm.name() {
            return Err(Error::AlgorithmForbidden);
        }
        if header.typ.as_deref() != Some(typ) {
            return Err(Error::JoseMalformed("typ"));
        }
        Ok(Jws {
            algorithm,
            kid: header.kid,
            payload: base64url::decode(payload.as_bytes())?,
            signature: base64url::decode(signature.as_bytes())?,
            signed: signed.to_owned(),
        })
    }

    /// The id of the key that is said to have signed.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What anybody may have written there: only to find the key by (`iss`).
    pub fn unverified(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if this key signed it. Its id must be the one that the token names.
    ///
    /// # Errors
    /// [`Error::JoseSignature`] for a key with another id, of another algorithm, or a wrong signature.
    pub fn verify(self, key: &PublicKey) -> Result<Vec<u8>> {
        let method = self.algorithm.signature().ok_or(Error::AlgorithmForbidden)?;
        if self.kid.as_deref() != Some(key.kid()) || key.algorithm() != self.algorithm {
            return Err(Error::JoseSignature);
        }
        let digest = raw_signature::digest(method.digest, self.signed.as_bytes())?;
        let is_right = raw_signature::verify(key.key(), method, &digest, &self.signature)?;
        x509::forget_reasons();
        if is_right { Ok(self.payload) } else { Err(Error::JoseSignature) }
    }
}

/// Signs a payload.
///
/// # Errors
/// [`Error::AlgorithmForbidden`] if the key cannot sign, or is too short.
pub fn sign(key: &PrivateKey, protected: Protected<'_>, payload: &[u8]) -> Result<String> {
    let algorithm = key.algorithm();
    let method = algorithm.signature().ok_or(Error::AlgorithmForbidden)?;
    Policy::default().make_signature(method, key.key().bits())?;
    let mut header = Map::new();
    header.insert("alg".to_owned(), Value::from(algorithm.name()));
    for (name, value) in [("kid", protected.kid), ("typ", protected.typ)] {
        if let Some(value) = value {
            header.insert(name.to_owned(), Value::from(value));
        }
    }
    let header = Value::Object(header).to_string();
    let signed = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload));
    let digest = raw_signature::digest(method.digest, signed.as_bytes())?;
    let signature = raw_signature::sign(key.key(), method, &digest)?;
    Ok(format!("{signed}.{}", base64url::encode(&signature)))
}
