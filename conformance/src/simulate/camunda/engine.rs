//! The engine itself: instances with one token each, what they wait for, and what is remembered of them.

use serde_json::{Map, Value, json};

use super::bpmn::{Kind, Model, Node};
use super::time::{now, written};

/// All it knows.
#[derive(Default)]
pub(super) struct Engine {
    counter: u64,
    /// How far its clock is ahead, in milliseconds.
    pub(super) ahead: i64,
    pub(super) deployments: Vec<(String, String)>,
    pub(super) definitions: Vec<Definition>,
    pub(super) instances: Vec<Instance>,
    pub(super) external: Vec<External>,
    pub(super) user: Vec<Value>,
    pub(super) activities: Vec<Value>,
    pub(super) incidents: Vec<Value>,
    /// External tasks that were completed.
    pub(super) completed: Vec<Value>,
}

/// A model in one of its versions.
pub(super) struct Definition {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) deployment: String,
    pub(super) resource: String,
    pub(super) model: Model,
}

/// An instance, running or ended.
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) definition: usize,
    pub(super) business_key: Value,
    pub(super) variables: Map<String, Value>,
    /// Id and time of each variable.
    pub(super) born: Map<String, Value>,
    pub(super) ended: bool,
    pub(super) at: Option<At>,
}

/// Where the token stands.
#[derive(Clone)]
pub(super) struct At {
    pub(super) node: String,
    pub(super) execution: String,
    pub(super) activity: usize,
}

/// An external task.
#[derive(Clone)]
pub(super) struct External {
    pub(super) id: String,
    pub(super) instance: usize,
    pub(super) topic: String,
    pub(super) activity: usize,
    pub(super) execution: String,
    pub(super) worker: Option<String>,
    pub(super) locked_until: Option<i64>,
    pub(super) retries: Value,
    pub(super) message: Value,
    pub(super) details: Value,
    pub(super) created: i64,
}

impl Engine {
    pub(super) fn now(&self) -> i64 {
        now() + self.ahead
    }

    pub(super) fn new_id(&mut self) -> String {
        self.counter += 1;
        self.counter.to_string()
    }

    pub(super) fn latest(&self, key: &str) -> Option<usize> {
        self.definitions.iter().rposition(|definition| definition.model.key == key)
    }

    pub(super) fn set(&mut self, at: usize, variables: Vec<(String, Value)>) {
        for (name, value) in variables {
            if !self.instances[at].variables.contains_key(&name) {
                let id = self.new_id();
                let born = json!([id, written(self.now())]);
                self.instances[at].born.insert(name.clone(), born);
            }
            self.instances[at].variables.insert(name, value);
        }
    }

    /// Starts an instance at the start event with this message, or without one.
    pub(super) fn start(
        &mut self,
        definition: usize,
        message: Option<&str>,
        business_key: Value,
        variables: Vec<(String, Value)>,
    ) -> usize {
        let id = self.new_id();
        self.instances.push(Instance {
            id,
            definition,
            business_key,
            variables: Map::new(),
            born: Map::new(),
            ended: false,
            at: None,
        });
        let at = self.instances.len() - 1;
        self.set(at, variables);
        let nodes = &self.definitions[definition].model.nodes;
        let is_start =
            |node: &&Node| matches!(&node.kind, Kind::Start { message: of } if of.as_deref() == message);
        if let Some(start) = nodes.values().find(is_start).map(|node| node.id.clone()) {
            self.enter(at, &start);
        }
        at
    }

    /// Goes on until something is waited for.
    pub(super) fn enter(&mut self, at: usize, node: &str) {
        let mut next = Some(node.to_owned());
        while let Some(id) = next.take() {
            let Some(node) = self.model(at).nodes.get(&id).cloned() else { return };
            let activity = self.begin(at, &node);
            match &node.kind {
                Kind::External { topic } => return self.wait_external(at, topic.clone(), activity),
                Kind::User { assignee } => return self.wait_user(at, &node, assignee.as_deref(), activity),
                Kind::Catch { .. } => return,
                Kind::End => {
                    self.activities[activity]["completeScope"] = json!(true);
                    self.finish(activity, false);
                    return self.close(at);
                }
                _ => {
                    self.finish(activity, false);
                    next = self.model(at).flows.get(&id).cloned();
                }
            }
        }
    }

    /// Leaves the step where the token stands, and goes on behind it or behind an event at its edge.
    pub(super) fn leave(&mut self, at: usize, edge: Option<&str>) {
        let Some(place) = self.instances[at].at.take() else { return };
        self.finish(place.activity, edge.is_some());
        self.external.retain(|task| task.activity != place.activity);
        let activity = self.activities[place.activity]["id"].clone();
        self.user.retain(|task| task["~activity"] != activity);
        if let Some(edge) = edge {
            return self.enter(at, edge);
        }
        if let Some(next) = self.model(at).flows.get(&place.node).cloned() {
            self.enter(at, &next);
        }
    }

    pub(super) fn model(&self, at: usize) -> &Model {
        &self.definitions[self.instances[at].definition].model
    }

    fn begin(&mut self, at: usize, node: &Node) -> usize {
        let execution = match node.kind {
            Kind::External { .. } | Kind::Catch { .. } => self.new_id(),
            _ => self.instances[at].id.clone(),
        };
        let id = format!("{}:{}", node.id, self.new_id());
        let instance = &self.instances[at];
        let definition = &self.definitions[instance.definition];
        self.activities.push(json!({
            "id": id, "parentActivityInstanceId": instance.id, "activityId": node.id, "activityName": node.name,
            "activityType": node.kind.name(), "processDefinitionKey": definition.model.key,
            "processDefinitionId": definition.id, "processInstanceId": instance.id, "executionId": execution,
            "taskId": null, "calledProcessInstanceId": null, "calledCaseInstanceId": null, "assignee": null,
            "startTime": written(self.now()), "endTime": null, "durationInMillis": null, "canceled": false,
            "completeScope": false, "tenantId": null, "removalTime": null, "rootProcessInstanceId": instance.id,
        }));
        let activity = self.activities.len() - 1;
        self.instances[at].at = Some(At { node: node.id.clone(), execution, activity });
        activity
    }

    fn finish(&mut self, activity: usize, cancelled: bool) {
        let end = self.now();
        let entry = &mut self.activities[activity];
        let start = entry["startTime"].as_str().and_then(super::time::read).unwrap_or(end);
        entry["endTime"] = json!(written(end));
        entry["durationInMillis"] = json!(end - start);
        entry["canceled"] = json!(cancelled);
    }

    fn close(&mut self, at: usize) {
        self.instances[at].ended = true;
        self.instances[at].at = None;
        let days = self.model(at).history_days;
        let removal =
            days.and_then(|days| i64::try_from(days).ok()).map(|days| self.now() + days * 86_400_000);
        let id = self.instances[at].id.clone();
        for entry in self.activities.iter_mut().filter(|entry| entry["processInstanceId"] == id.as_str()) {
            entry["removalTime"] = json!(removal.map(written));
        }
    }

    /// The instance is ended from outside.
    pub(super) fn terminate(&mut self, at: usize) {
        if let Some(place) = self.instances[at].at.take() {
            self.finish(place.activity, true);
            self.external.retain(|task| task.activity != place.activity);
        }
        self.close(at);
    }

    fn wait_external(&mut self, at: usize, topic: String, activity: usize) {
        let (id, created) = (self.new_id(), self.now());
        let execution =
            self.instances[at].at.as_ref().map(|place| place.execution.clone()).unwrap_or_default();
        self.external.push(External {
            id,
            instance: at,
            topic,
            activity,
            execution,
            worker: None,
            locked_until: None,
            retries: Value::Null,
            message: Value::Null,
            details: Value::Null,
            created,
        });
    }

    fn wait_user(&mut self, at: usize, node: &Node, assignee: Option<&str>, activity: usize) {
        let id = self.new_id();
        self.activities[activity]["taskId"] = json!(id);
        self.activities[activity]["assignee"] = json!(assignee);
        let instance = &self.instances[at];
        let definition = &self.definitions[instance.definition];
        self.user.push(json!({
            "id": id, "name": node.name, "assignee": assignee, "created": written(self.now()), "due": null,
            "followUp": null, "lastUpdated": null, "delegationState": null, "description": null,
            "executionId": instance.id, "owner": null, "parentTaskId": null, "priority": 50,
            "processDefinitionId": definition.id, "processInstanceId": instance.id, "taskDefinitionKey": node.id,
            "caseExecutionId": null, "caseInstanceId": null, "caseDefinitionId": null, "suspended": false,
            "formKey": null, "camundaFormRef": null, "tenantId": null, "taskState": "Created",
            "~activity": self.activities[activity]["id"],
        }));
    }

    /// Raises an error at the step where the token stands. What nobody catches ends the execution.
    pub(super) fn error(&mut self, at: usize, code: &str, message: &Value) {
        let Some(place) = self.instances[at].at.clone() else { return };
        let caught = self.model(at).nodes.values().find_map(|node| match &node.kind {
            Kind::Boundary { of, error, code_variable, message_variable }
                if *of == place.node && (error.is_empty() || error == code) =>
            {
                Some((node.id.clone(), code_variable.clone(), message_variable.clone()))
            }
            _ => None,
        });
        let Some((edge, code_variable, message_variable)) = caught else { return self.terminate(at) };
        let text = |value: Value| json!({ "type": "String", "value": value, "valueInfo": {} });
        let mut variables = vec![];
        variables.extend(code_variable.map(|name| (name, text(json!(code)))));
        variables.extend(message_variable.map(|name| (name, text(message.clone()))));
        self.set(at, variables);
        self.leave(at, Some(&edge));
    }

    /// The failure of an external task that is not to be tried again.
    pub(super) fn incident(&mut self, task: usize) {
        let id = self.new_id();
        let task = &self.external[task];
        let instance = &self.instances[task.instance];
        let definition = &self.definitions[instance.definition];
        self.incidents.push(json!({
            "id": id, "processDefinitionKey": definition.model.key, "processDefinitionId": definition.id,
            "processInstanceId": instance.id, "executionId": task.execution,
            "rootProcessInstanceId": instance.id, "createTime": written(self.now()), "endTime": null,
            "removalTime": null, "incidentType": "failedExternalTask",
            "activityId": self.activities[task.activity]["activityId"],
            "failedActivityId": self.activities[task.activity]["activityId"], "causeIncidentId": id,
            "rootCauseIncidentId": id, "configuration": task.id, "incidentMessage": task.message,
            "tenantId": null, "jobDefinitionId": null, "open": true, "deleted": false, "resolved": false,
        }));
    }
}
