//! Encrypting a compact JWE (RFC 7516 section 7.1) with RSA-OAEP-256 and A256GCM (RFC 7518 sections 4.3 and 5.3), streamed.

use std::io::{self, Write};

use openssl::{
    cipher_ctx::CipherCtx,
    md::Md,
    pkey::{PKeyRef, Public},
    pkey_ctx::PkeyCtx,
    rand::rand_bytes,
    rsa::Padding,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Algorithm, PublicKey, base64url};
use crate::{
    Error, Result, gcm,
    hash::{self, Hasher},
};

/// Bytes that are put through the cipher at a time.
const PIECE: usize = 48 * 1024;

/// What is known of content that was encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The authentication tag as it stands in the last segment.
    pub tag: String,
    /// SHA-512 of the plain bytes, lower-case hex.
    pub sha512: String,
    /// Number of plain bytes.
    pub plain_bytes: u64,
}

/// Encrypts what is written into it; the compact form goes to the sink.
pub struct Encryptor<W: Write> {
    context: CipherCtx,
    encoder: base64url::Encoder,
    hasher: Hasher,
    plain_bytes: u64,
    sealed: Vec<u8>,
    sink: W,
}

impl<W: Write> Encryptor<W> {
    /// Encrypts for the holder of `key`, under a content key and a nonce that were made for this content. `media_type` stands in `cty`.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the key is not for encryption, [`Error::EncryptionStaging`] if the sink fails.
    pub fn new(key: &PublicKey, media_type: &str, mut sink: W) -> Result<Self> {
        if key.algorithm() != Algorithm::RsaOaep256 {
            return Err(Error::AlgorithmForbidden);
        }
        let mut content_key = Zeroizing::new([0; 32]);
        rand_bytes(&mut *content_key)?;
        let mut nonce = [0; gcm::NONCE];
        rand_bytes(&mut nonce)?;
        let header = header(key, media_type);
        let wrapped = base64url::encode(&wrap(key.key(), &content_key[..])?);
        let head = format!("{header}.{wrapped}.{}.", base64url::encode(&nonce));
        sink.write_all(head.as_bytes()).map_err(Error::EncryptionStaging)?;
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(gcm::aes_256_gcm()), Some(&content_key[..]), Some(&nonce))?;
        // RFC 7516 section 5.1, step 14: what is authenticated besides is the header as it is sent.
        context.cipher_update(header.as_bytes(), None)?;
        Ok(Encryptor {
            context,
            encoder: base64url::Encoder::default(),
            hasher: Hasher::new(hash::Algorithm::Sha512)?,
            plain_bytes: 0,
            sealed: Vec::new(),
            sink,
        })
    }

    /// What it writes to: a caller that sends in pieces takes what is there.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Encrypts the next bytes.
    ///
    /// # Errors
    /// [`Error::EncryptionStaging`] if the sink fails.
    pub fn update(&mut self, plain: &[u8]) -> Result<()> {
        for piece in plain.chunks(PIECE) {
            self.hasher.write_all(piece).map_err(Error::EncryptionStaging)?;
            self.plain_bytes += piece.len() as u64;
            self.sealed.clear();
            self.context.cipher_update_vec(piece, &mut self.sealed)?;
            let text = self.encoder.encode(&self.sealed);
            self.sink.write_all(text.as_bytes()).map_err(Error::EncryptionStaging)?;
        }
        Ok(())
    }

    /// Writes the rest and gives the sink back.
    ///
    /// # Errors
    /// [`Error::EncryptionStaging`] if the sink fails.
    pub fn finish(mut self) -> Result<(W, Sealed)> {
        self.context.cipher_final(&mut [])?;
        let mut tag = [0; gcm::TAG];
        self.context.tag(&mut tag)?;
        let tag = base64url::encode(&tag);
        let rest = format!("{}.{tag}", self.encoder.finish());
        self.sink.write_all(rest.as_bytes()).map_err(Error::EncryptionStaging)?;
        let sha512 = hex::encode(self.hasher.finish()?);
        Ok((self.sink, Sealed { tag, sha512, plain_bytes: self.plain_bytes }))
    }
}

impl<W: Write> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Encrypts short content at once.
///
/// # Errors
/// As [`Encryptor::new`].
pub fn encrypt(key: &PublicKey, media_type: &str, plain: &[u8]) -> Result<(String, Sealed)> {
    let mut encryptor = Encryptor::new(key, media_type, Vec::new())?;
    encryptor.update(plain)?;
    let (text, sealed) = encryptor.finish()?;
    Ok((String::from_utf8(text).unwrap_or_default(), sealed))
}

/// Number of characters of what [`Encryptor`] writes for so many plain bytes.
pub fn compact_bytes(key: &PublicKey, media_type: &str, plain_bytes: u64) -> u64 {
    let characters = |bytes: u64| (bytes * 4).div_ceil(3);
    let head = header(key, media_type).len() as u64;
    let (wrapped, nonce) = (characters(key.key().size() as u64), characters(gcm::NONCE as u64));
    head + wrapped + nonce + characters(plain_bytes) + characters(gcm::TAG as u64) + 4
}

fn header(key: &PublicKey, media_type: &str) -> String {
    let members = json!({
        "alg": Algorithm::RsaOaep256.name(),
        "enc": "A256GCM",
        "kid": key.kid(),
        "cty": media_type,
    });
    base64url::encode(members.to_string().as_bytes())
}

fn wrap(key: &PKeyRef<Public>, content_key: &[u8]) -> Result<Vec<u8>> {
    let mut context = PkeyCtx::new(key)?;
    context.encrypt_init()?;
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(Md::sha256())?;
    context.set_rsa_mgf1_md(Md::sha256())?;
    let mut wrapped = Vec::new();
    context.encrypt_to_vec(content_key, &mut wrapped)?;
    Ok(wrapped)
}
