//! What only a real connection shows: header limits, stalled and broken bodies, clients that do not read, stopping.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use api::{ServerLimits, Settings, serve};
use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use futures::stream;
use net::pace::Pace;
use net::tls::Counted;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::gateway::{ALL_ROLES, Gateway};

struct Server {
    gateway: Gateway,
    address: SocketAddr,
    token: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn pace(patience: Duration) -> Pace {
    Pace { patience, ..Pace::default() }
}

async fn start() -> Server {
    let short = Duration::from_millis(300);
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let limits = ServerLimits { header_time: short, pace: pace(short), ..ServerLimits::default() };
    let router = gateway.router.clone();
    let task = tokio::spawn(serve(listener, router, limits, async { stopped.await.unwrap_or(()) }));
    Server { gateway, address, token, stop, task }
}

impl Server {
    /// Sends bytes and reads until the other side closes; `finish` closes our side first.
    async fn talk(&self, text: &str, finish: bool) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(text.as_bytes()).await;
        if finish {
            let _ = stream.shutdown().await;
        }
        let mut answer = vec![];
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn head(&self, line: &str, more: &str) -> String {
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n{more}\r\n",
            self.token
        )
    }
}

#[tokio::test]
async fn a_request_is_answered_and_a_stopped_server_lets_it_end() {
    let server = start().await;
    let answer = server.talk(&server.head("GET /api/v1/cases", ""), false).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"items\":[]}"), "{answer}");
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn too_many_or_too_large_header_fields_get_431() {
    let server = start().await;
    let many: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(20_000));
    let huge = format!("x: {}\r\n", "y".repeat(200_000));
    for fields in [many, large, huge] {
        let answer = server.talk(&server.head("GET /api/v1/cases", &fields), false).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:.200}");
    }
    let long = format!("GET /api/v1/cases?status={}", "x".repeat(9_000));
    let answer = server.talk(&server.head(&long, ""), false).await;
    assert!(answer.starts_with("HTTP/1.1 414 ") && answer.contains("api.uri-too-long"), "{answer:.200}");
}

#[tokio::test]
async fn what_is_no_http_gets_400_or_nothing() {
    let server = start().await;
    for text in [
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /api/v1/cases HTTP/9.9\r\nhost: x\r\n\r\n",
        "GET /api/v1/cases HTTP/1.1\r\nhost: x\r\nx y: z\r\n\r\n",
        "GET /api/v1/cases HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
        "POST /api/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde",
        "POST /api/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: minus\r\n\r\nabcde",
        "POST /api/v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nabcde",
    ] {
        let answer = server.talk(text, true).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{text:?}: {answer}");
    }
}

#[tokio::test]
async fn a_header_that_never_ends_is_cut_off() {
    let server = start().await;
    let answer = server.talk("GET /api/v1/cases HTTP/1.1\r\nhost: x\r\n", false).await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_off_is_refused_and_leaves_nothing() {
    let server = start().await;
    let types = "content-type: application/xml\r\n";
    for (line, types) in
        [("POST /api/v1/messages", types), ("POST /api/v1/cases", "content-type: application/json\r\n")]
    {
        let head = server.head(line, &format!("{types}content-length: 100\r\n"));
        let stalled = server.talk(&format!("{head}{{"), false).await;
        assert!(stalled.starts_with("HTTP/1.1 408 ") && stalled.contains("api.body-timeout"), "{stalled}");
        let broken = server.talk(&format!("{head}{{"), true).await;
        assert!(broken.is_empty() || broken.contains("api.body-length"), "{broken}");
        let chunked = server.head(line, &format!("{types}transfer-encoding: chunked\r\n"));
        let broken = server.talk(&format!("{chunked}5\r\nab"), true).await;
        assert!(broken.is_empty() || broken.contains("api.body-length"), "{broken}");
        let wrong = server.talk(&format!("{chunked}xyz\r\nab"), true).await;
        assert!(wrong.is_empty() || wrong.contains("api.body-length"), "{wrong}");
    }
    let missing = server.talk(&server.head("POST /api/v1/messages", types), false).await;
    assert!(missing.contains("api.length-missing"), "{missing}");
    let answer = server.talk(&server.head("GET /api/v1/messages", ""), false).await;
    assert!(answer.ends_with("{\"items\":[]}"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_taken() {
    let server = start().await;
    let head = server
        .head("POST /api/v1/messages", "content-type: application/xml\r\ntransfer-encoding: chunked\r\n");
    let answer = server.talk(&format!("{head}4\r\n<a/>\r\n0\r\n\r\n"), false).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_reads_gives_its_place_free() {
    let endless =
        async || Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![0; 65_536]))));
    let router = Router::new().route("/endless", get(endless)).route("/", get(async || "here"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits =
        ServerLimits { connections: 1, pace: pace(Duration::from_millis(300)), ..ServerLimits::default() };
    tokio::spawn(serve(listener, router, limits, std::future::pending()));
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The only place is taken as soon as the answer begins.
    deaf.readable().await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    next.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("here"), "{answer}");
    drop(deaf);
}

/// A listener for which everybody is the one who is named.
struct Same(TcpListener, &'static str);

#[derive(Clone)]
struct Named(&'static str);

impl Counted for Named {
    fn whose(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

impl axum::serve::Listener for Same {
    type Io = TcpStream;
    type Addr = Named;

    async fn accept(&mut self) -> (TcpStream, Named) {
        (axum::serve::Listener::accept(&mut self.0).await.0, Named(self.1))
    }

    fn local_addr(&self) -> std::io::Result<Named> {
        Ok(Named(self.1))
    }
}

/// A connection on which something was asked, with how the answer begins.
async fn asked(address: SocketAddr) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    (String::from_utf8_lossy(&answer).into_owned(), stream)
}

#[tokio::test]
async fn nobody_has_more_connections_than_are_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "here"));
    let limits = ServerLimits { connections: 4, ..ServerLimits::default() };
    tokio::spawn(serve(Same(listener, "one"), router, limits, std::future::pending()));
    let connect = || asked(address);
    let open = [connect().await, connect().await, connect().await];
    assert!(open.iter().all(|(answer, _)| answer == "HTTP/1.1 200"), "{open:?}");
    let (answer, _) = connect().await;
    assert_eq!(answer, "HTTP/1.1 503");
    drop(open);
    while connect().await.0 != "HTTP/1.1 200" {}
}

#[tokio::test]
async fn a_place_that_is_free_again_is_given_to_whoever_comes_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "here"));
    let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
    tokio::spawn(serve(listener, router, limits, std::future::pending()));
    let connect = || asked(address);
    let (answer, mut first) = connect().await;
    assert_eq!(answer, "HTTP/1.1 200");
    assert_eq!(connect().await.0, "HTTP/1.1 503", "it has waited in vain");
    // Its place is free when the server has ended the connection.
    first.shutdown().await.unwrap();
    first.read_to_end(&mut vec![]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(connect().await.0, "HTTP/1.1 200");
}

#[tokio::test]
async fn a_handler_knows_the_other_end_of_its_connection() {
    let other_end = async |Extension(peer): Extension<SocketAddr>| peer.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(other_end));
    tokio::spawn(serve(listener, router, ServerLimits::default(), std::future::pending()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&client.local_addr().unwrap().to_string()), "{answer}");
}

#[tokio::test]
async fn health_and_figures_hold_no_ids() {
    let server = start().await;
    let id = model::ids::new_id().to_string();
    server.talk(&server.head(&format!("GET /api/v1/cases/{id}?x={id}"), ""), false).await;
    server.talk(&server.head("GET /api/v1/cases", ""), false).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = api::operations_router(api::Api::new(server.gateway.broker.clone(), Settings::default()));
    tokio::spawn(serve(listener, router, ServerLimits::default(), std::future::pending()));
    let operations = Server { address, ..server };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(operations.talk(&get("/health/live"), false).await.contains("{\"live\":true}"));
    assert!(operations.talk(&get("/health/ready"), false).await.contains("\"ready\":true"));
    let figures = operations.talk(&get("/metrics"), false).await;
    for line in [
        "http_requests_total{method=\"GET\",route=\"/api/v1/cases\",status=\"200\"}",
        "http_request_seconds_bucket{method=\"GET\",route=\"/api/v1/cases/{id}\",le=\"0.005\"}",
        "amtsbote_store_up 1",
        "amtsbote_unsealed_events",
    ] {
        assert!(figures.contains(line), "{line} is missing in {figures}");
    }
    assert!(!figures.contains(&id) && !figures.contains("soest"), "{figures}");
}
