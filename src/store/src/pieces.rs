//! Deliveries that come to a relay in pieces: which pieces are here, each with a payload of its own until the whole has
//! become a delivery. Of that one the pieces stay known for a while, so that a repetition is recognised.

use model::{Id, Timestamp};

use crate::sql::{Row, Select};
use crate::{Error, Store, Work};

/// Wholes whose time is over that are removed at a time.
const SLICE: u32 = 100;

/// Which delivery that comes in pieces is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeKey {
    /// Tenant.
    pub tenant: String,
    /// Who brings it: pieces of different senders never meet.
    pub sender: String,
    /// The id that the delivery will use.
    pub ticket: String,
}

/// A delivery that comes in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayWhole {
    /// Which.
    pub key: WholeKey,
    /// How many pieces it has.
    pub pieces: u32,
    /// Most bytes of all pieces together.
    pub bytes: u64,
    /// It has become a delivery: the bytes of its pieces are gone.
    pub taken: bool,
    /// When the first piece came.
    pub created_at: Timestamp,
    /// When the last piece came.
    pub modified_at: Timestamp,
    /// When what is kept of it goes.
    pub expires_at: Timestamp,
}

/// A piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPiece {
    /// Its number, from 1.
    pub number: u32,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Where its bytes are; nowhere once the whole has become a delivery.
    pub payload: Option<Id>,
}

/// How much may be kept of deliveries whose pieces are not all here. Bytes are those announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeQuota {
    /// Deliveries of one sender.
    pub per_sender: u64,
    /// Bytes of one sender.
    pub sender_bytes: u64,
    /// Bytes of a tenant.
    pub tenant_bytes: u64,
}

impl Store {
    /// What is kept of a delivery that comes in pieces, with its pieces by their numbers; nothing once its time is over.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn relay_whole(
        &self,
        key: &WholeKey,
        now: Timestamp,
    ) -> Result<Option<(RelayWhole, Vec<RelayPiece>)>, Error> {
        let columns = "SELECT tenant, sender, ticket, pieces, bytes, taken, created_at, modified_at, expires_at \
                       FROM relay_whole WHERE tenant = ";
        let select = of(Select::new(columns), key).and("expires_at >", now);
        let Some(row) = self.db().read_one(select).await? else { return Ok(None) };
        let select = Select::new("SELECT number, size, sha256, payload FROM relay_piece WHERE tenant = ");
        let rows = self.db().read(of(select, key).sql(" ORDER BY number")).await?;
        Ok(Some((whole(&row)?, rows.iter().map(piece).collect::<Result<_, _>>()?)))
    }

    /// Forgets deliveries whose time is over before all their pieces came, and those that have become deliveries long
    /// ago; returns how many. The files of their pieces are swept.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sweep_wholes(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let select = Select::new("SELECT tenant, sender, ticket FROM relay_whole WHERE expires_at <= ");
            let over =
                self.db().read(select.bind(now).sql(" ORDER BY expires_at LIMIT ").bind(SLICE)).await?;
            for row in &over {
                let mut work = Work::new();
                work.forget_whole(&key(row)?, now);
                self.commit(work).await?;
                swept += 1;
            }
            if over.len() < SLICE as usize {
                return Ok(swept);
            }
        }
    }
}

fn of(select: Select, key: &WholeKey) -> Select {
    select.bind(key.tenant.as_str()).and("sender =", key.sender.as_str()).and("ticket =", key.ticket.as_str())
}

fn key(row: &Row) -> Result<WholeKey, Error> {
    Ok(WholeKey { tenant: row.text(0)?, sender: row.text(1)?, ticket: row.text(2)? })
}

fn whole(row: &Row) -> Result<RelayWhole, Error> {
    Ok(RelayWhole {
        key: key(row)?,
        pieces: small(row, 3)?,
        bytes: row.number(4)?,
        taken: row.int(5)? != 0,
        created_at: row.time(6)?,
        modified_at: row.time(7)?,
        expires_at: row.time(8)?,
    })
}

fn piece(row: &Row) -> Result<RelayPiece, Error> {
    let payload = row.opt_text(3)?.map(|id| id.parse().map_err(|_| Error::Corrupt { what: "relay piece" }));
    Ok(RelayPiece {
        number: small(row, 0)?,
        size: row.number(1)?,
        sha256: row.text(2)?,
        payload: payload.transpose()?,
    })
}

fn small(row: &Row, column: usize) -> Result<u32, Error> {
    u32::try_from(row.int(column)?).map_err(|_| Error::Corrupt { what: "row" })
}
