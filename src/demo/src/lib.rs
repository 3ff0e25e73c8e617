//! `amtsbote demo`: the gateway's main job as a story for a county's head of IT. Everything goes over
//! real HTTP to a real child process of this very program; each line says who spoke with it, and each
//! step is verified before it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conformance::simulate::auditor::Auditor;
use conformance::simulate::client::{Client, items, text};
use conformance::simulate::files::Content;
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::portal::{self, Attachment, Opened, Portal};
use conformance::simulate::records::{Imported, RecordKeeping};
use conformance::simulate::samples::{self, is_at_rest};
use conformance::simulate::sender::Sender;
use conformance::simulate::story::{Story, megabytes, verify};
use conformance::simulate::{Error, containers, osci, tamper};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Memory that the gateway may take at most while all this goes through it, in bytes.
const MOST_MEMORY: u64 = 200_000_000;

const REAL: &str = "echtes Programm";
const COUNTY_DMS: &str = "Simulator: DMS des Kreises";
const PORTAL: &str = "Simulator: Portal";

/// What the story is told with.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Leave the gateway running at the end and print its URLs and token files
    #[arg(long)]
    keep: bool,
    /// Hand over by OSCI-Transport to a second gateway, which runs the intermediary, too
    #[arg(long)]
    osci: bool,
    /// Size of the large document, in MB
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    big_mb: u32,
    /// Folder of real xdomea samples, each of which is sent as well
    #[arg(long, default_value = "../shared/samples/xoev/xdomea")]
    samples: PathBuf,
}

/// Tells the whole story; with `json` as one object at the end. Success only if every step was verified.
pub async fn run(options: Options, json: bool) -> ExitCode {
    let mut story = Story::begin(json);
    let outcome = tell(&options, &mut story).await;
    story.end(outcome.as_ref().err());
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The people and systems around the gateway.
struct Scene {
    gateway: Gateway,
    /// The town's own gateway, if it has one.
    beyond: Option<Gateway>,
    portal: Portal,
    sender: Sender,
    county: RecordKeeping,
    town: RecordKeeping,
    /// A system of another unit of the county.
    stranger: Client,
    auditor: Auditor,
}

/// What has been handed in.
struct Application {
    main: Opened,
    /// A second, small case file.
    annex: Opened,
    documents: Vec<(String, Content)>,
}

async fn tell(options: &Options, story: &mut Story) -> Result<(), Error> {
    let mut scene = set_up(options, story).await?;
    let mut application = hand_in(&scene, options, story).await?;
    assign_reference(&scene, &application, story).await?;
    kill_and_repeat(&mut scene, &mut application, story).await?;
    return_broken(&scene, story).await?;
    let exchange = hand_over(&scene, &application, story).await?;
    refuse_lock(&scene, &application, &exchange, story).await?;
    import(&mut scene, &application, &exchange, story).await?;
    lock(&scene, &application, &exchange, story).await?;
    hide_from_stranger(&scene, &application, &exchange, story).await?;
    prove(&scene, &application, story).await?;
    send_samples(&scene, &options.samples, story).await?;
    for gateway in std::iter::once(&scene.gateway).chain(&scene.beyond) {
        let peak = gateway.peak_memory();
        verify(peak < MOST_MEMORY, "der Speicherbedarf wächst nicht mit den Dateien")?;
        story.note(&format!("Spitzenspeicher des Gateways: {}", megabytes(peak)));
    }
    finish(scene, options.keep, story).await
}

async fn set_up(options: &Options, story: &mut Story) -> Result<Scene, Error> {
    let step = story.step("Gateway einrichten und starten", REAL);
    let binary = std::env::current_exe()?;
    let (mut gateway, mut beyond) = match options.osci {
        true => osci::two_gateways(&binary, &Engine::Sqlite).await.map(|(own, other)| (own, Some(other)))?,
        false => (Gateway::prepare(&binary, &Engine::Sqlite).await?, None),
    };
    let county =
        |roles, unit, service| Rights { tenant: COUNTY, roles, unit, service, authority: Some(COUNTY_KEY) };
    let building = |roles| county(roles, portal::UNIT, portal::SERVICE);
    let town = Rights { tenant: TOWN, authority: Some(TOWN_KEY), ..county(&["record-keeping"], "*", "*") };
    let portal = token(&gateway, "portal", building(&["system"])).await?;
    let county_dms = token(&gateway, "dms-kreis", building(&["record-keeping"])).await?;
    let town_dms = token(beyond.as_ref().unwrap_or(&gateway), "dms-stadt", town).await?;
    let stranger = token(&gateway, "abfallwirtschaft", county(&["system", "auditor"], "70", "*")).await?;
    let auditor = token(&gateway, "revision", county(&["auditor"], "*", "*")).await?;
    if let Some(beyond) = &mut beyond {
        beyond.start().await?;
    }
    gateway.start().await?;
    for client in [&portal, &county_dms, &town_dms, &stranger, &auditor] {
        verify(client.get("/case-files").await?.status == 200, "jedes Token wird erkannt")?;
    }
    let pid = gateway.pid().unwrap_or_default();
    story.done(step, 0, &format!("Prozess {pid}, eingebetteter Speicher, 2 Behörden, 5 Zugänge"));
    if let Some(pid) = beyond.as_ref().and_then(Gateway::pid) {
        story.note(&format!("Die Stadt hat ein eigenes Gateway mit OSCI-Intermediär: Prozess {pid}"));
    }
    Ok(Scene {
        portal: Portal { client: portal.clone() },
        sender: Sender { client: portal },
        county: RecordKeeping::new(&county_dms, "63.1"),
        town: RecordKeeping::new(&town_dms, "4-63"),
        stranger,
        auditor: Auditor { client: auditor, folder: gateway.folder().to_owned() },
        gateway,
        beyond,
    })
}

async fn token(gateway: &Gateway, name: &str, rights: Rights<'_>) -> Result<Client, Error> {
    let secret = gateway.token(name, rights).await?;
    gateway.write_token(name, &secret)?;
    gateway.client(&secret)
}

async fn hand_in(scene: &Scene, options: &Options, story: &mut Story) -> Result<Application, Error> {
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

async fn assign_reference(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
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
async fn kill_and_repeat(
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
    let gateway = &mut scene.gateway;
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
    scene.gateway.start().await?;
    scene.portal.upload(&document, content).await?;
    let repeated = scene.sender.send("eingang-1", &message).await?;
    let again = scene.sender.send("eingang-1", &message).await?;
    verify(text(&repeated, "id") == text(&again, "id"), "die doppelte Nachricht bekam die erste Antwort")?;
    let kept = scene.portal.client.read(&format!("/messages/{}", text(&told, "id"))).await?;
    verify(text(&kept["payload"], "sha256") == acknowledged.sha256, "die quittierte Nachricht ist noch da")?;
    application.documents.push((document, content.clone()));
    let bytes = scene.portal.read_back(&application.main.case, &application.documents).await?;
    let messages = scene.portal.client.list("/messages?direction=in").await?;
    verify(messages.len() == 2, "genau zwei Nachrichten, keine doppelt")?;
    story.done(
        step,
        bytes,
        "nichts verloren, nichts doppelt: alles zurückgelesen, Prüfsummen und Anzahl gleich",
    );
    Ok(())
}

async fn return_broken(scene: &Scene, story: &mut Story) -> Result<(), Error> {
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

/// Hands both case files over; returns the sender's exchange.
async fn hand_over(scene: &Scene, application: &Application, story: &mut Story) -> Result<String, Error> {
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
    let file = scene.gateway.folder().join(format!("{process}_Abgabe.Abgabe.0401.zip"));
    let mut sink = tokio::fs::File::create(&file).await?;
    let message = first_message(&sent);
    let container = client.download(&format!("/messages/{message}/content"), &mut sink).await?;
    verify(container.status == 200, "der Container kann geholt werden")?;
    story.done(step, container.size, &format!("ProzessID {process}"));

    let step = story.step("Derselbe Container im Prüfbefehl „amtsbote check“", REAL);
    let checked = scene.gateway.command(&["check", "--json"]).arg(&file).output().await?;
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

async fn refuse_lock(
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

async fn import(
    scene: &mut Scene,
    application: &Application,
    exchange: &str,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Stadt importiert und bestätigt je Objekt", "Simulator: DMS der Stadt");
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

async fn lock(
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

async fn hide_from_stranger(
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
    let lists = ["/case-files", "/cases", "/exchanges", "/messages", "/inbox"];
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

async fn prove(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
    let Scene { auditor, gateway, .. } = scene;
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

/// Every real sample, where there are any.
async fn send_samples(scene: &Scene, folder: &Path, story: &mut Story) -> Result<(), Error> {
    if !folder.is_dir() {
        story.note(&format!("Keine echten Beispiele unter {}: dieser Schritt entfällt", folder.display()));
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

async fn finish(scene: Scene, keep: bool, story: &mut Story) -> Result<(), Error> {
    for gateway in std::iter::once(scene.gateway).chain(scene.beyond) {
        match keep {
            true => tell_of(gateway, story),
            false => gateway.remove().await?,
        }
    }
    Ok(())
}

/// Leaves a gateway running.
fn tell_of(gateway: Gateway, story: &mut Story) {
    let left = gateway.leave();
    let (pid, rest, operations) = (left.pid, &left.internal, &left.operations);
    story.note(&format!("Das Gateway läuft weiter als Prozess {pid}; beenden mit: kill {pid}"));
    story.note(&format!("REST: {rest}/api/v1, beschrieben unter {rest}/api/v1/openapi.json"));
    story.note(&format!("Betrieb: {operations}/health/ready und {operations}/metrics"));
    story.note(&format!("Zugänge: {}", left.folder.join("tokens").display()));
}

/// How many messages of a type an exchange has.
fn count(exchange: &Value, message_type: &str) -> usize {
    items(exchange, "messages").iter().filter(|message| text(message, "type") == message_type).count()
}

fn first_message(exchange: &Value) -> String {
    items(exchange, "messages").first().map_or(String::new(), |message| text(message, "id").to_owned())
}
