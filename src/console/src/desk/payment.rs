//! One payment, followed as one line of time: claim, payment, what its provider said, bookings, files for the cash system. Contradictions
//! are decided and refunds are asked for here; a second person agrees or declines.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Error, Page};
use maud::{Markup, html};
use model::payment::record::{Cleared, Clearing, Decision};
use model::payment::{Booking, Claim, Payment, Refund, RefundStatus};
use model::{Event, Id, Record, RecordKind, Timestamp};
use pages::Language;

use super::parts::{answer, help, just_done, moment, titled};
use super::payments::{payment_of, provider};
use super::{line, post, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::{Form, once_field};
use crate::page::{self, Look};
use crate::visit::Visit;

/// Events of claim and payment that are shown, of each.
const EVENTS: u32 = 200;
/// Longest reason of a refund, in characters.
const REASON: usize = 200;

/// `GET /console/payments/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(payment): PathId,
    asked: Asked,
) -> Response {
    let shown = whole(&console, &look, &visit, (payment, Typed::default())).await;
    let shown =
        shown.map(|(title, body)| page::page(&look, &title, &html! { (just_done(&look, &asked)) (body) }));
    answer(&look, shown)
}

/// What was typed into the form of a refund that comes back, and which of its fields is wrong.
#[derive(Clone, Copy, Default)]
struct Typed<'a> {
    /// The refund that was to be declined; `None` where one was asked for.
    declined: Option<Id>,
    amount: &'a str,
    reason: &'a str,
    wrong: Option<&'a str>,
}

/// The page again, with what was typed and what is wrong with it.
async fn again(console: &Console, look: &Look, visit: &Visit, (id, typed): (Id, Typed<'_>)) -> Response {
    let field = match typed.wrong {
        Some("reason") => look.of_two("den Grund", "the reason"),
        _ => look.of_two("den Betrag", "the amount"),
    };
    let told = format!("{}{field}.", look.of_two("Bitte prüfen Sie ", "Please look at "));
    let shown = whole(console, look, visit, (id, typed)).await;
    let shown = shown.map(|(title, body)| {
        let body = html! { (page::alert(&told)) (body) };
        page::with_status(look, StatusCode::UNPROCESSABLE_ENTITY, &title, &body)
    });
    answer(look, shown)
}

/// Title and body of the page of a payment.
async fn whole(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, typed): (Id, Typed<'_>),
) -> Result<(String, Markup), Error> {
    let caller = &visit.caller;
    let found = console.broker.record(caller, RecordKind::Payment, id).await?;
    let Some(payment) = payment_of(found) else {
        return Err(model::Error::NotFound { kind: "payment" }.into());
    };
    let claim = match console.broker.record(caller, RecordKind::Claim, payment.claim_id).await {
        Ok(Record::Claim(claim)) => Some(claim),
        Ok(_) | Err(Error::Model(model::Error::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    let case = match &claim {
        Some(claim) => post::seen(console, visit, claim.case_id).await?,
        None => None,
    };
    let arrived = match &claim {
        Some(claim) => console.broker.line_of_payment(caller, &payment, claim).await?,
        None => None,
    };
    let arrived = arrived.map(|(account, line)| format!("/statement-lines/{account}/{line}"));
    let page = Page::first(EVENTS);
    let mut events = console.broker.record_timeline(caller, payment.meta.id, &page).await?;
    let mut bookings = vec![];
    if let Some(claim) = &claim {
        events.extend(console.broker.record_timeline(caller, claim.meta.id, &page).await?);
        bookings = console.broker.claim_bookings(caller, claim.meta.id).await?;
        bookings.retain(|(it, _)| it.payment_id.is_none_or(|paid| paid == payment.meta.id));
    }
    let decides = console.broker.decides_about(caller, payment.meta.id).await?;
    let body = html! {
        (help(look, (
            "Eine Zahlung von der Forderung über den Anbieter bis zur Kasse. Über Widersprüche und Erstattungen entscheidet die Kasse.",
            "A payment from the claim over the provider to the cash office, which decides about contradictions and refunds.",
        )))
        (facts(look, &payment, (claim.as_ref(), case.as_ref()), arrived.as_deref()))
        @if let Some(clearing) = &payment.clearing { (contradiction(look, visit, (&payment, clearing), decides)) }
        (decided(look, &payment.cleared))
        (refunds(look, visit, &payment, typed, decides))
        @if decides && payment.refundable_cents() > 0 { (refund_form(look, &payment, typed)) }
        (trail(look, events.into_iter().map(|(_, event)| event).collect(), &bookings))
    };
    let title =
        look.of_two("Zahlung über ", "Payment of ").to_owned() + &look.words.amount(payment.amount_cents);
    Ok((title, body))
}

/// What is known of a payment: its claim and case, and where the line by which its money arrived has its page.
fn facts(
    look: &Look,
    it: &Payment,
    (claim, case): (Option<&Claim>, Option<&Record>),
    arrived: Option<&str>,
) -> Markup {
    let amount = |cents| look.words.amount(cents);
    html! {
        dl.card {
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::payment(it.status))) }
            @if let Some(claim) = claim {
                dt { (look.of_two("Forderung", "Claim")) }
                dd { (claim.purpose) ", " (amount(claim.amount_cents)) " " (words::shown(look, words::claim(claim.status))) }
                dt { (look.of_two("Kassenzeichen", "Cash reference")) }
                dd.code { (claim.cash_reference.as_deref().or(it.cash_reference.as_deref()).unwrap_or("–")) }
            }
            @if let Some(case) = case { dt { (look.of_two("Vorgang", "Case")) } dd { (titled(look, case)) } }
            dt { (look.of_two("Anbieter", "Provider")) } dd { (provider(look, &it.provider))
                @if let Some(method) = &it.method { " (" (method) ")" } }
            @if let Some(reference) = &it.reference {
                dt { (look.of_two("Kennung beim Anbieter", "Provider's reference")) } dd.code { (reference) }
            }
            dt { (look.of_two("Bezahlt", "Paid")) } dd { (amount(it.paid_cents))
                @if let Some(at) = it.paid_at { ", " (moment(look, at)) } }
            @if it.refunded_cents > 0 { dt { (look.of_two("Erstattet", "Given back")) } dd { (amount(it.refunded_cents)) } }
            @if it.charged_back_cents > 0 { dt { (look.of_two("Zurückgebucht", "Charged back")) } dd { (amount(it.charged_back_cents)) } }
            @if let Some(code) = &it.failure { dt { (look.of_two("Grund", "Reason")) } dd { (words::meaning(look, code)) } }
            @if let Some(line) = &it.settled_by {
                dt { (look.of_two("Eingegangen mit Umsatz", "Arrived with statement line")) }
                dd.code { @match arrived { Some(path) => (look.link(path, line)), None => (line) } }
            }
        }
    }
}

fn decision(look: &Look, decision: Decision) -> &'static str {
    match decision {
        Decision::Keep => look.words.of("Es bleibt, wie es hier steht", "It stays as it stands here"),
        Decision::Accept => {
            look.words.of("Es ist so, wie die andere Seite sagt", "It is as the other side says")
        }
    }
}

fn contradiction(look: &Look, visit: &Visit, (it, clearing): (&Payment, &Clearing), decides: bool) -> Markup {
    let own = clearing.asked.is_some_and(|asked| asked.by.to_string() == visit.caller.actor.id);
    let path = format!("/payments/{}/clearing", it.meta.id);
    html! {
        section.card {
            h2 { (look.of_two("Hier widerspricht sich etwas", "Something contradicts here")) }
            p { (words::meaning(look, clearing.reason.code())) }
            dl {
                dt { (look.of_two("Seit", "Since")) } dd { (moment(look, clearing.since)) }
                @if let Some(cents) = clearing.amount_cents {
                    dt { (look.of_two("Die andere Seite nennt", "The other side names")) } dd { (look.words.amount(cents)) }
                }
                @if !it.contradictions.is_empty() {
                    dt { (look.of_two("Danach warten", "Waiting behind it")) } dd { (it.contradictions.len()) }
                }
            }
            @if let Some(asked) = clearing.asked {
                p { strong { (look.of_two("Vorgeschlagen: ", "Proposed: ")) (decision(look, asked.decision)) } " "
                    (if own { look.of_two("Eine zweite Person muss dasselbe entscheiden.", "A second person has to decide the same.") }
                     else { look.of_two("Entscheiden Sie dasselbe, gilt es.", "If you decide the same, it counts.") }) }
            }
            @if decides {
                form method="post" action=(look.to(&path)) {
                    (look.form_token())
                    input type="hidden" name="shown" value=(clearing.sign());
                    fieldset {
                        legend { (look.of_two("Ihre Entscheidung", "Your decision")) }
                        div.choice { input #keep type="radio" name="decision" value="keep" required;
                            label for="keep" { (decision(look, Decision::Keep)) } }
                        div.choice { input #accept type="radio" name="decision" value="accept";
                            label for="accept" { (decision(look, Decision::Accept)) } }
                    }
                    button.main type="submit" { (look.of_two("Entscheiden", "Decide")) }
                }
            } @else { p.hint { (look.of_two("Darüber entscheidet die Kasse.", "The cash office decides about it.")) } }
        }
    }
}

fn decided(look: &Look, cleared: &[Cleared]) -> Markup {
    html! { @if !cleared.is_empty() { section {
        h2 { (look.of_two("Entschieden", "Decided")) }
        ul.line { @for it in cleared { li {
            (moment(look, it.at)) " · " (words::meaning(look, it.reason.code())) " " strong { (decision(look, it.decision)) }
        } } }
    } } }
}

fn refunds(look: &Look, visit: &Visit, it: &Payment, typed: Typed, decides: bool) -> Markup {
    let waits = |refund: &Refund| refund.status == RefundStatus::Asked;
    let is_own = |refund: &Refund| refund.asked_by.to_string() == visit.caller.actor.id;
    html! { @if !it.refunds.is_empty() { section {
        h2 { (look.of_two("Erstattungen", "Refunds")) }
        @for refund in &it.refunds { div.card {
            p { strong { (look.words.amount(refund.amount_cents)) } " " (words::shown(look, words::refund(refund.status))) " "
                (moment(look, refund.asked_at)) }
            p { (refund.reason) }
            @if let Some(declined) = &refund.declined {
                p { (words::shown(look, words::refund(refund.status))) " " (moment(look, declined.at)) ": " (declined.reason) }
            }
            @if decides && waits(refund) && !is_own(refund) {
                form method="post" action=(look.to(&format!("/payments/{}/refunds/{}/agreement", it.meta.id, refund.id))) {
                    (look.form_token())
                    button.main type="submit" { (look.of_two("Zustimmen und auszahlen", "Agree and pay out")) }
                }
            } @else if waits(refund) {
                p.hint { (look.of_two("Eine zweite Person der Kasse muss zustimmen.", "A second person of the cash office has to agree.")) }
            }
            @if decides && waits(refund) { (decline_form(look, it, refund, typed, is_own(refund))) }
        } }
    } } }
}

fn decline_form(look: &Look, it: &Payment, refund: &Refund, typed: Typed, is_own: bool) -> Markup {
    let is_back = typed.declined == Some(refund.id);
    let written = if is_back { typed.reason } else { "" };
    let act =
        if is_own { look.of_two("Zurückziehen", "Withdraw") } else { look.of_two("Ablehnen", "Decline") };
    let field = format!("why-{}", refund.id);
    html! { details open[is_back] {
        summary { (act) }
        form method="post" action=(look.to(&format!("/payments/{}/refunds/{}/decline", it.meta.id, refund.id))) {
            (look.form_token())
            label for=(field) { (look.of_two("Warum, ohne personenbezogene Daten", "Why, without personal data")) }
            input id=(field) type="text" name="reason" value=(written) required maxlength=(REASON)
                aria-invalid=[is_back.then_some("true")];
            button.grave type="submit" { (act) }
        }
    } }
}

fn refund_form(look: &Look, it: &Payment, typed: Typed) -> Markup {
    let typed = if typed.declined.is_none() { typed } else { Typed::default() };
    let wrong = |name: &str| (typed.wrong == Some(name)).then_some("true");
    html! { details.card open[typed.wrong.is_some()] {
        summary { (look.of_two("Erstattung beantragen", "Ask for a refund")) }
        form method="post" action=(look.to(&format!("/payments/{}/refunds", it.meta.id))) {
            (look.form_token()) (once_field())
            label for="amount" { (look.of_two("Betrag in Euro", "Amount in euros")) }
            p.hint #amount-hint { (look.of_two("Höchstens ", "At most ")) (look.words.amount(it.refundable_cents())) }
            input #amount type="text" inputmode="decimal" name="amount" value=(typed.amount) required aria-describedby="amount-hint"
                aria-invalid=[wrong("amountCents")];
            label for="reason" { (look.of_two("Grund, ohne personenbezogene Daten", "Reason, without personal data")) }
            input #reason type="text" name="reason" value=(typed.reason) required maxlength=(REASON) aria-invalid=[wrong("reason")];
            button type="submit" { (look.of_two("Beantragen", "Ask")) }
        }
    } }
}

/// Everything that happened, in the order of time: what claim and payment went through, and what the cash office was told.
fn trail(look: &Look, events: Vec<Event>, bookings: &[(Booking, Option<u64>)]) -> Markup {
    let of_events = events.iter().map(|event| (event.at, 0, line::entry(look, event)));
    let of_bookings = bookings.iter().map(|(it, file)| (it.at, 1, booking(look, it, *file)));
    let mut all: Vec<(Timestamp, u8, Markup)> = of_events.chain(of_bookings).collect();
    all.sort_by_key(|(at, rank, _)| (*at, *rank));
    html! { section {
        h2 { (look.of_two("Verlauf: Forderung, Zahlung, Kasse", "Time line: claim, payment, cash office")) }
        ul.line { @for (_, _, entry) in &all { (entry) } }
    } }
}

fn booking(look: &Look, it: &Booking, file: Option<u64>) -> Markup {
    let kind = words::booking(it.kind);
    html! { li {
        (moment(look, it.at)) " · " strong { (look.of_two(kind.0, kind.1)) } " " (look.words.amount(it.amount_cents)) " "
        (words::shown(look, words::booked(it.state)))
        @if let Some(file) = file { " " (look.of_two("Datei Nr. ", "file no. ")) (file) " " span.code { (it.account) } }
    } }
}

/// `POST /console/payments/{id}/clearing`.
pub(super) async fn clear(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(payment): PathId,
    form: Form,
) -> Response {
    let decision = match form.field("decision") {
        "keep" => Decision::Keep,
        "accept" => Decision::Accept,
        _ => return page::failed(&look, &model::Error::Invalid { field: "decision" }.into()),
    };
    let outcome = console.broker.decide_shown(&visit.caller, payment, form.field("shown"), decision).await;
    let asks = |it: &Payment| it.clearing.is_some_and(|clearing| clearing.asked.is_some());
    match outcome {
        Ok(it) => onward(&look, it.meta.id, if asks(&it) { "asked" } else { "decided" }),
        Err(error) => page::failed(&look, &error),
    }
}

/// `POST /console/payments/{id}/refunds`.
pub(super) async fn ask_refund(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(payment): PathId,
    form: Form,
) -> Response {
    let (amount, reason) = (form.field("amount"), form.field("reason"));
    let typed = Typed { amount, reason, ..Typed::default() };
    let outcome = async {
        let amount = cents(typed.amount, look.words.0);
        let amount = amount.ok_or(model::Error::Invalid { field: "amountCents" })?;
        let reason = typed.reason.to_owned();
        let once = form.once(&[&payment.to_string(), &amount.to_string(), &reason]);
        console.broker.ask_refund(&visit.caller, payment, amount, reason, once.as_ref()).await
    };
    match outcome.await {
        Ok(it) => onward(&look, it.meta.id, "asked"),
        Err(Error::Model(model::Error::Invalid { field: field @ ("amountCents" | "reason") })) => {
            again(&console, &look, &visit, (payment, Typed { wrong: Some(field), ..typed })).await
        }
        Err(error) => page::failed(&look, &error),
    }
}

/// `POST /console/payments/{id}/refunds/{refund}/agreement`.
pub(super) async fn agree_refund(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    Path((payment, refund)): Path<(String, String)>,
    _form: Form,
) -> Response {
    let (Ok(payment), Ok(refund)) = (payment.parse(), refund.parse()) else { return page::missing(&look) };
    match console.broker.agree_refund(&visit.caller, payment, refund, None).await {
        Ok(it) => onward(&look, it.meta.id, "agreed"),
        Err(error) => page::failed(&look, &error),
    }
}

/// `POST /console/payments/{id}/refunds/{refund}/decline`.
pub(super) async fn decline_refund(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    Path((payment, refund)): Path<(String, String)>,
    form: Form,
) -> Response {
    let (Ok(payment), Ok(refund)) = (payment.parse(), refund.parse::<Id>()) else {
        return page::missing(&look);
    };
    let reason = form.field("reason");
    match console.broker.decline_refund(&visit.caller, payment, refund, reason.to_owned(), None).await {
        Ok(it) => {
            let mut all = it.refunds.iter();
            let is_own = all.any(|it| it.id == refund && it.status == RefundStatus::Withdrawn);
            onward(&look, payment, if is_own { "withdrawn" } else { "declined" })
        }
        Err(Error::Model(model::Error::Invalid { field: "reason" })) => {
            let typed = Typed { declined: Some(refund), reason, wrong: Some("reason"), ..Typed::default() };
            again(&console, &look, &visit, (payment, typed)).await
        }
        Err(error) => page::failed(&look, &error),
    }
}

fn onward(look: &Look, payment: Id, done: &str) -> Response {
    look.onward(&format!("/payments/{payment}?done={done}"))
}

/// Cents of an amount as people write it, and as the page itself does: `12,34`, `12.34`, `12`, and with the signs of the page's language
/// `1.234,56 €` or `€1,234.56`.
fn cents(text: &str, language: Language) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_prefix('€').or_else(|| text.strip_suffix('€')).unwrap_or(text).trim();
    let (group, decimal) = match language {
        Language::German => ('.', ','),
        Language::English => (',', '.'),
    };
    // The other language's sign before two last digits, and nowhere else, can mean nothing else.
    let other = || {
        let parts = text.rsplit_once(group);
        parts.filter(|(euros, cents)| cents.len() == 2 && !euros.contains(group))
    };
    let (euros, cents) = text.split_once(decimal).or_else(other).unwrap_or((text, "00"));
    let euros = ungrouped(euros, group)?;
    if cents.len() != 2 || !is_number(cents) {
        return None;
    }
    euros.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)
}

/// The digits of a whole number, in which a sign may set groups of three apart.
fn ungrouped(text: &str, sign: char) -> Option<String> {
    let mut groups = text.split(sign);
    let first = groups.next().filter(|first| is_number(first))?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = first.len() <= 3 && !first.starts_with('0');
    let sound = rest.is_empty() || (is_grouped && rest.iter().all(|it| it.len() == 3 && is_number(it)));
    sound.then(|| first.to_owned() + &rest.concat())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, german, english) in [
            ("12,34", Some(1_234), Some(1_234)),
            ("12.34 €", Some(1_234), Some(1_234)),
            ("€999.00", Some(99_900), Some(99_900)),
            ("12", Some(1_200), Some(1_200)),
            ("0,05", Some(5), Some(5)),
            ("1234,56", Some(123_456), Some(123_456)),
            ("1.234,56", Some(123_456), None),
            ("1,234.56", None, Some(123_456)),
            ("1.234", Some(123_400), None),
            ("1,234", None, Some(123_400)),
            ("1.234.567,89", Some(123_456_789), None),
            ("1.23,45", None, None),
            ("12.34.56", None, None),
            ("1234.567", None, None),
            ("0.123", None, None),
            ("12,3", None, None),
            ("12,", None, None),
            ("1 2", None, None),
            ("-1", None, None),
            ("€", None, None),
            ("", None, None),
            ("99999999999999999999", None, None),
        ] {
            assert_eq!(cents(text, Language::German), german, "German {text}");
            assert_eq!(cents(text, Language::English), english, "English {text}");
        }
    }

    #[test]
    fn what_a_page_shows_is_read() {
        for language in [Language::German, Language::English] {
            for amount in [5, 99_900, 123_456, 123_456_789] {
                assert_eq!(cents(&language.amount(amount), language), Some(amount));
            }
        }
    }
}
