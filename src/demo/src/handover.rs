//! The hand-over: sent, receipted, waiting while the town's record-keeping system is down, imported, and locked only then.

use std::fs;

use conformance::simulate::Error;
use conformance::simulate::client::{items, text};
use conformance::simulate::gateway::TOWN_KEY;
use conformance::simulate::records::Imported;
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::intake::Application;
use crate::scene::{COUNTY_DMS, REAL, Scene, TOWN_DMS};

/// How often the town's record-keeping system is called while it is down.
const CALLS_IN_VAIN: u64 = 2;

/// Hands both case files over; returns the sender's exchange.
pub(crate) async fn hand_over(
    scene: &Scene,
    application: &Application,
    story: &mut Story,
) -> Result<String, Error> {
    let step = story.step("Abgabe an die andere Behörde als xdomea 0401", REAL);
    let client = &scene.portal.client;
    let objects = [&application.main.case_file, &application.annex.case_file];
    let body = json!({ "kind": "handover", "to": TOWN_KEY, "objects": objects });
    let exchange = client.post("/exchanges", "abgabe-1", &body).await?.expect("POST /exchanges", &[202])?;
    let again = client.post("/exchanges", "abgabe-1", &body).await?.expect("POST /exchanges", &[202])?;
    verify(text(&again, "id") == text(&exchange, "id"), "die wiederholte Abgabe ist dieselbe")?;
    let path = format!("/exchanges/{}", text(&exchange, "id"));
    let sent = client.wait_until(&path, |exchange| text(exchange, "status") != "sending").await?;
    let process = text(&sent, "processId");
    let file = scene.county_gateway.folder().join(format!("{process}_Abgabe.Abgabe.0401.zip"));
    let mut sink = tokio::fs::File::create(&file).await?;
    let message = first_message(&sent);
    let container = client.download(&format!("/messages/{message}/content"), &mut sink).await?;
    verify(container.status == 200, "der Container kann geholt werden")?;
    let door = text(&client.read(&format!("/messages/{message}")).await?, "door").to_owned();
    verify(door == scene.way, "die Abgabe geht den Weg, der zwischen den Häusern eingerichtet ist")?;
    story.done(step, container.size, &format!("Weg „{door}“, ProzessID {process}"));

    let step = story.step("Derselbe Container im Prüfbefehl „amtsbote check“", REAL);
    let checked = scene.county_gateway.command(&["check", "--json"]).arg(&file).output().await?;
    verify(checked.status.success(), "der eigene Container besteht die Prüfung")?;
    story.done(step, container.size, "keine Beanstandung, Rückgabewert 0");
    fs::remove_file(&file)?;

    let step = story.step("Empfangsbestätigung 0403 trifft ein", REAL);
    let received = client.wait_until(&path, |exchange| count(exchange, "0403") > 0).await?;
    verify(text(&received, "status") == "received", "empfangen, aber noch nicht importiert")?;
    verify(count(&received, "0402") == 0, "keine Importbestätigung vor dem Import")?;
    story.done(step, 0, "die Stadt hat den Container dauerhaft; importiert ist noch nichts");
    Ok(text(&exchange, "id").to_owned())
}

pub(crate) async fn refuse_lock(
    scene: &Scene,
    application: &Application,
    exchange: &str,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Kreis will die Akte schon sperren", COUNTY_DMS);
    let refused = scene.county.lock(&application.main.case_file, exchange).await?;
    verify(refused == (409, "model.not-confirmed".into()), "vor dem Import wird nicht gesperrt")?;
    story.done(step, 0, "verweigert mit 409 model.not-confirmed: Empfang ist nicht Import");
    Ok(())
}

/// The town's record-keeping system is down: whoever calls it is refused. What came waits, and the way between the houses does not
/// feel it.
pub(crate) async fn wait_for_town(scene: &Scene, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("DMS der Stadt ist ausgefallen, die Abgabe wartet", REAL);
    let town = &scene.town.client;
    let path = format!("/subscriptions/{}", scene.doorbell.subscription);
    let failing = town.wait_until(&path, |it| it["failures"].as_u64() >= Some(CALLS_IN_VAIN)).await?;
    let calls = town.read(&format!("{path}/deliveries")).await?;
    let [call] = items(&calls, "items") else { return verify(false, "genau ein Ereignis ist zu melden") };
    verify(call["delivered"] == false, "niemand hat es angenommen")?;
    let inbox = town.list("/inbox").await?;
    let [entry] = inbox.as_slice() else { return verify(false, "genau eine Abgabe im Postfach der Stadt") };
    verify(text(entry, "state") == "available", "sie liegt dort bereit")?;
    let sent = sent_message(scene, exchange).await?;
    verify(text(&sent, "state") == "delivered", "beim Kreis gilt sie als zugestellt, nicht als bestätigt")?;
    verify(reception(scene, &sent).await?.is_none(), "niemand meldet Empfang, bevor das DMS sie hat")?;
    let lane = scene.lane(&format!("to:{TOWN_KEY}")).await?;
    verify(text(&lane, "breaker") == "closed", "der Weg zwischen den Häusern bleibt frei")?;
    let (tries, code) = (&call["attempts"], text(call, "code"));
    story.done(step, 0, &format!("{tries} Anrufe beim DMS vergeblich ({code}); nichts ist verloren"));
    let (entry, there) = (text(entry, "state"), text(&entry["message"], "state"));
    let next = text(&failing, "nextAttemptAt");
    story.note(&format!("Stadt: Eintrag im Postfach „{entry}“, Nachricht „{there}“; nächster Anruf {next}"));
    let (here, breaker, failures) = (text(&sent, "state"), text(&lane, "breaker"), &lane["failures"]);
    let lane = text(&lane, "lane");
    story.note(&format!(
        "Kreis: Nachricht „{here}“; Weg „{lane}“ frei, {failures} Fehler, Schutzschalter „{breaker}“"
    ));
    Ok(())
}

/// It is there again, and is called for what waited.
pub(crate) async fn town_is_back(scene: &mut Scene, story: &mut Story) -> Result<(), Error> {
    let step = story.step("DMS der Stadt ist wieder da", TOWN_DMS);
    scene.doorbell.answer()?;
    scene.town.is_back(&scene.doorbell.subscription).await?;
    let path = format!("/subscriptions/{}/deliveries", scene.doorbell.subscription);
    let has_come = |it: &Value| items(it, "items").iter().all(|call| call["delivered"] == true);
    let calls = scene.town.client.wait_until(&path, has_come).await?;
    let [call] = items(&calls, "items") else { return verify(false, "genau ein Ereignis war zu melden") };
    verify(scene.doorbell.calls() == 1, "das DMS wurde genau einmal erreicht")?;
    let (tries, kind) = (&call["attempts"], text(call, "type"));
    story.done(step, 0, &format!("beim {tries}. Anruf erreicht; gemeldet wurde „{kind}“"));
    Ok(())
}

pub(crate) async fn import(
    scene: &mut Scene,
    application: &Application,
    exchange: &str,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Stadt importiert und bestätigt je Objekt", TOWN_DMS);
    let path = format!("/exchanges/{exchange}");
    let sent = scene.portal.client.read(&path).await?;
    let is_annex = |object: &&Value| text(object, "id") == application.annex.case_file;
    let annex = items(&sent, "objects").iter().find(is_annex);
    scene.town.refused = annex.map(|object| text(object, "objectId").to_owned()).into_iter().collect();
    let leased = scene.town.lease().await?;
    verify(leased.len() == 1, "genau eine Abgabe im Postfach der Stadt")?;
    let Imported { process_id, objects, .. } = scene.town.import(&leased[0]).await?;
    scene.town.confirm(&leased[0]).await?;
    verify(process_id == text(&sent, "processId"), "gleiche ProzessID auf beiden Seiten")?;
    let outcomes = objects.iter().map(|object| object.successful);
    verify(outcomes.eq([true, false]), "eine Akte importiert, eine abgelehnt")?;
    let mut came: Vec<&String> = objects.iter().flat_map(|object| &object.files).collect();
    let mut went: Vec<&String> = application.documents.iter().map(|(_, content)| &content.sha256).collect();
    came.sort();
    went.sort();
    verify(came == went, "jede Datei ist Byte für Byte angekommen")?;
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let files = came.len();
    story.done(step, bytes, &format!("{files} Dateien verglichen; 1 Akte übernommen, 1 abgelehnt"));

    let step = story.step("Importbestätigung 0402 trifft beim Kreis ein", REAL);
    let confirmed = scene.portal.client.wait_until(&path, |exchange| count(exchange, "0402") > 0).await?;
    verify(text(&confirmed, "status") == "partlyConfirmed", "Ergebnis je Objekt")?;
    let once = ["0401", "0403", "0402"].iter().all(|wanted| count(&confirmed, wanted) == 1);
    verify(once, "jede Nachricht genau einmal")?;
    story.done(step, 0, "0401, 0403 und 0402 genau einmal; Ergebnis je Objekt vermerkt");
    Ok(())
}

/// What the town's server of XTA says of the hand-over now that the record-keeping system has it. An operator of the county has it asked
/// at once; by itself the gateway asks after a minute.
pub(crate) async fn follow_up(scene: &Scene, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Kreis fragt den Sendebericht ab (getTransportReport)", REAL);
    let sent = sent_message(scene, exchange).await?;
    scene.retry_lane(&format!("to:{TOWN_KEY}"), "sendebericht").await?;
    let path = timeline(&sent);
    scene.operator.wait_until(&path, |page| received_in(page).is_some()).await?;
    let event = reception(scene, &sent).await?.unwrap_or_default();
    verify(text(&event["actor"], "id") == TOWN_KEY, "der Empfang kommt von der Stadt")?;
    let (door, kind, at) = (text(&sent, "door"), text(&event, "kind"), text(&event, "at"));
    story.done(step, 0, &format!("der Server der Stadt meldet Empfang (Weg „{door}“): „{kind}“ um {at}"));
    Ok(())
}

pub(crate) async fn lock(
    scene: &Scene,
    application: &Application,
    exchange: &str,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Kreis sperrt, was übernommen wurde", COUNTY_DMS);
    let locked = scene.county.lock(&application.main.case_file, exchange).await?;
    verify(locked.0 == 200, "die übernommene Akte wird gesperrt")?;
    let refused = scene.county.lock(&application.annex.case_file, exchange).await?;
    verify(refused == (409, "model.not-confirmed".into()), "die abgelehnte Akte bleibt offen")?;
    let path = format!("/cases/{}/documents", application.main.case);
    let addition = scene.portal.client.post(&path, "nachtrag", &json!({ "title": "Nachtrag" })).await?;
    let is_refused = (addition.status, addition.code()) == (409, "model.locked");
    verify(is_refused, "in der gesperrten Akte wird nichts mehr geändert")?;
    story.done(
        step,
        0,
        "übernommene Akte gesperrt, abgelehnte nicht; Nachtrag mit 409 model.locked verweigert",
    );
    Ok(())
}

/// The hand-over as the county has it.
async fn sent_message(scene: &Scene, exchange: &str) -> Result<Value, Error> {
    let exchange = scene.portal.client.read(&format!("/exchanges/{exchange}")).await?;
    scene.portal.client.read(&format!("/messages/{}", first_message(&exchange))).await
}

fn timeline(message: &Value) -> String {
    format!("/messages/{}/timeline", text(message, "id"))
}

/// The event that says that the recipient has a message, if its sender knows.
async fn reception(scene: &Scene, message: &Value) -> Result<Option<Value>, Error> {
    Ok(received_in(&scene.operator.read(&timeline(message)).await?))
}

fn received_in(page: &Value) -> Option<Value> {
    let mut events = items(page, "items").iter().map(|item| &item["event"]);
    events.find(|event| text(event, "kind") == "message.received").cloned()
}

/// How many messages of a type an exchange has.
pub(crate) fn count(exchange: &Value, message_type: &str) -> usize {
    items(exchange, "messages").iter().filter(|message| text(message, "type") == message_type).count()
}

pub(crate) fn first_message(exchange: &Value) -> String {
    items(exchange, "messages").first().map_or(String::new(), |message| text(message, "id").to_owned())
}
