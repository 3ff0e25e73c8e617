//! What the page of a case or document says of its end: how long it is kept, what bars it from destruction, the disposition that it is in,
//! asking for its destruction, and what proves that it was destroyed.

use broker::{Error, Fate, HeldAt};
use maud::{Markup, html};
use model::exchange::{Exchange, ExchangeObject};
use model::{Action, Id, Record};

use super::parts::moment;
use super::{disposition, hold, words};
use crate::Console;
use crate::form::once_field;
use crate::page::Look;
use crate::visit::Visit;

/// How a record stands on its way to destruction, and what may be done about that.
pub(super) async fn of_record(
    console: &Console,
    look: &Look,
    visit: &Visit,
    record: &Record,
) -> Result<Markup, Error> {
    let fate = console.broker.fate(&visit.caller, record.meta().id).await?;
    let act = match &fate.offered {
        Some((of, object)) if object.id == record.meta().id => {
            act(console, look, visit, (of, object)).await?
        }
        _ => html! {},
    };
    Ok(html! {
        section #fate {
            h2 { (look.of_two("Aufbewahrung und Vernichtung", "Keeping and destruction")) }
            dl.card {
                dt { (look.of_two("Aufbewahrungsfrist", "Time of keeping")) }
                dd {
                    (kept(look, record))
                    @if fate.is_over { " " span.state.warn { (look.of_two("abgelaufen", "over")) } }
                }
                dt { (look.of_two("Löschsperre", "Barred from destruction")) }
                dd { (held(look, record, fate.held)) }
                @if let Some((of, object)) = &fate.offered {
                    dt { (look.of_two("Aussonderung", "Disposition")) }
                    dd { (offered(look, of, object)) }
                }
                (destroyed(look, record.meta().root, &fate))
            }
            (hold::form(look, visit, record))
            (act)
        }
    })
}

fn kept(look: &Look, record: &Record) -> String {
    let retention = record.description().and_then(|it| it.retention.as_ref());
    let Some(retention) = retention else { return look.of_two("nicht festgelegt", "not decided").to_owned() };
    match (retention.unlimited, &retention.until, retention.years) {
        (true, ..) => look.of_two("unbefristet", "without end").to_owned(),
        (false, Some(day), _) => format!("{}{}", look.of_two("bis ", "until "), look.words.day(day)),
        (false, None, Some(years)) => {
            format!("{years} {}", look.of_two("Jahre nach dem Abschluss", "years after it was closed"))
        }
        (false, None, None) => look.of_two("nicht festgelegt", "not decided").to_owned(),
    }
}

fn held(look: &Look, record: &Record, at: Option<HeldAt>) -> Markup {
    let own = record.description().and_then(|it| it.hold.as_ref());
    html! {
        @match (own, at) {
            (Some(hold), _) => {
                (hold.reason) " " span.hint { "(" (look.of_two("seit ", "since ")) (moment(look, hold.since)) ")" }
            },
            (None, Some(HeldAt::Above)) => (look.of_two("auf dem, worin es liegt", "on what it lies in")),
            (None, Some(_)) => (look.of_two("auf etwas anderem in derselben Akte", "on something else in the same file")),
            (None, None) => (look.of_two("keine", "none")),
        }
    }
}

fn offered(look: &Look, of: &Exchange, object: &ExchangeObject) -> Markup {
    html! {
        (look.link(&disposition::path(of), look.of_two("dem Archiv angeboten", "offered to the archive")))
        " " (words::shown(look, disposition::state(of, object)))
        @if disposition::is_asked(of, object) {
            " " span.state.warn { (look.of_two("Vernichtung beantragt", "destruction asked for")) }
        }
        @if let Some(code) = &object.not_destroyed {
            p.place { (words::meaning(look, code)) " (" (code) ")" }
        }
    }
}

fn destroyed(look: &Look, root: Id, fate: &Fate) -> Markup {
    let proof =
        look.of_two("versiegelte Ereignisse im Beweispaket", "sealed events in the bundle of evidence");
    html! { @if let Some(at) = fate.destroyed_at {
        dt { (look.of_two("Vernichtet", "Destroyed")) } dd { (moment(look, at)) }
        dt { (look.of_two("Nachweis", "Proof")) }
        dd {
            @if look.enters("/evidence") { a href=(look.to(&format!("/evidence?q={root}"))) { (proof) } }
            @else { (proof) }
        }
    } }
}

/// Asking for the destruction of what the archive is done with, or the way to where somebody has.
async fn act(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (of, object): (&Exchange, &ExchangeObject),
) -> Result<Markup, Error> {
    let path = disposition::path(of);
    let may = visit.caller.may(Action::DestroyRecords).is_ok() && look.enters(&path);
    if !may || !disposition::is_done_with(of, object) {
        return Ok(html! {});
    }
    // Who asks for something else takes the place of what was asked for: that is done where all of it is seen.
    if of.destruction_asked.is_some() {
        let text = look.of_two("Zur beantragten Vernichtung", "To the destruction that was asked for");
        return Ok(html! { p { a.button href=(look.to(&path)) { (text) } } });
    }
    let against = console.broker.against_destruction(&visit.caller, of, object).await?;
    Ok(html! {
        @match &against {
            Some(reason) => p.hint {
                (look.of_two("Kann nicht vernichtet werden: ", "Cannot be destroyed: "))
                (words::meaning(look, reason.code())) " (" (reason.code()) ")"
            },
            None => form method="post" action=(look.to(&format!("{path}/destruction"))) {
                (look.form_token()) (once_field()) (disposition::version(of))
                input type="hidden" name="object" value=(object.object_id);
                (disposition::ask(console, look, ("choice", look.of_two("Vernichten", "Destroy"))))
            },
        }
    })
}
