//! Decrypted bytes that wait in staging files, one behind the other as a stream, and their digest.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use model::Failure;
use seal::hash::{Algorithm, Hasher};
use seal::xmlenc::Plaintext;
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are put into a digest at a time; others may work in between.
const PIECE: u64 = 256 * 1024;

/// Reads decrypted bytes from their beginning. The files were just written, so that reading them does not block for long.
pub(crate) struct Stream {
    parts: VecDeque<Plaintext>,
    /// How far the first of them was read.
    offset: u64,
}

impl Stream {
    pub(crate) fn new(parts: Vec<Plaintext>) -> Self {
        Stream { parts: parts.into(), offset: 0 }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let wanted = buffer.remaining() as u64;
        while let Some(first) = self.parts.front().filter(|_| wanted > 0) {
            let range = self.offset..self.offset.saturating_add(wanted);
            let count = first.open_range(range).read(buffer.initialize_unfilled())?;
            if count > 0 {
                buffer.advance(count);
                self.offset += count as u64;
                break;
            }
            self.offset = 0;
            self.parts.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

/// SHA-512 of the bytes one behind the other, lower-case hex.
pub(crate) async fn sha512(parts: &[Plaintext]) -> Result<String, Failure> {
    let failed = || Failure::transient("encryption.staging", "the temporary file cannot be read");
    let mut hasher = Hasher::new(Algorithm::Sha512).map_err(|_| failed())?;
    for part in parts {
        for from in (0..part.length()).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX)) {
            let mut bytes = Vec::new();
            part.open_range(from..from + PIECE).read_to_end(&mut bytes).map_err(|_| failed())?;
            hasher.write_all(&bytes).map_err(|_| failed())?;
            tokio::task::yield_now().await;
        }
    }
    Ok(hex::encode(hasher.finish().map_err(|_| failed())?))
}
