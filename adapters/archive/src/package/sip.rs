//! Packages for DA NRW: a bag with PREMIS 2.2 and MD5 manifests in one folder, as tar, gzipped tar or ZIP (DNSCore, SIP specification).

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::Failure;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::bag::{self, Sink};
use super::{Package, premis};
use crate::codes::io_failed;
use crate::message::Message;
use crate::submit::folder::Attempt;
use crate::{Container, Rights};

/// Entries from this size on need ZIP64.
const LARGE: u64 = 0xffff_0000;

/// The file name of a package.
pub(crate) fn file_name(name: &str, container: Container) -> String {
    let ending = match container {
        Container::Tgz => "tgz",
        Container::Zip => "zip",
        Container::Tar => "tar",
    };
    format!("{name}.{ending}")
}

/// Writes a package into `folder`; it appears there at once and whole.
pub(crate) fn write(
    folder: &Path,
    package: &Package,
    message: &mut Message,
    container: Container,
    rights: &Rights,
) -> Result<(), Failure> {
    // Another attempt may have been quicker.
    let Some(attempt) = Attempt::begin(folder, &file_name(&package.name, container))? else { return Ok(()) };
    let file = File::create_new(&attempt.part).map_err(io_failed)?;
    let premis = bag::premis(|writer| premis::write_danrw(writer, package, rights))?;
    let payload = [("premis.xml", premis)];
    let out = BufWriter::with_capacity(64 * 1024, file);
    let file = match container {
        Container::Zip => {
            let mut sink = Zip { folder: package.name.clone(), archive: ZipWriter::new(out) };
            bag::write(&mut sink, package, message, bag::DA_NRW, &payload, &[])?;
            sink.archive.finish().map_err(|error| io_failed(error.into()))?
        }
        Container::Tar => {
            let mut sink = Tar::new(package, out);
            bag::write(&mut sink, package, message, bag::DA_NRW, &payload, &[])?;
            sink.archive.into_inner().map_err(io_failed)?
        }
        Container::Tgz => {
            let mut sink = Tar::new(package, GzEncoder::new(out, Compression::fast()));
            bag::write(&mut sink, package, message, bag::DA_NRW, &payload, &[])?;
            sink.archive.into_inner().and_then(GzEncoder::finish).map_err(io_failed)?
        }
    };
    let file = file.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_all()).and_then(|()| attempt.finish()).map_err(io_failed)
}

struct Tar<W: Write> {
    folder: String,
    seconds: u64,
    archive: tar::Builder<W>,
}

impl<W: Write> Tar<W> {
    fn new(package: &Package, out: W) -> Self {
        let seconds = u64::try_from(package.made.micros() / 1_000_000).unwrap_or(0);
        Tar { folder: package.name.clone(), seconds, archive: tar::Builder::new(out) }
    }
}

impl<W: Write> Sink for Tar<W> {
    fn file(&mut self, path: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(self.seconds);
        let mut content = Exactly { left: size, content };
        self.archive.append_data(&mut header, format!("{}/{path}", self.folder), &mut content)
    }
}

struct Zip<W: Write + io::Seek> {
    folder: String,
    archive: ZipWriter<W>,
}

impl<W: Write + io::Seek> Sink for Zip<W> {
    fn file(&mut self, path: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let options = SimpleFileOptions::default().large_file(size >= LARGE).unix_permissions(0o644);
        self.archive.start_file(format!("{}/{path}", self.folder), options)?;
        io::copy(&mut Exactly { left: size, content }, &mut self.archive)?;
        Ok(())
    }
}

/// Content that must have the size that was said before.
struct Exactly<'a> {
    left: u64,
    content: &'a mut dyn Read,
}

impl Read for Exactly<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(target)?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "another size");
        self.left = self.left.checked_sub(read as u64).ok_or_else(wrong)?;
        if read == 0 && self.left > 0 && !target.is_empty() { Err(wrong()) } else { Ok(read) }
    }
}
