//! E-mails out of an IMAP mailbox: read in sessions, verified and decrypted (S/MIME), taken in as letters with the original.
//!
//! | module | does |
//! |---|---|
//! | `imap` | the mailbox |
//! | `tries` | which e-mail is next, and which was tried in vain |
//! | `entity` | parts of an e-mail, within limits |
//! | `secure` | signatures and encryption |
//! | `nature` | letters, automatic e-mails, reports of failure |
//! | `read` | text, attachments, references |
//! | `letter` | what the broker is given |
//!
//! The name of an e-mail is UIDVALIDITY and UID (RFC 3501, section 2.3.1.1) with its digest: UIDs come again where a server is restored or
//! another is asked, and what came under them before is another e-mail. It is moved away only after it was taken in, so that a crash in between
//! takes it in once more under the same key: one letter. The server marks nothing as read. Whatever cannot be taken in as a letter with
//! everything in it is taken in with the original alone, and what cannot be fetched with its header; nothing is thrown away, and no e-mail
//! keeps those behind it waiting.

mod entity;
mod imap;
mod letter;
mod nature;
mod read;
mod secure;
mod settings;
mod tries;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Descriptor, Health, Host};
use model::{Failure, FailureKind, Timestamp};

pub use settings::Settings;

use imap::{Mailbox, Waiting};
use letter::Told;
use nature::Nature;
use tries::{Next, Tries};

/// A session begins no further e-mail after this time.
const SESSION: Duration = Duration::from_secs(90);

/// The mailbox as an adapter.
pub fn adapter(settings: Settings) -> Arc<dyn Adapter> {
    let descriptor = Descriptor::new(settings.id.clone(), "post", vec![Capability::Run]);
    Arc::new(Mail { descriptor, settings: Arc::new(settings) })
}

struct Mail {
    descriptor: Descriptor,
    settings: Arc<Settings>,
}

#[async_trait]
impl Adapter for Mail {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let mut mailbox = Mailbox::open(&self.settings).await?;
        let waiting = mailbox.waiting().await?;
        let mut tries = Tries::load(&*host, mailbox.validity).await?;
        let (mut looked_at, mut left) = (0, None);
        for uid in tries::order(&waiting, tries.after).into_iter().take(self.settings.at_once) {
            if begun.elapsed() > SESSION {
                break;
            }
            looked_at += 1;
            let next = tries.begin(&*host, uid, &waiting).await?;
            if let Some(failure) = self.one(&mut mailbox, &*host, &mut tries, (uid, next)).await? {
                let code = &*failure.code;
                tracing::warn!(adapter = self.settings.id, uid, code, "an e-mail is left where it is");
                left.get_or_insert(failure);
            }
        }
        tries.save(&*host).await?;
        mailbox.close().await;
        match left {
            Some(failure) => Err(failure),
            None if looked_at < waiting.len() => Ok(Duration::from_secs(1)),
            None => Ok(self.settings.pause),
        }
    }

    async fn check(&self) -> Health {
        match Mailbox::open(&self.settings).await {
            Ok(mailbox) => {
                mailbox.close().await;
                Health { ok: true, detail: "the mailbox can be opened".into() }
            }
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

impl Mail {
    /// Takes one e-mail in, and moves it away; why it is left where it is. A failure ends the session: what stands on the line then is
    /// anybody's guess, and the next session goes on behind this e-mail.
    async fn one(
        &self,
        mailbox: &mut Mailbox,
        host: &dyn Host,
        tries: &mut Tries,
        (uid, next): (u32, Next),
    ) -> Result<Option<Failure>, Failure> {
        let taken = match next {
            Next::Whole => self.take(mailbox, host, uid).await,
            Next::HeaderAlone => self.take_header(mailbox, host, uid).await,
            Next::Leave => return Ok(Some(imap::unusable("an e-mail was tried in vain several times"))),
        };
        // What the host cannot do at present is not because of the e-mail.
        let is_passing = |failure: &Failure| {
            may_pass(failure) && !matches!(&*failure.code, "post.mail-unreachable" | "post.mail-garbage")
        };
        if taken.as_ref().err().is_none_or(is_passing) {
            tries.end(uid);
        }
        let moved = match taken {
            Ok(Some(folder)) => mailbox.put(uid, folder).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        match moved {
            Ok(()) => Ok(None),
            Err(failure) if &*failure.code == "post.mail-folder" => Ok(Some(failure)),
            Err(failure) => {
                tries.save(host).await?;
                Err(failure)
            }
        }
    }

    /// Takes one e-mail in; the folder that it is moved into then, if it is there.
    async fn take(&self, mailbox: &mut Mailbox, host: &dyn Host, uid: u32) -> Result<Option<&str>, Failure> {
        let Some(about) = mailbox.about(uid).await? else { return Ok(None) };
        if about.size > self.settings.most_bytes {
            return self.put_aside(mailbox, host, uid, &about, "post.mail-too-large").await;
        }
        let raw: Arc<[u8]> = mailbox.raw(uid, self.settings.most_bytes).await?.into();
        let date = about.date.unwrap_or_else(|| host.now());
        let (settings, bytes) = (Arc::clone(&self.settings), Arc::clone(&raw));
        let read = tokio::task::spawn_blocking(move || read::read(&bytes, &settings, date)).await;
        // Whatever the parser stumbles over is kept as it came.
        let mut reading = read.unwrap_or_else(|_| read::original(&raw));
        let key = format!("mail:{}:{uid}:{}", mailbox.validity, seal::sha256(&[&raw]));
        let told = match &reading.nature {
            Nature::Report(report) => Some(letter::reported(host, &key, report).await?),
            Nature::Letter | Nature::Automatic => None,
        };
        match told {
            Some(Told::Failed) => reading.concerns.push("post.mail-undelivered"),
            Some(Told::Nothing) => reading.concerns.push("post.mail-bounce"),
            Some(Told::Noted) | None => {}
        }
        if told != Some(Told::Noted) {
            letter::take_in(host, &key, date, reading, raw).await?;
        }
        Ok(Some(&self.settings.done))
    }

    /// Takes the header alone of what could not be fetched in several tries.
    async fn take_header(
        &self,
        mailbox: &mut Mailbox,
        host: &dyn Host,
        uid: u32,
    ) -> Result<Option<&str>, Failure> {
        let Some(about) = mailbox.about(uid).await? else { return Ok(None) };
        self.put_aside(mailbox, host, uid, &about, "post.mail-not-fetched").await
    }

    async fn put_aside(
        &self,
        mailbox: &mut Mailbox,
        host: &dyn Host,
        uid: u32,
        about: &Waiting,
        rule: &'static str,
    ) -> Result<Option<&str>, Failure> {
        let header = mailbox.header(uid).await?;
        let stamp = format!("{}:{:?}:", about.size, about.date.map(Timestamp::micros));
        let digest = seal::sha256(&[stamp.as_bytes(), &header]);
        let key = format!("mail:{}:{uid}:{digest}", mailbox.validity);
        let date = about.date.unwrap_or_else(|| host.now());
        letter::header_alone(host, &key, date, header, rule).await?;
        Ok(Some(&self.settings.aside))
    }
}

/// Whether trying again may help.
fn may_pass(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain)
}
