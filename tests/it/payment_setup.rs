//! Payments as an operator sets them up: what the commands say of it, and what the public listener has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::installation::{Installation, json, on_free_ports, said};

const PAYMENTS: &str = r#"
[payments]
public_url = "http://127.0.0.1:8444"

[[payment_provider]]
id = "giro"
girocheckout = { url = "http://127.0.0.1:1/api", merchant = "1", project = "2", password = "file:giro.secret" }

[[payment_account]]
id = "gebuehren"
tenant = "musterkreis"
provider = "giro"
registers = "gateway"
numbering = { prefix = "42", digits = 10 }
"#;

fn with_payments() -> Installation {
    let installation = Installation::new();
    installation.configure(|example| {
        on_free_ports(example).replace("# public = \"127.0.0.1:8444\"", "public = \"127.0.0.1:0\"") + PAYMENTS
    });
    installation
}

fn keep_secret(installation: &Installation, mode: u32) {
    let file = installation.folder().join("giro.secret");
    std::fs::write(&file, "geheimes-Kennwort\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_that_is_missing_or_open_to_others_is_found_before_the_start() {
    let installation = with_payments();
    let code = || {
        let output = installation.run(&["config", "check", "--json"]);
        assert!(!output.status.success());
        assert!(said(&output).contains("payment_provider[0].girocheckout.password"), "{}", said(&output));
        said(&output)
    };
    assert!(code().contains("config.secret-missing"));
    keep_secret(&installation, 0o644);
    assert!(code().contains("config.secret-permissions"));
    keep_secret(&installation, 0o600);
    assert_eq!(installation.json(&["config", "check", "--json"])["valid"], true);
}

#[test]
fn providers_stand_beside_adapters_and_are_tried_by_their_check() {
    let installation = with_payments();
    keep_secret(&installation, 0o600);
    let list = installation.json(&["adapter", "list", "--json"]);
    let provider = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == "giro").unwrap()
    };
    assert_eq!(provider(&list)["channel"], "girocheckout");
    let output = installation.run(&["adapter", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "nobody listens there");
    assert_eq!(provider(&json(&output))["ok"], false);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("Kennwort"));
}

#[test]
fn the_public_listener_has_nothing_but_the_doors_for_payments() {
    let installation = with_payments();
    keep_secret(&installation, 0o600);
    let (mut child, line) = installation.spawn();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("public=")).unwrap().to_owned();
    let status = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for path in ["/api/v1/claims", "/metrics", "/health/live", "/osci", "/xta/v3/send", "/"] {
        assert_eq!(status(path), "404", "{path}");
    }
    assert_eq!(status("/payments/giro/notify/AAAAAAAAAAAAAAAAAAAAAA"), "400", "nobody knows this token");
    child.kill().unwrap();
    child.wait().unwrap();
}
