//! The keys that `[store]` refers to: loaded, or created on the first start if that is allowed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use seal::evidence_key::{EvidenceKey, EvidencePublicKey};
use seal::keys::{KeyRing, MasterKey};

use crate::{Error, Place, Store, resolve};

impl Store {
    /// Makes paths absolute.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let paths = [&mut self.payloads, &mut self.evidence_key, &mut self.schemas];
        for path in paths.into_iter().chain(&mut self.older_evidence_keys) {
            *path = folder.join(&*path);
        }
        let references = [&mut self.database, &mut self.master_key];
        for reference in
            references.into_iter().chain(&mut self.database_password).chain(&mut self.older_master_keys)
        {
            resolve(reference, folder);
        }
    }

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

    /// The key that signs evidence, which knows those before it.
    ///
    /// # Errors
    /// As [`master_keys`](Store::master_keys) and [`older_evidence_keys`](Store::older_evidence_keys).
    pub fn evidence_key(&self) -> Result<EvidenceKey, Error> {
        let refused = |reason| Error::Certificate(Place::key("store.evidence_key"), reason);
        let older = self.older_evidence_keys()?;
        if self.create_keys {
            make_folder_of(&self.evidence_key).map_err(refused)?;
        } else if !self.evidence_key.exists() {
            return Err(refused(seal::Error::KeyFile(std::io::ErrorKind::NotFound.into())));
        }
        Ok(EvidenceKey::load_or_create(&self.evidence_key).map_err(refused)?.after(older))
    }

    /// The public halves of the keys that signed evidence before.
    ///
    /// # Errors
    /// The first file that cannot be read, or is no PEM of a public key on P-256.
    pub fn older_evidence_keys(&self) -> Result<Vec<EvidencePublicKey>, Error> {
        let keys = self.older_evidence_keys.iter().enumerate().map(|(at, path)| {
            let place = Place::key(&format!("store.older_evidence_keys[{at}]"));
            EvidencePublicKey::load(path).map_err(|reason| Error::Certificate(place, reason))
        });
        keys.collect()
    }
}

fn make_folder_of(key: &Path) -> Result<(), seal::Error> {
    let Some(folder) = key.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(seal::Error::KeyFile)
}
