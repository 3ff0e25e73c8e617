//! What adapters are told of records, and what they call them.

use model::adapter::Link;
use model::{EventKind, Id};

use super::Work;
use crate::ChannelDelivery;

impl Work {
    /// An adapter is told of events from behind `number` on, unless it is told of some already.
    pub fn add_channel(&mut self, tenant: &str, adapter: &str, number: u64) -> &mut Self {
        self.any(
            "INSERT INTO channel (tenant, adapter, reached) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            vec![tenant.into(), adapter.into(), number.into()],
        )
    }

    /// Notes that everything up to event `number` is seen to for an adapter. Precondition: it was `before`.
    pub fn channel_reached(&mut self, tenant: &str, adapter: &str, before: u64, number: u64) -> &mut Self {
        self.one(
            "UPDATE channel SET reached = $4 WHERE tenant = $1 AND adapter = $2 AND reached = $3",
            vec![tenant.into(), adapter.into(), before.into(), number.into()],
            "channel",
        )
    }

    /// Something that an adapter is to be told. What is known already stays as it is.
    pub fn add_channel_delivery(&mut self, it: &ChannelDelivery) -> &mut Self {
        let Some(event) = self.name(it.event) else { return self };
        self.any(
            "INSERT INTO channel_delivery (id, tenant, adapter, unit, public_service, number, event, record_kind, record, root, \
             payload, message, whole, state, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'waiting', $14) \
             ON CONFLICT DO NOTHING",
            vec![
                it.id.into(),
                it.tenant.as_str().into(),
                it.adapter.as_str().into(),
                it.unit.as_str().into(),
                it.public_service.as_deref().into(),
                it.number.into(),
                event.into(),
                it.kind.name().into(),
                it.record.into(),
                it.root.into(),
                it.payload.into(),
                it.message.into(),
                it.whole.into(),
                it.created_at.into(),
            ],
        )
    }

    /// It waits for a human, for the reason of this code and with this task. Precondition: it waits for its turn.
    pub fn park_channel_delivery(&mut self, tenant: &str, id: Id, code: &str, task: Id) -> &mut Self {
        self.one(
            "UPDATE channel_delivery SET state = 'parked', code = $3, task = $4 \
             WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
            vec![tenant.into(), id.into(), code.into(), task.into()],
            "channel-delivery",
        )
    }

    /// What was in the way of an attempt at it. What does not wait for its turn stays as it is.
    pub fn fail_channel_delivery(&mut self, tenant: &str, id: Id, code: &str) -> &mut Self {
        self.any(
            "UPDATE channel_delivery SET code = $3 WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
            vec![tenant.into(), id.into(), code.into()],
        )
    }

    /// What lies in its record has rows of its own from now on. Precondition: it is there.
    pub fn list_channel_delivery(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE channel_delivery SET whole = 0 WHERE tenant = $1 AND id = $2",
            vec![tenant.into(), id.into()],
            "channel-delivery",
        )
    }

    /// Only a precondition: it waits for a human.
    pub fn require_parked(&mut self, tenant: &str, id: Id) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE channel_delivery SET state = state WHERE tenant = $1 AND id = $2 AND state = 'parked'",
            vec![tenant.into(), id.into()],
            "channel-delivery",
        )
    }

    /// It waits for its turn again. Precondition: it waits for a human.
    pub fn resend_channel_delivery(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE channel_delivery SET state = 'waiting', code = NULL, task = NULL \
             WHERE tenant = $1 AND id = $2 AND state = 'parked'",
            vec![tenant.into(), id.into()],
            "channel-delivery",
        )
    }

    /// A human says that the adapter is not told; it is remembered until [`forget_dropped`](Work::forget_dropped). Precondition: it
    /// waits for a human.
    pub fn drop_channel_delivery(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE channel_delivery SET state = 'dropped', task = NULL \
             WHERE tenant = $1 AND id = $2 AND state = 'parked'",
            vec![tenant.into(), id.into()],
            "channel-delivery",
        )
    }

    /// What was dropped of the tree of a topmost record is remembered no longer.
    pub fn forget_dropped(&mut self, tenant: &str, adapter: &str, root: Id) -> &mut Self {
        self.any(
            "DELETE FROM channel_delivery WHERE tenant = $1 AND adapter = $2 AND root = $3 AND state = 'dropped'",
            vec![tenant.into(), adapter.into(), root.into()],
        )
    }

    /// Nobody is to see to what adapters were not told of a record any more: it is destroyed.
    pub fn forget_parked(&mut self, tenant: &str, record: Id) -> &mut Self {
        self.any(
            "DELETE FROM channel_delivery WHERE tenant = $1 AND record = $2 AND state <> 'waiting'",
            vec![tenant.into(), record.into()],
        )
    }

    /// The adapter has it, or shall not have it. Precondition: it is there.
    pub fn end_channel_delivery(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "DELETE FROM channel_delivery WHERE tenant = $1 AND id = $2",
            vec![tenant.into(), id.into()],
            "channel-delivery",
        )
    }

    /// What an adapter calls a record, instead of anything it called it before.
    pub fn put_link(&mut self, tenant: &str, adapter: &str, link: &Link) -> &mut Self {
        self.any(
            "INSERT INTO record_link (tenant, adapter, record, part, kind, reference, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, adapter, record, part) \
             DO UPDATE SET reference = excluded.reference, state = excluded.state",
            vec![
                tenant.into(),
                adapter.into(),
                link.record.into(),
                link.part.as_str().into(),
                link.kind.name().into(),
                link.reference.as_str().into(),
                link.state.to_string().into(),
            ],
        )
    }

    /// What is kept with a link that is there under the same reference. One that was removed meanwhile does not come back.
    pub fn update_link(&mut self, tenant: &str, adapter: &str, link: &Link) -> &mut Self {
        self.any(
            "UPDATE record_link SET state = $6 \
             WHERE tenant = $1 AND adapter = $2 AND record = $3 AND part = $4 AND reference = $5",
            vec![
                tenant.into(),
                adapter.into(),
                link.record.into(),
                link.part.as_str().into(),
                link.reference.as_str().into(),
                link.state.to_string().into(),
            ],
        )
    }

    /// All links of a record are forgotten whose part begins so, whichever adapter's they are.
    pub fn remove_links(&mut self, tenant: &str, record: Id, begin: &str) -> &mut Self {
        self.any(
            "DELETE FROM record_link WHERE tenant = $1 AND record = $2 AND substr(part, 1, length($3)) = $3",
            vec![tenant.into(), record.into(), begin.into()],
        )
    }

    /// What an adapter calls a record is forgotten.
    pub fn remove_link(&mut self, tenant: &str, adapter: &str, link: &Link) -> &mut Self {
        self.any(
            "DELETE FROM record_link WHERE tenant = $1 AND adapter = $2 AND record = $3 AND part = $4",
            vec![tenant.into(), adapter.into(), link.record.into(), link.part.as_str().into()],
        )
    }

    fn name(&mut self, event: EventKind) -> Option<String> {
        self.json(&event).map(|name| name.trim_matches('"').to_owned())
    }
}
