//! GiroCheckout (S-Public Services), API version 2: `transaction/start` or `paypage/init`, `transaction/status`, `transaction/refund`,
//! `transaction/void`, notifications by GET.
//!
//! Requests and notifications carry a hash: HMAC-MD5 over the values in the order of the API's tables, without names and without
//! separators. Answers carry one over their bytes, in the header field `hash`; it is looked at before anything is read. Since nothing
//! separates the values, a digit may move from one into the next and the hash stays right: see `notice`.
//!
//! * `hash`: the hash;
//! * `answer`: answers, and what their codes mean;
//! * `notice`: notifications.

mod answer;
mod hash;
mod notice;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Health;
use model::ids::derived_id;
use model::payment::provider::{Notice, Notified, Order, RefundOrder, Started, Terms};
use model::payment::{EURO, Provider, Truth, TruthState};
use model::{Clock, Failure, Id, Timestamp};
use net::Client;
use zeroize::Zeroizing;

use crate::form;
use crate::http::{Call, FORM, Http, garbage, health, refused, unclear};
use crate::text::{PURPOSE, is_page, is_reference, sepa};
use answer::Answered;
use hash::Password;

/// Longest name of a transaction, in characters; real ones are UUIDs.
const REFERENCE: usize = 64;

/// Longest Kassenzeichen.
const CASH_REFERENCE: usize = 255;

/// Largest notification, in bytes.
const MOST_NOTICE: usize = 64 * 1024;

/// A project of GiroCheckout, as configured.
pub struct Settings {
    /// Id of the provider.
    pub id: String,
    /// Address of the API without a slash at its end, such as `https://payment.girosolution.de/girocheckout/api/v2`.
    pub base: String,
    /// Id of the merchant.
    pub merchant: String,
    /// Id of the project.
    pub project: String,
    /// Password of the project.
    pub password: Zeroizing<String>,
    /// What the payer is shown.
    pub page: Page,
    /// How long a payer has.
    pub window: Duration,
    /// Longest time of a call.
    pub within: Duration,
}

/// What the payer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The page of the project's one means of payment (`transaction/start`).
    Single,
    /// The payment page, where the payer chooses (`paypage/init`).
    Choice {
        /// Whether it is a page for tests.
        test: bool,
    },
}

/// A project that is called through `client`.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    let terms = Terms {
        kind: "girocheckout",
        notifies_by: &["GET"],
        most_notice_bytes: MOST_NOTICE,
        window: settings.window,
        finds: false,
        start_is_idempotent: false,
        may_be_polled: true,
        refunds: true,
        voids: true,
    };
    let Settings { id, base, merchant, project, password, page, within, .. } = settings;
    let http = Http::new(client, clock, within);
    Arc::new(GiroCheckout {
        id,
        terms,
        base,
        merchant,
        project,
        password: Password::new(password),
        page,
        http,
    })
}

struct GiroCheckout {
    id: String,
    terms: Terms,
    base: String,
    merchant: String,
    project: String,
    password: Password,
    page: Page,
    http: Http,
}

impl GiroCheckout {
    /// Calls with the fields given, in the order of the API's table, behind merchant and project.
    async fn call(&self, call: Call, path: &str, fields: &[(&str, &str)]) -> Result<Answered, Failure> {
        let who = [("merchantId", self.merchant.as_str()), ("projectId", self.project.as_str())];
        let mut all: Vec<_> = who.iter().chain(fields).copied().collect();
        let hash = self.password.hash(all.iter().map(|(_, value)| *value))?;
        all.push(("hash", &hash));
        let url = format!("{}/{path}", self.base);
        let answer = self.http.post(call, &url, FORM, &[], form::write(&all)).await?;
        match answer.status {
            200 => Answered::read(&self.password, &answer, call),
            _ => Err(self.http.refusal(&answer, call)),
        }
    }

    async fn ask(&self, reference: &str) -> Result<Answered, Failure> {
        self.call(Call::Asking, "transaction/status", &[("reference", reference)]).await
    }
}

/// The fields of a start, in the order of the table that the page has.
fn start_fields<'a>(
    page: Page,
    order: &'a Order,
    amount: &'a str,
    purpose: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let mut fields = vec![
        ("merchantTxId", order.request_id.as_str()),
        ("amount", amount),
        ("currency", EURO),
        ("purpose", purpose),
    ];
    let (back, notify) = (order.return_url.as_str(), order.notify_url.as_str());
    match page {
        Page::Single => fields.extend([("urlRedirect", back), ("urlNotify", notify)]),
        Page::Choice { test } => fields.extend([
            // The page can be paid once.
            ("single", "1"),
            ("type", "SALE"),
            ("test", if test { "1" } else { "0" }),
            ("successUrl", back),
            ("backUrl", back),
            ("failUrl", back),
            ("notifyUrl", notify),
        ]),
    }
    let reference = order.cash_reference.as_deref().filter(|it| is_reference(it, CASH_REFERENCE));
    fields.extend(reference.map(|it| ("kassenzeichen", it)));
    fields
}

fn purpose(text: &str) -> String {
    let purpose = sepa(text, PURPOSE);
    if purpose.is_empty() { "Zahlung".to_owned() } else { purpose }
}

#[async_trait]
impl Provider for GiroCheckout {
    fn id(&self) -> &str {
        &self.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        let (amount, purpose) = (order.amount_cents.to_string(), purpose(&order.purpose));
        let fields = start_fields(self.page, order, &amount, &purpose);
        let path = match self.page {
            Page::Single => "transaction/start",
            Page::Choice { .. } => "paypage/init",
        };
        let answered = self.call(Call::Acting, path, &fields).await?;
        let page = answered.redirect.or(answered.url).filter(|url| is_page(url, &self.base));
        let reference = answered.reference.filter(|reference| is_reference(reference, REFERENCE));
        let (Some(reference), Some(page)) = (reference, page) else { return Err(garbage(Call::Acting)) };
        Ok(Started { reference, payment_url: Some(page), cash_reference: None })
    }

    async fn status(&self, _order: &Order, reference: &str) -> Result<Truth, Failure> {
        self.ask(reference).await?.truth().ok_or_else(|| garbage(Call::Asking))
    }

    fn notified(&self, order: &Order, reference: Option<&str>, notice: &Notice, _: Timestamp) -> Notified {
        let verdict = notice::judge(&self.password, &self.project, order, reference, &notice.query);
        Notified { verdict, id: None }
    }

    async fn refund(
        &self,
        order: &Order,
        reference: &str,
        refund: &RefundOrder,
    ) -> Result<Option<String>, Failure> {
        let (id, amount) = (refund.id.to_string(), refund.amount_cents.to_string());
        let purpose = purpose(if refund.purpose.is_empty() { &order.purpose } else { &refund.purpose });
        let fields = [
            ("merchantTxId", id.as_str()),
            ("amount", &amount),
            ("currency", EURO),
            ("purpose", &purpose),
            ("reference", reference),
        ];
        let answered = self.call(Call::Acting, "transaction/refund", &fields).await?;
        answered.refunded(reference, &id, refund.amount_cents)
    }

    async fn void(&self, order: &Order, reference: &str) -> Result<(), Failure> {
        // What is paid meanwhile is given back by a refund, which needs two people.
        let before = self.ask(reference).await?.truth().ok_or_else(|| garbage(Call::Asking))?;
        if !matches!(before.state, TruthState::Open | TruthState::Pending) {
            return Err(refused("the payment is not open any more"));
        }
        let id = derived_id(order.payment_id, "void").to_string();
        let fields = [("merchantTxId", id.as_str()), ("reference", reference)];
        match self.call(Call::Acting, "transaction/void", &fields).await?.state()? {
            None | Some(TruthState::Paid) => Ok(()),
            Some(TruthState::Open | TruthState::Pending) => {
                Err(unclear("the outcome of the void is not known"))
            }
            Some(_) => Err(refused("the provider did not void the payment")),
        }
    }

    async fn check(&self) -> Health {
        // A transaction that nobody has: the answer says whether the provider knows us.
        let asked = self.ask(&Id::nil().to_string()).await;
        let known = "the provider answers and knows us".to_owned();
        health(match asked {
            Err(failure) if failure.kind == model::FailureKind::Rejected => Ok(known),
            other => other.map(|_| known),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            payment_id: Id::nil(),
            request_id: "C2026-000123".into(),
            amount_cents: 2_500,
            purpose: "Gebühr 2026-000123".into(),
            cash_reference: Some("4200000000061".into()),
            lines: vec![],
            payer: None,
            notify_url: "https://gw.example/pay/notify/giro/abc".into(),
            return_url: "https://gw.example/pay/return/abc".into(),
            created_at: Timestamp::default(),
            deadline: Timestamp::default(),
            due: None,
        }
    }

    /// The worked example of the facts, which the provider's own library signs in the same way.
    #[test]
    fn a_start_is_hashed_in_the_order_of_the_table() {
        let (order, purpose) = (order(), purpose("Gebühr 2026-000123"));
        let fields = start_fields(Page::Single, &order, "2500", &purpose);
        let values = ["1234567", "1234"].into_iter().chain(fields.iter().map(|(_, value)| *value));
        let password = Password::new(Zeroizing::new("secure".into()));
        assert_eq!(password.hash(values).unwrap(), "8563e29f2dff3e6c26e17668d198ef4b");
    }

    #[test]
    fn the_payment_page_can_be_paid_once_and_has_its_own_table() {
        let order = Order { cash_reference: None, ..order() };
        let names =
            |page| -> Vec<_> { start_fields(page, &order, "1", "x").iter().map(|(name, _)| *name).collect() };
        let wanted =
            "merchantTxId amount currency purpose single type test successUrl backUrl failUrl notifyUrl";
        assert_eq!(names(Page::Choice { test: true }).join(" "), wanted);
        assert_eq!(
            names(Page::Single).join(" "),
            "merchantTxId amount currency purpose urlRedirect urlNotify"
        );
    }
}
