//! The JSON of the interface, as `openapi.yaml` has it: what we send, and what an answer has to say.

use model::payment::provider::{Order, Started, Truth, TruthState};
use model::payment::{EURO, MOST_CENTS};
use model::{Failure, Timestamp};
use net::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{self, Call};
use crate::text;

/// Longest name that the provider gives to anything, in characters.
const REFERENCE: usize = 100;

/// Most that can be told, in cents: ten times what can be asked for.
const MOST: i64 = MOST_CENTS * 10;

/// The body of a start. The same order always makes the same.
pub(super) fn order(order: &Order) -> Value {
    json!({
        "requestId": order.request_id,
        "amountCents": order.amount_cents,
        "currency": EURO,
        "purpose": order.purpose,
        "cashReference": order.cash_reference,
        "due": order.due,
        "deadline": order.deadline,
        "notifyUrl": order.notify_url,
        "returnUrl": order.return_url,
        "lines": order.lines,
        "payer": order.payer,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartedAnswer {
    reference: String,
    payment_url: Option<String>,
    cash_reference: Option<String>,
}

/// A payment that began.
pub(super) fn started(answer: &Answer, base: &str) -> Result<Started, Failure> {
    let answer: StartedAnswer = http::json(answer, Call::Acting)?;
    let is_sound = text::is_reference(&answer.reference, REFERENCE)
        && answer.payment_url.as_deref().is_none_or(|url| text::is_page(url, base))
        && answer.cash_reference.as_deref().is_none_or(|it| text::is_reference(it, 30));
    if !is_sound {
        return Err(http::garbage(Call::Acting));
    }
    let StartedAnswer { reference, payment_url, cash_reference } = answer;
    Ok(Started { reference, payment_url, cash_reference })
}

#[derive(Deserialize)]
struct RefundAnswer {
    reference: Option<String>,
}

/// The provider's name for a refund.
pub(super) fn refunded(answer: &Answer) -> Result<Option<String>, Failure> {
    let RefundAnswer { reference } = http::json(answer, Call::Acting)?;
    match reference {
        Some(it) if !text::is_reference(&it, REFERENCE) => Err(http::garbage(Call::Acting)),
        reference => Ok(reference),
    }
}

/// Whether a 404 means the payment, and not that nothing at all stands at this address.
pub(super) fn is_unknown_payment(answer: &Answer) -> bool {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"] == "payment.unknown"
}

/// Where a payment stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    reference: String,
    request_id: String,
    status: Status,
    amount_cents: i64,
    currency: String,
    cash_reference: Option<String>,
    paid_at: Option<Timestamp>,
    method: Option<String>,
    refunded_cents: Option<i64>,
    charged_back_cents: Option<i64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Status {
    Open,
    Pending,
    Paid,
    Failed,
    Cancelled,
    Expired,
}

impl State {
    pub(super) fn read(answer: &Answer) -> Result<State, Failure> {
        let state: State = http::json(answer, Call::Asking)?;
        let is_amount = |cents: &i64| (0..=MOST).contains(cents);
        let is_currency = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_word = |text: &String| text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_sound = text::is_reference(&state.reference, REFERENCE)
            && text::is_reference(&state.request_id, 36)
            && state.cash_reference.as_deref().is_none_or(|it| text::is_reference(it, 30))
            && is_amount(&state.amount_cents)
            && state.refunded_cents.iter().chain(&state.charged_back_cents).all(is_amount)
            && is_currency(&state.currency)
            && state.method.as_ref().is_none_or(is_word);
        if is_sound { Ok(state) } else { Err(http::garbage(Call::Asking)) }
    }

    pub(super) fn truth(self) -> Truth {
        let state = match self.status {
            Status::Open => TruthState::Open,
            Status::Pending => TruthState::Pending,
            Status::Paid => TruthState::Paid,
            Status::Failed => TruthState::Failed,
            Status::Cancelled => TruthState::Cancelled,
            Status::Expired => TruthState::Expired,
        };
        Truth {
            state,
            amount_cents: Some(self.amount_cents),
            currency: Some(self.currency),
            reference: Some(self.reference),
            request_id: Some(self.request_id),
            cash_reference: self.cash_reference,
            method: self.method,
            paid_at: self.paid_at,
            refunded_cents: self.refunded_cents,
            charged_back_cents: self.charged_back_cents,
        }
    }
}
