//! The cash office at work: bank statements, each of them also cut off and taken again, and files for the cash system.

use broker::{Acknowledgement, Once, Page, RecordFilter};
use bytes::Bytes;
use model::payment::statement::Line;
use model::payment::{ClaimStatus, ClearingReason};
use model::{Id, Record, RecordKind, Timestamp};

use super::acts::{History, Outcome, cut_off, pick, wants};
use super::bank::line;
use super::ledger::{LAST_LOOK, Ledger, Paid};
use super::world::FLAVOURS;

impl Ledger {
    /// Money came on the bank account towards a claim. True if it is none of what was paid online.
    fn credited(&mut self, claim: usize, cents: i64, now: Timestamp) -> bool {
        let single = FLAVOURS[self.claims[claim].account].polled;
        let fits = |it: &&Paid| single && it.claim == claim && !it.transfer && !it.settled;
        let was_paid = |it: &&Paid| it.was_paid() && it.came == cents;
        if let Some(at) = self.payments.iter().position(|it| fits(&it) && was_paid(&it)) {
            self.payments[at].settled = true;
            return false;
        }
        let is_open = |it: &&Paid| it.is_open() && it.known && it.asked == cents;
        // What has ended is looked at once more, so it may be this money.
        let is_late = |it: &&Paid| {
            let late = !it.was_paid() && !it.is_open() && now < it.deadline.plus(LAST_LOOK);
            late && it.known && it.asked == cents
        };
        let open = self.payments.iter().position(|it| fits(&it) && is_open(&it));
        let late = || self.payments.iter().position(|it| fits(&it) && is_late(&it));
        let Some(at) = open.or_else(late) else { return true };
        self.payments[at].settled = true;
        let id = self.payments[at].id;
        self.came(id, cents);
        false
    }

    /// A payment that came by itself.
    fn transferred(&mut self, mut paid: Paid, cents: i64) {
        let (id, claim) = (paid.id, paid.claim);
        paid.transfer = true;
        self.payments.push(paid);
        self.came(id, cents);
        let partly = self.claim_status(claim) == ClaimStatus::PartlyPaid;
        if let Some(paid) = self.payment(id).filter(|_| partly) {
            paid.tell((ClearingReason::Underpaid, Some(cents), None));
        }
    }

    /// The payer's bank took money back. What the provider told of is the same money: it counts what went back in all.
    fn debited(&mut self, claim: usize, cents: i64) {
        let paid = self.payments.iter_mut().filter(|it| it.claim == claim && it.was_paid());
        let mut those: Vec<_> = paid.collect();
        if those.len() > 1 {
            let exact = those.iter().any(|it| it.kept() == cents);
            those.retain(|it| if exact { it.kept() == cents } else { it.came == cents });
        }
        let [paid] = &mut those[..] else { return };
        let news = paid.returned + cents - paid.taken();
        let twice = paid.back() > 0 && news > paid.kept();
        if news > 0 && paid.kept() <= 0 && !twice {
            return;
        }
        paid.returned += cents;
        if news > 0 {
            paid.take(news.min(cents));
        }
        if twice {
            paid.tell((ClearingReason::Contradiction, Some(cents), None));
        }
    }
}

impl History<'_> {
    /// A statement with one line about a claim: money that came, or went back.
    pub async fn statement(&mut self, credit: bool, a: u32, b: u32) -> Outcome {
        let (claim, id, account, cents) = {
            let state = self.desk.world.state();
            let Some(claim) = pick(state.ledger.claims.len(), a) else { return Ok(()) };
            let owed = &state.ledger.claims[claim];
            let amounts: Vec<i64> = match credit {
                true => {
                    vec![owed.cents, owed.cents - state.ledger.kept(claim), owed.cents / 3, owed.cents + 5]
                }
                false => {
                    let came = state.ledger.payments.iter().filter(|it| it.claim == claim && it.was_paid());
                    came.flat_map(|it| [it.kept(), it.taken(), it.came, it.came / 2]).collect()
                }
            };
            let Some(cents) = pick(amounts.len(), b).map(|at| amounts[at]).filter(|it| *it > 0) else {
                return Ok(());
            };
            (claim, owed.id, owed.account, cents)
        };
        let Some(reference) = self.claim_of(id).await?.cash_reference else { return Ok(()) };
        let name = format!("LINE{}", self.desk.number());
        let line = Line {
            iban: super::desk::iban(FLAVOURS[account]),
            return_reason: (!credit).then(|| "AC04".to_owned()),
            ..line(name, cents, credit, format!("Kassenzeichen {reference} danke"))
        };
        let mut lines = vec![line.clone()];
        // Statements overlap.
        lines.extend(self.lines.iter().filter(|it| it.iban == line.iban).take(b as usize % 3).cloned());
        self.lines.insert(0, line);
        self.take(account, &lines, b).await?;
        let transfer = {
            let now = self.desk.world.now();
            let mut state = self.desk.world.state();
            match credit {
                true => state.ledger.credited(claim, cents, now),
                false => {
                    state.ledger.debited(claim, cents);
                    false
                }
            }
        };
        if transfer {
            let paid = self.new_transfer(claim, id).await?;
            self.desk.world.state().ledger.transferred(paid, cents);
        }
        Ok(())
    }

    /// A line that is known comes again: nothing comes of it.
    pub async fn statement_again(&mut self, a: u32, b: u32) -> Outcome {
        let Some(at) = pick(self.lines.len(), a) else { return Ok(()) };
        let line = self.lines[at].clone();
        let account = FLAVOURS.iter().position(|it| super::desk::iban(*it) == line.iban).unwrap_or(0);
        self.take(account, &[line], b).await
    }

    async fn take(&mut self, account: usize, lines: &[Line], b: u32) -> Outcome {
        let bytes = Bytes::from(serde_json::to_vec(lines).map_err(|error| error.to_string())?);
        let cashier = self.desk.cashier();
        let once = Once::new(cashier.actor.id.clone(), "s".into());
        let broker = self.desk.broker();
        let take = || {
            let body = futures::stream::iter([Ok(bytes.clone())]);
            broker.take_statement(&cashier, FLAVOURS[account].id, body, Some(&once))
        };
        if b.is_multiple_of(4) {
            cut_off(b / 4, take()).await;
        }
        let first = take().await.map_err(|error| format!("a statement was refused: {error}"))?;
        let again = take().await.map_err(|error| format!("a statement was refused: {error}"))?;
        wants(first == again, || "the same statement got another answer".into())
    }

    async fn new_transfer(&self, claim: usize, id: Id) -> Result<Paid, String> {
        let filter = RecordFilter { parent: Some(id), ..RecordFilter::of(RecordKind::Payment) };
        let listed = self.desk.broker().records(&self.desk.clerk, &filter, &Page::first(100)).await;
        let items = listed.map_err(|error| error.to_string())?.items;
        let state = self.desk.world.state();
        let known = |id: Id| state.ledger.payments.iter().any(|it| it.id == id);
        let mut news = items.into_iter().filter_map(|record| match record {
            Record::Payment(payment) if !known(payment.meta.id) => Some(payment),
            _ => None,
        });
        match (news.next(), news.next()) {
            (Some(payment), None) => {
                Ok(Paid::new(payment.meta.id, claim, payment.amount_cents, payment.deadline))
            }
            other => Err(format!("a transfer became {other:?}")),
        }
    }

    /// A file for the cash system, which books all of it. No booking stands in two.
    pub async fn export(&mut self, account: usize) -> Result<bool, String> {
        let told = |error: broker::Error| format!("a file failed: {error}");
        let cashier = self.desk.cashier();
        let (broker, name) = (self.desk.broker(), FLAVOURS[account].id);
        let Some(file) = broker.export_bookings(&cashier, name, None).await.map_err(told)? else {
            return Ok(false);
        };
        let content = broker.booking_file_content(&cashier, name, file.number).await.map_err(told)?.1;
        let size = usize::try_from(content.size()).unwrap_or(0);
        let bytes = content.read_at(0, size).await.map_err(|error| error.to_string())?;
        for id in String::from_utf8_lossy(&bytes).lines().filter_map(|line| line.parse().ok()) {
            wants(self.desk.exported.insert(id), || format!("booking {id} stands in two files"))?;
        }
        let all = Acknowledgement::default();
        broker.acknowledge_file(&cashier, name, file.number, all, None).await.map_err(told)?;
        Ok(true)
    }
}
