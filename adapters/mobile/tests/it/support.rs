//! A broker in memory, a server of ours with a few services, and calls to it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_mobile::Open311;
use adapter_mobile::settings::{Attribute, Key, Publish, Service, Settings};
use async_trait::async_trait;
use model::activity::{Interaction, InteractionStatus};
use model::adapter::{Adapter, CallbackRequest, Content, Handed, Host, Link, Wanted};
use model::case::{Case, Priority, RecordStatus, Reference};
use model::command::{Change, Command};
use model::letter::{Letter, TakenIn};
use model::record::Meta;
use model::testkit::a_meta;
use model::{Clock, Failure, Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use net::{Client, Egress};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

pub(crate) const START: &str = "2026-11-30T08:00:00Z";

/// A clock that stands until it is moved.
pub(crate) struct Stopped(Mutex<Timestamp>);

impl Stopped {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Stopped(Mutex::new(Timestamp::parse(START).unwrap())))
    }

    pub(crate) fn later(&self, seconds: u64) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(Duration::from_secs(seconds));
    }
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn client(allow: &[&str]) -> Client {
    Client::new(Egress::new(allow).unwrap(), net::Settings::default(), Stopped::new())
}

/// What a broker would keep.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) now: Option<Timestamp>,
    pub(crate) records: Vec<Record>,
    pub(crate) letters: BTreeMap<String, (Letter, TakenIn)>,
    pub(crate) bytes: BTreeMap<Id, Vec<u8>>,
    pub(crate) links: Vec<Link>,
    pub(crate) notes: BTreeMap<String, Value>,
    pub(crate) submitted: Vec<Command>,
    /// The next letter says that it has come, and waits.
    pub(crate) gate: Option<(Arc<Notify>, Arc<Notify>)>,
}

/// A broker in memory.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<Kept>);

impl Memory {
    pub(crate) fn later(&self, seconds: u64) {
        let now = self.now().plus(Duration::from_secs(seconds));
        self.0.lock().unwrap().now = Some(now);
    }

    pub(crate) fn case(&self, id: &str) -> Case {
        let id: Id = id.parse().unwrap();
        let kept = self.0.lock().unwrap();
        let found = kept.records.iter().find_map(|record| match record {
            Record::Case(case) if case.meta.id == id => Some(case.clone()),
            _ => None,
        });
        found.unwrap()
    }

    /// Changes a case as a clerk would.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Case)) {
        let (id, now) = (id.parse::<Id>().unwrap(), self.now());
        let mut kept = self.0.lock().unwrap();
        let case = kept.records.iter_mut().find(|record| record.meta().id == id).unwrap();
        let Record::Case(case) = case else { panic!("no case") };
        case.meta.version += 1;
        case.meta.updated_at = now;
        change(case);
    }

    pub(crate) fn refer(&self, id: &str, kind: &str, value: &str) {
        let reference = Reference { kind: kind.into(), value: value.into() };
        self.change(id, |case| {
            case.description.references.retain(|known| known.kind != kind);
            case.description.references.push(reference);
        });
    }

    pub(crate) fn only_letter(&self) -> Letter {
        let kept = self.0.lock().unwrap();
        assert_eq!(kept.letters.len(), 1);
        kept.letters.values().next().unwrap().0.clone()
    }

    pub(crate) fn letters(&self) -> usize {
        self.0.lock().unwrap().letters.len()
    }
}

fn meta(now: Timestamp) -> Meta {
    let id = ids::new_id();
    Meta { id, root: id, created_at: now, updated_at: now, version: 1, ..a_meta() }
}

fn names(record: &Record, (kind, value): &(String, String)) -> bool {
    record.names().iter().any(|(k, v)| k == kind && v == value)
}

#[async_trait]
impl Host for Memory {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        let kept = self.0.lock().unwrap();
        Ok(kept.records.iter().find(|it| it.kind() == kind && it.meta().id == id).cloned())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn records(&self, wanted: &Wanted) -> Result<Vec<Record>, Failure> {
        let kept = self.0.lock().unwrap();
        let takes = |record: &&Record| {
            let meta = record.meta();
            let service = meta.public_service.clone().unwrap_or_default();
            record.kind() == wanted.kind
                && (wanted.services.is_empty() || wanted.services.contains(&service))
                && wanted.status.as_ref().is_none_or(|status| record.status() == *status)
                && wanted.root.is_none_or(|root| meta.root == root)
                && wanted.name.as_ref().is_none_or(|name| names(record, name))
                && wanted.since.is_none_or(|since| meta.created_at >= since)
                && wanted.before.is_none_or(|before| meta.created_at < before)
                && wanted.after.is_none_or(|after| meta.id < after)
        };
        let mut found: Vec<Record> = kept.records.iter().filter(takes).cloned().collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.meta().id));
        found.truncate(wanted.limit as usize);
        Ok(found)
    }

    async fn submit(&self, _: &str, command: Command) -> Result<Record, Failure> {
        let mut kept = self.0.lock().unwrap();
        kept.submitted.push(command.clone());
        let record = kept.records.iter_mut().find(|it| it.meta().id == command.id).unwrap();
        if let (Record::Case(case), Change::Close) = (&mut *record, &command.change) {
            case.status = RecordStatus::Closed;
        }
        Ok(record.clone())
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        let mut bytes = vec![];
        content.read_to_end(&mut bytes).await.unwrap();
        let id = ids::new_id();
        let sha256 = seal::sha256(&[&bytes]).to_string();
        let reference = PayloadRef { id, size: bytes.len() as u64, chunk_root: sha256.clone(), sha256 };
        self.0.lock().unwrap().bytes.insert(id, bytes);
        Ok(reference)
    }

    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure> {
        let kept = self.0.lock().unwrap();
        let bytes = kept.bytes.get(&content.id).cloned();
        let gone = || Failure::permanent("model.not-found", "erased");
        Ok(Box::new(Cursor::new(bytes.ok_or_else(gone)?)))
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        let gate = self.0.lock().unwrap().gate.take();
        if let Some((has_come, may_go)) = gate {
            has_come.notify_one();
            may_go.notified().await;
        }
        let now = self.now();
        let mut kept = self.0.lock().unwrap();
        if let Some((_, first)) = kept.letters.get(&letter.key) {
            return Ok(TakenIn { again: true, ..first.clone() });
        }
        let named = letter.hints.first().map(|hint| hint.value.clone());
        let known = kept.records.iter().find(|record| {
            record.kind() == RecordKind::Case
                && record.names().iter().any(|(_, value)| Some(value) == named.as_ref())
        });
        let mut case = known.map(|record| record.meta().id);
        if let (None, Some(new)) = (case, &letter.opens) {
            let mut meta = meta(now);
            meta.public_service.clone_from(&new.public_service);
            case = Some(meta.id);
            kept.records.push(Record::Case(Case {
                meta,
                description: new.description.clone(),
                case_file: None,
                parent: None,
                status: RecordStatus::Open,
                priority: Priority::Normal,
                locations: new.locations.clone(),
            }));
        }
        let mut meta = meta(now);
        meta.root = case.unwrap_or(meta.root);
        let interaction = Interaction {
            meta,
            case_id: case,
            kind: letter.way.clone(),
            at: now,
            subject: None,
            from: letter.from.clone(),
            documents: vec![],
            hints: vec![],
            proposals: vec![],
            concerns: vec![],
            call: None,
            proof: letter.proof.clone(),
            status: InteractionStatus::Filed,
        };
        let taken = TakenIn { interaction: interaction.meta.id, case, again: false };
        kept.records.push(Record::Interaction(interaction));
        kept.letters.insert(letter.key.clone(), (letter, taken.clone()));
        Ok(taken)
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        Err(Failure::permanent("adapter.not-offered", ""))
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        let kept = self.0.lock().unwrap();
        Ok(kept.links.iter().filter(|link| link.record == record).cloned().collect())
    }

    async fn linked(&self, _: &str) -> Result<Option<Link>, Failure> {
        Ok(None)
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        let mut kept = self.0.lock().unwrap();
        let is_it = |known: &&mut Link| (known.record, &known.part) == (link.record, &link.part);
        match kept.links.iter_mut().find(is_it) {
            Some(known) => *known = link,
            None => kept.links.push(link),
        }
        Ok(())
    }

    async fn note(&self, key: &str, _: RecordKind, _: Id, detail: Value) -> Result<(), Failure> {
        self.0.lock().unwrap().notes.entry(key.to_owned()).or_insert(detail);
        Ok(())
    }

    async fn state(&self, _: &str) -> Result<Option<Value>, Failure> {
        Ok(None)
    }

    async fn set_state(&self, _: &str, _: Value) -> Result<(), Failure> {
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now.unwrap_or_else(|| Timestamp::parse(START).unwrap())
    }
}

pub(crate) fn settings() -> Settings {
    let values = ["circle", "square"].map(|key| (key.to_owned(), key.to_uppercase())).to_vec();
    let attribute = |code: &str, datatype: &str, required| Attribute {
        code: code.into(),
        description: format!("{code}?"),
        datatype: datatype.into(),
        required,
        variable: true,
        values: if datatype.ends_with("list") { values.clone() } else { vec![] },
        ..Attribute::default()
    };
    let service = |code: &str, name: &str| Service {
        code: code.into(),
        name: name.into(),
        description: Some(format!("{name} & mehr")),
        group: Some("Straßen".into()),
        keywords: vec!["tief".into(), "Loch".into()],
        public_service: Some("strassenschaden".into()),
        ..Service::default()
    };
    let attributes = vec![attribute("depth", "number", true), attribute("shape", "singlevaluelist", false)];
    Settings {
        id: "meldungen".into(),
        url: "https://meldung.kreis.example/open311/v2".into(),
        jurisdiction: Some("kreis.example".into()),
        contact: Some("it@kreis.example".into()),
        key_service: None,
        changeset: START.into(),
        test: true,
        agency: Some("Kreis".into()),
        services: vec![
            service("001", "Ampel"),
            Service { attributes, ..service("POT", "Schlagloch") },
            Service { batch: true, ..service("BIN", "Abfall") },
        ],
        keys: vec![
            Key { name: "app".into(), digest: seal::sha256(&[b"testkey"]), per_minute: 1_000 },
            Key { name: "xyz".into(), digest: seal::sha256(&[b"xyz"]), per_minute: 3 },
        ],
        publish: Publish::AfterCheck,
        near_metres: 50,
        media_hosts: vec![],
        photo_bytes: 1 << 20,
        photo_pixels: 4_000_000,
        reads_per_minute: 10_000,
    }
}

/// A server and its broker.
pub(crate) struct Bed {
    pub(crate) server: Open311,
    pub(crate) host: Arc<Memory>,
}

/// Status, type and body of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// The id of the report that was made.
    pub(crate) fn id(&self) -> String {
        let id = self.json()[0]["service_request_id"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("{} {}", self.status, self.text()))
    }
}

impl Bed {
    pub(crate) fn new() -> Self {
        Bed::with(settings(), &[])
    }

    pub(crate) fn with(settings: Settings, allow: &[&str]) -> Self {
        Bed { server: Open311::new(settings, client(allow)), host: Arc::default() }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let length = ("content-length", &*body.len().to_string());
        let headers = [headers, &[length]].concat();
        self.call_with(method, path, &headers, Box::new(Cursor::new(body.to_vec()))).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Content,
    ) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request =
            CallbackRequest { method: method.into(), path: path.into(), headers: headers.collect(), body };
        let mut reply = self.server.callback(request, self.host.clone()).await.unwrap();
        let mut body = vec![];
        reply.body.read_to_end(&mut body).await.unwrap();
        Answer { status: reply.status, kind: reply.content_type.unwrap_or_default(), body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, form: &str) -> Answer {
        let form = format!("api_key=testkey&{form}");
        self.call("POST", "requests.json", &[], form.as_bytes()).await
    }

    /// A report as a form in parts: name, file name, type, bytes.
    pub(crate) async fn post_parts(&self, parts: &[(&str, &str, &str, &[u8])]) -> Answer {
        self.post_parts_to("requests.json", parts).await
    }

    pub(crate) async fn post_parts_to(&self, path: &str, parts: &[(&str, &str, &str, &[u8])]) -> Answer {
        let mut body = vec![];
        let api_key: (&str, &str, &str, &[u8]) = ("api_key", "", "", b"testkey");
        for (name, file, kind, bytes) in parts.iter().copied().chain([api_key]) {
            body.extend(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"").into_bytes());
            if !file.is_empty() {
                body.extend(format!("; filename=\"{file}\"\r\nContent-Type: {kind}").into_bytes());
            }
            body.extend([b"\r\n\r\n", bytes, b"\r\n"].concat());
        }
        body.extend(b"--xyz--\r\n");
        let kind = ("content-type", "multipart/form-data; boundary=xyz");
        self.call("POST", path, &[kind], &body).await
    }
}

/// Material that is not part of the project, if it is there.
pub(crate) fn shared(path: &str) -> Option<Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/");
    let bytes = std::fs::read(format!("{root}{path}")).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: ../shared/{path} is absent");
    }
    bytes
}
