//! Callers of a server of XTA that stall: inside the handshake of TLS, the head of a request, its body, or the answer. Whoever is
//! cut off comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::bench::wire;
use crate::gateway::COUNTY_KEY;
use crate::xta::connection::{Connection, Connector};
use crate::xta::house::{House, MANAGEMENT, MSGBOX, SEND, party};
use crate::xta::request::{self, Form, Message};

/// How they begin TLS, and go no further.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01";
/// Bytes of a message whose sender stalls, and how many of them come.
const LARGE: (u64, usize) = (4 << 20, 300_000);
/// Bytes of a small one.
const SMALL: usize = 10_000;
/// Pause of whoever was told to come again, and longest one before all else, in seconds: they do not all come at once.
const AGAIN: Duration = Duration::from_secs(10);
const SOON: f64 = 3.0;
/// Longest time of a handshake, whatever the patience is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The author whose connections these are.
const AUTHOR: usize = 1;

/// Where a caller stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Handshake,
    Head,
    /// In the body of a large message.
    Body,
    /// The same, with a byte a second.
    Drip,
    /// Before the end of a small message.
    End,
    /// It asks for a large message and does not read the answer.
    Answer,
}

/// All of them.
pub(super) const MANNERS: [Manner; 6] =
    [Manner::Handshake, Manner::Head, Manner::Body, Manner::Drip, Manner::End, Manner::Answer];

impl Manner {
    /// Whether an end is what is meant for one of this manner. What ends sooner was not cut off: something has failed.
    fn is_cut(self, end: &End, patience: Duration) -> bool {
        let sends_body = matches!(self, Manner::Body | Manner::Drip | Manner::End);
        let is_told = end.status == Some(500) && sends_body;
        let least = if self == Manner::Handshake { patience.min(HANDSHAKE) } else { patience };
        (end.status.is_none() || is_told) && end.after >= least
    }
}

/// What became of them.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// How often one of them has come as far as it wanted.
    pub(super) stalled: AtomicUsize,
    /// How often one was cut off: after the patience the connection ended, or a fault said so.
    pub(super) cut: AtomicUsize,
    /// How often one was told to come again later (503).
    pub(super) turned_away: AtomicUsize,
    /// How often something else happened: none may.
    pub(super) strange: AtomicUsize,
}

/// Callers of one manner, until they are dropped.
pub(super) struct Callers {
    pub(super) fate: Arc<Fate>,
    _tasks: JoinSet<()>,
}

/// What they need.
#[derive(Clone)]
pub(super) struct Way {
    author: Connector,
    reader: Connector,
    port: u16,
    /// A large message in the reader's box.
    message: String,
    /// How long the gateway waits at least.
    patience: Duration,
    /// How long an answer is not read.
    deaf: Duration,
}

/// How a call ended.
struct End {
    /// Status of the answer; nothing if there was none, or none to its end.
    status: Option<u16>,
    /// How long it took from the connection on.
    after: Duration,
}

impl Way {
    /// To this gateway.
    ///
    /// # Errors
    /// If it takes no message.
    pub(super) async fn to(house: &House, patience: Duration) -> Result<Self, Error> {
        let author = house.author(AUTHOR)?.clone();
        let mut stream = author.connect().await?;
        let message = issued(&mut stream).await?;
        // More than the buffers between us and the gateway hold.
        let content = pdf(12 << 20);
        let sent = request::send_message(SEND, &of(&message, content.len() as u64), &content, Form::Mtom);
        wire::ask(&mut stream, &sent, 200).await?;
        let deaf = 3 * patience;
        Ok(Way { port: author.port(), author, reader: house.reader.clone(), message, patience, deaf })
    }
}

impl Callers {
    /// So many of them.
    pub(super) fn start(way: &Way, manner: Manner, count: usize) -> Self {
        let fate = Arc::<Fate>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (way, fate) = (way.clone(), Arc::clone(&fate));
            tasks.spawn(async move {
                let mut pause = Duration::ZERO;
                loop {
                    sleep(pause + Duration::from_secs_f64(fastrand::f64() * SOON)).await;
                    let (what, next) = match stall(&way, manner, &fate).await {
                        Ok(End { status: Some(503), .. }) => (&fate.turned_away, AGAIN),
                        Ok(end) if manner.is_cut(&end, way.patience) => (&fate.cut, Duration::ZERO),
                        Ok(_) | Err(_) => (&fate.strange, AGAIN),
                    };
                    what.fetch_add(1, Ordering::Relaxed);
                    pause = next;
                }
            });
        }
        Callers { fate, _tasks: tasks }
    }
}

/// Stalls once.
async fn stall(way: &Way, manner: Manner, fate: &Fate) -> Result<End, Error> {
    let begin = Instant::now();
    if manner == Manner::Handshake {
        let mut stream = TcpStream::connect(("127.0.0.1", way.port)).await?;
        stream.write_all(HELLO).await?;
        fate.stalled.fetch_add(1, Ordering::Relaxed);
        let mut rest = vec![];
        // An end, a reset or an alert: there is nothing else.
        let _ = stream.read_to_end(&mut rest).await;
        return Ok(End { status: None, after: begin.elapsed() });
    }
    let connector = if manner == Manner::Answer { &way.reader } else { &way.author };
    let mut stream = connector.connect().await?;
    let begun = begun(way, manner, &mut stream).await?;
    if stream.write_all(&begun).await.is_err() {
        // Whoever is turned away so early may not even hear it.
        let heard = wire::answer(&mut stream).await.map_or(503, |(status, _)| status);
        return Ok(End { status: Some(heard), after: begin.elapsed() });
    }
    fate.stalled.fetch_add(1, Ordering::Relaxed);
    let status = match manner {
        Manner::Answer => {
            sleep(way.deaf).await;
            wire::answer(&mut stream).await.ok().map(|(status, _)| status)
        }
        Manner::Drip => dripping(stream).await,
        _ => wire::answer(&mut stream).await.ok().map(|(status, _)| status),
    };
    Ok(End { status, after: begin.elapsed() })
}

/// What is sent before it stalls.
async fn begun(way: &Way, manner: Manner, stream: &mut Connection) -> Result<Vec<u8>, Error> {
    Ok(match manner {
        Manner::Handshake => vec![],
        Manner::Head => format!("POST {SEND} HTTP/1.1\r\nHost: local").into_bytes(),
        Manner::Answer => request::get_message(MSGBOX, COUNTY_KEY, &way.message, Form::Mtom),
        Manner::Body | Manner::Drip => {
            let id = issued(stream).await?;
            let mut begun = request::around(SEND, &of(&id, LARGE.0), Form::Mtom).before;
            begun.extend((0..LARGE.1).map(|_| fastrand::u8(..)));
            begun
        }
        Manner::End => {
            let id = issued(stream).await?;
            let mut begun = request::send_message(SEND, &of(&id, SMALL as u64), &pdf(SMALL), Form::Mtom);
            begun.truncate(begun.len() - 10);
            begun
        }
    })
}

/// Sends a byte a second until there is an answer or an end.
async fn dripping(stream: Connection) -> Option<u16> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let drip = async {
        while writing.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = wire::answer(&mut reading) => answer.ok().map(|(status, _)| status),
        () = drip => None,
    }
}

/// Bytes that no standard recognises. They begin like a PDF: others may begin like XML, and are refused then.
pub(super) fn pdf(length: usize) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.resize(length, b'x');
    bytes
}

async fn issued(stream: &mut Connection) -> Result<String, Error> {
    let asked = request::create_message_id(MANAGEMENT, &party(AUTHOR));
    let answer = wire::ask(stream, &asked, 200).await?;
    request::issued(&answer).ok_or_else(|| Error::Unverified("a message id".to_owned()))
}

fn of(id: &str, length: u64) -> Message<'_> {
    Message { author: AUTHOR_PARTY, reader: COUNTY_KEY, id, file_name: "plan.bin", length }
}

/// As [`party`] names it.
const AUTHOR_PARTY: &str = "ags:00000001";
