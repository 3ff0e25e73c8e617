//! The audit log: who did what, when. Acts of people, and what changes the house itself; ids, never names.

use std::collections::{BTreeMap, BTreeSet};

use model::rights::Action;
use model::{Caller, Event, Id};
use store::{ActFilter, Listed, Page};

use crate::{Broker, Error};

impl Broker {
    /// Acts within the caller's scope, the newest first: the id to go on behind, the number in the chain if it is sealed, the event.
    ///
    /// # Errors
    /// If the caller may not read the audit log.
    pub async fn acts_done(
        &self,
        caller: &Caller,
        filter: &ActFilter,
        page: &Page,
    ) -> Result<Listed<(Id, Option<u64>, Event)>, Error> {
        let scope = caller.may(Action::ReadAudit)?;
        Ok(self.store().acts(scope, filter, page).await?)
    }

    /// What people are called who did something, by their ids as they stand in events. Who is no user any more has no name.
    ///
    /// # Errors
    /// If the caller may not read the audit log.
    pub async fn names_of_people(
        &self,
        caller: &Caller,
        ids: BTreeSet<Id>,
    ) -> Result<BTreeMap<Id, String>, Error> {
        self.names(&caller.may(Action::ReadAudit)?.tenant, ids).await
    }

    /// The same for whoever may see what names them.
    pub(crate) async fn names(&self, tenant: &str, ids: BTreeSet<Id>) -> Result<BTreeMap<Id, String>, Error> {
        Ok(self.store().names_of_persons(tenant, &ids).await?)
    }
}
