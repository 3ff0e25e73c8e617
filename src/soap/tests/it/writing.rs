//! The exact form of what is written, and what is refused.

use std::io::{Read, Write};

use soap::Error;
use soap::mime::{Boundary, NewPart, Related, Writer};

const RANDOM: [u8; 24] = *b"0123456789abcdef01234567";
const BOUNDARY: &str = "MIME_boundary_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

fn osci() -> Writer<Vec<u8>> {
    Writer::osci(Vec::new(), Boundary::from_random(RANDOM)).unwrap()
}

#[test]
fn an_osci_package_has_exactly_the_form_of_the_standard() {
    let mut writer = osci();
    writer.begin(&NewPart::osci_message()).unwrap();
    writer.write_all(b"<a/>").unwrap();
    writer.begin(&NewPart::attachment("plain.bin").with_length(3)).unwrap();
    writer.write_all(b"\0\r\n").unwrap();
    writer.begin(&NewPart::attachment("osci_enc")).unwrap();
    let written = String::from_utf8(writer.finish().unwrap()).unwrap();
    let expected = format!(
        "MIME-Version: 1.0\r\n\
        Content-Type: Multipart/Related; boundary={BOUNDARY}; type=text/xml\r\n\r\n\
        --{BOUNDARY}\r\n\
        Content-Type: text/xml; charset=UTF-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n\
        Content-ID: <osci@message>\r\n\r\n\
        <a/>\r\n\
        --{BOUNDARY}\r\n\
        Content-Type: application/octet-stream\r\n\
        Content-Transfer-Encoding: binary\r\n\
        Content-ID: <plain.bin>\r\n\
        Content-Length: 3\r\n\r\n\
        \0\r\n\r\n\
        --{BOUNDARY}\r\n\
        Content-Type: application/octet-stream\r\n\
        Content-Transfer-Encoding: binary\r\n\
        Content-ID: <osci_enc>\r\n\r\n\
        \r\n\
        --{BOUNDARY}--\r\n"
    );
    assert_eq!(written, expected);
}

#[test]
fn a_boundary_is_made_of_all_its_random_bits_and_needs_no_quotes() {
    let text = |random| {
        let written = Writer::osci(Vec::new(), Boundary::from_random(random)).unwrap();
        let mut writer = written;
        writer.begin(&NewPart::osci_message()).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
    };
    let all = text([0xff; 24]);
    let token = all.split("boundary=").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!(token.len(), "MIME_boundary_".len() + 32);
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    for byte in 0..24 {
        let mut random = [0xff; 24];
        random[byte] ^= 1;
        assert_ne!(text(random), all);
    }
}

#[test]
fn the_content_type_for_http_quotes_what_it_holds() {
    let boundary = Boundary::from_random(RANDOM);
    let mtom = Related {
        root_type: "application/xop+xml",
        root_id: "root@x",
        start_info: Some("application/soap+xml;action=\"urn:\\a\""),
    };
    let expected = format!(
        "multipart/related; boundary=\"{BOUNDARY}\"; type=\"application/xop+xml\"; start=\"<root@x>\"; \
        start-info=\"application/soap+xml;action=\\\"urn:\\\\a\\\"\""
    );
    assert_eq!(mtom.content_type(&boundary).unwrap(), expected);
    let swa = Related { root_type: "text/xml", root_id: "root@x", start_info: None };
    assert!(swa.content_type(&boundary).unwrap().ends_with("start=\"<root@x>\""));
    for wrong in ["text/xml\r\nX: y", "", "text/\0"] {
        let related = Related { root_type: wrong, ..swa };
        assert_eq!(related.content_type(&boundary).unwrap_err().code(), "mime.write");
        let part = NewPart::root(wrong, "root@x");
        assert_eq!(osci().begin(&part).unwrap_err().code(), "mime.write");
    }
}

#[test]
fn a_content_id_that_could_break_its_header_is_refused() {
    let long = "x".repeat(1_001);
    for id in ["", "a\r\nX: y", "a\nb", "<a>", "a>", "a<", "a\0", " a", "a ", "a\tb", "a\u{85}", &long] {
        let mut writer = osci();
        assert_eq!(writer.begin(&NewPart::attachment(id)).unwrap_err().code(), "mime.write", "{id:?}");
        // The package is not spoilt by it.
        writer.begin(&NewPart::osci_message()).unwrap();
        writer.finish().unwrap();
        let related = Related { root_type: "text/xml", root_id: id, start_info: None };
        assert!(related.content_type(&Boundary::from_random(RANDOM)).is_err());
    }
    for id in ["a", "Anhang ä ß.pdf", "a@b", "a:b/c+d=\"e\"", &long[..1_000]] {
        osci().begin(&NewPart::attachment(id)).unwrap();
    }
}

#[test]
fn content_has_the_length_that_was_announced() {
    let mut short = osci();
    short.begin(&NewPart::attachment("a").with_length(3)).unwrap();
    short.write_all(b"xy").unwrap();
    assert_eq!(short.begin(&NewPart::attachment("b")).unwrap_err().code(), "mime.write");
    assert_eq!(short.finish().unwrap_err().code(), "mime.write");

    let mut long = osci();
    long.begin(&NewPart::attachment("a").with_length(3)).unwrap();
    assert_eq!(Error::from(long.write_all(b"wxyz").unwrap_err()).code(), "mime.write");

    let mut exact = osci();
    exact.begin(&NewPart::attachment("a").with_length(3)).unwrap();
    std::io::copy(&mut b"xyz".chain(std::io::empty()), &mut exact).unwrap();
    exact.finish().unwrap();
}

#[test]
fn a_package_needs_a_part() {
    assert_eq!(osci().finish().unwrap_err().code(), "mime.write");
    assert_eq!(Error::from(osci().write_all(b"x").unwrap_err()).code(), "mime.write");
}
