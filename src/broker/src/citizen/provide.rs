//! What is dispatched to the citizens' pages is fixed with the step by which it is provided: the files that its documents have then. What
//! comes to a document later is not shown, and no proof names it. Nobody else tells that something lies there, or was fetched.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::activity::{Dispatch, DispatchStatus, DispatchStep, Provided};
use model::command::{Change, Command};
use model::{Record, RecordKind, Scope};

use super::view::PORTAL;
use crate::{Broker, Error};

impl Broker {
    /// A command as it is carried out: whoever says that a dispatch lies on the citizens' pages says it of what its documents are now.
    ///
    /// # Errors
    /// `Invalid` if there is something to show of some documents alone, or people tell what only the gateway knows.
    pub(crate) async fn as_provided<'a>(
        &self,
        current: Option<&Record>,
        command: &'a Command,
    ) -> Result<Cow<'a, Command>, Error> {
        let as_it_is = Ok(Cow::Borrowed(command));
        let Some(Record::Dispatch(dispatch)) = current else { return as_it_is };
        if dispatch.way.as_deref() != Some(PORTAL) {
            return as_it_is;
        }
        match &command.change {
            Change::DispatchStep(step, _) if step.kind == DispatchStatus::Provided => {
                if !dispatch.provided.is_empty() {
                    return as_it_is;
                }
                let change = Change::Provide(*step, self.to_provide(dispatch).await?);
                Ok(Cow::Owned(Command { change, ..command.clone() }))
            }
            Change::DispatchStep(step, _) if is_ours(step) => {
                Err(model::Error::Invalid { field: "kind" }.into())
            }
            Change::ProvenStep(proof) if is_ours(&proof.step) && !dispatch.steps.contains(&proof.step) => {
                Err(model::Error::Invalid { field: "kind" }.into())
            }
            _ => as_it_is,
        }
    }

    /// What is provided of each document; nothing if there is only a notice.
    async fn to_provide(&self, dispatch: &Dispatch) -> Result<Vec<Provided>, Error> {
        let scope = Scope::tenant(&dispatch.meta.tenant);
        let (mut seen, mut provided) = (BTreeSet::new(), vec![]);
        for id in dispatch.documents.iter().filter(|id| seen.insert(**id)) {
            let found = self.store().record(&scope, RecordKind::Document, *id).await?;
            let files = match found {
                Some(Record::Document(document)) => document.to_provide(),
                _ => None,
            };
            provided.push(files.ok_or(model::Error::Invalid { field: "documents" })?);
        }
        Ok(provided)
    }
}

/// Whether it is a step that the gateway makes by itself.
fn is_ours(step: &DispatchStep) -> bool {
    matches!(step.kind, DispatchStatus::Provided | DispatchStatus::Retrieved)
}
