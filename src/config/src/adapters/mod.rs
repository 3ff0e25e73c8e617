//! `[[adapter]]`: channels to the outside. Each entry has keys that all kinds have, and those of its kind.
//!
//! * this file: what all have, and what holds of it;
//! * `read`: how an entry is taken apart by keys, so that an unknown one is named by its line;
//! * `apart`: what holds between entries, and between them and partners;
//! * `remote`, `dms`, `telephone`, `workflow`, `scan`, `post`, `archive`, `online`, `portal`, `mobile`, `notify`: the kinds.

mod apart;
mod archive;
mod dms;
mod mobile;
mod notify;
mod online;
mod online_sender;
mod portal;
mod post;
mod read;
mod remote;
mod scan;
mod telephone;
mod workflow;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::Channel;
use broker::house::{KeyPair, OSCI_ADAPTER, XTA_ADAPTER};
use model::Authority;
use model::rights::{Scope, Within};
use seal::identity::Identity;
use seal::timestamp::Authorities;
use seal::x509::Certificate;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::osci::{certificates, identity, resolve_pair};
use crate::{Config, Error, Place, read_secret, resolve};

pub use archive::*;
pub use dms::*;
pub use mobile::*;
pub use notify::*;
pub use online::*;
pub use online_sender::*;
pub use portal::Portal;
pub use post::*;
pub(crate) use read::take as take_adapters;
pub use remote::Remote;
pub use scan::*;
pub use telephone::Asterisk;
pub use workflow::*;

/// Keys that every kind has, beside `kind`.
const COMMON: &[&str] =
    &["id", "tenant", "authority", "unit", "units", "services", "from_beginning", "patience_hours"];

/// Longest time that is tried to tell an adapter something: a year.
const MOST_PATIENCE: u64 = 366 * 24;

/// How long is tried if nothing else is said, in hours.
const PATIENCE: u32 = 24;

/// `[[adapter]]`.
#[derive(Clone, Serialize)]
pub struct AdapterEntry {
    /// What all have.
    #[serde(flatten)]
    pub serves: Serves,
    /// What it speaks.
    #[serde(flatten)]
    pub kind: AdapterKind,
}

/// Whom an adapter serves. Without a tenant nobody: then only messages are delivered through it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Serves {
    /// Id, as partners name it.
    pub id: String,
    /// The tenant whose records it is told of and may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The authority that what it brings in belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// The unit whose desk it brings things onto that no other is known for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Units whose records they are; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// Public services whose records they are; empty: all, and those without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Whether it is told of everything that ever happened, and not only of what happens from its first start on.
    #[serde(default)]
    pub from_beginning: bool,
    /// Hours that are tried to tell it something before a human is asked; absent: a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_hours: Option<u32>,
}

/// What an adapter speaks.
#[derive(Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AdapterKind {
    /// HTTPS and JSON with a program in any language.
    Remote(Remote),
    /// A DMS by CMIS 1.1.
    Cmis(OfDms<Cmis>),
    /// A folder of a WebDAV server.
    Webdav(OfDms<Webdav>),
    /// d.velop documents.
    Dvelop(OfDms<Dvelop>),
    /// enaio.
    Enaio(OfDms<Enaio>),
    /// Folders of xdomea containers, for a DMS without an interface.
    XdomeaFolder(XdomeaFolder),
    /// A workflow engine with the REST API of Camunda 7.
    Camunda(Camunda),
    /// A telephone system with the REST interface of Asterisk.
    Asterisk(Box<Asterisk>),
    /// A folder of scans.
    Scan(Box<Scan>),
    /// A mailbox that letters come in by (IMAP).
    Mail(MailIn),
    /// The citizens' pages of the gateway itself.
    Portal(Portal),
    /// A folder of a print centre.
    Print(Print),
    /// E-POSTBUSINESS.
    HybridMail(HybridMail),
    /// A mail server that e-mails go out by.
    Smtp(Smtp),
    /// What citizens are told.
    Notify(Box<Notify>),
    /// An archive by TR-ESOR.
    ArchiveTresor(OfArchive<Tresor>),
    /// DA NRW.
    ArchiveDanrw(OfArchive<Danrw>),
    /// A folder of packages.
    ArchiveFolder(OfArchive<ArchiveFolder>),
    /// A destination of FIT-Connect.
    FitConnect(Box<FitConnect>),
    /// Reports of citizens by Open311 GeoReport v2.
    Open311(Box<Open311>),
    /// The Open311 server of somebody else.
    #[serde(rename = "open311-client")]
    OpenClient(OpenClient),
    /// Notices to browsers.
    WebPush(WebPush),
    /// The way `fit-connect` of dispatches.
    FitConnectSender(Box<FitConnectSender>),
}

impl AdapterKind {
    /// As it is written.
    pub fn name(&self) -> &'static str {
        match self {
            AdapterKind::Remote(_) => "remote",
            AdapterKind::Cmis(_) => "cmis",
            AdapterKind::Webdav(_) => "webdav",
            AdapterKind::Dvelop(_) => "dvelop",
            AdapterKind::Enaio(_) => "enaio",
            AdapterKind::XdomeaFolder(_) => "xdomea-folder",
            AdapterKind::Camunda(_) => "camunda",
            AdapterKind::Asterisk(_) => "asterisk",
            AdapterKind::Scan(_) => "scan",
            AdapterKind::Mail(_) => "mail",
            AdapterKind::Portal(_) => "portal",
            AdapterKind::Print(_) => "print",
            AdapterKind::HybridMail(_) => "hybrid-mail",
            AdapterKind::Smtp(_) => "smtp",
            AdapterKind::Notify(_) => "notify",
            AdapterKind::ArchiveTresor(_) => "archive-tresor",
            AdapterKind::ArchiveDanrw(_) => "archive-danrw",
            AdapterKind::ArchiveFolder(_) => "archive-folder",
            AdapterKind::FitConnect(_) => "fit-connect",
            AdapterKind::Open311(_) => "open311",
            AdapterKind::OpenClient(_) => "open311-client",
            AdapterKind::WebPush(_) => "web-push",
            AdapterKind::FitConnectSender(_) => "fit-connect-sender",
        }
    }
}

/// What an entry refers to, and what must hold of it, by its keys.
#[derive(Default)]
pub(crate) struct Refers<'a> {
    /// Secrets.
    secrets: Vec<(String, &'a mut String)>,
    /// Files that are no secrets.
    files: Vec<(String, &'a mut String)>,
    /// Key pairs.
    pairs: Vec<(String, &'a mut KeyPair)>,
    /// Files and folders by their path.
    paths: Vec<&'a mut PathBuf>,
    /// Addresses.
    urls: Vec<(&'static str, &'a str)>,
    /// Numbers: least and most.
    numbers: Vec<(&'static str, u64, u64, u64)>,
    /// Texts that must not be empty.
    texts: Vec<(String, &'a str)>,
    /// Whatever else is wrong: key and rule.
    wrong: Option<(String, String)>,
}

impl<'a> Refers<'a> {
    fn secrets(mut self, all: impl IntoIterator<Item = (&'static str, &'a mut String)>) -> Self {
        self.secrets.extend(all.into_iter().map(|(key, it)| (key.to_owned(), it)));
        self
    }

    fn listed(mut self, key: &str, all: &'a mut [String]) -> Self {
        self.files.extend(all.iter_mut().enumerate().map(|(at, it)| (format!("{key}[{at}]"), it)));
        self
    }

    fn pairs(mut self, key: &str, all: impl IntoIterator<Item = &'a mut KeyPair>) -> Self {
        self.pairs.extend(all.into_iter().map(|pair| (key.to_owned(), pair)));
        self
    }

    fn paths(mut self, all: impl IntoIterator<Item = &'a mut PathBuf>) -> Self {
        self.paths.extend(all);
        self
    }

    fn url(mut self, key: &'static str, url: &'a str) -> Self {
        self.urls.push((key, url));
        self
    }

    fn numbers(mut self, all: impl IntoIterator<Item = (&'static str, u64, u64, u64)>) -> Self {
        self.numbers.extend(all);
        self
    }

    fn texts(mut self, all: impl IntoIterator<Item = (&'static str, &'a str)>) -> Self {
        self.texts.extend(all.into_iter().map(|(key, it)| (key.to_owned(), it)));
        self
    }

    fn wrong_if(mut self, is_wrong: bool, key: &str, rule: &str) -> Self {
        if is_wrong {
            self.wrong.get_or_insert((key.to_owned(), rule.to_owned()));
        }
        self
    }
}

impl AdapterEntry {
    fn refers(&mut self) -> Refers<'_> {
        match &mut self.kind {
            AdapterKind::Remote(it) => it.refers(),
            AdapterKind::Cmis(it) => {
                let looks = it.system.looks();
                it.system.refers().and(&it.mapped, looks)
            }
            AdapterKind::Webdav(it) => it.system.refers().and(&it.mapped, true),
            AdapterKind::Dvelop(it) => it.system.refers().and(&it.mapped, false),
            AdapterKind::Enaio(it) => it.system.refers().and(&it.mapped, false),
            AdapterKind::XdomeaFolder(it) => it.refers(),
            AdapterKind::Camunda(it) => it.refers(),
            AdapterKind::Asterisk(it) => it.refers(),
            AdapterKind::Scan(it) => it.refers(),
            AdapterKind::Mail(it) => it.refers(),
            AdapterKind::Portal(it) => it.refers(),
            AdapterKind::Print(it) => it.refers(),
            AdapterKind::HybridMail(it) => it.refers(),
            AdapterKind::Smtp(it) => it.refers(),
            AdapterKind::Notify(it) => it.refers(),
            AdapterKind::ArchiveTresor(it) => it.target.refers().with(&mut it.packages),
            AdapterKind::ArchiveDanrw(it) => it.target.refers().with(&mut it.packages),
            AdapterKind::ArchiveFolder(it) => it.target.refers().with(&mut it.packages),
            AdapterKind::FitConnect(it) => it.refers(),
            AdapterKind::Open311(it) => it.refers(),
            AdapterKind::OpenClient(it) => it.refers(),
            AdapterKind::WebPush(it) => it.refers(),
            AdapterKind::FitConnectSender(it) => it.refers(),
        }
    }

    /// Whether it does nothing at all unless it serves somebody.
    fn must_serve(&self) -> bool {
        match &self.kind {
            AdapterKind::Remote(it) => {
                !it.follows.is_empty() || it.brings || it.takes_calls || it.keeps_records
            }
            AdapterKind::ArchiveTresor(_) | AdapterKind::ArchiveDanrw(_) | AdapterKind::ArchiveFolder(_) => {
                false
            }
            _ => true,
        }
    }

    /// Whom it serves, as the broker wants it; nobody if it has no tenant.
    pub fn channel(&self) -> Option<Channel> {
        let serves = &self.serves;
        let (tenant, authority, unit) =
            (serves.tenant.as_ref()?, serves.authority.as_ref()?, serves.unit.as_ref()?);
        let within = |names: &[String]| match names {
            [] => Within::All,
            some => Within::Only(some.iter().cloned().collect()),
        };
        Some(Channel {
            scope: Scope {
                tenant: tenant.clone(),
                units: within(&serves.units),
                services: within(&serves.services),
            },
            authority: authority.clone(),
            unit: unit.clone(),
            from_beginning: serves.from_beginning,
            patience: Duration::from_secs(u64::from(serves.patience_hours.unwrap_or(PATIENCE)) * 3_600),
        })
    }
}

impl Config {
    pub(crate) fn resolve_adapters(&mut self, folder: &Path) {
        for entry in &mut self.adapters {
            let refers = entry.refers();
            let references = refers.secrets.into_iter().chain(refers.files);
            references.for_each(|(_, reference)| resolve(reference, folder));
            refers.pairs.into_iter().for_each(|(_, pair)| resolve_pair(pair, folder));
            refers.paths.into_iter().for_each(|path| *path = folder.join(&*path));
        }
    }

    /// A secret that `key` of an adapter refers to, without the line end of its file.
    ///
    /// # Errors
    /// If it is not there, or others than its owner can read it.
    pub fn adapter_secret(&self, entry: &AdapterEntry, key: &str, reference: &str) -> Result<String, Error> {
        let place = Place::key(&self.adapter_key(entry, key));
        let secret = read_secret(reference, place.clone())?;
        match secret.trim_end_matches(['\r', '\n']) {
            "" => Err(Error::SecretMissing(place)),
            secret => Ok(secret.to_owned()),
        }
    }

    /// A key pair of an adapter, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn adapter_identity(
        &self,
        entry: &AdapterEntry,
        key: &str,
        pair: &KeyPair,
    ) -> Result<Identity, Error> {
        identity(pair, &self.adapter_key(entry, key))
    }

    /// The certificates of files that an adapter names, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn adapter_certificates(
        &self,
        entry: &AdapterEntry,
        key: &str,
        references: &[String],
    ) -> Result<Vec<Certificate>, Error> {
        let mut all = vec![];
        for (at, reference) in references.iter().enumerate() {
            all.extend(certificates(reference, &format!("{}[{at}]", self.adapter_key(entry, key)))?);
        }
        Ok(all)
    }

    /// The time stamp authorities that an adapter trusts, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn adapter_authorities(
        &self,
        entry: &AdapterEntry,
        key: &str,
        references: &[String],
    ) -> Result<Authorities, Error> {
        Ok(Authorities::of(&self.adapter_certificates(entry, key, references)?))
    }

    /// Why a value of an adapter is refused that only the adapter itself can judge.
    pub fn adapter_refused(&self, entry: &AdapterEntry, key: &str, rule: &str) -> Error {
        Error::Value(Place::key(&self.adapter_key(entry, key)), rule.to_owned())
    }

    fn adapter_key(&self, entry: &AdapterEntry, key: &str) -> String {
        let index = self.adapters.iter().position(|known| known.serves.id == entry.serves.id);
        format!("adapter[{}].{key}", index.unwrap_or_default())
    }
}

impl Check<'_> {
    pub(crate) fn adapters<'c>(&self, config: &'c Config) -> Result<BTreeSet<&'c str>, Error> {
        let mut ids = BTreeSet::new();
        for (index, entry) in config.adapters.iter().enumerate() {
            let key = format!("adapter[{index}]");
            self.note(self.name(&format!("{key}.id"), &entry.serves.id));
            self.note(self.unique(&format!("{key}.id"), ids.insert(entry.serves.id.as_str())));
            if [OSCI_ADAPTER, XTA_ADAPTER].contains(&entry.serves.id.as_str()) {
                self.note(Err(self.value(&format!("{key}.id"), "this name is the gateway's own")));
            }
            self.note(self.serves(&key, entry, config));
            self.note(self.reports(&key, entry, config));
            self.note(self.mappings(&key, entry, config));
            self.note(self.refers(&key, entry.clone().refers()));
        }
        Ok(ids)
    }

    /// Whom an adapter serves: all of it or nothing.
    fn serves(&self, key: &str, entry: &AdapterEntry, config: &Config) -> Result<(), Error> {
        let Serves { tenant, authority, unit, units, services, from_beginning, patience_hours, .. } =
            &entry.serves;
        if let Some(hours) = patience_hours {
            self.note(self.number(&format!("{key}.patience_hours"), (*hours).into(), 1, MOST_PATIENCE));
        }
        let Some(tenant) = tenant else {
            let rule = match entry.must_serve() {
                true => "expected tenant, authority and unit: it has to serve somebody",
                false
                    if authority.is_some() || unit.is_some() || !units.is_empty() || !services.is_empty() =>
                {
                    "authority, unit, units and services go with a tenant"
                }
                false if *from_beginning || patience_hours.is_some() => {
                    "from_beginning and patience_hours go with a tenant"
                }
                false => return Ok(()),
            };
            return Err(self.value(key, rule));
        };
        let known = config.tenants.iter().find(|known| known.id == *tenant);
        self.note(self.defined(&format!("{key}.tenant"), "tenant", known.is_some()));
        let (Some(known), Some(authority), Some(unit)) = (known, authority, unit) else {
            return Err(self.value(key, "expected authority and unit beside tenant"));
        };
        let is_ours = known.authorities.iter().any(|one| one.key == *authority);
        self.note(self.defined(&format!("{key}.authority"), "authority", is_ours));
        let has = |unit: &String| known.units.iter().any(|one| one.id == *unit);
        self.note(self.defined(&format!("{key}.unit"), "unit", has(unit)));
        for (at, name) in units.iter().enumerate() {
            self.note(self.defined(&format!("{key}.units[{at}]"), "unit", has(name)));
        }
        for (at, name) in services.iter().enumerate() {
            self.note(self.name(&format!("{key}.services[{at}]"), name));
        }
        // What it brings onto that desk it must be able to see.
        match units.is_empty() || units.contains(unit) {
            true => Ok(()),
            false => Err(self.value(&format!("{key}.unit"), "expected one of units")),
        }
    }

    /// What forms become belongs to units and services that the adapter serves.
    fn mappings(&self, key: &str, entry: &AdapterEntry, config: &Config) -> Result<(), Error> {
        let AdapterKind::FitConnect(it) = &entry.kind else { return Ok(()) };
        let Serves { tenant, units, services, .. } = &entry.serves;
        let tenant = config.tenants.iter().find(|known| Some(&known.id) == tenant.as_ref());
        let within = |all: &[String], name: &String| all.is_empty() || all.contains(name);
        for (at, mapping) in it.mapping.iter().enumerate() {
            let key = format!("{key}.mapping[{at}]");
            self.note(self.name(&format!("{key}.id"), &mapping.id));
            if let Some(unit) = &mapping.unit {
                let is_known = tenant.is_some_and(|it| it.units.iter().any(|known| known.id == *unit));
                self.note(self.defined(&format!("{key}.unit"), "unit", is_known && within(units, unit)));
            }
            if let Some(service) = &mapping.public_service {
                self.note(self.name(&format!("{key}.public_service"), service));
                let served = within(services, service);
                self.note(self.defined(&format!("{key}.public_service"), "service of the adapter", served));
            }
        }
        Ok(())
    }

    fn refers(&self, key: &str, refers: Refers<'_>) -> Result<(), Error> {
        for (name, reference) in &refers.secrets {
            self.note(self.secret(&format!("{key}.{name}"), reference));
        }
        for (name, reference) in &refers.files {
            self.note(self.file(&format!("{key}.{name}"), reference));
        }
        for (name, pair) in &refers.pairs {
            self.note(self.key_pair(&format!("{key}.{name}"), pair));
        }
        for (name, url) in &refers.urls {
            let key = format!("{key}.{name}");
            self.note(self.url(&key, url));
            if url.ends_with('/') || url.contains(['?', '#']) {
                return Err(self.value(&key, "expected an address without a slash at the end, ? and #"));
            }
        }
        for (name, value, least, most) in &refers.numbers {
            self.note(self.number(&format!("{key}.{name}"), *value, *least, *most));
        }
        for (name, text) in &refers.texts {
            self.note(self.title(&format!("{key}.{name}"), text));
        }
        match &refers.wrong {
            Some((name, rule)) => Err(self.value(&format!("{key}.{name}"), rule)),
            None => Ok(()),
        }
    }
}
