//! Starting and stopping, what keeps the gateway from starting, and the command line beside it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::installation::{Installation, on_free_ports, said};

async fn status(client: &Client, url: &str, token: &str) -> u16 {
    client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn it_answers_when_it_says_so_and_stops_when_told() {
    let installation = Installation::new();
    let client = Client::new();
    for signal in ["-TERM", "-INT"] {
        let running = installation.start();
        assert_eq!(status(&client, &format!("{}/health/live", running.operations), "").await, 200);
        assert_eq!(status(&client, &format!("{}/health/ready", running.operations), "").await, 200);
        assert_eq!(status(&client, &format!("{}/api/v1/messages", running.internal), "").await, 401);
        let (code, log) = running.stop(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped") && !log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn commands_work_beside_the_running_gateway_and_beside_each_other() {
    let installation = Installation::new();
    let running = installation.start();
    let secrets: Vec<String> = std::thread::scope(|scope| {
        let create = |number: usize| {
            let name = format!("System {number}");
            let rights = ["--role", "system", "--unit", "63", "--service", "*", "--tenant", "musterkreis"];
            let created =
                installation.json(&[&["token", "create", "--json", "--name", &name], &rights[..]].concat());
            created["secret"].as_str().unwrap().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || create(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let client = Client::new();
    let url = format!("{}/api/v1/messages", running.internal);
    for secret in &secrets {
        assert_eq!(status(&client, &url, secret).await, 200);
    }

    let list = installation.json(&["token", "list", "--tenant", "musterkreis", "--json"]);
    let tokens = list["items"].as_array().unwrap();
    assert_eq!(tokens.len(), secrets.len());
    let id = tokens[0]["id"].as_str().unwrap();
    installation.json(&["token", "revoke", id, "--tenant", "musterkreis", "--json"]);
    // The gateway remembers for a second whom it has recognised.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut refused = 0;
    while refused == 0 && Instant::now() < deadline {
        // Each request is a line in a log that nobody reads before the end: a pipe holds some hundred of them.
        tokio::time::sleep(Duration::from_millis(200)).await;
        for secret in &secrets {
            refused += usize::from(status(&client, &url, secret).await == 401);
        }
    }
    assert_eq!(refused, 1, "the revoked token is refused, and no other");
    assert_eq!(running.stop("-TERM").0, Some(0));
}

#[test]
fn an_address_that_is_taken_keeps_it_from_starting_and_from_the_store() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let installation = Installation::new();
    let address = format!("internal = \"{}\"", taken.local_addr().unwrap());
    installation.configure(|example| example.replace("internal = \"127.0.0.1:8080\"", &address));
    let output = installation.run(&["serve"]);
    assert_eq!(output.status.code(), Some(3));
    let said = said(&output);
    assert!(said.contains("[cli.address]") && said.contains("belegt") && said.contains("is taken"), "{said}");
    assert!(!installation.folder().join("data").exists());
}

#[test]
fn keys_that_are_missing_or_open_to_others_keep_it_from_starting() {
    let installation = Installation::new();
    installation.configure(|example| example.replace("create_keys = true", "create_keys = false"));
    for command in [&["serve"][..], &["config", "check"]] {
        let output = installation.run(command);
        assert_eq!(output.status.code(), Some(3));
        assert!(said(&output).contains("[key.file]"));
    }

    let installation = Installation::new();
    installation.json(&["token", "list", "--tenant", "musterkreis", "--json"]);
    let key = installation.folder().join("data/master.key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = installation.run(&["serve"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("[key.permissions]"));
}

#[test]
fn a_database_that_is_none_keeps_it_from_starting() {
    let installation = Installation::new();
    std::fs::create_dir(installation.folder().join("data")).unwrap();
    std::fs::write(
        installation.folder().join("data/amtsbote.db"),
        "no database at all, but long enough to look at",
    )
    .unwrap();
    let output = installation.run(&["serve"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("[store."), "{}", said(&output));
}

#[test]
fn the_ready_line_is_json_where_logs_are() {
    let installation = Installation::new();
    let json = |example: &str| {
        let example = example.replace(":8080\"", ":0\"").replace(":8081\"", ":0\"");
        example.replace("format = \"text\"", "format = \"json\"")
    };
    installation.configure(json);
    let (mut child, line) = installation.spawn();
    child.kill().unwrap();
    child.wait().unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["event"], "listening");
    assert!(ready["internal"].as_str().unwrap().starts_with("127.0.0.1:"));
}

/// Stands in whatever is sent: content, titles, names, names of files, what is asked for.
const WORD: &str = "Geheimstadt";

#[tokio::test]
async fn the_log_tells_of_requests_and_nothing_of_what_they_hold() {
    let installation = Installation::new();
    installation.configure(|example| {
        assert!(example.contains("level = \"info\""));
        on_free_ports(example).replace("level = \"info\"", "level = \"debug\"")
    });
    let running = installation.start();
    let name = ["token", "create", "--name", WORD, "--tenant", "musterkreis", "--json"];
    let rights = ["--role", "system", "--unit", "*", "--service", "*", "--authority", "bab:00000001"];
    let created = installation.json(&[&name[..], &rights].concat());
    let (token, id) = (created["secret"].as_str().unwrap(), created["id"].as_str().unwrap());
    let client = Client::new();
    let send = async |method: Method, path: &str, kind: &str, body: String| {
        let request = client.request(method, format!("{}/api/v1{path}", running.internal)).bearer_auth(token);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let made = async |path: &str, body: Value| {
        let (status, made) = send(Method::POST, path, "application/json", body.to_string()).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    };
    let case = json!({ "unit": "63", "title": format!("Bauantrag {WORD}") });
    let case = made("/cases", case).await;
    let document = made(&format!("/cases/{case}/documents"), json!({ "title": WORD })).await;
    let content = format!("/documents/{document}/content?fileName={WORD}.pdf");
    let bytes = format!("%PDF-1.7 {WORD}");
    assert_eq!(send(Method::PUT, &content, "application/octet-stream", bytes).await.0, 201);
    let message = format!("<{WORD} xmlns=\"urn:{WORD}\">{WORD}</{WORD}>");
    assert_eq!(send(Method::POST, "/messages", "application/xml", message).await.0, 202);
    // And in whatever is wrong.
    for (method, path, body) in [
        (Method::POST, "/cases".to_owned(), json!({ "unit": WORD, "title": WORD })),
        (Method::POST, "/cases".to_owned(), json!({ WORD: WORD })),
        (Method::GET, format!("/cases?{WORD}={WORD}"), json!(null)),
        (Method::GET, format!("/{WORD}/{WORD}"), json!(null)),
        (Method::GET, format!("/cases/{WORD}"), json!(null)),
    ] {
        let (status, problem) = send(method, &path, "application/json", body.to_string()).await;
        assert!((400..500).contains(&status), "{path}: {status} {problem}");
    }
    let (code, log) = running.stop("-TERM");
    assert_eq!(code, Some(0));
    for told in ["request", "/api/v1/documents/{id}/content", "201", id] {
        assert!(log.contains(told), "{told} is not told: {log}");
    }
    for hidden in [WORD, token, &case, &document] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{hidden}: {line:?}");
    }
}
