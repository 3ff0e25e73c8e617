//! How slow the other end may be. Only the time that is spent waiting for it counts, never what we take ourselves: whoever is waited
//! for has some patience, waiting uses it up, and every byte that comes gives some of it back. So a pause is borne, a slow line
//! too, but neither silence nor a byte now and then (RFC 9112, section 9.5, leaves it to the server how long it waits).

use std::error::Error as StdError;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The smallest pace that is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second.
    pub rate: u64,
    /// Patience: longest silence, and the time over which the rate is looked at.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { rate: 500, patience: Duration::from_secs(20) }
    }
}

/// The other end was slower than its [`Pace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other end is too slow")]
pub struct TooSlow;

impl TooSlow {
    /// Whether this is why something failed.
    pub fn is_cause(error: &(dyn StdError + 'static)) -> bool {
        let mut causes = std::iter::successors(Some(error), |error| (*error).source());
        causes.any(|cause| cause.is::<TooSlow>())
    }
}

/// What is left of the patience with somebody.
#[derive(Debug)]
struct Patience {
    pace: Pace,
    left: Duration,
    /// Since when it is waited.
    since: Option<Instant>,
}

impl Patience {
    fn new(pace: Pace) -> Self {
        Patience { pace, left: pace.patience, since: None }
    }

    /// So many bytes have come.
    fn came(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now - since);
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / self.pace.rate.max(1));
        self.left = self.left.saturating_add(earned).min(self.pace.patience);
    }

    /// It is waited for more; returns until when.
    fn waits(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.left
    }
}

/// Patience with its alarm.
#[derive(Debug)]
struct Meter {
    patience: Patience,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Meter {
    fn new(pace: Pace) -> Self {
        Meter { patience: Patience::new(pace), alarm: None }
    }

    /// What came of asking for bytes; `count` says how many came.
    fn look<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<T>,
        count: impl FnOnce(&T) -> usize,
    ) -> Poll<Result<T, TooSlow>> {
        let now = Instant::now();
        if let Poll::Ready(came) = polled {
            self.patience.came(count(&came), now);
            return Poll::Ready(Ok(came));
        }
        let until = self.patience.waits(now);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        alarm.as_mut().poll(context).map(|()| Err(TooSlow))
    }
}

/// A body that breaks off with [`TooSlow`] when it comes more slowly than its pace.
#[derive(Debug)]
pub struct Paced<B> {
    body: B,
    meter: Meter,
    is_over: bool,
}

impl<B> Paced<B> {
    /// A body that has to keep a pace.
    pub fn new(body: B, pace: Pace) -> Self {
        Paced { body, meter: Meter::new(pace), is_over: false }
    }
}

/// Why a body broke off.
type Broken = Box<dyn StdError + Send + Sync>;

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B>
where
    B::Error: Into<Broken>,
{
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let bytes = |frame: &Option<Result<Frame<Bytes>, B::Error>>| match frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Buf::remaining),
            _ => 0,
        };
        match ready!(self.meter.look(context, polled, bytes)) {
            Ok(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Err(error) => {
                self.is_over = true;
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose other end has to take what is written at a pace; if it does not, writing fails with `TimedOut`.
#[derive(Debug)]
pub struct Taken<S> {
    stream: S,
    meter: Meter,
}

impl<S> Taken<S> {
    /// A connection that has to keep a pace.
    pub fn new(stream: S, pace: Pace) -> Self {
        Taken { stream, meter: Meter::new(pace) }
    }

    fn watched(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let bytes = |written: &io::Result<usize>| *written.as_ref().unwrap_or(&0);
        let taken = ready!(self.meter.look(context, polled, bytes));
        Poll::Ready(taken.unwrap_or_else(|slow| Err(io::Error::new(io::ErrorKind::TimedOut, slow))))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| 0);
        self.watched(context, polled).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context).map_ok(|()| 0);
        self.watched(context, polled).map_ok(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PACE: Pace = Pace { rate: 500, patience: seconds(20) };
    const SHORT: Pace = Pace { rate: 500, patience: Duration::from_millis(50) };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Bytes that are had of somebody who sends these after these pauses, and whether all are. What has come is worked on for a
    /// while.
    fn had(pieces: &[(Duration, usize)], worked: Duration) -> (usize, bool) {
        let (mut patience, mut now, mut bytes) = (Patience::new(PACE), Instant::now(), 0);
        for (pause, length) in pieces {
            let until = patience.waits(now);
            now += *pause;
            if now > until {
                return (bytes, false);
            }
            patience.came(*length, now);
            bytes += length;
            now += worked;
        }
        (bytes, true)
    }

    #[test]
    fn silence_and_a_byte_a_second_end_and_a_slow_line_does_not() {
        let none = Duration::ZERO;
        assert_eq!(had(&[(seconds(1), 400), (seconds(19), 1)], none), (401, true));
        assert_eq!(had(&[(seconds(1), 400), (seconds(21), 1)], none), (400, false));
        assert_eq!(had(&vec![(seconds(1), 1); 3_600], none), (20, false));
        // Whoever was quick has no more patience than others.
        assert_eq!(had(&[(seconds(0), 10_000_000), (seconds(21), 1)], none), (10_000_000, false));
        // Forty megabytes at 600 bytes a second take eighteen hours.
        assert_eq!(had(&vec![(seconds(15), 9_000); 4_445], none), (40_005_000, true));
    }

    #[test]
    fn the_time_that_we_take_ourselves_does_not_count() {
        assert_eq!(had(&vec![(seconds(1), 500); 50], seconds(300)), (25_000, true));
    }

    proptest! {
        /// Whoever brings with every piece what the rate asks for its pause is heard out, whatever has come before.
        #[test]
        fn no_honest_sender_is_cut_off(
            pauses in proptest::collection::vec(0_u64..20_000, 1..80),
            more in 0_usize..50,
            worked in 0_u64..100,
        ) {
            let length = |millis: u64| usize::try_from(millis.div_ceil(2)).unwrap() + more;
            let pieces: Vec<_> =
                pauses.iter().map(|millis| (Duration::from_millis(*millis), length(*millis))).collect();
            let all = pieces.iter().map(|(_, length)| length).sum();
            prop_assert_eq!(had(&pieces, seconds(worked)), (all, true));
        }

        /// Nobody holds us up for longer than the patience and what the bytes are worth.
        #[test]
        fn nobody_is_waited_for_longer_than_the_bytes_are_worth(
            pieces in proptest::collection::vec((0_u64..30_000, 1_usize..5_000), 1..200),
        ) {
            let pieces: Vec<_> =
                pieces.into_iter().map(|(millis, length)| (Duration::from_millis(millis), length)).collect();
            let (bytes, _) = had(&pieces, Duration::ZERO);
            let mut seen = 0;
            let heard = pieces.iter().take_while(|(_, length)| { seen += length; seen <= bytes });
            let waited: Duration = heard.map(|(pause, _)| *pause).sum();
            prop_assert!(waited <= PACE.patience + Duration::from_millis(2 * bytes as u64));
        }
    }

    /// A body of one piece, and then nothing for ever.
    struct Stalled(Option<Bytes>);

    impl Body for Stalled {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
        }
    }

    #[tokio::test]
    async fn a_body_that_stalls_breaks_off_and_nothing_comes_behind_it() {
        let mut body = axum::body::Body::new(Paced::new(Stalled(Some("abc".into())), SHORT));
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "abc");
        let error = next().await.unwrap().unwrap_err();
        assert!(TooSlow::is_cause(&error), "{error}");
        assert!(next().await.is_none());
        assert!(!TooSlow::is_cause(&io::Error::from(io::ErrorKind::TimedOut)));
    }

    #[tokio::test]
    async fn whoever_does_not_take_what_is_written_is_left() {
        let (ours, mut theirs) = duplex(1_000);
        let mut ours = Taken::new(ours, SHORT);
        let error = ours.write_all(&[0; 5_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(ours);
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), 1_000);
    }
}
