//! Simulated partners behind a remote adapter (`adapters/remote/openapi.yaml`) or a webhook: one that takes what it is
//! given, and three that are a burden: one that never answers, one that answers a byte a second, one that answers with a
//! web page.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Error;

/// Secret that gateway and partner share, in the form of Standard Webhooks.
pub const SECRET: &str = "whsec_U2ltdWxhdG9yLCBrZWluIEdlaGVpbW5pcyE=";

/// Most bytes of a request's head.
const HEAD: usize = 64 * 1024;

/// Bytes kept of a body: a webhook's whole, a container's beginning.
const KEPT: usize = 16 * 1024;

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
}

/// A partner that runs until it is dropped.
#[derive(Debug)]
pub struct Partner {
    /// Base URL of its adapter.
    pub url: String,
    calls: Calls,
    serving: JoinHandle<()>,
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

/// All calls in the order in which they came.
type Calls = Arc<Mutex<Vec<Call>>>;

impl Partner {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(manner: Manner) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let calls = Calls::default();
        let serving = tokio::spawn(serve(listener, manner, Arc::clone(&calls)));
        Ok(Partner { url, calls, serving })
    }

    /// When it was given a delivery for the first time.
    pub fn taken(&self, id: &str) -> Option<Instant> {
        self.with_calls(|calls| calls.iter().find(|call| call.id == id).map(|call| call.at))
    }

    /// All calls so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.with_calls(|calls| calls.to_vec())
    }

    /// How many different deliveries it was given.
    pub fn count(&self) -> usize {
        self.with_calls(|calls| calls.iter().map(|call| &call.id).collect::<BTreeSet<_>>().len())
    }

    fn with_calls<T>(&self, look: impl FnOnce(&[Call]) -> T) -> T {
        look(&self.calls.lock().unwrap_or_else(PoisonError::into_inner))
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
        calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let answer = match manner {
            Manner::Stalled => return std::future::pending().await,
            Manner::Garbage => ok("text/html", "<html><title>Wartung</title></html>"),
            Manner::Healthy | Manner::Dripping => {
                ok("application/json", &format!(r#"{{"reference":"{id}","data":{{}},"confirmed":true}}"#))
            }
        };
        if send(&mut stream, answer.as_bytes(), manner == Manner::Dripping).await.is_none() {
            return;
        }
    }
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
