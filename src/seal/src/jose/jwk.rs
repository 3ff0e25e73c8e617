//! JSON Web Keys (RFC 7517, RFC 7518 section 6) under the rules of FIT-Connect: RSA of at least 4096 bits with the exponent 65537, one
//! algorithm and one use for each key; and EC P-256 for ES256 (VAPID, RFC 8292).

use std::{collections::BTreeMap, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    error::ErrorStack,
    nid::Nid,
    pkey::{HasPublic, PKey, PKeyRef, Private, Public},
    rsa::{Rsa, RsaPrivateKeyBuilder},
};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroize;

use super::base64url;
use crate::{
    Error, Result,
    algorithm::{DigestMethod, Scheme, SignatureMethod},
    secret_file, sha256,
    x509::Certificate,
};

/// Least and greatest length of an RSA key in bits; what is longer only costs time.
const RSA_BITS: std::ops::RangeInclusive<u32> = 4096..=16_384;
/// Keys of one set.
const MAX_KEYS: usize = 1_000;
/// Certificates of one `x5c`.
const MAX_CHAIN: usize = 10;
/// Characters of a key id.
const KID: std::ops::RangeInclusive<usize> = 1..=256;

/// What a key is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSAES-OAEP with SHA-256 and MGF1 over SHA-256: encryption.
    RsaOaep256,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RsaOaep256, Algorithm::Ps512, Algorithm::Rs512, Algorithm::Es256];

impl Algorithm {
    /// The name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RsaOaep256 => "RSA-OAEP-256",
            Algorithm::Ps512 => "PS512",
            Algorithm::Rs512 => "RS512",
            Algorithm::Es256 => "ES256",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// `key_ops` of the public and of the private half.
    fn operations(self) -> [&'static str; 2] {
        if self == Algorithm::RsaOaep256 { ["wrapKey", "unwrapKey"] } else { ["verify", "sign"] }
    }

    /// `use` of its keys.
    fn word(self) -> &'static str {
        if self == Algorithm::RsaOaep256 { "enc" } else { "sig" }
    }

    fn key_type(self) -> &'static str {
        if self == Algorithm::Es256 { "EC" } else { "RSA" }
    }

    /// How it signs; `None` if it does not.
    pub(super) fn signature(self) -> Option<SignatureMethod> {
        let (scheme, digest) = match self {
            Algorithm::RsaOaep256 => return None,
            Algorithm::Ps512 => (Scheme::RsaPss, DigestMethod::Sha512),
            Algorithm::Rs512 => (Scheme::RsaPkcs1, DigestMethod::Sha512),
            Algorithm::Es256 => (Scheme::Ecdsa, DigestMethod::Sha256),
        };
        Some(SignatureMethod { scheme, digest })
    }
}

/// A public key with its id and the one algorithm that it is for.
#[derive(Clone)]
pub struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    key: PKey<Public>,
    chain: Vec<Certificate>,
}

/// A private key with its id and the one algorithm that it is for.
#[derive(Clone)]
pub struct PrivateKey {
    kid: String,
    algorithm: Algorithm,
    key: PKey<Private>,
}

/// A JWK set.
#[derive(Clone, Default, Debug)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Deserialize)]
struct Raw {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    x5c: Vec<String>,
    crv: Option<String>,
    /// The numbers, and members that say nothing to us.
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl PublicKey {
    /// Reads a public JWK. It must say what it is for (`alg`, `key_ops`) and have an id; the first certificate of an `x5c` must be of
    /// this key. Whether that chain is trusted is not asked here.
    ///
    /// # Errors
    /// [`Error::JoseKey`], [`Error::CertificateMalformed`].
    pub fn from_json(json: &[u8]) -> Result<Self> {
        Self::from_raw(serde_json::from_slice(json).map_err(|_| Error::JoseKey("no JWK"))?, true)
    }

    /// The same from a value, such as `encryptionPublicKey` of a reply channel.
    ///
    /// # Errors
    /// As [`PublicKey::from_json`].
    pub fn from_value(value: &Value) -> Result<Self> {
        Self::from_raw(Raw::deserialize(value).map_err(|_| Error::JoseKey("no JWK"))?, true)
    }

    /// Where `key_ops` need not be there, `alg` says what the key is for; `use` may say it, too (RFC 7517 sections 4.2 and 4.3).
    fn from_raw(raw: Raw, needs_operations: bool) -> Result<Self> {
        if raw.more.contains_key("d") {
            return Err(Error::JoseKey("a private key"));
        }
        let (kid, algorithm) = raw.purpose()?;
        let [operation, _] = algorithm.operations();
        if raw.key_ops.as_ref().map_or(needs_operations, |operations| *operations != [operation]) {
            return Err(Error::JoseKey("key_ops"));
        }
        if raw.more.get("use").is_some_and(|word| word != algorithm.word()) {
            return Err(Error::JoseKey("use"));
        }
        let key = public_key(&raw, algorithm)?;
        let chain = raw.chain()?;
        if chain.first().is_some_and(|own| !own.public_key().public_eq(&key)) {
            return Err(Error::JoseKey("x5c of another key"));
        }
        Ok(PublicKey { kid, algorithm, key, chain })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Certificates, its own first; none for a key that is only known by where it came from.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The key itself.
    pub fn key(&self) -> &PKeyRef<Public> {
        &self.key
    }

    /// As a JWK, without certificates.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn to_json(&self) -> Result<Value> {
        let mut value = numbers(&self.key, self.algorithm)?;
        let [operation, _] = self.algorithm.operations();
        for (name, member) in
            [("kid", json!(self.kid)), ("alg", json!(self.algorithm.name())), ("key_ops", json!([operation]))]
        {
            value.as_object_mut().map(|members| members.insert(name.to_owned(), member));
        }
        Ok(value)
    }

    /// SHA-256 of the key's own members as base64url (RFC 7638).
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn thumbprint(&self) -> Result<String> {
        // serde_json writes members in the order of their names.
        let members = numbers(&self.key, self.algorithm)?.to_string();
        Ok(base64url::encode(&sha256(&[members.as_bytes()]).0))
    }
}

impl PrivateKey {
    /// Loads what `file:PATH` (mode 0600) or `env:NAME` refers to: one private JWK.
    ///
    /// # Errors
    /// [`Error::KeyReference`], [`Error::KeyPermissions`], [`Error::KeyFile`], [`Error::JoseKey`].
    pub fn load(reference: &str) -> Result<Self> {
        Self::from_json(&secret_file::resolve(reference)?)
    }

    /// Reads a private JWK.
    ///
    /// # Errors
    /// [`Error::JoseKey`].
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let raw: Raw = serde_json::from_slice(json).map_err(|_| Error::JoseKey("no JWK"))?;
        let (kid, algorithm) = raw.purpose()?;
        let [_, operation] = algorithm.operations();
        if raw.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|one| one == operation)) {
            return Err(Error::JoseKey("key_ops"));
        }
        let key = match algorithm {
            Algorithm::Es256 => private_ec(&raw)?,
            _ => private_rsa(&raw)?,
        };
        Ok(PrivateKey { kid, algorithm, key })
    }

    /// A key that came from elsewhere, such as a PKCS#12.
    ///
    /// # Errors
    /// [`Error::JoseKey`] if it is no key for this algorithm.
    pub fn new(kid: &str, algorithm: Algorithm, key: PKey<Private>) -> Result<Self> {
        require_kind(&key, algorithm)?;
        Ok(PrivateKey { kid: kid.to_owned(), algorithm, key })
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn random(kid: &str, algorithm: Algorithm) -> Result<Self> {
        let key = match algorithm {
            Algorithm::Es256 => PKey::from_ec_key(EcKey::generate(&*p256()?)?)?,
            _ => PKey::from_rsa(Rsa::generate(*RSA_BITS.start())?)?,
        };
        Ok(PrivateKey { kid: kid.to_owned(), algorithm, key })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    pub fn key(&self) -> &PKeyRef<Private> {
        &self.key
    }

    /// Its public half.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn public(&self) -> Result<PublicKey> {
        let key = PKey::public_key_from_der(&self.key.public_key_to_der()?)?;
        Ok(PublicKey { kid: self.kid.clone(), algorithm: self.algorithm, key, chain: Vec::new() })
    }
}

impl KeySet {
    /// Reads a JWK set. Keys that are not understood, or not for an algorithm that is used here, are left out; `key_ops` may be missing, as
    /// RFC 7517 allows.
    ///
    /// # Errors
    /// [`Error::JoseKey`] if it is no set, or has more than 1,000 keys.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| Error::JoseKey("no JWK set"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(Error::JoseKey("too many keys"));
        }
        let read = |value: &Value| PublicKey::from_raw(Raw::deserialize(value).ok()?, false).ok();
        Ok(KeySet(set.keys.iter().filter_map(read).collect()))
    }

    /// The key with this id for this algorithm.
    pub fn find(&self, kid: &str, algorithm: Algorithm) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.kid == kid && key.algorithm == algorithm)
    }

    /// All keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }
}

impl From<Vec<PublicKey>> for KeySet {
    fn from(keys: Vec<PublicKey>) -> Self {
        KeySet(keys)
    }
}

impl Raw {
    fn purpose(&self) -> Result<(String, Algorithm)> {
        let kid = self.kid.clone().filter(|kid| KID.contains(&kid.len())).ok_or(Error::JoseKey("kid"))?;
        let algorithm = self.alg.as_deref().and_then(Algorithm::from_name).ok_or(Error::JoseKey("alg"))?;
        if self.kty != algorithm.key_type() {
            return Err(Error::JoseKey("kty"));
        }
        Ok((kid, algorithm))
    }

    fn number(&self, name: &'static str) -> Result<BigNum> {
        let Some(Value::String(text)) = self.more.get(name) else { return Err(Error::JoseKey(name)) };
        let mut bytes = base64url::decode(text.as_bytes()).map_err(|_| Error::JoseKey(name))?;
        let number = BigNum::from_slice(&bytes);
        bytes.zeroize();
        Ok(number?)
    }

    fn chain(&self) -> Result<Vec<Certificate>> {
        if self.x5c.len() > MAX_CHAIN {
            return Err(Error::JoseKey("x5c"));
        }
        let read = |text: &String| {
            let der = BASE64_STANDARD.decode(text).map_err(|_| Error::JoseKey("x5c"))?;
            Certificate::from_der(&der)
        };
        self.x5c.iter().map(read).collect()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        for value in self.more.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

fn public_key(raw: &Raw, algorithm: Algorithm) -> Result<PKey<Public>> {
    let key = match algorithm {
        Algorithm::Es256 => {
            let group = p256_of(raw)?;
            let key =
                EcKey::from_public_key_affine_coordinates(&group, &*raw.number("x")?, &*raw.number("y")?);
            PKey::from_ec_key(key.map_err(not_a_key)?)?
        }
        _ => {
            let key = Rsa::from_public_components(raw.number("n")?, raw.number("e")?);
            PKey::from_rsa(key.map_err(not_a_key)?)?
        }
    };
    require_kind(&key, algorithm)?;
    Ok(key)
}

fn private_rsa(raw: &Raw) -> Result<PKey<Private>> {
    let (n, e, d) = (raw.number("n")?, raw.number("e")?, raw.number("d")?);
    let (p, q) = (raw.number("p")?, raw.number("q")?);
    if !belong_together(&n, [&e, &d], [&p, &q])? {
        return Err(Error::JoseKey("numbers that do not belong together"));
    }
    let built = RsaPrivateKeyBuilder::new(n, e, d)?
        .set_factors(p, q)?
        .set_crt_params(raw.number("dp")?, raw.number("dq")?, raw.number("qi")?)?
        .build();
    let key = PKey::from_rsa(built)?;
    require_kind(&key, Algorithm::Ps512)?;
    Ok(key)
}

/// Whether the factors make the modulus, and the exponents are each other's inverse. Whether the factors are primes, which takes half a
/// second to see, is the operator's own affair.
fn belong_together(n: &BigNum, [e, d]: [&BigNum; 2], factors: [&BigNum; 2]) -> Result<bool> {
    let (mut context, mut product, one) = (BigNumContext::new()?, BigNum::new()?, BigNum::from_u32(1)?);
    let [p, q] = factors;
    product.checked_mul(p, q, &mut context)?;
    if product != *n {
        return Ok(false);
    }
    for factor in factors {
        let (mut less, mut inverse) = (BigNum::new()?, BigNum::new()?);
        less.checked_sub(factor, &one)?;
        // A factor of 0 or 1 has nothing to divide by.
        if less <= one {
            return Ok(false);
        }
        inverse.mod_mul(e, d, &less, &mut context)?;
        if inverse != one {
            return Ok(false);
        }
    }
    Ok(true)
}

fn private_ec(raw: &Raw) -> Result<PKey<Private>> {
    let group = p256_of(raw)?;
    let public = EcKey::from_public_key_affine_coordinates(&group, &*raw.number("x")?, &*raw.number("y")?);
    let public = public.map_err(not_a_key)?;
    let key = EcKey::from_private_components(&group, &*raw.number("d")?, public.public_key());
    let key = key.map_err(not_a_key)?;
    // OpenSSL does not look whether both halves belong together.
    let mut point = EcPoint::new(&group)?;
    let mut context = BigNumContext::new()?;
    point.mul_generator2(&group, key.private_key(), &mut context)?;
    if !point.eq(&group, public.public_key(), &mut context)? {
        return Err(Error::JoseKey("numbers that do not belong together"));
    }
    Ok(PKey::from_ec_key(key)?)
}

fn require_kind<T: HasPublic>(key: &PKeyRef<T>, algorithm: Algorithm) -> Result<()> {
    if algorithm == Algorithm::Es256 {
        let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
        return if curve == Some(Nid::X9_62_PRIME256V1) { Ok(()) } else { Err(Error::JoseKey("crv")) };
    }
    let rsa = key.rsa().map_err(|_| Error::JoseKey("kty"))?;
    let exponent = BigNum::from_u32(65_537)?;
    if !RSA_BITS.contains(&key.bits()) || *rsa.e() != *exponent {
        return Err(Error::JoseKey("length or exponent"));
    }
    Ok(())
}

/// The members that make the key (RFC 7638 section 3.2).
fn numbers<T: HasPublic>(key: &PKeyRef<T>, algorithm: Algorithm) -> Result<Value> {
    if algorithm != Algorithm::Es256 {
        let rsa = key.rsa()?;
        let (n, e) = (base64url::encode(&rsa.n().to_vec()), base64url::encode(&rsa.e().to_vec()));
        return Ok(json!({ "e": e, "kty": "RSA", "n": n }));
    }
    let key = key.ec_key()?;
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut context = BigNumContext::new()?;
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
    let text = |number: &BigNum| number.to_vec_padded(32).map(|bytes| base64url::encode(&bytes));
    Ok(json!({ "crv": "P-256", "kty": "EC", "x": text(&x)?, "y": text(&y)? }))
}

fn p256_of(raw: &Raw) -> Result<EcGroup> {
    if raw.crv.as_deref() != Some("P-256") {
        return Err(Error::JoseKey("crv"));
    }
    p256()
}

fn p256() -> Result<EcGroup> {
    Ok(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)
}

fn not_a_key(_: ErrorStack) -> Error {
    Error::JoseKey("numbers that make no key")
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.kid, self.algorithm.name())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, {})", self.kid, self.algorithm.name())
    }
}
