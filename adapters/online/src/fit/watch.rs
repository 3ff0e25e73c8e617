//! What waits at the delivery service and cannot be taken, and since when: after some days a clerk is told, before the service's own limit
//! is over and it rejects what it keeps.

use std::collections::BTreeMap;

use model::activity::Task;
use model::adapter::Host;
use model::command::{Change, Command};
use model::record::Meta;
use model::{Authority, Failure, Record, RecordKind, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subscriber::Settings;

/// Where it stands in the adapter's state.
const STATE: &str = "waiting";
/// Most submissions that are watched.
const MOST: usize = 5_000;
/// What stands for the delivery service itself.
pub(crate) const SERVICE: &str = "service";
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
}

impl Watch {
    pub(crate) async fn load(host: &dyn Host) -> Result<Self, Failure> {
        let state = host.state(STATE).await?.unwrap_or_default();
        Ok(Watch::deserialize(state).unwrap_or_default())
    }

    /// It could not be taken.
    pub(crate) fn failed(&mut self, name: &str, failure: &Failure, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(name) {
            self.is_changed |= entry.code != failure.code;
            entry.code = failure.code.to_string();
        } else if self.entries.len() < MOST {
            let entry = Entry { since: now, code: failure.code.to_string(), told: false };
            self.entries.insert(name.to_owned(), entry);
            self.is_changed = true;
        }
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
            host.submit(&key, task(name, entry, settings)).await?;
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

fn task(name: &str, entry: &Entry, settings: &Settings) -> Command {
    let days = settings.told_after.as_secs() / 86_400;
    let title = match name {
        SERVICE => format!("FIT-Connect ist seit {days} Tagen nicht erreichbar ({})", entry.code),
        id => format!(
            "FIT-Connect: Einreichung {id} kann seit {days} Tagen nicht übernommen werden ({})",
            entry.code
        ),
    };
    let id = ids::new_id();
    let meta = Meta {
        id,
        tenant: settings.desk.tenant.clone(),
        authority: settings.desk.authority.clone(),
        unit: settings.desk.unit.clone(),
        public_service: None,
        root: id,
        version: 0,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    };
    let task = Task { due: Some(entry.since.plus(settings.deadline)), ..Task::new(meta, KIND, title) };
    let change = Change::Create(Box::new(Record::Task(task)));
    Command { kind: RecordKind::Task, id, expected: None, change }
}
