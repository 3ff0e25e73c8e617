//! Containers that two readers could understand differently, or that nobody should, are refused.

use std::io::{self, Read, Write};

use soap::message::{Limits, open};
use xta::model::{Content, Version};
use xta::server::backend::Taking;
use xta::{Error, Exception, Fault, Result, container};

use crate::{BARE, PACKAGE, code, contents, envelope, package, part, read};

const MESSAGE: &str = "<x:Message contentType=\"text/plain\">YQ==</x:Message>";

fn bare(document: &str) -> String {
    code(read(BARE, document.as_bytes()))
}

/// A package whose message holds `inside`.
fn packed(inside: &str, parts: &[(&str, &[u8])]) -> String {
    let root = contents(&format!("<x:Message contentType=\"text/plain\">{inside}</x:Message>"));
    let parts: Vec<_> = parts.iter().map(|(id, content)| part(id, content)).collect();
    code(read(PACKAGE, &package(&root, &parts)[..]))
}

#[test]
fn names_and_parts_fit_each_other_one_to_one() {
    let include = "<i:Include href=\"cid:p\"/>";
    assert_eq!(packed(include, &[("p", b"x")]), "ok");
    for (inside, parts) in [
        (include, &[][..]),
        (include, &[("q", &b"x"[..])][..]),
        (include, &[("p", b"x"), ("q", b"x")]),
        ("YQ==", &[("p", b"x")]),
        ("<i:Include/>", &[("p", b"x")]),
        ("<i:Include href=\"p\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:%\"/>", &[("p", b"x")]),
        ("<i:Include href=\"http://p\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:root\"/>", &[("p", b"x")]),
        ("<x:Include href=\"cid:p\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:p\"/><i:Include href=\"cid:p\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:p\"/><i:Include href=\"cid:q\"/>", &[("p", b"x"), ("q", b"x")]),
        ("YQ==<i:Include href=\"cid:p\"/>", &[("p", b"x")]),
        ("<i:Include href=\"cid:p\"/>YQ==", &[("p", b"x")]),
        ("<i:Include href=\"cid:p\">YQ==</i:Include>", &[("p", b"x")]),
        ("<x:b>YQ==</x:b>", &[("p", b"x")]),
    ] {
        assert_eq!(packed(inside, parts), "soap.message", "{inside}");
    }
    assert_eq!(
        packed("<i:Include href=\"cid:p\"><b/></i:Include>", &[("p", b"x")]),
        "xml.unexpected-element"
    );
    assert_eq!(packed(include, &[("p", b"x"), ("p", b"y")]), "mime.duplicate-id");
    assert_eq!(packed(include, &[("p", b"x"), ("root", b"y")]), "mime.duplicate-id");
    // A bare message has no parts.
    assert_eq!(
        bare(&contents(&format!("<x:Message contentType=\"a/b\">{include}</x:Message>"))),
        "soap.message"
    );
}

#[test]
fn two_contents_do_not_share_a_part() {
    let include = |name: &str, href: &str| {
        format!("<x:{name} contentType=\"a/b\"><i:Include href=\"cid:{href}\"/></x:{name}>")
    };
    for (second, expected) in [("q", "ok"), ("p", "soap.message"), ("%70", "soap.message")] {
        let root = contents(&format!("{}{}", include("Message", "p"), include("Attachment", second)));
        let message = package(&root, &[part("p", b"1"), part("q", b"2")]);
        assert_eq!(code(read(PACKAGE, &message[..])), expected, "{second}");
    }
}

#[test]
fn a_part_without_a_name_is_refused() {
    let message = package(&contents(MESSAGE), &[("Content-Type: text/plain".to_owned(), b"x".to_vec())]);
    assert_eq!(code(read(PACKAGE, &message[..])), "soap.message");
}

#[test]
fn a_container_holds_one_message_then_attachments() {
    let attachment = MESSAGE.replace("Message", "Attachment");
    assert_eq!(bare(&contents(&format!("{MESSAGE}{attachment}{attachment}"))), "ok");
    let whole = "<x:ContentContainer></x:ContentContainer>";
    for document in [
        contents(""),
        contents(&attachment),
        contents(&format!("{MESSAGE}{MESSAGE}")),
        contents(&format!("{attachment}{MESSAGE}")),
        contents(&format!("{MESSAGE}text")),
        contents(&format!("{MESSAGE}<x:Other/>")),
        contents(&MESSAGE.replace("x:", "i:")),
        contents(&MESSAGE.replace("contentType", "type")),
        contents(&MESSAGE.replace("contentType", "x:contentType")),
        contents(&MESSAGE.replace(">YQ", " size=\"-1\">YQ")),
        contents(&MESSAGE.replace(">YQ", " size=\"1e3\">YQ")),
        contents(MESSAGE).replace("</x:ContentContainer>", &format!("</x:ContentContainer>{whole}")),
        contents(MESSAGE).replace("<x:ContentContainer>", &format!("{whole}<x:ContentContainer>")),
        contents(MESSAGE).replace("</x:GenericContentContainer>", "</x:GenericContentContainer><s:b/>"),
        contents(MESSAGE).replace("xta/211", "xta/212"),
        envelope(""),
        envelope(MESSAGE),
        contents(MESSAGE).replace("GenericContentContainer", "Other"),
        contents(MESSAGE).replace("</s:Body>", "</s:Body><s:Body/>"),
    ] {
        assert_eq!(bare(&document), "soap.message", "{document}");
        assert_eq!(code(read(PACKAGE, &package(&document, &[])[..])), "soap.message", "{document}");
    }
    assert_eq!(bare(&format!("<!DOCTYPE x>{}", contents(MESSAGE))), "xml.doctype");
    assert_eq!(bare(&contents(&MESSAGE.replace("YQ==", "&xxe;"))), "xml.entity");
}

#[test]
fn what_is_no_base64_is_refused() {
    for text in ["YQ=", "YQ", "Y", "YQ==YQ==", "YR==", "Y Q=*", "YQ\u{a0}==", "Y-__", "====", "ä"] {
        assert_eq!(bare(&contents(&MESSAGE.replace("YQ==", text))), "mime.base64", "{text}");
    }
    for text in ["", " \n", "YQ==", " Y Q=\r\n=\t", "<!--c-->YQ<![CDATA[=]]>&#61;"] {
        assert_eq!(bare(&contents(&MESSAGE.replace("YQ==", text))), "ok", "{text}");
    }
}

#[test]
fn ten_thousand_contents_are_read_and_one_more_is_not() {
    let attachment = MESSAGE.replace("Message", "Attachment");
    for (more, expected) in [(9_999, "ok"), (10_000, "9023")] {
        assert_eq!(bare(&contents(&format!("{MESSAGE}{}", attachment.repeat(more)))), expected);
    }
}

/// Takes nothing.
struct Refusing(fn() -> io::Error);

impl Taking for Refusing {
    fn content(&mut self, _: usize, _: &Content) -> Result<&mut dyn Write> {
        Ok(self)
    }
}

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err((self.0)())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refuse(content_type: &str, body: &[u8], with: fn() -> io::Error) -> String {
    let mut incoming = open(content_type, body, Limits::default()).unwrap();
    incoming.header().unwrap();
    code(container::read(&mut incoming, &mut Refusing(with), &container::Limits::default(), Version::V3))
}

#[test]
fn what_a_sink_refuses_with_comes_out_as_it_is() {
    const TOO_LARGE: Fault = Fault { code: 9023, exception: Exception::ParameterIsNotValid };
    let include = contents(&MESSAGE.replace("YQ==", "<i:Include href=\"cid:p\"/>"));
    let encrypted = envelope("<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>");
    for (content_type, body) in [
        (BARE, contents(MESSAGE).into_bytes()),
        (BARE, encrypted.into_bytes()),
        (PACKAGE, package(&include, &[part("p", b"x")])),
    ] {
        assert_eq!(refuse(content_type, &body, || io::Error::other(TOO_LARGE)), "9023");
        assert_eq!(refuse(content_type, &body, || io::Error::other(Error::Fault(TOO_LARGE))), "9023");
        assert_eq!(refuse(content_type, &body, || io::ErrorKind::StorageFull.into()), "io");
    }
}

#[test]
fn a_connection_that_breaks_is_no_fault_of_the_message() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let document = contents(MESSAGE);
    let cut = &document.as_bytes()[..document.len() - 80];
    assert_eq!(code(read(BARE, cut.chain(Broken))), "io");
    let include = contents(&MESSAGE.replace("YQ==", "<i:Include href=\"cid:p\"/>"));
    let message = package(&include, &[part("p", b"x")]);
    assert_eq!(code(read(PACKAGE, message[..message.len() - 9].chain(Broken))), "io");
}
