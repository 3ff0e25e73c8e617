//! Mobile services: `kind = "open311"`, `"open311-client"` and `"web-push"`. Details: docs/mobile.md.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AdapterEntry, AdapterKind, Refers};
use crate::check::Check;
use crate::{Config, Error};

/// A server of Open311 GeoReport v2.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Open311 {
    /// Address of the door as apps see it.
    pub url: String,
    /// Its `jurisdiction_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// Whom to ask, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How to get a key, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_service: Option<String>,
    /// When what may be reported changed last.
    pub changeset: String,
    /// Whether it is for tests only.
    #[serde(default)]
    pub test: bool,
    /// Who sees to the reports, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    /// Whether texts and photographs are published.
    #[serde(default)]
    pub publish: OpenPublish,
    /// How near another open report is told of, in metres; 0: never.
    #[serde(default = "fifty")]
    pub near_metres: u32,
    /// Hosts that photographs are fetched from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_hosts: Vec<String>,
    /// Largest photograph (MiB).
    #[serde(default = "ten")]
    pub max_mb: u32,
    /// Most pixels of a photograph that is published, in millions.
    #[serde(default = "twenty_four")]
    pub max_megapixels: u32,
    /// Calls without a key in a minute, of all together.
    #[serde(default = "many")]
    pub reads_per_minute: u32,
    /// Apps that may report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<OpenKey>,
    /// What may be reported.
    pub reports: Vec<OpenReport>,
}

/// Whether texts and photographs of reports are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenPublish {
    /// Never.
    Never,
    /// Once a clerk has said so.
    #[default]
    AfterCheck,
    /// At once, until a clerk says otherwise.
    AtOnce,
}

/// An app that may report.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenKey {
    /// Its name.
    pub name: String,
    /// Reference to its `api_key`.
    pub secret: String,
    /// Calls in a minute.
    #[serde(default = "six_hundred")]
    pub per_minute: u32,
}

/// Something that may be reported.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenReport {
    /// `service_code`.
    pub code: String,
    /// `service_name`.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it is found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The public service of its cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The unit of its cases; absent: that of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<String>,
    /// Whether a token is given before the id.
    #[serde(default)]
    pub batch: bool,
    /// What is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<OpenAttribute>,
}

/// A question.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAttribute {
    /// Its code.
    pub code: String,
    /// The question.
    pub question: String,
    /// What kind of answer it has.
    pub datatype: OpenType,
    /// How it is answered, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether it must be answered.
    #[serde(default)]
    pub required: bool,
    /// Whether it is only told, and not answered.
    #[serde(default)]
    pub told_only: bool,
    /// What may be answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<OpenValue>,
}

/// One answer of a list.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenValue {
    /// As it is sent.
    pub key: String,
    /// As people see it.
    pub name: String,
}

/// What kind of answer a question has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenType {
    /// A line.
    String,
    /// A number.
    Number,
    /// A time.
    Datetime,
    /// Lines.
    Text,
    /// One of some.
    SingleValueList,
    /// Some of some.
    MultiValueList,
}

impl OpenType {
    /// As the specification spells it.
    pub fn name(self) -> &'static str {
        match self {
            OpenType::String => "string",
            OpenType::Number => "number",
            OpenType::Datetime => "datetime",
            OpenType::Text => "text",
            OpenType::SingleValueList => "singlevaluelist",
            OpenType::MultiValueList => "multivaluelist",
        }
    }

    fn is_list(self) -> bool {
        matches!(self, OpenType::SingleValueList | OpenType::MultiValueList)
    }
}

/// The Open311 server of somebody else, which new cases are reported to.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenClient {
    /// Its address.
    pub url: String,
    /// `jurisdiction_id` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// Reference to the `api_key` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Address of e-mail of the office, if the server wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether it is spoken to in JSON.
    #[serde(default)]
    pub json: bool,
    /// Whether what citizens have written goes there.
    #[serde(default = "never")]
    pub text: OpenPublish,
    /// Our public services, and their `service_code` there.
    pub codes: BTreeMap<String, String>,
    /// Whether a case is closed when its report is.
    #[serde(default)]
    pub closes: bool,
    /// Longest time of a call, in seconds.
    #[serde(default = "thirty")]
    pub within_seconds: u32,
    /// Pause between two looks, in minutes.
    #[serde(default = "ten")]
    pub pause_minutes: u32,
}

/// Web Push.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebPush {
    /// Reference to the private key (PEM, P-256) by which push services know us.
    pub key: String,
    /// Where push services may write to: `mailto:…` or `https://…`.
    pub sender: String,
    /// How long a notice is kept for a browser that is away, in hours.
    #[serde(default = "twenty_four")]
    pub keep_hours: u32,
    /// Longest time of a call, in seconds.
    #[serde(default = "thirty")]
    pub within_seconds: u32,
}

fn never() -> OpenPublish {
    OpenPublish::Never
}

fn ten() -> u32 {
    10
}

fn twenty_four() -> u32 {
    24
}

fn thirty() -> u32 {
    30
}

fn fifty() -> u32 {
    50
}

fn six_hundred() -> u32 {
    600
}

fn many() -> u32 {
    20_000
}

impl Open311 {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let changeset = Timestamp::parse(&self.changeset).is_none();
        let hosts = self.media_hosts.iter().any(|host| host.is_empty() || host.contains(['/', '@', ' ']));
        let lack = self.lack();
        let mut refers = Refers::default()
            .url("url", &self.url)
            .numbers([
                ("near_metres", self.near_metres.into(), 0, 500),
                ("max_mb", self.max_mb.into(), 1, 15),
                ("max_megapixels", self.max_megapixels.into(), 1, 100),
                ("reads_per_minute", self.reads_per_minute.into(), 1, 1_000_000),
            ])
            .wrong_if(changeset, "changeset", "expected a time such as 2026-11-30T08:00:00Z")
            .wrong_if(hosts, "media_hosts", "expected names of hosts, with a port if need be");
        if let Some((key, rule)) = lack {
            refers = refers.wrong_if(true, &key, rule);
        }
        let secrets = self.keys.iter_mut().enumerate();
        refers.secrets.extend(secrets.map(|(at, key)| (format!("keys[{at}].secret"), &mut key.secret)));
        refers
    }

    /// What is wrong with keys and reports: key and rule.
    fn lack(&self) -> Option<(String, &'static str)> {
        let twice = |names: Vec<&String>| {
            let is_twice = |at: &usize| names.iter().take(*at).any(|known| Some(known) == names.get(*at));
            (0..names.len()).find(is_twice)
        };
        if let Some(at) = twice(self.keys.iter().map(|key| &key.name).collect()) {
            return Some((format!("keys[{at}].name"), "another app has this name"));
        }
        if let Some(at) = self.keys.iter().position(|key| key.name.is_empty() || key.per_minute == 0) {
            return Some((format!("keys[{at}]"), "expected a name, and per_minute from 1 on"));
        }
        if let Some(at) = twice(self.reports.iter().map(|report| &report.code).collect()) {
            return Some((format!("reports[{at}].code"), "another report has this code"));
        }
        let mut reports = self.reports.iter().enumerate();
        reports.find_map(|(at, report)| report.lack().map(|rule| (format!("reports[{at}]"), rule)))
    }
}

impl OpenReport {
    fn lack(&self) -> Option<&'static str> {
        let is_code = |code: &str| {
            (1..=80).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        };
        if !is_code(&self.code) || !(1..=200).contains(&self.name.trim().chars().count()) {
            return Some("expected a code of 1 to 80 of A-Z a-z 0-9 - _ . : and a name");
        }
        let wrong = |attribute: &&OpenAttribute| {
            !is_code(&attribute.code) || attribute.datatype.is_list() == attribute.values.is_empty()
        };
        let is_wrong = self.attributes.iter().any(|attribute| wrong(&attribute));
        is_wrong.then_some("attributes need a code each, and values if they are lists, and only then")
    }
}

impl OpenClient {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let nameless = self.codes.is_empty()
            || self.codes.iter().any(|(ours, theirs)| ours.trim().is_empty() || theirs.trim().is_empty());
        Refers::default()
            .secrets(self.secret.iter_mut().map(|it| ("secret", it)))
            .url("url", &self.url)
            .numbers([
                ("within_seconds", self.within_seconds.into(), 1, 300),
                ("pause_minutes", self.pause_minutes.into(), 1, 24 * 60),
            ])
            .wrong_if(nameless, "codes", "expected our public services with their service_code there")
    }
}

impl WebPush {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let sender = !self.sender.starts_with("mailto:") && !self.sender.starts_with("https://");
        Refers::default()
            .secrets([("key", &mut self.key)])
            .numbers([
                ("keep_hours", self.keep_hours.into(), 1, 24 * 28),
                ("within_seconds", self.within_seconds.into(), 1, 300),
            ])
            .wrong_if(sender, "sender", "expected mailto:… or https://…")
    }
}

impl Check<'_> {
    /// Reports go to desks that there are, and that the adapter may bring things to.
    pub(super) fn reports(&self, key: &str, entry: &AdapterEntry, config: &Config) -> Result<(), Error> {
        let AdapterKind::Open311(it) = &entry.kind else { return Ok(()) };
        let serves = &entry.serves;
        let tenant = config.tenants.iter().find(|known| Some(&known.id) == serves.tenant.as_ref());
        for (at, report) in it.reports.iter().enumerate() {
            if let Some(desk) = &report.desk {
                let key = format!("{key}.reports[{at}].desk");
                let is_there = tenant.is_some_and(|it| it.units.iter().any(|unit| unit.id == *desk));
                self.note(self.defined(&key, "unit", is_there));
                if !serves.units.is_empty() && !serves.units.contains(desk) {
                    return Err(self.value(&key, "expected one of units"));
                }
            }
            let key = format!("{key}.reports[{at}].service");
            if let Some(service) = &report.service {
                self.note(self.name(&key, service));
            }
            let is_seen = report.service.as_ref().is_some_and(|service| serves.services.contains(service));
            if !serves.services.is_empty() && !is_seen {
                return Err(self.value(&key, "expected one of services"));
            }
        }
        Ok(())
    }
}
