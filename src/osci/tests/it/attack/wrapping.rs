//! Signature wrapping: the signed part is still there and still right, but not where it is read. Whatever stands in its
//! place was not signed, and is not believed.

use super::forge::{before, element, evil_body, genuine, stripped, swap, told};

/// The genuine order with an evil body in the place of the signed one, which is put where `place` says.
fn moved(place: impl Fn(&str, &str) -> String) -> String {
    let order = genuine();
    let (body, evil) = (element(&order, "soap:Body").to_owned(), evil_body(&order));
    place(&swap(&order, &body, &evil), &body)
}

#[test]
fn the_genuine_order_is_carried_out() {
    assert_eq!(told(&genuine()), "0800");
}

#[test]
fn a_signed_body_in_a_wrapper_within_the_header_covers_no_other_body() {
    // In a namespace that is known already, so that nothing in the signed part changes.
    let wrapper = |body: &str| format!("<xsi:wrapper Id=\"w\">{body}</xsi:wrapper>");
    assert_eq!(told(&moved(|it, body| before(it, "</soap:Header>", &wrapper(body)))), "9602");
}

#[test]
fn a_signed_body_among_the_header_blocks_is_no_header_block() {
    assert_eq!(told(&moved(|it, body| before(it, "</soap:Header>", body))), "9100");
}

#[test]
fn a_signed_body_in_an_object_of_the_signature_covers_no_other_body() {
    let object = |body: &str| format!("<ds:Object>{body}</ds:Object>");
    let into_client_signature = |it: &str, body: &str| {
        let block = element(it, "osci:ClientSignature").to_owned();
        swap(it, &block, &before(&block, "</ds:Signature>", &object(body)))
    };
    assert_eq!(told(&moved(into_client_signature)), "9602");
}

#[test]
fn a_signed_body_beside_the_signature_in_its_block_covers_no_other_body() {
    assert_eq!(told(&moved(|it, body| before(it, "</osci:ClientSignature>", body))), "9602");
}

#[test]
fn a_signed_body_within_the_evil_one_does_not_cover_it() {
    assert_eq!(told(&moved(|it, body| before(it, "</soap:Body>", body))), "9602");
}

#[test]
fn a_signed_body_in_the_certificates_does_not_cover_another() {
    let inside = |it: &str, body: &str| before(it, "</osci:NonIntermediaryCertificates>", body);
    assert_eq!(told(&moved(inside)), "9100");
}

#[test]
fn a_second_body_before_or_behind_the_signed_one_is_not_carried_out() {
    let order = genuine();
    let body = element(&order, "soap:Body");
    let evil = evil_body(&order);
    let empty = "<soap:Body Id=\"empty\"></soap:Body>";
    for other in [evil.as_str(), empty] {
        assert_eq!(told(&swap(&order, body, &format!("{other}{body}"))), "9100");
        assert_eq!(told(&swap(&order, body, &format!("{body}{other}"))), "9100");
    }
}

#[test]
fn a_second_header_adds_nothing_to_what_was_signed() {
    let block = "<w:b xmlns:w=\"urn:w\" Id=\"w\"></w:b>";
    let second = format!("<soap:Header>{block}</soap:Header>");
    assert_eq!(told(&before(&genuine(), "<soap:Header>", &second)), "9100");
    assert_eq!(told(&before(&genuine(), "</soap:Envelope>", &second)), "9100");
}

#[test]
fn something_beside_header_and_body_is_refused() {
    for other in ["<w:b xmlns:w=\"urn:w\"></w:b>", "<osci:ContentPackage></osci:ContentPackage>"] {
        assert_eq!(told(&before(&genuine(), "</soap:Envelope>", other)), "9100", "{other}");
    }
}

#[test]
fn a_signed_envelope_within_the_header_of_another_signs_nothing_there() {
    let order = genuine();
    let envelope = element(&order, "soap:Envelope");
    let unsigned = stripped(&order);
    let outer = element(&unsigned, "soap:Envelope");
    let (header, rest) = outer.split_once("<soap:Header>").unwrap();
    let rest = rest.replace(" Id=\"", " Id=\"outer_");
    let wrapper = format!("<w:wrapper xmlns:w=\"urn:w\" Id=\"w\">{envelope}</w:wrapper>");
    assert_eq!(told(&swap(&order, envelope, &format!("{header}<soap:Header>{wrapper}{rest}"))), "9600");
}

#[test]
fn a_signed_envelope_within_a_body_signs_nothing_around_it() {
    let order = genuine();
    let envelope = element(&order, "soap:Envelope");
    let unsigned = stripped(&order);
    let outer = element(&unsigned, "soap:Envelope").replace(" Id=\"", " Id=\"outer_");
    let nested = swap(&outer, element(&outer, "osci:ContentPackage"), envelope);
    assert_eq!(told(&swap(&order, envelope, &nested)), "9600");
}

#[test]
fn a_second_content_package_is_noticed_in_the_body_and_in_the_header() {
    let order = genuine();
    let package = element(&order, "osci:ContentPackage");
    let evil = element(&evil_body(&order), "osci:ContentPackage").to_owned();
    assert_eq!(told(&swap(&order, package, &format!("{evil}{package}"))), "9601");
    assert_eq!(told(&swap(&order, package, &format!("{package}{evil}"))), "9601");
    let as_block = swap(&evil, "<osci:ContentPackage>", "<osci:ContentPackage Id=\"p\">");
    assert_eq!(told(&before(&order, "</soap:Header>", &as_block)), "9100");
}

#[test]
fn a_statement_in_the_body_does_not_take_the_place_of_the_signed_one() {
    let order = genuine();
    let statement = element(&order, "osci:storeDelivery");
    let evil = statement.replace("Id=\"", "Id=\"evil_");
    let in_body = before(&swap(&order, statement, ""), "<osci:ContentPackage>", &evil);
    assert_eq!(told(&in_body), "9601");
    assert_eq!(told(&before(&order, "</soap:Header>", &evil)), "9100");
    let hidden = format!("<xsi:wrapper Id=\"w\">{statement}</xsi:wrapper>");
    assert_eq!(told(&before(&swap(&order, statement, &evil), "</soap:Header>", &hidden)), "9602");
}

#[test]
fn a_second_signature_or_one_of_another_kind_signs_nothing() {
    let order = genuine();
    let block = element(&order, "osci:ClientSignature");
    let one = element(block, "ds:Signature");
    assert_eq!(told(&swap(&order, one, &format!("{one}{one}"))), "9601");
    let second = block.replace("Id=\"clientsignature\"", "Id=\"second\"");
    assert_eq!(told(&swap(&order, block, &format!("{block}{second}"))), "9100");
    let answers = block.replace("osci:ClientSignature", "osci:SupplierSignature");
    assert_eq!(told(&swap(&order, block, &answers)), "9100");
    let foreign = block
        .replace("osci:ClientSignature", "w:ClientSignature")
        .replace(" xmlns:ds=", " xmlns:w=\"urn:w\" xmlns:ds=");
    assert_eq!(told(&swap(&order, block, &foreign)), "9600");
    let deeper = format!("<w:wrapper xmlns:w=\"urn:w\" Id=\"w\">{block}</w:wrapper>");
    assert_eq!(told(&swap(&order, block, &deeper)), "9600");
    let inside = swap(block, one, &format!("<w:x xmlns:w=\"urn:w\">{one}</w:x>"));
    assert_eq!(told(&swap(&order, block, &inside)), "9601");
}

#[test]
fn an_order_whose_signature_was_stripped_is_unsigned() {
    assert_eq!(told(&stripped(&genuine())), "9600");
}
