//! Entries as a file: JSON of a documented version, checked as a whole before anything of it counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::Error;

/// What the file says that it is.
pub const FORMAT: &str = "amtsbote-directory";
/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Largest file, in bytes.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Most entries of a tenant.
pub(crate) const MOST_ENTRIES: usize = 10_000;

/// A file of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The entries, each authority once.
    pub entries: Vec<Entry>,
}

impl Document {
    /// A file of these entries.
    pub fn of(entries: Vec<Entry>) -> Self {
        Document { format: FORMAT.to_owned(), version: VERSION, entries }
    }

    /// Reads a file and checks everything in it.
    ///
    /// # Errors
    /// [`Error::DirectoryDocument`] with the place of the first thing that is wrong.
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MOST_BYTES {
            return Err(refused("."));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let document: Document = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| refused(&error.path().to_string()))?;
        reader.end().map_err(|_| refused("."))?;
        match document.defect() {
            Some(place) => Err(refused(&place)),
            None => Ok(document),
        }
    }

    fn defect(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some("format".to_owned());
        }
        if self.version != VERSION {
            return Some("version".to_owned());
        }
        if self.entries.len() > MOST_ENTRIES {
            return Some("entries".to_owned());
        }
        let mut known = BTreeSet::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let is_new = known.insert(&entry.authority);
            let place = if is_new { entry.defect() } else { Some("authority".to_owned()) };
            if let Some(place) = place {
                return Some(format!("entries[{at}].{place}"));
            }
        }
        None
    }
}

/// Names of members may come from the file: nothing but letters and digits of them is shown.
fn refused(place: &str) -> Error {
    let plain = |c: &char| c.is_ascii_alphanumeric() || ".[]".contains(*c);
    Error::DirectoryDocument { place: place.chars().filter(plain).take(100).collect() }
}
