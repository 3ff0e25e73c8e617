//! The REST interface of the gateway (version 1), its OpenAPI document, and the operations listener with
//! health and metrics; and the doors of payments, which stand on the internet.
//!
//! | module | holds |
//! |---|---|
//! | `routes`, `router` | every route, once: the router, the OpenAPI document and the tests are made from this list |
//! | `auth`, `body`, `json`, `params`, `paging`, `range` | what a request must look like before a handler sees it |
//! | `problem`, `answer` | what an answer looks like |
//! | `doors` | the public listener's: providers' notifications and payers' returns, without any token of ours |
//! | one module per resource | the handlers: each asks the broker one thing |
//! | `exchange` | a router that can be exchanged while requests come |
//! | `server` | HTTP/1.1 with limits on headers, time and connections |
//!
//! Nothing of the interface is open without a token but the OpenAPI document. Whatever a client sends is limited and read
//! strictly; it never leads to a 5xx answer.

mod accounts;
mod answer;
mod approvals;
mod auth;
mod body;
mod case_files;
mod cases;
mod channels;
mod checks;
mod citizens;
mod claims;
mod clarifications;
mod dispatches;
mod documents;
mod doors;
mod events;
mod evidence;
mod exchange;
mod exchanges;
mod health;
mod inbox;
mod interactions;
mod json;
mod lanes;
mod messages;
mod meter;
mod openapi;
mod paging;
mod params;
mod partners;
mod payments;
mod problem;
mod processes;
mod range;
mod records;
mod repairs;
mod route;
mod router;
mod routes;
mod schemas;
mod server;
mod subscriptions;
mod tasks;
mod telephony;
mod tokens;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use broker::Broker;
use tokio::sync::Semaphore;

pub use auth::{Proxies, Recognise};
pub use doors::public_router;
pub use exchange::Exchangeable;
pub use health::operations_router;
pub use openapi::document;
pub use route::{Needs, Route};
pub use router::router;
pub use routes::routes;
pub use server::{ServerLimits, serve};

/// Path below which every route of this version lies.
pub const BASE: &str = "/api/v1";

/// Version of the interface, sent with every answer (`API-Version`).
pub const VERSION: &str = "1.0.0";

/// Event polls that may wait at once; more are answered without waiting.
const WAITING_POLLS: usize = 256;

/// What may be set for the interface.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whom the OpenAPI document names for questions.
    pub contact: Contact,
    /// Proxies that say which certificate was shown to them.
    pub proxies: Proxies,
}

/// Whom to ask about the interface: a desk, never a person.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Name of the desk.
    pub name: String,
    /// Its web page.
    pub url: String,
    /// Its mail address.
    pub email: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            contact: Contact {
                name: "Betrieb der Amtsbote-Schnittstelle".to_owned(),
                url: "https://amtsbote.example".to_owned(),
                email: "betrieb@amtsbote.example".to_owned(),
            },
            proxies: Proxies::default(),
        }
    }
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    broker: Broker,
    settings: Arc<Settings>,
    polls: Arc<Semaphore>,
    issuers: Option<Arc<dyn Recognise>>,
    draining: Arc<AtomicBool>,
}

impl Api {
    /// The interface to a broker.
    pub fn new(broker: Broker, settings: Settings) -> Self {
        let polls = Arc::new(Semaphore::new(WAITING_POLLS));
        Api { broker, settings: Arc::new(settings), polls, issuers: None, draining: Arc::default() }
    }

    /// The same that takes access tokens of others, too.
    pub fn with_issuers(self, issuers: Arc<dyn Recognise>) -> Self {
        Api { issuers: Some(issuers), ..self }
    }

    /// The same, which is not ready any more once this is set: whoever shares work out among nodes then leaves it out, while all
    /// that comes is still answered.
    pub fn with_draining(self, draining: Arc<AtomicBool>) -> Self {
        Api { draining, ..self }
    }
}
