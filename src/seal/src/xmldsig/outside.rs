//! Digests of what a signature references outside of its document (`cid:` and the like): computed by
//! whoever streams these things, before the signature is verified.

use crate::algorithm::DigestMethod;
use std::collections::HashMap;

/// Digests by URI and method.
#[derive(Debug, Default)]
pub struct OutsideDigests(HashMap<String, Vec<(DigestMethod, Vec<u8>)>>);

impl OutsideDigests {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the digest of the thing with this URI.
    pub fn insert(&mut self, uri: &str, method: DigestMethod, digest: Vec<u8>) {
        self.0.entry(uri.to_owned()).or_default().push((method, digest));
    }

    /// The digest of the thing with this URI by this method.
    pub(crate) fn get(&self, uri: &str, method: DigestMethod) -> Option<&[u8]> {
        let known = self.0.get(uri)?;
        known.iter().find(|(it, _)| *it == method).map(|(_, digest)| digest.as_slice())
    }
}
