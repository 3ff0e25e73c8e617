//! Bookings as JSON: one object, amounts in euro cents; `docs/payments-cash.md` describes it.

use model::payment::cash::{CashFormat, FileHead};
use model::payment::{Booking, BookingKind, BookingLine};
use model::{Failure, Id, Timestamp};
use serde::Serialize;

use super::view::{Defaults, Sum, lines, sums};

/// JSON.
#[derive(Debug, Clone)]
pub struct Json {
    name: String,
    defaults: Defaults,
}

impl Json {
    /// The format, under the name that accounts have for it.
    pub fn new(name: &str, defaults: Defaults) -> Json {
        Json { name: name.to_owned(), defaults }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    format: &'static str,
    version: u32,
    tenant: &'a str,
    account: &'a str,
    number: u64,
    made_at: Timestamp,
    sums: Vec<Sum>,
    bookings: Vec<Told<'a>>,
}

/// A booking without its state, which changes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    id: Id,
    kind: BookingKind,
    number: u32,
    claim_id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<Id>,
    case_id: Id,
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_service: Option<&'a str>,
    amount_cents: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cash_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    purpose: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<&'a str>,
    at: Timestamp,
    lines: Vec<BookingLine>,
}

impl CashFormat for Json {
    fn name(&self) -> &str {
        &self.name
    }

    fn media_type(&self) -> &str {
        "application/json"
    }

    fn ending(&self) -> &str {
        "json"
    }

    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        let whole = Whole {
            format: "amtsbote-cash",
            version: 1,
            tenant: &head.tenant,
            account: &head.account,
            number: head.number,
            made_at: head.at,
            sums: sums(bookings),
            bookings: bookings.iter().map(|booking| told(booking, &self.defaults)).collect(),
        };
        let failed = |_| Failure::permanent("payment.cash-format", "JSON");
        let mut bytes = serde_json::to_vec_pretty(&whole).map_err(failed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn told<'a>(booking: &'a Booking, defaults: &Defaults) -> Told<'a> {
    Told {
        id: booking.id,
        kind: booking.kind,
        number: booking.number,
        claim_id: booking.claim_id,
        payment_id: booking.payment_id,
        case_id: booking.case_id,
        unit: &booking.unit,
        public_service: booking.public_service.as_deref(),
        amount_cents: booking.amount_cents,
        cash_reference: booking.cash_reference.as_deref(),
        reference: booking.reference.as_deref(),
        method: booking.method.as_deref(),
        purpose: &booking.purpose,
        due: booking.due.as_deref(),
        at: booking.at,
        lines: lines(booking, defaults),
    }
}
