//! What happens to cases gets to the engine: a process starts, a message meets the process that waits for it, an external task ends
//! with the task that people had of it.
//!
//! Each step looks first whether it was done before, by what marks it in the engine, so that a repetition does nothing more and finds
//! the same.

use std::time::Duration;

use model::activity::{Task, TaskStatus};
use model::adapter::{About, Delivery, Link, Receipt};
use model::case::Case;
use model::{EventKind, Failure, Record, RecordKind, Timestamp, ids};
use serde_json::{Value, json};

use crate::camunda::{End, Ended, STARTED_BY, Variables};
use crate::engine::Workflow;
use crate::settings::{Cancelled, Kind, Message, Process};
use crate::values::{typed_null, typed_text, variables};

/// What messages are marked by: a variable whose name is this and an identifier of its own.
const TOLD_BY: &str = "amtsboteMessage_";

/// How long what is not kept is told: whoever does not wait for it by then shall not hear of it.
const AT_ONCE: Duration = Duration::from_secs(60);

/// Beginning of the part of a link from a case to an instance.
const INSTANCE: &str = "instance:";

/// One thing to be done in the engine.
enum Step<'a> {
    Start(&'a Process),
    Message(&'a Message),
    End(&'a Task, &'a Link),
}

/// The link from a case to an instance of a process.
pub(crate) fn instance_link(case: model::Id, instance: &str, process: Option<&str>) -> Link {
    Link {
        kind: RecordKind::Case,
        record: case,
        part: format!("{INSTANCE}{instance}"),
        reference: instance.to_owned(),
        state: json!({ "process": process }),
    }
}

impl Workflow {
    /// Does everything that a delivery asks for.
    pub(crate) async fn tell(&self, delivery: &Delivery) -> Result<Receipt, Failure> {
        let Some(about) = delivery.about.as_deref() else { return Err(nothing_told()) };
        let mut receipt = Receipt::default();
        let mut failed = None;
        for step in self.steps(delivery, about) {
            let done = match self.known(&step, delivery, about).await {
                Ok(None) => self.carry_out(&step, delivery, about).await,
                Ok(Some(known)) => Ok(known),
                Err(failure) => Err(failure),
            };
            // What one process does not wait for yet, another may.
            match done {
                Ok(done) => join(&mut receipt, done),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(receipt), Err)
    }

    /// What was done of a delivery, if everything was.
    pub(crate) async fn told(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let Some(about) = delivery.about.as_deref() else { return Err(nothing_told()) };
        let mut receipt = Receipt::default();
        for step in self.steps(delivery, about) {
            match self.known(&step, delivery, about).await? {
                Some(done) => join(&mut receipt, done),
                None => return Ok(None),
            }
        }
        Ok(Some(receipt))
    }

    fn steps<'a>(&'a self, delivery: &Delivery, about: &'a About) -> Vec<Step<'a>> {
        let mut steps = vec![];
        let Some(case) = case_of(about) else { return steps };
        let event: Option<EventKind> = serde_json::from_value(Value::from(delivery.kind.as_str())).ok();
        let kind = about.record.kind();
        let serves = |service: &Option<String>| service.is_none() || *service == case.meta.public_service;
        if event == Some(EventKind::RecordCreated) && kind == RecordKind::Case {
            steps.extend(self.settings.processes.iter().filter(|it| serves(&it.service)).map(Step::Start));
        }
        // What happened is looked at, not how the record is now: it may have gone on meanwhile.
        let reached = delivery.detail["status"].as_str();
        // What came with a message has no event of its own.
        let reached = reached.or((event == Some(EventKind::RecordCreated)).then(|| about.record.status()));
        let is_meant = |message: &&Message| {
            Some(message.event) == event
                && message.record == kind
                && serves(&message.service)
                && message.status.as_deref().is_none_or(|status| Some(status) == reached)
        };
        steps.extend(self.settings.messages.iter().filter(is_meant).map(Step::Message));
        if let (Record::Task(task), Some(EventKind::RecordChanged)) = (&about.record, event)
            && !task.status.is_open()
            && let Some(link) =
                about.links.iter().find(|link| link.record == task.meta.id && link.part.is_empty())
        {
            steps.push(Step::End(task, link));
        }
        steps
    }

    /// What the engine knows of a step that was done.
    async fn known(
        &self,
        step: &Step<'_>,
        delivery: &Delivery,
        about: &About,
    ) -> Result<Option<Receipt>, Failure> {
        let Some(case) = case_of(about) else { return Ok(None) };
        match step {
            Step::Start(process) => {
                let (case, id) = (case.meta.id, delivery.id.to_string());
                let started = self.camunda.started(&process.key, &case.to_string(), &id).await?;
                Ok(started.map(|instance| started_as(process, case, &instance)))
            }
            Step::Message(message) => {
                let marked = self.camunda.marked(&mark(delivery, message)).await?;
                match marked {
                    Some(instance) => Ok(Some(met(message, Some(&instance)))),
                    None if !message.keep && self.is_past(delivery) => Ok(Some(met(message, None))),
                    None => Ok(None),
                }
            }
            Step::End(_, link) => {
                if self.camunda.awaits(&link.reference).await? {
                    return Ok(None);
                }
                Ok(Some(ended_as(link, self.camunda.ended(&link.reference).await?)))
            }
        }
    }

    /// Whether it happened too long ago to be told those who wait for nothing to be kept.
    fn is_past(&self, delivery: &Delivery) -> bool {
        let at = delivery.detail["at"].as_str().and_then(Timestamp::parse);
        at.is_some_and(|at| at.plus(AT_ONCE) < self.clock.now())
    }

    async fn carry_out(
        &self,
        step: &Step<'_>,
        delivery: &Delivery,
        about: &About,
    ) -> Result<Receipt, Failure> {
        let Some(case) = case_of(about) else { return Ok(Receipt::default()) };
        match step {
            Step::Start(process) => {
                let json = about.record.to_json();
                let mut given = variables(&process.variables, &json, &json);
                given.insert(STARTED_BY.to_owned(), typed_text(&delivery.id.to_string()));
                let case = case.meta.id;
                let instance = self.camunda.start(&process.key, &case.to_string(), &given).await?;
                Ok(started_as(process, case, &instance))
            }
            Step::Message(message) => self.send(message, delivery, about, case).await,
            Step::End(task, link) => self.end_of(task, link).await,
        }
    }

    async fn send(
        &self,
        message: &Message,
        delivery: &Delivery,
        about: &About,
        case: &Case,
    ) -> Result<Receipt, Failure> {
        let case_json = Record::Case(case.clone()).to_json();
        let mut given = variables(&message.variables, &case_json, &about.record.to_json());
        given.insert(mark(delivery, message), typed_text(&message.name));
        if let Some(correlated) =
            self.camunda.correlate(&message.name, &case.meta.id.to_string(), &given).await?
        {
            return Ok(met(message, correlated.instance()));
        }
        if !message.keep || self.all_ended(about, case).await? {
            return Ok(met(message, None));
        }
        let detail = format!("no process of the case waits for {}, or more than one does", message.name);
        Err(Failure::transient("workflow.no-match", detail).alone())
    }

    /// Whether there were instances for the case and none runs any more.
    async fn all_ended(&self, about: &About, case: &Case) -> Result<bool, Failure> {
        let is_instance = |link: &&Link| link.record == case.meta.id && link.part.starts_with(INSTANCE);
        let mut there_was_one = false;
        for link in about.links.iter().filter(is_instance) {
            if self.camunda.is_running(&link.reference).await? {
                return Ok(false);
            }
            there_was_one = true;
        }
        Ok(there_was_one)
    }

    /// Ends the external task that a task of the case stands for.
    pub(crate) async fn end_of(&self, task: &Task, link: &Link) -> Result<Receipt, Failure> {
        let topic = link.state["topic"].as_str().and_then(|name| self.topic(name));
        let Some(Kind::Task { result, cancelled, .. }) = topic.map(|topic| &topic.kind) else {
            let why = "the topic of the external task is not configured any more";
            return Err(Failure::permanent("workflow.no-topic", why));
        };
        let end = match (task.status, cancelled) {
            (TaskStatus::Done, _) => {
                let value = task.result.as_deref().map_or_else(typed_null, typed_text);
                End::Complete(Variables::from([(result.clone(), value)]))
            }
            (TaskStatus::Cancelled, Cancelled::Error(code)) => End::Error(code, "task cancelled"),
            (TaskStatus::Cancelled, Cancelled::Incident) => {
                End::Incident("the task was cancelled in the gateway")
            }
            (TaskStatus::Open | TaskStatus::Assigned, _) => return Ok(Receipt::default()),
        };
        let ended = self.end(&link.reference, &end).await?;
        Ok(ended_as(link, ended))
    }
}

/// The case that something happened to or in.
fn case_of(about: &About) -> Option<&Case> {
    case(&about.record).or_else(|| about.above.iter().rev().find_map(case))
}

fn case(record: &Record) -> Option<&Case> {
    match record {
        Record::Case(case) => Some(case),
        _ => None,
    }
}

/// The variable that marks a message as told.
fn mark(delivery: &Delivery, message: &Message) -> String {
    format!("{TOLD_BY}{}", ids::derived_id(delivery.id, &message.name).simple())
}

fn started_as(process: &Process, case: model::Id, instance: &str) -> Receipt {
    Receipt {
        reference: Some(instance.to_owned()),
        data: json!({ "process": process.key }),
        links: vec![instance_link(case, instance, Some(&process.key))],
        ..Receipt::default()
    }
}

fn met(message: &Message, instance: Option<&str>) -> Receipt {
    Receipt {
        reference: instance.filter(|instance| !instance.is_empty()).map(str::to_owned),
        data: json!({ "message": message.name, "unmatched": instance.is_none() }),
        ..Receipt::default()
    }
}

fn ended_as(link: &Link, ended: Ended) -> Receipt {
    let data = match ended {
        Ended::Done => json!({ "externalTask": "done" }),
        Ended::Gone => json!({ "externalTask": "gone" }),
    };
    Receipt { reference: Some(link.reference.clone()), data, ..Receipt::default() }
}

/// Of several steps the first names the receipt.
fn join(all: &mut Receipt, one: Receipt) {
    if all.reference.is_none() {
        all.reference = one.reference;
        all.data = one.data;
    }
    all.links.extend(one.links);
}

fn nothing_told() -> Failure {
    Failure::permanent("workflow.refused", "an engine is told of records alone")
}
