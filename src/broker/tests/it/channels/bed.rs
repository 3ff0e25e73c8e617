//! A gateway with two adapters that do what their scripts say: `dms` keeps records and follows them, `post` brings things in.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Broker, Channel, Filing, Page, Places, RecordFilter, Workers};
use bytes::Bytes;
use model::activity::{Interaction, Task};
use model::adapter::{
    Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Link, Receipt, Reply,
    Sources,
};
use model::case::{Case, Description, Document, DocumentDates, File, RecordStatus};
use model::command::Command;
use model::letter::{Enclosure, Hint, HintKind, Letter};
use model::record::Meta;
use model::rights::Within;
use model::sending::Sending;
use model::{Caller, Event, EventKind, Failure, FailureKind, Id, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use crate::house::{Gateway, SetClock, caller, create, soest};

pub const DMS: &str = "dms";
pub const POST: &str = "post";

/// What a call does instead of what it should.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing happens, and it fails like this.
    Before(FailureKind),
    /// It happens, and nobody learns of it.
    Lost,
    /// It happens, and is never answered.
    Silent,
}

/// What an adapter was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: Id,
    pub kind: String,
    pub record: (RecordKind, Id),
    pub title: String,
    pub above: Vec<Id>,
    pub links: Vec<Link>,
    pub bytes: Vec<Vec<u8>>,
    pub detail: Value,
}

type Answer = Box<dyn Fn(&Delivery) -> Receipt + Send>;

#[derive(Default)]
pub struct State {
    /// Answers to the next calls; when they are used up, all goes well.
    pub faults: VecDeque<Option<Fault>>,
    /// What is done for records with this title instead.
    pub by_title: BTreeMap<String, FailureKind>,
    /// What it has, by delivery.
    pub made: BTreeMap<Id, Receipt>,
    /// Everything that it was told, in order; a delivery that came twice stands there twice.
    pub told: Vec<Told>,
    pub answer: Option<Answer>,
    pub asked: u32,
    /// What it answers if it is asked about a delivery, instead of what it knows.
    pub unasked: Option<FailureKind>,
    /// What its sessions were given.
    pub hosts: Vec<Arc<dyn Host>>,
    /// How the next sessions end.
    pub sessions: VecDeque<FailureKind>,
    pub running: u32,
    pub most_running: u32,
    /// What a call from outside leads to.
    pub commands: Vec<(String, Command)>,
}

pub struct Scripted {
    pub descriptor: Descriptor,
    pub state: Mutex<State>,
    /// Rung when a call is made that is never answered.
    pub silent: Notify,
}

impl Scripted {
    pub fn new(id: &str, follows: &[(EventKind, RecordKind)]) -> Scripted {
        let capabilities =
            vec![Capability::Deliver, Capability::Reconcile, Capability::Run, Capability::Callback];
        let follows = follows.iter().map(|(event, record)| Interest { event: *event, record: *record });
        let descriptor =
            Descriptor { follows: follows.collect(), ..Descriptor::new(id, "test", capabilities) };
        Scripted { descriptor, state: Mutex::default(), silent: Notify::new() }
    }

    pub fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub fn fails(&self, faults: &[Fault]) {
        self.set(|state| state.faults.extend(faults.iter().copied().map(Some)));
    }

    pub fn told(&self) -> Vec<Told> {
        self.set(|state| state.told.clone())
    }

    /// Kinds and titles of what it was told.
    pub fn heard(&self) -> Vec<(String, String)> {
        self.told().into_iter().map(|told| (told.kind, told.title)).collect()
    }

    /// The host of its newest session.
    pub fn host(&self) -> Arc<dyn Host> {
        self.set(|state| state.hosts.last().cloned()).unwrap()
    }
}

fn title(record: &Record) -> String {
    match record {
        Record::Task(task) => task.title.clone(),
        record => record.description().map(|it| it.title.clone()).unwrap_or_default(),
    }
}

#[async_trait]
impl Adapter for Scripted {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let about = delivery.about.as_ref().unwrap();
        let mut bytes = vec![];
        for source in sources {
            let mut all = vec![];
            source.open().await?.read_to_end(&mut all).await.unwrap();
            bytes.push(all);
        }
        let told = Told {
            id: delivery.id,
            kind: delivery.kind.clone(),
            record: delivery.record.unwrap(),
            title: title(&about.record),
            above: about.above.iter().map(|record| record.meta().id).collect(),
            links: about.links.clone(),
            bytes,
            detail: delivery.detail.clone(),
        };
        let (fault, receipt) = self.set(|state| {
            let fault = state.faults.pop_front().flatten();
            let fault = fault.or(state.by_title.get(&told.title).map(|kind| Fault::Before(*kind)));
            if let Some(Fault::Before(kind)) = fault {
                return Err(Failure::new(kind, "adapter.failed", "as the script says"));
            }
            let (kind, record) = told.record;
            let link = Link {
                kind,
                record,
                part: String::new(),
                reference: format!("dms:{record}"),
                state: json!({ "told": state.told.len() }),
            };
            let receipt = match &state.answer {
                Some(answer) => answer(delivery),
                None => Receipt {
                    reference: Some(link.reference.clone()),
                    links: vec![link],
                    ..Receipt::default()
                },
            };
            state.told.push(told);
            state.made.insert(delivery.id, receipt.clone());
            Ok((fault, receipt))
        })?;
        match fault {
            Some(Fault::Lost) => Err(Failure::new(FailureKind::Uncertain, "adapter.failed", "no answer")),
            Some(Fault::Silent) => {
                self.silent.notify_one();
                std::future::pending().await
            }
            _ => Ok(receipt),
        }
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        self.set(|state| {
            state.asked += 1;
            match state.unasked {
                Some(kind) => Err(Failure::new(kind, "adapter.failed", "nobody knows")),
                None => Ok(state.made.get(&delivery.id).cloned()),
            }
        })
    }

    async fn callback(&self, mut request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        let mut body = String::new();
        request.body.read_to_string(&mut body).await.map_err(|_| Failure::transient("adapter.failed", ""))?;
        let commands = self.set(|state| state.commands.clone());
        for (key, command) in commands {
            host.submit(&key, command).await?;
        }
        Ok(Reply::text(202, format!("{} {}", request.path, body)))
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let fails = self.set(|state| {
            state.hosts.push(host);
            state.running += 1;
            state.most_running = state.most_running.max(state.running);
            state.sessions.pop_front()
        });
        tokio::task::yield_now().await;
        self.set(|state| state.running -= 1);
        match fails {
            Some(kind) => Err(Failure::new(kind, "adapter.failed", "as the script says")),
            None => Ok(Duration::from_secs(60)),
        }
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

pub struct Bed {
    pub broker: Broker,
    pub gateway: Gateway,
    pub clock: Arc<SetClock>,
    pub ours: Caller,
    pub dms: Arc<Scripted>,
    pub post: Arc<Scripted>,
    database: Option<String>,
}

/// What a DMS follows.
pub const FOLLOWS: &[(EventKind, RecordKind)] = &[
    (EventKind::RecordCreated, RecordKind::Case),
    (EventKind::RecordCreated, RecordKind::Document),
    (EventKind::RecordChanged, RecordKind::Case),
    (EventKind::ReferenceAssigned, RecordKind::Case),
    (EventKind::ContentAdded, RecordKind::Document),
];

impl Bed {
    pub async fn new(database: Option<String>) -> Bed {
        let mut dms = Scripted::new(DMS, FOLLOWS);
        dms.descriptor.keeps_records = true;
        Bed::with(database, dms, Scope { units: Within::one("63"), ..Scope::tenant("soest") }).await
    }

    /// With a DMS of one's own, that sees so much.
    pub async fn with(database: Option<String>, dms: Scripted, scope: Scope) -> Bed {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database.clone(), clock.clone()).await;
        let post = Scripted::new(POST, &[]);
        Bed::of((gateway, clock, database), (dms, post, scope), Sending::default()).await
    }

    /// With two that carry dispatches, of these ways, and what the house has decided about them.
    pub async fn carrying(database: Option<String>, ways: [&str; 2], sending: Sending) -> Bed {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database.clone(), clock.clone()).await;
        let [first, second] = [(DMS, ways[0]), (POST, ways[1])].map(|(id, way)| {
            let mut carrier = Scripted::new(id, &[(EventKind::RecordCreated, RecordKind::Dispatch)]);
            carrier.descriptor.way = Some(way.to_owned());
            carrier
        });
        Bed::of((gateway, clock, database), (first, second, Scope::tenant("soest")), sending).await
    }

    /// Over a gateway of one's own, on SQLite.
    pub async fn over(gateway: Gateway, clock: Arc<SetClock>) -> Bed {
        let dms = Scripted::new(DMS, FOLLOWS);
        let post = Scripted::new(POST, &[]);
        Bed::of((gateway, clock, None), (dms, post, Scope::tenant("soest")), Sending::default()).await
    }

    async fn of(
        (gateway, clock, database): (Gateway, Arc<SetClock>, Option<String>),
        (dms, post, scope): (Scripted, Scripted, Scope),
        sending: Sending,
    ) -> Bed {
        let (dms, post) = (Arc::new(dms), Arc::new(post));
        let broker = gateway.broker.clone().with_adapters(vec![dms.clone(), post.clone()]);
        let channel = Channel {
            scope,
            authority: soest(),
            unit: "63".into(),
            from_beginning: false,
            patience: Duration::from_secs(24 * 3_600),
        };
        let channels = [(DMS.to_owned(), channel.clone()), (POST.to_owned(), channel)];
        let broker = broker.with_channels(channels).with_sending(sending);
        let bed = Bed { broker, gateway, clock, ours: caller("soest", "63"), dms, post, database };
        // From now on they are told.
        bed.run().await;
        bed
    }

    /// Does what is due by the gateway's clock. PostgreSQL claims by its own, so there what is due is made so.
    pub async fn run(&self) {
        let mut idle = 0;
        // What a round without jobs finds in the events is due by our clock, too.
        while idle < 2 {
            let now = model::Clock::now(&*self.clock).micros();
            self.sql("UPDATE job SET due_at = 0 WHERE holder IS NULL AND due_at <= $1", now).await;
            match self.broker.run_due_jobs().await.unwrap() {
                0 => idle += 1,
                _ => idle = 0,
            }
        }
    }

    /// Some time later, also for breakers.
    pub async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.sql("UPDATE lane SET open_until = open_until - $1", by.as_micros() as i64).await;
        self.run().await;
    }

    /// Whatever waits has waited for too long.
    pub async fn patience_ends(&self) {
        self.damage("UPDATE job SET expires_at = 1 WHERE expires_at IS NOT NULL").await;
        self.broker.expire_due().await.unwrap();
    }

    async fn sql(&self, sql: &'static str, number: i64) {
        let Some(url) = &self.database else { return };
        let mut server = PgConnection::connect(url).await.unwrap();
        sqlx::query(sql).bind(number).execute(&mut server).await.unwrap();
    }

    /// Changes a row behind the gateway's back.
    pub async fn damage(&self, sql: &'static str) {
        match &self.database {
            Some(url) => {
                let mut server = PgConnection::connect(url).await.unwrap();
                sqlx::query(sql).execute(&mut server).await.unwrap();
            }
            None => {
                let url = format!("sqlite:{}", self.gateway.folder.path().join("db").display());
                let mut file = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(sql).execute(&mut file).await.unwrap();
            }
        }
    }

    /// The process ends while a call is under way that is never answered, and begins anew.
    pub async fn dies_in_a_call(&self, adapter: &Scripted) {
        let broker = self.broker.clone();
        let work = tokio::spawn(async move { broker.run_due_jobs().await });
        adapter.silent.notified().await;
        work.abort();
        let _ = work.await;
        self.restart().await;
    }

    pub async fn restart(&self) {
        let none = Places { work: 0, network: 1 };
        Workers::start_in(self.broker.clone(), none).await.unwrap().stop().await;
    }

    /// A session of each adapter.
    pub async fn sessions(&self) {
        self.broker.enqueue_sessions().await.unwrap();
        self.run().await;
    }

    pub async fn case(&self, title: &str) -> Case {
        self.gateway.a_case(&self.ours, title).await
    }

    pub async fn submit(&self, record: Record) -> Record {
        self.broker.submit(&self.ours, create(record), None).await.unwrap()
    }

    /// A document in a case, with one file.
    pub async fn document(&self, case: &Case, title: &str, content: &'static str) -> Id {
        let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
        let id = meta.id;
        self.submit(Record::Document(a_document(meta, Some(case.meta.id), title))).await;
        self.content(id, "1", content).await;
        id
    }

    /// A file in a version of a document.
    pub async fn content(&self, document: Id, version: &str, content: &'static str) {
        let upload = broker::Upload {
            file_name: "a.txt".into(),
            version: version.into(),
            ..broker::Upload::default()
        };
        let body = futures::stream::iter([Ok(Bytes::from_static(content.as_bytes()))]);
        self.broker.add_content(&self.ours, document, upload, body).await.unwrap();
    }

    pub async fn record(&self, kind: RecordKind, id: Id) -> Record {
        self.broker.record(&self.ours, kind, id).await.unwrap()
    }

    pub async fn all(&self, kind: RecordKind) -> Vec<Record> {
        self.broker.records(&self.ours, &RecordFilter::of(kind), &Page::first(200)).await.unwrap().items
    }

    pub async fn open_tasks(&self) -> Vec<Task> {
        let all = self.all(RecordKind::Task).await.into_iter();
        let tasks = all.filter_map(|record| match record {
            Record::Task(task) => Some(task),
            _ => None,
        });
        tasks.filter(|task| task.status.is_open()).collect()
    }

    pub async fn timeline(&self, id: Id) -> Vec<Event> {
        let all = self.broker.record_timeline(&self.ours, id, &Page::first(200)).await.unwrap();
        all.into_iter().map(|(_, event)| event).collect()
    }

    /// What waits for adapters.
    pub async fn waiting(&self) -> Vec<broker::ChannelDelivery> {
        let filter = broker::ChannelFilter::default();
        self.broker.channel_deliveries(&self.ours, &filter, &Page::first(200)).await.unwrap().items
    }

    pub async fn file(&self, id: Id, filing: Filing) -> Result<Interaction, broker::Error> {
        self.broker.file_interaction(&self.ours, (id, None), &filing, None).await
    }
}

pub fn a_document(meta: Meta, parent: Option<Id>, title: &str) -> Document {
    Document {
        meta,
        description: Description { title: title.into(), ..Description::default() },
        parent,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    }
}

/// Bytes kept in a session.
pub async fn kept(host: &Arc<dyn Host>, name: &str, content: &str) -> File {
    let content = Box::new(std::io::Cursor::new(content.as_bytes().to_vec()));
    let content = host.keep(content).await.unwrap();
    File { name: name.into(), content: Some(content), ..File::default() }
}

pub fn hint(kind: HintKind, value: &str, confidence: u8) -> Hint {
    Hint { kind, value: value.into(), confidence, place: "page 1".into() }
}

/// A letter with one document, whose bytes are kept in this session.
pub async fn a_letter(host: &Arc<dyn Host>, key: &str, hints: Vec<Hint>) -> Letter {
    let files = vec![kept(host, "brief.pdf", "%PDF-1.7 Brief").await];
    Letter {
        key: key.into(),
        way: "scan".into(),
        received_at: Timestamp::from_micros(1_700_000_000_000_000),
        subject: Some("Ihr Schreiben".into()),
        from: Some("Erika Mustermann".into()),
        documents: vec![Enclosure { title: "Brief".into(), kind: None, files }],
        hints,
        proof: json!({ "batch": "b-1" }),
        ..Letter::default()
    }
}

/// Kinds of events.
pub fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// The one event of a kind.
pub fn detail(events: &[Event], kind: EventKind) -> Value {
    let mut found = events.iter().filter(|event| event.kind == kind);
    let detail = found.next().unwrap_or_else(|| panic!("no {kind:?} in {events:?}")).detail.clone().unwrap();
    assert!(found.next().is_none(), "one {kind:?}");
    detail
}
