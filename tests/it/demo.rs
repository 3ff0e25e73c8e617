//! The demonstration, with a smaller document: it ends well only if each of its steps was verified.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn the_handover_goes_by_osci_transport_as_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_amtsbote"))
        .args(["demo", "--osci", "--json", "--big-mb", "5"])
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert!(output.status.success(), "{summary:#}");
    assert_eq!(summary["verified"], true);
    let told = summary.to_string();
    for words in [
        "Weg vom Kreis zur Stadt: „osci“",
        "Weg „osci“",
        "0401, 0403 und 0402 genau einmal",
        "nichts verloren, nichts doppelt: 6 Dokumente hier wie dort",
        "der Vorgang trägt die Archivsignatur",
    ] {
        assert!(told.contains(words), "{words}: {summary:#}");
    }
}

#[test]
fn every_step_of_the_demonstration_is_verified() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/xoev/xdomea");
    if !samples.exists() {
        eprintln!("SKIPPED: ../shared is absent; the real samples are not sent");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_amtsbote"))
        .args(["demo", "--json", "--big-mb", "20", "--samples"])
        .arg(samples)
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert!(output.status.success(), "{summary:#}");
    assert_eq!(summary["verified"], true);
    assert!(summary["steps"].as_array().unwrap().len() >= 32);
    let told = summary.to_string();
    for words in [
        "Weg vom Kreis zur Stadt: „xta“",
        "Weg „xta“",
        "2 Anrufe beim DMS vergeblich",
        "„message.received“",
        "der Zahlungsdienst sagt „offen“, also bleibt es offen",
        "einmal für die Kasse gebucht",
        "unverändert abgelegt und im DMS",
        "angelegt, aber die Antwort ging verloren",
        "nichts verloren, nichts doppelt: 6 Dokumente hier wie dort",
        "trotz SIGKILL gab es nur die eine Instanz",
        "der Vorgang trägt die Archivsignatur",
    ] {
        assert!(told.contains(words), "{words}: {summary:#}");
    }
}
