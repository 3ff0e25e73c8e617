//! AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag appended to the ciphertext.
//!
//! The OpenSSL context is set up with its key once and reused: expanding the key costs more than a small chunk.

use std::sync::LazyLock;

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use crate::{Error, Result};

pub(crate) const TAG: usize = 16;
pub(crate) const NONCE: usize = 12;

/// Fetched once: otherwise OpenSSL 3 looks the algorithm up for each context, which costs more than a small chunk.
pub(crate) fn aes_256_gcm() -> &'static CipherRef {
    static FETCHED: LazyLock<Option<Cipher>> =
        LazyLock::new(|| Cipher::fetch(None, "AES-256-GCM", None).ok());
    FETCHED.as_deref().unwrap_or_else(|| Cipher::aes_256_gcm())
}

/// Seals under one key.
pub(crate) struct Encryptor(CipherCtx);

/// Opens under one key.
pub(crate) struct Decryptor(CipherCtx);

impl Encryptor {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        let mut ctx = CipherCtx::new()?;
        ctx.encrypt_init(Some(aes_256_gcm()), Some(key), None)?;
        Ok(Self(ctx))
    }

    /// Appends ciphertext and tag to `out`.
    pub(crate) fn seal(
        &mut self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        out.resize(start + plain.len() + TAG, 0);
        let (body, tag) = out[start..].split_at_mut(plain.len());
        let sealed = self.seal_into(nonce, aad, plain, body, tag);
        if sealed.is_err() {
            out.truncate(start);
        }
        Ok(sealed?)
    }

    fn seal_into(
        &mut self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        plain: &[u8],
        body: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), ErrorStack> {
        self.0.encrypt_init(None, None, Some(nonce))?;
        self.0.cipher_update(aad, None)?;
        self.0.cipher_update(plain, Some(body))?;
        self.0.cipher_final(&mut [])?;
        self.0.tag(tag)
    }
}

impl Decryptor {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        let mut ctx = CipherCtx::new()?;
        ctx.decrypt_init(Some(aes_256_gcm()), Some(key), None)?;
        Ok(Self(ctx))
    }

    /// Appends the plaintext to `out`; on failure `out` is as before, so that nothing unverified leaves this function.
    pub(crate) fn open(
        &mut self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(length) = sealed.len().checked_sub(TAG) else {
            return Err(Error::NotAuthentic);
        };
        let (body, tag) = sealed.split_at(length);
        let start = out.len();
        out.resize(start + length, 0);
        let opened = self.open_into(nonce, aad, body, tag, &mut out[start..]);
        if opened.is_err() {
            out[start..].fill(0);
            out.truncate(start);
        }
        opened
    }

    fn open_into(
        &mut self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        body: &[u8],
        tag: &[u8],
        plain: &mut [u8],
    ) -> Result<()> {
        self.0.decrypt_init(None, None, Some(nonce))?;
        self.0.cipher_update(aad, None)?;
        self.0.cipher_update(body, Some(plain))?;
        self.0.set_tag(tag)?;
        // OpenSSL reports a wrong tag as a failed final step with an empty error stack.
        self.0.cipher_final(&mut []).map_err(|_| Error::NotAuthentic)?;
        Ok(())
    }
}
