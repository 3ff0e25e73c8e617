//! `amtsbote check` on large messages: beside xmllint, and of a container with many files. CPU and peak memory as the kernel
//! accounts them to each child.

mod container;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;
use wait4::Wait4;

use super::{median, rounded};
use crate::Error;
use crate::client::{items, text};
use crate::simulate::story::verify;

pub use container::Container;

/// Sizes of the documents, in bytes: what an export of a county's file of 1,200 cases comes to, and that of a whole office.
const DOCUMENTS: [u64; 2] = [22_000_000, 160_000_000];

/// Pairs measured of each.
const PAIRS: usize = 5;

/// Outcome of `bench check`.
#[derive(Debug, Clone, Serialize)]
pub struct CheckFigures {
    /// CPU of `amtsbote check` divided by that of xmllint; of the document for which it is worse.
    pub vs_xmllint_cpu: f64,
    /// Most memory of `amtsbote check` on any of the documents, in MB (10⁶ bytes).
    pub peak_mb: f64,
    /// Most memory of `amtsbote check` on the container, in MB.
    pub container_peak_mb: f64,
    /// Each document beside xmllint.
    pub documents: Vec<Beside>,
    /// The container.
    pub container: Container,
    /// What was measured.
    pub command: String,
}

/// One document beside xmllint.
#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    /// Size of the document, in MB.
    pub document_mb: f64,
    /// CPU of `amtsbote check` divided by that of xmllint; the median of the pairs' ratios.
    pub vs_xmllint_cpu: f64,
    /// Most memory of `amtsbote check` in any run, in MB.
    pub peak_mb: f64,
    /// CPU seconds of `amtsbote check`, median.
    pub cpu_s: f64,
    /// CPU seconds of xmllint, median.
    pub xmllint_cpu_s: f64,
    /// Most memory of xmllint, in MB.
    pub xmllint_peak_mb: f64,
}

/// `amtsbote check` on large messages 0503 against `xmllint --stream --schema` with the official pack, and on a container.
/// `packs` is the folder that holds `xdomea/3.0.0` and `catalog.xml`.
///
/// # Errors
/// If xmllint is missing, or one of the two does not find a document valid.
pub fn check(binary: &Path, packs: &Path) -> Result<CheckFigures, Error> {
    let documents =
        DOCUMENTS.iter().map(|size| beside(binary, packs, *size)).collect::<Result<Vec<_>, _>>()?;
    let container = container::measure(binary)?;
    Ok(CheckFigures {
        vs_xmllint_cpu: documents.iter().map(|beside| beside.vs_xmllint_cpu).fold(0.0, f64::max),
        peak_mb: documents.iter().map(|beside| beside.peak_mb).fold(0.0, f64::max),
        container_peak_mb: container.peak_mb,
        documents,
        container,
        command: "amtsbote check 0503.xml | xmllint --stream --nonet --noout --schema \
                  xdomea/3.0.0/xdomea-Nachrichten-AussonderungDurchfuehren.xsd 0503.xml"
            .to_owned(),
    })
}

/// Pairs of runs on one document of at least so many bytes, interleaved.
fn beside(binary: &Path, packs: &Path, size: u64) -> Result<Beside, Error> {
    let folder = tempfile::tempdir()?;
    let document = generate(folder.path(), size)?;

    let schema = packs.join("xdomea/3.0.0/xdomea-Nachrichten-AussonderungDurchfuehren.xsd");
    let ours = || {
        let mut command = Command::new(binary);
        command.arg("check").arg(&document).current_dir(folder.path());
        command
    };
    let theirs = || {
        let mut command = Command::new("xmllint");
        command.args(["--stream", "--nonet", "--noout", "--schema"]).arg(&schema).arg(&document);
        command.env("XML_CATALOG_FILES", packs.join("catalog.xml"));
        command
    };
    only_files_are_missing(ours())?;
    let mut pairs = vec![];
    for _ in 0..PAIRS {
        pairs.push((measure("amtsbote", &mut ours(), &[0, 1])?, measure("xmllint", &mut theirs(), &[0])?));
    }
    Ok(Beside {
        document_mb: std::fs::metadata(&document)?.len() as f64 / 1e6,
        vs_xmllint_cpu: rounded(median(pairs.iter().map(|(ours, theirs)| ours.cpu / theirs.cpu))),
        peak_mb: pairs.iter().map(|(ours, _)| ours.peak).fold(0.0, f64::max),
        cpu_s: median(pairs.iter().map(|(ours, _)| ours.cpu)),
        xmllint_cpu_s: median(pairs.iter().map(|(_, theirs)| theirs.cpu)),
        xmllint_peak_mb: pairs.iter().map(|(_, theirs)| theirs.peak).fold(0.0, f64::max),
    })
}

/// A valid message 0503 of at least so many bytes in `folder`.
pub(super) fn generate(folder: &Path, bytes: u64) -> Result<PathBuf, Error> {
    let document = folder.join("00000000-0000-4000-8000-000000000503_Aussonderung.Aussonderung.0503.xml");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&document)?);
    schemas::testdata::generate_0503(&mut file, bytes)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(document)
}

/// The document stands alone, without the 18,000 files that it names: that, and nothing else, is what
/// our check may find, while a schema validator finds nothing.
fn only_files_are_missing(mut check: Command) -> Result<(), Error> {
    let output = check.arg("--json").output()?;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let rules: Vec<&str> = items(&report, "findings").iter().map(|finding| text(finding, "rule")).collect();
    let is_judged = text(&report["identity"], "type") == "0503";
    verify(is_judged && rules.iter().all(|rule| *rule == "xdomea.no-container"), "the document is valid")
}

/// What a run took: CPU seconds (user and system) and peak memory in MB.
pub(super) struct Taken {
    pub(super) cpu: f64,
    pub(super) peak: f64,
}

/// Runs `command`, whose exit code must be one of `right`.
pub(super) fn measure(tool: &'static str, command: &mut Command, right: &[i32]) -> Result<Taken, Error> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| Error::Tool { tool, detail: error.to_string() })?;
    let used = child.wait4()?;
    if !used.status.code().is_some_and(|code| right.contains(&code)) {
        return Err(Error::Tool { tool, detail: format!("ended with {}", used.status) });
    }
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Taken { cpu, peak: used.rusage.maxrss as f64 / 1e6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_s_memory_is_measured_in_bytes() {
        let taken = measure("true", &mut Command::new("true"), &[0]).unwrap();
        assert!((0.1..100.0).contains(&taken.peak), "{}", taken.peak);
    }
}
