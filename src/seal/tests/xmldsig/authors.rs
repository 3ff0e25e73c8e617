//! Signatures of authors below encryption: the recorded messages, opened layer by layer with the keys of the
//! corpus, so that what real signers signed inside is verified, too, also in the form of the Java library.

use crate::corpus::{Message, cut, verify};
use crate::tools::shared;
use openssl::encrypt::Decrypter;
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, decrypt_aead};
use seal::algorithm::Policy;
use seal::xmldsig::{Content, Survey};
use std::collections::HashSet;
use std::sync::LazyLock;
use xml::Limits;

/// The keys of all readers in the corpus.
static READERS: LazyLock<Vec<PKey<Private>>> = LazyLock::new(|| {
    let key = |name: &str| {
        let path = shared("samples/osci/TEST-ONLY").join(format!("{name}_cipher.p12"));
        let store = Pkcs12::from_der(&std::fs::read(path).unwrap()).unwrap();
        store.parse2("123456").unwrap().pkey.unwrap()
    };
    ["bob", "carol", "dave", "alice"].map(key).into()
});

fn base64(text: &str) -> Vec<u8> {
    let mut writer = seal::xmldsig::Base64Writer::new(Vec::new());
    writer.push(text).unwrap();
    writer.finish().unwrap()
}

/// All texts between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|piece| piece.split_once(end).unwrap().0).collect()
}

/// The key of a content, if one of the readers has it.
fn unwrap(wrapped: &[u8]) -> Option<Vec<u8>> {
    READERS.iter().find_map(|key| {
        let mut decrypter = Decrypter::new(key).unwrap();
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        decrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let mut plain = vec![0; 1024];
        let length = decrypter.decrypt(wrapped, &mut plain).ok()?;
        (length == 32).then(|| plain[..length].to_vec())
    })
}

fn open(key: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (iv, rest) = sealed.split_at(12);
    let (body, tag) = rest.split_at(rest.len() - 16);
    decrypt_aead(Cipher::aes_256_gcm(), key, Some(iv), &[], body, tag).unwrap()
}

/// The outermost encrypted content of a document, and what it says; `None` if there is none for our readers.
fn next_layer(document: &str) -> Option<(String, String)> {
    const END: &str = "</xenc:EncryptedData>";
    for (from, _) in document.match_indices("<xenc:EncryptedData") {
        let element = &document[from..from + document[from..].find(END)? + END.len()];
        let is_ours = element.contains("#aes256-gcm") && element.contains(" Value=\"12\">");
        let values = between(element, "<xenc:CipherValue>", "</xenc:CipherValue>");
        let Some((content, keys)) = values.split_last().filter(|(_, keys)| !keys.is_empty() && is_ours)
        else {
            continue;
        };
        if let Some(key) = keys.iter().find_map(|key| unwrap(&base64(key))) {
            return Some((element.to_owned(), String::from_utf8(open(&key, &base64(content))).unwrap()));
        }
    }
    None
}

/// Opens the attachments whose keys stand in the document.
fn open_attachments(document: &str, message: &mut Message, opened: &mut HashSet<String>) {
    for element in between(document, "<xenc:EncryptedData Id=\"Attachment", "</xenc:EncryptedData>") {
        let uri = between(element, "CipherReference URI=\"", "\"")[0].to_owned();
        let key = base64(between(element, "<ds:MgmtData>", "</ds:MgmtData>")[0]);
        if opened.insert(uri.clone()) {
            let sealed = message.attachments.get_mut(&uri).unwrap();
            *sealed = open(&key, sealed);
        }
    }
}

/// Verifies every signature below a content package; says how many there are, and in which ways they covered
/// elements.
fn verify_all(path: &str) -> (usize, Vec<Content>) {
    let path = shared("samples/osci/messages").join(path);
    let mut message = cut(&std::fs::read(path).unwrap());
    let (mut contents, mut done, mut opened) = (Vec::new(), HashSet::new(), HashSet::new());
    loop {
        let document = String::from_utf8(message.xml.clone()).unwrap();
        open_attachments(&document, &mut message, &mut opened);
        let survey = Survey::read(message.xml.as_slice(), Limits::default()).unwrap();
        for signature in survey.signatures().iter().filter(|it| it.place.depth > 4) {
            let first = signature.references[0].digest.clone();
            if done.insert((first, signature.key_info.retrieval[0].uri.clone())) {
                let (verified, _) = verify(&message, &survey, signature, Policy::default(), true).unwrap();
                contents.extend(verified.covered().iter().map(|it| it.content));
            }
        }
        let Some((element, plain)) = next_layer(&document) else { return (done.len(), contents) };
        message.xml = document.replace(&element, &plain).into_bytes();
    }
}

#[test]
fn authors_of_encrypted_content_are_verified() {
    for (path, expected) in [
        ("roundtrip/02q-StoreDelivery", 2),
        ("roundtrip/08r-ResponseToFetchDelivery", 2),
        ("forward/03q-AcceptDelivery", 2),
        ("mediate/03q-MediateDelivery", 1),
    ] {
        let (signatures, contents) = verify_all(&format!("{path}.inner"));
        assert_eq!(signatures, expected, "{path}");
        assert!(contents.contains(&Content::Base64Text), "{contents:?}");
        assert!(!contents.contains(&Content::WithoutInheritedNamespaces));
    }
}

#[test]
fn the_library_form_is_met_where_an_encrypted_content_is_signed() {
    for path in ["02q-StoreDelivery.inner", "04r-ResponseToFetchDelivery.inner"] {
        let (signatures, contents) = verify_all(&format!("author-and-nested-container/{path}"));
        assert_eq!(signatures, 4);
        assert!(contents.contains(&Content::WithoutInheritedNamespaces), "{contents:?}");
        assert!(contents.contains(&Content::Base64Text), "{contents:?}");
    }
}
