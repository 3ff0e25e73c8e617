//! The ways that the configuration knows: to the authorities of the house, and to its partners.

use std::collections::HashMap;

use async_trait::async_trait;
use model::directory::{Asked, Directory, NO_KEYS, Reach, Source, Transport, Way};
use model::{Authority, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AuthorityEntry, House, PartnerEntry, Tenant, XtaReach};

/// A kind of way to a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Through an adapter.
    Adapter,
    /// By XTA.
    Xta,
    /// By OSCI-Transport.
    Osci,
}

impl Kind {
    /// The order in which ways are tried where nothing else is said.
    const ORDER: [Kind; 3] = [Kind::Adapter, Kind::Xta, Kind::Osci];
}

/// When the first certificate ends that an authority needs for a transport, by the name of the transport: for an authority of the
/// house those of its keys, for a partner those of its way.
pub type Ends = HashMap<(Authority, &'static str), Timestamp>;

impl House {
    /// The same, knowing when certificates end.
    pub fn with_ends(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }

    /// When certificates end that the configuration names, of a tenant's authorities and of the partners that it may reach: authority, name
    /// of the transport, end.
    pub fn ends_of(&self, tenant: &str) -> Vec<(Authority, &'static str, Timestamp)> {
        let is_its_own = |key: &Authority| {
            self.authority(tenant, key).is_some() || self.partners_of(tenant).any(|it| it.authority == *key)
        };
        let ends = self.ends.iter().filter(|((key, _), _)| is_its_own(key));
        ends.map(|((key, transport), end)| (key.clone(), *transport, *end)).collect()
    }

    /// Partners of the configuration that a tenant may reach.
    pub fn partners_of(&self, tenant: &str) -> impl Iterator<Item = &PartnerEntry> {
        self.partners.iter().filter(move |it| it.tenant.as_deref().is_none_or(|only| only == tenant))
    }

    /// The tenant of an authority of the house.
    pub fn tenant_of(&self, authority: &Authority) -> Option<&Tenant> {
        self.tenants().find(|tenant| tenant.authorities.iter().any(|entry| entry.key == *authority))
    }

    /// Whether an authority is of the house, or a partner of the configuration.
    pub fn knows(&self, authority: &Authority) -> bool {
        self.tenant_of(authority).is_some()
            || self.partners.iter().any(|partner| partner.authority == *authority)
    }

    /// The ways that the configuration knows, the preferred one first.
    pub fn ways(&self, asked: &Asked<'_>) -> Vec<Way> {
        if let Some(tenant) = self.tenant_of(asked.to) {
            let entry = self.authority(&tenant.id, asked.to);
            return entry.map(|entry| self.inside(tenant, entry, asked)).into_iter().collect();
        }
        let partners = self.partners.iter().filter(|partner| partner.authority == *asked.to);
        partners.flat_map(|partner| self.outside(partner, asked)).collect()
    }

    fn inside(&self, tenant: &Tenant, entry: &AuthorityEntry, asked: &Asked<'_>) -> Way {
        let reach = Reach {
            authority: entry.key.clone(),
            name: entry.name.clone(),
            transport: Transport::Local { tenant: tenant.id.clone(), unit: entry.unit.clone() },
            reads: self.reads.clone(),
            most_bytes: self.most_bytes,
            tenant: None,
            source: Source::House,
        };
        Way::new(reach, None, asked)
    }

    fn outside(&self, partner: &PartnerEntry, asked: &Asked<'_>) -> Vec<Way> {
        let way = |kind: Kind| {
            let transport = partner.transport(kind)?;
            let until = self.ends.get(&(partner.authority.clone(), transport.name())).copied();
            let reach = Reach {
                authority: partner.authority.clone(),
                name: partner.name.clone(),
                transport,
                reads: partner.reads.clone(),
                most_bytes: partner.most_bytes_by(kind),
                tenant: partner.tenant.clone(),
                source: Source::Configuration,
            };
            Some(self.way_out(reach, until, asked))
        };
        let rest = Kind::ORDER.iter().filter(|kind| !partner.prefer.contains(kind));
        partner.prefer.iter().chain(rest).copied().filter_map(way).collect()
    }

    /// A way that leads out of the house: its other end may have to be known by keys of the authority that sends.
    pub(crate) fn way_out(&self, reach: Reach, until: Option<Timestamp>, asked: &Asked<'_>) -> Way {
        let own = asked.from.and_then(|from| self.authority(asked.tenant, from));
        let has_keys = own.is_none_or(|own| match reach.transport {
            Transport::Osci => own.osci.is_some(),
            Transport::Xta => own.xta.is_some(),
            _ => true,
        });
        let transport = reach.transport.name();
        let ours = own.and_then(|own| self.ends.get(&(own.key.clone(), transport)).copied());
        let until = [until, ours].into_iter().flatten().min();
        Way::new(reach, until, asked).demand(has_keys, NO_KEYS)
    }
}

impl PartnerEntry {
    fn transport(&self, kind: Kind) -> Option<Transport> {
        match kind {
            Kind::Adapter => {
                let id = self.adapter.clone()?;
                Some(Transport::Adapter { id, may_repeat: self.may_repeat })
            }
            Kind::Xta => self.xta.as_ref().map(|_| Transport::Xta),
            Kind::Osci => self.osci.as_ref().map(|_| Transport::Osci),
        }
    }

    /// Largest message by a way: what the partner takes, or less if that is all its server takes.
    fn most_bytes_by(&self, kind: Kind) -> u64 {
        let server = self.xta.as_ref().filter(|_| kind == Kind::Xta).map(XtaReach::most_bytes);
        self.most_bytes.min(server.unwrap_or(u64::MAX))
    }

    /// Which kinds of ways it has.
    pub fn kinds(&self) -> Vec<Kind> {
        Kind::ORDER.into_iter().filter(|kind| self.transport(*kind).is_some()).collect()
    }
}

impl XtaReach {
    fn most_bytes(&self) -> u64 {
        self.server.container_mb.saturating_mul(1 << 20)
    }
}

/// Knows the authorities that have a mailbox in this gateway, and the partners of the configuration.
#[async_trait]
impl Directory for House {
    async fn ways(&self, asked: &Asked<'_>) -> Result<Vec<Way>, Failure> {
        Ok(House::ways(self, asked))
    }
}
