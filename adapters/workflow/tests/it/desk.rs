//! A gateway in small: records that change by the model's rules alone, keys, links and notes. It may die after so many writes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::adapter::{Content, Handed, Host, Link};
use model::command::{Change, Command, Rules};
use model::letter::{Letter, TakenIn};
use model::{Failure, Id, PayloadRef, Record, RecordKind, Timestamp, decide};
use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Desk {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    records: BTreeMap<Id, Record>,
    keys: BTreeMap<String, Record>,
    links: BTreeMap<(Id, String), Link>,
    notes: BTreeMap<String, Value>,
    state: BTreeMap<String, Value>,
    /// Writes until it dies.
    writes: Option<usize>,
}

impl Desk {
    pub(crate) fn with(record: &Record) -> Desk {
        let desk = Desk::default();
        desk.put(record);
        desk
    }

    pub(crate) fn put(&self, record: &Record) {
        self.held.lock().unwrap().records.insert(record.meta().id, record.clone());
    }

    pub(crate) fn dies_after(&self, writes: Option<usize>) {
        self.held.lock().unwrap().writes = writes;
    }

    /// Somebody else changes a record.
    pub(crate) fn change(&self, id: Id, change: Change) -> Record {
        let mut held = self.held.lock().unwrap();
        let record = held.records[&id].clone();
        let command = Command { kind: record.kind(), id, expected: None, change };
        let after = decide(Some(&record), &command, Rules::default(), Timestamp::default()).unwrap().record;
        held.records.insert(id, after.clone());
        after
    }

    pub(crate) fn get(&self, id: Id) -> Record {
        self.held.lock().unwrap().records[&id].clone()
    }

    pub(crate) fn cases(&self) -> Vec<Record> {
        let held = self.held.lock().unwrap();
        held.records.values().filter(|record| record.kind() == RecordKind::Case).cloned().collect()
    }

    pub(crate) fn tasks(&self) -> Vec<model::activity::Task> {
        let held = self.held.lock().unwrap();
        let task = |record: &Record| match record {
            Record::Task(task) => Some(task.clone()),
            _ => None,
        };
        held.records.values().filter_map(task).collect()
    }

    pub(crate) fn links_of(&self, id: Id) -> Vec<Link> {
        let held = self.held.lock().unwrap();
        held.links.iter().filter(|((of, _), _)| *of == id).map(|(_, link)| link.clone()).collect()
    }

    pub(crate) fn notes(&self) -> Vec<Value> {
        self.held.lock().unwrap().notes.values().cloned().collect()
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

#[async_trait]
impl Host for Desk {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        let held = self.held.lock().unwrap();
        Ok(held.records.get(&id).filter(|record| record.kind() == kind).cloned())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        self.write(|held| {
            if let Some(known) = held.keys.get(key) {
                return Ok(known.clone());
            }
            if let Change::Create(record) = &command.change
                && record.meta().unit == "gibtsnicht"
            {
                return Err(Failure::permanent("broker.unknown-unit", "no such unit"));
            }
            let current = held.records.get(&command.id).cloned();
            let decided = decide(current.as_ref(), &command, Rules::default(), Timestamp::default());
            let record = decided.map_err(|error| Failure::permanent(error.code(), error.to_string()))?.record;
            held.records.insert(command.id, record.clone());
            held.keys.insert(key.to_owned(), record.clone());
            Ok(record)
        })
    }

    async fn keep(&self, _: Content) -> Result<PayloadRef, Failure> {
        Err(Failure::permanent("test.none", ""))
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        Err(Failure::permanent("test.none", ""))
    }

    async fn take_in(&self, _: Letter) -> Result<TakenIn, Failure> {
        Err(Failure::permanent("test.none", ""))
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        Err(Failure::permanent("test.none", ""))
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        Ok(self.links_of(record))
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        Ok(self.held.lock().unwrap().links.values().find(|link| link.reference == reference).cloned())
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        self.write(|held| {
            held.links.insert((link.record, link.part.clone()), link);
            Ok(())
        })
    }

    async fn note(&self, key: &str, _: RecordKind, record: Id, detail: Value) -> Result<(), Failure> {
        self.write(|held| {
            let told = json!({ "record": record, "noted": detail });
            held.notes.entry(key.to_owned()).or_insert(told);
            Ok(())
        })
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
