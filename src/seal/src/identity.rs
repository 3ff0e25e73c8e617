//! Private keys with their certificate: from PKCS#12 (RFC 7292) or PEM, found by the references of the configuration.
//!
//! OpenSSL clears private keys when they are freed; what this module holds of files and passwords is zeroised.

use std::fmt;

use openssl::{
    pkcs12::Pkcs12,
    pkey::{PKey, PKeyRef, Private},
};
use zeroize::Zeroizing;

use crate::{
    Error, Result,
    algorithm::{Policy, SignatureMethod},
    raw_signature, secret_file,
    x509::Certificate,
};

const PEM: &[u8] = b"-----BEGIN ";

/// A private key, its certificate, and the certificates that came with them.
pub struct Identity {
    certificate: Certificate,
    chain: Vec<Certificate>,
    key: PKey<Private>,
}

impl Identity {
    /// Loads what `file:PATH` (mode 0600; PEM or PKCS#12) or `env:NAME` (PEM) refers to. `password` refers to the
    /// password in the same way; white space around it is ignored.
    ///
    /// # Errors
    /// [`Error::KeyReference`], [`Error::KeyPermissions`], [`Error::KeyFile`], or [`Error::Identity`] if the bytes are
    /// no key with its certificate under this password.
    pub fn load(reference: &str, password: Option<&str>) -> Result<Self> {
        let bytes = secret_file::resolve(reference)?;
        let password = match password {
            Some(reference) => secret_file::resolve(reference)?,
            None => Zeroizing::default(),
        };
        let password = std::str::from_utf8(&password).map_err(|_| Error::Identity)?.trim();
        if bytes.starts_with(PEM) || bytes.windows(PEM.len()).any(|window| window == PEM) {
            return Self::from_pem(&bytes, password);
        }
        Self::from_pkcs12(&bytes, password)
    }

    /// Reads a PKCS#12 with one key and its certificate, encrypted with AES or 3DES; that of RC2 is too weak.
    pub fn from_pkcs12(bytes: &[u8], password: &str) -> Result<Self> {
        let broken = |_| Error::Identity;
        let parsed = Pkcs12::from_der(bytes).and_then(|file| file.parse2(password)).map_err(broken)?;
        let (Some(key), Some(certificate)) = (parsed.pkey, parsed.cert) else { return Err(Error::Identity) };
        let mut chain = Vec::new();
        for other in parsed.ca.iter().flatten() {
            chain.push(Certificate::from_der(&other.to_der()?)?);
        }
        Self::new(Certificate::from_der(&certificate.to_der()?)?, chain, key)
    }

    /// Reads a PEM with the key, encrypted under `password` or not, and certificates in any order: the key's own is
    /// found by its public key.
    pub fn from_pem(pem: &[u8], password: &str) -> Result<Self> {
        let key = PKey::private_key_from_pem_passphrase(pem, password.as_bytes());
        let key = key.map_err(|_| Error::Identity)?;
        let mut chain = Certificate::all_from_pem(pem)?;
        let own = chain.iter().position(|certificate| certificate.public_key().public_eq(&key));
        let certificate = chain.remove(own.ok_or(Error::Identity)?);
        Self::new(certificate, chain, key)
    }

    fn new(certificate: Certificate, chain: Vec<Certificate>, key: PKey<Private>) -> Result<Self> {
        if !certificate.public_key().public_eq(&key) {
            return Err(Error::Identity);
        }
        Ok(Identity { certificate, chain, key })
    }

    /// The certificate of the key.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The other certificates that stood beside it, such as its issuers'.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Signs bytes; see [`Identity::sign_digest`].
    pub fn sign(&self, policy: &Policy, method: SignatureMethod, data: &[u8]) -> Result<Vec<u8>> {
        self.sign_digest(policy, method, &raw_signature::digest(method.digest, data)?)
    }

    /// Signs the digest of some bytes. ECDSA gives r and s of the curve's length, one behind the other.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the policy does not let this method and key sign, or the key is of another kind.
    pub fn sign_digest(&self, policy: &Policy, method: SignatureMethod, digest: &[u8]) -> Result<Vec<u8>> {
        policy.make_signature(method, self.key.bits())?;
        raw_signature::sign(&self.key, method, digest)
    }

    /// The private key itself.
    pub fn key(&self) -> &PKeyRef<Private> {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.certificate.fingerprint())
    }
}
