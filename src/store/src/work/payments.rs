//! Doors of payments, calls at them, names that belong to one thing alone, and running numbers.

use model::{Id, Timestamp};
use serde_json::Value;

use super::Work;
use crate::{PaymentDoor, PaymentNotice};

impl Work {
    /// Opens the doors of a payment. Precondition: it has none.
    pub fn open_door(&mut self, door: &PaymentDoor) -> &mut Self {
        let args = vec![
            door.payment.into(),
            door.tenant.as_str().into(),
            door.provider.as_str().into(),
            door.notify_hash.as_str().into(),
            door.return_hash.as_str().into(),
            Some(door.tokens.as_slice()).into(),
            door.hints.into(),
            door.refused.into(),
        ];
        self.one(
            "INSERT INTO payment_door (payment, tenant, provider, notify_hash, return_hash, tokens, hints, refused) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args,
            "door",
        )
    }

    /// Counts a call that has the provider asked. Comes before the job is enqueued: then it and a pull that ends exclude each other.
    /// Precondition: there are such doors.
    pub fn count_hint(&mut self, payment: Id) -> &mut Self {
        self.one("UPDATE payment_door SET hints = hints + 1 WHERE payment = $1", vec![payment.into()], "door")
    }

    /// Only a precondition: no call has come since `hints` were read; otherwise the conflict names `hints`. Comes before the job ends.
    pub fn require_hints(&mut self, payment: Id, hints: u64) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE payment_door SET hints = hints WHERE payment = $1 AND hints = $2",
            vec![payment.into(), hints.into()],
            "hints",
        )
    }

    /// Counts a call that led to nothing. Precondition: there are such doors.
    pub fn count_refused(&mut self, payment: Id) -> &mut Self {
        self.one(
            "UPDATE payment_door SET refused = refused + 1 WHERE payment = $1",
            vec![payment.into()],
            "door",
        )
    }

    /// Keeps a call. Precondition: none came before under its key; otherwise the conflict names `notice`.
    pub fn insert_notice(&mut self, notice: &PaymentNotice) -> &mut Self {
        let args = vec![
            notice.id.into(),
            notice.tenant.as_str().into(),
            notice.payment.into(),
            notice.provider.as_str().into(),
            notice.door.as_str().into(),
            notice.dedup_key.as_str().into(),
            notice.verdict.as_str().into(),
            u32::from(notice.status).into(),
            notice.payload.into(),
            notice.received_at.into(),
        ];
        self.one(
            "INSERT INTO payment_notice (id, tenant, payment, provider, door, dedup_key, verdict, status, payload, \
             received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            args,
            "notice",
        )
    }

    /// A name belongs to a payment (or claim) from now on. Again: the same. Precondition: it does not belong to another one;
    /// otherwise the conflict names `reference`.
    pub fn take_reference(&mut self, tenant: &str, provider: &str, reference: &str, owner: Id) -> &mut Self {
        let args = || vec![tenant.into(), provider.into(), reference.into(), owner.into()];
        self.any(
            "INSERT INTO payment_reference (tenant, provider, reference, payment) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            args(),
        )
        .one(
            "UPDATE payment_reference SET payment = payment \
             WHERE tenant = $1 AND provider = $2 AND reference = $3 AND payment = $4",
            args(),
            "reference",
        )
    }

    /// Takes the running number behind `last`, which is 0 if none was taken. Precondition: it is still the last one; otherwise the
    /// conflict names `counter`.
    pub fn count_on(&mut self, tenant: &str, name: &str, last: u64) -> &mut Self {
        self.count_to(tenant, name, last, last.saturating_add(1))
    }

    /// The same, but takes the number `next`: those between are passed over.
    pub fn count_to(&mut self, tenant: &str, name: &str, last: u64, next: u64) -> &mut Self {
        if last == 0 {
            return self.one(
                "INSERT INTO cash_counter (tenant, name, value) VALUES ($1, $2, $3)",
                vec![tenant.into(), name.into(), next.into()],
                "counter",
            );
        }
        self.one(
            "UPDATE cash_counter SET value = $4 WHERE tenant = $1 AND name = $2 AND value = $3",
            vec![tenant.into(), name.into(), last.into(), next.into()],
            "counter",
        )
    }

    /// Puts a job back that has done what it could for now, with what it has to know next time: nothing counts as tried.
    /// Precondition: it is still leased with this epoch.
    pub fn put_back_job(&mut self, id: Id, epoch: i64, at: Timestamp, detail: &Value) -> &mut Self {
        self.one(
            "UPDATE job SET attempts = 0, lost = 0, calling = 0, holder = NULL, due_at = $3, detail = $4 \
             WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), at.into(), detail.to_string().into()],
            "job",
        )
    }

    /// Has a job that waits be due at `at`, if it is not due before.
    pub fn hasten_job(&mut self, id: Id, at: Timestamp) -> &mut Self {
        self.wakes.insert(crate::Class::Network);
        self.any(
            "UPDATE job SET due_at = $2 WHERE id = $1 AND holder IS NULL AND due_at > $2",
            vec![id.into(), at.into()],
        )
    }
}
