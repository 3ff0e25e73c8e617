//! Claims, payments and the cash office's books by REST.

use model::Role;
use model::payment::TruthState;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};
use crate::till::IBAN;

struct Office {
    gateway: Gateway,
    token: String,
    case: String,
}

async fn office() -> Office {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let case = json!({ "unit": "63", "title": "Bauantrag", "publicService": "baugenehmigung" });
    let case = id(&gateway.call(&token, Call::post("/cases").json(case)).await.is(201).json());
    Office { gateway, token, case }
}

impl Office {
    async fn get(&self, path: &str) -> Answer {
        self.gateway.call(&self.token, Call::get(path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.gateway.call(&self.token, Call::post(path).json(body)).await
    }

    async fn claim(&self, cents: i64) -> Value {
        let owed = json!({ "amountCents": cents, "purpose": "Gebühr" });
        self.post(&format!("/cases/{}/claims", self.case), owed).await.is(201).json()
    }
}

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_paid_and_given_back_by_two() {
    let office = office().await;
    let workers = office.gateway.work().await;
    let owed = json!({ "amountCents": 2_500, "purpose": "Gebühr", "due": "2026-12-31",
        "lines": [{ "description": "Gebühr", "amountCents": 2_500 }], "payer": { "name": "Muster" } });
    let made = office.post(&format!("/cases/{}/claims", office.case), owed).await.is(201);
    let claim = made.json();
    let path = format!("/claims/{}", id(&claim));
    assert_eq!(made.header("location"), format!("{}{path}", api::BASE));
    assert_eq!((&claim["status"], &claim["caseId"]), (&json!("open"), &json!(office.case)));
    assert_eq!(claim["payer"]["name"], "Muster");
    let reference = claim["cashReference"].as_str().unwrap().to_owned();
    let found = office.get(&format!("/claims?cashReference={reference}&case={}", office.case)).await.is(200);
    assert_eq!(found.json()["items"], json!([office.get(&path).await.json()]));

    let begun = office.post(&format!("{path}/payments"), json!({})).await.is(201);
    let payment = begun.json();
    let paid_at = format!("/payments/{}", id(&payment));
    assert_eq!(begun.header("location"), format!("{}{paid_at}", api::BASE));
    assert_eq!((&payment["status"], &payment["amountCents"]), (&json!("started"), &json!(2_500)));
    assert_eq!(payment["paymentUrl"], "https://pay.example/kasse?a=1&b=2");
    let again = office.post(&format!("{path}/payments"), json!({})).await.is(409);
    assert_eq!(again.code(), "payment.under-way");
    assert_eq!(again.header("location"), format!("{}{paid_at}", api::BASE));

    office.gateway.till.says(TruthState::Paid);
    let url = office.gateway.till.last().notify_url;
    office.gateway.knock(axum::http::Request::post(url).body("paid".into()).unwrap()).await.is(200);
    let is = |status: &'static str| move |json: &Value| json["status"] == status;
    office.gateway.until(&office.token, &paid_at, is("paid")).await;
    office.gateway.until(&office.token, &path, is("paid")).await;
    let listed = office.get(&format!("/payments?claim={}&status=paid", id(&claim))).await.is(200).json();
    assert_eq!(id(&listed["items"][0]), id(&payment));

    let asked = json!({ "amountCents": 1_000, "reason": "zu viel" });
    let too_much = json!({ "amountCents": 2_501, "reason": "zu viel" });
    assert_eq!(office.post(&format!("{paid_at}/refunds"), too_much).await.is(400).code(), "model.invalid");
    let other = office.gateway.token("soest", "63", "*", &[Role::Cashier]).await;
    let unwanted = office.post(&format!("{paid_at}/refunds"), asked.clone()).await.is(200).json();
    let decline = format!("{paid_at}/refunds/{}/decline", unwanted["refunds"][0]["id"].as_str().unwrap());
    let why = json!({ "reason": "doch geschuldet" });
    assert_eq!(office.post(&decline, json!({ "reason": " " })).await.is(400).code(), "model.invalid");
    let declined = office.gateway.call(&other, Call::post(&decline).json(why.clone())).await.is(200).json();
    assert_eq!(declined["refunds"][0]["status"], "declined");
    assert_eq!(declined["refunds"][0]["declined"]["reason"], why["reason"]);
    assert_eq!(office.post(&decline, why).await.is(409).code(), "model.wrong-state");
    let asked = office.post(&format!("{paid_at}/refunds"), asked).await.is(200).json();
    let refund = asked["refunds"][1]["id"].as_str().unwrap().to_owned();
    let agreement = format!("{paid_at}/refunds/{refund}/agreement");
    assert_eq!(office.post(&agreement, json!({})).await.is(409).code(), "model.second-person");
    office.gateway.call(&other, Call::post(&agreement)).await.is(200);
    office.gateway.until(&office.token, &paid_at, is("partlyRefunded")).await;
    let timeline = office.get(&format!("{paid_at}/timeline")).await.is(200).json();
    assert!(timeline["items"].as_array().unwrap().len() >= 5, "{timeline}");
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_payment_is_voided_and_its_claim_cancelled() {
    let office = office().await;
    let workers = office.gateway.work().await;
    let claim = format!("/claims/{}", id(&office.claim(100).await));
    let payment = office.post(&format!("{claim}/payments"), json!({})).await.is(201).json();
    let payment = format!("/payments/{}", id(&payment));
    let open = office.gateway.call(&office.token, Call::post(&format!("{claim}/cancellation"))).await.is(409);
    assert_eq!(open.code(), "payment.under-way");
    office.gateway.call(&office.token, Call::post(&format!("{payment}/void"))).await.is(200);
    office.gateway.until(&office.token, &payment, |json| json["status"] == "cancelled").await;
    let cancelled = office.gateway.call(&office.token, Call::post(&format!("{claim}/cancellation"))).await;
    assert_eq!(cancelled.is(200).json()["status"], "cancelled");
    let late = office.post(&format!("{claim}/payments"), json!({})).await.is(409);
    assert_eq!(late.code(), "model.wrong-state");
    let nothing = office.post(&format!("{payment}/clearing"), json!({ "decision": "keep" })).await.is(404);
    assert_eq!(nothing.code(), "model.not-found");
    workers.stop().await;
}

#[tokio::test]
async fn a_claim_is_made_once_and_refused_where_it_is_none() {
    let office = office().await;
    let path = format!("/cases/{}/claims", office.case);
    let keyed = |cents: i64| {
        let body = json!({ "amountCents": cents, "purpose": "Gebühr" });
        Call::post(&path).with("idempotency-key", "k1").json(body)
    };
    let first = office.gateway.call(&office.token, keyed(700)).await.is(201);
    let again = office.gateway.call(&office.token, keyed(700)).await.is(201);
    assert_eq!((first.json(), again.header("idempotency-replayed")), (again.json(), "true"));
    let other = office.gateway.call(&office.token, keyed(701)).await.is(422);
    assert_eq!(other.code(), "broker.key-reused");
    let with = |name: &str, value: Value| {
        let mut body = json!({ "amountCents": 100, "purpose": "Gebühr" });
        body[name] = value;
        Call::post(&path).json(body)
    };
    for (call, status, code) in [
        (with("amountCents", json!(0)), 400, "model.invalid"),
        (with("amountCents", json!(100_000_000)), 400, "model.invalid"),
        (with("amountCents", json!(25.5)), 400, "api.invalid-body"),
        (with("purpose", json!(" ")), 400, "model.invalid"),
        (with("due", json!("31.12.2026")), 400, "model.invalid"),
        (with("lines", json!([{ "description": "x", "amountCents": 99 }])), 400, "model.invalid"),
        (with("payer", json!({ "name": "x", "iban": IBAN })), 400, "api.invalid-body"),
        (with("status", json!("paid")), 400, "api.invalid-body"),
        (with("account", json!("anderes")), 422, "payment.no-account"),
    ] {
        assert_eq!(office.gateway.call(&office.token, call).await.is(status).code(), code);
    }
    let nowhere = format!("/cases/{}/claims", model::ids::new_id());
    let body = json!({ "amountCents": 100, "purpose": "Gebühr" });
    assert_eq!(office.post(&nowhere, body).await.is(404).code(), "model.not-found");
}

#[tokio::test]
async fn a_payer_is_only_sent_on_where_the_house_allows() {
    let office = office().await;
    let path = format!("/claims/{}/payments", id(&office.claim(100).await));
    for to in [
        "http://portal.example/",
        "https://elsewhere.example/",
        "https://portal.example.evil.example/",
        "https://portal.example@evil.example/",
        "//portal.example/",
        "javascript:alert(1)",
        "https://portal.example/\r\nset-cookie: a=b",
        "",
    ] {
        let answer = office.post(&path, json!({ "returnTo": to })).await.is(400);
        assert!(answer.code().starts_with("payment.") || answer.code().starts_with("model."), "{to}");
    }
    let listed = office.get("/payments").await.is(200).json();
    assert_eq!(listed["items"], json!([]), "nothing was begun");
}

#[tokio::test]
async fn a_girocode_is_a_text_or_a_picture() {
    let office = office().await;
    let claim = office.claim(2_500).await;
    let path = format!("/claims/{}/girocode", id(&claim));
    let text = office.get(&path).await.is(200);
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let reference = claim["cashReference"].as_str().unwrap();
    let expected = format!("BCD\n002\n1\nSCT\n\nKreiskasse\n{IBAN}\nEUR25.00\n\n\nKassenzeichen {reference}");
    assert_eq!(String::from_utf8(text.body).unwrap(), expected);
    let wanted = Call::get(&path).with("accept", "image/svg+xml");
    let picture = office.gateway.call(&office.token, wanted).await.is(200);
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert_eq!(picture.header("vary"), "Accept");
    let picture = String::from_utf8(picture.body).unwrap();
    assert!(picture.contains("<svg") && !picture.contains("<script"), "{picture}");
    let other = office.gateway.token("soest", "70", "*", ALL_ROLES).await;
    office.gateway.call(&other, Call::get(&path)).await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cash_office_keeps_its_books() {
    let office = office().await;
    let workers = office.gateway.work().await;
    let claim = office.claim(2_500).await;
    let reference = claim["cashReference"].as_str().unwrap().to_owned();
    let account = "/accounts/gebuehren";

    let statement = || {
        let call = Call::post(&format!("{account}/statements")).with("content-type", "application/xml");
        call.bytes(format!("Gebühr Kassenzeichen {reference}"))
    };
    let report = office.gateway.call(&office.token, statement()).await.is(200).json();
    assert_eq!((&report["lines"], &report["matched"]), (&json!(1), &json!(1)), "{report}");
    let again = office.gateway.call(&office.token, statement()).await.is(200).json();
    assert_eq!((&again["lines"], &again["known"]), (&json!(0), &json!(1)), "{again}");
    let claim = office.get(&format!("/claims/{}", id(&claim))).await.is(200).json();
    assert_eq!(claim["status"], "paid");
    let lines = office.get(&format!("{account}/statement-lines?state=matched")).await.is(200).json();
    assert_eq!(lines["items"][0]["claim"], json!(id(&claim)), "{lines}");
    assert!(lines["items"][0].get("tenant").is_none(), "{lines}");

    let made =
        office.gateway.call(&office.token, Call::post(&format!("{account}/booking-files"))).await.is(201);
    let file = made.json();
    let at = format!("{account}/booking-files/1");
    assert_eq!(made.header("location"), format!("{}{at}", api::BASE));
    assert_eq!((&file["number"], &file["bookings"]), (&json!(1), &json!(2)), "{file}");
    office.gateway.call(&office.token, Call::post(&format!("{account}/booking-files"))).await.is(204);
    assert_eq!(office.get(&at).await.is(200).json(), file);
    assert_eq!(office.get(&format!("{account}/booking-files")).await.is(200).json()["items"], json!([file]));
    let content = office.get(&format!("{at}/content")).await.is(200);
    assert_eq!(content.header("content-type"), "text/plain");
    assert_eq!(String::from_utf8(content.body).unwrap(), "gebuehren 1 2");
    let done = office.gateway.call(&office.token, Call::post(&format!("{at}/acknowledgement"))).await.is(200);
    assert!(done.json()["acknowledgedAt"].is_string(), "{done:?}");
    let bookings = office.get("/bookings?state=acknowledged&account=gebuehren&file=1").await.is(200).json();
    assert_eq!(bookings["items"].as_array().unwrap().len(), 2, "{bookings}");
    let period = "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    let found = office.get(&format!("{account}/reconciliation?{period}")).await.is(200).json();
    assert_eq!((&found["complete"], &found["paidNotBooked"]), (&json!(true), &json!([])), "{found}");
    let backwards = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z";
    let wrong = office.get(&format!("{account}/reconciliation?{backwards}")).await.is(400);
    assert_eq!(wrong.code(), "api.invalid-query");
    workers.stop().await;
}

#[tokio::test]
async fn accounts_that_are_not_the_tenants_do_not_exist() {
    let office = office().await;
    for call in [
        Call::get("/accounts/anderes/booking-files"),
        Call::get("/accounts/anderes/booking-files/1"),
        Call::get("/accounts/anderes/statement-lines"),
        Call::post("/accounts/anderes/booking-files"),
        Call::post("/accounts/%2e%2e/statements").with("content-type", "application/xml").bytes("x"),
    ] {
        assert_eq!(office.gateway.call(&office.token, call).await.is(404).code(), "payment.no-account");
    }
    for path in ["0", "2", "-1", "1.0", "99999999999999999999", "x"] {
        let path = format!("/accounts/gebuehren/booking-files/{path}");
        assert_eq!(office.get(&path).await.is(404).code(), "model.not-found", "{path}");
    }
    for query in ["file=1", "state=paid", "account=gebuehren&file=-1", "limit=0"] {
        let answer = office.get(&format!("/bookings?{query}")).await.is(400);
        assert_eq!(answer.code(), "api.invalid-query", "{query}");
    }
    for (body, code) in [
        (json!({}), "api.invalid-body"),
        (json!({ "ignore": true, "claim": model::ids::new_id() }), "api.invalid-body"),
        (json!({ "settles": [] }), "model.invalid"),
        (json!({ "ignore": true, "more": 1 }), "api.invalid-body"),
    ] {
        let path = format!("/accounts/gebuehren/statement-lines/{}/decision", model::ids::new_id());
        assert_eq!(office.post(&path, body).await.is(400).code(), code);
    }
}
