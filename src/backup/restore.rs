//! `amtsbote restore PATH`: into what the configuration names, which must be empty.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cli::Restore;
use config::Config;
use model::{Actor, Clock, EventKind, SystemClock};
use output::print;
use seal::evidence_key::EvidenceKeys;
use serde_json::json;
use store::backup::NewRows;

use super::files::{self, Hashed};
use super::manifest::{Manifest, Parts, Table};
use super::trial;
use super::verify::{Findings, digests, public_key};
use crate::commands::{OnStore, Outcome};
use crate::error::Error;

/// Where files lie until their rows are there.
const RESTORING: &str = ".restoring";

/// Restores a backup.
pub(crate) async fn restore(wanted: &Restore, config: Config, as_json: bool) -> Outcome {
    let backup = &wanted.path;
    let trusted = match &wanted.key {
        Some(path) => Some(public_key(path)?),
        // Whoever made the backup holds a key of this gateway, unless it is a new one that gets its key from the backup.
        None if config.store.evidence_key.exists() => Some(config.store.evidence_key()?.keys()?),
        None => None,
    };
    let manifest = Manifest::read(backup, trusted.as_ref())?;
    refuse_if_there_is_something(&config)?;
    let findings = digests(backup, &manifest)?;
    if let Some(finding) = findings.items.iter().find(|finding| finding.code != "backup.file-lost") {
        return Err(Error::BackupDamaged(finding.message.clone()));
    }
    if manifest.with_keys {
        put_keys(backup, &config)?;
    }
    let keys = keys_at_hand(&config, &manifest)?;
    let later = wanted.later.as_deref().map(|later| Later::open(later, &keys)).transpose()?;

    let mut rows = NewRows::create(&config.database()?, manifest.schema).await?;
    let payloads = payloads(backup, &config.store.payloads, &manifest)?;
    trial::fill(&mut rows, backup, &manifest).await?;
    let erased_later = match &later {
        Some(later) => later.erase_in(&mut rows).await?,
        None => 0,
    };
    let doubted = rows.doubt(manifest.taken_at, SystemClock.now()).await?;
    put_schemas(backup, &config.store.schemas)?;
    finish(rows, &payloads, &config.store.payloads).await?;
    look_at(config, &manifest, &keys, findings, Done { erased_later, doubted }, as_json).await
}

/// What was done to the rows.
struct Done {
    /// Payloads and events that a later backup knows as erased.
    erased_later: u64,
    /// Calls outside that may have been made since.
    doubted: u64,
}

/// A later backup, which knows what was erased since.
struct Later<'a> {
    backup: &'a Path,
    tables: Vec<Table>,
}

impl<'a> Later<'a> {
    fn open(backup: &'a Path, keys: &EvidenceKeys) -> Result<Self, Error> {
        let tables = Manifest::read(backup, Some(keys))?.tables;
        let tables = tables.into_iter().filter(|it| ["payload", "event"].contains(&it.rows.name.as_str()));
        let later = Later { backup, tables: tables.collect() };
        for table in &later.tables {
            let file = backup.join(table.path());
            let found = files::sum(&file, &|_| ()).map_err(|reason| Error::File { file, reason })?;
            if found != table.file {
                return Err(Error::BackupDamaged(format!(
                    "{} of the later backup was changed",
                    table.path()
                )));
            }
        }
        Ok(later)
    }

    /// Erases what is erased here; returns how much.
    async fn erase_in(&self, rows: &mut NewRows) -> Result<u64, Error> {
        let mut erased = 0;
        for table in &self.tables {
            let file = self.backup.join(table.path());
            let opened = fs::File::open(&file).map_err(|reason| Error::File { file, reason })?;
            erased += rows.erase_as_in(&table.rows, &mut io::BufReader::new(opened)).await?;
        }
        Ok(erased)
    }
}

/// Gives files and rows their places: the files right before the rows that name them.
async fn finish(rows: NewRows, from: &Path, to: &Path) -> Result<(), Error> {
    let unwritable = |reason| Error::File { file: to.to_owned(), reason };
    move_folders(from, to).map_err(unwritable)?;
    if let Err(error) = rows.finish().await {
        // Files without rows would be in the way of the next attempt.
        let _ = move_folders(to, from);
        return Err(error.into());
    }
    fs::remove_dir(from).map_err(unwritable)
}

/// Moves the folders of payloads, which may stand there empty already.
fn move_folders(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name == RESTORING {
            continue;
        }
        match fs::remove_dir(to.join(&name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::rename(from.join(&name), to.join(&name))?,
        }
    }
    fs::File::open(to)?.sync_all()
}

/// Opens the store, looks whether all is there, and leaves an event.
async fn look_at(
    config: Config,
    manifest: &Manifest,
    keys: &EvidenceKeys,
    mut findings: Findings,
    Done { erased_later, doubted }: Done,
    as_json: bool,
) -> Outcome {
    let on = OnStore::open(config, as_json).await?;
    let looked = trial::chains(on.gateway.whole_store(), keys, &manifest.heads, &mut findings).await;
    let by = Actor { kind: "system".to_owned(), id: "cli".to_owned() };
    let detail = json!({ "backup": manifest.id, "takenAt": manifest.taken_at, "doubtedCalls": doubted });
    let noted = on.gateway.broker.note_upkeep(EventKind::StoreRestored, &by, &detail).await;
    on.close().await;
    looked?;
    noted?;
    let ok = findings.is_empty();
    let shown = json!({
        "ok": ok, "id": manifest.id, "takenAt": manifest.taken_at, "finishedAt": manifest.finished_at,
        "engine": manifest.engine, "rows": manifest.rows(), "payloadFiles": manifest.payload_files,
        "erased": manifest.erased, "erasedLater": erased_later, "doubtedCalls": doubted, "heads": manifest.heads,
        "findings": findings.items, "moreFindings": findings.more,
    });
    print(as_json, &shown, |_| {
        let verdict = if ok { "restored, whole" } else { "restored, but NOT whole" };
        let Manifest { erased, taken_at, payload_files, .. } = manifest;
        format!(
            "{verdict}: {} rows, {payload_files} files of payloads, as of {taken_at}\n  {erased} payloads that were erased \
             while the backup was made, and {erased_later} payloads and events that were erased in the later one stay \
             erased\n  what else was erased since is there again: erase it again\n  {doubted} calls may have been made since: the other \
             side is asked, or a human, before one is made again{}",
            manifest.rows(),
            findings.text()
        )
    });
    Ok(ExitCode::from(u8::from(!ok)))
}

/// Nothing is ever overwritten.
fn refuse_if_there_is_something(config: &Config) -> Result<(), Error> {
    let folder = &config.store.payloads;
    let found = files::below(folder).map_err(|reason| Error::File { file: folder.clone(), reason })?;
    let is_empty = found.iter().all(|path| path.starts_with(RESTORING));
    if is_empty { Ok(()) } else { Err(store::Error::NotEmpty.into()) }
}

/// Copies the files of payloads into a folder within the one that they are for: it may be a disk of its own.
fn payloads(backup: &Path, target: &Path, manifest: &Manifest) -> Result<PathBuf, Error> {
    let folder = target.join(RESTORING);
    let unwritable = |reason| Error::File { file: folder.clone(), reason };
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(error)),
        _ => files::make_folder(&folder).map_err(unwritable)?,
    }
    let bar = output::bar(manifest.payload_bytes);
    let mut parts = Parts::of(backup)?;
    while let Some(part) = parts.next()? {
        let Some(inside) = part.path.strip_prefix("payloads/") else { continue };
        let Some(sum) = part.sum else { continue };
        let copied = files::copy(&backup.join(&part.path), &folder.join(inside), &|bytes| bar.inc(bytes));
        if copied.map_err(unwritable)? != sum {
            return Err(Error::BackupDamaged(format!("{} was changed meanwhile", part.path)));
        }
    }
    bar.finish_and_clear();
    files::sync_folders(&folder).map_err(unwritable)?;
    Ok(folder)
}

/// Schema packs, unless there are some.
fn put_schemas(backup: &Path, target: &Path) -> Result<(), Error> {
    let unwritable = |reason| Error::File { file: target.to_owned(), reason };
    if !files::below(target).map_err(unwritable)?.is_empty() {
        return Ok(());
    }
    // What the backup does not name was put there by somebody else.
    let mut parts = Parts::of(backup)?;
    while let Some(part) = parts.next()? {
        let (Some(inside), Some(sum)) = (part.path.strip_prefix("schemas/"), &part.sum) else { continue };
        let copied = files::copy(&backup.join(&part.path), &target.join(inside), &|_| ());
        if copied.map_err(unwritable)? != *sum {
            return Err(Error::BackupDamaged(format!("{} was changed meanwhile", part.path)));
        }
    }
    Ok(())
}

/// Puts keys where they are configured and missing.
fn put_keys(backup: &Path, config: &Config) -> Result<(), Error> {
    let store = &config.store;
    let older = store.older_master_keys.iter().enumerate();
    let older = older.map(|(at, reference)| (format!("older-{at}.key"), reference.strip_prefix("file:")));
    let masters =
        std::iter::once(("master.key".to_owned(), store.master_key.strip_prefix("file:"))).chain(older);
    let masters = masters.filter_map(|(name, path)| Some((name, Path::new(path?))));
    let signed = store.older_evidence_keys.iter().enumerate();
    let signed = signed.map(|(at, path)| (format!("older-evidence-{at}.pem"), path.as_path()));
    let signed = signed.chain([("evidence.pem".to_owned(), store.evidence_key.as_path())]);
    for (name, path) in masters.chain(signed) {
        let from = backup.join("keys").join(name);
        if path.exists() || !from.exists() {
            continue;
        }
        let put = || -> io::Result<()> {
            let bytes = zeroize::Zeroizing::new(fs::read(&from)?);
            let mut file = Hashed::create(path)?;
            file.write_all(&bytes)?;
            file.finish().map(drop)
        };
        put().map_err(|reason| Error::File { file: path.to_owned(), reason })?;
    }
    Ok(())
}

/// What batches and a later backup may be signed with, once all keys are there that the backup needs. None is ever made here: it would
/// open nothing.
fn keys_at_hand(config: &Config, manifest: &Manifest) -> Result<EvidenceKeys, Error> {
    let store = &config.store;
    let master = store.master_key.strip_prefix("file:").map(Path::new);
    if master.is_some_and(|path| !path.exists()) || !store.evidence_key.exists() {
        return Err(Error::BackupKeys);
    }
    let ids: Vec<String> = store.master_keys()?.ids().map(|id| id.to_string()).collect();
    if manifest.master_keys.iter().any(|it| !ids.contains(&it.key)) {
        return Err(Error::BackupKeys);
    }
    // Keys may have come after the one that signed the backup.
    let (then, now) = (manifest.keys()?, store.evidence_key()?.keys()?);
    let others = then.older().iter().chain([now.current()]).chain(now.older());
    Ok(EvidenceKeys::new(then.current().clone(), others.cloned().collect())?)
}
