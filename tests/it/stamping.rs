//! The whole gateway with a real time stamp authority over HTTP, judged by plain openssl.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::installation::{Installation, on_free_ports};

const TENANT: [&str; 3] = ["--tenant", "musterkreis", "--json"];

/// The authority's process; ends with the test.
struct Authority {
    process: Child,
    url: String,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

fn start(scripts: &Path, folder: &Path) -> Authority {
    run("sh", &[scripts.join("tsa.sh").to_str().unwrap(), "init", "tsa"], folder);
    let (server, port) = (scripts.join("tsa_http.py"), conformance::gateway::free_port().to_string());
    let mut python = Command::new("python3");
    let python = python.arg(server).args(["tsa", &port]).current_dir(folder).stdout(Stdio::piped());
    let mut process = python.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("READY "), "{line}");
    Authority { process, url: format!("http://127.0.0.1:{port}/") }
}

#[tokio::test]
async fn a_real_authority_stamps_the_heads_and_plain_openssl_verifies_them() {
    let scripts: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/senders/tsa");
    if !scripts.exists() {
        return eprintln!("SKIPPED: ../shared is absent");
    }
    let installation = Installation::new();
    let folder = installation.folder();
    let id = a_case_file(&installation).await;
    let authority = start(&scripts, folder);
    installation.configure(|example| {
        let stamped = format!("[evidence]\ntsa_url = \"{}\"\ntsa_ca = \"tsa/ca.pem\"", authority.url);
        on_free_ports(example).replace("[evidence]", &stamped)
    });
    let running = installation.start();
    let check = || installation.json(&[&["evidence", "check"], &TENANT[..]].concat());
    while check()["stamps"] == 0 {}
    assert_eq!(check()["ok"], true);
    let metrics = reqwest::Client::new().get(format!("{}/metrics", running.operations));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("amtsbote_oldest_unstamped_timestamp_seconds 0\n"), "{metrics}");

    installation.json(&[&["evidence", "export", &id, "--output", "case.zip"], &TENANT[..]].concat());
    let verify = ["evidence", "verify", "case.zip", "--tsa-ca", "tsa/ca.pem", "--require-stamp", "--json"];
    let report = installation.json(&verify);
    assert_eq!((&report["stampsTrusted"], &report["unstampedEvents"]), (&json!(true), &json!(0)), "{report}");
    let [stamp] = &report["stamps"].as_array().unwrap()[..] else { panic!("one stamp covers all: {report}") };
    run("unzip", &["-q", "case.zip"], folder);
    let file = |ending: &str| format!("stamps/{}.{ending}", stamp["batch"]);
    run(
        "openssl",
        &["ts", "-verify", "-data", &file("head"), "-in", &file("tsr"), "-CAfile", "tsa/ca.pem"],
        folder,
    );
}

/// A case file that was made, and whose events were sealed, before anybody stamped.
async fn a_case_file(installation: &Installation) -> String {
    let role = ["--role", "system", "--unit", "*", "--service", "*", "--authority", "bab:00000001"];
    let token = installation.json(&[&["token", "create", "--name", "Portal"], &role[..], &TENANT].concat());
    let running = installation.start();
    let request = reqwest::Client::new().post(format!("{}/api/v1/case-files", running.internal));
    let request = request.bearer_auth(token["secret"].as_str().unwrap()).header("Idempotency-Key", "k");
    let answer = request.json(&json!({ "unit": "63", "title": "Akte" })).send().await.unwrap();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let (code, log) = running.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    body["id"].as_str().unwrap().to_owned()
}
