//! Figures, on demand: `cargo test --release -p amtsbote-seal --test xmldsig -- --ignored --nocapture speed`.

use crate::tools::*;
use seal::algorithm::DigestMethod;
use seal::xmldsig::{Hasher, OutsideDigests, Survey, Verifier};
use std::io::Write;
use std::time::{Duration, Instant};
use xml::{Event, Form, Limits, Reader, canonical_document};

/// Megabytes a second of `work` on `bytes`, the best of many.
fn rate(bytes: usize, mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    bytes as f64 / 1e6 / best.as_secs_f64()
}

#[allow(clippy::print_stdout)] // The lint's exception for tests does not reach their helper functions.
fn report(name: &str, document: &str) {
    let bytes = document.len();
    let read = rate(bytes, || {
        let mut reader = Reader::new(document.as_bytes(), Limits::default());
        while !matches!(reader.next().unwrap(), Event::Eof) {}
    });
    let hash = rate(bytes, || {
        let mut hasher = Hasher::new(DigestMethod::Sha256).unwrap();
        hasher.write_all(document.as_bytes()).unwrap();
        hasher.finish().unwrap();
    });
    let canonical = |form: &Form| {
        rate(bytes, || {
            let hasher = Hasher::new(DigestMethod::Sha256).unwrap();
            canonical_document(document.as_bytes(), Limits::default(), form.clone(), hasher).unwrap();
        })
    };
    let (inclusive, exclusive) = (canonical(&form(INCLUSIVE)), canonical(&form(EXCLUSIVE)));
    let surveying = rate(bytes, || drop(Survey::read(document.as_bytes(), Limits::default()).unwrap()));
    let survey = Survey::read(document.as_bytes(), Limits::default()).unwrap();
    let (key, outside, policy) = (public(&RSA), OutsideDigests::new(), Default::default());
    let verifier = Verifier { survey: &survey, key: &key, policy, outside: &outside, library_form: false };
    let verify = rate(bytes, || {
        verifier.verify(&survey.signatures()[0], document.as_bytes()).unwrap();
    });
    println!(
        "{name}: {bytes} bytes; MB/s: SHA-256 alone {hash:.0}, reading alone {read:.0}, canonical + SHA-256 \
         {inclusive:.0} (exclusive {exclusive:.0}), survey {surveying:.0}, verify {verify:.0}"
    );
}

#[test]
#[ignore = "prints figures"]
fn speed_of_an_envelope_and_of_a_large_content() {
    let path = shared("samples/osci/messages/unencrypted/02q-StoreDelivery.osci");
    let package = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let (from, to) =
        (package.find("<soap:Envelope").unwrap(), package.find("</soap:Envelope>").unwrap() + 16);
    let envelope = &package[from..to];
    let (from, to) =
        (envelope.find("<ds:Signature>").unwrap(), envelope.find("</ds:Signature>").unwrap() + 15);
    let unsigned = format!("{}{{signature}}{}", &envelope[..from], &envelope[to..]);
    let begin = unsigned.find("<soap:Envelope").unwrap() + 14;
    let tag = &unsigned[begin..unsigned.find('>').unwrap()];
    let scope: Vec<_> = tag.split_ascii_whitespace().filter_map(|it| it.split_once("=\"")).collect();
    let scope: Vec<_> = scope
        .into_iter()
        .filter(|(name, _)| name.starts_with("xmlns"))
        .map(|(name, value)| (name, value.trim_end_matches('"')))
        .collect();
    let ids = ["controlblock", "desiredlanguages", "storedelivery", "nonintermediarycertificates", "body"];
    let references: Vec<_> = ids.iter().map(|id| by_id(id, &[canonical(INCLUSIVE)])).collect();
    report("envelope", &signed(&unsigned, &scope, &references));
    let line = format!("{}\n", "QUJD".repeat(19));
    let content = format!("<osci:Base64Content>{}</osci:Base64Content>", line.repeat(2_000_000 / line.len()));
    let large = unsigned.replace("</osci:ContentPackage>", &format!("{content}</osci:ContentPackage>"));
    assert!(large.len() > 2_000_000);
    report("2 MB inline", &signed(&large, &scope, &references));
}
