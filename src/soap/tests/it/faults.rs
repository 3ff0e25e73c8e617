//! SOAP faults of both versions.

use std::io::BufRead;

use soap::envelope::Version;
use soap::fault::{Code, Fault};
use soap::{Error, Result};
use xml::{Event, Limits, Reader};

use crate::{code, files, osci_parts, shared};

const DETAIL: &str = "<osci:Code xmlns:osci=\"http://www.osci.de/2002/04/osci\">9100</osci:Code>";

/// The fault in an envelope; `None` if there is none.
fn find(input: impl BufRead) -> Result<Option<Fault>> {
    let mut reader = Reader::new(input, Limits::default());
    loop {
        match reader.next()? {
            Event::Start(start) if start.local() == "Fault" => break,
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
    Fault::read(&mut reader).map(Some)
}

fn written(fault: &Fault, version: Version) -> String {
    let mut document = Vec::new();
    fault.write(version, &mut document).unwrap();
    String::from_utf8(document).unwrap()
}

fn envelope(version: Version, fault: &str) -> String {
    let namespace = version.namespace();
    format!("<s:Envelope xmlns:s=\"{namespace}\"><s:Body><s:Fault>{fault}</s:Fault></s:Body></s:Envelope>")
}

#[test]
fn a_fault_of_soap_11_has_the_form_that_osci_asks_for() {
    let fault =
        Fault { detail: DETAIL.to_owned(), ..Fault::new(Code::Sender, "Keine gültige <Nachricht> & mehr") };
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
        <faultcode>soap:Client</faultcode>\
        <faultstring>Keine gültige &lt;Nachricht&gt; &amp; mehr</faultstring>\
        <detail>{DETAIL}</detail>\
        </soap:Fault></soap:Body></soap:Envelope>\n"
    );
    assert_eq!(written(&fault, Version::Soap11), expected);
    let server = written(&Fault::new(Code::Receiver, "x"), Version::Soap11);
    assert!(server.contains("<faultcode>soap:Server</faultcode>") && !server.contains("detail"));
}

#[test]
fn what_is_written_is_read_again() {
    let codes = [Code::Sender, Code::Receiver, Code::VersionMismatch, Code::MustUnderstand];
    for code in codes {
        let fault = Fault::new(code, "Grund: <&>\"'");
        assert_eq!(find(written(&fault, Version::Soap11).as_bytes()).unwrap().unwrap(), fault);
        let fault = Fault { language: Some("de".to_owned()), ..fault };
        assert_eq!(find(written(&fault, Version::Soap12).as_bytes()).unwrap().unwrap(), fault);
    }
}

#[test]
fn the_detail_that_is_read_stands_alone() {
    let fault = Fault { detail: DETAIL.to_owned(), ..Fault::new(Code::Sender, "x") };
    for version in [Version::Soap11, Version::Soap12] {
        let read = find(written(&fault, version).as_bytes()).unwrap().unwrap();
        let mut reader = Reader::new(read.detail.as_bytes(), Limits::default());
        assert!(
            matches!(reader.next(), Ok(Event::Start(start)) if start.is("http://www.osci.de/2002/04/osci", "Code"))
        );
        assert_eq!(reader.read_text(100).unwrap(), "9100");
    }
}

#[test]
fn two_elements_of_detail_stay_two() {
    let detail = format!("{DETAIL}<b xmlns=\"urn:b\"></b>");
    let fault = Fault { detail, ..Fault::new(Code::Sender, "x") };
    let read = find(written(&fault, Version::Soap11).as_bytes()).unwrap().unwrap();
    assert!(read.detail.contains("9100</osci:Code><b xmlns="), "{}", read.detail);
}

#[test]
fn a_detail_that_would_break_out_of_its_element_is_not_written() {
    let fragments = [
        "</detail><detail>",
        "</detail></soap:Fault><soap:Fault><detail>",
        "<a>",
        "</a>",
        "<!--",
        "<osci:Code>9100</osci:Code>",
        "&nbsp;",
        "<!DOCTYPE a>",
        "a\0",
    ];
    for fragment in fragments {
        let fault = Fault { detail: fragment.to_owned(), ..Fault::new(Code::Sender, "x") };
        for version in [Version::Soap11, Version::Soap12] {
            let mut document = Vec::new();
            assert!(fault.write(version, &mut document).is_err(), "{fragment}");
            assert!(document.is_empty());
        }
    }
}

#[test]
fn codes_are_known_by_their_local_name() {
    let read = |version, text: &str| {
        let fault = match version {
            Version::Soap11 => format!("<faultcode>{text}</faultcode>"),
            Version::Soap12 => format!("<s:Code><s:Value>{text}</s:Value></s:Code>"),
        };
        find(envelope(version, &fault).as_bytes()).unwrap().unwrap().code
    };
    assert_eq!(read(Version::Soap11, "s:Client"), Code::Sender);
    assert_eq!(read(Version::Soap11, " SOAP-ENV:Server.Database\n"), Code::Receiver);
    assert_eq!(read(Version::Soap11, "Client.Authentication"), Code::Sender);
    assert_eq!(read(Version::Soap12, "env:Receiver"), Code::Receiver);
    assert_eq!(read(Version::Soap12, "s:MustUnderstand"), Code::MustUnderstand);
    assert_eq!(read(Version::Soap12, "s:DataEncodingUnknown"), Code::Other);
}

#[test]
fn a_fault_of_soap_12_is_read_with_its_subcode_and_languages_passed_over() {
    let fault = "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>x:y</s:Value></s:Subcode></s:Code>\
        <s:Reason><s:Text xml:lang=\"de\">Grund</s:Text><s:Text xml:lang=\"en\">reason</s:Text></s:Reason>\
        <s:Role>urn:role</s:Role><s:Detail> <a/> <b/> </s:Detail>";
    let fault = find(envelope(Version::Soap12, fault).as_bytes()).unwrap().unwrap();
    assert_eq!((fault.code, &fault.reason[..]), (Code::Sender, "Grund"));
    assert_eq!(fault.language.as_deref(), Some("de"));
    assert_eq!(fault.detail.matches("</").count(), 2);
}

#[test]
fn a_fault_that_is_none_is_refused() {
    let eleven = |fault: &str| code(find(envelope(Version::Soap11, fault).as_bytes()));
    assert_eq!(eleven(""), "soap.fault");
    assert_eq!(eleven("<faultstring>x</faultstring>"), "soap.fault");
    assert_eq!(eleven("<faultcode>Client</faultcode><faultcode>Server</faultcode>"), "soap.fault");
    assert_eq!(eleven("<s:faultcode>Client</s:faultcode>"), "soap.fault");
    assert_eq!(eleven("<faultcode>Client<x/></faultcode>"), "xml.unexpected-element");
    assert_eq!(eleven(&format!("<faultcode>{}</faultcode>", "x".repeat(2_000))), "xml.limit");
    assert_eq!(
        code(find(&b"<Fault xmlns=\"urn:x\"><faultcode>Client</faultcode></Fault>"[..])),
        "soap.fault"
    );
    let cut = envelope(Version::Soap11, "<faultcode>Client</faultcode>");
    assert_eq!(code(find(&cut.as_bytes()[..cut.len() - 30])), "xml.truncated");
}

#[test]
fn recorded_faults_of_both_versions_are_read() {
    let mut count = 0;
    for file in files(&shared("samples/osci/messages"), &["-SOAPFault.osci"]) {
        let parts = osci_parts(&std::fs::read(&file).unwrap()[..]).unwrap();
        let fault = find(&parts[0].1[..]).unwrap().unwrap();
        assert!(matches!(fault.code, Code::Sender | Code::Receiver), "{}", file.display());
        assert!(fault.detail.contains(":Code ") && fault.detail.contains(">9"), "{}", fault.detail);
        assert!(!fault.reason.is_empty());
        count += 1;
    }
    assert!(count > 3, "only {count} faults of OSCI were found");
    let file = shared("samples/xta/v5-xml/12_response_PermissionDeniedException.xml");
    let fault = find(&std::fs::read(file).unwrap()[..]).unwrap().unwrap();
    assert_eq!((fault.code, &fault.reason[..]), (Code::Receiver, "blocked"));
    assert_eq!(fault.language.as_deref(), Some("en"));
    assert!(
        fault.detail.starts_with("<ns2:PermissionDeniedException")
            && fault.detail.contains("<code>9011</code>")
    );
}

#[test]
fn a_fault_goes_through_a_package_and_its_errors_come_out_unchanged() {
    let cut =
        "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\n<Envelope><Body>text text text text";
    let mut package =
        soap::mime::Multipart::with_inner_headers(cut.as_bytes(), soap::mime::Limits::default()).unwrap();
    let part = package.next_part().unwrap().unwrap();
    assert!(matches!(find(part), Err(Error::Truncated)));
}
