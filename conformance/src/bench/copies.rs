//! What PostgreSQL does by itself with the rows of one message: the rows that a gateway has written are inserted
//! again and again under new ids, all rows of a message by one statement, one transaction and one round trip each.
//! No rival of ours can ask less of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use futures::future::try_join_all;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

use crate::Error;

/// Tables that taking a message in writes to, and how the message's rows are found there.
const ROWS: &[(&str, &str)] = &[
    ("payload", "id = (SELECT body::json->'payload'->>'id' FROM message WHERE id = $1)"),
    ("message", "id = $1"),
    ("dedup", "subject = $1"),
    ("event", "message_id = $1"),
    ("unsealed", "event_id IN (SELECT id FROM event WHERE message_id = $1)"),
    ("job", "subject = $1"),
];

/// The tables that hold evidence.
const EVIDENCE: &[&str] = &["event", "unsealed"];

#[derive(Debug, Clone)]
enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// The rows of one message, ready to be written again.
pub(super) struct Copies {
    url: String,
    sql: String,
    values: Vec<Value>,
    /// Ids of this message, which each copy gets anew.
    ids: Vec<String>,
}

impl Copies {
    /// Reads the rows of a message that was taken in; the gateway must not have processed it yet.
    ///
    /// # Errors
    /// If the database cannot be read or a row is missing.
    pub(super) async fn of(url: &str, message: &str, with_evidence: bool) -> Result<Self, Error> {
        let mut conn = PgConnection::connect(url).await?;
        let (mut sql, mut values, mut ids) = (String::new(), vec![], vec![message.to_owned()]);
        for (table, found_by) in ROWS.iter().filter(|(table, _)| with_evidence || !EVIDENCE.contains(table)) {
            let columns = columns(&mut conn, table).await?;
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let query = format!("SELECT {} FROM {table} WHERE {found_by}", names.join(", "));
            let rows = sqlx::query(AssertSqlSafe(query)).bind(message).fetch_all(&mut conn).await?;
            let row = rows.first().ok_or_else(|| Error::Start(format!("no row in {table}")))?;
            let open = if sql.is_empty() { "WITH" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{open} {table}_row AS (INSERT INTO {table} ({}) VALUES (", names.join(", "));
            for (index, (name, kind)) in columns.iter().enumerate() {
                let value = value(row, index, kind)?;
                if let (true, Value::Text(Some(id))) = (name == "id" || name == "event_id", &value) {
                    ids.push(id.clone());
                }
                values.push(value);
                let _ = write!(sql, "{}${}", if index == 0 { "" } else { ", " }, values.len());
            }
            sql.push_str("))");
        }
        sql.push_str(" SELECT 1");
        ids.sort_unstable();
        ids.dedup();
        Ok(Copies { url: url.to_owned(), sql, values, ids })
    }

    /// Writes so many copies by so many clients at once; returns how many per second were committed.
    ///
    /// # Errors
    /// If one of them fails.
    pub(super) async fn write(&self, count: usize, clients: usize) -> Result<f64, Error> {
        let mut connections = try_join_all((0..clients).map(|_| PgConnection::connect(&self.url))).await?;
        // Prepared before the clock starts, as every client keeps it prepared.
        try_join_all(connections.iter_mut().map(|conn| self.write_one(conn))).await?;
        let share = count / clients;
        let begin = Instant::now();
        try_join_all(connections.iter_mut().map(async |conn| {
            for _ in 0..share {
                self.write_one(conn).await?;
            }
            Ok::<_, Error>(())
        }))
        .await?;
        Ok((share * clients) as f64 / begin.elapsed().as_secs_f64())
    }

    async fn write_one(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let fresh: BTreeMap<&str, String> =
            self.ids.iter().map(|id| (id.as_str(), Uuid::now_v7().to_string())).collect();
        let renamed =
            |text: &String| {
                fresh.iter().fold(text.clone(), |text, (old, new)| {
                    if text.contains(old) { text.replace(old, new) } else { text }
                })
            };
        // Its name in `dedup` is the message's own and not one of the ids: it is counted up.
        let name = Uuid::now_v7().to_string();
        let mut query = sqlx::query(AssertSqlSafe(self.sql.clone()));
        for value in &self.values {
            query = match value {
                Value::Int(value) => query.bind(*value),
                Value::Text(Some(text)) if text.starts_with("xdomea:") => query.bind(format!("copy:{name}")),
                Value::Text(text) => query.bind(text.as_ref().map(renamed)),
                Value::Bytes(bytes) => query.bind(bytes.clone()),
            };
        }
        query.execute(conn).await?;
        Ok(())
    }
}

/// Names and types of a table's columns, without those that the database fills by itself.
async fn columns(conn: &mut PgConnection, table: &str) -> Result<Vec<(String, String)>, Error> {
    const COLUMNS: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_name = $1 AND is_identity = 'NO' ORDER BY ordinal_position";
    let rows = sqlx::query(COLUMNS).bind(table).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn value(row: &PgRow, index: usize, kind: &str) -> Result<Value, Error> {
    Ok(match kind {
        "bigint" => Value::Int(row.try_get(index)?),
        "bytea" => Value::Bytes(row.try_get(index)?),
        _ => Value::Text(row.try_get(index)?),
    })
}
