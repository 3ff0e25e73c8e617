//! Connections in mutual TLS that are kept open.

use std::pin::Pin;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::failed;
use super::pki::{Pair, Pki};
use crate::Error;

/// Longest time for connection and handshake.
const WITHIN: Duration = Duration::from_secs(30);

/// A connection whose handshake is done.
pub type Connection = SslStream<TcpStream>;

/// Who connects: the certificate that is shown, and the server's authority that is trusted.
#[derive(Clone)]
pub struct Connector {
    context: SslContext,
    port: u16,
}

impl Connector {
    /// Shows the certificate of `pair` at this port of the loopback.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(pki: &Pki, pair: &Pair, port: u16) -> Result<Self, Error> {
        let context = || -> Result<SslContext, ErrorStack> {
            let mut store = X509StoreBuilder::new()?;
            store.add_cert(pki.certificate().clone())?;
            let mut context = SslContext::builder(SslMethod::tls_client())?;
            context.set_verify(SslVerifyMode::PEER);
            context.set_cert_store(store.build());
            context.set_certificate(&pair.certificate)?;
            context.set_private_key(&pair.key)?;
            Ok(context.build())
        };
        Ok(Connector { context: context().map_err(failed)?, port })
    }

    /// Where it connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection after its handshake.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn connect(&self) -> Result<Connection, Error> {
        let connect = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.set_nodelay(true)?;
            let ssl = Ssl::new(&self.context).map_err(failed)?;
            let mut stream = SslStream::new(ssl, stream).map_err(failed)?;
            Pin::new(&mut stream).connect().await.map_err(failed)?;
            Ok(stream)
        };
        tokio::time::timeout(WITHIN, connect).await.map_err(|_| Error::Late("a handshake".to_owned()))?
    }

    /// So many of them.
    ///
    /// # Errors
    /// As [`connect`](Connector::connect).
    pub async fn connections(&self, count: usize) -> Result<Vec<Connection>, Error> {
        let mut all = vec![];
        for _ in 0..count {
            all.push(self.connect().await?);
        }
        Ok(all)
    }
}
