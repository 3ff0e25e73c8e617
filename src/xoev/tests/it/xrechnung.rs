//! Invoices: what they are, which facts they become, which totals do not fit. The rules are those of the official Schematron, asked of
//! Saxon.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use model::case::{Case, Document};
use model::standard::{Meaning, Standard};
use model::{Record, Severity};
use schemas::Schemas;
use serde_json::json;
use xoev::xdomea::Options;
use xoev::xrechnung::{Rules, XRechnung};

use crate::memory::{Memory, check, read};
use crate::tools::{run, shared};

/// What a processor is asked by: stylesheet in its arguments, invoice on its standard input.
const SAXON: &str = "import sys, saxonche as s; p = s.PySaxonProcessor(license=False); \
    e = p.new_xslt30_processor().compile_stylesheet(stylesheet_file=sys.argv[1]); \
    n = p.parse_xml(xml_text=sys.stdin.buffer.read().decode()); \
    sys.stdout.buffer.write(e.transform_to_string(xdm_node=n).encode())";

fn samples() -> Vec<PathBuf> {
    let folder = shared("samples/xoev/xrechnung").unwrap();
    let list = run("find", &[folder.to_str().unwrap(), "-name", "*.xml"], b"").unwrap();
    let mut files: Vec<PathBuf> = String::from_utf8(list).unwrap().lines().map(PathBuf::from).collect();
    files.sort();
    assert_eq!(files.len(), 58);
    files
}

/// With the official packs, compiled once for all tests.
static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| {
    let (schemas, packs) = (Schemas::new(), shared("packs").unwrap());
    schemas.add_pack(&packs.join("xrechnung/ubl-2.1")).unwrap();
    schemas.add_pack(&packs.join("xrechnung/cii-d16b")).unwrap();
    Arc::new(schemas)
});

fn standard() -> XRechnung {
    XRechnung::new(&SCHEMAS, Options::default().container, None)
}

fn sample(path: &str) -> Vec<u8> {
    std::fs::read(shared("samples/xoev/xrechnung").unwrap().join(path)).unwrap()
}

fn rules(bytes: &[u8]) -> Vec<String> {
    let report = check(&standard(), bytes, None).1;
    report
        .findings
        .into_iter()
        .map(|it| it.rule)
        .filter(|rule| rule != "xrechnung.rules-not-checked")
        .collect()
}

fn facts(bytes: &[u8]) -> (Case, Vec<Document>, Memory) {
    let (memory, meaning) = read(&standard(), bytes);
    assert_eq!(meaning, Meaning::Facts);
    let mut documents = vec![];
    let mut case = None;
    for object in &memory.objects {
        assert!(case.is_none(), "what lies in it comes first");
        match object.record.clone() {
            Record::Case(it) => case = Some((it, object.object_id)),
            Record::Document(document) => documents.push(document),
            other => panic!("{other:?}"),
        }
    }
    let (case, id) = case.unwrap();
    let inside = memory.objects.iter().filter(|object| object.ancestors.last().is_some_and(|it| it.1 == id));
    assert_eq!(inside.count(), documents.len());
    documents.sort_by_key(|document| document.description.position);
    (case, documents, memory)
}

/// What an XPath says of a file, by xmllint.
fn xpath(file: &Path, path: &str) -> String {
    let said = run("xmllint", &["--xpath", &format!("string({path})"), file.to_str().unwrap()], b"").unwrap();
    String::from_utf8(said).unwrap().trim().to_owned()
}

#[test]
fn every_sample_is_an_acceptable_invoice_with_the_facts_that_xpath_finds() {
    if shared("packs").is_none() {
        return;
    }
    for path in samples() {
        let bytes = std::fs::read(&path).unwrap();
        let (identity, report) = check(&standard(), &bytes, None);
        let identity = identity.unwrap();
        assert!(report.is_acceptable(), "{path:?}: {report:#?}");
        assert_eq!((&*identity.standard, &*identity.version), ("xrechnung", "3.0"), "{path:?}");
        let by_head = standard().identify(&mut std::io::Cursor::new(bytes.clone()), None).unwrap().unwrap();
        assert_eq!((&by_head.version, &by_head.message_type), (&identity.version, &identity.message_type));

        let (case, documents, memory) = facts(&bytes);
        let is_ubl = path.to_str().unwrap().ends_with("ubl.xml");
        let first = |ubl: &str, cii: &str| {
            let names = if is_ubl { ubl } else { cii };
            let steps: String = names.split('/').map(|name| format!("/*[local-name()='{name}']")).collect();
            xpath(&path, &format!("({}/{steps})[1]", "/*"))
        };
        let said = |kind: &str| case.description.reference(kind).unwrap_or_default().to_owned();
        assert_eq!(said("invoice-number"), first("ID", "ExchangedDocument/ID"), "{path:?}");
        let header = "SupplyChainTradeTransaction/ApplicableHeaderTrade";
        assert_eq!(
            said("leitweg-id"),
            first("BuyerReference", &format!("{header}Agreement/BuyerReference")),
            "{path:?}"
        );
        let payable = first(
            "LegalMonetaryTotal/PayableAmount",
            &format!("{header}Settlement/SpecifiedTradeSettlementHeaderMonetarySummation/DuePayableAmount"),
        );
        let cents = case.description.extensions["xrechnung"]["cents"]["payable"].as_i64().unwrap();
        let euros: f64 = payable.parse().unwrap();
        assert_eq!(cents, (euros * 100.0).round() as i64, "{path:?}");
        assert_eq!(case.description.parties.len(), 2, "{path:?}");

        let whole = documents[0].versions[0].files[0].content.clone().unwrap();
        assert_eq!(memory.files[&whole.id], bytes, "the invoice itself");
        let attached = xpath_count(&path);
        assert_eq!(documents.len() - 1, attached, "{path:?}");
    }
}

fn xpath_count(file: &Path) -> usize {
    let names = "local-name()='EmbeddedDocumentBinaryObject' or local-name()='AttachmentBinaryObject'";
    xpath(file, &format!("count(//*[{names}])")).parse().unwrap()
}

#[test]
fn an_invoice_becomes_a_case_with_parties_references_totals_and_payment() {
    if shared("packs").is_none() {
        return;
    }
    for syntax in ["ubl", "uncefact"] {
        let bytes = sample(&format!("technical-cases/cius/01.01_comprehensive_test_{syntax}.xml"));
        let (case, documents, _) = facts(&bytes);
        assert_eq!(case.description.title, "Rechnung 1234567 ([Seller name])");
        for (kind, value) in [
            ("leitweg-id", "90000000-03083-72"),
            ("order", "65002278"),
            ("sales-order", "ABC123456789"),
            ("contract", "0000000752"),
            ("project", "PR12345678"),
            ("preceding-invoice", "PIR1234567890"),
            ("remittance", "Deb. 12345 / Fact. 9876543"),
        ] {
            assert_eq!(case.description.reference(kind), Some(value), "{syntax}");
        }
        let seller = &case.description.parties[0];
        assert_eq!(seller.role.as_deref(), Some("seller"));
        assert_eq!(seller.addresses[0].postcode.as_deref(), Some("12345"));
        let contacts: Vec<&str> = seller.contacts.iter().map(|contact| contact.value.as_str()).collect();
        assert_eq!(contacts, ["012 3456789", "tim.tester@test.com"]);
        let said = &case.description.extensions["xrechnung"];
        assert_eq!(said["currency"], "EUR");
        assert_eq!(said["issued"], "2018-04-13");
        assert_eq!(said["due"], "2018-04-13");
        let cents = json!({ "lines": 1_078_125, "allowances": 2_000, "charges": 2_000, "withoutTax": 1_078_125,
            "tax": 204_844, "withTax": 1_282_969, "prepaid": 0, "rounding": null, "payable": 1_282_969 });
        let with_rounding = |mut value: serde_json::Value| {
            value["rounding"] = json!(null);
            value
        };
        assert_eq!(with_rounding(said["cents"].clone()), cents, "{syntax}");
        assert_eq!(said["payment"]["accounts"], json!(["DE79000000001234567890", "DE16000000002345678901"]));
        assert_eq!(documents[0].dates.written.as_deref(), Some("2018-04-13"));
    }
}

#[test]
fn attachments_become_documents_with_their_bytes() {
    if shared("packs").is_none() {
        return;
    }
    let path = "technical-cases/cius/01.01_comprehensive_test_ubl.xml";
    let bytes = sample(path);
    let (_, documents, memory) = facts(&bytes);
    let text = String::from_utf8(bytes).unwrap();
    let encoded: Vec<&str> = text.split("<cbc:EmbeddedDocumentBinaryObject").skip(1).collect();
    assert_eq!(encoded.len() + 1, documents.len());
    for (document, encoded) in documents[1..].iter().zip(encoded) {
        let file = &document.versions[0].files[0];
        assert!(file.name.starts_with("01_15_Anhang_0") && file.name.ends_with(".pdf"), "{}", file.name);
        assert_eq!(file.media_type.as_deref(), Some("application/pdf"));
        let encoded = encoded.split_once('>').unwrap().1.split('<').next().unwrap();
        let plain = run("base64", &["-d"], encoded.as_bytes()).unwrap();
        assert!(plain.starts_with(b"%PDF"));
        assert_eq!(memory.files[&file.content.as_ref().unwrap().id], plain);
    }
}

#[test]
fn names_of_attachments_are_harmless_and_distinct() {
    if shared("packs").is_none() {
        return;
    }
    let text = String::from_utf8(sample("technical-cases/cius/01.01_comprehensive_test_ubl.xml")).unwrap();
    let text = text.replacen("filename=\"01_15_Anhang_01.pdf\"", "filename=\"../../etc/passwd\"", 1);
    let text = text.replace("filename=\"01_15_Anhang_02.pdf\"", "filename=\"XRechnung.XML\"");
    let (_, documents, _) = facts(text.as_bytes());
    let names: Vec<&str> = documents.iter().map(|it| it.versions[0].files[0].name.as_str()).collect();
    assert_eq!(names[..3], ["xrechnung.xml", "anlage-1", "anlage-2"]);
}

#[test]
fn totals_that_contradict_each_other_are_found() {
    if shared("packs").is_none() {
        return;
    }
    let text = String::from_utf8(sample("technical-cases/cius/01.01_comprehensive_test_ubl.xml")).unwrap();
    for (from, to, rule) in [
        ("EUR\">4743.75</cbc:LineExt", "EUR\">4743.76</cbc:LineExt", "BR-CO-10"),
        ("20</cbc:AllowanceTotal", "21</cbc:AllowanceTotal", "BR-CO-13"),
        ("2048.44</cbc:TaxAmount>\n    <cac:TaxSub", "2048.45</cbc:TaxAmount>\n    <cac:TaxSub", "BR-CO-15"),
        ("12829.69</cbc:Payable", "12829.68</cbc:Payable", "BR-CO-16"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{rule}");
        let report = check(&standard(), broken.as_bytes(), None).1;
        assert!(!report.is_acceptable());
        let named: Vec<&str> = report
            .findings
            .iter()
            .filter(|it| it.rule == "xrechnung.totals")
            .map(|it| &*it.with["name"])
            .collect();
        assert_eq!(named, [rule]);
    }
    assert_eq!(rules(text.as_bytes()), Vec::<String>::new());
}

#[test]
fn rules_of_the_norm_do_not_bind_an_invoice_that_names_another() {
    if shared("packs").is_none() {
        return;
    }
    let text = String::from_utf8(sample("technical-cases/cius/01.01_comprehensive_test_ubl.xml")).unwrap();
    let broken = text.replacen("12829.69</cbc:Payable", "12829.68</cbc:Payable", 1);
    let other = broken.replace("urn:cen.eu:en16931:2017", "urn:example:order");
    assert_ne!(other, broken);
    let script = "cat >/dev/null; echo '<s:schematron-output xmlns:s=\"http://purl.oclc.org/dsdl/svrl\">\
        <s:failed-assert id=\"BR-1\" flag=\"fatal\"/></s:schematron-output>'";
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let (ubl, within) = (vec![PathBuf::from("a.xsl")], Duration::from_secs(60));
    let rules = Rules { command, ubl, cii: vec![], within };
    let standard = XRechnung::new(&SCHEMAS, Options::default().container, Some(rules));
    for (text, severity) in [(&broken, Severity::Error), (&other, Severity::Warning)] {
        let report = check(&standard, text.as_bytes(), None).1;
        let found: Vec<_> = report.findings.iter().map(|it| (&*it.rule, it.severity)).collect();
        assert_eq!(found, [("xrechnung.totals", severity), ("xrechnung.rule", severity)]);
    }
}

#[test]
fn without_the_official_schemas_an_invoice_is_carried_on() {
    if shared("packs").is_none() {
        return;
    }
    let bytes = sample("business-cases/standard/01.01a-INVOICE_ubl.xml");
    let standard = XRechnung::new(&Arc::new(Schemas::new()), Options::default().container, None);
    let (identity, report) = check(&standard, &bytes, None);
    assert!(report.is_acceptable() && identity.is_some());
    assert!(report.findings.iter().any(|finding| finding.rule == "schema.absent"));
    assert_eq!(read(&standard, &bytes).1, Meaning::CarryOn);
}

#[test]
fn the_official_rules_are_asked_of_saxon() {
    let Some(packs) = shared("packs/xrechnung/en16931") else { return };
    let named = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let python = named.unwrap_or_else(|| target.join("zeep/bin/python3"));
    let command = [python.to_str().unwrap(), "-c", SAXON, "{stylesheet}"].map(str::to_owned).to_vec();
    let within = Duration::from_secs(300);
    let rules = Rules {
        command,
        ubl: vec![packs.join("EN16931-UBL-validation.xslt")],
        cii: vec![packs.join("EN16931-CII-validation.xslt")],
        within,
    };
    let standard = XRechnung::new(&SCHEMAS, Options::default().container, Some(rules));
    for syntax in ["ubl", "uncefact"] {
        let bytes = sample(&format!("business-cases/standard/01.01a-INVOICE_{syntax}.xml"));
        let report = check(&standard, &bytes, None).1;
        assert!(report.is_acceptable(), "{report:#?}");
        assert!(report.findings.iter().all(|finding| finding.rule == "xrechnung.rule"), "{report:#?}");
        // A currency that there is not.
        let broken =
            String::from_utf8(bytes).unwrap().replace(">EUR<", ">XXY<").replace("=\"EUR\"", "=\"XXY\"");
        let report = check(&standard, broken.as_bytes(), None).1;
        let errors = report.findings.iter().filter(|it| it.severity == Severity::Error);
        let ids: Vec<&str> = errors.map(|finding| finding.with["name"].as_str()).collect();
        assert!(ids.contains(&"BR-CL-04"), "{ids:?} {report:#?}");
    }
}
