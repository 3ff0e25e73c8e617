//! Contents, one behind the other, as the body of a request: a piece at a time.

use std::io;

use bytes::{Bytes, BytesMut};
use model::adapter::Content;
use net::Upload;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// `size` is the number of bytes of all contents together, if it is known.
pub(crate) fn of(contents: Vec<Content>, size: Option<u64>) -> Upload {
    let (pieces, mut waiting) = mpsc::channel(2);
    // Ends when the client drops the body.
    tokio::spawn(read(contents, pieces));
    Upload::new(futures::stream::poll_fn(move |context| waiting.poll_recv(context)), size)
}

async fn read(contents: Vec<Content>, pieces: Pieces) {
    for content in contents {
        if !read_one(content, &pieces).await {
            return;
        }
    }
}

/// Whether more may follow.
async fn read_one(mut content: Content, pieces: &Pieces) -> bool {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = content.read_buf(&mut piece).await;
        let broke_off = read.is_err();
        let sent = match read {
            Ok(0) => return true,
            Ok(_) => pieces.send(Ok(piece.freeze())).await,
            Err(error) => pieces.send(Err(error)).await,
        };
        if broke_off || sent.is_err() {
            return false;
        }
    }
}
