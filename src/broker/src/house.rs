//! The house that the gateway serves: tenants, their authorities and units, and the rules by which
//! what comes in finds its unit. Read from the configuration; never changed while running.

mod contact;
mod court;
mod osci;
mod ways;
mod xta;

use std::collections::BTreeMap;
use std::time::Duration;

use model::Authority;
use model::hours::Hours;
use model::party::Party;
use serde::{Deserialize, Serialize};

pub use contact::ContactEntry;
pub use court::CourtForm;
pub use osci::{KeyPair, OsciKeys, OsciMailbox, OsciMode, OsciReach, Signature};
pub use ways::{Ends, Kind};
pub use xta::{XtaKeys, XtaMailbox, XtaProfile, XtaReach, XtaReader, XtaReaderServer, XtaServer, XtaVersion};

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

/// An authority outside of the house, with all the ways to it. Entries of the configuration come before anything else that knows the
/// authority.
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
    /// How it is reached by OSCI-Transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci: Option<OsciReach>,
    /// How it is reached by XTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<XtaReach>,
    /// Which of the ways are tried first, in this order; the others follow: adapter, XTA, OSCI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<Kind>,
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
    /// How its readers answer at once what comes to it by XTA; absent: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta_reader: Option<XtaReader>,
    /// Addresses (URI) of the services that it offers by XTA; empty: nobody has said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xta_services: Vec<String>,
}

/// An organisational unit (Organisationseinheit).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Short name, such as `63`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Who is asked when a task of the unit is not done in time; absent: nobody but the unit itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
}

/// Who is asked when a task is not done in time (Eskalation).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// The unit.
    pub to: String,
    /// Hours after the task should have been done.
    #[serde(default)]
    pub after_hours: u32,
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
    ends: Ends,
    ttl: Duration,
    box_server: String,
    contacts: BTreeMap<Authority, Party>,
    hours: Hours,
}

/// How long a message may take where nothing else is said: a week.
const TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

impl House {
    /// The house as configured. `most_bytes` is the largest message taken, in bytes.
    pub fn new(tenants: Vec<Tenant>, reads: Reads, most_bytes: u64) -> Self {
        let tenants = tenants.into_iter().map(|tenant| (tenant.id.clone(), tenant)).collect();
        let box_server = "amtsbote".to_owned();
        let contacts = BTreeMap::new();
        House {
            tenants,
            reads,
            most_bytes,
            partners: vec![],
            ends: Ends::new(),
            ttl: TTL,
            box_server,
            contacts,
            hours: Hours::default(),
        }
    }

    /// The same with partners outside of it.
    pub fn with_partners(mut self, partners: Vec<PartnerEntry>) -> Self {
        self.partners = partners;
        self
    }

    /// The same with other hours of service.
    pub fn with_hours(mut self, hours: Hours) -> Self {
        self.hours = hours;
        self
    }

    /// When somebody is there: promised times count in these hours.
    pub fn hours(&self) -> &Hours {
        &self.hours
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

    /// The same with where its authorities are reached by people.
    pub fn with_contacts(mut self, contacts: &[ContactEntry]) -> Self {
        self.contacts = contacts.iter().map(|entry| (entry.authority.clone(), entry.party())).collect();
        self
    }

    /// Where an authority is reached by people, if that is configured.
    pub(crate) fn contact(&self, authority: &Authority) -> Option<&Party> {
        self.contacts.get(authority)
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

    /// Who is asked when a task of a unit is not done in time.
    pub(crate) fn escalation(&self, tenant: &str, unit: &str) -> Option<&Escalation> {
        let known = self.tenants.get(tenant)?.units.iter().find(|known| known.id == unit)?;
        known.escalation.as_ref()
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

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::directory::{Asked, CERTIFICATE_ENDED, NO_KEYS, OTHER_TENANT, TOO_LARGE, Transport, Way};

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
                xta_reader: None,
                xta_services: vec![],
            }],
            units: vec![Unit { id: "63".into(), name: "Bauordnung".into(), escalation: None }],
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

    fn unna() -> PartnerEntry {
        let osci = OsciReach {
            intermediary: "https://osci.example/".into(),
            intermediary_certificate: "file:a".into(),
            answers_by: None,
            recipient_certificate: "file:b".into(),
            signed_by: vec![],
            mode: OsciMode::Store,
            receiver: None,
        };
        let server = XtaServer {
            version: XtaVersion::V3,
            management: "https://xta.example/".into(),
            send: None,
            message_box: None,
            trust: None,
            container_mb: 1,
            mtom: true,
        };
        PartnerEntry {
            tenant: Some("soest".into()),
            authority: "bab:05978000".parse().unwrap(),
            name: "Bauaufsicht Unna".into(),
            adapter: Some("unna".into()),
            osci: Some(osci),
            xta: Some(XtaReach {
                server,
                party: None,
                scheme: None,
                profile: XtaProfile::Plain,
                court: None,
            }),
            prefer: vec![],
            reads: vec![("xdomea".into(), "3.1.0".into())],
            most_bytes: 2 << 20,
            may_repeat: true,
        }
    }

    fn asked(to: &Authority) -> Asked<'_> {
        let now = Timestamp::from_micros(10);
        Asked { tenant: "soest", to, from: None, service: None, bytes: None, now }
    }

    /// Transports and what keeps them from being used.
    fn told(ways: &[Way]) -> Vec<(&'static str, Option<&'static str>)> {
        ways.iter().map(|way| (way.reach.transport.name(), way.obstacle)).collect()
    }

    #[test]
    fn a_partner_has_its_ways_in_the_order_that_it_prefers() {
        let to = unna().authority;
        let ways = house().with_partners(vec![unna()]).ways(&asked(&to));
        assert_eq!(told(&ways), [("adapter", None), ("xta", None), ("osci", None)]);
        assert_eq!(ways[0].reach.transport, Transport::Adapter { id: "unna".into(), may_repeat: true });
        assert_eq!(ways[0].reach.tenant.as_deref(), Some("soest"));
        let limits: Vec<_> = ways.iter().map(|way| way.reach.most_bytes >> 20).collect();
        assert_eq!(limits, [2, 1, 2], "a server of XTA may take less");
        let prefer = vec![Kind::Osci, Kind::Xta];
        let house = house().with_partners(vec![PartnerEntry { prefer, ..unna() }]);
        let order: Vec<_> = told(&house.ways(&asked(&to))).into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["osci", "xta", "adapter"]);
        assert_eq!(house.ways(&asked(&"bab:1".parse().unwrap())), []);
        let own = "bab:05974000".parse().unwrap();
        assert_eq!(told(&house.ways(&asked(&own))), [("local", None)]);
    }

    #[test]
    fn a_way_that_cannot_be_used_tells_why() {
        let (to, from) = (unna().authority, "bab:05974000".parse().unwrap());
        let ends = |at| Ends::from([((to.clone(), "osci"), Timestamp::from_micros(at))]);
        let house = |at| house().with_partners(vec![unna()]).with_ends(ends(at));
        let bytes = Asked { bytes: Some(3 << 19), ..asked(&to) };
        assert_eq!(told(&house(11).ways(&bytes))[1..], [("xta", Some(TOO_LARGE)), ("osci", None)]);
        let ended = house(10).ways(&asked(&to));
        assert_eq!((ended[2].obstacle, ended[2].until), (Some(CERTIFICATE_ENDED), Some(asked(&to).now)));
        let sender = Asked { from: Some(&from), ..asked(&to) };
        let without = [("adapter", None), ("xta", Some(NO_KEYS)), ("osci", Some(NO_KEYS))];
        assert_eq!(told(&house(11).ways(&sender)), without);
        let foreign = Asked { tenant: "unna", ..asked(&to) };
        assert!(house(11).ways(&foreign).iter().all(|way| way.obstacle == Some(OTHER_TENANT)));
    }
}
