//! Rows of a backup written into a database that has none.

use std::fs::{self, File};
use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use model::{Id, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqlSafeStr};

use super::catalog::{Catalog, Kind, Table, quoted, schema};
use super::{Head, PayloadFiles, TableRows, heads, lines, payload_files};
use crate::sql::{Conn, Value};
use crate::{Error, migrate, partition, sqlite};

/// Rows, parameters and bytes of one statement.
const ROWS: usize = 200;
const PARAMETERS: usize = 3_000;
const BYTES: usize = 4 << 20;

/// A database that is being filled.
pub struct NewRows {
    place: Place,
    catalog: Catalog,
    leaves_bytes: bool,
}

enum Place {
    /// Under a name of its own until it is whole.
    Sqlite { conn: SqliteConnection, path: PathBuf, target: PathBuf },
    /// Within one transaction.
    Postgres { conn: PgConnection, pool: PgPool },
}

impl Place {
    fn conn(&mut self) -> Conn<'_> {
        match self {
            Place::Sqlite { conn, .. } => Conn::Sqlite(conn),
            Place::Postgres { conn, .. } => Conn::Postgres(conn),
        }
    }
}

impl NewRows {
    /// Makes the tables of a version of the schema in an empty database, `sqlite:<path>` or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] if there is something already; [`Error::NewerSchema`] if this program does not know the version.
    pub async fn create(database: &str, version: i64) -> Result<Self, Error> {
        if version > migrate::newest() {
            return Err(Error::NewerSchema { found: version, known: migrate::newest() });
        }
        let mut place = match database.strip_prefix("sqlite:") {
            Some(path) => new_file(Path::new(path.strip_prefix("//").unwrap_or(path)), version).await?,
            None => empty_database(database, version).await?,
        };
        let catalog = Catalog::of(&mut place.conn()).await?;
        if let Place::Postgres { .. } = place {
            refuse_rows(&mut place.conn(), &catalog).await?;
        }
        place.conn().execute("BEGIN", &[]).await?;
        Ok(NewRows { place, catalog, leaves_bytes: false })
    }

    /// For a look at the rows alone: the sealed bytes of small payloads stay out.
    pub fn without_bytes(mut self) -> Self {
        self.leaves_bytes = true;
        self
    }

    /// Writes the rows of a table; `progress` is told how many bytes of them were read. Holds a few rows.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are not rows of this table.
    pub async fn insert(
        &mut self,
        rows: &TableRows,
        from: &mut (dyn BufRead + Send),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let table = self.catalog.table(&rows.name)?;
        let kinds = kinds(table, &rows.columns)?;
        let sealed = rows
            .columns
            .iter()
            .position(|name| self.leaves_bytes && rows.name == "payload" && name == "sealed");
        let most = (PARAMETERS / kinds.len().max(1)).clamp(1, ROWS);
        let (mut seen, mut values, mut waiting, mut bytes) = (0, Vec::new(), 0, 0);
        while let Some((mut row, length)) = lines::read(from, &kinds)? {
            progress(length as u64);
            if let Some(sealed) = sealed.and_then(|at| row.get_mut(at)) {
                *sealed = emptied(sealed);
            }
            values.append(&mut row);
            (seen, waiting, bytes) = (seen + 1, waiting + 1, bytes + length);
            if waiting == most || bytes > BYTES {
                write(&mut self.place.conn(), rows, waiting, &values).await?;
                values.clear();
                (waiting, bytes) = (0, 0);
            }
        }
        if waiting > 0 {
            write(&mut self.place.conn(), rows, waiting, &values).await?;
        }
        if seen == rows.rows { Ok(()) } else { Err(Error::Corrupt { what: "row of a backup" }) }
    }

    /// Destroys the key of a payload that was erased while the backup was made, or later. Returns whether there was one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn erase(&mut self, payload: Id) -> Result<bool, Error> {
        const ERASE: &str =
            "UPDATE payload SET wrapped_key = NULL, sealed = NULL WHERE id = $1 AND wrapped_key IS NOT NULL";
        Ok(self.place.conn().execute(ERASE, &[payload.into()]).await? > 0)
    }

    /// Erases here what is erased among the rows of a later backup: payloads, or what events say. Returns how many.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are no rows of either.
    pub async fn erase_as_in(
        &mut self,
        later: &TableRows,
        from: &mut (dyn BufRead + Send),
    ) -> Result<u64, Error> {
        const ERASE: &str = "UPDATE event SET body = NULL, salt = NULL WHERE id = $1 AND body IS NOT NULL";
        let wanted = if later.name == "payload" { "wrapped_key" } else { "body" };
        let kinds = kinds(self.catalog.table(&later.name)?, &later.columns)?;
        let at = |name: &str| later.columns.iter().position(|column| column == name);
        let (Some(id), Some(kept)) = (at("id"), at(wanted)) else {
            return Err(Error::Corrupt { what: "table of a backup" });
        };
        let mut erased = 0;
        while let Some((row, _)) = lines::read(from, &kinds)? {
            let (Some(Value::Text(Some(id))), Some(Value::Bytes(None) | Value::Text(None))) =
                (row.get(id), row.get(kept))
            else {
                continue;
            };
            let id: Id = id.parse().map_err(|_| Error::Corrupt { what: "row of a backup" })?;
            erased += match later.name == "payload" {
                true => u64::from(self.erase(id).await?),
                false => self.place.conn().execute(ERASE, &[id.into()]).await?,
            };
        }
        Ok(erased)
    }

    /// Has nothing be believed of what may have happened between the backup and `now`: a call outside that was due, or had been tried, may
    /// have been made, so that whoever does the job asks the other side, or a human, before anything is sent again; many messages are not
    /// sent again in the name of whoever had ordered that; and what nobody seems to have fetched goes back to no sender for being late.
    /// Calls that are due after `now` have certainly not been made. Returns how many there may be.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn doubt(&mut self, taken_at: Timestamp, now: Timestamp) -> Result<u64, Error> {
        const REDRIVES: &str = "UPDATE operation SET state = 'failed' WHERE state = 'running'";
        const INBOX: &str = "UPDATE inbox SET expires_at = NULL WHERE expires_at IS NOT NULL";
        const RELAYED: &str = "UPDATE relay_delivery SET expires_at = expires_at + $1 WHERE stage < 2";
        const CALLS: &str = "UPDATE job SET calling = 1 WHERE (due_at <= $1 OR attempts > 0 OR holder IS NOT NULL) AND \
             (kind IN ('prepare', 'channel', 'payment-start', 'payment-refund') OR (kind = 'deliver' AND lane LIKE 'to:%'))";
        let away = now.micros().saturating_sub(taken_at.micros()).max(0);
        let mut conn = self.place.conn();
        conn.execute(REDRIVES, &[]).await?;
        conn.execute(INBOX, &[]).await?;
        conn.execute(RELAYED, &[away.into()]).await?;
        Ok(conn.execute(CALLS, &[now.into()]).await?)
    }

    /// As [`Snapshot::payload_files`](super::Snapshot::payload_files).
    ///
    /// # Errors
    /// If the database fails.
    pub async fn payload_files(&mut self, after: Option<Id>) -> Result<Vec<PayloadFiles>, Error> {
        payload_files(&mut self.place.conn(), after).await
    }

    /// The ends of all chains.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn heads(&mut self) -> Result<Vec<Head>, Error> {
        heads(&mut self.place.conn()).await
    }

    /// Makes it a store: from now on it is there, durably.
    ///
    /// # Errors
    /// If the database or the disk fails; then there is none.
    pub async fn finish(mut self) -> Result<(), Error> {
        if let Place::Postgres { .. } = self.place {
            count_on(&mut self.place.conn()).await?;
        }
        self.place.conn().execute("COMMIT", &[]).await?;
        match self.place {
            Place::Sqlite { conn, path, target } => {
                conn.close().await?;
                File::open(&path)?.sync_all()?;
                fs::rename(&path, &target)?;
                File::open(sqlite::folder_of(&target))?.sync_all()?;
            }
            Place::Postgres { conn, pool } => {
                conn.close().await?;
                pool.close().await;
            }
        }
        Ok(())
    }
}

fn with_ending(target: &Path, ending: &str) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

/// A file beside the one that it will be.
async fn new_file(target: &Path, version: i64) -> Result<Place, Error> {
    // What another database left beside it would be applied to this one.
    if ["", "-wal", "-shm", "-journal"].iter().any(|ending| with_ending(target, ending).exists()) {
        return Err(Error::NotEmpty);
    }
    let path = with_ending(target, ".restoring");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    sqlite::create(&path)?;
    // What is not whole is thrown away: nothing has to survive a crash, nor to be taken back.
    let options = sqlite::options(&path)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false);
    let mut conn = options.connect().await?;
    migrate::sqlite_until(&mut conn, version).await?;
    Ok(Place::Sqlite { conn, path, target: target.to_owned() })
}

async fn empty_database(url: &str, version: i64) -> Result<Place, Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("amtsbote").disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await?;
    migrate::postgres_until(&pool, version).await?;
    let mut conn: PgConnection = pool.acquire().await?.detach();
    let found = schema(&mut Conn::Postgres(&mut conn)).await?;
    // Rows of an older version would miss what its migrations would have made of them.
    if found != version {
        return Err(Error::NotEmpty);
    }
    partition::create_ahead(&pool, model::Clock::now(&model::SystemClock)).await?;
    Ok(Place::Postgres { conn, pool })
}

async fn refuse_rows(conn: &mut Conn<'_>, catalog: &Catalog) -> Result<(), Error> {
    for table in &catalog.tables {
        let sql = AssertSqlSafe(format!("SELECT 1 FROM {} LIMIT 1", quoted(&table.name))).into_sql_str();
        if !conn.rows(sql, &[]).await?.is_empty() {
            return Err(Error::NotEmpty);
        }
    }
    Ok(())
}

/// The types of columns by their names.
fn kinds(table: &Table, names: &[String]) -> Result<Vec<Kind>, Error> {
    let kind =
        |name: &String| table.columns.iter().find(|column| column.name == *name).map(|column| column.kind);
    names.iter().map(kind).collect::<Option<_>>().ok_or(Error::Corrupt { what: "table of a backup" })
}

/// Bytes that are there and not looked at.
fn emptied(bytes: &Value) -> Value {
    match bytes {
        Value::Bytes(Some(_)) => Value::Bytes(Some([].into())),
        _ => Value::Bytes(None),
    }
}

async fn write(conn: &mut Conn<'_>, rows: &TableRows, count: usize, values: &[Value]) -> Result<(), Error> {
    let width = rows.columns.len();
    let columns: Vec<_> = rows.columns.iter().map(|name| quoted(name)).collect();
    // Numbers that a database gives by itself are those that they were.
    let given = if matches!(conn, Conn::Postgres(_)) { " OVERRIDING SYSTEM VALUE" } else { "" };
    let mut sql = format!("INSERT INTO {} ({}){given} VALUES ", quoted(&rows.name), columns.join(", "));
    for row in 0..count {
        let places: Vec<_> = (1..=width).map(|at| format!("${}", row * width + at)).collect();
        sql.push_str(if row == 0 { "(" } else { ", (" });
        sql.push_str(&places.join(", "));
        sql.push(')');
    }
    conn.execute(AssertSqlSafe(sql).into_sql_str(), values).await?;
    Ok(())
}

/// Goes on counting behind the highest number that was written.
async fn count_on(conn: &mut Conn<'_>) -> Result<(), Error> {
    const COUNTED: &str = "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT) FROM pg_attribute AS a \
         JOIN pg_class AS c ON c.oid = a.attrelid WHERE a.attidentity <> '' AND NOT a.attisdropped \
         AND c.relnamespace = to_regnamespace(current_schema()::text)";
    for row in conn.rows(COUNTED, &[]).await? {
        let (table, column) = (quoted(&row.text(0)?), quoted(&row.text(1)?));
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), COALESCE(MAX({column}), 1), MAX({column}) IS NOT NULL) FROM {table}"
        );
        let args = [table.into(), row.text(1)?.into()];
        conn.rows(AssertSqlSafe(sql).into_sql_str(), &args).await?;
    }
    Ok(())
}
