//! Content ciphers of XML Encryption 1.1 section 5.2, streamed: AES-GCM (IV ‖ ciphertext ‖ tag of 16 bytes, no AAD) and
//! the older CBC modes of AES and Triple DES (IV ‖ ciphertext; the last byte counts the bytes of padding, the others of
//! it are arbitrary).

use std::io::{self, Write};

use openssl::{
    cipher::{Cipher, CipherRef},
    cipher_ctx::CipherCtx,
    rand::rand_bytes,
};

use super::{
    staging::{Plaintext, Staging},
    transport::ContentKey,
};
use crate::{
    Error, Result,
    algorithm::{BlockCipher, Policy},
    gcm,
};

/// Length of the IV of AES-GCM in bytes, as XML Encryption prescribes it.
pub const GCM_IV_BYTES: usize = 12;
/// Length of the IV of AES-GCM in bytes with OSCI partners that do not say one (no `IvLength`).
pub const GCM_OLD_IV_BYTES: usize = 16;

const TAG: usize = 16;
/// Bytes that are put through the cipher at a time.
const PIECE: usize = 64 * 1024;

/// Decrypts what is written into it. Nothing of it can be read before [`Decryptor::finish`].
pub struct Decryptor {
    context: CipherCtx,
    cipher: BlockCipher,
    key: ContentKey,
    iv_bytes: usize,
    /// The IV, until it is whole.
    iv: Vec<u8>,
    has_begun: bool,
    /// Bytes whose use is not clear yet: the last ones may be the tag (GCM) or the block with the padding (CBC).
    pending: Vec<u8>,
    plain: Vec<u8>,
    staging: Staging,
}

impl Decryptor {
    /// `gcm_iv_bytes` is 12 or 16; CBC modes have their own length.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the policy does not take the cipher, [`Error::EncryptionMalformed`] for another
    /// length of the IV, [`Error::Decrypt`] for a key of another length.
    pub fn new(
        policy: &Policy,
        cipher: BlockCipher,
        gcm_iv_bytes: usize,
        key: ContentKey,
        staging: Staging,
    ) -> Result<Self> {
        policy.take_cipher(cipher)?;
        let iv_bytes = iv_bytes(cipher, gcm_iv_bytes)?;
        if key.bytes().len() != cipher.key_bytes() {
            return Err(Error::Decrypt);
        }
        Ok(Decryptor {
            context: CipherCtx::new()?,
            cipher,
            key,
            iv_bytes,
            iv: Vec::with_capacity(iv_bytes),
            has_begun: false,
            pending: Vec::new(),
            plain: Vec::new(),
            staging,
        })
    }

    /// Takes the next bytes of IV ‖ ciphertext ‖ tag.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<()> {
        let missing = (self.iv_bytes - self.iv.len()).min(bytes.len());
        if missing > 0 {
            let (head, rest) = bytes.split_at(missing);
            self.iv.extend_from_slice(head);
            bytes = rest;
        }
        if !self.has_begun && self.iv.len() == self.iv_bytes {
            self.begin()?;
        }
        for piece in bytes.chunks(PIECE) {
            self.pending.extend_from_slice(piece);
            self.decrypt_clear()?;
        }
        Ok(())
    }

    /// The plaintext, if the tag (GCM) or the padding (CBC) is right.
    ///
    /// # Errors
    /// [`Error::Decrypt`].
    pub fn finish(mut self) -> Result<Plaintext> {
        if !self.has_begun {
            return Err(Error::Decrypt);
        }
        if self.cipher.is_authenticated() {
            self.check_tag()?;
        } else {
            self.take_padded_block()?;
        }
        Ok(self.staging.finish())
    }

    fn begin(&mut self) -> Result<()> {
        self.has_begun = true;
        self.context.decrypt_init(Some(openssl_cipher(self.cipher)), None, None)?;
        if self.cipher.is_authenticated() {
            self.context.set_iv_length(self.iv_bytes)?;
        }
        self.context.decrypt_init(None, Some(self.key.bytes()), Some(&self.iv))?;
        self.context.set_padding(false);
        Ok(())
    }

    /// Decrypts everything that is surely neither tag nor last block.
    fn decrypt_clear(&mut self) -> Result<()> {
        let clear = match self.cipher.is_authenticated() {
            true => self.pending.len().saturating_sub(TAG),
            false => {
                let block = self.cipher.block_bytes();
                self.pending.len().saturating_sub(1) / block * block
            }
        };
        if clear == 0 {
            return Ok(());
        }
        self.decrypt(clear)?;
        self.staging.take(&self.plain)
    }

    /// Decrypts the first `count` pending bytes into `plain`.
    fn decrypt(&mut self, count: usize) -> Result<()> {
        self.plain.clear();
        // Only too many bytes for one key can fail here.
        let done = self.context.cipher_update_vec(&self.pending[..count], &mut self.plain);
        done.map_err(|_| Error::Decrypt)?;
        self.pending.drain(..count);
        Ok(())
    }

    fn check_tag(&mut self) -> Result<()> {
        if self.pending.len() != TAG {
            return Err(Error::Decrypt);
        }
        self.context.set_tag(&self.pending)?;
        self.context.cipher_final(&mut []).map(|_| ()).map_err(|_| Error::Decrypt)
    }

    fn take_padded_block(&mut self) -> Result<()> {
        let block = self.cipher.block_bytes();
        if self.pending.len() != block {
            return Err(Error::Decrypt);
        }
        self.decrypt(block)?;
        let padding = self.plain.last().map_or(0, |last| usize::from(*last));
        if padding == 0 || padding > block || self.plain.len() != block {
            return Err(Error::Decrypt);
        }
        self.staging.take(&self.plain[..block - padding])
    }
}

impl Write for Decryptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Encrypts what is written into it; IV ‖ ciphertext ‖ tag go to the sink.
pub struct Encryptor<W: Write> {
    context: CipherCtx,
    sealed: Vec<u8>,
    sink: W,
}

impl<W: Write> Encryptor<W> {
    /// Encrypts under a key that was made for this content and for nothing else; the IV is random. `gcm_iv_bytes` is 12,
    /// or 16 for old partners.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the policy does not make the cipher.
    pub fn new(
        policy: &Policy,
        cipher: BlockCipher,
        gcm_iv_bytes: usize,
        key: &ContentKey,
        mut sink: W,
    ) -> Result<Self> {
        policy.make_cipher(cipher)?;
        if key.bytes().len() != cipher.key_bytes() {
            return Err(Error::AlgorithmForbidden);
        }
        let mut iv = vec![0; iv_bytes(cipher, gcm_iv_bytes)?];
        rand_bytes(&mut iv)?;
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(openssl_cipher(cipher)), None, None)?;
        context.set_iv_length(iv.len())?;
        context.encrypt_init(None, Some(key.bytes()), Some(&iv))?;
        sink.write_all(&iv).map_err(Error::EncryptionStaging)?;
        Ok(Encryptor { context, sealed: Vec::new(), sink })
    }

    /// Writes the tag and gives the sink back.
    pub fn finish(mut self) -> Result<W> {
        self.context.cipher_final(&mut [])?;
        let mut tag = [0; TAG];
        self.context.tag(&mut tag)?;
        self.sink.write_all(&tag).map_err(Error::EncryptionStaging)?;
        Ok(self.sink)
    }
}

impl<W: Write> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.sealed.clear();
        self.context.cipher_update_vec(piece, &mut self.sealed)?;
        self.sink.write_all(&self.sealed)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn iv_bytes(cipher: BlockCipher, gcm_iv_bytes: usize) -> Result<usize> {
    match gcm_iv_bytes {
        _ if !cipher.is_authenticated() => Ok(cipher.block_bytes()),
        GCM_IV_BYTES | GCM_OLD_IV_BYTES => Ok(gcm_iv_bytes),
        _ => Err(Error::EncryptionMalformed("length of the IV")),
    }
}

fn openssl_cipher(cipher: BlockCipher) -> &'static CipherRef {
    match cipher {
        BlockCipher::Aes128Gcm => Cipher::aes_128_gcm(),
        BlockCipher::Aes192Gcm => Cipher::aes_192_gcm(),
        BlockCipher::Aes256Gcm => gcm::aes_256_gcm(),
        BlockCipher::Aes128Cbc => Cipher::aes_128_cbc(),
        BlockCipher::Aes192Cbc => Cipher::aes_192_cbc(),
        BlockCipher::Aes256Cbc => Cipher::aes_256_cbc(),
        BlockCipher::TripleDesCbc => Cipher::des_ede3_cbc(),
    }
}
