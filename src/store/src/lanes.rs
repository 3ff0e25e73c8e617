//! Lanes as operators see them, and their breakers.

use model::Timestamp;

use crate::breaker::{Breaker, BreakerState, LaneFailure};
use crate::sql::{Conn, Failed, Row, Select};
use crate::unit::Unit;
use crate::{Class, Error, Store};

/// How a lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Tenant.
    pub tenant: String,
    /// Lane within the tenant.
    pub lane: String,
    /// Which workers take its jobs.
    pub class: Class,
    /// Jobs that nobody has, due or not.
    pub waiting: u64,
    /// Jobs that a worker has or had when its lease ran out.
    pub leased: u64,
    /// Smallest [`Job::created_at`](crate::Job::created_at) of its unfinished jobs.
    pub oldest: Option<Timestamp>,
    /// Its breaker.
    pub breaker: Breaker,
}

impl Lane {
    /// The adapter that it leads to: one that is told things, or whose session runs in it.
    pub fn adapter(&self) -> Option<&str> {
        ["channel:", "session:"].iter().find_map(|kind| self.lane.strip_prefix(kind))
    }
}

/// The key of a lane.
pub(crate) struct LaneKey {
    pub(crate) tenant: String,
    pub(crate) lane: String,
}

/// What is to be noted on a breaker.
pub(crate) struct LaneChange {
    key: LaneKey,
    now: Timestamp,
    /// Absent: a job has worked.
    failure: Option<LaneFailure>,
}

const COLUMNS: &str = "l.breaker, l.failures, l.openings, l.open_until, l.since, l.last_code";

impl LaneKey {
    fn args(&self) -> Vec<crate::sql::Value> {
        vec![self.tenant.as_str().into(), self.lane.as_str().into()]
    }

    /// Reads the breaker, changes it and writes it, if it changed. On PostgreSQL the row stays locked in between.
    pub(crate) async fn change(
        &self,
        conn: &mut Conn<'_>,
        change: impl FnOnce(&mut Breaker),
    ) -> Result<(), Failed> {
        let lock = if matches!(conn, Conn::Postgres(_)) { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT {COLUMNS} FROM lane l WHERE l.tenant = $1 AND l.lane = $2{lock}");
        let rows = conn.rows(sqlx::AssertSqlSafe(sql), &self.args()).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let before = breaker(row, 0)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let mut args = self.args();
        args.extend([
            after.state.name().into(),
            after.failures.into(),
            after.openings.into(),
            after.open_until.into(),
            after.since.into(),
            after.last_code.as_deref().into(),
        ]);
        conn.execute(
            "UPDATE lane SET breaker = $3, failures = $4, openings = $5, open_until = $6, since = $7, last_code = $8 \
             WHERE tenant = $1 AND lane = $2",
            &args,
        )
        .await?;
        Ok(())
    }
}

impl LaneChange {
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        let change = |breaker: &mut Breaker| match &self.failure {
            Some(failure) => breaker.failed(failure, self.now),
            None => breaker.worked(self.now),
        };
        self.key.change(conn, change).await?;
        Ok(vec![])
    }
}

impl Store {
    /// Notes on a lane's breaker that a job has worked, or that it failed and the other side is to blame.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn note_lane(
        &self,
        tenant: &str,
        lane: &str,
        failure: Option<LaneFailure>,
    ) -> Result<(), Error> {
        let key = LaneKey { tenant: tenant.to_owned(), lane: lane.to_owned() };
        let change = LaneChange { key, now: self.db().now().await?, failure };
        self.db().commit(Unit::Lane(change)).await.map(drop)
    }

    /// How the lanes of a tenant stand: those with unfinished jobs, and all that call outside.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn lanes(&self, tenant: &str) -> Result<Vec<Lane>, Error> {
        let select = Select::new(LANES).sql(" WHERE l.tenant = ").bind(tenant).sql(GROUPED);
        self.db().read(select).await?.iter().map(lane).collect()
    }

    pub(crate) async fn all_lanes(&self) -> Result<Vec<Lane>, Error> {
        self.db().read(Select::new(LANES).sql(GROUPED)).await?.iter().map(lane).collect()
    }
}

const LANES: &str = "SELECT l.tenant, l.lane, l.class, count(j.id) - count(j.holder), count(j.holder), \
     min(j.created_at), l.breaker, l.failures, l.openings, l.open_until, l.since, l.last_code \
     FROM lane l LEFT JOIN job j ON j.tenant = l.tenant AND j.lane = l.lane";
const GROUPED: &str =
    " GROUP BY l.tenant, l.lane HAVING count(j.id) > 0 OR l.class = 'network' ORDER BY l.tenant, l.lane";

fn lane(row: &Row) -> Result<Lane, Error> {
    let class = row.text(2)?;
    Ok(Lane {
        tenant: row.text(0)?,
        lane: row.text(1)?,
        class: Class::ALL
            .into_iter()
            .find(|known| known.name() == class)
            .ok_or(Error::Corrupt { what: "lane" })?,
        waiting: row.number(3)?,
        leased: row.number(4)?,
        oldest: row.opt_time(5)?,
        breaker: breaker(row, 6)?,
    })
}

/// The breaker in the columns from `first` on.
fn breaker(row: &Row, first: usize) -> Result<Breaker, Error> {
    let state = row.text(first)?;
    let count = |column: usize| Ok::<_, Error>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    Ok(Breaker {
        state: BreakerState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or(Error::Corrupt { what: "lane" })?,
        failures: count(first + 1)?,
        openings: count(first + 2)?,
        open_until: row.time(first + 3)?,
        since: row.time(first + 4)?,
        last_code: row.opt_text(first + 5)?,
    })
}
