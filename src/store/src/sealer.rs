//! The sealer: numbers committed events without gaps and chains them in signed Merkle batches.
//!
//! One sealer at a time per tenant, by a lease. Correctness does not rest on it: numbers, batches and events are unique in
//! the chain, and a batch is written in one unit of work, so that a crash at any point leaves no gap and no double.

use std::time::Duration;

use model::{Id, Timestamp, ids};
use seal::chain::{Batch, Entry, SignedBatch};
use seal::evidence_key::EvidenceKey;
use seal::{Digest, evidence_key};

use crate::sql::{Expect, Row, Select, Step};
use crate::unit::Unit;
use crate::{Error, Page, Store};

/// Most events of a batch. A power of two, so that the proofs of full batches are short.
const BATCH: u64 = 4_096;
/// After this time a sealer that died is replaced. Short, because until then no evidence grows; one that is slower
/// than this loses its batch to the next, nothing else.
const LEASE: Duration = Duration::from_secs(2);

impl Store {
    /// Numbers the tenant's committed events and seals them in batches until none is left. Returns how many were sealed;
    /// 0 if there is none, or if another node is at it.
    ///
    /// # Errors
    /// If the database or the signing fails; what was sealed before stays sealed.
    pub async fn seal(&self, tenant: &str, signer: &EvidenceKey) -> Result<u64, Error> {
        if self.unsealed(tenant, 1).await?.is_empty() {
            return Ok(0);
        }
        let holder = ids::new_id();
        if !self.lease_sealer(tenant, holder).await? {
            return Ok(0);
        }
        let mut sealed = 0;
        loop {
            match self.seal_batch(tenant, signer, holder).await {
                Ok((count, more)) => {
                    sealed += count;
                    if !more {
                        return Ok(sealed);
                    }
                }
                // The lease ran out and somebody else went on.
                Err(Error::Conflict { .. }) => return Ok(sealed),
                Err(error) => return Err(error),
            }
        }
    }

    /// Seals one batch; returns its size and whether more is left. Gives the lease back with the last one.
    async fn seal_batch(&self, tenant: &str, signer: &EvidenceKey, holder: Id) -> Result<(u64, bool), Error> {
        let mut unsealed = self.unsealed(tenant, BATCH + 1).await?;
        let more = unsealed.len() as u64 > BATCH;
        unsealed.truncate(BATCH as usize);
        let until = if more { self.db().now().await?.plus(LEASE) } else { Timestamp::default() };
        let lease = Step::new(
            "UPDATE sealer SET until = $3 WHERE tenant = $1 AND holder = $2",
            vec![tenant.into(), holder.into(), until.into()],
            "sealer",
            Expect::Rows(1),
        );
        let mut steps = vec![lease];
        if !unsealed.is_empty() {
            steps.extend(self.next_batch(tenant, signer, &unsealed).await?);
        }
        self.db().commit(Unit::Steps(steps)).await?;
        Ok((unsealed.len() as u64, more))
    }

    /// What makes these events the tenant's next batch.
    async fn next_batch(
        &self,
        tenant: &str,
        signer: &EvidenceKey,
        unsealed: &[(Id, Digest)],
    ) -> Result<[Step; 3], Error> {
        let previous = self.last_batch(tenant).await?.map(|signed| signed.batch);
        let first = previous.as_ref().map_or(1, |batch| batch.last + 1);
        let entries: Vec<Entry> = unsealed
            .iter()
            .zip(first..)
            .map(|(&(event_id, digest), number)| Entry { number, event_id, digest })
            .collect();
        let now = self.0.clock.now();
        let batch = Batch::seal(tenant, previous.as_ref(), &entries, now.micros())?.sign(signer)?;
        let [insert, delete] = self.move_entries(tenant, first, &entries)?;
        Ok([insert_batch(&batch), insert, delete])
    }

    /// Moves exactly these events from the queue into the chain, numbered in the order of their ids.
    fn move_entries(&self, tenant: &str, first: u64, entries: &[Entry]) -> Result<[Step; 2], Error> {
        let ids = serde_json::to_string(&entries.iter().map(|entry| entry.event_id).collect::<Vec<_>>())?;
        let all = Expect::Rows(entries.len() as u64);
        let insert = Select::new(
            "INSERT INTO chain_entry (tenant, number, event_id, digest) SELECT tenant, ",
        )
        .bind(first - 1)
        .sql(" + row_number() OVER (ORDER BY event_id), event_id, digest FROM unsealed WHERE tenant = ")
        .bind(tenant)
        .sql(" AND event_id IN ");
        let delete =
            Select::new("DELETE FROM unsealed WHERE tenant = ").bind(tenant).sql(" AND event_id IN ");
        Ok([
            self.db().texts_of(insert, ids.clone()).step("event", all),
            self.db().texts_of(delete, ids).step("event", all),
        ])
    }

    async fn lease_sealer(&self, tenant: &str, holder: Id) -> Result<bool, Error> {
        let now = self.db().now().await?;
        let lease = Select::new("INSERT INTO sealer (tenant, holder, until) VALUES (")
            .bind(tenant)
            .sql(", ")
            .bind(holder)
            .sql(", ")
            .bind(now.plus(LEASE))
            .sql(
                ") ON CONFLICT (tenant) DO UPDATE SET holder = excluded.holder, until = excluded.until \
                 WHERE sealer.until <= ",
            )
            .bind(now)
            .sql(" RETURNING tenant");
        Ok(!self.db().commit_returning(lease, "sealer").await?.is_empty())
    }

    /// The oldest events without a number, by id.
    async fn unsealed(&self, tenant: &str, limit: u64) -> Result<Vec<(Id, Digest)>, Error> {
        let select = Select::new("SELECT event_id, digest FROM unsealed WHERE tenant = ")
            .bind(tenant)
            .sql(" ORDER BY event_id LIMIT ")
            .bind(limit);
        self.db().read(select).await?.iter().map(|row| Ok((row.id(0)?, row.parsed(1)?))).collect()
    }

    /// Tenants that have events without a number.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unsealed_tenants(&self) -> Result<Vec<String>, Error> {
        let rows = self.db().read(Select::new("SELECT DISTINCT tenant FROM unsealed")).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// The tenant's batches behind number `after`, ascending, at most `limit` and [`Page::MOST`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn batches(&self, tenant: &str, after: u64, limit: u32) -> Result<Vec<SignedBatch>, Error> {
        let select = Select::new(BATCHES)
            .bind(tenant)
            .and("no >", after)
            .sql(" ORDER BY no LIMIT ")
            .bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(batch).collect()
    }

    /// Entries of the tenant's chain from number `first` to `last`, ascending; whoever needs a proof asks for those of a
    /// batch.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn chain_entries(&self, tenant: &str, first: u64, last: u64) -> Result<Vec<Entry>, Error> {
        let select = Select::new("SELECT number, event_id, digest FROM chain_entry WHERE tenant = ")
            .bind(tenant)
            .and("number >=", first)
            .and("number <=", last)
            .sql(" ORDER BY number");
        let rows = self.db().read(select).await?;
        let entry =
            |row: &Row| Ok(Entry { number: row.number(0)?, event_id: row.id(1)?, digest: row.parsed(2)? });
        rows.iter().map(entry).collect()
    }

    /// The tenant's last batch.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_batch(&self, tenant: &str) -> Result<Option<SignedBatch>, Error> {
        let select = Select::new(BATCHES).bind(tenant).sql(" ORDER BY no DESC LIMIT 1");
        self.db().read_one(select).await?.as_ref().map(batch).transpose()
    }
}

pub(crate) const BATCHES: &str = "SELECT tenant, no, first, last, root, previous_head, head, sealed_at, signature \
     FROM chain_batch WHERE tenant = ";

fn insert_batch(signed: &SignedBatch) -> Step {
    let batch = &signed.batch;
    let args = vec![
        batch.tenant.as_str().into(),
        batch.no.into(),
        batch.first.into(),
        batch.last.into(),
        batch.root.to_string().into(),
        batch.previous_head.to_string().into(),
        batch.head.to_string().into(),
        batch.sealed_at_micros.into(),
        hex::encode(&signed.signature.0).into(),
    ];
    Step::new(
        "INSERT INTO chain_batch (tenant, no, first, last, root, previous_head, head, sealed_at, signature) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args,
        "batch",
        Expect::Rows(1),
    )
}

pub(crate) fn batch(row: &Row) -> Result<SignedBatch, Error> {
    let signature = hex::decode(row.text(8)?).map_err(|_| Error::Corrupt { what: "batch" })?;
    let batch = Batch {
        tenant: row.text(0)?,
        no: row.number(1)?,
        first: row.number(2)?,
        last: row.number(3)?,
        root: row.parsed(4)?,
        previous_head: row.parsed(5)?,
        head: row.parsed(6)?,
        sealed_at_micros: row.int(7)?,
    };
    Ok(SignedBatch { batch, signature: evidence_key::Signature(signature) })
}
