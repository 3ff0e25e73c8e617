//! Figures over time, and alerts on them. Once a minute one node notes how everything stands and looks at the rules; nothing waits for it.

mod alerts;
pub(crate) mod counters;
mod sample;
mod tell;

use std::time::Duration;

use model::rights::Action;
use model::{Caller, Timestamp};
use seal::algorithm::Policy;
use seal::x509::Certificate;
use tokio::sync::watch;

use crate::{Broker, Error};

pub use alerts::{AlertNow, AlertRule, AlertSeverity, Alerts};
pub use counters::{DELIVERY_SECONDS, DeliveryTimes, MessageCount};
pub use tell::{AlertHook, AlertSent, Mailer};

/// Series of figures, each with what it is: German and English.
pub const SERIES: &[(&str, &str, &str)] = &[
    ("messages.in", "Eingegangene Nachrichten je Minute", "Messages in, a minute"),
    ("messages.out", "Ausgegangene Nachrichten je Minute", "Messages out, a minute"),
    ("messages.parked", "Klärungsfälle", "Parked messages"),
    (
        "messages.oldest",
        "Alter der ältesten unzugestellten Nachricht (s)",
        "Age of the oldest undelivered message (s)",
    ),
    ("delivery.p50", "Annahme bis Zustellung, Median (s)", "Acceptance to delivery, median (s)"),
    ("delivery.p95", "Annahme bis Zustellung, 95 % (s)", "Acceptance to delivery, 95 % (s)"),
    ("adapters.waiting", "Wartende Meldungen an Adapter", "Deliveries to adapters that wait"),
    ("adapters.parked", "Geparkte Meldungen an Adapter", "Deliveries to adapters that are parked"),
    (
        "adapters.failing",
        "Gestörte Adapter (1 halb offen, 2 offen)",
        "Adapters that fail (1 half open, 2 open)",
    ),
    ("breaker", "Unterbrecher (0 zu, 1 halb offen, 2 offen)", "Breakers (0 closed, 1 half open, 2 open)"),
    ("disk.free", "Freier Speicher (Bytes)", "Free disk (bytes)"),
    ("events.unsealed", "Ungesiegelte Ereignisse", "Events that are not sealed"),
    (
        "certificates.weak",
        "Zertifikate mit schwachen Schlüsseln oder Signaturen",
        "Certificates with weak keys or signatures",
    ),
    ("certificates.days", "Restlaufzeit von Zertifikaten (Tage)", "Days that certificates still hold"),
];

/// Pause between two samples.
const MINUTE: Duration = Duration::from_secs(60);

/// How long after it was made the id of a message may still be committed: a commit waits at most five seconds for its turn.
const SETTLED: Duration = Duration::from_secs(15);

/// Pause between two looks whether it is time.
const LOOK: Duration = Duration::from_secs(10);

/// How long values of each minute are kept, and those of each hour.
const FINE: Duration = Duration::from_secs(2 * 24 * 3_600);
const COARSE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A value at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Of which partner, adapter and so on; empty: of the whole.
    pub label: String,
    /// When; of what is counted, from when on.
    pub at: Timestamp,
    /// How long was counted; zero: it is how things stood then.
    pub span: Duration,
    /// The value.
    pub value: f64,
}

/// A certificate of ours, or of a way to somebody, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnd {
    /// Whose it is: a place in the configuration, or authority and transport.
    pub name: String,
    /// When it ends.
    pub until: Timestamp,
    /// What it is of.
    pub of: CertificateOf,
}

/// What a certificate is of whose end is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateOf {
    /// A way between authorities; [`Broker::certificate_ends`] tells of these by authority.
    Way,
    /// A key pair of the house that stands on no such way: of this tenant alone, or (absent) of the whole house.
    KeyPair(Option<String>),
}

/// A certificate whose key or signature is weaker than the policy of algorithms takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakCertificate {
    /// The only tenant that it concerns; absent: the whole house.
    pub tenant: Option<String>,
    /// Whose it is: a place in the configuration, or authority and transport.
    pub name: String,
    /// Name of its holder (RFC 2253).
    pub subject: String,
    /// What is weak, such as `RSA 2048 bit`.
    pub why: Vec<String>,
}

impl WeakCertificate {
    /// That a certificate is one; `None` if it is strong enough.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn of(
        tenant: Option<&str>,
        name: &str,
        certificate: &Certificate,
    ) -> Result<Option<Self>, seal::Error> {
        let why = certificate.weaknesses(&Policy::default())?;
        if why.is_empty() {
            return Ok(None);
        }
        let (tenant, name) = (tenant.map(str::to_owned), name.to_owned());
        Ok(Some(WeakCertificate { tenant, name, subject: certificate.subject()?, why }))
    }
}

impl Broker {
    /// The same with certificates of the configuration that are too weak. Before it is cloned.
    pub fn with_weak_certificates(self, weak: Vec<WeakCertificate>) -> Self {
        Broker { weak_certificates: std::sync::Arc::new(weak), ..self }
    }

    /// Certificates of the configuration that are too weak.
    pub fn weak_certificates(&self) -> &[WeakCertificate] {
        &self.weak_certificates
    }

    /// The same with certificates whose ends are watched. Before it is cloned.
    pub fn with_certificates(self, certificates: Vec<CertificateEnd>) -> Self {
        Broker { certificates: std::sync::Arc::new(certificates), ..self }
    }

    /// Certificates whose ends are watched.
    pub fn certificates(&self) -> &[CertificateEnd] {
        &self.certificates
    }

    /// Values of a series from a time on until before another: of the caller's tenant and of the whole house, in the order of time. Kept
    /// are those of each minute for two days, then for thirty one of each hour: of `messages.in` and `messages.out` the sum, else the
    /// highest. Those two are counted in spans that follow each other without a gap: a minute, or as long as nobody counted.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may operate the whole tenant.
    pub async fn figures(
        &self,
        caller: &Caller,
        series: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Figure>, Error> {
        let scope = caller.may(Action::Operate)?;
        if !scope.is_whole() {
            return Err(model::Error::Forbidden.into());
        }
        let rows = self.store().figures(&scope.tenant, series, from, to).await?;
        let figure = |row: store::FigureRow| Figure {
            label: row.label,
            at: row.at,
            span: Duration::from_micros(u64::try_from(row.span).unwrap_or(0)),
            value: whole(row.value),
        };
        Ok(rows.into_iter().map(figure).collect())
    }

    /// Notes figures and looks at the alerts if it is time and no other node does. The workers do this; for tests and tools without them.
    ///
    /// # Errors
    /// If the store cannot be asked. Whoever cannot be told of an alert is told later.
    pub async fn figures_due(&self) -> Result<bool, Error> {
        if !self.store().claim_turn("figures", self.now(), MINUTE).await? {
            return Ok(false);
        }
        let (rows, counted) = self.sample().await?;
        if !self.store().put_figures(&rows, counted).await? {
            return Ok(false);
        }
        self.look_at_alerts(&rows).await?;
        if self.store().claim_turn("thin", self.now(), Duration::from_secs(3_600)).await? {
            let ago = |age: Duration| {
                let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
                Timestamp::from_micros(self.now().micros().saturating_sub(micros))
            };
            self.store().thin_figures(ago(COARSE), ago(FINE)).await?;
        }
        Ok(true)
    }
}

/// Notes figures until the workers stop.
pub(crate) async fn keep_figures(broker: Broker, mut stopped: watch::Receiver<bool>) {
    let noting = async {
        loop {
            if let Err(error) = broker.figures_due().await {
                tracing::error!(code = error.code(), "figures could not be noted");
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = noting => {}
    }
}

/// Thousandths, as they are kept.
#[allow(clippy::cast_possible_truncation, reason = "saturates, and figures are no amounts")]
pub(crate) fn thousandths(value: f64) -> i64 {
    (value * 1_000.0) as i64
}

pub(crate) fn whole(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}
