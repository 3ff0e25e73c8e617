//! A host that keeps everything in memory, as far as a session needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use model::adapter::{Content, Handed, Host, Link};
use model::command::{Change, Command, Rules};
use model::letter::{Letter, TakenIn};
use model::{Failure, FailureKind, Id, PayloadRef, Record, RecordKind, SystemClock, Timestamp, decide, ids};
use serde_json::Value;
use tokio::io::AsyncReadExt;

#[derive(Default)]
struct Kept {
    records: BTreeMap<Id, Record>,
    submitted: Vec<(String, Command)>,
    links: Vec<Link>,
    letters: Vec<Letter>,
    state: BTreeMap<String, Value>,
    fails: Option<FailureKind>,
    /// How often state is kept until that fails, once.
    states: Option<usize>,
    /// Seconds that each content takes, and those that have passed.
    slow: i64,
    passed: i64,
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<Kept>);

impl Memory {
    pub(crate) fn with(records: impl IntoIterator<Item = Record>) -> Arc<Self> {
        let host = Memory::default();
        host.kept().records.extend(records.into_iter().map(|record| (record.meta().id, record)));
        Arc::new(host)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    /// The next command fails so.
    pub(crate) fn fail(&self, kind: FailureKind) {
        self.kept().fails = Some(kind);
    }

    /// The gateway dies once when state is to be kept after it was kept so often.
    pub(crate) fn dies_after(&self, states: usize) {
        self.kept().states = Some(states);
    }

    /// Each content takes so many seconds.
    pub(crate) fn slow(&self, seconds: i64) {
        self.kept().slow = seconds;
    }

    pub(crate) fn submitted(&self) -> Vec<(String, Command)> {
        self.kept().submitted.clone()
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.kept().letters.clone()
    }

    pub(crate) fn link_of(&self, reference: &str) -> Option<Id> {
        self.kept().links.iter().find(|link| link.reference == reference).map(|link| link.record)
    }

    pub(crate) fn cursor(&self) -> Option<Value> {
        self.kept().state.get("cursor").cloned()
    }

    /// Keys of all that is remembered.
    pub(crate) fn remembered(&self) -> Vec<String> {
        self.kept().state.keys().cloned().collect()
    }

    pub(crate) fn forget_the_cursor(&self) {
        self.kept().state.clear();
    }
}

#[async_trait]
impl Host for Memory {
    async fn record(&self, _: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        Ok(self.kept().records.get(&id).cloned())
    }

    async fn find(&self, _: &str, value: &str) -> Result<Vec<Record>, Failure> {
        let named = |record: &&Record| {
            record.description().and_then(|it| it.record_reference.as_deref()) == Some(value)
        };
        Ok(self.kept().records.values().filter(named).cloned().collect())
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        let now = self.now();
        let mut kept = self.kept();
        if let Some(kind) = kept.fails.take() {
            return Err(Failure::new(kind, "test.fails", "as told"));
        }
        if kept.submitted.iter().any(|(known, _)| known == key) {
            return Ok(kept.records[&command.id].clone());
        }
        let current = match command.change {
            Change::Create(_) => None,
            _ => kept.records.get(&command.id).cloned(),
        };
        let decided = decide(current.as_ref(), &command, Rules::default(), now)
            .map_err(|error| Failure::permanent("test.refused", error.to_string()))?;
        kept.records.insert(command.id, decided.record.clone());
        kept.submitted.push((key.to_owned(), command));
        Ok(decided.record)
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        let mut bytes = vec![];
        let read = content.read_to_end(&mut bytes).await;
        read.map_err(|_| Failure::new(FailureKind::Transient, "broker.interrupted", "broke off"))?;
        let mut kept = self.kept();
        kept.passed += kept.slow;
        let sha256 = seal::sha256(&[&bytes]).to_string();
        Ok(PayloadRef { id: ids::new_id(), size: bytes.len() as u64, chunk_root: sha256.clone(), sha256 })
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        unreachable!("sessions of programs open nothing")
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        let mut kept = self.kept();
        let again = kept.letters.iter().any(|known| known.key == letter.key);
        kept.letters.push(letter);
        Ok(TakenIn { interaction: ids::new_id(), case: None, again })
    }

    async fn message(&self, _: &str, handed: Handed) -> Result<Id, Failure> {
        Ok(handed.content.id)
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        Ok(self.kept().links.iter().filter(|link| link.record == record).cloned().collect())
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        Ok(self.kept().links.iter().find(|link| link.reference == reference).cloned())
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        self.kept().links.push(link);
        Ok(())
    }

    async fn note(&self, _: &str, _: RecordKind, _: Id, _: Value) -> Result<(), Failure> {
        Ok(())
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.kept().state.get(key).cloned())
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        let mut kept = self.kept();
        match kept.states {
            Some(0) => {
                kept.states = None;
                return Err(Failure::transient("test.died", "as told"));
            }
            Some(left) => kept.states = Some(left - 1),
            None => {}
        }
        match value {
            Value::Null => _ = kept.state.remove(key),
            value => _ = kept.state.insert(key.to_owned(), value),
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        let passed = std::time::Duration::from_secs(self.kept().passed.unsigned_abs());
        model::Clock::now(&SystemClock).plus(passed)
    }
}
