//! Whether the books agree: what the gateway knows of money, what the cash system has booked, and what the bank statement has.

use std::collections::{BTreeMap, BTreeSet};

use model::payment::day::german_day;
use model::payment::record::TRANSFER;
use model::payment::{Account, Booking, BookingKind, BookingState, Claim, ClaimStatus, Payment};
use model::{Caller, Id, Record, RecordKind, Timestamp};
use serde::{Deserialize, Serialize};
use store::{BookingMade, BookingPlace, LineFilter, LineState, Page, StatementLine};

use super::books::{claim_of, payment_of};
use crate::{Broker, Error};

/// Most entries of each list, most bookings that are looked at, and how many of them at once.
const MOST: usize = 500;
const MOST_SEEN: usize = 200_000;
const AT_ONCE: u32 = 500;

/// Whether the books of an account agree, in a period. Each list holds at most 500 entries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Whether nothing is missing: no list is full, and all bookings of the period were looked at.
    pub complete: bool,
    /// Bookings of money that came or went which the cash system has not acknowledged.
    pub paid_not_booked: Vec<Booking>,
    /// Bookings that it has acknowledged: receipts of money that is not there any more, and claims that are due and not paid.
    pub booked_not_paid: Vec<Booking>,
    /// Receipts that it has acknowledged, where what it has booked in all is not what was kept of the payment.
    pub differing: Vec<Booking>,
    /// Lines of bank statements that belong to nothing.
    pub unmatched: Vec<StatementLine>,
    /// Online payments whose money has not arrived on the bank account.
    pub unsettled: Vec<Payment>,
}

impl Broker {
    /// Whether the books of an account agree, in a period: bookings that were made in it, lines that were booked in it.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account.
    pub async fn reconciliation(
        &self,
        caller: &Caller,
        account: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Reconciliation, Error> {
        let account = self.kept(caller, account)?;
        let mut found = Reconciliation { complete: true, ..Reconciliation::default() };
        let mut behind = BookingPlace { at: from, seq: 0 };
        let mut seen = 0;
        loop {
            let made = self.store().bookings_made(&account.tenant, &account.id, behind, to, AT_ONCE).await?;
            let Some(last) = made.last() else { break };
            (behind, seen) = (last.at, seen + made.len());
            self.compare(account, made, &mut found).await?;
            if seen >= MOST_SEEN {
                found.complete = false;
                break;
            }
        }
        self.unmatched(account, (from, to), &mut found).await?;
        Ok(found)
    }

    async fn compare(
        &self,
        account: &Account,
        made: Vec<BookingMade>,
        found: &mut Reconciliation,
    ) -> Result<(), Error> {
        let tenant = &account.tenant;
        let payments: BTreeSet<Id> = made.iter().filter_map(|it| it.booking.payment_id).collect();
        let payments = self.payments_of(tenant, payments).await?;
        let claims = made.iter().filter(|it| it.booking.kind == BookingKind::Claim);
        let claims: Vec<Id> = claims.map(|it| it.booking.claim_id).collect();
        let claims = self.store().records_of(tenant, Some(RecordKind::Claim), &claims).await?;
        let today = german_day(self.now());
        for made in made {
            let booking = &made.booking;
            match booking.payment_id.and_then(|id| payments.get(&id)) {
                Some(payment) => {
                    if account.bank.is_some() && is_unsettled(booking, payment) {
                        push(&mut found.unsettled, payment.clone(), &mut found.complete);
                    }
                    compare_money(made, payment, found);
                }
                None => {
                    let claim = claims.get(&booking.claim_id).cloned().map(claim_of).transpose()?;
                    if claim.is_some_and(|claim| is_overdue(booking, &claim, &today)) {
                        push(&mut found.booked_not_paid, made.booking, &mut found.complete);
                    }
                }
            }
        }
        Ok(())
    }

    /// Payments by their ids, in pieces that one question takes.
    pub(super) async fn payments_of(
        &self,
        tenant: &str,
        ids: BTreeSet<Id>,
    ) -> Result<BTreeMap<Id, Payment>, Error> {
        let ids: Vec<Id> = ids.into_iter().collect();
        let mut payments = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE as usize) {
            let records = self.store().records_of(tenant, Some(RecordKind::Payment), ids).await?;
            let of = |(id, record): (Id, Record)| Ok((id, payment_of(record)?));
            payments.extend(records.into_iter().map(of).collect::<Result<Vec<_>, Error>>()?);
        }
        Ok(payments)
    }

    async fn unmatched(
        &self,
        account: &Account,
        (from, to): (Timestamp, Timestamp),
        found: &mut Reconciliation,
    ) -> Result<(), Error> {
        let Some(bank) = self.payments()?.bank_of(account) else { return Ok(()) };
        let filter = LineFilter {
            state: Some(LineState::Unmatched),
            from: Some(german_day(from)),
            to: Some(german_day(Timestamp::from_micros(to.micros() - 1))),
            ..LineFilter::default()
        };
        let page = Page::first(MOST as u32);
        let lines = self.store().statement_lines(&account.tenant, &bank.key, &filter, &page).await?;
        found.complete &= lines.next.is_none();
        found.unmatched = lines.items.into_iter().map(|line| bank.shown(line)).collect();
        Ok(())
    }
}

fn compare_money(made: BookingMade, payment: &Payment, found: &mut Reconciliation) {
    let BookingMade { booking, acknowledged_cents, .. } = made;
    let kept = payment.kept_cents();
    let list = match (booking.state, booking.kind) {
        (BookingState::Acknowledged, BookingKind::Receipt) if acknowledged_cents > 0 && kept <= 0 => {
            &mut found.booked_not_paid
        }
        (BookingState::Acknowledged, BookingKind::Receipt)
            if acknowledged_cents != kept || booking.amount_cents != payment.paid_cents =>
        {
            &mut found.differing
        }
        (BookingState::Acknowledged, _) => return,
        _ => &mut found.paid_not_booked,
    };
    push(list, booking, &mut found.complete);
}

fn is_unsettled(booking: &Booking, payment: &Payment) -> bool {
    booking.kind == BookingKind::Receipt && payment.provider != TRANSFER && payment.settled_by.is_none()
}

/// The cash system waits for money whose day is over.
fn is_overdue(booking: &Booking, claim: &Claim, today: &str) -> bool {
    booking.kind == BookingKind::Claim
        && booking.state == BookingState::Acknowledged
        && matches!(claim.status, ClaimStatus::Open | ClaimStatus::PartlyPaid)
        && claim.due.as_deref().is_some_and(|due| due < today)
}

fn push<T>(list: &mut Vec<T>, entry: T, complete: &mut bool) {
    match list.len() < MOST {
        true => list.push(entry),
        false => *complete = false,
    }
}
