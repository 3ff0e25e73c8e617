//! What people do about a message: have it tried again, park it, hand it to another authority, return it. The operators' page of a message
//! and the clerks' page of one that waits each offer what fits there; form, words and act are the same, and each act leads back to its page.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{DoneOrAsked, Error, NOTE_CHARS, Once, seen};
use maud::{Markup, html};
use model::clarification::leading;
use model::{Authority, Id, Message, MessageState};

use crate::asked::PathId;
use crate::asking::{self, Reason};
use crate::form::{Form, once_field};
use crate::operate::show;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::{BASE, Console};

/// Rules of what somebody does without a finding.
const PARKED_BY_HAND: &str = "message.parked-by-hand";
const RETURNED_BY_HAND: &str = "message.returned-by-hand";

/// An act that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Resend,
    Park,
    Forward,
    Return,
}

impl Offer {
    /// Last part of the path, and what is told of it afterwards.
    fn name(self) -> &'static str {
        match self {
            Offer::Resend => "resend",
            Offer::Park => "park",
            Offer::Forward => "forward",
            Offer::Return => "return",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Offer::Resend => "main",
            Offer::Return => "grave",
            Offer::Park | Offer::Forward => "",
        }
    }

    fn label(self, look: &Look) -> &str {
        match self {
            Offer::Resend => look.of_two("Erneut versuchen", "Try again"),
            Offer::Park => look.of_two("Zurückstellen", "Park"),
            Offer::Forward => look.of_two("Weiterleiten", "Forward"),
            Offer::Return => look.of_two("Zurückgeben", "Return"),
        }
    }

    /// What it does.
    fn why(self, look: &Look) -> &str {
        match self {
            Offer::Resend => look.of_two(
                "Die Nachricht geht noch einmal denselben Weg, so wie sie ist: wenn inzwischen behoben ist, was im Weg war.",
                "The message goes the same way again, as it is: if what was in the way is mended meanwhile.",
            ),
            Offer::Park => look.of_two(
                "Die Nachricht wartet dann auf eine Entscheidung.",
                "The message then waits for a decision.",
            ),
            Offer::Forward => look.of_two(
                "Eine andere Behörde dieses Gateways ist zuständig. Sie übernimmt die Nachricht als ihre eigene.",
                "Another authority of this gateway is competent. It takes the message in as its own.",
            ),
            Offer::Return => look.of_two(
                "Die Nachricht geht technisch an die absendende Stelle zurück und ist damit beendet; das ist keine Ablehnung in der Sache. \
                 Es lässt sich nicht rückgängig machen.",
                "The message goes back to its sender, technically, and ends; it is no decision on the merits. This cannot be undone.",
            ),
        }
    }
}

/// The forms of acts on the page `{at}/{id}` of a message, each folded in but the mildest, so that nothing is done by one click that cannot
/// be taken back.
pub(crate) fn forms(console: &Console, look: &Look, at: &str, message: &Message, offers: &[Offer]) -> Markup {
    html! { @for offer in offers { (form(console, look, at, message, *offer)) } }
}

fn form(console: &Console, look: &Look, at: &str, message: &Message, offer: Offer) -> Markup {
    let (name, label) = (offer.name(), offer.label(look));
    let is_asked = offer == Offer::Forward && console.broker.four_eyes();
    html! {
        details.act open[offer == Offer::Resend] {
            summary { (label) }
            form method="post" action=(look.to(&format!("{at}/{}/{name}", message.id))) {
                (look.form_token()) (once_field())
                input type="hidden" name="seen" value=(seen(message));
                p.hint { (offer.why(look)) }
                @match offer {
                    Offer::Forward => (receivers(console, look, message)),
                    Offer::Return => (reasons(look, message)),
                    Offer::Resend | Offer::Park => {},
                }
                @if is_asked { (asking::field(look, Reason::must("reason-forward"))) }
                @else { (note(look, &format!("note-{name}"), "")) }
                button class=(offer.class()) type="submit" { (label) }
            }
        }
    }
}

/// A field for why, seen by colleagues, with what was written into it already.
pub(crate) fn note(look: &Look, id: &str, written: &str) -> Markup {
    html! {
        label for=(id) { (look.of_two("Vermerk für Kolleginnen und Kollegen", "Note for colleagues")) }
        p.hint id={ (id) "-hint" } { (look.of_two(
            "Freiwillig. Ohne personenbezogene Daten; er geht nie an die andere Seite.",
            "Optional. Without personal data; it never goes to the other side.",
        )) }
        input id=(id) name="note" type="text" value=(written) maxlength=(NOTE_CHARS) aria-describedby={ (id) "-hint" } autocomplete="off";
    }
}

/// The authorities of the house but the one that has the message and the one that sent it.
fn receivers(console: &Console, look: &Look, message: &Message) -> Markup {
    let all = console.broker.house().tenants().flat_map(|tenant| &tenant.authorities);
    let others = all.filter(|it| it.key != message.authority && it.key.as_str() != message.partner);
    html! {
        label for="forward-to" { (look.of_two("Zuständige Behörde", "Competent authority")) }
        select #forward-to name="to" required {
            option value="" { (look.of_two("bitte wählen", "please choose")) }
            @for entry in others { option value=(entry.key) { (entry.name) " (" (entry.key) ")" } }
        }
    }
}

/// What the sender is told: the rule that the message waits for, or that somebody decided so.
fn reasons(look: &Look, message: &Message) -> Markup {
    let found = message.report.as_ref().filter(|_| message.state == MessageState::Parked).and_then(leading);
    let found = found.map(|it| it.rule.as_str()).filter(|rule| *rule != PARKED_BY_HAND);
    html! {
        fieldset {
            legend { (look.of_two("Grund für die absendende Stelle", "Reason told to the sender")) }
            @if let Some(rule) = found { div.choice {
                input #rule-found type="radio" name="rule" value=(rule) checked;
                label for="rule-found" { (show::code(look, rule)) }
            } }
            div.choice {
                input #rule-hand type="radio" name="rule" value=(RETURNED_BY_HAND) checked[found.is_none()];
                label for="rule-hand" { (show::code(look, RETURNED_BY_HAND)) }
            }
        }
    }
}

/// What was done by the act of this name.
pub(crate) fn done<'a>(look: &'a Look, name: &str) -> Option<&'a str> {
    Some(match name {
        "resend" => {
            look.of_two("Die Nachricht wird noch einmal versucht.", "The message is being tried again.")
        }
        "park" => look.of_two("Die Nachricht ist zurückgestellt.", "The message is parked."),
        "forward" => look.of_two("Die Nachricht ist weitergeleitet.", "The message was forwarded."),
        "return" => look.of_two("Die Nachricht ist zurückgegeben.", "The message was returned."),
        _ => return None,
    })
}

/// `POST …/{id}/resend`.
pub(crate) async fn resend(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let once = once(&form, Offer::Resend, id);
    let outcome = console.broker.resend(&visit.caller, id, form.given("note"), once.as_ref()).await;
    after(&look, Offer::Resend, outcome.map(DoneOrAsked::Done))
}

/// `POST …/{id}/park`.
pub(crate) async fn park(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let once = once(&form, Offer::Park, id);
    let outcome = console.broker.park_by_hand(&visit.caller, id, form.given("note"), once.as_ref()).await;
    after(&look, Offer::Park, outcome.map(DoneOrAsked::Done))
}

/// `POST …/{id}/return`.
pub(crate) async fn give_back(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let once = once(&form, Offer::Return, id);
    let (rule, note) = (form.given("rule"), form.given("note"));
    let outcome = console.broker.return_by_hand(&visit.caller, id, rule, note, once.as_ref()).await;
    after(&look, Offer::Return, outcome.map(DoneOrAsked::Done))
}

/// `POST …/{id}/forward`.
pub(crate) async fn forward(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let Ok(to) = form.field("to").parse::<Authority>() else {
        return page::failed(&look, &Error::UnknownAuthority);
    };
    let once = once(&form, Offer::Forward, id);
    let note = asking::why(&form);
    let outcome = console.broker.forward_or_ask(&visit.caller, id, &to, note, once.as_ref()).await;
    after(&look, Offer::Forward, outcome)
}

/// The same act of the same form, however often its button is pressed; about the message as the page showed it.
fn once(form: &Form, offer: Offer, id: Id) -> Option<Once> {
    let (id, said) = (id.to_string(), ["to", "rule", "note", "reason"].map(|name| form.field(name)));
    let once = form.once(&[&[offer.name(), &id][..], &said].concat())?;
    Some(Once { seen: form.given("seen").map(str::to_owned), ..once })
}

/// Back to the page below which the act lies; where somebody has to agree, to what was asked for.
fn after(look: &Look, offer: Offer, outcome: Result<DoneOrAsked<Message>, Error>) -> Response {
    match outcome {
        Ok(DoneOrAsked::Done(_)) => {
            let path = look.here.split('?').next().unwrap_or_default();
            let path = path.strip_prefix(BASE).unwrap_or(path);
            let at = path.rsplit_once('/').map_or(path, |(at, _)| at);
            look.onward(&format!("{at}?done={}", offer.name()))
        }
        Ok(DoneOrAsked::Asked(asked)) => asking::onward(look, &asked),
        Err(error) => page::failed(look, &error),
    }
}
