//! The test bed of BSI (TR-03125 C.2, and that of the evidence record verification tool): every file is judged as its index or its name
//! says, as far as that can be done offline and without the test authorities' roots.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use adapter_archive::xaip::judge::{Judgement, Rules, judge};
use adapter_archive::xaip::outline::Evidence;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::Schemas;
use seal::ers::{Fault, Outcome, Policy, Record, verify};
use seal::hash::digest;
use seal::timestamp::Authorities;

use crate::support::shared;

/// Some time in 2026, in microseconds.
const NOW: i64 = 1_796_000_000_000_000;

#[test]
fn packages_are_valid_by_the_schema_as_the_index_says() {
    let (Some(samples), Some(pack)) = (shared("samples"), shared("packs/tresor/1.3/schema")) else { return };
    let schemas = Arc::new(Schemas::new());
    // One schema asks for another by a name that the pack does not have, and a profile for what is no part of it.
    let room = tempfile::tempdir().unwrap();
    let copy = room.path().join("pack");
    crate::support::run(
        "cp",
        &["-r", "--no-preserve=mode", &pack.to_string_lossy(), &copy.to_string_lossy()],
    )
    .unwrap();
    fs::copy(copy.join("deps/XAdES01903v132-201601.xsd"), copy.join("deps/XAdES.xsd")).unwrap();
    fs::remove_file(copy.join("tr-esor-xaip-v1.3-Profil_XBDP_v1.0.xsd")).unwrap();
    schemas.add_pack(&copy).unwrap();
    let index = fs::read_to_string(samples.join("tresor/VALIDATION.tsv")).unwrap();
    let mut wrong = vec![];
    let mut judged = 0;
    for line in index.lines().skip(1) {
        let (file, expected) = line.split_once('\t').unwrap();
        // A signature of its own is nothing that a message begins with.
        if file.ends_with("document-XADES-enveloping.xml") {
            continue;
        }
        let report =
            schemas.check(BufReader::new(File::open(samples.join(file)).unwrap()), xml::Limits::default());
        judged += 1;
        if report.is_valid() != (expected == "validates") {
            wrong.push(format!("{file}: {:?}", report.findings.first()));
        }
    }
    assert!(judged > 80);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn judged(
    samples: &Path,
    package: &str,
    beside: Option<&str>,
    authorities: Option<&Authorities>,
) -> Judgement {
    let beside = beside.map(|path| {
        let bytes = fs::read(samples.join(path)).unwrap();
        let der = if path.ends_with(".b64") { from_base64(&bytes) } else { bytes };
        Evidence { der: Some(der), ..Evidence::default() }
    });
    let files = |uri: &str| {
        let name = uri.trim_start_matches("REF_");
        let found = ["ervt", "c2-testbed-uploads"].iter().flat_map(|folder| {
            let path = samples.join(folder).join(name);
            [path.clone(), path.with_extension("txt"), path.with_extension("pdf"), path.with_extension("xml")]
        });
        let mut found = found;
        let found = found.find(|path| path.is_file());
        Ok(found.map(|path| Box::new(File::open(path).unwrap()) as Box<dyn Read>))
    };
    let rules = Rules { authorities, now_micros: NOW, files: &files };
    judge(&mut File::open(samples.join(package)).unwrap(), beside.into_iter().collect(), rules).unwrap()
}

fn from_base64(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).unwrap()
}

/// What stays open without trust and without revocation data.
fn is_open(fault: &Fault) -> bool {
    matches!(fault, Fault::NotJudged | Fault::NoRevocation | Fault::Outdated | Fault::NotRenewed)
}

#[test]
fn detached_records_of_the_test_bed_prove_what_their_names_say() {
    let Some(samples) = shared("samples/tresor") else { return };
    let mut seen = 0;
    for entry in fs::read_dir(samples.join("c2-testbed")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some((_, of)) = name.strip_suffix(".ers").and_then(|stem| stem.split_once("_XAIP_OK")) else {
            continue;
        };
        if of.starts_with("_SC") {
            continue;
        }
        seen += 1;
        let package =
            if of == "_SIG_OK" { "c2-testbed/XAIP_OK_SIG_OK.xml" } else { "c2-testbed/XAIP_OK.xml" };
        let judgement = judged(&samples, package, Some(&format!("c2-testbed/{name}")), None);
        assert!(judgement.is_whole(), "{name}");
        let evidence = judgement.evidence.last().unwrap();
        let faults = evidence.verdict.as_ref().map(|verdict| verdict.faults.clone());
        match name.starts_with("ER_OK") {
            true => {
                assert_eq!(evidence.outcome(), Outcome::Indeterminate, "{name}: {faults:?}");
                assert!(faults.unwrap().iter().all(is_open), "{name}");
            }
            false => assert_eq!(evidence.outcome(), Outcome::Invalid, "{name}: {faults:?}"),
        }
        let is_weak = ["SHA1", "SHA224", "SHA3-224"].iter().any(|weak| name.contains(weak));
        let verdict = evidence.verdict.as_ref().unwrap();
        assert_eq!(verdict.faults.contains(&Fault::Outdated), is_weak, "{name}");
        // Certificates of these test authorities ended in 2025 and 2026, the others' end in 2037.
        let has_ended = ["DFN", "OPENSSL"].iter().any(|authority| name.contains(authority));
        assert_eq!(verdict.faults.contains(&Fault::NotRenewed), has_ended, "{name}");
    }
    assert!(seen >= 12, "{seen}");
    // These two cover one document of the package: one without a tree, one whose only digest is hashed again.
    let document = fs::read(samples.join("c2-testbed/TXT_DATA.txt")).unwrap();
    for name in ["ER_SHA256-DGN_XAIP_OK_SC1.ers", "ER_SHA256-DGN_XAIP_OK_SC3.ers"] {
        let record = Record::read(&fs::read(samples.join("c2-testbed").join(name)).unwrap()).unwrap();
        let policy = Policy { authorities: None, now_micros: NOW, part: false };
        let verdict = verify(&record, &|algorithm| vec![digest(algorithm, &[&document]).unwrap()], policy);
        assert!(verdict.faults.iter().all(is_open), "{name}: {:?}", verdict.faults);
    }
}

#[test]
fn records_within_packages_prove_what_their_names_say() {
    let Some(samples) = shared("samples/tresor") else { return };
    // Written anew with other white space since its record was made: its manifest has another digest.
    let rewritten = ["lxaip_ok_er.xml"];
    // Refers to a file that is not there.
    let incomplete = ["lxaip_ok_er_cred.xml"];
    let mut seen = 0;
    for entry in fs::read_dir(samples.join("ervt")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(samples.join("ervt").join(&name)).unwrap_or_default();
        if !name.ends_with(".xml")
            || !text.contains("asn1EvidenceRecord")
            || !text.contains("XAIPVersion")
            || name.contains("mock")
        {
            continue;
        }
        seen += 1;
        let judgement = judged(&samples, &format!("ervt/{name}"), None, None);
        for evidence in &judgement.evidence {
            let told = format!("{name} {}: {:?}", evidence.version, evidence.verdict);
            let is_right = name.contains("ok")
                && !name.contains("nok")
                && !rewritten.contains(&name.as_str())
                && !incomplete.contains(&name.as_str());
            match is_right {
                true => assert!(evidence.verdict.as_ref().unwrap().faults.iter().all(is_open), "{told}"),
                false => assert_eq!(evidence.outcome(), Outcome::Invalid, "{told}"),
            }
        }
        let has_all_files = !incomplete.contains(&name.as_str()) && !name.contains("wrong_uri");
        assert_eq!(judgement.wrong_files.is_empty(), has_all_files, "{name}: {:?}", judgement.wrong_files);
    }
    assert!(seen >= 12, "{seen}");
    let renewed = judged(&samples, "ervt/xaip_ok.xml", Some("ervt/xaip_ok.rehashed.ers.b64"), None);
    let verdict = renewed.evidence.last().unwrap().verdict.as_ref().unwrap();
    assert_eq!((verdict.stamps, verdict.faults.clone()), (3, vec![Fault::NotJudged]));
}

#[test]
fn malformed_records_are_told_by_their_fault() {
    let Some(samples) = shared("samples/tresor/ervt") else { return };
    let read = |name: &str| Record::read(&from_base64(&fs::read(samples.join(name)).unwrap()));
    assert_eq!(read("er_nok_wrong_version.er.b64"), Err(Fault::Version));
    let record = read("example_wrong_cms_version.ers.b64").unwrap();
    let policy = Policy { authorities: None, now_micros: NOW, part: true };
    let verdict = verify(&record, &|algorithm| vec![digest(algorithm, &[b"TestData"]).unwrap()], policy);
    assert!(verdict.faults.contains(&Fault::StampMalformed), "{:?}", verdict.faults);
    // Thousands of data in one group, with answers of OCSP inside of the stamp.
    let record = read("ATS1_BIN_ER.ers.b64").unwrap();
    assert_eq!(record.chains[0].stamps[0].tree[0].len(), 1_998);
}

#[test]
fn a_package_without_evidence_is_not_verified() {
    let Some(samples) = shared("samples/tresor") else { return };
    let judgement = judged(&samples, "c2-testbed/XAIP_OK.xml", None, None);
    assert!(judgement.is_whole());
    assert_eq!(judgement.of_version("V001"), None, "nothing wrong is no proof");
}

#[test]
fn our_own_laboratory_s_packages_hold_or_are_found_out() {
    let Some(samples) = shared("samples/tresor") else { return };
    let authorities = Authorities::from_pem(&fs::read(samples.join("lab/ca.pem")).unwrap()).unwrap();
    let trust = Some(&authorities);
    let embedded = judged(&samples, "lab/xaip-with-embedded-er.xml", None, trust);
    assert_eq!(embedded.of_version("V001"), Some(Outcome::Valid), "{:?}", embedded.evidence);
    let record = Some("lab/xaip-with-detached-er.ers");
    let detached = judged(&samples, "lab/xaip-with-detached-er.xml", record, trust);
    assert_eq!(detached.of_version("V001"), Some(Outcome::Valid), "{:?}", detached.evidence);
    let tampered = judged(&samples, "lab/xaip-tampered-retention.xml", record, trust);
    assert_eq!(tampered.of_version("V001"), Some(Outcome::Invalid));
    let verdict = tampered.evidence.last().unwrap().verdict.as_ref().unwrap();
    assert!(verdict.faults.contains(&Fault::DataDiffer), "{:?}", verdict.faults);
}
