//! SIGHUP with another configuration, SIGTERM with time to drain, and what systemd hears of both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use conformance::gateway::{COUNTY, Engine, Rights, free_port};
use reqwest::{Certificate, Client};
use seal::sha256;
use serde_json::{Value, json};

use super::{case, prepared, run, signal, token};

/// A key pair of its own for `localhost`; returns the certificate.
fn show(folder: &Path, name: &str) -> Certificate {
    let (key, certificate) = (folder.join("made.key"), folder.join(format!("{name}.pem")));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success());
    let both = [fs::read(&key).unwrap(), fs::read(&certificate).unwrap()].concat();
    fs::write(folder.join("tls.pem"), both).unwrap();
    fs::set_permissions(folder.join("tls.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    Certificate::from_pem(&fs::read(certificate).unwrap()).unwrap()
}

/// Trusts one certificate alone.
fn client(certificate: &Certificate) -> Client {
    Client::builder().tls_certs_only([certificate.clone()]).build().unwrap()
}

/// How a request is answered. What is not read to its end would end the connection.
async fn asked(client: &Client, url: &str) -> Option<u16> {
    let answer = client.get(url).send().await.ok()?;
    let status = answer.status().as_u16();
    answer.bytes().await.unwrap();
    Some(status)
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 1_000];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_counts_at_once_and_a_wrong_one_never() {
    let mut gateway = prepared(&Engine::Sqlite).await;
    let folder = gateway.folder().to_owned();
    let listener = UnixDatagram::bind(folder.join("notify")).unwrap();
    listener.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let place = format!("NOTIFY_SOCKET={}", folder.join("notify").display());
    gateway.wrapped(&["env", &place]);
    let first = show(&folder, "first");
    let port = free_port();
    let machines = format!("operations = \"127.0.0.1:0\"\nmachines = \"127.0.0.1:{port}\"");
    gateway.reconfigure(&[("operations = \"127.0.0.1:0\"", &machines)]).unwrap();
    gateway.configure("[tls]\nidentity = { key = \"file:tls.pem\" }").unwrap();
    gateway.start().await.unwrap();
    assert_eq!(heard(&listener), "READY=1");
    let url = format!("https://localhost:{port}/");
    let open = client(&first);
    assert_eq!(asked(&open, &url).await, Some(404));
    let token = token(&gateway).await;
    let api = gateway.client(&token).unwrap();
    let waste = json!({ "unit": "81", "title": "Container" });
    assert!(api.post("/cases", "waste", &waste).await.unwrap().expect("case", &[201]).is_err());

    // A new certificate, and a new unit.
    let second = show(&folder, "second");
    let unit = "  [[tenant.unit]]\n  id = \"70\"";
    gateway
        .reconfigure(&[(unit, &format!("  [[tenant.unit]]\n  id = \"81\"\n  name = \"Bauhof\"\n{unit}"))])
        .unwrap();
    signal(&gateway, "-HUP");
    assert_eq!((heard(&listener).as_str(), heard(&listener).as_str()), ("RELOADING=1", "READY=1"));
    assert_eq!(asked(&client(&second), &url).await, Some(404), "a new connection sees it");
    assert_eq!(asked(&client(&first), &url).await, None, "and no other");
    assert_eq!(asked(&open, &url).await, Some(404), "an open one goes on");
    api.post("/cases", "waste-again", &waste).await.unwrap().expect("case", &[201]).unwrap();

    // A file that is wrong.
    gateway.reconfigure(&[("level = \"warn\"", "level = \"warn\"\nlevle = \"debug\"")]).unwrap();
    signal(&gateway, "-HUP");
    assert_eq!((heard(&listener).as_str(), heard(&listener).as_str()), ("RELOADING=1", "READY=1"));
    let log = fs::read_to_string(folder.join("gateway.log")).unwrap();
    assert!(log.contains("log.levle") && log.contains("was not read anew"), "{log}");
    assert_eq!(asked(&client(&second), &url).await, Some(404));
    case(&api, "afterwards").await;
    // What belongs to the process.
    gateway.reconfigure(&[("\nlevle = \"debug\"", ""), ("node = \"gw1\"", "node = \"gw2\"")]).unwrap();
    signal(&gateway, "-HUP");
    assert_eq!((heard(&listener).as_str(), heard(&listener).as_str()), ("RELOADING=1", "READY=1"));
    let log = fs::read_to_string(folder.join("gateway.log")).unwrap();
    assert!(log.contains("counts after a restart") && log.contains("\"node\""), "{log}");
    case(&api, "on-gw1").await;

    signal(&gateway, "-TERM");
    assert_eq!(heard(&listener), "STOPPING=1");
    assert!(gateway.ended().await.unwrap().unwrap().success());
    gateway.remove().await.unwrap();
}

/// What events of a kind tell, once there are so many.
async fn told(api: &conformance::client::Client, kind: &str, count: usize) -> Vec<Value> {
    loop {
        let all = api.events(0).await.unwrap().into_iter().map(|(_, event)| event);
        let told: Vec<Value> =
            all.filter(|event| event["kind"] == kind).map(|it| it["detail"].clone()).collect();
        if told.len() >= count {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_in_configuration_and_schema_packs_is_on_record_once() {
    let mut gateway = prepared(&Engine::Sqlite).await;
    let folder = gateway.folder().to_owned();
    let listener = UnixDatagram::bind(folder.join("notify")).unwrap();
    listener.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let place = format!("NOTIFY_SOCKET={}", folder.join("notify").display());
    gateway.wrapped(&["env", &place]);
    let digest = |name: &str| sha256(&[fs::read(folder.join(name)).unwrap().as_slice()]).to_string();
    let first = digest("amtsbote.toml");
    gateway.start().await.unwrap();
    assert_eq!(heard(&listener), "READY=1");
    let rights = Rights { tenant: COUNTY, roles: &["auditor"], unit: "*", service: "*", authority: None };
    let token = gateway.token("Revision", rights).await.unwrap();

    gateway.reconfigure(&[("level = \"warn\"", "level = \"error\""), ("node =", "# kept\nnode =")]).unwrap();
    let second = digest("amtsbote.toml");
    signal(&gateway, "-HUP");
    assert_eq!((heard(&listener).as_str(), heard(&listener).as_str()), ("RELOADING=1", "READY=1"));
    let changed = [
        json!({ "node": "gw1", "from": null, "to": first, "keys": [] }),
        json!({ "node": "gw1", "from": first, "to": second, "keys": ["log.level"] }),
    ];
    assert_eq!(told(&gateway.client(&token).unwrap(), "configuration.changed", 2).await, changed);

    let schema = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:x'>\
                  <xs:element name='a'/></xs:schema>";
    fs::write(folder.join("extra.xsd"), schema).unwrap();
    let (code, added, said) = run(&gateway, &["schema", "add", "extra.xsd", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    signal(&gateway, "-HUP");
    assert_eq!((heard(&listener).as_str(), heard(&listener).as_str()), ("RELOADING=1", "READY=1"));
    let line = format!("{}  extra.xsd\n", digest("extra.xsd"));
    let sha256 = sha256(&[line.as_bytes()]).to_string();
    let pack = json!({ "pack": added["name"], "namespaces": ["urn:x"], "sha256": sha256 });
    let came = json!({ "node": "gw1", "added": [pack], "removed": [], "precedence": [added["name"]] });

    // A restart with the same makes no other.
    gateway.kill().await.unwrap();
    gateway.start().await.unwrap();
    let api = gateway.client(&token).unwrap();
    assert_eq!(told(&api, "schemas.changed", 1).await, [came]);
    assert_eq!(told(&api, "configuration.changed", 2).await, changed);
    gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_going_to_stop_says_so_and_answers_meanwhile() {
    let mut gateway = prepared(&Engine::Sqlite).await;
    let drain = "operations = \"127.0.0.1:0\"\ndrain_seconds = 60";
    gateway.reconfigure(&[("operations = \"127.0.0.1:0\"", drain)]).unwrap();
    gateway.start().await.unwrap();
    let token = token(&gateway).await;
    let api = gateway.client(&token).unwrap();
    signal(&gateway, "-TERM");
    let ready = format!("{}/health/ready", gateway.operations());
    let said = loop {
        let said = Client::new().get(&ready).send().await.unwrap();
        if said.status() == 503 {
            break said.json::<serde_json::Value>().await.unwrap();
        }
    };
    assert_eq!(said, json!({ "ready": false, "code": "draining" }));
    case(&api, "meanwhile").await;
    // Whoever asks twice does not want to wait.
    signal(&gateway, "-TERM");
    assert!(gateway.ended().await.unwrap().unwrap().success());
    gateway.remove().await.unwrap();
}
