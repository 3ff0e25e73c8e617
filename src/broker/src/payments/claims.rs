//! Claims: somebody owes.

use model::payment::{BookingLine, Claim, Payer};
use model::{Caller, Id};

use crate::{Broker, Error, Once};

/// A claim that somebody makes.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// Case it arises from.
    pub case_id: Id,
    /// The way by which it is paid and booked; absent: the only one of the tenant that fits the case's public service.
    pub account: Option<String>,
    /// Amount in euro cents, at least 1.
    pub amount_cents: i64,
    /// What for, in words for the payer.
    pub purpose: String,
    /// Day it is due, `YYYY-MM-DD`.
    pub due: Option<String>,
    /// What it is made of; empty: one line of the account's own.
    pub lines: Vec<BookingLine>,
    /// Who owes it, as far as providers want to know.
    pub payer: Option<Payer>,
    /// Kassenzeichen that the cash system has made, where it makes them.
    pub cash_reference: Option<String>,
}

impl Broker {
    /// Makes a claim. Where the gateway registers claims, it numbers and books it.
    ///
    /// # Errors
    /// `NoAccount` if no account fits or several do; `ReferenceTaken` if another claim has the Kassenzeichen.
    pub async fn create_claim(
        &self,
        caller: &Caller,
        new: NewClaim,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        let _ = (caller, new, once);
        Err(Error::PaymentsNotConfigured)
    }

    /// Nobody owes a claim any more.
    ///
    /// # Errors
    /// `PaymentUnderWay` while a payment is open; `WrongState` if money was kept.
    pub async fn cancel_claim(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<Claim, Error> {
        let _ = (caller, id, once);
        Err(Error::PaymentsNotConfigured)
    }

    /// The cash system gives a claim its Kassenzeichen.
    ///
    /// # Errors
    /// `Exists` if it has another one; `ReferenceTaken` if another claim has this one.
    pub async fn assign_cash_reference(
        &self,
        caller: &Caller,
        claim: Id,
        reference: String,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        let _ = (caller, claim, reference, once);
        Err(Error::PaymentsNotConfigured)
    }
}
