//! Decrypting a compact JWE (RFC 7516 sections 5.2 and 7.1) with RSA-OAEP-256 and A256GCM, streamed, with or without `zip: DEF`
//! (section 4.1.3). The bytes wait in a staging file until the tag was right.
//!
//! A content key that cannot be unwrapped is replaced by a random one (RFC 7516 section 11.5), so that everything that is wrong with
//! key, ciphertext and tag fails at the same place with the one [`Error::Decrypt`].

use std::{
    io::{Read, Write},
    mem,
    sync::Arc,
};

use flate2::{Decompress, FlushDecompress, Status};
use openssl::{cipher_ctx::CipherCtx, md::Md, pkey_ctx::PkeyCtx, rand::rand_bytes, rsa::Padding};
use zeroize::Zeroizing;

use super::{Algorithm, Header, MAX_HEADER, PrivateKey, base64url};
use crate::{
    Error, Result, gcm,
    hash::{self, Hasher},
    x509::forget_reasons,
    xmlenc::{Plaintext, Staging},
};

/// Characters of the wrapped key, of the nonce and of the tag.
const MAX_KEY: usize = 4 * 1024;
const NONCE: usize = 16;
const TAG: usize = 22;
/// Bytes that inflate at a time.
const INFLATED: usize = 64 * 1024;

/// Content that was decrypted, its tag being right.
#[derive(Debug)]
pub struct Opened {
    /// The bytes.
    pub plain: Plaintext,
    /// `cty`: the media type of the content.
    pub media_type: Option<String>,
    /// Id of the key that it was encrypted for, as it stands in the header.
    pub kid: String,
    /// SHA-512 of the plain bytes, lower-case hex.
    pub sha512: String,
    /// The authentication tag as it stands in the last segment.
    pub tag: String,
}

/// Decrypts the compact form that is written into it in pieces.
pub struct Decryptor {
    keys: Arc<[PrivateKey]>,
    segment: Segment,
    /// The segment so far, unless it is the ciphertext.
    text: Vec<u8>,
    header: Option<Header>,
    /// The header as it was sent.
    authenticated: Vec<u8>,
    content_key: Zeroizing<Vec<u8>>,
    context: CipherCtx,
    decoder: base64url::Decoder,
    sink: Sink,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Header,
    Key,
    Nonce,
    Ciphertext,
    Tag,
}

/// Where decrypted bytes go: through the inflater if they were deflated, through the digest, into the staging.
struct Sink {
    inflater: Option<Inflater>,
    hasher: Hasher,
    staging: Staging,
    plain: Vec<u8>,
}

struct Inflater {
    state: Decompress,
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Decryptor {
    /// Decrypts with whichever of the keys the header names, by its id or its thumbprint (RFC 7638; some senders use that).
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn new(keys: Arc<[PrivateKey]>, staging: Staging) -> Result<Self> {
        Ok(Decryptor {
            keys,
            segment: Segment::Header,
            text: Vec::new(),
            header: None,
            authenticated: Vec::new(),
            content_key: Zeroizing::default(),
            context: CipherCtx::new()?,
            decoder: base64url::Decoder::default(),
            sink: Sink {
                inflater: None,
                hasher: Hasher::new(hash::Algorithm::Sha512)?,
                staging,
                plain: Vec::new(),
            },
        })
    }

    /// Takes the next characters.
    ///
    /// # Errors
    /// [`Error::JoseMalformed`], [`Error::AlgorithmForbidden`], [`Error::Decrypt`], [`Error::EncryptionTooLarge`] (also for what
    /// inflates to too much), [`Error::EncryptionStaging`].
    pub fn update(&mut self, mut characters: &[u8]) -> Result<()> {
        while let Some(dot) = memchr::memchr(b'.', characters) {
            let (piece, rest) = characters.split_at(dot);
            self.take(piece)?;
            self.end_segment()?;
            characters = rest.get(1..).unwrap_or_default();
        }
        self.take(characters)
    }

    /// The content, if the tag is right.
    ///
    /// # Errors
    /// [`Error::Decrypt`], [`Error::JoseMalformed`].
    pub fn finish(mut self) -> Result<Opened> {
        let Some(header) = self.header.take().filter(|_| self.segment == Segment::Tag) else {
            return Err(Error::JoseMalformed("segments"));
        };
        let tag = base64url::decode(&self.text)?;
        if tag.len() != gcm::TAG {
            return Err(Error::JoseMalformed("tag"));
        }
        self.context.set_tag(&tag)?;
        let is_right = self.context.cipher_final(&mut []).is_ok();
        forget_reasons();
        if !is_right || !self.sink.inflater.as_ref().is_none_or(|inflater| inflater.has_ended) {
            return Err(Error::Decrypt);
        }
        Ok(Opened {
            plain: self.sink.staging.finish(),
            media_type: header.cty,
            kid: header.kid.unwrap_or_default(),
            sha512: hex::encode(self.sink.hasher.finish()?),
            tag: String::from_utf8(self.text).unwrap_or_default(),
        })
    }

    fn take(&mut self, piece: &[u8]) -> Result<()> {
        let limit = match self.segment {
            Segment::Header => MAX_HEADER,
            Segment::Key => MAX_KEY,
            Segment::Nonce => NONCE,
            Segment::Tag => TAG,
            Segment::Ciphertext => {
                let (context, sink) = (&mut self.context, &mut self.sink);
                return self.decoder.decode(piece, |sealed| sink.open(context, sealed));
            }
        };
        if self.text.len() + piece.len() > limit {
            return Err(Error::JoseMalformed("length of a segment"));
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    fn end_segment(&mut self) -> Result<()> {
        let text = mem::take(&mut self.text);
        self.segment = match self.segment {
            Segment::Header => {
                self.read_header(text)?;
                Segment::Key
            }
            Segment::Key => {
                self.unwrap(&base64url::decode(&text)?)?;
                Segment::Nonce
            }
            Segment::Nonce => {
                self.begin(&base64url::decode(&text)?)?;
                Segment::Ciphertext
            }
            Segment::Ciphertext => {
                let (context, sink) = (&mut self.context, &mut self.sink);
                mem::take(&mut self.decoder).finish(|sealed| sink.open(context, sealed))?;
                Segment::Tag
            }
            Segment::Tag => return Err(Error::JoseMalformed("segments")),
        };
        Ok(())
    }

    fn read_header(&mut self, text: Vec<u8>) -> Result<()> {
        let header = Header::read(&text)?;
        if header.alg != Algorithm::RsaOaep256.name() || header.enc.as_deref() != Some("A256GCM") {
            return Err(Error::AlgorithmForbidden);
        }
        self.sink.inflater = match header.zip.as_deref() {
            None => None,
            Some("DEF") => Some(Inflater::new()),
            Some(_) => return Err(Error::JoseMalformed("zip")),
        };
        self.header = Some(header);
        self.authenticated = text;
        Ok(())
    }

    fn unwrap(&mut self, wrapped: &[u8]) -> Result<()> {
        let kid = self.header.as_ref().and_then(|header| header.kid.as_deref());
        let key = kid.and_then(|kid| find(&self.keys, kid)).ok_or(Error::Decrypt)?;
        let mut random = Zeroizing::new(vec![0; 32]);
        rand_bytes(&mut random)?;
        self.content_key = unwrapped(key, wrapped).filter(|bytes| bytes.len() == 32).unwrap_or(random);
        forget_reasons();
        Ok(())
    }

    fn begin(&mut self, nonce: &[u8]) -> Result<()> {
        if nonce.len() != gcm::NONCE {
            return Err(Error::JoseMalformed("nonce"));
        }
        self.context.decrypt_init(Some(gcm::aes_256_gcm()), Some(&self.content_key), Some(nonce))?;
        self.context.cipher_update(&self.authenticated, None)?;
        Ok(())
    }
}

/// The key for encryption with this id or thumbprint.
fn find<'k>(keys: &'k [PrivateKey], kid: &str) -> Option<&'k PrivateKey> {
    let mut keys_for_it = keys.iter().filter(|key| key.algorithm() == Algorithm::RsaOaep256);
    let by_thumbprint = |key: &&PrivateKey| {
        key.public().and_then(|public| public.thumbprint()).is_ok_and(|thumbprint| thumbprint == kid)
    };
    keys_for_it.clone().find(|key| key.kid() == kid).or_else(|| keys_for_it.find(by_thumbprint))
}

fn unwrapped(key: &PrivateKey, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // RFC 8017 (7.1.2, step 1b); OpenSSL takes shorter ones, too.
    if wrapped.len() != key.key().size() {
        return None;
    }
    let mut context = PkeyCtx::new(key.key()).ok()?;
    context.decrypt_init().ok()?;
    context.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
    context.set_rsa_oaep_md(Md::sha256()).ok()?;
    context.set_rsa_mgf1_md(Md::sha256()).ok()?;
    let mut bytes = Zeroizing::new(vec![0; key.key().size()]);
    let length = context.decrypt(wrapped, Some(&mut bytes)).ok()?;
    Some(Zeroizing::new(bytes.get(..length)?.to_vec()))
}

impl Sink {
    fn open(&mut self, context: &mut CipherCtx, sealed: &[u8]) -> Result<()> {
        let mut plain = mem::take(&mut self.plain);
        plain.clear();
        // Only too many bytes for one key can fail here.
        context.cipher_update_vec(sealed, &mut plain).map_err(|_| Error::Decrypt)?;
        let taken = match self.inflater.take() {
            None => self.keep(&plain),
            Some(mut inflater) => {
                let taken = inflater.inflate(&plain, |bytes| self.keep(bytes));
                self.inflater = Some(inflater);
                taken
            }
        };
        self.plain = plain;
        taken
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        self.staging.take(bytes)?;
        self.hasher.write_all(bytes).map_err(Error::EncryptionStaging)
    }
}

impl Inflater {
    fn new() -> Self {
        Inflater { state: Decompress::new(false), bytes: Vec::with_capacity(INFLATED), has_ended: false }
    }

    /// Inflates the next bytes. The caller's limit ends what grows without end.
    fn inflate(&mut self, mut deflated: &[u8], mut keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while !self.has_ended {
            self.bytes.clear();
            let before = self.state.total_in();
            let status = self.state.decompress_vec(deflated, &mut self.bytes, FlushDecompress::None);
            let status = status.map_err(|_| Error::Decrypt)?;
            let read = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
            deflated = deflated.get(read..).unwrap_or_default();
            keep(&self.bytes)?;
            self.has_ended = status == Status::StreamEnd;
            if self.bytes.len() < self.bytes.capacity() && (deflated.is_empty() || read == 0) {
                break;
            }
        }
        // Bytes behind the end, or that make no sense.
        if deflated.is_empty() { Ok(()) } else { Err(Error::Decrypt) }
    }
}

/// Decrypts short content at once: no more than `limit` bytes.
///
/// # Errors
/// As [`Decryptor::update`].
pub fn decrypt(keys: &Arc<[PrivateKey]>, compact: &[u8], limit: usize) -> Result<(Opened, Vec<u8>)> {
    let mut decryptor = Decryptor::new(Arc::clone(keys), Staging::new(limit, limit as u64))?;
    decryptor.update(compact)?;
    let opened = decryptor.finish()?;
    let mut plain = Vec::new();
    opened.plain.open().read_to_end(&mut plain).map_err(Error::EncryptionStaging)?;
    Ok((opened, plain))
}
