//! Clarifications over REST: what waits is explained, and repaired once.

use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway};

async fn parked(gateway: &Gateway, token: &str, xml: &str) -> String {
    let raw = Call::post("/messages").with("content-type", "application/xml").bytes(xml.to_owned());
    let id = gateway.call(token, raw).await.is(202).json()["id"].as_str().unwrap().to_owned();
    let note = json!({ "note": "Rückfrage beim Absender" });
    gateway.call(token, Call::post(&format!("/messages/{id}/park")).json(note)).await.is(200);
    id
}

#[tokio::test]
async fn what_waits_is_listed_counted_and_explained() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let id = parked(&gateway, &token, "<a/>").await;
    let list = async |query: &str| -> Vec<Value> {
        let path = format!("/clarifications{query}");
        gateway.call(&token, Call::get(&path)).await.is(200).json()["items"].as_array().unwrap().clone()
    };
    assert_eq!(list("").await.len(), 1);
    for (query, count) in [
        ("?rule=message.parked-by-hand", 1),
        ("?rule=message.unknown", 0),
        ("?side=us&unit=63", 1),
        ("?side=sender", 0),
        ("?unit=70", 0),
        ("?partner=bab:1", 0),
        ("?limit=1", 1),
    ] {
        assert_eq!(list(query).await.len(), count, "{query}");
    }
    let refused = gateway.call(&token, Call::get("/clarifications?side=nobody")).await.is(400);
    assert_eq!(refused.code(), "api.invalid-query");

    let one = gateway.call(&token, Call::get(&format!("/clarifications/{id}"))).await.is(200).json();
    assert_eq!((&one["id"], &one["rule"]), (&json!(id), &json!("message.parked-by-hand")));
    assert_eq!((&one["side"], &one["partner"]["kind"]), (&json!("us"), &json!("system")));
    assert_eq!(one["partner"]["direction"], "in");
    assert_eq!(one["actions"], json!(["resend", "repair", "return", "forward"]));
    assert_eq!(one["attempts"][0]["kind"], "message.parked");
    assert_eq!(one["attempts"][0]["note"], "Rückfrage beim Absender");
    for text in ["en", "de", "since", "task"] {
        assert!(one[text].is_string(), "{text}: {one}");
    }
    let summary = gateway.call(&token, Call::get("/clarifications/summary")).await.is(200).json();
    assert_eq!((summary["items"].as_array().unwrap().len(), &summary["items"][0]["count"]), (1, &json!(1)));
    let task = gateway.call(&token, Call::get(&format!("/tasks/{}", one["task"].as_str().unwrap()))).await;
    assert_eq!(task.is(200).json()["kind"], "clarification");
}

#[tokio::test]
async fn a_repair_is_carried_out_once_and_told_with_both_digests() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let id = parked(&gateway, &token, "<a>").await;
    let mend = |bytes: &'static str| {
        Call::post(&format!("/messages/{id}/repair?note=Endtag%20erg%C3%A4nzt"))
            .with("content-type", "application/xml")
            .with("idempotency-key", "mend")
            .bytes(bytes)
    };
    let first = gateway.call(&token, mend("<a></a>")).await.is(200);
    let again = gateway.call(&token, mend("<a></a>")).await.is(200);
    assert_eq!((first.body == again.body, again.header("idempotency-replayed")), (true, "true"));
    assert_eq!(gateway.call(&token, mend("<b/>")).await.is(422).code(), "broker.key-reused");
    let timeline = gateway.call(&token, Call::get(&format!("/messages/{id}/timeline"))).await.is(200).json();
    let events = timeline["items"].as_array().unwrap();
    let repaired: Vec<&Value> = events
        .iter()
        .map(|item| &item["event"])
        .filter(|event| event["kind"] == "message.repaired")
        .collect();
    assert_eq!(repaired.len(), 1);
    assert_eq!(repaired[0]["payloads"].as_array().unwrap().len(), 2);
    assert!(repaired[0]["detail"]["digests"]["before"].is_string());
    gateway.call(&token, Call::get(&format!("/clarifications/{id}"))).await.is(404);
    let wrong = Call::post(&format!("/messages/{id}/repair")).with("content-type", "text/csv").bytes("a");
    assert_eq!(gateway.call(&token, wrong).await.is(415).code(), "api.media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_tried_again_by_one_request_whose_progress_is_seen() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    for number in 0..12 {
        parked(&gateway, &token, &format!("<a n='{number}'/>")).await;
    }
    let all = json!({ "rule": "message.parked-by-hand", "dryRun": true });
    let counted = gateway.call(&token, Call::post("/messages/resend").json(all)).await.is(202).json();
    assert_eq!((&counted["matched"], &counted["state"]), (&json!(12), &json!("dryRun")));
    let start = || {
        let all = json!({ "rule": "message.parked-by-hand", "note": "nach dem Ausfall" });
        Call::post("/messages/resend").with("idempotency-key", "all").json(all)
    };
    let started = gateway.call(&token, start()).await.is(202);
    assert_eq!(gateway.call(&token, start()).await.is(202).body, started.body);
    let path = started.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    let workers = gateway.work().await;
    let done = gateway.until(&token, &path, |operation| operation["state"] != "running").await;
    assert_eq!((&done["state"], &done["resent"], &done["passed"]), (&json!("done"), &json!(12), &json!(0)));
    let returned = |list: &Value| list["items"].as_array().unwrap().len() == 12;
    gateway.until(&token, "/messages?state=returned", returned).await;
    workers.stop().await;
}

#[tokio::test]
async fn notes_and_targets_are_checked() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let id = parked(&gateway, &token, "<a/>").await;
    let post = |act: &str, body: Value| Call::post(&format!("/messages/{id}/{act}")).json(body);
    let long = json!({ "note": "ü".repeat(501) });
    assert_eq!(gateway.call(&token, post("resend", long)).await.is(400).code(), "model.invalid");
    let unknown = json!({ "reason": "x" });
    assert_eq!(gateway.call(&token, post("return", unknown)).await.is(400).code(), "api.invalid-body");
    let own = json!({ "to": "bab:05974000" });
    assert_eq!(gateway.call(&token, post("forward", own)).await.is(422).code(), "broker.forward-loop");
    let nowhere = json!({ "to": "bab:1" });
    assert_eq!(
        gateway.call(&token, post("forward", nowhere)).await.is(422).code(),
        "broker.unknown-authority"
    );
    let there = json!({ "to": "bab:05974028", "note": "unzuständig" });
    let left = gateway.call(&token, post("forward", there)).await.is(200).json();
    assert_eq!((&left["state"], &left["forwarding"]["to"]), (&json!("confirmed"), &json!("bab:05974028")));
    let other = gateway.token("lippstadt", "*", "*", ALL_ROLES).await;
    let copies = gateway.call(&other, Call::get("/messages")).await.is(200).json();
    assert_eq!(copies["items"][0]["forwarding"]["from"], json!(["bab:05974000"]));
    assert!(!copies.to_string().contains("unzuständig"));
}
