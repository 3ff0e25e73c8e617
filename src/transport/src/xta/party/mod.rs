//! The gateway as a client of XTA 2: its authorities are authors and readers at servers elsewhere.
//!
//! | module | holds |
//! |---|---|
//! | `line` | requests to a server, over mutual TLS |
//! | `verdict` | what a fault, or no answer at all, means for a message |
//! | `known` | partners of the configuration and of the directory |
//! | `courier` | sending: the broker's adapter |
//! | `meta` | the envelope of a message that goes out |
//! | `goods` | its contents |
//! | `court` | both of a submission to a court |
//! | `court_mail` | what comes from a court |
//! | `fetcher` | fetching from message boxes |
//! | `looking` | going through a message box page by page |
//! | `arrivals` | handing what was fetched to the broker |
//! | `reader` | servers of readers |
//!
//! All of it is synchronous and runs on threads that may block; the broker is waited for there.

mod arrivals;
mod courier;
mod court;
mod court_mail;
mod fetcher;
mod goods;
mod known;
mod line;
mod looking;
mod meta;
mod reader;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker::house::{CourtForm, Ends, XTA_ADAPTER};
use broker::{Broker, Wanted};
use model::outbound::ChosenBy;
use model::{Authority, Clock, Failure, Timestamp};
use net::Egress;
use seal::identity::Identity;
use seal::x509::Certificate;
use xoev::container::Limits;

pub use courier::Courier;
pub use fetcher::Fetcher;
pub use known::version;
pub use reader::ReaderAt;
pub(in crate::xta) use reader::ReaderServers;
pub use xta::model::{Party as Name, Version};

use line::Lines;

/// What the gateway is as a client.
#[derive(Default)]
pub struct PartySettings {
    /// Authorities of the house with their keys.
    pub own: Vec<Party>,
    /// Partners that are reached by a server.
    pub partners: Vec<Partner>,
    /// Message boxes that are fetched from.
    pub mailboxes: Vec<MailboxAt>,
    /// Where servers may lie that a directory names.
    pub egress: Egress,
    /// What a container may hold that a message for a court is handed in as: what is taken in.
    pub container: Limits,
}

impl PartySettings {
    /// When certificates end that the house's authorities and its partners need to be sent from and to.
    pub fn ends(&self) -> Ends {
        let end = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
        let own =
            self.own.iter().map(|party| (&party.authority, Some(party.identity.certificate().not_after())));
        // Any of those that are trusted may be the one.
        let last =
            |partner: &Partner| partner.server.trust.iter().flatten().map(Certificate::not_after).max();
        let partners = self.partners.iter().map(|partner| (&partner.authority, last(partner)));
        let named = own.chain(partners).filter_map(|(key, until)| Some((key.clone(), end(until?))));
        named.map(|(key, until)| ((key, XTA_ADAPTER), until)).collect()
    }
}

/// An authority of the house as servers elsewhere know it.
pub struct Party {
    /// Its tenant.
    pub tenant: String,
    /// The authority.
    pub authority: Authority,
    /// The key pair that is shown by TLS.
    pub identity: Identity,
    /// Its name there.
    pub name: Name,
}

/// A server of XTA.
#[derive(Clone)]
pub struct Server {
    /// Its version.
    pub version: Version,
    /// Address of `managementPort`; in version 5 of `transport.base`.
    pub management: String,
    /// Address of `sendPort`; in version 5 of `sender`.
    pub send: Option<String>,
    /// Address of `msgBoxPort`; in version 5 of `recipient`.
    pub message_box: Option<String>,
    /// Certificates that that of the server must go back to; absent: those of the system.
    pub trust: Option<Vec<Certificate>>,
    /// Bytes of a container that it takes.
    pub container_bytes: u64,
    /// Whether requests are packages.
    pub as_packages: bool,
    /// Who has named its addresses: the configuration, or a directory, which leads nobody into the house.
    pub chosen_by: ChosenBy,
}

/// A partner that is reached by a server.
pub struct Partner {
    /// The only tenant that it is a partner of; absent: of all.
    pub tenant: Option<String>,
    /// The partner.
    pub authority: Authority,
    /// The server.
    pub server: Server,
    /// Its name there.
    pub party: Option<String>,
    /// Scheme of that name; absent: as for the authority that sends.
    pub scheme: Option<String>,
    /// Largest message that it takes, in bytes.
    pub most_bytes: u64,
    /// The form of messages, if it is a court.
    pub court: Option<CourtForm>,
}

/// A message box that is fetched from.
pub struct MailboxAt {
    /// Whose it is.
    pub authority: Authority,
    /// The server.
    pub server: Server,
    /// Time between two looks.
    pub every: Duration,
}

/// The gateway as author and reader, over one broker. Cheap to clone.
#[derive(Clone)]
pub struct Parties(Arc<Inner>);

struct Inner {
    own: HashMap<Authority, Arc<Party>>,
    partners: HashMap<Authority, Arc<Partner>>,
    mailboxes: Vec<MailboxAt>,
    lines: Lines,
    container: Limits,
    broker: Broker,
}

impl Parties {
    /// What the settings say, over this broker. To be called within the runtime that carries the broker.
    pub fn new(broker: &Broker, settings: PartySettings, clock: Arc<dyn Clock>) -> Self {
        let PartySettings { own, partners, mailboxes, egress, container } = settings;
        Parties(Arc::new(Inner {
            own: own.into_iter().map(|party| (party.authority.clone(), Arc::new(party))).collect(),
            partners: partners.into_iter().map(|it| (it.authority.clone(), Arc::new(it))).collect(),
            mailboxes,
            lines: Lines::new(broker.most_bytes(), egress, clock),
            container,
            broker: broker.clone(),
        }))
    }

    /// Who an author is at a server that a message was fetched from for a tenant.
    fn sender(&self, tenant: &str, name: &Name, server: &Server) -> Option<Authority> {
        author(self.0.partners.values().map(AsRef::as_ref), tenant, name, server)
    }

    /// Whether an authority is a court of the configuration.
    fn is_court(&self, authority: &Authority) -> bool {
        self.0.partners.get(authority).is_some_and(|partner| partner.court.is_some())
    }

    /// The certificate that an authority shows to the server of a partner, and those that the server's must go back to, each with
    /// the key of the configuration that names it. Empty if one of the two has no keys or is not reached.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    pub async fn certificates(
        &self,
        from: &Authority,
        to: &Authority,
        wanted: Wanted<'_>,
    ) -> Result<Vec<(&'static str, Certificate)>, Failure> {
        let Some(party) = self.0.own.get(from) else { return Ok(Vec::new()) };
        let Some(partner) = self.partner(&party.tenant, to, wanted).await? else { return Ok(Vec::new()) };
        let trust = partner.server.trust.iter().flatten().map(|it| ("trust", it.clone()));
        Ok([("identity", party.identity.certificate().clone())].into_iter().chain(trust).collect())
    }

    /// Whoever sends.
    pub fn courier(&self) -> Courier {
        Courier::new(self.clone(), self.0.broker.notebook(XTA_ADAPTER))
    }

    /// Whoever fetches, one for each message box.
    pub fn fetchers(&self) -> Vec<Fetcher> {
        let indices = 0..self.0.mailboxes.len();
        indices.filter_map(|index| Fetcher::new(self.clone(), index)).collect()
    }
}

/// Which of a tenant's partners has this name at a server. If several could be meant it is always the same one; the configuration allows
/// none.
fn author<'a>(
    partners: impl Iterator<Item = &'a Partner>,
    tenant: &str,
    name: &Name,
    server: &Server,
) -> Option<Authority> {
    let is_meant = |partner: &&Partner| {
        let known = partner.party.as_deref().unwrap_or(partner.authority.as_str());
        let scheme = partner.scheme.as_deref();
        partner.tenant.as_deref().is_none_or(|only| only == tenant)
            && known == name.id
            && partner.server.management == server.management
            && scheme.is_none_or(|scheme| name.scheme.as_deref().is_none_or(|it| it == scheme))
    };
    partners.filter(is_meant).map(|partner| partner.authority.clone()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner(tenant: Option<&str>, authority: &str) -> Partner {
        let server = Server {
            management: "https://xta.example/m".into(),
            version: Version::V3,
            send: None,
            message_box: None,
            trust: None,
            container_bytes: 1,
            as_packages: true,
            chosen_by: ChosenBy::Administrator,
        };
        Partner {
            tenant: tenant.map(str::to_owned),
            authority: authority.parse().unwrap(),
            server,
            party: Some("bau".into()),
            scheme: None,
            most_bytes: 1,
            court: None,
        }
    }

    #[test]
    fn an_author_is_a_partner_of_the_tenant_that_fetches_and_always_the_same() {
        let all = [partner(Some("kreis"), "bab:2"), partner(Some("stadt"), "bab:1"), partner(None, "bab:3")];
        let name = Name { id: "bau".into(), ..Name::default() };
        let who = |tenant: &str, partners: Vec<&Partner>| {
            author(partners.into_iter(), tenant, &name, &all[0].server).map(|it| it.to_string())
        };
        for partners in [vec![&all[0], &all[1], &all[2]], vec![&all[2], &all[1], &all[0]]] {
            assert_eq!(who("kreis", partners.clone()).as_deref(), Some("bab:2"));
            assert_eq!(who("stadt", partners.clone()).as_deref(), Some("bab:1"));
            assert_eq!(who("land", partners).as_deref(), Some("bab:3"), "a partner of all");
        }
        assert_eq!(who("land", vec![&all[0], &all[1]]), None);
    }

    #[tokio::test]
    async fn a_directory_leads_nobody_into_the_house() {
        let at = |address: &str, chosen_by| Server {
            management: "https://xta.example/m".into(),
            send: Some(address.into()),
            chosen_by,
            ..partner(None, "bab:1").server
        };
        let lines = |allow: &[&str]| Lines::new(1, Egress::new(allow).unwrap(), Arc::new(model::SystemClock));
        for inside in
            ["https://127.0.0.1/s", "https://10.1.2.3/s", "https://169.254.169.254/", "https://[::1]/s"]
        {
            let (told, ours) = (at(inside, ChosenBy::System), at(inside, ChosenBy::Administrator));
            assert_eq!(lines(&[]).permits(&told).unwrap_err().code(), "net.forbidden", "{inside}");
            lines(&[]).permits(&ours).unwrap();
        }
        lines(&["10.0.0.0/8"]).permits(&at("https://10.1.2.3/s", ChosenBy::System)).unwrap();
        lines(&[]).permits(&at("https://elsewhere.example/s", ChosenBy::System)).unwrap();
        assert!(lines(&[]).permits(&at("http://elsewhere.example/s", ChosenBy::System)).is_err());
    }
}
