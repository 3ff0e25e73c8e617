//! `amtsbote backup PATH`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use cli::Backup;
use model::{Actor, EventKind, Id};
use output::print;
use seal::evidence_key::EvidenceKeys;
use serde_json::json;
use store::backup::{PayloadFiles, Snapshot};

use super::files::{self, Hashed, Sum};
use super::manifest::{MANIFEST, Manifest, Origin, PARTS, Part, Parts, SIGNATURE, Table};
use crate::commands::{OnStore, Outcome};
use crate::error::Error;

/// The list of files that are to be copied, while the backup is made.
const WANTED: &str = "wanted.jsonl";

/// A backup that is being made.
struct Making<'a> {
    on: &'a OnStore,
    folder: PathBuf,
    manifest: Manifest,
    parts: Hashed,
    /// Files that an earlier backup has.
    earlier: Option<Earlier<'a>>,
    linked: u64,
}

struct Earlier<'a> {
    backup: &'a Path,
    parts: Parts,
}

/// Makes a backup.
pub(crate) async fn make(on: &OnStore, wanted: &Backup, config: &Path) -> Outcome {
    let Some(path) = &wanted.path else { return Err(Error::Usage("name the folder to be made".to_owned())) };
    let unwritable = |reason| Error::File { file: path.clone(), reason };
    if path.exists() {
        return Err(Error::Exists(path.clone()));
    }
    let key = on.config.store.evidence_key()?;
    let earlier = wanted.since.as_deref().map(|backup| Earlier::open(backup, &key.keys()?)).transpose()?;
    let folder = files::beside(path, ".partial");
    let _alone = begin(&folder)?;

    let mut snapshot = on.gateway.whole_store().snapshot().await?;
    let now = on.gateway.broker.now();
    let origin = Origin { node: &on.config.node, evidence_key: &key, with_keys: wanted.with_keys, now };
    let manifest = Manifest::begun(&snapshot, &origin)?;
    let parts = Hashed::create(&folder.join(PARTS)).map_err(unwritable)?;
    let mut making = Making { on, folder, manifest, parts, earlier, linked: 0 };
    let bytes = making.rows(&mut snapshot).await?;
    // From here on files are copied, which may take long: nobody has to wait for old rows.
    snapshot.end().await?;
    making.payloads(bytes).await?;
    making.folder("schemas", &on.config.store.schemas)?;
    making.file("config/amtsbote.toml", config)?;
    if wanted.with_keys {
        making.keys()?;
    }
    let done = making.finish(path, &key)?;
    tell(on, path, &done).await
}

/// Says what was made, here and in the evidence.
async fn tell(on: &OnStore, path: &Path, (manifest, linked): &(Manifest, u64)) -> Outcome {
    let by = Actor { kind: "system".to_owned(), id: "cli".to_owned() };
    let detail =
        json!({ "backup": manifest.id, "takenAt": manifest.taken_at, "withKeys": manifest.with_keys });
    on.gateway.broker.note_upkeep(EventKind::StoreBackedUp, &by, &detail).await?;
    let shown = json!({
        "path": path, "id": manifest.id, "takenAt": manifest.taken_at, "rows": manifest.rows(),
        "payloadFiles": manifest.payload_files, "payloadBytes": manifest.payload_bytes, "linked": linked,
        "erased": manifest.erased, "lost": manifest.lost, "heads": manifest.heads,
    });
    print(on.as_json, &shown, |_| {
        let Manifest { payload_files, payload_bytes, erased, lost, .. } = manifest;
        format!(
            "{}: {} rows, {payload_files} files of payloads ({payload_bytes} bytes, {linked} files linked), \
             {erased} payloads erased meanwhile, {lost} files LOST",
            path.display(),
            manifest.rows()
        )
    });
    Ok(u8::from(manifest.lost > 0).into())
}

/// Makes the folder, and throws away what an interrupted run left. The file that is returned keeps a second run out.
fn begin(folder: &Path) -> Result<File, Error> {
    let unwritable = |reason| Error::File { file: folder.to_owned(), reason };
    files::make_folder(folder).map_err(unwritable)?;
    let lock = File::open(folder).map_err(unwritable)?;
    if lock.try_lock().is_err() {
        return Err(Error::BackupUnderWay(folder.to_owned()));
    }
    for entry in fs::read_dir(folder).map_err(unwritable)? {
        let path = entry.map_err(unwritable)?.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(unwritable)?;
    }
    Ok(lock)
}

impl<'a> Earlier<'a> {
    fn open(backup: &'a Path, keys: &EvidenceKeys) -> Result<Self, Error> {
        // Its digests are relied on.
        let manifest = Manifest::read(backup, Some(keys))?;
        let list = backup.join(PARTS);
        let found = files::sum(&list, &|_| ()).map_err(|reason| Error::File { file: list, reason })?;
        if found != manifest.parts {
            return Err(Error::BackupDamaged("the list of parts was changed".to_owned()));
        }
        Ok(Earlier { backup, parts: Parts::of(backup)? })
    }
}

impl Making<'_> {
    fn unwritable(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let file = self.folder.clone();
        move |reason| Error::File { file: file.clone(), reason }
    }

    /// Everything that has to be of one moment; returns how many bytes of payloads there are.
    async fn rows(&mut self, snapshot: &mut Snapshot) -> Result<u64, Error> {
        let unwritable = self.unwritable();
        for name in snapshot.tables() {
            let mut file =
                Hashed::create(&self.folder.join(format!("rows/{name}.jsonl"))).map_err(&unwritable)?;
            let rows = snapshot.write(&name, &mut file).await?;
            self.manifest.tables.push(Table { rows, file: file.finish().map_err(&unwritable)? });
        }
        self.manifest.heads = snapshot.heads().await?;
        self.manifest.master_keys = snapshot.key_use().await?;
        let mut wanted = Hashed::create(&self.folder.join(WANTED)).map_err(&unwritable)?;
        let mut after = None;
        loop {
            let some = snapshot.payload_files(after).await?;
            let Some(last) = some.last() else { break };
            after = Some(last.id);
            for PayloadFiles { id, size, is_erased } in some {
                writeln!(wanted, "{}", json!([id, size, is_erased])).map_err(&unwritable)?;
            }
        }
        wanted.finish().map_err(&unwritable)?;
        Ok(snapshot.payload_bytes().await?)
    }

    /// The files of payloads.
    async fn payloads(&mut self, bytes: u64) -> Result<(), Error> {
        let unwritable = self.unwritable();
        let bar = output::bar(bytes);
        let wanted = self.folder.join(WANTED);
        for line in BufReader::new(File::open(&wanted).map_err(&unwritable)?).lines() {
            let line = line.map_err(&unwritable)?;
            let (id, size, is_erased) = serde_json::from_str(&line).map_err(std::io::Error::from)?;
            self.payload(PayloadFiles { id, size, is_erased }, &|bytes| bar.inc(bytes)).await?;
        }
        fs::remove_file(&wanted).map_err(&unwritable)?;
        bar.finish_and_clear();
        Ok(())
    }

    async fn payload(&mut self, payload: PayloadFiles, on: &dyn Fn(u64)) -> Result<(), Error> {
        let earlier = match &mut self.earlier {
            Some(earlier) => earlier.parts.of_payload(payload.id)?,
            None => vec![],
        };
        let (mut parts, mut is_gone) = (vec![], false);
        for name in payload.names() {
            let path = format!("payloads/{name}");
            let known = earlier.iter().find(|part| part.path == path).and_then(|part| part.sum.as_ref());
            let sum = match self.linked(&path, known) {
                Some(sum) => {
                    on(sum.bytes);
                    Some(sum)
                }
                None => self.copied(&self.on.config.store.payloads.join(&name), &path, on)?,
            };
            is_gone |= sum.is_none();
            parts.push(Part { path, sum, erased: false });
        }
        // First the key goes, then the files: whoever finds no files asks for the key.
        let erased = is_gone && !payload.is_erased && !self.has_key(payload.id).await?;
        self.manifest.erased += u64::from(erased);
        for part in parts {
            let erased = erased && part.sum.is_none();
            if part.sum.is_none() && !erased {
                tracing::error!(file = part.path, "a file of a payload is lost");
                self.manifest.lost += 1;
            }
            self.note(Part { erased, ..part })?;
        }
        Ok(())
    }

    async fn has_key(&self, payload: Id) -> Result<bool, Error> {
        Ok(self.on.gateway.whole_store().has_key(payload).await?)
    }

    fn linked(&mut self, path: &str, known: Option<&Sum>) -> Option<Sum> {
        let earlier = self.earlier.as_ref()?;
        let linked =
            known.filter(|sum| files::link(&earlier.backup.join(path), &self.folder.join(path), sum))?;
        self.linked += 1;
        Some(linked.clone())
    }

    /// Copies a file; `None` if it is not there.
    fn copied(&self, from: &Path, path: &str, on: &dyn Fn(u64)) -> Result<Option<Sum>, Error> {
        let to = self.folder.join(path);
        match files::copy(from, &to, on) {
            Ok(sum) => Ok(Some(sum)),
            Err(error) if error.kind() == ErrorKind::NotFound && !to.exists() => Ok(None),
            Err(reason) => Err(Error::File { file: from.to_owned(), reason }),
        }
    }

    fn note(&mut self, part: Part) -> Result<(), Error> {
        if let (Some(sum), Some(_)) = (&part.sum, part.payload()) {
            self.manifest.payload_files += 1;
            self.manifest.payload_bytes += sum.bytes;
        }
        let line = serde_json::to_string(&part).map_err(std::io::Error::from)?;
        writeln!(self.parts, "{line}").map_err(self.unwritable())
    }

    /// Another file.
    fn file(&mut self, path: &str, from: &Path) -> Result<(), Error> {
        let sum = files::copy(from, &self.folder.join(path), &|_| ());
        let sum = Some(sum.map_err(|reason| Error::File { file: from.to_owned(), reason })?);
        self.note(Part { path: path.to_owned(), sum, erased: false })
    }

    fn folder(&mut self, name: &str, from: &Path) -> Result<(), Error> {
        let found = files::below(from).map_err(|reason| Error::File { file: from.to_owned(), reason })?;
        for path in found {
            let Some(inside) = path.to_str() else { continue };
            self.file(&format!("{name}/{inside}"), &from.join(&path))?;
        }
        Ok(())
    }

    fn keys(&mut self) -> Result<(), Error> {
        let store = &self.on.config.store;
        let older = store.older_master_keys.iter().enumerate();
        let masters = std::iter::once(("master.key".to_owned(), &store.master_key))
            .chain(older.map(|(at, reference)| (format!("older-{at}.key"), reference)));
        for (name, reference) in masters {
            let Some(path) = reference.strip_prefix("file:") else {
                return Err(Error::Usage("a master key does not lie in a file: keep it apart".to_owned()));
            };
            self.file(&format!("keys/{name}"), Path::new(path))?;
        }
        for (at, path) in store.older_evidence_keys.iter().enumerate() {
            self.file(&format!("keys/older-evidence-{at}.pem"), path)?;
        }
        self.file("keys/evidence.pem", &store.evidence_key)
    }

    /// Gives the backup its name; returns its manifest, and how many files were linked.
    fn finish(mut self, path: &Path, key: &store::EvidenceKey) -> Result<(Manifest, u64), Error> {
        let unwritable = self.unwritable();
        self.manifest.parts = self.parts.finish().map_err(&unwritable)?;
        self.manifest.finished_at = self.on.gateway.broker.now();
        let (text, signature) = self.manifest.signed(key)?;
        for (name, text) in [(MANIFEST, text), (SIGNATURE, signature)] {
            let mut file = Hashed::create(&self.folder.join(name)).map_err(&unwritable)?;
            file.write_all(text.as_bytes()).map_err(&unwritable)?;
            file.finish().map_err(&unwritable)?;
        }
        files::sync_folders(&self.folder).map_err(&unwritable)?;
        fs::rename(&self.folder, path).map_err(&unwritable)?;
        File::open(files::folder_of(path)).and_then(|folder| folder.sync_all()).map_err(&unwritable)?;
        Ok((self.manifest, self.linked))
    }
}
