//! How far a page of changes is done, kept as the adapter's state before each change, so that a session that ends in the middle of a page,
//! however it does, is followed by one that goes on there. Without it a page that takes longer than a session would never end, and a change
//! that was done, but whose record is called something else because of it, would be told as one that cannot be done.

use std::collections::BTreeSet;

use model::adapter::Host;
use model::{Failure, Id, RecordKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Key of the durable state.
const PAGE: &str = "page";

/// How far a page is done.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The cursor that the page was asked for with.
    after: Option<String>,
    /// What became of its changes so far, as it is told.
    done: Vec<Value>,
    /// The change that is under way, and the record that it is about, whatever that is called afterwards.
    begun: Option<(String, RecordKind, Id)>,
    /// Whether anything is kept of it.
    #[serde(skip)]
    is_kept: bool,
}

impl Progress {
    /// That of the page after a cursor with changes of these keys.
    pub(crate) async fn of(
        host: &dyn Host,
        after: Option<&str>,
        keys: BTreeSet<&str>,
    ) -> Result<Self, Failure> {
        let kept = host.state(PAGE).await?;
        let is_kept = kept.is_some();
        let kept: Option<Progress> = kept.and_then(|kept| serde_json::from_value(kept).ok());
        let mut progress = kept.filter(|kept| kept.after.as_deref() == after).unwrap_or_default();
        // The program may give another page for the same cursor.
        progress.done.retain(|one| one["key"].as_str().is_some_and(|key| keys.contains(key)));
        Ok(Progress { after: after.map(str::to_owned), is_kept, ..progress })
    }

    /// What became of the changes that are done.
    pub(crate) fn done(&self) -> &[Value] {
        &self.done
    }

    /// Whether a change is done.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.done.iter().any(|one| one["key"] == key)
    }

    /// The record that a change is about which was under way.
    pub(crate) fn begun(&self, key: &str) -> Option<(RecordKind, Id)> {
        self.begun.as_ref().filter(|(begun, ..)| begun == key).map(|(_, kind, id)| (*kind, *id))
    }

    /// A change is going to be carried out.
    pub(crate) async fn begin(
        &mut self,
        host: &dyn Host,
        key: &str,
        record: Option<(RecordKind, Id)>,
    ) -> Result<(), Failure> {
        let begun = record.map(|(kind, id)| (key.to_owned(), kind, id));
        if begun.is_some() || !self.done.is_empty() {
            self.begun = begun;
            self.keep(host).await?;
        }
        Ok(())
    }

    /// A change is done; this became of it.
    pub(crate) fn note(&mut self, outcome: Value) {
        self.begun = None;
        self.done.push(outcome);
    }

    /// Keeps it, if there is anything to be kept.
    pub(crate) async fn keep(&mut self, host: &dyn Host) -> Result<(), Failure> {
        if self.done.is_empty() && self.begun.is_none() {
            return Ok(());
        }
        self.is_kept = true;
        host.set_state(PAGE, json!(self)).await
    }

    /// The page is done.
    pub(crate) async fn forget(self, host: &dyn Host) -> Result<(), Failure> {
        match self.is_kept {
            true => host.set_state(PAGE, Value::Null).await,
            false => Ok(()),
        }
    }
}
