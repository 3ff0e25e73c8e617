//! The life of a case by REST alone: created, filled, handed over, imported, confirmed, locked, proved.

use serde_json::json;

use crate::gateway::{ALL_ROLES, Call, Gateway};

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_goes_to_another_authority_and_is_locked_once_it_is_imported_there() {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let here = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "63", "*", ALL_ROLES).await;

    let new = json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Neubau eines Carports" });
    let file = gateway.call(&here, Call::post("/case-files").json(new)).await.is(201);
    assert_eq!(file.header("etag"), "\"1\"");
    let file = file.json();
    let id = file["id"].as_str().unwrap();
    let case = json!({ "caseFile": id, "title": "Bauantrag" });
    let case = gateway.call(&here, Call::post("/cases").json(case)).await.is(201).json();
    assert_eq!((&case["unit"], &case["root"]), (&json!("63"), &file["id"]), "taken from the case file");
    let documents = format!("/cases/{}/documents", case["id"].as_str().unwrap());
    let document =
        gateway.call(&here, Call::post(&documents).json(json!({ "title": "Lageplan" }))).await.is(201);
    let document = document.json();
    let content = format!("/documents/{}/content?fileName=Lageplan.pdf", document["id"].as_str().unwrap());
    let upload =
        || Call::new("PUT", &content).with("content-type", "application/pdf").bytes(&b"%PDF-1.7 x"[..]);
    gateway.call(&here, upload()).await.is(201);
    gateway.call(&here, upload()).await.is(200);
    let listed = gateway.call(&here, Call::get(&documents)).await.is(200).json();
    assert_eq!(listed["items"][0]["versions"][0]["files"][0]["name"], "Lageplan.pdf");
    let reference = json!({ "recordReference": "63-00017-26" });
    let path = format!("/case-files/{id}/record-reference");
    gateway.call(&here, Call::post(&path).json(reference)).await.is(200);

    let exchange = json!({ "kind": "handover", "to": "bab:05974028", "objects": [id] });
    let exchange = gateway.call(&here, Call::post("/exchanges").json(exchange)).await.is(202);
    let exchange = exchange.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    gateway.until(&here, &exchange, |exchange| exchange["status"] == "received").await;
    let lock = || {
        let exchange = exchange.rsplit('/').next().unwrap();
        Call::post(&format!("/case-files/{id}/lock")).json(json!({ "exchange": exchange }))
    };
    let early = gateway.call(&here, lock()).await.is(409);
    assert_eq!(early.code(), "model.not-confirmed");

    let lease = json!({ "seconds": 60, "limit": 1 });
    let leased = gateway.call(&there, Call::post("/inbox/leases").json(lease)).await.is(200).json();
    let entry = &leased["items"][0];
    assert_eq!(
        (&entry["state"], &entry["message"]["identity"]["type"]),
        (&json!("handedOut"), &json!("0401"))
    );
    let message = format!("/messages/{}/content", entry["message"]["id"].as_str().unwrap());
    let zip = gateway.call(&there, Call::get(&message)).await.is(200);
    assert_eq!(zip.header("content-type"), "application/zip");
    assert!(zip.body.starts_with(b"PK"));
    let confirm = format!("/inbox/{}/confirm", entry["id"].as_str().unwrap());
    for _ in 0..2 {
        gateway.call(&there, Call::post(&confirm)).await.is(200);
    }

    let received = format!("/exchanges/{}", entry["exchange"].as_str().unwrap());
    let objects = gateway.call(&there, Call::get(&received)).await.is(200).json()["objects"].clone();
    let result =
        json!({ "objectId": objects[0]["objectId"], "successful": true, "recordReference": "L-4711" });
    let results = Call::post(&format!("{received}/import-results")).json(json!({ "results": [result] }));
    gateway.call(&there, results).await.is(200);
    gateway.until(&here, &exchange, |exchange| exchange["status"] == "confirmed").await;
    let locked = gateway.call(&here, lock()).await.is(200).json();
    assert_eq!(locked["status"], "locked");
    let late = Call::new("PATCH", &format!("/cases/{}", case["id"].as_str().unwrap()))
        .with("if-match", "*")
        .json(json!({ "title": "Zu spät" }));
    assert_eq!(gateway.call(&here, late).await.is(409).code(), "model.locked");

    let timeline = gateway.call(&here, Call::get(&format!("/case-files/{id}/timeline"))).await.is(200).json();
    let kinds: Vec<&str> =
        timeline["items"].as_array().unwrap().iter().map(|e| e["event"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["record.created", "record.reference-assigned", "record.locked"]);
    let bundle = gateway.call(&here, Call::get(&format!("/evidence/{id}?content=true"))).await.is(200);
    assert!(bundle.body.starts_with(b"PK"), "a ZIP file");
    let events = gateway.call(&here, Call::get("/events?after=0&limit=200&wait=5")).await.is(200).json();
    assert_eq!(events["last"], events["items"].as_array().unwrap().last().unwrap()["number"]);
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_message_is_taken_in_and_comes_back_with_its_findings() {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let broken = || Call::post("/messages").with("content-type", "application/xml").bytes("<a><b></a>");
    let taken = gateway.call(&token, broken()).await.is(202);
    let path = taken.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    let returned = gateway.until(&token, &path, |message| message["state"] == "returned").await;
    let finding = &returned["report"]["findings"][0];
    assert!(finding["en"].is_string() && finding["de"].is_string(), "{returned}");
    let content = gateway.call(&token, Call::get(&format!("{path}/content"))).await.is(409);
    assert_eq!(content.code(), "broker.content-unavailable");

    let check = Call::post("/checks").with("content-type", "application/xml").bytes("<a><b></a>");
    let checked = gateway.call(&token, check).await.is(200).json();
    assert_eq!(checked["acceptable"], false);
    assert_eq!(checked["findings"], returned["report"]["findings"], "the same report as on the real path");
    workers.stop().await;
}

#[tokio::test]
async fn units_work_together_by_tasks() {
    let gateway = Gateway::start().await;
    let asking = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let asked = gateway.token("soest", "70", "*", ALL_ROLES).await;
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    let case = gateway.call(&asking, Call::post("/cases").json(case)).await.is(201).json();
    let path = format!("/cases/{}", case["id"].as_str().unwrap());
    gateway.call(&asked, Call::get(&path)).await.is(404);

    let task = json!({ "unit": "70", "title": "Stellungnahme", "kind": "hearing", "case": case["id"] });
    let task = gateway.call(&asking, Call::post("/tasks").json(task)).await.is(201).json();
    assert_eq!(task["requestedBy"], "63");
    gateway.call(&asked, Call::get(&path)).await.is(200);
    let listed = gateway.call(&asked, Call::get("/tasks?status=open")).await.is(200).json();
    assert_eq!(listed["items"][0]["id"], task["id"]);
    let path_of = |step: &str| format!("/tasks/{}/{step}", task["id"].as_str().unwrap());
    let assign = Call::post(&path_of("assign")).json(json!({ "assignee": "platz-4" }));
    gateway.call(&asked, assign).await.is(200);
    let complete = Call::post(&path_of("complete")).json(json!({ "result": "Keine Bedenken" }));
    let done = gateway.call(&asked, complete).await.is(200).json();
    assert_eq!((&done["status"], &done["result"]), (&json!("done"), &json!("Keine Bedenken")));
    gateway.call(&asked, Call::get(&path)).await.is(404);
    let read =
        gateway.call(&asking, Call::get(&format!("/tasks/{}", task["id"].as_str().unwrap()))).await.is(200);
    assert_eq!(read.json()["result"], "Keine Bedenken");
}

#[tokio::test]
async fn an_operator_sees_that_something_changed_and_never_what() {
    let gateway = Gateway::start().await;
    let system = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let operator = gateway.token("soest", "*", "*", &[model::Role::Operator]).await;
    let workers = gateway.work().await;
    let case = json!({ "unit": "63", "title": "Geheimes Vorhaben" });
    gateway.call(&system, Call::post("/cases").json(case)).await.is(201);
    let created = |events: &serde_json::Value| {
        events["items"].as_array().unwrap().iter().any(|item| item["event"]["kind"] == "record.created")
    };
    let seen = gateway.until(&operator, "/events?limit=200", created).await.to_string();
    assert!(!seen.contains("Vorhaben"), "{seen}");
    let seen = gateway.until(&system, "/events?limit=200", created).await.to_string();
    assert!(seen.contains("Vorhaben"));
    workers.stop().await;
}
