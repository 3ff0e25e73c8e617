//! What takes money in these tests: one provider that does as it is told, an account of each tenant, statements and files of one line each.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::Payments;
use model::adapter::Health;
use model::payment::account::{Bank, Numbering};
use model::payment::cash::{CashFormat, FileHead};
use model::payment::provider::{Notice, Notified, Order, RefundOrder, Refusal, Started, Terms, Verdict};
use model::payment::statement::{Line, Statements};
use model::payment::{Account, Booking, Payouts, Provider, Registers, Truth, TruthState};
use model::{Failure, Timestamp};

/// IBAN of every account.
pub(crate) const IBAN: &str = "DE89370400440532013000";

/// Largest notification, in bytes.
pub(crate) const MOST_NOTICE: usize = 4_096;

/// A provider whose payments stand where the test says.
pub(crate) struct Till {
    terms: Terms,
    state: Mutex<TruthState>,
    orders: Mutex<Vec<Order>>,
    notices: Mutex<Vec<Notice>>,
}

impl Till {
    pub(crate) fn new() -> Self {
        let terms = Terms {
            kind: "till",
            notifies_by: &["POST"],
            most_notice_bytes: MOST_NOTICE,
            window: Duration::from_secs(900),
            finds: false,
            start_is_idempotent: true,
            may_be_polled: true,
            refunds: true,
            voids: true,
        };
        let (orders, notices) = (Mutex::default(), Mutex::default());
        Till { terms, state: Mutex::default(), orders, notices }
    }

    /// From now on every payment stands so.
    pub(crate) fn says(&self, state: TruthState) {
        *self.state.lock().unwrap() = state;
    }

    /// The last payment that was started.
    pub(crate) fn last(&self) -> Order {
        self.orders.lock().unwrap().last().cloned().unwrap()
    }

    /// The notifications that were judged.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Till {
    fn id(&self) -> &str {
        "till"
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        self.orders.lock().unwrap().push(order.clone());
        Ok(Started {
            reference: format!("T-{}", order.request_id),
            payment_url: Some("https://pay.example/kasse?a=1&b=2".into()),
            cash_reference: None,
        })
    }

    async fn status(&self, order: &Order, _: &str) -> Result<Truth, Failure> {
        let state = *self.state.lock().unwrap();
        let amount_cents = Some(order.amount_cents);
        Ok(Truth { state, amount_cents, method: Some("card".into()), ..Truth::default() })
    }

    fn notified(&self, _: &Order, _: Option<&str>, notice: &Notice, _: Timestamp) -> Notified {
        self.notices.lock().unwrap().push(notice.clone());
        let verdict = match notice.body.as_slice() {
            b"paid" => Verdict::Hint,
            b"paid&paid" => Verdict::Refused(Refusal::Repeated),
            _ => Verdict::Refused(Refusal::Malformed),
        };
        Notified { verdict, id: None }
    }

    async fn refund(&self, _: &Order, _: &str, _: &RefundOrder) -> Result<Option<String>, Failure> {
        Ok(Some("R-1".into()))
    }

    async fn void(&self, _: &Order, _: &str) -> Result<(), Failure> {
        self.says(TruthState::Cancelled);
        Ok(())
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

/// A statement whose text is the purpose of its only line, of 25 euros.
struct OneLine;

impl Statements for OneLine {
    fn read(
        &self,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut text = String::new();
        let read = input.read_to_string(&mut text);
        read.map_err(|_| Failure::permanent("payment.statement-unreadable", "no text"))?;
        each(Line {
            id: format!("line-{text}"),
            iban: IBAN.into(),
            amount_cents: 2_500,
            currency: "EUR".into(),
            credit: true,
            reversal: false,
            booked: true,
            booked_on: Some("2026-11-30".into()),
            end_to_end: None,
            creditor_reference: None,
            text,
            return_reason: None,
            charges_cents: 0,
            transactions: 1,
        })
    }
}

/// A file with the number of its bookings.
struct Count;

impl CashFormat for Count {
    fn name(&self) -> &str {
        "count"
    }

    fn media_type(&self) -> &str {
        "text/plain"
    }

    fn ending(&self) -> &str {
        "txt"
    }

    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        Ok(format!("{} {} {}", head.account, head.number, bookings.len()).into_bytes())
    }
}

fn account(tenant: &str) -> Account {
    Account {
        id: "gebuehren".into(),
        tenant: tenant.into(),
        services: vec![],
        provider: Some("till".into()),
        registers: Registers::Gateway,
        numbering: Numbering { prefix: "42".into(), digits: 8, check_digit: true },
        payouts: Payouts::Single,
        bank: Some(Bank { holder: "Kreiskasse".into(), iban: IBAN.into(), bic: None }),
        unit: None,
        budget_item: Some("1.2.3".into()),
        cost_object: None,
        format: "count".into(),
    }
}

/// Each tenant has one account, and all have one provider.
pub(crate) fn payments(till: &Arc<Till>, tenants: &[&str]) -> Payments {
    let provider: Arc<dyn Provider> = till.clone();
    let format: Arc<dyn CashFormat> = Arc::new(Count);
    Payments {
        public_url: "https://zahlung.example".into(),
        return_hosts: vec!["portal.example".into()],
        accounts: tenants.iter().map(|tenant| account(tenant)).collect(),
        providers: BTreeMap::from([("till".to_owned(), provider)]),
        statements: Arc::new(OneLine),
        formats: BTreeMap::from([("count".to_owned(), format)]),
        patience: Duration::from_secs(8),
    }
}
