//! All schemas of an installation: imported packs, the latest first, and our own behind them.

use crate::codelists::CodeLists;
use crate::ffi::Schema;
use crate::index::{self, Kind};
use crate::pack;
use crate::set::{Files, Index, Set, compile, compile_anew};
use crate::{Error, Finding, Report, Severity, Validator, own};
use serde::Serialize;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use xml::{Limits, Reader};

/// Our own schemas, the same for every installation: they import nothing, so no pack makes others of them. Read and compiled once.
static OWN: LazyLock<Arc<Set>> = LazyLock::new(|| Arc::new(own_set()));

/// Where a set of schemas comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Part of the program.
    Own,
    /// Imported by the operator.
    Pack,
}

/// What is known about a set of schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackInfo {
    /// Name under which it is kept.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Namespaces of the messages that it describes; a standard's version each.
    pub namespaces: Vec<String>,
    /// Number of schema files.
    pub schemas: usize,
    /// Number of code lists.
    pub code_lists: usize,
}

/// The schemas of an installation. Shared by all threads.
pub struct Schemas {
    /// Where packs are kept; `None`: in memory only.
    directory: Option<PathBuf>,
    own: Arc<Set>,
    /// The latest first.
    packs: RwLock<Vec<Arc<Set>>>,
    code_lists: RwLock<Option<Arc<CodeLists>>>,
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new()
    }
}

impl Schemas {
    /// Our own schemas only; packs added are kept in memory.
    pub fn new() -> Self {
        Schemas {
            directory: None,
            own: Arc::clone(&OWN),
            packs: RwLock::default(),
            code_lists: RwLock::default(),
        }
    }

    /// Our own schemas and the packs kept in `directory`, which is created when the first is added.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let packs = pack::load_all(&directory)?;
        Ok(Schemas { directory: Some(directory), packs: RwLock::new(packs), ..Self::new() })
    }

    /// Imports a pack: a folder, a ZIP, or one file. Everything in it must compile, offline, from
    /// what it contains and what is known already. It is durable when this returns. A pack of the
    /// same namespaces is replaced.
    pub fn add_pack(&self, path: &Path) -> Result<PackInfo, Error> {
        let files = pack::collect(path)?;
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        let mut index = pack::index(&files)?;
        index.sequence = packs.first().map_or(1, |latest| latest.index.sequence + 1);
        let set = Arc::new(Set::new(index, Files::Memory(files.clone())));
        let others: Vec<Arc<Set>> = packs.iter().chain([&self.own]).cloned().collect();
        for file in set.schema_files() {
            compile(&set, &others, file)?;
        }
        let set = match &self.directory {
            None => set,
            Some(directory) => Arc::new(pack::store(directory, &set.index, &files)?),
        };
        packs.retain(|pack| pack.index.name != set.index.name);
        packs.insert(0, Arc::clone(&set));
        *self.code_lists.write().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(info(&set, Origin::Pack))
    }

    /// What stands against importing a pack: each schema file that does not compile, and why.
    pub fn inspect_pack(&self, path: &Path) -> Result<Vec<(String, Error)>, Error> {
        let files = pack::collect(path)?;
        let set = Arc::new(Set::new(pack::index(&files)?, Files::Memory(files)));
        let others = self.sets();
        let defect =
            |file: &str| compile_anew(&set, &others, file).err().map(|error| (file.to_owned(), error));
        Ok(set.schema_files().filter_map(defect).collect())
    }

    /// Every set in order of precedence.
    pub fn list(&self) -> Vec<PackInfo> {
        let mut all: Vec<PackInfo> = self.packs().iter().map(|set| info(set, Origin::Pack)).collect();
        all.push(info(&self.own, Origin::Own));
        all
    }

    /// Imported packs in order of precedence, each with the places of its files, sorted, and what `of_file` makes of the bytes of each. A
    /// file that cannot be read any more is left out.
    pub fn pack_files<T>(&self, mut of_file: impl FnMut(&[u8]) -> T) -> Vec<(PackInfo, Vec<(String, T)>)> {
        let mut all = Vec::new();
        for set in self.packs() {
            let places = set.places().into_iter();
            let files = places.filter_map(|place| Some((place.to_owned(), of_file(&set.read(place)?))));
            all.push((info(&set, Origin::Pack), files.collect()));
        }
        all
    }

    /// Compiles every schema file of every set: the set's name, the file, and what is wrong.
    pub fn check_all(&self) -> Vec<(String, String, Error)> {
        let sets = self.sets();
        let mut defects = Vec::new();
        for set in &sets {
            for file in set.schema_files() {
                if let Err(error) = compile_anew(set, &sets, file) {
                    defects.push((set.index.name.clone(), file.to_owned(), error));
                }
            }
        }
        defects
    }

    /// The compiled schema for a root element; `None` if no set declares it.
    pub fn find(&self, namespace: &str, local: &str) -> Result<Option<Arc<Schema>>, Error> {
        let sets = self.sets();
        for set in &sets {
            if let Some(file) = set.file_of(namespace, local) {
                return compile(set, &sets, file).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether a set declares a root element, and where that comes from.
    pub fn knows(&self, namespace: &str, local: &str) -> Option<Origin> {
        let in_pack = self.packs().iter().any(|set| set.file_of(namespace, local).is_some());
        let in_own = self.own.file_of(namespace, local).is_some();
        if in_pack { Some(Origin::Pack) } else { in_own.then_some(Origin::Own) }
    }

    /// All code lists: our own and those of the packs.
    pub fn code_lists(&self) -> Arc<CodeLists> {
        if let Some(lists) = &*self.code_lists.read().unwrap_or_else(PoisonError::into_inner) {
            return Arc::clone(lists);
        }
        let mut lists = CodeLists::own();
        for set in self.packs().iter().rev() {
            set.code_lists().into_iter().for_each(|list| lists.add(list));
        }
        let lists = Arc::new(lists);
        *self.code_lists.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&lists));
        lists
    }

    /// Validates a document to its end. What our reader refuses is a finding like any other, with
    /// the reader's code as its rule.
    pub fn check<R: BufRead>(self: &Arc<Self>, input: R, limits: Limits) -> Report {
        let mut reader = Reader::new(input, limits);
        reader.observe(Box::new(Validator::by_root(Arc::clone(self))));
        let failure = loop {
            match reader.next() {
                Ok(xml::Event::Eof) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        let path = reader.path();
        let mut report = reader.take_observer::<Validator>().map(|v| v.report()).unwrap_or_default();
        if let Some(error) = failure {
            let (rule, message) = (error.code().to_owned(), error.to_string());
            let line = error.line().unwrap_or_default();
            report.add(Finding { severity: Severity::Error, rule, line, path, message });
        }
        report
    }

    fn packs(&self) -> Vec<Arc<Set>> {
        self.packs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every set in order of precedence.
    fn sets(&self) -> Vec<Arc<Set>> {
        let mut sets = self.packs();
        sets.push(Arc::clone(&self.own));
        sets
    }
}

fn own_set() -> Set {
    let files = own::files();
    let mut index = Index { name: "own".to_owned(), ..Index::default() };
    for (name, bytes) in &files {
        if let Kind::Schema(outline) = index::examine(name, bytes) {
            index.schemas.insert(name.clone(), outline);
        }
    }
    Set::new(index, Files::Memory(files.into_iter().collect()))
}

fn info(set: &Set, origin: Origin) -> PackInfo {
    PackInfo {
        name: set.index.name.clone(),
        origin,
        namespaces: set.namespaces(),
        schemas: set.index.schemas.len(),
        code_lists: set.index.code_lists.len(),
    }
}
