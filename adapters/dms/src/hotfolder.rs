//! Hot folders of xdomea containers, for a document management system without an interface: the gateway puts containers into one folder
//! and takes those of the system out of another. As a partner of the gateway the system then has whatever xdomea foresees: what is handed
//! over to it (0401, 0503) comes here as a message, its import confirmations (0402, 0506) and its offers (0501) go to the broker
//! as messages of that partner. If it is configured so, each new file of a document is told as an 0101 of its own, with the case
//! that it belongs to.
//!
//! | module | holds |
//! |---|---|
//! | `folder` | writing and taking files, so that nobody ever sees half of one and none is lost or taken twice |
//! | `outgoing` | containers into the folder of the system |
//! | `incoming` | containers out of it |
//! | `letter` | the 0101 that tells of a document |

mod folder;
mod incoming;
mod letter;
mod outgoing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Host, Interest, Receipt, Sources};
use model::standard::{Endpoint, Standard};
use model::{Authority, Clock, EventKind, Failure, RecordKind};

use incoming::Incoming;
use outgoing::Outbox;

/// How the folders are used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Id of the adapter, as configured.
    pub id: String,
    /// Folder that the system takes containers from.
    pub export: PathBuf,
    /// Folder that the system puts containers into.
    pub import: PathBuf,
    /// Who the system is as a partner of the gateway; its way is this adapter.
    pub partner: Authority,
    /// How long a file has to be left alone before it is taken.
    pub quiet: Duration,
    /// Pause between two looks.
    pub poll: Duration,
    /// Largest file that is taken, in bytes.
    pub most_bytes: u64,
    /// Whether what was taken in is kept, in `.amtsbote/done` of the folder; otherwise it is removed.
    pub keep_done: bool,
    /// Whether the system is told of each new file of a document.
    pub told: Option<Told>,
}

/// How the system is told of documents.
#[derive(Debug, Clone)]
pub struct Told {
    /// Version of xdomea, such as `3.1.0`.
    pub version: String,
    /// Who sends, as it stands in the message.
    pub sender: Endpoint,
    /// Who receives, as it stands in the message.
    pub recipient: Endpoint,
}

impl Settings {
    /// What is usual.
    pub fn new(
        id: impl Into<String>,
        export: impl Into<PathBuf>,
        import: impl Into<PathBuf>,
        partner: Authority,
    ) -> Self {
        Settings {
            id: id.into(),
            export: export.into(),
            import: import.into(),
            partner,
            quiet: Duration::from_secs(10),
            poll: Duration::from_secs(15),
            most_bytes: 4 << 30,
            keep_done: false,
            told: None,
        }
    }
}

/// The folders as a channel.
pub struct Hotfolder {
    descriptor: Descriptor,
    settings: Settings,
    standard: Arc<dyn Standard>,
    clock: Arc<dyn Clock>,
    incoming: Incoming,
}

impl Hotfolder {
    /// The adapter; `standard` is xdomea.
    pub fn new(settings: Settings, standard: Arc<dyn Standard>, clock: Arc<dyn Clock>) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Run];
        let of = |event| Interest { event, record: RecordKind::Document };
        let follows = match settings.told {
            Some(_) => vec![of(EventKind::RecordCreated), of(EventKind::ContentAdded)],
            None => vec![],
        };
        let descriptor = Descriptor { follows, ..Descriptor::new(&settings.id, "dms", capabilities) };
        Hotfolder { descriptor, settings, standard, clock, incoming: Incoming::default() }
    }

    fn outbox(&self) -> Outbox<'_> {
        Outbox { folder: &self.settings.export }
    }
}

#[async_trait]
impl Adapter for Hotfolder {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let outbox = self.outbox();
        if let Some(receipt) = outbox.sent(delivery.id).await? {
            return Ok(receipt);
        }
        let Some(about) = &delivery.about else {
            return outbox.message(delivery, sources).await;
        };
        let (Some(told), Some(source)) = (&self.settings.told, sources.first()) else {
            // There is nothing to hand over yet: bytes come with an event of their own.
            return Ok(Receipt::default());
        };
        let letter = letter::Letter { told, about, id: delivery.id, now: self.clock.now() };
        outbox.letter(&letter, &**source, &self.standard).await
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        self.outbox().sent(delivery.id).await
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        self.incoming.session(&self.settings, &*host).await?;
        Ok(self.settings.poll)
    }

    async fn check(&self) -> Health {
        let looked = async {
            folder::check(&self.settings.export).await?;
            folder::check(&self.settings.import).await?;
            folder::waiting(&self.settings.export).await
        };
        match looked.await {
            Ok(waiting) => Health {
                ok: true,
                detail: format!("both folders can be written; {waiting} files wait for the system"),
            },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
