//! What a backup is made of, and how a store is made of it again: the rows of all tables as lines of JSON, the same for both engines, so
//! that no foreign program and no version of a database matters, and one engine's backup can be restored into the other.
//!
//! * [`Snapshot`] reads all rows as they were at one moment, in one transaction, while everybody goes on writing.
//! * [`NewRows`] writes them into a database that has none. On SQLite it gets its name at the end alone, on PostgreSQL all rows are one
//!   transaction: an interrupted restore leaves no half store.
//!
//! Uploads under way are left out: whoever began one begins anew. Going on from an old state could seal other bytes under a nonce that
//! was used since. Tables have columns of the types BIGINT, TEXT and BLOB (BYTEA) only; another one is refused.

mod catalog;
mod lines;
mod new_rows;

use std::io::Write;

use model::{Id, Timestamp};
use seal::payload::{SEGMENT_CHUNKS, chunk_count};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};

use crate::db::Db;
use crate::payload::files::Part;
use crate::sql::{Conn, Row, Select};
use crate::{Error, KeyUse, Store, keys};
use catalog::Catalog;

pub use new_rows::NewRows;

/// The table of schema versions, which a restore writes itself.
const SCHEMA: &str = "amtsbote_schema";

/// A table as it stands in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableRows {
    /// Its name.
    pub name: String,
    /// Names of its columns, in the order of the values of a row.
    pub columns: Vec<String>,
    /// How many rows.
    pub rows: u64,
}

/// The end of a tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The tenant.
    pub tenant: String,
    /// Number of the last batch.
    pub batch: u64,
    /// Number of the last sealed event.
    pub event: u64,
    /// Digest of the head, as hex.
    pub head: String,
    /// When it was sealed.
    pub sealed_at: Timestamp,
}

/// A payload whose bytes lie in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadFiles {
    /// Its id.
    pub id: Id,
    /// Bytes of plaintext.
    pub size: u64,
    /// Whether its key was destroyed: then only its digests are kept.
    pub is_erased: bool,
}

impl PayloadFiles {
    /// The files that it has, as paths within the folder of payloads.
    pub fn names(&self) -> impl Iterator<Item = String> + use<> {
        let chunks = chunk_count(self.size);
        let segments = if self.is_erased { 0 } else { chunks.div_ceil(SEGMENT_CHUNKS) };
        let id = self.id;
        let digests = (chunks > 1).then_some(Part::Digests);
        (0..segments).map(Part::Segment).chain(digests).map(move |part| part.name(id))
    }
}

/// All rows as they were at one moment.
pub struct Snapshot {
    held: Held,
    catalog: Catalog,
    schema: i64,
    engine: &'static str,
}

/// A connection in a transaction that reads.
enum Held {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Held {
    fn conn(&mut self) -> Conn<'_> {
        match self {
            Held::Sqlite(conn) => Conn::Sqlite(conn),
            Held::Postgres(conn) => Conn::Postgres(conn),
        }
    }
}

impl Store {
    /// Takes hold of all rows as they are now. Whatever was acknowledged before is among them.
    ///
    /// # Errors
    /// If the database fails, or a table has a column of a type that backups do not know.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let engine = self.db().name();
        let mut held = match self.db() {
            Db::Sqlite(engine, _) => Held::Sqlite(engine.readers().acquire().await?.detach()),
            Db::Postgres(engine) => Held::Postgres(engine.pool().acquire().await?.detach()),
        };
        let begin = match &held {
            Held::Sqlite(_) => "BEGIN",
            Held::Postgres(_) => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        held.conn().execute(begin, &[]).await?;
        // The first look is what holds: SQLite begins to read with it.
        let schema = catalog::schema(&mut held.conn()).await?;
        let catalog = Catalog::of(&mut held.conn()).await?;
        Ok(Snapshot { held, catalog, schema, engine })
    }
}

impl Snapshot {
    /// Version of the schema.
    pub fn schema(&self) -> i64 {
        self.schema
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        self.engine
    }

    /// Names of all tables, each behind those that it refers to.
    pub fn tables(&self) -> Vec<String> {
        self.catalog.tables.iter().map(|table| table.name.clone()).collect()
    }

    /// Writes the rows of a table, a line of JSON each. Holds one row.
    ///
    /// # Errors
    /// If the database fails, or the lines cannot be written.
    pub async fn write(&mut self, table: &str, mut to: impl Write + Send) -> Result<TableRows, Error> {
        let table = self.catalog.table(table)?;
        let sql = AssertSqlSafe(table.select()).into_sql_str();
        let rows = match &mut self.held {
            Held::Sqlite(conn) => {
                lines::write(sqlx::query(sql).fetch(conn), Row::Sqlite, table, &mut to).await?
            }
            Held::Postgres(conn) => {
                lines::write(sqlx::query(sql).fetch(conn), Row::Postgres, table, &mut to).await?
            }
        };
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        Ok(TableRows { name: table.name.clone(), columns, rows })
    }

    /// Payloads that lie in files, ascending by id behind `after`, at most a thousand.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn payload_files(&mut self, after: Option<Id>) -> Result<Vec<PayloadFiles>, Error> {
        payload_files(&mut self.held.conn(), after).await
    }

    /// Bytes of all payloads that lie in files, and are not erased.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn payload_bytes(&mut self) -> Result<u64, Error> {
        const BYTES: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM payload \
             WHERE sealed IS NULL AND wrapped_key IS NOT NULL";
        let rows = self.held.conn().rows(BYTES, &[]).await?;
        rows.first().map_or(Ok(0), |row| row.number(0))
    }

    /// The ends of all chains.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn heads(&mut self) -> Result<Vec<Head>, Error> {
        heads(&mut self.held.conn()).await
    }

    /// Which master keys what is kept was wrapped with.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn key_use(&mut self) -> Result<Vec<KeyUse>, Error> {
        keys::key_use(&mut self.held.conn()).await
    }

    /// Lets go.
    ///
    /// # Errors
    /// If the connection was lost: then nobody knows whether what was read was all.
    pub async fn end(mut self) -> Result<(), Error> {
        self.held.conn().execute("ROLLBACK", &[]).await?;
        match self.held {
            Held::Sqlite(conn) => conn.close().await?,
            Held::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }
}

async fn payload_files(conn: &mut Conn<'_>, after: Option<Id>) -> Result<Vec<PayloadFiles>, Error> {
    let select = Select::new(
        "SELECT id, size, CAST(CASE WHEN wrapped_key IS NULL THEN 1 ELSE 0 END AS BIGINT) FROM payload \
         WHERE sealed IS NULL",
    );
    let (sql, args) = select.and_if("id >", after).sql(" ORDER BY id LIMIT 1000").finish();
    let files =
        |row: &Row| Ok(PayloadFiles { id: row.id(0)?, size: row.number(1)?, is_erased: row.int(2)? != 0 });
    conn.rows(sql, &args).await?.iter().map(files).collect()
}

async fn heads(conn: &mut Conn<'_>) -> Result<Vec<Head>, Error> {
    const HEADS: &str = "SELECT tenant, no, last, head, sealed_at FROM chain_batch WHERE no = \
         (SELECT MAX(newest.no) FROM chain_batch AS newest WHERE newest.tenant = chain_batch.tenant) ORDER BY tenant";
    let head = |row: &Row| {
        Ok(Head {
            tenant: row.text(0)?,
            batch: row.number(1)?,
            event: row.number(2)?,
            head: row.text(3)?,
            sealed_at: row.time(4)?,
        })
    };
    conn.rows(HEADS, &[]).await?.iter().map(head).collect()
}
