//! What is seen of a case: where it stands, what is missing, owed and provided, notices, and how its citizen wants to hear of it.

use broker::{CitizenSession, CitizenView, OwedClaim, ProvidedDocument, ProvidedNotice};
use maud::{Markup, html};
use model::public_state::PublicState;
use pages::Words;

use super::html::form_token;

/// What is seen of a case.
pub(super) fn case(words: Words, view: &CitizenView, session: &CitizenSession) -> Markup {
    let service = view.service.as_deref().map(|german| words.named(german, view.service_en.as_deref()));
    html! {
        @if let Some(service) = service { p.lead { (service) } }
        (how_long(words, session))
        (standing(words, view))
        @if !view.missing.is_empty() {
            section.card.todo aria-labelledby="missing" {
                h2 #missing { (words.of("Das brauchen wir noch von Ihnen", "We still need this from you")) }
                ul.rows { @for missing in &view.missing { li {
                    p { strong { (missing.what) } }
                    @if let Some(due) = missing.due { p { (words.of("Bitte bis ", "Please by ")) (words.date(due)) } }
                    p { a.button href=(words.to(&missing.link)) { (words.of("Unterlage hochladen", "Upload document"))
                        span.unseen { ": " (missing.what) } } }
                } } }
            }
        }
        @if !view.claims.is_empty() {
            section.card.todo aria-labelledby="owed" {
                h2 #owed { (words.of("Zu bezahlen", "To pay")) }
                ul.rows { @for claim in &view.claims { li { (owed(words, claim)) (pay_form(words, claim, session)) } } }
            }
        }
        @if !view.notices.is_empty() {
            section.card aria-labelledby="notices" {
                h2 #notices { (words.of("Mitteilungen an Sie", "Notices for you")) }
                ul.rows { @for notice in &view.notices { li { (noticed(words, notice)) } } }
            }
        }
        section.card aria-labelledby="documents" {
            h2 #documents { (words.of("Dokumente für Sie", "Documents for you")) }
            @if view.documents.is_empty() { p { (words.of(
                "Es liegen keine Dokumente zum Abruf bereit.", "There are no documents for you yet.")) } }
            @else { ul.rows { @for document in &view.documents { li { (provided(words, document, session)) } } } }
        }
        @if !view.ways.is_empty() { (way_form(words, view, session)) }
        @if view.apps > 0 { (apps_form(words, view, session)) }
        section.card aria-labelledby="facts" {
            h2 #facts { (words.of("Angaben zum Vorgang", "About the case")) }
            dl {
                dt { (words.of("Nummer", "Number")) } dd.code { (grouped(&view.number)) }
                @if let Some(office) = &view.office { dt { (words.of("Amt", "Office")) } dd { (office) } }
                dt { (words.of("Eingegangen", "Received")) } dd { (words.date(view.received_at)) }
                dt { (words.of("Zuletzt geändert", "Last changed")) } dd { (words.date(view.changed_at)) }
            }
        }
    }
}

/// The public state as words, and as the steps that lead to the end.
fn standing(words: Words, view: &CitizenView) -> Markup {
    let (name, text) = said(words, view.state);
    let steps = [
        (PublicState::Received, words.of("Eingegangen", "Received")),
        (PublicState::Processing, words.of("In Bearbeitung", "In progress")),
        (PublicState::Completed, words.of("Abgeschlossen", "Completed")),
    ];
    let reached = match view.state {
        PublicState::ActionRequired => PublicState::Processing,
        PublicState::Initiated | PublicState::Submitted => PublicState::Received,
        state => state,
    };
    html! {
        section.card.standing aria-labelledby="standing" {
            h2 #standing { (words.of("Stand: ", "Status: ")) (name) }
            p { (text) }
            ol.steps { @for (step, label) in steps {
                li.done[step < reached].now[step == reached] aria-current=[(step == reached).then_some("step")] {
                    span { (label) }
                    @if step < reached { span.unseen { (words.of(" (erledigt)", " (done)")) } }
                }
            } }
        }
    }
}

fn said(words: Words, state: PublicState) -> (&'static str, &'static str) {
    match state {
        PublicState::Initiated => (
            words.of("Begonnen", "Begun"),
            words.of("Der Antrag ist noch nicht abgeschickt.", "The application has not been sent yet."),
        ),
        PublicState::Submitted => (
            words.of("Abgeschickt", "Submitted"),
            words.of("Der Antrag ist unterwegs zum Amt.", "The application is on its way to the office."),
        ),
        PublicState::Received => (
            words.of("Eingegangen", "Received"),
            words.of(
                "Ihr Antrag ist da. Wir kümmern uns darum.",
                "Your application has arrived. We will see to it.",
            ),
        ),
        PublicState::Processing => (
            words.of("In Bearbeitung", "In progress"),
            words.of(
                "Wir arbeiten daran. Sie müssen nichts tun.",
                "We are working on it. There is nothing you need to do.",
            ),
        ),
        PublicState::ActionRequired => (
            words.of("Wir warten auf Sie", "We are waiting for you"),
            words.of("Bitte sehen Sie nach, was noch fehlt.", "Please see below what is still missing."),
        ),
        PublicState::Completed => (
            words.of("Abgeschlossen", "Completed"),
            words.of("Der Vorgang ist abgeschlossen.", "The case is completed."),
        ),
    }
}

/// What is owed.
pub(super) fn owed(words: Words, claim: &OwedClaim) -> Markup {
    html! {
        p { strong { (claim.purpose) } }
        p.amount { (words.amount(claim.left_cents)) }
        @if let Some(due) = &claim.due { p { (words.of("Fällig am ", "Due on ")) (words.day(due)) } }
        @if let Some(reference) = &claim.cash_reference {
            p { (words.of("Kassenzeichen: ", "Payment reference: ")) span.code { (reference) } }
        }
    }
}

fn pay_form(words: Words, claim: &OwedClaim, session: &CitizenSession) -> Markup {
    html! {
        form method="post" action=(words.to(&format!("/citizen/case/claims/{}", claim.claim))) {
            (form_token(session))
            button.button type="submit" { (words.of("Online bezahlen", "Pay online"))
                span.unseen { ": " (claim.purpose) } }
        }
    }
}

/// A file of a document: what is named is what was provided, whatever the document is now.
fn provided(words: Words, it: &ProvidedDocument, session: &CitizenSession) -> Markup {
    let path = format!("/citizen/case/documents/{}/{}/{}", it.dispatch, it.document, it.sha256);
    html! {
        p { strong { (it.title) } }
        p { (it.file_name) ", " (size(words, it.size)) }
        p { (words.of("Bereit seit ", "Available since ")) (words.date(it.provided_at))
            @if let Some(at) = it.retrieved_at { ". " (words.of("Abgerufen am ", "Fetched on ")) (words.date(at)) } }
        form method="post" action=(words.to(&path)) {
            (form_token(session))
            button.button type="submit" { (words.of("Herunterladen", "Download"))
                span.unseen { ": " (it.title) ", " (it.file_name) } }
        }
    }
}

/// A notice, as plain text: what looks like markup is text.
fn noticed(words: Words, notice: &ProvidedNotice) -> Markup {
    html! {
        p { strong { (notice.subject) } }
        p.text { (notice.text) }
        p.hint { (words.date(notice.provided_at)) }
    }
}

/// Until when the session lasts, before it ends (WCAG 2.2.1): each look at the case renews it.
fn how_long(words: Words, session: &CitizenSession) -> Markup {
    let is_last = session.ends >= session.latest;
    html! {
        p.hint {
            (words.of("Angemeldet bis ", "Signed in until ")) (words.clock(session.ends)) ". "
            @if !is_last {
                a href=(words.to("/citizen/case")) { (words.of("Sitzung verlängern", "Extend the session")) }
                (words.of(" (längstens bis ", " (until ")) (words.clock(session.latest))
                (words.of(")", " at the latest)"))
            }
        }
    }
}

fn apps_form(words: Words, view: &CitizenView, session: &CitizenSession) -> Markup {
    html! {
        section.card aria-labelledby="apps" {
            h2 #apps { (words.of("Apps, die Nachrichten bekommen", "Apps that receive messages")) }
            p { (words.of("Angemeldete Apps: ", "Registered apps: ")) (view.apps) }
            form method="post" action=(words.to("/citizen/case/apps/end")) {
                (form_token(session))
                button type="submit" { (words.of("Alle Apps abmelden", "Unregister all apps")) }
            }
        }
    }
}

fn way_form(words: Words, view: &CitizenView, session: &CitizenSession) -> Markup {
    let is_set = |way: &str| view.prefers.as_deref() == Some(way);
    html! {
        section.card aria-labelledby="way" {
            h2 #way { (words.of("So möchten Sie von uns hören", "How you want to hear from us")) }
            form method="post" action=(words.to("/citizen/case/way")) {
                (form_token(session))
                fieldset {
                    legend { (words.of("Nachrichten zu diesem Vorgang", "Messages about this case")) }
                    @for way in &view.ways { div.choice {
                        input type="radio" name="way" id={ "way-" (way) } value=(way) checked[is_set(way)] required;
                        label for={ "way-" (way) } { (way_name(words, way)) }
                    } }
                }
                button type="submit" { (words.of("Speichern", "Save")) }
            }
        }
    }
}

fn way_name(words: Words, way: &str) -> &str {
    match way {
        "mail" => words.of("E-Mail", "E-mail"),
        "push" => words.of("Nachricht in der App", "Message in the app"),
        "print" | "hybrid" | "letter" => words.of("Brief", "Letter"),
        "fit-connect" => words.of("Postfach im Bürgerkonto (BundID)", "Mailbox of your BundID account"),
        "portal" => words.of("Nur hier auf diesen Seiten", "Only here on these pages"),
        "call" => words.of("Anruf", "Telephone call"),
        way => way,
    }
}

/// A number in the groups that it is written in.
fn grouped(number: &str) -> String {
    let mut grouped = String::new();
    for (at, digit) in number.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size as people read it.
pub(super) fn size(words: Words, bytes: u64) -> String {
    const MEGABYTE: u64 = 1 << 20;
    if bytes < MEGABYTE {
        return format!("{} KB", bytes.div_ceil(1_024).max(1));
    }
    let tenths = (bytes * 10).div_ceil(MEGABYTE);
    match tenths % 10 {
        0 => format!("{} MB", tenths / 10),
        rest => format!("{}{}{rest} MB", tenths / 10, words.of(",", ".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_as_it_is_asked_for() {
        assert_eq!(grouped("12345678903"), "1234 5678 903");
    }
}
