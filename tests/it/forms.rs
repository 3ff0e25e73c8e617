//! What the form of an online application would become, as `amtsbote check --mapping` explains it, and keys as `config check` judges them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::installation::{Installation, json as read, on_free_ports, said};

const ADAPTER: &str = r#"
[[adapter]]
id = "fit"
tenant = "musterkreis"
authority = "bab:00000001"
unit = "10"
kind = "fit-connect"
token_url = "https://localhost/token"
submission_url = "https://localhost/submission-api"
client_id = "cid"
client_secret = "file:fit.secret"
destination = "879ee109-a690-4db8-ab32-424284184d7d"
signing_key = "file:sign.jwk"
decryption_keys = ["file:open.jwk"]

[[adapter.mapping]]
id = "wohnsitz"
title = "Wohnsitz anmelden: {/G1/name}"
public_service = "wohnsitz"
minimum_level = "substantial"
required = ["party.family_name"]
location = { town = "{/G1/ort}" }

[[adapter.mapping.party]]
family_name = "{/G1/name}"
born = "{/G1/geboren}"
authentication_level = "{/konto}"
"#;

fn with_fit() -> Installation {
    let installation = Installation::new();
    installation.configure(|example| on_free_ports(example) + ADAPTER);
    installation
}

fn put(installation: &Installation, name: &str, text: &str) -> PathBuf {
    let file = installation.folder().join(name);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[test]
fn what_a_form_would_become_is_explained_with_what_is_missing_or_strange() {
    let installation = with_fit();
    let form =
        json!({ "G1": { "name": "Mustermann", "ort": "Soest", "geboren": "1980-02-01" }, "konto": "3" });
    let checked = |name: &str, text: &str| {
        let file = put(&installation, name, text);
        let output = installation.run(&["check", "--mapping", "wohnsitz", "--json", file.to_str().unwrap()]);
        (output.status.code(), read(&output))
    };
    let (code, result) = checked("gut.json", &form.to_string());
    assert_eq!((code, &result["concerns"]), (Some(0), &json!([])));
    assert_eq!(result["case"]["description"]["title"], "Wohnsitz anmelden: Mustermann");
    assert_eq!(result["case"]["description"]["parties"][0]["authentication"]["level"], "substantial");
    let field = |result: &Value, name: &str| {
        let all = result["fields"].as_array().unwrap().clone();
        all.into_iter().find(|field| field["field"] == name).unwrap()
    };
    assert_eq!(field(&result, "location.town")["value"], "Soest");
    let poor = json!({ "G1": { "geboren": "im Mai" }, "konto": "1" });
    let (code, result) = checked("arm.json", &poor.to_string());
    assert_eq!(code, Some(1));
    assert_eq!(
        result["concerns"],
        json!(["online.level-too-low", "online.incomplete", "online.strange-value"])
    );
    assert_eq!(field(&result, "party.family_name")["wrong"], "it is missing");
    let (code, result) = checked("gut.xml", "<G1><name>Mustermann</name></G1>");
    assert_eq!((code, &field(&result, "title")["value"]), (Some(1), &json!("Wohnsitz anmelden: Mustermann")));
    assert_eq!(checked("keins.json", "{").0, Some(2));
}

#[test]
fn for_people_it_is_a_list_and_an_unknown_mapping_is_refused() {
    let installation = with_fit();
    let file = put(&installation, "form.json", r#"{"G1":{"name":"\u001b[31mMax"}}"#);
    let file = file.to_str().unwrap();
    let output = installation.run(&["check", "--mapping", "fit/wohnsitz", file]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("party.family_name") && text.contains("online.level-too-low: "), "{text}");
    assert!(!text.contains('\u{1b}'));
    let output = installation.run(&["check", "--mapping", "bau", file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("cli.usage") || said(&output).contains("no mapping bau"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_key_that_is_none_or_for_something_else_is_found_before_the_start() {
    let installation = with_fit();
    put(&installation, "fit.secret", "geheim");
    put(&installation, "open.jwk", "{}");
    put(&installation, "sign.jwk", r#"{"kty":"RSA","kid":"sign-2026","alg":"PS512","key_ops":["verify"]}"#);
    let output = installation.run(&["config", "check", "--json"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("adapter[0].signing_key"), "{}", said(&output));
}
