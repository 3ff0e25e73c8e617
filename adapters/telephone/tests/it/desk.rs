//! A gateway in small: calls that are taken in once, records that change by the model's rules alone. It may die after so many writes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::activity::{Call, Interaction, InteractionStatus, Task};
use model::adapter::{Content, Handed, Host, Link, Wanted};
use model::command::{Command, Rules};
use model::letter::{Letter, TakenIn};
use model::testkit::a_meta;
use model::{Failure, Id, PayloadRef, Record, RecordKind, Timestamp, decide};
use serde_json::Value;

#[derive(Default)]
pub(crate) struct Desk {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    records: BTreeMap<Id, Record>,
    keys: BTreeMap<String, Id>,
    letters: Vec<Letter>,
    state: BTreeMap<String, Value>,
    /// Writes until it dies.
    writes: Option<usize>,
}

impl Desk {
    pub(crate) fn put(&self, record: Record) {
        self.held.lock().unwrap().records.insert(record.meta().id, record);
    }

    pub(crate) fn dies_after(&self, writes: Option<usize>) {
        self.held.lock().unwrap().writes = writes;
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.held.lock().unwrap().letters.clone()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let held = self.held.lock().unwrap();
        let call = |record: &Record| match record {
            Record::Interaction(it) => it.call.as_deref().cloned(),
            _ => None,
        };
        held.records.values().filter_map(call).collect()
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        let held = self.held.lock().unwrap();
        let task = |record: &Record| match record {
            Record::Task(task) => Some(task.clone()),
            _ => None,
        };
        held.records.values().filter_map(task).collect()
    }

    pub(crate) fn kept(&self) -> Option<Value> {
        self.held.lock().unwrap().state.get("calls").cloned()
    }

    fn write<T>(&self, write: impl FnOnce(&mut Held) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut held = self.held.lock().unwrap();
        match &mut held.writes {
            Some(0) => return Err(Failure::transient("store.closed", "it died")),
            Some(left) => *left -= 1,
            None => {}
        }
        write(&mut held)
    }
}

/// A contact that is this call.
pub(crate) fn contact(at: Timestamp, call: Option<Box<Call>>) -> Interaction {
    let mut meta = a_meta();
    (meta.version, meta.created_at) = (1, at);
    Interaction {
        meta,
        case_id: None,
        kind: "call".into(),
        at,
        subject: None,
        from: None,
        documents: vec![],
        hints: vec![],
        proposals: vec![],
        concerns: vec![],
        call,
        proof: Value::Null,
        status: InteractionStatus::Open,
    }
}

fn none<T>() -> Result<T, Failure> {
    Err(Failure::permanent("test.none", ""))
}

#[async_trait]
impl Host for Desk {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        let held = self.held.lock().unwrap();
        Ok(held.records.get(&id).filter(|record| record.kind() == kind).cloned())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn records(&self, wanted: &Wanted) -> Result<Vec<Record>, Failure> {
        let held = self.held.lock().unwrap();
        let fits = |record: &&Record| {
            let at = record.meta().created_at;
            record.kind() == wanted.kind
                && wanted.since.is_none_or(|since| at >= since)
                && wanted.before.is_none_or(|before| at < before)
                && wanted.name.as_ref().is_none_or(|name| record.names().contains(name))
                && wanted.after.is_none_or(|after| record.meta().id < after)
        };
        let all = held.records.values().rev().filter(fits).cloned();
        Ok(all.take(wanted.limit as usize).collect())
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        self.write(|held| {
            if let Some(known) = held.keys.get(key) {
                return Ok(held.records[known].clone());
            }
            let current = held.records.get(&command.id).cloned();
            let decided = decide(current.as_ref(), &command, Rules::default(), Timestamp::default());
            let record = decided.map_err(|error| Failure::permanent(error.code(), error.to_string()))?.record;
            held.records.insert(command.id, record.clone());
            held.keys.insert(key.to_owned(), command.id);
            Ok(record)
        })
    }

    async fn keep(&self, _: Content) -> Result<PayloadRef, Failure> {
        none()
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        none()
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        self.write(|held| {
            if let Some(known) = held.keys.get(&letter.key) {
                return Ok(TakenIn { interaction: *known, case: None, again: true });
            }
            let record = contact(letter.received_at, letter.call.clone());
            let id = record.meta.id;
            held.records.insert(id, Record::Interaction(record));
            held.keys.insert(letter.key.clone(), id);
            held.letters.push(letter);
            Ok(TakenIn { interaction: id, case: None, again: false })
        })
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        none()
    }

    async fn links(&self, _: Id) -> Result<Vec<Link>, Failure> {
        Ok(vec![])
    }

    async fn linked(&self, _: &str) -> Result<Option<Link>, Failure> {
        Ok(None)
    }

    async fn link(&self, _: Link) -> Result<(), Failure> {
        none()
    }

    async fn note(&self, _: &str, _: RecordKind, _: Id, _: Value) -> Result<(), Failure> {
        none()
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.held.lock().unwrap().state.get(key).cloned())
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        self.write(|held| {
            held.state.insert(key.to_owned(), value);
            Ok(())
        })
    }

    fn now(&self) -> Timestamp {
        model::Clock::now(&model::SystemClock)
    }
}
