//! Removes files whose payload never got its row, and segments whose payload was erased.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Id, Timestamp};
use tokio::task::spawn_blocking;

use super::files::{Part, parse};
use super::stopped;
use crate::sql::Select;
use crate::{Error, Store};

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Files looked at.
    pub files: u64,
    /// Files removed.
    pub removed: u64,
    /// Bytes of the files removed.
    pub bytes: u64,
}

struct Found {
    path: PathBuf,
    id: Id,
    part: Part,
    bytes: u64,
}

impl Store {
    /// Removes files older than `older_than` that belong to no payload, and segments of erased payloads. The age keeps
    /// it from payloads that are being written: choose more than the longest upload takes.
    ///
    /// # Errors
    /// If a folder cannot be read, a file not removed, or the database fails.
    pub async fn sweep(&self, older_than: Duration) -> Result<SweepReport, Error> {
        let mut report = SweepReport::default();
        let before = Timestamp::from_micros(self.0.clock.now().micros() - older_than.as_micros() as i64);
        for folder in self.0.files.folders() {
            let found = spawn_blocking(move || list(&folder, before)).await.map_err(stopped)??;
            report.files += found.len() as u64;
            let kept = self.kept(&found).await?;
            let doomed = found.into_iter().filter(|file| match kept.get(&file.id) {
                None => true,
                Some(erased) => *erased && file.part != Part::Digests,
            });
            let doomed: Vec<_> = doomed.collect();
            report.removed += doomed.len() as u64;
            report.bytes += doomed.iter().map(|file| file.bytes).sum::<u64>();
            let remove = move || doomed.iter().try_for_each(|file| fs::remove_file(&file.path));
            spawn_blocking(remove).await.map_err(stopped)??;
        }
        Ok(report)
    }

    /// The payloads among these that have a row, each with whether it was erased. An upload under way is not.
    async fn kept(&self, found: &[Found]) -> Result<HashMap<Id, bool>, Error> {
        let mut kept = HashMap::new();
        let mut ids: Vec<Id> = found.iter().map(|file| file.id).collect();
        ids.dedup();
        for some in ids.chunks(1_000) {
            let select = Select::new("SELECT id, wrapped_key FROM payload WHERE id IN ");
            let rows = self.db().read(self.db().texts_of(select, serde_json::to_string(some)?)).await?;
            for row in rows {
                kept.insert(row.id(0)?, row.opt_bytes(1)?.is_none());
            }
            let select = Select::new("SELECT id FROM upload WHERE wrapped_key IS NOT NULL AND id IN ");
            for row in self.db().read(self.db().texts_of(select, serde_json::to_string(some)?)).await? {
                kept.insert(row.id(0)?, false);
            }
        }
        Ok(kept)
    }
}

/// The payload files in a folder that are older than `before`; what has a foreign name is left alone.
fn list(folder: &Path, before: Timestamp) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some((id, part)) = entry.file_name().to_str().and_then(parse) else { continue };
        let metadata = entry.metadata()?;
        let age = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if Timestamp::default().plus(age) < before {
            found.push(Found { path: entry.path(), id, part, bytes: metadata.len() });
        }
    }
    found.sort_by_key(|file| file.id);
    Ok(found)
}
