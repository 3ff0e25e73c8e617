//! Puts the gateway together as it is configured: keys, store, schemas, standards, broker.

use std::sync::Arc;
use std::time::Duration;

use broker::house::House;
use broker::{Broker, Parts, Stamping};
use model::rights::Scope;
use model::{Actor, Caller, Clock, Role, SystemClock, Timestamp};
use net::Egress;
use schemas::Schemas;
use seal::timestamp::Authorities;
use store::Store;
use transport::dvdv::{self, Dvdv};
use transport::osci::Parties;

use crate::console_tools::Tools;
use crate::error::Error;
use crate::{adapters, payments, registry, watch};
use config::Config;

/// A clock before this stands on a value that no machine had when this program was written: whatever it
/// stamps would be worthless as evidence.
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000); // 2026-01-01T00:00:00Z

/// An open gateway. Nothing runs yet.
pub(crate) struct Gateway {
    pub(crate) broker: Broker,
    store: Store,
    pub(crate) osci: Parties,
    pub(crate) xta: transport::xta::party::Parties,
    pub(crate) schemas: Arc<Schemas>,
}

impl Gateway {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// If the clock is wrong, a key is missing, or the store cannot be used.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        check_clock(SystemClock.now())?;
        // What is wrong with it must be known before the store is touched.
        Egress::new(&config.egress.allow)?;
        let store = Store::open(store::Config {
            database: config.database()?,
            payloads: config.store.payloads.clone(),
            keys: Arc::new(config.store.master_keys()?),
            clock: Arc::new(SystemClock),
        });
        Gateway::on(config, store.await?, None)
    }

    /// The same on a store that is open: so a running gateway gets another configuration, and takes the place of the one `before`.
    ///
    /// # Errors
    /// If something that the configuration names cannot be used; the store was not touched then.
    pub(crate) fn on(config: &Config, store: Store, before: Option<&Broker>) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let egress = Egress::new(&config.egress.allow)?;
        let outbound = net::Client::new(egress.clone(), net::Settings::default(), clock.clone());
        let schemas = Arc::new(Schemas::open(&config.store.schemas)?);
        let standards = registry::standards(
            &schemas,
            &config.limits,
            config.policy.allow_restricted,
            config.xrechnung.as_ref(),
        );
        let most_bytes = config.limits.most_bytes;
        let (mut parties, mut xta) = (config.osci_parties()?, config.xta_parties()?);
        parties.egress = egress.clone();
        xta.egress = egress.clone();
        xta.container = registry::container(&config.limits);
        let certificates = watch::certificates(config, parties.ends().into_iter().chain(xta.ends()))?;
        let house = House::new(config.tenants.clone(), registry::reads(&standards), most_bytes)
            .with_partners(config.partners.clone())
            .with_contacts(&config.contacts)
            .with_hours(config.service_hours().unwrap_or_default())
            .with_ends(parties.ends().into_iter().chain(xta.ends()).collect())
            .with_ttl(Duration::from_secs(u64::from(config.limits.ttl_hours) * 3_600));
        let house = match &config.xta {
            Some(xta) => house.with_box_server(xta.server.clone()),
            None => house,
        };
        let house = Arc::new(house);
        let tools =
            adapters::Tools { client: &outbound, clock: &clock, standards: &standards, schemas: &schemas };
        let mut adapters = adapters::adapters(config, &tools)?;
        let payments = payments::payments(config, &outbound, &clock)?;
        let alerts = watch::alerts(config, adapters::teller(config, &tools)?)?;
        let broker = Broker::new(Parts {
            store: store.clone(),
            standards,
            directory: house.clone(),
            house,
            clock,
            evidence_key: Arc::new(config.store.evidence_key()?),
            outbound: Arc::new(outbound),
            rules: config.rules(),
            limits: broker::Limits { most_bytes },
            node: config.node.clone(),
            stamping: stamping(&config.evidence)?,
        })
        .with_quotas(config.limits.quotas())
        .with_upload_limits(config.limits.uploads())
        .with_keeping(
            config.retention.as_ref().map_or_else(Default::default, |retention| retention.keeping()),
        )
        .with_alerts(alerts)
        .with_certificates(certificates)
        .with_weak_certificates(watch::weak_certificates(config)?)
        .with_people(config.people())
        .with_relay_limits(config.osci.as_ref().map_or_else(Default::default, |osci| osci.relay()));
        let broker = match before {
            Some(before) => broker.in_place_of(before),
            None => broker,
        };
        let broker = match config.dvdv_settings()? {
            Some(settings) => {
                let dvdv = Dvdv::new(settings, broker.notebook(dvdv::PLACE))?;
                broker.with_registry(Arc::new(dvdv))
            }
            None => broker,
        };
        let broker = match &config.virus {
            Some(virus) => broker.with_scanner(Arc::new(registry::scanner(virus)?)),
            None => broker,
        };
        let broker = match payments {
            Some(payments) => broker.with_payments(payments),
            None => broker,
        };
        let broker = match &config.citizen {
            Some(citizen) => broker.with_citizens(citizen.citizens()),
            None => broker,
        };
        let osci = Parties::new(&broker, parties, Arc::new(SystemClock))?;
        adapters.push(Arc::new(osci.courier()));
        let xta = transport::xta::party::Parties::new(&broker, xta, Arc::new(SystemClock));
        adapters.push(Arc::new(xta.courier()));
        let broker = broker.with_adapters(adapters).with_channels(adapters::channels(config));
        let broker = broker.with_sending(config.dispatch.clone());
        Ok(Gateway { broker, store, osci, xta, schemas })
    }

    /// What the console asks for that lies outside of the broker.
    pub(crate) fn workshop(&self, config: &Config) -> Arc<dyn console::Workshop> {
        let (broker, osci, xta) = (self.broker.clone(), self.osci.clone(), self.xta.clone());
        Arc::new(Tools::new(broker, osci, xta, Arc::clone(&self.schemas), config))
    }

    /// The store itself, for what is done to all of it.
    pub(crate) fn whole_store(&self) -> &Store {
        &self.store
    }

    /// Commits what waits and closes the store.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

/// Who time-stamps, as configured. It gets a client of its own, so that allowing its address allows it to nobody else; a
/// stamp is signed, so plain HTTP takes nothing from it.
pub(crate) fn stamping(config: &config::Evidence) -> Result<Option<Stamping>, Error> {
    let (Some(url), Some(ca)) = (&config.tsa_url, &config.tsa_ca) else { return Ok(None) };
    let unreadable = |reason| Error::File { file: ca.clone(), reason };
    let authorities = Authorities::from_pem(&std::fs::read(ca).map_err(unreadable)?)?;
    let host = url.split_once("://").unwrap_or_default().1;
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let client = net::Client::new(Egress::new(&[host])?, net::Settings::default(), Arc::new(SystemClock));
    Ok(Some(Stamping {
        outbound: Arc::new(client),
        url: url.clone(),
        authorities,
        policy: config.tsa_policy.as_deref().map(str::parse).transpose()?,
        every: Duration::from_secs(60 * u64::from(config.stamp_every_minutes)),
        tolerate: Duration::from_secs(3_600 * u64::from(config.tolerate_hours)),
        stop_intake: config.stop_intake,
    }))
}

/// The command line as a caller: whoever reaches the store's keys may administer a tenant. It never reads
/// content.
pub(crate) fn operator(tenant: &str) -> Caller {
    Caller {
        actor: Actor { kind: "system".to_owned(), id: "cli".to_owned() },
        roles: vec![Role::Operator, Role::Auditor, Role::Admin],
        scope: Scope::tenant(tenant),
        authority: None,
    }
}

fn check_clock(now: Timestamp) -> Result<(), Error> {
    if now < EARLIEST { Err(Error::Clock(now)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_refused() {
        assert_eq!(EARLIEST.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(check_clock(Timestamp::from_micros(0)).unwrap_err().code(), "cli.clock");
        assert!(check_clock(EARLIEST).is_ok());
    }
}
