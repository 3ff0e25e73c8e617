//! Time stamps over heads of the chain: what there is, and whose turn it is to ask for the next one.
//!
//! A stamp over a head covers all batches up to it. Who asks is decided by one row per tenant, which also holds when to
//! ask next: several nodes ask once together, and a node that dies while asking is replaced after the lease.

use std::time::Duration;

use model::Timestamp;
use seal::chain::SignedBatch;

use crate::sql::{Expect, Row, Select, Step};
use crate::unit::Unit;
use crate::{Error, Page, Store};

/// A time stamp over the head of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampRow {
    /// The batch; the stamp covers it and all before.
    pub batch_no: u64,
    /// The authority's time.
    pub at: Timestamp,
    /// RFC 3161 TimeStampResp in DER, as it came.
    pub response: Vec<u8>,
}

/// How a tenant's chain stands with its time stamps.
#[derive(Debug, Clone)]
pub struct StampState {
    /// Time of the last stamp; absent if there is none.
    pub last: Option<Timestamp>,
    /// The last batch, if no stamp covers it.
    pub unstamped: Option<SignedBatch>,
    /// When the oldest batch that no stamp covers was sealed.
    pub unstamped_since: Option<Timestamp>,
}

impl Store {
    /// The tenant's stamps over batch `from` and later ones, ascending, at most `limit` and [`Page::MOST`]. The first is
    /// the one that proves batch `from`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn stamps(&self, tenant: &str, from: u64, limit: u32) -> Result<Vec<StampRow>, Error> {
        let select = Select::new("SELECT batch_no, stamped_at, token FROM chain_stamp WHERE tenant = ")
            .bind(tenant)
            .and("batch_no >=", from)
            .sql(" ORDER BY batch_no LIMIT ")
            .bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(stamp).collect()
    }

    /// See [`StampState`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn stamp_state(&self, tenant: &str) -> Result<StampState, Error> {
        let last = Select::new("SELECT batch_no, stamped_at FROM chain_stamp WHERE tenant = ")
            .bind(tenant)
            .sql(" ORDER BY batch_no DESC LIMIT 1");
        let last = self.db().read_one(last).await?;
        let covered = last.as_ref().map_or(Ok(0), |row| row.number(0))?;
        let last = last.map(|row| row.time(1)).transpose()?;
        let unstamped = self.last_batch(tenant).await?.filter(|signed| signed.batch.no > covered);
        let since = Select::new("SELECT sealed_at FROM chain_batch WHERE tenant = ")
            .bind(tenant)
            .and("no >", covered)
            .sql(" ORDER BY no LIMIT 1");
        let unstamped_since = match &unstamped {
            Some(_) => self.db().read_one(since).await?.map(|row| row.time(0)).transpose()?,
            None => None,
        };
        Ok(StampState { last, unstamped, unstamped_since })
    }

    /// Takes the turn to ask for the tenant's next stamp, for the time of `lease`. Returns how often asking has failed
    /// in a row; `None` if it is not due yet, or another node is at it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_stamping(&self, tenant: &str, lease: Duration) -> Result<Option<u32>, Error> {
        let now = self.db().now().await?;
        let claim = Select::new("INSERT INTO stamper (tenant, due_at, failures) VALUES (")
            .bind(tenant)
            .sql(", ")
            .bind(now.plus(lease))
            .sql(", 0) ON CONFLICT (tenant) DO UPDATE SET due_at = excluded.due_at WHERE stamper.due_at <= ")
            .bind(now)
            .sql(" RETURNING failures");
        let rows = self.db().commit_returning(claim, "stamper").await?;
        let failures = rows.first().map(|row| row.number(0)).transpose()?;
        Ok(failures.map(|failures| u32::try_from(failures).unwrap_or(u32::MAX)))
    }

    /// Keeps a stamp; the next one is due after `pause`. If another node was quicker with this batch, its stamp stays.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_stamp(&self, tenant: &str, stamp: &StampRow, pause: Duration) -> Result<(), Error> {
        let insert = Step::new(
            "INSERT INTO chain_stamp (tenant, batch_no, stamped_at, token) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, batch_no) DO NOTHING",
            vec![
                tenant.into(),
                stamp.batch_no.into(),
                stamp.at.into(),
                Some(stamp.response.as_slice()).into(),
            ],
            "stamp",
            Expect::Any,
        );
        let due = self.db().now().await?.plus(pause);
        let next = Step::new(
            "UPDATE stamper SET due_at = $2, failures = 0 WHERE tenant = $1",
            vec![tenant.into(), due.into()],
            "stamper",
            Expect::Any,
        );
        self.db().commit(Unit::Steps(vec![insert, next])).await?;
        Ok(())
    }

    /// Notes that no stamp was to be had; the next attempt is due after `pause`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn stamping_failed(&self, tenant: &str, pause: Duration) -> Result<(), Error> {
        let due = self.db().now().await?.plus(pause);
        let next = Step::new(
            "UPDATE stamper SET due_at = $2, failures = failures + 1 WHERE tenant = $1",
            vec![tenant.into(), due.into()],
            "stamper",
            Expect::Any,
        );
        self.db().commit(Unit::Steps(vec![next])).await?;
        Ok(())
    }
}

pub(crate) fn stamp(row: &Row) -> Result<StampRow, Error> {
    let response = row.opt_bytes(2)?.ok_or(Error::Corrupt { what: "stamp" })?;
    Ok(StampRow { batch_no: row.number(0)?, at: row.time(1)?, response })
}
