//! TLS for those who call, judged by OpenSSL's own client.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::serve::Listener as _;
use net::tls::{Counted, Listener};
use seal::identity::Identity;
use seal::x509::Certificate;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;

/// One more handshake than there may be at once.
const TOO_MANY: usize = 513;

/// Key pairs that OpenSSL's own tool has made, each with a certificate that it signed itself.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        Keys(tempfile::tempdir().unwrap())
    }

    fn make(&self, name: &str, key: &str) -> Identity {
        let made =
            format!("req -x509 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem {key}");
        let made = Command::new("openssl").args(made.split(' ')).current_dir(self.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let read = |ending: &str| std::fs::read(self.path().join(format!("{name}.{ending}"))).unwrap();
        Identity::from_pem(&[read("key"), read("pem")].concat(), "").unwrap()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A server that tells each client its certificate's fingerprint, or `none`.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
    /// Whose connections they were.
    counted: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn with(identity: &Identity) -> Self {
        Server::knowing(identity, &[]).await
    }

    async fn knowing(identity: &Identity, known: &[Certificate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::of(Listener::new(listener, identity, known).unwrap())
    }

    fn of(mut listener: Listener) -> Self {
        let address = listener.local_addr().unwrap().address.to_string();
        let seen = Arc::new(Mutex::new(vec![]));
        let counted = Arc::new(Mutex::new(vec![]));
        let (told, noted) = (Arc::clone(&seen), Arc::clone(&counted));
        tokio::spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await;
                let of =
                    |der: &[u8]| seal::x509::Certificate::from_der(der).unwrap().fingerprint().to_owned();
                let who = peer.certificate.as_deref().map_or("none".to_owned(), of);
                told.lock().unwrap().push(who.clone());
                noted.lock().unwrap().extend(peer.whose());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    let _ = stream.read_line(&mut line).await;
                    let _ = stream.write_all(format!("{} {who}\n", line.trim()).as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Server { address, seen, counted }
    }

    /// What OpenSSL's client hears, or its complaint.
    async fn hears(&self, keys: &Keys, options: &str) -> Result<String, String> {
        let options = format!("s_client -connect {} -quiet {options}", self.address);
        let folder = keys.path().to_owned();
        spawn_blocking(move || {
            let mut client = Command::new("openssl");
            client.args(options.split(' ')).current_dir(folder);
            client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut client = client.spawn().unwrap();
            let mut input = client.stdin.take().unwrap();
            // Of a handshake that fails, the client may be gone already.
            let _ = std::io::Write::write_all(&mut input, b"hello\n");
            let done = client.wait_with_output().unwrap();
            drop(input);
            match done.status.success() && !done.stdout.is_empty() {
                true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
                false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
            }
        })
        .await
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_s_certificate_reaches_whoever_serves_and_none_is_demanded() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    let client = keys.make("client", "-newkey ec -pkeyopt ec_paramgen_curve:P-256");
    let known = format!("hello {}", client.certificate().fingerprint());
    for version in ["-tls1_2", "-tls1_3"] {
        let shown = format!("{version} -cert client.pem -key client.key");
        assert_eq!(server.hears(&keys, &shown).await.unwrap(), known, "{version}");
        assert_eq!(server.hears(&keys, version).await.unwrap(), "hello none", "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_is_asked_for_no_certificate() {
    let keys = Keys::new();
    let identity = keys.make("server", "-newkey rsa:2048");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::of(Listener::for_public(listener, &identity).unwrap());
    keys.make("client", "-newkey rsa:2048");
    for version in ["-tls1_2", "-tls1_3"] {
        let shown = format!("{version} -cert client.pem -key client.key");
        assert_eq!(server.hears(&keys, &shown).await.unwrap(), "hello none", "{version}");
    }
}

#[tokio::test]
async fn who_sends_a_wrong_chain_is_served_and_so_is_everybody_else() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    keys.make("ca", "-newkey rsa:2048");
    let unnamed = "-addext subjectKeyIdentifier=none -addext authorityKeyIdentifier=none";
    let client = keys.make("client", &format!("-newkey rsa:2048 -CA ca.pem -CAkey ca.key {unnamed}"));
    // Another authority of the same name.
    keys.make("ca", "-newkey rsa:2048");
    let known = format!("hello {}", client.certificate().fingerprint());
    for version in ["-tls1_2", "-tls1_3"] {
        let shown = format!("{version} -cert client.pem -key client.key -cert_chain ca.pem");
        assert_eq!(server.hears(&keys, &shown).await.unwrap(), known, "{version}");
    }
    assert_eq!(server.hears(&keys, "-tls1_3").await.unwrap(), "hello none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_tls_1_2_is_refused_and_changes_nothing() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    for version in ["-tls1", "-tls1_1"] {
        let refused = server.hears(&keys, &format!("{version} -cipher ALL:@SECLEVEL=0")).await.unwrap_err();
        assert!(refused.contains("alert protocol version"), "{version}: {refused}");
    }
    assert_eq!(server.hears(&keys, "-tls1_2").await.unwrap(), "hello none");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_on_curves_of_brainpool_work_on_both_sides() {
    let keys = Keys::new();
    for curve in ["brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"] {
        let pair = format!("-newkey ec -pkeyopt ec_paramgen_curve:{curve}");
        let server = Server::with(&keys.make("server", &pair)).await;
        let client = keys.make("client", &pair);
        let options = format!("-tls1_2 -curves {curve} -cert client.pem -key client.key");
        let heard = server.hears(&keys, &options).await.unwrap();
        assert_eq!(heard, format!("hello {}", client.certificate().fingerprint()), "{curve}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_proves_anew_whose_it_is() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    let client = keys.make("client", "-newkey rsa:2048");
    let options = "-tls1_2 -reconnect -cert client.pem -key client.key";
    let heard = server.hears(&keys, options).await.unwrap();
    assert!(heard.ends_with(client.certificate().fingerprint()), "{heard}");
    let seen = || server.seen.lock().unwrap().clone();
    while seen().len() < 6 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(
        seen(),
        vec![client.certificate().fingerprint().to_owned(); 6],
        "the client connects six times"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_by_certificates_that_are_known_and_else_by_address() {
    let keys = Keys::new();
    let [own, client, stranger] = ["server", "client", "stranger"]
        .map(|name| keys.make(name, "-newkey ec -pkeyopt ec_paramgen_curve:P-256"));
    let server = Server::knowing(&own, &[client.certificate().clone()]).await;
    for name in ["client", "stranger"] {
        server.hears(&keys, &format!("-cert {name}.pem -key {name}.key")).await.unwrap();
    }
    server.hears(&keys, "-tls1_3").await.unwrap();
    let known = client.certificate().fingerprint().to_owned();
    assert_eq!(*server.counted.lock().unwrap(), [known, "127.0.0.1".to_owned(), "127.0.0.1".to_owned()]);
    assert_eq!(server.seen.lock().unwrap()[1], stranger.certificate().fingerprint());
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_handshakes_keep_nobody_from_being_served() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    let mut stalled = Vec::new();
    for _ in 0..TOO_MANY {
        stalled.push(TcpStream::connect(&server.address).await.unwrap());
    }
    assert_eq!(server.hears(&keys, "-tls1_3").await.unwrap(), "hello none");
    let gone = stalled[0].read(&mut [0]).await;
    assert!(matches!(gone, Ok(0) | Err(_)), "the oldest had to go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_go_on_is_over_after_ten_seconds() {
    let keys = Keys::new();
    let server = Server::with(&keys.make("server", "-newkey rsa:2048")).await;
    let begun = std::time::Instant::now();
    let mut stalled = TcpStream::connect(&server.address).await.unwrap();
    // The beginning of a greeting that is never said to its end.
    stalled.write_all(&[22, 3, 1]).await.unwrap();
    let over = tokio::time::timeout(std::time::Duration::from_secs(60), stalled.read(&mut [0])).await;
    assert!(matches!(over, Ok(Ok(0) | Err(_))), "{over:?}");
    assert!(begun.elapsed() > std::time::Duration::from_secs(9), "nobody was waited for");
}

#[tokio::test]
async fn a_key_pair_that_is_too_weak_or_no_pair_is_refused() {
    let keys = Keys::new();
    let weak = keys.make("weak", "-newkey rsa:1024");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(Listener::new(listener, &weak, &[]).err().unwrap().code(), "net.identity");
}
