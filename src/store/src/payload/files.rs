//! The files of payloads: names, syncs, removal. Every function blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Id;

use crate::Error;
use crate::error::stop_the_process;

/// The folder of payloads; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Files(Arc<Path>);

/// A part of a payload's name in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Segment(u64),
    Digests,
}

impl Part {
    /// Path within the folder of payloads. By the id's last byte: the first ones of a UUIDv7 hardly change.
    pub(crate) fn name(self, id: Id) -> String {
        let folder = hex::encode(&id.as_bytes()[15..]);
        match self {
            Part::Segment(number) => format!("{folder}/{id}.{number}"),
            Part::Digests => format!("{folder}/{id}.digests"),
        }
    }
}

impl Files {
    /// Makes the folder and its 256 subfolders durable, so that a writer has to sync its subfolder alone.
    pub(crate) async fn open(root: PathBuf) -> Result<Files, Error> {
        let files = Files(root.into());
        let opened = files.clone();
        tokio::task::spawn_blocking(move || opened.create_folders()).await.map_err(super::stopped)??;
        Ok(files)
    }

    fn create_folders(&self) -> io::Result<()> {
        make_folder(&self.0, true)?;
        for number in 0..=u8::MAX {
            make_folder(&self.0.join(hex::encode([number])), false)?;
        }
        sync_folder(&self.0);
        if let Some(parent) = self.0.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent);
        }
        Ok(())
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// All subfolders.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        (0..=u8::MAX).map(|number| self.0.join(hex::encode([number])))
    }

    /// See [`Part::name`].
    pub(crate) fn folder_of(&self, id: Id) -> PathBuf {
        self.0.join(hex::encode(&id.as_bytes()[15..]))
    }

    pub(crate) fn path(&self, id: Id, part: Part) -> PathBuf {
        self.0.join(part.name(id))
    }

    pub(crate) fn create(&self, id: Id, part: Part) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(id, part))
    }

    /// Opens a part that exists, to be written from `length` bytes on; what lies behind is cut off.
    pub(crate) fn open_at(&self, id: Id, part: Part, length: u64) -> Result<File, Error> {
        let opened = OpenOptions::new().write(true).open(self.path(id, part));
        let mut file = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Corrupt { what: "upload" },
            _ => error.into(),
        })?;
        if file.metadata()?.len() < length {
            return Err(Error::Corrupt { what: "upload" });
        }
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    pub(crate) fn read_digests(&self, id: Id) -> Result<Vec<[u8; 32]>, Error> {
        let bytes = fs::read(self.path(id, Part::Digests)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Corrupt { what: "digests" },
            _ => error.into(),
        })?;
        let (digests, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() { Ok(digests.to_vec()) } else { Err(Error::Corrupt { what: "digests" }) }
    }

    /// Removes the payload's segments and keeps its digests.
    pub(crate) fn remove_segments(&self, id: Id) -> io::Result<()> {
        self.remove_segments_from(id, 0)?;
        sync_folder(&self.folder_of(id));
        Ok(())
    }

    /// Removes the segments from number `first` on.
    pub(crate) fn remove_segments_from(&self, id: Id, first: u64) -> io::Result<()> {
        for number in first.. {
            if !self.remove(id, Part::Segment(number))? {
                break;
            }
        }
        Ok(())
    }

    /// Removes a part; `false` if it is not there.
    pub(crate) fn remove(&self, id: Id, part: Part) -> io::Result<bool> {
        match fs::remove_file(self.path(id, part)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Removes everything of a payload that will never have a row.
    pub(crate) fn remove_all(&self, id: Id) -> io::Result<()> {
        self.remove(id, Part::Digests)?;
        self.remove_segments(id)
    }
}

/// Which payload and part a file's name stands for; `None` if it is none of ours.
pub(crate) fn parse(name: &str) -> Option<(Id, Part)> {
    let (id, part) = name.rsplit_once('.')?;
    let part = match part {
        "digests" => Part::Digests,
        number => Part::Segment(number.parse().ok()?),
    };
    Some((id.parse().ok()?, part))
}

fn make_folder(path: &Path, with_parents: bool) -> io::Result<()> {
    match DirBuilder::new().recursive(with_parents).mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

/// Makes a file's bytes durable; if that fails, the process stops.
pub(crate) fn sync_file(file: &File) {
    if let Err(error) = file.sync_all() {
        stop_the_process("payload segment", &error.kind().to_string());
    }
}

/// Makes the names in a folder durable; if that fails, the process stops.
pub(crate) fn sync_folder(path: &Path) {
    if let Err(error) = File::open(path).and_then(|folder| folder.sync_all()) {
        stop_the_process("payload folder", &error.kind().to_string());
    }
}
