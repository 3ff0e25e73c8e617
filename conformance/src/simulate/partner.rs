//! Simulated partners behind a remote adapter (`adapters/remote/openapi.yaml`) or a webhook: one that takes what it is
//! given, and others that are a burden: one that never answers, one that answers a byte a second, one that answers with a
//! web page, one whose answer is no HTTP.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::Error;

/// Secret that gateway and partner share, in the form of Standard Webhooks.
pub const SECRET: &str = "whsec_U2ltdWxhdG9yLCBrZWluIEdlaGVpbW5pcyE=";

/// Most bytes of a request's head.
const HEAD: usize = 64 * 1024;

/// Bytes kept of a body: a webhook's whole, a container's beginning.
const KEPT: usize = 16 * 1024;

/// Most connections that wait to be accepted.
const WAITING: u32 = 1_024;

/// How a partner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once, with a receipt.
    Healthy,
    /// Never.
    Stalled,
    /// A byte a second.
    Dripping,
    /// With 200 and a web page.
    Garbage,
    /// With bytes that are no HTTP: a receiver of webhooks may answer 200 with whatever it likes.
    Noise,
}

/// A partner that runs until it is dropped.
#[derive(Debug)]
pub struct Partner {
    /// Base URL of its adapter.
    pub url: String,
    calls: Calls,
    serving: JoinHandle<()>,
}

/// A partner that is down: its address is its own, and whoever connects is refused.
#[derive(Debug)]
pub struct Absent {
    /// Base URL of its adapter, once it is there.
    pub url: String,
    socket: TcpSocket,
}

/// A call as it came, whole.
#[derive(Debug, Clone)]
pub struct Call {
    /// Id of the delivery (`webhook-id`).
    pub id: String,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// When it had come.
    pub at: Instant,
}

/// What came.
#[derive(Debug, Default)]
struct Log {
    /// All calls in the order in which they came.
    calls: Vec<Call>,
    /// When each delivery came for the first time.
    first: HashMap<String, Instant>,
}

type Calls = Arc<Mutex<Log>>;

impl Partner {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(manner: Manner) -> Result<Self, Error> {
        Absent::reserve()?.start(manner)
    }

    /// When it was given a delivery for the first time.
    pub fn taken(&self, id: &str) -> Option<Instant> {
        self.with_log(|log| log.first.get(id).copied())
    }

    /// All calls so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.with_log(|log| log.calls.clone())
    }

    /// How many different deliveries it was given.
    pub fn count(&self) -> usize {
        self.with_log(|log| log.first.len())
    }

    /// The gateway's configuration for it: the adapter `id`, and the authority `key` behind it.
    pub fn config(&self, id: &str, key: &str, may_repeat: bool) -> String {
        format!(
            "\n[[adapter]]\nid = \"{id}\"\nkind = \"remote\"\nurl = \"{}\"\nsecret = \"file:tokens/partner\"\n\
             within_seconds = 60\n\n[[partner]]\nauthority = \"{key}\"\nname = \"{id} (Simulator)\"\n\
             adapter = \"{id}\"\nreads = [[\"xdomea\", \"3.1.0\"]]\nmost_bytes = 1_000_000_000\n\
             may_repeat = {may_repeat}\n",
            self.url
        )
    }

    fn with_log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Absent {
    /// Takes a free port of the loopback without listening there.
    ///
    /// # Errors
    /// If there is none.
    pub fn reserve() -> Result<Self, Error> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let url = format!("http://{}", socket.local_addr()?);
        Ok(Absent { url, socket })
    }

    /// From now on it is there.
    ///
    /// # Errors
    /// If the system does not let it listen.
    pub fn start(self, manner: Manner) -> Result<Partner, Error> {
        let listener = self.socket.listen(WAITING)?;
        let calls = Calls::default();
        let serving = tokio::spawn(serve(listener, manner, Arc::clone(&calls)));
        Ok(Partner { url: self.url, calls, serving })
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, manner: Manner, calls: Calls) {
    let mut talks = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        talks.spawn(talk(stream, manner, Arc::clone(&calls)));
        while talks.try_join_next().is_some() {}
    }
}

/// Answers requests until the other side has enough of it; whatever goes wrong ends the connection.
async fn talk(mut stream: TcpStream, manner: Manner, calls: Calls) {
    while let Some(call) = request(&mut stream).await {
        let id = call.id.clone();
        note(&mut calls.lock().unwrap_or_else(PoisonError::into_inner), call);
        let answer = match manner {
            Manner::Stalled => return std::future::pending().await,
            Manner::Garbage => ok("text/html", "<html><title>Wartung</title></html>"),
            Manner::Noise => "\0\u{1}Wartung\r\n\r\n".to_owned(),
            Manner::Healthy | Manner::Dripping => {
                ok("application/json", &format!(r#"{{"reference":"{id}","data":{{}},"confirmed":true}}"#))
            }
        };
        if send(&mut stream, answer.as_bytes(), manner == Manner::Dripping).await.is_none() {
            return;
        }
    }
}

fn note(log: &mut Log, call: Call) {
    log.first.entry(call.id.clone()).or_insert(call.at);
    log.calls.push(call);
}

fn ok(media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn send(stream: &mut TcpStream, answer: &[u8], slowly: bool) -> Option<()> {
    if !slowly {
        return stream.write_all(answer).await.ok();
    }
    for byte in answer {
        stream.write_all(&[*byte]).await.ok()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

/// Reads a request with its body.
async fn request(stream: &mut TcpStream) -> Option<Call> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value.trim()))
    };
    let mut left: u64 = field("content-length").unwrap_or("0").parse().ok()?;
    let (mut buffer, mut body) = (vec![0; 64 * 1024], vec![]);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
        let read = stream.read(&mut buffer[..most]).await.ok().filter(|read| *read > 0)?;
        left -= read as u64;
        body.extend_from_slice(&buffer[..read.min(KEPT.saturating_sub(body.len()))]);
    }
    let id = field("webhook-id")?.to_owned();
    Some(Call { id, body, at: Instant::now() })
}
