//! The house that the gateway serves: tenants, their authorities and units, and the rules by which
//! what comes in finds its unit. Read from the configuration; never changed while running.

mod osci;
mod xta;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use model::directory::{Directory, Reach, Transport};
use model::{Authority, Failure};
use serde::{Deserialize, Serialize};

pub use osci::{KeyPair, OsciKeys, OsciMailbox, OsciMode, OsciReach, Signature};
pub use xta::{XtaKeys, XtaMailbox, XtaProfile, XtaReach, XtaServer, XtaVersion};

/// The adapter that carries messages by OSCI-Transport.
pub const OSCI_ADAPTER: &str = "osci";
/// The adapter that carries messages by XTA.
pub const XTA_ADAPTER: &str = "xta";

/// A tenant (Mandant): usually one county.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Short name, used in tokens and lanes.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Its authorities.
    #[serde(default, rename = "authority")]
    pub authorities: Vec<AuthorityEntry>,
    /// Its organisational units.
    #[serde(default, rename = "unit")]
    pub units: Vec<Unit>,
    /// Where incoming messages go; the first that fits wins.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
    /// How long messages may take, by public service; the first that fits wins.
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceEntry>,
}

/// How long the messages of a public service (Leistung) may take.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The service, as routes name it.
    pub id: String,
    /// Only messages of this type, such as `0401`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Hours until a message that was not delivered or fetched goes back to its sender.
    pub ttl_hours: u32,
}

/// An authority that is reached through an adapter or by OSCI-Transport. Entries of the configuration come before anything else that
/// knows the authority.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerEntry {
    /// The only tenant that may reach it this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Behördenkennung.
    pub authority: Authority,
    /// Name as it stands in messages.
    pub name: String,
    /// Adapter that carries messages to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// How it is reached by OSCI-Transport; either this or an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci: Option<OsciReach>,
    /// How it is reached by XTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<XtaReach>,
    /// Standards and versions that it reads, newest first.
    pub reads: Reads,
    /// Largest message it takes, in bytes.
    pub most_bytes: u64,
    /// Whether the other side knows a delivery by its id, so that the same one may be sent twice.
    #[serde(default)]
    pub may_repeat: bool,
}

/// An authority (Behörde) of a tenant, with its mailbox.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityEntry {
    /// Behördenkennung.
    pub key: Authority,
    /// Name as it stands in messages.
    pub name: String,
    /// Unit that receives what no route claims.
    pub unit: String,
    /// Where the certificates stand by which it is addressed in OSCI-Transport.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub osci_certificates: Vec<String>,
    /// Its own key pairs in OSCI-Transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci: Option<OsciKeys>,
    /// Its mailboxes in OSCI-Transport that messages are fetched from.
    #[serde(default, rename = "osci_mailbox", skip_serializing_if = "Vec::is_empty")]
    pub osci_mailboxes: Vec<OsciMailbox>,
    /// How it calls servers of XTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<XtaKeys>,
    /// Its message boxes at servers of XTA that messages are fetched from.
    #[serde(default, rename = "xta_mailbox", skip_serializing_if = "Vec::is_empty")]
    pub xta_mailboxes: Vec<XtaMailbox>,
    /// Whether its readers fetch by XTA what comes to it by XTA; otherwise that is taken in as arrivals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub xta_box: bool,
}

/// An organisational unit (Organisationseinheit).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Short name, such as `63`.
    pub id: String,
    /// Name for people.
    pub name: String,
}

/// A rule for incoming messages. What is not named fits everything.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Receiving authority.
    pub authority: Option<Authority>,
    /// Standard, such as `xdomea`.
    pub standard: Option<String>,
    /// Type of the message, such as `0401`.
    #[serde(rename = "type")]
    pub message_type: Option<String>,
    /// Sending authority or system.
    pub from: Option<String>,
    /// Unit that receives it.
    pub unit: Option<String>,
    /// Public service it then belongs to.
    pub service: Option<String>,
}

/// Standards and the versions of each that this gateway reads, newest first.
pub type Reads = Vec<(String, String)>;

/// The whole house.
#[derive(Debug)]
pub struct House {
    tenants: BTreeMap<String, Tenant>,
    reads: Reads,
    most_bytes: u64,
    partners: Vec<PartnerEntry>,
    ttl: Duration,
    box_server: String,
}

/// How long a message may take where nothing else is said: a week.
const TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

impl House {
    /// The house as configured. `most_bytes` is the largest message taken, in bytes.
    pub fn new(tenants: Vec<Tenant>, reads: Reads, most_bytes: u64) -> Self {
        let tenants = tenants.into_iter().map(|tenant| (tenant.id.clone(), tenant)).collect();
        House { tenants, reads, most_bytes, partners: vec![], ttl: TTL, box_server: "amtsbote".to_owned() }
    }

    /// The same with partners that are reached through adapters.
    pub fn with_partners(mut self, partners: Vec<PartnerEntry>) -> Self {
        self.partners = partners;
        self
    }

    /// The same with another time that messages may take where their service says nothing.
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same with another name of the server whose message boxes its authorities have.
    pub fn with_box_server(mut self, name: String) -> Self {
        self.box_server = name;
        self
    }

    /// The name of the server whose message boxes its authorities have.
    pub fn box_server(&self) -> &str {
        &self.box_server
    }

    /// How long a message may take until it is delivered, and how long it may lie in a mailbox.
    pub fn ttl(&self, tenant: &str, service: Option<&str>, message_type: Option<&str>) -> Duration {
        let services = self.tenants.get(tenant).map_or(&[][..], |tenant| &tenant.services);
        let fits = |entry: &&ServiceEntry| {
            let wanted = entry.message_type.as_deref();
            Some(entry.id.as_str()) == service && (wanted.is_none() || wanted == message_type)
        };
        let hours = |entry: &ServiceEntry| Duration::from_secs(u64::from(entry.ttl_hours) * 3_600);
        services.iter().find(fits).map_or(self.ttl, hours)
    }

    /// All tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values()
    }

    /// A tenant's authority.
    pub fn authority(&self, tenant: &str, key: &Authority) -> Option<&AuthorityEntry> {
        self.tenants.get(tenant)?.authorities.iter().find(|authority| authority.key == *key)
    }

    /// Whether the tenant has this unit.
    pub fn has_unit(&self, tenant: &str, unit: &str) -> bool {
        self.tenants.get(tenant).is_some_and(|tenant| tenant.units.iter().any(|known| known.id == unit))
    }

    /// Unit and service for a message that came in for `authority`.
    pub fn route(
        &self,
        tenant: &str,
        authority: &Authority,
        standard: &str,
        message_type: &str,
        from: &str,
    ) -> Option<(String, Option<String>)> {
        let entry = self.authority(tenant, authority)?;
        let fits =
            |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        let route = self.tenants.get(tenant)?.routes.iter().find(|route| {
            route.authority.as_ref().is_none_or(|wanted| wanted == authority)
                && fits(&route.standard, standard)
                && fits(&route.message_type, message_type)
                && fits(&route.from, from)
        });
        let unit = route.and_then(|route| route.unit.clone()).unwrap_or_else(|| entry.unit.clone());
        Some((unit, route.and_then(|route| route.service.clone())))
    }
}

/// Knows the authorities that have a mailbox in this gateway, and the partners of the configuration.
#[async_trait]
impl Directory for House {
    async fn find(&self, authority: &Authority) -> Result<Option<Reach>, Failure> {
        Ok(self.all().await?.into_iter().find(|reach| reach.authority == *authority))
    }

    async fn all(&self) -> Result<Vec<Reach>, Failure> {
        let reach = |tenant: &Tenant, entry: &AuthorityEntry| Reach {
            authority: entry.key.clone(),
            name: entry.name.clone(),
            transport: Transport::Local { tenant: tenant.id.clone(), unit: entry.unit.clone() },
            reads: self.reads.clone(),
            most_bytes: self.most_bytes,
            tenant: None,
        };
        let local = self
            .tenants
            .values()
            .flat_map(|tenant| tenant.authorities.iter().map(move |entry| reach(tenant, entry)));
        let partners = self.partners.iter().map(|entry| Reach {
            authority: entry.authority.clone(),
            name: entry.name.clone(),
            transport: match (&entry.adapter, &entry.xta) {
                (Some(id), _) => Transport::Adapter { id: id.clone(), may_repeat: entry.may_repeat },
                (None, Some(_)) => Transport::Xta,
                (None, None) => Transport::Osci,
            },
            reads: entry.reads.clone(),
            most_bytes: entry.most_bytes,
            tenant: entry.tenant.clone(),
        });
        Ok(local.chain(partners).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> House {
        let bauamt: Authority = "bab:05974000".parse().unwrap();
        let tenant = Tenant {
            id: "soest".into(),
            name: "Kreis Soest".into(),
            authorities: vec![AuthorityEntry {
                key: bauamt.clone(),
                name: "Bauaufsicht".into(),
                unit: "10".into(),
                osci_certificates: vec![],
                osci: None,
                osci_mailboxes: vec![],
                xta: None,
                xta_mailboxes: vec![],
                xta_box: false,
            }],
            units: vec![Unit { id: "63".into(), name: "Bauordnung".into() }],
            routes: vec![Route {
                authority: Some(bauamt),
                message_type: Some("0401".into()),
                unit: Some("63".into()),
                service: Some("baugenehmigung".into()),
                ..Route::default()
            }],
            services: vec![
                ServiceEntry { id: "baugenehmigung".into(), message_type: Some("0401".into()), ttl_hours: 2 },
                ServiceEntry { id: "baugenehmigung".into(), message_type: None, ttl_hours: 3 },
            ],
        };
        House::new(vec![tenant], vec![("xdomea".into(), "3.1.0".into())], 1_000)
    }

    #[test]
    fn the_first_fitting_route_wins_and_the_authority_s_unit_is_the_default() {
        let house = house();
        let key = "bab:05974000".parse().unwrap();
        let routed = house.route("soest", &key, "xdomea", "0401", "x");
        assert_eq!(routed, Some(("63".into(), Some("baugenehmigung".into()))));
        assert_eq!(house.route("soest", &key, "xdomea", "0101", "x"), Some(("10".into(), None)));
        assert_eq!(house.route("unna", &key, "xdomea", "0101", "x"), None);
    }

    #[test]
    fn the_first_fitting_service_says_how_long_a_message_may_take() {
        let house = house().with_ttl(Duration::from_secs(60));
        let hours = |service, message_type| house.ttl("soest", service, message_type).as_secs() / 3_600;
        assert_eq!(hours(Some("baugenehmigung"), Some("0401")), 2);
        assert_eq!(hours(Some("baugenehmigung"), Some("0402")), 3);
        assert_eq!(hours(Some("baugenehmigung"), None), 3);
        assert_eq!(house.ttl("soest", Some("abfall"), None), Duration::from_secs(60));
        assert_eq!(house.ttl("unna", Some("baugenehmigung"), None), Duration::from_secs(60));
    }

    #[tokio::test]
    async fn partners_of_the_configuration_are_found_like_authorities_of_the_house() {
        let partner: Authority = "bab:05978000".parse().unwrap();
        let house = house().with_partners(vec![PartnerEntry {
            tenant: Some("soest".into()),
            authority: partner.clone(),
            name: "Bauaufsicht Unna".into(),
            adapter: Some("unna".into()),
            osci: None,
            xta: None,
            reads: vec![("xdomea".into(), "3.1.0".into())],
            most_bytes: 10,
            may_repeat: true,
        }]);
        let reach = house.find(&partner).await.unwrap().unwrap();
        assert_eq!(reach.transport, Transport::Adapter { id: "unna".into(), may_repeat: true });
        assert_eq!(reach.tenant.as_deref(), Some("soest"));
    }
}
