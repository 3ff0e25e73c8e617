//! Spans on their way to the collector: OTLP 1 over HTTP, binary protobuf (OpenTelemetry Protocol, "OTLP/HTTP"). Nobody waits for it: what
//! ends is put into a queue of fixed length, or counted as dropped if that is full or the collector does not take it. A batch is sent once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use broker::TRACED;
use config::Listener;
use metrics::counter;
use model::SystemClock;
use model::outbound::ChosenBy;
use net::{Client, Egress};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};

use crate::error::Error;

/// Spans that wait; each takes about a kilobyte.
const QUEUE: usize = 4_096;
/// Most spans of a batch.
const BATCH: usize = 512;
/// How long spans are gathered.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest time for a batch.
const WITHIN: Duration = Duration::from_secs(5);
/// Longest time for what is left at the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Most bytes of an answer, which nobody reads.
const MOST_ANSWER: usize = 64 * 1024;

/// What sends spans.
pub(super) struct Sending {
    queue: mpsc::Receiver<SpanData>,
    collector: Collector,
}

impl Sending {
    /// What sends to `url`, and who makes the spans of all that is logged: of so large a share of the traces that begin here.
    ///
    /// # Errors
    /// If there is no such address.
    pub(super) fn to(url: &str, node: &str, share: f64) -> Result<(Self, Listener), Error> {
        // Nothing of it is taken from the environment, as the SDK would: what holds stands in the configuration.
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", "amtsbote"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_owned()),
        ]);
        let resource = resource.build();
        let collector = Collector::new(url, &resource)?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_span_processor(Queue(sender))
            .build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("amtsbote"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        // Neither lines of the log nor spans of other people's crates, which may hold anything.
        let traced = filter_fn(|it| it.is_span() && it.target() == TRACED);
        let listener = spans.with_filter(traced.with_max_level_hint(LevelFilter::INFO)).boxed();
        Ok((Sending { queue, collector }, listener))
    }

    /// Sends while `work` goes on, then what is left, for a second.
    pub(super) async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        let (stop, stopped) = oneshot::channel();
        let sending = tokio::spawn(self.send_until(stopped));
        let outcome = work.await;
        let _ = stop.send(());
        if timeout(FAREWELL, sending).await.is_err() {
            tracing::warn!("the last spans were not taken by the collector");
        }
        outcome
    }

    async fn send_until(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut stops = false;
        while !stops {
            tokio::select! {
                _ = &mut stopped => stops = true,
                () = tokio::time::sleep(PAUSE) => {}
            }
            while let Some(batch) = self.batch() {
                self.collector.take(batch).await;
            }
        }
    }

    /// What waits, up to the size of a batch; `None` if nothing does.
    fn batch(&mut self) -> Option<Vec<SpanData>> {
        let batch: Vec<_> = std::iter::from_fn(|| self.queue.try_recv().ok()).take(BATCH).collect();
        Some(batch).filter(|batch| !batch.is_empty())
    }
}

/// Where spans wait.
#[derive(Debug)]
struct Queue(mpsc::Sender<SpanData>);

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.0.try_send(span).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Whoever gathers the house's traces.
struct Collector {
    client: Client,
    url: String,
    resource: ResourceAttributesWithSchema,
    /// Whether it took the last batch.
    takes: bool,
}

impl Collector {
    fn new(url: &str, resource: &Resource) -> Result<Self, Error> {
        // A client of its own: plain HTTP is spoken with whom the check of the configuration lets through, which is this machine.
        let egress = Egress::default().with_plain_http();
        let url = format!("{}/v1/traces", url.trim_end_matches('/'));
        egress.check(&url, ChosenBy::Administrator)?;
        let client = Client::new(egress, net::Settings::default(), Arc::new(SystemClock));
        Ok(Collector { client, url, resource: resource.into(), takes: true })
    }

    /// Sends a batch. One that is not taken is gone: the next one is worth more than this one twice.
    async fn take(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let answer = self.client.send(net::Request {
            method: net::Method::POST,
            url: self.url.clone(),
            chosen_by: ChosenBy::Administrator,
            headers: vec![("Content-Type".to_owned(), "application/x-protobuf".to_owned())],
            body: Some(body.into()),
            within: WITHIN,
            most_answer: MOST_ANSWER,
        });
        let wrong = match answer.await {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) => Some(format!("status {}", answer.status)),
            Err(error) => Some(error.code().to_owned()),
        };
        count(if wrong.is_none() { "sent" } else { "dropped" }, spans);
        // Said once, not with each batch.
        match (&wrong, self.takes) {
            (Some(reason), true) => tracing::warn!(reason, "the collector does not take spans"),
            (None, false) => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        self.takes = wrong.is_none();
    }
}

fn count(outcome: &'static str, spans: u64) {
    counter!("amtsbote_spans_total", "outcome" => outcome).increment(spans);
}
