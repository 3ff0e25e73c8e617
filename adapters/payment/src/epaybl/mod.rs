//! ePayBL: its SOAP service (namespace `http://www.bff.bund.de/ePayment`, SOAP 1.1, RPC with encoded values, TLS with a certificate of
//! ours) and its pay page.
//!
//! | module | holds |
//! |---|---|
//! | `order` | what a customer and a Kassenzeichen are made of |
//! | `answer` | what an answer says, and what the balance of a Kassenzeichen means |
//! | `codes` | the codes by which ePayBL refuses |
//!
//! A payment is a Kassenzeichen with a customer (Kunde) that is used once. Nothing is signed, nothing is called back: the payer
//! returns, and the balance is read. Money is never given back over this interface.

mod answer;
mod codes;
mod order;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use form_urlencoded::Serializer;
use model::adapter::Health;
use model::payment::Provider;
use model::payment::provider::{Found, Notice, Notified, Order, Refusal, Started, Terms, Truth, Verdict};
use model::{Clock, Failure, Timestamp};
use net::Client;

use crate::http::{self, Call};
use crate::soap::{Message, Part, Service, Style};

const NAMESPACE: &str = "http://www.bff.bund.de/ePayment";

/// Longest time of a call whose outcome changes nothing.
const ASIDE: Duration = Duration::from_secs(5);

/// How a service of ePayBL is used.
pub struct Settings {
    /// Id as configured.
    pub id: String,
    /// The SOAP service, `https://…/soap/servlet/rpcrouter`.
    pub service_url: String,
    /// The pay page, `https://…/paypage/login.do`.
    pub page_url: String,
    /// Mandantennummer.
    pub mandant: String,
    /// Bewirtschafternummer, at most 8 characters.
    pub bewirtschafter: String,
    /// Which data model the service speaks.
    pub data_model: DataModel,
    /// Kennzeichen Mahnverfahren, at most 5 characters.
    pub dunning: String,
    /// Haushaltsstelle of lines that have none.
    pub budget_item: Option<String>,
    /// Objektnummer of lines that have none.
    pub cost_object: Option<String>,
    /// Buchungstext of all lines; absent: what the line is for.
    pub booking_text: Option<String>,
    /// Whether calls carry a transaction number (EShopTransaktionsNr), by which the service is asked after an answer was lost.
    pub numbers_calls: bool,
    /// How long a payer has.
    pub window: Duration,
    /// Longest time of one call, from the connection to the end of the answer.
    pub within: Duration,
}

/// Data models of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataModel {
    /// ePayBL 2.x: arrays.
    #[default]
    Two,
    /// ePayBL 3.x: lists of a type of their own.
    Three,
}

/// A service of ePayBL.
struct EPayBl {
    settings: Settings,
    terms: Terms,
    service: Service,
    clock: Arc<dyn Clock>,
}

/// A provider that calls through `client`, which shows the certificate for this Mandant.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    Arc::new(EPayBl::new(settings, client, clock))
}

impl EPayBl {
    fn new(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let terms = Terms {
            kind: "epaybl",
            notifies_by: &[],
            most_notice_bytes: 0,
            window: settings.window,
            finds: true,
            start_is_idempotent: false,
            may_be_polled: true,
            refunds: false,
            voids: false,
        };
        let service = Service {
            namespace: NAMESPACE,
            style: Style::Encoded,
            url: settings.service_url.clone(),
            headers: vec![],
            client,
        };
        EPayBl { settings, terms, service, clock }
    }

    async fn call(
        &self,
        operation: &'static str,
        parts: Vec<Part>,
        call: Call,
        within: Duration,
    ) -> Result<Message, Failure> {
        let mut all = vec![Part::text("mandantNr", &self.settings.mandant)];
        all.extend(parts);
        self.service.call(operation, &all, call, within, &*self.clock).await
    }

    /// Calls an operation of which only the success is looked at.
    async fn succeed(
        &self,
        operation: &'static str,
        parts: Vec<Part>,
        within: Duration,
    ) -> Result<(), Failure> {
        let message = self.call(operation, parts, Call::Asking, within).await?;
        answer::successful(&message, Call::Asking)?;
        Ok(())
    }

    async fn remove_customer(&self, order: &Order) {
        let parts = vec![
            Part::text("bewirtschafterNr", &self.settings.bewirtschafter),
            Part::text("EShopKundenNr", &order.request_id),
        ];
        // Whether this customer, who has no name of its own and is never used again, goes now or later is the same to everybody.
        let _ = self.succeed("loeschenKunde", parts, ASIDE).await;
    }

    async fn info(&self, kassenzeichen: &str) -> Result<Message, Failure> {
        let parts = vec![Part::text("kassenzeichen", kassenzeichen)];
        self.call("lesenKassenzeichenInfo", parts, Call::Asking, self.settings.within).await
    }

    fn started(&self, order: &Order, kassenzeichen: String) -> Started {
        let query = Serializer::new(String::new())
            .append_pair("mandant", &self.settings.mandant)
            .append_pair("EShopKundenNr", &order.request_id)
            .append_pair("kassenzeichen", &kassenzeichen)
            .append_pair("backlinkSuccess", &order.return_url)
            .append_pair("backlinkAbort", &order.return_url)
            .finish();
        Started {
            reference: kassenzeichen.clone(),
            payment_url: Some(format!("{}?{query}", self.settings.page_url)),
            cash_reference: Some(kassenzeichen),
        }
    }

    /// Whether the Kassenzeichen that we gave stands there for this payment.
    async fn find_given(&self, order: &Order, kassenzeichen: &str) -> Result<Found, Failure> {
        let message = self.info(kassenzeichen).await?;
        let Some(known) = answer::if_known(&message)? else {
            return Ok(Found::Nothing);
        };
        let info = answer::info(known)?;
        match info.customer.as_deref() {
            Some(customer) if customer == order.request_id => {
                Ok(Found::Started(self.started(order, kassenzeichen.to_owned())))
            }
            Some(_) => Err(http::refused("the Kassenzeichen is that of another payment")),
            None => Ok(Found::CannotAsk),
        }
    }

    async fn find_call(&self, order: &Order) -> Result<Found, Failure> {
        let parts = vec![Part::text("eShopTransaktionsNr", order::transaction(order))];
        let message = self.call("lesenTransaktion", parts, Call::Asking, self.settings.within).await?;
        let Some(known) = answer::if_known(&message)? else {
            return Ok(Found::Nothing);
        };
        let kassenzeichen = answer::assigned(known, None).map_err(|_| http::garbage(Call::Asking))?;
        Ok(Found::Started(self.started(order, kassenzeichen)))
    }
}

#[async_trait]
impl Provider for EPayBl {
    fn id(&self) -> &str {
        &self.settings.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Up to the Kassenzeichen nothing has happened that anybody could pay, so whatever fails before may be begun again.
    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        self.succeed("isAlive", vec![], self.settings.within).await?;
        if let Err(failure) =
            self.succeed("anlegenKunde", order::customer(&self.settings, order), self.settings.within).await
        {
            // It may be there all the same, and would be in the way of the next attempt.
            self.remove_customer(order).await;
            return Err(failure);
        }
        let parts = order::kassenzeichen(&self.settings, order);
        let answered = self.call("anlegenKassenzeichen", parts, Call::Acting, self.settings.within).await;
        let kassenzeichen = answered.and_then(|message| {
            let created = answer::successful(&message, Call::Acting)?;
            answer::assigned(created, order.cash_reference.as_deref())
                .map_err(|_| http::garbage(Call::Acting))
        });
        self.remove_customer(order).await;
        Ok(self.started(order, kassenzeichen?))
    }

    async fn find(&self, order: &Order) -> Result<Found, Failure> {
        match &order.cash_reference {
            _ if self.settings.numbers_calls => self.find_call(order).await,
            Some(kassenzeichen) => self.find_given(order, kassenzeichen).await,
            None => Ok(Found::CannotAsk),
        }
    }

    async fn status(&self, _: &Order, reference: &str) -> Result<Truth, Failure> {
        let message = self.info(reference).await?;
        let info = answer::info(answer::successful(&message, Call::Asking)?)?;
        Ok(info.truth())
    }

    /// There are none; the payer's return is a hint that the broker takes by itself.
    fn notified(&self, _: &Order, _: Option<&str>, _: &Notice, _: Timestamp) -> Notified {
        Notified { verdict: Verdict::Refused(Refusal::Malformed), id: None }
    }

    async fn check(&self) -> Health {
        let answered = self.succeed("isAlive", vec![], self.settings.within).await;
        http::health(answered.map(|()| "the service answers".to_owned()))
    }
}
