//! Lanes as operators see them, and their wish to have a partner tried again at once.

use model::rights::Action;
use model::{Actor, Caller, Event, EventKind, ids};
use serde_json::json;
use store::{Lane, Work};

use crate::{Broker, Error};

impl Broker {
    /// The lanes of the caller's tenant: those with unfinished jobs, and all to partners outside. A lane belongs to no
    /// unit, so a caller who does not see the whole tenant sees none.
    ///
    /// # Errors
    /// If the caller may not read partners.
    pub async fn lanes(&self, caller: &Caller) -> Result<Vec<Lane>, Error> {
        let scope = caller.may(Action::ReadPartners)?;
        if !scope.is_whole() {
            return Ok(vec![]);
        }
        Ok(self.store().lanes(&scope.tenant).await?)
    }

    /// Has everything that waits in a lane tried again now, whatever its breaker says: one job goes ahead, and if it
    /// works the others follow. The operator's act is audited.
    ///
    /// # Errors
    /// `NotFound` if there is no such lane, or if the caller does not see the whole tenant.
    pub async fn retry_lane(&self, caller: &Caller, lane: &str) -> Result<Lane, Error> {
        let scope = caller.may(Action::RepairMessages)?;
        let not_found = || Error::from(model::Error::NotFound { kind: "lane" });
        if !scope.is_whole() {
            return Err(not_found());
        }
        let known = |lanes: Vec<Lane>| lanes.into_iter().find(|known| known.lane == lane);
        known(self.store().lanes(&scope.tenant).await?).ok_or_else(not_found)?;
        let mut work = Work::new();
        work.retry_lane(&scope.tenant, lane, self.now());
        work.insert_event(&self.lane_retried(&scope.tenant, lane, &caller.actor));
        self.store().commit(work).await?;
        known(self.store().lanes(&scope.tenant).await?).ok_or_else(not_found)
    }

    fn lane_retried(&self, tenant: &str, lane: &str, actor: &Actor) -> Event {
        Event {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            unit: None,
            public_service: None,
            at: self.now(),
            kind: EventKind::PartnerRetried,
            actor: actor.clone(),
            subject: None,
            case_id: None,
            message_id: None,
            changes: None,
            payloads: vec![],
            detail: Some(json!({ "lane": lane })),
        }
    }
}
