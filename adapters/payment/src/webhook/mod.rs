//! Any provider with signed webhooks: a small JSON interface of ours (`openapi.yaml` beside this crate), for which a provider is adapted in
//! a few lines of any language, and notifications by one of three schemes.
//!
//! | module | reads notifications of |
//! |---|---|
//! | `standard` | Standard Webhooks 1.0.0, signed by HMAC-SHA-256 |
//! | `stripe` | the scheme of Stripe: `Stripe-Signature` with `t` and `v1` |
//! | `computop` | Computop Paygate: a form with `MAC`, encrypted by Blowfish or plain |
//!
//! Our calls carry a signature by Standard Webhooks or a bearer token. A notification that is authentic says that something
//! happened; how much was paid is asked.

mod api;
pub mod computop;
mod standard;
mod stripe;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Health;
use model::payment::provider::{
    Notice, Notified, Order, RefundOrder, Refusal, Started, Terms, Truth, Verdict,
};
use model::payment::record::ClearingReason;
use model::payment::{EURO, Provider};
use model::{Clock, Failure, Timestamp};
use net::{Answer, Client, Method};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::http::{self, Call, Http};

/// Largest notification, in bytes.
const MOST_NOTICE: usize = 64 * 1024;

/// How far the clocks of both sides may differ, and how long a notification may be under way, in seconds.
const WINDOW: u64 = 300;

/// How the provider is reached and listened to.
pub struct Settings {
    /// Id as configured.
    pub id: String,
    /// `https://…` without a slash at its end; what is called stands below it.
    pub url: String,
    /// How it knows that we call.
    pub auth: Auth,
    /// How we know that it calls.
    pub notifications: Notifications,
    /// How long a payer has.
    pub window: Duration,
    /// Longest time of one call, from the connection to the end of the answer.
    pub within: Duration,
    /// Whether it gives money back.
    pub refunds: bool,
    /// Whether it cancels payments that are open.
    pub voids: bool,
}

/// How the provider knows that it is us.
pub enum Auth {
    /// A signature by Standard Webhooks.
    Signed(SharedSecret),
    /// `Authorization: Bearer …`.
    Bearer(Zeroizing<String>),
}

/// By which scheme the provider notifies. Of several secrets any counts: the new one and the one before.
pub enum Notifications {
    /// It does not.
    None,
    /// Standard Webhooks 1.0.0.
    Standard(Vec<SharedSecret>),
    /// Stripe's scheme; secrets as they are shown, with `whsec_`.
    Stripe(Vec<Zeroizing<String>>),
    /// Computop Paygate.
    Computop(computop::Merchant),
}

/// A provider with signed webhooks.
struct Webhook {
    settings: Settings,
    terms: Terms,
    http: Http,
}

/// What an authentic notification says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    /// The notification's own name.
    id: Option<String>,
    /// The provider's name for the payment.
    reference: String,
    /// Our name for it, if it is told.
    request_id: Option<String>,
    /// Amount of the payment in cents, if it is told.
    amount_cents: Option<i64>,
    /// Currency in capitals, if it is told.
    currency: Option<String>,
}

/// A provider that calls through `client`.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    Arc::new(Webhook::new(settings, client, clock))
}

impl Webhook {
    fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let terms = Terms {
            kind: "webhook",
            notifies_by: match settings.notifications {
                Notifications::None => &[],
                _ => &["POST"],
            },
            most_notice_bytes: MOST_NOTICE,
            window: settings.window,
            // Starting again is the same payment, and tells its page once more.
            finds: false,
            start_is_idempotent: true,
            may_be_polled: true,
            refunds: settings.refunds,
            voids: settings.voids,
        };
        let http = Http::new(client, clock, settings.within);
        Webhook { settings, terms, http }
    }

    /// Calls the provider. `id` names the call: the same call always has the same name, so no signature counts for another.
    async fn call(
        &self,
        method: Method,
        path: &str,
        id: &str,
        body: Option<Value>,
    ) -> Result<Answer, Failure> {
        let call = if method == Method::GET { Call::Asking } else { Call::Acting };
        let body = body.map(|body| body.to_string());
        let mut headers = match &self.settings.auth {
            Auth::Bearer(token) => vec![("authorization", format!("Bearer {}", **token))],
            Auth::Signed(secret) => self.signed(secret, id, body.as_deref().unwrap_or_default())?,
        };
        headers.extend(body.is_some().then(|| ("content-type", http::JSON.to_owned())));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.http.send(call, method, &format!("{}{path}", self.settings.url), &headers, body).await
    }

    fn signed(
        &self,
        secret: &SharedSecret,
        id: &str,
        body: &str,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let at = self.http.now().micros() / 1_000_000;
        let signature = secret.sign(id, at, body.as_bytes());
        let signature =
            signature.map_err(|error| Failure::permanent("adapter.signature", error.to_string()))?;
        Ok(vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", signature),
        ])
    }

    /// The payment as the provider tells it; `None` if it says that it does not know it.
    async fn state(&self, request_id: &str) -> Result<Option<api::State>, Failure> {
        let path = format!("/payments/{request_id}");
        let answer = self.call(Method::GET, &path, &format!("status:{request_id}"), None).await?;
        match answer.status {
            200 => api::State::read(&answer).map(Some),
            404 if api::is_unknown_payment(&answer) => Ok(None),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    fn read(&self, notice: &Notice, now: Timestamp) -> Result<Told, Refusal> {
        match &self.settings.notifications {
            Notifications::None => Err(Refusal::Malformed),
            Notifications::Standard(secrets) => standard::read(secrets, notice, now),
            Notifications::Stripe(secrets) => stripe::read(secrets, notice, now),
            Notifications::Computop(merchant) => computop::read(merchant, notice),
        }
    }
}

#[async_trait]
impl Provider for Webhook {
    fn id(&self) -> &str {
        &self.settings.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        let path = format!("/payments/{}", order.request_id);
        let id = format!("start:{}", order.request_id);
        let answer = self.call(Method::PUT, &path, &id, Some(api::order(order))).await?;
        match answer.status {
            200 | 201 => api::started(&answer, &self.settings.url),
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    async fn status(&self, order: &Order, _: &str) -> Result<Truth, Failure> {
        let state = self.state(&order.request_id).await?;
        Ok(state.ok_or_else(|| http::refused("the provider does not know the payment"))?.truth())
    }

    fn notified(&self, order: &Order, reference: Option<&str>, notice: &Notice, now: Timestamp) -> Notified {
        match self.read(notice, now).and_then(|told| compare(told, order, reference)) {
            Ok(notified) => notified,
            // Without a name: what is not authentic must not stand in the way of what is.
            Err(refusal) => Notified { verdict: Verdict::Refused(refusal), id: None },
        }
    }

    async fn refund(&self, order: &Order, _: &str, refund: &RefundOrder) -> Result<Option<String>, Failure> {
        let path = format!("/payments/{}/refunds/{}", order.request_id, refund.id);
        let body = json!({ "amountCents": refund.amount_cents, "currency": EURO, "purpose": refund.purpose });
        let answer = self.call(Method::PUT, &path, &format!("refund:{}", refund.id), Some(body)).await?;
        match answer.status {
            200 | 201 => api::refunded(&answer),
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    async fn void(&self, order: &Order, _: &str) -> Result<(), Failure> {
        let path = format!("/payments/{}", order.request_id);
        let answer = self.call(Method::DELETE, &path, &format!("void:{}", order.request_id), None).await?;
        match answer.status {
            200 | 204 => Ok(()),
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    /// Asks for a payment that cannot be there: whoever does not know it knows us.
    async fn check(&self) -> Health {
        let answered = self.state(&uuid::Uuid::nil().to_string()).await;
        http::health(answered.map(|_| "the provider answers".to_owned()))
    }
}

/// What an authentic notification leads to.
fn compare(told: Told, order: &Order, reference: Option<&str>) -> Result<Notified, Refusal> {
    let reference = reference.ok_or(Refusal::TooEarly)?;
    let is_other = told.request_id.is_some_and(|told| told != order.request_id);
    if told.reference != reference || is_other {
        return Err(Refusal::OtherPayment);
    }
    let differs = |reason| Verdict::Differs(reason, told.amount_cents, 200);
    let verdict = if told.currency.is_some_and(|currency| currency != EURO) {
        differs(ClearingReason::Currency)
    } else if told.amount_cents.is_some_and(|cents| cents != order.amount_cents) {
        differs(ClearingReason::CallbackDiffers)
    } else {
        Verdict::Hint
    };
    Ok(Notified { verdict, id: told.id })
}

/// The only header field with this name.
fn header<'a>(notice: &'a Notice, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut fields = notice.headers.iter().filter(|(known, _)| known == name);
    match (fields.next(), fields.next()) {
        (_, Some(_)) => Err(Refusal::Repeated),
        (first, None) => Ok(first.map(|(_, value)| value.trim())),
    }
}

/// Whether a time in seconds since 1970 lies within the window, in both directions.
fn is_recent(seconds: &str, now: Timestamp) -> bool {
    let is_number = (1..=12).contains(&seconds.len()) && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let told: Option<i64> = seconds.parse().ok().filter(|_| is_number);
    told.is_some_and(|told| told.abs_diff(now.micros().div_euclid(1_000_000)) <= WINDOW)
}

/// Whether a text may be the name of a notification.
fn is_event_id(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
