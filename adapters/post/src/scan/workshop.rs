//! The folder in which tools work for a session. It has one name for each hot folder, so what a gateway that was killed has left there is found and
//! removed by the next session; a lock keeps that from removing what is still worked with.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use seal::sha256;

use super::settings::Settings;

const LOCK: &str = ".lock";

/// The folder, ours until this is dropped.
pub(super) struct Workshop {
    path: PathBuf,
    _lock: File,
}

impl Workshop {
    /// Makes the folder or empties it.
    ///
    /// # Errors
    /// If it cannot be written, is somebody else's, or another session works in it.
    pub(super) fn open(settings: &Settings) -> io::Result<Self> {
        let base = settings.temporary.clone().unwrap_or_else(std::env::temp_dir);
        let hot = fs::canonicalize(&settings.folder)?;
        let of = sha256(&[settings.id.as_bytes(), b"\0", hot.as_os_str().as_encoded_bytes()]).to_string();
        let path = base.join(format!("amtsbote-scan-{}", &of[..16]));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // Others may put a folder or a link of that name where everybody may write.
        let meta = fs::symlink_metadata(&path)?;
        if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let workshop = Workshop { path, _lock: lock };
        workshop.empty()?;
        Ok(workshop)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn empty(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // The next session would do so, too.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_removed_and_what_is_worked_with_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("scan", folder.path());
        settings.temporary = Some(folder.path().to_owned());
        let first = Workshop::open(&settings).unwrap();
        let path = first.path().to_owned();
        fs::create_dir(path.join("left")).unwrap();
        fs::write(path.join("left/page.pgm"), b"P5").unwrap();
        assert!(Workshop::open(&settings).is_err(), "another session works in it");
        assert!(path.join("left").exists());
        // As if it had been killed: the lock goes with it, the folder stays.
        let Workshop { path: _, _lock } = &first;
        flock(_lock, FlockOperation::Unlock).unwrap();
        std::mem::forget(first);
        let second = Workshop::open(&settings).unwrap();
        assert_eq!((second.path(), path.join("left").exists()), (path.as_path(), false));
        drop(second);
        assert!(!path.exists());
        std::os::unix::fs::symlink(folder.path(), &path).unwrap();
        assert!(Workshop::open(&settings).is_err(), "a link of somebody else's");
    }
}
