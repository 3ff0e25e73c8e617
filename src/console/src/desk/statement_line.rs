//! One line of a bank statement that belongs to nothing: what the bank told, what it may be, and the decision of the cash office, which takes
//! two where the house wants that.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Error, LineDecision, LineSeen, LineState, StatementLine};
use maud::{Markup, html};
use model::payment::record::TRANSFER;
use model::payment::{Claim, EURO, Payment};
use model::{Id, Record, RecordKind};

use super::parts::{answer, help, just_done, moment};
use super::payments::{payment_of, provider};
use super::statement_lines::{amount, day};
use super::words;
use crate::Console;
use crate::asked::Asked;
use crate::form::{Form, once_field};
use crate::page::{self, Look};
use crate::visit::Visit;

/// Words that are looked up at once, and claims and payments that are found by each.
const WORDS: usize = 20;
const FOUND: u32 = 20;
/// Payments of a proposal or a decision that are shown, and most that one line settles.
const SHOWN: usize = 20;
const MOST_SETTLED: usize = 1_000;

/// Which line a page is about: the account whose statement it is of, and its id.
struct Here {
    account: String,
    line: Id,
}

impl Here {
    fn of(account: String, line: &str) -> Option<Here> {
        Some(Here { account, line: line.parse().ok()? })
    }

    fn path(&self) -> String {
        format!("/statement-lines/{}/{}", self.account, self.line)
    }
}

/// `GET /console/statement-lines/{account}/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    Path((account, line)): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let Some(here) = Here::of(account, &line) else { return page::missing(&look) };
    let shown = whole(&console, &look, &visit, (&here, asked.get("q"))).await;
    let shown =
        shown.map(|(title, body)| page::page(&look, &title, &html! { (just_done(&look, &asked)) (body) }));
    answer(&look, shown)
}

/// What there is to decide about a line, as far as the visitor may see it.
struct Question<'a> {
    seen: &'a LineSeen,
    /// What was looked up.
    q: Option<&'a str>,
    /// What the first of two has said, in words, and whether that was the visitor.
    asked: Option<(&'a LineDecision, Markup, bool)>,
    /// Claims that it names, and those that were looked up.
    claims: Vec<Claim>,
    /// Payments that were looked up and whose money has not arrived.
    awaited: Vec<Payment>,
    /// The first of those that were proposed.
    proposed: Vec<Payment>,
}

/// Title and body of the page of a line; with what was looked up.
async fn whole(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (here, q): (&Here, Option<&str>),
) -> Result<(String, Markup), Error> {
    let seen = console.broker.line_seen(&visit.caller, &here.account, here.line).await.map_err(not_theirs)?;
    let claim = match seen.line.claim {
        Some(id) => claim(console, visit, id).await?,
        None => None,
    };
    let payments = payments(console, visit, &seen.payments).await?;
    let question = match seen.line.state {
        LineState::Unmatched => Some(question(console, look, visit, (&seen, q)).await?),
        _ => None,
    };
    let body = html! {
        (help(look, (
            "Ein Umsatz, wie ihn die Bank gemeldet hat. Die Kasse sagt, was er ist; wo zwei entscheiden, gilt es, wenn eine zweite Person \
             dasselbe sagt.",
            "A line as the bank told it. The cash office says what it is; where two decide, it counts once a second person says the same.",
        )))
        (facts(look, &seen, claim.as_ref(), &payments))
        @if let Some(question) = &question { (decision(look, here, question)) }
        p.acts { a.button href=(look.to("/statement-lines")) { (look.of_two("Alle Umsätze, die warten", "All lines that wait")) } }
    };
    Ok((look.of_two("Umsatz über ", "Line of ").to_owned() + &amount(look, &seen.line), body))
}

async fn question<'a>(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (seen, q): (&'a LineSeen, Option<&'a str>),
) -> Result<Question<'a>, Error> {
    let asked = match &seen.asked {
        Some((decision, by)) => {
            let own = by.to_string() == visit.caller.actor.id;
            Some((decision, said(console, look, visit, decision).await?, own))
        }
        None => None,
    };
    let mut claims: Vec<Claim> = vec![];
    for id in &seen.claims {
        claims.extend(claim(console, visit, *id).await?);
    }
    let mut awaited: Vec<Payment> = vec![];
    for word in q.unwrap_or_default().split_whitespace().take(WORDS) {
        claims.extend(console.broker.find_claims(&visit.caller, word, FOUND).await?);
        let found = console.broker.find_payments(&visit.caller, word, FOUND).await?;
        awaited.extend(found.into_iter().filter_map(payment_of).filter(is_awaited));
    }
    claims.sort_by_key(|claim| claim.meta.id);
    claims.dedup_by_key(|claim| claim.meta.id);
    awaited.sort_by_key(|payment| payment.meta.id);
    awaited.dedup_by_key(|payment| payment.meta.id);
    let proposed = payments(console, visit, &seen.proposed).await?;
    Ok(Question { seen, q, asked, claims, awaited, proposed })
}

fn decision(look: &Look, here: &Here, it: &Question) -> Markup {
    let nothing = it.q.is_some() && it.claims.is_empty() && it.awaited.is_empty();
    html! {
        section {
            h2 { (look.of_two("Was ist dieser Umsatz?", "What is this line?")) }
            @if let Some((_, said, own)) = &it.asked {
                div { strong { (look.of_two("Vorgeschlagen: ", "Proposed: ")) } (said) }
                p { (if *own { look.of_two("Eine zweite Person muss dasselbe entscheiden.", "A second person has to decide the same.") }
                     else { look.of_two("Entscheiden Sie dasselbe, gilt es.", "If you decide the same, it counts.") }) }
            }
            @if may_be_money(it.seen) { (search(look, here, it.q)) }
            @else { p.hint { (look.of_two("Was nicht in Euro ist, kann nur beiseitegelegt werden.", "What is not in euros can only be put aside.")) } }
            @if nothing {
                (page::empty(look.of_two("Nichts gefunden, das in Ihrer Zuständigkeit liegt.", "Nothing found within your responsibility.")))
            }
            form method="post" action=(look.to(&format!("{}/decision", here.path()))) {
                (look.form_token()) (once_field())
                input type="hidden" name="shown" value=(it.seen.line.version);
                input type="hidden" name="q" value=(it.q.unwrap_or_default());
                fieldset {
                    legend { (look.of_two("Ihre Entscheidung", "Your decision")) }
                    @if let Some((decision, _, false)) = &it.asked { (same(look, decision)) }
                    @if may_be_payout(it.seen) { (of_proposal(look, it)) (of_payments(look, &it.awaited)) }
                    @if may_be_claims(it.seen) { (of_claims(look, &it.claims)) }
                    div.choice {
                        input #ignore type="radio" name="decision" value=(value_of(&LineDecision::Ignore)) required;
                        label for="ignore" { (ignored(look)) }
                    }
                }
                button.main type="submit" { (look.of_two("Entscheiden", "Decide")) }
            }
        }
    }
}

/// An account that is not the visitor's is not there.
fn not_theirs(error: Error) -> Error {
    match error {
        Error::NoAccount | Error::NoBankAccount | Error::PaymentsNotConfigured => {
            model::Error::NotFound { kind: "account" }.into()
        }
        error => error,
    }
}

/// Whether it can be more than none of ours: what is not in euros cannot.
fn may_be_money(seen: &LineSeen) -> bool {
    seen.came.currency == EURO
}

/// Money of ours that came back is nobody's payment.
fn may_be_claims(seen: &LineSeen) -> bool {
    let takes_back = seen.came.reversal || seen.came.return_reason.is_some();
    may_be_money(seen) && !(seen.came.credit && takes_back)
}

fn may_be_payout(seen: &LineSeen) -> bool {
    may_be_money(seen) && seen.came.credit && !seen.came.reversal
}

/// A record of this kind, if the visitor may see it.
async fn record(console: &Console, visit: &Visit, kind: RecordKind, id: Id) -> Result<Option<Record>, Error> {
    match console.broker.record(&visit.caller, kind, id).await {
        Ok(record) => Ok(Some(record)),
        Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn claim(console: &Console, visit: &Visit, id: Id) -> Result<Option<Claim>, Error> {
    match record(console, visit, RecordKind::Claim, id).await? {
        Some(Record::Claim(claim)) => Ok(Some(claim)),
        _ => Ok(None),
    }
}

/// The first of these payments that the visitor may see.
async fn payments(console: &Console, visit: &Visit, ids: &[Id]) -> Result<Vec<Payment>, Error> {
    let mut found: Vec<Payment> = vec![];
    for id in ids.iter().take(SHOWN) {
        found.extend(record(console, visit, RecordKind::Payment, *id).await?.and_then(payment_of));
    }
    Ok(found)
}

/// Whether it was paid online and its money has not arrived.
fn is_awaited(payment: &Payment) -> bool {
    payment.provider != TRANSFER && payment.status.was_paid() && payment.settled_by.is_none()
}

fn facts(look: &Look, seen: &LineSeen, claim: Option<&Claim>, payments: &[Payment]) -> Markup {
    let (it, came) = (&seen.line, &seen.came);
    html! {
        dl.card {
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::statement_line(it.state))) }
            @if let Some(why) = it.body["why"].as_str() {
                dt { (look.of_two("Warum", "Why")) } dd { (words::unmatched(look, why)) }
            }
            dt { (look.of_two("Betrag", "Amount")) }
            dd { (amount(look, it)) " " (if it.credit { look.of_two("eingegangen", "came") } else { look.of_two("abgegangen", "left") }) }
            @if came.charges_cents > 0 {
                dt { (look.of_two("Abgezogene Gebühren", "Fees taken off")) } dd { (look.words.amount(came.charges_cents)) }
            }
            dt { (look.of_two("Gebucht", "Booked")) } dd { (day(look, it)) }
            dt { (look.of_two("Konto", "Account")) } dd.code { (it.account) }
            dt { (look.of_two("Verwendungszweck", "Text")) } dd { (if came.text.is_empty() { "–" } else { came.text.as_str() }) }
            @if let Some(reference) = &came.creditor_reference {
                dt { (look.of_two("Referenz des Empfängers", "Creditor reference")) } dd.code { (reference) }
            }
            @if let Some(reference) = &came.end_to_end {
                dt { (look.of_two("Ende-zu-Ende-Referenz", "End-to-end reference")) } dd.code { (reference) }
            }
            @if let Some(reason) = &came.return_reason {
                dt { (look.of_two("Grund der Rückgabe", "Reason of the return")) } dd.code { (reason) }
            }
            dt { (look.of_two("Kennung der Bank", "Bank's reference")) } dd.code { (it.line) }
            @if let Some(claim) = claim { dt { (look.of_two("Forderung", "Claim")) } dd { (owed(look, claim)) } }
            @if !seen.payments.is_empty() {
                dt { (look.of_two("Zahlungen", "Payments")) } dd { (list(look, payments, seen.payments.len())) }
            }
        }
    }
}

/// A claim on one line.
fn owed(look: &Look, it: &Claim) -> Markup {
    html! {
        (it.purpose) ", " (look.words.amount(it.amount_cents)) " "
        @if let Some(reference) = &it.cash_reference { span.code { (reference) } " " }
        (words::shown(look, words::claim(it.status)))
    }
}

/// A payment on one line.
fn paid(look: &Look, it: &Payment) -> Markup {
    html! {
        (look.words.amount(it.paid_cents)) ", " (provider(look, &it.provider))
        @if let Some(at) = it.paid_at { ", " (moment(look, at)) }
    }
}

/// Payments with the ways to their pages, and how many there are besides.
fn list(look: &Look, payments: &[Payment], all: usize) -> Markup {
    let rest = all.saturating_sub(payments.len());
    html! { ul {
        @for it in payments {
            li { (paid(look, it)) " "
                (look.link(&format!("/payments/{}", it.meta.id), look.of_two("ansehen", "show"))) }
        }
        @if rest > 0 { li { (look.of_two("weitere: ", "others: ")) (rest) } }
    } }
}

/// Looking up claims and payments by Kassenzeichen.
fn search(look: &Look, here: &Here, q: Option<&str>) -> Markup {
    html! {
        form.filter method="get" action=(look.to(&here.path())) role="search" {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="q" { (look.of_two("Kassenzeichen, mehrere mit Leerzeichen", "Cash references, with blanks between")) }
                input #q type="search" name="q" value=(q.unwrap_or_default()) maxlength="500";
            }
            button type="submit" { (look.of_two("Suchen", "Search")) }
        }
    }
}

fn ignored(look: &Look) -> &'static str {
    look.words.of("Er geht uns nichts an: beiseitelegen", "It is none of ours: put it aside")
}

/// What somebody has said of a line, in words.
async fn said(
    console: &Console,
    look: &Look,
    visit: &Visit,
    decision: &LineDecision,
) -> Result<Markup, Error> {
    Ok(match decision {
        LineDecision::Ignore => html! { (ignored(look)) },
        LineDecision::Settles(ids) => {
            let them = payments(console, visit, ids).await?;
            html! { (arrived(look, ids.len())) (list(look, &them, ids.len())) }
        }
        LineDecision::Claim(id) => {
            let claim = claim(console, visit, *id).await?;
            html! {
                (look.of_two("Geld zur Forderung ", "Money of the claim "))
                @match &claim { Some(claim) => (owed(look, claim)), None => span.code { (id) } }
            }
        }
    })
}

fn arrived(look: &Look, count: usize) -> String {
    match count {
        1 => look
            .of_two("Geld einer Zahlung, das noch ausstand", "Money of one payment that was still awaited")
            .to_owned(),
        _ => format!(
            "{} {count} {}",
            look.of_two("Geld von", "Money of"),
            look.of_two("Zahlungen", "payments")
        ),
    }
}

/// What the first of two has said, to be said again.
fn same(look: &Look, decision: &LineDecision) -> Markup {
    html! {
        div.choice {
            input #same type="radio" name="decision" value=(value_of(decision));
            label for="same" { (look.of_two("Wie oben vorgeschlagen", "As proposed above")) }
        }
    }
}

fn of_proposal(look: &Look, it: &Question) -> Markup {
    let all = &it.seen.proposed;
    html! {
        @if !all.is_empty() {
            div.choice {
                input #proposed type="radio" name="decision" value=(value_of(&LineDecision::Settles(all.clone())));
                label for="proposed" {
                    (look.of_two("Auszahlung, deren Summe passt: ", "Payout whose sum fits: ")) (arrived(look, all.len()))
                }
            }
            (list(look, &it.proposed, all.len()))
        }
    }
}

fn of_payments(look: &Look, payments: &[Payment]) -> Markup {
    html! {
        @if !payments.is_empty() {
            div.choice {
                input #chosen type="radio" name="decision" value="chosen";
                label for="chosen" { (look.of_two("Geld der Zahlungen, die hier angekreuzt sind:", "Money of the payments that are ticked here:")) }
            }
            @for it in payments {
                @let field = format!("settles-{}", it.meta.id);
                div.choice {
                    input id=(field) type="checkbox" name="settles" value=(it.meta.id);
                    label for=(field) { (paid(look, it)) }
                }
            }
        }
    }
}

fn of_claims(look: &Look, claims: &[Claim]) -> Markup {
    html! {
        @for it in claims {
            @let field = format!("claim-{}", it.meta.id);
            div.choice {
                input id=(field) type="radio" name="decision" value=(value_of(&LineDecision::Claim(it.meta.id)));
                label for=(field) { (look.of_two("Geld zur Forderung ", "Money of the claim ")) (owed(look, it)) }
            }
        }
    }
}

/// A decision as the value of a field.
fn value_of(decision: &LineDecision) -> String {
    serde_json::json!(decision).to_string()
}

/// `POST /console/statement-lines/{account}/{id}/decision`.
pub(super) async fn decide(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    Path((account, line)): Path<(String, String)>,
    form: Form,
) -> Response {
    let Some(here) = Here::of(account, &line) else { return page::missing(&look) };
    let wrong = match try_decide(&console, &visit, &here, &form).await {
        Ok(it) => {
            let done = if it.state == LineState::Unmatched { "asked" } else { "decided" };
            return look.onward(&format!("{}?done={done}", here.path()));
        }
        Err(Error::Model(model::Error::Invalid { field })) => field,
        Err(Error::Model(model::Error::NotFound { kind: kind @ ("claim" | "payment") })) => kind,
        Err(error) => return page::failed(&look, &error),
    };
    let shown = whole(&console, &look, &visit, (&here, form.given("q"))).await;
    let shown = shown.map(|(title, body)| {
        let body = html! { (page::alert(told(&look, wrong))) (body) };
        page::with_status(&look, StatusCode::UNPROCESSABLE_ENTITY, &title, &body)
    });
    answer(&look, shown)
}

async fn try_decide(
    console: &Console,
    visit: &Visit,
    here: &Here,
    form: &Form,
) -> Result<StatementLine, Error> {
    let decision = wanted(form)?;
    let shown =
        form.field("shown").parse::<u64>().map_err(|_| model::Error::Invalid { field: "decision" })?;
    let once = form.once(&[&here.path(), &value_of(&decision)]);
    let line = (here.line, shown);
    let decided =
        console.broker.decide_shown_line(&visit.caller, &here.account, line, decision, once.as_ref()).await;
    decided.map_err(not_theirs)
}

/// What a form says that the line is.
fn wanted(form: &Form) -> Result<LineDecision, Error> {
    let unsaid = || Error::from(model::Error::Invalid { field: "decision" });
    let decision = match form.field("decision") {
        "chosen" => {
            let ids: Result<Vec<Id>, _> = form.all("settles").map(str::parse).collect();
            LineDecision::Settles(ids.map_err(|_| unsaid())?)
        }
        text => serde_json::from_str(text).map_err(|_| unsaid())?,
    };
    match &decision {
        LineDecision::Settles(ids) if !(1..=MOST_SETTLED).contains(&ids.len()) => Err(unsaid()),
        _ => Ok(decision),
    }
}

/// Why a decision was not taken.
fn told<'a>(look: &'a Look, wrong: &str) -> &'a str {
    match wrong {
        "decision" => look.of_two("Bitte wählen Sie, was der Umsatz ist.", "Please choose what the line is."),
        "claim" => look.of_two(
            "Zu dieser Forderung kann der Umsatz nicht gehören: Sie hat ein anderes Konto, oder es ist nicht so viel bezahlt, wie abging.",
            "The line cannot belong to this claim: it has another account, or less was paid than left.",
        ),
        "settles" | "payment" => look.of_two(
            "Von diesen Zahlungen kann der Umsatz nicht sein: Ihr Geld muss auf diesem Konto noch ausstehen und zusammen mindestens so viel \
             sein wie der Umsatz.",
            "The line cannot be of these payments: their money has to be awaited on this account and be at least as much as the line.",
        ),
        _ => look.of_two("Das kann dieser Umsatz nicht sein.", "This line cannot be that."),
    }
}
