//! What ePayBL is told: a customer (Kunde) that is used once, and the Buchungsliste of a Kassenzeichen. Names, types and order are those of
//! clients that are in use; so are the lengths.

use model::payment::EURO;
use model::payment::claim::BookingLine;
use model::payment::provider::Order;
use seal::sha256;

use super::{DataModel, Settings};
use crate::soap::Part;
use crate::text;

/// Longest name of a customer.
const NAME: usize = 27;

/// Longest Buchungstext: the pay page makes the text of the transfer of it, 27 characters with the Kassenzeichen and a slash.
const BOOKING_TEXT: usize = 13;

/// Longest Haushaltsstelle and Objektnummer.
const ACCOUNT: usize = 10;

/// Hexadecimal digits of a transaction number.
const TRANSACTION: usize = 30;

/// Parameters of `anlegenKunde` behind the Mandant. The number of the customer is our name for the payment: nobody can guess it, as
/// anybody could guess a Kassenzeichen.
pub(super) fn customer(settings: &Settings, order: &Order) -> Vec<Part> {
    let payer = order.payer.as_ref();
    let name = payer.map(|payer| text::sepa(&payer.name, NAME)).filter(|name| !name.is_empty());
    let mut parts = vec![Part::text("nachname", name.unwrap_or_else(|| "Zahlende Person".to_owned()))];
    let first = payer.and_then(|payer| payer.first_name.as_deref()).map(|first| text::sepa(first, NAME));
    parts.extend(first.filter(|first| !first.is_empty()).map(|first| Part::text("vorname", first)));
    parts.push(Part::text("EShopKundenNr", &order.request_id));
    parts.push(Part::text("sprache", "de"));
    vec![Part::text("bewirtschafterNr", &settings.bewirtschafter), Part::object("kunde", "ns1:Kunde", parts)]
}

/// Parameters of `anlegenKassenzeichen` behind the Mandant.
pub(super) fn kassenzeichen(settings: &Settings, order: &Order) -> Vec<Part> {
    let amount = text::euros(order.amount_cents);
    let mut list = vec![];
    if settings.numbers_calls {
        list.push(Part::text("EShopTransaktionsNr", transaction(order)));
    }
    list.push(Part::typed("betrag", "xsd:decimal", amount));
    list.push(Part::text("bewirtschafterNr", &settings.bewirtschafter));
    list.push(bookings(settings, order));
    list.push(Part::typed("faelligkeitsdatum", "xsd:dateTime", due(order)));
    list.extend(order.cash_reference.as_ref().map(|it| Part::text("kassenzeichen", it)));
    list.push(Part::text("kennzeichenMahnverfahren", &settings.dunning));
    list.push(Part::text("waehrungskennzeichen", EURO));
    vec![
        // With a small letter here, with a capital one in the customer.
        Part::text("eShopKundenNr", &order.request_id),
        Part::object("buchungsListe", "ns1:BuchungsListe", list),
    ]
}

/// Our number of the call: at most 30 characters, so a digest of our name for the payment, which is longer.
pub(super) fn transaction(order: &Order) -> String {
    let mut number = sha256(&[b"epaybl", order.request_id.as_bytes()]).to_string();
    number.truncate(TRANSACTION);
    number
}

fn due(order: &Order) -> String {
    let day = order.due.clone().unwrap_or_else(|| order.created_at.to_string());
    format!("{}T00:00:00Z", day.get(..10).unwrap_or(&day))
}

fn bookings(settings: &Settings, order: &Order) -> Part {
    let sum: i64 = order.lines.iter().map(|line| line.amount_cents).sum();
    // What is left of a claim that was partly paid has no lines of its own.
    let rest =
        BookingLine { amount_cents: order.amount_cents, ..order.lines.first().cloned().unwrap_or_default() };
    let lines = if sum == order.amount_cents { &order.lines[..] } else { std::slice::from_ref(&rest) };
    let all = |name| lines.iter().map(|line| booking(name, settings, line)).collect();
    match settings.data_model {
        DataModel::Two => Part::array("buchungen", "ns1:Buchung", all("item")),
        DataModel::Three => Part::object("buchungen", "ns1:BuchungList", all("buchungen")),
    }
}

fn booking(name: &'static str, settings: &Settings, line: &BookingLine) -> Part {
    let account = |own: &Option<String>, other: &Option<String>| {
        let value = own.as_ref().or(other.as_ref()).map(String::as_str).unwrap_or_default();
        value.chars().take(ACCOUNT).collect::<String>()
    };
    let about = settings.booking_text.as_deref().unwrap_or(&line.description);
    let parts = vec![
        Part::typed("betrag", "xsd:decimal", text::euros(line.amount_cents)),
        Part::text("buchungstext", booking_text(about)),
        Part::text("haushaltsstelle", account(&line.budget_item, &settings.budget_item)),
        Part::text("objektnummer", account(&line.cost_object, &settings.cost_object)),
    ];
    Part::object(name, "ns1:Buchung", parts)
}

/// Capital letters, digits and the few signs that a Buchungstext may have.
fn booking_text(text: &str) -> String {
    let is_allowed =
        |char: &char| char.is_ascii_uppercase() || char.is_ascii_digit() || " ,.:/+&-*$%ÄÖÜß".contains(*char);
    let upper = text.chars().flat_map(|char| {
        let stays = char == 'ß';
        let upper = (!stays).then(|| char.to_uppercase());
        upper.into_iter().flatten().chain(stays.then_some(char))
    });
    let text: String = upper.filter(is_allowed).take(BOOKING_TEXT).collect();
    match text.trim() {
        "" => "GEBUEHR".to_owned(),
        text => text.to_owned(),
    }
}
