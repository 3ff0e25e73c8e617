//! Evidence records (RFC 4998) over stamps of a real authority; what is stamped is judged by `openssl ts -verify`.

use seal::ers::renew::{Begun, begin, renew_stamps, renew_trees};
use seal::ers::{Fault, Outcome, Policy, Record, Verdict, verify};
use seal::hash::{Algorithm, digest};
use seal::timestamp::{Request, token_of, with_revocation};

use crate::tsa::Tsa;

const DATA: [&[u8]; 3] = [b"Bescheid", b"Metadaten", b"Manifest"];

fn digests(algorithm: Algorithm, data: &[&[u8]]) -> Vec<Vec<u8>> {
    data.iter().map(|data| digest(algorithm, &[data]).unwrap()).collect()
}

/// Stamps what was begun; openssl must agree that the root is what is stamped.
fn stamped(tsa: &Tsa, begun: Begun) -> Vec<Record> {
    let (algorithm, root) = begun.to_stamp();
    let answer = tsa.answer(&Request::for_digest(algorithm, root, None).unwrap());
    let token = token_of(&answer).unwrap().to_vec();
    std::fs::write(tsa.path().join("root.tst"), &token).unwrap();
    tsa.openssl(&format!("ts -verify -digest {} -in root.tst -token_in -CAfile ca.pem", hex::encode(root)));
    begun.finish(&token)
}

fn judged(record: &Record, data: &[&[u8]], tsa: &Tsa, part: bool) -> Verdict {
    let authorities = tsa.authorities();
    let policy = Policy { authorities: Some(&authorities), now_micros: in_days(0), part };
    verify(record, &|algorithm| digests(algorithm, data), policy)
}

/// What is wrong with a record over the data, as seen in so many days, by whoever trusts nobody in particular.
fn faults_in(days: i64, record: &Record) -> Vec<Fault> {
    let policy = Policy { authorities: None, now_micros: in_days(days), part: false };
    verify(record, &|algorithm| digests(algorithm, &DATA), policy).faults
}

/// Microseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "openssl stamps by the machine's clock")]
fn in_days(days: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap() + days * 86_400_000_000
}

/// The same in a stamp.
fn time_in(days: i64) -> String {
    let seconds = format!("@{}", in_days(days) / 1_000_000);
    let date = std::process::Command::new("date").args(["-u", "-d", &seconds, "+%Y%m%d%H%M%SZ"]).output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned()
}

/// Stamps what was begun as the authority would at another time: openssl signs what it would say then.
fn stamped_at(tsa: &Tsa, begun: Begun, time: &str) -> Vec<Record> {
    let (algorithm, root) = begun.to_stamp();
    let answer = tsa.answer(&Request::for_digest(algorithm, root, None).unwrap());
    let (token, info) = (tsa.path().join("said.tst"), tsa.path().join("said.der"));
    std::fs::write(&token, token_of(&answer).unwrap()).unwrap();
    tsa.openssl("cms -verify -noverify -inform DER -in said.tst -out said.der");
    let mut said = std::fs::read(&info).unwrap();
    let is_time = |bytes: &[u8]| bytes.starts_with(b"\x18\x0f20") && bytes.ends_with(b"Z");
    let at = said.windows(17).position(is_time).unwrap() + 2;
    said[at..at + 15].copy_from_slice(time.as_bytes());
    std::fs::write(&info, said).unwrap();
    tsa.openssl(
        "cms -sign -binary -nodetach -cades -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4 -in said.der \
         -signer tsa.pem -inkey tsa.key -outform DER -out said.tst",
    );
    begun.finish(&std::fs::read(&token).unwrap())
}

/// Without revocation data, which this authority does not add, nothing is worse than open.
fn assert_holds(verdict: &Verdict) {
    assert_eq!(verdict.faults, [Fault::NoRevocation]);
    assert_eq!(verdict.outcome(), Outcome::Indeterminate);
}

fn groups(count: usize) -> Vec<Vec<Vec<u8>>> {
    let one = |number: usize| digests(Algorithm::Sha256, &[DATA[0], &number.to_be_bytes()]);
    (0..count).map(one).collect()
}

#[test]
fn one_stamp_covers_many_records_and_each_of_them_alone_proves_its_data() {
    let tsa = Tsa::good();
    for count in [1, 2, 3, 7] {
        let records = stamped(&tsa, begin(Algorithm::Sha256, &groups(count)).unwrap());
        assert_eq!(records.len(), count);
        for (number, record) in records.iter().enumerate() {
            let again = Record::read(&record.to_der()).unwrap();
            assert_eq!(&again, record);
            let number_bytes = number.to_be_bytes();
            assert_holds(&judged(&again, &[DATA[0], &number_bytes], &tsa, false));
            let other = judged(&again, &[DATA[0], b"other"], &tsa, false);
            assert!(other.faults.contains(&Fault::DataDiffer), "{:?}", other.faults);
            assert_eq!(other.outcome(), Outcome::Invalid);
        }
    }
}

#[test]
fn data_must_be_all_that_was_stamped_unless_a_part_is_asked_for() {
    let tsa = Tsa::good();
    let group = digests(Algorithm::Sha256, &DATA);
    let record = stamped(&tsa, begin(Algorithm::Sha256, &[group]).unwrap()).remove(0);
    assert_holds(&judged(&record, &DATA, &tsa, false));
    assert_eq!(judged(&record, &DATA[..2], &tsa, false).outcome(), Outcome::Invalid);
    assert_holds(&judged(&record, &DATA[..1], &tsa, true));
    assert_eq!(judged(&record, &[], &tsa, true).outcome(), Outcome::Invalid, "nothing is proved of nothing");
}

#[test]
fn a_renewed_record_proves_the_same_and_nothing_of_it_can_be_left_out() {
    let tsa = Tsa::good();
    let first = stamped(&tsa, begin(Algorithm::Sha256, &[digests(Algorithm::Sha256, &DATA)]).unwrap());
    pause();
    let second = stamped(&tsa, renew_stamps(first).unwrap());
    pause();
    let data = digests(Algorithm::Sha512, &DATA);
    let third = stamped(&tsa, renew_trees(Algorithm::Sha512, vec![(second[0].clone(), data)]).unwrap());
    pause();
    let whole = stamped(&tsa, renew_stamps(third).unwrap()).remove(0);
    let whole = Record::read(&whole.to_der()).unwrap();
    assert_eq!(whole.chains.iter().map(|chain| chain.stamps.len()).collect::<Vec<_>>(), [2, 2]);
    let verdict = judged(&whole, &DATA, &tsa, false);
    assert_holds(&verdict);
    assert!(verdict.first.unwrap().at_micros < verdict.last.unwrap().at_micros);

    let mut cut = whole.clone();
    cut.chains.remove(0);
    assert_eq!(judged(&cut, &DATA, &tsa, false).outcome(), Outcome::Invalid, "a chain is gone");
    let mut turned = whole.clone();
    turned.chains.swap(0, 1);
    assert_eq!(judged(&turned, &DATA, &tsa, false).outcome(), Outcome::Invalid, "chains are turned");
    let mut cut = whole;
    cut.chains[1].stamps.remove(0);
    assert!(judged(&cut, &DATA, &tsa, false).faults.contains(&Fault::RenewalDiffers), "a stamp is gone");
}

#[test]
fn a_tree_that_was_renewed_after_its_algorithm_had_ended_proves_no_more() {
    let tsa = Tsa::good();
    for (renewed, faults) in [
        // SHA-224 counted until the end of 2025.
        ("20250601000000Z", vec![Fault::NoRevocation, Fault::NotJudged]),
        ("20260601000000Z", vec![Fault::NoRevocation, Fault::Outdated, Fault::NotJudged]),
    ] {
        let begun = begin(Algorithm::Sha224, &[digests(Algorithm::Sha224, &DATA)]).unwrap();
        let first = stamped_at(&tsa, begun, "20240601000000Z").remove(0);
        let begun = renew_trees(Algorithm::Sha256, vec![(first, digests(Algorithm::Sha256, &DATA))]).unwrap();
        let record = stamped_at(&tsa, begun, renewed).remove(0);
        assert_eq!(faults_in(0, &record), faults, "{renewed}");
    }
}

#[test]
fn a_stamp_counts_until_its_certificate_ends_unless_it_is_renewed_before() {
    // Its certificates last for thirty days.
    let tsa = Tsa::good();
    let open = vec![Fault::NoRevocation, Fault::NotJudged];
    let too_late = vec![Fault::NoRevocation, Fault::NotRenewed, Fault::NotJudged];
    let first = stamped(&tsa, begin(Algorithm::Sha256, &[digests(Algorithm::Sha256, &DATA)]).unwrap());
    assert_eq!(faults_in(20, &first[0]), open);
    assert_eq!(faults_in(60, &first[0]), too_late);
    let authorities = tsa.authorities();
    for (days, faults) in
        [(20, vec![Fault::NoRevocation]), (60, vec![Fault::NoRevocation, Fault::NotRenewed])]
    {
        let policy = Policy { authorities: Some(&authorities), now_micros: in_days(days), part: false };
        assert_eq!(verify(&first[0], &|algorithm| digests(algorithm, &DATA), policy).faults, faults);
    }
    let second = stamped_at(&tsa, renew_stamps(first.clone()).unwrap(), &time_in(10)).remove(0);
    assert_eq!(faults_in(20, &second), open);
    let second = stamped_at(&tsa, renew_stamps(first).unwrap(), &time_in(60)).remove(0);
    assert_eq!(faults_in(61, &second), too_late, "the first had ended by then");
}

#[test]
fn a_stamp_of_a_time_to_come_proves_nothing() {
    let tsa = Tsa::good();
    let begun = begin(Algorithm::Sha256, &[digests(Algorithm::Sha256, &DATA)]).unwrap();
    let record = stamped_at(&tsa, begun, &time_in(2)).remove(0);
    assert!(!faults_in(3, &record).contains(&Fault::Ahead));
    assert!(faults_in(1, &record).contains(&Fault::Ahead));
    assert!(!Fault::Ahead.is_open());
}

#[test]
fn a_stamp_of_somebody_else_proves_nothing() {
    let (tsa, other) = (Tsa::good(), Tsa::good());
    let record =
        stamped(&other, begin(Algorithm::Sha256, &[digests(Algorithm::Sha256, &DATA)]).unwrap()).remove(0);
    assert!(judged(&record, &DATA, &tsa, false).faults.contains(&Fault::Untrusted));
}

#[test]
fn revocation_data_are_added_to_a_stamp_without_harming_its_signature() {
    let tsa = Tsa::good();
    std::fs::write(tsa.path().join("index.txt"), "").unwrap();
    std::fs::write(
        tsa.path().join("ca.cnf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n",
    )
    .unwrap();
    tsa.openssl("ca -gencrl -config ca.cnf -keyfile ca.key -cert ca.pem -out crl.pem");
    tsa.openssl("crl -in crl.pem -outform DER -out crl.der");
    let list = std::fs::read(tsa.path().join("crl.der")).unwrap();
    let begun = begin(Algorithm::Sha256, &[digests(Algorithm::Sha256, &DATA)]).unwrap();
    let (algorithm, root) = begun.to_stamp();
    let answer = tsa.answer(&Request::for_digest(algorithm, root, None).unwrap());
    let token = with_revocation(token_of(&answer).unwrap(), &[list]).unwrap();
    std::fs::write(tsa.path().join("root.tst"), &token).unwrap();
    tsa.openssl(&format!("ts -verify -digest {} -in root.tst -token_in -CAfile ca.pem", hex::encode(root)));
    let record = begun.finish(&token).remove(0);
    let verdict = judged(&record, &DATA, &tsa, false);
    assert_eq!((verdict.outcome(), verdict.faults.len()), (Outcome::Valid, 0));
}

/// The authority stamps to the second, and stamps must ascend.
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(1_050));
}
