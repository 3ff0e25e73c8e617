//! What is known of a person, to be given to that person (GDPR articles 15 and 20), and its end where it need no longer be kept
//! (article 17).

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use broker::{PersonBy, PersonErased, PersonFound};
use maud::{Markup, html};
use model::{Action, catalog};
use tokio_util::io::ReaderStream;

use crate::form::Form;
use crate::page::{self, Look};
use crate::route::{Needs, Route};
use crate::{Console, Visit};

const RIGHT: Needs = Needs::Right(Action::ExportPersons);

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::page("/persons", RIGHT, ask),
        Route::act("/persons/find", RIGHT, find),
        Route::act("/persons/export", RIGHT, export),
        Route::act("/persons/erase", Needs::Right(Action::Erase), erase),
    ]
}

/// `GET /console/persons`.
async fn ask(look: Look) -> Response {
    show(&look, &Form::default(), &html! {})
}

/// `POST /console/persons/find`: what was looked for stands in no address and no log.
async fn find(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let Some(by) = by(&form) else { return incomplete(&look, &form) };
    match console.broker.person(&visit.caller, &by).await {
        Ok(found) => {
            let may_erase = visit.caller.may(Action::Erase).is_ok();
            show(&look, &form, &places(&look, &form, &found, may_erase))
        }
        Err(broker::Error::Model(model::Error::Invalid { .. })) => incomplete(&look, &form),
        Err(error) => page::failed(&look, &error),
    }
}

/// `POST /console/persons/export`: the ZIP.
async fn export(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let Some(by) = by(&form) else { return incomplete(&look, &form) };
    let file = match tokio::task::spawn_blocking(tempfile::tempfile).await {
        Ok(Ok(file)) => file,
        _ => return page::failed(&look, &broker::Error::Internal),
    };
    let mut file = match console.broker.export_person(&visit.caller, &by, file).await {
        Ok(file) => file,
        Err(error) => return page::failed(&look, &error),
    };
    if std::io::Seek::rewind(&mut file).is_err() {
        return page::failed(&look, &broker::Error::Internal);
    }
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    let name = "attachment; filename=\"person.zip\"";
    ([(CONTENT_TYPE, "application/zip"), (CONTENT_DISPOSITION, name)], body).into_response()
}

/// `POST /console/persons/erase`.
async fn erase(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let Some(by) = by(&form) else { return incomplete(&look, &form) };
    match console.broker.erase_person(&visit.caller, &by, form.given("withdrawn")).await {
        Ok(outcome) => show(&look, &Form::default(), &erased(&look, &outcome)),
        Err(error) => page::failed(&look, &error),
    }
}

fn by(form: &Form) -> Option<PersonBy> {
    let text = |name: &str| form.given(name).map(str::to_owned);
    if let Some(reference) = text("reference") {
        return Some(PersonBy::Reference(reference));
    }
    if let (Some(family_name), Some(born)) = (text("family_name"), text("born")) {
        return Some(PersonBy::Born { family_name, given_name: text("given_name"), born });
    }
    text("phone").map(PersonBy::Phone).or_else(|| text("email").map(PersonBy::Email))
}

fn incomplete(look: &Look, form: &Form) -> Response {
    let said = page::alert(look.of_two(
        "Bitte geben Sie ein Aktenzeichen an, oder Familienname und Geburtsdatum, oder eine Telefonnummer, oder eine E-Mail-Adresse.",
        "Please give a reference, or family name and day of birth, or a telephone number, or an address of e-mail.",
    ));
    show(look, form, &said)
}

fn show(look: &Look, form: &Form, outcome: &Markup) -> Response {
    let field = |name: &'static str, label: &str, kind: &'static str| {
        html! {
            p { label for=(name) { (label) } input #(name) name=(name) type=(kind) value=(form.field(name)) autocomplete="off"; }
        }
    };
    let body = html! {
        (page::help(look, &html! { p { (look.of_two(
            "Auskunft (Art. 15 und 20 DSGVO) und Löschung (Art. 17 DSGVO) für eine Person: gesucht wird in den Akten Ihrer Einheiten. \
             Beteiligte werden nie über Einheiten hinweg zusammengeführt. Dass gesucht, ausgegeben oder gelöscht wurde, steht im Protokoll; \
             wonach, nicht.",
            "Access (GDPR articles 15 and 20) and erasure (article 17) for one person: looked for in the records of your units. Parties are \
             never merged across units. That somebody was looked for, given out or erased stands in the audit log; who does not.",
        )) } }))
        (outcome)
        form.card method="post" action=(look.to("/persons/find")) {
            (look.form_token())
            (field("reference", look.of_two("Aktenzeichen oder andere Nummer", "Reference or other number"), "text"))
            (field("family_name", look.of_two("Familienname", "Family name"), "text"))
            (field("given_name", look.of_two("Vorname", "Given name"), "text"))
            (field("born", look.of_two("Geburtsdatum", "Day of birth"), "date"))
            (field("phone", look.of_two("Telefonnummer", "Telephone number"), "tel"))
            (field("email", look.of_two("E-Mail-Adresse", "E-mail address"), "email"))
            p.acts { button type="submit" { (look.of_two("Suchen", "Search")) } }
        }
    };
    page::page(look, look.of_two("Personen", "Persons"), &body)
}

/// The fields of a search again, for what is done with what was found.
fn again(look: &Look, form: &Form) -> Markup {
    html! {
        (look.form_token())
        @for name in ["reference", "family_name", "given_name", "born", "phone", "email"] {
            @if let Some(value) = form.given(name) { input type="hidden" name=(name) value=(value); }
        }
    }
}

fn places(look: &Look, form: &Form, found: &PersonFound, may_erase: bool) -> Markup {
    if found.places.is_empty() {
        return page::empty(
            look.of_two("In Ihren Akten ist niemand so bekannt.", "Nobody is known so in your records."),
        );
    }
    html! {
        section aria-labelledby="found" {
            h2 #found { (look.of_two("Gefunden", "Found")) }
            div.wide { table {
                thead { tr {
                    th scope="col" { (look.of_two("Akte", "Record")) }
                    th scope="col" { (look.of_two("Einheit", "Unit")) }
                    th scope="col" { (look.of_two("Rolle", "Role")) }
                    th scope="col" { (look.of_two("Stand", "State")) }
                } }
                tbody { @for place in &found.places { tr {
                    td { (place.record_reference.as_deref().unwrap_or("–")) " " code { (place.id) } }
                    td { (place.unit) }
                    td { (place.roles.join(", ")) }
                    td { (place.status) }
                } } }
            } }
            form.acts method="post" action=(look.to("/persons/export")) {
                (again(look, form))
                button type="submit" { (look.of_two("Auskunft als ZIP-Datei herunterladen", "Download as ZIP")) }
            }
            @if may_erase {
                form.card method="post" action=(look.to("/persons/erase")) {
                    (again(look, form))
                    h3 { (look.of_two("Löschen", "Erase")) }
                    p.hint { (look.of_two(
                        "Gelöscht wird in Akten, deren Frist abgelaufen ist. Mit einem Grund auch in anderen, wenn eine Einwilligung \
                         widerrufen wurde. Was bleiben muss, wird genannt. Der Grund steht im Protokoll: nennen Sie darin keine Namen.",
                        "The person is erased from records whose time is over; with a reason also from others, if consent was withdrawn. \
                         What has to stay is named. The reason stands in the audit log: name nobody in it.",
                    )) }
                    p {
                        label for="withdrawn" { (look.of_two("Einwilligung widerrufen, Grund", "Consent withdrawn, reason")) }
                        input #withdrawn name="withdrawn" type="text" maxlength="500";
                    }
                    p.acts { button type="submit" { (look.of_two("Endgültig löschen", "Erase for good")) } }
                }
            }
        }
    }
}

fn erased(look: &Look, outcome: &PersonErased) -> Markup {
    if outcome.asked {
        return page::done(look.of_two(
            "Die Löschung ist beantragt. Eine zweite Person muss innerhalb von zwei Wochen hier genau dasselbe beantragen.",
            "The erasure is asked for. A second person has to ask here for exactly the same within two weeks.",
        ));
    }
    let count = outcome.erased.len();
    let said = format!(
        "{}: {count}",
        look.of_two("Akten, in denen die Person gelöscht wurde", "Records that the person was erased from")
    );
    html! {
        (page::done(&said))
        @if !outcome.stays.is_empty() {
            h2 { (look.of_two("Bleibt erhalten", "Stays")) }
            div.wide { table {
                thead { tr {
                    th scope="col" { (look.of_two("Akte", "Record")) }
                    th scope="col" { (look.of_two("Warum", "Why")) }
                } }
                tbody { @for it in &outcome.stays {
                    @let sentence = catalog::sentence(it.reason);
                    tr {
                        td { code { (it.id) } }
                        td { (sentence.map_or(it.reason, |words| look.of_two(&words.de, &words.en))) }
                    }
                } }
            } }
        }
    }
}
