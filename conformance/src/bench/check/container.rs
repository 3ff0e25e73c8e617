//! `amtsbote check` on a container of many primary files, which are read to their end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use schemas::testdata::{DOCUMENTS, generate_0503_of, primary_name};
use serde::Serialize;
use serde_json::Value;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::measure as run;
use crate::Error;
use crate::client::{items, text};
use crate::simulate::story::verify;

/// Files (Akte) in the message, each with fifteen documents.
const FILES: u32 = 667;

/// Bytes of each primary file: 2 GB together.
const CONTENT: u64 = 200_000;

/// Outcome for the container.
#[derive(Debug, Clone, Serialize)]
pub struct Container {
    /// Primary files in it.
    pub files: u32,
    /// Size of the container, in MB (10⁶ bytes).
    pub container_mb: f64,
    /// Memory of `amtsbote check` at its peak, in MB.
    pub peak_mb: f64,
    /// CPU seconds of `amtsbote check`.
    pub cpu_s: f64,
}

/// Makes the container, sees that it is found valid, and measures a check of it.
pub(super) fn measure(binary: &Path) -> Result<Container, Error> {
    let folder = tempfile::tempdir()?;
    let stem = "00000000-0000-4000-8000-000000000503_Aussonderung.Aussonderung.0503";
    let path = folder.path().join(format!("{stem}.zip"));
    write(&path, stem).map_err(|error| std::io::Error::other(error))?;
    let ours = || {
        let mut command = Command::new(binary);
        command.arg("check").arg(&path).current_dir(folder.path());
        command
    };
    is_valid(ours())?;
    let taken = run("amtsbote", &mut ours(), &[0])?;
    Ok(Container {
        files: FILES * DOCUMENTS,
        container_mb: std::fs::metadata(&path)?.len() as f64 / 1e6,
        peak_mb: taken.peak,
        cpu_s: taken.cpu,
    })
}

fn is_valid(mut check: Command) -> Result<(), Error> {
    let output = check.arg("--json").output()?;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let rules: Vec<&str> = items(&report, "findings").iter().map(|finding| text(finding, "rule")).collect();
    let is_judged = text(&report["identity"], "type") == "0503";
    verify(is_judged && rules.is_empty(), &format!("the container is valid, not: {rules:?}"))
}

/// The message and its files, stored as they are.
fn write(path: &Path, stem: &str) -> zip::result::ZipResult<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
    zip.start_file(format!("{stem}.xml"), options)?;
    generate_0503_of(&mut zip, FILES)?;
    let mut content = b"%PDF-1.7\n".to_vec();
    content.resize(CONTENT as usize, b' ');
    for number in 0..FILES * DOCUMENTS {
        zip.start_file(primary_name(number), options)?;
        zip.write_all(&content)?;
    }
    zip.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(())
}
