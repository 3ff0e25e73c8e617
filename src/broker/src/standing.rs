//! How the gateway stands, as an operator of one tenant sees it: what waits, what is about to end, and whether the other sides answer.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use model::adapter::{Adapter, Descriptor, Health};
use model::rights::Action;
use model::{Authority, Caller, MessageState, Timestamp};
use store::{ChannelFilter, Page};

use crate::{Broker, CertificateEnd, CertificateOf, Error, PressureNow, StampHealth, WeakCertificate};

/// Counts stop here: more than this is said to be more, so that a page costs the same however many there are.
const MOST_COUNTED: u32 = 10_000;
/// How long an adapter is waited for.
const LONGEST_CHECK: Duration = Duration::from_secs(20);

/// How the gateway stands for a tenant.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Messages in each state that has not ended, counted up to [`Standing::MOST`].
    pub messages: Vec<(MessageState, u64)>,
    /// What adapters are to be told and waits for a human, counted up to a thousand.
    pub parked_deliveries: u64,
    /// Events without a number.
    pub unsealed: u64,
    /// Time stamps, if any are wanted.
    pub stamps: Option<StampHealth>,
    /// Disk and requests, of the whole node.
    pub pressure: PressureNow,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
}

impl Standing {
    /// Where counting ends.
    pub const MOST: u64 = MOST_COUNTED as u64;
}

/// When a certificate ends that messages need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayEnd {
    /// Whose: an authority of the house, or a partner.
    pub authority: Authority,
    /// Name of the transport, such as `osci`.
    pub transport: &'static str,
    /// Whether it is one of the house's own.
    pub ours: bool,
    /// When it ends.
    pub end: Timestamp,
}

/// Whether the other side of an adapter answers.
#[derive(Debug, Clone)]
pub struct AdapterState {
    /// What it is.
    pub descriptor: Descriptor,
    /// What it found; absent: it has not answered in time.
    pub health: Option<Health>,
}

impl Broker {
    /// How the gateway stands for the caller's tenant.
    ///
    /// # Errors
    /// If the caller may not see that, or the store cannot be asked.
    pub async fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        use MessageState::{Accepted, Delivered, Parked, Preparing, Processed, Ready};
        let scope = caller.may(Action::Operate)?;
        let mut messages = vec![];
        for state in [Parked, Accepted, Processed, Preparing, Ready, Delivered] {
            messages.push((state, self.store().count_messages(scope, state, MOST_COUNTED).await?));
        }
        let parked = ChannelFilter { parked: Some(true), ..ChannelFilter::default() };
        let parked = self.store().channel_deliveries(scope, &parked, &Page::first(Page::MOST)).await?;
        Ok(Standing {
            messages,
            parked_deliveries: parked.items.len() as u64,
            unsealed: self.store().unsealed_events(&scope.tenant).await?,
            stamps: self.stamp_health().await?,
            pressure: self.pressure(),
            engine: self.store().engine(),
        })
    }

    /// When certificates end, the first first. They belong to no unit, so a caller who does not see the whole tenant sees none.
    ///
    /// # Errors
    /// If the caller may not see partners.
    pub async fn certificate_ends(&self, caller: &Caller) -> Result<Vec<WayEnd>, Error> {
        let scope = caller.may(Action::ReadPartners)?;
        if !scope.is_whole() {
            return Ok(vec![]);
        }
        let house = self.house();
        let known = house.ends_of(&scope.tenant).into_iter().map(|(authority, transport, end)| {
            let ours = house.authority(&scope.tenant, &authority).is_some();
            WayEnd { authority, transport, ours, end }
        });
        let mut ends: Vec<WayEnd> = known.collect();
        for entry in self.directory(caller).await? {
            for way in &entry.ways {
                let Some(end) = way.until() else { continue };
                let transport = if way.osci.is_some() { "osci" } else { "xta" };
                ends.push(WayEnd { authority: entry.authority.clone(), transport, ours: false, end });
            }
        }
        ends.sort_by(|one, other| (one.end, &one.authority).cmp(&(other.end, &other.authority)));
        Ok(ends)
    }

    /// When key pairs of the house end that stand on no way to an authority (those that do are told by
    /// [`certificate_ends`](Broker::certificate_ends)), the first first. They belong to no unit, so a caller who does not see the whole
    /// tenant sees none.
    ///
    /// # Errors
    /// If the caller may not see partners.
    pub fn key_pair_ends(&self, caller: &Caller) -> Result<Vec<CertificateEnd>, Error> {
        let scope = caller.may(Action::ReadPartners)?;
        if !scope.is_whole() {
            return Ok(vec![]);
        }
        let concerns = |it: &&CertificateEnd| match &it.of {
            CertificateOf::Way => false,
            CertificateOf::KeyPair(only) => only.as_ref().is_none_or(|only| *only == scope.tenant),
        };
        let mut ends: Vec<CertificateEnd> = self.certificates().iter().filter(concerns).cloned().collect();
        ends.sort_by(|one, other| (one.until, &one.name).cmp(&(other.until, &other.name)));
        Ok(ends)
    }

    /// Certificates that are too weak, of the configuration and of the directory of the caller's tenant. They belong to no unit, so a caller
    /// who does not see the whole tenant sees none.
    ///
    /// # Errors
    /// If the caller may not see partners.
    pub async fn weak_certificates_of(&self, caller: &Caller) -> Result<Vec<WeakCertificate>, Error> {
        let scope = caller.may(Action::ReadPartners)?;
        if !scope.is_whole() {
            return Ok(vec![]);
        }
        let concerns = |it: &&WeakCertificate| it.tenant.as_ref().is_none_or(|only| *only == scope.tenant);
        let mut weak: Vec<WeakCertificate> =
            self.weak_certificates().iter().filter(concerns).cloned().collect();
        for entry in self.directory(caller).await? {
            for way in &entry.ways {
                let transport = if way.osci.is_some() { "osci" } else { "xta" };
                let name = format!("{} {transport}", entry.authority);
                for certificate in way.certificates() {
                    weak.extend(WeakCertificate::of(Some(&scope.tenant), &name, &certificate)?);
                }
            }
        }
        Ok(weak)
    }

    /// Asks all adapters of the caller's tenant at once whether their other sides answer; each has twenty seconds.
    ///
    /// # Errors
    /// If the caller may not.
    pub async fn adapter_states(&self, caller: &Caller) -> Result<Vec<AdapterState>, Error> {
        let asked = self.adapters_of(caller)?.into_iter().map(|adapter| async move {
            let health = tokio::time::timeout(LONGEST_CHECK, adapter.check()).await.ok();
            AdapterState { descriptor: adapter.descriptor().clone(), health }
        });
        Ok(join_all(asked).await)
    }

    /// The same of one.
    ///
    /// # Errors
    /// `NotFound` if it is not the tenant's.
    pub async fn adapter_state(&self, caller: &Caller, id: &str) -> Result<AdapterState, Error> {
        let found = self.adapters_of(caller)?.into_iter().find(|adapter| adapter.descriptor().id == id);
        let adapter = found.ok_or(model::Error::NotFound { kind: "adapter" })?;
        let health = tokio::time::timeout(LONGEST_CHECK, adapter.check()).await.ok();
        Ok(AdapterState { descriptor: adapter.descriptor().clone(), health })
    }

    /// What the adapters of the caller's tenant are; nobody is called.
    ///
    /// # Errors
    /// If the caller may not see them.
    pub fn adapter_descriptors(&self, caller: &Caller) -> Result<Vec<Descriptor>, Error> {
        Ok(self.adapters_of(caller)?.iter().map(|adapter| adapter.descriptor().clone()).collect())
    }

    /// Adapters that serve the tenant, and those that serve all (transports). Who does not see the whole tenant sees none.
    fn adapters_of(&self, caller: &Caller) -> Result<Vec<Arc<dyn Adapter>>, Error> {
        let scope = caller.may(Action::Operate)?;
        if !scope.is_whole() {
            return Ok(vec![]);
        }
        let serves =
            |id: &String| self.channels.get(id).is_none_or(|channel| channel.scope.tenant == scope.tenant);
        Ok(self.adapters.iter().filter(|(id, _)| serves(id)).map(|(_, it)| Arc::clone(it)).collect())
    }
}
