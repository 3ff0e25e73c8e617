//! `amtsbote demo`: the gateway's main job as a story for a county's head of IT. Everything goes over
//! real HTTP to a real child process of this very program; each line says who spoke with it, and each
//! step is verified before it is told.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conformance::simulate::client::{Body, Client, Method, items, text};
use conformance::simulate::files::Content;
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::portal::{self, Attachment, Opened, Portal};
use conformance::simulate::records::{Imported, RecordKeeping, files_of};
use conformance::simulate::samples::{self, is_at_rest};
use conformance::simulate::story::{Story, megabytes, verify};
use conformance::simulate::{Error, containers};
use serde_json::{Value, json};
use tokio::io::sink;

/// What the story is told with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Leave the gateway running at the end and print its URLs and token files
    #[arg(long)]
    keep: bool,
    /// Size of the large document, in MB
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    big_mb: u32,
    /// Folder of real xdomea samples, each of which is sent as well
    #[arg(long, default_value = "../shared/samples/xoev/xdomea")]
    samples: PathBuf,
}

/// Tells the whole story; with `json` as one object at the end. Success only if every step was verified.
pub(crate) async fn run(options: Options, json: bool) -> ExitCode {
    let mut story = Story::begin(json);
    let outcome = tell(&options, &mut story).await;
    story.end(outcome.as_ref().err());
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The people and systems around the gateway.
struct Scene {
    gateway: Gateway,
    portal: Portal,
    records: RecordKeeping,
    town: RecordKeeping,
    /// A system of another unit of the county.
    stranger: Client,
    auditor: Client,
    tokens: Vec<(&'static str, String)>,
}

/// What has been handed in.
struct Application {
    opened: Opened,
    documents: Vec<(String, Content)>,
    /// A second, small case file.
    annex: Opened,
}

async fn tell(options: &Options, story: &mut Story) -> Result<(), Error> {
    let binary = std::env::current_exe()?;
    let mut scene = set_up(&binary, story).await?;
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
    story.note(&format!("Spitzenspeicher des Gateways: {}", megabytes(scene.gateway.peak_memory())));
    finish(scene, options.keep, story).await
}

async fn set_up(binary: &Path, story: &mut Story) -> Result<Scene, Error> {
    let step = story.step("Gateway einrichten und starten", "echtes Programm");
    let mut gateway = Gateway::prepare(binary, &Engine::Sqlite).await?;
    let county = |roles, unit, service| Rights { tenant: COUNTY, roles, unit, service, authority: Some(COUNTY_KEY) };
    let rights = [
        ("portal", county(&["system"], portal::UNIT, portal::SERVICE)),
        ("dms-kreis", county(&["record-keeping"], portal::UNIT, portal::SERVICE)),
        ("dms-stadt", Rights { tenant: TOWN, authority: Some(TOWN_KEY), ..county(&["record-keeping"], "*", "*") }),
        ("abfallwirtschaft", county(&["system", "auditor"], "70", "*")),
        ("revision", county(&["auditor"], "*", "*")),
    ];
    let mut tokens = vec![];
    let mut clients = vec![];
    for (name, rights) in rights {
        let secret = gateway.token(name, rights).await?;
        clients.push(gateway.client(&secret)?);
        tokens.push((name, secret));
    }
    gateway.start().await?;
    let [portal, records, town, stranger, auditor] = &clients[..] else {
        return Err(Error::Unverified("fünf Zugänge".into()));
    };
    for client in &clients {
        let listed = client.get("/case-files").await?;
        verify(listed.status == 200, "jedes Token wird erkannt")?;
    }
    let dms = |client: &Client, prefix: &str| RecordKeeping {
        client: client.clone(),
        prefix: prefix.to_owned(),
        refused: vec![],
        lease_seconds: 60,
    };
    let pid = gateway.pid().unwrap_or_default();
    story.done(step, 0, &format!("Prozess {pid} mit eingebettetem Speicher, 2 Behörden, 5 Zugänge; alles in einem leeren Ordner"));
    Ok(Scene {
        portal: Portal { client: portal.clone() },
        records: dms(records, "63.1"),
        town: dms(town, "4-63"),
        stranger: stranger.clone(),
        auditor: auditor.clone(),
        gateway,
        tokens,
    })
}

async fn hand_in(scene: &Scene, options: &Options, story: &mut Story) -> Result<Application, Error> {
    let portal = &scene.portal;
    let step = story.step("Bauantrag geht per REST ein", "Simulator: Portal");
    let opened = portal.open("antrag-1", "Anbau eines Wintergartens (erfunden)").await?;
    let annex = portal.open("antrag-2", "Baulast zum Wintergarten (erfunden)").await?;
    let again = portal.open("antrag-1", "Anbau eines Wintergartens (erfunden)").await?;
    verify(again.case_file == opened.case_file && again.case == opened.case, "derselbe Antrag wird nicht zweimal angelegt")?;
    story.done(step, 0, "Akte und Vorgang angelegt; die wiederholte Anfrage bekam dieselbe Antwort");

    let mut documents = vec![];
    for attachment in portal::building_application(options.big_mb) {
        let step = story.step(&format!("Dokument „{}“ wird übertragen", attachment.title), "Simulator: Portal");
        let content = attachment.content.clone();
        let document = portal.describe(&opened.case, &attachment).await?;
        let stored = portal.upload(&document, &content).await?.expect("PUT content", &[200, 201])?;
        verify(digest_of(&stored, &content.name) == content.sha256, "Prüfsumme des Gateways gleich der des Absenders")?;
        story.done(step, content.size, &format!("{}, SHA-256 {}… auf beiden Seiten gleich", content.name, &content.sha256[..12]));
        documents.push((document, content));
    }
    Ok(Application { opened, documents, annex })
}

async fn assign_reference(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Aktenzeichen wird vergeben", "Simulator: DMS des Kreises");
    let wanted = [&application.opened.case_file, &application.annex.case_file];
    let mut assigned = vec![];
    let mut after = 0;
    while !wanted.iter().all(|&id| assigned.iter().any(|(known, _)| known == id)) {
        let (last, more) = scene.records.assign_references(after).await?;
        verify(last > after || !more.is_empty(), "neue Akten erscheinen im Ereignisstrom")?;
        after = last;
        assigned.extend(more);
    }
    for (id, reference) in &assigned {
        let file = scene.portal.client.read(&format!("/case-files/{id}")).await?;
        verify(text(&file, "recordReference") == reference, "das Aktenzeichen steht an der Akte")?;
    }
    let reference = assigned.iter().find(|(id, _)| id == wanted[0]).map_or("", |(_, reference)| reference);
    story.done(step, 0, &format!("Akte trägt jetzt {reference}"));
    Ok(())
}

/// SIGKILL in the middle of an upload and of a raw message; both clients repeat what was not answered.
async fn kill_and_repeat(scene: &mut Scene, application: &mut Application, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Gateway wird mitten in der Arbeit abgeschossen (SIGKILL)", "echtes Programm");
    let attachment = Attachment {
        title: "Statik, gescannt",
        kind: "Statik",
        content: Content::large("statik.pdf", 24),
    };
    let container = containers::handover(containers::seeded_id(1, 0), 1, 12_000_000);
    let acknowledged = containers::handover(containers::seeded_id(2, 0), 2, 40_000);
    let portal = scene.portal.clone();
    let client = &portal.client;
    let document = portal.describe(&application.opened.case, &attachment).await?;

    let told = post_message(client, "eingang-2", &acknowledged.content).await?;
    let (body, upload_half) = attachment.content.hanging(attachment.content.size / 2);
    let path = portal::content_path(&document, &attachment.content);
    let key = portal::upload_key(&document, &attachment.content);
    let upload = client.upload_stream(Method::PUT, &path, &key, &attachment.content, Body::wrap_stream(body));
    let (body, message_half) = container.content.hanging(container.content.size / 2);
    let message_path = message_path(&container.content);
    let message = client.upload_stream(Method::POST, &message_path, "eingang-1", &container.content, Body::wrap_stream(body));
    let kill = async {
        let _ = upload_half.await;
        let _ = message_half.await;
        scene.gateway.kill().await
    };
    let (upload, message, killed) = tokio::join!(upload, message, kill);
    killed?;
    verify(upload.is_err() && message.is_err(), "beide Absender haben keine Antwort bekommen")?;
    let half = (attachment.content.size + container.content.size) / 2;
    story.done(step, half, "ein Dokument und eine Nachricht waren je zur Hälfte übertragen");

    let step = story.step("Neustart, die Absender wiederholen mit demselben Schlüssel", "echtes Programm");
    scene.gateway.start().await?;
    let stored = portal.upload(&document, &attachment.content).await?.expect("PUT content", &[200, 201])?;
    verify(digest_of(&stored, &attachment.content.name) == attachment.content.sha256, "das wiederholte Dokument ist ganz")?;
    let repeated = post_message(client, "eingang-1", &container.content).await?;
    let again = post_message(client, "eingang-1", &container.content).await?;
    verify(text(&repeated, "id") == text(&again, "id"), "die doppelte Nachricht bekam die erste Antwort")?;
    let kept = client.read(&format!("/messages/{}", text(&told, "id"))).await?;
    verify(text(&kept["payload"], "sha256") == acknowledged.content.sha256, "die quittierte Nachricht ist noch da")?;
    application.documents.push((document, attachment.content));
    let bytes = compare(client, application).await?;
    let messages = client.list("/messages?direction=in").await?;
    verify(messages.len() == 2, "genau zwei Nachrichten, keine doppelt")?;
    story.done(step, bytes, "nichts verloren, nichts doppelt: alle Dateien zurückgelesen, Prüfsummen und Anzahl gleich");
    Ok(())
}

/// Reads every document back and compares digests and counts; returns the bytes read.
async fn compare(client: &Client, application: &Application) -> Result<u64, Error> {
    let listed = client.list(&format!("/cases/{}/documents", application.opened.case)).await?;
    verify(listed.len() == application.documents.len(), "so viele Dokumente wie eingereicht")?;
    let mut bytes = 0;
    for (document, content) in &application.documents {
        let found = listed.iter().find(|known| text(known, "id") == document);
        verify(found.is_some_and(|found| files_of(found).count() == 1), "jedes Dokument hat genau eine Datei")?;
        let fetched = client.download(&format!("/documents/{document}/content"), &mut sink()).await?;
        verify(fetched.sha256 == content.sha256, "jede Datei kommt Byte für Byte zurück")?;
        bytes += fetched.size;
    }
    Ok(bytes)
}

async fn return_broken(scene: &Scene, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Fehlerhafter xdomea-Container geht ein", "Simulator: fremde Behörde");
    let client = &scene.portal.client;
    let container = containers::broken(containers::seeded_id(3, 0), 3);
    let message = post_message(client, "eingang-3", &container.content).await?;
    let path = format!("/messages/{}", text(&message, "id"));
    let ended = client.wait_until(&path, |message| is_at_rest(text(message, "state"))).await?;
    verify(text(&ended, "state") == "returned", "die Nachricht geht an den Absender zurück")?;
    let findings = items(&ended["report"], "findings");
    for mistake in &container.mistakes {
        let named = |finding: &Value| match mistake.line {
            Some(line) => finding["line"].as_u64() == Some(line),
            None => finding["line"].is_null() || finding.get("file").is_some(),
        };
        verify(findings.iter().any(named), mistake.words)?;
    }
    let content = client.get(&format!("{path}/content")).await?;
    verify((400..500).contains(&content.status), "der Inhalt ist unter Quarantäne und wird nicht herausgegeben")?;
    let size = container.content.size;
    let summary = format!("zurückgewiesen mit {} Befunden; Inhalt unter Quarantäne ({})", findings.len(), content.code());
    story.done(step, size, &summary);
    for finding in findings {
        let line = finding["line"].as_u64().map_or(String::from("Container"), |line| format!("Zeile {line}"));
        story.note(&format!("{line}: {}", text(finding, "rule")));
    }
    Ok(())
}

/// Hands both case files over; returns the sender's exchange.
async fn hand_over(scene: &Scene, application: &Application, story: &mut Story) -> Result<String, Error> {
    let step = story.step("Abgabe an die andere Behörde als xdomea 0401", "echtes Programm");
    let client = &scene.portal.client;
    let objects = [&application.opened.case_file, &application.annex.case_file];
    let body = json!({ "kind": "handover", "to": TOWN_KEY, "objects": objects });
    let exchange = client.post("/exchanges", "abgabe-1", &body).await?.expect("POST /exchanges", &[202])?;
    let again = client.post("/exchanges", "abgabe-1", &body).await?.expect("POST /exchanges", &[202])?;
    let id = text(&exchange, "id").to_owned();
    verify(text(&again, "id") == id, "die wiederholte Abgabe ist dieselbe")?;
    let path = format!("/exchanges/{id}");
    let sent = client.wait_until(&path, |exchange| text(exchange, "status") != "sending").await?;
    let message = items(&sent, "messages").first().cloned().unwrap_or_default();
    let file = scene.gateway.folder().join(format!("{}_Abgabe.Abgabe.0401.zip", text(&sent, "processId")));
    let mut sink = tokio::fs::File::create(&file).await?;
    let container = client.download(&format!("/messages/{}/content", text(&message, "id")), &mut sink).await?;
    verify(container.status == 200, "der Container kann geholt werden")?;
    story.done(step, container.size, &format!("ProzessID {}", text(&sent, "processId")));

    let step = story.step("Derselbe Container im Prüfbefehl „amtsbote check“", "echtes Programm");
    let checked = scene.gateway.command(&["check", "--json"]).arg(&file).output().await?;
    verify(checked.status.success(), "der eigene Container besteht die Prüfung")?;
    story.done(step, container.size, "keine Beanstandung, Rückgabewert 0");
    fs::remove_file(&file)?;

    let step = story.step("Empfangsbestätigung 0403 trifft ein", "echtes Programm");
    let received = client.wait_until(&path, |exchange| has_message(exchange, "0403")).await?;
    verify(text(&received, "status") == "received", "empfangen, aber noch nicht importiert")?;
    verify(!has_message(&received, "0402"), "keine Importbestätigung vor dem Import")?;
    story.done(step, 0, "die Stadt hat den Container dauerhaft; importiert ist noch nichts");
    Ok(id)
}

async fn refuse_lock(scene: &Scene, application: &Application, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Kreis will die Akte schon sperren", "Simulator: DMS des Kreises");
    let refused = try_lock(scene, &application.opened.case_file, exchange, "zu-frueh").await?;
    verify(refused == (409, "model.not-confirmed".to_owned()), "Sperren wird vor der Importbestätigung verweigert")?;
    story.done(step, 0, "verweigert mit 409 model.not-confirmed: Empfang ist nicht Import");
    Ok(())
}

async fn import(scene: &mut Scene, application: &Application, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Stadt importiert und bestätigt je Objekt", "Simulator: DMS der Stadt");
    let sent = scene.portal.client.read(&format!("/exchanges/{exchange}")).await?;
    let annex = items(&sent, "objects").iter().find(|object| text(object, "id") == application.annex.case_file);
    scene.town.refused = annex.map(|object| text(object, "objectId").to_owned()).into_iter().collect();
    let leased = scene.town.lease().await?;
    let [entry] = &leased[..] else {
        return Err(Error::Unverified("genau eine Abgabe im Postfach der Stadt".into()));
    };
    let Imported { process_id, objects, .. } = scene.town.import(entry).await?;
    scene.town.confirm(entry).await?;
    verify(process_id == text(&sent, "processId"), "gleiche ProzessID auf beiden Seiten")?;
    verify(objects.iter().map(|object| object.successful).eq([true, false]), "eine Akte importiert, eine abgelehnt")?;
    let mut came: Vec<&String> = objects.iter().flat_map(|object| &object.files).collect();
    let mut went: Vec<&String> = application.documents.iter().map(|(_, content)| &content.sha256).collect();
    came.sort();
    went.sort();
    verify(came == went, "jede Datei ist Byte für Byte angekommen")?;
    let bytes = objects.iter().map(|object| object.bytes).sum();
    story.done(step, bytes, &format!("{} Dateien angekommen und verglichen; 1 Akte übernommen, 1 abgelehnt", came.len()));

    let step = story.step("Importbestätigung 0402 trifft beim Kreis ein", "echtes Programm");
    let path = format!("/exchanges/{exchange}");
    let confirmed = scene.portal.client.wait_until(&path, |exchange| has_message(exchange, "0402")).await?;
    verify(text(&confirmed, "status") == "partlyConfirmed", "Ergebnis je Objekt")?;
    for (wanted, times) in [("0401", 1), ("0403", 1), ("0402", 1)] {
        verify(count_messages(&confirmed, wanted) == times, "jede Nachricht genau einmal")?;
    }
    story.done(step, 0, "0401, 0403 und 0402 genau einmal; Ergebnis je Objekt vermerkt");
    Ok(())
}

async fn lock(scene: &Scene, application: &Application, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Kreis sperrt, was übernommen wurde", "Simulator: DMS des Kreises");
    let file = &application.opened.case_file;
    let locked = try_lock(scene, file, exchange, "jetzt").await?;
    verify(locked.0 == 200, "die übernommene Akte wird gesperrt")?;
    let refused = try_lock(scene, &application.annex.case_file, exchange, "abgelehnt").await?;
    verify(refused == (409, "model.not-confirmed".to_owned()), "die abgelehnte Akte bleibt offen")?;
    let path = format!("/cases/{}/documents", application.opened.case);
    let write = scene.portal.client.post(&path, "nachtrag", &json!({ "title": "Nachtrag" })).await?;
    verify((write.status, write.code()) == (409, "model.locked"), "in der gesperrten Akte wird nichts mehr geändert")?;
    story.done(step, 0, "übernommene Akte gesperrt, abgelehnte nicht; ein Nachtrag wird mit 409 model.locked verweigert");
    Ok(())
}

async fn hide_from_stranger(scene: &Scene, application: &Application, exchange: &str, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Ein anderes Amt des Kreises sucht danach", "Simulator: Abfallwirtschaft");
    let Opened { case_file, case } = &application.opened;
    let sent = scene.portal.client.read(&format!("/exchanges/{exchange}")).await?;
    let message = items(&sent, "messages").first().map(|first| text(first, "id").to_owned());
    let (document, message) = (&application.documents[0].0, message.unwrap_or_default());
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
    for path in ["/case-files", "/cases", "/exchanges", "/messages", "/inbox"] {
        verify(scene.stranger.list(path).await?.is_empty(), &format!("leere Liste unter {path}"))?;
    }
    story.done(step, 0, &format!("{} Adressen mit 404, 5 Listen leer: nicht einmal, dass es sie gibt", hidden.len()));
    Ok(())
}

async fn prove(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Revision holt die Beweise und prüft sie ohne Datenbank", "echtes Programm");
    let (small, whole) = (scene.gateway.folder().join("ereignisse.zip"), scene.gateway.folder().join("beweise.zip"));
    let root = &application.opened.case_file;
    let mut bytes = 0;
    for (file, content) in [(&small, false), (&whole, true)] {
        let mut sink = tokio::fs::File::create(file).await?;
        let path = format!("/evidence/{root}?content={content}");
        let fetched = scene.auditor.download(&path, &mut sink).await?;
        verify(fetched.status == 200, "die Beweise werden herausgegeben")?;
        bytes += fetched.size;
        let (ok, report) = verify_bundle(scene, file).await?;
        verify(ok && report["ok"] == json!(true), "die Beweise sind unversehrt")?;
    }
    story.done(step, bytes, "Ereignisse, Kette, Unterschriften und jeder 64-KiB-Block stimmen");

    let step = story.step("Ein einziges Byte wird verändert", "echtes Programm");
    let middle = fs::metadata(&whole)?.len() / 2;
    flip(&whole, middle)?;
    let (ok, report) = verify_bundle(scene, &whole).await?;
    let chunk = &report["findings"][0]["place"];
    verify(!ok && chunk["chunk"].is_u64(), "der veränderte Block wird genannt")?;
    flip(&small, position(&small, b"record.created")?)?;
    let (ok, report) = verify_bundle(scene, &small).await?;
    let record = &report["findings"][0]["place"];
    verify(!ok && (record["event"].is_u64() || record["line"].is_u64()), "der veränderte Datensatz wird genannt")?;
    let named = format!("genannt werden Block {} (ab Byte {}) und Zeile {} der Ereignisse", chunk["chunk"], chunk["offset"], record["line"]);
    story.done(step, 0, &named);
    fs::remove_file(&small)?;
    Ok(fs::remove_file(&whole)?)
}

/// Every real sample, where there are any.
async fn send_samples(scene: &Scene, folder: &Path, story: &mut Story) -> Result<(), Error> {
    if !folder.is_dir() {
        story.note(&format!("Keine echten Beispiele unter {}: dieser Schritt entfällt", folder.display()));
        return Ok(());
    }
    let step = story.step("Echte xdomea-Beispiele gehen auf demselben Weg ein", "echte Dateien anderer Programme");
    let outcomes = samples::send_all(&scene.portal.client, folder).await?;
    let bytes = outcomes.iter().map(|outcome| outcome.bytes).sum();
    let summary = format!("{} Nachrichten; Probelauf und Ernstfall urteilen über jede gleich", outcomes.len());
    story.done(step, bytes, &summary);
    for outcome in &outcomes {
        story.note(&outcome.to_string());
    }
    Ok(())
}

async fn finish(scene: Scene, keep: bool, story: &mut Story) -> Result<(), Error> {
    if !keep {
        return scene.gateway.remove().await;
    }
    let folder = scene.gateway.folder().join("tokens");
    fs::create_dir_all(&folder)?;
    for (name, secret) in &scene.tokens {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(folder.join(name))?.write_all(secret.as_bytes())?;
    }
    let left = scene.gateway.leave();
    story.note(&format!("Das Gateway läuft weiter (Prozess {}; beenden mit: kill {})", left.pid, left.pid));
    story.note(&format!("REST: {}/api/v1   Beschreibung: {}/api/v1/openapi.json", left.internal, left.internal));
    story.note(&format!("Betrieb: {}/health/ready und {}/metrics", left.operations, left.operations));
    story.note(&format!("Zugänge: {}", left.folder.join("tokens").display()));
    Ok(())
}

async fn try_lock(scene: &Scene, case_file: &str, exchange: &str, key: &str) -> Result<(u16, String), Error> {
    let path = format!("/case-files/{case_file}/lock");
    let body = json!({ "exchange": exchange });
    let answer = scene.records.client.post(&path, &format!("{case_file}-{key}"), &body).await?;
    Ok((answer.status, answer.code().to_owned()))
}

async fn verify_bundle(scene: &Scene, file: &Path) -> Result<(bool, Value), Error> {
    let output = scene.gateway.command(&["evidence", "verify", "--json"]).arg(file).output().await?;
    Ok((output.status.success(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
}

/// Where a raw message goes.
fn message_path(content: &Content) -> String {
    format!("/messages?fileName={}", content.name)
}

async fn post_message(client: &Client, key: &str, content: &Content) -> Result<Value, Error> {
    let answer = client.upload(Method::POST, &message_path(content), key, content).await?;
    answer.expect("POST /messages", &[202])
}

fn digest_of(document: &Value, name: &str) -> String {
    let file = files_of(document).find(|(_, file)| text(file, "name") == name);
    file.map(|(_, file)| text(&file["content"], "sha256").to_owned()).unwrap_or_default()
}

fn count_messages(exchange: &Value, message_type: &str) -> usize {
    items(exchange, "messages").iter().filter(|message| text(message, "type") == message_type).count()
}

fn has_message(exchange: &Value, message_type: &str) -> bool {
    count_messages(exchange, message_type) > 0
}

fn flip(file: &Path, offset: u64) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file.write_all(&[byte[0] ^ 1])?)
}

/// Where `words` first stand in a small file.
fn position(file: &Path, words: &[u8]) -> Result<u64, Error> {
    let bytes = fs::read(file)?;
    let found = bytes.windows(words.len()).position(|window| window == words);
    found.map(|at| at as u64).ok_or_else(|| Error::Unverified("das Ereignis steht in den Beweisen".into()))
}
