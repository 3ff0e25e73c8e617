//! What every request leaves behind: a line in the log and figures for Prometheus, by route template,
//! never by path, query or content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::Timestamp;

use crate::VERSION;
use crate::auth::CallerId;
use crate::problem::Problem;

/// Longest request target, in bytes.
const TARGET_BYTES: usize = 8 * 1024;

/// Largest header section, in bytes.
const HEADER_BYTES: usize = 16 * 1024;

/// Bounds of the latency histogram, in seconds.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Lanes to partners that have figures of their own.
const MOST_LANES: usize = 1_000;

/// Latencies that are kept until they are sorted into the histogram.
const UNSORTED: u64 = 1_000;

static REQUESTS: AtomicU64 = AtomicU64::new(0);

type Labels = Vec<(&'static str, String)>;

/// Labels that gauges were set for. The recorder keeps them, too.
static KNOWN: Mutex<BTreeMap<&'static str, BTreeSet<Labels>>> = Mutex::new(BTreeMap::new());

/// The process's recorder. There is one, because the `metrics` crate has one.
static PROMETHEUS: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS).ok()?;
    builder.install_recorder().ok()
});

/// Makes sure that figures are recorded from now on.
pub(crate) fn start() {
    LazyLock::force(&PROMETHEUS);
}

/// All figures in the text form of Prometheus.
pub(crate) fn render(stats: Option<&broker::Stats>, pressure: &broker::PressureNow) -> String {
    let Some(prometheus) = PROMETHEUS.as_ref() else { return String::new() };
    if let Some(stats) = stats {
        let of_state = |(state, count): (&String, &u64)| (vec![("state", state.clone())], *count as f64);
        set_all("amtsbote_messages", stats.messages.iter().map(of_state).collect());
        let (waiting, leased) =
            stats.lanes.iter().fold((0, 0), |(w, l), lane| (w + lane.waiting, l + lane.leased));
        gauge!("amtsbote_jobs", "state" => "waiting").set(waiting as f64);
        gauge!("amtsbote_jobs", "state" => "leased").set(leased as f64);
        for class in broker::Class::ALL {
            let of_class = stats.lanes.iter().filter(|lane| lane.class == class);
            let waiting = of_class.map(|lane| lane.waiting).sum::<u64>();
            gauge!("amtsbote_queue_waiting", "class" => class.name()).set(waiting as f64);
        }
        let oldest = stats.lanes.iter().filter_map(|lane| lane.oldest).map(Timestamp::micros).min();
        // As Prometheus wants it: the moment, from which the age follows; 0 if nothing waits.
        gauge!("amtsbote_oldest_job_timestamp_seconds").set(oldest.unwrap_or_default() as f64 / 1e6);
        // Adapters are few, and those of the house itself.
        stats.lanes.iter().filter(|lane| lane.adapter().is_some()).for_each(lane_figures);
        let partners = stats.lanes.iter().filter(|lane| lane.lane.starts_with("to:"));
        partners.take(MOST_LANES).for_each(lane_figures);
        let mut channels = BTreeMap::new();
        for (adapter, state, count) in &stats.channels {
            channels.insert(vec![("adapter", adapter.clone()), ("state", state.clone())], *count as f64);
        }
        set_all("amtsbote_channel_deliveries", channels);
        gauge!("amtsbote_unsealed_events").set(stats.unsealed_events as f64);
    }
    gauge!("amtsbote_disk_free_bytes").set(pressure.disk_free.unwrap_or_default() as f64);
    gauge!("amtsbote_disk_full").set(if pressure.disk_full { 1.0 } else { 0.0 });
    gauge!("amtsbote_requests_in_flight").set(pressure.requests as f64);
    gauge!("amtsbote_bodies_in_flight").set(pressure.bodies as f64);
    gauge!("amtsbote_body_bytes_in_flight").set(pressure.bytes as f64);
    gauge!("amtsbote_store_up").set(if stats.is_some() { 1.0 } else { 0.0 });
    prometheus.run_upkeep();
    prometheus.render()
}

/// Sets a gauge of each of these labels, and of those that were there before and are not any more: nothing would stay at what it was last.
fn set_all(name: &'static str, now: BTreeMap<Labels, f64>) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.entry(name).or_default();
    known.extend(now.keys().cloned());
    for labels in known.iter() {
        gauge!(name, labels).set(now.get(labels).copied().unwrap_or_default());
    }
}

/// What this process counted of messages, and how long they took: as a histogram of Prometheus, made of the counts as they are kept.
pub(crate) fn note_messages(broker: &broker::Broker) {
    for it in broker.message_counts() {
        let labels = [
            ("door", it.door),
            ("direction", it.direction.to_owned()),
            ("partner", it.partner),
            ("state", it.state.to_owned()),
        ];
        counter!("amtsbote_messages_total", &labels).absolute(it.count);
    }
    for (direction, times) in broker.delivery_times() {
        for (count, bound) in times.within.iter().zip(broker::DELIVERY_SECONDS) {
            let labels = [("direction", direction.to_owned()), ("le", bound.to_string())];
            counter!("amtsbote_delivery_seconds_bucket", &labels).absolute(*count);
        }
        let all = [("direction", direction.to_owned()), ("le", "+Inf".to_owned())];
        counter!("amtsbote_delivery_seconds_bucket", &all).absolute(times.count);
        counter!("amtsbote_delivery_seconds_count", "direction" => direction).absolute(times.count);
        // Whole seconds: sums of a process grow large, and a counter has no fractions.
        counter!("amtsbote_delivery_seconds_sum", "direction" => direction)
            .absolute(times.micros / 1_000_000);
    }
}

/// When certificates end: ours, and those of ways to others.
pub(crate) fn note_certificates(ends: &[broker::CertificateEnd]) {
    for it in ends {
        let seconds = it.until.micros() as f64 / 1e6;
        gauge!("amtsbote_certificate_end_timestamp_seconds", "certificate" => it.name.clone()).set(seconds);
    }
}

/// How many certificates that the configuration names are too weak; which ones, the console says.
pub(crate) fn note_weak_certificates(weak: &[broker::WeakCertificate]) {
    gauge!("amtsbote_weak_certificates").set(weak.len() as f64);
}

/// Notes how the time stamps stand, if any are wanted.
pub(crate) fn note_stamps(health: Option<broker::StampHealth>) {
    let Some(health) = health else { return };
    // Moments, from which the ages follow; 0 if there is no such moment.
    let seconds = |time: Option<model::Timestamp>| time.map_or(0.0, |time| time.micros() as f64 / 1e6);
    gauge!("amtsbote_last_stamp_timestamp_seconds").set(seconds(health.last));
    gauge!("amtsbote_oldest_unstamped_timestamp_seconds").set(seconds(health.unstamped_since));
    gauge!("amtsbote_stamps_overdue").set(if health.overdue { 1.0 } else { 0.0 });
}

/// How a lane to a partner stands. There is one for each authority that is reached outside.
fn lane_figures(lane: &broker::Lane) {
    let labels = [("tenant", lane.tenant.clone()), ("lane", lane.lane.clone())];
    gauge!("amtsbote_lane_waiting", &labels).set((lane.waiting + lane.leased) as f64);
    let open = match lane.breaker.state {
        broker::BreakerState::Closed => 0.0,
        broker::BreakerState::HalfOpen => 1.0,
        broker::BreakerState::Open => 2.0,
    };
    gauge!("amtsbote_lane_breaker", &labels).set(open);
    let oldest = lane.oldest.map_or(0, Timestamp::micros);
    gauge!("amtsbote_lane_oldest_timestamp_seconds", &labels).set(oldest as f64 / 1e6);
}

/// Around every request: limits on its head, the fields that every answer has, log and figures.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let mut response = at_a_door(request, next).await;
    response.headers_mut().insert(HeaderName::from_static("api-version"), HeaderValue::from_static(VERSION));
    response
}

/// The same at a door that is no part of the interface: its version is nobody's business there.
pub(crate) async fn at_a_door(request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let mut response = match head_fits(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));

    let status = response.status().as_u16();
    let took = begin.elapsed();
    let caller = response.extensions().get::<CallerId>().map_or("-", |caller| caller.0.as_str());
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status, micros, caller, "request");
    let method = if is_known(&method) { method.to_string() } else { "other".to_owned() };
    note_request(method, route, status, took);
    response
}

/// Counts a request. The recorder keeps every latency by itself until it is told to sort them into the histogram; if
/// only those who ask for figures told it, a gateway that nobody asks would grow with every request.
fn note_request(method: String, route: String, status: u16, took: Duration) {
    counter!("http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!("http_request_seconds", "method" => method, "route" => route).record(took.as_secs_f64());
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed);
    if let (0, Some(prometheus)) = (count % UNSORTED, PROMETHEUS.as_ref()) {
        prometheus.run_upkeep();
    }
}

/// A client may invent methods; labels must not grow with them.
fn is_known(method: &axum::http::Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")
}

fn head_fits(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if uri.path().len() + uri.query().map_or(0, str::len) > TARGET_BYTES {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "api.uri-too-long"));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > HEADER_BYTES {
        return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "api.header-too-large"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of this process that belongs to nobody else, in bytes.
    fn resident() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: Vec<u64> = statm.split_whitespace().map(|pages| pages.parse().unwrap()).collect();
        (pages[1] - pages[2]) * 4_096
    }

    #[test]
    #[ignore = "measures its process, in which nothing else may run: the next test starts one"]
    fn many_requests_that_nobody_asks_about() {
        start();
        let note = || note_request("GET".to_owned(), "/".to_owned(), 200, Duration::from_millis(1));
        (0..10_000).for_each(|_| note());
        let before = resident();
        (0..250_000).for_each(|_| note());
        let grown = resident().saturating_sub(before);
        assert!(grown < 1 << 19, "{grown} bytes for a quarter of a million requests");
    }

    #[test]
    fn what_is_not_there_any_more_is_none() {
        let pressure =
            broker::PressureNow { disk_free: None, disk_full: false, requests: 0, bodies: 0, bytes: 0 };
        let stats = |messages: &[(&str, u64)], channels: &[(&str, &str, u64)]| broker::Stats {
            engine: "sqlite",
            messages: messages.iter().map(|it| (it.0.to_owned(), it.1)).collect(),
            lanes: vec![],
            channels: channels.iter().map(|it| (it.0.to_owned(), it.1.to_owned(), it.2)).collect(),
            unsealed_events: 0,
        };
        let before = render(Some(&stats(&[("parked", 25)], &[("dms", "waiting", 3)])), &pressure);
        assert!(before.contains("amtsbote_messages{state=\"parked\"} 25"));
        let after = render(Some(&stats(&[], &[])), &pressure);
        assert!(after.contains("amtsbote_messages{state=\"parked\"} 0"), "{after}");
        assert!(
            after.contains("amtsbote_channel_deliveries{adapter=\"dms\",state=\"waiting\"} 0"),
            "{after}"
        );
    }

    #[test]
    fn figures_that_nobody_asks_for_do_not_pile_up() {
        let alone = "meter::tests::many_requests_that_nobody_asks_about";
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let output = process.args(["--exact", "--ignored", alone]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
