//! `POST /osci` and `POST /osci/recipient`: OSCI-Transport's binding to HTTP. The package is the whole body, whatever the request calls it; the answer
//! is a package, too, always with status 200: what is wrong is told in it. An order runs on a thread that may block, and
//! reads its body from there as it comes.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use ::osci::code::Code;
use ::osci::intermediary::Intermediary;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use broker::{BodyPlace, Broker};
use bytes::Bytes;
use futures::stream::{Stream, StreamExt, try_unfold};
use model::Caller;
use seal::xmlenc::Plaintext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::post::Post;

/// Orders at once: each takes a thread and some megabytes.
const ORDERS: usize = 64;
/// How long an order waits for its place.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two pieces of a body, and longest time of the whole.
const PAUSE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// Orders of so many bytes are taken whole before they get a thread: waiting there for each piece costs more than what is in
/// it.
const SMALL: u64 = 128 * 1024;
/// Bytes of an answer that are read at once.
const PIECE: u64 = 64 * 1024;
/// Media type of every answer, as the field expects it.
const XML: &str = "text/xml; charset=utf-8";

/// Whoever is behind a door.
pub(super) trait Host: Send + Sync {
    /// The answer to an order; what is wrong with the order is told in it.
    ///
    /// # Errors
    /// If not even an answer can be made.
    fn answer(&self, order: &mut dyn Read) -> osci::Result<Plaintext>;

    /// A fault of ours.
    ///
    /// # Errors
    /// If there is no room for it.
    fn fault(&self) -> osci::Result<Plaintext>;
}

impl Host for Intermediary<Post> {
    fn answer(&self, order: &mut dyn Read) -> osci::Result<Plaintext> {
        Intermediary::answer(self, order)
    }

    fn fault(&self) -> osci::Result<Plaintext> {
        Intermediary::fault(self, Code::INTERNAL)
    }
}

/// An intermediary, or the passive recipient, behind HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    host: Box<dyn Host>,
    broker: Broker,
    /// Whose bodies they are, as the broker counts them.
    caller: Caller,
    places: Arc<Semaphore>,
    package_bytes: u64,
}

/// What an order holds until its answer has left.
struct Place {
    _order: OwnedSemaphorePermit,
    _body: BodyPlace,
}

/// The routes of the doors that there are: that of the intermediary, and that of the passive recipient.
pub fn router(intermediary: Option<Door>, recipient: Option<Door>) -> Router {
    let route = |path, door: Option<Door>| match door {
        Some(door) => Router::new().route(path, post(take_order)).with_state(door),
        None => Router::new(),
    };
    route("/osci", intermediary).merge(route("/osci/recipient", recipient))
}

impl Door {
    pub(super) fn new(host: Box<dyn Host>, broker: Broker, caller: Caller, package_bytes: u64) -> Self {
        let places = Arc::new(Semaphore::new(ORDERS));
        Door(Arc::new(Inner { host, broker, caller, places, package_bytes }))
    }
}

impl Inner {
    /// A place for an order, or the status that refuses it.
    async fn place(&self, announced: Option<u64>) -> Result<Place, StatusCode> {
        if announced.is_some_and(|length| length > self.package_bytes) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let body = self.broker.body_place(&self.caller, announced).map_err(|error| {
            tracing::warn!(code = error.code(), "an order was turned away");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        match timeout(PLACE_WAIT, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(order)) => Ok(Place { _order: order, _body: body }),
            _ => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// The answer to an order. If none can be made, a fault says so.
    fn answer(&self, mut order: impl Read) -> osci::Result<Plaintext> {
        self.host.answer(&mut order).or_else(|error| {
            tracing::warn!(code = error.code(), "an order has no answer");
            self.host.fault()
        })
    }
}

async fn take_order(State(Door(door)): State<Door>, request: Request) -> Response {
    let announced = announced(request.headers());
    let place = match door.place(announced).await {
        Ok(place) => place,
        Err(status) => return (status, [(RETRY_AFTER, "10")]).into_response(),
    };
    let pieces = Box::pin(watched(request.into_body()));
    let order: Box<dyn Read + Send> = match announced {
        Some(length) if length <= SMALL => Box::new(whole(pieces).await),
        _ => Box::new(SyncIoBridge::new(StreamReader::new(pieces))),
    };
    let working = Arc::clone(&door);
    // A client that goes away does not stop its order: what was begun is ended.
    let done = spawn_blocking(move || (working.answer(order), place)).await;
    match done {
        Ok((Ok(answer), place)) => response(answer, Some(place)),
        Ok((Err(error), _)) => {
            tracing::error!(code = error.code(), "not even a fault could be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        // A defect of ours ends one order; what the panic says stays inside.
        Err(_) => {
            tracing::error!(code = broker::Error::Internal.code(), "an order failed");
            let fault = door.host.fault();
            fault.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |it| response(it, None))
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
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

fn response(answer: Plaintext, place: Option<Place>) -> Response {
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
        (CONTENT_TYPE, XML.to_owned()),
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
