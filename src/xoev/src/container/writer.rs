//! Writes a container to a sink that cannot seek.
//!
//! Sizes are known only afterwards and stand in data descriptors. All entries are deflated, since
//! receivers that read the container as a stream refuse stored entries with descriptors; what is
//! compressed already is deflated with level 0, which only frames it. No time is written, so that the
//! same message gives the same bytes.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};

/// Endings of formats that are compressed already.
const COMPRESSED: [&str; 14] =
    ["pdf", "zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "jpg", "jpeg", "png", "msg", "mp4", "gz"];

/// Attributes of a plain file that everybody may read.
const PLAIN_FILE: u32 = 0o100_644;

/// Writes entries one after the other.
pub struct ContainerWriter<W: Write> {
    archive: ZipArchiveWriter<W>,
}

impl<W: Write> ContainerWriter<W> {
    /// A container that goes to `sink`.
    pub fn new(sink: W) -> Self {
        ContainerWriter { archive: ZipArchiveWriter::new(sink) }
    }

    /// Writes an entry with what `content` writes into it.
    ///
    /// # Errors
    /// If `content` or the sink fails.
    pub fn entry<T, E: From<io::Error>>(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> Result<T, E>,
    ) -> Result<T, E> {
        let builder = self.archive.new_file(name);
        // Said to be of Unix, since Info-ZIP mistakes the UTF-8 names of others.
        let builder = builder.compression_method(CompressionMethod::DEFLATE).unix_permissions(PLAIN_FILE);
        let (mut entry, config) = builder.start().map_err(to_io)?;
        let mut data = config.wrap(DeflateEncoder::new(&mut entry, level(name)));
        let value = content(&mut data)?;
        let (encoder, descriptor) = data.finish().map_err(to_io)?;
        encoder.finish()?;
        entry.finish(descriptor).map_err(to_io)?;
        Ok(value)
    }

    /// Writes the central directory and gives the sink back.
    ///
    /// # Errors
    /// If the sink fails.
    pub fn finish(self) -> io::Result<W> {
        self.archive.finish().map_err(to_io)
    }
}

fn level(name: &str) -> Compression {
    let ending = name.rsplit('.').next().unwrap_or_default();
    let is_compressed = COMPRESSED.iter().any(|known| known.eq_ignore_ascii_case(ending));
    if is_compressed { Compression::none() } else { Compression::fast() }
}

fn to_io(error: rawzip::Error) -> io::Error {
    match error.into_kind() {
        rawzip::ErrorKind::IO(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
