//! A gateway that takes payments, a provider with a script, a clock, and those who call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{
    BookingFilter, Broker, NewClaim, NewPayment, NoticeAnswer, NoticeDoor, Page, Payments, RecordFilter,
};
use model::activity::Task;
use model::adapter::Health;
use model::command::{Change, Command, Rules};
use model::payment::account::{Bank, Numbering};
use model::payment::cash::CashFormat;
use model::payment::provider::{
    Found, Notice, Notified, Order, Provider, RefundOrder, Started, Terms, Verdict,
};
use model::payment::{Account, Booking, BookingKind, Claim, Payment, Payouts, Registers, Truth, TruthState};
use model::rights::Within;
use model::{Actor, Caller, Failure, FailureKind, Id, Record, RecordKind, Role, Scope, Timestamp, ids};
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;

use super::sheets::{Ids, Plain};
use crate::house::{Gateway, SetClock, caller};

pub const GIRO: &str = "giro";

/// Bank account of all accounts.
pub const IBAN: &str = "DE89370400440532013000";

/// What a call does instead of what it should.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing happens, and it fails like this.
    Before(FailureKind),
    /// It happens, and fails like this.
    After(FailureKind),
    /// It happens, and is never answered.
    Silent,
}

/// A provider with a script.
pub struct Giro {
    pub terms: Terms,
    pub state: Mutex<State>,
    /// Rung when a call has been made that is answered once `go` is, or never.
    pub asked: Notify,
    pub go: Notify,
}

#[derive(Default)]
pub struct State {
    /// What it knows of each payment, by our name for it.
    pub known: BTreeMap<String, Truth>,
    pub faults: VecDeque<Fault>,
    pub calls: Vec<String>,
    pub orders: Vec<Order>,
    pub refunds: Vec<RefundOrder>,
    pub verdict: Option<Verdict>,
    pub notice_id: Option<String>,
    pub no_page: bool,
    /// It makes a Kassenzeichen for each payment.
    pub numbers: bool,
    pub waits: bool,
}

pub fn terms() -> Terms {
    Terms {
        kind: "script",
        notifies_by: &["GET", "POST"],
        most_notice_bytes: 4_096,
        window: Duration::from_secs(7_200),
        finds: true,
        start_is_idempotent: false,
        may_be_polled: true,
        refunds: true,
        voids: true,
    }
}

impl Giro {
    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// What the provider holds of every payment from now on.
    pub fn all_are(&self, state: TruthState) {
        self.set(|it| it.known.values_mut().for_each(|truth| truth.state = state));
    }

    pub fn fails(&self, faults: &[Fault]) {
        self.set(|it| it.faults.extend(faults));
    }

    pub fn count(&self, call: &str) -> usize {
        self.state.lock().unwrap().calls.iter().filter(|known| *known == call).count()
    }

    async fn called<T>(
        &self,
        name: &str,
        order: &Order,
        act: impl FnOnce(&mut State) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (fault, outcome) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(name.to_owned());
            state.orders.push(order.clone());
            match state.faults.pop_front() {
                Some(Fault::Before(kind)) => return Err(failure(kind)),
                fault => (fault, act(&mut state)),
            }
        };
        match fault {
            Some(Fault::After(kind)) => Err(failure(kind)),
            Some(Fault::Silent) => {
                self.asked.notify_one();
                std::future::pending().await
            }
            _ => outcome,
        }
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "payment.test", "as the script says")
}

#[async_trait]
impl Provider for Giro {
    fn id(&self) -> &str {
        GIRO
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        self.called("start", order, |state| {
            let truth = Truth { amount_cents: Some(order.amount_cents), ..Truth::default() };
            state.known.entry(order.request_id.clone()).or_insert(truth);
            Ok(started(state, order))
        })
        .await
    }

    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        if !self.terms.finds {
            return Ok(Found::CannotAsk);
        }
        self.called("find", order, |state| {
            Ok(match state.known.contains_key(&order.request_id) {
                true => Found::Started(started(state, order)),
                false => Found::Nothing,
            })
        })
        .await
    }

    async fn status(&self, order: &Order, reference: &str) -> Result<Truth, Failure> {
        assert_eq!(reference, format!("ref-{}", order.request_id));
        let truth = self
            .called("status", order, |state| {
                Ok(state.known.get(&order.request_id).cloned().unwrap_or_default())
            })
            .await;
        if self.state.lock().unwrap().waits {
            self.asked.notify_one();
            self.go.notified().await;
        }
        truth
    }

    fn notified(&self, _: &Order, _: Option<&str>, _: &Notice, _: Timestamp) -> Notified {
        let state = self.state.lock().unwrap();
        Notified { verdict: state.verdict.unwrap_or(Verdict::Hint), id: state.notice_id.clone() }
    }

    async fn refund(&self, order: &Order, _: &str, refund: &RefundOrder) -> Result<Option<String>, Failure> {
        self.called("refund", order, |state| {
            state.refunds.push(refund.clone());
            let truth = state.known.get_mut(&order.request_id).unwrap();
            truth.refunded_cents = Some(truth.refunded_cents.unwrap_or(0) + refund.amount_cents);
            Ok(Some(format!("back-{}", refund.id)))
        })
        .await
    }

    async fn void(&self, order: &Order, _: &str) -> Result<(), Failure> {
        self.called("void", order, |state| {
            let truth = state.known.get_mut(&order.request_id).unwrap();
            if truth.state != TruthState::Paid {
                truth.state = TruthState::Cancelled;
            }
            Ok(())
        })
        .await
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

fn started(state: &State, order: &Order) -> Started {
    let page = (!state.no_page).then(|| "https://zahlen.example/seite".to_owned());
    let number = format!("BL{}", &order.request_id[24..]);
    Started {
        reference: format!("ref-{}", order.request_id),
        payment_url: page,
        cash_reference: state.numbers.then_some(number),
    }
}

/// The gateway, its provider, and what time it is.
pub struct Till {
    pub gateway: Gateway,
    pub giro: Arc<Giro>,
    pub clock: Arc<SetClock>,
    database: Option<String>,
    pub clerk: Caller,
    pub case: Id,
}

pub fn account(id: &str, service: Option<&str>, registers: Registers) -> Account {
    Account {
        id: id.into(),
        tenant: "soest".into(),
        services: service.map(str::to_owned).into_iter().collect(),
        provider: Some(GIRO.into()),
        registers,
        numbering: Numbering { prefix: "42".into(), digits: 6, check_digit: true },
        payouts: Payouts::Single,
        bank: Some(Bank { holder: "Kreiskasse".into(), iban: IBAN.into(), bic: None }),
        unit: Some("70".into()),
        budget_item: Some("0.1310.1000".into()),
        cost_object: None,
        format: "ids".into(),
    }
}

impl Till {
    pub async fn open(database: Option<String>) -> Till {
        Till::with(database, terms()).await
    }

    pub async fn with(database: Option<String>, terms: Terms) -> Till {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database.clone(), clock.clone()).await;
        Till::of(gateway, clock, database, terms, Payouts::Single).await
    }

    /// One whose provider pays out like this.
    pub async fn paying_out(database: Option<String>, payouts: Payouts) -> Till {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database.clone(), clock.clone()).await;
        Till::of(gateway, clock, database, terms(), payouts).await
    }

    /// One where two have to decide about contradictions.
    pub async fn of_two() -> Till {
        let clock = Arc::new(SetClock::default());
        let rules = Rules { four_eyes: true, ..Rules::default() };
        Till::of(Gateway::with_rules(rules, clock.clone()).await, clock, None, terms(), Payouts::Single).await
    }

    async fn of(
        gateway: Gateway,
        clock: Arc<SetClock>,
        database: Option<String>,
        terms: Terms,
        payouts: Payouts,
    ) -> Till {
        let giro = Arc::new(Giro { terms, state: Mutex::default(), asked: Notify::new(), go: Notify::new() });
        let mut accounts = vec![
            account("gebuehren", Some("baugenehmigung"), Registers::Gateway),
            account("kasse", None, Registers::CashSystem),
            account("dienst", None, Registers::Provider),
        ];
        accounts.iter_mut().for_each(|account| account.payouts = payouts);
        let payments = Payments {
            public_url: "https://zahlung.example".into(),
            return_hosts: vec!["portal.example".into()],
            accounts,
            providers: BTreeMap::from([(GIRO.to_owned(), giro.clone() as Arc<dyn Provider>)]),
            statements: Arc::new(Plain),
            formats: BTreeMap::from([("ids".to_owned(), Arc::new(Ids) as Arc<dyn CashFormat>)]),
            patience: Duration::ZERO,
        };
        let gateway = Gateway { broker: gateway.broker.with_payments(payments), folder: gateway.folder };
        let clerk = caller("soest", "63");
        let case = gateway.a_case(&clerk, "Neubau").await.meta.id;
        Till { gateway, giro, clock, database, clerk, case }
    }

    pub fn broker(&self) -> &Broker {
        &self.gateway.broker
    }

    /// Somebody else of the cash office each time.
    pub fn cashier(&self) -> Caller {
        Caller {
            actor: Actor { kind: "system".into(), id: ids::new_id().to_string() },
            roles: vec![Role::Cashier],
            scope: Scope { tenant: "soest".into(), units: Within::All, services: Within::All },
            authority: None,
        }
    }

    pub fn new_claim(&self, amount_cents: i64) -> NewClaim {
        NewClaim {
            case_id: self.case,
            account: None,
            amount_cents,
            purpose: "Baugenehmigung".into(),
            due: None,
            lines: vec![],
            payer: None,
            cash_reference: None,
        }
    }

    pub async fn claim(&self, amount_cents: i64) -> Claim {
        let claim = self.broker().create_claim(&self.clerk, self.new_claim(amount_cents), None).await;
        claim.unwrap()
    }

    /// A payment whose start nobody has done yet.
    pub async fn begin(&self, claim: &Claim) -> Payment {
        let new = NewPayment::default();
        self.broker().start_payment(&self.clerk, claim.meta.id, new, None).await.unwrap()
    }

    /// A payment that its provider knows.
    pub async fn started(&self, claim: &Claim) -> Payment {
        let payment = self.begin(claim).await;
        self.run().await;
        self.payment(payment.meta.id).await
    }

    /// A payment that its provider says is paid.
    pub async fn paid(&self, claim: &Claim) -> Payment {
        let payment = self.started(claim).await;
        self.giro.all_are(TruthState::Paid);
        self.later(40).await;
        self.payment(payment.meta.id).await
    }

    /// Does what is due by the gateway's clock. PostgreSQL claims by its own, so there what is due is made so.
    pub async fn run(&self) {
        loop {
            let now = self.broker().now().micros();
            self.sql("UPDATE job SET due_at = 0 WHERE holder IS NULL AND due_at <= $1", now).await;
            if self.broker().run_due_jobs().await.unwrap() == 0 {
                return;
            }
        }
    }

    /// The gateway dies while a provider is called that does not answer.
    pub async fn crash(&self) {
        tokio::select! {
            () = self.run() => panic!("the provider was to be silent"),
            () = self.giro.asked.notified() => {}
        }
    }

    /// So many seconds pass, and what is due then is done.
    pub async fn later(&self, seconds: u64) {
        self.pass(seconds).await;
        self.run().await;
    }

    /// So many seconds pass, also for leases and breakers.
    pub async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        let micros = seconds as i64 * 1_000_000;
        self.sql("UPDATE job SET due_at = due_at - $1 WHERE holder IS NOT NULL", micros).await;
        self.sql("UPDATE lane SET open_until = open_until - $1", micros).await;
    }

    /// So many calls came at the doors; on PostgreSQL alone.
    pub async fn hinted(&self, calls: i64) {
        self.sql("UPDATE payment_door SET hints = $1", calls).await;
    }

    async fn sql(&self, sql: &'static str, number: i64) {
        let Some(url) = &self.database else { return };
        let mut server = PgConnection::connect(url).await.unwrap();
        sqlx::query(sql).bind(number).execute(&mut server).await.unwrap();
    }

    pub async fn payment(&self, id: Id) -> Payment {
        let record = self.broker().record(&self.clerk, RecordKind::Payment, id).await.unwrap();
        let Record::Payment(payment) = record else { panic!("a payment") };
        payment
    }

    pub async fn claimed(&self, claim: &Claim) -> Claim {
        let record = self.broker().record(&self.clerk, RecordKind::Claim, claim.meta.id).await.unwrap();
        let Record::Claim(claim) = record else { panic!("a claim") };
        claim
    }

    /// The claim of a payment.
    pub async fn claimed_of(&self, payment: &Payment) -> Claim {
        let record = self.broker().record(&self.clerk, RecordKind::Claim, payment.claim_id).await.unwrap();
        let Record::Claim(claim) = record else { panic!("a claim") };
        claim
    }

    /// Kinds and amounts of what is booked of a claim, in the order of kinds.
    pub async fn booked(&self, claim: &Claim) -> Vec<(BookingKind, i64)> {
        let mut booked: Vec<_> =
            self.bookings(claim).await.iter().map(|it| (it.kind, it.amount_cents)).collect();
        booked.sort_unstable();
        booked
    }

    pub async fn bookings(&self, claim: &Claim) -> Vec<Booking> {
        let filter = BookingFilter { claim: Some(claim.meta.id), ..BookingFilter::default() };
        self.broker().bookings(&self.cashier(), &filter, &Page::first(100)).await.unwrap().items
    }

    /// Kinds of the tasks about a payment that are open.
    pub async fn tasks(&self, payment: &Payment) -> Vec<String> {
        let filter = RecordFilter { parent: Some(payment.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let whole = Caller { scope: Scope::tenant("soest"), ..self.clerk.clone() };
        let tasks = self.broker().records(&whole, &filter, &Page::first(100)).await.unwrap().items;
        let open = |record: Record| match record {
            Record::Task(Task { status, kind, .. }) if status.is_open() => Some(kind),
            _ => None,
        };
        tasks.into_iter().filter_map(open).collect()
    }

    /// Somebody wants to end the open task about a payment by hand, in this way.
    pub async fn end_task(&self, payment: &Payment, change: Change) -> Result<Record, broker::Error> {
        let filter = RecordFilter { parent: Some(payment.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let whole = Caller { scope: Scope::tenant("soest"), ..self.clerk.clone() };
        let tasks = self.broker().records(&whole, &filter, &Page::first(100)).await.unwrap().items;
        let [task] = &tasks[..] else { panic!("one task, not {}", tasks.len()) };
        let end = Command { kind: RecordKind::Task, id: task.meta().id, expected: None, change };
        self.broker().submit(&whole, end, None).await
    }

    /// The tokens of the doors that the provider was told of last.
    pub fn tokens(&self) -> (String, String) {
        let state = self.giro.state.lock().unwrap();
        let order = state.orders.last().unwrap();
        let last = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        (last(&order.notify_url), last(&order.return_url))
    }

    pub async fn notify(&self, query: &str) -> NoticeAnswer {
        self.knock(NoticeDoor::Notify, &self.tokens().0, "GET", query).await
    }

    pub async fn knock(&self, door: NoticeDoor, token: &str, method: &str, query: &str) -> NoticeAnswer {
        let notice = Notice { method: method.into(), query: query.into(), headers: vec![], body: vec![] };
        self.broker().notice(GIRO, token, door, notice).await.unwrap()
    }
}
