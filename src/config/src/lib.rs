//! `amtsbote.toml`: read strictly, checked as a whole, and named by line and key where it is wrong.
//!
//! Unknown keys are refused, so that a slip of the pen never leaves a default in force unseen. Secrets are references (`file:PATH`,
//! `env:NAME`); a literal one is refused without being shown. Relative paths are relative to the folder of the file. The example has all.

mod adapters;
mod certificates;
mod check;
mod citizen;
mod dvdv;
mod hours;
mod identities;
mod keys;
mod log;
mod osci;
mod party;
mod payments;
mod people;
mod places;
mod processes;
mod read;
mod virus;
mod watch;
mod xrechnung;
mod xta;
mod xta_party;

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::house::{ContactEntry, PartnerEntry, Tenant};
use broker::{Quotas, UploadLimits, UploadQuota};
use model::process::Deadlines;
use model::sending::Sending;
use serde::{Deserialize, Serialize};

pub use crate::adapters::*;
pub use crate::certificates::NamedCertificate;
pub use crate::citizen::{Barrier, Citizen, CitizenService};
pub use crate::dvdv::{Dvdv, DvdvService};
pub use crate::hours::ServiceHours;
pub use crate::identities::{OAuth, OAuthClient, Oidc, OidcLink, OidcRole, signing, within};
pub use crate::log::{Listener, Log, LogFormat, LogLevel};
pub use crate::osci::{Osci, OsciKeys, Unlisted};
pub use crate::party::{OsciRecipient, OsciTrust};
pub use crate::payments::*;
pub use crate::people::{People, Totp};
pub use crate::places::Place;
pub use crate::processes::Policy;
pub(crate) use crate::read::refused_at;
pub use crate::virus::{OnFailure, Virus};
pub use crate::watch::{Alert, Alerts, Retention};
pub use crate::xrechnung::XRechnung;
pub use crate::xta::{Tls, Xta, XtaAccount};

/// Name of the file that is read when none is named.
pub const FILE_NAME: &str = "amtsbote.toml";

/// The whole configuration, with defaults filled in and paths made absolute.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// SHA-256 of the text that it was read from, hex.
    #[serde(skip)]
    pub digest: String,
    /// Stable name of this node: jobs that it held when it died are its own again.
    pub node: String,
    /// Addresses.
    #[serde(default)]
    pub listen: Listen,
    /// Where everything is kept.
    pub store: Store,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Whom the gateway may call.
    #[serde(default)]
    pub egress: Egress,
    /// Time stamps over the evidence.
    #[serde(default)]
    pub evidence: Evidence,
    /// Decisions of the house.
    #[serde(default)]
    pub policy: Policy,
    /// How long the steps of exchanges may take.
    #[serde(default)]
    pub processes: Deadlines,
    /// When somebody is there.
    #[serde(default)]
    pub hours: ServiceHours,
    /// What goes to citizens: quiet times, and rules of what is deemed.
    #[serde(default)]
    pub dispatch: Sending,
    /// Users of the console.
    #[serde(default)]
    pub people: People,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// How long copies are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// By whom alerts are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Alerts>,
    /// Rules on figures.
    #[serde(default, rename = "alert", skip_serializing_if = "Vec::is_empty")]
    pub alert_rules: Vec<Alert>,
    /// Tenants (Mandanten).
    #[serde(rename = "tenant")]
    pub tenants: Vec<Tenant>,
    /// Channels to the outside.
    #[serde(skip_deserializing, rename = "adapter", skip_serializing_if = "Vec::is_empty")]
    pub adapters: Vec<AdapterEntry>,
    /// Authorities that are reached through them.
    #[serde(default, rename = "partner", skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerEntry>,
    /// The intermediary of OSCI-Transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci: Option<Osci>,
    /// The passive recipient of OSCI-Transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci_recipient: Option<OsciRecipient>,
    /// Whom certificates of partners in OSCI-Transport must go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci_trust: Option<OsciTrust>,
    /// TLS for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The server of XTA 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<Xta>,
    /// The directory of public offices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dvdv: Option<Dvdv>,
    /// The virus check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virus: Option<Virus>,
    /// The rules of invoices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xrechnung: Option<XRechnung>,
    /// Where authorities of the house are reached by people.
    #[serde(default, rename = "contact", skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<ContactEntry>,
    /// The citizens' pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citizen: Option<Citizen>,
    /// Issuers of access tokens for systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oauth: Vec<OAuth>,
    /// The provider by whom people sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
    /// E-payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<PaymentSection>,
    /// Who takes money for the house.
    #[serde(default, rename = "payment_provider", skip_serializing_if = "Vec::is_empty")]
    pub payment_providers: Vec<PaymentProvider>,
    /// By which way claims are paid and booked.
    #[serde(default, rename = "payment_account", skip_serializing_if = "Vec::is_empty")]
    pub payment_accounts: Vec<PaymentAccount>,
}

/// `[listen]`: loopback only, but for machines and the public if there is `[tls]`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// REST.
    pub internal: SocketAddr,
    /// Whether TLS is spoken there, with the key pair of `[tls]`.
    pub internal_tls: bool,
    /// Proxies in front of it that say which certificate was shown to them.
    pub trusted_proxies: Vec<IpAddr>,
    /// In which header field they say so (RFC 9440).
    pub client_cert_header: String,
    /// Health and metrics.
    pub operations: SocketAddr,
    /// Machines outside of the house.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<SocketAddr>,
    /// Those of them that speak OSCI-Transport over plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub osci_plain: Option<SocketAddr>,
    /// Payment providers, and browsers of those who pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<SocketAddr>,
    /// Seconds between saying that it is going to stop and stopping.
    pub drain_seconds: u32,
}

impl Default for Listen {
    fn default() -> Self {
        Listen {
            internal: ([127, 0, 0, 1], 8080).into(),
            internal_tls: false,
            trusted_proxies: vec![],
            client_cert_header: "client-cert".to_owned(),
            operations: ([127, 0, 0, 1], 8081).into(),
            machines: None,
            osci_plain: None,
            public: None,
            drain_seconds: 0,
        }
    }
}

/// `[store]`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`, or `postgres://USER@HOST/NAME` without a password.
    pub database: String,
    /// Reference to the password for PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_password: Option<String>,
    /// Folder of the payload segments.
    pub payloads: PathBuf,
    /// Reference to the master key.
    pub master_key: String,
    /// References to master keys that still open what they wrapped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_master_keys: Vec<String>,
    /// File of the key that signs evidence.
    pub evidence_key: PathBuf,
    /// Files with the public halves of the keys that signed evidence before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_evidence_keys: Vec<PathBuf>,
    /// Folder of imported schema packs.
    pub schemas: PathBuf,
    /// Whether missing keys are created on the first start.
    #[serde(default)]
    pub create_keys: bool,
}

/// `[limits]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest message or file, in bytes.
    pub most_bytes: u64,
    /// Files in one container.
    pub container_entries: usize,
    /// How many times larger a container may get by inflating.
    pub container_ratio: u64,
    /// Levels of case files and cases within each other that are taken without a warning.
    pub depth: usize,
    /// Connections at once, for each address.
    pub connections: usize,
    /// Slowest rate of those who call, in bytes a second: of what they send, and of what they read.
    pub slowest_rate: u64,
    /// Seconds of silence that are borne, and over which the rate is looked at.
    pub patience_seconds: u64,
    /// Megabytes (MiB) that stay free on the disk.
    pub disk_reserve_mb: u64,
    /// Requests at once of one token.
    pub requests_per_token: usize,
    /// Requests at once of a tenant.
    pub requests_per_tenant: usize,
    /// Large bodies at once, of all callers together.
    pub bodies: usize,
    /// Announced bytes of bodies at once, of a tenant.
    pub body_bytes_per_tenant: u64,
    /// Accepted messages of a tenant that may wait for their processing.
    pub waiting_per_tenant: u64,
    /// Hours that an upload may take.
    pub upload_hours: u64,
    /// Uploads under way of one token.
    pub uploads_per_token: u64,
    /// Uploads under way of a tenant.
    pub uploads_per_tenant: u64,
    /// Bytes of uploads under way of a tenant.
    pub upload_bytes_per_tenant: u64,
    /// Jobs of processor and disk at once; absent: as many as fit the machine; 0: this node only takes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Deliveries to partners outside at once.
    pub calls: u32,
    /// Hours until a message that was not delivered or fetched goes back, where its service says nothing.
    pub ttl_hours: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            most_bytes: 2 << 30,
            container_entries: 20_000,
            container_ratio: 200,
            depth: 5,
            connections: 1_024,
            slowest_rate: 500,
            patience_seconds: 20,
            disk_reserve_mb: 1_024,
            requests_per_token: 512,
            requests_per_tenant: 768,
            bodies: 64,
            body_bytes_per_tenant: 64 << 30,
            waiting_per_tenant: 100_000,
            upload_hours: 24,
            uploads_per_token: 64,
            uploads_per_tenant: 256,
            upload_bytes_per_tenant: 64 << 30,
            workers: None,
            calls: 64,
            ttl_hours: 7 * 24,
        }
    }
}

/// `[egress]`: what systems may have called besides public addresses. Its entries are read by the client that obeys them.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Hosts, hosts with a port, and networks.
    pub allow: Vec<String>,
}

/// `[evidence]`: who time-stamps the heads of the evidence chain. Nobody if there is no address.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// Address of the time stamp authority (RFC 3161 over HTTP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsa_url: Option<String>,
    /// PEM file of the certificates that its stamps must go back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsa_ca: Option<PathBuf>,
    /// Policy to stamp under, as object identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsa_policy: Option<String>,
    /// Shortest time between two stamps of a tenant, in minutes.
    pub stamp_every_minutes: u32,
    /// How long evidence may be without a stamp before it is called overdue, in hours.
    pub tolerate_hours: u32,
    /// Whether no new messages are taken in while stamps are overdue.
    pub stop_intake: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Evidence {
            tsa_url: None,
            tsa_ca: None,
            tsa_policy: None,
            stamp_every_minutes: 60,
            tolerate_hours: 48,
            stop_intake: false,
        }
    }
}
impl Limits {
    /// As the broker wants them.
    pub fn quotas(&self) -> Quotas {
        Quotas {
            disk_reserve: self.disk_reserve_mb << 20,
            token_requests: self.requests_per_token,
            tenant_requests: self.requests_per_tenant,
            bodies: self.bodies,
            tenant_bytes: self.body_bytes_per_tenant,
            tenant_waiting: self.waiting_per_tenant,
        }
    }

    /// As the broker wants them.
    pub fn uploads(&self) -> UploadLimits {
        let quota = UploadQuota {
            per_owner: self.uploads_per_token,
            per_tenant: self.uploads_per_tenant,
            tenant_bytes: self.upload_bytes_per_tenant,
        };
        UploadLimits { quota, lifetime: Duration::from_secs(self.upload_hours * 3_600) }
    }
}

/// Why a configuration is refused. Names keys and lines, never values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// The file asked for.
        file: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Not TOML.
    #[error("{0}: {1}")]
    Syntax(Place, String),
    /// A key that does not exist, or one that is missing.
    #[error("{0}: {1}")]
    Key(Place, String),
    /// A value outside of its rule.
    #[error("{0}: {1}")]
    Value(Place, String),
    /// The same name twice.
    #[error("{0}: is there twice")]
    Duplicate(Place),
    /// A unit or authority that is not defined.
    #[error("{0}: names a {1} that is not defined")]
    Undefined(Place, &'static str),
    /// A secret stands in the file itself.
    #[error("{0}: holds a secret; give it as file:PATH or env:NAME")]
    LiteralSecret(Place),
    /// The file or variable of a secret is not there.
    #[error("{0}: the secret it refers to cannot be read")]
    SecretMissing(Place),
    /// Others than the owner can read the file of a secret.
    #[error("{0}: others can read the file it refers to; set its mode to 0600")]
    SecretPermissions(Place),
    /// A key or certificate is not what it should be.
    #[error("{0}: {1}")]
    Certificate(Place, seal::Error),
    /// Plain HTTP beyond this machine.
    #[error("{0}: plain HTTP is spoken on loopback addresses only")]
    PlainHttp(Place),
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unreadable { .. } => "config.unreadable",
            Error::Syntax(..) => "config.syntax",
            Error::Key(..) => "config.key",
            Error::Value(..) => "config.value",
            Error::Duplicate(_) => "config.duplicate",
            Error::Undefined(..) => "config.undefined",
            Error::LiteralSecret(_) => "config.literal-secret",
            Error::SecretMissing(_) => "config.secret-missing",
            Error::SecretPermissions(_) => "config.secret-permissions",
            Error::Certificate(_, reason) => reason.code(),
            Error::PlainHttp(_) => "config.plain-http",
        }
    }

    /// Where it is; absent if there is no file at all.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Error::Unreadable { .. } => None,
            Error::Syntax(place, _) | Error::Key(place, _) | Error::Value(place, _) => Some(place),
            Error::Duplicate(place) | Error::Undefined(place, _) | Error::LiteralSecret(place) => Some(place),
            Error::SecretMissing(place) | Error::SecretPermissions(place) => Some(place),
            Error::Certificate(place, _) | Error::PlainHttp(place) => Some(place),
        }
    }
}

impl Config {
    /// The database with its password, as the store wants it.
    pub fn database(&self) -> Result<String, Error> {
        let Some(reference) = &self.store.database_password else { return Ok(self.store.database.clone()) };
        let password = read_secret(reference, Place::key("store.database_password"))?;
        let (scheme, rest) = self.store.database.split_once("://").unwrap_or_default();
        let (user, host) = rest.split_once('@').unwrap_or_default();
        Ok(format!("{scheme}://{user}:{}@{host}", percent_encoded(password.trim_end_matches(['\r', '\n']))))
    }
}

/// Makes the path in a reference absolute.
fn resolve(reference: &mut String, folder: &Path) {
    for prefix in ["sqlite:", "file:"] {
        if let Some(path) = reference.strip_prefix(prefix) {
            *reference = format!("{prefix}{}", folder.join(path).display());
            return;
        }
    }
}

/// The secret that `place` refers to. A file must be readable by its owner only, like that of a key.
fn read_secret(reference: &str, place: Place) -> Result<String, Error> {
    let Some(path) = reference.strip_prefix("file:") else {
        let name = reference.strip_prefix("env:").unwrap_or_default();
        return std::env::var(name).map_err(|_| Error::SecretMissing(place));
    };
    let Ok(file) = File::open(path) else { return Err(Error::SecretMissing(place)) };
    let Ok(metadata) = file.metadata() else { return Err(Error::SecretMissing(place)) };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::SecretPermissions(place));
    }
    std::io::read_to_string(file).map_err(|_| Error::SecretMissing(place))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded += &format!("%{byte:02X}"),
        }
        encoded
    })
}
