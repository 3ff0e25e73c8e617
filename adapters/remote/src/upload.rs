//! A content as the body of a request, a piece at a time.

use std::io;

use bytes::{Bytes, BytesMut};
use model::adapter::Content;
use net::Upload;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// `size` is the number of bytes, if it is known.
pub(crate) fn of(content: Content, size: Option<u64>) -> Upload {
    let (pieces, mut waiting) = mpsc::channel(2);
    // Ends when the client drops the body.
    tokio::spawn(read(content, pieces));
    Upload::new(futures::stream::poll_fn(move |context| waiting.poll_recv(context)), size)
}

async fn read(mut content: Content, pieces: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = content.read_buf(&mut piece).await;
        let ends = !matches!(read, Ok(1..));
        let sent = match read {
            Ok(0) => return,
            Ok(_) => pieces.send(Ok(piece.freeze())).await,
            Err(error) => pieces.send(Err(error)).await,
        };
        if ends || sent.is_err() {
            return;
        }
    }
}
