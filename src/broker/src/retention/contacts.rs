//! Contacts that need no case (advertising, a wrong number): a time after somebody said so they are emptied, with the documents that came
//! with them. No archive is asked, since they never were in a file; a hold keeps them as it keeps everything.

use model::activity::InteractionStatus;
use model::command::{Change, emptied};
use model::{Actor, Id, PayloadRef, Record, RecordKind, Scope};
use store::{Page, RecordFilter, Work};

use super::look::{Cursor, SLICE, Slice};
use super::{HELD, RetentionDue, UNDER_WAY};
use crate::exchange::check_settled;
use crate::{Broker, Error};

/// Kind of the lines that tell of them.
pub(super) const KIND: &str = "contact";

impl Broker {
    pub(super) async fn look_at_contacts(
        &self,
        scope: &Scope,
        at: &Cursor,
        days: u32,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let status = Some(InteractionStatus::Dismissed.name().to_owned());
        let filter = RecordFilter { status, ..RecordFilter::of(RecordKind::Interaction) };
        let page = Page { after: at.after, limit: SLICE };
        let listed = self.store().records(scope, &filter, &page).await?;
        slice.go_on(at.stage, listed.items.last().map(|record| record.meta().id), listed.items.len());
        for record in listed.items.iter().filter(|record| self.is_over(record.meta().updated_at, days)) {
            self.look_at_contact(record, slice).await?;
        }
        Ok(())
    }

    async fn look_at_contact(&self, contact: &Record, slice: &mut Slice) -> Result<(), Error> {
        let meta = contact.meta();
        let whole = Scope::tenant(&meta.tenant);
        // Nothing is left of it, and so of its documents neither.
        if emptied(contact).as_ref() == Some(contact) && self.story(contact).await?.is_told {
            return Ok(());
        }
        let (documents, beside) = self.of_contact(&whole, contact).await?;
        let settled = beside.iter().chain([contact]).try_for_each(check_settled);
        let reason = match self.store().is_tree_held(&meta.tenant, meta.root).await? {
            true => Some(HELD),
            false => settled.is_err().then_some(UNDER_WAY),
        };
        if let Some(reason) = reason {
            slice.keeps(KIND, meta.id, reason, meta.updated_at);
            return Ok(());
        }
        let ids: Vec<Id> = documents.iter().flat_map(contents).map(|content| content.id).collect();
        let payloads = self.store().kept_payloads(&meta.tenant, &ids).await?;
        slice.due.push(RetentionDue {
            kind: KIND,
            subject: meta.id,
            unit: meta.unit.clone(),
            since: meta.updated_at,
            bytes: payloads.iter().map(|payload| payload.size).sum(),
            payloads,
            disposed: None,
        });
        Ok(())
    }

    /// The documents that still lie with a contact, and what belongs to it.
    async fn of_contact(&self, whole: &Scope, contact: &Record) -> Result<(Vec<Record>, Vec<Record>), Error> {
        let Record::Interaction(it) = contact else { return Err(Error::Internal) };
        let mut documents = vec![];
        for id in &it.documents {
            let found = self.store().record(whole, RecordKind::Document, *id).await?;
            let lies_here = |it: &Record| it.meta().root == contact.meta().root && it.status() != "destroyed";
            documents.extend(found.filter(lies_here));
        }
        Ok((documents, self.belongings(whole, contact.meta().id).await?))
    }

    /// Rows of the end of a contact: it is emptied, its documents are destroyed, and the events say no more what they said. Everything
    /// in one transaction, with which no hold may come in between. What is erased has to be in the chain before.
    pub(super) async fn empty_contact(&self, work: &mut Work, tenant: &str, id: Id) -> Result<(), Error> {
        let whole = Scope::tenant(tenant);
        let by = Actor::gateway();
        let contact = self.owned(&whole, RecordKind::Interaction, id).await?;
        let (documents, beside) = self.of_contact(&whole, &contact).await?;
        work.require_unheld(tenant, contact.meta().root);
        for record in documents.iter().chain(&beside).chain([&contact]) {
            check_settled(record)?;
            let story = self.story(record).await?;
            match record {
                Record::Document(_) => drop(self.apply(work, record, Change::Destroy, &by, None)?),
                _ if story.is_told => continue,
                _ => self.empty(work, record, &by)?,
            }
            for event in story.silenced {
                work.erase_event(tenant, event);
            }
            work.forget_answers(tenant, record.meta().id);
            work.forget_parked(tenant, record.meta().id);
        }
        Ok(())
    }
}

/// Bytes of a document.
fn contents(document: &Record) -> Vec<&PayloadRef> {
    let Record::Document(document) = document else { return vec![] };
    let files = document.versions.iter().flat_map(|version| &version.files);
    files.filter_map(|file| file.content.as_ref()).collect()
}
