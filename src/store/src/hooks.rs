//! Subscriptions to the event feed, and how their latest events were delivered.

use std::sync::Arc;

use model::{EventKind, Id, Timestamp};
use seal::keys::KeyRing;
use seal::webhook::Secret;
use serde::{Deserialize, Serialize};

use crate::admin::token;
use crate::sql::{Row, Select};
use crate::{Error, Store, TokenRow};

/// Somebody who has events sent to an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Token that made it; it never sees more than this one.
    pub token: Id,
    /// Counts the changes that somebody made, from 1.
    pub version: u64,
    /// Whether events are sent.
    pub enabled: bool,
    /// Code of the reason why the gateway disabled it by itself.
    pub stopped: Option<String>,
    /// Number of the last event that was delivered or is of no interest to it.
    pub reached: u64,
    /// Failed attempts in a row.
    pub failures: u32,
    /// When it may be called again.
    pub next_at: Timestamp,
    /// Secret, wrapped.
    pub secret: Vec<u8>,
    /// The secret before, wrapped, and how long it still signs.
    pub old_secret: Option<(Vec<u8>, Timestamp)>,
    /// What its owner says.
    pub terms: Terms,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the owner of a subscription says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Where to.
    pub url: String,
    /// Kinds of events; all if empty.
    pub types: Vec<EventKind>,
}

/// How an event was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// As in `webhook-id`.
    pub id: Id,
    /// Number of the event; absent: a test.
    pub number: Option<u64>,
    /// Kind of the event, such as `record.created`.
    pub kind: String,
    /// Attempts so far. When one is noted: those that it adds.
    pub attempts: u32,
    /// Whether one succeeded.
    pub delivered: bool,
    /// HTTP status of the last one.
    pub status: Option<u16>,
    /// Why the last one failed.
    pub code: Option<String>,
    /// When the last one was.
    pub at: Timestamp,
    /// When the next one is due.
    pub next_at: Option<Timestamp>,
}

impl Store {
    /// The tenant's subscriptions with the tokens that made them, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn subscriptions(&self, tenant: &str) -> Result<Vec<(Subscription, TokenRow)>, Error> {
        let select = Select::new(SUBSCRIPTION).bind(tenant).sql(" ORDER BY subscription.id");
        self.db().read(select).await?.iter().map(owned).collect()
    }

    /// One subscription with the token that made it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn subscription(
        &self,
        tenant: &str,
        id: Id,
    ) -> Result<Option<(Subscription, TokenRow)>, Error> {
        let select = Select::new(SUBSCRIPTION).bind(tenant).and("subscription.id =", id);
        self.db().read_one(select).await?.as_ref().map(owned).transpose()
    }

    /// Subscriptions of all tenants that have sealed events before them, may be called again, and are not being worked on:
    /// tenant and id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn due_subscriptions(&self, now: Timestamp) -> Result<Vec<(String, Id)>, Error> {
        let select = Select::new(
            "SELECT tenant, id FROM subscription WHERE enabled = 1 \
             AND reached < (SELECT last FROM chain_batch WHERE chain_batch.tenant = subscription.tenant \
                            ORDER BY no DESC LIMIT 1) \
             AND NOT EXISTS (SELECT 1 FROM job WHERE job.tenant = subscription.tenant \
                             AND job.lane = 'hook:' || subscription.id AND job.kind = 'hook')",
        )
        .and("next_at <=", now);
        self.db().read(select).await?.iter().map(|row| Ok((row.text(0)?, row.id(1)?))).collect()
    }

    /// The latest deliveries of a subscription, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn deliveries(&self, subscription: Id) -> Result<Vec<Delivery>, Error> {
        let select = Select::new(
            "SELECT id, number, kind, attempts, delivered, status, code, at, next_at FROM delivery \
             WHERE subscription = ",
        )
        .bind(subscription)
        .sql(" ORDER BY at DESC, id DESC");
        self.db().read(select).await?.iter().map(delivery).collect()
    }

    /// Number of the tenant's last sealed event; 0 if there is none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_number(&self, tenant: &str) -> Result<u64, Error> {
        let select = Select::new("SELECT last FROM chain_batch WHERE tenant = ")
            .bind(tenant)
            .sql(" ORDER BY no DESC LIMIT 1");
        self.db().read_one(select).await?.map_or(Ok(0), |row| row.number(0))
    }

    /// Whether a token is neither revoked nor expired.
    pub fn is_valid(&self, token: &TokenRow) -> bool {
        token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > self.0.clock.now())
    }

    /// Wraps a subscription's secret with the keys of the payloads.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn wrap_secret(&self, tenant: &str, subscription: Id, secret: &Secret) -> Result<Vec<u8>, Error> {
        Ok(secret.wrap(self.keys(), tenant, subscription)?)
    }

    /// Opens what [`Store::wrap_secret`] made.
    ///
    /// # Errors
    /// If its master key is not at hand.
    pub fn open_secret(&self, tenant: &str, subscription: Id, wrapped: &[u8]) -> Result<Secret, Error> {
        Ok(Secret::open(self.keys(), tenant, subscription, wrapped)?)
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        let keys: &Arc<KeyRing> = &self.0.keys;
        keys
    }
}

const SUBSCRIPTION: &str = "SELECT token.body, token.revoked_at, subscription.id, subscription.tenant, \
     subscription.token, subscription.version, subscription.enabled, subscription.stopped, subscription.reached, \
     subscription.failures, subscription.next_at, subscription.secret, subscription.old_secret, \
     subscription.old_until, subscription.body, subscription.created_at \
     FROM subscription JOIN token ON token.id = subscription.token WHERE subscription.tenant = ";

fn owned(row: &Row) -> Result<(Subscription, TokenRow), Error> {
    let subscription = Subscription {
        id: row.id(2)?,
        tenant: row.text(3)?,
        token: row.id(4)?,
        version: row.number(5)?,
        enabled: row.int(6)? != 0,
        stopped: row.opt_text(7)?,
        reached: row.number(8)?,
        failures: small(row.int(9)?),
        next_at: row.time(10)?,
        secret: row.opt_bytes(11)?.ok_or(Error::Corrupt { what: "subscription" })?,
        old_secret: row.opt_bytes(12)?.zip(row.opt_time(13)?),
        terms: row.json(14)?,
        created_at: row.time(15)?,
    };
    Ok((subscription, token(row)?))
}

fn delivery(row: &Row) -> Result<Delivery, Error> {
    Ok(Delivery {
        id: row.id(0)?,
        number: row.opt_int(1)?.and_then(|number| u64::try_from(number).ok()),
        kind: row.text(2)?,
        attempts: small(row.int(3)?),
        delivered: row.int(4)? != 0,
        status: row.opt_int(5)?.and_then(|status| u16::try_from(status).ok()),
        code: row.opt_text(6)?,
        at: row.time(7)?,
        next_at: row.opt_time(8)?,
    })
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
