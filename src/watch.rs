//! What is watched, as it is configured: rules of alerts with their receivers, certificates whose ends are near, and weak ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_post::out::Teller;
use async_trait::async_trait;
use broker::{AlertHook, AlertRule, Alerts, CertificateEnd, CertificateOf, Mailer, WeakCertificate};
use config::{Config, NamedCertificate};
use model::outbound::ChosenBy;
use model::{Authority, Failure, Timestamp};
use net::Egress;
use seal::webhook::SharedSecret;
use seal::x509::Certificate;

use crate::error::Error;

/// E-mails by an adapter's server.
struct ByMail(Teller);

#[async_trait]
impl Mailer for ByMail {
    async fn mail(&self, to: &str, subject: &str, text: &str) -> Result<(), Failure> {
        self.0.tell(to, subject, text).await
    }
}

/// The rules, with their secrets.
///
/// # Errors
/// If a secret cannot be read or used, or a webhook must not be called.
pub(crate) fn alerts(config: &Config, teller: Option<Teller>) -> Result<Alerts, Error> {
    let mut rules = vec![];
    let egress = Egress::new(&config.egress.allow)?;
    for (index, rule) in config.alert_rules.iter().enumerate() {
        let hook = match (&rule.webhook, &rule.webhook_secret) {
            (Some(url), Some(reference)) => {
                // As when it is called: nobody may learn only then that plain HTTP goes to listed hosts alone.
                let refused = |why: net::Error| config.alert_refused(index, &why.to_string());
                egress.check(url, ChosenBy::Administrator).map_err(refused)?;
                let secret = SharedSecret::parse(&config.alert_secret(index, reference)?)?;
                Some(Arc::new(AlertHook { url: url.clone(), secret }))
            }
            _ => None,
        };
        rules.push(AlertRule {
            id: rule.id.clone(),
            series: rule.series.clone(),
            label: rule.label.clone(),
            above: rule.above,
            below: rule.below,
            lasting: Duration::from_secs(60 * u64::from(rule.for_minutes)),
            severity: rule.severity,
            to: rule.to.clone(),
            hook,
            repeat: rule.repeat_hours.map(|hours| Duration::from_secs(3_600 * u64::from(hours))),
        });
    }
    let mailer = teller.map(|teller| Arc::new(ByMail(teller)) as Arc<dyn Mailer>);
    Ok(Alerts { rules, mailer })
}

/// Certificates of ours and of ways to others, and when they end: of several of one name the first end.
///
/// # Errors
/// If a key pair cannot be read.
pub(crate) fn certificates<'a>(
    config: &Config,
    ways: impl Iterator<Item = ((Authority, &'a str), Timestamp)>,
) -> Result<Vec<CertificateEnd>, Error> {
    let way = |((authority, transport), until): ((Authority, &str), Timestamp)| CertificateEnd {
        name: format!("{authority} {transport}"),
        until,
        of: CertificateOf::Way,
    };
    let mut ends: Vec<CertificateEnd> = ways.map(way).collect();
    let end =
        |certificate: &Certificate| Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000));
    if let Some(identity) = config.tls_identity()? {
        let (name, until) = ("tls".to_owned(), end(identity.certificate()));
        ends.push(CertificateEnd { name, until, of: CertificateOf::KeyPair(None) });
    }
    let mut others: BTreeMap<String, (Timestamp, Option<String>)> = BTreeMap::new();
    for it in named(config).into_iter().filter(|it| it.is_own && it.name != "tls identity") {
        let until = end(&it.certificate);
        let first = others.entry(it.name).or_insert((until, it.tenant));
        first.0 = until.min(first.0);
    }
    others.retain(|name, _| ends.iter().all(|known| known.name != *name));
    let other = |(name, (until, tenant))| CertificateEnd { name, until, of: CertificateOf::KeyPair(tenant) };
    ends.extend(others.into_iter().map(other));
    Ok(ends)
}

/// What the configuration names. Whatever cannot be read stops whoever needs it, but no command that does without.
fn named(config: &Config) -> Vec<NamedCertificate> {
    config.named_certificates().unwrap_or_else(|error| {
        tracing::warn!(
            code = error.code(),
            "nobody looks at certificates of the configuration: not all can be read"
        );
        vec![]
    })
}

/// Certificates that are too weak, of all that the configuration names.
///
/// # Errors
/// If one is damaged.
pub(crate) fn weak_certificates(config: &Config) -> Result<Vec<WeakCertificate>, Error> {
    let mut weak = vec![];
    for it in named(config) {
        weak.extend(WeakCertificate::of(it.tenant.as_deref(), &it.name, &it.certificate)?);
    }
    Ok(weak)
}
