//! Brings the schema forwards at start: each migration in one transaction, its number recorded with it.
//!
//! A migration must leave a schema that the version before can still work with (rolling upgrades on PostgreSQL): add
//! columns and tables, drop them one version later. A database newer than this program is refused.

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, SqlSafeStr, raw_sql};

use crate::Error;
use crate::sql::Conn;

struct Migration {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

/// In ascending order.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sqlite: include_str!("../migrations/sqlite/0001_start.sql"),
        postgres: include_str!("../migrations/postgres/0001_start.sql"),
    },
    Migration {
        version: 2,
        sqlite: include_str!("../migrations/sqlite/0002_lanes.sql"),
        postgres: include_str!("../migrations/postgres/0002_lanes.sql"),
    },
    Migration {
        version: 3,
        sqlite: include_str!("../migrations/sqlite/0003_webhooks.sql"),
        postgres: include_str!("../migrations/postgres/0003_webhooks.sql"),
    },
    Migration {
        version: 4,
        sqlite: include_str!("../migrations/sqlite/0004_stamps.sql"),
        postgres: include_str!("../migrations/postgres/0004_stamps.sql"),
    },
    Migration {
        version: 5,
        sqlite: include_str!("../migrations/sqlite/0005_uploads.sql"),
        postgres: include_str!("../migrations/postgres/0005_uploads.sql"),
    },
    Migration {
        version: 6,
        sqlite: include_str!("../migrations/sqlite/0006_clarifications.sql"),
        postgres: include_str!("../migrations/postgres/0006_clarifications.sql"),
    },
    Migration {
        version: 7,
        sqlite: include_str!("../migrations/sqlite/0007_compact.sql"),
        postgres: include_str!("../migrations/postgres/0007_compact.sql"),
    },
    Migration {
        version: 8,
        sqlite: include_str!("../migrations/sqlite/0008_relay.sql"),
        postgres: include_str!("../migrations/postgres/0008_relay.sql"),
    },
    Migration {
        version: 9,
        sqlite: include_str!("../migrations/sqlite/0009_pieces.sql"),
        postgres: include_str!("../migrations/postgres/0009_pieces.sql"),
    },
    Migration {
        version: 10,
        sqlite: include_str!("../migrations/sqlite/0010_boxes.sql"),
        postgres: include_str!("../migrations/postgres/0010_boxes.sql"),
    },
    Migration {
        version: 11,
        sqlite: include_str!("../migrations/sqlite/0011_destroyed.sql"),
        postgres: include_str!("../migrations/postgres/0011_destroyed.sql"),
    },
    Migration {
        version: 12,
        sqlite: include_str!("../migrations/sqlite/0012_payments.sql"),
        postgres: include_str!("../migrations/postgres/0012_payments.sql"),
    },
    Migration {
        version: 13,
        sqlite: include_str!("../migrations/sqlite/0013_channels.sql"),
        postgres: include_str!("../migrations/postgres/0013_channels.sql"),
    },
    Migration {
        version: 14,
        sqlite: include_str!("../migrations/sqlite/0014_people.sql"),
        postgres: include_str!("../migrations/postgres/0014_people.sql"),
    },
    Migration {
        version: 15,
        sqlite: include_str!("../migrations/sqlite/0015_approvals.sql"),
        postgres: include_str!("../migrations/postgres/0015_approvals.sql"),
    },
    Migration {
        version: 16,
        sqlite: include_str!("../migrations/sqlite/0016_figures.sql"),
        postgres: include_str!("../migrations/postgres/0016_figures.sql"),
    },
    Migration {
        version: 17,
        sqlite: include_str!("../migrations/sqlite/0017_search.sql"),
        postgres: include_str!("../migrations/postgres/0017_search.sql"),
    },
    Migration {
        version: 18,
        sqlite: include_str!("../migrations/sqlite/0018_retention.sql"),
        postgres: include_str!("../migrations/postgres/0018_retention.sql"),
    },
    Migration {
        version: 19,
        sqlite: include_str!("../migrations/sqlite/0019_desk.sql"),
        postgres: include_str!("../migrations/postgres/0019_desk.sql"),
    },
    Migration {
        version: 20,
        sqlite: include_str!("../migrations/sqlite/0020_sought.sql"),
        postgres: include_str!("../migrations/postgres/0020_sought.sql"),
    },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS amtsbote_schema (version BIGINT NOT NULL PRIMARY KEY)";
/// Keeps two starting nodes from migrating at the same time.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7237898)";

/// The newest version that this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

pub(crate) async fn sqlite(conn: &mut SqliteConnection) -> Result<(), Error> {
    sqlite_until(conn, newest()).await
}

/// No further than a version: what a backup of an older program is restored into.
pub(crate) async fn sqlite_until(conn: &mut SqliteConnection, version: i64) -> Result<(), Error> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
        if begin(&mut Conn::Sqlite(&mut transaction), migration).await? {
            raw_sql(migration.sqlite).execute(&mut *transaction).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

pub(crate) async fn postgres(pool: &PgPool) -> Result<(), Error> {
    postgres_until(pool, newest()).await
}

/// As [`sqlite_until`].
pub(crate) async fn postgres_until(pool: &PgPool, version: i64) -> Result<(), Error> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        let mut transaction = pool.begin().await?;
        raw_sql(LOCK).execute(&mut *transaction).await?;
        let conn: &mut PgConnection = &mut transaction;
        if begin(&mut Conn::Postgres(conn), migration).await? {
            raw_sql(migration.postgres.into_sql_str()).execute(&mut *transaction).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

/// Records the migration; `false` if it was done before.
async fn begin(conn: &mut Conn<'_>, migration: &Migration) -> Result<bool, Error> {
    conn.execute(TABLE, &[]).await?;
    let rows = conn.rows("SELECT COALESCE(MAX(version), 0) FROM amtsbote_schema", &[]).await?;
    let found = rows.first().map_or(Ok(0), |row| row.int(0))?;
    let known = newest();
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    if found >= migration.version {
        return Ok(false);
    }
    conn.execute("INSERT INTO amtsbote_schema (version) VALUES ($1)", &[migration.version.into()]).await?;
    Ok(true)
}
