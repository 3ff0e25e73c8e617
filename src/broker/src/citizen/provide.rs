//! What is dispatched to the citizens' pages is fixed with the step by which it is provided: the files that its documents have then. What
//! comes to a document later is not shown, and no proof names it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::activity::{Dispatch, DispatchStatus, Provided};
use model::command::{Change, Command};
use model::{Record, RecordKind, Scope};

use super::view::PORTAL;
use crate::{Broker, Error};

impl Broker {
    /// A command as it is carried out: whoever says that a dispatch lies on the citizens' pages says it of what its documents are now.
    pub(crate) async fn as_provided<'a>(
        &self,
        current: Option<&Record>,
        command: &'a Command,
    ) -> Result<Cow<'a, Command>, Error> {
        let (Some(Record::Dispatch(dispatch)), Change::DispatchStep(step, None)) = (current, &command.change)
        else {
            return Ok(Cow::Borrowed(command));
        };
        let is_ours = dispatch.way.as_deref() == Some(PORTAL) && step.kind == DispatchStatus::Provided;
        if !is_ours || !dispatch.provided.is_empty() {
            return Ok(Cow::Borrowed(command));
        }
        let change = Change::Provide(*step, self.to_provide(dispatch).await?);
        Ok(Cow::Owned(Command { change, ..command.clone() }))
    }

    async fn to_provide(&self, dispatch: &Dispatch) -> Result<Vec<Provided>, Error> {
        let scope = Scope::tenant(&dispatch.meta.tenant);
        let (mut seen, mut provided) = (BTreeSet::new(), vec![]);
        for id in dispatch.documents.iter().filter(|id| seen.insert(**id)) {
            let found = self.store().record(&scope, RecordKind::Document, *id).await?;
            let Some(Record::Document(document)) = found else { continue };
            provided.extend(document.to_provide());
        }
        Ok(provided)
    }
}
