//! Every xdomea sample is judged as its index says: valid, all of them.
use crate::{check, official, xdomea_samples};

#[test]
fn every_xdomea_sample_is_valid_by_its_official_schema() {
    let Some(official) = official() else { return };
    let samples = xdomea_samples();
    assert!(samples.len() >= 35, "only {} samples found", samples.len());
    for (name, bytes) in samples {
        let report = check(&official, &bytes);
        assert!(report.is_valid(), "{name}: {:?}", report.findings);
    }
}
