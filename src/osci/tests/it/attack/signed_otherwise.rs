//! Signatures that are right, but do not say what this standard wants: references that cover less than they seem to.

use super::forge::{
    C14N, canonical, element, genuine, id_of, reference, references, signed_by_alice, stripped, swap, told,
};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const BASE64: &str = "http://www.w3.org/2000/09/xmldsig#base64";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// The order without a signature, and the references that it needs.
fn order() -> (String, Vec<String>) {
    let order = stripped(&genuine());
    let references = references(&order);
    (order, references)
}

/// All references but that to an id, and another one.
fn with(references: &[String], without: &str, other: Option<String>) -> Vec<String> {
    let kept = references.iter().filter(|it| !it.contains(&format!("URI=\"{without}\"")));
    let kept: Vec<String> = kept.cloned().chain(other).collect();
    assert!(kept.len() >= references.len() - 1);
    kept
}

#[test]
fn an_order_signed_by_hand_is_carried_out() {
    let (order, references) = order();
    assert_eq!(told(&signed_by_alice(&order, &references)), "0800");
}

#[test]
fn each_block_the_body_and_each_attachment_must_be_referenced() {
    let (order, references) = order();
    for index in 0..references.len() {
        let mut fewer = references.clone();
        fewer.remove(index);
        assert_eq!(told(&signed_by_alice(&order, &fewer)), "9602", "{}", references[index]);
    }
}

#[test]
fn an_empty_uri_covers_no_block() {
    let (order, references) = order();
    let envelope = element(&order, "soap:Envelope").as_bytes();
    let outside: Vec<String> = references.iter().filter(|it| it.contains("cid:")).cloned().collect();
    let whole = reference("", &[ENVELOPED, C14N], envelope);
    assert_eq!(told(&signed_by_alice(&order, &[vec![whole.clone()], outside].concat())), "9601");
    // The right digest: the envelope with the empty block that the signature is left out of.
    let empty = signed_by_alice(&order, &references);
    let block = element(&empty, "osci:ClientSignature");
    let without = block.replace(element(block, "ds:Signature"), "");
    let digested = swap(&empty, block, &without);
    let digested = canonical(element(&digested, "soap:Envelope"));
    let whole = reference("", &[ENVELOPED, C14N], digested.as_bytes());
    let outside = references.iter().filter(|it| it.contains("cid:")).cloned();
    let said = told(&signed_by_alice(&order, &std::iter::once(whole).chain(outside).collect::<Vec<_>>()));
    assert_eq!(said, "9602");
}

#[test]
fn a_reference_to_a_part_of_the_body_does_not_cover_the_body() {
    let (order, references) = order();
    let container = element(&order, "osci:ContentContainer");
    let other = reference(&format!("#{}", id_of(container)), &[C14N], canonical(container).as_bytes());
    let said = told(&signed_by_alice(&order, &with(&references, "#body", Some(other))));
    assert_eq!(said, "9602");
}

#[test]
fn transforms_that_drop_content_are_refused() {
    let (order, references) = order();
    let body = canonical(element(&order, "soap:Body"));
    for transforms in [
        ["http://www.w3.org/TR/1999/REC-xpath-19991116", C14N],
        ["http://www.w3.org/2002/06/xmldsig-filter2", C14N],
        ["http://www.w3.org/TR/1999/REC-xslt-19991116", C14N],
        ["http://www.w3.org/2010/xmldsig2#transform", C14N],
        [BASE64, C14N],
        [C14N, BASE64],
        [C14N, EXCLUSIVE],
        ["", C14N],
    ] {
        for bytes in [body.as_bytes(), b""] {
            let other = reference("#body", &transforms, bytes);
            let said = told(&signed_by_alice(&order, &with(&references, "#body", Some(other))));
            assert_eq!(said, "9601", "{transforms:?}");
        }
    }
}

#[test]
fn base64_of_an_empty_block_does_not_cover_its_attributes() {
    let (order, references) = order();
    let other = reference("#desiredlanguages", &[BASE64], b"");
    let said = told(&signed_by_alice(&order, &with(&references, "#desiredlanguages", Some(other))));
    assert_eq!(said, "9602");
    let body = reference("#body", &[BASE64], b"");
    assert_eq!(told(&signed_by_alice(&order, &with(&references, "#body", Some(body)))), "9601");
}

#[test]
fn a_reference_to_an_attachment_names_it_exactly() {
    let (order, references) = order();
    for uri in ["cid:A.txt", "cid:a%2Etxt", "CID:a.txt", "cid:<a.txt>", "#a.txt", "a.txt", "cid:"] {
        let other = reference(uri, &[], b"attached A");
        let escaped = other.replace("<a.txt>", "&lt;a.txt>");
        let said = told(&signed_by_alice(&order, &with(&references, "cid:a.txt", Some(escaped))));
        assert_eq!(said, "9601", "{uri}");
    }
}

#[test]
fn an_attachment_is_not_transformed() {
    let (order, references) = order();
    for transform in [BASE64, C14N] {
        let other = reference("cid:a.txt", &[transform], b"attached A");
        let said = told(&signed_by_alice(&order, &with(&references, "cid:a.txt", Some(other))));
        assert_eq!(said, "9601", "{transform}");
    }
}

#[test]
fn a_reference_that_is_right_does_not_make_up_for_one_that_is_wrong() {
    let (order, mut references) = order();
    references.push(reference("#body", &[C14N], b"another body"));
    assert_eq!(told(&signed_by_alice(&order, &references)), "9601");
    references.pop();
    references.push(reference("#nobody", &[C14N], b""));
    assert_eq!(told(&signed_by_alice(&order, &references)), "9601");
    references.pop();
    references.push(reference("http://127.0.0.1:1/", &[], b""));
    assert_eq!(told(&signed_by_alice(&order, &references)), "9601");
}
