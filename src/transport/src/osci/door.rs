//! `POST /osci` and `POST /osci/recipient`: OSCI-Transport's binding to HTTP. The package is the whole body, whatever the request calls it; the answer
//! is a package, too, always with status 200: what is wrong is told in it. An order runs on a thread that may block, and
//! reads its body from there as it comes.

use std::io::Read;
use std::sync::Arc;

use ::osci::code::Code;
use ::osci::intermediary::Intermediary;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use broker::Broker;
use model::Caller;
use net::tls::{Counted, Peer};
use seal::xmlenc::Plaintext;
use tokio::task::spawn_blocking;

use super::post::Post;
use crate::door::{Places, response};

/// Media type of every answer, as the field expects it.
const XML: &str = "text/xml; charset=utf-8";

/// Whoever is behind a door.
pub(super) trait Host: Send + Sync {
    /// The answer to an order; what is wrong with the order is told in it.
    ///
    /// # Errors
    /// If not even an answer can be made.
    fn answer(&self, order: &mut dyn Read) -> osci::Result<Plaintext>;

    /// A fault of ours.
    ///
    /// # Errors
    /// If there is no room for it.
    fn fault(&self) -> osci::Result<Plaintext>;
}

impl Host for Intermediary<Post> {
    fn answer(&self, order: &mut dyn Read) -> osci::Result<Plaintext> {
        Intermediary::answer(self, order)
    }

    fn fault(&self) -> osci::Result<Plaintext> {
        Intermediary::fault(self, Code::INTERNAL)
    }
}

/// An intermediary, or the passive recipient, behind HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    host: Box<dyn Host>,
    /// Whose bodies they are, as the broker counts them.
    caller: Caller,
    places: Places,
}

/// The routes of the doors that there are: that of the intermediary, and that of the passive recipient.
pub fn router(intermediary: Option<Door>, recipient: Option<Door>) -> Router {
    let route = |path, door: Option<Door>| match door {
        Some(door) => Router::new().route(path, post(take_order)).with_state(door),
        None => Router::new(),
    };
    route("/osci", intermediary).merge(route("/osci/recipient", recipient))
}

impl Door {
    pub(super) fn new(host: Box<dyn Host>, broker: Broker, caller: Caller, package_bytes: u64) -> Self {
        Door(Arc::new(Inner { host, caller, places: Places::new(broker, package_bytes) }))
    }
}

impl Inner {
    /// Who calls, as places are shared out: who it is in OSCI stands in the order. Over plain HTTP all are one.
    fn counted(&self, extensions: &Extensions) -> Caller {
        let mut caller = self.caller.clone();
        if let Some(whose) = extensions.get::<Peer>().and_then(Peer::whose) {
            caller.actor.id = whose;
        }
        caller
    }

    /// The answer to an order. If none can be made, a fault says so.
    fn answer(&self, mut order: impl Read) -> osci::Result<Plaintext> {
        self.host.answer(&mut order).or_else(|error| {
            tracing::warn!(code = error.code(), "an order has no answer");
            self.host.fault()
        })
    }
}

async fn take_order(State(Door(door)): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (order, place) = match door.places.take(&door.counted(&parts.extensions), &parts.headers, body).await
    {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    let working = Arc::clone(&door);
    // A client that goes away does not stop its order: what was begun is ended.
    let done = spawn_blocking(move || (working.answer(order), place)).await;
    match done {
        Ok((Ok(answer), place)) => response(answer, XML.to_owned(), Some(place)),
        Ok((Err(error), _)) => {
            tracing::error!(code = error.code(), "not even a fault could be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        // A defect of ours ends one order; what the panic says stays inside.
        Err(_) => {
            tracing::error!(code = broker::Error::Internal.code(), "an order failed");
            let fault = door.host.fault();
            fault.map_or_else(
                |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                |it| response(it, XML.to_owned(), None),
            )
        }
    }
}
