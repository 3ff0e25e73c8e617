//! Simulated servers of XTA 2, version 3, over mutual TLS: one that takes what it is given, and others that are a burden. Just
//! enough of the standard for a client of it to go on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_openssl::SslStream;

use crate::Error;
use crate::xta::house::Keys;

/// Most bytes of a request's head.
const HEAD: usize = 64 * 1024;
/// Most bytes of a request that are kept: its headers of SOAP are among them.
const KEPT: usize = 16 * 1024;

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// At once.
    Healthy,
    /// Never.
    Silent,
    /// It begins, and then nothing comes any more.
    Stalled,
    /// A byte a second.
    Dripping,
}

/// A server that runs until it is dropped.
pub(super) struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

/// What came.
#[derive(Debug, Default)]
struct Seen {
    calls: usize,
    /// When messages had come, whole.
    messages: Vec<Instant>,
}

impl Server {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none, or TLS cannot be set up.
    pub(super) async fn start(keys: &Keys, manner: Manner) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::default();
        let serving = tokio::spawn(serve(listener, keys.acceptor()?, manner, Arc::clone(&seen)));
        Ok(Server { port, seen, serving })
    }

    /// The gateway's configuration for an authority behind it.
    pub(super) fn config(&self, authority: &str) -> String {
        let address = format!("https://127.0.0.1:{}", self.port);
        format!(
            "\n[[partner]]\nauthority = \"{authority}\"\nname = \"Partner (Simulator)\"\nreads = [[\"xdomea\", \"3.1.0\"]]\n\
             most_bytes = 100_000_000\nxta = {{ server = {{ management = \"{address}/management\", \
             send = \"{address}/send\", trust = \"file:pki/ca.pem\" }} }}\n"
        )
    }

    /// How many requests came.
    pub(super) fn calls(&self) -> usize {
        self.with(|seen| seen.calls)
    }

    /// When the message with this number had come, counted from 0.
    pub(super) fn message(&self, number: usize) -> Option<Instant> {
        self.with(|seen| seen.messages.get(number).copied())
    }

    fn with<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, acceptor: SslAcceptor, manner: Manner, seen: Arc<Mutex<Seen>>) {
    let mut talks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        talks.spawn(talk(acceptor.clone(), stream, manner, Arc::clone(&seen)));
        while talks.try_join_next().is_some() {}
    }
}

/// Answers requests until the other side has enough of it; whatever goes wrong ends the connection.
async fn talk(
    acceptor: SslAcceptor,
    stream: TcpStream,
    manner: Manner,
    seen: Arc<Mutex<Seen>>,
) -> Option<()> {
    let mut stream = SslStream::new(Ssl::new(acceptor.context()).ok()?, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    loop {
        let asked = request(&mut stream).await?;
        let answer = answer(&asked);
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.calls += 1;
            if asked.contains(SEND) {
                seen.messages.push(Instant::now());
            }
        }
        match manner {
            Manner::Healthy => stream.write_all(answer.as_bytes()).await.ok()?,
            Manner::Silent => return std::future::pending().await,
            Manner::Stalled => {
                stream.write_all(&answer.as_bytes()[..answer.len() / 2]).await.ok()?;
                return std::future::pending().await;
            }
            Manner::Dripping => drip(&mut stream, &answer).await?,
        }
    }
}

/// The head at once, then a byte a second.
async fn drip(stream: &mut SslStream<TcpStream>, answer: &str) -> Option<()> {
    let (head, body) = answer.split_at(answer.find("\r\n\r\n")? + 4);
    stream.write_all(head.as_bytes()).await.ok()?;
    for byte in body.as_bytes() {
        stream.write_all(&[*byte]).await.ok()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

/// Reads a request; gives the beginning of its body.
async fn request(stream: &mut SslStream<TcpStream>) -> Option<String> {
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if read.len() > HEAD || stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
    let mut body = read.split_off(head);
    let mut left = length.checked_sub(body.len())?;
    while left > 0 {
        let mut piece = Vec::with_capacity(left.min(64 * 1024));
        let came = stream.read_buf(&mut piece).await.ok().filter(|came| *came > 0)?;
        left = left.checked_sub(came)?;
        body.extend(piece.into_iter().take(KEPT.saturating_sub(body.len())));
    }
    Some(String::from_utf8_lossy(&body).into_owned())
}

/// Actions of version 3, as requests name them.
const CREATE: &str = "http://www.xta.de/XTA/CreateMessageID<";
const SEND: &str = "http://www.xta.de/XTA/SendMessage<";

/// An issued id, nothing, or that it does not know of any message.
fn answer(asked: &str) -> String {
    let id = format!("urn:de:xta:messageid:simulator:{}", uuid::Uuid::now_v7());
    let (status, body) = match (asked.contains(CREATE), asked.contains(SEND)) {
        (true, _) => ("200 OK", format!("<a:MessageID>{id}</a:MessageID>")),
        (_, true) => ("200 OK", String::new()),
        _ => (
            "500 Error",
            "<S:Fault><S:Code><S:Value>S:Sender</S:Value></S:Code><S:Reason><S:Text xml:lang=\"en\">unknown</S:Text></S:Reason>\
             <S:Detail><x:InvalidMessageIDException xmlns:x=\"http://xoev.de/transport/xta/211\"><x:errorCode><code>9070</code>\
             <name>MessageID</name></x:errorCode></x:InvalidMessageIDException></S:Detail></S:Fault>"
                .to_owned(),
        ),
    };
    let body = format!(
        "<S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\">\
         <S:Header><a:MessageID>urn:uuid:{}</a:MessageID></S:Header><S:Body>{body}</S:Body></S:Envelope>",
        uuid::Uuid::now_v7()
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
