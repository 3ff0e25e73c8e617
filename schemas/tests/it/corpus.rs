//! Valid xdomea documents of every version: the samples, one of 2.2.0 written by hand, and messages
//! of every type made from the outline of the schemas.
use crate::{shared, xdomea_samples};
use schemas::testdata::{Maker, Outline};
use std::path::{Path, PathBuf};

/// Versions whose outline is at hand.
pub(crate) const VERSIONS: [&str; 5] = ["2.3.0", "2.4.0", "3.0.0", "3.1.0", "4.0.0"];
const OLD: &str = include_str!("../data/2.2.0-0501.xml");
const PROCESS: &str = "6f1c5c1e-0001-4000-8000-000000000001";

pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The official schema file that declares its root.
    pub(crate) schema: PathBuf,
}

impl Document {
    fn new(packs: &Path, name: String, bytes: Vec<u8>) -> Document {
        let text = String::from_utf8_lossy(&bytes);
        let (version, root) = version_and_root(&text);
        let schema = declaring(&packs.join("xdomea").join(version), root)
            .unwrap_or_else(|| panic!("{name}: no schema for {root} of {version}"));
        Document { name, bytes, schema }
    }

    /// Whether we have a schema of our own for it: not of 2.2.0, and not of 06xx.
    pub(crate) fn is_covered(&self) -> bool {
        !self.schema.starts_with(shared("packs/xdomea/2.2.0").unwrap())
            && !self.schema.to_string_lossy().contains("Fachverfahren")
    }
}

/// `3.0.0` and `Abgabe.Abgabe.0401`, by the look of it.
fn version_and_root(text: &str) -> (&str, &str) {
    let marks = ["urn:xoev-de:xdomea:schema:", "http://www.xdomea.de/V"];
    let version = marks.iter().find_map(|mark| Some(&text.split_once(mark)?.1[..5])).unwrap();
    let mut tags = text.split('<').filter_map(|tag| tag.split([' ', '>', '\n', '\r']).next());
    let root = tags.find(|tag| tag.chars().next().is_some_and(char::is_alphabetic)).unwrap();
    (version, root.rsplit(':').next().unwrap())
}

/// The first schema file of a folder that declares the root.
fn declaring(folder: &Path, root: &str) -> Option<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let declaration = format!("<xs:element name=\"{root}\"");
    files.into_iter().find(|file| std::fs::read_to_string(file).unwrap().contains(&declaration))
}

/// The samples, and the one of 2.2.0, of which there is no sample.
pub(crate) fn samples() -> Vec<Document> {
    let packs = shared("packs").unwrap();
    let old = ("2.2.0-0501".to_owned(), OLD.as_bytes().to_vec());
    let all = xdomea_samples().into_iter().chain([old]);
    all.map(|(name, bytes)| Document::new(&packs, name, bytes)).collect()
}

/// A message of every type of every version for each of the seeds.
pub(crate) fn generated(seeds: &[Option<u64>]) -> Vec<Document> {
    let (packs, annex) = (shared("packs").unwrap(), shared("standards/annex").unwrap());
    let mut documents = Vec::new();
    for version in VERSIONS {
        let outline = Outline::read(&annex, version).unwrap();
        for (code, root) in outline.roots() {
            for seed in seeds {
                let name = format!("{version} {code} {seed:?}");
                let text = Maker::make(&outline, root, PROCESS, *seed);
                documents.push(Document::new(&packs, name, text.into_bytes()));
            }
        }
    }
    documents
}
