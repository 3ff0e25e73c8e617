//! What the operator says of the server, the client and Web Push.

use std::time::Duration;

use seal::Digest;
use zeroize::Zeroizing;

/// The server.
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// Address of the door as apps see it, without a slash at the end: `https://meldung.kreis.example/open311/v2`.
    pub url: String,
    /// Its `jurisdiction_id`; whoever names another is refused.
    pub jurisdiction: Option<String>,
    /// Whom to ask, in words, for the discovery.
    pub contact: Option<String>,
    /// How to get a key, in words, for the discovery.
    pub key_service: Option<String>,
    /// When the services changed last.
    pub changeset: String,
    /// Whether it is for tests only.
    pub test: bool,
    /// Who sees to the reports, in words.
    pub agency: Option<String>,
    /// What may be reported.
    pub services: Vec<Service>,
    /// Who may report.
    pub keys: Vec<Key>,
    /// Whether texts and photographs are published.
    pub publish: Publish,
    /// How near another open report of the same service is told of, in metres; 0: never.
    pub near_metres: u32,
    /// Hosts that photographs are fetched from.
    pub media_hosts: Vec<String>,
    /// Largest photograph, in bytes.
    pub photo_bytes: usize,
    /// Most pixels of a photograph.
    pub photo_pixels: u64,
    /// Calls without a key in a minute, of all together.
    pub reads_per_minute: u32,
}

/// Something that may be reported.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// `service_code`.
    pub code: String,
    /// `service_name`.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// What it is found by.
    pub keywords: Vec<String>,
    /// The public service (Leistung) of its cases.
    pub public_service: Option<String>,
    /// The unit of its cases; absent: that of the adapter.
    pub unit: Option<String>,
    /// Whether a reporter is given a token first (`batch`).
    pub batch: bool,
    /// What is asked.
    pub attributes: Vec<Attribute>,
}

/// A question of a service.
#[derive(Debug, Clone, Default)]
pub struct Attribute {
    /// Its code.
    pub code: String,
    /// The question; empty, or only told, if it is not `variable`.
    pub description: String,
    /// `string`, `number`, `datetime`, `text`, `singlevaluelist` or `multivaluelist`.
    pub datatype: String,
    /// How it is answered, in words.
    pub datatype_description: Option<String>,
    /// Whether it must be answered.
    pub required: bool,
    /// Whether it is answered at all.
    pub variable: bool,
    /// What may be answered: key and name.
    pub values: Vec<(String, String)>,
}

/// An `api_key`, kept as its SHA-256.
#[derive(Debug, Clone)]
pub struct Key {
    /// Name of the app, as it stands in the records.
    pub name: String,
    /// SHA-256 of the key.
    pub digest: Digest,
    /// Calls in a minute.
    pub per_minute: u32,
}

/// Whether texts and photographs of reports are shown to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Never.
    Never,
    /// Once a clerk has given the case the reference `published` with the value `yes`.
    AfterCheck,
    /// At once, unless that reference says `no`.
    AtOnce,
}

/// The client.
pub struct ClientSettings {
    /// Id of the adapter.
    pub id: String,
    /// Address of the other server, without a slash at the end.
    pub url: String,
    /// `jurisdiction_id` there.
    pub jurisdiction: Option<String>,
    /// Key there.
    pub key: Option<Zeroizing<String>>,
    /// Address of e-mail that the other server wants; the office's, never the citizen's.
    pub email: Option<String>,
    /// Whether it is spoken to in JSON, not XML.
    pub json: bool,
    /// Whether what citizens have written goes there.
    pub text: Publish,
    /// Our public service, and its `service_code` there.
    pub services: Vec<(String, String)>,
    /// Whether a case is closed when its report is closed there.
    pub closes: bool,
    /// Longest time of a call.
    pub within: Duration,
    /// Pause between two looks at what became of reports.
    pub pause: Duration,
}

/// Web Push.
pub struct PushSettings {
    /// Id of the adapter.
    pub id: String,
    /// Key pair by which push services know us (VAPID), as PEM of an EC key over P-256.
    pub key: Zeroizing<String>,
    /// Whom a push service writes to: `mailto:…` or `https://…`.
    pub contact: String,
    /// How long a push service keeps a notice for a browser that is away.
    pub keeps: Duration,
    /// Longest time of a call.
    pub within: Duration,
}
