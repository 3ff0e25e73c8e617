//! Traces, in a program that was built with the cargo feature `otel` (`./dev check otel`): what a collector is told by a whole gateway, and
//! that one which does not answer is in nobody's way.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

#[allow(dead_code)] // Shared with the other tests of whole gateways.
#[path = "it/installation.rs"]
mod installation;

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use installation::{Installation, Running, on_free_ports};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A trace of somebody else.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A receipt for a message that nobody has sent: it is taken in, and its job ends.
const RECEIPT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<xdomea:Abgabe.EmpfangBestaetigen.0403 xmlns:xdomea="urn:xoev-de:xdomea:schema:3.0.0"><xdomea:Kopf>
<xdomea:ProzessID>11110000-0000-4000-8000-000000000401</xdomea:ProzessID>
<xdomea:Nachrichtentyp listURI="urn:xoev-de:xdomea:codeliste:nachrichtentyp" listVersionID="2.0"><code>0403</code></xdomea:Nachrichtentyp>
<xdomea:Erstellungszeitpunkt>2026-11-23T09:15:00+01:00</xdomea:Erstellungszeitpunkt>
<xdomea:Absender><xdomea:Institution><xdomea:Name>Archiv Geheimstadt</xdomea:Name></xdomea:Institution></xdomea:Absender>
<xdomea:Empfaenger><xdomea:Institution><xdomea:Name>Abgebende Stelle</xdomea:Name></xdomea:Institution></xdomea:Empfaenger>
</xdomea:Kopf></xdomea:Abgabe.EmpfangBestaetigen.0403>"#;

/// What was told, as bytes.
type Told = Arc<Mutex<Vec<Bytes>>>;

/// A collector and its address.
async fn collector() -> (String, Told) {
    async fn take(State(told): State<Told>, headers: HeaderMap, body: Bytes) {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        told.lock().unwrap().push(body);
    }
    let told = Told::default();
    let router = Router::new().route("/v1/traces", post(take)).with_state(told.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (address, told)
}

fn spans(told: &Told) -> Vec<Span> {
    let requests = told.lock().unwrap().clone();
    let requests = requests.into_iter().map(|body| ExportTraceServiceRequest::decode(body).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| {
        assert_eq!(text(&resource.resource.as_ref().unwrap().attributes, "service.name"), "amtsbote");
        resource.scope_spans
    });
    scopes.flat_map(|scope| scope.spans).collect()
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Any> {
    attributes.iter().find(|it| it.key == key)?.value.clone()?.value
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match attribute(attributes, key) {
        Some(Any::StringValue(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

fn number(attributes: &[KeyValue], key: &str) -> i64 {
    match attribute(attributes, key) {
        Some(Any::IntValue(number)) => number,
        other => panic!("{key} is {other:?}"),
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

/// A gateway that tells a collector, and a client with a token.
struct Bed {
    _installation: Installation,
    running: Running,
    client: Client,
    secret: String,
}

impl Bed {
    fn telling(address: &str, more: &str) -> Self {
        let installation = Installation::new();
        installation.configure(|example| {
            assert!(example.contains("\n[log]\n") && example.contains("trust_traceparent = false\n"));
            let example = example.replace("trust_traceparent = false\n", "");
            on_free_ports(&example.replace("\n[log]\n", &format!("\n[log]\notlp = \"{address}\"\n{more}")))
        });
        let running = installation.start();
        let created = installation.json(&[
            "token",
            "create",
            "--name",
            "Portal",
            "--role",
            "system",
            "--unit",
            "*",
            "--service",
            "*",
            "--authority",
            "bab:00000001",
            "--tenant",
            "musterkreis",
            "--json",
        ]);
        let secret = created["secret"].as_str().unwrap().to_owned();
        Bed { _installation: installation, running, client: Client::new(), secret }
    }

    async fn post(&self, path: &str, kind: &str, body: String) -> Value {
        let request = self.client.post(format!("{}/api/v1/{path}", self.running.internal));
        let request = request.bearer_auth(&self.secret).header("Idempotency-Key", path);
        let request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let request = request.header("tracestate", "geheim=wort");
        let answer = request.header("Content-Type", kind).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn file(&self) -> Value {
        let file = json!({ "unit": "63", "title": "Akte Geheimstadt" });
        self.post("case-files", "application/json", file.to_string()).await
    }

    /// Value of a figure, once it is not nothing.
    async fn figure(&self, name: &str) -> String {
        loop {
            let url = format!("{}/metrics", self.running.operations);
            let figures = self.client.get(url).send().await.unwrap().text().await.unwrap();
            let found = figures.lines().find_map(|line| line.strip_prefix(name));
            if let Some(value) = found.filter(|value| value.trim() != "0") {
                return value.trim().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_job_are_told_and_nothing_of_what_they_hold() {
    let (address, told) = collector().await;
    let bed = Bed::telling(&address, "trust_traceparent = true\n");
    bed.file().await;
    let message = bed.post("messages", "application/xml", RECEIPT.to_owned()).await;
    let id = message["id"].as_str().unwrap();
    let url = format!("{}/api/v1/messages/{id}?geheim=wort", bed.running.internal);
    while bed
        .client
        .get(&url)
        .bearer_auth(&bed.secret)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
        .contains("\"accepted\"")
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let secret = bed.secret.clone();
    // What was not told yet is told at the end.
    let (code, log) = bed.running.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("request") && !log.contains("traced-by-amtsbote") && !log.contains("job.kind"),
        "{log}"
    );

    let spans = spans(&told);
    let filed = named(&spans, "POST /api/v1/case-files");
    assert_eq!(text(&filed.attributes, "http.route"), "/api/v1/case-files");
    assert_eq!(number(&filed.attributes, "http.response.status_code"), 201);
    assert_eq!(filed.trace_id, bytes_of(TRACE), "the trace that the caller named");
    let asked = named(&spans, "GET /api/v1/messages/{id}");
    assert_ne!(asked.trace_id, bytes_of(TRACE), "the caller named none");
    let job = named(&spans, "job process");
    assert_eq!(text(&job.attributes, "job.class"), "work");
    assert_eq!(text(&job.attributes, "job.subject"), id);
    assert_eq!(number(&job.attributes, "job.attempts"), 0);
    assert!(attribute(&job.attributes, "job.outcome").is_some());

    let keys =
        ["http.request.method", "http.route", "http.response.status_code", "job.id", "job.kind", "job.class"];
    let keys = [&keys[..], &["job.subject", "job.attempts", "job.outcome"]].concat();
    for span in &spans {
        assert!(span.attributes.iter().all(|it| keys.contains(&it.key.as_str())), "{span:?}");
        assert!(span.events.is_empty() && span.trace_state.is_empty(), "{span:?}");
    }
    let bytes: Vec<u8> = told.lock().unwrap().concat();
    for word in ["Geheimstadt", "geheim", "wort", "Portal", secret.as_str(), &secret[secret.len() - 16..]] {
        assert!(!bytes.windows(word.len()).any(|it| it == word.as_bytes()), "{word} was told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_names_its_trace_only_where_that_is_trusted() {
    let (address, told) = collector().await;
    let bed = Bed::telling(&address, "");
    bed.file().await;
    assert_ne!(bed.figure("amtsbote_spans_total{outcome=\"sent\"}").await, "");
    assert_eq!(bed.running.stop("-TERM").0, Some(0));
    let spans = spans(&told);
    assert_ne!(named(&spans, "POST /api/v1/case-files").trace_id, bytes_of(TRACE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_never_answers_is_in_nobody_s_way() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bed = Bed::telling(&format!("http://{}", silent.local_addr().unwrap()), "");
    bed.file().await;
    let (line, _) = silent.accept().await.unwrap();
    // It has been called, and will never be heard of: requests and jobs go on, and so does the end.
    let message = bed.post("messages", "application/xml", RECEIPT.to_owned()).await;
    assert_eq!(message["state"], "accepted");
    let (code, log) = bed.running.stop("-TERM");
    assert!(code == Some(0) && log.contains("the last spans were not taken"), "{log}");
    drop(line);

    let gone = silent.local_addr().unwrap();
    drop(silent);
    let bed = Bed::telling(&format!("http://{gone}"), "");
    bed.file().await;
    assert_ne!(bed.figure("amtsbote_spans_total{outcome=\"dropped\"}").await, "");
    let (code, log) = bed.running.stop("-TERM");
    assert_eq!((code, log.matches("the collector does not take spans").count()), (Some(0), 1), "{log}");
}

#[test]
fn what_is_built_for_it_brings_neither_another_tls_nor_grpc() {
    let tree = |features: &[&str]| {
        let arguments = ["tree", "--package", "amtsbote", "--edges", "normal,build", "--prefix", "none"];
        let mut command = Command::new(env!("CARGO"));
        let command = command.args(arguments).arg("--locked").args(features);
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let tree = String::from_utf8(output.stdout).unwrap();
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    let built = tree(&["--features", "otel"]);
    assert!(built.iter().any(|name| name == "opentelemetry_sdk"));
    for name in ["rustls", "ring", "aws-lc-rs", "tonic", "h2", "opentelemetry-otlp"] {
        assert!(!built.iter().any(|it| it == name), "{name}");
    }
    assert!(!tree(&[]).iter().any(|name| name.contains("opentelemetry") || name.starts_with("prost")));
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
