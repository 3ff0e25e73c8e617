//! What a payment provider does for the broker. The adapters hold no state: whatever has to be remembered stands in the payment.

use std::time::Duration;

use async_trait::async_trait;

use super::claim::{BookingLine, Payer};
use super::record::ClearingReason;
use crate::adapter::Health;
use crate::{Failure, FailureKind, Id, Timestamp};

/// What a provider offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Name of the interface, such as `girocheckout`.
    pub kind: &'static str,
    /// HTTP methods of its notifications; empty: it sends none, and its door is closed.
    pub notifies_by: &'static [&'static str],
    /// Largest notification, query and body together, in bytes.
    pub most_notice_bytes: usize,
    /// How long a payer has after the start.
    pub window: Duration,
    /// Whether it can be asked for a payment whose start was never answered ([`Provider::find`]).
    pub finds: bool,
    /// Whether starting again with the same request is the same payment.
    pub start_is_idempotent: bool,
    /// Whether its state may be asked at any time; otherwise only after a callback or the payer's return.
    pub may_be_polled: bool,
    /// Whether it gives money back.
    pub refunds: bool,
    /// Whether it cancels a payment that is still open.
    pub voids: bool,
}

/// A payment as its provider has to know it. The same payment always makes the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The payment.
    pub payment_id: Id,
    /// Our name for it: 36 characters, letters, digits and hyphens.
    pub request_id: String,
    /// Amount in euro cents.
    pub amount_cents: i64,
    /// What for: the text of the transfer. Providers shorten and clean it as they need.
    pub purpose: String,
    /// Kassenzeichen, if it is known before.
    pub cash_reference: Option<String>,
    /// What it is made of; never empty.
    pub lines: Vec<BookingLine>,
    /// Who pays, as far as it is known.
    pub payer: Option<Payer>,
    /// Address for the provider's notifications, with its token.
    pub notify_url: String,
    /// Address for the payer's browser, with its token.
    pub return_url: String,
    /// When the payment was begun here.
    pub created_at: Timestamp,
    /// When it is too late to pay.
    pub deadline: Timestamp,
    /// Day the claim is due, `YYYY-MM-DD`.
    pub due: Option<String>,
}

/// A payment that the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The provider's name for it.
    pub reference: String,
    /// Where the payer pays; absent if the provider does not say it again.
    pub payment_url: Option<String>,
    /// Kassenzeichen that the provider made.
    pub cash_reference: Option<String>,
}

/// What became of a start that was never answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The provider knows the payment.
    Started(Started),
    /// It does not: starting it is no repetition.
    Nothing,
    /// It cannot be asked.
    CannotAsk,
}

/// What the provider says of a payment over our authenticated connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// Where it stands.
    pub state: TruthState,
    /// Amount in euro cents; absent if the interface does not tell it.
    pub amount_cents: Option<i64>,
    /// Currency; absent if the interface does not tell it.
    pub currency: Option<String>,
    /// Its own name for the payment, if the answer repeats it.
    pub reference: Option<String>,
    /// Our name for the payment, if the answer repeats it.
    pub request_id: Option<String>,
    /// Kassenzeichen that the provider made.
    pub cash_reference: Option<String>,
    /// Means of payment.
    pub method: Option<String>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// What was given back in all, in euro cents.
    pub refunded_cents: Option<i64>,
    /// What the payer's bank took back in all, in euro cents.
    pub charged_back_cents: Option<i64>,
}

/// Where a payment stands at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TruthState {
    /// The payer can pay.
    #[default]
    Open,
    /// The payer has acted; the outcome is not known.
    Pending,
    /// Paid.
    Paid,
    /// The payer could not pay.
    Failed,
    /// The payer did not want to.
    Cancelled,
    /// The provider's time is over.
    Expired,
}

/// A notification or a return, as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// HTTP method, upper case.
    pub method: String,
    /// Query as it stood in the address, still encoded, without the question mark.
    pub query: String,
    /// Header fields with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What came may hold account numbers; it never reaches a log.
impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notice({} …, {} bytes)", self.method, self.body.len())
    }
}

/// What a notification is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// What it leads to.
    pub verdict: Verdict,
    /// The provider's own name for this notification; absent: its digest.
    pub id: Option<String>,
}

/// What a notification leads to. None of these books anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The provider is asked where the payment stands. Answered with 200.
    Hint,
    /// It is authentic, but says something that cannot be: the provider is asked, and a human is told. Answered with the status given.
    Differs(ClearingReason, Option<i64>, u16),
    /// It is kept as evidence and leads to nothing. Answered with 400.
    Refused(Refusal),
}

/// Why a notification leads to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A field is missing, too long, or not what it has to be.
    Malformed,
    /// A field comes twice.
    Repeated,
    /// The signature is missing or wrong.
    Signature,
    /// It is too old, or from the future.
    Time,
    /// It is about another payment, or its fields are not those of ours.
    OtherPayment,
    /// The provider's name for the payment is not known yet: answered with 503, so that it comes again.
    TooEarly,
}

impl Refusal {
    /// A word for events and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Repeated => "repeated",
            Refusal::Signature => "signature",
            Refusal::Time => "time",
            Refusal::OtherPayment => "other-payment",
            Refusal::TooEarly => "too-early",
        }
    }
}

/// A refund as the provider has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    /// Our name for it: the same refund always has the same.
    pub id: Id,
    /// Amount in euro cents.
    pub amount_cents: i64,
    /// What for.
    pub purpose: String,
}

/// A payment provider. `reference` is the provider's own name for the payment, as it gave it at the start.
///
/// Every call is bounded in time. [`FailureKind`] decides what comes next: `Uncertain` where a start or refund may have happened,
/// `Rejected` where the provider refused it for good, `Unauthorised` where our credentials are wrong, `Transient` for all passing trouble.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Id as configured.
    fn id(&self) -> &str;

    /// What it offers.
    fn terms(&self) -> &Terms;

    /// Starts a payment.
    async fn start(&self, order: &Order) -> Result<Started, Failure>;

    /// Finds out what became of a start that was never answered.
    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        let _ = order;
        Ok(Found::CannotAsk)
    }

    /// Asks where a payment stands. An answer that lacks what the interface always tells is a failure, not a truth.
    async fn status(&self, order: &Order, reference: &str) -> Result<Truth, Failure>;

    /// Judges a notification: method and size are looked at before. Pure; `reference` is absent while the start is not answered yet.
    fn notified(&self, order: &Order, reference: Option<&str>, notice: &Notice, now: Timestamp) -> Notified;

    /// Gives money back. Returns the provider's name for the refund.
    async fn refund(
        &self,
        order: &Order,
        reference: &str,
        refund: &RefundOrder,
    ) -> Result<Option<String>, Failure> {
        let _ = (order, reference, refund);
        Err(not_offered())
    }

    /// Cancels a payment that is still open.
    async fn void(&self, order: &Order, reference: &str) -> Result<(), Failure> {
        let _ = (order, reference);
        Err(not_offered())
    }

    /// Tries to reach the provider.
    async fn check(&self) -> Health;
}

fn not_offered() -> Failure {
    Failure::new(FailureKind::Permanent, "adapter.not-offered", "the provider does not offer this")
}
