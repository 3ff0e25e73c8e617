//! Channels: adapters are told what happens to records, and bring in what happens elsewhere.
//!
//! ```text
//! feed     sealed events, in their order, become what each adapter is to be told: rows and jobs, with how far it is, in one transaction
//! tell     one of these is delivered (job): known by its id, marked before the call; links, commands and event with the end of the row
//! below    what lies in a record that a message brought
//! session  an adapter's own work (job): it looks for what is new at the other side
//! host     what an adapter may do here, within the scope that it is configured for
//! commands what follows for records from what an adapter was told
//! import   what a record-keeping adapter has taken is reported as imported
//! letter   a piece of post is taken in
//! filing   what lies on a desk goes into a case, or to another desk
//! door     calls from outside, and whole messages that an adapter brings
//! desk     what waits for a human: seen, sent again, dropped
//! ```
//! The event is the outgoing row: whatever changes a record leaves one, so no change can be forgotten. An adapter is not told of what it
//! did itself.

mod below;
mod commands;
mod desk;
mod door;
mod feed;
mod filing;
mod host;
mod import;
mod letter;
mod session;
mod telephone;
mod tell;

use std::time::Duration;

use model::rights::Role;
use model::{Actor, Authority, Caller, Scope};
use store::{Job, NewJob, Work};

pub(crate) use below::BELOW;
pub use filing::Filing;
pub(crate) use host::Session;
pub(crate) use import::IMPORT;
pub(crate) use letter::{Brought, TO_FILE};
pub(crate) use session::RUN;
pub use telephone::KnownNumber;
pub(crate) use tell::{Kept, TELL};

use crate::{Broker, Error};

/// Pause before a job that came to nothing, and that nobody else looks after, is begun anew.
const ANEW: Duration = Duration::from_secs(3_600);

/// Whom an adapter serves.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The records that it is told of and may change.
    pub scope: Scope,
    /// The authority that what it brings in belongs to.
    pub authority: Authority,
    /// The unit whose desk it brings things onto that no other is known for.
    pub unit: String,
    /// Whether it is told of everything that ever happened, and not only of what happens from its first start on.
    pub from_beginning: bool,
    /// How long is tried to tell it something before a human is asked.
    pub patience: Duration,
}

impl Channel {
    /// The adapter as a caller.
    fn caller(&self, adapter: &str) -> Caller {
        Caller {
            actor: actor(adapter),
            roles: vec![Role::RecordKeeping, Role::Clerk],
            scope: self.scope.clone(),
            authority: Some(self.authority.clone()),
        }
    }
}

/// The adapter as it stands in events.
fn actor(adapter: &str) -> Actor {
    Actor { kind: "system".to_owned(), id: adapter.to_owned() }
}

impl Broker {
    /// The same with whom each adapter serves, by its id. One that serves nobody is told nothing and runs no sessions; messages may still
    /// be delivered through it. Before it is cloned.
    pub fn with_channels(self, channels: impl IntoIterator<Item = (String, Channel)>) -> Self {
        Broker { channels: std::sync::Arc::new(channels.into_iter().collect()), ..self }
    }
    /// The same job an hour later: whatever was in the way, nobody may wait for ever for what it does.
    pub(crate) async fn begin_anew(&self, job: &Job) -> Result<(), Error> {
        let mut work = Work::new();
        work.finish_job(job.id, job.epoch);
        work.enqueue(&NewJob {
            id: job.id,
            tenant: job.tenant.clone(),
            lane: job.lane.clone(),
            kind: job.kind.clone(),
            subject: job.subject,
            detail: job.detail.clone(),
            next_at: self.now().plus(ANEW),
            fifo_key: job.fifo_key.clone(),
        });
        Ok(self.store().commit(work).await?)
    }
}
