//! `POST servicerequestupdates` of FixMyStreet: somebody adds something to a report. It is a letter to its case, and a clerk looks at it; nothing of
//! it is published, and it changes no state.

use model::adapter::Host;
use model::case::File;
use model::letter::{Enclosure, Hint, HintKind, Letter};
use seal::sha256;
use serde_json::json;

use super::answer::Node;
use super::create::{REPORT, WAY};
use super::form::Form;
use super::shown::Shown;
use super::{Call, Open311, Refusal, Said, Trouble, said};

/// Concern of what somebody added.
const UPDATE: &str = "mobile.update";

/// Longest text, in characters.
const TEXT: usize = 4_000;

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

impl Open311 {
    /// `POST servicerequestupdates`.
    pub(super) async fn update(&self, app: &str, form: &Form, call: &Call<'_>) -> Result<Said, Trouble> {
        let mut wrong = vec![];
        let mut needed = |name: &str| {
            let value = form.get(name);
            if value.is_none() {
                wrong.push(format!("{name} is missing"));
            }
            value.unwrap_or_default()
        };
        let (id, update) = (needed("service_request_id"), needed("update_id"));
        let (status, text) = (needed("status").to_ascii_lowercase(), needed("description"));
        if !status.is_empty() && !STATES.contains(&status.as_str()) {
            wrong.push("status is not one that is known".to_owned());
        }
        if text.chars().count() > TEXT || update.len() > 200 {
            wrong.push("description or update_id is too long".to_owned());
        }
        if !wrong.is_empty() {
            return Err(Refusal { status: 400, wrong }.into());
        }
        let case = self.case(id, call.host).await?;
        let is_shown = case.as_ref().is_some_and(|case| Shown::of(case, self.settings.publish).is_some());
        let case = case.filter(|_| is_shown).ok_or_else(|| Refusal::not_there("the service_request_id"))?;
        let name = case.description.reference(REPORT).unwrap_or_default().to_owned();
        let key = sha256(&[app.as_bytes(), b"\0", id.as_bytes(), b"\0", update.as_bytes()]);
        let document = told(call.host, &status, text).await?;
        let letter = Letter {
            key: format!("update:{key}"),
            way: WAY.to_owned(),
            received_at: call.host.now(),
            subject: Some("Ergänzung einer Meldung".to_owned()),
            documents: vec![document],
            hints: vec![Hint {
                kind: HintKind::RecordReference,
                value: name,
                confidence: 100,
                place: "service_request_id".to_owned(),
            }],
            proof: json!({ "app": app, "update": key, "status": status }),
            concerns: vec![UPDATE],
            ..Letter::default()
        };
        let took = call.host.take_in(letter).await?;
        let parts = vec![("update_id", Node::text(took.interaction.to_string()))];
        said("service_request_updates", Node::List("request_update", vec![Node::Object(parts)]))
    }
}

/// What was said, as a document.
async fn told(host: &dyn Host, status: &str, text: &str) -> Result<Enclosure, Trouble> {
    let bytes = format!("Status: {status}\n\n{text}\n").into_bytes();
    let content = host.keep(Box::new(std::io::Cursor::new(bytes))).await?;
    let file = File {
        name: "Ergänzung.txt".to_owned(),
        media_type: Some("text/plain".to_owned()),
        content: Some(content),
        ..File::default()
    };
    Ok(Enclosure { title: "Ergänzung".to_owned(), kind: Some("update".to_owned()), files: vec![file] })
}
