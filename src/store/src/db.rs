//! The two engines behind one face.

use std::path::Path;
use std::sync::Arc;

use model::{Clock, Timestamp};

use crate::queue::Bells;
use crate::sql::{Conn, Expect, Row, Select, Step, refuse_nul};
use crate::unit::Unit;
use crate::{Error, postgres, sqlite};

/// A database of either engine.
pub(crate) enum Db {
    Sqlite(sqlite::Engine, Arc<dyn Clock>),
    Postgres(postgres::Engine),
}

impl Db {
    /// Opens `sqlite:<path>` or `postgres://…`.
    pub(crate) async fn open(url: &str, clock: Arc<dyn Clock>, bells: Arc<Bells>) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Ok(Db::Sqlite(sqlite::Engine::open(Path::new(path)).await?, clock));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Db::Postgres(postgres::Engine::open(url, clock.now(), bells).await?));
        }
        Err(Error::Config { what: "database" })
    }

    /// `sqlite` or `postgres`, for metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Db::Sqlite(..) => "sqlite",
            Db::Postgres(_) => "postgres",
        }
    }

    /// What leases are measured by: on PostgreSQL the database's time, because nodes' clocks differ.
    pub(crate) async fn now(&self) -> Result<Timestamp, Error> {
        match self {
            Db::Sqlite(_, clock) => Ok(clock.now()),
            Db::Postgres(engine) => engine.now().await,
        }
    }

    /// Reads what is committed.
    pub(crate) async fn read(&self, select: Select) -> Result<Vec<Row>, Error> {
        let (sql, args) = select.finish();
        refuse_nul(&args)?;
        Ok(match self {
            Db::Sqlite(engine, _) => {
                Conn::Sqlite(&mut *engine.readers().acquire().await?).rows(sql, &args).await?
            }
            Db::Postgres(engine) => {
                Conn::Postgres(&mut *engine.pool().acquire().await?).rows(sql, &args).await?
            }
        })
    }

    /// The first row of what [`Db::read`] gives.
    pub(crate) async fn read_one(&self, select: Select) -> Result<Option<Row>, Error> {
        Ok(self.read(select).await?.into_iter().next())
    }

    /// Commits a unit, durably. Returns the rows of its returning steps.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Vec<Row>, Error> {
        match self {
            Db::Sqlite(engine, _) => engine.commit(unit).await,
            Db::Postgres(engine) => engine.commit(&unit).await,
        }
    }

    /// Commits one statement that returns rows.
    pub(crate) async fn commit_returning(
        &self,
        select: Select,
        what: &'static str,
    ) -> Result<Vec<Row>, Error> {
        let step: Step = select.step(what, Expect::Returning);
        self.commit(Unit::Steps(vec![step])).await
    }

    /// Appended to a select of rows that are about to be changed: leave out what another node is working on. SQLite has
    /// one writer and needs nothing.
    pub(crate) fn skip_locked(&self) -> &'static str {
        match self {
            Db::Sqlite(..) => "",
            Db::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The texts of a JSON array given as `value`, as a subquery.
    pub(crate) fn texts_of(&self, select: Select, value: String) -> Select {
        match self {
            Db::Sqlite(..) => select.sql("(SELECT value FROM json_each(").bind(value).sql("))"),
            Db::Postgres(_) => {
                select.sql("(SELECT jsonb_array_elements_text(CAST(").bind(value).sql(" AS jsonb)))")
            }
        }
    }

    /// Appended to a select of deliveries: only those that answer one of the texts of a JSON array.
    pub(crate) fn answering(&self, select: Select, texts: String) -> Select {
        let each = match self {
            Db::Sqlite(..) => {
                " AND EXISTS (SELECT 1 FROM json_each(relay_delivery.related) AS it WHERE it.value IN "
            }
            Db::Postgres(_) => {
                " AND EXISTS (SELECT 1 FROM jsonb_array_elements_text(CAST(relay_delivery.related AS jsonb)) \
                 AS it (value) WHERE it.value IN "
            }
        };
        self.texts_of(select.sql(each), texts).sql(")")
    }

    pub(crate) async fn close(&self) {
        match self {
            Db::Sqlite(engine, _) => engine.close().await,
            Db::Postgres(engine) => engine.close().await,
        }
    }
}
