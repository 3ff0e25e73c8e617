//! For `amtsbote selftest`: one round through every channel, each by itself. Two gateways with simulated systems around them, and two more
//! for OSCI-Transport, all of them processes of this very program in temporary folders; nothing but the loopback is used.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use conformance::simulate::Error;
use conformance::simulate::client::{Client, items, text};
use conformance::simulate::files::{self, Content};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::osci;
use conformance::simulate::portal::{Attachment, Opened, Portal, UNIT};
use conformance::simulate::records::RecordKeeping;
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::handover::count;
use crate::intake::{self, Application};
use crate::office::{PRINTED, until};
use crate::scene::{self, Scene};
use crate::{Options, archive, backoffice, fee, online, telephone};

/// How long a channel may take: longer than the minute that is waited for anything in it, so that what did not come about is named.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is done around the county's gateway, all at the same time.
const AROUND: [&str; 11] = [
    "document management (CMIS)",
    "workflow (Camunda 7)",
    "post in (folder of scans)",
    "post out (folder of prints)",
    "online (FIT-Connect)",
    "mobile (Open311)",
    "telephone (Asterisk)",
    "payments (GiroCheckout)",
    "archive (folder)",
    "XTA 2 between two houses",
    "a broken message goes back, every mistake named",
];
const BY_OSCI: &str = "OSCI-Transport between two houses";
const SETUP: &str = "two gateways start";

/// A round that was made.
pub struct Round {
    /// The channel.
    pub name: &'static str,
    /// What went wrong, if anything did: stable code and detail.
    pub failed: Option<(&'static str, String)>,
    /// How long it took.
    pub took: Duration,
}

/// Makes all rounds. One that fails keeps no other from being made.
pub async fn rounds() -> Vec<Round> {
    let (around, osci) = tokio::join!(around_the_county(), round(BY_OSCI, by_osci()));
    around.into_iter().chain([osci]).collect()
}

async fn round(name: &'static str, what: impl Future<Output = Result<(), Error>>) -> Round {
    let begin = Instant::now();
    let made = tokio::time::timeout(PATIENCE, what).await;
    let made = made.unwrap_or_else(|_| Err(Error::Late(name.to_owned())));
    let failed = made.err().map(|error| (error.code(), error.to_string()));
    Round { name, failed, took: begin.elapsed() }
}

/// Everything that the county's gateway is surrounded by, the town among it; at last, what both houses can prove of it.
async fn around_the_county() -> Vec<Round> {
    let begin = Instant::now();
    let (scene, application) = match set_up().await {
        Ok(set_up) => set_up,
        Err(error) => {
            let failed = Some((error.code(), error.to_string()));
            return vec![Round { name: SETUP, failed, took: begin.elapsed() }];
        }
    };
    let mut rounds = vec![Round { name: SETUP, failed: None, took: begin.elapsed() }];
    let [cmis, camunda, scans, prints, fit, open311, phone, giro, archived, by_xta, broken] = AROUND;
    let made = tokio::join!(
        round(cmis, async { backoffice::file(&scene, &application, &mut quiet()).await }),
        round(camunda, async { backoffice::follow_process(&scene, &application, &mut quiet()).await }),
        round(scans, async { backoffice::take_letter(&scene, &mut application.clone(), &mut quiet()).await }),
        round(prints, print(&scene)),
        round(fit, async {
            let case = online::arrive(&scene, &mut quiet()).await?;
            online::decide(&scene, &case, &mut quiet()).await.map(drop)
        }),
        round(open311, report(&scene)),
        round(phone, async {
            let promised = telephone::call_at_night(&scene, &mut quiet()).await?;
            telephone::call_back(&scene, &promised, &mut quiet()).await
        }),
        round(giro, async {
            let claimed = fee::claim(&scene, &application, &mut quiet()).await?;
            fee::count_once(&scene, &claimed, &mut quiet()).await
        }),
        round(archived, async {
            let disposed = archive::dispose(&scene, &mut quiet()).await?;
            archive::confirm(&scene, &disposed, &mut quiet()).await
        }),
        round(by_xta, hand_over(&scene.portal, &scene.county.client, &scene.town, "xta")),
        round(broken, async { intake::return_broken(&scene, &mut quiet()).await }),
    );
    rounds.extend(<[Round; 11]>::from(made));
    rounds.push(round("evidence of both houses", prove(&scene)).await);
    let removed = async { scene::finish(scene, false, &mut quiet()).await };
    rounds.push(round("two gateways end", removed).await);
    rounds
}

/// Both gateways, and an application with its documents.
async fn set_up() -> Result<(Scene, Application), Error> {
    let options = Options { keep: false, osci: false, big_mb: 1, samples: None };
    let scene = scene::set_up(&options, &mut quiet()).await?;
    let application = intake::hand_in(&scene, &options, &mut quiet()).await?;
    intake::assign_reference(&scene, &application, &mut quiet()).await?;
    Ok((scene, application))
}

/// Told to nobody.
fn quiet() -> Story {
    Story::begin(true)
}

/// A letter to a citizen lies in the folder of the print centre: its ticket names the addressee, and the file is the document.
async fn print(scene: &Scene) -> Result<(), Error> {
    let portal = &scene.portal;
    let case = portal.open("druck", "Brief (erfunden)").await?.case;
    let (document, content) = put_document(portal, &case, "brief.pdf").await?;
    let to = json!({ "lines": ["Frau Beispiel (erfunden)", "Musterweg 1", "59494 Soest"] });
    let body = json!({
        "case": case, "kind": "disclosure", "documents": [document], "way": PRINTED, "to": to,
    });
    portal.client.post("/dispatches", "druck-1", &body).await?.expect("POST /dispatches", &[201])?;
    let prints = &scene.office.prints;
    let ticket = until("the ticket of the letter", async || ticket_in(prints)).await?;
    verify(ticket["to"].to_string().contains("Musterweg 1"), "der Auftrag nennt die Anschrift")?;
    let [file] = items(&ticket, "files") else { return verify(false, "der Brief ist eine Datei") };
    let printed = fs::read(prints.join(text(file, "name")))?;
    verify(content.bytes().is_some_and(|bytes| bytes[..] == printed[..]), "gedruckt wird das Dokument")
}

/// The job ticket in the folder; it is the last that appears of a letter.
fn ticket_in(folder: &Path) -> Result<Option<Value>, Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            return Ok(serde_json::from_slice(&fs::read(path)?).ok());
        }
    }
    Ok(None)
}

/// A document with a file; its id, and the file.
async fn put_document(portal: &Portal, case: &str, name: &str) -> Result<(String, Content), Error> {
    let content = Content::new(name, "application/pdf", files::pdf(&[name, "(erfunden)"]));
    let attachment = Attachment { title: "Brief", kind: "Brief", content };
    let document = portal.describe(case, &attachment).await?;
    portal.upload(&document, &attachment.content).await?;
    Ok((document, attachment.content))
}

/// A citizen's app reports something on the public listener, and it is a case.
async fn report(scene: &Scene) -> Result<(), Error> {
    let made = scene.till.report("service_code=001&lat=51.5&long=8.1&description=Tief").await?;
    let first = made.as_array().and_then(|list| list.first()).cloned().unwrap_or_default();
    let case = scene.sender.client.read(&format!("/cases/{}", text(&first, "service_request_id"))).await?;
    verify(text(&case, "unit") == UNIT, "die Meldung liegt im zuständigen Amt")
}

/// An e-file with a document goes from one house to the other, and is imported there as it was.
async fn hand_over(portal: &Portal, keeper: &Client, town: &RecordKeeping, way: &str) -> Result<(), Error> {
    let client = &portal.client;
    let Opened { case_file: file, case } = portal.open(way, "Abgabe (erfunden)").await?;
    let (_, content) = put_document(portal, &case, "abgabe.pdf").await?;
    let reference = format!("/case-files/{file}/record-reference");
    let body = json!({ "recordReference": format!("63-{way}/2026") });
    keeper.post(&reference, &format!("zeichen-{way}"), &body).await?.expect(&reference, &[200, 201])?;
    let body = json!({ "kind": "handover", "to": TOWN_KEY, "objects": [file] });
    let key = format!("abgabe-{way}");
    let exchange = client.post("/exchanges", &key, &body).await?.expect("POST /exchanges", &[202])?;
    let path = format!("/exchanges/{}", text(&exchange, "id"));
    client.wait_until(&path, |exchange| count(exchange, "0403") == 1).await?;
    let leased = until("the message in the mailbox", async || Ok(town.lease().await?.pop())).await?;
    let imported = town.import(&leased).await?;
    let came: Vec<&String> = imported.objects.iter().flat_map(|object| &object.files).collect();
    verify(came == [&content.sha256], "das Dokument kommt Byte für Byte an")?;
    town.confirm(&leased).await?;
    let ended = client.wait_until(&path, |exchange| count(exchange, "0402") == 1).await?;
    let message = format!("/messages/{}", crate::handover::first_message(&ended));
    let door = text(&client.read(&message).await?, "door").to_owned();
    verify(door == way, "die Abgabe ging den Weg, der eingerichtet ist")
}

/// Two more gateways, of which one runs the intermediary.
async fn by_osci() -> Result<(), Error> {
    let binary = std::env::current_exe()?;
    let (mut county, mut town) = osci::two_gateways(&binary, &Engine::Sqlite).await?;
    town.start().await?;
    county.start().await?;
    let ours = system(&county, COUNTY, COUNTY_KEY, &["system", "record-keeping"]).await?;
    let theirs = system(&town, TOWN, TOWN_KEY, &["record-keeping"]).await?;
    let (portal, town_office) = (Portal { client: ours.clone() }, RecordKeeping::new(&theirs, "4-63"));
    let made = hand_over(&portal, &ours, &town_office, "osci").await;
    county.remove().await?;
    town.remove().await?;
    made
}

async fn system(gateway: &Gateway, tenant: &str, key: &str, roles: &[&str]) -> Result<Client, Error> {
    let rights = Rights { tenant, roles, unit: "*", service: "*", authority: Some(key) };
    scene::token(gateway, "system", rights).await
}

/// The whole chains of evidence are intact after all that.
async fn prove(scene: &Scene) -> Result<(), Error> {
    for (gateway, tenant) in [(&scene.county_gateway, COUNTY), (&scene.town_gateway, TOWN)] {
        let report: Value = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await?;
        verify(report["ok"] == true, "die Kette ist unversehrt")?;
    }
    Ok(())
}
