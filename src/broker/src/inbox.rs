//! The mailbox of an authority as its systems use it: lease, fetch, confirm or return. Only what was
//! confirmed is delivered.

use std::time::Duration;

use model::rights::Action;
use model::{Authority, Caller, EventKind, Id, Message, MessageState};
use serde::{Deserialize, Serialize};
use store::{InboxEntry, InboxFilter, InboxState, Lease, LeaseKey, Listed, Page, Work};

use crate::process::with_finding;
use crate::{Broker, Error, Once, notes, once};

/// An entry of the mailbox with its message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InboxItem {
    /// The entry.
    pub entry: InboxEntry,
    /// What it holds.
    pub message: Message,
}

impl Broker {
    /// What waits in the mailbox of the caller's authority.
    ///
    /// # Errors
    /// If the caller has no mailbox.
    pub async fn inbox(
        &self,
        caller: &Caller,
        filter: &InboxFilter,
        page: &Page,
    ) -> Result<Listed<InboxItem>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        let filter = InboxFilter { authority: Some(mailbox(caller)?), ..filter.clone() };
        let listed = self.store().inbox(scope, &filter, page).await?;
        Ok(Listed { items: self.with_messages(caller, listed.items).await?, next: listed.next })
    }

    /// Hands entries out to the caller for a time; nobody else gets them until it has run out. The same `once`
    /// again gets the same entries, as they were handed out, each with its message as it is now; a request that
    /// found nothing may find something under the same key later.
    ///
    /// # Errors
    /// If the caller has no mailbox.
    pub async fn lease(
        &self,
        caller: &Caller,
        filter: &InboxFilter,
        lease: Duration,
        limit: u32,
        once: Option<&Once>,
    ) -> Result<Vec<InboxItem>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        let (authority, space, request) = (&mailbox(caller)?, &Once::space(caller), once);
        let entries = self
            .once(caller, request, move || async move {
                let once = request.map(|Once { key, digest, .. }| LeaseKey { space, key, digest });
                let holder = &caller.actor.id;
                let lease = Lease { authority, filter, holder, duration: lease, limit, once };
                let entries = self.store().lease_inbox(scope, &lease).await?;
                // Nothing may be left because the same request has just taken it.
                if entries.is_empty()
                    && let Some(first) = self.answered(caller, request).await?
                {
                    return once::read(first);
                }
                Ok(entries)
            })
            .await?;
        self.with_messages(caller, entries).await
    }

    /// Confirms an entry: the caller has it durably. Confirming again changes nothing.
    ///
    /// # Errors
    /// `NotLeased` if the entry is not the caller's (any more).
    pub async fn confirm(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<InboxItem, Error> {
        caller.may(Action::UseInbox)?;
        self.once(caller, once, move || self.try_confirm_entry(caller, id, once)).await
    }

    async fn try_confirm_entry(
        &self,
        caller: &Caller,
        id: Id,
        once: Option<&Once>,
    ) -> Result<InboxItem, Error> {
        let item = self.leased(caller, id).await?;
        if item.entry.state == InboxState::Confirmed {
            return self.commit_inbox(caller, once, Work::new(), item).await;
        }
        let mut message = item.message;
        let before = message.state;
        if before != MessageState::Processed {
            return Err(model::Error::WrongState { state: before.name() }.into());
        }
        message.state = MessageState::Confirmed;
        message.updated_at = self.now();
        let mut work = self.take_out(caller, &item.entry, InboxState::Confirmed);
        work.update_message(&message, before);
        let kind = EventKind::MessageConfirmed;
        work.insert_event(&notes::of_message(kind, &message, &caller.actor, message.updated_at));
        self.open_facts(&mut work, &message, &caller.actor).await?;
        self.confirm_sender(&mut work, &message).await?;
        let entry = InboxEntry { state: InboxState::Confirmed, lease_until: None, ..item.entry };
        self.commit_inbox(caller, once, work, InboxItem { entry, message }).await
    }

    /// Sends an entry back to its sender, with a rule that says why.
    ///
    /// # Errors
    /// `NotLeased` if the entry is not the caller's (any more).
    pub async fn give_back(
        &self,
        caller: &Caller,
        id: Id,
        rule: &str,
        once: Option<&Once>,
    ) -> Result<InboxItem, Error> {
        caller.may(Action::UseInbox)?;
        if !model::ids::is_name(rule) {
            return Err(model::Error::Invalid { field: "rule" }.into());
        }
        self.once(caller, once, move || self.try_give_back(caller, id, rule, once)).await
    }

    async fn try_give_back(
        &self,
        caller: &Caller,
        id: Id,
        rule: &str,
        once: Option<&Once>,
    ) -> Result<InboxItem, Error> {
        let item = self.leased(caller, id).await?;
        if item.entry.state == InboxState::Returned {
            return self.commit_inbox(caller, once, Work::new(), item).await;
        }
        let mut message = item.message;
        if message.state != MessageState::Processed {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        message.report = Some(with_finding(message.report.take(), rule));
        let mut work = self.take_out(caller, &item.entry, InboxState::Returned);
        self.reject(&mut work, &message).await?;
        let message = self.returned(&mut work, message, &caller.actor, None).await?;
        let entry = InboxEntry { state: InboxState::Returned, lease_until: None, ..item.entry };
        self.commit_inbox(caller, once, work, InboxItem { entry, message }).await
    }

    /// Rows of a message that waits for its authority's systems, as long as its service and its author allow.
    pub(crate) async fn put_into_mailbox(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        let now = self.now();
        let carried = self.carried(&message.tenant, message.id).await?.unwrap_or_default();
        work.insert_inbox(&InboxEntry {
            id: message.id,
            tenant: message.tenant.clone(),
            authority: message.authority.clone(),
            unit: message.unit.clone(),
            public_service: message.public_service.clone(),
            message_id: message.id,
            state: InboxState::Available,
            lease_until: None,
            holder: None,
            created_at: now,
        });
        work.set_inbox_expiry(message.id, Some(carried.ends(now.plus(self.ttl(message)))));
        Ok(())
    }

    fn take_out(&self, caller: &Caller, entry: &InboxEntry, to: InboxState) -> Work {
        let mut work = Work::new();
        let holder = Some(caller.actor.id.as_str());
        work.set_inbox(&entry.tenant, entry.id, &[InboxState::HandedOut], to, holder);
        work
    }

    async fn commit_inbox(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        work: Work,
        item: InboxItem,
    ) -> Result<InboxItem, Error> {
        match self.commit_answer(caller, once, work, item.entry.id, item).await {
            Err(error) if error.is_conflict("inbox entry") => Err(Error::NotLeased),
            outcome => outcome,
        }
    }

    /// An entry that the caller holds, or has already ended.
    async fn leased(&self, caller: &Caller, id: Id) -> Result<InboxItem, Error> {
        let scope = caller.may(Action::UseInbox)?;
        let not_found = || Error::from(model::Error::NotFound { kind: "inbox entry" });
        let entry = self.store().inbox_entry(scope, id).await?.ok_or_else(not_found)?;
        if entry.authority != mailbox(caller)? {
            return Err(not_found());
        }
        let held = entry.holder.as_deref() == Some(caller.actor.id.as_str());
        if !held || matches!(entry.state, InboxState::Available | InboxState::Expired) {
            return Err(Error::NotLeased);
        }
        let message = self.store().message(scope, entry.message_id).await?.ok_or_else(not_found)?;
        Ok(InboxItem { entry, message })
    }

    async fn with_messages(
        &self,
        caller: &Caller,
        entries: Vec<InboxEntry>,
    ) -> Result<Vec<InboxItem>, Error> {
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(message) = self.store().message(&caller.scope, entry.message_id).await? {
                items.push(InboxItem { entry, message });
            }
        }
        Ok(items)
    }
}

fn mailbox(caller: &Caller) -> Result<Authority, Error> {
    caller.authority.clone().ok_or(Error::NoAuthority)
}
