//! `POST servicerequestupdates` of FixMyStreet: somebody adds something to a report. It is a letter to its case, with everything that was
//! said and its photographs, and a clerk looks at it; nothing of it is published, and it changes no state.

use model::adapter::Host;
use model::case::{Case, File, Location};
use model::letter::{Enclosure, Hint, HintKind, Letter, TakenIn};
use model::{Record, RecordKind};
use seal::{Digest, sha256};
use serde_json::json;

use super::answer::Node;
use super::create::{REPORT, WAY, digest_of};
use super::form::Form;
use super::photos::Taken;
use super::report::{ASIDE, media_urls};
use super::shown::Shown;
use super::{Call, Open311, Refusal, Said, Trouble, said};
use crate::geo::degrees;

/// Concern of what somebody added.
const UPDATE: &str = "mobile.update";

/// Longest text, in characters.
const TEXT: usize = 4_000;

/// Longest line about who adds something.
const LINE: usize = 200;

/// What is told first, in this order: fields, and what they are called.
const TOLD: &[(&str, &str)] = &[
    ("status", "Status"),
    ("updated_datetime", "Zeit"),
    ("first_name", "Vorname"),
    ("last_name", "Name"),
    ("email", "E-Mail"),
    ("phone", "Telefon"),
    ("title", "Betreff"),
];

/// Fields that stand elsewhere.
const ELSEWHERE: &[&str] = &["service_request_id", "update_id", "description", "media_url"];

/// What clients may say of the state; only what a clerk does changes it.
const STATES: &[&str] = &[
    "unchanged",
    "open",
    "closed",
    "fixed",
    "in_progress",
    "planned",
    "action_scheduled",
    "investigating",
    "duplicate",
    "not_councils_responsibility",
    "no_further_action",
    "internal_referral",
    "cancelled",
    "reopen",
    "for_triage",
];

/// An addition whose form is as it should be.
struct Addition {
    /// `service_request_id`, as it was typed.
    id: String,
    /// `update_id`: the app's own.
    name: String,
    status: String,
    media_urls: Vec<String>,
}

impl Open311 {
    /// `POST servicerequestupdates`.
    pub(super) async fn update(&self, app: &str, mut form: Form, call: &Call<'_>) -> Result<Said, Trouble> {
        let addition = read(&form)?;
        let case = self.case(&addition.id, call.host).await?;
        let is_shown = case.as_ref().is_some_and(|case| Shown::of(case, self.settings.publish).is_some());
        let case = case.filter(|_| is_shown).ok_or_else(|| Refusal::not_there("the service_request_id"))?;
        // Which case it is, the key says, however it was spelt.
        let digest = digest_of(&form, &[ASIDE, &["service_request_id"]].concat());
        let photos = std::mem::take(&mut form.photos);
        let taken = self.photos_of(photos, &addition.media_urls, call.host).await?;
        let document = told(call.host, &form, &taken).await?;
        let letter = letter(app, (&case, &form, &addition), document, taken, (&digest, call.host));
        drop(form);
        let took = call.take_in(letter).await?;
        same(&took, &digest, call.host).await?;
        let parts = vec![("update_id", Node::text(took.interaction.to_string()))];
        said("service_request_updates", Node::List("request_update", vec![Node::Object(parts)]))
    }
}

/// Reads an addition.
fn read(form: &Form) -> Result<Addition, Refusal> {
    let mut wrong = vec![];
    let mut needed = |name: &str| {
        let value = form.get(name);
        if value.is_none() {
            wrong.push(format!("{name} is missing"));
        }
        value.unwrap_or_default().to_owned()
    };
    let (id, name) = (needed("service_request_id"), needed("update_id"));
    let (status, text) = (needed("status").to_ascii_lowercase(), needed("description"));
    if !status.is_empty() && !STATES.contains(&status.as_str()) {
        wrong.push("status is not one that is known".to_owned());
    }
    if text.chars().count() > TEXT || name.len() > LINE {
        wrong.push("description or update_id is too long".to_owned());
    }
    for (name, _) in TOLD {
        let is_line = |text: &str| text.chars().count() <= LINE && !text.chars().any(char::is_control);
        if form.get(name).is_some_and(|text| !is_line(text)) {
            wrong.push(format!("{name} is no line of at most {LINE} characters"));
        }
    }
    let media_urls = media_urls(form, &mut wrong);
    if !wrong.is_empty() {
        return Err(Refusal { status: 400, wrong });
    }
    Ok(Addition { id, name, status, media_urls })
}

/// If the letter had been taken in before, it must have said the same.
async fn same(took: &TakenIn, digest: &Digest, host: &dyn Host) -> Result<(), Trouble> {
    if !took.again {
        return Ok(());
    }
    let first = host.record(RecordKind::Interaction, took.interaction).await?;
    let Some(Record::Interaction(first)) = first else { return Ok(()) };
    let is_other = first.proof["digest"].as_str().is_some_and(|said| said != digest.to_string());
    if is_other {
        return Err(Refusal::new(422, "this update_id belongs to another addition to the report").into());
    }
    Ok(())
}

/// The letter to the case.
fn letter(
    app: &str,
    (case, form, addition): (&Case, &Form, &Addition),
    document: Enclosure,
    taken: Taken,
    (digest, host): (&Digest, &dyn Host),
) -> Letter {
    let of_case = case.meta.id.to_string();
    let key = sha256(&[app.as_bytes(), b"\0", of_case.as_bytes(), b"\0", addition.name.as_bytes()]);
    let from =
        ["first_name", "last_name"].iter().filter_map(|name| form.get(name)).collect::<Vec<_>>().join(" ");
    let from = Some(from).filter(|from| !from.is_empty());
    let from = from.or_else(|| form.get("email").or_else(|| form.get("phone")).map(str::to_owned));
    Letter {
        key: format!("update:{key}"),
        way: WAY.to_owned(),
        received_at: host.now(),
        subject: Some("Ergänzung einer Meldung".to_owned()),
        from,
        documents: std::iter::once(document).chain(taken.documents).collect(),
        hints: vec![Hint {
            kind: HintKind::RecordReference,
            value: case.description.reference(REPORT).unwrap_or_default().to_owned(),
            confidence: 100,
            place: "service_request_id".to_owned(),
        }],
        proof: json!({ "app": app, "update": key, "status": addition.status, "digest": digest }),
        concerns: std::iter::once(UPDATE).chain(taken.concerns).collect(),
        ..Letter::default()
    }
}

/// What was said, all of it, as a document.
async fn told(host: &dyn Host, form: &Form, taken: &Taken) -> Result<Enclosure, Trouble> {
    let bytes = text_of(form, taken).into_bytes();
    let content = host.keep(Box::new(std::io::Cursor::new(bytes))).await?;
    let file = File {
        name: "Ergänzung.txt".to_owned(),
        media_type: Some("text/plain".to_owned()),
        content: Some(content),
        ..File::default()
    };
    Ok(Enclosure { title: "Ergänzung".to_owned(), kind: Some("update".to_owned()), files: vec![file] })
}

fn text_of(form: &Form, taken: &Taken) -> String {
    let lines = |lines: Vec<String>| lines.join("\n");
    let first = TOLD.iter().filter_map(|(name, called)| Some(format!("{called}: {}", form.get(name)?)));
    let mut parts = vec![lines(first.collect()), form.get("description").unwrap_or_default().to_owned()];
    let known: Vec<&str> = TOLD.iter().map(|(name, _)| *name).chain(ELSEWHERE.iter().copied()).collect();
    let others = form.said(&[ASIDE, &known].concat());
    parts.push(lines(others.iter().map(|(name, value)| format!("{name}: {value}")).collect()));
    let missing = taken.not_fetched.iter().map(|url| format!("Nicht abgerufenes Foto: {url}"));
    parts.push(lines(missing.collect()));
    parts.push(lines(taken.places.iter().filter_map(place).collect()));
    parts.retain(|part| !part.is_empty());
    format!("{}\n", parts.join("\n\n"))
}

fn place(place: &Location) -> Option<String> {
    let (latitude, longitude) = (degrees(place.latitude_micro?), degrees(place.longitude_micro?));
    Some(format!("{}: {latitude}, {longitude}", place.description.as_deref().unwrap_or("Ort")))
}
