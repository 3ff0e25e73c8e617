//! Bytes on their way: a body that whoever sends it may share between threads, and a download that goes on where it broke off.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use model::adapter::Content;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::http::Http;

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// How often a download goes on after it broke off.
const RESUMED: usize = 3;

/// The pieces of a stream that need not be shared.
pub(super) fn pieces(
    mut stream: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + Unpin {
    let (pieces, mut waiting) = mpsc::channel(2);
    // Ends when the client drops the body.
    tokio::spawn(async move {
        while let Some(piece) = stream.next().await {
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    });
    futures::stream::poll_fn(move |context| waiting.poll_recv(context))
}

/// Content whose beginning has been asked for already, in order to know that it is there.
pub(super) fn download(http: Arc<Http>, url: String, begun: Content) -> Content {
    let (pieces, mut waiting) = mpsc::channel(2);
    tokio::spawn(async move {
        let mut body = begun;
        let mut taken = 0;
        for _ in 0..RESUMED {
            let Err(error) = pass_on(&mut body, &pieces, &mut taken).await else { return };
            // From its beginning it can be asked for again by whoever wanted it.
            let next = if taken > 0 { http.open(&url, taken).await.ok() } else { None };
            let Some(next) = next else {
                _ = pieces.send(Err(error)).await;
                return;
            };
            body = next.body;
        }
        _ = pieces.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
    });
    Box::new(StreamReader::new(futures::stream::poll_fn(move |context| waiting.poll_recv(context))))
}

/// Passes on what comes until its end, or until nobody wants it any more.
async fn pass_on(
    body: &mut Content,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
    taken: &mut u64,
) -> io::Result<()> {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = body.read_buf(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        *taken += read as u64;
        if pieces.send(Ok(piece.freeze())).await.is_err() {
            return Ok(());
        }
    }
}
