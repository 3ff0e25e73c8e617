//! Packs: reading one from a folder or a ZIP without trusting it, and keeping it so that a power
//! cut leaves either the old or the new one.

use crate::Error;
use crate::index::{self, Kind, read_limited};
use crate::set::{Files, Index, Set};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path};
use std::sync::Arc;

/// Files of one pack, those that are not used included.
const MAX_FILES: usize = 10_000;
/// Bytes of one file, and of all files that are kept.
const MAX_FILE: u64 = 32 << 20;
const MAX_TOTAL: u64 = 256 << 20;
/// A ZIP entry may grow by this factor; XSDs reach 30.
const MAX_RATIO: u64 = 200;
const MAX_DEPTH: usize = 20;
const INDEX: &str = "index.json";

/// Files of a pack by their place in it, with `/`.
pub(crate) type Content = BTreeMap<String, Arc<[u8]>>;

/// Reads the files of a pack that can be of use.
pub(crate) fn collect(path: &Path) -> Result<Content, Error> {
    let mut content = Collector::default();
    if path.is_dir() {
        content.folder(path, "", 0)?;
    } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        content.zip(File::open(path)?)?;
    } else {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(BAD_NAME)?;
        content.file(name.to_owned(), &mut File::open(path)?)?;
    }
    Ok(content.files)
}

const BAD_NAME: Error = Error::Pack { reason: "a file name leads out of it or cannot be kept" };
const TOO_LARGE: Error = Error::Pack { reason: "it is too large" };

#[derive(Default)]
struct Collector {
    files: Content,
    total: u64,
    seen: usize,
}

impl Collector {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(TOO_LARGE);
        }
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.count()?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let place = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // Symbolic links are neither: they are not followed.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folder(&entry.path(), &place, depth + 1)?;
            } else if kind.is_file() && is_of_use(&place) {
                self.file(place, &mut File::open(entry.path())?)?;
            }
        }
        Ok(())
    }

    fn zip(&mut self, file: File) -> Result<(), Error> {
        let mut archive = zip::ZipArchive::new(file).map_err(|_| Error::Zip)?;
        if archive.len() > MAX_FILES {
            return Err(TOO_LARGE);
        }
        for index in 0..archive.len() {
            self.count()?;
            let mut entry = archive.by_index(index).map_err(|_| Error::Zip)?;
            let name = entry.name().replace('\\', "/");
            if entry.is_dir() {
                continue;
            }
            check_name(&name)?;
            let too_dense = entry.size() > 64 * 1024 && entry.size() / MAX_RATIO > entry.compressed_size();
            if entry.size() > MAX_FILE || too_dense || entry.is_symlink() {
                return Err(TOO_LARGE);
            }
            if is_of_use(&name) {
                self.file(name, &mut entry)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, place: String, source: &mut dyn std::io::Read) -> Result<(), Error> {
        check_name(&place)?;
        let bytes = read_limited(source, MAX_FILE)?.ok_or(TOO_LARGE)?;
        self.total += bytes.len() as u64;
        if self.total > MAX_TOTAL {
            return Err(TOO_LARGE);
        }
        match self.files.insert(place, Arc::from(bytes)) {
            None => Ok(()),
            Some(_) => Err(Error::Pack { reason: "two files have the same name" }),
        }
    }

    fn count(&mut self) -> Result<(), Error> {
        self.seen += 1;
        if self.seen > MAX_FILES { Err(TOO_LARGE) } else { Ok(()) }
    }
}

fn is_of_use(name: &str) -> bool {
    name.ends_with(".xsd") || name.ends_with(".xml")
}

/// A relative name of plain parts, which also is not one of ours.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |component| matches!(component, Component::Normal(_));
    let is_odd = |c: char| c.is_control() || matches!(c, ':' | '\\');
    let good = !name.is_empty() && name.len() <= 512 && Path::new(name).components().all(is_plain);
    let good = good && !name.contains(is_odd) && !name.contains("//") && !name.ends_with('/');
    if good { Ok(()) } else { Err(BAD_NAME) }
}

/// What the files are.
pub(crate) fn index(files: &Content) -> Result<Index, Error> {
    let mut index = Index::default();
    for (place, bytes) in files {
        match index::examine(place, bytes) {
            Kind::Schema(outline) => {
                index.schemas.insert(place.clone(), outline);
            }
            Kind::CodeList(list) => {
                index.code_lists.insert(place.clone(), (list.uri, list.version));
            }
            Kind::Catalog(entries) => {
                let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
                let relative = |uri: String| if folder.is_empty() { uri } else { format!("{folder}/{uri}") };
                index.locations.extend(entries.into_iter().map(|(asked, uri)| (asked, relative(uri))));
            }
            Kind::Other => {}
        }
    }
    if index.schemas.is_empty() && index.code_lists.is_empty() {
        return Err(Error::Empty);
    }
    index.name = name(&index);
    Ok(index)
}

/// A name that is the same for packs of the same namespaces (or, without any, the same lists).
fn name(index: &Index) -> String {
    let mut subjects: Vec<(usize, &str)> = Vec::new();
    for outline in index.schemas.values() {
        match subjects.iter_mut().find(|(_, namespace)| *namespace == outline.namespace) {
            Some((count, _)) => *count += outline.elements.len(),
            None => subjects.push((outline.elements.len(), &outline.namespace)),
        }
    }
    if subjects.is_empty() {
        subjects.extend(index.code_lists.values().map(|(uri, _)| (1, uri.as_str())));
    }
    subjects.sort_unstable_by_key(|(_, namespace)| *namespace);
    subjects.dedup();
    let main = subjects.iter().max_by_key(|(count, _)| *count).map_or("", |(_, namespace)| namespace);
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let main: String = main.chars().map(|c| if is_kept(c) { c } else { '_' }).take(100).collect();
    // FNV-1a: only to keep different packs apart that have the same main namespace.
    let bytes = subjects.iter().flat_map(|(_, namespace)| namespace.bytes().chain([0]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}-{hash:016x}", main.trim_start_matches('.'))
}

/// Keeps a pack: written beside its place, synced, and moved there.
pub(crate) fn store(directory: &Path, index: &Index, files: &Content) -> Result<Set, Error> {
    let place = directory.join(&index.name);
    let (fresh, old) = (place.with_added_extension("new"), place.with_added_extension("old"));
    for leftover in [&fresh, &old] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)?;
        }
    }
    fs::create_dir_all(&fresh)?;
    for (name, bytes) in files.iter().filter(|(name, _)| is_kept(index, name)) {
        write_synced(&fresh, name, bytes)?;
    }
    let text = serde_json::to_vec_pretty(index).map_err(std::io::Error::from)?;
    write_synced(&fresh, INDEX, &text)?;
    sync_folders(&fresh)?;
    if place.exists() {
        fs::rename(&place, &old)?;
    }
    fs::rename(&fresh, &place)?;
    File::open(directory)?.sync_all()?;
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    Ok(Set::new(index.clone(), Files::Folder(place)))
}

fn is_kept(index: &Index, name: &str) -> bool {
    index.schemas.contains_key(name) || index.code_lists.contains_key(name)
}

fn write_synced(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn sync_folders(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    Ok(File::open(folder)?.sync_all()?)
}

/// Every pack kept in a directory, the latest first. A directory that is not there has none.
pub(crate) fn load_all(directory: &Path) -> Result<Vec<Arc<Set>>, Error> {
    let mut sets = Vec::new();
    if !directory.exists() {
        return Ok(sets);
    }
    for entry in fs::read_dir(directory)? {
        let folder = entry?.path();
        if folder.extension().is_some_and(|extension| extension == "old") {
            put_back(&folder)?;
        }
    }
    for entry in fs::read_dir(directory)? {
        let folder = entry?.path();
        let is_leftover = folder.extension().is_some_and(|e| e == "new" || e == "old");
        if is_leftover || !folder.join(INDEX).exists() {
            continue;
        }
        let bytes = read_limited(File::open(folder.join(INDEX))?, MAX_FILE)?.ok_or(TOO_LARGE)?;
        let index: Index = serde_json::from_slice(&bytes).map_err(std::io::Error::from)?;
        sets.push(Arc::new(Set::new(index, Files::Folder(folder))));
    }
    sets.sort_unstable_by_key(|set| std::cmp::Reverse(set.index.sequence));
    Ok(sets)
}

/// Where the move was interrupted between its two steps, the old pack still counts.
fn put_back(old: &Path) -> Result<(), Error> {
    let place = old.with_extension("");
    if place.exists() { Ok(fs::remove_dir_all(old)?) } else { Ok(fs::rename(old, place)?) }
}
