//! What clients may do to the relay, and a model in memory that says what each is answered.

use std::collections::{BTreeMap, BTreeSet};

use broker::{RelayQuota, RelayStage};
use proptest::prelude::*;

/// All times of the model are seconds.
pub const IDLE: i64 = 1_800;
pub const TICKET: i64 = 7_200;
/// Of the house's service.
pub const TTL: i64 = 36_000;
pub const QUOTA: RelayQuota = RelayQuota { deliveries: 3, bytes: 4_000 };
pub const SIZES: [usize; 2] = [100, 2_000];

/// What somebody does. Clients, conversations and tickets are numbers; deliveries are counted as they come.
#[derive(Debug, Clone)]
pub enum Act {
    Begin(u8),
    Look(u8),
    Advance { who: u8, place: Place },
    End { who: u8, place: Place },
    HandOut { who: u8, place: Place, delivery: usize },
    Issue { who: u8, ticket: u8 },
    Take { who: u8, ticket: u8, mailbox: u8, size: usize },
    Next { who: u8, mailbox: u8, pick: u8, age: i64, except: Vec<usize> },
    Receive { who: u8, delivery: usize },
    GiveBack { who: u8, delivery: usize },
    Cards { who: u8, mailbox: bool, sent: bool, rule: u8, age: i64, unreceived: bool, limit: u32 },
    Wait(i64),
    Expire,
    Sweep,
}

/// Where a request goes on.
#[derive(Debug, Clone)]
pub struct Place {
    pub conversation: u8,
    pub stale: bool,
    pub received: Vec<usize>,
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (who, ticket, delivery) = (0..3_u8, 0..8_u8, 0..6_usize);
    let age = prop_oneof![Just(0), Just(1), Just(1_800), Just(40_000)];
    let place = (0..2_u8, prop::bool::weighted(0.1), prop::collection::vec(delivery.clone(), 0..3))
        .prop_map(|(conversation, stale, received)| Place { conversation, stale, received });
    let act = prop_oneof![
        3 => (0..2_u8).prop_map(Act::Begin),
        1 => (0..2_u8).prop_map(Act::Look),
        3 => (who.clone(), place.clone()).prop_map(|(who, place)| Act::Advance { who, place }),
        1 => (who.clone(), place.clone()).prop_map(|(who, place)| Act::End { who, place }),
        4 => (who.clone(), place, delivery.clone())
            .prop_map(|(who, place, delivery)| Act::HandOut { who, place, delivery }),
        6 => (0..2_u8, ticket.clone()).prop_map(|(who, ticket)| Act::Issue { who, ticket }),
        8 => (0..2_u8, ticket, 1..3_u8, 0..2_usize)
            .prop_map(|(who, ticket, mailbox, size)| Act::Take { who, ticket, mailbox, size }),
        4 => (who.clone(), 1..3_u8, 0..3_u8, age.clone(), prop::collection::vec(delivery.clone(), 0..2))
            .prop_map(|(who, mailbox, pick, age, except)| Act::Next { who, mailbox, pick, age, except }),
        1 => (who.clone(), delivery.clone()).prop_map(|(who, delivery)| Act::Receive { who, delivery }),
        1 => (who.clone(), delivery).prop_map(|(who, delivery)| Act::GiveBack { who, delivery }),
        4 => (who, any::<bool>(), any::<bool>(), 0..3_u8, age, any::<bool>(), 1..5_u32).prop_map(
            |(who, mailbox, sent, rule, age, unreceived, limit)| Act::Cards {
                who, mailbox, sent, rule, age, unreceived, limit
            }
        ),
        3 => prop_oneof![Just(1), Just(900), Just(1_800), Just(18_000)].prop_map(Act::Wait),
        1 => Just(Act::Expire),
        1 => Just(Act::Sweep),
    ];
    prop::collection::vec(act, 1..60)
}

/// A delivery as the model keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub ticket: u8,
    pub mailbox: u8,
    pub originator: u8,
    pub size: u64,
    pub stage: RelayStage,
    pub created: i64,
    pub forwarded: Option<i64>,
    pub received: Option<i64>,
    pub modified: i64,
    pub expires: i64,
}

/// What is answered: a code, or what there is to see.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Code(String),
    Done,
    Version(Option<u64>),
    One(Option<(Kept, bool)>),
    Many(Vec<Kept>, bool),
}

pub fn code(code: &str) -> Answer {
    Answer::Code(code.to_owned())
}

#[derive(Default)]
pub struct Model {
    now: i64,
    /// Version and last touch.
    conversations: BTreeMap<u8, (u64, i64)>,
    /// Owner and end.
    tickets: BTreeMap<u8, (u8, i64)>,
    used: BTreeSet<u8>,
    deliveries: Vec<Kept>,
}

impl Model {
    pub fn version(&self, place: &Place) -> u64 {
        let version = self.conversations.get(&place.conversation).map_or(1, |(version, _)| *version);
        version + u64::from(place.stale)
    }

    fn goes_on(&self, place: &Place) -> bool {
        self.conversations.contains_key(&place.conversation) && !place.stale
    }

    /// The deliveries that a request shows to have arrived: in the caller's mailbox, and still waiting.
    fn arrived(&mut self, who: u8, place: &Place) {
        let now = self.now;
        for index in &place.received {
            if let Some(one) = self.deliveries.get_mut(*index)
                && one.mailbox == who
                && one.stage.waits()
            {
                one.receive(now);
            }
        }
    }

    fn advance(&mut self, who: u8, place: &Place) -> Answer {
        if !self.goes_on(place) {
            return code("relay.conversation-changed");
        }
        self.arrived(who, place);
        let now = self.now;
        let conversation = self.conversations.get_mut(&place.conversation).unwrap();
        *conversation = (conversation.0 + 1, now);
        Answer::Version(Some(conversation.0))
    }

    fn hand_out(&mut self, who: u8, place: &Place, index: usize) -> Answer {
        let seen = |one: &Kept| one.mailbox == who && one.stage != RelayStage::Returned;
        if !self.deliveries.get(index).is_some_and(seen) {
            return code("model.not-found");
        }
        if let refused @ Answer::Code(_) = self.advance(who, place) {
            return refused;
        }
        let now = self.now;
        let one = &mut self.deliveries[index];
        if one.stage == RelayStage::Waiting {
            (one.stage, one.forwarded, one.modified) = (RelayStage::HandedOut, Some(now), now);
        }
        if one.stage.waits() {
            one.expires = one.expires.max(now + IDLE);
        }
        Answer::One(Some((one.clone(), false)))
    }

    fn take(&mut self, who: u8, ticket: u8, mailbox: u8, size: u64) -> Answer {
        let good = |(owner, end): &(u8, i64)| *owner == who && *end > self.now;
        if !self.tickets.get(&ticket).is_some_and(good) {
            return code("relay.ticket-refused");
        }
        let waiting = self.deliveries.iter().filter(|one| one.mailbox == mailbox && one.stage.waits());
        let (count, bytes) = waiting.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.size));
        if count >= QUOTA.deliveries || bytes + size > QUOTA.bytes {
            return code("relay.mailbox-full");
        }
        self.tickets.remove(&ticket);
        self.used.insert(ticket);
        let now = self.now;
        self.deliveries.push(Kept {
            ticket,
            mailbox,
            originator: who,
            size,
            stage: RelayStage::Waiting,
            created: now,
            forwarded: None,
            received: None,
            modified: now,
            expires: now + TTL,
        });
        Answer::Done
    }

    fn next(&self, who: u8, mailbox: u8, pick: u8, age: i64, except: &[usize]) -> Answer {
        if who != mailbox {
            return code("model.not-found");
        }
        let fits = |(index, one): &(usize, &Kept)| match pick {
            0 => one.stage != RelayStage::Returned && i64::from(one.ticket) == age % 8,
            1 => {
                one.stage != RelayStage::Returned && one.created >= self.now - age && !except.contains(index)
            }
            _ => one.stage.waits() && !except.contains(index),
        };
        let all = self.deliveries.iter().enumerate().filter(|(_, one)| one.mailbox == mailbox);
        let mut found: Vec<_> = all.filter(fits).collect();
        found.sort_by_key(|(index, one)| (one.stage, one.created, *index));
        Answer::One(found.first().map(|(_, one)| ((*one).clone(), found.len() > 1)))
    }

    fn end_of(&mut self, who: u8, index: usize, received: bool) -> Answer {
        let now = self.now;
        let Some(one) = self.deliveries.get_mut(index) else { return code("model.not-found") };
        if one.mailbox != who && one.originator != who {
            return code("model.not-found");
        }
        match (one.stage, received) {
            (RelayStage::Returned, true) => return code("model.not-found"),
            (RelayStage::Received, false) => return code("model.wrong-state"),
            (RelayStage::Returned, false) | (RelayStage::Received, true) => {}
            (_, true) => one.receive(now),
            (_, false) => one.stage = RelayStage::Returned,
        }
        Answer::Done
    }

    fn cards(&self, who: u8, mailbox: bool, sent: bool, rule: u8, age: i64, rest: (bool, u32)) -> Answer {
        let (unreceived, limit) = rest;
        let fits = |one: &Kept| {
            let side = (mailbox && one.mailbox == who) || (sent && one.originator == who);
            let since = self.now - age;
            let ruled = match rule {
                0 => one.ticket.is_multiple_of(2),
                1 => one.created >= since,
                _ => one.modified >= since,
            };
            side && ruled && !(unreceived && one.received.is_some())
        };
        let all = self.deliveries.iter().enumerate().filter(|(_, one)| fits(one));
        let mut found: Vec<_> = all.collect();
        found.sort_by_key(|(index, one)| (if rule == 2 { one.modified } else { one.created }, *index));
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Answer::Many(found.into_iter().map(|(_, one)| one.clone()).collect(), more)
    }

    pub fn answer(&mut self, act: &Act) -> Answer {
        match act.clone() {
            Act::Begin(id) => match self.conversations.contains_key(&id) {
                true => code("relay.id-taken"),
                false => {
                    self.conversations.insert(id, (1, self.now));
                    Answer::Done
                }
            },
            Act::Look(id) => {
                let alive = self.conversations.get(&id).filter(|(_, touched)| *touched > self.now - IDLE);
                Answer::Version(alive.map(|(version, _)| *version))
            }
            Act::Advance { who, place } => self.advance(who, &place),
            Act::End { who, place } => {
                if !self.goes_on(&place) {
                    return code("relay.conversation-changed");
                }
                self.arrived(who, &place);
                self.conversations.remove(&place.conversation);
                Answer::Done
            }
            Act::HandOut { who, place, delivery } => self.hand_out(who, &place, delivery),
            Act::Issue { who, ticket } => {
                if self.tickets.contains_key(&ticket) || self.used.contains(&ticket) {
                    return code("relay.id-taken");
                }
                self.tickets.insert(ticket, (who, self.now + TICKET));
                Answer::Done
            }
            Act::Take { who, ticket, mailbox, size } => self.take(who, ticket, mailbox, SIZES[size] as u64),
            Act::Next { who, mailbox, pick, age, except } => self.next(who, mailbox, pick, age, &except),
            Act::Receive { who, delivery } => self.end_of(who, delivery, true),
            Act::GiveBack { who, delivery } => self.end_of(who, delivery, false),
            Act::Cards { who, mailbox, sent, rule, age, unreceived, limit } => {
                self.cards(who, mailbox, sent, rule, age, (unreceived, limit))
            }
            Act::Wait(seconds) => {
                self.now += seconds;
                Answer::Done
            }
            Act::Expire => {
                let now = self.now;
                let late = |one: &&mut Kept| one.stage.waits() && one.expires <= now;
                self.deliveries.iter_mut().filter(late).for_each(|one| one.stage = RelayStage::Returned);
                Answer::Done
            }
            Act::Sweep => {
                let now = self.now;
                self.conversations.retain(|_, (_, touched)| *touched > now - IDLE);
                self.tickets.retain(|_, (_, end)| *end > now);
                Answer::Done
            }
        }
    }
}

impl Kept {
    fn receive(&mut self, now: i64) {
        self.stage = RelayStage::Received;
        self.forwarded.get_or_insert(now);
        (self.received, self.modified) = (Some(now), now);
    }
}
