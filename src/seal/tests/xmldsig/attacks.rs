//! Attacks on verified documents: whoever reads through [`seal::xmldsig::Elements`] sees what was signed, in
//! its place, or nothing.

use crate::tools::*;
use seal::Result;
use seal::algorithm::DigestMethod;
use seal::xmldsig::{DS, Key, NewReference, Survey, Target, Transform};
use xml::{Event, Limits};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

fn message() -> String {
    let document = format!(
        "<s:Envelope xmlns:s='{SOAP}'><s:Header><sec Id='sec'>{{signature}}</sec></s:Header>\
         <s:Body Id='body'><order Id='order'>pay 1</order></s:Body></s:Envelope>"
    );
    signed(&document, &[("xmlns:s", SOAP)], &[by_id("body", &[canonical(EXCLUSIVE)])])
}

/// What a careful caller reads: the text in the order of the covered body, if that is where it belongs.
fn read(document: &str) -> String {
    read_with(document, &public(&RSA)).unwrap_or_else(|error| error.code().to_owned())
}

fn read_with(document: &str, key: &Key) -> Result<String> {
    let verified = verify(document, key)?;
    let mut elements = verified.elements(document.as_bytes());
    while let Some(mut element) = elements.next()? {
        let parent = element.ancestors.last().map(|it| (it.namespace.as_deref(), it.local.as_str()));
        let is_in_place = element.place.depth == 2 && parent == Some((Some(SOAP), "Envelope"));
        let reader = element.reader()?;
        if is_in_place && reader.current().is(SOAP, "Body") {
            let mut text = String::new();
            loop {
                match reader.next()? {
                    Event::Text(piece) => text.push_str(piece),
                    Event::Eof => return Ok(text),
                    _ => {}
                }
            }
        }
    }
    Ok("not in its place".to_owned())
}

const BODY: &str = "<s:Body Id='body'><order Id='order'>pay 1</order></s:Body>";
const EVIL: &str = "<s:Body Id='evil'><order>pay 1000</order></s:Body>";

/// The message after `change` did something to it, which must show.
fn changed(change: impl Fn(&str) -> String) -> String {
    let message = message();
    assert!(message.contains(BODY));
    let changed = change(&message);
    assert_ne!(changed, message);
    read(&changed)
}

#[test]
fn the_message_itself_is_read() {
    assert_eq!(read(&message()), "pay 1");
}

#[test]
fn a_signed_body_that_was_moved_is_not_in_its_place() {
    let moved_to_header =
        |it: &str| it.replace(BODY, EVIL).replace("</s:Header>", &format!("<w>{BODY}</w></s:Header>"));
    assert_eq!(changed(moved_to_header), "not in its place");
    let moved_to_sibling = |it: &str| {
        it.replace("</s:Header>", &format!("{BODY}</s:Header>"))
            .replace(&format!("</s:Header>{BODY}"), &format!("</s:Header>{EVIL}"))
    };
    assert_eq!(changed(moved_to_sibling), "not in its place");
    let into_object = |it: &str| {
        let object = format!("<ds:Object>{BODY}</ds:Object></ds:Signature>");
        it.replace(BODY, EVIL).replace("</ds:Signature>", &object)
    };
    assert_eq!(changed(into_object), "not in its place");
    let below_evil = |it: &str| it.replace(BODY, &EVIL.replace("</s:Body>", &format!("{BODY}</s:Body>")));
    assert_eq!(changed(below_evil), "not in its place");
    let deeper = |it: &str| it.replace(BODY, &format!("<s:Envelope>{BODY}</s:Envelope>{EVIL}"));
    assert_eq!(changed(deeper), "not in its place");
    let whole_below = |it: &str| format!("<s:Envelope xmlns:s='{SOAP}'>{it}{EVIL}</s:Envelope>");
    assert_eq!(changed(whole_below), "not in its place");
}

#[test]
fn an_evil_body_beside_the_signed_one_is_not_read() {
    assert_eq!(changed(|it| it.replace(BODY, &format!("{EVIL}{BODY}"))), "pay 1");
    assert_eq!(changed(|it| it.replace(BODY, &format!("{BODY}{EVIL}"))), "pay 1");
    assert_eq!(changed(|it| it.replace("</s:Header>", &format!("</s:Header>{EVIL}"))), "pay 1");
}

#[test]
fn the_parent_of_a_signed_body_is_looked_at() {
    assert_eq!(changed(|it| it.replace("s:Envelope", "s:Other")), "not in its place");
    let renamed =
        |it: &str| it.replace("s:Envelope", "t:Envelope").replace("xmlns:s=", "xmlns:t='urn:t' xmlns:s=");
    assert_eq!(changed(renamed), "not in its place");
}

#[test]
fn an_id_that_stands_twice_is_refused_in_whatever_attribute() {
    let wsu = format!("xmlns:u='{WSU}' u:Id='body'");
    for id in ["Id='body'", "ID='body'", "id='body'", "xml:id='body'", &wsu] {
        let decoy = format!("<s:Body {id}><order>pay 1000</order></s:Body>");
        assert_eq!(changed(|it| it.replace(BODY, &format!("{decoy}{BODY}"))), "signature.duplicate-id");
        assert_eq!(changed(|it| it.replace(BODY, &format!("{BODY}<x {id}/>"))), "signature.duplicate-id");
    }
    let same_element = |it: &str| it.replace("<s:Body Id='body'>", "<s:Body Id='body' id='body'>");
    assert_eq!(changed(same_element), "signature.duplicate-id");
}

#[test]
fn an_id_moved_to_another_attribute_or_element_is_noticed() {
    for id in ["ID='body'", "id='body'", "xml:id='body'"] {
        assert_eq!(
            changed(|it| it.replace("<s:Body Id='body'>", &format!("<s:Body {id}>"))),
            "signature.digest"
        );
    }
    assert_eq!(changed(|it| it.replace("Id='body'", "Id='Body'")), "signature.reference");
    let to_evil = |it: &str| {
        it.replace(BODY, &format!("{}{}", EVIL.replace("'evil'", "'body'"), BODY.replace("'body'", "'b'")))
    };
    assert_eq!(changed(to_evil), "signature.digest");
}

#[test]
fn changed_content_is_noticed() {
    assert_eq!(changed(|it| it.replace("pay 1", "pay 9")), "signature.digest");
    assert_eq!(changed(|it| it.replace("pay 1", "pay <x/>1")), "signature.digest");
    assert_eq!(changed(|it| it.replace("pay 1", "pay <?x 000?>1")), "signature.digest");
    assert_eq!(changed(|it| it.replace("pay 1", "pay 1<![CDATA[000]]>")), "signature.digest");
    assert_eq!(changed(|it| it.replace("<order ", "<order xmlns='urn:x' ")), "signature.digest");
    let default_above = |it: &str| it.replace("xmlns:s=", "xmlns='urn:x' xmlns:s=");
    assert_ne!(changed(default_above), "pay 1");
    assert_eq!(changed(|it| it.replace("pay 1", "pay <![CDATA[1]]>")), "pay 1");
}

#[test]
fn a_comment_does_not_cut_the_text() {
    assert_eq!(changed(|it| it.replace("pay 1", "pa<!-- x -->y <!---->1")), "pay 1");
    let document = message().replace("pay 1", "pay <!-- 1 -->1");
    let verified = verify(&document, &public(&RSA)).unwrap();
    let mut elements = verified.elements(document.as_bytes());
    let mut element = elements.next().unwrap().unwrap();
    let reader = element.reader().unwrap();
    reader.next().unwrap();
    assert!(matches!(reader.next().unwrap(), Event::Text("pay 1")));
}

#[test]
fn a_reader_cannot_leave_its_element() {
    let document = message().replace("</s:Envelope>", &format!("{EVIL}</s:Envelope>"));
    let verified = verify(&document, &public(&RSA)).unwrap();
    let mut elements = verified.elements(document.as_bytes());
    let mut element = elements.next().unwrap().unwrap();
    let reader = element.reader().unwrap();
    reader.skip().unwrap();
    for _ in 0..20 {
        assert!(matches!(reader.next().unwrap(), Event::Eof));
    }
    assert!(elements.next().unwrap().is_none());
}

#[test]
fn the_signature_itself_cannot_be_changed() {
    let dropped = |it: &str| {
        let (from, to) = (it.find("<ds:Reference").unwrap(), it.find("</ds:Reference>").unwrap() + 15);
        format!("{}{}", &it[..from], &it[to..])
    };
    assert_eq!(changed(dropped), "signature.malformed");
    let other = |it: &str| it.replace("URI=\"#body\"", "URI=\"#order\"");
    assert_eq!(changed(other), "signature.value");
    let copied = |it: &str| {
        let (from, to) = (it.find("<ds:Reference").unwrap(), it.find("</ds:Reference>").unwrap() + 15);
        format!("{}{}{}", &it[..to], &it[from..to], &it[to..])
    };
    assert_eq!(changed(copied), "signature.value");
    let second = |it: &str| it.replace("</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo></ds:SignedInfo>");
    assert_eq!(changed(second), "signature.malformed");
    let foreign = |it: &str| it.replace("<ds:SignedInfo>", "<ds:SignedInfo><x/>");
    assert_eq!(changed(foreign), "signature.malformed");
    let twice =
        |it: &str| it.replace("</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>");
    assert_eq!(changed(twice), "signature.malformed");
}

#[test]
fn a_cut_or_foreign_value_is_wrong() {
    let value = |change: fn(&str) -> String| {
        changed(|it| {
            let (from, to) =
                (it.find("<ds:SignatureValue>").unwrap() + 19, it.find("</ds:SignatureValue>").unwrap());
            format!("{}{}{}", &it[..from], change(&it[from..to]), &it[to..])
        })
    };
    assert_eq!(value(|it| it[4..].to_owned()), "signature.value");
    assert_eq!(value(|it| format!("AAAA{it}")), "signature.value");
    assert_eq!(value(|_| String::new()), "signature.value");
    assert_eq!(value(|it| it[1..].to_owned()), "signature.malformed");
    assert_eq!(value(|it| format!("{it}!")), "signature.malformed");
    assert_eq!(value(|it| format!("{}\n {}", &it[..9], &it[9..])), "pay 1");
}

#[test]
fn weak_and_unknown_methods_are_refused() {
    let rsa_sha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    for (method, expected) in [
        ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", "algorithm.unknown"),
        ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "algorithm.unknown"),
        ("http://www.w3.org/2000/09/xmldsig#dsa-sha1", "algorithm.unknown"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "algorithm.unknown"),
        ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "algorithm.forbidden"),
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "algorithm.forbidden"),
        ("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "signature.value"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "signature.value"),
    ] {
        assert_eq!(changed(|it| it.replace(rsa_sha256, method)), expected, "{method}");
    }
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    for (method, expected) in [
        ("http://www.w3.org/2000/09/xmldsig#sha1", "algorithm.forbidden"),
        ("http://www.w3.org/2001/04/xmldsig-more#md5", "algorithm.unknown"),
        ("http://www.w3.org/2001/04/xmlenc#sha512", "signature.value"),
    ] {
        assert_eq!(changed(|it| it.replace(sha256, method)), expected, "{method}");
    }
}

#[test]
fn transforms_that_select_are_refused() {
    for transform in [
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2006/12/xml-c14n11",
        "",
    ] {
        let with = |it: &str| {
            it.replace("<ds:Transform ", &format!("<ds:Transform Algorithm='{transform}'/><ds:Transform "))
        };
        assert_eq!(changed(with), "signature.transform", "{transform}");
    }
    let twice = |it: &str| {
        it.replace("<ds:Transforms>", &format!("<ds:Transforms><ds:Transform Algorithm='{EXCLUSIVE}'/>"))
    };
    assert_eq!(changed(twice), "signature.transform");
    let xpath = |it: &str| it.replace("</ds:Transform>", "<ds:XPath>self::x</ds:XPath></ds:Transform>");
    assert_eq!(changed(xpath), "signature.malformed");
}

/// A message whose signer really signed this reference.
fn with_reference(reference: &NewReference) -> String {
    let document =
        format!("<s:Envelope xmlns:s='{SOAP}'><s:Header>{{signature}}</s:Header>{BODY}</s:Envelope>");
    signed(&document, &[("xmlns:s", SOAP)], std::slice::from_ref(reference))
}

#[test]
fn xpointers_and_what_is_outside_lead_to_nothing() {
    for uri in [
        "#xpointer(/)",
        "#xpointer(id('body'))",
        "#element(/1/2)",
        "#nobody",
        "#",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "other.xml#body",
        "?",
    ] {
        let document = with_reference(&to(Target::Outside(uri.to_owned(), vec![0; 32]), &[]));
        assert_eq!(read(&document), "signature.reference", "{uri}");
    }
}

#[test]
fn what_stands_in_an_enveloped_signature_is_not_shown() {
    let document = with_reference(&to(Target::Document, &[Transform::Enveloped, canonical(EXCLUSIVE)]));
    let object = format!("<ds:Object>{EVIL}</ds:Object></ds:Signature>");
    let stuffed = document.replace("</ds:Signature>", &object);
    let verified = verify(&stuffed, &public(&RSA)).unwrap();
    let mut elements = verified.elements(stuffed.as_bytes());
    let mut root = elements.next().unwrap().unwrap();
    let copy = root.reader().unwrap().copy_element(10_000).unwrap();
    assert!(copy.contains("pay 1<") && !copy.contains("1000") && !copy.contains("Signature"), "{copy}");
    assert!(elements.next().unwrap().is_none());
    // Anything outside of the signature is covered, also a second signature.
    let second = document.replace("</s:Header>", &format!("<ds:Signature xmlns:ds='{DS}'/></s:Header>"));
    assert_eq!(code(verify(&second, &public(&RSA))), "signature.digest");
    let beside = document.replace("</s:Header>", &format!("</s:Header>{EVIL}"));
    assert_eq!(code(verify(&beside, &public(&RSA))), "signature.digest");
    let instruction = format!("<?x?>{document}");
    assert_eq!(code(verify(&instruction, &public(&RSA))), "signature.digest");
}

#[test]
fn a_signature_cannot_cover_itself_by_leaving_itself_out() {
    let outside = Target::Outside("#sig".to_owned(), vec![0; 32]);
    let document = with_reference(&to(outside, &[]));
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    let transforms =
        format!("<ds:Transforms><ds:Transform Algorithm='{enveloped}'/></ds:Transforms><ds:DigestMethod");
    assert_eq!(
        code(verify(&document.replace("<ds:DigestMethod", &transforms), &public(&RSA))),
        "signature.transform"
    );
}

#[test]
fn an_object_of_another_signature_is_seen_as_what_it_is() {
    let other =
        format!("<ds:Signature xmlns:ds='{DS}'><ds:Object Id='o'>pay 1000</ds:Object></ds:Signature>");
    let document =
        format!("<s:Envelope xmlns:s='{SOAP}'><s:Header>{{signature}}{other}</s:Header>{BODY}</s:Envelope>");
    let document = signed(&document, &[("xmlns:s", SOAP)], &[by_id("o", &[])]);
    assert_eq!(read(&document), "not in its place");
    let verified = verify(&document, &public(&RSA)).unwrap();
    let mut elements = verified.elements(document.as_bytes());
    let element = elements.next().unwrap().unwrap();
    assert_eq!(element.ancestors.last().unwrap().local, "Signature");
}

#[test]
fn of_a_base64_text_nothing_but_its_bytes_is_covered() {
    let document = "<a>{signature}<b Id='x' type='text'>QUJD</b></a>";
    let document = signed(document, &[], &[by_id("x", &[Transform::Base64])]);
    let lying = document.replace("type='text'", "type='program'");
    let verified = verify(&lying, &public(&RSA)).unwrap();
    let mut elements = verified.elements(lying.as_bytes());
    let mut element = elements.next().unwrap().unwrap();
    assert_eq!(code(element.reader().map(|_| ())), "signature.not-covered");
    assert_eq!(element.decode_base64(Vec::new()).unwrap(), b"ABC");
    for hidden in ["QU<x>JD</x>", "<x/>QUJD", "<x>QUJD</x>"] {
        let hidden = document.replace("QUJD", hidden);
        assert_eq!(code(verify(&hidden, &public(&RSA))), "signature.transform");
    }
    let changed = document.replace("QUJD", "QUJE");
    assert_eq!(code(verify(&changed, &public(&RSA))), "signature.digest");
}

#[test]
fn the_key_is_the_callers_and_not_the_messages() {
    let other = rsa("bob");
    let code = read_with(&message(), &public(&other)).unwrap_err().code();
    assert_eq!(code, "signature.value");
    let small = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let code = read_with(&message(), &public(&small)).unwrap_err().code();
    assert_eq!(code, "algorithm.forbidden");
}

#[test]
fn too_much_is_refused() {
    let survey = |document: &str| code(Survey::read(document.as_bytes(), Limits::default()));
    let empty = format!("<ds:Signature xmlns:ds='{DS}'/>");
    assert_eq!(survey(&format!("<a>{}</a>", empty.repeat(64))), "ok");
    assert_eq!(survey(&format!("<a>{}</a>", empty.repeat(65))), "signature.limit");
    let signature = |inner: &str| {
        format!("<ds:Signature xmlns:ds='{DS}'><ds:SignedInfo>{inner}</ds:SignedInfo></ds:Signature>")
    };
    assert_eq!(survey(&signature(&"<ds:Reference/>".repeat(12_000))), "ok");
    assert_eq!(survey(&signature(&"<ds:Reference/>".repeat(12_001))), "signature.limit");
    let transforms = format!(
        "<ds:Reference><ds:Transforms>{}</ds:Transforms></ds:Reference>",
        "<ds:Transform/>".repeat(9)
    );
    assert_eq!(survey(&signature(&transforms)), "signature.limit");
    let ids: String = (0..200_000).map(|n| format!("<b Id='{n}'/>")).collect();
    assert_eq!(survey(&format!("<a>{ids}</a>")), "signature.limit");
    let same = vec![by_id("body", &[canonical(INCLUSIVE)]); 33];
    let document = format!("<a>{{signature}}{BODY}</a>", BODY = "<b Id='body'/>");
    let survey = Survey::read(&b"<a><b Id='body'/></a>"[..], Limits::default()).unwrap();
    let signing = seal::xmldsig::Signing {
        key: &RSA,
        method: RSA_SHA256,
        canonicalization: form(INCLUSIVE),
        references: &same,
        key_info: "",
        scope: &[],
        id: None,
    };
    assert_eq!(
        code(signing.sign(&survey, document.replace("{signature}", "").as_bytes())),
        "signature.limit"
    );
}

#[test]
fn a_weak_digest_is_not_taken_even_beside_a_strong_one() {
    let outside = Target::Outside("cid:x".to_owned(), vec![0; 20]);
    let reference = NewReference { digest: DigestMethod::Sha256, ..to(outside, &[]) };
    let document = with_reference(&reference).replace("xmlenc#sha256", "xmldsig-more#sha224");
    assert_eq!(read(&document), "algorithm.unknown");
}

#[test]
fn a_small_document_with_a_huge_canonical_form_is_refused() {
    let long = "x".repeat(50_000);
    let small = "<q:b/>".repeat(5_000);
    let document = format!("<a xmlns:q='urn:{long}'><b Id='x'>{small}</b></a>");
    let survey = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    let sign = |uri: &str| {
        let signing = seal::xmldsig::Signing {
            key: &RSA,
            method: RSA_SHA256,
            canonicalization: form(INCLUSIVE),
            references: &[by_id("x", &[canonical(uri)])],
            key_info: "",
            scope: &[],
            id: None,
        };
        code(signing.sign(&survey, document.as_bytes()))
    };
    assert_eq!(sign(INCLUSIVE), "ok");
    assert_eq!(sign(EXCLUSIVE), "signature.limit");
}
