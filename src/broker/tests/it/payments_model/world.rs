//! The other side of the gateway: providers and payers, as they truly are. Whatever a provider answers is told to the ledger at that moment, and
//! only then: what the gateway has not heard it must not know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Health;
use model::payment::provider::{
    Found, Notice, Notified, Order, Provider, RefundOrder, Refusal, Started, Terms, Verdict,
};
use model::payment::{ClearingReason, PaymentStatus, Registers, Truth, TruthState};
use model::{Clock, Failure, FailureKind, Id, Timestamp};
use tokio::sync::Notify;

use super::ledger::Ledger;
use crate::house::SetClock;

/// What a call does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing happens, and it fails like this.
    Before(FailureKind),
    /// It happens, and fails like this.
    After(FailureKind),
    /// The gateway dies before it happens.
    DiesBefore,
    /// It happens, and the gateway dies before it hears of it.
    DiesAfter,
}

/// How a provider is false for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lie {
    Amount(i64),
    Currency,
    Reference,
    State(TruthState),
}

/// A payment at its provider.
pub struct Held {
    pub payment: Id,
    pub order: Order,
    pub state: TruthState,
    pub lie: Option<Lie>,
    pub given_back: i64,
    pub taken: i64,
    /// Its page was shown, so that somebody may pay.
    pub shown: bool,
}

/// A call at a door that was made or is to be made.
#[derive(Debug, Clone)]
pub struct Call {
    pub request: String,
    pub query: String,
}

#[derive(Default)]
pub struct State {
    pub ledger: Ledger,
    pub held: BTreeMap<String, Held>,
    pub faults: VecDeque<Fault>,
    /// Nothing answers.
    pub down: bool,
    /// Calls that the providers still have to make, until they are acknowledged.
    pub due: VecDeque<Call>,
    pub made: Vec<Call>,
    /// Calls that the gateway has taken, by what it knows them by.
    pub taken: BTreeSet<String>,
    /// Payments of which the gateway has acknowledged a call, and has not asked yet.
    pub owed_looks: BTreeSet<Id>,
    pub refunds: BTreeSet<Id>,
    /// Refunds whose call was never answered, with their payments: nobody knows.
    pub unanswered: Vec<(Id, Id)>,
    pub no_page: bool,
    pub serial: u64,
    /// What must never happen and did.
    pub broken: Vec<String>,
}

/// How the providers of this world differ.
#[derive(Clone, Copy)]
pub struct Flavour {
    pub id: &'static str,
    pub registers: Registers,
    pub finds: bool,
    pub idempotent: bool,
    pub polled: bool,
    pub voids: bool,
    /// Its state tells what was given and taken back.
    pub tells_money_back: bool,
    /// Its calls have names.
    pub named: bool,
}

pub const FLAVOURS: [Flavour; 4] = [
    Flavour {
        id: "finder",
        registers: Registers::Gateway,
        finds: true,
        idempotent: false,
        polled: true,
        voids: true,
        tells_money_back: true,
        named: false,
    },
    Flavour {
        id: "repeater",
        registers: Registers::CashSystem,
        finds: false,
        idempotent: true,
        polled: true,
        voids: false,
        tells_money_back: false,
        named: true,
    },
    Flavour {
        id: "mute",
        registers: Registers::Provider,
        finds: false,
        idempotent: false,
        polled: true,
        voids: true,
        tells_money_back: true,
        named: true,
    },
    Flavour {
        id: "caller",
        registers: Registers::Gateway,
        finds: true,
        idempotent: true,
        polled: false,
        voids: false,
        tells_money_back: true,
        named: false,
    },
];

#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    pub clock: Arc<SetClock>,
    pub death: Arc<Notify>,
}

impl World {
    pub fn new() -> World {
        World { state: Arc::default(), clock: Arc::default(), death: Arc::default() }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Another history.
    pub fn reset(&self) {
        let mut state = self.state();
        *state = State { serial: state.serial, ..State::default() };
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn providers(&self) -> BTreeMap<String, Arc<dyn Provider>> {
        let provider = |flavour: Flavour| {
            let scripted = Scripted { flavour, terms: terms(flavour), world: self.clone() };
            (flavour.id.to_owned(), Arc::new(scripted) as Arc<dyn Provider>)
        };
        FLAVOURS.into_iter().map(provider).collect()
    }
}

pub fn terms(flavour: Flavour) -> Terms {
    Terms {
        kind: "script",
        notifies_by: &["GET"],
        most_notice_bytes: 1_024,
        window: Duration::from_secs(7_200),
        finds: flavour.finds,
        start_is_idempotent: flavour.idempotent,
        may_be_polled: flavour.polled,
        refunds: true,
        voids: flavour.voids,
    }
}

pub fn reference(request: &str) -> String {
    format!("ref-{request}")
}

impl State {
    /// Something happened to a payment: its provider calls.
    pub fn announce(&mut self, request: &str) {
        let Some(held) = self.held.get(request) else { return };
        self.serial += 1;
        let query = query(request, held.state, held.order.amount_cents, self.serial, "ok");
        self.due.push_back(Call { request: request.to_owned(), query });
    }

    fn truth(&self, flavour: Flavour, held: &Held) -> Truth {
        let mut truth = Truth {
            state: held.state,
            amount_cents: Some(held.order.amount_cents),
            currency: Some("EUR".to_owned()),
            reference: Some(reference(&held.order.request_id)),
            request_id: Some(held.order.request_id.clone()),
            refunded_cents: flavour.tells_money_back.then_some(held.given_back),
            charged_back_cents: flavour.tells_money_back.then_some(held.taken),
            ..Truth::default()
        };
        match held.lie {
            Some(Lie::Amount(cents)) => truth.amount_cents = Some(cents),
            Some(Lie::Currency) => truth.currency = Some("CHF".to_owned()),
            Some(Lie::Reference) => truth.reference = Some("ref-other".to_owned()),
            Some(Lie::State(state)) => truth.state = state,
            None => {}
        }
        truth
    }

    /// The gateway finds out what it died of.
    pub fn wakes(&mut self) {
        for (payment, refund) in std::mem::take(&mut self.unanswered) {
            if let Some(paid) = self.ledger.payment(payment) {
                paid.lost_sight(refund);
            }
        }
    }

    /// The gateway hears that a start has happened.
    fn starts(&mut self, order: &Order, has_page: bool, again: bool) {
        if let Some(held) = self.held.get_mut(&order.request_id) {
            held.shown |= has_page;
        }
        let Some(paid) = self.ledger.payment(order.payment_id) else { return };
        paid.known = true;
        paid.found |= again;
        if paid.unpaid == PaymentStatus::Created {
            paid.unpaid = if has_page { PaymentStatus::Started } else { PaymentStatus::Failed };
        }
    }
}

pub fn query(request: &str, state: TruthState, cents: i64, serial: u64, mark: &str) -> String {
    format!("r={}&s={state:?}&a={cents}&n={serial}&m={mark}", reference(request))
}

/// The field of a call.
pub fn field<'a>(query: &'a str, name: &str) -> &'a str {
    let fields = query.split('&').filter_map(|field| field.split_once('='));
    fields.into_iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

struct Scripted {
    flavour: Flavour,
    terms: Terms,
    world: World,
}

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "payment.test", "as the script says")
}

impl Scripted {
    /// Does a call, with what is in its way. `heard` happens only if the gateway hears the answer.
    async fn called<T>(
        &self,
        asks: bool,
        act: impl FnOnce(&mut State) -> Result<T, Failure>,
        heard: impl FnOnce(&mut State, &Result<T, Failure>),
    ) -> Result<T, Failure> {
        let dies = {
            let mut state = self.world.state();
            if state.down {
                return Err(failure(FailureKind::Transient));
            }
            match state.faults.pop_front() {
                Some(Fault::Before(kind)) => {
                    // Who is asked and will not say is taken as nothing new; here everybody who may be asked says it in the end.
                    let soft = asks && kind == FailureKind::Rejected;
                    let outcome = Err(failure(if soft { FailureKind::Transient } else { kind }));
                    heard(&mut state, &outcome);
                    return outcome;
                }
                Some(Fault::After(kind)) => {
                    let _ = act(&mut state);
                    let outcome = Err(failure(kind));
                    heard(&mut state, &outcome);
                    return outcome;
                }
                Some(Fault::DiesBefore) => {}
                Some(Fault::DiesAfter) => drop(act(&mut state)),
                None => {
                    let outcome = act(&mut state);
                    heard(&mut state, &outcome);
                    return outcome;
                }
            }
            self.world.death.clone()
        };
        dies.notify_one();
        std::future::pending().await
    }

    fn started(&self, order: &Order, has_page: bool) -> Started {
        let page = has_page.then(|| "https://zahlen.example/seite".to_owned());
        let makes = self.flavour.registers == Registers::Provider;
        let cash_reference = makes.then(|| format!("KZ{}", &order.request_id[24..]));
        Started { reference: reference(&order.request_id), payment_url: page, cash_reference }
    }
}

#[async_trait]
impl Provider for Scripted {
    fn id(&self) -> &str {
        self.flavour.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        let act = |state: &mut State| {
            if state.held.contains_key(&order.request_id) && !self.flavour.idempotent {
                state.broken.push(format!("payment {} was started twice", order.payment_id));
            }
            let held = Held {
                payment: order.payment_id,
                order: order.clone(),
                state: TruthState::Open,
                lie: None,
                given_back: 0,
                taken: 0,
                shown: false,
            };
            let held = state.held.entry(order.request_id.clone()).or_insert(held);
            if held.order != *order {
                state.broken.push("the same payment made another order".to_owned());
            }
            Ok(self.started(order, !state.no_page))
        };
        let heard = |state: &mut State, outcome: &Result<Started, Failure>| {
            if let Ok(started) = outcome {
                state.starts(order, started.payment_url.is_some(), false);
            }
        };
        self.called(false, act, heard).await
    }

    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        let act = |state: &mut State| {
            if !self.flavour.finds {
                return Ok(Found::CannotAsk);
            }
            Ok(match state.held.contains_key(&order.request_id) {
                true => Found::Started(self.started(order, !state.no_page)),
                false => Found::Nothing,
            })
        };
        let heard = |state: &mut State, outcome: &Result<Found, Failure>| match outcome {
            Ok(Found::Started(started)) => state.starts(order, started.payment_url.is_some(), true),
            Ok(Found::CannotAsk) => {
                state.owed_looks.remove(&order.payment_id);
                // Only whoever has given a start up, and then was called, asks one that cannot be asked.
                let Some(paid) = state.ledger.payment(order.payment_id) else { return };
                if paid.unpaid == PaymentStatus::Created {
                    paid.unpaid = PaymentStatus::Failed;
                }
                paid.tell((ClearingReason::UnknownStart, None, None));
            }
            Ok(Found::Nothing) => {
                state.owed_looks.remove(&order.payment_id);
            }
            Err(_) => {}
        };
        self.called(true, act, heard).await
    }

    async fn status(&self, order: &Order, asked: &str) -> Result<Truth, Failure> {
        let act = |state: &mut State| {
            if asked != reference(&order.request_id) {
                state.broken.push("another payment was asked for".to_owned());
            }
            let held = state.held.get(&order.request_id).ok_or_else(|| failure(FailureKind::Rejected))?;
            Ok(state.truth(self.flavour, held))
        };
        let now = self.world.now();
        let heard = |state: &mut State, outcome: &Result<Truth, Failure>| {
            let truth = match outcome {
                Ok(truth) => Some(truth),
                Err(failure) if failure.kind == FailureKind::Rejected => None,
                Err(failure) if failure.kind == FailureKind::Unauthorised => {
                    return state.ledger.shut_out(order.payment_id, now);
                }
                Err(_) => return,
            };
            state.owed_looks.remove(&order.payment_id);
            state.ledger.looked(order.payment_id, truth, asked, now);
        };
        self.called(true, act, heard).await
    }

    fn notified(&self, order: &Order, known: Option<&str>, notice: &Notice, _: Timestamp) -> Notified {
        let query = notice.query.as_str();
        let verdict = match (field(query, "m"), known) {
            ("ok", None) => Verdict::Refused(Refusal::TooEarly),
            ("ok", Some(known)) if field(query, "r") != known => Verdict::Refused(Refusal::OtherPayment),
            ("ok", _) => match field(query, "a").parse() {
                Ok(cents) if cents == order.amount_cents => Verdict::Hint,
                Ok(cents) => Verdict::Differs(ClearingReason::CallbackDiffers, Some(cents), 200),
                Err(_) => Verdict::Refused(Refusal::Malformed),
            },
            _ => Verdict::Refused(Refusal::Signature),
        };
        let id = self.flavour.named.then(|| field(query, "n").to_owned());
        Notified { verdict, id }
    }

    async fn refund(
        &self,
        order: &Order,
        asked: &str,
        refund: &RefundOrder,
    ) -> Result<Option<String>, Failure> {
        let act = |state: &mut State| {
            if !state.refunds.insert(refund.id) {
                state.broken.push(format!("refund {} was carried out twice", refund.id));
            }
            if asked != reference(&order.request_id) {
                state.broken.push("another payment was refunded".to_owned());
            }
            let held = state.held.get_mut(&order.request_id).ok_or_else(|| failure(FailureKind::Rejected))?;
            held.given_back += refund.amount_cents;
            Ok(Some(format!("back-{}", refund.id)))
        };
        let heard = |state: &mut State, outcome: &Result<Option<String>, Failure>| {
            state.unanswered.retain(|(_, known)| *known != refund.id);
            let Some(paid) = state.ledger.payment(order.payment_id) else { return };
            match outcome {
                Ok(_) => paid.gave_back(refund.id),
                Err(failure) => match failure.kind {
                    FailureKind::Uncertain => paid.lost_sight(refund.id),
                    FailureKind::Transient => {}
                    _ => paid.refused(refund.id),
                },
            }
        };
        {
            let mut state = self.world.state();
            if !state.down {
                state.unanswered.push((order.payment_id, refund.id));
            }
        }
        self.called(false, act, heard).await
    }

    async fn void(&self, order: &Order, _: &str) -> Result<(), Failure> {
        let act = |state: &mut State| {
            let Some(held) = state.held.get_mut(&order.request_id) else { return Ok(()) };
            if matches!(held.state, TruthState::Open | TruthState::Pending) {
                held.state = TruthState::Cancelled;
            }
            Ok(())
        };
        self.called(false, act, |_, _| {}).await
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}
