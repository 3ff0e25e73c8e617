//! A line to a mail server: what is said on it, and what it means that something fails. Nothing that the server says is repeated but its code.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use model::{Failure, FailureKind};
use net::line::{Line, Security};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::super::{rejected, settings, uncertain};

/// Bytes that a server may say in one conversation.
const SAID: u64 = 256 * 1024;

/// A mail server that has let us in.
pub(super) struct Wire(AsyncSmtpConnection);

/// Connects, makes TLS where it is agreed, and logs in.
pub(super) async fn open(settings: &settings::Mail) -> Result<Wire, Failure> {
    let line = settings.server.connect(settings.within).await.map_err(|error| match error.kind() {
        FailureKind::Permanent => error.into(),
        _ => Failure::transient("post.smtp-unreachable", error.to_string()),
    })?;
    line.allowance().set(SAID);
    let hello = ClientId::Domain(settings.domain.clone());
    let stream = Box::new(Stream(line));
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(unsent)?;
    if settings.server.security == Security::Later {
        if !connection.can_starttls() {
            let why = "the mail server offers no TLS";
            return Err(Failure::permanent("post.smtp-refused", why));
        }
        connection.starttls(tls(settings)?, &hello).await.map_err(unsent)?;
    }
    if let Some((user, password)) = &settings.login {
        let credentials = Credentials::new(user.clone(), password.to_string());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&mechanisms, &credentials).await.map_err(|error| {
            match error.is_permanent() || error.is_client() {
                true => Failure::new(
                    FailureKind::Unauthorised,
                    "post.smtp-login",
                    "the mail server refuses the login",
                ),
                false => unsent(error),
            }
        })?;
    }
    Ok(Wire(connection))
}

fn tls(settings: &settings::Mail) -> Result<TlsParameters, Failure> {
    let setup = |_| Failure::permanent("net.setup", "TLS cannot be set up");
    let mut builder = TlsParameters::builder(settings.server.host.clone());
    if let Some(trust) = &settings.server.trust {
        builder = builder.certificate_store(CertificateStore::None);
        for certificate in trust {
            builder = builder
                .add_root_certificate(Certificate::from_der(certificate.der().to_vec()).map_err(setup)?);
        }
    }
    builder.build().map_err(setup)
}

impl Wire {
    /// Names sender and recipient, and asks to send the content.
    pub(super) async fn address(&mut self, from: &Address, to: &Address) -> Result<(), Failure> {
        let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let mut parameters = vec![];
        if !is_plain(from) || !is_plain(to) {
            if !self.0.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(rejected("post.no-address", "the mail server cannot write to this address"));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.0.command(Mail::new(Some(from.clone()), parameters)).await.map_err(unsent)?;
        self.0.command(Rcpt::new(to.clone(), vec![])).await.map_err(unsent)?;
        self.0.command(Data).await.map_err(unsent)?;
        Ok(())
    }

    /// Sends the content.
    pub(super) async fn content(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self.0.message(bytes).await {
            Ok(_) => Ok(()),
            // An answer is an answer: it was not taken.
            Err(error) if error.status().is_some() => Err(unsent(error)),
            Err(_) => Err(uncertain("post.smtp-unclear", "the line broke before the content was answered")),
        }
    }

    /// Says goodbye; nothing depends on it.
    pub(super) async fn close(mut self) {
        drop(timeout(Duration::from_secs(2), self.0.quit()).await);
    }
}

/// What it means that the content was not taken.
fn unsent(error: Error) -> Failure {
    let told = error.status().map_or_else(String::new, |code| format!(" with {code}"));
    if error.is_permanent() {
        return rejected("post.smtp-refused", format!("the mail server refuses the e-mail{told}"));
    }
    if error.is_transient() {
        return Failure::transient(
            "post.smtp-busy",
            format!("the mail server asks to come back later{told}"),
        );
    }
    Failure::transient(
        "post.smtp-unreachable",
        "the line to the mail server broke, or its words cannot be understood",
    )
}

/// The line as the library wants it.
#[derive(Debug)]
struct Stream(Line);

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.peer())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
