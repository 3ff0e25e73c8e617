//! BagIt (RFC 8493): payload, manifests and tag files, written to anything that takes files in order.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::Failure;
use seal::hash::{Algorithm, digest};

use super::Package;
use crate::codes::{io_failed, not_understood};
use crate::message::{Message, broken};
use crate::submit::folder::Attempt;

/// Takes the files of a bag, in order.
pub(crate) trait Sink {
    /// Writes a file of exactly `size` bytes. `path` has `/` between folders, and each part is a harmless name.
    fn file(&mut self, path: &str, size: u64, content: &mut dyn Read) -> io::Result<()>;
}

/// Which bag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Algorithm of the manifests.
    pub(crate) algorithm: Algorithm,
    /// Name of it in file names.
    pub(crate) name: &'static str,
    /// Two files of one folder must differ by more than their endings (DA NRW takes them for one document).
    pub(crate) distinct_documents: bool,
}

/// As RFC 8493 recommends by and large.
pub(crate) const PLAIN: Form =
    Form { algorithm: Algorithm::Sha256, name: "sha256", distinct_documents: false };

/// As DA NRW reads them.
pub(crate) const DA_NRW: Form = Form { algorithm: Algorithm::Md5, name: "md5", distinct_documents: true };

/// Small files of a bag beside its documents: path and content.
type Extra<'a> = &'a [(&'static str, Vec<u8>)];

/// Writes a bag: the documents, `payload` beside them under `data/`, `tags` beside the tag files.
pub(crate) fn write(
    sink: &mut dyn Sink,
    package: &Package,
    message: &mut Message,
    form: Form,
    payload: Extra<'_>,
    tags: Extra<'_>,
) -> Result<(), Failure> {
    let mut manifest = String::new();
    let (mut size, mut count) = (package.size(), package.parts.len());
    let mut stems = BTreeSet::new();
    for (path, bytes) in payload {
        let path = format!("data/{path}");
        stems.insert(stem(&path).to_owned());
        line(&mut manifest, &hash(form, bytes)?, &path);
        sink.file(&path, bytes.len() as u64, &mut &bytes[..]).map_err(io_failed)?;
        (size, count) = (size + bytes.len() as u64, count + 1);
    }
    let names: BTreeSet<&str> = package.parts.iter().map(|(part, _)| part.name.as_str()).collect();
    for (part, _) in &package.parts {
        let path = place(&part.name, form, &names, &mut stems);
        let known = if form.algorithm == Algorithm::Md5 { &part.md5 } else { &part.sha256 };
        line(&mut manifest, known, &path);
        sink.file(&path, part.size, &mut *message.read(part)?).map_err(broken)?;
    }
    let mut tag_files: Vec<(String, Vec<u8>)> = vec![
        ("bagit.txt".into(), b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n".to_vec()),
        ("bag-info.txt".into(), info(package, size, count).into_bytes()),
        (format!("manifest-{}.txt", form.name), manifest.into_bytes()),
    ];
    tag_files.extend(tags.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())));
    let mut tag_manifest = String::new();
    for (path, bytes) in &tag_files {
        line(&mut tag_manifest, &hash(form, bytes)?, path);
        sink.file(path, bytes.len() as u64, &mut &bytes[..]).map_err(io_failed)?;
    }
    let path = format!("tagmanifest-{}.txt", form.name);
    sink.file(&path, tag_manifest.len() as u64, &mut tag_manifest.as_bytes()).map_err(io_failed)
}

/// Where a document lies. A second one that would be taken for the same gets a folder of its own, which is called as none of the documents.
fn place(name: &str, form: Form, names: &BTreeSet<&str>, stems: &mut BTreeSet<String>) -> String {
    let plain = format!("data/{name}");
    if !form.distinct_documents {
        return plain;
    }
    let mut path = plain;
    let mut number = 1;
    while !stems.insert(stem(&path).to_owned()) {
        number += 1;
        while names.contains(number.to_string().as_str()) {
            number += 1;
        }
        path = format!("data/{number}/{name}");
    }
    path
}

fn stem(path: &str) -> &str {
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    path[file..].rfind('.').map_or(path, |dot| &path[..file + dot])
}

/// RFC 8493, section 2.1.3: line ends and percent signs of paths are encoded.
fn line(manifest: &mut String, digest: &str, path: &str) {
    let path = path.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    manifest.push_str(&format!("{digest}  {path}\n"));
}

fn info(package: &Package, size: u64, count: usize) -> String {
    let one_line = |text: &str| text.replace(['\r', '\n'], " ");
    let mut lines = vec![
        ("Source-Organization", one_line(&package.organisation)),
        ("Bagging-Date", package.day()),
        ("Bag-Software-Agent", concat!("Amtsbote ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("Payload-Oxum", format!("{size}.{count}")),
        ("Internal-Sender-Identifier", package.delivery.to_string()),
        ("Internal-Sender-Description", one_line(&package.description())),
        ("Format-Identification", one_line(&package.examined)),
    ];
    if let Some(process) = &package.process {
        lines.insert(1, ("External-Identifier", one_line(process)));
    }
    lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label}: {value}\n"))
        .collect()
}

fn hash(form: Form, bytes: &[u8]) -> Result<String, Failure> {
    let digest = digest(form.algorithm, &[bytes]);
    digest.map(hex::encode).map_err(|error| Failure::permanent(error.code(), error.to_string()))
}

/// A bag in a folder of its own.
pub(crate) struct Folder {
    begun: PathBuf,
}

impl Folder {
    /// Begins the bag of an attempt.
    pub(crate) fn begin(attempt: &Attempt) -> io::Result<Self> {
        fs::create_dir(&attempt.part)?;
        Ok(Folder { begun: attempt.part.clone() })
    }

    /// Makes it durable.
    pub(crate) fn finish(self) -> io::Result<()> {
        sync_folders(&self.begun)
    }
}

impl Sink for Folder {
    fn file(&mut self, path: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let target = self.begun.join(path);
        if let Some(above) = target.parent() {
            fs::create_dir_all(above)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(target)?;
        if io::copy(content, &mut file)? != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "another size"));
        }
        file.flush()?;
        file.sync_all()
    }
}

/// Syncs a folder and every folder below it.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// PREMIS of a package as a file of a bag.
pub(crate) fn premis(
    write: impl FnOnce(&mut xml::Writer<Vec<u8>>) -> Result<(), xml::Error>,
) -> Result<Vec<u8>, Failure> {
    let written = xml::Writer::indented(Vec::new()).and_then(|mut writer| {
        write(&mut writer)?;
        writer.finish()
    });
    written.map_err(|_| not_understood("a name in it cannot be written as XML"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_da_nrw_would_take_for_one_lie_in_folders_of_their_own() {
        let mut stems = BTreeSet::new();
        let names = BTreeSet::from(["a.b.pdf", "a.b.xml", "a.b.txt", "a.pdf", "3"]);
        let mut place = |name: &str| place(name, DA_NRW, &names, &mut stems);
        assert_eq!(place("a.b.pdf"), "data/a.b.pdf");
        assert_eq!(place("a.b.xml"), "data/2/a.b.xml");
        assert_eq!(place("a.b.txt"), "data/4/a.b.txt", "3 is a document");
        assert_eq!(place("3"), "data/3");
        assert_eq!(place("a.pdf"), "data/a.pdf");
        let mut stems = BTreeSet::from(["data/a".to_owned()]);
        assert_eq!(super::place("a.xml", PLAIN, &names, &mut stems), "data/a.xml");
    }

    #[test]
    fn percent_signs_of_names_are_encoded() {
        let mut manifest = String::new();
        line(&mut manifest, "00", "data/100 %.pdf");
        assert_eq!(manifest, "00  data/100 %25.pdf\n");
    }
}
