//! A bundle that was exported after the gateway got another evidence key: older batches are signed with the one before, which the signed
//! manifest names.

use std::io::Cursor;

use seal::{
    bundle::{BundleFile, Report, verify},
    evidence_key::{EvidenceKey, EvidencePublicKey, MAX_OLDER},
};

use crate::fixture::{BUNDLE, Case, bytes_of, codes, unzip, zip};
use crate::judges::run;

/// The case, its last batch and its bundle signed with another key than the two batches before; and the key before.
fn changed() -> (Case, EvidencePublicKey) {
    let mut case = Case::new();
    let older = case.public();
    case.key = EvidenceKey::random().unwrap().after(vec![older.clone()]);
    let last = case.batches.pop().unwrap();
    case.batches.push(last.batch.sign(&case.key).unwrap());
    (case, older)
}

/// The verdict on a bundle whose manifest names these older keys, but was signed before it did.
fn naming(case: &Case, older: &[String]) -> Report {
    let mut entries = unzip(&case.write());
    let manifest = bytes_of(&mut entries, BundleFile::Manifest);
    let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    value["olderKeys"] = older.into();
    *manifest = value.to_string().into_bytes();
    verify(Cursor::new(zip(&entries)), Some(&case.public()), |_| {})
}

#[test]
fn whoever_trusts_the_new_key_needs_no_other_for_older_batches() {
    let (case, older) = changed();
    let bundle = case.write();
    let report = verify(Cursor::new(&bundle), Some(&case.public()), |_| {});
    assert!(report.ok && report.key_trusted, "{:?}", report.findings);
    let signers: Vec<_> = report.signed_by.iter().map(|by| (by.key, by.batches, by.first, by.last)).collect();
    assert_eq!(signers, [(older.fingerprint(), 2, 1, 2), (case.public().fingerprint(), 1, 3, 3)]);
    let told = format!("2 batches (numbers 1 to 2) are signed with the key {}", older.fingerprint());
    assert!(report.to_string().contains(&told), "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["signedBy"][0]["key"], older.fingerprint().to_string());

    // The key before did not sign this bundle.
    let report = verify(Cursor::new(&bundle), Some(&older), |_| {});
    assert_eq!(codes(&report), ["evidence.key-untrusted"]);
}

#[test]
fn a_list_of_older_keys_that_was_changed_is_found() {
    let (case, older) = changed();
    let older = older.to_pem().unwrap();
    let stranger = EvidenceKey::random().unwrap().public().unwrap().to_pem().unwrap();
    assert_eq!(codes(&naming(&case, &[older.clone(), stranger.clone()])), ["evidence.manifest-signature"]);
    for list in [vec![], vec![stranger]] {
        let report = naming(&case, &list);
        let batches: Vec<_> = report.findings.iter().filter_map(|finding| finding.place.batch).collect();
        assert_eq!(batches, [1, 2]);
        assert_eq!(
            codes(&report)[..3],
            ["evidence.manifest-signature", "evidence.batch-signature", "evidence.batch-signature"]
        );
    }
    for list in [vec!["no key".to_owned()], vec![older; MAX_OLDER + 1]] {
        assert_eq!(codes(&naming(&case, &list)), ["evidence.manifest-invalid"]);
    }
}

#[test]
fn a_bundle_of_one_key_names_no_others() {
    let mut entries = unzip(&BUNDLE);
    let manifest = bytes_of(&mut entries, BundleFile::Manifest);
    assert!(!String::from_utf8_lossy(manifest).contains("olderKeys"));
}

#[test]
fn openssl_verifies_an_older_head_with_the_key_that_the_manifest_names() {
    let (case, _) = changed();
    let mut entries = unzip(&case.write());
    let manifest: serde_json::Value =
        serde_json::from_slice(bytes_of(&mut entries, BundleFile::Manifest)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("older.pem"), manifest["olderKeys"][0].as_str().unwrap()).unwrap();
    std::fs::write(path.join("head.bin"), case.batches[0].batch.head.0).unwrap();
    std::fs::write(path.join("head.sig"), &case.batches[0].signature.0).unwrap();
    let arguments = ["dgst", "-sha256", "-verify", "older.pem", "-signature", "head.sig", "head.bin"];
    assert_eq!(run("openssl", &arguments, path), "Verified OK\n");
}
