//! Legal holds (Löschsperren) on files, cases and documents: set and lifted on the page of each, by whoever may bar its records from
//! destruction.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::Error;
use maud::{Markup, html};
use model::case::RecordStatus;
use model::command::{Change, Command};
use model::{Action, Id, Record};

use super::parts::{answer, is_theirs, path_of};
use crate::Console;
use crate::asked::PathId;
use crate::form::{Form, once_field};
use crate::page::Look;
use crate::visit::Visit;

/// Longest reason, in characters.
const REASON: usize = 500;

/// The form that bars a record from destruction, or lifts the bar that lies on it.
pub(super) fn form(look: &Look, visit: &Visit, record: &Record) -> Markup {
    let may = visit.caller.may(Action::HoldRecords).is_ok() && is_theirs(visit, record.meta());
    let (Some(path), Some(description)) =
        (path_of(record.kind(), record.meta().id).filter(|_| may), record.description())
    else {
        return html! {};
    };
    if description.hold.is_some() {
        return lift_form(look, record, &path);
    }
    if record.status() == RecordStatus::Destroyed.name() {
        return html! {};
    }
    let label = look.of_two("Löschsperre setzen", "Bar from destruction");
    html! {
        details.act {
            summary { (label) }
            form method="post" action=(look.to(&format!("{path}/hold"))) {
                (look.form_token()) (once_field()) (version(record))
                label for="hold-reason" { (look.of_two("Grund", "Reason")) }
                p.hint #hold-reason-hint { (look.of_two(
                    "Etwa ein Rechtsstreit. Nichts davon und nichts, was darin liegt, wird vernichtet oder gelöscht, bis die Sperre aufgehoben \
                     ist. Der Grund steht im Nachweis: nennen Sie darin keine Namen.",
                    "Such as a suit at law. Nothing of it, and nothing that lies in it, is destroyed or erased until the bar is lifted. The \
                     reason is on record: name nobody in it.",
                )) }
                input #hold-reason name="reason" type="text" required maxlength=(REASON) autocomplete="off"
                    aria-describedby="hold-reason-hint";
                button type="submit" { (label) }
            }
        }
    }
}

fn lift_form(look: &Look, record: &Record, path: &str) -> Markup {
    let label = look.of_two("Löschsperre aufheben", "Lift the bar");
    html! {
        details.act {
            summary { (label) }
            form method="post" action=(look.to(&format!("{path}/lift-hold"))) {
                (look.form_token()) (once_field()) (version(record))
                p.hint { (look.of_two(
                    "Danach darf es wieder vernichtet werden, sobald sonst nichts entgegensteht. Wer sie aufgehoben hat, steht im Nachweis.",
                    "It may then be destroyed again once nothing else speaks against it. Who lifted the bar is on record.",
                )) }
                button.grave type="submit" { (label) }
            }
        }
    }
}

/// What was seen when it was decided: nobody sets a bar over another one, or lifts one that nobody has read.
fn version(record: &Record) -> Markup {
    html! { input type="hidden" name="version" value=(record.meta().version); }
}

/// `POST /console/cases/{id}/hold`, `POST /console/documents/{id}/hold`.
pub(super) async fn set(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let change = Change::Hold(form.field("reason").to_owned());
    answer(&look, act(&console, &look, &visit, (id, &form), change, "held").await)
}

/// `POST /console/cases/{id}/lift-hold`, `POST /console/documents/{id}/lift-hold`.
pub(super) async fn lift(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    answer(&look, act(&console, &look, &visit, (id, &form), Change::LiftHold, "lifted").await)
}

/// Carries a change of a record out as it was seen, once; leads back to its page.
async fn act(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, form): (Id, &Form),
    change: Change,
    done: &str,
) -> Result<Response, Error> {
    let record = console.broker.require_visible(&visit.caller, id).await?;
    let Some(path) = path_of(record.kind(), id).filter(|_| record.description().is_some()) else {
        return Err(model::Error::NotFound { kind: "record" }.into());
    };
    let once = form.once(&[done, &id.to_string(), form.field("reason")]);
    let expected = form.field("version").parse().ok();
    let command = Command { kind: record.kind(), id, expected, change };
    console.broker.submit(&visit.caller, command, once.as_ref()).await?;
    Ok(look.onward(&format!("{path}?done={done}")))
}
