//! What the cash system (HKR) has to be told: one booking for each thing that happened, never changed, corrected only by another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::{BookingLine, Claim};
use super::record::{Payment, RefundStatus};
use crate::{Id, Timestamp, ids};

/// A booking (Buchungssatz).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
    /// Identifier: the same for the same thing that happened ([`Booking::id_of`]).
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Unit that the claim belongs to.
    pub unit: String,
    /// Public service that the claim belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_service: Option<String>,
    /// The way by which the claim is paid and booked.
    pub account: String,
    /// What happened.
    pub kind: BookingKind,
    /// Counts the bookings of a kind of one claim or payment, from 1.
    pub number: u32,
    /// The claim.
    pub claim_id: Id,
    /// The payment; absent where the claim itself is booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<Id>,
    /// Case of the claim.
    pub case_id: Id,
    /// Amount in euro cents, always positive: the kind says in which direction.
    pub amount_cents: i64,
    /// Kassenzeichen, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash_reference: Option<String>,
    /// The provider's name for the payment or the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Means of payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the claim is for.
    pub purpose: String,
    /// Day the claim is due, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Lines of the claim, where the whole of it is booked; else one line with the budget item of its first. Empty: the account's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<BookingLine>,
    /// When it happened.
    pub at: Timestamp,
    /// Where it stands. Not a part of what the cash system is told.
    #[serde(default)]
    pub state: BookingState,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BookingKind {
    /// Somebody owes (Soll).
    Claim,
    /// Money came (Ist).
    Receipt,
    /// Money was given back (Erstattung).
    Refund,
    /// Money was taken back by the payer's bank (Rücklastschrift).
    Chargeback,
    /// Nobody owes any more (Storno).
    Cancellation,
}

impl BookingKind {
    /// All kinds.
    pub const ALL: [BookingKind; 5] = [
        BookingKind::Claim,
        BookingKind::Receipt,
        BookingKind::Refund,
        BookingKind::Chargeback,
        BookingKind::Cancellation,
    ];

    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            BookingKind::Claim => "claim",
            BookingKind::Receipt => "receipt",
            BookingKind::Refund => "refund",
            BookingKind::Chargeback => "chargeback",
            BookingKind::Cancellation => "cancellation",
        }
    }
}

/// Where a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BookingState {
    /// The cash system was not told yet.
    #[default]
    Open,
    /// It stands in a file for the cash system.
    HandedOver,
    /// The cash system has booked it.
    Acknowledged,
    /// The cash system refused it.
    Refused,
}

impl BookingState {
    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            BookingState::Open => "open",
            BookingState::HandedOver => "handedOver",
            BookingState::Acknowledged => "acknowledged",
            BookingState::Refused => "refused",
        }
    }
}

impl Booking {
    /// The id of the booking of `kind` and `number` of a claim (`subject` is the claim) or a payment (`subject` is the payment).
    pub fn id_of(subject: Id, kind: BookingKind, number: u32) -> Id {
        ids::derived_id(subject, &format!("booking:{}:{number}", kind.name()))
    }
}

/// What has to be booked because a payment of `claim` changed from `before` to `after`: the difference between the two, and nothing else,
/// so that no change can be booked twice or left out.
pub fn of_payment(claim: &Claim, before: Option<&Payment>, after: &Payment, now: Timestamp) -> Vec<Booking> {
    let mut bookings = vec![];
    let entry = |kind, number, amount_cents, reference: Option<&String>| Booking {
        id: Booking::id_of(after.meta.id, kind, number),
        kind,
        number,
        payment_id: Some(after.meta.id),
        amount_cents,
        cash_reference: claim.cash_reference.clone().or_else(|| after.cash_reference.clone()),
        reference: reference.or(after.reference.as_ref()).cloned(),
        method: after.method.clone(),
        lines: lines_of(claim, amount_cents),
        ..of_claim(claim, BookingKind::Claim, now)
    };
    if after.paid_cents > 0 && before.is_none_or(|before| before.paid_cents == 0) {
        let mut receipt = entry(BookingKind::Receipt, 1, after.paid_cents, None);
        receipt.at = after.paid_at.unwrap_or(now);
        bookings.push(receipt);
    }
    let was_done = |id| {
        let mut refunds = before.iter().flat_map(|before| &before.refunds);
        refunds.any(|refund| refund.id == id && refund.status == RefundStatus::Done)
    };
    for (number, refund) in (1..).zip(&after.refunds) {
        if refund.status == RefundStatus::Done && !was_done(refund.id) {
            bookings.push(entry(BookingKind::Refund, number, refund.amount_cents, refund.reference.as_ref()));
        }
    }
    let taken = after.charged_back_cents - before.map_or(0, |before| before.charged_back_cents);
    if taken > 0 {
        // Each later one begins where the one before ended, so what is taken back in all is a number that never comes again.
        let number = u32::try_from(after.charged_back_cents).unwrap_or(u32::MAX);
        bookings.push(entry(BookingKind::Chargeback, number, taken, None));
    }
    bookings
}

/// The booking of a claim itself: that somebody owes it, or does not any more.
pub fn of_claim(claim: &Claim, kind: BookingKind, now: Timestamp) -> Booking {
    Booking {
        id: Booking::id_of(claim.meta.id, kind, 1),
        tenant: claim.meta.tenant.clone(),
        unit: claim.meta.unit.clone(),
        public_service: claim.meta.public_service.clone(),
        account: claim.account.clone(),
        kind,
        number: 1,
        claim_id: claim.meta.id,
        payment_id: None,
        case_id: claim.case_id,
        amount_cents: claim.amount_cents,
        cash_reference: claim.cash_reference.clone(),
        reference: None,
        method: None,
        purpose: claim.purpose.clone(),
        due: claim.due.clone(),
        lines: claim.lines.clone(),
        at: now,
        state: BookingState::Open,
    }
}

/// What money of a claim is booked on, in whichever direction it goes: the claim's lines if it is the whole amount, else one line on the
/// budget item of the first, since nobody says which lines it is of. A claim without lines is booked on the account's own.
fn lines_of(claim: &Claim, amount_cents: i64) -> Vec<BookingLine> {
    let Some(first) = claim.lines.first().filter(|_| amount_cents != claim.amount_cents) else {
        return claim.lines.clone();
    };
    vec![BookingLine {
        description: claim.purpose.clone(),
        amount_cents,
        budget_item: first.budget_item.clone(),
        cost_object: first.cost_object.clone(),
        ..BookingLine::default()
    }]
}
