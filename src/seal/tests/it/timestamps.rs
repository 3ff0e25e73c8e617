//! Time stamps: made and judged by openssl, then changed.

use std::{sync::LazyLock, time::SystemTime};

use proptest::prelude::*;
use seal::timestamp::{Authorities, Request, check};

use crate::tsa::Tsa;

const DATA: &[u8] = b"what is stamped";

/// A stamp, and who made it.
static STAMP: LazyLock<(Vec<u8>, Authorities)> = LazyLock::new(|| {
    let tsa = Tsa::good();
    (tsa.stamp(DATA), tsa.authorities())
});

fn code(response: &[u8], data: &[u8], authorities: Option<&Authorities>) -> &'static str {
    check(response, data, authorities).unwrap_err().code()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "openssl stamps by the machine's clock")]
fn a_stamp_that_openssl_makes_is_taken_and_openssl_takes_what_we_take() {
    let tsa = Tsa::good();
    let request = Request::new(DATA, Some("1.2.3.4.2".parse().unwrap())).unwrap();
    let answer = tsa.answer(&request);
    let stamp = request.check(&answer, Some(&tsa.authorities())).unwrap();
    assert_eq!(check(&answer, DATA, Some(&tsa.authorities())).unwrap(), stamp);
    assert_eq!(stamp.accuracy_micros, 1_500_000);
    assert_eq!(stamp.before_micros(), stamp.at_micros + 1_500_000);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!((now - stamp.at_micros / 1_000_000).abs() < 600);
    std::fs::write(tsa.path().join("data"), DATA).unwrap();
    std::fs::write(tsa.path().join("kept.tsr"), &answer).unwrap();
    tsa.openssl("ts -verify -data data -in kept.tsr -CAfile ca.pem");
    let text = tsa.openssl("ts -query -in query.tsq -text");
    for line in ["Version: 1", "Hash Algorithm: sha256", "Policy OID: 1.2.3.4.2", "Certificate required: yes"]
    {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let tsa = Tsa::good();
    let asked = Request::new(DATA, None).unwrap();
    let again = Request::new(DATA, None).unwrap();
    let answer = tsa.answer(&asked);
    assert!(asked.check(&answer, None).is_ok());
    assert_eq!(again.check(&answer, None).unwrap_err().to_string(), "the time stamp has another nonce");
    assert_eq!(code(&answer, b"other bytes", None), "timestamp.differs");
    let demanding = Request::new(DATA, Some("1.2.3.4.9".parse().unwrap())).unwrap();
    let refused = demanding.check(&tsa.answer(&demanding), None).unwrap_err();
    assert_eq!(refused.code(), "timestamp.rejected");
}

#[test]
fn every_digest_that_names_the_signer_is_taken() {
    for digest in ["sha1", "sha256", "sha384", "sha512"] {
        let tsa = Tsa::of("good", digest);
        assert!(check(&tsa.stamp(DATA), DATA, Some(&tsa.authorities())).is_ok(), "{digest}");
    }
}

#[test]
fn a_signer_who_is_not_certified_for_it_is_refused() {
    assert_eq!(code(&STAMP.0, DATA, Some(&Tsa::good().authorities())), "timestamp.untrusted");
    // openssl refuses to stamp with such certificates, so they are exchanged under its hands.
    for extensions in ["not_critical", "not_only", "no_purpose"] {
        let wrong = Tsa::of(extensions, "sha256");
        let outcome = std::panic::catch_unwind(|| wrong.stamp(DATA));
        assert!(
            outcome.is_err()
                || code(&outcome.unwrap(), DATA, Some(&wrong.authorities())) == "timestamp.untrusted"
        );
    }
}

#[test]
fn a_stamp_that_is_signed_by_sha_1_is_refused() {
    let tsa = Tsa::good();
    let file = tsa.path().join("tsa.cnf");
    let strong = std::fs::read_to_string(&file).unwrap();
    let weak = strong.replace("signer_digest = sha256", "signer_digest = sha1");
    assert_ne!(strong, weak);
    std::fs::write(&file, weak).unwrap();
    assert_eq!(code(&tsa.stamp(DATA), DATA, Some(&tsa.authorities())), "timestamp.signature");
}

#[test]
fn a_signer_whose_certificate_has_ended_when_it_stamps_is_refused() {
    let tsa = Tsa::good();
    // openssl stamps with it all the same.
    tsa.openssl(
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -days -1 -extfile tsa.cnf -extensions good -out tsa.pem",
    );
    assert_eq!(code(&tsa.stamp(DATA), DATA, Some(&tsa.authorities())), "timestamp.untrusted");
}

#[test]
fn garbage_is_malformed() {
    let html = b"<html>oops";
    let stamp = &STAMP.0;
    let truncated = &stamp[..stamp.len() - 1];
    let longer = [&stamp[..], &[0]].concat();
    let huge = vec![0x30; 70_000];
    for bytes in [&b""[..], html, truncated, &longer, &huge, &[0x30, 0], &[0x30, 5, 0x30, 3, 2, 1, 0]] {
        assert_eq!(code(bytes, DATA, None), "timestamp.malformed");
    }
    assert_eq!(code(&[0x30, 5, 0x30, 3, 2, 1, 2], DATA, None), "timestamp.rejected");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_changed_byte_makes_it_panic_or_say_something_else(at: prop::sample::Index, mask in 1u8..) {
        let (stamp, authorities) = &*STAMP;
        let mut changed = stamp.clone();
        let at = at.index(changed.len());
        changed[at] ^= mask;
        // What is not signed may change without an effect: the status text, other certificates, unsigned attributes.
        if let Ok(said) = check(&changed, DATA, Some(authorities)) {
            prop_assert_eq!(said, check(stamp, DATA, Some(authorities)).unwrap());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut: prop::sample::Index) {
        let _ = check(&bytes, DATA, None);
        let stamp = &STAMP.0;
        let at = cut.index(stamp.len());
        let _ = check(&[&stamp[..at], &bytes].concat(), DATA, None);
        prop_assert!(check(&stamp[..at], DATA, None).is_err());
    }
}
