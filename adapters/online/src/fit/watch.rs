//! What waits at the delivery service and cannot be taken, and since when: after some days a clerk is told, before the service's own limit
//! is over and it rejects what it keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use model::activity::Task;
use model::adapter::Host;
use model::command::{Change, Command};
use model::record::Meta;
use model::{Authority, Failure, FailureKind, Id, Record, RecordKind, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subscriber::Settings;

/// Where it stands in the adapter's state.
const STATE: &str = "waiting";
/// Most submissions that are watched.
const MOST: usize = 5_000;
/// What stands for the delivery service itself.
pub(crate) const SERVICE: &str = "service";
/// How long nothing is tried of what failed for good: somebody has to mend something first.
const REST: Duration = Duration::from_secs(3_600);
/// Kind of the task that tells a clerk.
const KIND: &str = "fit.not-taken";

/// Whose desk a task lies on.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Tenant.
    pub tenant: String,
    /// Authority.
    pub authority: Authority,
    /// Unit.
    pub unit: String,
    /// A public service that the adapter serves; absent: it serves all, and what lies there is of none. Else it could file nothing there.
    pub service: Option<String>,
}

/// What waits.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Watch {
    #[serde(default)]
    entries: BTreeMap<String, Entry>,
    #[serde(skip)]
    is_changed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    since: Timestamp,
    /// Why it was not taken at last.
    code: String,
    #[serde(default)]
    told: bool,
    /// Not tried again before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Timestamp>,
    /// When it was tried at last.
    #[serde(default)]
    tried: Timestamp,
}

impl Watch {
    pub(crate) async fn load(host: &dyn Host) -> Result<Self, Failure> {
        let state = host.state(STATE).await?.unwrap_or_default();
        Ok(Watch::deserialize(state).unwrap_or_default())
    }

    /// It could not be taken.
    pub(crate) fn failed(&mut self, name: &str, failure: &Failure, now: Timestamp) {
        let again = (failure.kind == FailureKind::Permanent).then(|| now.plus(REST));
        if let Some(entry) = self.entries.get_mut(name) {
            entry.code = failure.code.to_string();
            (entry.again, entry.tried) = (again, now);
            self.is_changed = true;
        } else if self.entries.len() < MOST {
            let entry = Entry { since: now, code: failure.code.to_string(), told: false, again, tried: now };
            self.entries.insert(name.to_owned(), entry);
            self.is_changed = true;
        }
    }

    /// When it was tried at last in vain; `None`, which is before all times, if it was not.
    pub(crate) fn tried(&self, name: &str) -> Option<Timestamp> {
        self.entries.get(name).map(|entry| entry.tried)
    }

    /// Whether it is not tried at present.
    pub(crate) fn rests(&self, name: &str, now: Timestamp) -> bool {
        self.entries.get(name).and_then(|entry| entry.again).is_some_and(|again| now < again)
    }

    /// It was taken, or waits no more.
    pub(crate) fn forget(&mut self, name: &str) {
        self.is_changed |= self.entries.remove(name).is_some();
    }

    /// Forgets what does not wait any more.
    pub(crate) fn keep_only(&mut self, waits: impl Fn(&str) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|name, _| name == SERVICE || waits(name));
        self.is_changed |= self.entries.len() != before;
    }

    /// Tells a clerk of what has waited too long, and keeps the rest.
    pub(crate) async fn finish(mut self, host: &dyn Host, settings: &Settings) -> Result<(), Failure> {
        let now = host.now();
        for (name, entry) in &mut self.entries {
            if entry.told || now < entry.since.plus(settings.told_after) {
                continue;
            }
            // The same waiting is told once, and another one again.
            let key = format!("waiting:{name}:{}", entry.since.micros());
            host.submit(&key, waiting(name, entry, settings)).await?;
            entry.told = true;
            self.is_changed = true;
        }
        if !self.is_changed {
            return Ok(());
        }
        let state = match self.entries.is_empty() {
            true => Value::Null,
            false => serde_json::to_value(&self).unwrap_or_default(),
        };
        host.set_state(STATE, state).await
    }
}

/// What a clerk is told of something that waits.
fn waiting(name: &str, entry: &Entry, settings: &Settings) -> Command {
    let days = settings.told_after.as_secs() / 86_400;
    let title = match name {
        SERVICE => format!("FIT-Connect ist seit {days} Tagen nicht erreichbar ({})", entry.code),
        id => format!(
            "FIT-Connect: Einreichung {id} kann seit {days} Tagen nicht übernommen werden ({})",
            entry.code
        ),
    };
    task(about(&settings.desk), None, title, KIND, Some(entry.since.plus(settings.deadline)))
}

/// A new record on the adapter's desk.
pub(crate) fn about(desk: &Desk) -> Meta {
    let id = ids::new_id();
    Meta {
        id,
        tenant: desk.tenant.clone(),
        authority: desk.authority.clone(),
        unit: desk.unit.clone(),
        public_service: desk.service.clone(),
        root: id,
        version: 0,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

/// A task where something lies, about a case or a contact.
pub(crate) fn task(
    of: Meta,
    subject: Option<Id>,
    title: String,
    kind: &str,
    due: Option<Timestamp>,
) -> Command {
    let id = ids::new_id();
    let root = if subject.is_some() { of.root } else { id };
    let meta = Meta { id, root, version: 0, ..of };
    let task = Task { case_id: subject, due, ..Task::new(meta, kind, title) };
    let change = Change::Create(Box::new(Record::Task(task)));
    Command { kind: RecordKind::Task, id, expected: None, change }
}
