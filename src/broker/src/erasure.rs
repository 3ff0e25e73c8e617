//! Erasure (Löschung): what an event says, or the bytes of a payload, goes for good; that it was there stays provable.

use model::rights::Action;
use model::{Actor, Caller, Event, EventKind, Id, Scope};
use seal::bundle::EventRecord;
use serde_json::json;
use store::Work;

use crate::approvals::{Place, of_record};
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
    /// and an audit event says who erased it. Records themselves are not touched. `root` may be an approval as well: the event that says
    /// why it was asked for is erased so, even if it is about no record.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` if the caller may not see the record, or the evidence of the tree has no such thing; `Held` if something in
    /// the tree is barred from destruction.
    pub async fn erase(&self, caller: &Caller, root: Id, what: Erasure) -> Result<(), Error> {
        let scope = caller.may(Action::Erase)?.clone();
        let place = self.to_erase(&scope, root, what).await?;
        let mut work = Work::new();
        self.add_erasure(&mut work, &scope.tenant, &place, what, &caller.actor);
        self.store().commit(work).await.map_err(|error| held(error.into()))?;
        self.after_erasure(what).await
    }

    /// Where what shall be erased belongs, if the scope covers that.
    pub(crate) async fn to_erase(&self, scope: &Scope, root: Id, what: Erasure) -> Result<Place, Error> {
        if let Erasure::Event(event) = what
            && let Some(place) = self.place_of_reason(scope, root, event).await?
        {
            self.refuse_held(&scope.tenant, place.root).await?;
            self.seal_now(&scope.tenant).await?;
            return Ok(place);
        }
        let root = self.owned_any(scope, root).await?.meta().root;
        let record = self.owned_any(scope, root).await?;
        self.seal_now(&scope.tenant).await?;
        if !self.belongs_to(&scope.tenant, root, what).await? {
            return Err(model::Error::NotFound { kind: "content" }.into());
        }
        self.refuse_held(&scope.tenant, Some(root)).await?;
        Ok(of_record(&record))
    }

    async fn refuse_held(&self, tenant: &str, root: Option<Id>) -> Result<(), Error> {
        let Some(root) = root else { return Ok(()) };
        match self.store().is_tree_held(tenant, root).await? {
            true => Err(model::Error::Held.into()),
            false => Ok(()),
        }
    }

    /// Rows of an erasure, whose commit refuses if a bar was set meanwhile ([`held`]).
    pub(crate) fn add_erasure(
        &self,
        work: &mut Work,
        tenant: &str,
        place: &Place,
        what: Erasure,
        by: &Actor,
    ) {
        if let Some(root) = place.root {
            work.require_unheld(tenant, root);
        }
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
        let event = self.audit(tenant, kind, by, detail);
        work.insert_event(&Event { case_id: place.root, ..event });
    }

    /// What is done once the rows are written: the bytes themselves go.
    pub(crate) async fn after_erasure(&self, what: Erasure) -> Result<(), Error> {
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

/// The error of a commit that a bar has kept from erasing.
pub(crate) fn held(error: Error) -> Error {
    if error.is_conflict("held") { model::Error::Held.into() } else { error }
}
