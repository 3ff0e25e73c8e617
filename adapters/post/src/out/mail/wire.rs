//! A line to a mail server: what is said on it, and what it means that something fails. Nothing that the server says is repeated but its code.
//!
//! STARTTLS (RFC 3207) is spoken here and not by the library, which keeps what it has read before TLS and takes it for what is said within:
//! nothing is read beyond the answer to it, and the library is given the line once it is encrypted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use model::{Failure, FailureKind};
use net::line::{Line, Security};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::super::{rejected, settings, uncertain};

/// Bytes that a server may say in one conversation.
const SAID: u64 = 256 * 1024;
/// Lines of an answer.
const MOST_LINES: usize = 100;
/// After STARTTLS nobody greets again, and the library wants to be greeted.
const GREETING: &[u8] = b"220 TLS\r\n";

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
    let stream = match settings.server.security {
        Security::Later => Stream { line: encrypted(line, settings).await?, greeting: GREETING },
        Security::Tls | Security::Plain => Stream { line, greeting: b"" },
    };
    let opened = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
    let mut connection = opened.map_err(unsent)?;
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

/// The line after STARTTLS.
async fn encrypted(mut line: Line, settings: &settings::Mail) -> Result<Line, Failure> {
    let hello = format!("EHLO {}\r\n", settings.domain);
    let agreed = async {
        answer(&mut line, b"220", b"").await?;
        line.write_all(hello.as_bytes()).await?;
        if !answer(&mut line, b"250", b"STARTTLS").await? {
            return Ok(false);
        }
        line.write_all(b"STARTTLS\r\n").await?;
        answer(&mut line, b"220", b"").await
    };
    let broken = |_| Failure::transient("post.smtp-unreachable", "the line broke before TLS began");
    if !agreed.await.map_err(broken)? {
        return Err(Failure::permanent("post.smtp-refused", "the mail server offers no TLS"));
    }
    let made = line.encrypted(&settings.server, settings.within).await;
    made.map_err(|error| Failure::transient("post.smtp-unreachable", error.to_string()))
}

/// Reads an answer of one or more lines (RFC 5321, section 4.2.1): whether one of them has this word, if it has this code at all.
async fn answer(line: &mut Line, code: &[u8], word: &[u8]) -> io::Result<bool> {
    let mut has_word = word.is_empty();
    for _ in 0..MOST_LINES {
        let said = line.said().await?;
        let Some(rest) = said.strip_prefix(code) else { return Err(io::ErrorKind::InvalidData.into()) };
        has_word |= rest.get(1..).unwrap_or_default().trim_ascii().eq_ignore_ascii_case(word);
        if rest.first() != Some(&b'-') {
            return Ok(has_word);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
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
struct Stream {
    line: Line,
    /// What is read before anything that comes.
    greeting: &'static [u8],
}

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.line.peer())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (first, rest) = self.greeting.split_at(buffer.remaining().min(self.greeting.len()));
            buffer.put_slice(first);
            self.greeting = rest;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.line).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(context)
    }
}
