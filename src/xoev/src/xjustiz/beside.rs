//! Files that a message names (dateiname, XJustiz Grunddatensatz) and those that came beside it in the container.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use model::standard::{Intake, Source};
use model::{Failure, Finding, PayloadRef, Report};

use super::Said;
use crate::Error;
use crate::container::{Container, folded, shown};
use crate::head::Place;

/// Entries of the container by the name that the message says, in the order of these names: the entry of exactly this name, else the one that
/// differs by case or by the composition of letters alone and that no other name means. Entries that differ by no more cannot be in
/// one container.
fn named<'a>(container: &Container, message: Option<&str>, said: &'a Said) -> BTreeMap<&'a str, usize> {
    let is_file = |index: &usize| container.entries().get(*index).map(|entry| entry.name()) != message;
    let exact = |name: &&'a String| Some((name.as_str(), container.find(name).filter(is_file)?));
    let mut found: BTreeMap<&str, usize> = said.files.iter().filter_map(|name| exact(&name)).collect();
    if found.len() == said.files.len() {
        return found;
    }
    let taken: BTreeSet<usize> = found.values().copied().collect();
    let free = (0..container.entries().len()).filter(|index| is_file(index) && !taken.contains(index));
    let free: HashMap<String, usize> =
        free.filter_map(|index| Some((folded(container.entries().get(index)?.name()), index))).collect();
    let mut meant: HashMap<String, Vec<&str>> = HashMap::new();
    for name in said.files.iter().filter(|name| !found.contains_key(name.as_str())) {
        meant.entry(folded(name)).or_default().push(name);
    }
    for (folded, names) in meant {
        if let ([name], Some(index)) = (&names[..], free.get(&folded)) {
            found.insert(name, *index);
        }
    }
    found
}

/// Adds a finding for each file that did not come, and for each that is damaged: reading could not tell that from a failure of ours.
pub(super) fn check_files(
    place: &Place,
    source: &mut dyn Source,
    said: &Said,
    report: &mut Report,
) -> Result<(), Failure> {
    let found = place.container().map(|container| (container, named(container, place.entry_name(), said)));
    for name in &said.files {
        let entry =
            found.as_ref().and_then(|(container, found)| Some((container, *found.get(name.as_str())?)));
        let Some((container, index)) = entry else {
            report.add(Finding::warning("xjustiz.file-absent").with("name", shown(name)));
            continue;
        };
        let mut content = container.read(source, index).map_err(Error::from)?;
        match io::copy(&mut content, &mut io::sink()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                report.add(Finding::error("container.checksum").in_file(shown(name)));
            }
            Err(error) => return Err(Error::from(error).into()),
        }
    }
    Ok(())
}

/// Takes the files in that a message names and came with, by the name that the message says.
pub(super) fn named_files(
    place: &Place,
    source: &mut dyn Source,
    said: &Said,
    intake: &mut dyn Intake,
) -> Result<HashMap<String, PayloadRef>, Failure> {
    let mut files = HashMap::new();
    let Some(container) = place.container() else { return Ok(files) };
    for (name, index) in named(container, place.entry_name(), said) {
        let mut content = container.read(source, index).map_err(Error::from)?;
        files.insert(name.to_owned(), intake.file(name, &mut content)?);
    }
    Ok(files)
}
