//! What a report says.
use crate::check;
use schemas::{Schemas, Severity, Validator};
use std::io::Write;
use std::sync::Arc;
use xml::{Event, Limits, Reader};

const NAMESPACE: &str = "urn:xoev-de:xdomea:schema:3.1.0";

fn own() -> Arc<Schemas> {
    Arc::new(Schemas::new())
}

/// A message 0401 with these values.
fn message(importbestaetigung: &str, body: &str) -> String {
    format!(
        r#"<x:Abgabe.Abgabe.0401 xmlns:x="{NAMESPACE}">
<x:Kopf>
<x:ProzessID>00000000-0000-4000-8000-000000000401</x:ProzessID>
<x:Nachrichtentyp><code>0401</code></x:Nachrichtentyp>
<x:Erstellungszeitpunkt>2026-01-02T03:04:05</x:Erstellungszeitpunkt>
<x:Absender/><x:Empfaenger/>
<x:Importbestaetigung>{importbestaetigung}</x:Importbestaetigung>
<x:Empfangsbestaetigung>0</x:Empfangsbestaetigung>
</x:Kopf>
{body}
</x:Abgabe.Abgabe.0401>"#
    )
}

fn case(id: &str) -> String {
    format!(
        "<x:Schriftgutobjekt><x:Vorgang><x:Identifikation><x:ID>{id}</x:ID></x:Identifikation></x:Vorgang></x:Schriftgutobjekt>"
    )
}

const ID: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn fixed_booleans_are_normalised_and_noted() {
    for (written, notes) in [("1", 0), ("true", 1), (" 1 ", 1), ("\ntrue\n", 1), ("tr<!-- -->ue", 1), ("", 0)]
    {
        let report = check(&own(), message(written, &case(ID)).as_bytes());
        assert!(report.is_valid(), "{written}: {report:?}");
        assert_eq!(report.notes, notes, "{written}");
    }
    let report = check(&own(), message("true", &case(ID)).as_bytes());
    let note = &report.findings[0];
    assert_eq!(
        (note.severity, note.rule.as_str(), note.line),
        (Severity::Warning, "xdomea.fixed-boolean", 7)
    );
    for written in ["0", "false", "TRUE", "11"] {
        assert!(!check(&own(), message(written, &case(ID)).as_bytes()).is_valid(), "{written}");
    }
}

#[test]
fn findings_name_line_path_and_rule_but_no_value() {
    let body = format!("{}\n{}", case(ID), case("Erika Mustermann"));
    let report = check(&own(), message("1", &body).as_bytes());
    assert_eq!(report.errors, 1);
    let finding = &report.findings[0];
    assert_eq!(finding.rule, "xsd.1839");
    assert_eq!(finding.line, 11);
    assert_eq!(finding.path, "/Abgabe.Abgabe.0401/Schriftgutobjekt[2]/Vorgang/Identifikation/ID");
    assert!(!format!("{report:?}").contains("Mustermann"));
}

#[test]
fn a_thousand_findings_are_kept_and_all_are_counted() {
    let body = case("x").repeat(1_500);
    let report = check(&own(), message("1", &body).as_bytes());
    assert_eq!((report.findings.len(), report.errors), (1_000, 1_500));
}

#[test]
fn an_unknown_root_is_one_finding() {
    let report = check(&own(), b"<a xmlns='urn:unknown'>text<b/></a>");
    assert_eq!((report.errors, report.findings[0].rule.as_str()), (1, "schema.unknown"));
}

#[test]
fn a_root_that_the_given_schema_does_not_know_is_refused() {
    let schema = own().find(NAMESPACE, "Abgabe.Abgabe.0401").unwrap().unwrap();
    let mut reader = Reader::new(&b"<a>text<b c='d'>text<b/></b>text</a>"[..], Limits::default());
    reader.observe(Box::new(Validator::new(schema)));
    while !matches!(reader.next().unwrap(), Event::Eof) {}
    let report = reader.take_observer::<Validator>().unwrap().report();
    assert_eq!(report.findings[0].rule, "xsd.1845");
}

#[test]
fn a_document_that_is_cut_keeps_the_findings_before() {
    let document = message("0", &case(ID));
    let report = check(&own(), &document.as_bytes()[..document.len() - 10]);
    let rules: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["xsd.1858", "xml.truncated"]);
}

#[test]
fn taking_back_the_default_namespace_is_harmless() {
    let document = message("1", &case(ID)).replace("<code>", "<code xmlns=\"\">");
    assert!(check(&own(), document.as_bytes()).is_valid());
}

#[test]
fn a_text_that_is_too_long_hides_no_other_fault() {
    let blanks = "\n".repeat(5 << 20);
    let rules = |document: String| -> Vec<String> {
        let report = check(&own(), document.as_bytes());
        let errors = report.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| finding.rule).collect()
    };
    let at_the_end = format!("{}{blanks}", case(ID));
    assert!(rules(message("1", &at_the_end)).is_empty());
    assert_eq!(rules(message("1", &blanks)), ["xsd.1871"], "an element is missing");
    let missing_later = message("1", "").replace("<code>", &format!("<code>{blanks}"));
    assert_eq!(rules(missing_later), ["xsd.1871"], "an element is missing behind it");
    assert_eq!(rules(message("1", &format!("{at_the_end}text"))), ["xsd.1843"], "text where none may be");
    let value = message("1", &case(&format!("{ID}{blanks}x")));
    assert!(rules(value).is_empty(), "the value itself cannot be judged");
}

#[test]
fn one_schema_serves_many_threads() {
    let schemas = own();
    let (good, bad) = (message("1", &case(ID)), message("1", &case("x")));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert!(check(&schemas, good.as_bytes()).is_valid());
                    assert_eq!(check(&schemas, bad.as_bytes()).errors, 1);
                }
            });
        }
    });
}

#[test]
fn the_large_test_document_is_valid() {
    let mut document = Vec::new();
    schemas::testdata::generate_0503(&mut document, 300_000).unwrap();
    document.flush().unwrap();
    let report = check(&own(), &document);
    assert!(report.is_valid() && report.notes == 0, "{report:?}");
}

#[test]
fn own_schemas_and_lists_are_listed() {
    let list = own().list();
    assert_eq!(list.len(), 1);
    let versions = ["2.3.0", "2.4.0", "3.0.0", "3.1.0", "4.0.0"];
    assert_eq!(list[0].namespaces, versions.map(|version| format!("urn:xoev-de:xdomea:schema:{version}")));
    assert!(own().check_all().is_empty());
}
