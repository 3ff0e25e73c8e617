//! Runs of deletion: that something was deleted stands in the unit of work that deletes it.

use model::{Id, Timestamp};

use super::Work;
use crate::{RetentionKept, RetentionRun};

impl Work {
    /// Begins a run; what the one before had to leave is forgotten. Precondition: its id is new.
    pub fn begin_retention(&mut self, run: &RetentionRun) -> &mut Self {
        let tenant = || run.tenant.as_str().into();
        self.any("DELETE FROM retention_kept WHERE tenant = $1", vec![tenant()]);
        self.one(
            "INSERT INTO retention_run (id, tenant, started_at, deleted, body) VALUES ($1, $2, $3, 0, $4)",
            vec![run.id.into(), tenant(), run.started_at.into(), run.body.to_string().into()],
            "retention run",
        )
    }

    /// Ends a run. Precondition: it is under way.
    pub fn end_retention(&mut self, run: &RetentionRun) -> &mut Self {
        let args = vec![
            run.id.into(),
            run.tenant.as_str().into(),
            run.ended_at.into(),
            run.deleted.into(),
            run.root.as_deref().into(),
            run.event.into(),
            run.body.to_string().into(),
        ];
        self.one(
            "UPDATE retention_run SET ended_at = $3, deleted = $4, root = $5, event = $6, body = $7 \
             WHERE id = $1 AND tenant = $2 AND ended_at IS NULL",
            args,
            "retention run",
        )
    }

    /// Adds a line to the list of a run. Precondition: its number is new.
    pub fn list_deleted(&mut self, run: Id, number: u64, line: &str) -> &mut Self {
        self.one(
            "INSERT INTO retention_item (run, number, body) VALUES ($1, $2, $3)",
            vec![run.into(), number.into(), line.into()],
            "retention item",
        )
    }

    /// Notes what a run had to leave.
    pub fn list_kept(&mut self, tenant: &str, kept: &RetentionKept) -> &mut Self {
        self.any(
            "INSERT INTO retention_kept (tenant, kind, subject, reason, since) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
            vec![
                tenant.into(),
                kept.kind.as_str().into(),
                kept.subject.into(),
                kept.reason.as_str().into(),
                kept.since.into(),
            ],
        )
    }

    /// Notes that a message has no bytes here any more. Preconditions: it has ended, and no legal hold lies on what it brought or moved;
    /// otherwise the conflict names `message copy`.
    pub fn forget_message_copy(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE message SET copies = 0 WHERE id = $1 AND tenant = $2 AND copies = 1 \
             AND state IN ('confirmed', 'returned') AND NOT EXISTS \
             (SELECT 1 FROM record WHERE tenant = $2 AND body LIKE '%\"hold\":{%' AND root IN \
              (SELECT root FROM record WHERE staged_by = $1 UNION \
               SELECT case_id FROM event WHERE tenant = $2 AND message_id = $1 AND case_id IS NOT NULL))",
            vec![id.into(), tenant.into()],
            "message copy",
        )
    }

    /// The same of a call at a door of a payment. Preconditions: its payment has ended, and no legal hold lies on anything in its tree;
    /// otherwise the conflict names `notice copy`.
    pub fn forget_notice_copy(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE payment_notice SET copies = 0 WHERE id = $1 AND tenant = $2 AND copies = 1 \
             AND EXISTS (SELECT 1 FROM record WHERE record.id = payment_notice.payment AND tenant = $2 \
              AND status NOT IN ('created', 'started', 'pending')) AND NOT EXISTS \
             (SELECT 1 FROM record WHERE tenant = $2 AND body LIKE '%\"hold\":{%' AND root IN \
              (SELECT root FROM record WHERE record.id = payment_notice.payment))",
            vec![id.into(), tenant.into()],
            "notice copy",
        )
    }

    /// Only a precondition: no legal hold lies on anything in the tree of a topmost record; otherwise the conflict names `held`.
    pub fn require_unheld(&mut self, tenant: &str, root: Id) -> &mut Self {
        // Whoever sets one writes the topmost record, too: on PostgreSQL this waits for that, and what follows looks at what is there then.
        self.any(
            "UPDATE record SET version = version WHERE id = $1 AND tenant = $2",
            vec![root.into(), tenant.into()],
        );
        self.one(
            "UPDATE record SET version = version WHERE id = $1 AND tenant = $2 AND NOT EXISTS \
             (SELECT 1 FROM record AS held WHERE held.tenant = $2 AND held.root = $1 AND held.body LIKE '%\"hold\":{%')",
            vec![root.into(), tenant.into()],
            "held",
        )
    }

    /// What a sender said that a delivery is about goes with its bytes.
    pub fn forget_relay_subject(&mut self, tenant: &str, message: Id) -> &mut Self {
        self.any(
            "UPDATE relay_delivery SET subject = NULL WHERE message = $1 AND tenant = $2",
            vec![message.into(), tenant.into()],
        )
    }

    /// Notes that somebody has asked for an erasure. Who asked before for the same is forgotten, and whatever was asked before `over`.
    pub fn ask_erasure(
        &mut self,
        tenant: &str,
        digest: &str,
        by: &str,
        at: Timestamp,
        over: Timestamp,
    ) -> &mut Self {
        self.any(
            "DELETE FROM erasure_asked WHERE tenant = $1 AND asked_at < $2",
            vec![tenant.into(), over.into()],
        );
        self.any(
            "INSERT INTO erasure_asked (tenant, digest, asked_by, asked_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, digest) DO UPDATE SET asked_by = excluded.asked_by, asked_at = excluded.asked_at",
            vec![tenant.into(), digest.into(), by.into(), at.into()],
        )
    }

    /// What was asked for is done. Precondition: it was asked for.
    pub fn end_erasure(&mut self, tenant: &str, digest: &str) -> &mut Self {
        self.one(
            "DELETE FROM erasure_asked WHERE tenant = $1 AND digest = $2",
            vec![tenant.into(), digest.into()],
            "erasure",
        )
    }
}
