//! Attacks on author signatures: whoever sends a delivery can put anything around content that somebody else signed. What
//! is reported as an author's is what he signed, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use osci::content::write::{Author, Maker, NewContainer, NewPart};
use osci::content::{Container, Part, Reader};
use osci::message::Message;
use osci::package::Package;
use osci::transport::Limits;
use seal::algorithm::Policy;
use seal::identity::Identity;
use seal::xmlenc::Staging;

use super::forge::{
    C14N, before, canonical, certificates, element, id_of, open_letter, reference, signature, store_order,
    swap,
};
use crate::bed::{certificate, identity};
use crate::people::{METHOD, Person, all};

/// An order that nobody signed with content that alice signed.
fn letter() -> String {
    let alice = Person::of("alice");
    let content = open_letter(&[(&alice, "author")], &[("a.txt", "attached A"), ("b.txt", "attached B")]);
    sent(&content)
}

/// An order that nobody signed, so that an attacker may change all of it.
fn sent(content: &osci::content::write::NewContent) -> String {
    let mallory = Person::of("carol");
    let client = osci::client::Client { signer: None, ..mallory.in_the_clear() };
    store_order(&client, certificates(&Person::of("alice")), content)
}

fn opened(order: &[u8]) -> osci::Result<(Package, Message)> {
    let mut staging = Staging::new(1 << 20, 1 << 30);
    staging.take(order)?;
    let mut package = Package::open(staging.finish(), &Limits::default())?;
    let message = package.read()?.unsigned()?;
    Ok((package, message))
}

/// What a reader with these keys sees: for each piece of content who signed it, and what it is.
fn seen_with(order: &[u8], keys: &[Identity]) -> osci::Result<Vec<String>> {
    let (package, message) = opened(order)?;
    let (policy, limits) = (Policy::default().with_legacy(), Limits::default());
    let reader = Reader { package: &package, message: &message, keys, policy: &policy, limits: &limits };
    let mut lines = Vec::new();
    list(&reader, &reader.read()?, "nobody", &mut lines)?;
    Ok(lines)
}

fn list(reader: &Reader<'_>, parts: &[Part], author: &str, lines: &mut Vec<String>) -> osci::Result<()> {
    for part in parts {
        match part {
            Part::Inline { bytes, .. } => lines.push(format!("{author}: {}", text(&all(bytes)))),
            Part::Attachment(attached) => {
                lines.push(format!("{author}: {}", text(&all(&reader.open_attachment(attached)?))));
            }
            Part::Container(Container { authors, parts, .. }) => {
                let alice = authors.iter().any(|it| *it == certificate("alice_signature"));
                list(reader, parts, if alice { "alice" } else { "nobody" }, lines)?;
            }
            Part::Opened(parts) => list(reader, parts, author, lines)?,
            Part::Locked => lines.push("locked".to_owned()),
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The same in one line, or the code of the error.
fn seen(order: &str) -> String {
    seen_with(order.as_bytes(), &[]).map_or_else(|error| error.code().to_owned(), |lines| lines.join(", "))
}

const WHOLE: &str = "alice: pay 1, alice: attached A, alice: attached B";

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The first content, and an evil one.
fn contents(order: &str) -> (String, String) {
    let behind = order.split_once("<osci:Content>").expect("a Content").1;
    let inner = behind.split_once("</osci:Content>").expect("its end").0;
    let content = format!("<osci:Content>{inner}</osci:Content>");
    let evil = swap(&content, &base64("pay 1"), &base64("pay 1000")).replace("Id=\"", "Id=\"evil_");
    (content, evil)
}

/// A container of mallory's.
fn container(content: &str) -> String {
    format!("<osci:ContentContainer Id=\"evil\">{content}</osci:ContentContainer>")
}

#[test]
fn what_an_author_signed_is_his() {
    assert_eq!(seen(&letter()), WHOLE);
}

#[test]
fn attachments_that_are_encoded_for_transfer_are_opened_as_what_they_are() {
    let order = letter();
    let (front, part) = order.split_at(order.find("<a.txt>").unwrap());
    let (head, _) = front.rsplit_once("Content-Transfer-Encoding: ").unwrap();
    let sent_as = |encoding: &str, content: &str| {
        let ids = &part[..part.find("attached A").unwrap()];
        let behind = &part[ids.len() + "attached A".len()..];
        format!("{head}Content-Transfer-Encoding: {encoding}\r\nContent-ID: {ids}{content}{behind}")
    };
    assert_eq!(seen(&sent_as("binary", "attached A")), WHOLE);
    let (first, second) = (base64("atta"), base64("ched A"));
    let encoded = base64("attached A");
    assert_eq!(seen(&sent_as("base64", &encoded)), WHOLE);
    assert_eq!(seen(&sent_as("base64", &format!("{}\r\n{} \r\n", &encoded[..5], &encoded[5..]))), WHOLE);
    assert_ne!(seen(&sent_as("base64", &base64("attached B"))), WHOLE);
    assert_ne!(seen(&sent_as("base64", &format!("{first}{second}"))), WHOLE, "padding within");
}

#[test]
fn content_whose_signature_was_stripped_is_nobodys() {
    let order = letter();
    let without = swap(&order, element(&order, "ds:Signature"), "");
    assert_eq!(seen(&without), WHOLE.replace("alice", "nobody"));
}

#[test]
fn content_that_was_put_beside_what_was_signed_is_not_believed() {
    let order = letter();
    let (content, evil) = contents(&order);
    for changed in [
        before(&order, &content, &evil),
        before(&order, "</osci:ContentContainer>", &evil),
        before(&order, &content, &format!("<osci:Content Id=\"c\">{}</osci:Content>", container(&evil))),
    ] {
        assert_eq!(seen(&changed), "signature.not-covered");
    }
}

#[test]
fn signed_content_that_was_moved_covers_nothing_in_its_old_place() {
    let order = letter();
    let (content, evil) = contents(&order);
    let replaced = swap(&order, &content, &evil);
    let elsewhere = before(&replaced, "</osci:ContentPackage>", &container(&content));
    assert_eq!(seen(&elsewhere), "signature.not-covered");
    let object = format!("<ds:Object>{content}</ds:Object>");
    assert_eq!(seen(&before(&replaced, "</ds:Signature>", &object)), "signature.not-covered");
    let nested = format!("<osci:Content Id=\"c\">{}</osci:Content>", container(&content));
    assert_eq!(seen(&before(&replaced, "</osci:ContentContainer>", &nested)), "signature.not-covered");
    let in_header = format!("<w:w xmlns:w=\"urn:w\" Id=\"w\">{content}</w:w>");
    assert_eq!(seen(&before(&replaced, "</soap:Header>", &in_header)), "signature.not-covered");
}

#[test]
fn signed_content_that_is_left_out_is_missed() {
    let order = letter();
    let (content, _) = contents(&order);
    assert_eq!(seen(&swap(&order, &content, "")), "signature.reference");
    let emptied = swap(&order, &base64("pay 1"), "");
    assert_eq!(seen(&emptied), "signature.digest");
}

#[test]
fn a_signature_that_was_moved_to_another_container_signs_nothing_in_the_first() {
    let order = letter();
    let signature = element(&order, "ds:Signature");
    let without = swap(&order, signature, "");
    let beside = before(&without, "</osci:ContentPackage>", &container(signature));
    assert_eq!(seen(&beside), WHOLE.replace("alice", "nobody"));
}

#[test]
fn a_signed_container_within_one_of_nobody_keeps_its_author_and_gives_none() {
    let order = letter();
    let (_, evil) = contents(&order);
    let signed = element(&order, "osci:ContentContainer");
    let around = container(&format!("{evil}<osci:Content Id=\"c\">{signed}</osci:Content>"));
    assert_eq!(seen(&swap(&order, signed, &around)), format!("nobody: pay 1000, {WHOLE}"));
}

#[test]
fn an_id_that_stands_twice_in_content_is_refused() {
    let order = letter();
    let (content, evil) = contents(&order);
    let decoy = container(&evil.replace("evil_", ""));
    assert_eq!(seen(&before(&order, "</osci:ContentPackage>", &decoy)), "signature.duplicate-id");
    let named = element(&content, "osci:Base64Content");
    let twice = format!("<w:w xmlns:w=\"urn:w\" xml:id=\"{}\" Id=\"w\"></w:w>", id_of(named));
    assert_eq!(seen(&before(&order, "</soap:Header>", &twice)), "signature.duplicate-id");
}

#[test]
fn attachments_of_signed_content_are_those_that_were_signed() {
    let order = letter();
    let swapped = order
        .replace("Content-ID: <a.txt>", "Content-ID: <x>")
        .replace("Content-ID: <b.txt>", "Content-ID: <a.txt>")
        .replace("Content-ID: <x>", "Content-ID: <b.txt>");
    assert_eq!(seen(&swapped), "signature.digest");
    assert_eq!(seen(&swap(&order, "href=\"cid:a.txt\"", "href=\"cid:b.txt\"")), "signature.digest");
    assert_eq!(seen(&swap(&order, "attached A", "attached X")), "signature.digest");
    for other in ["A.txt", "a%2Etxt"] {
        let renamed = swap(&order, "Content-ID: <a.txt>", &format!("Content-ID: <{other}>"));
        assert_eq!(seen(&renamed), "signature.reference", "{other}");
    }
}

/// The order, with a container that alice signed by hand with these references.
fn by_hand(order: &str, references: &[String]) -> String {
    let alice = identity("alice_signature");
    swap(order, element(order, "ds:Signature"), &signature(&alice, references, "author"))
}

/// The order's contents with an `href`, first to last.
fn attached(order: &str) -> Vec<String> {
    let all = order.split("<osci:Content ").skip(1);
    all.map(|behind| {
        format!("<osci:Content {}</osci:Content>", behind.split("</osci:Content>").next().unwrap())
    })
    .collect()
}

/// References to everything in the letter; those to contents with an `href` by this transform.
fn all_of(order: &str, transform: &str) -> Vec<String> {
    let inline = id_of(element(order, "osci:Base64Content"));
    let base64 = "http://www.w3.org/2000/09/xmldsig#base64";
    let mut all = vec![reference(&format!("#{inline}"), &[base64], b"pay 1")];
    for content in attached(order) {
        let with_declarations =
            content.replacen("<osci:Content", &format!("<osci:Content{}", super::forge::declarations()), 1);
        let bytes = if transform == C14N { canonical(&with_declarations) } else { String::new() };
        all.push(reference(&format!("#{}", id_of(&content)), &[transform], bytes.as_bytes()));
    }
    all.push(reference("cid:a.txt", &[], b"attached A"));
    all.push(reference("cid:b.txt", &[], b"attached B"));
    all
}

#[test]
fn content_signed_by_hand_is_read() {
    let order = letter();
    assert_eq!(seen(&by_hand(&order, &all_of(&order, C14N))), WHOLE);
}

#[test]
fn base64_of_a_content_that_is_empty_does_not_cover_which_attachment_it_names() {
    let order = letter();
    let signed = by_hand(&order, &all_of(&order, "http://www.w3.org/2000/09/xmldsig#base64"));
    assert_eq!(seen(&signed), "signature.not-covered");
    let exchanged = signed
        .replace("href=\"cid:a.txt\"", "href=\"cid:x\"")
        .replace("href=\"cid:b.txt\"", "href=\"cid:a.txt\"")
        .replace("href=\"cid:x\"", "href=\"cid:b.txt\"");
    assert_eq!(seen(&exchanged), "signature.not-covered");
}

#[test]
fn an_author_signs_with_a_key_that_may_sign() {
    let order = letter();
    let (alice, references) = (Person::of("alice"), all_of(&order, C14N));
    for (signer, certificate, expected) in [
        (&alice.signer, "author", WHOLE),
        (&alice.cipher, "author", "signature.value"),
        (&alice.signer, "author_cipher", "osci-transport.malformed"),
        // The signature itself is right.
        (&alice.cipher, "author_cipher", "osci-transport.malformed"),
        (&alice.signer, "nobody", "osci-transport.malformed"),
    ] {
        let signed = signature(signer, &references, certificate);
        let signed = swap(&order, element(&order, "ds:Signature"), &signed);
        assert_eq!(seen(&signed), expected, "{certificate}");
    }
}

/// Two containers for bob, each signed by alice and encrypted under a key of its own.
fn two_sealed() -> Vec<u8> {
    let (policy, limits) = (Policy::default(), Limits::default());
    let (alice, certificates) = (Person::of("alice"), certificates(&Person::of("alice")));
    let mut maker = Maker::new(&policy, &limits);
    for text in ["first", "other"] {
        let mut bytes = text.as_bytes();
        let author = Author { signer: &alice.signer, method: METHOD, certificate: "author" };
        let readers = certificates.cipher_addressee.iter().collect();
        maker
            .add(NewContainer { parts: vec![NewPart::Inline(&mut bytes)], authors: vec![author], readers })
            .unwrap();
    }
    sent(&maker.finish().unwrap()).into_bytes()
}

#[test]
fn content_under_the_key_of_another_container_is_not_opened() {
    let order = String::from_utf8(two_sealed()).unwrap();
    let bob = [identity("bob_cipher")];
    assert_eq!(seen_with(order.as_bytes(), &bob).unwrap(), ["alice: first", "alice: other"]);
    let (first, second) = order.split_at(order.rfind("<xenc:EncryptedData").unwrap());
    let (one, other) = (element(first, "xenc:EncryptedKey"), element(second, "xenc:EncryptedKey"));
    let exchanged = [swap(first, one, other), swap(second, other, one)].concat();
    assert_ne!(order, exchanged);
    let error = seen_with(exchanged.as_bytes(), &bob).unwrap_err();
    assert_eq!(error.code(), "encryption.failed");
    let both_of_one = [first, &swap(second, other, one)].concat();
    assert_eq!(seen_with(both_of_one.as_bytes(), &bob).unwrap_err().code(), "encryption.failed");
}

#[test]
fn an_attachment_is_given_out_under_the_key_under_which_its_author_signed_it() {
    // Alice signed an attachment in the clear. Mallory puts one in its place that her own key turns into alice's.
    let order = letter();
    let cipher = super::keys::aes256_cbc(&[7; 32], &[9; 16], b"attached A");
    let (head, tail) = order.split_once("attached A").unwrap();
    let head = swap_length(head, cipher.len());
    let data = format!(
        "<xenc:EncryptedData Id=\"k\"><xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes256-cbc\">\
         </xenc:EncryptionMethod><ds:KeyInfo><ds:MgmtData>{}</ds:MgmtData></ds:KeyInfo><xenc:CipherData>\
         <xenc:CipherReference URI=\"cid:a.txt\"></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>",
        STANDARD.encode([7; 32])
    );
    let decoy = container(&format!("{}{data}", {
        let mallory = identity("carol_signature");
        super::forge::signature(&mallory, &[reference("cid:a.txt", &[], b"attached A")], "mallory")
    }));
    let named = format!(
        "<osci:SignatureCertificateOtherAuthor Id=\"mallory\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></osci:SignatureCertificateOtherAuthor>",
        STANDARD.encode(certificate("carol_signature").der())
    );
    let head = before(&head, "</osci:NonIntermediaryCertificates>", &named);
    let head = before(&head, "<osci:ContentContainer", &decoy);
    let forged = [head.as_bytes(), &cipher, tail.as_bytes()].concat();
    let seen = seen_with(&forged, &[]).map_err(|error| error.code());
    assert!(seen.is_err(), "{seen:?}");
}

/// The head of the package with the right Content-Length of the part that follows.
fn swap_length(head: &str, length: usize) -> String {
    let (before, last) = head.rsplit_once("Content-Length: ").unwrap();
    let (_, behind) = last.split_once("\r\n").unwrap();
    format!("{before}Content-Length: {length}\r\n{behind}")
}
