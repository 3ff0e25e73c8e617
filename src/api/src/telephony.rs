//! Telephone: who calls (screen pop), calls that telephone systems note by themselves (journal), and calls that clerks want.
//!
//! Numbers stand in bodies, never in addresses: those end up in logs of others.

use axum::Extension;
use axum::extract::State;
use broker::Once;
use model::activity::{Call, CallDirection, CallState, Interaction, InteractionStatus, Task};
use model::case::Description;
use model::party::Party;
use model::{Authority, Caller, Id, Record, RecordKind, Timestamp, phone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::Posted;
use crate::interactions::file_or_case;
use crate::params::PathId;
use crate::problem::Problem;
use crate::records;

/// Country of numbers that name none.
const HOME: &str = "49";

/// Longest extension, and identifier of a telephone system's, in characters.
const LONGEST: usize = 80;

/// Whose number it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Number {
    /// As the telephone system shows it, with area code or country; a German one without either is none.
    number: String,
}

/// What is known of a number within the caller's rights. It names nobody: whoever calls can make any number appear.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Known {
    /// The number by E.164.
    number: String,
    /// Cases and case files with a party who has it, the newest first, at most ten.
    cases: Vec<KnownCase>,
    /// Calls from it and to it, the newest first, at most ten.
    calls: Vec<Interaction>,
}

/// A case or case file with a party who has the number.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownCase {
    /// Case or case file.
    kind: String,
    /// Which.
    id: Id,
    /// Aktenzeichen.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_reference: Option<String>,
    /// Title.
    title: String,
    /// Where it stands.
    status: String,
    /// Its unit.
    unit: String,
    /// Names of the parties who have the number.
    parties: Vec<String>,
}

/// A call that a telephone system notes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NotedCall {
    /// What the telephone system calls it, at most 80 characters. The same again is the same call.
    reference: String,
    /// Who called whom.
    direction: CallDirection,
    /// The other side's number; absent or no number: withheld.
    #[serde(default)]
    number: Option<String>,
    /// The extension (Nebenstelle) in the house, at most 80 characters.
    #[serde(default)]
    extension: Option<String>,
    /// How it ended: `ended`, `missed`, `busy`, `failed`, `unknown`, or `callBack` (needs a number). Whoever called and was missed, or asks
    /// to be called back, is called back: there is a task of it.
    state: CallState,
    /// When it began.
    at: Timestamp,
    /// Seconds until it was taken.
    #[serde(default)]
    wait_seconds: Option<u32>,
    /// Seconds that were spoken.
    #[serde(default)]
    duration_seconds: Option<u32>,
    /// Case or case file that it was about; absent: it lies on the desk of `unit`.
    #[serde(default)]
    case: Option<Id>,
    /// Authority that it was with; the token's if absent.
    #[serde(default)]
    authority: Option<Authority>,
    /// Unit that it was with; that of the case if absent.
    #[serde(default)]
    unit: Option<String>,
    /// What it was about, at most 500 characters.
    #[serde(default)]
    subject: Option<String>,
}

/// A call that a clerk wants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WantedCall {
    /// The clerk's extension (Nebenstelle): letters and digits, at most 20.
    extension: String,
    /// Whom to call; absent: the number of the call that the task is about.
    #[serde(default)]
    number: Option<String>,
}

/// `POST /telephony/look-ups`.
pub(crate) async fn look_up(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<Number>,
) -> Answer {
    let number = read_number(&posted.body.number)?;
    let known = api.broker.known_number(&caller, &number).await?;
    let cases = known.cases.iter().filter_map(|record| known_case(record, &number)).collect();
    let call = |record| match record {
        Record::Interaction(it) => Some(it),
        _ => None,
    };
    let calls = known.calls.into_iter().filter_map(call).collect();
    Ok(answer::json(&Known { number, cases, calls }))
}

/// `POST /telephony/calls`.
pub(crate) async fn note(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NotedCall>,
) -> Answer {
    let new = posted.body;
    let invalid = |field| Err(model::Error::Invalid { field }.into());
    if !new.state.is_over() {
        return invalid("state");
    }
    if !is_short(&new.reference) || new.extension.as_deref().is_some_and(|text| !is_short(text)) {
        return invalid("reference");
    }
    let number = new.number.as_deref().and_then(|number| phone::e164(number, HOME, None));
    if new.state == CallState::CallBack {
        if new.direction == CallDirection::Outgoing {
            return invalid("direction");
        }
        if number.is_none() {
            return invalid("number");
        }
    }
    // Telephone systems send no keys: their own identifier is one.
    let digest = serde_json::to_string(&new).map_err(|_| broker::Error::Internal)?;
    let once = posted.once.unwrap_or_else(|| Once::new(format!("call:{}", new.reference), digest));
    let case = match new.case {
        Some(id) => Some(file_or_case(&api, &caller, id).await?),
        None => None,
    };
    let call = Call {
        direction: new.direction,
        number,
        extension: new.extension,
        state: new.state,
        wait_seconds: new.wait_seconds,
        duration_seconds: new.duration_seconds,
        reference: Some(new.reference),
        task: None,
    };
    let meta = records::new_meta(&caller, new.authority, new.unit, None, case.as_ref())?;
    let contact = Interaction { subject: new.subject, ..contact(meta, new.at, new.case, call) };
    records::create(&api, &caller, Record::Interaction(contact), Some(once)).await
}

/// `POST /tasks/{id}/call`.
pub(crate) async fn call(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<WantedCall>,
) -> Answer {
    let WantedCall { extension, number } = posted.body;
    let is_extension = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !(1..=20).contains(&extension.len()) || !is_extension(&extension) {
        return Err(model::Error::Invalid { field: "extension" }.into());
    }
    let Record::Task(task) = api.broker.record(&caller, RecordKind::Task, id).await? else {
        return Err(Problem::not_found());
    };
    if !task.status.is_open() {
        return Err(model::Error::WrongState { state: task.status.name() }.into());
    }
    let about = about(&api, &caller, &task).await?;
    let known = match &about {
        Some(Record::Interaction(it)) => it.call.as_ref().and_then(|call| call.number.clone()),
        _ => None,
    };
    let number = match (number, known) {
        (Some(number), _) => read_number(&number)?,
        (None, Some(known)) => known,
        (None, None) => return Err(model::Error::Invalid { field: "number" }.into()),
    };
    // It goes where the first call went: into its case, or onto the same desk.
    let case = match &about {
        Some(Record::Interaction(it)) => it.case_id,
        Some(it @ (Record::Case(_) | Record::CaseFile(_))) => Some(it.meta().id),
        _ => None,
    };
    let case = match case {
        Some(id) => Some(file_or_case(&api, &caller, id).await?),
        None => None,
    };
    let meta = &task.meta;
    let meta = records::new_meta(
        &caller,
        case.is_none().then(|| meta.authority.clone()),
        case.is_none().then(|| meta.unit.clone()),
        case.is_none().then(|| meta.public_service.clone()).flatten(),
        case.as_ref(),
    )?;
    let wanted = Call {
        direction: CallDirection::Outgoing,
        number: Some(number),
        extension: Some(extension),
        state: CallState::Wanted,
        wait_seconds: None,
        duration_seconds: None,
        reference: None,
        task: Some(id),
    };
    let case = case.map(|case| case.meta().id);
    let contact = contact(meta, api.broker.now(), case, wanted);
    records::create(&api, &caller, Record::Interaction(contact), posted.once).await
}

/// What a task is about, if the caller sees it.
async fn about(api: &Api, caller: &Caller, task: &Task) -> Result<Option<Record>, Problem> {
    match task.case_id {
        Some(id) => Ok(Some(api.broker.require_visible(caller, id).await?)),
        None => Ok(None),
    }
}

fn contact(meta: model::record::Meta, at: Timestamp, case: Option<Id>, call: Call) -> Interaction {
    Interaction {
        meta,
        case_id: case,
        kind: "call".to_owned(),
        at,
        subject: None,
        from: None,
        documents: vec![],
        hints: vec![],
        proposals: vec![],
        concerns: vec![],
        call: Some(Box::new(call)),
        proof: serde_json::Value::Null,
        status: if case.is_some() { InteractionStatus::Filed } else { InteractionStatus::Open },
    }
}

fn read_number(text: &str) -> Result<String, Problem> {
    Ok(phone::e164(text, HOME, None).ok_or(model::Error::Invalid { field: "number" })?)
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}

fn known_case(record: &Record, number: &str) -> Option<KnownCase> {
    let description = record.description()?;
    let meta = record.meta();
    Some(KnownCase {
        kind: record.kind().name().to_owned(),
        id: meta.id,
        record_reference: description.record_reference.clone(),
        title: description.title.clone(),
        status: record.status().to_owned(),
        unit: meta.unit.clone(),
        parties: who(description, number),
    })
}

/// Names of the parties who have the number.
fn who(description: &Description, number: &str) -> Vec<String> {
    let has = |party: &&Party| {
        let of_contact = |value: &str| phone::e164(value, HOME, None);
        party.contacts.iter().any(|contact| of_contact(&contact.value).as_deref() == Some(number))
    };
    description.parties.iter().filter(has).filter_map(name_of).collect()
}

fn name_of(party: &Party) -> Option<String> {
    let person = party.person.as_ref().map(|person| {
        let names = [&person.title, &person.given_name, &person.family_name];
        names.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    });
    let organisation = party.organisation.as_ref().and_then(|it| it.name.clone());
    person.filter(|name| !name.is_empty()).or(organisation)
}
