//! Tools of an attacker: orders as text, signatures over whatever one likes, and what an intermediary says to them.
//! Signatures are made here from text, without the code that is tested.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use osci::client::{Client, NewOrder};
use osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use osci::intermediary::{Intermediary, Settings};
use osci::message::{Certificates, Named};
use osci::names::ENVELOPE;
use osci::transport::Limits;
use seal::algorithm::Policy;
use seal::identity::Identity;

use crate::bed::settings;
use crate::memory::Memory;
use crate::people::{METHOD, Person, addressed_to, all};

pub(super) const NOW: i64 = 1_795_404_300;
pub(super) const C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
/// An id that the intermediary has issued.
pub(super) const MESSAGE_ID: &str = "id-of-the-order";

/// An intermediary that wants signatures.
pub(super) fn strict() -> Intermediary<Memory> {
    let memory = Memory::at(NOW);
    memory.put_id(MESSAGE_ID);
    Intermediary::new(Settings { must_be_signed: true, ..settings(Policy::default()) }, memory)
}

/// All codes that an answer in the clear tells.
pub(super) fn codes(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let code = |piece: &str| Some(piece.split_once('>')?.1.split('<').next()?.to_owned());
    text.split("<osci:Code").skip(1).filter_map(code).collect()
}

/// What an intermediary says to an order, and that it did nothing unless it says so.
pub(super) fn told(order: &str) -> String {
    let at = strict();
    let said = codes(&all(&at.answer(order.as_bytes()).unwrap())).join(" ");
    assert_eq!(at.backend().deliveries(), usize::from(said == "0800"), "{said}");
    said
}

/// A container in the clear: a text and attachments, signed by these persons, whose certificates are named by ids.
pub(super) fn open_letter(authors: &[(&Person, &str)], attached: &[(&str, &str)]) -> NewContent {
    let (policy, limits) = (Policy::default(), Limits::default());
    let mut maker = Maker::new(&policy, &limits);
    let mut text = "pay 1".as_bytes();
    let mut bytes: Vec<(&str, &[u8])> = attached.iter().map(|(id, text)| (*id, text.as_bytes())).collect();
    let mut parts = vec![NewPart::Inline(&mut text)];
    parts.extend(bytes.iter_mut().map(|(id, bytes)| NewPart::Attachment(id, bytes)));
    let authors = authors
        .iter()
        .map(|(person, id)| Author { signer: &person.signer, method: METHOD, certificate: id })
        .collect();
    maker.add(NewContainer { parts, authors, readers: Vec::new() }).unwrap();
    maker.finish().unwrap()
}

/// The certificates of an order to bob with content of alice.
pub(super) fn certificates(author: &Person) -> Certificates {
    let named = |id: &str, identity: &Identity| Named {
        id: id.to_owned(),
        certificate: identity.certificate().clone(),
    };
    Certificates {
        signature_other_authors: vec![named("author", &author.signer)],
        cipher_other_authors: vec![named("author_cipher", &author.cipher)],
        ..addressed_to("bob")
    }
}

/// A StoreDelivery in the clear as text.
pub(super) fn store_order(client: &Client<'_>, certificates: Certificates, content: &NewContent) -> String {
    let store = NewOrder::Store { message_id: MESSAGE_ID.to_owned(), subject: Some("s".to_owned()) };
    let ordered = client.order(None, &store, certificates, Some(content)).unwrap();
    String::from_utf8(all(&ordered.package)).unwrap()
}

/// What alice orders in the clear, signed: a letter to bob with two attachments.
pub(super) fn genuine() -> String {
    let alice = Person::of("alice");
    let content = open_letter(&[(&alice, "author")], &[("a.txt", "attached A"), ("b.txt", "attached B")]);
    store_order(&alice.in_the_clear(), certificates(&alice), &content)
}

/// The first element of this name, with everything in it of the same name up to the last end.
pub(super) fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let from = text.find(&format!("<{name}")).unwrap_or_else(|| panic!("no {name}"));
    let end = format!("</{name}>");
    let to = text[from..].find(&end).unwrap_or_else(|| panic!("no end of {name}"));
    &text[from..from + to + end.len()]
}

/// Replaces what must be there once.
pub(super) fn swap(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

/// Puts something before what must be there once.
pub(super) fn before(text: &str, place: &str, new: &str) -> String {
    swap(text, place, &format!("{new}{place}"))
}

/// The order without its signature block.
pub(super) fn stripped(order: &str) -> String {
    swap(order, element(order, "osci:ClientSignature"), "")
}

/// The body without the attachment of ids: what an attacker would like to be read.
pub(super) fn evil_body(order: &str) -> String {
    let body = element(order, "soap:Body").replace("Id=\"", "Id=\"evil_");
    let good = STANDARD.encode("pay 1");
    swap(&body, &good, &STANDARD.encode("pay 1000"))
}

/// Namespace declarations of an envelope, in canonical order.
pub(super) fn declarations() -> String {
    ENVELOPE.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(seal::sha256(&[bytes]).0)
}

/// A `ds:Reference` with the digest of these bytes.
pub(super) fn reference(uri: &str, transforms: &[&str], bytes: &[u8]) -> String {
    let mut text = format!("<ds:Reference URI=\"{uri}\">");
    if !transforms.is_empty() {
        text.push_str("<ds:Transforms>");
        for transform in transforms {
            text.push_str(&format!("<ds:Transform Algorithm=\"{transform}\"></ds:Transform>"));
        }
        text.push_str("</ds:Transforms>");
    }
    text.push_str(
        "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>",
    );
    text.push_str(&format!("<ds:DigestValue>{}</ds:DigestValue></ds:Reference>", sha256(bytes)));
    text
}

/// The canonical form of an element that our writer wrote: declarations within it are not rendered again.
pub(super) fn canonical(element: &str) -> String {
    let (first, rest) = element.split_at(element.find('>').unwrap());
    format!("{first}{}", rest.replace(&declarations(), ""))
}

/// References to every header block, the body and the attachments of an order that has no signature.
pub(super) fn references(order: &str) -> Vec<String> {
    let (first, second) = order.split_at(order.rfind("<osci:QualityOfTimestamp").unwrap());
    let elements = [
        element(first, "osci:ControlBlock"),
        element(first, "osci:DesiredLanguages"),
        element(first, "osci:QualityOfTimestamp"),
        element(second, "osci:QualityOfTimestamp"),
        element(second, "osci:storeDelivery"),
        element(second, "osci:NonIntermediaryCertificates"),
        element(second, "soap:Body"),
    ];
    let inside = elements.map(|it| reference(&format!("#{}", id_of(it)), &[C14N], canonical(it).as_bytes()));
    let outside = [("a.txt", "attached A"), ("b.txt", "attached B")]
        .map(|(id, text)| reference(&format!("cid:{id}"), &[], text.as_bytes()));
    inside.into_iter().chain(outside).collect()
}

/// The first `Id` in an element's text, which is its own.
pub(super) fn id_of(element: &str) -> &str {
    let behind = element.split_once(" Id=\"").expect("an Id").1;
    behind.split('"').next().unwrap()
}

/// A `ds:Signature` over these references.
pub(super) fn signature(signer: &Identity, references: &[String], key: &str) -> String {
    let info = format!(
        "<ds:SignedInfo{}><ds:CanonicalizationMethod Algorithm=\"{C14N}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\">\
         </ds:SignatureMethod>{}</ds:SignedInfo>",
        declarations(),
        references.concat()
    );
    let value = STANDARD.encode(signer.sign(&Policy::default(), METHOD, info.as_bytes()).unwrap());
    format!(
        "<ds:Signature>{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo>\
         <ds:RetrievalMethod URI=\"#{key}\"></ds:RetrievalMethod></ds:KeyInfo></ds:Signature>"
    )
}

/// Puts a signature block into an order that has none.
pub(super) fn with_signature(order: &str, signature: &str) -> String {
    let block = format!(
        "<osci:ClientSignature{} Id=\"clientsignature\" soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\" \
         soap:mustUnderstand=\"1\">{signature}</osci:ClientSignature>",
        declarations()
    );
    let first = "</osci:ControlBlock>";
    swap(order, first, &format!("{first}{block}"))
}

/// An order that alice really signed with these references.
pub(super) fn signed_by_alice(order: &str, references: &[String]) -> String {
    let alice = Person::of("alice");
    with_signature(order, &signature(&alice.signer, references, osci::client::SIGNER_ID))
}
