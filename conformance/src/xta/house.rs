//! A gateway with a server of XTA: the county's authority fetches from its message box, and some authors send to it.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;

use super::connection::Connector;
use super::failed;
use super::pki::{Pair, Pki};
use crate::Error;
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, free_port};

/// Path of the door for messages that are sent.
pub const SEND: &str = "/xta/v3/send";
/// Path of the door for everything about messages.
pub const MANAGEMENT: &str = "/xta/v3/management";
/// Path of the door for message boxes.
pub const MSGBOX: &str = "/xta/v3/msgbox";

/// How the county's authority calls servers elsewhere.
const KEYS: &str =
    "xta = { identity = { key = \"file:pki/reader.p12\", password = \"file:pki/reader.pin\" } }";

/// A running gateway, its reader, and its authors.
pub struct House {
    /// The gateway.
    pub gateway: Gateway,
    /// Who connects as the reader, whose party is [`COUNTY_KEY`].
    pub reader: Connector,
    authors: Vec<Connector>,
}

/// Keys, made once for several gateways: making them takes longer than all else.
pub struct Keys {
    pki: Pki,
    server: Pair,
    reader: Pair,
    authors: Vec<Pair>,
}

impl Keys {
    /// Keys for a server, a reader, and so many authors.
    ///
    /// # Errors
    /// If OpenSSL does not make them.
    pub fn make(authors: usize) -> Result<Self, Error> {
        let pki = Pki::make()?;
        let (server, reader) = (pki.issue("server")?, pki.issue("reader")?);
        let authors = (0..authors).map(|number| pki.issue(&party(number))).collect::<Result<_, _>>()?;
        Ok(Keys { pki, server, reader, authors })
    }

    /// TLS of a server that demands a certificate of whoever calls.
    ///
    /// # Errors
    /// If it cannot be set up.
    pub fn acceptor(&self) -> Result<SslAcceptor, Error> {
        let acceptor = || -> Result<SslAcceptor, ErrorStack> {
            let mut store = X509StoreBuilder::new()?;
            store.add_cert(self.pki.certificate().clone())?;
            let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
            acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            acceptor.set_verify_cert_store(store.build())?;
            acceptor.set_certificate(&self.server.certificate)?;
            acceptor.set_private_key(&self.server.key)?;
            Ok(acceptor.build())
        };
        acceptor().map_err(failed)
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir(folder)?;
        self.pki.write(folder)?;
        self.server.write(folder, "server")?;
        self.reader.write(folder, "reader")?;
        for (number, pair) in self.authors.iter().enumerate() {
            pair.write(folder, &format!("author{number}"))?;
        }
        Ok(())
    }
}

/// The party of an author.
pub fn party(number: usize) -> String {
    format!("ags:{number:08}")
}

impl House {
    /// Starts it; `more` is added to its configuration.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(binary: &Path, engine: &Engine, keys: &Keys, more: &str) -> Result<Self, Error> {
        let mut gateway = Gateway::prepare(binary, engine).await?;
        keys.write(&gateway.folder().join("pki"))?;
        let port = free_port();
        let file = gateway.folder().join("amtsbote.toml");
        let key = format!("key = \"{COUNTY_KEY}\"");
        let config = std::fs::read_to_string(&file)?
            .replacen("[listen]", &format!("[listen]\nmachines = \"127.0.0.1:{port}\""), 1)
            .replacen(&key, &format!("{key}\n  xta_box = true\n  {KEYS}"), 1);
        std::fs::write(&file, config)?;
        gateway.configure(&format!("{}{more}", section(keys.authors.len())))?;
        gateway.start().await?;
        let connector = |pair: &Pair| Connector::new(&keys.pki, pair, port);
        let authors = keys.authors.iter().map(connector).collect::<Result<_, _>>()?;
        Ok(House { gateway, reader: connector(&keys.reader)?, authors })
    }

    /// Who connects as an author.
    ///
    /// # Errors
    /// If there is no such author.
    pub fn author(&self, number: usize) -> Result<&Connector, Error> {
        self.authors.get(number).ok_or_else(|| Error::Unverified("an author".to_owned()))
    }
}

/// The configuration of the server and its accounts. Containers may be as large as any message.
fn section(authors: usize) -> String {
    let account = |id: &str, party: &str| {
        format!(
            "[[xta.account]]\nid = \"{id}\"\ntenant = \"{COUNTY}\"\n\
             certificates = [\"file:pki/{id}.pem\"]\nparties = [\"{party}\"]\n"
        )
    };
    let authors = (0..authors).map(|number| account(&format!("author{number}"), &party(number)));
    let accounts: String = authors.chain([account("reader", COUNTY_KEY)]).collect();
    format!(
        "[tls]\nidentity = {{ key = \"file:pki/server.p12\", password = \"file:pki/server.pin\" }}\n\
         [xta]\nserver = \"messung\"\ntrust = [\"file:pki/ca.pem\"]\nwithout_revocation = \"accept\"\n\
         container_mb = 2_000\n{accounts}"
    )
}
