//! What is configured of a workflow engine.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use model::adapter::Interest;
use model::{EventKind, RecordKind};
use zeroize::Zeroizing;

/// A workflow engine.
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// Address of the REST API without a slash at its end, such as `https://workflow.kreis.example/engine-rest`; with
    /// `/engine/NAME` behind it where there are several engines.
    pub url: String,
    /// How the gateway shows itself (HTTP Basic); absent: not at all.
    pub login: Option<Login>,
    /// Tenant within the engine whose processes are meant; absent: those without a tenant.
    pub engine_tenant: Option<String>,
    /// Under which name external tasks are fetched: the same on all nodes, and nobody else's. `amtsbote-ID` if absent.
    pub worker: Option<String>,
    /// Which process is started for a new case.
    pub processes: Vec<Process>,
    /// What processes are told of their case.
    pub messages: Vec<Message>,
    /// The external tasks that are done here.
    pub topics: Vec<Topic>,
    /// Longest time of a call, from the connection to the answer; 30 s is usual.
    pub within: Duration,
    /// How long the engine may keep the question for tasks until there is one (long poll); at most 60 s, 20 s is usual.
    pub wait: Duration,
    /// Pause between two sessions; 1 s is usual where `wait` is long.
    pub pause: Duration,
    /// Whether what happens in processes is told on the time lines of their cases. Tasks of people whose step the process has left are
    /// cancelled either way.
    pub history: bool,
}

/// Name and password.
pub struct Login {
    /// Name.
    pub user: String,
    /// Password.
    pub password: Zeroizing<String>,
}

/// A process that is started for each new case of a public service.
#[derive(Debug, Clone)]
pub struct Process {
    /// Public service (Leistung) of the case; absent: cases of every service, those without one included.
    pub service: Option<String>,
    /// Key of the process definition.
    pub key: String,
    /// What it is given.
    pub variables: Vec<Variable>,
}

/// A message that processes are told when something happens to their case or in it.
#[derive(Debug, Clone)]
pub struct Message {
    /// What happens, such as `payment.paid`.
    pub event: EventKind,
    /// To which records.
    pub record: RecordKind,
    /// Only cases of this public service; absent: of every one.
    pub service: Option<String>,
    /// Only if what happens brings the record into this state (`status`), such as `closed`; absent: whatever happens.
    pub status: Option<String>,
    /// Name of the message in the process model.
    pub name: String,
    /// Whether it is kept until the process waits for it. Otherwise it is let go if none does within a minute: right for what happens
    /// often, such as changes of a case.
    pub keep: bool,
    /// What it is given.
    pub variables: Vec<Variable>,
}

/// A variable of a process.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name there.
    pub name: String,
    /// Where its value is from.
    pub value: Value,
}

/// Where a value is from. Written as text: `case.title`, `record.amountCents`, `case.references.antragsnummer`, or `=` and the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A member of the JSON form of the case; of a list of named things the one with this name.
    Case(String),
    /// A member of the JSON form of the record that it happened to.
    Record(String),
    /// This text.
    Fixed(String),
}

impl FromStr for Value {
    type Err = model::Error;

    fn from_str(text: &str) -> Result<Self, model::Error> {
        let is_path = |path: &str| !path.is_empty() && path.split('.').all(|name| !name.is_empty());
        if let Some(fixed) = text.strip_prefix('=') {
            return Ok(Value::Fixed(fixed.to_owned()));
        }
        match text.split_once('.') {
            Some(("case", path)) if is_path(path) => Ok(Value::Case(path.to_owned())),
            Some(("record", path)) if is_path(path) => Ok(Value::Record(path.to_owned())),
            _ => Err(model::Error::Invalid { field: "variables" }),
        }
    }
}

/// A topic of external tasks.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name in the process model.
    pub name: String,
    /// What is done.
    pub kind: Kind,
}

/// What an external task means here.
#[derive(Debug, Clone)]
pub enum Kind {
    /// People have to do it: it becomes a task of the case, and the process goes on when that is done.
    Task {
        /// What has to be done, without personal data.
        title: Text,
        /// The unit that has to do it; absent: that of the case.
        unit: Option<Text>,
        /// When it has to be done; absent: whenever.
        due: Option<Wait>,
        /// Variable that gets the result.
        result: String,
        /// What the process is told when the task is cancelled.
        cancelled: Cancelled,
    },
    /// The gateway does it at once.
    Service {
        /// What it does.
        action: Action,
        /// Error of the process model (`errorCode`) if the case does not allow it; absent: it becomes an incident of the engine.
        refused: Option<String>,
    },
}

/// A text that stands in the configuration or in a variable. Written as text: `=` and the text itself, or the name of the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// This text.
    Fixed(String),
    /// What the variable of this name holds (String).
    Variable(String),
}

impl FromStr for Text {
    type Err = model::Error;

    fn from_str(text: &str) -> Result<Self, model::Error> {
        match text.strip_prefix('=').unwrap_or(text) {
            "" => Err(model::Error::Invalid { field: "topics" }),
            fixed if text.starts_with('=') => Ok(Text::Fixed(fixed.to_owned())),
            name => Ok(Text::Variable(name.to_owned())),
        }
    }
}

/// When something has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// So long after the process came to it.
    For(Duration),
    /// At the time that the variable of this name holds (Date, or String as in RFC 3339).
    Until(String),
}

/// What a process is told when a task is cancelled that it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// An error of its model (`errorCode`).
    Error(String),
    /// It failed for good: an incident of the engine.
    Incident,
}

/// What the gateway does by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The case is closed (zu den Akten).
    Close,
    /// The case is opened again.
    Reopen,
    /// Fields of the case get what variables hold: name of the field (`title`, `note`, `priority`) and of the variable.
    Amend(Vec<(String, String)>),
    /// The case gets the Aktenzeichen that this variable holds.
    AssignReference(String),
    /// It is told on the case's time line that the process was here.
    Note,
}

impl Settings {
    /// What is to be told.
    pub(crate) fn follows(&self) -> Vec<Interest> {
        let interest = |event, record| Interest { event, record };
        let mut follows: Vec<Interest> =
            self.messages.iter().map(|message| interest(message.event, message.record)).collect();
        if !self.processes.is_empty() {
            follows.push(interest(EventKind::RecordCreated, RecordKind::Case));
        }
        if self.topics.iter().any(|topic| matches!(topic.kind, Kind::Task { .. })) {
            follows.push(interest(EventKind::RecordChanged, RecordKind::Task));
        }
        let mut seen = BTreeSet::new();
        follows.retain(|one| seen.insert(format!("{one:?}")));
        follows
    }

    /// Under which name external tasks are fetched.
    pub(crate) fn worker(&self) -> String {
        self.worker.clone().unwrap_or_else(|| format!("amtsbote-{}", self.id))
    }
}
