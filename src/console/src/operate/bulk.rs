//! Trying many parked messages again: first how many there are, then the work with its progress.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Redrive, RedriveState};
use maud::{Markup, html};
use model::Timestamp;

use super::show;
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::{Form, once_field};
use crate::message_acts::note;
use crate::page::{self, Look};
use crate::visit::Visit;

/// What says which messages, and why.
const FIELDS: [&str; 5] = ["rule", "partner", "since", "limit", "note"];

/// `GET /console/messages/resend`: what would be tried again, with nothing done.
pub(super) async fn dry_run(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let text = |name: &str| asked.get(name).map(str::to_owned);
    let wanted = Redrive {
        partner: text("partner"),
        rule: text("rule"),
        since: asked.time("since"),
        limit: asked.parsed("limit"),
        note: None,
    };
    let count = match console.broker.count_redrive(&visit.caller, &wanted).await {
        Ok(count) => count,
        Err(error) => return page::failed(&look, &error),
    };
    page::page(
        &look,
        look.of_two("Gesammelt erneut versuchen", "Try many again"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Nach einer Störung gehen zurückgestellte Nachrichten hier gemeinsam noch einmal auf den Weg. Zuerst wird nur gezählt. Die \
                 Versuche verteilen sich über höchstens zehn Minuten, damit die Gegenseite nicht überrannt wird.",
                "After an outage parked messages go on their way again together. First they are only counted. The tries are spread over ten \
                 minutes at most, so that the other side is not run over.",
            )) } }))
            form.filter method="get" {
                input type="hidden" name="lang" value=(look.words.tag());
                (show::field("rule", look.of_two("Regel", "Rule"), "text", asked.text("rule")))
                (show::field("partner", "Partner", "text", asked.text("partner")))
                (show::field("since", look.of_two("Zurückgestellt seit", "Parked since"), "date", asked.text("since").get(..10).unwrap_or_default()))
                (show::field("limit", look.of_two("Höchstens", "At most"), "number", asked.text("limit")))
                div.end { button type="submit" { (look.of_two("Zählen", "Count")) } }
            }
            div.card {
                p { span.figure { (count) } " " (look.of_two(
                    "zurückgestellte Nachrichten passen dazu.",
                    "parked messages fit.",
                )) }
                @if count > 0 { (begin(&look, &asked)) }
                @else { p.soft { (look.of_two("Es gibt nichts zu tun.", "There is nothing to do.")) } }
            }
        },
    )
}

fn begin(look: &Look, asked: &Asked) -> Markup {
    html! {
        form method="post" action=(look.to("/messages/resend")) {
            (look.form_token()) (once_field())
            @for name in FIELDS.into_iter().filter(|it| *it != "note") { input type="hidden" name=(name) value=(asked.text(name)); }
            (note(look, "bulk-note", ""))
            button.main type="submit" { (look.of_two("Jetzt erneut versuchen", "Try again now")) }
        }
    }
}

/// `POST /console/messages/resend`.
pub(super) async fn start(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let text = |name: &str| form.given(name).map(str::to_owned);
    let since =
        form.given("since").map(|at| Timestamp::parse(at).or_else(|| model::payment::day::german_time(at)));
    let limit = form.given("limit").map(|it| it.parse::<u64>().ok());
    // What cannot be read must not become "all of them".
    let (since, limit) = match (since, limit) {
        (Some(None), _) | (_, Some(None)) => {
            return page::failed(&look, &model::Error::Invalid { field: "since" }.into());
        }
        (since, limit) => (since.flatten(), limit.flatten()),
    };
    let wanted = Redrive { partner: text("partner"), rule: text("rule"), since, limit, note: text("note") };
    let once = form.once(&FIELDS.map(|name| form.field(name)));
    match console.broker.start_redrive(&visit.caller, &wanted, once.as_ref()).await {
        Ok(started) => look.onward(&format!("/operations/{}", started.id)),
        Err(error) => page::failed(&look, &error),
    }
}

/// `GET /console/operations/{id}`.
pub(super) async fn progress(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    let state = match console.broker.operation(&visit.caller, id).await {
        Ok(state) => state,
        Err(error) => return page::failed(&look, &error),
    };
    let body = shown(&look, &state);
    if asked.get("part").is_some() {
        return page::part(&look, &body);
    }
    let help = page::help(
        &look,
        &html! { p { (look.of_two(
            "Wie weit das erneute Versuchen vieler Nachrichten ist. Es läuft von selbst weiter, auch wenn Sie diese Seite verlassen. Was wieder \
             scheitert, steht danach wieder unter den zurückgestellten Nachrichten.",
            "How far trying many messages again is. It goes on by itself, even if you leave this page. What fails again stands among the parked \
             messages again.",
        )) } },
    );
    page::page(&look, look.of_two("Gesammelt erneut versuchen", "Try many again"), &html! { (help) (body) })
}

/// All of it renews itself, the way out of it included: what is put in its place holds nothing beside it.
fn shown(look: &Look, state: &RedriveState) -> Markup {
    let path = format!("/operations/{}", state.id);
    let runs = state.state == "running";
    let is_done = state.state == "done";
    let most = state.matched.max(1);
    let at = if is_done { most } else { most.min(state.resent + state.passed) };
    // What others settled before its turn came is counted by nobody: at the end it is what is missing.
    let untried = if runs { state.passed } else { state.matched.saturating_sub(state.resent) };
    let part = runs.then(|| look.to(&format!("{path}?part=yes")));
    html! {
        div aria-live="polite" hx-get=[part] hx-trigger=[runs.then_some("every 2s")] hx-headers=(show::POLLING) hx-swap=[runs.then_some("outerHTML")] {
            @if is_done { (page::done(look.of_two("Der Vorgang ist beendet.", "The work has ended."))) }
            @else if !runs { (page::alert(look.of_two(
                "Der Vorgang wurde nach einem Fehler abgebrochen. Was nicht versucht wurde, wartet weiter: Beginnen Sie ihn noch einmal.",
                "The work was given up after a failure. What was not tried still waits: begin it once more.",
            ))) }
            progress max=(most) value=(at) aria-label=(look.of_two("Fortschritt", "Progress")) {}
            dl {
                dt { (look.of_two("Begonnen", "Begun")) } dd { (show::when(look, state.since)) }
                dt { (look.of_two("Nachrichten", "Messages")) } dd { (state.matched) }
                dt { (look.of_two("Erneut versucht", "Tried again")) } dd { (state.resent) }
                dt {
                    @if runs || is_done { (look.of_two(
                        "Nicht versucht: inzwischen bewegt oder gesperrt",
                        "Not tried: moved meanwhile or barred",
                    )) } @else { (look.of_two("Nicht versucht", "Not tried")) }
                }
                dd { (untried) }
            }
            @if runs { p { a href=(look.to(&path)) { (look.of_two("Neu laden", "Reload")) } } }
            p { a href=(look.to("/messages?state=parked")) { (look.of_two(
                "Zurückgestellte Nachrichten",
                "Parked messages",
            )) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Extensions;

    use super::*;

    /// The page of 10 messages, of which 6 were tried and one was passed over.
    fn page_of(state: &str) -> String {
        let state = RedriveState {
            id: model::ids::new_id(),
            state: state.to_owned(),
            matched: 10,
            resent: 6,
            passed: 1,
            since: Timestamp::default(),
        };
        shown(&Look::from(&Extensions::new()), &state).into_string()
    }

    #[test]
    fn what_renews_itself_leaves_nothing_behind_and_tells_how_it_ended() {
        for (state, said, untried) in [
            ("running", "Neu laden", "inzwischen bewegt oder gesperrt</dt><dd>1</dd>"),
            ("done", "class=\"good\"", "inzwischen bewegt oder gesperrt</dt><dd>4</dd>"),
            ("failed", "role=\"alert\"", "Nicht versucht</dt><dd>4</dd>"),
        ] {
            let page = page_of(state);
            assert!(page.contains(said) && page.contains(untried), "{state}: {page}");
            assert_eq!(page.contains("class=\"good\""), state == "done", "{state}: {page}");
            assert!(page.ends_with("</a></p></div>") && page.contains("state=parked"), "{state}: {page}");
        }
    }
}
