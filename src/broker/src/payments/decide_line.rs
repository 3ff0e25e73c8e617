//! What a human says of a line that belongs to nothing: two of them, where the house wants that.

use std::collections::BTreeSet;

use model::command::PaymentChange;
use model::payment::EURO;
use model::payment::statement::Line;
use model::{Caller, EventKind, Id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{LineState, StatementLine};

use super::bank::BankAccount;
use super::books::Books;
use super::clearing::token_of;
use super::lines::{Became, Deciders};
use super::proposals::is_unsettled;
use super::statements::line_of;
use crate::{Broker, Error, Once};

/// What a human says of a line that belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineDecision {
    /// It is money towards this claim, or back from it.
    Claim(Id),
    /// By it arrived the money of these payments.
    Settles(Vec<Id>),
    /// It is none of ours.
    Ignore,
}

/// A decision of the first of two.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) decision: LineDecision,
    pub(super) by: Id,
}

/// What the first of two has said of a line.
pub(super) fn asked_of(line: &StatementLine) -> Option<Asked> {
    serde_json::from_value(line.body["asked"].clone()).ok()
}

impl Broker {
    /// Decides about a line that belongs to nothing. The first call asks, that of another token carries out; where one is enough, the
    /// first one does. Another decision than the one asked for is asked for anew.
    ///
    /// # Errors
    /// `NotFound` if there is no such line, claim or payment; `SecondPerson` if the one who asked agrees; `WrongState` if the line is
    /// decided about already; `Invalid` if the claim or the payments cannot be what it is, or it is of
    /// another currency.
    pub async fn decide_line(
        &self,
        caller: &Caller,
        account: &str,
        line: Id,
        decision: LineDecision,
        once: Option<&Once>,
    ) -> Result<StatementLine, Error> {
        let account = self.kept(caller, account)?;
        let bank = self.payments()?.bank_of(account).ok_or(Error::NoBankAccount)?;
        let (bank, decision) = (&bank, &decision);
        self.anew(caller, once, move || self.try_decide(caller, bank, (line, None), decision, once)).await
    }

    /// The same from a page: a decision about the line as the page showed it, known by its version.
    ///
    /// # Errors
    /// As [`decide_line`](Broker::decide_line); `WrongState` if somebody has said something of it since.
    pub async fn decide_shown_line(
        &self,
        caller: &Caller,
        account: &str,
        (line, shown): (Id, u64),
        decision: LineDecision,
        once: Option<&Once>,
    ) -> Result<StatementLine, Error> {
        let account = self.kept(caller, account)?;
        let bank = self.payments()?.bank_of(account).ok_or(Error::NoBankAccount)?;
        let (bank, decision, line) = (&bank, &decision, (line, Some(shown)));
        self.anew(caller, once, move || self.try_decide(caller, bank, line, decision, once)).await
    }

    async fn try_decide(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        (id, shown): (Id, Option<u64>),
        decision: &LineDecision,
        once: Option<&Once>,
    ) -> Result<StatementLine, Error> {
        let by = token_of(caller)?;
        let last = self.store().last_count(bank.tenant(), &bank.counter()).await?;
        let found = self.store().statement_line(bank.tenant(), &bank.key, id).await?;
        let before = found.ok_or(model::Error::NotFound { kind: "statement line" })?;
        let is_other = shown.is_some_and(|shown| shown != before.version);
        if before.state != LineState::Unmatched || is_other {
            return Err(model::Error::WrongState { state: before.state.name() }.into());
        }
        let mut books = Books::open(self, bank.tenant(), &caller.actor);
        books.work.count_on(bank.tenant(), &bank.counter(), last);
        let mut after = StatementLine { version: before.version + 1, ..before.clone() };
        let first = match asked_of(&before).filter(|asked| asked.decision == *decision) {
            _ if !self.parts.rules.four_eyes => Some(by),
            Some(asked) if asked.by == by => return Err(model::Error::SecondPerson.into()),
            asked => asked.map(|asked| asked.by),
        };
        match first {
            Some(first) => self.carry_out_line(&mut books, bank, &mut after, decision, (first, by)).await?,
            None => after.body["asked"] = json!(Asked { decision: decision.clone(), by }),
        }
        let detail = json!({ "account": bank.account.id, "line": id, "decision": decision,
            "state": after.state.name() });
        books.work.insert_event(&self.of_account(bank.account, EventKind::LineDecided, caller, detail));
        books.work.update_line(&after, before.state);
        self.commit_answer(caller, once, books.work, id, bank.shown(after)).await
    }

    async fn carry_out_line(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &mut StatementLine,
        decision: &LineDecision,
        deciders: Deciders,
    ) -> Result<(), Error> {
        let came = line_of(line)?;
        if came.currency != EURO && *decision != LineDecision::Ignore {
            return Err(model::Error::Invalid { field: "currency" }.into());
        }
        match decision {
            LineDecision::Ignore => line.state = LineState::Ignored,
            LineDecision::Settles(payments) => {
                self.settle_line(books, bank, &came, payments).await?;
                line.state = LineState::Settled;
                line.body["settles"] = json!(payments);
            }
            LineDecision::Claim(claim) => {
                let claim = *claim;
                if bank.sharing(&books.claim(claim).await?.account).is_none() {
                    return Err(model::Error::NotFound { kind: "claim" }.into());
                }
                let takes_back = came.reversal || came.return_reason.is_some();
                let became = match (came.credit, takes_back) {
                    (false, _) => self.debit_claim(books, (&came, line), claim, deciders).await?,
                    (true, false) => self.credit_claim(books, bank, &came, claim).await?,
                    // Money of ours that came back is nobody's payment.
                    (true, true) => Became::Unmatched("returned"),
                };
                if matches!(became, Became::Unmatched(_)) {
                    return Err(model::Error::Invalid { field: "claim" }.into());
                }
                became.note(line);
            }
        }
        if let Value::Object(body) = &mut line.body {
            body.retain(|name, _| !matches!(name.as_str(), "asked" | "why" | "proposal"));
        }
        let (first, second) = deciders;
        line.body["decided"] = json!({ "by": first, "agreed": second });
        Ok(())
    }

    /// The money of these payments arrived by the line: never less than the line has, for fees are only taken off.
    async fn settle_line(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        payments: &[Id],
    ) -> Result<(), Error> {
        let invalid = || Error::from(model::Error::Invalid { field: "settles" });
        let different: BTreeSet<&Id> = payments.iter().collect();
        if !line.credit || line.reversal || different.len() < payments.len() || payments.is_empty() {
            return Err(invalid());
        }
        let mut sum = 0_i64;
        for id in payments {
            let payment = books.payment(*id).await?;
            let claim = books.claim(payment.claim_id).await?;
            if bank.sharing(&claim.account).is_none() || !is_unsettled(&payment) {
                return Err(invalid());
            }
            sum += payment.paid_cents;
            books.change(*id, PaymentChange::Settled(line.id.clone())).await?;
        }
        if sum < line.amount_cents { Err(invalid()) } else { Ok(()) }
    }
}
