//! What a file is, before any tool sees it: whole, of a form that is taken, not too large; and its digest.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use model::Timestamp;
use seal::Sha256Writer;

use super::folder::moment;
use super::trouble::Trouble;

/// Bytes behind the end of a PDF in which its last mark may stand.
const TAIL: u64 = 4096;
/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// What a file is.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    /// Whether it is a PDF; else it is a TIFF.
    pub is_pdf: bool,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// When it was last written.
    pub written: Timestamp,
}

/// Looks at a file.
///
/// # Errors
/// `File` if it is empty, too large or neither PDF nor TIFF; `Unready` if it changes meanwhile.
pub(super) fn probe(path: &Path, most: u64) -> Result<Probed, Trouble> {
    let before = std::fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Err(Trouble::file("post.scan-format", "it is no file"));
    }
    if before.len() > most {
        return Err(Trouble::file("post.scan-too-large", format!("more than {most} bytes")));
    }
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Trouble::file("post.scan-format", "the gateway may not read the file"));
        }
        file => file?,
    };
    let is_pdf = form(&mut file, before.len())?;
    let sha256 = digest(&mut file)?;
    let after = std::fs::symlink_metadata(path)?;
    let written = after.modified()?;
    if (after.len(), written) != (before.len(), before.modified()?) {
        return Err(Trouble::Unready);
    }
    Ok(Probed { is_pdf, size: before.len(), sha256, written: moment(written) })
}

/// Whether a file still is what was looked at.
pub(super) fn is_same(path: &Path, probed: &Probed) -> io::Result<bool> {
    let now = std::fs::symlink_metadata(path)?;
    Ok(now.is_file() && (now.len(), moment(now.modified()?)) == (probed.size, probed.written))
}

fn form(file: &mut File, size: u64) -> Result<bool, Trouble> {
    let mut head = vec![];
    file.take(1024).read_to_end(&mut head)?;
    if head.starts_with(b"II*\0")
        || head.starts_with(b"MM\0*")
        || head.starts_with(b"II+\0")
        || head.starts_with(b"MM\0+")
    {
        return Ok(false);
    }
    // Some writers put something in front.
    if !contains(&head, b"%PDF-") {
        let why = if size == 0 { "the file is empty" } else { "the file is neither PDF nor TIFF" };
        return Err(Trouble::file("post.scan-format", why));
    }
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = vec![];
    file.take(TAIL).read_to_end(&mut tail)?;
    match contains(&tail, b"%%EOF") {
        true => Ok(true),
        false => Err(Trouble::file("post.scan-format", "the end of the PDF is missing")),
    }
}

fn contains(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}

/// SHA-256 of a file, lower-case hex.
pub(super) fn digest(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256Writer::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish().to_string()),
            length => hasher.update(&piece[..length]),
        }
    }
}
