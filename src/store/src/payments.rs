//! Doors of payments, what came in there, names that belong to one thing alone, and running numbers.

use model::{Id, Timestamp};
use seal::door::DoorKey;

use crate::sql::{Row, Select};
use crate::{Error, Store};

/// Space of Kassenzeichen among the names that belong to one thing alone; no provider can have this id.
pub const CASH_REFERENCES: &str = "~cash";

/// Most names that one question has.
const NAMES_AT_ONCE: usize = 500;

/// The doors of a payment: one for its provider, one for the payer's browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentDoor {
    /// The payment.
    pub payment: Id,
    /// Tenant.
    pub tenant: String,
    /// Provider that may call.
    pub provider: String,
    /// SHA-256 of the provider's token, hex.
    pub notify_hash: String,
    /// SHA-256 of the browser's token, hex.
    pub return_hash: String,
    /// What both tokens are made of, wrapped ([`Store::wrap_door`]).
    pub tokens: Vec<u8>,
    /// Counts the calls that have the provider asked.
    pub hints: u64,
    /// Counts the calls that led to nothing.
    pub refused: u64,
}

/// A call at a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentNotice {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// The payment whose door it was.
    pub payment: Id,
    /// Its provider.
    pub provider: String,
    /// Which door: `notify` or `return`.
    pub door: String,
    /// The same for the same call.
    pub dedup_key: String,
    /// `hint`, `differs`, or why it was refused.
    pub verdict: String,
    /// HTTP status that it was answered with.
    pub status: u16,
    /// The bytes, as they came.
    pub payload: Id,
    /// When.
    pub received_at: Timestamp,
}

impl Store {
    /// The doors of a payment.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn payment_door(&self, tenant: &str, payment: Id) -> Result<Option<PaymentDoor>, Error> {
        let select = Select::new(DOOR).sql("tenant = ").bind(tenant).and("payment =", payment);
        self.db().read_one(select).await?.as_ref().map(door).transpose()
    }

    /// The doors that have a token with this SHA-256 (hex): of the browser if `returns`, else of the provider.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn door_by_hash(
        &self,
        provider: &str,
        hash: &str,
        returns: bool,
    ) -> Result<Option<PaymentDoor>, Error> {
        let column = if returns { "return_hash =" } else { "notify_hash =" };
        let select = Select::new(DOOR).sql("provider = ").bind(provider).and(column, hash);
        self.db().read_one(select).await?.as_ref().map(door).transpose()
    }

    /// The call that came before under the same key.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn known_notice(
        &self,
        tenant: &str,
        provider: &str,
        dedup_key: &str,
    ) -> Result<Option<PaymentNotice>, Error> {
        let select = Select::new(NOTICE).sql("tenant = ").bind(tenant);
        let select = select.and("provider =", provider).and("dedup_key =", dedup_key);
        self.db().read_one(select).await?.as_ref().map(notice).transpose()
    }

    /// The calls at the doors of a payment, in their order; at most a thousand.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn notices(&self, tenant: &str, payment: Id) -> Result<Vec<PaymentNotice>, Error> {
        let select = Select::new(NOTICE).sql("tenant = ").bind(tenant).and("payment =", payment);
        self.db().read(select.sql(" ORDER BY id LIMIT 1000")).await?.iter().map(notice).collect()
    }

    /// The payment (or claim) that a name belongs to.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reference_owner(
        &self,
        tenant: &str,
        provider: &str,
        reference: &str,
    ) -> Result<Option<Id>, Error> {
        let select = Select::new("SELECT payment FROM payment_reference WHERE tenant = ").bind(tenant);
        let select = select.and("provider =", provider).and("reference =", reference);
        self.db().read_one(select).await?.map(|row| row.id(0)).transpose()
    }

    /// Which of these names are known in these spaces: space, name, and the payment (or claim) that it belongs to. At most some
    /// thousand at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reference_owners(
        &self,
        tenant: &str,
        spaces: &[&str],
        references: &[&str],
    ) -> Result<Vec<(String, String, Id)>, Error> {
        let mut owners = vec![];
        for references in references.chunks(NAMES_AT_ONCE) {
            let select =
                Select::new("SELECT provider, reference, payment FROM payment_reference WHERE tenant = ");
            let mut select = select.bind(tenant).sql(" AND provider IN (NULL");
            for space in spaces {
                select = select.sql(", ").bind(*space);
            }
            select = select.sql(") AND reference IN (NULL");
            for reference in references {
                select = select.sql(", ").bind(*reference);
            }
            for row in self.db().read(select.sql(")")).await? {
                owners.push((row.text(0)?, row.text(1)?, row.id(2)?));
            }
        }
        Ok(owners)
    }

    /// The last running number that was taken under a name; 0 if none was.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_count(&self, tenant: &str, name: &str) -> Result<u64, Error> {
        let select = Select::new("SELECT value FROM cash_counter WHERE tenant = ").bind(tenant);
        self.db().read_one(select.and("name =", name)).await?.map_or(Ok(0), |row| row.number(0))
    }

    /// Wraps what the tokens of a payment's doors are made of with the keys of the payloads.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn wrap_door(&self, tenant: &str, payment: Id, key: &DoorKey) -> Result<Vec<u8>, Error> {
        Ok(key.wrap(self.keys(), tenant, payment)?)
    }

    /// Opens what [`Store::wrap_door`] made for something that is no payment.
    ///
    /// # Errors
    /// If its master key is not at hand.
    pub fn open_wrapped(&self, tenant: &str, id: Id, wrapped: &[u8]) -> Result<DoorKey, Error> {
        Ok(DoorKey::open(self.keys(), tenant, id, wrapped)?)
    }

    /// Opens what [`Store::wrap_door`] made.
    ///
    /// # Errors
    /// If its master key is not at hand.
    pub fn open_door(&self, door: &PaymentDoor) -> Result<DoorKey, Error> {
        Ok(DoorKey::open(self.keys(), &door.tenant, door.payment, &door.tokens)?)
    }
}

const DOOR: &str = "SELECT payment, tenant, provider, notify_hash, return_hash, tokens, hints, refused \
     FROM payment_door WHERE ";

pub(crate) const NOTICE: &str = "SELECT id, tenant, payment, provider, door, dedup_key, verdict, status, payload, received_at \
     FROM payment_notice WHERE ";

fn door(row: &Row) -> Result<PaymentDoor, Error> {
    Ok(PaymentDoor {
        payment: row.id(0)?,
        tenant: row.text(1)?,
        provider: row.text(2)?,
        notify_hash: row.text(3)?,
        return_hash: row.text(4)?,
        tokens: row.opt_bytes(5)?.ok_or(Error::Corrupt { what: "row" })?,
        hints: row.number(6)?,
        refused: row.number(7)?,
    })
}

pub(crate) fn notice(row: &Row) -> Result<PaymentNotice, Error> {
    Ok(PaymentNotice {
        id: row.id(0)?,
        tenant: row.text(1)?,
        payment: row.id(2)?,
        provider: row.text(3)?,
        door: row.text(4)?,
        dedup_key: row.text(5)?,
        verdict: row.text(6)?,
        status: u16::try_from(row.int(7)?).map_err(|_| Error::Corrupt { what: "row" })?,
        payload: row.id(8)?,
        received_at: row.time(9)?,
    })
}
