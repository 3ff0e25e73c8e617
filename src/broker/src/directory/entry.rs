//! An entry: all ways to an authority, with everything that is needed to use them. Certificates stand in it as PEM.

use model::directory::{Asked, NOT_OFFERED, Reach, Source, Way};
use model::ids::is_name;
use model::{Authority, Timestamp};
use seal::x509::Certificate;
use serde::{Deserialize, Serialize};

use super::transport;
use crate::Wanted;
use crate::house::{House, Kind, OsciMode, Reads, XtaProfile, XtaVersion};

/// Most ways of one authority.
const MOST_WAYS: usize = 200;
/// Most certificates in one place.
const MOST_CERTIFICATES: usize = 20;
/// Longest address, in bytes.
const MOST_ADDRESS: usize = 1_000;

/// What is known of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The authority.
    pub authority: Authority,
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// The ways to it, the preferred one first.
    pub ways: Vec<EntryWay>,
}

/// A way: either of the transports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryWay {
    /// Public services (as routes name them) that it is for; empty: any. Of several ways by the same transport a message takes
    /// the first that is for its service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Addresses (URI) of the services that are offered there, as XTA and the directories of the administration name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_uris: Vec<String>,
    /// Standards and versions that are read there, newest first.
    #[serde(default)]
    pub reads: Reads,
    /// Largest message, in bytes.
    pub most_bytes: u64,
    /// By OSCI-Transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub osci: Option<EntryOsci>,
    /// By XTA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xta: Option<EntryXta>,
}

/// How an authority is reached by OSCI-Transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryOsci {
    /// Address of the intermediary.
    pub intermediary: String,
    /// Its cipher certificate.
    pub intermediary_certificate: String,
    /// The certificate that must sign its answers; absent: any may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_by: Option<String>,
    /// Cipher certificate of the authority: addressee and reader.
    pub recipient_certificate: String,
    /// Certificates that the authority signs content with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// How messages are delivered.
    #[serde(default)]
    pub mode: OsciMode,
    /// Address of the passive recipient, if the mode needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
}

/// How an authority is reached by XTA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryXta {
    /// Version of the server.
    #[serde(default)]
    pub version: XtaVersion,
    /// `managementPort`; in version 5 `transport.base`.
    #[serde(alias = "base")]
    pub management: String,
    /// `sendPort`; in version 5 `sender`.
    #[serde(alias = "sender")]
    pub send: String,
    /// Certificates that that of the server must go back to; empty: those of the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Megabytes (MiB) of a container that the server takes.
    #[serde(default = "container_mb")]
    pub container_mb: u64,
    /// Whether requests are packages (MTOM).
    #[serde(default = "yes")]
    pub mtom: bool,
    /// Name of the authority there; absent: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Scheme of that name; absent: as for the authority that sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// What messages look like.
    #[serde(default)]
    pub profile: XtaProfile,
}

fn container_mb() -> u64 {
    40
}

fn yes() -> bool {
    true
}

impl Entry {
    /// The way by a transport that a message takes: of those for its public service the first that is large enough, or the first.
    pub fn way(&self, kind: Kind, wanted: Wanted<'_>) -> Option<&EntryWay> {
        let suited = || self.ways.iter().filter(|way| way.kind() == kind && way.is_for(wanted.service));
        let is_enough = |way: &&EntryWay| wanted.bytes.is_none_or(|bytes| bytes <= way.limit());
        suited().find(is_enough).or_else(|| suited().next())
    }

    /// Whether a service is offered, by its address; nothing if nobody has said.
    pub fn offers(&self, uri: &str) -> Option<bool> {
        let is_listed = self.ways.iter().any(|way| way.service_uris.iter().any(|known| known == uri));
        let is_open = self.ways.iter().any(|way| way.service_uris.is_empty());
        (is_listed || !is_open).then_some(is_listed)
    }

    /// The certificate that content for the authority is encrypted with where this service is offered, as DER.
    pub fn encryption_certificate(&self, uri: &str) -> Option<Vec<u8>> {
        let offers = |way: &&EntryWay| way.service_uris.iter().any(|known| known == uri);
        let osci = self.ways.iter().filter(|way| way.osci.is_some()).find(offers)?.osci.as_ref()?;
        certificate(&osci.recipient_certificate).map(|certificate| certificate.der().to_owned())
    }

    /// Fingerprints of the certificates that the authority signs content with.
    pub(crate) fn signers(&self) -> Vec<String> {
        let signed_by = self.ways.iter().filter_map(|way| way.osci.as_ref()).flat_map(|osci| &osci.signed_by);
        signed_by.filter_map(|pem| Some(certificate(pem)?.fingerprint().to_owned())).collect()
    }

    /// All ways, one for each transport, looked at for what is to be sent.
    pub(crate) fn told(&self, house: &House, source: Source, asked: &Asked<'_>) -> Vec<Way> {
        let wanted = Wanted { from: asked.from, service: asked.service, bytes: asked.bytes };
        let is_picked = |way: &&EntryWay| {
            let first = || self.ways.iter().find(|other| other.kind() == way.kind());
            self.way(way.kind(), wanted).or_else(first).is_some_and(|picked| std::ptr::eq(picked, *way))
        };
        let told = |way: &EntryWay| {
            let reach = Reach {
                authority: self.authority.clone(),
                name: self.name.clone(),
                transport: transport(way),
                reads: way.reads.clone(),
                most_bytes: way.limit(),
                tenant: Some(asked.tenant.to_owned()),
                source,
            };
            house.way_out(reach, way.until(), asked).demand(way.is_for(asked.service), NOT_OFFERED)
        };
        self.ways.iter().filter(is_picked).map(told).collect()
    }

    /// What is wrong, as the place within the entry.
    pub(crate) fn defect(&self) -> Option<String> {
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            return Some("name".to_owned());
        }
        if self.ways.is_empty() || self.ways.len() > MOST_WAYS {
            return Some("ways".to_owned());
        }
        let defect = |(at, way): (usize, &EntryWay)| way.defect().map(|place| format!("ways[{at}].{place}"));
        self.ways.iter().enumerate().find_map(defect)
    }
}

impl EntryWay {
    /// Whether everything in it is what it should be.
    pub fn is_sound(&self) -> bool {
        self.defect().is_none()
    }

    /// Its transport.
    pub fn kind(&self) -> Kind {
        if self.osci.is_some() { Kind::Osci } else { Kind::Xta }
    }

    fn is_for(&self, service: Option<&str>) -> bool {
        self.services.is_empty()
            || service.is_some_and(|service| self.services.iter().any(|it| it == service))
    }

    fn limit(&self) -> u64 {
        let server = self.xta.as_ref().map(|xta| xta.container_mb.saturating_mul(1 << 20));
        self.most_bytes.min(server.unwrap_or(u64::MAX))
    }

    /// When the first of its certificates ends. Of those that a server must go back to, any one will do.
    pub fn until(&self) -> Option<Timestamp> {
        let end = |pem: &String| certificate(pem).map(|certificate| end(&certificate));
        let osci = self.osci.iter().flat_map(|osci| {
            [&osci.intermediary_certificate, &osci.recipient_certificate].into_iter().chain(&osci.answers_by)
        });
        let trusted = self.xta.iter().filter_map(|xta| xta.trust.iter().filter_map(end).max());
        osci.filter_map(end).chain(trusted).min()
    }

    /// Its certificates: those that messages are encrypted for and signed by, and those that a server must go back to.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let osci = self.osci.iter().flat_map(|osci| {
            let named = [&osci.intermediary_certificate, &osci.recipient_certificate].into_iter();
            named.chain(&osci.answers_by).chain(&osci.signed_by)
        });
        osci.chain(self.xta.iter().flat_map(|xta| &xta.trust)).filter_map(|pem| certificate(pem)).collect()
    }

    fn defect(&self) -> Option<String> {
        let has_one = self.osci.is_some() != self.xta.is_some();
        let names = self.reads.iter().flat_map(|(standard, version)| [standard, version]);
        let rules = [
            (has_one, "osci"),
            (self.services.len() <= MOST_WAYS && self.services.iter().all(|it| is_name(it)), "services"),
            (
                self.service_uris.len() <= MOST_WAYS && self.service_uris.iter().all(|it| is_uri(it)),
                "serviceUris",
            ),
            (self.reads.len() <= MOST_WAYS && names.into_iter().all(|name| is_name(name)), "reads"),
            (self.most_bytes > 0, "mostBytes"),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds).map(|(_, place)| (*place).to_owned());
        let osci = || self.osci.as_ref()?.defect().map(|place| format!("osci.{place}"));
        let xta = || self.xta.as_ref()?.defect().map(|place| format!("xta.{place}"));
        broken.or_else(osci).or_else(xta)
    }
}

impl EntryOsci {
    fn defect(&self) -> Option<&'static str> {
        let receiver_fits = match (self.mode, &self.receiver) {
            (OsciMode::Store, receiver) => receiver.is_none(),
            (_, receiver) => receiver.as_deref().is_some_and(is_address),
        };
        let rules = [
            (is_address(&self.intermediary), "intermediary"),
            (is_certificate(&self.intermediary_certificate), "intermediaryCertificate"),
            (self.answers_by.as_deref().is_none_or(is_certificate), "answersBy"),
            (is_certificate(&self.recipient_certificate), "recipientCertificate"),
            (are_certificates(&self.signed_by), "signedBy"),
            (receiver_fits, "receiver"),
        ];
        rules.iter().find(|(holds, _)| !holds).map(|(_, place)| *place)
    }
}

impl EntryXta {
    fn defect(&self) -> Option<&'static str> {
        let is_text = |text: &Option<String>| {
            text.as_deref().is_none_or(|text| {
                (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control)
            })
        };
        let rules = [
            // Nothing but TLS protects what goes there.
            (is_address(&self.management) && self.management.starts_with("https://"), "management"),
            (is_address(&self.send) && self.send.starts_with("https://"), "send"),
            (are_certificates(&self.trust), "trust"),
            ((1..=1 << 20).contains(&self.container_mb), "containerMb"),
            (is_text(&self.party), "party"),
            (is_text(&self.scheme), "scheme"),
        ];
        rules.iter().find(|(holds, _)| !holds).map(|(_, place)| *place)
    }
}

/// The one certificate of a PEM. A private key beside it would be given to everybody who may read entries.
fn certificate(pem: &str) -> Option<Certificate> {
    if pem.contains("PRIVATE") {
        return None;
    }
    let mut found = Certificate::all_from_pem(pem.as_bytes()).ok()?;
    found.pop().filter(|_| found.is_empty())
}

fn is_certificate(pem: &str) -> bool {
    certificate(pem).is_some()
}

fn are_certificates(pems: &[String]) -> bool {
    pems.len() <= MOST_CERTIFICATES && pems.iter().all(|pem| is_certificate(pem))
}

fn end(certificate: &Certificate) -> Timestamp {
    Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000))
}

/// An address of HTTP without credentials.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    is_uri(text) && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
}

fn is_uri(text: &str) -> bool {
    (3..=MOST_ADDRESS).contains(&text.len())
        && text.contains(':')
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b))
}
