//! `[retention]`: how long copies are kept that only carried something; `[alerts]` and `[[alert]]`: who is told when a figure passes
//! its limit.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use broker::{AlertSeverity, Keeping, SERIES};
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{AdapterKind, Config, Error, Place, read_secret, resolve};

/// A hundred years.
const MOST_DAYS: u64 = 36_525;

/// `[retention]`. What is left out is kept without end; so is everything without the section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days that bytes of messages are kept after their confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_days: Option<u32>,
    /// Days that bytes of messages are kept after their return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_days: Option<u32>,
    /// Days that bytes of deliveries that waited here are kept after they were picked up or went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_days: Option<u32>,
    /// Days that bytes of calls of payment providers are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices_days: Option<u32>,
    /// Days until records go that a disposition is done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_days: Option<u32>,
    /// Days until contacts go that need no case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contacts_days: Option<u32>,
    /// Hours between two runs.
    #[serde(default = "a_day")]
    pub every_hours: u32,
}

/// `[alerts]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// The adapter of kind `smtp` that e-mails go out by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
}

/// `[[alert]]`: a rule on a figure.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name.
    pub id: String,
    /// The series that it watches.
    pub series: String,
    /// Only of this partner, adapter or certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// More is too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Less is too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// For how many minutes.
    #[serde(default = "five")]
    pub for_minutes: u32,
    /// How bad it is.
    #[serde(default)]
    pub severity: AlertSeverity,
    /// Addresses of e-mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// A webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Reference to the secret (`whsec_…`) that its calls are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
    /// Hours after which somebody is told again; never if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_hours: Option<u32>,
}

fn a_day() -> u32 {
    24
}

fn five() -> u32 {
    5
}

impl Retention {
    /// As the broker wants it.
    pub fn keeping(&self) -> Keeping {
        Keeping {
            messages: self.messages_days,
            returned: self.returned_days,
            relay: self.relay_days,
            notices: self.notices_days,
            records: self.records_days,
            contacts: self.contacts_days,
            every: Duration::from_secs(3_600 * u64::from(self.every_hours)),
        }
    }
}

impl Config {
    /// Makes paths of secrets absolute.
    pub(crate) fn resolve_alerts(&mut self, folder: &Path) {
        let secrets = self.alert_rules.iter_mut().filter_map(|rule| rule.webhook_secret.as_mut());
        secrets.for_each(|reference| resolve(reference, folder));
    }

    /// The secret of a rule's webhook, without the line end of its file.
    ///
    /// # Errors
    /// If it is not there, or others than its owner can read it.
    pub fn alert_secret(&self, index: usize, reference: &str) -> Result<String, Error> {
        let place = Place::key(&format!("alert[{index}].webhook_secret"));
        Ok(read_secret(reference, place)?.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// That the webhook of the rule at `index` cannot be called, and why.
    pub fn alert_refused(&self, index: usize, why: &str) -> Error {
        Error::Value(Place::key(&format!("alert[{index}].webhook")), why.to_owned())
    }
}

impl Check<'_> {
    pub(crate) fn watch(&self, config: &Config) -> Result<(), Error> {
        if let Some(retention) = &config.retention {
            for (key, days) in [
                ("messages_days", retention.messages_days),
                ("returned_days", retention.returned_days),
                ("relay_days", retention.relay_days),
                ("notices_days", retention.notices_days),
                ("records_days", retention.records_days),
                ("contacts_days", retention.contacts_days),
            ] {
                // A day at least: who has to look into something must be able to.
                self.note(self.number(&format!("retention.{key}"), days.unwrap_or(1).into(), 1, MOST_DAYS));
            }
            self.note(self.number("retention.every_hours", retention.every_hours.into(), 1, 744));
        }
        if let Some(mail) = config.alerts.as_ref().and_then(|alerts| alerts.mail.as_ref()) {
            let found = config.adapters.iter().find(|entry| entry.serves.id == *mail);
            self.note(self.defined("alerts.mail", "adapter", found.is_some()));
            if !found.is_some_and(|entry| matches!(entry.kind, AdapterKind::Smtp(_))) {
                return Err(self.value("alerts.mail", "expected an adapter of kind smtp"));
            }
        }
        let mut ids = BTreeSet::new();
        for (index, rule) in config.alert_rules.iter().enumerate() {
            let key = format!("alert[{index}]");
            self.note(self.name(&format!("{key}.id"), &rule.id));
            self.note(self.unique(&format!("{key}.id"), ids.insert(&rule.id)));
            self.note(self.alert(config, &key, rule));
        }
        Ok(())
    }

    fn alert(&self, config: &Config, key: &str, rule: &Alert) -> Result<(), Error> {
        let wrong = |name: &str, what: &str| Err(self.value(&format!("{key}.{name}"), what));
        if !SERIES.iter().any(|series| series.0 == rule.series) {
            let known: Vec<&str> = SERIES.iter().map(|series| series.0).collect();
            return wrong("series", &format!("expected one of {}", known.join(", ")));
        }
        if rule.above.is_none() && rule.below.is_none() {
            return wrong("above", "expected a limit: above or below");
        }
        for (name, limit) in [("above", rule.above), ("below", rule.below)] {
            if limit.is_some_and(|limit| !limit.is_finite()) {
                return wrong(name, "expected a number");
            }
        }
        self.note(self.number(&format!("{key}.for_minutes"), rule.for_minutes.into(), 0, 10_080));
        self.note(self.number(&format!("{key}.repeat_hours"), rule.repeat_hours.unwrap_or(1).into(), 1, 744));
        let is_address = |to: &String| {
            to.is_ascii() && to.split_once('@').is_some_and(|it| !it.0.is_empty() && it.1.len() > 2)
        };
        match (rule.to.is_empty(), &rule.webhook) {
            (true, None) => return wrong("to", "nobody would be told: expected addresses or a webhook"),
            (false, _) if config.alerts.as_ref().is_none_or(|alerts| alerts.mail.is_none()) => {
                return wrong("to", "there is no alerts.mail to send e-mails by");
            }
            (false, _) if rule.to.len() > 20 || !rule.to.iter().all(is_address) => {
                return wrong("to", "expected up to 20 addresses of e-mail");
            }
            _ => {}
        }
        match (&rule.webhook, &rule.webhook_secret) {
            (Some(url), _) if !url.starts_with("https://") && !url.starts_with("http://") => {
                wrong("webhook", "expected https://… or http://…")
            }
            (Some(_), Some(reference)) => self.secret(&format!("{key}.webhook_secret"), reference),
            (Some(_), None) => wrong("webhook_secret", "expected the secret that calls are signed with"),
            (None, Some(_)) => wrong("webhook", "there is a webhook_secret and no webhook"),
            (None, None) => Ok(()),
        }
    }
}
