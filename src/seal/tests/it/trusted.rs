//! What an inspection finds: with certificates made by the openssl program, and with those of the corpus.

use std::{path::Path, process::Command};

use proptest::prelude::*;
use seal::algorithm::Policy;
use seal::x509::{
    Certificate, Crl, Inspection, MathResult, OfflineResult, OnlineResult, Problem, Standing, Trust,
    WithoutRevocation,
};

use crate::{
    authority::{Authority, P256},
    identities::openssl,
    osci::{certificate, corpus},
};

/// 2026-11-27 and some years, within everything that the tests make.
const fn at_years(years: i64) -> i64 {
    1_795_800_000 + years * 31_557_600
}

fn now() -> i64 {
    #[allow(clippy::disallowed_methods)] // The openssl program asks the system's clock, too.
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64 + 5
}

fn results(found: &Inspection) -> (MathResult, OfflineResult, Option<OnlineResult>, Standing) {
    (found.math, found.offline, found.online, found.standing())
}

fn corpus_trust() -> Trust {
    let crl = Crl::read(&std::fs::read(corpus("TEST-ONLY/ca.crl")).unwrap()).unwrap();
    Trust::new(&[certificate("ca")]).unwrap().with_crls(vec![crl])
}

#[test]
fn certificates_of_the_corpus_stand_as_they_were_made() {
    use {MathResult as M, OfflineResult as F, OnlineResult as N, Standing as S};
    let trust = corpus_trust();
    for (name, expected) in [
        ("alice_signature", (M::Ok, F::Valid, Some(N::Ok), S::Good)),
        ("alice_ec_signature", (M::Ok, F::Valid, Some(N::Ok), S::Good)),
        ("bob_cipher", (M::Ok, F::Valid, Some(N::Ok), S::Good)),
        ("expired_cipher", (M::Ok, F::Invalid, Some(N::Ok), S::OutsideValidity)),
        ("expired_signature", (M::Ok, F::Invalid, Some(N::Ok), S::OutsideValidity)),
        ("revoked_cipher", (M::Ok, F::Valid, Some(N::Revoked), S::Revoked)),
        ("revoked_signature", (M::Ok, F::Valid, Some(N::Revoked), S::Revoked)),
        ("mallory_cipher", (M::Indeterminate, F::Indeterminate, None, S::Incomplete)),
        ("mallory_signature", (M::Indeterminate, F::Indeterminate, None, S::Incomplete)),
    ] {
        let found = trust.inspect(&certificate(name), at_years(0)).unwrap();
        assert_eq!(results(&found), expected, "{name}");
    }
    let found = trust.inspect(&certificate("alice_signature"), at_years(0)).unwrap();
    assert_eq!(found.issuer, Some(certificate("ca")));
    // Its thisUpdate is 2026-11-23T02:38:42Z.
    assert_eq!(found.crl, Some(1_795_401_522));
}

#[test]
fn what_was_inspected_before_is_inspected_anew() {
    let trust = corpus_trust();
    for name in ["alice_signature", "expired_cipher", "revoked_cipher", "mallory_cipher"] {
        for years in [0, 100, 0] {
            let (again, fresh) = (trust.inspect(&certificate(name), at_years(years)), corpus_trust());
            let fresh = fresh.inspect(&certificate(name), at_years(years)).unwrap();
            let again = again.unwrap();
            assert_eq!(results(&again), results(&fresh), "{name} after {years} years");
            assert_eq!((again.issuer, again.crl), (fresh.issuer, fresh.crl), "{name}");
        }
    }
    let of_alice =
        |years| trust.inspect(&certificate("alice_signature"), at_years(years)).unwrap().standing();
    assert_ne!(of_alice(0), of_alice(100));
}

#[test]
fn what_a_certificate_says_is_what_openssl_reads() {
    for name in ["alice_signature", "alice_ec_signature", "ca", "expired_cipher", "mallory_cipher"] {
        let own = certificate(name);
        let file = corpus("TEST-ONLY").join(format!("{name}.cer"));
        let options = "-noout -subject -issuer -serial -fingerprint -sha256 -nameopt RFC2253";
        let text = openssl(Path::new("/"), &format!("x509 -inform der -in {} {options}", file.display()));
        let text = String::from_utf8(text).unwrap();
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
        assert_eq!(own.subject().unwrap(), value("subject="), "{name}");
        assert_eq!(own.issuer().unwrap(), value("issuer="), "{name}");
        let print = value("sha256 Fingerprint=").replace(':', "").to_ascii_lowercase();
        assert_eq!(own.fingerprint(), print, "{name}");
        let serial =
            Command::new("python3").args(["-c", &format!("print(0x{})", value("serial="))]).output().unwrap();
        assert_eq!(own.serial().unwrap(), String::from_utf8(serial.stdout).unwrap().trim(), "{name}");
    }
    let (signer, cipher) =
        (certificate("alice_signature").key_usage(), certificate("alice_cipher").key_usage());
    assert!(signer.may_sign() && !signer.may_encrypt() && signer.non_repudiation && !signer.cert_sign);
    assert!(cipher.may_encrypt() && !cipher.may_sign() && cipher.data_encipherment);
    assert_eq!(
        (certificate("alice_signature").key_bits(), certificate("alice_ec_signature").key_bits()),
        (3072, 256)
    );
    let expired = certificate("expired_cipher");
    assert!(expired.is_valid_at(expired.not_before()) && expired.is_valid_at(expired.not_after()));
    assert!(!expired.is_valid_at(expired.not_before() - 1) && !expired.is_valid_at(expired.not_after() + 1));
}

#[test]
fn bytes_that_are_not_one_certificate_are_refused() {
    let der = certificate("alice_signature").der().to_vec();
    let code = |bytes: &[u8]| Certificate::from_der(bytes).unwrap_err().code();
    for wrong in
        [&[][..], &der[..der.len() - 1], &[&der[..], &[0]].concat(), &vec![0x30; 20_000], b"-----BEGIN"]
    {
        assert_eq!(code(wrong), "certificate.malformed");
    }
    let folder = tempfile::tempdir().unwrap();
    let new = "req -x509 -new -nodes -keyout k -subj /CN=x -outform der -out x.cer -days 9 -newkey";
    for (key, why) in [
        ("ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "a curve of its own"),
        ("ed25519", "another kind of key"),
    ] {
        openssl(folder.path(), &format!("{new} {key}"));
        assert_eq!(
            code(&std::fs::read(folder.path().join("x.cer")).unwrap()),
            "certificate.malformed",
            "{why}"
        );
    }
    openssl(folder.path(), &format!("{new} ec -pkeyopt ec_paramgen_curve:brainpoolP384r1"));
    let brainpool = Certificate::from_der(&std::fs::read(folder.path().join("x.cer")).unwrap()).unwrap();
    assert_eq!(brainpool.key_bits(), 384);
}

#[test]
fn who_has_no_anchor_trusts_nobody() {
    let trust = Trust::new(&[]).unwrap().without_revocation(WithoutRevocation::Accept);
    for name in ["ca", "alice_signature", "mallory_cipher"] {
        let found = trust.inspect(&certificate(name), at_years(0)).unwrap();
        assert_eq!(
            (found.math, found.standing()),
            (MathResult::Indeterminate, Standing::Incomplete),
            "{name}"
        );
        assert_eq!(
            found.clone().with_online(OnlineResult::Ok, b"answer").standing(),
            Standing::Incomplete,
            "{name}"
        );
    }
    // Also not with the issuer's certificate that the message brings itself.
    let sent = [certificate("ca")];
    let found = trust.inspect_with(&certificate("alice_signature"), &sent, at_years(0)).unwrap();
    assert_eq!(found.standing(), Standing::Incomplete);
}

#[test]
fn without_revocation_information_the_configuration_decides() {
    let anchors = [certificate("ca")];
    let incomplete = Trust::new(&anchors).unwrap();
    let found = incomplete.inspect(&certificate("alice_signature"), at_years(0)).unwrap();
    assert_eq!(
        (found.offline, found.online, found.standing()),
        (OfflineResult::Valid, None, Standing::Incomplete)
    );
    assert_eq!(found.clone().with_online(OnlineResult::Ok, b"answer").standing(), Standing::Good);
    assert_eq!(
        found
            .with_online(OnlineResult::Revoked, b"answer")
            .with_online(OnlineResult::Ok, b"answer")
            .standing(),
        Standing::Revoked
    );
    let accepting = Trust::new(&anchors).unwrap().without_revocation(WithoutRevocation::Accept);
    assert_eq!(
        accepting.inspect(&certificate("alice_signature"), at_years(0)).unwrap().standing(),
        Standing::Good
    );
    // A list that is too old says who is revoked, but of nobody that he is not.
    let late = corpus_trust();
    assert_eq!(
        late.inspect(&certificate("alice_signature"), at_years(11)).unwrap().standing(),
        Standing::Incomplete
    );
    assert_eq!(
        late.inspect(&certificate("revoked_signature"), at_years(11)).unwrap().standing(),
        Standing::Revoked
    );
    // A partner's own certificate may be an anchor; nobody could revoke it.
    let pinned = Trust::new(&[certificate("mallory_signature")]).unwrap();
    assert_eq!(
        pinned.inspect(&certificate("mallory_signature"), at_years(0)).unwrap().standing(),
        Standing::Good
    );
    assert_eq!(
        pinned.inspect(&certificate("mallory_cipher"), at_years(0)).unwrap().standing(),
        Standing::Incomplete
    );
}

/// A root, an authority under it with path length 0, and one certificate of each.
struct House {
    folder: tempfile::TempDir,
    root: Authority,
    sub: Authority,
}

impl House {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Authority::root(folder.path(), "root");
        let sub = root.sub(folder.path(), "sub", "sub");
        House { folder, root, sub }
    }

    fn trust(&self) -> Trust {
        Trust::new(&[self.root.own()]).unwrap()
    }

    /// With both lists, as they are now.
    fn informed(&self) -> Trust {
        self.trust()
            .with_intermediates(vec![self.sub.own()])
            .with_crls(vec![self.root.crl(""), self.sub.crl("")])
    }
}

#[test]
fn chains_are_completed_by_what_is_configured_or_sent_along() {
    let house = House::build();
    let leaf = house.sub.issue("leaf", "leaf", P256, "");
    let alone = house.trust().inspect(&leaf, now()).unwrap();
    assert_eq!((alone.math, alone.problem), (MathResult::Indeterminate, Some(Problem::UnknownIssuer)));
    let sent = house.trust().without_revocation(WithoutRevocation::Accept);
    assert_eq!(sent.inspect_with(&leaf, &[house.sub.own()], now()).unwrap().standing(), Standing::Good);
    assert_eq!(house.informed().inspect(&leaf, now()).unwrap().standing(), Standing::Good);
    // A list of every issuer in the chain is needed.
    let half = house.trust().with_intermediates(vec![house.sub.own()]).with_crls(vec![house.sub.crl("")]);
    assert_eq!(half.inspect(&leaf, now()).unwrap().online, None);
    // An authority below a root may be the anchor.
    let below = Trust::new(&[house.sub.own()]).unwrap().with_crls(vec![house.sub.crl("")]);
    assert_eq!(below.inspect(&leaf, now()).unwrap().standing(), Standing::Good);
}

#[test]
fn a_revoked_certificate_is_revoked_with_everything_below_it() {
    let house = House::build();
    let (leaf, other) =
        (house.sub.issue("leaf", "leaf", P256, ""), house.sub.issue("other", "leaf", P256, ""));
    house.sub.revoke("leaf");
    let trust = house.informed();
    assert_eq!(trust.inspect(&leaf, now()).unwrap().standing(), Standing::Revoked);
    assert_eq!(trust.inspect(&other, now()).unwrap().standing(), Standing::Good);
    house.root.revoke("sub");
    assert_eq!(house.informed().inspect(&other, now()).unwrap().standing(), Standing::Revoked);
}

#[test]
fn who_is_no_authority_cannot_issue() {
    let house = House::build();
    let folder = house.folder.path();
    let check = |issuer: &Authority, more: Vec<Certificate>, why: &str| {
        let leaf = issuer.issue("leaf", "leaf", P256, "");
        let sent = [vec![issuer.own()], more].concat();
        let trust = house.trust().without_revocation(WithoutRevocation::Accept);
        let found = trust.inspect_with(&leaf, &sent, now()).unwrap();
        assert_eq!((found.math, found.standing()), (MathResult::Corrupted, Standing::WrongIssuer), "{why}");
        assert_eq!((found.offline, found.issuer), (OfflineResult::Invalid, None), "{why}");
    };
    check(&house.root.sub(folder, "person", "leaf"), vec![], "CA:false");
    check(&house.root.sub(folder, "list-maker", "no_signer"), vec![], "no keyCertSign");
    check(&house.sub.sub(folder, "deeper", "sub"), vec![house.sub.own()], "path length 0");
}

#[test]
fn a_wrong_signature_of_the_issuer_is_seen() {
    let house = House::build();
    let leaf = house.root.issue("leaf", "leaf", P256, "");
    let mut der = leaf.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let changed = Certificate::from_der(&der).unwrap();
    let found = house.trust().inspect(&changed, now()).unwrap();
    assert_eq!((found.problem, found.standing()), (Some(Problem::WrongSignature), Standing::WrongIssuer));
    assert!(leaves_nothing(), "connections of this thread would take the reasons for their own");
    // Somebody who calls himself like the root is not the root.
    let elsewhere = tempfile::tempdir().unwrap();
    let impostor = Authority::root(elsewhere.path(), "root");
    let forged = impostor.issue("leaf", "leaf", P256, "");
    let found = house.trust().inspect_with(&forged, &[impostor.own()], now()).unwrap();
    assert_ne!(found.math, MathResult::Ok);
    assert!(matches!(found.standing(), Standing::WrongIssuer | Standing::Incomplete));
    // And his list says nothing about the root's certificates.
    impostor.revoke("leaf");
    let trust = house.trust().with_crls(vec![impostor.crl("")]);
    assert_eq!(trust.inspect(&leaf, now()).unwrap().online, None);
    assert!(leaves_nothing());
}

/// Whether the queue of OpenSSL's errors is empty.
fn leaves_nothing() -> bool {
    openssl::error::ErrorStack::get().errors().is_empty()
}

#[test]
fn times_of_certificate_and_issuer_are_judged_apart() {
    let house = House::build();
    let past = "-startdate 20180101000000Z -enddate 20200101000000Z";
    let expired = house.root.issue("expired", "leaf", P256, past);
    let trust = house.informed();
    let found = trust.inspect(&expired, now()).unwrap();
    assert_eq!((found.math, found.offline), (MathResult::Ok, OfflineResult::Invalid));
    assert_eq!(found.standing(), Standing::OutsideValidity);
    // Long after the end of the root: the issuer is no longer one.
    let late = house.root.issue("late", "leaf", P256, "-enddate 20600101000000Z");
    let found = trust.inspect(&late, at_years(20)).unwrap();
    assert_eq!(
        (found.problem, found.standing()),
        (Some(Problem::IssuerOutsideValidity), Standing::Incomplete)
    );
    assert!(found.is_within_validity);
}

#[test]
fn weak_keys_are_never_trusted_and_rsa_2048_and_brainpool_are() {
    let house = House::build();
    let trust = house.informed();
    let weak = house.root.issue("weak", "leaf", "rsa:1024", "");
    let found = trust.inspect(&weak, now()).unwrap();
    assert_eq!((found.problem, found.standing()), (Some(Problem::TooWeak), Standing::Incomplete));
    for (name, key) in [("rsa", "rsa:2048"), ("brainpool", "ec -pkeyopt ec_paramgen_curve:brainpoolP256r1")] {
        let strong = house.root.issue(name, "leaf", key, "");
        assert_eq!(trust.inspect(&strong, now()).unwrap().standing(), Standing::Good, "{name}");
    }
}

#[test]
fn lists_speak_of_those_only_of_whom_they_say_so() {
    let house = House::build();
    let (plain, point) =
        (house.root.issue("plain", "leaf", P256, ""), house.root.issue("point", "point_leaf", P256, ""));
    let revoked = house.root.issue("revoked", "leaf", P256, "");
    house.root.revoke("revoked");
    let online = |section: &str, certificate: &Certificate| {
        let trust = house.trust().with_crls(vec![house.root.crl(&format!("-crlexts {section}"))]);
        trust.inspect(certificate, now()).unwrap().online
    };
    assert_eq!(online("of_crl", &plain), Some(OnlineResult::Ok));
    assert_eq!(online("of_point", &plain), None);
    assert_eq!(online("of_point", &point), Some(OnlineResult::Ok));
    assert_eq!(online("of_users", &plain), None);
    assert_eq!(online("of_users", &revoked), Some(OnlineResult::Revoked));
    for wrong in [&b""[..], b"-----BEGIN X509 CRL-----", &[0x30, 0x03, 1, 2, 3]] {
        assert_eq!(Crl::read(wrong).err().unwrap().code(), "certificate.revocation-list");
    }
}

#[test]
fn a_responder_is_believed_if_the_issuer_certified_it() {
    let house = House::build();
    let (good, bad) = (house.root.issue("good", "leaf", P256, ""), house.root.issue("bad", "leaf", P256, ""));
    house.root.issue("responder", "responder", P256, "");
    house.root.issue("stranger", "leaf", P256, "");
    house.root.revoke("bad");
    let (trust, issuer) = (house.trust(), house.root.own());
    let ask = |certificate: &Certificate, signer: &str, more: &str| {
        let request = trust.ocsp_request(certificate, &issuer).unwrap();
        std::fs::write(house.root.path("request"), request).unwrap();
        let answer = format!("ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key");
        house.root.openssl(format!("{answer} -reqin request -respout response {more}").trim_end());
        std::fs::read(house.root.path("response")).unwrap()
    };
    let check = |certificate: &Certificate, response: &[u8]| {
        trust.check_ocsp_response(certificate, &issuer, response).map_err(|error| error.code())
    };
    for signer in ["ca", "responder"] {
        assert_eq!(check(&good, &ask(&good, signer, "-ndays 1")), Ok(Some(OnlineResult::Ok)), "{signer}");
        assert_eq!(check(&bad, &ask(&bad, signer, "-ndays 1")), Ok(Some(OnlineResult::Revoked)), "{signer}");
    }
    let answer = ask(&good, "responder", "-ndays 1");
    assert_eq!(check(&bad, &answer), Err("certificate.ocsp"), "about another certificate");
    assert_eq!(
        check(&good, &ask(&good, "stranger", "-ndays 1")),
        Err("certificate.ocsp"),
        "signed by a stranger"
    );
    assert_eq!(check(&good, &answer[..answer.len() - 1]), Err("certificate.ocsp"), "cut");
    assert_eq!(check(&good, &vec![0; 70_000]), Err("certificate.ocsp"), "too long");
    let mut changed = answer.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert_eq!(check(&good, &changed), Err("certificate.ocsp"), "changed");
    let elsewhere = Trust::new(&[certificate("ca")]).unwrap();
    let judged = elsewhere.check_ocsp_response(&good, &issuer, &answer);
    assert_eq!(judged.unwrap_err().code(), "certificate.ocsp", "an issuer that is not trusted");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_certificates_and_lists_never_make_a_trusted_one(at in 0_usize..3_000, byte: u8, cut in 0_usize..3_000) {
        let change = |bytes: &[u8]| {
            let mut changed = bytes.to_vec();
            changed[at % bytes.len()] = byte;
            changed.truncate(bytes.len() - (cut % bytes.len()) * usize::from(cut % 2 == 0));
            changed
        };
        let whole = certificate("revoked_signature");
        let changed = change(whole.der());
        if let Ok(read) = Certificate::from_der(&changed) {
            let _ = (read.subject(), read.issuer(), read.serial(), read.ocsp_addresses());
            let standing = corpus_trust().inspect(&read, at_years(0)).unwrap().standing();
            prop_assert!(matches!(standing, Standing::WrongIssuer | Standing::Revoked | Standing::Incomplete));
        }
        let list = std::fs::read(corpus("TEST-ONLY/ca.crl")).unwrap();
        let changed = change(&list);
        if changed != list && let Ok(read) = Crl::read(&changed) {
            let trust = Trust::new(&[certificate("ca")]).unwrap().with_crls(vec![read]);
            prop_assert_ne!(trust.inspect(&certificate("alice_signature"), at_years(0)).unwrap().standing(), Standing::Good);
        }
    }
}

#[test]
fn weak_keys_and_signatures_are_told_and_strong_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| openssl(folder.path(), arguments);
    let policy = Policy::default();
    let weak = |name: &str| {
        let pem = std::fs::read(folder.path().join(name)).unwrap();
        Certificate::all_from_pem(&pem).unwrap()[0].weaknesses(&policy).unwrap()
    };
    let key = |kind: &str, name: &str| openssl(&format!("genpkey -algorithm {kind} -out {name}.key"));
    key("RSA -pkeyopt rsa_keygen_bits:2048", "short");
    key("EC -pkeyopt ec_paramgen_curve:P-256", "curve");
    key("EC -pkeyopt ec_paramgen_curve:prime192v1", "small");
    // Under its own key a certificate proves nothing: there the digest does not matter.
    openssl("req -x509 -new -key curve.key -subj /CN=root -days 1 -sha1 -out root.pem");
    openssl("req -x509 -new -key short.key -subj /CN=short -days 1 -sha256 -out short.pem");
    assert_eq!((weak("root.pem"), weak("short.pem")), (vec![], vec!["RSA 2048 bit".to_owned()]));
    let issue = |key: &str, options: &str| {
        openssl(&format!("req -new -key {key}.key -subj /CN={key} -out {key}.csr"));
        openssl(&format!("x509 -req -in {key}.csr -days 1 -set_serial 7 {options} -out {key}.pem"));
        weak(&format!("{key}.pem"))
    };
    let by_curve = "-CA root.pem -CAkey curve.key";
    let by_rsa = "-CA short.pem -CAkey short.key -sigopt rsa_padding_mode:pss";
    assert_eq!(issue("curve", &format!("{by_curve} -sha256")), Vec::<String>::new());
    assert_eq!(issue("curve", &format!("{by_curve} -sha1")), ["SHA1"]);
    assert_eq!(issue("small", &format!("{by_curve} -sha256")), ["EC 192 bit"]);
    assert_eq!(issue("curve", &format!("{by_rsa} -sha256")), Vec::<String>::new());
    assert_eq!(issue("curve", &format!("{by_rsa} -sha1")), ["RSA-PSS, SHA1"]);
}
