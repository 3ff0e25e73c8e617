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
use conformance::simulate::fit_connect::{Destination, SENDER, SUBSCRIBER, Service};
use model::activity::{Dispatch, DispatchStatus};
use model::adapter::{
    About, AboutFile, Adapter, Content, Delivery, Handed, Host, Link, Receipt, Source, Wanted,
};
use model::case::{File, Reference};
use model::command::{Change, Command};
use model::letter::{Letter, TakenIn};
use model::testkit::{a_case, a_meta};
use model::{Clock, Failure, Id, PayloadRef, Record, RecordKind, SystemClock, Timestamp, ids};
use net::{Client, Egress};
use serde_json::{Value, json};
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
    /// Links that are kept before it dies.
    pub(crate) dies_after: Option<usize>,
}

impl Outbox {
    /// Does what a receipt or an adapter says.
    pub(crate) fn apply(&self, command: &Command) {
        let Change::DispatchStep(step, _) = &command.change else { panic!("only steps are submitted") };
        for record in &mut self.held.lock().unwrap().records {
            if let Record::Dispatch(dispatch) = record
                && dispatch.meta.id == command.id
                && !dispatch.steps.iter().any(|known| known.kind == step.kind)
            {
                // As the model does.
                dispatch.steps.push(*step);
                dispatch.steps.sort_by_key(|step| step.at);
                dispatch.status = dispatch.steps.last().map(|step| step.kind).unwrap();
            }
        }
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
        };
        Ok(held.records.iter().filter(is_it).cloned().collect())
    }

    async fn submit(&self, _: &str, command: Command) -> Result<Record, Failure> {
        self.apply(&command);
        Ok(Record::Dispatch(self.dispatch()))
    }

    async fn keep(&self, _: Content) -> Result<PayloadRef, Failure> {
        panic!("nothing is kept")
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

    async fn linked(&self, _: &str) -> Result<Option<Link>, Failure> {
        Ok(None)
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

    async fn state(&self, _: &str) -> Result<Option<Value>, Failure> {
        Ok(None)
    }

    async fn set_state(&self, _: &str, _: Value) -> Result<(), Failure> {
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
        let service = Service::start().await.unwrap();
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
        let sender = a_sender(&service, place, bridge);
        let subscriber = a_subscriber(&service, destination);
        let delivery = ids::new_id();
        Line { service, destination, bridge, outbox, sender, desk, subscriber, delivery, files: vec![] }
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
        let mut json = serde_json::to_value(a_meta()).unwrap();
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
        receipt.commands.iter().for_each(|command| self.outbox.apply(command));
        Ok(receipt)
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

fn a_sender(service: &Service, place: Place, bridge: Uuid) -> Arc<dyn Adapter> {
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
        desk: Whose { tenant: "soest".into(), authority: "bab:05974000".parse().unwrap(), unit: "33".into() },
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
