//! The rules that hold between keys: names, what is there twice, what is named but not defined, secrets
//! and addresses.

use std::cell::RefCell;
use std::collections::BTreeSet;

use broker::house::{PartnerEntry, Route, Tenant};
use model::Authority;
use model::ids::is_name;
use seal::evidence_key::MAX_OLDER;

use crate::places::{Place, Places};
use crate::{Config, Error, Evidence, Limits, Store};

/// Parameters that the URL of the database may have.
const DATABASE_PARAMETERS: &[&str] = &["application_name", "host", "port", "sslmode", "sslrootcert"];

/// Longest time that a message may take: ten years.
const MOST_TTL_HOURS: u64 = 10 * 366 * 24;

/// The rules that hold between keys. What is wrong is gathered: a rule that is not kept does not keep others from being looked at, but
/// where they would have nothing to look at.
pub(crate) struct Check<'a> {
    places: &'a Places,
    found: RefCell<Vec<Error>>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(places: &'a Places) -> Self {
        Check { places, found: RefCell::default() }
    }

    /// What was found, in the order of the rules.
    pub(crate) fn found(self) -> Vec<Error> {
        self.found.into_inner()
    }
}

impl Check<'_> {
    /// Gathers what is wrong.
    pub(crate) fn note(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.found.borrow_mut().push(error);
        }
    }

    pub(crate) fn whole(&self, config: &Config) -> Result<(), Error> {
        self.note(self.name("node", &config.node));
        let listen = &config.listen;
        for (key, address) in [
            ("listen.internal", Some(listen.internal).filter(|_| !listen.internal_tls)),
            ("listen.operations", Some(listen.operations)),
            ("listen.machines", listen.machines.filter(|_| config.tls.is_none())),
            ("listen.osci_plain", listen.osci_plain),
            ("listen.public", listen.public.filter(|_| config.tls.is_none())),
        ] {
            if address.is_some_and(|address| !address.ip().is_loopback()) {
                self.note(Err(Error::PlainHttp(self.place(key))));
            }
        }
        self.note(self.number("listen.drain_seconds", listen.drain_seconds.into(), 0, 600));
        self.note(self.store(&config.store));
        self.note(self.limits(&config.limits));
        self.note(self.evidence(&config.evidence));
        self.note(self.hours(config));
        self.note(self.people(config));
        if config.tenants.is_empty() {
            self.note(Err(self.value("tenant", "at least one tenant is needed")));
        }
        let mut authorities = BTreeSet::new();
        let mut tenants = BTreeSet::new();
        for (index, tenant) in config.tenants.iter().enumerate() {
            let key = format!("tenant[{index}]");
            self.note(self.name(&format!("{key}.id"), &tenant.id));
            self.note(self.unique(&format!("{key}.id"), tenants.insert(&tenant.id)));
            self.note(self.tenant(&key, tenant));
            // One authority has one mailbox, so its key is unique over all tenants.
            for (at, authority) in tenant.authorities.iter().enumerate() {
                self.note(
                    self.unique(&format!("{key}.authority[{at}].key"), authorities.insert(&authority.key)),
                );
            }
        }
        self.note(self.tls(config));
        self.note(self.osci(config));
        self.note(self.xta(config));
        self.note(self.virus(config));
        self.note(self.xrechnung(config));
        self.note(self.contacts(config));
        self.note(self.dvdv(config));
        self.note(self.payments(config));
        self.note(self.citizen(config));
        self.note(self.watch(config));
        self.note(self.log(&config.log));
        self.note(self.identities(config));
        if let Some((key, rule)) = config.dispatch.lack() {
            self.note(Err(self.value(&format!("dispatch.{key}"), rule)));
        }
        self.outside(config, &tenants, &authorities)
    }

    /// Adapters, and the partners that they lead to.
    fn outside(
        &self,
        config: &Config,
        tenants: &BTreeSet<&String>,
        authorities: &BTreeSet<&Authority>,
    ) -> Result<(), Error> {
        let adapters = self.adapters(config)?;
        let mut partners = BTreeSet::new();
        for (index, partner) in config.partners.iter().enumerate() {
            let key = format!("partner[{index}]");
            self.note(self.title(&format!("{key}.name"), &partner.name));
            let is_new = partners.insert(&partner.authority) && !authorities.contains(&partner.authority);
            self.note(self.unique(&format!("{key}.authority"), is_new));
            if let Some(adapter) = &partner.adapter {
                let key = format!("{key}.adapter");
                self.note(self.defined(&key, "adapter", adapters.contains(adapter.as_str())));
                let carries =
                    config.adapters.iter().any(|it| it.serves.id == *adapter && it.kind.carries_messages());
                if !carries {
                    let rule = "expected an adapter of kind remote, xdomea-folder or archive-…";
                    self.note(Err(self.value(&key, rule)));
                }
            }
            if let Some(reach) = &partner.osci {
                self.note(self.osci_partner(&key, reach));
            }
            if let Some(reach) = &partner.xta {
                self.note(self.xta_partner(&key, reach));
            }
            self.note(self.ways(&key, partner));
            if let Some(tenant) = &partner.tenant {
                self.note(self.defined(&format!("{key}.tenant"), "tenant", tenants.contains(tenant)));
            }
        }
        self.xta_authors(&config.partners)
    }

    /// A partner needs a way, and prefers only those that it has.
    fn ways(&self, key: &str, partner: &PartnerEntry) -> Result<(), Error> {
        let kinds = partner.kinds();
        if kinds.is_empty() {
            return Err(self.value(key, "expected a way to it: adapter, xta or osci"));
        }
        if partner.may_repeat && partner.adapter.is_none() {
            return Err(self.value(&format!("{key}.may_repeat"), "only adapters repeat"));
        }
        for (at, kind) in partner.prefer.iter().enumerate() {
            let key = format!("{key}.prefer[{at}]");
            self.note(self.unique(&key, !partner.prefer[..at].contains(kind)));
            if !kinds.contains(kind) {
                return Err(self.value(&key, "the partner has no such way"));
            }
        }
        Ok(())
    }

    fn store(&self, store: &Store) -> Result<(), Error> {
        let database = &store.database;
        let postgres =
            database.strip_prefix("postgres://").or_else(|| database.strip_prefix("postgresql://"));
        match postgres {
            Some(rest) => {
                let user = rest
                    .split(['/', '?'])
                    .next()
                    .and_then(|authority| authority.rsplit_once('@'))
                    .map(|(user, _)| user);
                if user.is_some_and(|user| user.contains(':')) {
                    return Err(Error::LiteralSecret(self.place("store.database")));
                }
                let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
                self.note(self.database_parameters(parameters));
                if store.database_password.is_some() && user.is_none() {
                    return Err(
                        self.value("store.database", "a password needs a user: postgres://USER@HOST/NAME")
                    );
                }
            }
            None if database.strip_prefix("sqlite:").is_none_or(str::is_empty) => {
                return Err(self.value("store.database", "expected sqlite:PATH or postgres://USER@HOST/NAME"));
            }
            None if store.database_password.is_some() => {
                return Err(self.value("store.database_password", "SQLite has no password"));
            }
            None => {}
        }
        self.note(self.secret("store.master_key", &store.master_key));
        for (index, reference) in store.older_master_keys.iter().enumerate() {
            self.note(self.secret(&format!("store.older_master_keys[{index}]"), reference));
        }
        if store.older_evidence_keys.len() > MAX_OLDER {
            let rule = format!("expected at most {MAX_OLDER} keys");
            self.note(Err(self.value("store.older_evidence_keys", &rule)));
        }
        store
            .database_password
            .iter()
            .try_for_each(|reference| self.secret("store.database_password", reference))
    }

    /// What may be said of a connection beside its address. The driver would log what it does not know, with its value.
    fn database_parameters(&self, query: &str) -> Result<(), Error> {
        for (name, _) in form_urlencoded::parse(query.as_bytes()) {
            if name.to_ascii_lowercase().contains("password") {
                return Err(Error::LiteralSecret(self.place("store.database")));
            }
            if !DATABASE_PARAMETERS.contains(&name.as_ref()) {
                let rule = format!("expected no parameters but {}", DATABASE_PARAMETERS.join(", "));
                return Err(self.value("store.database", &rule));
            }
        }
        Ok(())
    }

    fn limits(&self, limits: &Limits) -> Result<(), Error> {
        for (key, value, least, most) in [
            ("limits.most_bytes", limits.most_bytes, 1_024, 1 << 40),
            ("limits.container_entries", limits.container_entries as u64, 1, 1_000_000),
            ("limits.container_ratio", limits.container_ratio, 1, 10_000),
            ("limits.depth", limits.depth as u64, 1, 100),
            ("limits.connections", limits.connections as u64, 1, 100_000),
            ("limits.slowest_rate", limits.slowest_rate, 1, 1 << 30),
            ("limits.patience_seconds", limits.patience_seconds, 1, 3_600),
            ("limits.disk_reserve_mb", limits.disk_reserve_mb, 0, 1 << 30),
            ("limits.requests_per_token", limits.requests_per_token as u64, 1, 100_000),
            ("limits.requests_per_tenant", limits.requests_per_tenant as u64, 1, 100_000),
            ("limits.bodies", limits.bodies as u64, 1, 10_000),
            ("limits.body_bytes_per_tenant", limits.body_bytes_per_tenant, limits.most_bytes, 1 << 50),
            ("limits.waiting_per_tenant", limits.waiting_per_tenant, 1, 100_000_000),
            ("limits.upload_hours", limits.upload_hours, 1, 24 * 31),
            ("limits.uploads_per_token", limits.uploads_per_token, 1, 100_000),
            ("limits.uploads_per_tenant", limits.uploads_per_tenant, 1, 100_000),
            ("limits.upload_bytes_per_tenant", limits.upload_bytes_per_tenant, limits.most_bytes, 1 << 50),
            ("limits.workers", limits.workers.unwrap_or_default().into(), 0, 1_000),
            ("limits.calls", limits.calls.into(), 1, 10_000),
            ("limits.ttl_hours", limits.ttl_hours.into(), 1, MOST_TTL_HOURS),
        ] {
            self.note(self.number(key, value, least, most));
        }
        Ok(())
    }

    fn evidence(&self, evidence: &Evidence) -> Result<(), Error> {
        match (&evidence.tsa_url, &evidence.tsa_ca) {
            (Some(url), Some(_)) if !url.starts_with("https://") && !url.starts_with("http://") => {
                return Err(self.value("evidence.tsa_url", "expected https://… or http://…"));
            }
            (Some(_), None) => {
                let rule = "a time stamp authority needs evidence.tsa_ca, the certificates it is known by";
                return Err(self.value("evidence.tsa_url", rule));
            }
            (None, Some(_)) => {
                return Err(self.value("evidence.tsa_ca", "there is no evidence.tsa_url to use it for"));
            }
            _ => {}
        }
        if evidence.stop_intake && evidence.tsa_url.is_none() {
            return Err(self.value("evidence.stop_intake", "there is no evidence.tsa_url to wait for"));
        }
        if let Some(policy) = &evidence.tsa_policy
            && policy.parse::<seal::timestamp::Policy>().is_err()
        {
            let rule = "expected an object identifier such as 1.3.6.1.4.1.99999.1";
            return Err(self.value("evidence.tsa_policy", rule));
        }
        self.note(self.number(
            "evidence.stamp_every_minutes",
            evidence.stamp_every_minutes.into(),
            1,
            10_080,
        ));
        self.number("evidence.tolerate_hours", evidence.tolerate_hours.into(), 1, 8_760)
    }

    pub(crate) fn number(&self, key: &str, value: u64, least: u64, most: u64) -> Result<(), Error> {
        if !(least..=most).contains(&value) {
            self.note(Err(self.value(key, &format!("expected a number from {least} to {most}"))));
        }
        Ok(())
    }

    fn tenant(&self, key: &str, tenant: &Tenant) -> Result<(), Error> {
        self.note(self.title(&format!("{key}.name"), &tenant.name));
        let mut units = BTreeSet::new();
        for (index, unit) in tenant.units.iter().enumerate() {
            let key = format!("{key}.unit[{index}]");
            self.note(self.name(&format!("{key}.id"), &unit.id));
            self.note(self.title(&format!("{key}.name"), &unit.name));
            self.note(self.unique(&format!("{key}.id"), units.insert(unit.id.as_str())));
        }
        for (index, unit) in tenant.units.iter().enumerate() {
            let Some(escalation) = &unit.escalation else { continue };
            let key = format!("{key}.unit[{index}].escalation");
            let known = units.contains(escalation.to.as_str()) && escalation.to != unit.id;
            self.note(self.defined(&format!("{key}.to"), "unit", known));
            self.note(self.number(&format!("{key}.after_hours"), escalation.after_hours.into(), 0, 8_760));
        }
        for (index, authority) in tenant.authorities.iter().enumerate() {
            let key = format!("{key}.authority[{index}]");
            self.note(self.title(&format!("{key}.name"), &authority.name));
            self.note(self.defined(&format!("{key}.unit"), "unit", units.contains(authority.unit.as_str())));
            self.note(self.xta_reader(&format!("{key}.xta_reader"), authority));
        }
        for (index, route) in tenant.routes.iter().enumerate() {
            self.note(self.route(&format!("{key}.route[{index}]"), tenant, route, &units));
        }
        for (index, service) in tenant.services.iter().enumerate() {
            let key = format!("{key}.service[{index}]");
            self.note(self.name(&format!("{key}.id"), &service.id));
            if let Some(message_type) = &service.message_type {
                self.note(self.name(&format!("{key}.type"), message_type));
            }
            self.note(self.number(&format!("{key}.ttl_hours"), service.ttl_hours.into(), 1, MOST_TTL_HOURS));
        }
        Ok(())
    }

    fn route(&self, key: &str, tenant: &Tenant, route: &Route, units: &BTreeSet<&str>) -> Result<(), Error> {
        if let Some(authority) = &route.authority {
            let known = tenant.authorities.iter().any(|entry| entry.key == *authority);
            self.note(self.defined(&format!("{key}.authority"), "authority", known));
        }
        if let Some(unit) = &route.unit {
            self.note(self.defined(&format!("{key}.unit"), "unit", units.contains(unit.as_str())));
        }
        for (name, value) in
            [("standard", &route.standard), ("type", &route.message_type), ("service", &route.service)]
        {
            if let Some(value) = value {
                self.note(self.name(&format!("{key}.{name}"), value));
            }
        }
        Ok(())
    }

    pub(crate) fn name(&self, key: &str, value: &str) -> Result<(), Error> {
        if !is_name(value) {
            self.note(Err(self.value(key, "expected a short name: 1 to 80 of A-Z a-z 0-9 . : -")));
        }
        Ok(())
    }

    pub(crate) fn title(&self, key: &str, value: &str) -> Result<(), Error> {
        if value.trim().is_empty() || value.chars().count() > 200 {
            self.note(Err(self.value(key, "expected 1 to 200 characters")));
        }
        Ok(())
    }

    pub(crate) fn unique(&self, key: &str, is_new: bool) -> Result<(), Error> {
        if is_new { Ok(()) } else { Err(Error::Duplicate(self.place(key))) }
    }

    pub(crate) fn defined(&self, key: &str, kind: &'static str, is_defined: bool) -> Result<(), Error> {
        if is_defined { Ok(()) } else { Err(Error::Undefined(self.place(key), kind)) }
    }

    pub(crate) fn secret(&self, key: &str, reference: &str) -> Result<(), Error> {
        let target = reference.strip_prefix("file:").or_else(|| reference.strip_prefix("env:"));
        if target.is_none_or(str::is_empty) {
            return Err(Error::LiteralSecret(self.place(key)));
        }
        Ok(())
    }

    pub(crate) fn value(&self, key: &str, rule: &str) -> Error {
        Error::Value(self.place(key), rule.to_owned())
    }

    fn place(&self, key: &str) -> Place {
        self.places.of_key(key)
    }
}
