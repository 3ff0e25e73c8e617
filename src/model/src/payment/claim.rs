//! What somebody owes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::record::Meta;

/// Shortest Kassenzeichen, in characters: a shorter one is too likely to stand in a text by chance.
pub const SHORTEST_REFERENCE: usize = 6;

/// Money that somebody owes (Forderung). It comes before every payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it arises from.
    pub case_id: Id,
    /// The way by which it is paid and booked, as configured ([`Account`](super::Account)).
    #[serde(default)]
    pub account: String,
    /// Amount in euro cents, at least 1.
    pub amount_cents: i64,
    /// What for, in words for the payer; at most 27 characters of the SEPA set go to providers and banks.
    pub purpose: String,
    /// Kassenzeichen, once assigned; from then on it is never another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash_reference: Option<String>,
    /// Day it is due, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// What it is made of; their amounts add up to its own. Empty: one line of the account's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<BookingLine>,
    /// Who owes it, as far as providers want to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// Where it stands.
    #[serde(default)]
    pub status: ClaimStatus,
    /// What was paid towards it and not given back, in euro cents.
    #[serde(default)]
    pub paid_cents: i64,
}

/// One line of a claim as the cash system books it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BookingLine {
    /// What for.
    pub description: String,
    /// Amount in euro cents, tax included.
    pub amount_cents: i64,
    /// Tax in it, in euro cents.
    #[serde(default)]
    pub tax_cents: i64,
    /// Rate of that tax in hundredths of a percent: 1900 is 19 %.
    #[serde(default)]
    pub tax_rate: u32,
    /// Haushaltsstelle or Produktsachkonto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_item: Option<String>,
    /// Objekt or Kostenstelle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_object: Option<String>,
}

/// Who owes a claim.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payer {
    /// Name of the organisation, or family name.
    pub name: String,
    /// First name; absent for organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Whether it is an organisation.
    #[serde(default)]
    pub organisation: bool,
    /// Street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Number of the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub house_number: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Country, two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Personal data never reaches a log by accident.
impl std::fmt::Debug for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payer(…)")
    }
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClaimStatus {
    /// Nothing was paid.
    #[default]
    Open,
    /// Something was paid, not all.
    PartlyPaid,
    /// Paid.
    Paid,
    /// More was paid than is owed.
    Overpaid,
    /// Not owed any more.
    Cancelled,
}

impl ClaimStatus {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            ClaimStatus::Open => "open",
            ClaimStatus::PartlyPaid => "partlyPaid",
            ClaimStatus::Paid => "paid",
            ClaimStatus::Overpaid => "overpaid",
            ClaimStatus::Cancelled => "cancelled",
        }
    }
}

impl Claim {
    /// The claim with `cents` more paid towards it; less than nothing for what was given back.
    pub fn with_paid(mut self, cents: i64) -> Claim {
        self.paid_cents += cents;
        if self.status != ClaimStatus::Cancelled {
            self.status = match self.paid_cents {
                ..=0 => ClaimStatus::Open,
                paid if paid < self.amount_cents => ClaimStatus::PartlyPaid,
                paid if paid == self.amount_cents => ClaimStatus::Paid,
                _ => ClaimStatus::Overpaid,
            };
        }
        self
    }
}
