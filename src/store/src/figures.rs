//! How figures went: one value a minute, one an hour of what is older; and what rules of alerts have seen. Whose turn it is stands in one
//! row, so that several nodes note and tell once together.

use std::time::Duration;

use model::Timestamp;

use crate::sql::{Expect, Row, Select, Step, Value};
use crate::unit::Unit;
use crate::{Error, Store};

/// A value at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureRow {
    /// Tenant; empty: of the whole house.
    pub tenant: String,
    /// What it is a figure of.
    pub series: String,
    /// Of which partner, adapter and so on; empty: of the whole.
    pub label: String,
    /// When; of what is counted, from when on.
    pub at: Timestamp,
    /// How long was counted, in microseconds; 0: it is how things stood then.
    pub span: i64,
    /// Thousandths.
    pub value: i64,
}

/// A span of time in which messages were counted: from its begin on, until before its end. The next one begins where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// End of the one before; absent: it is the first.
    pub after: Option<Timestamp>,
    /// Its end.
    pub until: Timestamp,
}

/// What a rule has seen of one label.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// The rule.
    pub rule: String,
    /// Tenant; empty: the whole house.
    pub tenant: String,
    /// Of which partner, adapter and so on.
    pub label: String,
    /// Since when the limit is passed.
    pub since: Timestamp,
    /// The last value; thousandths.
    pub value: i64,
    /// Whether it is so for as long as the rule wants.
    pub firing: bool,
    /// When it was told last.
    pub told_at: Option<Timestamp>,
    /// When somebody was called last, whatever came of it.
    pub tried_at: Option<Timestamp>,
    /// Since when all is well, while somebody still has to be told so.
    pub over_at: Option<Timestamp>,
    /// Who still has to be told.
    pub waiting: Vec<String>,
    /// Why telling failed last.
    pub code: Option<String>,
    /// Counts the changes; 0 of what was never kept.
    pub version: u64,
}

/// Most rows of one statement.
const TOGETHER: usize = 200;

/// Most values of one answer.
const MOST: u32 = 50_000;

const HOUR: i64 = 3_600_000_000;

impl Store {
    /// Takes the turn of this name for the time `every`: `false` if it is not due, or another node has it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_turn(&self, name: &str, now: Timestamp, every: Duration) -> Result<bool, Error> {
        let claim = Select::new("INSERT INTO figure_clock (name, due_at) VALUES (")
            .bind(name)
            .sql(", ")
            .bind(now.plus(every))
            .sql(") ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE figure_clock.due_at <= ")
            .bind(now)
            .sql(" RETURNING due_at");
        Ok(!self.db().commit_returning(claim, "clock").await?.is_empty())
    }

    /// Until when messages are counted.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn counted_until(&self) -> Result<Option<Timestamp>, Error> {
        let select = Select::new("SELECT due_at FROM figure_clock WHERE name = 'counted'");
        self.db().read_one(select).await?.map(|row| row.time(0)).transpose()
    }

    /// Keeps values, and until when messages are counted with them: both or nothing, so that no message is counted twice or left out,
    /// whatever breaks off. `false`, and nothing is kept, if another node was faster. Of two values at the same moment the first stays.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_figures(&self, rows: &[FigureRow], counted: Option<Counted>) -> Result<bool, Error> {
        let mut steps: Vec<Step> = counted.map(counts).into_iter().collect();
        for some in rows.chunks(TOGETHER) {
            let mut insert =
                Select::new("INSERT INTO figure (tenant, series, label, at, span, value) VALUES ");
            for (index, row) in some.iter().enumerate() {
                insert = insert.sql(if index == 0 { "(" } else { ", (" });
                insert = insert.bind(row.tenant.as_str()).sql(", ").bind(row.series.as_str()).sql(", ");
                insert = insert.bind(row.label.as_str()).sql(", ").bind(row.at).sql(", ");
                insert = insert.bind(row.span).sql(", ").bind(row.value).sql(")");
            }
            steps.push(insert.sql(" ON CONFLICT DO NOTHING").step("figure", Expect::Any));
        }
        match self.db().commit(Unit::Steps(steps)).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets values before `first`, and puts those before `coarse` together to one for each hour: counts and their spans are added up,
    /// of the rest the highest stays.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn thin_figures(&self, first: Timestamp, coarse: Timestamp) -> Result<(), Error> {
        let old = Step::new("DELETE FROM figure WHERE at < $1", vec![first.into()], "figure", Expect::Any);
        // Whole hours: each is put together from its own first value on.
        let from = coarse.micros() - 30 * HOUR;
        let from = Timestamp::from_micros(from - from.rem_euclid(HOUR));
        let args = || vec![coarse.into(), from.into(), HOUR.into()];
        let together = Step::new(
            "UPDATE figure SET (value, span) = (SELECT CAST(CASE WHEN figure.series IN ('messages.in', 'messages.out') \
             THEN sum(it.value) ELSE max(it.value) END AS BIGINT), CAST(sum(it.span) AS BIGINT) FROM figure AS it \
             WHERE it.tenant = figure.tenant AND it.series = figure.series AND it.label = figure.label \
             AND it.at >= figure.at AND it.at < figure.at - figure.at % $3 + $3 AND it.at < $1) \
             WHERE at < $1 AND at >= $2 AND NOT EXISTS (SELECT 1 FROM figure AS before \
             WHERE before.tenant = figure.tenant AND before.series = figure.series AND before.label = figure.label \
             AND before.at < figure.at AND before.at >= figure.at - figure.at % $3)",
            args(),
            "figure",
            Expect::Any,
        );
        let hours = Step::new(
            "DELETE FROM figure WHERE at < $1 AND at >= $2 AND EXISTS (SELECT 1 FROM figure AS before \
             WHERE before.tenant = figure.tenant AND before.series = figure.series AND before.label = figure.label \
             AND before.at < figure.at AND before.at >= figure.at - figure.at % $3)",
            args(),
            "figure",
            Expect::Any,
        );
        self.db().commit(Unit::Steps(vec![old, together, hours])).await?;
        Ok(())
    }

    /// Values of a series from a time on until before another, of a tenant and of the whole house, in the order of time; of too many the
    /// newest.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn figures(
        &self,
        tenant: &str,
        series: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FigureRow>, Error> {
        let select =
            Select::new("SELECT tenant, series, label, at, span, value FROM figure WHERE tenant IN ('', ")
                .bind(tenant)
                .sql(")")
                .and("series =", series)
                .and("at >=", from)
                .and("at <", to)
                .sql(" ORDER BY at DESC, label DESC LIMIT ")
                .bind(MOST);
        let figure = |row: &Row| {
            Ok(FigureRow {
                tenant: row.text(0)?,
                series: row.text(1)?,
                label: row.text(2)?,
                at: row.time(3)?,
                span: row.int(4)?,
                value: row.int(5)?,
            })
        };
        self.db().read(select).await?.iter().rev().map(figure).collect()
    }

    /// What the rules of alerts have seen.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn alert_rows(&self) -> Result<Vec<AlertRow>, Error> {
        let select = Select::new(
            "SELECT rule, tenant, label, since, value, firing, told_at, tried_at, over_at, waiting, code, version \
             FROM alert ORDER BY rule, tenant, label LIMIT ",
        );
        let alert = |row: &Row| {
            Ok(AlertRow {
                rule: row.text(0)?,
                tenant: row.text(1)?,
                label: row.text(2)?,
                since: row.time(3)?,
                value: row.int(4)?,
                firing: row.int(5)? == 1,
                told_at: row.opt_time(6)?,
                tried_at: row.opt_time(7)?,
                over_at: row.opt_time(8)?,
                waiting: row.json(9)?,
                code: row.opt_text(10)?,
                version: row.number(11)?,
            })
        };
        self.db().read(select.bind(MOST)).await?.iter().map(alert).collect()
    }

    /// Keeps what a rule has seen, with the next version. `false`, and nothing is changed, if it is not there any more as it was read:
    /// another node was faster.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_alert(&self, row: &mut AlertRow) -> Result<bool, Error> {
        let sql = match row.version {
            0 => {
                "INSERT INTO alert (rule, tenant, label, since, value, firing, told_at, tried_at, over_at, waiting, code, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING rule"
            }
            _ => {
                "UPDATE alert SET since = $4, value = $5, firing = $6, told_at = $7, tried_at = $8, over_at = $9, \
                 waiting = $10, code = $11, version = $12 \
                 WHERE rule = $1 AND tenant = $2 AND label = $3 AND version = $13 RETURNING rule"
            }
        };
        let mut args: Vec<Value> = vec![
            row.rule.as_str().into(),
            row.tenant.as_str().into(),
            row.label.as_str().into(),
            row.since.into(),
            row.value.into(),
            row.firing.into(),
            row.told_at.into(),
            row.tried_at.into(),
            row.over_at.into(),
            serde_json::Value::from(row.waiting.as_slice()).to_string().into(),
            row.code.as_deref().into(),
            (row.version + 1).into(),
        ];
        args.extend((row.version > 0).then(|| Value::from(row.version)));
        let step = Step::new(sql, args, "alert", Expect::Returning);
        let is_ours = !self.db().commit(Unit::Steps(vec![step])).await?.is_empty();
        row.version += u64::from(is_ours);
        Ok(is_ours)
    }

    /// Forgets what a rule has seen: all is well. What another node has changed meanwhile stays.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn end_alert(&self, row: &AlertRow) -> Result<(), Error> {
        let args = vec![
            row.rule.as_str().into(),
            row.tenant.as_str().into(),
            row.label.as_str().into(),
            row.version.into(),
        ];
        let sql = "DELETE FROM alert WHERE rule = $1 AND tenant = $2 AND label = $3 AND version = $4";
        self.db().commit(Unit::Steps(vec![Step::new(sql, args, "alert", Expect::Any)])).await?;
        Ok(())
    }

    /// Messages of all tenants by tenant, partner and direction that were taken in from a time on until before another.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn messages_between(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(String, String, bool, u64)>, Error> {
        let select = Select::new("SELECT tenant, partner, direction, count(*) FROM message WHERE id >= ")
            .bind(crate::records::first_id(from))
            .and("id <", crate::records::first_id(until))
            .sql(" GROUP BY tenant, partner, direction ORDER BY count(*) DESC");
        let count = |row: &Row| Ok((row.text(0)?, row.text(1)?, row.text(2)? == "in", row.number(3)?));
        self.db().read(select).await?.iter().map(count).collect()
    }

    /// Messages by tenant and state that have not ended.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unfinished_counts(&self) -> Result<Vec<(String, String, u64)>, Error> {
        let select = Select::new("SELECT tenant, state, count(*) FROM message WHERE ")
            .sql(crate::messages::UNFINISHED);
        let rows = self.db().read(select.sql(" GROUP BY tenant, state ORDER BY tenant, state")).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.number(2)?))).collect()
    }

    /// Deliveries to adapters that wait or are parked, by tenant, adapter and state.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn channel_counts(&self) -> Result<Vec<(String, String, String, u64)>, Error> {
        let select = Select::new(
            "SELECT tenant, adapter, state, count(*) FROM channel_delivery WHERE state <> 'dropped' \
             GROUP BY tenant, adapter, state ORDER BY tenant, adapter, state",
        );
        let rows = self.db().read(select).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.text(2)?, row.number(3)?))).collect()
    }
}

/// That messages are counted until the end of this span, if they still are until its begin.
fn counts(counted: Counted) -> Step {
    let Counted { after, until } = counted;
    let (sql, args) = match after {
        None => {
            let sql = "INSERT INTO figure_clock (name, due_at) VALUES ('counted', $1) ON CONFLICT DO NOTHING";
            (sql, vec![until.into()])
        }
        Some(after) => {
            let sql = "UPDATE figure_clock SET due_at = $1 WHERE name = 'counted' AND due_at = $2";
            (sql, vec![until.into(), after.into()])
        }
    };
    Step::new(sql, args, "clock", Expect::Rows(1))
}
