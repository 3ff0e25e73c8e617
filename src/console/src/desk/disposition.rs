//! Dispositions (Aussonderungen) of the house: what was offered to an archive, what became of it, and its destruction, which is asked for
//! here and, where the house wants four eyes, agreed to by a second person.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Destruction, Error};
use maud::{Markup, html};
use model::case::Disposition;
use model::exchange::{DestructionAsked, Exchange, ExchangeObject};
use model::{Id, Record, RecordKind};

use super::parts::{answer, help, just_done, moment, next_page, titled};
use super::{post, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::{Form, once_field};
use crate::operate::show::POLLING;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Objects of one page: of each all that lies in it is looked at.
const OBJECTS: usize = 20;

/// `GET /console/dispositions`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let listed = console.broker.dispositions(&visit.caller, asked.after()).await?;
    let body = html! {
        (help(look, (
            "Was Ihr Haus einem Archiv angeboten hat. Was das Archiv übernommen oder nicht für archivwürdig befunden hat, wird hier zur \
             Vernichtung freigegeben.",
            "What your house has offered to an archive. What the archive has taken, or found not worth keeping, is released for destruction here.",
        )))
        @if listed.items.is_empty() {
            (page::empty(match listed.next {
                None if asked.after().is_none() => look.of_two("Es wurde noch nichts angeboten.", "Nothing was offered yet."),
                _ => look.of_two("Unter den zuletzt angesehenen Vorgängen ist keine Aussonderung.", "Among those looked at there is no disposition."),
            }))
        } @else { (table(look, &listed.items)) }
        (next_page(look, asked, "/dispositions", listed.next))
    };
    Ok(page::page(look, look.of_two("Aussonderung", "Dispositions"), &body))
}

/// Where its page is.
pub(super) fn path(of: &Exchange) -> String {
    format!("/dispositions/{}", of.meta.id)
}

fn table(look: &Look, all: &[Exchange]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Aussonderungen", "Dispositions")) }
            thead { tr {
                th scope="col" { (look.of_two("Angeboten", "Offered")) }
                th scope="col" { (look.of_two("Archiv", "Archive")) }
                th scope="col" { (look.of_two("Stand", "State")) }
                th.number scope="col" { (look.of_two("Akten", "Records")) }
                th.number scope="col" { (look.of_two("Vernichtet", "Destroyed")) }
                th scope="col" { (look.of_two("Vernichtung", "Destruction")) }
            } }
            tbody { @for of in all { tr {
                td { a href=(look.to(&path(of))) { (moment(look, of.meta.created_at)) } }
                td { span.code { (of.partner) } }
                td { (words::shown(look, words::exchange(of.status))) }
                td.number { (of.objects.len()) }
                td.number { (destroyed(of)) }
                td { @if of.destruction_asked.is_some() {
                    span.state.warn { (look.of_two("wartet auf eine zweite Person", "waits for a second person")) }
                } }
            } } }
        } }
    }
}

fn destroyed(of: &Exchange) -> usize {
    of.objects.iter().filter(|object| object.destroyed_at.is_some()).count()
}

/// `GET /console/dispositions/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, (id, &asked)).await)
}

/// One that the house has offered something by.
async fn read(console: &Console, visit: &Visit, id: Id) -> Result<Exchange, Error> {
    match console.broker.record(&visit.caller, RecordKind::Exchange, id).await? {
        Record::Exchange(exchange) if exchange.disposes() => Ok(exchange),
        _ => Err(model::Error::NotFound { kind: "exchange" }.into()),
    }
}

async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, asked): (Id, &Asked),
) -> Result<Response, Error> {
    let of = read(console, visit, id).await?;
    let path = path(&of);
    let runs = console.broker.is_destroying(&of).await?;
    if asked.get("part").is_some() {
        return Ok(page::part(look, &progress(look, &of, runs)));
    }
    let from = asked.parsed::<usize>("from").unwrap_or(0);
    let more = from.saturating_add(OBJECTS);
    let rows = rows(console, visit, &of, from).await?;
    let body = html! {
        (just_done(look, asked))
        (help(look, (
            "Vernichtet wird nur, was das Archiv zur Vernichtung bewertet oder nachweislich übernommen hat, woran niemand mehr arbeitet und \
             worauf keine Löschsperre liegt. Das lässt sich nicht rückgängig machen; Nachweise und Prüfsummen bleiben.",
            "Only what the archive has appraised for destruction, or has confirmed to have taken, is destroyed, if nobody works on it any more \
             and no legal hold lies on it. This cannot be undone; evidence and digests stay.",
        )))
        (progress(look, &of, runs))
        @if let Some(first) = &of.destruction_asked { (agreement(console, look, visit, (&of, first))) }
        (objects(console, look, &of, &rows))
        @if more < of.objects.len() {
            p { a.button rel="next" href=(look.to(&asked.with(&path, "from", Some(&more.to_string())))) {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        }
        p.acts { a.button href=(look.to("/dispositions")) { (look.of_two("Alle Aussonderungen", "All dispositions")) } }
    };
    Ok(page::page(look, look.of_two("Aussonderung", "Disposition"), &body))
}

fn is_being_destroyed(object: &ExchangeObject) -> bool {
    object.destruction_begun.is_some() && object.destroyed_at.is_none() && object.not_destroyed.is_none()
}

/// How far the disposition and its destruction are. It renews itself while something is being destroyed.
fn progress(look: &Look, of: &Exchange, runs: bool) -> Markup {
    let stays = of.objects.iter().filter(|object| object.not_destroyed.is_some()).count();
    let gone = destroyed(of);
    let part = runs.then(|| look.to(&format!("{}?part=yes", path(of))));
    html! {
        div aria-live="polite" hx-get=[part] hx-trigger=[runs.then_some("every 2s")] hx-headers=(POLLING) hx-swap=[runs.then_some("outerHTML")] {
            @if runs || gone > 0 {
                progress max=(of.objects.len().max(1)) value=(gone) aria-label=(look.of_two("Vernichtet", "Destroyed")) {}
            }
            dl.card {
                dt { (look.of_two("Archiv", "Archive")) } dd.code { (of.partner) }
                dt { (look.of_two("Angeboten", "Offered")) } dd { (moment(look, of.meta.created_at)) }
                dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::exchange(of.status))) }
                dt { (look.of_two("Akten", "Records")) } dd { (of.objects.len()) }
                dt { (look.of_two("Vernichtet", "Destroyed")) } dd { (gone) }
                @if stays > 0 { dt { (look.of_two("Vernichtung unterblieben", "Not destroyed")) } dd { (stays) } }
            }
            p { a href=(look.to(&path(of))) { (look.of_two("Neu laden", "Reload")) } }
        }
    }
}

/// An object with what the visitor sees of it.
struct Row<'a> {
    object: &'a ExchangeObject,
    record: Option<Record>,
    /// Whether somebody has asked for its destruction, and nobody has agreed.
    is_asked: bool,
    /// What keeps it from being destroyed although the archive is done with it.
    against: Option<model::Error>,
}

impl Row<'_> {
    fn may_go(&self, of: &Exchange) -> bool {
        is_done_with(of, self.object) && self.against.is_none()
    }
}

/// Whether the archive is done with an object that is still here.
pub(super) fn is_done_with(of: &Exchange, object: &ExchangeObject) -> bool {
    object.destroyed_at.is_none() && of.is_disposed(object)
}

/// Whether somebody has asked for the destruction of an object, and nobody has agreed.
pub(super) fn is_asked(of: &Exchange, object: &ExchangeObject) -> bool {
    of.destruction_asked.as_ref().is_some_and(|first| first.objects.contains(&object.object_id))
}

/// One page of the objects; first come those that somebody has to agree to.
async fn rows<'a>(
    console: &Console,
    visit: &Visit,
    of: &'a Exchange,
    from: usize,
) -> Result<Vec<Row<'a>>, Error> {
    let mut objects: Vec<&ExchangeObject> = of.objects.iter().collect();
    objects.sort_by_key(|object| !is_asked(of, object));
    let mut rows = vec![];
    for object in objects.into_iter().skip(from).take(OBJECTS) {
        let against = match is_done_with(of, object) {
            true => console.broker.against_destruction(&visit.caller, of, object).await?,
            false => None,
        };
        let record = post::seen(console, visit, object.id).await?;
        rows.push(Row { object, record, is_asked: is_asked(of, object), against });
    }
    Ok(rows)
}

fn appraisal(look: &Look, object: &ExchangeObject) -> String {
    let Some(appraisal) = &object.appraisal else { return "–".to_owned() };
    let (german, english) = match (appraisal.disposition, &appraisal.other) {
        (Some(Disposition::Archive), _) => ("archivwürdig (A)", "to be archived (A)"),
        (Some(Disposition::Destroy), _) => ("vernichten (V)", "to be destroyed (V)"),
        (Some(Disposition::Appraise), _) => ("noch zu bewerten (B)", "still to be appraised (B)"),
        (None, Some(other)) => return other.clone(),
        (None, None) => ("–", "–"),
    };
    look.of_two(german, english).to_owned()
}

/// How far an object is.
pub(super) fn state(of: &Exchange, object: &ExchangeObject) -> words::State {
    if object.destroyed_at.is_some() {
        return ("good", "vernichtet", "destroyed");
    }
    if is_being_destroyed(object) {
        return ("warn", "wird vernichtet", "being destroyed");
    }
    if of.is_disposed(object) {
        return ("warn", "vom Archiv erledigt", "the archive is done with it");
    }
    match (&object.appraisal, &object.result) {
        (None, _) => ("", "wartet auf die Bewertung", "waits for the appraisal"),
        (Some(_), Some(result)) if !result.successful => {
            ("bad", "vom Archiv abgelehnt", "refused by the archive")
        }
        (Some(_), _) => ("", "wartet auf das Archiv", "waits for the archive"),
    }
}

fn state_of(look: &Look, of: &Exchange, row: &Row) -> Markup {
    let object = row.object;
    html! {
        (words::shown(look, state(of, object)))
        @if let Some(at) = object.destroyed_at { " " (moment(look, at)) }
        @if row.is_asked { " " span.state.warn { (look.of_two("Vernichtung beantragt", "destruction asked for")) } }
        @if let Some(reason) = &row.against { p.place { (words::meaning(look, reason.code())) " (" (reason.code()) ")" } }
        @else if let Some(code) = &object.not_destroyed {
            p.place { (look.of_two("Zuletzt unterblieben: ", "Not done when last tried: ")) (words::meaning(look, code)) " (" (code) ")" }
        }
    }
}

/// The objects, of which those that may go can be chosen.
fn objects(console: &Console, look: &Look, of: &Exchange, rows: &[Row]) -> Markup {
    let may = rows.iter().any(|row| row.may_go(of));
    html! {
        h2 { (look.of_two("Akten", "Records")) }
        form method="post" action=(look.to(&format!("{}/destruction", path(of)))) {
            (look.form_token()) (once_field()) (version(of))
            div.wide { table {
                caption.unseen { (look.of_two("Angebotene Akten", "Records that were offered")) }
                thead { tr {
                    @if may { th scope="col" { (look.of_two("Auswahl", "Choice")) } }
                    th scope="col" { (look.of_two("Akte", "Record")) }
                    th scope="col" { (look.of_two("Bewertung", "Appraisal")) }
                    th scope="col" { (look.of_two("Stand", "State")) }
                } }
                tbody { @for row in rows { tr {
                    @if may { td { @if row.may_go(of) {
                        input type="checkbox" name="object" value=(row.object.object_id)
                            aria-label={ (look.of_two("Vernichten: ", "Destroy: ")) (row.object.id) };
                    } } }
                    td {
                        @if let Some(record) = &row.record { (titled(look, record)) " " }
                        code { (row.object.id) }
                    }
                    td { (appraisal(look, row.object)) }
                    td { (state_of(look, of, row)) }
                } } }
            } }
            @if may { (ask(console, look, ("choice", look.of_two("Ausgewählte vernichten", "Destroy those chosen")))) }
        }
        @if may && of.objects.len() > rows.len() {
            form method="post" action=(look.to(&format!("{}/destruction", path(of)))) {
                (look.form_token()) (once_field()) (version(of))
                (ask(console, look, ("all", look.of_two("Alle vernichten, die vernichtet werden dürfen", "Destroy all that may be destroyed"))))
            }
        }
    }
}

/// The button that destroys, folded in: nothing that cannot be taken back is done by one click.
pub(super) fn ask(console: &Console, look: &Look, (what, label): (&str, &str)) -> Markup {
    html! {
        details.act {
            summary { (label) }
            p.hint { (match console.broker.four_eyes() {
                true => look.of_two(
                    "Eine zweite Person muss genau demselben zustimmen. Ein früherer Antrag zu dieser Aussonderung gilt dann nicht mehr.",
                    "A second person has to agree to exactly the same. What was asked for before in this disposition no longer holds then.",
                ),
                false => look.of_two("Das lässt sich nicht rückgängig machen.", "This cannot be undone."),
            }) }
            button.grave type="submit" name="what" value=(what) {
                @if console.broker.four_eyes() { (look.of_two("Vernichtung beantragen", "Ask for the destruction")) }
                @else { (look.of_two("Endgültig vernichten", "Destroy for good")) }
            }
        }
    }
}

/// What waits for a second person.
fn agreement(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (of, first): (&Exchange, &DestructionAsked),
) -> Markup {
    let own = first.by == visit.caller.actor.id;
    html! {
        section.card {
            h2 { (look.of_two("Vernichtung beantragt", "Destruction asked for")) }
            p { (first.objects.len()) " " (look.of_two("Akten; sie stehen unten zuerst.", "records; they come first below.")) }
            @if !console.broker.four_eyes() {
                p.hint { (look.of_two("Das Haus verlangt keine zweite Person mehr.", "The house wants no second person any more.")) }
            } @else if own {
                p { (look.of_two("Von Ihnen beantragt. Eine andere Person muss zustimmen.", "Asked for by you. Another person has to agree.")) }
            } @else {
                form method="post" action=(look.to(&format!("{}/destruction", path(of)))) {
                    (look.form_token()) (once_field()) (version(of))
                    details.act {
                        summary { (look.of_two("Zustimmen", "Agree")) }
                        p.hint { (look.of_two("Das lässt sich nicht rückgängig machen.", "This cannot be undone.")) }
                        button.grave type="submit" name="what" value="agree" {
                            (look.of_two("Zustimmen und endgültig vernichten", "Agree, and destroy for good"))
                        }
                    }
                }
            }
        }
    }
}

/// What the page showed: nothing is destroyed that stands otherwise by now.
pub(super) fn version(of: &Exchange) -> Markup {
    html! { input type="hidden" name="version" value=(of.meta.version); }
}

/// `POST /console/dispositions/{id}/destruction`.
pub(super) async fn destroy(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    form: Form,
) -> Response {
    answer(&look, try_destroy(&console, &look, &visit, (id, &form)).await)
}

async fn try_destroy(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, form): (Id, &Form),
) -> Result<Response, Error> {
    let of = read(console, visit, id).await?;
    let (what, version) = (form.field("what"), form.field("version"));
    let wanted = match what {
        "agree" => Destruction::Asked,
        "all" => Destruction::Of(vec![]),
        _ => Destruction::Of(chosen(form)?),
    };
    let mut said = vec![what.to_owned(), id.to_string(), version.to_owned()];
    said.extend(form.all("object").map(str::to_owned));
    let once = form.once(&said.iter().map(String::as_str).collect::<Vec<_>>());
    let shown = (id, version.parse().map_err(|_| model::Error::VersionConflict)?);
    let after = console.broker.destroy_shown(&visit.caller, shown, &wanted, once.as_ref()).await?;
    let waits = console.broker.four_eyes() && after.destruction_asked.is_some();
    let done = if waits { "asked" } else { "destroying" };
    Ok(look.onward(&format!("{}?done={done}", path(&of))))
}

/// Those that were chosen: no choice does not stand for all.
fn chosen(form: &Form) -> Result<Vec<Id>, Error> {
    let wrong = || Error::from(model::Error::Invalid { field: "objects" });
    let ids: Option<Vec<Id>> = form.all("object").map(|id| id.parse().ok()).collect();
    ids.filter(|ids| !ids.is_empty()).ok_or_else(wrong)
}
