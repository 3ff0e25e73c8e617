//! The mailbox of an authority as its systems use it: lease, fetch, confirm or return. Only what was
//! confirmed is delivered.

use std::time::Duration;

use model::rights::Action;
use model::{Authority, Caller, EventKind, Id, Message, MessageState};
use store::{InboxEntry, InboxFilter, InboxState, Listed, Page, Work};

use crate::process::with_finding;
use crate::{Broker, Error, notes};

/// An entry of the mailbox with its message.
#[derive(Debug, Clone)]
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

    /// Hands entries out to the caller for a time; nobody else gets them until it has run out.
    ///
    /// # Errors
    /// If the caller has no mailbox.
    pub async fn lease(
        &self,
        caller: &Caller,
        filter: &InboxFilter,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<InboxItem>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        let authority = mailbox(caller)?;
        let holder = &caller.actor.id;
        let entries = self.store().lease_inbox(scope, &authority, filter, holder, lease, limit).await?;
        self.with_messages(caller, entries).await
    }

    /// Confirms an entry: the caller has it durably. Confirming again changes nothing.
    ///
    /// # Errors
    /// `NotLeased` if the entry is not the caller's (any more).
    pub async fn confirm(&self, caller: &Caller, id: Id) -> Result<InboxItem, Error> {
        let item = self.leased(caller, id).await?;
        if item.entry.state == InboxState::Confirmed {
            return Ok(item);
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
        self.confirm_sender(&mut work, &message).await?;
        self.commit_inbox(work).await?;
        Ok(InboxItem { entry: InboxEntry { state: InboxState::Confirmed, ..item.entry }, message })
    }

    /// Sends an entry back to its sender, with a rule that says why.
    ///
    /// # Errors
    /// `NotLeased` if the entry is not the caller's (any more).
    pub async fn give_back(&self, caller: &Caller, id: Id, rule: &str) -> Result<InboxItem, Error> {
        if !model::ids::is_name(rule) {
            return Err(model::Error::Invalid { field: "rule" }.into());
        }
        let item = self.leased(caller, id).await?;
        if item.entry.state == InboxState::Returned {
            return Ok(item);
        }
        let mut message = item.message;
        if message.state != MessageState::Processed {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        message.report = Some(with_finding(message.report.take(), rule));
        let mut work = self.take_out(caller, &item.entry, InboxState::Returned);
        let message = self.returned(&mut work, message, &caller.actor).await?;
        self.commit_inbox(work).await?;
        Ok(InboxItem { entry: InboxEntry { state: InboxState::Returned, ..item.entry }, message })
    }

    /// Rows of a message that waits for its authority's systems, as long as its service allows.
    pub(crate) fn put_into_mailbox(&self, work: &mut Work, message: &Message) {
        let now = self.now();
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
        work.set_inbox_expiry(message.id, Some(now.plus(self.ttl(message))));
    }

    fn take_out(&self, caller: &Caller, entry: &InboxEntry, to: InboxState) -> Work {
        let mut work = Work::new();
        let holder = Some(caller.actor.id.as_str());
        work.set_inbox(&entry.tenant, entry.id, &[InboxState::HandedOut], to, holder);
        work
    }

    async fn commit_inbox(&self, work: Work) -> Result<(), Error> {
        match self.store().commit(work).await.map_err(Error::from) {
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
