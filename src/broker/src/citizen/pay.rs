//! Paying: whoever has the link of a claim, or the session of its case, begins a payment and is sent to the provider's page.

use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Scope};

use super::keys::Use;
use super::session::CitizenSession;
use super::view::OwedClaim;
use super::{citizen, view};
use crate::{Broker, Error, NewPayment};

/// What whoever has a link for a payment is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct PayPage {
    /// What is owed.
    pub claim: OwedClaim,
    /// The authority that asks for it.
    pub office: Option<String>,
    tenant: String,
    case: Id,
}

impl Broker {
    /// The link by which a claim is paid, for whoever owes it. It ends when nothing is owed any more, or access is revoked.
    ///
    /// # Errors
    /// `NotFound` if the claim is outside of the caller's scope; `WrongState` if nothing is owed.
    pub async fn payment_link(&self, caller: &Caller, claim: Id) -> Result<String, Error> {
        let citizens = self.citizens()?;
        let scope = caller.may(Action::WriteClaims)?;
        let Record::Claim(claim) = self.owned(scope, RecordKind::Claim, claim).await? else {
            return Err(Error::Internal);
        };
        if !model::public_state::is_owed(&claim) {
            return Err(model::Error::WrongState { state: claim.status.name() }.into());
        }
        let tenant = &claim.meta.tenant;
        let generation = self.generation(tenant, claim.case_id).await?.number;
        let token = self.citizen_key(tenant).await?.link(Use::Payment, claim.meta.id, generation)?;
        Ok(format!("{}/citizen/pay/{token}", citizens.url))
    }

    /// What whoever has a link for a payment is shown.
    ///
    /// # Errors
    /// `LinkOver` if there is no such link, or nothing is owed any more.
    pub async fn pay_page(&self, token: &str) -> Result<PayPage, Error> {
        let (Record::Claim(claim), _) = self.linked_by(Use::Payment, token).await? else {
            return Err(Error::LinkOver);
        };
        let tenant = claim.meta.tenant.clone();
        if !model::public_state::is_owed(&claim) {
            return Err(Error::LinkOver);
        }
        let authority = self.house().authority(&tenant, &claim.meta.authority);
        let office = authority.map(|authority| authority.name.clone());
        Ok(PayPage { claim: view::OwedClaim::of(&claim), office, tenant, case: claim.case_id })
    }

    /// Begins a payment by link; gives the provider's page.
    ///
    /// # Errors
    /// As [`Broker::start_payment`].
    pub async fn pay_by_link(&self, page: &PayPage) -> Result<String, Error> {
        let scope = Scope::tenant(&page.tenant);
        let found = self.store().record(&scope, RecordKind::Case, page.case).await?;
        let Some(Record::Case(case)) = found else { return Err(Error::LinkOver) };
        self.page_for(&citizen(&case), page.claim.claim).await
    }

    /// Begins a payment of a claim of the session's case; gives the provider's page.
    ///
    /// # Errors
    /// `NotFound` if it is none of the case; as [`Broker::start_payment`].
    pub async fn citizen_pays(&self, session: &CitizenSession, claim: Id) -> Result<String, Error> {
        let scope = Scope::tenant(&session.case.meta.tenant);
        let found = self.store().record(&scope, RecordKind::Claim, claim).await?;
        let of_case = |it: &Record| matches!(it, Record::Claim(it) if it.case_id == session.case.meta.id);
        if !found.is_some_and(|found| of_case(&found)) {
            return Err(model::Error::NotFound { kind: "claim" }.into());
        }
        self.page_for(&citizen(&session.case), claim).await
    }

    /// The provider's page of a new payment, or of the one that is open.
    async fn page_for(&self, caller: &Caller, claim: Id) -> Result<String, Error> {
        // Where the payer goes on to has to be allowed for payers as for portals; else the payments' own page is the end.
        let back = format!("{}/citizen/back", self.citizens()?.url);
        let mut started = self.start_payment(caller, claim, NewPayment { return_to: Some(back) }, None).await;
        if matches!(started, Err(Error::ReturnHost)) {
            started = self.start_payment(caller, claim, NewPayment::default(), None).await;
        }
        let payment = match started {
            Err(Error::PaymentUnderWay { payment }) => {
                self.payer_sees(&caller.scope.tenant, payment).await?.payment
            }
            started => started?,
        };
        let page = payment.payment_url.filter(|url| url.starts_with("https://"));
        page.ok_or_else(|| model::Error::WrongState { state: payment.status.name() }.into())
    }
}
