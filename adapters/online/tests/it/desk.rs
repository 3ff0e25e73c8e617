//! A gateway in small: letters, keys, links, notes, state. It may die after so many writes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::activity::{Interaction, InteractionStatus};
use model::adapter::{Content, Handed, Host, Link};
use model::case::{Description, Document, DocumentDates, RecordStatus, Version};
use model::command::{Change, Command};
use model::letter::{Letter, TakenIn};
use model::testkit::a_meta;
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
    /// Contacts of letters with their first document, and whatever else came into being.
    pub(crate) records: BTreeMap<Id, Record>,
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
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        let found = self.held.lock().unwrap().records.get(&id).cloned();
        Ok(found.filter(|record| record.kind() == kind))
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        let Change::Create(record) = command.change else { panic!("nothing is changed") };
        self.write(|held| {
            if let Some(first) = held.keys.get(key) {
                return first.clone();
            }
            held.keys.insert(key.to_owned(), (*record).clone());
            match record.kind() {
                RecordKind::Task => held.tasks.push((*record).clone()),
                _ => _ = held.records.insert(command.id, (*record).clone()),
            }
            *record
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

    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure> {
        let bytes = self.held.lock().unwrap().contents[&content.id].clone();
        Ok(Box::new(std::io::Cursor::new(bytes)))
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        self.write(|held| {
            if let Some(taken) = held.taken.get(&letter.key) {
                return TakenIn { again: true, ..taken.clone() };
            }
            let (document, contact) = records(&letter);
            let taken = TakenIn { interaction: contact.meta().id, case: Some(ids::new_id()), again: false };
            for record in [document, contact] {
                held.records.insert(record.meta().id, record);
            }
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

/// The first document of a letter, and the contact that it becomes.
fn records(letter: &Letter) -> (Record, Record) {
    let document = Document {
        meta: a_meta(),
        description: Description::default(),
        parent: None,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![Version { number: "1".into(), files: letter.documents[0].files.clone() }],
        status: RecordStatus::Open,
    };
    let contact = Interaction {
        meta: a_meta(),
        case_id: None,
        kind: letter.way.clone(),
        at: letter.received_at,
        subject: letter.subject.clone(),
        from: letter.from.clone(),
        documents: vec![document.meta.id],
        hints: vec![],
        proposals: vec![],
        concerns: vec![],
        call: None,
        proof: letter.proof.clone(),
        status: InteractionStatus::Filed,
    };
    (Record::Document(document), Record::Interaction(contact))
}
