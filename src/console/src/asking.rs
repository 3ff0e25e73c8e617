//! Asking a second person (four eyes) by a form: the field of the reason, what the form says, and where one goes then.

use axum::response::Response;
use broker::{Act, Approval, Error, NOTE_CHARS, NewApproval};
use maud::{Markup, html};
use model::{Caller, Id};

use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};

/// How the field of the reason stands on a page.
pub(crate) struct Reason<'a> {
    /// Its own id on the page.
    pub(crate) id: &'a str,
    /// What was written already.
    pub(crate) value: &'a str,
    /// Whether nothing can be done without it.
    pub(crate) must: bool,
    /// Whether it is what was wrong.
    pub(crate) wrong: bool,
}

impl<'a> Reason<'a> {
    /// One without which it may be done all the same, if it gives nothing to anybody.
    pub(crate) fn may(id: &'a str) -> Self {
        Reason { id, value: "", must: false, wrong: false }
    }

    /// One without which nothing is done.
    pub(crate) fn must(id: &'a str) -> Self {
        Reason { must: true, ..Reason::may(id) }
    }
}

/// The field of the reason, for a house that wants four eyes.
pub(crate) fn field_if_wanted(console: &Console, look: &Look, reason: Reason) -> Markup {
    html! { @if console.broker.four_eyes() { (field(look, reason)) } }
}

/// The field of the reason.
pub(crate) fn field(look: &Look, reason: Reason) -> Markup {
    let Reason { id, value, must, wrong } = reason;
    html! {
        label for=(id) { (look.of_two("Begründung für die zweite Person", "Reason for the second person")) }
        p.hint id={ (id) "-hint" } { (if must { look.of_two(
            "Eine zweite Person muss zustimmen und entscheidet danach.", "A second person has to agree, and decides by it.",
        ) } else { look.of_two(
            "Nötig, wenn damit mehr Rechte, andere Schlüssel oder andere Wege gelten: Eine zweite Person muss dann zustimmen.",
            "Needed if more rights, other keys or other ways hold by it: a second person then has to agree.",
        ) }) }
        input id=(id) name="reason" type="text" value=(value) required[must] maxlength=(NOTE_CHARS) autocomplete="off"
            aria-describedby={ (id) "-hint" } aria-invalid=[wrong.then_some("true")];
    }
}

/// The reason that a form gives.
///
/// # Errors
/// `ApprovalNeeded` if it gives none, or one that is too long: nothing is done before it could be asked for.
pub(crate) fn reason(form: &Form) -> Result<&str, Error> {
    let fits = |reason: &&str| reason.chars().count() <= NOTE_CHARS;
    form.given("reason").filter(fits).ok_or(Error::ApprovalNeeded)
}

/// Why an act is asked for, or the note with which it is done where nobody has to be asked.
pub(crate) fn why(form: &Form) -> Option<&str> {
    form.given("reason").or_else(|| form.given("note"))
}

/// Asks for an act.
///
/// # Errors
/// As [`broker::Broker::ask_for`].
pub(crate) async fn ask(
    console: &Console,
    caller: &Caller,
    act: Act,
    reason: &str,
) -> Result<Approval, Error> {
    let new = NewApproval { act, reason: reason.to_owned() };
    console.broker.ask_for(caller, new, None).await
}

/// The page of what was asked for, where it tells that somebody else has to agree.
pub(crate) fn onward(look: &Look, asked: &Approval) -> Response {
    look.onward(&format!("/approvals/{}?done=asked", asked.id))
}

/// The same said on a page that shows a secret, which is shown once.
pub(crate) fn waits(look: &Look, approval: Id) -> Markup {
    html! {
        (page::done(look.of_two(
            "Beantragt. Es gilt, sobald eine zweite Person zugestimmt hat.",
            "Asked for. It holds once a second person has agreed.",
        )))
        p { a href=(look.to(&format!("/approvals/{approval}"))) { (look.of_two("Zur Freigabe", "To the approval")) } }
    }
}
