//! `[tls]` of the listener for machines, and `[xta]`: the server of XTA 2 with the accounts of those who call it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use broker::house::{AuthorityEntry, KeyPair};
use model::Authority;
use seal::identity::Identity;
use serde::{Deserialize, Serialize};
use transport::xta::{AccountEntry, Settings};

use crate::check::Check;
use crate::osci::{TrustFiles, Unlisted, certificates, identity, resolve_pair};
use crate::{Config, Error, Place, resolve};

/// The section of the file.
const SECTION: &str = "xta";
/// Longest name of a server: message ids have at most 100 characters, and their rest is of a fixed length.
const MOST_SERVER: usize = 41;
/// Longest time that a sender waits for an answer, in seconds.
const MOST_WAIT: u64 = 120;
/// Why there is no server of XTA without TLS.
const NEEDS_TLS: &str = "callers are known by TLS: [tls] and listen.machines are needed";

/// `[tls]`. Without it machines are spoken with in plain HTTP, and on loopback only.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The key pair that is shown.
    pub identity: KeyPair,
}

/// `[xta]`. Without it there is no server of XTA.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Xta {
    /// Name of the server in reports and message ids.
    pub server: String,
    /// References to files of the certificates that those of callers must go back to.
    pub trust: Vec<String>,
    /// References to files of revocation lists.
    #[serde(default)]
    pub crl: Vec<String>,
    /// Address of a responder that is asked about every certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<String>,
    /// What becomes of certificates that no list speaks of.
    #[serde(default)]
    pub without_revocation: Unlisted,
    /// Megabytes (MiB) of a container, where the account says nothing.
    #[serde(default = "container_mb")]
    pub container_mb: u64,
    /// Days that a message id may be used.
    #[serde(default = "message_id_days")]
    pub message_id_days: u64,
    /// Whether contents of the standards of this house are checked before they are taken in.
    #[serde(default = "yes")]
    pub check: bool,
    /// Accounts.
    #[serde(default, rename = "account")]
    pub accounts: Vec<XtaAccount>,
}

/// `[[xta.account]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaAccount {
    /// Name in logs and audit.
    pub id: String,
    /// The tenant that it deals with.
    pub tenant: String,
    /// References to files of the certificates that it may show.
    pub certificates: Vec<String>,
    /// Whom it speaks for.
    pub parties: Vec<String>,
    /// Whether it is shut out for now.
    #[serde(default)]
    pub locked: bool,
    /// Services that it may use; none named: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Megabytes (MiB) of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_mb: Option<u64>,
    /// Whether what the schema does not allow is taken if it can be understood.
    #[serde(default)]
    pub lenient: bool,
    /// Whether it is a server of XTA that delivers messages of other authors to readers (`deliverMessage` of version 5).
    #[serde(default)]
    pub delivers: bool,
}

fn yes() -> bool {
    true
}

fn container_mb() -> u64 {
    40
}

fn message_id_days() -> u64 {
    7
}

impl Config {
    /// The key pair of `[tls]`; nothing if there is no such section.
    ///
    /// # Errors
    /// If it cannot be read, or is no key pair.
    pub fn tls_identity(&self) -> Result<Option<Identity>, Error> {
        self.tls.as_ref().map(|tls| identity(&tls.identity, "tls.identity")).transpose()
    }

    /// What `[xta]` refers to; nothing if there is no such section.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be; if it is not clear whose account a caller has.
    pub fn xta_settings(&self) -> Result<Option<Settings>, Error> {
        let Some(xta) = &self.xta else { return Ok(None) };
        let files = TrustFiles::of(SECTION, &xta.trust, &xta.crl, xta.without_revocation);
        let mut accounts: Vec<AccountEntry> = Vec::new();
        for (index, account) in xta.accounts.iter().enumerate() {
            let key = format!("xta.account[{index}]");
            let entry = account.load(&key, xta.container_mb)?;
            if accounts.iter().any(|known| known.is_ambiguous_with(&entry)) {
                return Err(Error::Duplicate(Place::key(&format!("{key}.parties"))));
            }
            accounts.push(entry);
        }
        Ok(Some(Settings {
            server: xta.server.clone(),
            judging: files.judging(xta.ocsp.clone())?,
            accounts,
            message_id: Duration::from_secs(24 * 3_600 * xta.message_id_days),
            check: xta.check,
            readers: self.xta_reader_servers()?,
        }))
    }

    pub(crate) fn resolve_xta(&mut self, folder: &Path) {
        self.tls.iter_mut().for_each(|tls| resolve_pair(&mut tls.identity, folder));
        for xta in self.xta.iter_mut() {
            let own = xta.accounts.iter_mut().flat_map(|account| &mut account.certificates);
            let references = xta.trust.iter_mut().chain(&mut xta.crl).chain(own);
            references.for_each(|reference| resolve(reference, folder));
        }
    }
}

impl XtaAccount {
    fn load(&self, key: &str, container_mb: u64) -> Result<AccountEntry, Error> {
        let mut own = Vec::new();
        for (index, reference) in self.certificates.iter().enumerate() {
            own.extend(certificates(reference, &format!("{key}.certificates[{index}]"))?.into_iter().take(1));
        }
        Ok(AccountEntry {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            certificates: own,
            parties: self.parties.clone(),
            locked: self.locked,
            services: self.services.clone(),
            container_bytes: self.container_mb.unwrap_or(container_mb) << 20,
            lenient: self.lenient,
            delivers: self.delivers,
        })
    }
}

impl Check<'_> {
    pub(crate) fn tls(&self, config: &Config) -> Result<(), Error> {
        let Some(tls) = &config.tls else { return Ok(()) };
        if config.listen.machines.is_none() && config.listen.public.is_none() {
            return Err(self.value("tls", "there is no listen.machines or listen.public to use it for"));
        }
        self.key_pair("tls.identity", &tls.identity)
    }

    pub(crate) fn xta(&self, config: &Config) -> Result<(), Error> {
        let Some(xta) = &config.xta else { return Ok(()) };
        if config.tls.is_none() || config.listen.machines.is_none() {
            return Err(self.value(SECTION, NEEDS_TLS));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_name = (1..=MOST_SERVER).contains(&xta.server.len()) && xta.server.bytes().all(is_plain);
        if !is_name {
            return Err(self.value(&format!("{SECTION}.server"), "expected 1 to 41 of A-Z a-z 0-9 _ -"));
        }
        self.note(self.trust(SECTION, &xta.trust, &xta.crl, xta.ocsp.as_deref()));
        self.note(self.number("xta.container_mb", xta.container_mb, 1, 1 << 20));
        self.note(self.number("xta.message_id_days", xta.message_id_days, 1, 366));
        let mut ids = BTreeSet::new();
        for (index, account) in xta.accounts.iter().enumerate() {
            let key = format!("xta.account[{index}]");
            self.note(self.name(&format!("{key}.id"), &account.id));
            self.note(self.unique(&format!("{key}.id"), ids.insert(account.id.as_str())));
            self.note(self.account(&key, account, config));
        }
        Ok(())
    }

    /// How the readers of an authority answer at once: they must fetch, and a sender waits for minutes at most.
    pub(crate) fn xta_reader(&self, key: &str, authority: &AuthorityEntry) -> Result<(), Error> {
        let Some(reader) = &authority.xta_reader else { return Ok(()) };
        if !authority.xta_box {
            return Err(self.value(key, "its readers must fetch: xta_box is needed"));
        }
        self.note(self.number(&format!("{key}.within_seconds"), reader.within_seconds.into(), 1, MOST_WAIT));
        self.note(self.xta_reader_server(&format!("{key}.server"), authority));
        let is_both = |service: &&String| reader.only_asynchronous.contains(service);
        match reader.only_synchronous.iter().find(is_both) {
            Some(_) => Err(self.value(&format!("{key}.only_synchronous"), "a service cannot be only both")),
            None => Ok(()),
        }
    }

    fn account(&self, key: &str, account: &XtaAccount, config: &Config) -> Result<(), Error> {
        let is_known = config.tenants.iter().any(|tenant| tenant.id == account.tenant);
        self.note(self.defined(&format!("{key}.tenant"), "tenant", is_known));
        for (name, values) in [("certificates", &account.certificates), ("parties", &account.parties)] {
            if values.is_empty() {
                return Err(self.value(&format!("{key}.{name}"), "at least one is needed"));
            }
        }
        for (index, reference) in account.certificates.iter().enumerate() {
            self.note(self.file(&format!("{key}.certificates[{index}]"), reference));
        }
        for (index, party) in account.parties.iter().enumerate() {
            self.note(self.party(&format!("{key}.parties[{index}]"), party, account, config));
        }
        account
            .container_mb
            .map_or(Ok(()), |most| self.number(&format!("{key}.container_mb"), most, 1, 1 << 20))
    }

    /// Whoever is shut out needs no key; an authority of the house belongs to one tenant.
    fn party(&self, key: &str, party: &str, account: &XtaAccount, config: &Config) -> Result<(), Error> {
        let Ok(party) = party.parse::<Authority>() else {
            return match account.locked {
                true => self.name(key, party),
                false => Err(self.value(key, "expected an authority, such as bab:00000001")),
            };
        };
        let is_in = |tenant: &&broker::house::Tenant| tenant.authorities.iter().any(|it| it.key == party);
        match config.tenants.iter().find(is_in) {
            Some(tenant) if tenant.id != account.tenant => {
                Err(self.value(key, "this authority belongs to another tenant"))
            }
            _ => Ok(()),
        }
    }
}
