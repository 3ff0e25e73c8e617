//! Erasure (Löschung): what an event says, or the bytes of a payload, goes for good; that it was there stays provable.

use model::rights::Action;
use model::{Caller, Event, EventKind, Id, Scope};
use seal::bundle::EventRecord;
use serde_json::json;
use store::Work;

use crate::evidence::{PAGE, payloads_of};
use crate::{Broker, Error};

/// What is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Content and salt of an event.
    Event(Id),
    /// The key of a payload, and so its bytes wherever copies of them lie.
    Payload(Id),
}

impl Broker {
    /// Erases something that belongs to the evidence of the tree whose topmost record is `root`; what proves it stays,
    /// and an audit event says who erased it. Records themselves are not touched.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` if the caller may not see the record, or the evidence of the tree has no such thing.
    pub async fn erase(&self, caller: &Caller, root: Id, what: Erasure) -> Result<(), Error> {
        let scope = caller.may(Action::Erase)?.clone();
        let root = self.owned_any(&scope, root).await?.meta().root;
        self.owned_any(&scope, root).await?;
        let tenant = scope.tenant.as_str();
        self.seal_now(tenant).await?;
        if !self.belongs_to(tenant, root, what).await? {
            return Err(model::Error::NotFound { kind: "content" }.into());
        }
        let mut work = Work::new();
        let (kind, detail) = match what {
            Erasure::Event(id) => {
                work.erase_event(tenant, id);
                (EventKind::EventErased, json!({ "event": id }))
            }
            Erasure::Payload(id) => {
                work.erase_payload(tenant, id);
                (EventKind::PayloadErased, json!({ "payload": id }))
            }
        };
        let event = self.audit(tenant, kind, &caller.actor, detail);
        work.insert_event(&Event { case_id: Some(root), ..event });
        self.store().commit(work).await?;
        match what {
            Erasure::Event(_) => Ok(()),
            Erasure::Payload(id) => Ok(self.store().remove_erased(id).await?),
        }
    }

    async fn belongs_to(&self, tenant: &str, root: Id, what: Erasure) -> Result<bool, Error> {
        let scope = Scope::tenant(tenant);
        let is_it = |event: &EventRecord| match what {
            Erasure::Event(id) => event.event_id == id,
            Erasure::Payload(id) => payloads_of(event).iter().any(|payload| payload.id == id),
        };
        let mut after = 0;
        loop {
            let events = self.store().case_events(&scope, root, after, PAGE).await?;
            let Some(last) = events.last() else { return Ok(false) };
            if events.iter().any(is_it) {
                return Ok(true);
            }
            after = last.number;
        }
    }
}
