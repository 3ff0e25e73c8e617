//! The statement of accessibility (BITV 2.0 section 7, directive 2016/2102 annex of decision 2018/1523) with its feedback, the page
//! that payers come back to, and what is said when something is wrong.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Citizens, Error};
use maud::{Markup, html};
use pages::Words;

use super::html::{Page, alert};
use super::{Asked, Doors, refusal};

/// `GET /citizen/accessibility`.
pub(super) async fn accessibility(State(doors): State<Doors>, request: Request) -> Response {
    let words = Asked::of(&request).words;
    let Ok(citizens) = doors.broker.citizens() else { return refusal(StatusCode::NOT_FOUND) };
    let title = words.of("Erklärung zur Barrierefreiheit", "Accessibility statement");
    Page::new(words, citizens, title, "/citizen/accessibility").answer(&statement(words, citizens))
}

fn statement(words: Words, citizens: &Citizens) -> Markup {
    let mail = format!("mailto:{}", citizens.feedback_email);
    html! {
        p { (words.of(
            "Diese Erklärung gilt für die Seiten zum Stand von Vorgängen von: ",
            "This statement applies to the pages on the status of cases of: ",
        )) (citizens.office) "." }
        h2 { (words.of("Stand der Vereinbarkeit", "Compliance status")) }
        (barriers(words, citizens))
        h2 { (words.of("Barrieren melden", "Report barriers")) }
        p { (words.of(
            "Ist Ihnen etwas nicht zugänglich? Schreiben Sie uns oder rufen Sie an. Wir antworten und suchen einen Weg, \
             der für Sie passt.",
            "Is something not accessible to you? Write to us or call us. We will answer and look for a way that works for you.",
        )) }
        ul {
            li { (words.of("E-Mail: ", "E-mail: ")) a href=(mail) { (citizens.feedback_email) } }
            @if let Some(phone) = &citizens.feedback_phone {
                li { (words.of("Telefon: ", "Telephone: ")) a href=(tel(phone)) { (phone) } }
            }
        }
        h2 { (words.of("Zeit", "Time")) }
        p { (words.of(
            "Sie haben auf jeder Seite mindestens eine halbe Stunde. Auf der Seite Ihres Vorgangs steht, bis wann Sie angemeldet sind; \
             dort verlängern Sie das mit einem Link, bis zu acht Stunden lang.",
            "You have at least half an hour on each page. The page of your case says until when you are signed in; a link there \
             extends that, for up to eight hours.",
        )) }
        h2 { (words.of("Schlichtung", "Arbitration")) }
        p { (words.of(
            "Sind Sie mit unserer Antwort nicht zufrieden, können Sie sich kostenlos an die Schlichtungsstelle wenden: ",
            "If you are not satisfied with our answer, you can turn to the arbitration body free of charge: ",
        )) a href=(citizens.arbitration.1) { (citizens.arbitration.0) } "." }
        h2 { (words.of("Über diese Erklärung", "About this statement")) }
        p { (words.of("Sie wurde erstellt am ", "It was made on ")) (words.day(&citizens.statement_made))
            (words.of(
                " nach einer Selbstbewertung: Jede Seite wird mit einem Browser ohne JavaScript, nur mit der Tastatur und \
                 bei 320 Pixeln Breite geprüft.",
                " after a self-assessment: every page is tested with a browser without JavaScript, by keyboard alone and \
                 at a width of 320 pixels.",
            )) }
    }
}

fn barriers(words: Words, citizens: &Citizens) -> Markup {
    if citizens.barriers.is_empty() {
        return html! { p { (words.of(
            "Die Seiten sind mit der BITV 2.0 und der Norm EN 301 549 vereinbar. Uns sind keine Barrieren bekannt.",
            "The pages comply with BITV 2.0 and the standard EN 301 549. We know of no barriers.",
        )) } };
    }
    html! {
        p { (words.of(
            "Die Seiten sind mit der BITV 2.0 und der Norm EN 301 549 teilweise vereinbar. Diese Barrieren sind uns bekannt:",
            "The pages comply with BITV 2.0 and the standard EN 301 549 in part. We know of these barriers:",
        )) }
        ul { @for (german, english) in &citizens.barriers {
            li { (words.named(german, Some(english))) }
        } }
    }
}

/// The address of a telephone number (RFC 3966): its digits, and the plus before them.
fn tel(phone: &str) -> String {
    let digits: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    format!("tel:{digits}")
}

/// `GET /citizen/back`: a payer comes back from the provider. The browser brings no session from elsewhere, so one step is needed here.
pub(super) async fn back(State(doors): State<Doors>, request: Request) -> Response {
    let words = Asked::of(&request).words;
    let Ok(citizens) = doors.broker.citizens() else { return refusal(StatusCode::NOT_FOUND) };
    let title = words.of("Zurück von der Zahlung", "Back from the payment");
    Page::new(words, citizens, title, "/citizen/back").answer(&html! {
        p { (words.of(
            "Ob die Zahlung eingegangen ist, sehen Sie in Ihrem Vorgang. Es kann einige Minuten dauern.",
            "You can see in your case whether the payment was received. It may take a few minutes.",
        )) }
        p { a.button href=(words.to("/citizen/case")) { (words.of("Weiter zum Vorgang", "Go on to your case")) } }
    })
}

/// What is said when a page cannot be shown. Nothing is told of why but what whoever reads it can do.
pub(super) fn failed(doors: &Doors, words: Words, error: &Error) -> Response {
    let Ok(citizens) = doors.broker.citizens() else { return refusal(StatusCode::NOT_FOUND) };
    let (status, title, text) = match error {
        Error::CitizenLater | Error::TooManyRequests | Error::TooManyBodies => (
            StatusCode::TOO_MANY_REQUESTS,
            words.of("Zu viele Versuche", "Too many attempts"),
            words.of(
                "Bitte warten Sie zehn Minuten und versuchen Sie es dann noch einmal.",
                "Please wait ten minutes and then try again.",
            ),
        ),
        Error::LinkOver => (
            StatusCode::GONE,
            words.of("Dieser Link gilt nicht mehr", "This link is no longer valid"),
            words.of(
                "Er wurde schon benutzt, oder er ist abgelaufen. Brauchen Sie einen neuen, wenden Sie sich bitte an das Amt.",
                "It has been used, or it has expired. If you need a new one, please contact the office.",
            ),
        ),
        Error::NoProvider | Error::NoAccount | Error::PaymentsNotConfigured | Error::PaymentNotOffered => (
            StatusCode::CONFLICT,
            words.of("Hier kann nicht online bezahlt werden", "Online payment is not possible here"),
            words.of(
                "Bitte überweisen Sie den Betrag und geben Sie dabei das Kassenzeichen an.",
                "Please transfer the amount and state the payment reference.",
            ),
        ),
        Error::Model(model::Error::NotFound { .. }) => (
            StatusCode::NOT_FOUND,
            words.of("Das gibt es hier nicht", "There is no such thing here"),
            words.of(
                "Vielleicht hat sich etwas geändert. Rufen Sie Ihren Vorgang bitte neu auf.",
                "Something may have changed. Please open your case again.",
            ),
        ),
        Error::Model(_) => (
            StatusCode::CONFLICT,
            words.of("Das geht gerade nicht", "This is not possible right now"),
            words.of(
                "Der Vorgang hat sich inzwischen geändert. Rufen Sie ihn bitte neu auf.",
                "The case has changed in the meantime. Please open it again.",
            ),
        ),
        error => {
            tracing::error!(code = error.code(), "a citizens' page could not be shown");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                words.of("Das geht gerade nicht", "This is not possible right now"),
                words.of(
                    "Es liegt nicht an Ihnen. Bitte versuchen Sie es in einigen Minuten noch einmal.",
                    "It is not your fault. Please try again in a few minutes.",
                ),
            )
        }
    };
    let page = Page { status, ..Page::new(words, citizens, title, "/citizen/") };
    page.answer(&html! {
        (alert(text))
        p { a.button href=(words.to("/citizen/")) { (words.of("Zur Startseite", "To the start page")) } }
    })
}
