//! Messages and the keys by which a repeated one is known.

use model::{Id, Message, MessageState};
use serde_json::Value as Json;

use super::Work;
use crate::messages::{direction, door_name};

/// Tenant, space, key, subject, digest and answer.
pub(crate) const CLAIM_DEDUP: &str =
    "INSERT INTO dedup (tenant, space, name, subject, digest, answer) VALUES ($1, $2, $3, $4, $5, $6)";

impl Work {
    /// Adds a message. Precondition: its id is new.
    pub fn insert_message(&mut self, message: &Message) -> &mut Self {
        let Some(body) = self.json(message) else { return self };
        let identity = message.identity.as_ref();
        let args = vec![
            message.id.into(),
            message.tenant.as_str().into(),
            message.authority.as_str().into(),
            message.unit.as_str().into(),
            message.public_service.as_deref().into(),
            direction(message.direction).into(),
            message.partner.as_str().into(),
            identity.map(|identity| identity.message_type.as_str()).into(),
            identity.and_then(|identity| identity.process_id).into(),
            message.exchange.into(),
            message.state.name().into(),
            message.received_at.into(),
            body.into(),
            door_name(message.door).into(),
            identity.map(|identity| identity.standard.as_str()).into(),
        ];
        self.one(
            "INSERT INTO message (id, tenant, authority, unit, public_service, direction, partner, message_type, \
             process_id, exchange, state, received_at, body, door, standard) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            args,
            "message",
        )
    }

    /// Writes what is known of a message now. Precondition: its state is still `from`. `received_at` stays as it was.
    pub fn update_message(&mut self, message: &Message, from: MessageState) -> &mut Self {
        let Some(body) = self.json(message) else { return self };
        let identity = message.identity.as_ref();
        let args = vec![
            message.id.into(),
            message.tenant.as_str().into(),
            from.name().into(),
            message.authority.as_str().into(),
            message.unit.as_str().into(),
            message.public_service.as_deref().into(),
            message.partner.as_str().into(),
            identity.map(|identity| identity.message_type.as_str()).into(),
            identity.and_then(|identity| identity.process_id).into(),
            message.exchange.into(),
            message.state.name().into(),
            body.into(),
            door_name(message.door).into(),
            identity.map(|identity| identity.standard.as_str()).into(),
        ];
        self.one(
            "UPDATE message SET authority = $4, unit = $5, public_service = $6, partner = $7, message_type = $8, \
             process_id = $9, exchange = $10, state = $11, body = $12, door = $13, standard = $14 WHERE id = $1 AND tenant = $2 AND state = $3",
            args,
            "message",
        )
    }

    /// Takes a key. Precondition: it is free; otherwise the conflict names `dedup`.
    pub fn claim_dedup(
        &mut self,
        tenant: &str,
        space: &str,
        key: &str,
        subject: Id,
        digest: &str,
        answer: Option<&Json>,
    ) -> &mut Self {
        let args = vec![
            tenant.into(),
            space.into(),
            key.into(),
            subject.into(),
            digest.into(),
            answer.map(Json::to_string).as_deref().into(),
        ];
        self.one(CLAIM_DEDUP, args, "dedup")
    }

    /// Forgets every answer that was kept for repetitions and tells of `subject`. The keys stay taken.
    pub fn forget_answers(&mut self, tenant: &str, subject: Id) -> &mut Self {
        self.any(
            "UPDATE dedup SET answer = NULL WHERE subject = $1 AND tenant = $2 AND answer IS NOT NULL",
            vec![subject.into(), tenant.into()],
        )
    }

    /// Hands a taken key to another subject, because the first came to nothing. Precondition: the first still has it.
    #[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
    pub fn replace_dedup(
        &mut self,
        tenant: &str,
        space: &str,
        key: &str,
        from: Id,
        to: Id,
        digest: &str,
        answer: Option<&Json>,
    ) -> &mut Self {
        let args = vec![
            tenant.into(),
            space.into(),
            key.into(),
            from.into(),
            to.into(),
            digest.into(),
            answer.map(Json::to_string).as_deref().into(),
        ];
        self.one(
            "UPDATE dedup SET subject = $5, digest = $6, answer = $7 \
             WHERE tenant = $1 AND space = $2 AND name = $3 AND subject = $4",
            args,
            "dedup",
        )
    }
}
