//! The broker as an adapter sees it in a session, in memory; what is submitted is decided by the model's rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use model::adapter::{Content, Handed, Host, Link};
use model::command::{Command, Rules};
use model::letter::{Letter, TakenIn};
use model::{Clock, Failure, Id, PayloadRef, Record, RecordKind, SystemClock, Timestamp, decide, ids};
use serde_json::Value;
use tokio::io::AsyncReadExt;

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) records: BTreeMap<Id, Record>,
    pub(crate) links: Vec<Link>,
    pub(crate) notes: Vec<(String, Value)>,
    pub(crate) submitted: Vec<(String, Command)>,
    pub(crate) state: BTreeMap<String, Value>,
    pub(crate) kept: BTreeMap<Id, Vec<u8>>,
    /// Calls that are still allowed; then it is as if the gateway had been killed.
    pub(crate) calls_left: Option<usize>,
}

/// The broker in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<Books>>);

impl Memory {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// What a delivery came to, as the broker keeps it.
    pub(crate) fn receive(&self, receipt: &model::adapter::Receipt) {
        for link in &receipt.links {
            self.keep_link(link.clone());
        }
    }

    pub(crate) fn links_of(&self, record: Id) -> Vec<Link> {
        self.with(|books| books.links.iter().filter(|link| link.record == record).cloned().collect())
    }

    fn keep_link(&self, link: Link) {
        self.with(|books| {
            books.links.retain(|known| (known.record, &known.part) != (link.record, &link.part));
            books.links.push(link);
        });
    }

    fn call(&self) -> Result<(), Failure> {
        self.with(|books| match &mut books.calls_left {
            Some(0) => Err(Failure::transient("test.killed", "the gateway was killed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        })
    }
}

#[async_trait]
impl Host for Memory {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        Ok(self.with(|books| books.records.get(&id).filter(|record| record.kind() == kind).cloned()))
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        self.call()?;
        assert!(key.len() <= 200);
        self.with(|books| {
            if books.submitted.iter().any(|(known, _)| known == key) {
                return Ok(books.records[&command.id].clone());
            }
            let decided =
                decide(books.records.get(&command.id), &command, Rules::default(), SystemClock.now());
            let decided = decided.map_err(|error| Failure::permanent("test.refused", error.to_string()))?;
            books.records.insert(command.id, decided.record.clone());
            books.submitted.push((key.to_owned(), command));
            Ok(decided.record)
        })
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        self.call()?;
        let mut bytes = vec![];
        let read = content.read_to_end(&mut bytes).await;
        read.map_err(|_| Failure::transient("test.broken", "the content broke off"))?;
        let sha256 = hex::encode(seal::sha256(&[&bytes]).0);
        let id = ids::new_id();
        let size = bytes.len() as u64;
        self.with(|books| books.kept.insert(id, bytes));
        Ok(PayloadRef { id, size, sha256, chunk_root: String::new() })
    }

    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure> {
        Ok(Box::new(std::io::Cursor::new(self.with(|books| books.kept[&content.id].clone()))))
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        Err(Failure::permanent("adapter.not-offered", "a DMS brings no messages"))
    }

    async fn take_in(&self, _: Letter) -> Result<TakenIn, Failure> {
        unreachable!("a DMS brings no letters")
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        Ok(self.links_of(record))
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        Ok(self.with(|books| books.links.iter().find(|link| link.reference == reference).cloned()))
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        self.call()?;
        self.keep_link(link);
        Ok(())
    }

    async fn note(&self, key: &str, _: RecordKind, record: Id, detail: Value) -> Result<(), Failure> {
        self.call()?;
        assert!(key.len() <= 200);
        if self.with(|books| !books.records.contains_key(&record)) {
            return Err(Failure::permanent("test.not-found", "there is no such record"));
        }
        self.with(|books| {
            if !books.notes.iter().any(|(known, _)| known == key) {
                books.notes.push((key.to_owned(), detail));
            }
        });
        Ok(())
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.with(|books| books.state.get(key).cloned()))
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        self.call()?;
        self.with(|books| books.state.insert(key.to_owned(), value));
        Ok(())
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
