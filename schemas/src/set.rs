//! A set of schema files that belong together: a pack, or our own. Files are compiled when a
//! message first asks for them, once, and shared.

use crate::codelists::{self, CodeList};
use crate::ffi::{Compilation, Resolver, Schema};
use crate::index::Outline;
use crate::{Error, own};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Scheme of the made-up URLs under which libxml2 sees the files of a set.
const SCHEME: &str = "mem:///";

/// What is known about the files of a set without reading them again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Index {
    /// Order of import: a later pack takes precedence.
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) schemas: BTreeMap<String, Outline>,
    /// File → list and version.
    pub(crate) code_lists: BTreeMap<String, (String, String)>,
    /// Locations that the pack's own catalogues map to a file.
    pub(crate) locations: BTreeMap<String, String>,
}

/// Where the files are.
pub(crate) enum Files {
    Memory(BTreeMap<String, Arc<[u8]>>),
    Folder(PathBuf),
}

pub(crate) struct Set {
    pub(crate) index: Index,
    files: Files,
    /// (namespace, local name) of a root element → file.
    roots: HashMap<(String, String), String>,
    compiled: HashMap<String, OnceLock<Arc<Schema>>>,
}

impl Set {
    pub(crate) fn new(index: Index, files: Files) -> Self {
        let mut roots = HashMap::new();
        for (file, outline) in &index.schemas {
            for element in &outline.elements {
                let root = (outline.namespace.clone(), element.clone());
                roots.entry(root).or_insert_with(|| file.clone());
            }
        }
        let compiled = index.schemas.keys().map(|file| (file.clone(), OnceLock::new())).collect();
        Set { index, files, roots, compiled }
    }

    /// Namespaces that have root elements, sorted.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let with_elements = self.index.schemas.values().filter(|outline| !outline.elements.is_empty());
        let mut namespaces: Vec<String> = with_elements.map(|outline| outline.namespace.clone()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }

    /// The file that declares a root element.
    pub(crate) fn file_of(&self, namespace: &str, local: &str) -> Option<&str> {
        self.roots.get(&(namespace.to_owned(), local.to_owned())).map(String::as_str)
    }

    pub(crate) fn schema_files(&self) -> impl Iterator<Item = &str> {
        self.index.schemas.keys().map(String::as_str)
    }

    pub(crate) fn code_lists(&self) -> Vec<CodeList> {
        let read = |file: &String| codelists::parse(&self.read(file)?).ok();
        self.index.code_lists.keys().filter_map(read).collect()
    }

    /// Places of the files that are kept of it, sorted.
    pub(crate) fn places(&self) -> BTreeSet<&str> {
        self.index.schemas.keys().chain(self.index.code_lists.keys()).map(String::as_str).collect()
    }

    pub(crate) fn read(&self, file: &str) -> Option<Arc<[u8]>> {
        match &self.files {
            Files::Memory(files) => files.get(file).cloned(),
            Files::Folder(folder)
                if self.index.schemas.contains_key(file) || self.index.code_lists.contains_key(file) =>
            {
                fs::read(folder.join(file)).ok().map(Arc::from)
            }
            Files::Folder(_) => None,
        }
    }

    /// The one schema file with this name, in whatever folder; files of the same content are one.
    fn find_by_name(&self, name: &str) -> Option<(&str, Arc<[u8]>)> {
        let names = self.index.schemas.keys().map(String::as_str);
        let with_name = names.filter(|file| file.rsplit('/').next() == Some(name));
        let found: Vec<_> = with_name.filter_map(|file| Some((file, self.read(file)?))).collect();
        let (_, first) = found.first()?;
        let is_one = found.iter().all(|(_, other)| other == first);
        if is_one { found.into_iter().next() } else { None }
    }
}

/// The compiled schema of a file of `set`; `others` help out with files that it imports from
/// outside of itself.
pub(crate) fn compile(set: &Arc<Set>, others: &[Arc<Set>], file: &str) -> Result<Arc<Schema>, Error> {
    let slot = set.compiled.get(file).ok_or(Error::BadLocation)?;
    if let Some(schema) = slot.get() {
        return Ok(Arc::clone(schema));
    }
    let compiled = compile_anew(set, others, file)?;
    Ok(Arc::clone(slot.get_or_init(|| Arc::new(compiled))))
}

/// Like [`compile`], whatever was compiled before.
pub(crate) fn compile_anew(set: &Arc<Set>, others: &[Arc<Set>], file: &str) -> Result<Schema, Error> {
    let sets = std::iter::once(set).chain(others).cloned().collect();
    let compilation = Compilation { root: url_of(0, file), resolver: Arc::new(Lookup { sets }) };
    compilation.run().map_err(plain_names)
}

/// The made-up URL of a file: the number of its set among those of the compilation, and its place.
fn url_of(set: usize, file: &str) -> String {
    format!("{SCHEME}{set}/{}", file.replace('%', "%25").replace(' ', "%20"))
}

/// The other way round; `None` if the URL is not one of ours.
fn place_of(url: &str) -> Option<(usize, String)> {
    let (set, file) = url.strip_prefix(SCHEME)?.split_once('/')?;
    Some((set.parse().ok()?, file.replace("%20", " ").replace("%25", "%")))
}

/// Files are told apart by their place in the pack, not by our URL.
fn plain_names(error: Error) -> Error {
    let plain = |url: String| place_of(&url).map_or(url, |(_, file)| file);
    match error {
        Error::Missing { url } => Error::Missing { url: plain(url) },
        Error::Defect { file, line } => Error::Defect { file: plain(file), line },
        other => other,
    }
}

/// The set that is compiled, and behind it those that help out.
struct Lookup {
    sets: Vec<Arc<Set>>,
}

impl Resolver for Lookup {
    /// In this order: the very file; what the pack's catalogue says; a file of that name in the
    /// pack, then in the others. libxml2 checks that its namespace is the one imported.
    fn resolve(&self, url: &str) -> Option<(String, Arc<[u8]>)> {
        if let Some((number, file)) = place_of(url)
            && let Some(found) = self.sets.get(number).and_then(|set| set.read(&file))
        {
            return Some((url.to_owned(), found));
        }
        let set = self.sets.first()?;
        if let Some(file) = set.index.locations.get(url)
            && let Some(found) = set.read(file)
        {
            return Some((url_of(0, file), found));
        }
        let name = own::catalogued(url).unwrap_or(url.rsplit('/').next()?);
        self.sets.iter().enumerate().find_map(|(number, set)| {
            let (file, found) = set.find_by_name(name)?;
            Some((url_of(number, file), found))
        })
    }
}
