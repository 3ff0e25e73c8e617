//! What one person asks for and another agrees to.

use super::Work;
use crate::Approval;
use crate::approvals::actor_text;

impl Work {
    /// Adds what somebody asks for. Precondition: its id is new.
    pub fn insert_approval(&mut self, approval: &Approval) -> &mut Self {
        let args = vec![
            approval.id.into(),
            approval.tenant.as_str().into(),
            approval.unit.as_deref().into(),
            approval.public_service.as_deref().into(),
            approval.kind.name().into(),
            approval.subject_kind.as_str().into(),
            approval.subject.as_str().into(),
            approval.detail.to_string().into(),
            approval.event.into(),
            actor_text(&approval.asked_by).into(),
            approval.asked_at.into(),
            approval.expires_at.into(),
            approval.state.name().into(),
        ];
        self.one(
            "INSERT INTO approval (id, tenant, unit, public_service, kind, subject_kind, subject, detail, event, asked_by, \
             asked_at, expires_at, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            args,
            "approval",
        )
    }

    /// Somebody has decided. Precondition: nobody had before, and it was still time; otherwise the conflict names `approval`.
    pub fn decide_approval(&mut self, approval: &Approval) -> &mut Self {
        let args = vec![
            approval.tenant.as_str().into(),
            approval.id.into(),
            approval.state.name().into(),
            approval.decided_by.as_ref().map(actor_text).as_deref().into(),
            approval.decided_at.into(),
            approval.valid_until.into(),
        ];
        self.one(
            "UPDATE approval SET state = $3, decided_by = $4, decided_at = $5, valid_until = $6 \
             WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires_at > $5",
            args,
            "approval",
        )
    }
}
