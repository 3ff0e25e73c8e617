//! A gateway in small that sends: one dispatch with its case, links, steps, notes. And a sender and a subscriber at the simulated delivery
//! service that is shipped, which shares no code with either.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use adapter_online::fit::{
    Access, Bridge, Desk as Whose, Hosts, Names, Place, Sending, Service as Served, Settings, Target,
    adapter, sender,
};
use adapter_online::mapping::{Mapping, Raw};
use async_trait::async_trait;
use conformance::simulate::fit_connect::jose::{Key, Use};
use conformance::simulate::fit_connect::{Destination, SENDER, SUBSCRIBER, Service};
use model::activity::{Dispatch, DispatchStatus, ProofKind, Task};
use model::adapter::{
    About, AboutFile, Adapter, Content, Delivery, Handed, Host, Link, Receipt, Source, Wanted,
};
use model::case::{File, Reference};
use model::command::{Command, Rules};
use model::letter::{Letter, TakenIn};
use model::record::Meta;
use model::testkit::a_case;
use model::{Clock, Failure, Id, PayloadRef, Record, RecordKind, SystemClock, Timestamp, ids};
use net::{Client, Egress};
use seal::x509::{Certificate, Trust, WithoutRevocation};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use crate::bed::{private, vector};
use crate::desk::Desk;

pub(crate) const SERVICE: &str = "urn:de:fim:leika:leistung:99115005104000";
pub(crate) const SCHEMA: &str = "https://schema.fitko.de/fim/s00000096_1.0.schema.json";
pub(crate) const MESSAGES: &str = "urn:schema-fitko-de:fit-connect:id.bund.de:message_v6";
pub(crate) const STATES: &str = "urn:schema-fitko-de:fit-connect:id.bund.de:status_v6";
pub(crate) const APPLICATION: &str = "9ef6c096-131c-4e0e-895a-3503b80775ec";

static KEYS: LazyLock<Value> = LazyLock::new(|| vector("keys.TEST-ONLY.json"));

#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) held: Mutex<Held>,
}

#[derive(Default)]
pub(crate) struct Held {
    pub(crate) records: Vec<Record>,
    pub(crate) links: BTreeMap<(Id, String), Link>,
    pub(crate) notes: BTreeMap<String, Value>,
    pub(crate) state: BTreeMap<String, Value>,
    pub(crate) contents: BTreeMap<Id, Vec<u8>>,
    /// Answers of before, by their keys.
    answers: BTreeMap<String, Record>,
    /// Links that are kept before it dies.
    pub(crate) dies_after: Option<usize>,
}

impl Outbox {
    /// Does what a receipt or an adapter says, as the broker does.
    pub(crate) fn apply(&self, command: &Command) -> Result<Record, Failure> {
        let mut held = self.held.lock().unwrap();
        let current = held.records.iter().find(|record| record.meta().id == command.id).cloned();
        let decided = model::command::decide(current.as_ref(), command, Rules::default(), self.now());
        let record = decided.map_err(|error| Failure::permanent(error.code(), error.to_string()))?.record;
        match held.records.iter_mut().find(|record| record.meta().id == command.id) {
            Some(there) => *there = record.clone(),
            None => held.records.push(record.clone()),
        }
        Ok(record)
    }

    /// What proves a step: its document's only file.
    pub(crate) fn proof(&self, step: DispatchStatus) -> Option<(ProofKind, String)> {
        let dispatch = self.dispatch();
        let proof = dispatch.proofs.iter().find(|proof| proof.step.kind == step)?;
        let held = self.held.lock().unwrap();
        let document = held.records.iter().find_map(|record| match record {
            Record::Document(document) if Some(document.meta.id) == proof.document => Some(document),
            _ => None,
        })?;
        assert_eq!((document.parent, document.meta.root), (Some(dispatch.case_id), dispatch.meta.root));
        let content = document.versions[0].files[0].content.as_ref()?;
        Some((proof.kind, String::from_utf8(held.contents[&content.id].clone()).unwrap()))
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        let held = self.held.lock().unwrap();
        let tasks = held.records.iter().filter_map(|record| match record {
            Record::Task(task) => Some(task.clone()),
            _ => None,
        });
        tasks.collect()
    }

    pub(crate) fn dispatch(&self) -> Dispatch {
        let held = self.held.lock().unwrap();
        let dispatch = held.records.iter().find_map(|record| match record {
            Record::Dispatch(dispatch) => Some(dispatch.clone()),
            _ => None,
        });
        dispatch.unwrap()
    }

    pub(crate) fn steps(&self) -> Vec<DispatchStatus> {
        self.dispatch().steps.iter().map(|step| step.kind).collect()
    }
}

#[async_trait]
impl Host for Outbox {
    async fn record(&self, _: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        Ok(self.held.lock().unwrap().records.iter().find(|record| record.meta().id == id).cloned())
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn records(&self, wanted: &Wanted) -> Result<Vec<Record>, Failure> {
        let held = self.held.lock().unwrap();
        let is_it = |record: &&Record| {
            record.kind() == wanted.kind
                && wanted.status.as_deref().is_none_or(|status| record.status() == status)
                && wanted.root.is_none_or(|root| record.meta().root == root)
        };
        let mut found: Vec<Record> = held.records.iter().filter(is_it).cloned().collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.meta().id));
        found.retain(|record| wanted.after.is_none_or(|after| record.meta().id < after));
        found.truncate(wanted.limit as usize);
        Ok(found)
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        if let Some(first) = self.held.lock().unwrap().answers.get(key) {
            return Ok(first.clone());
        }
        let record = self.apply(&command)?;
        self.held.lock().unwrap().answers.insert(key.to_owned(), record.clone());
        Ok(record)
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        let (id, mut bytes) = (ids::new_id(), vec![]);
        content.read_to_end(&mut bytes).await.unwrap();
        let size = bytes.len() as u64;
        self.held.lock().unwrap().contents.insert(id, bytes);
        Ok(PayloadRef { id, size, sha256: String::new(), chunk_root: String::new() })
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        panic!("nothing is read")
    }

    async fn take_in(&self, _: Letter) -> Result<TakenIn, Failure> {
        panic!("nothing is taken in")
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        panic!("no message is brought")
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        let held = self.held.lock().unwrap();
        Ok(held.links.values().filter(|link| link.record == record).cloned().collect())
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        let held = self.held.lock().unwrap();
        Ok(held.links.values().find(|link| link.reference == reference).cloned())
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        let mut held = self.held.lock().unwrap();
        match &mut held.dies_after {
            Some(0) => return Err(Failure::transient("store.closed", "it died")),
            Some(left) => *left -= 1,
            None => {}
        }
        held.links.insert((link.record, link.part.clone()), link);
        Ok(())
    }

    async fn note(&self, key: &str, _: RecordKind, _: Id, detail: Value) -> Result<(), Failure> {
        self.held.lock().unwrap().notes.entry(key.to_owned()).or_insert(detail);
        Ok(())
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.held.lock().unwrap().state.get(key).cloned())
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        let mut held = self.held.lock().unwrap();
        match value {
            Value::Null => _ = held.state.remove(key),
            value => _ = held.state.insert(key.to_owned(), value),
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// Both ends and the service between them.
pub(crate) struct Line {
    pub(crate) service: Service,
    pub(crate) destination: Uuid,
    pub(crate) bridge: Uuid,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) sender: Arc<dyn Adapter>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) subscriber: Arc<dyn Adapter>,
    delivery: Id,
    files: Vec<(AboutFile, Vec<u8>)>,
}

impl Line {
    pub(crate) async fn new() -> Self {
        Line::with(|_, destination| Place::Destination(destination)).await
    }

    pub(crate) async fn with(place: impl FnOnce(&Service, Uuid) -> Place) -> Self {
        // Keys that are there need not be made.
        let key = |name: &str| Key::read(&KEYS[name], Use::Signing).unwrap();
        let keys = (key("delivery_service_private"), key("sender_reply_private"));
        let service = Service::start_as(0, keys).await.unwrap();
        let (destination, bridge) = (Uuid::now_v7(), Uuid::now_v7());
        let keys =
            ["destination_encryption_public", "destination_signature_public"].map(|name| KEYS[name].clone());
        let make = |id, services: &[(&str, &str)]| Destination {
            id,
            name: "Simulator: Zustellpunkt".into(),
            status: "active".into(),
            encryption_kid: keys[0]["kid"].as_str().unwrap().to_owned(),
            keys: keys.to_vec(),
            services: services
                .iter()
                .map(|(it, schema)| ((*it).to_owned(), vec![(*schema).to_owned()]))
                .collect(),
            areas: vec!["055740000000".into()],
            callback: None,
        };
        service.set_up(make(destination, &[(SERVICE, SCHEMA)]));
        service.set_up(make(bridge, &[(MESSAGES, "zbp"), (STATES, "zbp")]));
        let place = place(&service, destination);
        let outbox = Arc::new(Outbox::default());
        let desk = Arc::new(Desk::default());
        desk.held.lock().unwrap().now = SystemClock.now();
        let sender = a_sender(&service, place, bridge, None);
        let subscriber = a_subscriber(&service, destination);
        let delivery = ids::new_id();
        Line { service, destination, bridge, outbox, sender, desk, subscriber, delivery, files: vec![] }
    }

    /// The sender trusts these anchors alone.
    pub(crate) fn trust(&mut self, anchors: &[Certificate]) {
        let trust = Trust::new(anchors).unwrap().without_revocation(WithoutRevocation::Accept);
        let place = Place::Destination(self.destination);
        self.sender = a_sender(&self.service, place, self.bridge, Some(trust));
    }

    /// A dispatch to `to` with these documents: name, type, bytes.
    pub(crate) fn dispatch(&mut self, to: Value, documents: &[(&str, &str, &[u8])]) {
        let Record::Case(mut case) = a_case("Anmeldung") else { panic!() };
        let reference = Reference { kind: "id-bund-application".into(), value: APPLICATION.into() };
        case.description.references.push(reference);
        case.description.record_reference = Some("63-2026-0815".into());
        for (name, media_type, bytes) in documents {
            let content = PayloadRef {
                id: ids::new_id(),
                size: bytes.len() as u64,
                sha256: String::new(),
                chunk_root: String::new(),
            };
            let file = File {
                name: (*name).into(),
                media_type: Some((*media_type).into()),
                content: Some(content),
                ..File::default()
            };
            let about = AboutFile { document: ids::new_id(), version: "1".into(), file };
            self.files.push((about, bytes.to_vec()));
        }
        let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
        let mut json = serde_json::to_value(meta).unwrap();
        let more = json!({
            "caseId": case.meta.id,
            "kind": "disclosure",
            "documents": self.files.iter().map(|(about, _)| about.document).collect::<Vec<_>>(),
            "way": "fit-connect",
            "to": to,
        });
        for (name, value) in more.as_object().unwrap() {
            json[name] = value.clone();
        }
        let dispatch = Record::from_json(RecordKind::Dispatch, json).unwrap();
        self.outbox.held.lock().unwrap().records = vec![Record::Case(case), dispatch];
    }

    /// One more dispatch like the last one, which is the one that is told of from now on.
    pub(crate) fn also(&mut self) {
        let mut dispatch = self.outbox.dispatch();
        let meta = Meta { id: ids::new_id(), ..dispatch.meta };
        dispatch = Dispatch { meta, status: DispatchStatus::Open, steps: vec![], proofs: vec![], ..dispatch };
        self.delivery = ids::new_id();
        self.outbox.held.lock().unwrap().records.insert(1, Record::Dispatch(dispatch));
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let held = self.outbox.held.lock().unwrap();
        let about = About {
            record: held.records[1].clone(),
            above: vec![held.records[0].clone()],
            links: held.links.values().cloned().collect(),
            files: self.files.iter().map(|(about, _)| about.clone()).collect(),
        };
        Delivery {
            id: self.delivery,
            tenant: "soest".into(),
            kind: "record.created".into(),
            record: Some((RecordKind::Dispatch, about.record.meta().id)),
            detail: Value::Null,
            about: Some(Box::new(about)),
        }
    }

    /// Tells the sender, and does what its receipt says.
    pub(crate) async fn send(&self) -> Result<Receipt, Failure> {
        let sources: Vec<Box<dyn Source>> =
            self.files.iter().map(|(_, bytes)| Box::new(bytes.clone()) as Box<dyn Source>).collect();
        let receipt = self.sender.deliver_noting(&self.delivery(), &sources, self.outbox.clone()).await?;
        receipt.commands.iter().for_each(|command| _ = self.outbox.apply(command).unwrap());
        Ok(receipt)
    }

    /// Tells the sender of a case, and gives whether it told anybody.
    pub(crate) async fn tell(&self, case: &Record) -> bool {
        let links = self.outbox.held.lock().unwrap().links.values().cloned().collect();
        let about = About { record: case.clone(), above: vec![], links, files: vec![] };
        let delivery = Delivery {
            id: ids::new_id(),
            tenant: "soest".into(),
            kind: "record.changed".into(),
            record: Some((RecordKind::Case, case.meta().id)),
            detail: Value::Null,
            about: Some(Box::new(about)),
        };
        let receipt = self.sender.deliver_noting(&delivery, &[], self.outbox.clone()).await.unwrap();
        let mut held = self.outbox.held.lock().unwrap();
        for link in &receipt.links {
            held.links.insert((link.record, link.part.clone()), link.clone());
        }
        !receipt.nothing
    }

    /// States that are followed.
    pub(crate) fn followed(&self) -> Vec<Link> {
        let held = self.outbox.held.lock().unwrap();
        held.links.values().filter(|link| link.reference.starts_with("followed")).cloned().collect()
    }

    pub(crate) async fn fetch(&self) -> Result<Duration, Failure> {
        self.subscriber.run(self.desk.clone()).await
    }

    pub(crate) async fn look(&self) {
        self.sender.run(self.outbox.clone()).await.unwrap();
    }
}

fn access(service: &Service, (id, secret): (&str, &str)) -> Access {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client =
        Client::new(Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), Arc::clone(&clock));
    let hosts = Hosts { token: service.token_url(), submission: service.submission_url() };
    let credentials = (id.to_owned(), zeroize::Zeroizing::new(secret.to_owned()));
    Access::new(client, clock, hosts, credentials, (Duration::from_secs(10), Duration::from_secs(60)))
}

fn a_sender(service: &Service, place: Place, bridge: Uuid, trust: Option<Trust>) -> Arc<dyn Adapter> {
    let served = |identifier: &str, name: &str| Served { identifier: identifier.into(), name: name.into() };
    let settings = Sending {
        id: "fit-out".into(),
        target: Some(Target { place, service: served(SERVICE, "Wohnsitz anmelden"), schema: SCHEMA.into() }),
        bridge: Some(Bridge {
            destination: bridge,
            identity: crate::author::identity(),
            sender: "Landkreis Test".into(),
            level: 1,
            message: served(MESSAGES, "ZBP Message Forwarding"),
            status: served(STATES, "ZBP State Forwarding"),
            schema: "zbp".into(),
        }),
        issuer: None,
        trust,
        tells_state: true,
        subject: "Ihr Bescheid".into(),
        text: "Bitte öffnen Sie die Anlage.".into(),
        most_bytes: 1 << 30,
        calls: None,
        pause: Duration::from_secs(60),
        followed: Duration::from_secs(86_400),
    };
    sender(settings, access(service, SENDER))
}

fn a_subscriber(service: &Service, destination: Uuid) -> Arc<dyn Adapter> {
    let raw = Raw { id: "alle".into(), title: "Antrag".into(), ..Raw::default() };
    let settings = Settings {
        id: "fit".into(),
        destination,
        signing: private("destination_signature_private"),
        decryption: Arc::from([private("destination_encryption_private")]),
        issuer: None,
        trust: None,
        set_schema: None,
        names: Names::default(),
        mappings: vec![Mapping::new(raw).unwrap()],
        desk: Whose {
            tenant: "soest".into(),
            authority: "bab:05974000".parse().unwrap(),
            unit: "33".into(),
            service: Some("wohnsitz".into()),
        },
        pause: Duration::from_secs(60),
        callback_secret: None,
        most_data: 1 << 20,
        most_attachment: 1 << 28,
        most_submission: 1 << 30,
        told_after: Duration::from_secs(3 * 86_400),
        deadline: Duration::from_secs(14 * 86_400),
    };
    adapter(settings, access(service, SUBSCRIBER)).unwrap()
}
