//! Independent implementations: what we sign verifies with `xmlsec1` and with the JDK, and what they sign
//! verifies with us. Debian: xmlsec1, default-jdk-headless.

use crate::tools::*;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use seal::algorithm::{DigestMethod, Scheme, SignatureMethod};
use seal::xmldsig::{NewReference, Target, Transform};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Comments, instructions, inherited namespaces and `xml:` attributes, redundant declarations.
const DOCUMENT: &str = "<?xml version='1.0'?><!-- c --><?p  q?><a:doc xmlns:a='urn:a' xmlns='urn:d' \
    xmlns:z='urn:z' xml:lang='de'>\n<part Id='one' z:b='' a:b='2' c='&quot;&#9;'>x<!-- c --><b xmlns:a='urn:a' \
    xmlns:z='urn:y' xmlns='' z:y='1'>&lt;\u{E4}<![CDATA[<&>]]><c xmlns='urn:d'/></b><?in side?></part>\n\
    <a:data ID='two'>QUJD\n RA==</a:data>{signature}<a:rest/></a:doc><!-- d --><?r?>";
const SCOPE: &[(&str, &str)] =
    &[("xmlns:a", "urn:a"), ("xmlns", "urn:d"), ("xmlns:z", "urn:z"), ("xml:lang", "de")];

/// `base64` is left to the JDK: xmlsec1 decodes the canonical form of the element instead of its text.
fn references(with_base64: bool) -> Vec<NewReference> {
    let listed = form(EXCLUSIVE).with_prefix_list("#default a");
    let mut references = vec![
        by_id("one", &[]),
        by_id("one", &[canonical(INCLUSIVE)]),
        by_id("one", &[canonical(EXCLUSIVE)]),
        by_id("one", &[Transform::Canonical(listed)]),
        to(Target::Document, &[Transform::Enveloped]),
        to(Target::Document, &[Transform::Enveloped, canonical(EXCLUSIVE)]),
    ];
    if with_base64 {
        references.push(by_id("two", &[Transform::Base64]));
    }
    references
}

struct Case {
    name: String,
    key: PKey<Private>,
    method: SignatureMethod,
}

fn case(scheme: Scheme, digest: DigestMethod, key: &PKey<Private>, curve: &str) -> Case {
    let name = format!("{scheme:?}-{digest:?}{curve}").to_lowercase();
    Case { name, key: key.clone(), method: SignatureMethod { scheme, digest } }
}

const SHA2: [DigestMethod; 3] = [DigestMethod::Sha256, DigestMethod::Sha384, DigestMethod::Sha512];

/// What xmlsec1 1.2 can do: no RSASSA-PSS.
fn cases_of_xmlsec() -> Vec<Case> {
    let mut cases: Vec<_> = SHA2.iter().map(|it| case(Scheme::RsaPkcs1, *it, &RSA, "")).collect();
    for (name, nid) in [
        ("-p256", Nid::X9_62_PRIME256V1),
        ("-p384", Nid::SECP384R1),
        ("-p521", Nid::SECP521R1),
        ("-bp256", Nid::BRAINPOOL_P256R1),
        ("-bp384", Nid::BRAINPOOL_P384R1),
        ("-bp512", Nid::BRAINPOOL_P512R1),
    ] {
        let key = curve(nid);
        cases.extend(SHA2.iter().map(|it| case(Scheme::Ecdsa, *it, &key, name)));
    }
    cases
}

/// What the JDK 17 can do: no brainpool curves, no SHA-3.
fn cases_of_java() -> Vec<Case> {
    let mut cases: Vec<_> = SHA2.iter().map(|it| case(Scheme::RsaPkcs1, *it, &RSA, "")).collect();
    cases.extend(SHA2.iter().map(|it| case(Scheme::RsaPss, *it, &RSA, "")));
    for (name, nid) in
        [("-p256", Nid::X9_62_PRIME256V1), ("-p384", Nid::SECP384R1), ("-p521", Nid::SECP521R1)]
    {
        let key = curve(nid);
        cases.extend(SHA2.iter().map(|it| case(Scheme::Ecdsa, *it, &key, name)));
    }
    cases
}

fn run(command: &mut Command) -> (bool, String) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|_| panic!("these tests need {program}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn xmlsec(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let ids = ["--id-attr:Id", "urn:d:part", "--id-attr:ID", "urn:a:data"];
    let (action, rest) = arguments.split_first().unwrap();
    run(Command::new("xmlsec1").arg(action).args(ids).args(rest).current_dir(folder))
}

/// The JDK's verdicts, one line a file: must be as many as asked for.
fn java(arguments: &[PathBuf]) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xmldsig/support/Judge.java");
    let (is_good, text) = run(Command::new("java").arg(program).args(arguments));
    assert!(is_good, "{text}");
    text
}

/// The document with an empty signature, as xmlsec1 wants it for signing.
fn template(signed: &str) -> String {
    let mut text = signed.to_owned();
    for name in ["DigestValue", "SignatureValue"] {
        let (start, end) = (format!("<ds:{name}>"), format!("</ds:{name}>"));
        let pieces: Vec<&str> = text.split(&start).collect();
        let emptied = pieces.iter().enumerate().map(|(index, piece)| match index {
            0 => (*piece).to_owned(),
            _ => format!("{start}{}", &piece[piece.find(&end).unwrap()..]),
        });
        text = emptied.collect();
    }
    text
}

#[test]
fn xmlsec_verifies_what_we_sign_and_notices_a_change() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases_of_xmlsec() {
        let document = signed_with(DOCUMENT, SCOPE, &references(false), &case.key, case.method);
        std::fs::write(folder.path().join("key.pem"), case.key.public_key_to_pem().unwrap()).unwrap();
        for (text, expected) in [(document.clone(), true), (document.replace("<c ", "<d "), false)] {
            std::fs::write(folder.path().join("signed.xml"), text).unwrap();
            let (is_good, report) =
                xmlsec(folder.path(), &["--verify", "--pubkey-pem", "key.pem", "signed.xml"]);
            assert_eq!(is_good, expected, "{}: {report}", case.name);
        }
    }
}

#[test]
fn what_xmlsec_signs_verifies_with_us() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases_of_xmlsec() {
        let document = signed_with(DOCUMENT, SCOPE, &references(false), &case.key, case.method);
        std::fs::write(folder.path().join("key.pem"), case.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        std::fs::write(folder.path().join("template.xml"), template(&document)).unwrap();
        let arguments = ["--sign", "--privkey-pem", "key.pem", "--output", "theirs.xml", "template.xml"];
        let (is_good, report) = xmlsec(folder.path(), &arguments);
        assert!(is_good, "{}: {report}", case.name);
        let theirs = std::fs::read_to_string(folder.path().join("theirs.xml")).unwrap();
        let verified =
            verify(&theirs, &public(&case.key)).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(verified.covered().len(), 6);
    }
}

#[test]
fn the_jdk_verifies_what_we_sign_and_notices_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec![PathBuf::from("verify")];
    let mut expected = Vec::new();
    for case in cases_of_java() {
        let document = signed_with(DOCUMENT, SCOPE, &references(true), &case.key, case.method);
        for (text, verdict) in [(document.clone(), "OK"), (document.replace("<c ", "<d "), "BAD")] {
            let file = folder.path().join(format!("{}-{verdict}.xml", case.name));
            std::fs::write(&file, text).unwrap();
            let key = case.key.public_key_to_der().unwrap();
            std::fs::write(file.with_extension("xml.pub"), key).unwrap();
            expected.push(format!("{}-{verdict}.xml {verdict}\n", case.name));
            arguments.push(file);
        }
    }
    assert_eq!(java(&arguments), expected.concat());
}

#[test]
fn what_the_jdk_signs_verifies_with_us() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.xml");
    std::fs::write(&input, DOCUMENT.replace("{signature}", "")).unwrap();
    let mut arguments = vec![PathBuf::from("sign")];
    let cases = cases_of_java();
    for case in &cases {
        let key = folder.path().join(format!("{}.key", case.name));
        std::fs::write(&key, case.key.private_key_to_pkcs8().unwrap()).unwrap();
        let output = folder.path().join(format!("{}.xml", case.name));
        arguments.extend([PathBuf::from(case.method.uri().unwrap()), input.clone(), output, key]);
    }
    let expected: String = cases.iter().map(|case| format!("{}.xml OK\n", case.name)).collect();
    assert_eq!(java(&arguments), expected);
    for case in &cases {
        let theirs = std::fs::read_to_string(folder.path().join(format!("{}.xml", case.name))).unwrap();
        let verified =
            verify(&theirs, &public(&case.key)).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(verified.covered().len(), 7);
        let changed = theirs.replace("QUJD", "QUJE");
        assert_eq!(code(verify(&changed, &public(&case.key))), "signature.digest");
    }
}
