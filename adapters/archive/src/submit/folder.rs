//! Folders that packages are dropped into, and how a crash in the middle leaves no doubt: a mark is made durable before the package appears
//! by renaming, so that mark and no unfinished package mean that it has appeared, also if somebody has taken it away since.
//!
//! Who collects bags from a plain folder answers by a small file beside: `NAME.archived`, whose first line is what the archive calls the
//! package, or `NAME.refused`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
    let is_begun = part(folder, file).try_exists()?;
    Ok(folder.join(file).try_exists()? || (mark(folder, file).try_exists()? && !is_begun))
}

/// Makes the mark, right before a package appears.
pub(crate) fn set_mark(folder: &Path, file: &str) -> io::Result<()> {
    File::create(mark(folder, file))?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Takes the mark of a package away that is archived or given up.
pub(crate) fn remove_mark(folder: &Path, file: &str) -> io::Result<()> {
    match fs::remove_file(mark(folder, file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
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
    let name: String = text.lines().next().unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(200).collect();
    Ok(if name.is_empty() { Answered::Open } else { Answered::Archived(name) })
}

/// A package that is not whole yet.
pub(crate) fn part(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.part"))
}

fn mark(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.sent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_appeared_if_its_mark_is_there_and_nothing_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let appeared = || has_appeared(path, "a.tgz").unwrap();
        assert!(!appeared());
        fs::write(part(path, "a.tgz"), "…").unwrap();
        assert!(!appeared(), "only begun");
        set_mark(path, "a.tgz").unwrap();
        assert!(!appeared(), "about to appear");
        fs::rename(part(path, "a.tgz"), path.join("a.tgz")).unwrap();
        assert!(appeared());
        fs::remove_file(path.join("a.tgz")).unwrap();
        assert!(appeared(), "taken away");
        remove_mark(path, "a.tgz").unwrap();
        remove_mark(path, "a.tgz").unwrap();
        assert!(!appeared());
    }

    #[test]
    fn an_answer_is_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let say = |ending: &str, text: &str| fs::write(folder.path().join(format!("a.{ending}")), text).unwrap();
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
