//! What operators see and do: how the gateway stands, messages, partners, packs, adapters, evidence. Metadata, never content.

mod persons;
mod retention;

use axum::response::Response;
use maud::html;

use crate::page::{self, Look};
use crate::route::{Needs, Route};

/// The pages and acts of operators.
pub(crate) fn routes() -> Vec<Route> {
    [vec![Route::page("/", Needs::Visit, start)], retention::routes(), persons::routes()].concat()
}

/// `GET /console/`.
async fn start(look: Look) -> Response {
    page::page(&look, look.of_two("Willkommen", "Welcome"), &html! {})
}
