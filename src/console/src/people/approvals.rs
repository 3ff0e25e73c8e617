//! Approvals (Freigaben, four eyes): what waits for a second person, what one has asked for oneself, and what became of it.

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use broker::{Act, Approval, ApprovalFilter, Listed, Page};
use maud::{Markup, html};
use model::approval::{ApprovalKind, ApprovalState};
use model::{Action, Caller, Id, Timestamp};

use super::consequence;
use super::said::when;
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::asking;
use crate::form::Form;
use crate::page::{self, Look};
use crate::route::{Needs, Route};
use crate::visit::Visit;

/// What people are called, by their ids.
type Names = BTreeMap<Id, String>;

/// Rows of each list.
const ROWS: u32 = 50;

/// Pages and acts of approvals.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::page("/approvals", Needs::Visit, list),
        Route::page("/approvals/{id}", Needs::Visit, show),
        Route::page("/approvals/{id}/content", Needs::Visit, content),
        Route::act("/approvals/release", Needs::Right(Action::ReadMessages), release),
        Route::act("/approvals/{id}/agree", Needs::Visit, agree),
        Route::act("/approvals/{id}/refuse", Needs::Visit, refuse),
        Route::act("/approvals/{id}/withdraw", Needs::Visit, withdraw),
    ]
}

/// The lists that the page puts together: each by its name in addresses, whether the visitor has asked, whether somebody can still decide.
const LISTS: [(&str, bool, bool); 4] =
    [("waiting", false, true), ("own", true, true), ("own-decided", true, false), ("decided", false, false)];

/// One page of a list; what the visitor has asked for stands in the lists of that alone.
async fn some(
    console: &Console,
    visit: &Visit,
    (mine, open): (bool, bool),
    after: Option<Id>,
) -> Result<Listed<Approval>, broker::Error> {
    let filter = ApprovalFilter { mine, open: Some(open), newest: true, ..ApprovalFilter::default() };
    let mut listed = console.broker.approvals(&visit.caller, &filter, &Page { after, limit: ROWS }).await?;
    listed.items.retain(|approval| mine || approval.asked_by != visit.caller.actor);
    Ok(listed)
}

/// The way to the rest of a list.
fn rest(look: &Look, list: &str, next: Option<Id>, label: &str) -> Markup {
    html! { @if let Some(next) = next {
        p { a.button rel="next" href=(look.to(&format!("/approvals?list={list}&after={next}"))) { (label) } }
    } }
}

/// `GET /console/approvals`: the newest of each list; with the name of one, a page of that.
async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let wanted = asked.get("list").and_then(|name| LISTS.into_iter().find(|(known, ..)| *known == name));
    let outcome = match wanted {
        Some(wanted) => one_list(&console, &look, &visit, wanted, asked.after()).await,
        None => all_lists(&console, &look, &visit).await,
    };
    outcome.unwrap_or_else(|error| page::failed(&look, &error))
}

async fn one_list(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (name, mine, open): (&str, bool, bool),
    after: Option<Id>,
) -> Result<Response, broker::Error> {
    let words = look.words;
    let listed = some(console, visit, (mine, open), after).await?;
    let heading = match (mine, open) {
        (false, true) => words.of("Wartet auf eine zweite Person", "Waits for a second person"),
        (true, true) => words.of("Von Ihnen beantragt", "Asked for by you"),
        (true, false) => words.of("Von Ihnen beantragt, entschieden", "Asked for by you, decided"),
        (false, false) => words.of("Von anderen beantragt, entschieden", "Asked for by others, decided"),
    };
    let body = html! {
        h2 { (heading) }
        (table(look, console.broker.now(), &listed.items, match listed.next {
            None => words.of("Hier steht nichts.", "Nothing stands here."),
            Some(_) => words.of("Auf dieser Seite steht nichts.", "Nothing stands on this page."),
        }))
        (rest(look, name, listed.next, words.of("Weitere anzeigen", "Show more")))
        p { a href=(look.to("/approvals")) { (words.of("Alle Freigaben", "All approvals")) } }
    };
    Ok(page::page(look, words.of("Freigaben", "Approvals"), &body))
}

async fn all_lists(console: &Console, look: &Look, visit: &Visit) -> Result<Response, broker::Error> {
    let waiting = some(console, visit, (false, true), None).await?;
    let own = some(console, visit, (true, true), None).await?;
    let own_past = some(console, visit, (true, false), None).await?;
    let past = some(console, visit, (false, false), None).await?;
    let (more_waiting, more_own_past, more_past) = (waiting.next, own_past.next, past.next);
    let (waiting, others): (Vec<_>, Vec<_>) =
        waiting.items.into_iter().partition(|it| decides(&visit.caller, it));
    let mut past: Vec<_> = own_past.items.into_iter().chain(past.items).collect();
    past.sort_by_key(|approval| std::cmp::Reverse(approval.asked_at));
    let (words, now) = (look.words, console.broker.now());
    let body = html! {
        (page::help(look, &html! {
            p { (words.of(
                "Manches darf niemand allein: Inhalte einsehen, löschen, an Dritte weitergeben, Rechte ändern. Eine Person beantragt es mit einer \
                 Begründung, eine andere stimmt zu; erst dann geschieht es. Beides steht im Nachweis.",
                "Some things nobody may do alone: see contents, erase, pass on to third parties, change rights. One person asks with a reason, \
                 another agrees; only then it happens. Both are on record.",
            )) }
            p { (words.of(
                "Rückzahlungen und Klärungen von Zahlungen stimmt die zweite Person bei der Zahlung zu, Vernichtungen bei der Aussonderung, \
                 der Löschung einer Person, indem sie unter „Personen“ dasselbe beantragt.",
                "Refunds and clearing of payments are agreed to where the payment is, destruction where the disposition is, the erasure of a \
                 person by asking for the same under “Persons”.",
            )) " "
                @if look.enters("/payments") { a href=(look.to("/payments")) { (words.of("Zu den Zahlungen", "To the payments")) } " " }
                @if look.enters("/dispositions") { a href=(look.to("/dispositions")) { (words.of("Zur Aussonderung", "To the dispositions")) } }
            }
        }))
        h2 { (words.of("Wartet auf Sie", "Waits for you")) }
        (table(look, now, &waiting, match more_waiting {
            None => words.of("Nichts wartet auf Ihre Entscheidung.", "Nothing waits for your decision."),
            Some(_) => words.of("Unter den neuesten wartet nichts auf Ihre Entscheidung.", "None of the newest waits for your decision."),
        }))
        h2 { (words.of("Von Ihnen beantragt", "Asked for by you")) }
        (table(look, now, &own.items, words.of("Sie haben nichts beantragt, das noch offen ist.", "You have asked for nothing that is still open.")))
        (rest(look, "own", own.next, words.of("Weitere von Ihnen beantragte", "More that you have asked for")))
        @if !others.is_empty() {
            h2 { (words.of("Wartet auf andere", "Waits for others")) }
            (table(look, now, &others, ""))
        }
        (rest(look, "waiting", more_waiting, words.of("Weitere, die auf eine zweite Person warten", "More that wait for a second person")))
        h2 { (words.of("Entschieden", "Decided")) }
        (table(look, now, &past, words.of("Noch nichts ist entschieden.", "Nothing is decided yet.")))
        (rest(look, "own-decided", more_own_past, words.of("Weitere entschiedene, von Ihnen beantragt", "More that are decided, asked for by you")))
        (rest(look, "decided", more_past, words.of("Weitere entschiedene, von anderen beantragt", "More that are decided, asked for by others")))
    };
    Ok(page::page(look, words.of("Freigaben", "Approvals"), &body))
}

/// Whether the caller may decide: auditors see what they do not decide about, and nobody decides about the own rights.
fn decides(caller: &Caller, approval: &Approval) -> bool {
    let is_about = approval.subject_kind == "user" && approval.subject == caller.actor.id;
    let may = caller.may(approval.kind.decided_with()).is_ok();
    may && !is_about && approval.asked_by != caller.actor
}

fn table(look: &Look, now: Timestamp, rows: &[Approval], nothing: &str) -> Markup {
    let words = look.words;
    if rows.is_empty() {
        return page::empty(nothing);
    }
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { (words.of("Was", "What")) }
                th scope="col" { (words.of("Beantragt", "Asked")) }
                th scope="col" { (words.of("Bis", "Until")) }
                th scope="col" { (words.of("Stand", "State")) }
            } }
            tbody { @for row in rows {
                tr {
                    td { a href=(look.to(&format!("/approvals/{}", row.id))) { (title(look, row)) } }
                    td { (when(look, row.asked_at)) }
                    td { (when(look, row.valid_until.unwrap_or(row.expires_at))) }
                    td { (state(look, row, now)) }
                }
            } }
        } }
    }
}

async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    let (approval, reason) = match console.broker.approval(&visit.caller, id).await {
        Ok(found) => found,
        Err(error) => return page::failed(&look, &error),
    };
    let names = match console.broker.names_in_approval(&approval).await {
        Ok(names) => names,
        Err(error) => return page::failed(&look, &error),
    };
    let words = look.words;
    let now = console.broker.now();
    let own = approval.asked_by == visit.caller.actor;
    let open = approval.state_at(now) == ApprovalState::Open;
    let decides = decides(&visit.caller, &approval);
    let readable =
        own && approval.state == ApprovalState::Agreed && approval.valid_until.is_some_and(|end| now < end);
    let path = |act: &str| look.to(&format!("/approvals/{id}/{act}"));
    let body = html! {
        @if let Some(what) = asked.get("done").and_then(|done| told(&look, done)) { (page::done(what)) }
        (page::help(&look, &html! { p { (words.of(
            "Etwas, das eine Person beantragt hat und das erst geschieht, wenn eine andere zustimmt. Lesen Sie die Begründung und was daraus folgt. \
             Wer zustimmt, führt es damit aus; wer ablehnt, beendet den Antrag. Wer beantragt hat, kann ihn zurückziehen.",
            "Something that one person has asked for and that happens once another agrees. Read the reason and what follows. Whoever agrees \
             carries it out by that; whoever refuses ends the request. Whoever asked may withdraw it.",
        )) } }))
        p { (state(&look, &approval, now)) }
        dl {
            dt { (words.of("Gegenstand", "About")) } dd { (subject(&look, &approval, &names)) }
            dt { (words.of("Begründung", "Reason")) }
            dd { (reason.as_deref().unwrap_or(words.of("gelöscht", "erased"))) }
            dt { (words.of("Beantragt von", "Asked by")) } dd { (named(&names, &approval.asked_by.id)) ", " (when(&look, approval.asked_at)) }
            dt { (words.of("Zu entscheiden bis", "To be decided by")) } dd { (when(&look, approval.expires_at)) }
            @if let (Some(by), Some(at)) = (&approval.decided_by, approval.decided_at) {
                dt { (words.of("Entschieden von", "Decided by")) } dd { (named(&names, &by.id)) ", " (when(&look, at)) }
            }
            @if let Some(until) = approval.valid_until {
                dt { (words.of("Einsehbar bis", "Readable until")) } dd { (when(&look, until)) }
            }
        }
        h2 { (words.of("Folge einer Zustimmung", "What follows from agreeing")) }
        (consequence::of(&console, &look, &approval))
        @if readable {
            p { a.button.main href=(path("content")) { (words.of("Inhalt abrufen", "Fetch the content")) } }
            p.hint { (words.of("Jeder Abruf wird aufgezeichnet.", "Each time is recorded.")) }
        }
        @if open && decides {
            div.acts {
                form method="post" action=(path("agree")) { (look.form_token())
                    button.main type="submit" { (words.of("Zustimmen und ausführen", "Agree and carry out")) } }
                form method="post" action=(path("refuse")) { (look.form_token())
                    button.grave type="submit" { (words.of("Ablehnen", "Refuse")) } }
            }
        }
        @if open && own {
            p { (words.of("Eine andere Person muss entscheiden.", "Another person has to decide.")) }
            form method="post" action=(path("withdraw")) { (look.form_token())
                button type="submit" { (words.of("Zurückziehen", "Withdraw")) } }
        }
        p { a href=(look.to("/approvals")) { (words.of("Alle Freigaben", "All approvals")) } }
    };
    page::page(&look, &title(&look, &approval), &body)
}

async fn release(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let minutes = form.field("minutes").parse().unwrap_or(0);
    let id = |name: &str| form.given(name).and_then(|id| id.parse::<Id>().ok());
    let text = |name: &str| form.given(name).map(str::to_owned);
    let act = match (id("message"), id("document")) {
        (Some(message), _) => Act::ReleaseMessage { message, payload: None, minutes },
        (None, Some(document)) => Act::ReleaseDocument {
            document,
            version: text("version"),
            file: text("file"),
            root: None,
            minutes,
        },
        (None, None) => return page::missing(&look),
    };
    let asked = async { asking::ask(&console, &visit.caller, act, asking::reason(&form)?).await };
    match asked.await {
        Ok(asked) => asking::onward(&look, &asked),
        Err(error) => page::failed(&look, &error),
    }
}

async fn agree(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    decided(&look, console.broker.agree_to(&visit.caller, id).await, "agreed")
}

async fn refuse(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    decided(&look, console.broker.turn_down(&visit.caller, id).await, "refused")
}

async fn withdraw(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    decided(&look, console.broker.withdraw_asked(&visit.caller, id).await, "withdrawn")
}

fn decided(look: &Look, outcome: Result<Approval, broker::Error>, done: &str) -> Response {
    match outcome {
        Ok(approval) => look.onward(&format!("/approvals/{}?done={done}", approval.id)),
        Err(error) => page::failed(look, &error),
    }
}

/// The bytes, never shown within a page.
async fn content(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
) -> Response {
    let released = match console.broker.released_content(&visit.caller, id).await {
        Ok(released) => released,
        Err(error) => return page::failed(&look, &error),
    };
    let size = released.reference.size;
    let body = Body::from_stream(released.payload.stream(0..size));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, size.to_string()),
        (CONTENT_DISPOSITION, attachment(&released.name)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}

/// A name that no header can be broken with (RFC 8187).
fn attachment(name: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("attachment; filename*=UTF-8''{}", encoded.replace('+', "%20"))
}

fn told<'a>(look: &Look, done: &str) -> Option<&'a str> {
    let words = look.words;
    Some(match done {
        "asked" => words
            .of("Beantragt. Eine andere Person muss zustimmen.", "Asked for. Another person has to agree."),
        "agreed" => words.of("Zugestimmt und ausgeführt.", "Agreed and carried out."),
        "refused" => words.of("Abgelehnt.", "Refused."),
        "withdrawn" => words.of("Zurückgezogen.", "Withdrawn."),
        _ => return None,
    })
}

fn title(look: &Look, approval: &Approval) -> String {
    let words = look.words;
    match approval.kind {
        ApprovalKind::ContentRelease => words.of("Einsicht in einen Inhalt", "Release of a content"),
        ApprovalKind::Erase => words.of("Löschung", "Erasure"),
        ApprovalKind::Forward => words.of("Weitergabe einer Nachricht", "Passing a message on"),
        ApprovalKind::Account => words.of("Änderung eines Zugangs", "Change of an account"),
        ApprovalKind::PartnerKey => words.of("Änderung eines Partners", "Change of a partner"),
        _ => words.of("Freigabe", "Approval"),
    }
    .to_owned()
}

/// An id, and who it is if it is a user.
fn named(names: &Names, id: &str) -> Markup {
    let name = id.parse().ok().and_then(|id: Id| names.get(&id));
    html! { @if let Some(name) = name { (name) " " } code { (id) } }
}

fn subject(look: &Look, approval: &Approval, names: &Names) -> Markup {
    let id = approval.subject.as_str();
    let path = match approval.subject_kind.as_str() {
        "message" => Some(format!("/messages/{id}")),
        "partner" => Some(format!("/partners/{id}")),
        "user" => Some(format!("/users/{id}")),
        _ => None,
    };
    html! {
        (kind_of(look, &approval.subject_kind)) " "
        @match path {
            Some(path) if look.enters(&path) => a href=(look.to(&path)) { (named(names, id)) },
            _ => (named(names, id)),
        }
    }
}

fn kind_of<'a>(look: &Look, kind: &'a str) -> &'a str {
    match kind {
        "message" => look.words.of("Nachricht", "Message"),
        "document" => look.words.of("Dokument", "Document"),
        "event" => look.words.of("Ereignis", "Event"),
        "payload" => look.words.of("Inhalt", "Content"),
        "token" => look.words.of("Zugang eines Systems", "Token"),
        "partner" => look.words.of("Partner", "Partner"),
        "user" => look.words.of("Benutzer", "User"),
        other => other,
    }
}

fn state(look: &Look, approval: &Approval, now: Timestamp) -> Markup {
    let words = look.words;
    let (class, text) = match approval.state_at(now) {
        ApprovalState::Open => ("state warn", words.of("offen", "open")),
        ApprovalState::Agreed => ("state good", words.of("zugestimmt", "agreed")),
        ApprovalState::Refused => ("state bad", words.of("abgelehnt", "refused")),
        ApprovalState::Withdrawn => ("state", words.of("zurückgezogen", "withdrawn")),
        ApprovalState::Expired => ("state", words.of("verfallen", "expired")),
    };
    html! { span class=(class) { (text) } }
}
