//! OSCI-Transport 1.2: the intermediary over the broker's relay, and the gateway as a party that sends and receives.
//!
//! | module | holds |
//! |---|---|
//! | `door` | `POST /osci` and `POST /osci/recipient`: the body in, the answer out, both as streams |
//! | `post` | what the intermediary remembers: dialogs, message ids, deliveries, process cards |
//! | `dialogs` | dialogs as conversations of the relay |
//! | `house` | whose mailbox a certificate is |
//! | `chunks` | deliveries that come in chunks, as pieces of the relay |
//! | `callee` | calls to passive recipients and intermediaries |
//! | `party` | sending, fetching, being called |
//! | [`inspect`] | what a message is, without its content |
//!
//! A client is known by its cipher certificate, whose fingerprint is its name in events. That it owns the certificate is
//! proven in an explicit dialog alone, since only its owner can read the answer that opens it: in an order outside of a
//! dialog, the originator is whom the order claims.

mod callee;
mod chunks;
mod dialogs;
mod door;
mod house;
pub mod inspect;
mod party;
mod post;

use std::collections::HashMap;
use std::sync::Arc;

use ::osci::intermediary::{self, Intermediary};
use ::osci::message::Features;
use ::osci::transport::{ChunkLimits, Limits};
use broker::Broker;
use model::{Authority, Clock};
use seal::algorithm::{Policy, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use tokio::runtime::Handle;

pub use door::{Door, router};
pub use party::{Courier, Fetcher, Line, MailboxAt, Parcel, Parties, Partner, Party, PartySettings};

use crate::Judging;
use crate::revocation::{Revocation, Shared};
use callee::Callee;
use house::House;
use post::Post;

/// What a package needs beside the chunk that it carries, in units of 1,024 bytes.
const REST_OF_PACKAGE: u64 = 256;

/// How an intermediary is set up.
pub struct Settings {
    /// Key pairs for which orders are encrypted: the present one first, then those before it.
    pub cipher: Vec<Identity>,
    /// The key pair that signs answers.
    pub signer: Identity,
    /// How it signs.
    pub method: SignatureMethod,
    /// Who judges certificates.
    pub judging: Judging,
    /// Which algorithms are taken.
    pub policy: Policy,
    /// Whether orders must be signed.
    pub must_be_signed: bool,
    /// Whether orders must be encrypted: only then is it proven whose mailbox is asked for.
    pub must_be_encrypted: bool,
    /// Most bytes of a package.
    pub package_bytes: u64,
    /// Cipher certificates of authorities of the house: each with its tenant and authority.
    pub mailboxes: Vec<(Certificate, String, Authority)>,
    /// The authority that runs the intermediary, and keeps the mailboxes of those who are none of the house.
    pub authority: Authority,
    /// Whether anybody with a certificate has a mailbox.
    pub open_mailboxes: bool,
    /// Addresses of passive recipients that may be called.
    pub passive_recipients: Vec<String>,
    /// The certificates by which alone some of them sign their answers, by their addresses.
    pub recipient_signers: HashMap<String, Vec<Certificate>>,
}

/// The door to an intermediary over this broker. To be called within the runtime that carries the broker.
///
/// # Errors
/// [`net::Error`] if an address of a passive recipient or a responder is none.
pub fn door(broker: Broker, settings: Settings, clock: Arc<dyn Clock>) -> Result<Door, net::Error> {
    let package_bytes = settings.package_bytes.min(broker.most_bytes());
    let limits = Limits { package: package_bytes, chunks: chunk_limits(package_bytes), ..Limits::default() };
    let tenants = broker.house().tenants();
    let home =
        tenants.into_iter().find(|tenant| tenant.authorities.iter().any(|it| it.key == settings.authority));
    let home = home.map(|tenant| tenant.id.clone()).unwrap_or_default();
    let house = House::new(settings.mailboxes, (home, settings.authority), settings.open_mailboxes);
    let callee = Callee::new(settings.passive_recipients, limits.clone(), Arc::clone(&clock))?;
    let revocation = Revocation::of(settings.judging, clock)?;
    let door = house.door();
    let signers = settings.recipient_signers;
    let post = Post::new(&broker, house, callee, signers, limits.clone(), Handle::current());
    let intermediary = intermediary::Settings {
        cipher: settings.cipher,
        signer: settings.signer,
        method: settings.method,
        inspector: Box::new(Shared(revocation)),
        policy: settings.policy,
        must_be_signed: settings.must_be_signed,
        must_be_encrypted: settings.must_be_encrypted,
        features: features(&limits),
        limits,
    };
    Ok(Door::new(Box::new(Intermediary::new(intermediary, post)), broker, door, package_bytes))
}

/// A chunk is carried by a package, and so must leave room in it for the rest.
fn chunk_limits(package_bytes: u64) -> ChunkLimits {
    let limits = ChunkLimits::default();
    let room = (package_bytes / 1024).saturating_sub(REST_OF_PACKAGE).max(1);
    ChunkLimits { largest: limits.largest.min(room), ..limits }
}

/// What we say of our abilities, by the names and versions of the field's software.
fn features(limits: &Limits) -> Features {
    let supported = [
        ("DisableBase64", "1.2.0"),
        ("OAEPEncryption", "1.6.0"),
        ("SHA3HashAlgo", "1.6.3"),
        ("GCMPaddingModus", "1.7.0"),
        ("PartialMessageTransmission", "1.8.0"),
        ("Support96Bit12ByteIV", "1.9.0"),
    ];
    Features {
        max_message_size: Some(limits.package / 1024),
        min_chunk_size: Some(limits.chunks.smallest),
        max_chunk_size: Some(limits.chunks.largest),
        supported: supported.map(|(key, version)| (key.to_owned(), version.to_owned())).to_vec(),
        ..Features::default()
    }
}
