//! A span for each request: method, route template and status, as the semantic conventions of OpenTelemetry name them; never path, query,
//! header fields or content. Which trace it belongs to is believed of the field `traceparent` alone (W3C Trace Context, section 3.2), and
//! only where the configuration says so; `tracestate` holds words of others and is not read.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use broker::TRACED;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The field that says which trace a request belongs to.
const TRACEPARENT: &str = "traceparent";

/// The router with a span around each of its requests; `trust` says whether those who call may say which trace it belongs to.
pub(crate) fn around(router: Router, trust: bool) -> Router {
    router.layer(from_fn_with_state(trust, traced))
}

async fn traced(State(trust): State<bool>, request: Request, next: Next) -> Response {
    let method = known(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let span = tracing::info_span!(
        target: TRACED, "request", otel.name = %format_args!("{method} {route}"), otel.kind = "server",
        otel.status_code = Empty, http.request.method = method, http.route = route,
        http.response.status_code = Empty,
    );
    if trust {
        go_on(&span, request.headers());
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    // A number only as a signed one: others are told as text.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "error");
    }
    response
}

/// Puts a span into the trace that a caller names, if it names one.
fn go_on(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&OneField(headers));
    if context.span().span_context().is_valid() {
        // It fails only where the span is not made, because nobody listens.
        let _ = span.set_parent(context);
    }
}

/// Header fields of which one is looked at.
struct OneField<'a>(&'a HeaderMap);

impl Extractor for OneField<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).filter(|_| key == TRACEPARENT)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// A client may invent methods, and could say things by them.
fn known(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
