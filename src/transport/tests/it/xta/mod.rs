//! XTA's message boxes: a message is taken in once, is seen by its reader alone, and its author can tell where it stands.

mod answering;
mod arriving;
mod bridge;
mod face;
mod looking;
mod property;
mod refusals;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ::xta::model::{Content, ContentRole, Key, MetaData, Party, Report, Status};
use ::xta::server::backend::{Fetched, Listed, Rest, Selector, Wish};
use ::xta::{Error, Result};
use broker::{Broker, RelayLimits, RelayQuota};
use model::{Actor, Authority, Caller, Clock, Role, Scope, Timestamp};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use transport::xta::{Account, BoxSettings};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, soest};
use face::Boxes;

const HOUR: Duration = Duration::from_secs(3_600);
const AUTHOR: &str = "lan:1";
const OTHER: &str = "lan:2";

/// A gateway whose authority fetches by XTA.
struct Bed {
    gateway: Gateway,
    clock: Arc<SetClock>,
    boxes: Boxes,
    runtime: Handle,
}

impl Bed {
    async fn on(database: Option<String>) -> Bed {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder } = Gateway::on(database, clock.clone()).await;
        let mailbox = RelayQuota { deliveries: 30, bytes: 1 << 20 };
        let broker = broker.with_relay_limits(RelayLimits { mailbox, idle: HOUR, ..RelayLimits::default() });
        let gateway = Gateway { broker, folder };
        let boxes = boxes(&gateway.broker, true, true);
        Bed { gateway, clock, boxes, runtime: Handle::current() }
    }

    fn wait<T>(&self, act: impl Future<Output = std::result::Result<T, broker::Error>>) -> T {
        self.runtime.block_on(act).unwrap()
    }

    /// Sends a text under a message id.
    fn try_send(&self, id: &str, change: impl FnOnce(&mut MetaData)) -> Result<()> {
        let mut meta = metadata(id);
        change(&mut meta);
        send(&self.boxes, &account(AUTHOR), &meta, &[(message("brief.txt"), b"Guten Tag")])
    }

    fn send(&self, change: impl FnOnce(&mut MetaData)) -> String {
        let id = self.boxes.create_message_id(&account(AUTHOR)).unwrap();
        self.try_send(&id, change).unwrap();
        id
    }

    fn list(&self, selector: &Selector, most: Option<u32>) -> Listed {
        self.boxes.list(&reader(), selector, most).unwrap()
    }

    /// Message ids of the whole box.
    fn ids(&self) -> Vec<String> {
        ids(&self.list(&Selector::default(), None))
    }

    fn fetch(&self, id: &str) -> Result<Fetched> {
        self.boxes.fetch(&reader(), &by_id(id))
    }

    fn close(&self, id: &str) -> Result<()> {
        self.boxes.close(&reader(), &[id.to_owned()], "1")
    }

    fn report(&self, id: &str) -> Report {
        self.boxes.report(&account(AUTHOR), id).unwrap()
    }

    fn status(&self, id: &str) -> Status {
        self.report(id).status
    }

    fn in_hours(&self, hours: u32) -> Timestamp {
        self.clock.now().plus(HOUR * hours)
    }
}

/// Runs a test on every engine, on a thread that may block.
async fn on_beds(test: impl Fn(&Bed) + Send + Sync + Copy + 'static) {
    on_every_engine(move |database| async move {
        let bed = Bed::on(database).await;
        block_in_place(|| test(&bed));
    })
    .await;
}

fn boxes(broker: &Broker, is_fetched: bool, check: bool) -> Boxes {
    let fetching = is_fetched.then(|| ("soest".to_owned(), soest())).into_iter().collect();
    Boxes::new(broker, BoxSettings { check, fetching, ..settings() })
}

fn settings() -> BoxSettings {
    let server = "Amtsbote-Kreis".to_owned();
    let (fetching, readers) = (BTreeSet::new(), BTreeMap::new());
    BoxSettings { server, check: true, message_ids: 24 * HOUR, fetching, readers }
}

fn account(party: &str) -> Account {
    let party: Authority = party.parse().unwrap();
    Account {
        id: format!("account-of-{}", party.key()),
        tenant: "soest".into(),
        caller: Caller {
            actor: Actor { kind: "partner".into(), id: party.to_string() },
            roles: vec![Role::System],
            scope: Scope::tenant("soest"),
            authority: None,
        },
        party,
        container_bytes: 10_000,
        services: vec![],
        delivers: false,
        lenient: false,
    }
}

fn reader() -> Account {
    account(soest().as_str())
}

fn party(id: &str) -> Party {
    Party { id: id.into(), scheme: Some("xoev".into()), ..Party::default() }
}

fn metadata(id: &str) -> MetaData {
    MetaData {
        author: party(AUTHOR),
        reader: party(soest().as_str()),
        message_id: id.into(),
        service: "urn:service".into(),
        subject: Some("Antrag".into()),
        message_type: Key { code: "0201".into(), list: "urn:l".into(), version: "1".into(), name: None },
        payload_schema: "urn:schema".into(),
        ..MetaData::default()
    }
}

fn message(name: &str) -> Content {
    Content { media_type: "text/plain".into(), file_name: Some(name.into()), ..Content::default() }
}

fn attachment(name: &str) -> Content {
    Content { role: ContentRole::Attachment, ..message(name) }
}

fn send(boxes: &Boxes, from: &Account, meta: &MetaData, contents: &[(Content, &[u8])]) -> Result<()> {
    let mut receiving = boxes.begin(from, meta, Wish::Asynchronous)?;
    for (index, (content, bytes)) in contents.iter().enumerate() {
        receiving.content(index, content)?.write_all(bytes)?;
    }
    assert!(receiving.finish()?.is_none());
    Ok(())
}

fn by_id(id: &str) -> Selector {
    Selector { message_ids: vec![id.into()], ..Selector::default() }
}

fn ids(listed: &Listed) -> Vec<String> {
    listed.entries.iter().map(|meta| meta.message_id.clone()).collect()
}

/// What a refusal says.
fn code<T>(outcome: Result<T>) -> u16 {
    match outcome {
        Err(Error::Fault(fault)) => fault.code,
        Err(error) => panic!("no fault: {error}"),
        Ok(_) => 0,
    }
}

fn pending(rest: Rest) -> u64 {
    let Rest::Pending(left) = rest else { panic!("{rest:?}") };
    left
}

fn bytes(fetched: &Fetched, index: usize) -> Vec<u8> {
    let mut bytes = vec![];
    fetched.contents.open(index).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A moment as metadata have it.
fn written<T: std::str::FromStr>(moment: Timestamp) -> Option<T> {
    moment.to_string().parse().ok()
}
