//! The embedded engine: SQLite in WAL mode with `synchronous=FULL`, one writer that groups commits, a pool of readers,
//! and checkpoints off the writer.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::stop_the_process;
use crate::sql::{Conn, Failed, Row};
use crate::unit::Unit;
use crate::{Error, migrate};

/// Most units in one commit.
const GROUP: usize = 128;
/// Units that may wait for the writer before callers have to.
const QUEUE: usize = 1_024;
const READERS: u32 = 4;
/// How long a statement waits for a lock that another process or a checkpoint holds.
const BUSY: Duration = Duration::from_secs(10);
/// How often the checkpointer looks at the WAL.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// A WAL of this size in bytes is copied into the database while the writer goes on.
const WAL_PASSIVE: u64 = 4 << 20;
/// One of this size is then emptied, for which the writer waits a moment: else it would grow without end under load.
const WAL_TRUNCATE: u64 = 32 << 20;

/// A SQLite database.
pub(crate) struct Engine {
    readers: SqlitePool,
    writer: mpsc::Sender<Request>,
    /// Ends when the writer has committed everything it was given.
    writing: Mutex<Option<JoinHandle<()>>>,
    checkpoints: JoinHandle<()>,
}

/// Receives the rows of the unit's returning steps, after the sync.
type Answer = oneshot::Sender<Result<Vec<Row>, Error>>;

enum Request {
    Unit { unit: Unit, answer: Answer },
    Close,
}

impl Engine {
    /// Opens or creates the database at `path`, brings its schema up to date and starts the writer.
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        create(path)?;
        let mut writer = options(path).connect().await?;
        migrate::sqlite(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options(path).pragma("query_only", "ON"))
            .await?;
        let checkpointer = options(path).connect().await?;

        let (sender, queue) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let writing = tokio::spawn(write(writer, queue, Arc::clone(&commits)));
        let checkpoints = tokio::spawn(checkpoint(checkpointer, wal_of(path), commits));
        Ok(Engine { readers, writer: sender, writing: Mutex::new(Some(writing)), checkpoints })
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Has the writer commit `unit`; answers after the sync of its group.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Vec<Row>, Error> {
        let (answer, outcome) = oneshot::channel();
        self.writer.send(Request::Unit { unit, answer }).await.map_err(|_| Error::Closed)?;
        outcome.await.map_err(|_| Error::Closed)?
    }

    /// Commits what waits, then closes everything.
    pub(crate) async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.writer.send(Request::Close).await;
        if let Some(writing) = self.writing.lock().await.take() {
            let _ = writing.await;
        }
        self.checkpoints.abort();
        self.readers.close().await;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.checkpoints.abort();
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // Checkpoints are the checkpointer's, so that no commit has to wait for one.
        .pragma("wal_autocheckpoint", "0")
        // Erased keys and bodies are overwritten, not only unlinked.
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

/// Creates the database file for its owner only, and makes its name durable.
fn create(path: &Path) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// The writer: takes all units that wait, commits them together with one sync, answers them. While a sync runs, the
/// next group gathers by itself.
async fn write(mut conn: SqliteConnection, mut queue: mpsc::Receiver<Request>, commits: Arc<AtomicU64>) {
    let mut requests = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut requests, GROUP).await > 0 {
        let mut group = Vec::with_capacity(requests.len());
        for request in requests.drain(..) {
            match request {
                Request::Unit { unit, answer } => group.push((unit, answer)),
                // What is in the queue already is still committed.
                Request::Close => queue.close(),
            }
        }
        if !group.is_empty() {
            commit(&mut conn, group).await;
            commits.fetch_add(1, Ordering::Relaxed);
        }
    }
    if let Err(error) = conn.close().await {
        tracing::warn!(code = Error::from(error).code(), "closing the database failed");
    }
}

async fn commit(conn: &mut SqliteConnection, group: Vec<(Unit, Answer)>) {
    let (units, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    // A caller that has gone away does not mind: its unit is committed all the same.
    match transact(conn, &units).await {
        Ok(outcomes) => answers.into_iter().zip(outcomes).for_each(|(answer, outcome)| {
            let _ = answer.send(outcome);
        }),
        Err(error) => {
            // It may have rolled back by itself (disk full); then there is nothing to roll back.
            let _ = execute(conn, "ROLLBACK").await;
            let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
            tracing::error!(code, units = units.len(), "a group of units was rolled back");
            let busy = matches!(Error::from(error), Error::Busy);
            for answer in answers {
                let error = if busy { Error::Busy } else { Error::Database { code: code.clone() } };
                let _ = answer.send(Err(error));
            }
        }
    }
}

/// Runs the units in one transaction, each within its own savepoint, so that a failed one takes back itself alone.
async fn transact(
    conn: &mut SqliteConnection,
    units: &[Unit],
) -> Result<Vec<Result<Vec<Row>, Error>>, sqlx::Error> {
    execute(conn, "BEGIN IMMEDIATE").await?;
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        execute(conn, "SAVEPOINT unit").await?;
        let outcome = unit.run(&mut Conn::Sqlite(conn)).await;
        if outcome.is_err() {
            execute(conn, "ROLLBACK TO unit").await?;
        }
        execute(conn, "RELEASE unit").await?;
        outcomes.push(outcome.map_err(Failed::into));
    }
    if outcomes.iter().all(Result::is_err) {
        execute(conn, "ROLLBACK").await?;
    } else if let Err(error) = execute(conn, "COMMIT").await {
        stop_the_process("commit", &code_of(&error));
    }
    Ok(outcomes)
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(conn).await.map(drop)
}

/// Copies the WAL into the database on a connection of its own.
async fn checkpoint(mut conn: SqliteConnection, wal: PathBuf, commits: Arc<AtomicU64>) {
    let mut seen = 0;
    let mut every = tokio::time::interval(CHECKPOINT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let size = tokio::fs::metadata(&wal).await.map_or(0, |metadata| metadata.len());
        let now = commits.load(Ordering::Relaxed);
        let idle = now == std::mem::replace(&mut seen, now);
        if size >= WAL_PASSIVE {
            run_checkpoint(&mut conn, "PRAGMA wal_checkpoint(PASSIVE)").await;
        }
        if size >= WAL_TRUNCATE || (idle && size > 0) {
            run_checkpoint(&mut conn, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
    }
}

async fn run_checkpoint(conn: &mut SqliteConnection, sql: &'static str) {
    let Err(error) = sqlx::query(sql).fetch_all(conn).await else { return };
    let code = code_of(&error);
    // Low byte 10: the disk failed to read, write or sync. Anything else (a lock) passes.
    if code.parse::<u32>().is_ok_and(|code| code & 0xff == 10) {
        stop_the_process("checkpoint", &code);
    }
    tracing::warn!(code, "a checkpoint of the database did not run");
}

fn code_of(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(conn: &mut SqliteConnection, name: &'static str) -> String {
        let row = sqlx::query(name).fetch_one(conn).await.unwrap();
        let row = Row::Sqlite(row);
        row.opt_text(0).ok().flatten().unwrap_or_else(|| row.int(0).unwrap().to_string())
    }

    #[tokio::test]
    async fn every_connection_is_durable_and_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        let engine = Engine::open(&path).await.unwrap();
        let mut reader = engine.readers.acquire().await.unwrap();
        let mut writer = options(&path).connect().await.unwrap();
        for conn in [&mut *reader, &mut writer] {
            assert_eq!(pragma(conn, "PRAGMA journal_mode").await, "wal");
            assert_eq!(pragma(conn, "PRAGMA synchronous").await, "2", "FULL");
            assert_eq!(pragma(conn, "PRAGMA foreign_keys").await, "1");
            assert_eq!(pragma(conn, "PRAGMA busy_timeout").await, "10000");
            assert_eq!(pragma(conn, "PRAGMA wal_autocheckpoint").await, "0");
            assert_eq!(pragma(conn, "PRAGMA secure_delete").await, "1");
        }
        assert!(sqlx::query("DELETE FROM job").execute(&mut *reader).await.is_err());
        drop(reader);
        engine.close().await;
    }

    #[tokio::test]
    async fn the_database_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        Engine::open(&path).await.unwrap().close().await;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
