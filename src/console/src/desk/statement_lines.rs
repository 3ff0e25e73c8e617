//! Lines of bank statements: those that belong to nothing wait here until the cash office says what they are.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, LineFilter, LineState, Page, StatementLine};
use maud::{Markup, html};
use model::payment::EURO;

use super::parts::{ROWS, answer, help, next_page};
use super::words;
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Characters of a line's text that a row of the list shows.
const SHOWN: usize = 140;

/// `GET /console/statement-lines`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let banks = console.broker.kept_banks(&visit.caller)?;
    let named = asked.get("account").and_then(|wanted| banks.iter().find(|known| *known == wanted));
    let account = named.or(banks.first());
    let wanted = asked.named("state").unwrap_or(LineState::Unmatched);
    let filter = LineFilter { state: Some(wanted), ..LineFilter::default() };
    let (lines, next) = match account {
        Some(account) => {
            let page = Page { after: asked.after(), limit: ROWS };
            let listed = console.broker.statement_lines(&visit.caller, account, &filter, &page).await?;
            (listed.items, listed.next)
        }
        None => (vec![], None),
    };
    let body = html! {
        (help(look, (
            "Umsätze der Kontoauszüge, die zu keiner Forderung sicher passen, warten hier, die ältesten zuerst, bis die Kasse sagt, was sie \
             sind. Alles andere ordnet Amtsbote selbst zu.",
            "Lines of bank statements that fit no claim for sure wait here, the oldest first, until the cash office says what they are. \
             All others are matched by Amtsbote itself.",
        )))
        (filter_form(look, &banks, account, wanted))
        @if banks.is_empty() {
            (page::empty(look.of_two("Sie führen kein Bankkonto.", "There is no bank account that you keep.")))
        } @else if lines.is_empty() {
            (page::empty(look.of_two("Hier gibt es keinen Umsatz.", "There is no line here.")))
        } @else { (table(look, &lines)) (next_page(look, asked, "/statement-lines", next)) }
    };
    Ok(page::page(look, look.of_two("Umsätze der Kontoauszüge", "Lines of bank statements"), &body))
}

fn filter_form(look: &Look, banks: &[String], chosen: Option<&String>, wanted: LineState) -> Markup {
    html! {
        form.filter method="get" action=(look.to("/statement-lines")) {
            input type="hidden" name="lang" value=(look.words.tag());
            @if banks.len() > 1 {
                div {
                    label for="account" { (look.of_two("Konto", "Account")) }
                    select #account name="account" {
                        @for bank in banks { option value=(bank) selected[chosen == Some(bank)] { (bank) } }
                    }
                }
            }
            div {
                label for="state" { (look.of_two("Stand", "State")) }
                select #state name="state" {
                    @for state in words::LINES {
                        @let (_, german, english) = words::statement_line(state);
                        option value=(state.name()) selected[state == wanted] { (look.of_two(german, english)) }
                    }
                }
            }
            button type="submit" { (look.of_two("Anzeigen", "Show")) }
        }
    }
}

fn table(look: &Look, lines: &[StatementLine]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Umsätze, älteste zuerst", "Lines, the oldest first")) }
            thead { tr {
                th scope="col" { (look.of_two("Gebucht", "Booked")) }
                th.number scope="col" { (look.of_two("Betrag", "Amount")) }
                th scope="col" { (look.of_two("Verwendungszweck", "Text")) }
                th scope="col" { (look.of_two("Stand", "State")) }
            } }
            tbody { @for it in lines {
                tr {
                    td { a href=(look.to(&path(it))) { (day(look, it)) } }
                    td.number { (amount(look, it)) }
                    td { (beginning(it.body["text"].as_str().unwrap_or_default())) }
                    td { (words::shown(look, words::statement_line(it.state)))
                        @if it.body["asked"].is_object() {
                            " " span.state.warn { (look.of_two("zweite Person fehlt", "second person missing")) }
                        }
                        @if let Some(why) = it.body["why"].as_str() { br; span.hint { (words::unmatched(look, why)) } } }
                }
            } }
        } }
    }
}

/// Where a line has its page.
fn path(line: &StatementLine) -> String {
    format!("/statement-lines/{}/{}", line.account, line.id)
}

/// The day on which the bank booked it.
pub(super) fn day(look: &Look, line: &StatementLine) -> String {
    line.booked_on.as_deref().map_or_else(|| "–".to_owned(), |day| look.words.day(day))
}

/// Its amount in its own currency; what left the account has a sign in front.
pub(super) fn amount(look: &Look, line: &StatementLine) -> String {
    let sign = if line.credit { "" } else { "−" };
    let amount = look.words.amount(line.amount_cents);
    match line.body["currency"].as_str() {
        Some(currency) if currency != EURO => {
            let digits = amount.replace('€', "");
            format!("{sign}{}\u{a0}{currency}", digits.trim())
        }
        _ => format!("{sign}{amount}"),
    }
}

/// A text that fits into a row.
fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
