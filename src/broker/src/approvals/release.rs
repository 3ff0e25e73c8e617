//! Contents that were released: whoever asked may read exactly one message or file until the time is over. Each reading is an event.

use model::approval::ApprovalState;
use model::rights::Action;
use model::{Caller, EventKind, Id, MessageState, PayloadRef, Record, RecordKind};
use serde_json::json;
use store::{Approval, Payload, Work};

use super::{Act, place_of, placed};
use crate::content::newest_file;
use crate::screen::is_harmful;
use crate::{Broker, Error};

/// A content that was released.
pub struct Released {
    /// Name of the file.
    pub name: String,
    /// Media type, as far as it is known.
    pub media_type: Option<String>,
    /// What it is.
    pub reference: PayloadRef,
    /// Its bytes.
    pub payload: Payload,
}

impl Broker {
    /// The content that was released by this approval, for the one who asked for it. That it was read is on record before a byte is given.
    ///
    /// # Errors
    /// `NotFound` if somebody else asked for it; `NotReleased` if nobody has agreed, or the time is over; `ContentUnavailable` if it
    /// is quarantined, erased or not built.
    pub async fn released_content(&self, caller: &Caller, id: Id) -> Result<Released, Error> {
        let found = self.store().approval(&caller.scope.tenant, id).await?;
        let own = found.filter(|approval| approval.asked_by == caller.actor);
        let approval = own.ok_or(model::Error::NotFound { kind: "approval" })?;
        let now = self.now();
        let is_valid = approval.valid_until.is_some_and(|end| now < end);
        if approval.state != ApprovalState::Agreed || !is_valid {
            return Err(Error::NotReleased);
        }
        let act: Act = serde_json::from_value(approval.detail.clone()).map_err(|_| Error::Internal)?;
        let (name, media_type, reference) = self.released(caller, act).await?;
        let payload = self.store().open_payload(&approval.tenant, reference.id).await?;
        self.note_reading(caller, &approval, &reference).await?;
        Ok(Released { name, media_type, reference, payload })
    }

    /// What the act names, as far as the caller still sees it.
    async fn released(
        &self,
        caller: &Caller,
        act: Act,
    ) -> Result<(String, Option<String>, PayloadRef), Error> {
        let scope = caller.may(Action::ReadMessages)?;
        match act {
            Act::ReleaseMessage { message, payload, .. } => {
                let found = self.store().message(scope, message).await?;
                let found = found.ok_or(model::Error::NotFound { kind: "message" })?;
                if found.state == MessageState::Returned || is_harmful(found.report.as_ref()) {
                    return Err(Error::ContentUnavailable);
                }
                let reference = found.payload.ok_or(Error::ContentUnavailable)?;
                if payload.is_some_and(|agreed| agreed != reference.id) {
                    return Err(Error::NotReleased);
                }
                Ok((found.file_name.unwrap_or_else(|| format!("{message}.bin")), None, reference))
            }
            Act::ReleaseDocument { document, version, file, .. } => {
                let found = self.store().record(scope, RecordKind::Document, document).await?;
                let record = found.ok_or(model::Error::NotFound { kind: "document" })?;
                let file = newest_file(&record, version.as_deref(), file.as_deref());
                let file = file.ok_or(model::Error::NotFound { kind: "content" })?;
                let reference = file.content.ok_or(Error::ContentUnavailable)?;
                Ok((file.name, file.media_type, reference))
            }
            _ => Err(Error::NotReleased),
        }
    }

    async fn note_reading(
        &self,
        caller: &Caller,
        approval: &Approval,
        reference: &PayloadRef,
    ) -> Result<(), Error> {
        let detail = json!({
            "approval": approval.id, "subjectKind": approval.subject_kind, "subject": approval.subject,
            "payload": reference.id,
        });
        let event = self.audit(&approval.tenant, EventKind::ContentDisclosed, &caller.actor, detail);
        let mut work = Work::new();
        work.insert_event(&placed(event, &place_of(approval)));
        Ok(self.store().commit(work).await?)
    }
}

/// Version and name of the file that is asked for: what is agreed to is what is read, whatever is added in between.
pub(super) fn named(record: &Record, version: Option<&str>, name: Option<&str>) -> Option<(String, String)> {
    let Record::Document(document) = record else { return None };
    let number = version.or_else(|| document.versions.last().map(|it| it.number.as_str()))?;
    Some((number.to_owned(), newest_file(record, Some(number), name)?.name))
}
