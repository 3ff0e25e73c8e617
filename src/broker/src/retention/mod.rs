//! Retention and deletion (Aufbewahrung und Löschung; GDPR article 5 (1) e, article 17): how long copies stay that only carried something.
//!
//! ```text
//! transport copies   bytes of messages, deliveries that waited for pick-up, calls of payment providers: a time after their end
//! records            only by a disposition: offered, appraised, taken by the archive or not worth it; never under a hold
//! contacts           that need no case: a time after that was said; never under a hold
//! ```
//! The bytes go by destroying their key; the account of them (events, digests) stays and verifies. A run is a job in slices; each deletion
//! is one transaction with its line in the run's list, and the run ends with an event in the sealed chain that names the list's Merkle
//! root. What has to stay is named with its reason.

mod contacts;
mod look;
mod person;
mod person_erase;
mod person_zip;
mod proof;
mod run;

use std::time::Duration;

use model::rights::Action;
use model::{Caller, Id, Scope, Timestamp};
use serde::Serialize;
use store::{Listed, Page, RetentionKept, RetentionRun};

use crate::{Broker, Error};

pub use person::{PersonBy, PersonFound, PersonPlace};
pub use person_erase::{PersonErased, PersonStays};
pub use proof::{DeletionProof, verify_deletion};
pub(crate) use run::{JOB, say};

/// Under a legal hold.
pub(crate) const HELD: &str = "retention.held";
/// Its hand-over is not confirmed.
pub(crate) const NOT_CONFIRMED: &str = "retention.not-confirmed";
/// Its payment is open.
pub(crate) const PAYMENT_OPEN: &str = "retention.payment-open";
/// Its time is over, and it was not offered to the archive.
pub(crate) const NOT_OFFERED: &str = "retention.not-offered";
/// It was offered, and the archive has not decided.
pub(crate) const NOT_APPRAISED: &str = "retention.not-appraised";
/// It is offered to an archive, goes along a route, or somebody still works on it: it must stay as it is.
pub(crate) const UNDER_WAY: &str = "retention.under-way";
/// The house wants a second person to agree.
pub(crate) const SECOND_PERSON: &str = "retention.second-person";

/// How long what is kept, in days; what is absent is kept without end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keeping {
    /// Bytes of confirmed messages, after their confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u32>,
    /// Bytes of returned messages, after their return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<u32>,
    /// Bytes of deliveries that waited here for whoever picks up, after their reception or return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<u32>,
    /// Bytes of calls of payment providers, after they came; not while the payment is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notices: Option<u32>,
    /// Records that a disposition is done with, after it came to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u32>,
    /// Contacts that need no case, with their documents, after somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<u32>,
    /// Pause between two runs.
    #[serde(skip)]
    pub every: Duration,
}

impl Default for Keeping {
    fn default() -> Self {
        let every = Duration::from_secs(24 * 3_600);
        Keeping {
            messages: None,
            returned: None,
            relay: None,
            notices: None,
            records: None,
            contacts: None,
            every,
        }
    }
}

impl Keeping {
    /// Whether anything is ever deleted.
    pub fn deletes(&self) -> bool {
        [self.messages, self.returned, self.relay, self.notices, self.records, self.contacts]
            .iter()
            .any(Option::is_some)
    }
}

/// Something whose time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionDue {
    /// `message`, `relay`, `notice`, `contact` or `record`.
    pub kind: &'static str,
    /// Its id.
    pub subject: Id,
    /// Unit that it belongs to.
    pub unit: String,
    /// When it ended: the time counts from there.
    pub since: Timestamp,
    /// Bytes that go.
    pub bytes: u64,
    /// What goes: their digests stay.
    #[serde(skip)]
    pub(crate) payloads: Vec<model::PayloadRef>,
    /// The exchange that is done with a record, and the record's UUID there.
    #[serde(skip)]
    pub(crate) disposed: Option<(Id, Id)>,
}

/// What the next run would delete, and what it would leave.
#[derive(Debug, Clone, Default)]
pub struct RetentionPlan {
    /// What goes.
    pub due: Vec<RetentionDue>,
    /// What stays although its time is over, and why.
    pub kept: Vec<RetentionKept>,
    /// Whether there is more than was looked at.
    pub more: bool,
}

/// Most slices that a plan looks at.
const PLAN_SLICES: usize = 200;

impl Broker {
    /// The same with times after which copies go. Before it is cloned.
    pub fn with_keeping(self, keeping: Keeping) -> Self {
        Broker { keeping: std::sync::Arc::new(keeping), ..self }
    }

    /// How long what is kept.
    pub fn keeping(&self) -> &Keeping {
        &self.keeping
    }

    /// What the next run would delete within the caller's scope, at most `most` lines; nothing is changed.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may erase, or bar from destruction.
    pub async fn retention_plan(&self, caller: &Caller, most: usize) -> Result<RetentionPlan, Error> {
        let scope = keeper(caller)?;
        let mut plan = RetentionPlan::default();
        let mut cursor = Some(look::Cursor::default());
        for _ in 0..PLAN_SLICES {
            let Some(at) = cursor.take() else { return Ok(plan) };
            let slice = self.look(scope, &at).await?;
            plan.due.extend(slice.due);
            plan.kept.extend(slice.kept);
            cursor = slice.next;
            if plan.due.len() + plan.kept.len() >= most {
                break;
            }
        }
        plan.more = cursor.is_some() || plan.due.len() > most || plan.kept.len() > most;
        plan.due.truncate(most);
        plan.kept.truncate(most);
        Ok(plan)
    }

    /// The newest runs of the caller's tenant, the newest first; counts and digests alone. One that is under way says how much it has
    /// deleted so far.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may erase, or bar from destruction.
    pub async fn retention_runs(&self, caller: &Caller, limit: u32) -> Result<Vec<RetentionRun>, Error> {
        let scope = keeper(caller)?;
        let mut runs = self.store().retention_runs(&scope.tenant, limit).await?;
        for run in runs.iter_mut().filter(|run| run.ended_at.is_none()) {
            run.deleted = self.store().retention_last(run.id).await?;
        }
        Ok(runs)
    }

    /// Records within the caller's scope that are barred from destruction, by id.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may erase, or bar from destruction.
    pub async fn held(&self, caller: &Caller, page: &Page) -> Result<Listed<model::Record>, Error> {
        Ok(self.store().held_records(keeper(caller)?, page).await?)
    }
}

/// The scope of somebody who looks after what is kept.
fn keeper(caller: &Caller) -> Result<&Scope, Error> {
    Ok(caller.may(Action::Erase).or_else(|_| caller.may(Action::HoldRecords))?)
}
