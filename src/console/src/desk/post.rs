//! Post: letters, e-mails and other contacts. Those that lie on a desk are filed into a case, handed on, or put away.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, Filing, RecordFilter};
use maud::{Markup, html};
use model::activity::{Interaction, InteractionStatus};
use model::letter::Proposal;
use model::rights::Action;
use model::{Id, Record, RecordKind};

use super::cases::FOUND;
use super::parts::{
    all_units, answer, help, is_theirs, just_done, moment, newest, next_page, next_unit, own_units, titled,
    unit_filter, unit_name,
};
use super::{document, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Documents of one letter that are shown.
const DOCUMENTS: usize = 50;
/// Longest title of a new case, in characters.
const TITLE: usize = 500;

/// `GET /console/post`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    const STATES: [InteractionStatus; 3] =
        [InteractionStatus::Open, InteractionStatus::Filed, InteractionStatus::Dismissed];
    let wanted = STATES.into_iter().find(|it| asked.get("status") == Some(it.name()));
    let wanted = wanted.unwrap_or(InteractionStatus::Open);
    let filter = RecordFilter {
        status: Some(wanted.name().to_owned()),
        owner_unit: asked.get("unit").map(str::to_owned),
        ..RecordFilter::of(RecordKind::Interaction)
    };
    let (found, next) = newest(console, visit, &filter, asked).await?;
    let letters: Vec<Interaction> = found.into_iter().filter_map(letter_of).collect();
    let units = own_units(console, visit);
    let body = html! {
        (just_done(look, asked))
        (page::help(look, &html! { p { (look.of_two(
            "Briefe, E-Mails, Anrufe und was über die Bürgerseite kam. Was keinem Vorgang sicher gehört, wartet hier, bis jemand es zuordnet.",
            "Letters, e-mails, calls and what came by the citizens' page. What belongs to no case for sure waits here until somebody files it.",
        )) } }))
        form.filter method="get" action=(look.to("/post")) {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="status" { (look.of_two("Stand", "State")) }
                select #status name="status" {
                    @for status in STATES {
                        @let (_, german, english) = words::letter(status);
                        option value=(status.name()) selected[status == wanted] { (look.of_two(german, english)) }
                    }
                }
            }
            @if units.len() > 1 {
                (unit_filter(look, &units, asked.get("unit")))
            }
            button type="submit" { (look.of_two("Anzeigen", "Show")) }
        }
        @if letters.is_empty() { (page::empty(look.of_two("Hier liegt keine Post.", "There is no post here."))) }
        @else { (table(look, &units, &letters)) (next_page(look, asked, "/post", next)) }
    };
    Ok(page::page(look, look.of_two("Post", "Post"), &body))
}

fn letter_of(record: Record) -> Option<Interaction> {
    match record {
        Record::Interaction(letter) => Some(letter),
        _ => None,
    }
}

/// Contacts as a table.
pub(super) fn table(look: &Look, units: &[(String, String)], letters: &[Interaction]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Kontakte", "Contacts")) }
            thead { tr {
                th scope="col" { (look.of_two("Betreff", "Subject")) }
                th scope="col" { (look.of_two("Von", "From")) }
                th scope="col" { (look.of_two("Weg", "Way")) }
                th scope="col" { (look.of_two("Eingang", "Received")) }
                th scope="col" { (look.of_two("Einheit", "Unit")) }
                th scope="col" { (look.of_two("Stand", "State")) }
            } }
            tbody { @for it in letters {
                tr {
                    td { a href=(look.to(&format!("/post/{}", it.meta.id))) { (subject(look, it)) } }
                    td { (it.from.as_deref().unwrap_or("–")) }
                    td { (words::way_in(look, &it.kind))
                        @if let Some(call) = &it.call { " " (words::shown(look, words::call(call.state))) } }
                    td { (moment(look, it.at)) }
                    td { (unit_name(units, &it.meta.unit)) }
                    td { (words::shown(look, words::letter(it.status))) }
                }
            } }
        } }
    }
}

fn subject<'a>(look: &'a Look, it: &'a Interaction) -> &'a str {
    let subject = it.subject.as_deref().map(str::trim).filter(|text| !text.is_empty());
    subject.unwrap_or_else(|| look.of_two("ohne Betreff", "without a subject"))
}

/// `GET /console/post/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(letter): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, (letter, &asked)).await)
}

async fn read(console: &Console, visit: &Visit, id: Id) -> Result<Interaction, Error> {
    let found = console.broker.record(&visit.caller, RecordKind::Interaction, id).await?;
    letter_of(found).ok_or_else(|| model::Error::NotFound { kind: "interaction" }.into())
}

/// A record if the visitor may see it.
pub(super) async fn seen(console: &Console, visit: &Visit, id: Id) -> Result<Option<Record>, Error> {
    match console.broker.require_visible(&visit.caller, id).await {
        Ok(record) => Ok(Some(record)),
        Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<Response, Error> {
    let it = read(console, visit, id).await?;
    let mut documents = vec![];
    for id in it.documents.iter().take(DOCUMENTS) {
        documents.extend(seen(console, visit, *id).await?);
    }
    let case = match it.case_id {
        Some(case) => seen(console, visit, case).await?,
        None => None,
    };
    let decides = it.status == InteractionStatus::Open
        && visit.caller.may(Action::WriteCases).is_ok()
        && is_theirs(visit, &it.meta);
    let mut proposed = vec![];
    for proposal in &it.proposals {
        proposed.extend(seen(console, visit, proposal.record).await?.map(|case| (proposal.clone(), case)));
    }
    let found = match asked.get("q") {
        Some(text) if decides => console.broker.find_cases(&visit.caller, text, FOUND).await?,
        _ => vec![],
    };
    let body = html! {
        (just_done(look, asked))
        (help(look, (
            "Sehen Sie sich an, was kam, und sagen Sie, wohin es gehört. Zugeordnet gehen auch die Dokumente in den Vorgang.",
            "Look at what came and say where it belongs. Once it is filed, its documents lie in the case, too.",
        )))
        (facts(console, look, visit, &it, case.as_ref()))
        section {
            h2 { (look.of_two("Was kam", "What came")) }
            @if documents.is_empty() { (page::empty(look.of_two("Kein Dokument dabei.", "No document came with it."))) }
            @for document in &documents { (document::card(look, visit, document)) }
        }
        @if decides {
            section {
                h2 { (look.of_two("Wohin gehört es?", "Where does it belong?")) }
                (into_case(look, &it, &proposed, (asked, found.as_slice())))
                (others(console, look, visit, &it))
            }
        }
    };
    Ok(page::page(look, subject(look, &it), &body))
}

fn facts(console: &Console, look: &Look, visit: &Visit, it: &Interaction, case: Option<&Record>) -> Markup {
    html! {
        dl.card {
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::letter(it.status))) }
            dt { (look.of_two("Weg", "Way")) } dd { (words::way_in(look, &it.kind)) }
            dt { (look.of_two("Eingang", "Received")) } dd { (moment(look, it.at)) }
            dt { (look.of_two("Von", "From")) } dd { (it.from.as_deref().unwrap_or("–")) }
            dt { (look.of_two("Einheit", "Unit")) } dd { (unit_name(&all_units(console, visit), &it.meta.unit)) }
            @if let Some(case) = case { dt { (look.of_two("Vorgang", "Case")) } dd { (titled(look, case)) } }
            @if let Some(call) = &it.call {
                dt { (look.of_two("Anruf", "Call")) }
                dd { (words::shown(look, words::call(call.state))) " " (call.number.as_deref().unwrap_or(look.of_two("Nummer unterdrückt", "number withheld"))) }
            }
            @if !it.hints.is_empty() {
                dt { (look.of_two("Erkannt", "Recognised")) }
                dd { ul.plain { @for hint in &it.hints {
                    @let kind = words::because(hint.kind);
                    li { (look.of_two(kind.0, kind.1)) ": " span.code { (hint.value) } " (" (hint.confidence) " %, " (hint.place) ")" }
                } } }
            }
            @if !it.concerns.is_empty() {
                dt { (look.of_two("Zu beachten", "To be looked at")) }
                dd { ul.plain { @for code in &it.concerns { li { (words::meaning(look, code)) } } } }
            }
        }
    }
}

fn into_case(
    look: &Look,
    it: &Interaction,
    proposed: &[(Proposal, Record)],
    (asked, found): (&Asked, &[Record]),
) -> Markup {
    let path = format!("/post/{}", it.meta.id);
    let searched = asked.get("q");
    let choices = proposed.len() + found.len();
    let option = |case: &Record, checked: bool, why: Markup| {
        let id = format!("case-{}", case.meta().id);
        html! { div.choice {
            input type="radio" name="case" id=(id) value=(case.meta().id) checked[checked] required;
            label for=(id) { (titled(look, case)) " " (words::shown(look, words::record(case.status()))) " " (why) }
        } }
    };
    html! {
        div.card {
            h3 { (look.of_two("In einen Vorgang", "Into a case")) }
            form.filter method="get" action=(look.to(&path)) role="search" {
                input type="hidden" name="lang" value=(look.words.tag());
                div {
                    label for="q" { (look.of_two("Vorgang suchen", "Look for a case")) }
                    input #q type="search" name="q" value=(searched.unwrap_or_default()) maxlength="200";
                }
                button type="submit" { (look.of_two("Suchen", "Search")) }
            }
            @if searched.is_some() && found.is_empty() {
                p.hint role="status" { (look.of_two("Nichts gefunden, das in Ihrer Zuständigkeit liegt.", "Nothing found within your responsibility.")) }
            }
            @if choices == 0 { p.hint { (look.of_two("Es gibt keinen Vorschlag.", "There is no proposal.")) } }
            @else {
                form method="post" action=(look.to(&format!("{path}/file"))) {
                    (look.form_token())
                    input type="hidden" name="version" value=(it.meta.version);
                    fieldset {
                        legend { (look.of_two("Vorgänge", "Cases")) }
                        @for case in found { (option(case, found.len() == 1, html! {})) }
                        @for (number, (proposal, case)) in proposed.iter().enumerate() {
                            @let because = words::because(proposal.because);
                            (option(case, number == 0 && found.is_empty(), html! {
                                span.hint { (look.of_two("vorgeschlagen, ", "proposed, ")) (proposal.confidence) " %: "
                                    (look.of_two(because.0, because.1)) }
                            }))
                        }
                    }
                    button.main type="submit" { (look.of_two("Zuordnen", "File")) }
                }
            }
        }
    }
}

fn others(console: &Console, look: &Look, visit: &Visit, it: &Interaction) -> Markup {
    let path = |act: &str| look.to(&format!("/post/{}/{act}", it.meta.id));
    let mut units = all_units(console, visit);
    units.retain(|(unit, _)| *unit != it.meta.unit);
    let version = html! { input type="hidden" name="version" value=(it.meta.version); };
    html! {
        div.card {
            h3 { (look.of_two("Neuer Vorgang", "New case")) }
            form method="post" action=(path("new-case")) {
                (look.form_token()) (version)
                label for="title" { (look.of_two("Betreff des Vorgangs", "Title of the case")) }
                input #title type="text" name="title" required maxlength=(TITLE) value=(it.subject.as_deref().unwrap_or_default());
                button type="submit" { (look.of_two("Vorgang anlegen und zuordnen", "Open a case and file")) }
            }
        }
        @if !units.is_empty() { div.card {
            h3 { (look.of_two("Andere Einheit", "Another unit")) }
            form method="post" action=(path("hand-on")) {
                (look.form_token()) (version)
                (next_unit(look, &units))
                button type="submit" { (look.of_two("Weitergeben", "Hand on")) }
            }
        } }
        div.card {
            h3 { (look.of_two("Kein Vorgang nötig", "No case needed")) }
            p.hint { (look.of_two("Zum Beispiel Werbung. Die Dokumente bleiben aufbewahrt.", "Such as advertising. The documents are kept.")) }
            form method="post" action=(path("dismiss")) {
                (look.form_token()) (version)
                button.grave type="submit" { (look.of_two("Ohne Vorgang ablegen", "Put away without a case")) }
            }
        }
    }
}

/// `POST /console/post/{id}/file`.
pub(super) async fn file(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(letter): PathId,
    form: Form,
) -> Response {
    let Ok(case) = form.field("case").parse() else { return page::missing(&look) };
    settle(&console, &look, &visit, (letter, &form), Filing::Into(case)).await
}

/// `POST /console/post/{id}/new-case`.
pub(super) async fn new_case(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(letter): PathId,
    form: Form,
) -> Response {
    let title = form.field("title");
    if !(1..=TITLE).contains(&title.chars().count()) {
        return page::failed(&look, &model::Error::Invalid { field: "title" }.into());
    }
    let filing = Filing::New(title.to_owned(), None);
    settle(&console, &look, &visit, (letter, &form), filing).await
}

/// `POST /console/post/{id}/hand-on`.
pub(super) async fn hand_on(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(letter): PathId,
    form: Form,
) -> Response {
    let filing = Filing::To(form.field("unit").to_owned());
    settle(&console, &look, &visit, (letter, &form), filing).await
}

/// `POST /console/post/{id}/dismiss`.
pub(super) async fn dismiss(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(letter): PathId,
    form: Form,
) -> Response {
    settle(&console, &look, &visit, (letter, &form), Filing::Dismissed).await
}

/// Says what becomes of a letter as it was seen.
async fn settle(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (letter, form): (Id, &Form),
    filing: Filing,
) -> Response {
    let settled = async {
        let seen = (letter, form.field("version").parse().ok());
        console.broker.file_interaction(&visit.caller, seen, &filing, None).await
    };
    match (settled.await, &filing) {
        (Ok(it), Filing::Into(_) | Filing::New(..)) => {
            look.onward(&format!("/post/{}?done=filed", it.meta.id))
        }
        (Ok(_), Filing::Dismissed) => look.onward("/desk?done=dismissed"),
        (Ok(_), _) => look.onward("/desk?done=handed-on"),
        (Err(error), _) => page::failed(look, &error),
    }
}
