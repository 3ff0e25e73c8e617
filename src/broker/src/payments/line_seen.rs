//! Lines of bank statements for whoever has to say what they are: where some wait, what may be meant by one, what a first person has said.
//! They are seen by those who keep the account.

use std::collections::BTreeSet;

use model::payment::statement::Line;
use model::payment::{Account, Claim, Payment};
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind};
use serde_json::Value;
use store::{LineFilter, LineState, Page, RecordFilter, StatementLine};

use super::decide_line::{LineDecision, asked_of};
use super::statements::line_of;
use crate::{Broker, Error};

/// Most claims that are told of those a line names; most lines of one bank account that are counted.
const MOST_NAMED: usize = 20;
const MOST_COUNTED: u32 = 100;

/// A line of a bank statement, and what a decision about it begins with.
#[derive(Clone)]
pub struct LineSeen {
    /// The line.
    pub line: StatementLine,
    /// As the bank told it; without the IBAN.
    pub came: Line,
    /// Claims that it names while it belongs to nothing, at most 20.
    pub claims: Vec<Id>,
    /// Payments that it may be the payout of, as was proposed.
    pub proposed: Vec<Id>,
    /// Payments that it belongs to, once that is known.
    pub payments: Vec<Id>,
    /// What the first of two has said that it is, and who that is.
    pub asked: Option<(LineDecision, Id)>,
}

impl Broker {
    /// Names of accounts that the caller keeps and that have a bank account, in the order of the configuration; of those that share one
    /// the first. None if no payments are taken.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not keep the books of cash.
    pub fn kept_banks(&self, caller: &Caller) -> Result<Vec<String>, Error> {
        let scope = caller.may(Action::KeepCash)?;
        let Some(payments) = &self.payments else { return Ok(vec![]) };
        let mut banks = BTreeSet::new();
        let is_new =
            |account: &&Account| payments.bank_of(account).is_some_and(|bank| banks.insert(bank.key));
        let own = payments.accounts.iter().filter(|account| account.tenant == scope.tenant);
        let kept = own.filter(|account| self.kept(caller, &account.id).is_ok());
        Ok(kept.filter(is_new).map(|account| account.id.clone()).collect())
    }

    /// How many lines belong to nothing, on all bank accounts that the caller keeps, and whether there are more: of each bank account at
    /// most 100 are counted.
    ///
    /// # Errors
    /// As [`kept_banks`](Broker::kept_banks).
    pub async fn lines_waiting(&self, caller: &Caller) -> Result<(usize, bool), Error> {
        let filter = LineFilter { state: Some(LineState::Unmatched), ..LineFilter::default() };
        let (mut count, mut more) = (0, false);
        for account in self.kept_banks(caller)? {
            let listed = self.statement_lines(caller, &account, &filter, &Page::first(MOST_COUNTED)).await?;
            count += listed.items.len();
            more |= listed.next.is_some();
        }
        Ok((count, more))
    }

    /// One line of an account's statements.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account, `NoBankAccount` if it has no bank account; `NotFound` if there is no such line.
    pub async fn line_seen(&self, caller: &Caller, account: &str, id: Id) -> Result<LineSeen, Error> {
        let account = self.kept(caller, account)?;
        let bank = self.payments()?.bank_of(account).ok_or(Error::NoBankAccount)?;
        let found = self.store().statement_line(bank.tenant(), &bank.key, id).await?;
        let line = found.ok_or(model::Error::NotFound { kind: "statement line" })?;
        let came = line_of(&line)?;
        let mut claims = vec![];
        if line.state == LineState::Unmatched {
            let known = self.known_names(&bank, std::slice::from_ref(&came)).await?;
            claims.extend(known.of(&came).claims.into_iter().take(MOST_NAMED));
        }
        let mut payments = ids_of(&line.body["settles"]);
        payments.extend(line.payment);
        Ok(LineSeen {
            claims,
            proposed: ids_of(&line.body["proposal"]["settles"]),
            payments,
            asked: asked_of(&line).map(|asked| (asked.decision, asked.by)),
            came,
            line: bank.shown(line),
        })
    }

    /// The line by which the money of a payment towards a claim arrived: the claim's account, and its id. `None` if it is not known, or the
    /// caller does not keep that account.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn line_of_payment(
        &self,
        caller: &Caller,
        payment: &Payment,
        claim: &Claim,
    ) -> Result<Option<(String, Id)>, Error> {
        let Some(name) = payment.settled_by.as_deref() else { return Ok(None) };
        let Ok(account) = self.kept(caller, &claim.account) else { return Ok(None) };
        let Some(bank) = self.payments()?.bank_of(account) else { return Ok(None) };
        let known = self.store().known_lines(bank.tenant(), &bank.key, &[name]).await?;
        Ok(known.get(name).map(|line| (account.id.clone(), line.id)))
    }

    /// Claims within the caller's scope that have this Kassenzeichen: at most `limit`, the newest first.
    ///
    /// # Errors
    /// If the caller may not read cases.
    pub async fn find_claims(&self, caller: &Caller, text: &str, limit: u32) -> Result<Vec<Claim>, Error> {
        let scope = caller.may(Action::ReadCases)?;
        let filter = RecordFilter { named: Some(text.to_owned()), ..RecordFilter::of(RecordKind::Claim) };
        let found = self.store().newest(scope, &filter, None, limit).await?;
        let claim = |record| if let Record::Claim(claim) = record { Some(claim) } else { None };
        Ok(found.into_iter().filter_map(claim).collect())
    }
}

/// Ids that the body of a line holds.
fn ids_of(value: &Value) -> Vec<Id> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
