//! Documents and packs that try to make the gateway read a file, open a connection, or use up its
//! memory or time.
use crate::check;
use schemas::{Error, Schemas};
use std::io::{BufReader, Read, repeat};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use xml::Limits;

const ROOT: &str = "Abgabe.EmpfangBestaetigen.0403";
const NAMESPACE: &str = "urn:xoev-de:xdomea:schema:3.0.0";

/// A server that must never be called.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Trap(listener)
    }

    fn url(&self) -> String {
        format!("http://{}/x", self.0.local_addr().unwrap())
    }

    fn assert_untouched(&self) {
        let refused = self.0.accept().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
    }
}

fn first_rule(document: &str) -> String {
    let report = check(&Arc::new(Schemas::new()), document.as_bytes());
    report.findings.last().map(|finding| finding.rule.clone()).unwrap_or_default()
}

#[test]
fn hostile_documents_are_refused_and_reach_nothing() {
    let trap = Trap::set();
    let url = trap.url();
    let entities: String =
        (1..10).map(|i| format!("<!ENTITY a{i} '{}'>", format!("&a{};", i - 1).repeat(10))).collect();
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let attributes: String = (0..20_000).map(|i| format!(" a{i}=''")).collect();
    let namespaces: String = (0..20_000).map(|i| format!(" xmlns:a{i}='urn:{i}'")).collect();
    let cases = [
        ("billion laughs", format!("<!DOCTYPE a [<!ENTITY a0 'ha'>{entities}]><a>&a9;</a>"), "xml.doctype"),
        (
            "file as entity",
            "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>".into(),
            "xml.doctype",
        ),
        ("URL as entity", format!("<!DOCTYPE a [<!ENTITY e SYSTEM '{url}'>]><a>&e;</a>"), "xml.doctype"),
        ("external DTD", format!("<!DOCTYPE a SYSTEM '{url}'><a/>"), "xml.doctype"),
        ("parameter entity", format!("<!DOCTYPE a [<!ENTITY % p SYSTEM '{url}'>%p;]><a/>"), "xml.doctype"),
        ("undeclared entity", "<a>&e;</a>".into(), "xml.entity"),
        ("deep nesting", deep, "xml.limit"),
        ("many attributes", format!("<a{attributes}/>"), "xml.limit"),
        ("many namespaces", format!("<a{namespaces}/>"), "xml.limit"),
        ("long attribute", format!("<a b='{}'/>", "x".repeat(20 << 20)), "xml.limit"),
        ("long name", format!("<{}/>", "x".repeat(1 << 20)), "xml.limit"),
        (
            "many names",
            format!("<a>{}</a>", (0..20_000).map(|i| format!("<b{i}/>")).collect::<String>()),
            "xml.limit",
        ),
    ];
    for (name, document, rule) in cases {
        assert_eq!(first_rule(&document), rule, "{name}");
    }
    trap.assert_untouched();
}

#[test]
fn a_schema_location_in_a_message_is_not_followed() {
    let trap = Trap::set();
    let url = trap.url();
    let document = format!(
        "<x:{ROOT} xmlns:x='{NAMESPACE}' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' \
         xsi:schemaLocation='{NAMESPACE} {url} urn:other {url}' xsi:noNamespaceSchemaLocation='{url}'>\
         <x:Kopf><x:ProzessID>x</x:ProzessID></x:Kopf></x:{ROOT}>"
    );
    let report = check(&Arc::new(Schemas::new()), document.as_bytes());
    assert!(report.findings.iter().any(|finding| finding.rule == "xsd.1839"));
    trap.assert_untouched();
}

#[test]
fn a_schema_gets_no_file_and_no_connection() {
    let trap = Trap::set();
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside.xsd");
    std::fs::write(&outside, "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>").unwrap();
    let outside = format!("file://{}", outside.display());
    let pack = folder.path().join("pack");
    std::fs::create_dir(&pack).unwrap();
    for location in [trap.url(), outside, "/etc/passwd".into(), "../outside.xsd".into()] {
        for reference in ["xs:include", "xs:import namespace='urn:x'"] {
            let schema = format!(
                "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>\
                 <{reference} schemaLocation='{location}'/><xs:element name='a'/></xs:schema>"
            );
            std::fs::write(pack.join("a.xsd"), schema).unwrap();
            let error = Schemas::new().add_pack(&pack).unwrap_err();
            assert!(matches!(error, Error::Missing { .. }), "{reference} {location}: {error}");
        }
    }
    trap.assert_untouched();
}

/// In a process of its own: what is measured is the memory of a process, and other tests of this one need some.
#[test]
fn a_huge_text_is_validated_in_constant_memory() {
    let alone = ["--exact", "--ignored", "attacks::a_huge_text_alone"];
    let output = Command::new(std::env::current_exe().unwrap()).args(alone).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "part of a_huge_text_is_validated_in_constant_memory, which runs it alone"]
fn a_huge_text_alone() {
    let head = format!("<x:{ROOT} xmlns:x='{NAMESPACE}'><x:Kopf><x:ProzessID>");
    let tail = format!("</x:ProzessID></x:Kopf></x:{ROOT}>");
    let body = repeat(b'x').take(100 << 20);
    let input = BufReader::new(head.as_bytes().chain(body).chain(tail.as_bytes()));
    let before = resident();
    let report = Arc::new(Schemas::new()).check(input, Limits::default());
    assert!(report.findings.iter().any(|finding| finding.rule == "schema.long-text"));
    assert!(resident() - before < 40 << 20, "grew by {} bytes", resident() - before);
}

#[test]
fn long_names_do_not_make_a_long_report() {
    let name = "n".repeat(900);
    let inside = format!("<{name}/>").repeat(3_000);
    let open = format!("<{name}>").repeat(150);
    let close = format!("</{name}>").repeat(150);
    let document = format!(
        "<x:{ROOT} xmlns:x='{NAMESPACE}'><x:Kopf><x:AnwendungsspezifischeErweiterungXML>{open}\
         {inside}{close}</x:AnwendungsspezifischeErweiterungXML>{inside}</x:Kopf></x:{ROOT}>"
    );
    let report = check(&Arc::new(Schemas::new()), document.as_bytes());
    let size: usize = report.findings.iter().map(|f| f.path.len() + f.message.len()).sum();
    assert!(size < 4 << 20, "{size} bytes");
}

/// Bytes of memory that the process has had at most.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
