//! A load generator that costs little itself: requests are laid out before the clock starts, connections are kept
//! open, and of an answer only status and length are looked at.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;

/// Longest head of an answer that is taken, in bytes.
const HEAD: usize = 16 * 1024;

/// What a run came to.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// Latency of each request, ascending.
    pub(super) latencies: Vec<Duration>,
}

impl Run {
    pub(super) fn of(begin: Instant, mut latencies: Vec<Duration>) -> Self {
        let took = begin.elapsed();
        latencies.sort_unstable();
        Run { took, latencies }
    }

    /// Requests answered per second.
    pub(super) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that 99 of 100 requests kept, in milliseconds.
    pub(super) fn p99_ms(&self) -> f64 {
        self.percentile_ms(99)
    }

    /// The latency that so many of 100 requests kept, in milliseconds.
    pub(super) fn percentile_ms(&self, of_100: usize) -> f64 {
        let index = (self.latencies.len() * of_100 / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// A POST as it goes over the wire.
pub(super) fn post(path: &str, token: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends all requests over so many connections; each must be answered with `status`.
pub(super) async fn run(
    base: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    status: u16,
) -> Result<Run, Error> {
    Ok(answers(base, requests, connections, status).await?.0)
}

/// The same with what was answered: the index of each request and the body of its answer.
pub(super) async fn answers(
    base: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    status: u16,
) -> Result<(Run, Vec<(usize, Vec<u8>)>), Error> {
    over(&mut connect(base, connections).await?, requests, status).await
}

/// The same over connections that stand, which are still open behind it.
pub(super) async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    streams: &mut [S],
    requests: Vec<Vec<u8>>,
    status: u16,
) -> Result<(Run, Vec<(usize, Vec<u8>)>), Error> {
    let waiting = RefCell::new(requests);
    let begin = Instant::now();
    let each = streams.iter_mut().map(async |stream: &mut S| {
        let mut answered = vec![];
        loop {
            let (index, request) = {
                let mut waiting = waiting.borrow_mut();
                let Some(request) = waiting.pop() else { return Ok::<_, Error>(answered) };
                (waiting.len(), request)
            };
            let begin = Instant::now();
            let body = ask(stream, &request, status).await?;
            answered.push((begin.elapsed(), (index, body)));
        }
    });
    let answered = try_join_all(each).await?.into_iter().flatten();
    let (latencies, bodies) = answered.unzip();
    Ok((Run::of(begin, latencies), bodies))
}

/// Sends `count` requests, one every `pause`, as long as one of the connections is free; each must be answered with
/// 202. A latency counts from the moment when its request was due.
pub(super) async fn paced(
    base: &str,
    next: impl FnMut() -> Vec<u8>,
    count: usize,
    pause: Duration,
    connections: usize,
) -> Result<Run, Error> {
    let streams = connect(base, connections).await?;
    let (next, due) = (RefCell::new(next), Cell::new(0));
    let begin = Instant::now();
    let each = streams.into_iter().map(async |mut stream: TcpStream| {
        let mut latencies = vec![];
        loop {
            let number = due.replace(due.get() + 1);
            if number >= count {
                return Ok::<_, Error>(latencies);
            }
            let request = next.borrow_mut()();
            let at = begin + pause.mul_f64(number as f64);
            tokio::time::sleep_until(at.into()).await;
            ask(&mut stream, &request, 202).await?;
            latencies.push(at.elapsed());
        }
    });
    let latencies = try_join_all(each).await?.concat();
    Ok(Run::of(begin, latencies))
}

async fn connect(base: &str, connections: usize) -> Result<Vec<TcpStream>, Error> {
    let address = base.strip_prefix("http://").unwrap_or(base);
    let mut streams = vec![];
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Sends a request; gives the body of its answer, which must have this status.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
    status: u16,
) -> Result<Vec<u8>, Error> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let (answered, body) = answer(stream).await?;
    if answered == status {
        return Ok(body);
    }
    let code = code(&body);
    Err(Error::Unexpected { what: "a request under load".to_owned(), status: answered, code })
}

/// The code of a problem or of a fault, if there is one.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let behind = text.split_once("<code>").or_else(|| text.split_once("\"code\":\""));
    let code = behind.and_then(|(_, rest)| rest.split(['<', '"']).next());
    code.unwrap_or_default().to_owned()
}

/// Reads one answer: its status and its body.
pub(crate) async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(u16, Vec<u8>), Error> {
    let Head { status, length, mut read } = head(stream).await?;
    while read.len() < length {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(early());
        }
    }
    read.truncate(length);
    Ok((status, read))
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) length: usize,
    /// What of it was read already.
    pub(super) read: Vec<u8>,
}

fn early() -> Error {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

/// Reads the head of one answer.
pub(super) async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Head, Error> {
    let mut read = Vec::with_capacity(4 * 1024);
    let head = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if read.len() > HEAD || stream.read_buf(&mut read).await? == 0 {
            return Err(early());
        }
    };
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let status = text.get(9..12).and_then(|digits| digits.parse().ok()).ok_or_else(early)?;
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Ok(Head { status, length: length.ok_or_else(early)?, read: read.split_off(head) })
}
