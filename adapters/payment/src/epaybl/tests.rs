//! What ePayBL is told, against the sample of a client that is in use; what a balance means.

use std::path::Path;
use std::time::Duration;

use model::FailureKind;
use model::payment::provider::{Order, Truth, TruthState};
use model::payment::{BookingLine, Payer};
use model::{Timestamp, ids};
use proptest::prelude::*;
use xml::{Event, Limits, Reader};

use super::answer::{self, Info};
use super::{DataModel, NAMESPACE, Settings, codes, order};
use crate::http::Call;
use crate::soap::{self, Message, Part, Style};

fn settings() -> Settings {
    Settings {
        id: "epaybl".into(),
        service_url: "https://epay.example/soap/servlet/rpcrouter".into(),
        page_url: "https://epay.example/paypage/login.do".into(),
        mandant: "1610000000".into(),
        bewirtschafter: "42".into(),
        data_model: DataModel::Two,
        dunning: "01".into(),
        budget_item: Some("6963756938".into()),
        cost_object: None,
        booking_text: None,
        numbers_calls: false,
        window: Duration::from_secs(1_800),
        within: Duration::from_secs(20),
    }
}

fn line(cents: i64) -> BookingLine {
    let cost_object = Some("5736059964".into());
    BookingLine { description: "Gebuehr".into(), amount_cents: cents, cost_object, ..BookingLine::default() }
}

fn an_order() -> Order {
    let at = Timestamp::parse("2026-11-29T12:00:00Z").unwrap();
    Order {
        payment_id: ids::new_id(),
        request_id: "K1".into(),
        amount_cents: 2_500,
        purpose: "Gebühr".into(),
        cash_reference: None,
        lines: vec![line(2_500)],
        payer: None,
        notify_url: String::new(),
        return_url: "https://gw.example/return/abc".into(),
        created_at: at,
        deadline: at,
        due: Some("2026-12-01".into()),
    }
}

/// All that a reader of this message can see of it.
fn events(document: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(document, Limits::default());
    let mut events = vec![];
    loop {
        match reader.next().unwrap() {
            Event::Start(start) => {
                let mut attributes: Vec<_> = start
                    .attributes()
                    .map(|it| format!("{:?} {}={}", it.namespace, it.local, it.value))
                    .collect();
                attributes.sort();
                events.push(format!("<{:?} {} {attributes:?}", start.namespace(), start.local()));
            }
            Event::Text(text) if text.trim().is_empty() => {}
            Event::Text(text) => events.push(text.to_owned()),
            Event::End => events.push("end".to_owned()),
            Event::Eof => return events,
        }
    }
}

fn call(settings: &Settings, order: &Order) -> Vec<u8> {
    let mut parts = vec![Part::text("mandantNr", &settings.mandant)];
    parts.extend(order::kassenzeichen(settings, order));
    soap::message(NAMESPACE, Style::Encoded, "anlegenKassenzeichen", &parts).unwrap()
}

#[test]
fn our_call_is_read_like_that_of_a_client_in_use() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/samples/epayment/epaybl-anlegenKassenzeichen-request.xml");
    let Ok(sample) = std::fs::read(sample) else { return eprintln!("SKIPPED: ../shared is absent") };
    assert_eq!(events(&call(&settings(), &an_order())), events(&sample));
}

#[test]
fn what_is_optional_stands_in_its_place() {
    let settings = Settings { numbers_calls: true, data_model: DataModel::Three, ..settings() };
    let order = Order {
        cash_reference: Some("4200000000061".into()),
        lines: vec![line(1_000), line(1_500)],
        due: None,
        ..an_order()
    };
    let text = String::from_utf8(call(&settings, &order)).unwrap();
    let places = [
        "<EShopTransaktionsNr xsi:type=\"xsd:string\">",
        "<betrag xsi:type=\"xsd:decimal\">25.00</betrag>",
        "<buchungen xsi:type=\"ns1:BuchungList\"><buchungen xsi:type=\"ns1:Buchung\">",
        "<betrag xsi:type=\"xsd:decimal\">15.00</betrag>",
        "<faelligkeitsdatum xsi:type=\"xsd:dateTime\">2026-11-29T00:00:00Z</faelligkeitsdatum>",
        "<kassenzeichen xsi:type=\"xsd:string\">4200000000061</kassenzeichen>",
        "<kennzeichenMahnverfahren ",
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}")));
    assert!(places.is_sorted(), "{text}");
    assert_eq!(order::transaction(&order).len(), 30);
    assert_eq!(order::transaction(&order), order::transaction(&order));
}

#[test]
fn bookings_add_up_also_for_what_is_left_of_a_claim() {
    let order = Order { amount_cents: 700, lines: vec![line(1_000), line(1_500)], ..an_order() };
    let text = String::from_utf8(call(&settings(), &order)).unwrap();
    assert_eq!(text.matches(">7.00</betrag>").count(), 2, "{text}");
    assert!(text.contains("ns1:Buchung[1]"), "{text}");
}

#[test]
fn a_customer_has_a_name_of_few_letters_and_a_number_that_nobody_guesses() {
    let name = "Großmann-Łukaszewicz & Söhne Verwaltungsgesellschaft".to_owned();
    let order = Order { payer: Some(Payer { name, ..Payer::default() }), ..an_order() };
    let parts = order::customer(&settings(), &order);
    let text = soap::message(NAMESPACE, Style::Encoded, "anlegenKunde", &parts).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(">Grossmann-Lukaszewicz + Soe</nachname>"), "{text}");
    assert!(
        text.contains("<EShopKundenNr xsi:type=\"xsd:string\">K1<") && !text.contains("vorname"),
        "{text}"
    );
}

/// An answer with what `lesenKassenzeichenInfo` returns.
fn answered(inner: &str) -> Message {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <n:xResponse xmlns:n=\"{NAMESPACE}\"><ret>{inner}</ret></n:xResponse></s:Body></s:Envelope>"
    );
    Message::read(envelope.as_bytes()).unwrap()
}

#[test]
fn both_data_models_say_what_became_of_a_call() {
    let code = |inner: &str| {
        let message = answered(inner);
        answer::successful(&message, Call::Acting)
            .map(|_| ())
            .map_err(|failure| (failure.kind, failure.detail))
    };
    let three =
        "<ergebnis><istOk>false</istOk><text><code>-0506</code><kurzText>geheim</kurzText></text></ergebnis>";
    let two = "<ergebnis><istOk>0</istOk><code>-0506</code><kurzText>geheim</kurzText></ergebnis>";
    for inner in [three, two] {
        let (kind, detail) = code(inner).unwrap_err();
        assert_eq!(kind, FailureKind::Rejected);
        assert_eq!(detail, "ePayBL refused the call: -0506, the sum is not that of the bookings");
    }
    for good in [
        "<ergebnis><istOk>true</istOk><text><code>+0000</code></text></ergebnis>",
        "<ergebnis><istOk>1</istOk><code>+0000</code></ergebnis>",
        "<istOk>true</istOk>",
    ] {
        assert_eq!(code(good), Ok(()), "{good}");
    }
    for garbage in [
        "<ergebnis/>",
        "<ergebnis><istOk>ja</istOk></ergebnis>",
        "<ergebnis><istOk>true</istOk><istOk>false</istOk></ergebnis>",
        "<ergebnis><istOk>true</istOk><code>-0506</code></ergebnis>",
    ] {
        assert_eq!(code(garbage).unwrap_err().0, FailureKind::Uncertain, "{garbage}");
    }
}

#[test]
fn each_code_leads_to_whoever_has_to_act() {
    use FailureKind::{Rejected, Transient, Unauthorised, Uncertain};
    for (code, asking, acting) in [
        ("-0012", Unauthorised, Unauthorised),
        ("-0020", Unauthorised, Unauthorised),
        ("-0305", Unauthorised, Unauthorised),
        ("-0506", Rejected, Rejected),
        ("-0517", Rejected, Rejected),
        ("-0520", Uncertain, Uncertain),
        ("-0531", Uncertain, Uncertain),
        ("-0611", Rejected, Rejected),
        ("-9970", Transient, Uncertain),
        ("-9999", Transient, Uncertain),
        ("+9999", Rejected, Rejected),
        ("<b>", Rejected, Rejected),
    ] {
        let kinds = [Call::Asking, Call::Acting].map(|call| codes::refusal(code, call).kind);
        assert_eq!(kinds, [asking, acting], "{code}");
    }
    assert!(!codes::refusal("-05<b", Call::Asking).detail.contains('<'));
}

fn info() -> Info {
    Info {
        kassenzeichen: "4200000000061".into(),
        claimed: 2_500,
        currency: "EUR".into(),
        page_is_over: true,
        ..Info::default()
    }
}

fn said(info: Info) -> (TruthState, Option<i64>, Option<i64>) {
    let Truth { state, amount_cents, charged_back_cents, .. } = info.truth();
    (state, amount_cents, charged_back_cents)
}

#[test]
fn a_balance_means_what_the_money_says() {
    use TruthState::{Cancelled, Open, Paid, Pending};
    let paid = Info { paid: 2_500, ..info() };
    assert_eq!(said(paid.clone()), (Paid, Some(2_500), Some(0)));
    assert_eq!(said(Info { page_is_over: false, ..paid.clone() }), (Pending, None, None), "still at it");
    assert_eq!(said(Info { paid: 3_000, balance: -500, ..info() }), (Paid, Some(3_000), Some(0)), "too much");
    assert_eq!(
        said(Info { paid: 1_000, balance: 1_500, ..info() }),
        (Paid, Some(1_000), Some(0)),
        "part of it"
    );
    assert_eq!(said(Info { balance: 2_500, ..info() }), (Pending, None, None));
    assert_eq!(said(Info { balance: 2_500, page_is_over: false, ..info() }), (Open, None, None));
    assert_eq!(said(Info { cancelled: 2_500, ..info() }), (Cancelled, None, None), "balanced, but not paid");
    let late = Info { cancelled: 2_500, balance: -2_500, ..paid.clone() };
    assert_eq!(
        said(late),
        (Paid, Some(2_500), Some(0)),
        "money for a claim that was cancelled came all the same"
    );
    let back = Info { returned: 2_500, balance: 2_500, ..paid };
    assert_eq!(said(back.clone()), (Paid, Some(2_500), Some(2_500)));
    assert_eq!(said(Info { paid: 0, ..back }), (Paid, Some(2_500), Some(2_500)), "taken off the payments");
    assert_eq!(said(Info { debited: 2_500, ..info() }), (Paid, Some(2_500), Some(0)), "a direct debit");
    assert_eq!(said(Info { debited: 2_500, balance: 2_500, ..info() }), (Pending, None, None));
}

#[test]
fn an_answer_that_lacks_anything_is_none() {
    let parts = [
        ("kassenzeichen", "4200000000061"),
        ("betragHauptforderungen", "25.00"),
        ("betragZahlungseingaenge", "25.0"),
        ("saldo", "0"),
        ("waehrung", "EUR"),
    ];
    let inner = |left_out: &str, replaced: (&str, &str)| {
        let mut inner = String::new();
        for (name, value) in parts.into_iter().filter(|(name, _)| *name != left_out) {
            let value = if name == replaced.0 { replaced.1 } else { value };
            inner.push_str(&format!("<{name}>{value}</{name}>"));
        }
        if left_out != "paypageStatus" {
            inner.push_str("<paypageStatus><code>INAKTIV</code></paypageStatus>");
        }
        inner
    };
    let read = |inner: String| {
        let message = answered(&inner);
        answer::info(message.returned().unwrap())
    };
    assert_eq!(read(inner("", ("", ""))), Ok(Info { paid: 2_500, ..info() }));
    for (name, _) in parts.into_iter().chain([("paypageStatus", "")]) {
        assert_eq!(read(inner(name, ("", ""))).unwrap_err().kind, FailureKind::Transient, "{name}");
    }
    for (name, value) in [
        ("saldo", "0,00"),
        ("saldo", "1e99"),
        ("betragZahlungseingaenge", "-25.00"),
        ("betragZahlungseingaenge", "25.001"),
        ("betragHauptforderungen", "<x/>"),
    ] {
        assert!(read(inner("", (name, value))).is_err(), "{name} {value}");
    }
    let storno = format!("{}<betragStornos>-25.00</betragStornos>", inner("", ("", "")));
    assert_eq!(read(storno).unwrap().cancelled, 2_500, "in either sign");
}

fn any_info() -> impl Strategy<Value = Info> {
    let cents = || 0_i64..10_000;
    (cents(), cents(), cents(), cents(), cents(), -10_000_i64..10_000, any::<bool>()).prop_map(
        |(claimed, paid, debited, returned, cancelled, balance, page_is_over)| Info {
            claimed,
            paid,
            debited,
            returned,
            cancelled,
            balance,
            page_is_over,
            ..info()
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_paid_before_money_came_and_the_page_is_over(info in any_info()) {
        let truth = info.clone().truth();
        let money = info.paid + info.debited + info.returned;
        if truth.state == TruthState::Paid {
            prop_assert!(info.page_is_over && money > 0);
            prop_assert!(truth.amount_cents.is_some_and(|cents| (1..=money).contains(&cents)));
            prop_assert!(truth.charged_back_cents <= truth.amount_cents);
        } else {
            prop_assert_eq!((truth.amount_cents, truth.charged_back_cents), (None, None));
            prop_assert!(!info.page_is_over || info.paid == 0);
        }
    }

    #[test]
    fn any_document_is_a_message_or_garbage(text in "[<>/a-z:=\" &;!\\[\\]]{0,200}") {
        let _ = Message::read(text.as_bytes());
    }

    #[test]
    fn any_text_becomes_a_call_that_can_be_read(text in "\\PC{0,80}", cents in 1_i64..99_999_999) {
        let line = BookingLine { description: text.clone(), amount_cents: cents, ..BookingLine::default() };
        let payer = Some(Payer { name: text.clone(), first_name: Some(text), ..Payer::default() });
        let order = Order { amount_cents: cents, lines: vec![line], payer, ..an_order() };
        prop_assert!(Message::read(&call(&settings(), &order)).is_ok());
        let parts = order::customer(&settings(), &order);
        let message = soap::message(NAMESPACE, Style::Encoded, "anlegenKunde", &parts);
        prop_assert!(Message::read(&message.unwrap()).is_ok());
    }
}
