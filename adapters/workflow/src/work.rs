//! The external tasks of processes. The engine hands one out at least once; the case has it exactly once, since records and commands have
//! their names from the task's. Nothing is told to the engine before it is durable here.
//!
//! A task for people keeps its lock for hours, which is prolonged whenever it comes again; so a task whose end was not told, whatever was in the
//! way, ends then. What cannot be done is an error of the model or an incident, never a task that nobody sees. Each task stands alone: one that
//! is in trouble keeps none behind it waiting.

use std::time::{Duration, Instant};

use model::activity::{Task, TaskStatus};
use model::adapter::{Host, Link};
use model::case::{Case, RecordStatus};
use model::command::{Change, Command};
use model::record::Meta;
use model::{Failure, FailureKind, Id, Record, RecordKind, ids};
use serde_json::{Map, Value, json};

use crate::camunda::{End, Ended, ExternalTask, LONGEST_ID, MOST_TASKS, UNREACHABLE, Variables};
use crate::engine::Workflow;
use crate::settings::{Action, Kind, Text, Topic, Wait};
use crate::tell::instance_link;
use crate::values::{due, read_time, text};

/// How long a task is locked while it is looked at: a session that dies gives it back soon.
const LOOKED_AT: Duration = Duration::from_secs(60);

/// How long it is locked while people have it.
const WITH_PEOPLE: Duration = Duration::from_secs(6 * 3_600);

/// How long a session fetches tasks.
const SESSION: Duration = Duration::from_secs(60);

/// Longest title of a task, in characters.
const MOST_TITLE: usize = 300;

/// Part of the link from a task to the step of the process.
const STEP: &str = "activity";

impl Workflow {
    /// Does what external tasks there are, for a session. Fails with the first failure, after all of them.
    pub(crate) async fn work(&self, host: &dyn Host) -> Result<(), Failure> {
        let topics: Vec<_> =
            self.settings.topics.iter().map(|topic| (topic.name.clone(), needed(topic))).collect();
        let begun = Instant::now();
        let mut outcome = Ok(());
        let mut waits = true;
        loop {
            let tasks = self.camunda.fetch(&topics, LOOKED_AT, waits).await?;
            for task in &tasks {
                match self.take(host, task).await {
                    Err(failure) if failure.code == UNREACHABLE => return Err(failure),
                    one => outcome = outcome.and(one),
                }
            }
            waits = false;
            if tasks.len() < MOST_TASKS || begun.elapsed() > SESSION {
                return outcome;
            }
        }
    }

    async fn take(&self, host: &dyn Host, task: &ExternalTask) -> Result<(), Failure> {
        // What was not asked for runs out by itself.
        let Some(topic) = self.topic(&task.topic_name) else { return Ok(()) };
        let Some(case) = of_case(host, task).await? else {
            return self
                .refuse(
                    task,
                    None,
                    "its business key is not the id of a case that the gateway's adapter serves",
                )
                .await;
        };
        if host.linked(&task.process_instance_id).await?.is_none() {
            let process = task.process_definition_key.as_deref();
            host.link(instance_link(case.meta.id, &task.process_instance_id, process)).await?;
        }
        match &topic.kind {
            Kind::Task { .. } => self.give_to_people(host, task, topic, &case).await,
            Kind::Service { action, refused } => match self.serve(host, task, action, &case).await {
                Ok(()) => self.end(&task.id, &End::Complete(Variables::new())).await.map(drop),
                Err(failure) if is_passing(&failure) => Err(failure),
                Err(failure) => self.refuse(task, refused.as_deref(), &failure.code).await,
            },
        }
    }

    /// Makes an external task a task of the case, once; or ends it if that is done already.
    async fn give_to_people(
        &self,
        host: &dyn Host,
        task: &ExternalTask,
        topic: &Topic,
        case: &Case,
    ) -> Result<(), Failure> {
        let id = ids::derived_id(case.meta.id, &self.name(task));
        let known = host.record(RecordKind::Task, id).await?;
        let record = match known {
            Some(Record::Task(record)) => record,
            _ => match self.new_task(host, task, topic, case, id).await {
                Ok(Some(record)) => record,
                // It is with a unit that the adapter does not see.
                Ok(None) => return self.camunda.hold(&task.id, WITH_PEOPLE).await.map(drop),
                Err(failure) if is_passing(&failure) => return Err(failure),
                Err(failure) => return self.refuse(task, None, &failure.code).await,
            },
        };
        let link = self.link_task(host, task, id).await?;
        match record.status {
            TaskStatus::Open | TaskStatus::Assigned => {
                self.camunda.hold(&task.id, WITH_PEOPLE).await.map(drop)
            }
            TaskStatus::Done | TaskStatus::Cancelled => self.end_of(&record, &link).await.map(drop),
        }
    }

    /// The new task; `None` if there is one that the adapter does not see.
    async fn new_task(
        &self,
        host: &dyn Host,
        task: &ExternalTask,
        topic: &Topic,
        case: &Case,
        id: Id,
    ) -> Result<Option<Task>, Failure> {
        let Kind::Task { title, unit, due: wait, .. } = &topic.kind else { return Ok(None) };
        let missing = |what| Failure::permanent("workflow.variable", format!("the process gives no {what}"));
        let title = text(title, &task.variables).ok_or_else(|| missing("title"))?;
        let unit = match unit {
            Some(unit) => text(unit, &task.variables).ok_or_else(|| missing("unit"))?,
            None => case.meta.unit.clone(),
        };
        let began = task.create_time.as_deref().and_then(read_time).unwrap_or_else(|| host.now());
        let due = match wait {
            Some(wait) => Some(due(wait, began, &task.variables).ok_or_else(|| missing("time"))?),
            None => None,
        };
        let record = Record::Task(Task {
            case_id: Some(case.meta.id),
            requested_by: Some(case.meta.unit.clone()),
            due,
            ..Task::new(
                Meta { id, unit, version: 0, ..case.meta.clone() },
                topic.name.clone(),
                title.chars().take(MOST_TITLE).collect::<String>(),
            )
        });
        let change = Change::Create(Box::new(record));
        let command = Command { kind: RecordKind::Task, id, expected: None, change };
        match host.submit(&self.name(task), command).await {
            Ok(Record::Task(record)) => Ok(Some(record)),
            Ok(_) => Ok(None),
            Err(failure) if failure.code == "model.exists" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn link_task(&self, host: &dyn Host, task: &ExternalTask, id: Id) -> Result<Link, Failure> {
        let link = Link {
            kind: RecordKind::Task,
            record: id,
            part: String::new(),
            reference: task.id.clone(),
            state: json!({ "topic": task.topic_name, "instance": task.process_instance_id }),
        };
        let known = host.links(id).await?;
        if !known.contains(&link) {
            // The step first: whoever finds the task finds it, too.
            let step = Link {
                part: STEP.to_owned(),
                reference: task.activity_instance_id.clone(),
                state: Value::Null,
                ..link.clone()
            };
            host.link(step).await?;
            host.link(link.clone()).await?;
        }
        Ok(link)
    }

    /// Carries an action out, unless the case is as it wants it.
    async fn serve(
        &self,
        host: &dyn Host,
        task: &ExternalTask,
        action: &Action,
        case: &Case,
    ) -> Result<(), Failure> {
        let key = self.name(task);
        let change = match action {
            Action::Close if case.status == RecordStatus::Closed => return Ok(()),
            Action::Reopen if case.status == RecordStatus::Open => return Ok(()),
            Action::Close => Change::Close,
            Action::Reopen => Change::Reopen,
            Action::AssignReference(variable) => {
                let reference = text(&Text::Variable(variable.clone()), &task.variables);
                let missing = || Failure::permanent("workflow.variable", "the process gives no reference");
                let reference = reference.ok_or_else(missing)?;
                if case.description.record_reference.as_ref() == Some(&reference) {
                    return Ok(());
                }
                Change::AssignReference(reference)
            }
            Action::Amend(fields) => Change::Amend(amendment(fields, &task.variables)),
            Action::Note => {
                let detail = json!({
                    "process": task.process_definition_key,
                    "instance": task.process_instance_id,
                    "activity": task.activity_id,
                });
                return host.note(&key, RecordKind::Case, case.meta.id, detail).await;
            }
        };
        let command = Command { kind: RecordKind::Case, id: case.meta.id, expected: None, change };
        host.submit(&key, command).await.map(drop)
    }

    /// What an external task is known by here. Engines count their tasks anew when their database is; the instance and the case then differ.
    fn name(&self, task: &ExternalTask) -> String {
        format!("{}:{}:{}", self.settings.id, task.process_instance_id, task.id)
    }

    async fn refuse(&self, task: &ExternalTask, error: Option<&str>, why: &str) -> Result<(), Failure> {
        tracing::warn!(task = %task.id, topic = task.topic_name, why, "external task refused");
        match error {
            Some(code) => self.end(&task.id, &End::Error(code, why)).await.map(drop),
            None => self.end(&task.id, &End::Incident(why)).await.map(drop),
        }
    }

    /// Ends an external task. An end that the engine will never take, such as one whose next step fails, becomes an incident there, so that
    /// the task is not handed out for ever; it fails here all the same.
    pub(crate) async fn end(&self, task: &str, end: &End<'_>) -> Result<Ended, Failure> {
        let outcome = self.camunda.end(task, end).await;
        if let Err(failure) = &outcome
            && failure.kind == FailureKind::Permanent
            && !matches!(end, End::Incident(_))
        {
            tracing::warn!(task, code = %failure.code, "the engine does not take the end of an external task");
            if let Err(failure) = self.camunda.end(task, &End::Incident(&failure.code)).await {
                tracing::warn!(task, code = %failure.code, "nor that it is an incident");
            }
        }
        outcome
    }
}

/// The case of an external task, if the adapter sees it.
async fn of_case(host: &dyn Host, task: &ExternalTask) -> Result<Option<Case>, Failure> {
    let names = [&task.id, &task.process_instance_id, &task.activity_instance_id];
    if names.iter().any(|name| name.is_empty() || name.len() > LONGEST_ID) {
        return Ok(None);
    }
    let Some(id) = task.business_key.as_deref().and_then(|key| key.parse().ok()) else { return Ok(None) };
    match host.record(RecordKind::Case, id).await? {
        Some(Record::Case(case)) => Ok(Some(case)),
        _ => Ok(None),
    }
}

/// The variables that a topic needs.
fn needed(topic: &Topic) -> Vec<String> {
    let named = |text: &Text| match text {
        Text::Variable(name) => Some(name.clone()),
        Text::Fixed(_) => None,
    };
    match &topic.kind {
        Kind::Task { title, unit, due, .. } => {
            let until = match due {
                Some(Wait::Until(name)) => Some(name.clone()),
                _ => None,
            };
            named(title).into_iter().chain(unit.as_ref().and_then(named)).chain(until).collect()
        }
        Kind::Service { action: Action::Amend(fields), .. } => {
            fields.iter().map(|(_, name)| name.clone()).collect()
        }
        Kind::Service { action: Action::AssignReference(name), .. } => vec![name.clone()],
        Kind::Service { .. } => vec![],
    }
}

/// The merge patch of the fields whose variables hold something.
fn amendment(fields: &[(String, String)], variables: &Variables) -> Value {
    let held = |(field, name): &(String, String)| {
        let value = &variables.get(name)?.value;
        let is_plain = value.is_string() || value.is_number() || value.is_boolean();
        is_plain.then(|| (field.clone(), value.clone()))
    };
    Value::Object(fields.iter().filter_map(held).collect::<Map<_, _>>())
}

/// Whether it may go better in the next session.
fn is_passing(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain)
}
