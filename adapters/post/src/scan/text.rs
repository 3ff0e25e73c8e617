//! OCR: ocrmypdf with Tesseract makes a searchable PDF/A beside the scan, which stays as it was; pdftotext reads its words.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::settings::{Read, Tools};
use super::tool::Tool;
use super::trouble::Trouble;

/// Bytes of words in which something is recognised.
const WORDS: usize = 1 << 20;
/// Bytes that ocrmypdf may say.
const SAID: usize = 64 * 1024;
/// Longest time for the words.
const WORDS_TIME: Duration = Duration::from_secs(60);

/// Makes a searchable PDF/A; false if the tool cannot do it with this one, so that it stays a picture.
///
/// # Errors
/// If there is no such tool.
pub(super) async fn searchable(
    tools: &Tools,
    read: &Read,
    folder: &Path,
    scan: &Path,
    target: &Path,
) -> Result<bool, Trouble> {
    let (jobs, time) = (read.jobs.to_string(), read.time);
    // Text that is there stays. Images are neither coded anew by JBIG2 nor made worse (TR-03138 A.SC.12, A.NB.1).
    let words = [
        "--quiet",
        "--skip-text",
        "--optimize",
        "0",
        "--pdfa-image-compression",
        "lossless",
        "--language",
        &read.languages,
        "--output-type",
        &read.form,
        "--jobs",
        &jobs,
    ];
    let mut words: Vec<OsString> = words.map(Into::into).to_vec();
    words.extend([scan.into(), target.into()]);
    let (within, command) = (&tools.within, &tools.ocrmypdf);
    let tool = Tool { within, command, folder, time, output: SAID, ends: &[] };
    match tool.make(&words, target).await {
        Ok(()) => Ok(true),
        Err(Trouble::File { .. } | Trouble::BrokeOff { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// The words of the first pages.
pub(super) async fn words(
    tools: &Tools,
    pages: u32,
    folder: &Path,
    pdf: &Path,
) -> Result<Vec<String>, Trouble> {
    let (within, command, time) = (&tools.within, &tools.pdftotext, WORDS_TIME);
    let tool = Tool { within, command, folder, time, output: WORDS, ends: &[] };
    let words = ["-enc", "UTF-8", "-layout", "-l", &pages.to_string()].map(Into::into).to_vec();
    let said = match tool.run(&[words, vec![pdf.into(), "-".into()]].concat()).await {
        Ok(said) => said,
        Err(Trouble::File { .. } | Trouble::BrokeOff { .. }) => return Ok(vec![]),
        Err(other) => return Err(other),
    };
    let text = String::from_utf8_lossy(&said.output);
    // A form feed ends each page.
    Ok(text.split_terminator('\u{c}').map(str::to_owned).collect())
}
