//! The gateway's evidence key: ECDSA over NIST P-256 with SHA-256 (FIPS 186-5), signatures in DER.
//!
//! A plain `openssl dgst -sha256 -verify` judges every signature made here.

use std::{fmt, path::Path};

use openssl::{
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{HasParams, PKey, PKeyRef, Private, Public},
    sign::{Signer, Verifier},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::{Digest, Error, Result, secret_file, sha256};

/// A DER-encoded ECDSA signature; serialised as hex.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(pub Vec<u8>);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        hex::decode(&*text).map(Signature).map_err(|_| de::Error::custom("expected hex digits"))
    }
}

/// The key that signs heads and manifests.
pub struct EvidenceKey(PKey<Private>);

impl EvidenceKey {
    /// A new random key that is kept nowhere.
    pub fn random() -> Result<Self> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self(PKey::from_ec_key(EcKey::generate(&group)?)?))
    }

    /// Loads the PEM file at `path` (PKCS #8, mode 0600), or creates it with a new key on the first start.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if !path.exists() {
            let key = Self::random()?;
            let pem = Zeroizing::new(key.0.private_key_to_pem_pkcs8()?);
            if secret_file::create(path, &pem)? {
                return Ok(key);
            }
        }
        let key = PKey::private_key_from_pem(&secret_file::read(path)?).map_err(|_| Error::KeyFormat)?;
        require_p256(&key)?;
        Ok(Self(key))
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Signature> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        Ok(Signature(signer.sign_oneshot_to_vec(message)?))
    }

    /// The public half.
    pub fn public(&self) -> Result<EvidencePublicKey> {
        let der = self.0.public_key_to_der()?;
        Ok(EvidencePublicKey { key: PKey::public_key_from_der(&der)?, fingerprint: sha256(&[&der]) })
    }
}

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EvidenceKey(…)")
    }
}

/// The key that an auditor verifies with.
#[derive(Clone)]
pub struct EvidencePublicKey {
    key: PKey<Public>,
    fingerprint: Digest,
}

impl EvidencePublicKey {
    /// Reads a PEM (`BEGIN PUBLIC KEY`) of an EC P-256 key.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(|_| Error::KeyFormat)?;
        require_p256(&key)?;
        let fingerprint = sha256(&[&key.public_key_to_der()?]);
        Ok(Self { key, fingerprint })
    }

    /// The PEM form (`BEGIN PUBLIC KEY`).
    pub fn to_pem(&self) -> Result<String> {
        String::from_utf8(self.key.public_key_to_pem()?).map_err(|_| Error::KeyFormat)
    }

    /// SHA-256 of the DER-encoded SubjectPublicKeyInfo: what people compare by telephone.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Whether `signature` is this key's over `message`; malformed signatures are simply wrong.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        Verifier::new(MessageDigest::sha256(), &self.key)
            .and_then(|mut verifier| verifier.verify_oneshot(&signature.0, message))
            .unwrap_or(false)
    }
}

impl fmt::Debug for EvidencePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvidencePublicKey({})", self.fingerprint)
    }
}

fn require_p256<T: HasParams>(key: &PKeyRef<T>) -> Result<()> {
    let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
    if curve == Some(Nid::X9_62_PRIME256V1) { Ok(()) } else { Err(Error::KeyFormat) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        let key = EvidenceKey::random().unwrap();
        let public = EvidencePublicKey::from_pem(&key.public().unwrap().to_pem().unwrap()).unwrap();
        let signature = key.sign(b"head").unwrap();
        assert!(public.verifies(b"head", &signature));
        assert!(!public.verifies(b"heat", &signature));
        assert!(!public.verifies(b"head", &Signature(Vec::new())));
        assert!(!EvidenceKey::random().unwrap().public().unwrap().verifies(b"head", &signature));
        // A failed verification must leave no error behind that spoils the next one.
        assert!(public.verifies(b"head", &signature));
    }

    #[test]
    fn the_key_is_created_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.pem");
        let first = EvidenceKey::load_or_create(&path).unwrap().public().unwrap();
        let second = EvidenceKey::load_or_create(&path).unwrap().public().unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(EvidenceKey::load_or_create(&path).unwrap_err().code(), "key.permissions");
        }
    }

    #[test]
    fn keys_of_another_curve_are_refused() {
        let group = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let pem = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
        assert_eq!(EvidencePublicKey::from_pem(&pem).unwrap_err().code(), "key.format");
        assert_eq!(EvidencePublicKey::from_pem("no key").unwrap_err().code(), "key.format");
    }
}
