//! What may happen, one thing after the other. What a step is about is chosen by its numbers among what there is, so that every list of steps
//! is a history, also with some of them left out.

use broker::{Error, NewPayment, Once};
use model::payment::record::Decision;
use model::payment::statement::Line;
use model::payment::{Payment, RefundStatus, TruthState};
use model::{Caller, FailureKind, Id};

use super::desk::Desk;
use super::ledger::{Back, Owed, Paid};
use super::world::{FLAVOURS, Fault, Flavour, Lie, State};

/// What happens in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    Claim,
    Start,
    StartTwice,
    StartCutOff,
    Genuine,
    Replay,
    Forged,
    Lying,
    Differs,
    Strange,
    Return,
    Rush,
    Wait,
    Pays,
    Ends,
    GivesBack,
    TakesBack,
    Lies,
    Honest,
    Trouble,
    Death,
    AskRefund,
    AgreeRefund,
    DeclineRefund,
    Void,
    Cancel,
    Decide,
    Credit,
    Debit,
    LineAgain,
    Export,
    Reopen,
}

/// How often each happens.
const WEIGHTS: [(Act, u32); 32] = [
    (Act::Claim, 3),
    (Act::Start, 9),
    (Act::StartTwice, 2),
    (Act::StartCutOff, 2),
    (Act::Genuine, 7),
    (Act::Replay, 4),
    (Act::Forged, 3),
    (Act::Lying, 3),
    (Act::Differs, 2),
    (Act::Strange, 1),
    (Act::Return, 4),
    (Act::Rush, 3),
    (Act::Wait, 16),
    (Act::Pays, 10),
    (Act::Ends, 5),
    (Act::GivesBack, 2),
    (Act::TakesBack, 3),
    (Act::Lies, 3),
    (Act::Honest, 2),
    (Act::Trouble, 4),
    (Act::Death, 4),
    (Act::AskRefund, 5),
    (Act::AgreeRefund, 5),
    (Act::DeclineRefund, 2),
    (Act::Void, 2),
    (Act::Cancel, 2),
    (Act::Decide, 5),
    (Act::Credit, 4),
    (Act::Debit, 3),
    (Act::LineAgain, 2),
    (Act::Export, 2),
    (Act::Reopen, 1),
];

const WAITS: [u64; 9] = [1, 12, 35, 65, 130, 700, 2_000, 8_000, 90_000];

#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub act: Act,
    pub a: u32,
    pub b: u32,
}

/// The steps of a history.
pub fn steps(seed: u64) -> Vec<Step> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let sum: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut step = |first: Option<Act>| {
        let mut left = rng.u32(0..sum);
        let drawn = WEIGHTS.iter().find(|(_, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        let act = first.unwrap_or(drawn.map_or(Act::Wait, |(act, _)| *act));
        Step { act, a: rng.u32(..), b: rng.u32(..) }
    };
    let begins = [Act::Claim, Act::Start, Act::Wait].map(|act| step(Some(act)));
    let length = step(None).a % 36 + 3;
    begins.into_iter().chain((0..length).map(|_| step(None))).collect()
}

pub type Outcome = Result<(), String>;

/// A history under way.
pub struct History<'a> {
    pub desk: &'a mut Desk,
    /// Who asked for the refunds.
    asked_by: Vec<(Id, Caller)>,
    /// Lines of statements, the newest first.
    pub lines: Vec<Line>,
}

fn is(expected: &str, outcome: Result<Payment, Error>) -> Outcome {
    let code = outcome.as_ref().err().map(|error| error.code().to_owned());
    match code.as_deref() == Some(expected) {
        true => Ok(()),
        false => Err(format!("{expected} was to come, not {code:?}")),
    }
}

pub fn wants(condition: bool, what: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(what()) }
}

pub fn pick(count: usize, by: u32) -> Option<usize> {
    (count > 0).then(|| by as usize % count)
}

impl<'a> History<'a> {
    pub fn new(desk: &'a mut Desk) -> Self {
        desk.world.reset();
        History { desk, asked_by: vec![], lines: vec![] }
    }

    pub async fn step(&mut self, Step { act, a, b }: Step) -> Outcome {
        match act {
            Act::Claim => self.claim(a, b).await?,
            Act::Start | Act::StartTwice | Act::StartCutOff => self.start(act, a, b).await?,
            Act::Genuine => self.genuine(a).await?,
            Act::Replay | Act::Forged | Act::Lying | Act::Differs => self.false_call(act, a, b).await?,
            Act::Strange => self.strange(a, b).await?,
            Act::Return => self.comes_back(a, b).await?,
            Act::Rush => self.rush(a, b).await,
            Act::Wait => {
                self.desk.pass(WAITS[a as usize % WAITS.len()]);
                self.desk.run().await;
            }
            Act::AskRefund => self.ask_refund(a, b).await?,
            Act::AgreeRefund => self.agree_refund(a, b).await?,
            Act::DeclineRefund => self.decline_refund(a, b).await?,
            Act::Void => self.void(a).await?,
            Act::Cancel => self.cancel(a).await?,
            Act::Decide => self.decide(a, b).await?,
            Act::Credit => self.statement(true, a, b).await?,
            Act::Debit => self.statement(false, a, b).await?,
            Act::LineAgain => self.statement_again(a, b).await?,
            Act::Export => drop(self.export(a as usize % FLAVOURS.len()).await?),
            Act::Reopen => self.desk.reopen().await,
            Act::Trouble | Act::Death => self.trouble(act, a, b),
            _ => self.outside(act, a, b),
        }
        // Mostly something is done about it at once.
        if b % 3 > 0 {
            self.desk.run().await;
        }
        Ok(())
    }

    async fn claim(&mut self, a: u32, b: u32) -> Outcome {
        if self.desk.world.state().ledger.claims.len() >= 3 {
            return Ok(());
        }
        let (account, cents) = (a as usize % FLAVOURS.len(), i64::from(b % 5_000) + 100);
        let new = self.desk.new_claim(account, cents);
        let clerk = self.desk.clerk.clone();
        let claim = self.desk.broker().create_claim(&clerk, new, None).await.map_err(|it| it.to_string())?;
        let booked = FLAVOURS[account].registers == model::payment::Registers::Gateway;
        let owed = Owed { id: claim.meta.id, cents, account, booked, cancelled: false };
        self.desk.world.state().ledger.claims.push(owed);
        Ok(())
    }

    async fn start(&mut self, act: Act, a: u32, b: u32) -> Outcome {
        let (claim, id, refusal) = {
            let mut state = self.desk.world.state();
            state.no_page = b.is_multiple_of(12);
            let Some(claim) = pick(state.ledger.claims.len(), a) else { return Ok(()) };
            (claim, state.ledger.claims[claim].id, state.ledger.refuses_start(claim))
        };
        let (broker, clerk) = (self.desk.broker(), self.desk.clerk.clone());
        let begin = |once: Option<Once>| {
            let (broker, clerk) = (broker.clone(), clerk.clone());
            async move { broker.start_payment(&clerk, id, NewPayment::default(), once.as_ref()).await }
        };
        let payment = match (refusal, act) {
            (Some(refusal), _) => return is(refusal, begin(None).await),
            (None, Act::StartTwice) => match tokio::join!(begin(None), begin(None)) {
                (Ok(payment), other) | (other, Ok(payment)) => {
                    is("payment.under-way", other)?;
                    Ok(payment)
                }
                (Err(error), _) => Err(error),
            },
            (None, Act::StartCutOff) => {
                let once = Once::new(Id::from_u128(self.desk.number()).to_string(), "d".into());
                cut_off(b, begin(Some(once.clone()))).await;
                let first = begin(Some(once.clone())).await;
                let again = begin(Some(once)).await;
                let same = first.as_ref().ok().map(|it| it.meta.id) == again.ok().map(|it| it.meta.id);
                wants(same, || "the same request began another payment".into())?;
                first
            }
            _ => begin(None).await,
        };
        let payment = payment.map_err(|error| format!("a start was refused: {error}"))?;
        let mut state = self.desk.world.state();
        let left = state.ledger.claims[claim].cents - state.ledger.kept(claim);
        wants(payment.amount_cents == left, || format!("{left} are left, not {}", payment.amount_cents))?;
        let paid = Paid::new(payment.meta.id, claim, payment.amount_cents, payment.deadline);
        state.ledger.payments.push(paid);
        Ok(())
    }

    async fn ask_refund(&mut self, a: u32, b: u32) -> Outcome {
        let (at, id, free, was_paid, transfer) = {
            let state = self.desk.world.state();
            let paid: Vec<_> = state.ledger.payments.iter().enumerate().collect();
            // Mostly of those that were paid.
            let those: Vec<_> = paid.iter().filter(|(_, it)| it.was_paid()).collect();
            let pool = if those.is_empty() || b.is_multiple_of(9) { paid.iter().collect() } else { those };
            let Some(at) = pick(pool.len(), a) else { return Ok(()) };
            let (at, paid) = pool[at];
            (*at, paid.id, paid.free(), paid.was_paid(), paid.transfer)
        };
        let cents = if b.is_multiple_of(4) { free } else { i64::from(b % 3_000) + 1 };
        let by = self.desk.cashier();
        let once = Once::new(by.actor.id.clone(), "r".into());
        let broker = self.desk.broker();
        let ask = || broker.ask_refund(&by, id, cents, "Antrag zurückgenommen".into(), Some(&once));
        if b.is_multiple_of(5) {
            cut_off(b / 5, ask()).await;
        }
        if transfer {
            return is("payment.not-offered", ask().await);
        }
        let asked = match (was_paid, (1..=free).contains(&cents)) {
            (false, _) => return is("model.wrong-state", ask().await),
            (_, false) => return is("model.invalid", ask().await),
            _ => ask().await.map_err(|error| format!("a refund was refused: {error}"))?,
        };
        let again = ask().await.map_err(|error| error.to_string())?;
        wants(again.refunds.len() == asked.refunds.len(), || "the same request asked twice".into())?;
        let refund = asked.refunds.last().ok_or("a refund is there")?.id;
        self.asked_by.push((refund, by));
        let back = Back { id: refund, cents, status: RefundStatus::Asked };
        self.desk.world.state().ledger.payments[at].refunds.push(back);
        Ok(())
    }

    /// One of the refunds, mostly of those that nobody has agreed to: place and id of its payment, and the refund.
    fn some_refund(&self, a: u32, b: u32) -> Option<(usize, Id, Back)> {
        let state = self.desk.world.state();
        let all = state.ledger.payments.iter().enumerate();
        let all: Vec<_> =
            all.flat_map(|(at, it)| it.refunds.iter().map(move |back| (at, it.id, back.clone()))).collect();
        let asked: Vec<_> = all.iter().filter(|it| it.2.status == RefundStatus::Asked).cloned().collect();
        let pool = if asked.is_empty() || b.is_multiple_of(9) { all } else { asked };
        pick(pool.len(), a).map(|chosen| pool[chosen].clone())
    }

    async fn agree_refund(&mut self, a: u32, b: u32) -> Outcome {
        let Some((at, id, refund)) = self.some_refund(a, b) else { return Ok(()) };
        let covered = self.desk.world.state().ledger.payments[at].covers(refund.id);
        let broker = self.desk.broker();
        if let Some((_, by)) = self.asked_by.iter().find(|(known, _)| *known == refund.id) {
            is("model.second-person", broker.agree_refund(by, id, refund.id, None).await)?;
        }
        let (one, two) = (self.desk.cashier(), self.desk.cashier());
        if refund.status != RefundStatus::Asked || !covered {
            return is("model.wrong-state", broker.agree_refund(&one, id, refund.id, None).await);
        }
        let both = tokio::join!(
            broker.agree_refund(&one, id, refund.id, None),
            broker.agree_refund(&two, id, refund.id, None)
        );
        match both {
            (Ok(_), other) | (other, Ok(_)) => is("model.wrong-state", other)?,
            (Err(error), _) => return Err(format!("nobody could agree: {error}")),
        }
        let mut state = self.desk.world.state();
        let backs = &mut state.ledger.payments[at].refunds;
        backs.iter_mut().filter(|it| it.id == refund.id).for_each(|it| it.status = RefundStatus::Agreed);
        Ok(())
    }

    /// Whoever asked withdraws, or somebody else declines.
    async fn decline_refund(&mut self, a: u32, b: u32) -> Outcome {
        let Some((at, id, refund)) = self.some_refund(a, b) else { return Ok(()) };
        let asker = self.asked_by.iter().find(|(known, _)| *known == refund.id).map(|(_, by)| by.clone());
        let (by, status) = match asker.filter(|_| b.is_multiple_of(2)) {
            Some(asker) => (asker, RefundStatus::Withdrawn),
            None => (self.desk.cashier(), RefundStatus::Declined),
        };
        let broker = self.desk.broker();
        let outcome = broker.decline_refund(&by, id, refund.id, "Irrtum".into(), None).await;
        if refund.status != RefundStatus::Asked {
            return is("model.wrong-state", outcome);
        }
        outcome.map_err(|error| format!("a refund could not be declined: {error}"))?;
        let mut state = self.desk.world.state();
        let backs = &mut state.ledger.payments[at].refunds;
        backs.iter_mut().filter(|it| it.id == refund.id).for_each(|it| it.status = status);
        Ok(())
    }

    async fn void(&mut self, a: u32) -> Outcome {
        let (id, refusal) = {
            let state = self.desk.world.state();
            let Some(at) = pick(state.ledger.payments.len(), a) else { return Ok(()) };
            let paid = &state.ledger.payments[at];
            let refusal =
                match (!paid.transfer && state.flavour_of(paid.id).voids, paid.is_open() && paid.known) {
                    (false, _) => Some("payment.not-offered"),
                    (_, false) => Some("model.wrong-state"),
                    _ => None,
                };
            (paid.id, refusal)
        };
        let (broker, clerk) = (self.desk.broker(), self.desk.clerk.clone());
        let outcome = self.desk.call(broker.void_payment(&clerk, id, None)).await;
        match (outcome, refusal) {
            (Some(outcome), Some(refusal)) => is(refusal, outcome),
            // Whether it could be done or not: somebody asks what became of it.
            (Some(_), None) => {
                self.desk.world.state().owed_looks.insert(id);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    async fn cancel(&mut self, a: u32) -> Outcome {
        let (claim, id, refusal) = {
            let state = self.desk.world.state();
            let Some(claim) = pick(state.ledger.claims.len(), a) else { return Ok(()) };
            let owed = &state.ledger.claims[claim];
            let kept = state.ledger.kept(claim) != 0;
            let refusal = match (state.ledger.is_under_way(claim), owed.cancelled || kept) {
                (true, _) => Some("payment.under-way"),
                (_, true) => Some("model.wrong-state"),
                _ => None,
            };
            (claim, owed.id, refusal)
        };
        let outcome = self.desk.broker().cancel_claim(&self.desk.clerk, id, None).await;
        let code = outcome.err().map(|error| error.code().to_owned());
        wants(code.as_deref() == refusal, || format!("cancelling gave {code:?}, not {refusal:?}"))?;
        if refusal.is_none() {
            self.desk.world.state().ledger.claims[claim].cancelled = true;
        }
        Ok(())
    }

    async fn decide(&mut self, a: u32, b: u32) -> Outcome {
        let decision = if b.is_multiple_of(2) { Decision::Keep } else { Decision::Accept };
        let (at, id, half, told, may) = {
            let state = self.desk.world.state();
            let all = state.ledger.payments.iter().enumerate();
            let those: Vec<_> = all.filter(|(_, it)| !it.told.is_empty() || b.is_multiple_of(9)).collect();
            let Some(chosen) = pick(those.len(), a) else { return Ok(()) };
            let (at, paid) = those[chosen];
            let half = paid.half_decided == Some(decision);
            (at, paid.id, half, !paid.told.is_empty(), state.ledger.may_decide(at, decision))
        };
        let broker = self.desk.broker();
        let one = self.desk.cashier();
        let decides = |by: Caller| {
            let broker = broker.clone();
            async move { broker.decide_clearing(&by, id, decision, None).await }
        };
        if !told {
            return is("model.not-found", decides(one).await);
        }
        if self.desk.rules.four_eyes && !half {
            decides(one.clone()).await.map_err(|error| format!("a decision was refused: {error}"))?;
            self.desk.world.state().ledger.payments[at].half_decided = Some(decision);
            is("model.second-person", decides(one).await)?;
        }
        let outcome = decides(self.desk.cashier()).await;
        if !may {
            return is("model.wrong-state", outcome);
        }
        outcome.map_err(|error| format!("a decision was refused: {error}"))?;
        self.desk.world.state().ledger.decided(at, decision);
        Ok(())
    }

    fn trouble(&mut self, act: Act, a: u32, b: u32) {
        use FailureKind::{Rejected, Transient, Unauthorised, Uncertain};
        let mut state = self.desk.world.state();
        if act == Act::Death {
            let dies = if a.is_multiple_of(2) { Fault::DiesBefore } else { Fault::DiesAfter };
            return state.faults.push_back(dies);
        }
        let fault = match a % 8 {
            0 | 1 => Fault::Before(Transient),
            2 => Fault::Before(Rejected),
            3 => Fault::Before(Unauthorised),
            4 | 5 => Fault::Before(Uncertain),
            _ => Fault::After(Uncertain),
        };
        state.faults.extend((0..=b % 3).map(|_| fault));
    }

    /// Something happens at a provider, or between the payer and the payer's bank.
    fn outside(&mut self, act: Act, a: u32, b: u32) {
        let late = |held: &super::world::Held, now| now >= held.order.deadline;
        let now = self.desk.world.now();
        let mut state = self.desk.world.state();
        let Some(at) = pick(state.held.len(), a) else { return };
        let Some((request, flavour)) = state
            .held
            .iter()
            .nth(at)
            .map(|(request, held)| (request.clone(), state.flavour_of(held.payment)))
        else {
            return;
        };
        let Some(held) = state.held.get_mut(&request) else { return };
        let left = held.order.amount_cents - held.given_back - held.taken;
        let some = (i64::from(b) % held.order.amount_cents + 1).min(left);
        let mut tells = b % 10 < 7 || !flavour.polled || late(held, now);
        match act {
            Act::Pays if held.state != TruthState::Paid && (held.shown || b.is_multiple_of(8)) => {
                tells |= !held.shown;
                held.state = TruthState::Paid;
            }
            Act::Ends if matches!(held.state, TruthState::Open | TruthState::Pending) => {
                use TruthState::{Cancelled, Expired, Failed, Pending};
                held.state = [Failed, Cancelled, Pending, Expired][b as usize / 10 % 4];
            }
            Act::GivesBack if held.state == TruthState::Paid && flavour.tells_money_back && some > 0 => {
                held.given_back += some;
                tells = true;
            }
            Act::TakesBack if held.state == TruthState::Paid && flavour.tells_money_back && some > 0 => {
                held.taken += some;
                tells = true;
            }
            Act::Lies => {
                let cents = held.order.amount_cents;
                held.lie = Some(match b / 10 % 6 {
                    0 => Lie::Amount(cents + 1),
                    1 => Lie::Amount((cents / 2).max(1)),
                    2 => Lie::Currency,
                    3 => Lie::Reference,
                    4 => Lie::State(TruthState::Failed),
                    _ => Lie::State(TruthState::Open),
                });
            }
            Act::Honest => held.lie = None,
            _ => tells = false,
        }
        if tells {
            state.announce(&request);
        }
    }
}

/// Drops `act` after so many tenths of a millisecond, wherever it is then, as when the client goes.
pub async fn cut_off<T>(after: u32, act: impl Future<Output = T>) {
    let after = std::time::Duration::from_micros(100 * u64::from(after % 24));
    let _ = tokio::time::timeout(after, act).await;
}

impl State {
    pub fn flavour_of(&self, payment: Id) -> Flavour {
        let paid = self.ledger.payments.iter().find(|it| it.id == payment);
        FLAVOURS[paid.map_or(0, |it| self.ledger.claims[it.claim].account)]
    }
}
