//! What PDFs are asked before they leave: that they begin as PDFs do, how large they are, how many pages they have; several are joined
//! where a carrier takes one. Pages are counted and files joined by qpdf, if it is configured: without a shell, within a time.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use model::Failure;
use model::adapter::Sources;
use seal::{Digest, Sha256Writer};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::rejected;
use super::settings::Pdf;

/// Bytes that are copied at once.
const PIECE: usize = 64 * 1024;
/// Most bytes that are read of what the program says.
const SAID: u64 = 4 * 1024;

/// PDFs in a folder of their own, which goes with them.
pub(super) struct Staged {
    _folder: TempDir,
    pub(super) files: Vec<StagedFile>,
}

/// A PDF that was looked at.
pub(super) struct StagedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
    /// Pages, if they were counted.
    pub(super) pages: Option<u32>,
}

/// Copies the sources into a folder below `beside` (absent: the system's) and looks at them.
pub(super) async fn stage(
    settings: &Pdf,
    sources: Sources<'_>,
    beside: Option<&Path>,
) -> Result<Staged, Failure> {
    let folder = match beside {
        Some(beside) => TempDir::with_prefix_in("in-", beside),
        None => TempDir::new(),
    };
    let folder = folder.map_err(|_| unwritten())?;
    let (mut files, mut left, mut pages) = (vec![], settings.most_bytes, 0_u32);
    for (at, source) in sources.iter().enumerate() {
        let path = folder.path().join(format!("{}.pdf", at + 1));
        let (bytes, sha256) = copy(source.open().await?, &path, left).await?;
        left -= bytes;
        let counted = match &settings.qpdf {
            Some(qpdf) => Some(count(settings, qpdf, &path).await?),
            None => None,
        };
        pages = pages.saturating_add(counted.unwrap_or(0));
        if pages > settings.most_pages {
            return Err(rejected("post.too-large", "the documents have more pages than this way carries"));
        }
        files.push(StagedFile { path, bytes, sha256, pages: counted });
    }
    Ok(Staged { _folder: folder, files })
}

impl Staged {
    /// All of them as one file.
    pub(super) async fn joined(&self, settings: &Pdf) -> Result<PathBuf, Failure> {
        if let [only] = self.files.as_slice() {
            return Ok(only.path.clone());
        }
        let Some(qpdf) = &settings.qpdf else {
            let why = "this way carries one file, and no program is configured that joins several";
            return Err(Failure::permanent("post.several-documents", why));
        };
        let whole = self._folder.path().join("whole.pdf");
        let paths = self.files.iter().map(|file| file.path.as_os_str());
        let arguments: Vec<&OsStr> = [OsStr::new("--empty"), OsStr::new("--pages")]
            .into_iter()
            .chain(paths)
            .chain([OsStr::new("--"), whole.as_os_str()])
            .collect();
        run(settings, qpdf, &arguments).await?;
        Ok(whole)
    }
}

async fn copy(
    mut content: model::adapter::Content,
    path: &Path,
    most: u64,
) -> Result<(u64, Digest), Failure> {
    let mut file = File::create(path).await.map_err(|_| unwritten())?;
    let (mut digest, mut piece) = (Sha256Writer::new(), vec![0; PIECE]);
    let mut front: Vec<u8> = Vec::with_capacity(5);
    loop {
        let length = content.read(&mut piece).await.map_err(|_| unread())?;
        let Some(read) = piece.get(..length).filter(|it| !it.is_empty()) else { break };
        front.extend(read.iter().take(5 - front.len()));
        digest.update(read);
        if digest.size() > most {
            return Err(rejected("post.too-large", "the documents have more bytes than this way carries"));
        }
        file.write_all(read).await.map_err(|_| unwritten())?;
    }
    if front != b"%PDF-" {
        return Err(rejected("post.not-pdf", "a document is no PDF"));
    }
    file.sync_all().await.map_err(|_| unwritten())?;
    Ok((digest.size(), digest.finish()))
}

async fn count(settings: &Pdf, qpdf: &Path, path: &Path) -> Result<u32, Failure> {
    let said = run(settings, qpdf, &[OsStr::new("--show-npages"), path.as_os_str()]).await?;
    let pages = said.trim().parse().ok().filter(|pages| *pages > 0);
    pages.ok_or_else(|| rejected("post.not-pdf", "a document has no pages that can be counted"))
}

/// Runs the program; what it cannot do is the document's fault (status 2), whatever else goes wrong is the program's.
async fn run(settings: &Pdf, program: &Path, arguments: &[&OsStr]) -> Result<String, Failure> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => tool("the program for PDFs is not there"),
            _ => tool("the program for PDFs cannot be started"),
        })?;
    let mut said = String::new();
    let ended = async {
        if let Some(output) = child.stdout.take() {
            output.take(SAID).read_to_string(&mut said).await?;
        }
        child.wait().await
    };
    match timeout(settings.within, ended).await {
        // 3: done, with something that it has mended.
        Ok(Ok(status)) if matches!(status.code(), Some(0 | 3)) => Ok(said),
        Ok(Ok(status)) if status.code() == Some(2) => {
            Err(rejected("post.not-pdf", "a document is broken or needs a password"))
        }
        Ok(_) => Err(tool("the program for PDFs failed")),
        Err(_) => {
            Err(rejected("post.not-pdf", "the program for PDFs did not come to an end with a document"))
        }
    }
}

fn tool(detail: &str) -> Failure {
    Failure::permanent("post.pdf-tool", detail)
}

fn unwritten() -> Failure {
    Failure::transient("post.folder", "a file cannot be written")
}

fn unread() -> Failure {
    Failure::transient("post.document-unread", "a document cannot be read out of the store at present")
}
