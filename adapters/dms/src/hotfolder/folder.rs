//! Files in folders that others use, too: what is written stands aside until it is whole and durable, then it is there by one move. What
//! is the gateway's own stands in `.amtsbote`, which is on the same file system, so that a move is one.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::Failure;
use tempfile::TempPath;
use tokio::fs::{self, File};
use tokio::task::spawn_blocking;

use crate::failure;

/// The gateway's own folder in each of them.
pub(super) const OWN: &str = ".amtsbote";

/// Most files that are counted or looked at in one session.
pub(super) const MOST_FILES: usize = 20_000;

/// Longest name of a file, in bytes.
const NAME_BYTES: usize = 200;

/// A folder of the gateway's own within one of others; made if it is not there.
pub(super) async fn own(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let own = folder.join(OWN).join(name);
    // The folder itself is never made: if a share is not mounted, nothing must be put in its place.
    if !fs::metadata(folder).await.is_ok_and(|found| found.is_dir()) {
        return Err(unusable("the folder is not there"));
    }
    fs::create_dir_all(&own).await.map_err(unwritable)?;
    Ok(own)
}

/// Moves a file that is durable to its place, durably, unless there is one already: then nothing has happened, and the failure is
/// `dms.folder-full`.
pub(super) async fn place(from: &Path, to: &Path) -> Result<(), Failure> {
    let (source, target) = (from.to_owned(), to.to_owned());
    let moved = spawn_blocking(move || move_where_nothing_is(&source, &target)).await;
    match moved.map_err(|_| failure::unavailable())? {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(failure::not_taken_yet()),
        moved => moved.map_err(unwritable)?,
    }
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        sync_folder(folder).await?;
    }
    Ok(())
}

/// In one step where the file system can, otherwise by a link and a removal: either fails if the name is taken. Where there is neither,
/// the last look stands a moment before the move.
fn move_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = TempPath::try_from_path(from)?;
    source.disable_cleanup(true);
    let refused = match source.persist_noclobber(to) {
        Ok(()) => return Ok(()),
        Err(refused) => refused.error,
    };
    match refused.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied if !to.try_exists()? => {
            std::fs::rename(from, to)
        }
        _ => Err(refused),
    }
}

/// Writes a small file, durably, over any that was there.
pub(super) async fn write_small(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let part = path.with_extension("part");
    fs::write(&part, bytes).await.map_err(unwritable)?;
    let file = File::open(&part).await.map_err(unwritable)?;
    file.sync_all().await.map_err(unwritable)?;
    fs::rename(&part, path).await.map_err(unwritable)?;
    sync_folder(path.parent().unwrap_or(path)).await
}

/// Some file systems of shares do not know this; what they keep is theirs to say.
async fn sync_folder(folder: &Path) -> Result<(), Failure> {
    let opened = File::open(folder).await.map_err(unwritable)?;
    match opened.sync_all().await {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        outcome => outcome.map_err(unwritable),
    }
}

/// Whether a name may stand in the folder: one part, not hidden, not too long.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && !name.starts_with(['.', '~'])
        && !name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c))
}

/// Whether a file under this name is still being written, by the habit of those who write.
pub(super) fn is_unfinished(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".part", ".tmp", ".temp", ".filepart", ".crdownload", ".writing", ".lock"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// How many files stand in a folder, at most [`MOST_FILES`].
pub(super) async fn waiting(folder: &Path) -> Result<usize, Failure> {
    let mut entries = fs::read_dir(folder).await.map_err(unreadable)?;
    let mut count = 0;
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        count += usize::from(entry.file_name().to_str().is_none_or(|name| !name.starts_with('.')));
        if count >= MOST_FILES {
            break;
        }
    }
    Ok(count)
}

/// Whether a folder is there and can be written.
pub(super) async fn check(folder: &Path) -> Result<(), Failure> {
    let own = own(folder, "").await?;
    let probe = own.join("probe");
    write_small(&probe, b"Amtsbote").await?;
    fs::remove_file(&probe).await.map_err(unwritable)
}

/// Whether both are one file; not if one of them is not there.
pub(super) async fn is_same(a: &Path, b: &Path) -> bool {
    let (a, b) = (fs::symlink_metadata(a).await, fs::symlink_metadata(b).await);
    let ids = [a, b].map(|found| found.ok().map(|found| (found.dev(), found.ino())));
    ids[0].is_some() && ids[0] == ids[1]
}

pub(super) fn unusable(what: &'static str) -> Failure {
    failure::folder(what)
}

pub(super) fn unreadable(_: io::Error) -> Failure {
    failure::folder("the folder or a file in it cannot be read")
}

pub(super) fn unwritable(_: io::Error) -> Failure {
    failure::folder("the folder cannot be written, or the disk is full")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_visible_part_and_what_is_being_written_is_left_alone() {
        for good in ["a.zip", "0198c0de_Abgabe.Abgabe.0401.zip", "Übergabe 1.zip"] {
            assert!(is_name(good) && !is_unfinished(good), "{good}");
        }
        for bad in ["", ".a", "~$a", "a/b", "..", "a\\b", "a\nb", "a:b", &"a".repeat(201)] {
            assert!(!is_name(bad), "{bad}");
        }
        for unfinished in ["a.zip.part", "A.TMP", "b.filepart"] {
            assert!(is_unfinished(unfinished), "{unfinished}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not-mounted");
        assert_eq!(check(&missing).await.unwrap_err().code, "dms.folder");
        assert!(!missing.exists());
        check(folder.path()).await.unwrap();
    }
}
