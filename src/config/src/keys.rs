//! The keys that `[store]` refers to: loaded, or created on the first start if that is allowed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use seal::evidence_key::EvidenceKey;
use seal::keys::{KeyRing, MasterKey};

use crate::Store;

impl Store {
    /// The master keys that wrap the keys of payloads.
    ///
    /// # Errors
    /// If one is missing and may not be created, or is not a key for its owner's eyes only.
    pub fn master_keys(&self) -> Result<KeyRing, seal::Error> {
        let current = match self.master_key.strip_prefix("file:").map(Path::new) {
            Some(path) if self.create_keys => {
                make_folder_of(path)?;
                MasterKey::load_or_create(path)?
            }
            _ => MasterKey::load(&self.master_key)?,
        };
        let older = self.older_master_keys.iter().map(|reference| MasterKey::load(reference));
        Ok(KeyRing::new(current, older.collect::<Result<_, _>>()?))
    }

    /// The key that signs evidence.
    ///
    /// # Errors
    /// As [`master_keys`](Store::master_keys).
    pub fn evidence_key(&self) -> Result<EvidenceKey, seal::Error> {
        if self.create_keys {
            make_folder_of(&self.evidence_key)?;
        } else if !self.evidence_key.exists() {
            return Err(seal::Error::KeyFile(std::io::ErrorKind::NotFound.into()));
        }
        EvidenceKey::load_or_create(&self.evidence_key)
    }
}

fn make_folder_of(key: &Path) -> Result<(), seal::Error> {
    let Some(folder) = key.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(seal::Error::KeyFile)
}
