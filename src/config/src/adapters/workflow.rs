//! `kind = "camunda"`: a workflow engine with the REST API of Camunda 7 (Operaton, CIB seven). Details: docs/workflow.md.

use std::collections::BTreeMap;

use model::{EventKind, RecordKind};
use serde::{Deserialize, Serialize};

use super::Refers;

/// A workflow engine.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Camunda {
    /// Address of the REST API.
    pub url: String,
    /// User; without one nobody signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Tenant within the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_tenant: Option<String>,
    /// Under which name external tasks are fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Which process is started for a new case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<CamundaProcess>,
    /// What processes are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<CamundaMessage>,
    /// The external tasks that are done here.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<CamundaTopic>,
    /// Longest time of a call, in seconds.
    #[serde(default = "thirty")]
    pub within_seconds: u32,
    /// How long the engine may keep the question for tasks, in seconds.
    #[serde(default = "twenty")]
    pub wait_seconds: u32,
    /// Pause between two sessions, in seconds.
    #[serde(default = "one")]
    pub pause_seconds: u32,
    /// Whether what happens in processes is told on the time lines.
    #[serde(default)]
    pub history: bool,
}

/// A process for new cases.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaProcess {
    /// Public service of the case; absent: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Key of the process definition.
    pub key: String,
    /// What it is given: `case.…`, `record.…`, or `=` and the text itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// A message that processes are told.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaMessage {
    /// Its name in the process model.
    pub name: String,
    /// What happens.
    pub event: EventKind,
    /// To which records.
    pub record: RecordKind,
    /// Only cases of this public service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only if the record's state is this one afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it is kept until the process waits for it.
    #[serde(default = "yes")]
    pub keep: bool,
    /// What it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// A topic of external tasks, and what is done for one.
#[derive(Clone, Serialize)]
#[serde(tag = "does", rename_all = "kebab-case")]
pub enum CamundaTopic {
    /// People do it.
    Task(CamundaTask),
    /// The case is closed.
    Close(CamundaStep),
    /// The case is opened again.
    Reopen(CamundaStep),
    /// Fields of the case are changed.
    Amend(CamundaAmend),
    /// The case gets its Aktenzeichen.
    AssignReference(CamundaReference),
    /// It is told on the time line.
    Note(CamundaStep),
}

/// A topic that people do.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaTask {
    /// The topic's name in the process model.
    pub name: String,
    /// What has to be done, `=` and the text itself, or the variable that holds it.
    pub title: String,
    /// The unit, likewise; absent: that of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Hours until it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_hours: Option<u32>,
    /// The variable that holds when it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_variable: Option<String>,
    /// The variable that gets the result.
    pub result: String,
    /// The error that its process is told when it is cancelled; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<String>,
}

/// A topic that the gateway does by itself, and that needs to know nothing.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaStep {
    /// The topic's name in the process model.
    pub name: String,
    /// The error that the process is told if the case does not allow it; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A topic that changes fields of the case.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaAmend {
    /// The topic's name in the process model.
    pub name: String,
    /// Fields of the case, and the variables that hold what they get.
    pub fields: BTreeMap<String, String>,
    /// The error that the process is told if the case does not allow it; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A topic that gives the case its Aktenzeichen.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaReference {
    /// The topic's name in the process model.
    pub name: String,
    /// The variable that holds the Aktenzeichen.
    pub variable: String,
    /// The error that the process is told if the case does not allow it; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

fn thirty() -> u32 {
    30
}

fn twenty() -> u32 {
    20
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl CamundaTopic {
    /// Its name in the process model.
    pub fn name(&self) -> &str {
        match self {
            CamundaTopic::Task(it) => &it.name,
            CamundaTopic::Close(it) | CamundaTopic::Reopen(it) | CamundaTopic::Note(it) => &it.name,
            CamundaTopic::Amend(it) => &it.name,
            CamundaTopic::AssignReference(it) => &it.name,
        }
    }

    /// What is wrong with it.
    fn lack(&self) -> Option<&'static str> {
        let empty = |text: &String| text.trim().is_empty();
        let is_empty = match self {
            CamundaTopic::Task(it) if it.due_hours.is_some() && it.due_variable.is_some() => {
                return Some("expected due_hours or due_variable, not both");
            }
            CamundaTopic::Task(it) => {
                let texts = [&it.title, &it.result].into_iter().chain(&it.unit).chain(&it.due_variable);
                texts.chain(&it.cancelled).any(|text| text == "=" || empty(text))
            }
            CamundaTopic::Close(it) | CamundaTopic::Reopen(it) | CamundaTopic::Note(it) => {
                it.refused.iter().any(empty)
            }
            CamundaTopic::Amend(it) if it.fields.is_empty() => return Some("`amend` needs fields"),
            CamundaTopic::Amend(it) => {
                it.fields.iter().flat_map(<[_; 2]>::from).chain(&it.refused).any(empty)
            }
            CamundaTopic::AssignReference(it) => [&it.variable].into_iter().chain(&it.refused).any(empty),
        };
        (is_empty || self.name().trim().is_empty()).then_some("a value is empty")
    }
}

/// Whether it is a value of a variable as the adapter reads it.
fn is_value(text: &str) -> bool {
    let path = text.strip_prefix("case.").or_else(|| text.strip_prefix("record."));
    text.starts_with('=') || path.is_some_and(|path| path.split('.').all(|name| !name.is_empty()))
}

impl Camunda {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let variables = self.processes.iter().map(|it| &it.variables);
        let variables = variables.chain(self.messages.iter().map(|it| &it.variables));
        let bad_value = variables.flat_map(BTreeMap::values).any(|text| !is_value(text));
        let lonely = self.user.is_some() != self.password.is_some();
        let lack = self.topics.iter().enumerate().find_map(|(at, topic)| {
            let is_there = self.topics[..at].iter().any(|before| before.name() == topic.name());
            Some((at, topic.lack().or(is_there.then_some("another topic has this name"))?))
        });
        let names = self.processes.iter().map(|it| &it.key).chain(self.messages.iter().map(|it| &it.name));
        let nameless = names.into_iter().any(|name| name.trim().is_empty());
        let refers = Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .url("url", &self.url)
            .numbers([
                ("within_seconds", self.within_seconds.into(), 1, 300),
                ("wait_seconds", self.wait_seconds.into(), 0, 60),
                ("pause_seconds", self.pause_seconds.into(), 1, 3_600),
            ])
            .wrong_if(lonely, "user", "expected user and password, or neither")
            .wrong_if(nameless, "processes", "expected a key for each process, and a name for each message")
            .wrong_if(bad_value, "processes", "expected variables like case.title, record.status or =text");
        match lack {
            Some((at, rule)) => refers.wrong_if(true, &format!("topics[{at}]"), rule),
            None => refers,
        }
    }
}
