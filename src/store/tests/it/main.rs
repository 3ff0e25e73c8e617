//! One suite of behaviours for both engines. SQLite always runs; PostgreSQL runs if `AMTSBOTE_TEST_POSTGRES` is the URL of
//! a server where databases may be created, such as `postgres://postgres@localhost:5432/postgres`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod audit;
mod backup;
mod channels;
mod clarifications;
mod desk;
mod durable;
mod events;
mod figures;
mod full_disk;
mod hooks;
mod inbox;
mod lanes;
mod make;
mod opening;
mod payloads;
mod payments;
mod pieces;
mod queue;
mod relay;
mod scopes;
mod search;
mod staging;
mod stamps;
#[path = "../../../seal/tests/it/tsa.rs"]
#[allow(dead_code, reason = "made for other tests")]
mod tsa;
mod uploads;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{Clock, Timestamp, ids};
use seal::keys::{KeyRing, MasterKey};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use store::{Config, Store};
use tempfile::TempDir;

/// A clock that tests set.
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub(crate) fn now() -> Self {
        TestClock(AtomicI64::new(model::SystemClock.now().micros()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }
}

/// A fresh store and what it stands on.
#[derive(Clone)]
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) database: String,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) keys: Arc<KeyRing>,
}

impl Bed {
    async fn new(database: Option<String>) -> Bed {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let database =
            database.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("rows.db").display()));
        // Later than any id of this test, so that everything enqueued is due; on PostgreSQL the database's own time
        // counts for leases.
        let clock = Arc::new(TestClock::now());
        let keys = Arc::new(KeyRing::new(MasterKey::random().unwrap(), vec![]));
        let store = open(&database, folder.path(), &clock, &keys).await.unwrap();
        Bed { store, database, folder, clock, keys }
    }

    /// Opens the same database and folder again.
    pub(crate) async fn reopen(&self) -> Store {
        open(&self.database, self.folder.path(), &self.clock, &self.keys).await.unwrap()
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.database.starts_with("sqlite:")
    }

    pub(crate) fn payload_folder(&self) -> PathBuf {
        self.folder.path().join("payloads")
    }

    /// All payload files.
    pub(crate) fn payload_files(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.payload_folder()).unwrap();
        folders
            .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
            .map(|f| f.unwrap().path())
            .collect()
    }
}

/// Statements past the gateway.
pub(crate) async fn execute(database: &str, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    if database.starts_with("sqlite:") {
        let mut conn = SqliteConnection::connect(database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = PgConnection::connect(database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

pub(crate) async fn open(
    database: &str,
    folder: &Path,
    clock: &Arc<TestClock>,
    keys: &Arc<KeyRing>,
) -> Result<Store, store::Error> {
    let config = Config {
        database: database.to_owned(),
        payloads: folder.join("payloads"),
        keys: Arc::clone(keys),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    };
    Store::open(config).await
}

/// Runs a test on every engine, each time on a fresh store.
pub(crate) async fn on_every_engine<F>(test: impl Fn(Bed) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let bed = Bed::new(None).await;
    test(bed.clone()).await;
    bed.store.close().await;

    let Ok(server) = std::env::var("AMTSBOTE_TEST_POSTGRES") else {
        eprintln!("SKIPPED: PostgreSQL (AMTSBOTE_TEST_POSTGRES is not set)");
        return;
    };
    let name = format!("amtsbote_test_{}", ids::new_id().simple());
    let mut admin = PgConnection::connect(&server).await.expect("the PostgreSQL server of the tests answers");
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    let bed = Bed::new(Some(format!("{base}/{name}"))).await;
    // As a task, so that the database goes even if the test fails.
    let outcome = tokio::spawn(test(bed.clone())).await;
    bed.store.close().await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// What a refused unit of work names.
pub(crate) fn conflict(outcome: Result<(), store::Error>) -> &'static str {
    match outcome {
        Err(store::Error::Conflict { what }) => what,
        other => panic!("expected a conflict, got {other:?}"),
    }
}
