//! Conversations, tickets, and deliveries that wait for pick-up.
//!
//! What waits in a mailbox is counted in a row of its own. A transaction that takes in or ends a delivery writes that
//! row, so on PostgreSQL such transactions of one mailbox wait for each other there, and no quota is exceeded.

use model::Timestamp;
use serde_json::Value as Json;

use super::Work;
use crate::{Conversation, RelayDelivery, RelayQuota, RelayStage, Ticket};

impl Work {
    /// Begins a conversation. Precondition: its id is free; otherwise the conflict names `conversation`.
    pub fn begin_conversation(&mut self, conversation: &Conversation) -> &mut Self {
        let args = vec![
            conversation.tenant.as_str().into(),
            conversation.id.as_str().into(),
            conversation.version.into(),
            conversation.touched_at.into(),
            conversation.body.to_string().into(),
        ];
        self.one(
            "INSERT INTO relay_conversation (tenant, id, version, touched_at, body) VALUES ($1, $2, $3, $4, $5)",
            args,
            "conversation",
        )
    }

    /// Goes on with a conversation; its version becomes the next. Precondition: its version is `expected`; otherwise
    /// the conflict names `conversation`.
    pub fn advance_conversation(
        &mut self,
        tenant: &str,
        id: &str,
        expected: u64,
        body: &Json,
        now: Timestamp,
    ) -> &mut Self {
        let args = vec![tenant.into(), id.into(), expected.into(), body.to_string().into(), now.into()];
        self.one(
            "UPDATE relay_conversation SET version = version + 1, body = $4, touched_at = $5 \
             WHERE tenant = $1 AND id = $2 AND version = $3",
            args,
            "conversation",
        )
    }

    /// Ends a conversation. Precondition: its version is `expected`; otherwise the conflict names `conversation`.
    pub fn end_conversation(&mut self, tenant: &str, id: &str, expected: u64) -> &mut Self {
        self.one(
            "DELETE FROM relay_conversation WHERE tenant = $1 AND id = $2 AND version = $3",
            vec![tenant.into(), id.into(), expected.into()],
            "conversation",
        )
    }

    /// Issues a ticket. Precondition: neither an unused ticket nor a delivery has its id; otherwise the conflict
    /// names `ticket`.
    pub fn issue_ticket(&mut self, ticket: &Ticket) -> &mut Self {
        let args = vec![
            ticket.tenant.as_str().into(),
            ticket.id.as_str().into(),
            ticket.owner.as_str().into(),
            ticket.expires_at.into(),
        ];
        self.one(
            "INSERT INTO relay_ticket (tenant, id, owner, expires_at) SELECT $1, $2, $3, $4 \
             WHERE NOT EXISTS (SELECT 1 FROM relay_delivery WHERE tenant = $1 AND ticket = $2)",
            args,
            "ticket",
        )
    }

    /// Uses a ticket. Precondition: it was issued to `owner`, not used yet, and its time is not over at `now`;
    /// otherwise the conflict names `ticket`.
    pub fn use_ticket(&mut self, tenant: &str, id: &str, owner: &str, now: Timestamp) -> &mut Self {
        self.one(
            "DELETE FROM relay_ticket WHERE tenant = $1 AND id = $2 AND owner = $3 AND expires_at > $4",
            vec![tenant.into(), id.into(), owner.into(), now.into()],
            "ticket",
        )
    }

    /// Gives the ticket of a delivery free: from here on the delivery is known by the id of its message. Precondition: it is
    /// there; otherwise the conflict names `relay delivery`.
    pub fn free_ticket(&mut self, delivery: &RelayDelivery) -> &mut Self {
        self.one(
            "UPDATE relay_delivery SET ticket = message WHERE message = $1 AND tenant = $2",
            vec![delivery.message.into(), delivery.tenant.as_str().into()],
            "relay delivery",
        )
    }

    /// Adds a delivery that waits. Preconditions: its message and ticket are new; its mailbox has room for it within
    /// `quota`, otherwise the conflict names `relay mailbox`. Comes last in a unit of work: from here on others wait
    /// for it.
    pub fn insert_relay_delivery(&mut self, delivery: &RelayDelivery, quota: RelayQuota) -> &mut Self {
        let answers = !delivery.related.is_empty();
        let related = answers.then(|| Json::from(delivery.related.as_slice()).to_string());
        let args = vec![
            delivery.message.into(),
            delivery.tenant.as_str().into(),
            delivery.unit.as_str().into(),
            delivery.public_service.as_deref().into(),
            delivery.ticket.as_str().into(),
            delivery.mailbox.as_str().into(),
            delivery.originator.as_str().into(),
            delivery.addressee.as_str().into(),
            delivery.subject.as_deref().into(),
            delivery.size.into(),
            delivery.stage.number().into(),
            delivery.created_at.into(),
            delivery.forwarded_at.into(),
            delivery.received_at.into(),
            delivery.modified_at.into(),
            delivery.expires_at.into(),
            delivery.body.as_str().into(),
            delivery.enters_at.into(),
            related.as_deref().into(),
        ];
        self.one(
            "INSERT INTO relay_delivery (message, tenant, unit, public_service, ticket, mailbox, originator, \
             addressee, subject, size, stage, created_at, forwarded_at, received_at, modified_at, expires_at, body, \
             enters_at, related) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            args,
            "relay delivery",
        );
        self.take_room(delivery, quota)
    }

    fn take_room(&mut self, delivery: &RelayDelivery, quota: RelayQuota) -> &mut Self {
        let args = vec![
            delivery.tenant.as_str().into(),
            delivery.mailbox.as_str().into(),
            delivery.size.into(),
            quota.deliveries.into(),
            quota.bytes.into(),
        ];
        // The casts tell PostgreSQL the types of what is selected.
        self.one(
            "INSERT INTO relay_mailbox (tenant, mailbox, waiting, bytes) \
             SELECT $1, $2, 1, CAST($3 AS BIGINT) \
             WHERE CAST($4 AS BIGINT) > 0 AND CAST($5 AS BIGINT) >= CAST($3 AS BIGINT) \
             ON CONFLICT (tenant, mailbox) DO UPDATE SET \
             waiting = relay_mailbox.waiting + 1, bytes = relay_mailbox.bytes + excluded.bytes \
             WHERE relay_mailbox.waiting < $4 AND relay_mailbox.bytes <= $5 - $3",
            args,
            "relay mailbox",
        )
    }

    /// Writes how far a delivery has come. Precondition: its stage is still `from`; otherwise the conflict names
    /// `relay delivery`. What has ended makes room in its mailbox.
    pub fn update_relay_delivery(&mut self, delivery: &RelayDelivery, from: RelayStage) -> &mut Self {
        let args = vec![
            delivery.message.into(),
            delivery.tenant.as_str().into(),
            from.number().into(),
            delivery.stage.number().into(),
            delivery.forwarded_at.into(),
            delivery.received_at.into(),
            delivery.modified_at.into(),
            delivery.expires_at.into(),
        ];
        self.one(
            "UPDATE relay_delivery SET stage = $4, forwarded_at = $5, received_at = $6, modified_at = $7, \
             expires_at = $8 WHERE message = $1 AND tenant = $2 AND stage = $3",
            args,
            "relay delivery",
        );
        if !from.waits() || delivery.stage.waits() {
            return self;
        }
        self.one(
            "UPDATE relay_mailbox SET waiting = waiting - 1, bytes = bytes - $3 WHERE tenant = $1 AND mailbox = $2",
            vec![delivery.tenant.as_str().into(), delivery.mailbox.as_str().into(), delivery.size.into()],
            "relay mailbox",
        )
    }
}
