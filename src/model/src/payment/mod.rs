//! Money: claims (Forderungen), payments towards them (Zahlungen), and what is booked of both.
//!
//! * [`claim`]: what somebody owes;
//! * [`record`]: a payment, where it stands, its refunds and what is unclear about it;
//! * [`observe`]: the one place where a payment changes because of what somebody says of it;
//! * [`booking`]: what the cash system (HKR) has to be told, once for each thing that happened;
//! * [`account`]: by which way a claim is paid, and who makes Sollstellung and Kassenzeichen there;
//! * [`provider`]: the trait of payment providers, [`statement`] and [`cash`] those of bank statements and of files for the
//!   cash system;
//! * [`girocode`]: the text of an EPC QR code on a fee notice;
//! * [`day`]: the day in Germany, by which cash offices book.
//!
//! Amounts are euro cents. A callback is a hint: money is booked only after the provider's own state was asked and compared, or
//! the bank statement says it.

pub mod account;
pub mod booking;
pub mod cash;
pub mod claim;
pub mod day;
pub mod girocode;
#[cfg(test)]
mod laws;
pub mod observe;
pub mod provider;
pub mod record;
pub mod statement;

pub use account::{Account, Payouts, Registers};
pub use booking::{Booking, BookingKind, BookingState};
pub use claim::{BookingLine, Claim, ClaimStatus, Payer};
pub use observe::{Observed, observe};
pub use provider::{Provider, Truth, TruthState};
pub use record::{Clearing, ClearingReason, Declined, Payment, PaymentStatus, Refund, RefundStatus};

/// The only currency of claims.
pub const EURO: &str = "EUR";

/// Largest claim, in cents: providers take amounts of up to six figures of euros.
pub const MOST_CENTS: i64 = 99_999_999;
