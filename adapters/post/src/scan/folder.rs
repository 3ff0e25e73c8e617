//! The hot folder: what is complete moves to `work` by a rename, into a folder of its own, and from there as a whole to `done` or `error`, so a
//! file is always in exactly one place. What was in `work` when the gateway stopped is taken up again.
//!
//! There is no standard of hot folders; the conventions are those of common scan software: names that begin with a dot or end in
//! `.tmp` or `.part` are being written, an index file is written last.

use std::fs::{self, Metadata, ReadDir};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::payment::day::german_day;
use model::{Timestamp, ids};
use serde::{Deserialize, Serialize};

use super::settings::IndexMode;

const DOCUMENTS: [&str; 3] = ["pdf", "tif", "tiff"];
const INDEXES: [&str; 3] = ["xml", "csv", "json"];
/// Endings of what somebody is writing.
const WRITING: [&str; 4] = ["tmp", "part", "filepart", "crdownload"];
/// An index file without a document goes to `error` after so long.
const ORPHAN: Duration = Duration::from_secs(3_600);
/// An index that is written last may be there before its last byte is.
const INDEX_QUIET: Duration = Duration::from_secs(2);
/// Characters of a name that are kept in the name of a folder.
const NAME: usize = 60;
/// What a work folder holds. Names that begin with a dot are never taken, so no file has one of them.
const ITEM: &str = ".item";
const ITEM_WRITING: &str = ".item.new";
const ATTEMPTS: &str = ".attempts";
const TAKEN: &str = ".taken";

/// A hot folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    quiet: Duration,
    mode: IndexMode,
}

/// A document with its index file, in a folder of its own below `work`.
#[derive(Debug, Clone)]
pub(super) struct Item {
    folder: PathBuf,
    names: Names,
    /// How often it was begun before.
    pub attempts: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Names {
    document: String,
    index: Option<String>,
}

impl Item {
    /// The document.
    pub(super) fn document(&self) -> PathBuf {
        self.folder.join(&self.names.document)
    }

    /// Name of the document.
    pub(super) fn name(&self) -> &str {
        &self.names.document
    }

    /// Its index file.
    pub(super) fn index(&self) -> Option<PathBuf> {
        self.names.index.as_ref().map(|name| self.folder.join(name))
    }

    /// How many letters of it have been taken in.
    pub(super) fn taken(&self) -> usize {
        number(&self.folder.join(TAKEN))
    }

    /// That it was begun in vain was not its fault.
    pub(super) fn is_innocent(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(ATTEMPTS)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// So many letters of it have been taken in.
    pub(super) fn note_taken(&self, letters: usize) -> io::Result<()> {
        self.is_innocent()?;
        fs::write(self.folder.join(TAKEN), letters.to_string())
    }
}

/// The numbers that stand in such files are hints alone: a lost one costs time.
fn number<T: std::str::FromStr + Default>(path: &Path) -> T {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

/// One look through the folder.
pub(super) struct Walk(ReadDir);

impl Folder {
    pub(super) fn new(root: PathBuf, quiet: Duration, mode: IndexMode) -> Self {
        Folder { root, quiet, mode }
    }

    /// Makes the folders that are missing.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for name in ["work", "done", "error"] {
            match fs::create_dir(self.root.join(name)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many files lie in `error`.
    pub(super) fn refused(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.root.join("error"))?.count())
    }

    /// What is in `work`, from before.
    pub(super) fn begun(&self) -> io::Result<Vec<Item>> {
        let mut items = vec![];
        for entry in fs::read_dir(self.root.join("work"))? {
            items.extend(self.resume(entry?.path())?);
        }
        Ok(items)
    }

    fn resume(&self, folder: PathBuf) -> io::Result<Option<Item>> {
        let names = fs::read(folder.join(ITEM)).ok();
        let Some(names) = names.and_then(|bytes| serde_json::from_slice::<Names>(&bytes).ok()) else {
            // Nothing had moved yet. What is none of ours stays.
            let _ = fs::remove_file(folder.join(ITEM_WRITING));
            let _ = fs::remove_dir(&folder);
            return Ok(None);
        };
        let mut item = Item { folder, names, attempts: 0 };
        self.gather(&item)?;
        if !item.document().exists() {
            self.refuse(&item, "post.scan-orphan", "the document has gone")?;
            return Ok(None);
        }
        item.names.index = item.names.index.filter(|name| item.folder.join(name).exists());
        item.attempts = number::<u32>(&item.folder.join(ATTEMPTS)) + 1;
        fs::write(item.folder.join(ATTEMPTS), item.attempts.to_string())?;
        Ok(Some(item))
    }

    /// Moves what has not moved yet: the index first, so that no other document can take its place meanwhile.
    fn gather(&self, item: &Item) -> io::Result<()> {
        for name in item.names.index.iter().chain([&item.names.document]) {
            let target = item.folder.join(name);
            if target.exists() {
                continue;
            }
            match fs::rename(self.root.join(name), target) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A look through the folder. It costs the same for each file, however many there are: each is looked at once, and what is
    /// taken is not there any more.
    pub(super) fn walk(&self) -> io::Result<Walk> {
        Ok(Walk(fs::read_dir(&self.root)?))
    }

    /// The next document that is complete, taken over.
    pub(super) fn next(&self, walk: &mut Walk) -> io::Result<Option<Item>> {
        for entry in &mut walk.0 {
            let path = entry?.path();
            if let Some(item) = self.look(&path)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    fn look(&self, path: &Path) -> io::Result<Option<Item>> {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            return Ok(None);
        };
        let ending = Path::new(&name).extension().map(|it| it.to_string_lossy().to_lowercase());
        let Some(ending) = ending.filter(|it| !name.starts_with('.') && !WRITING.contains(&it.as_str()))
        else {
            return Ok(None);
        };
        let is_document = DOCUMENTS.contains(&ending.as_str());
        let is_index = self.mode != IndexMode::None && INDEXES.contains(&ending.as_str());
        if !is_document && !is_index {
            return Ok(None);
        }
        // It may have gone meanwhile. Links are followed by nobody.
        let Ok(meta) = fs::symlink_metadata(path) else { return Ok(None) };
        if !meta.is_file() {
            return Ok(None);
        }
        if path.file_name().and_then(|name| name.to_str()).is_none() {
            self.refuse_as_it_lies(path, "post.scan-name", "the name is not UTF-8")?;
            return Ok(None);
        }
        match is_document {
            true => self.take_complete(path, name, &meta),
            false => self.refuse_orphan(path, &meta).map(|()| None),
        }
    }

    fn take_complete(&self, path: &Path, name: String, meta: &Metadata) -> io::Result<Option<Item>> {
        let index = match self.mode {
            IndexMode::None => None,
            _ => partner(path, &INDEXES),
        };
        let is_complete = match (&index, self.mode) {
            (None, IndexMode::Required) => false,
            (Some((_, index)), IndexMode::Required) => is_quiet(index, self.quiet.min(INDEX_QUIET)),
            (Some((_, index)), _) => is_quiet(meta, self.quiet) && is_quiet(index, self.quiet),
            (None, _) => is_quiet(meta, self.quiet),
        };
        if !is_complete {
            return Ok(None);
        }
        let folder = self.root.join("work").join(ids::new_id().to_string());
        let item = Item { folder, names: Names { document: name, index: index.map(|it| it.0) }, attempts: 0 };
        fs::create_dir(&item.folder)?;
        fs::write(item.folder.join(ITEM_WRITING), serde_json::to_vec(&item.names)?)?;
        fs::rename(item.folder.join(ITEM_WRITING), item.folder.join(ITEM))?;
        self.gather(&item)?;
        if !item.document().exists() {
            self.refuse(&item, "post.scan-orphan", "the document has gone")?;
            return Ok(None);
        }
        Ok(Some(item))
    }

    fn refuse_orphan(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        if !is_quiet(meta, ORPHAN.max(self.quiet)) || partner(path, &DOCUMENTS).is_some() {
            return Ok(());
        }
        self.refuse_as_it_lies(path, "post.scan-orphan", "there is no document of this name")
    }

    fn refuse_as_it_lies(&self, path: &Path, code: &str, why: &str) -> io::Result<()> {
        let id = ids::new_id();
        let folder = self.root.join("error").join(id.to_string());
        fs::create_dir(&folder)?;
        explain(&folder, "file", code, why)?;
        let Some(name) = path.file_name() else { return Ok(()) };
        fs::rename(path, folder.join(name))
    }

    /// Everything of it is durable elsewhere. Where it lies from now on, below the hot folder.
    pub(super) fn finish(&self, item: &Item) -> io::Result<()> {
        let day = self.root.join("done").join(german_day(moment(machine())));
        match fs::create_dir(&day) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::rename(&item.folder, day.join(put_away(item)))
    }

    /// It cannot be taken in.
    pub(super) fn refuse(&self, item: &Item, code: &str, why: &str) -> io::Result<()> {
        explain(&item.folder, &item.names.document, code, why)?;
        fs::rename(&item.folder, self.root.join("error").join(put_away(item)))
    }
}

/// `NAME.err.txt`: the code, what to do, and what a tool has said.
fn explain(folder: &Path, name: &str, code: &str, why: &str) -> io::Result<()> {
    let advice = model::catalog::sentence(code).map(|sentence| sentence.de.as_str()).unwrap_or_default();
    // The name may be as long as names can be.
    let name: String = name.chars().take(NAME).collect();
    fs::write(folder.join(format!("{name}.err.txt")), format!("{code}\n{advice}\n{why}\n"))
}

/// Name of the folder in `done` or `error`: one that says something, and never the same twice.
fn put_away(item: &Item) -> String {
    let stem = Path::new(&item.names.document).file_stem().unwrap_or_default().to_string_lossy();
    let plain = |char: char| if char.is_alphanumeric() || "-_".contains(char) { char } else { '_' };
    let stem: String = stem.chars().take(NAME).map(plain).collect();
    let id = item.folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{stem}.{id}")
}

/// The file of the same name with one of these endings.
fn partner(path: &Path, endings: &[&str]) -> Option<(String, Metadata)> {
    let endings = endings.iter().flat_map(|ending| [(*ending).to_owned(), ending.to_uppercase()]);
    endings.into_iter().find_map(|ending| {
        let path = path.with_extension(ending);
        let meta = fs::symlink_metadata(&path).ok().filter(Metadata::is_file)?;
        Some((path.file_name()?.to_str()?.to_owned(), meta))
    })
}

/// Whether nothing was written for so long. The time of the last change of the file's data or state cannot be set by whoever copies it there, so
/// that of its content alone does not count.
fn is_quiet(meta: &Metadata, quiet: Duration) -> bool {
    let seconds = u64::try_from(meta.ctime()).unwrap_or_default();
    let nanos = u32::try_from(meta.ctime_nsec()).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
    machine().duration_since(changed).is_ok_and(|age| age >= quiet)
}

/// The clock of the machine, which files have their times by.
#[allow(clippy::disallowed_methods)]
fn machine() -> SystemTime {
    SystemTime::now()
}

/// A moment of the file system.
pub(super) fn moment(time: SystemTime) -> Timestamp {
    let micros = time.duration_since(SystemTime::UNIX_EPOCH).map(|it| it.as_micros()).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
