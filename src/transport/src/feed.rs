//! The body of a request, read from where it is staged while it is sent.

use std::io::{self, BufRead};

use bytes::Bytes;
use futures::stream::poll_fn;
use net::Upload;
use seal::xmlenc::Plaintext;
use tokio::sync::mpsc::{Sender, channel};

/// Pieces that wait to be sent, of 64 KiB each.
const PIECES: usize = 2;

/// A body, and where its pieces go: see [`feed`].
pub(crate) fn upload(length: u64) -> (Upload, Sender<io::Result<Bytes>>) {
    let (pieces, mut taken) = channel(PIECES);
    (Upload::new(poll_fn(move |context| taken.poll_recv(context)), Some(length)), pieces)
}

/// Gives the bytes away, until nobody wants them. Reads on this thread, which may block.
pub(crate) async fn feed(bytes: &Plaintext, pieces: Sender<io::Result<Bytes>>) {
    let mut reader = bytes.open();
    loop {
        let piece = reader.fill_buf().map(Bytes::copy_from_slice);
        let length = piece.as_ref().map_or(0, Bytes::len);
        let is_end = matches!(&piece, Ok(bytes) if bytes.is_empty());
        if is_end || pieces.send(piece).await.is_err() || length == 0 {
            return;
        }
        reader.consume(length);
    }
}
