//! epay21 (ekom21): its SOAP service, version 11 (namespace `http://epay21.ekom21.de/service/v11`, SOAP 1.1, document style, HTTP Basic).
//!
//! A payment is known by our own name for it (CallerPayID); its PayID is needed to confirm or cancel it. Nothing is called
//! back: the payer returns, and the state is asked. The service never tells an amount, so the amount is that of the call that began the
//! payment.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::adapter::Health;
use model::payment::provider::{
    Found, Notice, Notified, Order, Refusal, Started, Terms, Truth, TruthState, Verdict,
};
use model::payment::{EURO, Provider};
use model::{Clock, Failure, Timestamp};
use net::Client;
use zeroize::Zeroizing;

use crate::http::{self, Call};
use crate::soap::{Garbage, Message, Part, Place, Service, Style};
use crate::text;

const NAMESPACE: &str = "http://epay21.ekom21.de/service/v11";

/// Longest description of an order.
const DESCRIPTION: usize = 100;

/// The code by which the service says that it does not know a payment.
const UNKNOWN: &str = "P107";

/// How the service is used.
pub struct Settings {
    /// Id as configured.
    pub id: String,
    /// The service, `https://…/ePay21Service.asmx`.
    pub url: String,
    /// Mandant.
    pub mandant: String,
    /// What payers are shown as its name.
    pub mandant_name: String,
    /// App.
    pub app: String,
    /// User of HTTP Basic.
    pub user: String,
    /// Password of HTTP Basic.
    pub password: Zeroizing<String>,
    /// How long a payer has, in whole minutes.
    pub minutes: u32,
    /// Action by which a payment that was made is confirmed, if the service wants it to be.
    pub confirms_by: Option<String>,
    /// Longest time of one call, from the connection to the end of the answer.
    pub within: Duration,
}

/// The service of epay21.
struct Epay21 {
    settings: Settings,
    terms: Terms,
    service: Service,
    clock: Arc<dyn Clock>,
}

/// A provider that calls through `client`.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    Arc::new(Epay21::new(settings, client, clock))
}

impl Epay21 {
    fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let terms = Terms {
            kind: "epay21",
            notifies_by: &[],
            most_notice_bytes: 0,
            window: Duration::from_secs(u64::from(settings.minutes) * 60),
            finds: true,
            start_is_idempotent: false,
            may_be_polled: true,
            refunds: false,
            voids: true,
        };
        let credentials = Zeroizing::new(format!("{}:{}", settings.user, *settings.password));
        let basic = format!("Basic {}", BASE64_STANDARD.encode(credentials.as_bytes()));
        let service = Service {
            namespace: NAMESPACE,
            style: Style::Document,
            url: settings.url.clone(),
            headers: vec![("authorization".to_owned(), basic)],
            client,
        };
        Epay21 { settings, terms, service, clock }
    }

    async fn call(&self, operation: &'static str, query: Vec<Part>, call: Call) -> Result<Message, Failure> {
        let settings = &self.settings;
        let caller = vec![
            Part::text("Mandant", &settings.mandant),
            Part::text("MandantDesc", &settings.mandant_name),
            Part::text("App", &settings.app),
            Part::text("LocaleCode", "DE_DE"),
            Part::text("ClientInfo", format!("{}_{}", settings.mandant, settings.app)),
        ];
        let parts = [Part::object("OP", "", caller), Part::object("Query", "", query)];
        self.service.call(operation, &parts, call, self.settings.within, &*self.clock).await
    }

    /// The payment by our name for it, if the service knows it.
    async fn payment(&self, order: &Order) -> Result<Option<Payment>, Failure> {
        let query = vec![Part::text("SearchKey", &order.request_id), Part::text("SearchMode", "normal")];
        let message = self.call("GetPaymentStatus", query, Call::Asking).await?;
        let garbage = |_| http::garbage(Call::Asking);
        let returned = message.returned().map_err(garbage)?;
        match outcome(returned).map_err(garbage)? {
            None => Payment::read(returned).map(Some).map_err(garbage),
            Some(code) if code == UNKNOWN => Ok(None),
            Some(code) => Err(refusal(&code)),
        }
    }

    async fn confirm(&self, pay_id: &str, action: &str) -> Result<(), Failure> {
        let query = vec![Part::text("PayID", pay_id), Part::text("Action", action)];
        let message = self.call("ConfirmPayment", query, Call::Acting).await?;
        let outcome = message.returned().and_then(outcome).map_err(|_| http::garbage(Call::Acting))?;
        outcome.map_or(Ok(()), |code| Err(refusal(&code)))
    }
}

#[async_trait]
impl Provider for Epay21 {
    fn id(&self) -> &str {
        &self.settings.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        let message = self.call("InitPayment", query(&self.settings, order), Call::Acting).await?;
        let garbage = |_| http::garbage(Call::Acting);
        let returned = message.returned().map_err(garbage)?;
        if let Some(code) = outcome(returned).map_err(garbage)? {
            return Err(refusal(&code));
        }
        let page = page(returned, &self.settings.url).map_err(garbage)?;
        let reference = match pay_id(returned).map_err(garbage)? {
            Some(pay_id) => pay_id,
            // Not every version tells it here.
            None => match self.payment(order).await {
                Ok(Some(payment)) => payment.pay_id,
                _ => return Err(http::unclear("the service did not name the payment that it began")),
            },
        };
        Ok(Started { reference, payment_url: Some(page), cash_reference: None })
    }

    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        let started = |payment: Payment| {
            Found::Started(Started {
                reference: payment.pay_id,
                // It is told once.
                payment_url: None,
                cash_reference: None,
            })
        };
        Ok(self.payment(order).await?.map_or(Found::Nothing, started))
    }

    async fn status(&self, order: &Order, reference: &str) -> Result<Truth, Failure> {
        let payment = self.payment(order).await?;
        let payment = payment.ok_or_else(|| http::refused("the service does not know the payment"))?;
        let waits = payment.status == "payed" && payment.pay_id == reference;
        if let Some(action) = self.settings.confirms_by.as_deref().filter(|_| waits) {
            // Paid is paid, confirmed or not; what fails is tried again whenever the state is asked.
            let _ = self.confirm(reference, action).await;
        }
        Ok(payment.truth())
    }

    /// There are none; the payer's return is a hint that the broker takes by itself.
    fn notified(&self, _: &Order, _: Option<&str>, _: &Notice, _: Timestamp) -> Notified {
        Notified { verdict: Verdict::Refused(Refusal::Malformed), id: None }
    }

    async fn void(&self, _: &Order, reference: &str) -> Result<(), Failure> {
        self.confirm(reference, "cancel").await
    }

    /// Asks for a payment that cannot be there: that it is not known says that we are.
    async fn check(&self) -> Health {
        let query =
            vec![Part::text("SearchKey", uuid::Uuid::nil().to_string()), Part::text("SearchMode", "normal")];
        let answered = self.call("GetPaymentStatus", query, Call::Asking).await.and_then(|message| {
            match message.returned().and_then(outcome) {
                Ok(Some(code)) if code == UNKNOWN => Ok("the service answers".to_owned()),
                Ok(Some(code)) => Err(refusal(&code)),
                _ => Err(http::garbage(Call::Asking)),
            }
        });
        http::health(answered)
    }
}

/// Query of InitPayment.
fn query(settings: &Settings, order: &Order) -> Vec<Part> {
    let purpose = text::sepa(&order.purpose, text::PURPOSE);
    vec![
        Part::text("CallerPayID", &order.request_id),
        Part::text("Purpose", if purpose.is_empty() { "Gebuehr".to_owned() } else { purpose }),
        Part::text("OrderDesc", text::sepa(&order.purpose, DESCRIPTION)),
        Part::text("Amount", order.amount_cents.to_string()),
        Part::text("Currency", EURO),
        Part::text("ReturnURL", &order.return_url),
        Part::text("CancelURL", &order.return_url),
        Part::text("Art", "online"),
        Part::text("GetQrCode", "false"),
        Part::text("PaymentTimeout", settings.minutes.to_string()),
    ]
}

/// The code by which the call was refused; `None` if it was not.
fn outcome(returned: Place<'_>) -> Result<Option<String>, Garbage> {
    let result = returned.at("Operation")?.at("Result")?;
    match result.text_at("OK")? {
        Some("true" | "1") => Ok(None),
        Some("false" | "0") => Ok(Some(result.text_at("ErrorCode")?.unwrap_or_default().to_owned())),
        _ => Err(Garbage),
    }
}

/// What the service says beside its code may quote what it was sent, so only the code is told.
fn refusal(code: &str) -> Failure {
    let is_code = (1..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    http::refused(format!("epay21 refused the call: {}", if is_code { code } else { "no code" }))
}

/// PayID where the outcome of a call tells it, or the payment beside it.
fn pay_id(returned: Place<'_>) -> Result<Option<String>, Garbage> {
    let of_result = returned.at("Operation")?.at("Result")?.text_at("PayID")?;
    let told = of_result.or(returned.at("Payment")?.text_at("PayID")?);
    told.map(|id| if text::is_reference(id, 64) { Ok(id.to_owned()) } else { Err(Garbage) }).transpose()
}

fn page(returned: Place<'_>, base: &str) -> Result<String, Garbage> {
    let url = returned.at("PayPageInfo")?.text_at("PayPageUrl")?.ok_or(Garbage)?;
    if text::is_page(url, base) { Ok(url.to_owned()) } else { Err(Garbage) }
}

/// A payment as the service tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Payment {
    pay_id: String,
    caller_id: String,
    status: &'static str,
    state: TruthState,
    method: Option<String>,
    finished: Option<Timestamp>,
}

/// Status, as the service spells it, and what it means.
const STATES: [(&str, TruthState); 6] = [
    ("init", TruthState::Open),
    ("started", TruthState::Pending),
    ("payed", TruthState::Paid),
    ("confirmed", TruthState::Paid),
    ("canceled", TruthState::Cancelled),
    ("failed", TruthState::Failed),
];

impl Payment {
    fn read(returned: Place<'_>) -> Result<Payment, Garbage> {
        let payment = returned.at("Payment")?;
        let told = |name: &str| payment.text_at(name)?.ok_or(Garbage);
        let (pay_id, caller_id, status) = (told("PayID")?, told("CallerPayID")?, told("Status")?);
        let known = STATES.iter().find(|(name, _)| *name == status);
        let (status, state) = *known.ok_or(Garbage)?;
        if !text::is_reference(pay_id, 64) || !text::is_reference(caller_id, 64) {
            return Err(Garbage);
        }
        let is_word = |text: &&str| text.len() <= 40 && text.bytes().all(|it| it.is_ascii_alphanumeric());
        let method = payment.text_at("Type")?.filter(is_word).filter(|kind| *kind != "none");
        // Most are local times without a zone, which tell nothing exact.
        let finished = payment.text_at("TimestampFinish")?.and_then(Timestamp::parse);
        Ok(Payment {
            pay_id: pay_id.to_owned(),
            caller_id: caller_id.to_owned(),
            status,
            state,
            method: method.map(str::to_owned),
            finished,
        })
    }

    fn truth(self) -> Truth {
        let is_paid = self.state == TruthState::Paid;
        Truth {
            state: self.state,
            reference: Some(self.pay_id),
            request_id: Some(self.caller_id),
            method: self.method.filter(|_| is_paid),
            paid_at: self.finished.filter(|_| is_paid),
            ..Truth::default()
        }
    }
}
