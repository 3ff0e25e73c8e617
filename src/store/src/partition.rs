//! Months of messages and events.
//!
//! Ids are UUIDv7: their first 48 bits are milliseconds, so a month is a range of ids. On PostgreSQL each month has its
//! partitions, made ahead, and an old month goes by dropping them; what no partition of a month took lies in the default
//! partition. SQLite has no partitions: there an old month goes by deleting its range of ids in small units.

use model::Timestamp;
use sqlx::{AssertSqlSafe, PgPool};
use time::{Date, Month, OffsetDateTime};

use crate::db::Db;
use crate::messages::UNFINISHED;
use crate::sql::{Expect, Select, Step};
use crate::unit::Unit;
use crate::{Error, Store};

/// Months beyond the present one that have partitions.
const AHEAD: u32 = 3;
/// Rows deleted in one unit.
const SLICE: u32 = 500;

impl Store {
    /// Makes the partitions of this month and of the next ones. To be called daily; opening the store does it, too.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn maintain(&self) -> Result<(), Error> {
        match self.db() {
            Db::Sqlite(..) => Ok(()),
            Db::Postgres(engine) => create_ahead(engine.pool(), self.0.clock.now()).await,
        }
    }

    /// Removes the messages and events of all months that ended before `before`, over all tenants. The chain keeps their
    /// digests, and keys of repeated messages stay known. What was relayed goes with its message.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a message among them has not ended or an event is not sealed; nothing is removed then.
    pub async fn drop_partitions(&self, before: Timestamp) -> Result<(), Error> {
        let bound = month_of(before).first_id();
        self.refuse_unfinished(&bound).await?;
        if let Db::Postgres(engine) = self.db() {
            drop_months(engine.pool(), &bound).await?;
        }
        for (table, sql) in
            [("message", DELETE_MESSAGES), ("event", DELETE_EVENTS), ("relay delivery", DELETE_RELAYED)]
        {
            self.delete_below(table, sql, &bound).await?;
        }
        Ok(())
    }

    async fn refuse_unfinished(&self, bound: &str) -> Result<(), Error> {
        let message = Select::new("SELECT id FROM message WHERE ").sql(UNFINISHED).sql(" AND id <");
        let event = Select::new("SELECT event_id FROM unsealed WHERE event_id <");
        for (what, select) in [("message", message), ("event", event)] {
            if self.db().read_one(select.sql(" ").bind(bound).sql(" LIMIT 1")).await?.is_some() {
                return Err(Error::Conflict { what });
            }
        }
        Ok(())
    }

    async fn delete_below(&self, what: &'static str, sql: &'static str, bound: &str) -> Result<(), Error> {
        loop {
            let step = Step::new(sql, vec![bound.into(), SLICE.into()], what, Expect::Returning);
            if self.db().commit(Unit::Steps(vec![step])).await?.is_empty() {
                return Ok(());
            }
        }
    }
}

const DELETE_MESSAGES: &str = "DELETE FROM message WHERE id IN \
     (SELECT id FROM message WHERE id < $1 AND state IN ('confirmed', 'returned') ORDER BY id LIMIT $2) RETURNING id";
const DELETE_EVENTS: &str =
    "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < $1 ORDER BY id LIMIT $2) RETURNING id";
const DELETE_RELAYED: &str = "DELETE FROM relay_delivery WHERE message IN \
     (SELECT message FROM relay_delivery WHERE message < $1 AND stage > 1 ORDER BY message LIMIT $2) RETURNING message";

/// Makes the partitions of the month of `now` and of the next ones, where they are missing.
pub(crate) async fn create_ahead(pool: &PgPool, now: Timestamp) -> Result<(), Error> {
    let mut month = month_of(now);
    for _ in 0..=AHEAD {
        for table in ["message", "event"] {
            create(pool, table, month).await?;
        }
        month = month.next();
    }
    Ok(())
}

async fn create(pool: &PgPool, table: &str, month: CalendarMonth) -> Result<(), Error> {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {table}_{} PARTITION OF {table} FOR VALUES FROM ('{}') TO ('{}')",
        month.name(),
        month.first_id(),
        month.next().first_id(),
    );
    let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await else { return Ok(()) };
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match code.as_str() {
        // The default partition holds rows of that month already: they stay there, and so do later ones.
        "23514" => {
            tracing::warn!(table, "no partition for a month whose first rows are in the default partition");
            Ok(())
        }
        // Another node was faster.
        "42P07" | "23505" => Ok(()),
        _ => Err(error.into()),
    }
}

async fn drop_months(pool: &PgPool, bound: &str) -> Result<(), Error> {
    const MONTHS: &str = "SELECT child.relname::text FROM pg_inherits \
         JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent \
         WHERE parent.relname IN ('message', 'event')";
    let names: Vec<String> = sqlx::query_scalar(MONTHS).fetch_all(pool).await?;
    for name in names {
        let Some(month) = name.rsplit_once('_').and_then(|(_, month)| CalendarMonth::parse(month)) else {
            continue;
        };
        if month.next().first_id().as_str() <= bound {
            // The name was put together by `create` from a table name and digits.
            sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {name}"))).execute(pool).await?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CalendarMonth {
    year: i32,
    month: Month,
}

fn month_of(time: Timestamp) -> CalendarMonth {
    let time = OffsetDateTime::from_unix_timestamp(time.micros().div_euclid(1_000_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    CalendarMonth { year: time.year(), month: time.month() }
}

impl CalendarMonth {
    fn next(self) -> Self {
        let year = if self.month == Month::December { self.year + 1 } else { self.year };
        CalendarMonth { year, month: self.month.next() }
    }

    /// `202611`
    fn name(self) -> String {
        format!("{:04}{:02}", self.year, u8::from(self.month))
    }

    fn parse(name: &str) -> Option<Self> {
        if name.len() != 6 || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let month = Month::try_from(name[4..].parse::<u8>().ok()?).ok()?;
        Some(CalendarMonth { year: name[..4].parse().ok()?, month })
    }

    /// The smallest UUIDv7 of the month, as text.
    fn first_id(self) -> String {
        let first = Date::from_calendar_date(self.year, self.month, 1).unwrap_or(Date::MIN);
        let millis = first.midnight().assume_utc().unix_timestamp().max(0) * 1_000;
        format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_range_of_ids() {
        let month = month_of(Timestamp::parse("2026-12-31T23:59:59.999Z").unwrap());
        assert_eq!((month.name().as_str(), month.next().name().as_str()), ("202612", "202701"));
        assert_eq!(CalendarMonth::parse("202612"), Some(month));
        for wrong in ["default", "20261", "202613", "2026-1"] {
            assert_eq!(CalendarMonth::parse(wrong), None, "{wrong}");
        }
        let id = |seconds| model::Id::new_v7(uuid_time(seconds)).to_string();
        assert!(id(1_796_083_199) < month.first_id(), "2026-11-30T23:59:59Z");
        assert!(id(1_796_083_200) > month.first_id(), "2026-12-01T00:00:00Z");
        assert!(id(1_798_761_599) < month.next().first_id(), "2026-12-31T23:59:59Z");
    }

    fn uuid_time(seconds: u64) -> uuid::Timestamp {
        uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)
    }
}
