//! The adapter, whatever the system is: tells it of records (`tell`) and takes back what happens there (`look`).
//!
//! | here | there |
//! |---|---|
//! | unit of the file plan of the outermost record | folder below the configured one |
//! | case file, case | folder in that of what it lies in |
//! | document, its further files | document, a version for each version |
//!
//! Before anything is made it is looked for by our identifier, so doing it again after a lost answer finds what was made. What both
//! sides changed since they last agreed is a conflict and waits for a human; what only one side changed goes to the other.

mod look;
mod remembered;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Host, Interest, Receipt, Sources};
use model::{EventKind, Failure, FailureKind, RecordKind};

use crate::mapping::Mapping;
use crate::port::Port;

/// What all systems are configured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Id of the adapter, as configured.
    pub id: String,
    /// What is mapped.
    pub mapping: Mapping,
    /// Pause between two looks for changes.
    pub poll: Duration,
}

/// A document management system as a channel.
pub struct Dms {
    descriptor: Descriptor,
    settings: Settings,
    port: Arc<dyn Port>,
}

impl Dms {
    /// The adapter over a system.
    pub fn new(settings: Settings, port: Arc<dyn Port>) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Run];
        let descriptor = Descriptor {
            follows: follows(),
            keeps_records: true,
            ..Descriptor::new(&settings.id, "dms", capabilities)
        };
        Dms { descriptor, settings, port }
    }
}

fn follows() -> Vec<Interest> {
    let all = [EventKind::RecordCreated, EventKind::RecordChanged, EventKind::ReferenceAssigned];
    let of = |record| all.map(|event| Interest { event, record });
    let mut follows: Vec<Interest> =
        [RecordKind::CaseFile, RecordKind::Case, RecordKind::Document].into_iter().flat_map(of).collect();
    follows.push(Interest { event: EventKind::ContentAdded, record: RecordKind::Document });
    follows
}

/// Whoever does it again looks first, so what nobody knows is passing trouble.
fn looked_for_again(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Uncertain => Failure { kind: FailureKind::Transient, ..failure },
        _ => failure,
    }
}

#[async_trait]
impl Adapter for Dms {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let teller = tell::Teller { port: &*self.port, mapping: &self.settings.mapping };
        teller.deliver(delivery, sources).await.map_err(looked_for_again)
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let port = tell::Looking(&*self.port);
        let teller = tell::Teller { port: &port, mapping: &self.settings.mapping };
        match teller.deliver(delivery, &[]).await {
            Err(failure) if failure.code == tell::NOT_DONE => Ok(None),
            outcome => outcome.map(Some).map_err(looked_for_again),
        }
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let looker = look::Looker { port: &*self.port, mapping: &self.settings.mapping, host: &*host };
        looker.session().await.map_err(looked_for_again)?;
        Ok(self.settings.poll)
    }

    async fn check(&self) -> Health {
        match self.port.check().await {
            Ok(detail) => Health { ok: true, detail },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
