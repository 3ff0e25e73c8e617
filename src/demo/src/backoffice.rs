//! The back office of the county: the application lies in the DMS and has its process in the engine, a letter that was scanned finds its
//! case, and a DMS that goes down in the middle of a call neither loses anything nor gets it twice.

use std::fs;
use std::path::Path;

use conformance::simulate::Error;
use conformance::simulate::client::{Client, items, text};
use conformance::simulate::cmis::Fault;
use conformance::simulate::files::{self, Content};
use conformance::simulate::portal::{Attachment, Opened};
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::intake::Application;
use crate::office::{DMS, TOPIC, delivered, reference_in, until};
use crate::scene::Scene;

const CMIS: &str = "Simulator: DMS des Kreises (CMIS)";
const ENGINE: &str = "Simulator: Prozess-Engine (Camunda 7)";
const SCANNER: &str = "Simulator: Scanstelle";
pub(crate) const CLERK: &str = "Simulator: Sachbearbeitung";

/// Name of the letter's files in the hot folder.
const LETTER: &str = "posteingang-0001";
/// What the clerk says of an application.
const RESULT: &str = "vollständig";
/// Calls of the DMS that fail before it is there again: that of which the answer is lost, and one after it.
const CALLS_IN_VAIN: u64 = 2;

/// Everything of the application lies in the DMS, which the time lines tell.
pub(crate) async fn file(scene: &Scene, application: &Application, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Akten, Vorgänge und Dokumente stehen im DMS", CMIS);
    let client = &scene.portal.client;
    let mut names = vec![];
    for Opened { case_file, case } in [&application.main, &application.annex] {
        for (path, id) in [("case-files", case_file), ("cases", case)] {
            names.push(in_dms(scene, path, id).await?.0);
        }
        let reference = client.read(&format!("/case-files/{case_file}")).await?["recordReference"].take();
        until("the reference in the DMS", async || {
            let objects = scene.office.objects(case_file);
            Ok(objects.iter().any(|object| object["amt:aktenzeichen"] == reference).then_some(()))
        })
        .await?;
    }
    let bytes = documents_in_dms(scene, application).await?;
    let count = application.documents.len();
    story.done(
        step,
        bytes,
        &format!("2 Akten mit Aktenzeichen, 2 Vorgänge, {count} Dokumente, alles genau einmal"),
    );
    let [file, case, ..] = names.as_slice() else { return Ok(()) };
    story.note(&format!(
        "Zeitleiste der Akte: „channel.delivered“, im DMS heißt sie {file}; der Vorgang heißt dort {case}"
    ));
    Ok(())
}

/// Each case has got its process once, and what people have to do in it is a task here.
pub(crate) async fn follow_process(
    scene: &Scene,
    application: &Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Zu jedem Vorgang läuft ein Prozess", ENGINE);
    let mut told = String::new();
    for opened in [&application.annex, &application.main] {
        let task = open_task(&scene.clerk, &opened.case).await?;
        let instance = only_instance(scene, &opened.case)?;
        let stands = scene.office.engine.stands_at(&instance);
        verify(stands.as_deref() == Some("pruefen"), "der Prozess wartet auf die Prüfung")?;
        let (title, unit) = (text(&task, "title"), text(&task, "unit"));
        told =
            format!("Instanz {instance} wartet; ihr External Task ist die Aufgabe „{title}“ im Amt {unit}");
    }
    story.done(step, 0, &told);
    Ok(())
}

/// A letter was scanned; its index file names the case and says when it was received.
pub(crate) async fn take_letter(
    scene: &Scene,
    application: &mut Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Ein Brief wird gescannt und findet seinen Vorgang", SCANNER);
    let client = &scene.portal.client;
    let case = application.main.case.clone();
    let reference = name_case(scene, &application.main).await?;
    let day = yesterday();
    let received = format!("{day}T08:15:00Z");
    let index =
        format!("Aktenzeichen;Eingang;Betreff\n{reference};{received};Zustimmung der Nachbarin (erfunden)\n");
    let letter =
        files::pdf(&["Zustimmung der Nachbarin (erfunden)", "", "Mit dem Wintergarten einverstanden."]);
    let letter = Content::new(&format!("{LETTER}.pdf"), "application/pdf", letter);
    drop_scan(&scene.office.scan, &letter, &index)?;

    let path = format!("/interactions?case={case}");
    let page = client.wait_until(&path, |page| !items(page, "items").is_empty()).await?;
    let [contact] = items(&page, "items") else { return verify(false, "genau ein Posteingang im Vorgang") };
    verify(text(contact, "status") == "filed", "er liegt im Vorgang, nicht auf einem Schreibtisch")?;
    verify(text(contact, "at") == received, "der Zeitpunkt des Eingangs steht fest")?;
    verify(items(contact, "concerns").is_empty(), "nichts daran ist zweifelhaft")?;
    let document = items(contact, "documents").first().and_then(Value::as_str).unwrap_or_default().to_owned();
    let kept = client.read(&format!("/documents/{document}")).await?;
    verify(text(&kept["dates"], "received") == day, "das Dokument trägt den Tag des Eingangs")?;
    application.documents.push((document.clone(), letter.clone()));
    scene.portal.read_back(&case, &application.documents).await?;
    in_dms(scene, "documents", &document).await?;
    // What was delivered twice is looked for once the DMS is back.
    drop_scan(&scene.office.scan, &letter, &index)?;
    story.done(
        step,
        letter.size,
        &format!("Vorgang {reference}, eingegangen {received}, unverändert abgelegt und im DMS"),
    );
    Ok(())
}

/// The DMS has just written a document when it goes down: nobody hears of it.
pub(crate) async fn lose_dms(
    scene: &Scene,
    application: &mut Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Das DMS fällt mitten im Ablegen eines Dokuments aus", CMIS);
    let client = &scene.portal.client;
    scene.office.dms.fault(Fault::Crash, Some("createdocument"), 1);
    let content = files::pdf(&["Brandschutznachweis (erfunden)", "", "Abstand zur Grenze: 3,20 m"]);
    let content = Content::new("brandschutz.pdf", "application/pdf", content);
    let attachment = Attachment { title: "Brandschutznachweis", kind: "Nachweis", content };
    let document = scene.portal.describe(&application.main.case, &attachment).await?;
    scene.portal.upload(&document, &attachment.content).await?;
    let lane = format!("channel:{DMS}");
    let failing = until("failing calls of the DMS", async || {
        Ok(Some(scene.lane(&lane).await?).filter(|lane| lane["failures"].as_u64() >= Some(CALLS_IN_VAIN)))
    })
    .await?;
    verify(scene.office.objects(&document).len() == 1, "das DMS hatte es schon angelegt")?;
    let timeline = format!("/documents/{document}/timeline");
    verify(reference_in(client, &timeline).await?.is_none(), "das Gateway weiß davon nichts")?;
    let waiting = scene.operator.list(&format!("/channel-deliveries?adapter={DMS}&parked=false")).await?;
    let waits = waiting.iter().any(|delivery| text(&delivery["record"], "id") == document);
    verify(waits, "es wartet, bis das DMS wieder da ist")?;
    application.documents.push((document, attachment.content));
    let (failures, code) = (&failing["failures"], text(&failing, "lastFailure"));
    story.done(
        step,
        0,
        &format!(
            "angelegt, aber die Antwort ging verloren; {failures} Anrufe vergeblich ({code}), es wartet"
        ),
    );
    Ok(())
}

/// It is there again: what waited is carried on, and what it had already is found.
pub(crate) async fn dms_is_back(
    scene: &Scene,
    application: &Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Das DMS ist wieder da", CMIS);
    scene.office.dms.fault(Fault::None, None, 0);
    scene.retry_lane(&format!("channel:{DMS}"), "dms-ist-da").await?;
    let bytes = documents_in_dms(scene, application).await?;
    let count = application.documents.len();
    verify(scene.office.documents() == count, "keines ist doppelt, keines fehlt")?;
    until("the second copy of the letter", async || Ok((scans_done(&scene.office.scan)? == 2).then_some(())))
        .await?;
    let path = format!("/interactions?case={}", application.main.case);
    let letters = scene.portal.client.list(&path).await?.len();
    verify(letters == 1, "der Brief, der zweimal geliefert wurde, ist einer")?;
    scene.portal.read_back(&application.main.case, &application.documents).await?;
    story.done(step, bytes, &format!("nichts verloren, nichts doppelt: {count} Dokumente hier wie dort"));
    Ok(())
}

/// A clerk does the task of the application, and its process goes on.
pub(crate) async fn end_process(
    scene: &Scene,
    application: &Application,
    story: &mut Story,
) -> Result<(), Error> {
    let step = story.step("Die Aufgabe wird erledigt, der Prozess geht weiter", CLERK);
    let case = &application.main.case;
    let instance = do_task(scene, case).await?;
    let result = scene.office.engine.variable(&instance, "ergebnis").unwrap_or_default();
    verify(text(&result, "value") == RESULT, "die Engine kennt das Ergebnis")?;
    story.done(
        step,
        0,
        &format!(
            "Ergebnis „{RESULT}“; trotz SIGKILL gab es nur die eine Instanz {instance}, sie ist am Ende"
        ),
    );
    Ok(())
}

/// Does the task of a case, and waits for the end of its process, which is the only one of the case.
pub(crate) async fn do_task(scene: &Scene, case: &str) -> Result<String, Error> {
    let task = open_task(&scene.clerk, case).await?;
    let path = format!("/tasks/{}/complete", text(&task, "id"));
    let result = json!({ "result": RESULT });
    scene.clerk.post(&path, &format!("erledigt-{case}"), &result).await?.expect(&path, &[200])?;
    let engine = &scene.office.engine;
    let instance = only_instance(scene, case)?;
    until("the end of the process", async || Ok(engine.stands_at(&instance).is_none().then_some(()))).await?;
    only_instance(scene, case)
}

/// The task that a case's process has given to people.
async fn open_task(clerk: &Client, case: &str) -> Result<Value, Error> {
    until("the task of a process", async || {
        let tasks = clerk.list("/tasks?status=open").await?;
        let mut tasks = tasks.into_iter();
        Ok(tasks.find(|task| text(task, "caseId") == case && text(task, "kind") == TOPIC))
    })
    .await
}

fn only_instance(scene: &Scene, case: &str) -> Result<String, Error> {
    let instances = scene.office.engine.instances(case);
    verify(instances.len() == 1, "der Prozess des Vorgangs wurde genau einmal gestartet")?;
    Ok(instances.into_iter().next().unwrap_or_default())
}

/// Waits until the DMS has a record, once, under the name that the record's time line tells; gives that name and the object.
async fn in_dms(scene: &Scene, path: &str, id: &str) -> Result<(String, Value), Error> {
    let name = delivered(&scene.portal.client, &format!("/{path}/{id}")).await?;
    let objects = scene.office.objects(id);
    let [object] = objects.as_slice() else {
        return Err(Error::Unverified("im DMS steht es genau einmal".to_owned()));
    };
    verify(text(object, "cmis:objectId") == name, "die Zeitleiste nennt es, wie das DMS es nennt")?;
    Ok((name, object.clone()))
}

/// The same of all documents, each with all of its bytes; gives their number.
async fn documents_in_dms(scene: &Scene, application: &Application) -> Result<u64, Error> {
    let mut bytes = 0;
    for (document, content) in &application.documents {
        let (_, object) = in_dms(scene, "documents", document).await?;
        let length = object["cmis:contentStreamLength"].as_u64();
        verify(length == Some(content.size), "das Dokument ist im DMS so lang wie hier")?;
        bytes += content.size;
    }
    Ok(bytes)
}

/// The record-keeping system gives the case a reference of its own, under that of its file.
async fn name_case(scene: &Scene, opened: &Opened) -> Result<String, Error> {
    let file = scene.portal.client.read(&format!("/case-files/{}", opened.case_file)).await?;
    let reference = format!("{}-V1", text(&file, "recordReference"));
    let path = format!("/cases/{}/record-reference", opened.case);
    let body = json!({ "recordReference": reference });
    scene.county.client.post(&path, "vorgangszeichen", &body).await?.expect(&path, &[200, 201])?;
    Ok(reference)
}

/// Puts a scan into the hot folder as a scanner does that writes the index first; the document appears whole.
fn drop_scan(folder: &Path, scan: &Content, index: &str) -> Result<(), Error> {
    fs::write(folder.join(format!("{LETTER}.csv")), index)?;
    let writing = folder.join(format!(".{LETTER}.pdf"));
    fs::write(&writing, scan.bytes().map_or(&[][..], |bytes| bytes))?;
    Ok(fs::rename(writing, folder.join(&scan.name))?)
}

/// How many scans the gateway has put away as done.
fn scans_done(folder: &Path) -> Result<usize, Error> {
    let mut done = 0;
    for day in fs::read_dir(folder.join("done"))? {
        done += fs::read_dir(day?.path())?.count();
    }
    Ok(done)
}

/// A day on which the letter can have come, as `YYYY-MM-DD`.
fn yesterday() -> String {
    let today = time::OffsetDateTime::now_utc().date();
    today.previous_day().unwrap_or(today).to_string()
}
