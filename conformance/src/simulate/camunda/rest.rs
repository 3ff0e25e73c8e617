//! The paths of the REST API.

use serde_json::{Map, Value, json};

use super::bpmn::{self, Kind};
use super::engine::{Definition, Engine};
use super::time::written;
use super::variables::{one, taken};
use super::{Call, Reply, error, external, history};

pub(super) fn answer(engine: &mut Engine, call: &Call) -> Reply {
    let path = call.path.strip_prefix("/engine-rest/").unwrap_or_default();
    let decoded: Vec<String> = path.split('/').map(decoded).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["deployment", "create"]) => deployment(engine, call),
        ("GET", ["process-definition"]) => definitions(engine, call),
        ("POST", ["process-definition", "key", key, "start"]) => start(engine, call, key),
        ("POST", ["message"]) => message(engine, call),
        (_, ["external-task", rest @ ..]) => external::answer(engine, call, rest),
        ("GET", ["history", rest @ ..]) => history::answer(engine, call, rest),
        ("GET", ["process-instance"]) => {
            let is_meant = |at: &usize| {
                let instance = &engine.instances[*at];
                !instance.ended && history::is_meant(engine, call, instance)
            };
            let all =
                (0..engine.instances.len()).filter(is_meant).map(|at| instance(engine, call, at)).collect();
            Reply::Json(200, history::page(call, all))
        }
        ("GET", ["variable-instance"]) => {
            let running = |id: &Value| engine.instances.iter().any(|it| *id == it.id.as_str() && !it.ended);
            let all = history::variables(engine, call);
            Reply::Json(200, all.into_iter().filter(|it| running(&it["processInstanceId"])).collect())
        }
        (method, ["process-instance", id, rest @ ..]) => of_instance(engine, call, method, id, rest),
        (method, ["task", rest @ ..]) => tasks(engine, call, method, rest),
        _ => error(404, "NotFoundException", "HTTP 404 Not Found", None),
    }
}

fn decoded(part: &str) -> String {
    form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn deployment(engine: &mut Engine, call: &Call) -> Reply {
    let text = String::from_utf8_lossy(&call.bytes).into_owned();
    let kind = call.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.split("boundary=").nth(1).unwrap_or("--").trim_matches('"');
    let (mut fields, mut file) = (Map::new(), None);
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, body)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else {
            continue;
        };
        let named =
            |name: &str| head.split(&format!(" {name}=\"")).nth(1)?.split('"').next().map(str::to_owned);
        match (named("name"), named("filename")) {
            (_, Some(name)) => file = Some((name, body.to_owned())),
            (Some(name), None) => _ = fields.insert(name, json!(body.trim_end())),
            _ => {}
        }
    }
    let (name, content) = file.unwrap_or_default();
    let filtered = fields.get("enable-duplicate-filtering").is_some_and(|it| it == "true");
    let known = engine.deployments.iter().position(|(_, known)| *known == content);
    let (id, definitions) = match known.filter(|_| filtered) {
        Some(at) => (engine.deployments[at].0.clone(), Value::Null),
        None => deploy(
            engine,
            fields.get("deployment-name").and_then(Value::as_str).unwrap_or_default(),
            &name,
            &content,
        ),
    };
    let link = json!({ "method": "GET", "href": format!("{}/deployment/{id}", call.base), "rel": "self" });
    Reply::Json(
        200,
        json!({
            "links": [link], "id": id, "name": fields.get("deployment-name"), "source": fields.get("deployment-source"),
            "deploymentTime": written(engine.now()), "tenantId": null, "deployedProcessDefinitions": definitions,
            "deployedCaseDefinitions": null, "deployedDecisionDefinitions": null,
            "deployedDecisionRequirementsDefinitions": null,
        }),
    )
}

/// Its id, and the definitions that it brought.
pub(super) fn deploy(engine: &mut Engine, _name: &str, resource: &str, content: &str) -> (String, Value) {
    let id = engine.new_id();
    engine.deployments.push((id.clone(), content.to_owned()));
    let mut all = Map::new();
    for model in bpmn::read(content) {
        let version = engine.definitions.iter().filter(|it| it.model.key == model.key).count() as u64 + 1;
        let definition = Definition {
            id: format!("{}:{version}:{}", model.key, engine.new_id()),
            version,
            deployment: id.clone(),
            resource: resource.to_owned(),
            model,
        };
        all.insert(definition.id.clone(), shown(&definition));
        engine.definitions.push(definition);
    }
    (id, Value::Object(all))
}

fn shown(definition: &Definition) -> Value {
    json!({
        "id": definition.id, "key": definition.model.key, "category": definition.model.category, "description": null,
        "name": definition.model.name, "version": definition.version, "resource": definition.resource,
        "deploymentId": definition.deployment, "diagram": null, "suspended": false, "tenantId": null,
        "versionTag": null, "historyTimeToLive": definition.model.history_days, "startableInTasklist": true,
    })
}

fn definitions(engine: &Engine, call: &Call) -> Reply {
    let newest = |at: &usize| {
        let key = &engine.definitions[*at].model.key;
        call.query("latestVersion") != Some("true") || engine.latest(key) == Some(*at)
    };
    let is_meant = |at: &usize| {
        call.query("key").is_none_or(|key| engine.definitions[*at].model.key == key) && newest(at)
    };
    let all = (0..engine.definitions.len()).filter(is_meant).map(|at| shown(&engine.definitions[at]));
    Reply::Json(200, all.collect())
}

fn start(engine: &mut Engine, call: &Call, key: &str) -> Reply {
    let Some(definition) = engine.latest(key) else {
        let message = format!("No matching process definition with key: {key} and no tenant-id");
        return error(404, "RestException", message, None);
    };
    let variables = match taken(&call.body["variables"]) {
        Ok(variables) => variables,
        Err(why) => {
            let id = &engine.definitions[definition].id;
            let message = format!("Cannot instantiate process definition {id}: {why}");
            return error(400, "InvalidRequestException", message, None);
        }
    };
    let at = engine.start(definition, None, call.body["businessKey"].clone(), variables);
    let mut whole = instance(engine, call, at);
    if call.body["withVariablesInReturn"] == true {
        whole["variables"] = Value::Object(engine.instances[at].variables.clone());
    }
    Reply::Json(200, whole)
}

fn instance(engine: &Engine, call: &Call, at: usize) -> Value {
    let instance = &engine.instances[at];
    let definition = &engine.definitions[instance.definition];
    let href = format!("{}/process-instance/{}", call.base, instance.id);
    json!({
        "links": [{ "method": "GET", "href": href, "rel": "self" }], "id": instance.id,
        "definitionId": definition.id, "businessKey": instance.business_key, "caseInstanceId": null,
        "ended": instance.ended, "suspended": false, "tenantId": null, "definitionKey": definition.model.key,
    })
}

fn message(engine: &mut Engine, call: &Call) -> Reply {
    let (body, name) = (&call.body, call.body["messageName"].as_str().unwrap_or_default());
    let variables = match taken(&body["processVariables"]) {
        Ok(variables) => variables,
        Err(why) => return error(400, "InvalidRequestException", why, None),
    };
    let waits = |at: &usize| {
        let instance = &engine.instances[*at];
        let node = instance.at.as_ref().and_then(|place| engine.model(*at).nodes.get(&place.node));
        let keys = body["correlationKeys"].as_object().cloned().unwrap_or_default();
        let fits = |(key, wanted): (&String, &Value)| {
            instance.variables.get(key).is_some_and(|known| known["value"] == wanted["value"])
        };
        node.is_some_and(|node| node.kind == Kind::Catch { message: name.to_owned() })
            && (body["businessKey"].is_null() || instance.business_key == body["businessKey"])
            && keys.iter().all(fits)
    };
    let waiting: Vec<usize> = (0..engine.instances.len()).filter(waits).collect();
    let starts = |definition: &Definition| {
        definition.model.nodes.values().any(|it| it.kind == Kind::Start { message: Some(name.to_owned()) })
    };
    let result = match (waiting.as_slice(), engine.definitions.iter().rposition(starts)) {
        ([at], _) => {
            let at = *at;
            let execution = engine.instances[at].at.as_ref().map(|place| place.execution.clone());
            engine.set(at, variables);
            engine.leave(at, None);
            let id = engine.instances[at].id.clone();
            let execution =
                json!({ "id": execution, "processInstanceId": id, "ended": true, "tenantId": null });
            let mut result =
                json!({ "resultType": "Execution", "execution": execution, "processInstance": null });
            if body["variablesInResultEnabled"] == true {
                result["variables"] = Value::Object(engine.instances[at].variables.clone());
            }
            result
        }
        ([], Some(definition)) => {
            let at = engine.start(definition, Some(name), body["businessKey"].clone(), variables);
            let mut started = instance(engine, call, at);
            started["links"] = json!([]);
            json!({ "resultType": "ProcessDefinition", "execution": null, "processInstance": started })
        }
        (found, _) => {
            let why = match found.len() {
                0 => "No process definition or execution matches the parameters".to_owned(),
                many => format!("{many} executions match the correlation keys"),
            };
            let message = format!(
                "org.camunda.bpm.engine.MismatchingMessageCorrelationException: Cannot correlate message '{name}': {why}"
            );
            return error(400, "RestException", message, Some(0));
        }
    };
    match body["resultEnabled"] == true {
        true => Reply::Json(200, json!([result])),
        false => Reply::Nothing,
    }
}

fn of_instance(engine: &mut Engine, call: &Call, method: &str, id: &str, rest: &[&str]) -> Reply {
    let Some(at) = engine.instances.iter().position(|it| it.id == id && !it.ended) else {
        let message = format!("Process instance with id {id} does not exist");
        return error(404, "InvalidRequestException", message, None);
    };
    match (method, rest) {
        ("GET", []) => Reply::Json(200, instance(engine, call, at)),
        ("DELETE", []) => {
            engine.terminate(at);
            Reply::Nothing
        }
        ("GET", ["variables"]) => Reply::Json(200, Value::Object(engine.instances[at].variables.clone())),
        ("PUT", ["variables", name]) => match one(&call.body) {
            Ok(value) => {
                engine.set(at, vec![((*name).to_owned(), value)]);
                Reply::Nothing
            }
            Err(why) => error(400, "InvalidRequestException", why, None),
        },
        _ => error(404, "NotFoundException", "HTTP 404 Not Found", None),
    }
}

fn tasks(engine: &mut Engine, call: &Call, method: &str, rest: &[&str]) -> Reply {
    let instance_of = |engine: &Engine, task: &Value| {
        engine.instances.iter().position(|it| task["processInstanceId"] == it.id.as_str())
    };
    if let ("GET", []) = (method, rest) {
        let key = call.query("processInstanceBusinessKey");
        let is_meant = |task: &&Value| {
            let instance = instance_of(engine, task).map(|at| &engine.instances[at].business_key);
            key.is_none_or(|key| instance.is_some_and(|known| known == key))
        };
        let clean = |task: &Value| {
            let mut task = task.clone();
            task.as_object_mut().map(|task| task.remove("~activity"));
            task
        };
        return Reply::Json(200, engine.user.iter().filter(is_meant).map(clean).collect());
    }
    let [id, verb] = rest else { return error(404, "NotFoundException", "HTTP 404 Not Found", None) };
    let Some(task) = engine.user.iter().position(|task| task["id"] == *id) else {
        return error(404, "RestException", format!("No matching task with id {id}"), None);
    };
    let Some(at) = instance_of(engine, &engine.user[task]) else { return Reply::Nothing };
    match (method, *verb) {
        ("POST", "claim") if !engine.user[task]["assignee"].is_null() => {
            let message = format!("Task '{id}' is already claimed by someone else.");
            error(500, "TaskAlreadyClaimedException", message, Some(0))
        }
        ("POST", "claim" | "unclaim") => {
            let who = call.body["userId"].clone();
            let activity = engine.user[task]["~activity"].clone();
            engine.user[task]["assignee"] = who.clone();
            for entry in engine.activities.iter_mut().filter(|entry| entry["id"] == activity) {
                entry["assignee"] = who.clone();
            }
            Reply::Nothing
        }
        ("GET", "form-variables") => Reply::Json(200, Value::Object(engine.instances[at].variables.clone())),
        ("POST", "complete") => match taken(&call.body["variables"]) {
            Ok(given) => {
                engine.set(at, given);
                engine.leave(at, None);
                let all = Value::Object(engine.instances[at].variables.clone());
                if call.body["withVariablesInReturn"] == true {
                    Reply::Json(200, all)
                } else {
                    Reply::Nothing
                }
            }
            Err(why) => error(400, "InvalidRequestException", why, None),
        },
        _ => error(404, "NotFoundException", "HTTP 404 Not Found", None),
    }
}
