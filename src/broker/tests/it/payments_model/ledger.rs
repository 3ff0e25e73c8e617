//! What should be true of claims and payments: a second account of them, plain, and written from the rules without a look at the code.
//!
//! It is told what the gateway was told: what its provider answered, which authentic calls differed, what the bank statement says, what
//! humans decided. What a payment is follows from sums; nothing is remembered that can be added up.

use std::time::Duration;

use model::payment::record::Decision;
use model::payment::{
    BookingKind, ClaimStatus, ClearingReason, PaymentStatus, RefundStatus, Truth, TruthState,
};
use model::{Id, Timestamp, ids};

/// What a human has to decide about: why, the amount that the other side names, and the refund that it is about.
pub type Told = (ClearingReason, Option<i64>, Option<Id>);

/// Most that wait behind the first.
const MOST_WAITING: usize = 20;

pub const LAST_LOOK: Duration = Duration::from_secs(24 * 3_600);

#[derive(Default)]
pub struct Ledger {
    pub claims: Vec<Owed>,
    pub payments: Vec<Paid>,
}

/// A claim.
pub struct Owed {
    pub id: Id,
    pub cents: i64,
    pub account: usize,
    /// The gateway registers it, so that it is booked itself.
    pub booked: bool,
    pub cancelled: bool,
}

/// A payment.
pub struct Paid {
    pub id: Id,
    pub claim: usize,
    pub asked: i64,
    pub deadline: Timestamp,
    /// Where it stands as long as no money has come.
    pub unpaid: PaymentStatus,
    /// It came by itself.
    pub transfer: bool,
    /// A statement has said that its money arrived.
    pub settled: bool,
    /// What statements have taken back.
    pub returned: i64,
    /// The provider's name for it is known.
    pub known: bool,
    /// It was found again, maybe after the gateway had given it up.
    pub found: bool,
    pub came: i64,
    /// What the payer's bank took back, each time.
    pub takes: Vec<i64>,
    pub refunds: Vec<Back>,
    /// What the provider has said last that went back in all.
    pub said_back: Option<i64>,
    /// One after the other.
    pub told: Vec<Told>,
    /// What somebody has decided about the first of them, and a second one has not yet.
    pub half_decided: Option<Decision>,
    pub decided: Vec<(Told, Decision)>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq)]
pub struct Back {
    pub id: Id,
    pub cents: i64,
    pub status: RefundStatus,
}

impl Paid {
    pub fn new(id: Id, claim: usize, asked: i64, deadline: Timestamp) -> Paid {
        Paid {
            id,
            claim,
            asked,
            deadline,
            unpaid: PaymentStatus::Created,
            transfer: false,
            settled: false,
            returned: 0,
            known: false,
            found: false,
            came: 0,
            takes: vec![],
            refunds: vec![],
            said_back: None,
            told: vec![],
            half_decided: None,
            decided: vec![],
        }
    }

    pub fn was_paid(&self) -> bool {
        self.came > 0
    }

    pub fn back(&self) -> i64 {
        self.refunds.iter().filter(|it| it.status == RefundStatus::Done).map(|it| it.cents).sum()
    }

    pub fn taken(&self) -> i64 {
        self.takes.iter().sum()
    }

    pub fn kept(&self) -> i64 {
        self.came - self.back() - self.taken()
    }

    /// What may still be asked back.
    pub fn free(&self) -> i64 {
        use RefundStatus::{Agreed, Asked, Unclear};
        let held = self.refunds.iter().filter(|it| matches!(it.status, Asked | Agreed | Unclear));
        self.kept() - held.map(|it| it.cents).sum::<i64>()
    }

    pub fn is_open(&self) -> bool {
        !self.was_paid() && self.unpaid.is_open()
    }

    pub fn status(&self) -> PaymentStatus {
        match (self.came, self.taken(), self.back()) {
            (0, ..) => self.unpaid,
            (_, taken, _) if taken > 0 => PaymentStatus::ChargedBack,
            (_, _, 0) => PaymentStatus::Paid,
            (came, _, back) if back < came => PaymentStatus::PartlyRefunded,
            _ => PaymentStatus::Refunded,
        }
    }

    /// A human is told, unless of the same: once decided about, or on the desk already.
    pub fn tell(&mut self, told: Told) {
        let known = self.told.contains(&told) || self.decided.iter().any(|(known, _)| *known == told);
        if !known && self.told.len() <= MOST_WAITING {
            self.told.push(told);
        }
    }

    /// Whether there is money for a refund besides those that are on their way.
    pub fn covers(&self, id: Id) -> bool {
        let going =
            |it: &&Back| it.id == id || matches!(it.status, RefundStatus::Agreed | RefundStatus::Unclear);
        self.kept() >= self.refunds.iter().filter(going).map(|it| it.cents).sum()
    }

    /// A refund was carried out. Money that left twice is told.
    pub fn gave_back(&mut self, id: Id) {
        let refund =
            self.refunds.iter_mut().find(|it| it.id == id).filter(|it| it.status != RefundStatus::Done);
        let Some(refund) = refund else { return };
        refund.status = RefundStatus::Done;
        if self.kept() < 0 {
            self.tell((ClearingReason::Contradiction, Some(self.kept()), None));
        }
    }

    /// Nobody knows whether a refund was carried out.
    pub fn lost_sight(&mut self, id: Id) {
        let refund = self.refunds.iter_mut().find(|it| it.id == id && it.status == RefundStatus::Agreed);
        let Some(refund) = refund else { return };
        refund.status = RefundStatus::Unclear;
        let cents = refund.cents;
        self.tell((ClearingReason::RefundUnclear, Some(cents), Some(id)));
    }

    pub fn refused(&mut self, id: Id) {
        let refund = self.refunds.iter_mut().find(|it| it.id == id && it.status == RefundStatus::Agreed);
        if let Some(refund) = refund {
            refund.status = RefundStatus::Refused;
        }
    }

    /// The payer's bank took money back, never more than is left.
    pub fn take(&mut self, cents: i64) {
        let cents = cents.min(self.kept());
        if cents > 0 {
            self.takes.push(cents);
        }
    }

    fn hears(&mut self, truth: &Truth) {
        let paid = truth.state == TruthState::Paid;
        match (self.was_paid(), paid) {
            (false, true) => match truth.amount_cents.unwrap_or(self.asked) {
                came if came == self.asked => self.came = came,
                came => self.tell((less_or_more(came < self.asked), Some(came), None)),
            },
            (true, true) => {
                let fits = |told| [self.came, self.kept()].contains(&told);
                if let Some(told) = truth.amount_cents.filter(|told| !fits(*told)) {
                    self.tell((less_or_more(told < self.came), Some(told), None));
                }
            }
            (true, false) => {
                let ended = matches!(truth.state, TruthState::Failed | TruthState::Cancelled);
                let gone = matches!(self.status(), PaymentStatus::Refunded | PaymentStatus::ChargedBack);
                if !(ended && gone) {
                    self.tell((ClearingReason::Contradiction, truth.amount_cents, None));
                }
            }
            (false, false) => self.unpaid = heard(self.unpaid, truth.state),
        }
        if self.was_paid() {
            self.hears_of_money_back(truth);
        }
    }

    fn hears_of_money_back(&mut self, truth: &Truth) {
        if let Some(taken) = truth.charged_back_cents {
            self.take(taken - self.taken());
        }
        let Some(told) = truth.refunded_cents else { return };
        self.said_back = Some(told);
        self.settles_unclear(told);
        if let Some(unknown) = self.went_back_unknown() {
            self.tell(unknown);
        }
    }

    /// What is to be told of money that went back by nobody's wish, as far as the provider has said it.
    pub fn went_back_unknown(&self) -> Option<Told> {
        let told = self.said_back?;
        let news = told - self.back();
        let under_way = self.refunds.iter().filter(|it| it.status == RefundStatus::Agreed);
        let is_unknown = news > 0 && news > under_way.map(|it| it.cents).sum();
        is_unknown.then_some((ClearingReason::UnknownRefund, Some(told), None))
    }

    /// What went back and is not known yet is first what was unclear. Gives what is left of it.
    fn settles_unclear(&mut self, told: i64) -> i64 {
        loop {
            let news = told - self.back();
            let unclear = |it: &&Back| it.status == RefundStatus::Unclear && it.cents <= news;
            let Some(id) = self.refunds.iter().find(unclear).map(|it| it.id) else { return news };
            self.gave_back(id);
        }
    }
}

fn less_or_more(less: bool) -> ClearingReason {
    if less { ClearingReason::Underpaid } else { ClearingReason::Overpaid }
}

/// What an unpaid payment becomes. What has ended does not open again; it may end otherwise.
fn heard(before: PaymentStatus, state: TruthState) -> PaymentStatus {
    use PaymentStatus::{Cancelled, Created, Expired, Failed, Pending, Started};
    match (state, before) {
        (TruthState::Failed, _) => Failed,
        (TruthState::Cancelled, _) => Cancelled,
        (TruthState::Expired, _) => Expired,
        (TruthState::Open, Created) => Started,
        (TruthState::Pending, Created | Started) => Pending,
        _ => before,
    }
}

impl Ledger {
    pub fn payment(&mut self, id: Id) -> Option<&mut Paid> {
        self.payments.iter_mut().find(|it| it.id == id)
    }

    pub fn kept(&self, claim: usize) -> i64 {
        self.payments.iter().filter(|it| it.claim == claim).map(Paid::kept).sum()
    }

    pub fn claim_status(&self, claim: usize) -> ClaimStatus {
        let owed = &self.claims[claim];
        match self.kept(claim) {
            _ if owed.cancelled => ClaimStatus::Cancelled,
            ..=0 => ClaimStatus::Open,
            kept if kept < owed.cents => ClaimStatus::PartlyPaid,
            kept if kept == owed.cents => ClaimStatus::Paid,
            _ => ClaimStatus::Overpaid,
        }
    }

    /// Whether an online payment towards it is open.
    pub fn is_under_way(&self, claim: usize) -> bool {
        self.payments.iter().any(|it| it.claim == claim && !it.transfer && it.is_open())
    }

    /// Why no payment of a claim may be begun.
    pub fn refuses_start(&self, claim: usize) -> Option<&'static str> {
        match self.claim_status(claim) {
            ClaimStatus::Open | ClaimStatus::PartlyPaid if self.is_under_way(claim) => {
                Some("payment.under-way")
            }
            ClaimStatus::Open | ClaimStatus::PartlyPaid => None,
            _ => Some("model.wrong-state"),
        }
    }

    /// The provider has answered where a payment stands; `None`: it does not say.
    pub fn looked(&mut self, id: Id, truth: Option<&Truth>, reference: &str, now: Timestamp) {
        let Some(claim) = self.payment(id).map(|it| it.claim) else { return };
        let before = self.kept(claim);
        let cancelled = self.claims[claim].cancelled;
        let owed = self.claims[claim].cents;
        let Some(paid) = self.payment(id) else { return };
        let was = paid.kept();
        if let Some(truth) = truth {
            let other = truth.reference.as_deref().is_some_and(|told| told != reference);
            let money = truth.currency.as_deref().is_some_and(|told| told != "EUR");
            match (other, money) {
                (true, _) => paid.tell((ClearingReason::Reference, truth.amount_cents, None)),
                (_, true) => paid.tell((ClearingReason::Currency, truth.amount_cents, None)),
                _ => paid.hears(truth),
            }
        }
        let more = paid.kept() - was;
        if more > 0 {
            too_much(paid, before, before + more, owed, cancelled);
        }
        let pending = truth.is_some_and(|truth| truth.state == TruthState::Pending);
        let end = if pending { paid.deadline.plus(LAST_LOOK) } else { paid.deadline };
        if paid.is_open() && now >= end {
            paid.unpaid = PaymentStatus::Expired;
        }
    }

    /// Nobody may ask where a payment stands, for longer than it is looked at.
    pub fn shut_out(&mut self, id: Id, now: Timestamp) {
        let Some(paid) = self.payment(id) else { return };
        if paid.is_open() && now >= paid.deadline.plus(LAST_LOOK) {
            paid.unpaid = PaymentStatus::Expired;
            paid.tell((ClearingReason::NotLookedAt, None, None));
        }
    }

    /// Money came otherwise: by a human's decision, or by the bank.
    pub fn came(&mut self, id: Id, cents: i64) {
        let Some(claim) = self.payment(id).map(|it| it.claim) else { return };
        let (before, owed) = (self.kept(claim), &self.claims[claim]);
        let (cents_owed, cancelled) = (owed.cents, owed.cancelled);
        let Some(paid) = self.payment(id) else { return };
        paid.came = cents;
        too_much(paid, before, before + cents, cents_owed, cancelled);
    }

    /// Whether a human may decide so.
    pub fn may_decide(&self, at: usize, decision: Decision) -> bool {
        let paid = &self.payments[at];
        let Some((reason, cents, _)) = paid.told.first().copied() else { return false };
        let cents = cents.unwrap_or(0);
        let under_way = paid.refunds.iter().any(|it| it.status == RefundStatus::Agreed);
        match (decision, reason) {
            (Decision::Keep, _) | (_, ClearingReason::RefundUnclear) => true,
            (_, ClearingReason::Underpaid | ClearingReason::Overpaid) => cents > 0 && !paid.was_paid(),
            (_, ClearingReason::UnknownRefund) => {
                // What stays unclear may have gone back, too.
                let (mut back, mut unclear) = (paid.back(), 0);
                for it in paid.refunds.iter().filter(|it| it.status == RefundStatus::Unclear) {
                    let sum = if it.cents <= cents - back { &mut back } else { &mut unclear };
                    *sum += it.cents;
                }
                !under_way && cents > 0 && cents + unclear <= paid.came
            }
            _ => false,
        }
    }

    pub fn decided(&mut self, at: usize, decision: Decision) {
        let paid = &mut self.payments[at];
        if paid.told.is_empty() {
            return;
        }
        let told = paid.told.remove(0);
        paid.half_decided = None;
        paid.decided.push((told, decision));
        let (id, (reason, cents, refund)) = (paid.id, told);
        let cents = cents.unwrap_or(0);
        match (decision, reason, refund) {
            (Decision::Keep, _, Some(refund)) => {
                let unclear = |it: &&mut Back| it.id == refund && it.status == RefundStatus::Unclear;
                paid.refunds.iter_mut().filter(unclear).for_each(|it| it.status = RefundStatus::Refused);
            }
            (Decision::Keep, ..) => {}
            (_, ClearingReason::RefundUnclear, Some(refund)) => paid.gave_back(refund),
            (_, ClearingReason::UnknownRefund, _) => {
                let left = paid.settles_unclear(cents);
                if left > 0 {
                    let back = ids::derived_id(id, &format!("refunded:{cents}"));
                    paid.refunds.push(Back { id: back, cents: left, status: RefundStatus::Unclear });
                    paid.gave_back(back);
                }
            }
            _ => self.came(id, cents),
        }
    }

    /// Everything that must be booked of a claim, in the order of kinds and amounts.
    pub fn bookings(&self, claim: usize) -> Vec<(BookingKind, i64)> {
        let owed = &self.claims[claim];
        let mut all = vec![];
        if owed.booked {
            all.push((BookingKind::Claim, owed.cents));
        }
        if owed.booked && owed.cancelled {
            all.push((BookingKind::Cancellation, owed.cents));
        }
        for paid in self.payments.iter().filter(|it| it.claim == claim && it.was_paid()) {
            all.push((BookingKind::Receipt, paid.came));
            let done = paid.refunds.iter().filter(|it| it.status == RefundStatus::Done);
            all.extend(done.map(|it| (BookingKind::Refund, it.cents)));
            all.extend(paid.takes.iter().map(|cents| (BookingKind::Chargeback, *cents)));
        }
        all.sort_unstable();
        all
    }
}

/// More came than is owed, by this payment or by several.
fn too_much(paid: &mut Paid, before: i64, after: i64, owed: i64, cancelled: bool) {
    if after <= owed && !cancelled {
        return;
    }
    let twice = before > 0 || cancelled;
    paid.tell((
        if twice { ClearingReason::PaidTwice } else { ClearingReason::Overpaid },
        Some(paid.came),
        None,
    ));
}
