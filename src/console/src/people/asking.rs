//! What a second person has to agree to (four eyes): asked for with a reason, instead of done.

use broker::{Act, Error, NewApproval, UserChange};
use maud::{Markup, html};
use model::{Caller, Id};

use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};

/// The field of the reason beside one button, where the house wants four eyes; `id` is its own on the page.
pub(super) fn reason_input(console: &Console, look: &Look, id: &str) -> Markup {
    html! {
        @if console.broker.four_eyes() {
            label for=(id) { (look.of_two("Begründung für die Freigabe", "Reason, for who has to agree")) }
            input id=(id) type="text" name="reason" maxlength="500" autocomplete="off";
        }
    }
}

/// The reason that a form gives.
///
/// # Errors
/// `Invalid` if it gives none, or one that is too long: nothing is done before it could be asked for.
pub(super) fn reason(fields: &Form) -> Result<String, Error> {
    let reason = fields.given("reason").filter(|reason| reason.chars().count() <= 500);
    Ok(reason.ok_or(model::Error::Invalid { field: "reason" })?.to_owned())
}

/// Asks for a change of a user.
///
/// # Errors
/// As [`broker::Broker::ask_for`].
pub(super) async fn ask(
    console: &Console,
    caller: &Caller,
    user: Id,
    change: &UserChange,
    reason: String,
) -> Result<(), Error> {
    let change = serde_json::to_value(change).map_err(|_| Error::Internal)?;
    let new = NewApproval { act: Act::User { user, change }, reason };
    console.broker.ask_for(caller, new, None).await.map(drop)
}

/// That it was asked for, and where it stands.
pub(super) fn asked(look: &Look) -> Markup {
    html! {
        (page::done(look.of_two(
            "Beantragt. Es gilt, sobald eine zweite Person zugestimmt hat.",
            "Asked for. It holds once a second person has agreed.",
        )))
        p { a href=(look.to("/approvals")) { (look.of_two("Zu den Freigaben", "To the approvals")) } }
    }
}
