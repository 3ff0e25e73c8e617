//! Key files: readable by their owner only, created whole or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{Error, Result};

/// No key in any form that we read is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a key file; refuses one that others may read.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path).map_err(Error::KeyFile)?;
    let metadata = file.metadata().map_err(Error::KeyFile)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Error::KeyPermissions);
        }
    }
    if metadata.len() > MAX_BYTES {
        return Err(Error::KeyFormat);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(Error::KeyFile)?;
    Ok(bytes)
}

/// What `file:PATH` (read like [`read`]) or `env:NAME` refers to.
pub(crate) fn resolve(reference: &str) -> Result<Zeroizing<Vec<u8>>> {
    if let Some(path) = reference.strip_prefix("file:") {
        return read(Path::new(path));
    }
    let name = reference.strip_prefix("env:").ok_or(Error::KeyReference)?;
    let text = std::env::var(name).map_err(|_| Error::KeyReference)?;
    Ok(Zeroizing::new(text.into_bytes()))
}

/// Creates a key file with mode 0600, synced with its folder. Returns `false`, leaving the file alone, if there is one.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    create_synced(path, bytes).map_err(Error::KeyFile)
}

fn create_synced(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Written aside and linked into place: a crash leaves no half key, and of two first starts one wins.
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let aside = Path::new(&aside);
    // Left by a crashed start with the same process id, as in a container.
    if aside.exists() {
        std::fs::remove_file(aside)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(aside)?;
    let linked =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(aside, path));
    std::fs::remove_file(aside)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    File::open(folder)?.sync_all()?;
    Ok(true)
}
