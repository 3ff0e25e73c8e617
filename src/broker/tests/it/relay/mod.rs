//! The relay: what is taken in is proved at every step, is received once, and is nobody else's.

mod boxes;
mod doors;
mod ends;
mod expected;
mod pieces;
mod property;
mod refusals;
mod steps;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use broker::{
    BoxTerms, Broker, CardFilter, CardRule, NewDelivery, Pick, Relay, RelayDelivery, RelayLimits, RelayQuota,
    StoredPayload, Turn, WholeQuota,
};
use model::message::Door;
use model::{Actor, Caller, Event, EventKind, Id, MessageState, Role, Scope};
use serde_json::json;
use store::Page;

use crate::house::{Gateway, SetClock, caller, soest};

const HOUR: Duration = Duration::from_secs(3_600);
const SECRET: &str = "Antrag auf Waffenschein";

struct Bed {
    gateway: Gateway,
    relay: Relay,
    clock: Arc<SetClock>,
    /// Somebody outside who sends.
    alice: Caller,
    /// The authority's own client.
    bob: Caller,
}

/// A client that is known by its certificate.
fn client(tenant: &str, fingerprint: &str) -> Caller {
    Caller {
        actor: Actor { kind: "partner".into(), id: fingerprint.into() },
        roles: vec![Role::System],
        scope: Scope::tenant(tenant),
        authority: None,
    }
}

impl Bed {
    async fn on(database: Option<String>) -> Bed {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder } = Gateway::on(database, clock.clone()).await;
        let limits = RelayLimits {
            idle: HOUR,
            ticket: 2 * HOUR,
            mailbox: RelayQuota { deliveries: 40, bytes: 1 << 20 },
            wholes: WholeQuota { per_sender: 3, sender_bytes: 1_000, tenant_bytes: 2_000 },
        };
        let broker = broker.with_relay_limits(limits);
        let (relay, gateway) = (broker.relay(), Gateway { broker, folder });
        let bob = Caller { authority: Some(soest()), ..client("soest", "bob") };
        Bed { gateway, relay, clock, alice: client("soest", "alice"), bob }
    }

    fn broker(&self) -> &Broker {
        &self.gateway.broker
    }

    async fn write(&self, bytes: &'static [u8]) -> StoredPayload {
        let mut writer = self.relay.writer(&self.alice).unwrap();
        let written = move || {
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        };
        tokio::task::spawn_blocking(written).await.unwrap()
    }

    async fn try_send(&self, ticket: &str) -> Result<RelayDelivery, broker::Error> {
        let stored = self.write(b"for Bob alone").await;
        self.relay.take_in(&self.alice, new(ticket), stored).await
    }

    async fn send(&self, ticket: &str) -> RelayDelivery {
        self.relay.issue(&self.alice, ticket).await.unwrap();
        self.try_send(ticket).await.unwrap()
    }

    async fn begin(&self, id: &str) {
        self.relay.begin(&self.bob, id, &json!({})).await.unwrap();
    }

    /// Hands a delivery out in a conversation that goes on from this version.
    async fn hand_out(&self, id: &str, version: u64, received: &[Id], delivery: Id) -> RelayDelivery {
        let turn = Turn { id, version, received };
        self.relay.hand_out(&self.bob, turn, &json!({ "last": delivery }), delivery).await.unwrap()
    }

    async fn next(&self) -> Option<Id> {
        let mailbox = soest();
        let picked = self.relay.next(&self.bob, mailbox.as_str(), Pick::Next, &[]).await.unwrap();
        picked.map(|(it, _)| it.message.id)
    }

    async fn state(&self, id: Id) -> MessageState {
        self.broker().message(&caller("soest", "63"), id).await.unwrap().state
    }

    async fn events(&self, id: Id) -> Vec<Event> {
        let page = Page::first(100);
        let events = self.broker().message_timeline(&caller("soest", "63"), id, &page).await.unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }

    async fn kinds(&self, id: Id) -> Vec<EventKind> {
        self.events(id).await.into_iter().map(|event| event.kind).collect()
    }

    /// The delivery as its sender sees it.
    async fn card(&self, ticket: &str) -> RelayDelivery {
        let filter = CardFilter {
            mailbox: None,
            originator: Some("alice"),
            rule: CardRule::Tickets(vec![ticket.into()]),
            unreceived: false,
            limit: 1,
        };
        self.relay.cards(&self.alice, &filter).await.unwrap().items.remove(0)
    }
}

fn new(ticket: &str) -> NewDelivery {
    NewDelivery {
        door: Door::Osci,
        ticket: ticket.into(),
        issued_to: None,
        authority: soest(),
        mailbox: soest().to_string(),
        partner: "bab:05978000".into(),
        addressee: "bob-cipher".into(),
        subject: Some(SECRET.into()),
        dedup_key: format!("osci:{ticket}"),
        body: json!({ "inspection": SECRET }).into(),
        terms: BoxTerms::default(),
    }
}

async fn bytes(payload: broker::Payload) -> Vec<u8> {
    let size = payload.size() as usize;
    payload.read_at(0, size).await.unwrap().to_vec()
}
