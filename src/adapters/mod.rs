//! Channels to the outside as they are configured: each kind with its settings and secrets, and whom it serves.

mod archive;
pub(crate) mod commands;
mod dms;
pub(crate) mod mapping_check;
mod mobile;
pub(crate) mod notice_commands;
mod notify;
mod online;
mod online_sender;
mod post;
mod remote;
mod scan;
mod telephone;
mod workflow;

pub(crate) use online::mapping;

use std::sync::Arc;
use std::time::Duration;

use broker::Channel;
use config::{AdapterEntry, AdapterKind, Config};
use model::adapter::Adapter;
use model::standard::Standard;
use model::{Clock, SystemClock};
use net::{Client, Egress};
use schemas::Schemas;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::registry;

/// What all adapters are made with.
pub(crate) struct Tools<'a> {
    pub(crate) client: &'a Client,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) standards: &'a [Arc<dyn Standard>],
    pub(crate) schemas: &'a Arc<Schemas>,
}

/// An adapter about to be built.
struct Build<'a> {
    config: &'a Config,
    entry: &'a AdapterEntry,
    tools: &'a Tools<'a>,
}

/// Channels to the outside, as configured.
///
/// # Errors
/// If a secret, key or certificate cannot be read or used.
pub(crate) fn adapters(config: &Config, tools: &Tools<'_>) -> Result<Vec<Arc<dyn Adapter>>, Error> {
    let (last, first): (Vec<_>, Vec<_>) =
        config.adapters.iter().partition(|entry| matches!(entry.kind, AdapterKind::Notify(_)));
    let mut built = vec![];
    for entry in first.into_iter().chain(last) {
        let adapter = Build { config, entry, tools }.adapter(&built)?;
        built.push(adapter);
    }
    Ok(built)
}

/// Whoever sends e-mails of the house's own, by the adapter that the alerts name.
///
/// # Errors
/// As [`adapters`].
pub(crate) fn teller(config: &Config, tools: &Tools<'_>) -> Result<Option<adapter_post::out::Teller>, Error> {
    let Some(mail) = config.alerts.as_ref().and_then(|alerts| alerts.mail.as_ref()) else { return Ok(None) };
    let Some(entry) = config.adapters.iter().find(|entry| entry.serves.id == *mail) else { return Ok(None) };
    match &entry.kind {
        AdapterKind::Smtp(it) => Ok(Some(Build { config, entry, tools }.teller(it)?)),
        _ => Ok(None),
    }
}

/// Whom each of them serves, by its id.
pub(crate) fn channels(config: &Config) -> impl Iterator<Item = (String, Channel)> {
    config.adapters.iter().filter_map(|entry| Some((entry.serves.id.clone(), entry.channel()?)))
}

/// Whether all of them could be built.
///
/// # Errors
/// As [`adapters`].
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    if config.adapters.is_empty() {
        return Ok(());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Client::new(Egress::new::<&str>(&[])?, net::Settings::default(), Arc::clone(&clock));
    let schemas = Arc::new(Schemas::open(&config.store.schemas)?);
    let standards = registry::standards(&schemas, &config.limits, config.policy.allow_restricted, None);
    let tools = Tools { client: &client, clock: &clock, standards: &standards, schemas: &schemas };
    adapters(config, &tools).map(drop)
}

impl Build<'_> {
    /// The adapter; `others` are there before it.
    fn adapter(self, others: &[Arc<dyn Adapter>]) -> Result<Arc<dyn Adapter>, Error> {
        match &self.entry.kind {
            AdapterKind::Remote(it) => self.remote(it),
            AdapterKind::Cmis(it) => self.cmis(it),
            AdapterKind::Webdav(it) => self.webdav(it),
            AdapterKind::Dvelop(it) => self.dvelop(it),
            AdapterKind::Enaio(it) => self.enaio(it),
            AdapterKind::XdomeaFolder(it) => self.xdomea_folder(it),
            AdapterKind::Camunda(it) => self.camunda(it),
            AdapterKind::Asterisk(it) => self.asterisk(it),
            AdapterKind::Scan(it) => self.scan(it),
            AdapterKind::Mail(it) => self.mail(it),
            AdapterKind::Portal(_) => Ok(adapter_portal::adapter(&self.id(), self.clock())),
            AdapterKind::Print(it) => Ok(self.print(it)),
            AdapterKind::HybridMail(it) => self.hybrid_mail(it),
            AdapterKind::Smtp(it) => self.smtp(it),
            AdapterKind::Notify(it) => self.notify(it, others),
            AdapterKind::ArchiveTresor(it) => self.tresor(it),
            AdapterKind::ArchiveDanrw(it) => self.danrw(it),
            AdapterKind::ArchiveFolder(it) => Ok(self.archive_folder(it)),
            AdapterKind::FitConnect(it) => self.fit_connect(it),
            AdapterKind::Open311(it) => self.open311(it),
            AdapterKind::OpenClient(it) => self.open_client(it),
            AdapterKind::WebPush(it) => self.web_push(it),
            AdapterKind::FitConnectSender(it) => self.fit_connect_sender(it),
        }
    }

    /// A secret that `key` of the entry refers to.
    fn secret(&self, key: &str, reference: &str) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(self.config.adapter_secret(self.entry, key, reference)?))
    }

    /// User and password, if there are any.
    fn login(
        &self,
        user: Option<&String>,
        password: Option<&String>,
    ) -> Result<Option<(String, Zeroizing<String>)>, Error> {
        let Some((user, password)) = user.zip(password) else { return Ok(None) };
        Ok(Some((user.clone(), self.secret("password", password)?)))
    }

    /// A value that only the adapter itself can judge.
    fn refused(&self, key: &str, rule: &str) -> Error {
        self.config.adapter_refused(self.entry, key, rule).into()
    }

    fn client(&self) -> Client {
        self.tools.client.clone()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.tools.clock)
    }

    fn id(&self) -> String {
        self.entry.serves.id.clone()
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(60 * u64::from(minutes))
}
