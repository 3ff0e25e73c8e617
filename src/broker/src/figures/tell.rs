//! Who is told of an alert, and how: by e-mail, and by a webhook as of Standard Webhooks 1.0.0. Names of figures and numbers, no
//! content and nothing of persons.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::{join, join_all};
use model::outbound::{ChosenBy, Post};
use model::{Failure, ids};
use seal::webhook::SharedSecret;
use serde_json::json;
use store::AlertRow;

use super::alerts::{AlertRule, AlertSeverity};
use super::{SERIES, whole};
use crate::Broker;

/// Longest time for telling one of them.
const WITHIN: Duration = Duration::from_secs(20);

/// Most bytes of an answer.
const ANSWER: usize = 4 * 1024;

/// Carries e-mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a text to one address.
    ///
    /// # Errors
    /// If the mail server does not take it.
    async fn mail(&self, to: &str, subject: &str, text: &str) -> Result<(), Failure>;
}

/// A webhook.
pub struct AlertHook {
    /// Its address.
    pub url: String,
    /// What its calls are signed with.
    pub secret: SharedSecret,
}

impl AlertHook {
    /// Its address without what comes after the host, which may be secret.
    pub(super) fn host(&self) -> String {
        self.url.split(['/', '?', '#']).take(3).collect::<Vec<_>>().join("/")
    }
}

/// Whether somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSent {
    /// The address, or that of the webhook without what comes after its host.
    pub to: String,
    /// Code of what was in the way; absent: it was taken.
    pub code: Option<String>,
}

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Firing,
    Resolved,
    Test,
}

impl Broker {
    /// Tells those whom a rule names, as far as they are among `whom`; all at once, and each has their time and no more.
    pub(super) async fn tell_of(
        &self,
        rule: &AlertRule,
        row: &AlertRow,
        why: Occasion,
        whom: &[String],
    ) -> Vec<AlertSent> {
        let mails = rule.to.iter().filter(|to| whom.contains(to));
        let mails = join_all(mails.map(|to| self.tell_by_mail(rule, row, why, to)));
        let hooks = rule.hook.iter().filter(|hook| whom.contains(&hook.host()));
        let hooks = join_all(hooks.map(|hook| self.tell_by_hook(rule, row, why, hook)));
        let (mut sent, by_hook) = join(mails, hooks).await;
        sent.extend(by_hook);
        for failed in sent.iter().filter(|sent| sent.code.is_some()) {
            tracing::warn!(alert = %rule.id, code = failed.code.as_deref(), "somebody could not be told of an alert");
        }
        sent
    }

    async fn tell_by_mail(&self, rule: &AlertRule, row: &AlertRow, why: Occasion, to: &str) -> AlertSent {
        let outcome = match &self.alerts.mailer {
            None => Err(Failure::permanent("alert.no-mail", "no mail server is configured")),
            Some(mailer) => {
                let (subject, text) = words(&self.parts.node, rule, row, why);
                let late = |_| Failure::transient("alert.late", "the mail server did not answer in time");
                let sent = tokio::time::timeout(WITHIN, mailer.mail(to, &subject, &text)).await;
                sent.map_err(late).and_then(|sent| sent)
            }
        };
        AlertSent { to: to.to_owned(), code: outcome.err().map(|failure| failure.code.to_string()) }
    }

    async fn tell_by_hook(
        &self,
        rule: &AlertRule,
        row: &AlertRow,
        why: Occasion,
        hook: &AlertHook,
    ) -> AlertSent {
        let outcome = self.post_alert(rule, row, why, hook).await;
        AlertSent { to: hook.host(), code: outcome.err().map(|failure| failure.code.to_string()) }
    }

    async fn post_alert(
        &self,
        rule: &AlertRule,
        row: &AlertRow,
        why: Occasion,
        hook: &AlertHook,
    ) -> Result<(), Failure> {
        let kind = match why {
            Occasion::Firing => "firing",
            Occasion::Resolved => "resolved",
            Occasion::Test => "test",
        };
        let data = json!({
            "alert": rule.id, "severity": rule.severity, "series": rule.series, "tenant": row.tenant, "label": row.label,
            "value": whole(row.value), "rule": rule.shown(), "since": row.since, "node": self.parts.node,
        });
        let now = self.now();
        let body = json!({ "type": format!("alert.{kind}"), "timestamp": now, "data": data })
            .to_string()
            .into_bytes();
        let (id, seconds) = (ids::new_id().to_string(), now.micros().div_euclid(1_000_000));
        let unsigned = |_| Failure::permanent("alert.refused", "the call could not be signed");
        let signature = hook.secret.sign(&id, seconds, &body).map_err(unsigned)?;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let post = Post {
            url: hook.url.clone(),
            chosen_by: ChosenBy::Administrator,
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body,
            within: WITHIN,
            most_answer: ANSWER,
        };
        let reply = self.parts.outbound.post(&post).await?;
        match reply.status {
            200..=299 => Ok(()),
            _ => Err(Failure::transient(
                "alert.refused",
                format!("the webhook answered with {}", reply.status),
            )),
        }
    }
}

/// Subject and text, German first.
fn words(node: &str, rule: &AlertRule, row: &AlertRow, why: Occasion) -> (String, String) {
    let (german, english) = match why {
        Occasion::Firing => ("ALARM", "ALERT"),
        Occasion::Resolved => ("Entwarnung", "resolved"),
        Occasion::Test => ("Probealarm", "test"),
    };
    let severity = match rule.severity {
        AlertSeverity::Warning => ("Warnung", "warning"),
        AlertSeverity::Critical => ("dringend", "critical"),
    };
    let series = SERIES.iter().find(|series| series.0 == rule.series);
    let (what, which) =
        series.map_or((rule.series.as_str(), rule.series.as_str()), |series| (series.1, series.2));
    let label = if row.label.is_empty() { String::new() } else { format!(" [{}]", row.label) };
    let subject = format!("Amtsbote {node}: {german} {}{label} ({})", rule.id, severity.0);
    let (value, shown, since) = (whole(row.value), rule.shown(), row.since);
    let tenant = if row.tenant.is_empty() { "-" } else { &row.tenant };
    let text = format!(
        "{german} ({severity_de})\n{what}{label}: {value}\nRegel {id}: {shown}\nMandant: {tenant}\nSeit: {since}\n\n\
         {english} ({severity_en})\n{which}{label}: {value}\nRule {id}: {shown}\nTenant: {tenant}\nSince: {since}\n",
        severity_de = severity.0,
        severity_en = severity.1,
        id = rule.id,
    );
    (subject, text)
}
