//! Every page says what it is for, in both languages. The test walks the list of routes, so no new page is forgotten.

use broker::NewUser;
use console::{BASE, Needs};
use model::rights::Within;
use model::{Actor, Id, Role};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::desk::{case, id, led, letter, paid, parked, text};
use crate::gateway::{Answer, Call};
use crate::people::House;
use crate::statement_lines::told;

/// What is fetched and is no page: bytes, and parts that renew themselves.
const NO_PAGES: [&str; 6] = [
    "/documents/{id}/shown",
    "/documents/{id}/file",
    "/clarifications/{id}/state",
    "/clarifications/{id}/file",
    "/approvals/{id}/content",
    "/retention/runs/{id}/proof",
];
/// Pages of a session with a password.
const OF_SESSIONS: [&str; 2] = ["/account", "/account/codes"];

/// What a page says it is for; empty if it does not.
fn help(answer: &Answer) -> String {
    let page = text(answer);
    let said =
        page.split_once("<details class=\"help\">").and_then(|(_, rest)| rest.split_once("</details>"));
    let said = said.and_then(|(said, _)| said.split_once("</summary>"));
    said.map(|(_, said)| said.to_owned()).unwrap_or_default()
}

/// Where an act led, below the console.
fn page_after(answer: &Answer) -> String {
    led(answer).strip_prefix(BASE).unwrap().split('?').next().unwrap().to_owned()
}

/// For each page with an id in its path where one of them is.
async fn examples(bed: &Bed) -> Vec<(&'static str, String)> {
    let workers = bed.gateway.work().await;
    let case = case(bed, "Bauantrag", "A-1").await;
    let payment = paid(bed, &case, 2_500).await;
    workers.stop().await;
    let create = async |path: &str, body: Value| {
        let made = bed.gateway.call(&bed.token, Call::post(path).json(body)).await;
        assert!(made.status.is_success(), "{path}: {made:?}");
        id(&made.json())
    };
    let task = json!({ "unit": "63", "title": "Anhören", "kind": "hearing", "case": case });
    let task = create("/tasks", task).await;
    let document = create(&format!("/cases/{case}/documents"), json!({ "title": "Bescheid" })).await;
    let content = Call::new("PUT", &format!("/documents/{document}/content?fileName=a.txt"));
    bed.gateway.call(&bed.token, content.bytes("Guten Tag")).await.is(201);
    let dispatch = json!({ "case": case, "kind": "notification", "documents": [document],
        "to": { "lines": ["Gartenstraße 1"] } });
    let dispatch = create("/dispatches", dispatch).await;
    let file = create("/case-files", json!({ "unit": "63", "title": "Bauakte" })).await;
    let closed = bed.gateway.call(&bed.token, Call::post(&format!("/case-files/{file}/close"))).await;
    assert!(closed.status.is_success(), "{closed:?}");
    let offer = json!({ "kind": "disposition", "to": "bab:05974028", "objects": [file] });
    let offer = create("/exchanges", offer).await;
    let line = id(&told(bed, "Spende").await);
    let letter = letter(bed, "Brief", vec![], vec![("a.txt", b"Hallo")]).await;
    let message = parked(bed, "<a/>").await;
    let release = [("message", &*message), ("minutes", "30"), ("reason", "Störung")];
    let approval = bed.send("operator", "/approvals/release", &release).await;
    let redrive = bed.send("all", "/messages/resend", &[("rule", "message.parked-by-hand")]).await;
    let check = bed.send("all", "/schemas/check", &[]).await;
    let partner = [("id", "unna"), ("name", "Unna"), ("authority", "bab:05978000"), ("settings", "")];
    bed.send("all", "/partners/new", &partner).await.is(303);
    vec![
        ("/operations/{id}", page_after(&redrive)),
        ("/messages/{id}", format!("/messages/{message}")),
        ("/partners/{id}", "/partners/unna".to_owned()),
        ("/tries/{id}", page_after(&check)),
        ("/tasks/{id}", format!("/tasks/{task}")),
        ("/post/{id}", format!("/post/{letter}")),
        ("/cases/{id}", format!("/cases/{case}")),
        ("/documents/{id}", format!("/documents/{document}")),
        ("/documents/{id}/preview", format!("/documents/{document}/preview?name=a.txt")),
        ("/clarifications/{id}", format!("/clarifications/{message}")),
        ("/payments/{id}", format!("/payments/{payment}")),
        ("/statement-lines/{account}/{id}", format!("/statement-lines/gebuehren/{line}")),
        ("/dispositions/{id}", format!("/dispositions/{offer}")),
        ("/dispatches/{id}", format!("/dispatches/{dispatch}")),
        ("/users/{id}", format!("/users/{}", user(bed).await)),
        ("/approvals/{id}", page_after(&approval)),
    ]
}

async fn user(bed: &Bed) -> Id {
    let new = NewUser {
        login: "clerk".into(),
        name: "Sachbearbeitung".into(),
        email: None,
        roles: vec![Role::Clerk],
        units: Within::one("63"),
        services: Within::All,
        authority: None,
    };
    let by = Actor { kind: "system".into(), id: "cli".into() };
    bed.gateway.broker.add_user("soest", new, &by).await.unwrap().user.id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_it_is_for() {
    let bed = Bed::start().await;
    let house = House::start().await;
    let session = house.with("clerk", &[Role::Clerk]).await;
    let examples = examples(&bed).await;
    let mut without = vec![];
    // Before somebody has signed in, a page holds one form that says what is to be done.
    let pages = console::routes().into_iter().filter(|it| it.method == "GET" && it.needs != Needs::Nothing);
    for page in pages.map(|it| it.path).filter(|path| !NO_PAGES.contains(path)) {
        let path = examples.iter().find(|(known, _)| *known == page).map_or(page, |(_, path)| path.as_str());
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut said = vec![];
        for language in ["de", "en"] {
            let path = format!("{path}{sign}lang={language}");
            said.push(match OF_SESSIONS.contains(&page) {
                true => help(&house.see(&session, &format!("{BASE}{path}")).await),
                false => help(&bed.see("all", &path).await),
            });
        }
        if said.iter().any(String::is_empty) || said[0] == said[1] {
            without.push(page);
        }
    }
    assert!(without.is_empty(), "pages without a help text, or of which no example is named: {without:?}");
}
