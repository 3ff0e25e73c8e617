//! Evidence: choosing a case, exporting its bundle, verifying a bundle that somebody has, checking the whole chain.

use std::io::{Seek, SeekFrom};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use broker::{ChainReport, Page, RecordFilter};
use futures::{StreamExt, stream};
use maud::{Markup, html};
use model::{Id, Record, RecordKind, Timestamp};
use seal::bundle::{Report, Trust, verify_with};
use seal::chain::SignedBy;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::{show, trial};
use crate::Console;
use crate::asked::Asked;
use crate::file_form::FileForm;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::workshop::{About, Found};

/// Cases and case files that one Aktenzeichen finds.
const MOST_FOUND: u32 = 20;
/// Bytes of a bundle that are read at once.
const PIECE: usize = 64 * 1024;

/// `GET /console/evidence`.
pub(super) async fn search(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let found = match asked.get("q") {
        Some(text) => match found(&console, &visit, text).await {
            Ok(found) => Some(found),
            Err(error) => return page::failed(&look, &error),
        },
        None => None,
    };
    page::page(
        &look,
        look.of_two("Beweise", "Evidence"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Alles, was geschieht, steht versiegelt in einer Kette. Ein Beweispaket enthält alle Ereignisse eines Vorgangs mit ihren \
                 Nachweisen; jeder kann es ohne dieses Gateway prüfen.",
                "Everything that happens is sealed into a chain. A bundle holds all events of a case with their proofs; anybody can verify it \
                 without this gateway.",
            )) } }))
            div.card {
                h2 { (look.of_two("Paket exportieren", "Export a bundle")) }
                form.search method="get" role="search" {
                    input type="hidden" name="lang" value=(look.words.tag());
                    label for="q" { (look.of_two("Vorgang oder Akte", "Case or case file")) }
                    p.hint #q-hint { (look.of_two("Kennung oder Aktenzeichen", "Id or file reference")) }
                    div.beside-it {
                        input #q type="search" name="q" value=(asked.text("q")) maxlength="200" aria-describedby="q-hint" autocomplete="off";
                        button.main type="submit" { (look.of_two("Suchen", "Find")) }
                    }
                }
            }
            @if let Some(found) = &found { (choices(&look, found)) }
            div.card {
                h2 { (look.of_two("Paket prüfen", "Verify a bundle")) }
                form method="post" enctype="multipart/form-data" action=(look.to("/evidence/verify")) {
                    (look.form_token())
                    label for="bundle" { (look.of_two("Beweispaket (ZIP)", "Bundle (ZIP)")) }
                    input #bundle name="file" type="file" accept=".zip,application/zip" required;
                    button type="submit" { (look.of_two("Prüfen", "Verify")) }
                }
            }
            div.card {
                h2 { (look.of_two("Ganze Kette prüfen", "Check the whole chain")) }
                p.hint { (look.of_two(
                    "Liest jede Zeile der Beweiskette dieses Mandanten. Das dauert je nach Bestand Minuten und stört den Betrieb nicht.",
                    "Reads every row of this tenant's chain. It takes minutes, depending on how much there is, and disturbs nobody.",
                )) }
                form method="post" action=(look.to("/evidence/check")) {
                    (look.form_token())
                    button type="submit" { (look.of_two("Kette prüfen", "Check the chain")) }
                }
            }
        },
    )
}

/// Topmost records by id or Aktenzeichen, within the visitor's scope.
async fn found(console: &Console, visit: &Visit, text: &str) -> Result<Vec<(Id, Record)>, broker::Error> {
    let mut all = vec![];
    for kind in [RecordKind::CaseFile, RecordKind::Case] {
        let of_id = match text.parse::<Id>() {
            Ok(id) => console.broker.record(&visit.caller, kind, id).await.ok().into_iter().collect(),
            Err(_) => {
                let filter =
                    RecordFilter { record_reference: Some(text.to_owned()), ..RecordFilter::of(kind) };
                console.broker.records(&visit.caller, &filter, &Page::first(MOST_FOUND)).await?.items
            }
        };
        all.extend(of_id.into_iter().map(|record| (record.meta().root, record)));
    }
    Ok(all)
}

fn choices(look: &Look, found: &[(Id, Record)]) -> Markup {
    html! {
        @if found.is_empty() {
            (page::empty(look.of_two(
                "Nichts gefunden. Prüfen Sie Kennung oder Aktenzeichen.",
                "Nothing found. Look at the id or reference.",
            )))
        } @else {
            ul.choices { @for (root, record) in found { li.card {
                h3 { (title(record)) }
                p.place { span.code { (root) } " · " (record.status()) }
                form.acts method="post" action=(look.to("/evidence/export")) {
                    (look.form_token())
                    input type="hidden" name="root" value=(root);
                    button.main type="submit" { (look.of_two("Paket herunterladen", "Download the bundle")) }
                }
            } } }
        }
    }
}

fn title(record: &Record) -> String {
    match record {
        Record::CaseFile(file) => file.description.title.clone(),
        Record::Case(case) => case.description.title.clone(),
        _ => String::new(),
    }
}

/// `POST /console/evidence/export`: the bundle is written to a file without a name and streamed.
pub(super) async fn export(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let Ok(root) = form.field("root").parse::<Id>() else { return page::missing(&look) };
    let file = match tokio::task::spawn_blocking(tempfile::tempfile).await {
        Ok(Ok(file)) => file,
        _ => return page::failed(&look, &broker::Error::DiskFull),
    };
    let file = match console.broker.export_evidence(&visit.caller, root, file, false).await {
        Ok(file) => file,
        Err(error) => return page::failed(&look, &error),
    };
    match download(file).await {
        Ok((size, body)) => {
            let name = format!("attachment; filename=\"evidence-{root}.zip\"");
            let headers = [
                (CONTENT_TYPE, "application/zip".to_owned()),
                (CONTENT_LENGTH, size.to_string()),
                (CONTENT_DISPOSITION, name),
                (CACHE_CONTROL, "no-store".to_owned()),
                (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ];
            (headers, body).into_response()
        }
        Err(_) => page::failed(&look, &broker::Error::DiskFull),
    }
}

async fn download(mut file: std::fs::File) -> std::io::Result<(u64, Body)> {
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let pieces = stream::try_unfold(tokio::fs::File::from_std(file), async |mut file| {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    Ok((size, Body::from_stream(Box::pin(pieces))))
}

/// `POST /console/evidence/verify`: a bundle of whoever has one, against the keys of this gateway, the one that signs now or one before it.
pub(super) async fn verify(State(console): State<Console>, look: Look, form: FileForm) -> Response {
    let keys = match console.broker.evidence_keys() {
        Ok(keys) => keys,
        Err(error) => return page::failed(&look, &error),
    };
    let limit = console.broker.most_bytes();
    let kept = match keep(form, limit).await {
        Ok(Some(file)) => file,
        Ok(None) => return page::failed(&look, &broker::Error::TooLarge { limit }),
        Err(_) => return page::failed(&look, &broker::Error::Interrupted),
    };
    let verified = tokio::task::spawn_blocking(move || {
        let report = verify_with(kept, Trust::default(), |_| {});
        let key_trusted = report.key_fingerprint.is_some_and(|key| keys.knows(&key));
        Report { key_trusted, ..report }
    });
    match verified.await {
        Ok(report) => page::page(
            &look,
            look.of_two("Ergebnis der Prüfung", "Result of the verification"),
            &verdict(&look, &report),
        ),
        Err(_) => page::failed(&look, &broker::Error::Internal),
    }
}

/// The bytes in a file without a name; `None` if they are more than `most`.
async fn keep(form: FileForm, most: u64) -> std::io::Result<Option<std::fs::File>> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(std::io::Error::other)??;
    let mut file = tokio::fs::File::from_std(file);
    let (mut bytes, mut count) = (form.bytes, 0_u64);
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        count += piece.len() as u64;
        if count > most {
            return Ok(None);
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    file.rewind().await?;
    Ok(Some(file.into_std().await))
}

fn verdict(look: &Look, report: &Report) -> Markup {
    let whole = report.ok && report.key_trusted;
    html! {
        @if whole {
            (page::done(look.of_two(
                "Das Paket ist vollständig, unverändert und von diesem Gateway signiert.",
                "The bundle is whole, unchanged, and signed by this gateway.",
            )))
        } @else if report.ok {
            (page::alert(look.of_two(
                "Das Paket ist in sich stimmig, aber nicht mit dem Schlüssel dieses Gateways signiert.",
                "The bundle is consistent, but not signed with the key of this gateway.",
            )))
        } @else {
            (page::alert(look.of_two(
                "Das Paket ist NICHT vollständig oder wurde verändert.",
                "The bundle is NOT whole or was changed.",
            )))
        }
        div.card { dl {
            @if let Some(case) = report.case_id { dt { (look.of_two("Vorgang", "Case")) } dd.code { (case) } }
            @if let Some(at) = report.created_at_micros { dt { (look.of_two("Erstellt", "Made")) } dd { (show::when(look, Timestamp::from_micros(at))) } }
            dt { (look.of_two("Ereignisse", "Events")) } dd { (report.counts.events) }
            dt { (look.of_two("Nachweise", "Proofs")) } dd { (report.proofs) }
            dt { (look.of_two("Inhalte", "Payloads")) } dd { (report.counts.payloads) }
            @if let Some(key) = &report.key_fingerprint { dt { (look.of_two(
                "Schlüssel (SHA-256)",
                "Key (SHA-256)",
            )) } dd.code { (key) } }
            @if report.signed_by.iter().any(|by| Some(by.key) != report.key_fingerprint) { (signers(look, &report.signed_by)) }
            @if let Some(stamp) = report.stamps.last() {
                dt { (look.of_two(
                    "Nachweislich vorhanden vor",
                    "Proven to exist before",
                )) } dd { (show::when(look, Timestamp::from_micros(stamp.before_micros))) }
            }
            dt { (look.of_two(
                "Ereignisse ohne Zeitstempel",
                "Events without a time stamp",
            )) } dd { (report.unstamped_events) }
        } }
        @if !report.findings.is_empty() {
            h2 { (look.of_two("Befunde", "Findings")) }
            ol.findings { @for it in &report.findings { li {
                p { (show::code(look, it.code)) }
                p.place {
                    @if let Some(number) = it.place.event { (look.of_two("Ereignis ", "event ")) (number) " " }
                    @if let Some(line) = it.place.line { (look.of_two("Zeile ", "line ")) (line) }
                }
            } } }
            @if report.more_findings > 0 { p.soft { "+ " (report.more_findings) } }
        }
        p { a href=(look.to("/evidence")) { (look.of_two("Zurück zu den Beweisen", "Back to evidence")) } }
    }
}

/// Which key signed which batches, where it was not always the same.
fn signers(look: &Look, signers: &[SignedBy]) -> Markup {
    html! { @for by in signers {
        dt { (look.of_two("Bündel ", "Batches ")) (by.first) "–" (by.last) (look.of_two(
            ", signiert mit Schlüssel (SHA-256)",
            ", signed with key (SHA-256)",
        )) }
        dd.code { (by.key) }
    } }
}

/// `POST /console/evidence/check`.
pub(super) async fn check(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    _: Form,
) -> Response {
    let (broker, caller) = (console.broker.clone(), visit.caller.clone());
    let work = async move {
        match broker.check_chain(&caller, None).await {
            Ok(report) => Found::Chain(report),
            Err(error) => Found::Failed(error.code().to_owned()),
        }
    };
    trial::begin(&console, &look, &visit, About::Chain, work)
}

/// What came of checking the chain.
pub(super) fn chain(look: &Look, report: &ChainReport) -> Markup {
    html! {
        @if report.ok { (page::done(look.of_two(
            "Die Kette ist vollständig und unverändert.",
            "The chain is whole and unchanged.",
        ))) }
        @else { (page::alert(look.of_two(
            "Die Kette ist NICHT vollständig oder wurde verändert.",
            "The chain is NOT whole or was changed.",
        ))) }
        div.card { dl {
            dt { (look.of_two("Ereignisse", "Events")) } dd { (report.events) }
            dt { (look.of_two("Bündel", "Batches")) } dd { (report.batches) }
            dt { (look.of_two("Gelöschte Ereignisse", "Erased events")) } dd { (report.erased) }
            dt { (look.of_two("Noch nicht versiegelt", "Not sealed yet")) } dd { (report.unsealed) }
            dt { (look.of_two("Geprüfte Zeitstempel", "Time stamps verified")) } dd { (report.stamps) }
            @if report.signed_by.len() > 1 { (signers(look, &report.signed_by)) }
        } }
        @if !report.findings.is_empty() {
            ol.findings { @for it in &report.findings { li {
                p { (show::code(look, it.code)) }
                p.place {
                    @if let Some(number) = it.event { (look.of_two("Ereignis ", "event ")) (number) " " }
                    @if let Some(batch) = it.batch { (look.of_two("Bündel ", "batch ")) (batch) }
                }
            } } }
        }
        p { a href=(look.to("/evidence")) { (look.of_two("Zurück zu den Beweisen", "Back to evidence")) } }
    }
}
