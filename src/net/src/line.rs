//! Lines to servers that speak other protocols than HTTP, such as IMAP (RFC 9051) and SMTP (RFC 5321): TLS from the first byte on
//! (RFC 8314, section 3), after both sides have agreed to begin it (STARTTLS), or plain with what stands on the same machine. Whoever configures the gateway chose the address.
//!
//! A line has an allowance of bytes that may come: who asks for something says before how much it may be, so that a server cannot fill
//! the memory of whoever reads.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use seal::x509::Certificate;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::Error;

/// Bytes of a line of text.
const MOST_TEXT: usize = 8 * 1024;

/// How a line is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte on.
    Tls,
    /// None yet; whoever speaks on the line agrees with the server to begin it ([`Line::said`], [`Line::encrypted`]), and says nothing
    /// else before.
    Later,
    /// None: only to the same machine.
    Plain,
}

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Name or address; its certificate must name it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the line is protected.
    pub security: Security,
    /// Certificates that the server's must go back to; `None`: those of the system.
    pub trust: Option<Vec<Certificate>>,
}

/// A line to a server.
pub struct Line {
    transport: Transport,
    peer: SocketAddr,
    allowance: Allowance,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

/// How many bytes may still come.
#[derive(Debug, Clone)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// From now on, so many bytes may come.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl Server {
    /// Connects, and makes TLS, within the time given. The allowance of the line is 64 KiB at first.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Tls`], [`Error::PlainLine`] if a line without TLS would leave the machine, [`Error::Setup`].
    pub async fn connect(&self, within: Duration) -> Result<Line, Error> {
        timeout(within, self.dial()).await.map_err(|_| Error::Unreachable)?
    }

    async fn dial(&self) -> Result<Line, Error> {
        let host = self.host.trim_matches(['[', ']']);
        let found = lookup_host((host, self.port)).await.map_err(|_| Error::Unreachable)?;
        let may = |address: &SocketAddr| {
            self.security != Security::Plain || address.ip().to_canonical().is_loopback()
        };
        let addresses: Vec<SocketAddr> = found.collect();
        if !addresses.is_empty() && !addresses.iter().any(may) {
            return Err(Error::PlainLine);
        }
        let may: Vec<SocketAddr> = addresses.into_iter().filter(may).collect();
        let stream = TcpStream::connect(may.as_slice()).await.map_err(|_| Error::Unreachable)?;
        drop(stream.set_nodelay(true));
        let peer = stream.peer_addr().map_err(|_| Error::Unreachable)?;
        let transport = match self.security {
            Security::Tls => Transport::Tls(Box::new(self.secured(host, stream).await?)),
            Security::Later | Security::Plain => Transport::Plain(stream),
        };
        let allowance = Allowance(Arc::new(AtomicU64::new(64 * 1024)));
        Ok(Line { transport, peer, allowance })
    }

    async fn secured(&self, host: &str, stream: TcpStream) -> Result<SslStream<TcpStream>, Error> {
        let ssl = connector(self.trust.as_deref())
            .and_then(|connector| connector.configure()?.into_ssl(host))
            .map_err(|_| Error::Setup)?;
        let mut stream = SslStream::new(ssl, stream).map_err(|_| Error::Setup)?;
        Pin::new(&mut stream).connect().await.map_err(|_| Error::Tls)?;
        Ok(stream)
    }
}

fn connector(trust: Option<&[Certificate]>) -> Result<SslConnector, openssl::error::ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    if let Some(trust) = trust {
        let mut store = X509StoreBuilder::new()?;
        for certificate in trust {
            store.add_cert(X509::from_der(certificate.der())?)?;
        }
        builder.set_cert_store(store.build());
    }
    Ok(builder.build())
}

impl Line {
    /// The allowance of this line.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// One line of text with its line end, of at most 8 KiB. Nothing behind it is read: what somebody has put there before TLS begins is not
    /// taken for what was said within.
    ///
    /// # Errors
    /// The line breaks, or what comes is longer.
    pub async fn said(&mut self) -> io::Result<Vec<u8>> {
        let mut text = vec![];
        while text.last() != Some(&b'\n') {
            if text.len() == MOST_TEXT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            text.push(self.read_u8().await?);
        }
        Ok(text)
    }

    /// Makes TLS on a line that has none yet, within the time given; the allowance stays.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Tls`]; [`Error::Setup`] also if the line is encrypted already.
    pub async fn encrypted(self, server: &Server, within: Duration) -> Result<Line, Error> {
        let Transport::Plain(stream) = self.transport else { return Err(Error::Setup) };
        let host = server.host.trim_matches(['[', ']']);
        let made = timeout(within, server.secured(host, stream)).await;
        let transport = Transport::Tls(Box::new(made.map_err(|_| Error::Unreachable)??));
        Ok(Line { transport, ..self })
    }

    /// Where it leads.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.peer)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        };
        if !matches!(read, Poll::Ready(Ok(()))) {
            return read;
        }
        let came = (buffer.filled().len() - before) as u64;
        let left = self.allowance.0.load(Ordering::Relaxed);
        if came > left {
            return Poll::Ready(Err(io::Error::other("more came than was asked for")));
        }
        self.allowance.0.store(left - came, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
