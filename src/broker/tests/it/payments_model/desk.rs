//! The gateway under test, over one store, and those who use it. It dies and opens again; time is moved by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use broker::{Broker, NewClaim, Payments};
use model::command::Rules;
use model::payment::account::{Bank, Numbering};
use model::payment::{Account, Payouts, Refund, RefundStatus, Registers};
use model::rights::Within;
use model::{Actor, Caller, Clock, Id, Record, RecordKind, Role, Scope};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::bank::{NoFormat, Script};
use super::world::{FLAVOURS, Flavour, World};
use crate::house::{Gateway, caller};

/// Longer than a lease.
const LEASE_OVER: u64 = 61;

pub struct Desk {
    gateway: Option<Gateway>,
    pub world: World,
    database: Option<String>,
    server: Option<PgConnection>,
    pub rules: Rules,
    pub clerk: Caller,
    pub case: Id,
    /// Seconds of the clock at which the gateway died with a job in hand.
    pub died: Option<u64>,
    pub seconds: u64,
    /// Bookings that stand in files.
    pub exported: BTreeSet<Id>,
}

/// Each account has a bank account of its own.
pub fn iban(flavour: Flavour) -> String {
    format!("DE00{}", flavour.id.to_uppercase())
}

fn account(flavour: Flavour) -> Account {
    let payouts = if flavour.polled { Payouts::Single } else { Payouts::Collective };
    Account {
        id: flavour.id.into(),
        tenant: "soest".into(),
        services: vec![],
        provider: Some(flavour.id.into()),
        registers: flavour.registers,
        numbering: Numbering { prefix: "42".into(), digits: 9, check_digit: true },
        payouts,
        bank: Some(Bank { holder: "Kreis".into(), iban: iban(flavour), bic: None }),
        unit: Some("70".into()),
        budget_item: None,
        cost_object: None,
        format: NoFormat::NAME.into(),
    }
}

impl Desk {
    pub async fn open(database: Option<String>, four_eyes: bool) -> Desk {
        let world = World::new();
        let rules = Rules { four_eyes, ..Rules::default() };
        let server = match &database {
            Some(url) => Some(PgConnection::connect(url).await.unwrap()),
            None => None,
        };
        let mut desk = Desk {
            gateway: None,
            world,
            database,
            server,
            rules,
            clerk: caller("soest", "63"),
            case: Id::nil(),
            died: None,
            seconds: 0,
            exported: BTreeSet::new(),
        };
        desk.start(tempfile::tempdir().unwrap()).await;
        let gateway = desk.gateway.as_ref().unwrap();
        desk.case = gateway.a_case(&desk.clerk, "Neubau").await.meta.id;
        desk
    }

    async fn start(&mut self, folder: TempDir) {
        let clock = self.world.clock.clone() as Arc<dyn Clock>;
        let gateway = Gateway::reopened(folder, self.rules, self.database.clone(), clock).await;
        let payments = Payments {
            public_url: "https://zahlung.example".into(),
            return_hosts: vec![],
            accounts: FLAVOURS.into_iter().map(account).collect(),
            providers: self.world.providers(),
            statements: Arc::new(Script),
            formats: BTreeMap::from([(NoFormat::NAME.to_owned(), Arc::new(NoFormat) as _)]),
            patience: Duration::ZERO,
        };
        let broker = gateway.broker.with_payments(payments);
        self.gateway = Some(Gateway { broker, folder: gateway.folder });
    }

    /// The gateway ends, and another one goes on with its store.
    pub async fn reopen(&mut self) {
        let Some(Gateway { broker, folder }) = self.gateway.take() else { return };
        drop(broker);
        self.start(folder).await;
    }

    pub fn broker(&self) -> Broker {
        self.gateway.as_ref().unwrap().broker.clone()
    }

    /// One that was not there before, also in what another desk has left in the same store.
    pub fn number(&self) -> u128 {
        static MADE: AtomicU64 = AtomicU64::new(1);
        u128::from(MADE.fetch_add(1, Ordering::Relaxed))
    }

    /// Somebody else of the cash office each time.
    pub fn cashier(&self) -> Caller {
        let id = Id::from_u128(self.number()).to_string();
        Caller {
            actor: Actor { kind: "system".into(), id },
            roles: vec![Role::Cashier],
            scope: Scope { tenant: "soest".into(), units: Within::All, services: Within::All },
            authority: None,
        }
    }

    pub fn new_claim(&self, account: usize, amount_cents: i64) -> NewClaim {
        let flavour = FLAVOURS[account];
        let given = flavour.registers == Registers::CashSystem;
        NewClaim {
            case_id: self.case,
            account: Some(flavour.id.into()),
            amount_cents,
            purpose: "Baugenehmigung".into(),
            due: None,
            lines: vec![],
            payer: None,
            cash_reference: given.then(|| format!("HKR{}", model::ids::new_id().simple())),
        }
    }

    /// Carries something out; `None` if the gateway dies of it.
    pub async fn call<T>(&mut self, act: impl Future<Output = T>) -> Option<T> {
        let death = self.world.death.clone();
        tokio::select! {
            biased;
            () = death.notified() => { self.died = Some(self.seconds); None }
            done = act => Some(done),
        }
    }

    /// So many seconds pass.
    pub fn pass(&mut self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
        self.seconds += seconds;
    }

    /// Does what is due. What died with a job in hand finds out first what became of that; nobody else can be asked meanwhile. Where its
    /// lane is left alone for a while, that is not yet.
    pub async fn run(&mut self) {
        if self.died.is_some_and(|at| self.seconds >= at + LEASE_OVER) {
            self.world.state().down = true;
            self.due_jobs(true).await;
            self.world.state().down = false;
            if !self.has_found_out().await {
                return;
            }
            self.died = None;
            self.world.state().wakes();
        }
        self.due_jobs(false).await;
    }

    /// Whether the gateway knows of every refund in the midst of which it died that it does not know what became of it.
    async fn has_found_out(&self) -> bool {
        let unanswered = self.world.state().unanswered.clone();
        for (payment, refund) in unanswered {
            let record = self.broker().record(&self.clerk, RecordKind::Payment, payment).await.unwrap();
            let Record::Payment(payment) = record else { panic!("a payment") };
            let is_it = |it: &Refund| it.id == refund && it.status == RefundStatus::Agreed;
            if payment.refunds.iter().any(is_it) {
                return false;
            }
        }
        true
    }

    async fn due_jobs(&mut self, leases_end: bool) {
        let mut became_due = self.tell_time(leases_end).await;
        loop {
            let broker = self.broker();
            match self.call(broker.run_due_jobs()).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the queue failed: {error}"),
                None => return,
            }
            if became_due == 0 {
                return;
            }
            became_due = self.tell_time(false).await;
            if became_due == 0 {
                return;
            }
        }
    }

    /// PostgreSQL measures by its own clock: there what is due by ours is made due. Gives how much was not before.
    async fn tell_time(&mut self, leases_end: bool) -> u64 {
        let now = self.world.now().micros();
        let Some(server) = &mut self.server else { return 0 };
        if leases_end {
            let held = "UPDATE job SET due_at = 1 WHERE holder IS NOT NULL";
            sqlx::query(held).execute(&mut *server).await.unwrap();
        }
        sqlx::query("UPDATE lane SET open_until = 0 WHERE open_until > 0")
            .execute(&mut *server)
            .await
            .unwrap();
        let due = "UPDATE job SET due_at = 1 WHERE holder IS NULL AND due_at > 1 AND due_at <= $1";
        sqlx::query(due).bind(now).execute(&mut *server).await.unwrap().rows_affected()
    }

    /// How many jobs of money wait.
    pub async fn waiting(&self) -> u64 {
        let lanes = self.broker().lanes(&self.clerk).await.unwrap();
        lanes.iter().filter(|it| it.lane.starts_with("pay")).map(|it| it.waiting + it.leased).sum()
    }
}
