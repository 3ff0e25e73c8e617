//! The key hierarchy of the store: master key → tenant key → data key of one payload.
//!
//! * A master key has 32 bytes and an id: the first 8 bytes of its SHA-256, in hex.
//! * A tenant's wrapping key is HKDF-SHA-256 (RFC 5869) of the master key, no salt, info `amtsbote/tenant/<id>`.
//! * A data key is random, belongs to one payload, and is kept wrapped with AES-256-GCM under the tenant key,
//!   AAD = tenant ‖ payload id (16 bytes). Erasing a payload means to destroy its wrapped data key.
//! * Wrapped form, 69 bytes: version 1 ‖ master key id (8) ‖ nonce (12) ‖ ciphertext (32) ‖ tag (16).
//!
//! A [`KeyRing`] wraps with its current master key and opens what older ones wrapped. [`KeyWrap`] is the seam for a
//! hardware module. All key material is zeroised on drop and never shown.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::{fmt, path::Path, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use openssl::{md::Md, pkey::Id, pkey_ctx::PkeyCtx, rand::rand_bytes};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    Error, Result,
    gcm::{Decryptor, Encryptor, NONCE, TAG},
    secret_file, sha256,
};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 8;
const KEY: usize = 32;
/// Derived keys that are kept; a house has fewer tenants.
const KEPT: usize = 1_000;

/// Bytes of a wrapped data key.
pub const WRAPPED_KEY: usize = HEADER + NONCE + KEY + TAG;

/// Names a master key without telling anything about it; 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key from which all tenant keys derive.
pub struct MasterKey {
    key: Zeroizing<[u8; KEY]>,
    id: KeyId,
    /// By tenant. Deriving one takes longer than sealing a small payload.
    derived: RwLock<HashMap<String, TenantKey>>,
}

type TenantKey = Arc<Zeroizing<[u8; KEY]>>;

impl MasterKey {
    /// A new random key.
    pub fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        rand_bytes(&mut *key)?;
        Ok(Self::from_bytes(key))
    }

    /// Loads a key from `file:PATH` (mode 0600; 32 raw bytes, hex or base64) or `env:NAME` (hex or base64).
    pub fn load(reference: &str) -> Result<Self> {
        if let Some(path) = reference.strip_prefix("file:") {
            return Self::read(Path::new(path));
        }
        let name = reference.strip_prefix("env:").ok_or(Error::KeyReference)?;
        Zeroizing::new(std::env::var(name).map_err(|_| Error::KeyReference)?).parse()
    }

    /// Loads the key file at `path`, or creates it with a random key (hex, mode 0600, synced) on the first start.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if !path.exists() {
            let key = Self::random()?;
            let text = Zeroizing::new(hex::encode(*key.key));
            if secret_file::create(path, text.as_bytes())? {
                return Ok(key);
            }
        }
        Self::read(path)
    }

    fn read(path: &Path) -> Result<Self> {
        let bytes = secret_file::read(path)?;
        if let Ok(raw) = <[u8; KEY]>::try_from(bytes.as_slice()) {
            return Ok(Self::from_bytes(Zeroizing::new(raw)));
        }
        std::str::from_utf8(&bytes).map_err(|_| Error::KeyFormat)?.parse()
    }

    /// The id that wrapped keys carry.
    pub fn id(&self) -> KeyId {
        self.id
    }

    fn from_bytes(key: Zeroizing<[u8; KEY]>) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&sha256(&[&*key]).0[..8]);
        Self { key, id: KeyId(id), derived: RwLock::default() }
    }

    fn tenant_key(&self, tenant: &str) -> Result<TenantKey> {
        if let Some(key) = self.derived.read().ok().and_then(|derived| derived.get(tenant).cloned()) {
            return Ok(key);
        }
        let key = Arc::new(self.derive(tenant)?);
        if let Ok(mut derived) = self.derived.write()
            && derived.len() < KEPT
        {
            derived.insert(tenant.to_owned(), Arc::clone(&key));
        }
        Ok(key)
    }

    fn derive(&self, tenant: &str) -> Result<Zeroizing<[u8; KEY]>> {
        let mut hkdf = PkeyCtx::new_id(Id::HKDF)?;
        hkdf.derive_init()?;
        hkdf.set_hkdf_md(Md::sha256())?;
        hkdf.set_hkdf_key(&*self.key)?;
        hkdf.add_hkdf_info(format!("amtsbote/tenant/{tenant}").as_bytes())?;
        let mut key = Zeroizing::new([0; KEY]);
        hkdf.derive(Some(&mut *key))?;
        Ok(key)
    }
}

impl FromStr for MasterKey {
    type Err = Error;

    /// Parses 64 hex digits or base64 of 32 bytes; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut key = Zeroizing::new([0; KEY]);
        if hex::decode_to_slice(text, &mut *key).is_ok() {
            return Ok(Self::from_bytes(key));
        }
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text).map_err(|_| Error::KeyFormat)?);
        if bytes.len() != KEY {
            return Err(Error::KeyFormat);
        }
        key.copy_from_slice(&bytes);
        Ok(Self::from_bytes(key))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The key of one payload.
pub struct DataKey(Zeroizing<[u8; KEY]>);

impl DataKey {
    /// A new random key.
    pub fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        rand_bytes(&mut *key)?;
        Ok(Self(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Wraps data keys. Implemented by [`KeyRing`]; a hardware module can stand in its place.
pub trait KeyWrap: Send + Sync {
    /// Wraps the data key of a payload of `tenant`; the result is a versioned byte string.
    fn wrap(&self, tenant: &str, payload: Uuid, key: &DataKey) -> Result<Vec<u8>>;

    /// Opens what [`KeyWrap::wrap`] made for the same tenant and payload.
    ///
    /// # Errors
    /// [`Error::KeyUnknown`] if its master key is not at hand, [`Error::KeyWrap`] for anything else that does not fit.
    fn open(&self, tenant: &str, payload: Uuid, wrapped: &[u8]) -> Result<DataKey>;
}

/// The current master key and the older ones that still open what they wrapped.
#[derive(Debug)]
pub struct KeyRing {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl KeyRing {
    /// A ring that wraps with `current`.
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    /// The id of the master key that wraps.
    pub fn current_id(&self) -> KeyId {
        self.current.id
    }

    /// The ids of all master keys, the one that wraps first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        std::iter::once(&self.current).chain(&self.older).map(|key| key.id)
    }

    /// Whether a wrapped key was made by an older master key and should be wrapped anew.
    pub fn is_outdated(&self, wrapped: &[u8]) -> bool {
        wrapped_by(wrapped) != Some(self.current.id)
    }

    /// Wraps anew, with the current master key, what an older one wrapped for the same tenant and thing.
    ///
    /// # Errors
    /// As [`KeyWrap::open`].
    pub fn rewrap(&self, tenant: &str, thing: Uuid, wrapped: &[u8]) -> Result<Vec<u8>> {
        self.wrap(tenant, thing, &self.open(tenant, thing, wrapped)?)
    }
}

impl KeyWrap for KeyRing {
    fn wrap(&self, tenant: &str, payload: Uuid, key: &DataKey) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        rand_bytes(&mut nonce)?;
        let mut out = Vec::with_capacity(WRAPPED_KEY);
        out.push(VERSION);
        out.extend(self.current.id.0);
        out.extend(nonce);
        let tenant_key = self.current.tenant_key(tenant)?;
        Encryptor::new(&tenant_key)?.seal(&nonce, &wrap_aad(tenant, payload), key.bytes(), &mut out)?;
        Ok(out)
    }

    fn open(&self, tenant: &str, payload: Uuid, wrapped: &[u8]) -> Result<DataKey> {
        let id = wrapped_by(wrapped).ok_or(Error::KeyWrap)?;
        let master = std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id == id)
            .ok_or(Error::KeyUnknown(id))?;
        let (nonce, sealed) = wrapped[HEADER..].split_first_chunk().ok_or(Error::KeyWrap)?;
        let tenant_key = master.tenant_key(tenant)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(KEY));
        Decryptor::new(&tenant_key)?.open(nonce, &wrap_aad(tenant, payload), sealed, &mut plain).map_err(
            |error| match error {
                Error::NotAuthentic => Error::KeyWrap,
                other => other,
            },
        )?;
        let mut key = Zeroizing::new([0; KEY]);
        key.copy_from_slice(&plain);
        Ok(DataKey(key))
    }
}

/// The id of the master key in a wrapped key of the known version and length.
fn wrapped_by(wrapped: &[u8]) -> Option<KeyId> {
    if wrapped.len() != WRAPPED_KEY || wrapped[0] != VERSION {
        return None;
    }
    wrapped[1..].first_chunk().map(|id| KeyId(*id))
}

/// Unambiguous, because the payload id at the end has a fixed length.
fn wrap_aad(tenant: &str, payload: Uuid) -> Vec<u8> {
    [tenant.as_bytes(), payload.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn ring() -> KeyRing {
        KeyRing::new(HEX.parse().unwrap(), Vec::new())
    }

    #[test]
    fn a_wrapped_key_opens_for_its_tenant_and_payload_only() {
        let (ring, key, id) = (ring(), DataKey::random().unwrap(), Uuid::from_u128(9));
        let wrapped = ring.wrap("kreis", id, &key).unwrap();
        assert_eq!(wrapped.len(), WRAPPED_KEY);
        assert_eq!(ring.open("kreis", id, &wrapped).unwrap().bytes(), key.bytes());
        let code = |tenant, id, bytes: &[u8]| ring.open(tenant, id, bytes).unwrap_err().code();
        assert_eq!(code("stadt", id, &wrapped), "key.wrap");
        assert_eq!(code("kreis", Uuid::from_u128(8), &wrapped), "key.wrap");
        assert_eq!(code("kreis", id, &wrapped[..WRAPPED_KEY - 1]), "key.wrap");
        assert_eq!(code("kreis", id, b""), "key.wrap");
        for at in 0..WRAPPED_KEY {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(ring.open("kreis", id, &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_ring_opens_what_older_keys_wrapped() {
        let id = Uuid::from_u128(9);
        let key = DataKey::random().unwrap();
        let wrapped = ring().wrap("kreis", id, &key).unwrap();
        let rotated = KeyRing::new(MasterKey::random().unwrap(), vec![HEX.parse().unwrap()]);
        assert!(rotated.is_outdated(&wrapped));
        assert_eq!(rotated.open("kreis", id, &wrapped).unwrap().bytes(), key.bytes());
        let again = rotated.wrap("kreis", id, &key).unwrap();
        assert!(!rotated.is_outdated(&again));
        assert_eq!(ring().open("kreis", id, &again).unwrap_err().code(), "key.unknown");
    }

    #[test]
    fn keys_are_read_as_hex_base64_or_raw_bytes() {
        let hex: MasterKey = HEX.parse().unwrap();
        let base64: MasterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n".parse().unwrap();
        assert_eq!(hex.id(), base64.id());
        assert_eq!(hex.id().to_string(), "630dcd2966c43366");
        assert_eq!("00".parse::<MasterKey>().unwrap_err().code(), "key.format");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.key");
        assert!(secret_file::create(&path, &hex::decode(HEX).unwrap()).unwrap());
        assert_eq!(MasterKey::load(&format!("file:{}", path.display())).unwrap().id(), hex.id());
    }

    #[test]
    fn unclear_references_are_refused() {
        for reference in ["", HEX, "env:AMTSBOTE_NO_SUCH_VARIABLE"] {
            assert_eq!(MasterKey::load(reference).unwrap_err().code(), "key.reference");
        }
        assert_eq!(MasterKey::load("file:/nonexistent/key").unwrap_err().code(), "key.file");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let created = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(MasterKey::load_or_create(&path).unwrap().id(), created.id());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(MasterKey::load_or_create(&path).unwrap_err().code(), "key.permissions");
    }

    #[test]
    fn key_material_is_never_shown() {
        let shown = format!("{:?} {:?}", ring(), DataKey(Zeroizing::new([0xab; KEY])));
        assert!(
            !shown.contains("0001") && !shown.contains("171") && !shown.to_lowercase().contains("abab"),
            "{shown}"
        );
    }

    /// HKDF judged by an independent implementation.
    #[test]
    fn the_tenant_key_is_hkdf_as_python_computes_it() {
        let script = "import hmac,hashlib,sys\n\
            prk=hmac.new(bytes(32),bytes.fromhex(sys.argv[1]),hashlib.sha256).digest()\n\
            print(hmac.new(prk,b'amtsbote/tenant/kreis'+b'\\x01',hashlib.sha256).hexdigest())";
        let output = std::process::Command::new("python3").args(["-c", script, HEX]).output().unwrap();
        let key = HEX.parse::<MasterKey>().unwrap().tenant_key("kreis").unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), hex::encode(**key));
    }
}
