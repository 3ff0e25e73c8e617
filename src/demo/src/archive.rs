//! Disposition: a case that was closed goes to the county's archive as a package, and knows what the archive calls it once the archive has
//! said so.

use std::fs;
use std::path::Path;

use conformance::simulate::Error;
use conformance::simulate::client::{items, text};
use conformance::simulate::files::{self, Content};
use conformance::simulate::portal::{Attachment, SERVICE, UNIT};
use conformance::simulate::story::{Story, verify};
use serde_json::json;

use crate::backoffice::{CLERK, do_task};
use crate::handover::first_message;
use crate::office::{ARCHIVE, until};
use crate::scene::{REAL, Scene};

const ARCHIVIST: &str = "Simulator: Kreisarchiv";

/// What the archive calls the package.
const CALLED: &str = "KrA 2026/17";

/// A case that goes to the archive.
pub(crate) struct Disposed {
    case: String,
    exchange: String,
    /// Name of its package.
    bag: String,
}

/// A second case is closed and given to the archive; its package appears in the folder.
pub(crate) async fn dispose(scene: &Scene, story: &mut Story) -> Result<Disposed, Error> {
    let step = story.step("Ein anderer Vorgang wird abgeschlossen", CLERK);
    let title = "Abbruch einer Scheune (erfunden)";
    let case = json!({ "unit": UNIT, "publicService": SERVICE, "title": title });
    let case = scene.portal.client.post("/cases", "abbruch", &case).await?.expect("POST /cases", &[201])?;
    let case = text(&case, "id").to_owned();
    let content = files::pdf(&["Bescheid (erfunden)", "", "Der Abbruch der Scheune wird genehmigt."]);
    let content = Content::new("bescheid.pdf", "application/pdf", content);
    let notice = Attachment { title: "Bescheid", kind: "Bescheid", content };
    let document = scene.portal.describe(&case, &notice).await?;
    scene.portal.upload(&document, &notice.content).await?;
    do_task(scene, &case).await?;
    let path = format!("/cases/{case}/close");
    let closed = scene.clerk.post(&path, "abgeschlossen", &json!({})).await?.expect(&path, &[200])?;
    verify(text(&closed, "status") == "closed", "er ist geschlossen")?;
    story.done(step, 0, "Prüfung erledigt, Vorgang geschlossen: er kann ausgesondert werden");

    let step = story.step("Aussonderung: das Paket liegt für das Archiv bereit", REAL);
    let offer = json!({ "kind": "disposition", "to": ARCHIVE, "twoStep": true, "objects": [case] });
    let exchange =
        scene.clerk.post("/exchanges", "aussonderung", &offer).await?.expect("POST /exchanges", &[202])?;
    let exchange = text(&exchange, "id").to_owned();
    let started = scene.clerk.read(&format!("/exchanges/{exchange}")).await?;
    let message = format!("/messages/{}", first_message(&started));
    scene.clerk.wait_until(&message, |message| text(message, "state") == "delivered").await?;
    let bag = until("the package", async || packages(&scene.office.bags)).await?;
    let folder = scene.office.bags.join(&bag);
    verify(folder.join("bagit.txt").exists(), "es ist ein Paket nach BagIt")?;
    let manifest = fs::read_to_string(folder.join("manifest-sha256.txt"))?;
    let Content { sha256, size, .. } = &notice.content;
    verify(manifest.contains(sha256), "das Verzeichnis des Pakets nennt die Prüfsumme des Dokuments")?;
    verify(archive_reference(scene, &case).await?.is_none(), "archiviert ist noch nichts")?;
    story.done(step, *size, &format!("BagIt-Paket {bag} mit Nachricht 0503, PREMIS und Prüfsummen"));
    Ok(Disposed { case, exchange, bag })
}

/// The archive says that it has the package. An operator has it asked at once; by itself the gateway asks after a minute.
pub(crate) async fn confirm(scene: &Scene, disposed: &Disposed, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Das Archiv bestätigt die Übernahme", ARCHIVIST);
    let Disposed { case, exchange, bag } = disposed;
    let writing = scene.office.bags.join(".bestaetigung");
    fs::write(&writing, format!("{CALLED}\n"))?;
    fs::rename(&writing, scene.office.bags.join(format!("{bag}.archived")))?;
    scene.retry_lane(&format!("to:{ARCHIVE}"), "archiv-fragen").await?;
    let called = until("the archive's word", async || archive_reference(scene, case).await).await?;
    verify(called == CALLED, "der Vorgang trägt, wie das Archiv ihn nennt")?;
    let exchange = scene.clerk.read(&format!("/exchanges/{exchange}")).await?;
    let [object] = items(&exchange, "objects") else { return verify(false, "genau ein Objekt") };
    verify(object["result"]["successful"] == true, "die Aussonderung kennt das Ergebnis")?;
    story.done(step, 0, &format!("der Vorgang trägt die Archivsignatur „{called}“"));
    Ok(())
}

/// What the archive calls a case, once it has said so.
async fn archive_reference(scene: &Scene, case: &str) -> Result<Option<String>, Error> {
    let case = scene.clerk.read(&format!("/cases/{case}")).await?;
    let known = items(&case, "references").iter().find(|one| text(one, "kind") == "archive");
    Ok(known.map(|one| text(one, "value").to_owned()))
}

/// The package in the folder, once it has appeared.
fn packages(folder: &Path) -> Result<Option<String>, Error> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
