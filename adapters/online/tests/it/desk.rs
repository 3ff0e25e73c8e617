//! A gateway in small: letters, keys, links, notes, state. It may die after so many writes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::adapter::{Content, Handed, Host, Link};
use model::command::{Change, Command};
use model::letter::{Letter, TakenIn};
use model::{Failure, Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) held: Mutex<Held>,
}

#[derive(Default)]
pub(crate) struct Held {
    pub(crate) letters: Vec<Letter>,
    pub(crate) contents: BTreeMap<Id, Vec<u8>>,
    pub(crate) tasks: Vec<Record>,
    pub(crate) notes: BTreeMap<String, Value>,
    pub(crate) state: BTreeMap<String, Value>,
    taken: BTreeMap<String, TakenIn>,
    keys: BTreeMap<String, Record>,
    links: BTreeMap<String, Link>,
    /// Writes until it dies.
    pub(crate) writes: Option<usize>,
    pub(crate) now: Timestamp,
}

impl Desk {
    fn write<T>(&self, write: impl FnOnce(&mut Held) -> T) -> Result<T, Failure> {
        let mut held = self.held.lock().unwrap();
        match &mut held.writes {
            Some(0) => return Err(Failure::transient("store.closed", "it died")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(write(&mut held))
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.held.lock().unwrap().letters.clone()
    }

    /// The bytes of a file by its name.
    pub(crate) fn file(&self, letter: &Letter, name: &str) -> Vec<u8> {
        let mut files = letter.documents.iter().flat_map(|document| &document.files);
        let content = files.find(|file| file.name == name).unwrap().content.clone().unwrap();
        self.held.lock().unwrap().contents[&content.id].clone()
    }
}

#[async_trait]
impl Host for Desk {
    async fn record(&self, _: RecordKind, _: Id) -> Result<Option<Record>, Failure> {
        Ok(None)
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        let Change::Create(record) = command.change else { panic!("only tasks are made") };
        self.write(|held| {
            if !held.keys.contains_key(key) {
                held.keys.insert(key.to_owned(), (*record).clone());
                held.tasks.push((*record).clone());
            }
            (*record).clone()
        })
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).await.unwrap();
        let id = ids::new_id();
        let content =
            PayloadRef { id, size: bytes.len() as u64, sha256: String::new(), chunk_root: String::new() };
        self.write(|held| {
            held.contents.insert(id, bytes);
            content
        })
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        panic!("nothing is read")
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        self.write(|held| {
            if let Some(taken) = held.taken.get(&letter.key) {
                return TakenIn { again: true, ..taken.clone() };
            }
            let taken = TakenIn { interaction: ids::new_id(), case: Some(ids::new_id()), again: false };
            held.taken.insert(letter.key.clone(), taken.clone());
            held.letters.push(letter);
            taken
        })
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        panic!("no message is brought")
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        let held = self.held.lock().unwrap();
        Ok(held.links.values().filter(|link| link.record == record).cloned().collect())
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        Ok(self.held.lock().unwrap().links.get(reference).cloned())
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        self.write(|held| _ = held.links.insert(link.reference.clone(), link))
    }

    async fn note(&self, key: &str, _: RecordKind, _: Id, detail: Value) -> Result<(), Failure> {
        self.write(|held| _ = held.notes.entry(key.to_owned()).or_insert(detail))
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.held.lock().unwrap().state.get(key).cloned())
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        self.write(|held| match value {
            Value::Null => _ = held.state.remove(key),
            value => _ = held.state.insert(key.to_owned(), value),
        })
    }

    fn now(&self) -> Timestamp {
        self.held.lock().unwrap().now
    }
}
