//! What can be shown afterwards: who sees nothing of it, what the evidence proves, and that real messages are judged alike.

use std::fs;
use std::path::Path;

use conformance::simulate::gateway::{COUNTY, TOWN};
use conformance::simulate::portal::Opened;
use conformance::simulate::story::{Story, megabytes, verify};
use conformance::simulate::{Error, samples, tamper};
use serde_json::Value;

use crate::handover::first_message;
use crate::intake::Application;
use crate::scene::{REAL, Scene};

/// Memory that a gateway may take at most while all this goes through it, in bytes.
const MOST_MEMORY: u64 = 200_000_000;

pub(crate) async fn hide_from_stranger(
    scene: &Scene,
    application: &Application,
    exchange: &str,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Ein anderes Amt des Kreises sucht danach", "Simulator: Abfallwirtschaft");
    let Opened { case_file, case } = &application.main;
    let document = &application.documents[0].0;
    let message = first_message(&scene.portal.client.read(&format!("/exchanges/{exchange}")).await?);
    let hidden = [
        format!("/case-files/{case_file}"),
        format!("/case-files/{case_file}/timeline"),
        format!("/case-files/{case_file}/documents"),
        format!("/cases/{case}"),
        format!("/cases/{case}/documents"),
        format!("/documents/{document}"),
        format!("/documents/{document}/content"),
        format!("/exchanges/{exchange}"),
        format!("/messages/{message}"),
        format!("/messages/{message}/content"),
        format!("/evidence/{case_file}"),
    ];
    for path in &hidden {
        verify(scene.stranger.get(path).await?.status == 404, &format!("nichts zu sehen unter {path}"))?;
    }
    let lists = ["/case-files", "/cases", "/exchanges", "/messages", "/inbox", "/interactions", "/tasks"];
    for path in lists {
        verify(scene.stranger.list(path).await?.is_empty(), &format!("leere Liste unter {path}"))?;
    }
    let (hidden, lists) = (hidden.len(), lists.len());
    story.done(
        step,
        0,
        &format!("{hidden} Adressen mit 404, {lists} Listen leer: nicht einmal, dass es sie gibt"),
    );
    Ok(())
}

pub(crate) async fn prove(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
    let Scene { auditor, county_gateway: gateway, .. } = scene;
    let step = story.step("Revision holt die Beweise und prüft sie ohne Datenbank", REAL);
    // The evidence reaches as far as the feed.
    auditor.client.wait_for_event("record.locked", &application.main.case_file).await?;
    let (events, some) = auditor.fetch(&application.main.case_file, false).await?;
    let (whole, all) = auditor.fetch(&application.main.case_file, true).await?;
    for (bundle, contents) in [(&events, 0), (&whole, application.documents.len() as u64 + 1)] {
        let (ok, report) = auditor.verify(gateway, bundle).await?;
        verify(ok && report["keyTrusted"] == true, "unversehrt und vom Kreis unterschrieben")?;
        let holds = report["counts"]["contents"].as_u64();
        verify(holds >= Some(contents), "jedes Dokument und der Container, mit dem es ging, liegen bei")?;
    }
    story.done(step, some + all, "Ereignisse, Kette, Unterschriften und jeder 64-KiB-Block stimmen");

    let step = story.step("Ein einziges Byte wird verändert", REAL);
    tamper::flip(&whole, fs::metadata(&whole)?.len() / 2)?;
    tamper::flip_words(&events, b"record.created")?;
    let place = async |bundle| -> Result<(bool, Value), Error> {
        let (ok, report) = auditor.verify(gateway, bundle).await?;
        Ok((ok, report["findings"][0]["place"].clone()))
    };
    let (ok, chunk) = place(&whole).await?;
    verify(!ok && chunk["chunk"].is_u64(), "der veränderte Block wird genannt")?;
    let (ok, event) = place(&events).await?;
    verify(!ok && event["line"].is_u64(), "das veränderte Ereignis wird genannt")?;
    let (block, byte, line) = (&chunk["chunk"], &chunk["offset"], &event["line"]);
    story.done(
        step,
        0,
        &format!("genannt werden Block {block} (ab Byte {byte}) und Zeile {line} der Ereignisse"),
    );
    fs::remove_file(&events)?;
    Ok(fs::remove_file(&whole)?)
}

/// Each house judges its whole chain of evidence, and has stayed small meanwhile.
pub(crate) async fn judge_houses(scene: &Scene, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Beide Häuser prüfen ihre ganze Beweiskette", REAL);
    let houses = [(&scene.county_gateway, COUNTY), (&scene.town_gateway, TOWN)];
    let mut events = vec![];
    for (gateway, tenant) in houses {
        let report = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await?;
        verify(report["ok"] == true, "die Kette ist unversehrt")?;
        events.push(report["events"].to_string());
    }
    story.done(step, 0, &format!("unversehrt, mit {} Ereignissen", events.join(" und ")));
    for (gateway, tenant) in houses {
        let peak = gateway.peak_memory();
        verify(peak < MOST_MEMORY, "der Speicherbedarf wächst nicht mit den Dateien")?;
        story.note(&format!("Spitzenspeicher des Gateways „{tenant}“: {}", megabytes(peak)));
    }
    Ok(())
}

/// Every message of a folder.
pub(crate) async fn send_samples(scene: &Scene, folder: &Path, story: &mut Story) -> Result<(), Error> {
    if !folder.is_dir() {
        story.note(&format!("Keine Beispiele unter {}: dieser Schritt entfällt", folder.display()));
        return Ok(());
    }
    let step = story.step("Echte xdomea-Beispiele gehen auf demselben Weg ein", "Dateien anderer Programme");
    let outcomes = samples::send_all(&scene.sender.client, folder).await?;
    let bytes = outcomes.iter().map(|outcome| outcome.bytes).sum();
    let count = outcomes.len();
    story.done(
        step,
        bytes,
        &format!("{count} Nachrichten; Probelauf und Ernstfall urteilen über jede gleich"),
    );
    for outcome in &outcomes {
        story.note(&outcome.to_string());
    }
    Ok(())
}
