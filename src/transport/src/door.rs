//! What the doors of all transports need of HTTP: places for those who come in, bodies that break off when a client stalls, and
//! answers as streams. What is asked is read and answered on a thread that may block.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::{BodyPlace, Broker};
use bytes::Bytes;
use futures::stream::{Stream, StreamExt, try_unfold};
use model::Caller;
use seal::xmlenc::Plaintext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Requests at once of a door: each takes a thread and some megabytes.
const REQUESTS: usize = 64;
/// How long a request waits for its place.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two pieces of a body, and longest time of the whole.
const PAUSE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// Bodies of so many bytes are taken whole before they get a thread: waiting there for each piece costs more than what is in
/// it.
const SMALL: u64 = 128 * 1024;
/// How long somebody who is not known may take to say what they want.
const BEGINNING: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read at once.
const PIECE: u64 = 64 * 1024;

/// Who gets in at a door.
pub(crate) struct Places {
    broker: Broker,
    requests: Arc<Semaphore>,
    /// Largest body, in bytes.
    most: u64,
}

/// What a request holds until its answer has left.
pub(crate) struct Place {
    _request: OwnedSemaphorePermit,
    _body: BodyPlace,
}

impl Places {
    /// Places for bodies of up to `most` bytes.
    pub(crate) fn new(broker: Broker, most: u64) -> Self {
        Places { broker, requests: Arc::new(Semaphore::new(REQUESTS)), most }
    }

    /// A place for a request of `caller`, or the answer that refuses it.
    pub(crate) async fn take(&self, caller: &Caller, announced: Option<u64>) -> Result<Place, Response> {
        let refused = |status: StatusCode| (status, [(RETRY_AFTER, "10")]).into_response();
        if announced.is_some_and(|length| length > self.most) {
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let body = self.broker.body_place(caller, announced).map_err(|error| {
            tracing::warn!(code = error.code(), "a request was turned away");
            refused(StatusCode::SERVICE_UNAVAILABLE)
        })?;
        match timeout(PLACE_WAIT, Arc::clone(&self.requests).acquire_owned()).await {
            Ok(Ok(request)) => Ok(Place { _request: request, _body: body }),
            _ => Err(refused(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }
}

/// A body, to be read on a thread that may block. It breaks off when the client stalls, or takes too long in all.
pub(crate) async fn body(body: Body, announced: Option<u64>) -> Box<dyn Read + Send> {
    let pieces = Box::pin(watched(body));
    match announced {
        Some(length) if length <= SMALL => Box::new(whole(pieces).await),
        _ => Box::new(SyncIoBridge::new(StreamReader::new(pieces))),
    }
}

/// A body of somebody who is not known, as far as it comes soon: enough to answer, too little to hold anybody up.
pub(crate) async fn beginning(body: Body) -> Box<dyn Read + Send> {
    let (mut pieces, mut bytes) = (Box::pin(watched(body)), Vec::new());
    let read = async {
        while (bytes.len() as u64) < SMALL {
            let Some(Ok(piece)) = pieces.next().await else { return };
            bytes.extend_from_slice(&piece);
        }
    };
    // What has come by then is what there is.
    let _ = timeout(BEGINNING, read).await;
    Box::new(Cursor::new(bytes))
}

/// How many bytes a body says that it has.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that breaks off when the client stalls, or takes too long in all.
fn watched(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let end = Instant::now() + WHOLE;
    try_unfold(body.into_data_stream(), move |mut pieces| async move {
        let next = timeout_at(end.min(Instant::now() + PAUSE), pieces.next()).await;
        match next.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))? {
            None => Ok(None),
            Some(Ok(piece)) => Ok(Some((piece, pieces))),
            Some(Err(_)) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    })
}

/// A body as far as it comes.
async fn whole(mut pieces: impl Stream<Item = io::Result<Bytes>> + Unpin) -> impl Read {
    let (mut bytes, mut end) = (Vec::new(), End(None));
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => end = End(Some(error)),
        }
    }
    Cursor::new(bytes).chain(end)
}

/// The end of a body, or why no more of it came.
struct End(Option<io::Error>);

impl Read for End {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// An answer as a stream; it gives the place back when it has left.
pub(crate) fn response(answer: Plaintext, media_type: String, place: Option<Place>) -> Response {
    let length = answer.length();
    let held = Arc::new((answer, place));
    let pieces = try_unfold(0, move |offset| {
        let held = Arc::clone(&held);
        async move {
            if offset >= length {
                return Ok(None);
            }
            let piece = piece(held, offset).await?;
            let next = offset + piece.len() as u64;
            Ok::<_, io::Error>(Some((piece, next)))
        }
    });
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_LENGTH, length.to_string()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// The bytes of an answer from an offset on; never none.
async fn piece(held: Arc<(Plaintext, Option<Place>)>, offset: u64) -> io::Result<Bytes> {
    let is_in_file = held.0.is_in_file();
    let read = move || {
        let mut bytes = Vec::new();
        held.0.open_range(offset..offset + PIECE).read_to_end(&mut bytes)?;
        match bytes.is_empty() {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(Bytes::from(bytes)),
        }
    };
    if !is_in_file {
        return read();
    }
    spawn_blocking(read).await.map_err(|_| io::Error::from(io::ErrorKind::Other))?
}
