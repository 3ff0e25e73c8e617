//! One case: number and secret are entered, then it is shown how it stands. Documents are fetched, and payments begun, by forms, since both
//! change something.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::{CitizenSession, Citizens, Error};
use maud::html;
use model::Id;
use pages::Words;

use super::about::failed;
use super::html::{Page, alert};
use super::seen::case;
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
    let form = match Form::read(&doors, request).await {
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
    // Whoever looks at the case is there: the session lasts longer from now on.
    let session = match doors.broker.citizen_goes_on(session).await {
        Ok(session) => session,
        Err(error) => return failed(&doors, asked.words, &error),
    };
    match (doors.broker.citizen_view(&session).await, doors.broker.citizens()) {
        (Ok(view), Ok(citizens)) => {
            let words = asked.words;
            let title = words.of("Ihr Vorgang", "Your case");
            let page = Page { session: Some(&session), ..Page::new(words, citizens, title, "/citizen/case") };
            with_cookie(page.answer(&case(words, &view, &session)), &keep(&session))
        }
        (Err(error), _) | (_, Err(error)) => failed(&doors, asked.words, &error),
    }
}

/// `POST /citizen/case/documents/{dispatch}/{document}/{sha256}`.
pub(super) async fn fetch(
    State(doors): State<Doors>,
    path: Result<Path<(Id, Id, String)>, PathRejection>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let Ok(Path((dispatch, document, sha256))) = path else { return refusal(StatusCode::NOT_FOUND) };
    let session = match session_form(&doors, &asked, request).await {
        Ok((session, _)) => session,
        Err(instead) => return instead,
    };
    let fetched = doors.broker.citizen_fetches(&session, (dispatch, document), &sha256).await;
    let (file, payload) = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return failed(&doors, asked.words, &error),
    };
    let Some(content) = &file.content else { return refusal(StatusCode::NOT_FOUND) };
    let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
    let named = (content.size, content.sha256.as_str());
    let mut response = range::answer(&HeaderMap::new(), &payload, named, media_type, &file.name);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
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

/// `POST /citizen/case/apps/end`: no app is pushed to any more.
pub(super) async fn end_apps(State(doors): State<Doors>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let session = match session_form(&doors, &asked, request).await {
        Ok((session, _)) => session,
        Err(instead) => return instead,
    };
    match doors.broker.citizen_unsubscribes(&session, None).await {
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
    let form = Form::read(doors, request).await.map_err(refusal)?;
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

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
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
