//! Attacks on whose keys they are: certificates exchanged for others, keys wrapped for others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::symm::{Cipher, Crypter, Mode};
use osci::client::NewOrder;
use seal::algorithm::Policy;

use super::forge::{codes, element, genuine, references, signature, stripped, swap, told, with_signature};
use crate::bed::{certificate, identity, intermediary};
use crate::memory::Memory;
use crate::people::{Person, all, intermediary_certificate};

/// IV and ciphertext of AES-256-CBC.
pub(super) fn aes256_cbc(key: &[u8], iv: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut crypter = Crypter::new(Cipher::aes_256_cbc(), Mode::Encrypt, key, Some(iv)).unwrap();
    let mut sealed = vec![0; plain.len() + 32];
    let mut length = crypter.update(plain, &mut sealed).unwrap();
    length += crypter.finalize(&mut sealed[length..]).unwrap();
    [iv, &sealed[..length]].concat()
}

/// A certificate in lines, as our writer writes it.
fn written(name: &str) -> String {
    let text = STANDARD.encode(certificate(name).der());
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\n")
}

#[test]
fn a_certificate_that_was_exchanged_is_not_the_signers() {
    let order = genuine();
    let own = element(&order, "osci:SignatureCertificateOriginator").to_owned();
    let other = swap(&own, &written("alice_signature"), &written("carol_signature"));
    assert_eq!(told(&swap(&order, &own, &other)), "9601");
}

#[test]
fn the_signature_must_name_the_certificate_of_its_role() {
    let order = genuine();
    let name = "<ds:RetrievalMethod URI=\"#originator_signature\"></ds:RetrievalMethod>";
    let certificate = written("alice_signature");
    for key in [
        "<ds:RetrievalMethod URI=\"#author\"></ds:RetrievalMethod>".to_owned(),
        "<ds:RetrievalMethod URI=\"#originator_cipher\"></ds:RetrievalMethod>".to_owned(),
        "<ds:RetrievalMethod URI=\"\"></ds:RetrievalMethod>".to_owned(),
        "<ds:RetrievalMethod URI=\"http://127.0.0.1:1/\"></ds:RetrievalMethod>".to_owned(),
        format!("{name}{name}"),
        format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"),
        String::new(),
    ] {
        let block = element(&order, "osci:ClientSignature").to_owned();
        let changed = swap(&block, name, &key);
        assert_eq!(told(&swap(&order, &block, &changed)), "9601", "{key}");
    }
}

#[test]
fn who_signs_as_another_is_not_believed() {
    let order = stripped(&genuine());
    let mallory = identity("carol_signature");
    let signed = signature(&mallory, &references(&order), osci::client::SIGNER_ID);
    assert_eq!(told(&with_signature(&order, &signed)), "9601");
}

#[test]
fn a_key_that_decrypts_does_not_sign() {
    let order = stripped(&genuine());
    let own = element(&order, "osci:SignatureCertificateOriginator").to_owned();
    let cipher = swap(&own, &written("alice_signature"), &written("alice_cipher"));
    let order = swap(&order, &own, &cipher);
    let signed = signature(&identity("alice_cipher"), &references(&order), osci::client::SIGNER_ID);
    assert_eq!(told(&with_signature(&order, &signed)), "9601");
}

#[test]
fn what_is_encrypted_for_another_key_is_told_so_whatever_it_calls_it() {
    let at = intermediary(Policy::default(), Memory::at(super::forge::NOW));
    let (alice, others) = (Person::of("alice"), certificate("bob_cipher"));
    let order = |certificate| {
        let client = alice.client(certificate);
        all(&client.order(None, &NewOrder::GetMessageId, Default::default(), None).unwrap().package)
    };
    assert_eq!(codes(&all(&at.answer(&order(&others)[..]).unwrap())), ["9200"]);
    // Wrapped for bob, and said to be for the intermediary.
    let (bob, own) = (STANDARD.encode(others.der()), STANDARD.encode(intermediary_certificate().der()));
    let bytes = order(&others);
    let end = bytes.windows(16).position(|it| it == b"</soap:Envelope>").unwrap();
    let (head, tail) = bytes.split_at(end);
    let head: String = String::from_utf8(head.to_vec()).unwrap();
    let lines = element(&head, "ds:X509Certificate").to_owned();
    assert_eq!(lines.replace('\n', ""), format!("<ds:X509Certificate>{bob}</ds:X509Certificate>"));
    let lying = swap(&head, &lines, &format!("<ds:X509Certificate>{own}</ds:X509Certificate>"));
    let lying = [lying.as_bytes(), tail].concat();
    assert_eq!(codes(&all(&at.answer(&lying[..]).unwrap())), ["9202"]);
}
