//! Subscriptions and deliveries.

use model::{Id, Timestamp};

use super::Work;
use crate::{Delivery, Subscription};

/// Deliveries of a subscription that are kept.
const KEPT: u64 = 100;

impl Work {
    /// Writes a subscription. Precondition: version 1 must be new; version n must follow the stored version n - 1. How far
    /// it has got is written for a new one only: a delivery may be counting at the same time.
    pub fn put_subscription(&mut self, it: &Subscription) -> &mut Self {
        let Some(terms) = self.json(&it.terms) else { return self };
        let (old_secret, old_until) =
            it.old_secret.as_ref().map(|(old, until)| (old.as_slice(), *until)).unzip();
        let mut args = vec![
            it.id.into(),
            it.tenant.as_str().into(),
            it.version.into(),
            it.enabled.into(),
            it.stopped.as_deref().into(),
            it.failures.into(),
            it.next_at.into(),
            Some(it.secret.as_slice()).into(),
            old_secret.into(),
            old_until.into(),
            terms.into(),
        ];
        if it.version == 1 {
            args.extend([it.token.into(), it.reached.into(), it.created_at.into()]);
            return self.one(INSERT, args, "subscription");
        }
        self.one(UPDATE, args, "subscription")
    }

    /// Has a subscription go on behind event `number`, forwards or backwards. Precondition: it is there.
    pub fn move_subscription(&mut self, tenant: &str, id: Id, number: u64) -> &mut Self {
        self.one(
            "UPDATE subscription SET reached = $3 WHERE tenant = $1 AND id = $2",
            vec![tenant.into(), id.into(), number.into()],
            "subscription",
        )
    }

    /// Notes that a subscription has everything up to event `number`. Precondition: it is there and enabled.
    pub fn subscription_reached(&mut self, tenant: &str, id: Id, number: u64, at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE subscription SET reached = $3, failures = 0, next_at = $4 \
             WHERE tenant = $1 AND id = $2 AND enabled = 1",
            vec![tenant.into(), id.into(), number.into(), at.into()],
            "subscription",
        )
    }

    /// Notes that a subscription could not be served, and when it may be called again. Precondition: it is there and
    /// enabled.
    pub fn subscription_failed(&mut self, tenant: &str, id: Id, next_at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE subscription SET failures = failures + 1, next_at = $3 \
             WHERE tenant = $1 AND id = $2 AND enabled = 1",
            vec![tenant.into(), id.into(), next_at.into()],
            "subscription",
        )
    }

    /// Disables a subscription for a reason of the gateway's. Precondition: it is there and enabled.
    pub fn stop_subscription(&mut self, tenant: &str, id: Id, code: &str) -> &mut Self {
        self.one(
            "UPDATE subscription SET enabled = 0, stopped = $3, failures = failures + 1, version = version + 1 \
             WHERE tenant = $1 AND id = $2 AND enabled = 1",
            vec![tenant.into(), id.into(), code.into()],
            "subscription",
        )
    }

    /// Ends a subscription, its deliveries and its jobs. Precondition: it is there.
    pub fn delete_subscription(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.cancel_jobs(tenant, id).one(
            "DELETE FROM subscription WHERE tenant = $1 AND id = $2",
            vec![tenant.into(), id.into()],
            "subscription",
        )
    }

    /// Notes attempts at a delivery; only the latest deliveries are kept.
    pub fn note_delivery(&mut self, subscription: Id, delivery: &Delivery) -> &mut Self {
        let args = vec![
            subscription.into(),
            delivery.id.into(),
            delivery.number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)).into(),
            delivery.kind.as_str().into(),
            delivery.attempts.into(),
            delivery.delivered.into(),
            delivery.status.map(i64::from).into(),
            delivery.code.as_deref().into(),
            delivery.at.into(),
            delivery.next_at.into(),
        ];
        self.one(NOTE, args, "delivery").any(
            "DELETE FROM delivery WHERE subscription = $1 AND id IN (SELECT id FROM delivery \
             WHERE subscription = $1 ORDER BY at DESC, id DESC LIMIT 1000 OFFSET $2)",
            vec![subscription.into(), KEPT.into()],
        )
    }
}

const INSERT: &str = "INSERT INTO subscription (id, tenant, version, enabled, stopped, failures, next_at, secret, \
     old_secret, old_until, body, token, reached, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

const UPDATE: &str = "UPDATE subscription SET version = $3, enabled = $4, stopped = $5, failures = $6, next_at = $7, \
     secret = $8, old_secret = $9, old_until = $10, body = $11 WHERE id = $1 AND tenant = $2 AND version = $3 - 1";

const NOTE: &str = "INSERT INTO delivery (subscription, id, number, kind, attempts, delivered, status, code, at, next_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     ON CONFLICT (subscription, id) DO UPDATE SET attempts = delivery.attempts + excluded.attempts, \
     delivered = excluded.delivered, status = excluded.status, code = excluded.code, at = excluded.at, \
     next_at = excluded.next_at";
