//! Documents: their files, previews that run nothing, and files to be fetched.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use broker::{Error, Payload};
use maud::{Markup, html};
use model::case::{Document, File};
use model::rights::Action;
use model::{Id, Record, RecordKind};

use super::bytes::Shown;
use super::parts::{answer, help, just_done, size, titled};
use super::{fate, post, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::page::{self, Look};
use crate::visit::Visit;

/// First bytes of a file that are written out.
const TEXT: u64 = 256 * 1024;
/// The policy of bytes that came from outside.
const POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'self'";
/// First bytes by which it is decided how a file is shown.
const START: u64 = 4 * 1024;

/// `GET /console/documents/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(document): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, (document, &asked)).await)
}

async fn read(console: &Console, visit: &Visit, id: Id) -> Result<Document, Error> {
    match console.broker.record(&visit.caller, RecordKind::Document, id).await? {
        Record::Document(document) => Ok(document),
        _ => Err(model::Error::NotFound { kind: "document" }.into()),
    }
}

fn title<'a>(look: &'a Look, document: &'a Document) -> &'a str {
    let title = document.description.title.trim();
    if title.is_empty() { look.of_two("Dokument ohne Titel", "Document without a title") } else { title }
}

async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<Response, Error> {
    let document = read(console, visit, id).await?;
    let record = Record::Document(document.clone());
    let fate = fate::of_record(console, look, visit, &record).await?;
    let parent = match document.parent {
        Some(parent) => post::seen(console, visit, parent).await?,
        None => None,
    };
    let day = |day: &Option<String>| day.as_deref().map(|day| look.words.day(day));
    let body = html! {
        (just_done(look, asked))
        (help(look, (
            "Alle Fassungen, die neueste zuerst. Angesehen wird eine Datei nur, wenn darin nichts ausgeführt werden kann; herunterladen lässt sich jede.",
            "All versions, the newest first. A file is shown only if nothing in it can run; any of them can be downloaded.",
        )))
        dl.card {
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::record(document.status.name()))) }
            @if let Some(parent) = &parent { dt { (look.of_two("Liegt in", "Lies in")) } dd { (titled(look, parent)) } }
            @if let Some(kind) = &document.kind { dt { (look.of_two("Dokumenttyp", "Kind")) } dd { (kind) } }
            @if let Some(day) = day(&document.dates.received) { dt { (look.of_two("Eingang", "Received")) } dd { (day) } }
            @if let Some(day) = day(&document.dates.written) { dt { (look.of_two("Datum", "Date")) } dd { (day) } }
        }
        @if document.versions.is_empty() { (page::empty(look.of_two("Noch keine Datei.", "No file yet."))) }
        @for version in document.versions.iter().rev() {
            h2 { (look.of_two("Version ", "Version ")) (version.number) }
            (files(look, visit, &document, &version.number))
        }
        (fate)
    };
    Ok(page::page(look, title(look, &document), &body))
}

/// The files of one version, with the ways to see and to fetch them.
fn files(look: &Look, visit: &Visit, document: &Document, number: &str) -> Markup {
    let reads = visit.caller.may(Action::ReadContent).is_ok();
    let files = document.versions.iter().filter(|it| it.number == number).flat_map(|it| &it.files);
    html! {
        ul { @for file in files {
            li {
                (name(file))
                @if let Some(content) = &file.content {
                    " (" (size(look, content.size)) ")"
                    @if reads {
                        " " a href=(look.to(&at(document, "preview", number, file))) { (look.of_two("ansehen", "show")) }
                        " " a href=(look.to(&at(document, "file", number, file))) { (look.of_two("herunterladen", "download")) }
                    }
                } @else { " " span.hint { (look.of_two("Inhalt nicht hier", "content not here")) } }
            }
        } }
    }
}

fn name(file: &File) -> &str {
    file.original_name.as_deref().unwrap_or(&file.name)
}

fn at(document: &Document, act: &str, version: &str, file: &File) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("version", version).append_pair("name", &file.name);
    format!("/documents/{}/{act}?{}", document.meta.id, query.finish())
}

/// A document on the page of what it came with: its newest files.
pub(super) fn card(look: &Look, visit: &Visit, record: &Record) -> Markup {
    let Record::Document(document) = record else { return html! {} };
    html! {
        div.card {
            h3 { (titled(look, record)) }
            @match document.versions.last() {
                Some(version) => (files(look, visit, document, &version.number)),
                None => p.hint { (look.of_two("Noch keine Datei.", "No file yet.")) },
            }
        }
    }
}

/// `GET /console/documents/{id}/preview`.
pub(super) async fn preview(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(document): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_preview(&console, &look, &visit, (document, &asked)).await)
}

async fn content(
    console: &Console,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<(File, Payload), Error> {
    console.broker.content(&visit.caller, id, asked.get("version"), asked.get("name")).await
}

/// The first bytes of a file.
async fn start(payload: &Payload, most: u64) -> Result<Vec<u8>, Error> {
    let bytes = usize::try_from(payload.size().min(most)).unwrap_or_default();
    Ok(payload.read_at(0, bytes).await?.to_vec())
}

async fn try_preview(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<Response, Error> {
    let document = read(console, visit, id).await?;
    let (file, payload) = content(console, visit, (id, asked)).await?;
    let shown = Shown::of(&start(&payload, START).await?);
    let number = asked.get("version").or(document.versions.last().map(|it| it.number.as_str()));
    let number = number.unwrap_or_default();
    let source = look.to(&at(&document, "shown", number, &file));
    let written = match shown {
        Shown::Text => start(&payload, TEXT).await?,
        _ => vec![],
    };
    let caption = look.of_two("Vorschau: ", "Preview: ").to_owned() + name(&file);
    let body = html! {
        (help(look, (
            "Eine Datei, ohne sie zu öffnen: gezeigt werden PDF, Bilder und Text, und nichts darin wird ausgeführt. Alles andere lässt sich herunterladen.",
            "A file without opening it: PDF, pictures and text are shown, and nothing in them runs. Anything else can be downloaded.",
        )))
        p { a href=(look.to(&format!("/documents/{}", document.meta.id))) { (title(look, &document)) }
            " · " (name(&file)) " (" (size(look, payload.size())) ")" }
        p.acts {
            a.button href=(look.to(&at(&document, "file", number, &file))) { (look.of_two("Herunterladen", "Download")) }
            @if shown == Shown::Pdf {
                a.button href=(source) target="_blank" rel="noopener" { (look.of_two("In eigenem Fenster ansehen", "Show in a window of its own")) }
            }
        }
        @match shown {
            Shown::Pdf => iframe.preview src=(source) title=(caption) {},
            Shown::Picture(_) => img.preview src=(source) alt=(caption);,
            Shown::Text => {
                pre.preview tabindex="0" role="region" aria-label=(caption) { (String::from_utf8_lossy(&written).trim_start_matches('\u{feff}')) }
                @if payload.size() > TEXT { p.hint { (look.of_two("Nur der Anfang ist gezeigt.", "Only the beginning is shown.")) } }
            },
            Shown::Nothing => (page::empty(look.of_two(
                "Diese Datei kann hier nicht sicher gezeigt werden. Sie können sie herunterladen.",
                "This file cannot be shown safely here. You can download it.",
            ))),
        }
    };
    Ok(page::page(look, &caption, &body))
}

/// `GET /console/documents/{id}/shown`: the bytes of what a browser may show, under a policy of their own that lets nothing run.
pub(super) async fn shown(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(document): PathId,
    asked: Asked,
) -> Response {
    let outcome = async {
        let (file, payload) = content(&console, &visit, (document, &asked)).await?;
        let kind = Shown::of(&start(&payload, START).await?).media_type();
        let kind = kind.ok_or(model::Error::NotFound { kind: "preview" })?;
        Ok(bytes(&payload, kind, ("inline", name(&file))))
    };
    answer(&look, outcome.await)
}

/// `GET /console/documents/{id}/file`: the bytes to be kept, whatever they are.
pub(super) async fn file(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(document): PathId,
    asked: Asked,
) -> Response {
    let outcome = async {
        let (file, payload) = content(&console, &visit, (document, &asked)).await?;
        Ok(download(&payload, name(&file)))
    };
    answer(&look, outcome.await)
}

/// Bytes that a browser keeps and never shows.
pub(super) fn download(payload: &Payload, name: &str) -> Response {
    bytes(payload, "application/octet-stream", ("attachment", name))
}

/// Bytes under a policy that lets nothing run. The attribute `sandbox` of a frame would keep browsers from showing PDF; the same said by
/// the policy of the bytes does not, and holds in a window of their own, too.
fn bytes(payload: &Payload, kind: &'static str, (how, name): (&str, &str)) -> Response {
    let mut response = Body::from_stream(payload.stream(0..payload.size())).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_LENGTH, payload.size().to_string()),
        (CONTENT_DISPOSITION, disposition(how, name)),
        (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// What becomes of bytes in a browser (RFC 6266), with their name in UTF-8 (RFC 8187).
fn disposition(how: &str, name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    format!("{how}; filename*=UTF-8''{}", name.bytes().map(encode).collect::<String>())
}
