//! Dispatches over REST: notices, steps with a proof, and what is deemed.

use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway};

struct Office {
    gateway: Gateway,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let gateway = Gateway::start().await;
        let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
        Office { gateway, token }
    }

    async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        self.gateway.call(&self.token, Call::post(path).json(body.clone())).await.is(status).json()
    }

    async fn made(&self, path: &str, body: &Value) -> String {
        self.post(path, body, 201).await["id"].as_str().unwrap().to_owned()
    }

    async fn case(&self) -> String {
        self.made("/cases", &json!({ "unit": "63", "title": "Bauantrag" })).await
    }
}

#[tokio::test]
async fn a_step_is_told_with_its_proof_and_what_is_deemed_is_shown_and_not_kept() {
    let office = Office::open().await;
    let case = office.case().await;
    let sent = json!({ "case": case, "kind": "disclosure", "documents": [] });
    let id = office.made("/dispatches", &sent).await;
    let path = format!("/dispatches/{id}");
    let read = async || office.gateway.call(&office.token, Call::get(&path)).await.is(200).json();
    assert_eq!(read().await["deemed"], Value::Null);

    let proof = json!({ "kind": "posted", "at": "2025-01-02T10:00:00Z", "proof": "registeredMail" });
    let steps = format!("{path}/steps");
    let told = office.post(&steps, &proof, 200).await;
    assert_eq!((&told["status"], &told["proofs"][0]["kind"]), (&json!("posted"), &json!("registeredMail")));
    assert_eq!(told["deemed"], Value::Null, "it is no part of the record");
    let again = office.gateway.call(&office.token, Call::post(&steps).json(proof)).await;
    assert_eq!(again.is(409).json()["code"], "model.exists");

    let shown = read().await;
    assert_eq!(shown["deemed"]["date"], "2025-01-06");
    assert_eq!(shown["deemed"]["rule"], "§ 41 Abs. 2 VwVfG");
    assert_eq!(shown["deemed"]["because"]["day"], "2025-01-02");
    let timeline = office.gateway.call(&office.token, Call::get(&format!("{path}/timeline"))).await.is(200);
    let events = timeline.json();
    let changed = &events["items"][1]["event"];
    assert_eq!(changed["changes"]["proofs"][0]["step"]["kind"], "posted");
    assert!(changed["changes"].get("deemed").is_none());

    let tomorrow = json!({ "kind": "provided", "at": "2999-01-01T00:00:00Z", "proof": "postalRecord" });
    assert_eq!(office.post(&steps, &tomorrow, 400).await["code"], "model.invalid");
}

#[tokio::test]
async fn only_a_notification_says_something_by_itself() {
    let office = Office::open().await;
    let case = office.case().await;
    let notice = json!({ "subject": "Neues", "text": "Es gibt Neues." });
    let of = |kind: &str, more: Value| {
        let mut body = json!({ "case": case, "kind": kind, "documents": [], "notice": notice });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let wanted = json!({ "way": "call", "otherwise": ["push"], "notBefore": "2999-01-01T09:00:00Z",
        "to": { "phone": "+492921300" } });
    let id = office.made("/dispatches", &of("notification", wanted)).await;
    let tasks = office.gateway.call(&office.token, Call::get("/tasks?status=open")).await.is(200).json();
    assert_eq!(tasks["items"][0]["kind"], "call", "{tasks}");
    assert!(!tasks.to_string().contains(&id), "the task names the case");
    for (body, status, code) in [
        (of("disclosure", json!({})), 400, "model.invalid"),
        (of("formalService", json!({})), 400, "model.invalid"),
        (of("notification", json!({ "otherwise": ["mail"] })), 400, "model.invalid"),
        (of("notification", json!({ "way": "print" })), 422, "broker.no-letter"),
        (of("notification", json!({ "way": "fax" })), 422, "broker.unknown-way"),
    ] {
        assert_eq!(office.post("/dispatches", &body, status).await["code"], code, "{body}");
    }
}
