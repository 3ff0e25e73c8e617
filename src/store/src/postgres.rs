//! The scale-out engine: PostgreSQL 15 or newer, shared by any number of gateway nodes.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use tokio::task::JoinHandle;

use crate::queue::Bells;
use crate::sql::{Conn, Failed, Row};
use crate::unit::Unit;
use crate::{Error, migrate, partition};

const CONNECTIONS: u32 = 16;
/// How often a unit is run again after a deadlock or serialization failure.
const ATTEMPTS: u32 = 5;
/// Pause before listening is tried again.
const RECONNECT: Duration = Duration::from_secs(1);
const CHANNEL: &str = "amtsbote_jobs";

/// A PostgreSQL database.
pub(crate) struct Engine {
    pool: PgPool,
    listener: JoinHandle<()>,
}

impl Engine {
    /// Connects, refuses settings that lose data, brings schema and partitions up to date; `bells` ring whenever any
    /// node enqueues.
    pub(crate) async fn open(url: &str, now: Timestamp, bells: Arc<Bells>) -> Result<Self, Error> {
        let options =
            PgConnectOptions::from_str(url)?.application_name("amtsbote").disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        refuse_unsafe(&pool).await?;
        migrate::postgres(&pool).await?;
        partition::create_ahead(&pool, now).await?;
        let listener = tokio::spawn(listen(pool.clone(), bells));
        Ok(Engine { pool, listener })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The database's time, which all nodes share.
    pub(crate) async fn now(&self) -> Result<Timestamp, Error> {
        const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        let micros: i64 = sqlx::query_scalar(NOW).fetch_one(&self.pool).await?;
        Ok(Timestamp::from_micros(micros))
    }

    /// Commits `unit` in a transaction; run again if the database had to choose a victim.
    pub(crate) async fn commit(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        for _ in 1..ATTEMPTS {
            match self.transact(unit).await {
                Err(Error::Busy) => tokio::task::yield_now().await,
                outcome => return outcome,
            }
        }
        self.transact(unit).await
    }

    async fn transact(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let mut transaction = self.pool.begin().await?;
        let conn: &mut PgConnection = &mut transaction;
        let rows = unit.run(&mut Conn::Postgres(conn)).await.map_err(|failed: Failed| Error::from(failed))?;
        transaction.commit().await.map_err(|error| match Error::from(error) {
            Error::Unavailable => Error::Uncertain,
            error => error,
        })?;
        Ok(rows)
    }

    /// Wakes the other nodes. Only a hint, in a transaction of its own: within the unit's it would queue up commits.
    pub(crate) async fn notify(&self) {
        let sent = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&self.pool).await;
        if let Err(error) = sent {
            tracing::debug!(code = Error::from(error).code(), "the other nodes were not woken");
        }
    }

    pub(crate) async fn close(&self) {
        self.listener.abort();
        self.pool.close().await;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// A commit must have reached the disk when it is answered.
async fn refuse_unsafe(pool: &PgPool) -> Result<(), Error> {
    for (sql, setting) in [("SHOW synchronous_commit", "synchronous_commit"), ("SHOW fsync", "fsync")] {
        let value: String = sqlx::query_scalar(sql).fetch_one(pool).await?;
        if value == "off" {
            return Err(Error::UnsafeSetting { setting });
        }
    }
    Ok(())
}

async fn listen(pool: PgPool, bells: Arc<Bells>) {
    loop {
        if let Err(error) = listen_once(&pool, &bells).await {
            tracing::debug!(code = Error::from(error).code(), "not listening for jobs of other nodes");
        }
        // Meanwhile work is found by time.
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(pool: &PgPool, bells: &Bells) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(CHANNEL).await?;
    loop {
        listener.recv().await?;
        bells.all();
    }
}
