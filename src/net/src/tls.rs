//! TLS for listeners (RFC 5246, RFC 8446): certificates are shown by both sides, but only that the other one owns the key of
//! its certificate is decided here. Whether the certificate is known, valid and trusted is the matter of whoever answers,
//! so that it can be answered in the words of its standard.
//!
//! TLS 1.2 is the least. Elliptic curves include those of Brainpool (RFC 7027): with OpenSSL before 3.2 they are spoken in
//! TLS 1.2 alone.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, Ssl, SslAcceptor, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
    select_next_proto,
};
use openssl::x509::X509;
use seal::identity::Identity;
use seal::x509::Certificate;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::Error;

/// Longest time of a handshake.
const WITHIN: Duration = Duration::from_secs(10);
/// Handshakes at once. When there are more, the oldest one has to go: it is the likeliest to be stalled on purpose.
const MOST: usize = 512;
/// Connections that wait for the server to take them.
const READY: usize = 16;
/// Groups for the exchange of keys, and curves of certificates.
const GROUPS: &str = "X25519:P-256:P-384:P-521:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1";
/// The only protocol that is spoken, as ALPN names it (RFC 7301).
const PROTOCOL: &[u8] = b"\x08http/1.1";

/// The other end of a connection: an extension of each of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it calls from.
    pub address: SocketAddr,
    /// Its certificate (DER), if it has shown one. It owns the key; nothing else of it has been looked at.
    pub certificate: Option<Arc<[u8]>>,
    /// Whether the house knows this certificate. Anybody can make others, as many as they like.
    pub is_known: bool,
}

/// The other end of a connection, as far as places are shared out.
pub trait Counted {
    /// Whose connection it is; nothing if all of them have one house between them and us.
    fn whose(&self) -> Option<String>;
}

impl Counted for Peer {
    /// By the certificate if it is known, or else by where it calls from.
    fn whose(&self) -> Option<String> {
        let known = self.certificate.as_deref().filter(|_| self.is_known);
        Some(known.map_or_else(|| origin(self.address.ip()), |der| seal::sha256(&[der]).to_string()))
    }
}

/// An address of IPv4, or a network of IPv6: whoever has one there has all of its addresses (RFC 4291, section 2.5.4).
fn origin(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Plain HTTP is spoken with what stands on the same machine.
impl Counted for SocketAddr {
    fn whose(&self) -> Option<String> {
        None
    }
}

/// Accepts connections, each after its handshake.
pub struct Listener {
    address: SocketAddr,
    ready: Receiver<Connection>,
    task: JoinHandle<()>,
    shown: Shown,
}

/// What a handshake needs: the key pair that is shown, and the certificates of partners.
pub struct Door {
    acceptor: SslAcceptor,
    known: HashSet<Vec<u8>>,
}

impl Door {
    /// See [`Listener::new`].
    ///
    /// # Errors
    /// Likewise.
    pub fn new(identity: &Identity, known: &[Certificate]) -> Result<Self, Error> {
        let known = known.iter().map(|it| it.der().to_vec()).collect();
        Ok(Door { acceptor: acceptor(identity, true)?, known })
    }

    /// See [`Listener::for_public`].
    ///
    /// # Errors
    /// Likewise.
    pub fn for_public(identity: &Identity) -> Result<Self, Error> {
        Ok(Door { acceptor: acceptor(identity, false)?, known: HashSet::new() })
    }
}

/// The door of a listener, which can be exchanged while it accepts connections. Clones are the same one.
#[derive(Clone)]
pub struct Shown(Arc<RwLock<Arc<Door>>>);

impl Shown {
    /// Handshakes that begin from now on see this one; connections that are open go on.
    pub fn exchange(&self, door: Door) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(door);
    }

    fn now(&self) -> Arc<Door> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection whose handshake is done.
type Connection = (SslStream<TcpStream>, Peer);

impl Listener {
    /// Speaks TLS with whoever connects, and shows the certificate of `identity` with its chain. The certificates in `known` are
    /// those of partners.
    ///
    /// # Errors
    /// [`Error::Identity`] if the key pair cannot be used for TLS; [`Error::Setup`] if TLS cannot be set up.
    pub fn new(listener: TcpListener, identity: &Identity, known: &[Certificate]) -> Result<Self, Error> {
        Listener::with(listener, Door::new(identity, known)?)
    }

    /// The same for the public: nobody is asked for a certificate, as a browser would ask its user for one in turn.
    ///
    /// # Errors
    /// As [`new`](Listener::new).
    pub fn for_public(listener: TcpListener, identity: &Identity) -> Result<Self, Error> {
        Listener::with(listener, Door::for_public(identity)?)
    }

    /// Behind a door.
    ///
    /// # Errors
    /// [`Error::Setup`] if the listener has no address.
    pub fn with(listener: TcpListener, door: Door) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(|_| Error::Setup)?;
        let shown = Shown(Arc::new(RwLock::new(Arc::new(door))));
        let (sender, ready) = channel(READY);
        let task = tokio::spawn(take_in(listener, shown.clone(), sender));
        Ok(Listener { address, ready, task, shown })
    }

    /// What it shows, to be exchanged.
    pub fn shown(&self) -> Shown {
        self.shown.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl axum::serve::Listener for Listener {
    type Io = SslStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> Connection {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The task ends with the listener alone: there is nobody who could still connect.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.address, certificate: None, is_known: false })
    }
}

fn acceptor(identity: &Identity, asks: bool) -> Result<SslAcceptor, Error> {
    let mut acceptor = settings(asks).map_err(|_| Error::Setup)?;
    let x509 = |certificate: &Certificate| X509::from_der(certificate.der());
    let own = |acceptor: &mut openssl::ssl::SslAcceptorBuilder| -> Result<(), ErrorStack> {
        acceptor.set_certificate(&*x509(identity.certificate())?)?;
        acceptor.set_private_key(identity.key())?;
        for issuer in identity.chain() {
            acceptor.add_extra_chain_cert(x509(issuer)?)?;
        }
        acceptor.check_private_key()
    };
    own(&mut acceptor).map_err(|_| Error::Identity)?;
    Ok(acceptor.build())
}

fn settings(asks: bool) -> Result<openssl::ssl::SslAcceptorBuilder, ErrorStack> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    acceptor.set_groups_list(GROUPS)?;
    // The certificate is asked for, and nobody is sent away for it, or for having none.
    let mode = if asks { SslVerifyMode::PEER } else { SslVerifyMode::NONE };
    acceptor.set_verify_callback(mode, |_, _| {
        // What OpenSSL found wrong stays in the queue of the thread, and would end the next connection that it looks at.
        drop(ErrorStack::get());
        true
    });
    // Each connection proves anew that its client owns the key.
    acceptor.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
    acceptor.set_session_cache_mode(SslSessionCacheMode::OFF);
    acceptor.set_num_tickets(0)?;
    // A record comes by one call instead of two.
    acceptor.set_read_ahead(true);
    acceptor
        .set_alpn_select_callback(|_, offered| select_next_proto(PROTOCOL, offered).ok_or(AlpnError::NOACK));
    Ok(acceptor)
}

/// Accepts connections for as long as somebody takes them.
async fn take_in(mut listener: TcpListener, shown: Shown, ready: Sender<Connection>) {
    let mut under_way = JoinSet::new();
    let mut order = VecDeque::new();
    loop {
        let (stream, address) = axum::serve::Listener::accept(&mut listener).await;
        while under_way.try_join_next().is_some() {}
        make_room(&mut order);
        let (door, ready) = (shown.now(), ready.clone());
        order.push_back(under_way.spawn(async move {
            match timeout(WITHIN, handshake(&door, stream, address)).await {
                Ok(Ok(connection)) => drop(ready.send(connection).await),
                // Whoever speaks no TLS is no event; a house that looks for its partner's mistake can see it.
                Ok(Err(_)) => tracing::debug!("a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        }));
    }
}

fn make_room(order: &mut VecDeque<AbortHandle>) {
    if order.len() < MOST {
        return;
    }
    order.retain(|handshake| !handshake.is_finished());
    while order.len() >= MOST {
        if let Some(oldest) = order.pop_front() {
            oldest.abort();
        }
    }
}

async fn handshake(
    door: &Door,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<Connection, openssl::ssl::Error> {
    let mut stream = SslStream::new(Ssl::new(door.acceptor.context())?, stream)?;
    Pin::new(&mut stream).accept().await?;
    let certificate = stream.ssl().peer_certificate().map(|it| it.to_der()).transpose()?;
    let is_known = certificate.as_ref().is_some_and(|der| door.known.contains(der));
    Ok((stream, Peer { address, certificate: certificate.map(Arc::from), is_known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_of_ipv6_is_one_stranger() {
        let whose = |address: &str, is_known| {
            let address = SocketAddr::new(address.parse().unwrap(), 1);
            Peer { address, certificate: Some(Arc::from(*b"der")), is_known }.whose().unwrap()
        };
        assert_eq!(whose("2001:db8:0:7::1", false), "2001:db8:0:7::/64");
        assert_eq!(whose("2001:db8:0:7:ffff::2", false), whose("2001:db8:0:7::1", false));
        assert_ne!(whose("2001:db8:0:8::1", false), whose("2001:db8:0:7::1", false));
        assert_eq!(whose("::ffff:192.0.2.1", false), whose("192.0.2.1", false));
        assert_ne!(whose("192.0.2.2", false), whose("192.0.2.1", false));
        assert_eq!(whose("2001:db8::1", true), whose("192.0.2.1", true), "the certificate is the same");
    }
}
