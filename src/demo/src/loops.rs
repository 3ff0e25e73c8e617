//! For `amtsbote selftest`: one round through every channel, each by itself. Two gateways with simulated systems around them, and two more
//! for OSCI-Transport, all of them processes of this very program in temporary folders; nothing but the loopback is used.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use conformance::simulate::Error;
use conformance::simulate::client::{Client, items, text};
use conformance::simulate::files::{self, Content};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::osci;
use conformance::simulate::portal::{Attachment, Portal, UNIT};
use conformance::simulate::records::RecordKeeping;
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::handover::count;
use crate::intake::{self, Application};
use crate::office::{PRINTED, until};
use crate::scene::{self, Scene};
use crate::{Options, archive, backoffice, fee, online, telephone};

/// How long a channel may take: several times of what it takes.
const PATIENCE: Duration = Duration::from_secs(45);

/// The channels around the county's gateway.
const AROUND: [&str; 9] = [
    "document management (CMIS)",
    "workflow (Camunda 7)",
    "post in (folder of scans)",
    "post out (folder of prints)",
    "online (FIT-Connect)",
    "mobile (Open311)",
    "telephone (Asterisk)",
    "payments (GiroCheckout)",
    "archive (folder)",
];
const BY_XTA: &str = "XTA 2 between two houses";
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

/// Everything that the county's gateway is surrounded by; at last the way to the town.
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
    let [cmis, camunda, scans, prints, fit, open311, phone, giro, archived] = AROUND;
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
    );
    rounds.extend(<[Round; 9]>::from(made));
    rounds.push(round(BY_XTA, hand_over(&scene.portal, &scene.county.client, &scene.town, "xta")).await);
    let broken = async { intake::return_broken(&scene, &mut quiet()).await };
    rounds.push(round("a broken message goes back, every mistake named", broken).await);
    rounds.push(round("evidence of both houses", prove(&scene)).await);
    let removed = async { scene::finish(scene, false, &mut quiet()).await };
    rounds.push(round("two gateways end", removed).await);
    rounds
}

/// Both gateways, and an application with its documents.
async fn set_up() -> Result<(Scene, Application), Error> {
    let options = Options { keep: false, osci: false, big_mb: 1, samples: PathBuf::new() };
    let scene = scene::set_up(&options, &mut quiet()).await?;
    let application = intake::hand_in(&scene, &options, &mut quiet()).await?;
    intake::assign_reference(&scene, &application, &mut quiet()).await?;
    Ok((scene, application))
}

/// Told to nobody.
fn quiet() -> Story {
    Story::begin(true)
}

/// A letter to a citizen lies in the folder of the print centre.
async fn print(scene: &Scene) -> Result<(), Error> {
    let portal = &scene.portal;
    let case = portal.open("druck", "Brief (erfunden)").await?.case;
    let content = Content::new("brief.pdf", "application/pdf", files::pdf(&["Brief (erfunden)"]));
    let letter = Attachment { title: "Brief", kind: "Brief", content };
    let document = portal.describe(&case, &letter).await?;
    portal.upload(&document, &letter.content).await?;
    let to = json!({ "lines": ["Frau Beispiel (erfunden)", "Musterweg 1", "59494 Soest"] });
    let body = json!({
        "case": case, "kind": "disclosure", "documents": [document], "way": PRINTED, "to": to,
    });
    let dispatch = portal.client.post("/dispatches", "druck-1", &body).await?;
    let dispatch = dispatch.expect("POST /dispatches", &[201])?;
    let path = format!("/dispatches/{}", text(&dispatch, "id"));
    portal.client.wait_until(&path, |it| !items(it, "steps").is_empty()).await?;
    until("the letter in the folder", async || {
        let files = std::fs::read_dir(&scene.office.prints)?;
        Ok((files.count() > 0).then_some(()))
    })
    .await
}

/// A citizen's app reports something on the public listener, and it is a case.
async fn report(scene: &Scene) -> Result<(), Error> {
    let made = scene.till.report("service_code=001&lat=51.5&long=8.1&description=Tief").await?;
    let first = made.as_array().and_then(|list| list.first()).cloned().unwrap_or_default();
    let case = scene.sender.client.read(&format!("/cases/{}", text(&first, "service_request_id"))).await?;
    verify(text(&case, "unit") == UNIT, "die Meldung liegt im zuständigen Amt")
}

/// An e-file goes from one house to the other, and is imported there.
async fn hand_over(portal: &Portal, keeper: &Client, town: &RecordKeeping, way: &str) -> Result<(), Error> {
    let client = &portal.client;
    let file = portal.open(way, "Abgabe (erfunden)").await?.case_file;
    let reference = format!("/case-files/{file}/record-reference");
    let body = json!({ "recordReference": format!("63-{way}/2026") });
    keeper.post(&reference, &format!("zeichen-{way}"), &body).await?.expect(&reference, &[200, 201])?;
    let body = json!({ "kind": "handover", "to": TOWN_KEY, "objects": [file] });
    let key = format!("abgabe-{way}");
    let exchange = client.post("/exchanges", &key, &body).await?.expect("POST /exchanges", &[202])?;
    let path = format!("/exchanges/{}", text(&exchange, "id"));
    client.wait_until(&path, |exchange| count(exchange, "0403") == 1).await?;
    let leased = until("the message in the mailbox", async || Ok(town.lease().await?.pop())).await?;
    town.import(&leased).await?;
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
