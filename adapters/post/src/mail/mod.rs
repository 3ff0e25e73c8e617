//! E-mails out of an IMAP mailbox: read in sessions, verified and decrypted (S/MIME), taken in as letters with the original.
//!
//! | module | does |
//! |---|---|
//! | `imap` | the mailbox |
//! | `secure` | signatures and encryption |
//! | `nature` | letters, automatic e-mails, reports of failure |
//! | `read` | text, attachments, references |
//! | `letter` | what the broker is given |
//!
//! The name of an e-mail is UIDVALIDITY and UID (RFC 3501, section 2.3.1.1). It is moved away only after it was taken in, so that a crash in
//! between takes it in once more under the same key: one letter. The server marks nothing as read. Whatever cannot be taken in as a letter
//! with everything in it is taken in with the original alone; nothing is thrown away, and no e-mail keeps those behind it waiting.

mod imap;
mod letter;
mod nature;
mod read;
mod secure;
mod settings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Descriptor, Health, Host};
use model::{Failure, FailureKind};

pub use settings::Settings;

use imap::Mailbox;
use nature::Nature;

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
        let (mut taken, mut left) = (0, None);
        for uid in waiting.iter().take(self.settings.at_once) {
            if begun.elapsed() > SESSION {
                break;
            }
            match self.take(&mut mailbox, &*host, *uid).await {
                // The server will not give or move this one; those behind it need not wait for that.
                Err(failure) if matches!(&*failure.code, "post.mail-garbage" | "post.mail-folder") => {
                    tracing::warn!(
                        adapter = self.settings.id,
                        uid,
                        code = &*failure.code,
                        "an e-mail is left where it is"
                    );
                    left.get_or_insert(failure);
                }
                done => done?,
            }
            taken += 1;
        }
        mailbox.close().await;
        match left {
            Some(failure) => Err(failure),
            None if taken < waiting.len() => Ok(Duration::from_secs(1)),
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
    /// Takes one e-mail in, and moves it away.
    async fn take(&self, mailbox: &mut Mailbox, host: &dyn Host, uid: u32) -> Result<(), Failure> {
        let Some(about) = mailbox.about(uid).await? else { return Ok(()) };
        let key = format!("mail:{}:{uid}", mailbox.validity);
        let date = about.date.unwrap_or_else(|| host.now());
        if about.size > self.settings.most_bytes {
            let Some(header) = mailbox.header(uid).await? else { return Ok(()) };
            letter::too_large(host, &key, date, header).await?;
            return mailbox.put(uid, &self.settings.aside).await;
        }
        let Some(raw) = mailbox.raw(uid, self.settings.most_bytes).await? else { return Ok(()) };
        let raw: Arc<[u8]> = raw.into();
        let (settings, bytes) = (Arc::clone(&self.settings), Arc::clone(&raw));
        let read = tokio::task::spawn_blocking(move || read::read(&bytes, &settings, date)).await;
        // Whatever the parser stumbles over is kept as it came.
        let reading = read.unwrap_or_else(|_| read::original(&raw));
        match &reading.nature {
            Nature::Ours => {
                tracing::info!(adapter = self.settings.id, uid, "an e-mail of ours came back round");
                return mailbox.put(uid, &self.settings.aside).await;
            }
            Nature::Report(report) if letter::reported(host, &key, report).await? => {}
            _ => letter::take_in(host, &key, date, reading, raw).await?,
        }
        mailbox.put(uid, &self.settings.done).await
    }
}

/// Whether trying again may help.
fn may_pass(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain)
}
