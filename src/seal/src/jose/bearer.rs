//! Signed tokens of identity providers: compact JWS (RFC 7515) with the algorithms that OpenID Connect and OAuth 2.0 use for access and id
//! tokens (RFC 7518 section 3), under keys of a JWK set (RFC 7517). Only public-key algorithms exist here: `none` and HMAC cannot be
//! named, so a public key is never taken for a shared secret (RFC 8725 section 2.1). Which algorithms an issuer may use is said by the
//! configuration, never by the token.

use openssl::{
    bn::BigNum,
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Public},
    rsa::Rsa,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Header, MAX_HEADER, base64url};
use crate::{
    Error, Result,
    algorithm::{DigestMethod, Scheme, SignatureMethod},
    raw_signature, x509,
};

/// The longest token in characters.
pub const LONGEST_TOKEN: usize = 16 * 1024;
/// Bits of an RSA key: providers use 2048 still; what is longer than the greatest only costs time.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;
/// Keys of one set that are looked at.
const MAX_KEYS: usize = 100;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum Signing {
    Es256,
    Es384,
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

impl Signing {
    /// All of them.
    pub const ALL: [Signing; 8] = [
        Signing::Es256,
        Signing::Es384,
        Signing::Ps256,
        Signing::Ps384,
        Signing::Ps512,
        Signing::Rs256,
        Signing::Rs384,
        Signing::Rs512,
    ];

    /// The name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Signing::Es256 => "ES256",
            Signing::Es384 => "ES384",
            Signing::Ps256 => "PS256",
            Signing::Ps384 => "PS384",
            Signing::Ps512 => "PS512",
            Signing::Rs256 => "RS256",
            Signing::Rs384 => "RS384",
            Signing::Rs512 => "RS512",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Signing::ALL.into_iter().find(|it| it.name() == name)
    }

    fn method(self) -> SignatureMethod {
        let (scheme, digest) = match self {
            Signing::Es256 => (Scheme::Ecdsa, DigestMethod::Sha256),
            Signing::Es384 => (Scheme::Ecdsa, DigestMethod::Sha384),
            Signing::Ps256 => (Scheme::RsaPss, DigestMethod::Sha256),
            Signing::Ps384 => (Scheme::RsaPss, DigestMethod::Sha384),
            Signing::Ps512 => (Scheme::RsaPss, DigestMethod::Sha512),
            Signing::Rs256 => (Scheme::RsaPkcs1, DigestMethod::Sha256),
            Signing::Rs384 => (Scheme::RsaPkcs1, DigestMethod::Sha384),
            Signing::Rs512 => (Scheme::RsaPkcs1, DigestMethod::Sha512),
        };
        SignatureMethod { scheme, digest }
    }

    /// Type of its keys, and their curve.
    fn key(self) -> (&'static str, Option<&'static str>) {
        match self {
            Signing::Es256 => ("EC", Some("P-256")),
            Signing::Es384 => ("EC", Some("P-384")),
            _ => ("RSA", None),
        }
    }
}

/// The public keys of an issuer.
#[derive(Clone, Default)]
pub struct IssuerKeys(Vec<IssuerKey>);

#[derive(Clone)]
struct IssuerKey {
    kid: Option<String>,
    alg: Option<String>,
    /// `kty` and `crv`.
    kind: (String, Option<String>),
    key: PKey<Public>,
}

#[derive(Deserialize)]
struct Raw {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl IssuerKeys {
    /// Reads a JWK set. Keys that are not for signatures or not understood are left out, as RFC 7517 section 5 wants it.
    ///
    /// # Errors
    /// [`Error::JoseKey`] if it is no set.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| Error::JoseKey("no JWK set"))?;
        let read = |value: &Value| IssuerKey::read(Raw::deserialize(value).ok()?);
        let keys = set.keys.iter().take(MAX_KEYS).filter_map(read).collect();
        x509::forget_reasons();
        Ok(IssuerKeys(keys))
    }

    /// Whether a token that names this key may be verified: without a name, whether there is any.
    pub fn knows(&self, kid: Option<&str>) -> bool {
        match kid {
            Some(_) => self.0.iter().any(|key| key.kid.as_deref() == kid),
            None => !self.0.is_empty(),
        }
    }

    /// Keys that may have signed so. A token that names no key must leave no choice.
    fn of(&self, kid: Option<&str>, signing: Signing) -> Vec<&IssuerKey> {
        let fits = |key: &&IssuerKey| {
            let (kty, crv) = signing.key();
            key.kind.0 == kty
                && key.kind.1.as_deref() == crv
                && key.alg.as_deref().is_none_or(|alg| alg == signing.name())
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        let found: Vec<_> = self.0.iter().filter(fits).collect();
        if kid.is_none() && found.len() > 1 { vec![] } else { found }
    }
}

impl IssuerKey {
    fn read(raw: Raw) -> Option<Self> {
        if raw.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let number = |text: &Option<String>| {
            let bytes = base64url::decode(text.as_deref()?.as_bytes()).ok()?;
            BigNum::from_slice(&bytes).ok()
        };
        let key = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("RSA", None) => {
                let rsa = Rsa::from_public_components(number(&raw.n)?, number(&raw.e)?).ok()?;
                // A small even exponent, or one, signs anything.
                let is_odd = rsa.e().is_bit_set(0) && rsa.e().num_bits() > 1 && rsa.e().num_bits() <= 32;
                let key = PKey::from_rsa(rsa).ok()?;
                (is_odd && RSA_BITS.contains(&key.bits())).then_some(key)?
            }
            ("EC", Some(curve)) => {
                let curve = match curve {
                    "P-256" => Nid::X9_62_PRIME256V1,
                    "P-384" => Nid::SECP384R1,
                    _ => return None,
                };
                let group = EcGroup::from_curve_name(curve).ok()?;
                let (x, y) = (number(&raw.x)?, number(&raw.y)?);
                PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?).ok()?
            }
            _ => return None,
        };
        Some(IssuerKey { kid: raw.kid, alg: raw.alg, kind: (raw.kty, raw.crv), key })
    }
}

/// A token that was read and is not verified yet.
pub struct Bearer {
    signing: Signing,
    kid: Option<String>,
    typ: Option<String>,
    /// `header.payload`.
    signed: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Bearer {
    /// Reads a token that is signed by one of the allowed algorithms.
    ///
    /// # Errors
    /// [`Error::JoseMalformed`], [`Error::AlgorithmForbidden`].
    pub fn read(token: &str, allowed: &[Signing]) -> Result<Self> {
        if token.len() > LONGEST_TOKEN {
            return Err(Error::JoseMalformed("length"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::JoseMalformed("segments"))?;
        let (header, payload) = signed.split_once('.').ok_or(Error::JoseMalformed("segments"))?;
        if header.len() > MAX_HEADER || payload.contains('.') {
            return Err(Error::JoseMalformed("segments"));
        }
        let header = Header::read(header.as_bytes())?;
        let signing = Signing::named(&header.alg).filter(|signing| allowed.contains(signing));
        Ok(Bearer {
            signing: signing.ok_or(Error::AlgorithmForbidden)?,
            kid: header.kid,
            typ: header.typ,
            payload: base64url::decode(payload.as_bytes())?,
            signature: base64url::decode(signature.as_bytes())?,
            signed: signed.to_owned(),
        })
    }

    /// The id of the key that is said to have signed.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ`, without `application/` and in small letters (RFC 7515 section 4.1.9).
    pub fn typ(&self) -> Option<String> {
        let typ = self.typ.as_deref()?.to_ascii_lowercase();
        Some(typ.strip_prefix("application/").unwrap_or(&typ).to_owned())
    }

    /// What anybody may have written there: only to find the issuer by (`iss`).
    pub fn unverified(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if a key of the set signed it.
    ///
    /// # Errors
    /// [`Error::JoseSignature`] if none did.
    pub fn verify(self, keys: &IssuerKeys) -> Result<Vec<u8>> {
        let method = self.signing.method();
        let digest = raw_signature::digest(method.digest, self.signed.as_bytes())?;
        for key in keys.of(self.kid.as_deref(), self.signing) {
            let is_right = raw_signature::verify(&key.key, method, &digest, &self.signature)?;
            x509::forget_reasons();
            if is_right {
                return Ok(self.payload);
            }
        }
        Err(Error::JoseSignature)
    }
}
