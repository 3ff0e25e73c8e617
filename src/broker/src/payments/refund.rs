//! Money goes back; payments that are open are voided.

use model::payment::Payment;
use model::{Caller, Id};

use crate::{Broker, Error, Once};

impl Broker {
    /// Asks that `cents` of a payment be given back, with a reason that holds no personal data. Always somebody else has to agree.
    ///
    /// # Errors
    /// `Invalid` if there is less to give back; `PaymentNotOffered` if the provider gives nothing back.
    pub async fn ask_refund(
        &self,
        caller: &Caller,
        payment: Id,
        cents: i64,
        reason: String,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let _ = (caller, payment, cents, reason, once);
        Err(Error::PaymentsNotConfigured)
    }

    /// Agrees to a refund, which is carried out then.
    ///
    /// # Errors
    /// `SecondPerson` if it is the one who asked.
    pub async fn agree_refund(
        &self,
        caller: &Caller,
        payment: Id,
        refund: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let _ = (caller, payment, refund, once);
        Err(Error::PaymentsNotConfigured)
    }

    /// Cancels a payment that is still open at its provider, and asks the provider where it stands.
    ///
    /// # Errors
    /// `WrongState` if it is not open; `PaymentNotOffered` if the provider cancels nothing.
    pub async fn void_payment(
        &self,
        caller: &Caller,
        payment: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let _ = (caller, payment, once);
        Err(Error::PaymentsNotConfigured)
    }
}
