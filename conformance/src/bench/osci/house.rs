//! A gateway that is an intermediary, and orders at it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use osci::client::{Answered, Client, Dialog, NewOrder, Ordered};
use osci::message::{Body, Certificates};
use osci::transport::Limits;
use reqwest::Body as HttpBody;
use seal::xmlenc::Staging;

use super::people::{failed, said};
use crate::Error;
use crate::bench::node::sealed;
use crate::gateway::{COUNTY_KEY, Engine, Gateway, free_port};

/// A gateway whose county runs an intermediary, and has a mailbox there by Bob's certificate.
pub(super) struct House {
    pub(super) gateway: Gateway,
    http: reqwest::Client,
    port: u16,
}

impl House {
    /// Starts it with the intermediary's keys of this folder.
    pub(super) async fn start(binary: &Path, engine: &Engine, keys: &Path) -> Result<Self, Error> {
        let keys = keys.canonicalize()?;
        let mut gateway = Gateway::prepare(binary, engine).await?;
        let port = free_port();
        for name in ["intermed_cipher.p12", "intermed_signature.p12"] {
            secret(&gateway.folder().join(name), &std::fs::read(keys.join(name))?)?;
        }
        secret(&gateway.folder().join("pin"), b"123456")?;
        let file = gateway.folder().join("amtsbote.toml");
        let key = format!("key = \"{COUNTY_KEY}\"");
        let owner = format!("{key}\n  osci_certificates = [\"file:{}/bob_cipher.cer\"]", keys.display());
        let config = std::fs::read_to_string(&file)?
            .replacen("[listen]", &format!("[listen]\nosci_plain = \"127.0.0.1:{port}\""), 1)
            .replacen(&key, &owner, 1);
        std::fs::write(&file, config)?;
        gateway.configure(&format!(
            "[osci]\nauthority = \"{COUNTY_KEY}\"\n\
             cipher = [{{ key = \"file:intermed_cipher.p12\", password = \"file:pin\" }}]\n\
             signer = {{ key = \"file:intermed_signature.p12\", password = \"file:pin\" }}\n\
             trust = [\"file:{0}/ca.cer\"]\ncrl = [\"file:{0}/ca.crl\"]\n",
            keys.display()
        ))?;
        gateway.start().await?;
        // While a large message is made, the gateway closes a connection that nobody uses.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(House { gateway, http, port })
    }

    /// Base URL of the door, without path.
    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A new message id.
    pub(super) async fn message_id(&self, client: &Client<'_>) -> Result<String, Error> {
        let answered = self.order(client, None, &NewOrder::GetMessageId).await?;
        said(&answered, "0800")?;
        let id = if let Body::Answer(answer) = answered.message.body { answer.message_id } else { None };
        id.ok_or_else(|| Error::Unverified("a message id".to_owned()))
    }

    /// Orders something without content.
    pub(super) async fn order(
        &self,
        client: &Client<'_>,
        dialog: Option<&Dialog>,
        order: &NewOrder,
    ) -> Result<Answered, Error> {
        let ordered = client.order(dialog, order, Certificates::default(), None).map_err(failed)?;
        self.ask(client, &ordered).await
    }

    /// Sends an order and reads the answer, both as streams.
    pub(super) async fn ask(&self, client: &Client<'_>, ordered: &Ordered) -> Result<Answered, Error> {
        let (mut package, length) = (tempfile::tempfile()?, ordered.package.length());
        std::io::copy(&mut ordered.package.open(), &mut package)?;
        std::io::Seek::rewind(&mut package)?;
        let request = self.http.post(format!("{}/osci", self.base())).header("Content-Length", length);
        let mut answer = request
            .body(HttpBody::from(tokio::fs::File::from_std(package)))
            .send()
            .await?
            .error_for_status()?;
        let limits = Limits::default();
        let mut staging = Staging::new(limits.memory, limits.package);
        while let Some(piece) = answer.chunk().await? {
            staging.write_all(&piece)?;
        }
        client.answer(ordered, staging.finish().open()).map_err(failed)
    }

    /// Waits until every event is sealed.
    pub(super) async fn sealed(&self) -> Result<(), Error> {
        sealed(&self.gateway).await
    }
}

/// A file for the gateway's eyes only.
fn secret(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}
