//! What operators see and do: how the gateway stands, messages, partners, packs, adapters, evidence. Metadata, never content.
//!
//! | module | place |
//! |---|---|
//! | `overview`, `certificates` | how the gateway stands; certificates on it |
//! | `messages`, `message`, `bulk` | messages: list, one with its course and acts, many at once |
//! | `partners`, `partner`, `trial` | partners: list, one, trying a connection or a file |
//! | `schemas`, `adapters` | schema packs; adapters and what they were to be told |
//! | `evidence`, `audit` | bundles and the chain; who did what |
//! | `retention`, `holds`, `persons` | what is kept for how long, what is barred from destruction; what is known of a person |
//! | `figures`, `chart`, `alerts` | figures over time, alarms |
//! | `show`, `labels` | how things look and what they are called |

mod adapters;
mod alerts;
mod audit;
mod bulk;
mod certificates;
mod chart;
mod evidence;
mod figures;
mod holds;
pub(crate) mod labels;
mod message;
mod messages;
mod overview;
mod partner;
mod partners;
mod persons;
mod retention;
mod schemas;
pub(crate) mod show;
mod trial;

use axum::response::Response;
use maud::{Markup, html};
use model::rights::Action;

use crate::message_acts;
use crate::nav::SECTIONS;
use crate::page::{self, Look};
use crate::route::{Needs, Route};

const OPERATE: Needs = Needs::Right(Action::Operate);
/// What belongs to no unit.
const HOUSE: Needs = Needs::Whole(Action::Operate);
const READ: Needs = Needs::Right(Action::ReadMessages);
const REPAIR: Needs = Needs::Right(Action::RepairMessages);
const PARTNERS: Needs = Needs::Right(Action::ReadPartners);
const MANAGE: Needs = Needs::Right(Action::ManagePartners);
const EVIDENCE: Needs = Needs::Right(Action::ReadEvidence);

/// The pages and acts of operators.
pub(crate) fn routes() -> Vec<Route> {
    [places(), retention::routes(), persons::routes()].concat()
}

fn places() -> Vec<Route> {
    vec![
        Route::page("/", Needs::Visit, start),
        Route::page("/overview", OPERATE, overview::overview),
        Route::page("/messages", READ, messages::list),
        Route::page("/messages/resend", REPAIR, bulk::dry_run),
        Route::act("/messages/resend", REPAIR, bulk::start),
        Route::page("/operations/{id}", READ, bulk::progress),
        Route::page("/messages/{id}", READ, message::one),
        Route::act("/messages/{id}/resend", REPAIR, message_acts::resend),
        Route::act("/messages/{id}/park", REPAIR, message_acts::park),
        Route::act("/messages/{id}/return", REPAIR, message_acts::give_back),
        Route::act("/messages/{id}/forward", REPAIR, message_acts::forward),
        Route::page("/partners", PARTNERS, partners::list),
        Route::page("/partners/new", MANAGE, partner::new),
        Route::act("/partners/new", MANAGE, partner::create),
        Route::page("/partners/{id}", PARTNERS, partner::one),
        Route::act("/partners/{id}", MANAGE, partner::put),
        Route::act("/partners/{id}/retry", REPAIR, partners::retry_now),
        Route::act("/partners/{id}/test", OPERATE, trial::test),
        Route::act("/partners/{id}/dry-run", OPERATE, trial::dry_run),
        Route::page("/tries/{id}", Needs::AnyOf(&[Action::Operate, Action::ReadEvidence]), trial::one),
        Route::page("/schemas", OPERATE, schemas::list),
        Route::act("/schemas/check", OPERATE, schemas::check),
        Route::page("/adapters", OPERATE, adapters::list),
        Route::act("/adapters/check", OPERATE, adapters::check),
        Route::act("/adapters/deliveries/{id}/resend", REPAIR, adapters::resend),
        Route::act("/adapters/deliveries/{id}/drop", REPAIR, adapters::drop_it),
        Route::page("/evidence", EVIDENCE, evidence::search),
        Route::act("/evidence/export", EVIDENCE, evidence::export),
        Route::act("/evidence/verify", EVIDENCE, evidence::verify),
        Route::act("/evidence/check", EVIDENCE, evidence::check),
        Route::page("/figures", HOUSE, figures::figures),
        Route::page("/alerts", HOUSE, alerts::list),
        Route::act("/alerts/{id}/test", HOUSE, alerts::test),
        Route::page("/audit", Needs::Right(Action::ReadAudit), audit::list),
    ]
}

/// `GET /console/`: who has one thing to do is sent there; who has several chooses.
async fn start(look: Look) -> Response {
    let may = |action: Action| look.visit.as_ref().is_some_and(|visit| visit.caller.may(action).is_ok());
    match (may(Action::Operate), may(Action::WorkTasks), may(Action::ManageUsers)) {
        (true, false, false) => look.onward("/overview"),
        (false, true, false) => look.onward("/desk"),
        (false, false, true) => look.onward("/users"),
        (false, false, false) if may(Action::ReadEvidence) => look.onward("/evidence"),
        (false, false, false) => look.onward("/account"),
        _ => page::page(&look, look.of_two("Willkommen", "Welcome"), &board(&look)),
    }
}

/// All places of the visitor.
fn board(look: &Look) -> Markup {
    html! {
        (page::help(look, &html! { p { (look.of_two(
            "Alles, wozu Ihre Rollen Sie hereinlassen. Dieselben Orte stehen auf jeder Seite im Menü.",
            "All that your roles let you into. The same places stand in the menu of each page.",
        )) } }))
        @for section in SECTIONS {
            @let places: Vec<_> = section.places.iter().filter(|place| look.enters(place.path)).collect();
            @if !places.is_empty() {
                h2 { (look.of_two(section.german, section.english)) }
                ul.tiles { @for place in places {
                    li { a href=(look.to(place.path)) { span.label { (look.of_two(place.german, place.english)) } } }
                } }
            }
        }
    }
}
