//! E-mails by SMTP (RFC 5321), signed and encrypted by S/MIME (RFC 8551) where keys are configured.
//!
//! A mail server cannot be asked whether it has an e-mail: once the content was begun and no answer came, a human decides. The Message-ID
//! names the delivery, so whoever sends it again after all sends the same e-mail to those who look for duplicates. What the server refused
//! before the content, and an answer to the content, are certain.

mod compose;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use lettre::Address;
use model::activity::{DispatchStatus, Notice};
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Receipt, Sources};
use model::{Clock, Failure, ids};
use tokio::time::timeout;

use super::settings;
use super::{MAIL, descriptor, dispatch_of, order, receipt, rejected, uncertain, undecided};
use crate::our_ids::message_id;

pub(super) struct Mail {
    descriptor: Descriptor,
    settings: settings::Mail,
    from: Address,
    clock: Arc<dyn Clock>,
}

impl Mail {
    pub(super) fn new(settings: settings::Mail, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let unusable = |detail| Failure::permanent("post.mail-sender", detail);
        let from = settings.from.parse().map_err(|_| unusable("the sender's address is none"))?;
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if settings.domain.is_empty() || !settings.domain.bytes().all(is_domain) {
            return Err(unusable("the domain is none"));
        }
        let capabilities = vec![Capability::Deliver, Capability::Reconcile];
        let descriptor = descriptor(&settings.id, MAIL, capabilities);
        Ok(Mail { descriptor, settings, from, clock })
    }
}

/// Sends texts of the house's own, such as alerts, to addresses that the house names. They hold nothing of a case.
pub struct Teller(Mail);

impl Teller {
    /// # Errors
    /// As for e-mails of cases.
    pub(super) fn new(settings: settings::Mail, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        // Whoever runs the gateway need not have a certificate to hear that it is in trouble.
        Ok(Teller(Mail::new(settings::Mail { only_encrypted: false, ..settings }, clock)?))
    }

    /// Sends a text to one address.
    ///
    /// # Errors
    /// `post.no-address`, or what the mail server says.
    pub async fn tell(&self, to: &str, subject: &str, text: &str) -> Result<(), Failure> {
        let Mail { settings, from, clock, .. } = &self.0;
        let to: Address = to.parse().map_err(|_| rejected("post.no-address", "the address is none"))?;
        let id = message_id(ids::new_id(), ids::new_id(), &settings.domain);
        let notice = Notice { subject: subject.to_owned(), text: text.to_owned(), link: None };
        let at = clock.now();
        let letter = compose::Letter { to: &to, from, id: &id, reference: None, notice: Some(&notice), at };
        let bytes = compose::compose(settings, &letter, vec![])?;
        let sent = timeout(settings.within, async {
            let mut line = wire::open(settings).await?;
            line.address(from, &to).await?;
            line.content(&bytes).await?;
            line.close().await;
            Ok(())
        });
        let late = |_| Failure::transient("post.smtp-unreachable", "the mail server does not answer in time");
        sent.await.map_err(late)?
    }
}

#[async_trait]
impl Adapter for Mail {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let Some(order) = order(delivery, MAIL)? else { return Ok(Receipt::nothing()) };
        let no_address = || rejected("post.no-address", "the addressee has no address of e-mail");
        let to: Address =
            order.to.email.as_deref().ok_or_else(no_address)?.parse().map_err(|_| no_address())?;
        let id = message_id(order.delivery, order.dispatch.meta.id, &self.settings.domain);
        let files = delivery.about.as_deref().map(|about| about.files.as_slice()).unwrap_or_default();
        let letter = compose::Letter {
            to: &to,
            from: &self.from,
            id: &id,
            reference: order.reference,
            notice: order.dispatch.notice.as_ref(),
            at: self.clock.now(),
        };
        let attachments = compose::attachments(files, sources, self.settings.most_bytes).await?;
        let bytes = compose::compose(&self.settings, &letter, attachments)?;
        let unanswered =
            || Failure::transient("post.smtp-unreachable", "the mail server does not answer in time");
        let mut line =
            timeout(self.settings.within, wire::open(&self.settings)).await.map_err(|_| unanswered())??;
        timeout(self.settings.within, line.address(&self.from, &to)).await.map_err(|_| unanswered())??;
        let sent = timeout(self.settings.within, line.content(&bytes)).await;
        sent.map_err(|_| uncertain("post.smtp-unclear", "the mail server did not answer to the content"))??;
        line.close().await;
        let at = letter.at;
        Ok(receipt(order.dispatch.meta.id, id, DispatchStatus::Posted, at))
    }

    /// A mail server cannot be asked; but nothing was ever sent of what is not carried here, or by somebody else.
    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        match dispatch_of(delivery, MAIL) {
            Some(dispatch) if dispatch.status == DispatchStatus::Open => {
                Err(undecided("post.smtp-unclear", "nobody knows whether the mail server took the e-mail"))
            }
            _ => Ok(Some(Receipt::nothing())),
        }
    }

    async fn check(&self) -> Health {
        let tried = timeout(self.settings.within, wire::open(&self.settings)).await;
        match tried {
            Ok(Ok(line)) => {
                line.close().await;
                Health { ok: true, detail: "the mail server lets us in".into() }
            }
            Ok(Err(failure)) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
            Err(_) => Health { ok: false, detail: "the mail server does not answer in time".into() },
        }
    }
}
