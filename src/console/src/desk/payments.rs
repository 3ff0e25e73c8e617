//! Payments: those of the visitor's units, those to be cleared first asked for.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, RecordFilter};
use maud::{Markup, html};
use model::payment::Payment;
use model::{Id, Record, RecordKind};

use super::parts::{ROWS, answer, just_done, moment, next_page, own_units, unit_filter, unit_name};
use super::{parts, words};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// `GET /console/payments`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

pub(super) fn payment_of(record: Record) -> Option<Payment> {
    match record {
        Record::Payment(payment) => Some(payment),
        _ => None,
    }
}

async fn newest(console: &Console, visit: &Visit, asked: &Asked) -> Result<(Vec<Record>, Option<Id>), Error> {
    let filter = RecordFilter {
        status: asked.get("status").map(str::to_owned),
        owner_unit: asked.get("unit").map(str::to_owned),
        ..RecordFilter::of(RecordKind::Payment)
    };
    parts::newest(console, visit, &filter, asked).await
}

async fn named(console: &Console, visit: &Visit, text: &str, asked: &Asked) -> Result<Vec<Record>, Error> {
    let mut found = console.broker.find_payments(&visit.caller, text, ROWS).await?;
    found.retain(|it| {
        asked.get("status").is_none_or(|status| status == it.status())
            && asked.get("unit").is_none_or(|unit| unit == it.meta().unit)
    });
    Ok(found)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let (found, next) = match asked.get("q") {
        Some(text) => (named(console, visit, text, asked).await?, None),
        None => newest(console, visit, asked).await?,
    };
    let payments: Vec<Payment> = found.into_iter().filter_map(payment_of).collect();
    let units = own_units(console, visit);
    let body = html! {
        (just_done(look, asked))
        (page::help(look, &html! { p { (look.of_two(
            "Jede Zahlung lässt sich von der Forderung bis zur Kasse verfolgen. Was sich widerspricht, liegt auch auf dem Schreibtisch.",
            "Each payment can be followed from the claim to the cash office. What contradicts lies on the desk, too.",
        )) " " a href=(look.to("/desk?kind=money")) { (look.of_two("Zu klärende Zahlungen", "Payments to be cleared")) } } }))
        form.filter method="get" action=(look.to("/payments")) {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="q" { (look.of_two("Kassenzeichen", "Cash reference")) }
                input #q type="search" name="q" value=(asked.get("q").unwrap_or_default()) maxlength="200";
            }
            div {
                label for="status" { (look.of_two("Stand", "State")) }
                select #status name="status" {
                    option value="" { (look.of_two("jeder", "any")) }
                    @for status in words::PAYMENTS {
                        @let (_, german, english) = words::payment(status);
                        option value=(status.name()) selected[asked.get("status") == Some(status.name())] { (look.of_two(german, english)) }
                    }
                }
            }
            @if units.len() > 1 {
                (unit_filter(look, &units, asked.get("unit")))
            }
            button type="submit" { (look.of_two("Anzeigen", "Show")) }
        }
        @if payments.is_empty() { (page::empty(look.of_two("Hier gibt es keine Zahlung.", "There is no payment here."))) }
        @else { (table(look, &units, &payments)) (next_page(look, asked, "/payments", next)) }
    };
    Ok(page::page(look, look.of_two("Zahlungen", "Payments"), &body))
}

fn table(look: &Look, units: &[(String, String)], payments: &[Payment]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Zahlungen, neueste zuerst", "Payments, the newest first")) }
            thead { tr {
                th scope="col" { (look.of_two("Begonnen", "Begun")) }
                th.number scope="col" { (look.of_two("Betrag", "Amount")) }
                th scope="col" { (look.of_two("Anbieter", "Provider")) }
                th scope="col" { (look.of_two("Stand", "State")) }
                th scope="col" { (look.of_two("Einheit", "Unit")) }
            } }
            tbody { @for it in payments {
                tr {
                    td { a href=(look.to(&format!("/payments/{}", it.meta.id))) { (moment(look, it.meta.created_at)) } }
                    td.number { (look.words.amount(it.amount_cents)) }
                    td { (provider(look, &it.provider)) }
                    td { (words::shown(look, words::payment(it.status)))
                        @if it.clearing.is_some() { " " span.state.bad { (look.of_two("zu klären", "to be cleared")) } } }
                    td { (unit_name(units, &it.meta.unit)) }
                }
            } }
        } }
    }
}

/// By whom it is paid.
pub(super) fn provider<'a>(look: &'a Look, id: &'a str) -> &'a str {
    if id == model::payment::record::TRANSFER { look.of_two("Überweisung", "bank transfer") } else { id }
}
