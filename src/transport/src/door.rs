//! What the doors of all transports need of HTTP: places for those who come in, bodies as readers, and answers as streams. What is
//! asked is read and answered on a thread that may block, unless it is small and its door needs none.
//!
//! | who is waited for | what is held meanwhile |
//! |---|---|
//! | whoever sends a small body | some memory, of what all may hold together |
//! | whoever sends a large body | a thread, and one of the broker's places for bodies |
//! | the work on a request | a thread, if it needs one |
//! | whoever reads an answer | the place of the request, and a file if the answer is large |
//!
//! Nobody gets all places of a kind ([`Shares`]); how long somebody may be waited for is decided by the server ([`TooSlow`]).

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
use net::pace::TooSlow;
use net::shares::{Share, Shares};
use seal::xmlenc::Plaintext;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Requests with small bodies of a door that are worked on at once: each takes a thread and some megabytes. Those with large ones
/// have the broker's places for bodies.
const REQUESTS: usize = 128;
/// Small bodies of a door that come at once.
const COMING: usize = 256;
/// Threads that all doors may hold at once, those for large bodies aside: the three doors, and strangers.
pub const THREADS: usize = 3 * REQUESTS + 16;
/// How long a request waits for its place.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// Bodies of so many bytes are small: they are taken whole before they get a thread. Waiting there for each piece costs more than
/// what is in it.
const SMALL: u64 = 128 * 1024;
/// How long somebody who is not known may take to say what they want.
const BEGINNING: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read at once.
const PIECE: u64 = 64 * 1024;

/// Who gets in at a door.
pub(crate) struct Places {
    broker: Broker,
    coming: Arc<Shares>,
    requests: Arc<Shares>,
    /// Largest body, in bytes.
    most: u64,
}

/// What a request holds until its answer has left.
pub(crate) struct Place {
    _body: BodyPlace,
    _request: Option<Share>,
}

impl Places {
    /// Places for bodies of up to `most` bytes.
    pub(crate) fn new(broker: Broker, most: u64) -> Self {
        Places { broker, coming: Shares::new(COMING), requests: Shares::new(REQUESTS), most }
    }

    /// The body of a request of `caller`, to be read on a thread that may block, and a place for the request; or the answer that
    /// refuses it.
    pub(crate) async fn take(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Box<dyn Read + Send>, Place), Response> {
        let announced = announced(headers);
        if announced.is_some_and(|length| length > self.most) {
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let held = self.broker.body_place(caller, announced).map_err(|error| {
            tracing::warn!(code = error.code(), who = caller.actor.id, "a request was turned away");
            refused(StatusCode::SERVICE_UNAVAILABLE)
        })?;
        let pieces = Box::pin(pieces(body, caller.actor.id.clone()));
        let Some(length) = announced.filter(|length| *length <= SMALL) else {
            let body = SyncIoBridge::new(StreamReader::new(pieces));
            return Ok((Box::new(body), Place { _body: held, _request: None }));
        };
        let coming = place(&self.coming, caller).await?;
        let body = Box::new(whole(pieces, length).await);
        let request = place(&self.requests, caller).await?;
        drop(coming);
        Ok((body, Place { _body: held, _request: Some(request) }))
    }
}

async fn place(places: &Arc<Shares>, caller: &Caller) -> Result<Share, Response> {
    let place = places.take(&caller.actor.id, PLACE_WAIT).await;
    place.ok_or_else(|| {
        tracing::warn!(who = caller.actor.id, "there was no place for a request");
        refused(StatusCode::SERVICE_UNAVAILABLE)
    })
}

fn refused(status: StatusCode) -> Response {
    (status, [(RETRY_AFTER, "10")]).into_response()
}

/// A body of somebody who is not known, as far as it comes soon: enough to answer, too little to hold anybody up.
pub(crate) async fn beginning(body: Body) -> Box<dyn Read + Send> {
    let (mut pieces, mut bytes) = (body.into_data_stream(), Vec::new());
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

/// The pieces of a body as they come. Whose request was cut off for its pace stands in the log: they will ask.
fn pieces(body: Body, who: String) -> impl Stream<Item = io::Result<Bytes>> + Send {
    body.into_data_stream().map(move |piece| {
        piece.map_err(|error| match TooSlow::is_cause(&error) {
            true => {
                tracing::warn!(who, "a request came too slowly");
                io::ErrorKind::TimedOut.into()
            }
            false => io::ErrorKind::UnexpectedEof.into(),
        })
    })
}

/// A body that says to have so many bytes, as far as it comes.
async fn whole(mut pieces: impl Stream<Item = io::Result<Bytes>> + Unpin, length: u64) -> impl Read {
    let (mut bytes, mut end) = (Vec::with_capacity(length.min(SMALL) as usize), End(None));
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                end = End(Some(error));
                break;
            }
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
