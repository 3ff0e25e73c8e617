//! Bank statements and files for the cash system, in forms that tests read at a glance.

use std::io::Read;

use model::payment::Booking;
use model::payment::cash::{CashFormat, FileHead};
use model::payment::statement::{Line, Statements};
use model::{Failure, Timestamp};

/// Statements are JSON arrays of lines.
pub struct Script;

impl Statements for Script {
    fn read(
        &self,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let broken =
            |_| Failure::new(model::FailureKind::Rejected, "payment.statement-broken", "no statement");
        let lines: Vec<Line> = serde_json::from_reader(input).map_err(broken)?;
        lines.into_iter().try_for_each(each)
    }
}

/// Files hold the ids of their bookings.
pub struct NoFormat;

impl NoFormat {
    pub const NAME: &str = "ids";
}

impl CashFormat for NoFormat {
    fn name(&self) -> &str {
        NoFormat::NAME
    }

    fn media_type(&self) -> &str {
        "text/plain"
    }

    fn ending(&self) -> &str {
        "txt"
    }

    fn write(&self, _: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        Ok(bookings.iter().map(|it| format!("{}\n", it.id)).collect::<String>().into_bytes())
    }
}

/// A line of a statement.
pub fn line(id: String, cents: i64, credit: bool, text: String) -> Line {
    Line {
        id,
        iban: String::new(),
        amount_cents: cents,
        currency: "EUR".into(),
        credit,
        reversal: false,
        booked: true,
        booked_on: Some(Timestamp::default().to_string()[..10].to_owned()),
        end_to_end: None,
        creditor_reference: None,
        text,
        return_reason: None,
        charges_cents: 0,
        transactions: 1,
    }
}
