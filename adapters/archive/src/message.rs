//! The transfer message (0503 of xdomea) as an archive gets it: spooled to a file, so that it can be read as often as needed, and taken
//! apart into its metadata and its primary documents. Containers are judged by the rules of `xoev`, flat and with harmless names.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use model::adapter::Source;
use model::{Failure, Report};
use seal::hash::{Algorithm, Hasher};
use tokio::io::AsyncReadExt;
use xoev::container::{Container, Limits, is_container, is_harmless};
use xoev::xdomea::messages::FileName;

use crate::adapter::nameless;
use crate::codes::{io_failed, not_understood};

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// A message on disk, without a name.
pub(crate) struct Message {
    file: File,
    container: Option<Container>,
    /// The entry that is the metadata, if it is a container.
    own: usize,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name in the container.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Digests, in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) md5: String,
    /// Whether it is the message itself, which describes all others.
    pub(crate) is_metadata: bool,
    /// Which entry of the container it is.
    entry: usize,
}

/// Copies a delivered message to a file. The file has no name and is gone when it is closed, also by a crash.
pub(crate) async fn spool(source: &dyn Source, folder: Option<&Path>) -> Result<File, Failure> {
    let mut file = tokio::fs::File::from_std(nameless(folder)?);
    let mut content = source.open().await?;
    let mut piece = vec![0; BUFFER];
    loop {
        let read = content.read(&mut piece).await.map_err(io_failed)?;
        if read == 0 {
            break;
        }
        tokio::io::AsyncWriteExt::write_all(&mut file, &piece[..read]).await.map_err(io_failed)?;
    }
    tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(io_failed)?;
    Ok(file.into_std().await)
}

impl Message {
    /// Takes a message apart.
    ///
    /// # Errors
    /// [`not_understood`] if it is a container that nobody could read safely, or holds no message.
    pub(crate) fn open(mut file: File) -> Result<Self, Failure> {
        if !is_container(&mut file).map_err(io_failed)? {
            return Ok(Message { file, container: None, own: 0 });
        }
        let mut report = Report::default();
        let container = Container::open(&mut file, &Limits::default(), &mut report).map_err(io_failed)?;
        let container = container.ok_or_else(|| not_understood("its container cannot be read"))?;
        let entries = container.entries();
        if entries.iter().any(|entry| !is_harmless(entry.name())) {
            return Err(not_understood("a file in its container has a name that leads elsewhere"));
        }
        let is_message =
            |name: &str| name.to_ascii_lowercase().ends_with(".xml") && FileName::parse(name).is_some();
        let mut own =
            entries.iter().enumerate().filter(|(_, entry)| is_message(entry.name())).map(|(index, _)| index);
        let (Some(index), None) = (own.next(), own.next()) else {
            return Err(not_understood("its container does not hold exactly one message"));
        };
        Ok(Message { file, own: index, container: Some(container) })
    }

    /// The file itself, from its beginning.
    pub(crate) fn whole(&mut self) -> Result<&mut File, Failure> {
        self.file.seek(SeekFrom::Start(0)).map_err(io_failed)?;
        Ok(&mut self.file)
    }

    /// Its files, the metadata first, each hashed. `name` is what the metadata are called if the message is no container.
    pub(crate) fn parts(&mut self, name: &str) -> Result<Vec<Part>, Failure> {
        let mut found = Vec::new();
        let entries: Vec<(usize, String)> = match &self.container {
            Some(container) => {
                container.entries().iter().map(|entry| entry.name().to_owned()).enumerate().collect()
            }
            None => vec![(0, name.to_owned())],
        };
        for (entry, name) in entries {
            let is_metadata = entry == self.own;
            let mut part =
                Part { name, size: 0, sha256: String::new(), md5: String::new(), is_metadata, entry };
            let mut sink = Hashing::new()?;
            io::copy(&mut self.read(&part)?, &mut sink).map_err(broken)?;
            (part.size, part.sha256, part.md5) = sink.finish()?;
            found.push(part);
        }
        // Documents stand in the order of their names, behind what describes them.
        found.sort_by_key(|part| !part.is_metadata);
        Ok(found)
    }

    /// The bytes of a part.
    pub(crate) fn read(&mut self, part: &Part) -> Result<Box<dyn Read + '_>, Failure> {
        match &self.container {
            Some(container) => Ok(Box::new(container.read(&mut self.file, part.entry).map_err(broken)?)),
            None => {
                self.file.seek(SeekFrom::Start(0)).map_err(io_failed)?;
                Ok(Box::new(BufReader::with_capacity(BUFFER, &mut self.file)))
            }
        }
    }
}

/// A container whose bytes are not what it says is not understood; anything else is our disk.
pub(crate) fn broken(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => not_understood("a file in its container is damaged"),
        _ => io_failed(error),
    }
}

/// Hashes and counts.
struct Hashing {
    size: u64,
    sha256: Hasher,
    md5: Hasher,
}

impl Hashing {
    fn new() -> Result<Self, Failure> {
        let hasher = |algorithm| {
            Hasher::new(algorithm).map_err(|error| Failure::permanent(error.code(), error.to_string()))
        };
        Ok(Hashing { size: 0, sha256: hasher(Algorithm::Sha256)?, md5: hasher(Algorithm::Md5)? })
    }

    fn finish(self) -> Result<(u64, String, String), Failure> {
        let digest = |hasher: Hasher| {
            hasher
                .finish()
                .map(hex::encode)
                .map_err(|error| Failure::permanent(error.code(), error.to_string()))
        };
        Ok((self.size, digest(self.sha256)?, digest(self.md5)?))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha256.write_all(bytes)?;
        self.md5.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
