//! The broker: takes in, checks, translates into cases, routes and delivers.
//!
//! ```text
//! accept    transaction 1: message, dedup key, event   (intake)
//! process   transaction 2: state, records, events, mailbox, replies   (process, translate)
//! prepare   an outgoing message is written and checked like anyone's   (prepare)
//! relay     takes in, hands out and proves what is not for the gateway (relay)
//! letterbox into the message box of an authority whose reader fetches by XTA
//! onward    takes in what goes on to somebody else
//! rejection says by the standard of a message that it was returned
//! handed_in messages that systems of the house hand in as they are, for somebody else
//! channels  adapters are told what happens to records, and bring in what happens elsewhere
//! citizen   what citizens see of their case, bring to it and hold of it
//! retention deletes copies whose time is over, with proof; tells and erases what is known of a person
//! figures   notes how everything stands, and tells when a rule on it is passed
//! people    users of the house: how they sign in, their sessions and rights
//! deliver   into the recipient's mailbox (deliver), or through an adapter (send)
//! ```
//! Between the transactions stand jobs of the store's queue. A job that was interrupted is done
//! again; every step is written so that doing it again changes nothing.
//!
//! The broker knows standards, directories and adapters by their traits alone.

mod access;
mod acts;
mod answers;
mod approvals;
mod arrival;
mod carried;
mod channels;
mod citizen;
mod clarify;
mod content;
mod deliver;
mod desk;
pub mod directory;
mod dispatches;
mod erasure;
mod error;
mod evidence;
mod exchange;
mod expire;
mod facts;
mod figures;
mod follow;
mod forward;
mod handed_in;
mod hooks;
pub mod house;
mod inbox;
mod intake;
mod known;
mod lanes;
mod letterbox;
mod messages;
mod notebook;
mod notes;
mod once;
mod onward;
mod payments;
mod people;
mod prepare;
mod pressure;
mod process;
mod reach;
mod records;
mod redrive;
mod rejection;
mod relay;
mod repairs;
mod retention;
mod retry;
mod screen;
mod section;
mod send;
mod stamping;
mod standing;
mod tasks;
mod translate;
mod undecided;
mod upkeep;
mod uploads;
mod way;
mod worker;
mod works_with;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::adapter::Adapter;
use model::command::Rules;
use model::outbound::Outbound;
use model::standard::Standard;
use model::{Clock, directory::Directory};
use seal::evidence_key::EvidenceKey;
use store::Store;

pub use access::{NewToken, TokenSecret, Wanted};
pub use approvals::{Act, DoneOrAsked, LONGEST_RELEASE, NewApproval, Released};
pub use arrival::{Arrival, Sent};
pub use carried::Carried;
pub use channels::{Channel, Filing, KnownNumber};
pub use citizen::{
    Access, Application, Applied, Asked, Attachment, CitizenSession, CitizenView, Citizens, OwedClaim,
    PayPage, ProvidedDocument, ProvidedNotice, PublicService, PushSubscription, UploadPage, Uploaded,
    Wanting,
};
pub use content::Upload;
pub use desk::{About, Desk, Waiting};
pub use erasure::Erasure;
pub use error::Error;
pub use exchange::{Destruction, Fate, HeldAt, NewExchange, Opening, StepDone};
pub use figures::{
    AlertHook, AlertNow, AlertRule, AlertSent, AlertSeverity, Alerts, CertificateEnd, CertificateOf,
    DELIVERY_SECONDS, DeliveryTimes, Figure, Mailer, MessageCount, SERIES, WeakCertificate,
};
pub use hooks::{LONGEST_OVERLAP, NewSubscription, SubscriptionChange, SubscriptionSecret};
pub use inbox::InboxItem;
pub use intake::{Checked, Incoming, check};
pub use letterbox::message_box;
pub use notebook::Notebook;
pub use once::{Once, seen};
pub use onward::Onward;
pub use payments::{
    Acknowledgement, BookingFile, LineDecision, LineSeen, NewClaim, NewPayment, NoticeAnswer, NoticeDoor,
    PayerSees, Payments, Reconciliation, StatementReport,
};
pub use people::{GivenRights, LinkBy, Stranger};
pub use people::{
    Invited, NewUser, Next, OwnSession, PeopleSettings, SetUp, SignIn, SignedIn, TotpOffer, TotpPolicy, User,
    UserChange, UserFilter, UserList,
};
pub use pressure::{BodyPlace, PressureNow, Quotas, RequestPlace};
pub use redrive::{Redrive, RedriveState};
pub use relay::{BoxTerms, NewDelivery, NewPiece, Relay, RelayLimits, Relayed, Turn};
pub use repairs::{Mended, NOTE_CHARS};
pub use retention::{
    DeletionProof, Keeping, PersonBy, PersonErased, PersonFound, PersonPlace, PersonStays, RetentionDue,
    RetentionPlan, verify_deletion,
};
pub use section::Section;
pub use stamping::{StampHealth, Stamping};
pub use standing::{AdapterState, Standing, WayEnd};
pub use store::UserState;
pub use store::{ActFilter, ChannelDelivery, ChannelFilter};
pub use store::{Approval, ApprovalFilter};
pub use store::{BookingFilter, LineFilter, LineState, PaymentNotice, StatementLine};
pub use store::{
    BoxFilter, CardFilter, CardRule, Cards, Conversation, PayloadWriterBlocking, Pick, RelayDelivery,
    RelayPiece, RelayQuota, RelayStage, RelayWhole, StoredPayload, WholeQuota,
};
pub use store::{
    Breaker, BreakerState, ChainFinding, ChainReport, ClarificationFilter, Class, Delivery, DeskFilter,
    InboxEntry, InboxFilter, InboxState, Lane, Listed, MessageFilter, Page, Partner, Payload, RecordFilter,
    SealedEvent, Stats, Subscription, Terms, TokenRow,
};
pub use store::{RetentionKept, RetentionRun};
pub use store::{Upload as UploadState, UploadQuota};
pub use undecided::Undecided;
pub use upkeep::KeysInUse;
pub use uploads::{Appended, Part, UploadAnswer, UploadLimits, UploadTarget};
pub use way::MessageWay;
pub use worker::{Places, TRACED, Workers};
pub use works_with::{ConfigurationDigest, PackDigest};

use house::House;

/// What the broker is put together from.
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Message standards; the first that recognises a message reads it.
    pub standards: Vec<Arc<dyn Standard>>,
    /// The house it serves.
    pub house: Arc<House>,
    /// Where other authorities are found.
    pub directory: Arc<dyn Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Signs the heads of the evidence chain; knows the keys that did before it.
    pub evidence_key: Arc<EvidenceKey>,
    /// Carries webhooks and other small calls outside.
    pub outbound: Arc<dyn Outbound>,
    /// Rules of the case model.
    pub rules: Rules,
    /// Limits.
    pub limits: Limits,
    /// Stable name of this node: jobs it held when it died are its own again.
    pub node: String,
    /// Who time-stamps the heads of the evidence chain; absent: nobody.
    pub stamping: Option<Stamping>,
}

/// Limits on what comes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest message or file, in bytes.
    pub most_bytes: u64,
}

/// The broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    parts: Arc<Parts>,
    known: Arc<known::Known>,
    adapters: Arc<BTreeMap<String, Arc<dyn Adapter>>>,
    /// Whom each adapter serves.
    channels: Arc<BTreeMap<String, Channel>>,
    /// Whether time stamps were overdue at the last look of the workers.
    stamps_overdue: Arc<AtomicBool>,
    /// Tenants of whose chain it is known whether another key signed it before.
    key_noted: Arc<tokio::sync::Mutex<BTreeSet<String>>>,
    upload_limits: UploadLimits,
    relay_limits: RelayLimits,
    /// Who is at which upload.
    turns: Arc<uploads::Turns>,
    pressure: Arc<pressure::Pressure>,
    /// A directory outside, for authorities that nobody else knows.
    registry: Option<Arc<dyn directory::Registry>>,
    /// Who looks for harmful content; absent: nobody.
    scanner: Option<Arc<dyn model::scan::Scanner>>,
    /// The citizens' pages; absent: there are none.
    citizens: Option<Arc<Citizens>>,
    /// How often citizens may try, and the keys of what they hold.
    citizen_doors: Arc<citizen::Doors>,
    /// How payments are taken; absent: none are.
    payments: Option<Arc<Payments>>,
    /// What the house has decided about dispatches.
    sending: Arc<model::sending::Sending>,
    /// What may be set for people.
    people_settings: PeopleSettings,
    /// What is remembered of those who sign in.
    people: Arc<people::Desk>,
    /// Whose turn it is to number a claim: counters of the store would have all but one of them decide anew.
    numbering: Arc<tokio::sync::Mutex<()>>,
    /// How long copies are kept.
    keeping: Arc<Keeping>,
    /// Rules on figures.
    alerts: Arc<Alerts>,
    /// Certificates whose ends are watched.
    certificates: Arc<Vec<CertificateEnd>>,
    /// Certificates of the configuration that are too weak.
    weak_certificates: Arc<Vec<WeakCertificate>>,
}

impl Broker {
    /// A broker of these parts.
    pub fn new(parts: Parts) -> Self {
        Broker {
            parts: Arc::new(parts),
            known: Arc::default(),
            adapters: Arc::default(),
            channels: Arc::default(),
            stamps_overdue: Arc::default(),
            key_noted: Arc::default(),
            upload_limits: UploadLimits::default(),
            relay_limits: RelayLimits::default(),
            turns: Arc::default(),
            pressure: Arc::new(pressure::Pressure::new(Quotas::default())),
            registry: None,
            scanner: None,
            citizens: None,
            citizen_doors: Arc::default(),
            payments: None,
            sending: Arc::default(),
            people_settings: PeopleSettings::default(),
            people: Arc::default(),
            numbering: Arc::default(),
            keeping: Arc::default(),
            alerts: Arc::default(),
            certificates: Arc::default(),
            weak_certificates: Arc::default(),
        }
    }

    /// The same with other quotas. Before it is cloned.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Broker { pressure: Arc::new(pressure::Pressure::new(quotas)), ..self }
    }

    /// The same in the place of another one of this process, whose requests may still be under way: both go on with one account of
    /// uploads, requests and bodies, and of who failed to sign in. Before it is cloned, after its limits.
    pub fn in_place_of(self, before: &Broker) -> Self {
        Broker {
            turns: Arc::clone(&before.turns),
            pressure: Arc::new(self.pressure.going_on(&before.pressure)),
            citizen_doors: Arc::clone(&before.citizen_doors),
            people: Arc::clone(&before.people),
            numbering: Arc::clone(&before.numbering),
            stamps_overdue: Arc::clone(&before.stamps_overdue),
            ..self
        }
    }

    /// The same with other limits on uploads. Before it is cloned.
    pub fn with_upload_limits(self, upload_limits: UploadLimits) -> Self {
        Broker { upload_limits, ..self }
    }

    /// The same with channels to the outside, each known by the id in its descriptor.
    pub fn with_adapters(self, adapters: Vec<Arc<dyn Adapter>>) -> Self {
        let named = adapters.into_iter().map(|adapter| (adapter.descriptor().id.clone(), adapter));
        Broker { adapters: Arc::new(named.collect()), ..self }
    }

    /// Channels to the outside.
    pub fn adapters(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.adapters.values()
    }

    /// The house it serves.
    pub fn house(&self) -> &House {
        &self.parts.house
    }

    /// The largest message or file taken, in bytes.
    pub fn most_bytes(&self) -> u64 {
        self.parts.limits.most_bytes
    }

    /// Figures for metrics and health.
    ///
    /// # Errors
    /// If the store cannot be asked: the gateway is not ready then.
    pub async fn stats(&self) -> Result<store::Stats, Error> {
        Ok(self.parts.store.stats().await?)
    }

    /// How often the database was asked so far: who is refused must not learn why by how much was asked.
    pub fn times_asked(&self) -> u64 {
        self.store().times_asked()
    }

    fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The time by the gateway's clock.
    pub fn now(&self) -> model::Timestamp {
        self.parts.clock.now()
    }
}

/// Runs long or blocking work on a thread kept for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal)?
}
