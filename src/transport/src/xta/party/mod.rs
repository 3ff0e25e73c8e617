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
//! | `arrivals` | handing what was fetched to the broker |
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
mod meta;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use broker::house::{CourtForm, Ends, XTA_ADAPTER};
use model::{Authority, Clock, Failure, Timestamp};
use seal::identity::Identity;
use seal::x509::Certificate;

pub use courier::Courier;
pub use fetcher::Fetcher;
pub use xta::model::Party as Name;

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
    /// Address of `managementPort`.
    pub management: String,
    /// Address of `sendPort`.
    pub send: Option<String>,
    /// Address of `msgBoxPort`.
    pub message_box: Option<String>,
    /// Certificates that that of the server must go back to; absent: those of the system.
    pub trust: Option<Vec<Certificate>>,
    /// Bytes of a container that it takes.
    pub container_bytes: u64,
    /// Whether requests are packages.
    pub as_packages: bool,
}

/// A partner that is reached by a server.
pub struct Partner {
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
    broker: Broker,
}

impl Parties {
    /// What the settings say, over this broker. To be called within the runtime that carries the broker.
    pub fn new(broker: &Broker, settings: PartySettings, clock: Arc<dyn Clock>) -> Self {
        let PartySettings { own, partners, mailboxes } = settings;
        Parties(Arc::new(Inner {
            own: own.into_iter().map(|party| (party.authority.clone(), Arc::new(party))).collect(),
            partners: partners.into_iter().map(|it| (it.authority.clone(), Arc::new(it))).collect(),
            mailboxes,
            lines: Lines::new(broker.most_bytes(), clock),
            broker: broker.clone(),
        }))
    }

    /// Who an author is at a server that a message was fetched from.
    fn sender(&self, name: &Name, server: &Server) -> Option<Authority> {
        let is_meant = |partner: &&Arc<Partner>| {
            let known = partner.party.as_deref().unwrap_or(partner.authority.as_str());
            let scheme = partner.scheme.as_deref();
            known == name.id
                && partner.server.management == server.management
                && scheme.is_none_or(|scheme| name.scheme.as_deref().is_none_or(|it| it == scheme))
        };
        self.0.partners.values().find(is_meant).map(|partner| partner.authority.clone())
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
    ) -> Result<Vec<(&'static str, Certificate)>, Failure> {
        let Some(party) = self.0.own.get(from) else { return Ok(Vec::new()) };
        let Some(partner) = self.partner(&party.tenant, to, None).await? else { return Ok(Vec::new()) };
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
