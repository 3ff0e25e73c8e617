//! The remote adapter: the trait of adapters over HTTPS and JSON, so that anybody can write an adapter in any language.
//! `openapi.yaml` beside this crate is the contract.
//!
//! Every request is signed by Standard Webhooks 1.0.0. A delivery's content is streamed and never stands in memory, so
//! it is not the body that is signed but what describes it: the JSON in the field `Amtsbote-Delivery`, which holds size
//! and SHA-256 of the content. The same delivery always has the same `webhook-id`. The body of a delivery about a record begins
//! with a short form of the record, whose size and SHA-256 are signed and which holds those of the files behind it.

mod act;
mod answer;
mod call;
mod carry;
mod changes;
mod progress;
mod told;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::adapter::{
    Adapter, CallbackRequest, Capability, Content, Delivery, Descriptor, Health, Host, Interest, Receipt,
    Reply, Sources,
};
use model::outbound::ChosenBy;
use model::{Clock, Failure};
use net::{Answer, Client, Method, Request};
use seal::webhook::SharedSecret;

use crate::answer::{Described, described, receipt, refusal};

/// Most bytes of an answer that are read.
const MOST_ANSWER: usize = 64 * 1024;

/// Longest time of a question, which has no content.
const QUESTION: Duration = Duration::from_secs(30);

/// How the other side is reached.
pub struct Settings {
    /// Id, as partners name it.
    pub id: String,
    /// `https://…` without a slash at its end; what is called stands below it.
    pub url: String,
    /// Secret that both sides were given.
    pub secret: SharedSecret,
    /// Whether it can be asked what became of a delivery.
    pub reconciles: bool,
    /// What it is told of records.
    pub follows: Vec<Interest>,
    /// Whether it keeps the records: what it has taken counts as imported.
    pub keeps_records: bool,
    /// Whether it is asked for changes that it brings.
    pub brings: bool,
    /// Whether calls from outside are passed on to it.
    pub takes_calls: bool,
    /// Longest time of a delivery, from the connection to the answer.
    pub within: Duration,
}

/// A remote adapter.
pub struct Remote {
    descriptor: Descriptor,
    settings: Settings,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Remote {
    /// An adapter that calls through `client`.
    pub fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let offers = [
            (true, Capability::Deliver),
            (settings.reconciles, Capability::Reconcile),
            (settings.brings, Capability::Run),
            (settings.takes_calls, Capability::Callback),
        ];
        let capabilities = offers.into_iter().filter(|(offered, _)| *offered).map(|(_, it)| it).collect();
        let descriptor = Descriptor {
            follows: settings.follows.clone(),
            keeps_records: settings.keeps_records,
            ..Descriptor::new(&settings.id, "remote", capabilities)
        };
        Remote { descriptor, settings, client, clock }
    }

    /// A signed request without a body. `signed` is what the signature covers beside id and time.
    fn request(&self, method: Method, path: &str, id: &str, signed: &[u8]) -> Result<Request, Failure> {
        let timestamp = self.clock.now().micros() / 1_000_000;
        let signature = self.settings.secret.sign(id, timestamp, signed);
        let signature =
            signature.map_err(|error| Failure::permanent("adapter.signature", error.to_string()))?;
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        Ok(Request {
            method,
            url: format!("{}{path}", self.settings.url),
            chosen_by: ChosenBy::Administrator,
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: None,
            within: QUESTION,
            most_answer: MOST_ANSWER,
        })
    }

    async fn ask(&self, path: &str, id: &str) -> Result<Answer, Failure> {
        Ok(self.client.send(self.request(Method::GET, path, id, b"")?).await?)
    }

    async fn describe(&self) -> Result<Described, Failure> {
        let answer = self.ask("/describe", "describe").await?;
        match answer.status {
            200 => described(&answer),
            _ => Err(refusal(&answer, self.clock.now())),
        }
    }

    /// What the program lacks of what the configuration says of it.
    fn lacks(&self, described: &Described) -> Option<String> {
        let offered = |wanted: &&Capability| !described.capabilities.contains(wanted);
        if let Some(wanted) = self.descriptor.capabilities.iter().find(offered) {
            return Some(format!("it does not offer {wanted:?}"));
        }
        let followed = |wanted: &&Interest| !described.follows.contains(wanted);
        if let Some(Interest { event, record }) = self.descriptor.follows.iter().find(followed) {
            return Some(format!("it does not follow {event:?} of {}", record.name()));
        }
        let keeps = self.descriptor.keeps_records && !described.keeps_records;
        keeps.then(|| "it does not keep the records".to_owned())
    }
}

#[async_trait]
impl Adapter for Remote {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let about = delivery.about.as_ref().map(|about| told::about(about));
        let facts = told::facts(delivery, about.as_deref()).to_string();
        let id = delivery.id.to_string();
        let mut request = self.request(Method::POST, "/deliveries", &id, facts.as_bytes())?;
        request.headers.push(("amtsbote-delivery".to_owned(), BASE64_STANDARD.encode(&facts)));
        request.within = self.settings.within;
        let (first, size) = match (&delivery.about, about) {
            (Some(about), Some(first)) => {
                let size = first.len() as u64 + told::size(about);
                (Some(Box::new(std::io::Cursor::new(first)) as Content), Some(size))
            }
            _ => (None, delivery.detail["size"].as_u64()),
        };
        let mut contents = Vec::from_iter(first);
        for source in sources {
            contents.push(source.open().await?);
        }
        if !contents.is_empty() {
            request.headers.push(("content-type".to_owned(), "application/octet-stream".to_owned()));
            request.body = Some(upload::of(contents, size));
        }
        let answer = self.client.send(request).await?;
        match answer.status {
            200..=202 => receipt(&answer, delivery),
            _ => Err(refusal(&answer, self.clock.now())),
        }
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let id = delivery.id.to_string();
        let answer = self.ask(&format!("/deliveries/{id}"), &id).await?;
        match answer.status {
            200 => receipt(&answer, delivery).map(Some),
            404 if answer::is_unknown_delivery(&answer) => Ok(None),
            _ => Err(refusal(&answer, self.clock.now())),
        }
    }

    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        self.pass_on(request, &*host).await
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        self.session(host).await
    }

    async fn check(&self) -> Health {
        match self.describe().await {
            Ok(described) => match self.lacks(&described) {
                None => {
                    Health { ok: true, detail: format!("it answers; its channel is {}", described.channel) }
                }
                Some(lack) => Health { ok: false, detail: lack },
            },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
