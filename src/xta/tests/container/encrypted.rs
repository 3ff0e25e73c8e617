//! A container that its author encrypted is one document, which leaves as it came.

use std::io::Write;
use std::process::{Command, Stdio};

use xta::model::ContentRole;

use crate::{BARE, PACKAGE, PYTHON, Stored, code, envelope, package, part, read, write};

/// `cipher` stands in the place of the data, `key` in that of the key.
fn encrypted(key: &str, cipher: &str) -> String {
    envelope(&format!(
        "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:unused=\"urn:u\" Type=\"a&amp;b\">\
        <e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>\
        <d:KeyInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><e:EncryptedKey><e:CipherData>\n\
        <e:CipherValue>{key}</e:CipherValue></e:CipherData></e:EncryptedKey></d:KeyInfo>\
        <e:CipherData><e:CipherValue>{cipher}</e:CipherValue></e:CipherData></e:EncryptedData>"
    ))
}

/// The exclusive canonical form of the element, as an independent library has it.
fn canonical(document: &str) -> Vec<u8> {
    const PROGRAM: &str = r#"
import sys
from lxml import etree
element = etree.fromstring(sys.stdin.buffer.read()).find(".//{http://www.w3.org/2001/04/xmlenc#}EncryptedData")
sys.stdout.buffer.write(etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False))
"#;
    let mut child = Command::new(PYTHON)
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with lxml is needed for this test");
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python failed");
    output.stdout
}

#[test]
fn an_encrypted_container_is_one_document_bare_or_as_a_package() {
    let document = encrypted("S0VZ", "REFUQQ==");
    let expected = canonical(&document);
    let seen = read(BARE, document.as_bytes()).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0.role, ContentRole::Encrypted);
    assert_eq!(String::from_utf8_lossy(&seen[0].1), String::from_utf8_lossy(&expected));

    let root = encrypted("<i:Include href=\"cid:k\"/>", "<i:Include href=\"cid:d%40x\"/>");
    let message = package(&root, &[part("k", b"KEY"), part("d@x", b"DATA")]);
    assert_eq!(read(PACKAGE, &message[..]).unwrap(), seen);

    for as_package in [false, true] {
        let (content_type, body) = write(&Stored::new(&seen), as_package).unwrap();
        assert_eq!(read(&content_type, &body[..]).unwrap(), seen);
    }
}

#[test]
fn what_encrypted_data_name_is_the_next_part_and_stands_alone() {
    let include = "<i:Include href=\"cid:d\"/>";
    let packed = |cipher: &str, ids: &[&str]| {
        let parts: Vec<_> = ids.iter().map(|id| part(id, b"x")).collect();
        code(read(PACKAGE, &package(&encrypted("S0VZ", cipher), &parts)[..]))
    };
    assert_eq!(packed(include, &["d"]), "ok");
    assert_eq!(packed(&format!(" \n{include} \n"), &["d"]), "ok");
    for (cipher, ids) in [
        (include.to_owned(), &[][..]),
        (include.to_owned(), &["other"][..]),
        (include.to_owned(), &["d", "more"]),
        (include.to_owned(), &["other", "d"]),
        (format!("{include}{include}"), &["d"]),
        (format!("YQ=={include}"), &["d"]),
        (format!("{include}YQ=="), &["d"]),
        (format!("<e:x/>{include}"), &["d"]),
        (format!("{include}<e:x/>"), &["d"]),
        ("<i:Include href=\"cid:d\">x</i:Include>".to_owned(), &["d"]),
        ("<i:Include href=\"d\"/>".to_owned(), &["d"]),
    ] {
        assert_eq!(packed(&cipher, ids), "soap.message", "{cipher}");
    }
    assert_eq!(code(read(BARE, encrypted("S0VZ", include).as_bytes())), "soap.message");
    let both = encrypted("a", "b").replace("</e:EncryptedData>", "</e:EncryptedData><x:ContentContainer/>");
    assert_eq!(code(read(BARE, both.as_bytes())), "soap.message");
}

#[test]
fn only_encrypted_data_are_written_as_such() {
    let mut seen = read(BARE, encrypted("S0VZ", "REFUQQ==").as_bytes()).unwrap();
    for (document, expected) in [
        ("<a/>", "mime.write"),
        ("</x:GenericContentContainer>", "xml.syntax"),
        ("", "xml.syntax"),
        ("<!DOCTYPE a><a/>", "xml.doctype"),
    ] {
        seen[0].1 = document.as_bytes().to_vec();
        assert_eq!(code(write(&Stored::new(&seen), false)), expected, "{document}");
    }
}
