//! The gateway as a party in OSCI-Transport 1.2: it sends its authorities' messages by intermediaries, fetches what lies for
//! them in mailboxes, and is called as a passive recipient.
//!
//! | module | holds |
//! |---|---|
//! | `line` | orders to an intermediary, within one dialog |
//! | `vetting` | whether certificates that are listed are good today |
//! | `verdict` | what a code, or no answer at all, means for a message |
//! | `known` | partners of the configuration and of the directory |
//! | `courier` | sending: the broker's adapter |
//! | `carried` | metadata and containers of XTA, out and in |
//! | `unpack` | opening a delivery: decrypted, its authors verified |
//! | `arrivals` | handing what was opened to the broker |
//! | `fetcher` | fetching from mailboxes |
//! | `called` | the passive recipient |
//! | `acknowledgement` | what it answers requests with |
//!
//! Everything about a dialog is synchronous and runs on threads that may block; the broker is waited for there.

mod acknowledgement;
mod arrivals;
mod called;
mod carried;
mod courier;
mod fetcher;
mod known;
mod line;
mod unpack;
mod verdict;
mod vetting;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::osci::transport::Limits;
use broker::house::{Ends, OSCI_ADAPTER, OsciMode};
use broker::{Broker, Wanted};
use model::{Authority, Clock, Failure, Timestamp};
use net::Egress;
use seal::algorithm::{Policy, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use tokio::runtime::Handle;

pub use courier::{Courier, Parcel};
pub use fetcher::Fetcher;

use super::callee::Callee;
use super::door::Door;
use crate::Judging;
use crate::revocation::Revocation;
use arrivals::Arrivals;
use called::Called;
use line::Lines;
use vetting::Vetting;

/// Longest time of one order to an intermediary, which may bring or take gigabytes.
const WITHIN: Duration = Duration::from_secs(60 * 60);

/// What the gateway is as a party.
#[derive(Default)]
pub struct PartySettings {
    /// Authorities of the house with their keys.
    pub own: Vec<Party>,
    /// Partners that are reached by an intermediary.
    pub partners: Vec<Partner>,
    /// Mailboxes that are fetched from.
    pub mailboxes: Vec<MailboxAt>,
    /// Authorities that may be called, and the signature certificates of intermediaries that may call.
    pub recipient: Option<(Vec<Authority>, Vec<Certificate>)>,
    /// Who judges certificates; nobody: only their times are looked at.
    pub judging: Option<Judging>,
    /// Where intermediaries may lie that a directory names.
    pub egress: Egress,
}

/// An authority of the house with its keys.
pub struct Party {
    /// Its tenant.
    pub tenant: String,
    /// The authority.
    pub authority: Authority,
    /// Key pairs for which content is encrypted: the present one first, then those before it.
    pub cipher: Vec<Identity>,
    /// The key pair that signs content and orders.
    pub signer: Identity,
    /// How it signs.
    pub method: SignatureMethod,
}

/// How an intermediary is reached, and known.
#[derive(Clone)]
pub struct Line {
    /// Its address.
    pub url: String,
    /// Its cipher certificate.
    pub certificate: Certificate,
    /// The certificate that must sign its answers; absent: any may.
    pub answers_by: Option<Certificate>,
}

impl PartySettings {
    /// When certificates end that the house's authorities and its partners need to be sent from and to.
    pub fn ends(&self) -> Ends {
        let first = |certificates: Vec<&Certificate>| certificates.iter().map(|it| it.not_after()).min();
        let own = self.own.iter().map(|party| {
            let present = party.cipher.first().map(Identity::certificate);
            (&party.authority, first(present.into_iter().chain([party.signer.certificate()]).collect()))
        });
        let partners = self.partners.iter().map(|partner| {
            let line = &partner.line;
            let needed = [&line.certificate, &partner.recipient].into_iter().chain(&line.answers_by);
            (&partner.authority, first(needed.collect()))
        });
        let end = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
        let named = own.chain(partners).filter_map(|(key, until)| Some((key.clone(), end(until?))));
        named.map(|(key, until)| ((key, OSCI_ADAPTER), until)).collect()
    }
}

/// A partner that is reached by an intermediary.
pub struct Partner {
    /// The partner.
    pub authority: Authority,
    /// The intermediary.
    pub line: Line,
    /// The partner's cipher certificate: addressee and reader.
    pub recipient: Certificate,
    /// Certificates that the partner signs content with: what they sign comes from it.
    pub signed_by: Vec<Certificate>,
    /// How messages are delivered.
    pub mode: OsciMode,
    /// Address of the passive recipient, if the mode needs one.
    pub receiver: String,
}

/// A mailbox that is fetched from.
pub struct MailboxAt {
    /// Whose it is.
    pub authority: Authority,
    /// The intermediary.
    pub line: Line,
    /// Time between two looks.
    pub every: Duration,
}

/// The gateway as a party: sender, fetcher and recipient, over one broker. Cheap to clone.
#[derive(Clone)]
pub struct Parties(Arc<Inner>);

struct Inner {
    own: HashMap<Authority, Arc<Party>>,
    partners: HashMap<Authority, Arc<Partner>>,
    mailboxes: Vec<MailboxAt>,
    recipient: Option<(Vec<Authority>, Vec<Certificate>)>,
    lines: Lines,
    arrivals: Arrivals,
    broker: Broker,
}

impl Parties {
    /// What the settings say, over this broker. To be called within the runtime that carries the broker.
    ///
    /// # Errors
    /// [`net::Error`] if an address is none.
    pub fn new(broker: &Broker, settings: PartySettings, clock: Arc<dyn Clock>) -> Result<Self, net::Error> {
        let PartySettings { own, partners, mailboxes, recipient, judging, egress } = settings;
        let revocation = judging.map(|it| Revocation::of(it, Arc::clone(&clock))).transpose()?;
        let vetting = Vetting::new(revocation, Arc::clone(&clock));
        // Encryption and packing make a message larger than it is.
        let package = broker.most_bytes().saturating_mul(2);
        let limits = Limits { package, ..Limits::default() };
        let lines = partners.iter().map(|it| &it.line).chain(mailboxes.iter().map(|it| &it.line));
        let addresses = lines.map(|line| line.url.clone()).collect();
        let callee = Callee::new(addresses, limits.clone(), Arc::clone(&clock))?;
        let callee = callee.within_rules(egress, clock).within(WITHIN);
        let arrivals = Arrivals::new(broker.clone(), &partners);
        Ok(Parties(Arc::new(Inner {
            own: own.into_iter().map(|party| (party.authority.clone(), Arc::new(party))).collect(),
            partners: partners.into_iter().map(|it| (it.authority.clone(), Arc::new(it))).collect(),
            mailboxes,
            recipient,
            lines: Lines { callee, limits, policy: Policy::default(), vetting, runtime: Handle::current() },
            arrivals,
            broker: broker.clone(),
        })))
    }

    /// The certificates that messages between two authorities depend on, each with the key of the configuration that names it:
    /// for whoever looks when they run out. Empty if one of the two has no keys or is not reached.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    pub async fn certificates(
        &self,
        from: &Authority,
        to: &Authority,
    ) -> Result<Vec<(&'static str, Certificate)>, Failure> {
        let Some(party) = self.0.own.get(from) else { return Ok(Vec::new()) };
        let Some(partner) = self.partner(&party.tenant, to, Wanted::default()).await? else {
            return Ok(Vec::new());
        };
        let ciphers = party.cipher.iter().map(|own| ("cipher", own.certificate().clone()));
        let named = [
            ("signer", party.signer.certificate().clone()),
            ("intermediary_certificate", partner.line.certificate.clone()),
            ("recipient_certificate", partner.recipient.clone()),
        ];
        let answers = partner.line.answers_by.iter().map(|it| ("answers_by", it.clone()));
        let signed_by = partner.signed_by.iter().map(|it| ("signed_by", it.clone()));
        Ok(ciphers.chain(named).chain(answers).chain(signed_by).collect())
    }

    /// Why a certificate is not good now, by the rule that says so; nothing if it is, or nobody can say more.
    ///
    /// # Errors
    /// If the judgement itself fails.
    pub async fn refuses(&self, certificate: &Certificate) -> Result<Option<&'static str>, Failure> {
        let (parties, certificate) = (self.clone(), certificate.clone());
        let judged = line::blocking(move || parties.0.lines.vetting.refuses(&certificate)).await;
        let judged = judged.map_err(|error| verdict::ours(&error))?;
        judged.map_err(|error| Failure::transient("osci-party.failed", error.code()))
    }

    /// Whoever sends.
    pub fn courier(&self) -> Courier {
        Courier::new(self.clone(), self.0.broker.notebook(OSCI_ADAPTER))
    }

    /// Whoever fetches, one for each mailbox.
    pub fn fetchers(&self) -> Vec<Fetcher> {
        let indices = 0..self.0.mailboxes.len();
        indices.filter_map(|index| Fetcher::new(self.clone(), index)).collect()
    }

    /// The door of the passive recipient, if anybody may call.
    pub fn recipient(&self) -> Option<Door> {
        let called = Called::new(self.clone())?;
        let caller = called.door()?;
        Some(Door::new(Box::new(called), self.0.broker.clone(), caller, self.0.lines.limits.package))
    }
}

/// Bytes for boundaries and challenges. Without any, nothing can be encrypted either, so the order fails there.
fn random() -> [u8; 24] {
    seal::random_bytes().unwrap_or_default()
}
