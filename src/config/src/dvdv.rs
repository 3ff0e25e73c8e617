//! `[dvdv]`: the German directory of public offices, which is asked for authorities that nobody else knows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use broker::house::{KeyPair, Reads};
use model::SystemClock;
use serde::{Deserialize, Serialize};
use transport::dvdv;

use crate::check::Check;
use crate::osci::{certificates, identity, refused, resolve_pair};
use crate::{Config, Error, resolve};

/// Name of the section.
const KEY: &str = "dvdv";

/// `[dvdv]`. Without it nobody is asked.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dvdv {
    /// Address up to and with the entry path.
    pub url: String,
    /// Where tokens are given; absent: none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The organisation's client certificate in the directory, with its key.
    pub identity: KeyPair,
    /// References to files of the certificates that that of the server must go back to; empty: those of the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Hours that an answer is used before the directory is asked again.
    #[serde(default = "cache_hours")]
    pub cache_hours: u32,
    /// Days that an answer is used while the directory fails.
    #[serde(default = "stale_days")]
    pub stale_days: u32,
    /// The services that are looked for, the preferred one first.
    #[serde(rename = "service")]
    pub services: Vec<DvdvService>,
}

/// `[[dvdv.service]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DvdvService {
    /// Its address there (`serviceSpecificationUri`).
    pub uri: String,
    /// Public service of ours that it is; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Standards and versions that are read there, newest first.
    pub reads: Reads,
    /// Largest message, in bytes.
    pub most_bytes: u64,
    /// What stands behind the address of a server of XTA for its management and its send port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<(String, String)>,
}

fn cache_hours() -> u32 {
    12
}

fn stale_days() -> u32 {
    7
}

impl Config {
    /// What the section refers to, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn dvdv_settings(&self) -> Result<Option<dvdv::Settings>, Error> {
        let Some(it) = &self.dvdv else { return Ok(None) };
        let mut trust = vec![];
        for (index, reference) in it.trust.iter().enumerate() {
            trust.extend(certificates(reference, &format!("dvdv.trust[{index}]"))?);
        }
        let service = |it: &DvdvService| dvdv::Service {
            uri: it.uri.clone(),
            service: it.service.clone(),
            xta: it.xta.clone(),
            reads: it.reads.clone(),
            most_bytes: it.most_bytes,
        };
        let key = format!("{KEY}.identity");
        let identity = identity(&it.identity, &key)?;
        // Assertions are signed RS256.
        if !identity.certificate().is_rsa() {
            return Err(refused(&key, seal::Error::AlgorithmForbidden));
        }
        Ok(Some(dvdv::Settings {
            url: it.url.clone(),
            token_url: it.token_url.clone(),
            identity,
            trust: (!trust.is_empty()).then_some(trust),
            cache: Duration::from_secs(u64::from(it.cache_hours) * 3_600),
            stale: Duration::from_secs(u64::from(it.stale_days) * 24 * 3_600),
            services: it.services.iter().map(service).collect(),
            clock: Arc::new(SystemClock),
        }))
    }

    pub(crate) fn resolve_dvdv(&mut self, folder: &Path) {
        let Some(it) = &mut self.dvdv else { return };
        resolve_pair(&mut it.identity, folder);
        it.trust.iter_mut().for_each(|reference| resolve(reference, folder));
    }
}

impl Check<'_> {
    pub(crate) fn dvdv(&self, config: &Config) -> Result<(), Error> {
        let Some(it) = &config.dvdv else { return Ok(()) };
        for (name, url) in [("url", Some(&it.url)), ("token_url", it.token_url.as_ref())] {
            let Some(url) = url else { continue };
            let key = format!("{KEY}.{name}");
            // What it says decides where messages go, and the token is a secret.
            if !url.starts_with("https://") {
                return Err(self.value(&key, "expected https://…"));
            }
            if url.ends_with('/') {
                return Err(self.value(&key, "expected an address without a slash at the end"));
            }
        }
        self.note(self.key_pair(&format!("{KEY}.identity"), &it.identity));
        for (index, reference) in it.trust.iter().enumerate() {
            self.note(self.file(&format!("dvdv.trust[{index}]"), reference));
        }
        self.note(self.number("dvdv.cache_hours", it.cache_hours.into(), 1, 24 * 31));
        self.note(self.number("dvdv.stale_days", it.stale_days.into(), 1, 366));
        for (index, service) in it.services.iter().enumerate() {
            let key = format!("dvdv.service[{index}]");
            let is_first = it.services[..index].iter().all(|other| other.uri != service.uri);
            self.note(self.unique(&format!("{key}.uri"), is_first));
            if let Some(name) = &service.service {
                self.note(self.name(&format!("{key}.service"), name));
            }
            self.note(self.number(&format!("{key}.most_bytes"), service.most_bytes, 1, 1 << 40));
            let mut paths = service.xta.iter().flat_map(|(management, send)| [management, send]);
            if paths.any(|path| !path.starts_with('/')) {
                return Err(self.value(&format!("{key}.xta"), "expected paths that begin with a slash"));
            }
        }
        Ok(())
    }
}
