//! The adapter of an engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Host, Receipt, Sources};
use model::{Clock, Failure};
use net::Client;

use crate::camunda::Camunda;
use crate::settings::{Settings, Topic};

/// An engine as a channel.
pub struct Workflow {
    descriptor: Descriptor,
    pub(crate) settings: Settings,
    pub(crate) camunda: Camunda,
}

impl Workflow {
    /// An engine that is called through `client`.
    pub fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let mut capabilities = vec![Capability::Deliver, Capability::Reconcile];
        if settings.history || !settings.topics.is_empty() {
            capabilities.push(Capability::Run);
        }
        let descriptor = Descriptor {
            follows: settings.follows(),
            // A message that no process waits for yet must not hold back what another waits for.
            in_order: false,
            ..Descriptor::new(&settings.id, "workflow", capabilities)
        };
        let camunda = Camunda::new(&settings, client, clock);
        Workflow { descriptor, settings, camunda }
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.settings.topics.iter().find(|topic| topic.name == name)
    }

    async fn looked_at(&self) -> Result<String, Failure> {
        for process in &self.settings.processes {
            if !self.camunda.has_process(&process.key).await? {
                let why = format!("the engine knows no process {}", process.key);
                return Err(Failure::permanent("workflow.no-process", why));
            }
        }
        let mut waiting = 0;
        for topic in &self.settings.topics {
            waiting += self.camunda.waiting(&topic.name).await?;
        }
        Ok(format!("it answers; {} processes, {waiting} external tasks wait", self.settings.processes.len()))
    }
}

#[async_trait]
impl Adapter for Workflow {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        self.tell(delivery).await
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        self.told(delivery).await
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        if !self.settings.topics.is_empty() {
            self.work(&*host).await?;
        }
        if self.settings.history {
            self.watch(&*host).await?;
        }
        Ok(self.settings.pause)
    }

    async fn check(&self) -> Health {
        match self.looked_at().await {
            Ok(detail) => Health { ok: true, detail },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
