//! A mailbox by IMAP4rev1 (RFC 3501, with UIDPLUS of RFC 4315 and MOVE of RFC 6851 where they are offered).
//!
//! With STARTTLS (RFC 3501, section 6.2.1) nothing is read beyond the answer to it and nothing of what was said before TLS is believed: the line
//! is given to the library once it is encrypted.
//!
//! Each question has a time, and an allowance of bytes for its answer. What the server says is never repeated in a failure.

use std::time::Duration;

use async_imap::Session;
use async_imap::error::Error as ImapError;
use async_imap::types::Fetch;
use futures::TryStreamExt;
use model::{Failure, FailureKind, Timestamp};
use net::line::{Allowance, Line, Security, Server};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::Settings;

/// Bytes of an answer beside what was asked for.
const SMALL: u64 = 256 * 1024;
/// Bytes of a list of all e-mails that wait: some hundred thousand.
const LIST: u64 = 4 << 20;
/// Bytes of a header that are fetched of what is too large.
const HEADER: u64 = 64 * 1024;

/// A mailbox that is open.
pub(super) struct Mailbox {
    session: Session<Line>,
    allowance: Allowance,
    within: Duration,
    /// With a UID the name of an e-mail, for as long as the mailbox stays the same (RFC 3501, section 2.3.1.1).
    pub(super) validity: u32,
    moves: bool,
    expunges_one: bool,
}

/// What is known of an e-mail before it is fetched.
pub(super) struct Waiting {
    /// Bytes, as the server says.
    pub(super) size: u64,
    /// When the server had it.
    pub(super) date: Option<Timestamp>,
}

impl Mailbox {
    /// Connects, logs in, and opens the folder; the other two are made if they are not there.
    pub(super) async fn open(settings: &Settings) -> Result<Mailbox, Failure> {
        let within = settings.within;
        let line = settings.server.connect(within).await.map_err(unreachable)?;
        let allowance = line.allowance();
        allowance.set(SMALL);
        let client = match settings.server.security {
            Security::Later => async_imap::Client::new(encrypted(line, &settings.server, within).await?),
            Security::Tls | Security::Plain => {
                let mut client = async_imap::Client::new(line);
                match timeout(within, client.read_response()).await {
                    Ok(Ok(Some(_))) => client,
                    _ => return Err(silent()),
                }
            }
        };
        let login = client.login(&settings.user, settings.password.as_str());
        let session = timeout(within, login).await.map_err(|_| silent())?;
        let mut session = session.map_err(|(error, _)| refused_login(&error))?;
        allowance.set(SMALL);
        let can = timeout(within, session.capabilities()).await.map_err(|_| silent())?.map_err(failed)?;
        let (moves, expunges_one) = (can.has_str("MOVE"), can.has_str("UIDPLUS"));
        for folder in [&settings.done, &settings.aside] {
            allowance.set(SMALL);
            // A folder that is there already cannot be made: both is well, and moving into it shows which.
            match timeout(within, session.create(folder)).await.map_err(|_| silent())? {
                Ok(()) | Err(ImapError::No(_)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        allowance.set(SMALL);
        let chosen = timeout(within, session.select(&settings.folder)).await.map_err(|_| silent())?;
        let chosen = chosen.map_err(|error| match error {
            ImapError::No(_) => folder("the folder cannot be opened"),
            error => failed(error),
        })?;
        let validity = chosen.uid_validity.ok_or_else(|| unusable("the folder has no UIDVALIDITY"))?;
        Ok(Mailbox { session, allowance, within, validity, moves, expunges_one })
    }

    /// UIDs of the e-mails that wait, the oldest first.
    pub(super) async fn waiting(&mut self) -> Result<Vec<u32>, Failure> {
        self.allowance.set(LIST);
        let found = timeout(self.within, self.session.uid_search("UNDELETED")).await;
        let mut found: Vec<u32> = found.map_err(|_| silent())?.map_err(failed)?.into_iter().collect();
        found.sort_unstable();
        Ok(found)
    }

    /// What is known of an e-mail; `None` if it is gone.
    pub(super) async fn about(&mut self, uid: u32) -> Result<Option<Waiting>, Failure> {
        let found = self.fetch(uid, "(UID RFC822.SIZE INTERNALDATE)", SMALL).await?;
        let Some(found) = found else { return Ok(None) };
        let size = found.size.ok_or_else(|| unusable("an e-mail has no size"))?;
        let date = found.internal_date().map(|date| Timestamp::from_micros(date.timestamp_micros()));
        Ok(Some(Waiting { size: size.into(), date }))
    }

    /// The whole e-mail, at most `most` bytes; the server does not take it for read.
    pub(super) async fn raw(&mut self, uid: u32, most: u64) -> Result<Vec<u8>, Failure> {
        let found = self.fetch(uid, "(UID BODY.PEEK[])", most + SMALL).await?;
        found.and_then(|it| it.body().map(<[u8]>::to_vec)).ok_or_else(not_given)
    }

    /// The beginning of an e-mail's header.
    pub(super) async fn header(&mut self, uid: u32) -> Result<Vec<u8>, Failure> {
        let found = self.fetch(uid, &format!("(UID BODY.PEEK[HEADER]<0.{HEADER}>)"), HEADER + SMALL).await?;
        found.and_then(|it| it.header().or(it.body()).map(<[u8]>::to_vec)).ok_or_else(not_given)
    }

    async fn fetch(&mut self, uid: u32, what: &str, most: u64) -> Result<Option<Fetch>, Failure> {
        self.allowance.set(most);
        let asked = async {
            let mut answers = self.session.uid_fetch(uid.to_string(), what).await?;
            let mut found = None;
            // Others may stand between: the server tells of changed flags whenever it likes.
            while let Some(answer) = answers.try_next().await? {
                if answer.uid == Some(uid)
                    && (answer.size.is_some() || answer.body().is_some() || answer.header().is_some())
                {
                    found = Some(answer);
                }
            }
            drop(answers);
            if found.is_none() {
                // To the library, a line that broke is the end of the answers.
                self.session.noop().await?;
            }
            Ok(found)
        };
        timeout(self.within, asked).await.map_err(|_| silent())?.map_err(failed)
    }

    /// Moves an e-mail into another folder. Interrupted, it may stand in both, and is moved again.
    pub(super) async fn put(&mut self, uid: u32, into: &str) -> Result<(), Failure> {
        self.allowance.set(SMALL);
        let name = uid.to_string();
        let moved = async {
            if self.moves {
                return self.session.uid_mv(&name, into).await;
            }
            self.session.uid_copy(&name, into).await?;
            let flags = self.session.uid_store(&name, "+FLAGS.SILENT (\\Deleted \\Seen)").await?;
            flags.try_for_each(|_| async { Ok(()) }).await?;
            // Without UIDPLUS, everything that anybody has marked would go: then it stays, marked.
            if self.expunges_one {
                let gone = self.session.uid_expunge(&name).await?;
                gone.try_for_each(|_| async { Ok(()) }).await?;
            }
            Ok(())
        };
        match timeout(self.within, moved).await.map_err(|_| silent())? {
            Err(ImapError::No(_)) => Err(folder("an e-mail cannot be moved into the folder")),
            moved => moved.map_err(failed),
        }
    }

    /// Says goodbye; nothing depends on it.
    pub(super) async fn close(mut self) {
        self.allowance.set(SMALL);
        drop(timeout(Duration::from_secs(5), self.session.logout()).await);
    }
}

/// Lines that a server may say before it answers to STARTTLS.
const MOST_SAID: usize = 20;

/// The line after STARTTLS, which the server has to agree to: without TLS nothing is said to it.
async fn encrypted(mut line: Line, server: &Server, within: Duration) -> Result<Line, Failure> {
    let broken = |_| silent();
    let agreed = async {
        // Whoever greets with PREAUTH could not be asked for TLS any more.
        let mut agrees = line.said().await?.to_ascii_uppercase().starts_with(b"* OK");
        if agrees {
            line.write_all(b"T1 STARTTLS\r\n").await?;
            line.flush().await?;
            let mut said = line.said().await?;
            for _ in 0..MOST_SAID {
                if !said.starts_with(b"* ") {
                    break;
                }
                said = line.said().await?;
            }
            agrees = said.to_ascii_uppercase().starts_with(b"T1 OK");
        }
        Ok::<_, std::io::Error>(agrees)
    };
    if !timeout(within, agreed).await.map_err(|_| silent())?.map_err(broken)? {
        return Err(Failure::permanent("post.mail-no-tls", "the mail server does not begin TLS"));
    }
    line.encrypted(server, within).await.map_err(unreachable)
}

fn unreachable(error: net::Error) -> Failure {
    match error.kind() {
        FailureKind::Permanent => error.into(),
        _ => Failure::transient("post.mail-unreachable", error.to_string()),
    }
}

fn silent() -> Failure {
    Failure::transient("post.mail-unreachable", "the mail server does not answer in time")
}

pub(super) fn unusable(detail: &str) -> Failure {
    Failure::transient("post.mail-garbage", detail)
}

fn not_given() -> Failure {
    unusable("the mail server does not give an e-mail that it has told of")
}

fn folder(detail: &str) -> Failure {
    Failure::permanent("post.mail-folder", detail)
}

/// A server that cannot look the password up at present says so (RFC 5530).
fn refused_login(error: &ImapError) -> Failure {
    match error {
        ImapError::No(told) if told.to_ascii_uppercase().contains("UNAVAILABLE") => Failure::transient(
            "post.mail-unreachable",
            "the mail server cannot check the password at present",
        ),
        ImapError::No(_) | ImapError::Bad(_) | ImapError::Validate(_) => Failure::new(
            FailureKind::Unauthorised,
            "post.mail-login",
            "the mail server refuses user name or password",
        ),
        _ => unusable("the mail server's answer to the login cannot be understood"),
    }
}

fn failed(error: ImapError) -> Failure {
    match error {
        ImapError::Io(_) | ImapError::ConnectionLost => Failure::transient(
            "post.mail-unreachable",
            "the line to the mail server broke, or more came than was asked for",
        ),
        ImapError::No(_) | ImapError::Bad(_) => unusable("the mail server refuses a command"),
        _ => unusable("the mail server's answer cannot be understood"),
    }
}
