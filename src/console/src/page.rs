//! What all pages have in common: the frame with its landmarks, the policy of what may be loaded, and what is said when something is wrong.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use broker::Error;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pages::{Language, Words, style_source};

use crate::nav::{self, Place, SECTIONS, Section};
use crate::visit::Visit;
use crate::{BASE, Console};

const STYLE: &str = include_str!("style.css");
/// Nothing is evaluated, no style is put in, nothing comes from elsewhere.
const SCRIPT_SETTINGS: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;
/// A letter in the colour of the house.
const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b4f6c"/><path d="M3 5h10v7H3zm0 0 5 4 5-4" fill="none" stroke="#fff" stroke-width="1.2"/></svg>"##;
const SCRIPT: &str = include_str!("../assets/htmx.min.js");

/// Everything comes from here, nothing runs but the script of the console, nothing is framed, forms go to this site alone. The style
/// stands in the page and is known by its digest.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = style_source(STYLE);
    let policy = format!(
        "default-src 'none'; style-src {style}; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// How a page looks to whoever has asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) words: Words,
    /// Who has signed in.
    pub(crate) visit: Option<Visit>,
    /// Name of the house.
    pub(crate) office: String,
    /// Path and query of this page without its language, for the link to the other one.
    pub(crate) here: String,
    /// Whether there is a page at this address; the answers to some forms have none, so they are not to be had in the other language.
    pub(crate) has_address: bool,
}

impl Look {
    pub(crate) fn of(console: &Console, request: &Request) -> Look {
        let uri = request.uri();
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let rest: Vec<_> = pairs.filter(|(name, _)| name != "lang").collect();
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        let here = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
        Look {
            words: Words::wanted(uri, request.headers()),
            visit: None,
            office: console.settings.office.clone(),
            here,
            has_address: true,
        }
    }

    /// That of a request that was let through.
    pub(crate) fn from(extensions: &Extensions) -> Look {
        extensions.get::<Look>().cloned().unwrap_or_else(|| Look {
            words: Words(Language::German),
            visit: None,
            office: String::new(),
            here: BASE.to_owned(),
            has_address: false,
        })
    }

    /// The one of two texts.
    pub(crate) fn of_two<'a>(&self, german: &'a str, english: &'a str) -> &'a str {
        self.words.of(german, english)
    }

    /// The address of a page below the console, in the same language. The path may have a query.
    pub(crate) fn to(&self, path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{BASE}{path}{sign}lang={}", self.words.tag())
    }

    /// The same for a path that ends with the name of a place in its page.
    pub(crate) fn to_anchor(&self, path: &str) -> String {
        match path.split_once('#') {
            Some((path, place)) => format!("{}#{place}", self.to(path)),
            None => self.to(path),
        }
    }

    /// Sent there after an act (POST, redirect, GET).
    pub(crate) fn onward(&self, path: &str) -> Response {
        Redirect::to(&self.to(path)).into_response()
    }

    /// The hidden field that makes a form one of the session's.
    pub(crate) fn form_token(&self) -> Markup {
        html! { @if let Some(visit) = &self.visit { input type="hidden" name="form" value=(visit.form); } }
    }

    /// Whether the page at a path lets the visitor in; what does not is not offered.
    pub(crate) fn enters(&self, path: &str) -> bool {
        let Some(visit) = &self.visit else { return false };
        nav::needs(path).is_some_and(|needs| needs.lets_in(&visit.caller))
    }

    /// A text that leads to a page; the text alone for whom that does not let in.
    pub(crate) fn link(&self, path: &str, text: &str) -> Markup {
        html! { @if self.enters(path) { a href=(self.to(path)) { (text) } } @else { (text) } }
    }
}

impl<S: Sync> FromRequestParts<S> for Look {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Look::from(&parts.extensions))
    }
}

/// A page: its title, which is its heading, and what it says.
pub(crate) fn page(look: &Look, title: &str, body: &Markup) -> Response {
    with_status(look, StatusCode::OK, title, body)
}

/// The same with another status.
pub(crate) fn with_status(look: &Look, status: StatusCode, title: &str, body: &Markup) -> Response {
    let text = whole(look, title, status.is_client_error() || status.is_server_error(), body).into_string();
    guarded(look, (status, text).into_response())
}

/// The same answer with what browsers have to know of it: language, and what it may do.
fn guarded(look: &Look, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(look.words.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    if let Some(policy) = &*POLICY {
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

fn whole(look: &Look, title: &str, wrong: bool, body: &Markup) -> Markup {
    let words = look.words;
    let wrong = if wrong { words.of("Fehler: ", "Error: ") } else { "" };
    html! {
        (DOCTYPE)
        html lang=(words.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                title { (wrong) (title) " – Amtsbote " (look.office) }
                style { (PreEscaped(STYLE)) }
                meta name="htmx-config" content=(SCRIPT_SETTINGS);
                link rel="icon" type="image/svg+xml" href={ (BASE) "/assets/icon.svg" };
                script src={ (BASE) "/assets/htmx.min.js" } defer {}
            }
            body {
                a.skip href="#main" { (words.of("Zum Inhalt", "Skip to content")) }
                (header(look))
                div.frame {
                    @if look.visit.is_some() { (navigation(look)) }
                    main #main tabindex="-1" { h1 { (title) } (body) }
                }
            }
        }
    }
}

fn header(look: &Look) -> Markup {
    let (words, other) = (look.words, look.words.other());
    let sign = if look.here.contains('?') { '&' } else { '?' };
    html! {
        header {
            a.house href=(look.to("/")) { strong { "Amtsbote" } " " span { (look.office) } }
            nav aria-label=(words.of("Sprache und Konto", "Language and account")) {
                @if look.has_address {
                    a hreflang=(other.tag()) lang=(other.tag()) href={ (look.here) (sign) "lang=" (other.tag()) } {
                        (other.of("Deutsch", "English"))
                    }
                }
                @if let Some(visit) = &look.visit {
                    a href=(look.to("/account")) { (visit.name) }
                    form method="post" action=(look.to("/sign-out")) {
                        (look.form_token())
                        button.plain type="submit" { (words.of("Abmelden", "Sign out")) }
                    }
                }
            }
        }
    }
}

/// The places of the visitor. On narrow screens they are folded in: without a script, by the style alone, behind the place where the page is.
fn navigation(look: &Look) -> Markup {
    let words = look.words;
    let here =
        SECTIONS.iter().flat_map(|section| section.places).find(|place| is_here(&look.here, place.path));
    html! {
        nav.places aria-label=(words.of("Hauptnavigation", "Main navigation")) {
            details.fold { summary {
                span.menu { (words.of("Menü", "Menu")) }
                @if let Some(here) = here { span { (words.of(here.german, here.english)) } }
            } }
            div { @for section in SECTIONS { (section_of(look, section)) } }
        }
    }
}

fn section_of(look: &Look, section: &Section) -> Markup {
    let words = look.words;
    let places: Vec<&Place> = section.places.iter().filter(|place| look.enters(place.path)).collect();
    html! {
        @if !places.is_empty() {
            p.section { (words.of(section.german, section.english)) }
            ul {
                @for place in places {
                    @let here = is_here(&look.here, place.path);
                    li { a href=(look.to(place.path)) aria-current=[here.then_some("page")] {
                        (words.of(place.german, place.english))
                    } }
                }
            }
        }
    }
}

/// Whether a page lies at or below a place.
fn is_here(here: &str, place: &str) -> bool {
    let path = here.split('?').next().unwrap_or_default();
    let rest = path.strip_prefix(BASE).and_then(|path| path.strip_prefix(place));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A message that something is wrong, at the top of what it is about.
pub(crate) fn alert(text: &str) -> Markup {
    html! { div.alert role="alert" { p { (text) } } }
}

/// A message that something was done.
pub(crate) fn done(text: &str) -> Markup {
    html! { div.good role="status" { p { (text) } } }
}

/// What stands where nothing is to be seen: why, and what comes here.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// What a page is for, folded in.
pub(crate) fn help(look: &Look, body: &Markup) -> Markup {
    html! { details.help { summary { (look.of_two("Was ist das?", "What is this?")) } (body) } }
}

/// Whoever has signed in may not see this.
pub(crate) fn forbidden(look: &Look) -> Response {
    let title = look.of_two("Das dürfen Sie hier nicht", "You may not do this");
    with_status(
        look,
        StatusCode::FORBIDDEN,
        title,
        &html! {
            p { (look.of_two(
                "Keine Ihrer Rollen erlaubt es. Wenden Sie sich an die Benutzerverwaltung Ihres Hauses.",
                "None of your roles allows it. Ask the user administration of your house.",
            )) }
        },
    )
}

/// There is no such page, or nothing by that id that the visitor may see.
pub(crate) fn missing(look: &Look) -> Response {
    let title = look.of_two("Das gibt es hier nicht", "There is no such thing here");
    with_status(
        look,
        StatusCode::NOT_FOUND,
        title,
        &html! {
            p { (look.of_two(
                "Entweder gibt es diese Seite nicht, oder sie liegt außerhalb Ihrer Zuständigkeit.",
                "Either there is no such page, or it lies outside of your responsibility.",
            )) }
        },
    )
}

/// A form that is not of this session, or not as our pages send them.
pub(crate) fn stale(look: &Look) -> Response {
    let title = look.of_two("Dieses Formular gilt nicht mehr", "This form is no longer valid");
    with_status(
        look,
        StatusCode::FORBIDDEN,
        title,
        &html! {
            p { (look.of_two(
                "Rufen Sie die Seite neu auf und versuchen Sie es noch einmal. Es wurde nichts geändert.",
                "Open the page again and try once more. Nothing was changed.",
            )) }
        },
    )
}

/// What the broker refused, or what failed.
pub(crate) fn failed(look: &Look, error: &Error) -> Response {
    match error {
        Error::Model(model::Error::NotFound { .. }) => missing(look),
        Error::Model(model::Error::Forbidden) => forbidden(look),
        error => {
            let status = if error.is_ours() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CONFLICT };
            if error.is_ours() {
                tracing::error!(code = error.code(), "a page could not be shown");
            }
            let title = look.of_two("Das geht gerade nicht", "This is not possible right now");
            with_status(look, status, title, &alert(&explained(look, error)))
        }
    }
}

/// Code and sentence of an error.
pub(crate) fn explained(look: &Look, error: &Error) -> String {
    let code = error.code();
    let sentence = model::catalog::sentence(code);
    format!("{} ({code})", sentence.map_or("", |it| look.of_two(&it.de, &it.en)))
}

/// Script and icon of the pages.
pub(crate) fn assets() -> Router<Console> {
    let icon = get(async || {
        let kind = (CONTENT_TYPE, "image/svg+xml");
        ([kind, (CACHE_CONTROL, "max-age=86400"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], ICON)
    });
    Router::new().route("/console/assets/icon.svg", icon).route(
        "/console/assets/htmx.min.js",
        get(async || {
            let kind = (CONTENT_TYPE, "text/javascript; charset=utf-8");
            ([kind, (CACHE_CONTROL, "max-age=86400"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], SCRIPT)
        }),
    )
}

/// A part of a page, for a script that puts it into its place.
pub(crate) fn part(look: &Look, body: &Markup) -> Response {
    guarded(look, body.clone().into_string().into_response())
}
