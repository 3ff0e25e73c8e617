//! Attacks on what a reference names: ids that stand twice or in other attributes, and parts of the package whose
//! Content-ID only looks alike.

use super::forge::{before, element, genuine, swap, told};

const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

#[test]
fn an_id_that_stands_twice_is_refused_in_whatever_attribute() {
    let wsu = format!("xmlns:u=\"{WSU}\" u:Id");
    for attribute in ["Id", "ID", "id", "xml:id", &wsu] {
        let decoy = format!("<w:b xmlns:w=\"urn:w\" Id=\"w\"><w:c {attribute}=\"body\"></w:c></w:b>");
        assert_eq!(told(&before(&genuine(), "</soap:Header>", &decoy)), "9100", "{attribute}");
        let twice = format!("<soap:Body {attribute}=\"body\"></soap:Body></soap:Envelope>");
        assert_eq!(told(&swap(&genuine(), "</soap:Envelope>", &twice)), "9100", "{attribute}");
    }
}

#[test]
fn an_id_in_another_attribute_is_none_of_this_standard() {
    let wsu = format!("xmlns:u=\"{WSU}\" u:Id");
    for attribute in ["ID", "id", "xml:id", &wsu, "soap:Id", "xmlns:w=\"urn:w\" w:Id"] {
        let order = genuine();
        let body = element(&order, "soap:Body");
        let named = body.replace(" Id=\"body\"", &format!(" {attribute}=\"body\""));
        assert_eq!(told(&swap(&order, body, &named)), "9100", "{attribute}");
    }
}

#[test]
fn an_id_in_another_namespace_beside_the_real_one_is_no_id_and_changes_what_was_signed() {
    let order = genuine();
    let named = before(&order, " Id=\"body\"", " xmlns:w=\"urn:w\" w:Id=\"controlblock\"");
    assert_eq!(told(&named), "9601");
}

#[test]
fn two_parts_with_one_content_id_are_refused() {
    for same in ["<a.txt>", "a.txt"] {
        assert_eq!(told(&swap(&genuine(), "Content-ID: <b.txt>", &format!("Content-ID: {same}"))), "9100");
    }
    assert_eq!(told(&swap(&genuine(), "Content-ID: <b.txt>", "Content-ID: <osci@message>")), "9100");
    let twice = "Content-ID: <b.txt>\r\nContent-ID: <c.txt>";
    assert_eq!(told(&swap(&genuine(), "Content-ID: <b.txt>", twice)), "9100");
}

#[test]
fn a_content_id_in_another_case_or_spelling_is_another_part() {
    for other in ["B.txt", "b%2Etxt", "b%2etxt", "b.tx%74", "cid:b.txt", " b.txt", "b.txt?", "./b.txt"] {
        let expected = if other.starts_with(' ') { "9100" } else { "9601" };
        let renamed = swap(&genuine(), "Content-ID: <b.txt>", &format!("Content-ID: <{other}>"));
        assert_eq!(told(&renamed), expected, "{other}");
    }
}

#[test]
fn a_further_part_whose_content_id_only_looks_like_a_signed_one_is_not_covered() {
    for other in ["A.txt", "a%2Etxt", "x"] {
        let order = genuine();
        let (head, last) = order.rsplit_once("\r\n--").unwrap();
        let boundary = last.trim_end().trim_end_matches("--");
        let part = format!("\r\n--{boundary}\r\nContent-ID: <{other}>\r\n\r\nevil");
        assert_eq!(told(&format!("{head}{part}\r\n--{last}")), "9602", "{other}");
    }
}

#[test]
fn attachments_that_change_places_or_bytes_are_noticed() {
    let order = genuine();
    let swapped = order.replace("<a.txt>", "<x>").replace("<b.txt>", "<a.txt>").replace("<x>", "<b.txt>");
    assert_eq!(told(&swapped), "9601");
    assert_eq!(told(&swap(&order, "attached A", "attached X")), "9601");
    // A transfer encoding is undone, and what counts is what comes out.
    let encoded = "Content-Transfer-Encoding: base64\r\nContent-ID: <a.txt>";
    let decoded = swap(&order, "Content-Transfer-Encoding: binary\r\nContent-ID: <a.txt>", encoded);
    assert_eq!(told(&swap(&decoded, "attached A", "attached+A==")), "9601");
}

#[test]
fn the_order_of_references_belongs_to_the_signature() {
    let order = genuine();
    let block = element(&order, "osci:ClientSignature");
    let first = element(block, "ds:Reference");
    let without = swap(block, first, "");
    assert_eq!(told(&swap(&order, block, &without)), "9601");
    assert_eq!(told(&swap(&order, block, &before(&without, "</ds:SignedInfo>", first))), "9601");
}
