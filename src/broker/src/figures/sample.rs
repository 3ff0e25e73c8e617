//! One sample of everything that is watched.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Scope, Timestamp};
use store::{BreakerState, Counted, FigureRow, MessageFilter, Page};

use super::counters::{self, DeliveryTimes};
use super::{MINUTE, SETTLED, thousandths};
use crate::{Broker, Error};

/// What is counted; all others are how things stand.
pub(super) const COUNTED: [&str; 2] = ["messages.in", "messages.out"];

/// Labels of one series and tenant.
const LABELS: usize = 100;

static BEFORE: Mutex<Option<[DeliveryTimes; 2]>> = Mutex::new(None);

/// Rows of one moment.
struct Sample {
    at: Timestamp,
    /// From when until before when messages are counted.
    span: Option<(Timestamp, Timestamp)>,
    rows: BTreeMap<(String, &'static str, String), f64>,
}

impl Sample {
    fn put(&mut self, tenant: &str, series: &'static str, label: &str, value: f64) {
        self.rows.insert((tenant.to_owned(), series, label.to_owned()), value);
    }

    fn add(&mut self, tenant: &str, series: &'static str, label: &str, value: f64) {
        *self.rows.entry((tenant.to_owned(), series, label.to_owned())).or_default() += value;
    }

    fn most(&mut self, tenant: &str, series: &'static str, label: &str, value: f64) {
        let known = self.rows.entry((tenant.to_owned(), series, label.to_owned())).or_default();
        *known = known.max(value);
    }
}

impl Broker {
    /// Figures of now, and what was counted for them: from the end of the count before, however long ago that is, until a moment ago.
    pub(super) async fn sample(&self) -> Result<(Vec<FigureRow>, Option<Counted>), Error> {
        let now = self.now();
        let (after, until) = (self.store().counted_until().await?, minus(now, SETTLED));
        let from = after.unwrap_or(minus(until, MINUTE));
        // A clock that was set back has nothing to count until it is there again.
        let span = (from < until).then_some((from, until));
        let mut sample = Sample { at: now, span, rows: BTreeMap::new() };
        self.sample_messages(&mut sample).await?;
        self.sample_lanes(&mut sample).await?;
        for (tenant, adapter, state, count) in self.store().channel_counts().await? {
            let series = if state == "parked" { "adapters.parked" } else { "adapters.waiting" };
            sample.put(&tenant, series, &adapter, count as f64);
        }
        let before =
            BEFORE.lock().unwrap_or_else(PoisonError::into_inner).replace(counters::times().map(|it| it.1));
        for ((direction, times), before) in counters::times().into_iter().zip(before.unwrap_or_default()) {
            let since = times.since(&before);
            for (series, share) in [("delivery.p50", 0.5), ("delivery.p95", 0.95)] {
                if let Some(seconds) = since.quantile(share) {
                    sample.put("", series, direction, seconds);
                }
            }
        }
        if let Some(free) = self.pressure().disk_free {
            sample.put("", "disk.free", "", free as f64);
        }
        sample.put("", "certificates.weak", "", self.weak_certificates().len() as f64);
        for certificate in self.certificates() {
            let left = certificate.until.micros().saturating_sub(now.micros()) as f64 / 86_400e6;
            sample.put("", "certificates.days", &certificate.name, left.floor());
        }
        Ok((sample.finish(), span.map(|_| Counted { after, until })))
    }

    async fn sample_messages(&self, sample: &mut Sample) -> Result<(), Error> {
        let tenants: Vec<String> = self.house().tenants().map(|tenant| tenant.id.clone()).collect();
        for tenant in &tenants {
            let counted = if sample.span.is_some() { COUNTED.as_slice() } else { &[] };
            for series in counted.iter().chain(&["messages.parked", "messages.oldest"]).copied() {
                sample.put(tenant, series, "", 0.0);
            }
        }
        if sample.span.is_some() {
            self.sample_silence(sample, &tenants).await?;
        }
        let counts = match sample.span {
            Some((from, until)) => self.store().messages_between(from, until).await?,
            None => vec![],
        };
        let mut labels: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for (tenant, partner, comes_in, count) in counts {
            let series = if comes_in { "messages.in" } else { "messages.out" };
            let known = labels.entry((tenant.clone(), comes_in)).or_default();
            *known += 1;
            let has_line = *known <= LABELS || self.is_named(series, &partner);
            let label = if has_line { partner.as_str() } else { "other" };
            sample.add(&tenant, series, label, count as f64);
            sample.add(&tenant, series, "", count as f64);
        }
        for (tenant, state, count) in self.store().unfinished_counts().await? {
            if state == "parked" {
                sample.put(&tenant, "messages.parked", "", count as f64);
            }
        }
        Ok(())
    }

    /// Who sends nothing has no line among what was counted; a rule that names this partner has to see that.
    async fn sample_silence(&self, sample: &mut Sample, tenants: &[String]) -> Result<(), Error> {
        for rule in &self.alerts.rules {
            let series = COUNTED.into_iter().find(|series| *series == rule.series);
            let Some((series, label)) = series.zip(rule.label.as_ref()) else { continue };
            for tenant in tenants {
                // Of several tenants only some deal with this partner.
                if tenants.len() == 1 || self.has_messages(tenant, label, None).await? {
                    sample.put(tenant, series, label, 0.0);
                }
            }
        }
        Ok(())
    }

    fn is_named(&self, series: &str, label: &str) -> bool {
        self.alerts.rules.iter().any(|rule| rule.series == series && rule.label.as_deref() == Some(label))
    }

    /// Whether a message of a partner is known here, or one that came since then.
    pub(super) async fn has_messages(
        &self,
        tenant: &str,
        partner: &str,
        since: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let partner = Some(partner.to_owned());
        let filter = MessageFilter { partner, since, newest: true, ..MessageFilter::default() };
        let found = self.store().messages(&Scope::tenant(tenant), &filter, &Page::first(1)).await?;
        Ok(!found.items.is_empty())
    }

    async fn sample_lanes(&self, sample: &mut Sample) -> Result<(), Error> {
        let stats = self.stats().await?;
        sample.put("", "events.unsealed", "", stats.unsealed_events as f64);
        for lane in &stats.lanes {
            let breaker = match lane.breaker.state {
                BreakerState::Closed => 0.0,
                BreakerState::HalfOpen => 1.0,
                BreakerState::Open => 2.0,
            };
            if let Some(adapter) = lane.adapter().filter(|_| breaker > 0.0) {
                sample.most(&lane.tenant, "adapters.failing", adapter, breaker);
            }
            let Some(partner) = lane.lane.strip_prefix("to:") else { continue };
            let age =
                |since: Timestamp| sample.at.micros().saturating_sub(since.micros()).max(0) as f64 / 1e6;
            let age = lane.oldest.map_or(0.0, age);
            sample.most(&lane.tenant, "messages.oldest", "", age);
            // A house knows hundreds of partners; of those where all is well nothing is noted.
            for (series, value) in [("messages.oldest", age), ("breaker", breaker)] {
                if value > 0.0 {
                    sample.put(&lane.tenant, series, partner, value);
                }
            }
        }
        Ok(())
    }
}

impl Sample {
    fn finish(self) -> Vec<FigureRow> {
        let (now, span) = (self.at, self.span);
        let row = |((tenant, series, label), value): ((String, &'static str, String), f64)| {
            let (at, span) = match span.filter(|_| COUNTED.contains(&series)) {
                Some((from, until)) => (from, until.micros() - from.micros()),
                None => (now, 0),
            };
            FigureRow { tenant, series: series.to_owned(), label, at, span, value: thousandths(value) }
        };
        self.rows.into_iter().map(row).collect()
    }
}

fn minus(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(at.micros() - i64::try_from(by.as_micros()).unwrap_or(0))
}
