//! What payers get to see: the state of a payment, for whoever holds the token of its return address, and the EPC QR code of a claim for a
//! notice on paper.

use model::payment::girocode::girocode;
use model::payment::{ClaimStatus, Payment};
use model::{Caller, Id, Record, RecordKind, Scope};

use crate::{Broker, Error};

/// What the payer's browser is answered from.
#[derive(Debug, Clone, PartialEq)]
pub struct PayerSees {
    /// The payment.
    pub payment: Payment,
    /// Name of the authority that asks for the money.
    pub office: Option<String>,
}

impl Broker {
    /// A payment for its payer. No rights are asked: whoever calls has looked at the token of the address ([`Broker::notice`]).
    ///
    /// # Errors
    /// `NotFound` if there is no such payment.
    pub async fn payer_sees(&self, tenant: &str, payment: Id) -> Result<PayerSees, Error> {
        let record = self.store().record(&Scope::tenant(tenant), RecordKind::Payment, payment).await?;
        let Some(Record::Payment(payment)) = record else {
            return Err(model::Error::NotFound { kind: "payment" }.into());
        };
        let authority = self.house().authority(tenant, &payment.meta.authority);
        let office = authority.map(|authority| authority.name.clone());
        Ok(PayerSees { payment, office })
    }

    /// The text of an EPC QR code for a transfer of what is left of a claim, which its Kassenzeichen will be found by.
    ///
    /// # Errors
    /// `WrongState` if nothing is owed; `NoBankAccount` if the account has none; `NoCashReference` if the claim has none yet.
    pub async fn girocode(&self, caller: &Caller, claim: Id) -> Result<String, Error> {
        let Record::Claim(claim) = self.record(caller, RecordKind::Claim, claim).await? else {
            return Err(model::Error::NotFound { kind: "claim" }.into());
        };
        if !matches!(claim.status, ClaimStatus::Open | ClaimStatus::PartlyPaid) {
            return Err(model::Error::WrongState { state: claim.status.name() }.into());
        }
        let account = self.payments()?.account(&claim.meta.tenant, &claim.account).ok_or(Error::NoAccount)?;
        let bank = account.bank.as_ref().ok_or(Error::NoBankAccount)?;
        let reference = claim.cash_reference.as_ref().ok_or(Error::NoCashReference)?;
        let left = claim.amount_cents - claim.paid_cents;
        Ok(girocode(bank, left, &format!("Kassenzeichen {reference}"))?)
    }
}
