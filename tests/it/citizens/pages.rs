//! The citizens' pages as an operator sets them up: turned on by the configuration, at the public listener and nowhere else. That they
//! work in a browser is tested where they are made (`src/api/tests`).

use std::process::Child;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::installation::{Installation, on_free_ports, said};

const CITIZEN: &str = r#"
[citizen]
url = "http://127.0.0.1:8444"
office = "Kreis Musterkreis"
imprint = "https://www.kreis.example/impressum"
privacy = "https://www.kreis.example/datenschutz"
feedback_email = "barrierefrei@kreis.example"
arbitration = "Ombudsstelle"
arbitration_url = "https://ombudsstelle.example"
statement_made = "2026-11-30"
ways = ["portal"]

[[citizen.service]]
id = "baugenehmigung"
name = "Baugenehmigung"
minimum_level = "substantial"
"#;

fn installation(section: &str) -> Installation {
    let installation = Installation::new();
    installation.configure(|example| {
        on_free_ports(example).replace("# public = \"127.0.0.1:8444\"", "public = \"127.0.0.1:0\"") + section
    });
    installation
}

/// A gateway that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address(line: &str, name: &str) -> String {
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
    format!("http://{}", found.unwrap_or_else(|| panic!("not ready: {line}")))
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    for (from, to, key) in [
        ("http://127.0.0.1:8444", "http://buerger.example", "citizen.url"),
        ("https://www.kreis.example/impressum", "http://www.kreis.example/", "citizen.imprint"),
        ("barrierefrei@kreis.example", "barrierefrei", "citizen.feedback_email"),
        ("2026-11-30", "gestern", "citizen.statement_made"),
        ("[\"portal\"]", "[\"brieftaube\"]", "citizen.ways[0]"),
        ("id = \"baugenehmigung\"", "id = \"a b\"", "citizen.service[0].id"),
    ] {
        let output = installation(&CITIZEN.replace(from, to)).run(&["config", "check", "--json"]);
        assert!(!output.status.success() && said(&output).contains(key), "{key}: {}", said(&output));
    }
    let valid = installation(CITIZEN).json(&["config", "check", "--json"]);
    assert_eq!(valid["valid"], true);
}

#[tokio::test]
async fn an_applicant_sees_how_the_application_stands() {
    let installation = installation(CITIZEN);
    let (child, line) = installation.spawn();
    let _serving = Serving(child);
    let (internal, public) = (address(&line, "internal="), address(&line, "public="));
    let rights = ["--role", "system", "--unit", "*", "--service", "*", "--tenant", "musterkreis"];
    let authority = ["--authority", "bab:00000001", "--json", "--name", "Portal"];
    let created = installation.json(&[&["token", "create"], &rights[..], &authority[..]].concat());
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let application = json!({ "publicService": "baugenehmigung", "title": "Carport Musterweg", "applicant": {} });
    let answer: Value = client
        .post(format!("{internal}/api/v1/applications"))
        .bearer_auth(created["secret"].as_str().unwrap())
        .header("idempotency-key", "1")
        .json(&application)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let known = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    assert_eq!(known("statusUrl"), "http://127.0.0.1:8444/citizen/");
    let enter = async |secret: String| -> Response {
        let body = format!("number={}&secret={secret}", known("number"));
        let kind = "application/x-www-form-urlencoded";
        let post = client.post(format!("{public}/citizen/login")).header("content-type", kind).body(body);
        post.send().await.unwrap()
    };
    assert_eq!(enter("x".to_owned()).await.status(), 403);
    let entered = enter(known("secret")).await;
    assert_eq!(entered.status(), 303);
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = client.get(format!("{public}/citizen/case")).header("cookie", cookie).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("Baugenehmigung") && !html.contains("Carport"), "{html}");
    for elsewhere in [format!("{internal}/citizen/"), format!("{public}/api/v1/applications")] {
        assert_eq!(client.get(elsewhere).send().await.unwrap().status(), 404);
    }
}
