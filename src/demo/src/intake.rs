//! What comes in: an application by REST, its reference, a kill in the middle of the work, and a container that is not good.

use conformance::simulate::client::{items, text};
use conformance::simulate::files::Content;
use conformance::simulate::portal::{self, Attachment, Opened};
use conformance::simulate::samples::is_at_rest;
use conformance::simulate::story::{Story, verify};
use conformance::simulate::{Error, containers};
use tokio::sync::oneshot;

use crate::Options;
use crate::scene::{COUNTY_DMS, PORTAL, REAL, Scene};

/// What has been handed in.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) main: Opened,
    /// A second, small case file.
    pub(crate) annex: Opened,
    pub(crate) documents: Vec<(String, Content)>,
}

pub(crate) async fn hand_in(
    scene: &Scene,
    options: &Options,
    story: &mut Story,
) -> Result<Application, Error> {
    let portal = &scene.portal;
    let step = story.step("Bauantrag geht per REST ein", PORTAL);
    let main = portal.open("antrag-1", "Anbau eines Wintergartens (erfunden)").await?;
    let annex = portal.open("antrag-2", "Baulast zum Wintergarten (erfunden)").await?;
    let again = portal.open("antrag-1", "Anbau eines Wintergartens (erfunden)").await?;
    verify(again == main, "derselbe Antrag wird nicht zweimal angelegt")?;
    story.done(step, 0, "Akte und Vorgang angelegt; die wiederholte Anfrage bekam dieselbe Antwort");

    let mut documents = vec![];
    for attachment in portal::building_application(options.big_mb) {
        let step = story.step(&format!("Dokument „{}“ wird übertragen", attachment.title), PORTAL);
        let document = portal.describe(&main.case, &attachment).await?;
        portal.upload(&document, &attachment.content).await?;
        let Content { name, sha256, size, .. } = &attachment.content;
        story.done(step, *size, &format!("{name}, SHA-256 {}… auf beiden Seiten gleich", &sha256[..12]));
        documents.push((document, attachment.content));
    }
    Ok(Application { main, annex, documents })
}

pub(crate) async fn assign_reference(
    scene: &Scene,
    application: &Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Aktenzeichen wird vergeben", COUNTY_DMS);
    let wanted = [&application.main.case_file, &application.annex.case_file];
    let mut assigned = vec![];
    let mut after = 0;
    while !wanted.iter().all(|&id| assigned.iter().any(|(known, _)| known == id)) {
        let (last, more) = scene.county.assign_references(after).await?;
        verify(last > after, "neue Akten erscheinen im Ereignisstrom")?;
        after = last;
        assigned.extend(more);
    }
    for (id, reference) in &assigned {
        let file = scene.portal.client.read(&format!("/case-files/{id}")).await?;
        verify(text(&file, "recordReference") == reference, "das Aktenzeichen steht an der Akte")?;
    }
    let given: Vec<&str> = assigned.iter().map(|(_, reference)| reference.as_str()).collect();
    story.done(step, 0, &format!("die Akten tragen jetzt {}", given.join(" und ")));
    Ok(())
}

/// SIGKILL in the middle of an upload and of a raw message; both clients repeat what was not answered.
pub(crate) async fn kill_and_repeat(
    scene: &mut Scene,
    application: &mut Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Gateway wird mitten in der Arbeit abgeschossen (SIGKILL)", REAL);
    let content = Content::large("statik.pdf", 24);
    let attachment = Attachment { title: "Statik, gescannt", kind: "Statik", content };
    let content = &attachment.content;
    let message = containers::handover(containers::seeded_id(1, 0), 1, 12_000_000).content;
    let acknowledged = containers::handover(containers::seeded_id(2, 0), 2, 40_000).content;
    let document = scene.portal.describe(&application.main.case, &attachment).await?;
    let told = scene.sender.send("eingang-2", &acknowledged).await?;

    let (upload_half, upload_is_half) = oneshot::channel();
    let (message_half, message_is_half) = oneshot::channel();
    let gateway = &mut scene.county_gateway;
    let kill = async {
        let _ = upload_is_half.await;
        let _ = message_is_half.await;
        gateway.kill().await
    };
    let upload = scene.portal.hang(&document, content, upload_half);
    let raw = scene.sender.hang("eingang-1", &message, message_half);
    let (upload, raw, killed) = tokio::join!(upload, raw, kill);
    killed?;
    verify(upload.is_err() && raw.is_err(), "beide Absender haben keine Antwort bekommen")?;
    let half = (content.size + message.size) / 2;
    story.done(step, half, "ein Dokument und eine Nachricht waren je zur Hälfte übertragen");

    let step = story.step("Neustart, die Absender wiederholen mit demselben Schlüssel", REAL);
    scene.county_gateway.start().await?;
    scene.portal.upload(&document, content).await?;
    let repeated = scene.sender.send("eingang-1", &message).await?;
    let again = scene.sender.send("eingang-1", &message).await?;
    verify(text(&repeated, "id") == text(&again, "id"), "die doppelte Nachricht bekam die erste Antwort")?;
    let kept = scene.sender.client.read(&format!("/messages/{}", text(&told, "id"))).await?;
    verify(text(&kept["payload"], "sha256") == acknowledged.sha256, "die quittierte Nachricht ist noch da")?;
    application.documents.push((document, content.clone()));
    let bytes = scene.portal.read_back(&application.main.case, &application.documents).await?;
    let messages = scene.sender.client.list("/messages?direction=in").await?;
    verify(messages.len() == 2, "genau zwei Nachrichten, keine doppelt")?;
    story.done(
        step,
        bytes,
        "nichts verloren, nichts doppelt: alles zurückgelesen, Prüfsummen und Anzahl gleich",
    );
    Ok(())
}

pub(crate) async fn return_broken(scene: &Scene, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Fehlerhafter xdomea-Container geht ein", "Simulator: fremde Behörde");
    let client = &scene.sender.client;
    let container = containers::broken(containers::seeded_id(3, 0), 3);
    let message = scene.sender.send("eingang-3", &container.content).await?;
    let path = format!("/messages/{}", text(&message, "id"));
    let ended = client.wait_until(&path, |message| is_at_rest(text(message, "state"))).await?;
    verify(text(&ended, "state") == "returned", "die Nachricht geht an den Absender zurück")?;
    let findings = items(&ended["report"], "findings");
    for mistake in &container.mistakes {
        let is_named = findings.iter().any(|finding| finding["line"].as_u64() == Some(mistake.line));
        verify(is_named, mistake.words)?;
    }
    let content = client.get(&format!("{path}/content")).await?;
    verify((400..500).contains(&content.status), "der Inhalt wird nicht herausgegeben")?;
    let (count, code) = (findings.len(), content.code());
    story.done(
        step,
        container.content.size,
        &format!("zurückgewiesen mit {count} Befunden; Inhalt unter Quarantäne ({code})"),
    );
    for finding in findings {
        story.note(&format!("Zeile {}: {}", finding["line"], text(finding, "rule")));
    }
    Ok(())
}
