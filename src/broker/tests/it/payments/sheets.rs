//! Bank statements and files for the cash system, in forms as plain as can be.

use std::io::Read;

use broker::StatementReport;
use bytes::Bytes;
use futures::Stream;
use model::payment::Booking;
use model::payment::cash::{CashFormat, FileHead};
use model::payment::statement::{Line, Statements};
use model::{Failure, FailureKind};

use super::till::{IBAN, Till};

/// Statements whose lines are JSON, one a text line.
pub struct Plain;

impl Statements for Plain {
    fn read(
        &self,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let wrong =
            || Failure::new(FailureKind::Rejected, "payment.statement-broken", "no line of this test");
        let mut text = String::new();
        input.read_to_string(&mut text).map_err(|_| wrong())?;
        text.lines().try_for_each(|line| each(serde_json::from_str(line).map_err(|_| wrong())?))
    }
}

/// Files whose lines are ids of bookings.
pub struct Ids;

impl CashFormat for Ids {
    fn name(&self) -> &str {
        "ids"
    }

    fn media_type(&self) -> &str {
        "text/plain"
    }

    fn ending(&self) -> &str {
        "txt"
    }

    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        let mut text = format!("{} {} {}\n", head.tenant, head.account, head.number);
        bookings.iter().for_each(|booking| text.push_str(&format!("{}\n", booking.id)));
        Ok(text.into_bytes())
    }
}

/// A booked credit of a statement, as one that Plain reads.
pub fn line(id: &str, amount_cents: i64, text: &str) -> Line {
    Line {
        id: id.into(),
        iban: IBAN.into(),
        amount_cents,
        currency: "EUR".into(),
        credit: true,
        reversal: false,
        booked: true,
        booked_on: Some("2026-11-23".into()),
        end_to_end: Some("NOTPROVIDED".into()),
        creditor_reference: None,
        text: text.into(),
        return_reason: None,
        charges_cents: 0,
        transactions: 1,
    }
}

/// The bytes of a body, in two pieces.
pub fn body(text: String) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin {
    let bytes = Bytes::from(text);
    let half = bytes.len() / 2;
    futures::stream::iter([Ok(bytes.slice(..half)), Ok(bytes.slice(half..))])
}

/// What becomes of a statement of these lines.
pub async fn statement(till: &Till, lines: &[Line]) -> StatementReport {
    let lines: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    let body = body(lines.join("\n"));
    till.broker().take_statement(&till.cashier(), "gebuehren", body, None).await.unwrap()
}
