//! `[citizen]`.

use std::path::Path;

use config::Config;

use crate::{EXAMPLE, refused, swap};

/// The example with its section for citizens in force.
fn whole() -> String {
    let begins = EXAMPLE.find("# The citizens' pages (docs/citizens.md), at").unwrap();
    let (before, section) = EXAMPLE.split_at(begins);
    let section = section.split("# E-payment (docs").next().unwrap();
    let is_setting = |line: &&str| {
        let key = line.strip_prefix("# ").unwrap_or_default();
        key.starts_with('[') || key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
    };
    let lines = section.lines().filter(is_setting);
    let lines: String = lines.map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    swap(before, "# public = ", "public = ") + &lines
}

#[test]
fn the_example_is_valid_and_explains_every_key() {
    let config = Config::parse(&whole(), Path::new("/srv/amtsbote")).unwrap();
    let citizen = config.citizen.as_ref().unwrap();
    let citizens = citizen.citizens();
    assert_eq!((citizens.most_bytes, citizens.ways.len()), (20 << 20, 5));
    assert_eq!(citizens.services["baugenehmigung"].name, "Baugenehmigung");
    assert_eq!(citizens.barriers.len(), 1);
    for line in toml::to_string(citizen).unwrap().lines() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        assert!(EXAMPLE.contains(&format!("{key} = ")), "{key} is not explained");
    }
}

#[test]
fn what_is_wrong_is_refused_by_key() {
    for (from, to, key) in [
        (
            "url = \"https://buerger.kreis.example\"",
            "url = \"https://buerger.kreis.example/\"",
            "citizen.url",
        ),
        ("https://www.kreis.example/impressum", "www.kreis.example", "citizen.imprint"),
        ("barrierefrei@kreis.example", "barrierefrei", "citizen.feedback_email"),
        ("statement_made = \"2026-11-30\"", "statement_made = \"30.11.2026\"", "citizen.statement_made"),
        ("\"push\", \"print\", \"fit", "\"pigeon\", \"print\", \"fit", "citizen.ways[1]"),
        ("max_mb = 20\n[[citizen", "max_mb = 0\n[[citizen", "citizen.max_mb"),
        ("public = \"127", "# public = \"127", "citizen.url"),
    ] {
        let error = refused(&swap(&whole(), from, to));
        assert_eq!(error.code(), "config.value", "{key}");
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
}
