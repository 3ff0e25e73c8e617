//! The files that a message names, and the entries of its container (xdomea 3.0.0 p. 11 and 70; 4.0.0 p. 10).

use std::collections::HashMap;

use model::Finding;

use super::Setting;
use super::found::{Found, Spot};
use super::records::Records;
use super::uuids::{Known, Role, uuid};
use crate::container::{Container, shown};
use crate::xdomea::formats::OTHER;

/// What is known of an entry of the container.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named {
    pub(crate) named: bool,
    /// Code of the format that the message claims.
    pub(crate) claim: Option<[u8; 3]>,
}

/// The Format that is open.
#[derive(Default)]
struct OpenFormat {
    code: String,
    has_other_name: bool,
    entry: Option<usize>,
}

/// Names of files, compared with the container.
pub(super) struct Files<'a> {
    container: Option<&'a Container>,
    /// By entry of the container.
    pub(super) entries: Vec<Named>,
    /// Files named where there is no container.
    pub(super) absent: u64,
    format: OpenFormat,
    /// Entries by the UUID that their names begin with; made when a file is missing.
    by_uuid: Option<HashMap<u128, usize>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(container: Option<&'a Container>) -> Self {
        let count = container.map_or(0, |container| container.entries().len());
        let entries = vec![Named::default(); count];
        Files { container, entries, absent: 0, format: OpenFormat::default(), by_uuid: None }
    }

    pub(super) fn begin_format(&mut self) {
        self.format = OpenFormat::default();
    }

    /// Code of the format.
    pub(super) fn code(&mut self, code: &str) {
        code.clone_into(&mut self.format.code);
    }

    pub(super) fn other_name(&mut self, name: &str) {
        self.format.has_other_name = !name.is_empty();
    }

    pub(super) fn end_format(&mut self, found: &mut Found, spot: &dyn Spot) {
        let format = std::mem::take(&mut self.format);
        if format.code == OTHER && !format.has_other_name {
            found.add(Finding::error("xdomea.format-name"), spot);
        }
        if let Some(index) = format.entry {
            self.entries[index].claim = format.code.as_bytes().try_into().ok();
        }
    }

    /// Dateiname.
    pub(super) fn primary(
        &mut self,
        name: &str,
        records: &mut Records,
        setting: &Setting,
        found: &mut Found,
        spot: &dyn Spot,
    ) {
        let uuid = leading(name);
        let of_record = records.uuid();
        if uuid.is_none() || uuid == of_record {
            found.warn("xdomea.file-uuid", spot);
        }
        let known = uuid.filter(|_| uuid != of_record).map(|uuid| records.uuids.note(uuid, Role::File));
        let index = self.find(name, setting, found, spot);
        let is_named = index.is_some_and(|index| self.entries[index].named);
        let is_other_files = known == Some(Known::Again) && index.is_some() && !is_named;
        if known == Some(Known::Otherwise) || is_other_files {
            found.warn("xdomea.uuid-reused", spot);
        }
        let Some(index) = index else { return };
        if is_named {
            found.add(Finding::warning("xdomea.file-twice").in_file(shown(name)), spot);
        }
        self.entries[index].named = true;
        self.format.entry = Some(index);
    }

    /// SignaturSiegelDatei.
    pub(super) fn signature(&mut self, name: &str, setting: &Setting, found: &mut Found, spot: &dyn Spot) {
        if let Some(index) = self.find(name, setting, found, spot) {
            self.entries[index].named = true;
        }
    }

    /// The entry of a file that the message names.
    fn find(&mut self, name: &str, setting: &Setting, found: &mut Found, spot: &dyn Spot) -> Option<usize> {
        let Some(container) = self.container else {
            self.absent += 1;
            return None;
        };
        let index = container.find(name);
        if index.is_none() && setting.carries_files {
            let finding = match self.renamed(container, name) {
                Some(entry) => Finding::error("xdomea.file-renamed").in_file(shown(entry)),
                None => Finding::error("xdomea.file-missing"),
            };
            found.add(finding.with("name", shown(name)), spot);
        }
        index
    }

    /// The name of an entry that has the UUID of an absent file, and so is probably it.
    fn renamed(&mut self, container: &'a Container, name: &str) -> Option<&'a str> {
        let uuid = leading(name)?;
        let by_uuid = self.by_uuid.get_or_insert_with(|| {
            let entries = container.entries().iter().enumerate();
            entries.filter_map(|(index, entry)| Some((leading(entry.name())?, index))).collect()
        });
        let index = *by_uuid.get(&uuid)?;
        if self.entries[index].named {
            return None;
        }
        self.entries[index].named = true;
        container.entries().get(index).map(crate::container::Entry::name)
    }
}

/// The UUID that a name begins with.
fn leading(name: &str) -> Option<u128> {
    name.get(..36).and_then(uuid)
}
