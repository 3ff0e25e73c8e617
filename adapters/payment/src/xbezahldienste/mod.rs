//! XBezahldienste 1.0.0: operations "create", "query" and "health" of the standard's interface. One module for all services that speak it
//! (ePayBL, pmPayment, epay21, GiroCheckout): they differ in how one signs in, and in small things that are the same for all here.
//!
//! * `wire`: the objects of the standard, and how an order becomes one;
//! * `auth`: OAuth 2 client credentials, Basic, or the certificate of the connection.
//!
//! The standard has no notifications: the payer's browser comes back, and what it brings along says nothing. It has no refunds.
//!
//! Small things: fields without content are left out (epay21 refuses `null` and empty maps); an address of the pay page counts only
//! while the transaction is INITIAL (epay21 repeats it afterwards); creating is answered with 200, or 201.

mod auth;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Health;
use model::payment::provider::{Found, Notice, Notified, Order, Refusal, Started, Terms, Verdict};
use model::payment::{Provider, Truth};
use model::{Clock, Failure, Timestamp};
use net::{Answer, Client};

pub use auth::Auth;
pub use wire::BookingKeys;

use crate::http::{Call, Http, JSON, garbage, health, json, refused, unauthorised};
use crate::text::{is_reference, segment};
use auth::Login;
use wire::{Problem, Transaction};

/// Longest transactionId, as the most patient client keeps it.
const TRANSACTION_ID: usize = 44;

/// A service of XBezahldienste, as configured.
pub struct Settings {
    /// Id of the provider.
    pub id: String,
    /// Address without a slash at its end; `/paymenttransaction/…` stands below it.
    pub base: String,
    /// originatorId: 1 to 36 letters, digits, hyphens, underscores.
    pub originator: String,
    /// endPointId, likewise.
    pub end_point: String,
    /// How one signs in.
    pub auth: Auth,
    /// Under which keys the service wants what the cash system books.
    pub booking_keys: BookingKeys,
    /// How long a payer has.
    pub window: Duration,
    /// Longest time of a call.
    pub within: Duration,
}

/// A service that is called through `client`; for mutual TLS the client is one that shows our certificate.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    let terms = Terms {
        kind: "xbezahldienste",
        notifies_by: &[],
        most_notice_bytes: 0,
        window: settings.window,
        finds: true,
        // A requestId that was used before is refused: nothing is ever paid twice.
        start_is_idempotent: true,
        may_be_polled: true,
        refunds: false,
        voids: false,
    };
    let Settings { id, base, originator, end_point, auth, booking_keys, within, .. } = settings;
    let ids = format!("{}/{}", segment(&originator), segment(&end_point));
    let transactions = format!("{base}/paymenttransaction/{ids}");
    let status = format!("{base}/status/{ids}");
    let (http, login) = (Http::new(client, clock, within), Login::new(auth));
    Arc::new(Xbezahldienst { id, terms, base, transactions, status, booking_keys, login, http })
}

struct Xbezahldienst {
    id: String,
    terms: Terms,
    base: String,
    /// Address of transactions, and of the health of our configuration.
    transactions: String,
    status: String,
    booking_keys: BookingKeys,
    login: Login,
    http: Http,
}

impl Xbezahldienst {
    /// Calls; a token that is not taken any more is fetched anew, once.
    async fn call(&self, call: Call, url: &str, body: Option<&str>) -> Result<Answer, Failure> {
        let answer = self.call_once(call, url, body).await?;
        match answer.status == 401 && self.login.forget() {
            true => self.call_once(call, url, body).await,
            false => Ok(answer),
        }
    }

    async fn call_once(&self, call: Call, url: &str, body: Option<&str>) -> Result<Answer, Failure> {
        let authorization = self.login.header(&self.http).await?;
        let mut headers = vec![("accept", JSON)];
        headers.extend(authorization.as_ref().map(|value| ("authorization", value.as_str())));
        match body {
            Some(body) => self.http.post(call, url, JSON, &headers, body.to_owned()).await,
            None => self.http.get(url, &headers).await,
        }
    }

    async fn transaction(&self, reference: &str) -> Result<Answer, Failure> {
        let url = format!("{}/{}", self.transactions, segment(reference));
        self.call(Call::Asking, &url, None).await
    }

    /// What became of a requestId that the service says it knows. Services that name transactions by it can be asked.
    async fn find_by_request(&self, order: &Order) -> Result<Found, Failure> {
        let answer = self.transaction(&order.request_id).await?;
        match answer.status {
            200 => {}
            400 | 404 => return Ok(Found::CannotAsk),
            _ => return Err(self.problem(&answer, Call::Asking)),
        }
        let transaction: Transaction = json(&answer, Call::Asking)?;
        let is_ours = transaction.echo().is_some_and(|echo| echo.request_id == order.request_id);
        if !is_ours {
            return Ok(Found::CannotAsk);
        }
        transaction.started(order, &self.base, Call::Asking).map(Found::Started)
    }

    /// Why something was not done. Only the codes that the standard knows are told.
    fn problem(&self, answer: &Answer, call: Call) -> Failure {
        let told = |code| format!("the service answered with {} ({code})", answer.status);
        match (answer.status, problem_code(answer)) {
            (500.., _) | (_, None) => self.http.refusal(answer, call),
            (_, Some(code)) if code.is_about_us() => unauthorised(told(code.name())),
            (400..=499, Some(code)) if code.is_about_content() => refused(told(code.name())),
            _ => self.http.refusal(answer, call),
        }
    }
}

fn problem_code(answer: &Answer) -> Option<Problem> {
    serde_json::from_slice::<wire::SystemResponse>(&answer.body).ok()?.functional_code
}

#[async_trait]
impl Provider for Xbezahldienst {
    fn id(&self) -> &str {
        &self.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        let body = wire::request(order, &self.booking_keys)?;
        let answer = self.call(Call::Acting, &self.transactions, Some(&body)).await?;
        if matches!(answer.status, 200 | 201) {
            return json::<Transaction>(&answer, Call::Acting)?.started(order, &self.base, Call::Acting);
        }
        if !matches!(problem_code(&answer), Some(Problem::PaymentExists)) {
            return Err(self.problem(&answer, Call::Acting));
        }
        match self.find_by_request(order).await? {
            Found::Started(started) => Ok(started),
            // Nobody was shown the page of the one that exists.
            _ => Err(Failure::new(
                model::FailureKind::Rejected,
                "payment.provider-exists",
                "the service knows the requestId already and cannot be asked for it",
            )),
        }
    }

    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        self.find_by_request(order).await
    }

    async fn status(&self, _order: &Order, reference: &str) -> Result<Truth, Failure> {
        if !is_reference(reference, TRANSACTION_ID) {
            return Err(refused("the reference is none of this service"));
        }
        let answer = self.transaction(reference).await?;
        match answer.status {
            200 => json::<Transaction>(&answer, Call::Asking)?.truth().ok_or_else(|| garbage(Call::Asking)),
            _ => Err(self.problem(&answer, Call::Asking)),
        }
    }

    fn notified(&self, _: &Order, _: Option<&str>, _: &Notice, _: Timestamp) -> Notified {
        Notified { verdict: Verdict::Refused(Refusal::Malformed), id: None }
    }

    async fn check(&self) -> Health {
        let asked = self.call(Call::Asking, &self.status, None).await;
        health(asked.and_then(|answer| match answer.status {
            200 => Ok("the service answers and knows us".to_owned()),
            _ => Err(self.problem(&answer, Call::Asking)),
        }))
    }
}
