//! External tasks: fetched and locked, completed, failed.

use serde_json::{Value, json};

use super::engine::{Engine, External};
use super::time::written;
use super::variables::{shown, taken};
use super::{Call, Reply, error};

/// `/external-task/…`.
pub(super) fn answer(engine: &mut Engine, call: &Call, parts: &[&str]) -> Reply {
    match (call.method.as_str(), parts) {
        ("POST", ["fetchAndLock"]) => fetch(engine, &call.body),
        ("GET", ["count"]) => count(engine, call),
        (method, [id, verb @ ..]) => {
            let Some(at) = engine.external.iter().position(|task| task.id == *id) else {
                return error(
                    404,
                    "RestException",
                    format!("External task with id {id} does not exist"),
                    Some(0),
                );
            };
            of_task(engine, call, at, method, verb)
        }
        _ => error(404, "NotFoundException", "HTTP 404 Not Found", None),
    }
}

fn of_task(engine: &mut Engine, call: &Call, at: usize, method: &str, verb: &[&str]) -> Reply {
    let worker = call.body["workerId"].as_str();
    match (method, verb) {
        ("GET", []) => Reply::Json(200, short(engine, &engine.external[at])),
        ("GET", ["errorDetails"]) => {
            Reply::Text(engine.external[at].details.as_str().unwrap_or_default().to_owned())
        }
        ("PUT", ["retries"]) => {
            engine.external[at].retries = call.body["retries"].clone();
            Reply::Nothing
        }
        ("POST", ["unlock"]) => {
            (engine.external[at].worker, engine.external[at].locked_until) = (None, None);
            Reply::Nothing
        }
        ("POST", ["lock"]) => lock(engine, at, worker, &call.body),
        ("POST", [verb @ ("complete" | "failure" | "bpmnError" | "extendLock")]) => {
            let held = engine.external[at].worker.as_deref();
            if held != worker {
                let (id, named) = (&engine.external[at].id, worker.unwrap_or_default());
                let doing = match *verb {
                    "complete" => "completed",
                    "extendLock" => "extended",
                    _ => "failed",
                };
                let message = format!(
                    "External Task {id} cannot be {doing} by worker '{named}'. It is locked by worker '{}'.",
                    held.unwrap_or("null")
                );
                return error(400, "RestException", message, Some(0));
            }
            held_by_caller(engine, call, at, verb)
        }
        _ => error(404, "NotFoundException", "HTTP 404 Not Found", None),
    }
}

fn held_by_caller(engine: &mut Engine, call: &Call, at: usize, verb: &str) -> Reply {
    let (instance, now) = (engine.external[at].instance, engine.now());
    let given = match taken(&call.body["variables"]) {
        Ok(given) => given,
        Err(message) => return error(400, "InvalidRequestException", message, None),
    };
    match verb {
        "extendLock" => {
            engine.external[at].locked_until = Some(now + call.body["newDuration"].as_i64().unwrap_or(0));
        }
        "failure" => {
            let task = &mut engine.external[at];
            task.message = call.body["errorMessage"].clone();
            task.details = call.body["errorDetails"].clone();
            task.retries = call.body["retries"].clone();
            task.locked_until = Some(now + call.body["retryTimeout"].as_i64().unwrap_or(0));
            if task.retries == 0 {
                engine.incident(at);
            }
        }
        "bpmnError" => {
            engine.set(instance, given);
            let code = call.body["errorCode"].as_str().unwrap_or_default().to_owned();
            engine.error(instance, &code, &call.body["errorMessage"]);
        }
        _ => {
            let id = engine.new_id();
            let task = engine.external[at].id.clone();
            engine.completed.push(json!({ "id": id, "externalTaskId": task, "successLog": true }));
            engine.set(instance, given);
            engine.leave(instance, None);
        }
    }
    Reply::Nothing
}

fn lock(engine: &mut Engine, at: usize, worker: Option<&str>, body: &Value) -> Reply {
    let now = engine.now();
    let task = &mut engine.external[at];
    let is_held = task.worker.as_deref() != worker && task.worker.is_some();
    if is_held && task.locked_until.is_some_and(|until| until > now) {
        let held = task.worker.as_deref().unwrap_or_default();
        let message = format!("External Task {} is already locked by worker '{held}'.", task.id);
        return error(400, "RestException", message, Some(0));
    }
    task.worker = worker.map(str::to_owned);
    task.locked_until = Some(now + body["lockDuration"].as_i64().unwrap_or(0));
    Reply::Nothing
}

fn is_free(engine: &Engine, task: &External) -> bool {
    task.locked_until.is_none_or(|until| until <= engine.now()) && task.retries != 0
}

fn fetch(engine: &mut Engine, body: &Value) -> Reply {
    let most = usize::try_from(body["maxTasks"].as_u64().unwrap_or(0)).unwrap_or(0);
    let topics = body["topics"].as_array().cloned().unwrap_or_default();
    let mut fetched = vec![];
    for at in 0..engine.external.len() {
        let task = &engine.external[at];
        let topic = topics.iter().find(|topic| topic["topicName"] == task.topic.as_str());
        let Some(topic) = topic.filter(|_| is_free(engine, task) && fetched.len() < most) else { continue };
        let until = engine.now() + topic["lockDuration"].as_i64().unwrap_or(0);
        let task = &mut engine.external[at];
        task.worker = body["workerId"].as_str().map(str::to_owned);
        task.locked_until = Some(until);
        let task = &engine.external[at];
        let mut whole = short(engine, task);
        whole["errorDetails"] = task.details.clone();
        whole["variables"] = shown(&engine.instances[task.instance].variables, &topic["variables"]);
        if topic["includeExtensionProperties"] == true {
            whole["extensionProperties"] = json!({});
        }
        fetched.push(whole);
    }
    Reply::Json(200, Value::Array(fetched))
}

fn short(engine: &Engine, task: &External) -> Value {
    let instance = &engine.instances[task.instance];
    let definition = &engine.definitions[instance.definition];
    let activity = &engine.activities[task.activity];
    json!({
        "activityId": activity["activityId"], "activityInstanceId": activity["id"], "errorMessage": task.message,
        "executionId": task.execution, "id": task.id, "lockExpirationTime": task.locked_until.map(written),
        "createTime": written(task.created), "processDefinitionId": definition.id,
        "processDefinitionKey": definition.model.key, "processDefinitionVersionTag": null,
        "processInstanceId": instance.id, "retries": task.retries, "suspended": false, "workerId": task.worker,
        "topicName": task.topic, "tenantId": null, "priority": 0, "businessKey": instance.business_key,
    })
}

fn count(engine: &Engine, call: &Call) -> Reply {
    let is_meant = |task: &&External| {
        call.query("topicName").is_none_or(|topic| topic == task.topic)
            && (call.query("notLocked") != Some("true")
                || task.locked_until.is_none_or(|until| until <= engine.now()))
    };
    Reply::Json(200, json!({ "count": engine.external.iter().filter(is_meant).count() }))
}
