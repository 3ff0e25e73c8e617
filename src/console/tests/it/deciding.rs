//! What clerks and the cash office decide on the desk's pages: by two where the house wants that, once, about what the page showed, and
//! within their public services. A task stays on the desk for as long as what it is about waits.

use model::payment::TruthState;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::desk::{case, id, is_theirs_alone, led, paid, parked, text, value_of};
use crate::gateway::Call;

/// The open tasks of Soest of one kind.
async fn tasks(bed: &Bed, kind: &str) -> Vec<String> {
    let listed = bed.gateway.call(&bed.token, Call::get("/tasks?status=open&limit=200")).await.is(200).json();
    let items = listed["items"].as_array().unwrap().iter();
    items.filter(|task| task["kind"] == kind).map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_is_decided_by_two_about_what_they_saw() {
    let bed = Bed::careful().await;
    let workers = bed.gateway.work().await;
    let case = case(&bed, "Bauantrag", "A-5").await;
    let payment = paid(&bed, &case, 2_500).await;
    bed.gateway.till.says(TruthState::Failed);
    let url = format!("{}?again=1", bed.gateway.till.last().notify_url);
    bed.gateway.knock(axum::http::Request::post(url).body("paid".into()).unwrap()).await.is(200);
    let path = format!("/payments/{payment}");
    bed.gateway.until(&bed.token, &path, |json| json["clearing"].is_object()).await;

    assert!(text(&bed.see("cashier", "/desk?kind=money").await.is(200)).contains(&payment));
    let page = is_theirs_alone(&bed, &path).await;
    assert!(page.contains("Hier widerspricht sich etwas") && page.contains("Darüber entscheidet die Kasse"));
    let task = &tasks(&bed, "payment.contradiction").await[0];
    let own = text(&bed.see("cashier", &format!("/tasks/{task}")).await.is(200));
    assert!(own.contains(&path) && !own.contains("/complete"), "it is decided there: {own}");

    let hand_on = format!("/tasks/{task}/hand-on");
    led(&bed.send("cashier", &hand_on, &[("unit", "70")]).await);
    let read = text(&bed.see("cashier-70", &path).await.is(200));
    let acts = ["/clearing", "/refunds"].iter().any(|act| read.contains(&format!("{path}{act}")));
    assert!(!acts && read.contains("Darüber entscheidet die Kasse"), "who was only asked reads it: {read}");

    let clear = format!("{path}/clearing");
    let shown = value_of(&text(&bed.see("cashier", &path).await.is(200)), "shown");
    let keep = [("decision", "keep"), ("shown", &*shown)];
    bed.send("clerk", &clear, &keep).await.is(403);
    for other in ["", "payment.underpaid:1:25"] {
        bed.send("cashier", &clear, &[("decision", "keep"), ("shown", other)]).await.is(409);
    }
    assert!(led(&bed.send("cashier", &clear, &keep).await).contains("done=asked"));
    bed.send("cashier", &clear, &keep).await.is(409);
    assert!(text(&bed.see("all", &path).await.is(200)).contains("Vorgeschlagen"));
    assert!(led(&bed.send("all", &clear, &keep).await).contains("done=decided"));
    bed.send("all", &clear, &keep).await.is(409);
    let cleared = bed.gateway.call(&bed.token, Call::get(&path)).await.is(200).json();
    assert_eq!((&cleared["status"], &cleared["clearing"]), (&json!("paid"), &Value::Null));
    assert!(!text(&bed.see("cashier", "/desk?kind=money").await.is(200)).contains(&payment));
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_with_four_eyes_forwards_a_message_by_two() {
    let bed = Bed::careful().await;
    let message = parked(&bed, "<a/>").await;
    let path = format!("/clarifications/{message}");
    let page = is_theirs_alone(&bed, &path).await;
    assert!(page.contains("Begründung für die zweite Person"), "{page}");
    let (forward, once) = (format!("{path}/forward"), value_of(&page, "once"));
    let to = ("to", "bab:05974028");
    bed.send("clerk", &forward, &[to]).await.is(409);
    bed.send("clerk-waste", &forward, &[to, ("reason", "nicht zuständig")]).await.is(404);
    let asked = [to, ("reason", "nicht zuständig"), ("once", &*once)];
    let first = led(&bed.send("clerk", &forward, &asked).await).to_owned();
    assert_eq!(led(&bed.send("clerk", &forward, &asked).await), first, "pressed twice, asked once");
    let approval = first.strip_prefix("/console").unwrap().split('?').next().unwrap();
    assert!(approval.starts_with("/approvals/"), "{first}");
    let state = async || {
        let shown = bed.gateway.call(&bed.token, Call::get(&format!("/messages/{message}"))).await;
        shown.is(200).json()["state"].clone()
    };
    assert_eq!(state().await, "parked", "nothing is done before somebody agrees");
    bed.see("clerk", approval).await.is(200);
    bed.send("clerk", &format!("{approval}/agree"), &[]).await.is(409);
    led(&bed.send("operator", &format!("{approval}/agree"), &[]).await);
    assert_eq!(state().await, "confirmed");
    assert!(tasks(&bed, "clarification").await.is_empty());

    let other = format!("/messages/{}", parked(&bed, "<b/>").await);
    let page = text(&bed.see("operator", &other).await.is(200));
    let (forward, once) = (format!("{other}/forward"), value_of(&page, "once"));
    let asked = [to, ("reason", "nicht zuständig"), ("once", &*once)];
    let first = led(&bed.send("operator", &forward, &asked).await).to_owned();
    assert!(first.contains("/approvals/"), "{first}");
    assert_eq!(led(&bed.send("operator", &forward, &asked).await), first, "operators ask once, too");
    let elsewhere = [("to", "bab:05978000"), ("reason", "nicht zuständig"), ("once", &*once)];
    bed.send("operator", &forward, &elsewhere).await.is(409);
}

#[tokio::test]
async fn whoever_works_for_one_public_service_sees_and_decides_about_that_alone() {
    let bed = Bed::start().await;
    let case = case(&bed, "Bauantrag", "A-6").await;
    let message = parked(&bed, "<a/>").await;
    for path in [format!("/cases/{case}"), format!("/clarifications/{message}")] {
        bed.see("clerk-building", &path).await.is(200);
        bed.see("clerk-waste", &path).await.is(404);
    }
    let task = &tasks(&bed, "clarification").await[0];
    for (visitor, there) in [("clerk-building", true), ("clerk-waste", false)] {
        assert_eq!(text(&bed.see(visitor, "/desk").await.is(200)).contains(&message), there, "{visitor}");
    }
    let page = text(&bed.see("clerk-building", &format!("/tasks/{task}")).await.is(200));
    assert!(page.contains(&message), "{page}");
    for act in ["/complete", "/hand-on"] {
        assert!(!page.contains(act), "what waits is ended where it is decided about: {page}");
    }
    // Who may not read messages begins at the task, and is told.
    for (place, part) in
        [("/desk?kind=clarification".to_owned(), task.as_str()), (format!("/tasks/{task}"), "anderen Rolle")]
    {
        let page = text(&bed.see("cashier", &place).await.is(200));
        assert!(page.contains(part) && !page.contains("/clarifications/"), "{place}: {page}");
    }
    for act in ["resend", "return", "park", "forward"] {
        let path = format!("/clarifications/{message}/{act}");
        bed.send("clerk-waste", &path, &[("to", "bab:05974028")]).await.is(404);
    }
    bed.send("clerk-waste", &format!("/tasks/{task}/take"), &[]).await.is(404);
    led(&bed.send("clerk-building", &format!("/clarifications/{message}/return"), &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_failed_lies_on_the_desk_until_it_is_made() {
    let bed = Bed::start().await;
    let workers = bed.gateway.work().await;
    let new = json!({ "unit": "63", "kind": "visit", "subject": "Vorsprache" });
    let contact =
        id(&bed.gateway.call(&bed.token, Call::post("/interactions").json(new)).await.is(201).json());
    let is_parked = |json: &Value| json["items"][0]["record"]["id"] == *contact;
    let listed = bed.gateway.until(&bed.token, "/channel-deliveries?parked=true", is_parked).await;
    let (delivery, task) = (id(&listed["items"][0]), listed["items"][0]["task"].as_str().unwrap().to_owned());
    assert!(text(&bed.see("clerk", "/desk?kind=delivery").await.is(200)).contains(&task));
    let page = is_theirs_alone(&bed, &format!("/tasks/{task}")).await;
    for part in ["Übergabe, die nicht gelang", "adapter.failed", &contact, "/take"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("/complete"), "it is not gone from the desk while it waits: {page}");
    bed.gateway.outside.is_well();
    let again = Call::post(&format!("/channel-deliveries/{delivery}/resend"));
    assert!(bed.gateway.call(&bed.token, again).await.status.is_success());
    bed.gateway.until(&bed.token, &format!("/tasks/{task}"), |json| json["status"] == "done").await;
    assert!(!text(&bed.see("clerk", "/desk?kind=delivery").await.is(200)).contains(&task));
    workers.stop().await;
}

#[tokio::test]
async fn an_answer_that_was_promised_is_ended_by_whoever_gave_it() {
    let bed = Bed::start().await;
    let new = json!({ "unit": "63", "kind": "visit", "subject": "Frage" });
    let contact =
        id(&bed.gateway.call(&bed.token, Call::post("/interactions").json(new)).await.is(201).json());
    let on = Call::post(&format!("/interactions/{contact}/forward")).json(json!({ "unit": "70" }));
    bed.gateway.call(&bed.token, on).await.is(200);
    let task = &tasks(&bed, "forwarded").await[0];
    let own = format!("/tasks/{task}");
    let desk = text(&bed.see("clerk-70", "/desk?kind=post").await.is(200));
    assert!(desk.contains(&format!("/console{own}?")), "{desk}");
    let page = text(&bed.see("clerk-70", &own).await.is(200));
    assert!(page.contains(&format!("/post/{contact}")) && page.contains("/complete"), "{page}");
    led(&bed.send("clerk-70", &format!("{own}/complete"), &[("result", "beantwortet")]).await);
    assert!(tasks(&bed, "forwarded").await.is_empty());
}

#[tokio::test]
async fn lists_of_approvals_lead_to_what_they_do_not_show() {
    let bed = Bed::start().await;
    let message = parked(&bed, "<a/>").await;
    let asked = [("message", &*message), ("reason", "Rückfrage"), ("minutes", "10")];
    for _ in 0..51 {
        led(&bed.send("operator", "/approvals/release", &asked).await);
    }
    for (visitor, list) in [("operator", "own"), ("admin", "waiting")] {
        let first = text(&bed.see(visitor, "/approvals").await.is(200));
        assert_eq!(first.matches("/console/approvals/").count(), 50, "{visitor}: {first}");
        let link = format!("href=\"/console/approvals?list={list}&amp;after=");
        let after = first.split(&link).nth(1).and_then(|rest| rest.split('&').next()).expect("it leads on");
        let rest = text(&bed.see(visitor, &format!("/approvals?list={list}&after={after}")).await.is(200));
        assert_eq!(rest.matches("/console/approvals/").count(), 1, "{visitor}: {rest}");
        assert!(!rest.contains("rel=\"next\""), "{visitor}: {rest}");
    }
}
