//! Citizens' pages: notices that lie there, how long a session lasts, browsers of all ages, and what ends with access.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::citizen_bed::{Applied, application, apply, form_token, text};
use crate::gateway::{Answer, Call};

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_without_documents_lies_on_the_page_as_plain_text() {
    let mut applied = Applied::new().await;
    applied.provide("Bescheid").await;
    let notice =
        json!({ "subject": "Neues <b>von uns</b>", "text": "Erste Zeile\n<script>alert(1)</script> & mehr" });
    let new = json!({ "case": applied.case, "kind": "notification", "documents": [], "way": "portal", "notice": notice });
    let dispatch = applied.post("/dispatches", new).await["id"].as_str().unwrap().to_owned();
    let path = format!("/dispatches/{dispatch}");
    applied.gateway.until(&applied.token, &path, |it| it["status"] == "provided").await;
    let cookie = applied.session().await;
    let html = text(&applied.get("/citizen/case", &cookie).await.is(200));
    assert!(html.contains("Neues &lt;b&gt;von uns&lt;/b&gt;"), "{html}");
    assert!(html.contains("Erste Zeile\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; mehr"), "{html}");
    assert!(!html.contains("<script"), "{html}");
    let seen = applied.app("/citizen/api/status", applied.known()).await.is(200).json();
    assert_eq!(seen["notices"][0]["subject"], notice["subject"]);
    assert_eq!(
        (seen["notices"].as_array().unwrap().len(), seen["documents"].as_array().unwrap().len()),
        (1, 1)
    );
    applied.end().await;
}

#[tokio::test]
async fn each_look_at_the_case_renews_the_session_and_says_until_when() {
    let applied = Applied::new().await;
    let cookie = applied.session().await;
    let page = applied.get("/citizen/case", &cookie).await.is(200);
    let renewed = page.header("set-cookie");
    for part in ["__Host-", "; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Strict", "Max-Age=1"] {
        assert!(renewed.contains(part), "{renewed}");
    }
    let html = text(&page);
    assert!(html.contains("Angemeldet bis ") && html.contains("Sitzung verlängern"), "{html}");
    let english = text(&applied.get("/citizen/case?lang=en", &cookie).await.is(200));
    assert!(english.contains("Signed in until ") && english.contains("Extend the session"), "{english}");
    // What is open in another window can still be sent.
    let renewed = renewed.split(';').next().unwrap().to_owned();
    let form = form_token(&html);
    applied.form("/citizen/case/apps/end", &renewed, &[("form", form)]).await.is(303);
}

#[tokio::test]
async fn browsers_that_only_tell_the_origin_can_send_forms() {
    let applied = Applied::new().await;
    let sent = async |origin: &str, host: &str| -> Answer {
        let request = Request::post("/citizen/login")
            .header("origin", origin)
            .header("host", host)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("number={}&secret={}", applied.number, applied.secret)))
            .unwrap();
        applied.gateway.knock(request).await
    };
    sent("https://buerger.example", "buerger.example").await.is(303);
    // Behind a proxy that names another host.
    sent("https://buerger.example", "10.0.0.7:8444").await.is(303);
    sent("https://boese.example", "buerger.example").await.is(403);
    sent("null", "buerger.example").await.is(403);
    for path in ["/citizen/", "/citizen/accessibility", "/citizen/documents/x"] {
        assert_eq!(applied.get(path, "").await.header("referrer-policy"), "same-origin", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_access_the_links_end_that_were_given() {
    let mut applied = Applied::new().await;
    applied.provide("Bescheid").await;
    let asked = json!({ "what": "Statik", "dueDays": 14 });
    let request = applied.post(&format!("/cases/{}/document-requests", applied.case), asked).await;
    let owed = json!({ "amountCents": 12_345, "purpose": "Gebühr" });
    let claim = applied.post(&format!("/cases/{}/claims", applied.case), owed).await;
    let link = Call::get(&format!("/claims/{}/payment-link", claim["id"].as_str().unwrap()));
    let pay = applied.gateway.call(&applied.token, link).await.is(200).json();
    let here = |link: &serde_json::Value| link.as_str().unwrap().replace("https://buerger.example", "");
    let links = [here(&request["link"]), here(&pay["link"])];
    for link in &links {
        applied.get(link, "").await.is(200);
    }
    let path = format!("/cases/{}/citizen-access", applied.case);
    applied.gateway.call(&applied.token, Call::new("DELETE", &path)).await.is(204);
    for link in &links {
        applied.get(link, "").await.is(410);
        applied.form(link, "", &[("x", "y")]).await;
    }
    // The portal's repetition has its answer, and that opens nothing any more.
    let again = applied.gateway.call(&applied.token, apply("k1", application())).await.is(201).json();
    assert_eq!(again["secret"], applied.secret.as_str());
    applied.enter(&applied.number, &applied.secret).await.is(403);
    applied.end().await;
}

#[tokio::test]
async fn an_app_that_never_wanted_messages_may_say_so() {
    let applied = Applied::new().await;
    let mut body = applied.known();
    body["endpoint"] = json!("https://push.example/x");
    applied.app("/citizen/api/push/end", body.clone()).await.is(204);
    body["secret"] = json!("x");
    assert_eq!(applied.app("/citizen/api/push/end", body).await.is(403).code(), "citizen.refused");
}

#[tokio::test]
async fn a_portal_gives_no_number_of_its_own() {
    let applied = Applied::new().await;
    let mut body = application();
    body["references"] = json!([{ "kind": "citizen", "value": applied.number }]);
    let refused = applied.gateway.call(&applied.token, apply("k2", body)).await.is(400);
    assert_eq!(refused.code(), "model.invalid");
    let amend = json!({ "references": [{ "kind": "dms", "value": "7" }] });
    let path = format!("/cases/{}", applied.case);
    let version =
        applied.gateway.call(&applied.token, Call::get(&path)).await.is(200).json()["version"].clone();
    let patch = Call::new("PATCH", &path).with("if-match", format!("\"{version}\"")).json(amend);
    applied.gateway.call(&applied.token, patch).await.is(200);
    applied.session().await;
}
