//! The command line: what it prints and what it ends with.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::installation::{Installation, amtsbote, json, said};

fn sample(name: &str) -> Option<PathBuf> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/xoev/xdomea");
    if !samples.exists() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(samples.join(name))
}

#[test]
fn the_self_test_passes() {
    let output = amtsbote(&["selftest", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let result = json(&output);
    assert_eq!(result["ok"], true, "{result}");
    let checks = result["checks"].as_array().unwrap();
    let has = |name: &str| checks.iter().any(|check| check["name"].as_str().unwrap().starts_with(name));
    let all = [
        "XML signature",
        "time stamp",
        "evidence",
        "XTA",
        "OSCI",
        "online",
        "mobile",
        "telephone",
        "payments",
    ];
    assert!(all.iter().all(|name| has(name)), "{result}");
}

#[test]
fn the_configuration_of_the_package_is_good() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/amtsbote.toml");
    let output = amtsbote(&["--config", file, "config", "check"]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn every_command_has_help_and_a_wrong_one_ends_with_2() {
    for command in [
        "serve", "demo", "check", "convert", "schema", "partner", "adapter", "scan", "message", "evidence",
        "token", "user", "config",
    ] {
        let output = amtsbote(&[command, "--help"]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}");
    }
    assert_eq!(amtsbote(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(amtsbote(&["check"]).status.code(), Some(2));
}

#[test]
fn a_separator_sheet_is_printed_and_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let (svg, png) = (folder.path().join("sheet.svg"), folder.path().join("sheet.png"));
    let file = svg.to_str().unwrap();
    let output = amtsbote(&[
        "scan",
        "sheet",
        "--attachment",
        "--reference",
        "63-2026-0017 ü",
        "--unit",
        "63",
        "-o",
        file,
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let judge = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    judge("rsvg-convert", &["-d", "150", "-p", "150", "-o", png.to_str().unwrap(), file]);
    let read = judge("zbarimg", &["-q", "--raw", png.to_str().unwrap()]);
    assert_eq!(read.trim(), "AB1;doc;ref=63-2026-0017 %C3%BC;unit=63");

    // With the word of the house, which is printed nowhere but in the code.
    let house = Installation::new();
    house.configure(|example| {
        format!(
            "{example}\n[[adapter]]\nid = \"scan\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"10\"\n\
             kind = \"scan\"\nfolder = \"scan\"\nseparate = {{ word = \"file:sheets.word\" }}\n"
        )
    });
    let word = house.folder().join("sheets.word");
    std::fs::write(&word, "Musterhaus-7\n").unwrap();
    std::fs::set_permissions(&word, std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = house.run(&["scan", "sheet", "--adapter", "scan", "--unit", "63", "-o", file]);
    assert!(output.status.success(), "{}", said(&output));
    judge("rsvg-convert", &["-d", "150", "-p", "150", "-o", png.to_str().unwrap(), file]);
    assert_eq!(
        judge("zbarimg", &["-q", "--raw", png.to_str().unwrap()]).trim(),
        "AB1;word=Musterhaus-7;unit=63"
    );
    assert!(!std::fs::read_to_string(&svg).unwrap().contains("Musterhaus"));
    assert_eq!(house.run(&["scan", "sheet", "--adapter", "other"]).status.code(), Some(2));

    let printed = amtsbote(&["scan", "sheet", "--unit", "63"]).stdout;
    assert!(String::from_utf8(printed).unwrap().starts_with("<svg"));
    for wrong in ["", "a\nb", &"x".repeat(201)] {
        assert_eq!(amtsbote(&["scan", "sheet", "--subject", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_valid_message_ends_with_0_and_says_what_it_is() {
    let name = "derived-3.0.0/11110000-0000-4000-8000-000000000401_Abgabe.EmpfangBestaetigen.0403.xml";
    let Some(file) = sample(name) else { return };
    let output = amtsbote(&["check", file.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = json(&output);
    assert_eq!(report["valid"], true);
    assert_eq!((&report["standard"], &report["version"]), (&"xdomea".into(), &"3.0.0".into()));
    assert_eq!((&report["type"], &report["identity"]["type"]), (&"0403".into(), &"0403".into()));
}

#[test]
fn errors_end_with_1_and_are_named_by_line_and_rule_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.xml");
    std::fs::write(&file, "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x \"geheim\">]>\n<a>&x;</a>\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let output = amtsbote(&["check", file, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(report["valid"], false);
    let finding = &report["findings"][0];
    assert!(
        finding["rule"].is_string() && finding["en"].is_string() && finding["de"].is_string(),
        "{report}"
    );

    let english = String::from_utf8(amtsbote(&["check", file]).stdout).unwrap();
    assert!(english.contains("not valid") && !english.contains("geheim"), "{english}");
    let german = String::from_utf8(amtsbote(&["check", "--lang", "de", file]).stdout).unwrap();
    assert!(german.contains("nicht gültig") && german.contains("Fehler"), "{german}");
}

#[test]
fn an_unreadable_file_ends_with_2_whatever_the_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no-message.txt");
    std::fs::write(&file, "no message").unwrap();
    let output = amtsbote(&["check", file.to_str().unwrap(), "/nonexistent", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cli.file"));
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [unknown, unreadable] = &lines[..] else { panic!("one object for each file: {lines:?}") };
    assert_eq!((&unknown["valid"], &unknown["standard"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!((&unreadable["valid"], &unreadable["code"]), (&serde_json::Value::Null, &"cli.file".into()));
}

#[test]
fn what_is_no_bundle_does_not_verify_and_a_missing_one_is_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    std::fs::write(&file, "no bundle").unwrap();
    assert_eq!(amtsbote(&["evidence", "verify", file.to_str().unwrap()]).status.code(), Some(1));
    assert_eq!(amtsbote(&["evidence", "verify", "/nonexistent"]).status.code(), Some(2));
}

#[test]
fn the_openapi_document_is_printed_without_a_configuration() {
    let output = amtsbote(&["openapi"]);
    assert_eq!(json(&output)["openapi"].as_str().unwrap().split_once('.').unwrap().0, "3");
}

#[test]
fn a_configuration_is_checked_and_shown_and_a_wrong_one_ends_with_3() {
    let installation = Installation::new();
    assert_eq!(installation.json(&["config", "check", "--json"])["tenants"], 2);
    let shown = installation.json(&["config", "show", "--json"]);
    assert_eq!(shown["limits"]["container_entries"], 20_000, "defaults are filled in");

    installation.configure(|example| example.replace("node =", "nodes ="));
    let output = installation.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(3));
    let said = said(&output);
    assert!(said.contains("line 10:1, nodes") && said.contains("[config.key]"), "{said}");
    assert!(
        said.contains("Ein Schlüssel der Konfiguration") && said.contains("A key of the configuration"),
        "{said}"
    );
    assert_eq!(installation.run(&["--config", "absent.toml", "config", "check"]).status.code(), Some(3));

    installation.configure(|example| {
        example
            .replace("container_ratio = 200", "container_ratio = 0")
            .replace("allow = []", "allow = [\"*.example\"]\nalow = []")
    });
    let output = installation.run(&["config", "check", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let found: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let keys: Vec<_> =
        found["errors"].as_array().unwrap().iter().map(|error| error["key"].as_str()).collect();
    assert_eq!(keys, [Some("egress.alow"), Some("limits.container_ratio")], "{found}");
    assert!(found["errors"][1]["line"].as_u64() > Some(1) && found["errors"][1]["column"] == 1, "{found}");
    let output = installation.run(&["config", "check", "--lang", "de"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("Konfiguration") && !told.contains("of the configuration"), "{told}");
}

#[test]
fn a_token_is_shown_once_and_can_be_ended() {
    let installation = Installation::new();
    let create = |more: &[&str]| {
        let fixed = ["token", "create", "--name", "Portal", "--role", "system", "--service", "*", "--json"];
        installation.run(&[&fixed, more].concat())
    };
    let created = json(&create(&["--tenant", "musterkreis", "--unit", "63"]));
    assert!(created["secret"].as_str().unwrap().starts_with("amt_"));

    let list = installation.json(&["token", "list", "--tenant", "musterkreis", "--json"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert!(list["items"][0]["secret"].is_null() && list["items"][0]["hash"].is_null(), "{list}");
    let id = created["id"].as_str().unwrap();
    installation.json(&["token", "revoke", id, "--tenant", "musterkreis", "--json"]);
    let list = installation.json(&["token", "list", "--tenant", "musterkreis", "--json"]);
    assert!(list["items"][0]["revokedAt"].is_string());

    assert_eq!(create(&["--unit", "63"]).status.code(), Some(2), "the house has two tenants");
    assert_eq!(create(&["--tenant", "nowhere", "--unit", "63"]).status.code(), Some(2));
    let refused = create(&["--tenant", "musterkreis", "--unit", "64"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("broker.unknown-unit"));
    let elsewhere = ["token", "revoke", id, "--tenant", "musterstadt"];
    assert_eq!(installation.run(&elsewhere).status.code(), Some(1), "another tenant's token");
}

#[test]
fn the_first_administrator_is_made_here_and_locked_and_let_in_again() {
    let installation = Installation::new();
    let of = ["--tenant", "musterkreis", "--json"];
    let add = |login: &str, tenant: &str| {
        let names = ["user", "add", login, "--name", "Erika Beispiel", "--role", "admin", "--tenant", tenant];
        installation.run(&[&names[..], &["--unit", "*", "--service", "*", "--json"]].concat())
    };
    let added = json(&add("E.Beispiel", "musterkreis"));
    assert!(added["secret"].as_str().unwrap().starts_with("ami_"), "{added}");
    assert_eq!((&added["login"], &added["roles"]), (&"e.beispiel".into(), &serde_json::json!(["admin"])));
    assert!(said(&add("e.beispiel", "musterstadt")).contains("user.login-taken"));
    for (act, state) in
        [("lock", "locked"), ("unlock", "active"), ("disable", "disabled"), ("unlock", "active")]
    {
        let user = installation.json(&[&["user", act, "e.beispiel"], &of[..]].concat());
        assert_eq!(user["state"], state);
    }
    let again = installation.json(&[&["user", "reset", "e.beispiel"], &of[..]].concat());
    assert_ne!(again["secret"], added["secret"]);
    let list = installation.json(&[&["user", "list", "--search", "ERIKA"], &of[..]].concat());
    assert!(list["items"].as_array().unwrap().len() == 1 && list["items"][0]["secret"].is_null(), "{list}");
    let elsewhere = ["user", "show", "e.beispiel", "--tenant", "musterstadt"];
    assert_eq!(installation.run(&elsewhere).status.code(), Some(1), "another tenant's user");
}

#[test]
fn the_key_for_auditors_is_public_only() {
    let installation = Installation::new();
    let output = installation.run(&["evidence", "key"]);
    let pem = String::from_utf8(output.stdout).unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
}

#[test]
fn schemas_are_listed_and_compile() {
    let installation = Installation::new();
    let list = installation.json(&["schema", "list", "--json"]);
    assert_eq!(list["items"][0]["origin"], "own");
    assert_eq!(installation.json(&["schema", "check", "--json"])["defects"].as_array().unwrap().len(), 0);
    assert_eq!(installation.run(&["schema", "add", "/nonexistent"]).status.code(), Some(2));
}
