//! The little JOSE that the simulators speak, straight over OpenSSL: none of the gateway's own code, so that each tests the other. RSA of
//! 4096 bits; PS512 (RFC 7518 section 3.5), RSA-OAEP-256 with A256GCM (sections 4.3 and 5.3), compact forms (RFC 7515, RFC 7516).

use std::io::{Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use openssl::bn::{BigNum, BigNumRef};
use openssl::encrypt::{Decrypter, Encrypter};
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private, Public};
use openssl::rand::rand_bytes;
use openssl::rsa::{Padding, Rsa, RsaRef};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};
use openssl::symm::{Cipher, Crypter, Mode};
use serde_json::{Map, Value, json};

use crate::{Error, keys};

/// Bytes that are encrypted at once: a multiple of three.
const PIECE: usize = 48 * 1024;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Signing events.
    Signing,
    /// Encrypting submissions.
    Encryption,
}

impl Use {
    fn names(self) -> (&'static str, [&'static str; 2]) {
        match self {
            Use::Signing => ("PS512", ["verify", "sign"]),
            Use::Encryption => ("RSA-OAEP-256", ["wrapKey", "unwrapKey"]),
        }
    }
}

/// A pair of keys with an id.
#[derive(Clone)]
pub struct Key {
    /// Its id.
    pub kid: String,
    /// What it is for.
    pub usage: Use,
    pub(super) pair: PKey<Private>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.kid)
    }
}

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// If OpenSSL cannot make one.
    pub fn generate(kid: &str, usage: Use) -> Result<Self, Error> {
        let pair = keys::large().map_err(failed)?;
        Ok(Key { kid: kid.to_owned(), usage, pair })
    }

    /// One that was made before: a private JWK with all its parts.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(jwk: &Value, usage: Use) -> Result<Self, Error> {
        let read = || -> Option<PKey<Private>> {
            let part = |name: &str| {
                BASE64.decode(jwk[name].as_str()?).ok().and_then(|it| BigNum::from_slice(&it).ok())
            };
            let (n, e, d, p, q) = (part("n")?, part("e")?, part("d")?, part("p")?, part("q")?);
            let (dp, dq, qi) = (part("dp")?, part("dq")?, part("qi")?);
            Rsa::from_private_components(n, e, d, p, q, dp, dq, qi).and_then(PKey::from_rsa).ok()
        };
        let pair = read().ok_or_else(|| Error::Unverified("the key is no private JWK".into()))?;
        Ok(Key { kid: jwk["kid"].as_str().unwrap_or_default().to_owned(), usage, pair })
    }

    /// Its public half as a JWK.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn public_jwk(&self) -> Result<Value, Error> {
        let rsa = self.pair.rsa().map_err(failed)?;
        let (alg, [operation, _]) = self.usage.names();
        Ok(Value::Object(self.jwk(&rsa, alg, operation)))
    }

    /// All of it as a JWK, as the gateway's configuration refers to it.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn private_jwk(&self) -> Result<Value, Error> {
        let rsa = self.pair.rsa().map_err(failed)?;
        let (alg, [_, operation]) = self.usage.names();
        let mut jwk = self.jwk(&rsa, alg, operation);
        let parts = [
            ("d", Some(rsa.d())),
            ("p", rsa.p()),
            ("q", rsa.q()),
            ("dp", rsa.dmp1()),
            ("dq", rsa.dmq1()),
            ("qi", rsa.iqmp()),
        ];
        for (name, number) in parts {
            if let Some(number) = number {
                jwk.insert(name.to_owned(), Value::from(text(number)));
            }
        }
        Ok(Value::Object(jwk))
    }

    /// A compact JWS (PS512) of this type.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn sign(&self, typ: &str, payload: &[u8]) -> Result<String, Error> {
        let header = json!({ "typ": typ, "alg": "PS512", "kid": self.kid }).to_string();
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
        let made = || -> Result<Vec<u8>, ErrorStack> {
            let mut signer = Signer::new(MessageDigest::sha512(), &self.pair)?;
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_mgf1_md(MessageDigest::sha512())?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            signer.sign_oneshot_to_vec(signed.as_bytes())
        };
        let signature = made().map_err(failed)?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }

    /// Decrypts short content; `None` if it is not for this key, or not as it was sealed.
    pub fn decrypt(&self, compact: &str) -> Option<Vec<u8>> {
        let parts: Vec<&str> = compact.split('.').collect();
        let [header, wrapped, nonce, sealed, tag] = parts.as_slice() else { return None };
        let [wrapped, nonce, sealed, tag] = [wrapped, nonce, sealed, tag].map(|it| BASE64.decode(it).ok());
        let mut decrypter = Decrypter::new(&self.pair).ok()?;
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
        decrypter.set_rsa_oaep_md(MessageDigest::sha256()).ok()?;
        decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).ok()?;
        let wrapped = wrapped?;
        let mut key = vec![0; decrypter.decrypt_len(&wrapped).ok()?];
        let length = decrypter.decrypt(&wrapped, &mut key).ok()?;
        let (key, cipher) = (key.get(..length)?, Cipher::aes_256_gcm());
        openssl::symm::decrypt_aead(cipher, key, Some(&nonce?), header.as_bytes(), &sealed?, &tag?).ok()
    }

    fn jwk<T: HasPublic>(&self, rsa: &RsaRef<T>, alg: &str, operation: &str) -> Map<String, Value> {
        let mut jwk = Map::new();
        for (name, value) in [("kty", "RSA"), ("alg", alg), ("kid", &self.kid)] {
            jwk.insert(name.to_owned(), Value::from(value));
        }
        jwk.insert("key_ops".to_owned(), json!([operation]));
        jwk.insert("n".to_owned(), Value::from(text(rsa.n())));
        jwk.insert("e".to_owned(), Value::from(text(rsa.e())));
        jwk
    }
}

/// The key of a public JWK.
pub(super) fn public(jwk: &Value) -> Option<PKey<Public>> {
    let number = |name: &str| {
        let bytes = BASE64.decode(jwk[name].as_str()?).ok()?;
        openssl::bn::BigNum::from_slice(&bytes).ok()
    };
    let rsa = Rsa::from_public_components(number("n")?, number("e")?).ok()?;
    PKey::from_rsa(rsa).ok()
}

/// Header and payload of a compact JWS, whoever may have signed it.
pub fn unverified(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let mut next = || serde_json::from_slice(&BASE64.decode(parts.next()?).ok()?).ok();
    Some((next()?, next()?))
}

/// Whether this key signed a compact JWS with PS512.
pub(super) fn is_signed_by(token: &str, key: &PKeyRef<Public>) -> bool {
    let looked = || -> Option<bool> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        let mut verifier = Verifier::new(MessageDigest::sha512(), key).ok()?;
        verifier.set_rsa_padding(Padding::PKCS1_PSS).ok()?;
        verifier.set_rsa_mgf1_md(MessageDigest::sha512()).ok()?;
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).ok()?;
        verifier.verify_oneshot(&signature, signed.as_bytes()).ok()
    };
    looked().unwrap_or(false)
}

/// Encrypts what is read for the holder of a public JWK. The tag, and SHA-512 of the plain bytes in hex.
///
/// # Errors
/// If the JWK is none, or reading or writing fails.
pub fn encrypt(
    jwk: &Value,
    media_type: &str,
    plain: &mut dyn Read,
    sink: &mut dyn Write,
) -> Result<(String, String), Error> {
    let key = public(jwk).ok_or_else(|| Error::Unverified("the JWK is no key".into()))?;
    let mut random = [0; 44];
    rand_bytes(&mut random).map_err(failed)?;
    let (content_key, nonce) = random.split_at(32);
    let header = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": jwk["kid"], "cty": media_type });
    let header = BASE64.encode(header.to_string());
    let wrapped = wrap(&key, content_key).map_err(failed)?;
    write!(sink, "{header}.{}.{}.", BASE64.encode(wrapped), BASE64.encode(nonce))?;
    let mut crypter =
        Crypter::new(Cipher::aes_256_gcm(), Mode::Encrypt, content_key, Some(nonce)).map_err(failed)?;
    crypter.aad_update(header.as_bytes()).map_err(failed)?;
    let mut hasher = Hasher::new(MessageDigest::sha512()).map_err(failed)?;
    let (mut piece, mut sealed) = (vec![0; PIECE], vec![0; PIECE + 32]);
    loop {
        let count = fill(plain, &mut piece)?;
        let bytes = piece.get(..count).unwrap_or_default();
        hasher.update(bytes).map_err(failed)?;
        let written = crypter.update(bytes, &mut sealed).map_err(failed)?;
        sink.write_all(BASE64.encode(sealed.get(..written).unwrap_or_default()).as_bytes())?;
        if count < PIECE {
            break;
        }
    }
    crypter.finalize(&mut sealed).map_err(failed)?;
    let mut tag = [0; 16];
    crypter.get_tag(&mut tag).map_err(failed)?;
    let tag = BASE64.encode(tag);
    write!(sink, ".{tag}")?;
    Ok((tag, hex::encode(hasher.finish().map_err(failed)?)))
}

/// The same in memory: the compact form, and SHA-512 of the plain bytes.
///
/// # Errors
/// As [`encrypt`].
pub fn encrypted(jwk: &Value, media_type: &str, mut plain: &[u8]) -> Result<(String, String), Error> {
    let mut text = vec![];
    let (_, sha512) = encrypt(jwk, media_type, &mut plain, &mut text)?;
    Ok((String::from_utf8(text).unwrap_or_default(), sha512))
}

fn fill(source: &mut dyn Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn wrap(key: &PKeyRef<Public>, content_key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut encrypter = Encrypter::new(key)?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let mut wrapped = vec![0; encrypter.encrypt_len(content_key)?];
    let length = encrypter.encrypt(content_key, &mut wrapped)?;
    wrapped.truncate(length);
    Ok(wrapped)
}

fn text(number: &BigNumRef) -> String {
    BASE64.encode(number.to_vec())
}

fn failed(error: ErrorStack) -> Error {
    Error::Io(std::io::Error::other(error))
}
