//! What all pages have in common: the frame with its landmarks, the policy of what may be loaded (nothing), dates and amounts as people
//! write them, and the language, which every link and form carries on in its address.

use std::sync::LazyLock;

use axum::http::header::{
    CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::{CitizenSession, Citizens};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pages::{Words, style_source};

const STYLE: &str = include_str!("style.css");

/// Seconds after which somebody may try again who tried too often.
const LATER_SECONDS: u64 = 600;

/// Nothing may be loaded, run or framed; forms go to this site alone. The style is known by its digest.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = style_source(STYLE);
    let policy = format!(
        "default-src 'none'; style-src {style}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// A page about to be answered.
pub(super) struct Page<'a> {
    pub(super) words: Words,
    pub(super) citizens: &'a Citizens,
    /// What it is about: its heading, and with the office the title of the document.
    pub(super) title: &'a str,
    /// Where the same is found in the other language.
    pub(super) path: &'a str,
    pub(super) session: Option<&'a CitizenSession>,
    pub(super) status: StatusCode,
}

impl<'a> Page<'a> {
    pub(super) fn new(words: Words, citizens: &'a Citizens, title: &'a str, path: &'a str) -> Self {
        Page { words, citizens, title, path, session: None, status: StatusCode::OK }
    }

    /// The whole page as an answer.
    pub(super) fn answer(self, body: &Markup) -> Response {
        let (status, tag) = (self.status, self.words.tag());
        let mut response = (status, self.whole(body).into_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(tag));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        if let Some(policy) = &*POLICY {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from(LATER_SECONDS));
        }
        response
    }

    fn whole(&self, body: &Markup) -> Markup {
        let (words, citizens) = (self.words, self.citizens);
        let failed = self.status.is_client_error();
        let wrong = if failed { words.of("Fehler: ", "Error: ") } else { "" };
        html! {
            (DOCTYPE)
            html lang=(words.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex, nofollow";
                    title { (wrong) (self.title) " – " (citizens.office) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { (words.of("Zum Inhalt", "Skip to content")) }
                    (self.header())
                    main #main tabindex="-1" {
                        h1 { (self.title) }
                        (body)
                    }
                    (self.footer())
                }
            }
        }
    }

    fn header(&self) -> Markup {
        let (words, other) = (self.words, self.words.other());
        html! {
            header {
                div.bar {
                    a.office href=(words.to("/citizen/")) { (self.citizens.office) }
                    nav aria-label=(words.of("Sprache und Sitzung", "Language and session")) {
                        a hreflang=(other.tag()) lang=(other.tag()) href=(other.to(self.path)) {
                            (other.of("Deutsch", "English"))
                        }
                        @if let Some(session) = self.session {
                            form method="post" action=(words.to("/citizen/logout")) {
                                (form_token(session))
                                button.plain type="submit" { (words.of("Abmelden", "Sign out")) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let (words, citizens) = (self.words, self.citizens);
        html! {
            footer {
                nav aria-label=(words.of("Über diese Seiten", "About these pages")) {
                    ul {
                        li { a href=(words.to("/citizen/accessibility")) {
                            (words.of("Barrierefreiheit", "Accessibility"))
                        } }
                        li { a href=(citizens.imprint) { (words.of("Impressum", "Imprint")) } }
                        li { a href=(citizens.privacy) { (words.of("Datenschutz", "Privacy")) } }
                    }
                }
            }
        }
    }
}

/// The hidden field that makes a form one of the session's.
pub(super) fn form_token(session: &CitizenSession) -> Markup {
    html! { input type="hidden" name="form" value=(session.form); }
}

/// A message that something is wrong, at the top of what it is about.
pub(super) fn alert(text: &str) -> Markup {
    html! { div.alert role="alert" { p { (text) } } }
}
