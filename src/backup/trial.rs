//! What would become of a backup: its rows in a database of their own, its chains checked to their ends, its files beside the payloads that
//! need them. Nothing of it stays.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use model::SystemClock;
use seal::evidence_key::EvidenceKeys;
use seal::keys::{KeyRing, MasterKey};
use store::Store;
use store::backup::{Head, NewRows, PayloadFiles};

use super::manifest::{Manifest, Parts};
use super::verify::Findings;
use crate::error::Error;

/// Fills a database in a folder of its own, and looks at it.
pub(super) async fn run(
    backup: &Path,
    manifest: &Manifest,
    scratch: Option<&Path>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let folder = match scratch {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder =
        folder.map_err(|reason| Error::File { file: scratch.unwrap_or(Path::new("/tmp")).into(), reason })?;
    let database = format!("sqlite:{}", folder.path().join("rows.db").display());
    let rows = NewRows::create(&database, manifest.schema).await?;
    let mut rows = rows.without_bytes();
    if let Err(error) = fill(&mut rows, backup, manifest).await {
        findings.find("backup.rows", format!("the rows are none of a store: {error}"));
        return Ok(());
    }
    payloads(&mut rows, backup, findings).await?;
    rows.finish().await?;
    // Nothing is opened: any key will do.
    let keys = Arc::new(KeyRing::new(MasterKey::random()?, vec![]));
    let payloads = folder.path().join("payloads");
    let store = Store::open(store::Config { database, payloads, keys, clock: Arc::new(SystemClock) }).await?;
    let looked = chains(&store, &manifest.keys()?, &manifest.heads, findings).await;
    store.close().await;
    looked
}

/// Writes all rows, and takes the keys of payloads away that were erased meanwhile.
pub(super) async fn fill(rows: &mut NewRows, backup: &Path, manifest: &Manifest) -> Result<(), Error> {
    let bar = output::bar(manifest.tables.iter().map(|table| table.file.bytes).sum());
    for table in &manifest.tables {
        let file = backup.join(table.path());
        let opened = File::open(&file).map_err(|reason| Error::File { file, reason })?;
        rows.insert(&table.rows, &mut BufReader::with_capacity(1 << 20, opened), &|bytes| bar.inc(bytes))
            .await?;
    }
    bar.finish_and_clear();
    if manifest.erased > 0 {
        let mut parts = Parts::of(backup)?;
        while let Some(part) = parts.next()? {
            if let (true, Some(payload)) = (part.erased, part.payload()) {
                rows.erase(payload).await?;
            }
        }
    }
    Ok(())
}

/// Whether every payload has its files.
async fn payloads(rows: &mut NewRows, backup: &Path, findings: &mut Findings) -> Result<(), Error> {
    let mut parts = Parts::of(backup)?;
    let mut after = None;
    loop {
        let some = rows.payload_files(after).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = Some(last.id);
        for payload in some {
            let there = parts.of_payload(payload.id)?;
            let missing = |name: &String| {
                !there.iter().any(|part| {
                    part.sum.is_some() && part.path.strip_prefix("payloads/") == Some(name.as_str())
                })
            };
            let PayloadFiles { id, .. } = payload;
            if payload.names().any(|name| missing(&name)) && !there.iter().any(|part| part.erased) {
                findings.find("backup.file-lost", format!("payload {id} lacks a file"));
            }
        }
    }
}

/// Whether every chain is whole, and ends where the backup says.
pub(super) async fn chains(
    store: &Store,
    keys: &EvidenceKeys,
    heads: &[Head],
    findings: &mut Findings,
) -> Result<(), Error> {
    for head in heads {
        let report = store.check_chain(&head.tenant, keys, None).await?;
        if !report.ok {
            findings.find("backup.chain", format!("the chain of tenant {}: {report}", head.tenant));
        }
        let last = store.last_batch(&head.tenant).await?;
        let fits =
            last.is_some_and(|last| last.batch.no == head.batch && last.batch.head.to_string() == head.head);
        if !fits {
            findings.find("backup.chain", format!("the chain of tenant {} ends elsewhere", head.tenant));
        }
    }
    Ok(())
}
