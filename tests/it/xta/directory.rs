//! Entries of the directory by the command line of a whole gateway, and what is told of ways that cannot be used.

use conformance::gateway::{COUNTY, COUNTY_KEY};

use super::*;
use crate::osci::keys;
use crate::osci::party::{Houses, STORE};

const LAND: &str = "bab:00000009";

/// A certificate of the corpus as PEM.
fn pem(name: &str) -> String {
    let file = keys().join(format!("{name}.cer"));
    said(Command::new("openssl").args(["x509", "-inform", "DER", "-in"]).arg(file))
}

/// The land by XTA first, then by OSCI-Transport.
fn entries() -> Value {
    let reads = json!([["xdomea", "3.1.0"]]);
    let xta = json!({
        "version": "3",
        "management": "https://xta.land.example/management",
        "send": "https://xta.land.example/send",
    });
    let osci = json!({
        "intermediary": "http://127.0.0.1:1/osci",
        "intermediaryCertificate": pem("intermed_cipher"),
        "answersBy": pem("intermed_signature"),
        "recipientCertificate": pem("bob_cipher"),
        "signedBy": [pem("bob_signature")],
        "mode": "store",
    });
    let ways = json!([
        { "reads": reads, "mostBytes": 50_000_000, "xta": xta },
        { "reads": reads, "mostBytes": 9_000_000, "osci": osci },
    ]);
    let entry = json!({ "authority": LAND, "name": "Land", "ways": ways });
    json!({ "format": "amtsbote-directory", "version": 1, "entries": [entry] })
}

/// What is told of the ways: transport, whether it is used, and why not.
fn ways(told: &Value) -> Vec<(Value, Value, Value)> {
    let all = told["ways"].as_array().unwrap_or_else(|| panic!("{told}"));
    all.iter().map(|way| (way["transport"].clone(), way["used"].clone(), way["obstacle"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_imported_and_exported_and_a_way_that_cannot_be_used_says_why() {
    let mut houses = Houses::prepare(&Engine::Sqlite, STORE).await;
    let county = &mut houses.county;
    county.start().await.unwrap();
    let file = county.folder().join("land.json");
    std::fs::write(&file, entries().to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let run =
        async |words: &[&str]| county.run(&[words, &["--tenant", COUNTY, "--json"]].concat()).await.unwrap();

    let tried = run(&["directory", "import", &file, "--dry-run"]).await;
    assert_eq!(tried["added"], json!([LAND]), "{tried}");
    assert_eq!(run(&["directory", "list"]).await["items"], json!([]));
    assert_eq!(run(&["directory", "import", &file]).await["added"], json!([LAND]));
    assert_eq!(run(&["directory", "import", &file]).await["unchanged"], 1);
    let listed = run(&["directory", "list"]).await;
    let transports: Vec<&Value> =
        listed["items"].as_array().unwrap().iter().map(|it| &it["transport"]).collect();
    assert_eq!(transports, ["xta", "osci"], "{listed}");

    // What is exported says the same: nothing changes where it is imported.
    let out = county.folder().join("out.json");
    run(&["directory", "export", "--output", out.to_str().unwrap()]).await;
    let again = run(&["directory", "import", out.to_str().unwrap(), "--replace"]).await;
    assert_eq!((&again["unchanged"], &again["removed"]), (&json!(1), &json!([])), "{again}");

    // The county has keys for OSCI-Transport alone.
    let told =
        [(json!("xta"), json!(false), json!("directory.no-keys")), (json!("osci"), json!(true), Value::Null)];
    let client = Houses::client(county, COUNTY, COUNTY_KEY).await;
    let path = format!("/capabilities/{LAND}?from={COUNTY_KEY}");
    let capabilities = client.read(&path).await.unwrap();
    assert_eq!(ways(&capabilities), told, "{capabilities}");
    assert_eq!((&capabilities["transport"], &capabilities["usable"]), (&json!("osci"), &json!(true)));
    let check = ["partner", "check", LAND, "--from", COUNTY_KEY, "--tenant", COUNTY, "--json"];
    let checked = county.command(&check).output().await.unwrap();
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(ways(&checked), told, "{checked}");

    // A message that is too large for the second has no way at all.
    let capabilities = client.read(&format!("{path}&bytes=9000001")).await.unwrap();
    assert_eq!(capabilities["usable"], false, "{capabilities}");
    assert_eq!(ways(&capabilities)[1].2, "message.too-large-for-recipient", "{capabilities}");
    houses.close().await;
}
