//! One SQL text for both engines: values, rows, selects, and steps of a unit of work.
//!
//! Both engines take `$1`, `ON CONFLICT`, `RETURNING`, window functions and partial indexes. Integers are `i64`, text is
//! UTF-8; anything else is kept as one of them.

use std::fmt::Write;
use std::sync::Arc;

use model::rights::Within;
use model::{Id, Scope, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection};

use crate::Error;

/// A parameter. Each kind knows its type even when it is absent: PostgreSQL wants to be told.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    /// Shared, so that SQLite's thread gets it without a copy.
    Text(Option<Arc<str>>),
    /// Shared with whoever waits for them to be written.
    Bytes(Option<Arc<[u8]>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(Some(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(Some(i64::from(value)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Int(Some(i64::from(value)))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Value::Int(Some(value.micros()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Value::Int(value.map(Timestamp::micros))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Value::Int(value)
    }
}

impl From<Option<u32>> for Value {
    fn from(value: Option<u32>) -> Self {
        Value::Int(value.map(i64::from))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(Some(value.into()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(Some(value.into()))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Value::Text(value.map(Arc::from))
    }
}

impl From<Id> for Value {
    fn from(value: Id) -> Self {
        Value::Text(Some(value.to_string().into()))
    }
}

impl From<Option<Id>> for Value {
    fn from(value: Option<Id>) -> Self {
        Value::Text(value.map(|id| id.to_string().into()))
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(value: Option<&[u8]>) -> Self {
        Value::Bytes(value.map(Arc::from))
    }
}

impl From<Option<Arc<[u8]>>> for Value {
    fn from(value: Option<Arc<[u8]>>) -> Self {
        Value::Bytes(value)
    }
}

/// A row of either engine, read by column number.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>, Error> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, Error> {
        self.opt_int(column)?.ok_or(Error::Corrupt { what: "row" })
    }

    pub(crate) fn number(&self, column: usize) -> Result<u64, Error> {
        u64::try_from(self.int(column)?).map_err(|_| Error::Corrupt { what: "row" })
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, Error> {
        self.opt_text(column)?.ok_or(Error::Corrupt { what: "row" })
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, Error> {
        Ok(Timestamp::from_micros(self.int(column)?))
    }

    pub(crate) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, Error> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// A text that has a form, such as an id or a digest.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T, Error> {
        self.text(column)?.parse().map_err(|_| Error::Corrupt { what: "row" })
    }

    pub(crate) fn id(&self, column: usize) -> Result<Id, Error> {
        self.parsed(column)
    }

    /// A JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T, Error> {
        serde_json::from_str(&self.text(column)?).map_err(|_| Error::Corrupt { what: "row" })
    }
}

/// A connection of either engine.
pub(crate) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Conn<'_> {
    /// Runs a statement and returns its rows.
    pub(crate) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        args: &[Value],
    ) -> Result<Vec<Row>, sqlx::Error> {
        let sql = sql.into_sql_str();
        Ok(match self {
            Conn::Sqlite(conn) => {
                let rows = for_sqlite(sql, args).fetch_all(&mut **conn).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Conn::Postgres(conn) => {
                let rows = for_postgres(sql, args).fetch_all(&mut **conn).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a statement and returns how many rows it touched.
    pub(crate) async fn execute(&mut self, sql: impl SqlSafeStr, args: &[Value]) -> Result<u64, sqlx::Error> {
        let sql = sql.into_sql_str();
        Ok(match self {
            Conn::Sqlite(conn) => for_sqlite(sql, args).execute(&mut **conn).await?.rows_affected(),
            Conn::Postgres(conn) => for_postgres(sql, args).execute(&mut **conn).await?.rows_affected(),
        })
    }
}

pub(crate) fn for_sqlite<'v>(
    sql: impl SqlSafeStr,
    args: impl IntoIterator<Item = &'v Value>,
) -> Query<'static, Sqlite, SqliteArguments> {
    args.into_iter().fold(sqlx::query(sql), |query, arg| match arg {
        Value::Int(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.clone()),
        Value::Bytes(value) => query.bind(value.clone()),
    })
}

fn for_postgres(sql: SqlStr, args: &[Value]) -> Query<'static, Postgres, PgArguments> {
    args.iter().fold(sqlx::query(sql), |query, arg| match arg {
        Value::Int(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.as_deref()),
        Value::Bytes(value) => query.bind(value.as_deref()),
    })
}

/// PostgreSQL cannot keep U+0000; it is refused on both engines, before anything runs.
pub(crate) fn refuse_nul(args: &[Value]) -> Result<(), Error> {
    let nul = args
        .iter()
        .any(|arg| matches!(arg, Value::Text(Some(text)) if memchr::memchr(0, text.as_bytes()).is_some()));
    if nul { Err(Error::Nul) } else { Ok(()) }
}

/// A statement that grows by fixed pieces of SQL and bound values; nothing else can get into its text.
#[derive(Clone)]
pub(crate) struct Select {
    sql: String,
    args: Vec<Value>,
}

impl Select {
    pub(crate) fn new(sql: &'static str) -> Self {
        Select { sql: sql.to_owned(), args: Vec::new() }
    }

    /// Appends a fixed piece.
    pub(crate) fn sql(mut self, piece: &'static str) -> Self {
        self.sql.push_str(piece);
        self
    }

    /// Appends a bound value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "${}", self.args.len());
        self
    }

    /// Appends ` AND <left> <value>`, such as `and("state =", "ready")`.
    pub(crate) fn and(self, left: &'static str, value: impl Into<Value>) -> Self {
        self.sql(" AND ").sql(left).sql(" ").bind(value)
    }

    /// The same if there is a value.
    pub(crate) fn and_if(self, left: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.and(left, value),
            None => self,
        }
    }

    /// Confines the rows of a table to a scope: the ONE place where it is done. Comes right behind `WHERE ` or `AND `.
    ///
    /// The names are compared one by one and not as a pattern: SQLite's LIKE takes `a` and `A` for the same.
    pub(crate) fn within(self, scope: &Scope, table: Table) -> Self {
        let [tenant, unit, service] = match table {
            Table::Record => ["record.tenant =", "record.unit", "record.public_service"],
            Table::Message => ["message.tenant =", "message.unit", "message.public_service"],
            Table::MessageLedByOthers => {
                ["message.tenant =", "COALESCE(message.unit, '')", "message.public_service"]
            }
            Table::Event => ["event.tenant =", "event.unit", "event.public_service"],
            Table::Inbox => ["inbox.tenant =", "inbox.unit", "inbox.public_service"],
            Table::Relay => {
                ["relay_delivery.tenant =", "relay_delivery.unit", "relay_delivery.public_service"]
            }
            Table::Booking => ["booking.tenant =", "booking.unit", "booking.public_service"],
            Table::ChannelDelivery => {
                ["channel_delivery.tenant =", "channel_delivery.unit", "channel_delivery.public_service"]
            }
            Table::Approval => ["approval.tenant =", "approval.unit", "approval.public_service"],
        };
        self.sql(tenant)
            .sql(" ")
            .bind(scope.tenant.as_str())
            .among(unit, &scope.units)
            .among(service, &scope.services)
    }

    fn among(mut self, column: &'static str, names: &Within) -> Self {
        let Within::Only(names) = names else { return self };
        if names.is_empty() {
            return self.sql(" AND 1 = 0");
        }
        self = self.sql(" AND ").sql(column).sql(" IN (");
        for (index, name) in names.iter().enumerate() {
            self = if index == 0 { self } else { self.sql(", ") };
            self = self.bind(name.as_str());
        }
        self.sql(")")
    }

    pub(crate) fn finish(self) -> (SqlStr, Vec<Value>) {
        (AssertSqlSafe(self.sql).into_sql_str(), self.args)
    }

    /// As a step of a unit of work.
    pub(crate) fn step(self, what: &'static str, expect: Expect) -> Step {
        let (sql, args) = self.finish();
        Step { sql, args, expect, what }
    }
}

/// Tables that a scope confines.
#[derive(Clone, Copy)]
pub(crate) enum Table {
    Record,
    Message,
    /// Messages that are looked up by something else than their unit.
    MessageLedByOthers,
    Event,
    Inbox,
    Relay,
    Booking,
    ChannelDelivery,
    Approval,
}

/// One statement of a unit of work.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) sql: SqlStr,
    pub(crate) args: Vec<Value>,
    pub(crate) expect: Expect,
    /// Named in the conflict if the expectation fails or a unique key is taken.
    pub(crate) what: &'static str,
}

/// How many rows a step must touch; otherwise the unit fails with a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Any number.
    Any,
    /// Exactly so many.
    Rows(u64),
    /// Any number; the rows are the unit's answer.
    Returning,
}

impl Step {
    pub(crate) fn new(sql: &'static str, args: Vec<Value>, what: &'static str, expect: Expect) -> Self {
        Step { sql: SqlStr::from_static(sql), args, expect, what }
    }

    /// Runs the step; rows come back from a returning one only.
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        refuse_nul(&self.args)?;
        if self.expect == Expect::Returning {
            return conn.rows(self.sql.clone(), &self.args).await.map_err(|error| self.failed(error));
        }
        let touched = conn.execute(self.sql.clone(), &self.args).await.map_err(|error| self.failed(error))?;
        self.unmet_by(touched).map_or(Ok(Vec::new()), |error| Err(error.into()))
    }

    /// The conflict that it is if the step touched so many rows.
    pub(crate) fn unmet_by(&self, touched: u64) -> Option<Error> {
        match self.expect {
            Expect::Rows(expected) if expected != touched => Some(Error::Conflict { what: self.what }),
            _ => None,
        }
    }

    /// A unique key that is taken is a conflict, anything else the database's failure.
    pub(crate) fn failed(&self, error: sqlx::Error) -> Failed {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Failed::Unit(Error::Conflict { what: self.what })
            }
            _ => Failed::Database(error),
        }
    }
}

/// Why a unit failed.
pub(crate) enum Failed {
    /// By its own fault: a precondition.
    Unit(Error),
    /// The database's error; it may be worth another try.
    Database(sqlx::Error),
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unit(error) => error,
            Failed::Database(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Failed::Database(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Unit(error)
    }
}
