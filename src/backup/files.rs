//! Files of a backup: copied, linked, hashed. Each is for its owner's eyes only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use seal::Sha256Writer;
use serde::{Deserialize, Serialize};

/// Bytes that are copied at once.
const BUFFER: usize = 1 << 20;

/// What a file has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    /// Hex.
    pub(super) sha256: String,
}

/// A file that is written and hashed.
pub(super) struct Hashed {
    file: BufWriter<File>,
    hash: Sha256Writer,
}

impl Hashed {
    /// A new file; its folder is made.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Hashed { file: BufWriter::with_capacity(BUFFER, file), hash: Sha256Writer::new() })
    }

    /// Makes it durable.
    pub(super) fn finish(self) -> io::Result<Sum> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Sum { bytes: self.hash.size(), sha256: self.hash.finish().to_string() })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Copies a file; `on` is told of its bytes.
pub(super) fn copy(from: &Path, to: &Path, on: &dyn Fn(u64)) -> io::Result<Sum> {
    let mut from = File::open(from)?;
    let mut to = Hashed::create(to)?;
    read(&mut from, |bytes| {
        on(bytes.len() as u64);
        to.write_all(bytes)
    })?;
    to.finish()
}

/// What a file is.
pub(super) fn sum(path: &Path, on: &dyn Fn(u64)) -> io::Result<Sum> {
    let mut hash = Sha256Writer::new();
    read(&mut File::open(path)?, |bytes| {
        on(bytes.len() as u64);
        hash.update(bytes);
        Ok(())
    })?;
    Ok(Sum { bytes: hash.size(), sha256: hash.finish().to_string() })
}

fn read(from: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => each(buffer.get(..count).unwrap_or_default())?,
        }
    }
}

/// The same file under another name, if both lie on one disk and it has the size that it should.
pub(super) fn link(from: &Path, to: &Path, sum: &Sum) -> bool {
    let is_whole = fs::metadata(from).is_ok_and(|metadata| metadata.is_file() && metadata.len() == sum.bytes);
    let folder = to.parent().map_or(Ok(()), make_folder);
    is_whole && folder.is_ok() && fs::hard_link(from, to).is_ok()
}

/// All files below a folder, as paths within it; none if there is no folder.
pub(super) fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&inside)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes the names in a folder and in those below it durable.
pub(super) fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// `PATH` with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder in which a path's name stands.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
