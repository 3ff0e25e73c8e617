//! Files as a cash system gets them: judged by the schema, read by others' readers, the same bytes each time.

use std::path::Path;
use std::process::Command;

use model::payment::cash::{CashFormat, FileHead};
use model::payment::{Booking, BookingKind, BookingLine, BookingState};
use model::{Id, Timestamp};

use super::{Charset, Column, Csv, CsvSettings, Defaults, Field, Json, LineEnd, Signs, Xml};

fn id(number: u128) -> Id {
    Id::from_u128(number)
}

fn head() -> FileHead {
    let at = Timestamp::parse("2026-11-24T05:00:00Z").unwrap();
    FileHead { tenant: "musterkreis".into(), account: "gebuehren".into(), number: 7, at }
}

fn defaults() -> Defaults {
    Defaults { budget_item: Some("11.1.01.431100".into()), cost_object: Some("KST 63".into()) }
}

fn booking(kind: BookingKind, amount_cents: i64) -> Booking {
    Booking {
        id: id(u128::from(kind as u8) + 1),
        tenant: "musterkreis".into(),
        unit: "63".into(),
        public_service: None,
        account: "gebuehren".into(),
        kind,
        number: 1,
        claim_id: id(100),
        payment_id: (kind != BookingKind::Claim).then(|| id(200)),
        case_id: id(300),
        amount_cents,
        cash_reference: Some("4200000000061".into()),
        reference: None,
        method: None,
        purpose: "Gebühr; \"Bau\"".into(),
        due: Some("2026-12-24".into()),
        lines: vec![],
        at: Timestamp::parse("2026-11-23T23:30:00Z").unwrap(),
        state: BookingState::Open,
    }
}

fn bookings() -> Vec<Booking> {
    let line = |description: &str, amount_cents, budget_item: Option<&str>| BookingLine {
        description: description.into(),
        amount_cents,
        tax_cents: 0,
        tax_rate: 0,
        budget_item: budget_item.map(str::to_owned),
        cost_object: None,
    };
    let lines = vec![line("Genehmigung", 2_000, Some("63.2")), line("Auslagen", 500, None)];
    vec![
        Booking { lines, ..booking(BookingKind::Claim, 2_500) },
        Booking { method: Some("=1+1".into()), ..booking(BookingKind::Receipt, 2_500) },
        booking(BookingKind::Refund, 1_005),
    ]
}

fn settings(columns: &[&str]) -> CsvSettings {
    let column = |name: &&str| Column { title: (*name).to_owned(), field: Field::named(name).unwrap() };
    CsvSettings { columns: columns.iter().map(column).collect(), ..CsvSettings::default() }
}

fn written(settings: CsvSettings) -> Vec<u8> {
    Csv::new("x", defaults(), settings).write(&head(), &bookings()).unwrap()
}

#[test]
fn csv_has_a_row_for_each_line() {
    let columns = [
        "row",
        "kind",
        "cash-reference",
        "amount",
        "total",
        "day",
        "due",
        "budget-item",
        "cost-object",
        "=EUR",
    ];
    assert_eq!(
        String::from_utf8(written(settings(&columns))).unwrap(),
        "row;kind;cash-reference;amount;total;day;due;budget-item;cost-object;=EUR\r\n\
         1;claim;4200000000061;20,00;25,00;24.11.2026;24.12.2026;63.2;KST 63;EUR\r\n\
         2;claim;4200000000061;5,00;25,00;24.11.2026;24.12.2026;11.1.01.431100;KST 63;EUR\r\n\
         3;receipt;4200000000061;25,00;25,00;24.11.2026;24.12.2026;11.1.01.431100;KST 63;EUR\r\n\
         4;refund;4200000000061;10,05;10,05;24.11.2026;24.12.2026;11.1.01.431100;KST 63;EUR\r\n"
    );
}

#[test]
fn csv_looks_as_it_is_configured() {
    let settings = CsvSettings {
        separator: b'\t',
        decimal_comma: false,
        german_days: false,
        charset: Charset::Latin1,
        header: false,
        line_end: LineEnd::Lf,
        signs: Signs::Minus,
        kinds: vec![(BookingKind::Refund, "ER".into())],
        ..settings(&["kind", "amount", "due", "purpose"])
    };
    let bytes = written(settings);
    let last = bytes.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
    assert_eq!(last, b"ER\t-10.05\t2026-12-24\t\"Geb\xfchr; \"\"Bau\"\"\"");
}

#[test]
fn spreadsheets_see_no_formulas() {
    let text = |guard_formulas| {
        let settings = CsvSettings { guard_formulas, ..settings(&["method", "amount"]) };
        String::from_utf8(written(settings)).unwrap()
    };
    assert!(text(true).contains("'=1+1;25,00"));
    assert!(text(false).contains("\r\n=1+1;25,00"));
    // What the character set lacks must not become one that computes.
    let settings = CsvSettings { charset: Charset::Latin1, ..settings(&["purpose"]) };
    let booking = Booking { purpose: "≠1+1".into(), ..booking(BookingKind::Receipt, 2_500) };
    let bytes = Csv::new("x", defaults(), settings).write(&head(), &[booking]).unwrap();
    assert_eq!(bytes, b"purpose\r\n'=1+1\r\n");
}

#[test]
fn a_mark_stands_in_front_only_if_it_is_wanted() {
    let with = |charset| written(CsvSettings { charset, ..CsvSettings::default() });
    assert!(with(Charset::Utf8Mark).starts_with(b"\xEF\xBB\xBFid;"));
    assert!(with(Charset::Utf8).starts_with(b"id;"));
}

#[test]
fn every_field_has_a_name() {
    for (name, field) in Field::NAMES {
        assert_eq!(Field::named(name), Some(field));
    }
    assert_eq!(Field::named("nothing"), None);
}

#[test]
fn xml_is_valid_by_its_schema() {
    let bytes = Xml::new("x", defaults()).write(&head(), &bookings()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("<sum kind=\"claim\" bookings=\"1\" amount=\"25.00\"/>"), "{text}");
    assert!(
        text.contains("<day>2026-11-24</day>") && text.contains("<budgetItem>63.2</budgetItem>"),
        "{text}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bookings.xml");
    std::fs::write(&file, bytes).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("cash-1.xsd");
    let output =
        Command::new("xmllint").args(["--noout", "--schema"]).args([&schema, &file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn json_has_cents_and_sums() {
    let bytes = Json::new("x", defaults()).write(&head(), &bookings()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["number"], 7);
    assert_eq!(
        value["sums"][2],
        serde_json::json!({ "kind": "refund", "bookings": 1, "amountCents": 1_005 })
    );
    assert_eq!(value["bookings"][0]["lines"][1]["budgetItem"], "11.1.01.431100");
    assert_eq!(value["bookings"][1]["amountCents"], 2_500);
    assert!(value["bookings"][0].get("state").is_none(), "what changes is not told");
}

#[test]
fn the_same_bookings_make_the_same_bytes() {
    let formats: [&dyn CashFormat; 3] = [
        &Csv::new("csv", defaults(), CsvSettings::default()),
        &Xml::new("xml", defaults()),
        &Json::new("json", defaults()),
    ];
    for format in formats {
        let mut later = bookings();
        later.iter_mut().for_each(|booking| booking.state = BookingState::Acknowledged);
        let once = format.write(&head(), &bookings()).unwrap();
        assert_eq!(once, format.write(&head(), &later).unwrap(), "{}", format.name());
    }
}

/// No character of a text can break a file.
#[test]
fn any_text_can_be_written() {
    let mut hostile = bookings();
    hostile[1].purpose = "a\u{0}b\r\nc\u{ffff}\"';<&]]>".into();
    hostile[1].reference = Some("\u{1}".into());
    Xml::new("xml", defaults()).write(&head(), &hostile).unwrap();
    Json::new("json", defaults()).write(&head(), &hostile).unwrap();
    let csv = Csv::new("csv", defaults(), settings(&["purpose", "row"])).write(&head(), &hostile).unwrap();
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(&csv[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[2][0], &rows[2][1]), ("a b  c \"';<&]]>", "3"));
}
