//! Lines of bank statements, as whoever reads them hands them on. What the cash office does not need for matching is not kept:
//! no name, no account number of the other side.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// One line of a statement: a booked entry, or one transaction of a batch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The bank's own name for it, unique within the account; for a transaction of a batch with its place.
    pub id: String,
    /// IBAN of the account that the statement is of.
    pub iban: String,
    /// Amount in cents, always positive.
    pub amount_cents: i64,
    /// Currency.
    pub currency: String,
    /// Whether money came.
    pub credit: bool,
    /// Whether it takes an earlier line back.
    pub reversal: bool,
    /// Whether it is booked; what is only announced changes nothing.
    pub booked: bool,
    /// Day of the booking, `YYYY-MM-DD`.
    pub booked_on: Option<String>,
    /// End-to-end reference.
    pub end_to_end: Option<String>,
    /// Creditor reference (RF…), or another structured one.
    pub creditor_reference: Option<String>,
    /// Text of the transfer.
    pub text: String,
    /// Why a direct debit came back, such as `AC04`.
    pub return_reason: Option<String>,
    /// Fees that were taken off, in cents.
    pub charges_cents: i64,
    /// How many transactions it sums up; 1 for a single one.
    pub transactions: u32,
}

/// The text of a transfer never reaches a log.
impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} cents, credit {})", self.amount_cents, self.credit)
    }
}

/// Reads bank statements.
pub trait Statements: Send + Sync {
    /// Hands each line to `each`, in the order of the statement; memory does not grow with it. Blocks.
    ///
    /// # Errors
    /// `Rejected` if it is no statement that is understood; whatever `each` fails with.
    fn read(
        &self,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure>;
}
