//! The adapter of a telephone system.

use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Host, Interest, Receipt, Sources};
use model::{Clock, EventKind, Failure, RecordKind};
use net::Client;
use tokio::sync::Mutex;

use crate::ari::Ari;
use crate::flood::Flood;
use crate::session::Listening;
use crate::settings::Settings;
use crate::socket::Place;

/// Pause between two sessions: the line stays, and what comes meanwhile waits in it.
const PAUSE: Duration = Duration::from_secs(1);

/// An Asterisk as a channel.
pub struct Asterisk {
    descriptor: Descriptor,
    pub(crate) settings: Settings,
    pub(crate) ari: Ari,
    pub(crate) clock: Arc<dyn Clock>,
    place: Option<Place>,
    /// The line, from one session to the next.
    pub(crate) held: Mutex<Option<Listening>>,
    /// How many calls began lately: known whatever becomes of the line.
    flood: Lock<Flood>,
}

impl Asterisk {
    /// A telephone system that is called through `client`.
    pub fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Run];
        let descriptor = Descriptor {
            follows: vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Interaction }],
            // A call that cannot be made must not keep another from being made.
            in_order: false,
            takes_bytes: false,
            // The telephone system forgets a call once it is over.
            asks_by_notes: true,
            ..Descriptor::new(&settings.id, "telephone", capabilities)
        };
        let (ari, place) = (Ari::new(&settings, client), Place::of(&settings.url));
        Asterisk { descriptor, settings, ari, clock, place, held: Mutex::new(None), flood: Lock::default() }
    }

    pub(crate) fn place(&self) -> Result<&Place, Failure> {
        let none = || Failure::permanent("telephone.refused", "the address is none");
        self.place.as_ref().ok_or_else(none)
    }

    pub(crate) fn flood(&self) -> MutexGuard<'_, Flood> {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Adapter for Asterisk {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        self.wanted(delivery).await
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        self.rings_already(delivery).await
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let outcome = self.session(&*host).await;
        // Also after one that came to nothing: a flood may be why.
        let told = self.tell_flood(&*host).await;
        outcome.and(told).map(|()| PAUSE)
    }

    async fn check(&self) -> Health {
        match self.ari.version().await {
            Ok(version) => Health { ok: true, detail: format!("it answers; Asterisk {version}") },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
