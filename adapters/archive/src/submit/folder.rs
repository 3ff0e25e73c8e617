//! Folders that packages are dropped into, and how a crash in the middle leaves no doubt.
//!
//! | file | is |
//! |---|---|
//! | `.NAME.lock` | locked by the one attempt that packs; gone once the package has appeared |
//! | `.NAME.ID.part` | the package of an attempt, not whole yet |
//! | `.NAME.sent` | the mark: made durable before the package appears by renaming |
//!
//! So a mark and nothing unfinished mean that the package has appeared, also if somebody has taken it away since. Whoever begins anew removes
//! the mark before what is unfinished.
//!
//! Who collects bags from a plain folder answers by a small file beside: `NAME.archived`, whose first line is what the archive calls the
//! package, or `NAME.refused`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use model::{Failure, ids};

use crate::codes::{being_packed, io_failed};

/// Most bytes of an answer that are read.
const MOST_ANSWER: u64 = 4 * 1024;

/// What became of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Nobody has said so yet.
    Open,
    /// It is archived, and called so.
    Archived(String),
    /// It is refused.
    Refused,
}

/// Whether a package has appeared. `file` is its name in the folder.
pub(crate) fn has_appeared(folder: &Path, file: &str) -> io::Result<bool> {
    if folder.join(file).try_exists()? || answered(folder, file)? != Answered::Open {
        return Ok(true);
    }
    Ok(mark(folder, file).try_exists()? && unfinished(folder, file)?.is_empty())
}

/// A package while it is made, by one attempt alone: an earlier one whose caller has given up may still be at work.
#[derive(Debug)]
pub(crate) struct Attempt {
    folder: PathBuf,
    file: String,
    /// Where the package is made.
    pub(crate) part: PathBuf,
    /// Held until the package has appeared.
    _lock: File,
}

impl Attempt {
    /// Begins a package, which is called `file` in the folder; `None` if it has appeared already. What an interrupted attempt left is removed.
    ///
    /// # Errors
    /// [`being_packed`] while another attempt is at it.
    pub(crate) fn begin(folder: &Path, file: &str) -> Result<Option<Self>, Failure> {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(lock(folder, file));
        let lock = lock.map_err(io_failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(being_packed()),
            // A share that knows no locks: parts of their own keep packages whole there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(io_failed(error)),
        }
        let attempt = Attempt {
            folder: folder.to_owned(),
            file: file.to_owned(),
            part: folder.join(format!(".{file}.{}.part", ids::new_id())),
            _lock: lock,
        };
        match attempt.clear().map_err(io_failed)? {
            true => Ok(Some(attempt)),
            false => Ok(None),
        }
    }

    /// Whether nothing is in the way any more; `false` if the package has appeared.
    fn clear(&self) -> io::Result<bool> {
        if has_appeared(&self.folder, &self.file)? {
            return Ok(false);
        }
        // The mark first, and durably: without what is unfinished it would say that the package has appeared.
        match fs::remove_file(mark(&self.folder, &self.file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => sync(&self.folder)?,
        }
        for left in unfinished(&self.folder, &self.file)? {
            match fs::symlink_metadata(&left)?.is_dir() {
                true => fs::remove_dir_all(left)?,
                false => fs::remove_file(left)?,
            }
        }
        Ok(true)
    }

    /// Lets the package appear, whose bytes are durable.
    pub(crate) fn finish(self) -> io::Result<()> {
        File::create(mark(&self.folder, &self.file))?.sync_all()?;
        sync(&self.folder)?;
        fs::rename(&self.part, self.folder.join(&self.file))?;
        sync(&self.folder)?;
        // Whoever finds another lock, or this one, finds the package as well.
        let _ = fs::remove_file(lock(&self.folder, &self.file));
        Ok(())
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What somebody has said of a bag.
pub(crate) fn answered(folder: &Path, file: &str) -> io::Result<Answered> {
    if folder.join(format!("{file}.refused")).try_exists()? {
        return Ok(Answered::Refused);
    }
    let answer = match File::open(folder.join(format!("{file}.archived"))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Answered::Open),
        answer => answer?,
    };
    let mut bytes = Vec::new();
    answer.take(MOST_ANSWER).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // A file that somebody is just writing may still be empty.
    let name: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Ok(if name.is_empty() { Answered::Open } else { Answered::Archived(name) })
}

/// Packages of this name that are not whole.
fn unfinished(folder: &Path, file: &str) -> io::Result<Vec<PathBuf>> {
    let begin = format!(".{file}.");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(&begin)).is_some_and(|rest| rest.ends_with("part"))
        {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn mark(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.sent"))
}

fn lock(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(folder: &Path) -> Attempt {
        Attempt::begin(folder, "a.tgz").unwrap().unwrap()
    }

    #[test]
    fn a_package_has_appeared_if_its_mark_is_there_and_nothing_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let appeared = || has_appeared(path, "a.tgz").unwrap();
        assert!(!appeared());
        let attempt = begun(path);
        fs::write(&attempt.part, "…").unwrap();
        assert!(!appeared(), "only begun");
        fs::write(mark(path, "a.tgz"), "").unwrap();
        assert!(!appeared(), "about to appear");
        attempt.finish().unwrap();
        assert!(appeared());
        fs::remove_file(path.join("a.tgz")).unwrap();
        assert!(appeared(), "taken away");
        assert!(Attempt::begin(path, "a.tgz").unwrap().is_none(), "it is not made again");
        fs::remove_file(mark(path, "a.tgz")).unwrap();
        fs::write(path.join("a.tgz.refused"), "").unwrap();
        assert!(appeared(), "whoever refused it has had it");
    }

    #[test]
    fn whoever_begins_anew_removes_the_mark_before_what_is_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let left = path.join(".a.tgz.part");
        fs::create_dir_all(left.join("data")).unwrap();
        fs::write(mark(path, "a.tgz"), "").unwrap();
        let attempt = begun(path);
        assert!(!mark(path, "a.tgz").exists() && !left.exists());
        drop(attempt);
        assert!(!has_appeared(path, "a.tgz").unwrap(), "an attempt that ends early leaves no mark");
    }

    #[test]
    fn one_attempt_packs_and_each_has_a_part_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let one = begun(path);
        fs::write(&one.part, "half").unwrap();
        assert_eq!(Attempt::begin(path, "a.tgz").unwrap_err().code, "archive.being-packed");
        assert!(one.part.exists(), "nobody touches what another is at");
        let part = one.part.clone();
        drop(one);
        let other = begun(path);
        assert_ne!(other.part, part);
        fs::write(&other.part, "whole").unwrap();
        other.finish().unwrap();
        assert_eq!(fs::read_to_string(path.join("a.tgz")).unwrap(), "whole");
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".a.tgz.sent", "a.tgz"]);
    }

    #[test]
    fn an_answer_is_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let say =
            |ending: &str, text: &str| fs::write(folder.path().join(format!("a.{ending}")), text).unwrap();
        let answered = || answered(folder.path(), "a").unwrap();
        assert_eq!(answered(), Answered::Open);
        say("archived", "");
        assert_eq!(answered(), Answered::Open, "somebody is just writing it");
        say("archived", " A 12/3 \nmore");
        assert_eq!(answered(), Answered::Archived("A 12/3".into()));
        say("refused", "");
        assert_eq!(answered(), Answered::Refused);
    }
}
