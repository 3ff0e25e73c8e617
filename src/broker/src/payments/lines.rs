//! What a line of a bank statement does to the books: it is money by which an online payment arrived, money that came by itself, or
//! money that went back. What is not certain belongs to nothing until a human says what it is.

use std::collections::BTreeSet;

use model::command::PaymentChange;
use model::payment::record::{Refund, TRANSFER};
use model::payment::statement::Line;
use model::payment::{Claim, ClaimStatus, ClearingReason, EURO, Payment, Payouts, RefundStatus};
use model::record::Meta;
use model::{Id, Timestamp, ids};
use store::{LineState, StatementLine};

use super::bank::BankAccount;
use super::books::Books;
use super::references::Named;
use super::start::a_payment;
use crate::{Broker, Error};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// Money of this payment came or went back by it.
    Matched(Id, Id),
    /// The money of this online payment arrived by it, or its refund left.
    Settled(Id, Id),
    /// A human has to see to it; why.
    Unmatched(&'static str),
}

impl Became {
    /// Writes it into the line.
    pub(super) fn note(self, line: &mut StatementLine) {
        let (state, of) = match self {
            Became::Matched(payment, claim) => (LineState::Matched, Some((payment, claim))),
            Became::Settled(payment, claim) => (LineState::Settled, Some((payment, claim))),
            Became::Unmatched(why) => {
                line.body["why"] = why.into();
                (LineState::Unmatched, None)
            }
        };
        line.state = state;
        (line.payment, line.claim) = (of.map(|of| of.0), of.map(|of| of.1));
    }
}

/// Who says what a plain debit is: the two tokens.
pub(super) type Deciders = (Id, Id);

impl Broker {
    /// What a line is, by itself. `before` are the lines of the same unit of work.
    pub(super) async fn place(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        (line, named): (&Line, &Named),
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        if line.currency != EURO {
            return Ok(Became::Unmatched("currency"));
        }
        let takes_back = line.reversal || line.return_reason.is_some();
        match (line.credit, takes_back) {
            (true, true) => Ok(Became::Unmatched("returned")),
            (true, false) => self.place_credit(books, bank, line, named).await,
            (false, true) => self.place_return(books, bank, line, named, before).await,
            (false, false) => self.place_debit(books, bank, (line, named), before).await,
        }
    }

    async fn place_credit(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        named: &Named,
    ) -> Result<Became, Error> {
        if let Some(id) = only(&named.payments) {
            let payment = books.payment(id).await?;
            if arrives_by(&payment, line) {
                return arrive(books, &payment, line).await;
            }
        }
        match (only(&named.claims), named.claims.is_empty() && named.payments.is_empty()) {
            (Some(claim), _) => self.credit_claim(books, bank, line, claim).await,
            (None, true) => Ok(Became::Unmatched("unknown")),
            (None, false) => Ok(Became::Unmatched("several")),
        }
    }

    /// Money towards a claim. Where each online payment arrives as a line of its own, it may be one of these; else it came by itself.
    pub(super) async fn credit_claim(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        claim: Id,
    ) -> Result<Became, Error> {
        let claim = books.claim(claim).await?;
        let Some(account) = bank.sharing(&claim.account) else {
            return Ok(Became::Unmatched("other account"));
        };
        if account.payouts == Payouts::Single {
            let payments = self.towards(books, &claim).await?;
            let fits = |payment: &&Payment| arrives_by(payment, line);
            let paid = payments.iter().find(|payment| payment.status.was_paid() && fits(payment));
            // What has ended unpaid is not waited for: whoever could not pay online pays by transfer.
            if let Some(payment) = paid.or_else(|| payments.iter().find(fits)) {
                return arrive(books, payment, line).await;
            }
        }
        transfer(books, bank, line, &claim).await
    }

    /// A debit of ours. The refund of a payment that is done already may be it, if no other line was; one of which nobody knew whether
    /// it was carried out is done by it.
    async fn place_debit(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        (line, named): (&Line, &Named),
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        let payments = self.named_payments(books, bank, named).await?;
        for payment in &payments {
            let id = payment.meta.id;
            let stored = self.store().lines_of_payment(&payment.meta.tenant, id).await?;
            let lines = stored.iter().chain(before.iter().filter(|line| line.payment == Some(id)));
            let settled =
                lines.filter(|it| is_giving_back(it) && it.amount_cents == line.amount_cents).count();
            let refunds = payment.refunds.iter().filter(|it| it.amount_cents == line.amount_cents);
            if refunds.filter(|it| it.status == RefundStatus::Done).count() > settled {
                return Ok(Became::Settled(id, payment.claim_id));
            }
        }
        let ended = end_unclear(books, &payments, line).await?;
        Ok(ended.unwrap_or(Became::Unmatched("debit")))
    }

    /// The payer's bank has taken money back.
    async fn place_return(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        named: &Named,
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        let mut payments = match self.taken_back(books, bank, line, before).await? {
            Some(payment) => vec![payment],
            None => self.named_payments(books, bank, named).await?,
        };
        payments.retain(|payment| payment.status.was_paid());
        self.charge_back(books, line, payments, before).await
    }

    /// Takes money back from the one payment that it can have come by. What its provider told of before is not taken twice: what
    /// counts is how much the statements have taken back in all.
    async fn charge_back(
        &self,
        books: &mut Books<'_>,
        line: &Line,
        payments: Vec<Payment>,
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        let exact = |payment: &&Payment| payment.kept_cents() == line.amount_cents;
        let candidates: Vec<&Payment> = match payments.len() {
            1 => payments.iter().collect(),
            _ => payments.iter().filter(exact).collect(),
        };
        let [payment] = candidates[..] else {
            return Ok(Became::Unmatched(if payments.is_empty() { "unknown" } else { "several" }));
        };
        let (id, claim) = (payment.meta.id, payment.claim_id);
        let stored = self.store().lines_of_payment(&payment.meta.tenant, id).await?;
        let told = stored.iter().chain(before.iter().filter(|line| line.payment == Some(id)));
        let told: i64 = told.filter(|it| is_taking_back(it)).map(|it| it.amount_cents).sum();
        let news = told + line.amount_cents - payment.charged_back_cents;
        if news > 0 && payment.kept_cents() <= 0 {
            return Ok(Became::Unmatched("nothing left"));
        }
        if news > 0 {
            books.change(id, PaymentChange::ChargedBack(news.min(line.amount_cents))).await?;
        }
        Ok(Became::Matched(id, claim))
    }

    /// What a debit is that two have assigned to a claim: it took money back, or it gave money back.
    pub(super) async fn debit_claim(
        &self,
        books: &mut Books<'_>,
        (line, stored): (&Line, &StatementLine),
        claim: Id,
        (asked_by, agreed_by): Deciders,
    ) -> Result<Became, Error> {
        let claim = books.claim(claim).await?;
        let mut payments = self.towards(books, &claim).await?;
        let takes_back = line.reversal || line.return_reason.is_some();
        if !takes_back && let Some(ended) = end_unclear(books, &payments, line).await? {
            return Ok(ended);
        }
        payments.retain(|payment| payment.kept_cents() >= line.amount_cents);
        if takes_back {
            return self.charge_back(books, line, payments, &[]).await;
        }
        let exact = payments.iter().find(|payment| payment.kept_cents() == line.amount_cents);
        let Some(payment) = exact.or(payments.first()) else { return Ok(Became::Unmatched("nothing left")) };
        let (id, refund) = (payment.meta.id, ids::derived_id(stored.id, "refund"));
        let asked = Refund {
            id: refund,
            amount_cents: line.amount_cents,
            reason: "Überweisung laut Kontoauszug".to_owned(),
            status: RefundStatus::Asked,
            asked_by,
            agreed_by: None,
            asked_at: books.now(),
            reference: None,
        };
        books.change(id, PaymentChange::AskRefund(Box::new(asked))).await?;
        books.change(id, PaymentChange::AgreeRefund(refund, agreed_by)).await?;
        books.change(id, PaymentChange::RefundDone(refund, Some(line.id.clone()))).await?;
        Ok(Became::Settled(id, claim.meta.id))
    }

    /// The payments that a line names, by themselves or by their claims.
    async fn named_payments(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        named: &Named,
    ) -> Result<Vec<Payment>, Error> {
        let mut payments = vec![];
        for id in &named.payments {
            payments.push(books.payment(*id).await?);
        }
        for id in named.claims.iter().filter(|_| named.payments.is_empty()) {
            let claim = books.claim(*id).await?;
            if bank.sharing(&claim.account).is_some() {
                payments.extend(self.towards(books, &claim).await?);
            }
        }
        Ok(payments)
    }

    /// The payment of the line that this one takes back, where the bank names it.
    async fn taken_back(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        before: &[StatementLine],
    ) -> Result<Option<Payment>, Error> {
        let Some((whole, part)) = line.id.split_once("#reversal") else { return Ok(None) };
        let name = format!("{whole}{part}");
        let known = before.iter().find(|known| known.line == name).cloned();
        let known = match known {
            Some(known) => Some(known),
            None => {
                let ids = self.store().known_lines(bank.tenant(), &bank.key, &[&name]).await?;
                match ids.get(&name) {
                    Some(id) => self.store().statement_line(bank.tenant(), &bank.key, *id).await?,
                    None => None,
                }
            }
        };
        match known.filter(|known| known.credit).and_then(|known| known.payment) {
            Some(id) => Ok(Some(books.payment(id).await?)),
            None => Ok(None),
        }
    }

    /// All payments towards a claim, the oldest first, as they stand in this unit of work.
    async fn towards(&self, books: &mut Books<'_>, claim: &Claim) -> Result<Vec<Payment>, Error> {
        let mut ids: BTreeSet<Id> =
            self.all_payments(&claim.meta.tenant, claim.meta.id).await?.iter().map(|it| it.meta.id).collect();
        ids.extend(books.made_towards(claim.meta.id));
        let mut payments = vec![];
        for id in ids {
            payments.push(books.payment(id).await?);
        }
        payments.sort_by_key(|payment| (payment.meta.created_at, payment.meta.id));
        Ok(payments)
    }
}

/// Whether an online payment can be what arrived: of the same amount (fees may have been taken off), paid and not settled yet, or
/// still open and known to its provider.
fn arrives_by(payment: &Payment, line: &Line) -> bool {
    let came = [line.amount_cents, line.amount_cents + line.charges_cents];
    let is_open = payment.status.is_open() && payment.reference.is_some();
    payment.provider != TRANSFER
        && payment.settled_by.is_none()
        && match payment.status.was_paid() {
            true => came.contains(&payment.paid_cents),
            false => is_open && came.contains(&payment.amount_cents),
        }
}

async fn arrive(books: &mut Books<'_>, payment: &Payment, line: &Line) -> Result<Became, Error> {
    let name = line.id.clone();
    let change = match payment.status.was_paid() {
        true => PaymentChange::Settled(name),
        false => PaymentChange::Received(payment.amount_cents, name),
    };
    books.change(payment.meta.id, change).await?;
    Ok(Became::Settled(payment.meta.id, payment.claim_id))
}

/// Money that came by itself is a payment of its own. Its name follows from the line, so there is one.
async fn transfer(
    books: &mut Books<'_>,
    bank: &BankAccount<'_>,
    line: &Line,
    claim: &Claim,
) -> Result<Became, Error> {
    let id = ids::derived_id(claim.meta.id, &format!("{}:{}", bank.key, line.id));
    let (now, cents) = (books.now(), line.amount_cents);
    if cents < 1 {
        return Ok(Became::Unmatched("nothing"));
    }
    let meta = Meta { id, version: 0, created_at: now, updated_at: now, ..claim.meta.clone() };
    books.make_payment(Payment {
        meta,
        amount_cents: cents,
        request_id: id.to_string(),
        deadline: now,
        paid_at: line.booked_on.as_deref().and_then(noon),
        ..a_payment(claim, TRANSFER)
    })?;
    books.change(id, PaymentChange::Received(cents, line.id.clone())).await?;
    if books.claim(claim.meta.id).await?.status == ClaimStatus::PartlyPaid {
        books.change(id, PaymentChange::Contradicts(ClearingReason::Underpaid, Some(cents))).await?;
    }
    Ok(Became::Matched(id, claim.meta.id))
}

/// A debit shows that a refund of its amount, of which nobody knew, was carried out.
async fn end_unclear(
    books: &mut Books<'_>,
    payments: &[Payment],
    line: &Line,
) -> Result<Option<Became>, Error> {
    for payment in payments {
        let is_it = |it: &&Refund| it.status == RefundStatus::Unclear && it.amount_cents == line.amount_cents;
        if let Some(refund) = payment.refunds.iter().find(is_it) {
            let id = payment.meta.id;
            books.change(id, PaymentChange::RefundDone(refund.id, Some(line.id.clone()))).await?;
            return Ok(Some(Became::Settled(id, payment.claim_id)));
        }
    }
    Ok(None)
}

/// Lines by which a refund left.
fn is_giving_back(line: &StatementLine) -> bool {
    !line.credit && line.state == LineState::Settled
}

/// Lines that took money back from a payment. Refunds are settled by theirs.
fn is_taking_back(line: &StatementLine) -> bool {
    !line.credit && line.state == LineState::Matched
}

fn noon(day: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T11:00:00Z"))
}

fn only(ids: &BTreeSet<Id>) -> Option<Id> {
    if ids.len() == 1 { ids.first().copied() } else { None }
}
