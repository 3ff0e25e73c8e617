//! What holds between adapters, and between them and partners: what two of them would do to one thing, and which of them is whose way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{AdapterEntry, AdapterKind, Serves};
use crate::check::Check;
use crate::{Config, Error};

impl AdapterKind {
    /// Whether messages to partners go by it.
    pub(crate) fn carries_messages(&self) -> bool {
        matches!(
            self,
            AdapterKind::Remote(_)
                | AdapterKind::XdomeaFolder(_)
                | AdapterKind::ArchiveTresor(_)
                | AdapterKind::ArchiveDanrw(_)
                | AdapterKind::ArchiveFolder(_)
        )
    }

    /// The way of dispatches that it carries.
    fn way(&self) -> Option<&'static str> {
        match self {
            AdapterKind::Portal(_) => Some("portal"),
            AdapterKind::Print(_) => Some("print"),
            AdapterKind::HybridMail(_) => Some("hybrid"),
            AdapterKind::Smtp(_) => Some("mail"),
            AdapterKind::WebPush(_) => Some("push"),
            _ => None,
        }
    }

    /// Folders, mailboxes and destinations that it takes from or puts into, by their keys: no other may.
    fn places(&self) -> Vec<(&'static str, String)> {
        let one = |path: &PathBuf| vec![("folder", folder(path))];
        match self {
            AdapterKind::Scan(it) => one(&it.folder),
            AdapterKind::Print(it) => one(&it.folder),
            AdapterKind::ArchiveDanrw(it) => one(&it.target.folder),
            AdapterKind::ArchiveFolder(it) => one(&it.target.folder),
            AdapterKind::XdomeaFolder(it) => {
                vec![("export", folder(&it.export)), ("import", folder(&it.import))]
            }
            AdapterKind::Mail(it) => {
                let host = it.server.host.to_ascii_lowercase();
                vec![("folder", format!("imap:{host}:{}:{}:{}", it.server.port, it.user, it.folder))]
            }
            // The gateway has one door for it.
            AdapterKind::Open311(_) => vec![("kind", "door:open311".to_owned())],
            AdapterKind::FitConnect(it) => {
                let place = format!("fit-connect:{}:{}", it.submission_url, it.destination);
                vec![("destination", place)]
            }
            _ => vec![],
        }
    }
}

/// The same folder is the same text, whatever it is written like.
fn folder(path: &Path) -> String {
    let path: PathBuf = path.components().collect();
    format!("folder:{}", path.display())
}

/// Whether there may be a record that both serve.
fn overlap(one: &Serves, other: &Serves) -> bool {
    let meet = |one: &[String], other: &[String]| {
        one.is_empty() || other.is_empty() || one.iter().any(|name| other.contains(name))
    };
    one.tenant.is_some()
        && one.tenant == other.tenant
        && meet(&one.units, &other.units)
        && meet(&one.services, &other.services)
}

impl Check<'_> {
    /// What holds between adapters, once their paths are known.
    pub(crate) fn apart(&self, config: &Config) -> Result<(), Error> {
        let mut places = BTreeMap::new();
        for (index, entry) in config.adapters.iter().enumerate() {
            let key = format!("adapter[{index}]");
            self.note(self.way(&key, entry, &config.adapters[..index]));
            self.note(self.telephone(&key, entry, &config.adapters[..index]));
            self.note(self.partner_of_folder(&key, entry, config));
            for (name, place) in entry.kind.places() {
                self.note(self.unique(&format!("{key}.{name}"), places.insert(place, index).is_none()));
            }
        }
        Ok(())
    }

    /// A dispatch is carried once.
    fn way(&self, key: &str, entry: &AdapterEntry, before: &[AdapterEntry]) -> Result<(), Error> {
        let Some(way) = entry.kind.way() else { return Ok(()) };
        if entry.serves.from_beginning {
            let rule = "what was sent in former times must not be sent again";
            return Err(self.value(&format!("{key}.from_beginning"), rule));
        }
        let same = |it: &&AdapterEntry| it.kind.way() == Some(way) && overlap(&it.serves, &entry.serves);
        match before.iter().find(same) {
            Some(other) => {
                let id = &other.serves.id;
                let rule = format!(
                    "the adapter {id} carries dispatches of this way for the same units and services"
                );
                Err(self.value(key, &rule))
            }
            None => Ok(()),
        }
    }

    /// A call that a clerk wants is made once; and whatever unit a call has gone to, who carried it says how it ended.
    fn telephone(&self, key: &str, entry: &AdapterEntry, before: &[AdapterEntry]) -> Result<(), Error> {
        let is_one = |it: &AdapterEntry| matches!(it.kind, AdapterKind::Asterisk(_));
        if !is_one(entry) {
            return Ok(());
        }
        let Serves { tenant, units, services, .. } = &entry.serves;
        if !units.is_empty() || !services.is_empty() {
            let name = if units.is_empty() { "services" } else { "units" };
            let rule =
                "a telephone system serves its whole tenant: calls are handed on while they are spoken";
            return Err(self.value(&format!("{key}.{name}"), rule));
        }
        match before.iter().find(|it| is_one(it) && it.serves.tenant == *tenant) {
            Some(other) => {
                let id = &other.serves.id;
                let rule = format!(
                    "the adapter {id} makes the calls of this tenant; another one would make them again"
                );
                Err(self.value(key, &rule))
            }
            None => Ok(()),
        }
    }

    /// What comes out of a folder comes from a partner, whose way this is.
    fn partner_of_folder(&self, key: &str, entry: &AdapterEntry, config: &Config) -> Result<(), Error> {
        let AdapterKind::XdomeaFolder(it) = &entry.kind else { return Ok(()) };
        let id = &entry.serves.id;
        let is_way = config
            .partners
            .iter()
            .any(|known| known.authority == it.partner && known.adapter.as_ref() == Some(id));
        match is_way {
            true => Ok(()),
            false => {
                Err(self
                    .value(&format!("{key}.partner"), "expected a [[partner]] whose adapter is this entry"))
            }
        }
    }
}
