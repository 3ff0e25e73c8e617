//! A provided document is fetched: the step of the dispatch, and what proves it, are committed before a byte is given.

use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::case::File;
use model::command::{Change, Command};
use model::event::Subject;
use model::{Event, EventKind, Id, Record, RecordKind, Scope};
use serde_json::{Value, json};
use store::{Payload, Work};

use super::session::CitizenSession;
use super::view::{dispatch_of, provided_at};
use super::{citizen, somebody};
use crate::{Broker, Error, Once, notes};

/// How often it is decided anew because the dispatch changed in between.
const ATTEMPTS: usize = 5;

impl Broker {
    /// The bytes of a file that was provided for the citizen of a session: of this document by this dispatch, with this SHA-256. The first
    /// time each file is fetched, that stands on the time line of the dispatch; the first of them is the step `retrieved`.
    ///
    /// # Errors
    /// `NotFound` if it was not provided; `ContentUnavailable` and the like if its bytes are gone.
    pub async fn citizen_fetches(
        &self,
        session: &CitizenSession,
        (dispatch, document): (Id, Id),
        sha256: &str,
    ) -> Result<(File, Payload), Error> {
        let case = &session.case;
        let found = self.provided_dispatch(session, dispatch).await?;
        let provided = found.provided.iter().find(|it| it.document == document).ok_or_else(not_found)?;
        let files = self.files_of(case, provided).await?.map(|(_, files)| files).unwrap_or_default();
        let is_it = |file: &File| file.content.as_ref().is_some_and(|content| content.sha256 == sha256);
        let file = files.into_iter().find(is_it).ok_or_else(not_found)?;
        let content = file.content.clone().ok_or_else(not_found)?;
        let payload = self.store().open_payload(&case.meta.tenant, content.id).await?;
        let proof = json!({
            "retrieved": document,
            "version": provided.version,
            "sha256": content.sha256,
            "by": "portal",
            "generation": session.generation,
            "session": session.begun,
        });
        let once = Once::new(format!("fetched:{dispatch}:{document}:{sha256}"), String::new());
        for _ in 0..ATTEMPTS {
            match self.prove_fetched(session, dispatch, (&once, &proof)).await {
                Err(error) if error.is_conflict("record") => {}
                Err(error) if error.is_conflict("dedup") => {}
                outcome => return outcome.map(|()| (file, payload)),
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    /// A dispatch that lies on the pages of the session's case.
    async fn provided_dispatch(&self, session: &CitizenSession, id: Id) -> Result<Dispatch, Error> {
        let meta = &session.case.meta;
        let found = self.store().record(&Scope::tenant(&meta.tenant), RecordKind::Dispatch, id).await?;
        let found = found.and_then(dispatch_of).filter(|it| it.case_id == meta.id);
        found.filter(|it| provided_at(it).is_some()).ok_or_else(not_found)
    }

    async fn prove_fetched(
        &self,
        session: &CitizenSession,
        dispatch: Id,
        (once, proof): (&Once, &Value),
    ) -> Result<(), Error> {
        let caller = citizen(&session.case);
        let found = self.provided_dispatch(session, dispatch).await?;
        if self.answered(&caller, Some(once)).await?.is_some() {
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
            work.insert_event(&Event { detail: Some(proof.clone()), ..event });
        } else {
            let meta = &found.meta;
            work.insert_event(&Event {
                unit: Some(meta.unit.clone()),
                public_service: meta.public_service.clone(),
                subject: Some(Subject { kind: RecordKind::Dispatch, id: dispatch }),
                case_id: Some(meta.root),
                ..self.audit(&meta.tenant, EventKind::ChannelNoted, &somebody(), proof.clone())
            });
        }
        once.claim(&mut work, &caller, dispatch, &Value::Null);
        Ok(self.store().commit(work).await?)
    }
}

fn not_found() -> Error {
    model::Error::NotFound { kind: "document" }.into()
}
