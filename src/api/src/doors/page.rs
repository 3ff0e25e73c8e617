//! What a payer sees who comes back from a provider, where no portal takes over: how the payment stands, in German or English, with no
//! script and nothing from elsewhere. It follows BITV 2.0 (EN 301 549, WCAG 2.1 AA): one heading, words instead of colours,
//! contrast in both colour schemes, nothing that moves or ends by itself.

use std::sync::LazyLock;

use axum::http::header::{
    CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, RETRY_AFTER, VARY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broker::PayerSees;
use model::payment::{Payment, PaymentStatus};
use pages::{Language, style_source};

use super::RETRY_SECONDS;

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded, run, framed or sent from the page; its style is known by its digest.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = style_source(STYLE);
    let policy = format!(
        "default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// What the page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Paid,
    /// Some or all of it went back.
    GivenBack,
    /// The payer can still pay.
    Open,
    /// The payer has acted, and the outcome is not known; or somebody has to look at it.
    Pending,
    Failed,
    Cancelled,
    Expired,
    /// There is no such address.
    Unknown,
    /// It cannot be said now.
    NotNow,
}

impl Shown {
    /// All states, for tests.
    #[cfg(test)]
    pub(super) const ALL: [Shown; 9] = [
        Shown::Paid,
        Shown::GivenBack,
        Shown::Open,
        Shown::Pending,
        Shown::Failed,
        Shown::Cancelled,
        Shown::Expired,
        Shown::Unknown,
        Shown::NotNow,
    ];

    /// What is shown of a payment.
    pub(super) fn of(payment: &Payment) -> Shown {
        match payment.status {
            PaymentStatus::Paid => Shown::Paid,
            PaymentStatus::PartlyRefunded | PaymentStatus::Refunded | PaymentStatus::ChargedBack => {
                Shown::GivenBack
            }
            // Money may have come that does not fit: nobody should pay again before that is looked at.
            _ if payment.clearing.is_some() => Shown::Pending,
            PaymentStatus::Created | PaymentStatus::Started => Shown::Open,
            PaymentStatus::Pending => Shown::Pending,
            PaymentStatus::Failed => Shown::Failed,
            PaymentStatus::Cancelled => Shown::Cancelled,
            PaymentStatus::Expired => Shown::Expired,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Shown::Unknown => StatusCode::NOT_FOUND,
            Shown::NotNow => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        }
    }

    /// Word for the style.
    fn class(self) -> &'static str {
        match self {
            Shown::Paid => "good",
            Shown::Open | Shown::Pending | Shown::GivenBack => "open",
            _ => "bad",
        }
    }

    /// Heading and what follows from it.
    fn words(self, language: Language) -> (&'static str, &'static str) {
        match (self, language) {
            (Shown::Paid, Language::German) => (
                "Ihre Zahlung ist eingegangen",
                "Sie müssen nichts weiter tun und können dieses Fenster schließen.",
            ),
            (Shown::Paid, Language::English) => (
                "Your payment has been received",
                "You do not have to do anything else and may close this window.",
            ),
            (Shown::GivenBack, Language::German) => (
                "Ihre Zahlung wurde ganz oder teilweise zurückgezahlt",
                "Bei Fragen wenden Sie sich bitte an das Amt, das die Zahlung gefordert hat.",
            ),
            (Shown::GivenBack, Language::English) => (
                "Your payment has been given back in whole or in part",
                "If you have any questions, please ask the office that requested the payment.",
            ),
            (Shown::Open, Language::German) => (
                "Ihre Zahlung ist noch offen",
                "Wir haben noch keine Bestätigung erhalten. Wenn Sie schon bezahlt haben, warten Sie bitte einige Minuten \
                 und rufen Sie den Stand neu ab. Bezahlen Sie nicht ein zweites Mal.",
            ),
            (Shown::Open, Language::English) => (
                "Your payment is still open",
                "We have not received a confirmation yet. If you have already paid, please wait a few minutes and check \
                 again. Do not pay a second time.",
            ),
            (Shown::Pending, Language::German) => (
                "Ihre Zahlung wird noch geprüft",
                "Das kann einige Minuten, bei manchen Zahlungsarten auch Tage dauern. Bezahlen Sie nicht ein zweites Mal.",
            ),
            (Shown::Pending, Language::English) => (
                "Your payment is being checked",
                "This may take a few minutes, with some means of payment also days. Do not pay a second time.",
            ),
            (Shown::Failed, Language::German) => (
                "Die Zahlung hat nicht geklappt",
                "Wir haben kein Geld erhalten. Sie können die Zahlung dort, wo Sie sie begonnen haben, neu beginnen.",
            ),
            (Shown::Failed, Language::English) => (
                "The payment did not work",
                "We have not received any money. You can begin the payment again where you began it.",
            ),
            (Shown::Cancelled, Language::German) => (
                "Die Zahlung wurde abgebrochen",
                "Wir haben kein Geld erhalten. Sie können die Zahlung dort, wo Sie sie begonnen haben, neu beginnen.",
            ),
            (Shown::Cancelled, Language::English) => (
                "The payment was cancelled",
                "We have not received any money. You can begin the payment again where you began it.",
            ),
            (Shown::Expired, Language::German) => (
                "Die Zeit für diese Zahlung ist abgelaufen",
                "Wir haben kein Geld erhalten. Sie können die Zahlung dort, wo Sie sie begonnen haben, neu beginnen.",
            ),
            (Shown::Expired, Language::English) => (
                "The time for this payment is over",
                "We have not received any money. You can begin the payment again where you began it.",
            ),
            (Shown::Unknown, Language::German) => (
                "Diese Adresse gibt es nicht",
                "Bitte prüfen Sie, ob Sie die Adresse vollständig übernommen haben.",
            ),
            (Shown::Unknown, Language::English) => {
                ("There is no such address", "Please check whether the address is complete.")
            }
            (Shown::NotNow, Language::German) => (
                "Der Stand Ihrer Zahlung lässt sich gerade nicht abrufen",
                "Ihre Zahlung geht nicht verloren. Bitte rufen Sie den Stand in einigen Minuten neu ab.",
            ),
            (Shown::NotNow, Language::English) => (
                "The state of your payment cannot be shown right now",
                "Your payment is not lost. Please check again in a few minutes.",
            ),
        }
    }
}

/// The page as an answer.
pub(super) fn answer(shown: &Shown, seen: Option<&PayerSees>, language: Language) -> Response {
    let page = page(*shown, seen, language);
    let mut response = (shown.status(), page).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    if let Some(policy) = &*POLICY {
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    if *shown == Shown::NotNow {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    }
    response
}

fn page(shown: Shown, seen: Option<&PayerSees>, language: Language) -> String {
    let (heading, text) = shown.words(language);
    let office = seen.and_then(|seen| seen.office.as_deref()).map(escaped);
    let title = office.as_ref().map_or_else(|| heading.to_owned(), |office| format!("{heading} – {office}"));
    let office = office.map_or_else(String::new, |office| format!("<p class=\"office\">{office}</p>\n"));
    let facts = seen.map_or_else(String::new, |seen| facts(&seen.payment, language));
    let links = links(shown, seen, language);
    let (lang, class) = (language.tag(), shown.class());
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main class=\"{class}\">\n{office}<h1>{heading}</h1>\n<p>{text}</p>\n{facts}{links}</main>\n</body>\n\
         </html>\n"
    )
}

/// What a payer needs in order to ask somebody.
fn facts(payment: &Payment, language: Language) -> String {
    let amount = language.of("Betrag", "Amount");
    let number = language.of("Nummer der Zahlung, für Rückfragen", "Number of the payment, for questions");
    format!(
        "<dl>\n<dt>{amount}</dt>\n<dd>{}</dd>\n<dt>{number}</dt>\n<dd class=\"number\">{}</dd>\n</dl>\n",
        language.amount(payment.amount_cents),
        payment.meta.id,
    )
}

/// Where the payer may go from here.
fn links(shown: Shown, seen: Option<&PayerSees>, language: Language) -> String {
    let mut links = String::new();
    if matches!(shown, Shown::Open | Shown::Pending | Shown::NotNow) {
        // The same address without what the provider has put behind it.
        let again = language.of("Stand neu abrufen", "Check again");
        links.push_str(&format!("<p><a class=\"button\" href=\"?\">{again}</a></p>\n"));
    }
    let url = seen.and_then(|seen| seen.payment.payment_url.as_deref()).filter(|_| shown == Shown::Open);
    if let Some(url) = url.filter(|url| url.starts_with("https://")) {
        let pay = language.of("Noch nicht bezahlt: weiter zur Zahlung", "Not paid yet: go on to pay");
        links.push_str(&format!("<p><a href=\"{}\">{pay}</a></p>\n", escaped(url)));
    }
    links
}

/// Text for HTML, within elements and attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use model::testkit::{a_claim, a_payment};

    use super::*;

    #[test]
    fn what_others_have_written_stays_text() {
        let mut payment = a_payment(&a_claim(2_500));
        payment.status = PaymentStatus::Started;
        payment.payment_url = Some("https://pay.example/?a=\"><script>1</script>&b".into());
        let seen = PayerSees { payment: payment.clone(), office: Some("Amt <b>63</b> & 'mehr'".into()) };
        let html = page(Shown::of(&payment), Some(&seen), Language::German);
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(html.contains("Amt &lt;b&gt;63&lt;/b&gt; &amp; &#39;mehr&#39;"), "{html}");
        payment.payment_url = Some("javascript:alert(1)".into());
        let html = page(Shown::Open, Some(&PayerSees { payment, office: None }), Language::German);
        assert!(!html.contains("javascript:"), "{html}");
    }

    #[test]
    fn only_what_is_paid_is_said_to_be_paid() {
        for shown in Shown::ALL.into_iter().filter(|shown| *shown != Shown::Paid) {
            for language in [Language::German, Language::English] {
                let html = page(shown, None, language);
                assert!(!html.contains("eingegangen") && !html.contains("received<"), "{shown:?}");
            }
        }
    }

    /// Pages to look at: `AMTSBOTE_PAGES=FOLDER`.
    #[test]
    fn every_state_has_its_page_in_both_languages() {
        let mut payment = a_payment(&a_claim(123_450));
        payment.payment_url = Some("https://pay.example/kasse".into());
        let seen = PayerSees { payment, office: Some("Kreis Musterkreis".into()) };
        for shown in Shown::ALL {
            for language in [Language::German, Language::English] {
                let known = shown.status() == StatusCode::OK;
                let html = page(shown, Some(&seen).filter(|_| known), language);
                assert_eq!(html.matches("<h1>").count(), 1, "{html}");
                assert!(html.starts_with("<!DOCTYPE html>") && !html.contains("<script"), "{html}");
                assert_eq!(
                    html.contains("weiter zur Zahlung") || html.contains("go on to pay"),
                    shown == Shown::Open
                );
                if let Some(folder) = std::env::var_os("AMTSBOTE_PAGES") {
                    let name = format!("{shown:?}-{}.html", language.tag()).to_lowercase();
                    std::fs::write(std::path::Path::new(&folder).join(name), html).unwrap();
                }
            }
        }
    }
}
