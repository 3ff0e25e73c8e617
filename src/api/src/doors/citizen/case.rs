//! One case: number and secret are entered, then it is shown how it stands. Documents are fetched, and payments begun, by forms, since both
//! change something.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::{CitizenSession, CitizenView, Citizens, Error, OwedClaim, ProvidedDocument};
use maud::{Markup, html};
use model::Id;
use model::public_state::PublicState;

use super::about::failed;
use super::html::{Page, Words, alert, form_token};
use super::{Asked, COOKIE_NAME, Doors, Form, refusal};
use crate::range;

/// Why number and secret are asked for (again).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    First,
    Wrong,
    Over,
}

/// `GET /citizen/`: number and secret are asked for, or whoever has entered goes on.
pub(super) async fn start(State(doors): State<Doors>, request: Request) -> Response {
    let asked = Asked::of(&request);
    match asked.session(&doors).await {
        Ok(_) => onward(&asked.words.to("/citizen/case"), None),
        Err(Error::CitizenRefused) => ask(&doors, asked.words, Why::First),
        Err(error) => failed(&doors, asked.words, &error),
    }
}

/// `POST /citizen/login`.
pub(super) async fn enter(State(doors): State<Doors>, request: Request) -> Response {
    let words = Asked::of(&request).words;
    let form = match Form::read(request).await {
        Ok(form) => form,
        Err(status) => return refusal(status),
    };
    match doors.broker.citizen_enters(form.field("number"), form.field("secret")).await {
        Ok(session) => onward(&words.to("/citizen/case"), Some(&keep(&session))),
        Err(Error::CitizenRefused) => ask(&doors, words, Why::Wrong),
        Err(error) => failed(&doors, words, &error),
    }
}

/// `POST /citizen/logout`.
pub(super) async fn leave(State(doors): State<Doors>, request: Request) -> Response {
    let asked = Asked::of(&request);
    if let Err(instead) = session_form(&doors, &asked, request).await {
        return instead;
    }
    let gone = format!("{COOKIE_NAME}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
    onward(&asked.words.to("/citizen/"), Some(&gone))
}

/// `GET /citizen/case`.
pub(super) async fn show(State(doors): State<Doors>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let session = match asked.session(&doors).await {
        Ok(session) => session,
        Err(Error::CitizenRefused) => return ask(&doors, asked.words, Why::Over),
        Err(error) => return failed(&doors, asked.words, &error),
    };
    match (doors.broker.citizen_view(&session).await, doors.broker.citizens()) {
        (Ok(view), Ok(citizens)) => {
            let words = asked.words;
            let title = words.of("Ihr Vorgang", "Your case");
            let page =
                Page { session: Some(&session), ..Page::new(words, citizens, title, "/citizen/case") };
            page.answer(&case(words, &view, &session))
        }
        (Err(error), _) | (_, Err(error)) => failed(&doors, asked.words, &error),
    }
}

/// `POST /citizen/case/documents/{dispatch}/{document}`.
pub(super) async fn fetch(
    State(doors): State<Doors>,
    path: Result<Path<(Id, Id)>, PathRejection>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let Ok(Path((dispatch, document))) = path else { return refusal(StatusCode::NOT_FOUND) };
    let session = match session_form(&doors, &asked, request).await {
        Ok((session, _)) => session,
        Err(instead) => return instead,
    };
    let fetched = doors.broker.citizen_fetches(&session, dispatch, document).await;
    let (file, payload) = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return failed(&doors, asked.words, &error),
    };
    let Some(content) = &file.content else { return refusal(StatusCode::NOT_FOUND) };
    let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
    let named = (content.size, content.sha256.as_str());
    range::answer(&HeaderMap::new(), &payload, named, media_type, &file.name)
}

/// `POST /citizen/case/claims/{claim}`.
pub(super) async fn pay(
    State(doors): State<Doors>,
    path: Result<Path<Id>, PathRejection>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let Ok(Path(claim)) = path else { return refusal(StatusCode::NOT_FOUND) };
    let session = match session_form(&doors, &asked, request).await {
        Ok((session, _)) => session,
        Err(instead) => return instead,
    };
    match (doors.broker.citizen_pays(&session, claim).await, doors.broker.citizens()) {
        (Ok(url), Ok(citizens)) => {
            to_provider(asked.words, citizens, (&url, "/citizen/case"), Some(&session))
        }
        (Err(error), _) | (_, Err(error)) => failed(&doors, asked.words, &error),
    }
}

/// `POST /citizen/case/way`.
pub(super) async fn prefer(State(doors): State<Doors>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let (session, form) = match session_form(&doors, &asked, request).await {
        Ok(both) => both,
        Err(instead) => return instead,
    };
    let way = Some(form.field("way")).filter(|way| !way.is_empty());
    match doors.broker.citizen_prefers(&session, way).await {
        Ok(()) => onward(&asked.words.to("/citizen/case"), None),
        Err(error) => failed(&doors, asked.words, &error),
    }
}

/// The provider's page is another's: whoever goes there is told so, and goes by a link. A redirect of a form is what browsers refuse here.
pub(super) fn to_provider(
    words: Words,
    citizens: &Citizens,
    (url, path): (&str, &str),
    session: Option<&CitizenSession>,
) -> Response {
    let title = words.of("Weiter zur Zahlung", "Go on to pay");
    Page { session, ..Page::new(words, citizens, title, path) }.answer(&html! {
        p { (words.of(
            "Sie bezahlen auf der Seite eines Zahlungsdienstes. Ihre Angaben dort sehen wir nicht.",
            "You pay on the page of a payment service. We do not see what you enter there.",
        )) }
        p { a.button.main href=(url) rel="noreferrer noopener" {
            (words.of("Zur Seite des Zahlungsdienstes", "To the page of the payment service"))
        } }
    })
}

/// Session and form of a request that changes something, or what is answered instead.
async fn session_form(
    doors: &Doors,
    asked: &Asked,
    request: Request,
) -> Result<(CitizenSession, Form), Response> {
    let form = Form::read(request).await.map_err(refusal)?;
    let session = match asked.session(doors).await {
        Ok(session) => session,
        Err(Error::CitizenRefused) => return Err(ask(doors, asked.words, Why::Over)),
        Err(error) => return Err(failed(doors, asked.words, &error)),
    };
    if !form.is_of(&session) {
        return Err(refusal(StatusCode::FORBIDDEN));
    }
    Ok((session, form))
}

fn keep(session: &CitizenSession) -> String {
    let (token, seconds) = (&session.token, session.seconds);
    format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict")
}

fn onward(to: &str, cookie: Option<&str>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let fields = [(LOCATION, Some(to)), (SET_COOKIE, cookie)];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The form for number and secret.
fn ask(doors: &Doors, words: Words, why: Why) -> Response {
    let Ok(citizens) = doors.broker.citizens() else { return refusal(StatusCode::NOT_FOUND) };
    let title = words.of("Wie steht mein Vorgang?", "How does my case stand?");
    let status = match why {
        Why::First => StatusCode::OK,
        Why::Wrong | Why::Over => StatusCode::FORBIDDEN,
    };
    let wrong = why == Why::Wrong;
    Page { status, ..Page::new(words, citizens, title, "/citizen/") }.answer(&html! {
        @if let Some(text) = because(words, why) { (alert(text)) }
        p { (words.of(
            "Nummer und Schlüssel stehen in der Bestätigung, die Sie zu Ihrem Antrag bekommen haben. Ein Konto brauchen Sie nicht.",
            "Number and key are in the confirmation that you received for your application. You do not need an account.",
        )) }
        form.card method="post" action=(words.to("/citizen/login")) {
            label for="number" { (words.of("Nummer", "Number")) }
            p.hint #number-hint { (words.of("Elf Ziffern, zum Beispiel 1234 5678 903", "Eleven digits, such as 1234 5678 903")) }
            input #number name="number" type="text" inputmode="numeric" autocomplete="off" required maxlength="30"
                aria-describedby="number-hint" aria-invalid=[wrong.then_some("true")];
            label for="secret" { (words.of("Schlüssel", "Key")) }
            p.hint #secret-hint { (words.of(
                "Zwanzig Zeichen in vier Gruppen. Groß und klein ist gleich.",
                "Twenty characters in four groups. Upper and lower case are the same.",
            )) }
            input.code #secret name="secret" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false"
                required maxlength="60" aria-describedby="secret-hint" aria-invalid=[wrong.then_some("true")];
            button.main type="submit" { (words.of("Stand ansehen", "See how it stands")) }
        }
    })
}

fn because(words: Words, why: Why) -> Option<&'static str> {
    match why {
        Why::First => None,
        Why::Wrong => Some(words.of(
            "Nummer und Schlüssel passen nicht zusammen. Bitte prüfen Sie beide.",
            "Number and key do not belong together. Please check both.",
        )),
        Why::Over => Some(words.of(
            "Ihre Sitzung ist beendet. Bitte geben Sie Nummer und Schlüssel noch einmal ein.",
            "Your session has ended. Please enter number and key again.",
        )),
    }
}

/// What is seen of a case.
fn case(words: Words, view: &CitizenView, session: &CitizenSession) -> Markup {
    let service = view.service.as_deref().map(|german| words.named(german, view.service_en.as_deref()));
    html! {
        @if let Some(service) = service { p.lead { (service) } }
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
        section.card aria-labelledby="documents" {
            h2 #documents { (words.of("Dokumente für Sie", "Documents for you")) }
            @if view.documents.is_empty() { p { (words.of(
                "Es liegen keine Dokumente zum Abruf bereit.", "There are no documents for you yet.")) } }
            @else { ul.rows { @for document in &view.documents { li { (provided(words, document, session)) } } } }
        }
        @if !view.ways.is_empty() { (way_form(words, view, session)) }
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
            words.of("Ihr Antrag ist da. Wir kümmern uns darum.", "Your application has arrived. We will see to it."),
        ),
        PublicState::Processing => (
            words.of("In Bearbeitung", "In progress"),
            words.of("Wir arbeiten daran. Sie müssen nichts tun.", "We are working on it. There is nothing you need to do."),
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

fn provided(words: Words, it: &ProvidedDocument, session: &CitizenSession) -> Markup {
    let path = format!("/citizen/case/documents/{}/{}", it.dispatch, it.document);
    html! {
        p { strong { (it.title) } }
        p { (words.of("Bereit seit ", "Available since ")) (words.date(it.provided_at)) ", " (size(words, it.size))
            @if let Some(at) = it.retrieved_at { ". " (words.of("Abgerufen am ", "Fetched on ")) (words.date(at)) } }
        form method="post" action=(words.to(&path)) {
            (form_token(session))
            button.button type="submit" { (words.of("Herunterladen", "Download")) span.unseen { ": " (it.title) } }
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
        "print" | "hybrid" => words.of("Brief", "Letter"),
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
    let (unit, divisor) = if bytes >= 1 << 20 { ("MB", 1 << 20) } else { ("KB", 1 << 10) };
    let tenths = (bytes * 10).div_ceil(divisor);
    let point = words.of(",", ".");
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        rest => format!("{}{point}{rest} {unit}", tenths / 10),
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
