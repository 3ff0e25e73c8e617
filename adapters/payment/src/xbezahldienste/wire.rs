//! The objects of XBezahldienste 1.0.0: PaymentRequest, PaymentTransaction, SystemResponse. Amounts are decimals in JSON and cents here;
//! no floating point number ever stands between.

use std::collections::BTreeMap;

use model::payment::claim::{BookingLine, Payer};
use model::payment::provider::{Order, Started};
use model::payment::{EURO, Truth, TruthState};
use model::{Failure, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::macros::format_description;

use super::TRANSACTION_ID;
use crate::http::{Call, garbage};
use crate::text::{PURPOSE, cents, cut, euros, is_cash_reference, is_page, is_reference, written};

/// Limits of the standard: the amount in cents, items, texts in characters.
const MOST_CENTS: i64 = 99_999_900;
const ITEMS: usize = 99;
const TEXT: usize = 250;
const HOUSE_NUMBER: usize = 20;
const POSTAL_CODE: usize = 5;
const REFERENCE: usize = 36;

/// Under which keys of `bookingData` a service wants what the cash system books; agreed with each of them.
#[derive(Debug, Clone, Default)]
pub struct BookingKeys {
    /// Key of Haushaltsstelle or Produktsachkonto.
    pub budget_item: Option<String>,
    /// Key of Objekt or Kostenstelle.
    pub cost_object: Option<String>,
    /// Key of a Kassenzeichen that is known before.
    pub cash_reference: Option<String>,
}

/// An amount in cents, written in euros.
struct Euros(i64);

impl Serialize for Euros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(euros(self.0)).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Euros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        cents(raw.get()).map(Euros).ok_or_else(|| de::Error::custom("no amount in whole cents"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRequest<'a> {
    request_id: &'a str,
    request_timestamp: String,
    currency: &'a str,
    gros_amount: Euros,
    purpose: String,
    description: String,
    redirect_url: &'a str,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requestor: Option<Requestor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    description: String,
    tax_rate: Euros,
    quantity: u32,
    total_net_amount: Euros,
    total_tax_amount: Euros,
    single_net_amount: Euros,
    single_tax_amount: Euros,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    booking_data: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requestor {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    is_organization: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    address: BTreeMap<&'static str, String>,
}

/// The body that creates a transaction: the same order always makes the same bytes.
pub(super) fn request(order: &Order, keys: &BookingKeys) -> Result<String, Failure> {
    let why_not = |why: &str| Failure::permanent("payment.provider-order", why);
    let sum = order.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.amount_cents));
    if !(1..=MOST_CENTS).contains(&order.amount_cents) {
        return Err(why_not("the amount is not one that the standard can carry"));
    }
    if sum != Some(order.amount_cents) || !(1..=ITEMS).contains(&order.lines.len()) {
        return Err(why_not("the lines do not add up to the amount, or there are more than 99"));
    }
    let reference = order.cash_reference.as_deref();
    let item = |(at, line)| item(at, line, reference, keys);
    let request = PaymentRequest {
        request_id: &order.request_id,
        request_timestamp: millis(order.created_at),
        currency: EURO,
        gros_amount: Euros(order.amount_cents),
        purpose: purpose(&order.purpose),
        description: description(&order.purpose),
        redirect_url: &order.return_url,
        items: order.lines.iter().enumerate().map(item).collect(),
        requestor: order.payer.as_ref().map(requestor),
    };
    serde_json::to_string(&request).map_err(|_| why_not("the order cannot be written"))
}

fn item(at: usize, line: &BookingLine, reference: Option<&str>, keys: &BookingKeys) -> Item {
    let net = line.amount_cents - line.tax_cents;
    let booked = [
        (&keys.budget_item, line.budget_item.as_deref()),
        (&keys.cost_object, line.cost_object.as_deref()),
        (&keys.cash_reference, reference),
    ];
    let booked = booked.into_iter().filter_map(|(key, value)| Some((key.clone()?, cut(value?, TEXT))));
    Item {
        id: (at + 1).to_string(),
        reference: reference.filter(|it| is_reference(it, REFERENCE)).map(str::to_owned),
        description: description(&line.description),
        // Hundredths of a percent are written as hundredths of a euro are.
        tax_rate: Euros(i64::from(line.tax_rate)),
        quantity: 1,
        total_net_amount: Euros(net),
        total_tax_amount: Euros(line.tax_cents),
        single_net_amount: Euros(net),
        single_tax_amount: Euros(line.tax_cents),
        booking_data: booked.collect(),
    }
}

fn requestor(payer: &Payer) -> Requestor {
    let name = cut(&payer.name, TEXT);
    let (person, organisation) = if payer.organisation { (None, Some(name)) } else { (Some(name), None) };
    let fits = |value: &&String, most: usize| !value.is_empty() && value.chars().count() <= most;
    let country =
        payer.country.as_ref().filter(|it| it.len() == 2 && it.bytes().all(|it| it.is_ascii_uppercase()));
    let address = [
        ("street", payer.street.as_ref().filter(|it| fits(it, TEXT))),
        ("houseNumber", payer.house_number.as_ref().filter(|it| fits(it, HOUSE_NUMBER))),
        ("postalCode", payer.postal_code.as_ref().filter(|it| fits(it, POSTAL_CODE))),
        ("city", payer.city.as_ref().filter(|it| fits(it, TEXT))),
        ("country", country),
    ];
    Requestor {
        name: person,
        first_name: payer.first_name.as_deref().filter(|_| !payer.organisation).map(|it| cut(it, TEXT)),
        is_organization: payer.organisation,
        organization_name: organisation,
        address: address.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect(),
    }
}

/// The text of the transfer: letters, digits, blanks, hyphens and underscores.
fn purpose(text: &str) -> String {
    let purpose = written(text, PURPOSE, |char| char.is_ascii_alphanumeric() || "-_".contains(char));
    if purpose.is_empty() { "Zahlung".to_owned() } else { purpose }
}

/// What the pay page shows.
fn description(text: &str) -> String {
    let is_allowed = |char: char| {
        char.is_ascii_alphanumeric() || "-,.".contains(char) || ('\u{C0}'..='\u{17F}').contains(&char)
    };
    let description = written(text, TEXT, is_allowed);
    if description.is_empty() { "Zahlung".to_owned() } else { description }
}

fn millis(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1_000);
    let written = time.ok().and_then(|time| time.format(format).ok());
    written.unwrap_or_else(|| at.to_string())
}

/// A PaymentTransaction, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    payment_information: Information,
    payment_request: Option<Echo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Information {
    transaction_id: String,
    status: Status,
    transaction_redirect_url: Option<String>,
    transaction_reference: Option<String>,
    transaction_timestamp: Option<String>,
    payment_method: Option<String>,
    payment_method_detail: Option<String>,
}

/// `PAYED` is how the standard spells it.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Initial,
    Payed,
    Failed,
    Canceled,
}

/// What is repeated of our request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Echo {
    pub(super) request_id: String,
    currency: String,
    gros_amount: Euros,
}

impl Transaction {
    pub(super) fn echo(&self) -> Option<&Echo> {
        self.payment_request.as_ref()
    }

    /// The transaction as it was created. One that is not what was ordered is none that a payer may see.
    pub(super) fn started(self, order: &Order, base: &str, call: Call) -> Result<Started, Failure> {
        let is_ours = self.payment_request.as_ref().is_none_or(|echo| {
            (echo.request_id.as_str(), echo.currency.as_str()) == (order.request_id.as_str(), EURO)
                && echo.gros_amount.0 == order.amount_cents
        });
        let information = self.payment_information;
        let is_initial = information.status == Status::Initial;
        let page = information.transaction_redirect_url.filter(|url| is_initial && is_page(url, base));
        let is_sound = is_reference(&information.transaction_id, TRANSACTION_ID) && is_ours;
        if !is_sound || is_initial && page.is_none() && call == Call::Acting {
            return Err(garbage(call));
        }
        Ok(Started {
            reference: information.transaction_id,
            payment_url: page,
            cash_reference: known_reference(information.transaction_reference),
        })
    }

    /// Where the transaction stands; `None` if it does not say what it is about.
    pub(super) fn truth(self) -> Option<Truth> {
        let (echo, information) = (self.payment_request?, self.payment_information);
        let state = match information.status {
            Status::Initial => TruthState::Open,
            Status::Payed => TruthState::Paid,
            Status::Failed => TruthState::Failed,
            Status::Canceled => TruthState::Cancelled,
        };
        // The standard has five methods; what is none of them stands in the detail.
        let method = match information.payment_method.as_deref() {
            Some("OTHER") => information.payment_method_detail.or(information.payment_method),
            _ => information.payment_method,
        };
        let method = method
            .map(|it| written(&it, REFERENCE, |char| char.is_ascii_alphanumeric() || "-_".contains(char)));
        let paid_at = information.transaction_timestamp.as_deref().and_then(Timestamp::parse);
        Some(Truth {
            state,
            amount_cents: Some(echo.gros_amount.0),
            currency: Some(echo.currency),
            reference: Some(information.transaction_id),
            request_id: Some(echo.request_id),
            cash_reference: known_reference(information.transaction_reference),
            method: method.filter(|it| !it.is_empty()),
            paid_at: paid_at.filter(|_| state == TruthState::Paid),
            ..Truth::default()
        })
    }
}

/// A Kassenzeichen, or none: services send empty ones before they have one.
fn known_reference(told: Option<String>) -> Option<String> {
    told.filter(|reference| is_cash_reference(reference))
}

/// A SystemResponse, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemResponse {
    pub(super) functional_code: Option<Problem>,
}

/// `functionalCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Problem {
    NoValidOriginatorOrDestination,
    NoValidOriginatorOrEndpoint,
    PaymentExists,
    CalculationError,
    BookingDataMissing,
    ValidationError,
    Unspecified,
    Forbidden,
}

impl Problem {
    /// As the standard writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Problem::NoValidOriginatorOrDestination => "NO_VALID_ORIGINATOR_OR_DESTINATION",
            Problem::NoValidOriginatorOrEndpoint => "NO_VALID_ORIGINATOR_OR_ENDPOINT",
            Problem::PaymentExists => "PAYMENT_EXISTS",
            Problem::CalculationError => "CALCULATION_ERROR",
            Problem::BookingDataMissing => "BOOKING_DATA_MISSING",
            Problem::ValidationError => "VALIDATION_ERROR",
            Problem::Unspecified => "UNSPECIFIED",
            Problem::Forbidden => "FORBIDDEN",
        }
    }

    /// Whether our credentials or names are wrong.
    pub(super) fn is_about_us(self) -> bool {
        use Problem::{Forbidden, NoValidOriginatorOrDestination, NoValidOriginatorOrEndpoint};
        matches!(self, Forbidden | NoValidOriginatorOrDestination | NoValidOriginatorOrEndpoint)
    }

    /// Whether what was sent is wrong.
    pub(super) fn is_about_content(self) -> bool {
        use Problem::{BookingDataMissing, CalculationError, ValidationError};
        matches!(self, BookingDataMissing | CalculationError | ValidationError)
    }
}

#[cfg(test)]
mod tests {
    use model::ids::new_id;
    use serde_json::{Value, json};

    use super::*;

    fn line(amount_cents: i64, tax_cents: i64, tax_rate: u32) -> BookingLine {
        let description = "Gebühr (Grund) für 1 Jahr".into();
        let budget_item = Some("1.1100.1000".into());
        BookingLine { description, amount_cents, tax_cents, tax_rate, budget_item, cost_object: None }
    }

    fn order() -> Order {
        Order {
            payment_id: new_id(),
            request_id: "0193b2a0-0000-7000-8000-000000000001".into(),
            amount_cents: 3_075,
            purpose: "Gebühr: Fischereischein §4".into(),
            cash_reference: Some("4200000000061".into()),
            lines: vec![line(1_190, 190, 1_900), line(1_885, 0, 0)],
            payer: None,
            notify_url: "https://gw.example/payments/xb/notify/t".into(),
            return_url: "https://gw.example/payments/xb/return/t".into(),
            created_at: Timestamp::parse("2026-03-01T12:00:00.123456Z").unwrap(),
            deadline: Timestamp::parse("2026-03-01T13:00:00Z").unwrap(),
            due: None,
        }
    }

    #[test]
    fn an_order_becomes_a_request_of_exact_decimals_without_empty_fields() {
        let keys = BookingKeys { budget_item: Some("haushaltsstelle".into()), ..BookingKeys::default() };
        let text = request(&order(), &keys).unwrap();
        assert!(
            text.contains(r#""grosAmount":30.75,"#) && text.contains(r#""totalNetAmount":10.00,"#),
            "{text}"
        );
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["purpose"], "Gebuehr Fischereischein 4");
        assert_eq!(told["description"], "Gebühr Fischereischein 4");
        assert_eq!(told["requestTimestamp"], "2026-03-01T12:00:00.123Z");
        assert_eq!(told["redirectUrl"], "https://gw.example/payments/xb/return/t");
        let first = json!({
            "id": "1", "reference": "4200000000061", "description": "Gebühr Grund für 1 Jahr", "taxRate": 19.0,
            "quantity": 1, "totalNetAmount": 10.0, "totalTaxAmount": 1.9, "singleNetAmount": 10.0,
            "singleTaxAmount": 1.9, "bookingData": { "haushaltsstelle": "1.1100.1000" }
        });
        assert_eq!(told["items"][0], first);
        assert!(!text.contains("null") && !text.contains("{}") && told.get("requestor").is_none());
        assert_eq!(request(&order(), &keys).unwrap(), text, "the same order is the same request");
        let bare = request(&order(), &BookingKeys::default()).unwrap();
        assert!(!bare.contains("bookingData"), "{bare}");
    }

    #[test]
    fn a_payer_is_told_as_far_as_the_limits_go() {
        let city = Some("Musterstadt".to_owned());
        let payer =
            Payer { name: "Muster".into(), first_name: Some("Erika".into()), city, ..Payer::default() };
        let person =
            Payer { postal_code: Some("123456".into()), country: Some("de".into()), ..payer.clone() };
        let told = |payer: Payer| -> Value {
            let order = Order { payer: Some(payer), ..order() };
            serde_json::from_str::<Value>(&request(&order, &BookingKeys::default()).unwrap()).unwrap()["requestor"]
                .take()
        };
        let wanted = json!({ "name": "Muster", "firstName": "Erika", "isOrganization": false, "address": { "city": "Musterstadt" } });
        assert_eq!(told(person), wanted);
        let firm = Payer { organisation: true, city: None, ..payer };
        assert_eq!(told(firm), json!({ "isOrganization": true, "organizationName": "Muster" }));
    }

    #[test]
    fn what_does_not_add_up_is_not_sent() {
        let mut many = order();
        many.lines = vec![line(1, 0, 0); 100];
        many.amount_cents = 100;
        let less = Order { amount_cents: 3_074, ..order() };
        let large = Order { amount_cents: 99_999_901, lines: vec![line(99_999_901, 0, 0)], ..order() };
        for order in [many, less, large, Order { lines: vec![], ..order() }] {
            let failure = request(&order, &BookingKeys::default()).unwrap_err();
            assert_eq!(failure.code, "payment.provider-order");
        }
    }

    fn read(status: &str, change: impl Fn(&mut Value)) -> Option<Transaction> {
        let mut told = json!({
            "paymentInformation": {
                "transactionId": "tx-1", "status": status, "transactionRedirectUrl": "https://pay.example/p/1",
                "transactionReference": "", "transactionUrl": "https://pay.example/1", "somethingNew": 1
            },
            "paymentRequest": {
                "requestId": "0193b2a0-0000-7000-8000-000000000001", "currency": "EUR", "grosAmount": 30.75
            }
        });
        change(&mut told);
        serde_json::from_str(&told.to_string()).ok()
    }

    #[test]
    fn only_the_transaction_that_was_ordered_is_shown_to_a_payer() {
        let start =
            |transaction: Transaction| transaction.started(&order(), "https://pay.example", Call::Acting);
        let started = start(read("INITIAL", |_| ()).unwrap()).unwrap();
        let page = Some("https://pay.example/p/1".to_owned());
        assert_eq!(started, Started { reference: "tx-1".into(), payment_url: page, cash_reference: None });
        let ended = start(read("PAYED", |_| ()).unwrap()).unwrap();
        assert_eq!(ended.payment_url, None, "a page that is repeated after the end is none");
        let set = |place: &'static str, value: Value| {
            move |told: &mut Value| *told.pointer_mut(place).unwrap() = value.clone()
        };
        let wrong = [
            ("/paymentRequest/grosAmount", json!(0.01)),
            ("/paymentRequest/requestId", json!("other")),
            ("/paymentRequest/currency", json!("CHF")),
            ("/paymentInformation/transactionId", json!("..")),
            ("/paymentInformation/transactionRedirectUrl", json!("http://pay.example/p/1")),
        ];
        for (place, value) in wrong {
            let failure = start(read("INITIAL", set(place, value)).unwrap()).unwrap_err();
            assert_eq!(failure.code, "payment.provider-garbage", "{place}");
        }
    }

    #[test]
    fn a_state_is_what_the_standard_calls_it_and_nothing_is_guessed() {
        let paid = read("PAYED", |told| {
            let information = told["paymentInformation"].as_object_mut().unwrap();
            information.insert("paymentMethod".into(), json!("OTHER"));
            information.insert("paymentMethodDetail".into(), json!("WERO"));
            information.insert("transactionReference".into(), json!("4200000000061"));
            information.insert("transactionTimestamp".into(), json!("2026-03-01T13:00:00.000+01:00"));
        });
        let truth = paid.unwrap().truth().unwrap();
        assert_eq!((truth.state, truth.amount_cents), (TruthState::Paid, Some(3_075)));
        assert_eq!((truth.method.as_deref(), truth.currency.as_deref()), (Some("WERO"), Some(EURO)));
        assert_eq!(truth.cash_reference.as_deref(), Some("4200000000061"));
        assert_eq!(truth.paid_at, Timestamp::parse("2026-03-01T12:00:00Z"));
        let states = [
            ("INITIAL", TruthState::Open),
            ("FAILED", TruthState::Failed),
            ("CANCELED", TruthState::Cancelled),
        ];
        for (name, state) in states {
            assert_eq!(read(name, |_| ()).unwrap().truth().unwrap().state, state);
        }
        assert!(read("BOOKED", |_| ()).is_none() && read("paid", |_| ()).is_none());
        let without = |place: [&'static str; 2]| {
            read("PAYED", move |told| drop(told[place[0]].as_object_mut().unwrap().remove(place[1])))
        };
        assert!(without(["paymentRequest", "grosAmount"]).is_none());
        assert!(without(["paymentInformation", "status"]).is_none());
        let bare = read("PAYED", |told| drop(told.as_object_mut().unwrap().remove("paymentRequest")));
        assert!(bare.unwrap().truth().is_none(), "an answer without an amount is no truth");
        assert!(read("PAYED", |told| told["paymentRequest"]["grosAmount"] = json!(30.755)).is_none());
    }
}
