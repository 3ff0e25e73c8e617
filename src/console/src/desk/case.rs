//! One page for everything of a case or case file: state, parties, documents, messages, claims and payments, calls and letters, dispatches,
//! tasks, what becomes of it, and what happened.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, Listed, MessageFilter, Page, RecordFilter};
use maud::{Markup, html};
use model::activity::{Dispatch, Interaction, Task};
use model::case::{Description, RecordStatus};
use model::party::Party;
use model::payment::{Claim, Payment};
use model::rights::Action;
use model::{Id, Record, RecordKind};

use super::parts::{all_units, answer, help, just_done, moment, titled, unit_name};
use super::{board, dispatches, document, fate, line, payments, post, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::page::{self, Look};
use crate::visit::Visit;

/// Records of each kind that are shown on the page of a case.
const EACH: u32 = 50;
/// Messages of one case that are shown at once.
const MESSAGES: u32 = 20;

/// `GET /console/cases/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(case): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, (case, &asked)).await)
}

/// The page of a case: the case, its path, and what was asked for.
#[derive(Clone, Copy)]
struct Here<'a> {
    id: Id,
    path: &'a str,
    asked: &'a Asked,
}

impl Here<'_> {
    /// Behind which record a list of the page begins, by the name of its section.
    fn after(self, section: &str) -> Option<Id> {
        self.asked.parsed(section)
    }

    /// The way to the rest of a list.
    fn rest(self, look: &Look, section: &str, next: Option<Id>) -> Markup {
        html! { @if let Some(next) = next {
            p { a.button href={ (look.to(&format!("{}?{section}={next}", self.path))) "#" (section) } {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        } }
    }
}

/// What lies in a case, of one kind.
async fn below(
    console: &Console,
    visit: &Visit,
    (case, kind): (Id, RecordKind),
    after: Option<Id>,
) -> Result<Listed<Record>, Error> {
    let filter = RecordFilter { parent: Some(case), ..RecordFilter::of(kind) };
    match console.broker.records(&visit.caller, &filter, &Page { after, limit: EACH }).await {
        Err(Error::Model(model::Error::Forbidden)) => Ok(Listed { items: vec![], next: None }),
        outcome => outcome,
    }
}

async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<Response, Error> {
    let case = console.broker.require_visible(&visit.caller, id).await?;
    let id = case.meta().id;
    let Some(description) = case.description().filter(|_| case.kind() != RecordKind::Document) else {
        return Err(model::Error::NotFound { kind: "case" }.into());
    };
    let path = format!("/cases/{id}");
    let here = Here { id, path: &path, asked };
    let around = match case.parent() {
        Some(parent) => post::seen(console, visit, parent).await?,
        None => None,
    };
    let before = asked.parsed("before");
    // What happened is known of the whole tree.
    let story = match case.meta().root == id {
        true => look.of_two("Verlauf", "Time line"),
        false => look.of_two("Verlauf der ganzen Akte", "Time line of the whole case file"),
    };
    let title = match description.title.trim() {
        "" => look.of_two("Vorgang ohne Titel", "Case without a title"),
        title => title,
    };
    let body = html! {
        (just_done(look, asked))
        (help(look, (
            "Alles zu diesem Vorgang: Beteiligte, Aufgaben, Dokumente, Post und Anrufe, Versand, Geld, Nachrichten und was geschehen ist.",
            "Everything of this case: parties, tasks, documents, post and calls, dispatches, money, messages, and what happened.",
        )))
        (marks(look, &case, description))
        (facts(console, look, visit, (&case, description), around.as_ref()))
        (parties(look, &description.parties))
        (tasks(console, look, visit, here).await?)
        (documents(console, look, visit, here).await?)
        (cases(console, look, visit, here).await?)
        (contacts(console, look, visit, here).await?)
        (sent(console, look, visit, here).await?)
        (money(console, look, visit, here).await?)
        (messages(console, look, visit, here).await?)
        (fate::of_record(console, look, visit, &case).await?)
        (line::of_tree(console, look, &visit.caller, (id, &path, story), before).await?)
    };
    Ok(page::page(look, title, &body))
}

/// What keeps the case from being changed or destroyed.
fn marks(look: &Look, case: &Record, description: &Description) -> Markup {
    let locked = case.status() == RecordStatus::Locked.name();
    html! {
        @if locked { (page::alert(match description.circulates {
            Some(_) => look.of_two(
                "Gesperrt, solange er im Umlauf ist: Er kann gelesen, aber nicht geändert werden.",
                "Locked while it circulates: it can be read, but not changed.",
            ),
            None => look.of_two(
                "Gesperrt: Die Akte wurde abgegeben. Sie kann gelesen, aber nicht geändert werden.",
                "Locked: the file was handed over. It can be read, but not changed.",
            ),
        })) }
        @if description.in_disposition.is_some() { (page::alert(look.of_two(
            "In Aussonderung: Er ist dem Archiv angeboten. Wer ihn ändert, nimmt ihn heraus.",
            "In disposition: it was offered to the archive. Whoever changes it takes it out.",
        ))) }
        @if let Some(hold) = &description.hold {
            (page::alert(&format!("{}{}", look.of_two("Löschsperre: ", "Barred from destruction: "), hold.reason)))
        }
    }
}

fn facts(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (case, description): (&Record, &Description),
    around: Option<&Record>,
) -> Markup {
    let kind = words::kind(case.kind());
    html! {
        dl.card {
            dt { (look.of_two("Art", "Kind")) } dd { (look.of_two(kind.0, kind.1)) }
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::record(case.status()))) }
            dt { (look.of_two("Aktenzeichen", "Reference")) }
            dd.code { (description.record_reference.as_deref().unwrap_or("–")) }
            @for reference in description.references.iter().take(20) {
                dt.code { (reference.kind) } dd.code { (reference.value) }
            }
            dt { (look.of_two("Einheit", "Unit")) } dd { (unit_name(&all_units(console, visit), &case.meta().unit)) }
            @if let Some(service) = &case.meta().public_service {
                dt { (look.of_two("Leistung", "Public service")) } dd { (service) }
            }
            @if let Some(around) = around { dt { (look.of_two("Liegt in", "Lies in")) } dd { (titled(look, around)) } }
            @if let Some(note) = &description.note { dt { (look.of_two("Bemerkung", "Note")) } dd { (note) } }
            dt { (look.of_two("Angelegt", "Created")) } dd { (moment(look, case.meta().created_at)) }
        }
    }
}

fn parties(look: &Look, parties: &[Party]) -> Markup {
    html! {
        section {
            h2 { (look.of_two("Beteiligte", "Parties")) }
            @if parties.is_empty() { p.hint { (look.of_two("Niemand ist eingetragen.", "Nobody is entered.")) } }
            @else { ul { @for party in parties.iter().take(EACH as usize) { li { (party_line(look, party)) } } } }
        }
    }
}

fn party_line(look: &Look, party: &Party) -> Markup {
    let person = party.person.as_ref().map(|it| {
        let parts = [&it.salutation, &it.title, &it.given_name, &it.family_name];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    });
    let office = party.organisation.as_ref().and_then(|it| it.name.clone().or_else(|| it.short_name.clone()));
    let name = person.into_iter().chain(office).chain(party.authority.as_ref().map(ToString::to_string));
    let name = name.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    html! {
        strong { (if name.is_empty() { look.of_two("ohne Namen", "without a name") } else { name.as_str() }) }
        @if let Some(role) = &party.role { " " span.hint { "(" (role) ")" } }
        @for address in &party.addresses {
            @let street = [&address.street, &address.house_number];
            @let town = [&address.postcode, &address.town];
            br; (joined(&street)) @if !joined(&town).is_empty() { ", " (joined(&town)) }
        }
        @for contact in &party.contacts { br; (contact.channel) ": " (contact.value) }
    }
}

fn joined(parts: &[&Option<String>]) -> String {
    parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(" ")
}

async fn tasks(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let found = below(console, visit, (here.id, RecordKind::Task), here.after("tasks")).await?;
    let task = |record| match record {
        Record::Task(task) => Some(task),
        _ => None,
    };
    let mut tasks: Vec<Task> = found.items.into_iter().filter_map(task).collect();
    tasks.sort_by_key(|task| !task.status.is_open());
    let now = console.broker.now();
    Ok(html! { @if !tasks.is_empty() { section #tasks {
        h2 { (look.of_two("Aufgaben", "Tasks")) }
        ul { @for task in &tasks { li {
            a href=(look.to(&format!("/tasks/{}", task.meta.id))) { (board::what(look, task)) } " "
            (words::shown(look, words::task(task.status))) " "
            @if task.status.is_open() { (board::when(look, now, task)) }
        } } }
        (here.rest(look, "tasks", found.next))
    } } })
}

async fn documents(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let found = below(console, visit, (here.id, RecordKind::Document), here.after("documents")).await?;
    Ok(html! { section #documents {
        h2 { (look.of_two("Dokumente", "Documents")) }
        @if found.items.is_empty() { p.hint { (look.of_two("Noch kein Dokument.", "No document yet.")) } }
        @for document in &found.items { (document::card(look, visit, document)) }
        (here.rest(look, "documents", found.next))
    } })
}

async fn cases(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let files = below(console, visit, (here.id, RecordKind::CaseFile), here.after("files")).await?;
    let cases = below(console, visit, (here.id, RecordKind::Case), here.after("cases")).await?;
    let is_empty = files.items.is_empty() && cases.items.is_empty();
    Ok(html! { @if !is_empty { section #cases {
        h2 #files { (look.of_two("Darin liegen", "Within it")) }
        ul { @for case in files.items.iter().chain(&cases.items) {
            li { (titled(look, case)) " " (words::shown(look, words::record(case.status()))) }
        } }
        (here.rest(look, "files", files.next)) (here.rest(look, "cases", cases.next))
    } } })
}

async fn contacts(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let found = below(console, visit, (here.id, RecordKind::Interaction), here.after("contacts")).await?;
    let letter = |record| match record {
        Record::Interaction(letter) => Some(letter),
        _ => None,
    };
    let letters: Vec<Interaction> = found.items.into_iter().filter_map(letter).collect();
    let units = all_units(console, visit);
    Ok(html! { section #contacts {
        h2 { (look.of_two("Post, Anrufe, Vorsprachen", "Post, calls, visits")) }
        @if letters.is_empty() { p.hint { (look.of_two("Kein Kontakt.", "No contact.")) } }
        @else { (post::table(look, &units, &letters)) (here.rest(look, "contacts", found.next)) }
    } })
}

async fn sent(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let found = below(console, visit, (here.id, RecordKind::Dispatch), here.after("sent")).await?;
    let dispatch = |record| match record {
        Record::Dispatch(dispatch) => Some(dispatch),
        _ => None,
    };
    let all: Vec<Dispatch> = found.items.into_iter().filter_map(dispatch).collect();
    Ok(html! { section #sent {
        h2 { (look.of_two("Versand", "Dispatches")) }
        @if all.is_empty() { p.hint { (look.of_two("Nichts versandt.", "Nothing was sent.")) } }
        @else { (dispatches::table(look, &all)) (here.rest(look, "sent", found.next)) }
    } })
}

async fn money(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    let found = below(console, visit, (here.id, RecordKind::Claim), here.after("claims")).await?;
    let claim = |record| match record {
        Record::Claim(claim) => Some(claim),
        _ => None,
    };
    let claims: Vec<Claim> = found.items.into_iter().filter_map(claim).collect();
    let mut shown: Vec<(Claim, Vec<Payment>)> = vec![];
    for claim in claims {
        let paid = below(console, visit, (claim.meta.id, RecordKind::Payment), None).await?;
        shown.push((claim, paid.items.into_iter().filter_map(payments::payment_of).collect()));
    }
    let paid_by = |it: &Payment| {
        let text =
            look.of_two("Zahlung über ", "Payment of ").to_owned() + &look.words.amount(it.amount_cents);
        look.link(&format!("/payments/{}", it.meta.id), &text)
    };
    Ok(html! { section #claims {
        h2 { (look.of_two("Forderungen und Zahlungen", "Claims and payments")) }
        @if shown.is_empty() { p.hint { (look.of_two("Keine Forderung.", "No claim.")) } }
        @for (claim, paid) in &shown {
            div.card {
                h3 { (claim.purpose) " · " (look.words.amount(claim.amount_cents)) }
                p { (words::shown(look, words::claim(claim.status)))
                    @if let Some(reference) = &claim.cash_reference { " " span.code { (reference) } }
                    @if let Some(due) = &claim.due { " " (look.of_two("fällig ", "due ")) (look.words.day(due)) } }
                @if paid.is_empty() { p.hint { (look.of_two("Noch keine Zahlung.", "No payment yet.")) } }
                ul { @for payment in paid { li {
                    (paid_by(payment)) " " (words::shown(look, words::payment(payment.status)))
                    @if payment.clearing.is_some() { " " span.state.bad { (look.of_two("zu klären", "to be cleared")) } }
                } } }
            }
        }
        (here.rest(look, "claims", found.next))
    } })
}

/// The messages by which records of the case came or went.
async fn messages(console: &Console, look: &Look, visit: &Visit, here: Here<'_>) -> Result<Markup, Error> {
    if visit.caller.may(Action::ReadMessages).is_err() {
        return Ok(html! {});
    }
    let page = Page { after: here.after("messages"), limit: MESSAGES };
    let listed = console.broker.tree_messages(&visit.caller, here.id, &page).await?;
    let mut messages = listed.items;
    let mut exchanges: Vec<Id> = messages.iter().filter_map(|message| message.exchange).collect();
    exchanges.sort();
    exchanges.dedup();
    let mut shown = vec![];
    for exchange in exchanges.into_iter().take(EACH as usize) {
        match console.broker.record(&visit.caller, RecordKind::Exchange, exchange).await {
            Ok(Record::Exchange(exchange)) => shown.push(exchange),
            Ok(_) | Err(Error::Model(model::Error::NotFound { .. })) => {}
            Err(error) => return Err(error),
        }
        let filter = MessageFilter { exchange: Some(exchange), ..MessageFilter::default() };
        let others = console.broker.messages(&visit.caller, &filter, &Page::first(EACH)).await?;
        // What is only under way has no event in the tree yet; it stands on the first page.
        for other in others.items.into_iter().filter(|_| page.after.is_none()) {
            if messages.iter().all(|known| known.id != other.id) {
                messages.push(other);
            }
        }
    }
    messages.sort_by_key(|message| message.received_at);
    Ok(html! { section #messages {
        h2 { (look.of_two("Austausch und Nachrichten", "Exchanges and messages")) }
        @if !shown.is_empty() { ul { @for exchange in &shown {
            @let kind = words::exchange_kind(exchange.kind);
            li { strong { (look.of_two(kind.0, kind.1)) } " " span.code { (exchange.partner) } " "
                (words::shown(look, words::exchange(exchange.status))) }
        } } }
        @if messages.is_empty() { p.hint { (look.of_two("Keine Nachricht einer anderen Stelle.", "No message of another office.")) } }
        @else { ul { @for message in &messages { li {
            a href=(look.to(&format!("/clarifications/{}", message.id))) { (super::clarification::name(look, message)) }
            " " (words::shown(look, words::message(message))) " " (moment(look, message.received_at))
        } } } }
        (here.rest(look, "messages", listed.next))
    } })
}
