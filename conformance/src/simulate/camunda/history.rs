//! Histories.

use serde_json::{Value, json};

use super::engine::{Engine, Instance};
use super::time::read;
use super::{Call, Reply, error};

/// `/history/…`.
pub(super) fn answer(engine: &Engine, call: &Call, parts: &[&str]) -> Reply {
    let all = match parts {
        ["activity-instance"] => {
            let is_meant = |entry: &&Value| {
                of_instance(call, entry)
                    && (call.query("finished") != Some("true") || !entry["endTime"].is_null())
                    && (call.query("canceled") != Some("true") || entry["canceled"] == true)
                    && is_after(call.query("finishedAfter"), &entry["endTime"])
            };
            let mut all: Vec<Value> = engine.activities.iter().filter(is_meant).cloned().collect();
            let by = call.query("sortBy").unwrap_or("startTime").to_owned();
            all.sort_by_key(|entry| entry[&by].as_str().map(str::to_owned));
            all
        }
        ["incident"] => {
            let is_meant = |entry: &&Value| {
                of_instance(call, entry) && is_after(call.query("createTimeAfter"), &entry["createTime"])
            };
            engine.incidents.iter().filter(is_meant).cloned().collect()
        }
        ["variable-instance"] => variables(engine, call),
        ["process-instance"] => engine
            .instances
            .iter()
            .filter(|it| is_meant(engine, call, it))
            .map(|it| ended(engine, it))
            .collect(),
        ["external-task-log"] => {
            let is_meant = |entry: &&Value| {
                call.query("externalTaskId").is_none_or(|task| entry["externalTaskId"] == task)
            };
            engine.completed.iter().filter(is_meant).cloned().collect()
        }
        _ => return error(404, "NotFoundException", "HTTP 404 Not Found", None),
    };
    Reply::Json(200, page(call, all))
}

pub(super) fn page(call: &Call, all: Vec<Value>) -> Value {
    let number = |name| call.query(name).and_then(|number| number.parse::<usize>().ok());
    let from = number("firstResult").unwrap_or(0);
    all.into_iter().skip(from).take(number("maxResults").unwrap_or(usize::MAX)).collect()
}

fn of_instance(call: &Call, entry: &Value) -> bool {
    call.query("processInstanceId").is_none_or(|id| entry["processInstanceId"] == id)
}

fn is_after(after: Option<&str>, at: &Value) -> bool {
    let Some(after) = after.and_then(read) else { return true };
    at.as_str().and_then(read).is_some_and(|at| at >= after)
}

/// Whether an instance fits to the key, the business key and the variables of a query.
pub(super) fn is_meant(engine: &Engine, call: &Call, instance: &Instance) -> bool {
    let key = &engine.definitions[instance.definition].model.key;
    let business = call.query("businessKey").or(call.query("processInstanceBusinessKey"));
    let variable = call.query("variables").is_none_or(|wanted| {
        let mut parts = wanted.splitn(3, '_');
        let (name, _, value) = (parts.next(), parts.next(), parts.next());
        let known = name.and_then(|name| instance.variables.get(name));
        known.is_some_and(|known| known["value"].as_str() == value)
    });
    call.query("processDefinitionKey").is_none_or(|wanted| wanted == key)
        && business.is_none_or(|wanted| instance.business_key == wanted)
        && variable
}

fn ended(engine: &Engine, instance: &Instance) -> Value {
    let definition = &engine.definitions[instance.definition];
    let state = if instance.ended { "COMPLETED" } else { "ACTIVE" };
    json!({
        "id": instance.id, "businessKey": instance.business_key, "processDefinitionId": definition.id,
        "processDefinitionKey": definition.model.key, "processDefinitionName": definition.model.name,
        "processDefinitionVersion": definition.version, "state": state, "tenantId": null,
        "rootProcessInstanceId": instance.id,
    })
}

/// Variables of instances that run or have run.
pub(super) fn variables(engine: &Engine, call: &Call) -> Vec<Value> {
    let mut all = vec![];
    for instance in &engine.instances {
        if call.query("processInstanceId").is_some_and(|id| id != instance.id) {
            continue;
        }
        let definition = &engine.definitions[instance.definition];
        let removal =
            engine.activities.iter().find(|entry| entry["processInstanceId"] == instance.id.as_str());
        for (name, typed) in &instance.variables {
            if call.query("variableName").is_some_and(|wanted| wanted != name) {
                continue;
            }
            all.push(json!({
                "type": typed["type"], "value": typed["value"], "valueInfo": typed["valueInfo"],
                "id": instance.born[name][0], "name": name, "processDefinitionKey": definition.model.key,
                "processDefinitionId": definition.id, "processInstanceId": instance.id, "executionId": instance.id,
                "activityInstanceId": instance.id, "caseDefinitionKey": null, "caseDefinitionId": null,
                "caseInstanceId": null, "caseExecutionId": null, "taskId": null, "errorMessage": null,
                "tenantId": null, "state": "CREATED", "createTime": instance.born[name][1],
                "removalTime": removal.map(|entry| entry["removalTime"].clone()),
                "rootProcessInstanceId": instance.id,
            }));
        }
    }
    all
}
