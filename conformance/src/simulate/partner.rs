//! Simulated partners behind a remote adapter (`adapters/remote/openapi.yaml`): one that takes what it is given, and three that
//! are a burden: one that never answers, one that answers a byte a second, one that answers with a web page.

use std::collections::HashMap;
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
    taken: Taken,
    serving: JoinHandle<()>,
}

/// When each delivery came first, by its id.
type Taken = Arc<Mutex<HashMap<String, Instant>>>;

impl Partner {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(manner: Manner) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let taken = Taken::default();
        let serving = tokio::spawn(serve(listener, manner, Arc::clone(&taken)));
        Ok(Partner { url, taken, serving })
    }

    /// When it was given a delivery for the first time.
    pub fn taken(&self, id: &str) -> Option<Instant> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// How many different deliveries it was given.
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, manner: Manner, taken: Taken) {
    let mut calls = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        calls.spawn(talk(stream, manner, Arc::clone(&taken)));
        while calls.try_join_next().is_some() {}
    }
}

/// Answers requests until the other side has enough of it; whatever goes wrong ends the connection.
async fn talk(mut stream: TcpStream, manner: Manner, taken: Taken) {
    while let Some(id) = request(&mut stream).await {
        taken.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_insert_with(Instant::now);
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

/// Reads a request with its body and returns the id of its delivery.
async fn request(stream: &mut TcpStream) -> Option<String> {
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
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
        let read = stream.read(&mut buffer[..most]).await.ok().filter(|read| *read > 0)?;
        left -= read as u64;
    }
    field("webhook-id").map(str::to_owned)
}
