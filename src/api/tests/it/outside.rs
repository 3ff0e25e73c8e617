//! An adapter of the gateway of these tests: it is told of new contacts of unit 63 of Soest, takes calls from outside, and does what the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::Channel;
use model::adapter::{
    Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Link, Receipt, Reply,
    Sources,
};
use model::case::File;
use model::command::Command;
use model::letter::{Enclosure, Letter};
use model::rights::Within;
use model::{EventKind, Failure, FailureKind, RecordKind, Scope};
use tokio::io::AsyncReadExt;

/// Its id.
pub(crate) const OUTSIDE: &str = "outside";

/// A call that reached it, read to its end.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: usize,
}

#[derive(Default)]
struct State {
    is_well: bool,
    calls: Vec<Called>,
    answers: VecDeque<Result<Leads, Failure>>,
    letters: VecDeque<(Letter, Vec<File>, Vec<Vec<u8>>)>,
}

pub(crate) struct Outside {
    descriptor: Descriptor,
    state: Mutex<State>,
}

impl Outside {
    pub(crate) fn new() -> Self {
        let mut descriptor = Descriptor::new(
            OUTSIDE,
            "test",
            vec![Capability::Deliver, Capability::Reconcile, Capability::Callback],
        );
        descriptor.follows =
            vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Interaction }];
        Outside { descriptor, state: Mutex::default() }
    }

    pub(crate) fn channel() -> Channel {
        Channel {
            scope: Scope { units: Within::one("63"), ..Scope::tenant("soest") },
            authority: "bab:05974000".parse().unwrap(),
            unit: "63".into(),
            from_beginning: true,
            patience: Duration::from_secs(24 * 3_600),
        }
    }

    /// From now on it takes what it is told.
    pub(crate) fn is_well(&self) {
        self.state.lock().unwrap().is_well = true;
    }

    /// How the next call ends.
    pub(crate) fn answers(&self, answer: Result<Leads, Failure>) {
        self.state.lock().unwrap().answers.push_back(answer);
    }

    /// The next call brings a letter: one document with these files.
    #[allow(dead_code, reason = "the tests of the console, which share this file, use it")]
    pub(crate) fn brings(&self, letter: Letter, files: Vec<(&str, &[u8])>) {
        let (names, bytes): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let file = |name: &str| File { name: name.to_owned(), ..File::default() };
        let names = names.into_iter().map(file).collect();
        let bytes = bytes.into_iter().map(<[u8]>::to_vec).collect();
        self.state.lock().unwrap().letters.push_back((letter, names, bytes));
    }

    pub(crate) fn last_call(&self) -> Called {
        self.state.lock().unwrap().calls.pop().unwrap()
    }
}

/// What the next call leads to, and how it is answered.
pub(crate) struct Leads {
    pub(crate) to: Option<(&'static str, Command)>,
    pub(crate) status: u16,
    pub(crate) body: &'static str,
}

#[async_trait]
impl Adapter for Outside {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        if !self.state.lock().unwrap().is_well {
            return Err(Failure::new(FailureKind::Permanent, "adapter.failed", "as the test says"));
        }
        let (kind, record) = delivery.record.unwrap();
        let reference = format!("outside:{record}");
        let link = Link { kind, record, part: String::new(), reference, state: serde_json::Value::Null };
        Ok(Receipt { links: vec![link], ..Receipt::default() })
    }

    async fn reconcile(&self, _: &Delivery) -> Result<Option<Receipt>, Failure> {
        Ok(None)
    }

    async fn callback(&self, mut request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        let mut body = vec![];
        let read = request.body.read_to_end(&mut body).await;
        let bytes = read.map_err(|_| Failure::transient("adapter.failed", "the call broke off"))?;
        let CallbackRequest { method, path, headers, .. } = request;
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(Called { method, path, headers, bytes });
            state.answers.pop_front()
        };
        let letter = self.state.lock().unwrap().letters.pop_front();
        if let Some((mut letter, mut files, bytes)) = letter {
            for (file, bytes) in files.iter_mut().zip(bytes) {
                file.content = Some(host.keep(Box::new(std::io::Cursor::new(bytes))).await?);
            }
            let title = letter.subject.clone().unwrap_or_default();
            letter.documents = vec![Enclosure { title, kind: None, files }];
            host.take_in(letter).await?;
        }
        let Some(leads) = answer.transpose()? else { return Ok(Reply::text(200, "")) };
        if let Some((key, command)) = leads.to {
            host.submit(key, command).await?;
        }
        Ok(Reply::text(leads.status, leads.body))
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}
