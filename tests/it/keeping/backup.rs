//! Backups of a gateway that works, restored elsewhere; backups that were changed; runs that were interrupted; other keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance::gateway::{COUNTY, Engine, Gateway};
use serde_json::{Value, json};

use super::{are_read, case, documents, on_both, prepared, run, started, token};

/// In the row, in a file with several chunks, in two segments.
const SIZES: [usize; 3] = [100, 200_000, 9 << 20];

/// Puts the keys of one gateway where another looks for them.
fn hand_keys(from: &Gateway, to: &Gateway) {
    for key in ["data/master.key", "data/evidence.pem"] {
        fs::copy(from.folder().join(key), to.folder().join(key)).unwrap();
    }
}

async fn is_restored(engine: Engine, target: Engine) {
    let gateway = started(&engine).await;
    let token = token(&gateway).await;
    let client = gateway.client(&token).unwrap();
    let documents = documents(&gateway, &token, &SIZES).await;
    let mut acknowledged = vec![];
    for number in 0..10 {
        acknowledged.push(case(&client, &format!("before-{number}")).await);
    }
    // Others go on meanwhile.
    let stop = Arc::new(AtomicBool::new(false));
    let (told, client) = (Arc::clone(&stop), gateway.client(&token).unwrap());
    let others = tokio::spawn(async move {
        let mut number = 0;
        while !told.load(Ordering::Relaxed) {
            number += 1;
            case(&client, &format!("meanwhile-{number}")).await;
        }
        number
    });
    let (code, made, said) = run(&gateway, &["backup", "first", "--json"]).await;
    assert_eq!(
        (code, &made["lost"], &made["payloadFiles"]),
        (Some(0), &json!(0), &json!(5)),
        "{made} {said}"
    );
    let (code, made, said) = run(&gateway, &["backup", "second", "--since", "first", "--json"]).await;
    assert_eq!((code, &made["linked"]), (Some(0), &json!(5)), "{made} {said}");
    stop.store(true, Ordering::Relaxed);
    assert!(others.await.unwrap() > 0, "the gateway went on");
    let key = gateway.command(&["evidence", "key"]).output().await.unwrap().stdout;
    fs::write(gateway.folder().join("key.pem"), key).unwrap();
    let (code, seen, said) =
        run(&gateway, &["backup", "verify", "second", "--key", "key.pem", "--json"]).await;
    assert_eq!(
        (code, &seen["ok"], &seen["keyTrusted"]),
        (Some(0), &json!(true), &json!(true)),
        "{seen} {said}"
    );

    let mut other = prepared(&target).await;
    let backup = gateway.folder().join("second").display().to_string();
    let (code, _, said) = run(&other, &["restore", &backup]).await;
    assert!(code == Some(3) && said.contains("[backup.keys-missing]"), "{said}");
    hand_keys(&gateway, &other);
    let (code, restored, said) = run(&other, &["restore", &backup, "--json"]).await;
    assert_eq!((code, &restored["ok"]), (Some(0), &json!(true)), "{restored} {said}");
    let (code, _, said) = run(&other, &["restore", &backup]).await;
    assert!(code == Some(3) && said.contains("[store.not-empty]"), "{said}");

    other.start().await.unwrap();
    let client = other.client(&token).unwrap();
    for case in &acknowledged {
        client.read(&format!("/cases/{case}")).await.unwrap();
    }
    are_read(&other, &token, &documents).await;
    case(&client, "afterwards").await;
    let (code, report, _) = run(&other, &["evidence", "check", "--tenant", COUNTY, "--json"]).await;
    assert_eq!(code, Some(0), "{report}");
    gateway.remove().await.unwrap();
    other.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_backup_is_restored_elsewhere() {
    is_restored(Engine::Sqlite, Engine::Sqlite).await;
    let Ok(postgres) = Engine::named("postgres") else {
        return eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server");
    };
    is_restored(postgres.clone(), postgres.clone()).await;
    is_restored(Engine::Sqlite, postgres).await;
}

/// A file of each kind that a backup has.
fn kinds(backup: &Path) -> Vec<PathBuf> {
    let payloads = fs::read_dir(backup.join("payloads"))
        .unwrap()
        .flat_map(|it| fs::read_dir(it.unwrap().path()).unwrap());
    let payload =
        payloads.map(|it| it.unwrap().path()).find(|path| path.extension().unwrap() == "0").unwrap();
    let named = ["manifest.json", "manifest.sig", "parts.jsonl", "config/amtsbote.toml"];
    let rows = ["record", "event", "payload"].map(|table| format!("rows/{table}.jsonl"));
    let named = named.iter().map(|name| backup.join(name)).chain(rows.iter().map(|name| backup.join(name)));
    named.chain([payload]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_is_found_and_not_restored() {
    let gateway = started(&Engine::Sqlite).await;
    let token = token(&gateway).await;
    documents(&gateway, &token, &SIZES[..2]).await;
    assert_eq!(run(&gateway, &["backup", "backup"]).await.0, Some(0));
    let backup = gateway.folder().join("backup");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!backup.join("keys").exists(), "keys stay out");
    let other = prepared(&Engine::Sqlite).await;
    hand_keys(&gateway, &other);
    let path = backup.display().to_string();
    for file in kinds(&backup) {
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        let (code, _, said) = run(&gateway, &["backup", "verify", "backup"]).await;
        assert_eq!(code, Some(1), "{}: {said}", file.display());
        assert_eq!(run(&other, &["restore", &path]).await.0, Some(1), "{}", file.display());
        assert!(!other.folder().join("data/amtsbote.db").exists());
        fs::write(&file, bytes).unwrap();
    }
    assert_eq!(run(&gateway, &["backup", "verify", "backup"]).await.0, Some(0));
    // Whole, but signed by somebody else.
    let foreign = started(&Engine::Sqlite).await;
    let key = foreign.command(&["evidence", "key"]).output().await.unwrap().stdout;
    fs::write(gateway.folder().join("foreign.pem"), key).unwrap();
    let (code, _, said) = run(&gateway, &["backup", "verify", "backup", "--key", "foreign.pem"]).await;
    assert!(code == Some(1) && said.contains("[backup.damaged]"), "{said}");
    for gateway in [gateway, other, foreign] {
        gateway.remove().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_backup_knows_as_erased_is_erased_in_an_earlier_one() {
    let gateway = started(&Engine::Sqlite).await;
    let token = token(&gateway).await;
    let documents = documents(&gateway, &token, &SIZES[..2]).await;
    assert_eq!(run(&gateway, &["backup", "first", "--with-keys"]).await.0, Some(0));
    let client = gateway.client(&token).unwrap();
    let id = documents[1].0.split('/').nth(4).unwrap();
    let document = client.read(&format!("/documents/{id}")).await.unwrap();
    let payload = document.pointer("/versions/0/files/0/content/id").unwrap().as_str().unwrap();
    let case = document["root"].as_str().unwrap();
    let erase = ["evidence", "erase", case, "--payload", payload, "--tenant", COUNTY];
    let (code, _, said) = run(&gateway, &erase).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(run(&gateway, &["backup", "second", "--since", "first"]).await.0, Some(0));
    let mut other = prepared(&Engine::Sqlite).await;
    // What somebody has put beside it is not of the backup.
    fs::create_dir_all(gateway.folder().join("first/schemas")).unwrap();
    fs::write(gateway.folder().join("first/schemas/foreign.xsd"), "<x/>").unwrap();
    let path = |name: &str| gateway.folder().join(name).display().to_string();
    let (code, restored, said) =
        run(&other, &["restore", &path("first"), "--later", &path("second"), "--json"]).await;
    assert_eq!((code, &restored["erasedLater"]), (Some(0), &json!(1)), "{restored} {said}");
    assert!(!other.folder().join("data/schemas/foreign.xsd").exists());
    other.start().await.unwrap();
    are_read(&other, &token, &documents[..1]).await;
    let read =
        reqwest::Client::new().get(format!("{}{}", other.internal(), documents[1].0)).bearer_auth(&token);
    assert_eq!(read.send().await.unwrap().status(), 410);
    gateway.remove().await.unwrap();
    other.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_is_none_and_the_next_run_makes_it() {
    let gateway = started(&Engine::Sqlite).await;
    let token = token(&gateway).await;
    documents(&gateway, &token, &[30 << 20]).await;
    let (partial, backup) = (gateway.folder().join("backup.partial"), gateway.folder().join("backup"));
    loop {
        let mut making = gateway.command(&["backup", "backup"]).spawn().unwrap();
        while !partial.join("parts.jsonl").exists() && making.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        making.kill().await.unwrap();
        // It may have been quicker than we are.
        if !backup.exists() {
            break;
        }
        fs::remove_dir_all(&backup).unwrap();
    }
    assert!(partial.exists());
    assert_eq!(run(&gateway, &["backup", "backup"]).await.0, Some(0));
    assert_eq!(run(&gateway, &["backup", "backup"]).await.0, Some(2), "nothing is overwritten");
    assert!(!partial.exists());
    gateway.remove().await.unwrap();
}

async fn leaves(engine: Engine) {
    let mut gateway = started(&engine).await;
    let token = token(&gateway).await;
    let documents = documents(&gateway, &token, &SIZES[..2]).await;
    gateway.kill().await.unwrap();
    fs::write(gateway.folder().join("data/new.key"), "01".repeat(32)).unwrap();
    fs::set_permissions(gateway.folder().join("data/new.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let old = "master_key = \"file:data/master.key\"";
    let both = "master_key = \"file:data/new.key\"\nolder_master_keys = [\"file:data/master.key\"]";
    gateway.reconfigure(&[(old, both)]).unwrap();
    gateway.start().await.unwrap();
    let (_, keys, _) = run(&gateway, &["key", "list", "--json"]).await;
    assert_eq!(keys["outdated"], 2, "{keys}");
    let (code, keys, said) = run(&gateway, &["key", "rewrap", "--json"]).await;
    assert_eq!(
        (code, &keys["rewrapped"], &keys["outdated"]),
        (Some(0), &json!(2), &json!(0)),
        "{keys} {said}"
    );
    are_read(&gateway, &token, &documents).await;
    gateway.kill().await.unwrap();
    gateway.reconfigure(&[("older_master_keys = [\"file:data/master.key\"]", "")]).unwrap();
    gateway.start().await.unwrap();
    are_read(&gateway, &token, &documents).await;
    let (_, keys, _) = run(&gateway, &["key", "list", "--json"]).await;
    assert_eq!(keys["items"].as_array().unwrap().len(), 1, "{keys}");
    gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_master_key_leaves_once_all_is_wrapped_anew() {
    on_both(leaves).await;
}

async fn keeps_its_evidence(engine: Engine) {
    let mut gateway = started(&engine).await;
    let token = token(&gateway).await;
    let record = case(&gateway.client(&token).unwrap(), "before").await;
    assert_eq!(run(&gateway, &["backup", "before"]).await.0, Some(0));
    let key = async |gateway: &Gateway, name: &str| {
        let key = gateway.command(&["evidence", "key"]).output().await.unwrap().stdout;
        fs::write(gateway.folder().join(name), key).unwrap();
    };
    let export = ["evidence", "export", &record, "--tenant", COUNTY, "--output"];
    assert_eq!(run(&gateway, &[&export[..], &["before.zip"]].concat()).await.0, Some(0));
    key(&gateway, "older.pem").await;
    gateway.kill().await.unwrap();

    let old = "evidence_key = \"data/evidence.pem\"";
    let new = "evidence_key = \"data/newer.pem\"";
    gateway.reconfigure(&[(old, new)]).unwrap();
    let check = ["evidence", "check", "--tenant", COUNTY, "--json"];
    let (code, report, _) = run(&gateway, &check).await;
    let batches = report["batches"].as_u64().unwrap() as usize;
    let named = report["findings"].as_array().unwrap();
    let is_named = named.iter().all(|it| it["code"] == "evidence.batch-signature");
    assert!(code == Some(1) && named.len() == batches && is_named, "{report}");

    let both = format!("{new}\nolder_evidence_keys = [\"older.pem\", \"data/evidence.pem\"]");
    gateway.reconfigure(&[(new, &both)]).unwrap();
    let (code, _, said) = run(&gateway, &["config", "check"]).await;
    assert!(
        code == Some(3) && said.contains("store.older_evidence_keys[1]"),
        "a private key is none: {said}"
    );
    gateway.reconfigure(&[(", \"data/evidence.pem\"]", "]")]).unwrap();
    assert_eq!(run(&gateway, &["config", "check"]).await.0, Some(0));
    gateway.start().await.unwrap();
    case(&gateway.client(&token).unwrap(), "after").await;
    assert_eq!(run(&gateway, &[&export[..], &["after.zip"]].concat()).await.0, Some(0));
    key(&gateway, "newer.pem").await;
    let (_, keys, _) = run(&gateway, &["evidence", "key", "--json"]).await;
    let pem = |name: &str| fs::read_to_string(gateway.folder().join(name)).unwrap().trim_end().to_owned();
    let told = |key: &Value| key["pem"].as_str().unwrap().trim_end().to_owned();
    assert_eq!([&keys, &keys["older"][0]].map(told), ["newer.pem", "older.pem"].map(pem), "{keys}");
    let (code, report, said) = run(&gateway, &check).await;
    assert_eq!((code, report["signedBy"].as_array().unwrap().len()), (Some(0), 2), "{report} {said}");
    for (bundle, key) in [("before.zip", "older.pem"), ("after.zip", "newer.pem")] {
        let (code, report, _) = run(&gateway, &["evidence", "verify", bundle, "--key", key, "--json"]).await;
        assert_eq!((code, &report["keyTrusted"]), (Some(0), &json!(true)), "{report}");
    }
    let (code, _, said) = run(&gateway, &["backup", "after", "--since", "before"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, report, said) =
        run(&gateway, &["backup", "verify", "after", "--key", "newer.pem", "--json"]).await;
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report} {said}");

    // A backup from before the change is one of this gateway, and what a later one knows of it counts.
    let other = prepared(&engine).await;
    for name in ["data/master.key", "data/newer.pem", "older.pem"] {
        fs::copy(gateway.folder().join(name), other.folder().join(name)).unwrap();
    }
    let both = format!("{new}\nolder_evidence_keys = [\"older.pem\"]");
    other.reconfigure(&[(old, &both)]).unwrap();
    let [before, after] = ["before", "after"].map(|name| gateway.folder().join(name).display().to_string());
    let (code, restored, said) = run(&other, &["restore", &before, "--later", &after, "--json"]).await;
    assert_eq!((code, &restored["ok"]), (Some(0), &json!(true)), "{restored} {said}");
    gateway.remove().await.unwrap();
    other.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_evidence_key_leaves_older_evidence_and_backups_verifiable() {
    on_both(keeps_its_evidence).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_only_if_a_key_of_the_configuration_has_signed_it() {
    let gateway = started(&Engine::Sqlite).await;
    let token = token(&gateway).await;
    case(&gateway.client(&token).unwrap(), "before").await;
    assert_eq!(run(&gateway, &["backup", "backup"]).await.0, Some(0));
    let backup = gateway.folder().join("backup").display().to_string();
    // It has the master key, and an evidence key of its own that has signed nothing of this.
    let (foreign, other) = (started(&Engine::Sqlite).await, prepared(&Engine::Sqlite).await);
    for (from, key) in [(&gateway, "data/master.key"), (&foreign, "data/evidence.pem")] {
        fs::copy(from.folder().join(key), other.folder().join(key)).unwrap();
    }
    let refused = async |arguments: &[&str]| {
        let (code, _, said) = run(&other, arguments).await;
        assert!(code == Some(1) && said.contains("[backup.damaged]"), "{said}");
        assert!(!other.folder().join("data/amtsbote.db").exists());
    };
    let public = async |gateway: &Gateway, name: &str| {
        let key = gateway.command(&["evidence", "key"]).output().await.unwrap().stdout;
        fs::write(other.folder().join(name), key).unwrap();
    };
    refused(&["restore", &backup]).await;
    // Nor does a key count as older that somebody else has.
    let third = started(&Engine::Sqlite).await;
    public(&third, "older.pem").await;
    let own = "evidence_key = \"data/evidence.pem\"";
    let listed = format!("{own}\nolder_evidence_keys = [\"older.pem\"]");
    other.reconfigure(&[(own, &listed)]).unwrap();
    refused(&["restore", &backup]).await;
    refused(&["restore", &backup, "--key", "older.pem"]).await;

    public(&gateway, "older.pem").await;
    let (code, restored, said) = run(&other, &["restore", &backup, "--json"]).await;
    assert_eq!((code, &restored["ok"]), (Some(0), &json!(true)), "{restored} {said}");
    for gateway in [gateway, foreign, third, other] {
        gateway.remove().await.unwrap();
    }
}
