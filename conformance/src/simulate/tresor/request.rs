//! What is asked. A package in it is copied into a file as a document of its own.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use xml::{Event, Form, Limits, Reader};

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const API: &str = "http://www.bsi.bund.de/tr-esor/api/1.3";
const XAIP: &str = "http://www.bsi.bund.de/tr-esor/xaip";

#[derive(Default)]
pub(super) struct Asked {
    /// Name of the request, such as `ArchiveSubmissionRequest`.
    pub(super) operation: String,
    pub(super) aoid: String,
    pub(super) package: Option<PathBuf>,
    pub(super) has_reason: bool,
}

/// Reads a request; `None` if it is none.
pub(super) fn read(request: &NamedTempFile, folder: &Path) -> Option<Asked> {
    let limits = Limits { attribute_bytes: 1 << 20, ..Limits::default() };
    let mut reader = Reader::new(BufReader::new(request.reopen().ok()?), limits);
    let mut asked = Asked::default();
    loop {
        let (namespace, local, depth) = match reader.next().ok()? {
            Event::Start(start) => {
                let (namespace, local) =
                    (start.namespace().unwrap_or_default().to_owned(), start.local().to_owned());
                (namespace, local, reader.depth())
            }
            Event::Eof => return Some(asked).filter(|asked| !asked.operation.is_empty()),
            _ => continue,
        };
        match (namespace.as_str(), local.as_str(), depth) {
            (ENVELOPE, "Envelope", 1) | (ENVELOPE, "Body", 2) => {}
            (API, operation, 3) => operation.clone_into(&mut asked.operation),
            (API, "AOID", _) => asked.aoid = reader.read_text(500).ok()?.trim().to_owned(),
            (API, "RequestInfo", _) => asked.has_reason = !reader.read_text(500).ok()?.trim().is_empty(),
            (XAIP, "XAIP", 4) => {
                let path = folder.join(format!("{}.xml", uuid::Uuid::now_v7()));
                let form = Form { comments: true, ..Form::default() };
                let mut file = reader.canonicalise(form, BufWriter::new(File::create(&path).ok()?)).ok()?;
                file.flush().ok()?;
                asked.package = Some(path);
            }
            (_, _, ..4) => return None,
            _ => {}
        }
    }
}
