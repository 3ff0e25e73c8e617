//! Rules on figures: when a limit is passed for so long, somebody is told, again from time to time, and once it is over. What each rule has
//! seen stands in the store, so that of several nodes one tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::rights::Action;
use model::{Caller, EventKind, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AlertRow, FigureRow, Work};

use super::sample::COUNTED;
use super::tell::{AlertHook, AlertSent, Mailer, Occasion};
use super::{COARSE, MINUTE, thousandths, whole};
use crate::{Broker, Error};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertSeverity {
    /// Somebody should look at it today.
    #[default]
    Warning,
    /// Somebody has to look at it now.
    Critical,
}

/// A rule.
#[derive(Clone)]
pub struct AlertRule {
    /// Its name.
    pub id: String,
    /// The series that it watches.
    pub series: String,
    /// Only of this partner, adapter and so on; absent: of each by itself.
    pub label: Option<String>,
    /// More than this is too much.
    pub above: Option<f64>,
    /// Less than this is too little.
    pub below: Option<f64>,
    /// For how long that must be so.
    pub lasting: Duration,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// Addresses of e-mail.
    pub to: Vec<String>,
    /// A webhook.
    pub hook: Option<Arc<AlertHook>>,
    /// When to tell again; absent: never.
    pub repeat: Option<Duration>,
}

/// The rules of a house, and by whom e-mails go out.
#[derive(Clone, Default)]
pub struct Alerts {
    /// The rules.
    pub rules: Vec<AlertRule>,
    /// Who carries e-mails.
    pub mailer: Option<Arc<dyn Mailer>>,
}

/// How a rule stands, for one label of its series; without a label of any figure if all is well.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertNow {
    /// Name of the rule.
    pub id: String,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// What it watches.
    pub series: String,
    /// Of which partner, adapter and so on.
    pub label: String,
    /// The rule, such as `> 10 (5 min)`.
    pub rule: String,
    /// Whether somebody has to act.
    pub firing: bool,
    /// Since when the limit is passed.
    pub since: Option<Timestamp>,
    /// The last value.
    pub value: Option<f64>,
    /// When somebody was told last.
    pub told_at: Option<Timestamp>,
    /// Code of what kept somebody from being told.
    pub failed: Option<String>,
}

impl AlertRule {
    fn watches(&self, row: &FigureRow) -> bool {
        self.series == row.series && self.label.as_ref().is_none_or(|label| *label == row.label)
    }

    fn is_passed_by(&self, value: i64) -> bool {
        self.above.is_some_and(|limit| value > thousandths(limit))
            || self.below.is_some_and(|limit| value < thousandths(limit))
    }

    /// Everybody whom it names, each as they are named where telling failed.
    pub(super) fn receivers(&self) -> Vec<String> {
        self.to.iter().cloned().chain(self.hook.as_ref().map(|hook| hook.host())).collect()
    }

    /// The rule in signs.
    pub fn shown(&self) -> String {
        let above = self.above.map(|limit| format!("> {limit}"));
        let below = self.below.map(|limit| format!("< {limit}"));
        let limits: Vec<String> = above.into_iter().chain(below).collect();
        format!("{} ({} min)", limits.join(", "), self.lasting.as_secs() / 60)
    }
}

impl Broker {
    /// The same with alerts. Before it is cloned.
    pub fn with_alerts(self, alerts: Alerts) -> Self {
        Broker { alerts: Arc::new(alerts), ..self }
    }

    /// How the rules stand: of each what passes its limit in the caller's tenant or the whole house, or that all is well.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may operate the whole tenant.
    pub async fn alerts(&self, caller: &Caller) -> Result<Vec<AlertNow>, Error> {
        let scope = caller.may(Action::Operate)?;
        if !scope.is_whole() {
            return Err(model::Error::Forbidden.into());
        }
        let rows = self.store().alert_rows().await?;
        let mut shown = vec![];
        for rule in &self.alerts.rules {
            let own = |row: &&AlertRow| {
                row.rule == rule.id && (row.tenant.is_empty() || row.tenant == scope.tenant)
            };
            let before = shown.len();
            shown.extend(rows.iter().filter(own).map(|row| now(rule, Some(row))));
            if shown.len() == before {
                shown.push(now(rule, None));
            }
        }
        Ok(shown)
    }

    /// Tells those whom a rule names that this is a test.
    ///
    /// # Errors
    /// `NotFound` if there is no such rule; `Forbidden` unless the caller may operate the whole tenant.
    pub async fn test_alert(&self, caller: &Caller, id: &str) -> Result<Vec<AlertSent>, Error> {
        let scope = caller.may(Action::Operate)?;
        if !scope.is_whole() {
            return Err(model::Error::Forbidden.into());
        }
        let rule = self.alerts.rules.iter().find(|rule| rule.id == id);
        let rule = rule.ok_or(model::Error::NotFound { kind: "alert" })?;
        let label = rule.label.clone().unwrap_or_default();
        let row = begun(rule, (String::new(), label), 0, self.now());
        let sent = self.tell_of(rule, &row, Occasion::Test, &rule.receivers()).await;
        let failed = sent.iter().filter(|sent| sent.code.is_some()).count();
        let detail = json!({ "alert": rule.id, "told": sent.len() - failed, "failed": failed });
        let mut work = Work::new();
        work.insert_event(&self.audit(&scope.tenant, EventKind::AlertTested, &caller.actor, detail));
        self.store().commit(work).await?;
        Ok(sent)
    }

    /// Looks at all rules with what is known now.
    pub(super) async fn look_at_alerts(&self, figures: &[FigureRow]) -> Result<(), Error> {
        let kept = self.store().alert_rows().await?;
        let mut kept: BTreeMap<(String, String, String), AlertRow> = kept
            .into_iter()
            .map(|row| ((row.rule.clone(), row.tenant.clone(), row.label.clone()), row))
            .collect();
        let mut look = Look::default();
        for rule in &self.alerts.rules {
            for figure in figures.iter().filter(|row| rule.watches(row) && rule.is_passed_by(watched(row))) {
                let key = (rule.id.clone(), figure.tenant.clone(), figure.label.clone());
                let known = kept.remove(&key);
                self.passes(rule, seen(rule, figure, known, self.now()), &mut look).await?;
            }
        }
        // What is left does not pass its limit any more, or nobody asks for it.
        for row in kept.into_values() {
            match self.alerts.rules.iter().find(|rule| rule.id == row.rule) {
                Some(rule) => self.passes_not(rule, row, figures, &mut look).await?,
                None => self.store().end_alert(&row).await?,
            }
        }
        self.tell_again(look.again).await
    }

    async fn passes<'a>(
        &self,
        rule: &'a AlertRule,
        mut row: AlertRow,
        look: &mut Look<'a>,
    ) -> Result<(), Error> {
        let now = self.now();
        row.firing |= row.since.plus(rule.lasting) <= now;
        let is_first = row.firing && row.told_at.is_none();
        let is_free = !is_called(&row, now);
        if !is_first && is_free && (is_due_again(rule, &row, now) || !row.waiting.is_empty()) {
            look.again.push((rule, row));
            return Ok(());
        }
        if !is_first || !is_free || !look.first.take(rule, MOST_TOLD) {
            self.store().put_alert(&mut row).await?;
            return Ok(());
        }
        tracing::warn!(alert = %rule.id, label = %row.label, "an alert fires");
        (row.told_at, row.waiting) = (Some(now), rule.receivers());
        self.tell_waiting(rule, &mut row, Occasion::Firing).await?;
        Ok(())
    }

    async fn passes_not<'a>(
        &self,
        rule: &'a AlertRule,
        row: AlertRow,
        figures: &[FigureRow],
        look: &mut Look<'a>,
    ) -> Result<(), Error> {
        let now = self.now();
        match self.unpassed(rule, &row, figures).await? {
            Unpassed::Silent => return self.passes(rule, AlertRow { value: 0, ..row }, look).await,
            Unpassed::Unknown if row.waiting.is_empty() || is_called(&row, now) => return Ok(()),
            Unpassed::Unknown => {
                look.again.push((rule, row));
                return Ok(());
            }
            Unpassed::Over => {}
        }
        if row.told_at.is_none() {
            // Nobody was told that it had begun.
            return Ok(self.store().end_alert(&row).await?);
        }
        if is_called(&row, now) {
            return Ok(());
        }
        if row.over_at.is_some() {
            look.again.push((rule, row));
            return Ok(());
        }
        if !look.first.take(rule, MOST_TOLD) {
            return Ok(());
        }
        tracing::info!(alert = %rule.id, label = %row.label, "an alert is over");
        let row = AlertRow { over_at: Some(now), waiting: rule.receivers(), ..row };
        self.tell_over(rule, row).await
    }

    /// Why a label that a rule has seen does not pass its limit just now.
    async fn unpassed(
        &self,
        rule: &AlertRule,
        row: &AlertRow,
        figures: &[FigureRow],
    ) -> Result<Unpassed, Error> {
        let found = without_figure(rule, row, figures);
        if found != Unpassed::Silent {
            return Ok(found);
        }
        let since = self.now().micros().saturating_sub(i64::try_from(COARSE.as_micros()).unwrap_or(i64::MAX));
        match self.has_messages(&row.tenant, &row.label, Some(Timestamp::from_micros(since))).await? {
            true => Ok(Unpassed::Silent),
            false => Ok(Unpassed::Over),
        }
    }

    /// Tells those who could not be told, and those who shall hear it again: who was tried longest ago comes first. Their turns are their
    /// own, so that a receiver that always fails keeps nobody from hearing of something new.
    async fn tell_again(&self, mut again: Vec<(&AlertRule, AlertRow)>) -> Result<(), Error> {
        again.sort_by_key(|(_, row)| row.tried_at);
        let mut turns = Turns::default();
        for (rule, mut row) in again {
            match (turns.take(rule, MOST_AGAIN), row.over_at) {
                (true, Some(_)) => self.tell_over(rule, row).await?,
                (false, Some(_)) => {}
                (false, None) => {
                    self.store().put_alert(&mut row).await?;
                }
                (true, None) => {
                    if is_due_again(rule, &row, self.now()) {
                        tracing::warn!(alert = %rule.id, label = %row.label, "an alert still fires");
                        (row.told_at, row.waiting) = (Some(self.now()), rule.receivers());
                    }
                    self.tell_waiting(rule, &mut row, Occasion::Firing).await?;
                }
            }
        }
        Ok(())
    }

    async fn tell_over(&self, rule: &AlertRule, mut row: AlertRow) -> Result<(), Error> {
        let is_ours = self.tell_waiting(rule, &mut row, Occasion::Resolved).await?;
        let is_late = row.over_at.is_some_and(|over| over.plus(GIVE_UP) <= self.now());
        if is_ours && (is_late || row.waiting.is_empty()) {
            self.store().end_alert(&row).await?;
        }
        Ok(())
    }

    /// Tells those who still have to be told; who could not be stays noted. `false` if another node does it.
    async fn tell_waiting(&self, rule: &AlertRule, row: &mut AlertRow, why: Occasion) -> Result<bool, Error> {
        // Before anybody is called: a node that comes meanwhile leaves it alone, and one that was here before is found out.
        row.tried_at = Some(self.now());
        if !self.store().put_alert(row).await? {
            return Ok(false);
        }
        let sent = self.tell_of(rule, row, why, &row.waiting).await;
        row.code = sent.iter().find_map(|sent| sent.code.clone());
        row.waiting = sent.into_iter().filter(|sent| sent.code.is_some()).map(|sent| sent.to).collect();
        Ok(self.store().put_alert(row).await?)
    }
}

/// Of one rule, how many labels are told of for the first time in one look, that it begins or that it is over; the others have their turn
/// in the next: what a whole network that fails leads to goes out bit by bit.
const MOST_TOLD: usize = 20;

/// Of one rule, how many labels are told of once more in one look.
const MOST_AGAIN: usize = 10;

/// After this time nobody tries any more to tell that something is over.
const GIVE_UP: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Of each rule, how many labels were told of in one look.
#[derive(Default)]
struct Turns<'a>(BTreeMap<&'a str, usize>);

impl<'a> Turns<'a> {
    /// Takes one of a rule's turns, if there is one left.
    fn take(&mut self, rule: &'a AlertRule, most: usize) -> bool {
        let taken = self.0.entry(&rule.id).or_default();
        let has_one = *taken < most;
        *taken += usize::from(has_one);
        has_one
    }
}

/// One look at all rules.
#[derive(Default)]
struct Look<'a> {
    /// Who is told for the first time.
    first: Turns<'a>,
    /// What is told again once nothing new is left.
    again: Vec<(&'a AlertRule, AlertRow)>,
}

/// Why a label that a rule has seen does not pass its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unpassed {
    /// All is well, or nobody asks for it any more.
    Over,
    /// Its figure is not known just now: the rule stands as it did.
    Unknown,
    /// It has no figure because nothing came: that is nought, and passes the limit.
    Silent,
}

/// What the figures of a look say of a label that a rule has seen and that does not pass its limit; whoever is silent may have left.
fn without_figure(rule: &AlertRule, row: &AlertRow, figures: &[FigureRow]) -> Unpassed {
    let series = rule.series.as_str();
    let is_watched = rule.label.as_ref().is_none_or(|label| *label == row.label);
    let of_series: Vec<&FigureRow> = figures.iter().filter(|it| it.series == series).collect();
    let labels: Vec<&str> =
        of_series.iter().filter(|it| it.tenant == row.tenant).map(|it| it.label.as_str()).collect();
    if !is_watched || row.over_at.is_some() || labels.contains(&row.label.as_str()) {
        return Unpassed::Over;
    }
    let is_counted = COUNTED.contains(&series);
    let is_unknown = match (series, row.label.as_str()) {
        ("disk.free", "") | ("delivery.p50" | "delivery.p95", "in" | "out") => true,
        // Nobody counted; or it is one of those for whom there is one line together.
        _ => is_counted && (of_series.is_empty() || labels.contains(&"other")),
    };
    if is_unknown {
        return Unpassed::Unknown;
    }
    // Of a partner that the rule names there would be a figure; a tenant without any is none of the house any more.
    match !is_counted || rule.label.is_some() || labels.is_empty() || !rule.is_passed_by(0) {
        true => Unpassed::Over,
        false => Unpassed::Silent,
    }
}

/// Whether those who know shall hear it once more.
fn is_due_again(rule: &AlertRule, row: &AlertRow, now: Timestamp) -> bool {
    let Some((told, pause)) = row.told_at.zip(rule.repeat) else { return false };
    row.firing && told.plus(pause) <= now
}

/// Whether somebody is called just now, by this node or another: each call has its time, which is shorter.
fn is_called(row: &AlertRow, now: Timestamp) -> bool {
    row.tried_at.is_some_and(|tried| now < tried.plus(MINUTE))
}

/// The value that rules are about: of what is counted, how much a minute, however long nobody counted.
fn watched(row: &FigureRow) -> i64 {
    let minutes = row.span as f64 / 60e6;
    if row.span > 0 { thousandths(whole(row.value) / minutes) } else { row.value }
}

/// What a rule has seen of a figure that passes its limit.
fn seen(rule: &AlertRule, figure: &FigureRow, known: Option<AlertRow>, now: Timestamp) -> AlertRow {
    let (value, place) = (watched(figure), (figure.tenant.clone(), figure.label.clone()));
    match known {
        // It was over: this is another one.
        Some(before) if before.over_at.is_some() => {
            AlertRow { version: before.version, ..begun(rule, place, value, now) }
        }
        Some(row) => AlertRow { value, ..row },
        None => begun(rule, place, value, now),
    }
}

/// What a rule has seen of a tenant and a label for the first time.
fn begun(rule: &AlertRule, (tenant, label): (String, String), value: i64, now: Timestamp) -> AlertRow {
    AlertRow {
        rule: rule.id.clone(),
        tenant,
        label,
        since: now,
        value,
        firing: false,
        told_at: None,
        tried_at: None,
        over_at: None,
        waiting: vec![],
        code: None,
        version: 0,
    }
}

fn now(rule: &AlertRule, row: Option<&AlertRow>) -> AlertNow {
    AlertNow {
        id: rule.id.clone(),
        severity: rule.severity,
        series: rule.series.clone(),
        label: row.map(|row| row.label.clone()).or_else(|| rule.label.clone()).unwrap_or_default(),
        rule: rule.shown(),
        firing: row.is_some_and(|row| row.firing && row.over_at.is_none()),
        since: row.map(|row| row.since),
        value: row.map(|row| whole(row.value)),
        told_at: row.and_then(|row| row.told_at),
        failed: row.and_then(|row| row.code.clone()),
    }
}
