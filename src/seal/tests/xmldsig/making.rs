//! Signatures that we make: they verify once inserted, whatever stands around them.

use crate::tools::*;
use openssl::nid::Nid;
use proptest::prelude::*;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::xmldsig::{
    Content, Elements, NewReference, OutsideDigests, Signing, Survey, Target, Transform, Verifier,
};
use xml::{Form, Limits};

const DOCUMENT: &str = "<?xml version='1.0'?><!-- c --><?p?><a:doc xmlns:a='urn:a' xmlns='urn:d' xml:lang='de'>\
    <part Id='one'>x<!-- c --><b xmlns:a='urn:a' a:y='1' x='&#9;'/></part>\
    <a:data ID='two'>QUJD\n RA==</a:data>{signature}<a:rest/></a:doc>";
const SCOPE: &[(&str, &str)] = &[("xmlns:a", "urn:a"), ("xmlns", "urn:d"), ("xml:lang", "de")];

fn references() -> Vec<NewReference> {
    let listed = form(EXCLUSIVE).with_prefix_list("#default a");
    vec![
        by_id("one", &[]),
        by_id("one", &[canonical(INCLUSIVE)]),
        by_id("one", &[canonical(&format!("{EXCLUSIVE}WithComments"))]),
        by_id("one", &[Transform::Canonical(listed)]),
        by_id("two", &[Transform::Base64]),
        to(Target::Document, &[Transform::Enveloped]),
        to(Target::Document, &[Transform::Enveloped, canonical(EXCLUSIVE)]),
    ]
}

#[test]
fn every_method_signs_and_verifies() {
    let digests = [DigestMethod::Sha256, DigestMethod::Sha384, DigestMethod::Sha512];
    let sha3 = [DigestMethod::Sha3_256, DigestMethod::Sha3_384, DigestMethod::Sha3_512];
    let mut methods = Vec::new();
    for digest in digests {
        for scheme in [Scheme::RsaPkcs1, Scheme::RsaPss, Scheme::Ecdsa] {
            methods.push(SignatureMethod { scheme, digest });
        }
    }
    methods.extend(sha3.map(|digest| SignatureMethod { scheme: Scheme::RsaPss, digest }));
    let curves = [
        Nid::X9_62_PRIME256V1,
        Nid::SECP384R1,
        Nid::SECP521R1,
        Nid::BRAINPOOL_P256R1,
        Nid::BRAINPOOL_P384R1,
        Nid::BRAINPOOL_P512R1,
    ];
    let curves = curves.map(curve);
    let other_rsa = rsa("bob");
    for method in methods {
        let is_curve = method.scheme == Scheme::Ecdsa;
        let keys: Vec<_> = if is_curve { curves.iter().collect() } else { vec![&*RSA] };
        for key in keys {
            let document = signed_with(DOCUMENT, SCOPE, &references(), key, method);
            let verified = verify(&document, &public(key)).unwrap();
            assert_eq!(verified.method(), method);
            let other = if is_curve { curve(Nid::X9_62_PRIME256V1) } else { other_rsa.clone() };
            assert_eq!(code(verify(&document, &public(&other))), "signature.value");
        }
    }
}

#[test]
fn what_is_covered_is_told_and_shown() {
    let document = signed(DOCUMENT, SCOPE, &[by_id("one", &[]), by_id("two", &[Transform::Base64])]);
    let verified = verify(&document, &public(&RSA)).unwrap();
    let told: Vec<_> = verified.covered().iter().map(|it| (it.id.as_deref(), it.content)).collect();
    assert_eq!(told, [(Some("one"), Content::Whole), (Some("two"), Content::Base64Text)]);
    verified.require(1).unwrap();
    assert_eq!(code(verified.require(0)), "signature.not-covered");
    assert_eq!(code(verified.require(3)), "signature.not-covered");
    let mut elements = verified.elements(document.as_bytes());
    let mut one = elements.next().unwrap().unwrap();
    assert_eq!((one.place.ordinal, one.place.parent, one.place.depth), (1, Some(0), 2));
    assert_eq!(one.ancestors[0].local, "doc");
    assert_eq!(one.reader().unwrap().current().attribute("Id"), Some("one"));
    let mut two = elements.next().unwrap().unwrap();
    assert_eq!(code(two.reader().map(|_| ())), "signature.not-covered");
    assert_eq!(two.decode_base64(Vec::new()).unwrap(), b"ABCD");
    assert!(elements.next().unwrap().is_none());
}

#[test]
fn a_signed_whole_is_shown_without_its_signature() {
    let document = signed(DOCUMENT, SCOPE, &[to(Target::Document, &[Transform::Enveloped])]);
    let verified = verify(&document, &public(&RSA)).unwrap();
    let mut elements = verified.elements(document.as_bytes());
    let mut root = elements.next().unwrap().unwrap();
    let copy = root.reader().unwrap().copy_element(100_000).unwrap();
    assert!(copy.contains("</a:data><a:rest>") && !copy.contains("Signature"), "{copy}");
    assert!(elements.next().unwrap().is_none());
}

#[test]
fn of_a_document_without_signature_only_chosen_elements_are_shown() {
    let document = "<a><b><c>1</c></b><d/><b>2</b></a>";
    let choose = |depth: usize, start: &xml::Start<'_>| depth == 2 && start.local() == "b";
    let mut elements = Elements::unverified(document.as_bytes(), Limits::default(), choose);
    let mut seen = Vec::new();
    while let Some(mut element) = elements.next().unwrap() {
        assert_eq!(element.content, None);
        seen.push(element.reader().unwrap().copy_element(1000).unwrap());
    }
    assert_eq!(seen, ["<b><c>1</c></b>", "<b>2</b>"]);
}

#[test]
fn who_reads_elements_surveys_the_document_in_the_same_pass_however_far_he_reads() {
    let choose = |depth: usize, _: &xml::Start<'_>| depth == 2;
    let survey = |document: &str, elements_read: usize| {
        let mut elements = Elements::surveyed(document.as_bytes(), Limits::default(), choose);
        for _ in 0..elements_read {
            // One event of each: what is not read of it is surveyed all the same, and so is what stands behind a mistake.
            if let Ok(Some(mut element)) = elements.next() {
                let _ = element.reader().map(|reader| reader.next().is_ok());
            }
        }
        elements.into_survey()
    };
    let document = signed(DOCUMENT, SCOPE, &[to(Target::Document, &[Transform::Enveloped])]);
    let sole = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    let alone = format!("{:?}", sole.signatures());
    for elements_read in 0..9 {
        let along = survey(&document, elements_read).unwrap();
        assert_eq!(format!("{:?}", along.signatures()), alone, "{elements_read}");
        for id in ["one", "two", "three"] {
            assert_eq!(along.place(id), sole.place(id), "{elements_read}");
        }
        for twice in ["<a><b Id='x'/><c><d Id='x'/></c></a>", "<a><b><d Id='x'/></b><c Id='x'/></a>"] {
            assert_eq!(code(survey(twice, elements_read)), "signature.duplicate-id", "{elements_read}");
        }
        assert_ne!(code(survey("<a><b/><c></a>", elements_read)), "ok", "{elements_read}");
    }
}

#[test]
fn nothing_weak_is_signed() {
    let survey = Survey::read(&b"<a Id='x'/>"[..], Limits::default()).unwrap();
    let references = [by_id("x", &[])];
    let weak = NewReference { digest: DigestMethod::Sha1, ..references[0].clone() };
    let small = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let sha1 = SignatureMethod { digest: DigestMethod::Sha1, ..RSA_SHA256 };
    let koblitz = curve(Nid::SECP256K1);
    let ecdsa = SignatureMethod { scheme: Scheme::Ecdsa, digest: DigestMethod::Sha256 };
    let tries = [
        (&*RSA, sha1, &references[0]),
        (&*RSA, RSA_SHA256, &weak),
        (&small, RSA_SHA256, &references[0]),
        (&koblitz, ecdsa, &references[0]),
        (&*RSA, ecdsa, &references[0]),
    ];
    for (key, method, reference) in tries {
        let references = std::slice::from_ref(reference);
        let canonicalization = Form::default();
        let signing =
            Signing { key, method, canonicalization, references, key_info: "", scope: &[], id: None };
        assert_eq!(code(signing.sign(&survey, &b"<a Id='x'/>"[..])), "algorithm.forbidden");
    }
}

#[test]
fn a_digest_in_the_library_form_is_taken_only_if_asked_for() {
    let document = "<a xmlns='urn:a' xmlns:p='urn:p'>{signature}<p:b Id='x'><p:c/></p:b></a>";
    let reference = NewReference { library_form: true, ..by_id("x", &[canonical(INCLUSIVE)]) };
    let document = signed(document, &[("xmlns", "urn:a"), ("xmlns:p", "urn:p")], &[reference]);
    assert_eq!(code(verify(&document, &public(&RSA))), "signature.digest");
    let survey = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    let (key, outside, policy) = (public(&RSA), OutsideDigests::new(), Policy::default());
    let verifier = Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: true };
    let verified = verifier.verify(&survey.signatures()[0], document.as_bytes()).unwrap();
    assert_eq!(verified.covered()[0].content, Content::WithoutInheritedNamespaces);
    assert_eq!(code(verified.require(verified.covered()[0].place.ordinal)), "signature.not-covered");
    let plain = "<a xmlns='urn:a'>{signature}<b Id='x'/></a>";
    let plain = signed(plain, &[("xmlns", "urn:a")], &[by_id("x", &[])]);
    let survey = Survey::read(plain.as_bytes(), Limits::default()).unwrap();
    let verifier = Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: true };
    let verified = verifier.verify(&survey.signatures()[0], plain.as_bytes()).unwrap();
    assert_eq!(verified.covered()[0].content, Content::Whole);
}

#[test]
fn things_outside_are_covered_by_their_digests() {
    let target = Target::Outside("cid:a&b".to_owned(), vec![7; 32]);
    let document = signed("<a>{signature}</a>", &[], &[to(target, &[])]);
    assert_eq!(code(verify(&document, &public(&RSA))), "signature.reference");
    let survey = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    for (byte, expected) in [(7, "ok"), (8, "signature.digest")] {
        let mut outside = OutsideDigests::new();
        outside.insert("cid:a&b", DigestMethod::Sha512, vec![7; 64]);
        outside.insert("cid:a&b", DigestMethod::Sha256, vec![byte; 32]);
        let (key, policy) = (public(&RSA), Policy::default());
        let verifier =
            Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: false };
        assert_eq!(code(verifier.verify(&survey.signatures()[0], document.as_bytes())), expected);
    }
}

#[test]
fn ten_thousand_references_are_no_problem() {
    let outside = (0..10_000).map(|n| to(Target::Outside(format!("cid:{n}"), vec![0; 32]), &[]));
    let parts: String = (0..1_000).map(|n| format!("<p Id='p{n}'>{n}</p>")).collect();
    let inside = (0..1_000).rev().map(|n| by_id(&format!("p{n}"), &[canonical(INCLUSIVE)]));
    let references: Vec<_> = outside.chain(inside).collect();
    let document = signed(&format!("<a>{{signature}}{parts}</a>"), &[], &references);
    let survey = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    let mut outside = OutsideDigests::new();
    (0..10_000).for_each(|n| outside.insert(&format!("cid:{n}"), DigestMethod::Sha256, vec![0; 32]));
    let (key, policy) = (public(&RSA), Policy::default());
    let verifier = Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: false };
    let verified = verifier.verify(&survey.signatures()[0], document.as_bytes()).unwrap();
    assert_eq!((verified.covered().len(), verified.outside().len()), (1_000, 10_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever byte of a signed document is changed: it is refused, or nothing covered has changed.
    #[test]
    fn no_changed_byte_goes_unnoticed(index in any::<proptest::sample::Index>(), byte in 0x20u8..0x7F) {
        let document = signed("<a><b Id='x'>pay 1</b>{signature}</a>", &[], &[by_id("x", &[])]);
        let mut bytes = document.into_bytes();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
        if let Ok(verified) = verify(&changed, &public(&RSA)) {
            let mut elements = verified.elements(changed.as_bytes());
            let mut element = elements.next().unwrap().unwrap();
            prop_assert_eq!(element.reader().unwrap().copy_element(1000).unwrap(), "<b Id=\"x\">pay 1</b>");
        }
    }

    /// No bytes make the survey panic.
    #[test]
    fn no_document_is_too_strange_to_survey(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>", "</ds:Signature>",
            "<ds:SignedInfo>", "</ds:SignedInfo>", "<ds:Reference URI='#x'>", "</ds:Reference>",
            "<ds:DigestValue>", "</ds:DigestValue>", "AA==", "<ds:KeyInfo>", "</ds:KeyInfo>",
            "<ds:Transform Algorithm='x'/>", "<ds:Object>", "</ds:Object>", "<a Id='x'>", "</a>", "<ds:Transforms>",
        ]), 0..30)
    ) {
        let document = format!("<r xmlns:ds='{}'>{}</r>", seal::xmldsig::DS, pieces.concat());
        if let Ok(survey) = Survey::read(document.as_bytes(), Limits::default()) {
            let (key, outside, policy) = (public(&RSA), OutsideDigests::new(), Policy::default());
            let verifier = Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: true };
            for signature in survey.signatures() {
                prop_assert!(verifier.verify(signature, document.as_bytes()).is_err());
            }
        }
    }
}
