//! Messages of SOAP 1.2 over HTTP: what is read, and what is refused before anybody acts on it.

use std::io::Read;

use soap::message::{Header, Limits, open};
use soap::{Result, xop};

use crate::{Pieces, code};

const BARE: &str = "application/soap+xml; charset=utf-8";
const PACKAGE: &str = "multipart/related; boundary=b; type=\"application/xop+xml\"; start=\"<root>\"; start-info=\"application/soap+xml\"";
const WSA: &str = "xmlns:a=\"http://www.w3.org/2005/08/addressing\"";

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" {WSA}>\n <s:Header>{header}</s:Header>\n \
        <s:Body>{body}</s:Body>\n</s:Envelope>\n"
    )
}

/// A package of an envelope and parts.
fn package(root: &str, parts: &[(&str, &str)]) -> String {
    let mut package = format!(
        "--b\r\nContent-Type: application/xop+xml; type=\"application/soap+xml\"\r\nContent-ID: <root>\r\n\r\n{root}"
    );
    for (id, content) in parts {
        package.push_str(&format!("\r\n--b\r\nContent-ID: <{id}>\r\n\r\n{content}"));
    }
    package.push_str("\r\n--b--\r\n");
    package
}

/// Reads a message whole, its body's child as text.
fn read_with(content_type: &str, body: impl Read, limits: Limits) -> Result<(Header, String, Vec<String>)> {
    let mut incoming = open(content_type, body, limits)?;
    let header = incoming.header()?;
    incoming.operation(&header)?;
    let mut child = String::new();
    if incoming.child()? {
        child = incoming.body().read_text(1 << 20)?;
    }
    incoming.end()?;
    let mut parts = Vec::new();
    while let Some(mut part) = incoming.next_part()? {
        let mut content = String::new();
        part.read_to_string(&mut content)?;
        parts.push(content);
    }
    Ok((header, child, parts))
}

fn read(content_type: &str, body: &str) -> Result<(Header, String, Vec<String>)> {
    read_with(content_type, body.as_bytes(), Limits::default())
}

const ACTION: &str = "<a:Action>urn:act</a:Action>";

#[test]
fn bare_or_as_a_package_the_same_message_is_read_whatever_the_pieces() {
    let envelope =
        envelope(&format!("{ACTION}<x xmlns=\"urn:x\" s:mustUnderstand=\"1\">1</x>"), "<c> deep</c>");
    let package = package(&envelope, &[("p", "one"), ("q", "")]);
    for sizes in [[1, 2, 3], [7, 64, 1], [100_000, 1, 1]] {
        let bare = read_with(BARE, Pieces::new(envelope.as_bytes(), &sizes), Limits::default()).unwrap();
        let packed = read_with(PACKAGE, Pieces::new(package.as_bytes(), &sizes), Limits::default()).unwrap();
        assert_eq!((&bare.0, &bare.1), (&packed.0, &packed.1));
        assert_eq!(bare.1, " deep");
        assert_eq!(packed.2, ["one", ""]);
        assert_eq!(bare.0.addressing.action.as_deref(), Some("urn:act"));
        let block = bare.0.block("urn:x", "x").unwrap();
        assert!(block.must_understand && block.xml.contains(">1</x>"));
    }
}

#[test]
fn an_empty_body_has_no_child() {
    for body in ["<s:Body/>", "<s:Body></s:Body>", "<s:Body> \n</s:Body>"] {
        let document =
            format!("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">{body}</s:Envelope>");
        let mut incoming =
            open("application/soap+xml; action=urn:x", document.as_bytes(), Limits::default()).unwrap();
        let header = incoming.header().unwrap();
        assert_eq!(incoming.operation(&header).unwrap(), "urn:x");
        assert!(!incoming.child().unwrap());
        incoming.finish().unwrap();
    }
}

#[test]
fn the_action_is_found_wherever_clients_write_it() {
    let body = package(&envelope("", ""), &[]);
    let inner = body.replace("soap+xml\"", "soap+xml; action=\\\"urn:act\\\"\"");
    let related = "multipart/related; boundary=b; type=\"application/xop+xml\"";
    let found = [
        (format!("{related}; start-info=\"application/soap+xml;action=\\\"urn:act\\\"\""), &body),
        (format!("{related}; start-info=\"application/soap+xml\"; action=\"urn:act\""), &body),
        (format!("{related}; start-info=\"urn:act\""), &inner),
        (related.to_owned(), &inner),
    ];
    for (content_type, body) in found {
        let incoming = open(&content_type, body.as_bytes(), Limits::default()).unwrap();
        assert_eq!(incoming.action(), Some("urn:act"), "{content_type}");
    }
}

#[test]
fn actions_that_differ_are_refused() {
    let document = envelope(ACTION, "");
    assert_eq!(code(read(&format!("{BARE}; action=\"urn:other\""), &document)), "soap.addressing");
    assert_eq!(code(read(&format!("{BARE}; action=\"urn:act\""), &document)), "ok");
    assert_eq!(
        code(read(&format!("{PACKAGE}; action=\"urn:other\""), &package(&document, &[]))),
        "soap.addressing"
    );
    let inner = package(&envelope("", ""), &[]).replace("soap+xml\"", "soap+xml; action=\\\"urn:act\\\"\"");
    assert_eq!(code(read(&format!("{PACKAGE}; action=\"urn:other\""), &inner)), "soap.addressing");
    assert_eq!(code(read(BARE, &envelope("", ""))), "soap.addressing");
}

#[test]
fn a_header_of_addressing_that_stands_twice_is_refused() {
    let endpoint = "<a:Address>urn:x</a:Address>";
    for (name, content) in [
        ("Action", "urn:act"),
        ("MessageID", "urn:x"),
        ("To", "urn:x"),
        ("From", endpoint),
        ("ReplyTo", endpoint),
        ("FaultTo", endpoint),
    ] {
        let block = format!("<a:{name}>{content}</a:{name}>");
        let once = if name == "Action" { block.clone() } else { format!("{ACTION}{block}") };
        assert_eq!(code(read(BARE, &envelope(&once, ""))), "ok", "{name}");
        let error = read(BARE, &envelope(&format!("{once}{block}"), "")).unwrap_err();
        assert!(matches!(error, soap::Error::Addressing { header, .. } if header == name), "{name}: {error}");
    }
    let relations =
        "<a:RelatesTo>urn:1</a:RelatesTo><a:RelatesTo RelationshipType=\"urn:t\">urn:2</a:RelatesTo>";
    let (header, ..) = read(BARE, &envelope(&format!("{ACTION}{relations}"), "")).unwrap();
    assert_eq!(header.addressing.relates_to.as_deref(), Some("urn:1"));
    assert_eq!(code(read(BARE, &envelope(&format!("{ACTION}<a:ReplyTo/>"), ""))), "soap.addressing");
}

#[test]
fn a_block_for_somebody_else_is_passed_over() {
    let other = "<a:Action s:role=\"urn:other\">urn:no</a:Action>\
        <x xmlns=\"urn:x\" s:role=\"urn:other\" s:mustUnderstand=\"true\"/>";
    let (header, ..) = read(BARE, &envelope(&format!("{other}{ACTION}"), "")).unwrap();
    assert_eq!(header.addressing.action.as_deref(), Some("urn:act"));
    assert!(header.blocks.is_empty());
}

#[test]
fn what_must_be_understood_and_is_not_known_is_refused() {
    let block =
        |flag: &str| envelope(&format!("{ACTION}<x xmlns=\"urn:x\" s:mustUnderstand=\"{flag}\"/>"), "");
    for (flag, expected) in
        [("true", "soap.must-understand"), ("1", "soap.must-understand"), ("0", "ok"), ("false", "ok")]
    {
        let (header, ..) = read(BARE, &block(flag)).unwrap();
        assert_eq!(code(header.check_understood(&[("urn:x", "y")])), expected);
        assert_eq!(code(header.check_understood(&[("urn:x", "x")])), "ok");
    }
    assert_eq!(code(read(BARE, &block("yes"))), "soap.message");
    // A header of WS-Addressing that is none of those read is a block like any other.
    let unknown = envelope(&format!("{ACTION}<a:Strange s:mustUnderstand=\"1\"/>"), "");
    assert_eq!(code(read(BARE, &unknown).unwrap().0.check_understood(&[])), "soap.must-understand");
}

#[test]
fn soap_11_is_another_version() {
    let old =
        envelope(ACTION, "").replace("http://www.w3.org/2003/05/soap-envelope", soap::envelope::SOAP_11);
    assert_eq!(code(read("text/xml; charset=utf-8", &old)), "soap.version");
    assert_eq!(code(read(BARE, &old)), "soap.version");
    assert_eq!(code(read(PACKAGE, &package(&old, &[]))), "soap.version");
    assert_eq!(code(read(BARE, "<Envelope xmlns=\"urn:x\"/>")), "soap.version");
}

#[test]
fn an_envelope_has_one_header_and_one_body_with_one_child() {
    let good = envelope(ACTION, "<c/>");
    assert_eq!(code(read(BARE, &good)), "ok");
    let header = format!("<s:Header>{ACTION}</s:Header>");
    let bad = [
        good.replace("</s:Body>", "</s:Body><s:Body/>"),
        good.replace("</s:Body>", "</s:Body><x/>"),
        good.replace("</s:Body>", "</s:Body>text"),
        good.replace("<s:Body>", &format!("{header}<s:Body>")),
        good.replace("<s:Body>", "text<s:Body>"),
        good.replace("<s:Body>", "<x/><s:Body>"),
        good.replace("</s:Body>", &format!("</s:Body>{header}")),
        good.replace("<c/>", "<c/><c/>"),
        good.replace("<c/>", "<c/>text"),
        good.replace("<c/>", "text<c/>"),
        good.replace("Body", "Leib"),
        good.replace("Envelope", "Umschlag"),
        good.replace(ACTION, &format!("{ACTION}<x/>")),
        good.replace(ACTION, &format!("{ACTION}text")),
        envelope(ACTION, "text"),
    ];
    for document in bad {
        assert_eq!(code(read(BARE, &document)), "soap.message", "{document}");
        let code = code(read(PACKAGE, &package(&document, &[])));
        assert_eq!(code, "soap.message", "{document}");
    }
    for (document, expected) in [
        (format!("{good}<s:Envelope xmlns:s=\"urn:x\"/>"), "xml.syntax"),
        (format!("{good}text"), "xml.syntax"),
        (format!("<!DOCTYPE x>{good}"), "xml.doctype"),
        (good.replace("<c/>", "<!DOCTYPE x><c/>"), "xml.doctype"),
        (good.replace("<c/>", "<c>&x;</c>"), "xml.entity"),
        (good[..good.len() - 5].to_owned(), "xml.truncated"),
        (String::new(), "xml.syntax"),
    ] {
        assert_eq!(code(read(BARE, &document)), expected, "{document}");
        assert_eq!(code(read(PACKAGE, &package(&document, &[]))), expected, "{document}");
    }
}

#[test]
fn the_root_of_a_package_is_its_first_part_and_the_only_one() {
    let root = envelope(ACTION, "");
    let good = package(&root, &[("p", "")]);
    assert_eq!(code(read(PACKAGE, &good)), "ok");
    assert_eq!(code(read(&PACKAGE.replace("<root>", "<p>"), &good)), "soap.message");
    assert_eq!(code(read(PACKAGE, &good.replace("<root>", "<other>"))), "soap.message");
    assert_eq!(code(read(PACKAGE, &good.replace("Content-ID: <root>\r\n", ""))), "soap.message");
    assert_eq!(code(read(PACKAGE, &package(&root, &[("root", &root)]))), "mime.duplicate-id");
    assert_eq!(code(read(PACKAGE, &good.replace("application/xop+xml", "text/xml"))), "soap.message");
    assert_eq!(code(read(&PACKAGE.replace("application/xop+xml", "text/html"), &good)), "soap.message");
    assert_eq!(code(read(PACKAGE, "--b--\r\n")), "mime.syntax");
    // A second envelope is a part like any other, and nobody reads it as one.
    let (.., parts) = read(PACKAGE, &package(&root, &[("second", &root)])).unwrap();
    assert_eq!(parts, [root]);
}

#[test]
fn a_part_of_a_message_that_has_none_is_refused() {
    for (parts, expected) in [(&[][..], "ok"), (&[("p", "")][..], "soap.message")] {
        let body = package(&envelope(ACTION, ""), parts);
        let mut incoming = open(PACKAGE, body.as_bytes(), Limits::default()).unwrap();
        incoming.header().unwrap();
        assert_eq!(code(incoming.finish()), expected);
    }
}

#[test]
fn a_body_that_was_not_read_is_no_end() {
    let document = envelope(ACTION, "<c><d/></c>");
    let mut incoming = open(BARE, document.as_bytes(), Limits::default()).unwrap();
    incoming.header().unwrap();
    assert!(incoming.child().unwrap());
    assert_eq!(code(incoming.end()), "soap.message");
}

#[test]
fn media_types_that_are_none_of_soap_12_are_refused() {
    let document = envelope(ACTION, "");
    for content_type in
        ["application/xml", "multipart/form-data; boundary=b", "application/soap+xml; charset=iso-8859-1"]
    {
        assert_eq!(code(read(content_type, &document)), "soap.message", "{content_type}");
    }
    assert_eq!(code(read("", &document)), "mime.syntax");
    let latin = package(&document, &[]).replace("xop+xml;", "xop+xml; charset=latin1;");
    assert_eq!(code(read(PACKAGE, &latin)), "soap.message");
}

#[test]
fn what_is_too_large_is_refused() {
    let limits = Limits {
        header_bytes: 2_000,
        root_bytes: 5_000,
        envelope_bytes: 8_000,
        parts: 3,
        ..Limits::default()
    };
    let bare = |header: &str, body: &str| code(read_with(BARE, envelope(header, body).as_bytes(), limits));
    let block = |bytes: usize| format!("{ACTION}<x xmlns=\"urn:x\">{}</x>", "x".repeat(bytes));
    assert_eq!(bare(&block(1_000), ""), "ok");
    assert_eq!(bare(&block(2_000), ""), "mime.limit");
    assert_eq!(bare(&format!("{ACTION}<!--{}-->", "x".repeat(2_000)), ""), "mime.limit");
    assert_eq!(bare(ACTION, &format!("<c>{}</c>", "x".repeat(7_000))), "ok");
    assert_eq!(bare(ACTION, &format!("<c>{}</c>", "x".repeat(8_000))), "xml.limit");
    // Each block repeats the namespaces in scope: few bytes on the wire must not become many.
    let many = format!("<s:Envelope xmlns:n=\"{}\" xmlns:s", "n".repeat(500));
    let document =
        envelope(&format!("{ACTION}{}", "<s:x/>".repeat(50)), "").replace("<s:Envelope xmlns:s", &many);
    assert_eq!(code(read_with(BARE, document.as_bytes(), limits)), "mime.limit");
    let document = document.replace("<s:x/>", "<n:x/>");
    let mut incoming = open(BARE, document.as_bytes(), limits).unwrap();
    assert_eq!(code(incoming.header_with(|_| Ok(true))), "mime.limit");

    let packed = |root: &str, parts: usize| {
        let ids: Vec<_> = (0..parts).map(|part| part.to_string()).collect();
        let parts: Vec<_> = ids.iter().map(|id| (id.as_str(), "x")).collect();
        code(read_with(PACKAGE, package(root, &parts).as_bytes(), limits))
    };
    let root = envelope(ACTION, "");
    assert_eq!(packed(&root, 3), "ok");
    assert_eq!(packed(&root, 4), "mime.limit");
    assert_eq!(packed(&envelope(ACTION, &format!("<c>{}</c>", "x".repeat(5_000))), 0), "mime.limit");
}

#[test]
fn a_block_may_be_read_where_it_stands() {
    let blocks =
        "<x xmlns=\"urn:x\">one<y>two</y></x><z xmlns=\"urn:z\"><y/></z><w xmlns=\"urn:w\">three</w>";
    let document = envelope(&format!("{ACTION}{blocks}"), "<c>four</c>");
    let mut incoming = open(BARE, document.as_bytes(), Limits::default()).unwrap();
    let mut taken = Vec::new();
    let header = incoming.header_with(|reader| {
        let local = reader.current().local().to_owned();
        if let ("x", xml::Event::Text(text)) = (local.as_str(), reader.next()?) {
            taken.push(text.to_owned());
        }
        // Behind its end comes nothing, however much is asked for.
        while local == "w" && !matches!(reader.next()?, xml::Event::Eof) {}
        Ok(true)
    });
    let blocks = header.unwrap().blocks;
    let names: Vec<_> = blocks.iter().map(|block| (block.local.as_str(), block.xml.as_str())).collect();
    assert_eq!(names, [("x", ""), ("z", ""), ("w", "")]);
    assert_eq!(taken, ["one"]);
    assert!(incoming.child().unwrap());
    assert_eq!(incoming.body().read_text(10).unwrap(), "four");
}

#[test]
fn of_a_block_without_end_not_much_is_read() {
    let start = envelope(&format!("{ACTION}<x xmlns=\"urn:x\">"), "");
    let start = &start[..start.find("</s:Header>").unwrap()];
    for for_others in [false, true] {
        let start = match for_others {
            true => start.replace("<x ", "<x s:role=\"urn:other\" "),
            false => start.to_owned(),
        };
        let mut rest = std::io::repeat(b'x').take(1 << 30);
        let limits = Limits { header_bytes: 2_000, ..Limits::default() };
        let mut incoming = open(BARE, start.as_bytes().chain(&mut rest), limits).unwrap();
        assert_eq!(code(incoming.header_with(|_| Ok(true))), "mime.limit");
        drop(incoming);
        assert!(rest.limit() > (1 << 30) - 300_000, "{}", rest.limit());
    }
}

#[test]
fn ten_thousand_parts_are_read_and_one_more_is_not() {
    for (count, expected) in [(10_000, "ok"), (10_001, "mime.limit")] {
        let ids: Vec<_> = (0..count).map(|part: u32| part.to_string()).collect();
        let parts: Vec<_> = ids.iter().map(|id| (id.as_str(), "")).collect();
        assert_eq!(code(read(PACKAGE, &package(&envelope(ACTION, ""), &parts))), expected);
    }
}

/// What the `Include` with this `href` names.
fn named(href: &str) -> Option<String> {
    let document = format!("<i:Include xmlns:i=\"{}\" href=\"{href}\"/>", xop::XOP);
    let mut reader = xml::Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next().unwrap();
    let start = reader.current();
    assert!(xop::is_include(&start));
    xop::content_id(&start).ok()
}

#[test]
fn an_include_names_a_part_with_or_without_escapes() {
    for (href, id) in [
        ("cid:a@b", "a@b"),
        ("CID:a%40b", "a@b"),
        ("cid:http%3A%2F%2Ftempuri.org%2F1%2F63", "http://tempuri.org/1/63"),
        ("cid:%c3%bc+%25", "ü+%"),
    ] {
        assert_eq!(named(href).as_deref(), Some(id));
    }
    for href in [
        "",
        "a@b",
        "cid:",
        "http://a@b",
        "cid:a%4",
        "cid:a%zz",
        "cid:%+1",
        "cid:%ff",
        "cid:%0d%0a",
        "cid:a%3Eb",
    ] {
        assert_eq!(named(href), None, "{href}");
    }
}
