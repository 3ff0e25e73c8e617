//! Schemas, packs and the validator, seen from outside; with the official packs and real samples
//! where `../shared` is there.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod attacks;
mod corpus;
mod differential;
mod documentation;
mod matrix;
mod mutation;
mod packs;
mod validator;
mod xmllint;

use schemas::{Report, Schemas};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xml::Limits;

/// A folder of `../shared`, which stands beside the project on the machines of its makers.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(folder);
    if !path.exists() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(path)
}

/// All versions of xdomea, official.
pub(crate) fn official() -> Option<Arc<Schemas>> {
    let packs = shared("packs/xdomea")?;
    let schemas = Schemas::new();
    schemas.add_pack(&packs).unwrap();
    Some(Arc::new(schemas))
}

pub(crate) fn check(schemas: &Arc<Schemas>, document: &[u8]) -> Report {
    schemas.check(document, Limits::default())
}

/// Every xdomea document of the samples, also those in containers: where from, and the bytes.
pub(crate) fn xdomea_samples() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = shared("samples/xoev/xdomea") else { return Vec::new() };
    let mut samples = Vec::new();
    for group in std::fs::read_dir(folder).unwrap() {
        for entry in std::fs::read_dir(group.unwrap().path()).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            match path.extension().and_then(|e| e.to_str()) {
                Some("xml") => samples.push((name, std::fs::read(&path).unwrap())),
                Some("zip") => samples.extend(from_zip(&name, &path)),
                _ => {}
            }
        }
    }
    samples.sort();
    samples
}

fn from_zip(name: &str, path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut documents = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        if entry.name().ends_with(".xml") && !entry.name().contains('/') {
            let mut bytes = Vec::new();
            let place = format!("{name}!{}", entry.name());
            entry.read_to_end(&mut bytes).unwrap();
            documents.push((place, bytes));
        }
    }
    // Primary documents can be XML too; the message has the container's name.
    documents.retain(|(_, bytes)| String::from_utf8_lossy(bytes).contains("xdomea"));
    documents
}
