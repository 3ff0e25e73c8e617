//! What stands in for the broker: keeps what it is given, in memory.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use model::adapter::{Content, Host, Link};
use model::command::Command;
use model::letter::{Letter, TakenIn};
use model::{Clock, Failure, Id, PayloadRef, Record, RecordKind, SystemClock, Timestamp, ids};
use serde_json::Value;
use tokio::io::AsyncReadExt;

#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) kept: Mutex<HashMap<Id, Vec<u8>>>,
    pub(crate) letters: Mutex<Vec<Letter>>,
    pub(crate) notes: Mutex<Vec<(String, Id, Value)>>,
    pub(crate) submitted: Mutex<Vec<(String, Command)>>,
    pub(crate) records: Mutex<Vec<Record>>,
    state: Mutex<HashMap<String, Value>>,
    /// What is taken in is kept, and then the session ends as by a crash.
    pub(crate) crashes: AtomicBool,
    /// Letters with more than one document are refused for good.
    pub(crate) refuses: AtomicBool,
}

impl Desk {
    /// The letter with this subject.
    pub(crate) fn letter(&self, subject: &str) -> Letter {
        let letters = self.letters.lock().unwrap();
        let found = letters.iter().find(|it| it.subject.as_deref() == Some(subject));
        found.unwrap_or_else(|| panic!("no letter {subject}")).clone()
    }

    /// The bytes of a file of a letter.
    pub(crate) fn bytes(&self, letter: &Letter, document: usize, name: &str) -> Vec<u8> {
        let file = letter.documents[document].files.iter().find(|it| it.name == name);
        let id = file.unwrap_or_else(|| panic!("no file {name}")).content.as_ref().unwrap().id;
        self.kept.lock().unwrap()[&id].clone()
    }
}

#[async_trait]
impl Host for Desk {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        let records = self.records.lock().unwrap();
        Ok(records.iter().find(|it| it.kind() == kind && it.meta().id == id).cloned())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        let mut submitted = self.submitted.lock().unwrap();
        if !submitted.iter().any(|(known, _)| known == key) {
            submitted.push((key.to_owned(), command));
        }
        Ok(model::testkit::a_task("x"))
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        let mut bytes = vec![];
        content.read_to_end(&mut bytes).await.unwrap();
        let id = ids::new_id();
        let size = bytes.len() as u64;
        self.kept.lock().unwrap().insert(id, bytes);
        Ok(PayloadRef { id, size, sha256: String::new(), chunk_root: String::new() })
    }

    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure> {
        Ok(Box::new(Cursor::new(self.kept.lock().unwrap()[&content.id].clone())))
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        if self.refuses.load(Ordering::Relaxed) && letter.documents.len() > 1 {
            return Err(Failure::permanent("model.invalid", "refused"));
        }
        let mut letters = self.letters.lock().unwrap();
        let again = letters.iter().any(|it| it.key == letter.key);
        if !again {
            letters.push(letter);
        }
        if self.crashes.swap(false, Ordering::Relaxed) {
            return Err(Failure::transient("store.unavailable", "crash"));
        }
        Ok(TakenIn { interaction: ids::new_id(), case: None, again })
    }

    async fn links(&self, _: Id) -> Result<Vec<Link>, Failure> {
        Ok(vec![])
    }

    async fn linked(&self, _: &str) -> Result<Option<Link>, Failure> {
        Ok(None)
    }

    async fn link(&self, _: Link) -> Result<(), Failure> {
        Ok(())
    }

    async fn note(&self, key: &str, _: RecordKind, record: Id, detail: Value) -> Result<(), Failure> {
        let mut notes = self.notes.lock().unwrap();
        if !notes.iter().any(|(known, _, _)| known == key) {
            notes.push((key.to_owned(), record, detail));
        }
        Ok(())
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.state.lock().unwrap().get(key).cloned())
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        self.state.lock().unwrap().insert(key.to_owned(), value);
        Ok(())
    }

    async fn message(&self, _: &str, _: model::adapter::Handed) -> Result<Id, Failure> {
        Ok(ids::new_id())
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
