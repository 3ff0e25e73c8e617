//! A provided document is fetched: the step of the dispatch, and what proves it, are committed before a byte is given.

use model::activity::{DispatchStatus, DispatchStep};
use model::case::File;
use model::command::{Change, Command};
use model::event::Subject;
use model::{Event, EventKind, Id, Record, RecordKind, Scope};
use serde_json::{Value, json};
use store::{Payload, Work};

use super::access::CitizenSession;
use super::{citizen, somebody};
use super::view::{dispatch_of, provided_at};
use crate::{Broker, Error, Once, notes};

/// How often it is decided anew because the dispatch changed in between.
const ATTEMPTS: usize = 5;

impl Broker {
    /// The bytes of a document that was provided for the citizen of a session. The first time each document is fetched, that stands on
    /// the time line of the dispatch; the first of them is the step `retrieved`.
    ///
    /// # Errors
    /// `NotFound` if it was not provided; `ContentUnavailable` and the like if its bytes are gone.
    pub async fn citizen_fetches(
        &self,
        session: &CitizenSession,
        dispatch: Id,
        document: Id,
    ) -> Result<(File, Payload), Error> {
        let not_found = || Error::from(model::Error::NotFound { kind: "document" });
        let case = &session.case;
        let (_, file) = self.document_of(case, document).await?.ok_or_else(not_found)?;
        let content = file.content.clone().ok_or_else(not_found)?;
        let payload = self.store().open_payload(&case.meta.tenant, content.id).await?;
        for _ in 0..ATTEMPTS {
            let proof = json!({ "retrieved": document, "sha256": content.sha256, "by": "portal" });
            match self.prove_fetched(session, (dispatch, document), proof).await {
                Err(error) if error.is_conflict("record") => {}
                Err(error) if error.is_conflict("dedup") => {}
                outcome => return outcome.map(|()| (file, payload)),
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    async fn prove_fetched(
        &self,
        session: &CitizenSession,
        (dispatch, document): (Id, Id),
        proof: Value,
    ) -> Result<(), Error> {
        let not_found = || Error::from(model::Error::NotFound { kind: "document" });
        let case = &session.case;
        let caller = citizen(case);
        let scope = Scope::tenant(&case.meta.tenant);
        let found = self.store().record(&scope, RecordKind::Dispatch, dispatch).await?;
        let found = found.and_then(dispatch_of).ok_or_else(not_found)?;
        let is_meant = found.case_id == case.meta.id && found.documents.contains(&document);
        if !is_meant || provided_at(&found).is_none() {
            return Err(not_found());
        }
        let once = Once { key: format!("fetched:{dispatch}:{document}"), digest: String::new() };
        if self.answered(&caller, Some(&once)).await?.is_some() {
            return Ok(());
        }
        let now = self.now();
        let mut work = Work::new();
        let is_first = found.steps.iter().all(|step| step.kind != DispatchStatus::Retrieved);
        if is_first {
            let step = DispatchStep { kind: DispatchStatus::Retrieved, at: now };
            let change = Change::DispatchStep(step, None);
            let command = Command { kind: RecordKind::Dispatch, id: dispatch, expected: None, change };
            let decided = model::decide(Some(&Record::Dispatch(found)), &command, self.parts.rules, now)?;
            work.put_record(&decided.record, None);
            let event = notes::of_record(&decided, &somebody(), now, None);
            work.insert_event(&Event { detail: Some(proof), ..event });
        } else {
            let meta = &found.meta;
            work.insert_event(&Event {
                unit: Some(meta.unit.clone()),
                public_service: meta.public_service.clone(),
                subject: Some(Subject { kind: RecordKind::Dispatch, id: dispatch }),
                case_id: Some(meta.root),
                ..self.audit(&meta.tenant, EventKind::ChannelNoted, &somebody(), proof)
            });
        }
        once.claim(&mut work, &caller, dispatch, &Value::Null);
        Ok(self.store().commit(work).await?)
    }
}
