//! A payment towards a claim: where it stands, its refunds, and what is unclear about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Meta;
use crate::{Id, Timestamp};

/// A payment towards a claim (Zahlung). It is persisted before its provider hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Claim it pays.
    pub claim_id: Id,
    /// Id of the configured provider; [`TRANSFER`] for money that came by itself.
    pub provider: String,
    /// Amount that is asked for, in euro cents.
    pub amount_cents: i64,
    /// Amount that came, in euro cents; 0 until it is paid.
    #[serde(default)]
    pub paid_cents: i64,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Our own name for it at the provider: 36 characters, made once.
    pub request_id: String,
    /// The provider's name for it, once known; from then on it is never another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where the payer pays; only while the payment is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_url: Option<String>,
    /// Where the payer's browser goes on to after the provider, given by the portal that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// Kassenzeichen that the provider made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash_reference: Option<String>,
    /// Means of payment, in the provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// When it is too late to pay.
    pub deadline: Timestamp,
    /// When it was paid; of money that came by itself the day on which the bank booked it, at noon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Why it failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Refunds that somebody asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// What was given back, in euro cents.
    #[serde(default)]
    pub refunded_cents: i64,
    /// What the payer's bank took back, in euro cents.
    #[serde(default)]
    pub charged_back_cents: i64,
    /// What a human has to decide about. What is pulled meanwhile still counts: money that came is never left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clearing: Option<Clearing>,
    /// Further contradictions, the oldest first: each is decided about when those before it are. At most [`MOST_WAITING`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Clearing>,
    /// Contradictions that a human has decided about: the same one is not told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<Cleared>,
    /// The line of a bank statement, or of a payout, by which the money arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<String>,
}

/// Most contradictions of a payment that wait behind the one that is to be decided about.
pub const MOST_WAITING: usize = 20;

/// Provider of money that came by itself, by a bank transfer.
pub const TRANSFER: &str = "transfer";

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PaymentStatus {
    /// Persisted; the provider has not answered yet.
    Created,
    /// The provider knows it; the payer can pay.
    Started,
    /// The payer has acted; the outcome is not known.
    Pending,
    /// Paid, as the provider's own state or the bank statement says.
    Paid,
    /// The payer could not pay.
    Failed,
    /// The payer did not want to pay.
    Cancelled,
    /// Its time is over.
    Expired,
    /// Some of it was given back.
    PartlyRefunded,
    /// All of it was given back.
    Refunded,
    /// The payer's bank took it back.
    ChargedBack,
}

impl PaymentStatus {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            PaymentStatus::Created => "created",
            PaymentStatus::Started => "started",
            PaymentStatus::Pending => "pending",
            PaymentStatus::Paid => "paid",
            PaymentStatus::Failed => "failed",
            PaymentStatus::Cancelled => "cancelled",
            PaymentStatus::Expired => "expired",
            PaymentStatus::PartlyRefunded => "partlyRefunded",
            PaymentStatus::Refunded => "refunded",
            PaymentStatus::ChargedBack => "chargedBack",
        }
    }

    /// Whether the payer may still pay.
    pub fn is_open(self) -> bool {
        matches!(self, PaymentStatus::Created | PaymentStatus::Started | PaymentStatus::Pending)
    }

    /// Whether money came, whatever became of it.
    pub fn was_paid(self) -> bool {
        use PaymentStatus::{ChargedBack, Paid, PartlyRefunded, Refunded};
        matches!(self, Paid | PartlyRefunded | Refunded | ChargedBack)
    }
}

/// A contradiction that a human has to decide about (Klärungsfall).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Clearing {
    /// What contradicts.
    pub reason: ClearingReason,
    /// Amount that the other side names, in euro cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_cents: Option<i64>,
    /// The refund or the booking that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Id>,
    /// When it was found.
    pub since: Timestamp,
    /// Whoever has decided, while a second one has still to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Decided>,
}

impl Clearing {
    /// A contradiction that was found now, about which nobody has decided.
    pub fn new(reason: ClearingReason, amount_cents: Option<i64>, now: Timestamp) -> Self {
        Clearing { reason, amount_cents, subject: None, since: now, asked: None }
    }

    /// That it is about this refund or booking.
    #[must_use]
    pub fn about(self, subject: Id) -> Self {
        Clearing { subject: Some(subject), ..self }
    }

    /// What makes it another than others: reason, amount, and the refund or booking.
    pub fn key(&self) -> (ClearingReason, Option<i64>, Option<Id>) {
        (self.reason, self.amount_cents, self.subject)
    }

    /// The same as text, with the time: what a form says of the contradiction that it shows.
    pub fn sign(&self) -> String {
        let (reason, cents, subject) = self.key();
        let told = cents.map(|cents| cents.to_string()).into_iter().chain(subject.map(|id| id.to_string()));
        let start = format!("{}:{}", reason.code(), self.since.micros());
        std::iter::once(start).chain(told).collect::<Vec<_>>().join(":")
    }
}

/// What a human decided about a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// What contradicted.
    pub reason: ClearingReason,
    /// The amount that was named, in euro cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_cents: Option<i64>,
    /// The refund or the booking that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Id>,
    /// What was decided.
    pub decision: Decision,
    /// When.
    pub at: Timestamp,
}

impl Cleared {
    /// As [`Clearing::key`].
    pub fn key(&self) -> (ClearingReason, Option<i64>, Option<Id>) {
        (self.reason, self.amount_cents, self.subject)
    }
}

/// A decision of somebody, by their token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// What was decided.
    pub decision: Decision,
    /// The token by which it was.
    pub by: Id,
}

/// What may be decided about a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// The payment stays as it is: the contradiction was explained. An unclear refund was not carried out.
    Keep,
    /// What the other side says is so, and is booked: another amount than ours of a payment that is not paid, an unclear refund, or a
    /// refund that nobody here asked for. Nothing else can be accepted.
    Accept,
}

/// What contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClearingReason {
    /// Less was paid than is owed.
    Underpaid,
    /// More was paid than is owed.
    Overpaid,
    /// Another currency was named.
    Currency,
    /// Another payment was named, by the provider itself.
    Reference,
    /// What was paid is said not to have been paid.
    Contradiction,
    /// A callback that is authentic names another amount than ours.
    CallbackDiffers,
    /// Money was given back that nobody here asked for.
    UnknownRefund,
    /// Nobody knows whether a refund was carried out.
    RefundUnclear,
    /// The provider knows a payment that was never known to have started.
    UnknownStart,
    /// Nobody could ask the provider until it was too late: what the payer did there is not known.
    NotLookedAt,
    /// A claim was paid more than once, or after it was cancelled.
    PaidTwice,
    /// The cash system refused a booking.
    BookingRefused,
}

impl ClearingReason {
    /// All of them.
    pub const ALL: [ClearingReason; 12] = [
        ClearingReason::Underpaid,
        ClearingReason::Overpaid,
        ClearingReason::Currency,
        ClearingReason::Reference,
        ClearingReason::Contradiction,
        ClearingReason::CallbackDiffers,
        ClearingReason::UnknownRefund,
        ClearingReason::RefundUnclear,
        ClearingReason::UnknownStart,
        ClearingReason::NotLookedAt,
        ClearingReason::PaidTwice,
        ClearingReason::BookingRefused,
    ];

    /// Code of the rule, which has a page of its own.
    pub fn code(self) -> &'static str {
        match self {
            ClearingReason::Underpaid => "payment.underpaid",
            ClearingReason::Overpaid => "payment.overpaid",
            ClearingReason::Currency => "payment.currency",
            ClearingReason::Reference => "payment.reference",
            ClearingReason::Contradiction => "payment.contradiction",
            ClearingReason::CallbackDiffers => "payment.callback-differs",
            ClearingReason::UnknownRefund => "payment.unknown-refund",
            ClearingReason::RefundUnclear => "payment.refund-unclear",
            ClearingReason::UnknownStart => "payment.unknown-start",
            ClearingReason::NotLookedAt => "payment.not-looked-at",
            ClearingReason::PaidTwice => "payment.paid-twice",
            ClearingReason::BookingRefused => "payment.booking-refused",
        }
    }
}

/// Money that is to be given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Identifier; the provider knows the refund by it.
    pub id: Id,
    /// Amount in euro cents.
    pub amount_cents: i64,
    /// Why, without personal data.
    pub reason: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// The token by which it was asked for.
    pub asked_by: Id,
    /// The token by which it was agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_by: Option<Id>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Who did not want it any more, of a refund that is declined or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Declined>,
    /// The provider's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// That somebody does not want a refund that nobody has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Declined {
    /// The token by which it was declined; the one by which it was asked for withdraws it.
    pub by: Id,
    /// Why, without personal data.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RefundStatus {
    /// Somebody asked for it.
    Asked,
    /// A second one agreed; the provider is told.
    Agreed,
    /// A second one did not agree: the provider is never told.
    Declined,
    /// Whoever asked for it took it back before anybody agreed.
    Withdrawn,
    /// Done, as the provider says.
    Done,
    /// The provider refused it.
    Refused,
    /// Nobody knows.
    Unclear,
}

impl Payment {
    /// What came and was neither given nor taken back, in euro cents.
    pub fn kept_cents(&self) -> i64 {
        self.paid_cents - self.refunded_cents - self.charged_back_cents
    }

    /// What may still be asked to be given back, in euro cents: refunds under way count as given.
    pub fn refundable_cents(&self) -> i64 {
        use RefundStatus::{Agreed, Asked, Unclear};
        let under_way =
            self.refunds.iter().filter(|refund| matches!(refund.status, Asked | Agreed | Unclear));
        self.kept_cents() - under_way.map(|refund| refund.amount_cents).sum::<i64>()
    }

    /// Whether there is money here for this refund, besides the others that are agreed to or unclear: the payer's bank may have taken it
    /// back since it was asked for.
    pub fn covers(&self, refund: &Refund) -> bool {
        use RefundStatus::{Agreed, Unclear};
        let others = self.refunds.iter().filter(|other| other.id != refund.id);
        let going = others.filter(|other| matches!(other.status, Agreed | Unclear));
        self.kept_cents() - going.map(|other| other.amount_cents).sum::<i64>() >= refund.amount_cents
    }
}
