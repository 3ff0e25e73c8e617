//! Whatever clients do in whichever order, the relay answers as the model does, on both engines.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use broker::{BoxTerms, Broker, CardFilter, CardRule, NewDelivery, Pick, RelayDelivery, RelayLimits, Turn};
use model::message::Door;
use model::{Actor, Caller, Clock, Id, Role, Scope, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::expected::{Act, Answer, IDLE, Kept, Model, QUOTA, SIZES, TICKET, acts, code};
use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, soest};

/// The same acts on a real broker. Each run has names of its own, so that runs share one database.
struct Real {
    broker: Broker,
    clock: Arc<SetClock>,
    began: Timestamp,
    run: usize,
    /// Ids of the deliveries as they came.
    ids: Vec<Id>,
}

impl Real {
    fn name(&self, who: u8) -> String {
        format!("client-{}-{who}", self.run)
    }

    fn ticket(&self, ticket: u8) -> String {
        format!("{}:{ticket}", self.run)
    }

    fn conversation(&self, id: u8) -> String {
        format!("{}0{id}", self.run)
    }

    fn caller(&self, who: u8) -> Caller {
        Caller {
            actor: Actor { kind: "partner".into(), id: self.name(who) },
            roles: vec![Role::System],
            scope: Scope::tenant("soest"),
            authority: None,
        }
    }

    fn id(&self, index: usize) -> Id {
        self.ids.get(index).copied().unwrap_or_default()
    }

    fn ids(&self, indexes: &[usize]) -> Vec<Id> {
        indexes.iter().map(|index| self.id(*index)).collect()
    }

    fn seconds(&self, moment: Timestamp) -> i64 {
        (moment.micros() - self.began.micros()) / 1_000_000
    }

    fn kept(&self, it: RelayDelivery) -> Kept {
        let last = |name: &str| -> u8 {
            name.rsplit(['-', ':']).next().and_then(|number| number.parse().ok()).unwrap()
        };
        Kept {
            ticket: last(&it.ticket),
            mailbox: last(&it.mailbox),
            originator: last(&it.originator),
            size: it.size,
            stage: it.stage,
            created: self.seconds(it.created_at),
            forwarded: it.forwarded_at.map(|moment| self.seconds(moment)),
            received: it.received_at.map(|moment| self.seconds(moment)),
            modified: self.seconds(it.modified_at),
            expires: self.seconds(it.expires_at),
        }
    }

    async fn take(&mut self, who: u8, ticket: u8, mailbox: u8, size: usize) -> Result<Answer, broker::Error> {
        let (caller, relay) = (self.caller(who), self.broker.relay());
        let mut writer = relay.writer(&caller)?;
        writer.write_all(&vec![7; SIZES[size]]).unwrap();
        let stored = writer.finish().unwrap();
        let new = NewDelivery {
            door: Door::Osci,
            ticket: self.ticket(ticket),
            issued_to: None,
            authority: soest(),
            mailbox: self.name(mailbox),
            partner: "bab:05978000".into(),
            addressee: "cipher".into(),
            subject: None,
            dedup_key: self.ticket(ticket),
            body: json!({}).into(),
            terms: BoxTerms::default(),
        };
        self.ids.push(relay.take_in(&caller, new, stored).await?.message);
        Ok(Answer::Done)
    }

    async fn next(&self, act: &Act) -> Result<Answer, broker::Error> {
        let Act::Next { who, mailbox, pick, age, except } = act else { return Ok(Answer::Done) };
        let ticket = self.ticket((age % 8) as u8);
        let pick = match pick {
            0 => Pick::Ticket(&ticket),
            1 => Pick::Since(self.since(*age)),
            _ => Pick::Next,
        };
        let (caller, mailbox) = (self.caller(*who), self.name(*mailbox));
        let found = self.broker.relay().next(&caller, &mailbox, pick, &self.ids(except)).await?;
        Ok(Answer::One(found.map(|(it, more)| (self.kept(it.delivery), more))))
    }

    async fn cards(&self, act: &Act) -> Result<Answer, broker::Error> {
        let Act::Cards { who, mailbox, sent, rule, age, unreceived, limit } = act else {
            return Ok(Answer::Done);
        };
        let name = self.name(*who);
        let filter = CardFilter {
            mailbox: mailbox.then_some(&name),
            originator: sent.then_some(&name),
            rule: match rule {
                0 => CardRule::Tickets((0..4).map(|number| self.ticket(2 * number)).collect()),
                1 => CardRule::CreatedSince(self.since(*age)),
                _ => CardRule::ModifiedSince(self.since(*age)),
            },
            unreceived: *unreceived,
            limit: *limit,
        };
        let cards = self.broker.relay().cards(&self.caller(*who), &filter).await?;
        Ok(Answer::Many(cards.items.into_iter().map(|it| self.kept(it)).collect(), cards.more))
    }

    fn since(&self, age: i64) -> Timestamp {
        Timestamp::from_micros(self.clock.now().micros() - age * 1_000_000)
    }

    /// `version` is where the model says that a conversation stands.
    async fn act(&mut self, act: &Act, version: u64) -> Result<Answer, broker::Error> {
        let relay = self.broker.relay();
        match act {
            Act::Begin(id) => {
                relay.begin(&self.caller(0), &self.conversation(*id), &json!({})).await?;
            }
            Act::Look(id) => {
                let found = relay.conversation(&self.caller(0), &self.conversation(*id)).await?;
                return Ok(Answer::Version(found.map(|it| it.version)));
            }
            Act::Advance { who, place } => {
                let (id, received) = (self.conversation(place.conversation), self.ids(&place.received));
                let turn = Turn { id: &id, version, received: &received };
                return Ok(Answer::Version(Some(relay.advance(&self.caller(*who), turn, &json!({})).await?)));
            }
            Act::End { who, place } => {
                let (id, received) = (self.conversation(place.conversation), self.ids(&place.received));
                relay.end(&self.caller(*who), Turn { id: &id, version, received: &received }).await?;
            }
            Act::HandOut { who, place, delivery } => {
                let (id, received) = (self.conversation(place.conversation), self.ids(&place.received));
                let turn = Turn { id: &id, version, received: &received };
                let handed = relay.hand_out(&self.caller(*who), turn, &json!({}), self.id(*delivery)).await?;
                return Ok(Answer::One(Some((self.kept(handed), false))));
            }
            Act::Issue { who, ticket } => {
                relay.issue(&self.caller(*who), &self.ticket(*ticket)).await?;
            }
            Act::Take { who, ticket, mailbox, size } => {
                return self.take(*who, *ticket, *mailbox, *size).await;
            }
            Act::Next { .. } => return self.next(act).await,
            Act::Receive { who, delivery } => {
                let now = self.clock.now();
                relay.receive(&self.caller(*who), self.id(*delivery), now).await?;
            }
            Act::GiveBack { who, delivery } => {
                let rule = "message.returned-by-recipient";
                relay.give_back(&self.caller(*who), self.id(*delivery), rule).await?;
            }
            Act::Cards { .. } => return self.cards(act).await,
            Act::Wait(seconds) => self.clock.advance(Duration::from_secs(*seconds as u64)),
            Act::Expire => {
                self.broker.expire_due().await?;
            }
            Act::Sweep => {
                relay.sweep().await?;
            }
        }
        Ok(Answer::Done)
    }
}

/// Plays the acts on both and compares each answer, and in the end everything that is to be seen.
async fn play(broker: &Broker, clock: &Arc<SetClock>, run: usize, acts: &[Act]) {
    let mut model = Model::default();
    let mut real =
        Real { broker: broker.clone(), clock: clock.clone(), began: clock.now(), run, ids: vec![] };
    let looks = (0..3).map(|who| Act::Cards {
        who,
        mailbox: true,
        sent: true,
        rule: 2,
        age: 1 << 30,
        unreceived: false,
        limit: 100,
    });
    for (number, act) in acts.iter().cloned().chain(looks).enumerate() {
        let version = match &act {
            Act::Advance { place, .. } | Act::End { place, .. } | Act::HandOut { place, .. } => {
                model.version(place)
            }
            _ => 0,
        };
        let wanted = model.answer(&act);
        let got = real.act(&act, version).await.unwrap_or_else(|error| code(error.code()));
        assert_eq!(got, wanted, "act {number}: {act:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_the_relay_answers_as_the_model_does() {
    on_every_engine(|database| async move {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder: _folder } = Gateway::on(database.clone(), clock.clone()).await;
        let seconds = |seconds: i64| Duration::from_secs(seconds as u64);
        let limits = RelayLimits {
            idle: seconds(IDLE),
            ticket: seconds(TICKET),
            mailbox: QUOTA,
            ..RelayLimits::default()
        };
        let broker = broker.with_relay_limits(limits);
        let runs = AtomicUsize::new(1);
        let cases = if database.is_some() { 60 } else { 120 };
        let handle = tokio::runtime::Handle::current();
        let played = tokio::task::spawn_blocking(move || {
            proptest!(ProptestConfig::with_cases(cases), |(acts in acts())| {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                handle.block_on(play(&broker, &clock, run, &acts));
            });
        });
        played.await.unwrap();
    })
    .await;
}
