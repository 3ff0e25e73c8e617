//! Camunda 7's REST API, as its versions 7.15 to 7.24, Operaton and CIB seven speak it. What is recorded of 7.24 stands in the simulator.
//!
//! The engine knows no idempotency. Whatever is begun by the gateway is therefore marked by a variable that names its delivery, and
//! looked for by that before it is begun.

mod http;
#[cfg(test)]
mod recorded;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Failure};
use net::{Answer, Client};
use serde_json::{Value, json};

use http::{Call, Http, Trouble, garbage, json as read, segment};
pub(crate) use http::{LONGEST_ID, LONGEST_NAME, UNREACHABLE};
pub(crate) use wire::{Activity, Correlated, ExternalTask, Incident, Typed, Variables};
use wire::{Count, Found, Instance};

use crate::settings::Settings;

/// Variable of an instance that names the delivery which started it.
pub(crate) const STARTED_BY: &str = "amtsboteDelivery";

/// External tasks that are fetched at once.
pub(crate) const MOST_TASKS: usize = 10;

/// Entries of a history that are read at once.
pub(crate) const PAGE: usize = 100;

/// Longest message of a failure that the engine keeps, in characters.
const MOST_MESSAGE: usize = 600;

/// What became of an external task that is no longer waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done, now or before.
    Done,
    /// The process does not wait for it any more, for another reason.
    Gone,
}

/// An engine.
pub(crate) struct Camunda {
    http: Http,
    tenant: Option<String>,
    worker: String,
    wait: Duration,
}

/// How the end of an external task is told.
pub(crate) enum End<'a> {
    /// It is done; the process gets these variables.
    Complete(Variables),
    /// An error of the process model.
    Error(&'a str, &'a str),
    /// It failed for good: an incident, with this message.
    Incident(&'a str),
}

impl Camunda {
    pub(crate) fn new(settings: &Settings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let http = Http::new(client, clock, settings.url.clone(), settings.login.as_ref(), settings.within);
        let wait = settings.wait.min(Duration::from_secs(60));
        Camunda { http, tenant: settings.engine_tenant.clone(), worker: settings.worker(), wait }
    }

    /// Narrows a query to the tenant within the engine.
    fn of_tenant<'a>(&'a self, mut query: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
        query.push(match &self.tenant {
            Some(tenant) => ("tenantIdIn", tenant),
            None => ("withoutTenantId", "true"),
        });
        query
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: Vec<(&str, &str)>,
    ) -> Result<Vec<T>, Failure> {
        let answer = self.http.get(path, &query).await?;
        match answer.status {
            200 => read(&answer, Call::Asking),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// Whether there is a process definition of this key.
    pub(crate) async fn has_process(&self, key: &str) -> Result<bool, Failure> {
        let query = self.of_tenant(vec![("key", key), ("latestVersion", "true")]);
        Ok(!self.list::<Instance>("/process-definition", query).await?.is_empty())
    }

    /// How many external tasks of a topic wait that nobody has locked.
    pub(crate) async fn waiting(&self, topic: &str) -> Result<u64, Failure> {
        let query = self.of_tenant(vec![("topicName", topic), ("notLocked", "true")]);
        let answer = self.http.get("/external-task/count", &query).await?;
        match answer.status {
            200 => Ok(read::<Count>(&answer, Call::Asking)?.count),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// The instance that a delivery started, running or ended.
    pub(crate) async fn started(
        &self,
        key: &str,
        case: &str,
        delivery: &str,
    ) -> Result<Option<String>, Failure> {
        let mark = format!("{STARTED_BY}_eq_{delivery}");
        // First those that run: one that ends in between is then among the others.
        for (path, named) in [
            ("/process-instance", "businessKey"),
            ("/history/process-instance", "processInstanceBusinessKey"),
        ] {
            let query = vec![(named, case), ("processDefinitionKey", key), ("variables", mark.as_str())];
            let found: Vec<Instance> = self.list(path, self.of_tenant(query)).await?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(checked(found.id)?));
            }
        }
        Ok(None)
    }

    /// Starts a process for a case.
    pub(crate) async fn start(
        &self,
        key: &str,
        case: &str,
        variables: &Variables,
    ) -> Result<String, Failure> {
        let path = match &self.tenant {
            Some(tenant) => {
                format!("/process-definition/key/{}/tenant-id/{}/start", segment(key)?, segment(tenant)?)
            }
            None => format!("/process-definition/key/{}/start", segment(key)?),
        };
        let body = json!({ "businessKey": case, "variables": written(variables) });
        let answer = self.http.post(Call::Acting, &path, &body).await?;
        match answer.status {
            200 => checked(read::<Instance>(&answer, Call::Acting)?.id).map_err(|_| garbage(Call::Acting)),
            404 if Trouble::of(&answer).is_some() => {
                Err(Failure::permanent("workflow.no-process", "the engine knows no process of this key"))
            }
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    /// The instance that has a variable of this name, running or ended. Empty if the engine names none.
    pub(crate) async fn marked(&self, variable: &str) -> Result<Option<String>, Failure> {
        for path in ["/variable-instance", "/history/variable-instance"] {
            let query = vec![("variableName", variable), ("deserializeValues", "false")];
            let found: Vec<Found> = self.list(path, query).await?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(checked(found.process_instance_id.unwrap_or_default())?));
            }
        }
        Ok(None)
    }

    /// Tells the process of a case a message; `None` if none waits for it, or more than one.
    pub(crate) async fn correlate(
        &self,
        name: &str,
        case: &str,
        variables: &Variables,
    ) -> Result<Option<Correlated>, Failure> {
        let mut body = json!({
            "messageName": name,
            "businessKey": case,
            "processVariables": written(variables),
            "resultEnabled": true,
        });
        match &self.tenant {
            Some(tenant) => body["tenantId"] = json!(tenant),
            None => body["withoutTenantId"] = json!(true),
        }
        let answer = self.http.post(Call::Acting, "/message", &body).await?;
        let is_unmatched = |answer: &Answer| {
            Trouble::of(answer)
                .is_some_and(|trouble| trouble.message.contains("MismatchingMessageCorrelation"))
        };
        match answer.status {
            200 => {
                let all: Vec<Correlated> = read(&answer, Call::Acting)?;
                let one = all.into_iter().next().ok_or_else(|| garbage(Call::Acting))?;
                Ok(Some(one))
            }
            204 => Ok(Some(Correlated { execution: None, process_instance: None })),
            400 if is_unmatched(&answer) => Ok(None),
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    /// Whether an instance still runs.
    pub(crate) async fn is_running(&self, instance: &str) -> Result<bool, Failure> {
        let answer = self.http.get(&format!("/process-instance/{}", segment(instance)?), &[]).await?;
        match answer.status {
            200 => read::<Instance>(&answer, Call::Asking).map(|_| true),
            404 if Trouble::of(&answer).is_some() => Ok(false),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// External tasks of topics, each with the variables that it needs, locked for so long. Waits for one if there is none and `waits`.
    pub(crate) async fn fetch(
        &self,
        topics: &[(String, Vec<String>)],
        lock: Duration,
        waits: bool,
    ) -> Result<Vec<ExternalTask>, Failure> {
        let topic = |(name, variables): &(String, Vec<String>)| {
            let mut topic = json!({
                "topicName": name,
                "lockDuration": millis(lock),
                "variables": variables,
                "deserializeValues": false,
            });
            match &self.tenant {
                Some(tenant) => topic["tenantIdIn"] = json!([tenant]),
                None => topic["withoutTenantId"] = json!(true),
            }
            topic
        };
        let mut body = json!({
            "workerId": self.worker,
            "maxTasks": MOST_TASKS,
            "usePriority": true,
            "topics": topics.iter().map(topic).collect::<Vec<_>>(),
        });
        let wait = if waits { self.wait } else { Duration::ZERO };
        if !wait.is_zero() {
            body["asyncResponseTimeout"] = json!(millis(wait));
        }
        let answer = self.http.post_and_wait("/external-task/fetchAndLock", &body, wait).await?;
        match answer.status {
            200 => read(&answer, Call::Asking),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// Holds an external task for so long from now on; whether it is still there to be held.
    pub(crate) async fn hold(&self, task: &str, lock: Duration) -> Result<bool, Failure> {
        let path = format!("/external-task/{}/extendLock", segment(task)?);
        let body = json!({ "workerId": self.worker, "newDuration": millis(lock) });
        let answer = self.http.post(Call::Asking, &path, &body).await?;
        match answer.status {
            204 => Ok(true),
            // It has ended, or somebody else holds it: either way it is not ours, and comes again if it is to be.
            400 | 404 if Trouble::of(&answer).is_some() => Ok(false),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// Ends an external task. Whose lock was lost takes it again.
    pub(crate) async fn end(&self, task: &str, end: &End<'_>) -> Result<Ended, Failure> {
        let path = format!("/external-task/{}", segment(task)?);
        let (verb, body) = self.ending(end);
        let mut answer = self.http.post(Call::Acting, &format!("{path}/{verb}"), &body).await?;
        if answer.status == 400 && self.takes_again(&path).await? {
            answer = self.http.post(Call::Acting, &format!("{path}/{verb}"), &body).await?;
        }
        match answer.status {
            204 => Ok(Ended::Done),
            404 if Trouble::of(&answer).is_some() => self.ended(task).await,
            _ => Err(self.http.refusal(&answer, Call::Acting)),
        }
    }

    fn ending(&self, end: &End<'_>) -> (&'static str, Value) {
        let worker = &self.worker;
        match end {
            End::Complete(variables) => {
                ("complete", json!({ "workerId": worker, "variables": written(variables) }))
            }
            End::Error(code, message) => (
                "bpmnError",
                json!({ "workerId": worker, "errorCode": code, "errorMessage": shortened(message) }),
            ),
            End::Incident(message) => (
                "failure",
                json!({ "workerId": worker, "errorMessage": shortened(message), "retries": 0, "retryTimeout": 0 }),
            ),
        }
    }

    /// Takes a task again whose lock was lost; false if it has ended.
    async fn takes_again(&self, path: &str) -> Result<bool, Failure> {
        let body = json!({ "workerId": self.worker, "lockDuration": 60_000 });
        let answer = self.http.post(Call::Asking, &format!("{path}/lock"), &body).await?;
        match answer.status {
            204 => Ok(true),
            404 if Trouble::of(&answer).is_some() => Ok(false),
            400 => {
                let detail = "another worker holds the external task";
                Err(Failure::transient("workflow.lock-lost", detail).alone())
            }
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// Whether an external task still waits to be done.
    pub(crate) async fn awaits(&self, task: &str) -> Result<bool, Failure> {
        let answer = self.http.get(&format!("/external-task/{}", segment(task)?), &[]).await?;
        match answer.status {
            200 => read::<Instance>(&answer, Call::Asking).map(|_| true),
            404 if Trouble::of(&answer).is_some() => Ok(false),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    /// What became of an external task that is not there any more, as far as the engine's history knows.
    pub(crate) async fn ended(&self, task: &str) -> Result<Ended, Failure> {
        let query = vec![("externalTaskId", task), ("successLog", "true")];
        let log: Vec<Instance> = self.list("/history/external-task-log", query).await?;
        Ok(if log.is_empty() { Ended::Gone } else { Ended::Done })
    }

    /// Steps that ended since then, in this order, `from` the first of them on; with `left` only those that were cancelled.
    pub(crate) async fn activities(
        &self,
        since: Option<&str>,
        from: usize,
        left: bool,
    ) -> Result<Vec<Activity>, Failure> {
        let (from, most) = (from.to_string(), PAGE.to_string());
        let mut query = vec![("finished", "true"), ("sortBy", "endTime"), ("sortOrder", "asc")];
        query.extend([("firstResult", from.as_str()), ("maxResults", most.as_str())]);
        query.extend(since.map(|since| ("finishedAfter", since)));
        query.extend(left.then_some(("canceled", "true")));
        self.list("/history/activity-instance", self.of_tenant(query)).await
    }

    /// Incidents that came since then, in this order, `from` the first of them on.
    pub(crate) async fn incidents(&self, since: Option<&str>, from: usize) -> Result<Vec<Incident>, Failure> {
        let (from, most) = (from.to_string(), PAGE.to_string());
        let mut query = vec![("sortBy", "createTime"), ("sortOrder", "asc")];
        query.extend([("firstResult", from.as_str()), ("maxResults", most.as_str())]);
        query.extend(since.map(|since| ("createTimeAfter", since)));
        // This query alone knows no "without a tenant".
        query.extend(self.tenant.as_ref().map(|tenant| ("tenantIdIn", tenant.as_str())));
        self.list("/history/incident", query).await
    }
}

fn written(variables: &Variables) -> Value {
    variables
        .iter()
        .map(|(name, typed)| (name.clone(), typed.json()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST_MESSAGE).collect()
}

/// An identifier from outside that is going to be kept.
fn checked(id: String) -> Result<String, Failure> {
    let is_id = id.len() <= LONGEST_ID && !id.chars().any(char::is_control);
    if is_id { Ok(id) } else { Err(garbage(Call::Asking)) }
}
