//! Citizens: what they see of one case and nothing else, what they hold, and what becomes of those who try.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::citizen_bed::{Applied, PDF, action, application, apply, bring, form_token, multipart, text};
use crate::gateway::{ALL_ROLES, Call, Gateway};

/// A body that never ends, in pieces of 64 KiB, and how many of them were taken.
fn endless(begin: &'static [u8]) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let rest = futures::stream::repeat_with(move || {
        count.fetch_add(1, Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 64 * 1024]))
    });
    (Body::from_stream(futures::stream::iter([Ok(Bytes::from_static(begin))]).chain(rest)), taken)
}

#[tokio::test]
async fn an_application_opens_a_case_once_and_gives_the_same_answer_again() {
    let applied = Applied::new().await;
    let (gateway, token) = (&applied.gateway, &applied.token);
    let again = gateway.call(token, apply("k1", application())).await.is(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let json = again.json();
    assert_eq!(json["secret"], applied.secret.as_str());
    assert_eq!(json["case"], applied.case.as_str());
    assert_eq!(json["statusUrl"], "https://buerger.example/citizen/");
    let other = json!({ "publicService": "baugenehmigung", "title": "Anderes", "applicant": {} });
    assert_eq!(gateway.call(token, apply("k1", other)).await.is(422).code(), "broker.key-reused");
    let case = gateway.call(token, Call::get(&format!("/cases/{}", applied.case))).await.is(200).json();
    assert_eq!(case["publicService"], "baugenehmigung");
    assert_eq!(case["parties"][0]["role"], "applicant");
    let document = json["documents"][0].as_str().unwrap();
    let put =
        Call::new("PUT", &format!("/documents/{document}/content?fileName=plan.pdf")).bytes(PDF.to_vec());
    gateway.call(token, put.with("content-type", "application/pdf")).await.is(201);
    let all =
        gateway.call(token, Call::get(&format!("/cases/{}/documents", applied.case))).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    let without_key = Call::post("/applications").json(application());
    assert_eq!(gateway.call(token, without_key).await.is(400).code(), "api.invalid-header");
}

#[tokio::test]
async fn the_portals_time_counts_unless_it_is_later_than_now() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let at = |days: i64| {
        let now = model::Clock::now(&model::SystemClock).micros();
        model::Timestamp::from_micros(now + days * 24 * 3_600_000_000).to_string()
    };
    let with = |time: &str| {
        let mut body = application();
        body["receivedAt"] = json!(time);
        body
    };
    for wrong in [at(1), at(-200)] {
        assert_eq!(gateway.call(&token, apply("wrong", with(&wrong))).await.is(400).code(), "model.invalid");
    }
    let earlier = at(-2);
    let answer = gateway.call(&token, apply("earlier", with(&earlier))).await.is(201).json();
    assert_eq!(answer["receivedAt"], earlier);
}

#[tokio::test]
async fn an_application_below_the_level_of_its_service_is_looked_at_by_a_clerk() {
    let tasks = async |body: Value| {
        let applied = Applied::with(body).await;
        let all = applied.gateway.call(&applied.token, Call::get("/tasks")).await.is(200).json();
        all["items"].as_array().unwrap().iter().map(|task| task["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(tasks(application()).await, Vec::<Value>::new());
    let mut low = application();
    low["applicant"]["authentication"]["level"] = json!("low");
    assert_eq!(tasks(low).await, [json!("citizen.level-too-low")]);
    let mut nobody = application();
    nobody["applicant"].as_object_mut().unwrap().remove("authentication");
    assert_eq!(tasks(nobody).await, [json!("citizen.level-too-low")]);
}

#[tokio::test]
async fn number_and_secret_open_one_case_and_show_nothing_else_of_it() {
    let applied = Applied::new().await;
    let cookie = applied.session().await;
    let page = applied.get("/citizen/case", &cookie).await.is(200);
    let html = text(&page);
    for shown in ["Baugenehmigung", "Eingegangen", "Kreis Musterkreis"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    for hidden in [
        "Carport",
        "Musterweg",
        "Mustermann",
        "erika@",
        "Lageplan",
        "portal.",
        &applied.secret,
        &applied.case,
    ] {
        assert!(!html.contains(hidden), "{hidden}: {html}");
    }
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("x-frame-options"), "DENY");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    let english = text(&applied.get("/citizen/case?lang=en", &cookie).await.is(200));
    assert!(english.contains("Building permit") && english.contains("<html lang=\"en\""), "{english}");
    let loose = applied.secret.to_lowercase().replace('-', " ");
    applied.enter(&format!(" {} {}", &applied.number[..4], &applied.number[4..]), &loose).await.is(303);
    let seen = applied.app("/citizen/api/status", applied.known()).await.is(200).json();
    assert_eq!(seen["state"], "RECEIVED");
    let members: BTreeSet<&str> = seen.as_object().unwrap().keys().map(String::as_str).collect();
    let all = [
        "apps",
        "changedAt",
        "claims",
        "documents",
        "missing",
        "notices",
        "number",
        "office",
        "prefers",
        "receivedAt",
        "service",
        "serviceEn",
        "state",
        "ways",
    ];
    assert_eq!(members, BTreeSet::from(all));
}

#[tokio::test]
async fn whoever_guesses_gets_one_answer_and_a_limit() {
    let applied = Applied::new().await;
    let wrong = "00000-00000-00000-00000";
    let mut answers = BTreeSet::new();
    for (number, secret) in [
        (applied.number.as_str(), wrong),
        ("00000000000", wrong),
        ("12345678903", applied.secret.as_str()),
        ("", ""),
        ("x' OR 1=1 --", "<script>"),
        (applied.number.as_str(), &applied.secret[..20]),
    ] {
        let answer = applied.enter(number, secret).await.is(403);
        assert!(answer.header("set-cookie").is_empty());
        answers.insert(text(&answer));
    }
    assert_eq!(answers.len(), 1, "one answer for all");
    assert!(!answers.first().unwrap().contains("script"));
    let app = applied.app("/citizen/api/status", json!({ "number": "1", "secret": "2" })).await.is(403);
    assert_eq!(app.code(), "citizen.refused");
    let mut later = 0;
    for _ in 0..30 {
        if applied.enter(&applied.number, wrong).await.status == 429 {
            later += 1;
        }
    }
    assert!(later >= 10, "{later}");
    // Not even with the secret: who has found it by trying would be let in.
    let answer = applied.enter(&applied.number, &applied.secret).await.is(429);
    assert_eq!(answer.header("retry-after"), "600");
    let events = applied.gateway.call(&applied.token, Call::get("/events?limit=200")).await.is(200).json();
    assert!(!events.to_string().contains(&applied.secret), "{events}");
}

#[tokio::test]
async fn a_revoked_secret_and_its_sessions_open_nothing() {
    let applied = Applied::new().await;
    let cookie = applied.session().await;
    let path = format!("/cases/{}/citizen-access", applied.case);
    let same = applied.gateway.call(&applied.token, Call::post(&path)).await.is(200).json();
    assert_eq!((&same["number"], &same["secret"]), (&json!(applied.number), &json!(applied.secret)));
    applied.gateway.call(&applied.token, Call::new("DELETE", &path)).await.is(204);
    applied.get("/citizen/case", &cookie).await.is(403);
    applied.enter(&applied.number, &applied.secret).await.is(403);
    let next = applied.gateway.call(&applied.token, Call::post(&path)).await.is(200).json();
    assert_eq!(next["number"], applied.number.as_str());
    applied.enter(&applied.number, next["secret"].as_str().unwrap()).await.is(303);
    let foreign = applied.gateway.token("unna", "63", "*", ALL_ROLES).await;
    applied.gateway.call(&foreign, Call::post(&path)).await.is(404);
}

#[tokio::test]
async fn a_case_that_was_opened_otherwise_gets_a_number_when_a_clerk_gives_access() {
    let applied = Applied::new().await;
    let case = applied.post("/cases", json!({ "unit": "63", "title": "Von Hand" })).await;
    let path = format!("/cases/{}/citizen-access", case["id"].as_str().unwrap());
    let access = applied.gateway.call(&applied.token, Call::post(&path)).await.is(200).json();
    let text = |name: &str| access[name].as_str().unwrap().to_owned();
    assert_ne!(text("number"), applied.number);
    applied.enter(&text("number"), &text("secret")).await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provided_document_is_fetched_and_that_is_proved() {
    let mut applied = Applied::new().await;
    let (dispatch, document) = applied.provide("Bescheid <i>63</i>").await;
    let cookie = applied.session().await;
    let html = text(&applied.get("/citizen/case", &cookie).await.is(200));
    assert!(html.contains("Bescheid &lt;i&gt;63&lt;/i&gt;"), "{html}");
    let path = action(&html, &format!("/citizen/case/documents/{dispatch}/{document}/"));
    let sha256 = path.rsplit('/').next().unwrap();
    assert_eq!(sha256.len(), 64, "the file is named by its digest: {path}");
    let form = form_token(&html).to_owned();
    for token in ["", "x", &form[1..]] {
        applied.form(&path, &cookie, &[("form", token)]).await.is(403);
    }
    applied.get(&path, &cookie).await.is(405);
    let state = async || {
        let read = Call::get(&format!("/dispatches/{dispatch}"));
        applied.gateway.call(&applied.token, read).await.is(200).json()
    };
    assert_eq!(state().await["status"], "provided");
    for _ in 0..2 {
        let answer = applied.form(&path, &cookie, &[("form", &form)]).await.is(200);
        assert_eq!(answer.body, PDF);
        assert!(answer.header("content-disposition").starts_with("attachment"));
    }
    let steps = state().await["steps"].clone();
    let kinds: Vec<&Value> = steps.as_array().unwrap().iter().map(|step| &step["kind"]).collect();
    assert_eq!(kinds, ["provided", "retrieved"], "{steps}");
    let line = Call::get(&format!("/dispatches/{dispatch}/timeline"));
    let line = applied.gateway.call(&applied.token, line).await.is(200).json().to_string();
    assert!(line.contains("\"kind\":\"citizen\"") && line.contains(&document), "{line}");
    // What was not provided is not given, though it lies in the case.
    let others = Call::get(&format!("/cases/{}/documents", applied.case));
    let others = applied.gateway.call(&applied.token, others).await.is(200).json();
    for other in others["items"].as_array().unwrap().iter().filter(|it| it["id"] != document.as_str()) {
        let path = format!("/citizen/case/documents/{dispatch}/{}/{sha256}", other["id"].as_str().unwrap());
        applied.form(&path, &cookie, &[("form", &form)]).await.is(404);
    }
    for none in [&"0".repeat(64), "x"] {
        let path = format!("/citizen/case/documents/{dispatch}/{document}/{none}");
        applied.form(&path, &cookie, &[("form", &form)]).await.is(404);
    }
    applied.end().await;
}

#[tokio::test]
async fn forms_of_other_sites_and_sessions_are_refused() {
    let applied = Applied::new().await;
    let cookie = applied.session().await;
    let html = text(&applied.get("/citizen/case", &cookie).await);
    let form = form_token(&html);
    let elsewhere = Request::post("/citizen/logout")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("form={form}")))
        .unwrap();
    applied.gateway.knock(elsewhere).await.is(403);
    applied.form("/citizen/logout", &cookie, &[("form", "x")]).await.is(403);
    applied.form("/citizen/logout", "", &[("form", form)]).await.is(403);
    let gone = applied.form("/citizen/logout", &cookie, &[("form", form)]).await.is(303);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    for broken in
        ["__Host-amtsbote=x", "__Host-amtsbote=a.b", "__Host-amtsbote=", &cookie[..cookie.len() - 1]]
    {
        applied.get("/citizen/case", broken).await.is(403);
    }
}

#[tokio::test]
async fn a_link_for_a_missing_document_is_good_once() {
    let applied = Applied::new().await;
    let asked = json!({ "what": "Statik <nachweis>", "dueDays": 14 });
    let request = applied.post(&format!("/cases/{}/document-requests", applied.case), asked).await;
    let link = request["link"].as_str().unwrap().strip_prefix("https://buerger.example").unwrap().to_owned();
    assert_eq!(request["task"]["kind"], "missing-document");
    let page = text(&applied.get(&link, "").await.is(200));
    assert!(page.contains("Statik &lt;nachweis&gt;") && !page.contains("Carport"), "{page}");
    let seen = applied.app("/citizen/api/status", applied.known()).await.is(200).json();
    assert_eq!((&seen["state"], &seen["missing"][0]["link"]), (&json!("ACTION_REQUIRED"), &json!(link)));
    for (files, status) in [
        (&[("a.svg", &b"<svg onload=alert(1)>"[..])][..], 415),
        (&[("a.html", &b"<script>"[..])], 415),
        (&[("a.pdf", PDF), ("b.exe", b"MZ\x90")], 415),
        (&[], 400),
        (&[("a.pdf", &[PDF, &vec![0; 1 << 20]].concat())], 413),
        (&[("a.pdf", PDF); 6], 400),
    ] {
        bring(&applied, &link, files).await.is(status);
    }
    let (body, taken) = endless(b"");
    let form = || Request::post(&link).header("content-type", "multipart/form-data; boundary=grenze");
    applied.gateway.knock(form().body(body).unwrap()).await.is(400);
    assert!(taken.load(Relaxed) < 40, "what stands before the form is not held: {taken:?}");
    let (body, taken) = endless(b"--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"");
    applied.gateway.knock(form().body(body).unwrap()).await.is(400);
    assert!(taken.load(Relaxed) < 40, "the head of a part is not held: {taken:?}");
    let documents = async || {
        let call = Call::get(&format!("/cases/{}/documents", applied.case));
        applied.gateway.call(&applied.token, call).await.is(200).json()["items"].as_array().unwrap().clone()
    };
    assert_eq!(documents().await.len(), 2);
    bring(&applied, &link, &[("Statik.pdf", PDF), ("Foto.jpg", b"\xff\xd8\xff\xe0 ...")]).await.is(200);
    let brought = documents().await;
    assert_eq!(brought.len(), 4);
    assert_eq!(brought[2]["versions"][0]["files"][0]["originalName"], "Statik.pdf");
    assert_eq!(brought[2]["versions"][0]["files"][0]["mediaType"], "application/pdf");
    bring(&applied, &link, &[("Statik.pdf", PDF)]).await.is(410);
    applied.get(&link, "").await.is(410);
    let task = Call::get(&format!("/tasks/{}", request["task"]["id"].as_str().unwrap()));
    let task = applied.gateway.call(&applied.token, task).await.is(200).json();
    assert_eq!(task["status"], "done");
    let tasks = applied.gateway.call(&applied.token, Call::get("/tasks?status=open")).await.is(200).json();
    assert_eq!(tasks["items"][0]["kind"], "citizen.documents-brought");
}

#[tokio::test]
async fn a_form_with_a_wrong_file_is_read_to_its_end() {
    let applied = Applied::new().await;
    let asked = json!({ "what": "Statik", "dueDays": 14 });
    let request = applied.post(&format!("/cases/{}/document-requests", applied.case), asked).await;
    let link = request["link"].as_str().unwrap().strip_prefix("https://buerger.example").unwrap().to_owned();
    let large = |head: &[u8]| [head, &vec![0; 3 << 20]].concat();
    let (office, pdf) = (large(b"PK\x03\x04"), large(PDF));
    for (files, status) in [
        (vec![("brief.docx", &*office)], 415),
        (vec![("scan.pdf", &*pdf)], 413),
        (
            vec![
                ("a.pdf", PDF),
                ("a.pdf", PDF),
                ("a.pdf", PDF),
                ("a.pdf", PDF),
                ("a.pdf", PDF),
                ("b.pdf", &pdf),
            ],
            400,
        ),
    ] {
        let (kind, body) = multipart(&files);
        let taken = Arc::new(AtomicUsize::new(0));
        let (count, whole) = (Arc::clone(&taken), body.len());
        let pieces: Vec<Bytes> = body.chunks(16 * 1024).map(Bytes::copy_from_slice).collect();
        let body = Body::from_stream(futures::stream::iter(pieces).map(move |piece| {
            count.fetch_add(piece.len(), Relaxed);
            Ok::<_, std::io::Error>(piece)
        }));
        let form = Request::post(&link).header("content-type", kind).body(body).unwrap();
        let answer = applied.gateway.knock(form).await.is(status);
        assert_eq!(taken.load(Relaxed), whole, "browsers show nothing of an answer that comes before");
        assert!(text(&answer).contains("role=\"alert\""), "the reason is said");
    }
}

#[tokio::test]
async fn links_that_never_were_are_like_those_that_are_over() {
    let applied = Applied::new().await;
    let asked = json!({ "what": "Statik", "dueDays": 14 });
    let request = applied.post(&format!("/cases/{}/document-requests", applied.case), asked).await;
    let link = request["link"].as_str().unwrap().strip_prefix("https://buerger.example").unwrap().to_owned();
    let token = link.rsplit('/').next().unwrap();
    let flipped = format!("{}{}", &token[..42], if token.ends_with('A') { "E" } else { "A" });
    let mut answers = BTreeSet::new();
    for link in [
        format!("/citizen/documents/{flipped}"),
        format!("/citizen/documents/{}", "A".repeat(43)),
        "/citizen/documents/x".to_owned(),
        format!("/citizen/pay/{token}"),
    ] {
        answers.insert(text(&applied.get(&link, "").await.is(410)));
    }
    assert_eq!(answers.len(), 1);
    let cancel = Call::post(&format!("/tasks/{}/cancel", request["task"]["id"].as_str().unwrap()));
    applied.gateway.call(&applied.token, cancel).await.is(200);
    applied.get(&link, "").await.is(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_paid_by_link_or_in_the_session() {
    let mut applied = Applied::new().await;
    applied.provide("Bescheid").await;
    let owed = json!({ "amountCents": 12_345, "purpose": "Gebühr & Auslagen" });
    let claim = applied.post(&format!("/cases/{}/claims", applied.case), owed).await;
    let id = claim["id"].as_str().unwrap();
    let link = applied.gateway.call(&applied.token, Call::get(&format!("/claims/{id}/payment-link"))).await;
    let link = link.is(200).json()["link"].as_str().unwrap().replace("https://buerger.example", "");
    let page = text(&applied.get(&link, "").await.is(200));
    assert!(page.contains("123,45") && page.contains("Gebühr &amp; Auslagen"), "{page}");
    let paying = text(&applied.form(&link, "", &[]).await.is(200));
    assert!(paying.contains("href=\"https://"), "{paying}");
    let cookie = applied.session().await;
    let html = text(&applied.get("/citizen/case", &cookie).await.is(200));
    assert!(html.contains("Wir warten auf Sie"), "{html}");
    let form = form_token(&html).to_owned();
    let path = format!("/citizen/case/claims/{id}");
    // The payment that is open goes on.
    let same = text(&applied.form(&path, &cookie, &[("form", &form)]).await.is(200));
    let href = |html: &str| {
        html.split("class=\"button main\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(href(&same), href(&paying));
    let cancel = Call::post(&format!("/claims/{id}/cancellation"));
    applied.gateway.call(&applied.token, cancel).await;
    applied.end().await;
}

#[tokio::test]
async fn a_citizen_chooses_only_ways_that_somebody_carries() {
    let applied = Applied::new().await;
    let cookie = applied.session().await;
    let html = text(&applied.get("/citizen/case", &cookie).await.is(200));
    assert!(html.contains("value=\"portal\"") && !html.contains("value=\"mail\""), "{html}");
    let form = form_token(&html);
    applied.form("/citizen/case/way", &cookie, &[("form", form), ("way", "portal")]).await.is(303);
    let case = applied.gateway.call(&applied.token, Call::get(&format!("/cases/{}", applied.case))).await;
    assert_eq!(case.is(200).json()["parties"][0]["prefers"], "portal");
    let mut body = applied.known();
    body["prefers"] = json!("mail");
    assert_eq!(applied.app("/citizen/api/way", body).await.is(422).code(), "broker.unknown-way");
    let mut body = applied.known();
    body["subscription"] =
        json!({ "endpoint": "https://push.example/x", "keys": { "p256dh": "x", "auth": "x" } });
    // Nobody pushes for this case.
    assert_eq!(applied.app("/citizen/api/push", body).await.is(422).code(), "broker.unknown-way");
}
