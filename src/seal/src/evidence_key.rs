//! The gateway's evidence key: ECDSA over NIST P-256 with SHA-256 (FIPS 186-5), signatures in DER.
//!
//! A plain `openssl dgst -sha256 -verify` judges every signature made here. A gateway may get another key: the public halves of those
//! before stay with it, because what they signed stays in its chains.

use std::{collections::BTreeSet, fmt, fs::File, io::Read, path::Path};

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

/// The most keys before the one that signs now: a signature may have to be tried with all of them.
pub const MAX_OLDER: usize = 32;
/// The longest file of a public key in bytes.
const MAX_PEM: u64 = 16 * 1024;

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

/// The key that signs heads and manifests, and the public halves of those that did before it.
pub struct EvidenceKey {
    key: PKey<Private>,
    older: Vec<EvidencePublicKey>,
}

impl EvidenceKey {
    /// A new random key that is kept nowhere.
    pub fn random() -> Result<Self> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self { key: PKey::from_ec_key(EcKey::generate(&group)?)?, older: vec![] })
    }

    /// Loads the PEM file at `path` (PKCS #8, mode 0600), or creates it with a new key on the first start.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if !path.exists() {
            let key = Self::random()?;
            let pem = Zeroizing::new(key.key.private_key_to_pem_pkcs8()?);
            if secret_file::create(path, &pem)? {
                return Ok(key);
            }
        }
        let key = PKey::private_key_from_pem(&secret_file::read(path)?).map_err(|_| Error::KeyFormat)?;
        require_p256(&key)?;
        Ok(Self { key, older: vec![] })
    }

    /// The same as the successor of `older`.
    pub fn after(self, older: Vec<EvidencePublicKey>) -> Self {
        Self { older, ..self }
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Signature> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
        Ok(Signature(signer.sign_oneshot_to_vec(message)?))
    }

    /// The public half.
    pub fn public(&self) -> Result<EvidencePublicKey> {
        let der = self.key.public_key_to_der()?;
        Ok(EvidencePublicKey { key: PKey::public_key_from_der(&der)?, fingerprint: sha256(&[&der]) })
    }

    /// The public halves of this key and of those before it.
    ///
    /// # Errors
    /// As [`EvidenceKeys::new`].
    pub fn keys(&self) -> Result<EvidenceKeys> {
        EvidenceKeys::new(self.public()?, self.older.clone())
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

    /// Reads a file with such a PEM.
    ///
    /// # Errors
    /// [`Error::KeyFile`] if it cannot be read, [`Error::KeyFormat`] if it holds something else, such as a private key.
    pub fn load(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_PEM).read_to_end(&mut bytes))
            .map_err(Error::KeyFile)?;
        Self::from_pem(std::str::from_utf8(&bytes).map_err(|_| Error::KeyFormat)?)
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

/// The keys of a gateway for whoever verifies: the one that signs now, and those before it, with which older batches are signed.
#[derive(Clone, Debug)]
pub struct EvidenceKeys {
    current: EvidencePublicKey,
    older: Vec<EvidencePublicKey>,
}

impl EvidenceKeys {
    /// The keys of a gateway that signs with `current` and has signed with `older`.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] if there are more than [`MAX_OLDER`].
    pub fn new(current: EvidencePublicKey, mut older: Vec<EvidencePublicKey>) -> Result<Self> {
        let mut known = BTreeSet::from([current.fingerprint]);
        older.retain(|key| known.insert(key.fingerprint));
        if older.len() > MAX_OLDER { Err(Error::KeyFormat) } else { Ok(Self { current, older }) }
    }

    /// The same of PEMs, as manifests list them.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] if one of them is no public key, or there are too many.
    pub fn from_pems(current: &str, older: &[String]) -> Result<Self> {
        if older.len() > MAX_OLDER {
            return Err(Error::KeyFormat);
        }
        let older = older.iter().map(|pem| EvidencePublicKey::from_pem(pem)).collect::<Result<_>>()?;
        Self::new(EvidencePublicKey::from_pem(current)?, older)
    }

    /// The key that signs now.
    pub fn current(&self) -> &EvidencePublicKey {
        &self.current
    }

    /// The keys before it.
    pub fn older(&self) -> &[EvidencePublicKey] {
        &self.older
    }

    /// PEMs of the keys before it, for a manifest.
    pub fn older_pems(&self) -> Result<Vec<String>> {
        self.older.iter().map(EvidencePublicKey::to_pem).collect()
    }

    /// Whether one of them has this fingerprint.
    pub fn knows(&self, fingerprint: &Digest) -> bool {
        self.all().any(|key| key.fingerprint == *fingerprint)
    }

    /// The one whose signature over `message` this is.
    pub fn signer(&self, message: &[u8], signature: &Signature) -> Option<&EvidencePublicKey> {
        self.all().find(|key| key.verifies(message, signature))
    }

    /// Whether `signature` is one of theirs over `message`.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.signer(message, signature).is_some()
    }

    fn all(&self) -> impl Iterator<Item = &EvidencePublicKey> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl From<EvidencePublicKey> for EvidenceKeys {
    /// A key that had none before it, as far as is known.
    fn from(current: EvidencePublicKey) -> Self {
        Self { current, older: vec![] }
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
    fn a_key_that_came_after_others_is_asked_first_and_they_behind_it() {
        let [first, second, third] = [(); 3].map(|()| EvidenceKey::random().unwrap());
        let before = vec![first.public().unwrap(), second.public().unwrap()];
        let keys = third.after(before.clone());
        let (signed, keys) = (keys.sign(b"head").unwrap(), keys.keys().unwrap());
        assert_eq!(keys.signer(b"head", &signed).unwrap().fingerprint(), keys.current().fingerprint());
        for (key, public) in [(&first, &before[0]), (&second, &before[1])] {
            let signature = key.sign(b"head").unwrap();
            assert_eq!(keys.signer(b"head", &signature).unwrap().fingerprint(), public.fingerprint());
            assert!(!keys.verifies(b"heat", &signature) && keys.knows(&public.fingerprint()));
        }
        let stranger = EvidenceKey::random().unwrap();
        assert!(!keys.verifies(b"head", &stranger.sign(b"head").unwrap()));
        // A list that names the current key too says nothing more.
        let listed = vec![keys.current().clone(), before[0].clone()];
        assert_eq!(EvidenceKeys::new(keys.current().clone(), listed).unwrap().older().len(), 1);
        let many = (0..=MAX_OLDER).map(|_| EvidenceKey::random().unwrap().public().unwrap()).collect();
        assert_eq!(EvidenceKeys::new(before[1].clone(), many).unwrap_err().code(), "key.format");
    }

    #[test]
    fn a_file_of_a_public_key_is_read_and_one_of_a_private_key_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = (folder.path().join("private.pem"), folder.path().join("public.pem"));
        let key = EvidenceKey::load_or_create(&private).unwrap().public().unwrap();
        std::fs::write(&public, key.to_pem().unwrap()).unwrap();
        assert_eq!(EvidencePublicKey::load(&public).unwrap().fingerprint(), key.fingerprint());
        assert_eq!(EvidencePublicKey::load(&private).unwrap_err().code(), "key.format");
        assert_eq!(EvidencePublicKey::load(&folder.path().join("none")).unwrap_err().code(), "key.file");
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
