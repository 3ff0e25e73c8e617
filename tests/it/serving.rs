//! Starting and stopping, what keeps the gateway from starting, and the command line beside it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use reqwest::Client;

use crate::installation::{Installation, said};

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
