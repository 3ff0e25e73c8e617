//! Decrypted bytes that wait in a staging file, as a stream.

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use seal::xmlenc::Plaintext;
use tokio::io::{AsyncRead, ReadBuf};

/// Reads decrypted bytes from their beginning. The file was just written, so that reading it does not block for long.
pub(crate) struct Stream {
    plain: Plaintext,
    offset: u64,
}

impl Stream {
    pub(crate) fn new(plain: Plaintext) -> Self {
        Stream { plain, offset: 0 }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let wanted = buffer.remaining() as u64;
        let count = {
            let mut reader = self.plain.open_range(self.offset..self.offset.saturating_add(wanted));
            reader.read(buffer.initialize_unfilled())?
        };
        buffer.advance(count);
        self.offset += count as u64;
        Poll::Ready(Ok(()))
    }
}
