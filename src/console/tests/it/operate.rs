//! The operators' places: who sees them, that what comes from outside stays text, and that acts do what they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use broker::{
    AlertRule, AlertSeverity, Alerts, CertificateEnd, CertificateOf, ConfigurationDigest, Mailer, PackDigest,
};
use model::{Failure, Id};
use serde_json::{Value, json};

use crate::bed::{Bed, FORM};
use crate::desk::value_of;
use crate::gateway::{Answer, Call, Gateway};

/// Pages of operators, and of those who look after what is kept, without ids, and a role that sees each; a clerk of unit 63 sees none of them but messages and partners.
const PLACES: &[(&str, &str)] = &[
    ("/overview", "operator"),
    ("/messages", "operator"),
    ("/messages/resend", "operator"),
    ("/partners", "operator"),
    ("/partners/new", "admin"),
    ("/schemas", "operator"),
    ("/adapters", "operator"),
    ("/figures", "operator"),
    ("/alerts", "operator"),
    ("/evidence", "auditor"),
    ("/audit", "operator"),
    ("/retention", "admin"),
    ("/retention/holds", "records-manager"),
    ("/dispositions", "records-manager"),
];

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// A message that no standard knows: it comes back to its sender.
async fn unreadable(bed: &Bed) -> Id {
    let sent = Call::post("/messages?fileName=%3Cscript%3E.xml").with("content-type", "application/xml");
    let sent = bed.gateway.call(&bed.token, sent.bytes("<who-knows/>")).await.is(202).json();
    sent["id"].as_str().unwrap().parse().unwrap()
}

async fn state(bed: &Bed, id: Id) -> String {
    let message = bed.gateway.call(&bed.token, Call::get(&format!("/messages/{id}"))).await.is(200).json();
    message["state"].as_str().unwrap().to_owned()
}

/// A message that an operator has put aside.
pub(crate) async fn facts_of_stuck(bed: &Bed) -> Value {
    let id = unreadable(bed).await;
    bed.send("operator", &format!("/messages/{id}/park"), &[("note", "wartet auf den Absender")])
        .await
        .is(303);
    json!({ "message": id })
}

/// A case file, of which there is evidence.
pub(crate) async fn facts_of_evidence(bed: &Bed) -> Value {
    json!({ "case": case_file(bed, "Neubau Gartenstraße").await })
}

async fn case_file(bed: &Bed, title: &str) -> String {
    let file = json!({ "title": title, "unit": "63" });
    let made: Value = bed.gateway.call(&bed.token, Call::post("/case-files").json(file)).await.is(201).json();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_place_is_shown_in_both_languages_to_its_role_and_to_no_other() {
    let bed = Bed::start().await;
    let part = bed.see("operator", "/overview?part=board").await.is(200);
    assert!(part.header("content-security-policy").starts_with("default-src 'none'"));
    for (path, role) in PLACES {
        for lang in ["de", "en"] {
            let shown = bed.see(role, &format!("{path}?lang={lang}")).await.is(200);
            let page = text(&shown);
            assert_eq!(page.matches("<h1>").count(), 1, "{path}");
            assert!(!page.contains(" style=") && !page.contains("onclick"), "{path}");
        }
        bed.see("cashier", path).await.is(403);
        bed.see("nobody", path).await.is(303);
    }
}

#[tokio::test]
async fn the_overview_says_what_key_pairs_are_for_and_that_nobody_needs_a_second_person() {
    let bed = Bed::start().await;
    let now = bed.gateway.broker.now();
    let pair = |name: &str, tenant: Option<&str>, days: u64| CertificateEnd {
        name: name.to_owned(),
        until: now.plus(Duration::from_secs(days * 86_400 + 3_600)),
        of: CertificateOf::KeyPair(tenant.map(str::to_owned)),
    };
    let all =
        vec![pair("tls", None, 300), pair("dvdv identity", None, 5), pair("adapter fax", Some("unna"), 3)];
    let broker = bed.gateway.broker.clone().with_certificates(all);
    let page = text(&bed.over(broker).see("operator", "/overview").await.is(200));
    for said in [
        "<span class=\"figure\">1</span> <span class=\"label\">Zertifikate laufen ab</span>",
        "Auskunft im DVDV",
        "dvdv identity",
        "5 Tage",
        "TLS der Zugänge dieses Gateways",
        "300 Tage",
        "Vier-Augen-Prinzip",
        "four_eyes = true",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("adapter fax"), "another tenant's: {page}");
    let careful = text(&Bed::careful().await.see("operator", "/overview").await.is(200));
    assert!(!careful.contains("Vier-Augen-Prinzip"), "{careful}");
}

/// Counts the e-mails that go out.
#[derive(Default)]
struct Mails(AtomicUsize);

#[async_trait]
impl Mailer for Mails {
    async fn mail(&self, _: &str, _: &str, _: &str) -> Result<(), Failure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_leads_to_what_came_of_it_and_looking_again_tells_nobody() {
    let bed = Bed::start().await;
    let rule = AlertRule {
        id: "platte".into(),
        series: "disk.free".into(),
        label: None,
        above: None,
        below: Some(1e9),
        lasting: Duration::from_secs(60),
        severity: AlertSeverity::Warning,
        to: vec!["leitstelle@kreis.example".into()],
        hook: None,
        repeat: None,
    };
    let mails = Arc::new(Mails::default());
    let alerts = Alerts { rules: vec![rule], mailer: Some(mails.clone()) };
    let broker = bed.gateway.broker.clone().with_alerts(alerts);
    let bed = bed.over(broker);
    bed.send("operator", "/alerts/other/test", &[]).await.is(404);
    let begun = bed.send("operator", "/alerts/platte/test", &[]).await.is(303);
    let path = begun.header("location").trim_start_matches("/console").to_owned();
    let mut page = String::new();
    for _ in 0..200 {
        page = text(&bed.see("operator", &path).await.is(200));
        if page.contains("leitstelle@kreis.example") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(page.contains("leitstelle@kreis.example") && page.contains("angenommen"), "{page}");
    bed.see("operator", &path).await.is(200);
    assert_eq!(mails.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn whoever_has_one_thing_to_do_is_sent_there() {
    let bed = Bed::start().await;
    for (role, place) in
        [("operator", "/console/overview"), ("auditor", "/console/evidence"), ("clerk", "/console/desk")]
    {
        let sent = bed.see(role, "/").await.is(303);
        assert!(sent.header("location").starts_with(place), "{role}: {}", sent.header("location"));
    }
    bed.see("all", "/").await.is(200);
}

#[tokio::test]
async fn what_differs_in_configuration_and_schema_packs_stands_in_the_audit_log_by_name() {
    let bed = Bed::start().await;
    let packs = [PackDigest { pack: "urn_x-1".into(), namespaces: vec!["urn:x".into()], sha256: "0".into() }];
    for (file, packs) in [("first", &packs[..]), ("second", &packs[..0])] {
        let keys = [("policy.four_eyes".to_owned(), file.to_owned())].into();
        let with = ConfigurationDigest { file: file.into(), keys };
        bed.gateway.broker.note_works_with(&with, packs).await.unwrap();
    }
    let log = text(&bed.see("auditor", "/audit?kind=configuration.changed").await.is(200));
    assert!(log.contains("Konfiguration geändert") && log.contains("policy.four_eyes"), "{log}");
    let log = text(&bed.see("auditor", "/audit?kind=schemas.changed&lang=en").await.is(200));
    for shown in ["schema packs changed", "+ urn_x-1", "- urn_x-1"] {
        assert!(log.contains(shown), "{shown}: {log}");
    }
}

#[tokio::test]
async fn a_stuck_message_is_found_and_resent_with_a_note_that_the_audit_log_shows() {
    let bed = Bed::start().await;
    let id = unreadable(&bed).await;
    bed.send("operator", &format!("/messages/{id}/park"), &[("note", "erst <b>ansehen</b>")]).await.is(303);
    assert_eq!(state(&bed, id).await, "parked");
    let list = text(&bed.see("operator", "/messages?state=parked").await.is(200));
    assert!(list.contains(&id.to_string()) && list.contains("message.parked-by-hand"), "{list}");
    for path in [
        format!("/messages?q={id}"),
        "/messages?rule=message.parked-by-hand&door=rest&direction=in".to_owned(),
    ] {
        assert!(text(&bed.see("operator", &path).await.is(200)).contains(&id.to_string()), "{path}");
    }
    for path in [
        "/messages?rule=other",
        "/messages?state=parked&door=xta",
        "/messages?since=2999-01-01",
        "/messages?until=2020-01-01",
    ] {
        assert!(!text(&bed.see("operator", path).await.is(200)).contains(&id.to_string()), "{path}");
    }
    let page = text(&bed.see("operator", &format!("/messages/{id}?lang=en")).await.is(200));
    assert!(page.contains("erst &lt;b&gt;ansehen&lt;/b&gt;") && page.contains("Try again"), "{page}");
    let stale = [("once", &*value_of(&page, "once")), ("seen", &*value_of(&page, "seen"))];
    bed.send("operator", &format!("/messages/{id}/resend"), &[("note", "Leitung steht wieder")])
        .await
        .is(303);
    assert_eq!(state(&bed, id).await, "accepted");
    let refused = text(&bed.send("operator", &format!("/messages/{id}/return"), &stale).await.is(409));
    assert!(refused.contains("model.version-conflict"), "another page showed it as it was: {refused}");
    assert_eq!(state(&bed, id).await, "accepted");
    let log = text(&bed.see("operator", "/audit").await.is(200));
    assert!(log.contains("Leitung steht wieder") && log.contains("noch einmal versucht"), "{log}");
    for (role, leads) in [("operator", true), ("admin", false)] {
        let log = text(&bed.see(role, "/audit").await.is(200));
        assert!(log.contains(&id.to_string()), "{role}: {log}");
        assert_eq!(log.contains(&format!("/messages/{id}")), leads, "{role} may not read messages: {log}");
    }
    let log = text(&bed.see("auditor", &format!("/audit?kind=message.resent&subject={id}")).await.is(200));
    assert!(log.contains("Leitung steht wieder") && !log.contains("ansehen"), "{log}");
    let log = text(&bed.see("auditor", "/audit?subject=irgendwas").await.is(200));
    assert!(!log.contains("Leitung steht wieder"), "what is no id has no acts: {log}");
    let page = text(&bed.see("operator", &format!("/messages/{id}")).await.is(200));
    assert!(page.contains("message.returned-by-hand"), "what the sender is told: {page}");
    let once = value_of(&page, "once");
    for _ in 0..2 {
        let sent = bed.send("operator", &format!("/messages/{id}/return"), &[("once", &once)]).await.is(303);
        assert!(sent.header("location").starts_with(&format!("/console/messages/{id}?done=return")));
    }
    assert_eq!(state(&bed, id).await, "returned");
    bed.send("operator", &format!("/messages/{id}/resend"), &[]).await.is(409);
}

#[tokio::test]
async fn many_are_counted_before_they_are_tried_again() {
    let bed = Bed::start().await;
    let id = unreadable(&bed).await;
    bed.send("operator", &format!("/messages/{id}/park"), &[]).await.is(303);
    let counted = text(&bed.see("operator", "/messages/resend?rule=message.parked-by-hand").await.is(200));
    assert!(counted.contains("<span class=\"figure\">1</span>"), "{counted}");
    assert_eq!(state(&bed, id).await, "parked", "counting does nothing");
    bed.send("operator", "/messages/resend", &[("since", "bald")]).await.is(409);
    // What leads there is about as many as are counted beside it, not about what else the list is filtered by.
    let list = text(&bed.see("operator", "/messages?state=parked&door=rest&lang=en").await.is(200));
    assert!(list.contains("/console/messages/resend?rule=message.parked-by-hand&amp;lang=en"), "{list}");
    let begun = bed.send("operator", "/messages/resend", &[("rule", "message.parked-by-hand")]).await.is(303);
    let path = begun.header("location").trim_start_matches("/console").to_owned();
    bed.see("operator", &path).await.is(200);
    bed.see("clerk-unna", &path).await.is(404);
    let workers = bed.gateway.work().await;
    for _ in 0..200 {
        if state(&bed, id).await == "returned" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(state(&bed, id).await, "returned", "it was tried again, and is still unreadable");
    workers.stop().await;
}

#[tokio::test]
async fn what_is_another_tenants_or_no_id_is_not_there() {
    let bed = Bed::start().await;
    let id = unreadable(&bed).await;
    for path in
        [format!("/messages/{id}"), format!("/messages/{}", Id::nil()), "/messages/%3Cscript%3E".to_owned()]
    {
        bed.see("clerk-unna", &path).await.is(404);
    }
    assert!(
        !text(&bed.see("clerk-unna", &format!("/messages?q={id}")).await.is(200))
            .contains(&format!("/messages/{id}"))
    );
    bed.send("clerk-unna", &format!("/messages/{id}/park"), &[]).await.is(403);
    bed.see("operator", "/partners/unknown").await.is(404);
    bed.see("operator", &format!("/tries/{id}")).await.is(404);
    bed.see("operator", &format!("/operations/{id}")).await.is(404);
}

#[tokio::test]
async fn what_is_typed_into_a_filter_stays_text() {
    let bed = Bed::start().await;
    let wild = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/messages?q=",
        "/messages?partner=",
        "/messages?rule=",
        "/messages?type=",
        "/audit?subject=",
        "/evidence?q=",
        "/figures?label=",
    ] {
        let page = text(&bed.see("all", &format!("{path}{wild}")).await.is(200));
        assert!(!page.contains("<script>alert"), "{path}");
    }
    for path in [
        "/messages?after=x",
        "/messages?since=x&until=y&state=z&direction=q",
        "/audit?after=1&kind=none",
        "/messages?q=%00",
    ] {
        let status = bed.see("all", path).await.status.as_u16();
        assert!(status < 500, "{path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_that_no_document_can_hold_are_not_taken() {
    let bed = Bed::start().await;
    for path in ["/cases?q=%00", "/users?q=a%1B", "/partners/%00", "/partners/a%0Ab"] {
        assert_eq!(bed.see("all", path).await.status, 404, "{path}");
    }
    let partner = |name| [("id", "archiv"), ("name", name), ("authority", "bab:05978000"), ("settings", "")];
    assert_eq!(bed.send("admin", "/partners/new", &partner("Archiv\0")).await.status, 403);
    assert_eq!(bed.see("admin", "/partners/archiv").await.status, 404);
    assert_eq!(bed.send("admin", "/partners/new", &partner("Archiv")).await.status, 303);
}

#[tokio::test]
async fn a_form_without_the_sessions_token_does_nothing() {
    let bed = Bed::start().await;
    let id = unreadable(&bed).await;
    for (body, from) in [("", "same-origin"), ("form=x", "same-origin"), ("form=f", "cross-site")] {
        let request = Request::post(format!("/console/messages/{id}/park")).header("cookie", "test=operator");
        let request = request
            .header("sec-fetch-site", from)
            .header("content-type", "application/x-www-form-urlencoded");
        Gateway::ask(&bed.pages, request.body(Body::from(body)).unwrap()).await.is(403);
    }
    assert_eq!(state(&bed, id).await, "accepted");
}

#[tokio::test]
async fn a_partner_is_added_changed_and_tried_and_nobody_overwrites_what_another_wrote() {
    let bed = Bed::start().await;
    let fields = [
        ("id", "unna"),
        ("name", "Amt <Unna>"),
        ("authority", "bab:05978000"),
        ("settings", "{\"mostBytes\": 5000}"),
    ];
    let wrong = [("id", "unna"), ("name", "Unna"), ("authority", "no key"), ("settings", "")];
    assert!(text(&bed.send("admin", "/partners/new", &wrong).await.is(422)).contains("aria-invalid"));
    bed.send("operator", "/partners/new", &fields).await.is(403);
    bed.send("admin", "/partners/new", &fields).await.is(303);
    let list = text(&bed.see("operator", "/partners").await.is(200));
    assert!(list.contains("Amt &lt;Unna&gt;") && !list.contains("Amt <Unna>"), "{list}");
    let changed = [("version", "1"), ("name", "Unna"), ("authority", "bab:05978000"), ("settings", "")];
    bed.send("admin", "/partners/unna", &changed).await.is(303);
    bed.send("admin-2", "/partners/unna", &changed).await.is(409);
    // A form that comes back still says which version was seen.
    let late = [("version", "1"), ("name", ""), ("authority", "bab:05978000"), ("settings", "")];
    let again = text(&bed.send("admin-2", "/partners/unna", &late).await.is(422));
    assert!(again.contains("name=\"version\" value=\"1\""), "{again}");
    for (sought, is_there) in [("UNN", true), ("05978", true), ("nirgends", false)] {
        let list = text(&bed.see("operator", &format!("/partners?q={sought}")).await.is(200));
        assert_eq!(list.contains("/partners/unna"), is_there, "{sought}");
    }
    let page = text(&bed.see("operator", "/partners/unna").await.is(200));
    assert!(page.contains("Verbindung prüfen") && !page.contains("partner-settings"), "{page}");
    assert!(text(&bed.see("auditor", "/audit").await.is(200)).contains("Partner geändert"));
    let begun = bed.send("operator", "/partners/unna/test", &[]).await.is(303);
    let path = begun.header("location").trim_start_matches("/console").to_owned();
    bed.see("operator", &path).await.is(200);
    bed.see("clerk-unna", &path).await.is(403);
    bed.see("auditor", &path).await.is(404);
}

/// A form with a file, as browsers send it.
async fn upload(bed: &Bed, visitor: &str, path: &str, form: &str, bytes: &[u8]) -> Answer {
    let head = format!(
        "--x\r\ncontent-disposition: form-data; name=\"form\"\r\n\r\n{form}\r\n--x\r\ncontent-disposition: form-data; \
         name=\"file\"; filename=\"a.xml\"\r\ncontent-type: application/xml\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--x--\r\n"].concat();
    let request = Request::post(format!("/console{path}")).header("cookie", format!("test={visitor}"));
    let request = request
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=x");
    Gateway::ask(&bed.pages, request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_dry_run_reports_on_a_file_and_keeps_nothing() {
    let bed = Bed::start().await;
    let fields = [("id", "unna"), ("name", "Unna"), ("authority", "bab:05978000"), ("settings", "")];
    bed.send("admin", "/partners/new", &fields).await.is(303);
    let shown = upload(&bed, "operator", "/partners/unna/dry-run", FORM, b"<who-knows/>").await.is(200);
    assert!(text(&shown).contains("message.unknown"), "{}", text(&shown));
    // The answer to a form has no address: none is offered in the other language, and whoever goes there is told.
    assert!(!text(&shown).contains("hreflang"), "{}", text(&shown));
    assert!(text(&bed.see("operator", "/partners/unna/dry-run").await.is(404)).contains("<h1>"));
    upload(&bed, "operator", "/partners/unna/dry-run", "x", b"<who-knows/>").await.is(403);
    upload(&bed, "admin", "/partners/unna/dry-run", FORM, b"<who-knows/>").await.is(403);
    let messages = bed.gateway.call(&bed.token, Call::get("/messages")).await.is(200).json();
    assert_eq!(messages["items"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn evidence_is_exported_verified_and_a_changed_bundle_is_told_from_a_whole_one() {
    let bed = Bed::start().await;
    let id = case_file(&bed, "Akte <1>").await;
    let found = text(&bed.see("auditor", &format!("/evidence?q={id}")).await.is(200));
    assert!(found.contains("Akte &lt;1&gt;"), "{found}");
    bed.send("operator", "/evidence/export", &[("root", &id)]).await.is(403);
    let bundle = bed.send("auditor", "/evidence/export", &[("root", &id)]).await.is(200);
    assert_eq!(bundle.header("content-type"), "application/zip");
    let whole = text(&upload(&bed, "auditor", "/evidence/verify", FORM, &bundle.body).await.is(200));
    assert!(whole.contains("vollständig, unverändert und von diesem Gateway signiert"), "{whole}");
    let mut broken = bundle.body.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    let told = text(&upload(&bed, "auditor", "/evidence/verify", FORM, &broken).await.is(200));
    assert!(told.contains("role=\"alert\""), "{told}");
    assert!(text(&bed.see("auditor", "/audit").await.is(200)).contains("Beweise exportiert"));
    let begun = bed.send("auditor", "/evidence/check", &[]).await.is(303);
    bed.see("auditor", begun.header("location").trim_start_matches("/console")).await.is(200);
}

#[tokio::test]
async fn pages_of_a_list_lead_from_one_to_the_next() {
    let bed = Bed::start().await;
    for at in 0..51 {
        let sent = Call::post("/messages").with("content-type", "application/xml");
        bed.gateway.call(&bed.token, sent.bytes(format!("<who-knows>{at}</who-knows>"))).await.is(202);
    }
    // A partner's key leads to a list that has pages, too.
    let sought = bed.see("operator", "/messages?q=bab:05974028").await.is(303);
    assert!(sought.header("location").starts_with("/console/messages?partner=bab%3A05974028&"));
    let first = text(&bed.see("operator", "/messages?direction=in&lang=en").await.is(200));
    assert_eq!(first.matches("<th scope=\"row\">").count(), 50);
    let link =
        first.split("rel=\"next\" href=\"/console").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let second = text(&bed.see("operator", &link.replace("&amp;", "&")).await.is(200));
    assert_eq!(second.matches("<th scope=\"row\">").count(), 1);
}
