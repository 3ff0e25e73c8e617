//! Keys of destinations: how long they are used, and whose certificates are trusted.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509NameBuilder};
use seal::jose::{PrivateKey, Protected, sign};
use seal::x509::Certificate;
use serde_json::{Value, json};

use crate::bed::{Bed, CASE, DESTINATION, SUBMISSION, of_vectors, private, vector};

/// The day of the vectors, in seconds.
pub(crate) const VECTORS: i64 = 1_772_366_400;

/// The destination's key of before, which is no more configured here.
fn old() -> PrivateKey {
    private("delivery_service_private")
}

/// A certificate of these days, counted from that of the vectors.
pub(crate) fn certificate(
    name: &str,
    key: &PKeyRef<Private>,
    by: (&str, &PKeyRef<Private>),
    days: (i64, i64),
) -> X509 {
    let named = |name: &str| {
        let mut builder = X509NameBuilder::new().unwrap();
        builder.append_entry_by_text("CN", name).unwrap();
        builder.build()
    };
    let at = |day: i64| Asn1Time::from_unix(VECTORS + day * 86_400).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_issuer_name(&named(by.0)).unwrap();
    builder.set_not_before(&at(days.0)).unwrap();
    builder.set_not_after(&at(days.1)).unwrap();
    builder.set_pubkey(key).unwrap();
    if name == by.0 {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.append_extension(KeyUsage::new().key_cert_sign().build().unwrap()).unwrap();
    }
    builder.sign(by.1, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// The old key as the delivery service gives it, with a chain or without.
fn jwk(chain: &[X509]) -> Value {
    let mut jwk = old().public().unwrap().to_json().unwrap();
    if !chain.is_empty() {
        let told = chain.iter().map(|it| BASE64_STANDARD.encode(it.to_der().unwrap()));
        jwk["x5c"] = json!(told.collect::<Vec<_>>());
    }
    jwk
}

/// An acceptance with the right tags that the old key signed.
fn accepted() -> String {
    let name = "https://schema.fitko.de/fit-connect/events/accept-submission";
    let claims = json!({
        "jti": "e12a18b1-a905-4fdd-8f78-74178a51a35e",
        "iss": DESTINATION,
        "iat": 1_772_355_606,
        "sub": format!("submission:{SUBMISSION}"),
        "txn": format!("case:{CASE}"),
        "events": { name: { "authenticationTags": vector("submission-json.json")["authenticationTags"] } },
    });
    let key = old();
    let protected = Protected { typ: Some("secevent+jwt"), kid: Some(key.kid()) };
    sign(&key, protected, claims.to_string().as_bytes()).unwrap()
}

/// Whether the subscriber believes the old key's event: then it does not send its own again.
async fn believes(bed: &Bed, key: Option<Value>) -> bool {
    bed.put(of_vectors());
    bed.service.known().lost_answers = 1;
    bed.run().await.unwrap_err();
    let kid = old().kid().to_owned();
    match key {
        Some(key) => _ = bed.service.known().destination_keys.insert(kid, key),
        None => _ = bed.service.known().destination_keys.remove(&kid),
    }
    bed.service.known().events = vec![accepted()];
    bed.run().await.unwrap();
    bed.service.known().events.len() == 1
}

#[tokio::test]
async fn a_key_of_a_destination_is_used_for_an_hour_and_then_asked_for_again() {
    let bed = Bed::new().await;
    assert!(believes(&bed, Some(jwk(&[]))).await);
    for (later, expected) in [(3_599, true), (1, false)] {
        bed.later(Duration::from_secs(later));
        // As if its answer had been lost.
        bed.desk.held.lock().unwrap().state.insert("answering".into(), json!([SUBMISSION]));
        bed.service.known().destination_keys.clear();
        bed.service.known().events = vec![accepted()];
        bed.run().await.unwrap();
        assert_eq!(bed.service.known().events.len() == 1, expected, "{later}");
    }
}

#[tokio::test]
async fn a_key_whose_certificate_has_run_out_signs_nothing() {
    let key = old();
    for (days, expected) in [((-10, 10), true), ((-10, -1), false), ((1, 10), false)] {
        let own = certificate("Zustellpunkt", key.key(), ("Zustellpunkt", key.key()), days);
        assert_eq!(believes(&Bed::new().await, Some(jwk(&[own]))).await, expected, "{days:?}");
    }
}

#[tokio::test]
async fn with_anchors_a_key_needs_a_chain_that_goes_back_to_one() {
    let (key, root, other) =
        (old(), private("sender_reply_private"), private("destination_signature_private"));
    let of = |name: &str, key: &PrivateKey| certificate(name, key.key(), (name, key.key()), (-10, 10));
    let (anchor, foreign) = (of("Anker", &root), of("Anker", &other));
    let leaf =
        |issuer: &PrivateKey, days| certificate("Zustellpunkt", key.key(), ("Anker", issuer.key()), days);
    for (number, (chain, expected)) in [
        (vec![leaf(&root, (-10, 10)), anchor.clone()], true),
        (vec![leaf(&root, (-10, 10))], true),
        (vec![leaf(&root, (-10, -1)), anchor.clone()], false),
        (vec![leaf(&other, (-10, 10)), foreign], false),
        (vec![], false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut bed = Bed::new().await;
        bed.trust(&[Certificate::from_der(&anchor.to_der().unwrap()).unwrap()]);
        assert_eq!(believes(&bed, Some(jwk(&chain))).await, expected, "{number}");
    }
}
