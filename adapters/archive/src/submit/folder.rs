//! Folders that packages are dropped into, and how a crash in the middle leaves no doubt: a mark is made durable before the package appears
//! by renaming, so that mark and no unfinished package mean that it has appeared, also if somebody has taken it away since.
//!
//! Who collects bags from a plain folder answers by a small file beside: `NAME.archived`, whose first line is what the archive calls the
//! package, or `NAME.refused`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::Id;

/// Most bytes of an answer that are read.
const MOST_ANSWER: u64 = 4 * 1024;
/// Most bytes of a mark.
const MOST_MARK: u64 = 1 << 20;

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

/// Makes the mark, right before a package appears: a line for each object that it holds.
pub(crate) fn set_mark(folder: &Path, file: &str, objects: &[Id]) -> io::Result<()> {
    let mut made = File::create(mark(folder, file))?;
    let lines: String = objects.iter().map(|id| format!("{id}\n")).collect();
    made.write_all(lines.as_bytes())?;
    made.sync_all()?;
    File::open(folder)?.sync_all()
}

/// The objects of a package that has appeared; `None` if its mark is gone or damaged.
pub(crate) fn objects(folder: &Path, file: &str) -> io::Result<Option<Vec<Id>>> {
    let made = match File::open(mark(folder, file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        made => made?,
    };
    let mut text = String::new();
    made.take(MOST_MARK).read_to_string(&mut text)?;
    let objects: Option<Vec<Id>> = text.lines().map(|line| line.parse().ok()).collect();
    Ok(objects.filter(|objects| !objects.is_empty()))
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

/// A package that is not whole yet.
pub(crate) fn part(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.part"))
}

fn mark(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!(".{file}.sent"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_package_has_appeared_if_its_mark_is_there_and_nothing_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let appeared = || has_appeared(path, "a.tgz").unwrap();
        assert!(!appeared());
        fs::write(part(path, "a.tgz"), "…").unwrap();
        assert!(!appeared(), "only begun");
        let object = Id::from_u128(7);
        set_mark(path, "a.tgz", &[object]).unwrap();
        assert!(!appeared(), "about to appear");
        fs::rename(part(path, "a.tgz"), path.join("a.tgz")).unwrap();
        assert!(appeared());
        fs::remove_file(path.join("a.tgz")).unwrap();
        assert!(appeared(), "taken away");
        assert_eq!(objects(path, "a.tgz").unwrap(), Some(vec![object]));
        assert_eq!(objects(path, "b.tgz").unwrap(), None);
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
