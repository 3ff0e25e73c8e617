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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// Only if what happens brings the record into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it is kept until the process waits for it; otherwise it is let go a minute after it happened.
    #[serde(default = "yes")]
    pub keep: bool,
    /// What it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// A topic of external tasks.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CamundaTopic {
    /// Its name in the process model.
    pub name: String,
    /// What is done.
    pub does: CamundaDoes,
    /// Of a task: what has to be done, `=` and the text itself, or the variable that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of a task: the unit, likewise; absent: that of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Of a task: hours until it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_hours: Option<u32>,
    /// Of a task: the variable that holds when it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_variable: Option<String>,
    /// Of a task: the variable that gets the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Of a task: the error that its process is told when it is cancelled; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<String>,
    /// Of `amend`: fields of the case, and the variables that hold what they get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Of `assign-reference`: the variable that holds the Aktenzeichen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Of all but a task: the error that the process is told if the case does not allow it; absent: an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What is done for an external task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CamundaDoes {
    /// People do it.
    Task,
    /// The case is closed.
    Close,
    /// The case is opened again.
    Reopen,
    /// Fields of the case are changed.
    Amend,
    /// The case gets its Aktenzeichen.
    AssignReference,
    /// It is told on the time line.
    Note,
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
    /// What a topic of its kind needs or must not have.
    fn lack(&self) -> Option<&'static str> {
        let of_task = self.title.is_some()
            || self.unit.is_some()
            || self.due_hours.is_some()
            || self.due_variable.is_some()
            || self.result.is_some()
            || self.cancelled.is_some();
        match self.does {
            CamundaDoes::Task if self.title.is_none() || self.result.is_none() => {
                Some("a task needs title and result")
            }
            CamundaDoes::Task if self.due_hours.is_some() && self.due_variable.is_some() => {
                Some("expected due_hours or due_variable, not both")
            }
            CamundaDoes::Task if self.refused.is_some() => Some("`refused` is not for tasks"),
            CamundaDoes::Task => None,
            _ if of_task => Some("title, unit, due, result and cancelled are for tasks"),
            CamundaDoes::Amend if self.fields.is_empty() => Some("`amend` needs fields"),
            CamundaDoes::AssignReference if self.variable.is_none() => {
                Some("`assign-reference` needs variable")
            }
            _ => None,
        }
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
        let lack = self.topics.iter().enumerate().find_map(|(at, topic)| Some((at, topic.lack()?)));
        let refers = Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .url("url", &self.url)
            .numbers([
                ("within_seconds", self.within_seconds.into(), 1, 300),
                ("wait_seconds", self.wait_seconds.into(), 0, 60),
                ("pause_seconds", self.pause_seconds.into(), 1, 3_600),
            ])
            .wrong_if(lonely, "user", "expected user and password, or neither")
            .wrong_if(bad_value, "processes", "expected variables like case.title, record.status or =text");
        match lack {
            Some((at, rule)) => refers.wrong_if(true, &format!("topics[{at}]"), rule),
            None => refers,
        }
    }
}
