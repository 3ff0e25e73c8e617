//! What contradicts is decided by a human.

use model::payment::Payment;
use model::payment::record::Decision;
use model::{Caller, Id};

use crate::{Broker, Error, Once};

impl Broker {
    /// Decides about what contradicts. The first call asks, that of another token carries out; where one is enough, the first one does.
    ///
    /// # Errors
    /// `NotFound` if nothing contradicts; `SecondPerson` if the one who asked agrees.
    pub async fn decide_clearing(
        &self,
        caller: &Caller,
        payment: Id,
        decision: Decision,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let _ = (caller, payment, decision, once);
        Err(Error::PaymentsNotConfigured)
    }
}
