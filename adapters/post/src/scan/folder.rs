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
use model::{Id, Timestamp, ids};
use rustix::fs::{Access, access};

use super::item::{DOCUMENTS, INDEXES, Item, Names, Taken, clear, has_ending, note};
use super::settings::{IndexMode, Settings};
use super::trouble::is_of_all;

/// Endings of what somebody is writing.
const WRITING: [&str; 4] = ["tmp", "part", "filepart", "crdownload"];
/// An index file without a document, or a document without the index file that it must have, goes to `error` after so long.
const ORPHAN: Duration = Duration::from_secs(3_600);
/// An index that is written last may be there before its last byte is.
const INDEX_QUIET: Duration = Duration::from_secs(2);
/// Bytes of a name that are kept in another one: a name may be as long as names can be.
const NAME: usize = 120;

/// A hot folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Identifier of the adapter, for logs.
    id: String,
    root: PathBuf,
    quiet: Duration,
    mode: IndexMode,
    /// How long half of a pair waits for the other.
    orphan: Duration,
}

/// One look through the folder.
pub(super) struct Walk(ReadDir);

impl Folder {
    pub(super) fn new(settings: &Settings) -> Self {
        let (id, root) = (settings.id.clone(), settings.folder.clone());
        let (quiet, mode) = (settings.quiet, settings.index.mode);
        Folder { id, root, quiet, mode, orphan: ORPHAN.max(quiet) }
    }

    /// Makes the folders that are missing.
    ///
    /// # Errors
    /// If one of them cannot be written: nothing could be moved then.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for name in ["work", "done", "error"] {
            match fs::create_dir(self.root.join(name)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        for name in ["", "work", "done", "error"] {
            access(self.root.join(name), Access::WRITE_OK | Access::EXEC_OK)?;
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
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                items.extend(self.unless_of_all(self.resume(&entry.path()))?);
            }
        }
        Ok(items)
    }

    fn resume(&self, folder: &Path) -> io::Result<Option<Item>> {
        let Some(mut item) = Item::noted(folder)? else {
            return self.recover(folder).map(|()| None);
        };
        self.gather(&item)?;
        if !is_there(&item.document()) {
            self.refuse(&item, "post.scan-orphan", "the document has gone")?;
            return Ok(None);
        }
        item.names.index = item.names.index.filter(|name| is_there(&folder.join(name)));
        Ok(Some(item))
    }

    /// A folder without names that can be believed. They were durable before anything moved, so there is nothing in it, unless the
    /// disk lost them or somebody else wrote there: then what lies in it goes back and is taken anew.
    fn recover(&self, folder: &Path) -> io::Result<()> {
        let is_ours = folder.file_name().is_some_and(|name| name.to_str().is_some_and(is_id));
        if !is_ours {
            // What somebody else has put there stays.
            clear(folder);
            return Ok(());
        }
        if self.put_back(folder)? {
            return Ok(());
        }
        explain(folder, "file", "post.scan-orphan", "it is not known any more what belongs together", None)?;
        fs::rename(folder, self.root.join("error").join(folder.file_name().unwrap_or_default()))
    }

    /// Moves what has not moved yet: the index first, so that no other document can take its place meanwhile.
    fn gather(&self, item: &Item) -> io::Result<()> {
        let moved = self.try_to_gather(item);
        if moved.is_err() {
            // Else the next session would take the same file into a folder of its own.
            self.put_back(&item.folder)?;
        }
        moved
    }

    fn try_to_gather(&self, item: &Item) -> io::Result<()> {
        for name in item.names.index.iter().chain([&item.names.document]) {
            let target = item.folder.join(name);
            if is_there(&target) {
                continue;
            }
            match fs::rename(self.root.join(name), target) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves files back to where they came from, unless something else has their names there by now. Whether the folder is no more.
    fn put_back(&self, folder: &Path) -> io::Result<bool> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let is_scan = has_ending(&path, &DOCUMENTS) || has_ending(&path, &INDEXES);
            if !is_scan || name.as_encoded_bytes().starts_with(b".") || !entry.file_type()?.is_file() {
                continue;
            }
            let target = self.root.join(name);
            if !is_there(&target) {
                fs::rename(path, target)?;
            }
        }
        clear(folder);
        Ok(!is_there(folder))
    }

    /// What could not be moved waits for another session and keeps nothing else waiting: somebody holds it, or it is not ours to move.
    fn unless_of_all<T>(&self, outcome: io::Result<Option<T>>) -> io::Result<Option<T>> {
        match outcome {
            Err(error) if !is_of_all(&error) => {
                let (adapter, why) = (&self.id, error.kind());
                tracing::warn!(adapter, code = "post.scan-folder", %why, "a scan could not be moved");
                Ok(None)
            }
            other => other,
        }
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
            if let Some(item) = self.unless_of_all(self.look(&path))? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    fn look(&self, path: &Path) -> io::Result<Option<Item>> {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            return Ok(None);
        };
        if name.starts_with('.') || has_ending(path, &WRITING) {
            return Ok(None);
        }
        let is_document = has_ending(path, &DOCUMENTS);
        let is_index = self.mode != IndexMode::None && has_ending(path, &INDEXES);
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
            (None, IndexMode::Required) => {
                return self.refuse_without_index(path, meta).map(|()| None);
            }
            (Some((_, index)), IndexMode::Required) => is_quiet(index, self.quiet.min(INDEX_QUIET)),
            (Some((_, index)), _) => is_quiet(meta, self.quiet) && is_quiet(index, self.quiet),
            (None, _) => is_quiet(meta, self.quiet),
        };
        if !is_complete {
            return Ok(None);
        }
        let folder = self.root.join("work").join(ids::new_id().to_string());
        let names = Names { document: name, index: index.map(|it| it.0) };
        let item = Item { folder, names, is_resumed: false };
        fs::create_dir(&item.folder)?;
        item.note_names()?;
        self.gather(&item)?;
        if !is_there(&item.document()) {
            self.refuse(&item, "post.scan-orphan", "the document has gone")?;
            return Ok(None);
        }
        Ok(Some(item))
    }

    fn refuse_without_index(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        if !is_quiet(meta, self.orphan) {
            return Ok(());
        }
        self.refuse_as_it_lies(path, "post.scan-orphan", "there is no index file of this name")
    }

    fn refuse_orphan(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        if !is_quiet(meta, self.orphan) || partner(path, &DOCUMENTS).is_some() {
            return Ok(());
        }
        self.refuse_as_it_lies(path, "post.scan-orphan", "there is no document of this name")
    }

    fn refuse_as_it_lies(&self, path: &Path, code: &str, why: &str) -> io::Result<()> {
        let id = ids::new_id();
        let folder = self.root.join("error").join(id.to_string());
        fs::create_dir(&folder)?;
        explain(&folder, "file", code, why, None)?;
        let moved = fs::rename(path, folder.join(path.file_name().unwrap_or_default()));
        if moved.is_err() {
            // Words without a file would mislead, and the next session would write them once more.
            let _ = fs::remove_dir_all(&folder);
        }
        moved
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
        let taken = Some(item.taken()).filter(|taken| taken.letters > 0);
        explain(&item.folder, &item.names.document, code, why, taken)?;
        fs::rename(&item.folder, self.root.join("error").join(put_away(item)))
    }
}

/// `NAME.err.txt`: the code, what to do, what of it is in, and what a tool has said.
fn explain(folder: &Path, name: &str, code: &str, why: &str, taken: Option<Taken>) -> io::Result<()> {
    let advice = model::catalog::sentence(code).map(|sentence| sentence.de.as_str()).unwrap_or_default();
    let taken = taken.map(|Taken { letters, pages: (first, last) }| {
        format!(
            "Bereits angenommen sind {letters} Schreiben, die Seiten {first} bis {last}. Legen Sie nur die übrigen Seiten erneut ab: \
             In einer geänderten Datei kämen die angenommenen ein zweites Mal.\n\
             {letters} letters, pages {first}-{last}, are in.\n"
        )
    });
    let text = format!("{code}\n{advice}\n{}{why}\n", taken.unwrap_or_default());
    note(folder, &format!("{}.err.txt", short(name)), text.as_bytes(), true)
}

/// Name of the folder in `done` or `error`: one that says something, and never the same twice.
fn put_away(item: &Item) -> String {
    let stem = Path::new(&item.names.document).file_stem().unwrap_or_default().to_string_lossy();
    let plain = |char: char| if char.is_alphanumeric() || "-_".contains(char) { char } else { '_' };
    let stem: String = short(&stem).chars().map(plain).collect();
    let id = item.folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{stem}.{id}")
}

fn short(name: &str) -> String {
    let mut kept = String::new();
    for char in name.chars() {
        if kept.len() + char.len_utf8() > NAME {
            break;
        }
        kept.push(char);
    }
    kept
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

fn is_id(name: &str) -> bool {
    name.parse::<Id>().is_ok()
}

/// Whether something has this name. Links are followed by nobody.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_pair_waits_and_is_then_told() {
        let root = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("scan", root.path());
        (settings.quiet, settings.index.mode) = (Duration::ZERO, IndexMode::Required);
        let mut folder = Folder::new(&settings);
        folder.prepare().unwrap();
        for name in ["a.pdf", "b.csv"] {
            fs::write(root.path().join(name), b"%PDF-1.4\n%%EOF\n").unwrap();
        }
        let mut look = |orphan| {
            folder.orphan = orphan;
            assert!(folder.next(&mut folder.walk().unwrap()).unwrap().is_none());
            folder.refused().unwrap()
        };
        assert_eq!(look(ORPHAN), 0);
        assert_eq!(look(Duration::ZERO), 2);
        assert!(!is_there(&root.path().join("a.pdf")) && !is_there(&root.path().join("b.csv")));
    }

    #[test]
    fn a_long_name_leaves_room_for_what_is_put_to_it() {
        let folder = PathBuf::from("work").join(ids::new_id().to_string());
        let names = Names { document: format!("{}.pdf", "漢".repeat(80)), index: None };
        let item = Item { folder, names, is_resumed: false };
        assert!(put_away(&item).len() <= 255 && short(item.name()).len() <= NAME);
    }
}
