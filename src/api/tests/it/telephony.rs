//! Who calls, calls that are noted, wanted and forwarded.

use model::Role;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway};

const NUMBER: &str = "+492921300";

fn noted(reference: &str) -> Value {
    json!({ "unit": "63", "reference": reference, "direction": "incoming", "number": "02921 / 300",
        "state": "ended", "at": "2026-11-30T09:00:00Z", "waitSeconds": 4, "durationSeconds": 61 })
}

fn look_up(number: &str) -> Call {
    Call::post("/telephony/look-ups").json(json!({ "number": number }))
}

#[tokio::test]
async fn a_number_is_looked_up_within_the_rights_of_whoever_asks() {
    let gateway = Gateway::start().await;
    let own = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let phone = |number: &str| json!([{ "channel": "phone", "value": number }]);
    let party =
        |name: &str, number: &str| json!({ "person": { "familyName": name }, "contacts": phone(number) });
    let parties = [party("Mustermann", "02921-300"), party("Andere", "02921-301")];
    let case = json!({ "unit": "63", "title": "Bauantrag", "parties": parties });
    gateway.call(&own, Call::post("/cases").json(case)).await.is(201);
    gateway.call(&own, Call::post("/telephony/calls").json(noted("c-1"))).await.is(201);

    let known = gateway.call(&own, look_up("0049 2921 300")).await.is(200).json();
    assert_eq!(known["number"], json!(NUMBER));
    assert_eq!(
        (&known["cases"][0]["title"], &known["cases"][0]["parties"]),
        (&json!("Bauantrag"), &json!(["Mustermann"]))
    );
    assert_eq!(known["calls"][0]["call"]["durationSeconds"], json!(61));

    let nothing = json!({ "number": NUMBER, "cases": [], "calls": [] });
    for (tenant, unit, service) in [("soest", "70", "*"), ("lippstadt", "63", "*"), ("soest", "63", "abfall")]
    {
        let other = gateway.token(tenant, unit, service, ALL_ROLES).await;
        assert_eq!(
            gateway.call(&other, look_up(NUMBER)).await.is(200).json(),
            nothing,
            "{tenant} {unit} {service}"
        );
    }
    assert_eq!(gateway.call(&own, look_up("+492921999")).await.is(200).json()["cases"], json!([]));
    for none in ["anonymous", "", "300", "1' OR '1'='1"] {
        gateway.call(&own, look_up(none)).await.is(400);
    }
    let admin = gateway.token("soest", "63", "*", &[Role::Admin]).await;
    gateway.call(&admin, look_up(NUMBER)).await.is(403);
}

#[tokio::test]
async fn a_call_that_a_telephone_system_notes_twice_is_one_contact() {
    let gateway = Gateway::start().await;
    let own = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let note = |body: Value| Call::post("/telephony/calls").json(body);
    let first = gateway.call(&own, note(noted("c-1"))).await.is(201);
    let again = gateway.call(&own, note(noted("c-1"))).await.is(201);
    assert_eq!(first.body, again.body);
    gateway.call(&own, note(noted("c-2"))).await.is(201);
    let mut other = noted("c-1");
    other["durationSeconds"] = json!(3);
    assert_eq!(gateway.call(&own, note(other)).await.is(422).code(), "broker.key-reused");
    let all = gateway.call(&own, Call::get("/interactions")).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let mut withheld = noted("c-3");
    withheld["number"] = json!("anonymous");
    assert!(gateway.call(&own, note(withheld)).await.is(201).json()["call"].get("number").is_none());
    for (member, value) in [("state", "ringing"), ("reference", ""), ("extension", "1\u{7}")] {
        let mut wrong = noted("c-4");
        wrong[member] = json!(value);
        gateway.call(&own, note(wrong)).await.is(400);
    }
}

#[tokio::test]
async fn whoever_was_missed_or_asks_for_it_is_called_back() {
    let gateway = Gateway::start().await;
    let own = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let note = |reference: &str, changes: Value| {
        let mut body = noted(reference);
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Call::post("/telephony/calls").json(body)
    };
    let asked = gateway.call(&own, note("c-1", json!({ "state": "callBack" }))).await.is(201).json();
    let again = gateway.call(&own, note("c-1", json!({ "state": "callBack" }))).await.is(201).json();
    assert_eq!(asked, again);
    let missed = gateway.call(&own, note("c-2", json!({ "state": "missed" }))).await.is(201).json();
    for (reference, changes) in [
        ("c-3", json!({ "state": "ended" })),
        ("c-4", json!({ "state": "missed", "direction": "outgoing" })),
        ("c-5", json!({ "state": "missed", "number": "anonymous" })),
    ] {
        gateway.call(&own, note(reference, changes)).await.is(201);
    }
    for wrong in [json!({ "number": "anonymous" }), json!({ "direction": "outgoing" })] {
        let mut changes = json!({ "state": "callBack" });
        changes.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        gateway.call(&own, note("c-6", changes)).await.is(400);
    }
    let tasks = gateway.call(&own, Call::get("/tasks?status=open")).await.is(200).json();
    // Eight hours of service after Monday ten in Germany.
    let told = |task: &Value| (task["kind"].clone(), task["caseId"].clone(), task["due"].clone());
    let due = json!("2026-11-30T17:00:00Z");
    let mut tasks: Vec<_> = tasks["items"].as_array().unwrap().iter().map(told).collect();
    tasks.sort_by_key(|(_, about, _)| about.to_string());
    assert_eq!(tasks, [&asked, &missed].map(|it| (json!("call-back"), it["id"].clone(), due.clone())));
}

#[tokio::test]
async fn what_is_forwarded_is_a_task_of_the_unit_with_a_time() {
    let gateway = Gateway::start().await;
    let centre = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let unit = gateway.token("soest", "70", "*", ALL_ROLES).await;
    // A Friday at 17:00 in Germany: one hour of service is left, then a weekend.
    let contact = json!({ "unit": "63", "kind": "call", "at": "2026-12-04T16:00:00Z" });
    let contact = gateway.call(&centre, Call::post("/interactions").json(contact)).await.is(201).json();
    let path = format!("/interactions/{}/forward", contact["id"].as_str().unwrap());
    let forward = |body: Value| Call::post(&path).json(body);
    for wrong in [json!({ "unit": "70", "dueHours": 0 }), json!({ "unit": "70", "answerBy": "a b" })] {
        gateway.call(&centre, forward(wrong)).await.is(400);
    }
    let body =
        json!({ "unit": "70", "concern": "Sperrmüll nicht geholt", "answerBy": "mail", "dueHours": 3 });
    let told = gateway.call(&centre, forward(body)).await.is(200).json();
    assert_eq!((&told["unit"], &told["subject"]), (&json!("70"), &json!("Sperrmüll nicht geholt")));
    let tasks = gateway.call(&unit, Call::get("/tasks?status=open")).await.is(200).json();
    let task = &tasks["items"][0];
    assert_eq!((&task["kind"], &task["due"]), (&json!("forwarded"), &json!("2026-12-07T09:00:00Z")));
    // The answer is a call: it lies on the unit's desk until the telephone system has made it.
    let call = format!("/tasks/{}/call", task["id"].as_str().unwrap());
    let call = |body: Value| Call::post(&call).json(body);
    gateway.call(&unit, call(json!({ "extension": "1001" }))).await.is(400);
    gateway.call(&unit, call(json!({ "extension": "1001@evil", "number": NUMBER }))).await.is(400);
    let made =
        gateway.call(&unit, call(json!({ "extension": "1001", "number": NUMBER }))).await.is(201).json();
    assert_eq!((&made["call"]["state"], &made["call"]["task"]), (&json!("wanted"), &task["id"]));
    assert_eq!(made["unit"], json!("70"));
    // Filing says where it belongs, and answers nobody.
    let case = json!({ "unit": "70", "title": "Sperrmüll" });
    let case = gateway.call(&unit, Call::post("/cases").json(case)).await.is(201).json();
    let file = Call::post(&path.replace("/forward", "/file")).json(json!({ "case": case["id"] }));
    gateway.call(&unit, file).await.is(200);
    let tasks = gateway.call(&unit, Call::get("/tasks?status=open")).await.is(200).json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1);
    let late = gateway.call(&centre, forward(json!({ "unit": "70" }))).await;
    assert!([404, 409].contains(&late.status.as_u16()), "{}", late.status);
}
