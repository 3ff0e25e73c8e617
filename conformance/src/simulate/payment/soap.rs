//! ePayBL (RPC/encoded SOAP 1.1) and epay21 (document SOAP 1.1), as far as the gateway and PHP's SOAP client call them. A simulator reads
//! requests by the names of their elements: it judges nobody.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Books, Call, Held, Interface, Reply, State, euros, new_name, reply};

const EPAYBL: &str = "http://www.bff.bund.de/ePayment";
const EPAY21: &str = "http://epay21.ekom21.de/service/v11";

/// First number of a Kassenzeichen that ePayBL makes.
const FIRST: usize = 4_200_000_000_061;

pub(super) fn answer(books: &mut Books, call: &Call) -> Option<Reply> {
    if call.method != Method::POST {
        return None;
    }
    let text = String::from_utf8_lossy(&call.body);
    let operation = operation(&text)?;
    if text.contains(EPAY21) {
        let body = epay21(books, &text, &operation, &call.base);
        return Some(envelope(EPAY21, &operation, &body));
    }
    text.contains(EPAYBL).then(|| envelope(EPAYBL, &operation, &epaybl(books, &text, &operation)))
}

fn epaybl(books: &mut Books, text: &str, operation: &str) -> String {
    if operation == "isAlive" {
        return format!("<isAliveReturn>{}</isAliveReturn>", result("+0000"));
    }
    if operation.starts_with("anlegenKassenzeichen") {
        let number = value(text, "kassenzeichen").unwrap_or_else(|| (FIRST + books.held.len()).to_string());
        let own =
            value(text, "EShopTransaktionsNr").or_else(|| value(text, "eShopKundenNr")).unwrap_or_default();
        let amount = cents(&value(text, "betrag").unwrap_or_default());
        let held = books.open(Interface::Epaybl, &number, &own, amount);
        held.order = json!({ "customer": value(text, "eShopKundenNr") });
        return format!(
            "<ret><ergebnis>{}</ergebnis><buchungsListe><kassenzeichen>{number}</kassenzeichen></buchungsListe></ret>",
            result("+0000")
        );
    }
    if operation == "lesenKassenzeichenInfo" {
        let number = value(text, "kassenzeichen").unwrap_or_default();
        return match books.by_reference(Interface::Epaybl, &number) {
            Some(held) => format!("<ret><ergebnis>{}</ergebnis>{}</ret>", result("+0000"), account(held)),
            None => format!("<ret><ergebnis>{}</ergebnis></ret>", result("-0699")),
        };
    }
    format!("<ret><ergebnis>{}</ergebnis></ret>", result("+0000"))
}

/// The account of a Kassenzeichen.
fn account(held: &Held) -> String {
    let paid = if held.state == State::Paid { held.amount_cents } else { 0 };
    let gone = if matches!(held.state, State::Cancelled | State::Expired) { held.amount_cents } else { 0 };
    let balance = held.amount_cents - gone - paid + held.charged_back_cents;
    let page = if matches!(held.state, State::Open | State::Pending) { "AKTIV" } else { "INAKTIV" };
    // Not every version tells it, so only where there is one.
    let returned = match held.charged_back_cents {
        0 => String::new(),
        cents => format!("<betragRuecklastschriften>{}</betragRuecklastschriften>", euros(cents)),
    };
    format!(
        "<kassenzeichen>{}</kassenzeichen><zahlverfahren>KREDITKARTE</zahlverfahren>\
         <betragHauptforderungen>{}</betragHauptforderungen><betragZahlungseingaenge>{}</betragZahlungseingaenge>\
         {returned}<betragStornos>{}</betragStornos><saldo>{}</saldo>\
         <waehrung>EUR</waehrung><paypageStatus><code>{page}</code></paypageStatus>",
        held.reference,
        euros(held.amount_cents),
        euros(paid),
        euros(gone),
        euros(balance),
    )
}

fn result(code: &str) -> String {
    format!(
        "<istOk>{}</istOk><EPaymentId>{}</EPaymentId><EPaymenTimestamp>2026-11-01T12:00:00Z</EPaymenTimestamp>\
         <text><code>{code}</code><kurzText>OK</kurzText></text>",
        code == "+0000",
        &new_name()[..12],
    )
}

fn epay21(books: &mut Books, text: &str, operation: &str, base: &str) -> String {
    let fine = "<Operation><Result><OK>true</OK></Result></Operation>";
    let body = match operation {
        "InitPayment" => {
            let own = value(text, "CallerPayID").unwrap_or_default();
            let amount = value(text, "Amount").and_then(|amount| amount.parse().ok()).unwrap_or(0);
            let reference = new_name();
            let held = books.open(Interface::Epay21, &reference, &own, amount);
            held.return_url = value(text, "ReturnURL").map(|url| url.replace("&amp;", "&"));
            format!("{fine}<PayPageInfo><PayPageUrl>{base}/paypage/{reference}</PayPageUrl></PayPageInfo>")
        }
        "GetPaymentStatus" => {
            match books.by_request(Interface::Epay21, &value(text, "SearchKey").unwrap_or_default()) {
                Some(held) => format!(
                    "{fine}<Payment><Type>none</Type><PayID>{}</PayID><CallerPayID>{}</CallerPayID><Status>{}</Status></Payment>",
                    held.reference,
                    held.request_id,
                    epay21_status(held.state),
                ),
                None => failed("P107"),
            }
        }
        "ConfirmPayment" => {
            let cancels = value(text, "Action").as_deref() == Some("cancel");
            match books.by_reference(Interface::Epay21, &value(text, "PayID").unwrap_or_default()) {
                Some(held) if cancels && held.state == State::Open => held.state = State::Cancelled,
                _ => {}
            }
            fine.to_owned()
        }
        _ => failed("X101"),
    };
    format!("<{operation}Result>{body}</{operation}Result>")
}

fn epay21_status(state: State) -> &'static str {
    match state {
        State::Open => "init",
        State::Pending => "started",
        State::Paid => "payed",
        State::Failed | State::Expired => "failed",
        State::Cancelled => "canceled",
    }
}

fn failed(code: &str) -> String {
    format!("<Operation><Result><OK>false</OK><ErrorCode>{code}</ErrorCode></Result></Operation>")
}

fn envelope(namespace: &str, operation: &str, body: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <soap:Body><n:{operation}Response xmlns:n=\"{namespace}\">{body}</n:{operation}Response></soap:Body></soap:Envelope>"
    );
    reply(StatusCode::OK, "text/xml; charset=utf-8", text)
}

/// The local name of the first element in the body of the envelope.
fn operation(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Body")?;
    let (_, rest) = rest.split_once('>')?;
    let (_, rest) = rest.split_once('<')?;
    let name = rest.split([' ', '>', '/', '\n']).next()?;
    Some(name.rsplit(':').next().unwrap_or(name).to_owned())
}

/// The text of the first element with a local name.
fn value(text: &str, name: &str) -> Option<String> {
    for (at, _) in text.match_indices(name) {
        let (before, rest) = (&text[..at], &text[at + name.len()..]);
        let opens = before.rsplit_once('<').is_some_and(|(_, prefix)| {
            prefix.is_empty()
                || prefix.ends_with(':')
                    && prefix[..prefix.len() - 1].bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if opens && rest.starts_with(['>', ' ']) {
            let (_, content) = rest.split_once('>')?;
            return content.split('<').next().map(str::to_owned).filter(|value| !value.is_empty());
        }
    }
    None
}

fn cents(euros: &str) -> i64 {
    let (whole, part) = euros.split_once('.').unwrap_or((euros, ""));
    let part: String = part.chars().chain("00".chars()).take(2).collect();
    whole.parse::<i64>().unwrap_or(0) * 100 + part.parse::<i64>().unwrap_or(0)
}
