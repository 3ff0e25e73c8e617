//! Whether the gateway's books are those of the ledger: after each step, and once everything has settled.

use broker::{BookingFilter, Page, RecordFilter};
use model::activity::Task;
use model::payment::{Claim, Payment, PaymentStatus, RefundStatus, TruthState};
use model::{Caller, Id, Record, RecordKind, Scope};

use super::acts::{History, Outcome};
use super::ledger::{Back, Paid};
use super::world::{FLAVOURS, Lie};

/// Pauses until nothing is left to come: calls, a lane that was given up for a time, deadline, last look, unclear refunds.
const PAUSES: [u64; 7] = [61, 1_200, 4_000, 8_000, 90_000, 3_600 * 73, 4_000];

impl History<'_> {
    /// Whether all payments and claims are as they should be now.
    pub async fn agrees(&mut self) -> Outcome {
        if let Some(broken) = self.desk.world.state().broken.first() {
            return Err(broken.clone());
        }
        let ids: Vec<Id> = self.desk.world.state().ledger.payments.iter().map(|it| it.id).collect();
        for id in ids {
            let payment = self.payment(id).await?;
            let now = self.desk.world.now();
            let mut state = self.desk.world.state();
            let (polled, executed) = (state.flavour_of(id).polled, state.refunds.clone());
            let Some(paid) = state.ledger.payment(id) else { continue };
            // Nobody was heard of, and nobody may be asked.
            if !polled
                && paid.is_open()
                && paid.known
                && now >= paid.deadline
                && payment.status == PaymentStatus::Expired
            {
                paid.unpaid = PaymentStatus::Expired;
            }
            // The gateway decides when it gives a start up of which it hears nothing.
            let given_up = payment.status == PaymentStatus::Failed && payment.failure.is_some();
            if given_up && paid.is_open() && (!paid.known || paid.found) {
                paid.unpaid = PaymentStatus::Failed;
            }
            // What the payer's bank took meanwhile is not given back besides.
            let called: Vec<Id> =
                paid.refunds.iter().map(|it| it.id).filter(|id| executed.contains(id)).collect();
            for refund in &payment.refunds {
                let stopped = refund.status == RefundStatus::Refused && !called.contains(&refund.id);
                if stopped && !paid.covers(refund.id) {
                    paid.refused(refund.id);
                }
            }
            // The gateway stops a refund at a moment of its own. What went back meanwhile was not that one, as it hears when it asks next.
            let told = payment.clearing.iter().chain(&payment.contradictions).map(|it| it.key());
            if let Some(unknown) =
                paid.went_back_unknown().filter(|unknown| told.clone().any(|it| it == *unknown))
            {
                paid.tell(unknown);
            }
            as_it_should(paid, &payment)?;
        }
        let claims: Vec<Id> = self.desk.world.state().ledger.claims.iter().map(|it| it.id).collect();
        for (at, id) in claims.into_iter().enumerate() {
            let claim = self.claim_of(id).await?;
            let state = self.desk.world.state();
            let should = (state.ledger.claim_status(at), state.ledger.kept(at));
            let is = (claim.status, claim.paid_cents);
            same("a claim", id, &is, &should)?;
        }
        Ok(())
    }

    /// The other side becomes honest and works, all calls are made, and time passes until nothing is left to do.
    pub async fn settles(&mut self) -> Outcome {
        {
            let mut state = self.desk.world.state();
            state.faults.clear();
            let mut changed = vec![];
            for (request, held) in &mut state.held {
                if held.lie.is_some_and(|lie| !matches!(lie, Lie::Amount(_))) {
                    held.lie = None;
                    changed.push(request.clone());
                }
            }
            changed.iter().for_each(|request| state.announce(request));
        }
        for _ in 0..3 {
            self.makes_all_calls().await?;
            if self.desk.world.state().due.is_empty() {
                break;
            }
        }
        for pause in PAUSES {
            self.desk.pass(pause);
            self.desk.run().await;
            self.agrees().await.map_err(|error| format!("{pause} s later: {error}"))?;
        }
        self.makes_all_calls().await?;
        self.is_settled().await
    }

    async fn makes_all_calls(&mut self) -> Outcome {
        let calls: Vec<_> = self.desk.world.state().due.iter().cloned().collect();
        for call in calls {
            if self.knock(&call).await? == 200 {
                self.desk.world.state().due.retain(|it| it.query != call.query);
            }
        }
        self.desk.pass(70);
        self.desk.run().await;
        self.desk.pass(20);
        self.desk.run().await;
        self.agrees().await
    }

    async fn is_settled(&mut self) -> Outcome {
        let waiting = self.desk.waiting().await;
        if waiting > 0 {
            return Err(format!("{waiting} jobs are never done"));
        }
        self.truth_is_known()?;
        for account in 0..FLAVOURS.len() {
            while self.export(account).await? {}
        }
        let claims: Vec<Id> = self.desk.world.state().ledger.claims.iter().map(|it| it.id).collect();
        for (at, id) in claims.into_iter().enumerate() {
            let filter = BookingFilter { claim: Some(id), ..BookingFilter::default() };
            let cashier = self.desk.cashier();
            let listed = self.desk.broker().bookings(&cashier, &filter, &Page::first(1_000)).await;
            let listed = listed.map_err(|error| error.to_string())?.items;
            if let Some(it) = listed.iter().find(|it| !self.desk.exported.contains(&it.id)) {
                return Err(format!("booking {} stands in no file", it.id));
            }
            let mut booked: Vec<_> = listed.iter().map(|it| (it.kind, it.amount_cents)).collect();
            booked.sort_unstable();
            same("what is booked of a claim", id, &booked, &self.desk.world.state().ledger.bookings(at))?;
        }
        let payments: Vec<(Id, bool)> = {
            let state = self.desk.world.state();
            state.ledger.payments.iter().map(|it| (it.id, !it.told.is_empty())).collect()
        };
        for (id, told) in payments {
            same("tasks of a payment", id, &self.tasks(id).await?, &usize::from(told))?;
        }
        Ok(())
    }

    /// What truly happened is known here, or a human was told: whatever the ledger thinks of it.
    fn truth_is_known(&self) -> Outcome {
        let state = self.desk.world.state();
        if let Some(id) = state.owed_looks.first() {
            return Err(format!("a call about {id} was acknowledged, and nobody has asked since"));
        }
        for held in state.held.values() {
            let Some(paid) = state.ledger.payments.iter().find(|it| it.id == held.payment) else { continue };
            let told = !paid.told.is_empty() || !paid.decided.is_empty();
            let money = held.state == TruthState::Paid;
            let (id, asked) = (paid.id, held.order.amount_cents);
            if money && paid.came == 0 && !told {
                return Err(format!("payment {id} is lost"));
            }
            if money && held.lie.is_none() && paid.came != asked && !told {
                return Err(format!("of payment {id} came {asked}, not {}", paid.came));
            }
            let accepted = paid.decided.iter().any(|(_, it)| *it == model::payment::record::Decision::Accept);
            if !money && paid.came > 0 && !accepted && !paid.settled {
                return Err(format!("payment {id} was never paid"));
            }
            let tells = FLAVOURS[state.ledger.claims[paid.claim].account].tells_money_back;
            let unclear = paid.refunds.iter().any(|it| it.status == RefundStatus::Unclear);
            let told = told || unclear && !tells;
            if money && paid.back() != held.given_back && !told {
                return Err(format!("of payment {id} went back {}, not {}", held.given_back, paid.back()));
            }
        }
        Ok(())
    }

    async fn payment(&self, id: Id) -> Result<Payment, String> {
        let record = self.desk.broker().record(&self.desk.clerk, RecordKind::Payment, id).await;
        match record {
            Ok(Record::Payment(payment)) => Ok(payment),
            other => Err(format!("payment {id} is {other:?}")),
        }
    }

    pub async fn claim_of(&self, id: Id) -> Result<Claim, String> {
        let record = self.desk.broker().record(&self.desk.clerk, RecordKind::Claim, id).await;
        match record {
            Ok(Record::Claim(claim)) => Ok(claim),
            other => Err(format!("claim {id} is {other:?}")),
        }
    }

    /// How many open tasks say that somebody has to decide.
    async fn tasks(&self, id: Id) -> Result<usize, String> {
        let filter = RecordFilter { parent: Some(id), ..RecordFilter::of(RecordKind::Task) };
        let whole = Caller { scope: Scope::tenant("soest"), ..self.desk.clerk.clone() };
        let tasks = self.desk.broker().records(&whole, &filter, &Page::first(100)).await;
        let items = tasks.map_err(|error| error.to_string())?.items;
        let is_open = |record: &Record| match record {
            // Trouble with a provider, or a refund that did not take place, is told besides.
            Record::Task(Task { status, kind, title, .. }) => {
                status.is_open() && title == "Zahlung klären" && kind.starts_with("payment.")
            }
            _ => false,
        };
        Ok(items.iter().filter(|it| is_open(it)).count())
    }
}

fn as_it_should(paid: &Paid, payment: &Payment) -> Outcome {
    let id = paid.id;
    same("where a payment stands", id, &payment.status, &paid.status())?;
    same("what came", id, &payment.paid_cents, &paid.came)?;
    same("what was given back", id, &payment.refunded_cents, &paid.back())?;
    same("what was taken back", id, &payment.charged_back_cents, &paid.taken())?;
    let told: Vec<_> = payment.clearing.iter().chain(&payment.contradictions).map(|it| it.key()).collect();
    same("what a human has to decide about", id, &told, &paid.told)?;
    let refund = |it: &model::payment::Refund| Back { id: it.id, cents: it.amount_cents, status: it.status };
    let refunds: Vec<_> = payment.refunds.iter().map(refund).collect();
    same("refunds", id, &refunds, &paid.refunds)?;
    same("whether the provider's name is known", id, &payment.reference.is_some(), &paid.known)?;
    let may_pay = payment.payment_url.is_some();
    if may_pay && !payment.status.is_open() { Err(format!("{id} is over and has a page")) } else { Ok(()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, of: Id, is: &T, should: &T) -> Outcome {
    if is == should { Ok(()) } else { Err(format!("{what} ({of}) is {is:?}, and should be {should:?}")) }
}
