//! The files of a container against what the message says of them: each is read once, whether it is whole and
//! begins like what it is said to be. A ZIP among them is a file like any other and not opened.

use std::io::{self, Read};

use model::standard::Source;
use model::{Failure, Finding, Report};

use super::formats::{HEAD_BYTES, contradicts, media_type, media_type_by_name};
use super::rules::Named;
use crate::Error;
use crate::container::{Container, shown};

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;
/// Offers are metadata alone.
const WITHOUT_FILES: [&str; 1] = ["0501"];

/// What a message says of its files.
pub(crate) struct Claims<'a> {
    /// By entry of the container.
    pub(crate) named: &'a [Named],
    /// Code of the message type.
    pub(crate) code: &'a str,
    /// Whether the message was read to its end.
    pub(crate) is_whole: bool,
}

/// Checks every entry but the message.
pub(crate) fn check_files(
    container: &Container,
    message: usize,
    source: &mut dyn Source,
    claims: &Claims<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER];
    for (index, entry) in container.entries().iter().enumerate().filter(|(index, _)| *index != message) {
        let mut content = container.read(source, index).map_err(Error::from)?;
        let head = match verify(&mut content, &mut buffer) {
            Ok(head) => head,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                report.add(Finding::error("container.checksum").in_file(shown(entry.name())));
                continue;
            }
            Err(error) => return Err(Error::Io(error).into()),
        };
        let named = claims.named.get(index).copied().unwrap_or_default();
        let mut warn = |rule| report.add(Finding::warning(rule).in_file(shown(entry.name())));
        // What stands behind a fault of the XML may have named it.
        if !named.named && claims.is_whole {
            warn("xdomea.file-extra");
        } else if named.named && WITHOUT_FILES.contains(&claims.code) {
            warn("xdomea.file-unexpected");
        }
        if entry.size() == 0 {
            warn("xdomea.file-empty");
            continue;
        }
        let Some(code) = named.claim.as_ref().and_then(|code| std::str::from_utf8(code).ok()) else {
            continue;
        };
        if contradicts(code, entry.name(), &head) {
            warn("xdomea.format-contradicted");
        }
        if is_called_otherwise(code, entry.name()) {
            warn("xdomea.file-ending");
        }
    }
    Ok(())
}

/// Whether a name has the ending of another format.
fn is_called_otherwise(code: &str, name: &str) -> bool {
    let (claimed, by_name) = (media_type(code), media_type_by_name(name));
    claimed.zip(by_name).is_some_and(|(claimed, by_name)| claimed != by_name)
}

/// Reads to the end and returns the first bytes.
fn verify(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let count = match content.read(buffer) {
            Ok(0) => return Ok(head),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let missing = HEAD_BYTES.saturating_sub(head.len()).min(count);
        head.extend_from_slice(&buffer[..missing]);
    }
}
