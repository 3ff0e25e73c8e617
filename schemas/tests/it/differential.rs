//! Our own schemas judge as the official ones do: every sample, and thousands of damaged ones.
use crate::mutation::{Dice, mutate, parse, write};
use crate::{check, official, xdomea_samples};
use schemas::{Origin, Schemas};
use std::sync::Arc;

/// Damaged documents, unless the variable says otherwise.
const ROUNDS: usize = 2_400;
const ROUNDS_VARIABLE: &str = "AMTSBOTE_ROUNDS";

/// Whether we have a schema of its own type; 06xx is for the packs.
fn is_covered(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document);
    text.contains("urn:xoev-de:xdomea:schema:") && !text.contains("FVDaten.")
}

#[test]
fn own_and_official_schemas_agree() {
    let Some(official) = official() else { return };
    let own = Arc::new(Schemas::new());
    let root = ("urn:xoev-de:xdomea:schema:3.1.0", "Abgabe.Abgabe.0401");
    assert_eq!(own.knows(root.0, root.1), Some(Origin::Own));
    assert_eq!(official.knows(root.0, root.1), Some(Origin::Pack));
    let samples: Vec<_> = xdomea_samples().into_iter().filter(|(_, bytes)| is_covered(bytes)).collect();
    assert!(samples.len() >= 16);
    for (name, bytes) in &samples {
        let (ours, theirs) = (check(&own, bytes), check(&official, bytes));
        assert_eq!(ours, theirs, "{name}");
    }
    let trees: Vec<_> = samples.iter().map(|(_, bytes)| parse(bytes)).collect();
    let asked = std::env::var(ROUNDS_VARIABLE).ok().map(|rounds| rounds.parse().unwrap());
    let rounds: usize = asked.unwrap_or(ROUNDS);
    let mut dice = Dice::new(3);
    let (mut invalid, mut same) = (0, 0);
    for round in 0..rounds {
        let document = write(&mutate(&trees[round % trees.len()], &mut dice));
        let (ours, theirs) = (check(&own, &document), check(&official, &document));
        let name = &samples[round % trees.len()].0;
        assert_eq!(ours.is_valid(), theirs.is_valid(), "round {round}, {name}: {ours:?} {theirs:?}");
        invalid += usize::from(!ours.is_valid());
        same += usize::from(ours == theirs);
    }
    eprintln!("{rounds} damaged documents, {invalid} invalid, {same} with the very same findings");
    // The damage must be neither all harmless nor all fatal.
    assert!(invalid > rounds / 2 && invalid < rounds);
}
