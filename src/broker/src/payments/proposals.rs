//! Payouts: a provider pays the money of many payments out in one line, less its fees, days later. Which payments these may be is
//! proposed to whoever decides: a run of payments, in the order in which they were paid, that adds up to the line and its fees.

use std::collections::{BTreeMap, BTreeSet};

use model::payment::record::TRANSFER;
use model::payment::statement::Line;
use model::payment::{BookingKind, EURO, Payment, Payouts};
use model::{Id, Timestamp};
use serde_json::json;
use store::{BookingPlace, StatementLine};

use super::bank::BankAccount;
use crate::{Broker, Error};

/// How long before the line money may have been paid, in microseconds; most bookings that are looked at, most payments that are
/// waited for, and most of a proposal.
const LATEST: i64 = 60 * 24 * 3_600 * 1_000_000;
const MOST_SEEN: usize = 100_000;
const MOST_WAITED: usize = 5_000;
const MOST: usize = 1_000;

/// Bookings that are read at once.
const AT_ONCE: u32 = 500;

/// Online payments whose money has not arrived, the oldest first, as far as a slice has asked for them.
#[derive(Default)]
pub(super) struct Unsettled(Option<Vec<Payment>>);

impl Broker {
    /// Notes in a line which payments its money may be of. What was proposed for one line is not proposed for another of the slice.
    pub(super) async fn propose(
        &self,
        bank: &BankAccount<'_>,
        line: &Line,
        kept: &mut StatementLine,
        unsettled: &mut Unsettled,
    ) -> Result<(), Error> {
        let collective =
            bank.sharing.iter().any(|it| it.payouts == Payouts::Collective && it.provider.is_some());
        let is_payout = line.credit && !line.reversal && line.currency == EURO && line.amount_cents > 0;
        if !collective || !is_payout {
            return Ok(());
        }
        let payments = match &mut unsettled.0 {
            Some(known) => known,
            none => none.insert(self.unsettled(bank).await?),
        };
        let day = kept.booked_on.clone().unwrap_or_default();
        let until = Timestamp::parse(&format!("{day}T23:59:59Z")).unwrap_or_default();
        let paid_by = |payment: &Payment| payment.paid_at.is_some_and(|at| at <= until);
        let sum = line.amount_cents + line.charges_cents;
        let Some(ids) = run(payments.iter().filter(|payment| paid_by(payment)), sum) else { return Ok(()) };
        payments.retain(|payment| !ids.contains(&payment.meta.id));
        kept.body["proposal"] = json!({ "settles": ids });
        Ok(())
    }

    /// Online payments of the last sixty days towards a bank account, whose money comes collected and has not come yet.
    async fn unsettled(&self, bank: &BankAccount<'_>) -> Result<Vec<Payment>, Error> {
        let mut found = BTreeMap::new();
        let now = self.now();
        for account in bank.sharing.iter().filter(|account| account.payouts == Payouts::Collective) {
            let mut behind = BookingPlace { at: Timestamp::from_micros(now.micros() - LATEST), seq: 0 };
            let end = Timestamp::from_micros(now.micros() + 1);
            let mut seen = 0;
            while seen < MOST_SEEN && found.len() < MOST_WAITED {
                let made =
                    self.store().bookings_made(bank.tenant(), &account.id, behind, end, AT_ONCE).await?;
                let Some(last) = made.last() else { break };
                (behind, seen) = (last.at, seen + made.len());
                let receipts = made.iter().filter(|made| made.booking.kind == BookingKind::Receipt);
                let ids = receipts.filter_map(|made| made.booking.payment_id).collect();
                // What has arrived counts for nothing: there are many of these.
                let payments = self.payments_of(bank.tenant(), ids).await?;
                found.extend(payments.into_iter().filter(|(_, payment)| is_unsettled(payment)));
            }
        }
        let mut payments: Vec<Payment> = found.into_values().collect();
        payments.sort_by_key(|payment| (payment.paid_at, payment.meta.id));
        Ok(payments)
    }
}

/// Whether the money of an online payment has not arrived yet.
pub(super) fn is_unsettled(payment: &Payment) -> bool {
    payment.provider != TRANSFER && payment.status.was_paid() && payment.settled_by.is_none()
}

/// The first run of one provider's payments, one behind the other, that adds up to `sum`.
fn run<'a>(payments: impl Iterator<Item = &'a Payment> + Clone, sum: i64) -> Option<Vec<Id>> {
    let providers: BTreeSet<&str> = payments.clone().map(|payment| payment.provider.as_str()).collect();
    providers.into_iter().find_map(|provider| {
        let of: Vec<&Payment> = payments.clone().filter(|payment| payment.provider == provider).collect();
        let (mut first, mut total) = (0, 0);
        for (last, payment) in of.iter().enumerate() {
            total += payment.paid_cents;
            while total > sum || last - first >= MOST {
                total -= of[first].paid_cents;
                first += 1;
                if first > last {
                    break;
                }
            }
            if total == sum && first <= last {
                return Some(of[first..=last].iter().map(|payment| payment.meta.id).collect());
            }
        }
        None
    })
}
