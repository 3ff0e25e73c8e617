//! A document of the hot folder with its index file, in a folder of its own below `work`, and what is noted there: its names, how often it was
//! begun, what it was taken apart into, how much of it is in. Whoever writes to the share may write there, too, so nothing of it is believed
//! that could lead elsewhere.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Endings of documents.
pub(super) const DOCUMENTS: [&str; 3] = ["pdf", "tif", "tiff"];
/// Endings of index files.
pub(super) const INDEXES: [&str; 3] = ["xml", "csv", "json"];
/// Bytes of the largest note, which is that of what a stack was taken apart into.
pub(super) const NOTE_BYTES: usize = 64 << 20;
/// What a work folder holds. Names that begin with a dot are never taken, so no file has one of them.
const ITEM: &str = ".item";
const WRITING: &str = ".new";
const ATTEMPTS: &str = ".attempts";
const TAKEN: &str = ".taken";
const PARTS: &str = ".parts";
const ALL: &str = ".all";

/// A document with its index file.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Where it lies.
    pub folder: PathBuf,
    /// What it consists of.
    pub names: Names,
    /// Whether it was begun in another session.
    pub is_resumed: bool,
}

/// The names as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names {
    /// The document.
    pub document: String,
    /// Its index file.
    pub index: Option<String>,
}

/// How much of a stack is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Letters, from the first.
    pub letters: usize,
    /// Their first and last page.
    pub pages: (u32, u32),
}

impl Names {
    /// Names of files that lie in the folder itself, such as would be taken.
    fn are_own(&self) -> bool {
        is_own(&self.document, &DOCUMENTS) && self.index.as_ref().is_none_or(|name| is_own(name, &INDEXES))
    }
}

fn is_own(name: &str, endings: &[&str]) -> bool {
    let path = Path::new(name);
    let is_plain = path.file_name().is_some_and(|it| it == name) && !name.starts_with('.');
    is_plain && has_ending(path, endings)
}

/// Whether a name has one of these endings, in whatever case.
pub(super) fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

impl Item {
    /// What was begun in `folder`, by what is noted there. None if nothing is that can be believed.
    ///
    /// # Errors
    /// If the note is there and cannot be read.
    pub(super) fn noted(folder: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = read(folder, ITEM)? else { return Ok(None) };
        let names = serde_json::from_slice::<Names>(&bytes).ok().filter(Names::are_own);
        Ok(names.map(|names| Item { folder: folder.to_owned(), names, is_resumed: true }))
    }

    /// Notes the names, durable before anything moves by them.
    pub(super) fn note_names(&self) -> io::Result<()> {
        note(&self.folder, ITEM, &serde_json::to_vec(&self.names)?, true)
    }

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

    /// Counts this try, and says how often it was begun before.
    pub(super) fn count_try(&self) -> io::Result<u32> {
        if !self.is_resumed {
            return Ok(0);
        }
        let tries = number(&words(&self.folder, ATTEMPTS), 0).saturating_add(1);
        note(&self.folder, ATTEMPTS, tries.to_string().as_bytes(), false)?;
        Ok(tries)
    }

    /// That it was begun in vain was not its fault.
    pub(super) fn is_innocent(&self) -> io::Result<()> {
        without(fs::remove_file(self.folder.join(ATTEMPTS)))
    }

    /// How much of it is in. A hint alone: a lost one costs time.
    pub(super) fn taken(&self) -> Taken {
        let words = words(&self.folder, TAKEN);
        let letters = usize::try_from(number(&words, 0)).unwrap_or_default();
        Taken { letters, pages: (number(&words, 1), number(&words, 2)) }
    }

    /// So many letters of it are in, which are these pages.
    pub(super) fn note_taken(&self, letters: usize, pages: &RangeInclusive<u32>) -> io::Result<()> {
        self.is_innocent()?;
        let text = format!("{letters} {} {}", pages.start(), pages.end());
        note(&self.folder, TAKEN, text.as_bytes(), false)
    }

    /// All of it is in, and only its folder could not be put away.
    pub(super) fn note_all_taken(&self) -> io::Result<()> {
        self.is_innocent()?;
        note(&self.folder, ALL, b"", false)
    }

    /// Whether all of it is in.
    pub(super) fn is_all_taken(&self) -> bool {
        self.is_resumed && fs::symlink_metadata(self.folder.join(ALL)).is_ok()
    }

    /// What it was taken apart into, if that is noted.
    pub(super) fn parts(&self) -> io::Result<Option<Vec<u8>>> {
        if self.is_resumed { read(&self.folder, PARTS) } else { Ok(None) }
    }

    /// Notes what it was taken apart into, durable.
    pub(super) fn note_parts(&self, bytes: &[u8]) -> io::Result<()> {
        note(&self.folder, PARTS, bytes, true)
    }
}

/// Removes what is noted in a folder, and the folder if there is nothing else in it.
pub(super) fn clear(folder: &Path) {
    // What cannot be removed is looked at again by the next session.
    for name in [ITEM, WRITING, ATTEMPTS, TAKEN, PARTS, ALL] {
        let _ = fs::remove_file(folder.join(name));
    }
    let _ = fs::remove_dir(folder);
}

/// Writes a note in one piece, and never through a link that somebody has put there.
pub(super) fn note(folder: &Path, name: &str, bytes: &[u8], is_durable: bool) -> io::Result<()> {
    let writing = folder.join(WRITING);
    let create = || File::options().write(true).create_new(true).open(&writing);
    let mut file = match create() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(&writing)?;
            create()?
        }
        file => file?,
    };
    file.write_all(bytes)?;
    if is_durable {
        file.sync_all()?;
    }
    fs::rename(&writing, folder.join(name))?;
    if is_durable {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A note; none if there is none, or something else has its name.
fn read(folder: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(meta) if !meta.is_file() => return Ok(None),
        meta => meta?,
    };
    let mut bytes = vec![];
    File::open(&path)?.take(NOTE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= NOTE_BYTES))
}

fn words(folder: &Path, name: &str) -> Vec<String> {
    let bytes = read(folder, name).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).split_whitespace().map(str::to_owned).collect()
}

fn number(words: &[String], place: usize) -> u32 {
    words.get(place).and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Whatever is not there need not be removed.
fn without(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_not_believed() {
        let names = |document: &str, index: Option<&str>| Names {
            document: document.to_owned(),
            index: index.map(str::to_owned),
        };
        assert!(names("a.pdf", None).are_own() && names("ä b.TIF", Some("ä b.XML")).are_own());
        for document in [
            "../a.pdf",
            "/etc/a.pdf",
            "b/a.pdf",
            "a.pdf/",
            ".a.pdf",
            "..",
            ".",
            "",
            "done",
            "a.csv",
            "./a.pdf",
        ] {
            assert!(!names(document, None).are_own(), "{document}");
        }
        for index in ["../a.csv", ".item", "a.pdf", "/a.csv"] {
            assert!(!names("a.pdf", Some(index)).are_own(), "{index}");
        }
    }

    #[test]
    fn notes_are_not_written_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, b"mine").unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        for name in [WRITING, ATTEMPTS, TAKEN] {
            std::os::unix::fs::symlink(&outside, work.join(name)).unwrap();
        }
        let names = Names { document: "a.pdf".into(), index: None };
        let item = Item { folder: work, names, is_resumed: true };
        assert_eq!((item.count_try().unwrap(), item.count_try().unwrap()), (1, 2));
        item.note_taken(2, &(3..=7)).unwrap();
        assert_eq!(item.taken(), Taken { letters: 2, pages: (3, 7) });
        assert_eq!(item.count_try().unwrap(), 1, "it goes on");
        assert_eq!(fs::read(&outside).unwrap(), b"mine");
    }
}
