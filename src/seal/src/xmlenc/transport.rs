//! Content keys and their transport (XML Encryption 1.1 section 5.5): RSAES-OAEP with any digest and mask generation
//! function, and the old RSAES-PKCS1-v1_5.
//!
//! Against probing with changed keys (Bleichenbacher, Manger): with OAEP everything that is wrong is the one
//! [`Error::Decrypt`]; with PKCS1-v1_5 whatever is wrong gives a key that nobody can foretell, so that it fails where a
//! wrong ciphertext fails. It is the same each time: under a cipher without a tag another key would sometimes find right
//! padding, and whoever repeats a message would see by that that its key is wrong.

use openssl::{
    hash::MessageDigest, pkey::PKey, pkey_ctx::PkeyCtx, rand::rand_bytes, rsa::Padding, sha::sha256,
    sign::Signer,
};
use zeroize::Zeroizing;

use super::{
    base64,
    read::{EncryptedKey, Receiver},
};
use crate::{
    Error, Result,
    algorithm::{BlockCipher, DigestMethod, KeyTransport, Policy},
    identity::Identity,
    x509::Certificate,
};

/// The key of one content.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKey(Zeroizing<Vec<u8>>);

/// The digest of RSAES-OAEP and of its mask, when we wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OaepHash {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512: for partners whose digest is SHA-512, SHA3-384 or SHA3-512.
    Sha512,
}

impl ContentKey {
    /// A new key for one content.
    pub fn random(cipher: BlockCipher) -> Result<Self> {
        let mut key = Zeroizing::new(vec![0; cipher.key_bytes()]);
        rand_bytes(&mut key)?;
        Ok(ContentKey(key))
    }

    /// A key that stands in the clear (`ds:MgmtData` of an encrypted attachment).
    pub(super) fn from_base64(text: &str) -> Result<Self> {
        Ok(ContentKey(Zeroizing::new(base64::decode(text)?)))
    }

    /// The key as base64, for `ds:MgmtData`.
    pub(super) fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::encode_lines(&self.0))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Wraps the key for the holder of a certificate, with `rsa-oaep` of XML Encryption 1.1. `receiver` says how the
    /// result names him.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the certificate has no RSA key, one that is too short, or one that is not meant
    /// for encryption.
    pub fn wrap(
        &self,
        policy: &Policy,
        certificate: &Certificate,
        hash: OaepHash,
        receiver: Receiver,
    ) -> Result<EncryptedKey> {
        policy.make_transport(KeyTransport::RsaOaep, certificate.key_bits())?;
        if !certificate.is_rsa() || !certificate.key_usage().may_encrypt() {
            return Err(Error::AlgorithmForbidden);
        }
        let digest = match hash {
            OaepHash::Sha256 => DigestMethod::Sha256,
            OaepHash::Sha512 => DigestMethod::Sha512,
        };
        let mut context = PkeyCtx::new(certificate.public_key())?;
        context.encrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(digest.md())?;
        context.set_rsa_mgf1_md(digest.md())?;
        let mut wrapped = Vec::new();
        context.encrypt_to_vec(&self.0, &mut wrapped)?;
        Ok(EncryptedKey {
            transport: KeyTransport::RsaOaep,
            digest,
            mask: digest,
            label: Vec::new(),
            receiver,
            wrapped,
        })
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

impl EncryptedKey {
    /// Opens the key of a content that is encrypted with `cipher`.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the policy does not take this way, [`Error::Decrypt`] for anything that is wrong.
    pub fn open(&self, policy: &Policy, identity: &Identity, cipher: BlockCipher) -> Result<ContentKey> {
        policy.take_transport(self.transport)?;
        policy.take_cipher(cipher)?;
        if !identity.certificate().is_rsa() {
            return Err(Error::Decrypt);
        }
        match self.transport {
            KeyTransport::Rsa15 => self.open_pkcs1(identity, cipher),
            KeyTransport::RsaOaep | KeyTransport::RsaOaepMgf1p => {
                // RFC 8017 (7.1.2, step 1b); OpenSSL takes shorter ones, too.
                if self.wrapped.len() != identity.key().size() {
                    return Err(Error::Decrypt);
                }
                let key = self.open_oaep(identity).map_err(|_| Error::Decrypt)?;
                if key.len() == cipher.key_bytes() { Ok(ContentKey(key)) } else { Err(Error::Decrypt) }
            }
        }
    }

    fn open_oaep(&self, identity: &Identity) -> Result<Zeroizing<Vec<u8>>> {
        let mut context = PkeyCtx::new(identity.key())?;
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(self.digest.md())?;
        context.set_rsa_mgf1_md(self.mask.md())?;
        if !self.label.is_empty() {
            context.set_rsa_oaep_label(&self.label)?;
        }
        let mut key = Zeroizing::new(vec![0; identity.key().size()]);
        let length = context.decrypt(&self.wrapped, Some(&mut key))?;
        Ok(Zeroizing::new(key.get(..length).unwrap_or_default().to_vec()))
    }

    /// The block is looked at here, not by OpenSSL, whose answer would tell whether the padding was right: 00 02, bytes
    /// that are not zero, 00, and a key of exactly the length that the cipher wants. Every byte is looked at, and the
    /// choice between this key and the one in its stead is a mask.
    fn open_pkcs1(&self, identity: &Identity, cipher: BlockCipher) -> Result<ContentKey> {
        let mut key = self.in_its_stead(identity, cipher)?;
        let size = identity.key().size();
        let mut block = Zeroizing::new(vec![0; size]);
        let mut context = PkeyCtx::new(identity.key())?;
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::NONE)?;
        // Fails for a number that is not below the modulus, which everybody can see.
        let opened = self.wrapped.len() == size && context.decrypt(&self.wrapped, Some(&mut block)).is_ok();
        let Some((head, content)) = block.split_at_checked(size - key.0.len()).filter(|_| opened) else {
            return Ok(key);
        };
        let mask = is_key_block(head);
        for (own, byte) in key.0.iter_mut().zip(content) {
            *own = (*own & !mask) | (byte & mask);
        }
        Ok(key)
    }
}

impl EncryptedKey {
    /// The key that stands for one that is wrong: HMAC-SHA-256 of what was wrapped, under a secret of the private key.
    fn in_its_stead(&self, identity: &Identity, cipher: BlockCipher) -> Result<ContentKey> {
        let secret = Zeroizing::new(identity.key().private_key_to_der()?);
        let secret = PKey::hmac(Zeroizing::new(sha256(&secret)).as_slice())?;
        let mut signer = Signer::new(MessageDigest::sha256(), &secret)?;
        let mut key = Zeroizing::new(signer.sign_oneshot_to_vec(&self.wrapped)?);
        // No cipher has a longer key than SHA-256 has bytes.
        key.truncate(cipher.key_bytes());
        Ok(ContentKey(key))
    }
}

/// 0xff if what stands before the key is 00 02, bytes that are not zero, and 00 (RFC 8017 section 7.2.1); else 0.
fn is_key_block(head: &[u8]) -> u8 {
    let last = head.len().saturating_sub(1);
    let wrong = head.iter().enumerate().fold(0, |wrong, (index, byte)| {
        wrong
            | match index {
                0 => *byte,
                1 => *byte ^ 2,
                _ if index == last => *byte,
                _ => is_zero(*byte) & 1,
            }
    });
    is_zero(wrong)
}

/// 0xff for 0, else 0; without a branch.
fn is_zero(byte: u8) -> u8 {
    ((u16::from(byte).wrapping_sub(1)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_block_is_told_from_every_other() {
        assert!((1..=255).all(|byte| is_zero(byte) == 0) && is_zero(0) == 0xff);
        let right = [0, 2, 9, 8, 7, 6, 5, 4, 3, 2, 0];
        assert_eq!(is_key_block(&right), 0xff);
        for (index, byte) in [(0, 1), (1, 1), (1, 0), (2, 0), (5, 0), (9, 0), (10, 1)] {
            let mut wrong = right;
            wrong[index] = byte;
            assert_eq!(is_key_block(&wrong), 0, "{index}");
        }
    }
}
