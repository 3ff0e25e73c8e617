//! The same behaviour on both engines. SQLite always runs; PostgreSQL runs if `AMTSBOTE_TEST_POSTGRES` is the URL of a server
//! where databases may be created, such as `postgres://postgres@localhost:5432/postgres`.

use model::ids;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Runs a test on every engine, each time on a fresh database: with its URL, or with none for SQLite.
pub async fn on_every_engine<F>(test: impl Fn(Option<String>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    test(None).await;
    let Ok(server) = std::env::var("AMTSBOTE_TEST_POSTGRES") else {
        eprintln!("SKIPPED: PostgreSQL (AMTSBOTE_TEST_POSTGRES is not set)");
        return;
    };
    let name = format!("amtsbote_test_{}", ids::new_id().simple());
    let mut admin = PgConnection::connect(&server).await.expect("the PostgreSQL server of the tests answers");
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    // As a task, so that the database goes even if the test fails.
    let outcome = tokio::spawn(test(Some(format!("{base}/{name}")))).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}
