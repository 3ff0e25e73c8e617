//! Independent programs: `three` (PyPI) as a client of the server, the JSON schemas of GeoReport v2, `http_ece` and npm's `web-push` for Web Push.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::TryStreamExt;
use model::adapter::{Adapter, CallbackRequest};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::push::{delivery, link, push, remembering, told};
use crate::support::{Bed, shared};

/// The server of a bed at a port of this machine.
async fn answer(State(bed): State<Arc<Bed>>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().as_str();
    let path = path.strip_prefix("/open311/v2/").unwrap().to_owned();
    let method = request.method().to_string();
    let headers = request.headers().iter();
    let headers = headers.map(|(name, it)| (name.to_string(), it.to_str().unwrap().to_owned())).collect();
    let body = request.into_body().into_data_stream().map_err(std::io::Error::other);
    let body = Box::new(StreamReader::new(Box::pin(body)));
    let call = CallbackRequest { method, path, headers, body };
    let reply = bed.server.callback(call, bed.host.clone()).await.unwrap();
    let kind = reply.content_type.unwrap_or_default();
    let body = Body::from_stream(ReaderStream::new(reply.body));
    Response::builder().status(reply.status).header("content-type", kind).body(body).unwrap()
}

async fn serve(bed: Bed) -> String {
    let router = Router::new().fallback(answer).with_state(Arc::new(bed));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/open311/v2/")
}

/// Python with the counterparts, if it was installed.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
    if python.is_none() {
        eprintln!("SKIPPED: AMTSBOTE_TEST_ZEEP names no Python with three, jsonschema and http_ece");
    }
    python
}

fn script(name: &str) -> String {
    format!("{}/tests/it/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn an_independent_client_reads_what_we_answer_and_the_schemas_hold() {
    let (Some(python), Some(_)) = (python(), shared("packs/open311/georeport-v2/requests.json")) else {
        return;
    };
    let url = serve(Bed::new()).await;
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/packs/open311/georeport-v2");
    let out =
        Command::new(python).args([&script("open311_client.py"), &url, schemas]).output().await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
}

/// A push service and a browser that check what comes; they say so in a line.
async fn told_to(command: &mut Command) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let subscription = lines.next_line().await.unwrap().unwrap();
    let subscription: serde_json::Value = serde_json::from_str(&subscription).unwrap();
    let text = |at: &serde_json::Value| at.as_str().unwrap().to_owned();
    let keys = &subscription["keys"];
    let endpoint = text(&subscription["endpoint"]);
    let link = link(&endpoint, &text(&keys["p256dh"]), &text(&keys["auth"]));
    let delivery = delivery(vec![link]);
    let receipt = told(&push(&["127.0.0.0/8"]), &delivery, &remembering(&delivery)).await.unwrap();
    assert_eq!(receipt.commands.len(), 1);
    let said = lines.next_line().await.unwrap().unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["problems"], serde_json::json!([]), "{said}");
    let message: serde_json::Value = serde_json::from_str(said["text"].as_str().unwrap()).unwrap();
    let case = delivery.about.unwrap().above[0].meta().id.to_string();
    assert_eq!(message, serde_json::json!({ "case": case, "status": "open" }));
}

#[tokio::test]
async fn an_independent_browser_reads_what_we_push() {
    let Some(python) = python() else { return };
    told_to(Command::new(python).arg(script("browser.py"))).await;
}

#[tokio::test]
async fn an_independent_browser_of_another_language_reads_it_too() {
    let Some(folder) = std::env::var_os("AMTSBOTE_TEST_NODE") else {
        eprintln!("SKIPPED: AMTSBOTE_TEST_NODE names no folder with npm's web-push");
        return;
    };
    told_to(Command::new("node").arg(script("browser.js")).arg(folder)).await;
}
