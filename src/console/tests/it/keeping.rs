//! What becomes of records in the end: bars to destruction are set, listed and lifted; what an archive is done with is destroyed by two; a
//! run of deletion shows how far it is.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::desk::{HOSTILE, case, id, is_theirs_alone, led, text, value_of};
use crate::gateway::{ALL_ROLES, Call};

/// What a list of bars says of each.
const ROW: &str = "<td>Klage</td>";

async fn hold(bed: &Bed, case: &str) {
    let hold = Call::post(&format!("/cases/{case}/hold")).json(json!({ "reason": "Klage" }));
    bed.gateway.call(&bed.token, hold).await.is(200);
}

/// A disposition of two closed cases, both of which the archive has appraised for destruction.
async fn disposed(bed: &Bed) -> (String, [String; 2]) {
    let cases = [case(bed, "Bauantrag", "A-10").await, case(bed, "Bauvoranfrage", "A-11").await];
    for case in &cases {
        let close = Call::post(&format!("/cases/{case}/close"));
        bed.gateway.call(&bed.token, close).await.is(200);
    }
    let wanted = json!({ "kind": "disposition", "to": "bab:05978000", "objects": cases,
        "standard": "xdomea", "version": "3.0.0", "wantsReceipt": false });
    let started = bed.gateway.call(&bed.token, Call::post("/exchanges").json(wanted)).await.is(202).json();
    let archive = bed.gateway.token("unna", "*", "*", ALL_ROLES).await;
    let has_come = |json: &Value| json["items"][0]["objects"].as_array().is_some_and(|all| all.len() == 2);
    let there = bed.gateway.until(&archive, "/exchanges", has_come).await["items"][0].clone();
    let objects = there["objects"].as_array().unwrap().iter();
    let appraisals: Vec<Value> =
        objects.map(|it| json!({ "objectId": it["objectId"], "disposition": "destroy" })).collect();
    let appraise = Call::post(&format!("/exchanges/{}/appraisals", id(&there)));
    bed.gateway.call(&archive, appraise.json(json!({ "appraisals": appraisals }))).await.is(200);
    let exchange = id(&started);
    let is_told = |json: &Value| {
        json["objects"].as_array().unwrap().iter().all(|object| object["appraisal"].is_object())
    };
    bed.gateway.until(&bed.token, &format!("/exchanges/{exchange}"), is_told).await;
    (exchange, cases)
}

/// For a browser: a disposition, and a case in it.
pub(crate) async fn facts_of_disposing(bed: &Bed) -> Value {
    let workers = bed.gateway.work().await;
    let (exchange, [case, _]) = disposed(bed).await;
    workers.stop().await;
    json!({ "exchange": exchange, "case": case })
}

#[tokio::test]
async fn a_bar_is_set_and_lifted_on_the_page_of_its_record_as_it_was_seen() {
    let bed = Bed::start().await;
    let case = case(&bed, "Bauantrag", "A-7").await;
    let path = format!("/cases/{case}");
    let (hold, lift) = (format!("{path}/hold"), format!("{path}/lift-hold"));
    assert!(!is_theirs_alone(&bed, &path).await.contains(&hold), "clerks bar nothing");
    bed.send("clerk", &hold, &[("reason", "Klage")]).await.is(403);

    let page = text(&bed.see("records-manager", &path).await.is(200));
    let (version, once) = (value_of(&page, "version"), value_of(&page, "once"));
    bed.send("records-manager", &hold, &[("reason", ""), ("version", &version)]).await.is(409);
    let fields = [("reason", HOSTILE), ("version", &*version), ("once", &*once)];
    for _ in 0..2 {
        assert!(led(&bed.send("records-manager", &hold, &fields).await).contains("done=held"));
    }
    let other = [("reason", "anders"), ("version", &*version)];
    bed.send("records-manager", &hold, &other).await.is(409);
    assert!(text(&bed.see("clerk", &path).await.is(200)).contains("alert(1)"), "whoever works on it is told");

    for (visitor, leads) in [("records-manager", true), ("admin", false)] {
        let list = text(&bed.see(visitor, "/retention/holds").await.is(200));
        assert!(list.contains(&case) && !list.contains("<script>alert"), "{visitor}: {list}");
        assert_eq!(list.contains(&format!("/console{path}?")), leads, "{visitor} may not see it: {list}");
    }
    bed.see("clerk", "/retention/holds").await.is(403);

    bed.send("records-manager", &lift, &[("version", &version)]).await.is(409);
    let version = value_of(&text(&bed.see("records-manager", &path).await.is(200)), "version");
    let lifted = bed.send("records-manager", &lift, &[("version", &version)]).await;
    assert!(led(&lifted).contains("done=lifted"));
    let list = text(&bed.see("records-manager", "/retention/holds").await.is(200));
    assert!(list.contains("class=\"empty\""), "{list}");
}

#[tokio::test]
async fn a_document_is_barred_on_its_own_page_and_the_case_around_it_says_so() {
    let bed = Bed::start().await;
    let case = case(&bed, "Bauantrag", "A-8").await;
    let new = Call::post(&format!("/cases/{case}/documents")).json(json!({ "title": "Bescheid" }));
    let document = id(&bed.gateway.call(&bed.token, new).await.is(201).json());
    let path = format!("/documents/{document}");
    let page = text(&bed.see("records-manager", &path).await.is(200));
    let fields = [("reason", "Klage"), ("version", &*value_of(&page, "version"))];
    let led_to = bed.send("records-manager", &format!("{path}/hold"), &fields).await;
    assert!(led(&led_to).starts_with(&format!("/console{path}?done=held")));
    let page = text(&bed.see("clerk", &format!("/cases/{case}")).await.is(200));
    assert!(page.contains("auf etwas anderem in derselben Akte"), "{page}");
}

#[tokio::test]
async fn a_list_of_bars_says_that_there_are_more_and_leads_to_them() {
    let bed = Bed::start().await;
    for number in 0..51 {
        hold(&bed, &case(&bed, "Bauantrag", &format!("B-{number}")).await).await;
    }
    let short = text(&bed.see("admin", "/retention").await.is(200));
    assert!(
        short.contains("Nicht alle stehen hier") && short.contains("/console/retention/holds"),
        "{short}"
    );
    let first = text(&bed.see("admin", "/retention/holds").await.is(200));
    assert_eq!(first.matches(ROW).count(), 50);
    let link =
        first.split("rel=\"next\" href=\"/console").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let second = text(&bed.see("admin", &link.replace("&amp;", "&")).await.is(200));
    assert_eq!(second.matches(ROW).count(), 1);
    assert!(!second.contains("rel=\"next\""), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_archive_is_done_with_is_destroyed_by_two_and_what_is_barred_stays() {
    let bed = Bed::careful().await;
    // A hand-over that failed would be a task about the case.
    bed.gateway.outside.is_well();
    let workers = bed.gateway.work().await;
    let (exchange, [free, barred]) = disposed(&bed).await;
    hold(&bed, &barred).await;
    let path = format!("/dispositions/{exchange}");
    let destroy = format!("{path}/destruction");
    bed.see("clerk", &path).await.is(403);
    bed.send("clerk", &destroy, &[("what", "all")]).await.is(403);
    let list = text(&bed.see("records-manager", "/dispositions").await.is(200));
    assert!(list.contains(&path), "{list}");
    let page = text(&bed.see("records-manager", &path).await.is(200));
    assert!(page.contains("model.held") && page.matches("type=\"checkbox\"").count() == 1, "{page}");
    for (case, offers) in [(&free, true), (&barred, false)] {
        let page = text(&bed.see("records-manager", &format!("/cases/{case}")).await.is(200));
        assert_eq!(page.contains(&destroy), offers, "{page}");
    }

    let (version, object) = (value_of(&page, "version"), value_of(&page, "object"));
    let refused = async |who: &str, fields: &[(&str, &str)], code: &str| {
        let said = text(&bed.send(who, &destroy, fields).await.is(409));
        assert!(said.contains(code), "{who} {fields:?}, {code}: {said}");
    };
    let stale = "model.version-conflict";
    refused("records-manager", &[("what", "choice"), ("version", &version)], "model.invalid").await;
    refused("records-manager", &[("what", "all"), ("version", &version)], "model.held").await;
    refused("records-manager", &[("what", "choice"), ("object", &object)], stale).await;
    let chosen = [("what", "choice"), ("object", &*object), ("version", &*version)];
    assert!(led(&bed.send("records-manager", &destroy, &chosen).await).contains("done=asked"));
    refused("records-manager", &chosen, stale).await;
    let own = text(&bed.see("records-manager", &path).await.is(200));
    assert!(own.contains("Von Ihnen beantragt") && !own.contains("value=\"agree\""), "{own}");
    let theirs = text(&bed.see("all", &path).await.is(200));
    refused("all", &chosen, stale).await;
    let now = value_of(&theirs, "version");
    let asks = [("what", "choice"), ("object", &*object), ("version", &*now)];
    refused("records-manager", &asks, "model.second-person").await;
    refused("all", &asks, "model.wrong-state").await;
    refused("all", &[("what", "agree"), ("version", &version)], stale).await;
    let is_there = text(&bed.see("all", &path).await.is(200));
    assert!(is_there.contains("value=\"agree\""), "who asks for the same has not agreed: {is_there}");
    let once = value_of(&theirs, "once");
    let agree = [("what", "agree"), ("version", &*now), ("once", &*once)];
    for _ in 0..2 {
        assert!(led(&bed.send("all", &destroy, &agree).await).contains("done=destroying"));
    }

    let is_gone = |json: &Value| {
        json["objects"].as_array().unwrap().iter().any(|object| object["destroyedAt"].is_string())
    };
    bed.gateway.until(&bed.token, &format!("/exchanges/{exchange}"), is_gone).await;
    let page = text(&bed.see("records-manager", &path).await.is(200));
    assert!(page.contains("model.held") && page.contains("<progress"), "{page}");
    let part = text(&bed.see("records-manager", &format!("{path}?part=yes")).await.is(200));
    assert!(!part.contains("<h1>") && part.contains("<progress"), "{part}");
    let page = text(&bed.see("all", &format!("/cases/{free}")).await.is(200));
    assert!(
        page.contains("versiegelte Ereignisse") && page.contains(&format!("/evidence?q={free}")),
        "{page}"
    );
    assert!(!text(&bed.see("all", &format!("/cases/{barred}")).await.is(200)).contains("versiegelte"));
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_deletion_shows_that_it_is_under_way_and_then_its_proof() {
    let bed = Bed::start().await;
    led(&bed.send("admin", "/retention/run", &[]).await);
    let page = text(&bed.see("admin", "/retention").await.is(200));
    for part in ["bisher 0", "/console/retention?part=runs", "Neu laden"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let workers = bed.gateway.work().await;
    let mut part = String::new();
    for _ in 0..600 {
        part = text(&bed.see("admin", "/retention?part=runs").await.is(200));
        if part.contains("Nachweis herunterladen") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(part.contains("Nachweis herunterladen") && !part.contains("<h1>"), "{part}");
    assert!(!part.contains("part=runs"), "what has ended is not asked for again: {part}");
    workers.stop().await;
}
