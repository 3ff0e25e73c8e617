//! HTTP/1.1 with limits (RFC 9112): on the size and number of header fields, on the time they may take, on
//! connections, and on the pace of those who send and read. `axum::serve` has none of them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use net::pace::{Pace, Paced, Taken};
use net::shares::Shares;
use net::tls::Counted;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Open connections; further ones wait a little to be accepted, and are then answered with 503.
    pub connections: usize,
    /// Time for the whole header section, and for the next request on a connection that is kept open.
    pub header_time: Duration,
    /// Header fields of a request; 431 beyond.
    pub header_fields: usize,
    /// How slowly a body may come, and an answer may be taken; then the connection ends.
    pub pace: Pace,
    /// Time that requests in hand have when the gateway stops.
    pub stop_time: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            connections: 1_024,
            header_time: Duration::from_secs(20),
            header_fields: 100,
            pace: Pace::default(),
            stop_time: Duration::from_secs(30),
        }
    }
}

/// How long a connection waits for a place while all are taken. Once one has waited in vain, none waits until a place is free.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// What a connection hears that got no place.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Bytes that are buffered of a request before its handler sees it: the header section must fit.
const BUFFER: usize = 64 * 1024;

/// Serves `router` until `stop` ends; then lets the requests in hand end. Each request has the other end of its connection,
/// as the listener names it, for an extension.
pub async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    limits: ServerLimits,
    stop: impl Future<Output = ()>,
) where
    L::Addr: Counted + Clone + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let shares = Shares::new(limits.connections);
    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    let mut wait = PLACE_WAIT;
    loop {
        let accepted = async {
            let place = tokio::time::timeout(wait, Arc::clone(&places).acquire_owned()).await;
            let accepted = listener.accept().await;
            let place = match place {
                Ok(place) => place.ok(),
                // Since then it may have been long until somebody came.
                Err(_) => Arc::clone(&places).try_acquire_owned().ok(),
            };
            (place, accepted)
        };
        let (place, (io, peer)) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        wait = if place.is_some() { PLACE_WAIT } else { Duration::ZERO };
        let whose = peer.whose();
        let share = whose.as_ref().map(|whose| shares.try_take(whose));
        let (Some(place), None | Some(Some(_))) = (place, &share) else {
            turn_away(io, whose).await;
            continue;
        };
        let io = Taken::new(io, limits.pace);
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            service.call(request.map(|body| Paced::new(body, limits.pace)))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_headers(limits.header_fields)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(io), service);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no error of ours.
            let _ = connection.await;
            drop((place, share));
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(limits.stop_time, open.shutdown()).await;
}

/// Tells somebody that there is no place for another connection.
async fn turn_away(mut io: impl AsyncWrite + Unpin, whose: Option<String>) {
    if whose.is_some() {
        tracing::warn!(whose, "a connection is one too many");
    }
    // A socket that was just opened takes so few bytes at once; one that does not is dropped.
    let _ = tokio::time::timeout(PLACE_WAIT, io.write_all(BUSY)).await;
}
