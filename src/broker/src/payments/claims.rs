//! Claims: somebody owes. Whoever registers claims (the gateway, the cash system, the provider) is one thing of the account.

use model::case::RecordStatus;
use model::command::Change;
use model::payment::account::Numbering;
use model::payment::record::TRANSFER;
use model::payment::{Account, BookingLine, Claim, ClaimStatus, Payer, Payment, Registers};
use model::record::Meta;
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Scope, ids};
use store::{CASH_REFERENCES, Page, RecordFilter};

use super::Payments;
use super::books::{Books, claim_of, payment_of};
use crate::{Broker, Error, Once};

/// Space of the places of a claim's payments: whoever has the next one may start a payment or cancel the claim.
const PLACES: &str = "~place";

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

/// Numbers in a row that are passed over because somebody has them.
const MOST_PASSED_OVER: u64 = 1_000;

impl Broker {
    /// Makes a claim. Where the gateway registers claims, it numbers and books it.
    ///
    /// # Errors
    /// `NoAccount` if no account fits or several do; `ReferenceTaken` if another claim has the Kassenzeichen; `Invalid` if one is
    /// given that is not the cash system's to make.
    pub async fn create_claim(
        &self,
        caller: &Caller,
        new: NewClaim,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        let payments = self.payments()?;
        let scope = caller.may(Action::WriteClaims)?;
        let new = &new;
        self.anew(caller, once, move || self.try_claim(caller, scope, payments, new, once)).await
    }

    async fn try_claim(
        &self,
        caller: &Caller,
        scope: &Scope,
        payments: &Payments,
        new: &NewClaim,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        let case = self.owned(scope, RecordKind::Case, new.case_id).await?;
        let meta = case.meta();
        if case.status() == RecordStatus::Destroyed.name() {
            return Err(model::Error::WrongState { state: RecordStatus::Destroyed.name() }.into());
        }
        let account = payments.account_for(meta, new.account.as_deref()).ok_or(Error::NoAccount)?;
        let (id, now) = (ids::new_id(), self.now());
        // Up to the commit. Other nodes may number at the same time: then one of both decides anew.
        let _turn = match account.registers {
            Registers::Gateway => Some(self.numbering.lock().await),
            Registers::CashSystem | Registers::Provider => None,
        };
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        let mut around = self.above(&case).await?;
        around.insert(0, case.clone());
        // What is offered takes no claim, and what was is out of it: whoever destroys it sees the claim.
        self.leave_disposition(&mut books.work, None, &around, &caller.actor).await?;
        let cash_reference = match (account.registers, &new.cash_reference) {
            (Registers::Gateway, None) => Some(self.number(&mut books, account).await?),
            (Registers::CashSystem, given) => {
                self.refuse_taken(&scope.tenant, given.as_deref(), id).await?;
                given.clone()
            }
            (Registers::Provider, None) => None,
            (_, Some(_)) => return Err(model::Error::Invalid { field: "cashReference" }.into()),
        };
        let claim = Claim {
            meta: Meta { id, version: 0, created_at: now, updated_at: now, ..meta.clone() },
            case_id: new.case_id,
            account: account.id.clone(),
            amount_cents: new.amount_cents,
            purpose: new.purpose.clone(),
            cash_reference,
            due: new.due.clone(),
            lines: new.lines.clone(),
            payer: new.payer.clone(),
            status: ClaimStatus::Open,
            paid_cents: 0,
        };
        let claim = books.make_claim(claim, account.registers)?;
        self.commit_answer(caller, once, books.work, id, claim).await
    }

    /// The next Kassenzeichen of an account that nobody has. Accounts that number alike have their numbers from one counter; numbers that
    /// were given otherwise (by hand, by the cash system) are passed over.
    async fn number(&self, books: &mut Books<'_>, account: &Account) -> Result<String, Error> {
        let Numbering { prefix, digits, check_digit } = &account.numbering;
        let counter = format!("claims:{prefix}:{digits}:{check_digit}");
        let last = self.store().last_count(&account.tenant, &counter).await?;
        for step in 1..=MOST_PASSED_OVER {
            let reference = account.numbering.reference(last + step).ok_or(Error::NumbersUsedUp)?;
            let owner = self.store().reference_owner(&account.tenant, CASH_REFERENCES, &reference).await?;
            if owner.is_none() {
                books.work.count_to(&account.tenant, &counter, last, last + step);
                return Ok(reference);
            }
            // Others may have counted on meanwhile.
            if self.store().last_count(&account.tenant, &counter).await? != last {
                return Err(store::Error::Conflict { what: "counter" }.into());
            }
        }
        Err(Error::ReferenceTaken)
    }

    pub(super) async fn refuse_taken(
        &self,
        tenant: &str,
        reference: Option<&str>,
        claim: Id,
    ) -> Result<(), Error> {
        let Some(reference) = reference else { return Ok(()) };
        let owner = self.store().reference_owner(tenant, CASH_REFERENCES, reference).await?;
        if owner.is_some_and(|owner| owner != claim) { Err(Error::ReferenceTaken) } else { Ok(()) }
    }

    /// Nobody owes a claim any more.
    ///
    /// # Errors
    /// `PaymentUnderWay` while a payment is open; `WrongState` if money was kept.
    pub async fn cancel_claim(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<Claim, Error> {
        self.payments()?;
        let scope = caller.may(Action::WriteClaims)?;
        self.anew(caller, once, move || self.try_cancel(caller, scope, id, once)).await
    }

    async fn try_cancel(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        self.owned(scope, RecordKind::Claim, id).await?;
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        self.take_place(&mut books, id, id).await?;
        let claim = books.change_claim(id, Change::CancelClaim).await?;
        self.commit_answer(caller, once, books.work, id, claim).await
    }

    /// The cash system gives a claim its Kassenzeichen.
    ///
    /// # Errors
    /// `Exists` if it has another one; `ReferenceTaken` if another claim has this one; `Invalid` if it is not the cash system's to make.
    pub async fn assign_cash_reference(
        &self,
        caller: &Caller,
        claim: Id,
        reference: String,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        self.payments()?;
        let scope = caller.may(Action::KeepCash)?;
        let reference = &reference;
        self.anew(caller, once, move || self.try_assign(caller, scope, claim, reference, once)).await
    }

    async fn try_assign(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        reference: &str,
        once: Option<&Once>,
    ) -> Result<Claim, Error> {
        let before = claim_of(self.keeper_of(scope, RecordKind::Claim, id).await?)?;
        self.refuse_taken(&scope.tenant, Some(reference), id).await?;
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        if books.account_of(&before).is_none_or(|account| account.registers != Registers::CashSystem) {
            return Err(model::Error::Invalid { field: "cashReference" }.into());
        }
        let after = match before.cash_reference.as_deref() == Some(reference) {
            true => before,
            false => books.change_claim(id, Change::AssignCashReference(reference.to_owned())).await?,
        };
        self.commit_answer(caller, once, books.work, id, after).await
    }

    /// The place of the claim's next online payment is `owner`'s: of two who want to start one, or to start one and to cancel the
    /// claim, one loses its commit and looks anew.
    ///
    /// # Errors
    /// `PaymentUnderWay` if a payment is open.
    pub(super) async fn take_place(&self, books: &mut Books<'_>, claim: Id, owner: Id) -> Result<(), Error> {
        let tenant = books.claim(claim).await?.meta.tenant;
        let online = self.online_payments(&tenant, claim).await?;
        if let Some(open) = online.iter().find(|payment| payment.status.is_open()) {
            return Err(Error::PaymentUnderWay { payment: open.meta.id });
        }
        books.work.take_reference(&tenant, PLACES, &format!("{claim}:{}", online.len()), owner);
        Ok(())
    }

    /// The payments towards a claim that a provider was to know of.
    async fn online_payments(&self, tenant: &str, claim: Id) -> Result<Vec<Payment>, Error> {
        let mut payments = self.all_payments(tenant, claim).await?;
        payments.retain(|payment| payment.provider != TRANSFER);
        Ok(payments)
    }

    /// All payments towards a claim.
    pub(super) async fn all_payments(&self, tenant: &str, claim: Id) -> Result<Vec<Payment>, Error> {
        let filter = RecordFilter { parent: Some(claim), ..RecordFilter::of(RecordKind::Payment) };
        let (whole, mut page, mut all) = (Scope::tenant(tenant), Page::first(Page::MOST), vec![]);
        loop {
            let listed = self.store().records(&whole, &filter, &page).await?;
            all.extend(listed.items.into_iter().map(payment_of).collect::<Result<Vec<_>, _>>()?);
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Whether the caller may decide about a payment: it lies in their scope, or is paid by an account of theirs. Whoever was only asked
    /// about it reads it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn decides_about(&self, caller: &Caller, payment: Id) -> Result<bool, Error> {
        let Ok(scope) = caller.may(Action::DecideMoney) else { return Ok(false) };
        match self.keeper_of(scope, RecordKind::Payment, payment).await {
            Ok(_) => Ok(true),
            Err(Error::Model(model::Error::NotFound { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A claim or payment for whoever keeps its account: it lies in the scope, or is paid by an account whose unit does.
    pub(crate) async fn keeper_of(&self, scope: &Scope, kind: RecordKind, id: Id) -> Result<Record, Error> {
        let not_found = || Error::from(model::Error::NotFound { kind: kind.name() });
        if let Some(record) = self.store().record(scope, kind, id).await? {
            return Ok(record);
        }
        let whole = Scope::tenant(&scope.tenant);
        let record = self.store().record(&whole, kind, id).await?.ok_or_else(not_found)?;
        if self.keeps(scope, &record).await? { Ok(record) } else { Err(not_found()) }
    }

    /// Whether a claim or payment is paid by an account whose unit lies in the scope.
    pub(crate) async fn keeps(&self, scope: &Scope, record: &Record) -> Result<bool, Error> {
        let Some(payments) = &self.payments else { return Ok(false) };
        let claim = match record {
            Record::Claim(claim) => claim.clone(),
            Record::Payment(payment) => {
                let whole = Scope::tenant(&scope.tenant);
                claim_of(self.owned(&whole, RecordKind::Claim, payment.claim_id).await?)?
            }
            _ => return Ok(false),
        };
        let unit = payments.account(&scope.tenant, &claim.account).and_then(|it| it.unit.as_deref());
        let service = claim.meta.public_service.as_deref();
        Ok(unit.is_some_and(|unit| scope.covers(&claim.meta.tenant, unit, service)))
    }
}

impl Payments {
    /// The account for claims of a case: the one named if it fits, else the only one for its public service, else the only one for any.
    fn account_for(&self, case: &Meta, named: Option<&str>) -> Option<&Account> {
        let service = case.public_service.as_ref();
        let own = || self.accounts.iter().filter(|account| account.tenant == case.tenant);
        let serves = |account: &&Account| service.is_some_and(|service| account.services.contains(service));
        if let Some(named) = named {
            return own().find(|it| it.id == named && (it.services.is_empty() || serves(it)));
        }
        let special: Vec<&Account> = own().filter(serves).collect();
        match special.is_empty() {
            false => only(special),
            true => only(own().filter(|account| account.services.is_empty()).collect()),
        }
    }
}

fn only(mut fitting: Vec<&Account>) -> Option<&Account> {
    if fitting.len() > 1 { None } else { fitting.pop() }
}
