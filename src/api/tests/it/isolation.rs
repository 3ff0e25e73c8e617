//! Nothing leaks: for tokens of another tenant, unit or service, what exists is as if it did not.
//!
//! The test walks the list of routes, so a new one cannot be forgotten: it fails until somebody says what
//! a plausible request to it looks like.

use api::{Needs, Route};
use model::Id;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};

/// Stands in every text that a foreign token must never see.
pub(crate) const SECRET: &str = "Vertrauliches Vorhaben";

/// One thing of every kind, owned by unit 63 of tenant soest.
pub(crate) struct Things {
    pub(crate) ids: Vec<(&'static str, String)>,
}

impl Things {
    pub(crate) fn id(&self, kind: &str) -> &str {
        self.ids.iter().find(|(known, _)| *known == kind).map(|(_, id)| id.as_str()).unwrap()
    }

    /// Makes them; `there` is a token of another authority that hands a case file over.
    pub(crate) async fn make(gateway: &Gateway, owner: &str, there: &str) -> Things {
        let workers = gateway.work().await;
        let create = async |token: &str, path: &str, body: Value| {
            let made = gateway.call(token, Call::post(path).json(body)).await;
            assert!(made.status.is_success(), "{path}: {made:?}");
            made.json()
        };
        let id = |json: &Value| json["id"].as_str().unwrap().to_owned();
        let owned = json!({ "unit": "63", "publicService": "baugenehmigung", "title": SECRET });
        let file = id(&create(owner, "/case-files", owned.clone()).await);
        let case = id(&create(owner, "/cases", json!({ "caseFile": file, "title": SECRET })).await);
        let document =
            id(&create(owner, &format!("/cases/{case}/documents"), json!({ "title": SECRET })).await);
        let path = format!("/documents/{document}/content?fileName=a.txt");
        gateway.call(owner, Call::new("PUT", &path).bytes(SECRET)).await.is(201);
        let part = Call::new("PUT", &format!("/documents/{document}/content?fileName={}", "c.txt"));
        let upload = gateway.call(owner, part.with("upload-complete", "?0").bytes(SECRET)).await.is(201);
        let upload = id(&upload.json());
        let task = json!({ "unit": "63", "title": SECRET, "kind": "hearing", "case": case });
        let task = id(&create(owner, "/tasks", task).await);
        let handover = json!({ "kind": "submission", "to": "bab:05974028", "objects": [file] });
        let sent = id(&create(owner, "/exchanges", handover).await);
        let owed = json!({ "amountCents": 2_500, "purpose": SECRET, "payer": { "name": SECRET } });
        let claim = id(&create(owner, &format!("/cases/{case}/claims"), owed).await);
        let payment = id(&create(owner, &format!("/claims/{claim}/payments"), json!({})).await);
        let raw = Call::post("/messages").with("content-type", "application/xml").bytes(format!("<{SECRET}"));
        let message = id(&gateway.call(owner, raw).await.is(202).json());

        let contact = json!({ "unit": "63", "kind": "visit", "subject": SECRET });
        let contact = id(&create(owner, "/interactions", contact).await);
        let is_parked = |json: &Value| json["items"][0]["record"]["id"] == *contact;
        let untold = gateway.until(owner, "/channel-deliveries?parked=true", is_parked).await;
        let untold = id(&untold["items"][0]);
        let sent_out = json!({ "case": case, "kind": "notification", "documents": [document],
            "to": { "lines": [SECRET] } });
        let sent_out = id(&create(owner, "/dispatches", sent_out).await);

        let theirs = id(&create(there, "/case-files", json!({ "unit": "63", "title": SECRET })).await);
        let handover = json!({ "kind": "handover", "to": "bab:05974000", "objects": [theirs] });
        create(there, "/exchanges", handover).await;
        let arrived = |json: &Value| !json["items"].as_array().unwrap().is_empty();
        let inbox = gateway.until(owner, "/inbox", arrived).await;
        let entry = id(&inbox["items"][0]);
        let received = inbox["items"][0]["exchange"].as_str().unwrap().to_owned();
        workers.stop().await;
        let raw =
            Call::post("/messages").with("content-type", "application/xml").bytes(format!("<b>{SECRET}"));
        let parked = id(&gateway.call(owner, raw).await.is(202).json());
        gateway.call(owner, Call::post(&format!("/messages/{parked}/park"))).await.is(200);
        let many = Call::post("/messages/resend").json(json!({ "rule": "message.returned-by-hand" }));
        let operation = id(&gateway.call(owner, many).await.is(202).json());
        let new =
            json!({ "name": SECRET, "roles": ["system"], "services": "all", "units": { "only": ["63"] } });
        let token = match gateway.call(owner, Call::post("/tokens").json(new)).await {
            made if made.status == 201 => id(&made.json()),
            _ => Id::now_v7().to_string(),
        };
        let hook = json!({ "url": "https://hooks.example/" });
        let hook = match gateway.call(owner, Call::post("/subscriptions").json(hook)).await {
            made if made.status == 201 => id(&made.json()),
            _ => Id::now_v7().to_string(),
        };
        let asked = json!({ "do": "release-message", "message": message, "minutes": 5 });
        let asked = id(&create(owner, "/approvals", json!({ "act": asked, "reason": SECRET })).await);
        let linked = case.clone();
        Things {
            ids: vec![
                ("subscriptions", hook),
                ("case-files", file),
                ("cases", case),
                ("documents", document),
                ("tasks", task),
                ("claims", claim),
                ("payments", payment),
                ("exchanges", sent),
                ("exchanges", received),
                ("messages", message),
                ("clarifications", parked),
                ("operations", operation),
                ("inbox", entry),
                ("uploads", upload),
                ("tokens", token),
                ("interactions", contact),
                ("dispatches", sent_out),
                ("links", linked),
                ("approvals", asked),
                ("channel-deliveries", untold),
            ],
        }
    }
}

/// A plausible request to a route: with it, a caller who may gets past every check of form.
pub(crate) fn plausible(route: &Route, id: &str) -> Call {
    let path = route.path.replace("{id}", id).replace("{authority}", id).replace("{name}", id);
    let path = path.replace("{account}", "gebuehren").replace("{number}", "1");
    let path = path.replace("{refund}", &Id::now_v7().to_string()).replace("{line}", &Id::nil().to_string());
    let call = Call::new(route.method.as_str(), &path);
    let described = json!({ "title": "Plausibel" });
    match (route.method.as_str(), route.path) {
        ("GET", "/accounts/{account}/reconciliation") => {
            Call::get(&format!("{path}?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z"))
        }
        ("GET" | "DELETE", _) => call,
        ("PATCH", "/subscriptions/{id}") => call.with("if-match", "\"1\"").json(json!({ "enabled": true })),
        ("PATCH", "/uploads/{id}") => call
            .with("content-type", "application/partial-upload")
            .with("upload-complete", "?1")
            .with("upload-offset", SECRET.len().to_string())
            .bytes("und mehr"),
        ("PATCH", _) => call.with("if-match", "\"1\"").json(described),
        ("PUT", "/documents/{id}/content") => Call::new("PUT", &format!("{path}?fileName=b.txt"))
            .with("content-type", "text/plain")
            .bytes("text"),
        ("PUT", "/claims/{id}/cash-reference") => call.json(json!({ "cashReference": "4711" })),
        ("PUT", "/partners/{id}") => call.json(json!({ "name": "Plausibel" })),
        ("POST", "/case-files" | "/cases") => call.json(json!({ "unit": "63", "title": "Plausibel" })),
        ("POST", "/applications") => call
            .with("idempotency-key", "k")
            .json(json!({ "publicService": "baugenehmigung", "title": "Plausibel", "applicant": {} })),
        ("POST", "/cases/{id}/citizen-access") => call,
        ("POST", "/cases/{id}/document-requests") => call.json(json!({ "what": "Lageplan", "dueDays": 7 })),
        ("POST", "/tasks") => call.json(json!({ "unit": "63", "title": "Plausibel", "kind": "hearing" })),
        ("POST", "/exchanges") => {
            call.json(json!({ "kind": "handover", "to": "bab:05974028", "objects": [Id::now_v7()] }))
        }
        ("POST", "/interactions") => call.json(json!({ "unit": "63", "kind": "visit" })),
        ("POST", "/telephony/look-ups") => call.json(json!({ "number": "+492921300" })),
        ("POST", "/telephony/calls") => call
            .json(json!({ "unit": "63", "reference": "1", "direction": "incoming",
            "state": "missed", "at": "2026-11-30T09:00:00Z" })),
        ("POST", "/tasks/{id}/call") => call.json(json!({ "extension": "1001", "number": "+492921300" })),
        ("POST", "/interactions/{id}/forward") => call.json(json!({ "unit": "63" })),
        ("POST", "/interactions/{id}/file") => call.json(json!({ "case": Id::now_v7() })),
        ("POST", path) if path.ends_with("/hand-on") => call.json(json!({ "unit": "63" })),
        ("POST", "/dispatches") => {
            call.json(json!({ "case": Id::now_v7(), "kind": "notification", "documents": [] }))
        }
        ("POST", "/messages/resend") => call.json(json!({ "rule": "message.parked-by-hand" })),
        ("POST", "/messages/{id}/forward") => call.json(json!({ "to": "bab:05974028" })),
        ("POST", "/messages" | "/checks" | "/messages/{id}/repair") => {
            call.with("content-type", "application/xml").bytes("<a/>")
        }
        ("POST", "/approvals") => call.json(
            json!({ "act": { "do": "release-message", "message": Id::now_v7(), "minutes": 5 }, "reason": "x" }),
        ),
        ("POST", "/inbox/leases") => call.json(json!({ "seconds": 1 })),
        ("POST", "/tokens") => {
            let within = json!({ "only": [] });
            call.json(
                json!({ "name": "Plausibel", "roles": ["system"], "units": within, "services": within }),
            )
        }
        ("POST", path) if path.ends_with("/documents") || path.ends_with("/case-files") => {
            call.json(described)
        }
        ("POST", "/cases/{id}/claims") => call.json(json!({ "amountCents": 100, "purpose": "Plausibel" })),
        ("POST", "/payments/{id}/refunds") => call.json(json!({ "amountCents": 1, "reason": "Plausibel" })),
        ("POST", "/payments/{id}/refunds/{refund}/decline") => call.json(json!({ "reason": "Plausibel" })),
        ("POST", "/payments/{id}/clearing") => call.json(json!({ "decision": "keep" })),
        ("POST", "/accounts/{account}/statements") => {
            call.with("content-type", "application/xml").bytes("<a/>")
        }
        ("POST", path) if path.ends_with("/decision") => call.json(json!({ "ignore": true })),
        ("POST", path)
            if ["cancellation", "payments", "void", "agreement", "booking-files", "acknowledgement"]
                .iter()
                .any(|step| path.ends_with(&format!("/{step}"))) =>
        {
            call
        }
        ("POST", path) if path.ends_with("/record-reference") => call.json(json!({ "recordReference": "1" })),
        ("POST", path) if path.ends_with("/lock") => call.json(json!({ "exchange": Id::now_v7() })),
        ("POST", path) if path.ends_with("/import-results") => call.json(json!({ "results": [] })),
        ("POST", path) if path.ends_with("/hold") => call.json(json!({ "reason": "Klage" })),
        ("POST", path)
            if path.ends_with("/lift-hold") || path.ends_with("/transfer") || path.ends_with("/end") =>
        {
            call
        }
        ("POST", path) if path.ends_with("/destruction") || path.ends_with("/pass-on") => {
            call.json(json!({}))
        }
        ("POST", "/dispatches/{id}/steps") => {
            call.json(json!({ "kind": "provided", "at": "2026-11-02T10:00:00Z", "proof": "postalRecord" }))
        }
        ("POST", path) if path.ends_with("/steps") => call.json(json!({ "step": 0, "outcome": {} })),
        ("POST", path) if path.ends_with("/appraisals") => {
            call.json(json!({ "appraisals": [{ "objectId": Id::now_v7(), "disposition": "archive" }] }))
        }
        ("POST", "/inbox/{id}/return") => call.json(json!({})),
        ("POST", "/subscriptions") => call.json(json!({ "url": "https://hooks.example/" })),
        ("POST", "/subscriptions/{id}/rotate-secret") => call.json(json!({})),
        ("POST", "/subscriptions/{id}/test") => call,
        ("POST", path) if path.ends_with("/assign") => call.json(json!({ "assignee": "platz-1" })),
        ("POST", path) if path.ends_with("/hand-on") => call.json(json!({ "unit": "63" })),
        ("POST", path) if path.ends_with("/complete") => call.json(json!({})),
        ("POST", path)
            if [
                "close", "reopen", "confirm", "resend", "park", "return", "cancel", "retry", "dismiss",
                "drop", "agree", "refuse", "withdraw",
            ]
            .iter()
            .any(|step| path.ends_with(&format!("/{step}"))) =>
        {
            call
        }
        (method, path) => panic!("say what a plausible request to {method} {path} looks like"),
    }
}

/// Everything of an answer that a client sees, with the id it asked for taken out.
fn seen(answer: &Answer, id: &str) -> String {
    let headers: Vec<String> =
        answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    let body = String::from_utf8_lossy(&answer.body);
    assert!(!body.contains(SECRET), "{body}");
    format!("{}\n{}\n{body}", answer.status, headers.join("\n")).replace(id, "ID")
}

struct Foreign {
    gateway: Gateway,
    owner: String,
    things: Things,
    tokens: Vec<(&'static str, String)>,
}

async fn foreign() -> Foreign {
    let gateway = Gateway::start().await;
    let owner = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "*", "*", ALL_ROLES).await;
    let things = Things::make(&gateway, &owner, &there).await;
    let tokens = vec![
        ("another tenant", gateway.token("unna", "*", "*", ALL_ROLES).await),
        ("another unit", gateway.token("soest", "70", "*", ALL_ROLES).await),
        ("another service", gateway.token("soest", "63", "abfall", ALL_ROLES).await),
    ];
    Foreign { gateway, owner, things, tokens }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_is_to_others_as_if_it_did_not() {
    let Foreign { gateway, owner, things, tokens } = foreign().await;
    let mut before = vec![];
    for (kind, id) in
        things.ids.iter().filter(|(kind, _)| !matches!(*kind, "inbox" | "tokens" | "channel-deliveries"))
    {
        let answer = gateway.call(&owner, Call::get(&format!("/{kind}/{id}"))).await.is(200);
        before.push((kind, id, answer.json()));
    }
    let mut walked = 0;
    for route in api::routes().iter().filter(|route| route.path.contains("{id}")) {
        for (who, token) in &tokens {
            // A partner belongs to the whole tenant and to no unit; its id is chosen by its administrator.
            if route.path == "/partners/{id}" {
                continue;
            }
            let random = Id::now_v7().to_string();
            let nothing = seen(&gateway.call(token, plausible(route, &random)).await, &random);
            for (kind, id) in &things.ids {
                let answer = gateway.call(token, plausible(route, id)).await;
                assert_eq!(seen(&answer, id), nothing, "{who}: {} {} of {kind}", route.method, route.path);
                assert_eq!(answer.status, 404, "{who}: {} {}", route.method, route.path);
                walked += 1;
            }
        }
    }
    assert!(walked > 500, "{walked}");
    for (kind, id, was) in before {
        let is = gateway.call(&owner, Call::get(&format!("/{kind}/{id}"))).await.is(200).json();
        assert_eq!(is, was, "{kind} was changed by somebody else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_bodies_and_queries_find_nothing_of_others() {
    let Foreign { gateway, things, tokens, .. } = foreign().await;
    let within = |id: &str| -> Vec<Call> {
        let unit = "70";
        vec![
            Call::post("/cases").json(json!({ "unit": unit, "title": "x", "caseFile": id })),
            Call::post("/cases").json(json!({ "unit": unit, "title": "x", "parent": id })),
            Call::post("/tasks").json(json!({ "unit": unit, "title": "x", "kind": "x", "case": id })),
            Call::post("/exchanges")
                .json(json!({ "kind": "handover", "to": "bab:05974028", "objects": [id] })),
            Call::get(&format!("/case-files?parent={id}")),
            Call::get(&format!("/cases?caseFile={id}")),
            Call::get(&format!("/cases?parent={id}")),
            Call::get(&format!("/claims?case={id}")),
            Call::get(&format!("/payments?claim={id}")),
            Call::get(&format!("/interactions?case={id}")),
            Call::get(&format!("/dispatches?case={id}")),
            Call::post("/interactions").json(json!({ "kind": "visit", "unit": unit, "case": id })),
            Call::post("/dispatches").json(json!({ "kind": "notification", "documents": [], "case": id })),
            Call::post("/approvals").json(
                json!({ "act": { "do": "release-message", "message": id, "minutes": 5 }, "reason": "x" }),
            ),
            Call::get(&format!("/messages?exchange={id}")),
            Call::get(&format!("/messages?processId={id}")),
        ]
    };
    for (who, token) in &tokens {
        let random = Id::now_v7().to_string();
        let mut nothing = vec![];
        for call in within(&random) {
            nothing.push(seen(&gateway.call(token, call).await, &random));
        }
        for (kind, id) in &things.ids {
            for (number, call) in within(id).into_iter().enumerate() {
                let answer = seen(&gateway.call(token, call).await, id);
                assert_eq!(answer, nothing[number], "{who}: request {number} with an id of {kind}");
            }
        }
        // One's own case file is not locked by the exchange of others either.
        let own = json!({ "unit": if *who == "another unit" { "70" } else { "63" }, "title": "Eigenes",
            "publicService": "abfall" });
        let own = gateway.call(token, Call::post("/case-files").json(own)).await.is(201).json();
        let lock = |exchange: &str| {
            let path = format!("/case-files/{}/lock", own["id"].as_str().unwrap());
            Call::post(&path).json(json!({ "exchange": exchange }))
        };
        let nothing = seen(&gateway.call(token, lock(&random)).await, &random);
        let exchange = things.id("exchanges");
        assert_eq!(seen(&gateway.call(token, lock(exchange)).await, exchange), nothing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_events_and_mailboxes_hold_nothing_of_others() {
    let Foreign { gateway, things, tokens, owner } = foreign().await;
    gateway.call(&owner, Call::new("PUT", "/partners/archiv").json(json!({ "name": SECRET }))).await.is(201);
    let lists = api::routes();
    let lists = lists.iter().filter(|route| {
        route.method == "GET" && !route.path.contains('{') && matches!(route.needs, Needs::Right(_))
    });
    for route in lists {
        for (who, token) in &tokens {
            let answer = gateway.call(token, Call::get(route.path)).await.is(200);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            for (kind, id) in &things.ids {
                assert!(!text.contains(id.as_str()), "{who}: {} shows a thing of {kind}", route.path);
            }
            // Partners belong to the tenant as a whole.
            if route.path != "/partners" || *who == "another tenant" {
                assert!(!text.contains(SECRET), "{who}: {}: {text}", route.path);
            }
            let items = answer.json()["items"].as_array().unwrap().len();
            let own = match route.path {
                "/tokens" => 1,
                "/partners" if *who != "another tenant" => 1,
                // A token that sees the whole tenant sees that it was made itself.
                "/events" => items,
                _ => 0,
            };
            assert_eq!(items, own, "{who}: {}", route.path);
        }
    }
    for (who, token) in &tokens {
        let lease = Call::post("/inbox/leases").json(json!({ "seconds": 60 }));
        assert_eq!(gateway.call(token, lease).await.is(200).json(), json!({ "items": [] }), "{who}");
        assert!(
            gateway.call(token, Call::get("/partners/archiv")).await.status == 404
                || *who != "another tenant"
        );
    }
}
