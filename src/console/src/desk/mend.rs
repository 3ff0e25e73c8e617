//! Mended bytes for a message that waits: checked first, and taken over only if nothing stands against them.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Checked, Error, Mended, seen};
use maud::{Markup, html};
use model::{Id, Message};

use crate::Console;
use crate::asked::PathId;
use crate::file_form::FileForm;
use crate::message_acts::note;
use crate::operate::show;
use crate::page::{self, Look};
use crate::visit::Visit;

/// The form of the mended file, with what was written into it already. What is said stands before the file, so that it is known before the
/// bytes come.
pub(super) fn form(look: &Look, message: &Message, written: &str) -> Markup {
    html! { div.card {
        h3 { (look.of_two("Berichtigte Datei einsetzen", "Put a mended file in place")) }
        p.hint #file-hint { (look.of_two(
            "Laden Sie die Datei oben herunter, berichtigen Sie sie und laden Sie sie hier wieder hoch. Sie wird zuerst geprüft; \
             nur eine Datei ohne Fehler wird übernommen. Die erste Fassung bleibt als Beweis erhalten.",
            "Download the file above, mend it, and upload it here again. It is checked first; only a file without errors is taken over. \
             The first one is kept as evidence.",
        )) }
        form method="post" action=(look.to(&format!("/clarifications/{}/mend", message.id))) enctype="multipart/form-data" {
            (look.form_token())
            input type="hidden" name="seen" value=(seen(message));
            fieldset {
                legend { (look.of_two("Was soll geschehen?", "What shall be done?")) }
                div.choice { input #mend-check type="radio" name="act" value="check" checked;
                    label for="mend-check" { (look.of_two("nur prüfen und die Befunde zeigen", "only check it and show the findings")) } }
                div.choice { input #mend-send type="radio" name="act" value="send";
                    label for="mend-send" { (look.of_two("prüfen, übernehmen und erneut verarbeiten", "check it, take it over and process it again")) } }
            }
            (note(look, "note-mend", written))
            label for="file" { (look.of_two("Berichtigte Datei", "Mended file")) }
            input #file type="file" name="file" required aria-describedby="file-hint";
            button.main type="submit" { (look.of_two("Hochladen", "Upload")) }
        }
    } }
}

/// `POST /console/clarifications/{id}/mend`.
pub(super) async fn mend(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(message): PathId,
    mut form: FileForm,
) -> Response {
    let outcome = try_mend(&console, &visit, message, &mut form).await;
    form.drain().await;
    match outcome {
        Ok((_, Mended::Done(message))) => look.onward(&format!("/clarifications/{}?done=mended", message.id)),
        Ok((before, Mended::Checked(checked))) => {
            compared(&look, &before, &checked, form.fields.field("note"))
        }
        Err(error) => page::failed(&look, &error),
    }
}

async fn try_mend(
    console: &Console,
    visit: &Visit,
    id: Id,
    form: &mut FileForm,
) -> Result<(Message, Mended), Error> {
    let before = console.broker.message(&visit.caller, id).await?;
    let name = form.name.clone().ok_or(model::Error::Invalid { field: "file" })?;
    let only_check = form.fields.field("act") != "send";
    let note = form.fields.given("note").map(str::to_owned);
    let how = (Some(name), note.as_deref(), only_check);
    let seen = form.fields.given("seen").map(str::to_owned);
    let mended = console.broker.mend(&visit.caller, (id, seen.as_deref()), how, &mut form.bytes).await?;
    Ok((before, mended))
}

/// Findings before and now, side by side; the message is as it was, and what was noted stays in the form.
fn compared(look: &Look, before: &Message, checked: &Checked, noted: &str) -> Response {
    let sound = checked.report.is_acceptable();
    let status = if sound { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let report = before.report.clone().unwrap_or_default();
    let nothing = || page::empty(look.of_two("Keine Befunde.", "No findings."));
    let body = html! {
        @if sound {
            (page::done(look.of_two(
                "Nichts spricht gegen die berichtigte Datei. Es wurde noch nichts geändert.",
                "Nothing stands against the mended file. Nothing was changed yet.",
            )))
        } @else {
            (page::alert(look.of_two(
                "Die berichtigte Datei hat noch Fehler. Es wurde nichts geändert.",
                "The mended file still has errors. Nothing was changed.",
            )))
        }
        section {
            h2 { (look.of_two("Befunde jetzt", "Findings now")) }
            @if checked.report.findings.is_empty() { (nothing()) }
            @else { (show::report(look, &checked.report)) }
        }
        section {
            h2 { (look.of_two("Befunde vorher", "Findings before")) }
            @if report.findings.is_empty() { (nothing()) } @else { (show::report(look, &report)) }
        }
        (form(look, before, noted))
        p { a href=(look.to(&format!("/clarifications/{}", before.id))) { (look.of_two("Zurück zum Klärungsfall", "Back to the message")) } }
    };
    page::with_status(
        look,
        status,
        look.of_two("Prüfung der berichtigten Datei", "Check of the mended file"),
        &body,
    )
}
