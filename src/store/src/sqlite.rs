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
use crate::together::{alike, run_alike};
use crate::unit::Unit;
use crate::{Error, migrate};

/// Most units in one commit.
const GROUP: usize = 128;
/// Units that may wait for the writer before callers have to.
const QUEUE: usize = 1_024;
const READERS: u32 = 4;
/// Bytes of a page of a new database. Sealed bodies take several of SQLite's usual 4,096, each of which is written twice; a
/// database that exists keeps its own.
const PAGE: u32 = 8_192;
/// The writer's page cache, in KiB (negative: SQLite's way to say that it is not pages). Its inserts end in some twenty
/// trees, whose inner pages and right edges would be read again and again with the usual 2,000.
const CACHE: &str = "-16384";
/// Outcomes of the writer's statements that may wait to be looked at: more than one text has, so that its thread goes on.
pub(crate) const OUTCOMES: usize = 256;
/// Longest wait for a place in the writer's queue: then the database is busy, and whoever asked hears it.
const QUEUE_WAIT: Duration = Duration::from_secs(5);
/// How long a statement waits for a lock that another process or a checkpoint holds.
const BUSY: Duration = Duration::from_secs(10);
/// How long the checkpointer waits for a lock. While it waits for a reader, nobody can commit: one that takes its time, such as a
/// backup, must not hold everybody up.
const CHECKPOINT_BUSY: Duration = Duration::from_millis(250);
/// Looks during which the WAL is let grow after somebody was in the way.
const LET_GROW: u32 = 10;
/// How often the checkpointer looks whether there is something to do.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Groups committed before the WAL is copied into the database; the writer goes on meanwhile.
const COPY_AFTER: u64 = 64;
/// Pages in the WAL before the writer begins it anew, else it would grow without end under load.
const RESTART_AFTER: i64 = 8_192;
/// Pages that may be left to copy then: for so long the writer has to wait.
const LEFT_AT_RESTART: i64 = 256;
/// Looks without a commit before the WAL is emptied: with it goes what was erased.
const IDLE: u32 = 4;

/// SQLite's code for a full disk.
const FULL: &str = "13";

/// A SQLite database.
pub(crate) struct Engine {
    readers: SqlitePool,
    writer: mpsc::Sender<Request>,
    /// Ends when the writer has committed everything it was given.
    writing: Mutex<Option<JoinHandle<()>>>,
    checkpoints: JoinHandle<()>,
    /// Where the database lies.
    folder: PathBuf,
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
        let folder = folder_of(path).to_owned();
        let mut writer =
            options(path).pragma("cache_size", CACHE).row_buffer_size(OUTCOMES).connect().await?;
        migrate::sqlite(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options(path).pragma("query_only", "ON"))
            .await?;
        let checkpointer = options(path).busy_timeout(CHECKPOINT_BUSY).connect().await?;

        let (sender, queue) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let writing = tokio::spawn(write(writer, queue, Arc::clone(&commits)));
        let checkpoints = tokio::spawn(checkpoint(checkpointer, commits));
        Ok(Engine { readers, writer: sender, writing: Mutex::new(Some(writing)), checkpoints, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Has the writer commit `unit`; answers after the sync of its group.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Vec<Row>, Error> {
        let (answer, outcome) = oneshot::channel();
        let place = tokio::time::timeout(QUEUE_WAIT, self.writer.reserve()).await;
        let place = place.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
        place.send(Request::Unit { unit, answer });
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

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .page_size(PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // Checkpoints are the checkpointer's, so that no commit has to wait for one.
        .pragma("wal_autocheckpoint", "0")
        // Erased keys and bodies are overwritten, not only unlinked.
        .pragma("secure_delete", "ON")
        // Pages that a statement or savepoint sets aside never lie in a file outside the store.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Creates the database file for its owner only, and makes its name durable.
pub(crate) fn create(path: &Path) -> Result<(), Error> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The writer: takes all units that wait, commits them together with one sync, answers them. While a sync runs, the
/// next group gathers by itself.
async fn write(mut conn: SqliteConnection, mut queue: mpsc::Receiver<Request>, commits: Arc<AtomicU64>) {
    let mut requests = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut requests, GROUP).await > 0 {
        gather(&mut queue, &mut requests).await;
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

/// Lets whoever can run hand in its unit before the group is committed, as long as each round brings some: on a busy
/// machine many requests are nearly there, and a group costs a sync and its pages, however small it is. On an idle one a
/// round takes no time.
async fn gather(queue: &mut mpsc::Receiver<Request>, requests: &mut Vec<Request>) {
    loop {
        let before = requests.len();
        tokio::task::yield_now().await;
        while requests.len() < GROUP
            && let Ok(request) = queue.try_recv()
        {
            requests.push(request);
        }
        if requests.len() == before || requests.len() >= GROUP {
            return;
        }
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
            let cause = Error::from(error);
            for answer in answers {
                let error = match cause {
                    Error::Busy => Error::Busy,
                    Error::DiskFull => Error::DiskFull,
                    _ => Error::Database { code: code.clone() },
                };
                let _ = answer.send(Err(error));
            }
        }
    }
}

/// Runs the units in one transaction; the rows of each, or why it failed.
///
/// Nearly always none fails, so first they run without savepoints, which cost SQLite a copy of every page it touches. If
/// one fails, all is rolled back and each runs again within a savepoint, so that a failed one takes back itself alone.
async fn transact(
    conn: &mut SqliteConnection,
    units: &[Unit],
) -> Result<Vec<Result<Vec<Row>, Error>>, sqlx::Error> {
    execute(conn, "BEGIN IMMEDIATE").await?;
    if let Some(rows) = run_all(conn, units).await {
        end(conn, true).await?;
        return Ok(rows.into_iter().map(Ok).collect());
    }
    // SQLite has rolled back by itself where the disk is full, or a row was refused.
    let _ = execute(conn, "ROLLBACK").await;
    execute(conn, "BEGIN IMMEDIATE").await?;
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        execute(conn, "SAVEPOINT unit").await?;
        let outcome = match unit.run(&mut Conn::Sqlite(conn)).await {
            Ok(rows) => Ok(rows),
            Err(failed) => match (execute(conn, "ROLLBACK TO unit").await, failed) {
                (Ok(()), failed) => Err(failed.into()),
                // It has rolled back all of it by itself: the cause tells more.
                (Err(_), Failed::Database(cause)) => return Err(cause),
                (Err(error), Failed::Unit(_)) => return Err(error),
            },
        };
        execute(conn, "RELEASE unit").await?;
        outcomes.push(outcome);
    }
    end(conn, outcomes.iter().any(Result::is_ok)).await?;
    Ok(outcomes)
}

/// The rows of each unit; `None` as soon as one fails.
async fn run_all(conn: &mut SqliteConnection, units: &[Unit]) -> Option<Vec<Vec<Row>>> {
    let mut all = Vec::with_capacity(units.len());
    let mut rest = units;
    while let [first, ..] = rest {
        let (some, others) = rest.split_at(alike(rest));
        rest = others;
        if let [_] = some {
            all.push(first.run(&mut Conn::Sqlite(conn)).await.ok()?);
            continue;
        }
        run_alike(conn, some).await.ok()?;
        all.extend(some.iter().map(|_| Vec::new()));
    }
    Some(all)
}

/// Ends the transaction. A commit that fails stops the process, unless the disk is full: then the log has not taken it,
/// nothing was synced, and it is rolled back like any other.
async fn end(conn: &mut SqliteConnection, commit: bool) -> Result<(), sqlx::Error> {
    if !commit {
        return execute(conn, "ROLLBACK").await;
    }
    if let Err(error) = execute(conn, "COMMIT").await {
        let code = code_of(&error);
        if code == FULL {
            return Err(error);
        }
        stop_the_process("commit", &code);
    }
    Ok(())
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(conn).await.map(drop)
}

/// Copies the WAL into the database on a connection of its own.
async fn checkpoint(mut conn: SqliteConnection, commits: Arc<AtomicU64>) {
    let (mut seen, mut copied, mut emptied, mut idle, mut let_grow) = (0, 0, 0, 0_u32, 0_u32);
    let mut every = tokio::time::interval(CHECKPOINT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let now = commits.load(Ordering::Relaxed);
        idle = if now == seen { idle.saturating_add(1) } else { 0 };
        seen = now;
        let_grow = let_grow.saturating_sub(1);
        if idle >= IDLE && let_grow == 0 && emptied != now {
            // Once; again where somebody was in the way. A process that wrote nothing leaves it to those that do.
            match run_checkpoint(&mut conn, "PRAGMA wal_checkpoint(TRUNCATE)").await.done {
                true => emptied = now,
                false => let_grow = LET_GROW,
            }
        } else if now - copied >= COPY_AFTER && let_grow == 0 {
            copied = now;
            if !copy(&mut conn).await {
                let_grow = LET_GROW;
            }
        }
    }
}

/// Copies while the writer goes on; begins a long WAL anew once little is left to copy. Returns whether nobody was in the way.
async fn copy(conn: &mut SqliteConnection) -> bool {
    const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
    let Copied { pages, mut left, .. } = run_checkpoint(conn, PASSIVE).await;
    if pages < RESTART_AFTER {
        return true;
    }
    for _ in 0..4 {
        if left > LEFT_AT_RESTART {
            left = run_checkpoint(conn, PASSIVE).await.left;
        }
    }
    run_checkpoint(conn, "PRAGMA wal_checkpoint(RESTART)").await.done
}

/// What a checkpoint did.
#[derive(Default)]
struct Copied {
    /// Whether nobody was in the way.
    done: bool,
    /// Pages in the WAL.
    pages: i64,
    /// Pages of them that are left to copy.
    left: i64,
}

/// Nothing is copied, and nothing left, if it did not run.
async fn run_checkpoint(conn: &mut SqliteConnection, sql: &'static str) -> Copied {
    match sqlx::query(sql).fetch_one(conn).await {
        Ok(row) => {
            let row = Row::Sqlite(row);
            let (pages, copied) = (row.int(1).unwrap_or_default(), row.int(2).unwrap_or_default());
            Copied { done: row.int(0).unwrap_or_default() == 0, pages, left: pages - copied }
        }
        Err(error) => {
            let code = code_of(&error);
            // Low byte 10: the disk failed to read, write or sync. Anything else (a lock) passes.
            if code.parse::<u32>().is_ok_and(|code| code & 0xff == 10) {
                stop_the_process("checkpoint", &code);
            }
            tracing::warn!(code, "a checkpoint of the database did not run");
            Copied::default()
        }
    }
}

fn code_of(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Work;

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
            assert_eq!(pragma(conn, "PRAGMA temp_store").await, "2", "MEMORY");
            assert_eq!(pragma(conn, "PRAGMA page_size").await, PAGE.to_string());
        }
        assert!(sqlx::query("DELETE FROM job").execute(&mut *reader).await.is_err());
        drop(reader);
        engine.close().await;
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_told_instead_of_kept_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Engine::open(&folder.path().join("rows.db")).await.unwrap();
        // A writer that is stuck: one place, taken, and nobody who takes it out.
        let (stuck, _queue) = mpsc::channel(1);
        stuck.send(Request::Close).await.unwrap();
        let writer = std::mem::replace(&mut engine.writer, stuck);
        tokio::time::pause();
        let refused = engine.commit(Unit::Steps(vec![])).await.err().unwrap();
        assert_eq!((refused.code(), refused.is_transient()), ("store.busy", true));
        tokio::time::resume();
        engine.writer = writer;
        engine.close().await;
    }

    #[tokio::test]
    async fn of_units_that_go_together_the_refused_one_alone_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        let engine = Engine::open(&path).await.unwrap();
        let unit = |key: &str| {
            let mut work = Work::new();
            let id = model::ids::new_id();
            work.claim_dedup("t", "own", &id.to_string(), id, "d", None).cancel_jobs("t", id);
            work.claim_dedup("t", "in", key, id, "d", None);
            Unit::Steps(work.into_steps().unwrap())
        };
        let units = ["a", "b", "a", "c"].map(unit);
        assert_eq!(alike(&units), 4);
        let mut conn = options(&path).connect().await.unwrap();
        let outcomes = transact(&mut conn, &units).await.unwrap();
        let kept: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(kept, [true, true, false, true]);
        assert_eq!(pragma(&mut conn, "SELECT count(*) FROM dedup").await, "6", "two of each kept one");
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
