//! Links that are good for one thing: a document that is missing is brought, a claim is paid. Whoever has the link may do that, and sees
//! nothing of the case but what it is for. Files are streamed; memory does not grow with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use broker::{Citizens, Error, UploadPage, Uploaded};
use futures::{StreamExt, TryStreamExt};
use maud::{Markup, html};
use multer::{Constraints, Multipart, SizeLimit};
use pages::{Words, bounded};

use super::about::failed;
use super::case::to_provider;
use super::html::{Page, alert};
use super::seen::{owed as owed_facts, size};
use super::{Asked, Doors, Form, is_from_here, own_origin, refusal};

/// Files of one form.
const FILES: usize = 5;
/// Bytes of a form that may be held before something is given out.
const HELD_BYTES: usize = 1024 * 1024;
/// What a form has beside the bytes of files.
const FORM_BYTES: u64 = 64 * 1024;
/// The types that are taken, for the browser's own choice of files.
const TYPES: &str = ".pdf,.jpg,.jpeg,.png,.tif,.tiff";

type Token = Result<Path<String>, PathRejection>;

/// `GET /citizen/documents/{token}`.
pub(super) async fn missing(State(doors): State<Doors>, token: Token, request: Request) -> Response {
    let words = Asked::of(&request).words;
    match page_of(&doors, token).await {
        Ok((token, page)) => upload_form(&doors, words, (&token, &page), None),
        Err(error) => failed(&doors, words, &error),
    }
}

/// `POST /citizen/documents/{token}`.
pub(super) async fn bring(State(doors): State<Doors>, token: Token, request: Request) -> Response {
    let words = Asked::of(&request).words;
    if !is_from_here(request.headers(), own_origin(&doors)) {
        return refusal(StatusCode::FORBIDDEN);
    }
    let Ok(_place) = doors.uploads.try_acquire() else {
        return failed(&doors, words, &Error::TooManyBodies);
    };
    let (token, page) = match page_of(&doors, token).await {
        Ok(both) => both,
        Err(error) => return failed(&doors, words, &error),
    };
    let outcome = match staged(&doors, &page, request).await {
        Ok(files) if files.is_empty() => Err(Wrong::Nothing),
        Ok(files) => doors.broker.take_upload(&page, files).await.map_err(Wrong::Broker),
        Err(wrong) => Err(wrong),
    };
    match (outcome, doors.broker.citizens()) {
        (Ok(()), Ok(citizens)) => thanks(words, citizens),
        (Err(Wrong::Broker(error)), _) if !error_of_file(&error) => failed(&doors, words, &error),
        (Err(wrong), _) => upload_form(&doors, words, (&token, &page), Some(&wrong)),
        (_, Err(error)) => failed(&doors, words, &error),
    }
}

/// `GET /citizen/pay/{token}`.
pub(super) async fn owed(State(doors): State<Doors>, token: Token, request: Request) -> Response {
    let words = Asked::of(&request).words;
    let token = match known(&doors, token) {
        Ok(token) => token,
        Err(error) => return failed(&doors, words, &error),
    };
    match (doors.broker.pay_page(&token).await, doors.broker.citizens()) {
        (Ok(page), Ok(citizens)) => {
            let path = format!("/citizen/pay/{token}");
            let title = words.of("Gebühr bezahlen", "Pay a fee");
            Page::new(words, citizens, title, &path).answer(&html! {
                @if let Some(office) = &page.office { p.lead { (office) } }
                form.card method="post" action=(words.to(&path)) {
                    (owed_facts(words, &page.claim))
                    button.main type="submit" { (words.of("Online bezahlen", "Pay online")) }
                }
            })
        }
        (Err(error), _) | (_, Err(error)) => failed(&doors, words, &error),
    }
}

/// `POST /citizen/pay/{token}`.
pub(super) async fn pay(State(doors): State<Doors>, token: Token, request: Request) -> Response {
    let words = Asked::of(&request).words;
    if let Err(status) = Form::read(&doors, request).await {
        return refusal(status);
    }
    let token = match known(&doors, token) {
        Ok(token) => token,
        Err(error) => return failed(&doors, words, &error),
    };
    let page = match doors.broker.pay_page(&token).await {
        Ok(page) => page,
        Err(error) => return failed(&doors, words, &error),
    };
    match (doors.broker.pay_by_link(&page).await, doors.broker.citizens()) {
        (Ok(url), Ok(citizens)) => {
            to_provider(words, citizens, (&url, &format!("/citizen/pay/{token}")), None)
        }
        (Err(error), _) | (_, Err(error)) => failed(&doors, words, &error),
    }
}

/// A token that was not tried too often.
fn known(doors: &Doors, token: Token) -> Result<String, Error> {
    let Ok(Path(token)) = token else { return Err(Error::LinkOver) };
    if !doors.throttle.lets_in(&("citizen", &token), Instant::now()) {
        return Err(Error::CitizenLater);
    }
    Ok(token)
}

async fn page_of(doors: &Doors, token: Token) -> Result<(String, UploadPage), Error> {
    let token = known(doors, token)?;
    let page = doors.broker.upload_page(&token).await?;
    Ok((token, page))
}

/// What is wrong with files that somebody brings.
enum Wrong {
    Nothing,
    TooMany,
    /// The form is none, or broke off.
    Form,
    Broker(Error),
}

/// Whether it is the file that is wrong, so that another one can be brought.
fn error_of_file(error: &Error) -> bool {
    matches!(error, Error::FileType | Error::TooLarge { .. } | Error::Harmful)
}

/// The files of a form, each staged. If one of them is wrong none is kept; the form is read to its end all the same, since browsers
/// show nothing of an answer that comes before.
async fn staged(doors: &Doors, page: &UploadPage, request: Request) -> Result<Vec<Uploaded>, Wrong> {
    let most = doors.broker.citizens().map_err(Wrong::Broker)?.most_bytes;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok()).ok_or(Wrong::Form)?;
    let whole = most.saturating_mul(FILES as u64).saturating_add(FORM_BYTES);
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole));
    let held = Arc::new(AtomicUsize::new(0));
    let body = bounded(request.into_body().into_data_stream(), Arc::clone(&held), HELD_BYTES);
    let mut form = Multipart::with_constraints(body, boundary, limits);
    let (mut files, mut wrong) = (vec![], None);
    loop {
        let next = form.next_field().await;
        held.store(0, Ordering::Relaxed);
        let mut field = match next {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(_) => {
                wrong.get_or_insert(Wrong::Form);
                break;
            }
        };
        let name = field.file_name().unwrap_or_default().to_owned();
        let is_file = field.name() == Some("files") && !name.is_empty();
        if is_file && wrong.is_none() && files.len() == FILES {
            wrong = Some(Wrong::TooMany);
        }
        if is_file && wrong.is_none() {
            let bytes = (&mut field).inspect(|_| held.store(0, Ordering::Relaxed));
            let bytes = bytes.map_err(|_| std::io::Error::from(std::io::ErrorKind::UnexpectedEof)).boxed();
            match doors.broker.stage_upload(page, (files.len() + 1, &name), bytes).await {
                Ok(uploaded) => files.push(uploaded),
                Err(error) => wrong = Some(Wrong::Broker(error)),
            }
        }
        // Read here to its end, and thrown away: the reader of the form would hold what is left of it for the bound.
        while let Ok(Some(_)) = field.chunk().await {
            held.store(0, Ordering::Relaxed);
        }
    }
    match wrong {
        None => Ok(files),
        Some(wrong) => {
            doors.broker.drop_uploads(files).await;
            Err(wrong)
        }
    }
}

fn upload_form(
    doors: &Doors,
    words: Words,
    (token, page): (&str, &UploadPage),
    wrong: Option<&Wrong>,
) -> Response {
    let Ok(citizens) = doors.broker.citizens() else { return refusal(StatusCode::NOT_FOUND) };
    let path = format!("/citizen/documents/{token}");
    let title = words.of("Unterlage hochladen", "Upload a document");
    let status = wrong.map_or(StatusCode::OK, status_of);
    Page { status, ..Page::new(words, citizens, title, &path) }.answer(&html! {
        @if let Some(wrong) = wrong { (alert(because(words, wrong))) }
        @if let Some(office) = &page.office { p.lead { (office) } }
        (asked_for(words, page))
        form.card method="post" action=(words.to(&path)) enctype="multipart/form-data" {
            label for="files" { (words.of("Dateien", "Files")) }
            p.hint #files-hint {
                (words.of("PDF, JPEG, PNG oder TIFF; höchstens fünf, jede bis ", "PDF, JPEG, PNG or TIFF; at most five, each up to "))
                (size(words, citizens.most_bytes)) "."
            }
            input #files name="files" type="file" multiple required accept=(TYPES)
                aria-describedby="files-hint" aria-invalid=[wrong.map(|_| "true")];
            button.main type="submit" { (words.of("Absenden", "Send")) }
            p.hint { (words.of(
                "Schicken Sie alles auf einmal: Danach gilt dieser Link nicht mehr.",
                "Send everything at once: this link is no longer valid afterwards.",
            )) }
        }
    })
}

fn asked_for(words: Words, page: &UploadPage) -> Markup {
    html! {
        dl {
            dt { (words.of("Es fehlt noch", "Still missing")) } dd { (page.what) }
            @if let Some(due) = page.due { dt { (words.of("Bitte bis", "Please by")) } dd { (words.date(due)) } }
        }
    }
}

fn thanks(words: Words, citizens: &Citizens) -> Response {
    let title = words.of("Danke, Ihre Unterlage ist da", "Thank you, your document has arrived");
    Page::new(words, citizens, title, "/citizen/").answer(&html! {
        div.good role="status" { p { (words.of(
            "Sie liegt jetzt bei Ihrem Vorgang. Sie müssen nichts weiter tun.",
            "It is with your case now. There is nothing more you need to do.",
        )) } }
        p { a.button href=(words.to("/citizen/")) { (words.of("Zum Stand Ihres Vorgangs", "To the status of your case")) } }
    })
}

fn status_of(wrong: &Wrong) -> StatusCode {
    match wrong {
        Wrong::Broker(Error::FileType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Wrong::Broker(Error::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        Wrong::Broker(Error::Harmful) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn because(words: Words, wrong: &Wrong) -> &'static str {
    match wrong {
        Wrong::Nothing => words.of("Bitte wählen Sie eine Datei aus.", "Please choose a file."),
        Wrong::TooMany => words.of("Es sind mehr als fünf Dateien.", "There are more than five files."),
        Wrong::Broker(Error::FileType) => words.of(
            "Eine Datei ist weder PDF noch JPEG, PNG oder TIFF. Es wurde nichts übernommen.",
            "A file is neither PDF nor JPEG, PNG or TIFF. Nothing was taken over.",
        ),
        Wrong::Broker(Error::TooLarge { .. }) => words.of(
            "Eine Datei ist zu groß. Es wurde nichts übernommen.",
            "A file is too large. Nothing was taken over.",
        ),
        Wrong::Broker(Error::Harmful) => words.of(
            "In einer Datei wurde Schadsoftware gefunden. Es wurde nichts übernommen.",
            "Malware was found in a file. Nothing was taken over.",
        ),
        Wrong::Form | Wrong::Broker(_) => words.of(
            "Die Übertragung brach ab. Bitte versuchen Sie es noch einmal.",
            "The transfer broke off. Please try again.",
        ),
    }
}
