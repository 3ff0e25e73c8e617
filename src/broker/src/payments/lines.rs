//! What a line of a bank statement does to the books: it is money by which an online payment arrived, money that came by itself, or
//! money that went back. What is not certain belongs to nothing until a human says what it is.

use std::collections::BTreeSet;

use model::command::PaymentChange;
use model::payment::record::{Refund, TRANSFER};
use model::payment::statement::Line;
use model::payment::{
    Claim, ClaimStatus, ClearingReason, EURO, Payment, PaymentStatus, Payouts, RefundStatus,
};
use model::record::Meta;
use model::{Id, Timestamp, ids};
use store::{LineState, StatementLine};

use super::bank::BankAccount;
use super::books::Books;
use super::pull::LAST;
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
    pub(super) async fn place_line(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        (line, named): (&Line, &Named),
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        if line.currency != EURO {
            return Ok(Became::Unmatched("currency"));
        }
        // Money of several is never all of one's.
        if line.transactions > 1 {
            return Ok(Became::Unmatched("batch"));
        }
        let takes_back = line.reversal || line.return_reason.is_some();
        match (line.credit, takes_back) {
            (true, true) => Ok(Became::Unmatched("returned")),
            (true, false) => self.place_credit(books, bank, line, named).await,
            (false, true) => self.place_return(books, bank, line, named, before).await,
            (false, false) => self.place_debit(books, bank, line, named, before).await,
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
            let account = books.claim(payment.claim_id).await?.account;
            if bank.sharing(&account).is_none() {
                return Ok(Became::Unmatched("other account"));
            }
            if arrives_by(&payment, line) || is_late(&payment, line, books.now()) {
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
            let open = || payments.iter().find(fits);
            // What ended unpaid is looked at once more, and may be found paid: until then this is its money, else it came twice.
            let late = || payments.iter().find(|payment| is_late(payment, line, books.now()));
            if let Some(payment) = paid.or_else(open).or_else(late) {
                return arrive(books, payment, line).await;
            }
        }
        transfer(books, bank, line, &claim).await
    }

    /// A debit of ours. A refund that somebody here asked for may be it.
    async fn place_debit(
        &self,
        books: &mut Books<'_>,
        bank: &BankAccount<'_>,
        line: &Line,
        named: &Named,
        before: &[StatementLine],
    ) -> Result<Became, Error> {
        let payments = self.named_payments(books, bank, named).await?;
        let refund = self.refund_by(books, &payments, line, before).await?;
        Ok(refund.unwrap_or(Became::Unmatched("debit")))
    }

    /// The refund of the line's amount that left the account by it: one that is done and that no other line was taken for, else one of
    /// which nobody knows whether it was carried out; now it is known.
    async fn refund_by(
        &self,
        books: &mut Books<'_>,
        payments: &[Payment],
        line: &Line,
        before: &[StatementLine],
    ) -> Result<Option<Became>, Error> {
        let of = |payment: &Payment, status| {
            let mut ids = vec![];
            let fits = |it: &&Refund| it.status == status && it.amount_cents == line.amount_cents;
            ids.extend(payment.refunds.iter().filter(fits).map(|refund| refund.id));
            ids
        };
        for payment in payments {
            let done = of(payment, RefundStatus::Done).len();
            let id = payment.meta.id;
            if done > 0 && self.debits_of(payment, line.amount_cents, before).await? < done {
                return Ok(Some(Became::Settled(id, payment.claim_id)));
            }
        }
        for payment in payments {
            if let Some(refund) = of(payment, RefundStatus::Unclear).first() {
                let id = payment.meta.id;
                books.change(id, PaymentChange::RefundDone(*refund, Some(line.id.clone()))).await?;
                return Ok(Some(Became::Settled(id, payment.claim_id)));
            }
        }
        Ok(None)
    }

    /// How many debits of this amount were taken for refunds of a payment.
    async fn debits_of(
        &self,
        payment: &Payment,
        cents: i64,
        before: &[StatementLine],
    ) -> Result<usize, Error> {
        let id = payment.meta.id;
        let stored = self.store().lines_of_payment(&payment.meta.tenant, id).await?;
        let lines = stored.iter().chain(before.iter().filter(|line| line.payment == Some(id)));
        let settled = |it: &&StatementLine| !it.credit && it.state == LineState::Settled;
        Ok(lines.filter(settled).filter(|it| it.amount_cents == cents).count())
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
        let whole = |payment: &&Payment| payment.paid_cents == line.amount_cents;
        let candidates: Vec<&Payment> = match payments.len() {
            1 => payments.iter().collect(),
            _ if payments.iter().any(|it| exact(&it)) => payments.iter().filter(exact).collect(),
            _ => payments.iter().filter(whole).collect(),
        };
        let [payment] = candidates[..] else {
            return Ok(Became::Unmatched(if payments.is_empty() { "unknown" } else { "several" }));
        };
        let (id, claim) = (payment.meta.id, payment.claim_id);
        let stored = self.store().lines_of_payment(&payment.meta.tenant, id).await?;
        let told = stored.iter().chain(before.iter().filter(|line| line.payment == Some(id)));
        let told: i64 = told.filter(|it| is_taking_back(it)).map(|it| it.amount_cents).sum();
        let news = told + line.amount_cents - payment.charged_back_cents;
        let kept = payment.kept_cents();
        let left_twice = payment.refunded_cents > 0 && news > kept;
        if news > 0 && kept <= 0 && !left_twice {
            return Ok(Became::Unmatched("nothing left"));
        }
        if news > 0 {
            books.change(id, PaymentChange::ChargedBack(news.min(line.amount_cents))).await?;
        }
        // What was given back and is taken back besides has left twice.
        if left_twice {
            let told = Some(line.amount_cents);
            books.change(id, PaymentChange::Contradicts(ClearingReason::Contradiction, told)).await?;
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
        let has_enough = |payment: &Payment| payment.kept_cents() >= line.amount_cents;
        if line.reversal || line.return_reason.is_some() {
            // The bank may take more than is left; where one payment has enough, it is that one.
            let enough = payments.iter().any(has_enough);
            payments.retain(|payment| if enough { has_enough(payment) } else { payment.status.was_paid() });
            return self.charge_back(books, line, payments, &[]).await;
        }
        if let Some(refund) = self.refund_by(books, &payments, line, &[]).await? {
            return Ok(refund);
        }
        payments.retain(has_enough);
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
            declined: None,
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
            let payment = books.payment(*id).await?;
            if bank.sharing(&books.claim(payment.claim_id).await?.account).is_some() {
                payments.push(payment);
            }
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
                    Some(it) => self.store().statement_line(bank.tenant(), &bank.key, it.id).await?,
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

/// Whether an online payment that ended unpaid can be what arrived: its provider knows it, and is asked about it once more.
fn is_late(payment: &Payment, line: &Line, now: Timestamp) -> bool {
    use PaymentStatus::{Cancelled, Expired, Failed};
    payment.provider != TRANSFER
        && matches!(payment.status, Expired | Failed | Cancelled)
        && payment.reference.is_some()
        && [line.amount_cents, line.amount_cents + line.charges_cents].contains(&payment.amount_cents)
        && now < payment.deadline.plus(LAST)
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
